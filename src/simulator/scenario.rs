//! What a simulated world is like, as it is declared.
//!
//! ```yaml
//! seed: 7
//! rules:                          # what a later rule says replaces what an earlier one said
//!   - duration: 45s..2m
//!   - targets: eu-west-1
//!     fails: 30%
//!     reason: Cannot exceed quota for tables
//!   - targets: 111111111111/us-east-1
//!     role: denied
//!   - calls: [DescribeStackEvents]
//!     rate: 10
//!     burst: 20
//!   - targets: eu-west-1
//!     down: 10m..15m
//! ```

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de};

use super::limit::Rate;
use crate::model::{LogicalId, Target, clean};

/// The most resources that a stack can have.
const MOST_RESOURCES: u32 = 500;
/// No stack takes longer, and times stay far from where they end.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// What a simulated world is like.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What all chances are drawn from.
    #[serde(default)]
    pub seed: u64,
    /// What holds where; what a later rule says replaces what an earlier one said.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// What holds for some targets and calls. What is not said stays as the rules before it left it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// The targets that it is about; all by default.
    pub targets: Pattern,
    /// The operations that `rate`, `latency`, `throttled`, `unavailable`, `resets`, `lost_requests` and `lost_replies`
    /// are about; all by default.
    pub calls: Vec<String>,

    /// How long an operation on a stack takes.
    pub duration: Option<Ends>,
    /// How long a change set is computed.
    pub change_set: Option<Ends>,
    /// How many resources an operation touches.
    #[serde(deserialize_with = "resources")]
    pub resources: Option<u32>,
    /// How many of the operations fail.
    pub fails: Option<Percent>,
    /// Why they fail.
    pub reason: Option<String>,
    /// The logical id of the resource that fails.
    pub resource: Option<LogicalId>,
    /// Its type.
    pub resource_type: Option<String>,
    /// How many of the failed updates cannot be taken back.
    pub stuck: Option<Percent>,
    /// How many targets have nothing to change.
    pub no_changes: Option<Percent>,

    /// Whether the role of the targets can be assumed.
    pub role: Option<Access>,
    /// Calls a second in each account and region.
    pub rate: Option<f64>,
    /// Calls at once after a rest; the rate by default.
    pub burst: Option<f64>,
    /// How long a call takes.
    pub latency: Option<Ends>,
    /// How many calls are refused with `Throttling`.
    pub throttled: Option<Percent>,
    /// How many calls are answered with HTTP 503.
    pub unavailable: Option<Percent>,
    /// How many connections break before the call is carried out.
    pub lost_requests: Option<Percent>,
    /// How many connections break after the call was carried out.
    pub lost_replies: Option<Percent>,
    /// For how long after a change it does not show yet.
    pub stale_reads: Option<Length>,
    /// How late events show.
    pub late_events: Option<Length>,
    /// When nothing answers, from the beginning of the simulation.
    pub down: Option<Ends>,
}

/// Whether a role can be assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// It can.
    Allowed,
    /// `AssumeRole` answers `AccessDenied`.
    Denied,
    /// Calls are answered with `ExpiredToken`.
    Expired,
}

/// A text of a scenario that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// It is not a share.
    #[error("`{0}` is no share: expected a percentage from `0%` to `100%`")]
    Percent(String),
    /// It is not a duration.
    #[error("`{0}` is no duration up to a year: expected one such as `45s`, `2m 30s` or `1h`")]
    Length(String),
    /// It is neither a duration nor two.
    #[error(
        "`{0}` is neither a duration up to a year such as `45s` nor two such as `45s..2m`, the shorter first"
    )]
    Ends(String),
    /// It does not name targets.
    #[error(
        "`{0}` names no targets: expected a region, an account or ACCOUNT/REGION, with `*` for any text"
    )]
    Pattern(String),
}

/// A share of a hundred.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Percent(pub f64);

/// A duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Length(pub Duration);

/// The shortest and the longest of what is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Ends(pub Duration, pub Duration);

/// Which targets are meant: `*`, a region, an account, or both with a slash between them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern {
    account: String,
    region: String,
}

impl Scenario {
    /// Returns whether another seed may give another run; calls that take a little longer or shorter do not count.
    pub fn is_by_chance(&self) -> bool {
        self.rules.iter().any(Rule::is_by_chance)
    }

    /// Returns whether a rule says how long operations on the stack of `target` take.
    pub fn has_duration(&self, target: &Target) -> bool {
        self.stack(target).duration.is_some()
    }

    /// Returns what holds for `target`, apart from calls.
    pub(super) fn stack(&self, target: &Target) -> StackRules<'_> {
        let mut found = StackRules::default();
        for rule in self.rules.iter().filter(|r| r.targets.matches(target)) {
            found.duration = rule.duration.or(found.duration);
            found.change_set = rule.change_set.unwrap_or(found.change_set);
            found.resources = rule.resources.unwrap_or(found.resources);
            found.fails = rule.fails.unwrap_or(found.fails);
            found.stuck = rule.stuck.unwrap_or(found.stuck);
            found.no_changes = rule.no_changes.unwrap_or(found.no_changes);
            found.stale_reads = rule.stale_reads.unwrap_or(found.stale_reads);
            found.late_events = rule.late_events.unwrap_or(found.late_events);
            found.reason = rule.reason.as_deref().unwrap_or(found.reason);
            found.resource = rule
                .resource
                .as_ref()
                .map_or(found.resource, LogicalId::as_str);
            found.resource_type = rule.resource_type.as_deref().unwrap_or(found.resource_type);
        }
        found
    }

    /// Returns what holds for the calls of `operation` to `target`.
    pub(super) fn call(&self, target: &Target, operation: &str) -> CallRules {
        let mut found = CallRules::default();
        for (index, rule) in self.rules.iter().enumerate() {
            if !rule.targets.matches(target) {
                continue;
            }
            found.role = rule.role.unwrap_or(found.role);
            found.down.extend(rule.down);
            if !rule.calls.is_empty() && !rule.calls.iter().any(|c| c == operation) {
                continue;
            }
            found.latency = rule.latency.unwrap_or(found.latency);
            found.throttled = rule.throttled.unwrap_or(found.throttled);
            found.unavailable = rule.unavailable.unwrap_or(found.unavailable);
            found.lost_requests = rule.lost_requests.unwrap_or(found.lost_requests);
            found.lost_replies = rule.lost_replies.unwrap_or(found.lost_replies);
            if let Some(per_second) = rule.rate {
                let per_second = per_second.max(f64::MIN_POSITIVE);
                let burst = rule.burst.unwrap_or(per_second).max(1.0);
                found.rate = Some((index, Rate { per_second, burst }));
            }
        }
        found
    }
}

impl Rule {
    fn is_by_chance(&self) -> bool {
        let shares = [
            self.fails,
            self.stuck,
            self.no_changes,
            self.throttled,
            self.unavailable,
            self.lost_requests,
            self.lost_replies,
        ];
        let ranges = [self.duration, self.change_set];
        shares
            .into_iter()
            .flatten()
            .any(|share| 0.0 < share.0 && share.0 < 100.0)
            || ranges.into_iter().flatten().any(|ends| ends.0 < ends.1)
    }
}

/// What holds for the stack of a target.
#[derive(Debug, Clone, Copy)]
pub(super) struct StackRules<'a> {
    /// None where no rule says it.
    pub(super) duration: Option<Ends>,
    pub(super) change_set: Ends,
    pub(super) resources: u32,
    pub(super) fails: Percent,
    pub(super) reason: &'a str,
    pub(super) resource: &'a str,
    pub(super) resource_type: &'a str,
    pub(super) stuck: Percent,
    pub(super) no_changes: Percent,
    pub(super) stale_reads: Length,
    pub(super) late_events: Length,
}

impl Default for StackRules<'_> {
    fn default() -> Self {
        let seconds = |n| Ends(Duration::from_secs(n), Duration::from_secs(n));
        Self {
            duration: None,
            change_set: seconds(5),
            resources: 3,
            fails: Percent(0.0),
            reason: "Resource handler returned message: \"simulated failure\"",
            resource: "Resource1",
            resource_type: "AWS::SQS::Queue",
            stuck: Percent(0.0),
            no_changes: Percent(0.0),
            stale_reads: Length(Duration::ZERO),
            late_events: Length(Duration::ZERO),
        }
    }
}

/// What holds for one operation on a target.
#[derive(Debug, Clone)]
pub(super) struct CallRules {
    pub(super) role: Access,
    pub(super) down: Vec<Ends>,
    pub(super) latency: Ends,
    pub(super) throttled: Percent,
    pub(super) unavailable: Percent,
    pub(super) lost_requests: Percent,
    pub(super) lost_replies: Percent,
    /// The rule that limits the calls: those that it is about share a bucket in each account and region.
    pub(super) rate: Option<(usize, Rate)>,
}

impl CallRules {
    /// Returns whether nothing goes wrong with a call by chance.
    pub(super) fn is_calm(&self) -> bool {
        let chances = [
            self.throttled,
            self.unavailable,
            self.lost_requests,
            self.lost_replies,
        ];
        chances.iter().all(|percent| percent.0 == 0.0)
    }
}

impl Default for CallRules {
    fn default() -> Self {
        let none = Percent(0.0);
        Self {
            role: Access::Allowed,
            down: Vec::new(),
            latency: Ends(Duration::from_millis(80), Duration::from_millis(200)),
            throttled: none,
            unavailable: none,
            lost_requests: none,
            lost_replies: none,
            rate: None,
        }
    }
}

impl Default for Pattern {
    fn default() -> Self {
        let any = || "*".to_owned();
        Self {
            account: any(),
            region: any(),
        }
    }
}

impl Pattern {
    /// Returns whether `target` is meant.
    pub fn matches(&self, target: &Target) -> bool {
        is_like(&self.account, target.account.as_str())
            && is_like(&self.region, target.region.as_str())
    }
}

/// Returns whether `text` is like `pattern`, where `*` stands for any text.
fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    true
}

impl TryFrom<String> for Pattern {
    type Error = ScenarioError;
    fn try_from(text: String) -> Result<Self, ScenarioError> {
        let error = || ScenarioError::Pattern(clean(&text));
        let (account, region) = match text.split_once('/') {
            Some((account, region)) => (account, region),
            None if text.bytes().all(|b| b.is_ascii_digit() || b == b'*') => (text.as_str(), "*"),
            None => ("*", text.as_str()),
        };
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'*');
        let is_fine = |part: &str| !part.is_empty() && part.bytes().all(known);
        if !is_fine(account) || !is_fine(region) {
            return Err(error());
        }
        Ok(Self {
            account: account.to_owned(),
            region: region.to_owned(),
        })
    }
}

impl TryFrom<String> for Percent {
    type Error = ScenarioError;
    fn try_from(text: String) -> Result<Self, ScenarioError> {
        let number = text.strip_suffix('%').and_then(|n| n.trim().parse().ok());
        match number {
            Some(n) if (0.0..=100.0).contains(&n) => Ok(Self(n)),
            Some(_) | None => Err(ScenarioError::Percent(clean(&text))),
        }
    }
}

fn length(text: &str) -> Option<Duration> {
    let parsed: SignedDuration = text.trim().parse().ok()?;
    let length = Duration::try_from(parsed).ok()?;
    (length <= LONGEST).then_some(length)
}

fn resources<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    match Option::<u32>::deserialize(from)? {
        Some(many) if many > MOST_RESOURCES => Err(de::Error::custom(format!(
            "`resources: {many}`: a stack has at most {MOST_RESOURCES}"
        ))),
        count => Ok(count),
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.account, &*self.region) {
            ("*", region) => f.write_str(region),
            (account, "*") => f.write_str(account),
            (account, region) => write!(f, "{account}/{region}"),
        }
    }
}

impl TryFrom<String> for Length {
    type Error = ScenarioError;
    fn try_from(text: String) -> Result<Self, ScenarioError> {
        match length(&text) {
            Some(length) => Ok(Self(length)),
            None => Err(ScenarioError::Length(clean(&text))),
        }
    }
}

impl TryFrom<String> for Ends {
    type Error = ScenarioError;
    fn try_from(text: String) -> Result<Self, ScenarioError> {
        let (least, most) = text.split_once("..").unwrap_or((&text, &text));
        match (length(least), length(most)) {
            (Some(least), Some(most)) if least <= most => Ok(Self(least, most)),
            _ => Err(ScenarioError::Ends(clean(&text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountId, Region, StackName};

    fn target(account: &str, region: &str) -> Target {
        Target {
            account: AccountId::new(account).unwrap(),
            region: Region::new(region).unwrap(),
            stack: StackName::new("network").unwrap(),
        }
    }

    fn scenario(text: &str) -> Scenario {
        serde_yaml::from_str(text).unwrap()
    }

    #[test]
    fn a_pattern_names_a_region_an_account_or_both() {
        let ireland = target("111111111111", "eu-west-1");
        for (text, matches) in [
            ("*", true),
            ("eu-west-1", true),
            ("eu-*", true),
            ("*-west-*", true),
            ("eu-west-2", false),
            ("111111111111", true),
            ("1111*", true),
            ("222222222222", false),
            ("1111*/eu-west-1", true),
            ("*/us-east-1", false),
            ("eu-west", false),
        ] {
            let pattern = Pattern::try_from(text.to_owned()).unwrap();
            assert_eq!(pattern.matches(&ireland), matches, "{text}");
        }
        for text in ["", "/", "eu west 1", "1/"] {
            assert!(Pattern::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_later_rule_replaces_only_what_it_says() {
        let scenario = scenario(
            "rules: [{duration: 45s..2m, fails: 10%}, {targets: eu-west-1, fails: 30%, reason: full}]",
        );
        let there = target("111111111111", "eu-west-1");
        let rules = scenario.stack(&there);
        assert_eq!(rules.fails, Percent(30.0));
        assert_eq!(rules.reason, "full");
        let (least, most) = (Duration::from_secs(45), Duration::from_secs(120));
        assert_eq!(rules.duration, Some(Ends(least, most)));
        let elsewhere = target("111111111111", "us-east-1");
        assert_eq!(scenario.stack(&elsewhere).fails, Percent(10.0));
    }

    #[test]
    fn a_limit_is_for_the_calls_it_names() {
        let scenario =
            scenario("rules: [{rate: 10}, {calls: [CreateChangeSet], rate: 1, burst: 3}]");
        let target = target("111111111111", "eu-west-1");
        let rate = |operation| scenario.call(&target, operation).rate.unwrap();
        let (per_second, burst) = (1.0, 3.0);
        assert_eq!(rate("CreateChangeSet"), (1, Rate { per_second, burst }));
        assert_eq!(rate("DescribeStacks").0, 0);
    }

    #[test]
    fn what_cannot_be_understood_is_said_with_what_was_expected() {
        for (text, expected) in [
            ("rules: [{fails: many}]", "`many` is no share"),
            ("rules: [{fails: 130%}]", "`130%` is no share"),
            ("rules: [{duration: soon}]", "`soon` is neither a duration"),
            ("rules: [{duration: 2m..1m}]", "the shorter first"),
            ("rules: [{stale_reads: -1s}]", "`-1s` is no duration"),
            ("rules: [{targets: a b}]", "`a b` names no targets"),
            ("rules: [{role: maybe}]", "unknown variant `maybe`"),
            ("rules: [{failures: 3}]", "unknown field `failures`"),
        ] {
            let error = serde_yaml::from_str::<Scenario>(text).unwrap_err();
            assert!(error.to_string().contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn what_no_stack_can_have_is_refused_where_it_stands() {
        for (text, expected) in [
            ("rules:\n  - resources: 501", "at most 500"),
            ("rules:\n  - resource: not a name", "logical id"),
            ("rules:\n  - duration: 9000000h", "up to a year"),
        ] {
            let error = serde_yaml::from_str::<Scenario>(text).unwrap_err();
            assert!(error.to_string().contains(expected), "{text}: {error}");
            assert_eq!(error.location().unwrap().line(), 2, "{text}: {error}");
        }
        assert!(serde_yaml::from_str::<Scenario>("rules: [{resources: 500}]").is_ok());
    }

    #[test]
    fn chance_is_where_shares_or_lengths_leave_it_open() {
        for (rule, expected) in [
            ("{}", false),
            ("{fails: 100%, duration: 2m, down: 1m..2m}", false),
            ("{fails: 0%}", false),
            ("{fails: 30%}", true),
            ("{duration: 1m..2m}", true),
            ("{throttled: 1%}", true),
        ] {
            let scenario = scenario(&format!("rules: [{rule}]"));
            assert_eq!(scenario.is_by_chance(), expected, "{rule}");
        }
    }

    #[test]
    fn a_pattern_is_written_as_it_is_given() {
        for text in ["*", "eu-*", "111111111111", "1111*/eu-west-1"] {
            let pattern = Pattern::try_from(text.to_owned()).unwrap();
            assert_eq!(pattern.to_string(), text);
        }
    }
}
