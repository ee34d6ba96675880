//! Regions in which nothing answers: no target fails for that, and what was not begun there waits.

use jiff::Timestamp;

use super::machine::{Machine, Turn};
use super::state::Phase;
use super::targets::TargetIndex;
use crate::model::{CallFailure, FailureKind, PauseReason, Region};

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
                // What is left out in any case, or was, is not waited for.
                let is_waited_for = match self.state.targets[target].phase {
                    Phase::Started => !self.state.given_up,
                    Phase::Executing | Phase::Running | Phase::Settled => true,
                    Phase::Waiting
                    | Phase::Creating
                    | Phase::Created
                    | Phase::Ready
                    | Phase::Finished => false,
                };
                if is_waited_for {
                    let region = self.name(target).region.clone();
                    self.pause_for_region(turn, now, &region, failure);
                }
                None
            }
            result => Some(result),
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

    /// Pauses the execution because nothing answers in `region`, which is told once.
    fn pause_for_region(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        region: &Region,
        failure: CallFailure,
    ) {
        // What somebody has to do outranks what only has to be waited for.
        let is_news = match &self.state.paused {
            None => true,
            Some(PauseReason::Unreachable { .. }) => !self.state.unreachable.contains(region),
            Some(
                PauseReason::CredentialsExpired { .. }
                | PauseReason::SecretNeeded { .. }
                | PauseReason::OutcomeUnknown { .. }
                | PauseReason::GateUnreadable { .. },
            ) => false,
        };
        if !is_news {
            return;
        }
        let (mut untouched, mut under_way) = (0, 0);
        let there = self.state.targets.iter();
        for (_, state) in there.filter(|(target, _)| target.region == *region) {
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
            region: region.clone(),
            untouched,
            under_way,
            message: failure.message,
        };
        self.pause_also(turn, now, reason);
    }
}

#[cfg(test)]
mod tests;
