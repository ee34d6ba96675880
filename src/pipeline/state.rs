//! The state of an execution: a fold over its events, by one table that live runs and recovery share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;

use super::validation::Provider;
use crate::approval;
use crate::model::{
    ActionName, ArtifactName, ArtifactRef, Caller, ChangeSetId, ChangeSetKind, ChangeSetName,
    CleanupWhy, Decision, Digest, Event, EventKind, ExecutionDefinition, ExecutionId,
    ExecutionOutcome, GatePlace, PauseReason, PlannedTarget, Region, Scope, SecretRef, SkipReason,
    StackId, StackSetting, StackStatus, StackSummary, StageName, StopMode, Target, TargetInputs,
    TargetOutcome, TargetSpec,
};
use crate::plan::{self, PlanInput};
use crate::rollout::Rollout;

/// The state of an execution.
#[derive(Debug, Clone)]
pub struct Execution {
    /// The execution.
    pub id: ExecutionId,
    /// All that it does.
    pub definition: Arc<ExecutionDefinition>,
    /// The number of the newest event.
    pub seq: u64,
    /// The stages, as in the pipeline.
    pub stages: Vec<StageState>,
    /// The artifacts made so far.
    pub artifacts: Arc<BTreeMap<ArtifactName, ArtifactRef>>,
    /// The targets, in their order. Found by hash: each of a fleet is looked up a hundred times, and what a search through
    /// a tree compares on its way is in no cache.
    pub targets: IndexMap<Target, TargetState>,
    /// How many of them have leftovers that are still to be removed.
    pub(super) being_cleaned: usize,
    /// The plan, once there is one.
    pub plan: Option<Digest>,
    /// The approval request, once there is one.
    pub approval: Option<approval::Request>,
    /// The gate that is being passed.
    pub gate: Option<GateState>,
    /// The rollout, once it began.
    pub rollout: Option<Rollout>,
    /// Where secrets are looked up instead of where the definition says, as whoever resumed it said.
    pub secrets: BTreeMap<String, SecretRef>,
    /// Why the execution waits for somebody outside.
    pub paused: Option<PauseReason>,
    /// The regions in which nothing answers, since it was taken up last.
    pub unreachable: BTreeSet<Region>,
    /// The regions from which nothing usable comes for the moment, and which are asked again and again.
    pub silent: BTreeSet<Region>,
    /// Those in which nothing answered when the execution was given up: nobody waits for them any more.
    pub lost: BTreeSet<Region>,
    /// The targets that somebody was asked about because it cannot be told whether they were executed, or how that ends,
    /// since it was taken up last.
    pub asked_about: BTreeSet<Target>,
    /// Those about which somebody had been asked when the execution was given up: nobody is asked about them again, and
    /// what cannot be found out then stays unknown.
    pub unseen: BTreeSet<Target>,
    /// How it was asked to stop.
    pub stop: Option<StopMode>,
    /// Whether it was given up: what was not executed never is, whoever takes it up.
    pub given_up: bool,
    /// Whether its plan left or came in a file, and may be run elsewhere too.
    pub in_file: bool,
    /// Whether another run of its plan was come across: what is left is for that one to execute or remove.
    pub elsewhere: bool,
    /// How it ended.
    pub outcome: Option<ExecutionOutcome>,
}

/// A gate that is being passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateState {
    /// Where it stands.
    pub place: GatePlace,
    /// How far it is.
    pub wait: GateWait,
}

/// What a gate waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateWait {
    /// A time.
    Until(Timestamp),
    /// An answer.
    Answer(Box<approval::Request>),
    /// What is found out by looking at alarms, or by running a command.
    Check {
        /// Since when.
        since: Timestamp,
        /// How long nothing may go off; or when a command is ended.
        until: Timestamp,
        /// What holds it up, beside time.
        held: Option<String>,
    },
}

/// The state of a stage.
#[derive(Debug, Clone)]
pub struct StageState {
    /// Its name.
    pub name: StageName,
    /// How far it is.
    pub progress: Progress,
    /// Its actions, as declared.
    pub actions: Vec<(ActionName, Progress)>,
}

/// How far a stage or an action is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It has not begun.
    NotStarted,
    /// It is under way.
    InProgress,
    /// It ended well.
    Succeeded,
    /// It failed.
    Failed,
    /// It was not needed.
    Skipped,
}

/// The state of a target.
#[derive(Debug, Clone)]
pub struct TargetState {
    /// The target and its role.
    pub spec: TargetSpec,
    /// How far it is.
    pub phase: Phase,
    /// The status of the stack, while an operation of somebody else on it is waited for.
    pub busy: Option<StackStatus>,
    /// What its change set was asked for with.
    pub intended: Option<Intended>,
    /// Its change set and stack, once accepted.
    pub change_set: Option<(ChangeSetId, StackId)>,
    /// Its change set as described, once ready.
    pub planned: Option<Arc<PlannedTarget>>,
    /// The newest event known of its stack.
    pub newest_event: Option<String>,
    /// How the stack's operation ended, once it ended well.
    pub settled: Option<(StackStatus, BTreeMap<String, String>)>,
    /// What is about to be set on the stack, as far as is known.
    pub setting: Option<StackSetting>,
    /// What was set on the stack.
    pub applied: BTreeSet<StackSetting>,
    /// How far the removal of leftovers is.
    pub cleanup: Cleanup,
    /// How it ended.
    pub outcome: Option<TargetOutcome>,
}

/// What a change set was asked for with.
#[derive(Debug, Clone)]
pub struct Intended {
    /// Whether it makes or changes the stack.
    pub kind: ChangeSetKind,
    /// The derived name.
    pub name: ChangeSetName,
    /// The derived token.
    pub token: String,
    /// Who creates it.
    pub caller: Caller,
    /// The stack as it was.
    pub stack: Option<StackSummary>,
    /// What it is made from.
    pub inputs: Arc<TargetInputs>,
}

/// How far a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was done yet.
    Waiting,
    /// The change set is being created, as far as is known.
    Creating,
    /// The change set was accepted and is being computed.
    Created,
    /// The change set can be executed.
    Ready,
    /// The rollout let the target begin.
    Started,
    /// The execution was asked for, as far as is known.
    Executing,
    /// The execution was accepted.
    Running,
    /// The operation ended well, or none was needed; what is set on the stack is being set.
    Settled,
    /// The target ended.
    Finished,
}

/// How far the removal of leftovers is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// Nothing is to be removed, or not yet.
    None,
    /// Leftovers are to be removed.
    Intended(CleanupWhy),
    /// The change set is gone; its stack may have to go.
    ChangeSetDeleted,
    /// Done.
    Done,
}

/// An event that cannot happen in the state it arrived in: the journal is not of this program's making.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {seq} (`{event}`) cannot follow the events before it: {why}")]
pub struct IllegalEvent {
    /// The event's number.
    pub seq: u64,
    /// Its kind.
    pub event: &'static str,
    /// What is wrong.
    pub why: String,
}

impl Execution {
    /// Returns the state after the first event, which must be `ExecutionStarted`.
    pub fn begin(event: &Event) -> Result<Self, IllegalEvent> {
        let EventKind::ExecutionStarted { definition } = &event.kind else {
            return Err(illegal(event, "the first event must start the execution"));
        };
        if event.seq != 1 {
            return Err(illegal(event, "the first event must have number 1"));
        }
        let stages = definition.pipeline.stages.iter().map(|stage| StageState {
            name: stage.name.clone(),
            progress: Progress::NotStarted,
            actions: stage
                .actions
                .iter()
                .map(|a| (a.name.clone(), Progress::NotStarted))
                .collect(),
        });
        // Read from a file or a journal, each target has texts of its own: what thousands share is kept once, where the
        // caches have it.
        let (mut regions, mut stacks) = (BTreeSet::new(), BTreeSet::new());
        let targets = definition.target_specs().map(|spec| {
            let mut spec = spec.clone();
            spec.target.region = shared(&mut regions, spec.target.region);
            spec.target.stack = shared(&mut stacks, spec.target.stack);
            (spec.target.clone(), TargetState::new(spec))
        });
        let mut targets: IndexMap<Target, TargetState> = targets.collect();
        targets.sort_unstable_keys();
        Ok(Self {
            id: event.execution.clone(),
            seq: 1,
            stages: stages.collect(),
            artifacts: Arc::default(),
            targets,
            definition: definition.clone(),
            being_cleaned: 0,
            plan: None,
            approval: None,
            gate: None,
            rollout: None,
            secrets: BTreeMap::new(),
            paused: None,
            unreachable: BTreeSet::new(),
            silent: BTreeSet::new(),
            lost: BTreeSet::new(),
            asked_about: BTreeSet::new(),
            unseen: BTreeSet::new(),
            stop: None,
            given_up: false,
            in_file: false,
            elsewhere: false,
            outcome: None,
        })
    }

    /// Returns the state after all of `events`.
    pub fn replay(events: &[Event]) -> Result<Self, IllegalEvent> {
        let Some((first, rest)) = events.split_first() else {
            return Err(nothing());
        };
        let mut execution = Self::begin(first)?;
        for event in rest {
            execution.apply(event)?;
        }
        Ok(execution)
    }

    /// Returns the state after all of `events`, which are read one at a time.
    pub fn read<F, E>(events: impl IntoIterator<Item = Result<Event, F>>) -> Result<Self, E>
    where
        E: From<F> + From<IllegalEvent>,
    {
        let mut events = events.into_iter();
        let mut execution = match events.next().transpose()? {
            Some(first) => Self::begin(&first)?,
            None => return Err(nothing().into()),
        };
        for event in events {
            execution.apply(&event?)?;
        }
        Ok(execution)
    }

    /// Returns the request that was made last, whether about the plan or about what follows a wave.
    pub fn request(&self) -> Option<&approval::Request> {
        match &self.gate {
            Some(GateState {
                wait: GateWait::Answer(request),
                ..
            }) => Some(request),
            Some(GateState {
                wait: GateWait::Until(_) | GateWait::Check { .. },
                ..
            })
            | None => self.approval.as_ref(),
        }
    }

    /// Returns whether an answer is waited for.
    pub fn awaits_answer(&self) -> bool {
        self.outcome.is_none()
            && !self.given_up
            && self
                .request()
                .is_some_and(|request| request.answered.is_none())
            && self.stages.iter().all(|s| s.progress != Progress::Failed)
    }

    /// Returns the event of this execution that follows; an error if it may not.
    pub fn follow(&self, at: Timestamp, kind: EventKind) -> Result<Event, IllegalEvent> {
        let event = Event {
            seq: self.seq + 1,
            execution: self.id.clone(),
            at,
            scope: Scope::default(),
            kind,
        };
        self.clone().apply(&event)?;
        Ok(event)
    }

    /// Returns the digest over all that execution will do, or `None` if there is nothing to execute.
    ///
    /// It is computed from what the events say, and not taken from one of them.
    pub fn plan_digest(&self) -> Option<Digest> {
        Some(plan::digest(&self.plan_input()?))
    }

    /// Returns the version of the record over which `said` is the digest of that; none where it is the digest of something else.
    pub fn plan_version(&self, said: Digest) -> Option<plan::RecordVersion> {
        plan::version_of(&self.plan_input()?, said)
    }

    /// Returns all that execution will do, or `None` if there is nothing to execute.
    pub fn plan_input(&self) -> Option<PlanInput<'_>> {
        let targets = self.targets.values();
        let planned: Vec<_> = targets
            .clone()
            .filter_map(|t| t.planned.as_deref())
            .collect();
        if planned.is_empty() {
            return None;
        }
        let not_enabled = TargetOutcome::Skipped {
            reason: SkipReason::RegionNotEnabled,
        };
        let ended = |is: &dyn Fn(&TargetOutcome) -> bool| -> Vec<&Target> {
            let ended = targets
                .clone()
                .filter(|t| t.outcome.as_ref().is_some_and(is));
            ended.map(|t| &t.spec.target).collect()
        };
        let former_tags = targets.clone().filter_map(|t| {
            t.planned.as_ref()?;
            let stack = t.intended.as_ref()?.stack.as_ref()?;
            Some((&t.spec.target, stack.tags.as_ref()?))
        });
        Some(PlanInput {
            former_tags: former_tags.collect(),
            definition: &self.definition,
            planned,
            unchanged: ended(&|o| !o.is_failure() && *o != not_enabled),
            failed: ended(&TargetOutcome::is_failure),
            not_enabled: ended(&|o| *o == not_enabled),
        })
    }

    /// Returns whether the execution deletes stacks.
    pub fn deletes(&self) -> bool {
        self.definition
            .pipeline
            .actions()
            .any(|a| Provider::of(a) == Some(Provider::DeleteStack))
    }

    /// Returns whether the plan was approved, as a pipeline with an approval requires.
    pub(super) fn is_approved(&self) -> bool {
        let answer = self.approval.as_ref().and_then(|r| r.answered.as_ref());
        let mut declared = self.definition.pipeline.actions();
        let asks = declared.any(|a| Provider::of(a) == Some(Provider::Approval));
        !asks || answer.is_some_and(|a| a.decision == Decision::Approve)
    }
}

impl TargetState {
    fn new(spec: TargetSpec) -> Self {
        Self {
            spec,
            phase: Phase::Waiting,
            busy: None,
            intended: None,
            change_set: None,
            planned: None,
            newest_event: None,
            settled: None,
            setting: None,
            applied: BTreeSet::new(),
            cleanup: Cleanup::None,
            outcome: None,
        }
    }

    /// Returns what is still to be set on the stack.
    pub fn unapplied(&self) -> Option<StackSetting> {
        let settings = self.planned.as_ref()?.inputs.settings();
        let mut settings = settings.into_iter();
        settings.find(|setting| !self.applied.contains(setting))
    }

    /// Returns whether there is nothing to execute, only something to set on the stack.
    pub fn is_settings_only(&self) -> bool {
        self.planned.as_ref().is_some_and(|p| p.settings_only)
    }

    /// Returns whether leftovers are still to be removed.
    pub fn is_being_cleaned(&self) -> bool {
        matches!(
            self.cleanup,
            Cleanup::Intended(_) | Cleanup::ChangeSetDeleted
        )
    }
}

/// Returns the one of `known` that equals `id`, of which `id` is one from now on.
fn shared<T: Clone + Ord>(known: &mut BTreeSet<T>, id: T) -> T {
    if let Some(known) = known.get(&id) {
        return known.clone();
    }
    known.insert(id.clone());
    id
}

fn nothing() -> IllegalEvent {
    IllegalEvent {
        seq: 0,
        event: "nothing",
        why: "the execution has no events".into(),
    }
}

pub(super) fn illegal(event: &Event, why: &str) -> IllegalEvent {
    IllegalEvent {
        seq: event.seq,
        event: event.kind.name(),
        why: why.to_owned(),
    }
}
