//! What is told of a fleet too large for a line about each target: from time to time what it comes to, and each thing
//! that went wrong once, with how often it came again.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::{Event, EventKind, status_reason};
use crate::report::fleet::{Fleet, now_in};
use crate::report::screen::{Line, ScreenOptions, Tone};
use crate::report::view::Counts;
use crate::report::words::{self, count};

/// The shortest and the longest time between two accounts. A short run is followed closely, and a long one does not
/// fill the log: the time grows with the run, to a twentieth of it.
const PAUSE: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(30), SignedDuration::from_mins(5));
/// How many things that came again are told of at once.
const TOLD: usize = 5;
/// How many of the targets are named in which it came again.
const PLACES: usize = 3;
/// The columns of a text that was told in full before.
const SHORT: usize = 160;
/// The texts that are known apart. A log with more is of no use to anybody, and memory has an end.
const MOST: usize = 1_000;

/// What was told of a fleet.
#[derive(Debug, Clone, Default)]
pub(super) struct Many {
    /// When the last account was given, and of what.
    told: Option<(Timestamp, Counts)>,
    /// What went wrong, without what differs between accounts and regions.
    texts: BTreeMap<String, Seen>,
}

/// How often something went wrong.
#[derive(Debug, Clone, Default)]
struct Seen {
    all: usize,
    untold: usize,
    /// Some of the targets that it came again in.
    places: Vec<String>,
}

impl Many {
    /// Returns whether `text` is to be told of the target at `place`; if it was told of another, it is counted, unless
    /// something `follows` that tells more and is counted then.
    pub(super) fn is_first(&mut self, text: &str, place: &str, follows: bool) -> bool {
        let key = status_reason::normalised(text);
        if !self.texts.contains_key(&key) && self.texts.len() >= MOST {
            return false;
        }
        let seen = self.texts.entry(key).or_default();
        seen.all += 1;
        let is_first = seen.all == 1;
        if !is_first && !follows {
            seen.untold += 1;
            if seen.places.len() < PLACES {
                seen.places.push(place.to_owned());
            }
        }
        is_first
    }

    /// Returns the account of `fleet` at `now`, if it is time for one; with `at_once`, if anything is new.
    pub(super) fn account(
        &mut self,
        fleet: &Fleet<'_>,
        now: Timestamp,
        at_once: bool,
        options: &ScreenOptions,
    ) -> Vec<Line> {
        let counts = *fleet.counts();
        let began = fleet.view().started().unwrap_or(now);
        let (last, known) = *self.told.get_or_insert((began, counts));
        let pause = (now.duration_since(began) / 20).clamp(PAUSE.0, PAUSE.1);
        let is_time = match at_once {
            true => counts != known,
            false => now.duration_since(last) >= pause,
        };
        if !is_time {
            return Vec::new();
        }
        self.told = Some((now, counts));
        let mut out = vec![figures(fleet, now, options)];
        if counts == known {
            out.extend(longest(fleet, now));
        }
        out.extend(self.again(options));
        out
    }

    /// Returns what came again since it was told, the most frequent first.
    fn again(&mut self, options: &ScreenOptions) -> Vec<Line> {
        let mut again: Vec<(&String, &mut Seen)> = self
            .texts
            .iter_mut()
            .filter(|(_, seen)| seen.untold > 0)
            .collect();
        again.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.untold));
        let more = again.len().saturating_sub(TOLD);
        let mut out = Vec::new();
        for (text, seen) in again.into_iter().take(TOLD) {
            let times = format!("{} times so far: ", seen.all);
            let text = options.shorten(&text.replace('\n', "; "), SHORT);
            let mut line = under(Tone::Warn, &format!("{times}{text}"));
            let places = std::mem::take(&mut seen.places);
            let more = seen.untold - places.len();
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            line.push(
                Tone::Dim,
                &format!("   also in {}{more}", places.join(", ")),
            );
            out.push(line);
            seen.untold = 0;
        }
        if more > 0 {
            let text = format!("and {} came again", count(more, "other text"));
            out.push(under(Tone::Dim, &text));
        }
        out
    }
}

/// A line that goes on with the one above.
fn under(tone: Tone, text: &str) -> Line {
    Line::indent(10).add(tone, text)
}

/// `1253 of 4000 targets ended: 1240 succeeded · …   12 min 3 s, about 25 min left   now in wave eu: eu-west-1`
fn figures(fleet: &Fleet<'_>, now: Timestamp, options: &ScreenOptions) -> Line {
    let counts = fleet.counts();
    let view = fleet.view();
    let untouched = counts.waiting + counts.planning + counts.ready;
    let is_planning = untouched + counts.unchanged + counts.not_planned == counts.total;
    let (done, what) = match is_planning {
        true => (counts.total - counts.waiting - counts.planning, "planned"),
        false => (counts.ended(), "ended"),
    };
    let mut line = Line::of(Tone::Dim, &format!("{}  ", words::clock(now)));
    let total = count(counts.total, "target");
    line.push(Tone::Plain, &format!("{done} of {total} {what}: "));
    for (at, (text, tone)) in words::counts(counts).into_iter().enumerate() {
        if at > 0 {
            line.push(Tone::Dim, &format!(" {} ", options.glyphs().dot));
        }
        line.push(tone, &text);
    }
    if let Some(began) = view.started() {
        line.push(Tone::Dim, &format!("   {}", words::between(began, now)));
    }
    if let Some((place, until)) = view.gate() {
        let text = words::gate(place, *until, view.held(), Some(now));
        line.push(Tone::Busy, &format!("   {text}"));
    } else if let Some(text) = now_in(fleet) {
        line.push(Tone::Dim, &format!("   now in {text}"));
    }
    if let Some(left) = fleet.left(now) {
        line.push(Tone::Dim, &format!("   {}", left.told()));
    }
    line
}

/// Returns what takes longest, where nothing moves.
fn longest(fleet: &Fleet<'_>, now: Timestamp) -> Option<Line> {
    let target = fleet.under_way().next()?;
    let name = fleet.places().name(target.target());
    let (word, _) = words::phase(target.phase());
    let mut text = format!("the longest under way: {name}, {word}");
    if let Some(began) = target.began() {
        text.push_str(&format!(" for {}", words::between(began, now)));
    }
    if let Some(detail) = crate::report::status::detail(target) {
        text.push_str(&format!(": {detail}"));
    }
    Some(under(Tone::Dim, &text))
}

/// Returns whether something went wrong with a target. The rest of many targets is told by figures.
pub(super) fn is_trouble(event: &Event) -> bool {
    match &event.kind {
        EventKind::StackBusy { .. }
        | EventKind::CleanupDone { left: Some(_) }
        | EventKind::CallFailed { .. }
        | EventKind::Observed { .. } => true,
        EventKind::TargetFinished { outcome, .. } => outcome.is_failure(),
        EventKind::ChangeSetIntended { .. }
        | EventKind::ChangeSetCreated { .. }
        | EventKind::ChangeSetReady { .. }
        | EventKind::DeletionPlanned { .. }
        | EventKind::CleanupIntended { .. }
        | EventKind::ChangeSetDeleted
        | EventKind::CleanupDone { left: None }
        | EventKind::TargetStarted
        | EventKind::ExecuteIntended { .. }
        | EventKind::ExecuteAccepted
        | EventKind::StackSettled { .. }
        | EventKind::SettingIntended { .. }
        | EventKind::SettingApplied { .. }
        | EventKind::ExecutionStarted { .. }
        | EventKind::Resumed { .. }
        | EventKind::StageStarted
        | EventKind::StageSucceeded
        | EventKind::StageFailed { .. }
        | EventKind::StageSkipped { .. }
        | EventKind::ActionStarted
        | EventKind::ActionSucceeded
        | EventKind::ActionFailed { .. }
        | EventKind::SourceStored { .. }
        | EventKind::PlanReady { .. }
        | EventKind::ApprovalRequested { .. }
        | EventKind::Answered { .. }
        | EventKind::AnswerRefused { .. }
        | EventKind::ApprovalExpired
        | EventKind::GateStarted { .. }
        | EventKind::GateHeld { .. }
        | EventKind::GateOpened { .. }
        | EventKind::GateClosed { .. }
        | EventKind::PlanExported { .. }
        | EventKind::PlanImported { .. }
        | EventKind::RegionSilent { .. }
        | EventKind::RegionAnswers { .. }
        | EventKind::Paused { .. }
        | EventKind::StopRequested { .. }
        | EventKind::ExecutionFinished { .. } => false,
    }
}
