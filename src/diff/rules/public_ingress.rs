//! A security group lets the whole internet in.

use super::{Check, Rule, Subject};
use crate::diff::KNOWN_AFTER_APPLY;
use crate::diff::iam::some;
use crate::diff::network::{Direction, NetworkChange};
use crate::diff::value::MARKER;
use crate::model::{RiskLevel, clean};

pub(super) const RULE: Rule = Rule {
    name: "public_ingress",
    level: RiskLevel::High,
    explanation: "A security group opens a port to the whole internet (`0.0.0.0/0` or `::/0`), which it did not before. So do \
                  blocks that are at least half of it together, such as four `/2`. The ports 80 and 443 are those of \
                  `public_web_ingress`.",
    check: Check::Resource(|subject| {
        opened(subject, |one| one.is_opened_to_world() && !one.is_web())
    }),
};

/// Returns what is opened for others to come in.
pub(super) fn opened(subject: &Subject<'_>, is_it: fn(&NetworkChange) -> bool) -> Option<String> {
    let opened = subject.network().iter();
    let opened = opened.filter(|one| one.direction == Direction::In && is_it(one));
    let texts: Vec<String> = opened
        .map(|one| clean(&one.to_string().replace(MARKER, KNOWN_AFTER_APPLY)))
        .collect();
    (!texts.is_empty()).then(|| format!("opens {}", some(&texts, ", ")))
}

#[cfg(test)]
mod tests {
    use super::super::risks;
    use super::super::tests::{change, fired};
    use crate::model::{ChangeAction, Replacement};
    use crate::template::Template;
    use serde_json::json;

    #[test]
    fn ports_are_told_by_what_they_are_for() {
        let group = |port: u16, cidr: &str| {
            json!({"SecurityGroupIngress": [
                {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": cidr}
            ]})
        };
        let of = "AWS::EC2::SecurityGroup";
        let found = |rule, new| fired(rule, of, None, Some(new));
        let ssh = "opens ingress tcp 22 from 0.0.0.0/0 (the whole internet)";
        assert_eq!(
            found("public_ingress", group(22, "0.0.0.0/0")).unwrap(),
            ssh
        );
        assert_eq!(found("public_web_ingress", group(22, "0.0.0.0/0")), None);
        assert_eq!(found("public_ingress", group(443, "0.0.0.0/0")), None);
        let web = "opens ingress tcp 443 from 0.0.0.0/0 (the whole internet)";
        assert_eq!(
            found("public_web_ingress", group(443, "0.0.0.0/0")).unwrap(),
            web
        );
        assert_eq!(found("public_ingress", group(22, "10.0.0.0/8")), None);
        let same = group(22, "0.0.0.0/0");
        assert_eq!(
            fired("public_ingress", of, Some(same.clone()), Some(same)),
            None
        );
    }

    #[test]
    fn rules_of_one_group_are_judged_together_and_nested_ones_by_their_path() {
        let text = "\
Resources:
  G: {Type: 'AWS::EC2::SecurityGroup'}
  A: {Type: 'AWS::EC2::SecurityGroupIngress', Properties: {GroupId: !Ref G, IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/2}}
  B: {Type: 'AWS::EC2::SecurityGroupIngress', Properties: {GroupId: !GetAtt G.GroupId, IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 64.0.0.0/2}}
";
        let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
        let of = "AWS::EC2::SecurityGroupIngress";
        let add = |id| change(id, of, ChangeAction::Add, Replacement::No);
        let mut nested = add("Network/Rule");
        nested.after = Some(json!({"Properties": {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}}));
        let risks = risks(&[add("A"), add("B"), nested], Some(&template), None);
        let own = risks.iter().filter(|risk| risk.rule == "public_ingress");
        let own: Vec<&str> = own.map(|risk| risk.resource.as_str()).collect();
        assert_eq!(own, ["A", "B", "Network/Rule"]);
    }
}
