//! What a nested stack will do is not known before execution.

use super::{Check, Rule, Subject};
use crate::diff::property::PropertyChange;
use crate::model::{ChangeAction, ResourceChange, RiskLevel};
use crate::template::PathSegment;

pub(super) const RULE: Rule = Rule {
    name: "unknown_change",
    level: RiskLevel::Medium,
    explanation: "A nested stack is added or changes, and its own change set does not exist, so that what changes inside it is \
                  known only at execution. `--include-nested-stacks` asks for change sets of nested stacks; not every endpoint \
                  makes them.",
    check: Check::Resource(check),
};

/// What can change at a nested stack and leaves the resources inside it as they are, but for their tags.
const OUTSIDE: [&str; 9] = [
    "CreationPolicy",
    "DeletionPolicy",
    "DependsOn",
    "Metadata",
    "NotificationARNs",
    "Tags",
    "TimeoutInMinutes",
    "UpdatePolicy",
    "UpdateReplacePolicy",
];

fn check(subject: &Subject<'_>) -> Option<String> {
    let change = subject.change;
    let is_unknown = match change.action {
        ChangeAction::Dynamic => true,
        ChangeAction::Add => is_unseen(change),
        ChangeAction::Modify => {
            // Where nothing is said of what changes, the template inside may.
            let changed = subject.properties();
            is_unseen(change) && (changed.is_empty() || !changed.iter().all(is_outside))
        }
        ChangeAction::Remove | ChangeAction::Import | ChangeAction::SyncWithActual => false,
    };
    is_unknown.then(|| {
        let message = "what changes in the nested stack is not known before execution: it has no change set of its own \
                       (--include-nested-stacks asks for one)";
        message.to_owned()
    })
}

fn is_outside(property: &PropertyChange) -> bool {
    match property.path.first() {
        Some(PathSegment::Key(name)) => OUTSIDE.contains(&name.as_str()),
        Some(PathSegment::Index(_)) | None => false,
    }
}

/// Returns whether a change is about a nested stack whose own changes are not part of the plan.
fn is_unseen(change: &ResourceChange) -> bool {
    change.resource_type == "AWS::CloudFormation::Stack" && change.nested.is_none()
}

#[cfg(test)]
mod tests {
    use super::super::risks;
    use super::super::tests::change;
    use super::*;
    use crate::model::{ChangeDetail, Replacement};
    use serde_json::json;

    const STACK: &str = "AWS::CloudFormation::Stack";

    fn is_found(change: ResourceChange) -> bool {
        let found = risks(&[change], None, None);
        let mut found = found.iter().filter(|risk| risk.rule == RULE.name);
        found.any(|risk| {
            assert!(risk.message.contains("--include-nested-stacks"));
            risk.level == RiskLevel::Medium
        })
    }

    fn of(action: ChangeAction) -> ResourceChange {
        change("Network", STACK, action, Replacement::No)
    }

    fn detail(attribute: &str, name: Option<&str>, source: &str) -> ChangeDetail {
        serde_json::from_value(json!({
            "attribute": attribute, "name": name, "recreation": "Never", "source": source
        }))
        .unwrap()
    }

    #[test]
    fn a_nested_stack_without_its_own_change_set_is_told() {
        for (action, told) in [
            (ChangeAction::Add, true),
            (ChangeAction::Modify, true),
            (ChangeAction::Dynamic, true),
            (ChangeAction::Remove, false),
            (ChangeAction::Import, false),
            (ChangeAction::SyncWithActual, false),
        ] {
            assert_eq!(is_found(of(action)), told, "{action:?}");
            let mut inner = of(action);
            inner.logical_id = "Network/Subnets".parse().unwrap();
            assert_eq!(is_found(inner), told, "{action:?} inside another");
            let mut described = of(action);
            described.nested = Some("arn:child".parse().unwrap());
            let is_dynamic = action == ChangeAction::Dynamic;
            assert_eq!(is_found(described), is_dynamic, "{action:?}");
            let other = change("Network", "AWS::SNS::Topic", action, Replacement::No);
            assert_eq!(is_found(other), is_dynamic, "{action:?}");
        }
    }

    #[test]
    fn what_leaves_the_inside_alone_is_not_told() {
        for (details, told) in [
            (
                vec![detail(
                    "Properties",
                    Some("TemplateURL"),
                    "DirectModification",
                )],
                true,
            ),
            (
                vec![detail(
                    "Properties",
                    Some("Parameters"),
                    "ParameterReference",
                )],
                true,
            ),
            (vec![detail("Properties", None, "Automatic")], true),
            (vec![detail("Tags", None, "DirectModification")], false),
            (
                vec![detail(
                    "Properties",
                    Some("TimeoutInMinutes"),
                    "DirectModification",
                )],
                false,
            ),
            (
                vec![
                    detail("Metadata", None, "DirectModification"),
                    detail("Properties", Some("Parameters"), "ResourceAttribute"),
                ],
                true,
            ),
        ] {
            let mut change = of(ChangeAction::Modify);
            change.details = details;
            let shown = format!("{:?}", change.details);
            assert_eq!(is_found(change), told, "{shown}");
        }
    }

    #[test]
    fn it_is_told_with_values_too() {
        let context = |url: &str, tags: &str| json!({"Properties": {"TemplateURL": url, "Tags": [{"Key": "a", "Value": tags}]}});
        for (after, told) in [(context("new", "1"), true), (context("old", "2"), false)] {
            let mut modified = of(ChangeAction::Modify);
            modified.before = Some(context("old", "1"));
            modified.after = Some(after.clone());
            assert_eq!(is_found(modified), told, "{after}");
            let mut added = of(ChangeAction::Add);
            added.after = Some(after);
            assert!(is_found(added));
        }
    }
}
