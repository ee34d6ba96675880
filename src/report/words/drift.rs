//! What is said of changes that were made outside CloudFormation.

use crate::diff::{DriftFate, KNOWN_AFTER_APPLY, value_text};
use crate::model::{
    ChangeAction, ChangeSetKind, DriftStatus, Evaluation, IgnoredAttribute, StackDrift, clean,
};
use crate::report::review_data::{ReviewDrift, ReviewGroup, ReviewProperty, ReviewResource};

use super::{listed, optional, time};

/// Returns what is said of the stacks of a group where drift is to be put back, and whether it needs care.
pub(in crate::report) fn of_group(group: &ReviewGroup) -> Option<(bool, Vec<String>)> {
    if !group.options.revert_drift {
        return None;
    }
    match group.kind {
        ChangeSetKind::Create => {
            let text = "nothing of a new stack can have been changed: an ordinary change set";
            Some((false, vec![text.to_owned()]))
        }
        ChangeSetKind::Update => match group.drift.filter(|drift| drift.is_confirmed) {
            None => {
                let text = "NOT CONFIRMED: the endpoint did not say that this is a drift-aware change set; what was changed \
                     outside CloudFormation is not shown, and may be overwritten";
                Some((true, vec![text.to_owned()]))
            }
            Some(drift) => {
                let stack = match drift.stack {
                    Some(StackDrift::Drifted) => "the stack has drifted",
                    Some(StackDrift::InSync) => "the stack has not drifted",
                    Some(StackDrift::NotChecked | StackDrift::Unknown) | None => {
                        "whether the stack has drifted is not known"
                    }
                };
                let text = "what was changed outside CloudFormation is put back";
                Some((false, vec![text.to_owned(), stack.to_owned()]))
            }
        },
        // Imports cannot ask for it, and what is deleted is not put back.
        ChangeSetKind::Import | ChangeSetKind::Delete => None,
    }
}

/// Returns what is said of a resource, beside its properties and risks.
pub(in crate::report) fn of_resource(change: &ReviewResource) -> Vec<String> {
    let Some(drift) = &change.drift else {
        return Vec::new();
    };
    let is_new = change.action == ChangeAction::Add;
    let is_told = change.properties.iter().any(|one| one.drift.is_some())
        || change
            .risks
            .iter()
            .any(|risk| risk.rule == "drift_overwritten");
    let status = match drift.status {
        Some(DriftStatus::Modified | DriftStatus::Deleted) if is_told => None,
        Some(DriftStatus::Modified) => Some("changed outside CloudFormation"),
        Some(DriftStatus::Deleted) => Some("deleted outside CloudFormation"),
        // There was nothing to look at.
        Some(DriftStatus::NotChecked | DriftStatus::Unsupported | DriftStatus::Unknown)
            if is_new =>
        {
            None
        }
        Some(DriftStatus::NotChecked) => Some("whether it drifted was not looked at"),
        Some(DriftStatus::Unsupported) => {
            Some("whether it drifted is not known: its type cannot be compared")
        }
        Some(DriftStatus::Unknown) => Some("whether it drifted is not known"),
        Some(DriftStatus::InSync) | None => None,
    };
    let mut said: Vec<String> = status.map(str::to_owned).into_iter().collect();
    if !drift.ignored.is_empty() {
        let ignored: Vec<String> = drift.ignored.iter().map(ignored).collect();
        said.push(format!("drift not looked at in {}", listed(&ignored)));
    }
    said
}

fn ignored(attribute: &IgnoredAttribute) -> String {
    let path = attribute.path.trim_start_matches('/').replace('/', ".");
    let path = path.strip_prefix("Properties.").unwrap_or(&path);
    let why = match attribute.reason.as_deref() {
        None => return clean(path),
        Some("MANAGED_BY_AWS") => "managed by AWS",
        Some("WRITE_ONLY_PROPERTY") => "write-only",
        Some("SENSITIVE_PROPERTY") => "sensitive",
        Some(other) => other,
    };
    clean(&format!("{path} ({why})"))
}

/// Returns what becomes of a property that was changed by hand.
pub(in crate::report) fn fate(drift: &ReviewDrift) -> &'static str {
    match drift.fate {
        DriftFate::PutBack => "changed outside CloudFormation; this deployment puts it back",
        DriftFate::Overwritten => "changed outside CloudFormation; this deployment overwrites it",
        DriftFate::Kept => {
            "changed outside CloudFormation; the template says the same now, only the record is refreshed"
        }
    }
}

/// The three values of a property that was changed by hand.
pub(in crate::report) struct ThreeValues {
    /// What the last deployment set.
    pub(in crate::report) previous: String,
    /// What the resource has.
    pub(in crate::report) actual: String,
    /// What it gets.
    pub(in crate::report) after: String,
    /// When the difference was found: `, found 2026-11-22 10:00:00 UTC`.
    pub(in crate::report) found: String,
}

/// Returns the three values of a property as they are shown.
pub(in crate::report) fn three_values(
    property: &ReviewProperty,
    drift: &ReviewDrift,
) -> ThreeValues {
    let after = match (&property.after, drift.fate) {
        (Some(after), _) => value_text(after),
        (None, DriftFate::Kept) => optional(drift.actual.as_deref()),
        (None, _) if property.evaluation == Some(Evaluation::Dynamic) => {
            KNOWN_AFTER_APPLY.to_owned()
        }
        (None, DriftFate::PutBack | DriftFate::Overwritten) => "(removed)".to_owned(),
    };
    ThreeValues {
        previous: optional(drift.previous.as_deref()),
        actual: optional(drift.actual.as_deref()),
        after,
        found: drift
            .detected
            .map_or_else(String::new, |at| format!(", found {}", time(at))),
    }
}
