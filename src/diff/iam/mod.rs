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
use self::statement::{Statement, is_unknown};
use super::declared::Sides;
use super::impact::ImpactKind;
use super::unknown::{Scope, branches, function};
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
    let mut old = policies(resource_type, before, sides.scope);
    let new = policies(resource_type, after, sides.scope);
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

/// Returns what the resource gives on every resource that it did not give before, or not so far.
pub(super) fn powers(resource_type: &str, sides: &Sides<'_>) -> Vec<Power> {
    if is_ceiling(resource_type) {
        return Vec::new();
    }
    let of = |properties: Option<&Value>| -> Vec<Power> {
        let policies = policies(resource_type, properties, sides.scope);
        let statements = policies.values().flatten();
        let mut found: Vec<Power> = statements.flat_map(power::powers).collect();
        for list in ["ManagedPolicyArns", "ManagedPolicies", "Policies"] {
            let list = properties.and_then(|properties| properties.get(list)?.as_array());
            let of_managed = |policy| power::of_managed(policy, sides.scope);
            found.extend(list.into_iter().flatten().filter_map(of_managed));
        }
        found
    };
    // Once, however many statements give it: the one that reaches farthest counts.
    let farthest = |powers: Vec<Power>| {
        let mut found: IndexMap<String, Reach> = IndexMap::new();
        for Power { reach, what } in powers {
            let known = found.entry(what).or_insert(reach);
            *known = reach.max(*known);
        }
        found
    };
    let old = farthest(of(sides.before.as_deref()));
    let new = farthest(of(sides.after.as_deref())).into_iter();
    let new = new.filter(|(what, reach)| old.get(what).is_none_or(|was| was < reach));
    new.map(|(what, reach)| Power { reach, what }).collect()
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
fn policies(
    resource_type: &str,
    properties: Option<&Value>,
    scope: Scope<'_>,
) -> IndexMap<String, Vec<Statement>> {
    let mut found = IndexMap::new();
    let Some(properties) = properties else {
        return found;
    };
    if let Some(resource) = PERMISSIONS.iter().find(|(of, _)| *of == resource_type) {
        let statement = permission(properties, resource.1, scope);
        found.insert("permission".to_owned(), statement.into_iter().collect());
    }
    collect(properties, &mut String::new(), scope, &mut found);
    found
}

/// Types that are a statement of the policy of something else, and the property that names it.
pub(super) const PERMISSIONS: [(&str, &str); 3] = [
    ("AWS::Events::EventBusPolicy", "EventBusName"),
    ("AWS::Lambda::LayerVersionPermission", "LayerVersionArn"),
    ("AWS::Lambda::Permission", "FunctionName"),
];

/// A permission of a function, a layer or an event bus is a statement of its policy.
fn permission(properties: &Value, resource: &str, scope: Scope<'_>) -> Option<Statement> {
    // The conditions that the service makes of them.
    let limits = [
        ("OrganizationId", "StringEquals", "aws:PrincipalOrgID"),
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
    // That of an event bus is written as one.
    if let Some(written) = properties.get("Condition") {
        let text = |name: &str| written.get(name).and_then(Value::as_str);
        match (text("Type"), text("Key")) {
            (Some(operator), Some(key)) => condition[operator][key] = written["Value"].clone(),
            (_, _) => condition = written.clone(),
        }
    }
    let statement = json!({
        "Effect": "Allow",
        "Principal": properties.get("Principal")?,
        "Action": properties.get("Action")?,
        // An event bus without a name is the default one.
        "Resource": properties.get(resource).unwrap_or(&Value::from("default")),
        "Condition": condition,
    });
    Statement::of(&statement, scope)
}

/// Properties that are a policy, or the text of one.
pub(super) const DOCUMENTS: [&str; 12] = [
    "AccessPolicies",
    "AccessPolicy",
    "AssumeRolePolicyDocument",
    "FileSystemPolicy",
    "InlinePolicy",
    "KeyPolicy",
    "PermissionsPolicyDocument",
    "Policy",
    "PolicyDocument",
    "PolicyText",
    "RepositoryPolicyText",
    "ResourcePolicy",
];

/// Returns whether a policy is not known as a whole, or in one of the branches of a function.
fn hides_policy(value: &Value) -> bool {
    match (value, function(value)) {
        (_, Some(("Fn::If", argument))) => branches(argument).any(hides_policy),
        (_, Some(("Fn::ToJsonString", argument))) => hides_policy(argument),
        (_, Some(("Fn::Sub", Value::String(text)))) => !from_text(text).is_object(),
        (Value::String(text), None) => {
            !from_text(text).is_object() && (is_unknown(value) || text.contains("\"Statement\""))
        }
        (_, _) => is_unknown(value),
    }
}

fn collect(
    value: &Value,
    path: &mut String,
    scope: Scope<'_>,
    found: &mut IndexMap<String, Vec<Statement>>,
) {
    match value {
        Value::Object(entries) => {
            let statements: Vec<Statement> = match entries.get("Statement") {
                Some(Value::Array(items)) => {
                    let items = items.iter();
                    items.filter_map(|one| Statement::of(one, scope)).collect()
                }
                Some(one) => Statement::of(one, scope).into_iter().collect(),
                None => Vec::new(),
            };
            if !statements.is_empty() {
                found.entry(path.clone()).or_default().extend(statements);
                return;
            }
            for (key, value) in entries {
                below(path, key, |path| {
                    if DOCUMENTS.contains(&key.as_str()) && hides_policy(value) {
                        let unknown = Statement::unknown(value, Openness::Unknown);
                        found.entry(path.clone()).or_default().push(unknown);
                    }
                    collect(value, path, scope, found);
                });
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                // A policy that moves in the list is the same one.
                let name = item.get("PolicyName").and_then(Value::as_str);
                let name = name.map_or_else(|| at.to_string(), str::to_owned);
                below(path, &name, |path| collect(item, path, scope, found));
            }
        }
        Value::String(text) if text.contains("\"Statement\"") => {
            let parsed = from_text(text);
            if parsed.is_object() {
                collect(&parsed, path, scope, found);
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
