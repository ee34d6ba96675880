//! What was changed outside CloudFormation, as drift-aware change sets tell it. Ordinary ones say nothing of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What an endpoint says of a change set that it was asked to make with `REVERT_DRIFT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetDrift {
    /// Whether it confirms that the change set is a drift-aware one. Endpoints exist that do not know the mode, and
    /// take the request for an ordinary one.
    pub is_confirmed: bool,
    /// Whether the stack drifted, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<StackDrift>,
}

/// Whether a stack is what its last deployment made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StackDrift {
    /// Something of it was changed outside CloudFormation.
    Drifted,
    /// It is.
    InSync,
    /// Nobody looked.
    NotChecked,
    /// It cannot be told.
    Unknown,
}

/// What is known of changes that were made to a resource outside CloudFormation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceDrift {
    /// Whether it drifted, where that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<DriftStatus>,
    /// The attributes that nobody looked at, in the order of their paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<IgnoredAttribute>,
}

/// Whether a resource is what its last deployment made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DriftStatus {
    /// It is.
    InSync,
    /// It was changed outside CloudFormation.
    Modified,
    /// It was deleted outside CloudFormation.
    Deleted,
    /// Nobody looked.
    NotChecked,
    /// Resources of its type cannot be compared.
    Unsupported,
    /// It cannot be told.
    Unknown,
}

/// An attribute whose drift is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IgnoredAttribute {
    /// Where it is in the resource.
    pub path: String,
    /// `MANAGED_BY_AWS`, `WRITE_ONLY_PROPERTY`, …, as given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was done to a property outside CloudFormation. Secrets are masked before a value gets here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PropertyDrift {
    /// The value that the last deployment set, a text even for structures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// The value that the resource has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<String>,
    /// When that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected: Option<Timestamp>,
    /// Which of the two the change set calls the value before, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_from: Option<BeforeFrom>,
    /// Whether the resource has the template's value already, and only CloudFormation's record is refreshed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_recorded: bool,
}

/// Where a value before comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BeforeFrom {
    /// From the resource itself.
    ActualState,
    /// From the last deployment.
    PreviousDeploymentState,
}
