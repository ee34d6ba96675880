//! Values of properties: as JSON, as text, and where two of them differ.

use serde_json::Value;
use similar::{Algorithm, DiffOp};

use super::mask::{MASK, MASK_CHANGED};
use crate::template::{Entry, Node, NodeKind, PathSegment};

/// What is shown for a value that only execution brings.
pub const KNOWN_AFTER_APPLY: &str = "known after apply";

/// What the service puts into contexts for it.
pub(super) const MARKER: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

/// Two values at one place that differ, at least one of them not a structure to look into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    pub path: Vec<PathSegment>,
    pub before: Option<String>,
    pub after: Option<String>,
    /// Whether a part of the value after is known only at execution.
    pub is_open: bool,
}

/// Returns how a value of a [`super::PropertyChange`] is shown: texts in quotes; numbers, booleans, structures,
/// masks and what is not known yet without.
pub fn value_text(value: &str) -> String {
    let is_structure = |open: char, close: char| value.starts_with(open) && value.ends_with(close);
    let is_bare = matches!(
        value,
        MASK | MASK_CHANGED | KNOWN_AFTER_APPLY | "true" | "false" | "null"
    ) || is_number(value)
        || is_structure('{', '}')
        || is_structure('[', ']');
    if is_bare {
        value.to_owned()
    } else {
        Value::from(value).to_string()
    }
}

/// An account id such as `012345678901` is no number.
fn is_number(value: &str) -> bool {
    matches!(
        serde_json::from_str::<Value>(value),
        Ok(Value::Number(number)) if number.to_string() == value
    )
}

/// Returns the value that a text of the service stands for: a structure where it is one, else the text.
pub(super) fn from_text(text: &str) -> Value {
    match text.trim_start().chars().next() {
        Some('{' | '[') => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
        Some(_) | None => Value::from(text),
    }
}

/// Returns the text of a value: a text as it is, anything else as JSON.
pub(super) fn to_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

/// Returns the text of a value as it is shown: what only execution brings is called so.
pub(super) fn shown(value: &Value) -> String {
    let text = to_text(value);
    if text == MARKER {
        KNOWN_AFTER_APPLY.to_owned()
    } else {
        text.replace(MARKER, "(known after apply)")
    }
}

/// Returns whether two texts that differ are JSON documents that say the same, with other spaces or in another order of
/// keys. What is masked in them is not known to be the same.
pub fn says_the_same(before: &str, after: &str) -> bool {
    let is_masked = [before, after].iter().any(|text| text.contains(MASK));
    before != after
        && !is_masked
        && match (Node::of_json(before), Node::of_json(after)) {
            (Some(before), Some(after)) => same_nodes(&before, &after),
            (_, None) | (None, _) => false,
        }
}

fn same_nodes(before: &Node, after: &Node) -> bool {
    match (&before.kind, &after.kind) {
        (NodeKind::Scalar(a), NodeKind::Scalar(b)) => a.plain == b.plain && a.text == b.text,
        (NodeKind::Sequence(a), NodeKind::Sequence(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_nodes(a, b))
        }
        (NodeKind::Mapping(a), NodeKind::Mapping(b)) => {
            let same = |(key, entry): (&String, &Entry)| {
                let other = b.get(key);
                other.is_some_and(|other| same_nodes(&entry.value, &other.value))
            };
            a.len() == b.len() && a.iter().all(same)
        }
        (NodeKind::Scalar(_) | NodeKind::Sequence(_) | NodeKind::Mapping(_), _) => false,
    }
}

/// Returns the keys of both values, each once; none of what is no object.
pub(super) fn keys(before: Option<&Value>, after: Option<&Value>) -> Vec<String> {
    let (old, new) = (
        before.and_then(Value::as_object),
        after.and_then(Value::as_object),
    );
    let is_new = |key: &&String| !old.is_some_and(|old| old.contains_key(*key));
    let old_keys = old.into_iter().flat_map(|old| old.keys());
    let new_keys = new.into_iter().flat_map(|new| new.keys());
    old_keys.chain(new_keys.filter(is_new)).cloned().collect()
}

/// Adds the places below `path` where `before` and `after` differ.
pub(super) fn differences(
    before: Option<&Value>,
    after: Option<&Value>,
    path: &mut Vec<PathSegment>,
    leaves: &mut Vec<Leaf>,
) {
    if before == after {
        return;
    }
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let added = new.keys().filter(|key| !old.contains_key(*key));
            for key in old.keys().chain(added) {
                path.push(PathSegment::Key(key.clone()));
                differences(old.get(key), new.get(key), path, leaves);
                path.pop();
            }
        }
        (Some(Value::Object(one)), None) | (None, Some(Value::Object(one))) if !one.is_empty() => {
            for (key, value) in one {
                path.push(PathSegment::Key(key.clone()));
                one_sided(before.is_some(), value, path, leaves);
                path.pop();
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => items(old, new, path, leaves),
        (Some(Value::Array(one)), None) | (None, Some(Value::Array(one))) if !one.is_empty() => {
            for (index, value) in one.iter().enumerate() {
                path.push(PathSegment::Index(index));
                one_sided(before.is_some(), value, path, leaves);
                path.pop();
            }
        }
        _ => leaves.push(Leaf {
            path: path.clone(),
            before: before.map(shown),
            after: after.map(shown),
            is_open: after.is_some_and(|value| value.to_string().contains(MARKER)),
        }),
    }
}

fn one_sided(is_before: bool, value: &Value, path: &mut Vec<PathSegment>, leaves: &mut Vec<Leaf>) {
    if is_before {
        differences(Some(value), None, path, leaves);
    } else {
        differences(None, Some(value), path, leaves);
    }
}

/// Matches equal items first, so that an item put in front does not make all others look changed.
fn items(old: &[Value], new: &[Value], path: &mut Vec<PathSegment>, leaves: &mut Vec<Leaf>) {
    let texts = |items: &[Value]| items.iter().map(Value::to_string).collect::<Vec<_>>();
    let operations = similar::capture_diff_slices(Algorithm::Myers, &texts(old), &texts(new));
    let mut pair = |from: Option<usize>, to: Option<usize>| {
        path.push(PathSegment::Index(to.or(from).unwrap_or_default()));
        let before = from.and_then(|index| old.get(index));
        let after = to.and_then(|index| new.get(index));
        differences(before, after, path, leaves);
        path.pop();
    };
    for operation in operations {
        let (from, to) = match operation {
            DiffOp::Equal { .. } => continue,
            DiffOp::Delete { .. } | DiffOp::Insert { .. } | DiffOp::Replace { .. } => {
                (operation.old_range(), operation.new_range())
            }
        };
        for offset in 0..from.len().max(to.len()) {
            let at = |range: &std::ops::Range<usize>| range.clone().nth(offset);
            pair(at(&from), at(&to));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::path_text;
    use serde_json::json;

    fn diff(before: Option<Value>, after: Option<Value>) -> Vec<String> {
        let mut leaves = Vec::new();
        differences(
            before.as_ref(),
            after.as_ref(),
            &mut Vec::new(),
            &mut leaves,
        );
        let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
        leaves
            .iter()
            .map(|l| {
                let open = if l.is_open { " open" } else { "" };
                format!(
                    "{} {} > {}{open}",
                    path_text(&l.path),
                    side(&l.before),
                    side(&l.after)
                )
            })
            .collect()
    }

    #[test]
    fn differences_are_at_the_leaves() {
        let before = json!({"a": 1, "b": {"c": "x", "d": [1, 2]}, "e": {}, "same": [1, {"x": 1}]});
        let after = json!({"a": 2, "b": {"c": "y", "d": [1, 3]}, "f": {"g": true, "h": []}, "same": [1, {"x": 1}]});
        assert_eq!(
            diff(Some(before), Some(after)),
            [
                "a 1 > 2",
                "b.c x > y",
                "b.d[1] 2 > 3",
                "e {} > -",
                "f.g - > true",
                "f.h - > []"
            ]
        );
    }

    #[test]
    fn an_item_put_in_front_is_one_difference() {
        let before = json!([{"Key": "a", "Value": 1}, {"Key": "b", "Value": 2}]);
        let after =
            json!([{"Key": "n", "Value": 0}, {"Key": "a", "Value": 1}, {"Key": "b", "Value": 3}]);
        assert_eq!(
            diff(Some(before), Some(after)),
            ["[0].Key - > n", "[0].Value - > 0", "[2].Value 2 > 3"]
        );
    }

    #[test]
    fn what_is_known_after_apply_is_said() {
        assert_eq!(
            diff(
                Some(json!({"a": "x", "b": "y"})),
                Some(json!({"a": MARKER, "b": format!("arn:{MARKER}:z")}))
            ),
            [
                "a x > known after apply open",
                "b y > arn:(known after apply):z open"
            ]
        );
    }

    #[test]
    fn a_change_of_kind_is_one_difference() {
        assert_eq!(
            diff(Some(json!({"a": [1]})), Some(json!({"a": {"b": 1}}))),
            ["a [1] > {\"b\":1}"]
        );
        assert_eq!(diff(Some(json!(["a"])), Some(json!("a"))), [" [\"a\"] > a"]);
    }

    #[test]
    fn texts_are_shown_in_quotes() {
        for bare in [
            "30",
            "-1.5",
            "true",
            "****",
            "**** (changed)",
            "known after apply",
            "{\"a\":1}",
            "[]",
        ] {
            assert_eq!(value_text(bare), bare);
        }
        for (text, shown) in [
            ("id", "\"id\""),
            ("", "\"\""),
            ("012345678901", "\"012345678901\""),
            ("a\"b", "\"a\\\"b\""),
        ] {
            assert_eq!(value_text(text), shown);
        }
    }

    #[test]
    fn documents_that_say_the_same_are_told_apart_from_others() {
        let text = r#"{"Version":"1","L":[1,2]}"#;
        for (other, same) in [
            ("{\n  \"L\": [1, 2],\n  \"Version\": \"1\"\n}\n", true),
            (text, false),
            (r#"{"Version":"1","L":[2,1]}"#, false),
            (r#"{"Version":1,"L":[1,2]}"#, false),
            (r#"{"Version":"1","L":[1,2],"M":null}"#, false),
            (r#"{"Version":"1", "L":[1,2]"#, false),
            ("x", false),
        ] {
            assert_eq!(says_the_same(text, other), same, "{other}");
            assert_eq!(says_the_same(other, text), same, "{other}");
        }
        assert!(!says_the_same(r#"{"a":"****"}"#, r#"{"a": "****"}"#));
        // More digits than a number of a machine has.
        assert!(!says_the_same(
            "[12345678901234567890123]",
            "[ 12345678901234567890124]"
        ));
    }

    fn any_value() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (0..5).prop_map(Value::from),
            "[ab]{0,2}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[abc]", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest::proptest! {
        #[test]
        fn invariant_only_different_values_have_differences(a in any_value(), b in any_value()) {
            proptest::prop_assert!(diff(Some(a.clone()), Some(a.clone())).is_empty());
            proptest::prop_assert_eq!(diff(Some(a.clone()), Some(b.clone())).is_empty(), a == b);
        }
    }
}
