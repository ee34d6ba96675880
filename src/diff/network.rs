//! What security groups let through, before and after.

use core::net::IpAddr;
use std::fmt;

use serde_json::Value;

use super::declared::Sides;
use super::impact::ImpactKind;
use super::value::to_text;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

/// A change of what is let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NetworkChange {
    pub kind: ImpactKind,
    pub direction: Direction,
    rule: Rule,
}

/// One rule of a security group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Rule {
    /// `tcp`, `udp`, …; `-1` is every one.
    protocol: String,
    /// The ports; none where they are not told, which is all of them.
    ports: Option<(i64, i64)>,
    /// The CIDR, group or prefix list at the other end.
    peer: String,
}

/// The ports on which a public service is expected to listen.
const WEB: [i64; 2] = [80, 443];

impl NetworkChange {
    /// Returns whether it lets the whole internet in or out, which it did not before.
    pub(super) fn is_opened_to_world(&self) -> bool {
        self.kind == ImpactKind::Opened && is_world(&self.rule.peer)
    }

    /// Returns whether it is about a port of the web alone.
    pub(super) fn is_web(&self) -> bool {
        let single = self.rule.ports.filter(|(from, to)| from == to);
        self.rule.protocol == "tcp" && single.is_some_and(|(port, _)| WEB.contains(&port))
    }
}

impl fmt::Display for NetworkChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (way, side) = match self.direction {
            Direction::In => ("ingress", "from"),
            Direction::Out => ("egress", "to"),
        };
        let Rule {
            protocol,
            ports,
            peer,
        } = &self.rule;
        write!(f, "{way} ")?;
        match (protocol.as_str(), ports) {
            ("-1", _) => f.write_str("all traffic")?,
            (protocol, None) => f.write_str(protocol)?,
            (protocol, Some((from, to))) if from == to => write!(f, "{protocol} {from}")?,
            (protocol, Some((from, to))) => write!(f, "{protocol} {from}-{to}")?,
        }
        write!(f, " {side} {peer}")?;
        if is_world(peer) {
            f.write_str(" (the whole internet)")?;
        }
        Ok(())
    }
}

/// Returns what a security group, or a rule that is a resource of its own, lets through otherwise than before.
pub(super) fn changes(resource_type: &str, sides: &Sides<'_>) -> Vec<NetworkChange> {
    let mut found = Vec::new();
    let lists: &[(Direction, Option<&str>)] = match resource_type {
        "AWS::EC2::SecurityGroup" => &[
            (Direction::In, Some("SecurityGroupIngress")),
            (Direction::Out, Some("SecurityGroupEgress")),
        ],
        "AWS::EC2::SecurityGroupIngress" => &[(Direction::In, None)],
        "AWS::EC2::SecurityGroupEgress" => &[(Direction::Out, None)],
        _ => &[],
    };
    for (direction, list) in lists {
        let read = |side: Option<&Value>| -> Vec<Rule> {
            match (side, list) {
                (None, _) => Vec::new(),
                (Some(rule), None) => rules(rule),
                (Some(properties), Some(list)) => match properties.get(list) {
                    Some(list) => rules(list),
                    // A group without egress rules lets everything out. That of a new one is no news.
                    None if *direction == Direction::Out && sides.before.is_some() => {
                        vec![Rule::everything_out()]
                    }
                    None => Vec::new(),
                },
            }
        };
        let (old, new) = (read(sides.before.as_deref()), read(sides.after.as_deref()));
        compare(*direction, &old, &new, &mut found);
    }
    found
}

/// Rules are looked for in each other up to so many pairs.
const MOST_PAIRS: usize = 4_000_000;

fn compare(direction: Direction, old: &[Rule], new: &[Rule], found: &mut Vec<NetworkChange>) {
    use std::collections::HashSet;
    let (was, is): (HashSet<&Rule>, HashSet<&Rule>) = (old.iter().collect(), new.iter().collect());
    let mut push = |kind, rule: &Rule| {
        found.push(NetworkChange {
            kind,
            direction,
            rule: rule.clone(),
        });
    };
    // Beyond that, which no security group may have, every rule stands for itself.
    let is_tried = old.len().saturating_mul(new.len()) <= MOST_PAIRS;
    for rule in new.iter().filter(|rule| !was.contains(rule)) {
        let kind = if is_tried && old.iter().any(|old| old.covers(rule)) {
            ImpactKind::Narrowed
        } else {
            ImpactKind::Opened
        };
        push(kind, rule);
    }
    for rule in old.iter().filter(|rule| !is.contains(rule)) {
        if !(is_tried && new.iter().any(|new| new.covers(rule))) {
            push(ImpactKind::Closed, rule);
        }
    }
}

/// Reads rules; what is no rule, such as a function that is evaluated later, is left out.
fn rules(value: &Value) -> Vec<Rule> {
    match value {
        Value::Array(items) => items.iter().flat_map(rules).collect(),
        Value::Object(entries) => {
            let text = |name: &str| entries.get(name).map(to_text);
            let number = |name: &str| text(name)?.parse::<i64>().ok();
            let peers = [
                "CidrIp",
                "CidrIpv6",
                "SourceSecurityGroupId",
                "SourceSecurityGroupName",
                "SourcePrefixListId",
                "DestinationSecurityGroupId",
                "DestinationPrefixListId",
            ];
            let Some(protocol) = text("IpProtocol") else {
                return Vec::new();
            };
            let protocol = match protocol.to_ascii_lowercase().as_str() {
                "6" => "tcp".to_owned(),
                "17" => "udp".to_owned(),
                "all" => "-1".to_owned(),
                other => other.to_owned(),
            };
            let ports = match (number("FromPort"), number("ToPort")) {
                (None | Some(-1), None | Some(-1)) => None,
                (from, to) => Some((
                    from.or(to).unwrap_or_default(),
                    to.or(from).unwrap_or_default(),
                )),
            };
            let ports = ports.filter(|_| protocol != "-1");
            let of = |peer: &str| {
                Some(Rule {
                    protocol: protocol.clone(),
                    ports,
                    peer: text(peer)?,
                })
            };
            peers.into_iter().filter_map(of).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

impl Rule {
    fn everything_out() -> Self {
        Self {
            protocol: "-1".to_owned(),
            ports: None,
            peer: "0.0.0.0/0".to_owned(),
        }
    }

    fn covers(&self, other: &Self) -> bool {
        let protocol = self.protocol == "-1" || self.protocol == other.protocol;
        let ports = match (self.ports, other.ports) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((from, to)), Some((low, high))) => from <= low && high <= to,
        };
        protocol && ports && (self.peer == other.peer || holds(&self.peer, &other.peer))
    }
}

/// Returns an address block as its bits from the left, their number, and its length.
fn block(text: &str) -> Option<(u128, bool, u32)> {
    let (address, length) = text.split_once('/')?;
    let length: u32 = length.parse().ok()?;
    match address.parse().ok()? {
        IpAddr::V4(v4) if length <= 32 => Some((u128::from(u32::from(v4)) << 96, false, length)),
        IpAddr::V6(v6) if length <= 128 => Some((u128::from(v6), true, length)),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

pub(super) fn holds(outer: &str, inner: &str) -> bool {
    let (Some((a, a_is_v6, long)), Some((b, b_is_v6, longer))) = (block(outer), block(inner))
    else {
        return false;
    };
    let differs = a ^ b;
    // A shift by the whole width is none.
    a_is_v6 == b_is_v6 && long <= longer && (long == 0 || differs >> (128 - long) == 0)
}

/// Returns whether a block is the internet, or such a part of it that two or few of them are.
fn is_world(peer: &str) -> bool {
    block(peer).is_some_and(|(_, is_v6, length)| length <= if is_v6 { 3 } else { 1 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::borrow::Cow;

    fn told(of: &str, before: Option<Value>, after: Option<Value>) -> Vec<String> {
        let sides = Sides {
            before: before.map(Cow::Owned),
            after: after.map(Cow::Owned),
        };
        let found = changes(of, &sides);
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
    fn halves_of_the_internet_are_the_internet() {
        for (peer, wanted) in [
            ("0.0.0.0/0", true),
            ("128.0.0.0/1", true),
            ("10.0.0.0/8", false),
            ("::/0", true),
            ("2000::/3", true),
            ("2001:db8::/32", false),
            ("sg-1", false),
            ("0.0.0.0/99", false),
        ] {
            assert_eq!(is_world(peer), wanted, "{peer}");
        }
    }
}
