//! What the journal knows of the change sets that its executions made, and which of them nobody needs any more.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::aws::ListedChangeSet;
use crate::model::{
    ChangeSetId, ExecutionId, ExecutionOutcome, LEFT_TO_ANOTHER_RUN, StackId, StackStatus,
    StackSummary, Target, TargetOutcome,
};
use crate::pipeline::{change_set_name, is_change_set_name};
use crate::report::{Fate, Kept, Leftover, LeftoverKind, State, View};

/// What an execution did at a target.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    /// The execution.
    pub execution: ExecutionId,
    /// The name of its change set, derived as it is made.
    pub name: String,
    /// The change set, where its ARN is on record.
    pub change_set: Option<ChangeSetId>,
    /// The stack that exists only because of it.
    pub made: Option<StackId>,
    /// Why what it made is still needed; none where nobody needs it.
    pub needed: Option<Kept>,
}

/// Returns what the execution in `view` did, target by target. `alive` says whether a process works on it.
pub(super) fn traces(view: &View, alive: bool) -> Vec<(Target, Trace)> {
    let Some(execution) = view.execution() else {
        return Vec::new();
    };
    let needed = needed(view.state(), view.exported(), alive);
    let trace = |target: &crate::report::TargetView| {
        let is_unknown = matches!(target.outcome(), Some(TargetOutcome::Unknown { .. }));
        let trace = Trace {
            execution: execution.clone(),
            name: change_set_name(execution, target.target()).to_string(),
            change_set: target.change_set().cloned(),
            made: target.made_stack().cloned(),
            needed: needed
                .clone()
                .or(is_unknown.then_some(Kept::OutcomeUnknown))
                .or_else(|| left_to_another_run(view, target)),
        };
        (target.target().clone(), trace)
    };
    view.targets().into_iter().map(trace).collect()
}

/// Returns that another run of the plan, from its file, may need what was made at `target`, where that was left for it.
fn left_to_another_run(view: &View, target: &crate::report::TargetView) -> Option<Kept> {
    let file = view.exported().unwrap_or("the file that it came in");
    (target.left() == Some(LEFT_TO_ANOTHER_RUN)).then(|| Kept::CarriedAway {
        file: file.to_owned(),
    })
}

/// Returns why what an execution made is still needed; `file` is where its plan was carried to.
fn needed(state: State, file: Option<&str>, alive: bool) -> Option<Kept> {
    if alive {
        return Some(Kept::Running);
    }
    let carried_away = || {
        file.map(|file| Kept::CarriedAway {
            file: file.to_owned(),
        })
    };
    match state {
        State::Ended(outcome) => match outcome {
            // Whoever rejected it or gave it up took the file back.
            ExecutionOutcome::Rejected | ExecutionOutcome::Stopped => None,
            ExecutionOutcome::Succeeded
            | ExecutionOutcome::SucceededWithFailures
            | ExecutionOutcome::Failed
            | ExecutionOutcome::NothingToDo
            | ExecutionOutcome::Expired => carried_away(),
        },
        State::WaitingForApproval | State::Denied => {
            carried_away().or(Some(Kept::WaitingForApproval))
        }
        State::Running
        | State::Paused
        | State::Stopping
        | State::GivingUp
        | State::Answered(_)
        | State::Overdue
        | State::Unknown => carried_away().or(Some(Kept::Resumable)),
    }
}

/// How far apart a change set and the stack that was made for it are, as the service says it.
const TOGETHER: SignedDuration = SignedDuration::from_secs(60);

/// What counts as abandoned of what the journal does not know.
#[derive(Debug, Default)]
pub(super) struct Unknown {
    /// What was made before; nothing without it.
    pub before: Option<Timestamp>,
    /// Executions that are in the journal and cannot be read: what they made is not unknown.
    pub unread: Vec<ExecutionId>,
}

impl Unknown {
    /// Returns whether a change set with a name of this program's, which no trace knows, is abandoned. Without a time, nothing says
    /// that it is old enough.
    fn takes(&self, target: &Target, set: &ListedChangeSet) -> bool {
        let (Some(before), Some(created)) = (self.before, set.created) else {
            return false;
        };
        let mut unread = self.unread.iter();
        created < before && !unread.any(|id| change_set_name(id, target).as_str() == set.name)
    }

    fn fate(&self, target: &Target, set: &ListedChangeSet) -> Fate {
        let why = match under_way(set) {
            Some(why) => why,
            None if self.takes(target, set) => return Fate::Removable,
            None => Kept::NotOfThisJournal,
        };
        Fate::Kept { why }
    }
}

/// What was found at a target.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What has a name of this program's.
    pub leftovers: Vec<Leftover>,
    /// How many change sets have none.
    pub others: usize,
}

/// Judges the change sets of a stack, and the stack if it is in review, by the traces that executions left there.
///
/// `begun`: when the stack was made, where that is asked for. `unknown`: what counts as abandoned where there is no trace.
pub(super) fn judge(
    target: &Target,
    stack: &StackSummary,
    begun: Option<Timestamp>,
    listed: &[ListedChangeSet],
    traces: &[Trace],
    unknown: &Unknown,
) -> Found {
    let by_name: BTreeMap<&str, &Trace> = traces.iter().map(|t| (t.name.as_str(), t)).collect();
    let mut found = Found::default();
    // One that was executed is history, and CloudFormation's own to keep.
    let at_hand = listed.iter().filter(|set| !set.was_executed());
    for set in at_hand.clone() {
        let known = by_name.get(set.name.as_str()).copied();
        let fate = match known {
            Some(trace) => fate(set, trace),
            None if is_change_set_name(&set.name) => unknown.fate(target, set),
            None => {
                found.others += 1;
                continue;
            }
        };
        found.leftovers.push(Leftover {
            target: target.clone(),
            kind: LeftoverKind::ChangeSet,
            name: set.name.clone(),
            id: set.id.to_string(),
            execution: known.map(|trace| trace.execution.clone()),
            fate,
        });
    }
    let made = |trace: &&Trace| trace.made.as_ref() == Some(&stack.id) && trace.needed.is_none();
    let maker = traces
        .iter()
        .find(made)
        .map(|trace| Some(trace.execution.clone()));
    let is_known = |set: &ListedChangeSet| by_name.contains_key(set.name.as_str());
    let is_maker = |set: &&ListedChangeSet| {
        let apart = |made: Timestamp| Some(set.created?.duration_since(made).abs());
        let is_together = begun.and_then(apart).is_some_and(|apart| apart <= TOGETHER);
        is_together && !is_known(set) && is_change_set_name(&set.name) && unknown.takes(target, set)
    };
    // A stack in review that was made together with a change set was made for it.
    let maker = maker.or_else(|| listed.iter().any(|set| is_maker(&set)).then_some(None));
    if let (StackStatus::ReviewInProgress, Some(execution)) = (stack.status, maker) {
        let removable = found
            .leftovers
            .iter()
            .filter(|one| one.fate == Fate::Removable);
        let is_all = removable.count() == listed.len();
        found.leftovers.push(Leftover {
            target: target.clone(),
            kind: LeftoverKind::ReviewStack,
            name: target.stack.to_string(),
            id: stack.id.to_string(),
            execution,
            fate: match is_all {
                true => Fate::Removable,
                false => Fate::Kept {
                    why: Kept::HasChangeSets,
                },
            },
        });
    }
    found
}

fn fate(set: &ListedChangeSet, trace: &Trace) -> Fate {
    let is_another = trace.change_set.as_ref().is_some_and(|id| *id != set.id);
    let why = if is_another {
        Some(Kept::AnotherOfThatName)
    } else {
        under_way(set).or_else(|| trace.needed.clone())
    };
    why.map_or(Fate::Removable, |why| Fate::Kept { why })
}

/// Returns why a change set stays that the service works on.
fn under_way(set: &ListedChangeSet) -> Option<Kept> {
    let is_executed = set.execution_status.starts_with("EXECUTE_");
    let status = match is_executed {
        true => &set.execution_status,
        false => &set.status,
    };
    set.is_under_way().then(|| Kept::UnderWay {
        status: status.clone(),
    })
}

#[cfg(test)]
mod tests;
