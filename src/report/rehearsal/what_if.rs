//! Another failure tolerance beside the one that was asked for, and whether it is better.

use std::cmp::Ordering;

use serde::Serialize;

use super::{RehearsedRun, Spread, SpreadOf};

/// Another failure tolerance, as it was rehearsed with the same seeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhatIf {
    /// The tolerance, as it is given.
    pub failure_tolerance: String,
    /// Whether it is better.
    pub verdict: Verdict,
    /// What came of it.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// How many of the runs are not halted.
    pub not_halted: usize,
    /// Failed targets of all runs together.
    pub failed_in_all: usize,
    /// Failed targets.
    pub failed: SpreadOf,
    /// Executed targets. A bad change has reached each of them too.
    pub succeeded: SpreadOf,
    /// How long it took, in seconds.
    pub seconds: SpreadOf,
}

/// Whether another tolerance is better than the one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No more targets fail, no fewer are changed, and one of both is better; or both are the same, and it is faster.
    Better,
    /// One is better and the other is worse: somebody has to choose.
    Trade,
}

impl Figures {
    /// Returns what is compared of `runs`.
    pub(super) fn of(runs: &[RehearsedRun]) -> Self {
        let spread = Spread::of(runs);
        Self {
            not_halted: runs.iter().filter(|run| !run.is_halted()).count(),
            failed_in_all: runs.iter().map(|run| run.counts.failures()).sum(),
            failed: spread.failed,
            succeeded: spread.succeeded,
            seconds: spread.seconds,
        }
    }

    /// Returns how `self` compares with `given`, by the numbers that are shown; none where it is no better in anything.
    fn verdict(&self, given: &Self) -> Option<Verdict> {
        let (one, other) = (&self.failed, &given.failed);
        let orders = [
            // Few failures are good, and many changed targets.
            self.failed_in_all.cmp(&given.failed_in_all).reverse(),
            one.median.cmp(&other.median).reverse(),
            one.worst.cmp(&other.worst).reverse(),
            self.succeeded.median.cmp(&given.succeeded.median),
            self.succeeded.worst.cmp(&given.succeeded.worst),
        ];
        let is_better = orders.contains(&Ordering::Greater);
        let is_worse = orders.contains(&Ordering::Less);
        match (is_better, is_worse) {
            (true, false) => Some(Verdict::Better),
            (true, true) => Some(Verdict::Trade),
            (false, true) => None,
            (false, false) => {
                (self.seconds.median < given.seconds.median).then_some(Verdict::Better)
            }
        }
    }
}

impl WhatIf {
    /// Returns what came of another tolerance in `others`, where it is better in anything than what was asked for.
    pub fn of(
        failure_tolerance: String,
        others: &[RehearsedRun],
        given: &[RehearsedRun],
    ) -> Option<Self> {
        let figures = Figures::of(others);
        Some(Self {
            failure_tolerance,
            verdict: figures.verdict(&Figures::of(given))?,
            figures,
        })
    }

    /// Returns what differs, in a sentence; `done` is what becomes of a stack.
    pub(super) fn told(&self, given: &Figures, done: &str) -> String {
        let failed = differs(self.figures.failed_in_all, given.failed_in_all);
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let (one, other) = (self.figures.succeeded, given.succeeded);
        let changed = differs(number(one.median), number(other.median));
        let what = format!("{failed} failed in all runs, {changed} {done} (median)");
        let flag = format!("--failure-tolerance {}", self.failure_tolerance);
        match self.verdict {
            Verdict::Better => format!("{flag} is better here: {what}"),
            Verdict::Trade => format!("{flag} is a trade, not better: {what}"),
        }
    }
}

/// Returns `3 more targets`.
fn differs(one: usize, other: usize) -> String {
    match one.cmp(&other) {
        Ordering::Greater => format!("{} more {}", one - other, noun(one - other)),
        Ordering::Less => format!("{} fewer {}", other - one, noun(other - one)),
        Ordering::Equal => "as many targets".to_owned(),
    }
}

fn noun(number: usize) -> &'static str {
    match number {
        1 => "target",
        _ => "targets",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(failed: (usize, u64, u64), succeeded: (u64, u64), seconds: u64) -> Figures {
        let of = |median, worst| SpreadOf { median, worst };
        Figures {
            not_halted: 10,
            failed_in_all: failed.0,
            failed: of(failed.1, failed.2),
            succeeded: of(succeeded.0, succeeded.1),
            seconds: of(seconds, seconds),
        }
    }

    #[test]
    fn better_is_what_no_number_speaks_against() {
        let given = figures((20, 2, 3), (14, 10), 60);
        for (other, expected) in [
            // More are reached, and no more fail; that this takes longer is no fault.
            (figures((20, 2, 3), (28, 10), 90), Some(Verdict::Better)),
            (figures((10, 1, 1), (14, 10), 60), Some(Verdict::Better)),
            // Many more fail: that fewer runs are halted does not make it better.
            (figures((50, 2, 8), (28, 25), 90), Some(Verdict::Trade)),
            // The run in the middle hides that more fail in others.
            (figures((21, 2, 3), (28, 25), 90), Some(Verdict::Trade)),
            (figures((20, 2, 4), (28, 25), 90), Some(Verdict::Trade)),
            (figures((10, 1, 1), (5, 3), 30), Some(Verdict::Trade)),
            (figures((20, 2, 3), (14, 10), 30), Some(Verdict::Better)),
            (figures((20, 2, 3), (14, 10), 60), None),
            (figures((21, 2, 3), (14, 10), 30), None),
        ] {
            assert_eq!(other.verdict(&given), expected, "{other:?}");
        }
    }

    #[test]
    fn a_trade_is_told_with_both_sides() {
        let given = figures((20, 2, 3), (14, 10), 60);
        let one = WhatIf {
            failure_tolerance: "50%".to_owned(),
            verdict: Verdict::Trade,
            figures: figures((50, 2, 8), (15, 25), 90),
        };
        assert_eq!(
            one.told(&given, "changed"),
            "--failure-tolerance 50% is a trade, not better: 30 more targets failed in all runs, 1 more target changed (median)"
        );
    }
}
