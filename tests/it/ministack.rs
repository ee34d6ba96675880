//! What fails, rolls back, waits and is stopped, on the emulator that does these as AWS does.

use serde_json::{Value, json};

use crate::support::output::Output;
use crate::support::process::Process;
use crate::support::proxy::Proxy;
use crate::support::{Emulator, TestEnv, WAITING};

const SETTING: &str = r#"
Parameters:
  Name: {Type: String}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: !Ref Name, Type: String, Value: ours}
  Dependent:
    Type: AWS::SNS::Topic
    Properties: {DisplayName: !Ref Setting}
"#;

const HERE: &str = "us-east-1";

/// Returns a place with a template that makes a parameter of a given name.
fn settings() -> TestEnv {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", SETTING);
    env
}

/// Returns a place with a template that waits for a signal.
pub fn waiting() -> TestEnv {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", WAITING);
    env
}

/// Deploys without asking, with one document at the end.
fn deploy(env: &TestEnv, more: &[&str]) -> Output {
    env.run(&[&["deploy", "app", "--yes=high", "--output=json"], more].concat())
}

fn document(env: &TestEnv, output: &Output) -> Value {
    serde_json::from_str(&env.public(&output.raw)).unwrap()
}

fn status(env: &TestEnv) -> Value {
    let output = env.run(&["status", "latest", "--output=json"]);
    document(env, output.success())
}

/// Returns the accounts of a list of targets.
fn accounts(targets: &Value) -> Vec<&str> {
    let targets = targets.as_array().unwrap().iter();
    targets
        .map(|target| target["account"].as_str().unwrap())
        .collect()
}

/// Checks that a setting is to blame, and that something was said about it.
fn blames_the_setting(cause: &Value) {
    assert_eq!(
        cause["resource"],
        json!(["Setting", "AWS::SSM::Parameter"]),
        "{cause}"
    );
    assert_ne!(cause["reason"].as_str().unwrap(), "");
}

#[test]
fn a_creation_that_fails_is_rolled_back_and_its_root_cause_named() {
    let env = settings();
    let cloud = env.cloud("111111111111", HERE);
    cloud.put_parameter("/taken", "theirs");
    let output = deploy(&env, &["--parameter=Name=/taken"]);
    output.code(1);
    assert_eq!(cloud.status("app").as_deref(), Some("ROLLBACK_COMPLETE"));
    assert_eq!(cloud.parameter("/taken").as_deref(), Some("theirs"));
    let summary = document(&env, &output);
    assert_eq!(summary["outcome"], "failed");
    blames_the_setting(&summary["failed"][0]["cause"]);
    let outcome = &status(&env)["targets"][0]["outcome"]["failed"];
    assert_eq!(outcome["status"], "ROLLBACK_COMPLETE");
    blames_the_setting(&outcome["cause"]);

    // What is left takes no change set: the next run says so, and what to do.
    let output = deploy(&env, &["--parameter=Name=/free"]);
    output.code(1);
    let summary = document(&env, &output);
    let reason = summary["not_planned"][0]["cause"]["reason"].as_str();
    let reason = reason.unwrap();
    assert!(
        reason.contains("ROLLBACK_COMPLETE") && reason.contains("delete it with `"),
        "{reason}"
    );
    cloud.delete("app");
    deploy(&env, &["--parameter=Name=/free"]).success();
    assert_eq!(cloud.parameter("/free").as_deref(), Some("ours"));
}

#[test]
fn an_update_that_fails_is_rolled_back_and_its_root_cause_named() {
    let env = settings();
    let cloud = env.cloud("111111111111", HERE);
    deploy(&env, &["--parameter=Name=/ours"]).success();
    cloud.put_parameter("/taken", "theirs");
    let output = deploy(&env, &["--parameter=Name=/taken"]);
    output.code(1);
    assert_eq!(
        cloud.status("app").as_deref(),
        Some("UPDATE_ROLLBACK_COMPLETE")
    );
    assert_eq!(cloud.parameter("/taken").as_deref(), Some("theirs"));
    let outcome = &status(&env)["targets"][0]["outcome"]["failed"];
    assert_eq!(outcome["status"], "UPDATE_ROLLBACK_COMPLETE");
    blames_the_setting(&outcome["cause"]);

    // A stack that was rolled back takes the next change.
    deploy(&env, &["--parameter=Name=/other"]).success();
    assert_eq!(cloud.status("app").as_deref(), Some("UPDATE_COMPLETE"));
}

/// A fleet of three accounts, in the second of which the name is taken.
fn fleet() -> TestEnv {
    let env = settings();
    let cloud = env.cloud("222222222222", HERE);
    cloud.put_parameter("/name", "theirs");
    env
}

const FLEET: [&str; 2] = [
    "--accounts=111111111111,222222222222,333333333333",
    "--parameter=Name=/name",
];

#[test]
fn more_failures_than_tolerated_stop_the_rollout_and_the_rest_says_why() {
    let env = fleet();
    let regions = ["--regions=us-east-1,eu-west-1"];
    let output = deploy(&env, &[&FLEET[..], &regions].concat());
    output.code(1);
    let summary = document(&env, &output);
    assert_eq!(summary["outcome"], "failed");
    assert_eq!(
        summary["halted"],
        json!([{ "region": "us-east-1", "failed": 1, "tolerance": 0 }])
    );
    assert_eq!(accounts(&summary["failed"][0]["targets"]), ["222222222222"]);
    let skipped = &summary["not_started"];
    assert_eq!(
        skipped[0]["reason"],
        json!({ "earlier_region_failed": { "region": "us-east-1" } })
    );
    assert_eq!(accounts(&skipped[0]["targets"]).len(), 3);
    assert_eq!(
        skipped[1]["reason"],
        json!({ "tolerance_exceeded": { "failed": 1, "tolerance": 0 } })
    );
    assert_eq!(accounts(&skipped[1]["targets"]), ["333333333333"]);

    let there = |account, region| env.cloud(account, region).status("app");
    assert_eq!(
        there("111111111111", HERE).as_deref(),
        Some("CREATE_COMPLETE")
    );
    assert_eq!(
        there("222222222222", HERE).as_deref(),
        Some("ROLLBACK_COMPLETE")
    );
    // Of what was planned and not started nothing is left.
    assert_eq!(there("333333333333", HERE), None);
    assert_eq!(there("111111111111", "eu-west-1"), None);
}

#[test]
fn a_failure_within_the_tolerance_stops_nothing() {
    let env = fleet();
    let output = deploy(&env, &[&FLEET[..], &["--failure-tolerance=1"]].concat());
    output.code(5);
    let summary = document(&env, &output);
    assert_eq!(summary["outcome"], "succeeded_with_failures");
    assert_eq!(summary["not_started"], json!([]));
    for (account, status) in [
        ("111111111111", "CREATE_COMPLETE"),
        ("222222222222", "ROLLBACK_COMPLETE"),
        ("333333333333", "CREATE_COMPLETE"),
    ] {
        let there = env.cloud(account, HERE).status("app");
        assert_eq!(there.as_deref(), Some(status), "{account}");
    }
}

#[test]
fn equal_causes_are_told_once() {
    let env = fleet();
    env.cloud("333333333333", HERE)
        .put_parameter("/name", "theirs");
    let more = ["--failure-tolerance=2", "--max-concurrent=3"];
    let output = deploy(&env, &[&FLEET[..], &more].concat());
    output.code(5);
    let failed = &document(&env, &output)["failed"];
    assert_eq!(failed.as_array().unwrap().len(), 1, "{failed}");
    blames_the_setting(&failed[0]["cause"]);
    assert_eq!(
        accounts(&failed[0]["targets"]),
        ["222222222222", "333333333333"]
    );
    let shown = env.run(&["resume", "latest"]);
    shown.code(5);
    assert_eq!(
        shown
            .stdout
            .matches("Setting (AWS::SSM::Parameter)")
            .count(),
        1,
        "{shown}"
    );
    assert!(shown.stdout.contains("cause 1 · 2 targets"), "{shown}");
}

#[test]
fn a_stack_under_way_is_followed_to_its_end_after_the_process_was_killed() {
    for (is_success, code, ending) in [
        (true, 0, "CREATE_COMPLETE"),
        (false, 1, "ROLLBACK_COMPLETE"),
    ] {
        let env = waiting();
        let proxy = Proxy::start(&env.endpoint());
        let env = env.through(&proxy);
        let cloud = env.cloud("111111111111", HERE);
        let killed = env.start(&["deploy", "app", "--yes=high"]);
        cloud.await_status("app", "CREATE_IN_PROGRESS");
        killed.victim().kill();
        assert_eq!(env.finish(killed).code, None);

        // Taken up while the stack is still under way, and told what happens only then.
        let resumed = env.start(&["resume", "latest"]);
        let before = proxy.count("DescribeStacks");
        resumed.await_stderr("taken over");
        proxy.wait_until("another look at the stack", |calls| {
            let looks = calls
                .iter()
                .filter(|call| call.operation == "DescribeStacks");
            looks.count() > before
        });
        assert_eq!(cloud.status("app").as_deref(), Some("CREATE_IN_PROGRESS"));
        cloud.signal("app", "Handle", is_success);
        env.finish(resumed).code(code);
        assert_eq!(cloud.settled("app"), ending);
        let place = env.private("111111111111/us-east-1/app");
        let mutations: Vec<_> = proxy.mutations().into_iter().collect();
        assert_eq!(
            mutations,
            [
                (format!("{place} CreateChangeSet"), 1),
                (format!("{place} ExecuteChangeSet"), 1)
            ]
        );
    }
}

/// Two targets, one after the other, each of which waits for a signal.
const IN_TURN: [&str; 4] = [
    "deploy",
    "app",
    "--accounts=111111111111,222222222222",
    "--yes=high",
];

/// Signals the stack under way, sees that the process ends without starting the other one, and takes it up again.
fn finishes_one_and_is_resumed(env: &TestEnv, stopped: Process) {
    let (first, second) = (
        env.cloud("111111111111", HERE),
        env.cloud("222222222222", HERE),
    );
    first.signal("app", "Handle", true);
    let output = env.finish(stopped);
    output.code(130);
    assert!(output.stdout.contains("next: stackgate resume"), "{output}");
    assert_eq!(first.status("app").as_deref(), Some("CREATE_COMPLETE"));
    assert_eq!(second.status("app").as_deref(), Some("REVIEW_IN_PROGRESS"));
    let targets = &status(env)["targets"];
    assert_eq!(
        targets[0]["outcome"],
        json!({ "succeeded": { "status": "CREATE_COMPLETE" } })
    );
    assert_eq!(targets[1].get("outcome"), None);

    let resumed = env.start(&["resume", "latest"]);
    second.await_status("app", "CREATE_IN_PROGRESS");
    second.signal("app", "Handle", true);
    env.finish(resumed).success();
    assert_eq!(second.status("app").as_deref(), Some("CREATE_COMPLETE"));
}

#[test]
fn one_interrupt_finishes_what_runs_and_starts_nothing() {
    let env = waiting();
    let process = env.start(&IN_TURN);
    env.cloud("111111111111", HERE)
        .await_status("app", "CREATE_IN_PROGRESS");
    process.signal("INT");
    process.await_stderr("stopping: nothing new is started");
    finishes_one_and_is_resumed(&env, process);
}

#[test]
fn another_process_stops_it_in_the_same_way() {
    let env = waiting();
    let process = env.start(&IN_TURN);
    env.cloud("111111111111", HERE)
        .await_status("app", "CREATE_IN_PROGRESS");
    env.run(&["stop", "latest", "--reason=lunch"]).success();
    process.await_stderr("lunch");
    finishes_one_and_is_resumed(&env, process);
}

/// Sees that a process ends while its stack is under way, and that it can be taken up again.
fn leaves_and_is_resumed(env: &TestEnv, left: Process) {
    let output = env.finish(left);
    output.code(130);
    assert!(output.stdout.contains("next: stackgate resume"), "{output}");
    let cloud = env.cloud("111111111111", HERE);
    assert_eq!(cloud.status("app").as_deref(), Some("CREATE_IN_PROGRESS"));
    let resumed = env.start(&["resume", "latest"]);
    cloud.signal("app", "Handle", true);
    env.finish(resumed).success();
    assert_eq!(cloud.status("app").as_deref(), Some("CREATE_COMPLETE"));
}

#[test]
fn a_second_interrupt_or_being_told_to_end_leaves_at_once() {
    for signals in [&["INT", "INT"][..], &["TERM"], &["HUP"]] {
        let env = waiting();
        let process = env.start(&["deploy", "app", "--yes=high"]);
        env.cloud("111111111111", HERE)
            .await_status("app", "CREATE_IN_PROGRESS");
        for (at, signal) in signals.iter().enumerate() {
            if at > 0 {
                // Two of the same that arrive together are one.
                process.await_stderr("stopping: nothing new is started");
            }
            process.signal(signal);
        }
        leaves_and_is_resumed(&env, process);
    }
}

#[test]
fn another_process_makes_it_leave_at_once() {
    let env = waiting();
    let process = env.start(&["deploy", "app", "--yes=high"]);
    env.cloud("111111111111", HERE)
        .await_status("app", "CREATE_IN_PROGRESS");
    env.run(&["stop", "latest", "--now"]).success();
    leaves_and_is_resumed(&env, process);
    // There is nothing to stop any more.
    env.run(&["stop", "latest"]).code(2);
}

/// Deploys, waiting for what somebody else does to the stack, and returns once that is said.
fn begins_to_wait(env: &TestEnv, command: &[&str]) -> Process {
    let process = env.start(&[command, &["--wait-for-stack"]].concat());
    process.await_stderr("waiting for the stack: CREATE_IN_PROGRESS, somebody else is creating it");
    process
}

#[test]
fn an_operation_of_somebody_else_is_waited_for_then_planned() {
    let env = waiting();
    let cloud = env.cloud("111111111111", HERE);
    cloud.begin_create("app", WAITING, &[]);
    cloud.await_status("app", "CREATE_IN_PROGRESS");
    let changed = format!("{WAITING}  Topic: {{Type: AWS::SNS::Topic}}\n");
    env.write("templates/app.yaml", &changed);

    // Stopped at once, though the other operation goes on; then taken up, and it waits again.
    let stopped = begins_to_wait(&env, &["deploy", "app", "--yes=high"]);
    stopped.signal("INT");
    let output = env.finish(stopped);
    output.code(130);
    assert!(output.stdout.contains("next: stackgate resume"), "{output}");
    assert_eq!(cloud.status("app").as_deref(), Some("CREATE_IN_PROGRESS"));
    let target = &status(&env)["targets"][0];
    assert_eq!(target["phase"], "waiting", "{target}");

    let resumed = env.start(&["resume", "latest", "--detach"]);
    resumed.await_stderr("waiting for the stack: CREATE_IN_PROGRESS");
    cloud.signal("app", "Handle", true);
    env.finish(resumed).code(3);
    let approve = ["approve", "latest", "--plan"];
    let plan = status(&env)["plan"].as_str().unwrap().to_owned();
    env.run(&[&approve[..], &[&plan]].concat()).success();
    assert_eq!(cloud.status("app").as_deref(), Some("UPDATE_COMPLETE"));
    assert!(cloud.physical_id("app", "Topic").is_some());
}

#[test]
fn a_deletion_waits_in_the_same_way_and_without_the_flag_names_it() {
    let env = waiting();
    let cloud = env.cloud("111111111111", HERE);
    cloud.begin_create("app", WAITING, &[]);
    cloud.await_status("app", "CREATE_IN_PROGRESS");
    let delete = ["delete", "app", "--yes=high"];
    let refused = env.run(&delete);
    refused.code(1);
    assert!(refused.stdout.contains("--wait-for-stack"), "{refused}");
    let waits = begins_to_wait(&env, &delete);
    cloud.signal("app", "Handle", true);
    env.finish(waits).success();
    assert_eq!(cloud.status("app"), None);
}
