//! What the program must be allowed, stage by stage, as IAM policies.

use serde_json::{Value, json};

/// What each stage calls at a target. A test compares it with the calls that `aws` makes.
const STAGES: [(&str, &[&str]); 5] = [
    (
        "StackgatePlan",
        &[
            "CreateChangeSet",
            "DeleteChangeSet",
            // Only of a stack that nothing but the program's own change set made.
            "DeleteStack",
            "DescribeChangeSet",
            "DescribeEvents",
            "DescribeStackEvents",
            "DescribeStacks",
            // Where a stack policy is to be set, to see whether it differs.
            "GetStackPolicy",
            "GetTemplate",
            "ListChangeSets",
            "TagResource",
        ],
    ),
    (
        "StackgateExecute",
        &[
            "DescribeChangeSet",
            "DescribeStackEvents",
            "DescribeStackResource",
            "DescribeStacks",
            "ExecuteChangeSet",
            "GetStackPolicy",
            "SetStackPolicy",
            "UpdateTerminationProtection",
        ],
    ),
    (
        "StackgateDelete",
        &[
            "DeleteStack",
            "DescribeStackEvents",
            "DescribeStacks",
            "GetTemplate",
            "ListStackResources",
        ],
    ),
    (
        "StackgateRecover",
        &[
            "CancelUpdateStack",
            "ContinueUpdateRollback",
            "DescribeStackEvents",
            "DescribeStacks",
            "ListStackResources",
            "RollbackStack",
        ],
    ),
    (
        "StackgateDrift",
        &[
            "DescribeStackResourceDrifts",
            "DescribeStacks",
            "DetectStackDrift",
            // What the detection itself calls for each resource it reads.
            "DetectStackResourceDrift",
            "GetTemplate",
        ],
    ),
];

/// Calls that IAM allows for all resources or for none.
const UNBOUND: [&str; 2] = ["DescribeStackDriftDetectionStatus", "ListImports"];

/// Calls for values of parameters that override files look up; without such files, the statement can go.
const LOOK_UPS: [(&str, &str); 3] = [
    ("cloudformation", "DescribeStacks"),
    ("cloudformation", "ListExports"),
    ("ssm", "GetParameter"),
];

/// What looks at the alarms that a wave names; without such waves, the statement can go.
const ALARMS: (&str, &str) = ("cloudwatch", "DescribeAlarms");

/// Calls that find the accounts of organizational units, and their tags.
pub(super) const ORGANIZATION: [&str; 5] = [
    "DescribeAccount",
    "DescribeOrganization",
    "ListAccountsForParent",
    "ListOrganizationalUnitsForParent",
    "ListTagsForResource",
];

/// Returns the policy of whoever acts at a target: the assumed role, or the caller in its own account.
///
/// CloudFormation reads nested templates and code from `buckets` with these permissions, or with those of the role that
/// is passed to it.
pub(super) fn at_target(
    stack: Option<&str>,
    partition: &str,
    pass: Option<&str>,
    buckets: &[String],
) -> Value {
    // Nested stacks have the name of their root in front.
    let resource = stack.map_or_else(
        || "*".to_owned(),
        |stack| format!("arn:{partition}:cloudformation:*:*:stack/{stack}*/*"),
    );
    let mut statements: Vec<Value> = STAGES
        .iter()
        .map(|(stage, calls)| statement(stage, calls, &resource))
        .collect();
    statements.push(statement("StackgateLooksAnywhere", &UNBOUND, "*"));
    statements.push(json!({
        "Sid": "StackgateLooksParametersUp",
        "Effect": "Allow",
        "Action": LOOK_UPS.map(|(service, call)| format!("{service}:{call}")),
        "Resource": "*",
    }));
    let (service, call) = ALARMS;
    statements.push(json!({
        "Sid": "StackgateLooksAtAlarms",
        "Effect": "Allow",
        "Action": format!("{service}:{call}"),
        "Resource": "*",
    }));
    if let Some(role) = pass {
        statements.push(json!({
            "Sid": "StackgatePassRole",
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": role,
            "Condition": {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}},
        }));
    }
    if !buckets.is_empty() {
        statements.push(json!({
            "Sid": "StackgateReadsWhatIsPackaged",
            "Effect": "Allow",
            // The version, too, where the template names one.
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": arns(buckets, partition, "/stackgate/*"),
        }));
    }
    policy(&statements)
}

fn arns(buckets: &[String], partition: &str, under: &str) -> Vec<String> {
    let arn = |bucket| format!("arn:{partition}:s3:::{bucket}{under}");
    buckets.iter().map(arn).collect()
}

/// Returns the policy of a role that reads the organization.
pub(super) fn of_organization() -> Value {
    policy(&[reads_organization()])
}

fn reads_organization() -> Value {
    json!({
        "Sid": "StackgateReadsOrganization",
        "Effect": "Allow",
        "Action": ORGANIZATION.map(|call| format!("organizations:{call}")),
        "Resource": "*",
    })
}

/// Returns the policy of the caller that assumes `roles`, puts large templates and what is packaged into `buckets`, and
/// may have to look accounts up in the organization; none is needed without any.
pub(super) fn of_caller(
    roles: &[String],
    buckets: &[String],
    partition: &str,
    in_organization: bool,
) -> Option<Value> {
    let mut statements = Vec::new();
    if !roles.is_empty() {
        statements.push(json!({
            "Sid": "StackgateAssumeRole",
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Resource": roles,
        }));
    }
    if !buckets.is_empty() {
        statements.push(json!({
            "Sid": "StackgateTemplates",
            "Effect": "Allow",
            // CloudFormation reads by a URL that the caller signed, so with the caller's permissions; and the caller looks
            // whether what is packaged is there already.
            "Action": ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
            "Resource": arns(buckets, partition, "/stackgate/*"),
        }));
        statements.push(json!({
            "Sid": "StackgateDoctorLooksAtBuckets",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": arns(buckets, partition, ""),
        }));
    }
    if in_organization {
        statements.push(reads_organization());
    }
    (!statements.is_empty()).then(|| policy(&statements))
}

fn statement(sid: &str, calls: &[&str], resource: &str) -> Value {
    let actions: Vec<String> = calls
        .iter()
        .map(|c| format!("cloudformation:{c}"))
        .collect();
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource})
}

fn policy(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the names of the calls that `aws` makes.
    fn calls() -> Vec<String> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/aws");
        let mut calls = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "rs") {
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            let live = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            for way in ["Call::read(", "Call::once(", "Call::repeatable("] {
                for rest in live.split(way).skip(1) {
                    if let Some(name) = rest.trim_start().strip_prefix('"') {
                        calls.push(name.split('"').next().unwrap().to_owned());
                    }
                }
            }
        }
        calls
    }

    #[test]
    fn every_call_is_in_a_policy() {
        let calls = calls();
        assert!(calls.len() > 10, "{calls:?}");
        let allowed: Vec<&str> = STAGES
            .iter()
            .flat_map(|(_, calls)| calls.iter().copied())
            .chain(UNBOUND)
            .chain(LOOK_UPS.map(|(_, call)| call))
            .chain([ALARMS.1])
            .chain(ORGANIZATION)
            // No deployment makes them: `validate --online` does, and names them where it is denied.
            .chain(["GetTemplateSummary", "ValidateTemplate"])
            .collect();
        for call in calls {
            assert!(allowed.contains(&call.as_str()), "{call} is in no policy");
        }
    }

    #[test]
    fn the_policies_are_pinned() {
        let role = "arn:aws:iam::222222222222:role/Deploy".to_owned();
        insta::assert_json_snapshot!([
            at_target(
                Some("orders"),
                "aws",
                Some(&role),
                &["templates".to_owned()]
            ),
            of_caller(&[role], &["templates".to_owned()], "aws", true).unwrap(),
        ]);
        assert_eq!(of_caller(&[], &[], "aws", false), None);
    }
}
