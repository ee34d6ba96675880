//! The one poller of a stack whose change set was executed: status and events together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::cadence::{self, Stopwatch};
use super::connection::Aws;
use super::failure::Effect;
use super::stack::StackRef;
use crate::model::{
    CallFailure, Cause, FailureKind, Priority, Sentiment, StackEvent, StackId, StackStatus,
    StackSummary, TargetSpec, status_reason,
};

/// Events are read this often while all goes well.
const EVENTS_EVERY: Duration = Duration::from_secs(1);

/// Polls that may show the stack as it was before, right after the execution was accepted.
const STALE_POLLS: u32 = 30;

/// Polls that wait for the last events of an operation whose status has settled.
const LATE_POLLS: u32 = 3;

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
    /// Events come oldest first, each once.
    ///
    /// `Ambiguous`: the operation has not begun in the time in which even a late reading shows it.
    pub async fn watch(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
        token: &str,
        after: Option<&str>,
        mut observe: impl FnMut(Vec<StackEvent>),
    ) -> Result<Settled, CallFailure> {
        let clock = Stopwatch::start();
        let watcher = self.gate(&spec.target).watch();
        let mut operation = Operation::new(stack, token, after);
        let mut read_at: Option<Duration> = None;
        let mut before = None;
        loop {
            let summary = self
                .stack(spec, StackRef::Id(stack), Priority::Observe)
                .await?;
            let Some(summary) = summary else {
                return Ok(vanished(&operation));
            };
            let status = summary.status;
            let turned_bad = before != Some(status) && status.sentiment() == Sentiment::Bad;
            let due = read_at.is_none_or(|at| clock.elapsed() >= at + EVENTS_EVERY);
            // A stack in review has no operation whose events could be read.
            let in_review = status == StackStatus::ReviewInProgress;
            if !in_review && (due || turned_bad || status.is_settled()) {
                let events = self
                    .events_after(spec, stack, operation.cursor.as_deref(), Priority::Observe)
                    .await?;
                read_at = Some(clock.elapsed());
                let ours = operation.add(events);
                if !ours.is_empty() {
                    observe(ours);
                }
            }
            before = Some(status);
            match operation.judge(&summary) {
                Verdict::Ended(settled) => return Ok(settled),
                Verdict::Again => continue,
                Verdict::Later => {}
                Verdict::NeverBegan => {
                    let place = spec.target.place();
                    return Err(self
                        .attempted("ExecuteChangeSet", &place, Effect::Once)
                        .failure(
                            FailureKind::Ambiguous,
                            format!(
                                "accepted, but the stack has shown no sign of it for {} s and is in {status}",
                                clock.elapsed().as_secs()
                            ),
                        ));
                }
            }
            cadence::pause(cadence::poll(
                clock.elapsed(),
                watcher.others(),
                cadence::jitter(),
            ))
            .await;
        }
    }
}

fn vanished(operation: &Operation) -> Settled {
    Settled {
        status: StackStatus::DeleteComplete,
        outputs: BTreeMap::new(),
        cause: Some(
            operation
                .root
                .clone()
                .or_else(|| operation.own_reason.clone().map(Cause::of))
                .unwrap_or_else(|| Cause::of("the stack no longer exists")),
        ),
    }
}

/// What is known of one operation on a stack.
#[derive(Debug)]
struct Operation {
    stack: StackId,
    token: String,
    /// The newest event read so far.
    cursor: Option<String>,
    /// Ids of events at the cursor's time and before, so that a page read twice is told apart.
    known: BTreeSet<String>,
    /// Whether a status or an event of the operation has been seen.
    begun: bool,
    /// Whether it had been when the present status was read.
    begun_before: bool,
    /// The settled status in which the operation ended by its own events.
    ended: Option<StackStatus>,
    /// Whether another operation has followed.
    followed: bool,
    root: Option<Cause>,
    own_reason: Option<String>,
    stale: u32,
    late: u32,
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Ended(Settled),
    /// Look again at once: the status may be older than the events.
    Again,
    Later,
    NeverBegan,
}

impl Operation {
    fn new(stack: &StackId, token: &str, after: Option<&str>) -> Self {
        Self {
            stack: stack.clone(),
            token: token.to_owned(),
            cursor: after.map(str::to_owned),
            known: BTreeSet::new(),
            begun: false,
            begun_before: false,
            ended: None,
            followed: false,
            root: None,
            own_reason: None,
            stale: 0,
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
        if event.is_of_stack(&self.stack) {
            let status = event.status.parse::<StackStatus>().ok();
            self.ended = status.filter(|s| s.is_settled());
            if status.is_some_and(|s| s.sentiment() == Sentiment::Bad) && self.own_reason.is_none()
            {
                self.own_reason = event.reason.clone();
            }
            return;
        }
        let reason = event.reason.as_deref().unwrap_or_default();
        if event.is_failure() && self.root.is_none() && !status_reason::is_secondary(reason) {
            self.root = Some(Cause {
                resource: Some((event.logical_id.clone(), event.resource_type.clone())),
                reason: if reason.is_empty() {
                    format!("{} without a reason", event.status)
                } else {
                    reason.to_owned()
                },
            });
        }
    }

    /// Returns what to do now that the stack was seen as `summary`, and the events after it.
    fn judge(&mut self, summary: &StackSummary) -> Verdict {
        let status = summary.status;
        if let (true, Some(ended)) = (self.followed, self.ended) {
            return Verdict::Ended(self.settled(ended, summary));
        }
        if !status.is_settled() {
            self.begun = true;
            self.begun_before = true;
            return Verdict::Later;
        }
        if !self.begun || status == StackStatus::ReviewInProgress {
            self.stale += 1;
            return if self.stale >= STALE_POLLS {
                Verdict::NeverBegan
            } else {
                Verdict::Later
            };
        }
        if !self.begun_before {
            // The events are the first sign of it: this status may still be the one from before.
            self.begun_before = true;
            return Verdict::Again;
        }
        if self.ended.is_none() && self.late < LATE_POLLS {
            self.late += 1;
            return Verdict::Later;
        }
        Verdict::Ended(self.settled(status, summary))
    }

    fn settled(&self, status: StackStatus, summary: &StackSummary) -> Settled {
        let went_well =
            status.sentiment() == Sentiment::Good && status != StackStatus::DeleteComplete;
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
