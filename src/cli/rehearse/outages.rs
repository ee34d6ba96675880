//! Outages that the plan does not meet.

use super::World;
use crate::cli::CliError;
use crate::report::RehearsedRun;
use crate::simulator::{Pattern, Rule};

/// How many targets are rehearsed for it over all runs: nobody waits for an answer to what was not asked.
const MOST: usize = 20_000;

/// Returns which outages change nothing in any of the `runs`, found by rehearsing without them.
pub(super) fn without_effect(
    world: &World,
    runs: &[RehearsedRun],
) -> Result<Vec<String>, CliError> {
    let rules = world.scenario.rules.iter().enumerate();
    let outages: Vec<(usize, &Rule)> = rules.filter(|(_, rule)| rule.down.is_some()).collect();
    let rehearsed = outages.len() * world.targets.len() * runs.len();
    if rehearsed > MOST {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for (at, rule) in outages {
        let mut scenario = world.scenario.clone();
        if let Some(rule) = scenario.rules.get_mut(at) {
            rule.down = None;
        }
        let mut is_same = true;
        for run in runs {
            let view = world.run_in(&scenario, &world.definition, run.seed)?;
            if RehearsedRun::of(run.seed, &view) != *run {
                is_same = false;
                break;
            }
        }
        if is_same {
            let place = match rule.targets == Pattern::default() {
                true => String::new(),
                false => format!(" in {}", rule.targets),
            };
            found.push(format!(
                "the outage{place} has no effect: every run goes the same without it, since nothing is asked there in that time"
            ));
        }
    }
    Ok(found)
}
