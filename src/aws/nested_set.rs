//! Change sets of nested stacks, which the change set of the outermost one brings along.
//!
//! Which values of properties are secret is said by templates that are not at hand: whoever stores or shows them keeps only
//! those that rules judge.

use std::collections::{BTreeSet, VecDeque};

use super::connection::Aws;
use super::failure::Effect;
use crate::model::{
    CallFailure, ChangeSetId, ChangeSetOutcome, FailureKind, LogicalId, Priority, ResourceChange,
    TargetSpec, clean, status_reason,
};

/// Change sets in change sets that are followed for a reason.
const DEEPEST: usize = 8;

impl Aws {
    /// Adds the changes inside nested stacks, at every depth, each named by its path: `Network/Subnets/First`.
    ///
    /// All of them or none: a change that cannot be read is a failure, since it would be executed unseen.
    pub(super) async fn add_nested_changes(
        &self,
        spec: &TargetSpec,
        changes: &mut Vec<ResourceChange>,
    ) -> Result<(), CallFailure> {
        let mut seen = BTreeSet::new();
        let mut inside: VecDeque<(LogicalId, ChangeSetId)> = nested(changes).collect();
        while let Some((path, id)) = inside.pop_front() {
            if !seen.insert(id.clone()) {
                continue;
            }
            let mut found = self.nested_changes(spec, &path, &id).await?;
            for change in &mut found {
                // A path of visible texts is one.
                if let Ok(whole) = LogicalId::new(format!("{path}/{}", change.logical_id)) {
                    change.logical_id = whole;
                }
            }
            inside.extend(nested(&found));
            changes.append(&mut found);
        }
        Ok(())
    }

    async fn nested_changes(
        &self,
        spec: &TargetSpec,
        path: &LogicalId,
        id: &ChangeSetId,
    ) -> Result<Vec<ResourceChange>, CallFailure> {
        let head = self
            .described(spec, id, true, None, Priority::Read)
            .await?
            .ok_or_else(|| self.gone(spec, id))?;
        let whole = self.whole_reading(spec, id, head).await?;
        let head = whole.head();
        let status = head.status().map_or("", |s| s.as_str()).to_owned();
        let reason = head.status_reason().unwrap_or_default().to_owned();
        match status.as_str() {
            "CREATE_COMPLETE" => Ok(whole.changes()),
            "FAILED"
                if status_reason::failed_change_set(&reason) == ChangeSetOutcome::NoChanges =>
            {
                Ok(Vec::new())
            }
            other => {
                let place = spec.target.place();
                Err(self
                    .attempted("DescribeChangeSet", &place, Effect::Repeatable)
                    .failure(
                        FailureKind::Refused,
                        format!(
                            "the change set of nested stack {path} is in status {}, so its changes cannot be \
                             reviewed: {}",
                            clean(other),
                            clean(&reason)
                        ),
                    ))
            }
        }
    }

    /// Returns `reason` with what the nested change sets it names say, innermost last.
    pub(super) async fn with_nested_reasons(&self, spec: &TargetSpec, reason: String) -> String {
        let mut whole = reason;
        let blamed = |reason: &str| {
            let arn = status_reason::failed_nested_set(reason)?;
            ChangeSetId::new(arn).ok()
        };
        let mut next = blamed(&whole);
        for _ in 0..DEEPEST {
            let Some(id) = next.take() else {
                break;
            };
            // The reason stands without it.
            let Ok(Some(head)) = self.described(spec, &id, false, None, Priority::Read).await
            else {
                break;
            };
            let Some(inner) = head.status_reason().filter(|r| !r.is_empty()) else {
                break;
            };
            next = blamed(inner);
            whole = format!("{whole} There: {}", clean(inner));
            if status_reason::is_told_by_events(inner) {
                let found = self.validation_errors(spec, &id).await;
                if !found.is_empty() {
                    whole = format!("{whole} {}", found.join("; "));
                }
            }
        }
        whole
    }
}

/// Returns the nested stacks among `changes` that have change sets of their own.
fn nested(changes: &[ResourceChange]) -> impl Iterator<Item = (LogicalId, ChangeSetId)> + '_ {
    changes
        .iter()
        .filter_map(|change| Some((change.logical_id.clone(), change.nested.clone()?)))
}

#[cfg(test)]
mod tests {
    use super::super::ReadChangeSet;
    use super::super::fixture::{CHANGE_SET, STACK, aws, change_set_id, spec};
    use super::super::scripted::Scripted;
    use super::*;

    const CHILD: &str = "arn:aws:cloudformation:eu-west-1:111111111111:changeSet/plan-Network/c";
    const GRANDCHILD: &str = "arn:aws:cloudformation:eu-west-1:111111111111:changeSet/plan-Inner/g";

    fn change(id: &str, set: &str) -> String {
        let (kind, set) = match set {
            "" => ("AWS::SQS::Queue", String::new()),
            set => (
                "AWS::CloudFormation::Stack",
                format!("<ChangeSetId>{set}</ChangeSetId>"),
            ),
        };
        format!(
            "<member><Type>Resource</Type><ResourceChange><Action>Add</Action><LogicalResourceId>{id}</LogicalResourceId>\
             <ResourceType>{kind}</ResourceType>{set}</ResourceChange></member>"
        )
    }

    fn set(status: &str, reason: &str, changes: &[String], next: &str) -> String {
        format!(
            "<ChangeSetId>{CHANGE_SET}</ChangeSetId><StackId>{STACK}</StackId><Status>{status}</Status>\
             <ExecutionStatus>AVAILABLE</ExecutionStatus><StatusReason>{reason}</StatusReason>\
             <Changes>{}</Changes>{next}",
            changes.concat()
        )
    }

    async fn read(script: &Scripted) -> Result<ReadChangeSet, CallFailure> {
        let aws = aws(script).await;
        aws.await_change_set(&spec(), &change_set_id()).await
    }

    #[tokio::test(start_paused = true)]
    async fn changes_at_every_depth_are_read_and_named_by_their_path() {
        let script = Scripted::new();
        for reply in [
            set(
                "CREATE_COMPLETE",
                "",
                &[change("Topic", ""), change("Network", CHILD)],
                "",
            ),
            set(
                "CREATE_COMPLETE",
                "",
                &[change("Inner", GRANDCHILD)],
                "<NextToken>2</NextToken>",
            ),
            set("CREATE_COMPLETE", "", &[change("Queue", "")], ""),
            set("CREATE_COMPLETE", "", &[change("Deep", "")], ""),
        ] {
            script.ok("DescribeChangeSet", &reply);
        }
        let read = read(&script).await.unwrap();
        let ids: Vec<_> = read.changes.iter().map(|c| c.logical_id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "Network",
                "Network/Inner",
                "Network/Inner/Deep",
                "Network/Queue",
                "Topic"
            ]
        );
        let asked = script.requests();
        let asked: Vec<_> = asked
            .iter()
            .map(|r| (r.field("ChangeSetName"), r.field("IncludePropertyValues")))
            .collect();
        assert_eq!(
            asked,
            [
                (CHANGE_SET, "true"),
                (CHILD, "true"),
                (CHILD, "true"),
                (GRANDCHILD, "true")
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn values_come_along_and_what_they_leave_out_is_read_without_them() {
        let outer = set("CREATE_COMPLETE", "", &[change("Network", CHILD)], "");
        let group = change("Group", "").replace(
            "</ResourceChange>",
            "<AfterContext>{\"Properties\":{\"A\":1}}</AfterContext></ResourceChange>",
        );
        let warning = "[WARN] --include-property-values option can return incomplete ChangeSet data because: \
            Logical Id: Other, failed property validation";
        let script = Scripted::new();
        script
            .ok("DescribeChangeSet", &outer)
            .ok(
                "DescribeChangeSet",
                &set("CREATE_COMPLETE", warning, std::slice::from_ref(&group), ""),
            )
            .ok(
                "DescribeChangeSet",
                &set(
                    "CREATE_COMPLETE",
                    "",
                    &[change("Group", ""), change("Other", "")],
                    "",
                ),
            );
        let read = read(&script).await.unwrap();
        let told: Vec<_> = read
            .changes
            .iter()
            .map(|c| (c.logical_id.as_str(), c.after.is_some()))
            .collect();
        assert_eq!(
            told,
            [
                ("Network", false),
                ("Network/Group", true),
                ("Network/Other", false)
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_set_that_names_itself_ends() {
        let script = Scripted::new();
        script.ok(
            "DescribeChangeSet",
            &set("CREATE_COMPLETE", "", &[change("Network", CHILD)], ""),
        );
        assert_eq!(read(&script).await.unwrap().changes.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_reviewed_is_a_failure() {
        let outer = set("CREATE_COMPLETE", "", &[change("Network", CHILD)], "");
        let script = Scripted::new();
        script
            .ok("DescribeChangeSet", &outer)
            .ok("DescribeChangeSet", &set("DELETE_FAILED", "odd", &[], ""));
        let failure = read(&script).await.unwrap_err();
        assert!(
            failure.message.contains("nested stack Network"),
            "{failure}"
        );
        let script = Scripted::new();
        script.ok("DescribeChangeSet", &outer).error(
            "DescribeChangeSet",
            404,
            "ChangeSetNotFound",
            "gone",
        );
        assert_eq!(read(&script).await.unwrap_err().kind, FailureKind::NotFound);
        // One without changes has none to review.
        let script = Scripted::new();
        let reason = "The submitted information didn't contain changes.";
        script
            .ok("DescribeChangeSet", &outer)
            .ok("DescribeChangeSet", &set("FAILED", reason, &[], ""));
        assert_eq!(read(&script).await.unwrap().changes.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_reason_of_a_nested_set_is_told_with_the_outer_one() {
        let script = Scripted::new();
        let named = |id: &str| {
            format!("Nested change set {id} was not successfully created: Currently in FAILED.")
        };
        script
            .ok("DescribeChangeSet", &set("FAILED", &named(CHILD), &[], ""))
            .ok(
                "DescribeChangeSet",
                &set("FAILED", &named(GRANDCHILD), &[], ""),
            )
            .ok(
                "DescribeChangeSet",
                &set("FAILED", "no such property", &[], ""),
            );
        let outcome = read(&script).await.unwrap().outcome;
        let ChangeSetOutcome::Failed { reason } = outcome else {
            panic!("{outcome:?}");
        };
        assert!(reason.starts_with(&named(CHILD)), "{reason}");
        assert!(reason.ends_with("There: no such property"), "{reason}");
    }
}
