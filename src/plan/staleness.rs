//! Whether a target still is what was approved.

use std::collections::{BTreeMap, BTreeSet};

use super::canonical::{sorted, sorted_changes, sorted_details};
use crate::model::{
    Base, ChangeDetail, ChangeSetId, DeletableStack, PlannedTarget, ResourceChange, Staleness,
};

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
        // One without changes is not executed, and need not be there.
        _ if approved.settings_only => {}
        None => differences.push(Staleness::ChangeSetGone),
        Some(change_set) => {
            if Some(&change_set.id) != approved.change_set.as_ref() || !change_set.executable {
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

/// Returns how a stack that is to be deleted differs from what was approved. `None`: it is gone.
pub fn staleness_of_deletion(
    approved: &PlannedTarget,
    found: Option<&DeletableStack>,
) -> Vec<Staleness> {
    let mut differences = Vec::new();
    if let Some(found) = found {
        if !found.obstacles.is_empty() {
            differences.push(Staleness::NotDeletable {
                why: found.obstacles.join("; "),
            });
        }
        let resources = differing(&approved.changes, &found.changes);
        if !resources.is_empty() {
            differences.push(Staleness::ChangesDiffer { resources });
        }
    }
    differences.extend(base_difference(&approved.base, found.map(|f| &f.base)));
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
        drift,
    } = a;
    (logical_id, resource_type, physical_id) == (&b.logical_id, &b.resource_type, &b.physical_id)
        && (action, replacement, policy_action) == (&b.action, &b.replacement, &b.policy_action)
        && (before, after) == (&b.before, &b.after)
        && (nested, module, drift) == (&b.nested, &b.module, &b.drift)
        && sorted(scope) == sorted(&b.scope)
        && is_same_list(details, &b.details)
}

fn is_same_list(a: &[ChangeDetail], b: &[ChangeDetail]) -> bool {
    // When drift was found says nothing of what is done.
    let undated = |details: &[ChangeDetail]| -> Vec<ChangeDetail> {
        let mut details = details.to_vec();
        for drift in details.iter_mut().filter_map(|one| one.drift.as_mut()) {
            drift.detected = None;
        }
        details
    };
    a.len() == b.len() && (a == b || sorted_details(&undated(a)) == sorted_details(&undated(b)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample::planned;
    use super::*;
    use crate::model::StackStatus;

    fn approved() -> PlannedTarget {
        PlannedTarget {
            settings_only: false,
            ..planned("111111111111", "eu-west-1", "network")
        }
    }

    fn found(approved: &PlannedTarget) -> Found {
        Found {
            change_set: Some(FoundChangeSet {
                id: approved.change_set.clone().unwrap(),
                executable: true,
                execution_status: "AVAILABLE".to_owned(),
                changes: approved.changes.clone(),
            }),
            base: Some(approved.base.clone()),
        }
    }

    /// Returns what is stale after `change` was done to what would be found.
    fn after(change: impl FnOnce(&mut FoundChangeSet, &mut Base)) -> Vec<Staleness> {
        let approved = approved();
        let mut found = found(&approved);
        change(
            found.change_set.as_mut().unwrap(),
            found.base.as_mut().unwrap(),
        );
        staleness(&approved, &found)
    }

    fn differ(resources: &[&str]) -> Vec<Staleness> {
        let resources = resources.iter().map(|id| (*id).to_owned()).collect();
        vec![Staleness::ChangesDiffer { resources }]
    }

    #[test]
    fn what_was_approved_is_not_stale() {
        assert_eq!(after(|_, _| {}), []);
    }

    #[test]
    fn other_drift_is_another_plan_but_when_it_was_found_is_not() {
        fn drift(set: &mut FoundChangeSet) -> &mut crate::model::PropertyDrift {
            let queue = set.changes.iter_mut().find(|c| !c.details.is_empty());
            let mut details = queue.unwrap().details.iter_mut();
            details.find_map(|one| one.drift.as_mut()).unwrap()
        }
        assert_eq!(after(|set, _| drift(set).detected = None), []);
        assert_eq!(
            after(|set, _| drift(set).actual = Some("91".into())),
            differ(&["Queue"])
        );
        assert_eq!(
            after(|set, _| set.changes[2].drift = None),
            differ(&["Queue"])
        );
    }

    #[test]
    fn where_nothing_is_executed_only_the_stack_counts() {
        let approved = PlannedTarget {
            settings_only: true,
            ..approved()
        };
        let gone = Found {
            change_set: None,
            ..found(&approved)
        };
        assert_eq!(staleness(&approved, &gone), []);
        let moved = Found {
            change_set: None,
            base: None,
        };
        assert_eq!(staleness(&approved, &moved), [Staleness::StackReplaced]);
    }

    #[test]
    fn other_orders_are_not_stale() {
        let differences = after(|change_set, _| {
            change_set.changes.reverse();
            for change in &mut change_set.changes {
                change.scope.reverse();
                change.details.reverse();
                if let Some(serde_json::Value::Object(before)) = &mut change.before {
                    for properties in before.values_mut() {
                        let members = properties.as_object().unwrap().iter().rev();
                        *properties = members.map(|(k, v)| (k.clone(), v.clone())).collect();
                    }
                }
            }
        });
        assert_eq!(differences, []);
    }

    #[test]
    fn a_change_set_that_is_gone_or_cannot_be_executed_is_stale() {
        let approved = approved();
        let gone = Found {
            change_set: None,
            ..found(&approved)
        };
        assert_eq!(staleness(&approved, &gone), [Staleness::ChangeSetGone]);
        let status = |status: &str| {
            vec![Staleness::NotExecutable {
                status: status.to_owned(),
            }]
        };
        let obsolete = after(|change_set, _| {
            change_set.executable = false;
            change_set.execution_status = "OBSOLETE".to_owned();
        });
        assert_eq!(obsolete, status("OBSOLETE"));
        let another = after(|change_set, _| {
            change_set.id = "arn:another".parse().unwrap();
        });
        assert_eq!(another, status("AVAILABLE"));
    }

    #[test]
    fn a_stack_that_moved_on_is_stale_for_one_reason() {
        let approved = approved();
        let gone = Found {
            base: None,
            ..found(&approved)
        };
        assert_eq!(staleness(&approved, &gone), [Staleness::StackReplaced]);
        let replaced = after(|_, base| {
            base.stack = "arn:another".parse().unwrap();
            base.status = StackStatus::UpdateComplete;
            base.newest_event = None;
        });
        assert_eq!(replaced, [Staleness::StackReplaced]);
        let changed = after(|_, base| {
            base.status = StackStatus::UpdateInProgress;
            base.newest_event = Some("later".to_owned());
        });
        assert_eq!(
            changed,
            [Staleness::StatusChanged {
                approved: StackStatus::CreateComplete,
                found: StackStatus::UpdateInProgress
            }]
        );
        // Updated and updated back, or updated twice: only the events tell.
        let events = after(|_, base| base.newest_event = Some("later".to_owned()));
        assert_eq!(events, [Staleness::NewEvents]);
        let no_events = after(|_, base| base.newest_event = None);
        assert_eq!(no_events, [Staleness::NewEvents]);
    }

    #[test]
    fn other_changes_are_named_by_their_resources() {
        let removed = after(|change_set, _| {
            change_set.changes.remove(0);
        });
        assert_eq!(removed, differ(&["Alerts"]));
        let added = after(|change_set, _| {
            let mut change = change_set.changes[0].clone();
            change.logical_id = "Another".parse().unwrap();
            change_set.changes.push(change);
        });
        assert_eq!(added, differ(&["Another"]));
        let doubled = after(|change_set, _| {
            change_set.changes.push(change_set.changes[0].clone());
        });
        assert_eq!(doubled, differ(&["Alerts"]));
        let two = after(|change_set, _| {
            change_set.changes[2].details[0].after = Some("61".to_owned());
            change_set.changes[0].after = Some(json!({"Properties": {"TopicName": "other"}}));
        });
        assert_eq!(two, differ(&["Alerts", "Queue"]));
    }

    #[test]
    fn every_part_of_a_change_counts() {
        let parts: &[fn(&mut ResourceChange)] = &[
            |c| c.resource_type.push('x'),
            |c| c.physical_id = None,
            |c| c.action = crate::model::ChangeAction::Remove,
            |c| c.replacement = crate::model::Replacement::Will,
            |c| c.policy_action = None,
            |c| c.scope.truncate(1),
            |c| c.details.truncate(1),
            |c| c.details[1].recreation = crate::model::Recreation::Always,
            |c| c.before = None,
            |c| c.after = None,
            |c| c.nested = Some("arn:child".parse().unwrap()),
            |c| c.module = Some(("type".to_owned(), "id".to_owned())),
        ];
        for (index, part) in parts.iter().enumerate() {
            let differences = after(|change_set, _| part(&mut change_set.changes[2]));
            assert_eq!(differences, differ(&["Queue"]), "part {index}");
        }
    }

    #[test]
    fn everything_that_differs_is_said() {
        let all = after(|change_set, base| {
            change_set.executable = false;
            change_set.changes.clear();
            base.newest_event = None;
        });
        assert_eq!(all.len(), 3, "{all:?}");
    }
}
