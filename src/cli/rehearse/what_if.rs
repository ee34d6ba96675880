//! What other failure tolerances would come to, found by rehearsing them with the same seeds.

use super::World;
use crate::cli::CliError;
use crate::model::CountOrPercent;
use crate::report::{Rehearsed, RehearsedRun, WhatIf};

/// How many targets are rehearsed for it over all runs: an answer to what was not asked is not worth a wait.
const MOST: usize = 20_000;
/// Fewer runs than that prove nothing where chance decides.
const FEWEST: usize = 10;
/// Nobody is told about letting more fail than that.
const LARGEST: u8 = 50;

/// Returns what came of letting no target fail, and of letting as many fail that nine of ten runs are not halted, as far
/// as that is not worse than what was asked for.
pub(super) fn tolerances(world: &World, rehearsed: &Rehearsed) -> Result<Vec<WhatIf>, CliError> {
    let runs = &rehearsed.runs;
    let has_failures = runs.iter().any(|run| run.counts.failures() > 0);
    let is_by_chance = runs.len() > 1;
    if is_by_chance && runs.len() < FEWEST {
        return Ok(Vec::new());
    }
    if !has_failures || rehearsed.targets.saturating_mul(runs.len()) > MOST {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let mut rehearse = |tolerance: CountOrPercent| -> Result<(), CliError> {
        let others = tolerating(world, tolerance, runs)?;
        found.extend(WhatIf::of(tolerance.to_string(), &others, runs));
        Ok(())
    };
    rehearse(CountOrPercent::Count(0))?;
    let halted = runs.iter().filter(|run| run.is_halted()).count();
    if halted * 2 >= runs.len()
        && halted > 0
        && let Some(percent) = needed(world, runs)?
    {
        rehearse(CountOrPercent::Percent(percent))?;
    }
    Ok(found)
}

/// Returns the share of failures, in percent, with which nine of ten runs are not halted.
fn needed(world: &World, runs: &[RehearsedRun]) -> Result<Option<u8>, CliError> {
    let all = tolerating(world, CountOrPercent::Percent(100), runs)?;
    let mut needed: Vec<usize> = all.iter().map(share).collect();
    needed.sort_unstable();
    let at = (needed.len() * 9).div_ceil(10).saturating_sub(1);
    let percent = needed.get(at).and_then(|p| u8::try_from(*p).ok());
    Ok(percent.filter(|p| (1..=LARGEST).contains(p)))
}

/// Returns the largest share of a region's targets that failed, in percent, rounded up: tolerances are rounded down.
fn share(run: &RehearsedRun) -> usize {
    let shares = run
        .regions
        .iter()
        .map(|region| (region.failed * 100).div_ceil(region.targets.max(1)));
    shares.max().unwrap_or(0)
}

/// Returns the same runs with another tolerance.
fn tolerating(
    world: &World,
    tolerance: CountOrPercent,
    runs: &[RehearsedRun],
) -> Result<Vec<RehearsedRun>, CliError> {
    let mut definition = world.definition.clone();
    let stages = definition.pipeline.stages.iter_mut();
    for action in stages.flat_map(|stage| &mut stage.actions) {
        if let Some(fan_out) = &mut action.fan_out {
            let given = fan_out.preferences.failure_tolerance;
            fan_out.preferences.failure_tolerance = tolerance;
            let waves = fan_out.waves.iter_mut();
            // A wave with preferences of its own has the tolerance of all where it names none, and keeps its own else.
            for own in waves.filter_map(|wave| wave.preferences.as_mut()) {
                if own.failure_tolerance == given {
                    own.failure_tolerance = tolerance;
                }
            }
        }
    }
    let run = |run: &RehearsedRun| {
        let view = world.run_of(&definition, run.seed)?;
        Ok(RehearsedRun::of(run.seed, &view))
    };
    runs.iter().map(run).collect()
}
