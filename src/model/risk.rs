//! How much harm a change can do.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::LogicalId;

/// How much harm a change can do; `--yes` stops at `High`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RiskLevel {
    /// Additions and changes in place.
    Low,
    /// Replacement or removal of resources that hold no data, or wider permissions.
    Medium,
    /// Data may be lost.
    High,
}

impl RiskLevel {
    /// Returns the lowercase name.
    pub fn as_str(self) -> &'static str {
        match self {
            RiskLevel::Low => "low",
            RiskLevel::Medium => "medium",
            RiskLevel::High => "high",
        }
    }
}

impl fmt::Display for RiskLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One finding of a risk rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Risk {
    /// The rule that found it, for example `stateful_replacement`.
    pub rule: String,
    /// How bad it is.
    pub level: RiskLevel,
    /// The resource concerned.
    pub resource: LogicalId,
    /// What may happen and why, in one line.
    pub message: String,
}
