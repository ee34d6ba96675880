//! What holds of any two templates.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::template::{Entry, Forms, NodeKind, Scalar, ScalarValue};

const AT: Position = Position { line: 1, column: 1 };

fn scalar(text: &str, plain: bool) -> Node {
    Node {
        position: AT,
        kind: NodeKind::Scalar(Scalar {
            text: text.to_owned(),
            plain,
            bytes: 0..0,
        }),
    }
}

fn list(items: Vec<Node>) -> Node {
    Node {
        position: AT,
        kind: NodeKind::Sequence(items),
    }
}

fn mapping(entries: impl IntoIterator<Item = (String, Node)>) -> Node {
    let entries = entries.into_iter().map(|(key, value)| {
        let entry = Entry {
            position: AT,
            value,
        };
        (key, entry)
    });
    Node {
        position: AT,
        kind: NodeKind::Mapping(entries.collect()),
    }
}

fn function(name: &str, argument: Node) -> Node {
    mapping([(name.to_owned(), argument)])
}

const NAMES: [&str; 6] = ["A", "B", "C", "D", "E", "F"];

fn names() -> impl Strategy<Value = String> {
    prop::sample::select(&NAMES[..]).prop_map(str::to_owned)
}

fn leaves() -> BoxedStrategy<Node> {
    let text = prop::sample::select(vec!["a", "b", "c", "x y", "one\ntwo\n", "", "30", "true"]);
    let number = prop::sample::select(vec!["1", "2", "30", "-1", "true", "null", "1.5"]);
    let json = prop::sample::select(vec![
        r#"{"a": 1, "b": [1, 2]}"#,
        r#"{"b": [1, 2],"a":1}"#,
        r#"{"a": "1", "b": [2]}"#,
        r#"[{"Sid": "s", "x": "${A}"}]"#,
        r#"{"Statement": [{"Effect": "Allow", "Action": ["a", "b"]}]}"#,
        r#"{"Statement": {"Action": ["b", "a"], "Effect": "Allow"}}"#,
        r#"{"a": 1"#,
    ]);
    let json = json.prop_map(|text| scalar(text, false));
    let refer = names().prop_map(|name| function("Ref", scalar(&name, true)));
    let attribute = names().prop_map(|name| {
        function(
            "Fn::GetAtt",
            list(vec![scalar(&name, false), scalar("Arn", false)]),
        )
    });
    let sub = (names(), json.clone()).prop_map(|(name, text)| {
        let text = text.text().unwrap_or_default().to_owned();
        function(
            "Fn::Sub",
            scalar(&format!("{text}${{{name}.Arn}}-${{{name}}}"), false),
        )
    });
    let document = json.clone().prop_map(|text| function("Fn::Sub", text));
    prop_oneof![
        4 => text.prop_map(|text| scalar(text, false)),
        4 => number.prop_map(|text| scalar(text, true)),
        2 => json,
        2 => refer,
        1 => attribute,
        1 => sub,
        1 => document,
    ]
    .boxed()
}

fn keys() -> impl Strategy<Value = String> {
    let keys = vec![
        "Key",
        "Name",
        "Sid",
        "Tags",
        "Effect",
        "Action",
        "Resource",
        "Statement",
        "Condition",
        "DependsOn",
        "P",
        "Q",
    ];
    prop::sample::select(keys).prop_map(str::to_owned)
}

fn values() -> BoxedStrategy<Node> {
    let inner = |inner: BoxedStrategy<Node>| {
        let fields = prop::collection::btree_map(keys(), inner.clone(), 0..5);
        let items = prop::collection::vec(inner.clone(), 0..6);
        let tags = prop::collection::vec((names(), inner.clone()), 0..5).prop_map(|items| {
            let item = |(name, value): (String, Node)| {
                mapping([
                    ("Key".to_owned(), scalar(&name, true)),
                    ("Value".to_owned(), value),
                ])
            };
            list(items.into_iter().map(item).collect())
        });
        let choice = (names(), inner.clone(), inner.clone())
            .prop_map(|(name, a, b)| function("Fn::If", list(vec![scalar(&name, true), a, b])));
        let join = prop::collection::vec(inner.clone(), 0..4)
            .prop_map(|items| function("Fn::Join", list(vec![scalar(",", false), list(items)])));
        prop_oneof![
            4 => fields.prop_map(mapping),
            3 => items.prop_map(list),
            2 => tags,
            1 => choice,
            1 => join,
            1 => inner.prop_map(|node| function("Fn::Base64", node)),
        ]
        .boxed()
    };
    leaves()
        .prop_recursive(4, 48, 6, move |below| inner(below.boxed()))
        .boxed()
}

fn resources() -> impl Strategy<Value = Node> {
    let depends = prop_oneof![
        names().prop_map(|name| scalar(&name, true)),
        prop::collection::vec(names(), 0..3)
            .prop_map(|names| list(names.iter().map(|name| scalar(name, true)).collect())),
    ];
    let properties = prop::collection::btree_map(keys(), values(), 0..4).prop_map(mapping);
    let kind = prop::sample::select(vec!["T::A", "T::B", "Custom::C"]);
    (
        kind,
        prop::option::of(properties),
        prop::option::of(depends),
        prop::option::of(names()),
    )
        .prop_map(|(kind, properties, depends, condition)| {
            let mut entries = vec![("Type".to_owned(), scalar(kind, true))];
            entries.extend(properties.map(|node| ("Properties".to_owned(), node)));
            entries.extend(depends.map(|node| ("DependsOn".to_owned(), node)));
            entries.extend(condition.map(|name| ("Condition".to_owned(), scalar(&name, true))));
            mapping(entries)
        })
}

fn templates() -> impl Strategy<Value = Node> {
    let section = |values: BoxedStrategy<Node>| {
        prop::collection::btree_map(names(), values, 0..5)
            .prop_map(mapping)
            .boxed()
    };
    let parameter = leaves().prop_filter("defaults are texts", |node| {
        node.text().is_some() && !node.is_null()
    });
    let parameter = parameter.prop_map(|node| {
        mapping([
            ("Type".to_owned(), scalar("String", true)),
            ("Default".to_owned(), node),
        ])
    });
    let conditions = section(values());
    let outputs = values().prop_map(|node| function("Value", node)).boxed();
    (
        prop::option::of(section(parameter.boxed())),
        prop::option::of(conditions),
        section(resources().boxed()),
        prop::option::of(section(outputs)),
        prop::option::of(values()),
    )
        .prop_map(|(parameters, conditions, resources, outputs, metadata)| {
            let mut entries = vec![("Resources".to_owned(), resources)];
            entries.extend(parameters.map(|node| ("Parameters".to_owned(), node)));
            entries.extend(conditions.map(|node| ("Conditions".to_owned(), node)));
            entries.extend(outputs.map(|node| ("Outputs".to_owned(), node)));
            entries.extend(metadata.map(|node| ("Metadata".to_owned(), node)));
            mapping(entries)
        })
}

/// How a tree is read.
#[derive(Clone, Copy)]
struct How {
    /// Whether it is in a JSON document in a text.
    is_json: bool,
    /// Whether a text is a text, whatever document it is.
    is_literal: bool,
    /// Whether it is of a custom resource.
    is_custom: bool,
}

/// Returns what a tree says, in a form that has but one way to say it; made apart from how trees are compared.
fn meaning(node: &Node, key: &str, around: &[(bool, &str)], how: How) -> Value {
    let is_json = how.is_json;
    let is_statement = |node: &Node| {
        node.value("Effect").is_some()
            && (node.value("Action").is_some() || node.value("NotAction").is_some())
    };
    // Whether the mappings around are statements, and by which key one comes from each.
    let from_statement = |steps: usize, keys: &[&str]| {
        let outer = around
            .len()
            .checked_sub(steps)
            .and_then(|at| around.get(at));
        outer.is_some_and(|(is_statement, key)| *is_statement && keys.contains(key))
    };
    let is_policy = from_statement(1, &["Action", "Resource"])
        || from_statement(3, &["Condition"])
        || (key == "Statement"
            && match node.items() {
                Some(items) => items
                    .iter()
                    .all(|i| is_statement(i) || i.intrinsic().is_some()),
                None => is_statement(node),
            });
    let is_set = (is_policy && !how.is_custom)
        || (key == "DependsOn" && around.len() == 3 && around[0].1 == "Resources")
        || (key == "DependsOn" && around.len() == 3 && around[0].1 == "Outputs");
    let is_one = match node.intrinsic() {
        Some((name, _)) => ["Fn::Sub", "Fn::Join", "Fn::GetAtt"].contains(&name),
        None => {
            node.items().is_none()
                && !node.is_null()
                && (node.entries().is_none() || is_statement(node))
        }
    };
    if is_set && node.items().is_none() && is_one {
        return meaning(&list(vec![node.clone()]), key, around, how);
    }
    match &node.kind {
        NodeKind::Scalar(scalar) => {
            let text = &scalar.text;
            if !how.is_literal
                && let Ok(document @ (Value::Object(_) | Value::Array(_))) =
                    serde_json::from_str(text)
            {
                let document = template(&json!({"Metadata": document}).to_string());
                let document = document.root().value("Metadata").unwrap().clone();
                let inner = How {
                    is_json: true,
                    ..how
                };
                return json!({"document": meaning(&document, "", &[], inner)});
            }
            match scalar.value() {
                ScalarValue::Null => Value::Null,
                ScalarValue::Text(text) => json!(text),
                ScalarValue::Bool(_) | ScalarValue::Number(_) if is_json => json!({"plain": text}),
                ScalarValue::Bool(value) => json!(value.to_string()),
                ScalarValue::Number(number) => json!(number),
            }
        }
        NodeKind::Sequence(items) => {
            let mut items: Vec<Value> = items
                .iter()
                .map(|item| meaning(item, "", &[], how))
                .collect();
            if is_set || (key == "Tags" && !how.is_custom) {
                items.sort_by_key(Value::to_string);
            }
            Value::from(items)
        }
        NodeKind::Mapping(entries) => {
            let is_function = !is_json && node.intrinsic().is_some();
            let fields = entries.iter().map(|(key, entry)| {
                let mut inner = around.to_vec();
                inner.push((is_statement(node), key));
                let (key_inside, inner) = if is_function {
                    ("", Vec::new())
                } else {
                    (key.as_str(), inner)
                };
                let of = node.value("Type").and_then(Node::text);
                let is_custom = key == "Properties" && of == Some("Custom::C");
                let is_name = is_function && key == "Condition";
                let how = How {
                    is_custom: how.is_custom || is_custom,
                    is_literal: how.is_literal || is_name,
                    ..how
                };
                (key.clone(), meaning(&entry.value, key_inside, &inner, how))
            });
            let fields: BTreeMap<String, Value> = fields.collect();
            json!(fields)
        }
    }
}

/// Returns what a template says. A section with nothing in it says nothing.
fn template_meaning(root: &Node, is_literal: bool) -> Value {
    let how = How {
        is_json: false,
        is_literal,
        is_custom: false,
    };
    let mut value = meaning(root, "", &[], how);
    if let Value::Object(sections) = &mut value {
        sections.retain(|name, section| {
            name == "Metadata"
                || section
                    .as_object()
                    .is_none_or(|entries| !entries.is_empty())
        });
    }
    value
}

/// Numbers that a test can repeat.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

fn shuffled(node: &Node, dice: &mut Dice) -> Node {
    let kind = match &node.kind {
        NodeKind::Scalar(scalar) => NodeKind::Scalar(scalar.clone()),
        NodeKind::Sequence(items) => {
            NodeKind::Sequence(items.iter().map(|item| shuffled(item, dice)).collect())
        }
        NodeKind::Mapping(entries) => {
            let mut rest: Vec<_> = entries.iter().collect();
            let mut new = IndexMap::new();
            while !rest.is_empty() {
                let (key, entry) = rest.swap_remove(dice.below(rest.len()));
                let value = shuffled(&entry.value, dice);
                new.insert(
                    key.clone(),
                    Entry {
                        position: AT,
                        value,
                    },
                );
            }
            NodeKind::Mapping(new)
        }
    };
    Node { position: AT, kind }
}

fn is_document(scalar: &Scalar) -> bool {
    Node::of_json(&scalar.text).is_some()
}

/// Returns the tree with all documents in texts written otherwise.
fn rewritten(node: &Node) -> Node {
    match &node.kind {
        NodeKind::Scalar(one) if is_document(one) => scalar(&format!(" {}", one.text), one.plain),
        NodeKind::Scalar(_) => node.clone(),
        NodeKind::Sequence(items) => list(items.iter().map(rewritten).collect()),
        // Its argument is a name.
        NodeKind::Mapping(_) if matches!(node.intrinsic(), Some(("Condition", _))) => node.clone(),
        NodeKind::Mapping(entries) => {
            let entries = entries.iter();
            mapping(entries.map(|(key, entry)| (key.clone(), rewritten(&entry.value))))
        }
    }
}

/// Changes one value somewhere below.
fn edit(node: &mut Node, other: &Node, dice: &mut Dice, depth: usize) {
    let goes_on = depth < 4 || dice.below(3) > 0;
    match &mut node.kind {
        NodeKind::Scalar(scalar) if is_document(scalar) && dice.below(2) == 0 => {
            scalar.text.push('\n');
        }
        NodeKind::Mapping(entries) if goes_on && !entries.is_empty() => {
            let at = dice.below(entries.len());
            if depth > 1 && dice.below(8) == 0 {
                entries.shift_remove_index(at);
            } else if let Some((_, entry)) = entries.get_index_mut(at) {
                edit(&mut entry.value, other, dice, depth + 1);
            }
        }
        NodeKind::Sequence(items) if !items.is_empty() => {
            let (at, to) = (dice.below(items.len()), dice.below(items.len()));
            match dice.below(6) {
                0 => items.swap(at, to),
                1 => {
                    let item = items.remove(at);
                    items.insert(to, item);
                }
                2 => items.insert(to, other.clone()),
                3 => {
                    items.remove(at);
                }
                4 => items.reverse(),
                _ => edit(&mut items[at], other, dice, depth + 1),
            }
        }
        NodeKind::Scalar(_) | NodeKind::Sequence(_) | NodeKind::Mapping(_) if depth > 2 => {
            *node = other.clone();
        }
        NodeKind::Scalar(_) | NodeKind::Sequence(_) | NodeKind::Mapping(_) => {}
    }
}

/// Checks that the differences lead from the one to the other, that there are none where both say the same in the same
/// texts, and none but of how texts are written where both say the same.
fn check(before: &Node, after: &Node) -> Result<TemplateDiff, TestCaseError> {
    let found = compare_trees(before, after);
    let applied = found.apply(before);
    let said = |node: &Node| template_meaning(node, false);
    let expected = said(after);
    prop_assert_eq!(&said(&applied), &expected, "by {:#?}", found);
    let is_same = template_meaning(before, true) == template_meaning(after, true);
    prop_assert_eq!(found.is_empty(), is_same, "{:#?}", found);
    let is_of_texts = |value: &ValueDiff| value.kind == ValueKind::WrittenOtherwise;
    let is_text_alone = found
        .entries
        .iter()
        .all(|entry| entry.kind == EntryKind::Changed && entry.values.iter().all(is_of_texts));
    prop_assert_eq!(is_text_alone, said(before) == expected, "{:#?}", found);
    Ok(found)
}

proptest! {
    #[test]
    fn invariant_what_is_written_otherwise_is_no_difference(
        tree in templates(), seed in any::<u64>(), way in 0..3,
    ) {
        let shuffled = shuffled(&tree, &mut Dice(seed));
        let text = match way {
            0 => shuffled.to_yaml(Forms::Short),
            1 => shuffled.to_yaml(Forms::Long),
            _ => shuffled.to_json(),
        };
        let is_json = text.starts_with('{');
        let lines = text.lines().map(|line| {
            let is_key = !is_json && line.starts_with(|c: char| c.is_ascii_uppercase());
            if is_key { format!("# {line}\n\n{line}\n") } else { format!("{line}\n") }
        });
        let text: String = lines.collect();
        let other = template(&text);
        let found = check(&tree, other.root())?;
        prop_assert!(found.is_empty(), "{found:#?} in\n{text}");
    }

    #[test]
    fn invariant_a_text_that_is_written_otherwise_is_told(tree in templates()) {
        let after = rewritten(&tree);
        let found = check(&tree, &after)?;
        prop_assert_eq!(found.is_empty(), tree.says_the_same_as(&after));
        // Nothing in it but such texts: what is applied is what was compared, letter by letter.
        let applied = template_meaning(&found.apply(&tree), true);
        prop_assert_eq!(applied, template_meaning(&after, true));
    }

    #[test]
    fn invariant_differences_lead_from_any_template_to_any(before in templates(), after in templates()) {
        check(&before, &after)?;
    }

    #[test]
    fn invariant_differences_of_edits_lead_to_what_was_edited(
        before in templates(), others in prop::collection::vec(values(), 1..6), seed in any::<u64>(),
    ) {
        let mut dice = Dice(seed);
        let mut after = shuffled(&before, &mut dice);
        for other in &others {
            edit(&mut after, other, &mut dice, 0);
        }
        let found = check(&before, &after)?;
        prop_assert_eq!(found, compare_trees(&before, &after), "each time the same");
        check(&after, &before)?;
    }

    #[test]
    fn invariant_a_renamed_resource_is_found(tree in templates(), at in any::<prop::sample::Index>()) {
        let resources = tree.value("Resources").and_then(Node::entries).cloned().unwrap_or_default();
        prop_assume!(!resources.is_empty());
        let old = at.get(&resources.keys().cloned().collect::<Vec<_>>()).clone();
        let is_elsewhere = |section: &str| tree.value(section).is_some_and(|s| s.value(&old).is_some());
        prop_assume!(!is_elsewhere("Parameters"));
        let after = renamed(&tree, &old, "Renamed");
        let found = check(&tree, &after)?;
        for entry in &found.entries {
            if entry.name == "Renamed" {
                prop_assert_eq!(&entry.kind, &EntryKind::Renamed { from: old.clone() });
            } else {
                prop_assert!(entry.only_follows(), "{:#?}", entry);
            }
            for value in &entry.values {
                prop_assert_eq!(&value.follows.first(), &Some(&old), "{:#?}", value);
            }
        }
        prop_assert!(found.entries.iter().any(|entry| entry.name == "Renamed"));
    }
}

/// Returns the tree with a resource under another name, and what refers to it.
fn renamed(node: &Node, old: &str, new: &str) -> Node {
    let name = |node: &Node| match node.text() {
        Some(text) if text == old => scalar(new, true),
        _ => node.clone(),
    };
    let walk = |node: &Node| renamed(node, old, new);
    if let Some((key, argument)) = node.intrinsic() {
        let argument = match (key, argument.items(), argument.text()) {
            ("Ref", _, _) => name(argument),
            ("Fn::GetAtt", Some([resource, attribute]), _) => {
                list(vec![name(resource), attribute.clone()])
            }
            ("Fn::Sub", _, Some(text)) => {
                let text = text.replace(&format!("${{{old}}}"), &format!("${{{new}}}"));
                scalar(
                    &text.replace(&format!("${{{old}."), &format!("${{{new}.")),
                    false,
                )
            }
            _ => walk(argument),
        };
        return function(key, argument);
    }
    match &node.kind {
        NodeKind::Scalar(_) => node.clone(),
        NodeKind::Sequence(items) => list(items.iter().map(walk).collect()),
        NodeKind::Mapping(entries) => mapping(entries.iter().map(|(key, entry)| {
            let value = &entry.value;
            let is_root = node.value("Resources").is_some();
            let value = match key.as_str() {
                "Resources" if is_root => {
                    let entries = value.entries().into_iter().flatten();
                    mapping(entries.map(|(id, entry)| {
                        let body = &entry.value;
                        let mut body_new = walk(body);
                        if let (NodeKind::Mapping(fields), Some(depends)) =
                            (&mut body_new.kind, body.value("DependsOn"))
                        {
                            let depends = match depends.items() {
                                Some(items) => list(items.iter().map(name).collect()),
                                None => name(depends),
                            };
                            fields.insert(
                                "DependsOn".to_owned(),
                                Entry {
                                    position: AT,
                                    value: depends,
                                },
                            );
                        }
                        (
                            if id == old {
                                new.to_owned()
                            } else {
                                id.clone()
                            },
                            body_new,
                        )
                    }))
                }
                _ => walk(value),
            };
            (key.clone(), value)
        })),
    }
}
