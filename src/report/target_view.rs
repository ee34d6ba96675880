//! What the events of an execution tell about one target.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{
    Base, CallFailure, Caller, ChangeSetId, ChangeSetKind, ChangeSetName, CleanupWhy, Digest,
    Event, EventKind, GoneExport, LogicalId, PlannedTarget, ResourceChange, SetDrift, StackEvent,
    StackId, StackStatus, StackSummary, Target, TargetInputs, TargetOutcome,
};

use super::view::{Fact, keep};

/// One target of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetView {
    target: Target,
    newest: Option<Fact<()>>,
    busy: Option<Fact<StackStatus>>,
    intended: Option<Fact<Intended>>,
    created: Option<Fact<(ChangeSetId, StackId)>>,
    ready: Option<Fact<Described>>,
    deletion: Option<Fact<Box<PlannedTarget>>>,
    started: Option<Fact<()>>,
    execute: Option<Fact<()>>,
    accepted: Option<Fact<()>>,
    cleanup: Option<Fact<CleanupWhy>>,
    cleaned: Option<Fact<Option<String>>>,
    trouble: Option<Fact<CallFailure>>,
    event: Option<Fact<StackEvent>>,
    resources: BTreeMap<LogicalId, Fact<StackEvent>>,
    ended: Option<Fact<Ended>>,
}

/// The change set as it was intended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Intended {
    kind: ChangeSetKind,
    name: ChangeSetName,
    caller: Caller,
    stack: Option<StackSummary>,
    inputs: Box<TargetInputs>,
}

/// The change set as it was described.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Described {
    changes: Vec<ResourceChange>,
    base: Base,
    previous_template: Option<Digest>,
    previous_parameters: BTreeMap<String, String>,
    settings_only: bool,
    gone_exports: Vec<GoneExport>,
    drift: Option<SetDrift>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Ended {
    outcome: TargetOutcome,
    outputs: BTreeMap<String, String>,
}

/// How far a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase<'a> {
    /// Nothing happened yet.
    Waiting,
    /// The change set is being created.
    Creating,
    /// The change set exists, and its description is waited for.
    Reading,
    /// The change set can be executed; approval or the target's turn is waited for.
    Ready,
    /// The stack can be deleted; approval or the target's turn is waited for.
    Deletable,
    /// It is checked whether the target still is what was approved.
    Checking,
    /// The change set is being executed.
    Executing,
    /// Leftovers are being removed.
    CleaningUp,
    /// It ended.
    Ended(&'a TargetOutcome),
}

impl TargetView {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            newest: None,
            busy: None,
            intended: None,
            created: None,
            ready: None,
            deletion: None,
            started: None,
            execute: None,
            accepted: None,
            cleanup: None,
            cleaned: None,
            trouble: None,
            event: None,
            resources: BTreeMap::new(),
            ended: None,
        }
    }

    pub(super) fn apply(&mut self, event: &Event) {
        keep(&mut self.newest, event, ());
        match &event.kind {
            EventKind::StackBusy { status } => keep(&mut self.busy, event, *status),
            EventKind::ChangeSetIntended {
                kind,
                name,
                token: _,
                caller,
                stack,
                inputs,
            } => {
                let intended = Intended {
                    kind: *kind,
                    name: name.clone(),
                    caller: caller.clone(),
                    stack: stack.clone(),
                    inputs: inputs.clone(),
                };
                keep(&mut self.intended, event, intended);
            }
            EventKind::ChangeSetCreated { change_set, stack } => {
                keep(
                    &mut self.created,
                    event,
                    (change_set.clone(), stack.clone()),
                );
            }
            EventKind::ChangeSetReady {
                changes,
                base,
                previous_template,
                previous_parameters,
                settings_only,
                gone_exports,
                drift,
            } => {
                let described = Described {
                    changes: changes.clone(),
                    base: base.clone(),
                    previous_template: *previous_template,
                    previous_parameters: previous_parameters.clone(),
                    settings_only: *settings_only,
                    gone_exports: gone_exports.clone(),
                    drift: *drift,
                };
                keep(&mut self.ready, event, described);
            }
            EventKind::DeletionPlanned { planned } => {
                keep(&mut self.deletion, event, planned.clone());
            }
            EventKind::CleanupIntended { why } => keep(&mut self.cleanup, event, *why),
            EventKind::ChangeSetDeleted => {}
            EventKind::CleanupDone { left } => keep(&mut self.cleaned, event, left.clone()),
            EventKind::TargetStarted => keep(&mut self.started, event, ()),
            EventKind::ExecuteIntended { .. } => keep(&mut self.execute, event, ()),
            EventKind::ExecuteAccepted => keep(&mut self.accepted, event, ()),
            EventKind::StackSettled { .. } => keep(&mut self.accepted, event, ()),
            EventKind::SettingIntended { .. } | EventKind::SettingApplied { .. } => {}
            EventKind::CallFailed { failure } => keep(&mut self.trouble, event, failure.clone()),
            EventKind::Observed { events } => {
                for observed in events {
                    keep(&mut self.event, event, observed.clone());
                    let mut slot = self.resources.remove(&observed.logical_id);
                    keep(&mut slot, event, observed.clone());
                    if let Some(fact) = slot {
                        self.resources.insert(observed.logical_id.clone(), fact);
                    }
                }
            }
            EventKind::TargetFinished { outcome, outputs } => {
                let ended = Ended {
                    outcome: outcome.clone(),
                    outputs: outputs.clone(),
                };
                keep(&mut self.ended, event, ended);
            }
            // What else happens concerns the execution, its stages or the approval.
            EventKind::ExecutionStarted { .. }
            | EventKind::Resumed { .. }
            | EventKind::StageStarted
            | EventKind::StageSucceeded
            | EventKind::StageFailed { .. }
            | EventKind::StageSkipped { .. }
            | EventKind::ActionStarted
            | EventKind::ActionSucceeded
            | EventKind::ActionFailed { .. }
            | EventKind::SourceStored { .. }
            | EventKind::PlanReady { .. }
            | EventKind::ApprovalRequested { .. }
            | EventKind::GateStarted { .. }
            | EventKind::GateHeld { .. }
            | EventKind::GateOpened { .. }
            | EventKind::GateClosed { .. }
            | EventKind::Answered { .. }
            | EventKind::AnswerRefused { .. }
            | EventKind::ApprovalExpired
            | EventKind::PlanExported { .. }
            | EventKind::PlanImported { .. }
            | EventKind::RegionSilent { .. }
            | EventKind::RegionAnswers { .. }
            | EventKind::Paused { .. }
            | EventKind::StopRequested { .. }
            | EventKind::ExecutionFinished { .. } => {}
        }
    }

    /// Returns the target.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Returns how far the target is.
    pub fn phase(&self) -> Phase<'_> {
        if let Some(fact) = &self.ended {
            Phase::Ended(&fact.value.outcome)
        } else if self.cleanup.is_some() && self.cleaned.is_none() {
            Phase::CleaningUp
        } else if self.execute.is_some() || self.accepted.is_some() {
            Phase::Executing
        } else if self.started.is_some() {
            Phase::Checking
        } else if self.deletion.is_some() {
            Phase::Deletable
        } else if self.ready.is_some() {
            Phase::Ready
        } else if self.created.is_some() {
            Phase::Reading
        } else if self.intended.is_some() {
            Phase::Creating
        } else {
            Phase::Waiting
        }
    }

    /// Returns the status of a stack on which somebody else works, while that is waited for.
    pub fn busy(&self) -> Option<StackStatus> {
        let is_waiting = self.phase() == Phase::Waiting;
        self.busy
            .as_ref()
            .filter(|_| is_waiting)
            .map(|fact| fact.value)
    }

    /// Returns how the target ended.
    pub fn outcome(&self) -> Option<&TargetOutcome> {
        self.ended.as_ref().map(|fact| &fact.value.outcome)
    }

    /// Returns the outputs of the stack, where it was executed.
    pub fn outputs(&self) -> Option<&BTreeMap<String, String>> {
        self.ended.as_ref().map(|fact| &fact.value.outputs)
    }

    /// Returns the target with its change set, once the change set is ready, or with its deletion.
    pub fn planned(&self) -> Option<PlannedTarget> {
        if let Some(deletion) = &self.deletion {
            return Some((*deletion.value).clone());
        }
        let intended = &self.intended.as_ref()?.value;
        let (change_set, _) = &self.created.as_ref()?.value;
        let described = &self.ready.as_ref()?.value;
        Some(PlannedTarget {
            target: self.target.clone(),
            caller: intended.caller.clone(),
            kind: intended.kind,
            name: intended.name.clone(),
            change_set: Some(change_set.clone()),
            inputs: Arc::new((*intended.inputs).clone()),
            changes: described.changes.clone(),
            base: described.base.clone(),
            previous_template: described.previous_template,
            previous_parameters: described.previous_parameters.clone(),
            settings_only: described.settings_only,
            retain: Vec::new(),
            gone_exports: described.gone_exports.clone(),
            drift: described.drift,
        })
    }

    /// Returns what is done to the stack.
    pub fn kind(&self) -> Option<ChangeSetKind> {
        let deletion = self.deletion.as_ref().map(|fact| fact.value.kind);
        deletion.or_else(|| self.intended.as_ref().map(|fact| fact.value.kind))
    }

    /// Returns who creates the change set or deletes the stack.
    pub fn caller(&self) -> Option<&Caller> {
        let deletion = self.deletion.as_ref().map(|fact| &fact.value.caller);
        deletion.or_else(|| self.intended.as_ref().map(|fact| &fact.value.caller))
    }

    /// Returns what the change set is made from.
    pub fn inputs(&self) -> Option<&TargetInputs> {
        self.intended.as_ref().map(|fact| &*fact.value.inputs)
    }

    /// Returns the change set.
    pub fn change_set(&self) -> Option<&ChangeSetId> {
        self.created.as_ref().map(|fact| &fact.value.0)
    }

    /// Returns the stack, as it was before or as the change set made it.
    pub fn stack(&self) -> Option<&StackId> {
        let created = self.created.as_ref().map(|fact| &fact.value.1);
        let deleted = self.deletion.as_ref().map(|fact| &fact.value.base.stack);
        created
            .or(deleted)
            .or_else(|| Some(&self.intended.as_ref()?.value.stack.as_ref()?.id))
    }

    /// Returns the stack that exists only because of this execution's change set, if it made one.
    pub fn made_stack(&self) -> Option<&StackId> {
        let intended = &self.intended.as_ref()?.value;
        let makes = match intended.kind {
            ChangeSetKind::Create | ChangeSetKind::Import => intended.stack.is_none(),
            ChangeSetKind::Update | ChangeSetKind::Delete => false,
        };
        let (_, stack) = &self.created.as_ref()?.value;
        makes.then_some(stack)
    }

    /// Returns whether the stack was in review before this execution asked for its change set.
    pub(super) fn was_in_review(&self) -> bool {
        let before = self.intended.as_ref().and_then(|i| i.value.stack.as_ref());
        before.is_some_and(|stack| stack.status == StackStatus::ReviewInProgress)
    }

    /// Returns whether the execution asked for its change set, or the deletion, to be carried out.
    pub fn was_executed(&self) -> bool {
        self.execute.is_some()
    }

    /// Returns the newest event of the stack.
    pub fn newest_event(&self) -> Option<&StackEvent> {
        self.event.as_ref().map(|fact| &fact.value)
    }

    /// Returns the newest event of every resource; the stack's own is left out.
    pub fn resources(&self) -> impl Iterator<Item = &StackEvent> {
        let stack = self.target.stack.as_str();
        let events = self.resources.values().map(|fact| &fact.value);
        events.filter(move |event| event.logical_id.as_str() != stack)
    }

    /// Returns the newest event of the resource that has been worked on for the longest time.
    pub fn waits_on(&self) -> Option<&StackEvent> {
        let busy = self
            .resources()
            .filter(|e| e.status.ends_with("_IN_PROGRESS"));
        busy.min_by_key(|event| event.at)
    }

    /// Returns how many resources are done and how many are expected to change.
    pub fn progress(&self) -> (usize, usize) {
        let complete = |e: &&StackEvent| e.status.ends_with("_COMPLETE");
        let deleted = self.deletion.as_ref().map_or(0, |f| f.value.changes.len());
        let expected = self
            .ready
            .as_ref()
            .map_or(deleted, |f| f.value.changes.len());
        let seen = self.resources().count();
        (
            self.resources().filter(complete).count(),
            expected.max(seen),
        )
    }

    /// Returns the failed call that is being looked into, while nothing newer happened here.
    pub fn trouble(&self) -> Option<&CallFailure> {
        let fact = self.trouble.as_ref()?;
        let is_newest = self.newest.as_ref().is_some_and(|n| n.seq == fact.seq);
        is_newest.then_some(&fact.value)
    }

    /// Returns what a clean-up left, and why.
    pub fn left(&self) -> Option<&str> {
        self.cleaned.as_ref()?.value.as_deref()
    }

    /// Returns whether the stack was left with a change that the execution made.
    pub fn is_changed(&self) -> bool {
        let is_deployed = || {
            let ready = self.ready.as_ref();
            !ready.is_some_and(|fact| fact.value.settings_only)
        };
        match self.outcome() {
            Some(TargetOutcome::Succeeded { .. }) => is_deployed(),
            Some(TargetOutcome::Failed {
                status: Some(status),
                ..
            }) => match status {
                // Without a rollback of its own, what came before the failure stays.
                StackStatus::UpdateFailed => true,
                // What failed came after the operation: its policy or protection could not be set.
                status => status.is_deployed() && is_deployed(),
            },
            Some(TargetOutcome::Failed { status: None, .. }) => false,
            Some(
                TargetOutcome::NoChanges
                | TargetOutcome::NotPlanned { .. }
                | TargetOutcome::Stale { .. }
                | TargetOutcome::Skipped { .. }
                | TargetOutcome::Unknown { .. },
            )
            | None => false,
        }
    }

    /// Returns the status that the stack had before its change set was made, where there was one.
    pub fn former_status(&self) -> Option<StackStatus> {
        let intended = self.intended.as_ref()?;
        Some(intended.value.stack.as_ref()?.status)
    }

    /// Returns what the change set or the deletion stands on.
    pub fn base(&self) -> Option<&Base> {
        let deletion = self.deletion.as_ref().map(|fact| &fact.value.base);
        deletion.or_else(|| self.ready.as_ref().map(|fact| &fact.value.base))
    }

    /// Returns the tags that the stack had before, where they are on record.
    pub fn former_tags(&self) -> Option<&BTreeMap<String, String>> {
        let intended = self.intended.as_ref()?;
        intended.value.stack.as_ref()?.tags.as_ref()
    }

    /// Returns when the target's present part of the work began: its execution, else its change set.
    pub fn began(&self) -> Option<Timestamp> {
        let started = self.started.as_ref().map(|fact| fact.at);
        started
            .or_else(|| self.intended.as_ref().map(|fact| fact.at))
            .or_else(|| self.busy.as_ref().map(|fact| fact.at))
    }

    /// Returns when the rollout let the target begin.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.started.as_ref().map(|fact| fact.at)
    }

    /// Returns when the change set was asked for.
    pub fn intended_at(&self) -> Option<Timestamp> {
        self.intended.as_ref().map(|fact| fact.at)
    }

    /// Returns when the target ended.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.ended.as_ref().map(|fact| fact.at)
    }
}
