//! The values of parameters: where they come from, and those that are kept elsewhere.

use serde_json::Value;

use crate::support::{Emulator, TestEnv};

const ACCOUNT: &str = "111111111111";
const OTHER: &str = "222222222222";

/// What others rely on: an output, an export, nothing else.
const NETWORK: &str = r#"
Parameters:
  Name: {Type: String}
Resources:
  Topic: {Type: AWS::SNS::Topic}
Outputs:
  VpcId: {Value: !Ref Name}
  Shared: {Value: !Sub "shared-${Name}", Export: {Name: shared-name}}
"#;

const APP: &str = r#"
Parameters:
  VpcId: {Type: String}
  Shared: {Type: String}
  Image: {Type: String}
  Far: {Type: String, Default: none}
  Size: {Type: String, Default: small}
  Secret: {Type: String, NoEcho: true}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties:
      Type: String
      Value: !Join ["/", [!Ref VpcId, !Ref Shared, !Ref Image, !Ref Far, !Ref Size]]
Outputs:
  Setting: {Value: !GetAtt Setting.Value}
"#;

const OVERRIDES: &str = "\
VpcId: {StackOutput: network.VpcId}
Shared: {Export: shared-name}
Image: {SsmParameter: /images/base}
Size: medium
";

const WHERE: [&str; 2] = [
    "--accounts=111111111111,222222222222",
    "--regions=us-east-1,eu-west-1",
];

/// Returns a project whose parameters are kept by a network stack of each target.
fn project() -> TestEnv {
    let env = TestEnv::on(Emulator::LocalStack).variable("APP_SECRET", "hunter2");
    for account in [ACCOUNT, OTHER] {
        for region in ["us-east-1", "eu-west-1"] {
            let cloud = env.cloud(account, region);
            let status = cloud.create(
                "network",
                NETWORK,
                &[("Name", &format!("vpc-{account}-{region}"))],
            );
            assert_eq!(status, "CREATE_COMPLETE");
            cloud.put_parameter("/images/base", &format!("ami-{region}"));
        }
    }
    env.write("templates/app.yaml", APP);
    env.write("parameter-overrides/app.yaml", OVERRIDES);
    env.write(
        "parameter-overrides/app.eu-west-1.json",
        r#"{"Size": "large", "Far": {"StackOutput": "network.VpcId", "Region": "us-east-1"}}"#,
    );
    env
}

fn run(env: &TestEnv, command: &str, more: &[&str]) -> crate::support::output::Output {
    let base = [command, "app", "--secret=Secret=env:APP_SECRET"];
    env.run(&[&base, &WHERE[..], more].concat())
}

#[test]
fn each_target_gets_what_is_kept_in_its_own_account_and_region() {
    let env = project();
    run(&env, "deploy", &["--yes=high", "--max-concurrent=100%"]).success();
    for account in [ACCOUNT, OTHER] {
        for (region, rest) in [
            ("us-east-1", "none/medium".to_owned()),
            ("eu-west-1", format!("vpc-{account}-us-east-1/large")),
        ] {
            let vpc = format!("vpc-{account}-{region}");
            let found = env.cloud(account, region).outputs("app");
            assert_eq!(
                env.public(&found["Setting"]),
                env.public(&format!("{vpc}/shared-{vpc}/ami-{region}/{rest}"))
            );
        }
    }
    // What is kept elsewhere has changed for one target alone: only that one has anything to do.
    env.cloud(OTHER, "eu-west-1")
        .put_parameter("/images/base", "ami-new");
    let output = run(&env, "plan", &["--output=json"]);
    let document: Value = serde_json::from_str(&env.public(&output.code(3).raw)).unwrap();
    assert_eq!(document["counts"]["ready"], 1, "{document}");
    assert_eq!(document["counts"]["unchanged"], 3, "{document}");
}

#[test]
fn where_each_value_comes_from_is_shown_before_anything_is_planned() {
    let env = project();
    let output = run(&env, "parameters", &[]);
    output.success();
    insta::assert_snapshot!("parameters", env.public(&output.stdout));
    assert!(!output.stdout.contains("hunter2"), "{}", output.stdout);
    let json = run(&env, "parameters", &["--output=json"]);
    let document: Value = serde_json::from_str(&env.public(&json.success().raw)).unwrap();
    let far = &document["targets"][1];
    assert_eq!(far["target"]["region"], "eu-west-1", "{far}");
    assert_eq!(far["parameters"][4]["value"]["plain"], "large", "{far}");
    assert_eq!(
        far["parameters"][4]["overridden"][0]["value"]["plain"], "medium",
        "{far}"
    );
    assert!(!env.root().join(".stackgate").exists(), "nothing is kept");
}

#[test]
fn what_is_not_there_is_named_with_its_place() {
    let env = project();
    env.write(
        "parameter-overrides/app.eu-west-1.json",
        "{\"VpcId\": {\"StackOutput\": \"network.Vpc\"},\n\"Image\": {\"SsmParameter\": \"/images/none\"},\n\"Shared\": {\"Export\": \"nobody\"}}",
    );
    let output = run(&env, "parameters", &[]);
    output.code(1);
    insta::assert_snapshot!("parameters_missing", env.public(&output.stderr));
    // A plan counts the same targets out, and says why.
    let output = run(&env, "plan", &["--output=json"]);
    let document: Value = serde_json::from_str(&env.public(&output.code(1).raw)).unwrap();
    assert_eq!(document["counts"]["not_planned"], 2, "{document}");
    let said = document["not_planned"].to_string();
    assert!(said.contains("app.eu-west-1.json:1"), "{said}");
}

const QUEUE: &str = r#"
Parameters:
  Delay: {Type: Number}
  Size: {Type: String, Default: small}
  Token: {Type: String, NoEcho: true}
  Key: {Type: String, NoEcho: true}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Join ["/", [!Ref Delay, !Ref Size, !Ref Token, !Ref Key]]}
"#;

#[test]
fn values_that_stacks_have_are_shown_beside_those_that_they_get() {
    let env = TestEnv::on(Emulator::LocalStack)
        .variable("TOKEN", "hunter2")
        .variable("KEY", "correct-horse");
    let target = ["queue", "--accounts=111111111111", "--regions=us-east-1"];
    let run = |command: &str, more: &[&str]| env.run(&[&[command], &target[..], more].concat());
    env.write("templates/queue.yaml", QUEUE);
    let secrets = ["--secret=Token=env:TOKEN", "--secret=Key=env:KEY"];
    let first = ["--yes=high", "-p", "Delay=30", secrets[0], secrets[1]];
    run("deploy", &first).success();
    // The one is no longer called secret, the other is still; neither is given again.
    let open = QUEUE
        .replace(
            "Token: {Type: String, NoEcho: true}",
            "Token: {Type: String}",
        )
        .replace("Default: small", "Default: large");
    env.write("templates/queue.yaml", &open);
    let shown = run("parameters", &["-p", "Delay=45"]);
    insta::assert_snapshot!("parameters_of_a_stack", env.public(&shown.success().stdout));
    let planned = run("plan", &["-p", "Delay=45", "--output=json"]);
    let text = env.public(&planned.code(3).raw);
    let document: Value = serde_json::from_str(&text).unwrap();
    let all = document["review"]["common_parameters"].as_array().unwrap();
    let of = |name: &str| &all.iter().find(|one| one["name"] == name).unwrap()["values"][0];
    assert_eq!(of("Delay")["before"][0], "30", "{document}");
    assert_eq!(of("Size")["before"][0], "small", "{document}");
    assert_eq!(of("Size")["default"]["after"], "large", "{document}");
    assert_eq!(of("Token").get("before"), None, "{document}");
    assert_eq!(of("Key").get("before"), None, "{document}");
    let events = env.run(&["events", "latest", "--output=ndjson"]);
    assert!(events.stdout.contains("previous_parameters"), "{events}");
    let recorded = events.success().stdout.clone() + &shown.stdout + &text;
    for secret in ["hunter2", "correct-horse"] {
        assert!(!recorded.contains(secret), "{recorded}");
    }
}
