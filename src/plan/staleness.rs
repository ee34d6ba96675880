//! Whether a target still is what was approved.

use std::collections::{BTreeMap, BTreeSet};

use super::canonical::{sorted, sorted_changes, sorted_details};
use crate::model::{Base, ChangeDetail, ChangeSetId, PlannedTarget, ResourceChange, Staleness};

/// What was found at a target just before execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The change set; none if it is gone.
    pub change_set: Option<FoundChangeSet>,
    /// The stack; none if it is gone.
    pub base: Option<Base>,
}

/// A change set that was described again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundChangeSet {
    /// Its ARN.
    pub id: ChangeSetId,
    /// Whether it can be executed.
    pub executable: bool,
    /// The execution status, as given.
    pub execution_status: String,
    /// Every described change, secrets masked in the same way as in the approved ones.
    pub changes: Vec<ResourceChange>,
}

/// Returns how a target differs from what was approved; nothing if it still is that.
pub fn staleness(approved: &PlannedTarget, found: &Found) -> Vec<Staleness> {
    let mut differences = Vec::new();
    match &found.change_set {
        None => differences.push(Staleness::ChangeSetGone),
        Some(change_set) => {
            if change_set.id != approved.change_set || !change_set.executable {
                differences.push(Staleness::NotExecutable {
                    status: crate::model::clean(&change_set.execution_status),
                });
            }
            let resources = differing(&approved.changes, &change_set.changes);
            if !resources.is_empty() {
                differences.push(Staleness::ChangesDiffer { resources });
            }
        }
    }
    differences.extend(base_difference(&approved.base, found.base.as_ref()));
    differences
}

/// Returns the difference that explains the others: a new stack has another status, and that has events.
fn base_difference(approved: &Base, found: Option<&Base>) -> Option<Staleness> {
    let Some(found) = found else {
        return Some(Staleness::StackReplaced);
    };
    if found.stack != approved.stack {
        Some(Staleness::StackReplaced)
    } else if found.status != approved.status {
        Some(Staleness::StatusChanged {
            approved: approved.status,
            found: found.status,
        })
    } else if found.newest_event != approved.newest_event {
        Some(Staleness::NewEvents)
    } else {
        None
    }
}

/// Returns the logical ids of the changes that are not in both lists, sorted.
fn differing(approved: &[ResourceChange], found: &[ResourceChange]) -> Vec<String> {
    let approved = by_logical_id(approved);
    let found = by_logical_id(found);
    let ids: BTreeSet<&str> = approved.keys().chain(found.keys()).copied().collect();
    ids.into_iter()
        .filter(|id| match (approved.get(id), found.get(id)) {
            (Some(a), Some(b)) => {
                a.len() != b.len() || !a.iter().zip(b).all(|(a, b)| is_same(a, b))
            }
            (Some(_), None) | (None, Some(_)) | (None, None) => true,
        })
        .map(str::to_owned)
        .collect()
}

fn by_logical_id(changes: &[ResourceChange]) -> BTreeMap<&str, Vec<&ResourceChange>> {
    let mut ids: BTreeMap<&str, Vec<&ResourceChange>> = BTreeMap::new();
    for change in sorted_changes(changes) {
        ids.entry(change.logical_id.as_str())
            .or_default()
            .push(change);
    }
    ids
}

/// Returns whether two changes are the same, however their parts were listed.
fn is_same(a: &ResourceChange, b: &ResourceChange) -> bool {
    // Compared part by part, since the derived equality would see the order of scopes and details.
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
    } = a;
    (logical_id, resource_type, physical_id) == (&b.logical_id, &b.resource_type, &b.physical_id)
        && (action, replacement, policy_action) == (&b.action, &b.replacement, &b.policy_action)
        && (before, after) == (&b.before, &b.after)
        && (nested, module) == (&b.nested, &b.module)
        && sorted(scope) == sorted(&b.scope)
        && is_same_list(details, &b.details)
}

fn is_same_list(a: &[ChangeDetail], b: &[ChangeDetail]) -> bool {
    a.len() == b.len() && (a == b || sorted_details(a) == sorted_details(b))
}
