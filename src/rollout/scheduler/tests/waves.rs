//! Rollouts in waves, with gates between them.

use super::*;
use crate::model::{EndedTarget, TargetOutcome, TargetSpec, Wave};
use crate::rollout::Limits;

fn wave(name: &str, targets: &[Target], gates: &[Gate]) -> Wave {
    Wave {
        name: WaveName::new(name).unwrap(),
        targets: targets.to_vec(),
        preferences: None,
        gates: gates.to_vec(),
        ended: Vec::new(),
    }
}

fn fan_out(targets: &[Target], preferences: OperationPreferences, waves: Vec<Wave>) -> FanOut {
    let specs = targets.iter().map(|target| TargetSpec {
        target: target.clone(),
        role_arn: None,
        execute_role_arn: None,
    });
    FanOut {
        targets: specs.collect(),
        preferences,
        waves,
    }
}

const BAKE: Gate = Gate::Bake { minutes: 10 };

fn place(wave: &str, number: u32, gate: Gate) -> GatePlace {
    GatePlace {
        wave: WaveName::new(wave).unwrap(),
        number,
        gate,
    }
}

#[test]
fn the_rest_begins_when_the_canary_has_ended() {
    let all = targets(4, "eu-west-1");
    let waves = vec![wave("canary", &all[1..2], &[])];
    let mut rollout = Rollout::of(&fan_out(&all, preferences(9, 9), waves));
    assert_eq!(rollout.next().start, all[1..2]);
    rollout.begin(&all[1]);
    assert_eq!(rollout.next(), Next::default());
    rollout.finish(&all[1], false);
    let rest = [all[0].clone(), all[2].clone(), all[3].clone()];
    assert_eq!(rollout.next().start, rest);
}

#[test]
fn percentages_are_of_the_wave_and_preferences_may_be_its_own() {
    let all = targets(14, "eu-west-1");
    let half = OperationPreferences {
        max_concurrent: CountOrPercent::Percent(50),
        failure_tolerance: CountOrPercent::Percent(100),
        ..OperationPreferences::default()
    };
    let mut waves = vec![wave("canary", &all[..4], &[])];
    let one = Rollout::of(&fan_out(&all, half.clone(), waves.clone()));
    assert_eq!(one.next().start.len(), 2, "half of four");
    waves[0].preferences = Some(OperationPreferences::default());
    let mut own = Rollout::of(&fan_out(&all, half, waves));
    assert_eq!(own.next().start.len(), 1);
    for target in &all[..4] {
        own.finish(target, false);
    }
    assert_eq!(own.next().start.len(), 5, "half of the other ten");
}

#[test]
fn a_wave_that_fails_stops_the_later_ones_while_it_still_runs() {
    let all = targets(5, "eu-west-1");
    let waves = vec![wave("canary", &all[..3], &[BAKE])];
    let soft = OperationPreferences {
        concurrency_mode: ConcurrencyMode::Soft,
        ..preferences(2, 0)
    };
    let mut rollout = Rollout::of(&fan_out(&all, soft, waves));
    assert_eq!(advance(&mut rollout), 2);
    rollout.finish(&all[0], true);
    let next = rollout.next();
    assert_eq!((next.start.len(), next.gate), (0, None));
    let reasons: Vec<&SkipReason> = next.skip.iter().map(|(_, reason)| reason).collect();
    let wave = WaveName::new("canary").unwrap();
    let exceeded = SkipReason::ToleranceExceeded {
        failed: 1,
        tolerance: 0,
    };
    let earlier = SkipReason::EarlierWaveFailed { wave };
    assert_eq!(reasons, [&exceeded, &earlier, &earlier]);
    assert_eq!(rollout.closed_gate(), None);
}

#[test]
fn gates_are_passed_in_order_before_the_next_wave() {
    let all = targets(2, "eu-west-1");
    let waves = vec![wave("canary", &all[..1], &[BAKE, Gate::Approval])];
    let mut rollout = Rollout::of(&fan_out(&all, preferences(1, 0), waves));
    let (first, second) = (place("canary", 1, BAKE), place("canary", 2, Gate::Approval));
    rollout.open(&first);
    assert_eq!(rollout.next().gate, None, "the canary has not run");
    rollout.finish(&all[0], false);
    assert_eq!(rollout.next().gate.as_ref(), Some(&first));
    assert_eq!(rollout.next().start, []);
    rollout.open(&second);
    assert_eq!(rollout.next().gate.as_ref(), Some(&first), "one by one");
    rollout.open(&first);
    rollout.open(&first);
    assert_eq!(rollout.next().gate.as_ref(), Some(&second));
    rollout.open(&second);
    assert_eq!(rollout.next().start, all[1..]);
}

#[test]
fn a_closed_gate_ends_the_rollout_with_its_reason() {
    let all = targets(3, "eu-west-1");
    let waves = vec![
        wave("canary", &all[..1], &[Gate::Approval]),
        wave("half", &all[1..2], &[BAKE]),
    ];
    let mut rollout = Rollout::of(&fan_out(&all, preferences(1, 0), waves));
    rollout.finish(&all[0], false);
    let gate = place("canary", 1, Gate::Approval);
    rollout.close(&gate, "not today");
    rollout.open(&gate);
    let reason = SkipReason::GateClosed {
        wave: gate.wave,
        gate: gate.gate,
        reason: "not today".to_owned(),
    };
    let next = rollout.next();
    assert_eq!((next.start.len(), next.gate), (0, None));
    let skipped = [
        (all[1].clone(), reason.clone()),
        (all[2].clone(), reason.clone()),
    ];
    assert_eq!(next.skip, skipped);
    assert_eq!(rollout.closed_gate(), Some(reason));
    assert!(!rollout.is_failed(), "no target failed");
}

#[test]
fn a_gate_with_nothing_behind_or_before_it_is_not_asked_for() {
    let all = targets(2, "eu-west-1");
    let elsewhere = targets(1, "us-east-1");
    let waves = vec![
        wave("empty", &elsewhere, &[Gate::Approval]),
        wave("canary", &all[..1], &[]),
        wave("last", &all[1..], &[BAKE]),
    ];
    let mut rollout = Rollout::of(&fan_out(&all, preferences(1, 0), waves));
    assert_eq!(rollout.next().start, all[..1]);
    rollout.finish(&all[0], false);
    rollout.finish(&all[1], false);
    assert_eq!(rollout.next().gate, None);
    assert!(rollout.next().done);
}

#[test]
fn the_gates_of_a_wave_that_ended_before_stand_at_the_beginning() {
    let all = targets(2, "eu-west-1");
    let mut canary = wave("canary", &[], &[BAKE, Gate::Approval]);
    canary.ended = vec![EndedTarget {
        spec: TargetSpec {
            target: all[0].clone(),
            role_arn: None,
            execute_role_arn: None,
        },
        outcome: TargetOutcome::NoChanges,
    }];
    let mut rollout = Rollout::of(&fan_out(&all[1..], preferences(1, 0), vec![canary]));
    for (number, gate) in [(1, BAKE), (2, Gate::Approval)] {
        let place = place("canary", number, gate);
        assert_eq!(rollout.next().gate.as_ref(), Some(&place));
        assert_eq!(rollout.next().start, []);
        let mut closed = rollout.clone();
        closed.close(&place, "no");
        assert_eq!(closed.next().skip.len(), 1);
        rollout.open(&place);
    }
    assert_eq!(rollout.next().start, all[1..]);
}

#[test]
fn the_first_wave_that_names_a_target_has_it() {
    let all = targets(3, "eu-west-1");
    let waves = vec![wave("canary", &all[2..], &[]), wave("all", &all, &[])];
    let mut rollout = Rollout::of(&fan_out(&all, preferences(9, 9), waves));
    assert_eq!(rollout.next().start, all[2..]);
    rollout.finish(&all[2], false);
    assert_eq!(rollout.next().start, all[..2]);
}

// --- properties

#[derive(Debug, Clone)]
struct Waves {
    world: World,
    /// The accounts of each wave, its own preferences, and how many gates it has.
    waves: Vec<(BTreeSet<usize>, Option<OperationPreferences>, usize)>,
    /// Whether the next gate opens.
    opens: Vec<bool>,
}

fn waves() -> impl Strategy<Value = Waves> {
    let own = prop::option::of(super::world().prop_map(|world| world.preferences));
    let one = (prop::collection::btree_set(0usize..9, 0..5), own, 0usize..3);
    let opens = prop::collection::vec(prop::bool::weighted(0.85), 12);
    (world(), prop::collection::vec(one, 0..4), opens).prop_map(|(world, waves, opens)| Waves {
        world,
        waves,
        opens,
    })
}

/// What happened, in order.
#[derive(Debug, PartialEq)]
enum Did {
    Began(Target),
    Ended(Target),
    Skipped(Target, SkipReason),
    Opened(GatePlace),
    Closed(GatePlace),
}

fn of(case: &Waves) -> FanOut {
    let waves = case
        .waves
        .iter()
        .enumerate()
        .map(|(n, (accounts, own, gates))| {
            let is_member =
                |t: &&Target| accounts.contains(&t.account.as_str().parse::<usize>().unwrap());
            Wave {
                name: WaveName::new(format!("wave-{n}")).unwrap(),
                targets: case
                    .world
                    .targets
                    .iter()
                    .filter(is_member)
                    .cloned()
                    .collect(),
                preferences: own.clone(),
                gates: vec![BAKE; *gates],
                ended: Vec::new(),
            }
        });
    fan_out(
        &case.world.targets,
        case.world.preferences.clone(),
        waves.collect(),
    )
}

/// Drives the rollout to its end; returns what happened, and the rollout before each of it.
fn drive(case: &Waves) -> (Vec<Did>, Vec<Rollout>) {
    let mut rollout = Rollout::of(&of(case));
    let (mut did, mut seen) = (Vec::new(), Vec::new());
    let mut endings = case.world.endings.iter().cycle();
    let mut opens = case.opens.iter().cycle();
    loop {
        let next = rollout.next();
        if next.done {
            return (did, seen);
        }
        let busy = rollout.running().next().is_some();
        let moves = !next.start.is_empty() || !next.skip.is_empty() || next.gate.is_some();
        assert!(busy || moves, "it stalls");
        assert!(next.gate.is_none() || !busy && next.start.is_empty());
        let mut note = |rollout: &Rollout, what: Did| {
            seen.push(rollout.clone());
            did.push(what);
        };
        for target in next.start {
            note(&rollout, Did::Began(target.clone()));
            rollout.begin(&target);
        }
        for (target, reason) in next.skip {
            note(&rollout, Did::Skipped(target.clone(), reason));
            rollout.skip(&target);
        }
        if let Some(place) = next.gate {
            if *opens.next().unwrap() {
                note(&rollout, Did::Opened(place.clone()));
                rollout.open(&place);
            } else {
                note(&rollout, Did::Closed(place.clone()));
                rollout.close(&place, "closed");
            }
        }
        let running = running(&rollout);
        if !running.is_empty() {
            let (index, failed) = endings.next().unwrap();
            let target = index.get(&running);
            note(&rollout, Did::Ended(target.clone()));
            rollout.finish(target, *failed);
        }
    }
}

proptest! {
    #[test]
    fn invariant_no_later_wave_begins_before_the_gates_of_the_earlier_ones(case in waves()) {
        let (did, seen) = drive(&case);
        for (what, before) in did.iter().zip(&seen) {
            let Did::Began(target) = what else { continue };
            let wave = before.places[target].0;
            for earlier in &before.waves[..wave] {
                prop_assert!(earlier.has_ended() && !earlier.has_failed());
                prop_assert!(earlier.gate().is_none(), "{:?}", earlier.gate());
            }
        }
    }

    #[test]
    fn invariant_each_wave_has_the_arithmetic_of_its_own_targets(case in waves()) {
        let fan_out = of(&case);
        let (did, seen) = drive(&case);
        for (what, before) in did.iter().zip(&seen) {
            let Did::Began(target) = what else { continue };
            let (w, l, _) = before.places[target];
            let own = case.waves.get(w).and_then(|(_, own, _)| own.as_ref());
            let preferences = own.unwrap_or(&fan_out.preferences);
            // Counted anew, without the rollout's own book-keeping.
            let members = before.places.iter();
            let members = members.filter(|(t, at)| at.0 == w && t.region == target.region);
            let limits = Limits::new(members.count(), preferences);
            let lane = &before.waves[w].lanes[l];
            prop_assert_eq!(lane.limits, limits);
            prop_assert!(lane.running.len() < limits.allowed(lane.failed) as usize);
        }
    }

    #[test]
    fn invariant_in_waves_every_target_ends_once_and_skips_say_why(case in waves()) {
        let (did, seen) = drive(&case);
        let mut ends: BTreeMap<&Target, usize> =
            case.world.targets.iter().map(|t| (t, 0)).collect();
        for (at, what) in did.iter().enumerate() {
            match what {
                Did::Began(_) | Did::Opened(_) | Did::Closed(_) => {}
                Did::Ended(target) => *ends.get_mut(target).unwrap() += 1,
                Did::Skipped(target, reason) => {
                    *ends.get_mut(target).unwrap() += 1;
                    let own = seen[at].places[target].0;
                    let is_earlier = |wave: &WaveName| {
                        seen[at].waves[..own].iter().any(|w| w.name == *wave)
                    };
                    match reason {
                        SkipReason::EarlierWaveFailed { wave } => prop_assert!(is_earlier(wave)),
                        SkipReason::GateClosed { wave, .. } => {
                            prop_assert!(is_earlier(wave));
                            let closed = did[..at].iter();
                            let closed = closed.filter(|d| matches!(d, Did::Closed(p) if p.wave == *wave));
                            prop_assert_eq!(closed.count(), 1);
                        }
                        SkipReason::ToleranceExceeded { .. }
                        | SkipReason::EarlierRegionFailed { .. } => {
                            prop_assert!(seen[at].waves[own].has_failed());
                        }
                        other => prop_assert!(false, "not a reason of a rollout: {other:?}"),
                    }
                }
            }
        }
        prop_assert!(ends.values().all(|count| *count == 1), "{ends:?}");
    }

    #[test]
    fn invariant_nothing_begins_after_a_gate_that_was_closed(case in waves()) {
        let (did, _) = drive(&case);
        let closed = did.iter().position(|d| matches!(d, Did::Closed(_)));
        for what in did.iter().skip(closed.unwrap_or(did.len())) {
            prop_assert!(!matches!(what, Did::Began(_) | Did::Opened(_)));
        }
    }
}
