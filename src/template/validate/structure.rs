//! Sections, declarations and their keys, limits.

use std::collections::{BTreeMap, btree_map};

use super::super::node::{Entry, Node, NodeKind};
use super::super::references::{for_each, is_pattern};
use super::super::scalar::Ambiguity;
use super::{Checker, Diagnostic, Rule};
use crate::model::nearest;

const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Transform",
    "Resources",
    "Outputs",
    "Hooks",
];

/// Sections of declarations, with what one is called and how many there may be.
const DECLARATIONS: [(&str, &str, usize); 6] = [
    ("Parameters", "parameter", 200),
    ("Rules", "rule", usize::MAX),
    ("Mappings", "mapping", 200),
    ("Conditions", "condition", usize::MAX),
    ("Resources", "resource", 500),
    ("Outputs", "output", 200),
];

const RESOURCE_KEYS: [&str; 9] = [
    "Type",
    "Properties",
    "Metadata",
    "DependsOn",
    "Condition",
    "CreationPolicy",
    "UpdatePolicy",
    "DeletionPolicy",
    "UpdateReplacePolicy",
];

const OUTPUT_KEYS: [&str; 4] = ["Description", "Value", "Export", "Condition"];

const MAX_NAME: usize = 255;
const MAX_DESCRIPTION: usize = 1024;
const MAX_MAPPING_KEYS: usize = 200;
const MAX_DYNAMIC_REFERENCES: usize = 60;

impl<'t> Checker<'t> {
    pub(super) fn structure(&mut self) {
        let Some(sections) = self.expect_entries(self.root, "the template") else {
            return;
        };
        for (name, entry) in sections {
            if !SECTIONS.contains(&name.as_str()) && !self.names.has_macros {
                let message = format!("`{name}` is no section of a template");
                let found = Diagnostic::error(Rule::UnknownSection, self.key(entry), message);
                let help = match nearest(name, SECTIONS) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!(
                        "sections are {}",
                        SECTIONS.map(|s| format!("`{s}`")).join(", ")
                    ),
                };
                self.say(found.help(help));
            }
        }
        self.head();
        self.nulls(self.root);
        for (section, kind, limit) in DECLARATIONS {
            self.declarations(section, kind, limit);
        }
        if let Some(section) = self.names.section("Mappings") {
            for (name, entry) in section {
                self.mapping(name, entry);
            }
        }
        if let Some(section) = self.names.section("Resources") {
            for (id, entry) in section {
                self.resource_or_loop(id, entry);
            }
        }
        for (name, entry) in self.names.of("Outputs") {
            self.output(name, entry);
        }
        self.exports();
        if !self.is_json {
            for section in ["Parameters", "Mappings", "Resources", "Outputs"] {
                if let Some(node) = self.root.value(section) {
                    self.ambiguous(node);
                }
            }
        }
    }

    fn head(&mut self) {
        if let Some(node) = self.root.value("AWSTemplateFormatVersion")
            && let Some(text) = self.expect_text(node, "`AWSTemplateFormatVersion`")
            && text != "2010-09-09"
        {
            let message = format!("`{text}` is no version of the template format");
            let found = Diagnostic::error(Rule::FormatVersion, self.source.of(node), message);
            self.say(found.help("there is one: `2010-09-09`"));
        }
        if let Some(node) = self.root.value("Description")
            && let Some(text) = self.expect_text(node, "`Description`")
            && text.len() > MAX_DESCRIPTION
        {
            let message = format!(
                "the description has {} bytes, expected {MAX_DESCRIPTION} at most",
                text.len()
            );
            let found = Diagnostic::error(Rule::Limit, self.source.of(node), message);
            self.say(found.help("shorten it, or move the rest to a comment"));
        }
        let has_resources = self
            .root
            .value("Resources")
            .is_some_and(|node| node.entries().is_none_or(|entries| !entries.is_empty()));
        if !has_resources && !self.names.has_macros {
            let entry = self.root.entries().and_then(|e| e.get("Resources"));
            let position = entry.map_or(self.root.position, |entry| entry.position);
            let found = Diagnostic::error(
                Rule::NoResources,
                self.source.at(position),
                "the template has no resources",
            );
            self.say(found.help("declare one in `Resources`"));
        }
        let mut references = 0;
        if let Some(node) = self.root.value("Resources") {
            dynamic(node, &mut references);
        }
        if references > MAX_DYNAMIC_REFERENCES {
            let message = format!(
                "the template has {references} dynamic references, expected {MAX_DYNAMIC_REFERENCES} at most"
            );
            let entry = self.root.entries().and_then(|e| e.get("Resources"));
            let position = entry.map_or(self.root.position, |entry| entry.position);
            let found = Diagnostic::error(Rule::Limit, self.source.at(position), message);
            self.say(found.help("split it, for example into nested stacks"));
        }
    }

    /// Says of every null: CloudFormation takes none, wherever it is.
    fn nulls(&mut self, node: &'t Node) {
        match &node.kind {
            NodeKind::Scalar(_) => {}
            NodeKind::Sequence(items) => {
                for item in items {
                    if item.is_null() {
                        self.null(self.source.of(item));
                    } else {
                        self.nulls(item);
                    }
                }
            }
            NodeKind::Mapping(entries) => {
                for entry in entries.values() {
                    if entry.value.is_null() {
                        self.null(self.key(entry));
                    } else {
                        self.nulls(&entry.value);
                    }
                }
            }
        }
    }

    fn null(&mut self, span: super::Span) {
        let found = Diagnostic::error(Rule::Null, span, "there is no value, expected one");
        self.say(found.help("write a value, `''` for an empty text, or remove the key"));
    }

    fn declarations(&mut self, section: &str, kind: &str, limit: usize) {
        let Some(node) = self.root.value(section) else {
            return;
        };
        let Some(entries) = self.expect_entries(node, &format!("`{section}`")) else {
            return;
        };
        for (index, (name, entry)) in self.names.of(section).enumerate() {
            if index == limit {
                let count = self.names.of(section).count();
                let message = format!("the template has {count} {kind}s, expected {limit} at most");
                let found = Diagnostic::error(Rule::Limit, self.key(entry), message);
                self.say(found.help("split it, for example into nested stacks"));
            }
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
                let message = format!(
                    "the name of {kind} `{name}` has other characters than A-Z, a-z and 0-9"
                );
                let found = Diagnostic::error(Rule::Name, self.key(entry), message);
                self.say(found.help("use letters and digits alone"));
            } else if name.len() > MAX_NAME {
                let message = format!(
                    "the name of this {kind} has {} characters, expected {MAX_NAME} at most",
                    name.len()
                );
                let found = Diagnostic::error(Rule::Limit, self.key(entry), message);
                self.say(found.help("shorten it"));
            }
        }
        for (name, entry) in entries {
            if name.starts_with("Fn::ForEach") {
                self.for_each(entry);
            }
        }
    }

    fn for_each(&mut self, entry: &'t Entry) {
        let is_loop =
            for_each(&entry.value).is_some_and(|(_, _, output)| output.entries().is_some());
        if !is_loop && !entry.value.is_null() {
            let message = "a loop has a variable, a collection and what it makes";
            let found = Diagnostic::error(Rule::Arguments, self.key(entry), message);
            self.say(found.help("write it as `[Name, [a, b], {'Key${Name}': …}]`"));
        }
    }

    fn mapping(&mut self, name: &str, entry: &'t Entry) {
        if name.starts_with("Fn::") {
            return;
        }
        let Some(keys) = self.expect_entries(&entry.value, &format!("mapping `{name}`")) else {
            return;
        };
        if keys.len() > MAX_MAPPING_KEYS {
            let message = format!(
                "mapping `{name}` has {} keys, expected {MAX_MAPPING_KEYS} at most",
                keys.len()
            );
            let found = Diagnostic::error(Rule::Limit, self.key(entry), message);
            self.say(found.help("split it into several"));
        }
        for (key, entry) in keys {
            if key.starts_with("Fn::") {
                continue;
            }
            let what = format!("`{key}` of mapping `{name}`");
            let Some(values) = self.expect_entries(&entry.value, &what) else {
                continue;
            };
            for (value, entry) in values {
                let is_value = match &entry.value.kind {
                    NodeKind::Scalar(_) => true,
                    NodeKind::Sequence(items) => items.iter().all(|item| item.text().is_some()),
                    NodeKind::Mapping(_) => value.starts_with("Fn::"),
                };
                if !is_value {
                    let message = format!(
                        "`{value}` of mapping `{name}` is {}, expected a text or a list of texts",
                        entry.value.kind_name()
                    );
                    let found = Diagnostic::error(Rule::Shape, self.key(entry), message);
                    self.say(found.help("a mapping has two levels of keys and no functions"));
                }
            }
        }
    }

    fn resource_or_loop(&mut self, id: &str, entry: &'t Entry) {
        if id.starts_with("Fn::ForEach") {
            let made = for_each(&entry.value).and_then(|(_, _, output)| output.entries());
            for (id, entry) in made.into_iter().flatten() {
                self.resource_or_loop(id, entry);
            }
        } else if !id.starts_with("Fn::") {
            self.resource(id, entry);
        }
    }

    fn resource(&mut self, id: &str, entry: &'t Entry) {
        let Some(keys) = self.expect_entries(&entry.value, &format!("resource `{id}`")) else {
            return;
        };
        self.known_keys(keys, &RESOURCE_KEYS, "resource", &["Version", "Connectors"]);
        match keys.get("Type") {
            None if keys.keys().any(|key| key.starts_with("Fn::")) => {}
            None => {
                let message = format!("resource `{id}` has no `Type`");
                let found = Diagnostic::error(Rule::Missing, self.key(entry), message);
                self.say(found.help("add a type such as `AWS::SQS::Queue`"));
            }
            Some(declared) => {
                if let Some(text) = self.expect_text(&declared.value, "`Type`")
                    && !is_type(text)
                {
                    let message = format!("`{text}` is no type of a resource");
                    let span = self.source.of(&declared.value);
                    let found = Diagnostic::error(Rule::Value, span, message);
                    self.say(found.help("write `Provider::Service::Resource`, or `Custom::Name`"));
                }
            }
        }
        if let Some(properties) = keys.get("Properties") {
            self.expect_entries(&properties.value, "`Properties`");
        }
        let policies = [
            (
                "DeletionPolicy",
                &["Delete", "Retain", "RetainExceptOnCreate", "Snapshot"][..],
            ),
            ("UpdateReplacePolicy", &["Delete", "Retain", "Snapshot"][..]),
        ];
        for (name, allowed) in policies {
            let Some(policy) = keys.get(name).map(|entry| &entry.value) else {
                continue;
            };
            if policy.intrinsic().is_some() {
                if !self.names.has_extensions && !self.names.has_macros {
                    let message = format!("`{name}` is a function, which needs a transform");
                    let span = self.source.of(policy);
                    let found = Diagnostic::error(Rule::NeedsTransform, span, message);
                    self.say(
                        found.help("add `Transform: AWS::LanguageExtensions`, or write a text"),
                    );
                }
            } else if let Some(text) = self.expect_text(policy, &format!("`{name}`"))
                && !allowed.contains(&text)
                && !is_pattern(text)
            {
                let message = format!("`{text}` is no `{name}`");
                let found = Diagnostic::error(Rule::Value, self.source.of(policy), message);
                self.say(found.help(meant(text, allowed)));
            }
        }
    }

    fn output(&mut self, name: &str, entry: &'t Entry) {
        let Some(keys) = self.expect_entries(&entry.value, &format!("output `{name}`")) else {
            return;
        };
        self.known_keys(keys, &OUTPUT_KEYS, "output", &[]);
        if !keys.contains_key("Value") && !keys.keys().any(|key| key.starts_with("Fn::")) {
            let message = format!("output `{name}` has no `Value`");
            let found = Diagnostic::error(Rule::Missing, self.key(entry), message);
            self.say(found.help("add what it returns, such as `Value: !Ref Queue`"));
        }
        if let Some(value) = keys.get("Value") {
            self.output_value(name, &value.value);
        }
        if let Some(export) = keys.get("Export")
            && let Some(inside) = self.expect_entries(&export.value, "`Export`")
            && !inside.contains_key("Name")
        {
            let message = format!("the export of output `{name}` has no `Name`");
            let found = Diagnostic::error(Rule::Missing, self.key(export), message);
            self.say(found.help("write `Export: {Name: …}`"));
        }
    }

    /// Says of what certainly is no text: CloudFormation takes nothing else.
    fn output_value(&mut self, name: &str, value: &'t Node) {
        let is = match (value.intrinsic(), &value.kind) {
            (Some(("Fn::Split" | "Fn::GetAZs" | "Fn::Cidr", _)), _) => "a list",
            (Some(("Ref", parameter)), _) if self.is_list_parameter(parameter) => "a list",
            (None, NodeKind::Sequence(_)) => "a list",
            (None, NodeKind::Mapping(_)) => "a mapping",
            (Some(_), _) | (None, NodeKind::Scalar(_)) => return,
        };
        if self.names.has_macros {
            return;
        }
        let message = format!("the value of output `{name}` is {is}, expected a text");
        let found = Diagnostic::error(Rule::Shape, self.source.of(value), message);
        self.say(found.help("return one value, or join them: `!Join [',', …]`"));
    }

    fn is_list_parameter(&self, name: &Node) -> bool {
        let entry = name
            .text()
            .and_then(|name| self.names.get("Parameters", name));
        let declared = entry.and_then(|entry| entry.value.value("Type")?.text());
        declared.is_some_and(|declared| declared.contains("List"))
    }

    /// Says of outputs that are exported under one name. Those that have another condition may exclude each other.
    fn exports(&mut self) {
        let mut known: BTreeMap<(&str, Option<&str>), &'t Node> = BTreeMap::new();
        for (output, entry) in self.names.of("Outputs") {
            let export = entry.value.value("Export");
            let Some(node) = export.and_then(|export| export.value("Name")) else {
                continue;
            };
            let Some(name) = node.text().filter(|_| !node.is_null()) else {
                continue;
            };
            let condition = entry.value.value("Condition").and_then(Node::text);
            match known.entry((name, condition)) {
                btree_map::Entry::Vacant(place) => {
                    place.insert(node);
                }
                btree_map::Entry::Occupied(first) => {
                    let message =
                        format!("output `{output}` is exported as `{name}`, as another one is");
                    let span = self.source.of(node);
                    let found = Diagnostic::error(Rule::Value, span, message)
                        .related(self.source.of(first.get()), "first here");
                    self.say(found.help("give each export a name of its own"));
                }
            }
        }
    }

    /// Says of keys that mean nothing; those of `others` do with a macro, or are kept by CloudFormation.
    pub(super) fn known_keys(
        &mut self,
        keys: &'t indexmap::IndexMap<String, Entry>,
        known: &[&str],
        kind: &str,
        others: &[&str],
    ) {
        for (key, entry) in keys {
            let is_known = known.contains(&key.as_str()) || others.contains(&key.as_str());
            if is_known || key.starts_with("Fn::") || self.names.has_macros {
                continue;
            }
            let message = format!("`{key}` means nothing in a {kind}");
            let found = Diagnostic::error(Rule::UnknownKey, self.key(entry), message);
            let mut help = meant(key, known);
            if kind == "resource" && nearest(key, known.iter().copied()).is_none() {
                help = "if it is a property, move it below `Properties`".to_owned();
            }
            self.say(found.help(help));
        }
    }

    /// Says of texts without quotes that may be read as something else.
    fn ambiguous(&mut self, node: &'t Node) {
        match &node.kind {
            NodeKind::Scalar(scalar) => {
                let Some(ambiguity) = scalar.ambiguity() else {
                    return;
                };
                let text = &scalar.text;
                let message = format!("`{text}` can be read as {}", ambiguity.reading());
                let found = Diagnostic::warning(Rule::Ambiguous, self.source.of(node), message);
                let help = match ambiguity {
                    Ambiguity::Boolean => {
                        format!("write `'{text}'` for the text, else `true` or `false`")
                    }
                    Ambiguity::Octal
                    | Ambiguity::Base
                    | Ambiguity::Sexagesimal
                    | Ambiguity::Separators
                    | Ambiguity::Exponent
                    | Ambiguity::TrailingZero
                    | Ambiguity::Float => format!("write `'{text}'` for the text"),
                };
                self.say(found.help(help));
            }
            NodeKind::Sequence(items) => items.iter().for_each(|item| self.ambiguous(item)),
            NodeKind::Mapping(entries) => {
                for (key, entry) in entries {
                    if key != "Metadata" && key != "Description" {
                        self.ambiguous(&entry.value);
                    }
                }
            }
        }
    }
}

/// Returns what was probably meant, or what is possible.
pub(in super::super) fn meant(text: &str, known: &[&str]) -> String {
    match nearest(text, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => {
            let known: Vec<String> = known.iter().map(|one| format!("`{one}`")).collect();
            format!("expected one of {}", known.join(", "))
        }
    }
}

fn is_type(text: &str) -> bool {
    let parts: Vec<&str> = text.split("::").collect();
    let is_part = |part: &&str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_@-".contains(&b))
    };
    let least = if parts.first() == Some(&"Custom") {
        2
    } else {
        3
    };
    parts.len() >= least && parts.iter().all(is_part) || is_pattern(text)
}

fn dynamic(node: &Node, count: &mut usize) {
    match &node.kind {
        NodeKind::Scalar(scalar) => *count += scalar.text.matches("{{resolve:").count(),
        NodeKind::Sequence(items) => items.iter().for_each(|item| dynamic(item, count)),
        NodeKind::Mapping(entries) => {
            entries
                .values()
                .for_each(|entry| dynamic(&entry.value, count));
        }
    }
}
