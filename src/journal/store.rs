//! The journal as the engine and the commands see it.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{
    Connection, ErrorCode, OptionalExtension as _, Transaction, TransactionBehavior, params,
};

use super::error::Failure;
use super::{JournalError, Lease, Owner, find, folder, schema};
use crate::model::{Event, EventKind, ExecutionId, InboxMessage};

/// The journal of one state folder: one connection of this process, with synchronous calls.
#[derive(Debug)]
pub struct Journal {
    connection: Connection,
    state: PathBuf,
    path: PathBuf,
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
                    started: stored(row.get(4)?)?,
                    events: counted(row.get(5)?)?,
                    last_event: stored(row.get(6)?)?,
                });
            }
            Ok(found)
        })
    }

    /// Returns the execution that `text` names: its id, the beginning or end of it, the short form that is
    /// printed, or `latest`.
    pub fn find(&self, text: &str) -> Result<ExecutionId, JournalError> {
        let known: Vec<ExecutionId> = self.read("search", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id FROM execution x
                  WHERE EXISTS (SELECT 1 FROM event WHERE execution = x.number)
                  ORDER BY number DESC",
            )?;
            let mut rows = statement.query([])?;
            let mut known = Vec::new();
            while let Some(row) = rows.next()? {
                known.push(stored(row.get(0)?)?);
            }
            Ok(known)
        })?;
        let mut candidates = find::matching(text, &known);
        match (candidates.len(), candidates.pop()) {
            (1, Some(id)) => Ok(id),
            (_, Some(last)) => {
                candidates.push(last);
                Err(JournalError::AmbiguousExecution {
                    text: crate::model::clean(text),
                    candidates,
                })
            }
            (_, None) if known.is_empty() => Err(JournalError::NoExecution {
                state: self.state.clone(),
            }),
            (_, None) => Err(self.unknown(text)),
        }
    }

    /// Returns the events of an execution after number `after`, oldest first; none for one that never began.
    pub fn events(&self, id: &ExecutionId, after: u64) -> Result<Vec<Event>, JournalError> {
        self.read("read", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT seq, data FROM event
                  WHERE execution = (SELECT number FROM execution WHERE id = ?1) AND seq > ?2
                  ORDER BY seq",
            )?;
            let mut rows = statement.query(params![id.as_str(), number(after)])?;
            let mut events = Vec::new();
            while let Some(row) = rows.next()? {
                let seq = counted(row.get(0)?)?;
                let data = row.get_ref(1)?.as_str().map_err(|_| Failure::Garbled)?;
                events.push(serde_json::from_str(data).map_err(|e| unreadable(id, seq, data, e))?);
            }
            Ok(events)
        })
    }

    /// Returns the lease of an execution, new or left by a process that is not heard of any more.
    pub fn acquire(
        &self,
        id: &ExecutionId,
        owner: &str,
        now: Timestamp,
    ) -> Result<Lease, JournalError> {
        self.write(Durability::Observation, |transaction| {
            if let Some(other) = row(transaction, id)?.and_then(|row| row.owner)
                && other.is_alive(now)
            {
                return Err(Failure::Journal(JournalError::LeaseHeld {
                    execution: id.clone(),
                    owner: other.name,
                    heartbeat: other.heartbeat,
                }));
            }
            let fence: i64 = transaction
                .prepare_cached(
                    "INSERT INTO execution (id, fence, owner, heartbeat) VALUES (?1, 1, ?2, ?3)
                     ON CONFLICT (id) DO UPDATE SET
                         fence = fence + 1, owner = excluded.owner, heartbeat = excluded.heartbeat
                     RETURNING fence",
                )?
                .query_row(params![id.as_str(), owner, now.to_string()], |row| {
                    row.get(0)
                })?;
            Ok(Lease {
                execution: id.clone(),
                owner: owner.to_owned(),
                fence: counted(fence)?,
            })
        })
    }

    /// Says that the owner of `lease` lives.
    pub fn heartbeat(&self, lease: &Lease, now: Timestamp) -> Result<(), JournalError> {
        self.write(Durability::Observation, |transaction| {
            let execution = held(transaction, lease)?;
            transaction
                .prepare_cached("UPDATE execution SET heartbeat = ?2 WHERE number = ?1")?
                .execute(params![execution, now.to_string()])?;
            Ok(())
        })
    }

    /// Gives a lease back, so that another process can take it at once. Does nothing if it was lost.
    pub fn release(&self, lease: &Lease) -> Result<(), JournalError> {
        self.write(Durability::Observation, |transaction| {
            match held(transaction, lease) {
                Ok(execution) => {
                    transaction
                        .prepare_cached(
                            "UPDATE execution SET owner = NULL, heartbeat = NULL WHERE number = ?1",
                        )?
                        .execute([execution])?;
                    Ok(())
                }
                Err(Failure::Journal(JournalError::LeaseLost { .. })) => Ok(()),
                Err(error) => Err(error),
            }
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
                    execution: lease.execution.clone(),
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
                        execution: lease.execution.clone(),
                        number: message,
                    }));
                }
            }
            Ok(())
        })
    }

    /// Puts a message into the inbox of an execution, synced to the disk, and returns its number.
    pub fn post(
        &self,
        id: &ExecutionId,
        message: &InboxMessage,
        now: Timestamp,
    ) -> Result<u64, JournalError> {
        let text = serde_json::to_string(message).map_err(|source| JournalError::Encode {
            what: "a message to the inbox",
            execution: id.clone(),
            source,
        })?;
        self.write(Durability::Intent, |transaction| {
            let execution: Option<i64> = transaction
                .prepare_cached(
                    "SELECT number FROM execution x WHERE id = ?1
                        AND EXISTS (SELECT 1 FROM event WHERE execution = x.number)",
                )?
                .query_row([id.as_str()], |row| row.get(0))
                .optional()?;
            let execution = execution.ok_or_else(|| self.unknown(id.as_str()))?;
            transaction
                .prepare_cached(
                    "INSERT INTO inbox (execution, posted, message) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![execution, now.to_string(), text])?;
            counted(transaction.last_insert_rowid())
        })
    }

    /// Returns the messages that wait for the owner of an execution, oldest first, with their numbers.
    pub fn inbox(&self, id: &ExecutionId) -> Result<Vec<(u64, InboxMessage)>, JournalError> {
        self.read("read", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT number, message FROM inbox
                  WHERE execution = (SELECT number FROM execution WHERE id = ?1)
                    AND handled IS NULL
                  ORDER BY number",
            )?;
            let mut rows = statement.query([id.as_str()])?;
            let mut messages = Vec::new();
            while let Some(row) = rows.next()? {
                let number = counted(row.get(0)?)?;
                let text = row.get_ref(1)?.as_str().map_err(|_| Failure::Garbled)?;
                let message = serde_json::from_str(text).map_err(|source| {
                    JournalError::UnreadableMessage {
                        execution: id.clone(),
                        number,
                        source,
                    }
                })?;
                messages.push((number, message));
            }
            Ok(messages)
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

    fn connect(state: &Path, path: PathBuf) -> Result<Journal, JournalError> {
        let connection = schema::open(&path).map_err(|error| error.on(&path, "open"))?;
        Ok(Journal {
            seen: Cell::new(data_version(&connection)),
            connection,
            state: state.to_owned(),
            path,
        })
    }

    fn read<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, JournalError> {
        work(&self.connection).map_err(|error| self.explain(error, action))
    }

    fn write<T>(
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
    fn explain(&self, failure: Failure, action: &'static str) -> JournalError {
        let may_be_newer = match &failure {
            Failure::Garbled => true,
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

    fn unknown(&self, text: &str) -> JournalError {
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
        if event.seq != expected || event.execution != lease.execution {
            return Err(JournalError::Misnumbered {
                execution: event.execution.clone(),
                seq: event.seq,
                lease: lease.execution.clone(),
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

/// The row of an execution.
struct Row {
    number: i64,
    fence: i64,
    owner: Option<Owner>,
}

fn row(connection: &Connection, id: &ExecutionId) -> Result<Option<Row>, Failure> {
    let found: Option<(i64, i64, Option<String>, Option<String>)> = connection
        .prepare_cached("SELECT number, fence, owner, heartbeat FROM execution WHERE id = ?1")?
        .query_row([id.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((number, fence, name, heartbeat)) = found else {
        return Ok(None);
    };
    Ok(Some(Row {
        number,
        fence,
        owner: owner(name, heartbeat)?,
    }))
}

/// Returns the row number of the execution of `lease`, or an error if the lease was lost.
fn held(connection: &Connection, lease: &Lease) -> Result<i64, Failure> {
    let owner = match row(connection, &lease.execution)? {
        Some(row) if row.fence == number(lease.fence) && row.owner.is_some() => {
            return Ok(row.number);
        }
        Some(row) => row.owner,
        None => None,
    };
    Err(Failure::Journal(JournalError::LeaseLost {
        execution: lease.execution.clone(),
        owner: owner.map(|owner| owner.name),
    }))
}

fn last_seq(connection: &Connection, execution: i64) -> Result<u64, Failure> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(seq) FROM event WHERE execution = ?1")?
        .query_row([execution], |row| row.get(0))?;
    counted(last.unwrap_or(0))
}

fn owner(name: Option<String>, heartbeat: Option<String>) -> Result<Option<Owner>, Failure> {
    match (name, heartbeat) {
        (Some(name), Some(heartbeat)) => Ok(Some(Owner {
            name,
            heartbeat: stored(heartbeat)?,
        })),
        (None, _) => Ok(None),
        (Some(_), None) => Err(Failure::Garbled),
    }
}

/// Returns the error for an event that did not parse: damage if it is not JSON at all.
fn unreadable(id: &ExecutionId, seq: u64, data: &str, source: serde_json::Error) -> Failure {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(data) else {
        return Failure::Garbled;
    };
    let kind = value.get("event").and_then(serde_json::Value::as_str);
    Failure::Journal(JournalError::UnreadableEvent {
        execution: id.clone(),
        seq,
        kind: crate::model::clean(kind.unwrap_or("no kind")),
        source,
    })
}

fn stored<T: std::str::FromStr>(text: String) -> Result<T, Failure> {
    text.parse().map_err(|_| Failure::Garbled)
}

fn counted(value: i64) -> Result<u64, Failure> {
    u64::try_from(value).map_err(|_| Failure::Garbled)
}

/// Returns `value` as SQLite stores it; one that does not fit is greater than all that are stored.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
