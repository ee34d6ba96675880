//! Progress on a terminal: one line for each target, redrawn in place.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::model::Event;

use super::screen::{Line, ScreenOptions, Tone, columns};
use super::status::{detail, mark};
use super::view::State;
use super::words::{self, Places, count};
use super::{Phase, TargetView, View};

/// The lines of a terminal that are left to what stands above and to the cursor.
const RESERVED_LINES: usize = 2;

/// Progress that is redrawn in place.
///
/// Nothing is drawn but by `draw`, so no thread of its own writes while somebody is asked.
pub struct Live {
    view: View,
    progress: MultiProgress,
    rows: Vec<(ProgressBar, String)>,
    style: ProgressStyle,
    is_hidden: bool,
}

impl Live {
    /// Returns progress that goes on from `view` and is drawn on `terminal`.
    pub fn new(view: View, terminal: ProgressDrawTarget) -> Self {
        Self {
            view,
            progress: MultiProgress::with_draw_target(terminal),
            rows: Vec::new(),
            // The template is a constant, and without it a bar would still show its message.
            style: ProgressStyle::with_template("{msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
            is_hidden: false,
        }
    }

    /// Takes an event in. It is seen at the next `draw`.
    pub fn apply(&mut self, event: &Event) {
        self.view.apply(event);
    }

    /// Draws what is known on a terminal of `height` lines; `options.now` gives the durations.
    pub fn draw(&mut self, options: &ScreenOptions, height: usize) {
        if self.is_hidden {
            return;
        }
        let texts = rows(&self.view, options, height);
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
        self.view
    }

    /// Returns what is known so far.
    pub fn view(&self) -> &View {
        &self.view
    }

    fn clear(&mut self) {
        for (bar, _) in self.rows.drain(..) {
            bar.finish_and_clear();
            self.progress.remove(&bar);
        }
        // Nothing is left to do about a terminal that cannot be written to.
        let _ = self.progress.clear();
    }
}

/// Returns the lines of progress: the targets that fit, those under way first, then a summary.
///
/// There are none while nothing runs: a review, a question or a summary stands there then.
pub(super) fn rows(view: &View, options: &ScreenOptions, height: usize) -> Vec<String> {
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
    let all = view.targets();
    let gate = view.gate().map(|(place, until)| {
        let text = words::gate(place, *until, view.held(), options.now);
        Line::of(Tone::Busy, &text).render_cut(options)
    });
    let room = height.saturating_sub(RESERVED_LINES + 1 + usize::from(gate.is_some()));
    let mut shown: Vec<&TargetView> = all.clone();
    if all.len() > room {
        shown.sort_by_key(|target| urgency(target));
        shown.truncate(room);
    }
    let places = Places::of(all.iter().map(|target| target.target()));
    let names = all.iter().map(|t| columns(&places.name(t.target())));
    let wide = names.max().unwrap_or(0).min(options.width / 2);
    let mut out: Vec<String> = shown
        .iter()
        .map(|target| row(target, &places, wide, options))
        .collect();
    out.extend(gate);
    out.push(summary(view, all.len() - shown.len(), options));
    out
}

/// `▸ 111111111111/us-east-1   executing   3/7   12 s   Orders CREATE_IN_PROGRESS`.
fn row(target: &TargetView, places: &Places, wide: usize, options: &ScreenOptions) -> String {
    let (word, tone) = words::phase(target.phase());
    let mut line = Line::of(tone, mark(options.glyphs(), tone));
    line.push(Tone::Plain, " ");
    line.push(
        Tone::Plain,
        &options.shorten(&places.name(target.target()), wide),
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
    line.render_cut(options)
}

fn summary(view: &View, hidden: usize, options: &ScreenOptions) -> String {
    let counts = view.counts();
    let glyphs = options.glyphs();
    let mut line = Line::of(Tone::Strong, &count(counts.total, "target"));
    for (text, tone) in words::counts(&counts) {
        line.push(Tone::Dim, &format!(" {} ", glyphs.dot));
        line.push(tone, &text);
    }
    if let (Some(started), Some(now)) = (view.started(), options.now) {
        line.push(Tone::Dim, &format!("   {}", words::between(started, now)));
    }
    if hidden > 0 {
        line.push(Tone::Dim, &format!("   {hidden} not shown"));
    }
    if view.state() == State::Stopping {
        line.push(Tone::Warn, "   stopping: what runs is being finished");
    }
    line.render_cut(options)
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
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;
    use jiff::Timestamp;

    use super::super::fixtures::{self, assert_screens};
    use super::*;

    fn under_way() -> (View, Timestamp) {
        let targets = fixtures::four();
        let mut script = fixtures::fleet();
        script.approve();
        script.start(&targets[0]);
        script.observe(
            &targets[0],
            vec![fixtures::stack_event("Alerts", "CREATE_COMPLETE", None)],
        );
        script.end(&targets[0], fixtures::succeeded());
        script.start(&targets[1]);
        let events = vec![
            fixtures::stack_event("Alerts", "CREATE_COMPLETE", None),
            fixtures::stack_event(
                "Queue",
                "UPDATE_IN_PROGRESS",
                Some("Requested update requires a change in a long explanation that does not fit"),
            ),
        ];
        script.wait(14).observe(&targets[1], events);
        script.at(&targets[2], crate::model::EventKind::TargetStarted);
        (script.view(), script.now())
    }

    #[test]
    fn every_target_has_a_line() {
        let (view, now) = under_way();
        assert_screens!("live", |options: &ScreenOptions| {
            let options = ScreenOptions {
                now: Some(now),
                ..*options
            };
            rows(&view, &options, 24).join("\n")
        });
    }

    #[test]
    fn a_small_terminal_shows_what_is_under_way() {
        let (view, now) = under_way();
        let options = ScreenOptions {
            now: Some(now),
            ..ScreenOptions::default()
        };
        let shown = rows(&view, &options, 5);
        assert_eq!(shown.len(), 3);
        insta::assert_snapshot!("live_small", shown.join("\n"));
        assert_eq!(
            rows(&view, &options, 0).len(),
            1,
            "the summary is always there"
        );
    }

    #[test]
    fn no_line_reaches_the_edge_of_the_terminal() {
        let (view, now) = under_way();
        for width in 8..130 {
            let options = ScreenOptions {
                now: Some(now),
                width,
                ..ScreenOptions::default()
            };
            for text in rows(&view, &options, 24) {
                assert!(columns(&text) < width, "{width}: {text}");
            }
        }
    }

    #[test]
    fn nothing_is_shown_while_somebody_is_asked() {
        let options = ScreenOptions::default();
        assert!(rows(&fixtures::fleet().view(), &options, 24).is_empty());
        assert!(rows(&fixtures::finished().view(), &options, 24).is_empty());
    }

    /// A terminal that keeps what is written to it.
    #[derive(Debug, Clone, Default)]
    struct Written(Arc<Mutex<String>>);

    impl TermLike for Written {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)?;
            self.write_str("\n")
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            self.write_str("<clear>")
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_drawn_hidden_for_a_prompt_and_drawn_again() {
        let (view, now) = under_way();
        let options = ScreenOptions {
            now: Some(now),
            ..ScreenOptions::default()
        };
        let terminal = Written::default();
        let take = || std::mem::take(&mut *terminal.0.lock().unwrap());
        // The draw target limits its rate; one high enough never drops a draw in a test.
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
        let mut live = Live::new(view, target);

        live.draw(&options, 24);
        let drawn = take();
        for text in rows(live.view(), &options, 24) {
            assert!(drawn.contains(text.trim_end()), "{text} in {drawn}");
        }
        live.hide();
        assert!(take().contains("<clear>"));
        live.draw(&options, 24);
        assert_eq!(take(), "", "hidden lines are not drawn");
        live.show();
        live.draw(&options, 24);
        assert!(take().contains("4 targets"));
        assert_eq!(live.suspend(|| 7), 7);
        live.finish();
        assert!(take().contains("<clear>"));
    }
}
