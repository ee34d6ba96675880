//! Drift that was detected, with its secrets masked.

use serde::Serialize;

use super::mask::{MASK, mask};
use super::property::{path_text, properties};
use crate::model::{DriftStatus, LogicalId, ResourceChange};
use crate::template::Template;

/// A resource that is no longer what its last deployment made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DriftedResource {
    /// Its logical id.
    pub logical_id: LogicalId,
    /// Its type.
    pub resource_type: String,
    /// Whether it was modified or deleted.
    pub status: DriftStatus,
    /// What was modified.
    pub properties: Vec<DriftedProperty>,
}

/// A property that is no longer what its last deployment set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DriftedProperty {
    /// Where it is below `Properties`.
    pub path: String,
    /// What became of it.
    pub difference: Difference,
    /// The value that the last deployment set; none where it set none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The value that is there; none where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<String>,
}

/// What became of a property, as AWS calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Difference {
    /// It was added.
    Add,
    /// It was taken away.
    Remove,
    /// It has another value.
    NotEqual,
}

/// Returns what drifted, by changes from what is expected to what is there. Without the template that the stack has, every
/// value counts as a secret.
pub fn detected(
    mut changes: Vec<ResourceChange>,
    template: Option<&Template>,
) -> Vec<DriftedResource> {
    match template {
        Some(template) => mask(&mut changes, template, None, &[]),
        None => {
            let details = changes.iter_mut().flat_map(|change| &mut change.details);
            for side in details.flat_map(|detail| [&mut detail.before, &mut detail.after]) {
                if side.is_some() {
                    *side = Some(MASK.to_owned());
                }
            }
        }
    }
    changes.into_iter().map(resource).collect()
}

fn resource(change: ResourceChange) -> DriftedResource {
    let found = properties(&change).into_iter().map(|one| DriftedProperty {
        path: path_text(&one.path),
        difference: match (&one.before, &one.after) {
            (None, Some(_)) => Difference::Add,
            (Some(_), None) => Difference::Remove,
            (Some(_), Some(_)) | (None, None) => Difference::NotEqual,
        },
        expected: one.before,
        actual: one.after,
    });
    let status = change.drift.as_ref().and_then(|drift| drift.status);
    DriftedResource {
        properties: found.collect(),
        logical_id: change.logical_id,
        resource_type: change.resource_type,
        status: status.unwrap_or(DriftStatus::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::MASK_CHANGED;
    use crate::model::{
        ChangeAction, ChangeDetail, ChangeScope, Recreation, Replacement, ResourceDrift,
    };

    fn drifted(details: &[(&str, Option<&str>, Option<&str>)]) -> ResourceChange {
        let detail = |(path, before, after): &(&str, Option<&str>, Option<&str>)| ChangeDetail {
            attribute: Some(ChangeScope::Properties),
            name: None,
            path: Some(format!("/Properties/{path}")),
            recreation: Recreation::Never,
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
            evaluation: None,
            source: None,
            causing_entity: None,
            drift: None,
        };
        ResourceChange {
            logical_id: "Queue".parse().unwrap(),
            resource_type: "AWS::SQS::Queue".to_owned(),
            physical_id: None,
            action: ChangeAction::Modify,
            replacement: Replacement::No,
            policy_action: None,
            scope: vec![ChangeScope::Properties],
            details: details.iter().map(detail).collect(),
            before: None,
            after: None,
            nested: None,
            module: None,
            drift: Some(ResourceDrift {
                status: Some(DriftStatus::Modified),
                ignored: Vec::new(),
            }),
        }
    }

    fn template() -> Template {
        let text = "Parameters: {Secret: {Type: String, NoEcho: true}}\nResources:\n  Queue:\n    Type: AWS::SQS::Queue\n    \
                    Properties: {QueueName: !Ref Secret, VisibilityTimeout: 30}\n";
        Template::parse("t.yaml", text.as_bytes()).unwrap()
    }

    #[test]
    fn values_are_told_with_what_became_of_them_and_secrets_are_not() {
        let changes = vec![drifted(&[
            ("VisibilityTimeout", Some("30"), Some("90")),
            ("Tags/0", None, Some(r#"{"Key":"a","Value":"b"}"#)),
            ("DelaySeconds", Some("5"), None),
            (
                "QueueName",
                Some("deployed-secret"),
                Some("handmade-secret"),
            ),
        ])];
        let found = detected(changes, Some(&template()));
        let mut told: Vec<_> = found[0]
            .properties
            .iter()
            .map(|p| {
                (
                    p.path.as_str(),
                    p.difference,
                    p.expected.as_deref(),
                    p.actual.as_deref(),
                )
            })
            .collect();
        told.sort_by_key(|one| one.0);
        assert_eq!(
            told[0],
            ("DelaySeconds", Difference::Remove, Some("5"), None)
        );
        assert_eq!(
            told[1],
            (
                "QueueName",
                Difference::NotEqual,
                Some(MASK),
                Some(MASK_CHANGED)
            )
        );
        assert!(
            told.iter()
                .any(|one| one.0.starts_with("Tags") && one.1 == Difference::Add)
        );
        let last = told.last().unwrap();
        assert_eq!(
            *last,
            (
                "VisibilityTimeout",
                Difference::NotEqual,
                Some("30"),
                Some("90")
            )
        );
    }

    #[test]
    fn without_a_template_every_value_is_a_secret() {
        let changes = vec![drifted(&[("VisibilityTimeout", Some("30"), Some("90"))])];
        let found = detected(changes, None);
        let text = format!("{found:?}");
        assert!(!text.contains("30") && !text.contains("90"), "{text}");
        assert_eq!(found[0].properties.len(), 1);
    }
}
