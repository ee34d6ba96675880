//! The state of one execution, for machines.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{
    Answer, ChangeSetId, Digest, ExecutionId, ExecutionOutcome, Follows, GatePlace, PauseReason,
    Proof, Silence, StackEvent, StackId, StageName, StopRequest, Target, TargetOutcome, WaveName,
};

use super::is_busy;
use crate::report::followed::Follower;
use crate::report::next::next_for_machines;
use crate::report::rolled_back::RolledBack;
use crate::report::versions::Versions;
use crate::report::view::{Counts, StageStatus};
use crate::report::waves::WaveStatus;
use crate::report::words::{self, count};
use crate::report::{DOCUMENT_VERSION, Review, TargetView, View, causes};

/// The state of an execution, for machines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// Which document this is.
    pub document: &'static str,
    /// The version of this form.
    pub version: u32,
    /// The execution.
    pub execution: Option<ExecutionId>,
    /// The pipeline.
    pub pipeline: String,
    /// What it does with the stacks.
    pub operation: &'static str,
    /// The earlier execution that it goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<Follows>,
    /// What the execution is doing.
    pub state: &'static str,
    /// Whether a process works on it, where that is known.
    pub alive: Option<bool>,
    /// How it ended.
    pub outcome: Option<ExecutionOutcome>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When the newest event happened.
    pub last: Option<Timestamp>,
    /// The plan.
    pub plan: Option<Digest>,
    /// The approval.
    pub approval: Option<ApprovalStatus>,
    /// The answers that count, oldest first: about the plan, and about what comes after each wave.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// What opens by itself before the next wave begins, while that is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateStatus>,
    /// How the waves go, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<WaveStatus>,
    /// The regions from which nothing usable comes for the moment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<Silence>,
    /// Why it waits for somebody outside.
    pub paused: Option<PauseReason>,
    /// The request to stop.
    pub stop: Option<StopRequest>,
    /// The stages, in order.
    pub stages: Vec<Stage>,
    /// How many targets are in which phase.
    pub counts: Counts,
    /// How many targets have which version, where they do not all have the same one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions: Option<Versions>,
    /// The targets, in the order they were asked for.
    pub targets: Vec<TargetStatus>,
    /// What the earlier execution was done with, and how it is known that it still is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proven: Vec<Proof>,
    /// How far the rollback of what it changed is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RolledBack>,
    /// What is to be known beside it, such as what other executions do to the same targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What went on from it by hand, in the order in which it began.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub followed: Vec<Follower>,
    /// The commands that go on from here, the likeliest first.
    pub next: Vec<String>,
    /// What there is to review, once there is a plan; whoever has the templates fills it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
}

/// What stands between two waves, and when it opens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateStatus {
    /// Where it stands.
    pub place: GatePlace,
    /// When it opens, if nothing else holds it up; of a command, when it is ended.
    pub until: Timestamp,
    /// What holds it up, beside time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

/// The approval request and its answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApprovalStatus {
    /// The plan to look at.
    pub plan: Digest,
    /// The wave after which the rollout goes on or does not, where that is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wave: Option<WaveName>,
    /// When it was asked for.
    pub requested: Timestamp,
    /// When the request ends.
    pub expires: Timestamp,
    /// Whether it ended without an answer.
    pub expired: bool,
    /// The answer that counts.
    pub answer: Option<Answer>,
    /// The answers that did not count, and why.
    pub refused: Vec<RefusedAnswer>,
    /// What the plan holds that the project denies; nobody can approve it while this is not empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<String>,
}

/// An answer that did not count.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RefusedAnswer {
    /// The answer.
    pub answer: Answer,
    /// Why not.
    pub reason: String,
}

/// A stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// How far it is.
    pub state: &'static str,
    /// Why it failed or was not needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetStatus {
    /// Where it is.
    #[serde(flatten)]
    pub target: Target,
    /// How far it is.
    pub phase: &'static str,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<TargetOutcome>,
    /// The change set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_set: Option<ChangeSetId>,
    /// The ARN of the stack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_id: Option<StackId>,
    /// The newest event of the stack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_event: Option<StackEvent>,
    /// The failed call that is being looked into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// What a clean-up left, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
    /// The outputs of the stack.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
}

impl Status {
    /// Returns the state of the execution in `view`. `alive`: whether a process works on it, if known.
    pub fn of(view: &View, alive: Option<bool>) -> Self {
        let approval = view.approval().map(|approval| ApprovalStatus {
            plan: approval.plan,
            wave: approval.wave.cloned(),
            requested: approval.requested,
            expires: approval.expires,
            expired: approval.expired,
            answer: approval.answer.cloned(),
            refused: view
                .refusals()
                .map(|refused| RefusedAnswer {
                    answer: refused.answer.clone(),
                    reason: refused.reason.clone(),
                })
                .collect(),
            denied: view.denied().to_vec(),
        });
        let state = view.state();
        let stages = view.stages().into_iter().map(|(name, status)| {
            let reason = view.refused_stage(name).map(str::to_owned);
            Stage {
                name: name.to_string(),
                state: words::stage_id(status, &state, alive),
                reason: reason.or_else(|| stage_reason(view, name, status)),
            }
        });
        Self {
            document: "status",
            version: DOCUMENT_VERSION,
            execution: view.execution().cloned(),
            pipeline: view.pipeline().to_owned(),
            operation: view.operation(),
            follows: view.follows().cloned(),
            state: words::state_id(&state, alive),
            alive,
            outcome: view.outcome().cloned(),
            started: view.started(),
            last: view.last(),
            plan: view.plan(),
            approval,
            answers: view.answers().into_iter().cloned().collect(),
            gate: view.gate().map(|(place, until)| GateStatus {
                place: place.clone(),
                until: *until,
                held: view.held().map(str::to_owned),
            }),
            waves: WaveStatus::of(view),
            silent: view.silences().into_iter().cloned().collect(),
            paused: view.paused().cloned(),
            stop: view.stop().cloned(),
            stages: stages.collect(),
            counts: view.counts(),
            versions: Versions::left(view),
            targets: view.targets().into_iter().map(target_status).collect(),
            proven: view.proven().to_vec(),
            rollback: view.rolled_back().cloned(),
            notes: view.beside().to_vec(),
            followed: view
                .followed()
                .map_or_else(Vec::new, |f| f.executions.clone()),
            next: next_of(view, alive),
            review: None,
        }
    }
}

fn target_status(target: &TargetView) -> TargetStatus {
    TargetStatus {
        target: target.target().clone(),
        phase: words::phase_id(target.phase()),
        outcome: target.outcome().cloned(),
        change_set: target.change_set().cloned(),
        stack_id: target.stack().cloned(),
        newest_event: target.newest_event().cloned(),
        trouble: target.trouble().map(|failure| failure.message.clone()),
        left: target.left().map(str::to_owned),
        outputs: target.outputs().cloned().unwrap_or_default(),
    }
}

/// Returns why a stage failed or was not needed: of what failed in targets, the cause that struck most of them.
pub(super) fn stage_reason(view: &View, name: &StageName, status: &StageStatus) -> Option<String> {
    let reason = match status {
        StageStatus::Skipped(reason) => return Some(reason.clone()),
        StageStatus::Failed(reason) => reason,
        StageStatus::Waiting | StageStatus::Running | StageStatus::Succeeded => return None,
    };
    if !view.works_on_targets(name) || view.has_closed_gate() || view.given_up().is_some() {
        return Some(reason.clone());
    }
    let mut groups = match view.plan() {
        None => causes::not_planned(view),
        Some(_) => causes::failures(view),
    };
    if groups.is_empty() {
        groups = causes::unknown(view);
    }
    let Some(first) = groups.first() else {
        return Some(match view.counts().stale {
            // An earlier stackgate did not record more.
            0 if reason == "an action failed" => format!("{reason}, see its events"),
            0 => reason.clone(),
            stale => format!("{} no longer as approved", count(stale, "target")),
        });
    };
    let problem = words::problems(&first.cause).into_iter().next();
    let mut text = problem.unwrap_or_else(|| reason.clone());
    if first.targets.len() > 1 {
        text.push_str(&format!(" (in {})", count(first.targets.len(), "target")));
    }
    let others = groups.len() - 1;
    if others > 0 {
        text.push_str(&format!(", and {}", count(others, "other cause")));
    }
    Some(text)
}

/// Returns the commands that go on from here, for machines.
fn next_of(view: &View, alive: Option<bool>) -> Vec<String> {
    match view.execution() {
        Some(id) if !is_busy(view, alive) => next_for_machines(view, id.as_str()),
        Some(_) | None => Vec::new(),
    }
}
