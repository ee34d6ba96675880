//! The one vocabulary of what happens in an execution.
//!
//! The journal stores events, recovery replays them, and every screen and report is a fold over them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::on_failure::TOLD;
use super::shared;
use super::{
    ActionCategory, ActionName, Answer, Approver, ArtifactRef, Base, CallFailure, Caller,
    ChangeSetId, ChangeSetKind, ChangeSetName, Digest, ExecutionId, ExecutionOutcome, GatePlace,
    GoneExport, LeftOut, PauseReason, PipelineDeclaration, PlannedTarget, Proof, Region,
    ResourceChange, RiskChoices, RiskChoicesError, RoleSession, SecretRef, SetDrift, Silence,
    SourceRevision, StackEvent, StackId, StackSetting, StackStatus, StackSummary, StageName,
    StopRequest, Target, TargetInputs, TargetOutcome, TargetSpec, WaveName,
};

/// One thing that happened in an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the execution's journal, from 1 without gaps.
    pub seq: u64,
    /// The execution.
    pub execution: ExecutionId,
    /// When.
    pub at: Timestamp,
    /// What it concerns.
    #[serde(default)]
    pub scope: Scope,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What an event concerns: the execution itself where all are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope {
    /// The stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageName>,
    /// The action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionName>,
    /// The target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The execution began. Always the first event.
    ExecutionStarted {
        /// All that it will do. Shared: of a fleet it is large, and who reads the events keeps it.
        #[serde(with = "shared")]
        definition: Arc<ExecutionDefinition>,
    },
    /// Another process took the execution over.
    Resumed {
        /// The process: host and process id.
        owner: String,
        /// Where secrets are looked up from now on, by parameter.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        secrets: BTreeMap<String, SecretRef>,
    },
    /// A stage began.
    StageStarted,
    /// A stage ended well.
    StageSucceeded,
    /// A stage failed.
    StageFailed {
        /// Why, in one line.
        reason: String,
    },
    /// A stage was not needed.
    StageSkipped {
        /// Why, in one line.
        reason: String,
    },
    /// An action began.
    ActionStarted,
    /// An action ended well.
    ActionSucceeded,
    /// An action failed.
    ActionFailed {
        /// Why, in one line.
        reason: String,
    },
    /// A source action stored its artifact.
    SourceStored {
        /// The artifact.
        artifact: ArtifactRef,
        /// Where it came from.
        revision: SourceRevision,
    },
    /// Somebody else works on the stack, and that is waited for.
    StackBusy {
        /// The stack's status.
        status: StackStatus,
    },
    /// A change set is about to be created. Intent: journalled before the call.
    ChangeSetIntended {
        /// Whether it makes or changes the stack.
        kind: ChangeSetKind,
        /// The derived name, by which a resumed execution finds it.
        name: ChangeSetName,
        /// The derived `ClientToken`.
        token: String,
        /// Who creates it.
        caller: Caller,
        /// The stack as it was; none if it did not exist.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stack: Option<StackSummary>,
        /// What it is made from.
        inputs: Box<TargetInputs>,
    },
    /// The service accepted the change set.
    ChangeSetCreated {
        /// The change set.
        change_set: ChangeSetId,
        /// The stack, which exists in review from now on if it did not before.
        stack: StackId,
    },
    /// The change set can be executed.
    ChangeSetReady {
        /// Every described change, sorted by logical id, secrets masked.
        changes: Vec<ResourceChange>,
        /// What it stands on.
        base: Base,
        /// The stack's present template in the artifact store.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous_template: Option<Digest>,
        /// The values that the stack's parameters have, as far as they are known and not secret.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        previous_parameters: BTreeMap<String, String>,
        /// Whether it has no changes, and all there is to do is to set what differs on the stack.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        settings_only: bool,
        /// The exports that go, where it could be looked up who imports them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        gone_exports: Vec<GoneExport>,
        /// What the endpoint says of a drift-aware change set, where one was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        drift: Option<SetDrift>,
    },
    /// The stack can be deleted: what its deletion would do.
    DeletionPlanned {
        /// All of it.
        planned: Box<PlannedTarget>,
    },
    /// Leftovers of this execution are about to be removed. Intent.
    CleanupIntended {
        /// Why.
        why: CleanupWhy,
    },
    /// The change set was deleted.
    ChangeSetDeleted,
    /// Leftovers were removed, or left with a reason.
    CleanupDone {
        /// What was left, and why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left: Option<String>,
    },
    /// Every target has its change set or needs none: this is what there is to approve.
    PlanReady {
        /// The digest over everything that execution will do.
        digest: Digest,
    },
    /// An answer is waited for.
    ApprovalRequested {
        /// The plan to look at.
        plan: Digest,
        /// When the request ends.
        expires: Timestamp,
        /// The wave after which the rollout goes on or does not; none where the plan itself is asked about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wave: Option<WaveName>,
    },
    /// The answer that counts.
    Answered {
        /// The answer.
        answer: Answer,
    },
    /// An answer that does not count.
    AnswerRefused {
        /// The answer.
        answer: Answer,
        /// Why not.
        reason: String,
    },
    /// Nobody answered in time.
    ApprovalExpired,
    /// The plan was written to a file, and is run by whoever has that file.
    PlanExported {
        /// The file, as it was named.
        path: String,
        /// The digest of the file's bytes.
        file: Digest,
        /// Who wrote it.
        by: Approver,
    },
    /// The plan came in a file, and is run here.
    PlanImported {
        /// The digest of the file's bytes.
        file: Digest,
        /// Who runs it.
        by: Approver,
        /// How AWS is reached from here; how it was reached where the plan was made says nothing about it.
        invocation: Box<Invocation>,
        /// What the project that runs it makes of risk rules, beside what is made of them in the plan.
        #[serde(default, skip_serializing_if = "RiskChoices::is_empty")]
        risks: RiskChoices,
        /// Whether the plan's digest covers what the stacks had before, which a rollback gives back; that of an earlier version
        /// does not, and an earlier version did not note it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        covers_former: bool,
    },
    /// All of a wave ended well enough, and time is to pass before the next one begins.
    GateStarted {
        /// What is to be passed.
        place: GatePlace,
        /// When it will be, if nothing stops it.
        until: Timestamp,
    },
    /// What a gate is held up by, beside time; nothing if it no longer is.
    GateHeld {
        /// What is to be passed.
        place: GatePlace,
        /// What holds it up, in one line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// What stands between two waves was passed.
    GateOpened {
        /// What was passed.
        place: GatePlace,
        /// What a command wrote last, without what is secret, in one line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<String>,
    },
    /// What stands between two waves will not be passed: no later wave begins.
    GateClosed {
        /// What was not passed.
        place: GatePlace,
        /// Why, in one line.
        reason: String,
    },
    /// The rollout lets the target begin.
    TargetStarted,
    /// A change set is about to be executed, or a stack deleted. Intent: journalled before the call.
    ExecuteIntended {
        /// The derived `ClientRequestToken`; the stack's events carry it.
        token: String,
        /// Whether the stack is deleted.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        deletes: bool,
    },
    /// The service accepted the execution.
    ExecuteAccepted,
    /// The stack's operation ended well, or none was needed; what is set on the stack comes next.
    StackSettled {
        /// The stack's status.
        status: StackStatus,
        /// The stack's outputs.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        outputs: BTreeMap<String, String>,
    },
    /// Something is about to be set on the stack. Intent: journalled before the call.
    SettingIntended {
        /// What.
        setting: StackSetting,
    },
    /// The stack has what was to be set on it.
    SettingApplied {
        /// What.
        setting: StackSetting,
    },
    /// A call failed in a way that is being looked into.
    CallFailed {
        /// How.
        failure: CallFailure,
    },
    /// New events of the stack, oldest first.
    Observed {
        /// The events.
        events: Vec<StackEvent>,
    },
    /// A target ended. At most one per target.
    TargetFinished {
        /// How.
        outcome: TargetOutcome,
        /// The outputs of the stack, where it was executed.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        outputs: BTreeMap<String, String>,
    },
    /// Nothing usable comes from a region for the moment. It is asked again and again for a while, and nobody has to do anything.
    RegionSilent {
        /// Which, and since when.
        silence: Silence,
    },
    /// The region answers again.
    RegionAnswers {
        /// Which.
        region: Region,
    },
    /// The execution waits for somebody outside, and can be resumed.
    Paused {
        /// Why.
        reason: PauseReason,
    },
    /// Somebody asked the execution to stop.
    StopRequested {
        /// The request.
        request: StopRequest,
    },
    /// The execution ended. Always the last event.
    ExecutionFinished {
        /// How.
        outcome: ExecutionOutcome,
    },
}

/// Why leftovers are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CleanupWhy {
    /// The change set says that there is nothing to change.
    NoChanges,
    /// The change set failed.
    Failed,
    /// It will not be executed: rejected, expired, stopped or skipped.
    NotNeeded,
}

/// All that an execution will do; fixed when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionDefinition {
    /// The pipeline.
    pub pipeline: PipelineDeclaration,
    /// How it was started.
    pub invocation: Invocation,
    /// The secrets given by reference, by parameter name.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretRef>,
    /// Whether literal secrets in override files are allowed.
    #[serde(default)]
    pub allow_literal_secrets: bool,
    /// What is no target although it was looked at when the targets were chosen, by account and region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// How an execution was started; enough to connect again on resume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// The version of the program.
    pub version: String,
    /// The folder that paths of the definition are relative to.
    pub root: String,
    /// The named profile, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The endpoint, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,
    /// Whether calls go to an endpoint that was set, wherever that was: it may be no AWS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_endpoint: bool,
    /// The region of the first calls (STS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What is sent along when a role is assumed.
    #[serde(default, skip_serializing_if = "RoleSession::is_plain")]
    pub session: RoleSession,
    /// What was chosen by name.
    #[serde(default, skip_serializing_if = "Chosen::is_nothing")]
    pub chosen: Chosen,
    /// The execution that it goes on from, where there is one. What it does is in the pipeline all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<Follows>,
    /// What that one was done with, and how it is known that it still is; nothing of it is done here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proven: Vec<Proof>,
}

/// The key of an action's configuration under which a list of texts is that a reviewer is told beside the changes.
pub const NOTES: &str = "Notes";

/// The key under which a list of texts is that a reviewer is told, too, of what was found when this plan was made: one that
/// goes on from it finds out anew.
pub const FOUND_AHEAD: &str = "FoundAhead";

/// The key of the configuration of a deletion or a rollback under which the ids of the stacks are that are meant, by target:
/// others that have their names since are left alone.
pub const STACK_IDS: &str = "StackIds";

/// The key of a deletion's configuration under which it is said, by target, as what each stack is to be found: one that
/// somebody worked on since is not deleted.
pub const STACKS_LEFT: &str = "StacksLeft";

/// How an execution left a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackLeft {
    /// The newest event that it knows.
    pub newest_event: Option<String>,
    /// The token of its operation, which may have later events.
    pub token: String,
}

/// The earlier execution that one goes on from, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Follows {
    /// Targets that it did not reach or that failed are run again.
    Retries(ExecutionId),
    /// What it changed is changed back.
    RollsBack(ExecutionId),
}

/// The names under which settings of the project were chosen; what they stand for is in the definition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// The environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The target set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_set: Option<String>,
}

impl Chosen {
    /// Returns whether nothing was chosen.
    pub fn is_nothing(&self) -> bool {
        self.environment.is_none() && self.target_set.is_none()
    }
}

impl ExecutionDefinition {
    /// Returns every target with its roles, once for each action over it, in the order of the pipeline.
    pub fn target_specs(&self) -> impl Iterator<Item = &TargetSpec> {
        let fan_outs = self.pipeline.actions().filter_map(|a| a.fan_out.as_ref());
        fan_outs.flat_map(|fan_out| &fan_out.targets)
    }

    /// Returns what a reviewer is told beside the changes.
    pub fn notes(&self) -> Vec<String> {
        let settings = self.pipeline.actions().map(|a| &a.configuration);
        let texts = settings.flat_map(|s| [s.get(NOTES), s.get(FOUND_AHEAD)]);
        let lists = texts.filter_map(|text| serde_json::from_str::<Vec<String>>(text?).ok());
        let follows = self.rolls_back_on_failure().then(|| TOLD.to_owned());
        lists
            .flatten()
            .chain(follows)
            .map(|note| super::clean(&note))
            .collect()
    }

    /// Returns what was chosen for risk rules.
    pub fn risk_choices(&self) -> Result<RiskChoices, RiskChoicesError> {
        let mut actions = self.pipeline.actions();
        match actions.find(|a| a.action_type_id.category == ActionCategory::Approval) {
            Some(approval) => RiskChoices::from_configuration(&approval.configuration),
            None => Ok(RiskChoices::default()),
        }
    }
}

impl EventKind {
    /// Returns the name under which the journal stores it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ExecutionStarted { .. } => "execution_started",
            Self::Resumed { .. } => "resumed",
            Self::StageStarted => "stage_started",
            Self::StageSucceeded => "stage_succeeded",
            Self::StageFailed { .. } => "stage_failed",
            Self::StageSkipped { .. } => "stage_skipped",
            Self::ActionStarted => "action_started",
            Self::ActionSucceeded => "action_succeeded",
            Self::ActionFailed { .. } => "action_failed",
            Self::SourceStored { .. } => "source_stored",
            Self::StackBusy { .. } => "stack_busy",
            Self::ChangeSetIntended { .. } => "change_set_intended",
            Self::ChangeSetCreated { .. } => "change_set_created",
            Self::ChangeSetReady { .. } => "change_set_ready",
            Self::DeletionPlanned { .. } => "deletion_planned",
            Self::CleanupIntended { .. } => "cleanup_intended",
            Self::ChangeSetDeleted => "change_set_deleted",
            Self::CleanupDone { .. } => "cleanup_done",
            Self::PlanReady { .. } => "plan_ready",
            Self::ApprovalRequested { .. } => "approval_requested",
            Self::Answered { .. } => "answered",
            Self::AnswerRefused { .. } => "answer_refused",
            Self::ApprovalExpired => "approval_expired",
            Self::PlanExported { .. } => "plan_exported",
            Self::PlanImported { .. } => "plan_imported",
            Self::GateStarted { .. } => "gate_started",
            Self::GateHeld { .. } => "gate_held",
            Self::GateOpened { .. } => "gate_opened",
            Self::GateClosed { .. } => "gate_closed",
            Self::TargetStarted => "target_started",
            Self::ExecuteIntended { .. } => "execute_intended",
            Self::ExecuteAccepted => "execute_accepted",
            Self::StackSettled { .. } => "stack_settled",
            Self::SettingIntended { .. } => "setting_intended",
            Self::SettingApplied { .. } => "setting_applied",
            Self::CallFailed { .. } => "call_failed",
            Self::Observed { .. } => "observed",
            Self::TargetFinished { .. } => "target_finished",
            Self::RegionSilent { .. } => "region_silent",
            Self::RegionAnswers { .. } => "region_answers",
            Self::Paused { .. } => "paused",
            Self::StopRequested { .. } => "stop_requested",
            Self::ExecutionFinished { .. } => "execution_finished",
        }
    }

    /// Returns whether it must outlast a power failure of itself: what people decided, and what the
    /// execution begins and ends with. Everything else is found out again, or is synced together with
    /// the intent of the next mutating call.
    pub fn must_last(&self) -> bool {
        matches!(
            self,
            Self::ExecutionStarted { .. }
                | Self::Answered { .. }
                | Self::AnswerRefused { .. }
                | Self::PlanExported { .. }
                | Self::PlanImported { .. }
                | Self::StopRequested { .. }
                | Self::ExecutionFinished { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_stored_tag() {
        for kind in [
            EventKind::StageStarted,
            EventKind::ExecuteAccepted,
            EventKind::ChangeSetDeleted,
        ] {
            let stored = serde_json::to_value(&kind).unwrap();
            assert_eq!(stored["event"], kind.name());
        }
    }
}
