//! What is said while the change sets of an execution are removed that somebody rejected or gave up.

use super::{CliError, answer};
use crate::journal::Journal;
use crate::model::{Decision, ExecutionId};
use crate::report::{Phase, State, View, count};

/// Returns what is removed once the execution in `view` is rejected or given up; none where it made nothing that can be.
pub(super) fn told(view: &View) -> Option<String> {
    let targets = view.targets().into_iter();
    let is_to_go = |target: &&crate::report::TargetView| match target.outcome() {
        Some(_) => matches!(target.phase(), Phase::CleaningUp),
        None => target.change_set().is_some() && !target.was_executed(),
    };
    let number = targets.filter(is_to_go).count();
    let id = view.execution().filter(|_| number > 0)?;
    Some(format!(
        "removing {} of execution {id}\n",
        count(number, "change set")
    ))
}

/// Returns whether nothing of the execution is left to be done but that: somebody rejected it or gave it up.
pub(super) fn is_due(journal: &Journal, id: &ExecutionId, view: &View) -> Result<bool, CliError> {
    let is_rejected = || {
        let answer = answer::given(journal, id, view)?;
        Ok::<_, CliError>(answer.is_some_and(|answer| answer.decision == Decision::Reject))
    };
    // What was begun is seen to its end, which only whoever began it can do.
    let counts = view.counts();
    if counts.running + counts.planning > 0 {
        return Ok(false);
    }
    Ok(view.given_up().is_some()
        || matches!(view.state(), State::Answered(Decision::Reject))
        || is_rejected()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::samples;
    use crate::model::{Answer, Event, EventKind, InboxMessage, Scope, StopMode, StopRequest};

    /// Returns the view of an execution in which what is called `names` happened to its target, and `then` to itself.
    fn lived(id: &ExecutionId, names: &[&str], then: Option<EventKind>) -> View {
        let kinds = names.iter().map(|name| {
            let mut kinds = samples::every_kind().into_iter();
            kinds.find(|kind| kind.name() == *name).unwrap()
        });
        // What has an even number is about the target.
        let of_target = samples::event(id, 2, EventKind::TargetStarted).scope;
        let events = kinds.map(|kind| (of_target.clone(), kind));
        let events = events.chain(then.map(|kind| (Scope::default(), kind)));
        let begun = samples::event(id, 1, samples::started());
        let events = (2..).zip(events).map(|(seq, (scope, kind))| Event {
            scope,
            ..samples::event(id, seq, kind)
        });
        View::of(&[begun].into_iter().chain(events).collect::<Vec<_>>())
    }

    fn given_up() -> Option<EventKind> {
        let request = StopRequest {
            mode: StopMode::GiveUp,
            ..samples::stop()
        };
        Some(EventKind::StopRequested { request })
    }

    #[test]
    fn what_was_begun_is_seen_to_its_end_before_the_rest_is_only_removed() {
        let (_folder, journal) = samples::journal();
        let id = samples::id(1);
        samples::begun(&journal, &id);
        let life = [
            ("change_set_intended", false),
            ("change_set_created", false),
            ("change_set_ready", true),
            ("target_started", false),
            ("execute_intended", false),
            ("execute_accepted", false),
            ("target_finished", true),
        ];
        for (at, (name, expected)) in life.into_iter().enumerate() {
            let names = life[..=at].iter().map(|(name, _)| *name);
            let names: Vec<&str> = names.collect();
            let view = lived(&id, &names, given_up());
            assert_eq!(is_due(&journal, &id, &view).unwrap(), expected, "{name}");
            // Whoever goes on with it has more to do.
            let view = lived(&id, &names, None);
            assert!(!is_due(&journal, &id, &view).unwrap(), "{name}");
        }
    }

    #[test]
    fn a_rejection_that_nobody_took_up_leaves_only_the_removal() {
        let (_folder, journal) = samples::journal();
        let id = samples::id(1);
        samples::begun(&journal, &id);
        let ready = [
            "change_set_intended",
            "change_set_created",
            "change_set_ready",
        ];
        let plan = samples::answer().plan;
        let asked = EventKind::ApprovalRequested {
            plan,
            expires: jiff::Timestamp::MAX,
            wave: None,
        };
        let view = lived(&id, &ready, Some(asked));
        assert!(!is_due(&journal, &id, &view).unwrap());
        let answer = Answer {
            decision: Decision::Reject,
            wave: None,
            ..samples::answer()
        };
        let message = InboxMessage::Answer(answer);
        journal.post(&id, &message, samples::now()).unwrap();
        assert!(is_due(&journal, &id, &view).unwrap());
    }
}
