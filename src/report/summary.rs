//! The account of a run at its end: causes instead of lists, and what to do next.

mod headline;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::Serialize;

use crate::model::{
    Decision, Digest, ExecutionId, ExecutionOutcome, Follows, Proof, Region, Staleness, Target,
    TargetOutcome, status_reason,
};

use self::headline::headline;
use super::causes::{self, CauseGroup, SkipGroup};
use super::followed::Follower;
use super::halted::{HaltedRegion, halted};
use super::next::{next_commands, next_for_machines};
use super::rolled_back::RolledBack;
use super::screen::{Line, Page, ScreenOptions, Tone};
use super::versions::Versions;
use super::view::Counts;
use super::waves::waves;
use super::words::{self, Places, count};
use super::{DOCUMENT_VERSION, Review, View, links, review_facts as facts, status};

/// How many targets of a kind are named.
const NAMED: usize = 8;

/// How many causes are told one by one.
const CAUSES: usize = 8;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Which document this is.
    pub document: &'static str,
    /// The version of this form.
    pub version: u32,
    /// The execution.
    pub execution: Option<ExecutionId>,
    /// The pipeline.
    pub pipeline: String,
    /// What it does with the stacks.
    pub operation: &'static str,
    /// The earlier execution that it goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<Follows>,
    /// What the execution is doing.
    pub state: &'static str,
    /// How it ended.
    pub outcome: Option<ExecutionOutcome>,
    /// The plan.
    pub plan: Option<Digest>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How many targets ended in which way.
    pub counts: Counts,
    /// How many targets have which version, where they do not all have the same one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions: Option<Versions>,
    /// The regions in which too many targets failed.
    pub halted: Vec<HaltedRegion>,
    /// Failed executions, by cause.
    pub failed: Vec<CauseGroup>,
    /// Targets without a change set, by cause.
    pub not_planned: Vec<CauseGroup>,
    /// Executions whose end cannot be found out.
    pub unknown: Vec<CauseGroup>,
    /// Targets that differed from what was approved.
    pub stale: Vec<StaleTarget>,
    /// Targets that were not started, by reason.
    pub not_started: Vec<SkipGroup>,
    /// What the earlier execution was done with, and how it is known that it still is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proven: Vec<Proof>,
    /// What became beside it of targets that it was not to run again, once it has ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// How far the rollback of what it changed is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RolledBack>,
    /// What went on from it by hand, in the order in which it began.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub followed: Vec<Follower>,
    /// The outputs of the executed stacks.
    pub outputs: Vec<TargetOutputs>,
    /// The commands that go on from here.
    pub next: Vec<String>,
    /// What there is to review, while an answer is awaited; whoever has the templates fills it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
}

/// A target that differed from what was approved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StaleTarget {
    /// The target.
    pub target: Target,
    /// How it differed.
    pub differences: Vec<Staleness>,
}

/// The outputs of one executed stack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetOutputs {
    /// The target.
    pub target: Target,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
}

impl Summary {
    /// Returns what the run in `view` came to.
    pub fn of(view: &View) -> Self {
        let mut stale = Vec::new();
        let mut outputs = Vec::new();
        for target in view.targets() {
            let place = target.target();
            match target.outcome() {
                Some(TargetOutcome::Stale { differences }) => stale.push(StaleTarget {
                    target: place.clone(),
                    differences: differences.clone(),
                }),
                Some(
                    TargetOutcome::Succeeded { .. }
                    | TargetOutcome::NoChanges
                    | TargetOutcome::NotPlanned { .. }
                    | TargetOutcome::Failed { .. }
                    | TargetOutcome::Skipped { .. }
                    | TargetOutcome::Unknown { .. },
                )
                | None => {}
            }
            if let Some(found) = target.outputs().filter(|outputs| !outputs.is_empty()) {
                outputs.push(TargetOutputs {
                    target: place.clone(),
                    outputs: found.clone(),
                });
            }
        }
        let id = view.execution().map(|id| id.to_string());
        Self {
            document: "result",
            version: DOCUMENT_VERSION,
            execution: view.execution().cloned(),
            pipeline: view.pipeline().to_owned(),
            operation: view.operation(),
            follows: view.follows().cloned(),
            state: words::state_id(&view.state(), None),
            outcome: view.outcome().cloned(),
            plan: view.plan(),
            started: view.started(),
            ended: view.ended(),
            counts: view.counts(),
            versions: Versions::left(view),
            halted: halted(view),
            failed: causes::failures(view),
            not_planned: causes::not_planned(view),
            unknown: causes::unknown(view),
            stale,
            not_started: causes::skipped(view),
            proven: view.proven().to_vec(),
            notes: facts::beside_ended(view).to_vec(),
            rollback: view.rolled_back().cloned(),
            followed: view
                .followed()
                .map_or_else(Vec::new, |f| f.executions.clone()),
            outputs,
            next: id.map_or_else(Vec::new, |id| next_for_machines(view, &id)),
            review: None,
        }
    }
}

/// Returns the account of a run.
pub fn summary(view: &View, options: &ScreenOptions) -> String {
    let mut page = Page::new(options);
    account(&mut page, view);
    next_commands(&mut page, view);
    page.finish()
}

/// Returns the account of a run that goes on by itself, so that nobody is asked to do anything next.
pub fn summary_so_far(view: &View, options: &ScreenOptions) -> String {
    let mut page = Page::new(options);
    account(&mut page, view);
    page.finish()
}

/// Adds the account of a run, without what to do next.
pub(super) fn account(page: &mut Page<'_>, view: &View) {
    let targets: Vec<&Target> = view.targets().iter().map(|t| t.target()).collect();
    let places = Places::of(targets.iter().copied());
    let summary = Summary::of(view);
    headline(page, view, &summary, &places);
    if let Some(text) = facts::proven(view) {
        page.line(Line::indent(2).add(Tone::Dim, &text), 4);
    }
    for text in facts::beside_ended(view) {
        page.line(Line::indent(2).add(Tone::Warn, text), 4);
    }
    if let Some(rolled_back) = view.rolled_back() {
        let (text, tone) = rolled_back.told();
        page.line(Line::indent(2).add(tone, &text), 4);
    }
    status::followed(page, view);
    status::versions(page, view);
    body(page, view, &summary, &places);
}

fn body(page: &mut Page<'_>, view: &View, summary: &Summary, places: &Places) {
    if view.awaits_answer()
        && let Some(wave) = view.approval().and_then(|asked| asked.wave)
    {
        waves(page, view, Some(wave));
    }
    if let Some(approval) = view.approval()
        && let Some(answer) = approval.answer
        && answer.decision == Decision::Reject
    {
        let who = words::approver(&answer.approver);
        let mut line = Line::of(
            Tone::Plain,
            &format!("  {} rejected by {who}", words::answered_about(answer)),
        );
        if !answer.summary.is_empty() {
            line.push(Tone::Plain, &format!(": {}", answer.summary));
        }
        page.line(line, 4);
    }
    if let Some(text) = words::elsewhere(view) {
        page.line(Line::of(Tone::Warn, &format!("  {text}")), 4);
    }
    if let Some(request) = view.stop() {
        let text = format!("  {}", words::stop_request(request));
        page.line(Line::of(Tone::Plain, &text), 4);
    }
    for (reason, others) in view.waits_for() {
        let (why, what) = words::pause(reason, others);
        page.line(Line::of(Tone::Warn, &format!("  {why}")), 4);
        page.line(Line::of(Tone::Plain, &format!("  {what}")), 4);
    }
    if let Some(text) = view.put_off() {
        page.line(Line::of(Tone::Warn, &format!("  {text}")), 4);
    }

    let not_planned = facts::not_planned(view);
    let failures = [
        ("cause", &summary.failed),
        (not_planned, &summary.not_planned),
        ("end unknown", &summary.unknown),
    ];
    for (label, groups) in failures {
        let most = if page.options.full {
            usize::MAX
        } else {
            CAUSES
        };
        for (at, group) in groups.iter().take(most).enumerate() {
            let label = match groups.len() {
                1 if label != "cause" => label.to_owned(),
                _ => format!("{label} {}", at + 1),
            };
            cause(page, &label, group, places);
            if let Some(address) = console(view, group) {
                page.line(Line::indent(6).add(Tone::Dim, &address), 6);
            }
        }
        let more = groups.iter().skip(most);
        let targets: usize = more.clone().map(|group| group.targets.len()).sum();
        if targets > 0 {
            let mut line = Line::of(Tone::Bad, &format!("  {label}"));
            let text = format!(
                " {} {} for {}, each told with --output json or html",
                page.glyphs.dot,
                count(targets, "target"),
                count(more.count(), "other cause")
            );
            line.push(Tone::Plain, &text);
            page.line(line, 4);
        }
    }
    let mut stale: Vec<(&[Staleness], Vec<&Target>)> = Vec::new();
    for found in &summary.stale {
        let known = stale.iter_mut();
        match known
            .into_iter()
            .find(|(known, _)| *known == found.differences)
        {
            Some((_, targets)) => targets.push(&found.target),
            None => stale.push((&found.differences, vec![&found.target])),
        }
    }
    for (differences, targets) in stale {
        let number = count(targets.len(), "target");
        let mut line = Line::of(Tone::Warn, "  stale");
        line.push(Tone::Plain, &format!(" {} {number}", page.glyphs.dot));
        line.push(Tone::Plain, "   not executed: no longer what was approved");
        page.line(line, 4);
        for difference in differences {
            let text = words::staleness(difference);
            page.line(Line::indent(6).add(Tone::Plain, &text), 8);
        }
        named(page, places.names(targets));
    }
    for group in &summary.not_started {
        let mut line = Line::of(Tone::Plain, "  not started");
        line.push(
            Tone::Plain,
            &format!(
                " {} {}",
                page.glyphs.dot,
                count(group.targets.len(), "target")
            ),
        );
        line.push(
            Tone::Dim,
            &format!("   {}", words::skip_reason(&group.reason)),
        );
        page.line(line, 4);
        // Where all are alike, or many, names tell nothing that `status` does not.
        let is_some = group.targets.len() < summary.counts.total;
        if is_some && group.targets.len() <= NAMED {
            page.items(Line::indent(6), 6, Tone::Dim, &places.names(&group.targets));
        }
    }
    left(page, view, places);
    outputs(page, view, summary);
}

/// `cause 1 · 3 targets   Orders (AWS::DynamoDB::Table): …`, then the targets.
fn cause(page: &mut Page<'_>, label: &str, group: &CauseGroup, places: &Places) {
    let mut line = Line::of(Tone::Bad, &format!("  {label}"));
    line.push(
        Tone::Plain,
        &format!(
            " {} {}   ",
            page.glyphs.dot,
            count(group.targets.len(), "target")
        ),
    );
    let mut cause = group.cause.clone();
    if group.targets.len() > 1 {
        // What differs between the targets would be true for the first alone.
        cause.reason = status_reason::normalised(&cause.reason).replace('…', page.glyphs.ellipsis);
    }
    let room = if page.options.full { usize::MAX } else { 600 };
    let problems = words::problems(&cause);
    if let [only] = &problems[..] {
        line.push(Tone::Plain, &page.options.shorten(only, room));
        page.line(line, 6);
    } else {
        line.push(Tone::Plain, &count(problems.len(), "problem"));
        page.line(line, 6);
        for problem in &problems {
            let text = page.options.shorten(problem, room);
            page.line(Line::indent(6).add(Tone::Plain, &text), 8);
        }
    }
    struck(page, group, places);
    if group.targets.len() > 1 && !group.advice.is_empty() {
        let first = places.name(&group.targets[0]);
        let text = format!("what would allow it in {first}, and likewise in the others:");
        page.line(Line::indent(6).add(Tone::Dim, &text), 8);
    }
    for advice in &group.advice {
        let line = Line::indent(6).add(Tone::Plain, advice);
        if advice.starts_with('{') {
            // A statement that is broken cannot be copied.
            page.verbatim(line);
        } else {
            page.line(line, 8);
        }
    }
}

/// Returns where the stack of the first target is in the console.
fn console(view: &View, group: &CauseGroup) -> Option<String> {
    let target = view.target(group.targets.first()?)?;
    links::stack(target.stack()?).filter(|_| view.has_console())
}

/// Adds the targets of a cause or, of many, the first and the regions with most of them.
fn struck(page: &mut Page<'_>, group: &CauseGroup, places: &Places) {
    named(page, places.names(&group.targets));
    if group.targets.len() <= NAMED || page.options.full {
        return;
    }
    let mut regions: BTreeMap<&Region, usize> = BTreeMap::new();
    for target in &group.targets {
        *regions.entry(&target.region).or_default() += 1;
    }
    let mut regions: Vec<(&Region, usize)> = regions.into_iter().collect();
    regions.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    let texts = regions
        .iter()
        .map(|(region, number)| format!("{region} {number}"));
    let begin = Line::indent(6).add(Tone::Dim, "by region: ");
    page.items(begin, 8, Tone::Dim, &facts::limited(texts.collect(), NAMED));
}

/// Adds the first of some names, and how many more there are.
fn named(page: &mut Page<'_>, names: Vec<String>) {
    let limit = if page.options.full { usize::MAX } else { NAMED };
    page.items(Line::indent(6), 6, Tone::Dim, &facts::limited(names, limit));
}

/// Says what a clean-up left behind: where it is the same in several targets, once.
pub(super) fn left(page: &mut Page<'_>, view: &View, places: &Places) {
    let mut kinds: IndexMap<String, Vec<(&str, String)>> = IndexMap::new();
    for target in view.targets() {
        if let Some(left) = target.left() {
            let kind = kinds.entry(status_reason::normalised(left)).or_default();
            kind.push((left, places.name(target.target())));
        }
    }
    for (kind, targets) in kinds {
        let line = Line::of(Tone::Warn, "  left behind");
        if targets.len() <= 2 {
            for (left, name) in targets {
                let text = format!("   {name}: {left}");
                page.line(line.clone().add(Tone::Plain, &text), 4);
            }
            continue;
        }
        let kind = kind.replace('…', page.glyphs.ellipsis);
        let dot = page.glyphs.dot;
        let text = format!(" {dot} {}   {kind}", count(targets.len(), "target"));
        page.line(line.add(Tone::Plain, &text), 4);
        named(page, targets.into_iter().map(|(_, name)| name).collect());
    }
}

/// The outputs, where the execution has a single target.
fn outputs(page: &mut Page<'_>, view: &View, summary: &Summary) {
    let [only] = summary.outputs.as_slice() else {
        return;
    };
    if view.targets().len() != 1 {
        return;
    }
    page.line(Line::of(Tone::Plain, "  outputs"), 4);
    let wide = only
        .outputs
        .keys()
        .map(|key| super::screen::columns(key))
        .max();
    for (key, value) in &only.outputs {
        let mut line = Line::indent(4).add(Tone::Dim, key);
        line.pad(4 + wide.unwrap_or(0), 0);
        line.push(Tone::Plain, &format!("   {value}"));
        // A value that is broken cannot be copied.
        page.verbatim(line);
    }
}

#[cfg(test)]
mod tests;
