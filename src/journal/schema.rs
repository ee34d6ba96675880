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
        use_write_ahead_log(&connection)?;
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

/// Lets others read while one writes. The mode is kept in the file.
fn use_write_ahead_log(connection: &Connection) -> Result<(), Failure> {
    const PAUSE: Duration = Duration::from_millis(10);
    let mut pauses = BUSY_TIMEOUT.as_millis() / PAUSE.as_millis();
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())) {
            // SQLite does not wait here: the change of mode raises a read lock to an exclusive one.
            Err(error)
                if pauses > 0 && error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) =>
            {
                pauses -= 1;
                std::thread::sleep(PAUSE);
            }
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
