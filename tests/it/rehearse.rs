//! `stackgate rehearse` asks nothing of AWS and writes nothing.

use serde_json::Value;

use crate::support::TestEnv;
use crate::support::fake::{Fake, Update};
use crate::support::output::Output;
use crate::support::schema::assert_documented;

const TEMPLATE: &str = "Resources: {Queue: {Type: AWS::SQS::Queue}}\n";
const REMOVED: &str = "<member><Type>Resource</Type><ResourceChange><Action>Remove</Action><LogicalResourceId>Alerts</LogicalResourceId>\
    <PhysicalResourceId>alerts</PhysicalResourceId><ResourceType>AWS::SNS::Topic</ResourceType></ResourceChange></member>";
const FLEET: [&str; 6] = [
    "rehearse",
    "messaging",
    "--accounts",
    "111111111111,222222222222",
    "--regions",
    "us-east-1,eu-west-1",
];

/// A project, and no endpoint: a call that went out would be refused, and fail the command.
fn project() -> TestEnv {
    let env = TestEnv::offline();
    env.write("templates/messaging.yaml", TEMPLATE);
    env
}

fn rehearse(env: &TestEnv, more: &[&str]) -> Output {
    env.run(&[&FLEET[..], more].concat())
}

fn document(env: &TestEnv, arguments: &[&str]) -> Value {
    let output = env.run(&[arguments, &["--output", "json"]].concat());
    let document = serde_json::from_str(&env.public(&output.success().raw)).unwrap();
    assert_documented(&document);
    document
}

#[test]
fn a_plan_is_rehearsed_without_a_call_or_a_trace() {
    let env = project();
    let output = rehearse(&env, &["--fail", "eu-west-1=100%"]);
    output.success();
    for part in [
        "rehearsal of messaging · 4 targets · simulated: nothing was touched",
        "100% of the operations fail in eu-west-1",
        "rollout halted in eu-west-1: 1 failure exceeds the tolerance of 0",
        "Queue (AWS::SQS::Queue)",
        "111111111111/eu-west-1",
    ] {
        assert!(output.stdout.contains(part), "{part}: {output}");
    }
    // There is no such execution to look into.
    assert!(!output.stdout.contains("stackgate events"), "{output}");
    assert!(!env.root().join(".stackgate").exists());

    let arguments = [&FLEET[..], &["--fail", "30%", "--runs", "3", "--seed", "5"]].concat();
    let first = document(&env, &arguments);
    assert_eq!(first, document(&env, &arguments));
    assert_eq!(first["durations"]["from"], "assumed");
    let seeds = first["runs"].as_array().unwrap().iter();
    let seeds: Vec<u64> = seeds.map(|run| run["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds, [5, 6, 7]);
}

#[test]
fn what_cannot_be_rehearsed_is_told_with_what_to_do() {
    let env = project();
    env.write(
        "bad.yaml",
        "rules:\n  - targets: eu-west-1\n    fails: often\n",
    );
    for (arguments, expected) in [
        (
            &["--fail", "eu-west-2=30%"][..],
            "there are targets in eu-west-1, us-east-1",
        ),
        (&["--fail", "eu-west-1=often"], "`often` is no share"),
        (&["--down", "5m"], "two times such as `10m..15m`"),
        (&["--scenario", "bad.yaml"], "bad.yaml:"),
        (&["--scenario", "none.yaml"], "none.yaml"),
        (&["--execution", "latest"], "cannot be used with"),
    ] {
        let output = rehearse(&env, arguments);
        output.code(2);
        assert!(output.stderr.contains(expected), "{output}");
    }
    let output = env.run(&["rehearse", "messaging", "--regions", "us-east-1"]);
    output.code(2);
    assert!(
        output.stderr.contains("name accounts with `--accounts`"),
        "{output}"
    );
}

#[test]
fn durations_and_stacks_are_known_from_earlier_executions() {
    let update = Update {
        changes: REMOVED,
        about: "",
        template: TEMPLATE,
    };
    let fake = Fake::start(move |_| Some(update), |_| false);
    let mut env = project().variable("AWS_ENDPOINT_URL", fake.endpoint());
    let deployed = env.run(&["deploy", "messaging", "--regions", "us-east-1", "--yes"]);
    deployed.success();
    env = env.without("AWS_ENDPOINT_URL");
    let events = || env.run(&["events", "latest"]).success().stdout.clone();
    let before = events();

    let told = document(&env, &FLEET);
    assert_eq!(told["durations"]["from"], "journal");
    assert_eq!(told["durations"]["executions"], 1);
    assert_eq!(
        (&told["targets"], &told["standing"]),
        (&4.into(), &1.into())
    );

    let recorded = document(&env, &["rehearse", "--execution", "latest"]);
    assert_eq!(
        (&recorded["targets"], &recorded["standing"]),
        (&1.into(), &1.into())
    );
    assert!(recorded["execution"].is_string());
    assert_eq!(recorded["typical"]["result"]["execution"], Value::Null);
    assert_eq!(events(), before);
}
