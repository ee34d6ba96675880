//! Which version the targets have that an execution leaves behind, where they do not all have the same one.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{ChangeSetKind, ExecutionOutcome, StackStatus, Target, TargetOutcome, Verdict};

use super::followed::Since;
use super::view::{Direction, State};
use super::words::count;
use super::{TargetView, View};

/// What a target has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Has {
    /// What the execution was to bring, and brought.
    New,
    /// The same, which it had already.
    NewBefore,
    /// What was there before.
    Old,
    /// No stack, or one whose creation failed.
    Nothing,
    /// Something that cannot be told from here.
    Unclear,
}

/// How many targets have which version, where they do not all have the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Versions {
    /// They have what the execution was to bring.
    pub brought: usize,
    /// They have what was there before.
    pub before: usize,
    /// They have no stack, or one whose creation failed.
    pub not_there: usize,
    /// It cannot be told what they have.
    pub unclear: usize,
}

/// How many targets have what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    new: usize,
    new_before: usize,
    old: usize,
    nothing: usize,
    unclear: usize,
}

impl Tally {
    /// Returns what the targets of the execution in `view` have after what `since` says was made of them.
    pub(super) fn after(view: &View, since: &BTreeMap<&Target, Since<'_>>) -> Self {
        let mut tally = Self::default();
        for target in view.targets() {
            let has = match since.get(target.target()) {
                Some(Since::Done(_)) => Has::New,
                Some(Since::Back(_)) if target.kind() == Some(ChangeSetKind::Create) => {
                    Has::Nothing
                }
                Some(Since::Back(_)) => Has::Old,
                None => has(target),
            };
            tally.add(has);
        }
        // What a retry does not run again was brought what the retry is to bring to the others.
        for proof in view.proven() {
            if view.target(&proof.target).is_none() {
                tally.add(match proof.verdict {
                    Verdict::Current => Has::New,
                    Verdict::Changed { .. } | Verdict::NotRead { .. } => Has::Unclear,
                });
            }
        }
        tally
    }

    fn add(&mut self, has: Has) {
        *match has {
            Has::New => &mut self.new,
            Has::NewBefore => &mut self.new_before,
            Has::Old => &mut self.old,
            Has::Nothing => &mut self.nothing,
            Has::Unclear => &mut self.unclear,
        } += 1;
    }

    /// Returns whether some were brought what was to be brought, and others have not got it.
    pub(super) fn are_mixed(&self) -> bool {
        self.new > 0 && self.old + self.nothing > 0
    }

    /// Returns how many targets have which version, where that is so.
    fn mixed(&self) -> Option<Versions> {
        self.are_mixed().then_some(Versions {
            brought: self.new + self.new_before,
            before: self.old,
            not_there: self.nothing,
            unclear: self.unclear,
        })
    }
}

impl Versions {
    /// Returns those that an execution leaves which is over or stands still, with what followed it.
    pub(super) fn left(view: &View) -> Option<Self> {
        // How far a rollback is that follows by itself is told on its own.
        if !is_left(view) || view.deletes() || view.rolled_back().is_some() {
            return None;
        }
        let tally = match view.followed() {
            Some(followed) => followed.tally?,
            None => Tally::after(view, &BTreeMap::new()),
        };
        tally.mixed()
    }

    /// Returns `1 target was left with the new version, 2 with the old one`.
    fn text(&self, direction: Direction) -> String {
        let (new, old) = match direction {
            Direction::Forward => ("the new version", "the old one"),
            Direction::Back => ("the former version again", "the newer one"),
            Direction::Again => ("the newer version again", "the former one"),
        };
        // What came later from elsewhere is not known here: it is told what was left, and not what is.
        let were = |number: usize| if number == 1 { "was" } else { "were" };
        let brought = self.brought;
        let mut parts = vec![format!(
            "{} {} left with {new}",
            count(brought, "target"),
            were(brought)
        )];
        if self.before > 0 {
            parts.push(format!("{} with {old}", self.before));
        }
        if self.not_there > 0 {
            parts.push(format!("{} without a stack", self.not_there));
        }
        if self.unclear > 0 {
            parts.push(format!("{} to be looked at", self.unclear));
        }
        parts.join(", ")
    }
}

/// Returns what a target has that nothing else was done to since.
fn has(target: &TargetView) -> Has {
    let before = || match target.kind() {
        Some(ChangeSetKind::Create) => Has::Nothing,
        Some(ChangeSetKind::Update) => Has::Old,
        Some(ChangeSetKind::Import | ChangeSetKind::Delete) | None => Has::Unclear,
    };
    let Some(outcome) = target.outcome() else {
        return match target.started_at() {
            Some(_) => Has::Unclear,
            None => before(),
        };
    };
    match outcome {
        TargetOutcome::Succeeded { .. } => Has::New,
        // An operation that failed there before may have left anything.
        TargetOutcome::NoChanges => match target.former_status() {
            Some(status) if status.is_failed() => Has::Unclear,
            Some(_) | None => Has::NewBefore,
        },
        TargetOutcome::Failed {
            status: Some(status),
            ..
        } => {
            let went_back = [
                StackStatus::UpdateRollbackComplete,
                StackStatus::ImportRollbackComplete,
            ];
            if went_back.contains(status) {
                Has::Old
            } else if status.is_failed_creation() {
                Has::Nothing
            } else if status.is_deployed() {
                Has::New
            } else {
                Has::Unclear
            }
        }
        TargetOutcome::Skipped { .. } => before(),
        // Somebody else was there, or it is not known what happened.
        TargetOutcome::Failed { status: None, .. }
        | TargetOutcome::Stale { .. }
        | TargetOutcome::NotPlanned { .. }
        | TargetOutcome::Unknown { .. } => Has::Unclear,
    }
}

/// Returns whether the execution is over, or stands still, after it may have changed something.
fn is_left(view: &View) -> bool {
    match view.state() {
        State::Ended(outcome) => match outcome {
            ExecutionOutcome::Succeeded
            | ExecutionOutcome::SucceededWithFailures
            | ExecutionOutcome::Failed
            | ExecutionOutcome::Stopped => true,
            ExecutionOutcome::NothingToDo
            | ExecutionOutcome::Rejected
            | ExecutionOutcome::Expired => false,
        },
        State::Stopping => true,
        State::Unknown
        | State::Running
        | State::WaitingForApproval
        | State::Denied
        | State::Answered(_)
        | State::Overdue
        | State::Paused
        | State::GivingUp => false,
    }
}

/// Returns in one line how many targets an execution left with which version, where they are not the same.
pub(super) fn told(view: &View) -> Option<String> {
    Some(Versions::left(view)?.text(view.direction()))
}

#[cfg(test)]
mod tests;
