//! Somebody is given everything in a service, or the rights of others.

use super::{Check, Rule, Subject};
use crate::diff::iam::{Reach, some};
use crate::model::{RiskLevel, clean};

pub(super) const RULE: Rule = Rule {
    name: "iam_wide_access",
    level: RiskLevel::Medium,
    explanation: "A role, user, group or policy is given everything in a service that holds no data (`lambda:*`), or may take on \
                  the rights of any role (`iam:PassRole`, `sts:AssumeRole`), on every resource. What is limited by a condition, such \
                  as `iam:PassedToService`, is no such right.",
    check: Check::Resource(check),
};

fn check(subject: &Subject<'_>) -> Option<String> {
    let powers = subject.powers().iter();
    let given: Vec<String> = powers
        .filter(|power| power.reach == Reach::Wide)
        .map(|power| clean(&power.what))
        .collect();
    (!given.is_empty()).then(|| format!("is given {}", some(&given, ", ")))
}

#[cfg(test)]
mod tests {
    use super::super::tests::fired;
    use serde_json::{Value, json};

    #[test]
    fn wide_rights_are_found_unless_a_condition_limits_them() {
        let found = |action: &str, condition: Value| {
            let policy = json!({"PolicyDocument": {"Statement": {"Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition}}});
            fired(
                "iam_wide_access",
                "AWS::IAM::RolePolicy",
                None,
                Some(policy),
            )
        };
        for action in ["lambda:*", "iam:PassRole", "sts:AssumeRole"] {
            let wanted = format!("is given {action} on *");
            assert_eq!(found(action, json!({})), Some(wanted));
        }
        assert_eq!(found("s3:*", json!({})), None);
        assert_eq!(found("iam:GetRole", json!({})), None);
        let limited = json!({"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}});
        assert_eq!(found("iam:PassRole", limited), None);
    }
}
