//! The policy that kept data is taken away, so that a later change can lose it.

use super::{Check, Fate, Rule, Subject, fate_of, fate_when_deleted};
use crate::model::{ChangeAction, RiskLevel};
use crate::template::ResourceDeclaration;

pub(super) const RULE: Rule = Rule {
    name: "protection",
    level: RiskLevel::Medium,
    explanation: "A `DeletionPolicy` or `UpdateReplacePolicy` that kept the data of a resource is taken away, so that a later removal or replacement loses it.",
    check: Check::Resource(check),
};

fn check(subject: &Subject<'_>) -> Option<String> {
    let (old, new) = (subject.old?, subject.new?);
    if subject.change.action != ChangeAction::Modify || !subject.is_stateful() {
        return None;
    }
    let mut gone = Vec::new();
    if fate_when_deleted(old) != Fate::Deleted && fate_when_deleted(new) == Fate::Deleted {
        let policy = old.deletion_policy.as_deref().unwrap_or("Snapshot");
        gone.push(format!(
            "a later removal loses data: DeletionPolicy {policy} is taken away"
        ));
    }
    let replaced = |declared: &ResourceDeclaration| {
        fate_of(declared.update_replace_policy.as_deref()) != Fate::Deleted
    };
    if replaced(old) && !replaced(new) {
        let policy = old.update_replace_policy.as_deref().unwrap_or_default();
        gone.push(format!(
            "a later replacement loses data: UpdateReplacePolicy {policy} is taken away"
        ));
    }
    (!gone.is_empty()).then(|| gone.join("; "))
}

#[cfg(test)]
mod tests {
    use super::super::risks;
    use super::super::tests::change;
    use super::*;
    use crate::model::Replacement;
    use crate::template::Template;

    #[test]
    fn a_policy_that_is_taken_away_is_noticed() {
        let template = |policy: &str| {
            let text = format!("Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n{policy}");
            Template::parse("t.yaml", text.as_bytes()).unwrap()
        };
        let retain = template("    DeletionPolicy: Retain\n");
        let nothing = template("");
        let changes = [change(
            "Bucket",
            "AWS::S3::Bucket",
            ChangeAction::Modify,
            Replacement::No,
        )];
        let found = risks(&changes, Some(&nothing), Some(&retain));
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].message,
            "a later removal loses data: DeletionPolicy Retain is taken away"
        );
        assert!(risks(&changes, Some(&retain), Some(&nothing)).is_empty());
        assert!(risks(&changes, Some(&retain), Some(&retain)).is_empty());
    }
    #[test]
    fn a_policy_for_replacements_counts_too() {
        let template = |policy: &str| {
            let text = format!("Resources:\n  B:\n    Type: AWS::S3::Bucket\n{policy}");
            Template::parse("t.yaml", text.as_bytes()).unwrap()
        };
        let (keeps, loses) = (template("    UpdateReplacePolicy: Retain\n"), template(""));
        let modified = change(
            "B",
            "AWS::S3::Bucket",
            ChangeAction::Modify,
            Replacement::No,
        );
        let found = risks(&[modified], Some(&loses), Some(&keeps));
        assert_eq!(
            found[0].message,
            "a later replacement loses data: UpdateReplacePolicy Retain is taken away"
        );
    }
}
