//! How the condition of a statement differs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::pattern::{Letters, uncovered};
use crate::diff::addresses::Block;
use crate::diff::value::to_text;

/// How a condition differs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    /// The operators and keys that are no longer asked for, such as `StringEquals aws:SourceArn`.
    pub gone: Vec<String>,
    /// Those that were not.
    pub added: Vec<String>,
    /// Whether a key that stays may be met by more than before.
    pub is_wider: bool,
    /// Whether a key that stays may be met by less than before.
    pub is_narrower: bool,
}

/// Compares two conditions. What cannot be told to be narrower counts as wider.
pub(super) fn compare(old: Option<&Value>, new: Option<&Value>) -> Conditions {
    let (before, after) = (asked(old), asked(new));
    let names = |mine: &Asked<'_>, others: &Asked<'_>| -> Vec<String> {
        let only_mine = mine.keys().filter(|asked| !others.contains_key(*asked));
        let text =
            |(operator, key): &(&str, &str)| format!("{operator} {key}").trim_end().to_owned();
        only_mine.map(text).collect()
    };
    let mut found = Conditions {
        gone: names(&before, &after),
        added: names(&after, &before),
        ..Conditions::default()
    };
    for ((operator, key), old) in before {
        let Some(new) = after.get(&(operator, key)) else {
            continue;
        };
        if old == *new {
            continue;
        }
        let (old, new) = (values(old), values(new));
        let (Some(old), Some(new)) = (old, new) else {
            (found.is_wider, found.is_narrower) = (true, true);
            continue;
        };
        let (gained, lost) = match Operator::of(operator) {
            Operator::Listed(test) => (test.beyond(&new, &old), test.beyond(&old, &new)),
            // Whatever is listed is kept out.
            Operator::NotListed(test) => (test.beyond(&old, &new), test.beyond(&new, &old)),
            Operator::Other => (old != new, old != new),
        };
        found.is_wider |= gained;
        found.is_narrower |= lost;
    }
    found
}

/// What a condition asks for: values by operator and key.
type Asked<'v> = BTreeMap<(&'v str, &'v str), &'v Value>;

fn asked(condition: Option<&Value>) -> Asked<'_> {
    let mut found = Asked::new();
    match condition {
        None => {}
        Some(Value::Object(operators)) => {
            for (operator, keys) in operators {
                match keys.as_object() {
                    Some(keys) => found.extend(
                        keys.iter()
                            .map(|(key, values)| ((operator.as_str(), key.as_str()), values)),
                    ),
                    None => drop(found.insert((operator, ""), keys)),
                }
            }
        }
        Some(other) => drop(found.insert(("Condition", ""), other)),
    }
    found
}

/// Returns the values of a key, unless a function makes them.
fn values(value: &Value) -> Option<Vec<String>> {
    let items = match value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    let is_plain = items.iter().all(|one| !one.is_object() && !one.is_array());
    let texts: BTreeSet<String> = items.into_iter().map(to_text).collect();
    is_plain.then(|| texts.into_iter().collect())
}

/// What an operator makes of its values.
enum Operator {
    /// One of them has to be met.
    Listed(Test),
    /// None of them may be met.
    NotListed(Test),
    /// Something else, such as an order of numbers.
    Other,
}

/// How a value is met.
#[derive(Clone, Copy)]
enum Test {
    Equal,
    EqualInAnyCase,
    Pattern,
    Address,
}

impl Operator {
    fn of(name: &str) -> Self {
        let name = name.rsplit(':').next().unwrap_or_default();
        let name = name.strip_suffix("IfExists").unwrap_or(name);
        match name {
            "StringEquals" | "NumericEquals" | "DateEquals" | "BinaryEquals" => {
                Self::Listed(Test::Equal)
            }
            "Bool" | "StringEqualsIgnoreCase" => Self::Listed(Test::EqualInAnyCase),
            "StringLike" | "ArnLike" | "ArnEquals" => Self::Listed(Test::Pattern),
            "IpAddress" => Self::Listed(Test::Address),
            "StringNotEquals" | "NumericNotEquals" | "DateNotEquals" => {
                Self::NotListed(Test::Equal)
            }
            "StringNotEqualsIgnoreCase" => Self::NotListed(Test::EqualInAnyCase),
            "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => Self::NotListed(Test::Pattern),
            "NotIpAddress" => Self::NotListed(Test::Address),
            _ => Self::Other,
        }
    }
}

/// Networks are looked for in each other up to so many pairs.
const MOST_PAIRS: usize = 1_000_000;

impl Test {
    /// Returns whether `values` may be met by something that `others` are not met by.
    fn beyond(self, values: &[String], others: &[String]) -> bool {
        let exact: BTreeSet<&String> = others.iter().collect();
        match self {
            Self::Equal => values.iter().any(|value| !exact.contains(value)),
            Self::EqualInAnyCase => {
                let others: BTreeSet<String> = others.iter().map(|o| o.to_lowercase()).collect();
                values.iter().any(|v| !others.contains(&v.to_lowercase()))
            }
            Self::Pattern => !uncovered(values, others, Letters::AsWritten).is_empty(),
            Self::Address => {
                let left = values.iter().filter(|value| !exact.contains(value));
                let left: Vec<&String> = left.collect();
                left.len().saturating_mul(others.len()) > MOST_PAIRS
                    || left
                        .iter()
                        .any(|value| !others.iter().any(|other| is_inside(value, other)))
            }
        }
    }
}

fn is_inside(inner: &str, outer: &str) -> bool {
    match (Block::of(inner), Block::of(outer)) {
        (Some(inner), Some(outer)) => outer.holds(&inner),
        (_, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_key_may_be_is_compared() {
        for (operator, old, new, wider, narrower) in [
            ("StringEquals", json!("o-1"), json!(["o-1"]), false, false),
            (
                "StringEquals",
                json!("o-1"),
                json!(["o-1", "o-2"]),
                true,
                false,
            ),
            (
                "StringEquals",
                json!(["o-1", "o-2"]),
                json!("o-2"),
                false,
                true,
            ),
            ("StringEquals", json!("a"), json!("*"), true, true),
            ("StringLike", json!("a"), json!("*"), true, false),
            (
                "ForAnyValue:StringLikeIfExists",
                json!("a*"),
                json!("ab"),
                false,
                true,
            ),
            ("ArnLike", json!("arn:a/B*"), json!("arn:a/b*"), true, true),
            (
                "StringNotEquals",
                json!(["a", "b"]),
                json!("a"),
                true,
                false,
            ),
            ("StringNotLike", json!("a"), json!("*"), false, true),
            (
                "IpAddress",
                json!("10.0.0.0/8"),
                json!("0.0.0.0/0"),
                true,
                false,
            ),
            (
                "IpAddress",
                json!("10.0.0.0/8"),
                json!("10.1.0.0/16"),
                false,
                true,
            ),
            (
                "NotIpAddress",
                json!("10.0.0.0/8"),
                json!("10.1.0.0/16"),
                true,
                false,
            ),
            ("Bool", json!(true), json!("True"), false, false),
            ("Bool", json!("true"), json!("false"), true, true),
            ("Null", json!("true"), json!("false"), true, true),
            ("NumericLessThan", json!(1), json!(2), true, true),
            (
                "StringEquals",
                json!({"Ref": "A"}),
                json!({"Ref": "B"}),
                true,
                true,
            ),
        ] {
            let on = |values: &Value| json!({operator: {"key": values}});
            let found = compare(Some(&on(&old)), Some(&on(&new)));
            let is = (found.is_wider, found.is_narrower);
            assert_eq!(is, (wider, narrower), "{operator} {old} {new}");
            assert!(found.gone.is_empty() && found.added.is_empty());
        }
    }
}
