//! Progress on a terminal, redrawn in place: one line for each target while they fit, else what they come to.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::{SignedDuration, Timestamp};

use crate::model::Event;

use super::fleet::{Fleet, Rooms, UNDER_WAY, sections, wave_now};
use super::screen::{Line, ScreenOptions, Tone, columns};
use super::status::{detail, mark};
use super::view::State;
use super::words::{self, Places, count};
use super::{Phase, TargetView, View};

/// The lines of a terminal that are left to what stands above and to the cursor.
const RESERVED_LINES: usize = 2;

/// How long a picture stands at least: events come faster than the eye, and each picture costs time.
const PICTURE: SignedDuration = SignedDuration::from_millis(66);

/// The lines that a notice and why a target failed may take.
const NOTICE: usize = 3;

/// The targets up to which those that do not fit are merely counted: of so few, the ones under way tell it all.
const FEW: usize = 10;

/// Progress that is redrawn in place.
///
/// Nothing is drawn but by `draw`, so no thread of its own writes while somebody is asked.
pub struct Live {
    fleet: Fleet<'static>,
    progress: MultiProgress,
    rows: Vec<(ProgressBar, String)>,
    style: ProgressStyle,
    is_hidden: bool,
    /// When the picture was drawn that stands.
    drawn: Option<Timestamp>,
}

impl Live {
    /// Returns progress that goes on from `view` and is drawn on `terminal`.
    pub fn new(view: View, terminal: ProgressDrawTarget) -> Self {
        Self {
            fleet: Fleet::of(view),
            progress: MultiProgress::with_draw_target(terminal),
            rows: Vec::new(),
            // The template is a constant, and without it a bar would still show its message.
            style: ProgressStyle::with_template("{msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
            is_hidden: false,
            drawn: None,
        }
    }

    /// Takes an event in. It is seen at the next `draw`.
    pub fn apply(&mut self, event: &Event) {
        self.fleet.apply(event);
    }

    /// Draws what is known on a terminal of `height` lines; `options.now` gives the durations.
    pub fn draw(&mut self, options: &ScreenOptions, height: usize) {
        let is_new = |drawn: Timestamp| {
            let since = |now: Timestamp| now.duration_since(drawn);
            options.now.is_some_and(|now| since(now).abs() < PICTURE)
        };
        if self.is_hidden || self.drawn.is_some_and(is_new) {
            return;
        }
        self.drawn = options.now;
        let texts = rows(&self.fleet, options, height);
        while self.rows.len() > texts.len() {
            if let Some((bar, _)) = self.rows.pop() {
                bar.finish_and_clear();
                self.progress.remove(&bar);
            }
        }
        for (at, text) in texts.into_iter().enumerate() {
            match self.rows.get_mut(at) {
                Some((_, shown)) if *shown == text => {}
                Some((bar, shown)) => {
                    bar.set_message(text.clone());
                    *shown = text;
                }
                None => {
                    let bar = ProgressBar::new_spinner().with_style(self.style.clone());
                    let bar = self.progress.add(bar);
                    bar.set_message(text.clone());
                    // A message alone does not draw a bar that was never ticked.
                    bar.tick();
                    self.rows.push((bar, text));
                }
            }
        }
    }

    /// Takes the lines away while `during` writes to the terminal or asks, then draws them again.
    pub fn suspend<T>(&mut self, during: impl FnOnce() -> T) -> T {
        self.progress.suspend(during)
    }

    /// Takes the lines away until `show`: for a prompt that stays open while events come in.
    pub fn hide(&mut self) {
        self.is_hidden = true;
        self.clear();
    }

    /// Lets the next `draw` draw again.
    pub fn show(&mut self) {
        self.is_hidden = false;
    }

    /// Takes the lines away for good; what follows is written where they were.
    pub fn finish(mut self) -> View {
        self.clear();
        self.fleet.into_view()
    }

    /// Returns what is known so far.
    pub fn view(&self) -> &View {
        self.fleet.view()
    }

    fn clear(&mut self) {
        self.drawn = None;
        for (bar, _) in self.rows.drain(..) {
            bar.finish_and_clear();
            self.progress.remove(&bar);
        }
        // Nothing is left to do about a terminal that cannot be written to.
        let _ = self.progress.clear();
    }
}

/// Returns the lines of progress: the targets or, of many, what they come to; then a summary.
///
/// There are none while nothing runs: a review, a question or a summary stands there then.
pub(super) fn rows(fleet: &Fleet<'_>, options: &ScreenOptions, height: usize) -> Vec<String> {
    let view = fleet.view();
    match view.state() {
        State::Running
        | State::Stopping
        | State::GivingUp
        | State::Answered(_)
        | State::Overdue => {}
        State::Unknown
        | State::WaitingForApproval
        | State::Denied
        | State::Paused
        | State::Ended(_) => {
            return Vec::new();
        }
    }
    // A line as wide as the terminal would wrap on some.
    let options = &ScreenOptions {
        width: options.width.saturating_sub(1),
        ..*options
    };
    let notices = notices(fleet, options);
    let room = height.saturating_sub(RESERVED_LINES + 1 + notices.len());
    let total = fleet.counts().total;
    let mut lines = if total > room && total > FEW {
        of_many(fleet, options, room)
    } else {
        of_few(fleet, options, room)
    };
    let summary = lines.pop();
    lines.extend(notices);
    lines.extend(summary);
    lines.iter().map(|line| line.render_cut(options)).collect()
}

/// What nobody may miss: that it stops, the gate that is waited for, and where nothing answers.
fn notices(fleet: &Fleet<'_>, options: &ScreenOptions) -> Vec<Line> {
    let view = fleet.view();
    let stopping = (view.state() == State::Stopping)
        .then(|| Line::of(Tone::Warn, "stopping: what runs is being finished"));
    let gate = view.gate().map(|(place, until)| {
        let text = words::gate(place, *until, view.held(), options.now);
        Line::of(Tone::Busy, &text)
    });
    let silences = view.silences_told(options.now).into_iter();
    let silences = silences.map(|text| Line::of(Tone::Warn, &text));
    let lines = stopping.into_iter().chain(gate).chain(silences);
    lines
        .flat_map(|line| line.wrap_within(options.width, 2, NOTICE))
        .collect()
}

/// The targets one by one, those under way first where not all fit, and a summary.
fn of_few(fleet: &Fleet<'_>, options: &ScreenOptions, room: usize) -> Vec<Line> {
    let all = fleet.view().targets();
    let mut shown: Vec<&TargetView> = all.clone();
    if all.len() > room {
        shown.sort_by_key(|target| urgency(target));
        shown.truncate(room);
    }
    let places = fleet.places();
    let names = all.iter().map(|t| columns(&places.name(t.target())));
    let wide = names.max().unwrap_or(0).min(options.width / 2);
    let mut spare = room.saturating_sub(shown.len());
    let mut out = Vec::new();
    for target in &shown {
        let is_failure = matches!(target.phase(), Phase::Ended(outcome) if outcome.is_failure());
        // Why something failed is worth more lines, where there are any.
        let most = if is_failure { NOTICE.min(1 + spare) } else { 1 };
        let lines = row(target, places, wide, options).wrap_within(options.width, 4, most);
        spare = spare.saturating_sub(lines.len() - 1);
        out.extend(lines);
    }
    let mut line = Line::default();
    if let Some(wave) = wave_now(fleet) {
        line.push(Tone::Busy, &format!("{wave} {} ", options.glyphs().dot));
    }
    line.join(counts(fleet, options));
    if let (Some(started), Some(now)) = (fleet.view().started(), options.now) {
        line.push(Tone::Dim, &format!("   {}", words::between(started, now)));
    }
    let hidden = all.len() - shown.len();
    if hidden > 0 {
        line.push(Tone::Dim, &format!("   {hidden} not shown"));
    }
    out.push(line);
    out
}

/// What many targets come to: where they are, what takes long, why some failed, how long it still takes, and a summary.
fn of_many(fleet: &Fleet<'_>, options: &ScreenOptions, room: usize) -> Vec<Line> {
    let rooms = Rooms::within(room.saturating_sub(1), fleet, options);
    let mut out = sections(fleet, options, rooms, UNDER_WAY);
    if room > 0
        && let (Some(started), Some(now)) = (fleet.view().started(), options.now)
    {
        let mut line = Line::default();
        if let Some(wave) = wave_now(fleet) {
            line.push(Tone::Busy, &format!("{wave}   "));
        }
        let text = format!("{} so far", words::between(started, now));
        line.push(Tone::Dim, &text);
        let is_stopping = fleet.view().state() == State::Stopping;
        if let Some(left) = fleet.left(now).filter(|_| !is_stopping) {
            line.push(Tone::Dim, &format!("   {}", left.told()));
        }
        out.push(line);
    }
    out.push(counts(fleet, options));
    out
}

/// `▸ 111111111111/us-east-1   executing   3/7   12 s   Orders CREATE_IN_PROGRESS`.
fn row(target: &TargetView, places: &Places, wide: usize, options: &ScreenOptions) -> Line {
    let (word, tone) = words::phase(target.phase());
    let mut line = Line::of(tone, mark(options.glyphs(), tone));
    line.push(Tone::Plain, " ");
    line.push(
        Tone::Plain,
        &options.shorten_middle(&places.name(target.target()), wide),
    );
    line.pad(2 + wide, 0);
    line.push(tone, &format!("   {word:<19}"));
    let is_executing = matches!(target.phase(), Phase::Executing);
    if is_executing {
        let (done, expected) = target.progress();
        line.push(Tone::Plain, &format!("   {done}/{expected}"));
    }
    let until = target.ended_at().or(options.now);
    if let (Some(began), Some(until)) = (target.began(), until)
        && !matches!(target.phase(), Phase::Ready | Phase::Deletable)
    {
        line.push(Tone::Dim, &format!("   {}", words::between(began, until)));
    }
    if let Some(detail) = detail(target) {
        let tone = if target.newest_event().is_some_and(|e| e.is_failure()) {
            Tone::Bad
        } else {
            Tone::Dim
        };
        line.push(tone, &format!("   {detail}"));
    }
    line
}

fn counts(fleet: &Fleet<'_>, options: &ScreenOptions) -> Line {
    let counts = fleet.counts();
    let glyphs = options.glyphs();
    let mut line = Line::default();
    line.push(Tone::Strong, &count(counts.total, "target"));
    for (text, tone) in words::counts(counts) {
        line.push(Tone::Dim, &format!(" {} ", glyphs.dot));
        line.push(tone, &text);
    }
    line
}

/// Returns the order in which targets are shown where not all fit.
fn urgency(target: &TargetView) -> u8 {
    match target.phase() {
        Phase::Executing | Phase::Checking | Phase::CleaningUp => 0,
        Phase::Creating | Phase::Reading => 1,
        Phase::Waiting if target.busy().is_some() => 1,
        Phase::Ended(outcome) if outcome.is_failure() => 2,
        Phase::Ready | Phase::Deletable | Phase::Waiting => 3,
        Phase::Ended(_) => 4,
    }
}

#[cfg(test)]
mod tests;
