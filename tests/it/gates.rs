//! Gates between waves through the binary: alarms that are set off, and commands that are killed or changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::http;
use crate::support::schema::assert_documented;
use crate::support::{Emulator, TestEnv};

const TEMPLATE: &str = r#"
Resources:
  Topic:
    Type: AWS::SNS::Topic
"#;

const CANARY: &str = "eu-west-1";
const REST: &str = "us-east-1";

fn project(gates: &str) -> TestEnv {
    let env = TestEnv::on(Emulator::Ministack);
    env.write(
        "stackgate.yaml",
        &format!(
            "targetSets:\n  fleet:\n    accounts: ['111111111111']\n    regions: [{REST}, {CANARY}]\n    waves:\n      - {{name: canary, regions: [{CANARY}], {gates}}}\n"
        ),
    );
    env.write("templates/app.yaml", TEMPLATE);
    env
}

/// Calls CloudWatch as somebody else than the program.
fn cloudwatch(env: &TestEnv, operation: &str, body: &Value) {
    let account = env.private("111111111111");
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={account}/20260101/{CANARY}/monitoring/aws4_request, SignedHeaders=host, Signature=0"
    );
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/x-amz-json-1.0"),
        (
            "x-amz-target",
            &format!("GraniteServiceVersion20100801.{operation}"),
        ),
    ];
    let url = format!("{}/", env.endpoint());
    let reply = http::send("POST", &url, &headers, &body.to_string()).unwrap();
    assert_eq!(reply.status(), 200, "{}", reply.text());
}

fn set(env: &TestEnv, state: &str) {
    let alarm = json!({
        "AlarmName": "app-errors", "Namespace": "App", "MetricName": "Errors", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
    });
    cloudwatch(env, "PutMetricAlarm", &alarm);
    let state = json!({"AlarmName": "app-errors", "StateValue": state, "StateReason": "5 errors in a minute"});
    cloudwatch(env, "SetAlarmState", &state);
}

fn script(env: &TestEnv, text: &str) {
    env.write("smoke.sh", &format!("#!/bin/sh\n{text}\n"));
    let path = env.root().join("smoke.sh");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn status(env: &TestEnv) -> Value {
    let output = env.run(&["status", "latest", "--output", "json"]);
    let status = serde_json::from_str(&env.public(&output.success().raw)).unwrap();
    assert_documented(&status);
    for event in env
        .run(&["events", "latest", "--output", "ndjson"])
        .raw
        .lines()
    {
        assert_documented(&serde_json::from_str(event).unwrap());
    }
    status
}

/// Returns whether the canary and the rest have the stack.
fn deployed(env: &TestEnv) -> [bool; 2] {
    [CANARY, REST].map(|region| {
        let status = env.cloud("111111111111", region).status("app");
        status.as_deref() == Some("CREATE_COMPLETE")
    })
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = tokio::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn alarms_are_looked_up_when_the_plan_is_made() {
    let env = project("alarms: [app-errors, app-erors, 'app-*']");
    set(&env, "ALARM");
    let output = env.run(&["plan", "app", "--target-set", "fleet"]);
    output.code(3);
    // Words are wrapped where the screen ends.
    let told = output.to_string();
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for note in [
        "wave canary is followed by alarm app-errors, which is in ALARM in 111111111111/eu-west-1; unless it is OK by then, no later wave begins: 5 errors in a minute",
        "wave canary is followed by alarm app-erors, and there is none in 111111111111/eu-west-1; correct `alarms` in stackgate.yaml",
    ] {
        assert!(told.contains(note), "{told}");
    }
    assert!(!told.contains("alarm app-*, and there is none"), "{told}");
    assert_eq!(deployed(&env), [false, false]);

    let good = project("alarms: [app-errors]");
    set(&good, "OK");
    let output = good.run(&["plan", "app", "--target-set", "fleet"]);
    output.code(3);
    assert!(
        !output.to_string().contains("is followed by alarm"),
        "{output}"
    );
}

#[test]
fn an_alarm_keeps_the_rest_from_beginning_until_it_is_retried() {
    let env = project("alarms: [app-errors, 'app-*']");
    set(&env, "ALARM");
    let output = env.run(&["deploy", "app", "--target-set", "fleet", "--yes"]);
    output.code(1);
    let told = output.to_string();
    for review in [
        "wave 1 canary · 1 target · ",
        "then alarms app-errors, app-* OK",
    ] {
        assert!(told.contains(review), "{told}");
    }
    let why = "alarm app-errors is in ALARM in 111111111111/eu-west-1: 5 errors in a minute";
    assert!(told.contains(why), "{told}");
    assert_eq!(deployed(&env), [true, false]);
    let targets = status(&env)["targets"].to_string();
    assert_eq!(targets.matches("gate_closed").count(), 1, "{targets}");

    let again = env.run(&["retry", "latest", "--skipped", "--yes"]);
    again.code(1);
    assert!(again.to_string().contains(why), "{again}");
    assert_eq!(deployed(&env), [true, false]);

    set(&env, "OK");
    let retried = env.run(&["retry", "latest", "--skipped", "--yes"]);
    let told = retried.success().to_string();
    assert!(told.contains("wave canary is not run again"), "{told}");
    let review =
        "wave 1 canary · 0 targets · 1 target not run again · then alarms app-errors, app-* OK";
    assert!(told.contains(review), "{told}");
    assert_eq!(deployed(&env), [true, true]);
}

#[test]
fn who_answers_before_anything_is_asked_reads_what_runs_and_what_is_to_come() {
    let env = project("bake: 2h, approval: true");
    let process = env.start(&["deploy", "app", "--target-set", "fleet", "--yes"]);
    process.await_stderr("baking until");
    let plan = status(&env)["approval"]["plan"].clone();
    let plan = plan.as_str().unwrap();
    for answer in ["approve", "reject"] {
        let output = env.run(&[answer, "latest", "--plan", plan, "--wave", "canary"]);
        output.code(2);
        let told = &output.stderr;
        let ended = "wave canary waits for no answer yet: it has ended, and what is asked comes after bake 2h";
        assert!(told.contains(ended), "{output}");
        assert!(told.contains(" is run by "), "{output}");
        assert!(told.contains("answer it once it is asked"), "{output}");
        assert!(!told.contains("stackgate resume"), "{output}");
    }
    let output = env.run(&["approve", "latest", "--plan", plan]);
    let told = &output.code(2).stderr;
    assert!(told.contains(" already; execution "), "{output}");
    assert!(!told.contains("stackgate resume"), "{output}");
    process.signal("KILL");
    let _ = process.wait();
    let output = env.run(&["approve", "latest", "--plan", plan, "--wave", "canary"]);
    let told = &output.code(2).stderr;
    assert!(!told.contains(" is run by "), "{output}");
    assert!(told.contains("go on with `stackgate resume"), "{output}");
}

#[test]
fn an_alarm_that_goes_off_while_the_canary_bakes_ends_it_at_once() {
    let env = project("alarms: [app-errors], bake: 2h");
    set(&env, "OK");
    let process = env.start(&["deploy", "app", "--target-set", "fleet", "--yes"]);
    process.await_stderr("baking, alarms watched, until");
    assert_eq!(status(&env)["gate"]["place"]["wave"], "canary");
    set(&env, "ALARM");
    let output = env.finish(process);
    output.code(1);
    let told = output.to_string();
    assert!(
        told.contains("alarm app-errors is in ALARM in 111111111111/eu-west-1"),
        "{told}"
    );
    assert_eq!(deployed(&env), [true, false]);
}

#[test]
fn a_command_that_was_killed_with_the_program_runs_again_and_is_told_once() {
    let env = project("command: [./smoke.sh]");
    script(
        &env,
        "echo \"$STACKGATE_WAVE\" >> runs\nread -r targets < \"$STACKGATE_TARGETS\"\necho \"$targets\" > targets\nwhile [ ! -e go ]; do /bin/sleep 0.1; done",
    );
    let process = env.start(&["deploy", "app", "--target-set", "fleet", "--yes"]);
    let runs = || fs::read_to_string(env.root().join("runs")).unwrap_or_default();
    until("the command runs", || !runs().is_empty());
    process.signal("KILL");
    let (killed, ..) = process.wait();
    assert!(!killed.success());
    assert_eq!(deployed(&env), [true, false]);
    env.write("go", "");
    env.run(&["resume", "latest"]).success();
    assert_eq!(deployed(&env), [true, true]);
    assert_eq!(runs(), "canary\ncanary\n");
    let targets = fs::read_to_string(env.root().join("targets")).unwrap_or_default();
    assert!(targets.contains(CANARY), "{targets}");
    let told = env.run(&["events", "latest"]).success().stdout.clone();
    assert_eq!(
        told.matches("command ./smoke.sh passed").count(),
        1,
        "{told}"
    );
}

#[test]
fn whoever_stops_what_was_killed_is_told_of_the_command_that_it_left_running() {
    let env = project("command: [./smoke.sh]");
    script(
        &env,
        "exec 9> lock\n/usr/bin/flock 9\n: > begun\nexec /bin/sleep 600",
    );
    let process = env.start(&["deploy", "app", "--target-set", "fleet", "--yes"]);
    let begun = env.root().join("begun");
    until("the command runs", || begun.exists());
    process.signal("KILL");
    process.wait();
    let told = env.run(&["stop", "latest"]).success().stdout.clone();
    for said in [
        "is gone (",
        "); there is nothing to stop\n",
        "its gate was left running: command ./smoke.sh (process group ",
        "  stackgate resume ",
        " --give-up ",
    ] {
        assert!(told.contains(said), "{said} in {told}");
    }
    env.run(&["stop", "latest", "--give-up"]).code(4);
    let lock = fs::File::open(env.root().join("lock")).unwrap();
    until("the command ends", || lock.try_lock().is_ok());
    let again = env.run(&["stop", "latest"]);
    assert!(
        again.code(2).to_string().contains("has ended already"),
        "{again}"
    );
}

#[test]
fn a_wave_that_flags_leave_without_targets_is_told_in_the_review() {
    let env = project("approval: true");
    let region = format!("--regions={REST}");
    let planned = env.run(&["plan", "app", "--target-set", "fleet", &region]);
    let told = planned.code(3).to_string();
    let said = told.split_whitespace().collect::<Vec<_>>().join(" ");
    let note = "note wave canary has no target among those that were chosen: neither it nor what stands after it is run";
    assert!(said.contains(note), "{told}");
}

#[test]
fn a_stop_ends_the_command_and_all_that_it_began() {
    let env = project("command: [./smoke.sh]");
    // What runs in the background has the lock as long as it runs.
    script(
        &env,
        "[ -e go ] && exit 0\nexec 9> lock\n/usr/bin/flock 9\n/bin/sleep 600 &\n: > begun\nwait",
    );
    let process = env.start(&["deploy", "app", "--target-set", "fleet", "--yes"]);
    let begun = env.root().join("begun");
    until("the command runs", || begun.exists());
    env.run(&["stop", "latest"]).success();
    env.finish(process).code(130);
    let lock = fs::File::open(env.root().join("lock")).unwrap();
    until("the command ends", || lock.try_lock().is_ok());
    assert_eq!(deployed(&env), [true, false]);
    env.write("go", "");
    env.run(&["resume", "latest"]).success();
    assert_eq!(deployed(&env), [true, true]);
}

#[test]
fn a_script_that_was_changed_after_the_plan_is_not_run() {
    let env = project("command: [./smoke.sh, --quick]");
    script(&env, "echo one >> runs");
    let planned = env.run(&["plan", "app", "--target-set", "fleet"]);
    planned.code(3);
    let review = planned.to_string();
    assert!(
        review.contains("then command ./smoke.sh --quick (./smoke.sh "),
        "{review}"
    );
    let plan = status(&env)["approval"]["plan"]
        .as_str()
        .unwrap()
        .to_owned();
    script(&env, "echo two >> runs");
    let output = env.run(&["approve", "latest", "--plan", &plan]);
    output.code(1);
    let told = output.to_string();
    assert!(
        told.contains("`./smoke.sh` was changed after the plan was made"),
        "{told}"
    );
    assert!(!env.root().join("runs").exists());
    assert_eq!(deployed(&env), [true, false]);

    // It is looked at by a retry, too, until what it is now was approved.
    env.run(&["retry", "latest", "--yes"]).code(1);
    assert_eq!(deployed(&env), [true, false]);
    assert!(!env.root().join("runs").exists());
    let retried = env.run(&["retry", "latest", "--from-files", "--yes"]);
    retried.success();
    assert_eq!(deployed(&env), [true, true]);
    let runs = fs::read_to_string(env.root().join("runs")).unwrap();
    assert_eq!(runs, "two\n");
}

#[test]
fn what_a_canary_that_failed_or_was_given_up_did_not_pass_stands_before_the_rest_in_a_retry() {
    let env = project("bake: 2h, command: [./smoke.sh], approval: true");
    script(&env, "echo one >> runs");
    let process = env.start(&["deploy", "app", "--target-set", "fleet", "--yes"]);
    process.await_stderr("baking until");
    env.run(&["stop", "latest", "--give-up"]).success();
    env.finish(process).code(4);
    assert_eq!(deployed(&env), [true, false]);

    let process = env.start(&["retry", "latest", "--yes=high"]);
    process.await_stderr("baking until");
    assert_eq!(deployed(&env), [true, false]);
    let waves = &status(&env)["gate"]["place"]["wave"];
    assert_eq!(waves, "canary");
    env.run(&["stop", "latest", "--give-up"]).success();
    let told = env.finish(process).to_string();
    assert!(
        told.contains("wave 1 canary · 0 targets · 1 target not run again"),
        "{told}"
    );
    assert!(
        told.contains("then bake 2h, then command ./smoke.sh"),
        "{told}"
    );
    assert_eq!(deployed(&env), [true, false]);
    assert!(!env.root().join("runs").exists());
}

#[test]
fn a_canary_that_somebody_rejected_is_asked_about_again() {
    let env = project("command: [./smoke.sh], approval: true");
    script(
        &env,
        "echo \"$STACKGATE_WAVE\" >> runs; cat \"$STACKGATE_TARGETS\" >> runs",
    );
    env.run(&["deploy", "app", "--target-set", "fleet", "--yes"])
        .code(3);
    env.run(&["reject", "latest", "-m", "not today"]).code(1);
    let retried = env.run(&["retry", "latest", "--yes"]);
    retried.code(3);
    assert_eq!(deployed(&env), [true, false]);
    let plan = status(&env)["approval"]["plan"]
        .as_str()
        .unwrap()
        .to_owned();
    env.run(&["approve", "latest", "--plan", &plan, "--wave", "canary"])
        .success();
    assert_eq!(deployed(&env), [true, true]);
    // It was passed before.
    let runs = fs::read_to_string(env.root().join("runs")).unwrap();
    assert_eq!(runs.matches("canary").count(), 1, "{runs}");
}
