//! The state of an execution: a fold over its events, by one table that live runs and recovery share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::validation::Provider;
use crate::approval;
use crate::model::{
    ActionName, ArtifactName, ArtifactRef, Caller, ChangeSetId, ChangeSetKind, ChangeSetName,
    CleanupWhy, Decision, Digest, Event, EventKind, ExecutionDefinition, ExecutionId,
    ExecutionOutcome, PauseReason, PlannedTarget, Scope, StackId, StackSetting, StackStatus,
    StackSummary, StageName, StopMode, Target, TargetInputs, TargetOutcome, TargetSpec,
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
        let targets = self.targets.values();
        let planned: Vec<PlannedTarget> = targets
            .clone()
            .filter_map(|t| t.planned.as_deref().cloned())
            .collect();
        if planned.is_empty() {
            return None;
        }
        let ended = |failure: bool| -> Vec<Target> {
            targets
                .clone()
                .filter(|t| {
                    t.outcome
                        .as_ref()
                        .is_some_and(|o| o.is_failure() == failure)
                })
                .map(|t| t.spec.target.clone())
                .collect()
        };
        Some(plan::digest(&PlanInput {
            definition: &self.definition,
            planned: &planned,
            unchanged: &ended(false),
            failed: &ended(true),
        }))
    }

    /// Returns whether the execution deletes stacks.
    pub fn deletes(&self) -> bool {
        let declared = self.definition.pipeline.stages.iter();
        declared
            .flat_map(|s| &s.actions)
            .any(|a| Provider::of(a) == Some(Provider::DeleteStack))
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
                // Whether the stack is still worked on is found out anew.
                for target in self.targets.values_mut() {
                    target.busy = None;
                }
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
            EventKind::PlanExported { .. } | EventKind::PlanImported { .. } => {
                if !self.awaits_answer() {
                    return Err(illegal(event, "no answer is waited for"));
                }
            }
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
            | EventKind::StackBusy { .. }
            | EventKind::ChangeSetIntended { .. }
            | EventKind::ChangeSetCreated { .. }
            | EventKind::ChangeSetReady { .. }
            | EventKind::DeletionPlanned { .. }
            | EventKind::CleanupIntended { .. }
            | EventKind::ChangeSetDeleted
            | EventKind::CleanupDone { .. }
            | EventKind::TargetStarted
            | EventKind::ExecuteIntended { .. }
            | EventKind::ExecuteAccepted
            | EventKind::StackSettled { .. }
            | EventKind::SettingIntended { .. }
            | EventKind::SettingApplied { .. }
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
                    settings_only,
                },
            ) => {
                let (Some(intended), Some((change_set, _))) = (&state.intended, &state.change_set)
                else {
                    return Err(illegal(event, "the change set was never created"));
                };
                state.phase = Phase::Ready;
                state.newest_event = base.newest_event.clone();
                state.planned = Some(Arc::new(PlannedTarget {
                    retain: Vec::new(),
                    target: target.clone(),
                    caller: intended.caller.clone(),
                    kind: intended.kind,
                    name: intended.name.clone(),
                    change_set: Some(change_set.clone()),
                    inputs: (*intended.inputs).clone(),
                    changes: changes.clone(),
                    base: base.clone(),
                    previous_template: *previous_template,
                    settings_only: *settings_only,
                }));
            }
            (Phase::Waiting, EventKind::StackBusy { status }) => state.busy = Some(*status),
            (Phase::Waiting, EventKind::DeletionPlanned { planned }) => {
                if planned.target != *target || planned.kind != ChangeSetKind::Delete {
                    return Err(illegal(event, "it plans something else"));
                }
                state.phase = Phase::Ready;
                state.newest_event = planned.base.newest_event.clone();
                state.planned = Some(Arc::new((**planned).clone()));
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
            (Phase::Started | Phase::Executing, EventKind::ExecuteIntended { .. })
                if !state.is_settings_only() =>
            {
                state.phase = Phase::Executing;
            }
            (Phase::Executing, EventKind::ExecuteAccepted) => state.phase = Phase::Running,
            (Phase::Started | Phase::Running, EventKind::StackSettled { status, outputs })
                if state.phase == Phase::Running || state.is_settings_only() =>
            {
                state.phase = Phase::Settled;
                state.settled = Some((*status, outputs.clone()));
            }
            (Phase::Settled, EventKind::SettingIntended { setting }) => {
                state.setting = Some(*setting);
            }
            (Phase::Settled, EventKind::SettingApplied { setting })
                if state.setting == Some(*setting) =>
            {
                state.setting = None;
                state.applied.insert(*setting);
            }
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
        if !Provider::of(action).is_some_and(Provider::executes) {
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

fn illegal(event: &Event, why: &str) -> IllegalEvent {
    IllegalEvent {
        seq: event.seq,
        event: event.kind.name(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::{
        AccountId, Answer, Approver, Base, CallFailure, Cause, FailureKind, FanOut, Invocation,
        OperationPreferences, Origin, Region, StackName, StackStatus,
    };
    use crate::pipeline::{APPROVAL_STAGE, CREATE_STAGE, Deployment, EXECUTE_STAGE, SOURCE_STAGE};

    fn target() -> Target {
        Target {
            account: AccountId::new("111111111111").unwrap(),
            region: Region::new("eu-west-1").unwrap(),
            stack: StackName::new("network").unwrap(),
        }
    }

    fn scope(stage: Option<&str>, action: Option<&str>) -> Scope {
        Scope {
            stage: stage.map(|s| StageName::new(s).unwrap()),
            action: action.map(|a| ActionName::new(a).unwrap()),
            target: None,
        }
    }

    fn of_target() -> Scope {
        Scope {
            target: Some(target()),
            ..Scope::default()
        }
    }

    fn begun() -> Execution {
        let deployment = Deployment {
            stack: StackName::new("network").unwrap(),
            template: "network.yaml".to_owned(),
            files: Vec::new(),
            configuration: None,
            parameter_overrides: None,
            tags: BTreeMap::new(),
            capabilities: Vec::new(),
            role_arn: None,
            artifact_bucket: None,
            stack_policy: None,
            options: crate::model::StackOptions::default(),
            template_buckets: None,
            wait: None,
            fan_out: FanOut {
                targets: vec![TargetSpec {
                    target: target(),
                    role_arn: None,
                    execute_role_arn: None,
                }],
                preferences: OperationPreferences::default(),
            },
            approval_minutes: 60,
        };
        Execution::begin(&Event {
            seq: 1,
            execution: ExecutionId::new("01938f5e-0000-7000-8000-000000000001").unwrap(),
            at: jiff::Timestamp::UNIX_EPOCH,
            scope: Scope::default(),
            kind: EventKind::ExecutionStarted {
                definition: Box::new(ExecutionDefinition {
                    pipeline: deployment.pipeline(),
                    invocation: Invocation::default(),
                    secrets: BTreeMap::new(),
                    allow_literal_secrets: false,
                }),
            },
        })
        .unwrap()
    }

    fn say(state: &mut Execution, scope: Scope, kind: EventKind) -> Result<(), IllegalEvent> {
        let event = Event {
            seq: state.seq + 1,
            execution: state.id.clone(),
            at: jiff::Timestamp::UNIX_EPOCH,
            scope,
            kind,
        };
        state.apply(&event)
    }

    fn plan() -> Digest {
        Digest::of(b"plan")
    }

    fn answered(decision: Decision, plan: Digest) -> EventKind {
        EventKind::Answered {
            answer: Answer {
                decision,
                plan,
                approver: Approver {
                    arn: None,
                    os_user: "ana".to_owned(),
                    host: "laptop".to_owned(),
                },
                origin: Origin::Command,
                at: jiff::Timestamp::UNIX_EPOCH,
                summary: String::new(),
            },
        }
    }

    fn requested(plan: Digest) -> EventKind {
        let expires = jiff::Timestamp::MAX;
        EventKind::ApprovalRequested { plan, expires }
    }

    /// Every kind of event about a target, in the order of its life.
    fn life() -> Vec<EventKind> {
        let stack = StackId::new("arn:stack").unwrap();
        vec![
            EventKind::ChangeSetIntended {
                kind: ChangeSetKind::Create,
                name: ChangeSetName::new("change").unwrap(),
                token: "create".to_owned(),
                caller: Caller {
                    account: target().account,
                    arn: "arn:ana".to_owned(),
                },
                stack: None,
                inputs: Box::new(TargetInputs {
                    template: "Source::network.yaml".parse().unwrap(),
                    template_digest: Digest::of(b"template"),
                    parameters: Vec::new(),
                    tags: BTreeMap::new(),
                    capabilities: BTreeSet::new(),
                    role_arn: None,
                    stack_policy: None,
                    options: crate::model::StackOptions::default(),
                }),
            },
            EventKind::ChangeSetCreated {
                change_set: ChangeSetId::new("arn:change-set").unwrap(),
                stack: stack.clone(),
            },
            EventKind::ChangeSetReady {
                changes: Vec::new(),
                base: Base {
                    stack,
                    status: StackStatus::ReviewInProgress,
                    newest_event: None,
                },
                previous_template: None,
                settings_only: false,
            },
            EventKind::TargetStarted,
            EventKind::ExecuteIntended {
                deletes: false,
                token: "execute".to_owned(),
            },
            EventKind::CallFailed {
                failure: CallFailure::new(FailureKind::Ambiguous, "lost"),
            },
            EventKind::ExecuteAccepted,
            EventKind::Observed { events: Vec::new() },
            EventKind::TargetFinished {
                outcome: TargetOutcome::NotPlanned {
                    cause: Cause::of("refused"),
                },
                outputs: BTreeMap::new(),
            },
            EventKind::CleanupIntended {
                why: CleanupWhy::NotNeeded,
            },
            EventKind::ChangeSetDeleted,
            EventKind::CleanupDone { left: None },
        ]
    }

    /// An execution whose plan is approved, with a target that has lived through `names`.
    fn lived(names: &[&str]) -> Execution {
        let mut state = begun();
        let approval = scope(Some(APPROVAL_STAGE), Some("Review"));
        say(
            &mut state,
            approval.clone(),
            EventKind::PlanReady { digest: plan() },
        )
        .unwrap();
        say(&mut state, approval.clone(), requested(plan())).unwrap();
        say(&mut state, approval, answered(Decision::Approve, plan())).unwrap();
        for name in names {
            let kind = life().into_iter().find(|k| k.name() == *name).unwrap();
            say(&mut state, of_target(), kind).unwrap();
        }
        state
    }

    #[test]
    fn a_target_takes_what_its_phase_allows_and_refuses_the_rest() {
        let intended = ["change_set_intended"];
        let created = [intended[0], "change_set_created"];
        let ready = [created[0], created[1], "change_set_ready"];
        let started = [&ready[..], &["target_started"]].concat();
        let executing = [&started[..], &["execute_intended"]].concat();
        let running = [&executing[..], &["execute_accepted"]].concat();
        let ended = [&ready[..], &["target_finished"]].concat();
        let cleaning = [&ended[..], &["cleanup_intended"]].concat();
        let deleted = [&cleaning[..], &["change_set_deleted"]].concat();
        let cleaned = [&deleted[..], &["cleanup_done"]].concat();
        let table: [(&[&str], &[&str]); 12] = [
            (&[], &["change_set_intended", "target_finished"]),
            (
                &intended,
                &[
                    "change_set_intended",
                    "change_set_created",
                    "call_failed",
                    "target_finished",
                ],
            ),
            (&created, &["change_set_ready", "target_finished"]),
            (&ready, &["target_started", "target_finished"]),
            (&started, &["execute_intended", "target_finished"]),
            (
                &executing,
                &[
                    "execute_intended",
                    "call_failed",
                    "execute_accepted",
                    "target_finished",
                ],
            ),
            (&running, &["observed", "target_finished"]),
            (&["target_finished"], &[]),
            (&ended, &["cleanup_intended"]),
            (&cleaning, &["change_set_deleted", "cleanup_done"]),
            (&deleted, &["cleanup_done"]),
            (&cleaned, &[]),
        ];
        for (past, allowed) in table {
            let state = lived(past);
            for kind in life() {
                let name = kind.name();
                let result = say(&mut state.clone(), of_target(), kind);
                assert_eq!(
                    result.is_ok(),
                    allowed.contains(&name),
                    "{name} after {past:?}"
                );
                if let Err(error) = result {
                    assert_eq!((error.event, error.seq), (name, state.seq + 1));
                }
            }
        }
    }

    #[test]
    fn an_event_about_a_target_needs_one_of_the_execution() {
        for kind in life() {
            let refused = say(&mut begun(), Scope::default(), kind.clone()).unwrap_err();
            assert_eq!(refused.why, "it needs a target");
            let mut stranger = of_target();
            stranger.target.as_mut().unwrap().account = AccountId::new("222222222222").unwrap();
            assert!(say(&mut begun(), stranger, kind).is_err());
        }
    }

    #[test]
    fn nothing_starts_before_the_plan_is_approved() {
        let approval = || scope(Some(APPROVAL_STAGE), Some("Review"));
        let start = |state: &Execution| {
            let mut state = state.clone();
            for kind in life().into_iter().take(3) {
                say(&mut state, of_target(), kind).unwrap();
            }
            say(&mut state, of_target(), EventKind::TargetStarted)
        };
        let mut state = begun();
        assert!(start(&state).is_err(), "without a plan");
        assert!(say(&mut state, approval(), requested(plan())).is_err());
        say(
            &mut state,
            approval(),
            EventKind::PlanReady { digest: plan() },
        )
        .unwrap();
        let again = EventKind::PlanReady { digest: plan() };
        assert!(say(&mut state, approval(), again).is_err(), "one plan");
        let early = answered(Decision::Approve, plan());
        assert!(say(&mut state, approval(), early).is_err(), "nobody asked");
        let other = Digest::of(b"other");
        assert!(say(&mut state, approval(), requested(other)).is_err());
        say(&mut state, approval(), requested(plan())).unwrap();
        assert!(say(&mut state, approval(), requested(plan())).is_err());
        assert!(start(&state).is_err(), "nobody answered");
        let wrong = answered(Decision::Approve, other);
        assert!(say(&mut state, approval(), wrong).is_err());
        let mut rejected = state.clone();
        say(
            &mut rejected,
            approval(),
            answered(Decision::Reject, plan()),
        )
        .unwrap();
        assert!(start(&rejected).is_err(), "rejected");
        let second = answered(Decision::Approve, plan());
        assert!(
            say(&mut rejected, approval(), second).is_err(),
            "the first counts"
        );
        say(&mut state, approval(), answered(Decision::Approve, plan())).unwrap();
        start(&state).unwrap();
    }

    #[test]
    fn stages_and_actions_begin_once_and_end_once() {
        let reason = || "no".to_owned();
        let failed = EventKind::StageFailed { reason: reason() };
        let skipped = EventKind::StageSkipped { reason: reason() };
        let action_failed = EventKind::ActionFailed { reason: reason() };
        let stage = || scope(Some(SOURCE_STAGE), None);
        let action = || scope(Some(SOURCE_STAGE), Some("Files"));
        let cases = [
            (stage(), EventKind::StageStarted, EventKind::StageSucceeded),
            (stage(), EventKind::StageStarted, failed.clone()),
            (
                action(),
                EventKind::ActionStarted,
                EventKind::ActionSucceeded,
            ),
            (action(), EventKind::ActionStarted, action_failed),
        ];
        for (scope, start, end) in cases {
            let mut state = begun();
            assert!(say(&mut state, scope.clone(), end.clone()).is_err());
            say(&mut state, scope.clone(), start.clone()).unwrap();
            assert!(say(&mut state, scope.clone(), start.clone()).is_err());
            say(&mut state, scope.clone(), end.clone()).unwrap();
            assert!(say(&mut state, scope.clone(), end).is_err());
            assert!(say(&mut state, scope, start).is_err());
        }
        let mut state = begun();
        say(&mut state, scope(Some(EXECUTE_STAGE), None), skipped).unwrap();
        let late = scope(Some(EXECUTE_STAGE), None);
        assert!(say(&mut state, late, EventKind::StageStarted).is_err());
        let nowhere = scope(Some("Elsewhere"), None);
        assert!(say(&mut state, nowhere, EventKind::StageStarted).is_err());
        let nothing = scope(Some(CREATE_STAGE), Some("Nothing"));
        assert!(say(&mut state, nothing, EventKind::ActionStarted).is_err());
    }

    #[test]
    fn numbers_have_no_gaps_and_nothing_follows_the_end() {
        let mut state = begun();
        let mut event = Event {
            seq: 3,
            execution: state.id.clone(),
            at: jiff::Timestamp::UNIX_EPOCH,
            scope: Scope::default(),
            kind: EventKind::ExecutionFinished {
                outcome: ExecutionOutcome::Failed,
            },
        };
        assert!(state.apply(&event).is_err());
        event.seq = 2;
        state.apply(&event).unwrap();
        event.seq = 3;
        assert_eq!(
            state.apply(&event).unwrap_err().why,
            "the execution has ended"
        );
    }
}
