//! Differences applied to the template that they begin with.

use std::collections::{BTreeMap, HashMap, VecDeque};

use indexmap::IndexMap;

use super::{EntryDiff, Step, ValueDiff, ValueKind};
use crate::template::{Entry, Node, NodeKind, Position, Scalar};

type Entries = IndexMap<String, Entry>;

/// Where what is new is put: nowhere in a file.
const NOWHERE: Position = Position { line: 1, column: 1 };

/// Returns `before` with the differences applied.
pub(super) fn apply(differences: &[EntryDiff], before: &Node) -> Node {
    let mut root = before.clone();
    for entry in differences {
        entry_applied(entry, &mut root, before);
    }
    root
}

fn entry_applied(difference: &EntryDiff, root: &mut Node, before: &Node) {
    let key = difference.section.key();
    let old_section = before.value(key);
    let is_whole = difference.name.is_empty();
    let old_name = difference.old_name();
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
    let is_whole = |one: &&&ValueDiff| one.path.len() == depth && one.kind != ValueKind::Moved;
    if let Some(here) = differences.iter().find(is_whole) {
        return here.after.as_ref().map(|side| side.node.clone());
    }
    let old = old?;
    // All go on with the same kind of step.
    match differences.iter().find_map(|one| one.path.get(depth)) {
        None => Some(old.clone()),
        Some(Step::Key(_)) => Some(mapping_applied(old, differences, depth)),
        Some(Step::Item { .. }) => Some(list_applied(old, differences, depth)),
        Some(Step::Document) => {
            let document = Node::of_json(old.text().unwrap_or_default())?;
            let text = value(Some(&document), differences, depth + 1)?.to_json();
            Some(Node {
                position: old.position,
                kind: NodeKind::Scalar(Scalar {
                    text,
                    plain: false,
                    bytes: 0..0,
                }),
            })
        }
    }
}

fn mapping_applied(old: &Node, differences: &[&ValueDiff], depth: usize) -> Node {
    let mut by_key: IndexMap<&str, Vec<&ValueDiff>> = IndexMap::new();
    for one in differences {
        if let Some(Step::Key(key)) = one.path.get(depth) {
            by_key.entry(key).or_default().push(one);
        }
    }
    let mut new = old.clone();
    if let Some(entries) = entries_of(&mut new) {
        for (key, below) in by_key {
            set(entries, key, value(old.value(key), &below, depth + 1));
        }
    }
    new
}

/// What is added or moved has its place in the new list; all others fill the places between, in their old order.
fn list_applied(old: &Node, differences: &[&ValueDiff], depth: usize) -> Node {
    let old_items = old.items().unwrap_or(std::slice::from_ref(old));
    let mut by_item: HashMap<usize, Vec<&ValueDiff>> = HashMap::new();
    let mut moved: HashMap<usize, usize> = HashMap::new();
    let mut placed: BTreeMap<usize, Node> = BTreeMap::new();
    for one in differences {
        let Some(Step::Item { before, after, .. }) = one.path.get(depth) else {
            continue;
        };
        let is_item = one.path.len() == depth + 1;
        match (before, after) {
            (Some(before), Some(after)) if is_item && one.kind == ValueKind::Moved => {
                moved.insert(*before, *after);
            }
            (Some(before), _) => by_item.entry(*before).or_default().push(one),
            (None, Some(after)) => {
                if let Some(side) = &one.after {
                    placed.insert(*after, side.node.clone());
                }
            }
            (None, None) => {}
        }
    }
    let mut rest = VecDeque::new();
    for (index, item) in old_items.iter().enumerate() {
        let differences = by_item.get(&index).map(Vec::as_slice).unwrap_or_default();
        let Some(item) = value(Some(item), differences, depth + 1) else {
            continue;
        };
        match moved.get(&index) {
            Some(place) => {
                placed.insert(*place, item);
            }
            None => rest.push_back(item),
        }
    }
    let mut items = Vec::with_capacity(rest.len() + placed.len());
    while let Some(item) = placed.remove(&items.len()).or_else(|| rest.pop_front()) {
        items.push(item);
    }
    Node {
        position: old.position,
        kind: NodeKind::Sequence(items),
    }
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
