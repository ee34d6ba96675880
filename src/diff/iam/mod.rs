//! Who may do what, before and after: policies, attachments and permissions of a resource.

mod compare;
mod condition;
mod pattern;
mod power;
mod statement;
mod who;

#[cfg(test)]
mod tests;

pub(super) use self::power::{Power, Reach};
pub(super) use self::statement::{Openness, some};
pub(super) use self::who::is_about_who;

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::{Value, json};

use self::compare::{Difference, compare};
use self::statement::Statement;
use super::declared::Sides;
use super::impact::ImpactKind;
use super::value::{from_text, to_text};

/// A change of what is permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Permission {
    pub kind: ImpactKind,
    /// Where and what, in one line.
    pub what: String,
    /// Whether somebody may do more than before.
    pub is_wider: bool,
    /// Whether anybody may more than before.
    pub openness: Openness,
}

/// Lists of types for identities whose members give permissions, and what a member is.
const ATTACHED: [(&str, &str); 6] = [
    ("ManagedPolicyArns", "managed policy"),
    ("ManagedPolicies", "managed policy"),
    ("Groups", "group"),
    ("Roles", "role"),
    ("Users", "user"),
    ("ClientIdList", "client"),
];

/// Returns how the permissions that the resource gives change.
pub(super) fn permissions(resource_type: &str, sides: &Sides<'_>) -> Vec<Permission> {
    let (before, after) = (sides.before.as_deref(), sides.after.as_deref());
    let mut old = policies(resource_type, before);
    let new = policies(resource_type, after);
    let mut found = Vec::new();
    for (place, statements) in new {
        let old = old.shift_remove(&place).unwrap_or_default();
        found.extend(told(&place, compare(&old, &statements)));
    }
    for (place, statements) in old {
        found.extend(told(&place, compare(&statements, &[])));
    }
    if resource_type.starts_with("AWS::IAM::") || resource_type == "AWS::SSO::PermissionSet" {
        for (property, word) in ATTACHED {
            attached(sides.was(property), sides.is(property), word, &mut found);
        }
        boundary(sides, &mut found);
    }
    // Only who is in the network, or in the organization, gets there at all.
    let is_inside = resource_type == "AWS::EC2::VPCEndpoint" || is_ceiling(resource_type);
    for one in found.iter_mut().filter(|_| is_inside) {
        one.openness = Openness::Closed;
    }
    found
}

/// Returns whether policies of the type limit what others give, and give nothing themselves.
fn is_ceiling(resource_type: &str) -> bool {
    resource_type.starts_with("AWS::Organizations::")
}

/// Returns what the resource gives on every resource that it did not give before.
pub(super) fn powers(resource_type: &str, sides: &Sides<'_>) -> Vec<Power> {
    if is_ceiling(resource_type) {
        return Vec::new();
    }
    let of = |properties: Option<&Value>| -> Vec<Power> {
        let policies = policies(resource_type, properties);
        let statements = policies.values().flatten();
        let mut found: Vec<Power> = statements.flat_map(power::powers).collect();
        for list in ["ManagedPolicyArns", "ManagedPolicies", "Policies"] {
            let list = properties.and_then(|properties| properties.get(list)?.as_array());
            found.extend(list.into_iter().flatten().filter_map(power::of_managed));
        }
        found
    };
    let (old, mut new) = (of(sides.before.as_deref()), of(sides.after.as_deref()));
    let mut told: HashSet<&str> = old.iter().map(|power| power.what.as_str()).collect();
    // Once, however many statements give it.
    let is_news: Vec<bool> = new.iter().map(|power| told.insert(&power.what)).collect();
    let mut is_news = is_news.into_iter();
    new.retain(|_| is_news.next().unwrap_or(true));
    new
}

fn told(place: &str, differences: Vec<Difference>) -> impl Iterator<Item = Permission> {
    differences.into_iter().map(move |one| Permission {
        what: match &one.sid {
            Some(sid) => format!("{place} {sid}: {}", one.what),
            None => format!("{place}: {}", one.what),
        },
        kind: one.kind,
        is_wider: one.is_wider,
        openness: one.openness,
    })
}

fn attached(old: Option<&Value>, new: Option<&Value>, word: &str, found: &mut Vec<Permission>) {
    let items = |value: Option<&Value>| -> Vec<String> {
        let items = value.and_then(Value::as_array);
        items.into_iter().flatten().map(to_text).collect()
    };
    let (old, new) = (items(old), items(new));
    let (was, is): (HashSet<&String>, HashSet<&String>) =
        (old.iter().collect(), new.iter().collect());
    for (names, others, kind) in [
        (&new, &was, ImpactKind::Added),
        (&old, &is, ImpactKind::Removed),
    ] {
        for name in names.iter().filter(|name| !others.contains(name)) {
            found.push(Permission {
                kind,
                what: format!("{word} {name}"),
                is_wider: kind == ImpactKind::Added,
                openness: Openness::Closed,
            });
        }
    }
}

/// A permissions boundary is a limit: without it, all that the policies allow is allowed.
fn boundary(sides: &Sides<'_>, found: &mut Vec<Permission>) {
    let name = "PermissionsBoundary";
    let (kind, what, is_wider) = match (sides.was(name), sides.is(name)) {
        (Some(old), None) if sides.after.is_some() => (
            ImpactKind::Removed,
            format!("permissions boundary {}", to_text(old)),
            true,
        ),
        (None, Some(new)) => (
            ImpactKind::Added,
            format!("permissions boundary {}", to_text(new)),
            false,
        ),
        (Some(old), Some(new)) if old != new => {
            let what = format!("permissions boundary is {} now", to_text(new));
            (ImpactKind::Changed, what, true)
        }
        (_, _) => return,
    };
    found.push(Permission {
        kind,
        what,
        is_wider,
        openness: Openness::Closed,
    });
}

/// Returns the statements of each policy of a resource, by where it is.
fn policies(resource_type: &str, properties: Option<&Value>) -> IndexMap<String, Vec<Statement>> {
    let mut found = IndexMap::new();
    let Some(properties) = properties else {
        return found;
    };
    if resource_type == "AWS::Lambda::Permission" {
        found.insert(
            "permission".to_owned(),
            lambda(properties).into_iter().collect(),
        );
    } else {
        collect(properties, &mut String::new(), &mut found);
    }
    found
}

/// A permission of a function is a statement of its policy.
fn lambda(properties: &Value) -> Option<Statement> {
    // The conditions that the service makes of them.
    let limits = [
        ("SourceArn", "ArnLike", "AWS:SourceArn"),
        ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
        ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
        (
            "EventSourceToken",
            "StringEquals",
            "lambda:EventSourceToken",
        ),
        (
            "FunctionUrlAuthType",
            "StringEquals",
            "lambda:FunctionUrlAuthType",
        ),
    ];
    let mut condition = json!({});
    for (name, operator, key) in limits {
        if let Some(value) = properties.get(name) {
            condition[operator][key] = value.clone();
        }
    }
    Statement::of(&json!({
        "Effect": "Allow",
        "Principal": properties.get("Principal")?,
        "Action": properties.get("Action")?,
        "Resource": properties.get("FunctionName")?,
        "Condition": condition,
    }))
}

fn collect(value: &Value, path: &mut String, found: &mut IndexMap<String, Vec<Statement>>) {
    match value {
        Value::Object(entries) => {
            let statements: Vec<Statement> = match entries.get("Statement") {
                Some(Value::Array(items)) => items.iter().filter_map(Statement::of).collect(),
                Some(one) => Statement::of(one).into_iter().collect(),
                None => Vec::new(),
            };
            if !statements.is_empty() {
                found.entry(path.clone()).or_default().extend(statements);
                return;
            }
            for (key, value) in entries {
                below(path, key, |path| collect(value, path, found));
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                // A policy that moves in the list is the same one.
                let name = item.get("PolicyName").and_then(Value::as_str);
                let name = name.map_or_else(|| at.to_string(), str::to_owned);
                below(path, &name, |path| collect(item, path, found));
            }
        }
        Value::String(text) if text.contains("\"Statement\"") => {
            let parsed = from_text(text);
            if parsed.is_object() {
                collect(&parsed, path, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn below(path: &mut String, key: &str, go: impl FnOnce(&mut String)) {
    let length = path.len();
    if key != "PolicyDocument" || path.is_empty() {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
    }
    go(path);
    path.truncate(length);
}
