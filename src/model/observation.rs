//! What steps find out, as the state machine is told.

use std::collections::BTreeMap;

use super::{
    Base, Caller, Cause, ChangeSetOutcome, Digest, GoneExport, LogicalId, ResourceChange, SetDrift,
    StackStatus, StackSummary, TargetInputs,
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

/// A stack that is to be deleted, and what its deletion would do.
#[derive(Debug)]
pub struct Collection {
    /// Who calls AWS there.
    pub caller: Caller,
    /// The stack; none if it does not exist.
    pub stack: Option<DeletableStack>,
}

/// What the deletion of a stack would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletableStack {
    /// The stack as it is.
    pub base: Base,
    /// Its resources as removals, sorted by logical id; what becomes of each is said explicitly.
    pub changes: Vec<ResourceChange>,
    /// Its template in the artifact store, where it has one.
    pub template: Option<Digest>,
    /// Resources that are left because an earlier deletion failed to delete them.
    pub retain: Vec<LogicalId>,
    /// The role that CloudFormation acts with, where one was named.
    pub role_arn: Option<String>,
    /// Why it cannot be deleted, and what to do; empty if it can.
    pub obstacles: Vec<String>,
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
    /// The exports that go, where it could be looked up who imports them.
    pub gone_exports: Vec<GoneExport>,
    /// What the endpoint says of a drift-aware change set, where one was asked for.
    pub drift: Option<SetDrift>,
    /// The values that the stack's parameters have, as far as they are known and not secret.
    pub previous_parameters: BTreeMap<String, String>,
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

/// What became of a change set that was to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// It was deleted.
    Deleted,
    /// It was not there any more.
    Gone {
        /// The stack's status, where it could be read.
        stack: Option<StackStatus>,
    },
    /// Somebody else executed it: it is left as it is.
    Executed {
        /// Its execution status.
        status: String,
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
