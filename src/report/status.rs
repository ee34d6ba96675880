//! The state of one execution.

mod document;
mod targets;

use crate::model::clean;

use super::fleet::{Fleet, Rooms, UNDER_WAY, WHEN_LEFT, sections};
use super::followed::Followed;
use super::next::next_commands;
use super::review::execution;
use super::screen::{Glyphs, Line, Page, ScreenOptions, Tone, columns};
use super::waves::waves;
use super::words::{self, count};
use super::{Approval, Phase, TargetView, View, review_facts as facts, summary, versions};
use document::stage_reason;
use targets::each;

pub use document::{ApprovalStatus, RefusedAnswer, Stage, Status, TargetStatus};

/// The targets that are listed one by one; of more, it is told what they come to.
const LISTED: usize = 40;

/// Returns the state of an execution. `alive`: whether a process works on it, where that is known.
pub fn status(view: &View, alive: Option<bool>, options: &ScreenOptions) -> String {
    let mut page = Page::new(options);
    header(&mut page, view, alive);
    page.blank();
    stages(&mut page, view, alive);
    waves(&mut page, view, None);
    targets(&mut page, view, alive);
    let (_, tone) = words::state(&view.state(), alive);
    if !is_busy(view, alive) && tone != Tone::Good {
        page.blank();
        next_commands(&mut page, view);
    }
    page.finish()
}

/// Returns whether a process works on it, which needs no resuming.
pub(super) fn is_busy(view: &View, alive: Option<bool>) -> bool {
    alive == Some(true) && view.approval().is_none_or(|a| a.answer.is_some())
}

fn header(page: &mut Page<'_>, view: &View, alive: Option<bool>) {
    let dot = format!(" {} ", page.glyphs.dot);
    let (word, tone) = words::state(&view.state(), alive);
    let mut line = Line::default();
    if let Some(id) = view.execution() {
        line.push(
            Tone::Strong,
            &format!("execution {}", execution(id, page.options)),
        );
        line.push(Tone::Dim, &dot);
    }
    line.push(Tone::Strong, view.pipeline());
    line.push(Tone::Dim, &dot);
    line.push(tone, word);
    page.line(line, 2);

    if let (Some(started), Some(last)) = (view.started(), view.last()) {
        let until = match (view.ended(), page.options.now) {
            (Some(ended), _) => format!("took {}", words::took(view, started, ended)),
            (None, Some(now)) => format!(
                "{} ago{dot}last event {} ago",
                words::between(started, now),
                words::between(last, now)
            ),
            (None, None) => format!("last event {}", words::time(last)),
        };
        let text = format!("  started {}{dot}{until}", words::time(started));
        page.line(Line::of(Tone::Dim, &text), 4);
    }
    if let Some((what, earlier)) = facts::follows(view) {
        let text = format!("  {what} {}", execution(earlier, page.options));
        page.line(Line::of(Tone::Plain, &text), 4);
    }
    if let Some(text) = facts::proven(view) {
        page.line(Line::indent(2).add(Tone::Dim, &text), 4);
    }
    if let Some(rolled_back) = view.rolled_back() {
        let (text, tone) = rolled_back.told();
        page.line(Line::indent(2).add(tone, &text), 4);
    }
    followed(page, view);
    versions(page, view);
    answers(page, view);
    if let Some((place, until)) = view.gate() {
        let text = words::gate(place, *until, view.held(), page.options.now);
        page.line(Line::of(Tone::Busy, &format!("  {text}")), 4);
    }
    for refused in view.refusals() {
        let (word, _) = words::decision(refused.answer.decision);
        let who = words::approver(&refused.answer.approver);
        let text = format!(
            "  an answer that did not count: {word} by {who}: {}",
            refused.reason
        );
        page.line(Line::of(Tone::Warn, &text), 4);
    }
    if let Some(text) = words::elsewhere(view) {
        page.line(Line::of(Tone::Warn, &format!("  {text}")), 4);
    }
    for text in view.silences_told(page.options.now) {
        page.line(Line::of(Tone::Warn, &format!("  {text}")), 4);
    }
    for (reason, others) in view.waits_for() {
        let (why, what) = words::pause(reason, others);
        page.line(Line::of(Tone::Warn, &format!("  {why}; {what}")), 4);
    }
    if let Some(request) = view.stop() {
        let text = format!("  {}", words::stop_request(request));
        page.line(Line::of(Tone::Warn, &text), 4);
    }
    if let Some(text) = view.put_off() {
        page.line(Line::of(Tone::Warn, &format!("  {text}")), 4);
    }
    if let Some(failure) = view.trouble() {
        page.line(Line::of(Tone::Warn, &format!("  {}", failure.message)), 4);
    }
    // The review, which tells it too, is shown with it while an answer is awaited.
    for note in view.beside().iter().filter(|_| !view.awaits_answer()) {
        let line = Line::of(Tone::Warn, "  note").add(Tone::Plain, &format!("   {}", clean(note)));
        page.line(line, 9);
    }
}

/// Says who answered what, a line for each, and what is still to be answered.
fn answers(page: &mut Page<'_>, view: &View) {
    let dot = format!(" {} ", page.glyphs.dot);
    let answers = view.answers();
    for answer in &answers {
        let mut line = Line::indent(2).add(Tone::Plain, &words::answered_about(answer));
        line.push(Tone::Plain, &dot);
        let (word, tone) = words::decision(answer.decision);
        line.push(tone, word);
        let who = words::approver(&answer.approver);
        let origin = words::origin(answer.origin);
        let at = words::time(answer.at);
        line.push(Tone::Plain, &format!(" by {who} {origin}, {at}"));
        if !answer.summary.is_empty() {
            line.push(Tone::Plain, &format!(": {}", answer.summary));
        }
        page.line(line, 4);
    }
    let Some(approval) = view.approval() else {
        if let Some(plan) = view.plan() {
            let text = format!("  plan {}", plan.short());
            page.line(Line::of(Tone::Plain, &text), 4);
        }
        return;
    };
    if approval.answer.is_none() {
        let plan = format!("plan {}", approval.plan.short());
        let about = match approval.wave {
            None => plan,
            Some(wave) if answers.is_empty() => format!("{plan}{dot}after wave {wave}"),
            Some(wave) => format!("after wave {wave}"),
        };
        let mut line = Line::indent(2).add(Tone::Plain, &about);
        let unanswered = unanswered(view, &approval);
        let is_told = unanswered.is_some() || approval.wave.is_none();
        if let Some((what, tone, then)) = unanswered {
            line.push(Tone::Plain, &dot);
            line.push(tone, what);
            line.push(Tone::Plain, &then);
        }
        if is_told {
            page.line(line, 4);
        }
    }
    for text in words::denied(view.denied()) {
        page.line(Line::indent(4).add(Tone::Bad, &text), 6);
    }
}

/// Returns what stands for an answer where there is none; nothing where the execution was given up before there was one.
fn unanswered(view: &View, approval: &Approval<'_>) -> Option<(&'static str, Tone, String)> {
    if approval.expired {
        Some(("nobody answered in time", Tone::Warn, String::new()))
    } else if !view.awaits_answer() {
        None
    } else if !view.denied().is_empty() {
        let then = ": change the template, or what is denied, and plan again";
        Some(("cannot be approved", Tone::Bad, then.to_owned()))
    } else {
        let then = format!(" until {}", words::time(approval.expires));
        Some(("waits for an answer", Tone::Warn, then))
    }
}

/// Says what became of it afterwards.
pub(super) fn followed(page: &mut Page<'_>, view: &View) {
    let told = view.followed().map(Followed::told);
    for (text, tone) in told.into_iter().flatten() {
        page.line(Line::indent(2).add(tone, &text), 4);
    }
}

/// Says how many targets have which version, where they do not all have the same one.
pub(super) fn versions(page: &mut Page<'_>, view: &View) {
    if let Some(text) = versions::told(view) {
        page.line(Line::indent(2).add(Tone::Warn, &text), 4);
    }
}

fn stages(page: &mut Page<'_>, view: &View, alive: Option<bool>) {
    let stages = view.stages();
    let state = view.state();
    let wide = stages
        .iter()
        .map(|(name, _)| columns(name.as_str()))
        .max()
        .unwrap_or(0);
    for (name, status) in &stages {
        let refused = view.refused_stage(name);
        let (word, tone) = match refused {
            Some(word) => (word, Tone::Warn),
            None => words::stage_status(status, &state, alive),
        };
        let mut line = Line::indent(2).add(tone, mark(page.glyphs, tone));
        line.push(Tone::Plain, &format!(" {name}"));
        line.pad(4 + wide, 0);
        line.push(tone, &format!("   {word}"));
        if let Some(reason) = stage_reason(view, name, status).filter(|_| refused.is_none()) {
            line.push(Tone::Dim, &format!("   {reason}"));
        }
        page.line(line, 7 + wide);
    }
}

fn targets(page: &mut Page<'_>, view: &View, alive: Option<bool>) {
    let targets = view.targets();
    if targets.is_empty() {
        return;
    }
    page.blank();
    let dot = format!(" {} ", page.glyphs.dot);
    let counts = view.counts();
    let mut line = Line::of(Tone::Strong, &count(counts.total, "target"));
    for (text, tone) in words::counts(&counts) {
        line.push(Tone::Dim, &dot);
        line.push(tone, &text);
    }
    page.line(line, 2);
    if targets.len() > LISTED && !page.options.full {
        return many(page, view, alive);
    }
    each(page, view, alive);
}

/// What many targets come to, and where each is told of.
fn many(page: &mut Page<'_>, view: &View, alive: Option<bool>) {
    let fleet = Fleet::seen(view);
    let rooms = Rooms {
        lanes: 24,
        under_way: 8,
        struck: 16,
    };
    let is_left = alive == Some(false);
    let options = ScreenOptions {
        // Nobody works on it, so no time counts.
        now: page.options.now.filter(|_| !is_left),
        ..*page.options
    };
    let title = if is_left { WHEN_LEFT } else { UNDER_WAY };
    for line in sections(&fleet, &options, rooms, title) {
        page.cut(&line);
    }
    summary::left(page, view, fleet.places());
    if let Some(id) = view.execution() {
        let id = execution(id, page.options);
        let text = format!("each target: stackgate status {id} --full, or with --output json");
        page.line(Line::of(Tone::Dim, &text), 2);
    }
}

/// Returns what there is to say of a target besides its phase.
pub(super) fn detail(target: &TargetView) -> Option<String> {
    if let Some(failure) = target.trouble() {
        return Some(failure.message.clone());
    }
    match target.phase() {
        Phase::Ended(outcome) => words::target_outcome_detail(outcome),
        // A failure is worth more than what is still being waited for.
        Phase::Executing => {
            let newest = target.newest_event();
            let failed = newest.filter(|event| event.is_failure());
            let event = failed.or(target.waits_on()).or(newest);
            event.map(words::stack_event)
        }
        Phase::Waiting => target.busy().map(words::busy),
        Phase::Creating
        | Phase::Reading
        | Phase::Ready
        | Phase::Deletable
        | Phase::Checking
        | Phase::CleaningUp => None,
    }
}

/// Returns the mark of a line, which says with a shape what its tone says with a colour.
pub(super) fn mark(glyphs: Glyphs, tone: Tone) -> &'static str {
    match tone {
        Tone::Good | Tone::Inserted => glyphs.good,
        Tone::Bad | Tone::Deleted => glyphs.bad,
        Tone::Warn => "!",
        Tone::Busy => glyphs.busy,
        Tone::Plain | Tone::Strong | Tone::Dim => glyphs.idle,
    }
}

#[cfg(test)]
mod tests;
