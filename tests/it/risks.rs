//! What `stackgate.yaml` makes of risk rules, from the plan to the answer.

use serde_json::Value;

use crate::support::TestEnv;
use crate::support::fake::{Fake, Update};
use crate::support::schema::assert_documented;

const TEMPLATE: &str = "Resources: {Queue: {Type: AWS::SQS::Queue}}\n";

/// A topic goes: `removal`, which is of medium risk by itself.
const REMOVED: &str = "<member><Type>Resource</Type><ResourceChange><Action>Remove</Action><LogicalResourceId>Alerts</LogicalResourceId>\
    <PhysicalResourceId>alerts</PhysicalResourceId><ResourceType>AWS::SNS::Topic</ResourceType></ResourceChange></member>";

/// A table goes, with its data: `stateful_removal`, which is of high risk by itself.
const LOST: &str = "<member><Type>Resource</Type><ResourceChange><Action>Remove</Action><LogicalResourceId>Orders</LogicalResourceId>\
    <PhysicalResourceId>orders</PhysicalResourceId><ResourceType>AWS::DynamoDB::Table</ResourceType></ResourceChange></member>";

fn project(changes: &'static str, settings: &str) -> TestEnv {
    let template = "Resources: {Queue: {Type: AWS::SQS::Queue}, Alerts: {Type: AWS::SNS::Topic}, Orders: {Type: AWS::DynamoDB::Table}}";
    let update = Update {
        changes,
        about: "",
        template,
    };
    let fake = Fake::start(move |_| Some(update), |_| false);
    let env = TestEnv::offline().variable("AWS_ENDPOINT_URL", fake.endpoint());
    env.write("templates/messaging.yaml", TEMPLATE);
    env.write("stackgate.yaml", settings);
    env
}

fn deploy(env: &TestEnv, more: &[&str]) -> crate::support::output::Output {
    env.run(&[&["deploy", "messaging", "--regions", "us-east-1"], more].concat())
}

fn waiting(env: &TestEnv) -> Value {
    let status = env.run(&["status", "--output", "json"]);
    serde_json::from_str(&env.public(&status.success().raw)).unwrap()
}

#[test]
fn a_rule_that_needs_approval_stops_yes_as_high_risk_does() {
    let env = project(REMOVED, "");
    deploy(&env, &["--yes"]).success();

    let env = project(REMOVED, "risks:\n  removal: approval\n");
    let stopped = deploy(&env, &["--yes"]);
    stopped.code(3);
    assert!(stopped.stderr.contains("the risk is high"), "{stopped}");
    assert!(
        stopped
            .stdout
            .contains("needs approval, by stackgate.yaml:2:12"),
        "{stopped}"
    );
    // What was recorded holds, whatever the file says now.
    env.write("stackgate.yaml", "risks:\n  removal: off\n");
    let status = waiting(&env);
    let chosen = &status["review"]["risks"][0]["chosen"];
    assert_eq!(chosen["setting"], "approval");
    env.write("stackgate.yaml", "risks:\n  removal: approval\n");
    deploy(&env, &["--yes=high"]).success();
}

#[test]
fn a_rule_that_only_warns_or_is_off_stops_nothing() {
    for (setting, word) in [("warn", "stops nothing"), ("off", "not judged")] {
        let env = project(LOST, "");
        deploy(&env, &["--yes"]).code(3);
        let env = project(LOST, &format!("risks: {{stateful_removal: {setting}}}\n"));
        let done = deploy(&env, &["--yes=low"]);
        done.success();
        let told = format!("{word}, by stackgate.yaml:1:27");
        assert!(done.stdout.contains(&told), "{done}");
    }
}

#[test]
fn what_is_denied_cannot_be_approved() {
    let settings =
        "risks: {removal: warn}\nenvironments:\n  production:\n    risks:\n      removal: deny\n";
    let env = project(REMOVED, settings);
    deploy(&env, &["--yes"]).success();
    let production = ["--environment", "production"];
    for flags in [&["--yes=high"][..], &["--yes"], &["--detach"]] {
        let refused = deploy(&env, &[&production, flags].concat());
        refused.code(1);
        let why = "stackgate.yaml:5:16 denies `removal`: Alerts: deleted";
        assert!(refused.stderr.contains(why), "{refused}");
        assert!(!refused.stdout.contains("stackgate approve"), "{refused}");
    }

    // Nobody can approve it from elsewhere either, and the file of today changes nothing.
    env.write("stackgate.yaml", "risks: {removal: off}\n");
    let status = waiting(&env);
    let plan = status["review"]["plan"].as_str().unwrap().to_owned();
    let next: Vec<&str> = status["next"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(next.len(), 1, "{next:?}");
    assert!(next[0].starts_with("stackgate reject "), "{next:?}");
    assert_documented(&status);
    assert_eq!(status["state"], "denied");
    let why = "stackgate.yaml:5:16 denies `removal`: Alerts: deleted";
    let told = status["approval"]["denied"][0].as_str().unwrap();
    assert!(told.starts_with(why), "{told}");
    let text = env.run(&["status"]);
    let title = text.success().stdout.lines();
    let title = title.into_iter().find(|l| l.starts_with("execution "));
    assert!(title.unwrap().ends_with(" · denied"), "{text}");
    assert!(!text.stdout.contains("waiting for"), "{text}");
    // So is it listed, with why and what to do.
    let listed = env.run(&["list", "--output", "json"]);
    let json: Value = serde_json::from_str(&env.public(&listed.success().raw)).unwrap();
    assert_documented(&json);
    let entry = &json["executions"][0];
    assert_eq!(
        (&entry["state"], &entry["denied"][0]),
        (&"denied".into(), &told.into())
    );
    let listed = env.run(&["list"]);
    assert!(listed.success().stdout.contains("  denied "), "{listed}");
    assert!(listed.stdout.contains(why), "{listed}");
    assert!(listed.stdout.contains("stackgate reject "), "{listed}");
    let refused = env.run(&["approve", "latest", "--plan", &plan]);
    refused.code(1);
    assert!(refused.stderr.contains("cannot be approved"), "{refused}");
    env.run(&["resume", "latest"]).code(1);
    env.run(&["reject", "latest"]).code(4);
}

#[test]
fn what_is_denied_leaves_in_no_file() {
    let env = project(REMOVED, "risks: {removal: deny}\n");
    let plan = [
        "plan",
        "messaging",
        "--regions",
        "us-east-1",
        "--out",
        "denied.plan",
    ];
    let refused = env.run(&plan);
    refused.code(1);
    assert!(!env.root().join("denied.plan").exists(), "{refused}");

    // What needs approval here needs it where the file is run, without the project's settings.
    env.write("stackgate.yaml", "risks: {removal: approval}\n");
    env.run(&plan).code(3);
    std::fs::remove_file(env.root().join("stackgate.yaml")).unwrap();
    let stopped = env.run(&[
        "deploy",
        "--plan",
        "denied.plan",
        "--yes",
        "--state",
        "elsewhere",
    ]);
    stopped.code(3);
    assert!(stopped.stderr.contains("the risk is high"), "{stopped}");
    env.run(&[
        "deploy",
        "--plan",
        "denied.plan",
        "--yes=high",
        "--state",
        "elsewhere",
    ])
    .success();
}

#[test]
fn a_plan_in_a_file_is_judged_by_the_project_that_runs_it_too() {
    let make = "risks: {removal: warn}\nenvironments: {production: {}}\n";
    let env = project(REMOVED, make);
    let made = [
        &["plan", "messaging", "--regions", "us-east-1"][..],
        &["--environment", "production", "--out", "a.plan"],
    ];
    env.run(&made.concat()).code(3);
    let take = |settings: &str, state: &str, more: &[&str]| {
        env.write("stackgate.yaml", settings);
        let run = ["deploy", "--plan", "a.plan", "--state", state];
        env.run(&[&run[..], more].concat())
    };
    // Its own environment decides, where the project has it.
    let strict =
        "risks: {removal: off}\nenvironments:\n  production:\n    risks: {removal: deny}\n";
    let refused = take(strict, "denies", &["--yes=high"]);
    refused.code(1);
    let why = "stackgate.yaml:4:22 of this project denies `removal`: Alerts: deleted";
    assert!(refused.stderr.contains(why), "{refused}");
    // What was recorded as it was taken over holds, whatever the file says now.
    let again = take("", "denies", &["--yes=high"]);
    again.code(1);
    assert!(again.stderr.contains(why), "{again}");
    let approved = env.run(&["approve", "latest", "--state", "denies"]);
    assert!(approved.code(1).stderr.contains(why), "{approved}");
    let listed = env.run(&["list", "--state", "denies"]);
    assert!(listed.success().stdout.contains(why), "{listed}");

    let other = "risks: {removal: approval}\n";
    let stopped = take(other, "approval", &["--yes"]);
    let told = "needs approval, by stackgate.yaml:1:18 of this project";
    assert!(stopped.code(3).stdout.contains(told), "{stopped}");
    // A weaker setting changes nothing.
    let done = take("risks: {removal: off}\n", "weaker", &["--yes"]);
    let told = "stops nothing, by stackgate.yaml:1:18 of the plan";
    assert!(done.success().stdout.contains(told), "{done}");
    // A file that cannot be read decides before anything is taken over.
    let broken = take("risks: {removal: never}\n", "broken", &["--yes"]);
    assert!(broken.code(2).stderr.contains("`never`"), "{broken}");
    let listed = env.run(&["list", "--state", "broken", "--output", "json"]);
    assert!(!listed.raw.contains("\"execution\""), "{listed}");
}

#[test]
fn rules_are_listed_with_what_is_made_of_them() {
    let env = project(
        REMOVED,
        "risks: {removal: deny}\nenvironments:\n  dev: {risks: {removal: off}}\n",
    );
    let listed = |more: &[&str]| {
        let listed = env.run(&[&["risks", "--output", "json"], more].concat());
        let json: Value = serde_json::from_str(&listed.success().raw).unwrap();
        assert_documented(&json);
        let mut rules = json["rules"].as_array().unwrap().iter();
        rules.find(|rule| rule["rule"] == "removal").unwrap()["chosen"].clone()
    };
    assert_eq!(listed(&[])["place"], "stackgate.yaml:1:18");
    assert_eq!(listed(&["--environment", "dev"])["setting"], "off");
    let text = env.run(&["risks"]);
    assert!(
        text.success().stdout.contains("deny: cannot be approved"),
        "{text}"
    );
    let wrong = env.run(&["risks", "--environment", "prod"]);
    wrong.code(2);
    env.write("stackgate.yaml", "risks: {stateful-removal: deny}\n");
    let wrong = env.run(&["risks"]);
    wrong.code(2);
    assert!(
        wrong.stderr.contains("did you mean `stateful_removal`?"),
        "{wrong}"
    );
}
