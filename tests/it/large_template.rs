//! Templates that are too large for a request go through a bucket.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::support::bucket::{self, keys};
use crate::support::proxy::{Error, Fault, Gate, Proxy, Rule};
use crate::support::{Emulator, TestEnv};

const HERE: &str = "us-east-1";

/// Returns a template of more than 51,200 bytes: sixty settings of a thousand characters.
fn large(first: &str) -> String {
    let mut template = "Resources:\n".to_owned();
    for number in 0..60 {
        let value = if number == 0 {
            first.to_owned()
        } else {
            "v".repeat(1000)
        };
        write!(
            template,
            "  Setting{number}:\n    Type: AWS::SSM::Parameter\n    Properties: {{Name: /large/{number}, Type: String, Value: {value}}}\n"
        )
        .unwrap();
    }
    assert!(template.len() > 51_200);
    template
}

/// Returns the name of a bucket of this test's own.
fn bucket(env: &TestEnv) -> String {
    bucket::make(env, "templates-111111111111", HERE)
}

fn is_anywhere(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_anywhere(&path, text);
        }
        let bytes = fs::read(path).unwrap();
        bytes.windows(text.len()).any(|w| w == text.as_bytes())
    })
}

// What CloudFormation made a change set from is compared with what was sent. LocalStack does not tell it, so these are
// deployed to ministack, on which only the account of a bucket reads it.

#[test]
fn a_large_template_is_deployed_and_updated_through_a_bucket() {
    let env = TestEnv::on(Emulator::Ministack);
    let bucket = bucket(&env);
    env.write("templates/large.yaml", &large("one"));
    let deploy = [
        "deploy",
        "large",
        "--regions",
        "us-east-1,eu-west-1",
        "--s3-bucket",
        "templates-111111111111",
        "--yes",
    ];
    let first = env.run(&deploy);
    first.success();
    for region in ["us-east-1", "eu-west-1"] {
        let cloud = env.cloud("111111111111", region);
        assert_eq!(cloud.status("large").as_deref(), Some("CREATE_COMPLETE"));
        assert_eq!(cloud.parameter("/large/0").as_deref(), Some("one"));
        assert_eq!(cloud.parameter("/large/59"), Some("v".repeat(1000)));
    }
    // One object, named by its content, for both targets.
    let listed = keys(&env, HERE, &bucket);
    assert_eq!(listed.len(), 1, "{listed:?}");

    env.write("templates/large.yaml", &large("two"));
    let second = env.run(&[&deploy[..], &["--output", "ndjson"]].concat());
    second.success();
    let cloud = env.cloud("111111111111", "eu-west-1");
    assert_eq!(cloud.status("large").as_deref(), Some("UPDATE_COMPLETE"));
    assert_eq!(cloud.parameter("/large/0").as_deref(), Some("two"));

    // The URL, which lets its bearer in, is nowhere.
    for output in [&first, &second] {
        assert!(!output.raw.contains("X-Amz-") && !output.stderr.contains("X-Amz-"));
    }
    assert!(!is_anywhere(&env.root(), "X-Amz-"));
}

#[test]
fn a_large_template_without_a_bucket_of_its_region_is_refused_before_anything_is_made() {
    let env = TestEnv::on(Emulator::LocalStack);
    env.write("templates/large.yaml", &large("one"));
    for (given, said) in [
        (
            &[][..],
            "goes to CloudFormation through a bucket, and none is named\n",
        ),
        (
            &["--s3-bucket", "eu-west-1=templates"],
            "and none is named in us-east-1\n",
        ),
        (&["--s3-bucket", "Not A Bucket"], "is no bucket"),
    ] {
        let refused = env.run(&[&["deploy", "large", "--yes"], given].concat());
        refused.code(2);
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
        assert!(refused.stderr.contains("--s3-bucket"), "{}", refused.stderr);
    }
    let padding = "#\n".repeat(1 << 19);
    env.write(
        "templates/large.yaml",
        &format!("{}{padding}", large("one")),
    );
    let refused = env.run(&["deploy", "large", "--s3-bucket", "templates"]);
    refused.code(2);
    assert!(
        refused.stderr.contains("expected 1048576 at most"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("split it"), "{}", refused.stderr);
    assert_eq!(env.cloud("111111111111", "us-east-1").status("large"), None);
}

#[test]
fn a_bucket_that_cannot_be_written_fails_the_target_and_is_named() {
    let env = TestEnv::on(Emulator::LocalStack);
    env.write("templates/large.yaml", &large("one"));
    let failed = env.run(&[
        "deploy",
        "large",
        "--yes",
        "--s3-bucket",
        "nobody-made-{account}",
    ]);
    failed.code(1);
    for part in [
        "there is no bucket nobody-made-111111111111",
        "`--s3-bucket`",
    ] {
        assert!(failed.stderr.contains(part), "{part} in {failed}");
    }
    assert!(!failed.raw.contains("X-Amz-"));
    assert_eq!(env.cloud("111111111111", "us-east-1").status("large"), None);
}

#[test]
fn a_template_that_was_replaced_in_the_bucket_is_not_planned() {
    let env = TestEnv::on(Emulator::Ministack);
    let bucket = bucket(&env);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let deploy = [
        "deploy",
        "large",
        "--s3-bucket",
        "templates-111111111111",
        "--yes",
    ];
    // A new stack first, then an update: both are planned by a change set.
    for (ours, theirs) in [("one", "evil"), ("two", "worse")] {
        env.write("templates/large.yaml", &large(ours));
        let before = env.cloud("111111111111", "us-east-1").status("large");
        let known = keys(&env, HERE, &bucket);
        // Uploaded, and not read yet.
        let gate = Gate::default();
        proxy.disturb(Rule::new(Fault::Hold(gate.clone())).operation("CreateChangeSet"));
        let created = proxy.count("CreateChangeSet");
        let process = env.start(&deploy);
        proxy.wait_until("the change set", |calls| {
            let asked = calls.iter().filter(|c| c.operation == "CreateChangeSet");
            asked.count() > created
        });
        let mut put = keys(&env, HERE, &bucket);
        put.retain(|key| !known.contains(key));
        bucket::replace(&env, HERE, &bucket, &put[0], &large(theirs));
        gate.open();
        let refused = env.finish(process);
        refused.code(1);
        let said = refused.to_string();
        for part in [
            "read another template from bucket templates-111111111111",
            "find out who replaced it",
        ] {
            assert!(said.contains(part), "{part} in {said}");
        }
        assert_eq!(
            proxy.count("ExecuteChangeSet"),
            proxy.count("DeleteChangeSet") - 1
        );
        let cloud = env.cloud("111111111111", "us-east-1");
        assert_eq!(cloud.status("large"), before);
        // Sent again, and left alone this time.
        env.run(&deploy).success();
        assert_eq!(cloud.parameter("/large/0").as_deref(), Some(ours));
    }
}

#[test]
fn a_template_of_which_nothing_is_known_is_not_planned() {
    let env = TestEnv::on(Emulator::LocalStack);
    bucket(&env);
    env.write("templates/large.yaml", &large("one"));
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let refused = env.run(&[
        "deploy",
        "large",
        "--yes",
        "--s3-bucket",
        "templates-111111111111",
    ]);
    refused.code(1);
    let said = refused.to_string();
    assert!(
        said.contains("does not say which template it read from bucket templates-111111111111"),
        "{said}"
    );
    assert_eq!(proxy.count("ExecuteChangeSet"), 0);
    assert_eq!(env.cloud("111111111111", "us-east-1").status("large"), None);
}

#[test]
fn a_bucket_that_is_not_of_the_expected_account_is_told_with_the_way_to_name_its_owner() {
    let env = TestEnv::on(Emulator::Ministack);
    bucket(&env);
    env.write("templates/large.yaml", &large("one"));
    let proxy = Proxy::start(&env.endpoint());
    // As S3 answers where the owner is another one; the emulators do not look at it. An upload names no operation.
    // Once for the question whether the template is there, once for the upload.
    for _ in 0..2 {
        proxy.disturb(Rule::new(Fault::Answer(Error::ACCESS_DENIED)).operation(""));
    }
    let env = env.through(&proxy);
    let deploy = |bucket: &str| env.run(&["deploy", "large", "--yes", "--s3-bucket", bucket]);
    let refused = deploy("templates-111111111111");
    refused.code(1);
    let said = refused.to_string();
    for part in [
        "PutObject in bucket templates-111111111111: AccessDenied",
        "must be of account 111111111111",
        "--s3-bucket templates-111111111111@ACCOUNT",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(proxy.count("CreateChangeSet"), 0);
    deploy("templates-{account}@{account}").success();
}
