//! What whoever approves must know and the execution itself does not: what others did to its targets, and do to them now.

use std::collections::BTreeSet;

use super::opposite::{self, Own};
use super::{followers, newer, others, unread};
use crate::journal::Journal;
use crate::model::{Follows, Target};
use crate::report::{Newer, View};

/// Notes it in `view`; of an execution that has ended, only what became of what it retries. What cannot be read is passed over.
pub(super) fn note(journal: &Journal, view: &mut View) {
    let Some(id) = view.execution() else {
        return;
    };
    let targets: Vec<Target> = view.targets().iter().map(|t| t.target().clone()).collect();
    let opposite = || {
        let own = Own {
            id: Some(id),
            follows: view.follows()?,
            targets: &targets.iter().collect(),
            ended: view.ended(),
        };
        opposite::notes(journal, &own).ok()
    };
    let opposite = opposite().unwrap_or_default();
    let takes_back = match view.follows() {
        Some(Follows::RollsBack(earlier)) => Some(earlier.clone()),
        Some(Follows::Retries(earlier)) => followers::taken_back(journal, earlier).ok().flatten(),
        None => None,
    };
    let known = Newer {
        by: match (view.follows(), view.told_overwritten()) {
            (Some(Follows::RollsBack(earlier) | Follows::Retries(earlier)), Some(_)) => {
                newer::last(journal, earlier, id, view)
            }
            (Some(_), None) | (None, _) => Default::default(),
        },
        takes_back,
    };
    let direction = view
        .follows()
        .map(|follows| followers::direction(journal, follows));
    let mut notes = Vec::new();
    match view.follows() {
        // What was told beside its review is over; what it retries may have gone back meanwhile.
        Some(Follows::Retries(_)) if view.outcome().is_some() => notes = opposite,
        Some(_) | None if view.outcome().is_some() => {}
        Some(Follows::RollsBack(earlier)) => {
            if let Some(rolled_back) = unread::found(View::read(journal.events(earlier, 0))) {
                notes = newer::of_rollback(journal, (earlier, &rolled_back), Some(id));
            }
            notes.extend(opposite);
        }
        Some(Follows::Retries(earlier)) => {
            let retried = (earlier, view.pipeline());
            let targets: BTreeSet<&Target> = targets.iter().collect();
            notes = newer::of_retry(journal, retried, Some(id), &targets);
            notes.extend(opposite);
        }
        None => {}
    }
    if view.outcome().is_none() {
        if view.awaits_answer() {
            notes.extend(newer::of_plan(journal, id, view));
        }
        notes.extend(others::notes(journal, Some(id), &targets));
    }
    view.note_direction(direction);
    view.note_beside(notes);
    view.note_newer(known);
}
