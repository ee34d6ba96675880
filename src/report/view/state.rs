//! What an execution is doing, as far as its events tell.

use super::{Outside, View};
use crate::model::{Decision, ExecutionOutcome};

/// What an execution is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing is known of it.
    Unknown,
    /// It works.
    Running,
    /// It waits for an answer.
    WaitingForApproval,
    /// It cannot be approved, since the plan holds something that the project denies, and goes on standing.
    Denied,
    /// The answer that counts waits for a process to take it up.
    Answered(Decision),
    /// Nobody answered in time, and no process has taken that up.
    Overdue,
    /// It waits for somebody outside and can be resumed.
    Paused,
    /// Somebody asked it to stop, and what runs is being finished.
    Stopping,
    /// It was given up, and what may have been executed is being looked into.
    GivingUp,
    /// It ended.
    Ended(ExecutionOutcome),
}

impl View {
    /// Returns what the execution is doing.
    pub fn state(&self) -> State {
        if let Some(outcome) = self.outcome() {
            State::Ended(*outcome)
        } else if self.definition.is_none() {
            State::Unknown
        } else if self.paused().is_some() {
            State::Paused
        } else if self.given_up.is_some() {
            State::GivingUp
        } else if self.stop().is_some() {
            State::Stopping
        } else if let Some(waiting) = self.waiting() {
            waiting
        } else {
            State::Running
        }
    }

    /// Returns what is waited for, while no event says that the request was answered or expired.
    fn waiting(&self) -> Option<State> {
        let request = self.request.as_ref()?;
        let told = [
            self.answers.keys().next_back().copied(),
            self.expired.as_ref().map(|fact| fact.seq),
        ];
        if told.iter().flatten().any(|seq| *seq > request.seq) {
            return None;
        }
        Some(match &self.outside {
            Outside {
                answer: Some(answer),
                ..
            } => State::Answered(answer.decision),
            Outside { is_late: true, .. } => State::Overdue,
            Outside { denied, .. } if !denied.is_empty() => State::Denied,
            Outside { .. } => State::WaitingForApproval,
        })
    }
}
