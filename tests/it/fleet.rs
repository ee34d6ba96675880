//! Executions through the real driver, journal and SDK in a simulated world that goes wrong in many ways.
//!
//! A seed that fails prints the command that replays it.

use std::collections::BTreeMap;

use stackgate::model::{
    CountOrPercent, OperationPreferences, PauseReason, RegionConcurrency, TargetOutcome,
};
use stackgate::runtime::Ended;
use stackgate::simulator::{Chance, Scenario};

use crate::support::simulated;

/// Says how to replay a seed, should its world break a promise.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.0;
            eprintln!("replay it: STACKGATE_SEED={seed} cargo test --test it fleet::");
        }
    }
}

fn scenario(seed: u64) -> (Scenario, OperationPreferences, u32) {
    let chance = Chance::new(seed);
    let up_to = |most: u32, what: &str| (chance.share(what) * f64::from(most + 1)) as u32;
    let rules = format!(
        "{{duration: 5s..{}s, change_set: 1s..4s, fails: {}%, no_changes: {}%, stuck: 20%, throttled: {}%, \
           unavailable: {}%, lost_requests: {}%, lost_replies: {}%, stale_reads: {}s, late_events: {}s}}, \
         {{calls: [DescribeStackEvents, DescribeStacks], rate: {}, burst: 5}}{}",
        6 + up_to(30, "duration"),
        up_to(60, "fails"),
        up_to(20, "no changes"),
        up_to(20, "throttled"),
        up_to(10, "unavailable"),
        up_to(8, "lost requests"),
        up_to(15, "lost replies"),
        up_to(3, "stale"),
        up_to(3, "late"),
        3 + up_to(20, "rate"),
        match up_to(5, "role") {
            0 => ", {targets: '000000000002', role: denied}",
            1 => ", {targets: eu-west-1, down: 2s..9s}",
            2 => ", {targets: eu-west-1, down: 12s..20m}",
            _ => "",
        },
    );
    let scenario = format!("{{seed: {seed}, rules: [{rules}]}}");
    let preferences = OperationPreferences {
        max_concurrent: CountOrPercent::Count(1 + up_to(3, "max")),
        failure_tolerance: CountOrPercent::Count(up_to(3, "tolerance")),
        region_concurrency: match up_to(1, "parallel") {
            0 => RegionConcurrency::Sequential,
            _ => RegionConcurrency::Parallel,
        },
        ..OperationPreferences::default()
    };
    let accounts = 1 + up_to(2, "accounts");
    let scenario = serde_yaml::from_str(&scenario).expect("a scenario");
    (scenario, preferences, accounts)
}

/// Runs the worlds of some seeds and returns how their targets ended.
fn worlds(seeds: std::ops::Range<u64>) -> BTreeMap<&'static str, usize> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let asked = std::env::var("STACKGATE_SEED").ok();
    let asked: Option<u64> = asked.map(|seed| seed.parse().expect("STACKGATE_SEED is a number"));
    for seed in seeds.filter(|seed| asked.is_none_or(|asked| asked == *seed)) {
        let replay = Replay(seed);
        let (scenario, preferences, accounts) = scenario(seed);
        let project = tempfile::tempdir().expect("a folder");
        let targets = simulated::targets(accounts, 2);
        let definition = simulated::definition(targets.clone(), preferences, project.path());
        let outcome = simulated::run_resumed(scenario, definition, project.path());
        let world = outcome.world.cloud();
        *seen.entry("throttled").or_default() += world.counts().throttled as usize;
        assert!(
            matches!(outcome.ended, Ended::Finished(_)),
            "{:?}",
            outcome.ended
        );
        for reason in &outcome.pauses {
            let kind = match reason {
                PauseReason::Unreachable { .. } => "unreachable",
                PauseReason::OutcomeUnknown { .. } => "unknown",
                PauseReason::CredentialsExpired { .. }
                | PauseReason::SecretNeeded { .. }
                | PauseReason::GateUnreadable { .. } => panic!("{reason:?}"),
            };
            *seen.entry(kind).or_default() += 1;
        }
        for target in &targets {
            let stacks = world.stacks().filter(|s| s.target == *target);
            let executed: Vec<bool> = stacks.flat_map(|s| s.executed()).collect();
            assert!(executed.len() <= 1, "{target} was executed twice");
            let ended_well = executed.first().copied();
            let told = outcome.state.targets[target].outcome.as_ref();
            let kind = match told {
                None => panic!("{target} is forgotten: {:?}", outcome.ended),
                Some(TargetOutcome::Succeeded { .. }) => {
                    assert_eq!(ended_well, Some(true), "{target}");
                    "succeeded"
                }
                Some(TargetOutcome::Failed { status, cause }) => {
                    assert!(!cause.reason.is_empty(), "{target} has no reason");
                    assert_eq!(
                        status.is_some(),
                        ended_well.is_some(),
                        "{target}: {cause:?}"
                    );
                    assert_ne!(ended_well, Some(true), "{target} succeeded: {cause:?}");
                    "failed"
                }
                Some(TargetOutcome::NotPlanned { cause }) => {
                    assert!(!cause.reason.is_empty(), "{target} has no reason");
                    assert_eq!(ended_well, None, "{target}");
                    "not planned"
                }
                Some(TargetOutcome::Skipped { .. }) => {
                    assert_eq!(ended_well, None, "{target}");
                    "skipped"
                }
                Some(TargetOutcome::NoChanges) => {
                    assert_eq!(ended_well, None, "{target}");
                    "no changes"
                }
                Some(TargetOutcome::Stale { differences }) => {
                    assert!(!differences.is_empty(), "{target} has no reason");
                    assert_eq!(ended_well, None, "{target}");
                    "stale"
                }
                Some(TargetOutcome::Unknown { reason }) => panic!("{target}: {reason}"),
            };
            *seen.entry(kind).or_default() += 1;
        }
        drop(world);
        drop(replay);
    }
    // Worlds in which nothing goes wrong would prove nothing.
    let missing = |kind: &&str| !seen.contains_key(*kind);
    let expected = ["succeeded", "failed", "skipped", "throttled", "unreachable"];
    let missing: Vec<&str> = expected.into_iter().filter(missing).collect();
    assert!(
        asked.is_some() || missing.is_empty(),
        "{missing:?} in {seen:?}"
    );
    seen
}

// Four of them, so that they run beside one another.

#[test]
fn the_first_worlds_keep_the_promises() {
    worlds(0..25);
}

#[test]
fn the_second_worlds_keep_the_promises() {
    worlds(25..50);
}

#[test]
fn the_third_worlds_keep_the_promises() {
    worlds(50..75);
}

#[test]
fn the_fourth_worlds_keep_the_promises() {
    worlds(75..100);
}
