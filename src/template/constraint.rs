//! Whether a value is one that its parameter is declared to take.

use indexmap::IndexMap;

use super::declaration::{Constraints, ParameterDeclaration};
use super::node::{Entry, Node};
use super::secret::is_dynamic;
use super::validate::meant;

/// A pattern that needs a larger program is left to CloudFormation.
const MAX_PATTERN_BYTES: usize = 1 << 17;

/// What a value does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The key of the declaration that says so.
    pub key: &'static str,
    /// What is wrong, to follow the name of the value; never the value itself.
    pub what: String,
    /// What to do.
    pub help: String,
}

impl Constraints {
    pub(super) fn of(keys: &IndexMap<String, Entry>) -> Self {
        let text = |key: &str| Some(keys.get(key)?.value.text()?.to_owned());
        let allowed = keys.get("AllowedValues").and_then(|e| e.value.items());
        let texts = |items: &[Node]| {
            items
                .iter()
                .filter_map(Node::text)
                .map(str::to_owned)
                .collect()
        };
        Self {
            allowed_values: allowed.map(texts),
            allowed_pattern: text("AllowedPattern"),
            min_length: text("MinLength"),
            max_length: text("MaxLength"),
            min_value: text("MinValue"),
            max_value: text("MaxValue"),
        }
    }
}

/// Returns the first constraint of `declaration` that `value` surely does not meet.
pub fn constraint(declaration: &ParameterDeclaration, value: &str) -> Option<Unmet> {
    let parameter_type = declaration.parameter_type.as_str();
    // What stands in an SSM parameter or behind a dynamic reference is not known, only its name is.
    if parameter_type.starts_with("AWS::SSM::") || is_dynamic(value) {
        return None;
    }
    let constraints = &declaration.constraints;
    let unmet = |key, what: String, help: String| Some(Unmet { key, what, help });
    let is_list = parameter_type.starts_with("List<") || parameter_type == "CommaDelimitedList";
    let values: Vec<&str> = if is_list {
        value.split(',').map(str::trim).collect()
    } else {
        vec![value]
    };
    let of_item = |what: &str| match is_list {
        true => format!("has an item that {what}"),
        false => what.to_owned(),
    };
    let is_number = matches!(parameter_type, "Number" | "List<Number>");
    if is_number && values.iter().any(|value| number(value).is_none()) {
        let what = of_item("is no number");
        return unmet("Type", what, "write a number, or change `Type`".to_owned());
    }
    if let Some(allowed) = &constraints.allowed_values {
        let same = |a: &str, b: &str| a == b || is_number && number(a) == number(b);
        let is_allowed = |value: &&str| allowed.iter().any(|one| same(value, one));
        if !is_allowed(&value)
            && let Some(other) = values.iter().find(|value| !is_allowed(value))
        {
            let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
            let help = if declaration.no_echo {
                "choose one of them".to_owned()
            } else {
                meant(other, &allowed)
            };
            let what = of_item("is none of the allowed values");
            return unmet("AllowedValues", what, help);
        }
    }
    if let Some(pattern) = &constraints.allowed_pattern
        && values
            .iter()
            .any(|value| matches(pattern, value) == Some(false))
    {
        let what = of_item("does not match the allowed pattern");
        let help = format!("the whole value has to match `{pattern}`");
        return unmet("AllowedPattern", what, help);
    }
    let limit = |text: &Option<String>| number(text.as_ref()?);
    if !is_list && !is_number {
        let length = value.chars().count() as f64;
        let has = match (declaration.no_echo, length) {
            (true, _) => "has another number of characters".to_owned(),
            (false, 1.0) => "has 1 character".to_owned(),
            (false, length) => format!("has {length} characters"),
        };
        if let Some(least) = limit(&constraints.min_length).filter(|least| length < *least) {
            let what = format!("{has}, expected {least} at least");
            return unmet("MinLength", what, "write a longer one".to_owned());
        }
        if let Some(most) = limit(&constraints.max_length).filter(|most| length > *most) {
            let what = format!("{has}, expected {most} at most");
            return unmet("MaxLength", what, "shorten it".to_owned());
        }
    }
    if is_number {
        let numbers = || values.iter().filter_map(|value| number(value));
        if let Some(least) =
            limit(&constraints.min_value).filter(|least| numbers().any(|n| n < *least))
        {
            let is = format!("is less than {least}");
            return unmet("MinValue", of_item(&is), format!("write {least} or more"));
        }
        if let Some(most) =
            limit(&constraints.max_value).filter(|most| numbers().any(|n| n > *most))
        {
            let is = format!("is greater than {most}");
            return unmet("MaxValue", of_item(&is), format!("write {most} or less"));
        }
    }
    None
}

pub(super) fn number(text: &str) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    number.is_finite().then_some(number)
}

/// Returns whether the pattern matches the whole value, where both engines surely agree; CloudFormation has Java's.
fn matches(pattern: &str, value: &str) -> Option<bool> {
    let has_set_operations = pattern.contains("&&") || pattern.contains("[[");
    if has_set_operations || !value.is_ascii() {
        return None;
    }
    let pattern = regex_lite::RegexBuilder::new(&format!("^(?:{pattern})$"))
        .size_limit(MAX_PATTERN_BYTES)
        .build()
        .ok()?;
    Some(pattern.is_match(value))
}
