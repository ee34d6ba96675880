//! A resource that holds data is replaced, and nothing keeps the old one.

use super::{Check, Fate, Rule, Subject};
use crate::model::{Replacement, RiskLevel};

pub(super) const RULE: Rule = Rule {
    name: "stateful_replacement",
    level: RiskLevel::High,
    explanation: "A resource that holds data is replaced by a new, empty one, and nothing keeps the old one: its data is lost. `UpdateReplacePolicy: Retain` (or `Snapshot`, where the type has it) keeps it.",
    check: Check::Resource(check),
};

fn check(subject: &Subject<'_>) -> Option<String> {
    let is_lost = subject.is_stateful()
        && subject.replacement() == Replacement::Will
        && subject.fate_when_replaced() == Fate::Deleted;
    is_lost.then(|| loss(subject))
}

/// Returns why the data is lost.
pub(super) fn loss(subject: &Subject<'_>) -> String {
    if subject.is_policy_unknown(subject.new.or(subject.old)) {
        "data loss: no UpdateReplacePolicy is known".to_owned()
    } else {
        "data loss: UpdateReplacePolicy is not Retain".to_owned()
    }
}
