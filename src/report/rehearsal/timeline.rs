//! When what happened in a run, and where.

use std::collections::HashMap;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::Serialize;

use crate::model::{Region, Target, TargetOutcome, Wave, WaveName};
use crate::report::view::GateTimes;
use crate::report::{TargetView, View};

/// What happened in one part of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TimelineRow {
    /// The part: `plan`, a region in which targets were executed, or a gate as it is written.
    pub part: String,
    /// The wave that it belongs to, where there are waves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wave: Option<String>,
    /// Whether it is a gate, which has no targets.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gate: bool,
    /// When its first target began, in seconds from the beginning; none where none did.
    pub begins: Option<u64>,
    /// When its last target ended.
    pub ends: Option<u64>,
    /// How many targets are in it.
    pub targets: usize,
    /// How many of them were executed.
    pub succeeded: usize,
    /// How many failed.
    pub failed: usize,
    /// How many did not have their turn.
    pub not_executed: usize,
}

/// Returns the parts of a run: the plan, then those of each wave in the order in which they began and its gates; those
/// that did not begin come last.
pub(super) fn rows(view: &View) -> Vec<TimelineRow> {
    let Some(start) = view.started() else {
        return Vec::new();
    };
    let targets = view.targets();
    let mut wave_of: HashMap<&Target, usize> = HashMap::new();
    for (index, wave) in view.waves().iter().enumerate() {
        for target in &wave.targets {
            wave_of.entry(target).or_insert(index);
        }
    }
    let rest = view.waves().len();
    let mut lanes: Vec<IndexMap<&Region, TimelineRow>> = vec![IndexMap::new(); rest + 1];
    for target in &targets {
        let place = target.target();
        let wave = wave_of.get(place).copied().unwrap_or(rest);
        if let Some(lanes) = lanes.get_mut(wave) {
            let row = lanes.entry(&place.region).or_default();
            row.add(target, start);
        }
    }
    let mut rows = vec![planned(view, start)];
    for (index, lanes) in lanes.into_iter().enumerate() {
        let wave = view.waves().get(index);
        let name = match wave {
            Some(wave) => Some(wave.name.to_string()),
            None => (rest > 0).then(|| WaveName::rest().to_string()),
        };
        let of_region = |(region, row): (&Region, TimelineRow)| TimelineRow {
            part: region.to_string(),
            wave: name.clone(),
            ..row
        };
        let mut regions: Vec<TimelineRow> = lanes.into_iter().map(of_region).collect();
        regions.sort_by_key(|row| (row.begins.is_none(), row.begins));
        rows.append(&mut regions);
        rows.extend(wave.into_iter().flat_map(|wave| gates(view, wave, start)));
    }
    rows
}

fn planned(view: &View, start: Timestamp) -> TimelineRow {
    let targets = view.targets();
    let not_planned =
        |target: &&&TargetView| matches!(target.outcome(), Some(TargetOutcome::NotPlanned { .. }));
    TimelineRow {
        part: "plan".to_owned(),
        begins: Some(0),
        ends: view
            .planned_at()
            .or(view.ended())
            .or(view.last())
            .map(|at| seconds(start, at)),
        targets: targets.len(),
        failed: targets.iter().filter(not_planned).count(),
        ..TimelineRow::default()
    }
}

/// Returns what stood between a wave and the next one.
fn gates<'v>(
    view: &'v View,
    wave: &'v Wave,
    start: Timestamp,
) -> impl Iterator<Item = TimelineRow> + 'v {
    (1..).zip(&wave.gates).map(move |(number, gate)| {
        let times = view.times_of_gate(&wave.name, number);
        let ended = times.and_then(GateTimes::ended);
        // An approval begins with its request, which is answered at once in a rehearsal.
        let begun = times.and_then(GateTimes::begun).or(ended);
        TimelineRow {
            part: gate.to_string(),
            wave: Some(wave.name.to_string()),
            gate: true,
            begins: begun.map(|at| seconds(start, at)),
            ends: ended.map(|at| seconds(start, at)),
            failed: usize::from(times.is_some_and(GateTimes::is_closed)),
            ..TimelineRow::default()
        }
    })
}

fn seconds(start: Timestamp, at: Timestamp) -> u64 {
    u64::try_from(at.duration_since(start).as_secs()).unwrap_or(0)
}

impl TimelineRow {
    /// Adds what happened in another part.
    pub(super) fn join(&mut self, other: &TimelineRow) {
        self.begins = self.begins.into_iter().chain(other.begins).min();
        self.ends = self.ends.max(other.ends);
        self.targets += other.targets;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.not_executed += other.not_executed;
    }

    /// Returns whether it is a region that began and in which not all went well.
    pub(super) fn is_bad(&self) -> bool {
        self.begins.is_some() && self.failed + self.not_executed > 0
    }

    fn add(&mut self, target: &TargetView, start: Timestamp) {
        self.targets += 1;
        match target.outcome() {
            Some(TargetOutcome::Succeeded { .. }) => self.succeeded += 1,
            Some(TargetOutcome::NoChanges) => {}
            Some(
                TargetOutcome::NotPlanned { .. }
                | TargetOutcome::Failed { .. }
                | TargetOutcome::Stale { .. }
                | TargetOutcome::Unknown { .. },
            ) => self.failed += 1,
            Some(TargetOutcome::Skipped { .. }) | None => self.not_executed += 1,
        }
        let Some(began) = target.started_at() else {
            return;
        };
        let began = seconds(start, began);
        self.begins = Some(self.begins.map_or(began, |known| known.min(began)));
        if let Some(ended) = target.ended_at() {
            let ended = seconds(start, ended);
            self.ends = Some(self.ends.map_or(ended, |known| known.max(ended)));
        }
    }
}
