//! The world in the wire formats of CloudFormation and STS, for who puts it behind the SDK's HTTP client.
//!
//! An account is known by its credentials: `AssumeRole` gives an access key that ends in the account's number.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::cloud::{Admission, Cloud, Refusal, Wanted};
use super::stack::{ChangeSet, Stack, Version};
use crate::model::{
    AccountId, ChangeSetKind, ChangeSetName, Region, StackEvent, StackName, Target,
};

/// The account of credentials that no role gave.
const OWN_ACCOUNT: &str = "000000000000";
/// Events of a page.
const PAGE: usize = 100;

/// A request in the query protocol.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The form's fields, decoded, `Action` among them.
    pub fields: &'a BTreeMap<String, String>,
    /// The access key that signed it.
    pub access_key: &'a str,
    /// The region it was signed for.
    pub region: &'a str,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An HTTP reply.
    Http(u16, String),
    /// The connection broke before the request was carried out.
    NotCarriedOut,
    /// The connection broke after it.
    Lost,
}

impl Asked<'_> {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    fn account(&self) -> &str {
        match self.access_key.len().checked_sub(12) {
            Some(at) if self.access_key.starts_with("ASIA") => {
                self.access_key.get(at..).unwrap_or(OWN_ACCOUNT)
            }
            Some(_) | None => OWN_ACCOUNT,
        }
    }

    /// Returns the target that is asked about; the stack's name is in its ARN too.
    fn target(&self, cloud: &Cloud) -> Result<Target, Refusal> {
        let bad = |e: crate::model::IdError| Refusal::invalid(e.to_string());
        let asked = self.field("StackName");
        let name = match asked.split_once(":stack/") {
            Some((_, path)) => path.split('/').next().unwrap_or_default(),
            None => asked,
        };
        let of_set = || cloud.target_of(self.field("ChangeSetName"));
        if name.is_empty()
            && let Some(target) = of_set()
        {
            return Ok(target.clone());
        }
        // Who asks for the whole account, or for itself, names no stack.
        let name = if name.is_empty() { "none" } else { name };
        Ok(Target {
            account: AccountId::new(self.account()).map_err(bad)?,
            region: Region::new(self.region).map_err(bad)?,
            stack: StackName::new(name).map_err(bad)?,
        })
    }

    /// Returns the account whose role is asked for.
    fn role_account(&self) -> Option<&str> {
        self.field("RoleArn").split(':').nth(4)
    }
}

/// Returns what the world answers at `now`, and after how long.
pub fn answer(cloud: &mut Cloud, asked: &Asked<'_>, now: Timestamp) -> (Answer, Duration) {
    let action = asked.field("Action").to_owned();
    let target = match asked.target(cloud) {
        Ok(target) => target,
        Err(refusal) => return (error(&refusal), Duration::ZERO),
    };
    let mut admitted = target.clone();
    if let Some(account) = asked.role_account().and_then(|a| AccountId::new(a).ok()) {
        admitted.account = account;
    }
    let (admission, latency) = cloud.admit(&admitted, &action, now);
    let reply = match admission {
        Admission::Refused(refusal) => error(&refusal),
        Admission::LosesRequest => Answer::NotCarriedOut,
        Admission::Answered | Admission::LosesReply => {
            match carry_out(cloud, asked, &action, &target, now) {
                _ if admission == Admission::LosesReply => Answer::Lost,
                Ok(result) => Answer::Http(
                    200,
                    format!(
                        "<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"
                    ),
                ),
                Err(refusal) => error(&refusal),
            }
        }
    };
    (reply, latency)
}

fn error(refusal: &Refusal) -> Answer {
    Answer::Http(
        refusal.http,
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error></ErrorResponse>",
            refusal.code,
            escaped(&refusal.message)
        ),
    )
}

fn carry_out(
    cloud: &mut Cloud,
    asked: &Asked<'_>,
    action: &str,
    target: &Target,
    now: Timestamp,
) -> Result<String, Refusal> {
    let named = asked.field("StackName");
    let token = asked.fields.get("ClientRequestToken").map(String::as_str);
    match action {
        "AssumeRole" => {
            let account = asked.role_account().unwrap_or(OWN_ACCOUNT);
            Ok(format!(
                "<AssumedRoleUser><AssumedRoleId>AROA:{0}</AssumedRoleId><Arn>arn:aws:sts::{account}:assumed-role/deploy/{0}</Arn></AssumedRoleUser>\
                 <Credentials><AccessKeyId>ASIA{account}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
                 <SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>",
                escaped(asked.field("RoleSessionName")),
            ))
        }
        "GetCallerIdentity" => Ok(format!(
            "<Arn>arn:aws:iam::{0}:user/simulated</Arn><UserId>AIDA</UserId><Account>{0}</Account>",
            asked.account()
        )),
        "DescribeStacks" => {
            let stack = cloud.stack(target, named, now)?;
            Ok(format!(
                "<Stacks><member>{}</member></Stacks>",
                described(stack, now)
            ))
        }
        "GetTemplate" => {
            let stack = cloud.stack(target, named, now)?;
            let template = stack.version(now).map_or("", |v| &v.template);
            Ok(format!(
                "<TemplateBody>{}</TemplateBody>",
                escaped(template)
            ))
        }
        "CreateChangeSet" => {
            let wanted = wanted(cloud, asked)?;
            let (id, stack) = cloud.create_change_set(target, wanted, now)?;
            Ok(format!("<Id>{id}</Id><StackId>{stack}</StackId>"))
        }
        "DescribeChangeSet" => {
            let asked_for = asked.field("ChangeSetName");
            let named = if named.is_empty() {
                target.stack.as_str()
            } else {
                named
            };
            let stack = cloud.stack(target, named, now)?;
            let set = stack.change_set(asked_for);
            let set = set.ok_or_else(|| Refusal::no_change_set(asked_for))?;
            Ok(described_set(stack, set, now))
        }
        "ExecuteChangeSet" => {
            cloud.execute(target, asked.field("ChangeSetName"), token, now)?;
            Ok(String::new())
        }
        "DeleteChangeSet" => {
            cloud.delete_change_set(target, asked.field("ChangeSetName"), now)?;
            Ok(String::new())
        }
        "DeleteStack" => {
            cloud.delete(target, token, now)?;
            Ok(String::new())
        }
        "ListChangeSets" => {
            let stack = cloud.stack(target, named, now)?;
            let mut sets = String::new();
            for set in &stack.change_sets {
                let (id, name) = (&set.id, &set.name);
                let _ = write!(
                    sets,
                    "<member><ChangeSetId>{id}</ChangeSetId><ChangeSetName>{name}</ChangeSetName></member>"
                );
            }
            Ok(format!("<Summaries>{sets}</Summaries>"))
        }
        "DescribeStackEvents" => {
            let stack = cloud.stack(target, named, now)?;
            let from = asked.field("NextToken").parse().unwrap_or(0);
            let events = stack.events(now);
            let mut page = String::new();
            for event in events.iter().skip(from).take(PAGE) {
                page.push_str(&described_event(stack, event));
            }
            let next = match events.len() > from + PAGE {
                true => format!("<NextToken>{}</NextToken>", from + PAGE),
                false => String::new(),
            };
            Ok(format!("<StackEvents>{page}</StackEvents>{next}"))
        }
        other => Err(Refusal::new(
            400,
            "InvalidAction",
            format!("The simulated world has no operation {other}"),
        )),
    }
}

fn wanted(cloud: &mut Cloud, asked: &Asked<'_>) -> Result<Wanted, Refusal> {
    let bad = |e: crate::model::IdError| Refusal::invalid(e.to_string());
    let parameter = |n: u32| {
        let field = |what: &str| asked.fields.get(&format!("Parameters.member.{n}.{what}"));
        let value = field("ParameterValue").cloned().unwrap_or_default();
        Some((field("ParameterKey")?.clone(), value))
    };
    let parameters: Arc<[(String, String)]> = (1..).map_while(parameter).collect();
    Ok(Wanted {
        name: ChangeSetName::new(asked.field("ChangeSetName")).map_err(bad)?,
        kind: match asked.field("ChangeSetType") {
            "CREATE" => ChangeSetKind::Create,
            "IMPORT" => ChangeSetKind::Import,
            _ => ChangeSetKind::Update,
        },
        version: Version {
            template: cloud.interned(asked.field("TemplateBody")),
            parameters,
        },
    })
}

fn described(stack: &Stack, now: Timestamp) -> String {
    let mut text = format!(
        "<StackId>{}</StackId><StackName>{}</StackName><CreationTime>{}</CreationTime><StackStatus>{}</StackStatus>",
        stack.id,
        stack.target.stack,
        stack.created,
        stack.status(now)
    );
    let parameters = stack.version(now).map_or(&[][..], |v| &v.parameters);
    text.push_str("<Parameters>");
    for (key, value) in parameters {
        let (key, value) = (escaped(key), escaped(value));
        let _ = write!(
            text,
            "<member><ParameterKey>{key}</ParameterKey><ParameterValue>{value}</ParameterValue></member>"
        );
    }
    text.push_str("</Parameters>");
    text
}

fn described_set(stack: &Stack, set: &ChangeSet, now: Timestamp) -> String {
    let (status, execution, reason) = match (now < set.ready, set.changes.is_empty()) {
        (true, _) => ("CREATE_IN_PROGRESS", "UNAVAILABLE", ""),
        (false, true) => (
            "FAILED",
            "UNAVAILABLE",
            "The submitted information didn't contain changes. Submit different information to create a change set.",
        ),
        (false, false) if set.executed => match stack.status(now).is_settled() {
            true => ("CREATE_COMPLETE", "EXECUTE_COMPLETE", ""),
            false => ("CREATE_COMPLETE", "EXECUTE_IN_PROGRESS", ""),
        },
        (false, false) if set.obsolete => ("CREATE_COMPLETE", "OBSOLETE", ""),
        (false, false) => ("CREATE_COMPLETE", "AVAILABLE", ""),
    };
    let mut text = format!(
        "<ChangeSetName>{}</ChangeSetName><ChangeSetId>{}</ChangeSetId><StackId>{}</StackId><StackName>{}</StackName>\
         <CreationTime>{}</CreationTime><ExecutionStatus>{execution}</ExecutionStatus><Status>{status}</Status>",
        set.name, set.id, stack.id, stack.target.stack, set.created
    );
    if !reason.is_empty() {
        let _ = write!(text, "<StatusReason>{reason}</StatusReason>");
    }
    text.push_str("<Changes>");
    let action = match set.kind {
        ChangeSetKind::Create => "<Action>Add</Action>",
        ChangeSetKind::Update | ChangeSetKind::Import | ChangeSetKind::Delete => {
            "<Action>Modify</Action><Replacement>False</Replacement><Scope><member>Properties</member></Scope>"
        }
    };
    for change in set.changes.iter().filter(|_| now >= set.ready) {
        let (name, kind) = (&change.resource, &change.resource_type);
        let _ = write!(
            text,
            "<member><Type>Resource</Type><ResourceChange>{action}<LogicalResourceId>{name}</LogicalResourceId><ResourceType>{}</ResourceType></ResourceChange></member>",
            escaped(kind)
        );
    }
    text.push_str("</Changes>");
    text
}

fn described_event(stack: &Stack, event: &StackEvent) -> String {
    let mut text = format!(
        "<member><EventId>{}</EventId><StackId>{}</StackId><StackName>{}</StackName><LogicalResourceId>{}</LogicalResourceId>\
         <ResourceType>{}</ResourceType><Timestamp>{}</Timestamp><ResourceStatus>{}</ResourceStatus>",
        event.id,
        stack.id,
        stack.target.stack,
        event.logical_id,
        escaped(&event.resource_type),
        event.at,
        event.status
    );
    let mut field = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            let _ = write!(text, "<{name}>{}</{name}>", escaped(value));
        }
    };
    field("PhysicalResourceId", &event.physical_id);
    field("ResourceStatusReason", &event.reason);
    field("ClientRequestToken", &event.token);
    text.push_str("</member>");
    text
}

/// Returns `text` as it stands in XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
