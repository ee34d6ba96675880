//! Who runs an execution.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::Failure;
use super::store::{counted, number, stored};
use super::{Durability, Journal, JournalError};
use crate::model::ExecutionId;

/// How long a process that is not heard of keeps its lease.
pub const LEASE_TTL: SignedDuration = SignedDuration::from_secs(15);

/// How often the owner says that it lives: two may be lost before the lease is.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// The right to append to an execution, until another process takes it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    execution: ExecutionId,
    owner: String,
    fence: u64,
    heard: u64,
}

impl Lease {
    /// Returns the execution.
    pub fn execution(&self) -> &ExecutionId {
        &self.execution
    }

    /// Returns the name of who holds it.
    pub fn owner(&self) -> &str {
        split(&self.owner).0
    }

    /// Returns its fencing number: greater than that of every earlier lease of the execution.
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// Returns whether a message with this number in the inbox was posted before the lease was taken: to whoever had it then, or
    /// to nobody.
    pub fn is_younger_than(&self, message: u64) -> bool {
        message <= self.heard
    }
}

/// The process that holds an execution's lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its name: host and process id.
    pub name: String,
    /// Where the process id means what it says, if that is known.
    pub place: Option<String>,
    /// When it was last heard of.
    pub heartbeat: Timestamp,
}

impl Owner {
    /// Returns whether it was heard of recently enough to hold its lease.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        // A heartbeat far in the future is from before the clock was set back; its writer would have
        // written another one since.
        now.duration_since(self.heartbeat).abs() < LEASE_TTL
    }
}

impl Journal {
    /// Returns the lease of an execution, new or left by a process that is not heard of any more.
    ///
    /// `owner` is a name, and behind an `@` the place where its process id means what it says. One that `is_gone` for certain,
    /// such as a killed process of this machine, is not waited for.
    pub fn acquire(
        &self,
        id: &ExecutionId,
        owner: &str,
        now: Timestamp,
        is_gone: impl FnOnce(&Owner) -> bool,
    ) -> Result<Lease, JournalError> {
        self.write(Durability::Observation, |transaction| {
            if let Some(other) = row(transaction, id)?.and_then(|row| row.owner)
                && other.is_alive(now)
                && !is_gone(&other)
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
            let heard: i64 = transaction
                .prepare_cached("SELECT coalesce(max(number), 0) FROM inbox")?
                .query_row([], |row| row.get(0))?;
            Ok(Lease {
                execution: id.clone(),
                owner: owner.to_owned(),
                fence: counted(fence)?,
                heard: counted(heard)?,
            })
        })
    }

    /// Returns the process that holds the lease of an execution, or died while it did.
    pub fn owner(&self, id: &ExecutionId) -> Result<Option<Owner>, JournalError> {
        self.read("read", |connection| {
            Ok(row(connection, id)?.and_then(|row| row.owner))
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
pub(super) fn held(connection: &Connection, lease: &Lease) -> Result<i64, Failure> {
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

/// Returns the name and the place of an owner.
fn split(owner: &str) -> (&str, Option<&str>) {
    match owner.rsplit_once('@') {
        Some((name, place)) => (name, Some(place)),
        None => (owner, None),
    }
}

pub(super) fn owner(
    name: Option<String>,
    heartbeat: Option<String>,
) -> Result<Option<Owner>, Failure> {
    match (name, heartbeat) {
        (Some(stored_name), Some(heartbeat)) => {
            let (name, place) = split(&stored_name);
            Ok(Some(Owner {
                name: name.to_owned(),
                place: place.map(str::to_owned),
                heartbeat: stored(heartbeat)?,
            }))
        }
        (None, _) => Ok(None),
        (Some(_), None) => Err(Failure::Garbled),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::*;
    use crate::model::{EventKind, InboxMessage};

    #[test]
    fn a_lease_knows_what_was_posted_before_it() {
        let (_root, journal) = journal();
        let lease = begun(&journal, &id(1));
        let post = || {
            let message = InboxMessage::Stop(stop());
            again(&journal).post(&id(1), &message, now()).unwrap()
        };
        let first = post();
        assert!(!lease.is_younger_than(first));
        let next = journal
            .acquire(&id(1), "host 2", later(), |_| false)
            .unwrap();
        let second = post();
        assert!(next.is_younger_than(first));
        assert!(!next.is_younger_than(second));
    }

    #[test]
    fn an_owner_lives_for_the_time_of_its_lease() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let alive = |seconds| {
            let owner = Owner {
                name: "host 1".into(),
                place: None,
                heartbeat: now - SignedDuration::from_secs(seconds),
            };
            owner.is_alive(now)
        };
        assert!(alive(0) && alive(14) && alive(-14));
        assert!(!alive(15) && !alive(3600) && !alive(-3600));
    }

    #[test]
    fn a_held_lease_is_refused_until_its_owner_is_not_heard_of() {
        let (_root, journal) = journal();
        let other = again(&journal);
        let lease = begun(&journal, &id(1));
        let just_before = later() - SignedDuration::from_millis(1);
        match other.acquire(&id(1), "host 2", just_before, |_| false) {
            Err(JournalError::LeaseHeld {
                owner, heartbeat, ..
            }) => {
                assert_eq!((owner.as_str(), heartbeat), ("host 1", now()));
            }
            result => panic!("{result:?}"),
        }
        journal.heartbeat(&lease, just_before).unwrap();
        assert!(other.acquire(&id(1), "host 2", later(), |_| false).is_err());
        let taken = other
            .acquire(&id(1), "host 2", just_before + LEASE_TTL, |_| false)
            .unwrap();
        assert_eq!(taken.fence(), lease.fence() + 1);
    }

    #[test]
    fn an_owner_that_is_gone_is_not_waited_for() {
        let (_root, journal) = journal();
        assert_eq!(journal.owner(&id(1)).unwrap(), None);
        begun(&journal, &id(1));
        let owner = journal.owner(&id(1)).unwrap().unwrap();
        assert_eq!((owner.name.as_str(), owner.heartbeat), ("host 1", now()));
        let taken = journal
            .acquire(&id(1), "host 2", now(), |owner| owner.name == "host 1")
            .unwrap();
        assert_eq!(taken.fence(), 2);
        let held = journal.acquire(&id(1), "host 3", now(), |owner| owner.name == "host 1");
        assert!(matches!(held, Err(JournalError::LeaseHeld { .. })));
    }

    #[test]
    fn where_an_owner_runs_is_kept_beside_its_name() {
        let (_root, journal) = journal();
        let lease = journal.acquire(&id(1), "host:7@here", now(), |_| false);
        assert_eq!(lease.unwrap().owner(), "host:7");
        let owner = journal.owner(&id(1)).unwrap().unwrap();
        assert_eq!(
            (&*owner.name, owner.place.as_deref()),
            ("host:7", Some("here"))
        );
    }

    #[test]
    fn the_loser_of_a_lease_can_do_nothing_more() {
        let (_root, journal) = journal();
        let loser = begun(&journal, &id(1));
        let other = again(&journal);
        let winner = other.acquire(&id(1), "host 2", later(), |_| false).unwrap();
        let next = [event(&id(1), 2, EventKind::StageStarted)];
        let results = [
            journal.append(&loser, 1, &next, &[], Durability::Intent),
            journal.append(&loser, 1, &[], &[], Durability::Observation),
            journal.heartbeat(&loser, later()),
        ];
        for result in results {
            assert_eq!(
                result.unwrap_err().to_string(),
                format!(
                    "execution {} is no longer run by this process: host 2 took it over",
                    id(1)
                )
            );
        }
        journal.release(&loser).unwrap();
        other
            .append(&winner, 1, &next, &[], Durability::Intent)
            .unwrap();
        assert_eq!(read(&journal, &id(1), 1).unwrap(), next);
    }

    #[test]
    fn a_released_lease_can_be_taken_at_once_and_is_of_no_more_use() {
        let (_root, journal) = journal();
        let lease = begun(&journal, &id(1));
        journal.release(&lease).unwrap();
        journal.release(&lease).unwrap();
        let next = [event(&id(1), 2, EventKind::StageStarted)];
        let error = journal
            .append(&lease, 1, &next, &[], Durability::Intent)
            .unwrap_err();
        assert!(matches!(error, JournalError::LeaseLost { owner: None, .. }));
        let taken = journal.acquire(&id(1), "host 2", now(), |_| false).unwrap();
        assert_eq!(taken.fence(), 2);
    }
}
