//! Rollouts of one wave; those of several are below.

mod waves;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::model::{
    AccountId, ConcurrencyMode, CountOrPercent, Gate, RegionConcurrency, StackName,
};

fn region(text: &str) -> Region {
    Region::new(text).unwrap()
}

fn target(account: usize, region: &Region) -> Target {
    Target {
        account: AccountId::new(format!("{account:012}")).unwrap(),
        region: region.clone(),
        stack: StackName::new("network").unwrap(),
    }
}

fn targets(accounts: usize, region_name: &str) -> Vec<Target> {
    let region = region(region_name);
    (0..accounts).map(|a| target(a, &region)).collect()
}

fn preferences(max: u32, tolerance: u32) -> OperationPreferences {
    OperationPreferences {
        max_concurrent: CountOrPercent::Count(max),
        failure_tolerance: CountOrPercent::Count(tolerance),
        ..OperationPreferences::default()
    }
}

/// Begins and skips all that may be, and returns how many began.
fn advance(rollout: &mut Rollout) -> usize {
    let next = rollout.next();
    for target in &next.start {
        rollout.begin(target);
    }
    for (target, _) in &next.skip {
        rollout.skip(target);
    }
    next.start.len()
}

fn running(rollout: &Rollout) -> Vec<Target> {
    rollout.running().cloned().collect()
}

// --- the worked examples of the StackSets documentation

#[test]
fn strict_starts_within_the_tolerance_and_shrinks() {
    let mut rollout = Rollout::new(&targets(20, "eu-west-1"), &preferences(10, 5));
    assert_eq!(advance(&mut rollout), 6);
    let mut in_flight = vec![6];
    for _ in 0..6 {
        let first = running(&rollout).remove(0);
        rollout.finish(&first, true);
        advance(&mut rollout);
        in_flight.push(rollout.running().count());
    }
    assert_eq!(in_flight, [6, 5, 4, 3, 2, 1, 0]);
    assert!(rollout.is_failed());
    assert!(rollout.next().done);
}

#[test]
fn strict_batches_shrink_by_the_failures_of_each() {
    let mut rollout = Rollout::new(&targets(1000, "eu-west-1"), &preferences(250, 100));
    let mut batches = Vec::new();
    for _ in 0..5 {
        batches.push(advance(&mut rollout));
        for (index, target) in running(&rollout).iter().enumerate() {
            rollout.finish(target, index < 20);
        }
    }
    assert_eq!(batches, [101, 81, 61, 41, 21]);
    assert_eq!(batches.iter().sum::<usize>(), 305);
    assert!(
        !rollout.is_failed(),
        "100 failures are within the tolerance"
    );
}

#[test]
fn soft_batches_keep_the_full_concurrency() {
    let preferences = OperationPreferences {
        concurrency_mode: ConcurrencyMode::Soft,
        ..preferences(250, 100)
    };
    let mut rollout = Rollout::new(&targets(1000, "eu-west-1"), &preferences);
    for _ in 0..4 {
        assert_eq!(advance(&mut rollout), 250);
        for (index, target) in running(&rollout).iter().enumerate() {
            rollout.finish(target, index < 20);
        }
    }
    assert!(rollout.next().done);
}

#[test]
fn strict_walk_through_attempts_nine_and_stops_at_the_sixth_failure() {
    let mut rollout = Rollout::new(&targets(20, "eu-west-1"), &preferences(10, 5));
    let mut attempted = advance(&mut rollout);
    for failed in [false, false, false, true, true, true, true, true, true] {
        let first = running(&rollout).remove(0);
        rollout.finish(&first, failed);
        attempted += advance(&mut rollout);
    }
    assert_eq!(attempted, 9);
    assert!(rollout.next().done);
}

#[test]
fn soft_walk_through_lets_what_runs_finish() {
    let preferences = OperationPreferences {
        concurrency_mode: ConcurrencyMode::Soft,
        ..preferences(10, 5)
    };
    let mut rollout = Rollout::new(&targets(20, "eu-west-1"), &preferences);
    let mut attempted = advance(&mut rollout);
    let mut finish = |rollout: &mut Rollout, outcomes: &[bool]| {
        for (target, failed) in running(rollout).iter().zip(outcomes) {
            rollout.finish(target, *failed);
        }
        attempted += advance(rollout);
    };
    finish(&mut rollout, &[true, true, false, true, true]);
    // Three end between two looks; the last of them is the sixth failure.
    finish(&mut rollout, &[true, false, true]);
    assert_eq!(rollout.running().count(), 7);
    assert!(rollout.is_failed());
    assert!(!rollout.next().done);
    finish(
        &mut rollout,
        &[false, true, false, false, true, false, false],
    );
    assert_eq!(attempted, 15);
    assert_eq!(rollout.waves[0].lanes[0].failed, 8);
    assert!(rollout.next().done);
}

// --- regions

#[test]
fn regions_run_in_the_given_order_and_others_follow() {
    let mut all = targets(1, "us-east-1");
    all.extend(targets(1, "ap-south-1"));
    all.extend(targets(2, "eu-west-1"));
    let preferences = OperationPreferences {
        region_order: ["eu-west-1", "sa-east-1", "eu-west-1"].map(region).into(),
        ..preferences(5, 5)
    };
    let mut rollout = Rollout::new(&all, &preferences);
    let mut order = Vec::new();
    while !rollout.next().done {
        advance(&mut rollout);
        let batch = running(&rollout);
        order.push(batch[0].region.to_string());
        assert!(batch.iter().all(|t| t.region == batch[0].region));
        for target in &batch {
            rollout.finish(target, false);
        }
    }
    assert_eq!(order, ["eu-west-1", "us-east-1", "ap-south-1"]);
}

#[test]
fn a_failed_region_cancels_its_remainder_and_all_later_ones() {
    let mut all = targets(3, "eu-west-1");
    all.extend(targets(1, "us-east-1"));
    let mut rollout = Rollout::new(&all, &preferences(1, 0));
    advance(&mut rollout);
    rollout.finish(&all[0], true);
    let exceeded = SkipReason::ToleranceExceeded {
        failed: 1,
        tolerance: 0,
    };
    let earlier = SkipReason::EarlierRegionFailed {
        region: region("eu-west-1"),
    };
    let next = rollout.next();
    assert_eq!(next.start, []);
    assert_eq!(
        next.skip,
        [
            (all[1].clone(), exceeded.clone()),
            (all[2].clone(), exceeded),
            (all[3].clone(), earlier),
        ]
    );
    let failed: Vec<_> = rollout.failed_regions().collect();
    assert_eq!(failed, [&region("eu-west-1")]);
}

#[test]
fn regions_in_parallel_fail_alone() {
    let mut all = targets(2, "eu-west-1");
    all.extend(targets(2, "us-east-1"));
    let preferences = OperationPreferences {
        region_concurrency: RegionConcurrency::Parallel,
        ..preferences(1, 0)
    };
    let mut rollout = Rollout::new(&all, &preferences);
    assert_eq!(rollout.next().start, [all[0].clone(), all[2].clone()]);
    advance(&mut rollout);
    rollout.finish(&all[0], true);
    rollout.finish(&all[2], false);
    let next = rollout.next();
    assert_eq!(next.start, [all[3].clone()]);
    assert_eq!(next.skip.len(), 1);
    assert_eq!(next.skip[0].0, all[1]);
}

#[test]
fn a_later_region_waits_for_the_last_target_of_the_one_before() {
    let mut all = targets(2, "eu-west-1");
    all.extend(targets(1, "us-east-1"));
    let mut rollout = Rollout::new(&all, &preferences(2, 1));
    advance(&mut rollout);
    rollout.finish(&all[0], true);
    assert_eq!(rollout.next(), Next::default());
    rollout.finish(&all[1], false);
    assert_eq!(rollout.next().start, [all[2].clone()]);
}

// --- targets that never begin

#[test]
fn targets_may_finish_without_having_begun() {
    let all = targets(4, "eu-west-1");
    let mut rollout = Rollout::new(&all, &preferences(2, 0));
    rollout.finish(&all[0], false);
    assert_eq!(rollout.next().start, [all[1].clone()]);
    rollout.finish(&all[2], true);
    assert!(rollout.is_failed());
    let next = rollout.next();
    assert_eq!((next.start.len(), next.skip.len()), (0, 2));
}

#[test]
fn a_target_ends_once() {
    let all = targets(2, "eu-west-1");
    let mut rollout = Rollout::new(&all, &preferences(1, 0));
    rollout.begin(&all[0]);
    rollout.finish(&all[0], false);
    let ended = rollout.clone();
    rollout.finish(&all[0], true);
    rollout.begin(&all[0]);
    rollout.skip(&all[0]);
    rollout.finish(&target(77, &region("eu-west-1")), true);
    assert_eq!(rollout, ended);
}

#[test]
fn a_running_target_is_not_skipped() {
    let all = targets(1, "eu-west-1");
    let mut rollout = Rollout::new(&all, &preferences(1, 0));
    rollout.begin(&all[0]);
    rollout.skip(&all[0]);
    assert_eq!(running(&rollout), all);
}

#[test]
fn no_targets_are_done_and_a_target_named_twice_counts_once() {
    assert!(Rollout::new(&[], &preferences(1, 0)).next().done);
    let mut twice = targets(2, "eu-west-1");
    twice.extend(targets(2, "eu-west-1"));
    let rollout = Rollout::new(&twice, &preferences(9, 9));
    assert_eq!(rollout.next().start, targets(2, "eu-west-1"));
}

// --- properties over whole rollouts

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Begin,
    Finish { failed: bool },
    Skip,
}

#[derive(Debug, Clone)]
struct World {
    targets: Vec<Target>,
    preferences: OperationPreferences,
    /// Targets that end before anything begins, and whether they fail.
    settled: Vec<(Index, bool)>,
    /// Which running target ends next, and whether it fails.
    endings: Vec<(Index, bool)>,
}

/// What a driver did, and what it saw on the way.
struct Run {
    steps: Vec<(Target, Step)>,
    skipped: BTreeMap<Target, SkipReason>,
    /// After each step: the lanes' running and failed counts.
    seen: Vec<Rollout>,
    end: Rollout,
}

fn number() -> impl Strategy<Value = CountOrPercent> {
    prop_oneof![
        (0u32..8).prop_map(CountOrPercent::Count),
        (0u8..=100).prop_map(CountOrPercent::Percent),
    ]
}

const REGIONS: [&str; 4] = ["eu-west-1", "us-east-1", "ap-south-1", "sa-east-1"];

fn world() -> impl Strategy<Value = World> {
    let targets = prop::collection::vec((0usize..9, 0usize..4), 0..30).prop_map(|places| {
        let targets = places.into_iter();
        targets
            .map(|(account, r)| target(account, &region(REGIONS[r])))
            .collect()
    });
    let preferences = (
        prop::sample::subsequence(REGIONS.to_vec(), 0..=4).prop_shuffle(),
        any::<(bool, bool)>(),
        number(),
        number(),
    )
        .prop_map(
            |(order, (parallel, soft), max, tolerance)| OperationPreferences {
                region_order: order.into_iter().map(region).collect(),
                region_concurrency: match parallel {
                    true => RegionConcurrency::Parallel,
                    false => RegionConcurrency::Sequential,
                },
                max_concurrent: max,
                failure_tolerance: tolerance,
                concurrency_mode: match soft {
                    true => ConcurrencyMode::Soft,
                    false => ConcurrencyMode::Strict,
                },
            },
        );
    let settled = prop::collection::vec((any::<Index>(), any::<bool>()), 0..3);
    let endings = prop::collection::vec((any::<Index>(), prop::bool::weighted(0.3)), 30);
    (targets, preferences, settled, endings).prop_map(|(targets, preferences, settled, endings)| {
        World {
            targets,
            preferences,
            settled,
            endings,
        }
    })
}

fn apply(rollout: &mut Rollout, target: &Target, step: Step) {
    match step {
        Step::Begin => rollout.begin(target),
        Step::Finish { failed } => rollout.finish(target, failed),
        Step::Skip => rollout.skip(target),
    }
}

fn run(world: &World) -> Run {
    let mut end = Rollout::new(&world.targets, &world.preferences);
    let mut seen = vec![end.clone()];
    let mut steps = Vec::new();
    let mut skipped = BTreeMap::new();
    let mut step = |end: &mut Rollout, target: &Target, step: Step| {
        apply(end, target, step);
        steps.push((target.clone(), step));
        seen.push(end.clone());
    };
    for (index, failed) in &world.settled {
        let waiting: Vec<Target> = end.waiting().cloned().collect();
        if !waiting.is_empty() {
            let failed = *failed;
            step(&mut end, index.get(&waiting), Step::Finish { failed });
        }
    }
    let mut endings = world.endings.iter().cycle();
    loop {
        let next = end.next();
        if next.done {
            break;
        }
        for target in &next.start {
            step(&mut end, target, Step::Begin);
        }
        for (target, reason) in next.skip {
            step(&mut end, &target, Step::Skip);
            skipped.insert(target, reason);
        }
        let running = running(&end);
        if !running.is_empty() {
            let (index, failed) = endings.next().unwrap();
            let failed = *failed;
            step(&mut end, index.get(&running), Step::Finish { failed });
        }
    }
    Run {
        steps,
        skipped,
        seen,
        end,
    }
}

proptest! {
    #[test]
    fn invariant_never_more_in_flight_than_allowed(world in world()) {
        let run = run(&world);
        for (before, (target, step)) in run.seen.iter().zip(&run.steps) {
            if *step == Step::Begin {
                let lane = before.waves[0].lanes.iter().find(|l| l.region == target.region).unwrap();
                let allowed = lane.limits.allowed(lane.failed) as usize;
                prop_assert!(lane.running.len() < allowed);
                prop_assert!(lane.running.len() < lane.limits.max_concurrent as usize);
                prop_assert!(!lane.has_failed());
            }
        }
    }

    #[test]
    fn invariant_strict_failures_never_exceed_tolerance_plus_one(world in world()) {
        let mut world = world;
        world.preferences.concurrency_mode = ConcurrencyMode::Strict;
        world.settled.clear();
        let run = run(&world);
        for lane in run.end.lanes() {
            prop_assert!(lane.failed <= lane.limits.tolerance + 1);
        }
    }

    #[test]
    fn invariant_every_target_ends_exactly_once(world in world()) {
        let run = run(&world);
        let mut ends: BTreeMap<&Target, usize> = world.targets.iter().map(|t| (t, 0)).collect();
        for (target, step) in &run.steps {
            if *step != Step::Begin {
                *ends.get_mut(target).unwrap() += 1;
            }
        }
        prop_assert!(ends.values().all(|count| *count == 1), "{ends:?}");
    }

    #[test]
    fn invariant_every_skip_has_a_reason(world in world()) {
        let run = run(&world);
        let failed: Vec<&Region> = run.end.failed_regions().collect();
        for (target, reason) in &run.skipped {
            let lane = run.end.waves[0].lanes.iter().position(|l| l.region == target.region).unwrap();
            match reason {
                SkipReason::ToleranceExceeded { failed: count, tolerance } => {
                    prop_assert!(count > tolerance);
                    prop_assert_eq!(*tolerance, run.end.waves[0].lanes[lane].limits.tolerance);
                    prop_assert!(failed.contains(&&target.region));
                }
                SkipReason::EarlierRegionFailed { region } => {
                    let earlier = run.end.waves[0].lanes.iter().position(|l| l.region == *region);
                    prop_assert!(earlier.unwrap() < lane);
                    prop_assert!(failed.contains(&region));
                    prop_assert_eq!(
                        world.preferences.region_concurrency,
                        RegionConcurrency::Sequential
                    );
                }
                other => prop_assert!(false, "not a reason of a rollout: {other:?}"),
            }
        }
    }

    #[test]
    fn invariant_a_region_begins_only_after_the_one_before_ended(world in world()) {
        let mut world = world;
        world.preferences.region_concurrency = RegionConcurrency::Sequential;
        let run = run(&world);
        for (before, (target, step)) in run.seen.iter().zip(&run.steps) {
            if *step == Step::Begin {
                let earlier = before.waves[0].lanes.iter().take_while(|l| l.region != target.region);
                for lane in earlier {
                    prop_assert!(lane.has_ended() && !lane.has_failed());
                }
            }
        }
    }

    #[test]
    fn invariant_targets_of_a_region_begin_in_order(world in world()) {
        let run = run(&world);
        for lane in run.end.lanes() {
            let begun = run.steps.iter().filter(|(_, step)| *step == Step::Begin);
            let places: Vec<usize> = begun
                .filter(|(target, _)| target.region == lane.region)
                .map(|(target, _)| run.end.places[target].2)
                .collect();
            prop_assert!(places.is_sorted());
        }
    }

    #[test]
    fn invariant_nothing_is_skipped_while_no_region_failed(world in world()) {
        let run = run(&world);
        prop_assert!(run.end.is_failed() || run.skipped.is_empty());
    }

    #[test]
    fn invariant_a_rollout_never_stalls(world in world()) {
        // Whenever not everything ended, something runs, may begin or is to be skipped.
        for rollout in run(&world).seen {
            let next = rollout.next();
            let busy = rollout.running().next().is_some();
            prop_assert!(next.done || busy || !next.start.is_empty() || !next.skip.is_empty());
            prop_assert!(!next.done || (next.start.is_empty() && next.skip.is_empty()));
        }
    }

    #[test]
    fn invariant_replaying_the_steps_gives_the_same_rollout(world in world()) {
        let run = run(&world);
        let mut replayed = Rollout::new(&world.targets, &world.preferences);
        for (seen, (target, step)) in run.seen.iter().zip(&run.steps) {
            prop_assert_eq!(&replayed, seen);
            prop_assert_eq!(replayed.next(), seen.next());
            apply(&mut replayed, target, *step);
        }
        prop_assert_eq!(replayed, run.end);
    }
}
