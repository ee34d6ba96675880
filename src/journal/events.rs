//! The events of an execution, read a few at a time.
//!
//! Events are only appended, so whoever knows how many there were has a consistent prefix without a transaction: a reader
//! that takes its time, such as a pager, keeps no writer from shortening the write-ahead log.

use std::collections::VecDeque;

use rusqlite::{Connection, params};

use super::error::Failure;
use super::store::{counted, number};
use super::{Journal, JournalError};
use crate::model::{Event, ExecutionId};

/// How many events are read at once, as they are stored; each is decoded when it is asked for.
const BATCH: u32 = 64;

/// The events of an execution as they were when the first one was asked for, oldest first. It ends with the first error.
#[derive(Debug)]
pub struct Events<'a> {
    journal: &'a Journal,
    execution: ExecutionId,
    /// The number of the last event that was read.
    last: u64,
    /// The number of the last event that will be read, once that is known.
    end: Option<u64>,
    /// What was read and is not decoded yet.
    batch: VecDeque<(u64, Vec<u8>)>,
    /// How many are read next. The first is read alone: it may be all that is asked for, and is the largest by far.
    next: u32,
}

impl Journal {
    /// Returns the events of an execution after number `after`; none for one that never began.
    pub fn events(&self, id: &ExecutionId, after: u64) -> Events<'_> {
        Events {
            journal: self,
            execution: id.clone(),
            last: after,
            end: None,
            batch: VecDeque::new(),
            next: 1,
        }
    }

    /// Returns the first event of an execution, which says what it is to do.
    pub fn first_event(&self, id: &ExecutionId) -> Result<Option<Event>, JournalError> {
        self.events(id, 0).next().transpose()
    }

    /// Returns the last events of an execution, at most `most`.
    pub fn last_events(&self, id: &ExecutionId, most: u32) -> Result<Events<'_>, JournalError> {
        let end = self.read("read", |connection| newest(connection, id))?;
        Ok(Events {
            end: Some(end),
            ..self.events(id, end.saturating_sub(u64::from(most)))
        })
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Event, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.batch.is_empty()
            && let Err(error) = self.fill()
        {
            return Some(self.fail(error));
        }
        let (seq, data) = self.batch.pop_front()?;
        match serde_json::from_slice(&data) {
            Ok(event) => Some(Ok(event)),
            Err(source) => Some(self.fail(unreadable(&self.execution, seq, &data, source))),
        }
    }
}

impl Events<'_> {
    /// Reads the next events, as far as there are any.
    fn fill(&mut self) -> Result<(), Failure> {
        let connection = &self.journal.connection;
        let end = match self.end {
            Some(end) => end,
            None => *self.end.insert(newest(connection, &self.execution)?),
        };
        if self.last >= end {
            return Ok(());
        }
        let mut statement = connection.prepare_cached(
            "SELECT seq, data FROM event
              WHERE execution = (SELECT number FROM execution WHERE id = ?1) AND seq > ?2 AND seq <= ?3
              ORDER BY seq LIMIT ?4",
        )?;
        let (after, most) = (number(self.last), self.next);
        let mut rows =
            statement.query(params![self.execution.as_str(), after, number(end), most])?;
        while let Some(row) = rows.next()? {
            let seq = counted(row.get(0)?)?;
            if seq != self.last + 1 {
                // One is missing. Those before it are good, and are given first.
                if self.batch.is_empty() {
                    return Err(Failure::Damaged {
                        execution: self.execution.clone(),
                        seq: self.last + 1,
                    });
                }
                break;
            }
            // What is no text at all is no event, as the parser will say of nothing.
            let data = row.get_ref(1)?.as_bytes().unwrap_or_default();
            self.batch.push_back((seq, data.to_owned()));
            self.last = seq;
        }
        self.next = BATCH;
        Ok(())
    }

    /// Ends with an error.
    fn fail(&mut self, failure: Failure) -> Result<Event, JournalError> {
        self.batch.clear();
        self.end = Some(self.last);
        Err(self.journal.explain(failure, "read"))
    }
}

/// Returns the number of the newest event; 0 if there is none.
fn newest(connection: &Connection, id: &ExecutionId) -> Result<u64, Failure> {
    let newest: Option<i64> = connection
        .prepare_cached(
            "SELECT max(seq) FROM event WHERE execution = (SELECT number FROM execution WHERE id = ?1)",
        )?
        .query_row([id.as_str()], |row| row.get(0))?;
    counted(newest.unwrap_or(0))
}

/// Returns the error for an event that did not parse: damage if it is not JSON at all.
fn unreadable(id: &ExecutionId, seq: u64, data: &[u8], source: serde_json::Error) -> Failure {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(data) else {
        return Failure::Damaged {
            execution: id.clone(),
            seq,
        };
    };
    let kind = value.get("event").and_then(serde_json::Value::as_str);
    Failure::Journal(JournalError::UnreadableEvent {
        execution: id.clone(),
        seq,
        kind: crate::model::clean(kind.unwrap_or("no kind")),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::super::{Durability, Lease};
    use super::*;
    use crate::model::EventKind;

    /// Appends `count` events after number `after`.
    fn append(journal: &Journal, lease: &Lease, after: u64, count: usize) {
        let next = events(&id(1), after + 1, vec![EventKind::StageStarted; count]);
        journal
            .append(lease, after, &next, &[], Durability::Observation)
            .unwrap();
    }

    fn numbers(events: impl Iterator<Item = Result<Event, JournalError>>) -> Vec<u64> {
        events.map(|event| event.unwrap().seq).collect()
    }

    #[test]
    fn only_a_few_events_are_held_at_once_and_the_first_one_alone() {
        let (_root, journal) = journal();
        let lease = begun(&journal, &id(1));
        append(&journal, &lease, 1, 1000);
        let mut events = journal.events(&id(1), 0);
        let mut held = Vec::new();
        while let Some(event) = events.next() {
            assert_eq!(event.unwrap().seq, held.len() as u64 + 1);
            held.push(events.batch.len() + 1);
        }
        assert_eq!(held.len(), 1001);
        assert_eq!(held[..2], [1, BATCH as usize]);
        assert_eq!(held.iter().max(), Some(&(BATCH as usize)));
        for after in [0, 1, 63, 64, 65, 66, 999, 1001] {
            let all = numbers(journal.events(&id(1), after));
            assert_eq!(all, (after + 1..=1001).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_appended_meanwhile_is_not_read() {
        let (_root, journal) = journal();
        let lease = begun(&journal, &id(1));
        append(&journal, &lease, 1, 200);
        let other = again(&journal);
        let mut reading = other.events(&id(1), 0);
        let mut last = other.last_events(&id(1), 100).unwrap();
        let first = reading.next().unwrap().unwrap();
        append(&journal, &lease, 201, 200);
        assert_eq!(first.seq, 1);
        assert_eq!(numbers(&mut reading), (2..=201).collect::<Vec<_>>());
        assert!(reading.next().is_none());
        assert_eq!(numbers(&mut last), (102..=201).collect::<Vec<_>>());
        assert_eq!(other.events(&id(1), 0).count(), 401);
    }

    /// A statement that is not at its end would keep the whole log since then, however much is written.
    #[test]
    fn who_reads_slowly_keeps_no_writer_from_emptying_the_log() {
        let (_root, journal) = journal();
        let lease = begun(&journal, &id(1));
        append(&journal, &lease, 1, 200);
        let other = again(&journal);
        other.wait_for_writers(std::time::Duration::ZERO);
        journal.wait_for_writers(std::time::Duration::ZERO);
        let mut reading = other.events(&id(1), 0);
        assert_eq!(numbers(reading.by_ref().take(30)).len(), 30);
        append(&journal, &lease, 201, 200);
        let (busy, left): (i64, i64) = journal
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!((busy, left), (0, 0));
        assert_eq!(numbers(reading), (31..=201).collect::<Vec<_>>());
    }

    #[test]
    fn the_last_events_are_the_last_ones_in_their_order() {
        let (_root, journal) = journal();
        let lease = begun(&journal, &id(1));
        let kinds = vec![EventKind::StageStarted; 4];
        let next = events(&id(1), 2, kinds);
        journal
            .append(&lease, 1, &next, &[], Durability::Intent)
            .unwrap();
        let last = |most| -> Vec<u64> {
            let events = journal.last_events(&id(1), most).unwrap();
            events.map(|event| event.unwrap().seq).collect()
        };
        assert_eq!(last(2), [4, 5]);
        assert_eq!(last(100), [1, 2, 3, 4, 5]);
        assert_eq!(journal.last_events(&id(2), 2).unwrap().count(), 0);
    }

    #[test]
    fn an_event_of_a_kind_yet_unknown_is_named_and_hides_nothing_else() {
        let (_root, journal) = journal();
        begun(&journal, &id(1));
        let known = events(&id(1), 2, vec![EventKind::StageStarted]);
        let text = serde_json::to_string(&known[0]).unwrap();
        write_raw(
            &journal,
            1,
            2,
            &text.replace("stage_started", "drift_found"),
        );
        let mut reading = journal.events(&id(1), 0);
        assert_eq!(reading.next().unwrap().unwrap().seq, 1);
        let error = reading.next().unwrap().unwrap_err();
        assert!(reading.next().is_none(), "an error is the last");
        assert_eq!(
            error.to_string(),
            format!(
                "event 2 (`drift_found`) of execution {} cannot be read by this stackgate; a newer one probably wrote it: update this one",
                id(1)
            )
        );
        assert!(std::error::Error::source(&error).is_some());
        begun(&journal, &id(2));
        assert_eq!(journal.executions().unwrap().len(), 2);
        assert_eq!(read(&journal, &id(2), 0).unwrap().len(), 1);
        write_raw(&journal, 1, 3, "{\"seq\": 3, ");
        let error = read(&journal, &id(1), 2).unwrap_err();
        assert!(
            matches!(error, JournalError::DamagedEvent { .. }),
            "{error:?}"
        );
    }

    #[test]
    fn what_is_damaged_is_named_with_its_place_and_what_to_do() {
        let (_root, journal) = journal();
        let bytes = "CAST(x'7b22ff22' AS TEXT)";
        let all = [("'garbage'", 2), ("'{}'", 3), (bytes, 2), ("''", 2)];
        for (n, (garbage, seq)) in (1..).zip(all) {
            let id = id(n);
            begun(&journal, &id);
            let sql = format!(
                "INSERT INTO event (execution, seq, at, data)
                 VALUES ((SELECT number FROM execution WHERE id = ?1), {seq}, ?2, {garbage})"
            );
            let values = [id.as_str(), &now().to_string()];
            journal.connection.execute(&sql, values).unwrap();
            let error = read(&journal, &id, 0).unwrap_err();
            assert!(error.is_of_one_execution(), "{garbage}: {error:?}");
            let file = journal.folder().join("journal.db");
            let said = format!(
                "event 2 of execution {id} in `{}` is damaged",
                file.display()
            );
            let told = error.to_string();
            assert!(told.starts_with(&said), "{told}");
            assert!(told.contains("put the file back from a copy"), "{told}");
            assert!(!told.contains("move"), "{told}");
        }
    }

    #[test]
    fn an_event_that_is_missing_is_damage() {
        let (_root, journal) = journal();
        let lease = begun(&journal, &id(1));
        append(&journal, &lease, 1, 200);
        let guard = "DROP TRIGGER event_is_never_deleted";
        journal.connection.execute(guard, []).unwrap();
        let remove = |seq: u32| {
            let delete = "DELETE FROM event WHERE seq = ?1";
            assert_eq!(journal.connection.execute(delete, [seq]).unwrap(), 1);
        };
        remove(150);
        let mut reading = journal.events(&id(1), 0);
        let before = reading.by_ref().take_while(Result::is_ok).count();
        assert_eq!(before, 149);
        assert!(reading.next().is_none(), "an error is the last");
        for after in [0, 100, 149] {
            let error = read(&journal, &id(1), after).unwrap_err();
            assert!(
                matches!(error, JournalError::DamagedEvent { .. }),
                "{error:?}"
            );
        }
        assert_eq!(numbers(journal.events(&id(1), 150)).len(), 51);
        assert_eq!(numbers(journal.last_events(&id(1), 51).unwrap()).len(), 51);
        remove(1);
        let error = journal.first_event(&id(1)).unwrap_err();
        assert!(
            matches!(error, JournalError::DamagedEvent { .. }),
            "{error:?}"
        );
    }

    #[test]
    fn a_field_that_a_newer_program_added_is_passed_over() {
        let (_root, journal) = journal();
        begun(&journal, &id(1));
        let known = events(&id(1), 2, vec![EventKind::StageStarted]);
        let text = serde_json::to_string(&known[0]).unwrap();
        write_raw(
            &journal,
            1,
            2,
            &text.replacen('{', "{\"new\":{\"x\":1},", 1),
        );
        assert_eq!(read(&journal, &id(1), 1).unwrap(), known);
    }
}
