//! `stackgate validate`, as a person and as a job would call it.

use serde_json::Value;

use crate::support::TestEnv;
use crate::support::schema::assert_documented;

const BROKEN: &str = "Parameters:
  Visibility: {Type: Number, Default: soon}
  Unused: {Type: String}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {VisibilityTimeout: !Ref Visiblity}
";

#[test]
fn one_file_that_cannot_be_read_does_not_hide_the_others() {
    let env = TestEnv::offline();
    env.write(
        "templates/a.yaml",
        "Resources: {A: {Type: AWS::SNS::Topic}}\n",
    );
    env.write("templates/c.yaml", "Resources: {C: {Type: Topic}}\n");
    // Whoever runs as root reads everything, but no link into a circle.
    let circle = env.root().join("templates/b.yaml");
    std::os::unix::fs::symlink("b.yaml", &circle).unwrap();
    let found = env.run(&["validate"]);
    let said = &found.code(1).stdout;
    for part in [
        "✓ templates/a.yaml",
        "error[unreadable]",
        "✗ templates/b.yaml",
        "✗ templates/c.yaml",
    ] {
        assert!(said.contains(part), "{part}: {found}");
    }
    let found = env.run(&["validate", "--output", "json"]);
    let document = serde_json::from_str(&found.code(1).raw).unwrap();
    assert_documented(&document);
    // Who names it has named the wrong one.
    env.run(&["validate", "b", "c"]).code(2);
}

#[test]
fn the_samples_are_in_order_and_nothing_is_left_behind() {
    let env = TestEnv::offline().samples();
    let found = env.run(&["validate"]);
    insta::assert_snapshot!("validate_samples", found.success().to_string());
    assert!(!env.root().join(".stackgate").exists());
    env.run(&["validate", "messaging", "--strict"]).success();
}

#[test]
fn what_is_wrong_is_shown_where_it_is() {
    let env = TestEnv::offline().samples();
    env.write("templates/app.yaml", BROKEN);
    let found = env.run(&["validate", "app", "templates/storage.yaml"]);
    insta::assert_snapshot!("validate_broken", found.code(1).to_string());
    for form in ["json", "ndjson"] {
        let found = env.run(&["validate", "app", "--output", form]);
        let document: Value = serde_json::from_str(&found.code(1).raw).unwrap();
        assert_documented(&document);
        assert_eq!(document["valid"], false);
        assert_eq!(document["templates"][0]["errors"], 2);
        let place = &document["templates"][0]["diagnostics"][3];
        assert_eq!(place["code"], "unknown-name");
        assert_eq!((&place["line"], &place["column"]), (&7.into(), &42.into()));
    }
}

#[test]
fn warnings_fail_only_who_asks_for_it() {
    let env = TestEnv::offline();
    let text = "Parameters: {Unused: {Type: String}}\nResources: {A: {Type: AWS::SQS::Queue}}\n";
    env.write("templates/app.yaml", text);
    env.run(&["validate", "app"]).success();
    env.run(&["validate", "app", "--strict"]).code(1);
}

#[test]
fn what_is_not_there_is_wrong_usage() {
    let env = TestEnv::offline();
    let found = env.run(&["validate"]);
    insta::assert_snapshot!("validate_nothing", found.code(2).to_string());
    env.run(&["validate", "nope"]).code(2);
    env.run(&["validate", "nope/nope.yaml"]).code(2);
}

#[test]
fn what_is_missing_at_one_place_is_found_for_it() {
    let env = TestEnv::offline();
    let text = "Parameters: {Stage: {Type: String}}
Mappings: {Sizes: {production: {Size: 3}}}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {DelaySeconds: !FindInMap [Sizes, !Ref Stage, Size]}
";
    env.write("templates/app.yaml", text);
    let stage = |stage: &str| format!("{{\"Parameters\": {{\"Stage\": \"{stage}\"}}}}");
    env.write("parameter-overrides/app.json", &stage("production"));
    env.write("parameter-overrides/app.eu-west-1.json", &stage("test"));
    env.run(&["validate", "app"]).success();
    env.run(&["validate", "app", "--at", "111111111111/us-east-1"])
        .success();
    let found = env.run(&["validate", "app", "--at", "111111111111/eu-west-1"]);
    insta::assert_snapshot!("validate_at", found.code(1).to_string());
    env.run(&["validate", "app", "--at", "eu-west-1"]).code(2);
}
