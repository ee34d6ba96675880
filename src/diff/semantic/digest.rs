//! Numbers that are the same for values that say the same, to find the partner of a value without comparing all pairs.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::context::{Context, MOST_DOCUMENTS, Names, Role};
use super::rename::{Part, Renames, parts};
use crate::template::{Ambiguity, Node, NodeKind, Scalar, ScalarValue};

/// What names count as.
#[derive(Clone, Copy)]
pub(super) enum Naming<'a> {
    /// As what they are.
    Own,
    /// As the new ones.
    Renamed(&'a Renames<'a>),
    /// As a number, where there is one.
    Numbered(&'a HashMap<(Names, &'a str), u64>),
}

impl Naming<'_> {
    fn name(&self, names: Names, name: &str) -> u64 {
        match self {
            Self::Own => number(name),
            Self::Renamed(renames) => number(renames.new_name(names, name).unwrap_or(name)),
            Self::Numbered(numbers) => match numbers.get(&(names, name)) {
                Some(number) => *number,
                None => number(name),
            },
        }
    }

    /// Returns the number of a value. Values that say the same have the same; the opposite is only likely, since
    /// numbers can meet: whoever pairs values by them compares the pairs afterwards. What is more than `levels` deep
    /// does not count.
    pub fn digest<'t>(&self, node: &'t Node, context: Context<'t>, levels: usize) -> u64 {
        let Some(levels) = levels.checked_sub(1) else {
            return 0;
        };
        if let Some(items) = context.items(node) {
            let numbers = items
                .iter()
                .enumerate()
                .map(|(index, item)| self.digest(item, context.item(items, index), levels));
            return if context.is_free() {
                let sum = numbers.fold(0u64, |sum, one| sum.wrapping_add(number(&one)));
                number(&(2u8, items.len(), sum))
            } else {
                let mut hasher = DefaultHasher::new();
                (3u8, items.len()).hash(&mut hasher);
                numbers.for_each(|one| one.hash(&mut hasher));
                hasher.finish()
            };
        }
        if let Some((function, argument)) = context.intrinsic(node) {
            let inner = context.argument(function, argument);
            return number(&(1u8, function, self.digest(argument, inner, levels)));
        }
        match &node.kind {
            NodeKind::Scalar(scalar) => self.scalar(scalar, context, levels),
            // Every list was dealt with.
            NodeKind::Sequence(_) => 0,
            NodeKind::Mapping(entries) => {
                let sum = entries.iter().fold(0u64, |sum, (key, entry)| {
                    let value = self.digest(&entry.value, context.below(node, key), levels);
                    sum.wrapping_add(number(&(key, value)))
                });
                number(&(4u8, entries.len(), sum))
            }
        }
    }

    fn scalar(&self, scalar: &Scalar, context: Context<'_>, levels: usize) -> u64 {
        if let Some(document) = document(scalar, context) {
            return number(&(5u8, self.digest(&document, context.document(), levels)));
        }
        let said = said(scalar, context);
        let Said::Text(text, ambiguity) = &said else {
            return number(&said);
        };
        if let Role::Name(names) = context.role {
            return self.name(names, text);
        }
        let Some(variables) = context.substituted else {
            return number(&said);
        };
        let mut hasher = DefaultHasher::new();
        for part in parts(text, variables) {
            match part {
                Part::Text(text) => text.hash(&mut hasher),
                Part::Name(name) => self.name(Names::Values, name).hash(&mut hasher),
            }
        }
        (6u8, ambiguity).hash(&mut hasher);
        hasher.finish()
    }
}

/// What a scalar says.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum Said<'a> {
    Null,
    /// A number or boolean in a JSON document, as JSON writes it.
    Plain(Cow<'a, str>),
    /// A text, and why it may mean something else. CloudFormation makes a text of every number and boolean.
    Text(Cow<'a, str>, Option<Ambiguity>),
}

pub(super) fn said<'a>(scalar: &'a Scalar, context: Context<'_>) -> Said<'a> {
    let plain = match scalar.value() {
        ScalarValue::Null => return Said::Null,
        ScalarValue::Text(text) => return Said::Text(Cow::Borrowed(text), scalar.ambiguity()),
        ScalarValue::Bool(true) => Cow::Borrowed("true"),
        ScalarValue::Bool(false) => Cow::Borrowed("false"),
        ScalarValue::Number(number) => number,
    };
    if context.documents > 0 {
        Said::Plain(plain)
    } else {
        Said::Text(plain, scalar.ambiguity())
    }
}

/// Returns the JSON document that a text is.
pub(super) fn document(scalar: &Scalar, context: Context<'_>) -> Option<Node> {
    let is_structure = context.reads_documents
        && context.documents < MOST_DOCUMENTS
        && scalar.text.trim_start().starts_with(['{', '['])
        && !matches!(context.role, Role::Name(_));
    is_structure.then(|| Node::of_json(&scalar.text)).flatten()
}

pub(super) fn number<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
