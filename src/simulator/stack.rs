//! A stack and its change sets as functions of time: what was begun says what shows later.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{
    ChangeSetId, ChangeSetKind, ChangeSetName, LogicalId, StackEvent, StackId, StackStatus, Target,
};

/// What a stack is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The template.
    pub template: Arc<str>,
    /// The parameters, in order.
    pub parameters: Arc<[(String, String)]>,
}

/// A stack.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Where it is.
    pub target: Target,
    /// Its name, as its own events have it.
    pub name: LogicalId,
    /// Its ARN.
    pub id: StackId,
    /// When it was made.
    pub created: Timestamp,
    /// Its change sets, oldest first.
    pub change_sets: Vec<ChangeSet>,
    /// The operations on it, oldest first.
    pub(super) operations: Vec<Operation>,
    /// How late its events show.
    pub(super) late: Duration,
    /// For how long a change does not show.
    pub(super) stale: Duration,
}

/// A change set.
#[derive(Debug, Clone)]
pub struct ChangeSet {
    /// Its name.
    pub name: ChangeSetName,
    /// Its ARN.
    pub id: ChangeSetId,
    /// Whether it makes or changes the stack.
    pub kind: ChangeSetKind,
    /// What the stack is to be made from.
    pub version: Version,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it is computed.
    pub ready: Timestamp,
    /// What it changes; nothing if there is nothing to change.
    pub changes: Vec<Change>,
    /// Whether it was executed.
    pub executed: bool,
    /// Whether another change set of the stack was executed.
    pub obsolete: bool,
}

/// A change of a change set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The logical id.
    pub resource: LogicalId,
    /// The type.
    pub resource_type: Arc<str>,
}

/// What is done to a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Create,
    Update,
    Delete,
}

/// How an operation ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Complete,
    /// It fails and is taken back.
    Failed(Change, Arc<str>),
    /// It fails, and so does taking it back.
    Stuck(Change, Arc<str>),
}

/// An operation on a stack.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) work: Work,
    pub(super) token: Option<Arc<str>>,
    pub(super) start: Timestamp,
    pub(super) duration: Duration,
    pub(super) end: End,
    pub(super) changes: Vec<Change>,
    pub(super) version: Version,
}

impl Operation {
    pub(super) fn ends(&self) -> Timestamp {
        self.start + self.duration
    }

    /// Returns when its resource fails, if one does: late enough for others to be done before.
    fn fails(&self) -> Option<Timestamp> {
        match self.end {
            End::Complete => None,
            End::Failed(..) | End::Stuck(..) => Some(self.start + self.duration.mul_f64(0.6)),
        }
    }

    fn status(&self, now: Timestamp) -> StackStatus {
        use StackStatus::*;
        let [running, complete, returning, returned, stuck] = match self.work {
            Work::Create => [
                CreateInProgress,
                CreateComplete,
                RollbackInProgress,
                RollbackComplete,
                RollbackFailed,
            ],
            Work::Update => [
                UpdateInProgress,
                UpdateComplete,
                UpdateRollbackInProgress,
                UpdateRollbackComplete,
                UpdateRollbackFailed,
            ],
            Work::Delete => [
                DeleteInProgress,
                DeleteComplete,
                DeleteInProgress,
                DeleteFailed,
                DeleteFailed,
            ],
        };
        let is_over = now >= self.ends();
        match &self.end {
            End::Complete if is_over => complete,
            End::Failed(..) if is_over => returned,
            End::Stuck(..) if is_over => stuck,
            End::Complete => running,
            End::Failed(..) | End::Stuck(..) if self.fails().is_some_and(|at| at <= now) => {
                returning
            }
            End::Failed(..) | End::Stuck(..) => running,
        }
    }

    /// Returns its events up to `now`, oldest first, numbered from `first`.
    fn events(&self, stack: &Stack, first: usize, now: Timestamp) -> Vec<StackEvent> {
        let verb = match self.work {
            Work::Create => "CREATE",
            Work::Update => "UPDATE",
            Work::Delete => "DELETE",
        };
        let event = |at, change, status: &str, reason| Happening {
            at,
            change,
            status: status.to_owned(),
            reason,
        };
        let (began, completed) = (format!("{verb}_IN_PROGRESS"), format!("{verb}_COMPLETE"));
        let mut found = vec![event(self.start, None, &began, None)];
        let fails = self.fails().unwrap_or(Timestamp::MAX);
        let count = self.changes.len().max(1) as f64;
        for (index, change) in self.changes.iter().enumerate() {
            let share = |of: f64| self.start + self.duration.mul_f64(of);
            let begin = share(0.05 + 0.4 * index as f64 / count);
            let done = share(0.15 + 0.4 * index as f64 / count);
            if begin < fails {
                found.push(event(begin, Some(change), &began, None));
            }
            let is_culprit = match &self.end {
                End::Complete => false,
                End::Failed(culprit, _) | End::Stuck(culprit, _) => culprit == change,
            };
            if done < fails && !is_culprit {
                found.push(event(done, Some(change), &completed, None));
            }
        }
        if let End::Failed(culprit, reason) | End::Stuck(culprit, reason) = &self.end {
            let status = format!("{verb}_FAILED");
            found.push(event(fails, Some(culprit), &status, Some(&**reason)));
            if self.work != Work::Delete {
                let why = "The following resource(s) failed";
                found.push(event(fails, None, self.status(fails).as_str(), Some(why)));
            }
        }
        let last = self.status(self.ends());
        found.push(event(self.ends(), None, last.as_str(), None));
        found.sort_by_key(|happening| happening.at);
        found.retain(|happening| happening.at + stack.late <= now);
        let numbered = found.into_iter().enumerate();
        numbered
            .map(|(index, happening)| happening.event(stack, first + index, self.token.as_deref()))
            .collect()
    }

    /// Returns an upper bound of the number of its events.
    fn most_events(&self) -> usize {
        2 * self.changes.len() + 4
    }
}

/// Something that happens in an operation.
struct Happening<'a> {
    at: Timestamp,
    /// The resource; none for the stack itself.
    change: Option<&'a Change>,
    status: String,
    reason: Option<&'a str>,
}

impl Happening<'_> {
    fn event(self, stack: &Stack, number: usize, token: Option<&str>) -> StackEvent {
        let (logical_id, resource_type, physical_id) = match self.change {
            None => (
                stack.name.clone(),
                "AWS::CloudFormation::Stack",
                stack.id.to_string(),
            ),
            Some(change) => (
                change.resource.clone(),
                &*change.resource_type,
                physical_id(stack, change),
            ),
        };
        StackEvent {
            id: format!("{}-{number:04}", stack.target.stack),
            at: self.at,
            logical_id,
            resource_type: resource_type.to_owned(),
            physical_id: Some(physical_id),
            status: self.status,
            reason: self.reason.map(str::to_owned),
            token: token.map(str::to_owned),
        }
    }
}

fn physical_id(stack: &Stack, change: &Change) -> String {
    format!("{}-{}", stack.target.stack, change.resource)
}

impl Stack {
    /// Returns the operation that shows at `now`.
    fn shown(&self, now: Timestamp) -> Option<&Operation> {
        let is_shown = |o: &&Operation| o.start + self.stale <= now;
        self.operations.iter().rev().find(is_shown)
    }

    /// Returns the status as it shows at `now`.
    pub fn status(&self, now: Timestamp) -> StackStatus {
        self.shown(now)
            .map_or(StackStatus::ReviewInProgress, |o| o.status(now))
    }

    /// Returns the status as it is at `now`, whatever shows.
    pub(super) fn true_status(&self, now: Timestamp) -> StackStatus {
        let last = self.operations.last();
        last.map_or(StackStatus::ReviewInProgress, |o| o.status(now))
    }

    /// Returns the operations that somebody asked for, oldest first: whether each goes well.
    pub fn executed(&self) -> impl Iterator<Item = bool> {
        let asked = self.operations.iter().filter(|o| o.token.is_some());
        asked.map(|o| o.end == End::Complete)
    }

    /// Returns whether an operation was begun with `token`.
    pub(super) fn has_operation(&self, token: &str) -> bool {
        let mut operations = self.operations.iter();
        operations.any(|o| o.token.as_deref() == Some(token))
    }

    /// Returns what the stack is made from at `now`: nothing before it is created, and what it was before where an
    /// operation failed.
    pub fn version(&self, now: Timestamp) -> Option<&Version> {
        let stands =
            |o: &&Operation| o.end == End::Complete || now < o.ends() || o.work == Work::Create;
        let shown = |o: &&Operation| o.start + self.stale <= now;
        let mut operations = self.operations.iter().rev();
        operations
            .find(|o| shown(o) && stands(o))
            .map(|o| &o.version)
    }

    /// Returns the events that show at `now`, newest first.
    pub fn events(&self, now: Timestamp) -> Vec<StackEvent> {
        let mut first = 0;
        let mut events = Vec::new();
        for operation in &self.operations {
            events.extend(operation.events(self, first, now));
            first += operation.most_events();
        }
        events.reverse();
        events
    }

    /// Returns the change set of that name or ARN.
    pub fn change_set(&self, name_or_id: &str) -> Option<&ChangeSet> {
        let is_it = |c: &&ChangeSet| c.name.as_str() == name_or_id || c.id.as_str() == name_or_id;
        self.change_sets.iter().find(is_it)
    }
}
