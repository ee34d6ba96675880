//! Targets whose changes are identical.
//!
//! Two targets belong together if a person who has read the changes of one knows those of the other. What differs because
//! the targets are two, such as ARNs, physical ids, account ids, region names and stack names inside values, does not
//! count. In doubt targets stay apart: one group too many costs a look, one too few hides a change.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::key::Key;
use crate::model::{Digest, PlannedTarget};

/// Targets whose changes are identical.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `A`, `B`, … `Z`, `AA`, ….
    pub name: String,
    /// The targets, as ascending indices into what was grouped.
    pub targets: Vec<usize>,
}

/// Returns the key that targets with identical changes share, with what is a target's own normalised.
pub fn grouping_key(planned: &PlannedTarget) -> Digest {
    Key::normalised(planned).finish()
}

/// Returns the groups of identical changes, the largest first, then by their first target.
pub fn group(planned: &[PlannedTarget]) -> Vec<Group> {
    let mut members: HashMap<Digest, Members> = HashMap::new();
    for (index, target) in planned.iter().enumerate() {
        let verbatim = Key::verbatim(target).finish();
        match members.entry(grouping_key(target)) {
            Entry::Vacant(entry) => {
                entry.insert(Members {
                    targets: vec![index],
                    verbatim: Some(verbatim),
                });
            }
            Entry::Occupied(mut entry) => {
                let members = entry.get_mut();
                members.targets.push(index);
                members.verbatim = members.verbatim.filter(|shared| *shared == verbatim);
            }
        }
    }
    let mut groups: Vec<Vec<usize>> = merge_verbatim(members);
    for targets in &mut groups {
        targets.sort_unstable();
    }
    groups.sort_by_key(|targets| (std::cmp::Reverse(targets.len()), targets.first().copied()));
    groups
        .into_iter()
        .enumerate()
        .map(|(index, targets)| Group {
            name: name(index),
            targets,
        })
        .collect()
}

struct Members {
    targets: Vec<usize>,
    /// The key without normalising, where all members share it.
    verbatim: Option<Digest>,
}

/// Merges groups that are the same word for word.
///
/// A value that names one region for all targets is that target's own in this region alone; normalised, the
/// targets of this region would differ from the others. Only groups that are uniform are merged, so every two
/// members are still equal in one of the two senses throughout.
fn merge_verbatim(members: HashMap<Digest, Members>) -> Vec<Vec<usize>> {
    let mut merged = Vec::new();
    let mut uniform: HashMap<Digest, Vec<usize>> = HashMap::new();
    for group in members.into_values() {
        match group.verbatim {
            Some(verbatim) => uniform.entry(verbatim).or_default().extend(group.targets),
            None => merged.push(group.targets),
        }
    }
    merged.extend(uniform.into_values());
    merged
}

/// Returns the name of the group at `index`: `A` to `Z`, then `AA`, as spreadsheets name columns.
fn name(mut index: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'A' + (index % 26) as u8));
        match index / 26 {
            0 => break,
            rest => index = rest - 1,
        }
    }
    letters.iter().rev().collect()
}
