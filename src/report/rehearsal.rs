//! What rehearsals of an execution come to: how often it ends in which way, and one run in detail.
//!
//! Nothing here knows how a rehearsal is made: runs are folds over events, as those of real executions are.

mod screen;
mod timeline;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{ExecutionId, Region};

use super::summary::halted;
use super::view::Counts;
use super::words;
use super::{DOCUMENT_VERSION, Summary, View};

pub use screen::rehearsal;
pub use timeline::TimelineRow;

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
    /// Another failure tolerance that would do better.
    pub advice: Option<Advice>,
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
    /// The regions in which too many targets failed.
    pub halted: Vec<Region>,
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

/// Another failure tolerance, as it was rehearsed with the same seeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// The tolerance, as it is given.
    pub failure_tolerance: String,
    /// How many of the runs are not halted with it.
    pub goes_through: usize,
    /// Executed targets with it.
    pub succeeded: SpreadOf,
    /// Failed targets with it.
    pub failed: SpreadOf,
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
            halted: halted(view).into_iter().map(|one| one.region).collect(),
        }
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
        }
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
            advice: None,
        }
    }
}

#[cfg(test)]
mod tests;
