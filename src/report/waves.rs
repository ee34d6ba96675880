//! How the waves of a rollout went: what whoever lets the next one begin has to know.

use std::collections::{BTreeSet, HashSet};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::Serialize;

use crate::model::{EndedTarget, Gate, Target, TargetOutcome, Wave, WaveName, status_reason};

use super::review_data::ReviewWave;
use super::review_facts::limited;
use super::screen::{Line, Page, ScreenOptions, Tone};
use super::view::{Counts, GateEnd};
use super::words::{self, Places, count};
use super::{TargetView, View};

/// The targets with one cause that are named.
const NAMED: usize = 8;

/// The causes that are told one by one.
const CAUSES: usize = 8;

/// How far a wave is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WaveStatus {
    /// Its name.
    pub name: WaveName,
    /// How many of its targets are in which phase.
    pub counts: Counts,
    /// How many of its targets an earlier execution ended, which are not run again.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_run_again: usize,
    /// How many of those did not end well there.
    #[serde(skip_serializing_if = "is_zero")]
    pub failed_before: usize,
    /// When the first of its targets was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When the last of its targets ended, once all have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// What stands after it, in order.
    pub gates: Vec<GateReached>,
}

/// How far a gate is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateReached {
    /// What is to be passed.
    pub gate: Gate,
    /// How far it is.
    pub state: GateStage,
    /// What a command wrote last, or why the gate was not passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// How far a gate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GateStage {
    /// Not begun, or never reached.
    Waiting,
    /// It is being passed.
    Passing,
    /// It was passed.
    Passed,
    /// It will not be passed.
    NotPassed,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Returns the waves of the rollout with the targets that each has; none where there are no waves.
fn members(view: &View) -> Vec<(WaveName, Option<&Wave>, Vec<&TargetView>)> {
    let waves = view.waves();
    if waves.is_empty() {
        return Vec::new();
    }
    // The first wave that names a target has it, and those that none names come last.
    let mut taken: HashSet<&Target> = HashSet::new();
    let mut members: Vec<_> = waves
        .iter()
        .map(|wave| {
            let own = wave.targets.iter().filter(|target| taken.insert(target));
            let own = own.filter_map(|target| view.target(target)).collect();
            (wave.name.clone(), Some(wave), own)
        })
        .collect();
    let targets = view.targets().into_iter();
    let rest: Vec<_> = targets.filter(|t| !taken.contains(t.target())).collect();
    if !rest.is_empty() {
        members.push((WaveName::rest(), None, rest));
    }
    members
}

/// Returns the waves as they are reviewed, with that of the targets that none of them names.
pub(super) fn reviewed(view: &View) -> Vec<ReviewWave> {
    let members = members(view).into_iter();
    let waves = members.map(|(name, wave, targets)| match wave {
        Some(wave) => ReviewWave::of(wave),
        None => ReviewWave {
            name: name.to_string(),
            targets: targets.iter().map(|t| t.target().clone()).collect(),
            preferences: None,
            gates: Vec::new(),
            ended: Vec::new(),
        },
    });
    waves.collect()
}

impl WaveStatus {
    /// Returns how far each wave is, in their order; nothing where there are no waves.
    pub fn of(view: &View) -> Vec<Self> {
        let members = members(view).into_iter();
        let status = members.map(|(name, wave, targets)| {
            let mut counts = Counts::default();
            for target in &targets {
                counts.total += 1;
                *counts.slot(target.phase()) += 1;
            }
            let started = targets.iter().filter_map(|t| t.started_at()).min();
            let ended = targets.iter().filter_map(|t| t.ended_at()).max();
            let gates = wave.map_or(&[][..], |wave| &wave.gates).iter();
            Self {
                counts,
                not_run_again: wave.map_or(0, |wave| wave.ended.len()),
                failed_before: wave.map_or(0, |wave| failed(&wave.ended)),
                started,
                ended: ended.filter(|_| counts.ended() == counts.total),
                gates: gates
                    .zip(1..)
                    .map(|(gate, number)| GateReached::of(view, &name, gate, number))
                    .collect(),
                name,
            }
        });
        status.collect()
    }

    /// Returns whether something of it was done.
    fn has_begun(&self) -> bool {
        let is_reached = |gate: &GateReached| gate.state != GateStage::Waiting;
        self.started.is_some() || self.gates.iter().any(is_reached)
    }

    /// Returns whether all of its targets ended.
    fn is_over(&self) -> bool {
        self.counts.ended() == self.counts.total
    }
}

impl GateReached {
    fn of(view: &View, wave: &WaveName, gate: &Gate, number: u32) -> Self {
        let end = view.times_of_gate(wave, number).and_then(|t| t.end());
        let (state, said) = match end {
            Some(GateEnd::Passed(said)) => (GateStage::Passed, said.clone()),
            Some(GateEnd::Closed(why)) => (GateStage::NotPassed, Some(why.clone())),
            None => {
                let waits = view
                    .gate()
                    .is_some_and(|(place, _)| place.wave == *wave && place.number == number);
                let asked = view.approval().filter(|_| view.awaits_answer());
                let is_asked =
                    *gate == Gate::Approval && asked.is_some_and(|asked| asked.wave == Some(wave));
                match waits || is_asked {
                    true => (GateStage::Passing, None),
                    false => (GateStage::Waiting, None),
                }
            }
        };
        Self {
            gate: gate.clone(),
            state,
            said,
        }
    }
}

/// What is told of a wave.
pub(super) struct Told {
    /// How it went, in short texts.
    pub(super) parts: Vec<String>,
    /// What went wrong in it, where it is asked about, and what commands wrote: a label and a text each.
    pub(super) details: Vec<(String, String, Tone)>,
}

/// Returns what is to be told of the waves that have begun, in their order.
pub(super) fn told(view: &View) -> Vec<(WaveName, Told)> {
    let targets: Vec<&Target> = view.targets().iter().map(|t| t.target()).collect();
    let places = Places::of(targets);
    let members = members(view);
    let all = WaveStatus::of(view);
    let begun = all.iter().enumerate().filter(|(_, wave)| wave.has_begun());
    let told = begun.map(|(at, wave)| {
        let own = members.get(at).map_or(&[][..], |(_, _, targets)| targets);
        let mut parts = vec![format!("wave {}: {}", wave.name, ended(wave))];
        parts.extend(others(&wave.counts));
        let of = |state| wave.gates.iter().filter(move |gate| gate.state == state);
        let passed: Vec<String> = of(GateStage::Passed).map(passed).collect();
        if !passed.is_empty() {
            let noun = if passed.len() == 1 { "gate" } else { "gates" };
            parts.push(format!("{noun} passed: {}", passed.join(", ")));
        }
        let later = all.get(at + 1..).unwrap_or_default();
        let is_last = wave.is_over() && !later.iter().any(WaveStatus::has_begun);
        if view.outcome().is_none() && is_last {
            parts.extend(next(members.get(at + 1..).unwrap_or_default()));
        }
        // Otherwise they are told with the targets.
        let asked = view.approval().filter(|_| view.awaits_answer());
        let mut details = match asked.is_some_and(|asked| asked.wave == Some(&wave.name)) {
            true => {
                let mut details = failures(own, &places);
                details.extend(taken_back(view));
                details
            }
            false => Vec::new(),
        };
        details.extend(wave.gates.iter().filter_map(|gate| {
            let said = gate.said.clone()?;
            Some(match gate.state {
                GateStage::NotPassed => (format!("{} not passed", gate.gate), said, Tone::Bad),
                GateStage::Waiting | GateStage::Passing | GateStage::Passed => {
                    (format!("{} wrote", gate.gate), said, Tone::Dim)
                }
            })
        }));
        (wave.name.clone(), Told { parts, details })
    });
    told.collect()
}

/// `9 of 10 succeeded in 40 s`
fn ended(wave: &WaveStatus) -> String {
    let (counts, before) = (&wave.counts, wave.not_run_again);
    let again = not_run_again(before, wave.failed_before);
    if counts.total == 0 {
        return again;
    }
    let mut text = format!("{} of {} succeeded", counts.succeeded, counts.total);
    if let (Some(started), Some(ended)) = (wave.started, wave.ended) {
        text.push_str(&format!(" in {}", words::between(started, ended)));
    }
    if before > 0 {
        text.push_str(&format!(", beside {again}"));
    }
    text
}

/// Returns how many of the targets did not end well in an earlier execution.
pub(super) fn failed(ended: &[EndedTarget]) -> usize {
    ended.iter().filter(|t| t.outcome.is_failure()).count()
}

/// `3 targets not run again, of which 1 failed`
pub(super) fn not_run_again(number: usize, failed: usize) -> String {
    let text = format!("{} not run again", count(number, "target"));
    match failed {
        0 => text,
        _ if failed == number && number == 1 => format!("{text}, which failed"),
        _ => format!("{text}, of which {failed} failed"),
    }
}

/// Returns how many targets did not succeed.
fn others(counts: &Counts) -> Vec<String> {
    let others = Counts {
        succeeded: 0,
        ..*counts
    };
    let texts = words::counts(&others).into_iter();
    texts.map(|(text, _)| text).collect()
}

fn passed(gate: &GateReached) -> String {
    match &gate.gate {
        Gate::Command(_) => format!("{} (exit code 0)", gate.gate),
        Gate::Bake { .. } | Gate::Alarms(_) | Gate::Approval => gate.gate.to_string(),
    }
}

/// `next: wave rest, 39 targets in 3 regions`
fn next(later: &[(WaveName, Option<&Wave>, Vec<&TargetView>)]) -> Option<String> {
    let waits = |targets: &[&TargetView]| -> Vec<Target> {
        let waiting = targets.iter().filter(|target| target.outcome().is_none());
        waiting.map(|target| target.target().clone()).collect()
    };
    let (name, targets) = later.iter().find_map(|(name, _, targets)| {
        let waiting = waits(targets);
        (!waiting.is_empty()).then_some((name, waiting))
    })?;
    let regions: BTreeSet<_> = targets.iter().map(|target| &target.region).collect();
    Some(format!(
        "next: wave {name}, {} in {}",
        count(targets.len(), "target"),
        count(regions.len(), "region")
    ))
}

/// Returns what went wrong in the targets of a wave; where it is the same in several, once.
fn failures(targets: &[&TargetView], places: &Places) -> Vec<(String, String, Tone)> {
    let mut causes: IndexMap<(&str, String), (String, Vec<Target>, Tone)> = IndexMap::new();
    for target in targets {
        let Some(outcome) = target.outcome() else {
            continue;
        };
        match outcome {
            TargetOutcome::Succeeded { .. }
            | TargetOutcome::NoChanges
            | TargetOutcome::Skipped { .. } => continue,
            TargetOutcome::NotPlanned { .. }
            | TargetOutcome::Failed { .. }
            | TargetOutcome::Stale { .. }
            | TargetOutcome::Unknown { .. } => {}
        }
        let (word, tone) = words::target_outcome(outcome);
        let detail = words::target_outcome_detail(outcome).unwrap_or_default();
        let key = (word, status_reason::normalised(&detail));
        let known = causes.entry(key).or_insert((detail, Vec::new(), tone));
        known.1.push(target.target().clone());
    }
    let lines = causes
        .into_iter()
        .map(|((word, normal), (detail, targets, tone))| {
            let detail = if targets.len() == 1 { detail } else { normal };
            let names = limited(places.names(&targets), NAMED).join(", ");
            (word.to_owned(), format!("{names}: {detail}"), tone)
        });
    let mut lines: Vec<_> = lines.collect();
    let more = lines.len().saturating_sub(CAUSES);
    if more > 0 {
        lines.truncate(CAUSES);
        let text = format!("{more} more causes, told with --output json");
        lines.push(("and".to_owned(), text, Tone::Bad));
    }
    lines
}

/// Returns what becomes of the changed targets where whoever is asked says no, if that is more than to leave the rest.
fn taken_back(view: &View) -> Option<(String, String, Tone)> {
    let definition = view.definition()?;
    let targets = view.targets();
    let changed = targets.iter().filter(|target| target.is_changed()).count();
    (definition.rolls_back_on_failure() && changed > 0).then(|| {
        let text = format!(
            "a rejection, or no answer in time, ends it as failed: then {} rolled back (`--on-failure rollback`)",
            match changed {
                1 => "the changed target is".to_owned(),
                number => format!("the {number} changed targets are"),
            }
        );
        ("reject".to_owned(), text, Tone::Warn)
    })
}

/// Adds what is to be told of the waves that have begun; of one of them, where it is named.
pub(super) fn waves(page: &mut Page<'_>, view: &View, only: Option<&WaveName>) {
    let told = told(view).into_iter();
    for (_, wave) in told.filter(|(name, _)| only.is_none_or(|only| only == name)) {
        page.items(Line::indent(2), 4, Tone::Plain, &wave.parts);
        for (label, text, tone) in wave.details {
            let line = Line::indent(4).add(tone, &label);
            let text = page.options.shorten(&text, 600);
            page.line(line.add(Tone::Plain, &format!("   {text}")), 6);
        }
    }
}

/// Returns how the wave went after which the rollout waits for an answer; nothing where none is asked about.
pub fn wave_account(view: &View, options: &ScreenOptions) -> String {
    let Some(wave) = view.approval().and_then(|asked| asked.wave.cloned()) else {
        return String::new();
    };
    let mut page = Page::new(options);
    waves(&mut page, view, Some(&wave));
    page.finish()
}

#[cfg(test)]
mod tests;
