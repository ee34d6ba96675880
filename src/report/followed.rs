//! What became of an execution afterwards: retries and rollbacks that somebody began by hand.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{ExecutionId, ExecutionOutcome, Follows, Target, TargetOutcome};

use super::next::{next, stuck};
use super::rolled_back::gave_back;
use super::screen::Tone;
use super::status::is_busy;
use super::versions::Tally;
use super::words::{self, count};
use super::{TargetView, View, advice, recover};

/// An execution that goes on from another one, or from one that does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Follower {
    /// The execution.
    pub execution: ExecutionId,
    /// What it goes on from.
    pub follows: Follows,
    /// What it is doing.
    pub state: &'static str,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<ExecutionOutcome>,
    /// How many of the targets it has.
    pub targets: usize,
    /// How many of them it is done with.
    pub done: usize,
    #[serde(skip)]
    word: (&'static str, Tone),
    /// Whether it does what the first execution did, and does not take it back.
    #[serde(skip)]
    is_forward: bool,
}

impl Follower {
    /// Returns what it did to `of` in words, and how good that is.
    fn told(&self, of: Option<&ExecutionId>) -> (String, Tone) {
        let (did, noun, earlier) = match &self.follows {
            Follows::Retries(earlier) => ("retried", "a retry", earlier),
            // What was taken back is there again.
            Follows::RollsBack(earlier) if self.is_forward => ("taken back", "a rollback", earlier),
            Follows::RollsBack(earlier) => ("rolled back", "a rollback", earlier),
        };
        let (word, tone) = self.word;
        let all = count(self.targets, "target");
        let done = match self.done == self.targets {
            true => all,
            false => format!("{} of {all} done", self.done),
        };
        let id = &self.execution;
        let is_own = Some(earlier) == of;
        // What has done nothing yet, or never will, did not roll back or retry anything.
        let has_acted = match self.outcome {
            None | Some(ExecutionOutcome::Rejected | ExecutionOutcome::Expired) => false,
            Some(
                ExecutionOutcome::Succeeded
                | ExecutionOutcome::NothingToDo
                | ExecutionOutcome::SucceededWithFailures
                | ExecutionOutcome::Failed
                | ExecutionOutcome::Stopped,
            ) => true,
        };
        let text = if has_acted {
            let subject = match is_own {
                true => String::new(),
                false => format!("execution {earlier} "),
            };
            format!("{subject}{did} by {id}: {word}, {done}")
        } else {
            let noun = match is_own {
                true => noun.to_owned(),
                false => format!("{noun} of execution {earlier}"),
            };
            match self.state {
                "waiting_for_approval" => {
                    format!("{noun} by {id} waits for approval, {done}")
                }
                _ => format!("{noun} by {id}: {word}, {done}"),
            }
        };
        (text, tone)
    }
}

/// What became of an execution afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// What went on from it, in the order in which it began.
    pub executions: Vec<Follower>,
    of: Option<ExecutionId>,
    /// How it goes on from here.
    pub(super) next: Vec<String>,
    /// Whether everything that it had changed went back.
    pub(super) is_back: bool,
    /// How many targets have what, once nothing that went on from it is open.
    pub(super) tally: Option<Tally>,
}

impl Followed {
    /// Returns what became of the execution in `view`. `followers` go on from it, in the order in which they began, each with
    /// whether a process works on it.
    pub fn of(view: &View, followers: &[(View, Option<bool>)]) -> Option<Self> {
        let followers: Vec<&(View, Option<bool>)> = followers
            .iter()
            .filter(|(follower, _)| shared(view, follower).next().is_some())
            .collect();
        let views: Vec<&View> = followers.iter().map(|(follower, _)| follower).collect();
        let counting = directed(view, &views);
        let direction = |follower: &View| {
            let found = counting.iter().find(|(f, _)| std::ptr::eq(*f, follower));
            found.map(|(_, is_forward)| *is_forward)
        };
        let executions: Vec<Follower> = followers
            .iter()
            .filter_map(|(follower, alive)| {
                follower_of(view, follower, *alive, direction(follower)?)
            })
            .collect();
        if executions.is_empty() {
            return None;
        }
        let open: Vec<_> = followers
            .iter()
            .filter(|(follower, _)| follower.outcome().is_none())
            .collect();
        // What was begun is seen to its end before anything else, also where something newer has ended: two that work on the
        // same targets make each other's plans stale.
        let tally = open
            .is_empty()
            .then(|| Tally::after(view, &since(view, &views)));
        let (next, is_back) = match open.is_empty() {
            true => after(view, &views),
            false => {
                let next = open.iter().map(|(open, alive)| commands(open, *alive));
                (next.flatten().collect(), false)
            }
        };
        Some(Self {
            executions,
            of: view.execution().cloned(),
            next,
            is_back,
            tally,
        })
    }

    /// Returns the same in words, a line for each.
    pub fn texts(&self) -> Vec<String> {
        self.told().into_iter().map(|(text, _)| text).collect()
    }

    /// Returns the same in words, each with how good it is.
    pub(super) fn told(&self) -> Vec<(String, Tone)> {
        let of = self.of.as_ref();
        self.executions.iter().map(|f| f.told(of)).collect()
    }
}

/// What later executions made of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since<'a> {
    /// This one did what was to be done.
    Done(&'a ExecutionId),
    /// This one gave it back what it had before.
    Back(&'a ExecutionId),
}

/// Returns what `followers`, in the order in which they began, made of the targets of the execution in `view`, as far as they
/// did something to them.
pub fn since<'a>(view: &View, followers: &[&'a View]) -> BTreeMap<&'a Target, Since<'a>> {
    let mut since = BTreeMap::new();
    for (follower, is_forward) in directed(view, followers) {
        let Some(id) = follower.execution() else {
            continue;
        };
        for target in shared(view, follower) {
            if !is_done(target, is_forward) {
                continue;
            }
            let now = match is_forward {
                true => Since::Done(id),
                false => Since::Back(id),
            };
            since.insert(target.target(), now);
        }
    }
    since
}

/// Returns the followers that do again what the execution did, and those that take it back, each with which of both, in the
/// order in which they ended.
pub fn directed<'a>(view: &View, followers: &[&'a View]) -> Vec<(&'a View, bool)> {
    let mut known: BTreeMap<&ExecutionId, bool> = BTreeMap::new();
    let mut directed = Vec::new();
    for follower in followers {
        let (Some(id), Some(follows)) = (follower.execution(), follower.follows()) else {
            continue;
        };
        // What an earlier one of the same line did, the execution itself did, too.
        let of = |earlier| known.get(earlier).copied().unwrap_or(true);
        let is_forward = match follows {
            Follows::Retries(earlier) => of(earlier),
            Follows::RollsBack(earlier) => !of(earlier),
        };
        // What is left of a failed creation is deleted before it is made anew.
        let only_clears = is_forward && follower.deletes() != view.deletes();
        if !only_clears {
            known.insert(id, is_forward);
            directed.push((*follower, is_forward));
        }
    }
    // One that waited while another ran did what it did after that one.
    directed.sort_by_key(|(follower, _)| follower.ended().unwrap_or(Timestamp::MAX));
    directed
}

/// Returns the targets of `follower` that the execution in `view` has, too.
fn shared<'a>(view: &View, follower: &'a View) -> impl Iterator<Item = &'a TargetView> {
    let targets = follower.targets().into_iter();
    targets
        .filter(|target| view.target(target.target()).is_some())
        .collect::<Vec<_>>()
        .into_iter()
}

fn is_done(target: &TargetView, is_forward: bool) -> bool {
    match is_forward {
        true => target.outcome().is_some_and(|outcome| !is_open(outcome)),
        false => gave_back(target),
    }
}

fn is_open(outcome: &TargetOutcome) -> bool {
    match outcome {
        TargetOutcome::Succeeded { .. } | TargetOutcome::NoChanges => false,
        TargetOutcome::NotPlanned { .. }
        | TargetOutcome::Failed { .. }
        | TargetOutcome::Stale { .. }
        | TargetOutcome::Skipped { .. }
        | TargetOutcome::Unknown { .. } => true,
    }
}

fn follower_of(
    view: &View,
    follower: &View,
    alive: Option<bool>,
    is_forward: bool,
) -> Option<Follower> {
    let done = |target: &&TargetView| target.outcome().is_some_and(|outcome| !is_open(outcome));
    let state = follower.state();
    Some(Follower {
        execution: follower.execution()?.clone(),
        follows: follower.follows()?.clone(),
        state: words::state_id(&state, alive),
        outcome: follower.outcome().copied(),
        targets: shared(view, follower).count(),
        done: shared(view, follower).filter(done).count(),
        word: words::state(&state, alive),
        is_forward,
    })
}

/// Returns the commands that go on with an execution that has not ended; none while a process works on it.
pub(super) fn commands(view: &View, alive: Option<bool>) -> Vec<String> {
    match view.execution() {
        Some(id) if !is_busy(view, alive) => next(view, id.as_str()),
        Some(_) | None => Vec::new(),
    }
}

/// Returns the commands that go on from `view` once all `followers` have ended, and whether all that it changed went back.
fn after(view: &View, followers: &[&View]) -> (Vec<String>, bool) {
    let since = since(view, followers);
    let directed = directed(view, followers);
    // One that nobody approved, or that had no change set, changed nothing about what comes next.
    let has_acted = |view: &View| {
        let counts = view.counts();
        counts.succeeded + counts.unchanged + counts.failed + counts.unknown > 0
    };
    let acted: Vec<(&View, bool)> = directed.into_iter().filter(|(f, _)| has_acted(f)).collect();
    let is_forward = acted.last().is_none_or(|(_, is_forward)| *is_forward);
    let line: Vec<&View> = match is_forward {
        true => std::iter::once(view)
            .chain(acted.iter().filter(|(_, f)| *f).map(|(view, _)| *view))
            .collect(),
        false => acted.iter().filter(|(_, f)| !*f).map(|(v, _)| *v).collect(),
    };
    let is_open = |target: &TargetView| {
        let is_settled = match since.get(target.target()) {
            Some(Since::Done(_)) => is_forward,
            Some(Since::Back(_)) => !is_forward,
            None => false,
        };
        !is_settled && target.outcome().is_some_and(is_open)
    };
    let mut commands = retries(&line, is_open);
    let is_done = commands.is_empty() && !line.iter().any(|v| v.targets().into_iter().any(is_open));
    let stands = |of: &View, target: &TargetView| match since.get(target.target()) {
        Some(Since::Done(id)) => Some(*id) == of.execution(),
        Some(Since::Back(_)) => false,
        None => of.execution() == view.execution(),
    };
    let any = |of: &View, is_so: fn(&TargetView) -> bool| {
        let targets = of.targets().into_iter();
        targets.filter(|t| is_so(t)).any(|t| stands(of, t))
    };
    // Each with whether it changed stacks that there were before, and whether it made some.
    let changers: Vec<(&View, bool, bool)> = std::iter::once(view)
        .chain(acted.iter().filter(|(_, f)| *f).map(|(view, _)| *view))
        .map(|of| (of, any(of, advice::is_updated), any(of, advice::is_made)))
        .filter(|(_, updated, made)| *updated || *made)
        .collect();
    let is_mixed = is_forward && Tally::after(view, &since).are_mixed();
    if is_mixed
        && is_done
        && let Some(id) = view.execution()
    {
        // Those that went back are done, and were changed since.
        commands.push(format!("stackgate retry {id} --stale"));
    }
    // What went through to the end is to stay, and what is taken back is taken back as a whole, the newest first.
    for (of, updated, made) in changers.iter().rev() {
        let is_asked = match is_forward {
            true => is_mixed || !is_done && advice::is_cut_short(of),
            false => true,
        };
        if let Some(id) = of.execution().filter(|_| is_asked) {
            commands.extend(advice::rollbacks_of(id.as_str(), *updated, *made));
        }
    }
    if !is_done && let Some(id) = line.last().and_then(|last| last.execution()) {
        commands.push(format!("stackgate events {id}"));
    }
    if let Some(id) = view.execution() {
        let stuck = stuck(view).into_iter();
        let left = stuck.filter(|(target, _)| !since.contains_key(*target));
        commands.extend(recover::commands_of(id.as_str(), left.collect()));
    }
    (
        commands,
        !is_forward && is_done && !changers.iter().any(|(_, updated, _)| *updated),
    )
}

/// Returns the commands that run again what is open, each target with the execution of `line` that tried it last.
fn retries(line: &[&View], is_open: impl Fn(&TargetView) -> bool) -> Vec<String> {
    let mut tried: BTreeSet<&Target> = BTreeSet::new();
    let mut commands = Vec::new();
    for view in line.iter().rev() {
        let own: BTreeSet<&Target> = view
            .targets()
            .into_iter()
            .filter(|target| !tried.contains(target.target()) && is_open(target))
            .map(TargetView::target)
            .collect();
        let id = view
            .execution()
            .map(ExecutionId::as_str)
            .unwrap_or_default();
        commands.extend(advice::retry_of(view, id, |target| own.contains(target)));
        tried.extend(view.targets().into_iter().map(TargetView::target));
    }
    commands
}

#[cfg(test)]
mod tests;
