//! How long change sets and operations took in the last executions of the same pipeline, so that a stack is looked at
//! when it is about to end. It is a hint: whatever cannot be read is as if it had never been.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::aws::Expected;
use crate::journal::Journal;
use crate::model::{Event, EventKind, ExecutionId, Target, TargetOutcome};

/// How many executions are looked at, and how many of the last events of each: read in a fraction of a second.
const EXECUTIONS: usize = 3;
const EVENTS: u32 = 20_000;

/// Returns how long things took in the executions of `pipeline` before `current`; the newest that tells counts.
pub(super) fn expected(journal: &Journal, pipeline: &str, current: &ExecutionId) -> Expected {
    let mut expected = Expected::default();
    let Ok(executions) = journal.executions() else {
        return expected;
    };
    let earlier = executions
        .iter()
        .filter(|x| x.id != *current && x.pipeline == pipeline);
    for execution in earlier.take(EXECUTIONS) {
        let events = journal.last_events(&execution.id, EVENTS);
        let Ok(found) = events.and_then(of) else {
            continue;
        };
        expected.change_set = expected.change_set.or(found.change_set);
        expected.operation = expected.operation.or(found.operation);
        // Of a large fleet the last events are not those of change sets, in none of its executions.
        if expected.operation.is_some() {
            break;
        }
    }
    expected
}

/// When something began, and when its stack told last that something happened.
struct Begun {
    at: Timestamp,
    last: Option<Timestamp>,
}

/// Returns the shortest of each kind in `events`.
fn of<E>(events: impl IntoIterator<Item = Result<Event, E>>) -> Result<Expected, E> {
    let mut change_sets: HashMap<Target, Timestamp> = HashMap::new();
    let mut operations: HashMap<Target, Begun> = HashMap::new();
    let mut expected = Expected::default();
    for event in events {
        let event = event?;
        let Some(target) = event.scope.target else {
            continue;
        };
        let at = event.at;
        if let EventKind::ChangeSetCreated { .. } = &event.kind {
            change_sets.insert(target, at);
        } else if let EventKind::ChangeSetReady { .. } = &event.kind {
            let began = change_sets.remove(&target);
            shorten(&mut expected.change_set, began, at);
        } else if let EventKind::ExecuteAccepted = &event.kind {
            operations.insert(target, Begun { at, last: None });
        } else if let EventKind::Observed { events } = &event.kind
            && let Some(begun) = operations.get_mut(&target)
        {
            begun.last = begun
                .last
                .max(events.iter().map(|observed| observed.at).max());
        } else if is_well(&event.kind)
            && let Some(begun) = operations.remove(&target)
        {
            // The stack knows when it ended; by the clock of the service, which may differ.
            let ended = begun.last.filter(|last| *last > begun.at && *last < at);
            shorten(&mut expected.operation, Some(begun.at), ended.unwrap_or(at));
        }
    }
    Ok(expected)
}

/// Returns whether an operation on a stack ended well.
fn is_well(kind: &EventKind) -> bool {
    let EventKind::TargetFinished { outcome, .. } = kind else {
        return matches!(kind, EventKind::StackSettled { .. });
    };
    matches!(outcome, TargetOutcome::Succeeded { .. })
}

fn shorten(shortest: &mut Option<Duration>, began: Option<Timestamp>, ended: Timestamp) {
    let took = began.and_then(|began| Duration::try_from(ended.duration_since(began)).ok());
    *shortest = match (*shortest, took) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (known, took) => known.or(took),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::JournalError;
    use crate::model::{LogicalId, Scope, StackEvent, StackStatus};

    const BEGIN: Timestamp = Timestamp::UNIX_EPOCH;

    fn event(region: &str, at: u64, kind: EventKind) -> Event {
        let target = Target {
            account: "111111111111".parse().unwrap(),
            region: region.parse().unwrap(),
            stack: "network".parse().unwrap(),
        };
        Event {
            seq: 1,
            execution: ExecutionId::new("01938f5e-0000-7000-8000-000000000001").unwrap(),
            at: BEGIN + Duration::from_secs(at),
            scope: Scope {
                target: Some(target),
                ..Scope::default()
            },
            kind,
        }
    }

    fn finished() -> EventKind {
        EventKind::TargetFinished {
            outcome: TargetOutcome::Succeeded {
                status: StackStatus::UpdateComplete,
            },
            outputs: Default::default(),
        }
    }

    fn observed(at: u64) -> EventKind {
        EventKind::Observed {
            events: vec![StackEvent {
                id: "1".to_owned(),
                at: BEGIN + Duration::from_secs(at),
                logical_id: LogicalId::new("network").unwrap(),
                resource_type: "AWS::CloudFormation::Stack".to_owned(),
                physical_id: None,
                status: "UPDATE_COMPLETE".to_owned(),
                reason: None,
                token: None,
            }],
        }
    }

    #[test]
    fn the_shortest_that_went_well_is_expected_by_the_stacks_own_events() {
        let events = [
            event("eu-west-1", 0, EventKind::ExecuteAccepted),
            event("us-east-1", 5, EventKind::ExecuteAccepted),
            event("eu-west-1", 70, observed(62)),
            event("eu-west-1", 75, finished()),
            // By another clock than this one: when it was noticed counts.
            event("us-east-1", 80, observed(900)),
            event("us-east-1", 85, finished()),
        ];
        let of = |events: &[Event]| {
            let read = events.iter().cloned().map(Ok::<_, JournalError>);
            of(read).unwrap()
        };
        let operation = |events: &[Event]| of(events).operation.map(|took| took.as_secs());
        assert_eq!(operation(&events), Some(62));
        assert_eq!(operation(&events[1..]), Some(80));
        // What began before the events that were read, or has not ended, tells nothing.
        assert_eq!(operation(&events[2..4]), None);
        assert_eq!(operation(&events[..3]), None);
        assert_eq!(of(&events).change_set, None);
    }

    #[test]
    fn without_a_journal_that_tells_nothing_is_expected() {
        let root = tempfile::tempdir().unwrap();
        let journal = Journal::open(&root.path().join("state")).unwrap();
        let id = ExecutionId::new("01938f5e-0000-7000-8000-000000000001").unwrap();
        assert_eq!(
            expected(&journal, "deploy-network", &id),
            Expected::default()
        );
    }
}
