//! Stack statuses and what they permit (the CloudFormation API model's 23 values).

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! statuses {
    ($($variant:ident = $text:literal),+ $(,)?) => {
        /// The status of a stack.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        #[expect(missing_docs, reason = "the names are CloudFormation's own statuses")]
        pub enum StackStatus { $($variant),+ }

        impl StackStatus {
            /// Every status.
            pub const ALL: &[StackStatus] = &[$(StackStatus::$variant),+];

            /// Returns CloudFormation's name for it.
            pub fn as_str(self) -> &'static str {
                match self { $(StackStatus::$variant => $text),+ }
            }
        }

        impl std::str::FromStr for StackStatus {
            type Err = UnknownStackStatus;
            fn from_str(text: &str) -> Result<Self, UnknownStackStatus> {
                match text {
                    $($text => Ok(StackStatus::$variant),)+
                    other => Err(UnknownStackStatus(super::clean(other))),
                }
            }
        }
    };
}

statuses! {
    CreateInProgress = "CREATE_IN_PROGRESS",
    CreateFailed = "CREATE_FAILED",
    CreateComplete = "CREATE_COMPLETE",
    RollbackInProgress = "ROLLBACK_IN_PROGRESS",
    RollbackFailed = "ROLLBACK_FAILED",
    RollbackComplete = "ROLLBACK_COMPLETE",
    DeleteInProgress = "DELETE_IN_PROGRESS",
    DeleteFailed = "DELETE_FAILED",
    DeleteComplete = "DELETE_COMPLETE",
    UpdateInProgress = "UPDATE_IN_PROGRESS",
    UpdateCompleteCleanupInProgress = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateComplete = "UPDATE_COMPLETE",
    UpdateFailed = "UPDATE_FAILED",
    UpdateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS",
    UpdateRollbackFailed = "UPDATE_ROLLBACK_FAILED",
    UpdateRollbackCompleteCleanupInProgress = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE",
    ReviewInProgress = "REVIEW_IN_PROGRESS",
    ImportInProgress = "IMPORT_IN_PROGRESS",
    ImportComplete = "IMPORT_COMPLETE",
    ImportRollbackInProgress = "IMPORT_ROLLBACK_IN_PROGRESS",
    ImportRollbackFailed = "IMPORT_ROLLBACK_FAILED",
    ImportRollbackComplete = "IMPORT_ROLLBACK_COMPLETE",
}

/// A status that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown stack status `{0}`")]
pub struct UnknownStackStatus(String);

/// What a status says about the operation that led to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sentiment {
    /// It went as asked.
    Good,
    /// It is under way.
    Neutral,
    /// It failed or was taken back.
    Bad,
}

impl StackStatus {
    /// Returns whether no operation is under way. A stack in review rests until a change set runs.
    pub fn is_settled(self) -> bool {
        use StackStatus::*;
        match self {
            CreateInProgress
            | RollbackInProgress
            | DeleteInProgress
            | UpdateInProgress
            | UpdateCompleteCleanupInProgress
            | UpdateRollbackInProgress
            | UpdateRollbackCompleteCleanupInProgress
            | ImportInProgress
            | ImportRollbackInProgress => false,
            CreateFailed
            | CreateComplete
            | RollbackFailed
            | RollbackComplete
            | DeleteFailed
            | DeleteComplete
            | UpdateComplete
            | UpdateFailed
            | UpdateRollbackFailed
            | UpdateRollbackComplete
            | ReviewInProgress
            | ImportComplete
            | ImportRollbackFailed
            | ImportRollbackComplete => true,
        }
    }

    /// Returns what the status says about the operation that led to it.
    pub fn sentiment(self) -> Sentiment {
        use StackStatus::*;
        match self {
            CreateComplete
            | UpdateComplete
            | UpdateCompleteCleanupInProgress
            | ImportComplete
            | DeleteComplete => Sentiment::Good,
            CreateInProgress | UpdateInProgress | DeleteInProgress | ReviewInProgress
            | ImportInProgress => Sentiment::Neutral,
            CreateFailed
            | RollbackInProgress
            | RollbackFailed
            | RollbackComplete
            | DeleteFailed
            | UpdateFailed
            | UpdateRollbackInProgress
            | UpdateRollbackFailed
            | UpdateRollbackCompleteCleanupInProgress
            | UpdateRollbackComplete
            | ImportRollbackInProgress
            | ImportRollbackFailed
            | ImportRollbackComplete => Sentiment::Bad,
        }
    }

    /// Returns whether the stack, as it is, takes an UPDATE change set.
    pub fn takes_update(self) -> bool {
        use StackStatus::*;
        matches!(
            self,
            CreateComplete
                | UpdateComplete
                | UpdateRollbackComplete
                | ImportComplete
                | ImportRollbackComplete
        )
    }

    /// Returns why a stack in this status takes no change set and what to do, or `None` if it takes one.
    pub fn refusal(self) -> Option<&'static str> {
        use StackStatus::*;
        Some(match self {
            CreateComplete
            | UpdateComplete
            | UpdateRollbackComplete
            | ImportComplete
            | ImportRollbackComplete
            | ReviewInProgress
            | DeleteComplete => return None,
            CreateInProgress
            | UpdateInProgress
            | ImportInProgress
            | DeleteInProgress
            | RollbackInProgress
            | UpdateRollbackInProgress
            | ImportRollbackInProgress
            | UpdateCompleteCleanupInProgress
            | UpdateRollbackCompleteCleanupInProgress => {
                "another operation is under way on the stack; wait until it ends, then run again"
            }
            RollbackComplete => {
                "its creation failed and was rolled back; the stack can only be deleted: look at its events, delete it, then run again"
            }
            RollbackFailed => {
                "its creation failed and the rollback failed too; look at its events, delete the stack, then run again"
            }
            CreateFailed => {
                "its creation failed and its resources were kept; roll the stack back or delete it, then run again"
            }
            UpdateFailed => {
                "its last update failed and rollback was disabled; roll the stack back, then run again"
            }
            UpdateRollbackFailed => {
                "the rollback of its last update failed; continue the update rollback, then run again"
            }
            DeleteFailed => {
                "its deletion failed; delete it again, retaining the resources that cannot go, then run again"
            }
            ImportRollbackFailed => {
                "the rollback of an import failed; an operator must repair the stack before it can change"
            }
        })
    }
}

impl fmt::Display for StackStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl TryFrom<String> for StackStatus {
    type Error = UnknownStackStatus;
    fn try_from(text: String) -> Result<Self, UnknownStackStatus> {
        text.parse()
    }
}

impl From<StackStatus> for String {
    fn from(status: StackStatus) -> String {
        status.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_agree_with_each_other() {
        assert_eq!(StackStatus::ALL.len(), 23);
        for &status in StackStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            assert_eq!(
                status.is_settled(),
                !status.as_str().ends_with("_IN_PROGRESS")
                    || status == StackStatus::ReviewInProgress
            );
            if status.takes_update() {
                assert_eq!(status.refusal(), None, "{status}");
            }
            if !status.is_settled() {
                assert!(status.refusal().is_some(), "{status}");
            }
            if status.as_str().contains("ROLLBACK") || status.as_str().ends_with("FAILED") {
                assert_eq!(status.sentiment(), Sentiment::Bad, "{status}");
            }
        }
    }
}
