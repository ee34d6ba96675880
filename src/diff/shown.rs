//! Differences of templates as texts for people and machines, without secrets.

use serde::Serialize;

/// What became of a section's entry: a resource, a parameter, an output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownEntry {
    /// The section, such as `Resources`.
    pub section: String,
    /// Its name after the change, or before it where it is gone.
    pub name: String,
    /// The type of a resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    /// What became of it.
    pub change: EntryChange,
    /// The name it had before, where it has another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// Where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<ShownPlace>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<ShownPlace>,
    /// What differs inside.
    pub values: Vec<ShownValue>,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryChange {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It says something else.
    Changed,
    /// It has another name, and may say something else.
    Renamed,
}

/// A place in one of the two files, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ShownPlace {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownValue {
    /// Where it is in the entry; below `Properties` for resources, as in a review.
    pub path: String,
    /// The value before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<ShownText>,
    /// The value after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<ShownText>,
    /// Whether it differs only since something it names has another name.
    pub follows: bool,
}

/// A value on one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownText {
    /// The text, masked where it is a secret.
    pub text: String,
    /// Where it is written.
    #[serde(flatten)]
    pub place: ShownPlace,
}
