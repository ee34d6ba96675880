//! What rehearsals of an execution come to: how often it ends in which way, and one run in detail.
//!
//! Nothing here knows how a rehearsal is made: runs are folds over events, as those of real executions are.

mod screen;
mod timeline;
mod what_if;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Serialize;

use crate::model::{ExecutionId, Region, WaveName};

use super::fleet::{Fleet, RegionSeen};
use super::halted::halted;
use super::view::Counts;
use super::words;
use super::{DOCUMENT_VERSION, Summary, View};

pub use screen::rehearsal;
pub use timeline::TimelineRow;
pub use what_if::{Figures, Verdict, WhatIf};

/// What rehearsals of an execution came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rehearsed {
    /// Which document this is.
    pub document: &'static str,
    /// The version of this form.
    pub version: u32,
    /// The pipeline.
    pub pipeline: String,
    /// What it does with the stacks.
    pub operation: &'static str,
    /// The execution whose plan was rehearsed, where it is a recorded one.
    pub execution: Option<ExecutionId>,
    /// How many targets there are.
    pub targets: usize,
    /// How many of their stacks are taken to stand already.
    pub standing: usize,
    /// What was made to happen, in words.
    pub given: Vec<String>,
    /// Where durations come from.
    pub durations: Durations,
    /// What each run came to, by seed.
    pub runs: Vec<RehearsedRun>,
    /// What all of them came to.
    pub spread: Spread,
    /// The run in the middle.
    pub typical: TypicalRun,
    /// Other failure tolerances that are better in something.
    pub what_if: Vec<WhatIf>,
}

/// Where the durations of operations come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Durations {
    /// From what earlier executions took.
    Journal {
        /// How many executions.
        executions: usize,
        /// The shortest operation.
        shortest_seconds: u64,
        /// The longest one.
        longest_seconds: u64,
    },
    /// Nobody knows: a minute.
    Assumed,
    /// All were given.
    Given,
}

/// What one run came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RehearsedRun {
    /// What its chances were drawn from.
    pub seed: u64,
    /// How it ended, as in the state of an execution.
    pub state: &'static str,
    /// How long it took.
    pub seconds: u64,
    /// How many targets ended in which way.
    pub counts: Counts,
    /// The regions in which more targets failed than may.
    pub halted: Vec<Region>,
    /// How many targets failed in each region of each wave, which is told over all runs.
    #[serde(skip)]
    pub regions: Vec<RegionOfRun>,
}

/// A region of a wave in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionOfRun {
    /// The wave, where there are waves.
    pub wave: Option<WaveName>,
    /// The region.
    pub region: Region,
    /// How many targets it has.
    pub targets: usize,
    /// How many of them failed.
    pub failed: usize,
    /// Whether these are more than may.
    pub is_halted: bool,
}

/// What all runs came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// How many runs ended in which state.
    pub states: BTreeMap<&'static str, usize>,
    /// How many runs were halted in which region.
    pub halted: BTreeMap<Region, usize>,
    /// Executed targets.
    pub succeeded: SpreadOf,
    /// Failed targets.
    pub failed: SpreadOf,
    /// Targets that were neither executed nor failed nor found unchanged.
    pub not_executed: SpreadOf,
    /// How long it took, in seconds.
    pub seconds: SpreadOf,
    /// Where targets failed, wave by wave.
    pub regions: Vec<SpreadRegion>,
}

/// A region of a wave over all runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpreadRegion {
    /// The wave, where there are waves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wave: Option<WaveName>,
    /// The region.
    pub region: Region,
    /// How many targets it has.
    pub targets: usize,
    /// In how many runs any of them failed.
    pub with_failures: usize,
    /// In how many runs more failed than may.
    pub halted: usize,
    /// Failed targets.
    pub failed: SpreadOf,
}

/// A number over all runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SpreadOf {
    /// The one in the middle.
    pub median: u64,
    /// The one that nobody wants.
    pub worst: u64,
}

/// A run in detail.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TypicalRun {
    /// What its chances were drawn from.
    pub seed: u64,
    /// When what happened.
    pub timeline: Vec<TimelineRow>,
    /// The account that an execution would give.
    pub result: Summary,
}

impl RehearsedRun {
    /// Returns what the run in `view` came to.
    pub fn of(seed: u64, view: &View) -> Self {
        let took = match (view.started(), view.ended().or(view.last())) {
            (Some(from), Some(to)) => to.duration_since(from).as_secs(),
            _ => 0,
        };
        Self {
            seed,
            state: words::state_id(&view.state(), None),
            seconds: u64::try_from(took).unwrap_or(0),
            counts: view.counts(),
            halted: halted_regions(view),
            regions: regions(view),
        }
    }

    /// Returns whether more targets failed than may.
    pub fn is_halted(&self) -> bool {
        !self.halted.is_empty()
    }

    /// Returns the place of the run in the middle: by executed targets, then by time.
    pub fn typical(runs: &[RehearsedRun]) -> Option<usize> {
        let mut order: Vec<usize> = (0..runs.len()).collect();
        order.sort_by_key(|at| {
            let run = &runs[*at];
            (Reverse(run.counts.succeeded), run.seconds)
        });
        order.get(runs.len().saturating_sub(1) / 2).copied()
    }

    fn not_executed(&self) -> usize {
        let ended = self.counts.succeeded + self.counts.unchanged + self.counts.failures();
        self.counts.total.saturating_sub(ended)
    }
}

/// Returns the regions in which more targets failed than may, each once, however many waves it was in.
fn halted_regions(view: &View) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    for one in halted(view) {
        if !regions.contains(&one.region) {
            regions.push(one.region);
        }
    }
    regions
}

fn regions(view: &View) -> Vec<RegionOfRun> {
    let of = |seen: RegionSeen<'_>| RegionOfRun {
        wave: seen.wave.cloned(),
        region: seen.region.clone(),
        targets: seen.targets,
        failed: usize::try_from(seen.failed).unwrap_or(usize::MAX),
        is_halted: view.planned_at().is_some() && seen.is_halted(),
    };
    Fleet::seen(view).regions().map(of).collect()
}

impl Spread {
    /// Returns what `runs` came to.
    pub fn of(runs: &[RehearsedRun]) -> Self {
        let mut states = BTreeMap::new();
        let mut halted = BTreeMap::new();
        for run in runs {
            *states.entry(run.state).or_default() += 1;
            for region in &run.halted {
                *halted.entry(region.clone()).or_default() += 1;
            }
        }
        let of = |number: fn(&RehearsedRun) -> usize| {
            let numbers = runs.iter().map(number);
            sorted(numbers.map(|n| u64::try_from(n).unwrap_or(u64::MAX)))
        };
        Self {
            states,
            halted,
            // Few are bad here, and many below.
            succeeded: SpreadOf::falling(&of(|run| run.counts.succeeded)),
            failed: SpreadOf::rising(&of(|run| run.counts.failures())),
            not_executed: SpreadOf::rising(&of(RehearsedRun::not_executed)),
            seconds: SpreadOf::rising(&sorted(runs.iter().map(|run| run.seconds))),
            regions: SpreadRegion::all(runs),
        }
    }
}

impl SpreadRegion {
    /// Returns the regions of `runs`, which are the same in all of them.
    fn all(runs: &[RehearsedRun]) -> Vec<Self> {
        let mut seen: IndexMap<(Option<&WaveName>, &Region), Vec<&RegionOfRun>> = IndexMap::new();
        for one in runs.iter().flat_map(|run| &run.regions) {
            let place = (one.wave.as_ref(), &one.region);
            seen.entry(place).or_default().push(one);
        }
        let of = |((wave, region), all): ((Option<&WaveName>, &Region), Vec<&RegionOfRun>)| Self {
            wave: wave.cloned(),
            region: region.clone(),
            targets: all.iter().map(|one| one.targets).max().unwrap_or(0),
            with_failures: all.iter().filter(|one| one.failed > 0).count(),
            halted: all.iter().filter(|one| one.is_halted).count(),
            failed: SpreadOf::rising(&sorted(
                all.iter()
                    .map(|one| u64::try_from(one.failed).unwrap_or(u64::MAX)),
            )),
        };
        seen.into_iter().map(of).collect()
    }
}

fn sorted(numbers: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    numbers
}

impl SpreadOf {
    /// Of numbers in order, the largest of which is the worst.
    fn rising(numbers: &[u64]) -> Self {
        let median = numbers.get(numbers.len().saturating_sub(1) / 2);
        Self {
            median: median.copied().unwrap_or(0),
            worst: numbers.last().copied().unwrap_or(0),
        }
    }

    /// Of numbers in order, the smallest of which is the worst.
    fn falling(numbers: &[u64]) -> Self {
        let median = numbers.get(numbers.len() / 2);
        Self {
            median: median.copied().unwrap_or(0),
            worst: numbers.first().copied().unwrap_or(0),
        }
    }
}

impl Rehearsed {
    /// Returns what `runs` came to, the typical of which is in `view`.
    pub fn new(
        runs: Vec<RehearsedRun>,
        seed: u64,
        view: &View,
        durations: Durations,
        given: Vec<String>,
    ) -> Self {
        Self {
            document: "rehearsal",
            version: DOCUMENT_VERSION,
            pipeline: view.pipeline().to_owned(),
            operation: view.operation(),
            execution: None,
            targets: view.counts().total,
            standing: 0,
            given,
            durations,
            spread: Spread::of(&runs),
            runs,
            typical: TypicalRun {
                seed,
                timeline: timeline::rows(view),
                result: Summary {
                    // There is no such execution, and nothing goes on from there.
                    execution: None,
                    plan: None,
                    started: None,
                    ended: None,
                    next: Vec::new(),
                    ..Summary::of(view)
                },
            },
            what_if: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
