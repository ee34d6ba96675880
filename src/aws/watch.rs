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
mod tests {
    use super::super::fixture::{STACK, aws, spec, stack_id, stacks};
    use super::super::scripted::{Reply, Scripted};
    use super::*;

    const OURS: &str = "token-1";

    /// An event: id, resource (`-` for the stack itself), status, reason, token.
    fn event((id, resource, status, reason, token): (&str, &str, &str, &str, &str)) -> String {
        let optional = |tag: &str, text: &str| match text {
            "" => String::new(),
            text => format!("<{tag}>{text}</{tag}>"),
        };
        let (logical, physical, kind) = match resource {
            "-" => ("app", STACK, "AWS::CloudFormation::Stack"),
            other => (other, "physical", "AWS::SSM::Parameter"),
        };
        format!(
            "<member><EventId>{id}</EventId><LogicalResourceId>{logical}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>\
             <ResourceType>{kind}</ResourceType><ResourceStatus>{status}</ResourceStatus>{}{}</member>",
            optional("ResourceStatusReason", reason),
            optional("ClientRequestToken", token),
        )
    }

    /// A page of events, given oldest first.
    fn events(oldest_first: &[(&str, &str, &str, &str, &str)]) -> String {
        let members: String = oldest_first.iter().rev().map(|e| event(*e)).collect();
        format!("<StackEvents>{members}</StackEvents>")
    }

    async fn watched(
        script: &Scripted,
        after: Option<&str>,
    ) -> (Result<Settled, CallFailure>, Vec<String>) {
        let mut seen = Vec::new();
        let settled = aws(script)
            .await
            .watch(&spec(), &stack_id(), OURS, after, true, |events| {
                seen.extend(events.into_iter().map(|e| e.id));
            })
            .await;
        (settled, seen)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stack_without_outputs_is_not_looked_at_once_its_own_events_tell_a_good_end() {
        let story = |status, token| {
            events(&[
                ("e1", "-", "UPDATE_IN_PROGRESS", "User Initiated", OURS),
                ("e2", "Queue", "UPDATE_COMPLETE", "", OURS),
                ("e3", "-", status, "", token),
            ])
        };
        let cases = [
            ("UPDATE_COMPLETE", OURS, false, 0),
            ("UPDATE_COMPLETE", OURS, true, 1),
            // The endpoint gives no token, or the end is none that anybody wants: the stack tells more.
            ("UPDATE_COMPLETE", "", false, 1),
            ("UPDATE_ROLLBACK_COMPLETE", OURS, false, 1),
            ("DELETE_COMPLETE", OURS, false, 1),
        ];
        for (status, token, has_outputs, looks) in cases {
            let script = Scripted::new();
            script
                .ok("DescribeStackEvents", &story(status, token))
                .ok("DescribeStacks", &stacks(status));
            let settled = aws(&script)
                .await
                .watch(&spec(), &stack_id(), OURS, None, has_outputs, drop)
                .await
                .unwrap();
            assert_eq!(settled.status.as_str(), status);
            assert_eq!(
                script.requests_of("DescribeStacks").len(),
                looks,
                "{status} {token}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_recovery_is_watched_behind_what_it_takes_back() {
        let script = Scripted::new();
        let story = [
            ("e1", "-", "UPDATE_IN_PROGRESS", "User Initiated", "theirs"),
            ("e2", "Queue", "UPDATE_IN_PROGRESS", "", "theirs"),
            ("e3", "-", "UPDATE_ROLLBACK_IN_PROGRESS", "", OURS),
            ("e4", "Queue", "UPDATE_COMPLETE", "", OURS),
            ("e5", "-", "UPDATE_ROLLBACK_COMPLETE", "", OURS),
        ];
        script
            .ok("DescribeStackEvents", &events(&story[..2]))
            .ok("DescribeStackEvents", &events(&story))
            .ok("DescribeStacks", &stacks("UPDATE_IN_PROGRESS"))
            .ok("DescribeStacks", &stacks("UPDATE_ROLLBACK_COMPLETE"));
        let (spec, stack) = (spec(), stack_id());
        let way = Recovery::CancelUpdate;
        let aws = aws(&script).await;
        let settled = aws
            .watch_recovery(&spec, &stack, way, OURS, Some("e1"))
            .await;
        assert_eq!(settled.unwrap().status, StackStatus::UpdateRollbackComplete);
        // One that never begins is told by its own name.
        let script = Scripted::new();
        script
            .ok("DescribeStackEvents", &events(&story[..1]))
            .ok("DescribeStacks", &stacks("UPDATE_ROLLBACK_FAILED"));
        let way = Recovery::ContinueRollback;
        let aws = super::super::fixture::aws(&script).await;
        let settled = aws
            .watch_recovery(&spec, &stack, way, OURS, Some("e1"))
            .await;
        let failure = settled.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Ambiguous);
        assert!(
            failure.message.starts_with("ContinueUpdateRollback in"),
            "{failure}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_update_is_watched_to_its_end() {
        let script = Scripted::new();
        let story = [
            ("e0", "-", "CREATE_COMPLETE", "", "old"),
            ("e1", "-", "UPDATE_IN_PROGRESS", "User Initiated", OURS),
            ("e2", "Queue", "UPDATE_COMPLETE", "", OURS),
            ("e3", "-", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "", OURS),
            ("e4", "-", "UPDATE_COMPLETE", "", OURS),
        ];
        script
            .ok("DescribeStacks", &stacks("UPDATE_COMPLETE"))
            .ok("DescribeStackEvents", &events(&story[..2]))
            .ok("DescribeStackEvents", &events(&story[..4]))
            .ok("DescribeStackEvents", &events(&story));
        let (settled, seen) = watched(&script, Some("e0")).await;
        let settled = settled.unwrap();
        assert_eq!(settled.status, StackStatus::UpdateComplete);
        assert_eq!(settled.cause, None);
        assert_eq!(settled.outputs["Url"], "of UPDATE_COMPLETE");
        assert_eq!(seen, ["e1", "e2", "e3", "e4"]);
        // Its status is of no interest before the events show its end.
        assert_eq!(script.requests_of("DescribeStacks").len(), 1);
        assert_eq!(script.requests_of("DescribeStackEvents").len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stack_that_is_to_go_ends_well_when_it_is_gone() {
        let story = [
            ("e0", "-", "CREATE_COMPLETE", "", "old"),
            ("e1", "-", "DELETE_IN_PROGRESS", "User Initiated", OURS),
            ("e2", "Queue", "DELETE_COMPLETE", "", OURS),
            ("e3", "-", "DELETE_COMPLETE", "", OURS),
        ];
        for last in ["<Stacks></Stacks>".to_owned(), stacks("DELETE_COMPLETE")] {
            let script = Scripted::new();
            script
                .ok("DescribeStacks", &stacks("DELETE_IN_PROGRESS"))
                .ok("DescribeStacks", &last)
                .ok("DescribeStackEvents", &events(&story));
            let mut seen = Vec::new();
            let settled = aws(&script)
                .await
                .watch_deletion(&spec(), &stack_id(), OURS, Some("e0"), |events| {
                    seen.extend(events.into_iter().map(|e| e.id));
                })
                .await
                .unwrap();
            assert_eq!(settled.status, StackStatus::DeleteComplete);
            assert_eq!(settled.cause, None);
            assert_eq!(seen, ["e1", "e2", "e3"]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_deletion_that_fails_names_the_resource_that_stays() {
        // It had failed before, with another resource to blame.
        let story = [
            ("e0", "Old", "DELETE_FAILED", "not that", "old"),
            ("e1", "-", "DELETE_FAILED", "", "old"),
            ("e2", "-", "DELETE_IN_PROGRESS", "User Initiated", OURS),
            ("e3", "Bucket", "DELETE_FAILED", "it is not empty", OURS),
            ("e4", "-", "DELETE_FAILED", "failed: [Bucket]", OURS),
        ];
        let script = Scripted::new();
        script
            .ok("DescribeStacks", &stacks("DELETE_FAILED"))
            .ok("DescribeStacks", &stacks("DELETE_IN_PROGRESS"))
            .ok("DescribeStacks", &stacks("DELETE_FAILED"))
            .ok("DescribeStackEvents", &events(&story[..2]))
            .ok("DescribeStackEvents", &events(&story));
        let settled = aws(&script)
            .await
            .watch_deletion(&spec(), &stack_id(), OURS, Some("e1"), drop)
            .await
            .unwrap();
        assert_eq!(settled.status, StackStatus::DeleteFailed);
        let cause = settled.cause.unwrap();
        assert_eq!(cause.resource.unwrap().0.as_str(), "Bucket");
        assert_eq!(cause.reason, "it is not empty");
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_loses_the_last_events_is_not_watched_for_ever() {
        let script = Scripted::new();
        script.ok("DescribeStacks", &stacks("UPDATE_COMPLETE")).ok(
            "DescribeStackEvents",
            &events(&[("e1", "-", "UPDATE_IN_PROGRESS", "", OURS)]),
        );
        let (settled, seen) = watched(&script, Some("e0")).await;
        assert_eq!(settled.unwrap().status, StackStatus::UpdateComplete);
        assert_eq!(seen, ["e1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_status_from_before_is_not_taken_for_the_end() {
        let script = Scripted::new();
        let story = [
            ("e0", "-", "UPDATE_COMPLETE", "", ""),
            ("e1", "-", "UPDATE_IN_PROGRESS", "", ""),
            ("e2", "-", "UPDATE_COMPLETE", "", ""),
        ];
        for _ in 0..3 {
            script.ok("DescribeStacks", &stacks("UPDATE_COMPLETE"));
            script.ok("DescribeStackEvents", &events(&story[..1]));
        }
        // The whole operation happens between two polls, on an endpoint that gives no tokens.
        script.ok("DescribeStackEvents", &events(&story));
        let (settled, seen) = watched(&script, Some("e0")).await;
        assert_eq!(settled.unwrap().status, StackStatus::UpdateComplete);
        assert_eq!(seen, ["e1", "e2"]);
        assert_eq!(script.requests_of("DescribeStacks").len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stack_in_review_is_waited_for_a_while_and_then_asked_about() {
        let script = Scripted::new();
        script
            .ok("DescribeStacks", &stacks("REVIEW_IN_PROGRESS"))
            .ok("DescribeStacks", &stacks("REVIEW_IN_PROGRESS"))
            .ok("DescribeStacks", &stacks("CREATE_COMPLETE"))
            .ok(
                "DescribeStackEvents",
                &events(&[
                    ("e1", "-", "REVIEW_IN_PROGRESS", "User Initiated", ""),
                    ("e2", "-", "CREATE_IN_PROGRESS", "", ""),
                    ("e3", "-", "CREATE_COMPLETE", "", ""),
                ]),
            );
        let (settled, seen) = watched(&script, None).await;
        assert_eq!(settled.unwrap().status, StackStatus::CreateComplete);
        assert_eq!(seen, ["e2", "e3"]);

        let script = Scripted::new();
        script
            .ok("DescribeStacks", &stacks("REVIEW_IN_PROGRESS"))
            .ok(
                "DescribeStackEvents",
                &events(&[("e1", "-", "REVIEW_IN_PROGRESS", "User Initiated", "")]),
            );
        let clock = Stopwatch::start();
        let failure = watched(&script, None).await.0.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Ambiguous);
        assert!(failure.message.contains("REVIEW_IN_PROGRESS"), "{failure}");
        assert!(clock.elapsed() >= STALE_FOR);
    }

    #[tokio::test(start_paused = true)]
    async fn the_cause_is_the_first_resource_that_failed_of_itself() {
        let script = Scripted::new();
        script
            .ok("DescribeStacks", &stacks("UPDATE_IN_PROGRESS"))
            .ok("DescribeStacks", &stacks("UPDATE_ROLLBACK_IN_PROGRESS"))
            .ok("DescribeStacks", &stacks("UPDATE_ROLLBACK_COMPLETE"))
            .ok(
                "DescribeStackEvents",
                &events(&[("e1", "-", "UPDATE_IN_PROGRESS", "", OURS)]),
            )
            .ok(
                "DescribeStackEvents",
                &events(&[
                    ("e1", "-", "UPDATE_IN_PROGRESS", "", OURS),
                    (
                        "e2",
                        "A",
                        "UPDATE_FAILED",
                        "Resource update cancelled",
                        OURS,
                    ),
                    ("e3", "B", "UPDATE_FAILED", "Cannot exceed quota", OURS),
                    ("e4", "C", "UPDATE_FAILED", "Another one", OURS),
                    (
                        "e5",
                        "-",
                        "UPDATE_ROLLBACK_IN_PROGRESS",
                        "The following resource(s) failed to update: [B].",
                        OURS,
                    ),
                    ("e6", "-", "UPDATE_ROLLBACK_COMPLETE", "", OURS),
                ]),
            );
        let settled = watched(&script, Some("e0")).await.0.unwrap();
        assert_eq!(settled.status, StackStatus::UpdateRollbackComplete);
        let cause = settled.cause.unwrap();
        assert_eq!(cause.reason, "Cannot exceed quota");
        assert_eq!(cause.resource.unwrap().0.as_str(), "B");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rollback_shows_its_events_at_once() {
        let script = Scripted::new();
        script
            .ok("DescribeStacks", &stacks("CREATE_IN_PROGRESS"))
            .ok("DescribeStacks", &stacks("ROLLBACK_IN_PROGRESS"))
            .on("DescribeStacks", Reply::Silence)
            .ok(
                "DescribeStackEvents",
                &events(&[
                    ("e1", "-", "CREATE_IN_PROGRESS", "", OURS),
                    ("e2", "A", "CREATE_FAILED", "bad", OURS),
                ]),
            );
        let seen = std::cell::RefCell::new(Vec::new());
        let aws = aws(&script).await;
        let (spec, stack) = (spec(), stack_id());
        let watch = aws.watch(&spec, &stack, OURS, None, true, |events| {
            seen.borrow_mut().extend(events.into_iter().map(|e| e.id));
        });
        // Well before a second has passed.
        let _ = tokio::time::timeout(Duration::from_millis(200), watch).await;
        assert_eq!(*seen.borrow(), ["e1", "e2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_without_reasons_still_gives_a_cause() {
        let script = Scripted::new();
        script
            .ok("DescribeStacks", &stacks("ROLLBACK_COMPLETE"))
            .ok(
                "DescribeStackEvents",
                &events(&[
                    ("e1", "-", "CREATE_IN_PROGRESS", "", ""),
                    ("e2", "B", "CREATE_FAILED", "", ""),
                    ("e3", "-", "ROLLBACK_COMPLETE", "", ""),
                ]),
            );
        let cause = watched(&script, None).await.0.unwrap().cause.unwrap();
        assert_eq!(cause.reason, "CREATE_FAILED without a reason");

        let script = Scripted::new();
        script
            .ok("DescribeStacks", &stacks("CREATE_IN_PROGRESS"))
            .ok("DescribeStacks", &stacks("ROLLBACK_COMPLETE"))
            .ok("DescribeStackEvents", "<StackEvents></StackEvents>");
        let cause = watched(&script, None).await.0.unwrap().cause.unwrap();
        assert_eq!(
            cause.reason,
            "the stack ended in ROLLBACK_COMPLETE without a reason"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_stack_that_vanishes_is_a_failure() {
        let script = Scripted::new();
        script
            .ok("DescribeStacks", &stacks("CREATE_IN_PROGRESS"))
            .error(
                "DescribeStacks",
                400,
                "ValidationError",
                "Stack with id app does not exist",
            )
            .ok(
                "DescribeStackEvents",
                &events(&[("e2", "A", "CREATE_FAILED", "bad", OURS)]),
            );
        let settled = watched(&script, None).await.0.unwrap();
        assert_eq!(settled.status, StackStatus::DeleteComplete);
        assert_eq!(settled.cause.unwrap().reason, "bad");
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_operation_of_somebody_else_does_not_change_the_result() {
        let script = Scripted::new();
        script
            .ok("DescribeStacks", &stacks("UPDATE_IN_PROGRESS"))
            .ok(
                "DescribeStackEvents",
                &events(&[
                    ("e1", "-", "UPDATE_IN_PROGRESS", "", OURS),
                    ("e2", "-", "UPDATE_COMPLETE", "", OURS),
                    ("e3", "-", "UPDATE_IN_PROGRESS", "", "theirs"),
                    ("e4", "X", "UPDATE_FAILED", "theirs", "theirs"),
                ]),
            );
        let (settled, seen) = watched(&script, Some("e0")).await;
        let settled = settled.unwrap();
        assert_eq!(
            (settled.status, settled.cause),
            (StackStatus::UpdateComplete, None)
        );
        assert_eq!(seen, ["e1", "e2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_hour_is_watched_with_few_calls_and_through_trouble() {
        let script = Scripted::new();
        let begun = events(&[("e1", "-", "UPDATE_IN_PROGRESS", "", OURS)]);
        for _ in 0..900 {
            script.ok("DescribeStackEvents", &begun);
        }
        script
            .error("DescribeStackEvents", 400, "Throttling", "Rate exceeded")
            .on("DescribeStackEvents", Reply::NotConnected)
            .on("DescribeStackEvents", Reply::Http(503, String::new()))
            .ok(
                "DescribeStackEvents",
                &events(&[
                    ("e1", "-", "UPDATE_IN_PROGRESS", "", OURS),
                    ("e2", "-", "UPDATE_COMPLETE", "", OURS),
                ]),
            );
        for _ in 0..81 {
            script.ok("DescribeStacks", &stacks("UPDATE_IN_PROGRESS"));
        }
        script.ok("DescribeStacks", &stacks("UPDATE_COMPLETE"));
        let clock = Stopwatch::start();
        let (settled, seen) = watched(&script, None).await;
        assert_eq!(settled.unwrap().cause, None);
        assert_eq!(seen, ["e1", "e2"]);
        assert!(clock.elapsed().as_secs() > 3_000, "{:?}", clock.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn expired_credentials_end_the_watch_without_a_verdict() {
        let script = Scripted::new();
        script
            .ok("DescribeStacks", &stacks("UPDATE_IN_PROGRESS"))
            .error("DescribeStacks", 403, "ExpiredToken", "expired")
            .ok("DescribeStackEvents", &events(&[]));
        let failure = watched(&script, None).await.0.unwrap_err();
        assert_eq!(failure.kind, FailureKind::CredentialsExpired);
    }
}
