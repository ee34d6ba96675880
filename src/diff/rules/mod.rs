//! What can go wrong when changes are executed: one rule a file, listed in [`RULES`].

mod iam_change;
mod protection;
mod removal;
mod replacement;
mod stateful_may_replace;
mod stateful_removal;
mod stateful_replacement;
mod unknown_change;

use super::stateful::{has_snapshot_by_default, is_stateful};
use crate::model::{
    ChangeAction, PolicyAction, Recreation, Replacement, ResourceChange, Risk, RiskLevel,
};
use crate::template::{ResourceDeclaration, Template};

/// All rules, in the order in which their findings about one resource are told.
const RULES: [Rule; 8] = [
    stateful_replacement::RULE,
    stateful_removal::RULE,
    stateful_may_replace::RULE,
    replacement::RULE,
    removal::RULE,
    unknown_change::RULE,
    protection::RULE,
    iam_change::RULE,
];

/// A rule: looks at one change and says what may happen.
struct Rule {
    name: &'static str,
    check: fn(&Subject<'_>) -> Option<(RiskLevel, String)>,
}

/// Returns what may go wrong, the worst first, else in the order of the changes.
///
/// `template` is the new one, `previous` the one the stack has; where one is not known, the worse case counts.
pub fn risks(
    changes: &[ResourceChange],
    template: Option<&Template>,
    previous: Option<&Template>,
) -> Vec<Risk> {
    let mut risks = Vec::new();
    for change in changes {
        let subject = Subject {
            change,
            new: template.and_then(|template| template.resource(&change.logical_id)),
            old: previous.and_then(|previous| previous.resource(&change.logical_id)),
        };
        for rule in &RULES {
            if let Some((level, message)) = (rule.check)(&subject) {
                risks.push(Risk {
                    rule: rule.name.to_owned(),
                    level,
                    resource: change.logical_id.clone(),
                    message,
                });
            }
        }
    }
    risks.sort_by_key(|risk| std::cmp::Reverse(risk.level));
    risks
}

/// Returns the worst level, `Low` where there is no risk.
pub fn level(risks: &[Risk]) -> RiskLevel {
    let levels = risks.iter().map(|risk| risk.level);
    levels.max().unwrap_or(RiskLevel::Low)
}

/// A change and what the templates declare of its resource.
struct Subject<'a> {
    change: &'a ResourceChange,
    new: Option<&'a ResourceDeclaration>,
    old: Option<&'a ResourceDeclaration>,
}

/// What happens to the physical resource that goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is deleted, or nothing is known that keeps it.
    Deleted,
    /// It stays outside the stack.
    Kept,
    /// It is deleted after a snapshot.
    Snapshot,
}

impl Subject<'_> {
    fn is_stateful(&self) -> bool {
        is_stateful(&self.change.resource_type)
    }

    fn replacement(&self) -> Replacement {
        match (self.change.action, self.change.replacement) {
            (ChangeAction::Modify, Replacement::Unknown) => {
                // The endpoint did not say, but its details may.
                let may_recreate = |recreation| {
                    matches!(recreation, Recreation::Always | Recreation::Conditionally)
                };
                let mut details = self.change.details.iter();
                if details.any(|detail| may_recreate(detail.recreation)) {
                    Replacement::May
                } else {
                    Replacement::Unknown
                }
            }
            (ChangeAction::Modify, said) => said,
            (
                ChangeAction::Add
                | ChangeAction::Remove
                | ChangeAction::Import
                | ChangeAction::Dynamic
                | ChangeAction::SyncWithActual,
                _,
            ) => Replacement::No,
        }
    }

    fn is_removed(&self) -> bool {
        self.change.action == ChangeAction::Remove
    }

    /// Returns what a replacement does to the old resource. `DeletionPolicy` has no part in it.
    fn fate_when_replaced(&self) -> Fate {
        match self.change.policy_action {
            Some(PolicyAction::ReplaceAndDelete) => Fate::Deleted,
            Some(PolicyAction::ReplaceAndRetain) => Fate::Kept,
            Some(PolicyAction::ReplaceAndSnapshot) => Fate::Snapshot,
            Some(PolicyAction::Delete | PolicyAction::Retain | PolicyAction::Snapshot) | None => {
                let policy = match self.new {
                    Some(new) => new.update_replace_policy.as_deref(),
                    None => self
                        .old
                        .and_then(|old| old.update_replace_policy.as_deref()),
                };
                fate_of(policy)
            }
        }
    }

    /// Returns what a removal does to the resource; the policy of the template that the stack has counts.
    fn fate_when_removed(&self) -> Fate {
        match self.change.policy_action {
            Some(PolicyAction::Delete) => Fate::Deleted,
            Some(PolicyAction::Retain) => Fate::Kept,
            Some(PolicyAction::Snapshot) => Fate::Snapshot,
            Some(
                PolicyAction::ReplaceAndDelete
                | PolicyAction::ReplaceAndRetain
                | PolicyAction::ReplaceAndSnapshot,
            )
            | None => match self.old {
                Some(old) => fate_when_deleted(old),
                None => Fate::Deleted,
            },
        }
    }

    /// Returns whether the policies are only supposed, since neither the service nor a template tells them.
    fn is_policy_unknown(&self, declaration: Option<&ResourceDeclaration>) -> bool {
        self.change.policy_action.is_none() && declaration.is_none()
    }
}

/// Returns what the deletion of its stack does to a resource.
pub fn when_deleted(declaration: &ResourceDeclaration) -> PolicyAction {
    match fate_when_deleted(declaration) {
        Fate::Deleted => PolicyAction::Delete,
        Fate::Kept => PolicyAction::Retain,
        Fate::Snapshot => PolicyAction::Snapshot,
    }
}

fn fate_of(policy: Option<&str>) -> Fate {
    match policy {
        Some("Retain" | "RetainExceptOnCreate") => Fate::Kept,
        Some("Snapshot") => Fate::Snapshot,
        Some(_) | None => Fate::Deleted,
    }
}

fn fate_when_deleted(declaration: &ResourceDeclaration) -> Fate {
    match declaration.deletion_policy.as_deref() {
        None if has_snapshot_by_default(&declaration.resource_type) => Fate::Snapshot,
        policy => fate_of(policy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChangeDetail, LogicalId};

    const TEMPLATE: &str = "\
Resources:
  Table: {Type: 'AWS::DynamoDB::Table'}
  Kept: {Type: 'AWS::DynamoDB::Table', DeletionPolicy: Retain, UpdateReplacePolicy: Retain}
  OnlyDeletion: {Type: 'AWS::DynamoDB::Table', DeletionPolicy: Retain}
  Db: {Type: 'AWS::RDS::DBCluster', UpdateReplacePolicy: Snapshot}
  Topic: {Type: 'AWS::SNS::Topic'}
  Role: {Type: 'AWS::IAM::Role'}
";

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
        }
    }

    fn found(change: ResourceChange) -> Vec<String> {
        let template = Template::parse("t.yaml", TEMPLATE.as_bytes()).unwrap();
        let risks = risks(&[change], Some(&template), Some(&template));
        let text = |risk: &Risk| format!("{} {}: {}", risk.level, risk.rule, risk.message);
        risks.iter().map(text).collect()
    }

    const TABLE: &str = "AWS::DynamoDB::Table";

    #[test]
    fn a_replaced_table_loses_its_data() {
        let replaced = |id| found(change(id, TABLE, ChangeAction::Modify, Replacement::Will));
        let loss = "high stateful_replacement: data loss: UpdateReplacePolicy is not Retain";
        assert_eq!(replaced("Table"), [loss]);
        assert_eq!(
            replaced("OnlyDeletion"),
            [loss],
            "a deletion policy does not help"
        );
        assert_eq!(
            replaced("Kept"),
            [
                "medium replacement: replaced by a new, empty resource; the old one is kept outside the stack"
            ]
        );
        assert_eq!(
            replaced("Unheard"),
            ["high stateful_replacement: data loss: no UpdateReplacePolicy is known"]
        );
    }

    #[test]
    fn what_the_service_says_about_the_policy_counts_first() {
        let mut kept = change("Table", TABLE, ChangeAction::Modify, Replacement::Will);
        kept.policy_action = Some(PolicyAction::ReplaceAndRetain);
        assert!(found(kept)[0].starts_with("medium replacement"));
        let mut gone = change("Kept", TABLE, ChangeAction::Remove, Replacement::Unknown);
        gone.policy_action = Some(PolicyAction::Delete);
        assert_eq!(
            found(gone),
            ["high stateful_removal: data loss: DeletionPolicy is not Retain"]
        );
    }

    #[test]
    fn a_removed_table_loses_its_data() {
        let removed = |id, of| found(change(id, of, ChangeAction::Remove, Replacement::Unknown));
        assert_eq!(
            removed("Table", TABLE),
            ["high stateful_removal: data loss: DeletionPolicy is not Retain"]
        );
        assert_eq!(
            removed("Kept", TABLE),
            ["medium removal: leaves the stack; it is kept outside the stack"]
        );
        assert_eq!(
            removed("Db", "AWS::RDS::DBCluster"),
            ["medium removal: deleted after a snapshot"]
        );
        assert_eq!(
            removed("Unheard", TABLE),
            ["high stateful_removal: data loss: no DeletionPolicy is known"]
        );
        assert_eq!(
            removed("Topic", "AWS::SNS::Topic"),
            ["medium removal: deleted"]
        );
    }

    #[test]
    fn what_may_happen_is_said_as_such() {
        let may = |id, of| found(change(id, of, ChangeAction::Modify, Replacement::May));
        assert_eq!(
            may("Table", TABLE),
            [
                "medium stateful_may_replace: may be replaced, with data loss: UpdateReplacePolicy is not Retain"
            ]
        );
        assert!(may("Topic", "AWS::SNS::Topic").is_empty());
        let mut silent = change("Table", TABLE, ChangeAction::Modify, Replacement::Unknown);
        assert!(found(silent.clone()).is_empty());
        silent.details.push(ChangeDetail {
            attribute: None,
            name: Some("KeySchema".to_owned()),
            path: None,
            recreation: Recreation::Always,
            before: None,
            after: None,
            evaluation: None,
            source: None,
            causing_entity: None,
        });
        assert!(found(silent)[0].starts_with("medium stateful_may_replace"));
    }

    #[test]
    fn additions_and_changes_in_place_are_no_risk() {
        for action in [
            ChangeAction::Add,
            ChangeAction::Import,
            ChangeAction::SyncWithActual,
        ] {
            assert!(found(change("Table", TABLE, action, Replacement::Unknown)).is_empty());
        }
        assert!(
            found(change(
                "Table",
                TABLE,
                ChangeAction::Modify,
                Replacement::No
            ))
            .is_empty()
        );
        assert_eq!(level(&[]), RiskLevel::Low);
    }

    #[test]
    fn the_worst_comes_first() {
        let changes = [
            change(
                "Topic",
                "AWS::SNS::Topic",
                ChangeAction::Remove,
                Replacement::Unknown,
            ),
            change("Table", TABLE, ChangeAction::Remove, Replacement::Unknown),
        ];
        let risks = risks(&changes, None, None);
        assert_eq!(risks[0].resource.as_str(), "Table");
        assert_eq!(level(&risks), RiskLevel::High);
    }

    #[test]
    fn rules_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), RULES.len());
    }
}
