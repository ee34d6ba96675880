//! Where a stack lives.

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
}
