//! What other processes say to the owner of an execution.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};

use super::store::counted;
use super::{Durability, Journal, JournalError};
use crate::model::{Decision, ExecutionId, InboxMessage};

/// What waits for the owner of an execution.
#[derive(Debug, Default)]
pub struct Inbox {
    /// The messages, oldest first, with their numbers.
    pub messages: Vec<(u64, InboxMessage)>,
    /// Those that this program cannot read, with their numbers: they wait for one that can. So does every approval
    /// behind one of them, which may be a rejection.
    pub unreadable: Vec<(u64, JournalError)>,
}

impl Journal {
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

    /// Returns the messages that wait for the owner of an execution.
    ///
    /// One that a newer program posted keeps an approval from being heard, and nothing else.
    pub fn inbox(&self, id: &ExecutionId) -> Result<Inbox, JournalError> {
        self.read("read", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT number, message FROM inbox
                  WHERE execution = (SELECT number FROM execution WHERE id = ?1)
                    AND handled IS NULL
                  ORDER BY number",
            )?;
            let mut rows = statement.query([id.as_str()])?;
            let mut inbox = Inbox::default();
            while let Some(row) = rows.next()? {
                let number = counted(row.get(0)?)?;
                let text = row.get_ref(1)?.as_bytes().unwrap_or_default();
                match serde_json::from_slice(text) {
                    Ok(message) if approves(&message) && !inbox.unreadable.is_empty() => {}
                    Ok(message) => inbox.messages.push((number, message)),
                    Err(source) => {
                        let execution = id.clone();
                        let error = JournalError::UnreadableMessage {
                            execution,
                            number,
                            source,
                        };
                        inbox.unreadable.push((number, error));
                    }
                }
            }
            Ok(inbox)
        })
    }
}

fn approves(message: &InboxMessage) -> bool {
    match message {
        InboxMessage::Answer(answer) => answer.decision == Decision::Approve,
        InboxMessage::Stop(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::*;
    use crate::model::EventKind;

    #[test]
    fn a_message_is_handled_with_the_events_or_not_at_all() {
        let (_root, journal) = journal();
        let lease = begun(&journal, &id(1));
        begun(&journal, &id(2));
        let commands = again(&journal);
        let messages = [InboxMessage::Answer(answer()), InboxMessage::Stop(stop())];
        let numbers: Vec<u64> = messages
            .iter()
            .map(|message| commands.post(&id(1), message, now()).unwrap())
            .collect();
        let foreign = commands.post(&id(2), &messages[0], now()).unwrap();
        let waiting: Vec<_> = numbers.iter().copied().zip(messages.clone()).collect();
        assert_eq!(journal.inbox(&id(1)).unwrap().messages, waiting);

        let next = [event(&id(1), 2, EventKind::Answered { answer: answer() })];
        for (expected, handled) in [
            (0, vec![numbers[0]]),
            (1, vec![numbers[0], foreign]),
            (1, vec![numbers[0], numbers[0]]),
            (1, vec![u64::MAX]),
        ] {
            let result = journal.append(&lease, expected, &next, &handled, Durability::Intent);
            assert!(result.is_err(), "{handled:?}");
            assert_eq!(read(&journal, &id(1), 1).unwrap(), []);
            assert_eq!(journal.inbox(&id(1)).unwrap().messages, waiting);
        }
        journal
            .append(&lease, 1, &next, &numbers[..1], Durability::Intent)
            .unwrap();
        assert_eq!(journal.inbox(&id(1)).unwrap().messages, waiting[1..]);
        journal
            .append(&lease, 2, &[], &numbers[1..], Durability::Intent)
            .unwrap();
        assert_eq!(journal.inbox(&id(1)).unwrap().messages, []);
        assert_eq!(journal.inbox(&id(2)).unwrap().messages.len(), 1);
    }

    #[test]
    fn a_message_to_nobody_is_refused() {
        let (_root, journal) = journal();
        journal
            .acquire(&id(1), "never began", now(), |_| false)
            .unwrap();
        for id in [id(1), id(2)] {
            let result = journal.post(&id, &InboxMessage::Stop(stop()), now());
            assert!(matches!(result, Err(JournalError::UnknownExecution { .. })));
        }
    }

    #[test]
    fn a_message_of_a_kind_yet_unknown_is_named_and_left() {
        let (_root, journal) = journal();
        let lease = begun(&journal, &id(1));
        let insert =
            "INSERT INTO inbox (execution, posted, message) VALUES (1, '', '{\"retry\":{}}')";
        journal.connection.execute(insert, []).unwrap();
        let known = InboxMessage::Stop(stop());
        let number = journal.post(&id(1), &known, now()).unwrap();
        let inbox = journal.inbox(&id(1)).unwrap();
        assert_eq!(inbox.messages, [(number, known)]);
        journal
            .append(&lease, 1, &[], &[number], Durability::Intent)
            .unwrap();
        let inbox = journal.inbox(&id(1)).unwrap();
        assert_eq!(inbox.messages, []);
        let [(1, error @ JournalError::UnreadableMessage { number: 1, .. })] =
            &inbox.unreadable[..]
        else {
            panic!("{inbox:?}");
        };
        assert!(error.to_string().contains("update this one"), "{error}");
    }

    #[test]
    fn the_first_answer_wins_also_where_it_cannot_be_read() {
        let (_root, journal) = journal();
        let lease = begun(&journal, &id(1));
        let post = |message: &InboxMessage| journal.post(&id(1), message, now()).unwrap();
        let approval = InboxMessage::Answer(answer());
        let before = post(&approval);
        let insert =
            "INSERT INTO inbox (execution, posted, message) VALUES (1, '', '{\"veto\":{}}')";
        journal.connection.execute(insert, []).unwrap();
        post(&approval);
        let rejection = InboxMessage::Answer(crate::model::Answer {
            decision: Decision::Reject,
            ..answer()
        });
        let after = post(&rejection);
        let heard = journal.inbox(&id(1)).unwrap().messages;
        assert_eq!(heard, [(before, approval), (after, rejection)]);
        drop(lease);
    }
}
