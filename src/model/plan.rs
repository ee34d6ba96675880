//! The change set of one target, as it was described, and what it stands on.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::shared;
use super::{
    Caller, ChangeSetId, ChangeSetName, Digest, LogicalId, ResourceChange, SetDrift, StackId,
    StackStatus, Target, TargetInputs,
};

/// What is planned for a stack: a change set that makes or changes it, or its deletion, which needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ChangeSetKind {
    /// The stack does not exist yet, or is in review.
    Create,
    /// The stack exists.
    Update,
    /// Resources that exist are taken into the stack, which exists or not.
    Import,
    /// The stack is deleted.
    Delete,
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

/// An export that an update takes away, and who imports it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GoneExport {
    /// The output of the present stack.
    pub output: LogicalId,
    /// The name under which it is exported.
    pub name: String,
    /// The stacks that import it, sorted.
    pub imported_by: Vec<String>,
}

/// A target with a change set that is ready, or with a stack that can be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTarget {
    /// The target.
    pub target: Target,
    /// Who created the change set there.
    pub caller: Caller,
    /// What is done to the stack.
    pub kind: ChangeSetKind,
    /// The derived name: of the change set, where there is one.
    pub name: ChangeSetName,
    /// The ARN of the change set; a deletion has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_set: Option<ChangeSetId>,
    /// What it was made from.
    #[serde(with = "shared")]
    pub inputs: Arc<TargetInputs>,
    /// Every described change, sorted by logical id, secrets masked.
    pub changes: Vec<ResourceChange>,
    /// What it stands on.
    pub base: Base,
    /// The digest of the stack's present template in the artifact store, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_template: Option<Digest>,
    /// The values that the stack's parameters have, as far as they are known and not secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub previous_parameters: BTreeMap<String, String>,
    /// Whether the change set has no changes, and all there is to do is to set what differs on the stack.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settings_only: bool,
    /// Resources that a deletion leaves because an earlier one could not delete them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retain: Vec<LogicalId>,
    /// The exports that go, where it could be looked up who imports them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone_exports: Vec<GoneExport>,
    /// What the endpoint says of a drift-aware change set, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<SetDrift>,
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
    /// An object that the template leads to can no longer be said to be what was put there.
    ObjectDiffers {
        /// The file or folder that it was made of.
        path: String,
        /// What is the matter with it, in one line.
        why: String,
    },
    /// Another run of the same plan, from its file, executed the change set.
    ExecutedElsewhere,
    /// The stack can no longer be deleted.
    NotDeletable {
        /// Why, in one line.
        why: String,
    },
}

#[cfg(test)]
impl PlannedTarget {
    /// Returns what it was made from, to be changed for this one alone.
    pub fn inputs_mut(&mut self) -> &mut TargetInputs {
        Arc::make_mut(&mut self.inputs)
    }
}
