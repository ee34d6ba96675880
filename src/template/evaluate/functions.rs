//! Intrinsic functions whose value can be known before anything is deployed.

use super::super::Position;
use super::super::node::{Entry, Node, NodeKind, Scalar, get_att};
use super::cidr::{Cut, cut};
use super::text::{base64, json, mentions_no_value};
use super::{
    Evaluator, Outcome, ParameterValue, UnresolvedKind, function_at, known_text, text_at, weight,
};

impl<'t> Evaluator<'t> {
    pub(super) fn function(&mut self, node: &'t Node, name: &str, argument: &'t Node) -> Outcome {
        let position = node.position;
        match name {
            "Ref" => return self.reference(node, argument),
            "Fn::If" => return self.choice(node, argument),
            "Fn::Sub" => return Outcome::Value(self.sub(node, argument)),
            "Condition" | "Fn::Transform" => return Outcome::Value(self.kept(node)),
            // Whether it is left out before the text is made is not documented.
            "Fn::ToJsonString" if mentions_no_value(argument) => {
                return Outcome::Value(self.kept(node));
            }
            "Fn::GetAtt" => return Outcome::Value(self.attribute(node, argument)),
            _ => {}
        }
        // What functions make of an argument without a value is not documented: that is for CloudFormation to judge.
        if self.has_no_value(argument) {
            let argument = self.with_no_values(argument);
            return Outcome::Value(function_at(position, name, argument));
        }
        let Outcome::Value(argument) = self.node(argument) else {
            return Outcome::Value(self.kept(node));
        };
        let known = match (name, argument.items()) {
            (_, _) if self.left == 0 => None,
            ("Fn::FindInMap", Some(items)) => self.find_in_map(node, items),
            ("Fn::Select", Some([index, list])) => self.select(node, index, list),
            ("Fn::Split", Some([separator, text])) => split(node, separator, text),
            ("Fn::Join", Some([separator, list])) => join(node, separator, list),
            ("Fn::Cidr", Some([block, count, bits])) => self.cidr(node, block, count, bits),
            ("Fn::Length", Some(items)) if self.has_extensions && !may_vanish(items) => {
                let mut length = text_at(position, items.len().to_string());
                if let NodeKind::Scalar(scalar) = &mut length.kind {
                    scalar.plain = true;
                }
                Some(length)
            }
            ("Fn::Base64", None) => base64(&argument).map(|text| text_at(position, text)),
            ("Fn::ToJsonString", _) if self.has_extensions => {
                json(&argument).map(|text| text_at(position, text))
            }
            (_, _) => None,
        };
        let known = known.filter(|known| self.affords(weight(known)));
        Outcome::Value(known.unwrap_or_else(|| function_at(position, name, argument)))
    }

    fn reference(&mut self, node: &'t Node, argument: &'t Node) -> Outcome {
        let position = node.position;
        let Some(written) = argument.text() else {
            let argument = self.with_no_values(argument);
            return Outcome::Value(function_at(position, "Ref", argument));
        };
        if let Some((_, value)) = self.variables.iter().rev().find(|(v, _)| *v == written) {
            return Outcome::Value(text_at(position, value.clone()));
        }
        let name = self.filled(written);
        if name == "AWS::NoValue" {
            return Outcome::NoValue;
        }
        let known = match self.parameters.get(name.as_str()) {
            Some(ParameterValue::List(items)) => Some(list_at(position, items)),
            Some(ParameterValue::Text(_)) | None => {
                self.text_named(&name).map(|text| text_at(position, text))
            }
        };
        if let Some(known) = known.filter(|known| self.affords(weight(known))) {
            return Outcome::Value(known);
        }
        self.is_there(node, &name);
        Outcome::Value(function_at(
            position,
            "Ref",
            text_at(argument.position, name),
        ))
    }

    fn attribute(&mut self, node: &'t Node, argument: &'t Node) -> Node {
        if let Some((resource, _)) = get_att(argument) {
            let resource = self.filled(resource);
            self.is_there(node, &resource);
        }
        let items = argument.items().unwrap_or_default();
        let items: Vec<Node> = items
            .iter()
            .map(|item| match item.text() {
                Some(text) => text_at(item.position, self.filled(text)),
                None => self.with_no_values(item),
            })
            .collect();
        if items.is_empty() {
            return self.kept(node);
        }
        let kind = NodeKind::Sequence(items);
        let position = argument.position;
        function_at(node.position, "Fn::GetAtt", Node { position, kind })
    }

    /// Says so if a resource is used that does not exist.
    fn is_there(&mut self, node: &Node, resource: &str) {
        if let Some(condition) = self.gone(resource) {
            let what = UnresolvedKind::Gone {
                resource: resource.to_owned(),
                condition: condition.to_owned(),
            };
            self.problem(node.position, what);
        }
    }

    /// Returns the text that a name stands for: a parameter, a pseudo parameter.
    fn text_named(&self, name: &str) -> Option<String> {
        let partition = self.known.partition.as_deref();
        let known = match name {
            "AWS::AccountId" => self.known.account.as_deref(),
            "AWS::Region" => self.known.region.as_deref(),
            "AWS::StackName" => self.known.stack_name.as_deref(),
            "AWS::Partition" => partition,
            "AWS::URLSuffix" => match partition {
                Some("aws" | "aws-us-gov") => Some("amazonaws.com"),
                Some("aws-cn") => Some("amazonaws.com.cn"),
                Some(_) | None => None,
            },
            name => match self.parameters.get(name) {
                Some(ParameterValue::Text(text)) => Some(*text),
                Some(ParameterValue::List(_)) | None => None,
            },
        };
        known.map(str::to_owned)
    }

    fn choice(&mut self, node: &'t Node, argument: &'t Node) -> Outcome {
        let Some([condition, then, otherwise]) = argument.items() else {
            return Outcome::Value(self.kept(node));
        };
        let name = condition.text().map(|name| self.filled(name));
        match name.as_deref().and_then(|name| self.condition_named(name)) {
            Some(true) => self.node(then),
            Some(false) => self.node(otherwise),
            None => {
                // Both are worked out as far as possible; problems in them may never come to be.
                let problems = self.problems.len();
                let mut items = vec![self.text_node(condition)];
                for branch in [then, otherwise] {
                    items.push(match self.node(branch) {
                        Outcome::Value(value) => value,
                        Outcome::NoValue => no_value(branch),
                    });
                }
                self.problems.truncate(problems);
                let kind = NodeKind::Sequence(items);
                let position = argument.position;
                Outcome::Value(function_at(
                    node.position,
                    "Fn::If",
                    Node { position, kind },
                ))
            }
        }
    }

    fn sub(&mut self, node: &'t Node, argument: &'t Node) -> Node {
        let (text_node, variables) = match argument.items() {
            Some([text, variables]) => match variables.entries() {
                Some(entries) => (text, Some(entries)),
                None => return self.kept(node),
            },
            Some(_) => return self.kept(node),
            None => (argument, None),
        };
        let Some(text) = text_node.text() else {
            return self.kept(node);
        };
        let mut left = indexmap::IndexMap::new();
        for (name, entry) in variables.into_iter().flatten() {
            let value = self.with_no_values(&entry.value);
            let position = entry.position;
            left.insert(name.clone(), Entry { position, value });
        }
        // The text as it is if all is known, and the text that goes on being one of `Fn::Sub`.
        let (mut whole, mut open) = (String::new(), String::new());
        let mut is_known = true;
        let mut rest = text;
        let mut used = Vec::new();
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, behind)) = after.split_once('}') else {
                return self.kept(node);
            };
            whole.push_str(before);
            open.push_str(before);
            rest = behind;
            if let Some(literal) = name.strip_prefix('!') {
                whole.push_str(&format!("${{{literal}}}"));
                open.push_str(&format!("${{{name}}}"));
                continue;
            }
            let loop_value = self.variables.iter().rev().find(|(v, _)| *v == name);
            let value = match (left.get(name), loop_value) {
                (Some(entry), _) => known_text(&entry.value).map(str::to_owned),
                (None, Some((_, value))) => Some(value.clone()),
                (None, None) => self.text_named(name),
            };
            match value.filter(|value| self.affords(value.len())) {
                Some(value) if !value.contains(['$', '{']) => {
                    whole.push_str(&value);
                    open.push_str(&value);
                }
                Some(value) if is_known => {
                    // It would be substituted once more if it stayed in the text of a function.
                    whole.push_str(&value);
                    open.push_str(&format!("${{{name}}}"));
                    used.push(name.to_owned());
                }
                Some(_) | None => {
                    is_known = false;
                    open.push_str(&format!("${{{name}}}"));
                    used.push(name.to_owned());
                    if !left.contains_key(name) {
                        let resource = name.split('.').next().unwrap_or(name);
                        self.is_there(node, resource);
                    }
                }
            }
        }
        whole.push_str(rest);
        open.push_str(rest);
        if is_known {
            return text_at(node.position, whole);
        }
        left.retain(|name, _| used.contains(name));
        // A name that stays and that a value has brought would mean something else.
        let text = text_at(text_node.position, open);
        let argument = if left.is_empty() {
            text
        } else {
            let position = argument.position;
            let variables = Node {
                position,
                kind: NodeKind::Mapping(left),
            };
            let kind = NodeKind::Sequence(vec![text, variables]);
            Node { position, kind }
        };
        function_at(node.position, "Fn::Sub", argument)
    }

    fn find_in_map(&mut self, node: &Node, items: &[Node]) -> Option<Node> {
        let [mapping, first, second, options @ ..] = items else {
            return None;
        };
        let (mapping, first, second) = (
            known_text(mapping)?,
            known_text(first)?,
            known_text(second)?,
        );
        if [first, second].into_iter().any(may_be_other_key) {
            return None;
        }
        let mappings = self.root.value("Mappings")?;
        let is_rewritten = |node: &Node| {
            let mut keys = node
                .entries()
                .into_iter()
                .flat_map(indexmap::IndexMap::keys);
            keys.any(|key| key.starts_with("Fn::"))
        };
        if is_rewritten(mappings) {
            return None;
        }
        let default = match options {
            [] => None,
            [options] => Some(options.value("DefaultValue")?),
            _ => return None,
        };
        let named = mappings.value(mapping)?;
        if is_rewritten(named) {
            return None;
        }
        let keys = named.value(first);
        if keys.is_some_and(is_rewritten) {
            return None;
        }
        let value = keys.and_then(|keys| keys.value(second)).or(default);
        let Some(value) = value else {
            let what = UnresolvedKind::NoMappingKey {
                mapping: mapping.to_owned(),
                first: first.to_owned(),
                second: second.to_owned(),
            };
            self.problem(node.position, what);
            return None;
        };
        let position = node.position;
        let kind = value.kind.clone();
        Some(Node { position, kind })
    }

    fn cidr(&mut self, node: &Node, block: &Node, count: &Node, bits: &Node) -> Option<Node> {
        let block = known_text(block)?;
        match cut(block, known_text(count)?, known_text(bits)?) {
            Cut::Blocks(blocks) => Some(list_at(node.position, &blocks)),
            Cut::Refused(why) => {
                let block = block.to_owned();
                self.problem(node.position, UnresolvedKind::NoBlocks { block, why });
                None
            }
            Cut::Unknown => None,
        }
    }

    fn select(&mut self, node: &Node, index: &Node, list: &Node) -> Option<Node> {
        let index: usize = known_text(index)?.parse().ok()?;
        let items = list.items()?;
        if may_vanish(items) {
            return None;
        }
        match items.get(index) {
            Some(item) if !item.is_null() => Some(item.clone()),
            Some(_) => None,
            None => {
                let length = items.len();
                self.problem(node.position, UnresolvedKind::NoItem { index, length });
                None
            }
        }
    }

    /// Returns an argument worked out, in which what has no value says so in its place.
    fn with_no_values(&mut self, node: &'t Node) -> Node {
        if let Some(items) = node.items() {
            let items = items.iter().map(|item| self.with_no_values(item));
            let kind = NodeKind::Sequence(items.collect());
            let position = node.position;
            return Node { position, kind };
        }
        match self.node(node) {
            Outcome::Value(value) => value,
            Outcome::NoValue => no_value(node),
        }
    }

    /// Returns whether an argument, or an item of a list in it, is as if it had not been written: what functions
    /// make of that is not documented.
    fn has_no_value(&self, argument: &Node) -> bool {
        let items = argument.items().unwrap_or(std::slice::from_ref(argument));
        let nested = items
            .iter()
            .flat_map(|item| item.items().unwrap_or_default());
        items
            .iter()
            .chain(nested)
            .any(|item| self.is_no_value(item))
    }

    fn is_no_value(&self, node: &Node) -> bool {
        match (
            node.intrinsic(),
            node.intrinsic().and_then(|(_, argument)| argument.items()),
        ) {
            (Some(("Ref", name)), _) => name.text() == Some("AWS::NoValue"),
            (Some(("Fn::If", _)), Some([condition, then, otherwise])) => {
                match condition.text().and_then(|name| self.condition_named(name)) {
                    Some(true) => self.is_no_value(then),
                    Some(false) => self.is_no_value(otherwise),
                    None => false,
                }
            }
            (_, _) => false,
        }
    }
}

/// Returns whether one of the items may turn out to be none, or several.
fn may_vanish(items: &[Node]) -> bool {
    fn may(item: &Node) -> bool {
        match item.intrinsic() {
            Some(("Fn::If", argument)) => {
                argument.items().is_none_or(|items| items.iter().any(may))
            }
            Some(("Ref", name)) => name.text().is_none_or(|name| name == "AWS::NoValue"),
            Some(("Fn::Transform", _)) => true,
            Some(_) | None => item
                .entries()
                .is_some_and(|entries| entries.keys().any(|k| k.starts_with("Fn::ForEach"))),
        }
    }
    items.iter().any(may)
}

fn list_at(position: Position, texts: &[impl AsRef<str>]) -> Node {
    let items = texts.iter().map(|text| text_at(position, text.as_ref()));
    let kind = NodeKind::Sequence(items.collect());
    Node { position, kind }
}

fn split(node: &Node, separator: &Node, text: &Node) -> Option<Node> {
    let (separator, text) = (known_text(separator)?, known_text(text)?);
    if separator.is_empty() || text.contains("{{resolve") {
        return None;
    }
    let parts: Vec<&str> = text.split(separator).collect();
    Some(list_at(node.position, &parts))
}

fn join(node: &Node, separator: &Node, list: &Node) -> Option<Node> {
    let separator = known_text(separator)?;
    let texts: Vec<&str> = list
        .items()?
        .iter()
        .map(known_text)
        .collect::<Option<_>>()?;
    Some(text_at(node.position, texts.join(separator)))
}

/// Returns whether a key of this text means something else if it is written without quotes, which a tree does not tell.
fn may_be_other_key(key: &str) -> bool {
    let scalar = Scalar {
        text: key.to_owned(),
        plain: true,
        bytes: 0..0,
    };
    scalar.ambiguity().is_some()
}

fn no_value(node: &Node) -> Node {
    function_at(node.position, "Ref", text_at(node.position, "AWS::NoValue"))
}
