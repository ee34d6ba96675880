//! Whether a value is one that its parameter is declared to take.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::declaration::Position;
use super::declaration::{Constraints, ParameterDeclaration};
use super::node::{Entry, Node};
use super::secret::is_dynamic;
use super::source::Source;
use super::tree::Template;
use super::validate::{Diagnostic, Rule, meant};
use crate::model::nearest;

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

/// Where a value is given, and the value where it is known.
pub type Given = (String, Option<String>);

impl Template {
    /// Returns what is wrong with the values that files give the parameters, by name.
    pub fn given(&self, values: &BTreeMap<String, Given>) -> Vec<Diagnostic> {
        let source = Source::new(self.text(), Some(self.root()));
        let mut found = Vec::new();
        for (name, (place, _)) in values {
            if self.parameters().contains_key(name) {
                continue;
            }
            let message = format!("{place} gives parameter `{name}`, which is not declared");
            let start = Position { line: 1, column: 1 };
            let help = match nearest(name, self.parameters().keys().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "declare it in the template, or remove it there".to_owned(),
            };
            found.push(Diagnostic::error(Rule::UnknownName, source.at(start), message).help(help));
        }
        for declaration in self.parameters().values() {
            let name = &declaration.name;
            let span = || source.at(declaration.position);
            match values.get(name) {
                Some((place, Some(text))) if !declaration.no_echo => {
                    if let Some(unmet) = constraint(declaration, text) {
                        let what = unmet.what;
                        let message = format!("{place}: the value of parameter `{name}` {what}");
                        found
                            .push(Diagnostic::error(Rule::Value, span(), message).help(unmet.help));
                    }
                }
                // Secrets are given by other ways than files.
                None if declaration.default.is_none() && !declaration.no_echo => {
                    let message = format!("no file gives a value to parameter `{name}`");
                    let help = "give one in an override file, or with `--parameter`";
                    let one = Diagnostic::warning(Rule::Unresolved, span(), message);
                    found.push(one.help(help));
                }
                Some(_) | None => {}
            }
        }
        found
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_files_give_is_held_against_the_template() {
        let text = "Parameters:\n  Env: {Type: String, AllowedValues: [dev, prod]}\n  Zones: {Type: CommaDelimitedList, AllowedValues: [a, b]}\n  Image: {Type: 'AWS::SSM::Parameter::Value<String>', AllowedPattern: x}\n  Count: {Type: Number, MinValue: 2}\n  Gone: {Type: String}\n  Key: {Type: String, NoEcho: true}\n";
        let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
        let given = [
            ("Env", "prd"),
            ("Zones", "a, c"),
            ("Image", "/a"),
            ("Count", "1"),
            ("Evn", "dev"),
        ];
        let values =
            given.map(|(n, v)| (n.to_owned(), ("p/t.json:2".to_owned(), Some(v.to_owned()))));
        let found = template.given(&values.into());
        let told: Vec<_> = found
            .iter()
            .map(|one| {
                format!(
                    "{} {}",
                    one.message,
                    one.help.as_deref().unwrap_or_default()
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "p/t.json:2 gives parameter `Evn`, which is not declared did you mean `Env`?",
                "p/t.json:2: the value of parameter `Env` is none of the allowed values did you mean `prod`?",
                "p/t.json:2: the value of parameter `Zones` has an item that is none of the allowed values did you mean `a`?",
                "p/t.json:2: the value of parameter `Count` is less than 2 write 2 or more",
                "no file gives a value to parameter `Gone` give one in an override file, or with `--parameter`",
            ]
        );
    }
}
