//! A resource is removed, without loss of data.

use super::{Check, Fate, Rule, Subject};
use crate::model::RiskLevel;

pub(super) const RULE: Rule = Rule {
    name: "removal",
    level: RiskLevel::Medium,
    explanation: "A resource leaves the stack without loss of data: it holds none, or it is kept outside the stack or as a snapshot.",
    check: Check::Resource(check),
};

fn check(subject: &Subject<'_>) -> Option<String> {
    if !subject.is_removed() {
        return None;
    }
    let message = match (subject.is_stateful(), subject.fate_when_removed()) {
        // The rule `stateful_removal` tells of it.
        (true, Fate::Deleted) => return None,
        (false, Fate::Deleted) => "deleted",
        (_, Fate::Kept) => "leaves the stack; it is kept outside the stack",
        (_, Fate::Snapshot) => "deleted after a snapshot",
    };
    Some(message.to_owned())
}
