use std::collections::BTreeMap;

use super::*;
use crate::model::{AccountId, Decision, Region, StackName};

const STACK: &str =
    "arn:aws:cloudformation:eu-west-1:111111111111:stack/app/5e1f0000-0000-4000-8000-000000000001";

fn target() -> Target {
    Target {
        account: AccountId::new("111111111111").unwrap(),
        region: Region::new("eu-west-1").unwrap(),
        stack: StackName::new("app").unwrap(),
    }
}

fn execution(n: u8) -> ExecutionId {
    ExecutionId::new(format!("01938f5e-0000-7000-8000-0000000000{n:02}")).unwrap()
}

fn id(name: &str) -> ChangeSetId {
    let arn = format!("arn:aws:cloudformation:eu-west-1:111111111111:changeSet/{name}/1");
    ChangeSetId::new(arn).unwrap()
}

/// Returns the trace of an execution that ended, and made the stack.
fn trace(n: u8) -> Trace {
    let name = change_set_name(&execution(n), &target()).to_string();
    Trace {
        execution: execution(n),
        change_set: Some(id(&name)),
        name,
        made: Some(StackId::new(STACK).unwrap()),
        needed: None,
    }
}

fn listed(name: &str) -> ListedChangeSet {
    ListedChangeSet {
        id: id(name),
        name: name.to_owned(),
        status: "CREATE_COMPLETE".to_owned(),
        execution_status: "AVAILABLE".to_owned(),
        created: Some(at(1)),
    }
}

/// Returns a time on a day of a month.
fn at(day: i8) -> Timestamp {
    format!("2026-01-{day:02}T00:00:00Z").parse().unwrap()
}

fn judged(
    status: StackStatus,
    listed: &[ListedChangeSet],
    traces: &[Trace],
) -> (Vec<(LeftoverKind, Fate)>, usize) {
    judged_with(status, None, listed, traces, &Unknown::default())
}

fn judged_with(
    status: StackStatus,
    begun: Option<Timestamp>,
    listed: &[ListedChangeSet],
    traces: &[Trace],
    unknown: &Unknown,
) -> (Vec<(LeftoverKind, Fate)>, usize) {
    let stack = StackSummary {
        id: StackId::new(STACK).unwrap(),
        status,
        reason: None,
        parameters: Vec::new(),
        outputs: BTreeMap::new(),
        tags: None,
    };
    let found = judge(&target(), &stack, begun, listed, traces, unknown);
    let fates = found.leftovers.into_iter().map(|one| (one.kind, one.fate));
    (fates.collect(), found.others)
}

fn kept(why: Kept) -> Fate {
    Fate::Kept { why }
}

const SET: LeftoverKind = LeftoverKind::ChangeSet;
const EMPTY: LeftoverKind = LeftoverKind::ReviewStack;

#[test]
fn what_an_ended_execution_made_goes_with_its_empty_stack() {
    let trace = trace(1);
    let sets = [listed(&trace.name)];
    let review = StackStatus::ReviewInProgress;
    let all = vec![(SET, Fate::Removable), (EMPTY, Fate::Removable)];
    assert_eq!(
        judged(review, &sets, std::slice::from_ref(&trace)),
        (all, 0)
    );
    // The change set alone is gone.
    let rest = vec![(EMPTY, Fate::Removable)];
    assert_eq!(judged(review, &[], std::slice::from_ref(&trace)), (rest, 0));
    // A stack that lives is nobody's leftover.
    let set = vec![(SET, Fate::Removable)];
    assert_eq!(
        judged(StackStatus::UpdateComplete, &sets, &[trace]),
        (set, 0)
    );
}

#[test]
fn what_is_not_provably_ours_stays() {
    let ours = trace(1);
    let review = StackStatus::ReviewInProgress;
    // Another journal's change set, and somebody's own.
    let foreign = change_set_name(&execution(9), &target()).to_string();
    let sets = [listed(&ours.name), listed(&foreign), listed("by-hand")];
    let fates = vec![
        (SET, Fate::Removable),
        (SET, kept(Kept::NotOfThisJournal)),
        (EMPTY, kept(Kept::HasChangeSets)),
    ];
    assert_eq!(
        judged(review, &sets, std::slice::from_ref(&ours)),
        (fates, 1)
    );
    // Somebody's own alone keeps the stack, too.
    let sets = [listed(&ours.name), listed("by-hand")];
    let fates = vec![(SET, Fate::Removable), (EMPTY, kept(Kept::HasChangeSets))];
    assert_eq!(
        judged(review, &sets, std::slice::from_ref(&ours)),
        (fates, 1)
    );
    // The stack that the execution made is gone, and this is another one.
    let other = Trace {
        made: Some(StackId::new(format!("{STACK}2")).unwrap()),
        ..ours.clone()
    };
    assert_eq!(judged(review, &[], &[other]), (vec![], 0));
    // A stack that was there before, or whose making is not on record.
    let before = Trace { made: None, ..ours };
    assert_eq!(judged(review, &[], &[before]), (vec![], 0));
}

#[test]
fn what_the_journal_does_not_know_goes_where_it_is_old_enough() {
    let foreign = change_set_name(&execution(9), &target()).to_string();
    let (old, review) = ([listed(&foreign)], StackStatus::ReviewInProgress);
    let before = |day| Unknown {
        before: Some(at(day)),
        unread: Vec::new(),
    };
    let of = |begun, sets: &[ListedChangeSet], unknown: &Unknown| {
        judged_with(review, begun, sets, &[], unknown).0
    };
    let stays = vec![(SET, kept(Kept::NotOfThisJournal))];
    // Made on the first; the stack with it.
    let both = vec![(SET, Fate::Removable), (EMPTY, Fate::Removable)];
    assert_eq!(of(Some(at(1)), &old, &before(2)), both);
    assert_eq!(of(Some(at(1)), &old, &before(1)), stays);
    assert_eq!(of(Some(at(1)), &old, &Unknown::default()), stays);
    // Somebody else made the stack, or it is not known who.
    let alone = vec![(SET, Fate::Removable)];
    for begun in [None, Some(at(3))] {
        assert_eq!(of(begun, &old, &before(9)), alone);
    }
    // Something of somebody else, or younger, is in it.
    let young = ListedChangeSet {
        created: Some(at(5)),
        ..listed(change_set_name(&execution(8), &target()).as_str())
    };
    for (other, fate) in [
        (young, Some((SET, kept(Kept::NotOfThisJournal)))),
        (listed("by-hand"), None),
    ] {
        let sets = [old[0].clone(), other];
        let mut expected = vec![(SET, Fate::Removable)];
        expected.extend(fate);
        expected.push((EMPTY, kept(Kept::HasChangeSets)));
        assert_eq!(of(Some(at(1)), &sets, &before(2)), expected);
    }
    // Nothing says how old it is; it is worked on; or its execution is in the journal after all.
    let ageless = ListedChangeSet {
        created: None,
        ..old[0].clone()
    };
    assert_eq!(of(Some(at(1)), &[ageless], &before(9)), stays);
    let running = "EXECUTE_IN_PROGRESS".to_owned();
    let executed = ListedChangeSet {
        execution_status: running.clone(),
        ..old[0].clone()
    };
    let under_way = vec![(SET, kept(Kept::UnderWay { status: running }))];
    assert_eq!(of(None, &[executed], &before(9)), under_way);
    let unread = Unknown {
        unread: vec![execution(9)],
        ..before(9)
    };
    assert_eq!(of(Some(at(1)), &old, &unread), stays);
}

#[test]
fn what_is_needed_stays_and_so_does_its_stack() {
    let needed = Trace {
        needed: Some(Kept::WaitingForApproval),
        ..trace(1)
    };
    let sets = [listed(&needed.name)];
    let review = StackStatus::ReviewInProgress;
    let waits = (SET, kept(Kept::WaitingForApproval));
    assert_eq!(
        judged(review, &sets, std::slice::from_ref(&needed)),
        (vec![waits.clone()], 0)
    );
    // An earlier execution that ended made the stack, in which this one waits.
    let fates = vec![waits, (EMPTY, kept(Kept::HasChangeSets))];
    assert_eq!(judged(review, &sets, &[needed, trace(2)]), (fates, 0));
}

#[test]
fn what_the_service_works_on_or_has_done_stays() {
    let trace = trace(1);
    let with = |status: &str, execution: &str| ListedChangeSet {
        status: status.to_owned(),
        execution_status: execution.to_owned(),
        ..listed(&trace.name)
    };
    let of = |set: ListedChangeSet| {
        let (fates, _) = judged(
            StackStatus::UpdateComplete,
            &[set],
            std::slice::from_ref(&trace),
        );
        fates.into_iter().map(|(_, fate)| fate).collect::<Vec<_>>()
    };
    let under_way = |status: &str| {
        vec![kept(Kept::UnderWay {
            status: status.to_owned(),
        })]
    };
    let running = "EXECUTE_IN_PROGRESS";
    assert_eq!(of(with("CREATE_COMPLETE", running)), under_way(running));
    let making = "CREATE_IN_PROGRESS";
    assert_eq!(of(with(making, "UNAVAILABLE")), under_way(making));
    assert_eq!(of(with("CREATE_COMPLETE", "EXECUTE_COMPLETE")), []);
    assert_eq!(of(with("FAILED", "UNAVAILABLE")), [Fate::Removable]);
    let another = ListedChangeSet {
        id: id("another"),
        ..listed(&trace.name)
    };
    assert_eq!(of(another), [kept(Kept::AnotherOfThatName)]);
}

#[test]
fn only_the_end_of_an_execution_abandons_what_it_made() {
    let carried = || {
        Some(Kept::CarriedAway {
            file: "a.plan".to_owned(),
        })
    };
    let of = |state: &State, file, alive| needed(state.clone(), file, alive);
    for state in [
        State::Running,
        State::Paused,
        State::Stopping,
        State::GivingUp,
        State::Answered(Decision::Reject),
        State::Overdue,
        State::Unknown,
    ] {
        assert_eq!(of(&state, None, false), Some(Kept::Resumable), "{state:?}");
        assert_eq!(of(&state, Some("a.plan"), false), carried(), "{state:?}");
        assert_eq!(of(&state, None, true), Some(Kept::Running), "{state:?}");
    }
    for state in [State::WaitingForApproval, State::Denied] {
        assert_eq!(of(&state, None, false), Some(Kept::WaitingForApproval));
        assert_eq!(of(&state, Some("a.plan"), false), carried(), "{state:?}");
    }
    for (outcome, is_taken_back) in [
        (ExecutionOutcome::Rejected, true),
        (ExecutionOutcome::Stopped, true),
        (ExecutionOutcome::Expired, false),
        (ExecutionOutcome::Failed, false),
    ] {
        let state = State::Ended(outcome);
        assert_eq!(of(&state, None, false), None, "{state:?}");
        let with_file = of(&state, Some("a.plan"), false);
        assert_eq!(with_file.is_none(), is_taken_back, "{state:?}");
    }
}
