//! Which failure tolerance would let a rollout go through, found by rehearsing it.

use std::collections::BTreeMap;

use super::World;
use crate::cli::CliError;
use crate::model::{CountOrPercent, Region, TargetOutcome};
use crate::report::{Advice, Rehearsed, RehearsedRun, Spread, View};

/// How many targets are rehearsed for it over all runs: advice is not worth a wait.
const MOST: usize = 20_000;
/// Nobody is advised to let more fail than that.
const LARGEST: u8 = 50;

/// Returns a tolerance with which nine of ten runs are not halted, where half of them are.
pub(super) fn tolerance(world: &World, rehearsed: &Rehearsed) -> Result<Option<Advice>, CliError> {
    let runs = &rehearsed.runs;
    let halted = runs.iter().filter(|run| !run.halted.is_empty()).count();
    if halted * 2 < runs.len() || halted == 0 || rehearsed.targets.saturating_mul(runs.len()) > MOST
    {
        return Ok(None);
    }
    let mut needed = Vec::with_capacity(runs.len());
    for run in runs {
        needed.push(share(&tolerating(world, 100, run.seed)?));
    }
    needed.sort_unstable();
    let at = (needed.len() * 9).div_ceil(10).saturating_sub(1);
    let Some(percent) = needed
        .get(at)
        .copied()
        .filter(|p| (1..=LARGEST).contains(p))
    else {
        return Ok(None);
    };
    let mut with_it = Vec::with_capacity(runs.len());
    for run in runs {
        let view = tolerating(world, percent, run.seed)?;
        with_it.push(RehearsedRun::of(run.seed, &view));
    }
    let spread = Spread::of(&with_it);
    Ok(Some(Advice {
        failure_tolerance: format!("{percent}%"),
        goes_through: with_it.iter().filter(|run| run.halted.is_empty()).count(),
        succeeded: spread.succeeded,
        failed: spread.failed,
    }))
}

/// Returns the run of a seed with another tolerance.
fn tolerating(world: &World, percent: u8, seed: u64) -> Result<View, CliError> {
    let mut definition = world.definition.clone();
    let stages = definition.pipeline.stages.iter_mut();
    for action in stages.flat_map(|stage| &mut stage.actions) {
        if let Some(fan_out) = &mut action.fan_out {
            fan_out.preferences.failure_tolerance = CountOrPercent::Percent(percent);
        }
    }
    world.run_of(&definition, seed)
}

/// Returns the largest share of a region's targets that failed, in percent, rounded up.
fn share(view: &View) -> u8 {
    let mut regions: BTreeMap<&Region, (usize, usize)> = BTreeMap::new();
    for target in view.targets() {
        let (failed, all) = regions.entry(&target.target().region).or_default();
        *all += 1;
        *failed += usize::from(target.outcome().is_some_and(TargetOutcome::is_failure));
    }
    let shares = regions
        .values()
        .map(|(failed, all)| (failed * 100).div_ceil(*all));
    u8::try_from(shares.max().unwrap_or(0)).unwrap_or(100)
}
