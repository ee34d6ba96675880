//! What the choice of targets left out, and why.

use serde::{Deserialize, Serialize};

use super::{AccountId, Region};

/// An account, or one region of it, that is no target although it was looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LeftOut {
    /// The account.
    pub account: AccountId,
    /// The region, where the account has others that count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Why.
    #[serde(flatten)]
    pub why: LeftOutWhy,
}

/// Why an account, or one region of it, is no target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum LeftOutWhy {
    /// It is the management account, in which an organization deploys nothing.
    ManagementAccount,
    /// The account cannot be used.
    NotActive {
        /// What it is instead.
        state: AccountState,
    },
    /// It was excluded by name.
    Excluded,
    /// It was named, and is in none of the organizational units.
    OutsideUnits,
    /// The account does not have a tag that was asked for.
    WithoutTag {
        /// The tag, as `KEY=VALUE`.
        tag: String,
    },
}

/// What an organization says of one of its accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AccountState {
    /// It can be used.
    Active,
    /// It is not complete yet.
    PendingActivation,
    /// It is closed or blocked.
    Suspended,
    /// It is being closed.
    PendingClosure,
    /// It is closed.
    Closed,
    /// Nothing that is known here.
    #[serde(other)]
    Unknown,
}

impl AccountState {
    /// Returns the state in words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::PendingActivation => "pending activation",
            Self::Suspended => "suspended",
            Self::PendingClosure => "pending closure",
            Self::Closed => "closed",
            Self::Unknown => "of unknown state",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_one_flat_object() {
        let left_out = LeftOut {
            account: "222222222222".parse().unwrap(),
            region: None,
            why: LeftOutWhy::NotActive {
                state: AccountState::PendingClosure,
            },
        };
        let stored = serde_json::to_value(&left_out).unwrap();
        assert_eq!(
            stored,
            serde_json::json!({"account": "222222222222", "reason": "not_active", "state": "PENDING_CLOSURE"})
        );
        assert_eq!(serde_json::from_value::<LeftOut>(stored).unwrap(), left_out);
        let new: AccountState = serde_json::from_str("\"BRAND_NEW\"").unwrap();
        assert_eq!(new, AccountState::Unknown);
    }
}
