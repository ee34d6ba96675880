//! A resource that holds data is removed, and nothing keeps it.

use super::{Fate, Rule, Subject};
use crate::model::RiskLevel;

pub(super) const RULE: Rule = Rule {
    name: "stateful_removal",
    check,
};

fn check(subject: &Subject<'_>) -> Option<(RiskLevel, String)> {
    let is_lost = subject.is_stateful()
        && subject.is_removed()
        && subject.fate_when_removed() == Fate::Deleted;
    is_lost.then(|| {
        let message = if subject.is_policy_unknown(subject.old) {
            "data loss: no DeletionPolicy is known"
        } else {
            "data loss: DeletionPolicy is not Retain"
        };
        (RiskLevel::High, message.to_owned())
    })
}
