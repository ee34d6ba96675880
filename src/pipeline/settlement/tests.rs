//! Answers that were lost, about targets that were being executed.

use std::collections::BTreeMap;

use super::super::step::{Input, StepKind, TargetNews};
use super::super::table_tests::lived_by;
use super::*;
use crate::model::{
    AccountId, Approver, FailureKind, LEFT_TO_ANOTHER_RUN, Region, StackName, StopMode,
    StopRequest, Target,
};

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

const ACCEPTED: [&str; 2] = ["execute_intended", "execute_accepted"];

/// Returns the machine of an execution in which both targets were accepted, as far as `state` has not moved on.
fn running() -> Machine {
    let names = [&STARTED[..], &ACCEPTED].concat();
    Machine::over(lived_by(&both(), &names), UnknownPolicy::Ask)
}

/// What is told when `target` cannot be watched.
fn unseen(machine: &mut Machine, target: TargetIndex) -> Vec<EventKind> {
    let mut turn = Turn::default();
    let news = TargetNews::Watched(Err(denied()));
    let input = Input::Target {
        index: target,
        news,
    };
    machine.take(&mut turn, Timestamp::UNIX_EPOCH, input);
    turn.events.into_iter().map(|event| event.kind).collect()
}

/// Takes the execution up again: given up before that, or with what somebody found out.
fn taken_up(machine: Machine, gives_up: bool, unknown: impl Into<Findings>) -> Machine {
    let mut state = machine.state;
    let request = StopRequest {
        mode: StopMode::GiveUp,
        by: Approver {
            arn: None,
            os_user: "ana".to_owned(),
            host: "laptop".to_owned(),
        },
        reason: String::new(),
        unreachable: Default::default(),
    };
    if gives_up {
        let kind = EventKind::StopRequested { request };
        let event = state.follow(Timestamp::UNIX_EPOCH, kind).unwrap();
        state.apply(&event).unwrap();
    }
    let mut machine = Machine::over(state, unknown);
    let resumed = EventKind::Resumed {
        owner: "laptop".to_owned(),
        secrets: BTreeMap::new(),
    };
    let event = machine
        .state
        .follow(Timestamp::UNIX_EPOCH, resumed)
        .unwrap();
    machine.state.apply(&event).unwrap();
    machine
}

/// Returns why the end of a target is unknown.
fn reason(said: &[EventKind]) -> &str {
    let [
        EventKind::TargetFinished {
            outcome: TargetOutcome::Unknown { reason },
            ..
        },
    ] = said
    else {
        panic!("{said:?}");
    };
    reason
}

/// Returns the targets that are asked about, each with whether it was accepted.
fn asked(said: &[EventKind]) -> Vec<(&Target, bool)> {
    let asked = said.iter().map(|kind| match kind {
        EventKind::Paused {
            reason: PauseReason::OutcomeUnknown {
                target, accepted, ..
            },
        } => (target, *accepted),
        other => panic!("{other:?}"),
    });
    asked.collect()
}

#[test]
fn what_was_accepted_and_cannot_be_watched_is_asked_about_as_that() {
    let [first, second] = indices();
    let [ireland, virginia] = both();
    let mut machine = running();
    let said = unseen(&mut machine, first);
    assert_eq!(asked(&said), [(&ireland, true)]);
    // Whoever gives up knows of each; none is named twice.
    let said = unseen(&mut machine, second);
    assert_eq!(asked(&said), [(&virginia, true)]);
    assert!(unseen(&mut machine, first).is_empty());
    let mut machine = executing(UnknownPolicy::Ask);
    assert_eq!(
        asked(&settled(&mut machine, first, fog())),
        [(&ireland, false)]
    );
}

#[test]
fn whoever_gives_up_waits_for_no_end_that_cannot_be_seen() {
    let [first, second] = indices();
    let mut machine = running();
    unseen(&mut machine, first);
    let mut machine = taken_up(machine, true, UnknownPolicy::Ask);
    let said = unseen(&mut machine, first);
    let told = "it was accepted, and its end cannot be seen: not authorized";
    assert_eq!(reason(&said), told);
    // Of the other, nobody knew when it was given up; said again, that counts.
    assert_eq!(names(&unseen(&mut machine, second)), ["paused"]);
    let mut machine = taken_up(machine, true, UnknownPolicy::Ask);
    assert_eq!(reason(&unseen(&mut machine, second)), told);
}

#[test]
fn whoever_gives_up_waits_for_no_answer_that_nobody_has() {
    let [first, _] = indices();
    for result in [fog(), Some(Err(denied()))] {
        let mut machine = executing(UnknownPolicy::Ask);
        settled(&mut machine, first, result.clone());
        let mut machine = taken_up(machine, true, UnknownPolicy::Ask);
        let said = settled(&mut machine, first, result);
        assert!(reason(&said).starts_with(
            "it cannot be told whether its change set was executed, and the execution was given up: "
        ));
        // What can be told then is told.
        let mut machine = executing(UnknownPolicy::Ask);
        settled(&mut machine, first, fog());
        let mut machine = taken_up(machine, true, UnknownPolicy::Ask);
        let said = settled(&mut machine, first, Some(Ok(Settlement::Accepted)));
        assert_eq!(names(&said), ["execute_accepted"]);
    }
}

#[test]
fn an_answer_ends_what_was_accepted_only_if_it_is_about_that() {
    let [first, second] = indices();
    let mut machine = running();
    unseen(&mut machine, first);
    let state = machine.state.clone();
    // To follow it is what is done anyway.
    let mut machine = taken_up(machine, false, UnknownPolicy::Executed);
    assert_eq!(names(&unseen(&mut machine, first)), ["paused"]);
    let asked_about_one = Machine::over(state.clone(), UnknownPolicy::Ask);
    let mut machine = taken_up(asked_about_one, false, UnknownPolicy::NotExecuted);
    let told = "it was accepted, and its end cannot be seen: not authorized";
    assert_eq!(reason(&unseen(&mut machine, first)), told);
    // About both: which of them was meant, nobody knows.
    let mut machine = Machine::over(state, UnknownPolicy::Ask);
    unseen(&mut machine, second);
    let mut machine = taken_up(machine, false, UnknownPolicy::NotExecuted);
    assert_eq!(names(&unseen(&mut machine, first)), ["paused"]);
    assert_eq!(names(&unseen(&mut machine, second)), ["paused"]);
}

#[test]
fn an_answer_that_names_its_target_holds_for_that_alone() {
    let [first, second] = indices();
    let [name, other] = both();
    let named = |what| Findings {
        named: [(name.clone(), what)].into(),
        ..Findings::default()
    };
    let mut machine = executing(UnknownPolicy::Ask);
    settled(&mut machine, first, fog());
    settled(&mut machine, second, fog());
    let state = machine.state.clone();
    let mut machine = taken_up(machine, false, named(UnknownPolicy::NotExecuted));
    assert_eq!(
        names(&settled(&mut machine, first, fog())),
        ["target_finished"]
    );
    assert_eq!(names(&settled(&mut machine, second, fog())), ["paused"]);
    // Beside an answer for all others.
    let both_ways = Findings {
        others: UnknownPolicy::Executed,
        ..named(UnknownPolicy::NotExecuted)
    };
    let machine = Machine::over(state, UnknownPolicy::Ask);
    let mut machine = taken_up(machine, false, both_ways);
    let ended = settled(&mut machine, first, fog());
    assert_eq!(names(&ended), ["target_finished"]);
    let followed = settled(&mut machine, second, fog());
    assert_eq!(names(&followed), ["execute_accepted"]);
    // Of several that were accepted, the one that is named is let go.
    let mut machine = running();
    unseen(&mut machine, first);
    unseen(&mut machine, second);
    let mut machine = taken_up(machine, false, named(UnknownPolicy::NotExecuted));
    assert!(reason(&unseen(&mut machine, first)).starts_with("it was accepted"));
    let said = unseen(&mut machine, second);
    assert_eq!(asked(&said), [(&other, true)]);
}

#[test]
fn an_answer_about_a_request_is_none_about_how_it_ends() {
    let [first, _] = indices();
    let mut machine = executing(UnknownPolicy::Ask);
    settled(&mut machine, first, fog());
    let mut machine = taken_up(machine, false, UnknownPolicy::NotExecuted);
    let said = settled(&mut machine, first, Some(Ok(Settlement::Accepted)));
    assert_eq!(names(&said), ["execute_accepted"]);
    assert_eq!(
        asked(&unseen(&mut machine, first)),
        [(&both()[0], true)],
        "it was accepted after all"
    );
    // Where an answer was wrong, the next one ends it.
    let mut machine = taken_up(machine, false, UnknownPolicy::NotExecuted);
    assert!(reason(&unseen(&mut machine, first)).starts_with("it was accepted"));
}

#[test]
fn what_another_run_of_the_plan_needs_is_not_removed_where_it_is_withdrawn() {
    let [first, second] = indices();
    let given_up = || {
        let mut state = lived_by(&both(), &STARTED[..3]);
        state.in_file = true;
        let mut machine = Machine::over(state, UnknownPolicy::Ask);
        let request = StopRequest {
            mode: StopMode::GiveUp,
            by: Approver {
                arn: None,
                os_user: "ana".to_owned(),
                host: "laptop".to_owned(),
            },
            reason: String::new(),
            unreachable: Default::default(),
        };
        let turn = machine.handle(vec![Input::Stop(request)], Timestamp::UNIX_EPOCH);
        assert_eq!(works(&turn), ["settle", "settle"]);
        assert_eq!(turn.events.len(), 1, "{:?}", turn.events);
        machine
    };
    let look = |machine: &mut Machine, index, result| {
        let news = TargetNews::Settled(result);
        machine.handle(vec![Input::Target { index, news }], Timestamp::UNIX_EPOCH)
    };
    let told = |turn: &Turn, index: usize| {
        let of = &both()[index];
        let events = turn.events.iter();
        let events = events.filter(|event| event.scope.target.as_ref() == Some(of));
        events.map(|event| event.kind.name()).collect::<Vec<_>>()
    };
    let removed = ["target_finished", "cleanup_intended"];

    // Nothing is removed before every target was looked at.
    let mut machine = given_up();
    let turn = look(&mut machine, second, Ok(Settlement::NotAccepted));
    assert!(turn.events.is_empty() && turn.steps.is_empty(), "{turn:?}");
    let turn = look(&mut machine, first, Ok(Settlement::Accepted));
    // Of the one that it executed, that is found and told.
    assert_eq!(told(&turn, 0), removed);
    assert_eq!(works(&turn), ["delete"]);
    assert_eq!(told(&turn, 1), [&removed[..], &["cleanup_done"]].concat());
    let left = turn.events.iter().find_map(|event| match &event.kind {
        EventKind::CleanupDone { left } => left.as_deref(),
        _ => None,
    });
    assert_eq!(left, Some(LEFT_TO_ANOTHER_RUN));

    // Where none is found, or nobody can tell, all goes.
    let mut machine = given_up();
    look(&mut machine, first, Err(denied()));
    let turn = look(&mut machine, second, Ok(Settlement::NotAccepted));
    assert_eq!(
        (told(&turn, 0), told(&turn, 1)),
        (removed.into(), removed.into())
    );
    assert_eq!(works(&turn), ["delete", "delete"]);

    // Without credentials nothing goes: it is looked at again.
    let mut machine = given_up();
    let expired = CallFailure::new(FailureKind::CredentialsExpired, "expired");
    let turn = look(&mut machine, first, Err(expired));
    assert_eq!(turn.events.len(), 1, "{:?}", turn.events);
    let turn = look(&mut machine, second, Ok(Settlement::Accepted));
    assert!(turn.events.is_empty() && turn.steps.is_empty(), "{turn:?}");
}

/// Returns what a turn asks for.
fn works(turn: &Turn) -> Vec<&'static str> {
    let steps = turn.steps.iter();
    let works = steps.map(|step| match &step.kind {
        StepKind::Target {
            work: TargetWork::Settle { .. },
            ..
        } => "settle",
        StepKind::Target {
            work: TargetWork::DeleteChangeSet { .. },
            ..
        } => "delete",
        other => panic!("{other:?}"),
    });
    works.collect()
}
