//! What became of a request to execute whose answer was lost, or came too late to be believed.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::machine::{MAX_ATTEMPTS, Machine, Turn};
use super::names::execute_token;
use super::state::{Execution, Phase};
use super::step::{Findings, TargetWork, UnknownPolicy};
use super::targets::TargetIndex;
use crate::model::{
    CallFailure, Ending, EventKind, FailureKind, PauseReason, Settlement, Staleness, TargetOutcome,
};

impl Machine {
    /// Looks, before what the plan made is removed, whether somebody runs it from its file: the rest is that run's then. Returns
    /// whether that is not known yet.
    pub(super) fn looks_for_another_run(&mut self, turn: &mut Turn) -> bool {
        if !self.state.in_file || self.state.elsewhere {
            return false;
        }
        if !self.looked {
            if self.is_draining() {
                return true;
            }
            self.looked = true;
            let left: Vec<TargetIndex> = self.state.indices().collect();
            for target in left {
                let state = &self.state.targets[target];
                let is_left = state.phase == Phase::Ready && state.planned.is_some();
                if is_left && !self.busy.contains(target) && !self.is_lost(target) {
                    self.looking.insert(target);
                    self.look_into(turn, target);
                }
            }
        }
        !self.looking.is_empty()
    }

    /// Returns whether another run of the plan was found, which needs the change set of `target`.
    pub(super) fn is_left_to_another_run(&self, target: TargetIndex) -> bool {
        !self.run_elsewhere.is_empty() && !self.run_elsewhere.contains(&target)
    }

    /// Takes what was found out about another run of the plan. What cannot be told hinders nothing.
    pub(super) fn take_look(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        result: Result<Settlement, CallFailure>,
    ) {
        self.looking.remove(&target);
        match self.arrived(turn, now, target, result) {
            Some(Ok(Settlement::Accepted)) => {
                self.run_elsewhere.insert(target);
            }
            Some(Ok(Settlement::NotAccepted | Settlement::Unknown { .. }) | Err(_)) => {}
            // Whoever takes it up then looks again.
            None => self.looked = false,
        }
    }

    /// Finds out whether the target's change set is being executed.
    pub(super) fn look_into(&mut self, turn: &mut Turn, target: TargetIndex) {
        let token = execute_token(&self.state.id, self.name(target));
        if let Some((spec, approved)) = self.approved(target) {
            let work = TargetWork::Settle { approved, token };
            self.step(turn, target, spec, work);
        }
    }

    /// Returns whether it is due to find out what became of a request for `target`. Who has to be asked about one target is
    /// asked about all of them at once.
    pub(super) fn is_looked_into(&self, target: TargetIndex) -> bool {
        let may_call = match &self.state.paused {
            Some(PauseReason::OutcomeUnknown { .. }) => {
                !self.state.asked_about.contains(self.name(target))
            }
            None
            | Some(
                PauseReason::CredentialsExpired { .. }
                | PauseReason::SecretNeeded { .. }
                | PauseReason::GateUnreadable { .. }
                | PauseReason::Unreachable { .. },
            ) => self.is_seen_to_its_end(target),
        };
        may_call && !self.held.contains(&target)
    }

    pub(super) fn take_settlement(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        result: Option<Result<Settlement, CallFailure>>,
    ) {
        let Some(result) = result else {
            return;
        };
        if self.state.targets[target].phase == Phase::Started {
            return self.take_another_run(turn, now, target, result);
        }
        let unknown = match result {
            Ok(Settlement::Accepted) => {
                self.refused.remove(&target);
                // What somebody said was about whether it is executed, not about how that ends.
                self.looked_at.remove(&target);
                return self.emit_for(turn, now, target, EventKind::ExecuteAccepted);
            }
            Ok(Settlement::NotAccepted) => match self.not_accepted(turn, now, target) {
                Some(reason) => reason,
                None => return,
            },
            Ok(Settlement::Unknown { reason }) => match self.refused.remove(&target) {
                Some(failure) if self.is_first_attempt(target) => {
                    return self.not_executed(turn, now, target, &failure);
                }
                Some(failure) => asked_again(&reason, &failure),
                None => reason,
            },
            Err(failure) if failure.kind == FailureKind::Unreachable && self.is_lost(target) => {
                return self.lose(turn, now, target, &failure);
            }
            Err(failure) => failure.message,
        };
        self.unknown(turn, now, target, unknown);
    }

    /// Decides about a target that differs from what was approved and was not asked for here, where the plan may be run
    /// elsewhere too.
    fn take_another_run(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        result: Result<Settlement, CallFailure>,
    ) {
        let differences = self.differing.remove(&target).unwrap_or_default();
        match result {
            // Its change set is the other run's, as all that this one does not get to: nothing is removed.
            Ok(Settlement::Accepted) => {
                let outcome = TargetOutcome::Stale {
                    differences: vec![Staleness::ExecutedElsewhere],
                };
                self.finish(turn, now, target, outcome, Ending::none());
            }
            Ok(Settlement::NotAccepted | Settlement::Unknown { .. }) => {
                self.stale(turn, now, target, differences);
            }
            Err(failure) => self.not_executed(turn, now, target, &failure),
        }
    }

    /// Goes on with a target for which no request was accepted so far; returns why that cannot be done.
    pub(super) fn not_accepted(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
    ) -> Option<String> {
        if let Some(failure) = self.refused.remove(&target) {
            // Once somebody was asked and had it looked at again, no request that was lost before is on its way.
            if !self.is_first_attempt(target) && !self.asked_before.contains(&target) {
                let reason = "an earlier request, whose answer was lost, may still arrive";
                return Some(asked_again(reason, &failure));
            }
            self.not_executed(turn, now, target, &failure);
        } else if let Some(differences) = self.differing.remove(&target) {
            self.stale(turn, now, target, differences);
        } else if self.is_draining() {
            self.held.insert(target);
        } else if self.state.given_up
            || self.attempts.get(&target).is_none_or(|n| *n < MAX_ATTEMPTS)
        {
            // Compared with what was approved once more, then asked for with the same token.
            self.verify(turn, target);
        } else {
            return Some("the service keeps losing the request".to_owned());
        }
        None
    }

    /// Asks what became of a target, or takes the answer of whoever was asked before.
    pub(super) fn unknown(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        message: String,
    ) {
        // What somebody found out holds for what was under way then, not for what was asked since.
        let policy = if self.looked_at.remove(&target) {
            self.unknown.about(self.name(target))
        } else {
            UnknownPolicy::Ask
        };
        match policy {
            UnknownPolicy::Ask if self.is_unseen(target) => {
                let reason = format!(
                    "it cannot be told whether its change set was executed, and the execution was given up: {message}"
                );
                let outcome = TargetOutcome::Unknown { reason };
                self.finish(turn, now, target, outcome, Ending::none());
            }
            UnknownPolicy::Ask => {
                let reason = PauseReason::OutcomeUnknown {
                    target: self.name(target).clone(),
                    accepted: false,
                    message,
                };
                // Each is named, also those that are found while the execution comes to rest.
                if !self.state.asked_about.contains(self.name(target)) {
                    self.pause_also(turn, now, reason);
                }
            }
            UnknownPolicy::Executed => {
                self.emit_for(turn, now, target, EventKind::ExecuteAccepted);
            }
            UnknownPolicy::NotExecuted => {
                let outcome = TargetOutcome::Unknown { reason: message };
                self.finish(turn, now, target, outcome, Ending::none());
            }
        }
    }

    /// Asks what becomes of a target whose execution was accepted and cannot be watched.
    pub(super) fn ask_about_end(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        message: String,
    ) {
        let is_news = match &self.state.paused {
            None | Some(PauseReason::Unreachable { .. }) => true,
            // Each is named: whoever gives the execution up then knows of it.
            Some(PauseReason::OutcomeUnknown { .. }) => {
                !self.state.asked_about.contains(self.name(target))
            }
            // Found out again once that is mended.
            Some(
                PauseReason::CredentialsExpired { .. }
                | PauseReason::SecretNeeded { .. }
                | PauseReason::GateUnreadable { .. },
            ) => false,
        };
        if is_news {
            let reason = PauseReason::OutcomeUnknown {
                target: self.name(target).clone(),
                accepted: true,
                message,
            };
            self.pause_also(turn, now, reason);
        }
    }

    /// Returns whether whoever gave the execution up knew that it cannot be told what became of `target`.
    pub(super) fn is_unseen(&self, target: TargetIndex) -> bool {
        self.state.unseen.contains(self.name(target))
    }

    /// Returns whether nobody waits for the end of a target that was accepted, should it not be seen: somebody who was asked
    /// about it gave the execution up, or said that it is not to be waited for.
    pub(super) fn is_let_go(&self, target: TargetIndex) -> bool {
        let is_answered = self.unknown.about(self.name(target)) == UnknownPolicy::NotExecuted
            && self.looked_at.contains(&target);
        is_answered || self.is_unseen(target)
    }

    /// Returns whether somebody who was asked has said what became of `target`, which counts where nothing answers, too.
    pub(super) fn is_answered_for(&self, target: TargetIndex) -> bool {
        match self.unknown.about(self.name(target)) {
            UnknownPolicy::Ask => false,
            UnknownPolicy::Executed | UnknownPolicy::NotExecuted => {
                self.looked_at.contains(&target)
            }
        }
    }

    /// Returns whether the change set was asked for once: only then does a refusal prove that it is not executed. Before a
    /// later attempt, an earlier one may have been accepted, or may be yet.
    pub(super) fn is_first_attempt(&self, target: TargetIndex) -> bool {
        self.attempts.get(&target).is_none_or(|n| *n <= 1)
    }
}

/// Returns `reason`, and what the service said to the attempt that was refused.
fn asked_again(reason: &str, refusal: &CallFailure) -> String {
    format!(
        "{reason}; asked again, the service said: {}",
        refusal.message
    )
}

impl Execution {
    /// Returns the targets about which somebody was asked, and for which one answer can hold: those whose execution has no
    /// known answer. An answer for all of them says nothing about one that was accepted, unless that is named or the only one.
    pub(super) fn answerable(&self, findings: &Findings) -> BTreeSet<TargetIndex> {
        let is_only_one = self.asked_about.len() == 1;
        let asked_about = self.asked_about.iter();
        let asked_about = asked_about.filter_map(|name| Some((name, self.index_of(name)?)));
        let answerable = asked_about.filter(|(name, target)| match self.targets[*target].phase {
            Phase::Executing => true,
            Phase::Running => is_only_one || findings.named.contains_key(*name),
            Phase::Waiting
            | Phase::Creating
            | Phase::Created
            | Phase::Ready
            | Phase::Started
            | Phase::Settled
            | Phase::Finished => false,
        });
        answerable.map(|(_, target)| target).collect()
    }
}

#[cfg(test)]
mod tests;
