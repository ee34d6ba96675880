//! What is told of differences, by example; what holds of any is in `properties`.

mod documents;
mod properties;

use super::*;

fn template(text: &str) -> Template {
    match Template::parse("t.yaml", text.as_bytes()) {
        Ok(template) => template,
        Err(error) => panic!("{error} in:\n{text}"),
    }
}

/// Returns the differences, a line each; fails unless they lead from the one to the other.
fn told(before: &str, after: &str) -> Vec<String> {
    let (before, after) = (template(before), template(after));
    let found = compare(&before, &after);
    let again = compare_trees(&found.apply(before.root()), after.root());
    // Where a document was changed, it is written anew.
    let is_left = |value: &ValueDiff| value.kind != ValueKind::WrittenOtherwise;
    let mut left = again.entries.iter().flat_map(|entry| &entry.values);
    assert!(!left.any(is_left), "{again:#?} is left of {found:#?}");
    let back = compare(&after, &before);
    assert_eq!(back.is_empty(), found.is_empty(), "there and back");
    found.entries.iter().flat_map(lines).collect()
}

fn lines(entry: &EntryDiff) -> Vec<String> {
    let section = entry.section.key();
    let name = match &entry.kind {
        EntryKind::Added => format!("+ {section} {}", entry.name),
        EntryKind::Removed => format!("- {section} {}", entry.name),
        EntryKind::Changed => format!("~ {section} {}", entry.name),
        EntryKind::Renamed { from } => format!("= {section} {from} > {}", entry.name),
    };
    let is_whole = |value: &&ValueDiff| !value.path.is_empty() || entry.name.is_empty();
    let values = entry.values.iter().filter(is_whole).map(|value| {
        let side = |side: &Option<Side>| match side {
            Some(side) => side
                .node
                .to_yaml(crate::template::Forms::Short)
                .trim()
                .replace('\n', " "),
            None => "-".to_owned(),
        };
        let path = entry.path_text(value);
        let what = match value.kind {
            ValueKind::Moved => "moved".to_owned(),
            ValueKind::WrittenOtherwise => "written otherwise".to_owned(),
            ValueKind::Added | ValueKind::Removed | ValueKind::Changed => {
                format!("{} > {}", side(&value.before), side(&value.after))
            }
        };
        let follows = match value.follows.as_slice() {
            [] => String::new(),
            names => format!(" (follows {})", names.join(", ")),
        };
        format!("  {path} {what}{follows}")
    });
    std::iter::once(name.trim_end().to_owned())
        .chain(values)
        .collect()
}

/// Returns what differs in one resource whose properties are given.
fn properties_told(before: &str, after: &str) -> Vec<String> {
    let resource = |properties: &str| {
        let indented = properties.replace('\n', "\n      ");
        format!("Resources:\n  R:\n    Type: A::B::C\n    Properties:\n      {indented}\n")
    };
    let told = told(&resource(before), &resource(after));
    told.into_iter()
        .skip(1)
        .map(|line| line.trim().to_owned())
        .collect()
}

#[test]
fn what_is_written_otherwise_is_no_change() {
    let yaml = "\
# A comment.
Description: A queue
Parameters:
  Size: {Type: Number, Default: 30, MinValue: '1'}
Transform: AWS::LanguageExtensions
Resources:
  Queue:
    Type: AWS::SQS::Queue
    DependsOn: Topic
    Properties:
      VisibilityTimeout: 30
      FifoQueue: true
      QueueName: !Sub '${AWS::StackName}-queue'
      KmsMasterKeyId: !GetAtt Topic.Arn
      Tags:
        - {Key: A, Value: 1}
        - {Key: B, Value: 2}
      Policy: '{\"Statement\": [{\"Effect\": \"Allow\", \"Action\": [\"a\", \"b\"]}]}'
      Lines: |-
        {\"a\":
          1}
  Topic:
    Type: AWS::SNS::Topic
    DependsOn: [A, B]
  A: {Type: A::B::C}
  B: {Type: A::B::D}
";
    let json = r#"{
  "Resources": {
    "B": {"Type": "A::B::D"}, "A": {"Type": "A::B::C"},
    "Topic": {"DependsOn": ["B", "A"], "Type": "AWS::SNS::Topic"},
    "Queue": {
      "DependsOn": ["Topic"],
      "Properties": {
        "Lines": "{\"a\":\n  1}",
        "Policy": "{\"Statement\": [{\"Effect\": \"Allow\", \"Action\": [\"a\", \"b\"]}]}",
        "Tags": [{"Value": "2", "Key": "B"}, {"Value": "1", "Key": "A"}],
        "KmsMasterKeyId": {"Fn::GetAtt": ["Topic", "Arn"]},
        "QueueName": {"Fn::Sub": "${AWS::StackName}-queue"},
        "FifoQueue": "true",
        "VisibilityTimeout": "30"
      },
      "Type": "AWS::SQS::Queue"
    }
  },
  "Transform": ["AWS::LanguageExtensions"],
  "Parameters": {"Size": {"Default": "30", "MinValue": 1, "Type": "Number"}},
  "Description": "A queue"
}"#;
    assert_eq!(told(yaml, json), [""; 0]);
}

#[test]
fn values_that_readers_may_take_for_others_are_told() {
    assert_eq!(properties_told("A: yes", "A: 'yes'"), ["A yes > \"yes\""]);
    assert_eq!(properties_told("A: 1.0", "A: 1"), ["A 1.0 > 1"]);
    assert_eq!(
        properties_told("A: 'null'", "A: null"),
        ["A \"null\" > null"]
    );
    assert_eq!(properties_told("A: 0x10", "A: 16"), [""; 0]);
    assert_eq!(properties_told("A: True", "A: 'true'"), [""; 0]);
}

#[test]
fn entries_are_in_the_order_of_the_file() {
    let before = "\
Outputs: {O: {Value: 1}}
Resources:
  First: {Type: A}
  Kept: {Type: B, Properties: {P: 1}}
  Second: {Type: C}
  Third: {Type: D}
Description: old
";
    let after = "\
Description: new
Resources:
  New: {Type: E}
  Kept: {Type: B, Properties: {P: 2}, DeletionPolicy: Retain}
  Last: {Type: F}
Outputs: {O: {Value: 2}}
Zoo: [1]
";
    assert_eq!(
        told(before, after),
        [
            "~ Description",
            "   old > new",
            "- Resources First",
            "+ Resources New",
            "~ Resources Kept",
            "  P 1 > 2",
            "  DeletionPolicy - > Retain",
            "- Resources Second",
            "- Resources Third",
            "+ Resources Last",
            "~ Outputs O",
            "  Value 1 > 2",
            "+ Zoo",
            "   - > - 1",
        ]
    );
}

#[test]
fn items_are_matched_by_their_key() {
    let before = "Tags: [{Key: A, Value: 1}, {Key: B, Value: 2}, {Key: C, Value: 3}]";
    let after = "Tags: [{Key: C, Value: 3}, {Key: D, Value: 4}, {Key: B, Value: 5}]";
    assert_eq!(
        properties_told(before, after),
        [
            "Tags[Key=A] Key: A Value: 1 > -",
            "Tags[Key=D] - > Key: D Value: 4",
            "Tags[Key=B].Value 2 > 5",
        ]
    );
    // Where the order may say something, it is told who moved.
    let before = "Rules: [{Name: A, V: 1}, {Name: B, V: 2}, {Name: C, V: 3}]";
    let after = "Rules: [{Name: C, V: 4}, {Name: A, V: 1}, {Name: B, V: 2}]";
    assert_eq!(
        properties_told(before, after),
        ["Rules[Name=C] moved", "Rules[Name=C].V 3 > 4"]
    );
    // A key that two items share tells nothing apart.
    let before = "Rules: [{Name: A, V: 1}, {Name: A, V: 2}]";
    let after = "Rules: [{Name: A, V: 1}, {Name: A, V: 2}, {Name: A, V: 3}]";
    assert_eq!(
        properties_told(before, after),
        ["Rules[2] - > Name: A V: 3"]
    );
    let before = "S: [{Sid: X, A: 1}, {A: 2}]";
    let after = "S: [{A: 2}, {Sid: X, A: 3}]";
    assert_eq!(
        properties_told(before, after),
        ["S[0] moved", "S[Sid=X].A 1 > 3"]
    );
}

#[test]
fn items_without_a_key_are_matched_by_a_minimal_edit() {
    assert_eq!(
        properties_told("L: [a, b, c]", "L: [a, x, c]"),
        ["L[1] b > x"]
    );
    assert_eq!(
        properties_told("L: [a, b, c]", "L: [n, a, b, c]"),
        ["L[0] - > n"]
    );
    assert_eq!(properties_told("L: [a, b, c]", "L: [a, c]"), ["L[1] b > -"]);
    assert_eq!(
        properties_told("L: [a, b, c]", "L: [c, a, b]"),
        ["L[0] moved"]
    );
    assert_eq!(properties_told("L: []", "L: [a]"), ["L[0] - > a"]);
    assert_eq!(
        properties_told("L: [a]", "L: a"),
        ["L - a > a"],
        "another kind of value"
    );
    let before = "In: [{Port: 80, Cidr: a}, {Port: 443, Cidr: a}]";
    let after = "In: [{Port: 22, Cidr: b}, {Port: 80, Cidr: c}, {Port: 443, Cidr: a}]";
    assert_eq!(
        properties_told(before, after),
        ["In[0] - > Port: 22 Cidr: b", "In[1].Cidr a > c"]
    );
}

#[test]
fn long_lists_are_matched_too() {
    let list = |items: &[u32]| format!("L: {items:?}");
    let old: Vec<u32> = (0..1500).collect();
    let mut new = old.clone();
    let last = new.pop().unwrap();
    new.insert(3, last);
    new[700] = 9999;
    new.remove(1000);
    assert_eq!(
        properties_told(&list(&old), &list(&new)),
        ["L[3] moved", "L[700] 699 > 9999", "L[999] 999 > -"]
    );
    // As good as all moved, and some are there twice.
    new.reverse();
    assert_eq!(properties_told(&list(&old), &list(&new)).len(), 1499);
    let twice = [new.clone(), new].concat();
    assert!(properties_told(&list(&twice), &list(&old)).len() >= 1499);
}

#[test]
fn what_is_deep_inside_is_compared() {
    let list = |text: &str| format!("L: {}{text}{}", "[x, ".repeat(30), "]".repeat(30));
    let told = properties_told(&list("a"), &list("b"));
    assert_eq!(told, [format!("L{} a > b", "[1]".repeat(30))]);
    // Of two items that are alike so far, each finds its own.
    let lists = |a: &str, b: &str| format!("L: [{}, {}]", &list(a)[3..], &list(b)[3..]);
    assert_eq!(properties_told(&lists("a", "b"), &lists("b", "a")).len(), 2);
}

#[test]
fn lists_of_policies_are_sets() {
    let policy = |action: &str| {
        format!("D: {{Statement: [{{Effect: Allow, Action: {action}, Resource: '*'}}]}}")
    };
    let told = |a: &str, b: &str| properties_told(&policy(a), &policy(b));
    assert_eq!(told("[a, b, c]", "[c, b, a]"), [""; 0]);
    assert_eq!(told("a", "[a]"), [""; 0]);
    assert_eq!(told("!Sub a", "[!Sub a]"), [""; 0]);
    assert_eq!(told("!Ref L", "[!Ref L]").len(), 1, "it may be a list");
    assert_eq!(told("a", "b"), ["D.Statement[0].Action a > b"]);
    assert_eq!(
        told("[a, b, c]", "[d, c, a]"),
        [
            "D.Statement[0].Action[0] - > d",
            "D.Statement[0].Action[1] b > -"
        ]
    );
    assert_eq!(told("a", "[b, a]"), ["D.Statement[0].Action[0] - > b"]);
    // A list of the same name elsewhere is in order.
    assert_eq!(properties_told("Action: [a, b]", "Action: [b, a]").len(), 1);
    let principal = "D: {Statement: {Effect: Allow, Action: a, Principal: {AWS: [x, y]}, Condition: {E: {k: [1, 2]}}}}";
    let turned = "D: {Statement: [{Effect: Allow, Action: a, Principal: {AWS: [y, x]}, Condition: {E: {k: ['2', '1']}}}]}";
    assert_eq!(properties_told(principal, turned), [""; 0]);
}

#[test]
fn a_renamed_resource_takes_its_references_with_it() {
    let template = |name: &str, rest: &str| {
        format!(
            "\
Resources:
  {name}: {{Type: AWS::SQS::Queue, Properties: {{QueueName: q}}}}
  Topic:
    Type: AWS::SNS::Topic
    DependsOn: [{name}]
    Properties:
      Arn: !GetAtt {name}.Arn
      Text: !Sub 'a ${{{name}}} b ${{{name}.Arn}} ${{!{name}}}'
      List: !Join [',', [!Ref {name}, x]]
      Policy: !Sub '{{\"Resource\": \"${{{name}.Arn}}\"}}'
      Own: !Sub ['${{{name}}}', {{{name}: 1}}]
      Name: Old
{rest}"
        )
    };
    assert_eq!(
        told(&template("Old", ""), &template("New", "      Rest: 1\n")),
        [
            "= Resources Old > New",
            "~ Resources Topic",
            "  DependsOn[0] Old > New (follows Old)",
            "  Arn !GetAtt Old.Arn > !GetAtt New.Arn (follows Old)",
            "  Text !Sub \"a ${Old} b ${Old.Arn} ${!Old}\" > !Sub \"a ${New} b ${New.Arn} ${!New}\"",
            "  List.Fn::Join[1][0] !Ref Old > !Ref New (follows Old)",
            "  Policy.Fn::Sub{json}.Resource ${Old.Arn} > ${New.Arn} (follows Old)",
            "  Own.Fn::Sub[0] ${Old} > ${New}",
            "  Own.Fn::Sub[1].Old 1 > -",
            "  Own.Fn::Sub[1].New - > 1",
            "  Rest - > 1",
        ]
        .map(|line| line.replace("${Old.Arn} > ${New.Arn}", "\"${Old.Arn}\" > \"${New.Arn}\""))
        .map(|line| line.replace("[0] ${Old} > ${New}", "[0] \"${Old}\" > \"${New}\""))
    );
}

#[test]
fn a_chain_of_renamed_resources_is_followed() {
    let template = |a: &str, b: &str, c: &str| {
        format!(
            "\
Conditions: {{{c}: !Equals [a, b]}}
Resources:
  {a}: {{Type: A, Condition: {c}, Properties: {{N: !If [{c}, 1, 2]}}}}
  {b}: {{Type: B, Properties: {{A: !Ref {a}}}}}
Outputs:
  O: {{Value: !Ref {b}}}
"
        )
    };
    assert_eq!(
        told(&template("A1", "B1", "C1"), &template("A2", "B2", "C2")),
        [
            "= Conditions C1 > C2",
            "= Resources A1 > A2",
            "  Condition C1 > C2 (follows C1)",
            "  N.Fn::If[0] C1 > C2 (follows C1)",
            "= Resources B1 > B2",
            "  A !Ref A1 > !Ref A2 (follows A1)",
            "~ Outputs O",
            "  Value !Ref B1 > !Ref B2 (follows B1)",
        ]
    );
}

#[test]
fn an_ambiguous_renaming_goes_by_the_names() {
    let before =
        "Resources: {OrdersOld: {Type: A}, EventsOld: {Type: A}, X: {Type: A, Properties: {P: 1}}}";
    let after =
        "Resources: {EventsNew: {Type: A}, OrdersNew: {Type: A}, X: {Type: A, Properties: {P: 1}}}";
    let expected = [
        "= Resources EventsOld > EventsNew",
        "= Resources OrdersOld > OrdersNew",
    ];
    for _ in 0..8 {
        assert_eq!(told(before, after), expected, "each time");
    }
    // More of them than can be paired.
    let after = "Resources: {EventsNew: {Type: A}, X: {Type: A, Properties: {P: 1}}}";
    assert_eq!(
        told(before, after),
        ["- Resources OrdersOld", "= Resources EventsOld > EventsNew"]
    );
    // Another body is another resource, and so is another section's.
    let after = "Resources: {EventsNew: {Type: B}, X: {Type: A, Properties: {P: 1}}}\nParameters: {Y: {Type: A}}";
    assert_eq!(told(before, after).len(), 4);
}

#[test]
fn a_name_that_another_body_takes_is_no_renaming() {
    let before = "Resources: {A: {Type: X}, B: {Type: Y}}";
    let after = "Resources: {B: {Type: X}, A: {Type: Y}}";
    assert_eq!(
        told(before, after),
        [
            "~ Resources B",
            "  Type Y > X",
            "~ Resources A",
            "  Type X > Y"
        ]
    );
}

#[test]
fn places_are_where_keys_and_items_are() {
    let before = "Resources:\n  R:\n    Type: A\n    Properties:\n      L:\n        - a\n      D: '{\"a\": 1}'\n";
    let after = "Resources:\n  # c\n  R:\n    Type: A\n    Properties:\n      L:\n        - b\n      D: '{\"a\": 2}'\n";
    let found = compare(&template(before), &template(after));
    let entry = &found.entries[0];
    assert_eq!(entry.before.map(|p| (p.line, p.column)), Some((2, 3)));
    assert_eq!(entry.after.map(|p| (p.line, p.column)), Some((3, 3)));
    let places: Vec<_> = entry
        .values
        .iter()
        .map(|value| {
            (
                value.before.as_ref().unwrap().position.line,
                value.after.as_ref().unwrap().position.line,
            )
        })
        .collect();
    assert_eq!(places, [(6, 7), (7, 8)]);
    assert!(entry.values[1].is_in_document());
    let list = [PathSegment::Key("L".to_owned()), PathSegment::Index(0)];
    assert_eq!(entry.path_after(&entry.values[0]), list);
    assert_eq!(
        entry.path_before(&entry.values[1]),
        [PathSegment::Key("D".to_owned())]
    );
}

#[test]
fn long_names_are_not_compared_letter_by_letter() {
    let names = |letter: char| {
        let name = |n: u8| {
            format!(
                "\"{n}{}\": {{\"Type\": \"A\"}}",
                letter.to_string().repeat(10_000)
            )
        };
        let resources: Vec<String> = (0..40).map(name).collect();
        format!("{{\"Resources\": {{{}}}}}", resources.join(", "))
    };
    assert_eq!(told(&names('a'), &names('b')).len(), 40);
}

#[test]
fn a_name_is_renamed_in_its_own_section_alone() {
    // CloudFormation takes no parameter and resource of one name, but nothing is lost of such a template either.
    assert_eq!(
        told(
            "Parameters: {C: {Type: String}}\nResources: {C: {Type: T::A}}",
            "Parameters: {D: {Type: String}}\nResources: {C: {Type: T::A}, D: {Type: T::A}}",
        ),
        ["= Parameters C > D", "+ Resources D"]
    );
}

#[test]
fn what_looks_like_a_name_in_a_text_and_is_none_stays() {
    let of = |text: &str| {
        told(
            &format!(
                "Resources: {{A: {{Type: T::A}}, U: {{Type: T::U, Properties: {{V: !Sub '{text}'}}}}}}"
            ),
            &format!(
                "Resources: {{B: {{Type: T::A}}, U: {{Type: T::U, Properties: {{V: !Sub '{}'}}}}}}",
                text.replace("${A}", "${B}")
            ),
        )
    };
    for text in [
        "${}${A}",
        "${ .x}${A}",
        "${!a ${A}",
        "${!A}${ !x}${A}",
        "${A}${!open",
    ] {
        let value = format!(
            "  V !Sub {text} > !Sub {} (follows A)",
            text.replace("${A}", "${B}")
        );
        let told = of(text);
        assert_eq!(told[0], "= Resources A > B", "{text}: {told:#?}");
        assert_eq!(told.len(), 3, "{text}: {told:#?}");
        assert_eq!(told[2].replace(['"', '\''], ""), value, "{text}");
    }
}
