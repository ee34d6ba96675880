//! What a nested stack will do is not known before execution.

use super::{Check, Rule, Subject};
use crate::model::{ChangeAction, RiskLevel};

pub(super) const RULE: Rule = Rule {
    name: "unknown_change",
    level: RiskLevel::Medium,
    explanation: "A nested stack changes, and its own change set does not exist, so that what changes inside it is known only at execution.",
    check: Check::Resource(check),
};

fn check(subject: &Subject<'_>) -> Option<String> {
    (subject.change.action == ChangeAction::Dynamic).then(|| {
        let message = "what changes in the nested stack is not known before execution";
        message.to_owned()
    })
}
