//! The one table of events: what each makes of the state it arrives in, and which may not.

use std::sync::Arc;

use super::state::{
    Cleanup, Execution, GateState, GateWait, IllegalEvent, Intended, Phase, Progress, StageState,
    illegal,
};
use super::targets::TargetIndex;
use super::validation::Provider;
use crate::approval;
use crate::model::{
    ChangeSetKind, Event, EventKind, Gate, GatePlace, PauseReason, PlannedTarget, Scope, StopMode,
    Target, TargetOutcome, TargetSpec,
};
use crate::rollout::Rollout;

impl Execution {
    /// Applies one event.
    pub fn apply(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        let target = event.scope.target.as_ref();
        self.apply_at(event, target.and_then(|target| self.index_of(target)))
    }

    /// Applies one event, where it is known which of the execution's targets it is about.
    pub(super) fn apply_at(
        &mut self,
        event: &Event,
        index: Option<TargetIndex>,
    ) -> Result<(), IllegalEvent> {
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
            (Some(target), kind) => self.apply_to_target(event, target, index, kind)?,
            (None, kind) => self.apply_to_execution(event, kind)?,
        }
        self.seq = event.seq;
        Ok(())
    }

    fn apply_to_execution(&mut self, event: &Event, kind: &EventKind) -> Result<(), IllegalEvent> {
        match kind {
            EventKind::Resumed { secrets, .. } => {
                self.secrets.extend(secrets.clone());
                self.paused = None;
                self.asked_about.clear();
                self.unreachable.clear();
                self.silent.clear();
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
            EventKind::ApprovalRequested {
                plan,
                expires,
                wave: Some(wave),
            } => {
                let place = self.gate_to_pass(event)?;
                if place.wave != *wave || place.gate != Gate::Approval {
                    return Err(illegal(event, "no answer is to be asked for there"));
                }
                self.gate = Some(GateState {
                    place,
                    wait: GateWait::Answer(Box::new(approval::Request {
                        plan: *plan,
                        wave: Some(wave.clone()),
                        requested: event.at,
                        expires: *expires,
                        answered: None,
                    })),
                });
            }
            EventKind::ApprovalRequested { .. } if self.approval.is_some() => {
                return Err(illegal(event, "an answer was asked for before"));
            }
            EventKind::ApprovalRequested {
                plan,
                expires,
                wave: None,
            } => {
                self.approval = Some(approval::Request {
                    plan: *plan,
                    wave: None,
                    requested: event.at,
                    expires: *expires,
                    answered: None,
                });
            }
            EventKind::Answered { answer } => match self.request_mut() {
                Some(request) if request.answered.is_none() => {
                    if (request.plan, &request.wave) != (answer.plan, &answer.wave) {
                        return Err(illegal(event, "the answer is about something else"));
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
            EventKind::GateStarted { place, until } => {
                if self.gate_to_pass(event)? != *place {
                    return Err(illegal(event, "another gate is to be passed"));
                }
                let wait = match &place.gate {
                    Gate::Bake { .. } => GateWait::Until(*until),
                    Gate::Alarms(_) | Gate::Command(_) => GateWait::Check {
                        since: event.at,
                        until: *until,
                        held: None,
                    },
                    Gate::Approval => {
                        return Err(illegal(event, "an answer is to be asked for there"));
                    }
                };
                self.gate = Some(GateState {
                    place: place.clone(),
                    wait,
                });
            }
            EventKind::GateHeld { place, reason } => match &mut self.gate {
                Some(GateState {
                    place: passed,
                    wait: GateWait::Check { held, .. },
                }) if passed == place => held.clone_from(reason),
                Some(_) | None => return Err(illegal(event, "nothing is looked at there")),
            },
            EventKind::GateOpened { place, .. } | EventKind::GateClosed { place, .. } => {
                if self.gate.as_ref().map(|gate| &gate.place) != Some(place) {
                    return Err(illegal(event, "that gate is not being passed"));
                }
                self.gate = None;
                let rollout = self.rollout.as_mut();
                match (rollout, kind) {
                    (Some(rollout), EventKind::GateClosed { reason, .. }) => {
                        rollout.close(place, reason);
                    }
                    (Some(rollout), _) => rollout.open(place),
                    (None, _) => {}
                }
            }
            EventKind::PlanExported { .. } | EventKind::PlanImported { .. } => {
                if !self.awaits_answer() || self.gate.is_some() {
                    return Err(illegal(event, "no answer is waited for"));
                }
                self.in_file = true;
            }
            EventKind::RegionSilent { silence } => {
                self.silent.insert(silence.region.clone());
            }
            EventKind::RegionAnswers { region } => {
                if !self.silent.remove(region) {
                    return Err(illegal(event, "the region was not silent"));
                }
            }
            EventKind::Paused { reason } => {
                match reason {
                    PauseReason::OutcomeUnknown { target, .. } => {
                        self.asked_about.insert(target.clone());
                    }
                    PauseReason::Unreachable { region, .. } => {
                        self.silent.remove(region);
                        self.unreachable.insert(region.clone());
                    }
                    PauseReason::CredentialsExpired { .. }
                    | PauseReason::SecretNeeded { .. }
                    | PauseReason::GateUnreadable { .. } => {}
                }
                self.paused = Some(reason.clone());
            }
            EventKind::StopRequested { request } => match (request.mode, self.stop) {
                (StopMode::GiveUp, stop) => {
                    self.given_up = true;
                    self.lost.extend(self.unreachable.iter().cloned());
                    self.lost.extend(request.unreachable.iter().cloned());
                    self.unseen.extend(self.asked_about.iter().cloned());
                    // The end comes in place of a stop that can be resumed.
                    self.stop = stop.filter(|mode| *mode != StopMode::Wait);
                }
                // A request to leave at once outranks one to finish what runs, whichever came first.
                (StopMode::Abandon, _) => self.stop = Some(StopMode::Abandon),
                (StopMode::Wait, None) => self.stop = Some(StopMode::Wait),
                (StopMode::Wait, Some(_)) => {}
            },
            EventKind::ExecutionFinished { outcome } => self.outcome = Some(*outcome),
            EventKind::ExecutionStarted { .. } => {
                return Err(illegal(event, "the execution has begun before"));
            }
            EventKind::CallFailed { .. }
            | EventKind::ChangeSetIntended { .. }
            | EventKind::StackBusy { .. }
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
        index: Option<TargetIndex>,
        kind: &EventKind,
    ) -> Result<(), IllegalEvent> {
        let is_approved = !matches!(kind, EventKind::TargetStarted) || self.is_approved();
        let begins = matches!(
            kind,
            EventKind::ChangeSetIntended { .. }
                | EventKind::TargetStarted
                | EventKind::ExecuteIntended { .. }
        );
        if self.given_up && begins {
            return Err(illegal(event, "the execution was given up"));
        }
        let Some(state) = index.and_then(|index| self.state_mut(index)) else {
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
                    previous_parameters,
                    settings_only,
                    gone_exports,
                    drift,
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
                    inputs: intended.inputs.clone(),
                    changes: changes.clone(),
                    base: base.clone(),
                    previous_template: *previous_template,
                    previous_parameters: previous_parameters.clone(),
                    settings_only: *settings_only,
                    gone_exports: gone_exports.clone(),
                    drift: *drift,
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
                if outcome.was_elsewhere() {
                    self.elsewhere = true;
                    self.given_up = true;
                }
                if let Some(rollout) = &mut self.rollout {
                    // One that had begun is left out only where the execution is given up.
                    match (outcome, phase) {
                        (TargetOutcome::Skipped { .. }, Phase::Waiting | Phase::Ready) => {
                            rollout.skip(target);
                        }
                        _ => rollout.finish(target, outcome.is_failure()),
                    }
                }
            }
            (Phase::Finished, EventKind::CleanupIntended { why })
                if state.cleanup == Cleanup::None && state.change_set.is_some() =>
            {
                state.cleanup = Cleanup::Intended(*why);
                self.being_cleaned += 1;
            }
            (_, EventKind::ChangeSetDeleted) if matches!(state.cleanup, Cleanup::Intended(_)) => {
                state.cleanup = Cleanup::ChangeSetDeleted;
            }
            (_, EventKind::CleanupDone { .. }) if state.is_being_cleaned() => {
                state.cleanup = Cleanup::Done;
                self.being_cleaned -= 1;
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
        let mut rollout = Rollout::of(fan_out);
        for TargetSpec { target, .. } in &fan_out.targets {
            if let Some(outcome) = self.targets.get(target).and_then(|t| t.outcome.as_ref()) {
                rollout.begin(target);
                rollout.finish(target, outcome.is_failure());
            }
        }
        self.rollout = Some(rollout);
    }

    /// Returns the gate that is to be passed and that nobody passes yet.
    fn gate_to_pass(&self, event: &Event) -> Result<GatePlace, IllegalEvent> {
        let place = self
            .rollout
            .as_ref()
            .and_then(|rollout| rollout.next().gate);
        place
            .filter(|_| self.gate.is_none())
            .ok_or_else(|| illegal(event, "no gate is to be passed"))
    }

    fn request_mut(&mut self) -> Option<&mut approval::Request> {
        match &mut self.gate {
            Some(GateState {
                wait: GateWait::Answer(request),
                ..
            }) => Some(request),
            Some(GateState {
                wait: GateWait::Until(_) | GateWait::Check { .. },
                ..
            })
            | None => self.approval.as_mut(),
        }
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
