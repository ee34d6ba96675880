//! What later executions did to the targets of an earlier one and was not taken back, so that nobody who rolls the earlier
//! one back takes the fleet for what it was before.

use std::collections::{BTreeMap, BTreeSet};

use super::earlier::Earlier;
use super::{CliError, output};
use crate::journal::Journal;
use crate::model::{ExecutionId, Follows, Target, TargetOutcome};
use crate::report::View;

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

/// Says on standard error which later executions changed targets of `earlier`, and how to take that back, too.
pub(super) fn tell(journal: &Journal, earlier: &Earlier) -> Result<(), CliError> {
    let all = journal.executions()?.into_iter();
    let newer = all.take_while(|other| other.id != earlier.id);
    let mut later: Vec<Done> = newer
        .filter(|other| other.pipeline == earlier.view.pipeline())
        // It is a remark only: what cannot be read is passed over.
        .filter_map(|other| {
            Some(Done::of(
                &other.id,
                &View::of(&journal.events(&other.id, 0).ok()?),
            ))
        })
        .collect();
    later.reverse();
    let targets = earlier.view.targets();
    let targets: Vec<&Target> = targets.iter().map(|t| t.target()).collect();
    let first = Done::of(&earlier.id, &earlier.view);
    for line in lines(&first, &later, &targets) {
        output::stderr(&line);
    }
    Ok(())
}

/// Returns a line for each execution of `later`, which are in the order in which they began, whose changes still hold; the
/// newest first.
fn lines(first: &Done, later: &[Done], targets: &[&Target]) -> Vec<String> {
    let mut standing: BTreeMap<&ExecutionId, usize> = BTreeMap::new();
    for target in targets {
        let mut changes: Vec<&ExecutionId> = Vec::new();
        for done in std::iter::once(first).chain(later) {
            if !done.changed.contains(*target) {
                continue;
            }
            match (&done.follows, changes.last()) {
                (Some(Follows::RollsBack(back)), Some(last)) if back == *last => {
                    changes.pop();
                }
                (Some(Follows::RollsBack(_) | Follows::Retries(_)) | None, _) => {
                    changes.push(&done.id);
                }
            }
        }
        for id in changes {
            *standing.entry(id).or_default() += 1;
        }
    }
    let line = |done: &Done| {
        let count = match standing.get(&done.id)? {
            1 => "1 of its targets".to_owned(),
            many => format!("{many} of its targets"),
        };
        let what = match &done.follows {
            Some(Follows::Retries(id)) if *id == first.id => ", a retry of it,",
            Some(Follows::Retries(_)) => ", a retry,",
            Some(Follows::RollsBack(_)) => ", a rollback,",
            None => "",
        };
        Some(format!(
            "note: execution {}{what} is newer and changed {count}, which this leaves as they are; to take that back, too, roll \
             it back first: `stackgate rollback {}`\n",
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
                "note: execution #2, a retry of it, is newer and changed 1 of its targets, which this leaves as they are; to take \
                 that back, too, roll it back first: `stackgate rollback #2`\n"
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
            told[0].starts_with("note: execution #3 is newer and changed 1 of"),
            "{told:?}"
        );
        assert!(
            told[1].contains("#2 is newer and changed 2 of its targets"),
            "{told:?}"
        );
    }

    #[test]
    fn what_was_rolled_back_already_is_no_newer_change() {
        let back = done(2, Some(Follows::RollsBack(id(1))), &["eu-west-1"]);
        assert!(told(&[back]).is_empty());
    }

    #[test]
    fn executions_of_other_targets_are_not_told() {
        assert!(told(&[done(2, None, &["ap-southeast-2"])]).is_empty());
        assert!(told(&[]).is_empty());
    }
}
