//! Tests of `followed`.

use std::time::Duration;

use super::super::fixtures::{self, Script};
use super::super::{Direction, ScreenOptions, Status, Summary, status, summary};
use super::*;
use crate::model::{Cause, ChangeSetKind, EventKind, SkipReason};

/// Returns an execution of its own number that goes on from another, in which the targets ended so; over unless `open`.
fn execution(number: u32, follows: Option<Follows>, ended: &[(Target, TargetOutcome)]) -> Script {
    let targets: Vec<Target> = ended.iter().map(|(target, _)| target.clone()).collect();
    let mut script = Script::new(&targets);
    if let EventKind::ExecutionStarted { definition } = &mut script.events[0].kind {
        let definition = std::sync::Arc::make_mut(definition);
        definition.invocation.follows = follows;
    }
    for (target, outcome) in ended {
        script.intend(target, ChangeSetKind::Update, fixtures::inputs());
        script.end(target, outcome.clone());
    }
    for event in &mut script.events {
        event.execution = id(number);
        event.at += Duration::from_secs(3_600) * number;
    }
    script
}

fn over(mut script: Script) -> View {
    let view = script.view();
    let outcome = match view.counts().failures() + view.counts().skipped {
        0 => ExecutionOutcome::Succeeded,
        _ => ExecutionOutcome::Failed,
    };
    script.finish(outcome);
    if let [.., before, last] = script.events.as_mut_slice() {
        last.execution = before.execution.clone();
        last.at = before.at;
    }
    script.view()
}

fn id(number: u32) -> ExecutionId {
    format!("0199a1b2-0000-7000-8000-00000000000{number}")
        .parse()
        .unwrap()
}

fn failed() -> TargetOutcome {
    TargetOutcome::Failed {
        status: None,
        cause: Cause::of("quota"),
    }
}

fn skipped() -> TargetOutcome {
    TargetOutcome::Skipped {
        reason: SkipReason::Stopped,
    }
}

/// Returns a rollout of four: two were done, one failed, one was not begun.
fn first() -> View {
    let outcomes = [
        fixtures::succeeded(),
        fixtures::succeeded(),
        failed(),
        skipped(),
    ];
    let ended: Vec<_> = fixtures::four().into_iter().zip(outcomes).collect();
    over(execution(1, None, &ended))
}

/// Returns an execution over some of the four.
fn later(number: u32, follows: Follows, ended: &[(usize, TargetOutcome)]) -> View {
    let four = fixtures::four();
    let ended: Vec<_> = ended
        .iter()
        .map(|(at, o)| (four[*at].clone(), o.clone()))
        .collect();
    over(execution(number, Some(follows), &ended))
}

/// Returns what is told of the first execution, and what to do next, with short ids.
fn told(followers: &[View]) -> (Vec<String>, Vec<String>) {
    let view = first();
    let with = followers.iter().map(|f| (f.clone(), Some(false)));
    let followed = Followed::of(&view, &with.collect::<Vec<_>>()).unwrap();
    let short = |text: &String| text.replace("0199a1b2-0000-7000-8000-00000000000", "#");
    (
        followed.texts().iter().map(short).collect(),
        followed.next.iter().map(short).collect(),
    )
}

#[test]
fn what_was_retried_and_done_asks_for_nothing_more() {
    let good = fixtures::succeeded;
    let retry = later(2, Follows::Retries(id(1)), &[(2, good()), (3, good())]);
    let (texts, next) = told(&[retry]);
    assert_eq!(texts, ["retried by #2: succeeded, 2 targets"]);
    assert!(next.is_empty(), "{next:?}");
}

#[test]
fn what_a_retry_left_open_is_retried_where_it_was_tried_last() {
    let good = fixtures::succeeded;
    let retry = || later(2, Follows::Retries(id(1)), &[(2, failed())]);
    let (texts, next) = told(&[retry()]);
    assert_eq!(texts, ["retried by #2: failed, 0 of 1 target done"]);
    let expected = [
        "stackgate retry #2 --failed",
        "stackgate retry #1",
        "stackgate rollback #1",
        "stackgate events #2",
    ];
    assert_eq!(next, expected);
    let again = later(3, Follows::Retries(id(2)), &[(2, good())]);
    let (texts, next) = told(&[retry(), again]);
    assert_eq!(texts[1], "execution #2 retried by #3: succeeded, 1 target");
    assert_eq!(next[0], "stackgate retry #1");
    let rest = later(3, Follows::Retries(id(1)), &[(2, good()), (3, good())]);
    assert!(told(&[retry(), rest]).1.is_empty());
}

#[test]
fn what_was_rolled_back_is_not_to_be_retried() {
    let good = fixtures::succeeded;
    let both = [(0, good()), (1, good())];
    let back = || later(2, Follows::RollsBack(id(1)), &both);
    let (texts, next) = told(&[back()]);
    assert_eq!(texts, ["rolled back by #2: succeeded, 2 targets"]);
    assert!(next.is_empty(), "{next:?}");
    let part = || later(2, Follows::RollsBack(id(1)), &[(0, good()), (1, failed())]);
    let next = told(&[part()]).1;
    let expected = [
        "stackgate retry #2 --failed",
        "stackgate rollback #1",
        "stackgate events #2",
    ];
    assert_eq!(next, expected);
    // A retry of a rollback rolls back.
    let rest = later(3, Follows::Retries(id(2)), &[(1, good())]);
    assert!(told(&[part(), rest]).1.is_empty());
    // A retry that still stands is to be rolled back, too.
    let retry = later(2, Follows::Retries(id(1)), &[(2, good())]);
    let back = later(3, Follows::RollsBack(id(1)), &both);
    assert_eq!(told(&[retry, back]).1, ["stackgate rollback #2"]);
}

#[test]
fn what_nobody_approved_changes_nothing_about_what_is_next() {
    let four = fixtures::four();
    let rejected = TargetOutcome::Skipped {
        reason: SkipReason::Rejected,
    };
    let ended = [
        (four[2].clone(), rejected.clone()),
        (four[3].clone(), rejected),
    ];
    let mut script = execution(2, Some(Follows::Retries(id(1))), &ended);
    script.finish(ExecutionOutcome::Rejected);
    for event in &mut script.events {
        event.execution = id(2);
    }
    let (texts, next) = told(&[script.view()]);
    assert_eq!(texts, ["a retry by #2: rejected, 0 of 2 targets done"]);
    assert_eq!(next[0], "stackgate retry #1");
    assert_eq!(next[1], "stackgate rollback #1");
}

#[test]
fn one_that_is_open_is_what_comes_next() {
    let four = fixtures::four();
    let follows = Some(Follows::RollsBack(id(1)));
    let open = execution(2, follows, &[(four[0].clone(), fixtures::succeeded())]).view();
    let view = first();
    for (alive, next) in [(Some(false), Some("stackgate resume")), (Some(true), None)] {
        let followed = Followed::of(&view, &[(open.clone(), alive)]).unwrap();
        let first = followed.next.first();
        assert_eq!(
            first.map(|c| c.starts_with(next.unwrap_or("?"))),
            next.map(|_| true)
        );
    }
}

#[test]
fn a_rollback_that_was_interrupted_is_resumed_whatever_was_retried_since() {
    let four = fixtures::four();
    let follows = Some(Follows::RollsBack(id(1)));
    let open = execution(2, follows, &[(four[0].clone(), fixtures::succeeded())]).view();
    let retry = later(3, Follows::Retries(id(1)), &[(2, failed())]);
    let (_, next) = told(&[open, retry]);
    assert_eq!(next, ["stackgate resume #2", "stackgate stop #2 --give-up"]);
}

#[test]
fn what_a_retry_did_while_a_rollback_waited_is_to_be_taken_back_too() {
    let four = fixtures::four();
    let ended: Vec<_> = [0, 1]
        .map(|at| (four[at].clone(), fixtures::succeeded()))
        .into();
    let mut back = execution(2, Some(Follows::RollsBack(id(1))), &ended);
    let retry = later(3, Follows::Retries(id(1)), &[(2, fixtures::succeeded())]);
    for event in &mut back.events[1..] {
        event.at += Duration::from_secs(7_200);
    }
    let (_, next) = told(&[over(back), retry]);
    assert_eq!(next, ["stackgate rollback #3"]);
}

#[test]
fn others_are_no_followers() {
    let elsewhere = fixtures::target('9', "eu-west-3");
    let other = execution(2, Some(Follows::Retries(id(1))), &[(elsewhere, failed())]);
    assert_eq!(Followed::of(&first(), &[(over(other), None)]), None);
    assert_eq!(Followed::of(&first(), &[]), None);
}

#[test]
fn it_is_told_in_the_status_and_in_documents() {
    let good = fixtures::succeeded;
    let mut view = first();
    let retry = later(2, Follows::Retries(id(1)), &[(2, good()), (3, failed())]);
    view.note_followed(Followed::of(&view, &[(retry, Some(false))]));
    crate::report::documents::assert_valid(&Status::of(&view, Some(false)));
    crate::report::documents::assert_valid(&Summary::of(&view));
    let options = ScreenOptions::default();
    let texts = [
        status(&view, Some(false), &options),
        summary(&view, &options),
    ];
    insta::assert_snapshot!(texts.join("\n---\n"));
}

#[test]
fn what_only_waits_rolled_nothing_back() {
    let mut waiting = execution(2, Some(Follows::RollsBack(id(1))), &[]);
    let targets = fixtures::four();
    waiting.update(&targets[0], fixtures::change_a());
    waiting.ask();
    for event in &mut waiting.events {
        event.execution = id(2);
    }
    let (texts, _) = told(&[waiting.view()]);
    assert_eq!(
        texts,
        ["a rollback by #2 waits for approval, 0 of 1 target done"]
    );
    waiting.finish(ExecutionOutcome::Rejected);
    if let Some(last) = waiting.events.last_mut() {
        last.execution = id(2);
    }
    let (texts, _) = told(&[waiting.view()]);
    assert_eq!(texts, ["a rollback by #2: rejected, 0 of 1 target done"]);
}

#[test]
fn a_rollback_of_a_rollback_takes_it_back() {
    let good = fixtures::succeeded;
    let back = later(2, Follows::RollsBack(id(1)), &[(0, good()), (1, good())]);
    let again = later(3, Follows::RollsBack(id(2)), &[(0, good()), (1, good())]);
    let (texts, _) = told(&[back, again.clone()]);
    assert_eq!(
        texts,
        [
            "rolled back by #2: succeeded, 2 targets",
            "execution #2 taken back by #3: succeeded, 2 targets"
        ]
    );
    let text = |direction| {
        let mut view = again.clone();
        view.note_direction(direction);
        summary(&view, &ScreenOptions::default())
    };
    let back = "network rolled back in 2 targets";
    assert!(text(None).starts_with(back), "{}", text(None));
    let again = text(Some(Direction::Again));
    assert!(
        again.starts_with("network brought back to the newer version in 2 targets"),
        "{again}"
    );
    assert!(text(Some(Direction::Back)).starts_with(back));
}
