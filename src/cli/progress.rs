//! Progress on standard error: redrawn on a terminal, plain lines elsewhere.

use console::Term;
use indicatif::ProgressDrawTarget;
use jiff::Timestamp;

use super::ci::Sections;
use super::{debug, output};
use crate::model::Event;
use crate::report::{Lines, Live, ScreenOptions, View};

/// Progress on standard error.
pub(super) enum Progress {
    /// Redrawn in place.
    Live(Box<Live>),
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
            Self::Live(Box::new(Live::new(
                view,
                ProgressDrawTarget::stderr_with_hz(15),
            )))
        } else {
            let lines = Lines::new(view, output::progress_screen());
            Self::Lines(Box::new(lines), Sections::default())
        }
    }

    /// Tells events.
    pub(super) fn tell(&mut self, events: &[Event]) {
        match self {
            Self::Live(live) => {
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
            Self::Live(live) => {
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
            Self::Live(live) => live.suspend(during),
            Self::Lines(..) | Self::Ended => during(),
        }
    }

    /// Takes the progress away while a prompt is open.
    pub(super) fn hide(&mut self) {
        if let Self::Live(live) = self {
            live.hide();
        }
    }

    /// Draws again.
    pub(super) fn unhide(&mut self) {
        if let Self::Live(live) = self {
            live.show();
        }
    }

    /// Takes the progress away for good.
    pub(super) fn finish(&mut self) {
        match std::mem::replace(self, Self::Ended) {
            Self::Live(live) => {
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
