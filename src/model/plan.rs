//! The change set of one target, as it was described, and what it stands on.

use serde::{Deserialize, Serialize};

use super::{
    Caller, ChangeSetId, ChangeSetName, Digest, ResourceChange, StackId, StackStatus, Target,
    TargetInputs,
};

/// Whether a change set makes a stack or changes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ChangeSetKind {
    /// The stack does not exist yet, or is in review.
    Create,
    /// The stack exists.
    Update,
}

/// What became of a change set that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeSetOutcome {
    /// It can be executed.
    Ready,
    /// There is nothing to change. From status and reason, never from counting changes.
    NoChanges,
    /// It failed.
    Failed {
        /// The service's reason, cleaned.
        reason: String,
    },
}

/// What a change set stands on, as of when it was ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The stack.
    pub stack: StackId,
    /// Its status.
    pub status: StackStatus,
    /// The newest event of a live stack; none for a stack in review, where each change set adds events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_event: Option<String>,
}

impl Base {
    /// The base of a change set that makes `stack`: until it is executed, the stack is in review.
    pub fn in_review(stack: StackId) -> Self {
        Self {
            stack,
            status: StackStatus::ReviewInProgress,
            newest_event: None,
        }
    }
}

/// A target with a change set that is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTarget {
    /// The target.
    pub target: Target,
    /// Who created the change set there.
    pub caller: Caller,
    /// Whether it makes or changes the stack.
    pub kind: ChangeSetKind,
    /// The name of the change set.
    pub name: ChangeSetName,
    /// The ARN of the change set.
    pub change_set: ChangeSetId,
    /// What it was made from.
    pub inputs: TargetInputs,
    /// Every described change, sorted by logical id, secrets masked.
    pub changes: Vec<ResourceChange>,
    /// What it stands on.
    pub base: Base,
    /// The digest of the stack's present template in the artifact store, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_template: Option<Digest>,
    /// Whether the change set has no changes, and all there is to do is to set what differs on the stack.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settings_only: bool,
}

/// How a target differs from what was approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Staleness {
    /// The change set is gone.
    ChangeSetGone,
    /// The change set is another one, or can no longer be executed.
    NotExecutable {
        /// The execution status found, such as `OBSOLETE`.
        status: String,
    },
    /// The stack was deleted or made anew.
    StackReplaced,
    /// The stack is in another status than the approved one.
    StatusChanged {
        /// The approved status.
        approved: StackStatus,
        /// The status found.
        found: StackStatus,
    },
    /// Something happened to the stack since.
    NewEvents,
    /// The change set describes other changes.
    ChangesDiffer {
        /// The logical ids concerned.
        resources: Vec<String>,
    },
}
