//! What a template is at one target: what is known there is filled in, what will not exist there is gone, and the rest
//! stays as the function that it is, which CloudFormation works out.
//!
//! It never guesses. Where CloudFormation's way is not documented, a function stays; so does everything where a macro may
//! still rewrite it.

mod cidr;
mod conditions;
mod functions;
#[cfg(test)]
mod invention;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, HashMap};

use indexmap::IndexMap;

use super::Position;
use super::node::{Entry, Node, NodeKind, Scalar};
use super::references::for_each;
use super::scalar::ScalarValue;
use super::source::Source;
use super::tree::Template;
use super::validate::{Diagnostic, Rule};

/// What is known of a target. What is left out stays a function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Values of parameters, as texts.
    pub parameters: BTreeMap<String, String>,
    /// The account's id.
    pub account: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The partition, such as `aws`.
    pub partition: Option<String>,
    /// The stack's name.
    pub stack_name: Option<String>,
}

/// A template as it is at a target.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The tree. Functions in it are known after they were applied.
    pub root: Node,
    /// What CloudFormation would not be able to work out, either.
    pub problems: Vec<Unresolved>,
}

/// A value that exists nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// Where it is used.
    pub position: Position,
    /// What it is.
    pub what: UnresolvedKind,
}

/// Why a value exists nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnresolvedKind {
    /// A mapping has no such key, and there is no default.
    #[error("mapping `{mapping}` has no value for `{first}` and `{second}`")]
    NoMappingKey {
        /// The mapping.
        mapping: String,
        /// The first key.
        first: String,
        /// The second key.
        second: String,
    },
    /// A resource is used whose condition is false.
    #[error("resource `{resource}` does not exist there, since condition `{condition}` is false")]
    Gone {
        /// The resource.
        resource: String,
        /// Its condition.
        condition: String,
    },
    /// A list is too short.
    #[error("the list has {length} items and none with number {index}, counted from 0")]
    NoItem {
        /// The number.
        index: usize,
        /// How many items there are.
        length: usize,
    },
    /// Blocks of addresses that cannot be cut.
    #[error("`Fn::Cidr` cannot cut `{block}` so: {why}")]
    NoBlocks {
        /// The block that they are cut from.
        block: String,
        /// Why not.
        why: String,
    },
}

/// Nothing more is worked out when loops and functions made so many bytes: a megabyte of them would be refused, and a few
/// lines can ask for more than any memory holds.
const MOST_MADE: usize = 16 << 20;

/// What a value weighs beside its text.
const WEIGHT: usize = 128;

impl Template {
    /// Returns what CloudFormation will not be able to work out where `known` holds.
    pub fn unresolved(&self, known: &Known) -> Vec<Diagnostic> {
        let source = Source::new(self.text(), Some(self.root()));
        let problems = self.evaluate(known).problems.into_iter();
        let found = problems.map(|one| {
            let found = Diagnostic::error(
                Rule::Unresolved,
                source.at(one.position),
                one.what.to_string(),
            );
            found.help(match one.what {
                UnresolvedKind::NoMappingKey { .. } => {
                    "add the keys to the mapping, or choose others"
                }
                UnresolvedKind::Gone { .. } => "use it below `!If` with the same condition",
                UnresolvedKind::NoItem { .. } => "choose one that is there",
                UnresolvedKind::NoBlocks { .. } => "ask for fewer or smaller ones",
            })
        });
        found.collect()
    }

    /// Returns the template as it is where `known` holds. Values of `NoEcho` parameters are never filled in.
    pub fn evaluate(&self, known: &Known) -> Evaluation {
        let root = self.root();
        let mut evaluator = Evaluator::new(root, known);
        for parameter in self.parameters().values() {
            let value = known.parameters.get(&parameter.name);
            if let Some(value) = value.filter(|_| !self.is_secret_parameter(parameter))
                && let Some(value) = parameter_value(&parameter.parameter_type, value)
            {
                evaluator.parameters.insert(&parameter.name, value);
            }
        }
        evaluator.run()
    }
}

/// The value of a parameter.
enum ParameterValue<'k> {
    Text(&'k str),
    List(Vec<&'k str>),
}

/// Returns what a `Ref` to a parameter of this type returns, unless only the service knows.
fn parameter_value<'k>(parameter_type: &str, value: &'k str) -> Option<ParameterValue<'k>> {
    if parameter_type.starts_with("AWS::SSM::Parameter::Value<") {
        return None;
    }
    if parameter_type == "CommaDelimitedList" || parameter_type.starts_with("List<") {
        let is_plain = |item: &&str| !item.is_empty() && !item.contains("{{resolve");
        let items: Vec<&str> = value.split(',').map(str::trim).collect();
        return items
            .iter()
            .all(is_plain)
            .then_some(ParameterValue::List(items));
    }
    Some(ParameterValue::Text(value))
}

/// Makes what a loop puts under a name in one round.
type Make<'m, 't> = dyn FnMut(&mut Evaluator<'t>, &'t Entry, String) -> Option<(String, Node)> + 'm;

/// What a value is, once it is evaluated.
enum Outcome {
    Value(Node),
    /// It is as if it had not been written.
    NoValue,
}

struct Evaluator<'t> {
    root: &'t Node,
    known: &'t Known,
    parameters: HashMap<&'t str, ParameterValue<'t>>,
    /// Conditions that were worked out; `None` where they cannot be.
    conditions: HashMap<&'t str, Option<bool>>,
    /// Variables of the loops around, with their values.
    variables: Vec<(&'t str, String)>,
    /// How many more bytes loops and functions may make.
    left: usize,
    has_extensions: bool,
    /// Whether something stayed as it is that names a variable of a loop: the loop stays, then.
    is_stuck: bool,
    problems: Vec<Unresolved>,
}

impl<'t> Evaluator<'t> {
    fn new(root: &'t Node, known: &'t Known) -> Self {
        Self {
            root,
            known,
            parameters: HashMap::new(),
            conditions: HashMap::new(),
            variables: Vec::new(),
            left: MOST_MADE,
            has_extensions: false,
            is_stuck: false,
            problems: Vec::new(),
        }
    }

    fn run(mut self) -> Evaluation {
        let root = self.root;
        let Some(sections) = root.entries() else {
            return self.end(root.clone());
        };
        match self.root.value("Transform") {
            None => {}
            Some(node) => {
                let names = node.items().unwrap_or(std::slice::from_ref(node));
                if names
                    .iter()
                    .any(|name| name.text() != Some("AWS::LanguageExtensions"))
                {
                    // A macro may make anything of anything.
                    return self.end(root.clone());
                }
                self.has_extensions = true;
            }
        }
        if sections.contains_key("Fn::Transform") {
            return self.end(root.clone());
        }
        self.work_out_conditions();
        let mut result = IndexMap::with_capacity(sections.len());
        for (name, entry) in sections {
            let value = match (name.as_str(), entry.value.entries()) {
                ("Resources" | "Outputs", Some(entries))
                    if !entries.contains_key("Fn::Transform") =>
                {
                    self.declarations(entries, entry.value.position)
                }
                ("Conditions", Some(entries)) if !entries.contains_key("Fn::Transform") => {
                    self.mapping(entries, entry.value.position)
                }
                (_, _) => entry.value.clone(),
            };
            let position = entry.position;
            result.insert(name.clone(), Entry { position, value });
        }
        let position = self.root.position;
        let kind = NodeKind::Mapping(result);
        self.end(Node { position, kind })
    }

    fn end(self, root: Node) -> Evaluation {
        Evaluation {
            root,
            problems: self.problems,
        }
    }

    /// Evaluates resources or outputs, without those whose condition is false.
    fn declarations(&mut self, entries: &'t IndexMap<String, Entry>, position: Position) -> Node {
        let mut result = IndexMap::with_capacity(entries.len());
        for (id, entry) in entries {
            if id.starts_with("Fn::ForEach") {
                self.expand(id, entry, &mut result, &mut |this, entry, id| {
                    this.declaration(entry).map(|value| (id, value))
                });
                continue;
            }
            if let Some(value) = self.declaration(entry) {
                let position = entry.position;
                result.insert(id.clone(), Entry { position, value });
            }
        }
        let kind = NodeKind::Mapping(result);
        Node { position, kind }
    }

    /// Returns a resource or output, unless its condition is false.
    fn declaration(&mut self, entry: &'t Entry) -> Option<Node> {
        let Some(keys) = entry.value.entries() else {
            return Some(self.kept(&entry.value));
        };
        let condition = keys.get("Condition").and_then(|entry| entry.value.text());
        let holds = condition.map(|name| (name, self.condition_named(name)));
        if let Some((_, Some(false))) = holds {
            return None;
        }
        let mut result = IndexMap::with_capacity(keys.len());
        for (key, entry) in keys {
            let value = match key.as_str() {
                "Condition" if matches!(holds, Some((_, Some(true)))) => continue,
                "Type" | "Condition" => entry.value.clone(),
                "DependsOn" => match self.depends_on(&entry.value) {
                    Some(value) => value,
                    None => continue,
                },
                _ => match self.node(&entry.value) {
                    Outcome::Value(value) => value,
                    Outcome::NoValue => continue,
                },
            };
            let position = entry.position;
            result.insert(key.clone(), Entry { position, value });
        }
        let position = entry.value.position;
        let kind = NodeKind::Mapping(result);
        Some(Node { position, kind })
    }

    /// Returns `DependsOn` without resources that do not exist.
    fn depends_on(&self, node: &Node) -> Option<Node> {
        let is_gone = |node: &Node| node.text().is_some_and(|name| self.gone(name).is_some());
        match node.items() {
            None if is_gone(node) => None,
            None => Some(self.text_node(node)),
            Some(items) => {
                let left = items.iter().filter(|item| !is_gone(item));
                let left: Vec<Node> = left.map(|item| self.text_node(item)).collect();
                let kind = NodeKind::Sequence(left);
                let position = node.position;
                (!matches!(&kind, NodeKind::Sequence(items) if items.is_empty()))
                    .then_some(Node { position, kind })
            }
        }
    }

    /// Returns a name with the variables of loops filled in.
    fn text_node(&self, node: &Node) -> Node {
        match node.text() {
            Some(text) if !self.variables.is_empty() => text_at(node.position, self.filled(text)),
            Some(_) | None => node.clone(),
        }
    }

    /// Returns the condition of a resource that does not exist.
    fn gone(&self, resource: &str) -> Option<&'t str> {
        let resource = self.root.value("Resources")?.value(resource)?;
        let condition = resource.value("Condition")?.text()?;
        (self.condition_named(condition) == Some(false)).then_some(condition)
    }

    fn node(&mut self, node: &'t Node) -> Outcome {
        if let Some((function, argument)) = node.intrinsic() {
            return self.function(node, function, argument);
        }
        let position = node.position;
        match &node.kind {
            NodeKind::Scalar(_) => Outcome::Value(node.clone()),
            NodeKind::Sequence(items) => {
                let items = items.iter().filter_map(|item| match self.node(item) {
                    Outcome::Value(value) => Some(value),
                    Outcome::NoValue => None,
                });
                let kind = NodeKind::Sequence(items.collect());
                Outcome::Value(Node { position, kind })
            }
            NodeKind::Mapping(entries) => Outcome::Value(self.mapping(entries, position)),
        }
    }

    fn mapping(&mut self, entries: &'t IndexMap<String, Entry>, position: Position) -> Node {
        let mut result = IndexMap::with_capacity(entries.len());
        let is_rewritten = entries.contains_key("Fn::Transform");
        for (key, entry) in entries {
            if key.starts_with("Fn::ForEach") && !is_rewritten {
                self.expand(key, entry, &mut result, &mut |this, entry, key| match this
                    .node(&entry.value)
                {
                    Outcome::Value(value) => Some((key, value)),
                    Outcome::NoValue => None,
                });
                continue;
            }
            let value = if is_rewritten {
                self.kept(&entry.value)
            } else {
                match self.node(&entry.value) {
                    Outcome::Value(value) => value,
                    Outcome::NoValue => continue,
                }
            };
            let key = self.filled(key);
            let position = entry.position;
            result.insert(key, Entry { position, value });
        }
        let kind = NodeKind::Mapping(result);
        Node { position, kind }
    }

    /// Puts what a loop makes into `result`, or the loop itself where that is not known.
    fn expand(
        &mut self,
        key: &str,
        entry: &'t Entry,
        result: &mut IndexMap<String, Entry>,
        make: &mut Make<'_, 't>,
    ) {
        let problems = self.problems.len();
        match self.rounds(entry, result, make) {
            Some(made) => result.extend(made),
            None => {
                self.problems.truncate(problems);
                let value = self.kept(&entry.value);
                let position = entry.position;
                result.insert(key.to_owned(), Entry { position, value });
            }
        }
    }

    fn rounds(
        &mut self,
        entry: &'t Entry,
        existing: &IndexMap<String, Entry>,
        make: &mut Make<'_, 't>,
    ) -> Option<IndexMap<String, Entry>> {
        let (variable, collection, output) = for_each(&entry.value)?;
        let is_undocumented = has_bare_variable_in_output(output, variable);
        let output = output.entries()?;
        if !self.has_extensions
            || output.keys().any(|key| key.starts_with("Fn::Transform"))
            || is_undocumented
        {
            return None;
        }
        let Outcome::Value(collection) = self.node(collection) else {
            return None;
        };
        let values: Vec<String> = collection
            .items()?
            .iter()
            .map(|item| known_text(item).filter(|text| !text.contains(['$', '{'])))
            .map(|text| text.map(str::to_owned))
            .collect::<Option<_>>()?;
        let size: usize = output.values().map(|entry| weight(&entry.value)).sum();
        let mut made = IndexMap::new();
        for value in values {
            if !self.affords(size) {
                return None;
            }
            self.variables.push((variable, value));
            let round = self.round(output, existing, &mut made, make);
            self.variables.pop();
            if self.is_stuck {
                // The outermost loop ends it.
                self.is_stuck = !self.variables.is_empty();
                return None;
            }
            round?;
        }
        Some(made)
    }

    fn round(
        &mut self,
        output: &'t IndexMap<String, Entry>,
        existing: &IndexMap<String, Entry>,
        made: &mut IndexMap<String, Entry>,
        make: &mut Make<'_, 't>,
    ) -> Option<()> {
        for (key, entry) in output {
            if key.starts_with("Fn::ForEach") {
                let inner = self.rounds(entry, existing, make)?;
                for (key, entry) in inner {
                    if made.insert(key, entry).is_some() {
                        return None;
                    }
                }
                continue;
            }
            let name = self.filled(key);
            if name.contains("${")
                || name.contains("&{")
                || existing.contains_key(&name)
                || made.contains_key(&name)
            {
                return None;
            }
            if let Some((name, value)) = make(self, entry, name) {
                let position = entry.position;
                made.insert(name, Entry { position, value });
            }
        }
        Some(())
    }

    /// Returns a text with the variables of the loops around filled in.
    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (variable, value) in &self.variables {
            text = text.replace(&format!("${{{variable}}}"), value);
            if text.contains("&{") {
                let letters: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
                text = text.replace(&format!("&{{{variable}}}"), &letters);
            }
        }
        text
    }

    /// Returns a value as it is written.
    fn kept(&mut self, node: &Node) -> Node {
        self.is_stuck |= !self.variables.is_empty();
        node.clone()
    }

    /// Returns whether so many bytes more may be made, which they then are. After the first refusal there are none left.
    fn affords(&mut self, bytes: usize) -> bool {
        let left = self.left.checked_sub(bytes);
        self.left = left.unwrap_or_default();
        left.is_some()
    }

    fn problem(&mut self, position: Position, what: UnresolvedKind) {
        self.problems.push(Unresolved { position, what });
    }
}

/// Returns whether a text outside of functions and keys names a loop's variable: what becomes of it is not documented.
fn has_bare_variable(node: &Node, variable: &str) -> bool {
    let names = |text: &str| {
        text.contains(&format!("${{{variable}}}")) || text.contains(&format!("&{{{variable}}}"))
    };
    match (node.intrinsic(), &node.kind) {
        (Some(("Ref" | "Fn::GetAtt" | "Fn::Sub", argument)), _) => {
            let parts = argument.items().unwrap_or_default();
            parts
                .iter()
                .filter(|part| part.text().is_none())
                .any(|part| has_bare_variable(part, variable))
        }
        (_, NodeKind::Scalar(scalar)) => names(&scalar.text),
        (_, NodeKind::Sequence(items)) => {
            items.iter().any(|item| has_bare_variable(item, variable))
        }
        (_, NodeKind::Mapping(entries)) => entries.iter().any(|(key, entry)| {
            if key.starts_with("Fn::ForEach") {
                return has_bare_variable_in_loop(&entry.value, variable);
            }
            names(key) || key != "DependsOn" && has_bare_variable(&entry.value, variable)
        }),
    }
}

/// The same for a loop, whose keys may name it.
fn has_bare_variable_in_loop(node: &Node, variable: &str) -> bool {
    let Some((_, collection, output)) = for_each(node) else {
        return true;
    };
    has_bare_variable(collection, variable) || has_bare_variable_in_output(output, variable)
}

fn has_bare_variable_in_output(output: &Node, variable: &str) -> bool {
    let mut made = output.entries().into_iter().flatten();
    made.any(|(key, entry)| {
        if key.starts_with("Fn::ForEach") {
            has_bare_variable_in_loop(&entry.value, variable)
        } else {
            has_bare_variable(&entry.value, variable)
        }
    })
}

/// Returns about how many bytes a value takes.
fn weight(node: &Node) -> usize {
    WEIGHT
        + match &node.kind {
            NodeKind::Scalar(scalar) => scalar.text.len(),
            NodeKind::Sequence(items) => items.iter().map(weight).sum(),
            NodeKind::Mapping(entries) => {
                let entry = |(key, entry): (&String, &Entry)| key.len() + weight(&entry.value);
                entries.iter().map(entry).sum()
            }
        }
}

/// Returns the text that a value certainly is where a text is wanted.
fn known_text(node: &Node) -> Option<&str> {
    let NodeKind::Scalar(scalar) = &node.kind else {
        return None;
    };
    if scalar.ambiguity().is_some() {
        return None;
    }
    match scalar.value() {
        ScalarValue::Text(text) => Some(text),
        ScalarValue::Bool(_) if matches!(scalar.text.as_str(), "true" | "false") => {
            Some(&scalar.text)
        }
        // How other numbers are written as texts is not documented.
        ScalarValue::Number(_) => {
            let digits = scalar.text.strip_prefix('-').unwrap_or(&scalar.text);
            let is_small = digits.len() <= 15 && digits.bytes().all(|b| b.is_ascii_digit());
            (is_small && scalar.text != "-0").then_some(&scalar.text)
        }
        ScalarValue::Bool(_) | ScalarValue::Null => None,
    }
}

fn text_at(position: Position, text: impl Into<String>) -> Node {
    let scalar = Scalar {
        text: text.into(),
        plain: false,
        bytes: 0..0,
    };
    let kind = NodeKind::Scalar(scalar);
    Node { position, kind }
}

/// Returns a function as a value.
fn function_at(position: Position, name: &str, argument: Node) -> Node {
    let entry = Entry {
        position,
        value: argument,
    };
    let kind = NodeKind::Mapping(IndexMap::from([(name.to_owned(), entry)]));
    Node { position, kind }
}
