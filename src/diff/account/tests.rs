//! Tests of `account`.

use serde_json::json;

use super::*;
use crate::model::Recreation;

const OLD: &str = "Parameters: {Size: {Type: Number}, Name: {Type: String}}
Conditions: {Big: !Equals [!Ref Size, \"9\"]}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      Timeout: !Ref Size
      Label: one
      Url: !Sub '${Name}.${Size}.example'
      Wait: 5
  Extra:
    Type: AWS::SNS::Topic
    Condition: Big
";

/// Returns a target whose parameters get these values and whose change set describes these resources.
fn target(parameters: &[(&str, &str)], changes: &[&str]) -> PlannedTarget {
    let parameters = parameters.iter().map(|(name, value)| {
        json!({"name": name, "value": {"plain": value}, "provenance": {"layer": "stack"}})
    });
    let changes = changes.iter().map(|name| {
        json!({"logical_id": name, "resource_type": "AWS::SQS::Queue", "action": "Modify", "replacement": "No"})
    });
    serde_json::from_value(json!({
        "target": {"account": "111111111111", "region": "eu-west-1", "stack": "app"},
        "caller": {"account": "111111111111", "arn": "arn:aws:iam::111111111111:role/Deploy"},
        "kind": "UPDATE",
        "name": "stackgate-0198c1d2",
        "inputs": {
            "template": {"artifact": "Source", "path": "t.yaml"},
            "template_digest": crate::model::Digest::of(b"template"),
            "parameters": parameters.collect::<Vec<_>>(),
        },
        "changes": changes.collect::<Vec<_>>(),
        "base": {"stack": "arn:aws:cloudformation:eu-west-1:111111111111:stack/app/1", "status": "CREATE_COMPLETE"},
    }))
    .unwrap()
}

fn previous(values: &[(&str, &str)]) -> BTreeMap<String, String> {
    let values = values.iter();
    values
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

fn account(
    given: &[(&str, &str)],
    before: &[(&str, &str)],
    new: &str,
    changes: &[&str],
) -> Account {
    let mut target = target(given, changes);
    target.previous_parameters = previous(before);
    Account::of_texts(&target, OLD, new)
}

fn told(account: &Account, path: &str) -> Vec<String> {
    let queue = LogicalId::new("Queue").unwrap();
    let reasons = account.reasons(&queue, &[PathSegment::Key(path.to_owned())]);
    let texts = reasons.into_iter().map(|reason| match reason {
        Reason::Template => "template".to_owned(),
        Reason::Parameter(name) => name.clone(),
    });
    texts.collect()
}

const BEFORE: &[(&str, &str)] = &[("Size", "1"), ("Name", "a")];

#[test]
fn a_property_changes_through_what_it_would_not_change_without() {
    let new = OLD.replace("Label: one", "Label: two");
    let account = account(&[("Size", "2"), ("Name", "a")], BEFORE, &new, &["Queue"]);
    assert_eq!(told(&account, "Timeout"), ["Size"]);
    assert_eq!(told(&account, "Url"), ["Size"]);
    assert_eq!(told(&account, "Label"), ["template"]);
    assert!(told(&account, "Wait").is_empty());
    assert!(account.undescribed.is_empty());
}

#[test]
fn several_reasons_are_all_told() {
    let new = OLD.replace(".example", ".test");
    let account = account(&[("Size", "2"), ("Name", "b")], BEFORE, &new, &["Queue"]);
    assert_eq!(told(&account, "Url"), ["template", "Name", "Size"]);
}

#[test]
fn nothing_is_concluded_from_what_is_not_known() {
    // The old value of Size is not known, the new one of Name not given.
    let account = account(&[("Size", "2")], &[("Name", "a")], OLD, &[]);
    assert!(told(&account, "Timeout").is_empty());
    assert!(account.undescribed.is_empty(), "{:?}", account.undescribed);
}

#[test]
fn what_the_change_set_leaves_out_is_found() {
    let new = OLD.replace("Label: one", "Label: two");
    let given = [("Size", "9"), ("Name", "a")];
    let account = account(&given, BEFORE, &new, &[]);
    let lines: Vec<String> = account
        .undescribed
        .iter()
        .map(|one| format!("{} {}: {}", one.kind.as_str(), one.name, one.what))
        .collect();
    assert_eq!(
        lines,
        [
            "changed Queue: Timeout, Label, Url",
            "added Extra: in the template"
        ]
    );
}

#[test]
fn an_order_of_work_and_an_open_condition_are_not_missed_changes() {
    let new = OLD.replace("    Properties:", "    DependsOn: [Other]\n    Properties:")
        + "  Other: {Type: T::A}\n";
    let changes = account(BEFORE, BEFORE, &new, &["Other"]).undescribed;
    assert!(changes.is_empty(), "{changes:?}");
    // Whether the condition holds is not known.
    let new = format!("{OLD}  More: {{Type: T::A, Condition: Big}}\n");
    let changes = account(&[("Name", "a")], &[("Name", "a")], &new, &[]).undescribed;
    assert!(changes.is_empty(), "{changes:?}");
}

#[test]
fn what_a_macro_makes_is_not_judged() {
    let new = format!(
        "Transform: My::Macro\n{}",
        OLD.replace("Label: one", "Label: two")
    );
    assert!(account(BEFORE, BEFORE, &new, &[]).undescribed.is_empty());
}

#[test]
fn a_value_that_the_service_works_out_otherwise_is_noticed() {
    let account = account(BEFORE, BEFORE, OLD, &["Queue"]);
    let queue = LogicalId::new("Queue").unwrap();
    let other = |path: &str, after: &str, secret: bool| {
        let property = PropertyChange {
            path: vec![PathSegment::Key(path.to_owned())],
            before: None,
            after: Some(after.to_owned()),
            recreation: Recreation::Never,
            evaluation: None,
            cause: None,
            secret,
            drift: None,
        };
        account.other_value(&queue, &property).map(str::to_owned)
    };
    assert_eq!(other("Timeout", "1", false), None);
    assert_eq!(other("Timeout", "3", false).as_deref(), Some("1"));
    assert_eq!(other("Timeout", "3", true), None);
    assert_eq!(other("Wait", "5", false), None);
    assert_eq!(other("Wait", "5.0", false).as_deref(), Some("5"));
    assert_eq!(other("Url", "known after apply", false), None);
    assert_eq!(other("Missing", "3", false), None);
}

#[test]
fn values_are_compared_by_their_digits() {
    let is_same = |ours: &str, theirs: &str| {
        let template = Template::parse("t.yaml", format!("A: {ours}").as_bytes()).unwrap();
        is_same_value(template.root().value("A").unwrap(), theirs)
    };
    for (ours, theirs) in [
        ("9007199254740993", "9007199254740993"),
        ("0x10", "16"),
        ("+5", "5"),
        ("True", "true"),
        ("012345678901", "012345678901"),
        ("'{\"a\": 1, \"b\": 2}'", "{\"b\":2,\"a\":1}"),
    ] {
        assert!(is_same(ours, theirs), "{ours} {theirs}");
    }
    for (ours, theirs) in [
        ("9007199254740993", "9007199254740992"),
        ("1.10", "1.1"),
        ("012", "12"),
        ("'5'", "5.0"),
        ("1e3", "1000"),
        ("yes", "true"),
        ("'{\"a\": 1}'", "{\"a\":2}"),
    ] {
        assert!(!is_same(ours, theirs), "{ours} {theirs}");
    }
}

#[test]
fn a_text_that_says_the_same_is_no_missed_change_and_has_its_reason() {
    let label = |text: &str| OLD.replace("Label: one", &format!("Label: '{text}'"));
    let (old, new) = (label("{\"a\": 1}"), label("{\"a\":1}"));
    let mut target = target(BEFORE, &[]);
    target.previous_parameters = previous(BEFORE);
    let account = Account::of_texts(&target, &old, &new);
    assert_eq!(told(&account, "Label"), ["template"]);
    assert!(account.undescribed.is_empty(), "{:?}", account.undescribed);
    // Another difference is missed all the same.
    let account = Account::of_texts(&target, &old, &new.replace("Wait: 5", "Wait: 6"));
    assert_eq!(account.undescribed[0].what, "Wait");
}
