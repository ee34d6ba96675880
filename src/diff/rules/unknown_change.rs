//! What a nested stack will do is not known before execution.

use super::{Rule, Subject};
use crate::model::{ChangeAction, RiskLevel};

pub(super) const RULE: Rule = Rule {
    name: "unknown_change",
    check,
};

fn check(subject: &Subject<'_>) -> Option<(RiskLevel, String)> {
    (subject.change.action == ChangeAction::Dynamic).then(|| {
        let message = "what changes in the nested stack is not known before execution";
        (RiskLevel::Medium, message.to_owned())
    })
}
