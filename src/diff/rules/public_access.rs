//! Anybody gets at a resource, who could not before.

use serde_json::Value;

use super::{Check, Rule, Subject};
use crate::diff::declared::{Sides, is_false, is_true};
use crate::diff::iam::Openness;
use crate::model::{RiskLevel, clean};

pub(super) const RULE: Rule = Rule {
    name: "public_access",
    level: RiskLevel::High,
    explanation: "A resource becomes public: a policy allows the principal `*` without a condition that limits who, a bucket \
                  gets a public ACL or loses a public access block, a database or cluster gets a public address, or a function \
                  a URL without authentication. As for AWS itself, fixed accounts, organizations, principals, ARNs, VPCs and \
                  addresses limit who; `aws:SecureTransport` and the like do not, nor do wildcards, `IfExists` and negations.",
    check: Check::Resource(check),
};

/// The flags of a bucket's or access point's public access block.
const BLOCKS: [&str; 4] = [
    "BlockPublicAcls",
    "BlockPublicPolicy",
    "IgnorePublicAcls",
    "RestrictPublicBuckets",
];

fn check(subject: &Subject<'_>) -> Option<String> {
    let sides = &subject.sides;
    let of = subject.change.resource_type.as_str();
    let mut found = Vec::new();
    if of.starts_with("AWS::S3::") {
        bucket(sides, &mut found);
    }
    if is_true(sides.is("PubliclyAccessible")) && !is_true(sides.was("PubliclyAccessible")) {
        found.push("is reachable from the internet: PubliclyAccessible".to_owned());
    }
    let is_open = |auth: Option<&Value>| auth.is_some_and(|auth| auth == "NONE");
    if of == "AWS::Lambda::Url" && is_open(sides.is("AuthType")) && !is_open(sides.was("AuthType"))
    {
        found.push("anybody may call its URL: AuthType NONE".to_owned());
    }
    let permissions = subject.permissions().iter();
    for one in permissions.filter(|one| one.openness == Openness::Open) {
        found.push(format!("anybody is allowed: {}", clean(&one.what)));
    }
    (!found.is_empty()).then(|| found.join("; "))
}

fn bucket(sides: &Sides<'_>, found: &mut Vec<String>) {
    let public = |acl: Option<&Value>| {
        let acl = acl.and_then(Value::as_str)?;
        matches!(acl, "PublicRead" | "PublicReadWrite").then(|| acl.to_owned())
    };
    if let Some(acl) = public(sides.is("AccessControl"))
        && public(sides.was("AccessControl")) != Some(acl.clone())
    {
        found.push(format!("its ACL is {acl}"));
    }
    let block = "PublicAccessBlockConfiguration";
    // Without the property the service blocks new buckets by itself, yet a block that goes is lifted.
    let lifted: Vec<&str> = BLOCKS
        .into_iter()
        .filter(|flag| {
            let old = sides.was(block).and_then(|block| block.get(flag));
            let new = sides.is(block).and_then(|block| block.get(flag));
            let was_lifted = is_false(old);
            match (is_true(old), is_true(new)) {
                (true, false) => sides.after.is_some(),
                (false, _) => is_false(new) && !was_lifted,
                (true, true) => false,
            }
        })
        .collect();
    if !lifted.is_empty() {
        found.push(format!(
            "public access is not blocked: {}",
            lifted.join(", ")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::fired;
    use serde_json::{Value, json};

    fn found(of: &str, old: Option<Value>, new: Value) -> Option<String> {
        fired("public_access", of, old, Some(new))
    }

    #[test]
    fn what_becomes_public_is_found() {
        let bucket = "AWS::S3::Bucket";
        let block =
            |flag: bool| json!({"PublicAccessBlockConfiguration": {"BlockPublicPolicy": flag}});
        let lifted = "public access is not blocked: BlockPublicPolicy";
        let policy = |principal: Value, condition: Value| {
            json!({"PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*",
                "Principal": principal, "Condition": condition}]}})
        };
        let anybody = "anybody is allowed: PolicyDocument: Allow s3:GetObject on * to *";
        let public = json!({"PubliclyAccessible": "true"});
        let reachable = "is reachable from the internet: PubliclyAccessible";
        for (of, old, new, wanted) in [
            (bucket, Some(block(true)), json!({}), Some(lifted)),
            (bucket, Some(block(true)), block(false), Some(lifted)),
            (bucket, None, block(false), Some(lifted)),
            (bucket, None, json!({}), None),
            (
                bucket,
                Some(json!({})),
                json!({"AccessControl": "PublicRead"}),
                Some("its ACL is PublicRead"),
            ),
            (
                bucket,
                Some(json!({})),
                json!({"AccessControl": "Private"}),
                None,
            ),
            (bucket, Some(block(false)), block(true), None),
            (
                "AWS::RDS::DBInstance",
                Some(json!({})),
                public.clone(),
                Some(reachable),
            ),
            ("AWS::RDS::DBInstance", Some(public.clone()), public, None),
            (
                "AWS::Lambda::Url",
                None,
                json!({"AuthType": "NONE"}),
                Some("anybody may call its URL: AuthType NONE"),
            ),
            (
                "AWS::Lambda::Url",
                None,
                json!({"AuthType": "AWS_IAM"}),
                None,
            ),
            (
                "AWS::S3::BucketPolicy",
                None,
                policy(json!({"AWS": "*"}), json!({})),
                Some(anybody),
            ),
            (
                "AWS::S3::BucketPolicy",
                None,
                policy(
                    json!("*"),
                    json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}}),
                ),
                None,
            ),
            (
                "AWS::S3::BucketPolicy",
                None,
                policy(json!("*"), json!({"Bool": {"aws:SecureTransport": "true"}})),
                Some(
                    "anybody is allowed: PolicyDocument: Allow s3:GetObject on * to *, on a condition",
                ),
            ),
            (
                "AWS::S3::BucketPolicy",
                None,
                policy(json!({"AWS": "111111111111"}), json!({})),
                None,
            ),
            (
                "AWS::Lambda::Permission",
                None,
                json!({"Principal": "*", "Action": "lambda:InvokeFunction", "FunctionName": "f"}),
                Some("anybody is allowed: permission: Allow lambda:InvokeFunction on f to *"),
            ),
            (
                "AWS::Lambda::Permission",
                None,
                json!({"Principal": "*", "Action": "lambda:InvokeFunction", "FunctionName": "f", "SourceAccount": "1"}),
                None,
            ),
            (
                "AWS::Lambda::Permission",
                None,
                json!({"Principal": "*", "Action": "lambda:InvokeFunctionUrl", "FunctionName": "f", "FunctionUrlAuthType": "NONE"}),
                Some(
                    "anybody is allowed: permission: Allow lambda:InvokeFunctionUrl on f to *, on a condition",
                ),
            ),
        ] {
            assert_eq!(found(of, old, new.clone()).as_deref(), wanted, "{of} {new}");
        }
    }
}
