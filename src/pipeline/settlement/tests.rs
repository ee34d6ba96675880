//! Answers that were lost, about targets that were being executed.

use super::super::step::StepKind;
use super::super::table_tests::lived_by;
use super::*;
use crate::model::{AccountId, FailureKind, Region, StackName, Target};

const STARTED: [&str; 4] = [
    "change_set_intended",
    "change_set_created",
    "change_set_ready",
    "target_started",
];

fn target(region: &str) -> Target {
    Target {
        account: AccountId::new("111111111111").unwrap(),
        region: Region::new(region).unwrap(),
        stack: StackName::new("network").unwrap(),
    }
}

fn both() -> [Target; 2] {
    [target("eu-west-1"), target("us-east-1")]
}

/// Which of the targets they are.
fn indices() -> [TargetIndex; 2] {
    let state = lived_by(&both(), &[]);
    both().map(|target| state.index_of(&target).unwrap())
}

fn executing(unknown: UnknownPolicy) -> Machine {
    let names = [&STARTED[..], &["execute_intended"]].concat();
    Machine::over(lived_by(&both(), &names), unknown)
}

fn denied() -> CallFailure {
    CallFailure::new(FailureKind::AccessDenied, "not authorized")
}

fn fog() -> Option<Result<Settlement, CallFailure>> {
    let reason = "fog".to_owned();
    Some(Ok(Settlement::Unknown { reason }))
}

/// What is told of `target` and of the execution when `result` arrives.
fn settled(
    machine: &mut Machine,
    target: TargetIndex,
    result: Option<Result<Settlement, CallFailure>>,
) -> Vec<EventKind> {
    let mut turn = Turn::default();
    machine.take_settlement(&mut turn, Timestamp::UNIX_EPOCH, target, result);
    turn.events.into_iter().map(|event| event.kind).collect()
}

fn names(kinds: &[EventKind]) -> Vec<&'static str> {
    kinds.iter().map(EventKind::name).collect()
}

#[test]
fn a_refusal_proves_nothing_where_an_earlier_request_may_still_arrive() {
    let [first, _] = indices();
    let not_accepted = || Some(Ok(Settlement::NotAccepted));
    let mut machine = executing(UnknownPolicy::Ask);
    machine.attempts.insert(first, 2);
    let mut turn = Turn::default();
    let refusal = Some(Err(denied()));
    machine.take_execution(&mut turn, Timestamp::UNIX_EPOCH, first, refusal);
    assert_eq!(turn.events.len(), 1, "{:?}", turn.events);
    let said = settled(&mut machine, first, not_accepted());
    let [EventKind::Paused { reason }] = said.as_slice() else {
        panic!("{said:?}");
    };
    assert!(
        format!("{reason:?}").contains("not authorized"),
        "{reason:?}"
    );

    // Whoever was asked has it looked at again: what was lost then is no longer on its way.
    let mut machine = Machine::over(machine.state.clone(), UnknownPolicy::Ask);
    machine.attempts.insert(first, 2);
    machine.refused.insert(first, denied());
    let said = settled(&mut machine, first, not_accepted());
    assert_eq!(names(&said), ["target_finished", "cleanup_intended"]);

    // The only request that was ever made was refused.
    let mut machine = executing(UnknownPolicy::Ask);
    machine.attempts.clear();
    let mut turn = Turn::default();
    let refusal = Some(Err(denied()));
    machine.take_execution(&mut turn, Timestamp::UNIX_EPOCH, first, refusal);
    let kinds: Vec<_> = turn.events.into_iter().map(|event| event.kind).collect();
    assert_eq!(
        names(&kinds),
        ["call_failed", "target_finished", "cleanup_intended"]
    );
}

#[test]
fn a_look_that_fails_after_a_lost_answer_ends_nothing() {
    let [first, _] = indices();
    let mut machine = executing(UnknownPolicy::Ask);
    let mut turn = Turn::default();
    machine.take_verification(&mut turn, Timestamp::UNIX_EPOCH, first, Some(Err(denied())));
    assert!(turn.events.is_empty(), "{:?}", turn.events);
    let said = settled(&mut machine, first, Some(Ok(Settlement::NotAccepted)));
    assert_eq!(names(&said), ["paused"]);
    let accepted = Some(Ok(Settlement::Accepted));
    assert_eq!(
        names(&settled(&mut machine, first, accepted)),
        ["execute_accepted"]
    );
}

#[test]
fn each_target_whose_end_is_unknown_is_named_once() {
    let [first, second] = indices();
    let mut machine = executing(UnknownPolicy::Ask);
    assert_eq!(names(&settled(&mut machine, first, fog())), ["paused"]);
    assert!(!machine.is_looked_into(first) && machine.is_looked_into(second));
    assert_eq!(names(&settled(&mut machine, second, fog())), ["paused"]);
    assert!(settled(&mut machine, second, fog()).is_empty());
    assert_eq!(machine.state.asked_about, both().into());
}

#[test]
fn an_answer_holds_only_for_the_targets_that_were_named() {
    let [first, second] = indices();
    for policy in [UnknownPolicy::NotExecuted, UnknownPolicy::Executed] {
        let mut machine = executing(UnknownPolicy::Ask);
        settled(&mut machine, first, fog());
        let mut machine = Machine::over(machine.state, policy);
        let answered = settled(&mut machine, first, fog());
        let expected = match policy {
            UnknownPolicy::NotExecuted => "target_finished",
            UnknownPolicy::Executed | UnknownPolicy::Ask => "execute_accepted",
        };
        assert_eq!(names(&answered), [expected]);
        assert_eq!(names(&settled(&mut machine, second, fog())), ["paused"]);
    }
}

#[test]
fn another_run_of_the_same_plan_keeps_what_it_needs() {
    let [first, second] = indices();
    let differs = || Some(Ok(vec![Staleness::NewEvents]));
    let mut state = lived_by(&both(), &STARTED);
    state.in_file = true;
    let mut machine = Machine::over(state, UnknownPolicy::Ask);
    let mut turn = Turn::default();
    machine.take_verification(&mut turn, Timestamp::UNIX_EPOCH, first, differs());
    assert!(turn.events.is_empty(), "{:?}", turn.events);
    assert!(matches!(
        turn.steps[0].kind,
        StepKind::Target {
            work: TargetWork::Settle { .. },
            ..
        }
    ));

    let mut own = executing(UnknownPolicy::Ask);
    own.state = machine.state.clone();
    own.differing = machine.differing.clone();
    let said = settled(&mut own, first, Some(Ok(Settlement::NotAccepted)));
    assert_eq!(names(&said), ["target_finished", "cleanup_intended"]);

    let said = settled(&mut machine, first, Some(Ok(Settlement::Accepted)));
    let [EventKind::TargetFinished { outcome, .. }] = said.as_slice() else {
        panic!("{said:?}");
    };
    assert!(outcome.was_elsewhere() && machine.begins_nothing());
    let mut turn = Turn::default();
    machine.leave_out(&mut turn, Timestamp::UNIX_EPOCH, second);
    let kinds: Vec<_> = turn.events.into_iter().map(|event| event.kind).collect();
    assert_eq!(names(&kinds), ["target_finished"]);
}
