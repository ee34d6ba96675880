//! The executions that go on from another one: what somebody retried or rolled back by hand.

use std::collections::{BTreeMap, BTreeSet};

use super::{CliError, answer, rollback, run, unread};
use crate::journal::{Journal, JournalError};
use crate::model::{EventKind, ExecutionId, Follows, Target};
use crate::report::{self, Direction, Followed, Since, View};

/// An execution, and whether a process works on it.
pub(super) type Follower = (View, Option<bool>);

/// Notes in `view` what became of the execution afterwards: how far the rollback is that follows it by itself, and what somebody
/// went on with by hand.
pub(super) fn note(journal: &Journal, view: &mut View) -> Result<(), CliError> {
    let by_itself = match rollback::note(journal, view) {
        Ok(by_itself) => by_itself,
        // Who only looks is told; what acts on it ends there.
        Err(error) => match error.unread_execution() {
            Some(unread) => {
                unread::tell(unread);
                Vec::new()
            }
            None => return Err(error),
        },
    };
    if view.outcome().is_none() {
        return Ok(());
    }
    let ids = ids(journal, view, told)?;
    if ids.iter().any(|id| !by_itself.contains(id)) {
        let followers = readable(journal, ids)?;
        view.note_followed(Followed::of(view, &followers));
    }
    Ok(())
}

/// Returns the executions that go on from the one in `view`, or from one that does, in the order in which they began. A retry is
/// retried with what it retries: who runs that again runs again what the retry left open.
///
/// Fails where one of them cannot be read: whoever acts must know what it did, or is doing.
pub(super) fn of(journal: &Journal, view: &View) -> Result<Vec<Follower>, CliError> {
    let ids = ids(journal, view, follows)?;
    ids.iter().map(|id| read(journal, id)).collect()
}

/// The same for who only looks: those that cannot be read are told of and left out.
pub(super) fn seen(journal: &Journal, view: &View) -> Result<Vec<Follower>, CliError> {
    readable(journal, ids(journal, view, told)?)
}

fn ids(
    journal: &Journal,
    view: &View,
    follows: impl Fn(&Journal, &ExecutionId) -> Result<Option<Follows>, JournalError>,
) -> Result<Vec<ExecutionId>, CliError> {
    let Some(id) = view.execution() else {
        return Ok(Vec::new());
    };
    let mut line = BTreeSet::from([id.clone()]);
    let mut earlier = view.follows().cloned();
    while let Some(Follows::Retries(retried)) = earlier {
        earlier = follows(journal, &retried)?;
        if !line.insert(retried) {
            break;
        }
    }
    let names = names(view);
    let all = journal.executions()?.into_iter();
    let mut newer: Vec<_> = all.take_while(|one| one.id != *id).collect();
    newer.reverse();
    let mut found = Vec::new();
    for other in newer {
        let follows = match follows(journal, &other.id) {
            // Whatever it is, its pipeline is none of those that go on from this one.
            Err(error)
                if error.is_of_one_execution() && !names.contains(other.pipeline.as_str()) =>
            {
                None
            }
            follows => follows?,
        };
        let is_follower = follows.is_some_and(|follows| match follows {
            Follows::Retries(earlier) | Follows::RollsBack(earlier) => line.contains(&earlier),
        });
        if is_follower {
            line.insert(other.id.clone());
            found.push(other.id);
        }
    }
    Ok(found)
}

/// Returns what the pipelines of the executions are called that go on from the one in `view`: as its own or, where they delete the
/// stacks that it made, as one of those.
fn names(view: &View) -> BTreeSet<&str> {
    let definition = view.definition().into_iter();
    let specs = definition.flat_map(|definition| definition.target_specs());
    let stacks = specs.map(|spec| spec.target.stack.as_str());
    stacks.chain([view.pipeline()]).collect()
}

fn readable(journal: &Journal, ids: Vec<ExecutionId>) -> Result<Vec<Follower>, CliError> {
    let follower = |id| match read(journal, &id) {
        Err(error) => match error.unread_execution() {
            Some(unread) => {
                unread::tell(unread);
                Ok(None)
            }
            None => Err(error),
        },
        Ok(follower) => Ok(Some(follower)),
    };
    ids.into_iter()
        .filter_map(|id| follower(id).transpose())
        .collect()
}

fn read(journal: &Journal, id: &ExecutionId) -> Result<Follower, CliError> {
    let mut view = View::read(journal.events(id, 0))?;
    answer::note(journal, &mut view)?;
    Ok((view, run::is_alive(journal, id)?))
}

/// Returns those of `followers`, which are in the order in which they began, that go on from the execution in `view` itself, or
/// from one that does.
pub(super) fn own<'a>(view: &View, followers: &'a [Follower]) -> Vec<&'a View> {
    let mut line: BTreeSet<&ExecutionId> = BTreeSet::new();
    let mut own = Vec::new();
    for (follower, _) in followers {
        let (Some(Follows::Retries(earlier) | Follows::RollsBack(earlier)), Some(id)) =
            (follower.follows(), follower.execution())
        else {
            continue;
        };
        if Some(earlier) == view.execution() || line.contains(earlier) {
            line.insert(id);
            own.push(follower);
        }
    }
    own
}

/// Returns what became of the targets of the execution in `view`.
pub(super) fn since<'a>(view: &View, followers: &'a [Follower]) -> BTreeMap<&'a Target, Since<'a>> {
    let views: Vec<&View> = followers.iter().map(|(follower, _)| follower).collect();
    report::since(view, &views)
}

/// Returns the execution that a retry of `id` takes back, where that is a rollback.
pub(super) fn taken_back(
    journal: &Journal,
    id: &ExecutionId,
) -> Result<Option<ExecutionId>, JournalError> {
    let mut id = id.clone();
    // What is retried is older than its retry: the walk ends.
    for _ in 0..LONGEST {
        match follows(journal, &id)? {
            Some(Follows::RollsBack(earlier)) => return Ok(Some(earlier)),
            Some(Follows::Retries(earlier)) => id = earlier,
            None => break,
        }
    }
    Ok(None)
}

/// Returns which way an execution goes that goes on from others as `follows` says.
pub(super) fn direction(journal: &Journal, follows: &Follows) -> Direction {
    let mut rollbacks = 0;
    let mut next = Some(follows.clone());
    for _ in 0..LONGEST {
        let earlier = match next {
            Some(Follows::RollsBack(earlier)) => {
                rollbacks += 1;
                earlier
            }
            Some(Follows::Retries(earlier)) => earlier,
            None => break,
        };
        // What cannot be read is taken for a deployment.
        next = told(journal, &earlier).ok().flatten();
    }
    match (rollbacks, rollbacks % 2) {
        (0, _) => Direction::Forward,
        (_, 0) => Direction::Again,
        (_, _) => Direction::Back,
    }
}

/// How many executions that go on from each other are looked at, against a journal in which they go round in a circle.
const LONGEST: usize = 1_000;

/// Returns the first execution of those which go on from each other, of which `id` is one.
pub(super) fn first(journal: &Journal, id: &ExecutionId) -> Result<ExecutionId, CliError> {
    let mut first = id.clone();
    for _ in 0..LONGEST {
        match told(journal, &first)? {
            Some(Follows::Retries(earlier) | Follows::RollsBack(earlier)) => first = earlier,
            None => break,
        }
    }
    Ok(first)
}

/// Returns what an execution goes on from.
pub(super) fn follows(
    journal: &Journal,
    id: &ExecutionId,
) -> Result<Option<Follows>, JournalError> {
    Ok(journal.first_event(id)?.and_then(|event| match event.kind {
        EventKind::ExecutionStarted { definition } => definition.invocation.follows.clone(),
        _ => None,
    }))
}

/// The same; nothing of one that cannot be read, which does not hide the others and is told of.
fn told(journal: &Journal, id: &ExecutionId) -> Result<Option<Follows>, JournalError> {
    match follows(journal, id) {
        Err(error) if error.is_of_one_execution() => {
            unread::tell(&error);
            Ok(None)
        }
        follows => follows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Durability, samples};

    #[test]
    fn a_rollback_of_a_rollback_goes_forward_again() {
        let (_folder, journal) = samples::journal();
        let begin = |number: u32, follows: Option<Follows>| {
            let id = samples::id(number);
            let mut kind = samples::started();
            if let EventKind::ExecutionStarted { definition } = &mut kind {
                std::sync::Arc::make_mut(definition).invocation.follows = follows;
            }
            let event = samples::event(&id, 1, kind);
            let lease = journal.acquire(&id, "host 1", samples::now(), |_| false);
            journal
                .append(&lease.unwrap(), 0, &[event], &[], Durability::Intent)
                .unwrap();
        };
        let back = |number| Follows::RollsBack(samples::id(number));
        let retry = |number| Follows::Retries(samples::id(number));
        begin(1, None);
        begin(2, Some(back(1)));
        begin(3, Some(retry(2)));
        begin(4, Some(back(3)));
        for (follows, expected) in [
            (retry(1), Direction::Forward),
            (back(1), Direction::Back),
            (retry(2), Direction::Back),
            (back(2), Direction::Again),
            (back(3), Direction::Again),
            (retry(4), Direction::Again),
            (back(4), Direction::Back),
        ] {
            assert_eq!(direction(&journal, &follows), expected, "{follows:?}");
        }
        // Of one that is not on record, it is taken that it deployed.
        assert_eq!(direction(&journal, &back(9)), Direction::Back);
    }

    #[test]
    fn a_damaged_follower_hides_no_other() {
        let (_folder, journal) = samples::journal();
        samples::begun(&journal, &samples::id(1));
        for number in 2..=4 {
            let id = samples::id(number);
            let lease = journal.acquire(&id, "host 1", samples::now(), |_| false);
            let EventKind::ExecutionStarted { definition } = samples::started() else {
                panic!("an execution begins with that");
            };
            let mut definition = (*definition).clone();
            definition.invocation.follows = Some(Follows::Retries(samples::id(1)));
            let kind = EventKind::ExecutionStarted {
                definition: definition.into(),
            };
            let begun = [samples::event(&id, 1, kind)];
            let lease = lease.unwrap();
            journal
                .append(&lease, 0, &begun, &[], Durability::Intent)
                .unwrap();
        }
        samples::write_raw(&journal, 3, 2, "garbage");
        let view = View::read(journal.events(&samples::id(1), 0)).unwrap();
        // Who acts must know what each did.
        assert!(of(&journal, &view).is_err());
        let found = seen(&journal, &view).map_err(|e| e.told()).unwrap();
        let ids: Vec<_> = found.iter().filter_map(|(f, _)| f.execution()).collect();
        assert_eq!(ids, [&samples::id(2), &samples::id(4)]);
        // One that began with garbage may be anything, and is passed over, too.
        let lease = journal.acquire(&samples::id(5), "host 1", samples::now(), |_| false);
        lease.unwrap();
        samples::write_raw(&journal, 5, 1, "garbage");
        assert_eq!(
            seen(&journal, &view).map_err(|e| e.told()).unwrap().len(),
            2
        );
        assert!(taken_back(&journal, &samples::id(5)).is_err());
    }

    #[test]
    fn what_cannot_be_read_hinders_only_its_own_line() {
        let (_folder, journal) = samples::journal();
        samples::begun(&journal, &samples::id(1));
        let view = View::read(journal.events(&samples::id(1), 0)).unwrap();
        let stack = view.targets()[0].target().stack.to_string();
        samples::begun_raw(&journal, 2, "another", "garbage");
        assert!(
            of(&journal, &view)
                .map_err(|e| e.told())
                .unwrap()
                .is_empty()
        );
        // A retry or a rollback is called as the execution, and the deletion of what it made as the stack.
        for (number, name) in [(3, view.pipeline()), (4, &stack)] {
            let (_folder, journal) = samples::journal();
            samples::begun(&journal, &samples::id(1));
            samples::begun_raw(&journal, number, name, "garbage");
            assert!(of(&journal, &view).is_err(), "{name}");
        }
    }
}
