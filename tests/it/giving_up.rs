//! An execution may be given up wherever it was left: what was executed is told, and of the rest nothing stays.

use std::thread;

use serde_json::Value;

use crate::support::output::Output;
use crate::support::process::Process;
use crate::support::proxy::{Fate, Fault, Gate, Proxy, Rule};
use crate::support::{Emulator, TestEnv};

const TEMPLATE: &str = r#"
Resources:
  Topic: {Type: "AWS::SNS::Topic"}
"#;

const PLACES: [(&str, &str); 2] = [("111111111111", "us-east-1"), ("111111111111", "eu-west-1")];

struct Trial {
    env: TestEnv,
    proxy: Proxy,
}

impl Trial {
    fn new() -> Trial {
        let env = TestEnv::on(Emulator::Ministack);
        env.write("templates/app.yaml", TEMPLATE);
        let proxy = Proxy::start(&env.endpoint());
        let env = env.through(&proxy);
        Trial { env, proxy }
    }

    fn deploy(approval: &'static str) -> [&'static str; 4] {
        let regions = "--regions=us-east-1,eu-west-1";
        ["deploy", "app", regions, approval]
    }

    /// Runs the binary, which dies after the append of that number; returns nothing if it died.
    fn run(&self, arguments: &[&str], append: Option<usize>) -> Option<Output> {
        let mut command = self.env.command(arguments);
        if let Some(append) = append {
            command.env("STACKGATE_CRASH_AFTER_APPEND", append.to_string());
        }
        let output = self.env.finish(Process::start(command));
        self.proxy.wait_until("calls at rest", |calls| {
            calls.iter().all(|call| call.fate != Fate::Pending)
        });
        output.code.is_some().then_some(output)
    }

    fn status(&self) -> Value {
        let output = self.env.run(&["status", "latest", "--output=json"]);
        serde_json::from_str(&self.env.public(&output.success().raw)).unwrap()
    }

    fn calls(&self, place: (&str, &str), call: &str) -> usize {
        let key = format!("{}/{}/app {call}", place.0, place.1);
        let mutations = self.proxy.mutations().into_iter();
        let mut mutations = mutations.map(|(key, count)| (self.env.public(&key), count));
        mutations.find(|(k, _)| *k == key).map_or(0, |(_, n)| n)
    }

    /// Checks that every target says what is true of it; returns how many were executed.
    fn executed(&self) -> usize {
        let status = self.status();
        let mut executed = 0;
        for place in PLACES {
            let targets = status["targets"].as_array().unwrap();
            let said = targets.iter().find(|t| t["region"] == place.1).unwrap();
            let cloud = self.env.cloud(place.0, place.1);
            let there = cloud.status("app").filter(|s| s != "DELETE_COMPLETE");
            assert!(self.calls(place, "CreateChangeSet") <= 1, "{status:#}");
            match self.calls(place, "ExecuteChangeSet") {
                0 => {
                    assert_eq!(said["phase"], "skipped", "{status:#}");
                    assert_eq!(said["outcome"]["skipped"]["reason"], "stopped");
                    assert_eq!(there, None, "{status:#}");
                }
                1 => {
                    executed += 1;
                    assert_eq!(said["phase"], "succeeded", "{status:#}");
                    assert_eq!(there.as_deref(), Some("CREATE_COMPLETE"));
                }
                many => panic!("executed {many} times: {status:#}"),
            }
        }
        let outcome = if executed == PLACES.len() {
            "succeeded"
        } else {
            "stopped"
        };
        assert_eq!(status["outcome"], outcome, "{status:#}");
        executed
    }
}

#[test]
fn what_was_approved_and_not_begun_is_given_up() {
    let trial = Trial::new();
    let env = &trial.env;
    env.run(&Trial::deploy("--detach")).code(3);
    let plan = trial.status()["plan"].as_str().unwrap().to_owned();
    env.run(&["approve", "latest", "--plan", &plan, "--detach"])
        .success();
    let refused = env.run(&["reject", "latest"]);
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(refused.stderr.contains("--give-up"), "{refused}");
    let asked = env.run(&["stop", "latest"]);
    assert!(asked.success().stdout.contains("--give-up"), "{asked}");

    let given_up = env.run(&["stop", "latest", "--give-up", "-m", "not this week"]);
    given_up.code(4);
    assert!(
        given_up.stdout.contains("given up; nothing was executed"),
        "{given_up}"
    );
    assert!(given_up.stdout.contains("not this week"), "{given_up}");
    assert_eq!(trial.executed(), 0);
    assert!(env.run(&["list"]).success().stdout.contains("given up"));
    let again = env.run(&["stop", "latest", "--give-up"]);
    assert_eq!(again.code, Some(2), "{again}");
    assert!(again.stderr.contains("ended already: given up"), "{again}");
}

#[test]
fn what_waits_for_an_answer_is_given_up_as_well() {
    let trial = Trial::new();
    trial.env.run(&Trial::deploy("--detach")).code(3);
    trial.env.run(&["stop", "latest", "--give-up"]).code(4);
    assert_eq!(trial.executed(), 0);
}

#[test]
fn wherever_it_died_and_wherever_giving_up_dies_the_end_is_true() {
    const LANES: usize = 4;
    let ends: Vec<Vec<usize>> = thread::scope(|scope| {
        let lanes = (1..=LANES).map(|lane| {
            scope.spawn(move || {
                let mut ends = Vec::new();
                for number in (lane..).step_by(LANES) {
                    let trial = Trial::new();
                    if let Some(lived) = trial.run(&Trial::deploy("--yes=high"), Some(number)) {
                        lived.code(0);
                        return ends;
                    }
                    let stop = ["stop", "latest", "--give-up"];
                    // It dies too, at a point that wanders; whoever resumes then gives up as well.
                    let mut last = trial.run(&stop, Some(1 + number % 5));
                    for _ in 0..20 {
                        if last.is_some() {
                            break;
                        }
                        last = trial.run(&["resume", "latest"], Some(4));
                    }
                    let executed = trial.executed();
                    let last = last.expect("it comes to an end");
                    // One that died when all was done refuses to be given up.
                    let is_late = last.stderr.contains("ended already: succeeded");
                    let expected = if executed == PLACES.len() { 0 } else { 4 };
                    assert!(is_late || last.code == Some(expected), "{last}");
                    ends.push(executed);
                }
                ends
            })
        });
        let lanes: Vec<_> = lanes.collect();
        lanes.into_iter().map(|l| l.join().unwrap()).collect()
    });
    for executed in 0..=PLACES.len() {
        assert!(
            ends.iter().flatten().any(|n| *n == executed),
            "nothing was given up after {executed}: {ends:?}"
        );
    }
}

#[test]
fn a_stop_that_comes_while_the_process_still_connects_is_heard() {
    let trial = Trial::new();
    let env = &trial.env;
    env.run(&Trial::deploy("--detach")).code(3);
    let plan = trial.status()["plan"].as_str().unwrap().to_owned();
    let approve = ["approve", "latest", "--detach", "--plan", &plan];
    env.run(&approve).success();
    trial.proxy.forget();
    let gate = Gate::default();
    let held = Rule::new(Fault::Hold(gate.clone())).operation("GetCallerIdentity");
    trial.proxy.disturb(held);
    let resumed = env.start(&["resume", "latest"]);
    trial.proxy.wait_until("its first call", |calls| {
        calls.iter().any(|c| c.operation == "GetCallerIdentity")
    });
    let stop = env.run(&["stop", "latest"]);
    assert!(
        stop.success().stdout.contains("to stop execution"),
        "{stop}"
    );
    gate.open();
    let stopped = env.finish(resumed);
    stopped.code(130);
    assert!(
        stopped.stderr.contains("stopped; nothing runs"),
        "{stopped}"
    );
    assert_eq!(trial.proxy.count("ExecuteChangeSet"), 0);
    // It was meant for that process, and not for the next one.
    env.run(&["resume", "latest"]).success();
    assert_eq!(trial.proxy.count("ExecuteChangeSet"), 2);
}
