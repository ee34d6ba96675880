//! The changes that a change set describes, in the record: all that is described, in the record's own spelling.

use serde::Serialize;

use super::super::canonical::{Sorted, sorted, sorted_details};
use super::drift::{PropertyDriftRecord, ResourceDriftRecord};
use crate::model::{
    ChangeAction, ChangeDetail, ChangeScope, ChangeSetId, Evaluation, LogicalId, PolicyAction,
    Recreation, Replacement, ResourceChange,
};

#[derive(Serialize)]
pub(super) struct ChangeRecord<'a> {
    action: ChangeAction,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Sorted<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Sorted<'a>>,
    details: Vec<DetailRecord<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<ResourceDriftRecord<'a>>,
    logical_id: &'a LogicalId,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<&'a (String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nested: Option<&'a ChangeSetId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    physical_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_action: Option<PolicyAction>,
    #[serde(serialize_with = "replacement")]
    replacement: Replacement,
    resource_type: &'a str,
    scope: Vec<ChangeScope>,
}

impl<'a> ChangeRecord<'a> {
    pub(super) fn of(change: &'a ResourceChange) -> Self {
        let ResourceChange {
            logical_id,
            resource_type,
            physical_id,
            action,
            replacement,
            policy_action,
            scope,
            details,
            before,
            after,
            nested,
            module,
            drift,
        } = change;
        Self {
            action: *action,
            after: after.as_ref().map(Sorted),
            before: before.as_ref().map(Sorted),
            details: sorted_details(details)
                .into_iter()
                .map(DetailRecord::of)
                .collect(),
            drift: drift.as_ref().map(ResourceDriftRecord::of),
            logical_id,
            module: module.as_ref(),
            nested: nested.as_ref(),
            physical_id: physical_id.as_deref(),
            policy_action: *policy_action,
            replacement: *replacement,
            resource_type,
            scope: sorted(scope),
        }
    }
}

#[derive(Serialize)]
pub(super) struct DetailRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribute: Option<ChangeScope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causing_entity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<PropertyDriftRecord<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluation: Option<Evaluation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(serialize_with = "recreation")]
    recreation: Recreation,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
}

impl<'a> DetailRecord<'a> {
    pub(super) fn of(detail: &'a ChangeDetail) -> Self {
        let ChangeDetail {
            attribute,
            name,
            path,
            recreation,
            before,
            after,
            evaluation,
            source,
            causing_entity,
            drift,
        } = detail;
        Self {
            after: after.as_deref(),
            attribute: *attribute,
            before: before.as_deref(),
            causing_entity: causing_entity.as_deref(),
            drift: drift.as_ref().map(PropertyDriftRecord::of),
            evaluation: *evaluation,
            name: name.as_deref(),
            path: path.as_deref(),
            recreation: *recreation,
            source: source.as_deref(),
        }
    }
}

// The record's own spelling, which stays as it is wherever else these are written: another one would
// give every plan another digest.

fn replacement<S: serde::Serializer>(value: &Replacement, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match value {
        Replacement::No => "No",
        Replacement::May => "May",
        Replacement::Will => "Will",
        Replacement::Unknown => "Unknown",
    })
}

fn recreation<S: serde::Serializer>(value: &Recreation, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match value {
        Recreation::Never => "Never",
        Recreation::Conditionally => "Conditionally",
        Recreation::Always => "Always",
        Recreation::Unknown => "Unknown",
    })
}
