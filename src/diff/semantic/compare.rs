//! What differs between two values.

use super::align::align;
use super::context::{Context, Role};
use super::digest::{Said, document, said};
use super::entries::merged;
use super::rename::Renames;
use super::{Side, Step, ValueDiff, ValueKind};
use crate::template::{Entry, Node, NodeKind, Position, Scalar};

/// Returns what differs between two entries.
pub(super) fn values<'t>(
    old: &'t Entry,
    new: &'t Entry,
    context: Context<'t>,
    renames: &Renames<'_>,
) -> Vec<ValueDiff> {
    let (old, new) = (Place::of(old), Place::of(new));
    if old.node.says_the_same_as(new.node) {
        return Vec::new();
    }
    let mut walk = Walk {
        renames,
        outside: Vec::new(),
        holders: None,
        path: Vec::new(),
        found: Vec::new(),
    };
    walk.node(old, new, context);
    walk.found
}

/// A value and where it is.
#[derive(Clone, Copy)]
struct Place<'t> {
    node: &'t Node,
    position: Position,
}

impl<'t> Place<'t> {
    fn of(entry: &'t Entry) -> Self {
        Self {
            node: &entry.value,
            position: entry.position,
        }
    }

    fn item(node: &'t Node) -> Self {
        Self {
            node,
            position: node.position,
        }
    }
}

/// A walk through two values at once; recursion is as deep as templates are, which is bounded.
struct Walk<'t, 'r> {
    renames: &'r Renames<'r>,
    /// The way to the document that is walked through.
    outside: Vec<Step>,
    /// Where the texts are that hold the documents.
    holders: Option<(Position, Position)>,
    path: Vec<At<'t>>,
    found: Vec<ValueDiff>,
}

/// A [`Step`] that borrows: most lead to nothing that differs.
#[derive(Clone, Copy)]
enum At<'t> {
    Key(&'t str),
    Item {
        before: Option<usize>,
        after: Option<usize>,
        key: Option<(&'static str, &'t str)>,
    },
}

impl<'t> Walk<'t, '_> {
    fn node(&mut self, old: Place<'t>, new: Place<'t>, context: Context<'t>) {
        let mut context = context;
        if let (Some(before), Some(after)) = (context.items(old.node), context.items(new.node)) {
            if old.node.items().is_some() || new.node.items().is_some() {
                return self.items(before, after, context);
            }
            context = context.item(before, 0);
        }
        match (context.intrinsic(old.node), context.intrinsic(new.node)) {
            (Some((function, _)), Some((other, _))) if function == other => {
                return self.function(old, new, context);
            }
            (None, None) => {}
            (Some(_), _) | (None, Some(_)) => return self.add(Some(old), Some(new), Vec::new()),
        }
        match (&old.node.kind, &new.node.kind) {
            (NodeKind::Scalar(before), NodeKind::Scalar(after)) => {
                self.scalar((old, before), (new, after), context);
            }
            (NodeKind::Mapping(_), NodeKind::Mapping(_)) => {
                self.mapping(old.node, new.node, context);
            }
            (NodeKind::Scalar(_) | NodeKind::Sequence(_) | NodeKind::Mapping(_), _) => {
                self.add(Some(old), Some(new), Vec::new());
            }
        }
    }

    fn mapping(&mut self, old: &'t Node, new: &'t Node, context: Context<'t>) {
        let (Some(before), Some(after)) = (old.entries(), new.entries()) else {
            return;
        };
        for key in merged(before, after, |_| None) {
            self.path.push(At::Key(key));
            let (old_place, new_place) = (before.get(key), after.get(key));
            match (old_place.map(Place::of), new_place.map(Place::of)) {
                (Some(a), Some(b)) => self.node(a, b, context.below_both(old, new, key)),
                (a, b) => self.add(a, b, Vec::new()),
            }
            self.path.pop();
        }
    }

    fn items(&mut self, old: &'t [Node], new: &'t [Node], context: Context<'t>) {
        let mut pairs = old.iter().zip(new);
        if old.len() == new.len() && pairs.all(|(a, b)| a.says_the_same_as(b)) {
            return;
        }
        for pair in align(old, new, context, self.renames) {
            let place =
                |items: &'t [Node], index: Option<usize>| items.get(index?).map(Place::item);
            self.path.push(At::Item {
                before: pair.before,
                after: pair.after,
                key: pair.key,
            });
            match (place(old, pair.before), place(new, pair.after)) {
                (Some(a), Some(b)) => {
                    if pair.is_moved {
                        self.add_as(ValueKind::Moved, Some(a), Some(b), Vec::new());
                    }
                    let index = pair.before.unwrap_or_default();
                    self.node(a, b, context.item(old, index));
                }
                (a, b) => self.add(a, b, Vec::new()),
            }
            self.path.pop();
        }
    }

    /// Compares the arguments of the same function. What is short is told as a whole.
    fn function(&mut self, old: Place<'t>, new: Place<'t>, context: Context<'t>) {
        let (Some(before), Some(after)) = (old.node.entries(), new.node.entries()) else {
            return;
        };
        let (Some((function, a)), Some((_, b))) = (before.first(), after.first()) else {
            return;
        };
        let known = self.found.len();
        self.path.push(At::Key(function));
        let inner = context.argument(function, &a.value);
        self.node(Place::of(a), Place::of(b), inner);
        self.path.pop();

        let is_short = match function.as_str() {
            "Ref" | "Condition" | "Fn::GetAtt" => true,
            "Fn::Sub" => a.value.text().is_some(),
            _ => false,
        };
        let depth = self.outside.len() + self.path.len();
        let is_document = |value: &ValueDiff| {
            value
                .path
                .get(depth..)
                .is_some_and(|below| below.contains(&Step::Document))
        };
        if is_short && self.found.len() > known && !self.found[known..].iter().any(is_document) {
            let inner = self.found.split_off(known);
            let is_same = |value: &ValueDiff| value.kind == ValueKind::WrittenOtherwise;
            let kind = if inner.iter().all(is_same) {
                ValueKind::WrittenOtherwise
            } else {
                ValueKind::Changed
            };
            let is_following = inner.iter().all(|value| !value.follows.is_empty());
            let follows = inner.into_iter().flat_map(|value| value.follows);
            let follows = if is_following {
                follows.collect()
            } else {
                Vec::new()
            };
            self.add_as(kind, Some(old), Some(new), follows);
        }
    }

    fn scalar(
        &mut self,
        (old, before): (Place<'t>, &'t Scalar),
        (new, after): (Place<'t>, &'t Scalar),
        context: Context<'t>,
    ) {
        if before.plain == after.plain && before.text == after.text {
            return;
        }
        if let (Some(a), Some(b)) = (document(before, context), document(after, context)) {
            let mut outside = self.full_path();
            outside.push(Step::Document);
            let mut walk = Walk {
                renames: self.renames,
                outside,
                holders: Some(self.holders.unwrap_or((old.position, new.position))),
                path: Vec::new(),
                found: Vec::new(),
            };
            walk.node(Place::item(&a), Place::item(&b), context.document());
            if walk.found.is_empty() && before.text != after.text {
                let kind = ValueKind::WrittenOtherwise;
                self.add_as(kind, Some(old), Some(new), Vec::new());
            }
            return self.found.append(&mut walk.found);
        }
        let (before, after) = (said(before, context), said(after, context));
        if before != after {
            let follows = self.follows(&before, &after, context);
            self.add(Some(old), Some(new), follows);
        }
    }

    /// Returns which renamed things explain that a scalar differs, if they explain it all.
    fn follows(&self, old: &Said<'_>, new: &Said<'_>, context: Context<'_>) -> Vec<String> {
        let (Said::Text(old, why), Said::Text(new, new_why)) = (old, new) else {
            return Vec::new();
        };
        if why != new_why {
            return Vec::new();
        }
        if let Role::Name(names) = context.role {
            let is_renamed = self.renames.new_name(names, old) == Some(new.as_ref());
            return is_renamed.then(|| old.to_string()).into_iter().collect();
        }
        let Some(variables) = context.substituted else {
            return Vec::new();
        };
        match self.renames.rewritten(old, variables) {
            (rewritten, found) if rewritten == *new => {
                found.into_iter().map(str::to_owned).collect()
            }
            (_, _) => Vec::new(),
        }
    }

    fn full_path(&self) -> Vec<Step> {
        let inside = self.path.iter().map(|at| match *at {
            At::Key(key) => Step::Key(key.to_owned()),
            At::Item { before, after, key } => Step::Item {
                before,
                after,
                key: key.map(|(name, value)| (name.to_owned(), value.to_owned())),
            },
        });
        self.outside.iter().cloned().chain(inside).collect()
    }

    fn add(&mut self, old: Option<Place<'t>>, new: Option<Place<'t>>, follows: Vec<String>) {
        let kind = match (&old, &new) {
            (None, _) => ValueKind::Added,
            (Some(_), None) => ValueKind::Removed,
            (Some(_), Some(_)) => ValueKind::Changed,
        };
        self.add_as(kind, old, new, follows);
    }

    fn add_as(
        &mut self,
        kind: ValueKind,
        old: Option<Place<'t>>,
        new: Option<Place<'t>>,
        follows: Vec<String>,
    ) {
        let side = |place: Place<'_>, holder: Option<Position>| Side {
            node: place.node.clone(),
            position: holder.unwrap_or(place.position),
        };
        let (before, after) = (self.holders.map(|(a, _)| a), self.holders.map(|(_, b)| b));
        self.found.push(ValueDiff {
            path: self.full_path(),
            kind,
            before: old.map(|place| side(place, before)),
            after: new.map(|place| side(place, after)),
            follows,
        });
    }
}
