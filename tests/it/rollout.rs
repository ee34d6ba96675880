//! A fleet is rolled out as in life: some targets fail, the process is killed, taken up again, what failed is run again,
//! and all of it is taken back. What is there after each step is read past stackgate, from every target.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::Emulator;
use crate::support::output::{Output, normalise};
use crate::support::process::Process;
use crate::support::proxy::{Call, Error, Fate, Fault, Proxy, Rule};
use crate::support::rollout::{FIRST, Fleet, Place, STACK, Seed, second};

/// Three of ten targets fail.
const FAILING: usize = 12;

/// The second version's way over the fleet, and back.
struct Story {
    fleet: Fleet,
    failing: BTreeSet<Place>,
    /// How often each stack has to have been updated.
    updates: BTreeMap<Place, usize>,
}

impl Story {
    /// Deploys the first version everywhere, and puts in the way of the second what makes it fail.
    fn begin(fleet: Fleet, seed: &Seed) -> Story {
        fleet.write(FIRST, "one");
        let output = fleet.env.run(&fleet.deploy());
        assert_eq!(fleet.document(output.success())["outcome"], "succeeded");
        fleet.assert_all(FIRST, "one");
        let failing = fleet.chosen(FAILING, seed);
        fleet.block(&failing, true);
        fleet.write(&second(), "two");
        let updates = fleet.places().iter().map(|place| (place.clone(), 0));
        Story {
            updates: updates.collect(),
            fleet,
            failing,
        }
    }

    /// Starts the second version, to be killed.
    fn start(&self) -> Process {
        self.fleet.env.start(&self.fleet.deploy())
    }

    /// Kills the process as `kill -9` does, and takes the execution up before anybody has noticed that it is gone.
    fn kill_and_resume(&self, process: Process) -> Output {
        process.kill_unreaped();
        let left = self.fleet.status();
        assert_eq!(left["alive"], false, "{left:#}");
        assert_eq!(left["outcome"], Value::Null);
        let succeeded = left["counts"]["succeeded"].as_u64().unwrap();
        assert!((5..28).contains(&succeeded), "not midway: {left:#}");
        let resumed = self.fleet.env.run(&["resume", "latest", "--output=json"]);
        let killed = self.fleet.env.finish(process);
        assert_eq!(killed.code, None, "it was to be killed:\n{killed}");
        resumed
    }

    /// Checks that each target is what its outcome says, and that each was executed as often as that says.
    fn check(&mut self) -> BTreeMap<String, BTreeSet<Place>> {
        let ended = self.fleet.outcomes();
        for (outcome, places) in &ended {
            for place in places {
                let (template, version, is_executed) = match outcome.as_str() {
                    "succeeded" => (second(), "two", true),
                    "failed" => (FIRST.to_owned(), "one", true),
                    "skipped" => (FIRST.to_owned(), "one", false),
                    other => panic!("{place:?} is {other}"),
                };
                self.fleet.assert_version(place, &template, version);
                *self.updates.get_mut(place).unwrap() += usize::from(is_executed);
            }
        }
        for place in ended.get("failed").into_iter().flatten() {
            let status = self.fleet.cloud(place).status(STACK);
            assert_eq!(status.as_deref(), Some("UPDATE_ROLLBACK_COMPLETE"));
        }
        self.check_updates();
        ended
    }

    #[track_caller]
    fn check_updates(&self) {
        let updates = |place: &Place| (place.clone(), self.fleet.updates(place));
        let found: BTreeMap<Place, usize> = self.updates.keys().map(updates).collect();
        assert_eq!(found, self.updates, "each update begins once");
    }

    /// Takes away what was in the way, and runs again what is not done.
    fn retry(&mut self, first: &Value, not_done: &BTreeSet<Place>) -> Value {
        self.fleet.block(&self.failing, false);
        let id = first["execution"].as_str().unwrap();
        let output = self.fleet.env.run(&[
            "retry",
            id,
            "--failed",
            "--skipped",
            "--yes=high",
            "--output=json",
        ]);
        println!("{output}");
        let retried = self.fleet.document(output.success());
        assert_eq!(retried["outcome"], "succeeded");
        assert_eq!(retried["follows"], json!({ "retries": id }));
        let ended = self.fleet.outcomes();
        assert_eq!(ended.get("succeeded"), Some(not_done));
        assert_eq!(ended.len(), 1, "{ended:?}");
        for place in not_done {
            *self.updates.get_mut(place).unwrap() += 1;
        }
        self.fleet.assert_all(&second(), "two");
        self.check_updates();
        retried
    }

    /// Rolls back what an execution changed, and returns what was said.
    fn roll_back(&mut self, execution: &Value, changed: &BTreeSet<Place>) -> Output {
        let id = execution["execution"].as_str().unwrap();
        let output = self
            .fleet
            .env
            .run(&["rollback", id, "--yes=high", "--output=json"]);
        println!("{output}");
        let document = self.fleet.document(output.success());
        assert_eq!(document["follows"], json!({ "rolls_back": id }));
        assert_eq!(self.fleet.outcomes().get("succeeded"), Some(changed));
        for place in changed {
            *self.updates.get_mut(place).unwrap() += 1;
        }
        output
    }

    /// Checks that whoever forgets the retry is told: its targets would stay at the second version.
    fn check_warning(&self, first: &Value, retried: &Value) {
        let id = retried["execution"].as_str().unwrap();
        let warning = format!("note: execution {id}, a retry of that one, is newer and changed");
        let warning = normalise(&warning);
        let first = first["execution"].as_str().unwrap();
        let planned = self.fleet.env.run(&["rollback", first, "--detach"]);
        planned.code(3);
        assert!(planned.stderr.contains(&warning), "{planned}");
        let waiting = self.fleet.env.run(&["status", "latest", "--output=json"]);
        let waiting = self.fleet.document(waiting.success());
        let notes = waiting["review"]["notes"].to_string();
        let told = warning.trim_start_matches("note: ");
        assert!(normalise(&notes).contains(told), "{notes}");
        self.fleet.env.run(&["reject", "latest"]).code(4);
    }

    /// Rolls back the newer execution and then the older one, after which all is as it was.
    fn roll_back_both(
        &mut self,
        first: (&Value, &BTreeSet<Place>),
        retried: (&Value, &BTreeSet<Place>),
    ) {
        let newer = self.roll_back(retried.0, retried.1);
        assert!(!newer.stderr.contains("is newer"), "{newer}");
        let older = self.roll_back(first.0, first.1);
        assert!(!older.stderr.contains("is newer"), "{older}");
        self.fleet.assert_all(FIRST, "one");
        self.check_updates();
    }
}

fn all_of(ended: &BTreeMap<String, BTreeSet<Place>>, outcomes: &[&str]) -> BTreeSet<Place> {
    let found = outcomes.iter().filter_map(|outcome| ended.get(*outcome));
    found.flatten().cloned().collect()
}

/// Waits until so many targets were executed that the second wave is under way.
fn await_executions(proxy: &Proxy, count: usize) {
    proxy.wait_until("a second wave", |calls| {
        calls.iter().filter(|call| is_executed(call)).count() >= count
    });
}

fn is_executed(call: &Call) -> bool {
    call.operation == "ExecuteChangeSet" && call.arrived()
}

#[test]
fn forty_targets_are_rolled_out_killed_resumed_retried_and_rolled_back() {
    let seed = Seed::or(1);
    let preferences = [
        "max-concurrent: 25%",
        "failure-tolerance: 100%",
        "region-concurrency: parallel",
    ];
    let fleet = Fleet::new(Emulator::Ministack, 8, &preferences);
    let proxy = Proxy::start(&fleet.env.endpoint());
    let mut story = Story::begin(fleet.through(&proxy), &seed);

    proxy.forget();
    let process = story.start();
    await_executions(&proxy, 14);
    let resumed = story.kill_and_resume(process);
    println!("{resumed}");
    resumed.code(5);
    let first = story.fleet.document(&resumed);
    assert_eq!(first["counts"]["succeeded"], 28);
    assert_eq!(first["counts"]["failed"], FAILING);
    let ended = story.check();
    assert_eq!(ended["failed"], story.failing);

    let retried = story.retry(&first, &story.failing.clone());
    story.check_warning(&first, &retried);
    story.roll_back_both((&first, &ended["succeeded"]), (&retried, &ended["failed"]));
}

#[test]
fn twenty_targets_are_created_updated_and_deleted_as_is_reported() {
    let preferences = ["max-concurrent: 50%", "region-concurrency: parallel"];
    let fleet = Fleet::new(Emulator::LocalStack, 4, &preferences);
    let canary: BTreeSet<Place> = fleet.places()[..5].iter().cloned().collect();
    let all: BTreeSet<Place> = fleet.places().iter().cloned().collect();
    for (template, version) in [(FIRST.to_owned(), "one"), (second(), "two")] {
        fleet.write(&template, version);
        let output = fleet.env.run(&fleet.deploy());
        check_report(&fleet, output.success(), "deploy", &all);
        fleet.assert_all(&template, version);
    }
    // What is as it should be is left alone, and somebody who looks is told so.
    let output = fleet.env.run(&fleet.deploy());
    let report = fleet.document(output.success());
    assert_eq!(report["counts"]["unchanged"], 20);
    assert_eq!(fleet.outcomes()["no_changes"], all);

    let delete = |accounts: &str| {
        let accounts = format!("--accounts={accounts}");
        fleet.env.run(&[
            "delete",
            STACK,
            "--target-set=fleet",
            &accounts,
            "--yes=high",
            "--output=json",
        ])
    };
    let output = delete("111111111111");
    check_report(&fleet, output.success(), "delete", &canary);
    for place in &all {
        let is_there = fleet.cloud(place).parameter("/rollout/setting").is_some();
        assert_eq!(is_there, !canary.contains(place), "{place:?}");
    }
    let rest: BTreeSet<Place> = all.difference(&canary).cloned().collect();
    let output = delete("222222222222,333333333333,444444444444");
    check_report(&fleet, output.success(), "delete", &rest);
    for place in &all {
        let cloud = fleet.cloud(place);
        assert_eq!(cloud.parameter("/rollout/setting"), None, "{place:?}");
        let status = cloud.status(STACK);
        let is_gone = |status: String| status == "DELETE_COMPLETE";
        assert!(status.is_none_or(is_gone), "{place:?}");
    }
}

/// Checks that a run, the journal and the list of executions say the same: all these targets succeeded.
#[track_caller]
fn check_report(fleet: &Fleet, output: &Output, operation: &str, targets: &BTreeSet<Place>) {
    let report = fleet.document(output);
    assert_eq!(report["operation"], operation);
    assert_eq!(report["outcome"], "succeeded");
    assert_eq!(report["counts"]["total"], targets.len());
    assert_eq!(report["counts"]["succeeded"], targets.len());
    for none in [
        "failed",
        "not_planned",
        "unknown",
        "stale",
        "not_started",
        "halted",
        "next",
    ] {
        assert_eq!(report[none], json!([]), "{none}");
    }
    let status = fleet.status();
    for same in ["execution", "outcome", "counts", "plan"] {
        assert_eq!(status[same], report[same], "{same}");
    }
    let ended = fleet.outcomes();
    assert_eq!(ended.get("succeeded"), Some(targets));
    let list = fleet.env.run(&["list", "--output=json"]);
    let list = fleet.document(list.success());
    assert_eq!(list["executions"][0]["execution"], report["execution"]);
    assert_eq!(list["executions"][0]["state"], "succeeded");
}

#[test]
fn the_same_holds_where_calls_are_throttled_and_replies_are_lost() {
    let seed = Seed::or(2);
    // The first region with a third failure is the last one.
    let preferences = ["max-concurrent: 50%", "failure-tolerance: 2"];
    let fleet = Fleet::new(Emulator::Ministack, 8, &preferences);
    let proxy = Proxy::start(&fleet.env.endpoint());
    let fleet = fleet.through(&proxy);
    let throttled = Rule::new(Fault::Answer(Error::THROTTLING));
    proxy.disturb(throttled.every(12));
    proxy.disturb(Rule::new(Fault::LoseReply).mutations().every(5));
    let mut story = Story::begin(fleet, &seed);

    proxy.forget();
    let process = story.start();
    await_executions(&proxy, 8);
    let resumed = story.kill_and_resume(process);
    println!("{resumed}");
    resumed.code(1);
    let first = story.fleet.document(&resumed);
    let ended = story.check();
    assert!(ended["failed"].is_subset(&story.failing));
    assert!(ended["failed"].len() > 2 && !ended["skipped"].is_empty());
    assert!(ended["succeeded"].is_disjoint(&story.failing));

    let not_done = all_of(&ended, &["failed", "skipped"]);
    let retried = story.retry(&first, &not_done);
    story.roll_back_both((&first, &ended["succeeded"]), (&retried, &not_done));

    // Nothing that reached the emulator reached it again.
    let mutations = proxy.mutations();
    for (place, count) in &story.updates {
        let key = format!("{}/{}/{STACK}", place.0, place.1);
        let key = format!("{} ExecuteChangeSet", story.fleet.env.private(&key));
        assert_eq!(mutations.get(&key), Some(count), "{key}");
    }
    // Nor did anything overtake the canary.
    let executed = proxy.calls().into_iter().filter(is_executed);
    let accounts: Vec<String> = executed.map(|call| call.account).take(5).collect();
    assert_eq!(
        accounts,
        vec![story.fleet.env.private(&story.fleet.places()[0].0); 5]
    );
    for operation in ["CreateChangeSet", "ExecuteChangeSet"] {
        let is_lost = |call: &Call| call.operation == operation && call.fate == Fate::Lost(200);
        assert!(proxy.calls().iter().any(is_lost), "no {operation} was lost");
    }
}
