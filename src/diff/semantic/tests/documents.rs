//! JSON documents in texts, and what custom resources get.

use super::{properties_told, told};

#[test]
fn a_document_that_is_written_otherwise_is_told() {
    let policy = |text: &str| format!("P: '{text}'\nQ: 1");
    let before = policy(r#"{"Statement": [{"Effect": "Allow", "Action": ["a", "b"]}]}"#);
    for after in [
        r#"{"Statement":[{"Effect":"Allow","Action":["a","b"]}]}"#,
        r#"{"Statement": [{"Action": ["a", "b"], "Effect": "Allow"}]}"#,
        r#"{"Statement": {"Effect": "Allow", "Action": ["b", "a"]}}"#,
    ] {
        let told = properties_told(&before, &policy(after));
        assert_eq!(told, ["P written otherwise"], "{after}");
    }
    // What is changed besides tells it all.
    let after = policy(r#"{"Statement":[{"Effect":"Deny","Action":["a","b"]}]}"#);
    assert_eq!(properties_told(&before, &after).len(), 1);
    // A line break at the end is a part of the text, and so is what stands in a function or in another document.
    for (before, after) in [
        ("P: |-\n  {}", "P: |\n  {}"),
        ("P: !Sub '{\"a\":\"${X}\"}'", "P: !Sub '{\"a\": \"${X}\"}'"),
    ] {
        assert_eq!(properties_told(before, after), ["P written otherwise"]);
    }
    let nested = |space: &str| format!(r#"P: '{{"a":{space}"{{\"b\":{space}1}}"}}'"#);
    assert_eq!(
        properties_told(&nested(""), &nested(" ")),
        ["P{json}.a written otherwise"]
    );
    assert_eq!(
        properties_told(
            "P: !Sub ['{\"a\":1}', {X: 1}]",
            "P: !Sub ['{\"a\": 1}', {X: 1}]"
        ),
        ["P.Fn::Sub[0] written otherwise"]
    );
}

#[test]
fn items_of_a_set_find_the_one_that_is_written_alike() {
    let list = |items: &str| format!("D: {{Statement: {{Effect: Allow, Action: [{items}]}}}}");
    let (close, wide) = ("'{\"a\":1}'", "'{\"a\": 1}'");
    let before = list(&format!("{close}, {wide}"));
    assert_eq!(
        properties_told(&before, &list(&format!("{wide}, {close}"))),
        [""; 0]
    );
}

#[test]
fn custom_resources_get_lists_in_their_order() {
    let resource = |kind: &str, properties: &str| {
        format!("Resources: {{R: {{Type: '{kind}', Properties: {properties}}}}}")
    };
    let pairs = [
        (
            "{Tags: [{Key: A, Value: 1}, {Key: B, Value: 2}]}",
            "{Tags: [{Key: B, Value: 2}, {Key: A, Value: 1}]}",
        ),
        (
            "{D: {Statement: {Effect: Allow, Action: [a, b]}}}",
            "{D: {Statement: {Effect: Allow, Action: [b, a]}}}",
        ),
        (
            "{D: {Statement: {Effect: Allow, Action: a}}}",
            "{D: {Statement: {Effect: Allow, Action: [a]}}}",
        ),
        (
            "{D: '{\"Statement\": {\"Effect\": \"Allow\", \"Action\": [\"a\", \"b\"]}}'}",
            "{D: '{\"Statement\": {\"Effect\": \"Allow\", \"Action\": [\"b\", \"a\"]}}'}",
        ),
    ];
    for (before, after) in pairs {
        for kind in ["Custom::Thing", "AWS::CloudFormation::CustomResource"] {
            let told = told(&resource(kind, before), &resource(kind, after));
            assert_eq!(told.len(), 2, "{kind} {before}: {told:?}");
        }
    }
    let (before, after) = pairs[0];
    let known = "AWS::SQS::Queue";
    assert_eq!(
        told(&resource(known, before), &resource(known, after)),
        [""; 0]
    );
    assert_eq!(
        told(
            &resource("Custom::Thing", before),
            &resource("Custom::Thing", after)
        ),
        ["~ Resources R", "  Tags[Key=B] moved"]
    );
    // Neither is their order free where a resource becomes one, nor in a loop that makes some.
    let told_both = told(&resource(known, before), &resource("Custom::Thing", after));
    assert_eq!(told_both.len(), 3, "{told_both:?}");
    let several = |properties: &str| {
        format!(
            "Resources: {{'Fn::ForEach::L': [x, [a], {{'R${{x}}': {{Type: Custom::T, Properties: {properties}}}}}]}}"
        )
    };
    assert_eq!(told(&several(before), &several(after)).len(), 2);
    // The rest of such a resource is CloudFormation's own.
    let names = |names: &str| {
        format!(
            "Resources: {{R: {{Type: Custom::T, DependsOn: [{names}]}}, A: {{Type: T}}, B: {{Type: T}}}}"
        )
    };
    assert_eq!(told(&names("A, B"), &names("B, A")), [""; 0]);
}

#[test]
fn documents_in_texts_are_compared_as_such() {
    let states = |seconds: &str| format!(r#"D: '{{"States": {{"W": {{"Seconds": {seconds}}}}}}}'"#);
    assert_eq!(
        properties_told(&states("30"), &states("60")),
        ["D{json}.States.W.Seconds 30 > 60"]
    );
    assert_eq!(
        properties_told(&states("30"), &states("\"30\"")),
        ["D{json}.States.W.Seconds 30 > \"30\""],
        "JSON tells them apart"
    );
    let sub = |text: &str| format!("D: !Sub |\n  {text}");
    assert_eq!(
        properties_told(
            &sub(r#"{"a": ["${X}", 1]}"#),
            &sub(r#"{ "a": [ "${X}", 2 ] }"#)
        ),
        ["D.Fn::Sub{json}.a[1] 1 > 2"]
    );
    // What is no JSON, or not the same way, is text.
    assert_eq!(
        properties_told(r#"D: '{"a": 1'"#, r#"D: '{"a": 2'"#).len(),
        1
    );
    assert_eq!(
        properties_told(r#"D: '{"a": 1, "a": 2}'"#, r#"D: '{"a": 3, "a": 2}'"#),
        [r#"D "{\"a\": 1, \"a\": 2}" > "{\"a\": 3, \"a\": 2}""#],
        "which of two keys counts is not known"
    );
    assert_eq!(
        properties_told(
            r#"D: '{"a": 12345678901234567890123}'"#,
            r#"D: '{"a": 12345678901234567890124}'"#
        ),
        ["D{json}.a 12345678901234567890123 > 12345678901234567890124"]
    );
    // A document in a document.
    let nested = |value: u8| format!(r#"D: '{{"x": "{{\"y\": {value}}}"}}'"#);
    assert_eq!(
        properties_told(&nested(1), &nested(2)),
        ["D{json}.x{json}.y 1 > 2"]
    );
    // No function is one there.
    assert_eq!(
        properties_told(r#"D: '{"Ref": "A"}'"#, r#"D: '{"Ref": "B"}'"#),
        ["D{json}.Ref A > B"]
    );
}

#[test]
fn documents_that_readers_take_for_others_differ() {
    for (before, after) in [
        (r#"{"a": 1, "a": 2}"#, r#"{"a": 2}"#),
        (
            r#"{"a": 12345678901234567890}"#,
            r#"{"a": 12345678901234567891}"#,
        ),
        (r#"{"a": 1}"#, r#"{"a": "1"}"#),
        (r#"{"a": null}"#, r#"{}"#),
        (r#"{"a": true}"#, r#"{"a": "true"}"#),
        (r#"{"a": "~"}"#, r#"{"a": null}"#),
        (r#"{"a": [1, 2]}"#, r#"{"a": [2, 1]}"#),
        (r#"{"a": "\u0041"}"#, r#"{"a": "\u0042"}"#),
    ] {
        let of = |document: &str| {
            format!("Resources: {{R: {{Type: A, Properties: {{D: '{document}'}}}}}}")
        };
        assert!(
            !told(&of(before), &of(after)).is_empty(),
            "{before} {after}"
        );
    }
}
