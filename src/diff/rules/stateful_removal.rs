//! A resource that holds data is removed, and nothing keeps it.

use super::{Check, Fate, Rule, Subject};
use crate::model::RiskLevel;

pub(super) const RULE: Rule = Rule {
    name: "stateful_removal",
    level: RiskLevel::High,
    explanation: "A resource that holds data is deleted, and neither `DeletionPolicy: Retain` nor a snapshot keeps its data. The policy of the template that the stack has now counts.",
    check: Check::Resource(check),
};

fn check(subject: &Subject<'_>) -> Option<String> {
    let is_lost = subject.is_stateful()
        && subject.is_removed()
        && subject.fate_when_removed() == Fate::Deleted;
    is_lost.then(|| {
        let message = if subject.is_policy_unknown(subject.old) {
            "data loss: no DeletionPolicy is known"
        } else {
            "data loss: DeletionPolicy is not Retain"
        };
        message.to_owned()
    })
}
