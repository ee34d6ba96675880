//! What a stack holds, who needs it, and its deletion.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::TemplateStage;

use super::call::Call;
use super::connection::Aws;
use super::convert;
use super::failure::Effect;
use super::stack::StackRef;
use crate::model::{
    CallFailure, FailureKind, LogicalId, Priority, StackId, StackSummary, TargetSpec, clean,
    status_reason,
};

/// A stack, and what stands in the way of its deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedStack {
    /// The stack.
    pub summary: StackSummary,
    /// Whether termination protection is on.
    pub protected: bool,
    /// The stack it is nested in.
    pub parent: Option<String>,
    /// The values of its parameters. A secret value is what the service shows of it; some endpoints show all.
    pub parameters: BTreeMap<String, String>,
    /// The names of its exports, by output.
    pub exports: BTreeMap<String, String>,
}

/// A resource that a stack holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldResource {
    /// The logical id.
    pub logical_id: LogicalId,
    /// The resource type.
    pub resource_type: String,
    /// The physical id; none if it was never made.
    pub physical_id: Option<String>,
    /// The status, such as `CREATE_COMPLETE`.
    pub status: String,
    /// The module it is part of: the hierarchies of types and of logical ids.
    pub module: Option<(String, String)>,
}

impl Aws {
    /// Returns a stack with what stands in the way of its deletion, or `None` if there is none.
    pub async fn described_stack(
        &self,
        spec: &TargetSpec,
        by: StackRef<'_>,
    ) -> Result<Option<DescribedStack>, CallFailure> {
        let Some(stack) = self.sdk_stack(spec, by, Priority::Read).await? else {
            return Ok(None);
        };
        let place = spec.target.place();
        let summary = convert::stack(&stack).map_err(|why| {
            self.attempted("DescribeStacks", &place, Effect::Repeatable)
                .failure(FailureKind::Refused, why)
        })?;
        let exports = stack.outputs().iter().filter_map(|output| {
            let name = output.export_name().filter(|name| !name.is_empty())?;
            Some((output.output_key()?.to_owned(), name.to_owned()))
        });
        Ok(Some(DescribedStack {
            summary,
            protected: stack.enable_termination_protection() == Some(true),
            parent: stack.parent_id().filter(|id| !id.is_empty()).map(clean),
            parameters: convert::parameters(&stack),
            exports: exports.collect(),
        }))
    }

    /// Returns the resources that a stack holds, sorted by logical id.
    pub async fn held_resources(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
    ) -> Result<Vec<HeldResource>, CallFailure> {
        let mut held = Vec::new();
        let mut page: Option<String> = None;
        loop {
            let reply = self
                .call(
                    Call::read("ListStackResources", Priority::Read),
                    spec,
                    |client| {
                        client
                            .list_stack_resources()
                            .stack_name(stack.as_str())
                            .set_next_token(page.clone())
                            .send()
                    },
                )
                .await?;
            for resource in reply.stack_resource_summaries() {
                let status = resource.resource_status().map_or("", |s| s.as_str());
                if matches!(status, "DELETE_COMPLETE" | "DELETE_SKIPPED") {
                    continue;
                }
                let id = clean(resource.logical_resource_id().unwrap_or("(unnamed)"));
                // One that is left out would be deleted unseen.
                let logical_id = LogicalId::new(id).map_err(|error| {
                    let place = spec.target.place();
                    self.attempted("ListStackResources", &place, Effect::Repeatable)
                        .failure(
                            FailureKind::Refused,
                            format!("{error}, so what the deletion does cannot be reviewed"),
                        )
                })?;
                held.push(HeldResource {
                    logical_id,
                    resource_type: clean(resource.resource_type().unwrap_or_default()),
                    physical_id: resource
                        .physical_resource_id()
                        .filter(|id| !id.is_empty())
                        .map(clean),
                    status: clean(status),
                    module: resource.module_info().map(|m| {
                        (
                            clean(m.type_hierarchy().unwrap_or_default()),
                            clean(m.logical_id_hierarchy().unwrap_or_default()),
                        )
                    }),
                });
            }
            match reply.next_token {
                Some(next) if page.as_ref() != Some(&next) => page = Some(next),
                _ => break,
            }
        }
        held.sort_by(|a, b| a.logical_id.cmp(&b.logical_id));
        Ok(held)
    }

    /// Returns the names of the stacks that import `export`, sorted.
    pub async fn importers(
        &self,
        spec: &TargetSpec,
        export: &str,
    ) -> Result<Vec<String>, CallFailure> {
        let mut importers = Vec::new();
        let mut page: Option<String> = None;
        loop {
            let reply = self
                .call(Call::read("ListImports", Priority::Read), spec, |client| {
                    client
                        .list_imports()
                        .export_name(export)
                        .set_next_token(page.clone())
                        .send()
                })
                .await;
            let reply = match reply {
                Ok(reply) => reply,
                // The service calls it an error that nobody imports it.
                Err(failure) if status_reason::is_not_imported(&failure.message) => break,
                Err(failure) => return Err(failure),
            };
            importers.extend(reply.imports().iter().map(|name| clean(name)));
            match reply.next_token {
                Some(next) if page.as_ref() != Some(&next) => page = Some(next),
                _ => break,
            }
        }
        importers.sort_unstable();
        importers.dedup();
        Ok(importers)
    }

    /// Returns the template by which a stack's resources are handled, macros carried out; `None` if it
    /// has none.
    pub async fn processed_template(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
    ) -> Result<Option<String>, CallFailure> {
        self.template_at(spec, stack, None, TemplateStage::Processed)
            .await
    }

    /// Deletes a stack, once. `retain` only where an earlier deletion failed, as the service wants it.
    pub async fn delete_stack(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
        token: &str,
        retain: &[LogicalId],
        role_arn: Option<&str>,
    ) -> Result<(), CallFailure> {
        let retain: Vec<String> = retain.iter().map(ToString::to_string).collect();
        self.call(Call::approved("DeleteStack"), spec, |client| {
            client
                .delete_stack()
                .stack_name(stack.as_str())
                .client_request_token(token)
                .set_retain_resources((!retain.is_empty()).then(|| retain.clone()))
                .set_role_arn(role_arn.map(str::to_owned))
                .send()
        })
        .await
        .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{STACK, aws, spec, stack_id};
    use super::super::scripted::Scripted;
    use super::*;
    use crate::model::StackStatus;

    #[tokio::test(start_paused = true)]
    async fn what_stands_in_the_way_is_read() {
        let script = Scripted::new();
        script.ok(
            "DescribeStacks",
            &format!(
                "<Stacks><member><StackId>{STACK}</StackId><StackName>app</StackName>\
                 <StackStatus>CREATE_COMPLETE</StackStatus>\
                 <EnableTerminationProtection>true</EnableTerminationProtection>\
                 <ParentId>arn:parent</ParentId><Outputs>\
                 <member><OutputKey>A</OutputKey><OutputValue>1</OutputValue><ExportName>net-a</ExportName></member>\
                 <member><OutputKey>B</OutputKey><OutputValue>2</OutputValue></member>\
                 </Outputs></member></Stacks>"
            ),
        );
        let found = aws(&script)
            .await
            .described_stack(&spec(), StackRef::Id(&stack_id()))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.summary.status, StackStatus::CreateComplete);
        assert!(found.protected);
        assert_eq!(found.parent.as_deref(), Some("arn:parent"));
        let exports = BTreeMap::from([("A".to_owned(), "net-a".to_owned())]);
        assert_eq!(found.exports, exports);
    }

    #[tokio::test(start_paused = true)]
    async fn all_pages_of_resources_are_read_but_what_is_gone() {
        let page = |members: &[(&str, &str)], next: &str| {
            let members: String = members
                .iter()
                .map(|(id, status)| {
                    format!(
                        "<member><LogicalResourceId>{id}</LogicalResourceId><ResourceType>AWS::SQS::Queue</ResourceType>\
                         <ResourceStatus>{status}</ResourceStatus></member>"
                    )
                })
                .collect();
            format!("<StackResourceSummaries>{members}</StackResourceSummaries>{next}")
        };
        let script = Scripted::new();
        script
            .ok(
                "ListStackResources",
                &page(
                    &[("C", "CREATE_COMPLETE"), ("Gone", "DELETE_COMPLETE")],
                    "<NextToken>p2</NextToken>",
                ),
            )
            .ok("ListStackResources", &page(&[("B", "DELETE_FAILED")], ""));
        let held = aws(&script)
            .await
            .held_resources(&spec(), &stack_id())
            .await
            .unwrap();
        let held: Vec<_> = held
            .iter()
            .map(|r| (r.logical_id.as_str(), r.status.as_str()))
            .collect();
        assert_eq!(held, [("B", "DELETE_FAILED"), ("C", "CREATE_COMPLETE")]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_resource_that_cannot_be_named_is_not_left_out() {
        let script = Scripted::new();
        script.ok(
            "ListStackResources",
            "<StackResourceSummaries><member><LogicalResourceId>Or ders</LogicalResourceId>\
             <ResourceType>AWS::DynamoDB::Table</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus>\
             </member></StackResourceSummaries>",
        );
        let aws = aws(&script).await;
        let refused = aws.held_resources(&spec(), &stack_id()).await.unwrap_err();
        assert_eq!(refused.kind, FailureKind::Refused);
        assert!(
            refused.message.contains("`Or ders` is not a logical id"),
            "{refused}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_export_that_nobody_imports_is_no_failure() {
        let script = Scripted::new();
        script
            .ok(
                "ListImports",
                "<Imports><member>web</member><member>api</member></Imports>",
            )
            .error(
                "ListImports",
                400,
                "ValidationError",
                "Export 'net-a' is not imported by any stack.",
            )
            .error("ListImports", 400, "ValidationError", "no such luck");
        let aws = aws(&script).await;
        assert_eq!(
            aws.importers(&spec(), "net-a").await.unwrap(),
            ["api", "web"]
        );
        assert!(aws.importers(&spec(), "net-a").await.unwrap().is_empty());
        assert!(aws.importers(&spec(), "net-a").await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stack_is_deleted_by_its_id_once_with_its_token() {
        let script = Scripted::new();
        script.ok("DeleteStack", "").ok("DeleteStack", "");
        let aws = aws(&script).await;
        let queue = [LogicalId::new("Queue").unwrap()];
        aws.delete_stack(&spec(), &stack_id(), "t-1", &queue, Some("arn:role"))
            .await
            .unwrap();
        aws.delete_stack(&spec(), &stack_id(), "t-2", &[], None)
            .await
            .unwrap();
        let sent = script.requests_of("DeleteStack");
        assert_eq!(sent[0].field("StackName"), STACK);
        assert_eq!(sent[0].field("ClientRequestToken"), "t-1");
        assert_eq!(sent[0].field("RetainResources.member.1"), "Queue");
        assert_eq!(sent[0].field("RoleARN"), "arn:role");
        assert!(!sent[1].fields.keys().any(|k| k.starts_with("Retain")));
        assert_eq!(sent[1].field("DeletionMode"), "");
    }
}
