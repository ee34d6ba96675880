//! `stackgate diff`: two files without a call, and a template beside what is deployed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::output::Output;
use crate::support::proxy::{Error, Fault, Proxy, Rule};
use crate::support::schema::assert_documented;
use crate::support::{Emulator, TestEnv};

const BEFORE: &str = "Parameters:
  Stage: {Type: String, Default: test}
  Password: {Type: String, NoEcho: true, Default: hunter2}
Conditions:
  IsProduction: !Equals [!Ref Stage, production]
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 30
  Extra:
    Type: AWS::SQS::Queue
    Condition: IsProduction
    Properties: {DelaySeconds: 1}
";

/// The same in JSON, with a longer timeout, another delay where it is needed, and another secret.
fn after() -> String {
    let template = serde_json::json!({
        "Resources": {
            "Extra": {"Type": "AWS::SQS::Queue", "Condition": "IsProduction", "Properties": {"DelaySeconds": "2"}},
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": "60"}},
        },
        "Conditions": {"IsProduction": {"Fn::Equals": [{"Ref": "Stage"}, "production"]}},
        "Parameters": {
            "Stage": {"Type": "String", "Default": "test"},
            "Password": {"Type": "String", "NoEcho": "true", "Default": "hunter3"},
        },
    });
    serde_json::to_string_pretty(&template).unwrap()
}

fn files() -> TestEnv {
    let env = TestEnv::offline();
    env.write("old/app.yaml", BEFORE);
    env.write("templates/app.json", &after());
    env
}

fn document(output: &Output) -> Value {
    let document: Value = serde_json::from_str(&output.raw).unwrap();
    assert_documented(&document);
    document
}

/// Returns the name of every entry of a section, and its values by their paths.
fn named(group: &Value, section: &str) -> BTreeMap<String, BTreeSet<String>> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entries = group["entries"].as_array().unwrap().iter();
    let entries = entries.filter(|entry| entry["section"] == section);
    let entry = |entry: &Value| {
        let values = entry["values"].as_array().unwrap().iter();
        let changed = values.map(|value| {
            let side = |side: &str| value[side]["text"].as_str().unwrap_or("-");
            let (before, after) = (side("before"), side("after"));
            format!("{} {before} -> {after}", text(&value["path"]))
        });
        // What is new or gone as a whole is named by itself.
        let is_changed = entry["change"] == "changed";
        (
            text(&entry["name"]),
            changed.filter(|_| is_changed).collect(),
        )
    };
    entries.map(entry).collect()
}

#[test]
fn two_files_are_compared_in_every_form() {
    let env = files();
    let run = |more: &[&str]| env.run(&[&["diff", "old/app.yaml", "app"], more].concat());
    insta::assert_snapshot!("diff_files", run(&[]).success().to_string());
    insta::assert_snapshot!(
        "diff_files_markdown",
        run(&["--output=markdown"]).success().to_string()
    );
    insta::assert_snapshot!("diff_files_raw", run(&["--raw"]).success().to_string());
    for form in ["--output=json", "--output=ndjson"] {
        let output = run(&[form, "--exit-code"]);
        let found = document(output.code(3));
        let resources = named(&found["groups"][0], "Resources");
        assert_eq!(
            resources.keys().collect::<Vec<_>>(),
            ["Extra", "Queue"],
            "{found}"
        );
        assert!(!output.raw.contains("hunter"), "{found}");
    }
    let page = run(&["--output=html"]);
    assert!(page.success().raw.contains("<!doctype html>"), "{page}");
    run(&["--raw", "--output=json"]).code(2);
    run(&["--raw", "--exit-code"]).code(3);
    env.run(&["diff", "app", "templates/app.json", "--exit-code"])
        .success();
    assert!(!env.root().join(".stackgate").exists(), "nothing is kept");
}

#[test]
fn what_does_not_exist_at_a_place_is_gone() {
    let env = files();
    env.write(
        "parameter-overrides/app.json",
        "{\"Parameters\": {\"Stage\": \"test\"}}",
    );
    let resources = |more: &[&str]| {
        let fixed = ["diff", "old/app.yaml", "app", "--output=json"];
        let output = env.run(&[&fixed, more].concat());
        let found = document(output.success());
        let resources = named(&found["groups"][0], "Resources").into_keys();
        resources.collect::<Vec<_>>()
    };
    assert_eq!(resources(&[]), ["Extra", "Queue"]);
    let at = ["--at", "111111111111/eu-west-1"];
    assert_eq!(resources(&at), ["Queue"]);
    let production = [&at[..], &["-p", "Stage=production"]].concat();
    assert_eq!(resources(&production), ["Extra", "Queue"]);
}

#[test]
fn a_secret_is_not_put_where_it_would_be_shown() {
    let template = |value: &str, other: &str| {
        format!(
            "Parameters:
  Password: {{Type: String, NoEcho: true}}
Conditions:
  Never: !Equals [a, b]
  IsOther: !Equals [!Ref Password, {other}]
Resources:
  R:
    Type: Custom::R
    Properties:
      List: [!If [Never, {{V: a}}, !Ref 'AWS::NoValue'], {{V: {value}}}]
"
        )
    };
    let env = TestEnv::offline();
    env.write("old/app.yaml", &template("!Ref Password", "x"));
    env.write("new/app.yaml", &template("!Sub 'new-${Password}'", "y"));
    let files = ["diff", "old/app.yaml", "new/app.yaml"];
    let given = ["--parameter", "Password=hunter2", "--output=json"];
    let diff = env.run(&[&files[..], &given].concat());
    let output = diff.success();
    assert!(!output.raw.contains("hunter2"), "{}", output.raw);
    assert!(output.raw.contains("List"), "{}", output.raw);
}

#[test]
fn what_cannot_be_compared_is_wrong_usage() {
    let env = files();
    env.write("broken.yaml", "Resources: [");
    let said = |arguments: &[&str]| {
        let output = env.run(&[&["diff"], arguments].concat());
        output.code(2).to_string()
    };
    let all = [
        said(&["old/app.yaml"]),
        said(&["nope.yaml", "old/app.yaml"]),
        said(&["old/app.yaml", "broken.yaml"]),
        said(&["old/app.yaml", "nope"]),
        said(&["app", "--at", "111111111111/eu-west-1"]),
        said(&["old/app.yaml", "app", "--accounts", "111111111111"]),
    ];
    insta::assert_snapshot!("diff_wrong", all.join("\n\n"));
}

/// What is deployed first.
const DEPLOYED: &str = "Parameters:
  Timeout: {Type: Number, Default: 30}
  Kept: {Type: String, Default: one}
  Password: {Type: String, NoEcho: true}
Conditions:
  IsFar: !Equals [!Ref AWS::Region, eu-central-1]
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {VisibilityTimeout: !Ref Timeout, DelaySeconds: 1}
  Old: {Type: AWS::SNS::Topic}
  Far: {Type: AWS::SNS::Topic, Condition: IsFar}
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Sub '${Kept} in ${AWS::Region}'}
";

/// Returns a project whose template is deployed to two regions, and has changed since.
fn project() -> TestEnv {
    let env = TestEnv::on(Emulator::LocalStack).variable("PASSWORD", "hunter2");
    for region in ["us-east-1", "eu-west-1"] {
        let cloud = env.cloud("111111111111", region);
        let values = [("Password", "hunter2")];
        assert_eq!(cloud.create("app", DEPLOYED, &values), "CREATE_COMPLETE");
    }
    let changed = DEPLOYED
        .replace("Default: one", "Default: two")
        .replace("DelaySeconds: 1", "DelaySeconds: 2")
        .replace("Old: {", "# Comment\n  New: {DependsOn: Queue, ")
        .replace("IsFar}", "IsFar, Properties: {DisplayName: far}}")
        .replace("${Kept} in", "${Kept} now in");
    env.write("templates/app.yaml", &changed);
    env.write("parameter-overrides/app.json", "{\"Timeout\": \"60\"}");
    env
}

fn run(env: &TestEnv, command: &str, regions: &str, more: &[&str]) -> Output {
    let regions = format!("--regions={regions}");
    let base = [command, "app", "--secret=Password=env:PASSWORD", &regions];
    env.run(&[&base, more].concat())
}

#[test]
fn diff_and_review_agree() {
    let env = project();
    let regions = "us-east-1,eu-west-1";
    let output = run(&env, "diff", regions, &["--output=json", "--exit-code"]);
    let found = document(output.code(3));
    assert!(!output.raw.contains("hunter"), "{found}");
    let groups = found["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{found:#}");
    assert_eq!(groups[0]["targets"].as_array().unwrap().len(), 2);
    assert!(!env.root().join(".stackgate").exists(), "nothing is kept");

    let planned = run(&env, "plan", regions, &["--output=json"]);
    let planned: Value = serde_json::from_str(&planned.code(3).raw).unwrap();
    let reviewed = planned["review"]["groups"].as_array().unwrap();
    assert_eq!(reviewed.len(), 1, "{planned:#}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let properties = |resource: &Value| {
        let properties = resource["properties"].as_array().unwrap().iter();
        let changed = properties.map(|one| {
            let side = |side: &str| one[side].as_str().unwrap_or("-");
            let (before, after) = (side("before"), side("after"));
            format!("{} {before} -> {after}", text(&one["path"]))
        });
        let is_changed = resource["action"] == "Modify";
        (
            text(&resource["logical_id"]),
            changed.filter(|_| is_changed).collect(),
        )
    };
    let resources = reviewed[0]["resources"].as_array().unwrap().iter();
    let reviewed: BTreeMap<String, BTreeSet<String>> = resources.map(properties).collect();
    assert_eq!(named(&groups[0], "Resources"), reviewed, "{found:#}");
    let queue = &reviewed["Queue"];
    assert_eq!(
        queue.iter().collect::<Vec<_>>(),
        ["DelaySeconds 1 -> 2", "VisibilityTimeout 30 -> 60"]
    );
}

#[test]
fn a_document_that_is_written_otherwise_is_an_update_to_both() {
    let env = TestEnv::on(Emulator::LocalStack);
    let template = |document: &str| {
        format!(
            "Resources:\n  Setting:\n    Type: AWS::SSM::Parameter\n    Properties: {{Type: String, Value: '{document}'}}\n"
        )
    };
    let cloud = env.cloud("111111111111", "us-east-1");
    let deployed = template("{\"a\": 1, \"b\": [2]}");
    assert_eq!(cloud.create("app", &deployed, &[]), "CREATE_COMPLETE");
    env.write("templates/app.yaml", &template("{\"b\":[2],\"a\":1}"));
    let output = env.run(&["diff", "app", "--exit-code", "--output=json"]);
    let found = document(output.code(3));
    let value = &found["groups"][0]["entries"][0]["values"][0];
    assert_eq!(value["change"], "written_otherwise", "{found:#}");
    assert_eq!(value["after"]["line"], 4, "{found:#}");
    let planned = env.run(&["plan", "app", "--output=json"]);
    let planned: Value = serde_json::from_str(&planned.code(3).raw).unwrap();
    let group = &planned["review"]["groups"][0];
    assert_eq!(group["resources"][0]["action"], "Modify", "{planned:#}");
    assert_eq!(
        group["resources"][0]["properties"][0]["path"], "Value",
        "{planned:#}"
    );
    assert_eq!(group["impact"]["undescribed"], Value::Null, "{planned:#}");
    // As it is deployed, neither sees anything.
    env.write("templates/app.yaml", &deployed);
    env.run(&["diff", "app", "--exit-code"]).success();
    env.run(&["plan", "app"]).success();
}

#[test]
fn a_template_is_compared_with_what_is_deployed() {
    let env = project();
    // There is none in the third region, and the fourth one does not answer.
    let proxy = Proxy::start(&env.endpoint());
    let place = env.private("111111111111/ap-south-1");
    let denied = Rule::new(Fault::Answer(Error::ACCESS_DENIED));
    proxy.disturb(denied.operation("DescribeStacks").place(&place));
    let env = env.through(&proxy);
    let regions = "us-east-1,eu-west-1,eu-central-1";
    let output = run(&env, "diff", regions, &[]);
    insta::assert_snapshot!("diff_stack", env.public(&output.success().to_string()));
    let all = format!("{regions},ap-south-1");
    let output = run(&env, "diff", &all, &["--exit-code", "--output=json"]);
    let found = document(output.code(1));
    assert_eq!(found["not_compared"][0]["target"]["region"], "ap-south-1");
    assert_eq!(found["new_stacks"][0]["region"], "eu-central-1");
    let parameters = found["groups"][0]["parameters"].as_array().unwrap();
    let changes: Vec<_> = parameters
        .iter()
        .map(|p| (p["name"].as_str(), p["change"].as_str()))
        .collect();
    let wanted = [
        ("Timeout", "changed"),
        ("Kept", "kept"),
        ("Password", "unknown"),
    ];
    assert_eq!(changes, wanted.map(|(a, b)| (Some(a), Some(b))), "{found}");
    let output = run(&env, "diff", "us-east-1", &["--raw"]);
    insta::assert_snapshot!("diff_stack_raw", env.public(&output.success().to_string()));
    // It reads, and nothing else.
    assert_eq!(proxy.mutations(), BTreeMap::new());
}
