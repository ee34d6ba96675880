//! A statement of a policy, as far as comparing needs it.

use serde_json::Value;

use super::pattern::{Letters, meeting, uncovered};
use super::who::{Limit, limit};
use crate::diff::value::to_text;

/// What a statement does with what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Effect {
    Allow,
    Deny,
    /// A function decides, which was not evaluated.
    Unknown,
}

/// Whether a statement lets anybody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::diff) enum Openness {
    Closed,
    /// What is known only at execution decides.
    Unknown,
    Open,
}

/// What a part of a statement names: those, or all but those.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Names {
    Only(Vec<String>),
    AllBut(Vec<String>),
}

/// A statement; names are sorted, so that their order means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub sid: Option<String>,
    pub effect: Effect,
    pub principals: Names,
    pub actions: Names,
    pub resources: Names,
    pub condition: Option<Value>,
}

impl Statement {
    /// Reads a statement; none where it is none.
    pub(super) fn of(value: &Value) -> Option<Self> {
        if value.get("Fn::If").is_some_and(has_effect) {
            // Which of its branches holds is not known: as a whole it is the same or another one.
            return Some(Self {
                sid: None,
                effect: Effect::Unknown,
                principals: Names::Only(Vec::new()),
                actions: Names::Only(vec![to_text(value)]),
                resources: Names::Only(Vec::new()),
                condition: None,
            });
        }
        let effect = match value.get("Effect")? {
            Value::String(text) if text == "Allow" => Effect::Allow,
            Value::String(text) if text == "Deny" => Effect::Deny,
            Value::Object(_) => Effect::Unknown,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                return None;
            }
        };
        let part = |name: &str, not: &str, read: fn(&Value) -> Vec<String>| match value.get(not) {
            Some(but) => Names::AllBut(read(but)),
            None => Names::Only(value.get(name).map(read).unwrap_or_default()),
        };
        let condition = value.get("Condition").cloned();
        Some(Self {
            sid: value
                .get("Sid")
                .and_then(Value::as_str)
                .filter(|sid| !sid.is_empty())
                .map(str::to_owned),
            effect,
            principals: part("Principal", "NotPrincipal", principals),
            actions: part("Action", "NotAction", texts),
            resources: part("Resource", "NotResource", texts),
            condition: condition.filter(|c| c.as_object().is_none_or(|c| !c.is_empty())),
        })
    }

    /// Returns whether it lets anybody in, without a condition that limits who.
    pub(super) fn openness(&self) -> Openness {
        let anybody = match &self.principals {
            Names::Only(names) => names.iter().any(|name| name == "*"),
            Names::AllBut(_) => true,
        };
        if self.effect == Effect::Deny || !anybody {
            return Openness::Closed;
        }
        match limit(self.condition.as_ref()) {
            Limit::Nobody => Openness::Open,
            Limit::Unknown => Openness::Unknown,
            Limit::Some => Openness::Closed,
        }
    }

    /// Returns it in one line, such as `Allow s3:GetObject on * to *`.
    pub(super) fn text(&self) -> String {
        let mut text = match self.effect {
            Effect::Allow => "Allow ".to_owned(),
            Effect::Deny => "Deny ".to_owned(),
            Effect::Unknown => "Allow or Deny ".to_owned(),
        };
        text.push_str(&self.actions.text());
        for (word, names) in [(" on ", &self.resources), (" to ", &self.principals)] {
            if !names.is_empty() {
                text.push_str(word);
                text.push_str(&names.text());
            }
        }
        if self.condition.is_some() {
            text.push_str(", on a condition");
        }
        text
    }
}

/// Returns whether a branch of a `Fn::If` is a statement or statements.
fn has_effect(branches: &Value) -> bool {
    let mut items = branches.as_array().into_iter().flatten();
    items.any(|branch| match branch {
        Value::Array(_) => has_effect(branch),
        branch => branch.get("Effect").is_some() || branch.get("Fn::If").is_some_and(has_effect),
    })
}

impl Names {
    fn is_empty(&self) -> bool {
        match self {
            Names::Only(names) => names.is_empty(),
            Names::AllBut(_) => false,
        }
    }

    /// Returns what it names.
    pub(super) fn text(&self) -> String {
        match self {
            Names::Only(names) => some(names, ", "),
            Names::AllBut(names) => format!("all but {}", some(names, ", ")),
        }
    }

    /// Returns what these names cover and `others` do not.
    pub(super) fn beyond(&self, others: &Self, letters: Letters) -> Vec<String> {
        match (self, others) {
            (Names::Only(mine), Names::Only(theirs)) => uncovered(mine, theirs, letters),
            // What they leave out and this does not.
            (Names::AllBut(mine), Names::AllBut(theirs)) => uncovered(theirs, mine, letters),
            (Names::AllBut(_), Names::Only(theirs)) if theirs.iter().any(|name| name == "*") => {
                Vec::new()
            }
            (Names::AllBut(_), Names::Only(_)) => vec![self.text()],
            (Names::Only(mine), Names::AllBut(left_out)) => meeting(mine, left_out, letters),
        }
    }
}

/// The most names that are told.
const TOLD: usize = 3;

/// Returns the first of `names`, and how many more there are.
pub(in crate::diff) fn some(names: &[String], separator: &str) -> String {
    let mut told: Vec<String> = names.iter().take(TOLD).cloned().collect();
    if let Some(more) = names.len().checked_sub(TOLD).filter(|more| *more > 0) {
        told.push(format!("and {more} more"));
    }
    told.join(separator)
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort_unstable();
    texts.dedup();
    texts
}

fn texts(value: &Value) -> Vec<String> {
    sorted(match value {
        Value::Array(items) => items.iter().map(to_text).collect(),
        one => vec![to_text(one)],
    })
}

/// Returns whom a `Principal` names; `*` and `{AWS: "*"}` are the same.
fn principals(value: &Value) -> Vec<String> {
    let Value::Object(kinds) = value else {
        return texts(value);
    };
    let named = kinds.iter().flat_map(|(kind, names)| {
        texts(names)
            .into_iter()
            .map(move |name| match kind.as_str() {
                "AWS" => name,
                kind => format!("{kind}:{name}"),
            })
    });
    sorted(named.collect())
}
