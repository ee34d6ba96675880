//! Whole executions in a small scripted world: every order of answers, lost replies, stops and crashes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::model::{
    AccountId, AlarmCheck, AlarmFound, AlarmName, AlarmState, Answer, Approver, ArtifactName,
    ArtifactPath, ArtifactRef, Base, CallFailure, Caller, Cause, ChangeSetId, ChangeSetOutcome,
    Collection, ConcurrencyMode, CountOrPercent, Decision, DeletableStack, Digest, Ending, Event,
    EventKind, ExecutionDefinition, ExecutionId, ExecutionOutcome, FailureKind, FanOut, Gate,
    GateCommand, GatePlace, InboxMessage, Invocation, LogicalId, OperationPreferences, Origin,
    PauseReason, Preparation, Reading, Region, RegionConcurrency, Removal, Settlement, SkipReason,
    SourceRevision, StackEvent, StackId, StackName, StackStatus, StackSummary, Staleness, StopMode,
    StopRequest, Target, TargetInputs, TargetOutcome, TargetSpec, Wave, WaveName,
};
use crate::rollout::Limits;

mod invariants;
mod outages;
mod run;
mod world;

use invariants::*;
use run::*;
use world::*;

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Succeeds),
        2 => Just(Fate::FailsInAws),
        1 => Just(Fate::RefusedToExecute),
        1 => Just(Fate::Stale),
        2 => Just(Fate::NoChanges),
        1 => Just(Fate::ChangeSetFails),
        1 => Just(Fate::RefusedToCreate),
        1 => Just(Fate::StackUnderWay),
    ]
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![
        3 => Just(Fault::None),
        1 => Just(Fault::LostAfter),
        1 => Just(Fault::LostBefore),
        1 => Just(Fault::Late),
        1 => Just(Fault::Expired),
        1 => Just(Fault::NotSent),
        1 => Just(Fault::Unreachable),
    ];
    prop::collection::vec(fault, 0..3)
}

fn script() -> impl Strategy<Value = Script> {
    (
        fate(),
        any::<(bool, bool)>(),
        faults(),
        faults(),
        prop_oneof![3 => Just(0u8), 1 => Just(1), 1 => Just(2)],
        prop_oneof![3 => Just(0u8), 1 => Just(1), 1 => Just(2)],
        prop_oneof![4 => Just(0u8), 1 => Just(1)],
        prop_oneof![3 => Just(Policy::None), 3 => Just(Policy::Taken), 1 => Just(Policy::Refused)],
    )
        .prop_map(
            |(fate, (exists, second_region), create, execute, expired, silent, murky, policy)| {
                Script {
                    fate,
                    exists,
                    create,
                    execute,
                    expired,
                    silent,
                    murky,
                    denied: false,
                    second_region,
                    policy,
                }
            },
        )
}

fn preferences() -> impl Strategy<Value = OperationPreferences> {
    (1u32..4, 0u32..4, any::<(bool, bool)>()).prop_map(|(max, tolerance, (parallel, soft))| {
        OperationPreferences {
            region_order: Vec::new(),
            region_concurrency: match parallel {
                true => RegionConcurrency::Parallel,
                false => RegionConcurrency::Sequential,
            },
            max_concurrent: CountOrPercent::Count(max),
            failure_tolerance: CountOrPercent::Count(tolerance),
            concurrency_mode: match soft {
                true => ConcurrencyMode::Soft,
                false => ConcurrencyMode::Strict,
            },
        }
    })
}

/// The gates of each wave; targets are dealt to the waves in turn, and the last wave is the rest.
fn waves() -> impl Strategy<Value = Vec<Vec<Gate>>> {
    let gate = prop_oneof![
        (0u32..90).prop_map(|minutes| Gate::Bake { minutes }),
        (0u32..90).prop_map(alarms),
        Just(command()),
        Just(Gate::Approval),
    ];
    let gates = prop::collection::vec(gate, 0..3);
    prop_oneof![2 => Just(Vec::new()), 3 => prop::collection::vec(gates, 1..3)]
}

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

fn health() -> impl Strategy<Value = Health> {
    prop_oneof![
        4 => Just(Health::Good),
        1 => Just(Health::Bad),
        1 => Just(Health::Late),
        1 => Just(Health::Unseen),
        1 => Just(Health::Missing),
    ]
}

fn answer_at_gate() -> impl Strategy<Value = Approval> {
    prop_oneof![
        4 => Just(Approval::Approves),
        1 => Just(Approval::Rejects),
        1 => Just(Approval::IsSilent),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    (
        prop::bool::weighted(0.3),
        prop::collection::vec(script(), 1..6),
        preferences(),
        prop_oneof![
            6 => Just(Approval::Approves),
            1 => Just(Approval::Rejects),
            1 => Just(Approval::IsSilent),
        ],
        0u8..8,
        (waves(), answer_at_gate(), health()),
        prop::collection::vec(any::<u16>(), 120),
    )
        .prop_map(
            |(
                deletes,
                scripts,
                preferences,
                approval,
                disturbances,
                (waves, at_gate, health),
                chances,
            )| {
                Case {
                    waves,
                    at_gate,
                    health,
                    deletes,
                    scripts,
                    preferences,
                    approval,
                    disturbances,
                    gives_up: None,
                    goes_dark: None,
                    is_let_go: false,
                    chances,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn every_execution_keeps_its_promises(case in case()) {
        Run::to_the_end(&case);
    }

    #[test]
    fn an_execution_that_is_given_up_ends_and_forgets_nothing(case in case(), after in 0u8..40) {
        let gives_up = Some(after);
        Run::to_the_end(&Case { gives_up, ..case });
    }

    #[test]
    fn whoever_gives_up_waits_for_no_region_that_is_gone(case in case(), after in 0u8..40) {
        let goes_dark = Some(after);
        Run::to_the_end(&Case { goes_dark, ..case });
    }

    #[test]
    fn whoever_gives_up_waits_for_no_end_that_cannot_be_seen(
        case in case(),
        denied in prop::collection::vec(any::<bool>(), 6),
        after in prop::option::of(0u8..40),
    ) {
        let mut case = case;
        for (script, denied) in case.scripts.iter_mut().zip(denied) {
            script.denied = denied;
        }
        Run::to_the_end(&Case { is_let_go: true, gives_up: after, ..case });
    }

    #[test]
    fn a_disturbed_execution_ends_as_a_calm_one(case in case()) {
        // Beyond the tolerance, who is skipped depends on who ends first.
        let mut case = case;
        case.preferences.failure_tolerance = CountOrPercent::Percent(100);
        invariant_crash_changes_nothing(&case);
    }
}

/// Two targets that succeed, with gates between them.
fn canary(gates: Vec<Gate>, at_gate: Approval) -> Case {
    let script = Script {
        fate: Fate::Succeeds,
        exists: true,
        create: Vec::new(),
        execute: Vec::new(),
        expired: 0,
        silent: 0,
        murky: 0,
        denied: false,
        second_region: false,
        policy: Policy::None,
    };
    Case {
        deletes: false,
        scripts: vec![script.clone(), script],
        preferences: OperationPreferences::default(),
        approval: Approval::Approves,
        waves: vec![gates],
        at_gate,
        health: Health::Good,
        disturbances: 0,
        gives_up: None,
        goes_dark: None,
        is_let_go: false,
        chances: vec![0],
    }
}

/// Returns how the second target ended, and the execution.
fn behind(run: &Run) -> (Option<TargetOutcome>, Option<ExecutionOutcome>) {
    let state = run.machine.state();
    (
        state.targets[&target(1, false)].outcome.clone(),
        state.outcome,
    )
}

#[test]
fn whoever_rejects_what_comes_after_a_wave_or_says_nothing_ends_the_execution() {
    for (at_gate, said) in [
        (Approval::Rejects, "rejected by ana"),
        (Approval::IsSilent, "nobody answered in time"),
    ] {
        let run = Run::to_the_end(&canary(vec![Gate::Approval], at_gate));
        let reason = SkipReason::GateClosed {
            wave: WaveName::new("wave-0").unwrap(),
            gate: Gate::Approval,
            reason: said.to_owned(),
        };
        let skipped = TargetOutcome::Skipped { reason };
        let failed = ExecutionOutcome::Failed;
        assert_eq!(behind(&run), (Some(skipped), Some(failed)));
        let first = &run.machine.state().targets[&target(0, false)];
        assert!(matches!(
            first.outcome,
            Some(TargetOutcome::Succeeded { .. })
        ));
        let why = format!("approval after wave wave-0 was not passed: {said}");
        let told = run
            .events
            .iter()
            .any(|e| matches!(&e.kind, EventKind::ActionFailed { reason } if *reason == why));
        assert!(told, "{why}");
    }
}

#[test]
fn what_is_found_after_a_wave_lets_the_next_begin_or_not() {
    let rejected = |gate: Gate, reason: &str| {
        let wave = WaveName::new("wave-0").unwrap();
        let reason = reason.to_owned();
        let reason = SkipReason::GateClosed { wave, gate, reason };
        Some(TargetOutcome::Skipped { reason })
    };
    for gate in [alarms(0), alarms(30), command()] {
        for health in [Health::Good, Health::Late, Health::Unseen] {
            let case = Case {
                health,
                ..canary(vec![gate.clone()], Approval::Approves)
            };
            let run = Run::to_the_end(&case);
            let (outcome, ended) = behind(&run);
            assert!(
                matches!(outcome, Some(TargetOutcome::Succeeded { .. })),
                "{gate}: {outcome:?}"
            );
            assert_eq!(ended, Some(ExecutionOutcome::Succeeded));
        }
        for health in [Health::Bad, Health::Missing] {
            let case = Case {
                health,
                ..canary(vec![gate.clone()], Approval::Approves)
            };
            let run = Run::to_the_end(&case);
            let said = match (&gate, health) {
                (Gate::Command(_), _) => "exit code 1",
                (_, Health::Bad) => "alarm errors is in ALARM in 000000000000/eu-west-1: too many",
                (..) => "there is no alarm errors in 000000000000/eu-west-1",
            };
            let expected = (rejected(gate.clone(), said), Some(ExecutionOutcome::Failed));
            assert_eq!(behind(&run), expected);
        }
    }
}

#[test]
fn a_stop_does_not_wait_for_a_gate_and_a_resumption_looks_again() {
    for gate in [alarms(30), command()] {
        let mut run = at_the_gate(vec![gate.clone()]);
        assert!(!run.machine.is_idle(), "{gate} is looked at");
        assert_eq!(run.in_flight.len(), 1);
        let begun = run.events.len();
        run.stop(StopMode::Wait);
        assert!(run.machine.is_idle(), "{gate} keeps nobody from leaving");
        run.resume();
        assert_eq!(run.in_flight.len(), 1);
        let again = run.events[begun..]
            .iter()
            .filter(|e| matches!(e.kind, EventKind::GateStarted { .. }));
        assert_eq!(again.count(), 0, "it has begun once");
    }
}

#[test]
fn alarms_that_are_looked_at_nowhere_are_not_ok() {
    for (gates, opens) in [
        (vec![alarms(0)], false),
        (vec![alarms(30)], false),
        (vec![command()], true),
    ] {
        let mut case = canary(gates, Approval::Approves);
        case.scripts[0].fate = Fate::RefusedToCreate;
        case.preferences.failure_tolerance = CountOrPercent::Count(1);
        let run = Run::to_the_end(&case);
        let (outcome, _) = behind(&run);
        match outcome {
            Some(TargetOutcome::Succeeded { .. }) => assert!(opens),
            Some(TargetOutcome::Skipped {
                reason: SkipReason::GateClosed { reason, .. },
            }) => assert!(
                !opens && reason.contains("no place to look at alarms in"),
                "{reason}"
            ),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_is_waited_for_is_said_once() {
    let case = Case {
        health: Health::Late,
        ..canary(vec![alarms(1)], Approval::Approves)
    };
    let run = Run::to_the_end(&case);
    let held: Vec<Option<String>> = run
        .events
        .iter()
        .filter_map(|e| match &e.kind {
            EventKind::GateHeld { reason, .. } => Some(reason.clone()),
            _ => None,
        })
        .collect();
    let told = "alarm errors has no data (INSUFFICIENT_DATA) in 000000000000/eu-west-1";
    assert_eq!(held, [Some(told.to_owned()), None]);
}

/// Runs up to where the first gate is waited for.
fn at_the_gate(gates: Vec<Gate>) -> Run {
    let mut run = Run::start(&canary(gates, Approval::Approves));
    for _ in 0..100 {
        if run.machine.state().gate.is_some() {
            return run;
        }
        run.go_on(Approval::Approves);
    }
    panic!("it does not come to the gate");
}

#[test]
fn baking_time_goes_on_while_nobody_runs_the_execution() {
    let mut run = at_the_gate(vec![Gate::Bake { minutes: 10 }]);
    let began = run.now;
    run.now = began + SignedDuration::from_secs(599);
    run.handle(vec![Input::Tick]);
    assert!(run.machine.state().gate.is_some());
    run.stop(StopMode::Wait);
    assert!(
        run.machine.is_idle(),
        "a gate does not keep anybody from leaving"
    );
    run.now = began + SignedDuration::from_secs(600);
    run.handle(vec![Input::Tick]);
    assert!(run.machine.state().gate.is_some(), "not while it stops");
    run.resume();
    assert!(run.machine.state().gate.is_none());
    assert_eq!(run.in_flight.len(), 1, "the next wave begins at once");
}

#[test]
fn an_answer_about_the_plan_is_none_about_a_wave() {
    let mut run = at_the_gate(vec![Gate::Approval]);
    let plan = run.machine.state().plan.unwrap();
    for wave in [None, Some(WaveName::rest())] {
        run.answer(Decision::Approve, plan, wave);
        let refused = run.events.last().unwrap();
        assert!(
            matches!(refused.kind, EventKind::AnswerRefused { .. }),
            "{refused:?}"
        );
        assert!(run.machine.state().awaits_answer());
    }
    run.answer(
        Decision::Approve,
        plan,
        Some(WaveName::new("wave-0").unwrap()),
    );
    assert!(run.machine.state().gate.is_none());
}

#[test]
fn a_gate_is_passed_once_and_only_where_it_stands() {
    let run = at_the_gate(vec![Gate::Bake { minutes: 10 }]);
    let state = run.machine.state();
    let place = state.gate.as_ref().unwrap().place.clone();
    let other = GatePlace {
        number: 2,
        ..place.clone()
    };
    let until = run.now;
    let wave = Some(place.wave.clone());
    for kind in [
        EventKind::GateStarted {
            place: place.clone(),
            until,
        },
        EventKind::GateOpened {
            place: other.clone(),
            said: None,
        },
        EventKind::GateClosed {
            place: other,
            reason: String::new(),
        },
        EventKind::ApprovalRequested {
            plan: state.plan.unwrap(),
            expires: until,
            wave,
        },
    ] {
        assert!(state.follow(run.now, kind.clone()).is_err(), "{kind:?}");
    }
    let opened = state
        .follow(
            run.now,
            EventKind::GateOpened {
                place: place.clone(),
                said: None,
            },
        )
        .unwrap();
    let mut passed = state.clone();
    passed.apply(&opened).unwrap();
    assert!(
        passed
            .follow(run.now, EventKind::GateOpened { place, said: None })
            .is_err()
    );
}

/// Starts an execution of one target up to the step that looks at its stack, and returns it with its events.
fn looking(deletes: bool) -> (Machine, Vec<Event>) {
    let definition = definition(
        vec![target(1, false)],
        &OperationPreferences::default(),
        &[],
        deletes,
    );
    let id = ExecutionId::new("01938f5e-0000-7000-8000-000000000001").unwrap();
    let (mut machine, mut turn) = Machine::start(id, definition, Timestamp::UNIX_EPOCH).unwrap();
    let mut events = std::mem::take(&mut turn.events);
    if let Some(StepKind::SnapshotSource { .. }) = turn.steps.first().map(|s| &s.kind) {
        let stored = Input::SourceStored {
            scope: turn.steps[0].scope.clone(),
            result: Ok((
                ArtifactRef {
                    name: ArtifactName::from("Source"),
                    digest: Digest::of(b"files"),
                    files: Vec::new(),
                },
                SourceRevision::default(),
            )),
        };
        turn = machine.handle(vec![stored], Timestamp::UNIX_EPOCH);
        events.append(&mut turn.events);
    }
    assert!(looks(&turn));
    (machine, events)
}

fn looks(turn: &Turn) -> bool {
    let [step] = &turn.steps[..] else {
        return false;
    };
    matches!(
        work(step),
        Some(TargetWork::Prepare { .. } | TargetWork::Collect { .. })
    )
}

#[test]
fn who_stops_does_not_wait_for_somebody_elses_operation_and_waits_again_when_it_is_resumed() {
    let now = Timestamp::UNIX_EPOCH;
    for deletes in [false, true] {
        let (mut machine, mut events) = looking(deletes);
        let index = machine.state().index_of(&target(1, false)).unwrap();
        let busy = |status| Input::Target {
            index,
            news: TargetNews::StackBusy(status),
        };
        let updating = StackStatus::UpdateInProgress;
        let turn = machine.handle(vec![busy(updating)], now);
        let kinds: Vec<_> = turn.events.iter().map(|e| e.kind.clone()).collect();
        assert_eq!(kinds, [EventKind::StackBusy { status: updating }]);
        events.extend(turn.events);
        // The same again is no news, and starts nothing.
        let turn = machine.handle(vec![busy(updating)], now);
        assert!(turn.events.is_empty() && turn.steps.is_empty());
        assert!(!machine.is_idle());

        let stop = Input::Stop(StopRequest {
            mode: StopMode::Wait,
            by: approver(),
            reason: String::new(),
            unreachable: Default::default(),
        });
        events.extend(machine.handle(vec![stop], now).events);
        assert!(
            machine.is_idle(),
            "nothing of ours is to be seen to its end"
        );

        let owner = "laptop 2".to_owned();
        let (mut machine, turn) = Machine::resume(
            Execution::replay(&events).unwrap(),
            owner,
            UnknownPolicy::Ask,
            BTreeMap::new(),
            now,
        );
        assert!(looks(&turn), "{turn:?}");
        assert!(!machine.is_idle());
        let turn = machine.handle(vec![busy(updating)], now);
        assert_eq!(turn.events.len(), 1, "it is said again");
    }
}

#[test]
fn who_gives_up_does_not_wait_for_somebody_elses_operation() {
    let now = Timestamp::UNIX_EPOCH;
    for deletes in [false, true] {
        let (mut machine, _) = looking(deletes);
        let index = machine.state().index_of(&target(1, false)).unwrap();
        let news = TargetNews::StackBusy(StackStatus::UpdateInProgress);
        let late = Input::Target { index, news };
        machine.handle(vec![late], now);
        let stop = Input::Stop(StopRequest {
            mode: StopMode::GiveUp,
            by: approver(),
            reason: String::new(),
            unreachable: Default::default(),
        });
        machine.handle(vec![stop], now);
        assert_eq!(machine.state().outcome, Some(ExecutionOutcome::Stopped));
    }
}
