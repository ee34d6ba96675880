use super::super::fixtures::{assert_screens, target};
use super::super::screen::columns;
use super::super::{TargetDiff, markdown_diff};
use super::*;
use crate::diff::DefaultDiff;
use crate::diff::{ShownText, of_texts};
use crate::model::{Layer, Provenance};

const BEFORE: &str = r#"Parameters:
  Size: {Type: String, Default: small}
  Password: {Type: String, NoEcho: true, Default: hunter2}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 30
      QueueName: !Sub "${AWS::StackName}-a-queue-with-quite-a-long-name-that-does-not-fit-into-a-line-of-a-screen-old"
      Tags: [{Key: Owner, Value: one}]
  Host:
    Type: AWS::EC2::Instance
    Properties:
      UserData: |
        #!/bin/sh
        echo one
        echo two
        echo three
        echo four
        echo a line of a script that is longer than eighty columns, and is cut where the screen ends
      Password: !Ref Password
  Old: {Type: AWS::SNS::Topic}
  Alarm: {Type: AWS::SNS::Topic, Properties: {DisplayName: alarm}}
Outputs:
  Topic: {Value: !Ref Alarm}
"#;

fn after() -> String {
    BEFORE
        .replace("VisibilityTimeout: 30", "VisibilityTimeout: 60")
        .replace("screen-old", "screen-new")
        .replace("Default: small", "Default: large")
        .replace("hunter2", "hunter3")
        .replace("echo two", "echo 2")
        .replace("  Old: {", "\n  # Comment\n  New: {Condition: Never, ")
        .replace("Alarm", "Alerts")
}

fn entries() -> Vec<ShownEntry> {
    of_texts(BEFORE, &after())
}

fn files() -> Diff {
    Diff::of_files(
        "before.yaml".into(),
        "templates/network.yaml".into(),
        entries(),
    )
}

fn parameter(name: &str, change: ParameterChange, values: [Option<&str>; 2]) -> ParameterDiff {
    let [before, after] = values.map(|value| value.map(str::to_owned));
    ParameterDiff {
        name: name.into(),
        change,
        before,
        after,
        provenance: Some(Provenance {
            layer: Layer::Region,
            file: Some("parameter-overrides/network.eu-west-1.json".into()),
            line: Some(3),
            lookup: None,
        }),
        default: None,
    }
}

fn compared(parameters: Vec<ParameterDiff>, entries: Vec<ShownEntry>) -> TargetDiff {
    TargetDiff::Compared {
        parameters,
        entries,
    }
}

fn fleet() -> Diff {
    let kept = ParameterDiff {
        default: Some(DefaultDiff {
            before: Some("small".into()),
            after: Some("large".into()),
        }),
        ..parameter("Size", ParameterChange::Kept, [Some("small"); 2])
    };
    let own = |region: &str| {
        let of = parameter(
            "Place",
            ParameterChange::Changed,
            [Some("nowhere"), Some(region)],
        );
        let secret = parameter("Password", ParameterChange::Unknown, [Some("****"); 2]);
        let gone = parameter("Gone", ParameterChange::Removed, [Some("1"), None]);
        vec![of, secret, gone, kept.clone()]
    };
    let named = |account, region: &str, found| (target(account, region), found);
    let regions = ["us-east-1", "eu-west-1"];
    let mut targets: Vec<_> = regions
        .iter()
        .map(|region| named('1', region, compared(own(region), entries())))
        .collect();
    targets.push(named(
        '2',
        "us-east-1",
        compared(vec![kept.clone()], Vec::new()),
    ));
    targets.push(named('2', "eu-west-1", compared(Vec::new(), Vec::new())));
    targets.push(named('3', "eu-west-1", TargetDiff::NoStack));
    let reason =
        "AssumeRole: not authorized to perform sts:AssumeRole on the role of the target".to_owned();
    targets.push(named('4', "eu-west-1", TargetDiff::Failed { reason }));
    Diff::of_targets("templates/network.yaml".into(), targets)
}

#[test]
fn two_files_are_compared() {
    assert_screens!("diff_files", |options: &ScreenOptions| diff(
        &files(),
        options
    ));
    insta::assert_snapshot!("diff_files_markdown", markdown_diff(&files()));
}

#[test]
fn targets_with_the_same_difference_stand_together() {
    assert_screens!("diff_fleet", |options: &ScreenOptions| diff(
        &fleet(),
        options
    ));
    insta::assert_snapshot!("diff_fleet_markdown", markdown_diff(&fleet()));
    let fleet = fleet();
    let sizes: Vec<_> = fleet.groups.iter().map(|g| g.targets.len()).collect();
    assert_eq!(sizes, [2, 1], "own regions do not tell targets apart");
    assert!(fleet.groups[0].varies && !fleet.groups[1].varies);
}

#[test]
fn the_screen_is_kept_to() {
    for width in [80, 120] {
        for diff in [files(), fleet()] {
            let options = ScreenOptions {
                width,
                ..ScreenOptions::default()
            };
            let text = super::diff(&diff, &options);
            let wide = text.lines().find(|line| columns(line) > width);
            assert_eq!(wide, None, "{width}");
        }
    }
}

#[test]
fn everything_is_shown_where_it_is_asked_for() {
    let options = ScreenOptions {
        full: true,
        ..ScreenOptions::default()
    };
    insta::assert_snapshot!("diff_files_full", diff(&files(), &options));
}

#[test]
fn what_a_word_does_not_say_is_said_below_it() {
    let mut diff = files();
    for entry in diff.groups.iter_mut().flat_map(|group| &mut group.entries) {
        for value in &mut entry.values {
            value.is_local_path = ["VisibilityTimeout", "QueueName"].contains(&&*value.path);
            value.content_differs = value.path == "QueueName";
        }
    }
    let mut named = diff.clone();
    for entry in named.groups.iter_mut().flat_map(|group| &mut group.entries) {
        for value in entry.values.iter_mut().filter(|one| one.content_differs) {
            value.content_names = vec!["functions/greet (Code)".into()];
        }
    }
    let text = super::diff(&named, &ScreenOptions::default());
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = "or what it names is not: functions/greet (Code)";
    assert!(text.contains(wanted), "{text}");
    let text = super::diff(&diff, &ScreenOptions::default());
    assert!(text.contains("Alerts is made new, and Alarm"), "{text}");
    assert_eq!(text.matches("a local path, packed").count(), 1, "{text}");
    assert_eq!(text.matches("a local path, whose").count(), 1, "{text}");
    let text = markdown_diff(&diff);
    assert!(
        text.contains("Alerts is made new, and Alarm leaves the stack"),
        "{text}"
    );
    assert_eq!(text.matches("(a local path, packed").count(), 1, "{text}");
    assert_eq!(text.matches("(a local path, whose").count(), 1, "{text}");
    let json = serde_json::to_value(&diff).unwrap();
    super::super::schema::assert_documented(&json);
}

#[test]
fn a_text_that_is_written_otherwise_is_a_difference() {
    let policy = |text: &str, queue: u8| {
        format!(
            "Parameters: {{P: {{Type: String, Default: '{text}'}}}}\nResources:\n  Trust:\n    Type: AWS::SQS::QueuePolicy\n    Properties:\n      \
             Queues: [{queue}]\n      PolicyDocument: '{text}'\n  Machine:\n    Type: AWS::StepFunctions::StateMachine\n    Properties:\n      \
             DefinitionString: !Sub '{text}'\n"
        )
    };
    let before = policy(r#"{"Version": "2012-10-17", "Statement": []}"#, 1);
    let after = policy(r#"{"Statement":[],"Version":"2012-10-17"}"#, 2);
    let diff = Diff::of_files("a.yaml".into(), "b.yaml".into(), of_texts(&before, &after));
    assert!(diff.differs);
    assert_screens!("diff_written_otherwise", |options: &ScreenOptions| {
        super::diff(&diff, options)
    });
    insta::assert_snapshot!("diff_written_otherwise_markdown", markdown_diff(&diff));
    let document = serde_json::to_value(&diff).unwrap();
    super::super::schema::assert_documented(&document);
    let values = &document["groups"][0]["entries"][2]["values"];
    assert_eq!(values[0]["change"], "written_otherwise");
    let full = ScreenOptions {
        full: true,
        ..ScreenOptions::default()
    };
    let text = super::diff(&diff, &full);
    assert!(text.contains(r#"{"Statement":[],"#), "{text}");
    assert_eq!(text.matches("written otherwise, same meaning").count(), 3);
}

#[test]
fn differences_are_called_as_in_a_review() {
    assert_eq!(name_of(0), "Change A");
    assert_eq!(name_of(26), "Change AA");
}

#[test]
fn no_differences_are_said() {
    let none = Diff::of_files("a.yaml".into(), "b.yaml".into(), Vec::new());
    assert!(!none.differs);
    let text = diff(&none, &ScreenOptions::default());
    assert!(text.ends_with("no differences\n"), "{text}");
    assert!(markdown_diff(&none).ends_with("No differences.\n"));
    // A value that stays is worth a word, and is no change.
    let kept = parameter("Size", ParameterChange::Kept, [Some("small"); 2]);
    let found = compared(vec![kept], Vec::new());
    let kept = Diff::of_targets("t.yaml".into(), vec![(target('1', "eu-west-1"), found)]);
    assert!(!kept.differs && kept.groups.len() == 1);
}

#[test]
fn the_document_is_as_its_schema_says() {
    for diff in [files(), fleet()] {
        let document = serde_json::to_value(&diff).unwrap();
        super::super::schema::assert_documented(&document);
        let text = document.to_string();
        assert!(!text.contains("hunter"), "{text}");
    }
}

#[test]
fn hostile_texts_do_nothing() {
    let mut diff = files();
    let entry = &mut diff.groups[0].entries[0];
    entry.name = "a\u{1b}[31m|b\u{202e}".into();
    if let Some(ShownText { text, .. }) = &mut entry.values[0].after {
        *text = "</code>\u{1b}]0;x\u{7} | @all".into();
    }
    let text = super::diff(&diff, &ScreenOptions::default());
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    let text = markdown_diff(&diff);
    assert!(!text.contains("@all") && !text.contains('\u{1b}'), "{text}");
}
