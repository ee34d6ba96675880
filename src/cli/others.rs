//! What else is open for the targets of a new execution, so that nobody plans the same twice without knowing it.

use std::collections::HashSet;

use super::{answer, output, run, unread};
use crate::journal::{ExecutionSummary, Journal};
use crate::model::{EventKind, ExecutionId, Target};
use crate::report::{State, View};

/// What an open execution does, said of one and of several.
pub(super) type Does = (&'static str, &'static str);

/// What `list --waiting` shows.
const WAITS: Does = ("waits for an answer", "wait for an answer");

/// An execution that is open for some of the targets.
struct Open {
    id: ExecutionId,
    does: Does,
    /// The targets, as they are told.
    targets: String,
}

/// Says on standard error which executions of this journal are open for the targets of one that is to begin.
pub(super) fn tell(journal: &Journal, targets: &[Target]) {
    output::notes(&notes(journal, None, targets));
}

/// Returns which executions of this journal beside `own` are open for the same targets, with the command to look.
///
/// Those that do the same are told in one line: who plans again and again without an answer has many of them.
pub(super) fn notes(
    journal: &Journal,
    own: Option<&ExecutionId>,
    targets: &[Target],
) -> Vec<String> {
    let targets: HashSet<&Target> = targets.iter().collect();
    let executions = journal.executions().unwrap_or_default();
    let others = executions.iter().filter(|other| Some(&other.id) != own);
    let all = others.filter_map(|other| open(journal, other, &targets));
    lines(&all.collect::<Vec<_>>())
}

/// Returns a line for each kind of what is done.
fn lines(all: &[Open]) -> Vec<String> {
    let mut kinds: Vec<(Does, Vec<&Open>)> = Vec::new();
    for open in all {
        match kinds.iter_mut().find(|(does, _)| *does == open.does) {
            Some((_, same)) => same.push(open),
            None => kinds.push((open.does, vec![open])),
        }
    }
    let line = |((one, several), same): (Does, Vec<&Open>)| match &same[..] {
        [only] => format!(
            "another execution {one} for {}; look at it with `stackgate status {}`",
            only.targets, only.id
        ),
        many => {
            let list = match (one, several) == WAITS {
                true => "stackgate list --waiting",
                false => "stackgate list",
            };
            format!(
                "{} other executions {several} for some of these targets; see them with `{list}`",
                many.len()
            )
        }
    };
    kinds.into_iter().map(line).collect()
}

/// Returns the execution if it is open for any of the targets.
///
/// One that cannot be read is left out and told of: what is open is only a remark.
fn open(
    journal: &Journal,
    execution: &ExecutionSummary,
    targets: &HashSet<&Target>,
) -> Option<Open> {
    // Nearly all have ended, which the last event says alone.
    let mut last = journal.events(&execution.id, execution.events.saturating_sub(1));
    let has_ended = |kind: &EventKind| matches!(kind, EventKind::ExecutionFinished { .. });
    if last.any(|event| event.is_ok_and(|event| has_ended(&event.kind))) {
        return None;
    }
    let mut view = unread::found(View::read(journal.events(&execution.id, 0)))?;
    let known = view.targets().into_iter().map(|known| known.target());
    let shared: Vec<&Target> = known.filter(|target| targets.contains(*target)).collect();
    let first = shared.first()?;
    let told = match shared.len() {
        1 => first.to_string(),
        count => format!("{first} and {} more of these targets", count - 1),
    };
    let is_alive = run::is_alive(journal, &execution.id).is_ok_and(|alive| alive == Some(true));
    // What was answered outside is not noted where the inbox cannot be read.
    let _ = answer::note(journal, &mut view);
    let does = does(&view, is_alive)?;
    Some(Open {
        id: execution.id.clone(),
        does,
        targets: told,
    })
}

/// Returns what an execution does that is open.
pub(super) fn does(view: &View, is_alive: bool) -> Option<Does> {
    Some(match (view.state(), is_alive) {
        (State::Ended(_), _) => return None,
        (State::WaitingForApproval, _) => WAITS,
        (State::Denied, _) => ("is denied and not removed", "are denied and not removed"),
        (
            State::Running
            | State::Answered(_)
            | State::Overdue
            | State::Stopping
            | State::GivingUp
            | State::Unknown,
            true,
        ) => ("is under way", "are under way"),
        (State::Answered(_), false) => (
            "has its answer, and nobody has taken it up,",
            "have their answers, and nobody has taken them up,",
        ),
        (State::Overdue, false) => (
            "waited too long for an answer, and is not cleaned up,",
            "waited too long for an answer, and are not cleaned up,",
        ),
        (State::GivingUp, false) => (
            "is being given up, and nobody goes on with it,",
            "are being given up, and nobody goes on with them,",
        ),
        (State::Paused, _) => ("is paused", "are paused"),
        (State::Running | State::Stopping | State::Unknown, false) => {
            ("was interrupted", "were interrupted")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_do_the_same_are_told_in_one_line() {
        let one = |number: u32, does| Open {
            id: format!("019a4c3e-0000-7000-8000-00000000000{number}")
                .parse()
                .unwrap(),
            does,
            targets: "111111111111/eu-west-1/app".to_owned(),
        };
        let paused = ("is paused", "are paused");
        let mut all = vec![one(1, WAITS), one(2, paused)];
        assert_eq!(
            lines(&all)[0],
            "another execution waits for an answer for 111111111111/eu-west-1/app; look at it with \
             `stackgate status 019a4c3e-0000-7000-8000-000000000001`"
        );
        all.extend((3..7).map(|number| one(number, WAITS)));
        let told = lines(&all);
        assert_eq!(
            told[0],
            "5 other executions wait for an answer for some of these targets; see them with `stackgate list --waiting`"
        );
        assert!(told[1].contains("another execution is paused"), "{told:?}");
        assert_eq!(told.len(), 2);
    }
}
