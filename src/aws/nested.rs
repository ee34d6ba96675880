//! What happened inside nested stacks.

use jiff::Timestamp;

use super::call::Call;
use super::connection::Aws;
use crate::model::{Cause, LogicalId, Priority, StackEvent, StackId, TargetSpec, status_reason};

/// Stacks inside stacks that are followed. CloudFormation has no limit of its own.
const DEEPEST: usize = 8;

const STACK: &str = "AWS::CloudFormation::Stack";

/// Returns the cause that a failed resource is.
pub(super) fn blame(event: &StackEvent) -> Cause {
    let reason = event.reason.as_deref().unwrap_or_default();
    Cause {
        resource: Some((event.logical_id.clone(), event.resource_type.clone())),
        reason: if reason.is_empty() {
            format!("{} without a reason", event.status)
        } else {
            reason.to_owned()
        },
    }
}

/// Returns whether what failed is a nested stack.
pub(super) fn is_nested(event: &StackEvent) -> bool {
    event.resource_type == STACK
}

/// Returns whether a resource failed of itself.
pub(super) fn is_root(event: &StackEvent) -> bool {
    let reason = event.reason.as_deref().unwrap_or_default();
    event.is_failure() && !status_reason::is_secondary(reason)
}

/// Returns whether an event is of the stack itself, which some endpoints name by its name where AWS has its ARN.
fn is_own(event: &StackEvent, stack: &StackId) -> bool {
    event.is_of_stack(stack)
        || event
            .physical_id
            .as_deref()
            .is_some_and(|id| id.contains(&format!(":stack/{stack}/")))
}

impl Aws {
    /// Returns the first failure inside the nested stack that `failed` in `parent`, and in the stacks inside it;
    /// `failed` itself only says that something in there failed.
    ///
    /// Resources are named by their path, `Network/Subnets/First`. Where the events cannot be read, what is
    /// known from outside stands.
    pub(super) async fn innermost(
        &self,
        spec: &TargetSpec,
        parent: &StackId,
        failed: &StackEvent,
        since: Timestamp,
    ) -> Cause {
        let mut cause = blame(failed);
        let mut parent = parent.clone();
        let mut failed = failed.clone();
        for _ in 0..DEEPEST {
            if !is_nested(&failed) {
                break;
            }
            let Some(stack) = self.stack_of(spec, &parent, &failed).await else {
                break;
            };
            let Ok(events) = self
                .events_from(spec, &stack, since, Priority::Outcome)
                .await
            else {
                break;
            };
            let mut events = events.into_iter();
            let Some(event) = events.find(|e| !is_own(e, &stack) && is_root(e)) else {
                break;
            };
            let mut found = blame(&event);
            if let (Some((path, _)), Some((id, _))) = (&cause.resource, &mut found.resource)
                && let Ok(path) = LogicalId::new(format!("{path}/{id}"))
            {
                *id = path;
            }
            cause = found;
            parent = stack;
            failed = event;
        }
        cause
    }

    /// Returns the nested stack that an event of `parent` is about.
    async fn stack_of(
        &self,
        spec: &TargetSpec,
        parent: &StackId,
        event: &StackEvent,
    ) -> Option<StackId> {
        if let Some(id) = event.physical_id.as_deref().filter(|id| !id.is_empty()) {
            return StackId::new(id).ok();
        }
        // Not every endpoint says it in the event of a failure.
        let call = Call::read("DescribeStackResource", Priority::Outcome);
        let reply = self.call(call, spec, |client| {
            client
                .describe_stack_resource()
                .stack_name(parent.as_str())
                .logical_resource_id(event.logical_id.as_str())
                .send()
        });
        let detail = reply.await.ok()?.stack_resource_detail?;
        StackId::new(detail.physical_resource_id?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{STACK as PARENT, aws, spec, stack_id, stacks};
    use super::super::scripted::Scripted;
    use super::*;
    use crate::aws::Settled;

    const CHILD: &str = "arn:aws:cloudformation:eu-west-1:111111111111:stack/app-Network/c";
    const GRANDCHILD: &str =
        "arn:aws:cloudformation:eu-west-1:111111111111:stack/app-Network-Inner/g";

    /// An event at a second: its resource, physical id, type, status and reason.
    fn event(
        at: u32,
        (name, physical, kind, status, reason): (&str, &str, &str, &str, &str),
    ) -> String {
        format!(
            "<member><EventId>{physical}-{at}</EventId><Timestamp>2026-01-01T00:00:{at:02}Z</Timestamp>\
             <LogicalResourceId>{name}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>\
             <ResourceType>{kind}</ResourceType><ResourceStatus>{status}</ResourceStatus>\
             <ResourceStatusReason>{reason}</ResourceStatusReason></member>"
        )
    }

    fn page(newest_first: &[String], next: &str) -> String {
        format!("<StackEvents>{}</StackEvents>{next}", newest_first.concat())
    }

    fn parent() -> String {
        page(
            &[
                event(9, ("app", PARENT, STACK, "UPDATE_ROLLBACK_COMPLETE", "")),
                event(
                    7,
                    (
                        "Network",
                        CHILD,
                        STACK,
                        "UPDATE_FAILED",
                        "Embedded stack was not successfully updated",
                    ),
                ),
                event(
                    2,
                    ("app", PARENT, STACK, "UPDATE_IN_PROGRESS", "User Initiated"),
                ),
            ],
            "",
        )
    }

    async fn settled(script: &Scripted) -> Settled {
        script.ok("DescribeStacks", &stacks("UPDATE_ROLLBACK_COMPLETE"));
        let aws = aws(script).await;
        let settled = aws.watch(&spec(), &stack_id(), "t", None, true, drop).await;
        settled.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_cause_is_found_at_the_bottom_and_named_by_its_path() {
        let script = Scripted::new();
        let inner = (
            "Inner",
            GRANDCHILD,
            STACK,
            "CREATE_FAILED",
            "Embedded stack was not successfully created",
        );
        script
            .ok("DescribeStackEvents", &parent())
            .ok(
                "DescribeStackEvents",
                &page(&[event(6, inner)], "<NextToken>more</NextToken>"),
            )
            // What failed before this operation is not its cause.
            .ok(
                "DescribeStackEvents",
                &page(
                    &[
                        event(
                            5,
                            (
                                "Other",
                                "o",
                                "AWS::SNS::Topic",
                                "CREATE_FAILED",
                                "Resource creation cancelled",
                            ),
                        ),
                        event(
                            1,
                            ("Old", "x", "AWS::SNS::Topic", "CREATE_FAILED", "long ago"),
                        ),
                    ],
                    "<NextToken>older</NextToken>",
                ),
            )
            .ok(
                "DescribeStackEvents",
                &page(
                    &[
                        event(5, ("inner", GRANDCHILD, STACK, "CREATE_FAILED", "its own")),
                        event(
                            4,
                            ("Queue", "q", "AWS::SQS::Queue", "CREATE_FAILED", "no room"),
                        ),
                    ],
                    "",
                ),
            );
        let cause = settled(&script).await.cause.unwrap();
        let (path, kind) = cause.resource.unwrap();
        assert_eq!(
            (path.as_str(), kind.as_str()),
            ("Network/Inner/Queue", "AWS::SQS::Queue")
        );
        assert_eq!(cause.reason, "no room");
        let asked = script.requests_of("DescribeStackEvents");
        let asked: Vec<_> = asked
            .iter()
            .map(|r| r.field("StackName").to_owned())
            .collect();
        assert_eq!(asked, [PARENT, CHILD, CHILD, GRANDCHILD]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_does_not_say_which_stack_is_asked() {
        let script = Scripted::new();
        script
            .ok("DescribeStackEvents", &parent().replace(CHILD, ""))
            .ok(
                "DescribeStackResource",
                "<StackResourceDetail><PhysicalResourceId>app-Network</PhysicalResourceId></StackResourceDetail>",
            )
            .ok(
                "DescribeStackEvents",
                &page(
                    &[
                        event(4, ("app-Network", CHILD, STACK, "UPDATE_FAILED", "its own")),
                        event(5, ("Queue", "q", "AWS::SQS::Queue", "UPDATE_FAILED", "no room")),
                    ],
                    "",
                ),
            );
        let cause = settled(&script).await.cause.unwrap();
        assert_eq!(cause.resource.unwrap().0.as_str(), "Network/Queue");
        assert_eq!(
            script.requests_of("DescribeStackEvents")[1].field("StackName"),
            "app-Network"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn where_the_inside_cannot_be_read_the_outside_stands() {
        let script = Scripted::new();
        script.ok("DescribeStackEvents", &parent()).error(
            "DescribeStackEvents",
            403,
            "AccessDenied",
            "no",
        );
        let cause = settled(&script).await.cause.unwrap();
        assert_eq!(cause.resource.unwrap().0.as_str(), "Network");
        assert_eq!(cause.reason, "Embedded stack was not successfully updated");
    }
}
