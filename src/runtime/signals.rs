//! Signals of the operating system, as requests to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signal that a write above the file-size limit sends (`SIGXFSZ`); POSIX systems number it alike.
const FILE_SIZE: i32 = 25;

/// Lets a write above the file-size limit of this process (`ulimit -f`) fail as one on a full disk does.
///
/// By default the system ends the process for it, without a word of what is to be done.
pub fn outlive_file_limit() -> std::io::Result<()> {
    // The runtime may go; what it registered with the system stays.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let _guard = runtime.enter();
    signal(SignalKind::from_raw(FILE_SIZE)).map(drop)
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// Ctrl-C: finish what runs, leave at the second.
    Interrupt,
    /// SIGTERM or SIGHUP: leave at once.
    Leave,
}

/// The signals that end a run.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Starts to listen; from then on the signals no longer kill the process.
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.interrupt.recv() => Request::Interrupt,
            _ = self.terminate.recv() => Request::Leave,
            _ = self.hang_up.recv() => Request::Leave,
        }
    }
}
