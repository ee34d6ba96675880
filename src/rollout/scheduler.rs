//! The state of a rollout, and what it allows next.

use std::collections::HashMap;

use super::lane::Lane;
use super::wave::WaveState;
use crate::model::{
    FanOut, GatePlace, OperationPreferences, Region, SkipReason, Target, Wave, WaveName,
};

/// One operation over many targets, with the order, concurrency and tolerance of StackSets, wave after wave.
///
/// It only knows what it was told by [`begin`](Self::begin), [`finish`](Self::finish), [`skip`](Self::skip),
/// [`open`](Self::open) and [`close`](Self::close); telling a new one the same things in the same order gives an
/// equal one, which is how a resumed execution gets its rollout back.
///
/// ```text
/// waiting ──begin──► running ──finish──► ended
///    ├──────────finish (no change, no change set)──► ended
///    └──────────skip──────────────────────────────► ended
/// ```
///
/// Every other step, such as finishing twice, changes nothing: a target ends once, and the first end counts.
///
/// A wave begins when every target of the one before has ended, none of its regions failed, and its gates were
/// passed one after the other. Each wave has the arithmetic of a whole operation over its own targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    waves: Vec<WaveState>,
    /// The wave of each target, its lane there, and its place in that.
    places: HashMap<Target, (usize, usize, usize)>,
}

/// What a rollout allows now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Next {
    /// The targets to begin, in order.
    pub start: Vec<Target>,
    /// The targets that will not begin any more, and why.
    pub skip: Vec<(Target, SkipReason)>,
    /// The gate that is to be passed before anything else begins.
    pub gate: Option<GatePlace>,
    /// Whether every target has ended; nothing is started or skipped then.
    pub done: bool,
}

impl Rollout {
    /// Returns a rollout of one wave in which every target waits.
    ///
    /// Percentages are of all targets given here, so targets without changes belong in too; they are
    /// finished without being begun. A target named twice counts once.
    pub fn new(targets: &[Target], preferences: &OperationPreferences) -> Self {
        Self::in_waves(targets.iter(), preferences, &[])
    }

    /// Returns the rollout of an action in which every target waits.
    pub fn of(fan_out: &FanOut) -> Self {
        let targets = fan_out.targets.iter().map(|spec| &spec.target);
        Self::in_waves(targets, &fan_out.preferences, &fan_out.waves)
    }

    fn in_waves<'a>(
        targets: impl Iterator<Item = &'a Target>,
        preferences: &OperationPreferences,
        waves: &[Wave],
    ) -> Self {
        let mut wave_of: HashMap<&Target, usize> = HashMap::new();
        for (index, wave) in waves.iter().enumerate() {
            for target in &wave.targets {
                // The first wave that names a target has it: later is less careful.
                wave_of.entry(target).or_insert(index);
            }
        }
        // The targets that no wave names come last.
        let mut members: Vec<Vec<&Target>> = vec![Vec::new(); waves.len() + 1];
        let mut seen = std::collections::HashSet::new();
        for target in targets {
            let wave = wave_of.get(target).copied().unwrap_or(waves.len());
            if seen.insert(target)
                && let Some(members) = members.get_mut(wave)
            {
                members.push(target);
            }
        }
        let states: Vec<WaveState> = members
            .iter()
            .enumerate()
            .map(|(index, targets)| match waves.get(index) {
                Some(wave) => {
                    let preferences = wave.preferences.as_ref().unwrap_or(preferences);
                    let has_ended = !wave.ended.is_empty();
                    let name = wave.name.clone();
                    WaveState::new(name, targets, preferences, &wave.gates, has_ended)
                }
                None => WaveState::new(WaveName::rest(), targets, preferences, &[], false),
            })
            .collect();
        let mut places = HashMap::new();
        for (w, wave) in states.iter().enumerate() {
            for (l, lane) in wave.lanes.iter().enumerate() {
                for (t, target) in lane.targets.iter().enumerate() {
                    places.insert(target.clone(), (w, l, t));
                }
            }
        }
        Self {
            waves: states,
            places,
        }
    }

    /// Returns what may begin, what will not begin any more, and the gate that is to be passed.
    ///
    /// Asking changes nothing: the same answer comes until the rollout is told that something happened.
    pub fn next(&self) -> Next {
        let mut next = Next {
            done: self.waves.iter().all(WaveState::has_ended),
            ..Next::default()
        };
        for (index, wave) in self.waves.iter().enumerate() {
            wave.push(&mut next);
            let later = self.waves.get(index + 1..).unwrap_or_default();
            if let Some(reason) = wave.stops_later() {
                let lanes = later.iter().flat_map(|wave| &wave.lanes);
                next.skip
                    .extend(lanes.flat_map(|lane| lane.skipped(&reason)));
                return next;
            }
            if !wave.has_ended() {
                return next;
            }
            // A gate is for what comes after it.
            if later.iter().any(WaveState::has_waiting) {
                next.gate = wave.gate();
                if next.gate.is_some() {
                    return next;
                }
            }
        }
        next
    }

    /// Notes that `target` has begun.
    pub fn begin(&mut self, target: &Target) {
        if let Some((lane, place)) = self.find(target)
            && lane.waiting.remove(&place)
        {
            lane.running.insert(place);
        }
    }

    /// Notes that `target` has ended, begun or not, and whether that counts against the tolerance.
    pub fn finish(&mut self, target: &Target, failed: bool) {
        if let Some((lane, place)) = self.find(target)
            && (lane.running.remove(&place) || lane.waiting.remove(&place))
            && failed
        {
            lane.failed = lane.failed.saturating_add(1);
        }
    }

    /// Notes that `target` will not begin.
    pub fn skip(&mut self, target: &Target) {
        if let Some((lane, place)) = self.find(target) {
            lane.waiting.remove(&place);
        }
    }

    /// Notes that the gate was passed, if it is the one that is to be passed.
    pub fn open(&mut self, place: &GatePlace) {
        if let Some(wave) = self.at(place) {
            wave.open();
        }
    }

    /// Notes that the gate will not be passed, if it is the one that is to be passed.
    pub fn close(&mut self, place: &GatePlace, reason: &str) {
        if let Some(wave) = self.at(place) {
            wave.close(reason);
        }
    }

    /// Returns the targets that have neither begun nor ended, in order.
    pub fn waiting(&self) -> impl Iterator<Item = &Target> {
        self.lanes().flat_map(|lane| lane.at(&lane.waiting))
    }

    /// Returns the targets that have begun and not ended, in order.
    pub fn running(&self) -> impl Iterator<Item = &Target> {
        self.lanes().flat_map(|lane| lane.at(&lane.running))
    }

    /// Returns the regions with more failures than are tolerated, in order.
    pub fn failed_regions(&self) -> impl Iterator<Item = &Region> {
        let failed = self.lanes().filter(|lane| lane.has_failed());
        failed.map(|lane| &lane.region)
    }

    /// Returns whether any region has more failures than are tolerated.
    pub fn is_failed(&self) -> bool {
        self.failed_regions().next().is_some()
    }

    /// Returns why what has not been executed in `region` need not be any more, where the rollout has failed.
    pub fn why_failed(&self, region: &Region) -> Option<SkipReason> {
        let failed = || self.lanes().filter(|lane| lane.has_failed());
        let here = failed().find(|lane| lane.region == *region);
        here.map(Lane::why_failed).or_else(|| {
            let region = failed().next()?.region.clone();
            Some(SkipReason::EarlierRegionFailed { region })
        })
    }

    /// Returns why the gate after a wave was not passed, if that is so.
    pub fn closed_gate(&self) -> Option<SkipReason> {
        self.waves
            .iter()
            .filter(|wave| !wave.has_failed())
            .find_map(WaveState::stops_later)
    }

    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.waves.iter().flat_map(|wave| &wave.lanes)
    }

    fn find(&mut self, target: &Target) -> Option<(&mut Lane, usize)> {
        let &(wave, lane, place) = self.places.get(target)?;
        Some((self.waves.get_mut(wave)?.lanes.get_mut(lane)?, place))
    }

    fn at(&mut self, place: &GatePlace) -> Option<&mut WaveState> {
        if self.next().gate.as_ref() != Some(place) {
            return None;
        }
        self.waves.iter_mut().find(|w| w.name == place.wave)
    }
}

#[cfg(test)]
mod tests;
