//! Answers and requests that reach an execution from people.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Digest, Region, RiskLevel, WaveName};

/// The answer to an approval request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Execute what was shown.
    Approve,
    /// Do not.
    Reject,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approver {
    /// The STS caller, where credentials were at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// The user of the operating system.
    pub os_user: String,
    /// The machine's name.
    pub host: String,
}

/// Where an answer was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// At the prompt of the running command.
    Prompt,
    /// By `approve` or `reject`.
    Command,
    /// By `--yes`.
    Flag,
    /// Before there was a plan: with the deployment that it rolls back, whose review said so.
    Beforehand,
}

/// An answer to an approval request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The decision.
    pub decision: Decision,
    /// The plan that was looked at.
    pub plan: Digest,
    /// The wave after which the rollout goes on or does not; none where the answer is about the plan itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<WaveName>,
    /// Who decided.
    pub approver: Approver,
    /// Where.
    pub origin: Origin,
    /// When.
    pub at: Timestamp,
    /// Why, in the approver's words.
    #[serde(default)]
    pub summary: String,
    /// Up to which risk it covers the rollback that follows by itself where the rollout fails, which nobody has seen yet;
    /// none where that has to be answered on its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covers: Option<RiskLevel>,
}

/// How to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StopMode {
    /// Start nothing new and finish what runs.
    Wait,
    /// Leave at once; what runs in AWS goes on.
    Abandon,
    /// Finish what runs, never execute anything else, remove its change sets, and end.
    #[serde(rename = "give_up")]
    GiveUp,
}

/// A request to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {
    /// How.
    pub mode: StopMode,
    /// Who asks.
    pub by: Approver,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Where nothing answered when it was posted, for whoever gives up: the execution may have been taken up again before it
    /// is read, and knows nothing of that any more.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unreachable: BTreeSet<Region>,
}

/// What other processes put into an execution's inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InboxMessage {
    /// An answer to the approval request.
    Answer(Answer),
    /// A request to stop.
    Stop(StopRequest),
}
