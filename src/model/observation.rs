//! What steps find out, as the state machine is told.

use std::collections::BTreeMap;

use super::{
    Base, Caller, Cause, ChangeSetOutcome, Digest, ResourceChange, StackStatus, StackSummary,
    TargetInputs,
};

/// What is known of a target before its change set is created.
#[derive(Debug)]
pub struct Preparation {
    /// Who calls AWS there.
    pub caller: Caller,
    /// The stack; none if it does not exist.
    pub stack: Option<StackSummary>,
    /// What the change set is made from.
    pub inputs: TargetInputs,
}

/// A change set that came to rest.
#[derive(Debug)]
pub struct Reading {
    /// What became of it.
    pub outcome: ChangeSetOutcome,
    /// The changes, secrets masked.
    pub changes: Vec<ResourceChange>,
    /// What it stands on; always there for one that is ready.
    pub base: Option<Base>,
    /// The stack's present template in the artifact store, where it was read.
    pub previous_template: Option<Digest>,
    /// Whether what is to be set on the stack differs from what it has; looked up where there are no changes.
    pub settings_differ: bool,
}

/// Whether an execution without an answer was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The stack or the change set shows that it was.
    Accepted,
    /// The change set is still there to execute, and the stack has not moved.
    NotAccepted,
    /// It cannot be told.
    Unknown {
        /// What was seen.
        reason: String,
    },
}

/// How a stack's operation ended.
#[derive(Debug)]
pub struct Ending {
    /// The stack's status.
    pub status: StackStatus,
    /// The stack's outputs.
    pub outputs: BTreeMap<String, String>,
    /// The root cause, where it failed.
    pub cause: Option<Cause>,
}
