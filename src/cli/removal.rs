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
