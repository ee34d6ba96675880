//! What can go wrong with a journal, and what to do about it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{ErrorCode, ffi};

use crate::model::ExecutionId;

/// Why the journal did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The state path leads through a file.
    #[error(
        "state folder `{state}` cannot be used: `{file}` is a file, not a folder; choose another with `--state`",
        state = .state.display(), file = .file.display()
    )]
    NotAFolder {
        /// The state folder asked for.
        state: PathBuf,
        /// The file in the way.
        file: PathBuf,
    },
    /// The state folder or the database could not be created.
    #[error(
        "cannot create `{path}`; the state folder must be writable, choose another with `--state`",
        path = .path.display()
    )]
    Create {
        /// What was to be created.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no journal where one was expected.
    #[error(
        "there is no journal in `{state}`; run this where the execution was started, or name its folder with `--state`",
        state = .state.display()
    )]
    Missing {
        /// The state folder asked for.
        state: PathBuf,
    },
    /// The file or its folder cannot be written.
    #[error(
        "journal `{path}` cannot be written; the file and its folder must be writable",
        path = .path.display()
    )]
    ReadOnly {
        /// The database.
        path: PathBuf,
    },
    /// The file cannot be opened.
    #[error(
        "journal `{path}` cannot be opened; it must be a readable file in a writable folder on a local disk",
        path = .path.display()
    )]
    Unopenable {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The disk is full.
    #[error(
        "no space left to write journal `{path}`; nothing was recorded: free some space, then try again",
        path = .path.display()
    )]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// The file does not take what is written.
    #[error(
        "journal `{path}` does not take what is written; nothing was recorded: free some space or raise the limit on the size of files (`ulimit -f`), then try again",
        path = .path.display()
    )]
    Unwritten {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Another process is writing and does not end.
    #[error(
        "journal `{path}` has been locked by another process for {seconds} seconds; end that process or try again",
        path = .path.display(), seconds = super::schema::BUSY_TIMEOUT.as_secs()
    )]
    Busy {
        /// The database.
        path: PathBuf,
    },
    /// The file is something else.
    #[error(
        "`{path}` is not a journal of stackgate; move it away, or choose another folder with `--state`",
        path = .path.display()
    )]
    NotAJournal {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error(
        "journal `{path}` is damaged; move it away to begin a new one: stacks stay as they are, but its executions cannot be resumed",
        path = .path.display()
    )]
    Corrupt {
        /// The database.
        path: PathBuf,
    },
    /// A newer program wrote the database.
    #[error(
        "journal `{path}` has format {found}, written by a newer stackgate; this one reads and writes format {known}: update it",
        path = .path.display()
    )]
    NewerVersion {
        /// The database.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The format of this program.
        known: i64,
    },
    /// An event cannot be read by this program.
    #[error(
        "event {seq} (`{kind}`) of execution {execution} cannot be read by this stackgate; a newer one probably wrote it: update this one"
    )]
    UnreadableEvent {
        /// The execution.
        execution: ExecutionId,
        /// The event's number.
        seq: u64,
        /// The event's kind, as written.
        kind: String,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// An event is damaged, or missing.
    #[error(
        "event {seq} of execution {execution} in `{path}` is damaged: what the execution did cannot be told, and it cannot be gone \
         on with; look at its stacks, and put the file back from a copy or deploy them anew; other executions go on",
        path = .path.display()
    )]
    DamagedEvent {
        /// The database.
        path: PathBuf,
        /// The execution.
        execution: ExecutionId,
        /// The event's number.
        seq: u64,
    },
    /// A message of the inbox cannot be read by this program.
    #[error(
        "message {number} to execution {execution} cannot be read by this stackgate; a newer one probably wrote it: update this one"
    )]
    UnreadableMessage {
        /// The execution.
        execution: ExecutionId,
        /// The message's number.
        number: u64,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// No execution matches.
    #[error(
        "no execution matches `{text}` in `{state}`; `stackgate list` shows what there is",
        state = .state.display()
    )]
    UnknownExecution {
        /// What was asked for.
        text: String,
        /// The state folder.
        state: PathBuf,
    },
    /// A stack was named where an execution is meant.
    #[error(
        "`{text}` is a stack, and executions go by their ids; the latest one of `{text}`: `stackgate status {latest}`"
    )]
    StackForExecution {
        /// What was asked for.
        text: String,
        /// The newest execution of that name.
        latest: ExecutionId,
    },
    /// The journal is empty.
    #[error("there is no execution in `{state}` yet", state = .state.display())]
    NoExecution {
        /// The state folder.
        state: PathBuf,
    },
    /// Several executions match.
    #[error("`{text}` matches {} executions; give more of the id of one, or `latest` for the newest", .candidates.len())]
    AmbiguousExecution {
        /// What was asked for.
        text: String,
        /// Those that match, newest first.
        candidates: Vec<ExecutionId>,
    },
    /// Another process runs the execution.
    #[error("execution {execution} is being run by {owner}, last heard of at {heartbeat:.0}")]
    LeaseHeld {
        /// The execution.
        execution: ExecutionId,
        /// Who runs it.
        owner: String,
        /// When it was last heard of.
        heartbeat: Timestamp,
    },
    /// The caller no longer runs the execution.
    #[error("execution {execution} is no longer run by this process: {}", taken(.owner))]
    LeaseLost {
        /// The execution.
        execution: ExecutionId,
        /// Who runs it now, if anybody.
        owner: Option<String>,
    },
    /// The journal holds other events than the caller thinks.
    #[error(
        "execution {execution} has {found} events in the journal where {expected} were expected; nothing was recorded: `stackgate resume` reads them again"
    )]
    SequenceConflict {
        /// The execution.
        execution: ExecutionId,
        /// The number of the last event, as the caller knows it.
        expected: u64,
        /// The number of the last event in the journal.
        found: u64,
    },
    /// The events to append do not follow each other.
    #[error(
        "event {seq} of execution {execution} cannot be recorded where event {expected} of execution {lease} is next"
    )]
    Misnumbered {
        /// The execution of the event.
        execution: ExecutionId,
        /// The event's number.
        seq: u64,
        /// The execution of the lease.
        lease: ExecutionId,
        /// The number it must have.
        expected: u64,
    },
    /// A message was handled before, or is another execution's.
    #[error("message {number} to execution {execution} is not waiting; nothing was recorded")]
    InboxConflict {
        /// The execution.
        execution: ExecutionId,
        /// The message's number.
        number: u64,
    },
    /// A value cannot be written as JSON.
    #[error("cannot write {what} of execution {execution} as JSON")]
    Encode {
        /// What was to be written.
        what: &'static str,
        /// The execution.
        execution: ExecutionId,
        /// Why not.
        source: serde_json::Error,
    },
    /// SQLite failed otherwise.
    #[error(
        "cannot {action} journal `{path}`; it must be on a local disk that works",
        path = .path.display()
    )]
    Storage {
        /// What was attempted.
        action: &'static str,
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl JournalError {
    /// Returns whether only one execution cannot be read, which hides no other.
    pub fn is_of_one_execution(&self) -> bool {
        matches!(
            self,
            Self::UnreadableEvent { .. } | Self::DamagedEvent { .. }
        )
    }
}

/// A failure inside a transaction, before it is known which file and action it concerns.
#[derive(Debug)]
pub(super) enum Failure {
    Sqlite(rusqlite::Error),
    Journal(JournalError),
    /// An event is not what was written there.
    Damaged {
        execution: ExecutionId,
        seq: u64,
    },
    /// A stored text is not what was written there.
    Garbled,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl Failure {
    /// Returns the error to show for a failed `action` on the database `path`.
    pub(super) fn on(self, path: &Path, action: &'static str) -> JournalError {
        let path = path.to_owned();
        let source = match self {
            Self::Journal(error) => return error,
            Self::Damaged { execution, seq } => {
                return JournalError::DamagedEvent {
                    path,
                    execution,
                    seq,
                };
            }
            Self::Garbled => return JournalError::Corrupt { path },
            Self::Sqlite(source) => source,
        };
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                JournalError::Busy { path }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                JournalError::ReadOnly { path }
            }
            Some(ErrorCode::DiskFull) => JournalError::Full { path },
            // The index of the write-ahead log could not grow; SQLite has no other code for it.
            Some(ErrorCode::SystemIoFailure)
                if source.sqlite_extended_error_code() == Some(ffi::SQLITE_IOERR_SHMSIZE) =>
            {
                JournalError::Full { path }
            }
            // A file-size limit or a quota says so too, and not that the disk is full.
            Some(ErrorCode::SystemIoFailure)
                if matches!(
                    source.sqlite_extended_error_code(),
                    Some(ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_TRUNCATE)
                ) =>
            {
                JournalError::Unwritten { path, source }
            }
            Some(ErrorCode::DatabaseCorrupt) => JournalError::Corrupt { path },
            Some(ErrorCode::NotADatabase) => JournalError::NotAJournal { path },
            Some(ErrorCode::CannotOpen) => JournalError::Unopenable { path, source },
            _ => JournalError::Storage {
                action,
                path,
                source,
            },
        }
    }
}

fn taken(owner: &Option<String>) -> String {
    match owner {
        Some(owner) => format!("{owner} took it over"),
        None => "its lease was released".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::super::{Durability, Journal};
    use super::*;
    use crate::model::EventKind;

    #[test]
    fn a_full_disk_records_nothing_and_is_named() {
        let (_root, journal) = journal();
        let lease = begun(&journal, &id(1));
        let pages: i64 = journal
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        journal
            .connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .unwrap();
        let big = || EventKind::StageFailed {
            reason: "x".repeat(100_000),
        };
        let next = events(&id(1), 2, vec![EventKind::StageStarted, big()]);
        let error = journal
            .append(&lease, 1, &next, &[], Durability::Intent)
            .unwrap_err();
        assert!(matches!(error, JournalError::Full { .. }), "{error:?}");
        assert!(
            error
                .to_string()
                .starts_with("no space left to write journal `")
        );
        assert_eq!(read(&journal, &id(1), 1).unwrap(), []);

        journal
            .connection
            .pragma_update_and_check(None, "max_page_count", pages + 1000, |_| Ok(()))
            .unwrap();
        journal
            .append(&lease, 1, &next, &[], Durability::Intent)
            .unwrap();
        assert_eq!(read(&journal, &id(1), 1).unwrap(), next);
    }

    #[test]
    fn a_journal_that_cannot_be_written_is_still_read() {
        let (_root, journal) = journal();
        let lease = begun(&journal, &id(1));
        journal
            .connection
            .pragma_update(None, "query_only", true)
            .unwrap();
        let error = journal.heartbeat(&lease, now()).unwrap_err();
        assert!(matches!(error, JournalError::ReadOnly { .. }), "{error:?}");
        assert_eq!(read(&journal, &id(1), 0).unwrap().len(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let error = Journal::open(Path::new("/proc/stackgate/state")).unwrap_err();
        assert!(matches!(error, JournalError::Create { .. }), "{error:?}");
        assert!(
            error
                .to_string()
                .starts_with("cannot create `/proc/stackgate")
        );
    }

    #[test]
    fn a_missing_journal_is_not_made_by_looking_for_it() {
        let root = tempfile::tempdir().unwrap();
        let state = root.path().join(".stackgate");
        let error = Journal::open_existing(&state).unwrap_err();
        assert!(matches!(error, JournalError::Missing { .. }), "{error:?}");
        assert!(!state.exists());
        Journal::open(&state).unwrap();
        Journal::open_existing(&state).unwrap();
    }
}
