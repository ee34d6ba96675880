//! What goes the other way than an execution: a rollback of what it retries, or a retry of what it rolls back. Their targets are
//! others, so neither makes the plan of the other stale, and together they leave a fleet of two versions.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::followers::{self, Follower};
use super::{CliError, others};
use crate::journal::Journal;
use crate::model::{ExecutionId, Follows, Target};
use crate::report::{Since, View, count, directed};

/// The execution that is looked at.
pub(super) struct Own<'a> {
    /// Its id, where it has begun.
    pub id: Option<&'a ExecutionId>,
    pub follows: &'a Follows,
    /// The targets that it runs.
    pub targets: &'a BTreeSet<&'a Target>,
    /// When it ended, where it has: what began later was not beside it.
    pub ended: Option<Timestamp>,
}

/// Returns what is done or was done to the targets that `own` does not run, against what it does; a sentence for each execution.
pub(super) fn notes(journal: &Journal, own: &Own<'_>) -> Result<Vec<String>, CliError> {
    let (Follows::Retries(earlier) | Follows::RollsBack(earlier)) = own.follows;
    let first = followers::first(journal, earlier)?;
    let root = View::read(journal.events(&first, 0))?;
    let all = followers::seen(journal, &root)?;
    Ok(lines(&root, &all, own, earlier))
}

fn lines(root: &View, all: &[Follower], own: &Own<'_>, earlier: &ExecutionId) -> Vec<String> {
    let views: Vec<&View> = all.iter().map(|(view, _)| view).collect();
    let directed = directed(root, &views);
    let is_forward = |id: &ExecutionId| {
        let known = directed
            .iter()
            .find(|(view, _)| view.execution() == Some(id));
        known.is_none_or(|(_, is_forward)| *is_forward)
    };
    let own_direction = match own.follows {
        Follows::Retries(earlier) => is_forward(earlier),
        Follows::RollsBack(earlier) => !is_forward(earlier),
    };
    let since = followers::since(root, all);
    let mut stands: BTreeMap<&ExecutionId, usize> = BTreeMap::new();
    for (target, now) in &since {
        let (by, direction) = match now {
            Since::Done(by) => (by, true),
            Since::Back(by) => (by, false),
        };
        if direction != own_direction && !own.targets.contains(target) {
            *stands.entry(by).or_default() += 1;
        }
    }
    let mut told = Vec::new();
    for (view, alive) in all {
        let Some(id) = view.execution() else { continue };
        let is_later = || own.ended.is_some_and(|at| view.started() > Some(at));
        if Some(id) == own.id || id == earlier || is_forward(id) == own_direction || is_later() {
            continue;
        }
        let what = match view.follows() {
            Some(Follows::RollsBack(earlier)) => format!("a rollback of {earlier},"),
            Some(Follows::Retries(earlier)) => format!("a retry of {earlier},"),
            None => continue,
        };
        let open = match view.outcome() {
            None => others::does(view, *alive == Some(true)),
            Some(_) => None,
        };
        let theirs = view.targets().into_iter();
        let theirs = theirs
            .filter(|target| !own.targets.contains(target.target()))
            .count();
        if let Some((does, _)) = open {
            if theirs > 0 {
                told.push(open_line(id, &what, does, theirs));
            }
        // How a rollback takes back what was done is told of each target that it runs.
        } else if let (Some(some), Follows::Retries(_)) = (stands.get(id), own.follows) {
            told.push(done_line(id, &what, own_direction, *some));
        }
    }
    told
}

fn open_line(id: &ExecutionId, what: &str, does: &str, targets: usize) -> String {
    format!(
        "execution {id}, {what} {does} for {} beside those that are run here: together they leave two versions in place; look at it \
         with `stackgate status {id}`",
        count(targets, "target")
    )
}

fn done_line(id: &ExecutionId, what: &str, is_forward: bool, targets: usize) -> String {
    let (did, brings) = match is_forward {
        true => ("gave back", "what is newer"),
        false => ("deployed again", "what was there before"),
    };
    format!(
        "execution {id}, {what} {did} {} beside those that are run here: this brings {brings} to the others only",
        count(targets, "target")
    )
}
