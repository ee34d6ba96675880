//! A security group lets a very wide part of the internet in.

use super::public_ingress::opened;
use super::{Check, Rule};
use crate::diff::network::NetworkChange;
use crate::model::RiskLevel;

pub(super) const RULE: Rule = Rule {
    name: "wide_ingress",
    level: RiskLevel::Medium,
    explanation: "A security group opens a port to more public addresses than anybody has alone: more than an IPv4 `/8` with all \
                  its blocks together, or an IPv6 block wider than `/32`. Private addresses do not count. From half of the internet on \
                  it is `public_ingress`.",
    check: Check::Resource(|subject| opened(subject, NetworkChange::is_opened_wide)),
};

#[cfg(test)]
mod tests {
    use super::super::tests::fired;
    use serde_json::json;

    #[test]
    fn only_very_wide_public_blocks_are_found() {
        let of = "AWS::EC2::SecurityGroup";
        let group = |cidrs: &[&str]| {
            let rule = |cidr: &&str| json!({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": cidr});
            json!({"SecurityGroupIngress": cidrs.iter().map(rule).collect::<Vec<_>>()})
        };
        for (old, new, wanted) in [
            (
                &[][..],
                &["52.0.0.0/7"][..],
                Some("opens ingress tcp 22 from 52.0.0.0/7 (a very wide block)"),
            ),
            (
                &["52.0.0.0/8"],
                &["52.0.0.0/8", "54.0.0.0/8"],
                Some("opens ingress tcp 22 from 54.0.0.0/8 (with the other rules very wide)"),
            ),
            (&[], &["52.0.0.0/8"], None),
            (
                &[],
                &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
                None,
            ),
            (&["52.0.0.0/7"], &["52.0.0.0/7", "54.0.0.0/7"], None),
            (&[], &["0.0.0.0/0"], None),
        ] {
            let found = fired("wide_ingress", of, Some(group(old)), Some(group(new)));
            assert_eq!(found.as_deref(), wanted, "{new:?}");
        }
    }
}
