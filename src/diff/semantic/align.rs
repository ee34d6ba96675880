//! Which item of the old list is which of the new one.

use std::collections::{HashMap, HashSet, VecDeque};

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::context::Context;
use super::digest::{Naming, number};
use super::rename::Renames;
use crate::template::{Node, NodeKind};

/// Keys by which CloudFormation and what it makes tell the items of lists apart; lower-case ones are those of documents.
/// The first that is unique in both lists counts.
const KEYS: [&str; 26] = [
    "Key",
    "Name",
    "Sid",
    "Id",
    "AttributeName",
    "IndexName",
    "ContainerName",
    "ContainerPort",
    "ParameterKey",
    "ParameterName",
    "PolicyName",
    "RuleName",
    "GroupName",
    "OptionName",
    "VariableName",
    "DeviceName",
    "SourceVolume",
    "DomainName",
    "PathPattern",
    "AccountId",
    "TargetOriginId",
    "Namespace",
    "Priority",
    "name",
    "key",
    "id",
];

/// Items are told apart by what they have so deep inside, lest lists in lists in lists are looked through for each.
const LEVELS: usize = 12;

/// Lists of more pairs than this are compared by the first partner that each item finds, which is as good unless items
/// are there several times.
const MOST_PAIRS: usize = 1_000_000;

/// An item of one list or of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair<'t> {
    /// Its place in the old list.
    pub before: Option<usize>,
    /// Its place in the new one.
    pub after: Option<usize>,
    /// Whether its place among the others is another one. Those that did not move are in the same order in both lists.
    pub is_moved: bool,
    /// The key that tells it apart, and its value.
    pub key: Option<(&'static str, &'t str)>,
}

/// Returns the items of both lists in the order of the new one, each that is gone behind the one that it followed.
pub(super) fn align<'t>(
    old: &'t [Node],
    new: &'t [Node],
    context: Context<'t>,
    renames: &Renames<'_>,
) -> Vec<Pair<'t>> {
    let mut partners = Partners::none(old.len(), new.len());
    if context.is_positional() {
        for index in 0..old.len().min(new.len()) {
            partners.join(index, index, false);
        }
        return partners.pairs(old, new, None);
    }
    let naming = Naming::Renamed(renames);
    let sides = [
        List::of(old, context, naming),
        List::of(new, context, Naming::Own),
    ];
    let key = sides[0].key(&sides[1]);
    let [old_items, new_items] = sides.map(|side| side.identified(key));
    if context.is_free() {
        // Of those that say the same, each finds the one that is written alike.
        partners.join_anywhere(&old_items.literal_ids(), &new_items.literal_ids(), false);
    } else {
        partners.join_in_order(&old_items.ids, &new_items.ids);
    }
    partners.join_anywhere(&old_items.ids, &new_items.ids, !context.is_free());
    partners.join_alike(&old_items, &new_items, context.is_free());
    partners.pairs(old, new, key)
}

/// A list, and what its items are told apart by.
struct List<'t, 'n> {
    items: &'t [Node],
    context: Context<'t>,
    naming: Naming<'n>,
    ids: Vec<u64>,
    /// Which items have the key.
    is_keyed: Vec<bool>,
}

impl<'t, 'n> List<'t, 'n> {
    fn of(items: &'t [Node], context: Context<'t>, naming: Naming<'n>) -> Self {
        Self {
            items,
            context,
            naming,
            ids: Vec::new(),
            is_keyed: Vec::new(),
        }
    }

    fn digest(&self, node: &'t Node, context: Context<'t>) -> u64 {
        self.naming.digest(node, context, LEVELS)
    }

    /// Returns the best key for both lists: one that all mappings have, else one that some have.
    fn key(&self, other: &Self) -> Option<&'static str> {
        let mut second = None;
        for key in KEYS {
            match (self.coverage(key), other.coverage(key)) {
                (Coverage::Broken, _) | (_, Coverage::Broken) => {}
                (Coverage::All, Coverage::All) => return Some(key),
                (Coverage::None, _) | (_, Coverage::None) => {}
                (Coverage::All | Coverage::Some, Coverage::All | Coverage::Some) => {
                    second = second.or(Some(key));
                }
            }
        }
        second
    }

    fn coverage(&self, key: &str) -> Coverage {
        let mappings = self.items.iter().filter(|item| self.is_mapping(item));
        let (mut seen, mut is_missing) = (HashSet::new(), false);
        for mapping in mappings {
            match mapping.value(key) {
                Some(value) if self.may_identify(value) => {
                    if !seen.insert(self.digest(value, self.context.below(mapping, key))) {
                        return Coverage::Broken;
                    }
                }
                Some(_) => return Coverage::Broken,
                None => is_missing = true,
            }
        }
        match (seen.is_empty(), is_missing) {
            (false, false) => Coverage::All,
            (false, true) => Coverage::Some,
            (true, true) => Coverage::None,
            // Without any mapping, whatever the other list says.
            (true, false) => Coverage::All,
        }
    }

    fn is_mapping(&self, node: &'t Node) -> bool {
        node.entries().is_some() && self.context.intrinsic(node).is_none()
    }

    /// Returns whether a value is a text, or a function that makes one.
    fn may_identify(&self, value: &'t Node) -> bool {
        (value.text().is_some() && !value.is_null()) || self.context.intrinsic(value).is_some()
    }

    /// Gives every item its number.
    fn identified(mut self, key: Option<&'static str>) -> Self {
        for (index, item) in self.items.iter().enumerate() {
            let by_key = key.filter(|_| self.is_mapping(item)).and_then(|key| {
                let value = item.value(key)?;
                Some(self.digest(value, self.context.below(item, key)))
            });
            let context = self.context.item(self.items, index);
            self.is_keyed.push(by_key.is_some());
            self.ids.push(match by_key {
                Some(value) => number(&("key", value)),
                None => self.digest(item, context),
            });
        }
        self
    }

    /// Returns the numbers of the items where a text is a text, whatever document it is.
    fn literal_ids(&self) -> Vec<u64> {
        let items = self.items.iter().enumerate();
        items
            .map(|(index, item)| self.digest(item, self.context.item(self.items, index).literal()))
            .collect()
    }

    /// Returns the numbers of the entries of a mapping, for telling how alike two are.
    fn entries(&self, index: usize) -> HashSet<u64> {
        let item = self.items.get(index).filter(|item| self.is_mapping(item));
        let entries = item.into_iter().flat_map(|item| {
            let entries = item.entries().into_iter().flatten();
            entries.map(move |(key, entry)| (item, key, entry))
        });
        entries
            .map(|(item, key, entry)| {
                let context = self.context.below(item, key);
                number(&(key, self.digest(&entry.value, context)))
            })
            .collect()
    }

    /// Returns what may become what: a mapping becomes no text.
    fn class(&self, index: usize) -> Option<u8> {
        let item = self.items.get(index)?;
        Some(match &item.kind {
            NodeKind::Mapping(_) if self.is_mapping(item) => 0,
            NodeKind::Mapping(_) | NodeKind::Scalar(_) => 1,
            NodeKind::Sequence(_) => 2,
        })
    }
}

/// How many mappings of a list a key tells apart.
enum Coverage {
    All,
    Some,
    None,
    /// Two have the same value, or one has a structure.
    Broken,
}

/// The partners found so far.
struct Partners {
    of_old: Vec<Option<(usize, bool)>>,
    of_new: Vec<Option<usize>>,
}

impl Partners {
    fn none(old: usize, new: usize) -> Self {
        Self {
            of_old: vec![None; old],
            of_new: vec![None; new],
        }
    }

    fn join(&mut self, old: usize, new: usize, is_moved: bool) {
        if let (Some(a), Some(b)) = (self.of_old.get_mut(old), self.of_new.get_mut(new)) {
            *a = Some((new, is_moved));
            *b = Some(old);
        }
    }

    /// Joins as many as possible without moving any.
    fn join_in_order(&mut self, old: &[u64], new: &[u64]) {
        if old.len().saturating_mul(new.len()) > MOST_PAIRS {
            self.join_anywhere(old, new, false);
            return self.part_those_that_moved();
        }
        for operation in capture_diff_slices(Algorithm::Myers, old, new) {
            if let DiffOp::Equal {
                old_index,
                new_index,
                len,
            } = operation
            {
                (0..len).for_each(|at| self.join(old_index + at, new_index + at, false));
            }
        }
    }

    /// Joins those that are the same wherever they are.
    fn join_anywhere(&mut self, old: &[u64], new: &[u64], is_moved: bool) {
        let mut waiting: HashMap<u64, VecDeque<usize>> = HashMap::new();
        for (index, id) in new.iter().enumerate() {
            if self.of_new[index].is_none() {
                waiting.entry(*id).or_default().push_back(index);
            }
        }
        for (index, id) in old.iter().enumerate() {
            if self.of_old[index].is_none()
                && let Some(partner) = waiting.get_mut(id).and_then(VecDeque::pop_front)
            {
                self.join(index, partner, is_moved);
            }
        }
    }

    /// Leaves the longest row of pairs that are in the same order in both lists.
    fn part_those_that_moved(&mut self) {
        // The last pair of the best row of each length, and the pair before each in its row.
        let mut ends: Vec<(usize, usize)> = Vec::new();
        let mut previous: Vec<Option<usize>> = vec![None; self.of_old.len()];
        for (index, partner) in self.of_old.iter().enumerate() {
            if let Some((partner, _)) = *partner {
                let length = ends.partition_point(|(_, end)| *end < partner);
                previous[index] = length.checked_sub(1).map(|shorter| ends[shorter].0);
                match ends.get_mut(length) {
                    Some(end) => *end = (index, partner),
                    None => ends.push((index, partner)),
                }
            }
        }
        let mut is_kept = vec![false; self.of_old.len()];
        let mut next = ends.last().map(|(index, _)| *index);
        while let Some(index) = next {
            is_kept[index] = true;
            next = previous[index];
        }
        for (index, is_kept) in is_kept.into_iter().enumerate() {
            if !is_kept && let Some((partner, _)) = self.of_old[index].take() {
                self.of_new[partner] = None;
            }
        }
    }

    /// Joins what stands at the same place between those that stayed, where the one may have become the other.
    fn join_alike(&mut self, old: &List<'_, '_>, new: &List<'_, '_>, is_free: bool) {
        let mut gaps = Vec::new();
        let (mut from_old, mut from_new) = (0, 0);
        if !is_free {
            let stayed = self.of_old.iter().enumerate();
            let stayed = stayed.filter_map(|(index, one)| match one {
                Some((partner, false)) => Some((index, *partner)),
                Some((_, true)) | None => None,
            });
            for (index, partner) in stayed {
                gaps.push((from_old..index, from_new..partner));
                (from_old, from_new) = (index + 1, partner + 1);
            }
        }
        gaps.push((from_old..self.of_old.len(), from_new..self.of_new.len()));
        for (a, b) in gaps {
            let a = a.filter(|&index| self.of_old[index].is_none() && !old.is_keyed[index]);
            let b = b.filter(|&index| self.of_new[index].is_none() && !new.is_keyed[index]);
            let (a, b): (Vec<_>, Vec<_>) = (a.collect(), b.collect());
            for (index, partner) in alike(&a, &b, old, new, is_free) {
                self.join(index, partner, false);
            }
        }
    }

    fn pairs<'t>(
        &self,
        old: &'t [Node],
        new: &'t [Node],
        key: Option<&'static str>,
    ) -> Vec<Pair<'t>> {
        let label = |item: Option<&'t Node>| Some((key?, item?.value(key?)?.text()?));
        let gone = |index: usize| Pair {
            before: Some(index),
            after: None,
            is_moved: false,
            key: label(old.get(index)),
        };
        let mut found = Vec::with_capacity(old.len().max(new.len()));
        let mut behind: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut previous = None;
        for (index, partner) in self.of_old.iter().enumerate() {
            match (partner, previous) {
                (Some((partner, _)), _) => previous = Some(*partner),
                (None, None) => found.push(gone(index)),
                (None, Some(previous)) => behind.entry(previous).or_default().push(index),
            }
        }
        for (index, partner) in self.of_new.iter().enumerate() {
            let partnership = partner.and_then(|old| self.of_old[old]);
            found.push(Pair {
                before: *partner,
                after: Some(index),
                is_moved: partnership.is_some_and(|(_, is_moved)| is_moved),
                key: label(new.get(index)),
            });
            found.extend(behind.remove(&index).into_iter().flatten().map(gone));
        }
        found
    }
}

/// How far ahead the most similar item is searched.
const WINDOW: usize = 16;

/// Returns which of the old items became which of the new ones, in order.
fn alike(
    old: &[usize],
    new: &[usize],
    old_list: &List<'_, '_>,
    new_list: &List<'_, '_>,
    is_free: bool,
) -> Vec<(usize, usize)> {
    if old.is_empty() || new.is_empty() {
        return Vec::new();
    }
    let entries: Vec<HashSet<u64>> = new.iter().map(|index| new_list.entries(*index)).collect();
    let mut found = Vec::new();
    let (mut rest_old, mut rest_new) = (0, 0);
    let between = |a: std::ops::Range<usize>, b: std::ops::Range<usize>| {
        // Texts of a set are no successors of each other.
        let is_possible = |a: Option<u8>, b: Option<u8>| a == b && (a == Some(0) || !is_free);
        if a.len() != b.len() {
            return Vec::new();
        }
        let pairs = a.zip(b).map(|(a, b)| (old[a], new[b]));
        pairs
            .filter(|(a, b)| is_possible(old_list.class(*a), new_list.class(*b)))
            .collect::<Vec<_>>()
    };
    for (place, index) in old.iter().enumerate() {
        let own = old_list.entries(*index);
        let ahead = entries.iter().enumerate().skip(rest_new).take(WINDOW);
        let best = ahead
            .map(|(place, other)| (own.intersection(other).count(), place))
            .max_by_key(|(score, place)| (*score, std::cmp::Reverse(*place)));
        if let Some((score, partner)) = best
            && score > 0
        {
            found.extend(between(rest_old..place, rest_new..partner));
            found.push((*index, new[partner]));
            (rest_old, rest_new) = (place + 1, partner + 1);
        }
    }
    found.extend(between(rest_old..old.len(), rest_new..new.len()));
    found
}
