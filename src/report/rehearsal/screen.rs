//! Rehearsals on a screen.

use std::cmp::Reverse;

use jiff::SignedDuration;

use super::{Durations, Figures, Rehearsed, TimelineRow, Verdict};
use crate::report::screen::{Line, Page, ScreenOptions, Tone, columns};
use crate::report::summary::account;
use crate::report::view::View;
use crate::report::words::{self, count};

/// The column where figures over all runs begin.
const FIGURES: usize = 27;
/// The column where figures of other tolerances begin.
const WHAT_IF: usize = 12;
/// The widest name of a part of the timeline.
const WIDEST: usize = 22;
/// The parts of a timeline up to which all are drawn.
const LONGEST: usize = 16;
/// The regions of a wave that are drawn where not all are.
const WORST: usize = 5;

/// Returns what rehearsals came to; `view` has the typical run.
pub fn rehearsal(rehearsed: &Rehearsed, view: &View, options: &ScreenOptions) -> String {
    let mut page = Page::new(options);
    head(&mut page, rehearsed);
    page.blank();
    if rehearsed.runs.len() > 1 {
        spread(&mut page, rehearsed);
        page.blank();
    }
    timeline(&mut page, rehearsed);
    page.blank();
    page.line(Line::of(Tone::Dim, "as the account of it would say:"), 2);
    account(&mut page, view);
    if view.paused().is_some() {
        let text = "  in earnest it would wait like that until somebody goes on with `stackgate resume EXECUTION`, or ends it with \
                    `stackgate stop EXECUTION --give-up`";
        page.line(Line::of(Tone::Plain, text), 4);
    }
    if rehearsed.typical.result.outcome.is_none() && view.paused().is_none() {
        let text = "  for days nothing happened any more, so the rehearsal ends here";
        page.line(Line::of(Tone::Warn, text), 4);
    }
    what_if(&mut page, rehearsed);
    page.finish()
}

fn head(page: &mut Page<'_>, rehearsed: &Rehearsed) {
    let what = match rehearsed.operation {
        "deploy" => rehearsed.pipeline.clone(),
        _ => format!("the deletion of {}", rehearsed.pipeline),
    };
    let mut line = Line::of(Tone::Strong, &format!("rehearsal of {what}"));
    if let Some(id) = &rehearsed.execution {
        line.push(Tone::Plain, &format!(", as planned in {}", id.short()));
    }
    let dot = page.glyphs.dot;
    let targets = count(rehearsed.targets, "target");
    line.push(Tone::Plain, &format!(" {dot} {targets} {dot} "));
    line.push(Tone::Strong, "simulated: nothing was touched");
    page.line(line, 2);
    for given in &rehearsed.given {
        fact(page, "given", given);
    }
    let durations = match &rehearsed.durations {
        Durations::Given => None,
        Durations::Assumed => Some(
            "assumed: 1 minute a stack where none is given, since no earlier execution is known; `--duration` gives one"
                .to_owned(),
        ),
        Durations::Journal {
            executions,
            shortest_seconds,
            longest_seconds,
        } => Some(format!(
            "of {}: {} a stack",
            count(*executions, "earlier execution"),
            match (span(*shortest_seconds), span(*longest_seconds)) {
                (least, most) if least == most => least,
                (least, most) => format!("{least} to {most}"),
            }
        )),
    };
    if let Some(durations) = durations {
        fact(page, "durations", &durations);
    }
    let new = rehearsed.targets.saturating_sub(rehearsed.standing);
    let stacks = match (rehearsed.standing, new) {
        (_, 0) => "all stand already".to_owned(),
        (0, _) => "all are taken as new, since the journal knows none of them".to_owned(),
        (some, new) => format!("{some} stand already, {new} are taken as new"),
    };
    fact(page, "stacks", &stacks);
    let seeds = match (rehearsed.runs.first(), rehearsed.runs.last()) {
        (Some(first), Some(last)) if first.seed != last.seed => {
            format!(
                "{}, seeds {} to {}",
                rehearsed.runs.len(),
                first.seed,
                last.seed
            )
        }
        (Some(first), _) => format!("1, seed {}", first.seed),
        (None, _) => "none".to_owned(),
    };
    fact(
        page,
        "runs",
        &format!("{seeds}; the plan is approved at once"),
    );
}

fn fact(page: &mut Page<'_>, name: &str, text: &str) {
    let mut line = Line::indent(2).add(Tone::Dim, name);
    line.pad(13, 2);
    line.push(Tone::Plain, text);
    page.line(line, 13);
}

fn spread(page: &mut Page<'_>, rehearsed: &Rehearsed) {
    let spread = &rehearsed.spread;
    let total = rehearsed.runs.len();
    page.line(Line::of(Tone::Strong, &format!("{total} runs")), 2);
    for (state, runs) in &spread.states {
        let tone = match *state {
            "succeeded" | "nothing_to_do" => Tone::Good,
            "failed" => Tone::Bad,
            _ => Tone::Warn,
        };
        let mut line = Line::indent(2).add(tone, &state.replace('_', " "));
        line.pad(FIGURES, 2);
        line.push(
            Tone::Plain,
            &format!("{:>11}", format!("{runs} of {total}")),
        );
        page.line(line, 4);
    }
    let mut line = Line::indent(FIGURES);
    line.push(Tone::Dim, &format!("{:>11}  {:>11}", "median", "worst"));
    page.line(line, 4);
    let numbers = [
        (done(rehearsed), spread.succeeded),
        ("failed", spread.failed),
        ("not run", spread.not_executed),
    ];
    for (name, of) in numbers {
        figures(page, name, &of.median.to_string(), &of.worst.to_string());
    }
    let time = spread.seconds;
    figures(page, "time", &span(time.median), &span(time.worst));
    regions(page, rehearsed);
}

/// How many targets fail where, and in how many runs: a share of few targets is often none, and sometimes some.
fn regions(page: &mut Page<'_>, rehearsed: &Rehearsed) {
    let total = rehearsed.runs.len();
    let all = &rehearsed.spread.regions;
    let mut order: Vec<usize> = (0..all.len())
        .filter(|at| all[*at].with_failures > 0)
        .collect();
    let failing = order.len();
    if failing == 0 {
        return;
    }
    order.sort_by_key(|at| Reverse((all[*at].halted, all[*at].with_failures)));
    order.truncate(LONGEST);
    order.sort_unstable();
    let label = |at: &usize| match &all[*at].wave {
        Some(wave) => format!("{wave}, {}", all[*at].region),
        None => all[*at].region.to_string(),
    };
    let waves = all.iter().any(|one| one.wave.is_some());
    let title = match waves {
        true => "failures by wave",
        false => "failures by region",
    };
    page.blank();
    let mut line = Line::indent(2).add(Tone::Dim, title);
    line.pad(FIGURES, 1);
    let columns = "targets  runs with some        halted  median  worst";
    line.push(Tone::Dim, columns);
    page.line(line, 4);
    for at in &order {
        let one = &all[*at];
        let name = page.options.shorten_middle(&label(at), FIGURES - 3);
        let mut line = Line::indent(2).add(Tone::Plain, &name);
        line.pad(FIGURES, 1);
        let runs = |number: usize| format!("{number} of {total}");
        let (with_failures, halted) = (runs(one.with_failures), runs(one.halted));
        line.push(
            Tone::Plain,
            &format!("{:>7}  {with_failures:>14}", one.targets),
        );
        let tone = if one.halted == 0 {
            Tone::Dim
        } else {
            Tone::Bad
        };
        line.push(tone, &format!("  {halted:>12}"));
        let of = one.failed;
        line.push(Tone::Plain, &format!("  {:>6}  {:>5}", of.median, of.worst));
        page.line(line, 4);
    }
    let more = failing - order.len();
    let rest = match (more, all.len() > failing) {
        (0, false) => return,
        (0, true) => "no failure elsewhere in any run".to_owned(),
        (more, false) => format!("and {more} more"),
        (more, true) => format!("and {more} more; no failure elsewhere in any run"),
    };
    page.line(Line::indent(2).add(Tone::Dim, &rest), 4);
}

/// What other tolerances come to beside what was asked for.
fn what_if(page: &mut Page<'_>, rehearsed: &Rehearsed) {
    if rehearsed.what_if.is_empty() {
        return;
    }
    let given = Figures::of(&rehearsed.runs);
    let total = rehearsed.runs.len();
    page.blank();
    let seeds = if total == 1 { "seed" } else { "seeds" };
    let title = format!("what if another failure tolerance was given (the same {seeds})");
    page.line(Line::of(Tone::Strong, &title), 2);
    let done = done(rehearsed);
    // What the columns below are of: the failed targets, and those that are done.
    let mut line = Line::indent(WHAT_IF);
    line.push(
        Tone::Dim,
        &format!("{:12}  {:-<21}  {:-<15}", "", "failed ", format!("{done} ")),
    );
    page.line(line, 4);
    let mut line = Line::indent(WHAT_IF);
    let columns = format!(
        "{:>12}  {:>6}  {:>6}  {:>5}  {:>7}  {:>6}  {:>11}",
        "not halted", "in all", "median", "worst", "median", "fewest", "median time"
    );
    line.push(Tone::Dim, &columns);
    page.line(line, 4);
    let others = rehearsed.what_if.iter();
    let others = others.map(|one| (one.failure_tolerance.as_str(), &one.figures));
    for (name, of) in std::iter::once(("as given", &given)).chain(others) {
        let mut line = Line::indent(2).add(Tone::Plain, name);
        line.pad(WHAT_IF, 1);
        let runs = format!("{} of {total}", of.not_halted);
        let numbers = format!(
            "{runs:>12}  {:>6}  {:>6}  {:>5}  {:>7}  {:>6}  {:>11}",
            of.failed_in_all,
            of.failed.median,
            of.failed.worst,
            of.succeeded.median,
            of.succeeded.worst,
            span(of.seconds.median),
        );
        line.push(Tone::Plain, &numbers);
        page.line(line, 4);
    }
    for one in &rehearsed.what_if {
        let tone = match one.verdict {
            Verdict::Better => Tone::Good,
            Verdict::Trade => Tone::Plain,
        };
        let text = one.told(&given, done);
        page.line(Line::indent(2).add(tone, &text), 4);
    }
    let text = format!(
        "`in all` is of all runs together, `median`, `worst` and `fewest` are of one run; a change that is bad has reached each \
         {done} target too"
    );
    page.line(Line::indent(2).add(Tone::Dim, &text), 4);
}

fn figures(page: &mut Page<'_>, name: &str, median: &str, worst: &str) {
    let mut line = Line::indent(2).add(Tone::Plain, name);
    line.pad(FIGURES, 2);
    line.push(Tone::Plain, &format!("{median:>11}  {worst:>11}"));
    page.line(line, 4);
}

/// Returns what becomes of a stack if all goes well.
fn done(rehearsed: &Rehearsed) -> &'static str {
    match rehearsed.operation {
        "deploy" => "changed",
        _ => "deleted",
    }
}

/// A line of the timeline: a part of it, or several together.
struct Drawn {
    label: String,
    row: TimelineRow,
}

/// Returns what is drawn of `rows`: all of a wave together, then its regions and gates; where these are many, only the
/// regions that went worst, and the number of the others.
fn folded(rows: &[TimelineRow]) -> Vec<Drawn> {
    let Some((plan, parts)) = rows.split_first() else {
        return Vec::new();
    };
    let mut out = vec![Drawn {
        label: plan.part.clone(),
        row: plan.clone(),
    }];
    for wave in parts.chunk_by(|one, other| one.wave == other.wave) {
        let (gates, regions): (Vec<_>, Vec<_>) = wave.iter().partition(|row| row.gate);
        let name = wave.first().and_then(|row| row.wave.as_ref());
        let indent = if name.is_some() { "  " } else { "" };
        if let Some(name) = name {
            out.push(Drawn {
                label: format!("wave {name}"),
                row: together(&regions),
            });
        }
        let (told, others) = match (rows.len() > LONGEST, name) {
            (true, _) => worst(&regions),
            // One region alone is the wave.
            (false, Some(_)) if regions.len() == 1 => (Vec::new(), regions),
            (false, _) => (regions, Vec::new()),
        };
        let are_some_told = !told.is_empty() || name.is_none();
        out.extend(told.into_iter().map(|row| Drawn {
            label: format!("{indent}{}", row.part),
            row: row.clone(),
        }));
        if are_some_told && !others.is_empty() {
            out.push(Drawn {
                label: format!("{indent}{}", count(others.len(), "other region")),
                row: together(&others),
            });
        }
        out.extend(gates.into_iter().map(|gate| Drawn {
            label: format!("{indent}{}", gate.part),
            row: gate.clone(),
        }));
    }
    out
}

fn together(rows: &[&TimelineRow]) -> TimelineRow {
    let mut whole = TimelineRow::default();
    rows.iter().for_each(|row| whole.join(row));
    whole
}

/// Returns the regions that began and went worst, in their order, and the others.
fn worst<'r>(rows: &[&'r TimelineRow]) -> (Vec<&'r TimelineRow>, Vec<&'r TimelineRow>) {
    let mut order: Vec<usize> = (0..rows.len()).filter(|at| rows[*at].is_bad()).collect();
    order.sort_by_key(|at| Reverse(rows[*at].failed + rows[*at].not_executed));
    order.truncate(WORST);
    let (told, others): (Vec<_>, Vec<_>) = rows
        .iter()
        .enumerate()
        .partition(|(at, _)| order.contains(at));
    let rows = |all: Vec<(usize, &&'r TimelineRow)>| all.into_iter().map(|(_, row)| *row).collect();
    (rows(told), rows(others))
}

fn timeline(page: &mut Page<'_>, rehearsed: &Rehearsed) {
    let seed = rehearsed.typical.seed;
    let title = match rehearsed.runs.len() {
        1 => "timeline".to_owned(),
        _ => format!("the run in the middle (--seed {seed} --runs 1)"),
    };
    page.line(Line::of(Tone::Strong, &title), 2);
    let drawn = folded(&rehearsed.typical.timeline);
    let rows = drawn.iter().map(|drawn| &drawn.row);
    let total = rows.clone().filter_map(|row| row.ends).max().unwrap_or(0);
    let widest = drawn.iter().map(|drawn| columns(&drawn.label)).max();
    let label = widest.unwrap_or(0).min(WIDEST);
    let times: Vec<String> = rows.map(when).collect();
    let time = times.iter().map(|t| columns(t)).max().unwrap_or(0).max(8);
    // Before, between and after: the three numbers take what is left.
    let room = page.options.width.saturating_sub(label + time + 32);
    let bar = room.clamp(8, 72);

    let mut line = Line::indent(4 + label + bar + 2);
    line.push(
        Tone::Dim,
        &format!(
            "{:>time$}  {}  failed  not run",
            scale(total),
            done(rehearsed)
        ),
    );
    page.line(line, 4);
    for (at, (Drawn { label: name, row }, when)) in drawn.iter().zip(&times).enumerate() {
        let mut line = Line::indent(2);
        line.push(Tone::Plain, &page.options.shorten_middle(name, label));
        line.pad(4 + label, 2);
        draw(&mut line, page, row, bar, total);
        // Text with a dash is wider in bytes than on the screen.
        line.spaces((time + 2).saturating_sub(columns(when)));
        line.push(Tone::Plain, when);
        if at == 0 || row.gate {
            // The plan is of all targets, which are counted below, and a gate is of none.
            page.line(line, 4);
            continue;
        }
        let (failed, left) = (row.failed, row.not_executed);
        let tone = |number: usize, tone| if number == 0 { Tone::Dim } else { tone };
        line.push(
            tone(row.succeeded, Tone::Good),
            &format!("  {:>7}", row.succeeded),
        );
        line.push(tone(failed, Tone::Bad), &format!("  {failed:>6}"));
        line.push(tone(left, Tone::Warn), &format!("  {left:>7}"));
        page.line(line, 4);
    }
}

/// Draws when a part of the run was under way, over the time of the whole run; a part in which targets failed
/// ends in a cross.
fn draw(line: &mut Line, page: &Page<'_>, row: &TimelineRow, bar: usize, total: u64) {
    let glyphs = page.glyphs;
    let Some(begins) = row.begins else {
        line.push(Tone::Dim, &glyphs.bar_left.repeat(bar));
        return;
    };
    let cells = u64::try_from(bar).unwrap_or(1);
    let ends = row.ends.unwrap_or(total).min(total);
    let cell = |cells: u64| usize::try_from(cells).unwrap_or(bar).min(bar);
    let from = cell(begins.saturating_mul(cells) / total.max(1)).min(bar.saturating_sub(1));
    let to = cell(ends.saturating_mul(cells).div_ceil(total.max(1))).max(from + 1);
    line.push(Tone::Dim, &glyphs.bar_left.repeat(from));
    let (tone, full, last) = match row.failed {
        // A time in which nothing is done is no success.
        0 if row.gate => (Tone::Busy, to - from, ""),
        0 => (Tone::Good, to - from, ""),
        _ => (Tone::Bad, to - from - 1, glyphs.bad),
    };
    line.push(tone, &glyphs.bar.repeat(full));
    line.push(Tone::Bad, last);
    line.push(Tone::Dim, &glyphs.bar_left.repeat(bar - to));
}

/// Returns from when to when a part was under way.
fn when(row: &TimelineRow) -> String {
    match (row.begins, row.ends) {
        (Some(begins), Some(ends)) => format!("{}-{}", clock(begins), clock(ends)),
        (Some(begins), None) => format!("{}-", clock(begins)),
        (None, _) => "never".to_owned(),
    }
}

fn clock(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match hours {
        0 => format!("{minutes}:{:02}", seconds % 60),
        hours => format!("{hours}:{minutes:02}:{:02}", seconds % 60),
    }
}

/// Returns what the numbers of `clock` stand for.
fn scale(total: u64) -> &'static str {
    match total {
        0..3_600 => "min:s",
        _ => "h:min:s",
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        _ => words::duration(SignedDuration::from_secs(
            i64::try_from(seconds).unwrap_or(i64::MAX),
        )),
    }
}
