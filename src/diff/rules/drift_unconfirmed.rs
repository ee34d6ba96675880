//! A drift-aware change set was asked for, and is perhaps an ordinary one.

use super::{Check, Rule};
use crate::model::{RiskLevel, SetDrift};

pub(super) const RULE: Rule = Rule {
    name: "drift_unconfirmed",
    level: RiskLevel::High,
    explanation: "`--revert-drift` was asked for, and the endpoint did not confirm that the change set is a drift-aware one: what was changed \
                  outside CloudFormation is not shown, and may be overwritten or stay.",
    check: Check::Target(|target| check(target.drift)),
};

fn check(drift: Option<SetDrift>) -> Option<String> {
    let is_unconfirmed = drift.is_some_and(|drift| !drift.is_confirmed);
    is_unconfirmed
        .then(|| "drift is perhaps not looked at: the endpoint did not confirm it".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_and_not_confirmed_is_found() {
        let said = |is_confirmed| {
            Some(SetDrift {
                is_confirmed,
                stack: None,
            })
        };
        for (drift, found) in [(None, false), (said(true), false), (said(false), true)] {
            assert_eq!(check(drift).is_some(), found, "{drift:?}");
        }
    }
}
