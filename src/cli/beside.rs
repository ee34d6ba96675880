//! What whoever approves must know and the execution itself does not: what others did to its targets, and do to them now.

use std::collections::BTreeSet;

use super::{newer, others};
use crate::journal::Journal;
use crate::model::{Follows, Target};
use crate::report::View;

/// Notes it in `view`, unless the execution has ended. What cannot be read is passed over.
pub(super) fn note(journal: &Journal, view: &mut View) {
    let Some(id) = view.execution().filter(|_| view.outcome().is_none()) else {
        return;
    };
    let targets: Vec<Target> = view.targets().iter().map(|t| t.target().clone()).collect();
    let mut notes = Vec::new();
    match view.follows() {
        Some(Follows::RollsBack(earlier)) => {
            if let Ok(rolled_back) = View::read(journal.events(earlier, 0)) {
                notes = newer::of_rollback(journal, (earlier, &rolled_back), Some(id));
            }
        }
        Some(Follows::Retries(earlier)) => {
            let retried = (earlier, view.pipeline());
            let targets: BTreeSet<&Target> = targets.iter().collect();
            notes = newer::of_retry(journal, retried, Some(id), &targets);
        }
        None => {}
    }
    if view.awaits_answer() {
        notes.extend(newer::of_plan(journal, id, view));
    }
    notes.extend(others::notes(journal, Some(id), &targets));
    view.note_beside(notes);
}
