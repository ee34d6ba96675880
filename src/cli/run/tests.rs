//! What is said at the end of a run.

use super::*;
use crate::journal::samples;
use crate::model::{Event, EventKind, Scope, StackStatus, Target, TargetOutcome};

const ID: &str = "019a4c3e-0000-7000-8000-000000000001";

fn silent(region: &str, untouched: u32, under_way: u32) -> PauseReason {
    PauseReason::Unreachable {
        region: region.parse().unwrap(),
        untouched,
        under_way,
        message: "no route; tried for 5 min".to_owned(),
    }
}

/// Returns what an execution tells that paused for `reasons`.
fn paused_for(reasons: &[PauseReason]) -> View {
    let definition = std::sync::Arc::new(crate::plan::sample::definition());
    let started = EventKind::ExecutionStarted { definition };
    let paused = reasons.iter().map(|reason| EventKind::Paused {
        reason: reason.clone(),
    });
    let kinds = std::iter::once(started).chain(paused);
    let events: Vec<Event> = (1..)
        .zip(kinds)
        .map(|(seq, kind)| Event {
            seq,
            execution: ID.parse().unwrap(),
            at: jiff::Timestamp::UNIX_EPOCH,
            scope: Scope::default(),
            kind,
        })
        .collect();
    View::of(&events)
}

#[test]
fn a_region_in_which_nothing_answers_is_named_with_what_is_left_and_the_way_on() {
    let id: ExecutionId = ID.parse().unwrap();
    let one = silent("eu-west-1", 3, 0);
    assert_eq!(
        cut_off(&paused_for(std::slice::from_ref(&one)), &id),
        "paused: no usable answer from eu-west-1; 3 targets there are untouched: no route; tried for 5 min\n\
         no target failed for it, and nothing more was begun; when the region answers again, go on with\n  \
         stackgate resume 019a4c3e-0000-7000-8000-000000000001\n"
    );
    let both = cut_off(&paused_for(&[one.clone(), silent("us-east-1", 0, 1)]), &id);
    let lines: Vec<&str> = both.lines().collect();
    assert_eq!(lines.len(), 4, "{both}");
    assert!(
        lines[0].starts_with("paused: no usable answer from eu-west-1;"),
        "{both}"
    );
    assert!(
        lines[1]
            .starts_with("paused: no usable answer from us-east-1; 1 target there is under way"),
        "{both}"
    );
    assert!(lines[2].contains("this computer has its network back"));
    assert_eq!(code(&Ended::Paused(one), &View::new()), exit::INTERRUPTED);
}

#[test]
fn what_left_a_stack_as_a_failed_operation_left_it_has_failed() {
    let id = samples::id(1);
    let ended = |left: StackStatus, ended: ExecutionOutcome| {
        let mut kinds = samples::every_kind().into_iter();
        let mut intended = kinds
            .find(|kind| kind.name() == "change_set_intended")
            .unwrap();
        if let EventKind::ChangeSetIntended { stack, .. } = &mut intended {
            stack.as_mut().unwrap().status = left;
        }
        let finished = EventKind::TargetFinished {
            outcome: TargetOutcome::NoChanges,
            outputs: Default::default(),
        };
        // What has an even number is about the target.
        let events = [
            samples::event(&id, 1, samples::started()),
            samples::event(&id, 2, intended),
            samples::event(&id, 4, finished),
        ];
        code(&Ended::Finished(ended), &View::of(&events))
    };
    for (outcome, expected) in [
        (ExecutionOutcome::NothingToDo, exit::DONE),
        (ExecutionOutcome::Succeeded, exit::DONE),
        (ExecutionOutcome::SucceededWithFailures, exit::WITH_FAILURES),
        (ExecutionOutcome::Stopped, exit::REJECTED),
    ] {
        assert_eq!(ended(StackStatus::UpdateComplete, outcome), expected);
        let expected = match expected {
            exit::DONE => exit::FAILED,
            other => other,
        };
        assert_eq!(ended(StackStatus::UpdateFailed, outcome), expected);
    }
}

#[test]
fn what_cannot_be_told_is_asked_about_as_what_it_is() {
    let id: ExecutionId = ID.parse().unwrap();
    let of = |region: &str, accepted| PauseReason::OutcomeUnknown {
        target: Target {
            account: "111111111111".parse().unwrap(),
            region: region.parse().unwrap(),
            stack: "network".parse().unwrap(),
        },
        accepted,
        message: "AccessDenied: not authorized".to_owned(),
    };
    let told = |reasons: &[PauseReason]| {
        let Some(PauseReason::OutcomeUnknown {
            target,
            accepted,
            message,
        }) = reasons.last()
        else {
            panic!("{reasons:?}");
        };
        unknown(&paused_for(reasons), &id, target, *accepted, message)
    };
    let accepted = told(&[of("eu-west-1", true)]);
    assert!(accepted.starts_with(
        "paused: the change set of 111111111111/eu-west-1/network was accepted, and its end cannot be seen: AccessDenied"
    ));
    assert!(accepted.contains(&format!("stackgate stop {ID} --give-up")));
    assert!(!accepted.contains("--unknown"), "{accepted}");
    let asked = told(&[of("eu-west-1", false)]);
    assert!(asked.starts_with(
        "paused: it cannot be told whether the change set of 111111111111/eu-west-1/network was executed: AccessDenied"
    ));
    assert!(asked.contains(&format!("stackgate resume {ID} --unknown not-executed")));
    assert!(asked.contains(&format!("stackgate stop {ID} --give-up")));
    let both = told(&[of("eu-west-1", true), of("us-east-1", false)]);
    assert!(both.contains("2 targets are asked about:"), "{both}");
    let line = "  111111111111/eu-west-1/network   accepted, its end cannot be seen\n";
    assert!(both.contains(line), "{both}");
    assert!(both.contains("--unknown executed"), "{both}");
    let one = "--unknown 111111111111/us-east-1/network=not-executed   one alone";
    assert!(both.contains(one), "{both}");
    assert!(!asked.contains("one alone"), "{asked}");
}
