//! Waves through the binary: a canary, what is asked after it, and what an answer does.

use serde_json::Value;

use crate::support::{Emulator, TestEnv};

const SETTINGS: &str = r#"
targetSets:
  fleet:
    accounts: ["111111111111", "222222222222"]
    regions: [us-east-1, eu-west-1]
    waves:
      - {name: canary, accounts: ["222222222222"], regions: [eu-west-1], approval: true}
      - name: others
"#;

const TEMPLATE: &str = r#"
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: /settings/wave, Type: String, Value: one}
"#;

fn deployed_canary() -> TestEnv {
    let env = TestEnv::on(Emulator::LocalStack);
    env.write("stackgate.yaml", SETTINGS);
    env.write("templates/app.yaml", TEMPLATE);
    let output = env.run(&["deploy", "app", "--target-set", "fleet", "--yes"]);
    output.code(3);
    let review = output.to_string();
    let review = review.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "wave 1 canary · 1 target · eu-west-1 · the first failure stops the rollout · then approval",
        "wave 2 others · 3 targets · us-east-1, then eu-west-1 · 1 target at a time",
        // Whoever is asked about the rest is told how it went.
        "what comes after wave canary waits for approval",
        "wave canary: 1 of 1 succeeded in ",
        "next: wave others, 3 targets in 2 regions",
    ] {
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(review.contains(&told), "no `{told}`: {review}");
    }
    assert!(
        review.contains("`--yes` approves the plan only"),
        "{review}"
    );
    env
}

fn status(env: &TestEnv) -> Value {
    let output = env.run(&["status", "latest", "--output", "json"]);
    serde_json::from_str(&env.public(&output.success().raw)).unwrap()
}

fn stacks(env: &TestEnv) -> Vec<Option<String>> {
    let places = [
        ("222222222222", "eu-west-1"),
        ("111111111111", "us-east-1"),
        ("111111111111", "eu-west-1"),
        ("222222222222", "us-east-1"),
    ];
    places
        .map(|(account, region)| env.cloud(account, region).status("app"))
        .to_vec()
}

#[test]
fn the_rest_waits_for_an_answer_about_the_canary() {
    let env = deployed_canary();
    let created = Some("CREATE_COMPLETE".to_owned());
    let waiting = stacks(&env);
    assert_eq!(waiting[0], created);
    assert!(!waiting[1..].contains(&created), "{waiting:?}");

    let plan = status(&env)["approval"]["plan"]
        .as_str()
        .unwrap()
        .to_owned();
    // Who looked at the plan only has not looked at the canary.
    let refused = env.run(&["approve", "latest", "--plan", &plan]);
    refused.code(2);
    assert!(refused.stderr.contains("--wave canary"), "{refused}");
    let other = env.run(&["approve", "latest", "--plan", &plan, "--wave", "others"]);
    other.code(2);
    assert!(
        other.stderr.contains("wave others waits for no answer"),
        "{other}"
    );
    env.run(&["approve", "latest", "--plan", &plan, "--wave", "canary"])
        .success();
    assert_eq!(stacks(&env), vec![created; 4]);
    let events = env.run(&["events", "latest"]);
    let told = events.success().stdout.clone();
    assert!(
        told.contains("what comes after wave canary approved"),
        "{told}"
    );
    assert!(told.contains("wave canary: approval passed"), "{told}");
}

#[test]
fn a_canary_that_is_rejected_is_the_only_one_deployed() {
    let env = deployed_canary();
    let output = env.run(&["reject", "latest", "-m", "the canary is ill"]);
    // Not 4, as for a plan of which nothing was executed.
    output.code(1);
    let told = output.to_string();
    assert!(
        told.contains("wave canary: approval was not passed: rejected by"),
        "{told}"
    );
    assert!(told.contains("the canary is ill"), "{told}");
    let after = stacks(&env);
    assert_eq!(after[0].as_deref(), Some("CREATE_COMPLETE"));
    // The empty stacks of the change sets went with them.
    assert_eq!(after[1..], [None, None, None]);
    let told = status(&env);
    assert_eq!(told["waves"][0]["counts"]["succeeded"], 1);
    assert_eq!(told["waves"][0]["gates"][0]["state"], "not_passed");
    let markdown = env.run(&["status", "latest", "--output", "markdown"]);
    let markdown = markdown.success().stdout.clone();
    assert!(markdown.contains("stackgate retry "), "{markdown}");
    let skipped = told["targets"].to_string().matches("gate_closed").count();
    assert_eq!(skipped, 3);
}

#[test]
fn a_rollback_takes_the_last_wave_first_and_passes_no_gates() {
    let env = deployed_canary();
    let approve = |wave: &[&str]| {
        let plan = status(&env)["approval"]["plan"].clone();
        let plan = plan.as_str().unwrap();
        let approve = ["approve", "latest", "--plan", plan];
        env.run(&[&approve[..], wave].concat())
    };
    approve(&["--wave", "canary"]).success();
    env.write(
        "templates/app.yaml",
        &TEMPLATE.replace("Value: one", "Value: two"),
    );
    let deploy = ["deploy", "app", "--target-set", "fleet", "--yes"];
    env.run(&deploy).code(3);
    approve(&["--wave", "canary"]).success();

    let planned = env.run(&["rollback", "latest", "--detach"]);
    planned.code(3);
    let review = planned.to_string();
    assert!(review.contains("wave 1 others · 3 targets"), "{review}");
    assert!(
        review.contains("wave 2 canary · 1 target · eu-west-1"),
        "{review}"
    );
    assert!(review.contains("goes wave by wave"), "{review}");
    approve(&[]).success();
    let events = env.run(&["events", "latest", "--output", "ndjson"]);
    let events: Vec<Value> = events
        .raw
        .lines()
        .map(|line| serde_json::from_str(&env.public(line)).unwrap())
        .collect();
    let is_execution = |event: &&Value| event["event"] == "execute_intended";
    let order: Vec<String> = events
        .iter()
        .filter(is_execution)
        .map(|event| {
            event["scope"]["target"]["account"].to_string()
                + &event["scope"]["target"]["region"].to_string()
        })
        .collect();
    assert_eq!(order.len(), 4);
    assert_eq!(order[3], "\"222222222222\"\"eu-west-1\"");
    for (account, region) in [("222222222222", "eu-west-1"), ("111111111111", "us-east-1")] {
        let value = env.cloud(account, region).parameter("/settings/wave");
        assert_eq!(value.as_deref(), Some("one"));
    }
}
