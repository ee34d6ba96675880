//! What is known of an execution besides its events.

use jiff::Timestamp;

use super::View;
use crate::model::{Answer, Follows};
use crate::report::followed::Followed;
use crate::report::overwritten::Newer;
use crate::report::rolled_back::RolledBack;

/// Which way an execution goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It brings what is new.
    Forward,
    /// It gives back what was there before.
    Back,
    /// It brings again what was taken back.
    Again,
}

/// What is known of an execution besides its events: see [`View::note`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outside {
    pub(super) answer: Option<Answer>,
    pub(super) is_late: bool,
    pub(super) denied: Vec<String>,
    pub(super) rolled_back: Option<RolledBack>,
    pub(super) beside: Vec<String>,
    pub(super) newer: Newer,
    pub(super) followed: Option<Followed>,
    pub(super) direction: Option<Direction>,
}

impl View {
    /// Notes what no process has made an event of yet: the answer that will count, or that the time for one is over.
    pub fn note(&mut self, answer: Option<Answer>, now: Timestamp) {
        let is_late = answer.is_none() && self.approval().is_some_and(|a| now >= a.expires);
        self.outside.answer = answer;
        self.outside.is_late = is_late;
    }

    /// Notes what the plan holds that the project denies, which is judged with the templates at hand.
    pub fn note_denied(&mut self, findings: Vec<String>) {
        self.outside.denied = findings;
    }

    /// Notes how far the rollback of what the execution changed is, which other executions tell.
    pub fn note_rolled_back(&mut self, rolled_back: Option<RolledBack>) {
        self.outside.rolled_back = rolled_back;
    }

    /// Returns how far the rollback of what the execution changed is, where there is one.
    pub fn rolled_back(&self) -> Option<&RolledBack> {
        self.outside.rolled_back.as_ref()
    }

    /// Notes which way the execution goes, which what it goes on from tells.
    pub fn note_direction(&mut self, direction: Option<Direction>) {
        self.outside.direction = direction;
    }

    /// Returns which way the execution goes.
    pub fn direction(&self) -> Direction {
        self.outside.direction.unwrap_or(match self.follows() {
            Some(Follows::RollsBack(_)) => Direction::Back,
            Some(Follows::Retries(_)) | None => Direction::Forward,
        })
    }

    /// Notes what else happens to its targets, which other executions tell.
    pub fn note_beside(&mut self, notes: Vec<String>) {
        self.outside.beside = notes;
    }

    /// Returns what else is known to happen to its targets, a sentence each.
    pub fn beside(&self) -> &[String] {
        &self.outside.beside
    }

    /// Notes which executions of the journal did what happened to its targets since a rollback looked at them.
    pub fn note_newer(&mut self, newer: Newer) {
        self.outside.newer = newer;
    }

    /// Returns which executions did that, as far as it is known.
    pub(in crate::report) fn newer(&self) -> &Newer {
        &self.outside.newer
    }

    /// Notes what went on from the execution by hand, which other executions tell.
    pub fn note_followed(&mut self, followed: Option<Followed>) {
        self.outside.followed = followed;
    }

    /// Returns what went on from the execution by hand.
    pub fn followed(&self) -> Option<&Followed> {
        self.outside.followed.as_ref()
    }

    /// Returns what the plan is known to hold that the project denies.
    pub fn denied(&self) -> &[String] {
        &self.outside.denied
    }
}
