//! The properties that decide what rules find. Of nested stacks no other values are kept: which of them are secret is said
//! by templates that are not at hand.

use serde_json::{Map, Value};

use super::iam::is_about_who;
use super::mask::MASK;
use super::value::from_text;
use crate::model::ResourceChange;

/// Properties of whatever type.
const ANYWHERE: [&str; 28] = [
    "AccessControl",
    "AccessPolicies",
    "AccessPolicy",
    "AssumeRolePolicyDocument",
    "AuthType",
    "DeletionProtection",
    "DeletionProtectionCheck",
    "DeletionProtectionEnabled",
    "DisableApiTermination",
    "EnableKeyRotation",
    "Enabled",
    "FileSystemPolicy",
    "InlinePolicy",
    "KeyPolicy",
    "ManagedPolicies",
    "ManagedPolicyArns",
    "PendingWindowInDays",
    "PermissionsBoundary",
    "Policies",
    "Policy",
    "PolicyDocument",
    "PublicAccessBlockConfiguration",
    "PubliclyAccessible",
    "RepositoryPolicyText",
    "ResourcePolicy",
    "SecurityGroupEgress",
    "SecurityGroupIngress",
    "TerminationProtection",
];

/// Types whose purpose is what rules judge, each with the properties that decide beside those above.
const TYPES: [(&str, &[&str]); 24] = [
    ("AWS::EC2::SecurityGroup", &[]),
    ("AWS::EC2::SecurityGroupEgress", RULE),
    ("AWS::EC2::SecurityGroupIngress", RULE),
    ("AWS::IAM::Group", &[]),
    ("AWS::IAM::GroupPolicy", &[]),
    ("AWS::IAM::ManagedPolicy", &["Groups", "Roles", "Users"]),
    ("AWS::IAM::Policy", &["Groups", "Roles", "Users"]),
    ("AWS::IAM::Role", &[]),
    ("AWS::IAM::RolePolicy", &[]),
    ("AWS::IAM::User", &["Groups"]),
    ("AWS::IAM::UserPolicy", &[]),
    ("AWS::KMS::Key", &[]),
    (
        "AWS::Lambda::Permission",
        &[
            "Action",
            "FunctionName",
            "FunctionUrlAuthType",
            "Principal",
            "PrincipalOrgID",
            "SourceAccount",
            "SourceArn",
        ],
    ),
    ("AWS::Lambda::Url", &[]),
    ("AWS::RDS::DBCluster", &[]),
    ("AWS::RDS::DBInstance", &[]),
    ("AWS::Redshift::Cluster", &[]),
    ("AWS::S3::AccessPoint", &[]),
    ("AWS::S3::Bucket", &[]),
    ("AWS::S3::BucketPolicy", &[]),
    ("AWS::SNS::TopicPolicy", &[]),
    ("AWS::SQS::QueuePolicy", &[]),
    ("AWS::SSO::PermissionSet", &[]),
    ("AWS::SecretsManager::ResourcePolicy", &[]),
];

/// A rule of a security group that is a resource of its own.
const RULE: &[&str] = &[
    "CidrIp",
    "CidrIpv6",
    "DestinationPrefixListId",
    "DestinationSecurityGroupId",
    "FromPort",
    "IpProtocol",
    "SourcePrefixListId",
    "SourceSecurityGroupId",
    "SourceSecurityGroupName",
    "ToPort",
];

/// Returns the properties of a type that decide beside those of whatever type; none where it is no such type.
fn own(resource_type: &str) -> Option<&'static [&'static str]> {
    let row = TYPES.iter().find(|(name, _)| *name == resource_type);
    row.map(|(_, own)| *own)
}

/// Returns whether rules judge resources of a type by their properties.
pub(super) fn is_judged(resource_type: &str) -> bool {
    own(resource_type).is_some()
}

/// Returns whether a property decides what rules find.
pub(super) fn decides(resource_type: &str, property: &str) -> bool {
    ANYWHERE.contains(&property) || own(resource_type).is_some_and(|own| own.contains(&property))
}

/// Takes all values out of a change but those that rules judge. Done twice, it changes nothing.
pub(super) fn keep_judged(change: &mut ResourceChange) {
    for context in [&mut change.before, &mut change.after]
        .into_iter()
        .flatten()
    {
        let mut kept = Map::new();
        let taken = match std::mem::take(context) {
            Value::String(text) => from_text(&text),
            other => other,
        };
        if let Some(Value::Object(properties)) = taken.get("Properties") {
            let judged = properties.iter();
            let judged = judged.filter(|(name, _)| decides(&change.resource_type, name));
            kept.extend(judged.map(|(name, value)| {
                let mut value = value.clone();
                without_conditions(&mut value);
                (name.clone(), value)
            }));
        }
        let properties = Value::Object(kept);
        *context = Value::Object(
            [("Properties".to_owned(), properties)]
                .into_iter()
                .collect(),
        );
    }
    for detail in &mut change.details {
        (detail.before, detail.after) = (None, None);
        if let Some(drift) = &mut detail.drift {
            (drift.previous, drift.actual) = (None, None);
        }
    }
}

/// Hides what conditions ask for, where it is not about who: an external id or a referer may be a secret.
fn without_conditions(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                if key == "Condition" {
                    hide(value);
                } else {
                    without_conditions(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_conditions),
        Value::String(text) if text.contains("Condition") => {
            *value = match from_text(text) {
                mut read @ (Value::Object(_) | Value::Array(_)) => {
                    without_conditions(&mut read);
                    read
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    Value::from(MASK)
                }
            };
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn hide(condition: &mut Value) {
    let Value::Object(operators) = condition else {
        *condition = Value::from(MASK);
        return;
    };
    for (_, keys) in operators {
        match keys {
            Value::Object(keys) => {
                for (_, values) in keys.iter_mut().filter(|(key, _)| !is_about_who(key)) {
                    *values = Value::from(MASK);
                }
            }
            _ => *keys = Value::from(MASK),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::change;
    use super::*;
    use crate::model::{ChangeAction, Replacement};
    use serde_json::json;

    fn kept(of: &str, context: Value) -> Value {
        let mut change = change("Network/R", of, ChangeAction::Add, Replacement::No);
        change.after = Some(context);
        keep_judged(&mut change);
        let once = change.clone();
        keep_judged(&mut change);
        assert_eq!(change, once, "done twice");
        assert_eq!(change.before, None);
        change.after.unwrap()
    }

    #[test]
    fn only_what_is_judged_is_kept() {
        let properties = json!({"Properties": {"MasterUserPassword": "hunter2", "PubliclyAccessible": true}, "Metadata": {"a": 1}});
        let wanted = json!({"Properties": {"PubliclyAccessible": true}});
        let of = "AWS::RDS::DBInstance";
        assert_eq!(kept(of, properties.clone()), wanted);
        assert_eq!(kept(of, Value::from(properties.to_string())), wanted);
        assert_eq!(kept(of, json!("hunter2")), json!({"Properties": {}}));
        let rule = json!({"Properties": {"CidrIp": "0.0.0.0/0", "Description": "hunter2"}});
        assert_eq!(
            kept("AWS::EC2::SecurityGroupIngress", rule.clone()),
            json!({"Properties": {"CidrIp": "0.0.0.0/0"}})
        );
        assert_eq!(kept("AWS::X::Y", rule), json!({"Properties": {}}));
    }

    #[test]
    fn conditions_keep_what_they_say_about_who() {
        let policy = |referer: &str| {
            json!({"Statement": [{"Effect": "Allow", "Condition": {
                "StringEquals": {"aws:Referer": referer, "aws:SourceAccount": "111111111111"}, "Odd": "hunter2"}}]})
        };
        let mut wanted = policy(MASK);
        wanted["Statement"][0]["Condition"]["Odd"] = json!(MASK);
        let of = "AWS::S3::BucketPolicy";
        for given in [
            policy("hunter2"),
            Value::from(policy("hunter2").to_string()),
        ] {
            let found = kept(of, json!({"Properties": {"PolicyDocument": given}}));
            assert_eq!(found["Properties"]["PolicyDocument"], wanted);
        }
        let broken = json!({"Properties": {"PolicyDocument": "{\"Condition\": hunter2"}});
        assert_eq!(
            kept(of, broken)["Properties"]["PolicyDocument"],
            json!(MASK)
        );
    }

    #[test]
    fn details_keep_their_causes_alone() {
        let mut change = change(
            "Network/R",
            "AWS::X::Y",
            ChangeAction::Modify,
            Replacement::No,
        );
        change.details = vec![serde_json::from_value(json!({
            "name": "MasterUserPassword", "path": "/Properties/MasterUserPassword", "recreation": "Never",
            "before": "hunter2", "after": "hunter3", "drift": {"previous": "hunter2", "actual": "hunter4"},
        })).unwrap()];
        keep_judged(&mut change);
        let detail = &change.details[0];
        assert!(!serde_json::to_string(detail).unwrap().contains("hunter"));
        assert!(detail.drift.is_some());
        assert_eq!(detail.name.as_deref(), Some("MasterUserPassword"));
    }
}
