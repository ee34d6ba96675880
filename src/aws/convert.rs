//! From the SDK's types to ours. Nothing is dropped for being unknown, and nothing panics.

pub(super) mod drift;

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types as sdk;
use jiff::Timestamp;
use serde_json::Value;

use super::failure::without_echo;
use crate::model::{
    ChangeAction, ChangeDetail, ChangeScope, ChangeSetId, Evaluation, LogicalId, PolicyAction,
    Recreation, Replacement, ResourceChange, StackEvent, StackId, StackStatus, StackSummary, clean,
};

/// The logical id of what came without one.
const UNNAMED: &str = "(unnamed)";

/// Returns one described change, or `None` for an entry that is not of a resource.
pub(super) fn change(change: &sdk::Change) -> Option<ResourceChange> {
    let resource = change.resource_change()?;
    let mut unknown = Vec::new();
    let action_text = resource.action().map(|a| a.as_str());
    let action = match action_text {
        Some("Add") => ChangeAction::Add,
        Some("Modify") => ChangeAction::Modify,
        Some("Remove") => ChangeAction::Remove,
        Some("Import") => ChangeAction::Import,
        Some("SyncWithActual") => ChangeAction::SyncWithActual,
        Some("Dynamic") => ChangeAction::Dynamic,
        // Whatever it is, nothing is known about it.
        other => {
            unknown.push(format!("Action={}", other.unwrap_or_default()));
            ChangeAction::Dynamic
        }
    };
    let replacement = match (resource.replacement().map(|r| r.as_str()), action) {
        (Some("True"), _) => Replacement::Will,
        (Some("False"), _) => Replacement::No,
        (Some("Conditional"), _) => Replacement::May,
        (Some(other), _) => {
            unknown.push(format!("Replacement={other}"));
            Replacement::Unknown
        }
        (None, ChangeAction::Modify | ChangeAction::Dynamic) => Replacement::Unknown,
        (
            None,
            ChangeAction::Add
            | ChangeAction::Remove
            | ChangeAction::Import
            | ChangeAction::SyncWithActual,
        ) => Replacement::No,
    };
    let policy_action = match resource.policy_action().map(|p| p.as_str()) {
        None => None,
        Some("Delete") => Some(PolicyAction::Delete),
        Some("Retain") => Some(PolicyAction::Retain),
        Some("Snapshot") => Some(PolicyAction::Snapshot),
        Some("ReplaceAndDelete") => Some(PolicyAction::ReplaceAndDelete),
        Some("ReplaceAndRetain") => Some(PolicyAction::ReplaceAndRetain),
        Some("ReplaceAndSnapshot") => Some(PolicyAction::ReplaceAndSnapshot),
        Some(other) => {
            unknown.push(format!("PolicyAction={other}"));
            None
        }
    };
    let mut scope = Vec::new();
    for attribute in resource.scope() {
        match self::scope(attribute) {
            Some(known) => scope.push(known),
            None => unknown.push(format!("Scope={}", attribute.as_str())),
        }
    }
    let drift = drift::resource(resource, &mut unknown);
    let mut details: Vec<_> = resource.details().iter().map(detail).collect();
    // The model has no place for these, but an approval must cover them.
    details.extend(unknown.into_iter().map(|what| ChangeDetail {
        source: Some(format!("unknown to this version: {}", clean(&what))),
        ..nothing_said()
    }));
    Some(ResourceChange {
        logical_id: logical_id(resource.logical_resource_id())?,
        resource_type: clean(resource.resource_type().unwrap_or_default()),
        physical_id: text(resource.physical_resource_id()),
        action,
        replacement,
        policy_action,
        scope,
        details,
        before: resource.before_context().map(context),
        after: resource.after_context().map(context),
        nested: resource
            .change_set_id()
            .and_then(|id| ChangeSetId::new(id).ok()),
        module: resource.module_info().map(|m| {
            (
                clean(m.type_hierarchy().unwrap_or_default()),
                clean(m.logical_id_hierarchy().unwrap_or_default()),
            )
        }),
        drift,
    })
}

/// Returns whether an entry lacks what every entry has: a sign that the reading lost something.
pub(super) fn is_incomplete(change: &sdk::Change) -> bool {
    let Some(resource) = change.resource_change() else {
        return true;
    };
    let modified = resource.action().is_some_and(|a| a.as_str() == "Modify");
    resource.logical_resource_id().is_none()
        || resource.resource_type().is_none()
        || resource.action().is_none()
        || (modified
            && resource.details().is_empty()
            && resource.before_context().is_none()
            && resource.after_context().is_none())
}

fn nothing_said() -> ChangeDetail {
    ChangeDetail {
        attribute: None,
        name: None,
        path: None,
        recreation: Recreation::Unknown,
        before: None,
        after: None,
        evaluation: None,
        source: None,
        causing_entity: None,
        drift: None,
    }
}

fn detail(detail: &sdk::ResourceChangeDetail) -> ChangeDetail {
    let target = detail.target();
    let attribute = target.and_then(|t| t.attribute());
    let recreation = match target
        .and_then(|t| t.requires_recreation())
        .map(|r| r.as_str())
    {
        Some("Never") => Recreation::Never,
        Some("Conditionally") => Recreation::Conditionally,
        Some("Always") => Recreation::Always,
        _ => Recreation::Unknown,
    };
    let evaluation = match detail.evaluation().map(|e| e.as_str()) {
        Some("Static") => Some(Evaluation::Static),
        Some("Dynamic") => Some(Evaluation::Dynamic),
        _ => None,
    };
    ChangeDetail {
        attribute: attribute.and_then(scope),
        // An attribute that the model does not know keeps its name.
        name: text(target.and_then(|t| t.name())).or_else(|| {
            attribute
                .filter(|a| scope(a).is_none())
                .map(|a| clean(a.as_str()))
        }),
        path: text(target.and_then(|t| t.path())),
        recreation,
        before: target.and_then(|t| t.before_value()).map(str::to_owned),
        after: target.and_then(|t| t.after_value()).map(str::to_owned),
        evaluation,
        source: text(detail.change_source().map(|s| s.as_str())),
        causing_entity: text(detail.causing_entity()),
        drift: target.and_then(drift::property),
    }
}

fn scope(attribute: &sdk::ResourceAttribute) -> Option<ChangeScope> {
    Some(match attribute.as_str() {
        "Properties" => ChangeScope::Properties,
        "Metadata" => ChangeScope::Metadata,
        "CreationPolicy" => ChangeScope::CreationPolicy,
        "UpdatePolicy" => ChangeScope::UpdatePolicy,
        "DeletionPolicy" => ChangeScope::DeletionPolicy,
        "UpdateReplacePolicy" => ChangeScope::UpdateReplacePolicy,
        "Tags" => ChangeScope::Tags,
        _ => return None,
    })
}

/// Returns a context as JSON, or as the text it is.
fn context(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn text(text: Option<&str>) -> Option<String> {
    text.filter(|t| !t.is_empty()).map(clean)
}

pub(super) fn logical_id(text: Option<&str>) -> Option<LogicalId> {
    let text = text.unwrap_or(UNNAMED);
    LogicalId::new(text)
        .or_else(|_| LogicalId::new(clean(text).replace(char::is_whitespace, "-")))
        .or_else(|_| LogicalId::new(UNNAMED))
        .ok()
}

/// Returns an event without its `ResourceProperties`, which may hold secrets; `None` if it has no id.
pub(super) fn event(event: &sdk::StackEvent) -> Option<StackEvent> {
    let at = event
        .timestamp()
        .and_then(timestamp)
        .unwrap_or(Timestamp::UNIX_EPOCH);
    Some(StackEvent {
        id: event.event_id()?.to_owned(),
        at,
        logical_id: logical_id(event.logical_resource_id())?,
        resource_type: clean(event.resource_type().unwrap_or_default()),
        physical_id: text(event.physical_resource_id()),
        status: clean(event.resource_status().map_or("", |s| s.as_str())),
        reason: reason(event.resource_status_reason())
            .or_else(|| reason(event.hook_status_reason())),
        token: text(event.client_request_token()),
    })
}

/// Returns why something has its status, without the value that a failed constraint repeats.
fn reason(said: Option<&str>) -> Option<String> {
    text(said).map(|said| without_echo(&said))
}

/// Returns the values of a stack's parameters.
pub(super) fn parameters(stack: &sdk::Stack) -> BTreeMap<String, String> {
    let values = stack.parameters().iter();
    let values = values.filter_map(|one| {
        let value = one.parameter_value().unwrap_or_default();
        Some((clean(one.parameter_key()?), value.to_owned()))
    });
    values.collect()
}

/// Returns the tags that can be given to a stack: those of AWS, which begin with `aws:`, are refused.
fn own_tags(tags: &[sdk::Tag]) -> BTreeMap<String, String> {
    let pairs = tags
        .iter()
        .filter_map(|tag| Some((tag.key()?, tag.value()?)));
    pairs
        .filter(|(key, _)| !key.starts_with("aws:"))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Returns a stack, or says what of it cannot be read.
pub(super) fn stack(stack: &sdk::Stack) -> Result<StackSummary, String> {
    let id = stack.stack_id().ok_or("the reply names no stack id")?;
    let status = stack.stack_status().map_or("", |s| s.as_str());
    let status: StackStatus = status
        .parse()
        .map_err(|e| format!("{e}; a newer version of stackgate may know it"))?;
    Ok(StackSummary {
        id: StackId::new(id).map_err(|e| e.to_string())?,
        status,
        reason: reason(stack.stack_status_reason()),
        parameters: stack
            .parameters()
            .iter()
            .filter_map(|p| p.parameter_key().map(clean))
            .collect(),
        outputs: stack
            .outputs()
            .iter()
            .filter_map(|o| Some((clean(o.output_key()?), clean(o.output_value()?))))
            .collect(),
        tags: Some(own_tags(stack.tags())),
    })
}

/// Returns `values` with everything that only `plain` has: resources, causes, and what was not said.
pub(super) fn merged(
    values: Vec<ResourceChange>,
    plain: Vec<ResourceChange>,
) -> Vec<ResourceChange> {
    let mut all = values;
    for other in plain {
        let Some(known) = all.iter_mut().find(|c| c.logical_id == other.logical_id) else {
            all.push(other);
            continue;
        };
        for detail in other.details {
            let is_there = known.details.iter().any(|d| {
                d.attribute == detail.attribute
                    && d.name == detail.name
                    && d.source == detail.source
                    && d.causing_entity == detail.causing_entity
            });
            if !is_there {
                known.details.push(detail);
            }
        }
        for scope in other.scope {
            if !known.scope.contains(&scope) {
                known.scope.push(scope);
            }
        }
        if known.replacement == Replacement::Unknown {
            known.replacement = other.replacement;
        }
        if known.resource_type.is_empty() {
            known.resource_type = other.resource_type;
        }
        known.physical_id = known.physical_id.take().or(other.physical_id);
        known.policy_action = known.policy_action.or(other.policy_action);
        known.nested = known.nested.take().or(other.nested);
        known.module = known.module.take().or(other.module);
        known.drift = known.drift.take().or(other.drift);
    }
    all
}

/// Returns a time of the service.
pub(super) fn timestamp(time: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(resource: sdk::ResourceChange) -> ResourceChange {
        change(&sdk::Change::builder().resource_change(resource).build()).unwrap()
    }

    #[test]
    fn everything_of_a_change_is_kept() {
        let change = of(sdk::ResourceChange::builder()
            .action("Modify".into())
            .logical_resource_id("AppSubnet")
            .physical_resource_id("subnet-0aa1")
            .resource_type("AWS::EC2::Subnet")
            .replacement("True".into())
            .policy_action("ReplaceAndDelete".into())
            .scope("Properties".into())
            .details(
                sdk::ResourceChangeDetail::builder()
                    .target(
                        sdk::ResourceTargetDefinition::builder()
                            .attribute("Properties".into())
                            .name("CidrBlock")
                            .requires_recreation("Always".into())
                            .path("/Properties/CidrBlock")
                            .before_value("10.0.1.0/24")
                            .after_value("10.0.2.0/24")
                            .build(),
                    )
                    .evaluation("Static".into())
                    .change_source("ParameterReference".into())
                    .causing_entity("AppCidr")
                    .build(),
            )
            .before_context("{\"Properties\":{\"CidrBlock\":\"10.0.1.0/24\"}}")
            .after_context("not json")
            .build());
        assert_eq!(change.replacement, Replacement::Will);
        assert_eq!(change.policy_action, Some(PolicyAction::ReplaceAndDelete));
        assert_eq!(
            change.before.unwrap()["Properties"]["CidrBlock"],
            "10.0.1.0/24"
        );
        assert_eq!(change.after, Some(Value::String("not json".into())));
        let detail = &change.details[0];
        assert_eq!(detail.recreation, Recreation::Always);
        assert_eq!(detail.evaluation, Some(Evaluation::Static));
        assert_eq!(detail.causing_entity.as_deref(), Some("AppCidr"));
    }

    #[test]
    fn values_that_are_unknown_stay_visible() {
        let change = of(sdk::ResourceChange::builder()
            .action("Teleport".into())
            .logical_resource_id("A B\u{1b}")
            .scope("Orbit".into())
            .build());
        assert_eq!(change.action, ChangeAction::Dynamic);
        assert_eq!(change.replacement, Replacement::Unknown);
        assert_eq!(change.logical_id.as_str(), "A-B");
        let sources: Vec<_> = change
            .details
            .iter()
            .filter_map(|d| d.source.as_deref())
            .collect();
        assert_eq!(
            sources,
            [
                "unknown to this version: Action=Teleport",
                "unknown to this version: Scope=Orbit"
            ]
        );
    }

    #[test]
    fn merging_restores_what_one_reading_lost() {
        let plain = |id: &str, property: &str| {
            of(sdk::ResourceChange::builder()
                .action("Modify".into())
                .logical_resource_id(id)
                .resource_type("T")
                .replacement("False".into())
                .details(
                    sdk::ResourceChangeDetail::builder()
                        .target(
                            sdk::ResourceTargetDefinition::builder()
                                .attribute("Properties".into())
                                .name(property)
                                .build(),
                        )
                        .build(),
                )
                .build())
        };
        let mut with_value = plain("A", "One");
        with_value.details[0].after = Some("1".into());
        let mut second = plain("A", "One");
        second.details.push(plain("A", "Two").details.remove(0));
        let merged = merged(vec![with_value], vec![second, plain("B", "Three")]);
        assert_eq!(merged.len(), 2);
        assert_eq!(merged[0].details.len(), 2);
        assert_eq!(merged[0].details[0].after.as_deref(), Some("1"));
        assert_eq!(merged[0].details[1].name.as_deref(), Some("Two"));
    }

    #[test]
    fn an_event_leaves_its_properties_behind() {
        let event = event(
            &sdk::StackEvent::builder()
                .event_id("e1")
                .logical_resource_id("Db")
                .resource_status("CREATE_FAILED".into())
                .resource_properties("{\"Password\":\"hunter2\"}")
                .resource_status_reason(
                    "Value 'hunter2' at 'masterUserPassword' failed to satisfy constraint",
                )
                .timestamp(aws_smithy_types::DateTime::from_secs(1_700_000_000))
                .build(),
        )
        .unwrap();
        assert!(!format!("{event:?}").contains("hunter2"));
        let reason = event.reason.unwrap();
        assert!(reason.ends_with("at 'masterUserPassword' failed to satisfy constraint"));
        assert_eq!(event.at.as_second(), 1_700_000_000);
    }
}
