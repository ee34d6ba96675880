//! How scalars and intrinsic functions are read, row by row, and that what is printed is read again as the same.

use indexmap::IndexMap;
use proptest::prelude::*;

use super::node::{Entry, Node, NodeKind, Scalar};
use super::{Forms, Position, ScalarValue, compose};

fn read(text: &str) -> Node {
    match compose::compose("t.yaml", text) {
        Ok(node) => node,
        Err(error) => panic!("{error} in:\n{text}"),
    }
}

/// What is written, and what it means: `n` null, `b` boolean, `#` number, `s` text, `?` behind it where readers disagree.
const SCALARS: &[(&str, &str)] = &[
    ("012345678901", "s 012345678901"),
    ("'012345678901'", "s 012345678901"),
    ("\"012345678901\"", "s 012345678901"),
    ("012345670123", "s? 012345670123"),
    ("123456789012", "# 123456789012"),
    ("'123456789012'", "s 123456789012"),
    ("0755", "s? 0755"),
    ("00", "s? 00"),
    ("0", "# 0"),
    ("-0", "# -0"),
    ("+12", "# 12"),
    ("-12", "# -12"),
    ("2012-10-17", "s 2012-10-17"),
    ("\"2012-10-17\"", "s 2012-10-17"),
    ("2010-09-09T10:20:30Z", "s 2010-09-09T10:20:30Z"),
    ("1e3", "#? 1e3"),
    ("1E+3", "#? 1E+3"),
    ("'1e3'", "s 1e3"),
    ("6e7890", "#? 6e7890"),
    ("1e400", "#? 1e400"),
    ("e3", "s e3"),
    ("yes", "s? yes"),
    ("No", "s? No"),
    ("ON", "s? ON"),
    ("off", "s? off"),
    ("'yes'", "s yes"),
    ("y", "s y"),
    ("N", "s N"),
    ("true", "b true"),
    ("True", "b true"),
    ("FALSE", "b false"),
    ("tRUE", "s tRUE"),
    ("'true'", "s true"),
    ("!!str true", "s true"),
    ("! 12", "s 12"),
    ("~", "n"),
    ("null", "n"),
    ("NULL", "n"),
    ("", "n"),
    ("'null'", "s null"),
    ("''", "s "),
    ("nil", "s nil"),
    ("0o7", "s? 0o7"),
    ("0x1F", "# 31"),
    ("0xFFFFFFFFFFFFFFFFFF", "s 0xFFFFFFFFFFFFFFFFFF"),
    ("0xyz", "s 0xyz"),
    ("0b11", "s? 0b11"),
    ("1_000", "s? 1_000"),
    ("_1", "s _1"),
    ("22:22", "s? 22:22"),
    ("190:20:30", "s? 190:20:30"),
    ("80:80", "s 80:80"),
    ("80:443", "s 80:443"),
    ("1.10", "#? 1.10"),
    ("1.1", "# 1.1"),
    ("1.0", "# 1.0"),
    ("1.2.3", "s 1.2.3"),
    ("10.0.0.0/16", "s 10.0.0.0/16"),
    ("12345678901234567890123", "# 12345678901234567890123"),
    (".5", "s? .5"),
    ("1.", "s? 1."),
    (".inf", "s? .inf"),
    (".NaN", "s? .NaN"),
    ("...x", "s ...x"),
    ("-", "!"),
    ("--", "s --"),
    ("=", "s ="),
    ("*/5 * * * *", "!"),
    ("'*/5 * * * *'", "s */5 * * * *"),
    ("@daily", "!"),
    ("a # b", "s a"),
    ("a#b", "s a#b"),
    ("a: b", "!"),
    ("'it''s'", "s it's"),
    ("\"a\\tb\\u00e4\"", "s a\tbä"),
    ("|\n  a\n  b\n", "s a\nb\n"),
    ("|-\n  012\n", "s 012"),
    (">\n  a\n  b\n", "s a b\n"),
    ("|\r\n  a\r\n  b\r\n", "s a\nb\n"),
    ("{{resolve:ssm:x}}", "!"),
    ("'{{resolve:ssm:x}}'", "s {{resolve:ssm:x}}"),
];

#[test]
fn scalars_mean_what_cloudformation_reads() {
    for (written, expected) in SCALARS {
        let text = format!("a: {written}\n");
        let Ok(root) = compose::compose("t.yaml", &text) else {
            assert_eq!(*expected, "!", "{written} is refused");
            continue;
        };
        let NodeKind::Scalar(scalar) = &root.value("a").unwrap().kind else {
            panic!("{written} is no scalar");
        };
        let doubt = if scalar.ambiguity().is_some() {
            "?"
        } else {
            ""
        };
        let meaning = match scalar.value() {
            ScalarValue::Null => format!("n{doubt}"),
            ScalarValue::Bool(value) => format!("b{doubt} {value}"),
            ScalarValue::Number(number) => format!("#{doubt} {number}"),
            ScalarValue::Text(text) => format!("s{doubt} {text}"),
        };
        assert_eq!(meaning, *expected, "{written}");
    }
}

/// The short form, and the long form as JSON.
const FUNCTIONS: &[(&str, &str)] = &[
    ("!Ref Queue", r#"{"Ref": "Queue"}"#),
    ("!Ref AWS::Region", r#"{"Ref": "AWS::Region"}"#),
    ("!Ref 'A'", r#"{"Ref": "A"}"#),
    ("!Condition Is", r#"{"Condition": "Is"}"#),
    ("!GetAtt Queue.Arn", r#"{"Fn::GetAtt": ["Queue", "Arn"]}"#),
    (
        "!GetAtt [Queue, Arn]",
        r#"{"Fn::GetAtt": ["Queue", "Arn"]}"#,
    ),
    (
        "!GetAtt N.Outputs.X",
        r#"{"Fn::GetAtt": ["N", "Outputs.X"]}"#,
    ),
    ("!GetAtt Queue.Arn", r#"{"Fn::GetAtt": "Queue.Arn"}"#),
    (
        "!GetAtt [Queue, !Ref A]",
        r#"{"Fn::GetAtt": ["Queue", {"Ref": "A"}]}"#,
    ),
    ("!Sub 'a-${B}'", r#"{"Fn::Sub": "a-${B}"}"#),
    (
        "!Sub ['a-${B}', {B: !Ref C}]",
        r#"{"Fn::Sub": ["a-${B}", {"B": {"Ref": "C"}}]}"#,
    ),
    ("!Fn::Sub x", r#"{"Fn::Sub": "x"}"#),
    ("!If [A, 1, 2]", r#"{"Fn::If": ["A", 1, 2]}"#),
    (
        "!If [A, !Ref B, !Ref AWS::NoValue]",
        r#"{"Fn::If": ["A", {"Ref": "B"}, {"Ref": "AWS::NoValue"}]}"#,
    ),
    (
        "!Equals [a, !Ref B]",
        r#"{"Fn::Equals": ["a", {"Ref": "B"}]}"#,
    ),
    (
        "!And [!Condition A, !Condition B]",
        r#"{"Fn::And": [{"Condition": "A"}, {"Condition": "B"}]}"#,
    ),
    (
        "!Or [!Condition A, !Not [!Condition B]]",
        r#"{"Fn::Or": [{"Condition": "A"}, {"Fn::Not": [{"Condition": "B"}]}]}"#,
    ),
    (
        "!Select [0, !GetAZs '']",
        r#"{"Fn::Select": [0, {"Fn::GetAZs": ""}]}"#,
    ),
    (
        "!Select ['1', [a, b]]",
        r#"{"Fn::Select": ["1", ["a", "b"]]}"#,
    ),
    (
        "!Split [',', !ImportValue X]",
        r#"{"Fn::Split": [",", {"Fn::ImportValue": "X"}]}"#,
    ),
    (
        "!Join ['', [a, !Ref B]]",
        r#"{"Fn::Join": ["", ["a", {"Ref": "B"}]]}"#,
    ),
    (
        "!FindInMap [M, !Ref AWS::Region, v]",
        r#"{"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "v"]}"#,
    ),
    (
        "!FindInMap [M, a, b, {DefaultValue: c}]",
        r#"{"Fn::FindInMap": ["M", "a", "b", {"DefaultValue": "c"}]}"#,
    ),
    (
        "!ImportValue {Fn::Sub: '${N}-x'}",
        r#"{"Fn::ImportValue": {"Fn::Sub": "${N}-x"}}"#,
    ),
    ("!Base64 text", r#"{"Fn::Base64": "text"}"#),
    (
        "!Base64 {Fn::Sub: 'x ${Y}'}",
        r#"{"Fn::Base64": {"Fn::Sub": "x ${Y}"}}"#,
    ),
    (
        "!Cidr [10.0.0.0/16, 4, 8]",
        r#"{"Fn::Cidr": ["10.0.0.0/16", 4, 8]}"#,
    ),
    (
        "!GetAZs {Ref: AWS::Region}",
        r#"{"Fn::GetAZs": {"Ref": "AWS::Region"}}"#,
    ),
    (
        "!Transform {Name: AWS::Include, Parameters: {Location: x}}",
        r#"{"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "x"}}}"#,
    ),
    ("!Length [a, b]", r#"{"Fn::Length": ["a", "b"]}"#),
    (
        "!ToJsonString {a: !Ref B}",
        r#"{"Fn::ToJsonString": {"a": {"Ref": "B"}}}"#,
    ),
    ("!Contains [[a], b]", r#"{"Fn::Contains": [["a"], "b"]}"#),
    (
        "!EachMemberEquals [[a], b]",
        r#"{"Fn::EachMemberEquals": [["a"], "b"]}"#,
    ),
    (
        "!EachMemberIn [[a], [b]]",
        r#"{"Fn::EachMemberIn": [["a"], ["b"]]}"#,
    ),
    (
        "!RefAll 'AWS::EC2::VPC::Id'",
        r#"{"Fn::RefAll": "AWS::EC2::VPC::Id"}"#,
    ),
    ("!ValueOf [A, VpcId]", r#"{"Fn::ValueOf": ["A", "VpcId"]}"#),
    (
        "!ValueOfAll ['AWS::EC2::VPC::Id', Tags.Name]",
        r#"{"Fn::ValueOfAll": ["AWS::EC2::VPC::Id", "Tags.Name"]}"#,
    ),
    (
        "{Fn::ForEach::T: [N, [A, B], {'T${N}': {Type: X}}]}",
        r#"{"Fn::ForEach::T": ["N", ["A", "B"], {"T${N}": {"Type": "X"}}]}"#,
    ),
    ("[!Ref A,!Ref B]", r#"[{"Ref": "A"}, {"Ref": "B"}]"#),
];

#[test]
fn short_and_long_forms_are_the_same_node() {
    for (short, long) in FUNCTIONS {
        let short_node = read(&format!("a: {short}\n"));
        let long_node = read(&format!("{{\"a\": {long}}}"));
        assert!(
            short_node.says_the_same_as(&long_node),
            "{short} is read as\n{}and {long} as\n{}",
            short_node.to_json(),
            long_node.to_json()
        );
        for forms in [Forms::Short, Forms::Long] {
            let printed = short_node.to_yaml(forms);
            assert_eq!(
                printed.contains('!'),
                forms == Forms::Short && short.contains('!'),
                "{printed}"
            );
            assert!(short_node.says_the_same_as(&read(&printed)), "{printed}");
        }
        assert!(long_node.says_the_same_as(&read(&long_node.to_json())));
    }
}

#[test]
fn there_are_rows_enough() {
    let rows = SCALARS.len() + FUNCTIONS.len();
    assert!(rows >= 80, "{rows}");
}

#[test]
fn what_is_printed_can_be_read() {
    let root = read(
        "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    Properties:\n      Name: !Sub '${A}-q'\n      Data: !Base64\n        Fn::Sub: x\n      Empty: {}\n      None:\n      Text: \"yes\"\n      Zone: !Select [0, !GetAZs '']\n      Arn: !GetAtt [Queue, Arn]\n      Lines: |\n        one\n\n        two\n      List:\n        - {a: 1, b: [x, []]}\n        - - nested\n",
    );
    insta::assert_snapshot!("printed_yaml", root.to_yaml(Forms::Short));
    insta::assert_snapshot!("printed_json", root.to_json());
}

#[test]
fn line_ends_and_marks_do_not_change_a_tree() {
    let text = "a:\n  - !Ref B\n  - |\n    one\n    two\nc: 'd'\n";
    let node = read(text);
    assert_eq!(read(&text.replace('\n', "\r\n")).to_json(), node.to_json());
    let marked = format!("\u{feff}{text}");
    let marked = compose::text("t", marked.as_bytes()).unwrap();
    assert!(read(marked).says_the_same_as(&node));
    let one = format!("---\n{text}...\n");
    assert!(
        read(&one).says_the_same_as(&node),
        "one document with its marks"
    );
}

fn node(kind: NodeKind) -> Node {
    let position = Position { line: 1, column: 1 };
    Node { position, kind }
}

fn entry(value: Node) -> Entry {
    let position = value.position;
    Entry { position, value }
}

/// Texts that meet every rule about quotes.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z][A-Za-z0-9.:/_-]{0,12}",
        "[ -~]{0,16}",
        "[a-z \n]{0,16}",
        "\\PC{0,8}",
        any::<String>().prop_map(|text| text
            .chars()
            .take(12)
            .filter(|c| *c != '\u{feff}')
            .collect()),
        prop::sample::select(vec![
            "",
            "yes",
            "0755",
            "1e3",
            "22:22",
            "null",
            "~",
            "true",
            "- a",
            "a: b",
            "a #b",
            "!x",
            "&a",
            "*a",
            "<<",
            "2012-10-17",
            "=",
            "---",
            "...",
            "\u{85}",
            "\u{2028}",
            "😀",
            "\u{7f}",
            "a\r\nb",
            "\ta",
            "a\n",
            "a\n\n",
            "\n",
        ])
        .prop_map(str::to_owned),
    ]
}

fn scalars() -> impl Strategy<Value = Node> {
    let plain = prop::sample::select(vec![
        "a",
        "a b",
        "12",
        "-1.5",
        "1.10",
        "true",
        "null",
        "0x1F",
        "1e3",
        "2012-10-17",
        "a:b",
        "012345678901",
    ]);
    prop_oneof![
        texts().prop_map(|text| (text, false)),
        plain.prop_map(|text| (text.to_owned(), true)),
    ]
    .prop_map(|(text, plain)| {
        node(NodeKind::Scalar(Scalar {
            text,
            plain,
            bytes: 0..0,
        }))
    })
}

fn functions(argument: Node, choice: usize) -> Node {
    let names = [
        "Ref",
        "Fn::Sub",
        "Fn::GetAtt",
        "Fn::If",
        "Fn::Base64",
        "Fn::Join",
        "Fn::Transform",
        "Fn::X-y",
    ];
    let name = names[choice % names.len()];
    let argument = match name {
        "Fn::GetAtt" => node(NodeKind::Sequence(
            ["Queue", "Arn.B"]
                .map(|text| {
                    let text = text.to_owned();
                    node(NodeKind::Scalar(Scalar {
                        text,
                        plain: false,
                        bytes: 0..0,
                    }))
                })
                .to_vec(),
        )),
        _ => argument,
    };
    node(NodeKind::Mapping(IndexMap::from([(
        name.to_owned(),
        entry(argument),
    )])))
}

fn trees() -> impl Strategy<Value = Node> {
    scalars().prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5)
                .prop_map(|items| node(NodeKind::Sequence(items))),
            prop::collection::vec((texts(), inner.clone()), 0..5).prop_map(|pairs| {
                let entries = pairs.into_iter().filter(|(key, _)| key != "Fn::GetAtt");
                node(NodeKind::Mapping(
                    entries.map(|(key, value)| (key, entry(value))).collect(),
                ))
            }),
            (inner, 0_usize..8).prop_map(|(argument, choice)| functions(argument, choice)),
        ]
    })
}

proptest! {
    #[test]
    fn invariant_what_is_printed_is_read_as_the_same(tree in trees(), long in any::<bool>()) {
        let root = node(NodeKind::Mapping(IndexMap::from([("root".to_owned(), entry(tree))])));
        let forms = if long { Forms::Long } else { Forms::Short };
        let yaml = root.to_yaml(forms);
        let read = compose::compose("t", &yaml);
        prop_assert!(read.as_ref().is_ok_and(|node| node.says_the_same_as(&root)), "{read:?} of\n{yaml}");
        // Printing what was read changes nothing any more.
        prop_assert_eq!(read.unwrap().to_yaml(forms), yaml);
        let json = root.to_json();
        let read = compose::compose("t", &json);
        prop_assert!(read.as_ref().is_ok_and(|node| node.says_the_same_as(&root)), "{read:?} of\n{json}");
        prop_assert_eq!(read.unwrap().to_json(), json);
    }
}
