//! Gates that are looked at from outside: alarms, and a command.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::machine::{Machine, Turn};
use super::state::{GateState, GateWait};
use super::step::{Step, StepKind};
use crate::model::{
    AlarmFound, AlarmState, CallFailure, EventKind, Gate, GatePlace, PauseReason, Scope, Target,
    TargetOutcome, TargetSpec, WaveName,
};

/// How often alarms are looked at. CloudWatch evaluates most of them once a minute.
const POLL: Duration = Duration::from_secs(15);
/// How long an alarm may be missing: one that the wave itself made may not be seen at once.
const ABSENT: SignedDuration = SignedDuration::from_mins(1);
/// How long an alarm may be without data after a wave, if the baking time is not longer.
const WITHOUT_DATA: SignedDuration = SignedDuration::from_mins(15);

/// What the alarms make of a gate.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Opens,
    Closes(String),
    /// It goes on being looked at, for time alone or for what is said.
    Waits(Option<String>),
}

impl Machine {
    /// Starts to look at the gate that is being passed, unless it is being looked at.
    pub(super) fn push_check(&mut self, turn: &mut Turn, now: Timestamp, scope: &Scope) {
        let Some(GateState {
            place,
            wait: GateWait::Check { until, .. },
        }) = &self.state.gate
        else {
            return;
        };
        if self.checking {
            return;
        }
        let place = place.clone();
        let kind = match &place.gate {
            Gate::Alarms(check) => StepKind::ReadAlarms {
                check: check.clone(),
                specs: self.to_look_in(&place.wave),
                after: match self.checked {
                    true => next_look(now, *until),
                    false => Duration::ZERO,
                },
                place,
            },
            Gate::Command(command) => StepKind::RunCommand {
                command: command.clone(),
                execution: self.state.id.clone(),
                targets: self.ended_in(&place.wave),
                place,
            },
            Gate::Bake { .. } | Gate::Approval => return,
        };
        self.checking = true;
        let scope = scope.clone();
        turn.steps.push(Step { scope, kind });
    }

    pub(super) fn take_alarms(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        place: &GatePlace,
        result: Result<Vec<AlarmFound>, CallFailure>,
    ) {
        self.checking = false;
        let Some((since, until, held)) = self.being_checked(place) else {
            return;
        };
        let found = match result {
            Ok(found) => found,
            // What cannot be seen may well be good: nothing is called a failure for that.
            Err(failure) => {
                if let Some(failure) = self.pause_for(turn, now, failure) {
                    let reason = PauseReason::GateUnreadable {
                        wave: place.wave.clone(),
                        message: failure.message,
                    };
                    self.pause(turn, now, reason);
                }
                return;
            }
        };
        self.checked = true;
        let place = place.clone();
        let kind = match judge(found, since, until, now) {
            Verdict::Opens => EventKind::GateOpened { place, said: None },
            Verdict::Closes(reason) => EventKind::GateClosed { place, reason },
            Verdict::Waits(reason) if reason != held => EventKind::GateHeld { place, reason },
            Verdict::Waits(_) => return,
        };
        self.end_check(turn, now, kind);
    }

    pub(super) fn take_command(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        place: &GatePlace,
        result: Result<String, String>,
    ) {
        self.checking = false;
        if self.being_checked(place).is_none() {
            return;
        }
        let place = place.clone();
        let kind = match result {
            Ok(said) => {
                let said = Some(crate::model::clean(&said)).filter(|said| !said.is_empty());
                EventKind::GateOpened { place, said }
            }
            Err(reason) => EventKind::GateClosed {
                place,
                reason: crate::model::clean(&reason),
            },
        };
        self.end_check(turn, now, kind);
    }

    fn end_check(&mut self, turn: &mut Turn, now: Timestamp, kind: EventKind) {
        let scope = self.current_action_scope();
        self.emit(turn, now, scope, kind);
        // The next gate is looked at for the first time.
        self.checked &= self.state.gate.is_some();
    }

    /// Returns since when and until when the gate is looked at, and what holds it up; nothing if it is another one's turn.
    fn being_checked(&self, place: &GatePlace) -> Option<(Timestamp, Timestamp, Option<String>)> {
        match self.state.gate.as_ref()? {
            GateState {
                place: passed,
                wait: GateWait::Check { since, until, held },
            } if passed == place => Some((*since, *until, held.clone())),
            GateState { .. } => None,
        }
    }

    /// Returns the targets of a wave of the running action that ended, here or in the execution that this one goes on from.
    fn targets_of(&self, wave: &WaveName) -> Vec<(&TargetSpec, &TargetOutcome)> {
        let scope = self.current_action_scope();
        let mut actions = self.state.definition.pipeline.actions();
        let action = actions.find(|action| Some(&action.name) == scope.action.as_ref());
        let waves = action.and_then(|a| a.fan_out.as_ref()).map(|f| &f.waves);
        let wave = waves.and_then(|waves| waves.iter().find(|w| w.name == *wave));
        let before = wave.into_iter().flat_map(|wave| &wave.ended);
        let before = before.map(|target| (&target.spec, &target.outcome));
        let here = wave.into_iter().flat_map(|wave| &wave.targets);
        let here = here.filter_map(|target| {
            let state = self.state.targets.get(target)?;
            Some((&state.spec, state.outcome.as_ref()?))
        });
        before.chain(here).collect()
    }

    /// Returns where the alarms of a wave are looked at: where its stacks are what was planned, or were touched.
    fn to_look_in(&self, wave: &WaveName) -> Vec<TargetSpec> {
        let targets = self.targets_of(wave).into_iter();
        let there = targets.filter(|(_, outcome)| match outcome {
            TargetOutcome::Succeeded { .. }
            | TargetOutcome::NoChanges
            | TargetOutcome::Failed {
                status: Some(_), ..
            }
            | TargetOutcome::Unknown { .. } => true,
            TargetOutcome::NotPlanned { .. }
            | TargetOutcome::Failed { status: None, .. }
            | TargetOutcome::Stale { .. }
            | TargetOutcome::Skipped { .. } => false,
        });
        there.map(|(spec, _)| spec.clone().executing()).collect()
    }

    fn ended_in(&self, wave: &WaveName) -> Vec<(Target, TargetOutcome)> {
        let targets = self.targets_of(wave).into_iter();
        targets
            .map(|(spec, outcome)| (spec.target.clone(), outcome.clone()))
            .collect()
    }

    /// Closes a gate that watches alarms after a wave of which no stack is there: nothing was seen to be good.
    pub(super) fn nothing_to_see(&self) -> Option<EventKind> {
        let place = &self.state.gate.as_ref()?.place;
        match &place.gate {
            Gate::Alarms(_) if self.to_look_in(&place.wave).is_empty() => {}
            Gate::Alarms(_) | Gate::Bake { .. } | Gate::Command(_) | Gate::Approval => return None,
        }
        Some(EventKind::GateClosed {
            place: place.clone(),
            reason: "no stack of the wave was deployed or found as planned, so there is no place to look at alarms in"
                .to_owned(),
        })
    }
}

/// Returns how long to wait before alarms are looked at again: not beyond `until`, at which they must be OK.
fn next_look(now: Timestamp, until: Timestamp) -> Duration {
    match now < until {
        true => until.duration_since(now).unsigned_abs().min(POLL),
        false => POLL,
    }
}

/// Returns what the alarms that are not OK make of a gate that is looked at since `since`.
fn judge(
    mut found: Vec<AlarmFound>,
    since: Timestamp,
    until: Timestamp,
    now: Timestamp,
) -> Verdict {
    found.sort();
    let Some(worst) = found.first() else {
        return match now < until {
            true => Verdict::Waits(None),
            false => Verdict::Opens,
        };
    };
    let others = match found.len() - 1 {
        0 => String::new(),
        others => format!("; and {others} more not OK"),
    };
    let told = crate::model::clean(&format!("{worst}{others}"));
    let at_least = |time: SignedDuration| now.duration_since(since) >= time;
    let is_over = match worst.state {
        AlarmState::Alarm => true,
        AlarmState::Absent => at_least(ABSENT),
        AlarmState::NoData => now >= until && at_least(WITHOUT_DATA),
    };
    match is_over {
        true => Verdict::Closes(told),
        false => Verdict::Waits(Some(told)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountId, Region, StackName, Target};

    fn found(state: AlarmState, alarm: &str) -> AlarmFound {
        let target = Target {
            account: AccountId::new("111111111111").unwrap(),
            region: Region::new("eu-west-1").unwrap(),
            stack: StackName::new("app").unwrap(),
        };
        let (alarm, reason) = (alarm.to_owned(), "3 errors".to_owned());
        AlarmFound {
            state,
            target,
            alarm,
            reason,
        }
    }

    /// Judges after so many seconds, with a baking time of so many.
    fn after(seconds: i64, bakes: i64, found: Vec<AlarmFound>) -> Verdict {
        let since: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let at = |seconds| since + SignedDuration::from_secs(seconds);
        judge(found, since, at(bakes), at(seconds))
    }

    #[test]
    fn a_gate_opens_when_all_are_ok_after_the_baking_time() {
        assert_eq!(after(0, 0, Vec::new()), Verdict::Opens);
        assert_eq!(after(599, 600, Vec::new()), Verdict::Waits(None));
        assert_eq!(after(600, 600, Vec::new()), Verdict::Opens);
    }

    #[test]
    fn an_alarm_closes_it_at_once() {
        let noise = found(AlarmState::NoData, "a-quiet");
        let verdict = after(1, 600, vec![noise, found(AlarmState::Alarm, "errors")]);
        let told =
            "alarm errors is in ALARM in 111111111111/eu-west-1: 3 errors; and 1 more not OK";
        assert_eq!(verdict, Verdict::Closes(told.to_owned()));
    }

    #[test]
    fn what_is_missing_or_without_data_is_waited_for_and_never_ok() {
        let is = |seconds, bakes, state| match after(seconds, bakes, vec![found(state, "errors")]) {
            Verdict::Opens => "opens",
            Verdict::Closes(_) => "closes",
            Verdict::Waits(None) => "waits for time",
            Verdict::Waits(Some(_)) => "waits",
        };
        let seconds = [0, 59, 60, 899, 900, 3600];
        let told = |bakes, state| seconds.map(|seconds| is(seconds, bakes, state));
        let absent = ["waits", "waits", "closes", "closes", "closes", "closes"];
        assert_eq!(told(0, AlarmState::Absent), absent);
        assert_eq!(told(1800, AlarmState::Absent), absent);
        let without_data = ["waits", "waits", "waits", "waits", "closes", "closes"];
        assert_eq!(told(0, AlarmState::NoData), without_data);
        let longer = ["waits", "waits", "waits", "waits", "waits", "closes"];
        assert_eq!(told(1800, AlarmState::NoData), longer);
    }

    #[test]
    fn the_last_look_is_at_the_end_of_the_baking_time() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let at = |seconds| now + SignedDuration::from_secs(seconds);
        assert_eq!(next_look(now, at(600)), POLL);
        assert_eq!(next_look(now, at(4)), Duration::from_secs(4));
        assert_eq!(next_look(now, at(-1)), POLL);
    }
}
