//! The one poller of a stack whose change set was executed: by its events, and by its status at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::cadence::Stopwatch;
use super::connection::Aws;
use super::failure::Effect;
use super::nested;
use super::stack::StackRef;
use crate::model::{
    CallFailure, Cause, FailureKind, Priority, Recovery, Sentiment, StackEvent, StackId,
    StackStatus, StackSummary, TargetSpec,
};

/// Polls by events alone while an operation goes on, until the status is looked at as well: events are
/// all that a poll needs, but an endpoint that loses the last of them must not be watched for ever.
const POLLS_BY_EVENTS: u32 = 30;

/// How long the stack may look as it did before the execution was accepted.
const STALE_FOR: Duration = Duration::from_secs(30);

/// Polls that wait for the last events of an operation whose status has settled.
const LATE_POLLS: u32 = 5;

/// How an operation on a stack ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The stack's status.
    pub status: StackStatus,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// Why it failed; none if and only if it went well.
    pub cause: Option<Cause>,
}

impl Aws {
    /// Watches a stack until the operation with `token` ends.
    ///
    /// `after` is the newest event before the execution, not the newest that was seen: after a restart
    /// the operation's events are observed again. Endpoints that give no tokens are understood through it.
    /// Events come oldest first, each once. Where the stack is to have no outputs (`has_outputs`), the end that its events
    /// tell with `token` is believed without looking at the stack.
    ///
    /// `Ambiguous`: the operation has not begun in the time in which even a late reading shows it.
    pub async fn watch(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
        token: &str,
        after: Option<&str>,
        has_outputs: bool,
        observe: impl FnMut(Vec<StackEvent>),
    ) -> Result<Settled, CallFailure> {
        let mut operation = Operation::new(stack, token, after);
        operation.has_outputs = has_outputs;
        self.follow(spec, operation, observe).await
    }

    /// Watches a stack until its deletion with `token` ends; as [`Aws::watch`], but that the stack is to go.
    pub async fn watch_deletion(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
        token: &str,
        after: Option<&str>,
        observe: impl FnMut(Vec<StackEvent>),
    ) -> Result<Settled, CallFailure> {
        let mut operation = Operation::new(stack, token, after);
        operation.deletes = true;
        operation.asked = "DeleteStack";
        self.follow(spec, operation, observe).await
    }

    /// Watches a stack until the recovery with `token` ends; as [`Aws::watch`], but that another call asked for it.
    pub async fn watch_recovery(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
        recovery: Recovery,
        token: &str,
        after: Option<&str>,
    ) -> Result<Settled, CallFailure> {
        let mut operation = Operation::new(stack, token, after);
        operation.asked = match recovery {
            Recovery::CancelUpdate => "CancelUpdateStack",
            Recovery::ContinueRollback => "ContinueUpdateRollback",
            Recovery::RollbackStack => "RollbackStack",
        };
        self.follow(spec, operation, drop).await
    }

    async fn follow(
        &self,
        spec: &TargetSpec,
        mut operation: Operation,
        mut observe: impl FnMut(Vec<StackEvent>),
    ) -> Result<Settled, CallFailure> {
        let stack = &operation.stack.clone();
        let clock = Stopwatch::start();
        let watcher = self.watcher(&spec.target);
        let mut show = |ours: Vec<StackEvent>| {
            if !ours.is_empty() {
                observe(ours);
            }
        };
        loop {
            // At first too: no operation ends at once.
            self.operations().wait(clock, &watcher).await;
            let cursor = operation.cursor.as_deref();
            match self
                .events_after(spec, stack, cursor, Priority::Observe)
                .await
            {
                Ok(events) => show(operation.add(events)),
                // Not every endpoint keeps the events of a stack that is gone; its status tells.
                Err(failure) if failure.kind == FailureKind::NotFound => operation.unseen(),
                Err(failure) => return Err(failure),
            }
            if operation.goes_on() {
                continue;
            }
            if let Some(settled) = operation.went_well() {
                self.operations().note(clock.elapsed());
                return Ok(settled);
            }
            let summary = self
                .stack(spec, StackRef::Id(stack), Priority::Outcome)
                .await?;
            let Some(summary) = summary else {
                let settled = operation.vanished();
                return Ok(Box::pin(self.with_inner_cause(spec, settled, &operation)).await);
            };
            match operation.judge(&summary, clock.elapsed()) {
                Verdict::Ended(settled) => {
                    if settled.cause.is_none() {
                        self.operations().note(clock.elapsed());
                    }
                    return Ok(Box::pin(self.with_inner_cause(spec, settled, &operation)).await);
                }
                Verdict::Later => {}
                Verdict::NeverBegan => {
                    let place = spec.target.place();
                    return Err(self.attempted(operation.asked, &place, Effect::Once).failure(
                        FailureKind::Ambiguous,
                        format!(
                            "accepted, but the stack has shown no sign of it for {} s and is in {}",
                            clock.elapsed().as_secs(),
                            summary.status
                        ),
                    ));
                }
            }
        }
    }
}

impl Aws {
    /// Returns `settled` with the cause inside the nested stack that failed first.
    async fn with_inner_cause(
        &self,
        spec: &TargetSpec,
        mut settled: Settled,
        operation: &Operation,
    ) -> Settled {
        if let (Some((failed, since)), Some(_)) = (&operation.inside, &settled.cause) {
            let cause = self.innermost(spec, &operation.stack, failed, *since).await;
            settled.cause = Some(cause);
        }
        settled
    }
}

/// What is known of one operation on a stack.
#[derive(Debug)]
struct Operation {
    stack: StackId,
    /// Whether the stack is to go.
    deletes: bool,
    /// Whether the stack may have outputs, which only a look at it tells.
    has_outputs: bool,
    /// The call that asked for it.
    asked: &'static str,
    token: String,
    /// The newest event read so far.
    cursor: Option<String>,
    /// The ids read so far: without its cursor in the history, all of it would be read again.
    known: BTreeSet<String>,
    /// Whether a status or an event of the operation has been seen.
    begun: bool,
    /// The settled status in which the operation ended by its own events.
    ended: Option<StackStatus>,
    /// Whether the event that says so carries the token.
    ended_by_token: bool,
    /// Whether another operation has followed.
    followed: bool,
    /// When the first event of the operation happened.
    since: Option<Timestamp>,
    root: Option<Cause>,
    /// The nested stack that is the root cause, and since when its events are of this operation.
    inside: Option<(StackEvent, Timestamp)>,
    own_reason: Option<String>,
    /// Polls since the status was read.
    unchecked: u32,
    late: u32,
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Ended(Settled),
    Later,
    NeverBegan,
}

impl Operation {
    fn new(stack: &StackId, token: &str, after: Option<&str>) -> Self {
        Self {
            stack: stack.clone(),
            deletes: false,
            has_outputs: true,
            asked: "ExecuteChangeSet",
            token: token.to_owned(),
            cursor: after.map(str::to_owned),
            known: BTreeSet::new(),
            begun: false,
            ended: None,
            ended_by_token: false,
            followed: false,
            since: None,
            root: None,
            inside: None,
            own_reason: None,
            unchecked: 0,
            late: 0,
        }
    }

    /// Takes newly read events, oldest first, and returns those of this operation.
    fn add(&mut self, events: Vec<StackEvent>) -> Vec<StackEvent> {
        if let Some(newest) = events.last() {
            self.cursor = Some(newest.id.clone());
        }
        let mut ours = Vec::new();
        for event in events {
            if !self.known.insert(event.id.clone()) || !self.is_ours(&event) {
                continue;
            }
            self.begun = true;
            self.learn(&event);
            ours.push(event);
        }
        ours
    }

    /// Returns whether an event is of this operation. Operations on a stack never overlap.
    fn is_ours(&mut self, event: &StackEvent) -> bool {
        match event.token.as_deref() {
            Some(token) if token == self.token => true,
            // A rollback may carry a token of its own, but an operation that has ended has no more events.
            Some(_) if self.ended.is_some() => {
                self.followed = true;
                false
            }
            Some(_) => self.begun,
            // Change sets make events of their own while the stack is in review.
            None => self.begun || event.status != StackStatus::ReviewInProgress.as_str(),
        }
    }

    fn learn(&mut self, event: &StackEvent) {
        let since = *self.since.get_or_insert(event.at);
        if event.is_of_stack(&self.stack) {
            let status = event.status.parse::<StackStatus>().ok();
            self.ended = status.filter(|s| s.is_settled());
            self.ended_by_token = event.token.as_deref() == Some(self.token.as_str());
            if status.is_some_and(|s| s.sentiment() == Sentiment::Bad) && self.own_reason.is_none()
            {
                self.own_reason = event.reason.clone();
            }
            return;
        }
        if self.root.is_none() && nested::is_root(event) {
            self.root = Some(nested::blame(event));
            self.inside = nested::is_nested(event).then(|| (event.clone(), since));
        }
    }

    /// Notes that the events could not be read.
    fn unseen(&mut self) {
        self.unchecked = POLLS_BY_EVENTS;
    }

    /// Returns whether the events show an operation that goes on, so that its status need not be read.
    fn goes_on(&mut self) -> bool {
        self.unchecked += 1;
        self.begun && self.ended.is_none() && self.unchecked <= POLLS_BY_EVENTS
    }

    /// Returns the good end of an operation whose events tell all there is to know of it.
    fn went_well(&self) -> Option<Settled> {
        let tells_all = self.ended_by_token && !self.has_outputs && !self.deletes;
        let status = self.ended.filter(|s| tells_all && s.is_deployed())?;
        Some(Settled {
            status,
            outputs: BTreeMap::new(),
            cause: None,
        })
    }

    /// Returns what to do now that the stack was seen as `summary`, after its events and `elapsed` since the
    /// watch began.
    fn judge(&mut self, summary: &StackSummary, elapsed: Duration) -> Verdict {
        let status = summary.status;
        self.unchecked = 0;
        if let (true, Some(ended)) = (self.followed, self.ended) {
            return Verdict::Ended(self.settled(ended, summary));
        }
        if !status.is_settled() {
            self.begun = true;
            return Verdict::Later;
        }
        // Not every endpoint keeps the events of a stack that is gone, and nothing follows on one that is.
        if self.deletes && status == StackStatus::DeleteComplete {
            return Verdict::Ended(self.settled(status, summary));
        }
        if !self.begun || status == StackStatus::ReviewInProgress {
            return if elapsed >= STALE_FOR {
                Verdict::NeverBegan
            } else {
                Verdict::Later
            };
        }
        if self.ended.is_none() && self.late < LATE_POLLS {
            self.late += 1;
            return Verdict::Later;
        }
        Verdict::Ended(self.settled(status, summary))
    }

    /// The end of a stack that is no longer there.
    fn vanished(&self) -> Settled {
        let said = || self.own_reason.clone().map(Cause::of);
        Settled {
            status: StackStatus::DeleteComplete,
            outputs: BTreeMap::new(),
            cause: (!self.deletes).then(|| {
                self.root
                    .clone()
                    .or_else(said)
                    .unwrap_or_else(|| Cause::of("the stack no longer exists"))
            }),
        }
    }

    fn settled(&self, status: StackStatus, summary: &StackSummary) -> Settled {
        let went_well = status.sentiment() == Sentiment::Good
            && (status == StackStatus::DeleteComplete) == self.deletes;
        let cause = (!went_well).then(|| {
            self.root.clone().unwrap_or_else(|| {
                let said = self.own_reason.as_ref().or(summary.reason.as_ref());
                match said {
                    Some(reason) => Cause::of(reason),
                    None => Cause::of(format!("the stack ended in {status} without a reason")),
                }
            })
        });
        Settled {
            status,
            outputs: summary.outputs.clone(),
            cause,
        }
    }
}

#[cfg(test)]
mod tests;
