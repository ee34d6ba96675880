//! Somebody is allowed to do something that they were not, or the other way round.

use serde_json::Value;

use super::{Check, Rule, Subject};
use crate::diff::property::PropertyChange;
use crate::model::{ChangeAction, RiskLevel};
use crate::template::PathSegment;

pub(super) const RULE: Rule = Rule {
    name: "iam_change",
    level: RiskLevel::Medium,
    explanation: "Who may do what changes: a policy, a trust, a permission or a membership is added or changed, in whatever direction.",
    check: Check::Resource(check),
};

/// Types that exist to give permissions, each with the properties that do; none listed: all of them.
const GRANTS: &[(&str, &[&str])] = &[
    ("AWS::IAM::AccessKey", &[]),
    ("AWS::IAM::Group", &["ManagedPolicyArns", "Policies"]),
    ("AWS::IAM::GroupPolicy", &[]),
    ("AWS::IAM::InstanceProfile", &["Roles"]),
    (
        "AWS::IAM::ManagedPolicy",
        &["PolicyDocument", "Groups", "Roles", "Users"],
    ),
    ("AWS::IAM::OIDCProvider", &["ClientIdList", "Url"]),
    ("AWS::IAM::Policy", &[]),
    (
        "AWS::IAM::Role",
        &[
            "AssumeRolePolicyDocument",
            "ManagedPolicyArns",
            "PermissionsBoundary",
            "Policies",
        ],
    ),
    ("AWS::IAM::RolePolicy", &[]),
    ("AWS::IAM::SAMLProvider", &[]),
    (
        "AWS::IAM::User",
        &[
            "Groups",
            "LoginProfile",
            "ManagedPolicyArns",
            "PermissionsBoundary",
            "Policies",
        ],
    ),
    ("AWS::IAM::UserPolicy", &[]),
    ("AWS::IAM::UserToGroupAddition", &[]),
    ("AWS::Events::EventBusPolicy", &[]),
    ("AWS::Lambda::LayerVersionPermission", &[]),
    ("AWS::Lambda::Permission", &[]),
    ("AWS::Logs::ResourcePolicy", &[]),
    ("AWS::Organizations::Policy", &["Content", "TargetIds"]),
    ("AWS::Organizations::ResourcePolicy", &["Content"]),
    ("AWS::RAM::ResourceShare", &[]),
    ("AWS::S3::BucketPolicy", &[]),
    ("AWS::SNS::TopicInlinePolicy", &[]),
    ("AWS::SNS::TopicPolicy", &[]),
    ("AWS::SQS::QueueInlinePolicy", &[]),
    ("AWS::SQS::QueuePolicy", &[]),
    ("AWS::SSO::Assignment", &[]),
    (
        "AWS::SSO::PermissionSet",
        &[
            "CustomerManagedPolicyReferences",
            "InlinePolicy",
            "ManagedPolicies",
            "PermissionsBoundary",
        ],
    ),
    ("AWS::SecretsManager::ResourcePolicy", &[]),
];

/// Other types with a policy of their own; that they are added with one is no news.
const WITH_POLICY: &[(&str, &[&str])] = &[
    ("AWS::ApiGateway::RestApi", &["Policy"]),
    ("AWS::Backup::BackupVault", &["AccessPolicy"]),
    ("AWS::ECR::Repository", &["RepositoryPolicyText"]),
    ("AWS::EFS::FileSystem", &["FileSystemPolicy"]),
    ("AWS::KMS::Key", &["KeyPolicy"]),
    ("AWS::KMS::ReplicaKey", &["KeyPolicy"]),
    ("AWS::OpenSearchService::Domain", &["AccessPolicies"]),
    ("AWS::S3::AccessPoint", &["Policy"]),
    ("AWS::Serverless::Function", &["Policies", "Role"]),
];

fn check(subject: &Subject<'_>) -> Option<String> {
    let change = subject.change;
    let of = |table: &'static [(&str, &[&str])]| {
        let row = table.iter().find(|(name, _)| *name == change.resource_type);
        row.map(|(_, properties)| *properties)
    };
    let message = match (change.action, of(GRANTS), of(WITH_POLICY)) {
        (ChangeAction::Add, Some(_), _) => "permissions are added".to_owned(),
        (ChangeAction::Modify, Some(granting), _) => {
            format!(
                "permissions change{}",
                touched(subject.properties(), granting)?
            )
        }
        (ChangeAction::Modify, None, Some(granting)) => {
            format!(
                "its access policy changes{}",
                touched(subject.properties(), granting)?
            )
        }
        // A removal is told by its own rule.
        (
            ChangeAction::Add
            | ChangeAction::Modify
            | ChangeAction::Remove
            | ChangeAction::Import
            | ChangeAction::Dynamic
            | ChangeAction::SyncWithActual,
            _,
            _,
        ) => return None,
    };
    let wildcard = if subject
        .sides
        .after
        .as_deref()
        .is_some_and(allows_everything)
    {
        "; every action is allowed (`*`)"
    } else {
        ""
    };
    Some(format!("{message}{wildcard}"))
}

/// Returns which of `granting` change, as the end of a message, or none where only others do.
fn touched(changed: &[PropertyChange], granting: &[&str]) -> Option<String> {
    if changed.is_empty() {
        // The endpoint does not say what changes.
        return Some(String::new());
    }
    let mut names: Vec<String> = Vec::new();
    for property in changed {
        if let Some(PathSegment::Key(name)) = property.path.first()
            && !names.contains(name)
            && name != "Tags"
            && (granting.is_empty() || granting.contains(&name.as_str()))
        {
            names.push(name.clone());
        }
    }
    (!names.is_empty()).then(|| format!(": {}", names.join(", ")))
}

/// Returns whether a statement anywhere in it allows the action `*`.
fn allows_everything(value: &Value) -> bool {
    let is_star = |action: &Value| match action {
        Value::Array(actions) => actions.iter().any(|action| action == "*"),
        one => one == "*",
    };
    match value {
        Value::Object(entries) => {
            let is_allow = entries
                .get("Effect")
                .is_some_and(|effect| effect == "Allow");
            (is_allow && entries.get("Action").is_some_and(is_star))
                || entries.values().any(allows_everything)
        }
        Value::Array(items) => items.iter().any(allows_everything),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::risks;
    use super::super::tests::change;
    use super::*;
    use crate::model::Replacement;
    use crate::model::ResourceChange;
    use serde_json::json;

    fn found(change: ResourceChange) -> Vec<String> {
        let risks = risks(&[change], None, None);
        let own = risks.into_iter().filter(|risk| risk.rule == "iam_change");
        own.map(|risk| risk.message).collect()
    }

    fn modified(resource_type: &str, before: Value, after: Value) -> Vec<String> {
        let mut modify = change("R", resource_type, ChangeAction::Modify, Replacement::No);
        modify.before = Some(json!({"Properties": before}));
        modify.after = Some(json!({"Properties": after}));
        found(modify)
    }

    #[test]
    fn permissions_that_are_added_or_changed_are_told() {
        let add = |of| found(change("R", of, ChangeAction::Add, Replacement::No));
        assert_eq!(add("AWS::IAM::Role"), ["permissions are added"]);
        assert_eq!(add("AWS::S3::BucketPolicy"), ["permissions are added"]);
        assert!(add("AWS::KMS::Key").is_empty());
        assert_eq!(
            modified(
                "AWS::IAM::Role",
                json!({"ManagedPolicyArns": ["a"]}),
                json!({"ManagedPolicyArns": ["b"]})
            ),
            ["permissions change: ManagedPolicyArns"]
        );
        assert_eq!(
            modified(
                "AWS::KMS::Key",
                json!({"KeyPolicy": {"a": 1}}),
                json!({"KeyPolicy": {"a": 2}})
            ),
            ["its access policy changes: KeyPolicy"]
        );
        let silent = change(
            "R",
            "AWS::IAM::Policy",
            ChangeAction::Modify,
            Replacement::No,
        );
        assert_eq!(found(silent), ["permissions change"]);
    }

    #[test]
    fn other_properties_are_no_permissions() {
        let role = "AWS::IAM::Role";
        assert!(modified(role, json!({"Tags": [1]}), json!({"Tags": [2]})).is_empty());
        assert!(
            modified(
                role,
                json!({"Description": "a"}),
                json!({"Description": "b"})
            )
            .is_empty()
        );
        assert!(modified("AWS::IAM::Policy", json!({"Tags": 1}), json!({"Tags": 2})).is_empty());
        assert!(
            modified(
                "AWS::KMS::Key",
                json!({"Enabled": true}),
                json!({"Enabled": false})
            )
            .is_empty()
        );
    }

    #[test]
    fn a_statement_that_allows_everything_is_told() {
        let mut add = change("R", "AWS::IAM::Policy", ChangeAction::Add, Replacement::No);
        add.after = Some(json!({"Properties": {"PolicyDocument": {"Statement": [
            {"Effect": "Deny", "Action": "*"}, {"Effect": "Allow", "Action": ["s3:Get*", "*"]}
        ]}}}));
        assert_eq!(
            found(add),
            ["permissions are added; every action is allowed (`*`)"]
        );
        let mut deny = change("R", "AWS::IAM::Policy", ChangeAction::Add, Replacement::No);
        deny.after = Some(json!({"Statement": {"Effect": "Deny", "Action": "*"}}));
        assert_eq!(found(deny), ["permissions are added"]);
    }
}
