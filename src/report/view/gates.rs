//! When gates were begun, and what became of them.

use jiff::Timestamp;

use super::{Fact, View};
use crate::model::{GatePlace, WaveName};

/// When a gate was begun, and when it was passed or closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::report) struct GateTimes {
    pub(super) begun: Option<Fact<()>>,
    pub(super) ended: Option<Fact<GateEnd>>,
}

/// What became of a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report) enum GateEnd {
    /// It was passed; with what its command wrote last.
    Passed(Option<String>),
    /// It will not be passed, and why.
    Closed(String),
}

impl GateTimes {
    /// Returns when it was begun.
    pub(in crate::report) fn begun(&self) -> Option<Timestamp> {
        self.begun.as_ref().map(|fact| fact.at)
    }

    /// Returns when it was passed or closed.
    pub(in crate::report) fn ended(&self) -> Option<Timestamp> {
        self.ended.as_ref().map(|fact| fact.at)
    }

    /// Returns what became of it, where that is known.
    pub(in crate::report) fn end(&self) -> Option<&GateEnd> {
        self.ended.as_ref().map(|fact| &fact.value)
    }

    /// Returns whether it was not passed.
    pub(in crate::report) fn is_closed(&self) -> bool {
        matches!(self.end(), Some(GateEnd::Closed(_)))
    }
}

impl View {
    /// Returns the gate that opens by itself, and when, while the execution waits for that.
    pub fn gate(&self) -> Option<&(GatePlace, Timestamp)> {
        let gate = self.gate.as_ref()?.value.as_ref();
        gate.filter(|_| self.outcome.is_none() && self.given_up.is_none())
    }

    /// Returns what holds that gate up, beside time.
    pub fn held(&self) -> Option<&str> {
        self.gate()?;
        self.held.as_ref()?.value.as_deref()
    }

    /// Returns whether the gate after a wave with that number was passed.
    pub fn has_passed(&self, wave: &WaveName, number: u32) -> bool {
        let end = self.times_of_gate(wave, number).and_then(GateTimes::end);
        matches!(end, Some(GateEnd::Passed(_)))
    }

    /// Returns when the gate after a wave with that number was begun and passed, as far as it was.
    pub(in crate::report) fn times_of_gate(
        &self,
        wave: &WaveName,
        number: u32,
    ) -> Option<&GateTimes> {
        self.gates.get(&(wave.clone(), number))
    }

    /// Returns whether a gate was not passed.
    pub(in crate::report) fn has_closed_gate(&self) -> bool {
        self.gates.values().any(GateTimes::is_closed)
    }

    pub(super) fn gate_times(&mut self, place: &GatePlace) -> &mut GateTimes {
        let key = (place.wave.clone(), place.number);
        self.gates.entry(key).or_default()
    }
}
