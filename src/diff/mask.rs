//! Secrets are taken out of changes before anything stores or shows them.
//!
//! Endpoints exist that return `NoEcho` values in plain text, so what is masked goes by the templates: the new one and
//! the one the stack has. A value counts as secret when either says so.

use serde_json::Value;

use super::judged::keep_judged;
use super::property::detail_path;
use super::value::{MARKER, from_text, keys, to_text};
use crate::model::{LogicalId, ResourceChange};
use crate::template::{PathSegment, Secrecy, Template};

/// What stands for a secret.
pub const MASK: &str = "****";
/// What stands for a secret that is known to differ from the one before.
pub const MASK_CHANGED: &str = "**** (changed)";

/// Shorter texts occur by chance, and would mask what is no secret.
pub const SHORTEST_KNOWN: usize = 4;

/// Replaces every value whose expression in either template depends on a secret, and every occurrence of
/// a known secret.
///
/// Where both values are at hand and differ, the one after says so. Masking twice changes nothing. No template at hand says
/// what is secret inside a nested stack: only what rules judge stays there.
pub fn mask(
    changes: &mut [ResourceChange],
    new: &Template,
    old: Option<&Template>,
    known_secrets: &[String],
) {
    let masker = Masker {
        new,
        old,
        known: known(known_secrets),
    };
    for change in changes {
        if change.logical_id.as_str().contains('/') {
            keep_judged(change);
        }
        masker.change(change);
    }
}

/// Returns the texts to look for, longest first: one secret can be part of another.
fn known(secrets: &[String]) -> Vec<String> {
    let mut known = Vec::new();
    for secret in secrets {
        // Inside JSON texts, as policies are often written, a secret is escaped.
        let quoted = Value::from(secret.as_str()).to_string();
        let escaped = quoted.get(1..quoted.len() - 1).unwrap_or_default();
        let trimmed = secret.trim().to_owned();
        known.extend([secret.clone(), escaped.to_owned(), trimmed]);
    }
    known.retain(|text| text.chars().count() >= SHORTEST_KNOWN);
    known.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    known.dedup();
    known
}

/// A resource whose values are masked.
#[derive(Clone, Copy)]
struct Resource<'a> {
    id: &'a LogicalId,
    /// Whether the items of lists stand where the templates have them.
    is_in_order: bool,
}

struct Masker<'a> {
    new: &'a Template,
    old: Option<&'a Template>,
    known: Vec<String>,
}

impl Masker<'_> {
    fn change(&self, change: &mut ResourceChange) {
        let id = change.logical_id.clone();
        let of = Resource {
            id: &id,
            is_in_order: self.is_in_order(change),
        };
        self.context(of, change.before.as_mut(), change.after.as_mut());
        for detail in &mut change.details {
            let mut path = detail_path(detail);
            let mut before = detail.before.as_deref().map(from_text);
            let mut after = detail.after.as_deref().map(from_text);
            self.pair(of, before.as_mut(), after.as_mut(), &mut path);
            // An untouched text stays as it was given, to the last space.
            replace(&mut detail.before, before);
            replace(&mut detail.after, after);
            if let Some(drift) = &mut detail.drift {
                let mut previous = drift.previous.as_deref().map(from_text);
                let mut actual = drift.actual.as_deref().map(from_text);
                self.pair(of, previous.as_mut(), actual.as_mut(), &mut path);
                replace(&mut drift.previous, previous);
                replace(&mut drift.actual, actual);
            }
        }
        if let Some(physical_id) = &mut change.physical_id {
            *physical_id = self.without_known(physical_id);
        }
    }

    /// Returns whether the items of lists stand where the templates have them: what is really there, in place of what was
    /// deployed, may have another order, and so may what was made from a template that is not at hand.
    fn is_in_order(&self, change: &ResourceChange) -> bool {
        let mut details = change.details.iter();
        let is_drift = change.drift.is_some() || details.any(|detail| detail.drift.is_some());
        let mut details = change.details.iter();
        let has_before = change.before.is_some() || details.any(|detail| detail.before.is_some());
        !is_drift && (self.old.is_some() || !has_before)
    }

    fn secrecy(&self, of: Resource<'_>, path: &[PathSegment]) -> Secrecy {
        let secrecy = |template: &Template| match of.is_in_order {
            true => template.secrecy(of.id, path),
            false => template.secrecy_in_any_order(of.id, path),
        };
        let old = self.old.map_or(Secrecy::Clear, secrecy);
        secrecy(self.new).max(old)
    }

    /// Masks the contexts, which hold the properties beside other attributes of the resource.
    fn context(&self, of: Resource<'_>, before: Option<&mut Value>, after: Option<&mut Value>) {
        let (mut before, mut after) = (before, after);
        for side in [&mut before, &mut after] {
            // A context that was not read as JSON is read here.
            if let Some(value) = side
                && let Value::String(text) = &**value
            {
                **value = from_text(text);
            }
        }
        let names = keys(before.as_deref(), after.as_deref());
        if !all_objects(before.as_deref(), after.as_deref()) {
            self.pair(of, before, after, &mut Vec::new());
            return;
        }
        for name in names {
            let old = before.as_mut().and_then(|value| value.get_mut(&name));
            let new = after.as_mut().and_then(|value| value.get_mut(&name));
            let mut path = if name == "Properties" {
                Vec::new()
            } else {
                vec![PathSegment::Key(name)]
            };
            self.pair(of, old, new, &mut path);
        }
    }

    /// Masks two values at the same place.
    fn pair(
        &self,
        of: Resource<'_>,
        before: Option<&mut Value>,
        after: Option<&mut Value>,
        path: &mut Vec<PathSegment>,
    ) {
        match self.secrecy(of, path) {
            Secrecy::Whole => hide(before, after),
            Secrecy::Clear => {
                for value in [before, after].into_iter().flatten() {
                    self.remove_known(value);
                }
            }
            Secrecy::Below => match (before, after) {
                (Some(old), Some(new)) if is_structure(old) && is_structure(new) => {
                    self.children(of, Some(old), Some(new), path);
                }
                (old, new) => {
                    // They are of different kinds, so nothing inside one is comparable to the other.
                    for value in [old, new].into_iter().flatten() {
                        if is_structure(value) {
                            self.children(of, Some(value), None, path);
                        } else {
                            hide(Some(value), None);
                        }
                    }
                }
            },
        }
    }

    fn children(
        &self,
        of: Resource<'_>,
        mut before: Option<&mut Value>,
        mut after: Option<&mut Value>,
        path: &mut Vec<PathSegment>,
    ) {
        for name in keys(before.as_deref(), after.as_deref()) {
            path.push(PathSegment::Key(name.clone()));
            let old = before.as_mut().and_then(|value| value.get_mut(&name));
            let new = after.as_mut().and_then(|value| value.get_mut(&name));
            self.pair(of, old, new, path);
            path.pop();
        }
        let length = |value: Option<&Value>| value.and_then(Value::as_array).map_or(0, Vec::len);
        for index in 0..length(before.as_deref()).max(length(after.as_deref())) {
            path.push(PathSegment::Index(index));
            let old = before.as_mut().and_then(|value| value.get_mut(index));
            let new = after.as_mut().and_then(|value| value.get_mut(index));
            self.pair(of, old, new, path);
            path.pop();
        }
    }

    fn without_known(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.known {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), MASK);
            }
        }
        text
    }

    fn remove_known(&self, value: &mut Value) {
        if self.known.is_empty() {
            return;
        }
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => {
                let text = number.to_string();
                if self.known.contains(&text) {
                    *value = Value::from(MASK);
                }
            }
            Value::String(text) => *text = self.without_known(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.remove_known(item)),
            Value::Object(entries) => {
                let taken = std::mem::take(entries);
                for (key, mut value) in taken {
                    self.remove_known(&mut value);
                    entries.insert(self.without_known(&key), value);
                }
            }
        }
    }
}

fn is_structure(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

fn all_objects(before: Option<&Value>, after: Option<&Value>) -> bool {
    [before, after].into_iter().flatten().all(Value::is_object)
}

/// Masks two values as a whole, and keeps whether they are known to differ.
fn hide(before: Option<&mut Value>, after: Option<&mut Value>) {
    let differ = match (&before, &after) {
        (Some(old), Some(new)) => is_known(old) && is_known(new) && old != new,
        _ => false,
    };
    for (value, mask) in [
        (before, MASK),
        (after, if differ { MASK_CHANGED } else { MASK }),
    ] {
        if let Some(value) = value
            && !is_public(value)
        {
            *value = Value::from(mask);
        }
    }
}

/// Values that stand for no value: masks, and what only execution brings.
fn is_public(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| matches!(text, MASK | MASK_CHANGED | MARKER))
}

fn is_known(value: &Value) -> bool {
    // Some endpoints use other numbers of asterisks.
    let is_mask = |text: &str| !text.is_empty() && text.chars().all(|c| c == '*');
    !is_public(value) && !value.as_str().is_some_and(is_mask) && !value.to_string().contains(MARKER)
}

fn replace(text: &mut Option<String>, value: Option<Value>) {
    if let (Some(text), Some(value)) = (text.as_mut(), value)
        && from_text(text) != value
    {
        *text = to_text(&value);
    }
}

#[cfg(test)]
mod tests;
