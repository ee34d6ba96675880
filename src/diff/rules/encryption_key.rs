//! A key changes, or the key that something is encrypted with.

use serde_json::Value;

use super::{Check, Rule, Subject};
use crate::diff::declared::{is_false, is_true};
use crate::diff::property::path_text;
use crate::diff::value::to_text;
use crate::model::{ChangeAction, RiskLevel, clean};
use crate::template::PathSegment;

pub(super) const RULE: Rule = Rule {
    name: "encryption_key",
    level: RiskLevel::Medium,
    explanation: "A KMS key gets another policy, is disabled, no longer rotates or is deleted sooner, or a resource is encrypted \
                  with another key. Whoever has no right to the key can no longer read what is encrypted with it.",
    check: Check::Resource(check),
};

/// The properties that name the key of a resource.
const KEYS: [&str; 10] = [
    "EncryptionKey",
    "EncryptionKeyArn",
    "KMSKeyArn",
    "KMSMasterKeyID",
    "KeyId",
    "KmsKey",
    "KmsKeyArn",
    "KmsKeyId",
    "KmsMasterKeyId",
    "SSEKMSKeyId",
];

fn check(subject: &Subject<'_>) -> Option<String> {
    if subject.change.action != ChangeAction::Modify {
        return None;
    }
    let found = if subject.change.resource_type.starts_with("AWS::KMS::") {
        key(subject)
    } else {
        encrypted(subject)
    };
    (!found.is_empty()).then(|| found.join("; "))
}

fn key(subject: &Subject<'_>) -> Vec<String> {
    let sides = &subject.sides;
    let (old, new) = (|name| sides.was(name), |name| sides.is(name));
    let mut found = Vec::new();
    if old("KeyPolicy") != new("KeyPolicy") {
        found.push("its key policy changes".to_owned());
    }
    if is_false(new("Enabled")) && !is_false(old("Enabled")) {
        found.push("the key is disabled: nothing can be decrypted with it".to_owned());
    }
    if is_true(old("EnableKeyRotation")) && !is_true(new("EnableKeyRotation")) {
        found.push("it no longer rotates".to_owned());
    }
    let days = |value: Option<&Value>| match value {
        // What the service takes where nothing is written.
        None => Some(30),
        Some(value) => to_text(value).parse::<u32>().ok(),
    };
    let window = "PendingWindowInDays";
    if let (Some(before), Some(after)) = (days(old(window)), days(new(window)))
        && after < before
    {
        found.push(format!(
            "its deletion can be taken back for {after} days, and no longer {before}"
        ));
    }
    found
}

fn encrypted(subject: &Subject<'_>) -> Vec<String> {
    let names_key = |path: &[PathSegment]| match path.last() {
        Some(PathSegment::Key(name)) => KEYS.contains(&name.as_str()),
        Some(PathSegment::Index(_)) | None => false,
    };
    subject
        .properties()
        .iter()
        .filter(|property| names_key(&property.path))
        .map(|property| {
            let path = clean(&path_text(&property.path));
            match (&property.before, &property.after) {
                (Some(_), None) => format!("is no longer encrypted with its key: {path}"),
                (_, _) => format!("is encrypted with another key: {path}"),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::fired;
    use serde_json::json;

    #[test]
    fn keys_that_change_are_found() {
        let (key, queue) = ("AWS::KMS::Key", "AWS::SQS::Queue");
        for (of, old, new, wanted) in [
            (
                key,
                json!({"KeyPolicy": {"a": 1}}),
                json!({"KeyPolicy": {"a": 2}}),
                Some("its key policy changes"),
            ),
            (
                key,
                json!({}),
                json!({"Enabled": false}),
                Some("the key is disabled: nothing can be decrypted with it"),
            ),
            (
                key,
                json!({"EnableKeyRotation": true}),
                json!({}),
                Some("it no longer rotates"),
            ),
            (
                key,
                json!({}),
                json!({"PendingWindowInDays": 7}),
                Some("its deletion can be taken back for 7 days, and no longer 30"),
            ),
            (
                key,
                json!({"PendingWindowInDays": 7}),
                json!({"PendingWindowInDays": 8}),
                None,
            ),
            (
                key,
                json!({"Description": "a"}),
                json!({"Description": "b"}),
                None,
            ),
            (
                queue,
                json!({"KmsMasterKeyId": "a"}),
                json!({"KmsMasterKeyId": "b"}),
                Some("is encrypted with another key: KmsMasterKeyId"),
            ),
            (
                queue,
                json!({"KmsMasterKeyId": "a"}),
                json!({}),
                Some("is no longer encrypted with its key: KmsMasterKeyId"),
            ),
            (
                queue,
                json!({"DelaySeconds": 1}),
                json!({"DelaySeconds": 2}),
                None,
            ),
        ] {
            let found = fired("encryption_key", of, Some(old.clone()), Some(new.clone()));
            assert_eq!(found.as_deref(), wanted, "{old} {new}");
        }
        assert_eq!(
            fired("encryption_key", key, None, Some(json!({"Enabled": false}))),
            None
        );
    }
}
