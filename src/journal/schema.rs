//! The database: opened, recognised, and brought to the present format.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::JournalError;
use super::error::Failure;

/// How long a writer waits for another one.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The format that this program reads and writes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Marks the file as ours, in the header field that SQLite keeps for it (`sgj1`).
const APPLICATION_ID: i64 = 0x7367_6a31;

/// What leads from each format to the next. An entry that was released never changes.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE execution (
        number    INTEGER PRIMARY KEY,
        id        TEXT NOT NULL UNIQUE,
        pipeline  TEXT NOT NULL DEFAULT '',
        fence     INTEGER NOT NULL DEFAULT 0,
        owner     TEXT,
        heartbeat TEXT
    ) STRICT;

    CREATE TABLE event (
        execution INTEGER NOT NULL REFERENCES execution (number),
        seq       INTEGER NOT NULL CHECK (seq > 0),
        at        TEXT NOT NULL,
        data      TEXT NOT NULL,
        UNIQUE (execution, seq)
    ) STRICT;

    CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
    BEGIN SELECT RAISE (ABORT, 'events are only appended'); END;

    CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
    BEGIN SELECT RAISE (ABORT, 'events are only appended'); END;

    CREATE TABLE inbox (
        number    INTEGER PRIMARY KEY AUTOINCREMENT,
        execution INTEGER NOT NULL REFERENCES execution (number),
        posted    TEXT NOT NULL,
        message   TEXT NOT NULL,
        handled   INTEGER
    ) STRICT;

    CREATE INDEX inbox_waiting ON inbox (execution, number) WHERE handled IS NULL;
"];

/// Returns a connection to the database at `path`, migrated unless a newer program wrote it.
pub(super) fn open(path: &Path) -> Result<Connection, Failure> {
    // No `SQLITE_OPEN_URI`: a folder called `file:x?mode=memory` is a folder.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // On macOS a plain fsync leaves the data in the drive's cache; elsewhere this does nothing.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    if version(&connection)? < VERSION || !is_ours(&connection)? {
        recognise(&connection, path)?;
        use_write_ahead_log(&connection, patience())?;
        migrate(&connection, path)?;
    }
    Ok(connection)
}

/// Returns the format of the database.
pub(super) fn version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn is_ours(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    Ok(id == APPLICATION_ID)
}

/// Fails unless the database is ours or empty.
fn recognise(connection: &Connection, path: &Path) -> Result<(), Failure> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if is_ours(connection)? || tables == 0 {
        return Ok(());
    }
    Err(Failure::Journal(JournalError::NotAJournal {
        path: path.to_owned(),
    }))
}

/// Returns how to wait for others where SQLite does not: a pause, or `false` when it has been too long.
#[expect(
    clippy::disallowed_methods,
    reason = "SQLite waits in the same way, on the same thread"
)]
fn patience() -> impl FnMut() -> bool {
    const PAUSE: Duration = Duration::from_millis(10);
    let mut left = BUSY_TIMEOUT.as_millis() / PAUSE.as_millis();
    move || {
        std::thread::sleep(PAUSE);
        left = left.saturating_sub(1);
        left > 0
    }
}

/// Lets others read while one writes. The mode is kept in the file.
fn use_write_ahead_log(
    connection: &Connection,
    mut try_again: impl FnMut() -> bool,
) -> Result<(), Failure> {
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())) {
            // `busy_timeout` does not help: the change of mode raises a read lock to an exclusive one.
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && try_again() => {}
            result => return Ok(result?),
        }
    }
}

fn migrate(connection: &Connection, path: &Path) -> Result<(), Failure> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    // Again, now that no other process can be doing the same.
    recognise(&transaction, path)?;
    let found = usize::try_from(version(&transaction)?).map_err(|_| Failure::Garbled)?;
    for migration in MIGRATIONS.iter().skip(found) {
        transaction.execute_batch(migration)?;
    }
    if found < MIGRATIONS.len() {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::super::{Durability, Journal};
    use super::*;
    use crate::model::{EventKind, InboxMessage};

    #[test]
    fn the_change_of_mode_waits_for_other_processes() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("journal.db");
        let hog = Connection::open(&path).unwrap();
        let mut writing =
            Some(Transaction::new_unchecked(&hog, TransactionBehavior::Immediate).unwrap());
        let connection = Connection::open(&path).unwrap();
        connection.busy_timeout(BUSY_TIMEOUT).unwrap();
        let refused = use_write_ahead_log(&connection, || false);
        assert!(matches!(refused, Err(Failure::Sqlite(_))), "{refused:?}");
        let mut times = 0;
        let waited = use_write_ahead_log(&connection, || {
            times += 1;
            if times == 3 {
                writing = None;
            }
            true
        });
        assert!(waited.is_ok(), "{waited:?}");
        assert_eq!(times, 3);
    }

    #[test]
    fn a_file_of_something_else_is_not_taken_for_a_journal() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("journal.db");
        std::fs::write(&path, "a journal of another kind\n".repeat(100)).unwrap();
        let refused = || {
            let error = Journal::open(root.path()).unwrap_err();
            assert!(
                matches!(error, JournalError::NotAJournal { .. }),
                "{error:?}"
            );
        };
        refused();
        std::fs::remove_file(&path).unwrap();
        let foreign = Connection::open(&path).unwrap();
        foreign
            .execute_batch("CREATE TABLE notes (text); PRAGMA user_version = 7;")
            .unwrap();
        refused();
        foreign.execute_batch("PRAGMA user_version = 0;").unwrap();
        refused();
        foreign.execute_batch("DROP TABLE notes;").unwrap();
        drop(foreign);
        Journal::open(root.path()).unwrap();
    }

    #[test]
    fn a_damaged_journal_is_named() {
        let (root, journal) = journal();
        let lease = begun(&journal, &id(1));
        let many = (0..500).map(|_| EventKind::StageStarted).collect();
        journal
            .append(&lease, 1, &events(&id(1), 2, many), &[], Durability::Intent)
            .unwrap();
        let path = journal.path.clone();
        drop(journal);
        let mut bytes = std::fs::read(&path).unwrap();
        let length = bytes.len();
        bytes[8192..].fill(0xaa);
        std::fs::write(&path, &bytes).unwrap();
        let damaged = Journal::open(&root.path().join(".stackgate"))
            .and_then(|journal| read(&journal, &id(1), 0));
        assert!(
            matches!(damaged, Err(JournalError::Corrupt { .. })),
            "{length}: {damaged:?}"
        );
        std::fs::write(&path, &bytes[..4000]).unwrap();
        let truncated = Journal::open(&root.path().join(".stackgate"))
            .and_then(|journal| journal.executions().map(|_| ()));
        assert!(
            matches!(
                truncated,
                Err(JournalError::Corrupt { .. } | JournalError::NotAJournal { .. })
            ),
            "{truncated:?}"
        );
    }

    #[test]
    fn a_journal_of_a_newer_format_is_read_and_not_written() {
        let (_root, journal) = journal();
        let lease = begun(&journal, &id(1));
        let newer = Connection::open(&journal.path).unwrap();
        newer.pragma_update(None, "user_version", 2).unwrap();
        for journal in [&journal, &again(&journal)] {
            assert_eq!(read(journal, &id(1), 0).unwrap().len(), 1);
            assert_eq!(journal.executions().unwrap().len(), 1);
            let message = InboxMessage::Stop(stop());
            for result in [
                journal.heartbeat(&lease, now()),
                journal.post(&id(1), &message, now()).map(|_| ()),
                journal
                    .acquire(&id(2), "host 2", now(), |_| false)
                    .map(|_| ()),
                journal.append(&lease, 1, &[], &[], Durability::Intent),
            ] {
                let error = result.unwrap_err();
                assert!(
                    matches!(
                        error,
                        JournalError::NewerVersion {
                            found: 2,
                            known: 1,
                            ..
                        }
                    ),
                    "{error:?}"
                );
            }
        }
        newer
            .execute_batch("ALTER TABLE event RENAME COLUMN data TO body")
            .unwrap();
        let error = read(&journal, &id(1), 0).unwrap_err();
        assert!(
            matches!(error, JournalError::NewerVersion { .. }),
            "{error:?}"
        );
    }

    #[test]
    fn events_are_never_changed_or_deleted() {
        let (_root, journal) = journal();
        begun(&journal, &id(1));
        for statement in ["UPDATE event SET data = ''", "DELETE FROM event"] {
            let error = journal.connection.execute(statement, []).unwrap_err();
            assert_eq!(error.to_string(), "events are only appended");
        }
    }
}
