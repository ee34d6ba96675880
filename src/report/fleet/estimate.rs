//! How long the rest of a rollout will take, if what is left goes as what was done.

use jiff::{SignedDuration, Timestamp};

use super::{Fleet, FleetWave, Lane};
use crate::model::Gate;
use crate::report::words;

/// What is left of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) struct Left {
    /// How long the rest takes.
    pub(in crate::report) time: SignedDuration,
    /// How long an execution took so far, on average.
    pub(in crate::report) each: SignedDuration,
    /// Whether people, alarms or commands stand between the waves, which take as long as they take.
    pub(in crate::report) has_gates: bool,
}

impl Left {
    /// Returns `about 25 min left, at 1 min 2 s a target`; minutes are rounded up.
    pub(in crate::report) fn told(&self) -> String {
        let minutes = self.time.as_secs().saturating_add(59) / 60;
        let time = match (minutes / 60, minutes % 60) {
            (0, 0 | 1) => "less than a minute".to_owned(),
            (0, minutes) => format!("about {minutes} min"),
            (hours, minutes) => format!("about {hours} h {minutes} min"),
        };
        let each = words::duration(self.each);
        let besides = match self.has_gates {
            true => ", and what the gates take",
            false => "",
        };
        format!("{time} left, at {each} a target{besides}")
    }
}

impl Fleet<'_> {
    /// Returns what is left, once an execution has ended from whose time it can be told.
    pub(in crate::report) fn left(&self, now: Timestamp) -> Option<Left> {
        let number = self.executed.number;
        if number < 1 || self.view.outcome().is_some() {
            return None;
        }
        let each = self.executed.time / number;
        let last = self.waves.iter().rposition(|wave| !wave.has_ended())?;
        let mut left = Left {
            time: SignedDuration::ZERO,
            each,
            has_gates: false,
        };
        if let Some((place, until)) = self.view.gate() {
            match place.gate {
                Gate::Bake { .. } | Gate::Alarms(_) => {
                    left.time += until.duration_since(now).max(SignedDuration::ZERO);
                }
                // Until when they may take is not how long they take.
                Gate::Command(_) | Gate::Approval => left.has_gates = true,
            }
        }
        // What stands before a wave that has begun was passed.
        let begun = self.waves.iter().rposition(FleetWave::has_begun);
        for (index, wave) in self.waves.iter().enumerate().take(last + 1) {
            left.time = left.time.saturating_add(wave.time(each));
            // What comes after the last targets is not waited for.
            let is_ahead = index < last && begun.is_none_or(|begun| index >= begun);
            let gates = wave.gates.iter().zip(1..);
            for (gate, number) in gates.filter(|_| is_ahead) {
                if self.is_over_or_counted(wave, number) {
                    continue;
                }
                let minutes = match gate {
                    Gate::Bake { minutes } => *minutes,
                    Gate::Alarms(check) => check.minutes,
                    Gate::Command(_) | Gate::Approval => 0,
                };
                let time = SignedDuration::from_mins(i64::from(minutes));
                left.time = left.time.saturating_add(time);
                left.has_gates |= !matches!(gate, Gate::Bake { .. });
            }
        }
        Some(left)
    }
}

impl Fleet<'_> {
    /// Returns whether a gate was passed, or is the one whose own time is known.
    fn is_over_or_counted(&self, wave: &FleetWave, number: u32) -> bool {
        let Some(name) = &wave.name else {
            return false;
        };
        let now = self.view.gate();
        now.is_some_and(|(place, _)| place.wave == *name && place.number == number)
            || self.view.has_passed(name, number)
    }
}

impl FleetWave {
    fn has_begun(&self) -> bool {
        // Where there is nothing to change, that is known before the rollout begins.
        let is_begun = |lane: &Lane| {
            let counts = &lane.counts;
            counts.running + counts.succeeded + counts.failed + counts.unknown + counts.stale > 0
        };
        self.lanes.iter().any(is_begun)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.lanes.iter().all(Lane::has_ended)
    }

    fn time(&self, each: SignedDuration) -> SignedDuration {
        let times = self.lanes.iter().map(|lane| lane.time(each));
        match self.in_sequence {
            true => times.fold(SignedDuration::ZERO, SignedDuration::saturating_add),
            false => times.max().unwrap_or_default(),
        }
    }
}

impl Lane {
    pub(super) fn has_ended(&self) -> bool {
        self.counts.ended() == self.counts.total
    }

    pub(super) fn failed(&self) -> u32 {
        u32::try_from(self.counts.failures()).unwrap_or(u32::MAX)
    }

    /// Returns how long the targets take that have not ended.
    fn time(&self, each: SignedDuration) -> SignedDuration {
        let left = self.counts.total - self.counts.ended();
        let at_once = usize::try_from(self.limits.allowed(self.failed())).unwrap_or(usize::MAX);
        let rounds = left.div_ceil(at_once.max(1));
        let rounds = i32::try_from(rounds).unwrap_or(i32::MAX);
        each.checked_mul(rounds).unwrap_or(SignedDuration::MAX)
    }
}
