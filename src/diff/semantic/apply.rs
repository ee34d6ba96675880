//! Differences applied to the template that they begin with.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::{EntryDiff, EntryKind, Step, ValueDiff, ValueKind};
use crate::template::{Entry, Node, NodeKind, Position};

type Entries = IndexMap<String, Entry>;

/// Where what is new is put: nowhere in a file.
const NOWHERE: Position = Position { line: 1, column: 1 };

/// Returns `before` with the differences applied.
pub(super) fn apply(differences: &[EntryDiff], before: &Node) -> Node {
    let mut root = before.clone();
    // Old names go first, since a new one may be the same.
    for entry in differences {
        match &entry.kind {
            EntryKind::Removed | EntryKind::Renamed { .. } | EntryKind::Changed => {}
            EntryKind::Added => {}
        }
    }
    for entry in differences {
        entry_applied(entry, &mut root, before);
    }
    root
}

fn entry_applied(difference: &EntryDiff, root: &mut Node, before: &Node) {
    let key = difference.section.key();
    let old_section = before.value(key);
    let is_whole = difference.name.is_empty();
    let old_name = match &difference.kind {
        EntryKind::Renamed { from } => from,
        EntryKind::Added | EntryKind::Removed | EntryKind::Changed => &difference.name,
    };
    let old = if is_whole {
        old_section
    } else {
        old_section.and_then(|section| section.value(old_name))
    };
    let values: Vec<&ValueDiff> = difference.values.iter().collect();
    let new = value(old, &values, 0);
    let Some(sections) = entries_of(root) else {
        return;
    };
    let (entries, name) = if is_whole {
        (sections, key)
    } else {
        let section = sections.entry(key.to_owned()).or_insert_with(|| Entry {
            position: NOWHERE,
            value: mapping(Entries::new()),
        });
        match entries_of(&mut section.value) {
            Some(entries) => (entries, difference.name.as_str()),
            None => return,
        }
    };
    if old_name != name && !is_whole {
        entries.shift_remove(old_name);
    }
    set(entries, name, new);
}

fn set(entries: &mut Entries, name: &str, value: Option<Node>) {
    match value {
        Some(value) => {
            let position = value.position;
            entries.insert(name.to_owned(), Entry { position, value });
        }
        None => {
            entries.shift_remove(name);
        }
    }
}

/// Returns a value with the differences in it applied, whose paths are followed from `depth`; none if it is gone.
fn value(old: Option<&Node>, differences: &[&ValueDiff], depth: usize) -> Option<Node> {
    let here = differences
        .iter()
        .find(|one| one.path.len() == depth && one.kind != ValueKind::Moved);
    if let Some(here) = here {
        return here.after.as_ref().map(|side| side.node.clone());
    }
    let old = old?;
    let mut by_key: HashMap<&str, Vec<&ValueDiff>> = HashMap::new();
    for one in differences {
        if let Some(Step::Key(key)) = one.path.get(depth) {
            by_key.entry(key).or_default().push(one);
        }
    }
    let mut new = old.clone();
    if let Some(entries) = entries_of(&mut new) {
        for (key, below) in by_key {
            let inner = old.value(key);
            set(entries, key, value(inner, &below, depth + 1));
        }
    }
    Some(new)
}

fn mapping(entries: Entries) -> Node {
    Node {
        position: NOWHERE,
        kind: NodeKind::Mapping(entries),
    }
}

fn entries_of(node: &mut Node) -> Option<&mut Entries> {
    match &mut node.kind {
        NodeKind::Mapping(entries) => Some(entries),
        NodeKind::Scalar(_) | NodeKind::Sequence(_) => None,
    }
}
