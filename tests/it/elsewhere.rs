//! A plan in a file that one machine runs while it is withdrawn on another.

use std::path::PathBuf;

use serde_json::Value;
use stackgate::artifact::{PortablePlan, Store};
use stackgate::journal::{Durability, Journal};
use stackgate::model::EventKind;
use stackgate::pipeline::Execution;

use crate::support::output::Output;
use crate::support::{Emulator, TestEnv, WAITING, simulated};

/// The state folder of the other machine, and one of a third.
const ELSEWHERE: [&str; 2] = ["--state", "elsewhere"];
const THIRD: [&str; 2] = ["--state", "third"];

const SETTINGS: &str = r#"
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: /settings/value, Type: String, Value: one}
"#;

fn file(env: &TestEnv, name: &str) -> PathBuf {
    env.root().join(name)
}

/// Makes a plan file and returns the plan's whole digest.
fn planned(env: &TestEnv, more: &[&str]) -> String {
    env.run(&[&["plan", "settings", "--out", "settings.plan"], more].concat())
        .code(3);
    let shown = env.run(&["show", "settings.plan", "--output", "json"]);
    let shown: Value = serde_json::from_str(&env.public(&shown.success().raw)).unwrap();
    shown["plan"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_run_elsewhere_is_not_withdrawn_under_it() {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/settings.yaml", WAITING);
    let fleet = ["--accounts=111111111111,222222222222", "--max-concurrent=1"];
    planned(&env, &fleet);
    let (first, second) = ("111111111111", "222222222222");
    let cloud = |account| env.cloud(account, "us-east-1");
    let deploy = ["deploy", "--plan", "settings.plan", "--yes"];
    let run = env.start(&[&deploy[..], &ELSEWHERE].concat());
    cloud(first).await_status("settings", "CREATE_IN_PROGRESS");

    for withdraw in [&["reject", "latest"][..], &["stop", "latest", "--give-up"]] {
        let refused = env.run(withdraw);
        let told = &refused.code(2).stderr;
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = "left in `settings.plan` and is being run elsewhere: the change set of \
                    111111111111/us-east-1/settings is EXECUTE_IN_PROGRESS";
        assert!(told.contains(said), "{refused}");
    }
    // A third machine took the plan over, too, and left it to somebody who answers.
    let import = ["deploy", "--plan", "settings.plan", "--detach"];
    env.run(&[&import[..], &THIRD].concat()).code(3);
    for withdraw in [&["reject", "latest"][..], &["stop", "latest", "--give-up"]] {
        let refused = env.run(&[withdraw, &THIRD].concat());
        let told = &refused.code(2).stderr;
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = "came in a file and is being run elsewhere: the change set of \
                    111111111111/us-east-1/settings is EXECUTE_IN_PROGRESS";
        assert!(told.contains(said), "{refused}");
    }
    assert_eq!(cloud(second).open_change_sets("settings").len(), 1);
    for account in [first, second] {
        cloud(account).signal("settings", "Handle", true);
    }
    env.finish(run).success();
    // What was executed is history, which is told, and nothing is removed.
    let late = env.run(&["reject", "latest"]);
    let told = &late.code(4).stderr;
    assert!(told.contains("executed elsewhere"), "{late}");
    let status = cloud(second).status("settings");
    assert_eq!(status.as_deref(), Some("CREATE_COMPLETE"));
}

const FLEET: &str = r#"
targetSets:
  fleet:
    accounts: ["111111111111", "222222222222"]
    regions: [us-east-1]
    waves:
      - {name: canary, accounts: ["111111111111"], approval: true}
      - name: others
"#;

/// Leaves the journal of a machine on which the plan was made and put into the file, and on which nobody answered in time.
fn expired(env: &TestEnv, state: &str) {
    let (mut plan, digest) = PortablePlan::read(&file(env, "settings.plan")).unwrap();
    for event in &mut plan.events {
        if let EventKind::ApprovalRequested { expires, .. } = &mut event.kind {
            *expires = event.at;
        }
    }
    let state = file(env, state);
    let journal = Journal::open(&state).unwrap();
    let at = plan.events[0].at;
    let lease = (journal.acquire(&plan.execution, "earlier", at, |_| false)).unwrap();
    let exported = EventKind::PlanExported {
        path: "settings.plan".to_owned(),
        file: digest,
        by: simulated::approver(),
    };
    let before = Execution::replay(&plan.events).unwrap();
    plan.events.push(before.follow(at, exported).unwrap());
    (journal.append(&lease, 0, &plan.events, &[], Durability::Intent)).unwrap();
    journal.release(&lease).unwrap();
    let store = Store::open(&state.join("artifacts")).unwrap();
    plan.unpack(&store).unwrap();
}

#[test]
fn what_waits_elsewhere_between_two_waves_keeps_what_it_needs() {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/settings.yaml", SETTINGS);
    env.write("stackgate.yaml", FLEET);
    let digest = planned(&env, &["--target-set=fleet"]);
    let run = ["deploy", "--plan", "settings.plan", "--yes"];
    env.run(&[&run[..], &ELSEWHERE].concat()).code(3);
    let cloud = |account| env.cloud(account, "us-east-1");
    let (canary, other) = ("111111111111", "222222222222");
    let status = cloud(canary).status("settings");
    assert_eq!(status.as_deref(), Some("CREATE_COMPLETE"));

    let is_left = |output: &Output| {
        let told = output.to_string();
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = "left to the run of this plan elsewhere; what that leaves, `stackgate clean` removes there";
        assert!(told.contains(said), "{output}");
        assert_eq!(cloud(other).open_change_sets("settings").len(), 1);
    };
    // Where nobody answered in time, where it was given up and where it is rejected at last.
    expired(&env, "expired");
    is_left(&env.run(&["resume", "latest", "--state", "expired"]));
    let import = ["deploy", "--plan", "settings.plan", "--detach"];
    env.run(&[&import[..], &THIRD].concat()).code(3);
    is_left(&env.run(&[&["stop", "latest", "--give-up"][..], &THIRD].concat()));
    is_left(env.run(&["reject", "latest"]).code(4));
    for state in [".stackgate", "third", "expired"] {
        let cleaned = env.run(&["clean", "--yes", "--state", state]);
        let told = &cleaned.success().stdout;
        assert!(told.starts_with("nothing to remove"), "{cleaned}");
        assert_eq!(cloud(other).open_change_sets("settings").len(), 1);
    }

    let go_on = ["approve", "latest", "--wave=canary", "--plan", &digest];
    env.run(&[&go_on[..], &ELSEWHERE].concat()).success();
    let status = cloud(other).status("settings");
    assert_eq!(status.as_deref(), Some("CREATE_COMPLETE"));
}
