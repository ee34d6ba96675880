//! How templates differ, and the parameters of stacks: target by target, then those with the same difference together.

use std::collections::HashMap;

use serde::Serialize;

use super::{DOCUMENT_VERSION, words};
use crate::diff::{DefaultDiff, ShownEntry, ShownText};
use crate::model::{Provenance, Target};

/// How two templates differ, or one and what is deployed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// Which document this is.
    pub document: &'static str,
    /// The version of this form.
    pub version: u32,
    /// The file before; none where it is what the stacks have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The file after.
    pub after: String,
    /// Whether anything differs, or a stack does not exist.
    pub differs: bool,
    /// The differences; targets with the same one together.
    pub groups: Vec<DiffGroup>,
    /// Targets without any difference.
    pub same: Vec<Target>,
    /// Targets whose stacks do not exist.
    pub new_stacks: Vec<Target>,
    /// Targets that could not be compared.
    pub not_compared: Vec<NotCompared>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiffGroup {
    /// The targets; none where two files are compared.
    pub targets: Vec<Target>,
    /// Whether a value names the account, region or stack of its target, or comes from another file for another target:
    /// then it is that of the first.
    pub varies: bool,
    /// The parameters whose values change, or stay although the default changes.
    pub parameters: Vec<ParameterDiff>,
    /// The parts of the template.
    pub entries: Vec<ShownEntry>,
}

/// A parameter whose value changes, or that one would expect to change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParameterDiff {
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub change: ParameterChange,
    /// The value that the stack has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The value that it gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Where the value after comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// The template's default before and after, where it changes and the stack keeps its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultDiff>,
}

/// What becomes of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterChange {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It gets another value.
    Changed,
    /// It is a secret, and whether its value changes is not known.
    Unknown,
    /// It keeps its value, although the template's default changes.
    Kept,
}

/// A target that could not be compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NotCompared {
    /// The target.
    pub target: Target,
    /// Why.
    pub reason: String,
}

/// What is known of one target.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetDiff {
    /// Its stack was compared.
    Compared {
        /// The parameters.
        parameters: Vec<ParameterDiff>,
        /// The parts of the template.
        entries: Vec<ShownEntry>,
    },
    /// Its stack does not exist.
    NoStack,
    /// It could not be compared.
    Failed {
        /// Why.
        reason: String,
    },
}

impl Diff {
    /// Returns how two files differ.
    pub fn of_files(before: String, after: String, entries: Vec<ShownEntry>) -> Self {
        let mut diff = Self::empty(Some(before), after);
        if !entries.is_empty() {
            diff.differs = true;
            diff.groups.push(DiffGroup {
                targets: Vec::new(),
                varies: false,
                parameters: Vec::new(),
                entries,
            });
        }
        diff
    }

    /// Returns how a template differs from what is deployed.
    pub fn of_targets(template: String, targets: Vec<(Target, TargetDiff)>) -> Self {
        let mut diff = Self::empty(None, template);
        let mut known: HashMap<String, usize> = HashMap::new();
        for (target, found) in targets {
            match found {
                TargetDiff::NoStack => diff.new_stacks.push(target),
                TargetDiff::Failed { reason } => {
                    diff.not_compared.push(NotCompared { target, reason });
                }
                TargetDiff::Compared {
                    parameters,
                    entries,
                } if parameters.is_empty() && entries.is_empty() => diff.same.push(target),
                TargetDiff::Compared {
                    parameters,
                    entries,
                } => {
                    let mut group = DiffGroup {
                        targets: vec![target],
                        varies: false,
                        parameters,
                        entries,
                    };
                    let key = group.key();
                    match known.get(&key).and_then(|at| diff.groups.get_mut(*at)) {
                        Some(first) => {
                            first.varies |= first.says_otherwise(&group);
                            first.targets.append(&mut group.targets);
                        }
                        None => {
                            known.insert(key, diff.groups.len());
                            diff.groups.push(group);
                        }
                    }
                }
            }
        }
        let only_kept = |group: &DiffGroup| {
            let mut parameters = group.parameters.iter();
            group.entries.is_empty() && parameters.all(|p| p.change == ParameterChange::Kept)
        };
        diff.differs = !diff.new_stacks.is_empty() || !diff.groups.iter().all(only_kept);
        diff
    }

    fn empty(before: Option<String>, after: String) -> Self {
        Self {
            document: "diff",
            version: DOCUMENT_VERSION,
            before,
            after,
            differs: false,
            groups: Vec::new(),
            same: Vec::new(),
            new_stacks: Vec::new(),
            not_compared: Vec::new(),
        }
    }

    /// Returns all targets.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Target> {
        let groups = self.groups.iter().flat_map(|group| &group.targets);
        let failed = self.not_compared.iter().map(|one| &one.target);
        groups
            .chain(&self.same)
            .chain(&self.new_stacks)
            .chain(failed)
    }
}

impl DiffGroup {
    /// Returns what all targets with the same difference have in common: their own names do not count.
    fn key(&self) -> String {
        let own: Vec<(&str, &str)> = self.targets.first().map_or_else(Vec::new, |target| {
            vec![
                (target.account.as_str(), "\0a"),
                (target.region.as_str(), "\0r"),
                (target.stack.as_str(), "\0s"),
            ]
        });
        let common = |text: &mut String| {
            for (name, placeholder) in &own {
                if text.contains(name) {
                    *text = text.replace(name, placeholder);
                }
            }
        };
        let mut entries = self.entries.clone();
        for value in entries.iter_mut().flat_map(|entry| &mut entry.values) {
            let sides = [&mut value.before, &mut value.after];
            sides
                .into_iter()
                .flatten()
                .for_each(|side| common(&mut side.text));
        }
        let mut parameters = self.parameters.clone();
        for parameter in &mut parameters {
            let sides = [&mut parameter.before, &mut parameter.after];
            sides.into_iter().flatten().for_each(&common);
            // Another file may give the same value.
            parameter.provenance = None;
        }
        format!("{entries:?}{parameters:?}")
    }

    /// Returns whether a text is another one, which the key does not tell.
    fn says_otherwise(&self, other: &DiffGroup) -> bool {
        let texts = |group: &DiffGroup| -> Vec<String> {
            let values = group.entries.iter().flat_map(|entry| &entry.values);
            let sides = values.flat_map(|value| [&value.before, &value.after]);
            let text = |side: &ShownText| side.text.clone();
            let values = sides.flatten().map(text);
            let parameters = group.parameters.iter();
            let sides = parameters.flat_map(|one| {
                let provenance = one.provenance.as_ref().map(words::provenance);
                [one.before.clone(), one.after.clone(), provenance]
            });
            values.chain(sides.flatten()).collect()
        };
        texts(self) != texts(other)
    }
}
