//! The journal as the engine and the commands see it.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, params};

use super::error::Failure;
use super::lease::{held, owner};
use super::{JournalError, Lease, Owner, folder, schema};
use crate::model::{Event, EventKind, ExecutionId};

/// The journal of one state folder: one connection of this process, with synchronous calls.
#[derive(Debug)]
pub struct Journal {
    pub(super) connection: Connection,
    pub(super) state: PathBuf,
    pub(super) path: PathBuf,
    seen: Cell<Option<i64>>,
}

/// What must survive a power failure. A killed process loses nothing in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Synced to the disk before the call returns: what comes next cannot be taken back.
    Intent,
    /// Synced with a later intent: losing it means that it is observed again.
    Observation,
}

/// An execution in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionSummary {
    /// The execution.
    pub id: ExecutionId,
    /// The name of its pipeline.
    pub pipeline: String,
    /// When it began.
    pub started: Timestamp,
    /// How many events it has; also the number of the last one.
    pub events: u64,
    /// When the last event happened.
    pub last_event: Timestamp,
    /// The process that runs it, or that died while it did.
    pub owner: Option<Owner>,
}

impl Journal {
    /// Returns the journal in the folder `state`, which is made if it is missing.
    pub fn open(state: &Path) -> Result<Journal, JournalError> {
        let path = folder::create(state)?;
        Self::connect(state, path)
    }

    /// Returns the journal in the folder `state`, or an error if there is none; makes nothing.
    pub fn open_existing(state: &Path) -> Result<Journal, JournalError> {
        let path = folder::database(state);
        if !path.exists() {
            return Err(JournalError::Missing {
                state: state.to_owned(),
            });
        }
        Self::connect(state, path)
    }

    /// Returns the state folder.
    pub fn folder(&self) -> &Path {
        &self.state
    }

    /// Returns the executions, newest first. One without events never began and is left out.
    pub fn executions(&self) -> Result<Vec<ExecutionSummary>, JournalError> {
        self.read("list the executions of", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT x.id, x.pipeline, x.owner, x.heartbeat, first.at, last.seq, last.at
                   FROM execution x
                   JOIN event first ON first.execution = x.number AND first.seq = 1
                   JOIN event last ON last.execution = x.number AND last.seq =
                        (SELECT max(seq) FROM event WHERE execution = x.number)
                  ORDER BY x.number DESC",
            )?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(ExecutionSummary {
                    id: stored(row.get(0)?)?,
                    pipeline: row.get(1)?,
                    owner: owner(row.get(2)?, row.get(3)?)?,
                    // The event itself is what counts: a damaged time of one execution hides no other, and none counts as old for it.
                    started: time(row, 4)?.unwrap_or(Timestamp::UNIX_EPOCH),
                    events: counted(row.get(5)?)?,
                    last_event: time(row, 6)?.unwrap_or(Timestamp::MAX),
                });
            }
            Ok(found)
        })
    }

    /// Appends events after number `expected_seq` (0 for the first) and marks messages as handled: both or
    /// neither.
    pub fn append(
        &self,
        lease: &Lease,
        expected_seq: u64,
        events: &[Event],
        handled_inbox: &[u64],
        durability: Durability,
    ) -> Result<(), JournalError> {
        let rows = encode(lease, expected_seq, events)?;
        self.write(durability, |transaction| {
            let execution = held(transaction, lease)?;
            let found = last_seq(transaction, execution)?;
            if found != expected_seq {
                return Err(Failure::Journal(JournalError::SequenceConflict {
                    execution: lease.execution().clone(),
                    expected: expected_seq,
                    found,
                }));
            }
            let mut insert = transaction.prepare_cached(
                "INSERT INTO event (execution, seq, at, data) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for (event, data) in events.iter().zip(&rows) {
                insert.execute(params![
                    execution,
                    number(event.seq),
                    event.at.to_string(),
                    data
                ])?;
                // Kept beside the events so that a list need not read them.
                if let EventKind::ExecutionStarted { definition } = &event.kind {
                    transaction
                        .prepare_cached("UPDATE execution SET pipeline = ?2 WHERE number = ?1")?
                        .execute(params![execution, definition.pipeline.name])?;
                }
            }
            let last = expected_seq.saturating_add(events.len() as u64);
            let mut handle = transaction.prepare_cached(
                "UPDATE inbox SET handled = ?3
                  WHERE number = ?1 AND execution = ?2 AND handled IS NULL",
            )?;
            for &message in handled_inbox {
                if handle.execute(params![number(message), execution, number(last)])? != 1 {
                    return Err(Failure::Journal(JournalError::InboxConflict {
                        execution: lease.execution().clone(),
                        number: message,
                    }));
                }
            }
            Ok(())
        })
    }

    /// Returns whether another process wrote since the last call, or since the journal was opened.
    ///
    /// It is cheap enough to ask several times a second. A failure counts as a change: the reading that
    /// follows will name it.
    pub fn changed(&self) -> bool {
        let now = data_version(&self.connection);
        let before = self.seen.replace(now);
        now.is_none() || now != before
    }

    /// Changes how long a writer waits for others.
    #[cfg(test)]
    pub(super) fn wait_for_writers(&self, time: std::time::Duration) {
        self.connection.busy_timeout(time).unwrap();
    }

    fn connect(state: &Path, path: PathBuf) -> Result<Journal, JournalError> {
        let connection = schema::open(&path).map_err(|error| error.on(&path, "open"))?;
        Ok(Journal {
            seen: Cell::new(data_version(&connection)),
            connection,
            state: state.to_owned(),
            path,
        })
    }

    pub(super) fn read<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, JournalError> {
        work(&self.connection).map_err(|error| self.explain(error, action))
    }

    pub(super) fn write<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, JournalError> {
        self.transact(durability, work)
            .map_err(|error| self.explain(error, "write to"))
    }

    fn transact<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        // With a write-ahead log, `NORMAL` syncs only at checkpoints and `FULL` also at each commit. One
        // sync covers all commits before it, those of other processes too: the log is one file.
        let synchronous = match durability {
            Durability::Intent => "FULL",
            Durability::Observation => "NORMAL",
        };
        self.connection
            .pragma_update(None, "synchronous", synchronous)?;
        // A deferred transaction that becomes a writer fails at once when another one writes.
        let transaction =
            Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        // Asked each time: a newer program may have migrated the file while this one has it open.
        let found = schema::version(&transaction)?;
        if found != schema::VERSION {
            return Err(Failure::Journal(self.newer(found)));
        }
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    /// Returns the error to show for a failure, which in a file of a newer format is the format's fault.
    pub(super) fn explain(&self, failure: Failure, action: &'static str) -> JournalError {
        let may_be_newer = match &failure {
            Failure::Garbled | Failure::Damaged { .. } => true,
            Failure::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::Unknown | ErrorCode::SchemaChanged) | None
            ),
            Failure::Journal(_) => false,
        };
        if may_be_newer
            && let Ok(found) = schema::version(&self.connection)
            && found > schema::VERSION
        {
            return self.newer(found);
        }
        failure.on(&self.path, action)
    }

    fn newer(&self, found: i64) -> JournalError {
        JournalError::NewerVersion {
            path: self.path.clone(),
            found,
            known: schema::VERSION,
        }
    }

    pub(super) fn unknown(&self, text: &str) -> JournalError {
        JournalError::UnknownExecution {
            text: crate::model::clean(text),
            state: self.state.clone(),
        }
    }
}

fn data_version(connection: &Connection) -> Option<i64> {
    connection
        .pragma_query_value(None, "data_version", |row| row.get(0))
        .ok()
}

/// Returns the events as JSON, or an error if they do not continue the execution of the lease.
fn encode(lease: &Lease, expected_seq: u64, events: &[Event]) -> Result<Vec<String>, JournalError> {
    let mut rows = Vec::with_capacity(events.len());
    for (event, expected) in events.iter().zip(expected_seq.saturating_add(1)..) {
        if event.seq != expected || event.execution != *lease.execution() {
            return Err(JournalError::Misnumbered {
                execution: event.execution.clone(),
                seq: event.seq,
                lease: lease.execution().clone(),
                expected,
            });
        }
        let row = serde_json::to_string(event).map_err(|source| JournalError::Encode {
            what: "an event",
            execution: event.execution.clone(),
            source,
        })?;
        rows.push(row);
    }
    Ok(rows)
}

fn last_seq(connection: &Connection, execution: i64) -> Result<u64, Failure> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(seq) FROM event WHERE execution = ?1")?
        .query_row([execution], |row| row.get(0))?;
    counted(last.unwrap_or(0))
}

pub(super) fn stored<T: std::str::FromStr>(text: String) -> Result<T, Failure> {
    text.parse().map_err(|_| Failure::Garbled)
}

/// Returns the time in a column; none where it is damaged, be it that it is no text.
fn time(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let text = row.get_ref(column)?.as_str().ok();
    Ok(text.and_then(|text| text.parse().ok()))
}

pub(super) fn counted(value: i64) -> Result<u64, Failure> {
    u64::try_from(value).map_err(|_| Failure::Garbled)
}

/// Returns `value` as SQLite stores it; one that does not fit is greater than all that are stored.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::ffi::{c_int, c_void};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;
    use rusqlite::ffi;

    use super::super::samples::*;
    use super::*;
    use crate::model::InboxMessage;

    #[test]
    fn every_kind_of_event_comes_back_as_it_was() {
        let (_root, journal) = journal();
        let id = id(1);
        let events = events(&id, 1, every_kind());
        let places: Vec<_> = events.iter().map(|e| place(&e.kind)).collect();
        let count = events.len();
        assert_eq!(places, (0..count).collect::<Vec<_>>());
        let lease = journal.acquire(&id, "host 1", now(), |_| false).unwrap();
        journal
            .append(&lease, 0, &events, &[], Durability::Observation)
            .unwrap();
        assert_eq!(read(&again(&journal), &id, 0).unwrap(), events);
        assert_eq!(read(&journal, &id, 27).unwrap(), events[27..]);
        assert!(read(&journal, &id, count as u64).unwrap().is_empty());
        assert!(read(&journal, &id, u64::MAX).unwrap().is_empty());
    }

    proptest! {
        /// A number that changed on its way through the journal would make a plan look stale on resume.
        #[test]
        fn invariant_numbers_of_a_change_come_back_exactly(value in proptest::num::f64::NORMAL) {
            let value = serde_json::json!({ "value": value });
            let text = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn executions_are_listed_newest_first_with_what_they_are() {
        let (_root, journal) = journal();
        assert!(journal.executions().unwrap().is_empty());
        let old = begun(&journal, &id(2));
        let new = begun(&journal, &id(1));
        journal
            .acquire(&id(3), "never began", now(), |_| false)
            .unwrap();
        let mut last = event(&id(2), 2, EventKind::StageStarted);
        last.at = later();
        journal
            .append(&old, 1, &[last], &[], Durability::Observation)
            .unwrap();
        journal.release(&new).unwrap();
        let summary = |id, events, last_event, owner| ExecutionSummary {
            id,
            pipeline: "deploy-network".into(),
            started: now(),
            events,
            last_event,
            owner,
        };
        let owner = Owner {
            name: "host 1".into(),
            place: None,
            heartbeat: now(),
        };
        assert_eq!(
            journal.executions().unwrap(),
            [
                summary(id(1), 1, now(), None),
                summary(id(2), 2, later(), Some(owner)),
            ]
        );
        assert_eq!(journal.find("latest").unwrap(), id(1));
    }

    #[test]
    fn a_damaged_time_of_one_execution_hides_no_other() {
        let (_root, journal) = journal();
        for n in 1..=2 {
            begun(&journal, &id(n));
        }
        for (n, at) in [(1, "'garbage'"), (2, "CAST(x'32ff30' AS TEXT)")] {
            let sql = format!(
                "INSERT INTO event (execution, seq, at, data)
                 VALUES ((SELECT number FROM execution WHERE id = ?1), 2, {at}, 'garbage')"
            );
            journal.connection.execute(&sql, [id(n).as_str()]).unwrap();
        }
        let found = journal.executions().unwrap();
        let times: Vec<Timestamp> = found.iter().map(|one| one.last_event).collect();
        assert_eq!(times, [Timestamp::MAX, Timestamp::MAX]);
    }

    #[test]
    fn events_that_do_not_follow_are_refused_whole() {
        let (_root, journal) = journal();
        let lease = begun(&journal, &id(1));
        let kind = || EventKind::StageStarted;
        for (expected, found) in [(0, 1), (2, 1)] {
            let next = events(&id(1), expected + 1, vec![kind()]);
            match journal.append(&lease, expected, &next, &[], Durability::Intent) {
                Err(JournalError::SequenceConflict { found: f, .. }) => assert_eq!(f, found),
                result => panic!("{result:?}"),
            }
        }
        for bad in [
            vec![event(&id(1), 3, kind())],
            vec![event(&id(1), 2, kind()), event(&id(1), 2, kind())],
            vec![event(&id(1), 2, kind()), event(&id(2), 3, kind())],
            vec![event(&id(1), 2, kind()), event(&id(1), 4, kind())],
        ] {
            let result = journal.append(&lease, 1, &bad, &[], Durability::Intent);
            assert!(
                matches!(result, Err(JournalError::Misnumbered { .. })),
                "{result:?}"
            );
        }
        assert_eq!(read(&journal, &id(1), 0).unwrap().len(), 1);
    }

    #[test]
    fn only_what_others_write_is_a_change() {
        let (_root, journal) = journal();
        let other = again(&journal);
        assert!(!journal.changed());
        begun(&journal, &id(1));
        assert!(!journal.changed());
        other
            .post(&id(1), &InboxMessage::Stop(stop()), now())
            .unwrap();
        assert!(journal.changed());
        assert!(!journal.changed());
    }

    static REAL: OnceLock<ffi::sqlite3_io_methods> = OnceLock::new();
    static SYNCS: AtomicUsize = AtomicUsize::new(0);

    unsafe extern "C" fn counting_sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
        SYNCS.fetch_add(1, Ordering::SeqCst);
        let sync = REAL.get().and_then(|real| real.xSync).unwrap();
        // SAFETY: it is SQLite's own function, called with the arguments that SQLite gave.
        unsafe { sync(file, flags) }
    }

    /// Counts from now on how often SQLite syncs the write-ahead log of `connection`.
    fn count_syncs(connection: &Connection) {
        let mut file: *mut ffi::sqlite3_file = std::ptr::null_mut();
        // SAFETY: the connection is open and used by this thread only; SQLite fills in a pointer that lives
        // as long as the connection, and the new table of functions lives forever.
        unsafe {
            let result = ffi::sqlite3_file_control(
                connection.handle(),
                c"main".as_ptr(),
                ffi::SQLITE_FCNTL_JOURNAL_POINTER,
                (&raw mut file).cast::<c_void>(),
            );
            assert_eq!(result, ffi::SQLITE_OK);
            let real = *(*file).pMethods;
            REAL.set(real).ok().unwrap();
            let mut counting = real;
            counting.xSync = Some(counting_sync);
            (*file).pMethods = Box::leak(Box::new(counting));
        }
    }

    #[test]
    fn an_intent_is_synced_to_the_disk_and_an_observation_is_not() {
        let (_root, journal) = journal();
        let mode: String = journal
            .connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "wal");
        let lease = begun(&journal, &id(1));
        count_syncs(&journal.connection);
        let syncs = |seq, durability| {
            let before = SYNCS.load(Ordering::SeqCst);
            let next = [event(&id(1), seq + 1, EventKind::StageStarted)];
            journal.append(&lease, seq, &next, &[], durability).unwrap();
            SYNCS.load(Ordering::SeqCst) - before
        };
        use Durability::{Intent, Observation};
        let counts: Vec<usize> = [
            Observation,
            Intent,
            Intent,
            Observation,
            Observation,
            Intent,
        ]
        .into_iter()
        .zip(1..)
        .map(|(durability, seq)| syncs(seq, durability))
        .collect();
        assert_eq!(counts, [0, 1, 1, 0, 0, 1]);
        let before = SYNCS.load(Ordering::SeqCst);
        journal.heartbeat(&lease, now()).unwrap();
        assert_eq!(SYNCS.load(Ordering::SeqCst), before);
        journal
            .post(&id(1), &InboxMessage::Stop(stop()), now())
            .unwrap();
        assert_eq!(SYNCS.load(Ordering::SeqCst), before + 1);
    }
}
