//! The tree of a template: scalars keep their text, every node its position.

use indexmap::IndexMap;

use super::Position;

/// A value in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where it begins; for a short-form intrinsic, where its tag begins.
    pub position: Position,
    /// What it is.
    pub kind: NodeKind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// A text, number, boolean or null.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values, in the order of the file. A short-form intrinsic is a mapping of one key.
    Mapping(IndexMap<String, Entry>),
}

/// The value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where the key begins.
    pub position: Position,
    /// The value.
    pub value: Node,
}

/// A scalar as it is written. An account id such as `012345678901` keeps its digits, since nothing is
/// read as a number before somebody needs one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The text, escapes resolved.
    pub text: String,
    /// Whether it is written without quotes and without a tag that makes it a text.
    pub plain: bool,
    /// Where it is in the file's text, in bytes; empty where nothing is written.
    pub bytes: std::ops::Range<usize>,
}

impl Node {
    /// Returns the text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar(scalar) => Some(&scalar.text),
            NodeKind::Sequence(_) | NodeKind::Mapping(_) => None,
        }
    }

    /// Returns the items of a sequence.
    pub fn items(&self) -> Option<&[Node]> {
        match &self.kind {
            NodeKind::Sequence(items) => Some(items),
            NodeKind::Scalar(_) | NodeKind::Mapping(_) => None,
        }
    }

    /// Returns the entries of a mapping.
    pub fn entries(&self) -> Option<&IndexMap<String, Entry>> {
        match &self.kind {
            NodeKind::Mapping(entries) => Some(entries),
            NodeKind::Scalar(_) | NodeKind::Sequence(_) => None,
        }
    }

    /// Returns the value of `key` in a mapping.
    pub fn value(&self, key: &str) -> Option<&Node> {
        self.entries()?.get(key).map(|entry| &entry.value)
    }

    /// Returns whether it is a null, written or not.
    pub fn is_null(&self) -> bool {
        match &self.kind {
            NodeKind::Scalar(scalar) => {
                scalar.plain && matches!(scalar.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
            }
            NodeKind::Sequence(_) | NodeKind::Mapping(_) => false,
        }
    }

    /// Returns what it is, with an article, for messages.
    pub fn kind_name(&self) -> &'static str {
        match &self.kind {
            NodeKind::Scalar(_) if self.is_null() => "null",
            NodeKind::Scalar(_) => "a text or number",
            NodeKind::Sequence(_) => "a list",
            NodeKind::Mapping(_) => "a mapping",
        }
    }

    /// Returns name and argument of an intrinsic function, short or long form.
    pub fn intrinsic(&self) -> Option<(&str, &Node)> {
        let entries = self.entries()?;
        if entries.len() != 1 {
            return None;
        }
        let (key, entry) = entries.first()?;
        let is_function = match key.as_str() {
            "Ref" => true,
            // A policy statement may have a single key `Condition` that holds a structure.
            "Condition" => entry.value.text().is_some(),
            // `Fn::ForEach::Name` makes keys of its mapping; it is no value of its own.
            name => name.starts_with("Fn::") && !name.starts_with("Fn::ForEach"),
        };
        is_function.then_some((key.as_str(), &entry.value))
    }
}

/// Returns the long form's key for the tag `!NAME`.
pub(super) fn long_form(name: &str) -> String {
    match name {
        "Ref" | "Condition" => name.to_owned(),
        _ if name.starts_with("Fn::") => name.to_owned(),
        _ => format!("Fn::{name}"),
    }
}

/// Returns resource and attribute of the argument of `Fn::GetAtt`, either form.
pub(super) fn get_att(argument: &Node) -> Option<(&str, Option<&str>)> {
    match &argument.kind {
        NodeKind::Scalar(scalar) => scalar
            .text
            .split_once('.')
            .map(|(resource, attribute)| (resource, Some(attribute))),
        NodeKind::Sequence(items) => {
            let resource = items.first()?.text()?;
            // The attribute may be an intrinsic function itself; then nothing is known of it.
            Some((resource, items.get(1).and_then(Node::text)))
        }
        NodeKind::Mapping(_) => None,
    }
}

/// Returns the names inside `${…}` of the text of a `Fn::Sub`; `${!literal}` is none.
pub(super) fn substitutions(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).filter_map(|rest| {
        let (name, _) = rest.split_once('}')?;
        (!name.starts_with('!')).then(|| name.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substitutions_are_found_and_literals_are_not() {
        let names: Vec<_> = substitutions("a${A}b${!B}c${C.D} $E ${ F } ${open").collect();
        assert_eq!(names, ["A", "C.D", "F"]);
    }

    #[test]
    fn short_names_become_long_ones() {
        assert_eq!(long_form("Ref"), "Ref");
        assert_eq!(long_form("Condition"), "Condition");
        assert_eq!(long_form("GetAtt"), "Fn::GetAtt");
        assert_eq!(long_form("Fn::Sub"), "Fn::Sub");
    }
}
