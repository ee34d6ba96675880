//! A fleet while it is worked on: what the events of an execution come to, kept up to date with each of them.
//!
//! A screen is drawn several times a second, and a log may get a line at every event. With thousands of targets neither
//! may look at all of them, so an event takes its target out of all figures as it was, and puts it in as it is.

mod estimate;
mod screen;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    Event, EventKind, Gate, Limits, OperationPreferences, Region, RegionConcurrency, Target,
    TargetOutcome, Wave, WaveName, status_reason,
};

use super::view::Counts;
use super::words::{self, Places};
use super::{Phase, TargetView, View};

pub(super) use screen::{Rooms, UNDER_WAY, WHEN_LEFT, now_in, sections, wave_now};

/// An execution and the figures of its targets.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Fleet<'v> {
    view: Cow<'v, View>,
    places: Places,
    waves: Vec<FleetWave>,
    /// The wave of each target, and its lane there.
    lane_of: HashMap<Target, (usize, usize)>,
    counts: Counts,
    /// What is worked on, the longest first.
    under_way: BTreeSet<(Timestamp, Target)>,
    /// The targets that failed, by why; what differs between accounts and regions is left out of that.
    struck: BTreeMap<String, BTreeSet<Target>>,
    executed: Executed,
}

/// The targets of a wave; all of them where there are no waves.
#[derive(Debug, Clone, Default, PartialEq)]
struct FleetWave {
    name: Option<WaveName>,
    lanes: Vec<Lane>,
    gates: Vec<Gate>,
    in_sequence: bool,
}

/// The targets of a region in a wave: what tolerance and concurrency are counted over.
#[derive(Debug, Clone, PartialEq)]
struct Lane {
    region: Region,
    limits: Limits,
    counts: Counts,
}

/// A region in a wave, as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct RegionSeen<'f> {
    pub(super) wave: Option<&'f WaveName>,
    pub(super) region: &'f Region,
    pub(super) limits: Limits,
    pub(super) targets: usize,
    pub(super) failed: u32,
}

impl RegionSeen<'_> {
    /// Returns whether more targets failed than may.
    pub(super) fn is_halted(&self) -> bool {
        self.limits.is_exceeded(self.failed)
    }
}

/// How long the executions took that ended.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Executed {
    number: i32,
    time: SignedDuration,
}

impl Fleet<'static> {
    /// Returns the fleet of an execution that goes on.
    pub(super) fn of(view: View) -> Self {
        Self::with(Cow::Owned(view))
    }
}

impl<'v> Fleet<'v> {
    /// Returns the fleet of an execution as it is known.
    pub(super) fn seen(view: &'v View) -> Self {
        Self::with(Cow::Borrowed(view))
    }

    fn with(view: Cow<'v, View>) -> Self {
        let mut fleet = Self {
            view,
            ..Self::default()
        };
        fleet.count_anew();
        fleet
    }

    /// Takes an event in, as [`View::apply`] does.
    pub(super) fn apply(&mut self, event: &Event) {
        if let EventKind::ExecutionStarted { .. } = &event.kind {
            self.view.to_mut().apply(event);
            self.count_anew();
        } else if let Some(target) = &event.scope.target {
            self.count(target, false);
            self.view.to_mut().apply(event);
            self.count(target, true);
        } else {
            self.view.to_mut().apply(event);
        }
    }

    /// Returns the execution.
    pub(super) fn view(&self) -> &View {
        &self.view
    }

    /// Returns the execution, for whoever goes on without the figures.
    pub(super) fn into_view(self) -> View {
        self.view.into_owned()
    }

    /// Returns how its targets are named.
    pub(super) fn places(&self) -> &Places {
        &self.places
    }

    /// Returns how many targets are in which phase.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Returns what is worked on, the longest first.
    pub(super) fn under_way(&self) -> impl Iterator<Item = &TargetView> {
        let targets = self.under_way.iter();
        targets.filter_map(|(_, target)| self.view.target(target))
    }

    /// Returns the regions, wave by wave.
    pub(super) fn regions(&self) -> impl Iterator<Item = RegionSeen<'_>> {
        self.waves.iter().flat_map(|wave| {
            wave.lanes.iter().map(|lane| RegionSeen {
                wave: wave.name.as_ref(),
                region: &lane.region,
                limits: lane.limits,
                targets: lane.counts.total,
                failed: lane.failed(),
            })
        })
    }

    /// Returns why targets failed, the most frequent first.
    pub(super) fn struck(&self) -> Vec<(&str, &BTreeSet<Target>)> {
        let mut all: Vec<(&str, &BTreeSet<Target>)> = self
            .struck
            .iter()
            .map(|(text, targets)| (text.as_str(), targets))
            .collect();
        all.sort_by_key(|(_, targets)| std::cmp::Reverse(targets.len()));
        all
    }

    fn count_anew(&mut self) {
        let targets: Vec<Target> = self
            .view
            .targets()
            .iter()
            .map(|target| target.target().clone())
            .collect();
        self.places = Places::of(&targets);
        let nothing = OperationPreferences::default();
        let preferences = self.view.preferences().unwrap_or(&nothing);
        self.waves = waves(&targets, preferences, self.view.waves());
        self.lane_of.clear();
        let wave_of = wave_of(self.view.waves());
        for target in &targets {
            let wave = wave_of.get(target).copied();
            let wave = wave.unwrap_or(self.view.waves().len());
            let lanes = self.waves.get(wave).map_or(&[][..], |wave| &wave.lanes);
            if let Some(lane) = lanes.iter().position(|lane| lane.region == target.region) {
                self.lane_of.insert(target.clone(), (wave, lane));
            }
        }
        self.counts = Counts::default();
        self.under_way.clear();
        self.struck.clear();
        self.executed = Executed::default();
        for target in &targets {
            self.count(target, true);
        }
    }

    /// Puts a target into all figures as it is, or takes it out.
    fn count(&mut self, target: &Target, adds: bool) {
        let Some(seen) = self.view.target(target) else {
            return;
        };
        let phase = seen.phase();
        let step = |counts: &mut Counts| {
            let by_one = |number: usize| match adds {
                true => number + 1,
                false => number.saturating_sub(1),
            };
            counts.total = by_one(counts.total);
            let slot = counts.slot(phase);
            *slot = by_one(*slot);
        };
        step(&mut self.counts);
        if let Some(&(wave, lane)) = self.lane_of.get(target)
            && let Some(wave) = self.waves.get_mut(wave)
            && let Some(lane) = wave.lanes.get_mut(lane)
        {
            step(&mut lane.counts);
        }
        if let Some(began) = seen.began().filter(|_| is_under_way(seen)) {
            let place = (began, target.clone());
            match adds {
                true => self.under_way.insert(place),
                false => self.under_way.remove(&place),
            };
        }
        if let Some(why) = seen.outcome().and_then(why) {
            let targets = self.struck.entry(why.clone()).or_default();
            if adds {
                targets.insert(target.clone());
            } else {
                targets.remove(target);
            }
            if targets.is_empty() {
                self.struck.remove(&why);
            }
        }
        if let Some(took) = took(seen) {
            if adds {
                self.executed.number += 1;
                self.executed.time += took;
            } else {
                self.executed.number -= 1;
                self.executed.time -= took;
            }
        }
    }
}

/// Returns the wave of each target that is in one; the first that names it has it, as in the rollout.
fn wave_of(waves: &[Wave]) -> HashMap<&Target, usize> {
    let mut wave_of = HashMap::new();
    for (index, wave) in waves.iter().enumerate() {
        for target in &wave.targets {
            wave_of.entry(target).or_insert(index);
        }
    }
    wave_of
}

/// Returns the waves in order, and last the one of the targets that are in no other, each without a target counted.
fn waves(targets: &[Target], preferences: &OperationPreferences, waves: &[Wave]) -> Vec<FleetWave> {
    let wave_of = wave_of(waves);
    let mut members: Vec<Vec<&Target>> = vec![Vec::new(); waves.len() + 1];
    for target in targets {
        let wave = wave_of.get(target).copied().unwrap_or(waves.len());
        if let Some(members) = members.get_mut(wave) {
            members.push(target);
        }
    }
    let of = |(index, members): (usize, Vec<&Target>)| {
        let wave = waves.get(index);
        let own = wave.and_then(|wave| wave.preferences.as_ref());
        let preferences = own.unwrap_or(preferences);
        FleetWave {
            name: match wave {
                Some(wave) => Some(wave.name.clone()),
                None => (!waves.is_empty()).then(WaveName::rest),
            },
            lanes: lanes(&members, preferences),
            gates: wave.map_or_else(Vec::new, |wave| wave.gates.clone()),
            in_sequence: preferences.region_concurrency == RegionConcurrency::Sequential,
        }
    };
    members.into_iter().enumerate().map(of).collect()
}

fn lanes(targets: &[&Target], preferences: &OperationPreferences) -> Vec<Lane> {
    let mut regions: indexmap::IndexMap<&Region, usize> = preferences
        .region_order
        .iter()
        .map(|region| (region, 0))
        .collect();
    for target in targets {
        *regions.entry(&target.region).or_default() += 1;
    }
    let regions = regions.into_iter().filter(|(_, number)| *number > 0);
    regions
        .map(|(region, number)| Lane {
            region: region.clone(),
            limits: Limits::new(number, preferences),
            counts: Counts::default(),
        })
        .collect()
}

fn is_under_way(target: &TargetView) -> bool {
    match target.phase() {
        Phase::Creating
        | Phase::Reading
        | Phase::Checking
        | Phase::Executing
        | Phase::CleaningUp => true,
        Phase::Waiting => target.busy().is_some(),
        Phase::Ready | Phase::Deletable | Phase::Ended(_) => false,
    }
}

/// Returns why a target counts as a failure, without what differs between accounts and regions.
fn why(outcome: &TargetOutcome) -> Option<String> {
    let text = match outcome {
        TargetOutcome::Failed { status: _, cause } | TargetOutcome::NotPlanned { cause } => {
            words::cause(cause)
        }
        TargetOutcome::Stale { differences } => {
            format!("not executed: {}", words::stale(differences))
        }
        TargetOutcome::Unknown { reason } => format!("end unknown: {reason}"),
        TargetOutcome::Succeeded { .. }
        | TargetOutcome::NoChanges
        | TargetOutcome::Skipped { .. } => return None,
    };
    Some(status_reason::normalised(&text).replace('\n', "; "))
}

/// Returns how long a target was executed that ended.
fn took(target: &TargetView) -> Option<SignedDuration> {
    match target.outcome()? {
        TargetOutcome::Succeeded { .. } | TargetOutcome::Failed { .. } => {
            Some(target.ended_at()?.duration_since(target.started_at()?))
        }
        TargetOutcome::NoChanges
        | TargetOutcome::NotPlanned { .. }
        | TargetOutcome::Stale { .. }
        | TargetOutcome::Skipped { .. }
        | TargetOutcome::Unknown { .. } => None,
    }
}

#[cfg(test)]
mod tests;
