//! A resource that holds data may be replaced: a value that decides it is known only at execution.

use super::stateful_replacement::loss;
use super::{Check, Fate, Rule, Subject};
use crate::model::{Replacement, RiskLevel};

pub(super) const RULE: Rule = Rule {
    name: "stateful_may_replace",
    level: RiskLevel::Medium,
    explanation: "A resource that holds data may be replaced: a value that decides it is known only at execution.",
    check: Check::Resource(check),
};

fn check(subject: &Subject<'_>) -> Option<String> {
    if !subject.is_stateful() || subject.replacement() != Replacement::May {
        return None;
    }
    let message = match subject.fate_when_replaced() {
        Fate::Deleted => format!("may be replaced, with {}", loss(subject)),
        Fate::Kept => "may be replaced; the old one is kept outside the stack".to_owned(),
        Fate::Snapshot => "may be replaced; the old one is deleted after a snapshot".to_owned(),
    };
    Some(message)
}
