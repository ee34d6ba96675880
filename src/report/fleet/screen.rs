//! What a fleet comes to, in as many lines as there are.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::{Fleet, FleetWave, Lane};
use crate::model::{Gate, Target};
use crate::report::screen::{Line, ScreenOptions, Tone, columns};
use crate::report::status::{detail, mark};
use crate::report::view::Counts;
use crate::report::words::{self, count};
use crate::report::{Phase, TargetView};

/// The widest name of a wave or region.
const WIDEST: usize = 20;
/// The targets of a cause that are named.
const EXAMPLES: usize = 3;

/// How many lines each part of a fleet may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) struct Rooms {
    /// Waves and regions.
    pub(in crate::report) lanes: usize,
    /// What is under way.
    pub(in crate::report) under_way: usize,
    /// Why targets failed.
    pub(in crate::report) struck: usize,
}

/// What is said of targets that are being worked on.
pub(in crate::report) const UNDER_WAY: &str = "under way, the longest first";
/// The same where nobody works on them.
pub(in crate::report) const WHEN_LEFT: &str = "under way when left, the longest first";

impl Rooms {
    /// Shares `height` lines out: a part that needs less leaves the rest to the others.
    pub(in crate::report) fn within(
        height: usize,
        fleet: &Fleet<'_>,
        options: &ScreenOptions,
    ) -> Self {
        let lanes = rows(fleet).len();
        let under_way = match fleet.under_way.len() {
            0 => 0,
            some => some + 1,
        };
        let struck = causes(fleet, options).iter().map(Vec::len).sum::<usize>();
        let mut rooms = Self {
            lanes: lanes.min(height * 4 / 10),
            under_way: 0,
            struck: struck.min(height * 3 / 10),
        };
        rooms.under_way = under_way.min(height - rooms.lanes - rooms.struck);
        rooms.struck = struck.min(height - rooms.lanes - rooms.under_way);
        rooms.lanes = lanes.min(height - rooms.struck - rooms.under_way);
        rooms
    }
}

/// Returns waves and regions, what is under way, and why targets failed.
pub(in crate::report) fn sections(
    fleet: &Fleet<'_>,
    options: &ScreenOptions,
    rooms: Rooms,
    title: &str,
) -> Vec<Line> {
    let mut out = lanes(fleet, options, rooms.lanes);
    out.extend(under_way(fleet, options, rooms.under_way, title));
    out.extend(struck(fleet, options, rooms.struck));
    out
}

/// Returns where something is under way: `wave canary: eu-west-1`.
pub(in crate::report) fn now_in(fleet: &Fleet<'_>) -> Option<String> {
    let is_busy = |lane: &&Lane| lane.counts.running + lane.counts.planning > 0;
    let busy = |wave: &FleetWave| {
        let lanes = wave.lanes.iter().filter(is_busy);
        let mut regions: Vec<String> = lanes.map(|lane| lane.region.to_string()).collect();
        if regions.len() > 3 {
            let more = regions.len() - 2;
            regions.truncate(2);
            regions.push(format!("{more} more regions"));
        }
        let names = (!regions.is_empty()).then(|| regions.join(", "))?;
        Some(match &wave.name {
            Some(name) if fleet.view.planned_at().is_some() => format!("wave {name}: {names}"),
            Some(_) | None => names,
        })
    };
    let mut waves: Vec<String> = fleet.waves.iter().filter_map(busy).collect();
    waves.truncate(1);
    waves.pop()
}

/// Returns the wave that has not ended: `wave canary, 1 of 3`.
pub(in crate::report) fn wave_now(fleet: &Fleet<'_>) -> Option<String> {
    fleet.view.planned_at()?;
    let waves: Vec<&FleetWave> = fleet.waves.iter().filter(|w| !w.lanes.is_empty()).collect();
    let is_open = |wave: &&FleetWave| !wave.has_ended();
    let at = match fleet.view.gate() {
        // What is passed after a wave belongs to it.
        Some((place, _)) => waves
            .iter()
            .position(|wave| wave.name.as_ref() == Some(&place.wave)),
        None => waves.iter().position(is_open),
    }?;
    let name = waves.get(at)?.name.as_ref()?;
    Some(format!("wave {name}, {} of {}", at + 1, waves.len()))
}

/// A wave or a region in one.
struct Row<'a> {
    label: String,
    indent: usize,
    counts: Counts,
    /// The limits of a region.
    lane: Option<&'a Lane>,
    /// What is to be passed after a wave.
    gates: &'a [Gate],
}

impl Row<'_> {
    fn is_halted(&self) -> bool {
        self.lane
            .is_some_and(|lane| lane.limits.is_exceeded(lane.failed()))
    }

    /// Returns how soon it is to be looked at, where not all can be shown.
    fn urgency(&self) -> u8 {
        let counts = &self.counts;
        if self.is_halted() {
            0
        } else if counts.running + counts.planning > 0 {
            1
        } else if counts.failures() > 0 {
            2
        } else if counts.ended() == counts.total {
            5
        } else if counts.ended() > 0 {
            3
        } else {
            4
        }
    }

    fn tone(&self) -> Tone {
        let counts = &self.counts;
        if self.is_halted() {
            Tone::Bad
        } else if counts.running + counts.planning > 0 {
            Tone::Busy
        } else if counts.ended() < counts.total {
            Tone::Dim
        } else if counts.failures() + counts.skipped > 0 {
            Tone::Warn
        } else {
            Tone::Good
        }
    }
}

fn sum(wave: &FleetWave) -> Counts {
    let mut sum = Counts::default();
    for lane in &wave.lanes {
        sum.add(&lane.counts);
    }
    sum
}

/// Returns the waves, with the regions of those that have begun and not ended well; the regions where there are no waves.
fn rows<'f>(fleet: &'f Fleet<'_>) -> Vec<Row<'f>> {
    let mut rows = Vec::new();
    let is_planned = fleet.view.planned_at().is_some();
    for wave in fleet.waves.iter().filter(|wave| !wave.lanes.is_empty()) {
        let mut indent = 0;
        let mut is_open = true;
        if let Some(name) = &wave.name {
            let counts = sum(wave);
            let is_begun = counts.running > 0 || counts.succeeded + counts.failed > 0;
            let has_trouble = counts.failures() + counts.skipped > 0;
            is_open = is_planned && is_begun && (!wave.has_ended() || has_trouble);
            indent = 2;
            rows.push(Row {
                label: format!("wave {name}"),
                indent: 0,
                counts,
                lane: None,
                gates: &wave.gates,
            });
        }
        let lanes = wave.lanes.iter().filter(|_| is_open);
        rows.extend(lanes.map(|lane| Row {
            label: lane.region.to_string(),
            indent,
            counts: lane.counts,
            lane: Some(lane),
            gates: &[],
        }));
    }
    rows
}

fn lanes(fleet: &Fleet<'_>, options: &ScreenOptions, room: usize) -> Vec<Line> {
    let rows = rows(fleet);
    if room == 0 {
        return Vec::new();
    }
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let hidden = match rows.len() > room {
        true => {
            order.sort_by_key(|at| {
                let row = &rows[*at];
                (row.urgency(), Reverse(row.counts.failures()), *at)
            });
            order.split_off(room - 1)
        }
        false => Vec::new(),
    };
    order.sort_unstable();
    let widths = Widths::of(&rows, fleet.view.planned_at().is_some());
    let mut out: Vec<Line> = order
        .iter()
        .map(|at| lane(&rows[*at], &widths, options))
        .collect();
    if !hidden.is_empty() {
        let ended = hidden.iter().filter(|at| rows[**at].urgency() == 5).count();
        let waiting = hidden.iter().filter(|at| rows[**at].urgency() == 4).count();
        let mut text = format!("  and {} more", hidden.len());
        for (number, what) in [(ended, "ended"), (waiting, "not begun")] {
            if number > 0 {
                text.push_str(&format!(", {number} {what}"));
            }
        }
        out.push(Line::of(Tone::Dim, &text));
    }
    out
}

/// The columns of waves and regions, which are as wide as they must be: on 80 columns, each counts.
struct Widths {
    label: usize,
    numbers: usize,
    busy: usize,
    is_planned: bool,
}

impl Widths {
    fn of(rows: &[Row<'_>], is_planned: bool) -> Self {
        let widest = |of: &dyn Fn(&Row<'_>) -> usize| rows.iter().map(of).max().unwrap_or(0);
        Self {
            label: widest(&|row| row.indent + columns(&row.label)).min(WIDEST),
            numbers: widest(&|row| columns(&row.numbers(is_planned))),
            busy: widest(&|row| columns(&row.busy(is_planned))),
            is_planned,
        }
    }
}

impl Row<'_> {
    /// Returns how many targets are done: with their change sets, or after that with all.
    fn done(&self, is_planned: bool) -> usize {
        match is_planned {
            true => self.counts.ended(),
            false => self.counts.total - self.counts.waiting - self.counts.planning,
        }
    }

    fn numbers(&self, is_planned: bool) -> String {
        format!("{}/{}", self.done(is_planned), self.counts.total)
    }

    fn busy(&self, is_planned: bool) -> String {
        let word = if is_planned { "running" } else { "under way" };
        match self.counts.running + self.counts.planning {
            0 => String::new(),
            some => format!("{some} {word}"),
        }
    }
}

/// `▸ eu-west-1  ━━━╌╌╌╌╌╌╌  312/1000  10 running  3 failed so far, 50 allowed`.
fn lane(row: &Row<'_>, widths: &Widths, options: &ScreenOptions) -> Line {
    let glyphs = options.glyphs();
    let tone = row.tone();
    let counts = &row.counts;
    let mut line = Line::indent(row.indent).add(tone, mark(glyphs, tone));
    line.push(Tone::Plain, " ");
    let room = widths.label.saturating_sub(row.indent);
    let label = options.shorten_middle(&row.label, room);
    let emphasis = match row.lane {
        None => Tone::Strong,
        Some(_) => Tone::Plain,
    };
    line.push(emphasis, &label);
    line.pad(2 + widths.label, 0);
    let done = row.done(widths.is_planned);
    let bar = (options.width / 12).clamp(4, 24);
    let filled = (done * bar).checked_div(counts.total).unwrap_or(bar);
    line.spaces(2);
    line.push(Tone::Good, &glyphs.bar.repeat(filled));
    line.push(Tone::Dim, &glyphs.bar_left.repeat(bar - filled));
    let (numbers, busy) = (row.numbers(widths.is_planned), row.busy(widths.is_planned));
    line.push(Tone::Plain, &format!("  {numbers:>0$}", widths.numbers));
    line.push(Tone::Busy, &format!("  {busy:<0$}", widths.busy));
    if let Some(lane) = row.lane.filter(|_| counts.failures() > 0) {
        let (failed, tolerance) = (counts.failures(), lane.limits.tolerance);
        let (tone, text) = match row.is_halted() {
            true => (
                Tone::Bad,
                format!("halted: {failed} failed, {tolerance} allowed"),
            ),
            false => (
                Tone::Warn,
                format!("{failed} failed so far, {tolerance} allowed"),
            ),
        };
        line.push(tone, &format!("  {text}"));
    } else if counts.failures() > 0 {
        line.push(Tone::Warn, &format!("  {} failed", counts.failures()));
    }
    if counts.skipped > 0 {
        line.push(Tone::Plain, &format!("  {} not started", counts.skipped));
    } else if !row.gates.is_empty() && counts.ended() < counts.total {
        let gates: Vec<String> = row.gates.iter().map(Gate::to_string).collect();
        line.push(Tone::Dim, &format!("  then {}", gates.join(", ")));
    }
    line
}

fn under_way(fleet: &Fleet<'_>, options: &ScreenOptions, room: usize, title: &str) -> Vec<Line> {
    let all = fleet.under_way.len();
    if room < 2 || all == 0 {
        return Vec::new();
    }
    let number = match all < room {
        true => all,
        false => room.saturating_sub(2).max(1),
    };
    let shown: Vec<&TargetView> = fleet.under_way().take(number).collect();
    let names: Vec<String> = shown
        .iter()
        .map(|target| fleet.places.name(target.target()))
        .map(|name| options.shorten_middle(&name, options.width / 2))
        .collect();
    let wide = names.iter().map(|name| columns(name)).max().unwrap_or(0);
    let doing: Vec<String> = shown.iter().map(|target| doing(target)).collect();
    let widest = doing.iter().map(|text| columns(text)).max().unwrap_or(0);
    let mut out = vec![Line::of(Tone::Dim, title)];
    for ((target, name), doing) in shown.into_iter().zip(&names).zip(&doing) {
        let tone = Tone::Busy;
        let mut line = Line::of(tone, mark(options.glyphs(), tone));
        line.push(Tone::Plain, &format!(" {name}"));
        line.pad(2 + wide, 0);
        if let (Some(began), Some(now)) = (target.began(), options.now) {
            let time = words::between(began, now);
            line.push(Tone::Plain, &format!("  {time:>12}"));
        }
        line.push(tone, &format!("  {doing}"));
        line.spaces(widest - columns(doing));
        if let Some(detail) = detail(target) {
            let is_bad = target.newest_event().is_some_and(|e| e.is_failure());
            let tone = if is_bad { Tone::Bad } else { Tone::Dim };
            line.push(tone, &format!("  {detail}"));
        }
        out.push(line);
    }
    if all > number && room > number + 1 {
        let text = format!("  and {} more", all - number);
        out.push(Line::of(Tone::Dim, &text));
    }
    out
}

/// Returns what is done with a target, with how much of it is done.
fn doing(target: &TargetView) -> String {
    let (word, _) = words::phase(target.phase());
    match target.phase() {
        Phase::Executing => {
            let (done, expected) = target.progress();
            format!("{word} {done}/{expected}")
        }
        Phase::Waiting
        | Phase::Creating
        | Phase::Reading
        | Phase::Ready
        | Phase::Deletable
        | Phase::Checking
        | Phase::CleaningUp
        | Phase::Ended(_) => word.to_owned(),
    }
}

/// Causes are told on so many lines at most, and where on one more.
const CAUSE_LINES: usize = 2;
/// The causes that are looked at for a screen: no more fit on any.
const MOST_CAUSES: usize = 50;

/// Returns the lines of each cause: `✗ 12 targets   Orders (AWS::DynamoDB::Table): …`, and where.
fn causes(fleet: &Fleet<'_>, options: &ScreenOptions) -> Vec<Vec<Line>> {
    let of = |(why, targets): (&str, &BTreeSet<Target>)| {
        let tone = Tone::Bad;
        let mut line = Line::of(tone, mark(options.glyphs(), tone));
        let number = count(targets.len(), "target");
        line.push(Tone::Strong, &format!(" {number}"));
        let why = why.replace('…', options.glyphs().ellipsis);
        line.push(Tone::Plain, &format!("   {why}"));
        let mut lines = line.wrap_within(options.width, 4, CAUSE_LINES);
        lines.push(Line::indent(2).add(Tone::Dim, &examples(fleet, targets, options)));
        lines
    };
    let all = fleet.struck().into_iter().take(MOST_CAUSES);
    all.map(of).collect()
}

fn struck(fleet: &Fleet<'_>, options: &ScreenOptions, room: usize) -> Vec<Line> {
    let all = fleet.struck();
    let causes = causes(fleet, options);
    let needed: usize = causes.iter().map(Vec::len).sum();
    let is_all = causes.len() == all.len() && needed <= room;
    // The last line says how many more there are.
    let room_of_causes = if is_all { room } else { room.saturating_sub(1) };
    let mut out = Vec::new();
    let mut told = 0;
    for lines in causes {
        if out.len() + lines.len() > room_of_causes {
            break;
        }
        out.extend(lines);
        told += 1;
    }
    if all.len() > told && room > 0 {
        let more = &all[told..];
        let targets: usize = more.iter().map(|(_, targets)| targets.len()).sum();
        let tone = Tone::Bad;
        let mut line = Line::of(tone, mark(options.glyphs(), tone));
        let text = match told {
            0 => format!(
                " {} for {}",
                count(targets, "target"),
                count(more.len(), "cause")
            ),
            _ => format!(
                " {} for {}",
                count(targets, "target"),
                count(more.len(), "other cause")
            ),
        };
        line.push(Tone::Plain, &text);
        out.push(line);
    }
    out
}

/// Returns the first targets and how many more there are.
pub(in crate::report) fn examples(
    fleet: &Fleet<'_>,
    targets: &BTreeSet<Target>,
    options: &ScreenOptions,
) -> String {
    let dot = format!(" {} ", options.glyphs().dot);
    let room = options.width / 2;
    let names = targets.iter().take(EXAMPLES);
    let mut names: Vec<String> = names
        .map(|target| options.shorten_middle(&fleet.places.name(target), room))
        .collect();
    // What is cut off at the edge could not be told from what is not there.
    while names.len() > 1
        && names.iter().map(|n| columns(n) + 3).sum::<usize>() + 14 > options.width
    {
        names.pop();
    }
    let more = targets.len() - names.len();
    if more > 0 {
        names.push(format!("{more} more"));
    }
    names.join(&dot)
}
