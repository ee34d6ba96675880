//! Regions in which nothing answers for longer than is waited for.

use super::*;

/// Three targets in two regions, none of which may fail.
fn fleet() -> Case {
    let mut case = canary(Vec::new(), Approval::Approves);
    case.waves = Vec::new();
    case.scripts.push(case.scripts[0].clone());
    case.scripts[2].second_region = true;
    case
}

/// Runs it to its end; returns the regions that were told of, an entry for each time.
fn silent_regions(case: &Case) -> Vec<String> {
    let run = Run::to_the_end(case);
    let outcome = run.machine.state().outcome;
    assert_eq!(outcome, Some(ExecutionOutcome::Succeeded));
    let told = run.events.iter().filter_map(|e| match &e.kind {
        EventKind::Paused {
            reason: PauseReason::Unreachable { region, .. },
        } => Some(region.to_string()),
        EventKind::Paused { reason } => panic!("{reason:?}"),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_silent_region_fails_nothing_and_skips_nothing() {
    let mut case = fleet();
    assert!(silent_regions(&case).is_empty());
    // Before the first call, and once more after somebody took it up too early.
    case.scripts[2].silent = 2;
    assert_eq!(silent_regions(&case), ["us-east-1", "us-east-1"]);
    case.scripts[0].silent = 1;
    assert_eq!(silent_regions(&case).len(), 3);
}

#[test]
fn what_has_failed_waits_for_nobody_who_may_carry_out_more_of_it() {
    let mut case = fleet();
    case.preferences.region_concurrency = RegionConcurrency::Parallel;
    case.scripts[0].fate = Fate::Stale;
    // The last of what is under way ends first: the failure is known before the silence is.
    case.scripts[2].silent = u8::MAX;
    let run = Run::to_the_end(&case);
    let paused = run
        .events
        .iter()
        .filter(|e| matches!(e.kind, EventKind::Paused { .. }));
    assert_eq!(paused.count(), 0);
    let state = run.machine.state();
    assert_eq!(state.outcome, Some(ExecutionOutcome::Failed));
    let region = target(0, false).region;
    let reason = SkipReason::EarlierRegionFailed { region };
    let skipped = TargetOutcome::Skipped { reason };
    assert_eq!(state.targets[&target(2, true)].outcome, Some(skipped));
}

#[test]
fn a_request_that_never_left_is_made_when_the_region_is_back() {
    let mut case = fleet();
    case.scripts[1].execute = vec![Fault::Unreachable, Fault::None];
    assert_eq!(silent_regions(&case), ["eu-west-1"]);
}
