//! Calls that nothing answered, about targets whose plan was approved.

use super::super::step::{Input, StepKind, UnknownPolicy};
use super::super::table_tests::lived_by;
use super::*;
use crate::model::{AccountId, EventKind, StackName, StackSetting, Target};

const STARTED: [&str; 4] = [
    "change_set_intended",
    "change_set_created",
    "change_set_ready",
    "target_started",
];

fn target(account: &str, region: &str) -> Target {
    Target {
        account: AccountId::new(account).unwrap(),
        region: Region::new(region).unwrap(),
        stack: StackName::new("network").unwrap(),
    }
}

/// Two targets in Ireland, one in Virginia.
fn three() -> [Target; 3] {
    [
        target("111111111111", "eu-west-1"),
        target("222222222222", "eu-west-1"),
        target("111111111111", "us-east-1"),
    ]
}

fn machine(more: &[&str]) -> Machine {
    let names = [&STARTED[..], more].concat();
    Machine::over(lived_by(&three(), &names), UnknownPolicy::Ask)
}

fn silence<T>() -> Result<T, CallFailure> {
    Err(CallFailure::new(FailureKind::Unreachable, "no route"))
}

fn kinds(turn: &Turn) -> Vec<&EventKind> {
    turn.events.iter().map(|event| &event.kind).collect()
}

fn paused(region: &str, untouched: u32, under_way: u32) -> EventKind {
    EventKind::Paused {
        reason: PauseReason::Unreachable {
            region: Region::new(region).unwrap(),
            untouched,
            under_way,
            message: "no route".to_owned(),
        },
    }
}

#[test]
fn a_region_in_which_nothing_answers_pauses_once_and_fails_nothing() {
    let mut machine = machine(&[]);
    let now = Timestamp::UNIX_EPOCH;
    let [first, second, third] = three();
    let verified = |target| Input::Verified {
        target,
        result: silence(),
    };
    let turn = machine.handle(vec![verified(first.clone())], now);
    assert_eq!(kinds(&turn), [&paused("eu-west-1", 2, 0)]);
    // The same of another target there is no news; of another region it is.
    let turn = machine.handle(vec![verified(second), verified(third)], now);
    assert_eq!(kinds(&turn), [&paused("us-east-1", 1, 0)]);
    assert!(turn.steps.is_empty());
    let mut targets = machine.state.targets.values();
    assert!(targets.all(|t| t.phase == Phase::Started && t.outcome.is_none()));
}

#[test]
fn credentials_that_expire_elsewhere_are_told_and_nothing_is_tried_again() {
    let mut machine = machine(&["execute_intended", "execute_accepted"]);
    let now = Timestamp::UNIX_EPOCH;
    let [first, _, third] = three();
    machine.pending = machine.state.indices().collect();
    let watched = |target: &Target, kind, message| Input::Watched {
        target: target.clone(),
        result: Err(CallFailure::new(kind, message)),
    };
    let silent = watched(&first, FailureKind::Unreachable, "no route");
    let turn = machine.handle(vec![silent], now);
    assert_eq!(kinds(&turn), [&paused("eu-west-1", 0, 2)]);
    let expired = watched(&third, FailureKind::CredentialsExpired, "expired");
    let turn = machine.handle(vec![expired], now);
    let message = "expired".to_owned();
    let reason = PauseReason::CredentialsExpired { message };
    assert_eq!(kinds(&turn), [&EventKind::Paused { reason }]);
    assert!(turn.steps.is_empty(), "{:?}", turn.steps);
}

#[test]
fn what_was_begun_elsewhere_is_seen_to_its_end() {
    let mut machine = machine(&["execute_intended"]);
    let now = Timestamp::UNIX_EPOCH;
    let [first, second, third] = three();
    let inputs = vec![
        Input::Executed {
            target: first,
            result: silence(),
        },
        Input::Executed {
            target: second.clone(),
            result: Ok(()),
        },
        Input::Executed {
            target: third.clone(),
            result: Ok(()),
        },
    ];
    machine.pending = machine.state.indices().collect();
    let turn = machine.handle(inputs, now);
    assert_eq!(
        kinds(&turn),
        [
            &paused("eu-west-1", 0, 2),
            &EventKind::ExecuteAccepted,
            &EventKind::ExecuteAccepted
        ]
    );
    let mut watched = Turn::default();
    for target in [&second, &third] {
        let target = machine.state.index_of(target).unwrap();
        if machine.is_seen_to_its_end(target) {
            machine.look_into(&mut watched, target);
        }
    }
    let [step] = &watched.steps[..] else {
        panic!("{:?}", watched.steps)
    };
    assert!(matches!(&step.kind, StepKind::Settle { spec, .. } if spec.target == third));
}

#[test]
fn whatever_was_carried_out_already_is_no_failure_for_it() {
    let now = Timestamp::UNIX_EPOCH;
    let [first, ..] = three();
    let mut machine = machine(&["execute_intended", "execute_accepted"]);
    let lost = Input::Watched {
        target: first.clone(),
        result: silence(),
    };
    let turn = machine.handle(vec![lost], now);
    assert_eq!(kinds(&turn), [&paused("eu-west-1", 0, 2)]);
    assert!(machine.state.asked_about.is_empty());
    let lost = Input::SettingApplied {
        target: first.clone(),
        setting: StackSetting::StackPolicy,
        result: silence(),
    };
    let turn = machine.handle(vec![lost], now);
    assert!(turn.events.is_empty(), "{:?}", turn.events);
    assert_eq!(machine.state.targets[&first].outcome, None);
}

#[test]
fn whether_a_request_was_accepted_is_asked_where_nothing_answers() {
    let mut machine = machine(&["execute_intended"]);
    let [first, ..] = three();
    let settled = Input::Settled {
        target: first.clone(),
        result: silence(),
    };
    let turn = machine.handle(vec![settled], Timestamp::UNIX_EPOCH);
    let reason = PauseReason::OutcomeUnknown {
        target: first.clone(),
        message: "no route".to_owned(),
    };
    assert_eq!(kinds(&turn), [&EventKind::Paused { reason }]);
    assert_eq!(machine.state.targets[&first].phase, Phase::Executing);
    // What somebody is asked outranks what only has to be waited for.
    let lost = Input::Executed {
        target: three()[1].clone(),
        result: silence(),
    };
    let turn = machine.handle(vec![lost], Timestamp::UNIX_EPOCH);
    assert!(turn.events.is_empty(), "{:?}", turn.events);
}

#[test]
fn who_gives_up_does_not_wait_for_a_region() {
    let now = Timestamp::UNIX_EPOCH;
    let [first, ..] = three();
    for (more, waits) in [(&[][..], false), (&["execute_intended"][..], true)] {
        let mut machine = machine(more);
        machine.state.given_up = true;
        let mut turn = Turn::default();
        let first = machine.state.index_of(&first).unwrap();
        let result = machine.reached(&mut turn, now, first, silence::<()>());
        assert_eq!(result, None);
        assert_eq!(!turn.events.is_empty(), waits, "{more:?}");
    }
}

#[test]
fn a_resumption_forgets_where_nothing_answered() {
    let mut machine = machine(&[]);
    let now = Timestamp::UNIX_EPOCH;
    let [first, ..] = three();
    let verified = Input::Verified {
        target: first,
        result: silence(),
    };
    machine.handle(vec![verified], now);
    assert_eq!(machine.state.unreachable.len(), 1);
    let resumed = EventKind::Resumed {
        owner: "laptop".to_owned(),
        secrets: Default::default(),
    };
    let event = machine.state.follow(now, resumed).unwrap();
    machine.state.apply(&event).unwrap();
    assert!(machine.state.unreachable.is_empty());
}
