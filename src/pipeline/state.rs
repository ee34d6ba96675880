//! The state of an execution: a fold over its events, by one table that live runs and recovery share.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::validation::Provider;
use crate::approval;
use crate::model::{
    ActionName, ArtifactName, ArtifactRef, Caller, ChangeSetId, ChangeSetKind, ChangeSetName,
    CleanupWhy, Decision, Digest, Event, EventKind, ExecutionDefinition, ExecutionId,
    ExecutionOutcome, PauseReason, PlannedTarget, Scope, StackId, StackSummary, StageName,
    StopMode, Target, TargetInputs, TargetOutcome, TargetSpec,
};
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
    /// The targets.
    pub targets: BTreeMap<Target, TargetState>,
    /// The plan, once there is one.
    pub plan: Option<Digest>,
    /// The approval request, once there is one.
    pub approval: Option<approval::Request>,
    /// The rollout, once it began.
    pub rollout: Option<Rollout>,
    /// Why the execution waits for somebody outside.
    pub paused: Option<PauseReason>,
    /// How it was asked to stop.
    pub stop: Option<StopMode>,
    /// How it ended.
    pub outcome: Option<ExecutionOutcome>,
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
    /// What its change set was asked for with.
    pub intended: Option<Intended>,
    /// Its change set and stack, once accepted.
    pub change_set: Option<(ChangeSetId, StackId)>,
    /// Its change set as described, once ready.
    pub planned: Option<Arc<PlannedTarget>>,
    /// The newest event known of its stack.
    pub newest_event: Option<String>,
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
        let specs = definition
            .pipeline
            .stages
            .iter()
            .flat_map(|s| &s.actions)
            .filter_map(|a| a.fan_out.as_ref())
            .flat_map(|f| &f.targets);
        let targets = specs.map(|spec| (spec.target.clone(), TargetState::new(spec.clone())));
        Ok(Self {
            id: event.execution.clone(),
            seq: 1,
            stages: stages.collect(),
            artifacts: Arc::default(),
            targets: targets.collect(),
            definition: Arc::new((**definition).clone()),
            plan: None,
            approval: None,
            rollout: None,
            paused: None,
            stop: None,
            outcome: None,
        })
    }

    /// Returns the state after all of `events`.
    pub fn replay(events: &[Event]) -> Result<Self, IllegalEvent> {
        let Some((first, rest)) = events.split_first() else {
            return Err(IllegalEvent {
                seq: 0,
                event: "nothing",
                why: "the execution has no events".into(),
            });
        };
        let mut execution = Self::begin(first)?;
        for event in rest {
            execution.apply(event)?;
        }
        Ok(execution)
    }

    /// Returns whether an answer is waited for.
    pub fn awaits_answer(&self) -> bool {
        self.outcome.is_none()
            && self
                .approval
                .as_ref()
                .is_some_and(|request| request.answered.is_none())
            && self.stages.iter().all(|s| s.progress != Progress::Failed)
    }

    /// Returns whether the plan was approved, as a pipeline with an approval requires.
    fn is_approved(&self) -> bool {
        let answer = self.approval.as_ref().and_then(|r| r.answered.as_ref());
        let declared = self.definition.pipeline.stages.iter();
        let asks = declared
            .flat_map(|s| &s.actions)
            .any(|a| Provider::of(a) == Some(Provider::Approval));
        !asks || answer.is_some_and(|a| a.decision == Decision::Approve)
    }

    /// Applies one event.
    pub fn apply(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        if event.seq != self.seq + 1 {
            return Err(illegal(
                event,
                &format!("number {} was expected", self.seq + 1),
            ));
        }
        if self.outcome.is_some() {
            return Err(illegal(event, "the execution has ended"));
        }
        match (&event.scope.target, &event.kind) {
            (Some(target), kind) => self.apply_to_target(event, &target.clone(), kind)?,
            (None, kind) => self.apply_to_execution(event, kind)?,
        }
        self.seq = event.seq;
        Ok(())
    }

    fn apply_to_execution(&mut self, event: &Event, kind: &EventKind) -> Result<(), IllegalEvent> {
        match kind {
            EventKind::Resumed { .. } => {
                self.paused = None;
                self.stop = None;
            }
            EventKind::StageStarted
            | EventKind::StageSucceeded
            | EventKind::StageFailed { .. }
            | EventKind::StageSkipped { .. } => {
                let stage = self.stage(event)?;
                stage.progress = stage.progress.after(event)?;
            }
            EventKind::ActionStarted => {
                let action = self.action(event)?;
                *action = action.after(event)?;
                self.begin_rollout(&event.scope);
            }
            EventKind::ActionSucceeded | EventKind::ActionFailed { .. } => {
                let action = self.action(event)?;
                *action = action.after(event)?;
            }
            EventKind::SourceStored { artifact, .. } => {
                Arc::make_mut(&mut self.artifacts).insert(artifact.name.clone(), artifact.clone());
            }
            EventKind::PlanReady { .. } if self.plan.is_some() => {
                return Err(illegal(event, "there is a plan already"));
            }
            EventKind::PlanReady { digest } => self.plan = Some(*digest),
            EventKind::ApprovalRequested { plan, .. } if self.plan != Some(*plan) => {
                return Err(illegal(event, "it asks about another plan"));
            }
            EventKind::ApprovalRequested { .. } if self.approval.is_some() => {
                return Err(illegal(event, "an answer was asked for before"));
            }
            EventKind::ApprovalRequested { plan, expires } => {
                self.approval = Some(approval::Request {
                    plan: *plan,
                    requested: event.at,
                    expires: *expires,
                    answered: None,
                });
            }
            EventKind::Answered { answer } => match &mut self.approval {
                Some(request) if request.answered.is_none() => {
                    if request.plan != answer.plan {
                        return Err(illegal(event, "the answer is about another plan"));
                    }
                    request.answered = Some(answer.clone());
                }
                Some(_) => return Err(illegal(event, "the request was answered before")),
                None => return Err(illegal(event, "nothing was asked")),
            },
            EventKind::ApprovalExpired if self.approval.is_none() => {
                return Err(illegal(event, "nothing was asked"));
            }
            EventKind::AnswerRefused { .. } | EventKind::ApprovalExpired => {}
            EventKind::Paused { reason } => self.paused = Some(reason.clone()),
            EventKind::StopRequested { request } => {
                // A request to leave at once outranks one to finish what runs, whichever came first.
                if self.stop != Some(StopMode::Abandon) {
                    self.stop = Some(request.mode);
                }
            }
            EventKind::ExecutionFinished { outcome } => self.outcome = Some(*outcome),
            EventKind::ExecutionStarted { .. } => {
                return Err(illegal(event, "the execution has begun before"));
            }
            EventKind::CallFailed { .. }
            | EventKind::ChangeSetIntended { .. }
            | EventKind::ChangeSetCreated { .. }
            | EventKind::ChangeSetReady { .. }
            | EventKind::CleanupIntended { .. }
            | EventKind::ChangeSetDeleted
            | EventKind::CleanupDone { .. }
            | EventKind::TargetStarted
            | EventKind::ExecuteIntended { .. }
            | EventKind::ExecuteAccepted
            | EventKind::Observed { .. }
            | EventKind::TargetFinished { .. } => {
                return Err(illegal(event, "it needs a target"));
            }
        }
        Ok(())
    }

    fn apply_to_target(
        &mut self,
        event: &Event,
        target: &Target,
        kind: &EventKind,
    ) -> Result<(), IllegalEvent> {
        let is_approved = self.is_approved();
        let Some(state) = self.targets.get_mut(target) else {
            return Err(illegal(
                event,
                &format!("{target} is no target of this execution"),
            ));
        };
        match (state.phase, kind) {
            (
                // Again when the first attempt was found not to have been made.
                Phase::Waiting | Phase::Creating,
                EventKind::ChangeSetIntended {
                    kind,
                    name,
                    token,
                    caller,
                    stack,
                    inputs,
                },
            ) => {
                state.phase = Phase::Creating;
                state.intended = Some(Intended {
                    kind: *kind,
                    name: name.clone(),
                    token: token.clone(),
                    caller: caller.clone(),
                    stack: stack.clone(),
                    inputs: Arc::new((**inputs).clone()),
                });
            }
            (Phase::Creating, EventKind::ChangeSetCreated { change_set, stack }) => {
                state.phase = Phase::Created;
                state.change_set = Some((change_set.clone(), stack.clone()));
            }
            (
                Phase::Created,
                EventKind::ChangeSetReady {
                    changes,
                    base,
                    previous_template,
                },
            ) => {
                let (Some(intended), Some((change_set, _))) = (&state.intended, &state.change_set)
                else {
                    return Err(illegal(event, "the change set was never created"));
                };
                state.phase = Phase::Ready;
                state.newest_event = base.newest_event.clone();
                state.planned = Some(Arc::new(PlannedTarget {
                    target: target.clone(),
                    caller: intended.caller.clone(),
                    kind: intended.kind,
                    name: intended.name.clone(),
                    change_set: change_set.clone(),
                    inputs: (*intended.inputs).clone(),
                    changes: changes.clone(),
                    base: base.clone(),
                    previous_template: *previous_template,
                }));
            }
            (Phase::Ready, EventKind::TargetStarted) if !is_approved => {
                return Err(illegal(event, "the plan was not approved"));
            }
            (Phase::Ready, EventKind::TargetStarted) => {
                state.phase = Phase::Started;
                if let Some(rollout) = &mut self.rollout {
                    rollout.begin(target);
                }
            }
            // Again, with the same token, when the first attempt was found not to have been accepted.
            (Phase::Started | Phase::Executing, EventKind::ExecuteIntended { .. }) => {
                state.phase = Phase::Executing;
            }
            (Phase::Executing, EventKind::ExecuteAccepted) => state.phase = Phase::Running,
            (Phase::Running, EventKind::Observed { events }) => {
                if let Some(newest) = events.last() {
                    state.newest_event = Some(newest.id.clone());
                }
            }
            (phase, EventKind::TargetFinished { outcome, .. }) if phase != Phase::Finished => {
                state.phase = Phase::Finished;
                state.outcome = Some(outcome.clone());
                if let Some(rollout) = &mut self.rollout {
                    match outcome {
                        TargetOutcome::Skipped { .. } => rollout.skip(target),
                        _ => rollout.finish(target, outcome.is_failure()),
                    }
                }
            }
            (Phase::Finished, EventKind::CleanupIntended { why })
                if state.cleanup == Cleanup::None && state.change_set.is_some() =>
            {
                state.cleanup = Cleanup::Intended(*why);
            }
            (_, EventKind::ChangeSetDeleted) if matches!(state.cleanup, Cleanup::Intended(_)) => {
                state.cleanup = Cleanup::ChangeSetDeleted;
            }
            (_, EventKind::CleanupDone { .. }) if state.is_being_cleaned() => {
                state.cleanup = Cleanup::Done;
            }
            (Phase::Creating | Phase::Executing, EventKind::CallFailed { .. }) => {}
            (phase, _) => {
                return Err(illegal(event, &format!("{target} is in phase {phase:?}")));
            }
        }
        Ok(())
    }

    /// Begins the rollout with the action that executes; targets that ended before count in it.
    fn begin_rollout(&mut self, scope: &Scope) {
        let definition = self.definition.clone();
        let action = definition
            .pipeline
            .stages
            .iter()
            .filter(|s| Some(&s.name) == scope.stage.as_ref())
            .flat_map(|s| &s.actions)
            .find(|a| Some(&a.name) == scope.action.as_ref());
        let Some((action, fan_out)) = action.and_then(|a| Some((a, a.fan_out.as_ref()?))) else {
            return;
        };
        if action
            .configuration
            .get("ActionMode")
            .is_none_or(|m| m != "CHANGE_SET_EXECUTE")
        {
            return;
        }
        let targets: Vec<Target> = fan_out.targets.iter().map(|s| s.target.clone()).collect();
        let mut rollout = Rollout::new(&targets, &fan_out.preferences);
        for target in &targets {
            if let Some(outcome) = self.targets.get(target).and_then(|t| t.outcome.as_ref()) {
                rollout.begin(target);
                rollout.finish(target, outcome.is_failure());
            }
        }
        self.rollout = Some(rollout);
    }

    fn stage(&mut self, event: &Event) -> Result<&mut StageState, IllegalEvent> {
        self.stages
            .iter_mut()
            .find(|s| Some(&s.name) == event.scope.stage.as_ref())
            .ok_or_else(|| illegal(event, "the pipeline has no such stage"))
    }

    fn action(&mut self, event: &Event) -> Result<&mut Progress, IllegalEvent> {
        self.stage(event)?
            .actions
            .iter_mut()
            .find(|(name, _)| Some(name) == event.scope.action.as_ref())
            .map(|(_, progress)| progress)
            .ok_or_else(|| illegal(event, "the stage has no such action"))
    }
}

impl Progress {
    /// Returns what `event` makes of the progress of the stage or action that it is about.
    fn after(self, event: &Event) -> Result<Self, IllegalEvent> {
        match (self, &event.kind) {
            (Self::NotStarted, EventKind::StageStarted | EventKind::ActionStarted) => {
                Ok(Self::InProgress)
            }
            (Self::NotStarted, EventKind::StageSkipped { .. }) => Ok(Self::Skipped),
            (Self::InProgress, EventKind::StageSucceeded | EventKind::ActionSucceeded) => {
                Ok(Self::Succeeded)
            }
            (Self::InProgress, EventKind::StageFailed { .. } | EventKind::ActionFailed { .. }) => {
                Ok(Self::Failed)
            }
            (progress, _) => Err(illegal(event, &format!("it is {progress:?}"))),
        }
    }
}

impl TargetState {
    fn new(spec: TargetSpec) -> Self {
        Self {
            spec,
            phase: Phase::Waiting,
            intended: None,
            change_set: None,
            planned: None,
            newest_event: None,
            cleanup: Cleanup::None,
            outcome: None,
        }
    }

    /// Returns whether leftovers are still to be removed.
    pub fn is_being_cleaned(&self) -> bool {
        matches!(
            self.cleanup,
            Cleanup::Intended(_) | Cleanup::ChangeSetDeleted
        )
    }
}

fn illegal(event: &Event, why: &str) -> IllegalEvent {
    IllegalEvent {
        seq: event.seq,
        event: event.kind.name(),
        why: why.to_owned(),
    }
}
