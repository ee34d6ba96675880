//! Which API call goes first when the budget is short.

use serde::{Deserialize, Serialize};

/// The urgency of an AWS call; the greater goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Priority {
    /// Progress that people watch; losing it fails nothing.
    Observe,
    /// A read that a decision waits for.
    Read,
    /// A call that changes something.
    Mutate,
}
