//! Local paths in templates: what they name is uploaded, and the stacks made of it work.

use std::fs;

use crate::support::bucket::{self, keys, send};
use crate::support::proxy::{Call, Proxy};
use crate::support::{Emulator, TestEnv};

const HERE: &str = "us-east-1";

const PARENT: &str = r#"# The shop.
Resources:
  Functions:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: ./nested/functions.yaml   # with the code
      Parameters: {Greeting: hello}
"#;

const CHILD: &str = r#"
Parameters:
  Greeting: {Type: String}
Resources:
  Greet:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: greet
      Runtime: python3.11
      Handler: main.answer
      Role: arn:aws:iam::111111111111:role/greet
      Environment: {Variables: {GREETING: !Ref Greeting}}
      Code: ../../functions/greet
"#;

const CODE: &str = r#"
import os
from lib.words import END

def answer(event, context):
    return {"said": os.environ["GREETING"] + " " + event["name"] + END}
"#;

const DEPLOY: [&str; 5] = [
    "deploy",
    "app",
    "--s3-bucket",
    "code-111111111111-{region}",
    "--yes=high",
];

const PLAN: [&str; 6] = ["plan", "app", "--s3-bucket", DEPLOY[3], "--out", "app.plan"];

/// Returns a project with a nested stack, whose function has its code in a folder.
fn project(emulator: Emulator) -> TestEnv {
    let env = TestEnv::on(emulator);
    env.write("templates/app.yaml", PARENT);
    env.write("templates/nested/functions.yaml", CHILD);
    env.write("functions/greet/main.py", CODE);
    env.write("functions/greet/lib/words.py", "END = \"!\"\n");
    env
}

fn make_bucket(env: &TestEnv, region: &str) -> String {
    bucket::make(env, &format!("code-111111111111-{region}"), region)
}

/// Asks the function, and returns what it said.
fn ask(env: &TestEnv, region: &str) -> String {
    let path = "/2015-03-31/functions/greet/invocations";
    let mut said = String::new();
    // On a busy machine, the emulator now and then loses the process that it starts for a function.
    for _ in 0..5 {
        let reply = send(env, "lambda", region, "POST", path, r#"{"name": "you"}"#);
        assert_eq!(reply.status(), 200, "{}", reply.text());
        said = reply.text();
        let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
        if let Some(answer) = answer["said"].as_str() {
            return answer.to_owned();
        }
    }
    panic!("{said}");
}

/// Returns how often something was uploaded through `proxy`.
fn uploads(proxy: &Proxy) -> usize {
    let is_upload = |call: &&Call| call.method == "PUT";
    proxy.calls().iter().filter(is_upload).count()
}

#[test]
fn a_nested_stack_with_a_function_is_packaged_and_the_function_answers() {
    let env = project(Emulator::Ministack);
    let bucket = make_bucket(&env, HERE);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    env.run(&DEPLOY).success();
    assert_eq!(ask(&env, HERE), "hello you!");
    // The code and the nested template.
    assert_eq!(uploads(&proxy), 2);
    let mut first = keys(&env, HERE, &bucket);
    first.sort_by_key(|key| key.ends_with(".zip"));
    assert!(first[0].starts_with("stackgate/") && first[0].ends_with(".template"));
    assert!(first[1].starts_with("stackgate/") && first[1].ends_with(".zip"));

    // What is deployed is what the paths lead to, which is known without an upload.
    proxy.forget();
    let diff = ["diff", "app", "--exit-code"];
    env.run(&diff).success();

    // The same input gives the same bytes: nothing is uploaded, and nothing changes.
    fs::remove_dir_all(env.root().join("functions/greet")).unwrap();
    env.write("functions/greet/lib/words.py", "END = \"!\"\n");
    env.write("functions/greet/main.py", CODE);
    env.run(&DEPLOY).success();
    assert_eq!(uploads(&proxy), 0);
    assert_eq!(proxy.count("ExecuteChangeSet"), 0);
    assert_eq!(keys(&env, HERE, &bucket).len(), 2);

    // Other code has another key, and with it the nested template is another one.
    env.write("functions/greet/lib/words.py", "END = \"?\"\n");
    let other = env.run(&diff);
    other.code(3);
    let said = other.to_string();
    assert!(
        said.contains(
            "a local path; it is not what the stack has, or what it names is not: functions/greet"
        ),
        "{said}"
    );
    assert_eq!(uploads(&proxy), 0);
    let changed = env.run(&DEPLOY);
    changed.success();
    assert_eq!(uploads(&proxy), 2);
    assert_eq!(ask(&env, HERE), "hello you?");
    assert_eq!(keys(&env, HERE, &bucket).len(), 4);

    // The files of the project are as they were.
    let on_disk = fs::read_to_string(env.root().join("templates/app.yaml")).unwrap();
    assert_eq!(on_disk, PARENT);
}

#[test]
fn a_fleet_shares_one_plan_and_each_region_has_a_bucket() {
    let env = project(Emulator::Ministack);
    let regions = [HERE, "eu-west-1"];
    let buckets = regions.map(|region| make_bucket(&env, region));
    let deploy = [&DEPLOY[..], &["--regions", "us-east-1,eu-west-1"]].concat();
    let output = env.run(&deploy);
    output.success();
    for (region, bucket) in regions.iter().zip(&buckets) {
        assert_eq!(ask(&env, region), "hello you!");
        assert_eq!(keys(&env, region, bucket).len(), 2, "{region}");
    }
    let said = output.to_string();
    assert!(said.contains("2 targets"), "{said}");
    assert!(!said.contains("Change B"), "{said}");
}

#[test]
fn a_large_nested_template_is_no_different() {
    let env = TestEnv::on(Emulator::Ministack);
    let bucket = make_bucket(&env, HERE);
    env.write(
        "templates/app.yaml",
        &PARENT.replace("{Greeting: hello}", "{Value: one}"),
    );
    let mut child = "Parameters: {Value: {Type: String}}\nResources:\n".to_owned();
    for number in 0..60 {
        let padding = "v".repeat(1000);
        child.push_str(&format!(
            "  Setting{number}:\n    Type: AWS::SSM::Parameter\n    Properties:\n      Name: /nested/{number}\n      \
             Type: String\n      Value: !Ref Value\n      Description: {padding}\n"
        ));
    }
    assert!(child.len() > 51_200);
    env.write("templates/nested/functions.yaml", &child);
    env.run(&DEPLOY).success();
    let cloud = env.cloud("111111111111", HERE);
    assert_eq!(cloud.parameter("/nested/59").as_deref(), Some("one"));
    // It names nothing local: its bytes are those on the disk.
    let keys = keys(&env, HERE, &bucket);
    assert_eq!(keys.len(), 1);
    let stored = bucket::content(&env, HERE, &bucket, &keys[0]);
    assert_eq!(stored, child);
}

#[test]
fn a_plan_in_a_file_carries_what_was_packaged() {
    let env = project(Emulator::Ministack);
    make_bucket(&env, HERE);
    env.run(&PLAN).code(3);
    // Another machine has neither the project nor the state.
    for gone in ["functions", "templates", ".stackgate"] {
        fs::remove_dir_all(env.root().join(gone)).unwrap();
    }
    env.run(&["deploy", "--plan", "app.plan", "--yes=high"])
        .success();
    assert_eq!(ask(&env, HERE), "hello you!");
}

#[test]
fn what_cannot_be_packaged_is_told_with_its_place_before_anything_is_made() {
    let env = project(Emulator::Ministack);
    let cloud = env.cloud("111111111111", HERE);
    let refused = env.run(&["deploy", "app", "--yes"]);
    refused.code(2);
    for part in [
        "templates/app.yaml:6:20: `TemplateURL` of resource `Functions` is the local path `./nested/functions.yaml`",
        "and none is named",
        "--s3-bucket NAME",
    ] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    fs::remove_dir_all(env.root().join("functions")).unwrap();
    let refused = env.run(&DEPLOY);
    refused.code(2);
    let said = "templates/nested/functions.yaml:13:13: `Code` of resource `Greet` is `../../functions/greet`; \
                there is no `functions/greet`";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    assert_eq!(cloud.status("app"), None);
}

#[test]
fn code_in_a_bucket_of_another_region_is_refused_before_a_change_set_is_made() {
    let env = project(Emulator::Ministack);
    let bucket = make_bucket(&env, HERE);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let refused = env.run(&[
        "deploy",
        "app",
        "--region=eu-west-1",
        "--s3-bucket",
        &bucket,
        "--yes",
    ]);
    refused.code(1);
    let said = refused.to_string();
    for part in [
        "templates/nested/functions.yaml:13:13: `Code` of resource `Greet` is read from a bucket in eu-west-1",
        "is in us-east-1",
        "--s3-bucket eu-west-1=NAME",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(proxy.count("CreateChangeSet"), 0);
}

#[test]
fn in_a_bucket_that_keeps_versions_code_is_named_by_its_version() {
    let env = project(Emulator::Ministack);
    let bucket = make_bucket(&env, HERE);
    bucket::keep_versions(&env, HERE, &bucket);
    env.run(&PLAN).code(3);
    let keys = keys(&env, HERE, &bucket);
    let nested = keys.iter().find(|key| key.ends_with(".template")).unwrap();
    let nested = bucket::content(&env, HERE, &bucket, nested);
    assert!(nested.contains("\"S3ObjectVersion\": \""), "{nested}");

    // Whoever writes to the bucket now changes nothing that was approved. (The emulator reads the newest template, whatever
    // version its URL names.)
    let code = keys.iter().find(|key| key.ends_with(".zip")).unwrap();
    bucket::replace(&env, HERE, &bucket, code, "evil");
    env.run(&["deploy", "--plan", "app.plan", "--yes=high"])
        .success();
    assert_eq!(ask(&env, HERE), "hello you!");
}

#[test]
fn the_version_of_what_is_there_stays_and_nothing_changes() {
    let env = project(Emulator::LocalStack);
    let simple = "Resources: {Topic: {Type: AWS::SNS::Topic}}\n";
    env.write("templates/nested/functions.yaml", simple);
    env.write(
        "templates/app.yaml",
        &PARENT.replace("      Parameters: {Greeting: hello}\n", ""),
    );
    let bucket = make_bucket(&env, HERE);
    bucket::keep_versions(&env, HERE, &bucket);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    env.run(&DEPLOY).success();
    assert_eq!(uploads(&proxy), 1);
    proxy.forget();
    // Another process.
    let again = env.run(&DEPLOY);
    again.success();
    assert_eq!(
        (uploads(&proxy), proxy.count("ExecuteChangeSet")),
        (0, 0),
        "{again}"
    );
}

#[test]
fn code_that_was_replaced_after_the_approval_is_not_executed() {
    let env = project(Emulator::Ministack);
    let bucket = make_bucket(&env, HERE);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    env.write("functions/greet/.env", "PASSWORD=x\n");
    let planned = env.run(&PLAN);
    planned.code(3);
    // It is packed as it is with `aws cloudformation package`, and told.
    let said = planned.to_string();
    assert!(said.contains("functions/greet/.env"), "{said}");

    let keys = keys(&env, HERE, &bucket);
    let code = keys.iter().find(|key| key.ends_with(".zip")).unwrap();
    bucket::replace(&env, HERE, &bucket, code, "evil");
    let refused = env.run(&["deploy", "--plan", "app.plan", "--yes=high"]);
    refused.code(1);
    let said = refused.to_string();
    for part in [
        "the code of `functions/greet`",
        "was replaced after the plan was made",
        "s3://code-111111111111-us-east-1/stackgate/",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(proxy.count("ExecuteChangeSet"), 0);
    // Planned anew, it is put there again.
    env.run(&DEPLOY).success();
    assert_eq!(ask(&env, HERE), "hello you!");
}
