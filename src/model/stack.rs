//! What is observed of stacks and callers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, LogicalId, StackId, StackStatus};

/// A stack as `DescribeStacks` shows it. Parameter values stay out; some may be secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackSummary {
    /// The stack's ARN.
    pub id: StackId,
    /// Its status.
    pub status: StackStatus,
    /// The reason of the status, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The names of its present parameters.
    #[serde(default)]
    pub parameters: Vec<String>,
    /// Its outputs.
    #[serde(default)]
    pub outputs: BTreeMap<String, String>,
    /// Its tags, without those of AWS; an earlier version did not note them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
}

/// An event of a stack. `ResourceProperties` is left out: it may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackEvent {
    /// The event's id, unique in the stack.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// The resource; the stack's own name for events of the stack itself.
    pub logical_id: LogicalId,
    /// The resource type; `AWS::CloudFormation::Stack` for the stack itself and nested ones.
    pub resource_type: String,
    /// The physical id; the stack's ARN for events of the stack itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physical_id: Option<String>,
    /// `CREATE_IN_PROGRESS`, `UPDATE_FAILED`, …; a text, since resources have more than stacks.
    pub status: String,
    /// The reason, where there is one, cleaned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The token of the operation the event belongs to; some endpoints never give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl StackEvent {
    /// Returns whether the event is of the stack `id` itself and not of a resource in it.
    pub fn is_of_stack(&self, id: &StackId) -> bool {
        self.physical_id.as_deref() == Some(id.as_str())
    }

    /// Returns whether the resource's operation failed.
    pub fn is_failure(&self) -> bool {
        self.status.ends_with("_FAILED")
    }
}

/// Who calls AWS, from `GetCallerIdentity`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// The ARN of the user or assumed role.
    pub arn: String,
}
