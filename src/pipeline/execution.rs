//! The action that executes change sets: what it asks for and what it makes of the answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::gate::closed_gate;
use super::machine::{Machine, Turn};
use super::names::execute_token;
use super::state::Phase;
use super::step::TargetWork;
use super::targets::TargetIndex;
use crate::model::{
    CallFailure, Cause, CleanupWhy, Ending, EventKind, FailureKind, PlannedTarget, Scope,
    Sentiment, StackSetting, StackStatus, Staleness, StopMode, TargetOutcome,
};

/// How often a request is put off that cannot be sent in time: for ten minutes.
const MOST_PUT_OFF: u32 = 10;

impl Machine {
    pub(super) fn take_verification(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        result: Option<Result<Vec<Staleness>, CallFailure>>,
    ) {
        match result {
            Some(Ok(differences)) if differences.is_empty() => {
                // A stop that came while the target was verified leaves it as it is, not executed.
                if self.is_draining() {
                    self.held.insert(target);
                    return;
                }
                // What was only begun is ended with the others; this was looked into before.
                if self.state.given_up {
                    if self.state.targets[target].phase == Phase::Executing {
                        self.leave_out(turn, now, target);
                    }
                    return;
                }
                if let Some(approved) = self.settings_only(target) {
                    let kind = EventKind::StackSettled {
                        status: approved.base.status,
                        outputs: BTreeMap::new(),
                    };
                    return self.emit_for(turn, now, target, kind);
                }
                self.looked_at.remove(&target);
                *self.attempts.entry(target).or_default() += 1;
                let token = execute_token(&self.state.id, self.name(target));
                let kind = EventKind::ExecuteIntended {
                    token: token.clone(),
                    deletes: self.state.deletes(),
                };
                self.emit_for(turn, now, target, kind);
                if let Some((spec, approved)) = self.approved(target) {
                    let work = TargetWork::Execute { approved, token };
                    self.step(turn, target, spec, work);
                }
            }
            // An earlier attempt that was accepted late differs too: looked into before it is called stale.
            Some(Ok(differences)) if self.state.targets[target].phase == Phase::Executing => {
                self.differing.insert(target, differences);
            }
            // Where the plan may run elsewhere too, what differs may be that run's doing.
            Some(Ok(differences)) if self.state.in_file => {
                self.differing.insert(target, differences);
                self.look_into(turn, target);
            }
            Some(Ok(differences)) => self.stale(turn, now, target, differences),
            // An earlier attempt may still be accepted: this one, which is not made, counts as a later one.
            Some(Err(failure)) if self.state.targets[target].phase == Phase::Executing => {
                *self.attempts.entry(target).or_default() += 1;
                self.refused.insert(target, failure);
            }
            Some(Err(failure)) => self.not_executed(turn, now, target, &failure),
            None => {}
        }
    }

    /// Ends a target that is no longer what was approved, and was provably not executed.
    pub(super) fn stale(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        differences: Vec<Staleness>,
    ) {
        let outcome = TargetOutcome::Stale { differences };
        self.finish(turn, now, target, outcome, Ending::none());
        self.clean_up(turn, now, target, CleanupWhy::NotNeeded);
    }

    /// Ends a target whose change set was provably not executed.
    pub(super) fn not_executed(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        failure: &CallFailure,
    ) {
        let cause = Cause::of(&failure.message);
        let outcome = TargetOutcome::Failed {
            status: None,
            cause,
        };
        self.finish(turn, now, target, outcome, Ending::none());
        self.clean_up(turn, now, target, CleanupWhy::NotNeeded);
    }

    pub(super) fn take_execution(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        result: Option<Result<(), CallFailure>>,
    ) {
        match result {
            Some(Ok(())) => self.emit_for(turn, now, target, EventKind::ExecuteAccepted),
            Some(Err(failure)) if self.is_put_off(target, &failure) => {
                // After one that was lost, it is looked into what became of that one first.
                let is_first = self.attempts.get(&target) == Some(&0);
                if is_first && let Some(reason) = self.not_accepted(turn, now, target) {
                    self.unknown(turn, now, target, reason);
                }
            }
            Some(Err(failure)) => {
                let kind = EventKind::CallFailed {
                    failure: failure.clone(),
                };
                self.emit_for(turn, now, target, kind);
                match failure.kind {
                    // Whether it was accepted is looked into before anything else happens.
                    FailureKind::Ambiguous => {}
                    // A refusal may mean that an earlier attempt was accepted after all.
                    FailureKind::Refused | FailureKind::NotFound | FailureKind::AlreadyExists => {
                        self.refused.insert(target, failure);
                    }
                    FailureKind::CredentialsExpired
                    | FailureKind::SecretNeeded(_)
                    | FailureKind::AccessDenied
                    | FailureKind::RegionNotEnabled
                    | FailureKind::Throttled
                    | FailureKind::MissingCapabilities(_)
                    | FailureKind::NotSent
                    | FailureKind::Unreachable
                    | FailureKind::BadInput => match self.is_first_attempt(target) {
                        true => self.not_executed(turn, now, target, &failure),
                        false => drop(self.refused.insert(target, failure)),
                    },
                }
            }
            None => {}
        }
    }

    /// Returns whether a request was not sent in time and is to be made again, once its target was compared with what was approved
    /// again. It does not count as an attempt.
    fn is_put_off(&mut self, target: TargetIndex, failure: &CallFailure) -> bool {
        if failure.kind != FailureKind::NotSent {
            return false;
        }
        let times = self.put_off.entry(target).or_default();
        *times += 1;
        let is_put_off = *times < MOST_PUT_OFF;
        if let Some(attempts) = self.attempts.get_mut(&target).filter(|_| is_put_off) {
            *attempts = attempts.saturating_sub(1);
        }
        is_put_off
    }

    pub(super) fn take_ending(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        result: Option<Result<Box<Ending>, CallFailure>>,
    ) {
        match result {
            Some(Ok(ending)) => {
                let status = ending.status;
                // A stack that went away is what a deletion wants, and nothing else does.
                let is_asked = (status == StackStatus::DeleteComplete) == self.state.deletes();
                let went_well = is_asked && status.sentiment() == Sentiment::Good;
                if went_well && self.state.targets[target].unapplied().is_some() {
                    let kind = EventKind::StackSettled {
                        status,
                        outputs: ending.outputs,
                    };
                    return self.emit_for(turn, now, target, kind);
                }
                let outcome = match status.sentiment() {
                    Sentiment::Good if is_asked => TargetOutcome::Succeeded { status },
                    Sentiment::Good | Sentiment::Neutral | Sentiment::Bad => {
                        TargetOutcome::Failed {
                            status: Some(status),
                            cause: ending
                                .cause
                                .clone()
                                .unwrap_or_else(|| Cause::of("the stack's events name no reason")),
                        }
                    }
                };
                self.finish(turn, now, target, outcome, *ending);
            }
            Some(Err(failure)) if failure.kind == FailureKind::NotFound => {
                let outcome = TargetOutcome::Failed {
                    status: None,
                    cause: Cause::of(failure.message),
                };
                self.finish(turn, now, target, outcome, Ending::none());
            }
            Some(Err(failure))
                if failure.kind == FailureKind::Unreachable && self.is_lost(target) =>
            {
                self.lose(turn, now, target, &failure);
            }
            Some(Err(failure)) if self.is_let_go(target) => {
                let message = failure.message;
                let reason = format!("it was accepted, and its end cannot be seen: {message}");
                let outcome = TargetOutcome::Unknown { reason };
                self.finish(turn, now, target, outcome, Ending::none());
            }
            // What cannot be seen may well be succeeding: it is not called a failure.
            Some(Err(failure)) => self.ask_about_end(turn, now, target, failure.message),
            None => {}
        }
    }

    pub(super) fn take_setting(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        setting: StackSetting,
        result: Option<Result<(), CallFailure>>,
    ) {
        match result {
            Some(Ok(())) => {
                self.emit_for(turn, now, target, EventKind::SettingApplied { setting });
                if self.state.targets[target].unapplied().is_none() {
                    self.settle(turn, now, target, None);
                }
            }
            // The stack is as it was asked for, but not what protects it: nobody may take that for done.
            Some(Err(failure)) => {
                let what = match setting {
                    StackSetting::TerminationProtection => "its termination protection",
                    StackSetting::StackPolicy => "its stack policy",
                };
                let cause = format!(
                    "the stack is deployed, but {what} could not be set: {}",
                    failure.message
                );
                self.settle(turn, now, target, Some(Cause::of(cause)));
            }
            None => {}
        }
    }

    /// Ends a target whose operation ended well and on which everything was set, or could not be.
    fn settle(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        cause: Option<Cause>,
    ) {
        let Some((status, outputs)) = self.state.targets[target].settled.clone() else {
            return;
        };
        let outcome = match cause.clone() {
            None => TargetOutcome::Succeeded { status },
            Some(cause) => TargetOutcome::Failed {
                status: Some(status),
                cause,
            },
        };
        let ending = Ending {
            status,
            outputs,
            cause,
        };
        let was_executed = self.settings_only(target).is_none();
        self.finish(turn, now, target, outcome, ending);
        if !was_executed {
            self.clean_up(turn, now, target, CleanupWhy::NoChanges);
        }
    }

    fn settings_only(&self, target: TargetIndex) -> Option<Arc<PlannedTarget>> {
        let planned = self.state.targets[target].planned.clone()?;
        planned.settings_only.then_some(planned)
    }

    /// Starts to set what is still to be set on the stack of a target.
    fn apply_setting(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        setting: StackSetting,
    ) {
        if self.state.targets[target].setting != Some(setting) {
            self.emit_for(turn, now, target, EventKind::SettingIntended { setting });
        }
        if let Some((spec, approved)) = self.approved(target) {
            let work = TargetWork::ApplySetting { approved, setting };
            self.step(turn, target, spec, work);
        }
    }

    pub(super) fn push_execute(&mut self, turn: &mut Turn, now: Timestamp, scope: Scope) -> bool {
        let Some(rollout) = &self.state.rollout else {
            return false;
        };
        // Not asked while nothing may begin: what could begin grows from turn to turn then.
        if !self.begins_nothing() {
            let next = rollout.next();
            if self.push_gate(turn, now, &scope, next.gate) {
                return true;
            }
            for target in next.start {
                if let Some(target) = self.state.index_of(&target) {
                    self.emit_for(turn, now, target, EventKind::TargetStarted);
                }
            }
            for (target, reason) in next.skip {
                if let Some(target) = self.state.index_of(&target) {
                    let outcome = TargetOutcome::Skipped { reason };
                    self.finish(turn, now, target, outcome, Ending::none());
                    self.clean_up(turn, now, target, CleanupWhy::NotNeeded);
                }
            }
        }
        for target in self.at_rest(turn) {
            let state = &self.state.targets[target];
            match state.phase {
                Phase::Started if !self.begins_nothing() => self.verify(turn, target),
                // An unknown outcome is asked about once, not looked up over and over.
                Phase::Executing if self.is_looked_into(target) => {
                    self.look_into(turn, target);
                }
                Phase::Running if self.is_seen_to_its_end(target) => {
                    let token = execute_token(&self.state.id, self.name(target));
                    let artifacts = self.state.artifacts.clone();
                    if let Some((spec, approved)) = self.approved(target) {
                        let work = TargetWork::Watch {
                            approved,
                            token,
                            artifacts,
                        };
                        self.step(turn, target, spec, work);
                    }
                }
                // Part of what runs: a stop waits for it, and only leaving at once leaves it for later.
                Phase::Settled
                    if self.is_seen_to_its_end(target)
                        && self.state.stop != Some(StopMode::Abandon) =>
                {
                    if let Some(setting) = state.unapplied() {
                        self.apply_setting(turn, now, target, setting);
                    }
                }
                Phase::Finished if !state.is_being_cleaned() => {
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
        if !self.pending.is_empty() {
            return false;
        }
        let rollout = self.state.rollout.as_ref();
        let kind = if self.has_failed() {
            EventKind::ActionFailed {
                reason: "failures exceed the tolerance".to_owned(),
            }
        } else if let Some(reason) = rollout.and_then(closed_gate) {
            EventKind::ActionFailed { reason }
        } else if self.left_out() {
            EventKind::ActionFailed {
                reason: self.why_given_up(),
            }
        } else {
            EventKind::ActionSucceeded
        };
        self.emit(turn, now, scope, kind);
        true
    }

    pub(super) fn verify(&mut self, turn: &mut Turn, target: TargetIndex) {
        if let Some((spec, approved)) = self.approved(target) {
            let artifacts = self.state.artifacts.clone();
            let work = TargetWork::Verify {
                approved,
                artifacts,
            };
            self.step(turn, target, spec, work);
        }
    }

    pub(super) fn approved(
        &self,
        target: TargetIndex,
    ) -> Option<(crate::model::TargetSpec, Arc<PlannedTarget>)> {
        let state = &self.state.targets[target];
        Some((state.spec.clone().executing(), state.planned.clone()?))
    }
}
