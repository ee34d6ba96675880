//! What stands between two waves: how it is begun, and when it is passed.

use jiff::{SignedDuration, Timestamp};

use super::machine::{Machine, Turn};
use super::state::{GateState, GateWait};
use crate::approval;
use crate::model::{
    ActionCategory, AlarmCheck, Decision, EventKind, Gate, GateCommand, GatePlace, Scope,
    SkipReason,
};
use crate::rollout::Rollout;

impl Machine {
    /// Goes on with the gate that is to be passed, if there is one, where something may begin. Returns whether the state
    /// moved.
    pub(super) fn push_gate(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        scope: &Scope,
        next: Option<GatePlace>,
    ) -> bool {
        let kind = match (&self.state.gate, next) {
            (Some(gate), _) => {
                let kind = gate.verdict(now).or_else(|| self.nothing_to_see());
                if kind.is_none() {
                    self.push_check(turn, now, scope);
                }
                kind
            }
            (None, Some(place)) => self.begin_gate(place, now),
            (None, None) => None,
        };
        let Some(kind) = kind else {
            return false;
        };
        self.emit(turn, now, scope.clone(), kind);
        true
    }

    /// Returns what begins to pass a gate.
    fn begin_gate(&self, place: GatePlace, now: Timestamp) -> Option<EventKind> {
        let after = |minutes: u32| {
            let time = SignedDuration::from_mins(i64::from(minutes));
            now.checked_add(time).unwrap_or(Timestamp::MAX)
        };
        match place.gate {
            Gate::Bake { minutes } => {
                let until = after(minutes);
                Some(EventKind::GateStarted { place, until })
            }
            Gate::Alarms(AlarmCheck { minutes, .. })
            | Gate::Command(GateCommand {
                timeout_minutes: minutes,
                ..
            }) => {
                let until = after(minutes);
                Some(EventKind::GateStarted { place, until })
            }
            Gate::Approval => Some(EventKind::ApprovalRequested {
                plan: self.state.plan?,
                expires: after(self.validity()),
                wave: Some(place.wave),
            }),
        }
    }

    /// Returns how long an answer is waited for, in minutes: as long as for the one about the plan.
    fn validity(&self) -> u32 {
        let mut actions = self.state.definition.pipeline.actions();
        actions
            .find(|action| action.action_type_id.category == ActionCategory::Approval)
            .and_then(|action| action.timeout_in_minutes)
            .unwrap_or(approval::DEFAULT_VALIDITY_MINUTES)
    }
}

impl GateState {
    /// Returns what became of it at `now`; nothing while that is open.
    fn verdict(&self, now: Timestamp) -> Option<EventKind> {
        let place = self.place.clone();
        match &self.wait {
            GateWait::Check { .. } => None,
            GateWait::Until(until) => (now >= *until).then_some(opened(place)),
            GateWait::Answer(request) => {
                let answer = request.answered.as_ref()?;
                Some(match answer.decision {
                    Decision::Approve => opened(place),
                    Decision::Reject => {
                        let why = match answer.summary.is_empty() {
                            true => String::new(),
                            false => format!(": {}", answer.summary),
                        };
                        let reason = format!("rejected by {}{why}", answer.approver.os_user);
                        EventKind::GateClosed {
                            place,
                            reason: crate::model::clean(&reason),
                        }
                    }
                })
            }
        }
    }
}

fn opened(place: GatePlace) -> EventKind {
    EventKind::GateOpened { place, said: None }
}

/// Returns why a rollout did not go on after a wave, in one line.
pub(super) fn closed_gate(rollout: &Rollout) -> Option<String> {
    match rollout.closed_gate()? {
        SkipReason::GateClosed { wave, gate, reason } => {
            Some(format!("{gate} after wave {wave} was not passed: {reason}"))
        }
        // A rollout closes no gate for another reason.
        SkipReason::ToleranceExceeded { .. }
        | SkipReason::EarlierRegionFailed { .. }
        | SkipReason::EarlierWaveFailed { .. }
        | SkipReason::Rejected
        | SkipReason::ApprovalExpired
        | SkipReason::Stopped
        | SkipReason::RunElsewhere
        | SkipReason::RegionNotEnabled
        | SkipReason::PlanIncomplete
        | SkipReason::NothingToDo => None,
    }
}
