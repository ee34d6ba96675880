//! What a change set says of changes made outside CloudFormation.

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types as sdk;
use jiff::Timestamp;

use super::text;
use crate::model::{
    BeforeFrom, DriftStatus, IgnoredAttribute, PropertyDrift, ResourceDrift, SetDrift, StackDrift,
    clean,
};

/// Returns what the change set says of itself and its stack.
pub(in crate::aws) fn set(head: &DescribeChangeSetOutput) -> SetDrift {
    SetDrift {
        is_confirmed: head.deployment_mode() == Some(&sdk::DeploymentMode::RevertDrift),
        stack: head.stack_drift_status().map(|status| match status {
            sdk::StackDriftStatus::Drifted => StackDrift::Drifted,
            sdk::StackDriftStatus::InSync => StackDrift::InSync,
            sdk::StackDriftStatus::NotChecked => StackDrift::NotChecked,
            // The service's own word, and whatever it may say later.
            _ => StackDrift::Unknown,
        }),
    }
}

/// Returns what is said of a resource, and adds to `unknown` what the model has no place for.
pub(super) fn resource(
    resource: &sdk::ResourceChange,
    unknown: &mut Vec<String>,
) -> Option<ResourceDrift> {
    let status = match resource.resource_drift_status().map(|s| s.as_str()) {
        None => None,
        Some("IN_SYNC") => Some(DriftStatus::InSync),
        Some("MODIFIED") => Some(DriftStatus::Modified),
        Some("DELETED") => Some(DriftStatus::Deleted),
        Some("NOT_CHECKED") => Some(DriftStatus::NotChecked),
        Some("UNSUPPORTED") => Some(DriftStatus::Unsupported),
        Some("UNKNOWN") => Some(DriftStatus::Unknown),
        Some(other) => {
            unknown.push(format!("ResourceDriftStatus={other}"));
            Some(DriftStatus::Unknown)
        }
    };
    let ignored = resource.resource_drift_ignored_attributes().iter();
    let mut ignored: Vec<_> = ignored
        .map(|one| IgnoredAttribute {
            path: clean(one.path().unwrap_or_default()),
            reason: text(one.reason().map(|reason| reason.as_str())),
        })
        .collect();
    ignored.sort_unstable();
    (status.is_some() || !ignored.is_empty()).then_some(ResourceDrift { status, ignored })
}

/// Returns what is said of a property, where it drifted or its record is refreshed.
pub(super) fn property(target: &sdk::ResourceTargetDefinition) -> Option<PropertyDrift> {
    let live = target.drift();
    let kind = target.attribute_change_type().map(|kind| kind.as_str());
    let only_recorded = kind == Some("SyncWithActual");
    if live.is_none() && !only_recorded {
        return None;
    }
    let detected = live.and_then(|live| live.drift_detection_timestamp());
    Some(PropertyDrift {
        previous: live.and_then(|live| live.previous_value.clone()),
        actual: live.and_then(|live| live.actual_value.clone()),
        detected: detected
            .and_then(|t| Timestamp::new(t.secs(), i32::try_from(t.subsec_nanos()).ok()?).ok()),
        before_from: match target.before_value_from().map(|from| from.as_str()) {
            Some("ACTUAL_STATE") => Some(BeforeFrom::ActualState),
            Some("PREVIOUS_DEPLOYMENT_STATE") => Some(BeforeFrom::PreviousDeploymentState),
            Some(_) | None => None,
        },
        only_recorded,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::convert;

    fn of(change: sdk::builders::ResourceChangeBuilder) -> crate::model::ResourceChange {
        let change = change.logical_resource_id("Queue").build();
        convert::change(&sdk::Change::builder().resource_change(change).build()).unwrap()
    }

    #[test]
    fn all_that_is_said_of_a_resource_is_kept() {
        let ignored = |path: &str, reason: &str| {
            sdk::ResourceDriftIgnoredAttribute::builder()
                .path(path)
                .reason(reason.into())
                .build()
        };
        let change = of(sdk::ResourceChange::builder()
            .resource_drift_status("MODIFIED".into())
            .resource_drift_ignored_attributes(ignored("/Properties/Z", "WRITE_ONLY_PROPERTY"))
            .resource_drift_ignored_attributes(ignored("/Properties/A\u{1b}", "SOMETHING_NEW")));
        let drift = change.drift.unwrap();
        assert_eq!(drift.status, Some(DriftStatus::Modified));
        let told: Vec<_> = drift
            .ignored
            .iter()
            .map(|one| (one.path.as_str(), one.reason.as_deref().unwrap()))
            .collect();
        assert_eq!(
            told,
            [
                ("/Properties/A", "SOMETHING_NEW"),
                ("/Properties/Z", "WRITE_ONLY_PROPERTY")
            ]
        );
        assert_eq!(of(sdk::ResourceChange::builder()).drift, None);
    }

    #[test]
    fn a_status_that_is_unknown_stays_visible() {
        let change = of(sdk::ResourceChange::builder().resource_drift_status("MELTED".into()));
        assert_eq!(change.drift.unwrap().status, Some(DriftStatus::Unknown));
        let said = format!("{:?}", change.details);
        assert!(said.contains("ResourceDriftStatus=MELTED"), "{said}");
    }

    #[test]
    fn the_three_values_of_a_property_are_kept() {
        let live = sdk::LiveResourceDrift::builder()
            .previous_value("30")
            .actual_value("90")
            .drift_detection_timestamp(aws_smithy_types::DateTime::from_secs(1_700_000_000))
            .build();
        let target = sdk::ResourceTargetDefinition::builder()
            .before_value_from("ACTUAL_STATE".into())
            .drift(live);
        let drift = property(&target.clone().build()).unwrap();
        assert_eq!(drift.previous.as_deref(), Some("30"));
        assert_eq!(drift.actual.as_deref(), Some("90"));
        assert_eq!(drift.detected.unwrap().as_second(), 1_700_000_000);
        assert_eq!(drift.before_from, Some(BeforeFrom::ActualState));
        assert!(!drift.only_recorded);
        let synced = target.attribute_change_type("SyncWithActual".into());
        assert!(property(&synced.build()).unwrap().only_recorded);
        let ordinary = sdk::ResourceTargetDefinition::builder().before_value("30");
        assert_eq!(property(&ordinary.build()), None);
    }

    #[test]
    fn only_the_mode_itself_confirms_it() {
        let head = DescribeChangeSetOutput::builder();
        assert!(!set(&head.clone().build()).is_confirmed);
        let head = head.stack_drift_status("DRIFTED".into());
        let said = set(&head.clone().build());
        assert_eq!(
            (said.is_confirmed, said.stack),
            (false, Some(StackDrift::Drifted))
        );
        assert!(!set(&head.clone().deployment_mode("OTHER".into()).build()).is_confirmed);
        let head = head.deployment_mode("REVERT_DRIFT".into());
        assert!(set(&head.build()).is_confirmed);
    }
}
