//! Somebody is given the rights of an administrator, or all data of a service.

use super::{Check, Rule, Subject};
use crate::diff::iam::{Reach, some};
use crate::model::{RiskLevel, clean};

pub(super) const RULE: Rule = Rule {
    name: "iam_full_access",
    level: RiskLevel::High,
    explanation: "A role, user, group or policy is given as much as an administrator (`*`, `iam:*`, actions with which it gives \
                  itself everything, such as `iam:AttachRolePolicy`, or a managed policy such as `AdministratorAccess`), or everything \
                  in a service that holds data or keys (`s3:*`, `kms:*`), on every resource. Whoever gets hold of it has all of that.",
    check: Check::Resource(check),
};

fn check(subject: &Subject<'_>) -> Option<String> {
    let given = |reach: Reach| {
        let powers = subject.powers().iter();
        let powers = powers.filter(|power| power.reach == reach);
        powers.map(|power| clean(&power.what)).collect::<Vec<_>>()
    };
    let found: Vec<String> = [
        (Reach::Administrator, "the rights of an administrator"),
        (Reach::Data, "all data of a service"),
    ]
    .into_iter()
    .filter_map(|(reach, words)| {
        let given = given(reach);
        (!given.is_empty()).then(|| format!("{words}: {}", some(&given, ", ")))
    })
    .collect();
    (!found.is_empty()).then(|| format!("is given {}", found.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::super::tests::fired;
    use serde_json::json;

    #[test]
    fn administrators_and_all_data_are_found_where_they_are_new() {
        let of = "AWS::IAM::Policy";
        let policy = |actions: &[&str], resource: &str| json!({"PolicyDocument": {"Statement": {"Effect": "Allow", "Action": actions, "Resource": resource}}});
        let found = |old: Option<&[&str]>, new: &[&str], resource: &str| {
            let old = old.map(|actions| policy(actions, resource));
            fired("iam_full_access", of, old, Some(policy(new, resource)))
        };
        assert_eq!(
            found(None, &["iam:*", "s3:*", "sns:*"], "*").unwrap(),
            "is given the rights of an administrator: iam:* on *; all data of a service: s3:* on *"
        );
        assert!(found(Some(&["s3:Get*"]), &["s3:*"], "*").is_some());
        assert_eq!(found(Some(&["s3:*"]), &["s3:*"], "*"), None);
        assert_eq!(found(None, &["s3:*"], "arn:aws:s3:::bucket/*"), None);
        assert_eq!(found(None, &["sns:*", "iam:PassRole"], "*"), None);
    }
}
