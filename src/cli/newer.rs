//! What other executions did to the targets of one, so that nobody who approves it takes the fleet for what it was before.

use std::collections::{BTreeMap, BTreeSet};

use super::{followers, unread};
use crate::journal::{ExecutionSummary, Journal};
use crate::model::{ExecutionId, Follows, Target, TargetOutcome};
use crate::report::{View, count};

/// An execution, and the targets that it changed.
struct Done {
    id: ExecutionId,
    follows: Option<Follows>,
    changed: BTreeSet<Target>,
}

impl Done {
    fn of(id: &ExecutionId, view: &View) -> Self {
        let is_done = |outcome| matches!(outcome, Some(&TargetOutcome::Succeeded { .. }));
        let targets = view.targets().into_iter();
        let changed = targets.filter(|target| is_done(target.outcome()) || target.is_changed());
        Self {
            id: id.clone(),
            follows: view.follows().cloned(),
            changed: changed.map(|target| target.target().clone()).collect(),
        }
    }
}

/// Returns which executions that began after `earlier` changed targets of it, and how to take that back, too.
///
/// `own`: the execution that rolls it back, where that has begun.
pub(super) fn of_rollback(
    journal: &Journal,
    (id, earlier): (&ExecutionId, &View),
    own: Option<&ExecutionId>,
) -> Vec<String> {
    let others = after(journal, id).into_iter();
    let others = others.filter(|other| other.pipeline == earlier.pipeline());
    let others = others.filter(|other| Some(&other.id) != own);
    let mut later: Vec<Done> = others
        .filter_map(|other| Some(Done::of(&other.id, &view(journal, &other.id)?)))
        .collect();
    later.reverse();
    let targets = earlier.targets();
    let targets: Vec<&Target> = targets.iter().map(|t| t.target()).collect();
    lines(&Done::of(id, earlier), &later, &targets)
}

/// Returns which executions that began after `earlier`, and before `own` retried it, changed some of the targets.
pub(super) fn of_retry(
    journal: &Journal,
    (id, pipeline): (&ExecutionId, &str),
    own: Option<&ExecutionId>,
    targets: &BTreeSet<&Target>,
) -> Vec<String> {
    let mut others = after(journal, id);
    if let Some(at) = others.iter().position(|other| Some(&other.id) == own) {
        others.drain(..=at);
    }
    let others = others
        .into_iter()
        .filter(|other| other.pipeline == pipeline);
    let is_rollback = followers::taken_back(journal, id).ok().flatten();
    let what = match &is_rollback {
        Some(earlier) => format!(
            "what is retried here is a rollback, which takes that back; `stackgate rollback {earlier}` leaves such targets as they \
             are, unless `--include-changed` is given"
        ),
        None => "what is retried here is older".to_owned(),
    };
    let told = others.filter_map(|other| {
        let done = Done::of(&other.id, &view(journal, &other.id)?);
        let shared = done.changed.iter().filter(|one| targets.contains(one));
        match shared.count() {
            0 => None,
            some => Some(format!(
                "execution {} is newer and changed {} of these: {what}",
                other.id,
                count(some, "target")
            )),
        }
    });
    told.collect()
}

/// Returns which executions changed targets of `own` after its plan was made, which is not executed in them any more.
pub(super) fn of_plan(journal: &Journal, id: &ExecutionId, own: &View) -> Vec<String> {
    let Some(planned) = own.planned_at() else {
        return Vec::new();
    };
    let executions = journal.executions().unwrap_or_default().into_iter();
    let others = executions.filter(|other| other.id != *id && other.last_event > planned);
    let told = others.filter_map(|other| {
        let view = view(journal, &other.id)?;
        let changed = view.targets().into_iter().filter(|target| {
            let is_done = matches!(target.outcome(), Some(TargetOutcome::Succeeded { .. }));
            let waits = || own.target(target.target()).is_some_and(|t| t.outcome().is_none());
            is_done && target.ended_at().is_some_and(|at| at > planned) && waits()
        });
        match changed.count() {
            0 => None,
            some => Some(format!(
                "execution {} changed {} of this plan after it was made: there it is stale and not executed; plan again to \
                 see what is left to change",
                other.id,
                count(some, "target")
            )),
        }
    });
    told.collect()
}

/// Returns which executions that began after `earlier` did what happened last to the targets of `own`, as far as that was one
/// of them.
pub(super) fn last(
    journal: &Journal,
    earlier: &ExecutionId,
    id: &ExecutionId,
    own: &View,
) -> BTreeMap<Target, ExecutionId> {
    let planned = own.targets().into_iter();
    let newest: BTreeMap<&Target, String> = planned
        .filter_map(|target| Some((target.target(), target.base()?.newest_event.clone()?)))
        .collect();
    let mut found = BTreeMap::new();
    let others = after(journal, earlier).into_iter();
    for other in others.filter(|other| other.id != *id) {
        let Some(view) = view(journal, &other.id) else {
            continue;
        };
        for target in view.targets() {
            let last = target.newest_event().map(|event| &event.id);
            if last.is_some() && last == newest.get(target.target()) {
                found.insert(target.target().clone(), other.id.clone());
            }
        }
    }
    found
}

/// Returns the executions that began after `id`, newest first.
fn after(journal: &Journal, id: &ExecutionId) -> Vec<ExecutionSummary> {
    let all = journal.executions().unwrap_or_default().into_iter();
    all.take_while(|other| other.id != *id).collect()
}

/// Returns an execution; none where it cannot be read, which is told of: all that is told here is a remark.
fn view(journal: &Journal, id: &ExecutionId) -> Option<View> {
    unread::found(View::read(journal.events(id, 0)))
}

/// Returns a line for each execution of `later`, which are in the order in which they began, whose changes still hold; the
/// newest first.
fn lines(first: &Done, later: &[Done], targets: &[&Target]) -> Vec<String> {
    let mut standing: BTreeMap<&ExecutionId, usize> = BTreeMap::new();
    for target in targets {
        let mut changes: Vec<&ExecutionId> = Vec::new();
        // What each rollback took away, and how many changes were left under it: who rolls that back brings it back.
        let mut taken: BTreeMap<&ExecutionId, (&ExecutionId, usize)> = BTreeMap::new();
        let mut brought: BTreeMap<&ExecutionId, &ExecutionId> = BTreeMap::new();
        for done in std::iter::once(first).chain(later) {
            if !done.changed.contains(*target) {
                continue;
            }
            let back = match &done.follows {
                Some(Follows::RollsBack(back)) => Some(*brought.get(back).unwrap_or(&back)),
                Some(Follows::Retries(_)) | None => None,
            };
            let again = back.and_then(|back| taken.get(back));
            match (back, again, changes.last()) {
                (_, Some((change, under)), _) if *under == changes.len() => {
                    changes.push(change);
                    brought.insert(&done.id, change);
                }
                (Some(back), _, Some(last)) if back == *last => {
                    changes.pop();
                    taken.insert(&done.id, (back, changes.len()));
                }
                (Some(_) | None, _, _) => changes.push(&done.id),
            }
        }
        for id in changes {
            *standing.entry(id).or_default() += 1;
        }
    }
    let line = |done: &Done| {
        let count = match standing.get(&done.id)? {
            1 => format!("1 of the targets of {}", first.id),
            many => format!("{many} of the targets of {}", first.id),
        };
        let what = match &done.follows {
            Some(Follows::Retries(id)) if *id == first.id => ", a retry of that one,",
            Some(Follows::Retries(_)) => ", a retry,",
            Some(Follows::RollsBack(_)) => ", a rollback,",
            None => "",
        };
        Some(format!(
            "execution {}{what} is newer and changed {count}, which this leaves as they are; to take that back, too, roll it \
             back first: `stackgate rollback {}`",
            done.id, done.id
        ))
    };
    later.iter().rev().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> ExecutionId {
        let text = format!("019a4c3e-0000-7000-8000-00000000000{number}");
        text.parse().unwrap()
    }

    fn target(region: &str) -> Target {
        Target {
            account: "111111111111".parse().unwrap(),
            region: region.parse().unwrap(),
            stack: "app".parse().unwrap(),
        }
    }

    fn done(number: u32, follows: Option<Follows>, regions: &[&str]) -> Done {
        let changed = regions.iter().map(|region| target(region)).collect();
        let id = id(number);
        Done {
            id,
            follows,
            changed,
        }
    }

    fn told(later: &[Done]) -> Vec<String> {
        let all = ["eu-west-1", "us-east-1"].map(target);
        let first = done(1, None, &["eu-west-1"]);
        let lines = lines(&first, later, &all.iter().collect::<Vec<_>>());
        let short = |line: String| line.replace("019a4c3e-0000-7000-8000-00000000000", "#");
        lines.into_iter().map(short).collect()
    }

    #[test]
    fn a_retry_that_nobody_rolled_back_is_told() {
        let retry = || done(2, Some(Follows::Retries(id(1))), &["us-east-1"]);
        assert_eq!(
            told(&[retry()]),
            [
                "execution #2, a retry of that one, is newer and changed 1 of the targets of #1, which this leaves as they are; to \
                 take that back, too, roll it back first: `stackgate rollback #2`"
            ]
        );
        let back = done(3, Some(Follows::RollsBack(id(2))), &["us-east-1"]);
        assert!(told(&[retry(), back]).is_empty());
        let elsewhere = done(3, Some(Follows::RollsBack(id(2))), &["eu-west-1"]);
        assert_eq!(told(&[retry(), elsewhere]).len(), 2, "it took nothing back");
    }

    #[test]
    fn the_newest_is_to_be_rolled_back_first() {
        let both = ["eu-west-1", "us-east-1"];
        let told = told(&[done(2, None, &both), done(3, None, &both[..1])]);
        assert_eq!(told.len(), 2);
        assert!(
            told[0].starts_with("execution #3 is newer and changed 1 of"),
            "{told:?}"
        );
        assert!(
            told[1].contains("#2 is newer and changed 2 of the targets of #1"),
            "{told:?}"
        );
    }

    #[test]
    fn what_was_rolled_back_already_is_no_newer_change() {
        let back = done(2, Some(Follows::RollsBack(id(1))), &["eu-west-1"]);
        assert!(told(&[back]).is_empty());
    }

    #[test]
    fn what_brings_a_change_back_is_no_newer_change() {
        let all = ["eu-west-1"];
        let rolls_back = |number, of| done(number, Some(Follows::RollsBack(id(of))), &all);
        let mut later = vec![rolls_back(2, 1), rolls_back(3, 2)];
        assert!(told(&later).is_empty(), "it is in force again");
        later.push(rolls_back(4, 3));
        assert!(told(&later).is_empty(), "and taken back again");
        later.push(rolls_back(5, 4));
        assert!(told(&later).is_empty(), "and so on");
        // What came in between is what is brought back then.
        let later = [rolls_back(2, 1), done(3, None, &all), rolls_back(4, 2)];
        assert_eq!(told(&later).len(), 2);
    }

    #[test]
    fn executions_of_other_targets_are_not_told() {
        assert!(told(&[done(2, None, &["ap-southeast-2"])]).is_empty());
        assert!(told(&[]).is_empty());
    }
}
