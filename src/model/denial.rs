//! What a service says when it denies a call, and what would allow it.

use serde::Serialize;
use serde_json::json;

/// A denied call, as the service words it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denial {
    /// Who was denied: an ARN.
    pub principal: String,
    /// What they tried, such as `sqs:CreateQueue`.
    pub action: String,
    /// What they tried it on, where that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What denied it.
    pub by: DeniedBy,
}

/// What denied a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeniedBy {
    /// The service did not say.
    NotSaid,
    /// No statement of such a policy allows it.
    NoAllow(PolicyKind),
    /// A statement of such a policy forbids it: statements that allow it do not count.
    ExplicitDeny(Option<PolicyKind>),
}

/// The kinds of policies that the services tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
    /// A policy of the caller.
    Identity,
    /// The policy of the resource.
    Resource,
    /// The trust policy of the role to be assumed.
    Trust,
    /// The permissions boundary of the caller.
    Boundary,
    /// The policy given when the session was opened.
    Session,
    /// A service control policy of the organization.
    ServiceControl,
    /// A resource control policy of the organization.
    ResourceControl,
    /// The policy of the VPC endpoint that the call took.
    VpcEndpoint,
}

impl PolicyKind {
    /// The words of the services.
    const WORDS: [(&str, Self); 8] = [
        ("identity-based policy", Self::Identity),
        ("resource-based policy", Self::Resource),
        ("role trust policy", Self::Trust),
        ("permissions boundary", Self::Boundary),
        ("session policy", Self::Session),
        ("service control policy", Self::ServiceControl),
        ("resource control policy", Self::ResourceControl),
        ("VPC endpoint policy", Self::VpcEndpoint),
    ];

    fn words(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, kind)| *kind == self)
            .map_or("policy", |(words, _)| words)
    }

    /// Returns the kind named first in `text`.
    fn first(text: &str) -> Option<Self> {
        let found = Self::WORDS
            .iter()
            .filter_map(|(words, kind)| text.find(words).map(|at| (at, *kind)));
        found.min_by_key(|(at, _)| *at).map(|(_, kind)| kind)
    }
}

impl Denial {
    /// Returns the denial that `text` tells of, an error's message or the reason of a resource.
    pub fn find(text: &str) -> Option<Self> {
        let (before, after) = text.split_once(" is not authorized to perform: ")?;
        let (_, principal) = before.rsplit_once("User: ")?;
        let action = word(after);
        if principal.is_empty() || principal.contains(' ') || !action.contains(':') {
            return None;
        }
        let rest = after.get(action.len()..)?;
        // What a later call of the same text was denied is not of this one.
        let rest = rest.split("User: ").next().unwrap_or(rest);
        let resource = rest
            .split_once("on resource: ")
            .map(|(_, text)| word(text))
            .filter(|text| !text.is_empty());
        let by = if let Some((_, text)) = rest.split_once("explicit deny") {
            DeniedBy::ExplicitDeny(PolicyKind::first(text))
        } else {
            rest.split_once("because no ")
                .and_then(|(_, text)| PolicyKind::first(text))
                .map_or(DeniedBy::NotSaid, DeniedBy::NoAllow)
        };
        Some(Self {
            principal: principal.to_owned(),
            action: action.to_owned(),
            resource: resource.map(str::to_owned),
            by,
        })
    }

    /// Returns the statement that would allow it, as JSON; none where no statement does.
    pub fn statement(&self) -> Option<String> {
        let resource = self.resource.as_deref().unwrap_or("*");
        let statement = match self.by {
            DeniedBy::ExplicitDeny(_) => return None,
            DeniedBy::NoAllow(PolicyKind::Trust) => json!({
                "Effect": "Allow",
                "Principal": { "AWS": lasting(&self.principal) },
                "Action": self.action,
            }),
            DeniedBy::NoAllow(PolicyKind::Resource) => json!({
                "Effect": "Allow",
                "Principal": { "AWS": lasting(&self.principal) },
                "Action": self.action,
                "Resource": resource,
            }),
            DeniedBy::NotSaid
            | DeniedBy::NoAllow(
                PolicyKind::Identity
                | PolicyKind::Boundary
                | PolicyKind::Session
                | PolicyKind::ServiceControl
                | PolicyKind::ResourceControl
                | PolicyKind::VpcEndpoint,
            ) => json!({
                "Effect": "Allow",
                "Action": self.action,
                "Resource": resource,
            }),
        };
        // With spaces, so that each ARN is a word of its own where lines are broken and causes compared.
        Some(
            statement
                .to_string()
                .replace("\":", "\": ")
                .replace(",\"", ", \""),
        )
    }

    /// Returns what to do about it, one line each; the statement is the last one.
    pub fn advice(&self) -> Vec<String> {
        let who = name(&self.principal);
        let mut lines = Vec::new();
        match self.by {
            DeniedBy::ExplicitDeny(kind) => {
                let policy = kind.map_or("a policy", PolicyKind::words);
                let article = match kind {
                    Some(PolicyKind::Identity) => "an ",
                    Some(_) => "a ",
                    None => "",
                };
                lines.push(format!(
                    "{article}{policy} explicitly denies {} to {who}; a statement that allows it does not help: {}",
                    self.action,
                    match kind {
                        Some(PolicyKind::ServiceControl | PolicyKind::ResourceControl) =>
                            "whoever administers the organization must except it from the denial",
                        Some(PolicyKind::VpcEndpoint) => "except it from the endpoint's denial, or call from elsewhere",
                        Some(
                            PolicyKind::Identity
                            | PolicyKind::Resource
                            | PolicyKind::Trust
                            | PolicyKind::Boundary
                            | PolicyKind::Session,
                        )
                        | None => "except it from the statement that denies it",
                    }
                ));
            }
            DeniedBy::NotSaid if self.action == "sts:AssumeRole" => {
                let role = self.resource.as_deref().map_or("the role".to_owned(), name);
                lines.push(format!(
                    "{role} must exist, and its trust policy must name {who}: {}",
                    Self {
                        by: DeniedBy::NoAllow(PolicyKind::Trust),
                        ..self.clone()
                    }
                    .statement()
                    .unwrap_or_default()
                ));
                lines.push(format!("and a policy of {who} must allow it:"));
            }
            DeniedBy::NotSaid => lines.push(format!("a policy of {who} would allow it with")),
            DeniedBy::NoAllow(kind) => lines.push(match kind {
                PolicyKind::Identity => format!("a policy of {who} would allow it with"),
                PolicyKind::Resource => "the resource's own policy must allow it too:".to_owned(),
                PolicyKind::Trust => match self.resource.as_deref() {
                    Some(role) => format!("the trust policy of {} must allow it:", name(role)),
                    None => "the trust policy of the role must allow it:".to_owned(),
                },
                PolicyKind::Boundary => format!(
                    "the permissions boundary of {who} must allow it, besides its policies:"
                ),
                PolicyKind::Session => format!(
                    "the policy that the session of {who} was opened with must allow it, besides the role's:"
                ),
                PolicyKind::ServiceControl | PolicyKind::ResourceControl => format!(
                    "every level of the organization above the account needs a {} that allows it:",
                    kind.words()
                ),
                PolicyKind::VpcEndpoint => {
                    "the policy of the VPC endpoint must allow it, or call from elsewhere:".to_owned()
                }
            }),
        }
        lines.extend(self.statement());
        lines
    }
}

/// Returns the first word of `text`, without the punctuation behind it.
fn word(text: &str) -> &str {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    text[..end].trim_end_matches(['.', ',', ';', '"', '\'', ')'])
}

/// Returns the user or role of an ARN as people name it.
fn name(arn: &str) -> String {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, _, _, account, path] = parts[..] else {
        return format!("`{arn}`");
    };
    match path.split_once('/') {
        Some(("assumed-role", rest)) => {
            let role = rest.split('/').next().unwrap_or(rest);
            format!("role {role} of account {account}")
        }
        Some((kind @ ("role" | "user"), rest)) => format!("{kind} {rest} of account {account}"),
        Some(_) | None => format!("`{arn}`"),
    }
}

/// Returns the ARN that a policy names: a session's own would end with it.
fn lasting(principal: &str) -> String {
    let parts: Vec<&str> = principal.splitn(6, ':').collect();
    if let [_, partition, "sts", _, account, path] = parts[..]
        && let Some(rest) = path.strip_prefix("assumed-role/")
        && let Some((role, _)) = rest.split_once('/')
    {
        return format!("arn:{partition}:iam::{account}:role/{role}");
    }
    principal.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:sts::222222222222:assumed-role/Deploy/stackgate-1";
    const QUEUE: &str = "arn:aws:sqs:eu-west-1:222222222222:app";

    fn denied(rest: &str) -> Denial {
        let text = format!(
            "Resource handler returned message: \"User: {ROLE} is not authorized to perform: sqs:CreateQueue{rest} \
             (Service: Sqs, Status Code: 403, Request ID: 1)\" (RequestToken: 2, HandlerErrorCode: AccessDenied)"
        );
        Denial::find(&text).unwrap()
    }

    #[test]
    fn who_what_and_where_are_told_apart() {
        let denial = denied(&format!(
            " on resource: {QUEUE} because no identity-based policy allows the sqs:CreateQueue action"
        ));
        assert_eq!(denial.principal, ROLE);
        assert_eq!(denial.action, "sqs:CreateQueue");
        assert_eq!(denial.resource.as_deref(), Some(QUEUE));
        assert_eq!(denial.by, DeniedBy::NoAllow(PolicyKind::Identity));
        assert_eq!(
            denial.advice(),
            [
                "a policy of role Deploy of account 222222222222 would allow it with",
                r#"{"Effect": "Allow", "Action": "sqs:CreateQueue", "Resource": "arn:aws:sqs:eu-west-1:222222222222:app"}"#
            ]
        );
    }

    #[test]
    fn each_kind_of_policy_is_recognised() {
        for (words, kind) in PolicyKind::WORDS {
            let none = denied(&format!(
                " because no {words} allows the sqs:CreateQueue action"
            ));
            assert_eq!(none.by, DeniedBy::NoAllow(kind));
            assert!(
                none.statement()
                    .is_some_and(|s| s.contains("sqs:CreateQueue"))
            );
            let explicit = denied(&format!(
                " on resource: {QUEUE} with an explicit deny in a {words}"
            ));
            assert_eq!(explicit.by, DeniedBy::ExplicitDeny(Some(kind)));
            assert_eq!(explicit.statement(), None);
            let advice = explicit.advice().join(" ");
            assert!(
                advice.contains(words) && advice.contains("does not help"),
                "{advice}"
            );
        }
        let plain = denied(" with an explicit deny");
        assert_eq!(plain.by, DeniedBy::ExplicitDeny(None));
    }

    #[test]
    fn without_a_resource_the_statement_is_for_all() {
        let denial = Denial::find(
            "CreateChangeSet in 1/eu-west-1: AccessDenied: User: arn:aws:iam::111111111111:user/ann is not authorized to perform: cloudformation:CreateChangeSet",
        )
        .unwrap();
        assert_eq!(denial.by, DeniedBy::NotSaid);
        assert!(denial.statement().unwrap().contains(r#""Resource": "*""#));
        assert!(denial.advice()[0].contains("user ann of account 111111111111"));
    }

    #[test]
    fn a_role_that_may_not_be_assumed_needs_trust_and_permission() {
        let advice = Denial::find(&format!(
            "User: {ROLE} is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::333333333333:role/Target"
        ))
        .unwrap()
        .advice();
        assert_eq!(advice.len(), 3);
        // The session's own ARN would not be there next time.
        assert!(
            advice[0].contains(r#""AWS": "arn:aws:iam::222222222222:role/Deploy""#),
            "{advice:?}"
        );
        assert!(advice[0].starts_with("role Target of account 333333333333 must exist"));
        assert!(advice[2].contains("arn:aws:iam::333333333333:role/Target"));
    }

    #[test]
    fn other_texts_are_no_denial() {
        for text in [
            "",
            "User: ",
            "User: x is not authorized to perform: ",
            "User: x y is not authorized to perform: s3:Put",
            " is not authorized to perform: s3:PutObject",
            "User: é is not authorized to perform: é",
            "Rate exceeded",
        ] {
            assert_eq!(Denial::find(text), None, "{text}");
        }
    }
}
