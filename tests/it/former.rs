//! What the stacks had before, which a rollback gives back, is approved with the plan; plans of the versions before that still run.

use std::path::PathBuf;

use serde_json::Value;
use stackgate::artifact::{PortablePlan, Store};
use stackgate::journal::{Durability, Journal};
use stackgate::model::EventKind;
use stackgate::pipeline::Execution;
use stackgate::plan::former_digest;

use crate::on_failure;
use crate::support::{Emulator, TestEnv};

const SETTINGS: &str = r#"
Parameters:
  Value: {Type: String, Default: one}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: /settings/value, Type: String, Value: !Ref Value}
"#;

/// The state folder of the other machine.
const ELSEWHERE: [&str; 2] = ["--state", "elsewhere"];

fn file(env: &TestEnv, name: &str) -> PathBuf {
    env.root().join(name)
}

/// Returns the digest of the plan in the file.
fn digest_in(env: &TestEnv, name: &str) -> String {
    let shown = env.run(&["show", name, "--output=json"]);
    let shown: Value = serde_json::from_str(&env.public(&shown.success().raw)).unwrap();
    shown["plan"].as_str().unwrap().to_owned()
}

/// Writes the plan file anew, as somebody does who puts every digest of the file right.
fn rewritten(env: &TestEnv, name: &str, change: impl Fn(&mut EventKind)) {
    let (mut plan, _) = PortablePlan::read(&file(env, "app.plan")).unwrap();
    for event in &mut plan.events {
        change(&mut event.kind);
    }
    plan.write(&file(env, name)).unwrap();
}

/// Plans, in a file, a rollout that fails in its last target and is rolled back; returns the digest of the plan.
fn failing_plan(env: &TestEnv) -> String {
    let fleet = ["--parameter=Name=/name", "--regions=us-east-1,eu-west-1"];
    let plan = ["plan", "app", on_failure::TWO, "--out=app.plan"];
    env.run(&[&plan[..], &fleet, &on_failure::SECOND].concat())
        .code(3);
    digest_in(env, "app.plan")
}

#[test]
fn what_a_rollback_gives_back_cannot_be_put_into_the_file_of_a_plan() {
    let env = on_failure::before();
    let digest = failing_plan(&env);
    let foreign = || "/foreign".to_owned();
    rewritten(&env, "values.plan", |kind| {
        if let EventKind::ChangeSetReady {
            previous_parameters,
            ..
        } = kind
        {
            previous_parameters.insert("Name".to_owned(), foreign());
        }
    });
    rewritten(&env, "tags.plan", |kind| {
        if let EventKind::ChangeSetIntended { stack, .. } = kind {
            let stack = stack.as_mut().unwrap();
            stack.tags = Some([("version".to_owned(), foreign())].into());
        }
    });
    for name in ["values.plan", "tags.plan"] {
        let run = ["deploy", "--plan", name, "--approve", &digest];
        let refused = env.run(&[&run[..], &ELSEWHERE].concat());
        refused.code(1);
        let told = &refused.stderr;
        assert!(told.contains("but what it holds has the digest"), "{told}");
    }
    assert!(!file(&env, "elsewhere").exists());
    // As it was written, it is rolled back as was approved.
    let run = ["deploy", "--plan", "app.plan", "--approve", &digest];
    let failed = env.run(&[&run[..], &ELSEWHERE].concat());
    failed.code(1);
    assert!(
        failed.stdout.contains("rolled back 3 changed targets"),
        "{failed}"
    );
    on_failure::all_are_first(&env);
}

/// Writes the plan file anew as the program did before its digest covered what the stacks had; returns that digest.
fn as_before(env: &TestEnv, from: &str, to: &str) -> String {
    let (mut plan, _) = PortablePlan::read(&file(env, from)).unwrap();
    let state = Execution::replay(&plan.events).unwrap();
    let earlier = former_digest(&state.plan_input().unwrap());
    plan.version = 1;
    for event in &mut plan.events {
        match &mut event.kind {
            EventKind::PlanReady { digest: plan } | EventKind::ApprovalRequested { plan, .. } => {
                *plan = earlier;
            }
            _ => {}
        }
    }
    plan.write(&file(env, to)).unwrap();
    earlier.to_string()
}

#[test]
fn what_waits_for_an_answer_since_an_earlier_version_is_approved_by_its_digest() {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/settings.yaml", SETTINGS);
    env.run(&["deploy", "settings", "--yes"]).success();
    let plan = ["plan", "settings", "--parameter=Value=two"];
    env.run(&[&plan[..], &["--out=settings.plan"]].concat())
        .code(3);
    let now = digest_in(&env, "settings.plan");
    let digest = as_before(&env, "settings.plan", "earlier.plan");
    assert_ne!(digest, now);
    // The journal that the earlier version left.
    let (plan, _) = PortablePlan::read(&file(&env, "earlier.plan")).unwrap();
    let state = file(&env, "elsewhere");
    let journal = Journal::open(&state).unwrap();
    let begun = plan.events[0].at;
    let lease = journal.acquire(&plan.execution, "earlier", begun, |_| false);
    let lease = lease.unwrap();
    (journal.append(&lease, 0, &plan.events, &[], Durability::Intent)).unwrap();
    journal.release(&lease).unwrap();
    drop(journal);
    plan.unpack(&Store::open(&state.join("artifacts")).unwrap())
        .unwrap();
    let approve = |digest: &str| {
        let approve = ["approve", "latest", "--plan", digest];
        env.run(&[&approve[..], &ELSEWHERE].concat())
    };
    let refused = approve(&now);
    refused.code(2);
    assert!(
        refused.stderr.contains("is not the one that waits"),
        "{refused}"
    );
    approve(&digest).success();
    let cloud = env.cloud("111111111111", "us-east-1");
    let status = cloud.status("settings");
    assert_eq!(status.as_deref(), Some("UPDATE_COMPLETE"));
}

#[test]
fn a_plan_of_an_earlier_version_is_run_and_a_person_answers_its_rollback() {
    let env = on_failure::before();
    failing_plan(&env);
    let digest = as_before(&env, "app.plan", "earlier.plan");
    let run = ["deploy", "--plan", "earlier.plan", "--approve", &digest];
    let failed = env.run(&[&run[..], &ELSEWHERE].concat());
    failed.code(1);
    let told = failed.stderr.matches("does not cover the former templates");
    assert_eq!(told.count(), 2, "{failed}");
    let awaits = "to be rolled back in execution";
    assert!(failed.stdout.contains(awaits), "{failed}");
    assert!(failed.stdout.contains("waits for approval"), "{failed}");
    // Whoever looks at it approves it.
    let status = env.run(&[&["status", "latest", "--output=json"][..], &ELSEWHERE].concat());
    let status: Value = serde_json::from_str(&env.public(&status.success().raw)).unwrap();
    let rollback = status["plan"].as_str().unwrap();
    let approve = ["approve", "latest", "--plan", rollback];
    env.run(&[&approve[..], &ELSEWHERE].concat()).success();
    on_failure::all_are_first(&env);
}
