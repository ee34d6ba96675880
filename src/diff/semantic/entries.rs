//! The sections of two templates and what is in them.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::compare::values;
use super::context::{Context, Names};
use super::rename::{Named, Renames, renames};
use super::{EntryDiff, EntryKind, Section, Side, TemplateDiff, ValueDiff, ValueKind};
use crate::template::{Entry, Node};

pub(super) type Entries = IndexMap<String, Entry>;

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

    /// Returns what the names of its entries name, where those can be renamed.
    fn names(&self) -> Option<Names> {
        match self {
            Self::Parameters | Self::Resources => Some(Names::Values),
            Self::Conditions => Some(Names::Conditions),
            Self::Mappings => Some(Names::Mappings),
            Self::Outputs => Some(Names::Outputs),
            Self::FormatVersion
            | Self::Description
            | Self::Metadata
            | Self::Rules
            | Self::Transform
            | Self::Globals
            | Self::Hooks
            | Self::Other(_) => None,
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
    let halves = |section: &Section| Halves {
        old: old.get(section.key()),
        new: new.get(section.key()),
    };
    let named = sections.iter().filter_map(|section| {
        let (before, after) = halves(section).named(section, &none)?;
        Some(Named {
            section: section.clone(),
            names: section.names()?,
            before,
            after,
        })
    });
    let renames = renames(&named.collect::<Vec<_>>());
    let mut entries = Vec::new();
    for section in &sections {
        let halves = halves(section);
        match halves.named(section, &none) {
            Some((before, after)) => {
                section_compared(section, before, after, &renames, &mut entries)
            }
            None => entries.extend(entry(section, "", None, halves, &renames)),
        }
    }
    TemplateDiff { entries }
}

/// What is under a name on both sides.
#[derive(Clone, Copy)]
struct Halves<'a> {
    old: Option<&'a Entry>,
    new: Option<&'a Entry>,
}

impl<'a> Halves<'a> {
    /// Returns the named entries of a section, where it has nothing but such.
    fn named(self, section: &Section, none: &'a Entries) -> Option<(&'a Entries, &'a Entries)> {
        let entries = |half: Option<&'a Entry>| match half {
            None => Some(none),
            Some(entry) => entry.value.entries().filter(|all| !all.contains_key("")),
        };
        if !section.has_names() {
            return None;
        }
        Some((entries(self.old)?, entries(self.new)?))
    }
}

fn section_compared(
    section: &Section,
    before: &Entries,
    after: &Entries,
    renames: &Renames<'_>,
    found: &mut Vec<EntryDiff>,
) {
    let names = section.names();
    // Parameters and resources share their names: what is renamed in one section may be there in another one.
    let is_renamed_here = |old: &str, new: &str| {
        let (is_gone, is_new) = (!after.contains_key(old), !before.contains_key(new));
        is_gone && is_new && before.contains_key(old) && after.contains_key(new)
    };
    let renamed = |old: &str| {
        let new = renames.new_name(names?, old)?;
        let new = is_renamed_here(old, new).then_some(new)?;
        after.get_key_value(new).map(|(new, _)| new.as_str())
    };
    for name in merged(before, after, renamed) {
        let from = names
            .and_then(|names| renames.old_name(names, name))
            .filter(|from| is_renamed_here(from, name));
        let halves = Halves {
            old: before.get(from.unwrap_or(name)),
            new: after.get(name),
        };
        found.extend(entry(section, name, from, halves, renames));
    }
}

fn entry(
    section: &Section,
    name: &str,
    from: Option<&str>,
    halves: Halves<'_>,
    renames: &Renames<'_>,
) -> Option<EntryDiff> {
    let Halves { old, new } = halves;
    let (kind, values) = match (old, new) {
        (Some(old), Some(new)) => {
            let kind = match from {
                Some(from) => EntryKind::Renamed {
                    from: from.to_owned(),
                },
                None => EntryKind::Changed,
            };
            (kind, values(old, new, Context::of(section), renames))
        }
        (None, Some(new)) => (EntryKind::Added, vec![whole(None, Some(new))]),
        (Some(old), None) => (EntryKind::Removed, vec![whole(Some(old), None)]),
        (None, None) => return None,
    };
    if values.is_empty() && kind == EntryKind::Changed {
        return None;
    }
    let declared = new.or(old).and_then(|entry| entry.value.value("Type"));
    let is_resource = *section == Section::Resources;
    Some(EntryDiff {
        section: section.clone(),
        name: name.to_owned(),
        resource_type: declared
            .filter(|_| is_resource)
            .and_then(Node::text)
            .map(str::to_owned),
        kind,
        before: old.map(|entry| entry.position),
        after: new.map(|entry| entry.position),
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
