//! What another rule would judge is known only when it runs.

use serde_json::Value;

use super::{Check, Rule, Subject};
use crate::diff::KNOWN_AFTER_APPLY;
use crate::diff::iam::{Openness, some};
use crate::diff::judged;
use crate::diff::network::{self, Direction, NetworkChange};
use crate::diff::property::PropertyChange;
use crate::diff::value::MARKER;
use crate::model::{ChangeAction, RiskLevel, clean};
use crate::template::PathSegment;

pub(super) const RULE: Rule = Rule {
    name: "unjudged",
    level: RiskLevel::Medium,
    explanation: "What decides whether something becomes public is known only at execution, so that no rule can judge it: the \
                  block that a security group lets in, the addresses of a prefix list, the condition of a policy for everybody, or \
                  the setting that makes a resource public. So it is where nothing tells the properties of a security group or a \
                  policy, as inside a nested stack. Addresses of the stack's own networks are not told.",
    check: Check::Resource(check),
};

/// Settings that make a resource public.
const SETTINGS: [&str; 4] = [
    "AccessControl",
    "AuthType",
    "PubliclyAccessible",
    "PublicAccessBlockConfiguration",
];

fn check(subject: &Subject<'_>) -> Option<String> {
    if is_untold(subject) {
        let what = "neither the change set nor a template at hand tells its properties";
        return Some(format!("cannot be judged before it runs: {what}"));
    }
    let mut found = network(subject);
    let permissions = subject.permissions().iter();
    let perhaps = permissions.filter(|one| one.openness == Openness::Unknown);
    found.extend(perhaps.map(|one| format!("who is allowed: {}", one.what)));
    for name in SETTINGS {
        let (was, is) = (subject.sides.was(name), subject.sides.is(name));
        if was != is && is.is_some_and(is_open) {
            found.push(name.to_owned());
        }
    }
    let texts = found.iter();
    let texts: Vec<String> = texts
        .map(|text| clean(&text.replace(MARKER, KNOWN_AFTER_APPLY)))
        .collect();
    (!texts.is_empty()).then(|| format!("cannot be judged before it runs: {}", some(&texts, "; ")))
}

/// Returns whether nothing tells the properties by which the resource would be judged.
fn is_untold(subject: &Subject<'_>) -> bool {
    let change = subject.change;
    let is_after = match change.action {
        ChangeAction::Add | ChangeAction::Import | ChangeAction::Modify => true,
        ChangeAction::Remove | ChangeAction::Dynamic | ChangeAction::SyncWithActual => false,
    };
    if !is_after || subject.sides.after.is_some() || !judged::is_judged(&change.resource_type) {
        return false;
    }
    let changed = subject.properties();
    let decides = |property: &PropertyChange| match property.path.first() {
        Some(PathSegment::Key(name)) => judged::decides(&change.resource_type, name),
        Some(PathSegment::Index(_)) | None => true,
    };
    // Which properties change is often told where their values are not.
    changed.is_empty() || changed.iter().any(decides)
}

fn network(subject: &Subject<'_>) -> Vec<String> {
    let is_unknown =
        |one: &&NetworkChange| one.direction == Direction::In && one.is_opened_to_unknown();
    let found: Vec<String> = subject
        .network()
        .iter()
        .filter(is_unknown)
        .map(NetworkChange::to_string)
        .collect();
    if found.is_empty() {
        return found;
    }
    // The service says no more than that it is not known; the template says where it comes from.
    let change = subject.change;
    let new = subject.templates.new.as_ref();
    match new.and_then(|template| template.properties(&change.logical_id)) {
        Some(written) if !network::lets_unknown_in(&change.resource_type, &written) => Vec::new(),
        Some(_) | None => found,
    }
}

/// Returns whether a value is known only at execution, at least in part.
fn is_open(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(MARKER) || text.contains("{{resolve:"),
        Value::Object(entries) => entries
            .iter()
            .any(|(key, value)| key == "Ref" || key.starts_with("Fn::") || is_open(value)),
        Value::Array(items) => items.iter().any(is_open),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::risks;
    use super::super::tests::{change, fired};
    use super::*;
    use crate::model::Replacement;
    use crate::template::Template;
    use serde_json::json;

    #[test]
    fn what_decides_and_is_not_known_is_told() {
        let group = |name: &str, peer: Value| json!({"SecurityGroupIngress": [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, name: peer}]});
        let policy = json!({"PolicyDocument": {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:Get", "Resource": "x",
            "Condition": {"IpAddress": {"aws:SourceIp": {"Ref": "Ip"}}}}}});
        let security_group = "AWS::EC2::SecurityGroup";
        for (of, new, wanted) in [
            (
                security_group,
                group("CidrIp", json!({"Ref": "Cidr"})),
                Some("ingress tcp 22 from {\"Ref\":\"Cidr\"}"),
            ),
            (
                security_group,
                group("CidrIp", json!(MARKER)),
                Some("ingress tcp 22 from known after apply"),
            ),
            (
                security_group,
                group("SourcePrefixListId", json!("pl-1")),
                Some("ingress tcp 22 from pl-1"),
            ),
            (
                "AWS::S3::BucketPolicy",
                policy,
                Some("who is allowed: PolicyDocument: Allow s3:Get on x to *, on a condition"),
            ),
            (
                "AWS::RDS::DBInstance",
                json!({"PubliclyAccessible": {"Ref": "Public"}}),
                Some("PubliclyAccessible"),
            ),
            (
                security_group,
                group("SourceSecurityGroupId", json!(MARKER)),
                None,
            ),
            (security_group, group("CidrIp", json!("10.0.0.0/8")), None),
            (
                "AWS::RDS::DBInstance",
                json!({"PubliclyAccessible": false, "Name": MARKER}),
                None,
            ),
        ] {
            let wanted = wanted.map(|text| format!("cannot be judged before it runs: {text}"));
            assert_eq!(
                fired("unjudged", of, None, Some(new.clone())),
                wanted,
                "{new}"
            );
            assert_eq!(fired("unjudged", of, Some(new.clone()), Some(new)), None);
        }
    }

    #[test]
    fn what_nothing_tells_cannot_be_judged() {
        let found = |of, action, properties: &[&str]| {
            let mut change = change("Network/R", of, action, Replacement::No);
            change.details = properties
                .iter()
                .map(|name| {
                    let detail =
                        json!({"attribute": "Properties", "name": name, "recreation": "Never"});
                    serde_json::from_value(detail).unwrap()
                })
                .collect();
            let risks = risks(&[change], None, None);
            let found = risks.iter().find(|risk| risk.rule == "unjudged");
            found.map(|risk| risk.resource.to_string())
        };
        let (group, told) = ("AWS::EC2::SecurityGroup", Some("Network/R".to_owned()));
        assert_eq!(found(group, ChangeAction::Add, &[]), told);
        assert_eq!(found(group, ChangeAction::Modify, &[]), told);
        assert_eq!(
            found(
                group,
                ChangeAction::Modify,
                &["Tags", "SecurityGroupIngress"]
            ),
            told
        );
        assert_eq!(found(group, ChangeAction::Modify, &["Tags"]), None);
        assert_eq!(found(group, ChangeAction::Remove, &[]), None);
        assert_eq!(found("AWS::SNS::Topic", ChangeAction::Add, &[]), None);
    }

    #[test]
    fn a_block_of_the_stacks_own_network_is_no_news() {
        let found = |cidr: &str| {
            let text = format!(
                "Resources: {{G: {{Type: 'AWS::EC2::SecurityGroup', Properties: {{SecurityGroupIngress: [{{IpProtocol: tcp, CidrIp: {cidr}}}]}}}}}}\n"
            );
            let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
            let of = "AWS::EC2::SecurityGroup";
            let mut add = change("G", of, ChangeAction::Add, Replacement::No);
            add.after = Some(
                json!({"Properties": {"SecurityGroupIngress": [{"IpProtocol": "tcp", "CidrIp": MARKER}]}}),
            );
            let risks = risks(&[add], Some(&template), None);
            risks.iter().any(|risk| risk.rule == "unjudged")
        };
        assert!(!found("!GetAtt Vpc.CidrBlock"));
        assert!(found("!Ref Cidr"));
    }
}
