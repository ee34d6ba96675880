//! Whether what a reply names is where the call was to be made.
//!
//! Whose credentials sign a call decides in which account it is carried out, whatever was meant. What comes back tells: the
//! ARNs of stacks and change sets name their account and region.

use super::connection::Aws;
use super::failure::Effect;
use crate::model::{CallFailure, FailureKind, TargetSpec};

impl Aws {
    /// Refuses a reply that names a stack or change set of another account or region than the target's.
    pub(super) fn check_place<'a>(
        &self,
        operation: &'static str,
        spec: &TargetSpec,
        named: impl IntoIterator<Item = Option<&'a str>>,
    ) -> Result<(), CallFailure> {
        let target = &spec.target;
        let is_elsewhere = |arn: &&str| {
            place_of(arn).is_some_and(|(account, region)| {
                account != target.account.as_str() || region != target.region.as_str()
            })
        };
        let Some(arn) = named.into_iter().flatten().find(is_elsewhere) else {
            return Ok(());
        };
        let (account, region) = place_of(arn).unwrap_or_default();
        let place = target.place();
        let attempted = self.attempted(operation, &place, Effect::Repeatable);
        Err(attempted.failure(
            FailureKind::Refused,
            format!(
                "the reply names {arn}, which is in account {account} and region {region}, and the target is in account \
                 {} and region {}; whose credentials are these? Nothing else was done there",
                target.account, target.region
            ),
        ))
    }
}

/// Returns the account and region that the ARN of a stack or change set names; some endpoints have other ids.
fn place_of(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.split(':');
    let (arn, _) = (parts.next()?, parts.next()?);
    let (service, region, account) = (parts.next()?, parts.next()?, parts.next()?);
    (arn == "arn" && service == "cloudformation").then_some((account, region))
}

#[cfg(test)]
mod tests {
    use super::super::StackRef;
    use super::super::fixture::{CHANGE_SET, STACK, aws, spec, spec_in, stack_id, stacks};
    use super::super::scripted::Scripted;
    use super::*;
    use crate::model::{ChangeSetId, ChangeSetName, Priority, StackName};

    #[test]
    fn the_place_is_read_from_arns_alone() {
        assert_eq!(place_of(STACK), Some(("111111111111", "eu-west-1")));
        assert_eq!(place_of(CHANGE_SET), Some(("111111111111", "eu-west-1")));
        for other in ["", "arn", "app", "arn:aws:sns:eu-west-1:111111111111:a"] {
            assert_eq!(place_of(other), None, "{other}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_in_another_place_is_refused_whoever_says_it() {
        let script = Scripted::new();
        let ids = format!(
            "<StackId>{STACK}</StackId><ChangeSetId>{CHANGE_SET}</ChangeSetId><Status>CREATE_COMPLETE</Status>"
        );
        script
            .ok("DescribeStacks", &stacks("CREATE_COMPLETE"))
            .ok("DescribeChangeSet", &ids)
            .ok(
                "ListChangeSets",
                &format!("<Summaries><member>{ids}</member></Summaries>"),
            );
        let aws = aws(&script).await;
        let stack = StackName::new("app").unwrap();
        let name = ChangeSetName::new("plan").unwrap();
        let set = ChangeSetId::new(CHANGE_SET).unwrap();
        for elsewhere in [
            spec_in("222222222222", "eu-west-1", None),
            spec_in("111111111111", "us-east-1", None),
        ] {
            let (spec, id) = (&elsewhere, stack_id());
            let by = StackRef::Name(&stack);
            let failures = [
                aws.stack(spec, by, Priority::Read).await.unwrap_err(),
                aws.stack(spec, StackRef::Id(&id), Priority::Read)
                    .await
                    .unwrap_err(),
                aws.described_stack(spec, by).await.unwrap_err(),
                aws.find_change_set(spec, &stack, &name).await.unwrap_err(),
                aws.read_change_set(spec, &set).await.unwrap_err(),
                aws.await_change_set(spec, &set).await.unwrap_err(),
                aws.listed_change_sets(spec, &id).await.unwrap_err(),
            ];
            for failure in failures {
                assert_eq!(failure.kind, FailureKind::Refused, "{failure}");
                let said = &failure.message;
                assert!(said.contains("in account 111111111111 and"), "{said}");
                assert!(said.contains(elsewhere.target.account.as_str()), "{said}");
            }
        }
        let own = spec();
        let found = aws.stack(&own, StackRef::Name(&stack), Priority::Read);
        assert!(found.await.unwrap().is_some());
    }
}
