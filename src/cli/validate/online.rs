//! What CloudFormation says of a template before it is deployed, and whether it reads in it what this program reads.

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};

use super::super::CliError;
use super::super::run::{block_on, connect};
use super::super::settings::Settings;
use super::super::survey::AT_ONCE;
use super::super::targets::DEFAULT_TARGET_ROLE;
use super::{Read, ValidateArgs};
use crate::aws::{Aws, TemplateSummary};
use crate::model::{
    CallFailure, FailureKind, Invocation, LARGEST_INLINE_TEMPLATE, StackName, Target, TargetSpec,
};
use crate::template::{At, Code, Findings, Foreign, Severity, Template};

/// A target has a stack; nothing is asked of this one.
const NOBODYS: &str = "stackgate-validate";

/// Asks about every template in one place, and joins what is said.
pub(super) fn ask(
    settings: &Settings,
    args: &ValidateArgs,
    templates: &mut [&mut Read],
) -> Result<(), CliError> {
    let (values, _) = settings.choose(None, None).map_err(CliError::usage)?;
    let connection = &args.connection;
    let invocation = Invocation {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        profile: connection.profile.clone().or(values.profile),
        endpoint_url: connection.endpoint_url.clone().or(values.endpoint_url),
        region: args.at.as_ref().map(|(_, region)| region.to_string()),
        ..Invocation::default()
    };
    let role = values.target_role.as_deref().unwrap_or(DEFAULT_TARGET_ROLE);
    let answers = block_on(async {
        let aws = connect(&invocation, None).await?;
        let spec = place(&aws, args, role).await?;
        let asked = templates.iter().map(|read| of_template(&aws, &spec, read));
        let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
        Ok::<_, CliError>(answers)
    })??;
    for (read, answer) in templates.iter_mut().zip(answers) {
        let (found, capabilities) = answer.map_err(denied)?;
        read.findings.capabilities.extend(capabilities);
        read.findings.join(&read.file, &read.bytes, found);
    }
    Ok(())
}

/// Returns where the service is asked.
async fn place(aws: &Aws, args: &ValidateArgs, role: &str) -> Result<TargetSpec, CliError> {
    let caller = aws.caller().await?;
    let (account, region) = match args.at.clone() {
        Some(at) => at,
        None => {
            let region = aws.default_region().ok_or_else(|| {
                CliError::message("no region is given").hint(
                    "name one with `--at ACCOUNT/REGION`, or set `AWS_REGION` or the profile's region",
                )
            })?;
            (caller.account.clone(), region)
        }
    };
    let target = Target {
        account,
        region,
        stack: StackName::new(NOBODYS).map_err(CliError::failed)?,
    };
    let is_elsewhere = target.account != caller.account;
    Ok(TargetSpec {
        role_arn: is_elsewhere.then(|| target.fill(role)),
        execute_role_arn: None,
        target,
    })
}

/// What is found in a template, and the capabilities that only the service knows of.
type Answer = Result<(Vec<Foreign>, BTreeSet<String>), CallFailure>;

async fn of_template(aws: &Aws, spec: &TargetSpec, read: &Read) -> Answer {
    // The caller leaves out what is no text.
    let text = std::str::from_utf8(&read.bytes).unwrap_or_default();
    if text.len() > LARGEST_INLINE_TEMPLATE {
        let too_large = Foreign {
            code: Code::Online,
            severity: Severity::Warning,
            message: format!(
                "CloudFormation was not asked: it takes {LARGEST_INLINE_TEMPLATE} bytes in a request, and the template has {}",
                text.len()
            ),
            at: At::Path(Vec::new()),
            help: "`stackgate plan --s3-bucket BUCKET` asks with the template in a bucket"
                .to_owned(),
        };
        return Ok((vec![too_large], BTreeSet::new()));
    }
    Ok(match aws.check_template(spec, text).await? {
        Ok(summary) => {
            let template = Template::parse(&read.file, &read.bytes);
            let found = template.map_or_else(
                |_| Vec::new(),
                |template| compared(&template, &read.findings, &summary),
            );
            (found, missing(&read.findings, &summary))
        }
        Err(words) => {
            let refused = Foreign {
                code: Code::Online,
                severity: Severity::Error,
                message: words,
                at: At::Message,
                help: format!(
                    "CloudFormation in {} refuses the template",
                    spec.target.place()
                ),
            };
            (vec![refused], BTreeSet::new())
        }
    })
}

/// Returns the capabilities that the service asks for and that this program did not see.
fn missing(findings: &Findings, summary: &TemplateSummary) -> BTreeSet<String> {
    let ours = &findings.capabilities;
    let is_covered = |one: &String| {
        ours.contains(one) || one == "CAPABILITY_IAM" && ours.contains("CAPABILITY_NAMED_IAM")
    };
    let asked = summary.capabilities.iter();
    asked.filter(|one| !is_covered(one)).cloned().collect()
}

/// Returns where the service reads something else than this program. What it does not tell is no difference.
fn compared(template: &Template, findings: &Findings, summary: &TemplateSummary) -> Vec<Foreign> {
    let mut found = Vec::new();
    let mut differs = |message: String, at: &[&str], help: &str| {
        found.push(Foreign {
            code: Code::Online,
            severity: Severity::Warning,
            message,
            at: At::Path(at.iter().map(|&step| step.to_owned()).collect()),
            help: help.to_owned(),
        });
    };
    let missing = missing(findings, summary);
    if !missing.is_empty() {
        let list = missing.into_iter().collect::<Vec<_>>().join(",");
        let why = summary.capabilities_reason.as_deref();
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        differs(
            format!("CloudFormation asks for more capabilities than the template shows{why}"),
            &["Resources"],
            &format!("deploy it with `--capabilities {list}`"),
        );
    }
    let root = template.root();
    // Macros and loops make names that one side has and the other has not.
    if root.value("Transform").is_some() {
        let declared = transforms(template);
        let strange = summary
            .transforms
            .iter()
            .find(|one| !declared.contains(one.as_str()));
        if let Some(strange) = strange {
            differs(
                format!(
                    "CloudFormation reads a transform `{strange}`, which the template does not declare here"
                ),
                &["Transform"],
                "look how the name is written",
            );
        }
        return found;
    }
    let own: BTreeSet<&str> = template.parameters().keys().map(String::as_str).collect();
    let theirs: BTreeSet<&str> = summary.parameters.iter().map(String::as_str).collect();
    for name in theirs.symmetric_difference(&own) {
        let who = if own.contains(name) {
            "does not read"
        } else {
            "reads"
        };
        differs(
            format!("CloudFormation {who} a parameter `{name}`, other than this program"),
            &["Parameters", name],
            "look how the name is written",
        );
    }
    let types = || template.resources().iter();
    if !summary.resource_types.is_empty() {
        for (id, resource) in types() {
            if !summary.resource_types.contains(&resource.resource_type) {
                let kind = &resource.resource_type;
                differs(
                    format!(
                        "CloudFormation reads no resource of type `{kind}`, other than this program"
                    ),
                    &["Resources", id.as_str(), "Type"],
                    "look how the type is written",
                );
            }
        }
        for kind in &summary.resource_types {
            if !types().any(|(_, resource)| resource.resource_type == *kind) {
                differs(
                    format!(
                        "CloudFormation reads a resource of type `{kind}`, other than this program"
                    ),
                    &["Resources"],
                    "look how the types are written",
                );
            }
        }
    }
    found
}

/// Returns the transforms that stand at the top of a template.
fn transforms(template: &Template) -> BTreeSet<&str> {
    let Some(node) = template.root().value("Transform") else {
        return BTreeSet::new();
    };
    let one = std::slice::from_ref(node);
    let all = node.items().unwrap_or(one).iter();
    all.filter_map(|node| node.text().or_else(|| node.value("Name")?.text()))
        .collect()
}

/// Returns the error that nobody could be asked, with what has to be allowed.
fn denied(failure: CallFailure) -> CliError {
    let is_denied = failure.kind == FailureKind::AccessDenied;
    let error = CliError::from(failure);
    if is_denied {
        error.hint("`--online` needs `cloudformation:ValidateTemplate` and `cloudformation:GetTemplateSummary`")
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::validate;

    const TEXT: &str = "Parameters: {Stage: {Type: String}}
Resources:
  Role: {Type: AWS::IAM::Role, Properties: {RoleName: !Ref Stage}}
";

    fn set(all: &[&str]) -> BTreeSet<String> {
        all.iter().map(|&one| one.to_owned()).collect()
    }

    fn differences(text: &str, summary: &TemplateSummary) -> Vec<(String, At)> {
        let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
        let findings = validate("t.yaml", text.as_bytes());
        let found = compared(&template, &findings, summary);
        found.into_iter().map(|one| (one.message, one.at)).collect()
    }

    #[test]
    fn the_same_reading_is_no_finding_and_silence_neither() {
        let same = TemplateSummary {
            capabilities: set(&["CAPABILITY_IAM"]),
            parameters: set(&["Stage"]),
            resource_types: set(&["AWS::IAM::Role"]),
            ..TemplateSummary::default()
        };
        assert_eq!(differences(TEXT, &same), []);
        let silent = TemplateSummary {
            parameters: set(&["Stage"]),
            ..TemplateSummary::default()
        };
        assert_eq!(differences(TEXT, &silent), []);
    }

    #[test]
    fn another_reading_is_told_with_its_place() {
        let other = TemplateSummary {
            capabilities: set(&["CAPABILITY_AUTO_EXPAND", "CAPABILITY_IAM"]),
            capabilities_reason: Some("a module".to_owned()),
            parameters: set(&["Stag"]),
            resource_types: set(&["AWS::IAM::Rol"]),
            transforms: set(&["Mine"]),
        };
        let found = differences(TEXT, &other);
        let said: Vec<&str> = found.iter().map(|(message, _)| message.as_str()).collect();
        assert_eq!(
            said,
            [
                "CloudFormation asks for more capabilities than the template shows: a module",
                "CloudFormation reads a parameter `Stag`, other than this program",
                "CloudFormation does not read a parameter `Stage`, other than this program",
                "CloudFormation reads no resource of type `AWS::IAM::Role`, other than this program",
                "CloudFormation reads a resource of type `AWS::IAM::Rol`, other than this program",
            ]
        );
        let path = ["Resources", "Role", "Type"].map(str::to_owned).into();
        assert_eq!(found[3].1, At::Path(path));
        let macros = format!("Transform: [Ours, {{Name: Theirs}}]\n{TEXT}");
        assert_eq!(differences(&macros, &other).len(), 1, "the transform alone");
        let known = TemplateSummary {
            transforms: set(&["Ours", "Theirs"]),
            ..other
        };
        assert_eq!(differences(&macros, &known), []);
    }
}
