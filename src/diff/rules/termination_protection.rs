//! The stack itself is protected from deletion no longer.

use super::{Check, Rule};
use crate::model::{RiskLevel, TargetInputs};

pub(super) const RULE: Rule = Rule {
    name: "termination_protection",
    level: RiskLevel::Medium,
    explanation: "The termination protection of the stack is turned off, so that the whole stack can be deleted by one call. It is \
                  found whether the stack was protected before or not.",
    check: Check::Stack(check),
};

fn check(inputs: &TargetInputs) -> Option<String> {
    let is_off = inputs.options.termination_protection == Some(false);
    is_off.then(|| "the stack can be deleted from now on: termination protection is off".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_turning_it_off_is_found() {
        let mut inputs: TargetInputs = serde_json::from_value(serde_json::json!({
            "template": {"artifact": "Source", "path": "t.yaml"},
            "template_digest": crate::model::Digest::of(b""),
            "parameters": [],
        }))
        .unwrap();
        for (asked, found) in [(None, false), (Some(true), false), (Some(false), true)] {
            inputs.options.termination_protection = asked;
            assert_eq!(check(&inputs).is_some(), found, "{asked:?}");
        }
    }
}
