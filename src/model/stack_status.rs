//! Stack statuses and what they permit (the CloudFormation API model's 23 values).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Recovery, StackWait, Target};

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

    /// Returns whether an operation went well and the stack is what it was asked to be.
    pub fn is_deployed(self) -> bool {
        self.sentiment() == Sentiment::Good && self != StackStatus::DeleteComplete
    }

    /// Returns whether an operation failed and left the stack in what it was in the middle of.
    pub fn is_failed(self) -> bool {
        use StackStatus::*;
        matches!(
            self,
            CreateFailed
                | RollbackFailed
                | DeleteFailed
                | UpdateFailed
                | UpdateRollbackFailed
                | ImportRollbackFailed
        )
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

    /// Returns what a status that takes no change set says of the stack, or `None` if it takes one.
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
            CreateInProgress => "somebody else is creating it",
            RollbackInProgress => "its creation failed and is being rolled back",
            UpdateInProgress => "somebody else is updating it",
            UpdateCompleteCleanupInProgress => {
                "somebody else updated it, and what the update replaced is being removed"
            }
            UpdateRollbackInProgress => {
                "somebody else's update of it failed and is being rolled back"
            }
            UpdateRollbackCompleteCleanupInProgress => {
                "somebody else's update of it was rolled back, and what it made is being removed"
            }
            ImportInProgress => "somebody else is importing resources into it",
            ImportRollbackInProgress => {
                "somebody else's import into it failed and is being rolled back"
            }
            DeleteInProgress => "somebody else is deleting it",
            RollbackComplete => {
                "its creation failed and was rolled back, and all that can be done with it is to delete it"
            }
            RollbackFailed => {
                "its creation failed, and so did the rollback, which left resources behind"
            }
            CreateFailed => "its creation failed, and what had been created was kept",
            UpdateFailed => "its last update failed, and rollback was disabled",
            UpdateRollbackFailed => "its last update failed, and so did the rollback",
            DeleteFailed => "its deletion failed, and some of its resources are still there",
            ImportRollbackFailed => "an import into it failed, and so did the rollback",
        })
    }

    /// Returns whether the stack's creation failed for good: it never worked, and can be made anew.
    pub fn is_failed_creation(self) -> bool {
        use StackStatus::*;
        matches!(self, CreateFailed | RollbackComplete | RollbackFailed)
    }

    /// Returns why a stack in this status is not deleted now, or `None` if it can be.
    ///
    /// CloudFormation would take some of these, aborting what somebody else does.
    pub fn delete_refusal(self) -> Option<&'static str> {
        if self.is_settled() {
            None
        } else {
            self.refusal()
        }
    }

    /// Returns what to do about a stack in a status that takes no change set: the command to run next. `waited`
    /// says how long an operation on it was waited for, if it was.
    pub fn remedy(self, target: &Target, waited: Option<StackWait>) -> Option<String> {
        use StackStatus::*;
        let aws = |command: &str| {
            let Target { region, stack, .. } = target;
            format!("`aws cloudformation {command} --stack-name {stack} --region {region}`")
        };
        let delete = || {
            let Target {
                account,
                region,
                stack,
            } = target;
            format!("`stackgate delete {stack} --accounts {account} --regions {region}`")
        };
        let recover = |recovery: Recovery| {
            let Target {
                account,
                region,
                stack,
            } = target;
            let flag = recovery.flag();
            format!("`stackgate recover {stack} {flag} --accounts {account} --regions {region}`")
        };
        Some(match self {
            CreateComplete
            | UpdateComplete
            | UpdateRollbackComplete
            | ImportComplete
            | ImportRollbackComplete
            | ReviewInProgress
            | DeleteComplete => return None,
            CreateInProgress
            | RollbackInProgress
            | UpdateInProgress
            | UpdateCompleteCleanupInProgress
            | UpdateRollbackInProgress
            | UpdateRollbackCompleteCleanupInProgress
            | ImportInProgress
            | ImportRollbackInProgress
            | DeleteInProgress => {
                let wait = match waited.and_then(|waited| waited.minutes) {
                    Some(minutes) => format!(
                        "it did not end in {minutes} min; let `--wait-for-stack` wait longer"
                    ),
                    None => "add `--wait-for-stack` to wait for it".to_owned(),
                };
                let events = aws("describe-stack-events");
                format!("{wait}, or run again once it has ended, which {events} shows")
            }
            RollbackComplete | RollbackFailed | CreateFailed => format!(
                "see why with {}, then deploy again with `--replace-failed`, or delete it with {} and run again",
                aws("describe-stack-events"),
                delete()
            ),
            UpdateFailed => format!(
                "take the update back with {}, then run again",
                recover(Recovery::RollbackStack)
            ),
            UpdateRollbackFailed => format!(
                "mend what {} blames, go on with {}, then run again",
                aws("describe-stack-events"),
                recover(Recovery::ContinueRollback)
            ),
            DeleteFailed => format!(
                "mend what {} blames, delete it again with {}, then run again",
                aws("describe-stack-events"),
                delete()
            ),
            ImportRollbackFailed => format!(
                "mend what {} blames; AWS documents no command that repairs such a stack, so ask its support \
                 before you delete it",
                aws("describe-stack-events")
            ),
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

    #[test]
    fn what_takes_no_change_set_says_why_and_what_to_run_next() {
        let target = Target {
            account: crate::model::AccountId::new("111111111111").unwrap(),
            region: crate::model::Region::new("eu-west-1").unwrap(),
            stack: crate::model::StackName::new("network").unwrap(),
        };
        let mut sentences = std::collections::BTreeSet::new();
        for &status in StackStatus::ALL {
            let rests = matches!(
                status,
                StackStatus::ReviewInProgress | StackStatus::DeleteComplete
            );
            assert_eq!(
                status.refusal().is_none(),
                status.takes_update() || rests,
                "{status}"
            );
            assert_eq!(
                status.refusal().is_none(),
                status.remedy(&target, None).is_none()
            );
            let (Some(why), Some(next)) = (status.refusal(), status.remedy(&target, None)) else {
                continue;
            };
            assert!(sentences.insert(why), "{status} is explained like another");
            assert_eq!(
                next.contains("`--replace-failed`"),
                status.is_failed_creation(),
                "{status}: {next}"
            );
            for part in ["network", "eu-west-1", "`"] {
                assert!(next.contains(part), "{status}: {next}");
            }
            assert_eq!(
                next.starts_with("add `--wait-for-stack`"),
                !status.is_settled(),
                "{status}: {next}"
            );
        }
    }
}
