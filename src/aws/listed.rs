//! The change sets that a stack has.

use aws_sdk_cloudformation::types::ChangeSetSummary;

use jiff::Timestamp;

use super::call::Call;
use super::connection::Aws;
use super::convert;
use crate::model::{CallFailure, ChangeSetId, Priority, StackId, TargetSpec, clean};

/// A change set in the list of its stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedChangeSet {
    /// Its ARN.
    pub id: ChangeSetId,
    /// Its name.
    pub name: String,
    /// Its status, such as `CREATE_COMPLETE`.
    pub status: String,
    /// Whether it can be or was executed, such as `AVAILABLE`.
    pub execution_status: String,
    /// When it was made, where the endpoint says so.
    pub created: Option<Timestamp>,
}

impl ListedChangeSet {
    /// Returns whether the service works on it now: it is made, executed or deleted.
    pub fn is_under_way(&self) -> bool {
        [&self.status, &self.execution_status]
            .iter()
            .any(|status| status.ends_with("_IN_PROGRESS") || status.ends_with("_PENDING"))
    }

    /// Returns whether it was executed, and is kept as history.
    pub fn was_executed(&self) -> bool {
        self.execution_status.starts_with("EXECUTE_") && !self.is_under_way()
    }
}

impl Aws {
    /// Returns the change sets of a stack. Some endpoints leave out those that failed.
    pub async fn listed_change_sets(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
    ) -> Result<Vec<ListedChangeSet>, CallFailure> {
        let mut listed = self.summaries(spec, stack.as_str(), stack).await?;
        // As where a stack in review is removed: an emulator may list nothing where a stack is named by its ARN. A stack that
        // has its name since may be another one, so each has to say whose it is.
        if listed.is_empty() && self.has_own_endpoint() {
            let name = spec.target.stack.as_str();
            listed = self.summaries(spec, name, stack).await?;
            listed.retain(|one| one.stack_id() == Some(stack.as_str()));
        }
        let listed = listed.iter().filter_map(|one| {
            let id = one.change_set_id()?;
            Some(ListedChangeSet {
                id: ChangeSetId::new(id).ok()?,
                name: clean(one.change_set_name().unwrap_or_default()),
                status: clean(one.status().map_or("", |s| s.as_str())),
                execution_status: clean(one.execution_status().map_or("", |s| s.as_str())),
                created: one.creation_time().and_then(convert::timestamp),
            })
        });
        Ok(listed.collect())
    }

    /// Returns the change sets of `stack`, page by page, from the list of the stack that is `named`.
    pub(super) async fn summaries(
        &self,
        spec: &TargetSpec,
        named: &str,
        stack: &StackId,
    ) -> Result<Vec<ChangeSetSummary>, CallFailure> {
        let mut all = Vec::new();
        let mut page: Option<String> = None;
        loop {
            let call = Call::read("ListChangeSets", Priority::Read);
            let reply = self
                .call(call, spec, |client| {
                    client
                        .list_change_sets()
                        .stack_name(named)
                        .set_next_token(page.clone())
                        .send()
                })
                .await?;
            let mut summaries = reply.summaries.unwrap_or_default();
            // Some endpoints list the change sets of all stacks.
            summaries.retain(|one| one.stack_id().is_none_or(|id| id == stack.as_str()));
            let named = summaries
                .iter()
                .flat_map(|one| [one.change_set_id(), one.stack_id()]);
            self.check_place(call.operation, spec, named)?;
            all.extend(summaries);
            match reply.next_token {
                Some(next) if page.as_ref() != Some(&next) => page = Some(next),
                _ => return Ok(all),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{CHANGE_SET, aws, spec, stack_id};
    use super::super::scripted::Scripted;
    use super::*;

    fn member(id: &str, stack: &str, status: &str) -> String {
        format!(
            "<member><ChangeSetId>{id}</ChangeSetId><ChangeSetName>plan</ChangeSetName><StackId>{stack}</StackId>\
             <Status>CREATE_COMPLETE</Status><ExecutionStatus>{status}</ExecutionStatus></member>"
        )
    }

    #[tokio::test(start_paused = true)]
    async fn every_page_is_read_and_other_stacks_are_left_out() {
        let script = Scripted::new();
        let stack = stack_id();
        let page = |members: String, next: &str| format!("<Summaries>{members}</Summaries>{next}");
        let first = member(CHANGE_SET, stack.as_str(), "AVAILABLE");
        let other = member(&format!("{CHANGE_SET}2"), &format!("{stack}2"), "AVAILABLE");
        let last = member(&format!("{CHANGE_SET}3"), stack.as_str(), "EXECUTE_FAILED");
        script
            .ok(
                "ListChangeSets",
                &page(first + &other, "<NextToken>2</NextToken>"),
            )
            .ok("ListChangeSets", &page(last, ""));
        let listed = aws(&script)
            .await
            .listed_change_sets(&spec(), &stack)
            .await
            .unwrap();
        let facts: Vec<_> = listed
            .iter()
            .map(|one| {
                (
                    one.execution_status.as_str(),
                    one.was_executed(),
                    one.is_under_way(),
                )
            })
            .collect();
        assert_eq!(
            facts,
            [("AVAILABLE", false, false), ("EXECUTE_FAILED", true, false)]
        );
    }

    #[test]
    fn what_the_service_works_on_is_told_from_what_rests() {
        let of = |status: &str, execution: &str| ListedChangeSet {
            id: super::super::fixture::change_set_id(),
            name: "plan".into(),
            status: status.into(),
            execution_status: execution.into(),
            created: None,
        };
        for (status, execution, under_way, executed) in [
            ("CREATE_IN_PROGRESS", "UNAVAILABLE", true, false),
            ("CREATE_COMPLETE", "EXECUTE_IN_PROGRESS", true, false),
            ("DELETE_PENDING", "AVAILABLE", true, false),
            ("CREATE_COMPLETE", "EXECUTE_COMPLETE", false, true),
            ("FAILED", "UNAVAILABLE", false, false),
            ("CREATE_COMPLETE", "OBSOLETE", false, false),
        ] {
            let set = of(status, execution);
            assert_eq!(
                (set.is_under_way(), set.was_executed()),
                (under_way, executed),
                "{status} {execution}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_lists_nothing_by_arn_is_asked_by_name_and_has_to_say_whose_they_are()
    {
        let script = Scripted::new();
        let stack = stack_id();
        let page = |members: String| format!("<Summaries>{members}</Summaries>");
        let own = member(CHANGE_SET, stack.as_str(), "AVAILABLE");
        let other = member(&format!("{CHANGE_SET}2"), &format!("{stack}2"), "AVAILABLE");
        let nobodys = member(&format!("{CHANGE_SET}3"), "", "AVAILABLE");
        let nobodys = nobodys.replace("<StackId></StackId>", "");
        script
            .ok("ListChangeSets", &page(String::new()))
            .ok("ListChangeSets", &page(own + &other + &nobodys));
        let aws = aws(&script).await;
        let listed = aws.listed_change_sets(&spec(), &stack).await.unwrap();
        let ids: Vec<&str> = listed.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids, [CHANGE_SET]);
        let asked = script.requests_of("ListChangeSets");
        let names: Vec<&str> = asked.iter().map(|one| one.field("StackName")).collect();
        assert_eq!(names, [stack.as_str(), "app"]);
    }
}
