//! What another rule would judge is known only when it runs.

use serde_json::Value;

use super::{Check, Rule, Subject};
use crate::diff::KNOWN_AFTER_APPLY;
use crate::diff::declared::Sides;
use crate::diff::iam::{self, DOCUMENTS, Openness, Permission, Power, Reach, some};
use crate::diff::judged;
use crate::diff::mask::MASK;
use crate::diff::network::{self, Beside, Direction, NetworkChange};
use crate::diff::property::PropertyChange;
use crate::diff::unknown::is_open;
use crate::diff::value::MARKER;
use crate::model::{ChangeAction, RiskLevel, clean};
use crate::template::PathSegment;

pub(super) const RULE: Rule = Rule {
    name: "unjudged",
    level: RiskLevel::Medium,
    explanation: "What decides whether something becomes public is a secret or known only at execution, so that no rule can judge \
                  it: the block that a security group lets in, the addresses of a prefix list, the principal of a policy or the \
                  condition of one for everybody, or the setting that makes a resource public; likewise a managed policy, or an \
                  action on everything. So it is where nothing tells the properties of a security group or a \
                  policy, as inside a nested stack. Addresses of the stack's own networks are not told.",
    check: Check::Resource(check),
};

/// Settings that make a resource public.
pub(super) const SETTINGS: [&str; 4] = [
    "AccessControl",
    "AuthType",
    "PubliclyAccessible",
    "PublicAccessBlockConfiguration",
];

fn check(subject: &Subject<'_>) -> Option<String> {
    if is_untold(subject) {
        let what = "neither the change set nor a template at hand tells its properties";
        return Some(format!("cannot be judged before it runs: {what}"));
    }
    let change = subject.change;
    let mut found = network(subject.network());
    found.extend(permissions(subject.permissions()));
    found.extend(powers(subject.powers()));
    // The service says no more than that something is not known; the template says where it comes from.
    if !found.is_empty()
        && let Some(written) = Sides::written(&change.logical_id, subject.templates)
    {
        let of = &change.resource_type;
        let written_network = network::changes(of, &written, &Beside::default());
        if network(&written_network).is_empty()
            && permissions(&iam::permissions(of, &written)).is_empty()
            && powers(&iam::powers(of, &written)).is_empty()
        {
            found.clear();
        }
    }
    for name in SETTINGS {
        let (was, is) = (subject.sides.was(name), subject.sides.is(name));
        if was != is && is.is_some_and(is_open) {
            found.push(name.to_owned());
        }
    }
    found.extend(hidden(subject));
    let texts = found.iter();
    let texts: Vec<String> = texts
        .map(|text| clean(&text.replace(MARKER, KNOWN_AFTER_APPLY)))
        .collect();
    (!texts.is_empty()).then(|| format!("cannot be judged before it runs: {}", some(&texts, "; ")))
}

/// Returns the properties that decide and are the same but for secrets, where the service says that they change, or nothing
/// tells what else does.
fn hidden(subject: &Subject<'_>) -> Vec<String> {
    let Some(Value::Object(properties)) = subject.sides.after.as_deref() else {
        return Vec::new();
    };
    let of = &subject.change.resource_type;
    let is_changed = |name: &String| {
        let mut paths = subject
            .properties()
            .iter()
            .map(|changed| changed.path.first());
        paths.any(|first| matches!(first, Some(PathSegment::Key(key)) if key == name))
    };
    let hidden = properties.iter().filter(|(name, value)| {
        judged::decides(of, name)
            && subject.sides.was(name) == Some(*value)
            && value.to_string().contains(MASK)
            && (subject.properties().is_empty() || is_changed(name))
    });
    hidden.map(|(name, _)| name.clone()).collect()
}

/// Returns whether nothing tells the properties by which the resource would be judged.
fn is_untold(subject: &Subject<'_>) -> bool {
    let change = subject.change;
    let is_after = match change.action {
        ChangeAction::Add | ChangeAction::Import | ChangeAction::Modify => true,
        ChangeAction::Remove | ChangeAction::Dynamic | ChangeAction::SyncWithActual => false,
    };
    if !is_after || subject.sides.after.is_some() {
        return false;
    }
    let changed = subject.properties();
    let of = &change.resource_type;
    let is_judged = judged::is_judged(of);
    let is_public = |name: &str| DOCUMENTS.contains(&name) || SETTINGS.contains(&name);
    let decides = |property: &PropertyChange| match property.path.first() {
        // What a type is not made for may make it public all the same.
        Some(PathSegment::Key(name)) => judged::decides(of, name) && (is_judged || is_public(name)),
        Some(PathSegment::Index(_)) | None => is_judged,
    };
    // Which properties change is often told where their values are not.
    changed.is_empty() && is_judged || changed.iter().any(decides)
}

fn network(changes: &[NetworkChange]) -> Vec<String> {
    let is_unknown =
        |one: &&NetworkChange| one.direction == Direction::In && one.is_opened_to_unknown();
    let unknown = changes.iter().filter(is_unknown);
    unknown.map(NetworkChange::to_string).collect()
}

fn permissions(changes: &[Permission]) -> Vec<String> {
    let perhaps = changes
        .iter()
        .filter(|one| one.openness == Openness::Unknown);
    perhaps
        .map(|one| format!("who is allowed: {}", one.what))
        .collect()
}

fn powers(given: &[Power]) -> Vec<String> {
    let unknown = given.iter().filter(|power| power.reach == Reach::Unknown);
    unknown
        .map(|power| format!("what is given: {}", power.what))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::risks;
    use super::super::tests::{change, fired};
    use super::*;
    use crate::diff::MASK_CHANGED;
    use crate::model::Replacement;
    use crate::template::Template;
    use serde_json::json;

    #[test]
    fn what_decides_and_is_not_known_is_told() {
        let group = |name: &str, peer: Value| json!({"SecurityGroupIngress": [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, name: peer}]});
        let policy = json!({"PolicyDocument": {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:Get", "Resource": "x",
            "Condition": {"IpAddress": {"aws:SourceIp": {"Ref": "Ip"}}}}}});
        let security_group = "AWS::EC2::SecurityGroup";
        for (of, new, wanted) in [
            (
                security_group,
                group("CidrIp", json!({"Ref": "Cidr"})),
                Some("ingress tcp 22 from {\"Ref\":\"Cidr\"}"),
            ),
            (
                security_group,
                group("CidrIp", json!(MARKER)),
                Some("ingress tcp 22 from known after apply"),
            ),
            (
                security_group,
                group("SourcePrefixListId", json!("pl-1")),
                Some("ingress tcp 22 from pl-1"),
            ),
            (
                "AWS::S3::BucketPolicy",
                policy,
                Some("who is allowed: PolicyDocument: Allow s3:Get on x to *, on a condition"),
            ),
            (
                "AWS::RDS::DBInstance",
                json!({"PubliclyAccessible": {"Ref": "Public"}}),
                Some("PubliclyAccessible"),
            ),
            (
                "AWS::RDS::DBInstance",
                json!({"PubliclyAccessible": MASK}),
                Some("PubliclyAccessible"),
            ),
            (
                "AWS::Lambda::Url",
                json!({"AuthType": MASK_CHANGED}),
                Some("AuthType"),
            ),
            (
                security_group,
                json!({"SecurityGroupIngress": MARKER}),
                Some("ingress all traffic from known after apply"),
            ),
            (
                "AWS::S3::BucketPolicy",
                json!({"PolicyDocument": MARKER}),
                Some("who is allowed: PolicyDocument: Allow or Deny known after apply"),
            ),
            (
                "AWS::S3::BucketPolicy",
                json!({"PolicyDocument": {"Statement": {"Effect": "Allow", "Principal": MASK_CHANGED, "Action": "s3:Get", "Resource": "x"}}}),
                Some("who is allowed: PolicyDocument: Allow s3:Get on x to **** (changed)"),
            ),
            (
                "AWS::IAM::Role",
                json!({"ManagedPolicyArns": [MASK]}),
                Some("what is given: managed policy ****"),
            ),
            (
                security_group,
                group("SourceSecurityGroupId", json!(MARKER)),
                None,
            ),
            (security_group, group("CidrIp", json!("10.0.0.0/8")), None),
            (
                "AWS::RDS::DBInstance",
                json!({"PubliclyAccessible": false, "Name": MARKER}),
                None,
            ),
        ] {
            let wanted = wanted.map(|text| format!("cannot be judged before it runs: {text}"));
            assert_eq!(
                fired("unjudged", of, None, Some(new.clone())),
                wanted,
                "{new}"
            );
            // What is the same says nothing, unless a secret that decides may be what changes.
            let is_hidden = new.to_string().contains(MASK);
            let same = fired("unjudged", of, Some(new.clone()), Some(new));
            assert_eq!(same.is_some(), is_hidden, "{same:?}");
        }
    }

    #[test]
    fn what_nothing_tells_cannot_be_judged() {
        let found = |of, action, properties: &[&str]| {
            let mut change = change("Network/R", of, action, Replacement::No);
            change.details = properties
                .iter()
                .map(|name| {
                    let detail =
                        json!({"attribute": "Properties", "name": name, "recreation": "Never"});
                    serde_json::from_value(detail).unwrap()
                })
                .collect();
            let risks = risks(&[change], None, None);
            let found = risks.iter().find(|risk| risk.rule == "unjudged");
            found.map(|risk| risk.resource.to_string())
        };
        let (group, told) = ("AWS::EC2::SecurityGroup", Some("Network/R".to_owned()));
        assert_eq!(found(group, ChangeAction::Add, &[]), told);
        assert_eq!(found(group, ChangeAction::Modify, &[]), told);
        assert_eq!(
            found(
                group,
                ChangeAction::Modify,
                &["Tags", "SecurityGroupIngress"]
            ),
            told
        );
        assert_eq!(found(group, ChangeAction::Modify, &["Tags"]), None);
        assert_eq!(found(group, ChangeAction::Remove, &[]), None);
        assert_eq!(found("AWS::SNS::Topic", ChangeAction::Add, &[]), None);
        let policy = "AWS::SQS::QueueInlinePolicy";
        assert_eq!(found(policy, ChangeAction::Add, &[]), told);
        let repository = ("AWS::ECR::Repository", ChangeAction::Modify);
        assert_eq!(
            found(repository.0, repository.1, &["RepositoryPolicyText"]),
            told
        );
        assert_eq!(found(repository.0, repository.1, &["Tags"]), None);
        let other = ("AWS::X::Y", ChangeAction::Modify);
        assert_eq!(found(other.0, other.1, &["ResourcePolicy"]), told);
        assert_eq!(found(other.0, other.1, &["DeletionProtection"]), None);
        assert_eq!(found("Custom::C", other.1, &["Policy"]), None);
    }

    #[test]
    fn a_block_of_the_stacks_own_network_is_no_news() {
        let found = |cidr: &str| {
            let text = format!(
                "Resources: {{G: {{Type: 'AWS::EC2::SecurityGroup', Properties: {{SecurityGroupIngress: [{{IpProtocol: tcp, CidrIp: {cidr}}}]}}}}, Vpc: {{Type: 'AWS::EC2::VPC'}}, Custom: {{Type: 'Custom::C'}}}}\n"
            );
            let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
            let of = "AWS::EC2::SecurityGroup";
            let mut add = change("G", of, ChangeAction::Add, Replacement::No);
            add.after = Some(
                json!({"Properties": {"SecurityGroupIngress": [{"IpProtocol": "tcp", "CidrIp": MARKER}]}}),
            );
            let risks = risks(&[add], Some(&template), None);
            risks.iter().any(|risk| risk.rule == "unjudged")
        };
        assert!(!found("!GetAtt Vpc.CidrBlock"));
        assert!(found("!GetAtt Custom.CidrBlock"));
        assert!(found("!Ref Cidr"));
    }

    #[test]
    fn a_principal_is_looked_up_where_it_comes_from() {
        let found = |principal: &str| {
            let text = format!(
                "Parameters: {{S: {{Type: 'AWS::SSM::Parameter::Value<String>'}}}}\nConditions: {{C: !Equals [!Ref S, open]}}\n\
                 Resources: {{P: {{Type: 'AWS::S3::BucketPolicy', Properties: {{PolicyDocument: {{Statement: [{{Effect: Allow, \
                 Action: 's3:Get', Resource: x, Principal: {principal}}}]}}}}}}, Role: {{Type: 'AWS::IAM::Role'}}, Custom: {{Type: 'Custom::C'}}}}\n"
            );
            let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
            let add = change(
                "P",
                "AWS::S3::BucketPolicy",
                ChangeAction::Add,
                Replacement::No,
            );
            let mut told = add.clone();
            let statement = json!({"Effect": "Allow", "Action": "s3:Get", "Resource": "x", "Principal": {"AWS": MARKER}});
            told.after =
                Some(json!({"Properties": {"PolicyDocument": {"Statement": [statement]}}}));
            [add, told].map(|change| {
                let risks = risks(&[change], Some(&template), None);
                risks.iter().any(|risk| risk.rule == "unjudged")
            })
        };
        for (principal, wanted) in [
            ("{AWS: !GetAtt Role.Arn}", false),
            ("{AWS: !Sub '${Role.Arn}'}", false),
            ("{AWS: !Sub 'arn:aws:iam::${S}:root'}", false),
            ("{Service: !Ref S}", false),
            ("!If [C, '111111111111', !GetAtt Role.Arn]", false),
            ("!GetAtt Custom.Who", true),
            ("{AWS: [!GetAtt Role.Arn, !Ref S]}", true),
            ("!If [C, '*', '111111111111']", true),
            ("'{{resolve:ssm:/x}}'", true),
            ("!ImportValue X", true),
        ] {
            assert_eq!(found(principal), [wanted; 2], "{principal}");
        }
    }

    #[test]
    fn a_secret_that_changes_behind_its_mask_is_told() {
        let found = |changed: &str| {
            let of = "AWS::RDS::DBInstance";
            let mut change = change("Db", of, ChangeAction::Modify, Replacement::No);
            let masked = json!({"Properties": {"PubliclyAccessible": MASK}});
            (change.before, change.after) = (Some(masked.clone()), Some(masked));
            let detail = json!({"attribute": "Properties", "name": changed, "recreation": "Never"});
            if !changed.is_empty() {
                change.details = vec![serde_json::from_value(detail).unwrap()];
            }
            let risks = risks(&[change], None, None);
            risks.iter().any(|risk| risk.rule == "unjudged")
        };
        assert!(found("PubliclyAccessible"));
        assert!(found(""));
        assert!(!found("Tags"));
    }
}
