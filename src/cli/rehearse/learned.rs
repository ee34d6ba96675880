//! What earlier executions tell about stacks: how long operations on them take, and whether they stand.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::cli::{CliError, unread};
use crate::journal::Journal;
use crate::model::{
    ChangeSetKind, Event, EventKind, ExecutionDefinition, Region, StackName, Target, TargetOutcome,
};
use crate::report::Durations;
use crate::simulator::{Ends, Scenario};

/// How many executions are looked at: what was long ago says little.
const LATEST: usize = 20;

/// What earlier executions tell.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// Whether the plan deletes stacks, which takes other times than making them.
    deletes: bool,
    /// How many executions told a duration.
    executions: usize,
    of_target: HashMap<Target, Ends>,
    of_region: HashMap<(StackName, Region), Ends>,
    of_stack: HashMap<StackName, Ends>,
    /// Which stacks stand or are gone; nothing where nothing is known.
    stands: HashMap<Target, bool>,
    /// How long the operations of the plan take by all this.
    expected: HashMap<Target, Ends>,
}

/// An operation that was begun.
struct Begun {
    at: Timestamp,
    deletes: bool,
    /// The newest event of the stack since.
    last: Option<Timestamp>,
}

impl Learned {
    /// Returns what the journal tells about the stacks of a plan.
    pub(super) fn of(
        journal: Option<&Journal>,
        definition: &ExecutionDefinition,
        targets: &[Target],
    ) -> Result<Self, CliError> {
        let mut learned = Self {
            deletes: deletes(definition),
            ..Self::default()
        };
        let Some(journal) = journal else {
            return Ok(learned);
        };
        let executions = journal.executions()?.into_iter();
        let same = executions.filter(|one| one.pipeline == definition.pipeline.name);
        for execution in same.take(LATEST) {
            match learned.take(journal.events(&execution.id, 0)) {
                Ok(()) => {}
                // One execution of a newer program, or a damaged one, does not hide what the others tell.
                Err(error) if error.is_of_one_execution() => unread::tell(&error),
                Err(error) => return Err(error.into()),
            }
        }
        learned.expect(targets);
        Ok(learned)
    }

    /// Takes an execution in, or nothing of one that cannot be read whole; the newest comes first.
    fn take<E>(&mut self, events: impl IntoIterator<Item = Result<Event, E>>) -> Result<(), E> {
        let mut begun: HashMap<Target, Begun> = HashMap::new();
        let mut stands: HashMap<Target, bool> = HashMap::new();
        let mut ended = Vec::new();
        for event in events {
            let event = event?;
            let Some(target) = event.scope.target else {
                continue;
            };
            if let EventKind::ExecuteIntended { deletes, .. } = &event.kind {
                let begins = Begun {
                    at: event.at,
                    deletes: *deletes,
                    last: None,
                };
                begun.insert(target, begins);
            } else if let EventKind::ExecuteAccepted = &event.kind {
                if let Some(begun) = begun.get_mut(&target) {
                    begun.at = event.at;
                }
            } else if let EventKind::Observed { events } = &event.kind {
                if let Some(begun) = begun.get_mut(&target) {
                    let newest = events.iter().map(|observed| observed.at).max();
                    begun.last = begun.last.max(newest);
                }
            } else if is_well(&event.kind) {
                // What is set on a settled stack afterwards is no part of the operation.
                if let Some(begun) = begun.remove(&target) {
                    stands.insert(target.clone(), !begun.deletes);
                    ended.push((target, begun, event.at));
                }
            } else if updates(&event.kind) {
                stands.insert(target, true);
            }
        }
        let mut told = false;
        for (target, begun, at) in ended {
            told |= self.ended(&target, &begun, at);
        }
        self.executions += usize::from(told);
        for (target, stands) in stands {
            self.stands.entry(target).or_insert(stands);
        }
        Ok(())
    }

    /// Takes in how long an operation took; returns whether it is one of those that are planned.
    fn ended(&mut self, target: &Target, begun: &Begun, noticed: Timestamp) -> bool {
        // Where nobody was looking, as between `stop` and `resume`, the stack's own events know better.
        let ended = begun.last.filter(|at| *at > begun.at).unwrap_or(noticed);
        let Ok(took) = Duration::try_from(ended.min(noticed).duration_since(begun.at)) else {
            return false;
        };
        if begun.deletes != self.deletes {
            return false;
        }
        let stack = &target.stack;
        let region = (stack.clone(), target.region.clone());
        widen(
            self.of_target
                .entry(target.clone())
                .or_insert(Ends(took, took)),
            took,
        );
        widen(
            self.of_region.entry(region).or_insert(Ends(took, took)),
            took,
        );
        widen(
            self.of_stack
                .entry(stack.clone())
                .or_insert(Ends(took, took)),
            took,
        );
        true
    }

    /// Works out how long each operation of the plan takes: as the same stack took, else as in its region, else as
    /// anywhere.
    fn expect(&mut self, targets: &[Target]) {
        for target in targets {
            let region = (target.stack.clone(), target.region.clone());
            let ends = self.of_target.get(target);
            let ends = ends.or_else(|| self.of_region.get(&region));
            let ends = ends.or_else(|| self.of_stack.get(&target.stack));
            if let Some(ends) = ends {
                self.expected.insert(target.clone(), *ends);
            }
        }
    }

    /// Returns how long operations take.
    pub(super) fn expected(&self) -> impl Iterator<Item = (Target, Ends)> + '_ {
        let all = self.expected.iter();
        all.map(|(target, ends)| (target.clone(), *ends))
    }

    /// Returns whether operations took now longer, now shorter.
    pub(super) fn is_by_chance(&self) -> bool {
        self.expected.values().any(|Ends(least, most)| least < most)
    }

    /// Returns whether a stack is taken to stand: one that is to be deleted does, unless it is known to be gone.
    pub(super) fn stands(&self, target: &Target) -> bool {
        let known = self.stands.get(target).copied();
        known.unwrap_or(self.deletes)
    }

    /// Returns how many of the stacks are taken to stand.
    pub(super) fn standing(&self, targets: &[Target]) -> usize {
        targets.iter().filter(|target| self.stands(target)).count()
    }

    /// Returns where the durations of a rehearsal come from.
    pub(super) fn durations(&self, scenario: &Scenario, targets: &[Target]) -> Durations {
        let mut open = targets
            .iter()
            .filter(|target| !scenario.has_duration(target))
            .peekable();
        if open.peek().is_none() {
            return Durations::Given;
        }
        let known = open.filter_map(|target| self.expected.get(target).copied());
        match known.reduce(|a, b| Ends(a.0.min(b.0), a.1.max(b.1))) {
            None => Durations::Assumed,
            Some(Ends(shortest, longest)) => Durations::Journal {
                executions: self.executions,
                shortest_seconds: shortest.as_secs(),
                longest_seconds: longest.as_secs(),
            },
        }
    }
}

/// Returns whether an operation on a stack ended well.
fn is_well(kind: &EventKind) -> bool {
    let EventKind::TargetFinished { outcome, .. } = kind else {
        return matches!(kind, EventKind::StackSettled { .. });
    };
    matches!(outcome, TargetOutcome::Succeeded { .. })
}

/// Returns whether it is about to be said how a stack that stands would change.
fn updates(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::ChangeSetIntended {
            kind: ChangeSetKind::Update,
            ..
        }
    )
}

fn widen(ends: &mut Ends, took: Duration) {
    *ends = Ends(ends.0.min(took), ends.1.max(took));
}

/// Returns whether a plan deletes stacks.
fn deletes(definition: &ExecutionDefinition) -> bool {
    let actions = definition.pipeline.actions();
    let mut modes = actions.filter_map(|action| action.configuration.get("ActionMode"));
    modes.any(|mode| mode == "DELETE_ONLY")
}

#[cfg(test)]
mod tests;
