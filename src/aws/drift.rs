//! What was changed outside CloudFormation, as drift detection finds it.

use std::time::Duration;

use aws_sdk_cloudformation::types as sdk;

use super::cadence::{self, Stopwatch};
use super::call::Call;
use super::connection::Aws;
use super::convert;
use super::failure::Effect;
use crate::model::{
    CallFailure, ChangeAction, ChangeDetail, ChangeScope, DriftStatus, FailureKind, Priority,
    Recreation, Replacement, ResourceChange, ResourceDrift, StackId, TargetSpec, clean,
};

/// How long a detection is waited for. The service gives none up that long before.
const LONGEST: Duration = Duration::from_secs(2 * 60 * 60);

/// What a detection found in a stack. Values are as the service gave them: nothing is masked yet.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectedDrift {
    /// The resources that were modified or deleted, as changes from what is expected to what is there.
    pub drifted: Vec<ResourceChange>,
    /// Why the detection failed for some resources, where it did.
    pub failure: Option<String>,
}

impl Aws {
    /// Detects the drift of a stack, and waits until that has ended.
    pub async fn detect_drift(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
    ) -> Result<DetectedDrift, CallFailure> {
        // It changes nothing but what the service knows.
        let call = Call::read("DetectStackDrift", Priority::Read);
        let reply = self
            .call(call, spec, |client| {
                client
                    .detect_stack_drift()
                    .stack_name(stack.as_str())
                    .send()
            })
            .await?;
        let Some(id) = reply.stack_drift_detection_id else {
            return Err(self.unusable(spec, "DetectStackDrift", "the reply names no detection"));
        };
        let failure = self.await_detection(spec, &id, LONGEST).await?;
        Ok(DetectedDrift {
            drifted: self.drifted_resources(spec, stack).await?,
            failure,
        })
    }

    fn unusable(&self, spec: &TargetSpec, operation: &'static str, why: &str) -> CallFailure {
        let place = spec.target.place();
        self.attempted(operation, &place, Effect::Repeatable)
            .failure(FailureKind::Refused, why)
    }

    /// Waits until a detection has ended; returns why it failed, if it did.
    async fn await_detection(
        &self,
        spec: &TargetSpec,
        id: &str,
        longest: Duration,
    ) -> Result<Option<String>, CallFailure> {
        const OPERATION: &str = "DescribeStackDriftDetectionStatus";
        let clock = Stopwatch::start();
        let watcher = self.watcher(&spec.target);
        loop {
            let pause = cadence::poll(clock.elapsed(), watcher.others(), None, cadence::jitter());
            cadence::pause(pause).await;
            let reply = self
                .call(
                    Call::read("DescribeStackDriftDetectionStatus", Priority::Observe),
                    spec,
                    |client| {
                        client
                            .describe_stack_drift_detection_status()
                            .stack_drift_detection_id(id)
                            .send()
                    },
                )
                .await?;
            match reply.detection_status().map_or("", |s| s.as_str()) {
                "DETECTION_COMPLETE" => return Ok(None),
                "DETECTION_FAILED" => {
                    let reason = reply.detection_status_reason();
                    let reason = reason.filter(|text| !text.is_empty());
                    return Ok(Some(clean(
                        reason.unwrap_or("the detection failed without a reason"),
                    )));
                }
                "DETECTION_IN_PROGRESS" if clock.elapsed() < longest => {}
                "DETECTION_IN_PROGRESS" => {
                    let why = format!("it has not ended in {} s", longest.as_secs());
                    return Err(self.unusable(spec, OPERATION, &why));
                }
                other => {
                    let why = format!("unknown detection status `{}`", clean(other));
                    return Err(self.unusable(spec, OPERATION, &why));
                }
            }
        }
    }

    async fn drifted_resources(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
    ) -> Result<Vec<ResourceChange>, CallFailure> {
        let mut drifted = Vec::new();
        let mut page: Option<String> = None;
        loop {
            let call = Call::read("DescribeStackResourceDrifts", Priority::Read);
            let reply = self
                .call(call, spec, |client| {
                    client
                        .describe_stack_resource_drifts()
                        .stack_name(stack.as_str())
                        .stack_resource_drift_status_filters(
                            sdk::StackResourceDriftStatus::Modified,
                        )
                        .stack_resource_drift_status_filters(sdk::StackResourceDriftStatus::Deleted)
                        .max_results(100)
                        .set_next_token(page.clone())
                        .send()
                })
                .await?;
            drifted.extend(reply.stack_resource_drifts().iter().filter_map(resource));
            match reply.next_token {
                Some(next) if page.as_ref() != Some(&next) => page = Some(next),
                _ => break,
            }
        }
        drifted.sort_by(|a: &ResourceChange, b| a.logical_id.cmp(&b.logical_id));
        Ok(drifted)
    }
}

/// Returns a drifted resource as a change from what is expected to what is there, or `None` if it has not drifted.
fn resource(drift: &sdk::StackResourceDrift) -> Option<ResourceChange> {
    let status = match drift.stack_resource_drift_status()?.as_str() {
        "MODIFIED" => DriftStatus::Modified,
        "DELETED" => DriftStatus::Deleted,
        // Some endpoints list all resources.
        _ => return None,
    };
    Some(ResourceChange {
        logical_id: convert::logical_id(drift.logical_resource_id())?,
        resource_type: clean(drift.resource_type().unwrap_or_default()),
        physical_id: None,
        action: ChangeAction::Modify,
        replacement: Replacement::No,
        policy_action: None,
        scope: vec![ChangeScope::Properties],
        details: drift
            .property_differences()
            .iter()
            .map(difference)
            .collect(),
        before: None,
        after: None,
        nested: None,
        module: None,
        drift: Some(ResourceDrift {
            status: Some(status),
            ignored: Vec::new(),
        }),
    })
}

fn difference(difference: &sdk::PropertyDifference) -> ChangeDetail {
    let kind = difference
        .difference_type()
        .map_or("", |kind| kind.as_str());
    // What is not there is told as the text `null`.
    let side =
        |text: Option<&str>, absent: &str| text.filter(|_| kind != absent).map(str::to_owned);
    let path = clean(difference.property_path().unwrap_or_default());
    ChangeDetail {
        attribute: Some(ChangeScope::Properties),
        name: None,
        path: Some(format!("/Properties/{}", path.trim_start_matches('/'))),
        recreation: Recreation::Never,
        before: side(difference.expected_value(), "ADD"),
        after: side(difference.actual_value(), "REMOVE"),
        evaluation: None,
        source: None,
        causing_entity: None,
        drift: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{STACK, aws, spec, stack_id};
    use super::super::scripted::Scripted;
    use super::*;

    const BEGUN: &str = "<StackDriftDetectionId>d-1</StackDriftDetectionId>";

    fn status(status: &str, more: &str) -> String {
        format!(
            "<StackId>{STACK}</StackId><StackDriftDetectionId>d-1</StackDriftDetectionId>\
             <DetectionStatus>{status}</DetectionStatus>{more}<Timestamp>2026-11-22T22:00:00Z</Timestamp>"
        )
    }

    fn drift(id: &str, status: &str, differences: &str) -> String {
        format!(
            "<member><StackId>{STACK}</StackId><LogicalResourceId>{id}</LogicalResourceId><ResourceType>AWS::SQS::Queue</ResourceType>\
             <StackResourceDriftStatus>{status}</StackResourceDriftStatus><Timestamp>2026-11-22T22:00:00Z</Timestamp>\
             <PropertyDifferences>{differences}</PropertyDifferences></member>"
        )
    }

    fn property(path: &str, expected: &str, actual: &str, kind: &str) -> String {
        format!(
            "<member><PropertyPath>{path}</PropertyPath><ExpectedValue>{expected}</ExpectedValue>\
             <ActualValue>{actual}</ActualValue><DifferenceType>{kind}</DifferenceType></member>"
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_detection_is_waited_for_and_all_pages_of_it_are_read() {
        let script = Scripted::new();
        let page = |members: String, next: &str| {
            format!("<StackResourceDrifts>{members}</StackResourceDrifts>{next}")
        };
        let differences = property("/VisibilityTimeout", "30", "90", "NOT_EQUAL")
            + &property("/Tags/0", "null", "{\"Key\":\"a\"}", "ADD")
            + &property("/DelaySeconds", "5", "null", "REMOVE");
        script
            .ok("DetectStackDrift", BEGUN)
            .ok(
                "DescribeStackDriftDetectionStatus",
                &status("DETECTION_IN_PROGRESS", ""),
            )
            .ok(
                "DescribeStackDriftDetectionStatus",
                &status("DETECTION_IN_PROGRESS", ""),
            )
            .ok(
                "DescribeStackDriftDetectionStatus",
                &status("DETECTION_COMPLETE", ""),
            )
            .ok(
                "DescribeStackResourceDrifts",
                &page(
                    drift("Queue", "MODIFIED", &differences),
                    "<NextToken>2</NextToken>",
                ),
            )
            .ok(
                "DescribeStackResourceDrifts",
                &page(
                    drift("Gone", "DELETED", "") + &drift("Same", "IN_SYNC", ""),
                    "",
                ),
            );
        let found = aws(&script)
            .await
            .detect_drift(&spec(), &stack_id())
            .await
            .unwrap();
        assert_eq!(found.failure, None);
        let names: Vec<_> = found
            .drifted
            .iter()
            .map(|r| r.logical_id.as_str())
            .collect();
        assert_eq!(names, ["Gone", "Queue"]);
        let details: Vec<_> = found.drifted[1]
            .details
            .iter()
            .map(|d| {
                (
                    d.path.as_deref().unwrap(),
                    d.before.as_deref(),
                    d.after.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            details,
            [
                ("/Properties/VisibilityTimeout", Some("30"), Some("90")),
                ("/Properties/Tags/0", None, Some("{\"Key\":\"a\"}")),
                ("/Properties/DelaySeconds", Some("5"), None),
            ]
        );
        let asked = script.requests_of("DescribeStackResourceDrifts");
        assert_eq!(
            asked[0].field("StackResourceDriftStatusFilters.member.1"),
            "MODIFIED"
        );
        assert_eq!(asked[1].field("NextToken"), "2");
    }

    #[tokio::test(start_paused = true)]
    async fn a_detection_that_fails_tells_why_and_what_it_found() {
        let script = Scripted::new();
        let why =
            "<DetectionStatusReason>Failed to detect drift on resource [R]</DetectionStatusReason>";
        script
            .ok("DetectStackDrift", BEGUN)
            .ok(
                "DescribeStackDriftDetectionStatus",
                &status("DETECTION_FAILED", why),
            )
            .ok(
                "DescribeStackResourceDrifts",
                &format!(
                    "<StackResourceDrifts>{}</StackResourceDrifts>",
                    drift("Queue", "MODIFIED", "")
                ),
            );
        let found = aws(&script)
            .await
            .detect_drift(&spec(), &stack_id())
            .await
            .unwrap();
        assert_eq!(
            found.failure.as_deref(),
            Some("Failed to detect drift on resource [R]")
        );
        assert_eq!(found.drifted.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_status_of_the_future_and_a_detection_without_end_are_told() {
        let script = Scripted::new();
        script.ok("DetectStackDrift", BEGUN).ok(
            "DescribeStackDriftDetectionStatus",
            &status("DETECTION_PONDERS", ""),
        );
        let failure = aws(&script)
            .await
            .detect_drift(&spec(), &stack_id())
            .await
            .unwrap_err();
        assert!(failure.message.contains("DETECTION_PONDERS"), "{failure}");
        let script = Scripted::new();
        for _ in 0..20 {
            script.ok(
                "DescribeStackDriftDetectionStatus",
                &status("DETECTION_IN_PROGRESS", ""),
            );
        }
        let longest = Duration::from_secs(1);
        let aws = aws(&script).await;
        let waited = aws.await_detection(&spec(), "d-1", longest).await;
        let failure = waited.unwrap_err();
        assert!(failure.message.contains("not ended in 1 s"), "{failure}");
    }
}
