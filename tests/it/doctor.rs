//! What `stackgate doctor` finds, on an emulator and behind a proxy that denies.

use std::fs;

use serde_json::Value;

use crate::support::proxy::{Error, Fault, Proxy, Rule};
use crate::support::schema::assert_documented;
use crate::support::{Emulator, TestEnv, http};

const FLEET: [&str; 2] = ["--accounts", "111111111111,222222222222"];

#[test]
fn a_place_in_order_is_found_so_and_left_as_it_is() {
    let env = TestEnv::on(Emulator::LocalStack).samples();
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let found = env.run(&[&["doctor", "messaging"][..], &FLEET].concat());
    insta::assert_snapshot!("doctor", found.success().to_string());
    assert_eq!(
        proxy
            .calls()
            .iter()
            .filter(|call| call.is_mutation())
            .count(),
        0
    );
    assert!(!env.root().join(".stackgate").exists());

    let policies = env.run(&[&["doctor", "messaging", "--policy"][..], &FLEET].concat());
    let policies: Value = serde_json::from_str(&env.public(&policies.success().raw)).unwrap();
    let role = "arn:aws:iam::222222222222:role/AWSCloudFormationStackSetExecutionRole";
    assert_eq!(policies["caller"]["Statement"][0]["Resource"][0], role);
    let resource = "arn:aws:cloudformation:*:*:stack/messaging*/*";
    assert_eq!(policies["at_target"]["Statement"][0]["Resource"], resource);
}

#[test]
fn everything_that_fails_is_told_with_its_remedy() {
    let env = TestEnv::on(Emulator::LocalStack);
    let proxy = Proxy::start(&env.endpoint());
    let denied = Error {
        message: "User: arn:aws:iam::111111111111:user/ci is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::222222222222:role/AWSCloudFormationStackSetExecutionRole",
        ..Error::ACCESS_DENIED
    };
    proxy.disturb(
        Rule::new(Fault::Answer(denied))
            .operation("AssumeRole")
            .times(1000),
    );
    let env = env.through(&proxy);
    env.write(".stackgate/journal.db", &"no database ".repeat(100));
    // The mode of a folder depends on the user's mask.
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(env.root().join(".stackgate"), private).unwrap();
    let found = env.run(&[&["doctor"][..], &FLEET].concat());
    insta::assert_snapshot!("doctor_failures", found.code(1).to_string());
    let document = env.run(&[&["doctor", "--output", "json"][..], &FLEET].concat());
    let document: Value = serde_json::from_str(&document.code(1).raw).unwrap();
    assert_documented(&document);
    let checks = document["checks"].as_array().unwrap();
    let failed = checks.iter().filter(|check| check["health"] == "failed");
    assert_eq!(failed.count(), 2, "{document:#}");
}

#[test]
fn a_role_a_bucket_and_settings_that_fail_are_each_told_once() {
    let env = TestEnv::on(Emulator::LocalStack).samples();
    let proxy = Proxy::start(&env.endpoint());
    let denied = Error {
        message: "User: arn:aws:iam::111111111111:user/ci is not authorized to perform: sts:AssumeRole",
        ..Error::ACCESS_DENIED
    };
    proxy.disturb(
        Rule::new(Fault::Answer(denied))
            .operation("AssumeRole")
            .times(1000),
    );
    let env = env.through(&proxy);
    env.write("stackgate.yaml", "defaults:\n  regoins: [us-east-1]\n");
    let look = [
        &["doctor", "messaging"][..],
        &FLEET,
        &["--regions", "us-east-1,eu-west-1,ap-south-1"],
        &["--execute-role", "arn:aws:iam::{account}:role/Execute"],
        &["--s3-bucket", "nobody-made-111111111111"],
    ]
    .concat();
    let found = env.run(&look);
    insta::assert_snapshot!("doctor_once", found.code(1).to_string());
    let named = env.run(&[&look[..], &["--environment", "production"]].concat());
    let named = named.code(1).to_string();
    assert!(
        named.contains("not tried without the file that names them"),
        "{named}"
    );
}

#[test]
fn a_bucket_is_found_and_left_as_it_is() {
    let env = TestEnv::on(Emulator::LocalStack).samples();
    let bucket = env.private("templates-111111111111");
    let key = env.private("111111111111");
    let signed = format!(
        "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    );
    let s3 = |method: &str| {
        let url = format!("{}/{bucket}", env.endpoint());
        http::send(method, &url, &[("authorization", signed.as_str())], "").unwrap()
    };
    assert_eq!(s3("PUT").status(), 200);
    let arguments = [
        "doctor",
        "--s3-bucket",
        "templates-{account}",
        "--output=json",
    ];
    let found = env.run(&arguments);
    let document: Value = serde_json::from_str(&env.public(&found.success().raw)).unwrap();
    assert_documented(&document);
    let last = document["checks"].as_array().unwrap().last().unwrap();
    assert_eq!(last["what"], "bucket templates-111111111111");
    assert_eq!(
        last["found"],
        "of account 111111111111, in us-east-1; nothing was put there to try it"
    );
    assert!(!s3("GET").text().contains("<Key>"));
    let object = "arn:aws:s3:::templates-111111111111/stackgate/*";
    let statement = &document["policies"]["caller"]["Statement"][0];
    assert_eq!(statement["Resource"][0], object);
}

#[test]
fn a_stack_that_takes_no_change_set_is_told_with_the_command_that_comes_next() {
    let env = TestEnv::on(Emulator::Ministack);
    let cloud = env.cloud("111111111111", "us-east-1");
    cloud.put_parameter("/taken", "theirs");
    let template = "Resources: {Setting: {Type: AWS::SSM::Parameter, Properties: {Name: /taken, Type: String, Value: ours}}}";
    assert_eq!(cloud.create("app", template, &[]), "ROLLBACK_COMPLETE");
    let found = env.run(&["doctor", "app"]);
    let said = found.code(1).to_string();
    for part in [
        "failed   111111111111/us-east-1  as root; stack app is ROLLBACK_COMPLETE: its creation failed",
        "remedy: see why with `aws cloudformation describe-stack-events --stack-name app --region us-east-1`",
        "`stackgate delete app --accounts 111111111111 --regions us-east-1`",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn without_a_caller_no_target_is_tried() {
    let env = TestEnv::offline();
    let found = env.run(&["doctor"]);
    insta::assert_snapshot!("doctor_offline", found.code(1).to_string());
}
