//! Which values depend on a secret: a `NoEcho` parameter or a dynamic reference.
//!
//! Endpoints exist that return secrets in plain text, so masking goes by the template. Where the template
//! leaves a doubt, the value counts as secret.

use std::collections::{BTreeSet, HashSet};

use super::declaration::PathSegment;
use super::node::{Node, NodeKind, get_att, substitutions};
use super::path::is_attribute;
use super::tree::Template;
use crate::model::LogicalId;

/// How a value of a resource depends on secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Secrecy {
    /// No part of it does.
    Clear,
    /// It is a structure, and a part of it does.
    Below,
    /// It does as a whole.
    Whole,
}

impl Template {
    /// Returns whether the value at `path` or a part of it depends on a `NoEcho` parameter or on a dynamic
    /// reference. Paths are as in [`Template::property_position`]. A condition that only chooses between
    /// public values makes none of them secret.
    pub fn is_secret(&self, id: &LogicalId, path: &[PathSegment]) -> bool {
        self.secrecy(id, path) != Secrecy::Clear
    }

    /// Returns how the value at `path` depends on secrets.
    pub fn secrecy(&self, id: &LogicalId, path: &[PathSegment]) -> Secrecy {
        self.secrecy_in(id, path, Order::AsWritten)
    }

    /// Returns how a value depends on secrets that is not made from this template, so that the items of its lists may stand
    /// in another order: at each index it is the most that any item of the list does.
    pub fn secrecy_in_any_order(&self, id: &LogicalId, path: &[PathSegment]) -> Secrecy {
        self.secrecy_in(id, path, Order::Any)
    }

    fn secrecy_in(&self, id: &LogicalId, path: &[PathSegment], order: Order) -> Secrecy {
        let roots: Vec<&Node> = match self.resource_entry(id.as_str()) {
            Some(entry) => vec![&entry.value],
            None => self.generated(),
        };
        let properties = roots.iter().filter_map(|root| root.value("Properties"));
        let mut found = if path.is_empty() {
            self.walk(roots.clone(), path, order)
        } else {
            self.walk(properties.collect(), path, order)
        };
        if is_attribute(path) {
            found = found.or(self.walk(roots.clone(), path, order));
        }
        if !found.exists && self.has_macros() && self.makes_secrets(id) {
            return Secrecy::Whole;
        }
        found.secrecy
    }

    /// Returns the names of the outputs that depend on secrets.
    pub fn secret_outputs(&self) -> BTreeSet<String> {
        let outputs = self.section("Outputs").into_iter().flatten();
        outputs
            .filter(|(_, entry)| {
                // An output that a `Fn::ForEach` makes has a name that is not known here; what makes it
                // is listed instead, and nothing is lost: no output bears such a name.
                let value = entry.value.value("Value").unwrap_or(&entry.value);
                self.reaches_secret([value])
            })
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Returns the bodies of resources that `Fn::ForEach` makes, under whatever name.
    fn generated(&self) -> Vec<&Node> {
        let loops = self.section("Resources").into_iter().flatten();
        let mut bodies = Vec::new();
        let mut pending: Vec<&Node> = loops
            .filter(|(name, _)| name.starts_with("Fn::ForEach"))
            .map(|(_, entry)| &entry.value)
            .collect();
        while let Some(node) = pending.pop() {
            let Some(output) = node.items().and_then(<[Node]>::last) else {
                continue;
            };
            for (name, entry) in output.entries().into_iter().flatten() {
                if name.starts_with("Fn::ForEach") {
                    pending.push(&entry.value);
                } else {
                    bodies.push(&entry.value);
                }
            }
        }
        bodies
    }

    /// Returns whether a macro may make values and resources that are not in the text.
    pub fn has_macros(&self) -> bool {
        let Some(transform) = self.root().value("Transform") else {
            return false;
        };
        let is_macro = |node: &Node| node.text() != Some("AWS::LanguageExtensions");
        match transform.items() {
            Some(items) => items.iter().any(is_macro),
            None => is_macro(transform),
        }
    }

    /// Returns whether a stack made from it may have outputs: some are in the text, or a macro may add them.
    pub fn may_have_outputs(&self) -> bool {
        let sources = ["Outputs", "Transform", "Fn::Transform"];
        sources.iter().any(|name| self.root().value(name).is_some())
    }

    /// Returns whether what a macro makes of `id`, or makes beside it under a name that begins the same
    /// (SAM: `FunctionRole`), may hold a secret.
    fn makes_secrets(&self, id: &LogicalId) -> bool {
        let sources = self.section("Resources").into_iter().flatten();
        let sources = sources
            .filter(|(name, _)| id.as_str().starts_with(name.as_str()))
            .map(|(_, entry)| &entry.value);
        self.reaches_secret(sources.chain(self.root().value("Globals")))
    }

    /// Follows `path` from `roots`, into every branch that evaluation could take.
    fn walk<'t>(&'t self, roots: Vec<&'t Node>, path: &[PathSegment], order: Order) -> Found {
        let mut candidates = branches(roots);
        for segment in path {
            let mut next = Vec::new();
            for node in candidates {
                if node.intrinsic().is_some() {
                    // The value below is part of what the function returns.
                    if self.reaches_secret([node]) {
                        return Found::WHOLE;
                    }
                    continue;
                }
                match &node.kind {
                    NodeKind::Scalar(_) => {
                        if self.reaches_secret([node]) {
                            return Found::WHOLE;
                        }
                    }
                    NodeKind::Mapping(entries) => {
                        let number;
                        let key = match segment {
                            PathSegment::Key(key) => key,
                            PathSegment::Index(index) => {
                                number = index.to_string();
                                &number
                            }
                        };
                        if let Some(entry) = entries.get(key) {
                            next.push(&entry.value);
                            continue;
                        }
                        // `Fn::ForEach` and `Fn::Transform` make keys that are not in the text.
                        let makers = entries
                            .iter()
                            .filter(|(name, _)| name.starts_with("Fn::"))
                            .map(|(_, entry)| &entry.value);
                        if self.reaches_secret(makers) {
                            return Found::WHOLE;
                        }
                    }
                    NodeKind::Sequence(items) => match order {
                        Order::AsWritten => next.extend(items_at(items, segment)),
                        Order::Any => next.extend(items),
                    },
                }
            }
            candidates = branches(next);
        }
        let mut found = Found {
            exists: !candidates.is_empty(),
            secrecy: Secrecy::Clear,
        };
        for node in candidates {
            if self.reaches_secret([node]) {
                let is_whole = node.text().is_some() || node.intrinsic().is_some();
                let secrecy = if is_whole {
                    Secrecy::Whole
                } else {
                    Secrecy::Below
                };
                found.secrecy = found.secrecy.max(secrecy);
            }
        }
        found
    }

    /// Returns whether evaluating one of `nodes` can bring a secret into its value.
    fn reaches_secret<'t>(&'t self, nodes: impl IntoIterator<Item = &'t Node>) -> bool {
        let mut search = Search {
            template: self,
            pending: nodes.into_iter().collect(),
            seen: HashSet::new(),
        };
        search.run()
    }
}

/// How the items of a list stand to those of the template.
#[derive(Debug, Clone, Copy)]
enum Order {
    AsWritten,
    Any,
}

#[derive(Clone, Copy)]
struct Found {
    exists: bool,
    secrecy: Secrecy,
}

impl Found {
    const WHOLE: Found = Found {
        exists: true,
        secrecy: Secrecy::Whole,
    };

    fn or(self, other: Found) -> Found {
        Found {
            exists: self.exists || other.exists,
            secrecy: self.secrecy.max(other.secrecy),
        }
    }
}

/// Returns `nodes` with every `Fn::If` replaced by its branches.
fn branches(nodes: Vec<&Node>) -> Vec<&Node> {
    let mut pending = nodes;
    let mut result = Vec::new();
    while let Some(node) = pending.pop() {
        match node.intrinsic() {
            Some(("Fn::If", argument)) if argument.items().is_some() => {
                pending.extend(argument.items().into_iter().flatten().skip(1));
            }
            Some(_) | None => result.push(node),
        }
    }
    result
}

/// Returns the items that can stand at `segment` of the evaluated list.
fn items_at<'t>(items: &'t [Node], segment: &PathSegment) -> &'t [Node] {
    let index = match segment {
        PathSegment::Index(index) => Some(*index),
        PathSegment::Key(key) => key.parse().ok(),
    };
    let Some(index) = index.filter(|index| *index < items.len()) else {
        return items;
    };
    // An item that evaluates to `AWS::NoValue` vanishes, and what follows it moves up.
    let may_vanish = |item: &Node| {
        matches!(item.intrinsic(), Some(("Fn::If" | "Fn::Transform", _)))
            || matches!(item.intrinsic(), Some(("Ref", name)) if name.text() == Some("AWS::NoValue"))
    };
    let end = if items.iter().any(may_vanish) {
        items.len()
    } else {
        index + 1
    };
    items.get(index..end).unwrap_or(items)
}

/// A search through what values are made of. It has a list instead of recursion, since resources can
/// refer to each other in chains of any length.
struct Search<'t> {
    template: &'t Template,
    pending: Vec<&'t Node>,
    /// Resources and attributes that were followed.
    seen: HashSet<(&'t str, Option<&'t str>)>,
}

impl<'t> Search<'t> {
    fn run(&mut self) -> bool {
        while let Some(node) = self.pending.pop() {
            let is_secret = match (node.intrinsic(), &node.kind) {
                (Some((name, argument)), _) => self.function(name, argument),
                (None, NodeKind::Scalar(scalar)) => is_dynamic(&scalar.text),
                (None, NodeKind::Sequence(items)) => {
                    self.pending.extend(items);
                    false
                }
                (None, NodeKind::Mapping(entries)) => {
                    self.pending.extend(entries.values().map(|e| &e.value));
                    false
                }
            };
            if is_secret {
                return true;
            }
        }
        false
    }

    fn function(&mut self, name: &str, argument: &'t Node) -> bool {
        match name {
            "Condition" => false,
            "Ref" => match argument.text() {
                Some(name) => self.reference(name),
                None => self.has_secret_parameter(),
            },
            "Fn::GetAtt" => match get_att(argument) {
                Some((resource, attribute)) => self.attribute(resource, attribute),
                None => self.has_secret_parameter(),
            },
            "Fn::If" => {
                match argument.items() {
                    Some(items) => self.pending.extend(items.iter().skip(1)),
                    None => self.pending.push(argument),
                }
                false
            }
            "Fn::FindInMap" => {
                self.find_in_map(argument);
                false
            }
            "Fn::Sub" => {
                let (text, variables) = match argument.items() {
                    Some(items) => (items.first().and_then(Node::text), items.get(1)),
                    None => (argument.text(), None),
                };
                match text {
                    Some(text) => self.sub(text, variables),
                    None => self.has_secret_parameter(),
                }
            }
            _ => {
                self.pending.push(argument);
                false
            }
        }
    }

    fn sub(&mut self, text: &'t str, variables: Option<&'t Node>) -> bool {
        if is_dynamic(text) {
            return true;
        }
        let variable = |name: &str| variables.and_then(|variables| variables.value(name));
        substitutions(text).any(|name| match (variable(name), name.split_once('.')) {
            (Some(value), _) => {
                self.pending.push(value);
                false
            }
            (None, Some((resource, attribute))) => self.attribute(resource, Some(attribute)),
            (None, None) => self.reference(name),
        })
    }

    /// The keys choose a value and are not part of it; what can be chosen is.
    fn find_in_map(&mut self, argument: &'t Node) {
        let mappings = self.template.section("Mappings");
        let items = argument.items().unwrap_or_default();
        match items.first().and_then(Node::text) {
            Some(name) => {
                let named = mappings.and_then(|mappings| mappings.get(name));
                let mut values = named.map(|entry| &entry.value);
                for key in items.iter().skip(1).take(2) {
                    if let (Some(node), Some(key)) = (values, key.text())
                        && let Some(value) = node.value(key)
                    {
                        values = Some(value);
                    } else {
                        break;
                    }
                }
                self.pending.extend(values);
            }
            None => {
                let all = mappings.into_iter().flatten();
                self.pending.extend(all.map(|(_, entry)| &entry.value));
            }
        }
        // `DefaultValue` of the language extensions.
        self.pending.extend(items.iter().skip(3));
    }

    fn reference(&mut self, name: &'t str) -> bool {
        if name.contains("${") {
            // A name that a `Fn::ForEach` completes.
            return self.has_secret_parameter();
        }
        match self.template.parameters().get(name) {
            Some(parameter) => self.template.is_secret_parameter(parameter),
            None => {
                self.names(name);
                false
            }
        }
    }

    /// The physical id of a resource, and most of its attributes, hold its name.
    fn names(&mut self, resource: &'t str) {
        if !self.seen.insert((resource, None)) {
            return;
        }
        let properties = self
            .template
            .resource_entry(resource)
            .and_then(|entry| entry.value.value("Properties"))
            .and_then(Node::entries);
        for (key, entry) in properties.into_iter().flatten() {
            if key.ends_with("Name") || key.ends_with("Identifier") {
                self.pending.push(&entry.value);
            }
        }
    }

    /// An attribute of the name of a property returns the property. What nested stacks and custom resources
    /// return is not known, so it counts as made of all that goes in.
    fn attribute(&mut self, resource: &'t str, attribute: Option<&'t str>) -> bool {
        self.names(resource);
        let Some(node) = self.template.resource_entry(resource).map(|e| &e.value) else {
            return resource.contains("${") && self.has_secret_parameter();
        };
        let property = attribute.and_then(|attribute| attribute.split('.').next());
        if !self.seen.insert((resource, Some(property.unwrap_or("")))) {
            return false;
        }
        let resource_type = node.value("Type").and_then(Node::text).unwrap_or("");
        let is_opaque = property.is_none()
            || resource_type.starts_with("Custom::")
            || matches!(
                resource_type,
                "AWS::CloudFormation::CustomResource" | "AWS::CloudFormation::Stack"
            );
        let properties = node.value("Properties");
        let from = match property {
            Some(property) if !is_opaque => properties.and_then(|node| node.value(property)),
            Some(_) | None => properties,
        };
        self.pending.extend(from);
        false
    }

    fn has_secret_parameter(&self) -> bool {
        let mut parameters = self.template.parameters().values();
        parameters.any(|parameter| self.template.is_secret_parameter(parameter))
    }
}

/// Returns whether `text` holds a dynamic reference. The colon is left out: a `Fn::Join` may add the rest of the reference.
pub(super) fn is_dynamic(text: &str) -> bool {
    text.contains("{{resolve")
}

#[cfg(test)]
mod tests {
    use super::*;
    use PathSegment::{Index, Key};

    /// Returns the secrecy of the property `V` of resource `R`, and of paths below it.
    fn secrecy_in(head: &str, value: &str, below: &[PathSegment]) -> Secrecy {
        let text = format!(
            "Parameters:\n  Secret: {{Type: String, NoEcho: true}}\n  Public: {{Type: String}}\n  Dynamic: {{Type: String, Default: '{{{{resolve:ssm-secure:x}}}}'}}\n{head}\nResources:\n  Other:\n    Type: AWS::SSM::Parameter\n    Properties: {{Value: !Ref Secret, Description: x}}\n  Named:\n    Type: AWS::S3::Bucket\n    Properties: {{BucketName: !Sub 'b-${{Secret}}'}}\n  Nested:\n    Type: AWS::CloudFormation::Stack\n    Properties: {{Parameters: {{P: !Ref Secret}}}}\n  R:\n    Type: AWS::X::Y\n    Properties:\n      V: {value}\n"
        );
        let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
        let mut path = vec![Key("V".to_owned())];
        path.extend_from_slice(below);
        template.secrecy(&LogicalId::new("R").unwrap(), &path)
    }

    fn secrecy(value: &str) -> Secrecy {
        let head = "Mappings:\n  M: {a: {open: x, hidden: '{{resolve:secretsmanager:s}}'}}\n  N: {a: {open: y}}";
        secrecy_in(head, value, &[])
    }

    fn key(key: &str) -> PathSegment {
        Key(key.to_owned())
    }

    #[test]
    fn what_evaluates_to_a_secret_is_secret() {
        for value in [
            "!Ref Secret",
            "!Ref Dynamic",
            "!Sub 'a-${Secret}'",
            "!Sub ['a-${X}', {X: !Ref Secret}]",
            "!Join ['', [a, !Ref Secret]]",
            "!Select [0, !Split [',', !Ref Secret]]",
            "!If [Public, !Ref Secret, x]",
            "!If [Public, x, !If [Q, y, !Ref Secret]]",
            "{Fn::Base64: !Sub '${Secret}'}",
            "{Fn::Transform: {Name: M, Parameters: {A: !Ref Secret}}}",
            "'{{resolve:ssm:name}}'",
            "!Sub '{{resolve:ssm:${Public}}}'",
            "!Join ['', ['{{resolve', ':ssm:x}}']]",
            "!FindInMap [M, a, hidden]",
            "!FindInMap [M, !Ref Public, !Ref Public]",
            "!FindInMap [!Ref Public, a, open]",
            "!FindInMap [N, a, x, {DefaultValue: !Ref Secret}]",
            "!GetAtt Other.Value",
            "!GetAtt [Other, !Ref Public]",
            "!Sub '${Other.Value}'",
            "!Ref Named",
            "!GetAtt Named.Arn",
            "!GetAtt Nested.Outputs.X",
        ] {
            assert_eq!(secrecy(value), Secrecy::Whole, "{value}");
        }
        for value in [
            "[a, !Ref Secret]",
            "{A: {B: !Ref Secret}}",
            "{Condition: {A: !Ref Secret}}",
        ] {
            assert_eq!(secrecy(value), Secrecy::Below, "{value}");
        }
    }

    #[test]
    fn what_does_not_hold_a_secret_is_clear() {
        for value in [
            "x",
            "!Ref Public",
            "!Ref 'AWS::Region'",
            "!Ref Other",
            "!GetAtt Other.Type",
            "!GetAtt Other.Description",
            "!Sub 'a-${!Secret}-${Public}'",
            "!Sub ['${Secret}', {Secret: x}]",
            "!If [Secret, x, y]",
            "!FindInMap [M, a, open]",
            "!FindInMap [N, !Ref Secret, open]",
            "{A: [!Ref Public, {B: Secret}]}",
        ] {
            assert_eq!(secrecy(value), Secrecy::Clear, "{value}");
        }
    }

    #[test]
    fn secrecy_is_known_below_structures_and_functions() {
        let value = "{A: !Ref Secret, B: x, C: [x, !Ref Secret, y], D: !Split [',', !Ref Secret]}";
        let below = |path: &[PathSegment]| secrecy_in("", value, path);
        assert_eq!(below(&[key("A")]), Secrecy::Whole);
        assert_eq!(below(&[key("A"), key("deep"), Index(1)]), Secrecy::Whole);
        assert_eq!(below(&[key("B")]), Secrecy::Clear);
        assert_eq!(below(&[key("Nope")]), Secrecy::Clear);
        assert_eq!(below(&[key("C")]), Secrecy::Below);
        assert_eq!(below(&[key("C"), Index(0)]), Secrecy::Clear);
        assert_eq!(below(&[key("C"), Index(1)]), Secrecy::Whole);
        assert_eq!(
            below(&[key("C"), Index(9)]),
            Secrecy::Whole,
            "which one is not known"
        );
        assert_eq!(below(&[key("D"), Index(0)]), Secrecy::Whole);
    }

    #[test]
    fn items_behind_one_that_may_vanish_move_up() {
        let value = "[!If [A, {V: x}, !Ref 'AWS::NoValue'], {V: !Ref Secret}, {V: y}]";
        let at = |index| secrecy_in("", value, &[Index(index), key("V")]);
        assert_eq!(at(0), Secrecy::Whole);
        assert_eq!(at(1), Secrecy::Whole);
        assert_eq!(at(2), Secrecy::Clear);
    }

    #[test]
    fn loops_and_macros_do_not_hide_secrets() {
        let secrecy = |text: &str, id: &str, path: &[PathSegment]| {
            let text = format!("Parameters: {{S: {{Type: String, NoEcho: true}}}}\n{text}");
            let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
            template.secrecy(&LogicalId::new(id).unwrap(), path)
        };
        let each = "Resources:\n  Fn::ForEach::T: [N, [A], {'T${N}': {Type: T, Properties: {V: !Ref S, W: x}}}]\n";
        assert_eq!(secrecy(each, "TA", &[key("V")]), Secrecy::Whole);
        assert_eq!(secrecy(each, "TA", &[key("W")]), Secrecy::Clear);
        let each = "Resources:\n  R: {Type: T, Properties: {Fn::ForEach::P: [N, [A], {'P${N}': !Ref S}]}}\n";
        assert_eq!(secrecy(each, "R", &[key("PA")]), Secrecy::Whole);
        let sam = "Transform: AWS::Serverless-2016-10-31\nResources:\n  F: {Type: 'AWS::Serverless::Function', Properties: {A: !Ref S, B: x}}\n  G: {Type: T}\n";
        assert_eq!(secrecy(sam, "FRole", &[key("X")]), Secrecy::Whole);
        assert_eq!(secrecy(sam, "F", &[key("Other")]), Secrecy::Whole);
        assert_eq!(secrecy(sam, "F", &[key("B")]), Secrecy::Clear);
        assert_eq!(secrecy(sam, "G", &[key("X")]), Secrecy::Clear);
        let globals = sam.replace("Resources:", "Globals: {Function: {E: !Ref S}}\nResources:");
        assert_eq!(secrecy(&globals, "G", &[key("E")]), Secrecy::Whole);
    }

    #[test]
    fn attributes_beside_properties_are_followed() {
        let text = "Parameters: {S: {Type: String, NoEcho: true}}\nResources:\n  R: {Type: T, Metadata: {A: !Ref S}, Properties: {B: x}}\n";
        let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
        let id = LogicalId::new("R").unwrap();
        assert!(template.is_secret(&id, &[key("Metadata"), key("A")]));
        assert!(template.is_secret(&id, &[]));
        assert!(!template.is_secret(&id, &[key("B")]));
        assert!(!template.is_secret(&LogicalId::new("Nope").unwrap(), &[]));
    }

    #[test]
    fn parameters_can_be_secret_by_their_values() {
        let text =
            "Parameters: {P: {Type: String}}\nResources: {R: {Type: T, Properties: {A: !Ref P}}}\n";
        let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
        let id = LogicalId::new("R").unwrap();
        assert!(!template.is_secret(&id, &[key("A")]));
        let template = template.with_secret_parameters(["P".to_owned()]);
        assert!(template.is_secret(&id, &[key("A")]));
    }

    #[test]
    fn outputs_that_hold_secrets_are_known() {
        let text = "Parameters: {S: {Type: String, NoEcho: true}}\nOutputs:\n  A: {Value: !Sub 'x${S}'}\n  B: {Value: x}\n";
        let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
        assert_eq!(
            template.secret_outputs().into_iter().collect::<Vec<_>>(),
            ["A"]
        );
    }

    #[test]
    fn outputs_may_come_from_the_text_and_from_macros() {
        let resources = "Resources: {R: {Type: T}}\n";
        for (head, may) in [
            ("", false),
            ("Outputs: {A: {Value: x}}\n", true),
            ("Transform: AWS::Serverless-2016-10-31\n", true),
        ] {
            let text = format!("{head}{resources}");
            let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
            assert_eq!(template.may_have_outputs(), may, "{text}");
        }
    }

    #[test]
    fn chains_and_circles_of_references_end() {
        let mut text = String::from("Parameters: {S: {Type: String, NoEcho: true}}\nResources:\n");
        for n in 0..12_000 {
            text.push_str(&format!(
                "  R{n}: {{Type: T, Properties: {{V: !GetAtt R{}.V}}}}\n",
                n + 1
            ));
        }
        let circle = format!("{text}  R12000: {{Type: T, Properties: {{V: !GetAtt R0.V}}}}\n");
        let chain = format!("{text}  R12000: {{Type: T, Properties: {{V: !Ref S}}}}\n");
        let secret = |text: &str| {
            let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
            template.is_secret(&LogicalId::new("R0").unwrap(), &[key("V")])
        };
        assert!(!secret(&circle));
        assert!(secret(&chain));
    }
}
