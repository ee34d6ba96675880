//! Tests with several connections, threads and processes at one journal.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::samples::*;
use super::{Durability, Journal, JournalError};
use crate::model::{EventKind, ExecutionId, InboxMessage};

const CHILD: &str = "STACKGATE_JOURNAL_TEST_CHILD";

/// Runs the test `name` again in another process, which finds the state folder in its environment.
fn spawn(name: &str, state: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg(format!("journal::contention::{name}"))
        .env(CHILD, state)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Returns the state folder in a process made by `spawn`.
fn inherited() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// Tells the parent how far this process has come.
fn say(text: impl std::fmt::Display) {
    writeln!(std::io::stderr(), "{text}").unwrap();
}

fn begin(journal: &Journal, id: &ExecutionId) {
    let lease = journal.acquire(id, "first", now(), |_| false).unwrap();
    let first = [event(id, 1, started())];
    journal
        .append(&lease, 0, &first, &[], Durability::Intent)
        .unwrap();
    journal.release(&lease).unwrap();
}

/// Appends `count` events to an execution, taking the lease anew for each.
fn compete(journal: &Journal, id: &ExecutionId, owner: &str, count: usize) {
    let mut done = 0;
    while done < count {
        let lease = match journal.acquire(id, owner, now(), |_| false) {
            Ok(lease) => lease,
            Err(JournalError::LeaseHeld { .. }) => {
                std::thread::yield_now();
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        let last = read(journal, id, 0).unwrap().len() as u64;
        let kind = EventKind::Resumed {
            owner: owner.to_owned(),
            secrets: BTreeMap::new(),
        };
        journal
            .append(
                &lease,
                last,
                &[event(id, last + 1, kind)],
                &[],
                Durability::Observation,
            )
            .unwrap();
        journal.release(&lease).unwrap();
        done += 1;
    }
}

/// Returns how many events each owner appended, having checked that there are no gaps.
fn shares(journal: &Journal, id: &ExecutionId) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for (event, seq) in read(journal, id, 0).unwrap().into_iter().zip(1..) {
        assert_eq!(event.seq, seq);
        if let EventKind::Resumed { owner, .. } = event.kind {
            *shares.entry(owner).or_default() += 1;
        }
    }
    shares
}

#[test]
fn many_processes_can_make_the_journal_at_once() {
    let root = tempfile::tempdir().unwrap();
    let state = root.path().join("new/.stackgate");
    let barrier = Barrier::new(8);
    std::thread::scope(|scope| {
        for n in 0..8 {
            let (state, barrier) = (&state, &barrier);
            scope.spawn(move || {
                barrier.wait();
                begin(&Journal::open(state).unwrap(), &id(n));
            });
        }
    });
    let journal = Journal::open(&state).unwrap();
    assert_eq!(journal.executions().unwrap().len(), 8);
}

#[test]
fn one_of_many_gets_the_lease() {
    let root = tempfile::tempdir().unwrap();
    begin(&Journal::open(root.path()).unwrap(), &id(1));
    let barrier = Barrier::new(8);
    let won = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let (state, barrier) = (root.path(), &barrier);
                scope.spawn(move || {
                    let journal = Journal::open(state).unwrap();
                    barrier.wait();
                    match journal.acquire(&id(1), &format!("thread {n}"), now(), |_| false) {
                        Ok(lease) => Some(lease),
                        Err(JournalError::LeaseHeld { .. }) => None,
                        Err(error) => panic!("{error}"),
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert_eq!(won.len(), 1, "{won:?}");
    assert_eq!(won[0].fence(), 2);
}

#[test]
fn competing_processes_append_without_gaps_or_losses() {
    if let Some(state) = inherited() {
        let owner = std::process::id().to_string();
        compete(&Journal::open(&state).unwrap(), &id(1), &owner, 25);
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let journal = Journal::open(root.path()).unwrap();
    begin(&journal, &id(1));
    let name = "competing_processes_append_without_gaps_or_losses";
    let children: Vec<_> = (0..3).map(|_| spawn(name, root.path())).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
    }
    assert!(journal.changed());
    let shares = shares(&journal, &id(1));
    assert_eq!(shares.into_values().collect::<Vec<_>>(), [25, 25, 25]);
    let lease = journal.acquire(&id(1), "last", now(), |_| false).unwrap();
    assert_eq!(lease.fence(), 1 + 3 * 25 + 1);
}

#[test]
fn a_killed_process_leaves_a_readable_journal() {
    if let Some(state) = inherited() {
        let journal = Journal::open(&state).unwrap();
        let lease = journal.acquire(&id(1), "victim", now(), |_| false).unwrap();
        for seq in 1.. {
            let kinds = vec![EventKind::StageStarted, started()];
            let durability = match seq % 3 {
                0 => Durability::Intent,
                _ => Durability::Observation,
            };
            journal
                .append(
                    &lease,
                    2 * seq - 1,
                    &events(&id(1), 2 * seq, kinds),
                    &[],
                    durability,
                )
                .unwrap();
            say(2 * seq + 1);
        }
    }
    let root = tempfile::tempdir().unwrap();
    let journal = Journal::open(root.path()).unwrap();
    begin(&journal, &id(1));
    let mut child = spawn("a_killed_process_leaves_a_readable_journal", root.path());
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let said = lines
        .map(Result::unwrap)
        .inspect(|line| assert!(!line.contains("panicked"), "{line}"))
        .filter_map(|line| line.parse::<usize>().ok())
        .find(|seq| *seq > 100)
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();

    let events = read(&journal, &id(1), 0).unwrap();
    assert!(events.len() >= said, "{} of {said}", events.len());
    // Each append had two events: none of them is half there.
    assert_eq!(events.len() % 2, 1);
    let check: String = Connection::open(root.path().join("journal.db"))
        .unwrap()
        .pragma_query_value(None, "integrity_check", |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    let later = now() + super::LEASE_TTL;
    let lease = journal.acquire(&id(1), "heir", later, |_| false).unwrap();
    assert_eq!(lease.fence(), 3);
}

#[test]
fn a_process_killed_inside_a_transaction_leaves_nothing_of_it() {
    if let Some(state) = inherited() {
        let connection = Connection::open(state.join("journal.db")).unwrap();
        let transaction =
            Transaction::new_unchecked(&connection, TransactionBehavior::Immediate).unwrap();
        // More than SQLite's cache holds, so that a part of it is in the log already.
        transaction
            .execute_batch(
                "PRAGMA cache_size = 1; INSERT INTO event SELECT 1, 2, '', hex(zeroblob(1000000));",
            )
            .unwrap();
        say("inside");
        std::thread::park();
    }
    let root = tempfile::tempdir().unwrap();
    let journal = Journal::open(root.path()).unwrap();
    begin(&journal, &id(1));
    let name = "a_process_killed_inside_a_transaction_leaves_nothing_of_it";
    let mut child = spawn(name, root.path());
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "inside"));
    // Reading goes on while another process writes.
    assert_eq!(read(&journal, &id(1), 0).unwrap().len(), 1);
    assert_eq!(journal.executions().unwrap().len(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(read(&journal, &id(1), 0).unwrap().len(), 1);
    compete(&journal, &id(1), "heir", 1);
    assert_eq!(read(&journal, &id(1), 0).unwrap().len(), 2);
}

#[test]
fn a_writer_that_never_ends_is_reported_and_readers_go_on() {
    let root = tempfile::tempdir().unwrap();
    let journal = Journal::open(root.path()).unwrap();
    begin(&journal, &id(1));
    let hog = Connection::open(root.path().join("journal.db")).unwrap();
    let transaction = Transaction::new_unchecked(&hog, TransactionBehavior::Immediate).unwrap();
    journal.wait_for_writers(std::time::Duration::ZERO);
    let error = journal
        .acquire(&id(1), "host 2", now(), |_| false)
        .unwrap_err();
    assert!(matches!(error, JournalError::Busy { .. }), "{error:?}");
    assert_eq!(read(&journal, &id(1), 0).unwrap().len(), 1);
    drop(transaction);
    journal.acquire(&id(1), "host 2", now(), |_| false).unwrap();
}

#[test]
fn every_message_of_many_processes_is_handled_once() {
    const POSTERS: u32 = 4;
    const EACH: usize = 10;
    let root = tempfile::tempdir().unwrap();
    let journal = Journal::open(root.path()).unwrap();
    begin(&journal, &id(1));
    let lease = journal.acquire(&id(1), "owner", now(), |_| false).unwrap();
    std::thread::scope(|scope| {
        for n in 0..POSTERS {
            let state = root.path();
            scope.spawn(move || {
                let journal = Journal::open(state).unwrap();
                for i in 0..EACH {
                    let mut request = stop();
                    request.reason = format!("{n}/{i}");
                    let message = InboxMessage::Stop(request);
                    journal.post(&id(1), &message, now()).unwrap();
                }
            });
        }
        let mut seq = 1;
        while seq <= u64::from(POSTERS) * EACH as u64 {
            if !journal.changed() {
                std::thread::yield_now();
                continue;
            }
            let waiting = journal.inbox(&id(1)).unwrap().messages;
            let (numbers, kinds): (Vec<u64>, Vec<EventKind>) = waiting
                .into_iter()
                .map(|(number, message)| match message {
                    InboxMessage::Stop(request) => (number, EventKind::StopRequested { request }),
                    InboxMessage::Answer(answer) => panic!("{answer:?}"),
                })
                .unzip();
            let events = events(&id(1), seq + 1, kinds);
            journal
                .append(&lease, seq, &events, &numbers, Durability::Intent)
                .unwrap();
            seq += events.len() as u64;
        }
    });
    assert_eq!(journal.inbox(&id(1)).unwrap().messages, []);
    let mut reasons: Vec<String> = read(&journal, &id(1), 1)
        .unwrap()
        .into_iter()
        .map(|event| match event.kind {
            EventKind::StopRequested { request } => request.reason,
            other => panic!("{other:?}"),
        })
        .collect();
    reasons.sort();
    reasons.dedup();
    assert_eq!(reasons.len(), POSTERS as usize * EACH);
}
