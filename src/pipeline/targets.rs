//! The targets of an execution by number: what is kept of each of thousands then fits into the caches of a processor, which
//! their names, compared wherever one is looked up, do not.

use std::ops::Index;

use indexmap::IndexMap;

use super::state::{Execution, TargetState};
use crate::model::Target;

/// Which of its targets an execution means, in their order. None ever goes, so it holds for as long as the execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetIndex(usize);

impl Execution {
    /// Returns which target that is; nothing if it is none of the execution's.
    pub(super) fn index_of(&self, target: &Target) -> Option<TargetIndex> {
        self.targets.get_index_of(target).map(TargetIndex)
    }

    /// Returns what it is called. What is looked up first stands beside it in memory.
    pub(super) fn name_of(&self, target: TargetIndex) -> &Target {
        let found = self.targets.get_index(target.0);
        // An index is made of a target that is there, and none ever goes.
        found.expect("a target of this execution").0
    }

    pub(super) fn state_mut(&mut self, target: TargetIndex) -> Option<&mut TargetState> {
        self.targets.get_index_mut(target.0).map(|(_, state)| state)
    }

    /// Returns all targets, in their order.
    pub(super) fn indices(&self) -> impl Iterator<Item = TargetIndex> + use<> {
        (0..self.targets.len()).map(TargetIndex)
    }
}

impl Index<TargetIndex> for IndexMap<Target, TargetState> {
    type Output = TargetState;

    fn index(&self, target: TargetIndex) -> &TargetState {
        &self[target.0]
    }
}

/// Some of the targets of an execution: a bit for each of them.
#[derive(Debug, Clone, Default)]
pub(super) struct TargetSet {
    words: Vec<u64>,
    len: usize,
}

impl TargetSet {
    pub(super) fn insert(&mut self, target: TargetIndex) {
        let (word, bit) = place(target);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.len += usize::from(self.words[word] & bit == 0);
        self.words[word] |= bit;
    }

    pub(super) fn remove(&mut self, target: TargetIndex) {
        let (word, bit) = place(target);
        if let Some(word) = self.words.get_mut(word) {
            self.len -= usize::from(*word & bit != 0);
            *word &= !bit;
        }
    }

    pub(super) fn contains(&self, target: TargetIndex) -> bool {
        let (word, bit) = place(target);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns its targets, in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = TargetIndex> {
        let all = (0..self.words.len() * BITS).map(TargetIndex);
        all.filter(|target| self.contains(*target))
    }
}

impl FromIterator<TargetIndex> for TargetSet {
    fn from_iter<I: IntoIterator<Item = TargetIndex>>(targets: I) -> Self {
        let mut set = Self::default();
        targets.into_iter().for_each(|target| set.insert(target));
        set
    }
}

const BITS: usize = u64::BITS as usize;

/// Returns the word of a target, and its bit there.
fn place(TargetIndex(target): TargetIndex) -> (usize, u64) {
    (target / BITS, 1 << (target % BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_knows_what_was_put_into_it_and_counts_each_once() {
        let mut set: TargetSet = [200, 3, 63, 64, 3].map(TargetIndex).into_iter().collect();
        let all = |set: &TargetSet| set.iter().map(|target| target.0).collect::<Vec<_>>();
        assert_eq!(all(&set), [3, 63, 64, 200]);
        for absent in [2, 65, 201, 10_000] {
            assert!(!set.contains(TargetIndex(absent)));
            set.remove(TargetIndex(absent));
        }
        for target in [3, 3, 63, 64, 200] {
            assert!(!set.is_empty(), "{target} is left");
            set.remove(TargetIndex(target));
        }
        assert!(set.is_empty() && all(&set).is_empty());
    }
}
