//! Calls that nothing answered, about targets whose plan was approved.

use super::super::step::{Input, StepKind, TargetNews, TargetWork, UnknownPolicy};
use super::super::table_tests::lived_by;
use super::*;
use crate::model::{
    AccountId, Approver, EventKind, InboxMessage, Region, SkipReason, StackName, StackSetting,
    StopMode, StopRequest, Target,
};

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

/// What a turn says of targets: the stages of these machines have not begun.
fn of_targets(turn: &Turn) -> Vec<&EventKind> {
    let of_targets = turn.events.iter().filter(|e| e.scope.target.is_some());
    of_targets.map(|event| &event.kind).collect()
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

/// Returns what tells `machine` something about `target`.
fn of(machine: &Machine, target: &Target, news: TargetNews) -> Input {
    let index = machine.state.index_of(target).unwrap();
    Input::Target { index, news }
}

#[test]
fn a_region_in_which_nothing_answers_pauses_once_and_fails_nothing() {
    let mut machine = machine(&[]);
    let now = Timestamp::UNIX_EPOCH;
    let [first, second, third] = three();
    let verified =
        [first, second, third].map(|target| of(&machine, &target, TargetNews::Verified(silence())));
    let [first, second, third] = verified;
    let turn = machine.handle(vec![first], now);
    assert_eq!(kinds(&turn), [&paused("eu-west-1", 2, 0)]);
    // The same of another target there is no news; of another region it is.
    let turn = machine.handle(vec![second, third], now);
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
    let watched = |machine: &Machine, target, kind, message| {
        let failure = CallFailure::new(kind, message);
        of(machine, target, TargetNews::Watched(Err(failure)))
    };
    let silent = watched(&machine, &first, FailureKind::Unreachable, "no route");
    let turn = machine.handle(vec![silent], now);
    assert_eq!(kinds(&turn), [&paused("eu-west-1", 0, 2)]);
    let expired = watched(&machine, &third, FailureKind::CredentialsExpired, "expired");
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
    let inputs = [(&first, silence()), (&second, Ok(())), (&third, Ok(()))];
    let inputs = inputs.map(|(target, result)| of(&machine, target, TargetNews::Executed(result)));
    let inputs = Vec::from(inputs);
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
    assert!(matches!(
        &step.kind,
        StepKind::Target { spec, work: TargetWork::Settle { .. }, .. } if spec.target == third
    ));
}

#[test]
fn whatever_was_carried_out_already_is_no_failure_for_it() {
    let now = Timestamp::UNIX_EPOCH;
    let [first, ..] = three();
    let mut machine = machine(&["execute_intended", "execute_accepted"]);
    let lost = of(&machine, &first, TargetNews::Watched(silence()));
    let turn = machine.handle(vec![lost], now);
    assert_eq!(kinds(&turn), [&paused("eu-west-1", 0, 2)]);
    assert!(machine.state.asked_about.is_empty());
    let lost = TargetNews::SettingApplied {
        setting: StackSetting::StackPolicy,
        result: silence(),
    };
    let lost = of(&machine, &first, lost);
    let turn = machine.handle(vec![lost], now);
    assert!(turn.events.is_empty(), "{:?}", turn.events);
    assert_eq!(machine.state.targets[&first].outcome, None);
}

#[test]
fn whether_a_request_was_accepted_is_found_out_when_the_region_is_back_or_somebody_says_it() {
    let now = Timestamp::UNIX_EPOCH;
    let [first, ..] = three();
    let mut machine = machine(&["execute_intended"]);
    let settled = of(&machine, &first, TargetNews::Settled(silence()));
    let turn = machine.handle(vec![settled], now);
    assert_eq!(kinds(&turn), [&paused("eu-west-1", 0, 2)]);
    assert_eq!(machine.state.targets[&first].phase, Phase::Executing);
    // Somebody was asked before the region fell silent, and has found it out.
    let mut machine = self::machine(&["execute_intended"]);
    machine.unknown = UnknownPolicy::Executed.into();
    let asked = machine.state.index_of(&first).unwrap();
    machine.looked_at.insert(asked);
    let settled = of(&machine, &first, TargetNews::Settled(silence()));
    let turn = machine.handle(vec![settled], now);
    assert_eq!(of_targets(&turn), [&EventKind::ExecuteAccepted]);
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

/// A request to give up, of somebody who knew that nothing answers in the regions `unreachable`.
fn request(unreachable: &[&Target]) -> StopRequest {
    let regions = unreachable.iter().map(|target| target.region.clone());
    StopRequest {
        mode: StopMode::GiveUp,
        by: Approver {
            arn: None,
            os_user: "ana".to_owned(),
            host: "laptop".to_owned(),
        },
        reason: String::new(),
        unreachable: regions.collect(),
    }
}

/// Returns `machine` after it was left and taken up again, before which `kinds` happened.
fn taken_up(machine: Machine, kinds: Vec<EventKind>) -> Machine {
    let mut state = machine.state;
    let resumed = EventKind::Resumed {
        owner: "laptop".to_owned(),
        secrets: Default::default(),
    };
    for kind in kinds.into_iter().chain([resumed]) {
        let event = state.follow(Timestamp::UNIX_EPOCH, kind).unwrap();
        state.apply(&event).unwrap();
    }
    Machine::over(state, UnknownPolicy::Ask)
}

/// Has `machine` given up after it was left, and taken up again.
fn given_up(machine: Machine) -> Machine {
    let request = request(&[]);
    taken_up(machine, vec![EventKind::StopRequested { request }])
}

fn watched(machine: &Machine, target: &Target) -> Input {
    of(machine, target, TargetNews::Watched(silence()))
}

/// Returns an execution of three targets that are under way, paused because nothing answers where the first is.
fn paused_at(first: &Target) -> Machine {
    let mut machine = machine(&["execute_intended", "execute_accepted"]);
    let silent = watched(&machine, first);
    let turn = machine.handle(vec![silent], Timestamp::UNIX_EPOCH);
    assert_eq!(kinds(&turn), [&paused("eu-west-1", 0, 2)]);
    machine
}

#[test]
fn a_give_up_that_is_read_after_the_pause_holds_for_where_nothing_answered_before_it() {
    let now = Timestamp::UNIX_EPOCH;
    let [first, second, third] = three();
    let mut machine = taken_up(paused_at(&first), Vec::new());
    let late = InboxMessage::Stop(request(&[&first]));
    machine.take(&mut Turn::default(), now, Input::Inbox(vec![late]));
    // Of a region that fell silent since, nobody knew.
    let mut turn = Turn::default();
    let silent = watched(&machine, &third);
    machine.take(&mut turn, now, silent);
    assert_eq!(kinds(&turn), [&paused("us-east-1", 0, 1)]);
    let silent = [&first, &second].map(|target| watched(&machine, target));
    let turn = machine.handle(silent.into(), now);
    let unknown = |kind: &&EventKind| matches!(kind, EventKind::TargetFinished { outcome, .. } if matches!(outcome, TargetOutcome::Unknown { .. }));
    let told = of_targets(&turn);
    assert!(told.len() == 2 && told.iter().all(unknown), "{told:?}");
}

#[test]
fn a_give_up_that_is_read_after_the_region_is_back_gives_it_up_no_more() {
    let now = Timestamp::UNIX_EPOCH;
    let [first, second, _] = three();
    let running = ["execute_intended", "execute_accepted"];
    for (names, news) in [
        (&running[..], Some(TargetNews::Observed(Vec::new()))),
        (&running[..1], Some(TargetNews::Executed(Ok(())))),
        (&running, None),
    ] {
        let mut machine = machine(names);
        let silent = watched(&machine, &second);
        machine.handle(vec![silent], now);
        assert_eq!(machine.state.unreachable.len(), 1);
        let mut machine = taken_up(machine, Vec::new());
        let answer = match news {
            Some(news) => of(&machine, &first, news),
            None => Input::Answers(first.region.clone()),
        };
        let back = format!("{answer:?}");
        machine.take(&mut Turn::default(), now, answer);
        let late = InboxMessage::Stop(request(&[&first]));
        let mut turn = Turn::default();
        machine.take(&mut turn, now, Input::Inbox(vec![late]));
        let told = EventKind::StopRequested {
            request: request(&[]),
        };
        assert_eq!(kinds(&turn), [&told], "{back}");
        assert!(machine.state.lost.is_empty(), "{back}");
    }
}

#[test]
fn what_is_under_way_where_nothing_answers_ends_unknown_for_whoever_gives_up_then() {
    let now = Timestamp::UNIX_EPOCH;
    let [first, second, third] = three();
    for (more, is_settled) in [
        (&["execute_intended", "execute_accepted"][..], false),
        (&["execute_intended"], true),
    ] {
        let answer = |machine: &Machine, target| match is_settled {
            false => of(machine, target, TargetNews::Watched(silence())),
            true => of(machine, target, TargetNews::Settled(silence())),
        };
        let mut machine = machine(more);
        let executed = of(&machine, &first, TargetNews::Executed(silence()));
        machine.handle(vec![executed], now);
        let mut machine = given_up(machine);
        // Of a region that fell silent since, nobody knew.
        let mut turn = Turn::default();
        let silent = answer(&machine, &third);
        machine.take(&mut turn, now, silent);
        assert_eq!(kinds(&turn), [&paused("us-east-1", 0, 1)]);
        let silent = [&first, &second].map(|target| answer(&machine, target));
        let turn = machine.handle(silent.into(), now);
        let [EventKind::TargetFinished { outcome, .. }, _] = of_targets(&turn)[..] else {
            panic!("{:?}", turn.events);
        };
        let TargetOutcome::Unknown { reason } = outcome else {
            panic!("{outcome:?}");
        };
        assert!(
            reason.starts_with("it was under way when eu-west-1 stopped answering")
                && reason.contains("(no route)"),
            "{reason}"
        );
    }
}

#[test]
fn a_rollout_that_failed_leaves_out_what_was_not_executed_where_nothing_answers() {
    let now = Timestamp::UNIX_EPOCH;
    let [first, second, third] = three();
    let mut machine = machine(&[]);
    let definition = machine.state.definition.clone();
    let mut actions = definition.pipeline.actions();
    let fan_out = actions.find_map(|a| a.fan_out.as_ref()).unwrap();
    let mut rollout = Rollout::of(fan_out);
    for target in [&first, &second, &third] {
        rollout.begin(target);
    }
    rollout.finish(&third, true);
    machine.state.rollout = Some(rollout);
    // A request for the second is on its way.
    let on_its_way = machine.state.index_of(&second).unwrap();
    machine.busy.insert(on_its_way);
    let verified = of(&machine, &first, TargetNews::Verified(silence()));
    let turn = machine.handle(vec![verified], now);
    let reason = SkipReason::EarlierRegionFailed {
        region: third.region,
    };
    let outcome = TargetOutcome::Skipped { reason };
    let [EventKind::TargetFinished { outcome: told, .. }, rest @ ..] = &of_targets(&turn)[..]
    else {
        panic!("{:?}", turn.events);
    };
    assert_eq!(*told, outcome);
    assert!(
        matches!(rest, [EventKind::CleanupIntended { .. }]),
        "{rest:?}"
    );
    assert_eq!(machine.state.targets[&second].outcome, None);
    assert_eq!(machine.state.paused, None);
}

#[test]
fn a_resumption_forgets_where_nothing_answered() {
    let mut machine = machine(&[]);
    let now = Timestamp::UNIX_EPOCH;
    let [first, ..] = three();
    let verified = of(&machine, &first, TargetNews::Verified(silence()));
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
