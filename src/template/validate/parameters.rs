//! Parameters: types, constraints, and defaults that do not meet them.

use indexmap::IndexMap;

use super::super::constraint::{constraint, number};
use super::super::declaration::{Constraints, ParameterDeclaration};
use super::super::node::Entry;
use super::super::tree::is_no_echo;
use super::{Checker, Diagnostic, Rule};
use crate::model::nearest;

const KEYS: [&str; 11] = [
    "Type",
    "Default",
    "AllowedValues",
    "AllowedPattern",
    "ConstraintDescription",
    "Description",
    "MaxLength",
    "MinLength",
    "MaxValue",
    "MinValue",
    "NoEcho",
];

const TYPES: [&str; 14] = [
    "String",
    "Number",
    "List<Number>",
    "List<String>",
    "CommaDelimitedList",
    "AWS::SSM::Parameter::Name",
    "AWS::EC2::AvailabilityZone::Name",
    "AWS::EC2::Image::Id",
    "AWS::EC2::Instance::Id",
    "AWS::EC2::KeyPair::KeyName",
    "AWS::EC2::SecurityGroup::Id",
    "AWS::EC2::Subnet::Id",
    "AWS::EC2::VPC::Id",
    "AWS::Route53::HostedZone::Id",
];

/// Further ones that a list or the value of an SSM parameter may be of.
const OTHER_TYPES: [&str; 2] = ["AWS::EC2::SecurityGroup::GroupName", "AWS::EC2::Volume::Id"];

const MAX_VALUE_BYTES: usize = 4096;

impl<'t> Checker<'t> {
    pub(super) fn parameters(&mut self) {
        for (name, entry) in self.names.of("Parameters") {
            let what = format!("parameter `{name}`");
            let Some(keys) = self.expect_entries(&entry.value, &what) else {
                continue;
            };
            self.known_keys(keys, &KEYS, "parameter", &[]);
            let declared = match keys.get("Type") {
                None => {
                    let message = format!("parameter `{name}` has no `Type`");
                    let found = Diagnostic::error(Rule::Missing, self.key(entry), message);
                    self.say(found.help("add a type such as `String` or `Number`"));
                    continue;
                }
                Some(declared) => &declared.value,
            };
            let Some(parameter_type) = self.expect_text(declared, "`Type`") else {
                continue;
            };
            if !is_type(parameter_type) {
                let message = format!("`{parameter_type}` is no type of a parameter");
                let span = self.source.of(declared);
                let found = Diagnostic::error(Rule::ParameterType, span, message);
                let help = match nearest(parameter_type, TYPES) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "expected `String`, `Number`, `CommaDelimitedList`, `List<Number>`, \
                             `AWS::SSM::Parameter::Value<…>` or a type of AWS such as `AWS::EC2::VPC::Id`"
                        .to_owned(),
                };
                self.say(found.help(help));
                continue;
            }
            self.constraints(keys);
            self.default(name, parameter_type, keys);
        }
    }

    fn constraints(&mut self, keys: &'t IndexMap<String, Entry>) {
        for key in ["MinLength", "MaxLength", "MinValue", "MaxValue"] {
            let Some(node) = keys.get(key).map(|entry| &entry.value) else {
                continue;
            };
            let Some(text) = self.expect_text(node, &format!("`{key}`")) else {
                continue;
            };
            let is_number = match key {
                "MinLength" | "MaxLength" => text.parse::<u64>().is_ok(),
                _ => number(text).is_some(),
            };
            if !is_number {
                let message = format!("`{key}` is `{text}`, expected a number");
                let found = Diagnostic::error(Rule::Constraint, self.source.of(node), message);
                self.say(found.help("write a number"));
            }
        }
        for (least, most) in [("MinLength", "MaxLength"), ("MinValue", "MaxValue")] {
            let value = |key| number(keys.get(key)?.value.text()?);
            if let (Some(low), Some(high)) = (value(least), value(most))
                && low > high
                && let (Some(low), Some(high)) = (keys.get(least), keys.get(most))
            {
                let message =
                    format!("`{least}` is greater than `{most}`, so no value is possible");
                let found =
                    Diagnostic::error(Rule::Constraint, self.source.of(&low.value), message)
                        .related(self.source.of(&high.value), format!("`{most}`"));
                self.say(found.help("swap them"));
            }
        }
        if let Some(allowed) = keys.get("AllowedValues").map(|entry| &entry.value)
            && allowed.items().is_none()
            && !allowed.is_null()
        {
            let message = format!(
                "`AllowedValues` is {}, expected a list",
                allowed.kind_name()
            );
            let found = Diagnostic::error(Rule::Shape, self.source.of(allowed), message);
            self.say(found.help("write `[first, second]`"));
        }
    }

    fn default(&mut self, name: &str, parameter_type: &str, keys: &'t IndexMap<String, Entry>) {
        let Some(node) = keys.get("Default").map(|entry| &entry.value) else {
            return;
        };
        let Some(text) = self.expect_text(node, &format!("the default of parameter `{name}`"))
        else {
            return;
        };
        let is_secret = keys
            .get("NoEcho")
            .is_some_and(|entry| is_no_echo(&entry.value));
        let shown = if is_secret { "****" } else { text };
        let span = self.source.of(node);
        if is_secret && !text.is_empty() {
            let message =
                format!("the default of secret parameter `{name}` stands in the template");
            let found = Diagnostic::warning(Rule::SecretDefault, span.clone(), message);
            self.say(found.help("remove it and give the value with `--secret`"));
        }
        if text.len() > MAX_VALUE_BYTES {
            let message = format!(
                "the default of parameter `{name}` has {} bytes, expected {MAX_VALUE_BYTES} at most",
                text.len()
            );
            self.say(Diagnostic::error(Rule::Limit, span, message).help("shorten it"));
            return;
        }
        let declaration = ParameterDeclaration {
            name: name.to_owned(),
            parameter_type: parameter_type.to_owned(),
            default: None,
            no_echo: is_secret,
            constraints: Constraints::of(keys),
            position: node.position,
        };
        let Some(unmet) = constraint(&declaration, text) else {
            return;
        };
        let what = unmet.what;
        let message = format!("the default `{shown}` of parameter `{name}` {what}");
        let mut found = Diagnostic::error(Rule::Default, span, message);
        if let Some(entry) = keys.get(unmet.key) {
            let place = self.source.of(&entry.value);
            found = found.related(place, format!("`{}`", unmet.key));
        }
        self.say(found.help(unmet.help));
    }
}

fn is_type(text: &str) -> bool {
    let is_single = |text: &str| TYPES.contains(&text) || OTHER_TYPES.contains(&text);
    let inside = |text: &str, outer: &str| {
        let inner = text.strip_prefix(outer)?.strip_suffix('>')?;
        Some(inner.to_owned())
    };
    let is_plain = |text: &str| {
        is_single(text)
            || inside(text, "List<")
                .is_some_and(|inner| inner.starts_with("AWS::") && is_single(&inner))
    };
    is_plain(text)
        || inside(text, "AWS::SSM::Parameter::Value<").is_some_and(|inner| is_plain(&inner))
}
