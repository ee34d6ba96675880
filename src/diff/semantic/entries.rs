//! The sections of two templates and what is in them.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::compare::values;
use super::{EntryDiff, EntryKind, Section, Side, TemplateDiff, ValueDiff, ValueKind};
use crate::template::{Entry, Node, Position};

type Entries = IndexMap<String, Entry>;

impl Section {
    /// Returns the section under a key of the template.
    pub(super) fn of(key: &str) -> Self {
        match key {
            "AWSTemplateFormatVersion" => Self::FormatVersion,
            "Description" => Self::Description,
            "Metadata" => Self::Metadata,
            "Parameters" => Self::Parameters,
            "Rules" => Self::Rules,
            "Mappings" => Self::Mappings,
            "Conditions" => Self::Conditions,
            "Transform" => Self::Transform,
            "Globals" => Self::Globals,
            "Resources" => Self::Resources,
            "Outputs" => Self::Outputs,
            "Hooks" => Self::Hooks,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Returns the key of the section in a template.
    pub fn key(&self) -> &str {
        match self {
            Self::FormatVersion => "AWSTemplateFormatVersion",
            Self::Description => "Description",
            Self::Metadata => "Metadata",
            Self::Parameters => "Parameters",
            Self::Rules => "Rules",
            Self::Mappings => "Mappings",
            Self::Conditions => "Conditions",
            Self::Transform => "Transform",
            Self::Globals => "Globals",
            Self::Resources => "Resources",
            Self::Outputs => "Outputs",
            Self::Hooks => "Hooks",
            Self::Other(key) => key,
        }
    }

    /// Returns whether it has named entries.
    pub(super) fn has_names(&self) -> bool {
        match self {
            Self::Parameters
            | Self::Rules
            | Self::Mappings
            | Self::Conditions
            | Self::Resources
            | Self::Outputs
            | Self::Hooks => true,
            Self::FormatVersion
            | Self::Description
            | Self::Metadata
            | Self::Transform
            | Self::Globals
            | Self::Other(_) => false,
        }
    }
}

/// Returns how two trees of templates differ.
pub(super) fn compare(before: &Node, after: &Node) -> TemplateDiff {
    let none = Entries::new();
    let old = before.entries().unwrap_or(&none);
    let new = after.entries().unwrap_or(&none);
    let keys = merged(old, new, |_| None);
    let mut sections: Vec<Section> = keys.into_iter().map(Section::of).collect();
    // The sort is stable: other sections stay in the order of the file.
    sections.sort_by_key(|section| match section {
        Section::Other(_) => Section::Other(String::new()),
        known => known.clone(),
    });
    let mut entries = Vec::new();
    for section in sections {
        let (old, new) = (old.get(section.key()), new.get(section.key()));
        compare_section(&section, old, new, &mut entries);
    }
    TemplateDiff { entries }
}

fn compare_section(
    section: &Section,
    old: Option<&Entry>,
    new: Option<&Entry>,
    found: &mut Vec<EntryDiff>,
) {
    let names = |entry: Option<&'_ Entry>| match entry {
        None => Some(Entries::new()),
        Some(entry) => entry.value.entries().cloned(),
    };
    if section.has_names()
        && let (Some(before), Some(after)) = (names(old), names(new))
    {
        for name in merged(&before, &after, |_| None) {
            let (old, new) = (before.get(name), after.get(name));
            found.extend(compare_entry(section, name, old, new));
        }
    } else {
        found.extend(compare_entry(section, "", old, new));
    }
}

fn compare_entry(
    section: &Section,
    name: &str,
    old: Option<&Entry>,
    new: Option<&Entry>,
) -> Option<EntryDiff> {
    let (kind, values) = match (old, new) {
        (Some(old), Some(new)) => (EntryKind::Changed, values(old, new)),
        (None, Some(new)) => (EntryKind::Added, vec![whole(None, Some(new))]),
        (Some(old), None) => (EntryKind::Removed, vec![whole(Some(old), None)]),
        (None, None) => return None,
    };
    if values.is_empty() {
        return None;
    }
    let position = |entry: Option<&Entry>| -> Option<Position> { entry.map(|e| e.position) };
    let declared = new.or(old).and_then(|entry| entry.value.value("Type"));
    Some(EntryDiff {
        resource_type: match section {
            Section::Resources => declared.and_then(Node::text).map(str::to_owned),
            _ => None,
        },
        section: section.clone(),
        name: name.to_owned(),
        kind,
        before: position(old),
        after: position(new),
        values,
    })
}

/// Returns the difference that a value is there on one side alone.
fn whole(old: Option<&Entry>, new: Option<&Entry>) -> ValueDiff {
    let side = |entry: &Entry| Side {
        node: entry.value.clone(),
        position: entry.position,
    };
    ValueDiff {
        path: Vec::new(),
        kind: if old.is_some() {
            ValueKind::Removed
        } else {
            ValueKind::Added
        },
        before: old.map(side),
        after: new.map(side),
        follows: Vec::new(),
    }
}

/// Returns the keys of both mappings in the order of the new one, each that is gone behind the one that it followed.
/// `renamed` gives the new name of an old key, which then counts as there.
pub(super) fn merged<'a>(
    old: &'a Entries,
    new: &'a Entries,
    renamed: impl Fn(&str) -> Option<&'a str>,
) -> Vec<&'a str> {
    let mut first = Vec::new();
    let mut behind: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut previous = None;
    for key in old.keys() {
        if let Some(key) = renamed(key).or(new.contains_key(key).then_some(key)) {
            previous = Some(key);
            continue;
        }
        match previous {
            None => first.push(key.as_str()),
            Some(previous) => behind.entry(previous).or_default().push(key),
        }
    }
    let mut keys = first;
    for key in new.keys() {
        keys.push(key);
        keys.extend(behind.remove(key.as_str()).into_iter().flatten());
    }
    keys
}
