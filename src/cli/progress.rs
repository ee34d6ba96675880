//! Progress on standard error: redrawn on a terminal, plain lines elsewhere.

mod quiet;

use console::Term;
use indicatif::ProgressDrawTarget;
use jiff::Timestamp;

use self::quiet::Quiet;
use super::ci::Sections;
use super::{debug, output};
use crate::model::Event;
use crate::report::{Lines, Live, ScreenOptions, View};

/// Progress on standard error.
pub(super) enum Progress {
    /// Redrawn in place, on a terminal that is quiet while it is seen.
    Live(Box<Live>, Option<Quiet>),
    /// Plain lines.
    Lines(Box<Lines>, Sections),
    /// It was ended.
    Ended,
}

impl Progress {
    /// Returns progress that goes on from `view`.
    pub(super) fn new(view: View) -> Self {
        // Lines between the pictures would be drawn over.
        if output::is_terminal_stderr() && !debug::is_on() {
            // Fifteen pictures a second are enough for the eye, and cost little on a slow line.
            let live = Live::new(view, ProgressDrawTarget::stderr_with_hz(15));
            Self::Live(Box::new(live), Some(Quiet::new()))
        } else {
            let lines = Lines::new(view, output::progress_screen());
            Self::Lines(Box::new(lines), Sections::default())
        }
    }

    /// Tells events.
    pub(super) fn tell(&mut self, events: &[Event]) {
        match self {
            Self::Live(live, _) => {
                events.iter().for_each(|event| live.apply(event));
                live.draw(&output::progress_screen(), height());
            }
            Self::Lines(lines, sections) => {
                for event in events {
                    say(|out| lines.apply(event, out));
                    sections.tell(event);
                }
            }
            Self::Ended => {}
        }
    }

    /// Notes that time passed.
    pub(super) fn tick(&mut self, now: Timestamp) {
        match self {
            Self::Live(live, _) => {
                let options = ScreenOptions {
                    now: Some(now),
                    ..output::progress_screen()
                };
                live.draw(&options, height());
            }
            Self::Lines(lines, _) => {
                say(|out| lines.tick(now, out));
            }
            Self::Ended => {}
        }
    }

    /// Takes the progress away while `during` writes.
    pub(super) fn suspend(&mut self, during: impl FnOnce()) {
        match self {
            Self::Live(live, _) => live.suspend(during),
            Self::Lines(..) | Self::Ended => during(),
        }
    }

    /// Returns whether progress is on the terminal, which then does not echo Ctrl-C.
    pub(super) fn is_redrawn(&self) -> bool {
        matches!(self, Self::Live(_, Some(_)))
    }

    /// Takes the progress away while a prompt is open.
    pub(super) fn hide(&mut self) {
        if let Self::Live(live, quiet) = self {
            live.hide();
            // Whoever is asked sees what is typed.
            *quiet = None;
        }
    }

    /// Draws again.
    pub(super) fn unhide(&mut self) {
        if let Self::Live(live, quiet) = self {
            live.show();
            quiet.get_or_insert_with(Quiet::new);
        }
    }

    /// Takes the progress away for good.
    pub(super) fn finish(&mut self) {
        match std::mem::replace(self, Self::Ended) {
            Self::Live(live, _) => {
                live.finish();
            }
            Self::Lines(_, mut sections) => sections.close(crate::runtime::now().as_second()),
            Self::Ended => {}
        }
    }
}

/// Writes what `tell` tells to standard error, by the way that all text goes.
fn say(tell: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) {
    let mut told = Vec::new();
    // Writing into memory does not fail.
    if tell(&mut told).is_ok() && !told.is_empty() {
        output::stderr(&String::from_utf8_lossy(&told));
    }
}

fn height() -> usize {
    Term::stderr()
        .size_checked()
        .map_or(24, |(rows, _)| usize::from(rows))
}
