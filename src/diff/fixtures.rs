//! Changes and targets for tests.

use serde_json::json;

use crate::model::{ChangeAction, LogicalId, PlannedTarget, Replacement, ResourceChange};

pub(super) fn change(
    id: &str,
    resource_type: &str,
    action: ChangeAction,
    replacement: Replacement,
) -> ResourceChange {
    ResourceChange {
        logical_id: LogicalId::new(id).unwrap(),
        resource_type: resource_type.to_owned(),
        physical_id: None,
        action,
        replacement,
        policy_action: None,
        scope: Vec::new(),
        details: Vec::new(),
        before: None,
        after: None,
        nested: None,
        module: None,
        drift: None,
    }
}

/// Returns a target with values of parameters, before and after, and changes.
pub(super) fn target(
    before: &[(&str, &str)],
    after: &[(&str, &str)],
    changes: Vec<ResourceChange>,
) -> PlannedTarget {
    let parameters = after.iter().map(|(name, value)| {
        json!({"name": name, "value": {"plain": value}, "provenance": {"layer": "stack"}})
    });
    let mut target: PlannedTarget = serde_json::from_value(json!({
        "target": {"account": "111111111111", "region": "eu-west-1", "stack": "app"},
        "caller": {"account": "111111111111", "arn": "arn:aws:iam::111111111111:role/Deploy"},
        "kind": "UPDATE",
        "name": "stackgate-0198c1d2",
        "inputs": {
            "template": {"artifact": "Source", "path": "t.yaml"},
            "template_digest": crate::model::Digest::of(b"template"),
            "parameters": parameters.collect::<Vec<_>>(),
        },
        "changes": [],
        "base": {"stack": "arn:aws:cloudformation:eu-west-1:111111111111:stack/app/1", "status": "CREATE_COMPLETE"},
    }))
    .unwrap();
    let before = before.iter();
    target.previous_parameters = before
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    target.changes = changes;
    target
}
