//! `stackgate.yaml` and what its names do to a run.

use serde_json::Value;

use crate::support::{Emulator, TestEnv};

const SETTINGS: &str = r#"
defaults:
  regions: [eu-central-1]
  max-concurrent: 2
  tags: {Team: orders, Stage: none}
targetSets:
  fleet:
    accounts: ["111111111111", "222222222222"]
    regions: [us-east-1, eu-west-1]
  pilot:
    targets:
      - {account: "111111111111", regions: [us-east-1, eu-west-1]}
      - {account: "222222222222", regions: [eu-west-1]}
environments:
  production:
    targets: fleet
    parameters: {Value: of production, Other: not ours}
    tags: {Stage: production}
"#;

const TEMPLATE: &str = r#"
Parameters:
  Value: {Type: String, Default: of the template}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: /settings/file, Type: String, Value: !Ref Value}
"#;

fn project(env: TestEnv) -> TestEnv {
    env.write("stackgate.yaml", SETTINGS);
    env.write("templates/app.yaml", TEMPLATE);
    env
}

fn places(env: &TestEnv) -> Vec<String> {
    let status = env.run(&["status", "latest", "--output", "json"]);
    let status: Value = serde_json::from_str(&env.public(&status.success().raw)).unwrap();
    let targets = status["targets"].as_array().unwrap().iter();
    let part = |target: &Value, name: &str| target[name].as_str().unwrap().to_owned();
    targets
        .map(|t| format!("{}/{}", part(t, "account"), part(t, "region")))
        .collect()
}

#[test]
fn an_environment_is_shown_recorded_and_deployed() {
    let env = project(TestEnv::on(Emulator::LocalStack));
    let output = env.run(&["deploy", "app", "--environment", "production", "--yes"]);
    output.success();
    let said = output.stderr.split("\n").take(2).collect::<Vec<_>>();
    insta::assert_snapshot!("environment", said.join("\n"));
    assert!(output.stdout.contains("environment production"), "{output}");
    assert!(output.to_string().contains("stackgate.yaml:17"), "{output}");
    for account in ["111111111111", "222222222222"] {
        for region in ["us-east-1", "eu-west-1"] {
            let cloud = env.cloud(account, region);
            assert_eq!(cloud.parameters("app")["Value"], "of production");
            let tags = cloud.stack("app").unwrap().tags.unwrap_or_default();
            let stage = tags.iter().find(|tag| tag.key() == Some("Stage"));
            assert_eq!(stage.and_then(|tag| tag.value()), Some("production"));
        }
    }
    let events = env.run(&["events", "latest", "--output", "ndjson"]);
    let chosen = r#""chosen":{"environment":"production","target_set":"fleet"}"#;
    let raw = events.success().raw.replace(": ", ":").replace(", ", ",");
    assert!(raw.contains(chosen), "{events}");
    // What was deployed by name is deleted by name.
    env.run(&["delete", "app", "--environment", "production", "--yes=high"])
        .success();
    for target in places(&env) {
        let (account, region) = target.split_once('/').unwrap();
        let status = env.cloud(account, region).status("app");
        assert!(
            matches!(status.as_deref(), None | Some("DELETE_COMPLETE")),
            "{status:?}"
        );
    }
}

#[test]
fn flags_win_over_the_file() {
    let env = project(TestEnv::on(Emulator::LocalStack));
    let plan = |arguments: &[&str]| {
        env.run(&[&["plan", "app"], arguments].concat()).code(3);
        places(&env)
    };
    assert_eq!(plan(&[]), ["111111111111/eu-central-1"]);
    assert_eq!(
        plan(&["--environment", "production", "--regions", "us-east-1"]),
        ["111111111111/us-east-1", "222222222222/us-east-1"]
    );
    assert_eq!(
        plan(&["--environment", "production", "--target-set", "pilot"]),
        [
            "111111111111/us-east-1",
            "111111111111/eu-west-1",
            "222222222222/eu-west-1"
        ]
    );
    assert_eq!(
        plan(&["--target-set", "pilot", "--accounts", "222222222222"]),
        ["222222222222/eu-west-1"]
    );
    let value = [
        "--environment",
        "production",
        "-p",
        "Value=of the flag",
        "--yes",
    ];
    env.run(&[&["deploy", "app"][..], &value].concat())
        .success();
    let cloud = env.cloud("222222222222", "eu-west-1");
    assert_eq!(cloud.parameters("app")["Value"], "of the flag");
}

#[test]
fn a_name_or_a_key_that_is_wrong_is_told_before_any_call() {
    let env = project(TestEnv::offline());
    let unknown = env.run(&["deploy", "app", "--environment", "prodution"]);
    insta::assert_snapshot!("environment_unknown", unknown.code(2).to_string());
    env.write(
        "stackgate.yaml",
        "environments:\n  production:\n    profil: x\n",
    );
    let key = env.run(&["deploy", "app"]);
    insta::assert_snapshot!("environment_key", key.code(2).to_string());
    std::fs::remove_file(env.root().join("stackgate.yaml")).unwrap();
    let none = env.run(&["deploy", "app", "--target-set", "fleet"]);
    insta::assert_snapshot!("environment_no_file", none.code(2).to_string());
}
