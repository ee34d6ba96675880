//! Regions in which nothing answers for longer than calls are tried, through the real driver, journal and SDK in a
//! simulated world.

use std::path::Path;

use stackgate::journal::{Journal, JournalError};
use stackgate::model::{
    CountOrPercent, Event, EventKind, ExecutionOutcome, OperationPreferences, PauseReason,
    RegionConcurrency, Target, TargetOutcome,
};
use stackgate::runtime::Ended;
use stackgate::simulator::Scenario;

use crate::support::simulated::{self, Outcome};

const SILENT: &str = "eu-west-2";

/// One stack at a time in each region, none of which may fail.
fn preferences(region_concurrency: RegionConcurrency) -> OperationPreferences {
    OperationPreferences {
        max_concurrent: CountOrPercent::Count(1),
        failure_tolerance: CountOrPercent::Count(0),
        region_concurrency,
        ..OperationPreferences::default()
    }
}

/// Deploys to two accounts in two regions, taken up again until it ends.
fn deployed(
    scenario: &str,
    region_concurrency: RegionConcurrency,
    project: &Path,
) -> (Outcome, Vec<Target>, Vec<Event>) {
    let scenario: Scenario = serde_yaml::from_str(scenario).expect("a scenario");
    let targets = simulated::targets(2, 2);
    let preferences = preferences(region_concurrency);
    let definition = simulated::definition(targets.clone(), preferences, project);
    let outcome = simulated::run_resumed(scenario, definition, project);
    let journal = Journal::open(&project.join(".stackgate")).expect("a journal");
    let events: Result<Vec<Event>, JournalError> = journal.events(&outcome.state.id, 0).collect();
    let events = events.expect("its events");
    (outcome, targets, events)
}

/// All went well in the end, once, and the region was all that it paused for.
fn assert_well(outcome: &Outcome, targets: &[Target]) {
    let succeeded = Ended::Finished(ExecutionOutcome::Succeeded);
    assert_eq!(format!("{:?}", outcome.ended), format!("{succeeded:?}"));
    let world = outcome.world.cloud();
    for target in targets {
        let told = outcome.state.targets[target].outcome.as_ref();
        assert!(
            matches!(told, Some(TargetOutcome::Succeeded { .. })),
            "{target}: {told:?}"
        );
        let stacks = world.stacks().filter(|s| s.target == *target);
        let executed: Vec<bool> = stacks.flat_map(|s| s.executed()).collect();
        assert_eq!(executed, [true], "{target}");
    }
    assert!(!outcome.pauses.is_empty());
    for reason in &outcome.pauses {
        let PauseReason::Unreachable {
            region, message, ..
        } = reason
        else {
            panic!("{reason:?}");
        };
        assert_eq!(region.as_str(), SILENT);
        assert!(message.contains("tried for 5 min"), "{message}");
    }
}

fn counts(reason: &PauseReason) -> (u32, u32) {
    match reason {
        PauseReason::Unreachable {
            untouched,
            under_way,
            ..
        } => (*untouched, *under_way),
        other => panic!("{other:?}"),
    }
}

#[test]
fn targets_that_were_not_begun_wait_until_their_region_is_back() {
    let project = tempfile::tempdir().expect("a folder");
    let (outcome, targets, _) = deployed(
        "{seed: 1, rules: [{duration: 60s, change_set: 1s}, {targets: eu-west-2, down: 60s..15m}]}",
        RegionConcurrency::Sequential,
        project.path(),
    );
    assert_well(&outcome, &targets);
    // Taken up too early, it waits again.
    assert!(outcome.pauses.len() > 1);
    assert!(outcome.pauses.iter().all(|reason| counts(reason) == (2, 0)));
}

#[test]
fn what_runs_elsewhere_is_seen_to_its_end_and_nothing_else_begins() {
    let project = tempfile::tempdir().expect("a folder");
    let (outcome, targets, events) = deployed(
        "{seed: 1, rules: [{duration: 10m, change_set: 1s}, {targets: eu-west-2, duration: 60s, down: 30s..15m}]}",
        RegionConcurrency::Parallel,
        project.path(),
    );
    assert_well(&outcome, &targets);
    assert_eq!(counts(&outcome.pauses[0]), (1, 1));
    let paused = events
        .iter()
        .position(|e| matches!(e.kind, EventKind::Paused { .. }))
        .expect("it paused");
    let after = events[paused + 1..]
        .iter()
        .take_while(|e| !matches!(e.kind, EventKind::Resumed { .. }));
    let after: Vec<&EventKind> = after.map(|e| &e.kind).collect();
    let ended = after.iter().filter(
        |kind| matches!(kind, EventKind::TargetFinished { outcome, .. } if !outcome.is_failure()),
    );
    assert_eq!(ended.count(), 1, "{after:?}");
    let begun = after
        .iter()
        .filter(|kind| matches!(kind, EventKind::TargetStarted));
    assert_eq!(begun.count(), 0, "{after:?}");
    // It was told long before the pause, once.
    let silent = events[..paused]
        .iter()
        .filter(|e| matches!(&e.kind, EventKind::RegionSilent { silence } if silence.region.as_str() == SILENT));
    assert_eq!(silent.count(), 1);
}
