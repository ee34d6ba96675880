//! A resource is removed, without loss of data.

use super::{Fate, Rule, Subject};
use crate::model::RiskLevel;

pub(super) const RULE: Rule = Rule {
    name: "removal",
    check,
};

fn check(subject: &Subject<'_>) -> Option<(RiskLevel, String)> {
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
    Some((RiskLevel::Medium, message.to_owned()))
}
