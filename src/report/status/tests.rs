//! Tests of `status`.

use super::super::fixtures::{self, assert_screens};
use super::super::view::State;
use super::*;
use crate::model::{Decision, EventKind, ExecutionOutcome};

#[test]
fn a_waiting_execution_names_its_plan_and_the_commands() {
    let view = fixtures::fleet().view();
    assert_screens!("waiting", |options: &ScreenOptions| status(
        &view, None, options
    ));
}

#[test]
fn a_finished_execution_lists_its_targets() {
    let view = fixtures::stale().view();
    assert_screens!("stale", |options: &ScreenOptions| status(
        &view,
        Some(false),
        options
    ));
}

#[test]
fn what_was_given_up_does_not_wait() {
    let mut script = fixtures::fleet();
    let waiting = status(&script.view(), None, &ScreenOptions::default());
    assert!(waiting.contains("waits for an answer"), "{waiting}");
    script.finish(ExecutionOutcome::Stopped);
    let text = status(&script.view(), None, &ScreenOptions::default());
    assert!(!text.contains("waits for an answer"), "{text}");
}

#[test]
fn a_plan_that_is_denied_waits_for_no_approval() {
    let mut view = fixtures::fleet().view();
    let why = "stackgate.yaml:2:3 denies `removal`: Alerts: deleted (in 111111111111/eu-west-1)";
    view.note_denied(vec![why.to_owned()]);
    let text = status(&view, None, &ScreenOptions::default());
    insta::assert_snapshot!("denied", text);
    assert!(!text.contains("waiting for"), "{text}");
    assert!(!text.contains("waits for"), "{text}");
    let json = Status::of(&view, None);
    assert_eq!(json.state, "denied");
    assert_eq!(json.approval.unwrap().denied, [why]);
    let text = super::super::summary(&view, &ScreenOptions::default());
    assert!(
        text.contains(": denied, the plan cannot be approved"),
        "{text}"
    );
}

#[test]
fn an_approval_without_a_yes_is_no_failed_action() {
    let reason = || "an action failed".to_owned();
    let fail = |script: &mut fixtures::Script| {
        script.stage("Approval", EventKind::StageFailed { reason: reason() });
        let view = script.view();
        let told = Status::of(&view, None).stages.remove(2).reason;
        let text = status(&view, None, &ScreenOptions::default());
        assert!(!text.contains("an action failed"), "{text}");
        (told.unwrap(), text)
    };
    let (told, text) = fail(fixtures::fleet().answer(Decision::Reject, ""));
    assert_eq!(told, "rejected");
    assert!(text.contains("! Approval           rejected\n"), "{text}");
    let (told, text) = fail(fixtures::fleet().say(EventKind::ApprovalExpired));
    assert_eq!(told, "expired");
    assert!(text.contains("! Approval           expired\n"), "{text}");
}

#[test]
fn what_a_clean_up_left_is_told_beside_its_target() {
    let mut script = fixtures::fleet();
    let left = Some("the change set was executed by somebody else".to_owned());
    script.at(&fixtures::four()[1], EventKind::CleanupDone { left });
    let text = status(&script.view(), None, &ScreenOptions::default());
    let lines: Vec<&str> = text.lines().collect();
    let at = lines
        .iter()
        .position(|l| l.contains("left behind: the change set was"));
    assert!(
        lines[at.unwrap() - 1].contains(fixtures::four()[1].region.as_str()),
        "{text}"
    );
}

#[test]
fn machines_are_told_the_plan_to_approve() {
    let mut script = fixtures::fleet();
    let plan = script.view().plan().unwrap();
    let next = Status::of(&script.view(), None).next;
    assert!(next[0].ends_with(&format!(" --plan {plan}")), "{next:?}");
    script.answer(Decision::Approve, "");
    let next = Status::of(&script.view(), None).next;
    assert!(!next.concat().contains("--plan"), "{next:?}");
}

#[test]
fn a_running_execution_shows_the_newest_events() {
    let mut script = fixtures::fleet();
    let targets = fixtures::four();
    script.approve().start(&targets[0]);
    let reason = Some("Resource creation Initiated");
    script.observe(
        &targets[0],
        vec![fixtures::stack_event(
            "Alerts",
            "CREATE_IN_PROGRESS",
            reason,
        )],
    );
    let view = script.view();
    for alive in [true, false] {
        let options = ScreenOptions {
            now: Some(script.now()),
            ..ScreenOptions::default()
        };
        let name = if alive { "running" } else { "interrupted" };
        insta::assert_snapshot!(name, status(&view, Some(alive), &options));
    }
}

#[test]
fn every_answer_is_told_with_what_it_was_for() {
    let mut script = fixtures::canary();
    script.approve();
    let wave: crate::model::WaveName = "canary".parse().unwrap();
    let plan = script.view().plan().unwrap();
    let asked = EventKind::ApprovalRequested {
        plan,
        expires: "2026-11-29T22:00:00Z".parse().unwrap(),
        wave: Some(wave.clone()),
    };
    script.say(asked);
    let wide = ScreenOptions {
        width: 200,
        ..ScreenOptions::default()
    };
    let of_plan =
        "plan 64879f7d · approved by alice@laptop as assumed-role/Deploy/alice at the prompt, ";
    let text = status(&script.view(), None, &wide);
    assert!(text.contains(of_plan), "{text}");
    let waits = "  after wave canary · waits for an answer until 2026-11-29 22:00:00 UTC\n";
    assert!(text.contains(waits), "{text}");
    script.answer(Decision::Reject, "the canary is slow");
    if let Some(EventKind::Answered { answer }) = script.events.last_mut().map(|e| &mut e.kind) {
        answer.wave = Some(wave);
    }
    let view = script.view();
    let text = status(&view, None, &wide);
    assert!(text.contains(of_plan), "{text}");
    assert!(
        text.contains("  after wave canary · rejected by alice@laptop as "),
        "{text}"
    );
    assert!(text.contains(": the canary is slow\n"), "{text}");
    let json = Status::of(&view, None);
    super::super::documents::assert_valid(&json);
    let told: Vec<_> = json
        .answers
        .iter()
        .map(|a| (a.decision, &a.summary[..]))
        .collect();
    assert_eq!(
        told,
        [
            (Decision::Approve, "reviewed with the data team"),
            (Decision::Reject, "the canary is slow")
        ]
    );
    let page = super::super::markdown(&view, None, None);
    assert!(
        page.contains("- <code>plan 64879f7d</code>: approved by <code>alice"),
        "{page}"
    );
    assert!(
        page.contains("- <code>after wave canary</code>: rejected by <code>alice"),
        "{page}"
    );
    let page = super::super::html(&view, None, None);
    assert!(
        page.contains("plan 64879f7d: approved by alice@laptop"),
        "{page}"
    );
    assert!(
        page.contains("after wave canary: rejected by alice@laptop"),
        "{page}"
    );
}

#[test]
fn refused_answers_are_told() {
    let mut script = fixtures::fleet();
    script.answer(crate::model::Decision::Approve, "");
    let Some(EventKind::Answered { answer }) = script.events.last().map(|e| e.kind.clone()) else {
        panic!("the script ends with an answer");
    };
    script.say(EventKind::AnswerRefused {
        answer,
        reason: "alice has answered already".to_owned(),
    });
    let text = status(&script.view(), None, &ScreenOptions::default());
    assert!(
        text.contains("an answer that did not count: approved by alice@laptop"),
        "{text}"
    );
}

#[test]
fn an_answer_that_nobody_took_up_is_told_with_who_and_when_and_the_command() {
    let mut script = fixtures::fleet();
    let mut answered = fixtures::fleet();
    for decision in [Decision::Approve, Decision::Reject] {
        answered.answer(decision, "looked at");
        let Some(EventKind::Answered { answer }) = answered.events.pop().map(|e| e.kind) else {
            panic!("the script ends with an answer");
        };
        let mut view = script.view();
        view.note(Some(answer.clone()), script.now());
        let name = match decision {
            Decision::Approve => "approved_outside",
            Decision::Reject => "rejected_outside",
        };
        let text = status(&view, Some(false), &ScreenOptions::default());
        insta::assert_snapshot!(name, text);
        let json = Status::of(&view, Some(false));
        let state = match decision {
            Decision::Approve => "approved",
            Decision::Reject => "rejected",
        };
        assert_eq!(json.state, state);
        assert_eq!(json.outcome, None);
        assert_eq!(json.approval.unwrap().answer, Some(answer.clone()));
        assert!(json.next[0].starts_with("stackgate resume "));
        // A process that works on it takes the answer up by itself.
        assert_eq!(Status::of(&view, Some(true)).state, "running");
        assert_eq!(Status::of(&view, Some(true)).next, Vec::<String>::new());
        // Once it is an event, what was noted is of no account.
        script.answer(decision, "looked at");
        let mut told = script.view();
        told.note(None, script.now());
        assert_eq!(told.state(), State::Running);
        script = fixtures::fleet();
    }
}

#[test]
fn a_request_that_ended_unseen_does_not_wait_for_an_answer() {
    let mut view = fixtures::fleet().view();
    view.note(None, "2026-11-29T21:59:59Z".parse().unwrap());
    assert_eq!(view.state(), State::WaitingForApproval);
    view.note(None, "2026-11-29T22:00:00Z".parse().unwrap());
    assert_eq!(view.state(), State::Overdue);
    let text = status(&view, Some(false), &ScreenOptions::default());
    insta::assert_snapshot!("overdue", text);
    assert_eq!(Status::of(&view, Some(false)).state, "expired");
}

#[test]
fn what_was_left_is_not_called_running() {
    let mut script = fixtures::fleet();
    script.approve().start(&fixtures::four()[0]);
    let stage = |alive| {
        let status = Status::of(&script.view(), alive);
        status.stages.last().unwrap().state
    };
    assert_eq!(stage(Some(true)), "running");
    assert_eq!(stage(None), "running");
    assert_eq!(stage(Some(false)), "interrupted");
}

#[test]
fn the_machine_form_is_pinned() {
    insta::assert_json_snapshot!(
        "stale_json",
        Status::of(&fixtures::stale().view(), Some(false))
    );
}
