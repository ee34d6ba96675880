//! Tests of what security groups let through.

use super::*;
use serde_json::json;
use std::borrow::Cow;

fn told(of: &str, before: Option<Value>, after: Option<Value>) -> Vec<String> {
    let sides = Sides {
        before: before.map(Cow::Owned),
        after: after.map(Cow::Owned),
        ..Sides::default()
    };
    let found = changes(of, &sides, &Beside::default());
    let text = |one: &NetworkChange| format!("{} {one}", one.kind.as_str());
    found.iter().map(text).collect()
}

fn group(before: Value, after: Value) -> Vec<String> {
    let of = |rules: Value| Some(json!({"SecurityGroupIngress": rules}));
    told("AWS::EC2::SecurityGroup", of(before), of(after))
}

fn tcp(from: i64, to: i64, cidr: &str) -> Value {
    let name = if cidr.contains(':') {
        "CidrIpv6"
    } else {
        "CidrIp"
    };
    json!({"IpProtocol": "tcp", "FromPort": from, "ToPort": to, name: cidr})
}

#[test]
fn what_is_opened_and_closed_is_told() {
    let inner = tcp(22, 22, "10.0.0.0/8");
    let world = tcp(22, 22, "0.0.0.0/0");
    assert!(group(json!([inner, world]), json!([world, inner])).is_empty());
    assert_eq!(
        group(json!([inner]), json!([world])),
        ["opened ingress tcp 22 from 0.0.0.0/0 (the whole internet)"]
    );
    assert_eq!(
        group(
            json!([tcp(0, 100, "::/0")]),
            json!([tcp(22, 22, "2001:db8::/32")])
        ),
        [
            "narrowed ingress tcp 22 from 2001:db8::/32",
            "closed ingress tcp 0-100 from ::/0 (the whole internet)"
        ]
    );
    let all = json!([{"IpProtocol": -1, "SourceSecurityGroupId": "sg-1"}]);
    assert_eq!(
        group(json!([]), all),
        ["opened ingress all traffic from sg-1"]
    );
}

#[test]
fn a_group_without_egress_rules_lets_everything_out() {
    let none = json!({});
    let some = json!({"SecurityGroupEgress": [tcp(443, 443, "10.0.0.0/8")]});
    let of = "AWS::EC2::SecurityGroup";
    assert_eq!(
        told(of, Some(some.clone()), Some(none.clone())),
        ["opened egress all traffic to 0.0.0.0/0 (the whole internet)"]
    );
    assert!(told(of, None, Some(none.clone())).is_empty());
    assert!(told(of, Some(none.clone()), Some(none)).is_empty());
    assert_eq!(
        told(of, None, Some(some)),
        ["opened egress tcp 443 to 10.0.0.0/8"]
    );
}

#[test]
fn rules_of_their_own_are_read() {
    let rule = tcp(5432, 5432, "0.0.0.0/0");
    assert_eq!(
        told("AWS::EC2::SecurityGroupIngress", None, Some(rule.clone())),
        ["opened ingress tcp 5432 from 0.0.0.0/0 (the whole internet)"]
    );
    assert!(told("AWS::SNS::Topic", None, Some(rule)).is_empty());
}

#[test]
fn blocks_are_looked_at_together() {
    let quarters = ["0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2"];
    let all: Vec<Value> = quarters.iter().map(|cidr| tcp(22, 22, cidr)).collect();
    let told = group(json!([]), json!(all));
    assert_eq!(told.len(), 4);
    for one in told {
        assert!(
            one.ends_with("(with the other rules the whole internet)"),
            "{one}"
        );
    }
    // What is there counts, too, and what another rule opens on more ports.
    assert_eq!(
        group(
            json!([tcp(0, 100, "::/1")]),
            json!([tcp(0, 100, "::/1"), tcp(22, 22, "2800::/5")])
        ),
        ["narrowed ingress tcp 22 from 2800::/5 (a very wide block)"]
    );
    assert_eq!(
        group(
            json!([tcp(0, 100, "2000::/5")]),
            json!([tcp(0, 100, "2000::/5"), tcp(22, 22, "2800::/5")])
        ),
        ["opened ingress tcp 22 from 2800::/5 (with the other rules the whole internet)"]
    );
    // Another port is another door.
    assert_eq!(
        group(
            json!([tcp(80, 80, "2000::/5")]),
            json!([tcp(80, 80, "2000::/5"), tcp(22, 22, "2800::/5")])
        ),
        ["opened ingress tcp 22 from 2800::/5 (a very wide block)"]
    );
}

#[test]
fn networks_of_ones_own_are_known_before_they_exist() {
    let text = "Resources: {Vpc: {Type: 'AWS::EC2::VPC'}, C: {Type: 'Custom::C'}, S: {Type: 'AWS::CloudFormation::Stack'}}\n";
    let template = crate::template::Template::parse("t.yaml", text.as_bytes()).unwrap();
    let scope = Scope {
        template: Some(&template),
    };
    let own = json!({"Fn::GetAtt": ["Vpc", "CidrBlock"]});
    let either = |one: Value| json!({"Fn::If": ["C", one, own]});
    for (value, wanted) in [
        (json!({"Fn::GetAtt": ["Vpc", "CidrBlock"]}), Peer::Network),
        (json!({"Fn::GetAtt": "Vpc.CidrBlock"}), Peer::Network),
        (
            json!({"Fn::Select": [0, {"Fn::Cidr": [{"Fn::GetAtt": ["Vpc", "CidrBlock"]}, 4, 8]}]}),
            Peer::Network,
        ),
        (json!({"Fn::GetAtt": ["C", "CidrBlock"]}), Peer::Unknown),
        (json!({"Fn::GetAtt": "S.Outputs.CidrBlock"}), Peer::Unknown),
        (json!({"Fn::GetAtt": ["Gone", "CidrBlock"]}), Peer::Unknown),
        (either(json!("0.0.0.0/0")), Peer::Unknown),
        (either(json!({"Ref": "Cidr"})), Peer::Unknown),
        (either(json!("10.0.0.0/8")), Peer::Network),
        (either(json!({"Ref": "AWS::NoValue"})), Peer::Network),
        (json!({"Fn::Sub": "${Address}/32"}), Peer::Network),
        (
            json!({"Fn::Join": ["", [{"Ref": "Ip"}, "/32"]]}),
            Peer::Network,
        ),
        (json!(format!("{MARKER}/32")), Peer::Network),
        (json!({"Fn::Sub": "${Address}/0"}), Peer::Unknown),
        (json!({"Fn::Sub": "${Block}"}), Peer::Unknown),
        (json!({"Ref": "Cidr"}), Peer::Unknown),
        (json!({"Fn::ImportValue": "CidrBlock"}), Peer::Unknown),
        (json!(MARKER), Peer::Unknown),
        (json!("0.0.0.0/99"), Peer::Unknown),
    ] {
        assert_eq!(Peer::of("CidrIp", &value, scope), wanted, "{value}");
    }
    assert_eq!(
        Peer::of("SourceSecurityGroupId", &json!({"Ref": "Group"}), scope),
        Peer::Group
    );
}

#[test]
fn rules_of_the_same_group_elsewhere_count() {
    let half = tcp(22, 22, "2000::/5");
    let sides = Sides {
        before: None,
        after: Some(Cow::Owned(tcp(22, 22, "2800::/5"))),
        ..Sides::default()
    };
    let opened = |before: Vec<&Value>, after: Vec<&Value>| {
        let read = |values: Vec<&Value>| {
            values
                .into_iter()
                .flat_map(|value| rules(value, Scope::default()))
                .collect::<Vec<_>>()
        };
        let (before, after) = (read(before), read(after));
        let beside = Beside {
            before: before.iter().collect(),
            after: after.iter().collect(),
        };
        let found = changes("AWS::EC2::SecurityGroupIngress", &sides, &beside);
        assert_eq!(found.len(), 1);
        found[0].is_opened_to_world()
    };
    let all = json!([tcp(0, 100, "::/0")]);
    assert!(opened(vec![], vec![&half]));
    assert!(opened(vec![&half], vec![&half]));
    assert!(!opened(vec![], vec![]));
    assert!(!opened(vec![&all], vec![&all]));
}

#[test]
fn what_may_become_a_rule_counts_as_one_for_whoever_it_will_be() {
    let of = |after: Value| group(json!([tcp(22, 22, "10.0.0.0/8")]), after);
    let world = tcp(22, 22, "0.0.0.0/0");
    let inner = tcp(22, 22, "10.0.0.0/8");
    let nothing = json!({"Ref": "AWS::NoValue"});
    let unknown = |found: Vec<NetworkChange>| found.iter().any(NetworkChange::is_opened_to_unknown);
    let read = |after: &Value| {
        let sides = Sides {
            after: Some(Cow::Owned(json!({"SecurityGroupIngress": after}))),
            ..Sides::default()
        };
        changes("AWS::EC2::SecurityGroup", &sides, &Beside::default())
    };
    for (after, wanted) in [
        (json!(MARKER), true),
        (json!("****"), true),
        (json!([MARKER]), true),
        (json!({"Fn::GetAtt": ["C", "Rules"]}), true),
        (json!([{"Fn::If": ["C", world, nothing]}]), true),
        (json!({"Fn::If": ["C", [world], []]}), true),
        (json!({"Fn::If": ["C", {"Ref": "Rules"}, []]}), true),
        (json!([{"Fn::If": ["C", inner, nothing]}]), false),
        (json!([inner, nothing]), false),
    ] {
        assert_eq!(unknown(read(&after)), wanted, "{after}");
    }
    assert_eq!(
        of(json!([{"CidrIp": "0.0.0.0/0"}]))[0],
        "opened ingress all traffic from 0.0.0.0/0 (the whole internet)"
    );
    // A port that is not known is no port of the web.
    let found = read(
        &json!([{"IpProtocol": "tcp", "FromPort": 443, "ToPort": MARKER, "CidrIp": "0.0.0.0/0"}]),
    );
    assert!(found[0].is_opened_to_world() && !found[0].is_web());
}

#[test]
fn each_family_of_addresses_is_looked_at_by_itself() {
    let (v4, v6) = (tcp(22, 22, "0.0.0.0/0"), tcp(22, 22, "::/0"));
    for (old, new) in [(&v4, &v6), (&v6, &v4)] {
        let of = |rules: Value| Some(Cow::Owned(json!({"SecurityGroupIngress": rules})));
        let sides = Sides {
            before: of(json!([old])),
            after: of(json!([old, new])),
            ..Sides::default()
        };
        let found = changes("AWS::EC2::SecurityGroup", &sides, &Beside::default());
        assert!(found[0].is_opened_to_world(), "{new}");
    }
}
