use super::*;

fn codes(text: &str) -> Vec<String> {
    let findings = validate("t.yaml", text.as_bytes());
    findings
        .diagnostics
        .iter()
        .map(|one| one.code.as_str().to_owned())
        .collect()
}

#[test]
fn templates_in_order_are_found_so() {
    for text in [
        // A policy's own `Condition`, names of SAM, names that loops make, macros.
        "Resources: {A: {Type: 'AWS::IAM::Policy', Properties: {S: [{Condition: StringLike}], Q: {Condition: {Bool: {a: 'true'}}}}}}",
        "Transform: AWS::Serverless-2016-10-31\nGlobals: {Function: {Timeout: 3}}\nResources: {F: {Type: 'AWS::Serverless::Function', Connectors: {}}}\nOutputs: {R: {Value: !GetAtt FRole.Arn}, U: {Value: !Ref ServerlessRestApi}}",
        "Transform: AWS::LanguageExtensions\nParameters: {Names: {Type: CommaDelimitedList}}\nResources:\n  Fn::ForEach::Q:\n    - Name\n    - !Ref Names\n    - Queue${Name}Dead:\n        Type: AWS::SQS::Queue\n        DeletionPolicy: !Ref AWS::NoValue\n        Properties: {QueueName: !Ref Name, X: !Sub '${Name}'}\n      Fixed: {Type: 'A::B::C', DependsOn: 'Queue${Name}Dead'}\nOutputs:\n  O: {Value: !GetAtt QueueADead.Arn}\n  P: {Value: !Ref Fixed}",
        "Transform: [MyMacro]\nStuff: 1\nResources: {A: {Type: 'A::B::C', Foo: bar, Properties: !Whatever x}}",
        "Parameters: {P: {Type: 'AWS::SSM::Parameter::Value<List<AWS::EC2::Subnet::Id>>', Default: /x, AllowedPattern: a}}\nResources: {A: {Type: 'Custom::Thing', Properties: {P: !Ref P}}}",
        "Parameters: {P: {Type: CommaDelimitedList, Default: 'a, b', AllowedValues: [a, b]}, N: {Type: Number, Default: 1.0, AllowedValues: [1]}}\nRules: {R: {Assertions: [{Assert: !Contains [[a], !Ref N]}]}}\nResources: {A: {Type: 'A::B::C', Properties: {P: !Select [0, !Ref P]}}}",
        "Conditions: {A: !Equals [!Ref AWS::Region, x], B: !Not [!Condition A]}\nMappings: {M: {us-east-1: {a: [x, y]}}}\nResources: {R: {Type: 'A::B::C', Condition: B, Properties: {X: !FindInMap [M, !Ref AWS::Region, a]}}}",
        "{\"Resources\": {\"A\": {\"Type\": \"A::B::C\", \"Properties\": {\"Rate\": 1e3, \"V\": 1.10}}}}",
    ] {
        assert_eq!(codes(text), [""; 0], "{text}");
    }
}

#[test]
fn where_a_macro_may_help_a_name_is_only_doubted() {
    let text = "Transform: MyMacro\nResources: {A: {Type: 'A::B::C', Properties: {P: !Ref Nope}}}";
    let findings = validate("t.yaml", text.as_bytes());
    assert_eq!(findings.count(Severity::Error), 0);
    assert_eq!(findings.count(Severity::Warning), 1);
}

#[test]
fn what_cannot_be_compared_is_not_judged() {
    let default = |pattern: &str, value: &str| {
        codes(&format!(
            "Parameters: {{P: {{Type: String, AllowedPattern: '{pattern}', Default: '{value}'}}}}\nResources: {{A: {{Type: 'A::B::C', Metadata: !Ref P}}}}"
        ))
    };
    assert_eq!(
        default("[a-z]*", "x1"),
        ["bad-default"],
        "the whole value has to match"
    );
    assert!(default("[a-z&&[^x]]+", "x").is_empty(), "Java's sets");
    assert!(default("(?=a)b", "c").is_empty(), "Java's look-ahead");
    assert!(default("\\p{Alpha}+", "1").is_empty(), "Java's classes");
    assert!(default("(", "1").is_empty(), "no pattern at all");
    assert!(
        default("(((((a{100}){100}){100}){100}){100})", "1").is_empty(),
        "a bomb"
    );
}

#[test]
fn names_are_underlined_where_they_stand() {
    let text = "Resources:\n  A:\n    Type: A::B::C\n    Metadata: !Join ['', [ä, !Sub \"x ${Nope} y\"]]\n";
    let findings = validate("t.yaml", text.as_bytes());
    let span = &findings.diagnostics[0].span;
    assert_eq!(
        (span.position.line, span.position.column, span.length),
        (4, 40, 4)
    );
    let crlf = validate("t.yaml", text.replace('\n', "\r\n").as_bytes());
    assert_eq!(crlf.diagnostics, findings.diagnostics);
    let marked = validate("t.yaml", format!("\u{feff}{text}").as_bytes());
    assert_eq!(marked.diagnostics, findings.diagnostics);
}

#[test]
fn what_goes_on_for_ever_is_counted() {
    let names: String = (0..5000).map(|n| format!("!Ref Nope{n},")).collect();
    let text = format!("Resources: {{A: {{Type: 'A::B::C', Metadata: [{names}]}}}}");
    let findings = validate("t.yaml", text.as_bytes());
    assert_eq!(findings.diagnostics.len(), MOST_DIAGNOSTICS);
    assert_eq!(findings.left_out, 4900);
}

proptest::proptest! {
    #[test]
    fn invariant_no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        validate("t", &bytes);
    }

    #[test]
    fn invariant_no_template_panics(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "Resources:", "Parameters:", "Conditions:", "Mappings:", "Outputs:", "Transform: AWS::LanguageExtensions",
                "A:", "B:", "Type: A::B::C", "Type: String", "Default: x", "NoEcho: true", "MinLength: 3", "Fn::ForEach::L:",
                "!Ref A", "!Sub", "${A}", "!GetAtt A.B", "!If [A, b, !Ref B]", "- ", "{", "}", "[", "]", ",", "\n", "\n  ",
                "\n    ", "'", "\"", "~", "!Select", "Properties:", "DependsOn: B", "Condition: A", "\u{85}", "ä", "\r",
            ]),
            0..40,
        ),
    ) {
        let text = words.join(" ").replace("\n ", "\n");
        let findings = validate("t", text.as_bytes());
        for one in &findings.diagnostics {
            proptest::prop_assert!(one.span.position.line >= 1 && one.span.position.column >= 1);
        }
    }
}

#[test]
fn what_is_selected_has_to_be_in_the_list() {
    let of = |select: &str| {
        codes(&format!(
            "Parameters: {{L: {{Type: CommaDelimitedList}}}}\nResources: {{A: {{Type: 'A::B::C', Properties: {{P: !Select {select}, L: !Ref L}}}}}}"
        ))
    };
    for (select, wrong) in [
        ("[0, [a]]", false),
        ("['1', [a, b]]", false),
        ("[99, !Ref L]", false),
        ("[!Ref L, [a]]", false),
        ("[1, [a]]", true),
        ("[99, [a]]", true),
        ("['2', [!Ref L, b]]", true),
        ("[0, []]", true),
    ] {
        let expected: &[&str] = if wrong { &["bad-arguments"] } else { &[] };
        assert_eq!(of(select), expected, "{select}");
    }
}

#[test]
fn outputs_are_texts() {
    let of = |value: &str| {
        codes(&format!(
            "Parameters: {{L: {{Type: 'List<Number>'}}, T: {{Type: String}}}}\nResources: {{A: {{Type: 'A::B::C', Properties: {{L: !Ref L, T: !Ref T}}}}}}\nOutputs: {{O: {{Value: {value}}}}}"
        ))
    };
    for value in [
        "x",
        "1",
        "!Ref T",
        "!Ref A",
        "!Join [',', !Ref L]",
        "!GetAtt A.List",
        "!Select [0, !Ref L]",
        "!If [C, [a], b]",
    ] {
        assert!(!of(value).contains(&"wrong-shape".to_owned()), "{value}");
    }
    for value in [
        "[a]",
        "{a: b}",
        "!Ref L",
        "!Split [',', !Ref T]",
        "!GetAZs ''",
    ] {
        assert_eq!(of(value), ["wrong-shape"], "{value}");
    }
}

#[test]
fn two_outputs_are_not_exported_under_one_name() {
    let of = |first: &str, second: &str| {
        codes(&format!(
            "Conditions: {{C: !Equals [!Ref AWS::Region, x], D: !Not [!Condition C]}}\nResources: {{A: {{Type: 'A::B::C', Condition: C}}, B: {{Type: 'A::B::C', Condition: D}}}}\nOutputs: {{O: {{Value: a, {first}}}, P: {{Value: b, {second}}}}}"
        ))
    };
    let same = "Export: {Name: n}";
    assert_eq!(of(same, same), ["bad-value"]);
    assert_eq!(of(same, "Export: {Name: m}"), [""; 0]);
    let of_region = "Export: {Name: !Sub '${AWS::Region}'}";
    assert_eq!(of(of_region, of_region), [""; 0]);
    let (yes, no) = (
        "Condition: C, Export: {Name: n}",
        "Condition: D, Export: {Name: n}",
    );
    assert_eq!(of(yes, no), [""; 0]);
    assert_eq!(of(yes, yes), ["bad-value"]);
}
