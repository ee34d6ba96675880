//! Reading a change set without losing any of it.
//!
//! `IncludePropertyValues` gives the values of properties, but with it the service leaves things out:
//! the status reason of a failed set, and resources whose properties it cannot validate, which it then only
//! mentions in a warning in the status reason. So a second reading without it is made, and merged, when the
//! first one
//!
//! * carries that warning,
//! * failed without a reason,
//! * describes no change although the set can be executed, or
//! * has an entry that says nothing.
//!
//! The ordinary case costs one call. A resource that were left out without the warning, while others are
//! described, would not be noticed.

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{Change, EventFilter};

use super::cadence::Stopwatch;
use super::call::Call;
use super::connection::Aws;
use super::convert;
use super::failure::Effect;
use crate::model::{
    CallFailure, ChangeSetId, ChangeSetOutcome, FailureKind, Priority, ResourceChange, SetDrift,
    StackId, TargetSpec, clean, status_reason,
};

/// Readings that may find nothing right after the change set was created.
const UNSEEN: u32 = 5;

/// So few are looked at without a wait.
const FEW: usize = 10;

/// Findings of a validation that are repeated in a reason.
const MOST_ERRORS: usize = 10;

/// A change set as it was described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadChangeSet {
    /// The change set.
    pub id: ChangeSetId,
    /// Its stack.
    pub stack: StackId,
    /// Its status, such as `CREATE_COMPLETE`.
    pub status: String,
    /// What became of it. A set that is still being created counts as failed here.
    pub outcome: ChangeSetOutcome,
    /// Whether it can be executed now.
    pub executable: bool,
    /// Its execution status, such as `AVAILABLE` or `OBSOLETE`.
    pub execution_status: String,
    /// What it says of drift; it is a drift-aware one only where that is confirmed.
    pub drift: SetDrift,
    /// Every described change, sorted by logical id, those inside nested stacks by their path. Secrets are not
    /// masked yet.
    pub changes: Vec<ResourceChange>,
}

/// All pages of one reading.
struct Reading {
    head: DescribeChangeSetOutput,
    changes: Vec<Change>,
}

/// The reading with the values of properties, and the one without them where that one may lack something.
pub(super) struct WholeReading {
    values: Reading,
    plain: Option<Reading>,
}

impl Aws {
    /// Returns the change set once it is ready or failed.
    pub async fn await_change_set(
        &self,
        spec: &TargetSpec,
        id: &ChangeSetId,
    ) -> Result<ReadChangeSet, CallFailure> {
        let clock = Stopwatch::start();
        let watcher = self.watcher(&spec.target);
        let mut unseen = 0;
        // Once it has been reached, the endpoint is waited for as while watching.
        let mut priority = Priority::Read;
        // An emulator is done at once. Where many are waited for, a look that comes too early is one too many.
        let looks_at_once = watcher.others().anywhere < FEW;
        loop {
            if !looks_at_once || priority == Priority::Observe {
                self.change_sets().wait(clock, &watcher).await;
            }
            let page = self.described(spec, id, true, None, priority).await?;
            priority = Priority::Observe;
            match page {
                Some(head) => {
                    let status = status(&head);
                    if matches!(status, "CREATE_COMPLETE" | "FAILED") {
                        self.change_sets().note(clock.elapsed());
                        return Box::pin(self.finish_reading(spec, id, head)).await;
                    }
                    if status.starts_with("DELETE_") {
                        return Err(self.gone(spec, id));
                    }
                }
                None => {
                    unseen += 1;
                    if unseen >= UNSEEN {
                        return Err(self.gone(spec, id));
                    }
                }
            }
        }
    }

    /// Returns the change set as it is now, or `None` if it is gone.
    pub async fn read_change_set(
        &self,
        spec: &TargetSpec,
        id: &ChangeSetId,
    ) -> Result<Option<ReadChangeSet>, CallFailure> {
        match self.described(spec, id, true, None, Priority::Read).await? {
            Some(head) if status(&head).starts_with("DELETE_") => Ok(None),
            Some(head) => Box::pin(self.finish_reading(spec, id, head))
                .await
                .map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn gone(&self, spec: &TargetSpec, id: &ChangeSetId) -> CallFailure {
        let place = spec.target.place();
        self.attempted("DescribeChangeSet", &place, Effect::Repeatable)
            .failure(
                FailureKind::NotFound,
                format!("change set {id} does not exist"),
            )
    }

    /// Returns one page, or `None` if there is no such change set.
    pub(super) async fn described(
        &self,
        spec: &TargetSpec,
        id: &ChangeSetId,
        with_values: bool,
        page: Option<&str>,
        priority: Priority,
    ) -> Result<Option<DescribeChangeSetOutput>, CallFailure> {
        let reply = self
            .call(Call::read("DescribeChangeSet", priority), spec, |client| {
                client
                    .describe_change_set()
                    .change_set_name(id.as_str())
                    .set_include_property_values(with_values.then_some(true))
                    .set_next_token(page.map(str::to_owned))
                    .send()
            })
            .await;
        match reply {
            Ok(page) => {
                let named = [page.change_set_id(), page.stack_id()];
                self.check_place("DescribeChangeSet", spec, named)?;
                Ok(Some(page))
            }
            Err(CallFailure {
                kind: FailureKind::NotFound,
                ..
            }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Returns the reading that `head` is the first page of.
    async fn all_pages(
        &self,
        spec: &TargetSpec,
        id: &ChangeSetId,
        with_values: bool,
        mut head: DescribeChangeSetOutput,
    ) -> Result<Reading, CallFailure> {
        let mut changes = head.changes.take().unwrap_or_default();
        let mut next = head.next_token.take();
        while let Some(token) = next {
            let page = self
                .described(spec, id, with_values, Some(&token), Priority::Read)
                .await?
                .ok_or_else(|| self.gone(spec, id))?;
            changes.extend(page.changes.unwrap_or_default());
            next = page.next_token.filter(|t| *t != token);
        }
        Ok(Reading { head, changes })
    }

    /// Returns both readings of the change set, or the one that is enough; `head` is the first page of the one with values.
    pub(super) async fn whole_reading(
        &self,
        spec: &TargetSpec,
        id: &ChangeSetId,
        head: DescribeChangeSetOutput,
    ) -> Result<WholeReading, CallFailure> {
        let values = self.all_pages(spec, id, true, head).await?;
        let plain = if values.may_lack_something() {
            let head = self
                .described(spec, id, false, None, Priority::Read)
                .await?
                .ok_or_else(|| self.gone(spec, id))?;
            Some(self.all_pages(spec, id, false, head).await?)
        } else {
            None
        };
        Ok(WholeReading { values, plain })
    }

    /// Returns the whole change set, read again without values where the first reading needs it.
    async fn finish_reading(
        &self,
        spec: &TargetSpec,
        id: &ChangeSetId,
        head: DescribeChangeSetOutput,
    ) -> Result<ReadChangeSet, CallFailure> {
        let whole = self.whole_reading(spec, id, head).await?;
        let head = whole.head();
        let status = status(head).to_owned();
        let reason = head
            .status_reason()
            .filter(|r| !r.is_empty() && !status_reason::is_incomplete_reading(r));
        let mut outcome = match (status.as_str(), reason) {
            ("CREATE_COMPLETE", _) => ChangeSetOutcome::Ready,
            ("FAILED", Some(reason)) => status_reason::failed_change_set(reason),
            ("FAILED", None) => ChangeSetOutcome::Failed {
                reason: "the service gave no reason".to_owned(),
            },
            (other, _) => ChangeSetOutcome::Failed {
                reason: format!("the change set is in status {}", clean(other)),
            },
        };
        if let ChangeSetOutcome::Failed { reason } = &mut outcome
            && status_reason::is_told_by_events(reason)
        {
            let found = self.validation_errors(spec, id).await;
            if !found.is_empty() {
                *reason = format!("{reason} {}", found.join("; "));
            }
        }
        if let ChangeSetOutcome::Failed { reason } = &mut outcome {
            let outer = std::mem::take(reason);
            *reason = self.with_nested_reasons(spec, outer).await;
        }
        let execution_status = head.execution_status().map_or("", |s| s.as_str());
        let place = spec.target.place();
        let stack = head
            .stack_id()
            .and_then(|id| StackId::new(id).ok())
            .ok_or_else(|| {
                self.attempted("DescribeChangeSet", &place, Effect::Repeatable)
                    .failure(FailureKind::Refused, "the reply names no stack")
            })?;
        let mut changes = whole.changes();
        if outcome == ChangeSetOutcome::Ready {
            self.add_nested_changes(spec, &mut changes).await?;
        }
        changes.sort_by(|a, b| a.logical_id.cmp(&b.logical_id));
        Ok(ReadChangeSet {
            id: id.clone(),
            stack,
            executable: status == "CREATE_COMPLETE" && execution_status == "AVAILABLE",
            status,
            outcome,
            execution_status: clean(execution_status),
            drift: convert::drift::set(head),
            changes,
        })
    }
}

impl Aws {
    /// Returns what the validation of a change set found, one line each; nothing where it cannot be asked.
    pub(super) async fn validation_errors(
        &self,
        spec: &TargetSpec,
        id: &ChangeSetId,
    ) -> Vec<String> {
        let call = Call::read("DescribeEvents", Priority::Read);
        let reply = self
            .call(call, spec, |client| {
                client
                    .describe_events()
                    .change_set_name(id.as_str())
                    .filters(EventFilter::builder().failed_events(true).build())
                    .send()
            })
            .await;
        // The reason stands without them, and older endpoints do not know the call.
        let Ok(reply) = reply else { return Vec::new() };
        reply
            .operation_events()
            .iter()
            .filter_map(|event| {
                let said = event
                    .validation_status_reason()
                    .or(event.hook_status_reason())
                    .or(event.resource_status_reason())?;
                let place = event
                    .validation_path()
                    .or(event.logical_resource_id())
                    .unwrap_or("the template");
                Some(clean(&format!("{place}: {said}")))
            })
            .take(MOST_ERRORS)
            .collect()
    }
}

impl WholeReading {
    /// Returns what is said of the set. The plain reading is the later one, and its reason is never the warning about the
    /// other.
    pub(super) fn head(&self) -> &DescribeChangeSetOutput {
        self.plain.as_ref().map_or(&self.values.head, |r| &r.head)
    }

    /// Returns the changes, those of one reading completed by the other.
    pub(super) fn changes(&self) -> Vec<ResourceChange> {
        let changes = self.values.converted();
        match &self.plain {
            Some(plain) => convert::merged(changes, plain.converted()),
            None => changes,
        }
    }
}

impl Reading {
    fn may_lack_something(&self) -> bool {
        let reason = self.head.status_reason().unwrap_or_default();
        status_reason::is_incomplete_reading(reason)
            || match status(&self.head) {
                "FAILED" => reason.is_empty(),
                "CREATE_COMPLETE" => {
                    self.changes.is_empty() || self.changes.iter().any(convert::is_incomplete)
                }
                _ => false,
            }
    }

    fn converted(&self) -> Vec<ResourceChange> {
        self.changes.iter().filter_map(convert::change).collect()
    }
}

fn status(page: &DescribeChangeSetOutput) -> &str {
    page.status().map_or("", |s| s.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{CHANGE_SET, STACK, aws, change_set_id, spec};
    use super::super::scripted::{Reply, Scripted};
    use super::*;

    const WARNING: &str = "[WARN] --include-property-values option can return incomplete ChangeSet data because: \
        Logical Id: DataSource, failed property validation";

    fn page(status: &str, execution: &str, reason: &str, changes: &[String], next: &str) -> String {
        let optional = |tag: &str, text: &str| match text {
            "" => String::new(),
            text => format!("<{tag}>{text}</{tag}>"),
        };
        format!(
            "<ChangeSetId>{CHANGE_SET}</ChangeSetId><ChangeSetName>plan</ChangeSetName><StackId>{STACK}</StackId>\
             <Status>{status}</Status><ExecutionStatus>{execution}</ExecutionStatus>{}<Changes>{}</Changes>{}",
            optional("StatusReason", reason),
            changes.concat(),
            optional("NextToken", next),
        )
    }

    fn modify(id: &str, values: &str) -> String {
        format!(
            "<member><Type>Resource</Type><ResourceChange><Action>Modify</Action><LogicalResourceId>{id}</LogicalResourceId>\
             <ResourceType>AWS::SQS::Queue</ResourceType><Replacement>False</Replacement><Scope><member>Properties</member></Scope>\
             <Details><member><Target><Attribute>Properties</Attribute><Name>VisibilityTimeout</Name>\
             <RequiresRecreation>Never</RequiresRecreation>{values}</Target><Evaluation>Static</Evaluation>\
             <ChangeSource>DirectModification</ChangeSource></member></Details></ResourceChange></member>"
        )
    }

    fn ready(changes: &[String], next: &str) -> String {
        page("CREATE_COMPLETE", "AVAILABLE", "", changes, next)
    }

    fn ids(read: &ReadChangeSet) -> Vec<&str> {
        read.changes.iter().map(|c| c.logical_id.as_str()).collect()
    }

    async fn awaited(script: &Scripted) -> Result<ReadChangeSet, CallFailure> {
        aws(script)
            .await
            .await_change_set(&spec(), &change_set_id())
            .await
    }

    #[tokio::test(start_paused = true)]
    async fn all_pages_are_read_and_sorted() {
        let script = Scripted::new();
        script
            .ok(
                "DescribeChangeSet",
                &ready(&[modify("C", ""), modify("B", "")], "page-2"),
            )
            .ok("DescribeChangeSet", &ready(&[modify("D", "")], "page-3"))
            .ok("DescribeChangeSet", &ready(&[modify("A", "")], ""));
        let read = awaited(&script).await.unwrap();
        assert_eq!(ids(&read), ["A", "B", "C", "D"]);
        assert!(read.executable);
        let asked = script.requests();
        let pages: Vec<_> = asked.iter().map(|r| r.field("NextToken")).collect();
        assert_eq!(pages, ["", "page-2", "page-3"]);
        assert!(
            asked
                .iter()
                .all(|r| r.field("IncludePropertyValues") == "true")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_set_that_is_ready_at_once_costs_one_call() {
        let script = Scripted::new();
        script.ok(
            "DescribeChangeSet",
            &ready(&[modify("A", "<AfterValue>60</AfterValue>")], ""),
        );
        let read = awaited(&script).await.unwrap();
        assert_eq!(read.changes[0].details[0].after.as_deref(), Some("60"));
        assert_eq!(script.requests().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_drift_aware_set_says_is_read() {
        let values = "<BeforeValue>90</BeforeValue><AfterValue>30</AfterValue><BeforeValueFrom>ACTUAL_STATE</BeforeValueFrom>\
             <AfterValueFrom>TEMPLATE</AfterValueFrom><Drift><PreviousValue>30</PreviousValue><ActualValue>90</ActualValue>\
             <DriftDetectionTimestamp>2026-11-22T22:00:00Z</DriftDetectionTimestamp></Drift>";
        let about = "<DeploymentMode>REVERT_DRIFT</DeploymentMode><StackDriftStatus>DRIFTED</StackDriftStatus>";
        for (about, confirmed) in [(about, true), ("", false)] {
            let script = Scripted::new();
            let reply = ready(&[modify("Queue", values)], "") + about;
            script.ok("DescribeChangeSet", &reply);
            let read = awaited(&script).await.unwrap();
            assert_eq!(read.drift.is_confirmed, confirmed);
            assert_eq!(read.drift.stack.is_some(), confirmed);
            let drift = read.changes[0].details[0].drift.as_ref().unwrap();
            assert_eq!(drift.previous.as_deref(), Some("30"));
            assert_eq!(drift.actual.as_deref(), Some("90"));
            assert_eq!(drift.detected, "2026-11-22T22:00:00Z".parse().ok());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn resources_lost_by_property_values_are_read_without_them() {
        let script = Scripted::new();
        script
            .ok(
                "DescribeChangeSet",
                &page(
                    "CREATE_COMPLETE",
                    "AVAILABLE",
                    WARNING,
                    &[modify(
                        "Queue",
                        "<BeforeValue>30</BeforeValue><AfterValue>60</AfterValue>",
                    )],
                    "",
                ),
            )
            .ok(
                "DescribeChangeSet",
                &ready(&[modify("DataSource", "")], "2"),
            )
            .ok("DescribeChangeSet", &ready(&[modify("Queue", "")], ""));
        let read = awaited(&script).await.unwrap();
        assert_eq!(read.outcome, ChangeSetOutcome::Ready);
        assert_eq!(ids(&read), ["DataSource", "Queue"]);
        assert_eq!(read.changes[1].details.len(), 1);
        assert_eq!(read.changes[1].details[0].before.as_deref(), Some("30"));
        let asked: Vec<_> = script
            .requests()
            .iter()
            .map(|r| r.field("IncludePropertyValues").to_owned())
            .collect();
        assert_eq!(asked, ["true", "", ""]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_status_reason_is_read_without_values() {
        let script = Scripted::new();
        script
            .ok("DescribeChangeSet", &page("FAILED", "UNAVAILABLE", "", &[], ""))
            .ok("DescribeChangeSet", &page("FAILED", "UNAVAILABLE", "The submitted information didn't contain changes. Submit different information to create a change set.", &[], ""));
        let read = awaited(&script).await.unwrap();
        assert_eq!(read.outcome, ChangeSetOutcome::NoChanges);
        assert!(!read.executable);
        assert_eq!(script.requests().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_warning_is_never_taken_for_the_reason_of_a_failure() {
        let script = Scripted::new();
        script
            .ok(
                "DescribeChangeSet",
                &page("FAILED", "UNAVAILABLE", WARNING, &[], ""),
            )
            .ok(
                "DescribeChangeSet",
                &page(
                    "FAILED",
                    "UNAVAILABLE",
                    "Validation failed with 1 error(s).",
                    &[],
                    "",
                ),
            );
        let read = awaited(&script).await.unwrap();
        let reason = "Validation failed with 1 error(s).".to_owned();
        assert_eq!(read.outcome, ChangeSetOutcome::Failed { reason });
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_validation_says_what_it_found() {
        let script = Scripted::new();
        let said = "Validation failed with 1 error(s). Call DescribeEvents to see them.";
        script
            .ok("DescribeChangeSet", &page("FAILED", "UNAVAILABLE", said, &[], ""))
            .ok(
                "DescribeEvents",
                "<OperationEvents><member><EventId>e</EventId><LogicalResourceId>Logs</LogicalResourceId>\
                 <ValidationPath>/Resources/Logs/Properties/VersioningConfiguration</ValidationPath>\
                 <ValidationStatusReason>required key [Status] not found</ValidationStatusReason></member></OperationEvents>",
            );
        let read = awaited(&script).await.unwrap();
        let reason = format!(
            "{said} /Resources/Logs/Properties/VersioningConfiguration: required key [Status] not found"
        );
        assert_eq!(read.outcome, ChangeSetOutcome::Failed { reason });
        assert_eq!(
            script.requests_of("DescribeEvents")[0].field("Filters.FailedEvents"),
            "true"
        );

        let script = Scripted::new();
        script
            .ok(
                "DescribeChangeSet",
                &page("FAILED", "UNAVAILABLE", said, &[], ""),
            )
            .error("DescribeEvents", 501, "InternalFailure", "not emulated");
        let read = awaited(&script).await.unwrap();
        let reason = said.to_owned();
        assert_eq!(read.outcome, ChangeSetOutcome::Failed { reason });
    }

    #[tokio::test(start_paused = true)]
    async fn an_output_only_change_is_ready_without_changes() {
        let script = Scripted::new();
        script.ok("DescribeChangeSet", &ready(&[], ""));
        let read = awaited(&script).await.unwrap();
        assert_eq!(read.outcome, ChangeSetOutcome::Ready);
        assert!(read.executable && read.changes.is_empty());
        assert_eq!(script.requests().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_set_that_takes_a_minute_is_polled_less_and_less() {
        let script = Scripted::new();
        for _ in 0..60 {
            script.ok(
                "DescribeChangeSet",
                &page("CREATE_IN_PROGRESS", "UNAVAILABLE", "", &[], ""),
            );
        }
        script.on("DescribeChangeSet", Reply::NotConnected);
        script.ok("DescribeChangeSet", &ready(&[modify("A", "")], ""));
        let clock = Stopwatch::start();
        assert!(awaited(&script).await.unwrap().executable);
        assert!(clock.elapsed().as_secs() >= 10, "{:?}", clock.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_set_that_is_gone_is_told_from_one_that_is_not_visible_yet() {
        let script = Scripted::new();
        script
            .error(
                "DescribeChangeSet",
                404,
                "ChangeSetNotFound",
                "ChangeSet does not exist",
            )
            .ok("DescribeChangeSet", &ready(&[modify("A", "")], ""));
        assert!(awaited(&script).await.unwrap().executable);

        let script = Scripted::new();
        script.error(
            "DescribeChangeSet",
            404,
            "ChangeSetNotFound",
            "ChangeSet does not exist",
        );
        assert_eq!(
            awaited(&script).await.unwrap_err().kind,
            FailureKind::NotFound
        );
        let read = aws(&script)
            .await
            .read_change_set(&spec(), &change_set_id())
            .await;
        assert_eq!(read.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_obsolete_set_is_read_but_not_executable() {
        let script = Scripted::new();
        script.ok(
            "DescribeChangeSet",
            &page("CREATE_COMPLETE", "OBSOLETE", "", &[modify("A", "")], ""),
        );
        let aws = aws(&script).await;
        let read = aws
            .read_change_set(&spec(), &change_set_id())
            .await
            .unwrap()
            .unwrap();
        assert!(!read.executable);
        assert_eq!(read.execution_status, "OBSOLETE");
    }
}
