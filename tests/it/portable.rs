//! Plans in files: made with one state folder, executed with another, once.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use stackgate::artifact::PortablePlan;
use stackgate::model::EventKind;

use crate::support::proxy::Proxy;
use crate::support::schema::assert_documented;
use crate::support::{Emulator, TestEnv};

const SETTINGS: &str = r#"
Parameters:
  Value: {Type: String, Default: one}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: /settings/value, Type: String, Value: !Ref Value}
"#;

const SECRET: &str = r#"
Parameters:
  Password: {Type: String, NoEcho: true}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: /settings/secret, Type: String, Value: !Ref Password}
"#;

/// The state folder of the other machine, and one of a third.
const ELSEWHERE: [&str; 2] = ["--state", "elsewhere"];
const THIRD: [&str; 2] = ["--state", "third"];

fn project(env: &TestEnv) {
    env.write("templates/settings.yaml", SETTINGS);
}

fn file(env: &TestEnv, name: &str) -> PathBuf {
    env.root().join(name)
}

/// Makes a plan file and returns the plan's whole digest.
fn planned(env: &TestEnv, more: &[&str]) -> String {
    let output = env.run(&[&["plan", "settings", "--out", "settings.plan"], more].concat());
    output.code(3);
    assert!(
        output
            .stdout
            .contains("next: stackgate deploy --plan settings.plan"),
        "{}",
        output.stdout
    );
    shown(env)["plan"].as_str().unwrap().to_owned()
}

fn shown(env: &TestEnv) -> Value {
    let shown = env.run(&["show", "settings.plan", "--output", "json"]);
    let shown = serde_json::from_str(&env.public(&shown.success().raw)).unwrap();
    assert_documented(&shown);
    shown
}

fn outcome(env: &TestEnv, state: &[&str]) -> Value {
    let status = env.run(&[&["status", "--output", "json"], state].concat());
    let status: Value = serde_json::from_str(&env.public(&status.success().raw)).unwrap();
    status["targets"][0]["outcome"].clone()
}

#[test]
fn a_plan_made_on_one_machine_is_executed_on_another_once() {
    let env = TestEnv::on(Emulator::LocalStack);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    project(&env);
    let digest = planned(&env, &["-p", "Value=two"]);

    // The same review, without a state folder, credentials or an endpoint.
    let made = env.run(&["status"]);
    let review = made.success().stdout.split("\nexecution ").next().unwrap();
    let expiry = |text: &str| text.find("\nExpires").unwrap();
    let show = env.run(&["show", "settings.plan", "--state", "nowhere"]);
    let show = &show.success().stdout;
    assert_eq!(review[..expiry(review)], show[..expiry(show)]);
    assert!(!file(&env, "nowhere").exists());
    let document = shown(&env);
    assert_eq!(document["file"]["format"], 2);
    assert_eq!(
        document["file"]["planned_by"][0],
        "arn:aws:iam::111111111111:root"
    );
    assert_eq!(document["review"]["plan"], digest.as_str());

    // Where it was made, it is neither executed nor forgotten.
    for command in [
        &["approve", "latest", "--plan", &digest][..],
        &["resume", "latest"],
    ] {
        let refused = env.run(command);
        refused.code(2);
        assert!(
            refused.stderr.contains("left in the file settings.plan"),
            "{}",
            refused.stderr
        );
    }
    let status = env.run(&["status"]);
    let status = &status.success().stdout;
    assert!(
        status.contains("next: stackgate deploy --plan settings.plan"),
        "{status}"
    );

    // Elsewhere it takes an answer about this plan and no other.
    let run = |answer: &[&str], state: &[&str]| {
        env.run(&[&["deploy", "--plan", "settings.plan"], answer, state].concat())
    };
    let other = "0".repeat(64);
    let refused = run(&["--approve", &other], &ELSEWHERE);
    refused.code(2);
    assert!(!file(&env, "elsewhere").exists());
    assert_eq!(proxy.count("ExecuteChangeSet"), 0);
    let waiting = run(&[], &ELSEWHERE);
    waiting.code(3);
    assert!(
        waiting
            .stderr
            .contains("planned as arn:aws:iam::111111111111:root"),
        "{}",
        waiting.stderr
    );
    assert!(
        waiting
            .stderr
            .contains("run as     arn:aws:iam::111111111111:root"),
        "{}",
        waiting.stderr
    );
    run(&["--approve", &digest], &ELSEWHERE).success();
    let cloud = env.cloud("111111111111", "us-east-1");
    assert_eq!(cloud.parameter("/settings/value").as_deref(), Some("two"));
    assert_eq!(proxy.count("ExecuteChangeSet"), 1);

    // Once more in the same place, and in a third, where nothing tells that it was done.
    let again = run(&["--yes"], &ELSEWHERE);
    assert!(
        again
            .success()
            .stderr
            .contains("has ended already: succeeded"),
        "{}",
        again.stderr
    );
    run(&["--yes"], &THIRD).code(1);
    assert!(outcome(&env, &THIRD).get("stale").is_some());
    assert_eq!(proxy.count("ExecuteChangeSet"), 1);
    assert_eq!(cloud.status("settings").as_deref(), Some("CREATE_COMPLETE"));
}

#[test]
fn what_was_executed_elsewhere_is_not_called_untouched_where_it_is_withdrawn() {
    let env = TestEnv::on(Emulator::LocalStack);
    project(&env);
    let digest = planned(&env, &[]);
    let elsewhere = ["deploy", "--plan", "settings.plan", "--yes"];
    env.run(&[&elsewhere[..], &ELSEWHERE].concat()).success();

    let withdrawn = env.run(&["reject", "latest"]);
    withdrawn.code(4);
    let honest = "what happened elsewhere is not known here";
    assert!(withdrawn.stdout.contains(honest), "{withdrawn}");
    assert!(withdrawn.stdout.contains("left behind"), "{withdrawn}");
    let executed = "executed by somebody else";
    assert!(withdrawn.stdout.contains(executed), "{withdrawn}");
    let status = env.run(&["status"]);
    assert!(status.success().stdout.contains(honest), "{status}");
    let cloud = env.cloud("111111111111", "us-east-1");
    assert_eq!(cloud.status("settings").as_deref(), Some("CREATE_COMPLETE"));

    // Here it has ended, whatever is tried with it.
    for again in [
        &["resume", "latest"][..],
        &["deploy", "--plan", "settings.plan", "--yes"],
        &["deploy", "--plan", "settings.plan", "--approve", &digest],
    ] {
        let ended = env.run(again);
        ended.code(4);
        assert!(
            ended.stderr.contains("has ended already: rejected"),
            "{ended}"
        );
        assert!(ended.stderr.contains("make a new plan"), "{ended}");
    }
}

#[test]
fn a_plan_can_come_back_to_where_it_was_made_and_be_withdrawn_there() {
    let env = TestEnv::on(Emulator::LocalStack);
    project(&env);
    planned(&env, &[]);
    env.run(&["deploy", "--plan", "settings.plan", "--yes"])
        .success();
    let cloud = env.cloud("111111111111", "us-east-1");
    assert_eq!(cloud.parameter("/settings/value").as_deref(), Some("one"));

    fs::remove_file(file(&env, "settings.plan")).unwrap();
    planned(&env, &["-p", "Value=three"]);
    env.run(&["reject", "latest"]).code(4);
    assert_eq!(cloud.change_sets("settings"), Vec::<String>::new());
    env.run(&[
        "deploy",
        "--plan",
        "settings.plan",
        "--yes",
        "--state",
        "elsewhere",
    ])
    .code(1);
    assert!(outcome(&env, &ELSEWHERE).get("stale").is_some());
    assert_eq!(cloud.parameter("/settings/value").as_deref(), Some("one"));
}

#[test]
fn a_stale_plan_is_shown_and_not_run() {
    let env = TestEnv::on(Emulator::LocalStack);
    project(&env);
    let cloud = env.cloud("111111111111", "us-east-1");
    assert_eq!(cloud.create("settings", SETTINGS, &[]), "CREATE_COMPLETE");
    planned(&env, &["-p", "Value=two"]);
    let status = cloud.update("settings", SETTINGS, &[("Value", "theirs")]);
    assert_eq!(status, "UPDATE_COMPLETE");

    env.run(&["show", "settings.plan"]).success();
    env.run(&[
        "deploy",
        "--plan",
        "settings.plan",
        "--yes",
        "--state",
        "elsewhere",
    ])
    .code(1);
    assert!(outcome(&env, &ELSEWHERE).get("stale").is_some());
    assert_eq!(
        cloud.parameter("/settings/value").as_deref(),
        Some("theirs")
    );
}

#[test]
fn a_file_that_is_not_what_was_written_is_refused_before_anything_happens() {
    let env = TestEnv::on(Emulator::LocalStack);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    project(&env);
    planned(&env, &[]);
    let whole = fs::read(file(&env, "settings.plan")).unwrap();
    let calls = proxy.calls().len();
    let refused = |name: &str, bytes: &[u8], said: &str| {
        fs::write(file(&env, name), bytes).unwrap();
        for command in [&["show", name][..], &["deploy", "--yes", "--plan", name]] {
            let output = env.run(&[command, &ELSEWHERE].concat());
            output.code(1);
            assert!(output.stderr.contains(said), "{name}: {}", output.stderr);
        }
    };
    for part in [0, 1, whole.len() / 2, whole.len() - 1] {
        refused("part.plan", &whole[..part], "is not a whole plan file");
    }
    let at = whole.windows(4).position(|w| w == b"/set").unwrap();
    let mut altered = whole.clone();
    altered[at + 1] = b'X';
    refused("altered.plan", &altered, "is not a whole plan file");
    refused("text.plan", b"Resources: {}\n", "is no plan file");

    // Altered by somebody who puts every digest of the file right.
    let rewrite = |name: &str, change: &dyn Fn(&mut PortablePlan)| {
        let (mut plan, _) = PortablePlan::read(&file(&env, "settings.plan")).unwrap();
        change(&mut plan);
        plan.write(&file(&env, name)).unwrap();
        fs::read(file(&env, name)).unwrap()
    };
    let forged = rewrite("forged.plan", &|plan| {
        for event in &mut plan.events {
            if let EventKind::ChangeSetIntended { inputs, .. } = &mut event.kind {
                inputs.role_arn = Some("arn:aws:iam::111111111111:role/Admin".to_owned());
            }
        }
    });
    refused("forged.plan", &forged, "but what it holds has the digest");
    let cut = rewrite("cut.plan", &|plan| {
        plan.events.pop();
    });
    refused(
        "cut.plan",
        &cut,
        "does not end where an answer is waited for",
    );
    let torn = rewrite("torn.plan", &|plan| {
        plan.events.remove(3);
    });
    refused("torn.plan", &torn, "do not follow from each other");

    // A newer format can be looked at.
    rewrite("newer.plan", &|plan| plan.version = 3);
    let shown = env.run(&["show", "newer.plan"]);
    assert!(
        shown.success().stdout.contains("Setting"),
        "{}",
        shown.stdout
    );
    assert!(shown.stderr.contains("newer stackgate"), "{}", shown.stderr);
    let newer = env.run(&[
        "deploy",
        "--yes",
        "--plan",
        "newer.plan",
        "--state",
        "elsewhere",
    ]);
    newer.code(1);
    assert!(newer.stderr.contains("has format 3"), "{}", newer.stderr);

    assert_eq!(proxy.calls().len(), calls);
    assert!(!file(&env, "elsewhere").exists());
}

#[test]
fn a_secret_stays_where_it_is() {
    let env = TestEnv::on(Emulator::LocalStack).variable("PASSWORD", "correct-horse");
    env.write("templates/settings.yaml", SECRET);
    let plan = ["plan", "settings", "--out", "settings.plan"];
    let given = ["--secret", "Password=env:PASSWORD"];

    // Written in a file that the plan would carry, even though the value is not used.
    let overrides = "parameter-overrides/settings.json";
    env.write(
        overrides,
        "{\"Parameters\": {\n\"Password\": \"hunter2-hunter2\"}}",
    );
    let refused = env.run(&[&plan[..], &given].concat());
    refused.code(2);
    assert!(
        refused
            .stderr
            .contains("parameter-overrides/settings.json:2: `Password` is `NoEcho`"),
        "{}",
        refused.stderr
    );
    let cloud = env.cloud("111111111111", "us-east-1");
    assert_eq!(cloud.status("settings"), None);
    fs::remove_file(file(&env, overrides)).unwrap();

    env.run(&[&plan[..], &given].concat()).code(3);
    let bytes = fs::read(file(&env, "settings.plan")).unwrap();
    let has = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(has("PASSWORD") && !has("correct-horse") && !has("hunter2"));

    // The other machine has no such variable, and is not asked for one.
    let env = env.variable("PASSWORD", "");
    env.run(&[
        "deploy",
        "--plan",
        "settings.plan",
        "--yes",
        "--state",
        "elsewhere",
    ])
    .success();
    assert_eq!(
        cloud.parameter("/settings/secret").as_deref(),
        Some("correct-horse")
    );
}

#[test]
fn a_plan_is_not_written_over_another_and_nothing_is_written_without_one() {
    let env = TestEnv::on(Emulator::LocalStack);
    project(&env);
    env.write("settings.plan", "mine");
    let refused = env.run(&["plan", "settings", "--out", "settings.plan"]);
    refused.code(2);
    assert!(
        refused.stderr.contains("exists already"),
        "{}",
        refused.stderr
    );
    assert_eq!(fs::read(file(&env, "settings.plan")).unwrap(), b"mine");

    env.run(&["deploy", "settings", "--yes"]).success();
    let nothing = env.run(&["plan", "settings", "--out", "other.plan"]);
    assert!(
        nothing
            .success()
            .stderr
            .contains("other.plan was not written"),
        "{}",
        nothing.stderr
    );
    assert!(!file(&env, "other.plan").exists());
}
