//! What is asked of stacks beside their templates, on the emulator that does it.

use serde_json::Value;

use crate::support::output::Output;
use crate::support::proxy::Proxy;
use crate::support::{Emulator, TestEnv};

/// A topic, and a setting of a name that may be taken.
const SETTING: &str = r#"
Parameters:
  Name: {Type: String}
Resources:
  Topic: {Type: AWS::SNS::Topic}
  Setting:
    Type: AWS::SSM::Parameter
    DependsOn: Topic
    Properties: {Name: !Ref Name, Type: String, Value: ours}
"#;

const HERE: &str = "us-east-1";

fn settings() -> TestEnv {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", SETTING);
    env.cloud("111111111111", HERE)
        .put_parameter("/taken", "theirs");
    env
}

fn deploy(env: &TestEnv, more: &[&str]) -> Output {
    env.run(&[&["deploy", "app", "--yes=high", "--output=json"], more].concat())
}

fn document(env: &TestEnv, output: &Output) -> Value {
    serde_json::from_str(&env.public(&output.raw)).unwrap()
}

#[test]
fn a_new_stack_that_fails_is_deleted_where_that_is_asked_for() {
    let env = settings();
    let arguments = ["--parameter=Name=/taken", "--on-stack-failure=DELETE"];
    let output = deploy(&env, &arguments);
    output.code(1);
    let failed = &document(&env, &output)["failed"][0];
    assert_eq!(failed["cause"]["resource"][0], "Setting", "{failed}");
    let there = env.cloud("111111111111", HERE).status("app");
    assert!(
        there.is_none() || there.as_deref() == Some("DELETE_COMPLETE"),
        "{there:?}"
    );
}

#[test]
fn a_stack_that_exists_is_never_deleted_for_a_failure() {
    let env = settings();
    deploy(&env, &["--parameter=Name=/free"]).success();
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let arguments = ["--parameter=Name=/taken", "--on-stack-failure=DELETE"];
    let output = deploy(&env, &arguments);
    output.code(1);
    let reason = document(&env, &output)["not_planned"][0]["cause"]["reason"].to_string();
    assert!(reason.contains("do not exist yet"), "{reason}");
    assert!(proxy.mutations().is_empty());
}

#[test]
fn what_a_failure_leaves_is_kept_and_tried_again() {
    for flag in ["--disable-rollback", "--on-stack-failure=DO_NOTHING"] {
        let env = settings();
        let cloud = env.cloud("111111111111", HERE);
        deploy(&env, &["--parameter=Name=/taken", flag]).code(1);
        assert_eq!(
            cloud.status("app").as_deref(),
            Some("CREATE_FAILED"),
            "{flag}"
        );
        let topic = cloud.physical_id("app", "Topic");
        assert!(topic.is_some());

        // Without the flag the next change would roll back to nothing: it is refused.
        let output = deploy(&env, &["--parameter=Name=/free"]);
        output.code(1);
        let reason = document(&env, &output)["not_planned"][0]["cause"]["reason"].to_string();
        assert!(reason.contains("--disable-rollback"), "{reason}");

        deploy(&env, &["--parameter=Name=/free", flag]).success();
        assert_eq!(cloud.parameter("/free").as_deref(), Some("ours"));
        assert_eq!(cloud.physical_id("app", "Topic"), topic);
    }
}

#[test]
fn the_review_shows_what_is_asked_for() {
    let env = settings();
    let plan = |more: &[&str]| {
        let given = ["plan", "app", "--parameter=Name=/free"];
        let output = env.run(&[&given[..], more].concat());
        output.code(3);
        output
    };
    let output = plan(&[
        "--notification-arn=arn:{partition}:sns:{region}:{account}:stacks",
        "--on-stack-failure=ROLLBACK",
        "--rollback-trigger=composite:arn:aws:cloudwatch:{region}:{account}:alarm:Errors",
        "--monitoring-time=10",
        "--import-existing-resources",
        "--include-nested-stacks",
    ]);
    let shown = output.stdout.split_whitespace().collect::<Vec<_>>();
    let shown = shown.join(" ");
    for said in [
        "rollback on failure",
        "rollback trigger composite:arn:aws:cloudwatch:us-east-1:111111111111:alarm:Errors",
        "10 minutes of monitoring",
        "notifications to arn:aws:sns:us-east-1:111111111111:stacks",
        "import of existing resources",
        "change sets of nested stacks",
    ] {
        assert!(shown.contains(said), "{said}\n{output}");
    }
    let output = plan(&["--disable-rollback"]);
    assert!(output.stdout.contains("no rollback on failure"), "{output}");
}

#[test]
fn values_that_the_service_would_not_take_are_refused_before_any_call() {
    let env = TestEnv::offline();
    env.write("templates/app.yaml", SETTING);
    let topic = |n: usize| format!("--notification-arn=arn:aws:sns:us-east-1:111111111111:t{n}");
    let six: Vec<String> = (0..6).map(topic).collect();
    let six: Vec<&str> = six.iter().map(String::as_str).collect();
    for (arguments, said) in [
        (&["--notification-arn=stacks"][..], "SNS topic"),
        (
            &["--rollback-trigger=arn:aws:sns:us-east-1:111111111111:t"],
            "CloudWatch alarm",
        ),
        (&["--monitoring-time=181"], "0 to 180"),
        (&["--on-stack-failure=EXPLODE"], "DO_NOTHING"),
        (
            &["--on-stack-failure=DELETE", "--disable-rollback"],
            "cannot be used with",
        ),
        (&six, "at most 5"),
    ] {
        let output = env.run(&[&["deploy", "app", "--yes"][..], arguments].concat());
        output.code(2);
        assert!(
            output.stderr.contains(said),
            "{arguments:?} {said}\n{output}"
        );
    }
}
