//! Where a stack lives.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AccountId, Region, StackName};

/// One stack in one account and region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The account that owns the stack.
    pub account: AccountId,
    /// The region the stack is in.
    pub region: Region,
    /// The name of the stack.
    pub stack: StackName,
}

impl Target {
    /// Returns the account and region, which name a target where all stacks have one name.
    pub fn place(&self) -> String {
        format!("{}/{}", self.account, self.region)
    }

    /// Returns `text` with `{partition}`, `{account}` and `{region}` filled in.
    pub fn fill(&self, text: &str) -> String {
        text.replace("{partition}", self.region.partition())
            .replace("{account}", self.account.as_str())
            .replace("{region}", self.region.as_str())
    }

    /// Returns `text` with `{account}` and `{region}` in place of the target's own.
    pub fn unfill(&self, text: &str) -> String {
        text.replace(self.account.as_str(), "{account}")
            .replace(self.region.as_str(), "{region}")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.account, self.region, self.stack)
    }
}

/// A target and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSpec {
    /// The target.
    pub target: Target,
    /// The role to assume in the target's account; none means the caller's own credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// The role to assume from the approval on, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execute_role_arn: Option<String>,
}

impl TargetSpec {
    /// Returns how the target is reached from the approval on.
    pub fn executing(self) -> Self {
        Self {
            role_arn: self.execute_role_arn.clone().or(self.role_arn),
            ..self
        }
    }
}

/// What is sent along when a role is assumed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleSession {
    /// The external id that trust policies ask for. It is no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The name of the sessions; without it, one that names the execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The tags of the sessions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl RoleSession {
    /// Returns whether nothing is sent along.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}
