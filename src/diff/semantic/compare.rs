//! What differs between two values.

use super::entries::merged;
use super::{Side, Step, ValueDiff, ValueKind};
use crate::template::{Entry, Node, NodeKind, Position};

/// Returns what differs between two entries.
pub(super) fn values(old: &Entry, new: &Entry) -> Vec<ValueDiff> {
    let mut walk = Walk {
        path: Vec::new(),
        found: Vec::new(),
    };
    walk.node((&old.value, old.position), (&new.value, new.position));
    walk.found
}

type Place<'a> = (&'a Node, Position);

struct Walk {
    path: Vec<Step>,
    found: Vec<ValueDiff>,
}

impl Walk {
    fn node(&mut self, old: Place<'_>, new: Place<'_>) {
        if old.0.says_the_same_as(new.0) {
            return;
        }
        let (NodeKind::Mapping(before), NodeKind::Mapping(after)) = (&old.0.kind, &new.0.kind)
        else {
            return self.add(Some(old), Some(new));
        };
        if old.0.intrinsic().is_some() || new.0.intrinsic().is_some() {
            return self.add(Some(old), Some(new));
        }
        for key in merged(before, after, |_| None) {
            let place = |entry: &'_ Entry| entry.position;
            self.path.push(Step::Key(key.to_owned()));
            match (before.get(key), after.get(key)) {
                (Some(old), Some(new)) => {
                    self.node((&old.value, place(old)), (&new.value, place(new)));
                }
                (old, new) => self.add(
                    old.map(|e| (&e.value, e.position)),
                    new.map(|e| (&e.value, e.position)),
                ),
            }
            self.path.pop();
        }
    }

    fn add(&mut self, old: Option<Place<'_>>, new: Option<Place<'_>>) {
        let side = |(node, position): Place<'_>| Side {
            node: node.clone(),
            position,
        };
        self.found.push(ValueDiff {
            path: self.path.clone(),
            kind: match (&old, &new) {
                (None, _) => ValueKind::Added,
                (Some(_), None) => ValueKind::Removed,
                (Some(_), Some(_)) => ValueKind::Changed,
            },
            before: old.map(side),
            after: new.map(side),
            follows: Vec::new(),
        });
    }
}
