//! What has another name and the same body, and what refers to it.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::Section;
use super::context::{Context, Names};
use super::digest::{self, Naming};
use super::entries::Entries;
use crate::template::Node;

/// Old names and the new ones.
#[derive(Default)]
pub(super) struct Renames<'a> {
    new_names: HashMap<(Names, &'a str), &'a str>,
    old_names: HashMap<(Names, &'a str), &'a str>,
}

impl<'a> Renames<'a> {
    /// Returns the new name of what was called `old`.
    pub fn new_name<'s>(&'s self, names: Names, old: &'s str) -> Option<&'s str> {
        self.new_names.get(&(names, old)).copied()
    }

    /// Returns the old name of what is called `new`.
    pub fn old_name<'s>(&'s self, names: Names, new: &'s str) -> Option<&'s str> {
        self.old_names.get(&(names, new)).copied()
    }

    /// Returns a text of a `Fn::Sub` with new names in place of the old ones, and which these are.
    pub fn rewritten<'t>(&self, text: &'t str, variables: Option<&Node>) -> (String, Vec<&'t str>) {
        let mut found = Vec::new();
        let rewritten = parts(text, variables)
            .map(|part| match part {
                Part::Text(text) => text,
                Part::Name(old) => match self.new_name(Names::Values, old) {
                    Some(new) => {
                        found.push(old);
                        new
                    }
                    None => old,
                },
            })
            .collect();
        (rewritten, found)
    }
}

/// A part of the text of a `Fn::Sub`.
pub(super) enum Part<'a> {
    Text(&'a str),
    /// The name of a parameter or resource.
    Name(&'a str),
}

/// Returns the parts of the text of a `Fn::Sub`: together they are the text. Names of `variables` are no names here.
pub(super) fn parts<'a>(text: &'a str, variables: Option<&Node>) -> impl Iterator<Item = Part<'a>> {
    let mut rest = text;
    let mut pending = None;
    std::iter::from_fn(move || {
        if let Some(name) = pending.take() {
            return Some(Part::Name(name));
        }
        if rest.is_empty() {
            return None;
        }
        let mut from = 0;
        while let Some(at) = rest.get(from..).and_then(|text| text.find("${")) {
            let begin = from + at + 2;
            let inside = rest.get(begin..).unwrap_or_default();
            // Before the end is looked for, which may be far: a text is read once, whatever is in it.
            if inside.trim_start().starts_with(['!', '.', '}']) {
                from = begin;
                continue;
            }
            let Some((inside, _)) = inside.split_once('}') else {
                break;
            };
            let name = inside.split('.').next().unwrap_or_default();
            let blank = name.len() - name.trim_start().len();
            let name = name.trim();
            let is_variable = variables.is_some_and(|v| v.value(inside.trim()).is_some());
            if is_variable {
                from = begin;
                continue;
            }
            let (before, behind) = rest.split_at(begin + blank);
            rest = behind.get(name.len()..).unwrap_or_default();
            pending = Some(name);
            return Some(Part::Text(before));
        }
        Some(Part::Text(std::mem::take(&mut rest)))
    })
}

/// A section before and after, and what its names name.
pub(super) struct Named<'a> {
    pub section: Section,
    pub names: Names,
    pub before: &'a Entries,
    pub after: &'a Entries,
}

/// More rounds than this refine nothing that a template holds: so long is a chain of renamed resources that need each
/// other and are alike otherwise.
const MOST_ROUNDS: usize = 16;

/// Among more pairs than this the most similar names are not searched.
const MOST_PAIRS: usize = 2_500;

/// CloudFormation takes no longer names. How alike longer ones are takes too long to find out.
const LONGEST_NAME: usize = 255;

/// Returns what was renamed: what is gone on one side, new on the other and has the same body.
///
/// Bodies may name each other. So all that is gone or new begins with the same number in place of its name, and gets the
/// number of its body again and again, until no more of them can be told apart.
pub(super) fn renames<'a>(sections: &[Named<'a>]) -> Renames<'a> {
    let mut old = Vec::new();
    let mut new = Vec::new();
    for named in sections {
        let (gone, added) = (
            Candidate::of(named, named.before, named.after),
            Candidate::of(named, named.after, named.before),
        );
        // With one side alone nothing is renamed.
        if !gone.is_empty() && !added.is_empty() {
            old.extend(gone);
            new.extend(added);
        }
    }
    if old.is_empty() {
        return Renames::default();
    }
    let mut classes = 0;
    for _ in 0..MOST_ROUNDS {
        number(&mut old);
        number(&mut new);
        let mut numbers: Vec<u64> = old.iter().chain(&new).map(|one| one.number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.len() == classes {
            break;
        }
        classes = numbers.len();
    }
    let mut groups: IndexMap<(Names, u64), Group<'a>> = IndexMap::new();
    for one in &old {
        let group = groups.entry((one.names, one.number)).or_default();
        group.old.push(one.name);
    }
    for one in &new {
        let group = groups.entry((one.names, one.number)).or_default();
        group.new.push(one.name);
    }
    let mut found = Renames::default();
    for ((names, _), group) in groups {
        for (old, new) in pairs(&group.old, &group.new) {
            found.new_names.insert((names, old), new);
            found.old_names.insert((names, new), old);
        }
    }
    found
}

/// The names of what has the same body.
#[derive(Default)]
struct Group<'a> {
    old: Vec<&'a str>,
    new: Vec<&'a str>,
}

struct Candidate<'a> {
    names: Names,
    name: &'a str,
    body: &'a Node,
    context: Context<'a>,
    number: u64,
}

impl<'a> Candidate<'a> {
    /// Returns what is here and not there.
    fn of(named: &Named<'a>, here: &'a Entries, there: &Entries) -> Vec<Self> {
        let context = Context::of(&named.section);
        let alone = here
            .iter()
            .filter(|(name, _)| !there.contains_key(*name) && !name.starts_with("Fn::"));
        alone
            .map(|(name, entry)| Self {
                names: named.names,
                name,
                body: &entry.value,
                context,
                number: section_number(&named.section),
            })
            .collect()
    }
}

/// Parameters and resources share their names, and are told apart by their numbers.
fn section_number(section: &Section) -> u64 {
    u64::from(*section == Section::Parameters)
}

/// Gives each the number of its body, in which the names of the others are their numbers so far.
fn number(candidates: &mut [Candidate<'_>]) {
    let numbers: HashMap<(Names, &str), u64> = candidates
        .iter()
        .map(|one| ((one.names, one.name), one.number))
        .collect();
    let next: Vec<u64> = candidates
        .iter()
        .map(|one| {
            let body = Naming::Numbered(&numbers).digest(one.body, one.context, usize::MAX);
            // What was told apart stays so.
            digest::number(&(body, one.number))
        })
        .collect();
    for (one, number) in candidates.iter_mut().zip(next) {
        one.number = number;
    }
}

/// Pairs old and new names of what has the same body: those that are most alike first, then in the order of the file.
fn pairs<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    if old.len() * new.len() > MOST_PAIRS || (old.len(), new.len()) == (1, 1) {
        return old.iter().copied().zip(new.iter().copied()).collect();
    }
    let mut all: Vec<(f32, usize, usize)> = Vec::new();
    for (i, a) in old.iter().enumerate() {
        for (j, b) in new.iter().enumerate() {
            all.push((similarity(a, b), i, j));
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let (mut is_old_taken, mut is_new_taken) = (vec![false; old.len()], vec![false; new.len()]);
    let mut found = Vec::new();
    for (_, i, j) in all {
        if !is_old_taken[i] && !is_new_taken[j] {
            (is_old_taken[i], is_new_taken[j]) = (true, true);
            found.push((old[i], new[j]));
        }
    }
    found
}

/// Returns how many characters two names share, of all that they have.
fn similarity(a: &str, b: &str) -> f32 {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len().max(b.len()) > LONGEST_NAME {
        return 0.0;
    }
    let operations = similar::capture_diff_slices(similar::Algorithm::Myers, a, b);
    similar::diff_ratio(&operations, a.len(), b.len())
}
