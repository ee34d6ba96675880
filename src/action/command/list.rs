//! The file with the targets that a command may read. The command keeps it locked while it runs, so that no process
//! runs it beside one that a killed process began.

use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::holder;

use crate::model::{Target, TargetOutcome};

/// How often it is looked whether the earlier run has ended.
const POLL: Duration = Duration::from_millis(200);

/// A target in it.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    target: &'a Target,
    outcome: &'a TargetOutcome,
}

/// The file, which goes when this is dropped.
pub(super) struct List {
    pub(super) path: PathBuf,
}

impl List {
    /// Writes it, once the run that a killed process began has ended. Returns with it what the command gets as its
    /// input: nothing is left to be read there, and whoever has it has the lock. `tell` is told what is waited for, if
    /// anything is, and when that is over.
    pub(super) async fn write(
        path: &Path,
        targets: &[(Target, TargetOutcome)],
        limit: Duration,
        mut tell: impl FnMut(Option<String>),
    ) -> Result<(Self, File), String> {
        let failed = |error: std::io::Error| format!("failed to write its targets: {error}");
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.mode(0o600).open(path).map_err(failed)?;
        let begun = tokio::time::Instant::now();
        let mut looks = tokio::time::interval(POLL);
        let mut is_told = false;
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if begun.elapsed() < limit => {
                    if !is_told {
                        tell(Some(holder::told(path, &file)));
                        is_told = true;
                    }
                    looks.tick().await;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(format!(
                        "the run that a killed `stackgate` began has not ended in {} s, and it was not run again: end that process and retry",
                        limit.as_secs()
                    ));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        if is_told {
            tell(None);
        }
        let list = Self {
            path: path.to_owned(),
        };
        let lines = targets.iter();
        let lines: Vec<Line<'_>> = lines
            .map(|(target, outcome)| Line { target, outcome })
            .collect();
        file.set_len(0).map_err(failed)?;
        serde_json::to_writer(&file, &lines).map_err(|error| failed(error.into()))?;
        Ok((list, file))
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // The next run of this execution writes it anew.
        let _ = std::fs::remove_file(&self.path);
    }
}
