//! Ways out for stacks that are stuck, by their status.

use serde::{Deserialize, Serialize};

use super::StackStatus;

/// An operation that gets a stack out of where it is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovery {
    /// Takes back an update that is under way.
    CancelUpdate,
    /// Goes on with the rollback of an update that failed.
    ContinueRollback,
    /// Rolls back a creation or an update that failed while rollback was disabled.
    RollbackStack,
}

impl Recovery {
    /// Returns the operation that a stack in `status` takes, or `None` if it takes none.
    pub fn of(status: StackStatus) -> Option<Self> {
        use StackStatus::*;
        match status {
            UpdateInProgress => Some(Self::CancelUpdate),
            UpdateRollbackFailed => Some(Self::ContinueRollback),
            CreateFailed | UpdateFailed => Some(Self::RollbackStack),
            CreateInProgress
            | CreateComplete
            | RollbackInProgress
            | RollbackFailed
            | RollbackComplete
            | DeleteInProgress
            | DeleteFailed
            | DeleteComplete
            | UpdateCompleteCleanupInProgress
            | UpdateComplete
            | UpdateRollbackInProgress
            | UpdateRollbackCompleteCleanupInProgress
            | UpdateRollbackComplete
            | ReviewInProgress
            | ImportInProgress
            | ImportComplete
            | ImportRollbackInProgress
            | ImportRollbackFailed
            | ImportRollbackComplete => None,
        }
    }

    /// Returns the option of `stackgate recover` that asks for it.
    pub fn flag(self) -> &'static str {
        match self {
            Self::CancelUpdate => "--cancel-update",
            Self::ContinueRollback => "--continue-rollback",
            Self::RollbackStack => "--rollback-stack",
        }
    }

    /// Returns what it does, to be said before it is done.
    pub fn consequence(self) -> &'static str {
        match self {
            Self::CancelUpdate => {
                "the update is taken back: what it changed gets its earlier state again"
            }
            Self::ContinueRollback => {
                "the rollback of the failed update goes on, back to the stack's earlier state"
            }
            Self::RollbackStack => {
                "what failed is rolled back to the stack's last good state; a stack that never had one loses what was created"
            }
        }
    }

    /// Returns whether a stack that ended in `status` is where the operation leads to.
    pub fn leads_to(self, status: StackStatus) -> bool {
        use StackStatus::*;
        match self {
            Self::CancelUpdate | Self::ContinueRollback => status == UpdateRollbackComplete,
            Self::RollbackStack => matches!(
                status,
                UpdateRollbackComplete
                    | RollbackComplete
                    | DeleteComplete
                    | CreateComplete
                    | UpdateComplete
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_takes_the_operation_that_the_service_documents() {
        for &status in StackStatus::ALL {
            let flag = Recovery::of(status).map(Recovery::flag);
            let expected = match status.as_str() {
                "UPDATE_IN_PROGRESS" => Some("--cancel-update"),
                "UPDATE_ROLLBACK_FAILED" => Some("--continue-rollback"),
                "CREATE_FAILED" | "UPDATE_FAILED" => Some("--rollback-stack"),
                _ => None,
            };
            assert_eq!(flag, expected, "{status}");
            if let Some(recovery) = Recovery::of(status) {
                assert!(!recovery.leads_to(status), "{status}");
            }
        }
    }
}
