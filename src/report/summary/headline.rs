//! How a run ended, in a line, and what its targets come to.

use super::super::View;
use super::super::halted::held_back;
use super::super::screen::{Line, Page, Tone};
use super::super::view::Direction;
use super::super::view::{Counts, State};
use super::super::words::{self, Places, count};
use super::Summary;
use crate::model::{
    Decision, EXECUTED_ELSEWHERE, ExecutionOutcome, Gate, SkipReason, TargetOutcome, WaveName,
};

/// Returns the wave after which nothing more was begun, and the gate that was not passed where that is why.
fn stopped_after(view: &View) -> Option<(&WaveName, Option<&Gate>)> {
    let targets = view.targets();
    targets.into_iter().find_map(|target| {
        let Some(TargetOutcome::Skipped { reason }) = target.outcome() else {
            return None;
        };
        match reason {
            SkipReason::GateClosed { wave, gate, .. } => Some((wave, Some(gate))),
            SkipReason::EarlierWaveFailed { wave } => Some((wave, None)),
            SkipReason::ToleranceExceeded { .. }
            | SkipReason::EarlierRegionFailed { .. }
            | SkipReason::Rejected
            | SkipReason::ApprovalExpired
            | SkipReason::Stopped
            | SkipReason::RunElsewhere
            | SkipReason::PlanIncomplete
            | SkipReason::NothingToDo
            | SkipReason::RegionNotEnabled => None,
        }
    })
}

/// One line that says how it ended, then the counts.
pub(super) fn headline(page: &mut Page<'_>, view: &View, summary: &Summary, places: &Places) {
    let name = places.title(view);
    let took = match (view.started(), view.ended().or(view.last())) {
        (Some(from), Some(to)) => format!("   {}", words::took(view, from, to)),
        _ => String::new(),
    };
    let total = count(summary.counts.total, "target");
    let targets = view.targets();
    let where_to = match targets.len() {
        0..=3 => words::listed(&places.names(targets.iter().map(|t| t.target()))),
        _ => total.clone(),
    };
    let (deployed, change, change_set) = match (view.deletes(), view.direction()) {
        (true, _) => ("deleted from", "delete", "deletion"),
        (false, Direction::Back) => ("rolled back in", "change", "change set"),
        // What was taken back is there again.
        (false, Direction::Again) => (
            "brought back to the newer version in",
            "change",
            "change set",
        ),
        (false, Direction::Forward) => ("deployed to", "change", "change set"),
    };
    let (text, tone) = match view.state() {
        State::Ended(outcome) => match outcome {
            ExecutionOutcome::Succeeded => {
                let text = format!("{name} {deployed} {}", done(view, summary));
                match still_failed(view) {
                    None => (text, Tone::Good),
                    Some(still) => (format!("{text}; {still}"), Tone::Warn),
                }
            }
            // A slip in a name or a region would read as done otherwise.
            ExecutionOutcome::NothingToDo if view.operation() == "delete" => (
                format!("{name}: nothing to delete, there is no such stack in {where_to}"),
                Tone::Warn,
            ),
            ExecutionOutcome::NothingToDo => match still_failed(view) {
                None => (
                    format!("{name}: nothing to {change} in {total}"),
                    Tone::Good,
                ),
                Some(still) => {
                    let what = match view.direction() {
                        Direction::Back => "nothing was rolled back",
                        Direction::Again | Direction::Forward => "nothing was changed",
                    };
                    (format!("{name}: {what} in {total}; {still}"), Tone::Warn)
                }
            },
            ExecutionOutcome::SucceededWithFailures => (
                format!(
                    "{name} {deployed} {}; {} within the tolerance",
                    done(view, summary),
                    count(summary.counts.failures(), "failure"),
                ),
                Tone::Warn,
            ),
            ExecutionOutcome::Failed if !summary.halted.is_empty() && held_back(view) => {
                for (at, halted) in summary.halted.iter().enumerate() {
                    let (place, why) = (halted.place(), halted.told());
                    let text = format!("rollout halted in {place}: {why}");
                    let mut line = Line::of(Tone::Bad, &text);
                    if at + 1 == summary.halted.len() {
                        line.push(Tone::Dim, &took);
                    }
                    page.line(line, 2);
                }
                counts(page, summary);
                return;
            }
            ExecutionOutcome::Failed if summary.counts.not_planned > 0 => (
                format!(
                    "{name}: no {change_set} for {} of {total}; nothing was executed",
                    summary.counts.not_planned
                ),
                Tone::Bad,
            ),
            ExecutionOutcome::Failed => {
                let failed = summary.counts.failures();
                let text = match stopped_after(view) {
                    Some((wave, Some(gate))) => {
                        format!("{name}: rollout stopped after wave {wave}: {gate} not passed")
                    }
                    Some((wave, None)) => format!(
                        "{name}: rollout stopped after wave {wave}; failed in {failed} of {total}"
                    ),
                    None => format!("{name} failed in {failed} of {total}"),
                };
                (text, Tone::Bad)
            }
            ExecutionOutcome::Rejected => {
                let text = match (executed_elsewhere(view), here(view)) {
                    (0, "") => "plan rejected".to_owned(),
                    (0, here) => format!("plan rejected; nothing was executed{here}"),
                    (some, _) => format!("plan rejected, too late for {some} of {total}"),
                };
                (format!("{name}: {text}"), Tone::Warn)
            }
            ExecutionOutcome::Expired => (
                format!("{name}: nobody answered in time, the plan expired"),
                Tone::Warn,
            ),
            ExecutionOutcome::Stopped if executed(&summary.counts) == 0 => (
                format!("{name}: given up; nothing was executed{}", here(view)),
                Tone::Warn,
            ),
            ExecutionOutcome::Stopped => (
                format!(
                    "{name}: given up; {} of {total} executed",
                    executed(&summary.counts)
                ),
                Tone::Warn,
            ),
        },
        State::Denied => (
            format!("{name}: denied, the plan cannot be approved"),
            Tone::Bad,
        ),
        State::WaitingForApproval => {
            let text = match view.approval().and_then(|asked| asked.wave) {
                Some(wave) => format!("{name}: what comes after wave {wave} waits for approval"),
                None => format!("{name}: changes are waiting for approval"),
            };
            (text, Tone::Warn)
        }
        State::Answered(Decision::Approve) => {
            (format!("{name}: approved, not executed"), Tone::Warn)
        }
        State::Answered(Decision::Reject) => {
            (format!("{name}: rejected, not cleaned up"), Tone::Warn)
        }
        State::Overdue => (
            format!("{name}: nobody answered in time, not cleaned up"),
            Tone::Warn,
        ),
        State::Paused => (format!("{name}: paused"), Tone::Warn),
        State::Stopping => (format!("{name}: stopped before the end"), Tone::Warn),
        State::GivingUp => (format!("{name}: given up, not finished"), Tone::Warn),
        State::Running | State::Unknown => (format!("{name}: not finished"), Tone::Warn),
    };
    page.line(Line::of(tone, &text).add(Tone::Dim, &took), 2);
    counts(page, summary);
    // Of one target, that says nothing new.
    if view.outcome() == Some(&ExecutionOutcome::Failed) && summary.counts.total > 1 {
        for halted in &summary.halted {
            let text = format!("in {}: {}", halted.place(), halted.told());
            page.line(Line::indent(2).add(Tone::Bad, &text), 4);
        }
    }
}

/// Returns in which status stacks are still that an earlier operation left there, although there is nothing to change.
fn still_failed(view: &View) -> Option<String> {
    let failed = view.left_failed();
    let (_, status) = failed.first()?;
    let is = match failed.len() {
        1 => "1 stack is".to_owned(),
        many => format!("{many} stacks are"),
    };
    Some(format!(
        "{is} still {status}, and a change set does not see what the failed operation left there"
    ))
}

/// Returns how many targets were executed, or may have been.
fn executed(counts: &Counts) -> usize {
    counts.succeeded + counts.failed + counts.unknown
}

/// Returns how many targets somebody else executed, as the clean-up found.
fn executed_elsewhere(view: &View) -> usize {
    let targets = view.targets();
    let texts = targets.iter().filter_map(|target| target.left());
    texts
        .filter(|text| text.starts_with(EXECUTED_ELSEWHERE))
        .count()
}

/// Returns that only what happened here is told, where something may have happened elsewhere.
fn here(view: &View) -> &'static str {
    match view.exported().is_some() || executed_elsewhere(view) > 0 {
        true => " here",
        false => "",
    }
}

/// Returns where it was done: `4 targets`, or `3 of 4 targets`.
fn done(view: &View, summary: &Summary) -> String {
    // A stack that was not there was not deleted, and one that an operation failed in may have anything.
    let unchanged = match view.deletes() {
        true => 0,
        false => summary.counts.unchanged - view.left_failed().len(),
    };
    let good = summary.counts.succeeded + unchanged;
    let total = count(summary.counts.total, "target");
    if good == summary.counts.total {
        total
    } else {
        format!("{good} of {total}")
    }
}

fn counts(page: &mut Page<'_>, summary: &Summary) {
    let counts = words::counts(&summary.counts);
    // One count that is the total says nothing new.
    let is_told = counts.len() > 1 || summary.outcome.is_none();
    if !is_told {
        return;
    }
    let dot = format!(" {} ", page.glyphs.dot);
    let mut line = Line::indent(2);
    for (at, (text, tone)) in counts.iter().enumerate() {
        if at > 0 {
            line.push(Tone::Dim, &dot);
        }
        line.push(*tone, text);
    }
    page.line(line, 2);
}
