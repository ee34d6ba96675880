//! A terminal that does not echo Ctrl-C while progress is redrawn on it.
//!
//! The cursor stands at the end of the last row, so the `^C` goes on in the line below, and every row that is drawn or
//! taken away after that is one line off: one of them stays on the terminal.

use std::io::stderr;

use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// A terminal that does not echo control keys until this is dropped. All else that is typed is echoed as before.
#[derive(Debug)]
pub(in crate::cli) struct Quiet {
    /// The settings from before, where they were changed.
    before: Option<Termios>,
}

impl Quiet {
    /// Turns the echo of control keys off on standard error's terminal, where it is on.
    pub(super) fn new() -> Self {
        let before = tcgetattr(stderr()).ok().filter(|settings| {
            let echoes = LocalModes::ECHO | LocalModes::ECHOCTL;
            settings.local_modes.contains(echoes) && is_ours()
        });
        if let Some(before) = &before {
            let mut settings = before.clone();
            settings.local_modes.remove(LocalModes::ECHOCTL);
            // Without it, only a row stays.
            let _ = tcsetattr(stderr(), OptionalActions::Now, &settings);
        }
        Self { before }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = self.before.take().filter(|_| is_ours()) {
            // A terminal that is gone needs nothing back.
            let _ = tcsetattr(stderr(), OptionalActions::Now, &before);
        }
    }
}

/// Returns whether the process is in the foreground: one in the background would be stopped for changing the terminal.
fn is_ours() -> bool {
    tcgetpgrp(stderr()).is_ok_and(|foreground| foreground == getpgrp())
}
