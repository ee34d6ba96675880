//! Which events still belong to an operation on a stack that has ended.
//!
//! After `UPDATE_COMPLETE_CLEANUP_IN_PROGRESS` or its counterpart of a rollback, what was replaced is removed; those events, and
//! any that the service shows late, come when the operation is taken to be over. They are nobody else's work.

use super::{StackEvent, StackId, StackStatus};

/// Returns the newest of the `newer` events, oldest first, that is somebody else's work on the stack and not of the operation
/// with `token`, which has ended.
pub fn by_others<'a>(
    stack: &StackId,
    newer: &'a [StackEvent],
    token: &str,
) -> Option<&'a StackEvent> {
    let mut is_cleaning = false;
    let mut newest = None;
    for event in newer {
        let clean_up = CleanUp::of(event, stack);
        let is_own = match (event.token.as_deref(), clean_up) {
            (Some(given), _) => given == token,
            // An event without a token is clean-up by what it says: whatever else is done to a stack begins with an
            // event of the stack itself.
            (None, CleanUp::Goes) => true,
            (None, CleanUp::Ends) => is_cleaning,
            (None, CleanUp::No) => false,
        };
        is_cleaning |= is_own && clean_up == CleanUp::Goes;
        if !is_own {
            newest = Some(event);
        }
    }
    newest
}

/// Returns the newest event of a stack, from a page of them, newest first; `known` instead where all that came after it is, by
/// its token, of the same operation.
pub fn newest_of(newest_first: &[StackEvent], known: Option<&str>) -> Option<String> {
    let newest = newest_first.first()?;
    let place = newest_first
        .iter()
        .position(|event| Some(event.id.as_str()) == known);
    let is_tail = place.is_some_and(|place| {
        let token = newest_first.get(place).and_then(|e| e.token.as_deref());
        let mut later = newest_first.iter().take(place);
        token.is_some() && later.all(|event| event.token.as_deref() == token)
    });
    match known.filter(|_| is_tail) {
        Some(known) => Some(known.to_owned()),
        None => Some(newest.id.clone()),
    }
}

/// What an event may be in the clean-up after an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CleanUp {
    /// It goes on: the stack says so, or a resource is removed.
    Goes,
    /// It has ended, if it went on.
    Ends,
    /// It is none.
    No,
}

impl CleanUp {
    fn of(event: &StackEvent, stack: &StackId) -> Self {
        use StackStatus::*;
        if !event.is_of_stack(stack) {
            return match event.status.starts_with("DELETE_") {
                true => Self::Goes,
                false => Self::No,
            };
        }
        match event.status.parse() {
            Ok(UpdateCompleteCleanupInProgress | UpdateRollbackCompleteCleanupInProgress) => {
                Self::Goes
            }
            Ok(UpdateComplete | UpdateRollbackComplete) => Self::Ends,
            Ok(_) | Err(_) => Self::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LogicalId;

    fn stack() -> StackId {
        "arn:stack".parse().unwrap()
    }

    /// `what`: `stack STATUS` or `resource STATUS`, and a token or `-`.
    fn event(id: usize, what: &str) -> StackEvent {
        let mut words = what.split(' ');
        let (of, status, token) = (words.next(), words.next().unwrap(), words.next().unwrap());
        StackEvent {
            id: id.to_string(),
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            logical_id: LogicalId::new("app").unwrap(),
            resource_type: String::new(),
            physical_id: (of == Some("stack")).then(|| stack().to_string()),
            status: status.to_owned(),
            reason: None,
            token: (token != "-").then(|| token.to_owned()),
        }
    }

    fn others(events: &[&str]) -> Option<String> {
        let events: Vec<StackEvent> = (1..)
            .zip(events)
            .map(|(id, what)| event(id, what))
            .collect();
        by_others(&stack(), &events, "own").map(|event| event.id.clone())
    }

    #[test]
    fn clean_up_after_the_own_operation_is_nobody_elses_work() {
        for own in [
            &[][..],
            &["resource UPDATE_COMPLETE own", "stack UPDATE_COMPLETE own"],
            &[
                "stack UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS own",
                "resource DELETE_COMPLETE own",
                "stack UPDATE_ROLLBACK_COMPLETE own",
            ],
            // An endpoint that gives no tokens.
            &[
                "stack UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS -",
                "resource DELETE_IN_PROGRESS -",
                "resource DELETE_COMPLETE -",
                "stack UPDATE_ROLLBACK_COMPLETE -",
            ],
            &["resource DELETE_FAILED -", "stack UPDATE_COMPLETE -"],
        ] {
            assert_eq!(others(own), None, "{own:?}");
        }
    }

    #[test]
    fn what_somebody_else_did_is_found_among_clean_up() {
        for (events, found) in [
            (&["stack UPDATE_IN_PROGRESS other"][..], "1"),
            // Their clean-up is theirs.
            (&["stack UPDATE_COMPLETE_CLEANUP_IN_PROGRESS other"], "1"),
            (
                &[
                    "stack UPDATE_COMPLETE_CLEANUP_IN_PROGRESS own",
                    "stack UPDATE_COMPLETE own",
                    "stack UPDATE_IN_PROGRESS -",
                    "resource DELETE_COMPLETE -",
                    "stack UPDATE_COMPLETE -",
                ],
                "3",
            ),
            // Nothing was being cleaned up.
            (&["stack UPDATE_COMPLETE -"], "1"),
            (&["stack DELETE_IN_PROGRESS -"], "1"),
            (&["resource UPDATE_COMPLETE -"], "1"),
        ] {
            assert_eq!(others(events).as_deref(), Some(found), "{events:?}");
        }
    }

    #[test]
    fn the_known_event_stands_for_the_rest_of_its_operation() {
        let page = |events: &[&str]| -> Vec<StackEvent> {
            let numbered = (1..).zip(events).map(|(id, what)| event(id, what));
            let mut page: Vec<StackEvent> = numbered.collect();
            page.reverse();
            page
        };
        let known = "stack UPDATE_COMPLETE own";
        for (later, newest) in [
            (&[][..], "1"),
            (&["resource DELETE_COMPLETE own", known], "1"),
            (
                &[
                    "resource DELETE_COMPLETE own",
                    "stack UPDATE_IN_PROGRESS other",
                ],
                "3",
            ),
            (
                &[
                    "stack UPDATE_IN_PROGRESS other",
                    "resource DELETE_COMPLETE own",
                ],
                "3",
            ),
            (&["resource DELETE_COMPLETE -"], "2"),
        ] {
            let events = page(&[&[known], later].concat());
            assert_eq!(
                newest_of(&events, Some("1")).as_deref(),
                Some(newest),
                "{later:?}"
            );
            let last = events.len().to_string();
            assert_eq!(newest_of(&events, None), Some(last.clone()));
            assert_eq!(newest_of(&events, Some("elsewhere")), Some(last));
        }
        // Without tokens, nothing tells whose later events are.
        let events = page(&["stack UPDATE_COMPLETE -", "resource DELETE_COMPLETE -"]);
        assert_eq!(newest_of(&events, Some("1")).as_deref(), Some("2"));
        assert_eq!(newest_of(&[], Some("1")), None);
    }
}
