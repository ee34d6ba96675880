//! What else is open for the targets of a new execution, so that nobody plans the same twice without knowing it.

use super::{output, run};
use crate::journal::Journal;
use crate::model::{EventKind, Target};
use crate::report::{State, View};

/// Says on standard error which executions of this journal are open for the same targets, with the command to look.
///
/// One that cannot be read is left out: it is only a remark, and what is wrong with the journal is told where it matters.
pub(super) fn tell(journal: &Journal, targets: &[Target]) {
    for execution in journal.executions().unwrap_or_default() {
        // Nearly all have ended, which the last event says alone.
        let last = journal.events(&execution.id, execution.events.saturating_sub(1));
        let has_ended = |kind: &EventKind| matches!(kind, EventKind::ExecutionFinished { .. });
        if last.is_ok_and(|events| events.iter().any(|event| has_ended(&event.kind))) {
            continue;
        }
        let Ok(events) = journal.events(&execution.id, 0) else {
            continue;
        };
        let view = View::of(&events);
        let shared = view.targets();
        let shared: Vec<&Target> = shared
            .iter()
            .map(|known| known.target())
            .filter(|target| targets.contains(target))
            .collect();
        let Some(first) = shared.first() else {
            continue;
        };
        let is_alive = run::is_alive(journal, &execution.id).is_ok_and(|alive| alive == Some(true));
        let does = match (view.state(), is_alive) {
            (State::Ended(_), _) => continue,
            (State::WaitingForApproval, _) => "waits for an answer",
            (
                State::Running
                | State::Answered(_)
                | State::Overdue
                | State::Stopping
                | State::GivingUp
                | State::Unknown,
                true,
            ) => "is under way",
            (State::Answered(_), false) => "has its answer, and nobody has taken it up,",
            (State::Overdue, false) => "waited too long for an answer, and is not cleaned up,",
            (State::GivingUp, false) => "is being given up, and nobody goes on with it,",
            (State::Paused, _) => "is paused",
            (State::Running | State::Stopping | State::Unknown, false) => "was interrupted",
        };
        let more = match shared.len() {
            1 => String::new(),
            count => format!(" and {} more of these targets", count - 1),
        };
        output::stderr(&format!(
            "note: another execution {does} for {first}{more}; look at it with `stackgate status {}`\n",
            execution.id
        ));
    }
}
