//! The properties of a resource before and after a change, from whatever tells them.

use std::borrow::Cow;

use serde_json::Value;

use super::value::from_text;
use crate::model::{ChangeAction, LogicalId, ResourceChange};
use crate::template::{Node, NodeKind, Template};

/// All properties of a resource before and after; none on a side where there is no resource, or where nothing tells them.
#[derive(Debug, Default)]
pub(super) struct Sides<'a> {
    pub before: Option<Cow<'a, Value>>,
    pub after: Option<Cow<'a, Value>>,
}

impl<'a> Sides<'a> {
    /// Takes the values of the change where it has them, else what the templates declare, functions as they are written.
    ///
    /// The two sides of a modification are of one kind: an evaluated value compares to no function.
    pub(super) fn of(
        change: &'a ResourceChange,
        new: Option<&Template>,
        old: Option<&Template>,
    ) -> Self {
        let id = &change.logical_id;
        let written = |template: Option<&Template>| declared(template?, id).map(Cow::Owned);
        let (before, after) = (
            change.before.as_ref().map(properties),
            change.after.as_ref().map(properties),
        );
        match change.action {
            ChangeAction::Add | ChangeAction::Import => Self {
                before: None,
                after: after.or_else(|| written(new)),
            },
            ChangeAction::Remove => Self {
                before: before.or_else(|| written(old)),
                after: None,
            },
            ChangeAction::Modify | ChangeAction::Dynamic | ChangeAction::SyncWithActual => {
                let (before, after) = match (before, after) {
                    (Some(before), Some(after)) => (Some(before), Some(after)),
                    (_, _) => (written(old), written(new)),
                };
                if before.is_some() && after.is_some() {
                    Self { before, after }
                } else {
                    Self::default()
                }
            }
        }
    }

    /// Returns the value of a property before.
    pub(super) fn was(&self, name: &str) -> Option<&Value> {
        self.before.as_ref()?.get(name)
    }

    /// Returns the value of a property after.
    pub(super) fn is(&self, name: &str) -> Option<&Value> {
        self.after.as_ref()?.get(name)
    }
}

/// Returns whether a value means `true`, which templates write as a text too.
pub(super) fn is_true(value: Option<&Value>) -> bool {
    flag(value) == Some(true)
}

/// Returns whether a value means `false`; one that is absent or not known does not.
pub(super) fn is_false(value: Option<&Value>) -> bool {
    flag(value) == Some(false)
}

fn flag(value: Option<&Value>) -> Option<bool> {
    match value? {
        Value::Bool(value) => Some(*value),
        Value::String(text) => text.to_ascii_lowercase().parse().ok(),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn properties(context: &Value) -> Cow<'_, Value> {
    match context {
        // Some endpoints give the context as text.
        Value::String(text) => match from_text(text) {
            Value::Object(mut entries) => {
                Cow::Owned(entries.remove("Properties").unwrap_or_default())
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Cow::Owned(Value::Null),
        },
        context => Cow::Borrowed(context.get("Properties").unwrap_or(&Value::Null)),
    }
}

fn declared(template: &Template, id: &LogicalId) -> Option<Value> {
    let resource = template.root().value("Resources")?.value(id.as_str())?;
    Some(resource.value("Properties").map_or(Value::Null, to_value))
}

/// Returns a part of a template as JSON; scalars are texts, since what reads them tells numbers by itself.
pub(super) fn to_value(node: &Node) -> Value {
    match &node.kind {
        NodeKind::Scalar(_) if node.is_null() => Value::Null,
        NodeKind::Scalar(scalar) => Value::from(scalar.text.as_str()),
        NodeKind::Sequence(items) => items.iter().map(to_value).collect(),
        NodeKind::Mapping(entries) => entries
            .iter()
            .map(|(key, entry)| (key.clone(), to_value(&entry.value)))
            .collect(),
    }
}
