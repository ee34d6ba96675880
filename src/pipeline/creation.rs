//! The action that creates change sets: what it asks for and what it makes of the answers.

use std::cell::LazyCell;
use std::sync::Arc;

use jiff::Timestamp;

use super::advance::GIVEN_UP;
use super::machine::{MAX_ATTEMPTS, Machine, Turn};
use super::names::{change_set_name, create_token};
use super::state::Phase;
use super::step::TargetWork;
use super::targets::TargetIndex;
use crate::model::{
    ActionDeclaration, CallFailure, Cause, ChangeSetId, ChangeSetKind, ChangeSetOutcome,
    CleanupWhy, Ending, EventKind, FailureKind, OnStackFailure, Preparation, Reading, Scope,
    SkipReason, StackId, StackStatus, StackWait, Target, TargetOutcome,
};
use crate::rollout::Rollout;

impl Machine {
    pub(super) fn take_preparation(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        result: Option<Result<Box<Preparation>, CallFailure>>,
    ) {
        let preparation = match result {
            Some(Ok(preparation)) => *preparation,
            Some(Err(failure)) => return self.not_planned(turn, now, target, &failure),
            None => return,
        };
        // Looked at only: a stop that came in the meantime leaves it for later.
        if self.begins_nothing() {
            return;
        }
        let imports = !preparation.inputs.options.resources_to_import.is_empty();
        let kind = match &preparation.stack {
            None if imports => ChangeSetKind::Import,
            None => ChangeSetKind::Create,
            Some(stack) => {
                // A stack that a failure left as it was can be tried again, in the same way only.
                let can_go_on = matches!(
                    stack.status,
                    StackStatus::CreateFailed | StackStatus::UpdateFailed
                );
                let can_go_on = can_go_on && !imports;
                let goes_on = can_go_on && preparation.inputs.options.keeps_failures();
                if let Some(why) = stack.status.refusal().filter(|_| !goes_on) {
                    let next = stack
                        .status
                        .remedy(self.name(target), self.wait())
                        .unwrap_or_default();
                    let more = if can_go_on {
                        "; or go on from what is there with `--disable-rollback`"
                    } else {
                        ""
                    };
                    let status = stack.status;
                    let cause = Cause::of(format!("the stack is {status}: {why}; {next}{more}"));
                    let outcome = TargetOutcome::NotPlanned { cause };
                    return self.finish(turn, now, target, outcome, Ending::none());
                }
                match stack.status {
                    _ if imports => ChangeSetKind::Import,
                    StackStatus::ReviewInProgress | StackStatus::DeleteComplete => {
                        ChangeSetKind::Create
                    }
                    _ => ChangeSetKind::Update,
                }
            }
        };
        if kind == ChangeSetKind::Update
            && preparation.inputs.options.on_stack_failure == Some(OnStackFailure::Delete)
        {
            let cause = Cause::of(
                "`--on-stack-failure DELETE` is for stacks that do not exist yet, and this one does; \
                 use `ROLLBACK` or `DO_NOTHING`",
            );
            let outcome = TargetOutcome::NotPlanned { cause };
            return self.finish(turn, now, target, outcome, Ending::none());
        }
        let (id, name) = (&self.state.id, self.name(target));
        let intent = EventKind::ChangeSetIntended {
            kind,
            name: change_set_name(id, name),
            token: create_token(id, name),
            caller: preparation.caller,
            stack: preparation.stack,
            inputs: Box::new(preparation.inputs),
        };
        self.emit_for(turn, now, target, intent);
        self.create(turn, target, false);
    }

    pub(super) fn may_have_created(&self, target: TargetIndex, failure: &CallFailure) -> bool {
        matches!(
            failure.kind,
            FailureKind::Ambiguous | FailureKind::AlreadyExists
        ) && self.attempts.get(&target).is_none_or(|n| *n < MAX_ATTEMPTS)
    }

    pub(super) fn not_planned(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        failure: &CallFailure,
    ) {
        let is_begun = self.state.targets[target].intended.is_some();
        if failure.kind == FailureKind::RegionNotEnabled && !is_begun {
            let reason = SkipReason::RegionNotEnabled;
            let outcome = TargetOutcome::Skipped { reason };
            return self.finish(turn, now, target, outcome, Ending::none());
        }
        let cause = match &failure.kind {
            FailureKind::MissingCapabilities(missing) if !missing.is_empty() => Cause::of(format!(
                "{}; add `--capabilities {}`",
                failure.message,
                missing.join(",")
            )),
            _ => Cause::of_call(failure),
        };
        self.finish(
            turn,
            now,
            target,
            TargetOutcome::NotPlanned { cause },
            Ending::none(),
        );
        self.clean_up(turn, now, target, CleanupWhy::Failed);
    }

    pub(super) fn take_reading(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        result: Option<Result<Box<Reading>, CallFailure>>,
    ) {
        let reading = match result {
            Some(Ok(reading)) => *reading,
            Some(Err(failure)) => return self.not_planned(turn, now, target, &failure),
            None => return,
        };
        let (outcome, why) = match (reading.outcome, reading.base) {
            (ChangeSetOutcome::Ready, Some(base)) => {
                let kind = EventKind::ChangeSetReady {
                    changes: reading.changes,
                    base,
                    previous_template: reading.previous_template,
                    previous_parameters: reading.previous_parameters,
                    settings_only: false,
                    gone_exports: reading.gone_exports,
                    drift: reading.drift,
                };
                return self.emit_for(turn, now, target, kind);
            }
            (ChangeSetOutcome::NoChanges, Some(base)) if reading.settings_differ => {
                let kind = EventKind::ChangeSetReady {
                    changes: Vec::new(),
                    base,
                    previous_template: None,
                    previous_parameters: Default::default(),
                    settings_only: true,
                    gone_exports: Vec::new(),
                    drift: reading.drift,
                };
                return self.emit_for(turn, now, target, kind);
            }
            (ChangeSetOutcome::Ready, None) => {
                let cause = Cause::of("the stack vanished while its change set was computed");
                (TargetOutcome::NotPlanned { cause }, CleanupWhy::Failed)
            }
            (ChangeSetOutcome::NoChanges, _) => (TargetOutcome::NoChanges, CleanupWhy::NoChanges),
            (ChangeSetOutcome::Failed { reason }, _) => (
                TargetOutcome::NotPlanned {
                    cause: Cause::of(reason),
                },
                CleanupWhy::Failed,
            ),
        };
        self.finish(turn, now, target, outcome, Ending::none());
        self.clean_up(turn, now, target, why);
    }

    pub(super) fn push_create(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        action: &ActionDeclaration,
        scope: Scope,
    ) -> bool {
        // It names every target: copied only where a step needs it.
        let shared = LazyCell::new(|| Arc::new(action.clone()));
        for target in self.at_rest(turn) {
            let state = &self.state.targets[target];
            match state.phase {
                Phase::Waiting if !self.begins_nothing() => {
                    let work = TargetWork::Prepare {
                        action: Arc::clone(&shared),
                        artifacts: self.state.artifacts.clone(),
                    };
                    self.step(turn, target, state.spec.clone(), work);
                }
                Phase::Creating if self.state.given_up && !self.is_draining() => {
                    self.find(turn, target);
                }
                Phase::Creating if !self.is_draining() => {
                    *self.attempts.entry(target).or_default() += 1;
                    self.create(turn, target, true);
                }
                Phase::Created if !self.is_draining() => self.read(turn, target),
                Phase::Ready | Phase::Finished if !state.is_being_cleaned() => {
                    self.pending.remove(target);
                }
                Phase::Waiting
                | Phase::Creating
                | Phase::Created
                | Phase::Ready
                | Phase::Started
                | Phase::Executing
                | Phase::Running
                | Phase::Settled
                | Phase::Finished => {}
            }
        }
        self.conclude_plan(turn, now, action, scope)
    }

    /// Ends the action that plans, once no target is left in it, with the plan there is to approve.
    pub(super) fn conclude_plan(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        action: &ActionDeclaration,
        scope: Scope,
    ) -> bool {
        if !self.pending.is_empty() {
            return false;
        }
        self.attempts.clear();
        if self.left_out() {
            let reason = GIVEN_UP.to_owned();
            self.emit(turn, now, scope, EventKind::ActionFailed { reason });
            return true;
        }
        let Some(fan_out) = &action.fan_out else {
            return false;
        };
        let has_failed = |target: &&Target| {
            let outcome = self.state.targets[*target].outcome.as_ref();
            outcome.is_some_and(TargetOutcome::is_failure)
        };
        let targets = fan_out.targets.iter().map(|spec| &spec.target);
        let failed: Vec<&Target> = targets.filter(has_failed).collect();
        // What a failure counts for is asked only where there is one: it takes a look at every target.
        let exceeds = || {
            let mut tally = Rollout::of(fan_out);
            failed.iter().for_each(|target| tally.finish(target, true));
            tally.is_failed()
        };
        if !failed.is_empty() && exceeds() {
            let what = if self.state.deletes() {
                "no deletion"
            } else {
                "no change set"
            };
            let reason = format!(
                "{what} for {} of {} targets, which exceeds the failure tolerance",
                failed.len(),
                fan_out.targets.len()
            );
            self.emit(turn, now, scope, EventKind::ActionFailed { reason });
            return true;
        }
        if let Some(digest) = self.state.plan_digest() {
            self.emit(turn, now, scope.clone(), EventKind::PlanReady { digest });
        }
        self.emit(turn, now, scope, EventKind::ActionSucceeded);
        true
    }

    /// Takes the change set that an attempt without an answer left, or that it left none, once the execution was given up.
    pub(super) fn take_found(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        result: Option<Result<Option<(ChangeSetId, StackId)>, CallFailure>>,
    ) {
        match result {
            Some(Ok(Some((change_set, stack)))) => {
                let kind = EventKind::ChangeSetCreated { change_set, stack };
                self.emit_for(turn, now, target, kind);
            }
            Some(Ok(None)) => self.leave_out(turn, now, target),
            Some(Err(failure)) => {
                let name = change_set_name(&self.state.id, self.name(target));
                let cause = Cause::of(format!(
                    "whether change set {name} was created cannot be found out: {}; delete it if it is there",
                    failure.message
                ));
                let outcome = TargetOutcome::NotPlanned { cause };
                self.finish(turn, now, target, outcome, Ending::none());
            }
            None => {}
        }
    }

    fn find(&mut self, turn: &mut Turn, target: TargetIndex) {
        let spec = self.state.targets[target].spec.clone();
        let name = change_set_name(&self.state.id, self.name(target));
        self.step(turn, target, spec, TargetWork::FindChangeSet { name });
    }

    fn create(&mut self, turn: &mut Turn, target: TargetIndex, look_first: bool) {
        let state = &self.state.targets[target];
        let Some(intended) = state.intended.clone() else {
            return;
        };
        let spec = state.spec.clone();
        let work = TargetWork::CreateChangeSet {
            kind: intended.kind,
            name: intended.name,
            token: intended.token,
            inputs: intended.inputs,
            artifacts: self.state.artifacts.clone(),
            buckets: self.setting("TemplateBuckets"),
            look_first,
        };
        self.step(turn, target, spec, work);
    }

    /// Returns a setting of the running action.
    fn setting(&self, key: &str) -> Option<String> {
        let scope = self.current_action_scope();
        let stages = self.state.definition.pipeline.stages.iter();
        let action = stages
            .filter(|s| Some(&s.name) == scope.stage.as_ref())
            .flat_map(|s| &s.actions)
            .find(|a| Some(&a.name) == scope.action.as_ref());
        action?.configuration.get(key).cloned()
    }

    /// Returns how long an operation of somebody else was waited for, if it was.
    fn wait(&self) -> Option<StackWait> {
        self.setting(StackWait::KEY)?.parse().ok()
    }

    fn read(&mut self, turn: &mut Turn, target: TargetIndex) {
        let state = &self.state.targets[target];
        let (Some(intended), Some((change_set, stack))) = (&state.intended, &state.change_set)
        else {
            return;
        };
        let spec = state.spec.clone();
        let work = TargetWork::ReadChangeSet {
            change_set: change_set.clone(),
            kind: intended.kind,
            stack: stack.clone(),
            inputs: intended.inputs.clone(),
            artifacts: self.state.artifacts.clone(),
            buckets: self.setting("TemplateBuckets"),
            seen: self.seen(target),
        };
        self.step(turn, target, spec, work);
    }

    /// Returns the newest event that the stack of a target had when a rollback looked at it.
    fn seen(&self, target: TargetIndex) -> Option<String> {
        let definition = &self.state.definition;
        let seen = self.seen.get_or_init(|| definition.newest_events());
        seen.get(&self.name(target).to_string()).cloned().flatten()
    }
}
