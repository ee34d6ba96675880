//! What changes in a template, in what it says: the order of keys, formatting, comments, YAML or JSON and the form of
//! intrinsic functions do not count.
//!
//! Values are compared as CloudFormation takes them. It turns every number and boolean of a template to a text, so `30`
//! and `"30"` are the same; inside of a JSON document in a text they are not. A text whose document says the same with
//! other spaces or in another order is told as written otherwise: CloudFormation compares texts, and updates. Lists
//! whose order says nothing are compared as sets: `DependsOn`, `Tags`, and what the statements of a policy list; but for
//! those of custom resources, whose code gets them as they are. A resource, parameter, condition, mapping or output that
//! has another name and the same body is renamed, and what refers to it follows.

mod align;
#[cfg(test)]
mod apply;
mod compare;
mod context;
mod digest;
mod entries;
mod rename;
mod step;

pub use step::{Step, steps_text};

use serde::Serialize;

use crate::template::{Node, PathSegment, Position, Template};

/// How one template differs from another, in what it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateDiff {
    /// What differs: sections in the order of [`Section`], entries in the order of the new file, and removed ones at the
    /// place that they had.
    pub entries: Vec<EntryDiff>,
}

/// How an entry of a section differs: a resource, a parameter, an output, or a section that has no named entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryDiff {
    /// Where it is.
    pub section: Section,
    /// Its name, the new one; empty where the section has no named entries.
    pub name: String,
    /// The type of a resource, the new one; as it is written.
    pub resource_type: Option<String>,
    /// What happened to it.
    pub kind: EntryKind,
    /// Where it is in the old template.
    pub before: Option<Position>,
    /// Where it is in the new template.
    pub after: Option<Position>,
    /// What differs in it. What was added or removed has one value, all of it, with no path.
    pub values: Vec<ValueDiff>,
}

/// What happened to an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Values in it differ.
    Changed,
    /// It has another name and the same body but for what [`EntryDiff::values`] lists. CloudFormation makes a new one
    /// and deletes the old one all the same.
    Renamed {
        /// The old name.
        from: String,
    },
}

/// A section of a template, in the order in which they are shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// `AWSTemplateFormatVersion`.
    FormatVersion,
    /// `Description`.
    Description,
    /// `Metadata`.
    Metadata,
    /// `Parameters`.
    Parameters,
    /// `Rules`.
    Rules,
    /// `Mappings`.
    Mappings,
    /// `Conditions`.
    Conditions,
    /// `Transform`.
    Transform,
    /// `Globals` of the serverless transform.
    Globals,
    /// `Resources`.
    Resources,
    /// `Outputs`.
    Outputs,
    /// `Hooks`.
    Hooks,
    /// Another key of the template.
    Other(String),
}

/// How a value differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueDiff {
    /// Where it is, from the entry; of a resource's property it begins with `Properties`.
    pub path: Vec<Step>,
    /// What happened to it.
    pub kind: ValueKind,
    /// The old value, unless it was added.
    pub before: Option<Side>,
    /// The new value, unless it was removed.
    pub after: Option<Side>,
    /// The old names of what was renamed, where the value does nothing but follow.
    pub follows: Vec<String>,
}

/// What happened to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another one.
    Changed,
    /// The item of a list is at another place. What differs in it is listed beside.
    Moved,
    /// It is a text with a JSON document that says the same, with other spaces or in another order. CloudFormation
    /// compares texts: to it, it is another one.
    WrittenOtherwise,
}

/// A value in one of the templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// The value.
    pub node: Node,
    /// Where its key is, or where the item begins; for a value in a JSON document, where the text with the document is.
    pub position: Position,
}

/// Returns how the template `after` differs from `before`, as they are written.
pub fn compare(before: &Template, after: &Template) -> TemplateDiff {
    compare_trees(before.root(), after.root())
}

/// Returns how one tree of a template differs from another, such as the evaluated ones.
pub fn compare_trees(before: &Node, after: &Node) -> TemplateDiff {
    entries::compare(before, after)
}

impl TemplateDiff {
    /// Returns whether both say the same.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns `before` with the differences applied: it says the same as the template it was compared with.
    #[cfg(test)]
    pub(super) fn apply(&self, before: &Node) -> Node {
        apply::apply(&self.entries, before)
    }
}

impl EntryDiff {
    /// Returns the name that it had.
    pub fn old_name(&self) -> &str {
        match &self.kind {
            EntryKind::Renamed { from } => from,
            EntryKind::Added | EntryKind::Removed | EntryKind::Changed => &self.name,
        }
    }

    /// Returns the path of a value as text, such as `Tags[Key=Name].Value`; of a property it begins below `Properties`.
    pub fn path_text(&self, value: &ValueDiff) -> String {
        steps_text(self.below_properties(&value.path))
    }

    /// Returns the path of a value in the old template, for what is asked of templates, such as
    /// [`Template::is_secret`]: below `Properties`, and up to the text that holds a JSON document.
    pub fn path_before(&self, value: &ValueDiff) -> Vec<PathSegment> {
        step::segments(self.below_properties(&value.path), step::Of::Before)
    }

    /// Returns the path of a value in the new template; see [`EntryDiff::path_before`].
    pub fn path_after(&self, value: &ValueDiff) -> Vec<PathSegment> {
        step::segments(self.below_properties(&value.path), step::Of::After)
    }

    /// Returns whether nothing but references to what was renamed differs.
    #[cfg(test)]
    pub(super) fn only_follows(&self) -> bool {
        self.kind == EntryKind::Changed && self.values.iter().all(|v| !v.follows.is_empty())
    }

    fn below_properties<'a>(&self, path: &'a [Step]) -> &'a [Step] {
        match path.split_first() {
            Some((Step::Key(key), below))
                if self.section == Section::Resources && key == "Properties" =>
            {
                below
            }
            Some(_) | None => path,
        }
    }
}

impl ValueDiff {
    /// Returns whether it is in a JSON document that is written as a text.
    pub fn is_in_document(&self) -> bool {
        self.path.contains(&Step::Document)
    }
}

#[cfg(test)]
mod tests;
