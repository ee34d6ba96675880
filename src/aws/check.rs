//! What CloudFormation itself says of a template, without any stack.

use std::collections::BTreeSet;

use super::call::Call;
use super::connection::Aws;
use crate::model::{CallFailure, FailureKind, Priority, TargetSpec, clean};

/// What CloudFormation reads in a template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateSummary {
    /// What has to be acknowledged.
    pub capabilities: BTreeSet<String>,
    /// Why, in its words.
    pub capabilities_reason: Option<String>,
    /// The names of the parameters.
    pub parameters: BTreeSet<String>,
    /// The types of the resources; none where it does not tell.
    pub resource_types: BTreeSet<String>,
    /// The transforms that are declared; none where it does not tell.
    pub transforms: BTreeSet<String>,
}

impl Aws {
    /// Asks CloudFormation to read a template of at most 51,200 bytes. Inside is what it reads, or why it refuses the
    /// template, in its words; outside, why it could not be asked.
    pub async fn check_template(
        &self,
        spec: &TargetSpec,
        template: &str,
    ) -> Result<Result<TemplateSummary, String>, CallFailure> {
        let call = Call::read("ValidateTemplate", Priority::Read);
        let validated = self
            .call(call, spec, |client| {
                client.validate_template().template_body(template).send()
            })
            .await;
        let validated = match refusal(validated)? {
            Ok(validated) => validated,
            Err(words) => return Ok(Err(words)),
        };
        let call = Call::read("GetTemplateSummary", Priority::Read);
        let summary = self
            .call(call, spec, |client| {
                client.get_template_summary().template_body(template).send()
            })
            .await;
        let summary = match refusal(summary)? {
            Ok(summary) => summary,
            Err(words) => return Ok(Err(words)),
        };
        let mut capabilities = BTreeSet::new();
        for one in validated
            .capabilities()
            .iter()
            .chain(summary.capabilities())
        {
            capabilities.insert(clean(one.as_str()));
        }
        let of_one = validated
            .parameters()
            .iter()
            .filter_map(|p| p.parameter_key());
        let of_other = summary
            .parameters()
            .iter()
            .filter_map(|p| p.parameter_key());
        let transforms = validated.declared_transforms().iter();
        let reason = validated
            .capabilities_reason()
            .or(summary.capabilities_reason());
        Ok(Ok(TemplateSummary {
            capabilities,
            capabilities_reason: reason.map(clean),
            parameters: of_one.chain(of_other).map(clean).collect(),
            resource_types: summary.resource_types().iter().map(|t| clean(t)).collect(),
            transforms: transforms
                .chain(summary.declared_transforms())
                .map(|t| clean(t))
                .collect(),
        }))
    }
}

/// Tells a template that is refused, inside, from a call that did not get that far.
fn refusal<T>(reply: Result<T, CallFailure>) -> Result<Result<T, String>, CallFailure> {
    let failure = match reply {
        Ok(reply) => return Ok(Ok(reply)),
        Err(failure) => failure,
    };
    // There is no stack that could be missing: some endpoints wrap what they say of a template so.
    let is_answer = matches!(failure.kind, FailureKind::Refused | FailureKind::NotFound);
    match failure.message.split_once(": ValidationError: ") {
        Some((_, words)) if is_answer => {
            let words = words
                .rsplit_once(" (request ")
                .map_or(words, |(words, _)| words);
            Ok(Err(words.to_owned()))
        }
        Some(_) | None => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{aws, spec};
    use super::super::scripted::Scripted;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn both_replies_make_one_summary() {
        let script = Scripted::new();
        script
            .ok(
                "ValidateTemplate",
                "<Capabilities><member>CAPABILITY_IAM</member></Capabilities><CapabilitiesReason>the role</CapabilitiesReason>\
                 <Parameters><member><ParameterKey>Stage</ParameterKey></member></Parameters>",
            )
            .ok(
                "GetTemplateSummary",
                "<ResourceTypes><member>AWS::IAM::Role</member></ResourceTypes>\
                 <DeclaredTransforms><member>Mine</member></DeclaredTransforms>",
            );
        let read = aws(&script).await.check_template(&spec(), "{}").await;
        let read = read.unwrap().unwrap();
        let set = |text: &str| BTreeSet::from([text.to_owned()]);
        assert_eq!(
            read,
            TemplateSummary {
                capabilities: set("CAPABILITY_IAM"),
                capabilities_reason: Some("the role".to_owned()),
                parameters: set("Stage"),
                resource_types: set("AWS::IAM::Role"),
                transforms: set("Mine"),
            }
        );
        let sent = script.requests();
        assert_eq!((sent.len(), sent[0].field("TemplateBody")), (2, "{}"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_template_is_an_answer_and_a_refused_call_is_none() {
        for words in [
            "Template format error: x",
            "Stack with id E3001 does not exist",
        ] {
            let script = Scripted::new();
            script.error("ValidateTemplate", 400, "ValidationError", words);
            let read = aws(&script).await.check_template(&spec(), "{}").await;
            assert_eq!(read.unwrap().unwrap_err(), words);
        }
        let script = Scripted::new();
        script.error("ValidateTemplate", 403, "AccessDenied", "not authorized");
        let read = aws(&script).await.check_template(&spec(), "{}").await;
        assert_eq!(read.unwrap_err().kind, FailureKind::AccessDenied);
    }
}
