//! What security groups let through, before and after.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde_json::{Map, Value};

use super::addresses::{Block, Breadth, breadth};
use super::declared::Sides;
use super::impact::ImpactKind;
use super::unknown::{Scope, branches, function, is_nothing};
use super::value::{MARKER, to_text};

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
    /// How much of the internet, in the family of its addresses, the rules before let through there, and all rules now.
    was: Breadth,
    is: Breadth,
}

/// One rule of a security group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Rule {
    door: Door,
    /// The CIDR, group or prefix list at the other end, as it is written.
    peer: String,
    who: Peer,
}

/// What a rule opens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Door {
    /// `tcp`, `udp`, …; `-1` is every one.
    protocol: String,
    /// The ports; none where they are not told, which is all of them.
    ports: Option<(i64, i64)>,
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Peer {
    Block(Block),
    Group,
    /// Its addresses are not known here, and may change later.
    PrefixList,
    /// A network of its own, whose addresses are known only at execution.
    Network,
    /// Known only at execution.
    Unknown,
}

/// The ports on which a public service is expected to listen.
const WEB: [i64; 2] = [80, 443];

impl NetworkChange {
    /// Returns whether it lets the whole internet in or out, by itself or with the other rules, which was not so before.
    pub(super) fn is_opened_to_world(&self) -> bool {
        self.is_opened_to(Breadth::World)
    }

    /// Returns whether it lets a very wide part of the internet in or out that nobody has alone, likewise.
    pub(super) fn is_opened_wide(&self) -> bool {
        self.is_opened_to(Breadth::Wide)
    }

    fn is_opened_to(&self, breadth: Breadth) -> bool {
        let is_public = match self.rule.who {
            Peer::Block(block) => block.is_public(),
            Peer::Group | Peer::PrefixList | Peer::Network | Peer::Unknown => false,
        };
        self.kind == ImpactKind::Opened && is_public && self.is == breadth && self.was < breadth
    }

    /// Returns whether it opens something to addresses that cannot be looked at.
    pub(super) fn is_opened_to_unknown(&self) -> bool {
        let is_unknown = match self.rule.who {
            Peer::PrefixList | Peer::Unknown => true,
            Peer::Block(_) | Peer::Group | Peer::Network => false,
        };
        self.kind == ImpactKind::Opened && is_unknown
    }

    /// Returns whether it is about a port of the web alone.
    pub(super) fn is_web(&self) -> bool {
        let single = self.rule.door.ports.filter(|(from, to)| from == to);
        self.rule.door.protocol == "tcp" && single.is_some_and(|(port, _)| WEB.contains(&port))
    }
}

impl fmt::Display for NetworkChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (way, side) = match self.direction {
            Direction::In => ("ingress", "from"),
            Direction::Out => ("egress", "to"),
        };
        let Door { protocol, ports } = &self.rule.door;
        write!(f, "{way} ")?;
        match (protocol.as_str(), ports) {
            ("-1", _) => f.write_str("all traffic")?,
            (protocol, None) => f.write_str(protocol)?,
            (protocol, Some((from, to))) if from == to => write!(f, "{protocol} {from}")?,
            (protocol, Some((from, to))) => write!(f, "{protocol} {from}-{to}")?,
        }
        write!(f, " {side} {}", self.rule.peer)?;
        f.write_str(match (self.rule.alone(), self.is) {
            (Breadth::World, _) => " (the whole internet)",
            (_, Breadth::World) if self.is_opened_to_world() => {
                " (with the other rules the whole internet)"
            }
            (Breadth::Wide, _) => " (a very wide block)",
            (Breadth::Narrow, Breadth::Wide) if self.is_opened_wide() => {
                " (with the other rules very wide)"
            }
            (Breadth::Narrow, _) => "",
        })
    }
}

/// What else lets into the same group: the rules that other resources have.
#[derive(Debug, Default)]
pub(super) struct Beside<'b> {
    pub before: Vec<&'b Rule>,
    pub after: Vec<&'b Rule>,
}

/// Returns what a security group, or a rule that is a resource of its own, lets through otherwise than before.
pub(super) fn changes(
    resource_type: &str,
    sides: &Sides<'_>,
    beside: &Beside<'_>,
) -> Vec<NetworkChange> {
    let mut found = Vec::new();
    let rules = |value: &Value| rules(value, sides.scope);
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
        let (before, after): (&[&Rule], &[&Rule]) = match direction {
            Direction::In => (&beside.before, &beside.after),
            Direction::Out => (&[], &[]),
        };
        compare(*direction, (&old, before), (&new, after), &mut found);
    }
    found
}

/// Rules are looked for in each other up to so many pairs.
const MOST_PAIRS: usize = 4_000_000;

fn compare(
    direction: Direction,
    (old, beside_old): (&[Rule], &[&Rule]),
    (new, beside_new): (&[Rule], &[&Rule]),
    found: &mut Vec<NetworkChange>,
) {
    let (was, is): (HashSet<&Rule>, HashSet<&Rule>) = (old.iter().collect(), new.iter().collect());
    // Beyond that, which no security group may have, every rule stands for itself.
    let most = (old.len() + beside_old.len()).max(new.len() + beside_new.len());
    let is_tried = most.saturating_mul(new.len()) <= MOST_PAIRS;
    let mut before = Covered::of(old.iter().chain(beside_old.iter().copied()), is_tried);
    let mut after = Covered::of(new.iter().chain(beside_new.iter().copied()), is_tried);
    for rule in new.iter().filter(|rule| !was.contains(rule)) {
        let kind = if is_tried && old.iter().any(|old| old.covers(rule)) {
            ImpactKind::Narrowed
        } else {
            ImpactKind::Opened
        };
        found.push(NetworkChange {
            kind,
            direction,
            rule: rule.clone(),
            was: before.breadth(rule),
            is: after.breadth(rule).max(rule.alone()),
        });
    }
    for rule in old.iter().filter(|rule| !is.contains(rule)) {
        if !(is_tried && new.iter().any(|new| new.covers(rule))) {
            found.push(NetworkChange {
                kind: ImpactKind::Closed,
                direction,
                rule: rule.clone(),
                was: rule.alone(),
                is: Breadth::Narrow,
            });
        }
    }
}

/// How much of the internet gets through each door, of IPv4 and of IPv6.
struct Covered<'r> {
    rules: Vec<&'r Rule>,
    known: HashMap<(&'r Door, bool), Breadth>,
    is_tried: bool,
}

impl<'r> Covered<'r> {
    fn of(rules: impl Iterator<Item = &'r Rule>, is_tried: bool) -> Self {
        Self {
            rules: rules.collect(),
            known: HashMap::new(),
            is_tried,
        }
    }

    /// Returns it for the door and the family of a rule; a rule that opens more than the door opens the door, too.
    fn breadth<'d: 'r>(&mut self, of: &'d Rule) -> Breadth {
        let Some(block) = of.block().filter(|_| self.is_tried) else {
            return Breadth::Narrow;
        };
        let (door, is_v6) = (&of.door, block.is_v6());
        *self.known.entry((door, is_v6)).or_insert_with(|| {
            let through = self.rules.iter().filter(|rule| rule.door.covers(door));
            let blocks = through.filter_map(|rule| rule.block());
            breadth(blocks.filter(|block| block.is_v6() == is_v6))
        })
    }
}

/// The properties that name who is at the other end.
pub(super) const PEERS: [&str; 7] = [
    "CidrIp",
    "CidrIpv6",
    "SourceSecurityGroupId",
    "SourceSecurityGroupName",
    "SourcePrefixListId",
    "DestinationSecurityGroupId",
    "DestinationPrefixListId",
];

#[cfg(test)]
thread_local! {
    /// How many rules were read.
    pub(super) static READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Reads rules; what may be one, such as a function that is evaluated later, is a rule for whoever it will be.
pub(super) fn rules(value: &Value, scope: Scope<'_>) -> Vec<Rule> {
    if is_nothing(value) {
        return Vec::new();
    }
    match (value, function(value)) {
        (_, Some(("Fn::If", argument))) => {
            let of_branches = branches(argument).flat_map(|branch| rules(branch, scope));
            of_branches.map(Rule::perhaps).collect()
        }
        (_, Some(_)) | (Value::String(_), None) => vec![Rule::unknown(value)],
        (Value::Array(items), None) => items.iter().flat_map(|item| rules(item, scope)).collect(),
        (Value::Object(entries), None) => {
            #[cfg(test)]
            READ.set(READ.get() + 1);
            let door = Door::of(entries);
            let of = |name: &&str| {
                let peer = entries.get(*name).filter(|peer| !is_nothing(peer))?;
                Some(Rule {
                    door: door.clone(),
                    peer: to_text(peer),
                    who: Peer::of(name, peer, scope),
                })
            };
            PEERS.iter().filter_map(of).collect()
        }
        (Value::Null | Value::Bool(_) | Value::Number(_), None) => Vec::new(),
    }
}

impl Peer {
    fn of(property: &str, value: &Value, scope: Scope<'_>) -> Self {
        if property.ends_with("PrefixListId") {
            return Self::PrefixList;
        }
        if !property.starts_with("Cidr") {
            return Self::Group;
        }
        if let Some(block) = value.as_str().and_then(Block::of) {
            return Self::Block(block);
        }
        if is_own(value, scope) || is_short(value) {
            return Self::Network;
        }
        Self::Unknown
    }
}

/// The types whose `CidrBlock` is one of the stack's own networks.
const NETWORKS: [&str; 3] = [
    "AWS::EC2::Subnet",
    "AWS::EC2::VPC",
    "AWS::EC2::VPCCidrBlock",
];

/// Returns whether a value is the block of a VPC or subnet, or cut from it, which is never the internet. Whichever
/// branch of a `Fn::If` holds, it has to be one, or another block that is nobody's on the internet.
fn is_own(value: &Value, scope: Scope<'_>) -> bool {
    let is_own = |value: &Value| is_own(value, scope);
    match function(value) {
        Some((name @ "Fn::GetAtt", argument)) => {
            let referred = scope.referred(name, argument);
            referred.is_some_and(|(of, name)| NETWORKS.contains(&of) && name == Some("CidrBlock"))
        }
        Some(("Fn::If", argument)) => {
            let is_private = |value: &Value| {
                let block = value.as_str().and_then(Block::of);
                block.is_some_and(|block| !block.is_public())
            };
            branches(argument).all(|branch| is_own(branch) || is_private(branch))
        }
        Some(("Fn::Select", argument)) => argument.get(1).is_some_and(is_own),
        Some(("Fn::Cidr", argument)) => argument.get(0).is_some_and(is_own),
        Some(_) => false,
        None => match value {
            Value::Array(items) => !items.is_empty() && items.iter().all(is_own),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_) => false,
        },
    }
}

/// Returns whether a text that is not yet known ends with the length of a narrow block, as in `${Address}/32`.
fn is_short(value: &Value) -> bool {
    let text = match value {
        Value::String(text) => text.contains(MARKER).then(|| text.clone()),
        Value::Object(function) => match (function.get("Fn::Sub"), function.get("Fn::Join")) {
            (Some(Value::String(text)), _) => Some(text.clone()),
            (Some(Value::Array(parts)), _) => {
                parts.first().and_then(Value::as_str).map(str::to_owned)
            }
            (_, Some(Value::Array(parts))) => parts.get(1).and_then(|parts| {
                let last = parts.as_array()?.last()?;
                Some(last.as_str()?.to_owned())
            }),
            (_, _) => None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    };
    let length = text.and_then(|text| text.rsplit_once('/')?.1.parse::<u32>().ok());
    // Whichever family it is of.
    length.is_some_and(|length| (32..=128).contains(&length))
}

impl Rule {
    fn everything_out() -> Self {
        let everything = "0.0.0.0/0";
        Self {
            door: Door {
                protocol: "-1".to_owned(),
                ports: None,
            },
            peer: everything.to_owned(),
            who: Block::of(everything).map_or(Peer::Unknown, Peer::Block),
        }
    }

    /// Whatever it will be: anything, for anybody.
    fn unknown(value: &Value) -> Self {
        Self {
            door: Door {
                protocol: "-1".to_owned(),
                ports: None,
            },
            peer: to_text(value),
            who: Peer::Unknown,
        }
    }

    /// Returns the rule as it is where it is not known whether there is one.
    fn perhaps(self) -> Self {
        let is_public = self.block().is_some_and(Block::is_public);
        let who = if is_public { Peer::Unknown } else { self.who };
        Self { who, ..self }
    }

    fn block(&self) -> Option<&Block> {
        match &self.who {
            Peer::Block(block) => Some(block),
            Peer::Group | Peer::PrefixList | Peer::Network | Peer::Unknown => None,
        }
    }

    /// Returns how much of the internet it lets through by itself.
    fn alone(&self) -> Breadth {
        breadth(self.block())
    }

    fn covers(&self, other: &Self) -> bool {
        let holds = match (self.block(), other.block()) {
            (Some(mine), Some(other)) => mine.holds(other),
            (_, _) => false,
        };
        self.door.covers(&other.door) && (self.peer == other.peer || holds)
    }
}

impl Door {
    /// Reads it of a rule; one that does not say opens everything.
    fn of(rule: &Map<String, Value>) -> Self {
        let text = |name: &str| rule.get(name).map(to_text);
        let protocol = text("IpProtocol").map(|protocol| protocol.to_ascii_lowercase());
        let protocol = match protocol.as_deref() {
            Some("6") => "tcp".to_owned(),
            Some("17") => "udp".to_owned(),
            Some("all") | None => "-1".to_owned(),
            Some(other) => other.to_owned(),
        };
        // A port that is not known may be any.
        let number = |name: &str| text(name).map_or(Some(None), |text| text.parse().ok().map(Some));
        let ports = match (number("FromPort"), number("ToPort")) {
            (None, _) | (_, None) | (Some(None | Some(-1)), Some(None | Some(-1))) => None,
            (Some(from), Some(to)) => Some((
                from.or(to).unwrap_or_default(),
                to.or(from).unwrap_or_default(),
            )),
        };
        Self {
            ports: ports.filter(|_| protocol != "-1"),
            protocol,
        }
    }

    fn covers(&self, other: &Self) -> bool {
        let ports = match (self.ports, other.ports) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((from, to)), Some((low, high))) => from <= low && high <= to,
        };
        (self.protocol == "-1" || self.protocol == other.protocol) && ports
    }
}

#[cfg(test)]
mod tests;
