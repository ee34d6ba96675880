//! Many worlds by chance, each from a seed, and what holds in all of them.
//!
//! A seed that fails prints the command that replays it.

use super::*;
use crate::model::{
    AlarmCheck, AlarmName, ConcurrencyMode, EventKind, Gate, GateCommand, RegionConcurrency,
    SkipReason, Wave, WaveName,
};
use crate::rollout::Limits;
use crate::simulator::chance::Chance;

fn alarms(minutes: u32) -> Gate {
    let names = vec![AlarmName::new("errors").unwrap()];
    Gate::Alarms(AlarmCheck { names, minutes })
}

fn command() -> Gate {
    Gate::Command(GateCommand {
        line: vec!["./smoke.sh".to_owned()],
        files: Vec::new(),
        timeout_minutes: 10,
    })
}

/// Worlds without and with everything that goes wrong, together.
const SEEDS: u64 = 1_000;

/// Says how to replay a seed, should its world break a promise.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.0;
            eprintln!(
                "replay it: STACKGATE_SEED={seed} cargo test --lib simulator::rehearsal::tests::seeds"
            );
        }
    }
}

/// Returns the seeds to try: the one that is asked for, or all.
fn seeds(count: u64) -> std::ops::Range<u64> {
    match std::env::var("STACKGATE_SEED").map(|seed| seed.parse()) {
        Ok(Ok(seed)) => seed..seed + 1,
        Ok(Err(_)) => panic!("STACKGATE_SEED is a number"),
        Err(_) => 0..count,
    }
}

/// One world, and how the process fares in it.
struct World {
    chance: Chance,
    targets: Vec<Target>,
    preferences: OperationPreferences,
    /// The last is of the targets that none of them names.
    waves: Vec<Wave>,
    scenario: String,
    /// After how many steps of the simulation the process dies, each time.
    crashes: Vec<usize>,
}

impl World {
    /// Returns the world of `seed`. In a gentle one, what goes wrong changes no outcome.
    fn of(seed: u64, is_gentle: bool) -> Self {
        let chance = Chance::new(seed);
        let up_to = |most: u32, what: &str| (chance.share(what) * f64::from(most + 1)) as u32;
        let regions = ["eu-west-1", "us-east-1", "ap-south-1", "eu-north-1"];
        let regions = &regions[..=up_to(3, "regions") as usize];
        // Ragged: not every account has every region.
        let mut targets = super::targets(1 + up_to(7, "accounts"), regions);
        targets.retain(|t| chance.happens(85.0, t));
        let preferences = OperationPreferences {
            region_order: Vec::new(),
            region_concurrency: match chance.happens(50.0, "parallel") {
                true => RegionConcurrency::Parallel,
                false => RegionConcurrency::Sequential,
            },
            max_concurrent: match chance.happens(50.0, "count") {
                true => CountOrPercent::Count(1 + up_to(4, "max")),
                false => CountOrPercent::Percent(1 + up_to(99, "max") as u8),
            },
            failure_tolerance: match (is_gentle, chance.happens(50.0, "tolerance count")) {
                // Beyond the tolerance, who is skipped depends on who ends first.
                (true, _) => CountOrPercent::Percent(100),
                (false, true) => CountOrPercent::Count(up_to(3, "tolerance")),
                (false, false) => CountOrPercent::Percent(up_to(100, "tolerance") as u8),
            },
            concurrency_mode: match chance.happens(50.0, "soft") {
                true => ConcurrencyMode::Soft,
                false => ConcurrencyMode::Strict,
            },
        };
        let hands = 1 + up_to(2, "waves") as usize;
        let waves = (1..hands).map(|n| Wave {
            name: WaveName::new(format!("wave-{n}")).unwrap(),
            targets: targets.iter().skip(n).step_by(hands).cloned().collect(),
            preferences: None,
            gates: match up_to(5, &format!("gate {n}")) {
                0 => Vec::new(),
                1 => vec![Gate::Approval],
                4 => vec![alarms(0), command()],
                5 => vec![alarms(3), Gate::Approval],
                minutes => vec![Gate::Bake { minutes }, Gate::Approval],
            },
            ended: Vec::new(),
        });
        let waves = waves.collect();
        let fails = up_to(60, "fails");
        let mut rules = vec![format!(
            "{{duration: 5s..{}s, change_set: 1s..9s, fails: {fails}%, no_changes: {}%, stuck: 20%, throttled: {}%, stale_reads: {}s, late_events: {}s}}",
            10 + up_to(110, "duration"),
            up_to(30, "no changes"),
            up_to(25, "throttled"),
            up_to(4, "stale"),
            up_to(4, "late"),
        )];
        if !is_gentle {
            rules.push(format!(
                "{{unavailable: {}%, lost_requests: {}%, lost_replies: {}%}}",
                up_to(15, "unavailable"),
                up_to(10, "lost requests"),
                up_to(20, "lost replies"),
            ));
            if chance.happens(30.0, "outage") {
                // Some last for longer than calls are tried.
                let until = 150 + up_to(900, "back");
                rules.push(format!("{{targets: eu-west-1, down: 70s..{until}s}}"));
            }
            if chance.happens(20.0, "denied") {
                rules.push("{targets: '000000000002', role: denied}".to_owned());
            }
            if chance.happens(30.0, "rate") {
                rules.push(
                    "{calls: [DescribeStackEvents, DescribeStacks], rate: 2, burst: 3}".to_owned(),
                );
            }
        }
        let scenario = format!("{{seed: {seed}, rules: [{}]}}", rules.join(", "));
        let crashes =
            (0..up_to(4, "crashes")).map(|n| 1 + (chance.share(("crash", n)) * 120.0) as usize);
        Self {
            crashes: crashes.collect(),
            chance,
            targets,
            preferences,
            waves,
            scenario,
        }
    }

    /// Runs it to its end, however often the process dies or pauses.
    fn run(&self) -> (Rehearsal, Vec<Event>) {
        let scenario: Scenario = serde_yaml::from_str(&self.scenario).unwrap();
        let mut cloud = Cloud::new(scenario, START);
        for target in &self.targets {
            if self.chance.happens(50.0, (target, "was there")) {
                cloud.settle(target, version("before"));
            }
        }
        let mut definition = definition(self.targets.clone(), self.preferences.clone());
        let stages = &mut definition.pipeline.stages;
        let actions = stages.iter_mut().flat_map(|stage| &mut stage.actions);
        for fan_out in actions.filter_map(|action| action.fan_out.as_mut()) {
            fan_out.waves = self.waves.clone();
        }
        let (mut rehearsal, mut events) = Rehearsal::start(cloud, id(), definition, START).unwrap();
        let mut crashes = self.crashes.iter();
        let mut until_crash = crashes.next().copied();
        for _ in 0..200_000 {
            if until_crash == Some(0) {
                until_crash = crashes.next().copied();
                events.extend(rehearsal.crash(&events).unwrap());
            }
            until_crash = until_crash.map(|n| n - 1);
            match rehearsal.step() {
                Ok(new) => events.extend(new),
                Err(Rest::Ended(_)) => return (rehearsal, events),
                // Somebody looks and takes it up again.
                Err(Rest::Paused(_)) => events.extend(rehearsal.crash(&events).unwrap()),
                Err(Rest::Stuck) => panic!("nothing is under way, and nobody is waited for"),
            }
        }
        panic!("it does not come to its end");
    }
}

/// Never more under way than the preferences allow, and nothing begins beyond the tolerance.
fn invariant_the_arithmetic_holds(world: &World, events: &[Event]) {
    let wave_of = |target: &Target| {
        let named = world.waves.iter().position(|w| w.targets.contains(target));
        named.unwrap_or(world.waves.len())
    };
    let mut all: BTreeMap<(usize, &Region), usize> = BTreeMap::new();
    for target in &world.targets {
        *all.entry((wave_of(target), &target.region)).or_default() += 1;
    }
    let mut running: BTreeMap<(usize, &Region), usize> = BTreeMap::new();
    let mut failed: BTreeMap<(usize, &Region), u32> = BTreeMap::new();
    let mut ended: BTreeSet<&Target> = BTreeSet::new();
    let mut opened: BTreeMap<&WaveName, usize> = BTreeMap::new();
    let mut begun: BTreeSet<&Target> = BTreeSet::new();
    for event in events {
        if let EventKind::GateOpened { place, .. } = &event.kind {
            *opened.entry(&place.wave).or_default() += 1;
        }
        let Some(target) = &event.scope.target else {
            continue;
        };
        let region = (wave_of(target), &target.region);
        match &event.kind {
            EventKind::TargetStarted => {
                assert!(begun.insert(target), "{target} began twice");
                for wave in world.waves.iter().take(region.0) {
                    let name = &wave.name;
                    assert!(
                        wave.targets.iter().all(|t| ended.contains(t)),
                        "{name} runs"
                    );
                    let gates = opened.get(name).copied().unwrap_or_default();
                    assert!(
                        gates == wave.gates.len() || wave.targets.is_empty(),
                        "{name}"
                    );
                }
                let limits = Limits::new(all[&region], &world.preferences);
                let failed = failed.get(&region).copied().unwrap_or_default();
                let running = running.entry(region).or_default();
                *running += 1;
                assert!(failed <= limits.tolerance, "{region:?} had failed");
                assert!(*running <= limits.allowed(failed) as usize, "{region:?}");
            }
            EventKind::TargetFinished { outcome, .. } => {
                ended.insert(target);
                if begun.contains(target) {
                    *running.entry(region).or_default() -= 1;
                }
                *failed.entry(region).or_default() += u32::from(outcome.is_failure());
            }
            _ => {}
        }
        if world.preferences.region_concurrency == RegionConcurrency::Sequential {
            let busy = running.values().filter(|count| **count > 0);
            assert!(busy.count() <= 1, "one region after the other");
        }
    }
}

/// What is said of each target is what happened to its stack, once; none is forgotten; what did not succeed says why.
fn invariant_the_record_is_the_truth(world: &World, rehearsal: &Rehearsal) {
    for target in &world.targets {
        let outcome = rehearsal.state().targets[target].outcome.as_ref();
        let outcome = outcome.unwrap_or_else(|| panic!("{target} is forgotten"));
        let stacks = rehearsal.cloud().stacks().filter(|s| s.target == *target);
        let executed: Vec<bool> = stacks.flat_map(|s| s.executed()).collect();
        assert!(executed.len() <= 1, "{target} was executed twice");
        let ended_well = executed.first().copied();
        match outcome {
            TargetOutcome::Succeeded { .. } => assert_eq!(ended_well, Some(true), "{target}"),
            TargetOutcome::Failed { status, cause } => {
                assert!(!cause.reason.is_empty(), "{target} failed without a reason");
                assert_eq!(
                    status.is_some(),
                    ended_well.is_some(),
                    "{target}: {cause:?}"
                );
                assert_ne!(ended_well, Some(true), "{target} succeeded: {cause:?}");
            }
            TargetOutcome::NotPlanned { cause } => {
                assert!(!cause.reason.is_empty(), "{target} has no reason");
                assert_eq!(ended_well, None, "{target}");
            }
            TargetOutcome::Stale { differences } => {
                assert!(!differences.is_empty(), "{target} has no reason");
                assert_eq!(ended_well, None, "{target}");
            }
            TargetOutcome::Skipped { reason } => {
                assert_eq!(ended_well, None, "{target} was skipped: {reason:?}");
                assert_ne!(*reason, SkipReason::Stopped, "nobody stopped it");
            }
            TargetOutcome::NoChanges => assert_eq!(ended_well, None, "{target}"),
            TargetOutcome::Unknown { reason } => panic!("{target}: {reason}"),
        }
    }
}

/// The journal alone tells the same.
fn invariant_the_journal_tells_it_all(rehearsal: &Rehearsal, events: &[Event]) {
    let told = |state: &Execution| {
        let targets = state.targets.iter();
        let targets: Vec<_> = targets
            .map(|(t, s)| (t.clone(), s.phase, s.outcome.clone()))
            .collect();
        (state.seq, state.outcome, state.plan, targets)
    };
    let replayed = Execution::replay(events).unwrap();
    assert_eq!(told(rehearsal.state()), told(&replayed));
    assert_eq!(rehearsal.state().rollout, replayed.rollout);
}

#[test]
fn every_world_keeps_the_promises() {
    let seeds = seeds(SEEDS);
    let is_whole = seeds.end - seeds.start == SEEDS;
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in seeds {
        let replay = Replay(seed);
        let world = World::of(seed, false);
        let (rehearsal, events) = world.run();
        invariant_the_arithmetic_holds(&world, &events);
        invariant_the_record_is_the_truth(&world, &rehearsal);
        invariant_the_journal_tells_it_all(&rehearsal, &events);
        for event in &events {
            *seen.entry(event.kind.name()).or_default() += 1;
        }
        for state in rehearsal.state().targets.values() {
            let outcome = state.outcome.as_ref().map_or("none", kind_of);
            *seen.entry(outcome).or_default() += 1;
        }
        *seen.entry("throttled").or_default() += rehearsal.cloud().counts().throttled as usize;
        drop(replay);
    }
    // Worlds in which nothing goes wrong would prove nothing.
    let rare = |what: &&&str| seen.get(**what).is_none_or(|count| *count < 50);
    let expected = [
        "succeeded",
        "failed",
        "not planned",
        "skipped",
        "no changes",
        "throttled",
        "resumed",
        "paused",
        "call_failed",
        "gate_started",
        "gate_opened",
    ];
    let missing: Vec<_> = expected.iter().filter(rare).collect();
    assert!(!is_whole || missing.is_empty(), "{missing:?} in {seen:?}");
}

fn kind_of(outcome: &TargetOutcome) -> &'static str {
    match outcome {
        TargetOutcome::Succeeded { .. } => "succeeded",
        TargetOutcome::NoChanges => "no changes",
        TargetOutcome::NotPlanned { .. } => "not planned",
        TargetOutcome::Failed { .. } => "failed",
        TargetOutcome::Stale { .. } => "stale",
        TargetOutcome::Skipped { .. } => "skipped",
        TargetOutcome::Unknown { .. } => "unknown",
    }
}

#[test]
fn a_process_that_dies_ends_where_a_calm_one_does() {
    for seed in seeds(SEEDS / 4) {
        let replay = Replay(seed);
        let outcomes = |world: &World| {
            let (rehearsal, _) = world.run();
            let targets = rehearsal.state().targets.iter();
            let outcomes: Vec<_> = targets
                .map(|(t, s)| (t.clone(), s.outcome.clone()))
                .collect();
            (rehearsal.state().outcome, outcomes)
        };
        let disturbed = World::of(seed, true);
        let calm = World {
            crashes: Vec::new(),
            ..World::of(seed, true)
        };
        assert_eq!(outcomes(&calm), outcomes(&disturbed));
        drop(replay);
    }
}
