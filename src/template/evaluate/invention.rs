//! Nothing that is claimed of a template is invented.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{Forms, Node, Template};
use super::Known;

const NAMES: [&str; 4] = ["A", "B", "C", "L"];

/// Expressions over three texts, a list, conditions and a mapping.
fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(NAMES.to_vec()).prop_map(|name| format!("{{Ref: {name}}}")),
        prop::sample::select(vec![
            "x", "'y'", "12", "0755", "true", "'a-b'", "'$'", "'{A}'", "'${A}'"
        ])
        .prop_map(str::to_owned),
        Just("{Ref: AWS::NoValue}".to_owned()),
        Just("{Ref: AWS::Region}".to_owned()),
        Just("{Ref: R}".to_owned()),
        Just("{Fn::GetAtt: [R, Arn]}".to_owned()),
        "(\\$|\\$\\{A\\}|\\$\\{B\\}|\\$\\{!C\\}|\\$\\{R[.]Arn\\}|\\{|\\}|a|-){0,5}"
            .prop_map(|text| format!("{{Fn::Sub: '{text}'}}")),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            (two.clone(), 0..4_usize)
                .prop_map(|((a, b), c)| format!("{{Fn::If: [C{c}, {a}, {b}]}}")),
            two.clone()
                .prop_map(|(a, b)| format!("{{Fn::Join: ['-', [{a}, {b}]]}}")),
            two.clone().prop_map(|(a, b)| format!("[{a}, {b}]")),
            two.clone().prop_map(|(a, b)| format!("{{K: {a}, M: {b}}}")),
            (two, 0..3_usize).prop_map(|((a, b), i)| format!("{{Fn::Select: [{i}, [{a}, {b}]]}}")),
            inner
                .clone()
                .prop_map(|a| format!("{{Fn::Split: ['-', {a}]}}")),
            inner
                .clone()
                .prop_map(|a| format!("{{Fn::Select: [0, {a}]}}")),
            inner
                .clone()
                .prop_map(|a| format!("{{Fn::FindInMap: [M, {a}, v]}}")),
            inner
                .clone()
                .prop_map(|a| format!("{{Fn::Sub: ['${{V}}-${{A}}-${{R}}', {{V: {a}}}]}}")),
            inner.clone().prop_map(|a| format!("{{Fn::Length: {a}}}")),
            inner.clone().prop_map(|a| format!("{{Fn::Base64: {a}}}")),
            inner
                .clone()
                .prop_map(|a| format!("{{Fn::ToJsonString: {{k: {a}, l: [{a}]}}}}")),
            inner
                .clone()
                .prop_map(|a| format!("{{Fn::ToJsonString: {a}}}")),
            inner
                .clone()
                .prop_map(|a| format!("{{Fn::Cidr: [10.0.0.0/16, {a}, 4]}}")),
            inner.prop_map(|a| format!(
                "{{Fn::ForEach::F: [N, {{Ref: L}}, {{'K${{N}}': [{{Ref: N}}, {a}]}}]}}"
            )),
        ]
    })
}

fn conditions() -> impl Strategy<Value = String> {
    let leaf = (
        prop::sample::select(NAMES.to_vec()),
        prop::sample::select(vec!["x", "'a-b'", "12", "0755"]),
    )
        .prop_map(|(name, value)| format!("{{Fn::Equals: [{{Ref: {name}}}, {value}]}}"));
    leaf.prop_recursive(2, 8, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            inner.clone().prop_map(|a| format!("{{Fn::Not: [{a}]}}")),
            two.clone()
                .prop_map(|(a, b)| format!("{{Fn::And: [{a}, {b}]}}")),
            two.prop_map(|(a, b)| format!("{{Fn::Or: [{a}, {b}]}}")),
            (0..4_usize).prop_map(|number| format!("{{Condition: C{number}}}")),
        ]
    })
}

fn values() -> impl Strategy<Value = BTreeMap<String, String>> {
    let value = prop::sample::select(vec![
        "x",
        "a-b",
        "12",
        "",
        "$",
        "${B}",
        "{A}",
        "one,two",
        "{{resolve:ssm:x}}",
    ]);
    prop::collection::vec(value, NAMES.len()).prop_map(|values| {
        let names = NAMES.map(str::to_owned);
        names
            .into_iter()
            .zip(values.into_iter().map(str::to_owned))
            .collect()
    })
}

proptest! {
    /// What is claimed with little knowledge is what comes out with all of it: nothing was invented on the way.
    #[test]
    fn invariant_nothing_is_invented(
        expression in expressions(),
        conditions in prop::collection::vec(conditions(), 4),
        values in values(),
        told in prop::collection::vec(any::<bool>(), NAMES.len() + 1),
    ) {
        let mut text = String::from("Transform: AWS::LanguageExtensions\nParameters: {A: {Type: String}, B: {Type: String}, C: {Type: Number}, L: {Type: CommaDelimitedList}}\nMappings: {M: {x: {v: 1}, a-b: {v: [p, q]}}}\nConditions:\n");
        for (number, condition) in conditions.iter().enumerate() {
            text.push_str(&format!("  C{number}: {condition}\n"));
        }
        text.push_str(&format!("Resources:\n  R: {{Type: A::B, Condition: C0}}\n  S:\n    Type: A::B\n    Properties:\n      V: {expression}\n"));
        let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
        let all = Known { parameters: values, region: Some("x".to_owned()), ..Known::default() };
        let some = Known {
            parameters: all.parameters.iter().zip(&told).filter(|(_, told)| **told)
                .map(|((name, value), _)| (name.clone(), value.clone())).collect(),
            region: all.region.clone().filter(|_| told[NAMES.len()]),
            ..Known::default()
        };
        let at_once = template.evaluate(&all).root;
        let first = template.evaluate(&some).root.to_yaml(Forms::Long);
        let again = Template::parse("t.yaml", first.as_bytes()).unwrap();
        let in_steps = again.evaluate(&all).root;
        let resources = |root: &Node| root.value("Resources").unwrap().to_json();
        prop_assert_eq!(resources(&at_once), resources(&in_steps), "through {}", first);
        // And once all is known that can be, nothing more comes of looking again.
        let again = Template::parse("t.yaml", at_once.to_yaml(Forms::Long).as_bytes()).unwrap();
        prop_assert_eq!(resources(&again.evaluate(&all).root), resources(&at_once));
    }
}
