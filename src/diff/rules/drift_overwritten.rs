//! What somebody changed outside CloudFormation is overwritten.

use std::collections::BTreeSet;

use super::{Check, Rule, Subject};
use crate::diff::drift::{DriftFate, drift_fate};
use crate::model::{ChangeAction, DriftStatus, Replacement, RiskLevel};

pub(super) const RULE: Rule = Rule {
    name: "drift_overwritten",
    level: RiskLevel::Medium,
    explanation: "What somebody changed outside CloudFormation, perhaps for a reason, is put back or overwritten. High where the resource was deleted outside and is made again, or holds data and is replaced. Known only with `--revert-drift`: an ordinary change set says nothing of drift.",
    check: Check::Graded(check),
};

fn check(subject: &Subject<'_>) -> Option<(RiskLevel, String)> {
    let change = subject.change;
    let status = change.drift.as_ref().and_then(|drift| drift.status);
    match change.action {
        // What goes is told by other rules, and where only the record is refreshed, nothing is overwritten.
        ChangeAction::Remove | ChangeAction::SyncWithActual => return None,
        ChangeAction::Add | ChangeAction::Modify | ChangeAction::Import | ChangeAction::Dynamic => {
        }
    }
    if status == Some(DriftStatus::Deleted) {
        let message = if subject.is_stateful() {
            "deleted outside CloudFormation; it is made again, without the data it held"
        } else {
            "deleted outside CloudFormation; it is made again"
        };
        return Some((RiskLevel::High, message.to_owned()));
    }
    let mut drifted = change
        .details
        .iter()
        .filter_map(|detail| Some((detail.drift.as_ref()?, detail)))
        .peekable();
    let message = if drifted.peek().is_some() {
        let overwritten = drifted
            .filter(|(drift, detail)| {
                drift_fate(drift, detail.after.as_deref(), detail.evaluation) != DriftFate::Kept
            })
            // One property can have several causes, each a detail.
            .map(|(_, detail)| (&detail.path, &detail.name))
            .collect::<BTreeSet<_>>();
        match overwritten.len() {
            0 => return None,
            1 => "overwrites a property that was changed outside CloudFormation".to_owned(),
            number => {
                format!("overwrites {number} properties that were changed outside CloudFormation")
            }
        }
    } else if status == Some(DriftStatus::Modified) {
        "changed outside CloudFormation; which of it is overwritten is not said".to_owned()
    } else {
        return None;
    };
    let is_replaced = matches!(subject.replacement(), Replacement::Will | Replacement::May);
    let level = if subject.is_stateful() && is_replaced {
        RiskLevel::High
    } else {
        RiskLevel::Medium
    };
    Some((level, message))
}

#[cfg(test)]
mod tests {
    use super::super::risks;
    use super::super::tests::change;
    use super::*;
    use crate::model::{ChangeDetail, PropertyDrift, Recreation, ResourceChange, ResourceDrift};

    const TOPIC: &str = "AWS::SNS::Topic";
    const TABLE: &str = "AWS::DynamoDB::Table";

    fn drifted(
        of: &str,
        action: ChangeAction,
        replacement: Replacement,
        status: DriftStatus,
        afters: &[&str],
    ) -> ResourceChange {
        let details = afters.iter().enumerate().map(|(at, after)| ChangeDetail {
            attribute: None,
            name: None,
            path: Some(format!("/Properties/P{at}")),
            recreation: Recreation::Never,
            before: None,
            after: Some((*after).to_owned()),
            evaluation: None,
            source: None,
            causing_entity: None,
            drift: Some(PropertyDrift {
                previous: Some("30".to_owned()),
                actual: Some("90".to_owned()),
                detected: None,
                before_from: None,
                only_recorded: false,
            }),
        });
        ResourceChange {
            details: details.collect(),
            drift: Some(ResourceDrift {
                status: Some(status),
                ignored: Vec::new(),
            }),
            ..change("R", of, action, replacement)
        }
    }

    fn found(change: &ResourceChange) -> Option<(RiskLevel, String)> {
        check(&Subject::of(
            change,
            &crate::diff::declared::Templates::default(),
        ))
    }

    #[test]
    fn what_is_overwritten_is_counted() {
        let (modify, no) = (ChangeAction::Modify, Replacement::No);
        for (afters, said) in [
            (&["30"][..], "overwrites a property"),
            (&["60", "30", "90"], "overwrites 2 properties"),
            (&[], "which of it is overwritten is not said"),
        ] {
            let change = drifted(TOPIC, modify, no, DriftStatus::Modified, afters);
            let (level, message) = found(&change).unwrap();
            assert_eq!(level, RiskLevel::Medium);
            assert!(message.contains(said), "{message}");
        }
    }

    #[test]
    fn what_was_deleted_or_loses_its_data_is_a_high_risk() {
        let (modified, deleted) = (DriftStatus::Modified, DriftStatus::Deleted);
        for (of, action, replacement, status, said) in [
            (
                TOPIC,
                ChangeAction::Add,
                Replacement::No,
                deleted,
                "made again",
            ),
            (
                TABLE,
                ChangeAction::Modify,
                Replacement::No,
                deleted,
                "the data it held",
            ),
            (
                TABLE,
                ChangeAction::Modify,
                Replacement::Will,
                modified,
                "overwrites a property",
            ),
            (
                TABLE,
                ChangeAction::Modify,
                Replacement::May,
                modified,
                "overwrites a property",
            ),
        ] {
            let change = drifted(of, action, replacement, status, &["30"]);
            let (level, message) = found(&change).unwrap();
            assert_eq!(level, RiskLevel::High, "{message}");
            assert!(message.contains(said), "{message}");
        }
        let replaced = drifted(
            TOPIC,
            ChangeAction::Modify,
            Replacement::Will,
            modified,
            &["30"],
        );
        assert_eq!(found(&replaced).unwrap().0, RiskLevel::Medium);
        let table = drifted(
            TABLE,
            ChangeAction::Modify,
            Replacement::No,
            modified,
            &["30"],
        );
        assert_eq!(found(&table).unwrap().0, RiskLevel::Medium);
    }

    #[test]
    fn where_nothing_is_overwritten_nothing_is_said() {
        let (modify, no) = (ChangeAction::Modify, Replacement::No);
        let modified = DriftStatus::Modified;
        for change in [
            drifted(TOPIC, ChangeAction::Remove, no, modified, &["30"]),
            drifted(TOPIC, ChangeAction::SyncWithActual, no, modified, &["30"]),
            drifted(TOPIC, modify, no, modified, &["90"]),
            drifted(TOPIC, modify, no, DriftStatus::InSync, &[]),
            drifted(TOPIC, modify, no, DriftStatus::NotChecked, &[]),
            change("R", TOPIC, modify, no),
        ] {
            assert_eq!(found(&change), None, "{change:?}");
        }
    }

    #[test]
    fn the_level_of_a_finding_is_its_own() {
        let (add, no) = (ChangeAction::Add, Replacement::No);
        let change = drifted(TOPIC, add, no, DriftStatus::Deleted, &[]);
        let risks = risks(&[change], None, None);
        assert_eq!(risks[0].rule, "drift_overwritten");
        assert_eq!(risks[0].level, RiskLevel::High);
    }
}
