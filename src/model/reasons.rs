//! Why something ended, or did not begin.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CallFailure, Gate, LogicalId, Region, StackStatus, Staleness, Target, WaveName};

/// The root cause of a failure: the first resource that failed of itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cause {
    /// The resource, where one failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<(LogicalId, String)>,
    /// What was said, cleaned; several problems have a line each.
    pub reason: String,
}

impl Cause {
    /// Returns a cause that no resource is to blame for.
    pub fn of(reason: impl AsRef<str>) -> Self {
        Self {
            resource: None,
            reason: super::clean(reason.as_ref()),
        }
    }

    /// Returns the cause that a failed call is.
    pub fn of_call(failure: &CallFailure) -> Self {
        // Cleaned already, line by line.
        Self {
            resource: None,
            reason: failure.message.clone(),
        }
    }
}

/// How it is told that a clean-up found a change set executed, which no account of this execution tells otherwise.
pub const EXECUTED_ELSEWHERE: &str = "the change set was executed by somebody else";

/// What is told of a change set that a clean-up leaves since another run of its plan may need it.
pub const LEFT_TO_ANOTHER_RUN: &str = "the change set was left to the run of this plan elsewhere; what that leaves, `stackgate clean` removes there";

/// Why a target was not executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Too many targets of its region failed.
    ToleranceExceeded {
        /// The failures so far.
        failed: u32,
        /// The failures tolerated.
        tolerance: u32,
    },
    /// An earlier region failed.
    EarlierRegionFailed {
        /// That region.
        region: Region,
    },
    /// Too many targets of an earlier wave failed.
    EarlierWaveFailed {
        /// That wave.
        wave: WaveName,
    },
    /// What stands between an earlier wave and the next one was not passed.
    GateClosed {
        /// That wave.
        wave: WaveName,
        /// What was to be passed.
        gate: Gate,
        /// Why it was not.
        reason: String,
    },
    /// The plan was rejected.
    Rejected,
    /// Nobody answered in time.
    ApprovalExpired,
    /// The execution was stopped.
    Stopped,
    /// Another run of the same plan was come across, which has what is left to itself.
    RunElsewhere,
    /// Change sets could not be created for enough targets.
    PlanIncomplete,
    /// Nothing to change in any target.
    NothingToDo,
    /// The account does not have the region.
    RegionNotEnabled,
}

/// How a target ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetOutcome {
    /// The change set was executed.
    Succeeded {
        /// The stack's status.
        status: StackStatus,
    },
    /// There was nothing to change.
    NoChanges,
    /// No change set could be made.
    NotPlanned {
        /// Why.
        cause: Cause,
    },
    /// The execution failed.
    Failed {
        /// The stack's status, where the stack changed at all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<StackStatus>,
        /// Why.
        cause: Cause,
    },
    /// The target differs from what was approved; nothing was executed there.
    Stale {
        /// How it differs.
        differences: Vec<Staleness>,
    },
    /// Nothing was executed, for a reason that is not the target's own.
    Skipped {
        /// Why.
        reason: SkipReason,
    },
    /// An execution was asked for, and whether it was accepted cannot be found out.
    Unknown {
        /// What is known.
        reason: String,
    },
}

impl TargetOutcome {
    /// Returns whether it counts as a failure against the tolerance.
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Succeeded { .. } | Self::NoChanges | Self::Skipped { .. } => false,
            Self::NotPlanned { .. }
            | Self::Failed { .. }
            | Self::Stale { .. }
            | Self::Unknown { .. } => true,
        }
    }

    /// Returns whether another run of the same plan executed the target.
    pub fn was_elsewhere(&self) -> bool {
        match self {
            Self::Stale { differences } => differences.contains(&Staleness::ExecutedElsewhere),
            Self::Succeeded { .. }
            | Self::NoChanges
            | Self::Skipped { .. }
            | Self::NotPlanned { .. }
            | Self::Failed { .. }
            | Self::Unknown { .. } => false,
        }
    }
}

/// A region from which nothing usable comes for the moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// The region.
    pub region: Region,
    /// When the first call failed that was answered by nobody, after the last that was.
    pub since: Timestamp,
    /// Until when calls are made again, about: if nothing is answered by then, the execution pauses.
    pub until: Timestamp,
    /// What came of the last call.
    pub message: String,
}

/// Why an execution waits for somebody outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// The credentials expired; renewing them and resuming goes on.
    CredentialsExpired {
        /// What the SDK or service said.
        message: String,
    },
    /// A secret is needed and cannot be asked for here.
    SecretNeeded {
        /// The parameter.
        parameter: String,
        /// What to do.
        message: String,
    },
    /// Whether an execution was accepted cannot be found out, or how one that was accepted ends; it is never sent twice.
    OutcomeUnknown {
        /// The target.
        target: Target,
        /// Whether it is known to have been accepted.
        #[serde(default)]
        accepted: bool,
        /// What is known.
        message: String,
    },
    /// What stands between two waves cannot be looked at.
    GateUnreadable {
        /// The wave that it comes after.
        wave: WaveName,
        /// What the SDK or service said.
        message: String,
    },
    /// Nothing answers in a region, for as long as is waited for it. That is no failure of any target: what was not
    /// begun stays so.
    Unreachable {
        /// The region.
        region: Region,
        /// How many targets there were not executed and still are to be.
        #[serde(default)]
        untouched: u32,
        /// How many targets there were asked for and are not known to have ended.
        #[serde(default)]
        under_way: u32,
        /// What came of the last call.
        message: String,
    },
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionOutcome {
    /// Everything was executed.
    Succeeded,
    /// Nothing had to change.
    NothingToDo,
    /// Everything that may fail did not exceed the tolerance, but something failed.
    SucceededWithFailures,
    /// Failed.
    Failed,
    /// The plan was rejected.
    Rejected,
    /// Nobody answered in time.
    Expired,
    /// Stopped on request.
    Stopped,
}
