//! What is not known before execution: values that only it brings, secrets, and functions that were not evaluated.

use serde_json::Value;

use super::mask::{MASK, MASK_CHANGED};
use super::value::MARKER;
use crate::template::Template;

/// The template that functions in values are of, which says what they refer to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scope<'a> {
    pub template: Option<&'a Template>,
}

impl<'a> Scope<'a> {
    /// Returns the type of the resource that a `Ref` or `Fn::GetAtt` is about, and the attribute.
    pub(super) fn referred<'v>(
        &self,
        function: &str,
        argument: &'v Value,
    ) -> Option<(&'a str, Option<&'v str>)> {
        let (name, attribute) = match (function, argument) {
            ("Ref", Value::String(name)) => (name.as_str(), None),
            ("Fn::GetAtt", Value::String(text)) => {
                let (name, attribute) = text.split_once('.')?;
                (name, Some(attribute))
            }
            ("Fn::GetAtt", Value::Array(parts)) => {
                let [name, attribute] = &parts[..] else {
                    return None;
                };
                (name.as_str()?, Some(attribute.as_str()?))
            }
            (_, _) => return None,
        };
        let resources = self.template?.resources();
        Some((resources.get(name)?.resource_type.as_str(), attribute))
    }
}

/// Returns the name and the argument of a function that was not evaluated, if the value is one.
pub(super) fn function(value: &Value) -> Option<(&str, &Value)> {
    let entries = value.as_object().filter(|entries| entries.len() == 1)?;
    let (name, argument) = entries.iter().next()?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name, argument))
}

/// Returns whether the value stands for none at all.
pub(super) fn is_nothing(value: &Value) -> bool {
    function(value).is_some_and(|(name, of)| name == "Ref" && of == "AWS::NoValue")
}

/// Returns the values that a `Fn::If` has for a true and a false condition.
pub(super) fn branches(argument: &Value) -> impl Iterator<Item = &Value> {
    let branches = argument.as_array().into_iter().flatten().skip(1);
    branches.filter(|branch| !is_nothing(branch))
}

/// Returns whether a part of a text is a secret, or known only at execution.
pub(super) fn is_open_text(text: &str) -> bool {
    text.contains(MARKER) || text.contains(MASK) || text.contains("{{resolve:")
}

/// Returns whether a value is not known, at least in part.
pub(super) fn is_open(value: &Value) -> bool {
    match value {
        Value::String(text) => is_open_text(text),
        Value::Object(entries) => function(value).is_some() || entries.values().any(is_open),
        Value::Array(items) => items.iter().any(is_open),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Returns what is known of a text: all but secrets, values of execution and variables.
pub(super) fn known_part(text: &str) -> String {
    let mut known = text.to_owned();
    for unknown in [MASK_CHANGED, MASK, MARKER] {
        known = known.replace(unknown, "");
    }
    for (begin, end) in [("{{resolve:", "}}"), ("${", "}")] {
        let (mut left, mut rest) = (String::new(), known.as_str());
        while let Some((before, after)) = rest.split_once(begin) {
            let Some((_, after)) = after.split_once(end) else {
                break;
            };
            left.push_str(before);
            rest = after;
        }
        left.push_str(rest);
        known = left;
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_known_is_told_from_what_is() {
        for (value, wanted) in [
            (json!(MASK), true),
            (json!(MASK_CHANGED), true),
            (json!(format!("arn:{MARKER}")), true),
            (json!("{{resolve:ssm:/x}}"), true),
            (json!([{"a": {"Ref": "X"}}]), true),
            (json!({"Fn::GetAtt": "A.B"}), true),
            (json!({"Referer": "x", "a": "*"}), false),
        ] {
            assert_eq!(is_open(&value), wanted, "{value}");
        }
        for (text, wanted) in [
            ("a${B}c${D}", "ac"),
            ("****", ""),
            ("**** (changed)", ""),
            ("{{resolve:ssm:/x}}:root", ":root"),
            ("${open", "${open"),
        ] {
            assert_eq!(known_part(text), wanted, "{text}");
        }
    }
}
