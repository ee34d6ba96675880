use super::*;
use crate::model::{
    AccountId, Cause, Event, EventKind, ExecutionId, GatePlace, OperationPreferences, Region,
    Scope, StackName, StackStatus, WaveName,
};

const BAKE: Gate = Gate::Bake { minutes: 120 };

fn spec(number: usize) -> TargetSpec {
    TargetSpec {
        target: Target {
            account: AccountId::new(format!("{number:012}")).unwrap(),
            region: Region::new("eu-west-1").unwrap(),
            stack: StackName::new("app").unwrap(),
        },
        role_arn: None,
        execute_role_arn: None,
    }
}

/// Two targets in a canary, one in the next wave, and one that no wave names.
fn fan_out() -> FanOut {
    let targets: Vec<TargetSpec> = (0..4).map(spec).collect();
    let wave = |name: &str, of: &[TargetSpec], gates: &[Gate]| Wave {
        name: WaveName::new(name).unwrap(),
        targets: of.iter().map(|spec| spec.target.clone()).collect(),
        preferences: None,
        gates: gates.to_vec(),
        ended: Vec::new(),
    };
    let waves = vec![
        wave("canary", &targets[..2], &[BAKE, Gate::Approval]),
        wave("half", &targets[2..3], &[Gate::Approval]),
    ];
    FanOut {
        targets,
        preferences: OperationPreferences::default(),
        waves,
    }
}

fn succeeded() -> TargetOutcome {
    TargetOutcome::Succeeded {
        status: StackStatus::UpdateComplete,
    }
}

/// Returns an execution in which some targets succeeded and some gates were passed.
fn earlier(done: &[usize], passed: &[(&str, u32)]) -> View {
    let ended = done.iter().map(|number| {
        let scope = Scope {
            target: Some(spec(*number).target),
            ..Scope::default()
        };
        let kind = EventKind::TargetFinished {
            outcome: succeeded(),
            outputs: BTreeMap::new(),
        };
        (scope, kind)
    });
    let opened = passed.iter().map(|(wave, number)| {
        let place = GatePlace {
            wave: WaveName::new(*wave).unwrap(),
            number: *number,
            gate: BAKE,
        };
        (
            Scope::default(),
            EventKind::GateOpened { place, said: None },
        )
    });
    let events: Vec<Event> = (1..)
        .zip(ended.chain(opened))
        .map(|(seq, (scope, kind))| Event {
            seq,
            execution: ExecutionId::new("01938f5e-0000-7000-8000-000000000001").unwrap(),
            at: "2026-03-01T12:00:00Z".parse().unwrap(),
            scope,
            kind,
        })
        .collect();
    View::of(&events)
}

/// Returns what is known where nothing came after the execution.
fn alone(earlier: &View) -> Known<'_> {
    Known::of(earlier, &BTreeMap::new(), &[])
}

/// Returns the waves that are left: those run, those ended before, and the gates.
fn kept(mut of: FanOut, earlier: &View, again: &[usize]) -> (FanOut, Vec<String>) {
    let again: Vec<Target> = again.iter().map(|number| spec(*number).target).collect();
    keep_of(&mut of, &alone(earlier), &again.iter().collect());
    assert_eq!(of.targets.len(), again.len());
    let told = of.waves.iter().map(|wave| {
        let gates: Vec<String> = wave.gates.iter().map(Gate::to_string).collect();
        let (run, ended) = (wave.targets.len(), wave.ended.len());
        format!("{} {run}+{ended}: {}", wave.name, gates.join(", "))
    });
    let told = told.collect();
    (of, told)
}

#[test]
fn what_was_not_passed_stays_before_what_is_behind_it() {
    let (left, told) = kept(fan_out(), &earlier(&[0, 1], &[]), &[2, 3]);
    assert_eq!(
        told,
        ["canary 0+2: bake 2h, approval", "half 1+0: approval"]
    );
    let ended = EndedTarget {
        spec: spec(1),
        outcome: succeeded(),
    };
    assert_eq!(left.waves[0].ended[1], ended);
    let told = super::gates_first(&left.waves);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("bake 2h, then approval"), "{told:?}");

    // Two waves are done, and only what no wave names is left.
    let (_, told) = kept(fan_out(), &earlier(&[0, 1, 2], &[]), &[3]);
    assert_eq!(
        told,
        ["canary 0+2: bake 2h, approval", "half 0+1: approval"]
    );
}

#[test]
fn what_was_passed_is_not_asked_for_again_unless_something_of_the_wave_is_run() {
    let passed = [("canary", 1)];
    let (_, told) = kept(fan_out(), &earlier(&[0, 1], &passed), &[2, 3]);
    assert_eq!(told, ["canary 0+2: approval", "half 1+0: approval"]);
    let passed = [("canary", 1), ("canary", 2)];
    let (_, told) = kept(fan_out(), &earlier(&[0, 1], &passed), &[2, 3]);
    assert_eq!(told, ["half 1+0: approval"]);
    let (_, told) = kept(fan_out(), &earlier(&[0], &passed), &[1, 2]);
    assert_eq!(
        told,
        ["canary 1+1: bake 2h, approval", "half 1+0: approval"]
    );
}

#[test]
fn a_gate_with_nothing_behind_it_goes() {
    let (_, told) = kept(fan_out(), &earlier(&[0, 2, 3], &[]), &[1]);
    assert_eq!(told, ["canary 1+0: bake 2h, approval"]);
    let (_, told) = kept(fan_out(), &earlier(&[0, 1, 3], &[]), &[2]);
    assert_eq!(
        told,
        ["canary 0+2: bake 2h, approval", "half 1+0: approval"]
    );
}

#[test]
fn a_retry_of_a_retry_still_has_it_before_it() {
    let (first, _) = kept(fan_out(), &earlier(&[0], &[]), &[1, 2, 3]);
    let (second, _) = kept(first, &earlier(&[1], &[("canary", 1)]), &[2, 3]);
    let (third, told) = kept(second, &earlier(&[], &[]), &[2, 3]);
    assert_eq!(told, ["canary 0+2: approval", "half 1+0: approval"]);
    assert_eq!(third.waves[0].ended.len(), 2);
}

#[test]
fn a_wave_that_failed_is_not_passed_over() {
    let wave = WaveName::new("canary").unwrap();
    let failed = TargetOutcome::Failed {
        status: Some(StackStatus::UpdateRollbackComplete),
        cause: Cause::of("quota"),
    };
    let skipped = TargetOutcome::Skipped {
        reason: SkipReason::EarlierWaveFailed { wave: wave.clone() },
    };
    let outcomes = [succeeded(), failed, skipped.clone(), skipped];
    let events = (1..).zip(outcomes).map(|(seq, outcome)| Event {
        seq,
        execution: ExecutionId::new("01938f5e-0000-7000-8000-000000000001").unwrap(),
        at: "2026-03-01T12:00:00Z".parse().unwrap(),
        scope: Scope {
            target: Some(spec(usize::try_from(seq).unwrap() - 1).target),
            ..Scope::default()
        },
        kind: EventKind::TargetFinished {
            outcome,
            outputs: BTreeMap::new(),
        },
    });
    let view = View::of(&events.collect::<Vec<_>>());
    let found = |gates: &[Gate], again: &[usize]| {
        let mut waves = fan_out().waves;
        waves[0].gates = gates.to_vec();
        let again: Vec<Target> = again.iter().map(|number| spec(*number).target).collect();
        let again = again.iter().collect();
        passed_over(&waves, &alone(&view), &again).map(|(name, some)| (name.clone(), some))
    };
    // Time and alarms say nothing of what failed; somebody who approves sees it.
    assert_eq!(found(&[], &[2, 3]), Some((wave.clone(), 1)));
    assert_eq!(found(&[BAKE], &[3]), Some((wave, 1)));
    assert_eq!(found(&[BAKE, Gate::Approval], &[2, 3]), None);
    assert_eq!(found(&[], &[1, 2, 3]), None);
    assert_eq!(found(&[], &[1]), None);

    // Somebody retried what failed, and that is done: nothing is passed over, and nothing failed before.
    let mended = [(earlier(&[1], &[]), None)];
    let by = ExecutionId::new("01938f5e-0000-7000-8000-000000000001").unwrap();
    let target = spec(1).target;
    let since = BTreeMap::from([(&target, Since::Done(&by))]);
    let known = Known::of(&view, &since, &mended);
    let again = [spec(2).target, spec(3).target];
    let again = again.iter().collect();
    let mut left = fan_out();
    left.waves[0].gates = vec![BAKE];
    assert_eq!(passed_over(&left.waves, &known, &again), None);
    keep_of(&mut left, &known, &again);
    let outcomes = left.waves[0].ended.iter().map(|ended| &ended.outcome);
    assert_eq!(outcomes.collect::<Vec<_>>(), [&succeeded(), &succeeded()]);
}
