//! Stacks: what they are, what happened to them, and the removal of empty ones that are ours.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{ChangeSetSummary, TemplateStage};
use jiff::Timestamp;

use super::call::Call;
use super::connection::Aws;
use super::convert;
use super::failure::Effect;
use crate::model::{
    CallFailure, ChangeSetId, FailureKind, Priority, StackEvent, StackId, StackName, StackStatus,
    StackSummary, TargetSpec, clean, newest_of,
};

/// A stack by its name, or by its ARN, which stays valid when the stack is gone.
#[derive(Debug, Clone, Copy)]
pub enum StackRef<'a> {
    /// The live stack of that name.
    Name(&'a StackName),
    /// The stack with that ARN.
    Id(&'a StackId),
}

/// What became of a stack in review that was to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone, or its removal was accepted.
    Yes,
    /// It stays, because it is not provably ours.
    Left {
        /// Why, in one line.
        why: String,
    },
}

impl Aws {
    /// Returns a stack, or `None` if there is none.
    pub async fn stack(
        &self,
        spec: &TargetSpec,
        by: StackRef<'_>,
        priority: Priority,
    ) -> Result<Option<StackSummary>, CallFailure> {
        let found = self.stack_and_parameters(spec, by, priority).await?;
        Ok(found.map(|(stack, _)| stack))
    }

    /// Returns a stack and the values of its parameters, or `None` if there is none. A secret value is what the service
    /// shows of it; some endpoints show all.
    pub async fn stack_and_parameters(
        &self,
        spec: &TargetSpec,
        by: StackRef<'_>,
        priority: Priority,
    ) -> Result<Option<(StackSummary, BTreeMap<String, String>)>, CallFailure> {
        let Some(stack) = self.sdk_stack(spec, by, priority).await? else {
            return Ok(None);
        };
        let place = spec.target.place();
        let summary = convert::stack(&stack).map_err(|why| {
            self.attempted("DescribeStacks", &place, Effect::Repeatable)
                .failure(FailureKind::Refused, why)
        })?;
        Ok(Some((summary, convert::parameters(&stack))))
    }

    pub(super) async fn sdk_stack(
        &self,
        spec: &TargetSpec,
        by: StackRef<'_>,
        priority: Priority,
    ) -> Result<Option<aws_sdk_cloudformation::types::Stack>, CallFailure> {
        let asked = match by {
            StackRef::Name(name) => name.as_str(),
            StackRef::Id(id) => id.as_str(),
        };
        let call = Call::read("DescribeStacks", priority);
        let reply = self
            .call(call, spec, |client| {
                client.describe_stacks().stack_name(asked).send()
            })
            .await;
        let reply = match reply {
            Ok(reply) => reply,
            Err(failure) if failure.kind == FailureKind::NotFound => return Ok(None),
            Err(failure) => return Err(failure),
        };
        // Some endpoints list more than was asked for.
        let mut stacks = reply.stacks.unwrap_or_default().into_iter();
        let found = stacks.find(|s| match by {
            StackRef::Name(name) => {
                s.stack_name() == Some(name.as_str())
                    && s.stack_status()
                        .is_none_or(|s| s.as_str() != "DELETE_COMPLETE")
            }
            StackRef::Id(id) => s.stack_id() == Some(id.as_str()),
        });
        let named = found.as_ref().map(|stack| stack.stack_id());
        self.check_place("DescribeStacks", spec, named)?;
        Ok(found)
    }

    /// Returns the id of the stack's newest event, or `None` if it has none; `known` instead where all that came after it
    /// is the rest of the same operation.
    pub async fn newest_event(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
        known: Option<&str>,
    ) -> Result<Option<String>, CallFailure> {
        let page = self.newest_events(spec, stack).await?;
        Ok(newest_of(&page, known))
    }

    /// Returns the newest events of the stack, the newest first: as many as one call gives.
    pub async fn newest_events(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
    ) -> Result<Vec<StackEvent>, CallFailure> {
        let (page, _) = self
            .page_of_events(spec, stack, None, Priority::Read)
            .await?;
        Ok(page)
    }

    /// Returns the events newer than `after`, oldest first; all that there are without it.
    pub async fn events_since(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
        after: Option<&str>,
    ) -> Result<Vec<StackEvent>, CallFailure> {
        self.events_after(spec, stack, after, Priority::Read).await
    }

    /// Returns the template that the stack was made from, as it was sent; `None` if there is none.
    pub async fn template(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
    ) -> Result<Option<String>, CallFailure> {
        self.template_at(spec, stack, None, TemplateStage::Original)
            .await
    }

    /// Returns a template of the stack, or of one of its change sets.
    pub(super) async fn template_at(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
        change_set: Option<&ChangeSetId>,
        stage: TemplateStage,
    ) -> Result<Option<String>, CallFailure> {
        let call = Call::read("GetTemplate", Priority::Read);
        let reply = self
            .call(call, spec, |client| {
                client
                    .get_template()
                    .stack_name(stack.as_str())
                    .set_change_set_name(change_set.map(ToString::to_string))
                    .template_stage(stage.clone())
                    .send()
            })
            .await;
        match reply {
            Ok(reply) => Ok(reply.template_body.filter(|body| !body.is_empty())),
            Err(failure) if failure.kind == FailureKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Sets the stack's policy, which can be replaced but never removed.
    pub async fn set_stack_policy(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
        policy: &str,
    ) -> Result<(), CallFailure> {
        self.call(Call::repeatable("SetStackPolicy"), spec, |client| {
            client
                .set_stack_policy()
                .stack_name(stack.as_str())
                .stack_policy_body(policy)
                .send()
        })
        .await
        .map(drop)
    }

    /// Returns the stack's policy as it was set, or `None` if it has none.
    pub async fn stack_policy(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
    ) -> Result<Option<String>, CallFailure> {
        let call = Call::read("GetStackPolicy", Priority::Read);
        let reply = self
            .call(call, spec, |client| {
                client.get_stack_policy().stack_name(stack.as_str()).send()
            })
            .await?;
        Ok(reply.stack_policy_body.filter(|body| !body.is_empty()))
    }

    /// Returns whether the stack is protected from deletion, or `None` if there is no such stack.
    pub async fn termination_protection(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
    ) -> Result<Option<bool>, CallFailure> {
        let call = Call::read("DescribeStacks", Priority::Read);
        let reply = self
            .call(call, spec, |client| {
                client.describe_stacks().stack_name(stack.as_str()).send()
            })
            .await;
        match reply {
            Ok(reply) => Ok(reply
                .stacks()
                .iter()
                .find(|s| s.stack_id() == Some(stack.as_str()))
                .map(|s| s.enable_termination_protection().unwrap_or(false))),
            Err(failure) if failure.kind == FailureKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Protects the stack from deletion, or no longer.
    pub async fn set_termination_protection(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
        is_on: bool,
    ) -> Result<(), CallFailure> {
        let call = Call::repeatable("UpdateTerminationProtection");
        self.call(call, spec, |client| {
            client
                .update_termination_protection()
                .stack_name(stack.as_str())
                .enable_termination_protection(is_on)
                .send()
        })
        .await
        .map(drop)
    }

    /// Removes the stack that our change set left in review.
    ///
    /// Only the stack with this very ARN, still in review, without any change set but `ours`; everything
    /// else stays, with the reason.
    pub async fn delete_review_stack(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
        ours: &ChangeSetId,
    ) -> Result<Deleted, CallFailure> {
        let found = self
            .stack(spec, StackRef::Id(stack), Priority::Read)
            .await?;
        match found.map(|s| s.status) {
            None | Some(StackStatus::DeleteComplete | StackStatus::DeleteInProgress) => {
                return Ok(Deleted::Yes);
            }
            Some(StackStatus::ReviewInProgress) => {}
            Some(status) => {
                return Ok(Deleted::Left {
                    why: format!("the stack is in {status}, no longer in review"),
                });
            }
        }
        // An emulator may list nothing where a stack is named by its ARN: no other change set is seen there, and deleting
        // the stack would delete them all. AWS takes both for the same.
        let by_name = self.has_own_endpoint().then(|| spec.target.stack.as_str());
        for named in std::iter::once(stack.as_str()).chain(by_name) {
            if let Some(other) = self.other_change_set(spec, named, stack, ours).await? {
                return Ok(Deleted::Left {
                    why: format!("the stack in review has another change set, {other}"),
                });
            }
        }
        let reply = self
            .call(Call::repeatable("DeleteStack"), spec, |client| {
                client.delete_stack().stack_name(stack.as_str()).send()
            })
            .await;
        match reply {
            Ok(_) => Ok(Deleted::Yes),
            Err(failure) if failure.kind == FailureKind::NotFound => Ok(Deleted::Yes),
            Err(failure) => Err(failure),
        }
    }

    /// Returns the name of a change set of `stack` that is not `ours`, where it has any; the list is that of the stack `named`.
    async fn other_change_set(
        &self,
        spec: &TargetSpec,
        named: &str,
        stack: &StackId,
        ours: &ChangeSetId,
    ) -> Result<Option<String>, CallFailure> {
        let all = self.summaries(spec, named, stack).await?;
        let mut others = all
            .iter()
            .filter(|one| one.change_set_id() != Some(ours.as_str()));
        let name =
            |one: &ChangeSetSummary| clean(one.change_set_name().unwrap_or("without a name"));
        Ok(others.next().map(name))
    }

    /// Returns the events newer than `after`, oldest first.
    pub(super) async fn events_after(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
        after: Option<&str>,
        priority: Priority,
    ) -> Result<Vec<StackEvent>, CallFailure> {
        let mut newest_first = Vec::new();
        let mut page: Option<String> = None;
        'pages: loop {
            let (events, next) = self
                .page_of_events(spec, stack, page.as_deref(), priority)
                .await?;
            for event in events {
                if Some(event.id.as_str()) == after {
                    break 'pages;
                }
                newest_first.push(event);
            }
            match next {
                Some(next) if page.as_ref() != Some(&next) => page = Some(next),
                _ => break,
            }
        }
        newest_first.reverse();
        Ok(newest_first)
    }

    /// Returns the events since a time, oldest first.
    pub(super) async fn events_from(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
        since: Timestamp,
        priority: Priority,
    ) -> Result<Vec<StackEvent>, CallFailure> {
        let mut newest_first = Vec::new();
        let mut page: Option<String> = None;
        loop {
            let (events, next) = self
                .page_of_events(spec, stack, page.as_deref(), priority)
                .await?;
            let is_over = events.iter().any(|event| event.at < since);
            newest_first.extend(events.into_iter().filter(|event| event.at >= since));
            match next {
                Some(next) if !is_over && page.as_ref() != Some(&next) => page = Some(next),
                _ => break,
            }
        }
        newest_first.reverse();
        Ok(newest_first)
    }

    /// Returns a page of events, newest first, and the token of the next one.
    async fn page_of_events(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
        page: Option<&str>,
        priority: Priority,
    ) -> Result<(Vec<StackEvent>, Option<String>), CallFailure> {
        let reply = self
            .call(
                Call::read("DescribeStackEvents", priority),
                spec,
                |client| {
                    client
                        .describe_stack_events()
                        .stack_name(stack.as_str())
                        .set_next_token(page.map(str::to_owned))
                        .send()
                },
            )
            .await?;
        let events = reply
            .stack_events()
            .iter()
            .filter_map(convert::event)
            .collect();
        Ok((events, reply.next_token))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{CHANGE_SET, STACK, aws, change_set_id, spec, stack_id, stacks};
    use super::super::scripted::Scripted;
    use super::*;

    fn events(ids: &[&str], next: &str) -> String {
        let members: String = ids
            .iter()
            .map(|id| format!("<member><EventId>{id}</EventId><LogicalResourceId>R</LogicalResourceId><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>"))
            .collect();
        let next = match next {
            "" => String::new(),
            next => format!("<NextToken>{next}</NextToken>"),
        };
        format!("<StackEvents>{members}</StackEvents>{next}")
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_stack_is_none_whoever_says_it() {
        let name = StackName::new("app").unwrap();
        let script = Scripted::new();
        script
            .error(
                "DescribeStacks",
                400,
                "ValidationError",
                "Stack with id app does not exist",
            )
            .ok("DescribeStacks", "<Stacks></Stacks>")
            .ok("DescribeStacks", &stacks("DELETE_COMPLETE"));
        let aws = aws(&script).await;
        for _ in 0..3 {
            let found = aws
                .stack(&spec(), StackRef::Name(&name), Priority::Read)
                .await;
            assert_eq!(found.unwrap(), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_status_of_the_future_is_refused_with_its_name() {
        let script = Scripted::new();
        script.ok("DescribeStacks", &stacks("UPDATE_PONDERING"));
        let failure = aws(&script)
            .await
            .stack(&spec(), StackRef::Id(&stack_id()), Priority::Read)
            .await
            .unwrap_err();
        assert!(failure.message.contains("UPDATE_PONDERING"), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn events_are_read_up_to_the_last_known_one() {
        let script = Scripted::new();
        script
            .ok("DescribeStackEvents", &events(&["e6", "e5"], "p2"))
            .ok("DescribeStackEvents", &events(&["e4", "e3"], "p3"));
        let aws = aws(&script).await;
        let since = aws
            .events_since(&spec(), &stack_id(), Some("e3"))
            .await
            .unwrap();
        let ids: Vec<_> = since.iter().map(|e| e.id.as_str()).collect();
        assert_eq!(ids, ["e4", "e5", "e6"]);
        assert_eq!(script.requests().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_stack_in_review_with_nothing_but_ours_is_deleted() {
        let ours = format!(
            "<member><ChangeSetId>{CHANGE_SET}</ChangeSetId><ChangeSetName>plan</ChangeSetName><StackId>{STACK}</StackId></member>"
        );
        let foreign = ours.replace("0002", "0009").replace("plan", "theirs");
        let elsewhere = foreign.replace(STACK, &format!("{STACK}2"));
        let list = |members: &str, next: &str| format!("<Summaries>{members}</Summaries>{next}");
        let next = "<NextToken>p2</NextToken>";
        for (status, pages, left) in [
            ("REVIEW_IN_PROGRESS", vec![list("", ""), list("", "")], None),
            (
                "REVIEW_IN_PROGRESS",
                vec![list(&ours, ""), list(&ours, "")],
                None,
            ),
            // An endpoint that knows no ARN in this call, and one that lists those of all stacks.
            (
                "REVIEW_IN_PROGRESS",
                vec![list("", ""), list(&foreign, "")],
                Some("theirs"),
            ),
            (
                "REVIEW_IN_PROGRESS",
                vec![list("", ""), list(&elsewhere, "")],
                None,
            ),
            (
                "REVIEW_IN_PROGRESS",
                vec![list(&ours, next), list(&foreign, "")],
                Some("theirs"),
            ),
            ("CREATE_COMPLETE", vec![], Some("CREATE_COMPLETE")),
            ("CREATE_IN_PROGRESS", vec![], Some("CREATE_IN_PROGRESS")),
        ] {
            let script = Scripted::new();
            script
                .ok("DescribeStacks", &stacks(status))
                .ok("DeleteStack", "");
            for page in &pages {
                script.ok("ListChangeSets", page);
            }
            let deleted = aws(&script)
                .await
                .delete_review_stack(&spec(), &stack_id(), &change_set_id())
                .await
                .unwrap();
            match (left, deleted) {
                (None, Deleted::Yes) => {
                    let sent = script.requests_of("DeleteStack");
                    assert_eq!(sent.len(), 1);
                    assert_eq!(sent[0].field("StackName"), STACK);
                }
                (Some(said), Deleted::Left { why }) => {
                    assert!(why.contains(said), "{why}");
                    assert!(script.requests_of("DeleteStack").is_empty());
                }
                (expected, found) => panic!("{status}: {expected:?}, {found:?}"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn policy_and_protection_reach_the_stack_by_its_arn() {
        let script = Scripted::new();
        script
            .ok("SetStackPolicy", "")
            .ok(
                "GetStackPolicy",
                "<StackPolicyBody>{&quot;Statement&quot;:[]}</StackPolicyBody>",
            )
            .ok("GetStackPolicy", "")
            .ok("UpdateTerminationProtection", "");
        let aws = aws(&script).await;
        let policy = r#"{"Statement":[]}"#;
        aws.set_stack_policy(&spec(), &stack_id(), policy)
            .await
            .unwrap();
        let found = aws.stack_policy(&spec(), &stack_id()).await.unwrap();
        assert_eq!(found.as_deref(), Some(policy));
        assert_eq!(aws.stack_policy(&spec(), &stack_id()).await.unwrap(), None);
        aws.set_termination_protection(&spec(), &stack_id(), false)
            .await
            .unwrap();
        let sent = script.requests();
        for (at, field, value) in [
            (0, "StackName", STACK),
            (0, "StackPolicyBody", policy),
            (1, "StackName", STACK),
            (3, "StackName", STACK),
            (3, "EnableTerminationProtection", "false"),
        ] {
            assert_eq!(sent[at].field(field), value, "{at} {field}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stack_without_a_template_has_none() {
        let script = Scripted::new();
        script
            .ok("GetTemplate", "<TemplateBody>Resources: {}</TemplateBody>")
            .ok("GetTemplate", "");
        let aws = aws(&script).await;
        assert_eq!(
            aws.template(&spec(), &stack_id()).await.unwrap().as_deref(),
            Some("Resources: {}")
        );
        assert_eq!(aws.template(&spec(), &stack_id()).await.unwrap(), None);
        assert_eq!(script.requests()[0].field("TemplateStage"), "Original");
    }
}
