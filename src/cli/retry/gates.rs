//! What stood between the waves of an earlier execution and was not passed: it stands when it is retried, too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::cli::followers::Follower;
use crate::cli::{CliError, output, waves};
use crate::model::{
    EndedTarget, FanOut, Gate, PipelineDeclaration, SkipReason, Target, TargetOutcome, TargetSpec,
    Wave, WaveName,
};
use crate::report::{Since, View, count, gates_first};

/// An execution, and what later ones that retried it are done with.
pub(super) struct Known<'a> {
    earlier: &'a View,
    done: BTreeMap<&'a Target, &'a TargetOutcome>,
}

impl<'a> Known<'a> {
    pub(super) fn of(
        earlier: &'a View,
        since: &BTreeMap<&'a Target, Since<'_>>,
        followers: &'a [Follower],
    ) -> Self {
        let done = since.iter().filter_map(|(target, since)| {
            let Since::Done(by) = since else {
                return None;
            };
            let mut views = followers.iter().map(|(view, _)| view);
            let by = views.find(|view| view.execution() == Some(*by))?;
            Some((*target, by.target(target)?.outcome()?))
        });
        Self {
            earlier,
            done: done.collect(),
        }
    }

    /// Returns how the target ended at last.
    fn outcome(&self, target: &Target) -> Option<&'a TargetOutcome> {
        let later = self.done.get(target).copied();
        later.or_else(|| self.earlier.target(target)?.outcome())
    }
}

/// Keeps of every fan-out the targets that are run `again`, and of the waves those that still have some; and of the
/// others the gates that were not passed, where something behind them is run.
pub(super) fn keep(
    pipeline: &mut PipelineDeclaration,
    known: &Known<'_>,
    again: &BTreeSet<&Target>,
) {
    let actions = pipeline.stages.iter_mut().flat_map(|s| &mut s.actions);
    for fan_out in actions.filter_map(|action| action.fan_out.as_mut()) {
        keep_of(fan_out, known, again);
    }
}

fn keep_of(fan_out: &mut FanOut, known: &Known<'_>, again: &BTreeSet<&Target>) {
    let all = std::mem::take(&mut fan_out.targets);
    let specs: BTreeMap<&Target, &TargetSpec> = all.iter().map(|s| (&s.target, s)).collect();
    let mut behind: BTreeSet<&Target> = specs.keys().copied().collect();
    behind.retain(|target| again.contains(target));
    for wave in &mut fan_out.waves {
        for target in &wave.targets {
            behind.remove(target);
        }
        let (run, others): (Vec<Target>, Vec<Target>) = std::mem::take(&mut wave.targets)
            .into_iter()
            .partition(|target| again.contains(target));
        if run.is_empty() {
            // What was passed was passed for all of its targets.
            let mut number = 0;
            wave.gates.retain(|_| {
                number += 1;
                !known.earlier.has_passed(&wave.name, number)
            });
        }
        wave.targets = run;
        match behind.is_empty() || wave.gates.is_empty() {
            true => wave.ended.clear(),
            false => {
                let others = others.iter().filter_map(|target| specs.get(target));
                wave.ended.extend(others.map(|spec| ended(spec, known)));
            }
        }
    }
    fan_out
        .waves
        .retain(|wave| !wave.targets.is_empty() || !wave.ended.is_empty());
    fan_out.targets = all;
    fan_out.targets.retain(|spec| again.contains(&spec.target));
}

fn ended(spec: &TargetSpec, known: &Known<'_>) -> EndedTarget {
    let outcome = known.outcome(&spec.target);
    EndedTarget {
        spec: spec.clone(),
        // Of what an execution that ended never came to, nothing was executed.
        outcome: outcome.cloned().unwrap_or(TargetOutcome::Skipped {
            reason: SkipReason::Stopped,
        }),
    }
}

/// Refuses to begin what was skipped because an earlier wave failed, where what failed there is not run `again`: whoever
/// approves that does not see that the wave failed. An approval after the wave shows it.
pub(super) fn refuse_to_pass_over(
    known: &Known<'_>,
    again: &BTreeSet<&Target>,
) -> Result<(), CliError> {
    let Some((wave, failed)) = passed_over(known.earlier.waves(), known, again) else {
        return Ok(());
    };
    Err(CliError::message(format!(
        "wave {wave} failed in {}, which is not retried, and what comes after it was skipped for that",
        count(failed, "target")
    ))
    .hint("add `--failed`, so that the wave is run again first"))
}

/// Returns a wave that failed before something that is run `again`, and how many of its targets are not run again.
fn passed_over<'a>(
    waves: &'a [Wave],
    known: &Known<'_>,
    again: &BTreeSet<&Target>,
) -> Option<(&'a WaveName, usize)> {
    let outcome = |target: &Target| known.outcome(target);
    let blocking: BTreeSet<&WaveName> = again
        .iter()
        .filter_map(|target| {
            let TargetOutcome::Skipped {
                reason: SkipReason::EarlierWaveFailed { wave },
            } = outcome(target)?
            else {
                return None;
            };
            Some(wave)
        })
        .collect();
    let stands = |wave: &Wave| wave.gates.contains(&Gate::Approval);
    let mut found = waves
        .iter()
        .filter(|wave| blocking.contains(&wave.name) && !stands(wave));
    found.find_map(|wave| {
        let here = wave.targets.iter().filter(|target| !again.contains(target));
        let here = here.filter_map(outcome);
        let before = wave.ended.iter().map(|one| &one.outcome);
        match here.chain(before).filter(|outcome| failed(outcome)).count() {
            0 => None,
            some => Some((&wave.name, some)),
        }
    })
}

fn failed(outcome: &TargetOutcome) -> bool {
    match outcome {
        TargetOutcome::Failed { .. }
        | TargetOutcome::NotPlanned { .. }
        | TargetOutcome::Stale { .. }
        | TargetOutcome::Unknown { .. } => true,
        TargetOutcome::Succeeded { .. }
        | TargetOutcome::NoChanges
        | TargetOutcome::Skipped { .. } => false,
    }
}

/// Binds the gates to the files of the project as they are now.
pub(super) fn bind(pipeline: &mut PipelineDeclaration, root: &Path) -> Result<(), CliError> {
    let actions = pipeline.stages.iter_mut().flat_map(|s| &mut s.actions);
    let fan_outs = actions.filter_map(|action| action.fan_out.as_mut());
    for wave in fan_outs.flat_map(|fan_out| &mut fan_out.waves) {
        let place = format!("wave {}", wave.name);
        for gate in &mut wave.gates {
            waves::bind(root, &place, gate)?;
        }
    }
    Ok(())
}

/// Says which gates are passed before the others begin, of waves that are not run again.
pub(super) fn tell(pipeline: &PipelineDeclaration) {
    let mut fan_outs = pipeline.actions().filter_map(|a| a.fan_out.as_ref());
    let waves = fan_outs
        .next_back()
        .map_or(&[][..], |fan_out| &fan_out.waves);
    output::notes(&gates_first(waves));
}

#[cfg(test)]
mod tests;
