//! How it is known that a target which is not run again still is as it was left.

use serde::{Deserialize, Serialize};

use super::{Digest, StackId, StackStatus, Target};

/// What was compared of a target that an earlier execution was done with, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The target.
    #[serde(flatten)]
    pub target: Target,
    /// The stack, which was looked at by its id: another one of its name is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_id: Option<StackId>,
    /// Its status now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StackStatus>,
    /// The token of the operation that left it so: events of others came after none of it.
    pub operation: String,
    /// The newest event of the stack that was known, after which others were looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_event: Option<String>,
    /// The digest of its template now, where it was compared with the one that was executed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Digest>,
    /// The parameters whose values were compared: those that are not secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What came of looking at a stack again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It is as it was left.
    Current,
    /// It is not.
    Changed {
        /// What is different.
        why: String,
    },
    /// That could not be told.
    NotRead {
        /// Why.
        why: String,
    },
}
