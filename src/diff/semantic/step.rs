//! The way to a value that differs: where it is in both templates, and what it is called.

use crate::diff::property::{is_simple, push_key};
use crate::template::PathSegment;

/// One step from a value to a value inside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Into a mapping.
    Key(String),
    /// Into a list.
    Item {
        /// The place in the old list, counted from 0; none if the item is new.
        before: Option<usize>,
        /// The place in the new list; none if the item is gone.
        after: Option<usize>,
        /// The key by which items are told apart, and its value, such as `Key` and `Name`.
        key: Option<(String, String)>,
    },
    /// Into the JSON document that is written as a text.
    Document,
}

/// Returns a path as text: `Tags[Key=Name].Value`, `KeySchema[0]`; `{json}` stands where it goes on in a document that is
/// written as a text.
///
/// An item is called by its place in the new list; one that is gone, by the place that it had.
pub fn steps_text(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) => push_key(&mut text, key),
            Step::Item {
                key: Some((name, value)),
                ..
            } => {
                let value = if is_simple(value) {
                    value.clone()
                } else {
                    quoted(value)
                };
                text.push_str(&format!("[{name}={value}]"));
            }
            Step::Item { before, after, .. } => {
                let place = after.or(*before).unwrap_or_default();
                text.push_str(&format!("[{place}]"));
            }
            Step::Document => text.push_str("{json}"),
        }
    }
    text
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// One of the two templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Before,
    After,
}

/// Returns the path in one template, up to the text that holds a document.
pub(super) fn segments(path: &[Step], of: Of) -> Vec<PathSegment> {
    let outside = path.iter().take_while(|step| **step != Step::Document);
    let segments = outside.filter_map(|step| match step {
        Step::Key(key) => Some(PathSegment::Key(key.clone())),
        Step::Item { before, after, .. } => {
            let place = match of {
                Of::Before => before.or(*after),
                Of::After => after.or(*before),
            };
            place.map(PathSegment::Index)
        }
        Step::Document => None,
    });
    segments.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Step {
        Step::Key(name.to_owned())
    }

    fn item(before: Option<usize>, after: Option<usize>, key: Option<(&str, &str)>) -> Step {
        let key = key.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Step::Item { before, after, key }
    }

    #[test]
    fn paths_are_told() {
        let path = [
            key("Tags"),
            item(Some(1), Some(2), Some(("Key", "a b"))),
            key("Value"),
        ];
        assert_eq!(steps_text(&path), "Tags[Key=\"a b\"].Value");
        let path = [
            key("L"),
            item(Some(1), None, None),
            item(Some(1), Some(2), None),
        ];
        assert_eq!(steps_text(&path), "L[1][2]");
        let path = [key("Policy"), Step::Document, key("a.b"), key("c")];
        assert_eq!(steps_text(&path), "Policy{json}[\"a.b\"].c");
    }

    #[test]
    fn a_path_is_one_of_each_template() {
        let path = [
            key("L"),
            item(Some(1), Some(2), None),
            Step::Document,
            key("c"),
        ];
        let list = PathSegment::Key("L".to_owned());
        assert_eq!(
            segments(&path, Of::Before),
            [list.clone(), PathSegment::Index(1)]
        );
        assert_eq!(segments(&path, Of::After), [list, PathSegment::Index(2)]);
    }
}
