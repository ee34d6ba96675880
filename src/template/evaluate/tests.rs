use super::super::{Forms, Node, Template};
use super::{Known, MOST_MADE};

fn template(text: &str) -> Template {
    Template::parse("t.yaml", text.as_bytes()).unwrap()
}

fn known(parameters: &[(&str, &str)]) -> Known {
    let text = |text: &str| Some(text.to_owned());
    let parameters = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Known {
        parameters: parameters.collect(),
        account: text("111111111111"),
        region: text("eu-west-1"),
        partition: text("aws"),
        stack_name: text("app"),
    }
}

const HEAD: &str = "
Transform: AWS::LanguageExtensions
Parameters:
  Stage: {Type: String}
  Absent: {Type: String}
  Names: {Type: CommaDelimitedList}
  Secret: {Type: String, NoEcho: true}
  Stored: {Type: 'AWS::SSM::Parameter::Value<String>'}
  Dollar: {Type: String}
Mappings:
  Sizes: {eu-west-1: {small: 1, list: [a, b], octal: 0755}, us-east-1: {small: 2}}
Conditions:
  Yes: !Equals [!Ref Stage, test]
  No: !Not [!Condition Yes]
  Unknown: !Equals [!Ref Absent, x]
  Decided: !Or [!Condition Unknown, !Condition Yes]
  Undecided: !And [!Condition Unknown, !Condition Yes]
  Round: !And [!Condition Round, !Condition Yes]
  Doubtful: !Equals [yes, yes]
";

/// Returns what a value becomes, as one line of JSON.
fn value(written: &str) -> String {
    let text = format!(
        "{HEAD}Resources:\n  Other: {{Type: A::B}}\n  R:\n    Type: A::B\n    Properties:\n      V: {written}\n"
    );
    let known = known(&[
        ("Stage", "test"),
        ("Names", "One, Two"),
        ("Secret", "hunter2"),
        ("Stored", "/name/of/it"),
        ("Dollar", "${Stage}{"),
    ]);
    let evaluation = template(&text).evaluate(&known);
    let properties = evaluation
        .root
        .value("Resources")
        .unwrap()
        .value("R")
        .unwrap()
        .value("Properties");
    match properties.unwrap().value("V") {
        Some(node) => {
            let json: serde_json::Value = serde_json::from_str(&node.to_json()).unwrap();
            json.to_string()
        }
        None => "nothing".to_owned(),
    }
}

#[test]
fn what_is_known_is_filled_in_and_the_rest_stays() {
    for (written, expected) in [
        ("!Ref Stage", r#""test""#),
        ("!Ref AWS::Region", r#""eu-west-1""#),
        ("!Ref AWS::URLSuffix", r#""amazonaws.com""#),
        ("!Ref AWS::StackId", r#"{"Ref":"AWS::StackId"}"#),
        ("!Ref Absent", r#"{"Ref":"Absent"}"#),
        ("!Ref Secret", r#"{"Ref":"Secret"}"#),
        ("!Sub '${Secret}'", r#"{"Fn::Sub":"${Secret}"}"#),
        ("!Ref Stored", r#"{"Ref":"Stored"}"#),
        ("!Ref Names", r#"["One","Two"]"#),
        ("!Ref Other", r#"{"Ref":"Other"}"#),
        ("!Ref AWS::NoValue", "nothing"),
        ("!GetAtt Other.Arn", r#"{"Fn::GetAtt":["Other","Arn"]}"#),
        (
            "!Sub 'a-${Stage}-${AWS::AccountId}'",
            r#""a-test-111111111111""#,
        ),
        (
            "!Sub '${Stage}-${Other.Arn}-${!Stage}'",
            r#"{"Fn::Sub":"test-${Other.Arn}-${!Stage}"}"#,
        ),
        ("!Sub '${!Stage}'", r#""${Stage}""#),
        (
            "!Sub ['${A}${B}', {A: !Ref Stage, B: !Ref Other}]",
            r#"{"Fn::Sub":["test${B}",{"B":{"Ref":"Other"}}]}"#,
        ),
        ("!Sub ['${Stage}', {Stage: mine}]", r#""mine""#),
        ("!Sub '${Dollar}'", r#""${Stage}{""#),
        (
            "!Sub '${Dollar}${Other}'",
            r#"{"Fn::Sub":"${Dollar}${Other}"}"#,
        ),
        (
            "!Sub ['${A}', {A: 0755}]",
            r#"{"Fn::Sub":["${A}",{"A":"0755"}]}"#,
        ),
        (
            "!Sub ['${A}', {A: 1.5}]",
            r#"{"Fn::Sub":["${A}",{"A":1.5}]}"#,
        ),
        ("!Sub '${Stage'", r#"{"Fn::Sub":"${Stage"}"#),
        ("!Sub '${Names}'", r#"{"Fn::Sub":"${Names}"}"#),
        ("!If [Yes, a, b]", r#""a""#),
        ("!If [No, a, !Ref AWS::NoValue]", "nothing"),
        (
            "!If [Unknown, !Ref Stage, !Ref AWS::NoValue]",
            r#"{"Fn::If":["Unknown","test",{"Ref":"AWS::NoValue"}]}"#,
        ),
        ("!If [Decided, a, b]", r#""a""#),
        (
            "!If [Undecided, a, b]",
            r#"{"Fn::If":["Undecided","a","b"]}"#,
        ),
        ("!If [Round, a, b]", r#"{"Fn::If":["Round","a","b"]}"#),
        ("!If [Doubtful, a, b]", r#"{"Fn::If":["Doubtful","a","b"]}"#),
        ("!If [Nope, a, b]", r#"{"Fn::If":["Nope","a","b"]}"#),
        ("[a, !If [No, b, !Ref AWS::NoValue], c]", r#"["a","c"]"#),
        ("!FindInMap [Sizes, !Ref AWS::Region, small]", "1"),
        ("!FindInMap [Sizes, !Ref AWS::Region, list]", r#"["a","b"]"#),
        (
            "!FindInMap [Sizes, !Ref Absent, small]",
            r#"{"Fn::FindInMap":["Sizes",{"Ref":"Absent"},"small"]}"#,
        ),
        (
            "!FindInMap [Sizes, x, y, {DefaultValue: !Ref Stage}]",
            r#""test""#,
        ),
        (
            "!Sub ['${A}', {A: !FindInMap [Sizes, eu-west-1, octal]}]",
            r#"{"Fn::Sub":["${A}",{"A":"0755"}]}"#,
        ),
        ("!Select [1, !Ref Names]", r#""Two""#),
        (
            "!Select [0, !GetAZs '']",
            r#"{"Fn::Select":[0,{"Fn::GetAZs":""}]}"#,
        ),
        (
            "!Select [0, [!If [Unknown, a, !Ref AWS::NoValue], b]]",
            r#"{"Fn::Select":[0,[{"Fn::If":["Unknown","a",{"Ref":"AWS::NoValue"}]},"b"]]}"#,
        ),
        (
            "!Select [1, [a, !Ref AWS::NoValue, b]]",
            r#"{"Fn::Select":[1,["a",{"Ref":"AWS::NoValue"},"b"]]}"#,
        ),
        ("!Select [0, !Split ['-', !Ref AWS::Region]]", r#""eu""#),
        (
            "!Split [',', '{{resolve:ssm:x}}']",
            r#"{"Fn::Split":[",","{{resolve:ssm:x}}"]}"#,
        ),
        (
            "!Join ['-', [!Ref Stage, 2, !Ref AWS::Region]]",
            r#""test-2-eu-west-1""#,
        ),
        ("!Join ['-', !Ref Names]", r#""One-Two""#),
        (
            "!Join ['-', [!Ref Stage, !Ref Other]]",
            r#"{"Fn::Join":["-",["test",{"Ref":"Other"}]]}"#,
        ),
        ("!Length [a, b]", "2"),
        ("!Length {Ref: Names}", "2"),
        ("!Base64 {Ref: Stage}", r#""dGVzdA==""#),
        (
            "!Base64 {Ref: Absent}",
            r#"{"Fn::Base64":{"Ref":"Absent"}}"#,
        ),
        (
            "!Base64 {Ref: Secret}",
            r#"{"Fn::Base64":{"Ref":"Secret"}}"#,
        ),
        ("!Base64 {Ref: Names}", r#"{"Fn::Base64":["One","Two"]}"#),
        ("!Base64 12", r#"{"Fn::Base64":12}"#),
        (
            "!Cidr [10.0.0.0/16, 2, !Select [0, ['8']]]",
            r#"["10.0.0.0/24","10.0.1.0/24"]"#,
        ),
        (
            "!Select [1, !Cidr ['10.0.0.0/16', '2', '8']]",
            r#""10.0.1.0/24""#,
        ),
        (
            "!Cidr [!GetAtt Other.CidrBlock, 2, 8]",
            r#"{"Fn::Cidr":[{"Fn::GetAtt":["Other","CidrBlock"]},2,8]}"#,
        ),
        (
            "!Cidr [10.0.0.0/16, 300, 8]",
            r#"{"Fn::Cidr":["10.0.0.0/16",300,8]}"#,
        ),
        (
            "!Cidr [10.0.0.0/16, 2]",
            r#"{"Fn::Cidr":["10.0.0.0/16",2]}"#,
        ),
        ("!Length {Fn::Cidr: [10.0.0.0/16, 7, 8]}", "7"),
        ("!Length [a, !Ref Absent]", "2"),
        (
            "!Length [a, !If [Unknown, b, !Ref AWS::NoValue]]",
            r#"{"Fn::Length":["a",{"Fn::If":["Unknown","b",{"Ref":"AWS::NoValue"}]}]}"#,
        ),
        (
            "!Length {Ref: Absent}",
            r#"{"Fn::Length":{"Ref":"Absent"}}"#,
        ),
        ("!GetAZs ''", r#"{"Fn::GetAZs":""}"#),
        (
            "!GetAZs {Ref: AWS::Region}",
            r#"{"Fn::GetAZs":"eu-west-1"}"#,
        ),
        (
            "!ToJsonString {b: !Ref Stage, a: !Ref Names}",
            r#""{\"b\":\"test\",\"a\":[\"One\",\"Two\"]}""#,
        ),
        (
            "!ToJsonString {a: !Ref AWS::StackId, b: !Ref Stage}",
            r#"{"Fn::ToJsonString":{"a":{"Ref":"AWS::StackId"},"b":"test"}}"#,
        ),
        (
            "!ToJsonString {a: !If [Yes, x, !Ref AWS::NoValue]}",
            r#"{"Fn::ToJsonString":{"a":{"Fn::If":["Yes","x",{"Ref":"AWS::NoValue"}]}}}"#,
        ),
        ("!ToJsonString {a: 1}", r#"{"Fn::ToJsonString":{"a":1}}"#),
        (
            "!ImportValue {Fn::Sub: '${Stage}-x'}",
            r#"{"Fn::ImportValue":"test-x"}"#,
        ),
        (
            "{Fn::Transform: {Name: X, Parameters: {P: !Ref Stage}}, A: !Ref Stage}",
            r#"{"Fn::Transform":{"Name":"X","Parameters":{"P":{"Ref":"Stage"}}},"A":{"Ref":"Stage"}}"#,
        ),
        (
            "{Fn::ForEach::L: [N, [a, b], {'K${N}': !Sub '${N}-${Stage}'}]}",
            r#"{"Ka":"a-test","Kb":"b-test"}"#,
        ),
        (
            "{Fn::ForEach::L: [N, [a], {'K${N}': 'bare ${N}'}]}",
            r#"{"Fn::ForEach::L":["N",["a"],{"K${N}":"bare ${N}"}]}"#,
        ),
        (
            "{Fn::ForEach::L: [N, [!Ref Absent], {'K${N}': x}]}",
            r#"{"Fn::ForEach::L":["N",[{"Ref":"Absent"}],{"K${N}":"x"}]}"#,
        ),
        (
            "{Fn::ForEach::L: [N, [a, a], {'K${N}': x}]}",
            r#"{"Fn::ForEach::L":["N",["a","a"],{"K${N}":"x"}]}"#,
        ),
        (
            "{Fn::ForEach::L: [N, [10.0.0.1], {'K&{N}': x}]}",
            r#"{"K10001":"x"}"#,
        ),
    ] {
        assert_eq!(value(written), expected, "{written}");
    }
}

#[test]
fn what_does_not_exist_there_is_gone() {
    let text = format!(
        "{HEAD}Resources:
  Kept: {{Type: A::B, Condition: Yes, DependsOn: [Gone, Perhaps]}}
  Gone: {{Type: A::B, Condition: No}}
  Perhaps: {{Type: A::B, Condition: Unknown, DependsOn: Gone}}
  Uses: {{Type: A::B, Properties: {{A: !GetAtt Gone.Arn, B: !Sub '${{Gone}}', C: !If [No, !Ref Gone, x], D: !If [Unknown, !Ref Gone, x], E: !FindInMap [Sizes, x, y], F: !Select [7, [a]], G: !Cidr [10.0.0.0/16, 1, 24]}}}}
  Fn::ForEach::Queues:
    - Name
    - !Ref Names
    - 'Queue${{Name}}':
        Type: AWS::SQS::Queue
        DependsOn: 'Topic${{Name}}'
        Properties: {{QueueName: !Ref Name, Arn: !GetAtt 'Topic${{Name}}.Arn', Fn::ForEach::In: [I, [x, y], {{'${{I}}': !Sub '${{I}}${{Name}}${{AWS::StackId}}'}}]}}
      Fn::ForEach::Topics: [Kind, [A, B], {{'Topic${{Kind}}${{Name}}': {{Type: AWS::SNS::Topic}}}}]
Outputs:
  Kept: {{Value: !Ref Kept, Condition: Yes}}
  Gone: {{Value: !Ref Gone, Condition: No}}
"
    );
    let evaluation = template(&text).evaluate(&known(&[("Stage", "test"), ("Names", "One,Two")]));
    let part = |name| {
        evaluation
            .root
            .value(name)
            .map(|node: &Node| node.to_yaml(Forms::Short))
            .unwrap()
    };
    let problems: Vec<String> = evaluation
        .problems
        .iter()
        .map(|one| format!("{}: {}", one.position.line, one.what))
        .collect();
    let shown = format!(
        "{}--- outputs\n{}--- problems\n{}",
        part("Resources"),
        part("Outputs"),
        problems.join("\n")
    );
    insta::assert_snapshot!("evaluated", shown);
}

#[test]
fn a_macro_may_make_anything_so_nothing_is_claimed() {
    let text = "Transform: Other\nParameters: {P: {Type: String}}\nResources: {A: {Type: A::B, Properties: {P: !Ref P}}}";
    let template = template(text);
    let evaluation = template.evaluate(&known(&[("P", "x")]));
    assert!(evaluation.root.says_the_same_as(template.root()));
}

#[test]
fn loops_and_branches_cannot_be_made_to_explode() {
    let values: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let values = values.join(", ");
    let mut body = "x".to_owned();
    for depth in 0..5 {
        body = format!(
            "{{Fn::ForEach::L{depth}: [V{depth}, [{values}], {{'K${{V{depth}}}': {body}}}]}}"
        );
    }
    let text = format!(
        "Transform: AWS::LanguageExtensions\nResources: {{A: {{Type: A::B, Properties: {body}}}}}"
    );
    let template = template(&text);
    let evaluation = template.evaluate(&known(&[]));
    assert!(super::weight(&evaluation.root) <= MOST_MADE + super::weight(template.root()));
    // Nor can texts in texts, lists from mappings, or references to long texts.
    let mut doubled = "!Ref Long".to_owned();
    for _ in 0..30 {
        doubled = format!("!Sub ['${{A}}${{A}}', {{A: {doubled}}}]");
    }
    let uses = "    - !Ref Long\n    - !FindInMap [M, a, b]\n    - !Cidr [10.0.0.0/8, 256, 16]\n"
        .repeat(3000);
    let items = "x, ".repeat(5000);
    let text = format!(
        "Parameters: {{Long: {{Type: String}}}}\nMappings: {{M: {{a: {{b: [{items}]}}}}}}\nResources: {{A: {{Type: A::B, Properties: {{P: {doubled}}}}}}}\nOutputs:\n  O:\n    Value:\n{uses}"
    );
    let template = self::template(&text);
    let evaluation = template.evaluate(&known(&[("Long", &"x".repeat(4000))]));
    assert!(super::weight(&evaluation.root) <= MOST_MADE + 2 * super::weight(template.root()));
    // Functions in functions are looked at once each.
    let mut deep = "!Ref AWS::StackId".to_owned();
    for _ in 0..24 {
        deep = format!("!Join ['', [a, !If [C, {deep}, b]]]");
    }
    let text = format!(
        "Conditions: {{C: !Equals [a, a]}}\nResources: {{A: {{Type: A::B, Properties: {{P: {deep}}}}}}}"
    );
    assert!(value_of(&text, &known(&[])).contains("AWS::StackId"));
    let mut chain = String::from("Conditions:\n");
    for number in 0..5000 {
        chain.push_str(&format!("  C{number}: !Not [!Condition C{}]\n", number + 1));
    }
    chain.push_str("  C5000: !Equals [a, a]\nResources: {A: {Type: A::B, Condition: C0}}\n");
    super::super::tree::Template::parse("t", chain.as_bytes())
        .unwrap()
        .evaluate(&known(&[]));
}

fn value_of(text: &str, known: &Known) -> String {
    template(text).evaluate(known).root.to_json()
}
