//! `stackgate rehearse`: the user's own plan in a simulated world, before anything is touched.

mod assumed;
mod learned;
mod outages;
mod what_if;

use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use jiff::Timestamp;

use self::assumed::{Assumed, AssumedArgs};
use self::learned::Learned;
use super::deploy::{Asked, OF_DEPLOYMENT, WhatArgs};
use super::find::find;
use super::options::{Global, OutputForm};
use super::{CliError, exit, output};
use crate::journal::{Journal, JournalError};
use crate::model::{ExecutionDefinition, ExecutionId, LogicalId, Target};
use crate::pipeline::validate;
use crate::report::{Rehearsed, RehearsedRun, ScreenOptions, View, rehearsal};
use crate::simulator::{Cloud, Rehearsal, Rest, Rule, Scenario, Version};

/// How many runs there are where they may differ.
const RUNS: usize = 20;
/// How many targets are rehearsed over all runs, unless more runs are asked for: nobody waits long for them.
const MOST: usize = 40_000;
/// When a simulated world begins: always at the same time, so that the same is always said.
const BEGIN: Timestamp = Timestamp::UNIX_EPOCH;
/// Where nothing happened for so long, as in an outage without end, a run is left as it is.
const STILL: Duration = Duration::from_secs(3 * 86_400);

/// Arguments of `rehearse`.
#[derive(Debug, Args)]
pub(super) struct RehearseArgs {
    /// Rehearse the plan of this execution instead: its id, a unique part of it, or `latest`
    #[arg(long, value_name = "EXECUTION", conflicts_with_all = of_deployment())]
    execution: Option<String>,
    #[command(flatten)]
    assumed: AssumedArgs,
    /// What chances are drawn from; the runs after the first take the numbers that follow [default: 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many runs [default: 20 where they may differ, fewer for thousands of targets, else 1]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u64>::new().range(1..=1000))]
    runs: Option<u64>,
    // Last, since its headings hold for what follows.
    #[command(flatten)]
    what: WhatArgs,
}

/// What a recorded plan has in it.
fn of_deployment() -> impl Iterator<Item = &'static str> {
    ["stack", "overrides", "parameters"]
        .into_iter()
        .chain(OF_DEPLOYMENT)
}

/// Says what is taken to go well, and what is left out.
fn not_rehearsed(definition: &ExecutionDefinition) -> Vec<String> {
    let actions = definition.pipeline.actions();
    let fan_outs = actions.filter_map(|action| action.fan_out.as_ref());
    let has_gates = fan_outs
        .flat_map(|fan_out| &fan_out.waves)
        .any(|wave| !wave.gates.is_empty());
    let gates = has_gates.then(|| {
        "between waves: approvals are given at once, alarms stay OK, commands are not run and pass"
            .to_owned()
    });
    let rollback = definition.rolls_back_on_failure().then(|| {
        "the rollback after a failure (`--on-failure rollback`) is not rehearsed".to_owned()
    });
    gates.into_iter().chain(rollback).collect()
}

/// Runs `stackgate rehearse`. It reads files and the journal, asks nothing of AWS and writes nothing.
pub(super) fn rehearse(global: &Global, args: RehearseArgs) -> Result<u8, CliError> {
    let journal = match (Journal::open_existing(&global.state), &args.execution) {
        (Ok(journal), _) => Some(journal),
        (Err(JournalError::Missing { .. }), None) => None,
        (Err(error), _) => return Err(error.into()),
    };
    let Plan {
        recorded,
        mut definition,
        resource,
    } = match (&journal, &args.execution) {
        (Some(journal), Some(text)) => Plan::recorded(journal, text)?,
        (None, _) | (_, None) => Plan::asked(args.what)?,
    };
    validate(&definition.pipeline).map_err(CliError::usage)?;
    // Simulated stacks are in no console.
    definition.invocation.own_endpoint = true;
    let mut targets: Vec<Target> = definition
        .target_specs()
        .map(|spec| spec.target.clone())
        .collect();
    // Each action over them names them again.
    targets.sort();
    targets.dedup();
    let Assumed {
        mut scenario,
        mut given,
    } = args.assumed.read(&targets)?;
    if let Some((id, resource_type)) = resource {
        let rule = Rule {
            resource: Some(id),
            resource_type: Some(resource_type),
            ..Rule::default()
        };
        // First, so that every other rule wins.
        scenario.rules.insert(0, rule);
    }
    given.extend(not_rehearsed(&definition));
    let learned = Learned::of(journal.as_ref(), &definition, &targets)?;

    let world = World {
        definition,
        targets,
        scenario,
        learned,
    };
    let is_by_chance = world.scenario.is_by_chance() || world.learned.is_by_chance();
    let usual = match is_by_chance {
        true => (MOST / world.targets.len().max(1)).clamp(3, RUNS),
        false => 1,
    };
    let runs = args.runs.unwrap_or(usual as u64);
    let first = match (args.seed, world.scenario.seed) {
        (Some(seed), _) => seed,
        (None, 0) => 1,
        (None, seed) => seed,
    };
    let seeds: Vec<u64> = (0..runs).map(|n| first.wrapping_add(n)).collect();
    let all = world.runs(&seeds)?;
    let typical = RehearsedRun::typical(&all).and_then(|at| all.get(at));
    let seed = typical.map_or(first, |run| run.seed);
    let view = world.run(seed)?;
    let durations = world.learned.durations(&world.scenario, &world.targets);
    let mut rehearsed = Rehearsed::new(all, seed, &view, durations, given);
    rehearsed.execution = recorded;
    rehearsed.standing = world.learned.standing(&world.targets);
    let without_effect = outages::without_effect(&world, &rehearsed.runs)?;
    rehearsed.given.extend(without_effect);
    rehearsed.what_if = what_if::tolerances(&world, &rehearsed)?;

    match global.output {
        OutputForm::Text => output::stdout(&rehearsal(&rehearsed, &view, &output::screen()))?,
        form @ (OutputForm::Markdown | OutputForm::Html) => {
            let text = rehearsal(&rehearsed, &view, &ScreenOptions::default());
            output::text(form, "rehearsal", &text)?;
        }
        OutputForm::Json => output::document(&rehearsed)?,
        OutputForm::Ndjson => output::line(&rehearsed)?,
    }
    Ok(exit::DONE)
}

/// What is rehearsed.
struct Plan {
    /// The execution whose plan it is, where it is a recorded one.
    recorded: Option<ExecutionId>,
    definition: ExecutionDefinition,
    /// The resource that fails where one does: a real one, so that no other is looked for.
    resource: Option<(LogicalId, String)>,
}

impl Plan {
    /// Returns what `deploy` would do.
    fn asked(what: WhatArgs) -> Result<Self, CliError> {
        let mut asked = Asked::of(what)?;
        let resource = asked.project.template.resources().iter().next();
        let resource = resource.and_then(|(name, declared)| {
            let id = LogicalId::new(name.as_str()).ok()?;
            Some((id, declared.resource_type.clone()))
        });
        let deployment = asked.rehearsed()?;
        Ok(Self {
            recorded: None,
            definition: asked.definition(deployment),
            resource,
        })
    }

    /// Returns what an execution of the journal does.
    fn recorded(journal: &Journal, text: &str) -> Result<Self, CliError> {
        let id = find(journal, text)?;
        let view = View::read(journal.events(&id, 0))?;
        let definition = view
            .definition()
            .ok_or_else(|| CliError::message(format!("the journal does not say what {id} does")))?;
        if view.only_failed() {
            return Err(CliError::message(format!(
                "{id} removes stacks whose creation failed, and a rehearsal knows none of these"
            ))
            .hint("rehearse the deployment that follows it"));
        }
        let planned = view.planned();
        let change = planned.first().and_then(|target| target.changes.first());
        Ok(Self {
            definition: definition.clone(),
            resource: change.map(|one| (one.logical_id.clone(), one.resource_type.clone())),
            recorded: Some(id),
        })
    }
}

/// What is rehearsed, and in which world.
struct World {
    definition: ExecutionDefinition,
    targets: Vec<Target>,
    scenario: Scenario,
    learned: Learned,
}

impl World {
    /// Returns what each run came to.
    fn runs(&self, seeds: &[u64]) -> Result<Vec<RehearsedRun>, CliError> {
        seeds
            .iter()
            .map(|seed| Ok(RehearsedRun::of(*seed, &self.run(*seed)?)))
            .collect()
    }

    /// Returns the run of a seed.
    fn run(&self, seed: u64) -> Result<View, CliError> {
        self.run_of(&self.definition, seed)
    }

    /// Returns the run of a seed, where something else is done in the same world.
    fn run_of(&self, definition: &ExecutionDefinition, seed: u64) -> Result<View, CliError> {
        self.run_in(&self.scenario, definition, seed)
    }

    /// Returns the run of a seed in another world.
    fn run_in(
        &self,
        scenario: &Scenario,
        definition: &ExecutionDefinition,
        seed: u64,
    ) -> Result<View, CliError> {
        let scenario = Scenario {
            seed,
            ..scenario.clone()
        };
        let mut cloud = Cloud::new(scenario, BEGIN);
        cloud.expect(self.learned.expected());
        let before = Version {
            template: "before".into(),
            parameters: [].into(),
        };
        for target in self.targets.iter().filter(|t| self.learned.stands(t)) {
            cloud.settle(target, before.clone());
        }
        let id = ExecutionId::new("00000000-0000-7000-8000-000000000000");
        let id = id.map_err(CliError::failed)?;
        let (mut rehearsal, events) =
            Rehearsal::start_answered(cloud, id, definition.clone(), Duration::ZERO, BEGIN)?;
        let mut view = View::of(&events);
        let mut moved = BEGIN;
        while rehearsal.now() <= moved + STILL {
            match rehearsal.step() {
                Ok(events) => {
                    events.iter().for_each(|event| view.apply(event));
                    moved = events.last().map_or(moved, |event| event.at);
                }
                Err(Rest::Ended(_) | Rest::Paused(_)) => return Ok(view),
                Err(Rest::Stuck) => {
                    let error = format!("the rehearsal with seed {seed} does not go on");
                    return Err(CliError::failed(anyhow::Error::msg(error)).hint(
                        "this is a mistake of stackgate; please report it with the command",
                    ));
                }
            }
        }
        Ok(view)
    }
}

#[cfg(test)]
mod tests;
