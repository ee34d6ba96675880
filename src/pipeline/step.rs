//! What the machine asks to be done, and what it is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    ActionDeclaration, AlarmCheck, AlarmFound, ArtifactName, ArtifactRef, CallFailure, ChangeSetId,
    ChangeSetKind, ChangeSetName, Collection, Ending, ExecutionId, GateCommand, GatePlace,
    InboxMessage, PlannedTarget, Preparation, Reading, Region, Removal, Scope, Settlement, Silence,
    SourceRevision, StackEvent, StackId, StackSetting, StackStatus, Staleness, StopRequest, Target,
    TargetInputs, TargetOutcome, TargetSpec,
};

use super::targets::TargetIndex;

/// One thing to do outside. At most one mutating call each; its intent is journalled before it starts.
#[derive(Debug, Clone)]
pub struct Step {
    /// The stage, action and target it belongs to.
    pub scope: Scope,
    /// What to do.
    pub kind: StepKind,
}

/// What to do.
#[derive(Debug, Clone)]
pub enum StepKind {
    /// Store the source artifact of an action.
    SnapshotSource {
        /// The action.
        action: Arc<ActionDeclaration>,
    },
    /// Look at the alarms that a gate is about. Observation only.
    ReadAlarms {
        /// The gate.
        place: GatePlace,
        /// The alarms.
        check: AlarmCheck,
        /// The targets to look in, and their roles.
        specs: Vec<TargetSpec>,
        /// How long to wait before.
        after: Duration,
    },
    /// Run the command of a gate. It may change what it likes, and is run again after a crash.
    RunCommand {
        /// The gate.
        place: GatePlace,
        /// The command.
        command: GateCommand,
        /// The execution.
        execution: ExecutionId,
        /// How the targets of the wave ended.
        targets: Vec<(Target, TargetOutcome)>,
    },
    /// Do something about one target.
    Target {
        /// Which of the execution's.
        index: TargetIndex,
        /// The target and its role.
        spec: TargetSpec,
        /// What to do.
        work: TargetWork,
    },
}

/// What to do about one target.
#[derive(Debug, Clone)]
pub enum TargetWork {
    /// Look at the stack, once nobody else works on it if the action says so, and work out what goes into its
    /// change set. Observation only.
    Prepare {
        /// The action.
        action: Arc<ActionDeclaration>,
        /// The artifacts made so far.
        artifacts: Arc<BTreeMap<ArtifactName, ArtifactRef>>,
    },
    /// Look at a stack that is to be deleted, once nobody else works on it if the action says so. Observation
    /// only.
    Collect {
        /// The action.
        action: Arc<ActionDeclaration>,
    },
    /// Create the change set. Mutating.
    CreateChangeSet {
        /// Whether it makes or changes the stack.
        kind: ChangeSetKind,
        /// The derived name.
        name: ChangeSetName,
        /// The derived token.
        token: String,
        /// What it is made from.
        inputs: Arc<TargetInputs>,
        /// The artifacts made so far.
        artifacts: Arc<BTreeMap<ArtifactName, ArtifactRef>>,
        /// The buckets for large templates, as the action names them.
        buckets: Option<String>,
        /// Look for the change set by name before creating it: an earlier attempt may have made it.
        look_first: bool,
    },
    /// Look whether an earlier attempt created the change set. Observation only.
    FindChangeSet {
        /// The derived name.
        name: ChangeSetName,
    },
    /// Wait until the change set is ready or failed, and read it. Observation only.
    ReadChangeSet {
        /// The change set.
        change_set: ChangeSetId,
        /// Whether the stack is live, so that its events and template can be read.
        kind: ChangeSetKind,
        /// The stack.
        stack: StackId,
        /// What the change set was made from.
        inputs: Arc<TargetInputs>,
        /// The artifacts made so far.
        artifacts: Arc<BTreeMap<ArtifactName, ArtifactRef>>,
        /// The buckets for large templates, as the action names them.
        buckets: Option<String>,
        /// The newest event that the stack had when a rollback looked at it.
        seen: Option<String>,
    },
    /// Delete the change set. Mutating.
    DeleteChangeSet {
        /// The change set.
        change_set: ChangeSetId,
        /// Its stack.
        stack: StackId,
        /// Look first: an earlier attempt may have deleted it.
        look_first: bool,
    },
    /// Delete the empty stack that the change set made, if it is provably ours. Mutating.
    DeleteReviewStack {
        /// The stack.
        stack: StackId,
        /// The change set that made it.
        change_set: ChangeSetId,
    },
    /// Describe the change set and the stack again and compare with the approved. Observation only.
    Verify {
        /// What was approved.
        approved: Arc<PlannedTarget>,
        /// The artifacts made so far.
        artifacts: Arc<BTreeMap<ArtifactName, ArtifactRef>>,
    },
    /// Execute the change set, or delete the stack. Mutating.
    Execute {
        /// What was approved.
        approved: Arc<PlannedTarget>,
        /// The derived token.
        token: String,
    },
    /// Find out whether an execution whose answer is not known was accepted. Observation only.
    Settle {
        /// What was approved.
        approved: Arc<PlannedTarget>,
        /// The token that the stack's events would carry.
        token: String,
    },
    /// Follow the stack until its operation ends. Observation only.
    Watch {
        /// What was approved.
        approved: Arc<PlannedTarget>,
        /// The token of the operation.
        token: String,
        /// The artifacts made so far.
        artifacts: Arc<BTreeMap<ArtifactName, ArtifactRef>>,
    },
    /// Set something on the stack, unless it has it already. Mutating, and safe to repeat.
    ApplySetting {
        /// What was approved.
        approved: Arc<PlannedTarget>,
        /// What to set.
        setting: StackSetting,
    },
}

impl StepKind {
    /// Returns whether it makes a mutating call, whose intent must be on disk before.
    pub fn is_mutating(&self) -> bool {
        match self {
            Self::SnapshotSource { .. } | Self::ReadAlarms { .. } => false,
            Self::RunCommand { .. } => true,
            Self::Target { work, .. } => work.is_mutating(),
        }
    }
}

impl TargetWork {
    fn is_mutating(&self) -> bool {
        match self {
            Self::CreateChangeSet { .. }
            | Self::DeleteChangeSet { .. }
            | Self::DeleteReviewStack { .. }
            | Self::Execute { .. }
            | Self::ApplySetting { .. } => true,
            Self::Prepare { .. }
            | Self::Collect { .. }
            | Self::FindChangeSet { .. }
            | Self::ReadChangeSet { .. }
            | Self::Verify { .. }
            | Self::Settle { .. }
            | Self::Watch { .. } => false,
        }
    }
}

/// What the machine is told.
#[derive(Debug)]
pub enum Input {
    /// A source was stored, or could not be.
    SourceStored {
        /// The action.
        scope: Scope,
        /// The result.
        result: Result<(ArtifactRef, SourceRevision), CallFailure>,
    },
    /// Something about one target.
    Target {
        /// Which of the execution's.
        index: TargetIndex,
        /// What.
        news: TargetNews,
    },
    /// The alarms of a gate were looked at.
    AlarmsRead {
        /// The gate.
        place: GatePlace,
        /// Those that are not OK.
        result: Result<Vec<AlarmFound>, CallFailure>,
    },
    /// The command of a gate cannot begin yet, for this reason; or it begins now.
    CommandWaits {
        /// The gate.
        place: GatePlace,
        /// What it waits for.
        reason: Option<String>,
    },
    /// The command of a gate ended, or could not be run.
    CommandEnded {
        /// The gate.
        place: GatePlace,
        /// What it wrote last, or why it does not let the rollout go on.
        result: Result<String, String>,
    },
    /// Nothing usable comes from a region for the moment.
    Silent(Silence),
    /// The region answers again, or nobody asks there any more.
    Answers(Region),
    /// Messages of the inbox.
    Inbox(Vec<InboxMessage>),
    /// A request of the running process itself to stop.
    Stop(StopRequest),
    /// Time passed.
    Tick,
}

/// What the machine is told about one target.
#[derive(Debug)]
pub enum TargetNews {
    /// Somebody else works on a target's stack, and the step waits for it.
    StackBusy(StackStatus),
    /// A target was looked at.
    Prepared(Result<Box<Preparation>, CallFailure>),
    /// A stack that is to be deleted was looked at.
    Collected(Result<Box<Collection>, CallFailure>),
    /// A change set was asked for.
    ChangeSetCreated(Result<(ChangeSetId, StackId), CallFailure>),
    /// A change set was looked for by its name.
    ChangeSetFound(Result<Option<(ChangeSetId, StackId)>, CallFailure>),
    /// A change set came to rest and was read.
    ChangeSetRead(Result<Box<Reading>, CallFailure>),
    /// A change set was to be deleted.
    ChangeSetDeleted(Result<Removal, CallFailure>),
    /// An empty stack was deleted; or left, with the reason.
    ReviewStackDeleted(Result<Option<String>, CallFailure>),
    /// A target was compared with what was approved.
    Verified(Result<Vec<Staleness>, CallFailure>),
    /// An execution was asked for.
    Executed(Result<(), CallFailure>),
    /// An execution without an answer was looked into.
    Settled(Result<Settlement, CallFailure>),
    /// New events of a stack, oldest first.
    Observed(Vec<StackEvent>),
    /// A stack's operation ended.
    Watched(Result<Box<Ending>, CallFailure>),
    /// Something was set on a stack, or was set already.
    SettingApplied {
        /// What.
        setting: StackSetting,
        /// The result.
        result: Result<(), CallFailure>,
    },
}

/// What to do where it cannot be told whether an execution was accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnknownPolicy {
    /// Pause and ask.
    #[default]
    Ask,
    /// Somebody looked: it was accepted.
    Executed,
    /// Somebody looked: it was not, and is not to be tried again.
    NotExecuted,
}

/// What somebody who was asked found out.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Of those that are not named.
    pub others: UnknownPolicy,
    /// Of single targets.
    pub named: BTreeMap<Target, UnknownPolicy>,
}

impl Findings {
    /// Returns what was found out about `target`.
    pub(super) fn about(&self, target: &Target) -> UnknownPolicy {
        self.named.get(target).copied().unwrap_or(self.others)
    }
}

impl From<UnknownPolicy> for Findings {
    fn from(others: UnknownPolicy) -> Self {
        let named = BTreeMap::new();
        Self { others, named }
    }
}
