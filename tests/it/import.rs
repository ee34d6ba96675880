//! Resources that exist are taken into a stack, on the emulator that imports.

use serde_json::Value;

use crate::support::proxy::Proxy;
use crate::support::{Emulator, TestEnv};

const HERE: &str = "us-east-1";

const SETTING: &str = r#"
Parameters:
  Stage: {Type: String}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    DeletionPolicy: Retain
    Properties: {Name: !Sub "/${Stage}/setting", Type: String, Value: theirs}
"#;

const IMPORTS: &str = r#"
- ResourceType: AWS::SSM::Parameter
  LogicalResourceId: Setting
  ResourceIdentifier: {Name: "/{account}/setting"}
"#;

const STAGE: &str = "--parameter=Stage=111111111111";

/// Returns a place with a parameter that no stack has made.
fn outside() -> TestEnv {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", SETTING);
    env.write("imports.yaml", IMPORTS);
    env.cloud("111111111111", HERE)
        .put_parameter(&env.private("/111111111111/setting"), "theirs");
    env
}

#[test]
fn a_resource_that_exists_is_reviewed_and_taken_into_a_new_stack() {
    let env = outside();
    let cloud = env.cloud("111111111111", HERE);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let planned = env.run(&["plan", "app", STAGE, "--resources-to-import=imports.yaml"]);
    planned.code(3);
    println!("{planned}");
    for said in ["import", "Setting", "takes in Name /111111111111/setting"] {
        assert!(planned.stdout.contains(said), "{said}\n{planned}");
    }
    assert_eq!(cloud.status("app").as_deref(), Some("REVIEW_IN_PROGRESS"));

    let status = env.run(&["status", "latest", "--output=json"]);
    let status: Value = serde_json::from_str(&env.public(&status.raw)).unwrap();
    let plan = status["plan"].as_str().unwrap();
    let output = env.run(&["approve", "latest", "--plan", plan]);
    output.success();
    println!("{output}");
    assert_eq!(cloud.status("app").as_deref(), Some("IMPORT_COMPLETE"));
    let name = env.private("/111111111111/setting");
    assert_eq!(cloud.physical_id("app", "Setting"), Some(name.clone()));
    assert_eq!(cloud.parameter(&name).as_deref(), Some("theirs"));
    assert_eq!(proxy.count("ExecuteChangeSet"), 1);

    // From now on it is a resource of the stack like every other.
    env.write("templates/app.yaml", &SETTING.replace("theirs", "ours"));
    env.run(&["deploy", "app", STAGE, "--yes=high"]).success();
    assert_eq!(cloud.status("app").as_deref(), Some("UPDATE_COMPLETE"));
    assert_eq!(cloud.parameter(&name).as_deref(), Some("ours"));
}

#[test]
fn a_rejected_import_leaves_neither_stack_nor_claim() {
    let env = outside();
    let cloud = env.cloud("111111111111", HERE);
    env.run(&["plan", "app", STAGE, "--resources-to-import=imports.yaml"])
        .code(3);
    env.run(&["reject", "latest"]).code(4);
    assert_eq!(cloud.status("app"), None);
    let name = env.private("/111111111111/setting");
    assert_eq!(cloud.parameter(&name).as_deref(), Some("theirs"));
}

#[test]
fn each_target_takes_in_its_own_resource_and_the_review_says_so_once() {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", SETTING);
    env.write("imports.yaml", &IMPORTS.replace("{account}", "{region}"));
    for region in ["us-east-1", "eu-west-1"] {
        let overrides = format!(r#"{{"Parameters": {{"Stage": "{region}"}}}}"#);
        env.write(
            &format!("parameter-overrides/app.{region}.json"),
            &overrides,
        );
        env.cloud("111111111111", region)
            .put_parameter(&format!("/{region}/setting"), "theirs");
    }
    let output = env.run(&[
        "deploy",
        "app",
        "--regions=us-east-1,eu-west-1",
        "--yes=high",
        "--resources-to-import=imports.yaml",
    ]);
    output.success();
    assert!(
        output.stdout.contains("takes in Name /{region}/setting"),
        "{output}"
    );
    assert!(
        output.stdout.contains("Change A · 2 targets · import"),
        "{output}"
    );
    for region in ["us-east-1", "eu-west-1"] {
        let cloud = env.cloud("111111111111", region);
        assert_eq!(
            cloud.physical_id("app", "Setting"),
            Some(format!("/{region}/setting"))
        );
    }
}

#[test]
fn a_resource_is_taken_into_a_stack_that_exists() {
    let env = outside();
    let cloud = env.cloud("111111111111", HERE);
    let before =
        "Parameters: {Stage: {Type: String}}\nResources: {Topic: {Type: AWS::SNS::Topic}}\n";
    let created = cloud.create("app", before, &[("Stage", &env.private("111111111111"))]);
    assert_eq!(created, "CREATE_COMPLETE");
    let topic = cloud.physical_id("app", "Topic");
    let with_topic = SETTING.replace("Resources:", "Resources:\n  Topic: {Type: AWS::SNS::Topic}");
    env.write("templates/app.yaml", &with_topic);
    let output = env.run(&[
        "deploy",
        "app",
        STAGE,
        "--yes=high",
        "--resources-to-import=imports.yaml",
    ]);
    output.success();
    assert_eq!(cloud.status("app").as_deref(), Some("IMPORT_COMPLETE"));
    assert_eq!(cloud.physical_id("app", "Topic"), topic);
    let name = env.private("/111111111111/setting");
    assert_eq!(cloud.physical_id("app", "Setting"), Some(name));
}

#[test]
fn what_is_wrong_with_the_file_is_said_before_any_call() {
    let env = TestEnv::offline();
    env.write("templates/app.yaml", SETTING);
    env.write("imports.yaml", &IMPORTS.replace("Setting", "Seting"));
    env.write("right.yaml", IMPORTS);
    for (arguments, said) in [
        (
            &["--resources-to-import=imports.yaml"][..],
            "imports.yaml:3:22: found `Seting`",
        ),
        (&["--resources-to-import=missing.yaml"], "missing.yaml"),
        (
            &[
                "--resources-to-import=imports.yaml",
                "--import-existing-resources",
            ],
            "cannot be used with",
        ),
        (
            &[
                "--resources-to-import=right.yaml",
                "--on-stack-failure=DELETE",
            ],
            "not for imports",
        ),
    ] {
        let output = env.run(&[&["deploy", "app", "--yes", STAGE][..], arguments].concat());
        output.code(2);
        assert!(output.stderr.contains(said), "{said}\n{output}");
    }
}
