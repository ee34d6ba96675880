//! A resource is replaced, without loss of data.

use super::{Check, Fate, Rule, Subject};
use crate::model::{Replacement, RiskLevel};

pub(super) const RULE: Rule = Rule {
    name: "replacement",
    level: RiskLevel::Medium,
    explanation: "A resource is replaced without loss of data: it holds none, or the old one is kept. Physical ids, addresses and ARNs change.",
    check: Check::Resource(check),
};

fn check(subject: &Subject<'_>) -> Option<String> {
    if subject.replacement() != Replacement::Will {
        return None;
    }
    let message = match (subject.is_stateful(), subject.fate_when_replaced()) {
        // The rule `stateful_replacement` tells of it.
        (true, Fate::Deleted) => return None,
        (true, Fate::Kept) => {
            "replaced by a new, empty resource; the old one is kept outside the stack"
        }
        (true, Fate::Snapshot) => {
            "replaced by a new, empty resource; the old one is deleted after a snapshot"
        }
        (false, Fate::Deleted) => "replaced by a new resource",
        (false, Fate::Kept) => "replaced by a new resource; the old one is kept outside the stack",
        (false, Fate::Snapshot) => {
            "replaced by a new resource; the old one is deleted after a snapshot"
        }
    };
    Some(message.to_owned())
}
