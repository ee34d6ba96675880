//! Tests of `versions`.

use super::super::documents::assert_valid;
use super::super::fixtures::{self, Script};
use super::super::{Followed, ScreenOptions, Status, Summary, markdown, status, summary};
use super::*;
use crate::model::{
    Approver, EventKind, ExecutionId, Follows, Gate, SkipReason, StopMode, StopRequest, WaveName,
};

fn canary() -> WaveName {
    "canary".parse().unwrap()
}

/// A rollout whose canary was updated, and then what `reason` says of the others.
fn after_canary(reason: &SkipReason, outcome: ExecutionOutcome) -> Script {
    let targets = fixtures::four();
    let mut script = fixtures::canary();
    script.approve();
    script.start(&targets[0]);
    script.end(&targets[0], fixtures::succeeded());
    for target in &targets[1..] {
        let reason = reason.clone();
        script.end(target, TargetOutcome::Skipped { reason });
    }
    script.finish(outcome);
    script
}

fn rejected() -> SkipReason {
    SkipReason::GateClosed {
        wave: canary(),
        gate: Gate::Approval,
        reason: "rejected by ann".to_owned(),
    }
}

/// Makes the change sets of `script` those of new stacks.
fn made(mut script: Script) -> Script {
    for event in &mut script.events {
        if let EventKind::ChangeSetIntended { kind, .. } = &mut event.kind {
            *kind = ChangeSetKind::Create;
        }
    }
    script
}

fn lines(view: &View) -> Vec<String> {
    let text = summary(view, &ScreenOptions::default());
    text.lines().map(str::to_owned).collect()
}

const MIXED: &str = "  1 target was left with the new version, 3 with the old one";

#[test]
fn what_a_rejection_or_a_stop_leaves_is_told_with_both_ways_out() {
    for (reason, outcome) in [
        (rejected(), ExecutionOutcome::Failed),
        (SkipReason::Stopped, ExecutionOutcome::Stopped),
        (
            SkipReason::EarlierWaveFailed { wave: canary() },
            ExecutionOutcome::Failed,
        ),
    ] {
        let view = after_canary(&reason, outcome).view();
        let lines = lines(&view);
        let has = |line: &str| lines.iter().any(|one| one == line);
        assert!(has(MIXED), "{lines:#?}");
        assert!(
            has("next: stackgate retry 0199a1b2…9f2c   to go on"),
            "{lines:#?}"
        );
        assert!(
            has("      stackgate rollback 0199a1b2…9f2c   to take back"),
            "{lines:#?}"
        );
        let status = status(&view, None, &ScreenOptions::default());
        assert!(status.lines().any(|line| line == MIXED), "{status}");
        assert!(markdown(&view, None, None).contains(MIXED.trim_start()));
    }
}

#[test]
fn an_execution_that_stands_still_says_it_too() {
    let targets = fixtures::four();
    let mut script = fixtures::canary();
    script.approve();
    script.start(&targets[0]);
    script.end(&targets[0], fixtures::succeeded());
    script.say(EventKind::StopRequested {
        request: StopRequest {
            mode: StopMode::Wait,
            by: Approver {
                arn: None,
                os_user: "ann".to_owned(),
                host: "laptop".to_owned(),
            },
            reason: String::new(),
            unreachable: Default::default(),
        },
    });
    let lines = lines(&script.view());
    assert!(lines.iter().any(|line| line == MIXED), "{lines:#?}");
    let end = "stackgate stop 0199a1b2…9f2c --give-up   to end it, then roll back";
    assert!(lines.iter().any(|line| line.contains(end)), "{lines:#?}");
}

/// Returns the document for machines, which `result` and `status` both have, as its schema says.
fn document(view: &View) -> Option<serde_json::Value> {
    let result = Summary::of(view);
    let status = Status::of(view, Some(false));
    assert_valid(&result);
    assert_valid(&status);
    let result = serde_json::to_value(&result).unwrap();
    let status = serde_json::to_value(&status).unwrap();
    assert_eq!(result.get("versions"), status.get("versions"));
    result.get("versions").cloned()
}

#[test]
fn machines_are_told_the_same_and_only_where_people_are() {
    let mixed = after_canary(&rejected(), ExecutionOutcome::Failed);
    let new = made(after_canary(
        &SkipReason::Stopped,
        ExecutionOutcome::Stopped,
    ));
    let table = [
        (mixed.view(), [1, 3, 0, 0]),
        (new.view(), [1, 0, 3, 0]),
        (after_retry(), [3, 1, 0, 0]),
    ];
    for (view, [brought, before, not_there, unclear]) in table {
        let expected = serde_json::json!({
            "brought": brought, "before": before, "not_there": not_there, "unclear": unclear
        });
        assert_eq!(document(&view), Some(expected));
        assert!(told(&view).is_some());
    }
    for script in [fixtures::finished(), fixtures::fleet()] {
        let view = script.view();
        assert_eq!((document(&view), told(&view)), (None, None));
    }
}

#[test]
fn what_had_the_new_version_before_counts_and_is_not_enough() {
    let targets = fixtures::four();
    let ended = |second: TargetOutcome| {
        let mut script = fixtures::fleet();
        script.approve();
        script.end(&targets[0], TargetOutcome::NoChanges);
        script.start(&targets[1]).end(&targets[1], second);
        for target in &targets[2..] {
            let reason = SkipReason::Stopped;
            script.end(target, TargetOutcome::Skipped { reason });
        }
        script.finish(ExecutionOutcome::Stopped);
        told(&script.view())
    };
    let text = "2 targets were left with the new version, 2 with the old one";
    assert_eq!(ended(fixtures::succeeded()).unwrap(), text);
    // It changed nothing.
    assert_eq!(ended(fixtures::quota(&targets[1])), None);
}

#[test]
fn one_version_is_not_worth_a_word() {
    for script in [
        fixtures::finished(),
        fixtures::rejected(),
        fixtures::nothing(),
        fixtures::fleet(),
    ] {
        assert_eq!(told(&script.view()), None);
    }
}

#[test]
fn new_stacks_are_taken_back_by_deleting_them() {
    let view = made(after_canary(&rejected(), ExecutionOutcome::Failed)).view();
    let lines = lines(&view);
    let told = "  1 target was left with the new version, 3 without a stack";
    assert!(lines.iter().any(|line| line == told), "{lines:#?}");
    let delete = "rollback 0199a1b2…9f2c --delete-created   to take back";
    assert!(lines.iter().any(|line| line.contains(delete)), "{lines:#?}");
    // Without it, nothing would be rolled back.
    let id = view.execution().unwrap();
    let next = Summary::of(&view).next;
    assert!(
        !next.contains(&format!("stackgate rollback {id}")),
        "{next:?}"
    );
}

#[test]
fn failures_within_the_tolerance_can_be_retried_or_rolled_back() {
    let targets = fixtures::four();
    let mut script = fixtures::fleet();
    script.approve();
    for target in &targets[..3] {
        script.start(target).end(target, fixtures::succeeded());
    }
    script
        .start(&targets[3])
        .end(&targets[3], fixtures::quota(&targets[3]));
    script.finish(ExecutionOutcome::SucceededWithFailures);
    let view = script.view();
    let id = view.execution().unwrap();
    assert_eq!(
        Summary::of(&view).next[..2],
        [
            format!("stackgate retry {id} --failed"),
            format!("stackgate rollback {id}")
        ]
    );
    assert_eq!(
        told(&view).unwrap(),
        "3 targets were left with the new version, 1 with the old one"
    );
}

/// An execution of the targets that `script` names, which goes on from the one of the fixtures.
fn follower(mut script: Script, follows: Follows) -> (View, Option<bool>) {
    let id = match follows {
        Follows::Retries(_) => "01938f5e-0000-7000-8000-000000000008",
        Follows::RollsBack(_) => "01938f5e-0000-7000-8000-000000000009",
    };
    let id: ExecutionId = id.parse().unwrap();
    for event in &mut script.events {
        event.execution = id.clone();
        if let EventKind::ExecutionStarted { definition } = &mut event.kind {
            let definition = std::sync::Arc::make_mut(definition);
            definition.invocation.follows = Some(follows.clone());
        }
    }
    (script.view(), Some(false))
}

fn all_succeed(targets: &[Target]) -> Script {
    let mut script = Script::new(targets);
    for target in targets {
        script.update(target, fixtures::change_a());
    }
    script.ask().approve();
    for target in targets {
        script.start(target).end(target, fixtures::succeeded());
    }
    script.finish(ExecutionOutcome::Succeeded);
    script
}

/// The same after its canary was rolled back and the others were retried.
fn after_retry() -> View {
    let targets = fixtures::four();
    let mut view = after_canary(&rejected(), ExecutionOutcome::Failed).view();
    let id = view.execution().unwrap().clone();
    let back = follower(all_succeed(&targets[..1]), Follows::RollsBack(id.clone()));
    let retry = follower(all_succeed(&targets[1..]), Follows::Retries(id));
    view.note_followed(Followed::of(&view, &[back, retry]));
    view
}

#[test]
fn a_retry_beside_a_rollback_leaves_two_versions_and_both_ways_out() {
    let targets = fixtures::four();
    let first = after_canary(&rejected(), ExecutionOutcome::Failed);
    let mut view = first.view();
    let id = view.execution().unwrap().clone();
    let back = follower(all_succeed(&targets[..1]), Follows::RollsBack(id.clone()));
    let (retry, alive) = follower(all_succeed(&targets[1..]), Follows::Retries(id.clone()));
    let other = retry.execution().unwrap().clone();
    view.note_followed(Followed::of(&view, std::slice::from_ref(&back)));
    // What went back, and what never was there, is one version.
    assert_eq!(told(&view), None);
    view.note_followed(Followed::of(&view, &[back, (retry, alive)]));
    assert_eq!(
        told(&view).unwrap(),
        "3 targets were left with the new version, 1 with the old one"
    );
    assert_eq!(
        Summary::of(&view).next,
        [
            format!("stackgate retry {id} --stale"),
            format!("stackgate rollback {other}")
        ]
    );
}

#[test]
fn a_rollback_that_does_not_get_through_says_what_is_not_back() {
    let targets = fixtures::four();
    let mut script = Script::new(&targets);
    for target in &targets {
        script.update(target, fixtures::change_a());
    }
    script.ask().approve();
    for target in &targets[..3] {
        script.start(target).end(target, fixtures::succeeded());
    }
    script
        .start(&targets[3])
        .end(&targets[3], fixtures::quota(&targets[3]));
    script.finish(ExecutionOutcome::Failed);
    let id: ExecutionId = "01938f5e-0000-7000-8000-000000000009".parse().unwrap();
    let (view, _) = follower(script, Follows::RollsBack(id));
    assert_eq!(
        told(&view).unwrap(),
        "3 targets were left with the former version again, 1 with the newer one"
    );
}

#[test]
fn a_retry_that_fails_again_counts_what_was_done_before() {
    let targets = fixtures::four();
    let last = &targets[3..];
    let mut script = Script::new(last);
    script.update(&last[0], fixtures::change_a());
    script.ask().approve();
    script
        .start(&last[0])
        .end(&last[0], fixtures::quota(&last[0]));
    script.finish(ExecutionOutcome::Failed);
    let id: ExecutionId = "01938f5e-0000-7000-8000-000000000007".parse().unwrap();
    for event in &mut script.events {
        if let EventKind::ExecutionStarted { definition } = &mut event.kind {
            let proofs = targets[..3].iter().map(|target| crate::model::Proof {
                target: target.clone(),
                stack_id: None,
                status: None,
                operation: "token".to_owned(),
                newest_event: None,
                template: None,
                parameters: Vec::new(),
                verdict: Verdict::Current,
            });
            let invocation = &mut std::sync::Arc::make_mut(definition).invocation;
            invocation.proven = proofs.collect();
            invocation.follows = Some(Follows::Retries(id.clone()));
        }
    }
    assert_eq!(
        told(&script.view()).unwrap(),
        "3 targets were left with the new version, 1 with the old one"
    );
}
