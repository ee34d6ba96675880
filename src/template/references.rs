//! Which names a value uses: `Ref`, `Fn::GetAtt`, `Fn::Sub`, conditions, mappings.

use super::node::{Node, NodeKind, get_att, substitutions};

/// The use of a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reference<'t> {
    /// What is used.
    pub kind: ReferenceKind,
    /// Its name.
    pub name: &'t str,
    /// The text that holds the name.
    pub node: &'t Node,
    /// Whether a condition decides on the use.
    pub conditional: bool,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReferenceKind {
    /// A parameter, resource or pseudo parameter.
    Value,
    /// A resource.
    Attribute,
    /// A condition.
    Condition,
    /// A condition by `{Condition: name}`, which inside of properties may be something else.
    ConditionKey,
    /// A mapping.
    Mapping,
}

/// Returns every name that `node` uses, without those that a `Fn::ForEach` around it binds.
pub(super) fn references(node: &Node) -> Vec<Reference<'_>> {
    let mut walk = Walk {
        found: Vec::new(),
        bound: Vec::new(),
        conditional: 0,
    };
    walk.node(node);
    walk.found
}

/// Returns whether a name is complete only in a round of a `Fn::ForEach`.
pub(super) fn is_pattern(name: &str) -> bool {
    name.contains("${") || name.contains("&{")
}

/// Variable, collection and output of a `Fn::ForEach`.
pub(super) fn for_each(node: &Node) -> Option<(&str, &Node, &Node)> {
    match node.items()? {
        [variable, collection, output] => Some((variable.text()?, collection, output)),
        _ => None,
    }
}

struct Walk<'t> {
    found: Vec<Reference<'t>>,
    /// Variables of the loops around.
    bound: Vec<&'t str>,
    /// How many `Fn::If` are around.
    conditional: usize,
}

impl<'t> Walk<'t> {
    /// Recursion is as deep as the tree, which is bounded.
    fn node(&mut self, node: &'t Node) {
        if let Some((function, argument)) = node.intrinsic() {
            return self.function(function, argument);
        }
        match &node.kind {
            NodeKind::Scalar(_) => {}
            NodeKind::Sequence(items) => items.iter().for_each(|item| self.node(item)),
            NodeKind::Mapping(entries) => {
                for (key, entry) in entries {
                    match for_each(&entry.value) {
                        Some((variable, collection, output)) if key.starts_with("Fn::ForEach") => {
                            self.node(collection);
                            self.bound.push(variable);
                            self.node(output);
                            self.bound.pop();
                        }
                        Some(_) | None => self.node(&entry.value),
                    }
                }
            }
        }
    }

    fn function(&mut self, function: &str, argument: &'t Node) {
        match function {
            "Ref" => match argument.text() {
                Some(name) => self.add(ReferenceKind::Value, name, argument),
                None => self.node(argument),
            },
            "Condition" => {
                if let Some(name) = argument.text() {
                    self.add(ReferenceKind::ConditionKey, name, argument);
                }
            }
            "Fn::GetAtt" => {
                if let Some((resource, _)) = get_att(argument) {
                    let holder = argument.items().and_then(<[Node]>::first);
                    self.add(
                        ReferenceKind::Attribute,
                        resource,
                        holder.unwrap_or(argument),
                    );
                }
                for item in argument.items().into_iter().flatten().skip(1) {
                    self.node(item);
                }
            }
            "Fn::If" => {
                let Some((condition, branches)) = argument.items().and_then(<[Node]>::split_first)
                else {
                    return self.node(argument);
                };
                match condition.text() {
                    Some(name) => self.add(ReferenceKind::Condition, name, condition),
                    None => self.node(condition),
                }
                self.conditional += 1;
                branches.iter().for_each(|branch| self.node(branch));
                self.conditional -= 1;
            }
            "Fn::FindInMap" => {
                let items = argument.items().unwrap_or_default();
                if let Some(mapping) = items.first()
                    && let Some(name) = mapping.text()
                {
                    self.add(ReferenceKind::Mapping, name, mapping);
                }
                items.iter().for_each(|item| self.node(item));
            }
            "Fn::Sub" => {
                let (text, variables) = match argument.items() {
                    Some(items) => (items.first(), items.get(1)),
                    None => (Some(argument), None),
                };
                if let Some(node) = text
                    && let Some(text) = node.text()
                {
                    for name in substitutions(text) {
                        if variables.is_some_and(|variables| variables.value(name).is_some()) {
                            continue;
                        }
                        match name.split_once('.') {
                            Some((resource, _)) => {
                                self.add(ReferenceKind::Attribute, resource, node);
                            }
                            None => self.add(ReferenceKind::Value, name, node),
                        }
                    }
                }
                if let Some(variables) = variables {
                    self.node(variables);
                }
            }
            _ => self.node(argument),
        }
    }

    fn add(&mut self, kind: ReferenceKind, name: &'t str, node: &'t Node) {
        if self.bound.contains(&name) {
            return;
        }
        self.found.push(Reference {
            kind,
            name,
            node,
            conditional: self.conditional > 0,
        });
    }
}
