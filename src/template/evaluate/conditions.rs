//! Conditions: true, false, or not known.

use super::super::node::Node;
use super::{Evaluator, Outcome, known_text};

/// Conditions that name each other in longer chains are not known; nobody writes such.
const LONGEST_CHAIN: usize = 100;

impl<'t> Evaluator<'t> {
    /// Works out every condition, so that it only has to be looked up.
    pub(super) fn work_out_conditions(&mut self) {
        let conditions = self.root.value("Conditions").and_then(Node::entries);
        for name in conditions.into_iter().flatten().map(|(name, _)| name) {
            self.work_out(name, 0);
        }
        self.problems.clear();
    }

    /// Returns whether a condition holds, if that is known.
    pub(super) fn condition_named(&self, name: &str) -> Option<bool> {
        self.conditions.get(name).copied().flatten()
    }

    fn work_out(&mut self, name: &str, depth: usize) -> Option<bool> {
        let conditions = self.root.value("Conditions")?.entries()?;
        let (name, entry) = conditions.get_key_value(name)?;
        if let Some(known) = self.conditions.get(name.as_str()) {
            return *known;
        }
        if depth > LONGEST_CHAIN {
            return None;
        }
        // A circle comes back to here and is not known.
        self.conditions.insert(name, None);
        let holds = self.holds(&entry.value, depth);
        self.conditions.insert(name, holds);
        holds
    }

    fn holds(&mut self, node: &'t Node, depth: usize) -> Option<bool> {
        let (function, argument) = node.intrinsic()?;
        match function {
            "Condition" => self.work_out(argument.text()?, depth + 1),
            "Fn::Equals" => match argument.items()? {
                [one, other] => {
                    let (one, other) = (self.constant(one)?, self.constant(other)?);
                    Some(one == other)
                }
                _ => None,
            },
            "Fn::Not" => match argument.items()? {
                [one] => self.holds(one, depth).map(|holds| !holds),
                _ => None,
            },
            "Fn::And" | "Fn::Or" => {
                let items = argument.items()?;
                if !(2..=10).contains(&items.len()) {
                    return None;
                }
                // One of these decides, whatever the others are.
                let decides = function == "Fn::Or";
                let known: Vec<_> = items.iter().map(|one| self.holds(one, depth)).collect();
                if known.contains(&Some(decides)) {
                    Some(decides)
                } else {
                    (!known.contains(&None)).then_some(!decides)
                }
            }
            _ => None,
        }
    }

    /// Returns the text that an argument of `Fn::Equals` certainly is.
    fn constant(&mut self, node: &'t Node) -> Option<String> {
        let Outcome::Value(value) = self.node(node) else {
            return None;
        };
        let text = known_text(&value)?;
        (!text.contains("{{resolve")).then(|| text.to_owned())
    }
}
