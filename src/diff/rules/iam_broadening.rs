//! Somebody may do more than before.

use super::{Check, Rule, Subject};
use crate::diff::iam::some;
use crate::model::{ChangeAction, RiskLevel, clean};

pub(super) const RULE: Rule = Rule {
    name: "iam_broadening",
    level: RiskLevel::Medium,
    explanation: "A policy that exists allows more than before: a statement is added, its actions, resources or principals \
                  grow, a condition or a Deny goes, a managed policy is attached, or a permissions boundary is lifted. A \
                  narrower or equal policy is not found.",
    check: Check::Resource(check),
};

fn check(subject: &Subject<'_>) -> Option<String> {
    // What is new has nothing to be broader than; `iam_change` tells of it.
    if subject.change.action != ChangeAction::Modify {
        return None;
    }
    let wider: Vec<String> = subject
        .permissions()
        .iter()
        .filter(|one| one.is_wider)
        .map(|one| format!("{} {}", one.kind.as_str(), clean(&one.what)))
        .collect();
    (!wider.is_empty()).then(|| format!("allows more: {}", some(&wider, "; ")))
}

#[cfg(test)]
mod tests {
    use super::super::tests::fired;
    use serde_json::json;

    #[test]
    fn only_what_allows_more_is_found() {
        let allow = |action: &str, resource: &str| {
            json!({"PolicyDocument": {"Statement": [
                {"Sid": "Read", "Effect": "Allow", "Action": action, "Resource": resource}
            ]}})
        };
        let of = "AWS::IAM::Policy";
        let found = |old, new| fired("iam_broadening", of, Some(old), Some(new));
        assert_eq!(
            found(allow("s3:GetObject", "a"), allow("s3:*", "a")).unwrap(),
            "allows more: broadened PolicyDocument Read: action + s3:*"
        );
        assert_eq!(found(allow("s3:*", "a"), allow("s3:GetObject", "a")), None);
        assert_eq!(found(allow("s3:*", "a"), allow("s3:*", "a")), None);
        assert_eq!(
            fired("iam_broadening", of, None, Some(allow("*", "*"))),
            None
        );
    }
}
