//! Making, finding, executing and removing change sets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use aws_sdk_cloudformation::types as sdk;
use aws_sdk_cloudformation::types::{Capability, ChangeSetType, Parameter, Tag};

use super::call::Call;
use super::connection::Aws;
use super::failure::Effect;
use super::upload::without_urls;
use crate::model::{
    BucketObject, CallFailure, ChangeSetId, ChangeSetKind, ChangeSetName, FailureKind,
    ImportedResource, LARGEST_INLINE_TEMPLATE, LARGEST_TEMPLATE, LogicalId, OnStackFailure,
    Priority, StackId, StackName, StackOptions, TargetSpec, TemplateBucket, goes_through_bucket,
};

/// A secret shorter than this is not looked for in messages: it would cover ordinary words.
const SHORTEST_SECRET: usize = 4;

/// What a change set is made from.
#[derive(Debug, Clone)]
pub struct CreateChangeSet {
    /// The stack.
    pub stack: StackName,
    /// The name of the change set, derived so that it can be found again.
    pub name: ChangeSetName,
    /// Whether it makes or changes the stack.
    pub kind: ChangeSetKind,
    /// The derived `ClientToken`.
    pub token: String,
    /// The template's text, sent unchanged.
    pub template: Arc<str>,
    /// The bucket through which a template goes that is too large for a request.
    pub bucket: Option<TemplateBucket>,
    /// The object in that bucket that is on record for the template, where there is one.
    pub uploaded: Option<BucketObject>,
    /// The parameters to send; those that take the template's default are left out.
    pub parameters: Vec<SentParameter>,
    /// The stack's tags; none where it keeps those that it has.
    pub tags: Option<BTreeMap<String, String>>,
    /// The acknowledged capabilities.
    pub capabilities: BTreeSet<String>,
    /// The role that CloudFormation acts with.
    pub role_arn: Option<String>,
    /// What else is asked of the stack.
    pub options: StackOptions,
    /// What the console shows for it.
    pub description: Option<String>,
}

/// A parameter as it is sent.
#[derive(Debug, Clone)]
pub struct SentParameter {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: SentValue,
}

/// A parameter's value as it is sent. `Debug` never shows a secret.
#[derive(Clone)]
pub enum SentValue {
    /// A value that may be shown.
    Plain(String),
    /// A value that is shown nowhere.
    Secret(String),
    /// The value the stack has.
    Previous,
}

impl fmt::Debug for SentValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(value) => f.debug_tuple("Plain").field(value).finish(),
            Self::Secret(_) => f.write_str("Secret(****)"),
            Self::Previous => f.write_str("Previous"),
        }
    }
}

impl CreateChangeSet {
    /// Returns `failure` without the secrets of this request.
    fn without_secrets(&self, mut failure: CallFailure) -> CallFailure {
        for parameter in &self.parameters {
            if let SentValue::Secret(secret) = &parameter.value
                && secret.len() >= SHORTEST_SECRET
            {
                failure.message = failure.message.replace(secret.as_str(), "****");
            }
        }
        failure
    }
}

impl Aws {
    /// Asks for a change set, once, and returns its ids. The service works on it afterwards.
    ///
    /// An `Ambiguous` failure means that it may exist; [`Aws::find_change_set`] tells.
    pub async fn create_change_set(
        &self,
        spec: &TargetSpec,
        request: &CreateChangeSet,
    ) -> Result<(ChangeSetId, StackId), CallFailure> {
        let call = Call::once("CreateChangeSet");
        let place = spec.target.place();
        let attempted = self.attempted(call.operation, &place, Effect::Once);
        if request.template.len() > LARGEST_TEMPLATE {
            return Err(attempted.failure(
                FailureKind::BadInput,
                format!(
                    "the template has {} bytes, and CloudFormation takes {LARGEST_TEMPLATE}; split it, for example into nested stacks",
                    request.template.len()
                ),
            ));
        }
        let length = request.template.len();
        let url = match &request.bucket {
            _ if !goes_through_bucket(length) => None,
            Some(bucket) => {
                let planned = request.uploaded.as_ref();
                let url = self.template_url(spec, bucket, &request.template, planned);
                Some(Box::pin(url).await?)
            }
            None => {
                return Err(attempted.failure(
                    FailureKind::BadInput,
                    format!(
                        "the template has {length} bytes, and CloudFormation takes {LARGEST_INLINE_TEMPLATE} in a request; name a bucket for it in {} with `--s3-bucket`",
                        spec.target.region
                    ),
                ));
            }
        };
        let body = url.is_none().then_some(&request.template);
        let url = url.as_ref().map(|url| url.expose().to_owned());
        let kind = match request.kind {
            ChangeSetKind::Create => ChangeSetType::Create,
            ChangeSetKind::Update => ChangeSetType::Update,
            ChangeSetKind::Import => ChangeSetType::Import,
            ChangeSetKind::Delete => {
                let why = "a stack is deleted without a change set";
                return Err(attempted.failure(FailureKind::BadInput, why));
            }
        };
        let parameters: Vec<_> = request.parameters.iter().map(parameter).collect();
        // An empty list would take away those that the stack has.
        let tags: Option<Vec<_>> = request.tags.as_ref().map(|tags| {
            let tags = tags.iter();
            tags.map(|(key, value)| Tag::builder().key(key).value(value).build())
                .collect()
        });
        let capabilities: Vec<_> = request
            .capabilities
            .iter()
            .map(|c| Capability::from(c.as_str()))
            .collect();
        let options = &request.options;
        let imported: Vec<_> = options.resources_to_import.iter().map(imported).collect();
        let topics: Vec<String> = options.notification_arns.iter().cloned().collect();
        let reply = self
            .call(call, spec, |client| {
                client
                    .create_change_set()
                    .stack_name(request.stack.as_str())
                    .change_set_name(request.name.as_str())
                    .change_set_type(kind.clone())
                    .client_token(&request.token)
                    .set_template_body(body.map(|text| text.to_string()))
                    .set_template_url(url.clone())
                    .set_parameters(Some(parameters.clone()))
                    .set_tags(tags.clone())
                    .set_capabilities(Some(capabilities.clone()))
                    .set_role_arn(request.role_arn.clone())
                    .set_description(request.description.clone())
                    // An empty list would take away the topics that the stack has.
                    .set_notification_arns((!topics.is_empty()).then(|| topics.clone()))
                    .set_rollback_configuration(rollback_configuration(options))
                    .set_on_stack_failure(options.on_stack_failure.map(on_stack_failure))
                    .set_import_existing_resources(
                        options.import_existing_resources.then_some(true),
                    )
                    .set_resources_to_import((!imported.is_empty()).then(|| imported.clone()))
                    .set_include_nested_stacks(options.include_nested_stacks.then_some(true))
                    .set_deployment_mode(deployment_mode(request))
                    .send()
            })
            .await
            .map_err(|failure| without_urls(request.without_secrets(failure)))?;
        self.check_place(call.operation, spec, [reply.id(), reply.stack_id()])?;
        ids(reply.id(), reply.stack_id()).ok_or_else(|| {
            attempted.failure(
                FailureKind::Ambiguous,
                "accepted, but the reply does not name the change set and its stack",
            )
        })
    }

    /// Returns the ids of a stack's change set of that name, or `None` if there is none.
    pub async fn find_change_set(
        &self,
        spec: &TargetSpec,
        stack: &StackName,
        name: &ChangeSetName,
    ) -> Result<Option<(ChangeSetId, StackId)>, CallFailure> {
        let call = Call::read("DescribeChangeSet", Priority::Read);
        let reply = self
            .call(call, spec, |client| {
                client
                    .describe_change_set()
                    .stack_name(stack.as_str())
                    .change_set_name(name.as_str())
                    .send()
            })
            .await;
        match reply {
            // One that is being deleted is as good as gone.
            Ok(reply)
                if reply
                    .status()
                    .is_some_and(|s| s.as_str().starts_with("DELETE_")) =>
            {
                Ok(None)
            }
            Ok(reply) => {
                let named = [reply.change_set_id(), reply.stack_id()];
                self.check_place(call.operation, spec, named)?;
                Ok(ids(reply.change_set_id(), reply.stack_id()))
            }
            Err(CallFailure {
                kind: FailureKind::NotFound,
                ..
            }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Executes a change set: sent once, and again only after a definite refusal for throttling or where
    /// there was no connection to send it on.
    ///
    /// An `Ambiguous` failure means that it may run; the stack's events with `token`, or the change set's
    /// execution status, tell. `disable_rollback` is none only where the change set was made with an `OnStackFailure`.
    pub async fn execute_change_set(
        &self,
        spec: &TargetSpec,
        id: &ChangeSetId,
        stack: &StackId,
        token: &str,
        disable_rollback: Option<bool>,
    ) -> Result<(), CallFailure> {
        self.call(Call::approved("ExecuteChangeSet"), spec, |client| {
            client
                .execute_change_set()
                .change_set_name(id.as_str())
                .stack_name(stack.as_str())
                .client_request_token(token)
                .set_disable_rollback(disable_rollback)
                .send()
        })
        .await
        .map(drop)
    }

    /// Removes a change set; one that is gone already is fine.
    pub async fn delete_change_set(
        &self,
        spec: &TargetSpec,
        id: &ChangeSetId,
        stack: &StackId,
    ) -> Result<(), CallFailure> {
        let reply = self
            .call(Call::repeatable("DeleteChangeSet"), spec, |client| {
                client
                    .delete_change_set()
                    .change_set_name(id.as_str())
                    .stack_name(stack.as_str())
                    .send()
            })
            .await;
        match reply {
            Ok(_)
            | Err(CallFailure {
                kind: FailureKind::NotFound,
                ..
            }) => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

fn ids(change_set: Option<&str>, stack: Option<&str>) -> Option<(ChangeSetId, StackId)> {
    Some((
        ChangeSetId::new(change_set?).ok()?,
        StackId::new(stack?).ok()?,
    ))
}

fn parameter(parameter: &SentParameter) -> Parameter {
    let built = Parameter::builder().parameter_key(&parameter.name);
    match &parameter.value {
        SentValue::Plain(value) | SentValue::Secret(value) => built.parameter_value(value),
        SentValue::Previous => built.use_previous_value(true),
    }
    .build()
}

fn rollback_configuration(options: &StackOptions) -> Option<sdk::RollbackConfiguration> {
    let StackOptions {
        rollback_triggers,
        monitoring_minutes,
        ..
    } = options;
    if rollback_triggers.is_empty() && monitoring_minutes.is_none() {
        return None;
    }
    let triggers: Vec<_> = rollback_triggers
        .iter()
        .map(|trigger| {
            let kind = if trigger.is_composite {
                "AWS::CloudWatch::CompositeAlarm"
            } else {
                "AWS::CloudWatch::Alarm"
            };
            sdk::RollbackTrigger::builder()
                .arn(&trigger.arn)
                .r#type(kind)
                .build()
        })
        .collect();
    let built = sdk::RollbackConfiguration::builder()
        // An empty list would take away the triggers that the stack has.
        .set_rollback_triggers((!triggers.is_empty()).then_some(triggers))
        .set_monitoring_time_in_minutes(monitoring_minutes.map(i32::from));
    Some(built.build())
}

/// A new stack cannot have drifted, and an import puts nothing back.
fn deployment_mode(request: &CreateChangeSet) -> Option<sdk::DeploymentMode> {
    let is_aware = request.options.revert_drift && request.kind == ChangeSetKind::Update;
    is_aware.then_some(sdk::DeploymentMode::RevertDrift)
}

fn imported((id, resource): (&LogicalId, &ImportedResource)) -> sdk::ResourceToImport {
    sdk::ResourceToImport::builder()
        .logical_resource_id(id.as_str())
        .resource_type(&resource.resource_type)
        .set_resource_identifier(Some(resource.identifier.clone().into_iter().collect()))
        .build()
}

fn on_stack_failure(what: OnStackFailure) -> sdk::OnStackFailure {
    match what {
        OnStackFailure::Rollback => sdk::OnStackFailure::Rollback,
        OnStackFailure::Delete => sdk::OnStackFailure::Delete,
        OnStackFailure::DoNothing => sdk::OnStackFailure::DoNothing,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{CHANGE_SET, STACK, aws, change_set_id, spec, stack_id};
    use super::super::scripted::{Reply, Scripted};
    use super::*;

    fn request() -> CreateChangeSet {
        CreateChangeSet {
            stack: StackName::new("app").unwrap(),
            name: ChangeSetName::new("plan").unwrap(),
            kind: ChangeSetKind::Create,
            token: "token-1".into(),
            template: "Resources: {}".into(),
            bucket: None,
            uploaded: None,
            parameters: vec![
                SentParameter {
                    name: "Password".into(),
                    value: SentValue::Secret("hunter2".into()),
                },
                SentParameter {
                    name: "Old".into(),
                    value: SentValue::Previous,
                },
            ],
            tags: Some([("team".into(), "net".into())].into()),
            capabilities: BTreeSet::from(["CAPABILITY_IAM".into()]),
            role_arn: None,
            options: StackOptions::default(),
            description: None,
        }
    }

    fn created() -> String {
        format!("<Id>{CHANGE_SET}</Id><StackId>{STACK}</StackId>")
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_set_that_was_made_elsewhere_is_refused_by_its_name() {
        let script = Scripted::new();
        let theirs = created().replace("111111111111", "222222222222");
        script.ok("CreateChangeSet", &theirs);
        let aws = aws(&script).await;
        let failure = aws.create_change_set(&spec(), &request()).await;
        let failure = failure.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Refused, "{failure}");
        for told in ["222222222222:changeSet/plan/", "111111111111"] {
            assert!(failure.message.contains(told), "{failure}");
        }
        assert_eq!(script.requests().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn everything_is_sent() {
        let script = Scripted::new();
        script.ok("CreateChangeSet", &created());
        let made = aws(&script)
            .await
            .create_change_set(&spec(), &request())
            .await;
        assert_eq!(made.unwrap(), (change_set_id(), stack_id()));
        let sent = &script.requests()[0];
        for (field, value) in [
            ("StackName", "app"),
            ("ChangeSetName", "plan"),
            ("ChangeSetType", "CREATE"),
            ("ClientToken", "token-1"),
            ("TemplateBody", "Resources: {}"),
            ("Parameters.member.1.ParameterKey", "Password"),
            ("Parameters.member.1.ParameterValue", "hunter2"),
            ("Parameters.member.2.UsePreviousValue", "true"),
            ("Parameters.member.2.ParameterValue", ""),
            ("Tags.member.1.Key", "team"),
            ("Tags.member.1.Value", "net"),
            ("Capabilities.member.1", "CAPABILITY_IAM"),
        ] {
            assert_eq!(sent.field(field), value, "{field}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn resources_to_import_are_named_to_the_service() {
        let script = Scripted::new();
        script.ok("CreateChangeSet", &created());
        let bucket = ImportedResource {
            resource_type: "AWS::S3::Bucket".into(),
            identifier: [("BucketName".into(), "logs".into())].into(),
        };
        let parts = [("A".into(), "1".into()), ("B".into(), "2".into())];
        let other = ImportedResource {
            resource_type: "AWS::X::Y".into(),
            identifier: parts.into(),
        };
        let mut request = request();
        request.kind = ChangeSetKind::Import;
        request.options.resources_to_import = [
            (LogicalId::new("Logs").unwrap(), bucket),
            (LogicalId::new("Other").unwrap(), other),
        ]
        .into();
        let aws = aws(&script).await;
        aws.create_change_set(&spec(), &request).await.unwrap();
        let sent = &script.requests()[0];
        for (field, value) in [
            ("ChangeSetType", "IMPORT"),
            ("ResourcesToImport.member.1.LogicalResourceId", "Logs"),
            ("ResourcesToImport.member.1.ResourceType", "AWS::S3::Bucket"),
            (
                "ResourcesToImport.member.1.ResourceIdentifier.entry.1.key",
                "BucketName",
            ),
            (
                "ResourcesToImport.member.1.ResourceIdentifier.entry.1.value",
                "logs",
            ),
            ("ResourcesToImport.member.2.LogicalResourceId", "Other"),
            ("ResourcesToImport.member.3.LogicalResourceId", ""),
            ("ImportExistingResources", ""),
        ] {
            assert_eq!(sent.field(field), value, "{field}");
        }
        // The order of a map is not said.
        let entry = |n: u8, part: &str| {
            let field = format!("ResourcesToImport.member.2.ResourceIdentifier.entry.{n}.{part}");
            sent.field(&field).to_owned()
        };
        let mut entries = [1, 2].map(|n| (entry(n, "key"), entry(n, "value")));
        entries.sort();
        assert_eq!(
            entries,
            [("A".into(), "1".into()), ("B".into(), "2".into())]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn every_option_is_sent_as_the_service_names_it() {
        let script = Scripted::new();
        script.ok("CreateChangeSet", &created());
        let arn =
            |service: &str, name: &str| format!("arn:aws:{service}:us-east-1:111111111111:{name}");
        let mut request = request();
        request.options = StackOptions {
            notification_arns: [arn("sns", "a"), arn("sns", "b")].into(),
            on_stack_failure: Some(OnStackFailure::DoNothing),
            disable_rollback: false,
            rollback_triggers: [
                arn("cloudwatch", "alarm:x").parse().unwrap(),
                format!("composite:{}", arn("cloudwatch", "alarm:y"))
                    .parse()
                    .unwrap(),
            ]
            .into(),
            monitoring_minutes: Some(0),
            import_existing_resources: true,
            resources_to_import: BTreeMap::new(),
            include_nested_stacks: true,
            revert_drift: true,
            termination_protection: Some(true),
        };
        let aws = aws(&script).await;
        aws.create_change_set(&spec(), &request).await.unwrap();
        let sent = &script.requests()[0];
        for (field, value) in [
            ("NotificationARNs.member.1", arn("sns", "a").as_str()),
            ("NotificationARNs.member.2", &arn("sns", "b")),
            ("OnStackFailure", "DO_NOTHING"),
            (
                "RollbackConfiguration.RollbackTriggers.member.1.Arn",
                &arn("cloudwatch", "alarm:x"),
            ),
            (
                "RollbackConfiguration.RollbackTriggers.member.1.Type",
                "AWS::CloudWatch::Alarm",
            ),
            (
                "RollbackConfiguration.RollbackTriggers.member.2.Arn",
                &arn("cloudwatch", "alarm:y"),
            ),
            (
                "RollbackConfiguration.RollbackTriggers.member.2.Type",
                "AWS::CloudWatch::CompositeAlarm",
            ),
            ("RollbackConfiguration.MonitoringTimeInMinutes", "0"),
            ("ImportExistingResources", "true"),
            ("IncludeNestedStacks", "true"),
            // The stack is new.
            ("DeploymentMode", ""),
        ] {
            assert_eq!(sent.field(field), value, "{field}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn drift_is_put_back_by_updates_alone() {
        for (kind, said) in [
            (ChangeSetKind::Create, ""),
            (ChangeSetKind::Update, "REVERT_DRIFT"),
            (ChangeSetKind::Import, ""),
        ] {
            let script = Scripted::new();
            script.ok("CreateChangeSet", &created());
            let mut request = request();
            request.kind = kind;
            request.options.revert_drift = true;
            let aws = aws(&script).await;
            aws.create_change_set(&spec(), &request).await.unwrap();
            let sent = &script.requests()[0];
            assert_eq!(sent.field("DeploymentMode"), said, "{kind:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_asked_for_is_not_sent() {
        let script = Scripted::new();
        script.ok("CreateChangeSet", &created());
        let aws = aws(&script).await;
        aws.create_change_set(&spec(), &request()).await.unwrap();
        let body = format!("{:?}", script.requests()[0]);
        for field in [
            "NotificationARNs",
            "OnStackFailure",
            "RollbackConfiguration",
            "ImportExistingResources",
            "IncludeNestedStacks",
            "DeploymentMode",
        ] {
            assert!(!body.contains(field), "{field} in {body}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn rollback_is_said_explicitly_unless_the_change_set_says_it() {
        for (options, said) in [
            (StackOptions::default(), "false"),
            (
                StackOptions {
                    disable_rollback: true,
                    ..StackOptions::default()
                },
                "true",
            ),
            (
                StackOptions {
                    on_stack_failure: Some(OnStackFailure::Rollback),
                    ..StackOptions::default()
                },
                "",
            ),
        ] {
            let script = Scripted::new();
            script.ok("ExecuteChangeSet", "");
            let aws = aws(&script).await;
            let disable = options.execute_disable_rollback();
            aws.execute_change_set(&spec(), &change_set_id(), &stack_id(), "token", disable)
                .await
                .unwrap();
            let sent = &script.requests()[0];
            assert_eq!(sent.field("DisableRollback"), said, "{options:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn missing_capabilities_are_named() {
        let script = Scripted::new();
        script.error(
            "CreateChangeSet",
            400,
            "InsufficientCapabilitiesException",
            "Requires capabilities : [CAPABILITY_NAMED_IAM]",
        );
        let failure = aws(&script)
            .await
            .create_change_set(&spec(), &request())
            .await
            .unwrap_err();
        assert_eq!(
            failure.kind,
            FailureKind::MissingCapabilities(vec!["CAPABILITY_NAMED_IAM".into()])
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_reply_is_ambiguous_and_the_set_can_be_found() {
        let script = Scripted::new();
        script.on("CreateChangeSet", Reply::Lost).ok(
            "DescribeChangeSet",
            &format!("<ChangeSetId>{CHANGE_SET}</ChangeSetId><StackId>{STACK}</StackId><Status>CREATE_COMPLETE</Status>"),
        );
        let aws = aws(&script).await;
        let failure = aws
            .create_change_set(&spec(), &request())
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Ambiguous);
        assert_eq!(script.requests_of("CreateChangeSet").len(), 1);
        let found = aws
            .find_change_set(&spec(), &request().stack, &request().name)
            .await;
        assert_eq!(found.unwrap(), Some((change_set_id(), stack_id())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_that_breaks_off_or_names_nothing_is_ambiguous() {
        for body in ["<CreateChangeSetResp", "", "<html></html>"] {
            let script = Scripted::new();
            script.on("CreateChangeSet", Reply::Http(200, body.into()));
            let made = aws(&script)
                .await
                .create_change_set(&spec(), &request())
                .await;
            assert_eq!(made.unwrap_err().kind, FailureKind::Ambiguous, "{body}");
            assert_eq!(script.requests().len(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_set_that_was_never_made_is_not_found() {
        for (status, code, message) in [
            (404, "ChangeSetNotFound", "ChangeSet [plan] does not exist"),
            (400, "ValidationError", "Stack [app] does not exist"),
        ] {
            let script = Scripted::new();
            script.error("DescribeChangeSet", status, code, message);
            let aws = aws(&script).await;
            let found = aws
                .find_change_set(&spec(), &request().stack, &request().name)
                .await;
            assert_eq!(found.unwrap(), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn secrets_are_in_neither_debug_text_nor_messages() {
        assert!(!format!("{:?}", request()).contains("hunter2"));
        let script = Scripted::new();
        script.error(
            "CreateChangeSet",
            400,
            "ValidationError",
            "Parameter Password: hunter2 is too short",
        );
        let failure = aws(&script)
            .await
            .create_change_set(&spec(), &request())
            .await
            .unwrap_err();
        assert!(
            failure.message.contains("Password: **** is too short"),
            "{failure}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_template_that_is_too_large_is_not_sent() {
        let script = Scripted::new();
        let mut request = request();
        request.template = " ".repeat(LARGEST_TEMPLATE + 1).into();
        let failure = aws(&script)
            .await
            .create_change_set(&spec(), &request)
            .await
            .unwrap_err();
        assert!(failure.message.contains("1048577 bytes"), "{failure}");
        assert!(script.requests().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn deleting_a_set_that_is_gone_is_fine() {
        let script = Scripted::new();
        script.error("DeleteChangeSet", 404, "ChangeSetNotFound", "gone");
        let aws = aws(&script).await;
        aws.delete_change_set(&spec(), &change_set_id(), &stack_id())
            .await
            .unwrap();
    }
}
