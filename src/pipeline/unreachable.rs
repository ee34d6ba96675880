//! Regions in which nothing answers: no target fails for that, and what was not begun there waits.

use jiff::Timestamp;

use super::machine::{Machine, Turn};
use super::state::Phase;
use super::targets::TargetIndex;
use crate::model::{
    CallFailure, CleanupWhy, Ending, EventKind, FailureKind, PauseReason, Scope, Silence,
    TargetOutcome,
};
use crate::rollout::Rollout;

impl Machine {
    /// Notes that a step of carrying out what was approved ended. Returns its result unless the execution must pause for it,
    /// which it also does where nothing answers.
    pub(super) fn reached<T>(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        result: Result<T, CallFailure>,
    ) -> Option<Result<T, CallFailure>> {
        match self.arrived(turn, now, target, result)? {
            Err(failure) if failure.kind == FailureKind::Unreachable => {
                match self.state.targets[target].phase {
                    // What is left out in any case is not waited for.
                    Phase::Started if self.state.given_up => None,
                    Phase::Started if self.has_failed() => {
                        self.leave_out_region(turn, now, target);
                        None
                    }
                    Phase::Executing | Phase::Running | Phase::Settled if self.is_lost(target) => {
                        Some(Err(failure))
                    }
                    Phase::Started | Phase::Executing | Phase::Running | Phase::Settled => {
                        self.pause_for_region(turn, now, target, failure);
                        None
                    }
                    Phase::Waiting
                    | Phase::Creating
                    | Phase::Created
                    | Phase::Ready
                    | Phase::Finished => None,
                }
            }
            result => Some(result),
        }
    }

    /// Tells that nothing usable comes from a region, while what was approved is carried out and waits for it.
    pub(super) fn take_silence(&mut self, turn: &mut Turn, now: Timestamp, silence: Silence) {
        let region = &silence.region;
        let is_told = self.state.silent.contains(region) || self.state.unreachable.contains(region);
        if self.state.rollout.is_some() && !is_told {
            let kind = EventKind::RegionSilent { silence };
            self.emit(turn, now, Scope::default(), kind);
        }
    }

    /// Notes that a call was answered where `target` is.
    pub(super) fn heard_from(&mut self, target: TargetIndex) {
        let region = &self.state.name_of(target).region;
        if !self.answered.contains(region) {
            self.answered.insert(region.clone());
        }
    }

    /// Returns whether whoever gave the execution up knew that nothing answers where `target` is.
    pub(super) fn is_lost(&self, target: TargetIndex) -> bool {
        self.state.lost.contains(&self.name(target).region)
    }

    /// Ends a target that was begun, and that nobody waits for: how it ended is for whoever looks at it later.
    pub(super) fn lose(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        failure: &CallFailure,
    ) {
        let reason = format!(
            "it was under way when {} stopped answering, and the execution was given up then ({}); the stack's events tell how it ended",
            self.name(target).region,
            failure.message
        );
        let outcome = TargetOutcome::Unknown { reason };
        self.finish(turn, now, target, outcome, Ending::none());
    }

    /// Returns whether the rollout has failed for good.
    pub(super) fn has_failed(&self) -> bool {
        self.state.rollout.as_ref().is_some_and(Rollout::is_failed)
    }

    /// Leaves out what was not executed in the region of `target`, of a rollout that has failed: it is no use to wait for the region only
    /// to carry out more of what is a failure, and a rollback may be due.
    fn leave_out_region(&mut self, turn: &mut Turn, now: Timestamp, target: TargetIndex) {
        let region = self.name(target).region.clone();
        let Some(reason) = self
            .state
            .rollout
            .as_ref()
            .and_then(|rollout| rollout.why_failed(&region))
        else {
            return;
        };
        let is_unexecuted = |target: &TargetIndex| {
            let phase = self.state.targets[*target].phase;
            self.name(*target).region == region
                && matches!(phase, Phase::Ready | Phase::Started)
                && !self.busy.contains(*target)
        };
        let unexecuted: Vec<TargetIndex> = self.state.indices().filter(is_unexecuted).collect();
        for target in unexecuted {
            let reason = reason.clone();
            let outcome = TargetOutcome::Skipped { reason };
            self.finish(turn, now, target, outcome, Ending::none());
            self.clean_up(turn, now, target, CleanupWhy::NotNeeded);
        }
    }

    /// Returns whether what was begun at `target` is seen to its end now.
    ///
    /// One region in which nothing answers says nothing about the others. All other pauses may concern every call.
    pub(super) fn is_seen_to_its_end(&self, target: TargetIndex) -> bool {
        match &self.state.paused {
            None => true,
            Some(PauseReason::Unreachable { .. }) => {
                !self.state.unreachable.contains(&self.name(target).region)
            }
            Some(
                PauseReason::CredentialsExpired { .. }
                | PauseReason::SecretNeeded { .. }
                | PauseReason::OutcomeUnknown { .. }
                | PauseReason::GateUnreadable { .. },
            ) => false,
        }
    }

    /// Pauses the execution because nothing answers where `target` is, which is told once for its region.
    fn pause_for_region(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        failure: CallFailure,
    ) {
        let region = self.name(target).region.clone();
        // What somebody has to do outranks what only has to be waited for.
        let is_news = match &self.state.paused {
            None => true,
            Some(PauseReason::Unreachable { .. }) => !self.state.unreachable.contains(&region),
            Some(
                PauseReason::CredentialsExpired { .. }
                | PauseReason::SecretNeeded { .. }
                | PauseReason::OutcomeUnknown { .. }
                | PauseReason::GateUnreadable { .. },
            ) => false,
        };
        if !is_news {
            // Another pause may let it be looked into, which would never end.
            self.held.insert(target);
            return;
        }
        let (mut untouched, mut under_way) = (0, 0);
        let there = self.state.targets.iter();
        for (_, state) in there.filter(|(target, _)| target.region == region) {
            match state.phase {
                Phase::Waiting
                | Phase::Creating
                | Phase::Created
                | Phase::Ready
                | Phase::Started => untouched += 1,
                Phase::Executing | Phase::Running | Phase::Settled => under_way += 1,
                Phase::Finished => {}
            }
        }
        let reason = PauseReason::Unreachable {
            region,
            untouched,
            under_way,
            message: failure.message,
        };
        self.pause_also(turn, now, reason);
    }
}

#[cfg(test)]
mod tests;
