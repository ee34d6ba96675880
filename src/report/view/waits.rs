//! How long an execution waited for people.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::View;
use crate::model::Event;

/// When it was waited for people and when no longer, by the event that says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Waits(BTreeMap<u64, (Mark, Timestamp)>);

/// What an event says of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// An answer is waited for.
    Asked,
    /// It is no longer.
    Answered,
    /// Somebody has to resume it.
    Paused,
    /// Somebody did.
    Resumed,
}

/// How long was waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) struct Waited {
    /// For answers.
    pub(in crate::report) approval: SignedDuration,
    /// For somebody to resume it after a pause.
    pub(in crate::report) paused: SignedDuration,
}

impl Waits {
    /// Takes in what an event says of it.
    pub(super) fn mark(&mut self, event: &Event, mark: Mark) {
        self.0.insert(event.seq, (mark, event.at));
    }

    /// Returns how long was waited until `end`, from each mark that begins a wait to the next that ends it.
    fn between(&self, begin: Mark, over: Mark, end: Timestamp) -> SignedDuration {
        let mut open: Option<Timestamp> = None;
        let mut waited = SignedDuration::ZERO;
        let marks = self.0.values().copied().chain([(over, end)]);
        for (mark, at) in marks {
            if mark == begin {
                open = open.or(Some(at));
            } else if mark == over
                && let Some(since) = open.take()
            {
                let time = at.duration_since(since).max(SignedDuration::ZERO);
                waited = waited.saturating_add(time);
            }
        }
        waited
    }
}

impl View {
    /// Returns how long the execution waited for people until `end`.
    pub(in crate::report) fn waited(&self, end: Timestamp) -> Waited {
        Waited {
            approval: self.waits.between(Mark::Asked, Mark::Answered, end),
            paused: self.waits.between(Mark::Paused, Mark::Resumed, end),
        }
    }
}
