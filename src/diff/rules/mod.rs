//! What can go wrong when changes are executed: one rule a file, listed in [`RULES`].

mod deletion_protection;
mod drift_overwritten;
mod drift_unconfirmed;
mod encryption_key;
mod iam_broadening;
mod iam_change;
mod iam_full_access;
mod iam_wide_access;
mod output_removed;
mod protection;
mod public_access;
mod public_ingress;
mod public_web_ingress;
mod removal;
mod replacement;
mod stateful_may_replace;
mod stateful_removal;
mod stateful_replacement;
mod termination_protection;
mod unjudged;
mod unknown_change;
mod wide_ingress;

use std::cell::OnceCell;

use super::declared::{Declared, Sides, Templates};
use super::iam::{self, Permission, Power};
use super::impact::ImpactKind;
use super::network::{self, Beside, NetworkChange};
use super::property::{PropertyChange, properties};
use super::stateful::{has_snapshot_by_default, is_stateful};
use crate::model::{
    ChangeAction, GoneExport, LogicalId, PlannedTarget, PolicyAction, Recreation, Replacement,
    ResourceChange, Risk, RiskLevel, TargetInputs,
};
use crate::template::{ResourceDeclaration, Template};

/// All rules, in the order in which their findings about one resource are told.
pub const RULES: [Rule; 22] = [
    stateful_replacement::RULE,
    stateful_removal::RULE,
    stateful_may_replace::RULE,
    replacement::RULE,
    removal::RULE,
    drift_overwritten::RULE,
    drift_unconfirmed::RULE,
    unknown_change::RULE,
    protection::RULE,
    deletion_protection::RULE,
    termination_protection::RULE,
    public_ingress::RULE,
    public_web_ingress::RULE,
    wide_ingress::RULE,
    public_access::RULE,
    unjudged::RULE,
    iam_full_access::RULE,
    iam_wide_access::RULE,
    iam_broadening::RULE,
    iam_change::RULE,
    encryption_key::RULE,
    output_removed::RULE,
];

/// A rule: looks at a change and says what may happen.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its id, by which `stackgate.yaml` names it. It never changes.
    pub name: &'static str,
    /// How bad its findings are, unless one is worse by itself or `stackgate.yaml` says otherwise.
    pub level: RiskLevel,
    /// What it finds and why that matters, in one paragraph.
    pub explanation: &'static str,
    check: Check,
}

impl Rule {
    fn finding(&self, resource: LogicalId, message: String) -> Risk {
        Risk {
            rule: self.name.to_owned(),
            level: self.level,
            resource,
            message,
            chosen: None,
        }
    }
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
enum Check {
    /// One change.
    Resource(fn(&Subject<'_>) -> Option<String>),
    /// One change, where the finding itself says how bad it is.
    Graded(fn(&Subject<'_>) -> Option<(RiskLevel, String)>),
    /// What is asked of the stack itself.
    Stack(fn(&TargetInputs) -> Option<String>),
    /// What is known of the target as a whole.
    Target(fn(&PlannedTarget) -> Option<String>),
    /// The new and the old template, and the exports that go as far as they were looked up; each finding is about
    /// the name that comes with it.
    Templates(CheckTemplates),
}

/// Finds something in the new and the old template, given the exports that go.
type CheckTemplates = fn(&Template, &Template, &[GoneExport]) -> Vec<(LogicalId, String)>;

/// Returns what may go wrong in a target, as [`with_exports`] does, with what is asked of the stack itself; the worst
/// first.
pub fn risks_of_target(
    target: &PlannedTarget,
    template: Option<&Template>,
    previous: Option<&Template>,
) -> Vec<Risk> {
    let templates = Templates::of(target, template, previous);
    let mut risks = with_exports(&target.changes, &templates, &target.gone_exports);
    // A stack has no logical id; no resource is called so.
    if let Ok(stack) = LogicalId::new(format!("stack:{}", target.target.stack)) {
        for rule in &RULES {
            let found = match rule.check {
                Check::Stack(check) => check(&target.inputs),
                Check::Target(check) => check(target),
                Check::Resource(_) | Check::Graded(_) | Check::Templates(_) => None,
            };
            risks.extend(found.map(|message| rule.finding(stack.clone(), message)));
        }
    }
    risks.sort_by_key(|risk| std::cmp::Reverse(risk.level));
    risks
}

/// Returns what may go wrong, in the order of the changes.
///
/// Where a template is not known, the worse case counts.
fn with_exports(
    changes: &[ResourceChange],
    templates: &Templates<'_>,
    gone_exports: &[GoneExport],
) -> Vec<Risk> {
    let mut risks = Vec::new();
    for change in changes {
        let subject = Subject::of(change, templates);
        for rule in &RULES {
            let found = match rule.check {
                Check::Resource(check) => check(&subject).map(|message| (rule.level, message)),
                Check::Graded(check) => check(&subject),
                Check::Stack(_) | Check::Target(_) | Check::Templates(_) => None,
            };
            risks.extend(found.map(|(level, message)| Risk {
                level,
                ..rule.finding(change.logical_id.clone(), message)
            }));
        }
    }
    if let (Some(new), Some(old)) = (&templates.new, &templates.old) {
        for rule in &RULES {
            if let Check::Templates(check) = rule.check {
                for (name, message) in check(new.template(), old.template(), gone_exports) {
                    risks.push(rule.finding(name, message));
                }
            }
        }
    }
    risks
}

/// Returns whether every change says itself what its resource was and is, so that the old template is not needed for it.
pub fn are_told(changes: &[ResourceChange]) -> bool {
    changes.iter().all(|change| match change.action {
        ChangeAction::Modify | ChangeAction::Dynamic | ChangeAction::SyncWithActual => {
            change.before.is_some() && change.after.is_some()
        }
        // Only what is there on one side counts; what goes is judged by itself.
        ChangeAction::Add | ChangeAction::Import | ChangeAction::Remove => true,
    })
}

/// Returns what may go wrong where no export was looked up.
#[cfg(test)]
fn risks(
    changes: &[ResourceChange],
    template: Option<&Template>,
    previous: Option<&Template>,
) -> Vec<Risk> {
    let templates = Templates::as_written(template, previous);
    let mut risks = with_exports(changes, &templates, &[]);
    risks.sort_by_key(|risk| std::cmp::Reverse(risk.level));
    risks
}

/// Returns the worst level that counts, `Low` where there is no risk.
pub fn level(risks: &[Risk]) -> RiskLevel {
    let levels = risks.iter().map(Risk::weight);
    levels.max().unwrap_or(RiskLevel::Low)
}

/// A change and what the templates declare of its resource.
pub(super) struct Subject<'a> {
    change: &'a ResourceChange,
    new: Option<&'a ResourceDeclaration>,
    old: Option<&'a ResourceDeclaration>,
    sides: Sides<'a>,
    templates: &'a Templates<'a>,
    // Several rules ask for these, and each takes a walk through the resource.
    permissions: OnceCell<Vec<Permission>>,
    powers: OnceCell<Vec<Power>>,
    network: OnceCell<Vec<NetworkChange>>,
    properties: OnceCell<Vec<PropertyChange>>,
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

impl<'a> Subject<'a> {
    pub(super) fn of(change: &'a ResourceChange, templates: &'a Templates<'a>) -> Self {
        let id = &change.logical_id;
        let Templates { new, old } = templates;
        Subject {
            change,
            new: new.as_ref().and_then(|template| template.resource(id)),
            old: old.as_ref().and_then(|template| template.resource(id)),
            sides: Sides::of(change, templates),
            templates,
            permissions: OnceCell::new(),
            powers: OnceCell::new(),
            network: OnceCell::new(),
            properties: OnceCell::new(),
        }
    }

    /// Returns what becomes of permissions.
    pub(super) fn permissions(&self) -> &[Permission] {
        let of = &self.change.resource_type;
        self.permissions
            .get_or_init(|| iam::permissions(of, &self.sides))
    }

    /// Returns what is given on every resource.
    fn powers(&self) -> &[Power] {
        let of = &self.change.resource_type;
        self.powers.get_or_init(|| iam::powers(of, &self.sides))
    }

    /// Returns what becomes of what security groups let through.
    pub(super) fn network(&self) -> &[NetworkChange] {
        let of = &self.change.resource_type;
        let is_group = of.starts_with("AWS::EC2::SecurityGroup");
        let beside = |side: &'a Option<Declared<'a>>| match side {
            Some(side) if is_group => side.ingress_beside(&self.change.logical_id),
            Some(_) | None => Vec::new(),
        };
        self.network.get_or_init(|| {
            let beside = Beside {
                before: beside(&self.templates.old),
                after: beside(&self.templates.new),
            };
            network::changes(of, &self.sides, &beside)
        })
    }

    /// Returns the properties that change.
    fn properties(&self) -> &[PropertyChange] {
        self.properties.get_or_init(|| properties(self.change))
    }

    /// Returns what becomes of the data of a resource that holds some, where it does not just stay.
    pub(super) fn data(&self) -> Option<(ImpactKind, &'static str)> {
        if !self.is_stateful() {
            return None;
        }
        let fate = match (self.change.action, self.replacement()) {
            (ChangeAction::Remove, _) => match self.fate_when_removed() {
                Fate::Deleted => (ImpactKind::Lost, "removed, and its data with it"),
                Fate::Kept => (ImpactKind::Kept, "removed; it stays outside the stack"),
                Fate::Snapshot => (ImpactKind::Kept, "removed; its data stays in a snapshot"),
            },
            (_, Replacement::Will) => match self.fate_when_replaced() {
                Fate::Deleted => (
                    ImpactKind::Lost,
                    "replaced by an empty one, its data is lost",
                ),
                Fate::Kept => (
                    ImpactKind::Kept,
                    "replaced by an empty one; the old one stays outside the stack",
                ),
                Fate::Snapshot => (
                    ImpactKind::Kept,
                    "replaced by an empty one; the old data stays in a snapshot",
                ),
            },
            (_, Replacement::May) => match self.fate_when_replaced() {
                Fate::Deleted => (ImpactKind::Lost, "may be replaced, and its data lost"),
                Fate::Kept | Fate::Snapshot => {
                    (ImpactKind::Kept, "may be replaced; the old data is kept")
                }
            },
            (ChangeAction::Modify, Replacement::Unknown) => (
                ImpactKind::Changed,
                "changed; whether it is replaced is not known",
            ),
            // Data stays where a resource is changed in place.
            (
                ChangeAction::Add
                | ChangeAction::Import
                | ChangeAction::Dynamic
                | ChangeAction::SyncWithActual
                | ChangeAction::Modify,
                _,
            ) => return None,
        };
        Some(fate)
    }

    /// Returns the rule that tells of data that is lost.
    pub(super) fn data_rule(&self) -> &'static str {
        match (self.is_removed(), self.replacement()) {
            (true, _) => stateful_removal::RULE.name,
            (false, Replacement::Will) => stateful_replacement::RULE.name,
            (false, Replacement::May | Replacement::No | Replacement::Unknown) => {
                stateful_may_replace::RULE.name
            }
        }
    }

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
    pub(super) use crate::diff::fixtures::change;
    use crate::diff::fixtures::target;
    use crate::model::ChangeDetail;

    const TEMPLATE: &str = "\
Resources:
  Table: {Type: 'AWS::DynamoDB::Table'}
  Kept: {Type: 'AWS::DynamoDB::Table', DeletionPolicy: Retain, UpdateReplacePolicy: Retain}
  OnlyDeletion: {Type: 'AWS::DynamoDB::Table', DeletionPolicy: Retain}
  Db: {Type: 'AWS::RDS::DBCluster', UpdateReplacePolicy: Snapshot}
  Topic: {Type: 'AWS::SNS::Topic'}
  Role: {Type: 'AWS::IAM::Role'}
";

    /// Returns what a rule says about a resource that has these properties before and after.
    pub(super) fn fired(
        rule: &str,
        resource_type: &str,
        before: Option<serde_json::Value>,
        after: Option<serde_json::Value>,
    ) -> Option<String> {
        let action = match (&before, &after) {
            (None, _) => ChangeAction::Add,
            (Some(_), None) => ChangeAction::Remove,
            (Some(_), Some(_)) => ChangeAction::Modify,
        };
        let mut change = change("R", resource_type, action, Replacement::No);
        let context = |properties| serde_json::json!({ "Properties": properties });
        change.before = before.map(context);
        change.after = after.map(context);
        assert!(RULES.iter().any(|known| known.name == rule), "{rule}");
        let mut found = risks(&[change], None, None).into_iter();
        found
            .find(|risk| risk.rule == rule)
            .map(|risk| risk.message)
    }

    #[test]
    fn what_is_known_of_neither_side_is_not_told() {
        for (action, told) in [
            (ChangeAction::Add, true),
            (ChangeAction::Remove, true),
            (ChangeAction::Modify, false),
        ] {
            let mut change = change("R", TABLE, action, Replacement::No);
            assert_eq!(are_told(std::slice::from_ref(&change)), told, "{action:?}");
            change.before = Some(serde_json::json!({}));
            assert_eq!(are_told(std::slice::from_ref(&change)), told, "{action:?}");
            change.after = Some(serde_json::json!({}));
            assert!(are_told(&[change]), "{action:?}");
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
            drift: None,
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
    fn templates_are_judged_with_the_values_of_parameters() {
        let text = "\
Parameters: {Cidr: {Type: String}, Public: {Type: String}}
Conditions: {IsPublic: !Equals [!Ref Public, 'true']}
Resources:
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: !Ref Cidr}]
  Db:
    Type: AWS::RDS::DBInstance
    Properties:
      PubliclyAccessible: !If [IsPublic, true, !Ref AWS::NoValue]
";
        let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
        let modified = |id, of| change(id, of, ChangeAction::Modify, Replacement::No);
        let changes = [
            modified("Group", "AWS::EC2::SecurityGroup"),
            modified("Db", "AWS::RDS::DBInstance"),
        ];
        let judged = |before: &[(&str, &str)], after: &[(&str, &str)]| {
            let target = target(before, after, changes.to_vec());
            let risks = risks_of_target(&target, Some(&template), Some(&template));
            let text = |risk: &Risk| format!("{} {}: {}", risk.rule, risk.resource, risk.message);
            risks.iter().map(text).collect::<Vec<_>>()
        };
        let (inside, world) = (("Cidr", "10.0.0.0/8"), ("Cidr", "0.0.0.0/0"));
        let ssh = "public_ingress Group: opens ingress tcp 22 from 0.0.0.0/0 (the whole internet)";
        let db = "public_access Db: is reachable from the internet: PubliclyAccessible";
        let (hidden, public) = (("Public", "false"), ("Public", "true"));
        assert_eq!(judged(&[inside, hidden], &[world, public]), [ssh, db]);
        assert_eq!(judged(&[world, hidden], &[inside, hidden]), [""; 0]);
        assert_eq!(judged(&[world, public], &[world, public]), [""; 0]);
        // A value that is not known is neither; what was not known before counts as the better.
        assert_eq!(judged(&[], &[world, hidden]), [ssh]);
        assert_eq!(
            judged(&[inside, hidden], &[]),
            [
                "unjudged Group: cannot be judged before it runs: ingress tcp 22 from {\"Ref\":\"Cidr\"}",
                "unjudged Db: cannot be judged before it runs: PubliclyAccessible"
            ]
        );
    }

    #[test]
    fn rules_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), RULES.len());
    }
}
