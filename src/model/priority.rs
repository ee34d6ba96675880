//! Which API call goes first when the budget is short.

use serde::{Deserialize, Serialize};

/// The urgency of an AWS call; the greater goes first. Targets that were started are finished before others are started:
/// what is half done everywhere is worse than what is done somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Priority {
    /// Progress that people watch; losing it fails nothing.
    Observe,
    /// A read that a decision waits for.
    Read,
    /// A call that changes something.
    Mutate,
    /// A call that carries out what was approved.
    Execute,
    /// A read that tells how something ended, once that is known; as patient as observing.
    Outcome,
}

impl Priority {
    /// All of them, the least urgent first.
    pub const ALL: [Self; 5] = [
        Self::Observe,
        Self::Read,
        Self::Mutate,
        Self::Execute,
        Self::Outcome,
    ];
}
