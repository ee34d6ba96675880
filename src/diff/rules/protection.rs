//! The policy that kept data is taken away, so that a later change can lose it.

use super::{Fate, Rule, Subject, fate_when_deleted};
use crate::model::{ChangeAction, RiskLevel};

pub(super) const RULE: Rule = Rule {
    name: "protection",
    check,
};

fn check(subject: &Subject<'_>) -> Option<(RiskLevel, String)> {
    let (old, new) = (subject.old?, subject.new?);
    let is_weaker = subject.change.action == ChangeAction::Modify
        && subject.is_stateful()
        && fate_when_deleted(old) != Fate::Deleted
        && fate_when_deleted(new) == Fate::Deleted;
    is_weaker.then(|| {
        let policy = old.deletion_policy.as_deref().unwrap_or("Snapshot");
        let message = format!("a later removal loses data: DeletionPolicy {policy} is taken away");
        (RiskLevel::Medium, message)
    })
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
}
