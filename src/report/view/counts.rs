//! How many targets are in which phase.

use super::Phase;
use crate::model::TargetOutcome;

/// How many targets are in which phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// All of them.
    pub total: usize,
    /// Nothing happened yet.
    pub waiting: usize,
    /// The change set is being made.
    pub planning: usize,
    /// The change set waits for approval or its turn.
    pub ready: usize,
    /// Being checked or executed, or cleaned up after.
    pub running: usize,
    /// Executed.
    pub succeeded: usize,
    /// Nothing to change.
    pub unchanged: usize,
    /// No change set could be made.
    pub not_planned: usize,
    /// The execution failed.
    pub failed: usize,
    /// Differs from what was approved; not executed.
    pub stale: usize,
    /// Not executed, for a reason that is not the target's own.
    pub skipped: usize,
    /// Whether it was executed cannot be found out.
    pub unknown: usize,
}

impl Counts {
    /// Returns how many targets have ended.
    pub fn ended(&self) -> usize {
        self.succeeded
            + self.unchanged
            + self.not_planned
            + self.failed
            + self.stale
            + self.skipped
            + self.unknown
    }

    /// Returns the number of the targets that are in `phase`.
    pub(in crate::report) fn slot(&mut self, phase: Phase<'_>) -> &mut usize {
        match phase {
            Phase::Waiting => &mut self.waiting,
            Phase::Creating | Phase::Reading => &mut self.planning,
            Phase::Ready | Phase::Deletable => &mut self.ready,
            Phase::Checking | Phase::Executing | Phase::CleaningUp => &mut self.running,
            Phase::Ended(outcome) => match outcome {
                TargetOutcome::Succeeded { .. } => &mut self.succeeded,
                TargetOutcome::NoChanges => &mut self.unchanged,
                TargetOutcome::NotPlanned { .. } => &mut self.not_planned,
                TargetOutcome::Failed { .. } => &mut self.failed,
                TargetOutcome::Stale { .. } => &mut self.stale,
                TargetOutcome::Skipped { .. } => &mut self.skipped,
                TargetOutcome::Unknown { .. } => &mut self.unknown,
            },
        }
    }

    /// Adds other targets.
    pub(in crate::report) fn add(&mut self, other: &Counts) {
        let Counts {
            total,
            waiting,
            planning,
            ready,
            running,
            succeeded,
            unchanged,
            not_planned,
            failed,
            stale,
            skipped,
            unknown,
        } = other;
        self.total += total;
        self.waiting += waiting;
        self.planning += planning;
        self.ready += ready;
        self.running += running;
        self.succeeded += succeeded;
        self.unchanged += unchanged;
        self.not_planned += not_planned;
        self.failed += failed;
        self.stale += stale;
        self.skipped += skipped;
        self.unknown += unknown;
    }

    /// Returns how many targets count as failures.
    pub fn failures(&self) -> usize {
        self.not_planned + self.failed + self.stale + self.unknown
    }
}
