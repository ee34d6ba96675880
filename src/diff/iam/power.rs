//! What a policy gives that is more than a task needs: everything, or everything of a service.

use serde_json::Value;

use super::pattern::covers;
use super::statement::{Effect, Names, Statement};

/// How far a power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::diff) enum Reach {
    /// All that a service can do, or a step towards the rights of others.
    Wide,
    /// All data of a service.
    Data,
    /// As much as an administrator, now or after one more call.
    Administrator,
}

/// Something that a policy allows on every resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::diff) struct Power {
    pub reach: Reach,
    /// What it is, such as `s3:* on *`.
    pub what: String,
}

/// Services in which whoever may do everything may give himself everything else.
const ADMINISTRATION: [&str; 3] = ["iam", "organizations", "sso"];

/// Actions with which whoever may do them on everything gives himself everything else.
const SEIZING: [&str; 15] = [
    "iam:AddUserToGroup",
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:CreatePolicyVersion",
    "iam:DeleteRolePermissionsBoundary",
    "iam:PutGroupPolicy",
    "iam:PutRolePolicy",
    "iam:PutUserPolicy",
    "iam:SetDefaultPolicyVersion",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateLoginProfile",
    "sso:AttachManagedPolicyToPermissionSet",
];

/// Actions with which whoever may do them on everything acts with the rights of others.
const BORROWING: [&str; 3] = ["iam:PassRole", "sts:AssumeRole", "sts:GetFederationToken"];

/// Services that hold data, or the keys to it.
const DATA: [&str; 34] = [
    "aoss",
    "backup",
    "cassandra",
    "codecommit",
    "cognito-idp",
    "dax",
    "docdb-elastic",
    "dsql",
    "dynamodb",
    "ebs",
    "ec2",
    "ecr",
    "elasticache",
    "elasticfilesystem",
    "es",
    "fsx",
    "glacier",
    "kinesis",
    "kms",
    "memorydb",
    "neptune-db",
    "rds",
    "rds-data",
    "rds-db",
    "redshift",
    "redshift-data",
    "redshift-serverless",
    "s3",
    "s3-object-lambda",
    "s3express",
    "s3tables",
    "secretsmanager",
    "sqs",
    "ssm",
];

/// Kinds of resources in ARNs such as `arn:aws:iam::111111111111:role/*`, which are all there are.
const KINDS: [&str; 16] = [
    "cluster",
    "db",
    "domain",
    "file-system",
    "function",
    "group",
    "instance",
    "key",
    "parameter",
    "policy",
    "repository",
    "role",
    "secret",
    "stream",
    "table",
    "user",
];

/// Managed policies of AWS that are no less, with what they give.
const MANAGED: [(&str, Reach); 27] = [
    ("AdministratorAccess", Reach::Administrator),
    ("AdministratorAccess-Amplify", Reach::Administrator),
    ("AdministratorAccess-AWSElasticBeanstalk", Reach::Data),
    ("AWSBackupFullAccess", Reach::Data),
    ("AWSCodeCommitFullAccess", Reach::Data),
    ("AWSOrganizationsFullAccess", Reach::Administrator),
    ("AWSSSOMasterAccountAdministrator", Reach::Administrator),
    ("AmazonCognitoPowerUser", Reach::Data),
    ("AmazonDocDBFullAccess", Reach::Data),
    ("AmazonDynamoDBFullAccess", Reach::Data),
    ("AmazonDynamoDBFullAccess_v2", Reach::Data),
    ("AmazonEC2ContainerRegistryFullAccess", Reach::Data),
    ("AmazonEC2FullAccess", Reach::Data),
    ("AmazonElastiCacheFullAccess", Reach::Data),
    ("AmazonElasticFileSystemFullAccess", Reach::Data),
    ("AmazonFSxFullAccess", Reach::Data),
    ("AmazonKinesisFullAccess", Reach::Data),
    ("AmazonOpenSearchServiceFullAccess", Reach::Data),
    ("AmazonRDSFullAccess", Reach::Data),
    ("AmazonRedshiftFullAccess", Reach::Data),
    ("AmazonS3FullAccess", Reach::Data),
    ("AmazonSQSFullAccess", Reach::Data),
    ("AmazonSSMFullAccess", Reach::Data),
    ("DatabaseAdministrator", Reach::Data),
    ("IAMFullAccess", Reach::Administrator),
    ("PowerUserAccess", Reach::Data),
    ("SecretsManagerReadWrite", Reach::Data),
];

/// Returns what a statement of an identity's policy gives on every resource, the worst of it first.
pub(super) fn powers(statement: &Statement) -> Vec<Power> {
    // Whoever has a principal written beside it is the policy of one resource, whose `*` is that resource.
    let is_of_identity = matches!(&statement.principals, Names::Only(names) if names.is_empty());
    if !is_of_identity || statement.effect == Effect::Deny {
        return Vec::new();
    }
    let resources = match &statement.resources {
        Names::Only(names) => match names.iter().find(|name| is_everything(name)) {
            Some(name) => name.clone(),
            None => return Vec::new(),
        },
        Names::AllBut(_) => statement.resources.text(),
    };
    let has_condition = statement.condition.is_some();
    let mut found = match &statement.actions {
        Names::AllBut(names) => all_but(names, &statement.actions.text(), has_condition),
        Names::Only(names) => {
            let powers = names.iter().filter_map(|name| {
                let reach = reach(&name.to_lowercase(), has_condition)?;
                let what = name.clone();
                Some(Power { reach, what })
            });
            powers.collect()
        }
    };
    for power in &mut found {
        power.what = format!("{} on {resources}", power.what);
    }
    found
}

/// All actions but some: what is left of a service is all of it, or enough.
fn all_but(names: &[String], text: &str, has_condition: bool) -> Vec<Power> {
    let names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let is_left = |service: &str| {
        let all = format!("{service}:*");
        !names.iter().any(|name| covers(name, &all))
    };
    let reach = if is_left("iam") {
        Reach::Administrator
    } else if DATA.iter().any(|service| is_left(service)) && !has_condition {
        Reach::Data
    } else {
        Reach::Wide
    };
    vec![Power {
        reach,
        what: text.to_owned(),
    }]
}

/// Returns how far an action on everything reaches; a condition may limit to which data, and whose rights, but an
/// administrator can change his own policy.
fn reach(action: &str, has_condition: bool) -> Option<Reach> {
    let is_whole = |service: &str| covers(action, &format!("{service}:*"));
    let is_one = |one: &str| covers(action, &one.to_lowercase());
    if ADMINISTRATION.iter().any(|s| is_whole(s)) || SEIZING.iter().any(|s| is_one(s)) {
        return Some(Reach::Administrator);
    }
    if DATA.iter().any(|service| is_whole(service)) {
        return Some(if has_condition {
            Reach::Wide
        } else {
            Reach::Data
        });
    }
    let is_service = action
        .split_once(':')
        .is_some_and(|(_, name)| !name.is_empty() && name.chars().all(|c| c == '*'));
    let borrows = BORROWING.iter().any(|one| is_one(one)) && !has_condition;
    (is_service || borrows).then_some(Reach::Wide)
}

/// Returns whether a resource is every one of a service.
fn is_everything(resource: &str) -> bool {
    let is_star = |text: &str| !text.is_empty() && text.chars().all(|c| c == '*');
    if is_star(resource) {
        return true;
    }
    let parts: Vec<&str> = resource.splitn(6, ':').collect();
    match parts[..] {
        ["arn", .., last] if parts.len() < 6 => is_star(last),
        ["arn", _, _, _, _, name] => {
            is_star(name)
                || name.split_once([':', '/']).is_some_and(|(kind, rest)| {
                    (KINDS.contains(&kind) || is_star(kind)) && is_star(rest)
                })
        }
        _ => false,
    }
}

/// Returns what a managed policy of AWS gives, if it is one that gives so much.
pub(super) fn of_managed(policy: &Value) -> Option<Power> {
    // Whether the partition is filled in already, or stands there as a variable.
    let text = super::to_text(policy);
    let (_, name) = text.split_once("iam::aws:policy/")?;
    let end = name.find(['"', '}', ']']).unwrap_or(name.len());
    let name = name.get(..end)?.rsplit('/').next()?;
    let (name, reach) = MANAGED.iter().find(|(known, _)| *known == name)?;
    Some(Power {
        reach: *reach,
        what: format!("managed policy {name}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(statement: Value) -> Vec<String> {
        let statement = Statement::of(&statement).unwrap();
        let powers = powers(&statement);
        let text = |one: &Power| format!("{:?} {}", one.reach, one.what);
        powers.iter().map(text).collect()
    }

    #[test]
    fn actions_on_everything_are_told_by_how_far_they_reach() {
        for (action, wanted) in [
            ("*", Some(Reach::Administrator)),
            ("*:*", Some(Reach::Administrator)),
            ("iam:*", Some(Reach::Administrator)),
            ("IAM:*", Some(Reach::Administrator)),
            ("iam:Put*", Some(Reach::Administrator)),
            ("iam:AttachRolePolicy", Some(Reach::Administrator)),
            ("organizations:*", Some(Reach::Administrator)),
            ("s3:*", Some(Reach::Data)),
            ("s3:**", Some(Reach::Data)),
            ("s*:*", Some(Reach::Administrator)),
            ("dynamodb:*", Some(Reach::Data)),
            ("kms:*", Some(Reach::Data)),
            ("iam:PassRole", Some(Reach::Wide)),
            ("sts:AssumeRole", Some(Reach::Wide)),
            ("sts:*", Some(Reach::Wide)),
            ("lambda:*", Some(Reach::Wide)),
            ("s3:GetObject", None),
            ("s3:Get*", None),
            ("iam:GetRole", None),
            ("logs:CreateLogGroup", None),
            ("x:", None),
        ] {
            assert_eq!(reach(&action.to_lowercase(), false), wanted, "{action}");
        }
        // A condition limits what is reached, but no administrator.
        assert_eq!(reach("*", true), Some(Reach::Administrator));
        assert_eq!(reach("s3:*", true), Some(Reach::Wide));
        assert_eq!(reach("iam:passrole", true), None);
    }

    #[test]
    fn every_resource_is_told_from_some() {
        for (resource, wanted) in [
            ("*", true),
            ("**", true),
            ("arn:aws:s3:::*", true),
            ("arn:aws:s3:::*/*", true),
            ("arn:aws:iam::111111111111:role/*", true),
            ("arn:aws:secretsmanager:*:*:secret:*", true),
            ("arn:aws:sqs:*:*:*", true),
            ("arn:*", true),
            ("arn:aws:s3:::bucket/*", false),
            ("arn:aws:s3:::bucket*", false),
            ("arn:aws:dynamodb:*:*:table/Orders/*", false),
            ("arn:aws:iam::111111111111:role/app-*", false),
            ("{\"Ref\":\"Arn\"}", false),
            ("", false),
        ] {
            assert_eq!(is_everything(resource), wanted, "{resource}");
        }
    }

    #[test]
    fn only_policies_of_identities_reach_so_far() {
        let all = json!({"Effect": "Allow", "Action": ["s3:*", "sns:Publish"], "Resource": "*"});
        assert_eq!(told(all.clone()), ["Data s3:* on *"]);
        let mut of_key = all.clone();
        of_key["Principal"] = json!({"AWS": "arn:aws:iam::111111111111:root"});
        assert!(told(of_key).is_empty());
        let mut denied = all.clone();
        denied["Effect"] = json!("Deny");
        assert!(told(denied).is_empty());
        let mut some = all;
        some["Resource"] = json!("arn:aws:s3:::bucket/*");
        assert!(told(some).is_empty());
    }

    #[test]
    fn all_but_some_is_nearly_all() {
        let but = |actions: Value| {
            told(json!({"Effect": "Allow", "NotAction": actions, "Resource": "*"}))
        };
        assert_eq!(
            but(json!("s3:Get*")),
            ["Administrator all but s3:Get* on *"]
        );
        assert_eq!(but(json!("iam:*")), ["Data all but iam:* on *"]);
        assert_eq!(
            told(json!({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::a"})),
            ["Administrator * on all but arn:aws:s3:::a"]
        );
    }

    #[test]
    fn managed_policies_are_known_by_name() {
        for (policy, wanted) in [
            (
                json!("arn:aws:iam::aws:policy/AdministratorAccess"),
                Some(Reach::Administrator),
            ),
            (
                json!({"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/IAMFullAccess"}),
                Some(Reach::Administrator),
            ),
            (
                json!("arn:aws:iam::aws:policy/job-function/DatabaseAdministrator"),
                Some(Reach::Data),
            ),
            (
                json!("arn:aws:iam::aws:policy/AmazonS3FullAccess"),
                Some(Reach::Data),
            ),
            (
                json!("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"),
                None,
            ),
            (
                json!("arn:aws:iam::111111111111:policy/AdministratorAccess"),
                None,
            ),
        ] {
            assert_eq!(
                of_managed(&policy).map(|power| power.reach),
                wanted,
                "{policy}"
            );
        }
    }
}
