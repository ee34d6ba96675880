//! Nested stacks, on the emulator that updates them and fails with them.

use serde_json::{Value, json};

use crate::support::{Emulator, TestEnv};

const HERE: &str = "us-east-1";

const PARENT: &str = r#"
Parameters:
  Name: {Type: String}
  Value: {Type: String, Default: one}
Resources:
  Settings:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: TEMPLATE
      Parameters: {Name: !Ref Name, Value: !Ref Value}
"#;

const CHILD: &str = r#"
Parameters:
  Name: {Type: String}
  Value: {Type: String}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: !Ref Name, Type: String, Value: !Ref Value}
"#;

/// Returns a place with a stack in a stack.
fn nested() -> TestEnv {
    let env = TestEnv::on(Emulator::Ministack);
    let bucket = env.private("nested-111111111111");
    let cloud = env.cloud("111111111111", HERE);
    let url = cloud.put_template(&bucket, "child.yaml", CHILD);
    env.write("templates/app.yaml", &PARENT.replace("TEMPLATE", &url));
    env
}

#[test]
fn a_nested_stack_is_created_and_updated() {
    let env = nested();
    let cloud = env.cloud("111111111111", HERE);
    let deploy = |value: &str| {
        let value = format!("--parameter=Value={value}");
        env.run(&[
            "deploy",
            "app",
            "--yes=high",
            "--parameter=Name=/nested",
            &value,
        ])
    };
    deploy("one").success();
    assert_eq!(cloud.parameter("/nested").as_deref(), Some("one"));
    deploy("two").success();
    assert_eq!(cloud.parameter("/nested").as_deref(), Some("two"));
}

#[test]
fn a_failure_inside_a_nested_stack_is_named_by_its_path() {
    let env = nested();
    let cloud = env.cloud("111111111111", HERE);
    env.run(&["deploy", "app", "--yes=high", "--parameter=Name=/ours"])
        .success();
    cloud.put_parameter("/taken", "theirs");
    let output = env.run(&[
        "deploy",
        "app",
        "--yes=high",
        "--output=json",
        "--parameter=Name=/taken",
    ]);
    output.code(1);
    let summary: Value = serde_json::from_str(&env.public(&output.raw)).unwrap();
    let cause = &summary["failed"][0]["cause"];
    assert_eq!(
        cause["resource"],
        json!(["Settings/Setting", "AWS::SSM::Parameter"]),
        "{summary:#}"
    );
    assert_ne!(cause["reason"], "");
    assert_eq!(cloud.parameter("/taken").as_deref(), Some("theirs"));
}

/// CloudFormation names the child in the event of its failure, and `aws/nested.rs` follows it there. Ministack makes the
/// child and its events, but neither the parent's event nor its resource says which stack the child is, so here the
/// resource of the parent is all that can be known; its reason repeats that of the child.
#[test]
fn a_new_child_that_fails_is_named_by_its_parent_where_nothing_says_which_stack_it_was() {
    let env = nested();
    let cloud = env.cloud("111111111111", HERE);
    cloud.put_parameter("/taken", "theirs");
    let output = env.run(&[
        "deploy",
        "app",
        "--yes=high",
        "--output=json",
        "--parameter=Name=/taken",
    ]);
    output.code(1);
    let summary: Value = serde_json::from_str(&env.public(&output.raw)).unwrap();
    let cause = &summary["failed"][0]["cause"];
    assert_eq!(
        cause["resource"],
        json!(["Settings", "AWS::CloudFormation::Stack"]),
        "{summary:#}"
    );
    assert_ne!(cause["reason"], "");
    assert_eq!(cloud.physical_id("app", "Settings"), None);
    assert_eq!(cloud.parameter("/taken").as_deref(), Some("theirs"));
}
