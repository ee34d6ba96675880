//! What follows from the state: stages, actions, the answer, leftovers and the end.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::machine::{Machine, Turn};
use super::state::{Cleanup, Execution, Phase, Progress};
use super::step::{Step, StepKind, TargetWork};
use super::targets::TargetIndex;
use super::validation::Provider;
use crate::approval;
use crate::model::{
    ActionDeclaration, ChangeSetKind, CleanupWhy, Decision, Ending, EventKind, ExecutionOutcome,
    Scope, SkipReason, TargetOutcome,
};

/// Why stages and actions of an execution that was given up came to no good end.
pub(super) const GIVEN_UP: &str = "the execution was given up";

/// The same of one that came across another run of its plan.
const RUN_ELSEWHERE: &str = "another run of this plan goes on";

impl Machine {
    pub(super) fn is_draining(&self) -> bool {
        self.state.paused.is_some() || self.state.stop.is_some()
    }

    /// Returns whether nothing that was not begun may begin.
    pub(super) fn begins_nothing(&self) -> bool {
        self.is_draining() || self.state.given_up
    }

    /// Returns why nothing that was not begun may begin for good.
    pub(super) fn why_given_up(&self) -> String {
        match self.state.elsewhere {
            true => RUN_ELSEWHERE.to_owned(),
            false => GIVEN_UP.to_owned(),
        }
    }

    /// Returns why targets are left out then.
    fn why_left_out(&self) -> SkipReason {
        match self.state.elsewhere {
            true => SkipReason::RunElsewhere,
            false => SkipReason::Stopped,
        }
    }

    /// Returns whether a target was not executed because the execution was given up.
    pub(super) fn left_out(&self) -> bool {
        let outcome = TargetOutcome::Skipped {
            reason: self.why_left_out(),
        };
        let mut targets = self.state.targets.values();
        targets.any(|t| t.outcome.as_ref() == Some(&outcome))
    }

    /// Ends a target that was provably not executed, of an execution that was given up.
    pub(super) fn leave_out(&mut self, turn: &mut Turn, now: Timestamp, target: TargetIndex) {
        let outcome = TargetOutcome::Skipped {
            reason: self.why_left_out(),
        };
        self.finish(turn, now, target, outcome, Ending::none());
        self.clean_up(turn, now, target, CleanupWhy::NotNeeded);
    }

    /// Ends the targets for which nothing was asked that could execute them; the others are looked into first.
    fn leave_out_unexecuted(&mut self, turn: &mut Turn, now: Timestamp) {
        // Nothing new is to be left out where nothing happened since it was looked at last.
        for target in self.touched.clone() {
            let state = &self.state.targets[target];
            // Somebody else's operation may last for ever.
            let only_waits = state.phase == Phase::Waiting && state.busy.is_some();
            let is_unexecuted = match state.phase {
                Phase::Waiting | Phase::Ready | Phase::Started => true,
                Phase::Creating
                | Phase::Created
                | Phase::Executing
                | Phase::Running
                | Phase::Settled
                | Phase::Finished => false,
            };
            if only_waits {
                self.busy.remove(target);
                self.touch(target);
            }
            if is_unexecuted && !self.busy.contains(target) {
                self.leave_out(turn, now, target);
            }
        }
    }

    /// Emits and asks for everything that follows from the state, until nothing more does.
    pub(super) fn push(&mut self, turn: &mut Turn, now: Timestamp) {
        while self.state.outcome.is_none() && self.push_once(turn, now) {}
    }

    /// Returns whether the state moved.
    fn push_once(&mut self, turn: &mut Turn, now: Timestamp) -> bool {
        let current = self
            .state
            .stages
            .iter()
            .position(|s| !matches!(s.progress, Progress::Succeeded | Progress::Skipped));
        let Some(index) = current else {
            return self.finish_execution(turn, now);
        };
        let scope = Scope {
            stage: Some(self.state.stages[index].name.clone()),
            ..Scope::default()
        };
        let stage = self.state.stages[index].progress;
        let is_given_up = self.state.given_up && stage != Progress::Failed;
        if (is_given_up || stage == Progress::Failed) && self.looks_for_another_run(turn) {
            return false;
        }
        if is_given_up {
            self.leave_out_unexecuted(turn, now);
        }
        match stage {
            Progress::Failed => return self.wind_down(turn, now),
            Progress::NotStarted => {
                if self.is_draining() {
                    return false;
                }
                if let Some(reason) = self.not_needed(index) {
                    self.emit(turn, now, scope, EventKind::StageSkipped { reason });
                } else if self.state.given_up {
                    return self.wind_down(turn, now);
                } else {
                    self.emit(turn, now, scope, EventKind::StageStarted);
                }
                return true;
            }
            Progress::InProgress | Progress::Succeeded | Progress::Skipped => {}
        }

        let definition = self.state.definition.clone();
        let declared = &definition.pipeline.stages[index].actions;
        let progress = |state: &Execution, i: usize| state.stages[index].actions[i].1;
        let open = (0..declared.len()).filter(|&i| progress(&self.state, i) != Progress::Succeeded);
        let Some(run_order) = open.map(|i| declared[i].run_order).min() else {
            self.emit(turn, now, scope, EventKind::StageSucceeded);
            return true;
        };
        let group: Vec<usize> = (0..declared.len())
            .filter(|&i| declared[i].run_order == run_order)
            .collect();
        let mut moved = false;
        for &i in &group {
            let action_scope = Scope {
                action: Some(declared[i].name.clone()),
                ..scope.clone()
            };
            match progress(&self.state, i) {
                Progress::NotStarted if !self.begins_nothing() => {
                    self.emit(turn, now, action_scope.clone(), EventKind::ActionStarted);
                    self.refill();
                    moved = true;
                }
                Progress::InProgress => {}
                Progress::NotStarted
                | Progress::Succeeded
                | Progress::Failed
                | Progress::Skipped => {
                    continue;
                }
            }
            moved |= self.push_action(turn, now, &declared[i], action_scope);
        }
        let given_up = self.state.given_up;
        let failed = |p| p == Progress::Failed || given_up && p == Progress::NotStarted;
        let ended = |p| p == Progress::Succeeded || failed(p);
        let mut all = group.iter().map(|&i| progress(&self.state, i));
        if all.clone().any(failed) && all.all(ended) {
            let reason = match failure(turn, &scope) {
                _ if given_up => self.why_given_up(),
                Some(reason) => reason,
                None => "an action failed".to_owned(),
            };
            self.emit(turn, now, scope, EventKind::StageFailed { reason });
            return true;
        }
        moved
    }

    /// Returns why a stage that only answers for or executes a plan is not needed.
    fn not_needed(&self, index: usize) -> Option<String> {
        let stage = &self.state.definition.pipeline.stages[index];
        let needs_plan = stage.actions.iter().all(|a| match Provider::of(a) {
            Some(Provider::Approval | Provider::ExecuteChangeSet | Provider::DeleteStack) => true,
            Some(Provider::SourceLocal | Provider::CreateChangeSet | Provider::CollectStacks)
            | None => false,
        });
        (needs_plan && self.state.plan.is_none()).then(|| {
            if self.state.deletes() {
                "no target has a stack to delete".to_owned()
            } else {
                "no target has changes".to_owned()
            }
        })
    }

    fn push_action(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        action: &ActionDeclaration,
        scope: Scope,
    ) -> bool {
        let Some(provider) = Provider::of(action) else {
            let reason = "no provider of this program runs it".to_owned();
            self.emit(turn, now, scope, EventKind::ActionFailed { reason });
            return true;
        };
        match provider {
            Provider::SourceLocal if self.state.given_up => {
                if self.storing.contains(&scope) {
                    return false;
                }
                let reason = self.why_given_up();
                self.emit(turn, now, scope, EventKind::ActionFailed { reason });
                true
            }
            Provider::SourceLocal => {
                if !self.is_draining() && self.storing.insert(scope.clone()) {
                    let kind = StepKind::SnapshotSource {
                        action: Arc::new(action.clone()),
                    };
                    turn.steps.push(Step { scope, kind });
                }
                false
            }
            Provider::CreateChangeSet => self.push_create(turn, now, action, scope),
            Provider::Approval => self.push_approval(turn, now, action, scope),
            Provider::CollectStacks => self.push_collect(turn, now, action, scope),
            Provider::ExecuteChangeSet | Provider::DeleteStack => {
                self.push_execute(turn, now, scope)
            }
        }
    }

    fn push_approval(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        action: &ActionDeclaration,
        scope: Scope,
    ) -> bool {
        let (Some(plan), request) = (self.state.plan, &self.state.approval) else {
            return false;
        };
        let answer = request.as_ref().and_then(|r| r.answered.as_ref());
        if self.state.given_up && answer.is_none() {
            let reason = self.why_given_up();
            self.emit(turn, now, scope, EventKind::ActionFailed { reason });
            return true;
        }
        match (request, answer) {
            (None, _) => {
                let minutes = action
                    .timeout_in_minutes
                    .unwrap_or(approval::DEFAULT_VALIDITY_MINUTES);
                let validity = SignedDuration::from_mins(i64::from(minutes));
                let expires = now.checked_add(validity).unwrap_or(Timestamp::MAX);
                self.emit(
                    turn,
                    now,
                    scope,
                    EventKind::ApprovalRequested {
                        plan,
                        expires,
                        wave: None,
                    },
                );
                true
            }
            (Some(_), None) => false,
            (Some(_), Some(answer)) => {
                let kind = match answer.decision {
                    Decision::Approve => EventKind::ActionSucceeded,
                    Decision::Reject => EventKind::ActionFailed {
                        reason: "the plan was rejected".to_owned(),
                    },
                };
                self.emit(turn, now, scope, kind);
                true
            }
        }
    }

    /// Skips what is left after a stage failed, removes leftovers, and ends the execution.
    fn wind_down(&mut self, turn: &mut Turn, now: Timestamp) -> bool {
        // Found out where it is needed: that takes a look at every target, and most of these turns are about one of them.
        let mut reason = None;
        for target in std::mem::take(&mut self.touched) {
            if self.state.targets[target].outcome.is_none() {
                let reason = reason.get_or_insert_with(|| self.why_wound_down().0);
                let outcome = TargetOutcome::Skipped {
                    reason: reason.clone(),
                };
                self.finish(turn, now, target, outcome, Ending::none());
                self.clean_up(turn, now, target, CleanupWhy::NotNeeded);
            }
            self.clean_step(turn, target);
        }
        if self.state.being_cleaned > 0 {
            return false;
        }
        let (_, outcome) = self.why_wound_down();
        let left: Vec<Scope> = self
            .state
            .stages
            .iter()
            .filter(|s| s.progress == Progress::NotStarted)
            .map(|s| Scope {
                stage: Some(s.name.clone()),
                ..Scope::default()
            })
            .collect();
        for scope in left {
            let reason = match outcome {
                ExecutionOutcome::Stopped => self.why_given_up(),
                ExecutionOutcome::Rejected => "the plan was rejected".to_owned(),
                ExecutionOutcome::Expired => {
                    "nobody answered the approval request in time".to_owned()
                }
                ExecutionOutcome::Succeeded
                | ExecutionOutcome::NothingToDo
                | ExecutionOutcome::SucceededWithFailures
                | ExecutionOutcome::Failed => "an earlier stage failed".to_owned(),
            };
            self.emit(turn, now, scope, EventKind::StageSkipped { reason });
        }
        self.emit(
            turn,
            now,
            Scope::default(),
            EventKind::ExecutionFinished { outcome },
        );
        true
    }

    /// Returns why what is left after a stage failed is skipped, and how the execution ends.
    fn why_wound_down(&self) -> (SkipReason, ExecutionOutcome) {
        let rejected = self
            .state
            .approval
            .as_ref()
            .map(|r| r.answered.as_ref().map(|a| a.decision));
        match rejected {
            _ if self.left_out() => match self.has_failed() {
                true => (self.why_left_out(), ExecutionOutcome::Failed),
                false => (self.why_left_out(), ExecutionOutcome::Stopped),
            },
            Some(Some(Decision::Reject)) => (SkipReason::Rejected, ExecutionOutcome::Rejected),
            Some(None) => (SkipReason::ApprovalExpired, ExecutionOutcome::Expired),
            Some(Some(Decision::Approve)) | None => {
                (SkipReason::PlanIncomplete, ExecutionOutcome::Failed)
            }
        }
    }

    fn finish_execution(&mut self, turn: &mut Turn, now: Timestamp) -> bool {
        let outcomes = || {
            self.state
                .targets
                .values()
                .filter_map(|t| t.outcome.as_ref())
        };
        let outcome = if outcomes().any(TargetOutcome::is_failure) {
            ExecutionOutcome::SucceededWithFailures
        } else if self.state.plan.is_none() {
            ExecutionOutcome::NothingToDo
        } else {
            ExecutionOutcome::Succeeded
        };
        self.emit(
            turn,
            now,
            Scope::default(),
            EventKind::ExecutionFinished { outcome },
        );
        true
    }

    /// Starts the removal of leftovers that is due. Returns whether one is under way.
    pub(super) fn clean_step(&mut self, turn: &mut Turn, target: TargetIndex) -> bool {
        let state = &self.state.targets[target];
        if !state.is_being_cleaned() {
            return false;
        }
        if self.busy.contains(target) || self.is_draining() {
            return true;
        }
        let Some((change_set, stack)) = state.change_set.clone() else {
            return true;
        };
        let spec = state.spec.clone();
        let work = if state.cleanup == Cleanup::ChangeSetDeleted {
            TargetWork::DeleteReviewStack { stack, change_set }
        } else {
            // Deleting a change set that is gone is no error, but it is a call that was made before.
            let look_first = !turn.left_over.contains(&target) || self.state.in_file;
            TargetWork::DeleteChangeSet {
                change_set,
                stack,
                look_first,
            }
        };
        self.step(turn, target, spec, work);
        true
    }

    /// Returns whether the target's stack exists only because of its change set.
    pub(super) fn made_review_stack(&self, target: TargetIndex) -> bool {
        self.state.targets[target]
            .intended
            .as_ref()
            .is_some_and(|i| match i.kind {
                ChangeSetKind::Create | ChangeSetKind::Import => i.stack.is_none(),
                ChangeSetKind::Update | ChangeSetKind::Delete => false,
            })
    }
}

/// Returns why an action of the stage failed, where that happened in this turn.
fn failure(turn: &Turn, stage: &Scope) -> Option<String> {
    let mut failures = turn.events.iter().filter_map(|event| match &event.kind {
        EventKind::ActionFailed { reason } if event.scope.stage == stage.stage => Some(reason),
        _ => None,
    });
    failures.next().cloned()
}
