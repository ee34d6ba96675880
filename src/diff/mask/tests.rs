use super::*;
use crate::model::{ChangeAction, ChangeDetail, ChangeScope, Recreation, Replacement};
use proptest::prelude::*;
use serde_json::json;

fn change(before: Option<Value>, after: Option<Value>) -> ResourceChange {
    ResourceChange {
        logical_id: LogicalId::new("R").unwrap(),
        resource_type: "AWS::X::Y".to_owned(),
        physical_id: None,
        action: ChangeAction::Modify,
        replacement: Replacement::No,
        policy_action: None,
        scope: Vec::new(),
        details: Vec::new(),
        before,
        after,
        nested: None,
        module: None,
        drift: None,
    }
}

fn detail(path: Option<&str>, name: &str, before: &str, after: &str) -> ChangeDetail {
    ChangeDetail {
        attribute: Some(ChangeScope::Properties),
        name: Some(name.to_owned()),
        path: path.map(str::to_owned),
        recreation: Recreation::Never,
        before: Some(before.to_owned()),
        after: Some(after.to_owned()),
        evaluation: None,
        source: None,
        causing_entity: None,
        drift: None,
    }
}

fn template(properties: &str) -> Template {
    let text = format!(
        "Parameters:\n  Secret: {{Type: String, NoEcho: true}}\n  Public: {{Type: String}}\nResources:\n  R:\n    Type: AWS::X::Y\n    Properties: {properties}\n"
    );
    Template::parse("t.yaml", text.as_bytes()).unwrap()
}

fn masked(
    new: &str,
    old: Option<&str>,
    mut change: ResourceChange,
    known: &[&str],
) -> ResourceChange {
    let known: Vec<String> = known.iter().map(|&text| text.to_owned()).collect();
    let (new, old) = (template(new), old.map(template));
    mask(
        std::slice::from_mut(&mut change),
        &new,
        old.as_ref(),
        &known,
    );
    change
}

#[test]
fn secrets_in_contexts_are_masked_and_their_change_is_told() {
    let properties = "{P: !Ref Secret, Q: !Sub 'x-${Secret}', O: x, L: [{N: a, V: !Ref Secret}, {N: b, V: !Ref Public}]}";
    let context = |secret: &str, public: &str| {
        json!({"Properties": {"P": secret, "Q": "x-same", "O": "x",
                "L": [{"N": "a", "V": secret}, {"N": "b", "V": public}]}})
    };
    let change = change(Some(context("one", "y")), Some(context("two", "z")));
    let result = masked(properties, Some(properties), change, &[]);
    assert_eq!(
        result.before.unwrap()["Properties"],
        json!({"P": MASK, "Q": MASK, "O": "x", "L": [{"N": "a", "V": MASK}, {"N": "b", "V": "y"}]})
    );
    assert_eq!(
        result.after.unwrap()["Properties"],
        json!({"P": MASK_CHANGED, "Q": MASK, "O": "x",
                "L": [{"N": "a", "V": MASK_CHANGED}, {"N": "b", "V": "z"}]})
    );
}

#[test]
fn what_is_really_there_is_masked_like_what_was_deployed() {
    let of = |path: &str, previous: &str, actual: &str, known: &[&str]| {
        let mut given = change(None, None);
        given.details = vec![ChangeDetail {
            drift: Some(crate::model::PropertyDrift {
                previous: Some(previous.to_owned()),
                actual: Some(actual.to_owned()),
                detected: None,
                before_from: None,
                only_recorded: false,
            }),
            ..detail(Some(path), "P", "one", "one")
        }];
        let template = "{P: !Ref Secret, L: [{V: !Ref Secret, O: x}], Q: q}";
        let drift = masked(template, None, given, known).details[0]
            .drift
            .clone();
        let drift = drift.unwrap();
        (drift.previous.unwrap(), drift.actual.unwrap())
    };
    let told = |previous: &str, actual: &str| (previous.to_owned(), actual.to_owned());
    assert_eq!(
        of("/Properties/P", "one", "two", &[]),
        told(MASK, MASK_CHANGED)
    );
    assert_eq!(of("/Properties/P", "one", "one", &[]), told(MASK, MASK));
    assert_eq!(
        of(
            "/Properties/L",
            r#"[{"V":"one","O":"x"}]"#,
            r#"[{"V":"two","O":"y"}]"#,
            &[]
        ),
        told(
            r#"[{"V":"****","O":"x"}]"#,
            r#"[{"V":"**** (changed)","O":"y"}]"#
        )
    );
    assert_eq!(
        of("/Properties/Q", "q", "by hand: hunter2", &["hunter2"]),
        told("q", "by hand: ****")
    );
}

#[test]
fn what_is_really_there_may_have_another_order() {
    let template = "{Env: [{N: A, V: plain}, {N: PW, V: !Ref Secret}], L: [[a, !Ref Secret], b]}";
    let deployed = r#"[{"N":"A","V":"plain"},{"N":"PW","V":"deployed"}]"#;
    let actual = r#"[{"N":"PW","V":"hunter2"},{"N":"A","V":"plain"}]"#;
    let told = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let mut given = change(
        Some(json!({"Properties": {"Env": told(actual), "L": [["hunter2", "a"], "b"]}})),
        Some(json!({"Properties": {"Env": told(deployed), "L": [["a", "deployed"], "b"]}})),
    );
    given.details = vec![ChangeDetail {
        drift: Some(crate::model::PropertyDrift {
            previous: Some(deployed.to_owned()),
            actual: Some(actual.to_owned()),
            detected: None,
            before_from: None,
            only_recorded: false,
        }),
        ..detail(Some("/Properties/Env"), "Env", actual, deployed)
    }];
    let of_details = masked(template, Some(template), given.clone(), &[]);
    given.details = vec![detail(
        Some("/Properties/Env/0/V"),
        "Env",
        "hunter2",
        "plain",
    )];
    given.drift = Some(crate::model::ResourceDrift {
        status: None,
        ignored: Vec::new(),
    });
    let of_resource = masked(template, Some(template), given.clone(), &[]);
    given.drift = None;
    let of_unknown = masked(template, None, given.clone(), &[]);
    for result in [of_details, of_resource, of_unknown] {
        let text = serde_json::to_string(&result).unwrap();
        assert!(
            !text.contains("hunter2") && !text.contains("deployed"),
            "{text}"
        );
        // The names of items are no secret in any order.
        assert!(text.contains("PW"), "{text}");
    }
    given.before = Some(json!({"Properties": {"Env": told(deployed)}}));
    given.details.clear();
    let in_order = masked(template, Some(template), given, &[]);
    assert_eq!(
        in_order.before.unwrap()["Properties"]["Env"][0]["V"],
        json!("plain")
    );
}

#[test]
fn a_structure_that_is_a_secret_is_masked_as_a_whole() {
    let after = json!({"Properties": {"P": ["one", "two"]}});
    let result = masked(
        "{P: !Split [',', !Ref Secret]}",
        None,
        change(None, Some(after)),
        &[],
    );
    assert_eq!(result.after.unwrap(), json!({"Properties": {"P": MASK}}));
}

#[test]
fn what_either_template_calls_secret_is_masked() {
    let context = |value: &str| Some(json!({"Properties": {"P": value, "Q": "q"}}));
    let both = change(context("hunter"), context("open"));
    for (new, old) in [
        ("{P: open, Q: q}", "{P: !Ref Secret, Q: q}"),
        ("{P: !Ref Secret}", "{Q: q}"),
    ] {
        let result = masked(new, Some(old), both.clone(), &[]);
        assert_eq!(
            result.before.unwrap()["Properties"],
            json!({"P": MASK, "Q": "q"})
        );
        assert_eq!(
            result.after.unwrap()["Properties"],
            json!({"P": MASK_CHANGED, "Q": "q"})
        );
    }
}

#[test]
fn what_is_known_after_apply_stays_and_says_nothing_about_a_change() {
    let before = json!({"Properties": {"P": "hunter"}});
    let after = json!({"Properties": {"P": MARKER}});
    let result = masked(
        "{P: !Ref Secret}",
        None,
        change(Some(before), Some(after)),
        &[],
    );
    assert_eq!(result.before.unwrap()["Properties"]["P"], MASK);
    assert_eq!(result.after.unwrap()["Properties"]["P"], MARKER);
    let masks = json!({"Properties": {"P": "*****"}});
    let before = json!({"Properties": {"P": "hunter"}});
    let result = masked(
        "{P: !Ref Secret}",
        None,
        change(Some(before), Some(masks)),
        &[],
    );
    assert_eq!(result.after.unwrap()["Properties"]["P"], MASK);
}

#[test]
fn secrets_in_details_are_masked() {
    let properties = "{P: !Ref Secret, L: [{V: !Ref Secret, O: x}], M: {'012': !Ref Secret}}";
    let mut given = change(None, None);
    given.details = vec![
        detail(Some("/Properties/P"), "P", "one", "two"),
        detail(None, "P", "one", "one"),
        detail(
            None,
            "L",
            r#"[ {"V": "one", "O": "x"} ]"#,
            r#"[{"V":"two","O":"y"}]"#,
        ),
        detail(Some("/Properties/L/0/O"), "L", "x", "y"),
        detail(Some("/Properties/M/012"), "M", "one", "two"),
        detail(Some("/Properties/L"), "L", "not json one", "[broken one"),
        detail(Some("/Properties/N"), "N", r#"{ "as": "given" }"#, "y"),
    ];
    let result = masked(properties, None, given, &[]);
    let values: Vec<_> = result
        .details
        .iter()
        .map(|d| (d.before.as_deref().unwrap(), d.after.as_deref().unwrap()))
        .collect();
    assert_eq!(
        values,
        [
            (MASK, MASK_CHANGED),
            (MASK, MASK),
            (
                r#"[{"V":"****","O":"x"}]"#,
                r#"[{"V":"**** (changed)","O":"y"}]"#
            ),
            ("x", "y"),
            (MASK, MASK_CHANGED),
            (MASK, MASK),
            (r#"{ "as": "given" }"#, "y"),
        ]
    );
}

#[test]
fn inside_nested_stacks_only_what_rules_judge_stays() {
    let inside =
        json!({"Properties": {"PubliclyAccessible": true, "MasterUserPassword": "unheard"}});
    let mut given = change(None, Some(inside));
    given.logical_id = LogicalId::new("Nested/R").unwrap();
    let result = masked("{}", None, given, &[]);
    assert_eq!(
        result.after,
        Some(json!({"Properties": {"PubliclyAccessible": true}}))
    );
}

#[test]
fn known_secrets_are_replaced_wherever_they_are() {
    let mut given = change(
        None,
        Some(
            json!({"Properties": {"Q": "a hunter2 b", "N": 12345, "J": "{\"p\":\"a\\\"bcd\"}", "hunter2": [1]},
                "Metadata": {"M": "hunter2"}}),
        ),
    );
    given.physical_id = Some("queue-hunter2".to_owned());
    given.details = vec![detail(None, "Q", "hunter2", r#"{"x": "hunter2!"}"#)];
    let result = masked(
        "{}",
        None,
        given,
        &["hunter2", "12345", "a\"bcd", "Q", "hunter2!"],
    );
    assert_eq!(
        result.after.unwrap(),
        json!({"Properties": {"Q": "a **** b", "N": MASK, "J": "{\"p\":\"****\"}", "****": [1]},
                "Metadata": {"M": MASK}})
    );
    assert_eq!(result.physical_id.as_deref(), Some("queue-****"));
    assert_eq!(result.details[0].before.as_deref(), Some(MASK));
    assert_eq!(result.details[0].after.as_deref(), Some(r#"{"x":"****"}"#));
}

#[test]
fn contexts_of_other_shapes_are_masked_too() {
    let text = Value::from(r#"{"Properties":{"P":"hunter2"}}"#);
    let result = masked("{P: !Ref Secret}", None, change(None, Some(text)), &[]);
    assert_eq!(result.after.unwrap(), json!({"Properties": {"P": MASK}}));
    let text = Value::from("P=hunter2");
    let result = masked("{P: !Ref Secret}", None, change(None, Some(text)), &[]);
    assert_eq!(result.after.unwrap(), json!(MASK));
    let bare = json!({"P": "hunter2"});
    let result = masked("{P: !Ref Secret}", None, change(None, Some(bare)), &[]);
    assert_eq!(result.after.unwrap(), json!({"P": MASK}));
}

/// Recorded from LocalStack 4.13.1, which resolves everything it can.
#[test]
fn what_localstack_returned_is_masked() {
    const TEMPLATE: &str = "\
Parameters: {Secret: {Type: String, NoEcho: true}, Open: {Type: String}, Extra: {Type: String}}
Resources:
  P: {Type: 'AWS::SSM::Parameter', Properties: {Value: !Join ['-', [a, !Ref Secret]], Description: !Ref Open}}
  D: {Type: 'AWS::SSM::Parameter', Properties: {Value: '{{resolve:ssm:h1-ext}}', Description: !Ref Open}}
  G: {Type: 'AWS::SSM::Parameter', Properties: {Value: !GetAtt P.Value, Description: !Ref Open}}
  L:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ContainerDefinitions:
        - Environment:
            - !If [HasExtra, {Name: E, Value: !Ref Extra}, !Ref 'AWS::NoValue']
            - {Name: S, Value: !Ref Secret}
            - {Name: T, Value: !Select [0, !Split [',', !Ref Secret]]}
";
    let parameter = |value: &str, description: &str| {
        Some(json!({"Properties": {"Description": description, "Value": value}}))
    };
    let task = |environment: Value| {
        Some(json!({"Properties": {"ContainerDefinitions": [{"Environment": environment}]}}))
    };
    let recorded = [
        (
            "P",
            parameter("a-hunterONE,b", "x"),
            parameter("a-hunterTWO,c", "y"),
        ),
        (
            "D",
            parameter("hunterDYN", "x"),
            parameter("hunterDYN", "y"),
        ),
        ("G", parameter("a-hunterONE,b", "x"), parameter(MARKER, "y")),
        (
            "L",
            task(
                json!([{"Name": "S", "Value": "hunterONE,b"}, {"Name": "T", "Value": "hunterONE"}]),
            ),
            task(
                json!([{"Name": "E", "Value": "z"}, {"Name": "S", "Value": "hunterTWO,c"},
                    {"Name": "T", "Value": "hunterTWO"}]),
            ),
        ),
    ];
    let mut changes: Vec<_> = recorded
        .into_iter()
        .map(|(id, before, after)| ResourceChange {
            logical_id: LogicalId::new(id).unwrap(),
            ..change(before, after)
        })
        .collect();
    let template = Template::parse("t.yaml", TEMPLATE.as_bytes()).unwrap();
    mask(&mut changes, &template, Some(&template), &[]);
    let text = serde_json::to_string(&changes).unwrap();
    assert!(!text.contains("hunter"), "{text}");
    let value =
        |index: usize| changes[index].after.as_ref().unwrap()["Properties"]["Value"].clone();
    assert_eq!(
        [value(0), value(1), value(2)],
        [json!(MASK_CHANGED), json!(MASK), json!(MARKER)]
    );
    assert!(
        text.contains("\"Description\":\"y\""),
        "what is public stays"
    );
}

/// An expression in a template, with its value for a given secret; none where it vanishes.
#[derive(Debug, Clone)]
enum Expression {
    Public(u8),
    Secret,
    Part,
    Joined(Box<Expression>),
    If(bool, Box<Expression>, Box<Expression>),
    NoValue,
    List(Vec<Expression>),
    Map(Vec<Expression>),
}

impl Expression {
    fn template(&self) -> Value {
        let all = |items: &[Expression]| items.iter().map(Self::template).collect::<Vec<_>>();
        match self {
            Self::Public(n) => json!(format!("public{n}")),
            Self::Secret => json!({"Ref": "Secret"}),
            Self::Part => json!({"Fn::Sub": "pre-${Secret}-post"}),
            Self::Joined(inner) => json!({"Fn::Join": ["+", ["x", inner.template()]]}),
            Self::If(_, a, b) => json!({"Fn::If": ["C", a.template(), b.template()]}),
            Self::NoValue => json!({"Ref": "AWS::NoValue"}),
            Self::List(items) => Value::from(all(items)),
            Self::Map(items) => {
                let keyed = all(items).into_iter().enumerate();
                Value::Object(keyed.map(|(n, v)| (format!("K{n}"), v)).collect())
            }
        }
    }

    fn value(&self, secret: &str) -> Option<Value> {
        match self {
            Self::Public(n) => Some(json!(format!("public{n}"))),
            Self::Secret => Some(json!(secret)),
            Self::Part => Some(json!(format!("pre-{secret}-post"))),
            Self::Joined(inner) => {
                let inner = inner
                    .value(secret)
                    .map(|v| v.to_string())
                    .unwrap_or_default();
                Some(json!(format!("x+{inner}")))
            }
            Self::If(condition, a, b) => if *condition { a } else { b }.value(secret),
            Self::NoValue => None,
            Self::List(items) => Some(Value::from(
                items
                    .iter()
                    .filter_map(|i| i.value(secret))
                    .collect::<Vec<_>>(),
            )),
            Self::Map(items) => {
                let keyed = items.iter().enumerate();
                let values = keyed.filter_map(|(n, i)| Some((format!("K{n}"), i.value(secret)?)));
                Some(Value::Object(values.collect()))
            }
        }
    }
}

fn expressions() -> impl Strategy<Value = Expression> {
    let leaf = prop_oneof![
        3 => (0..3_u8).prop_map(Expression::Public),
        2 => Just(Expression::Secret),
        1 => Just(Expression::Part),
        1 => Just(Expression::NoValue),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|e| Expression::Joined(Box::new(e))),
            (any::<bool>(), inner.clone(), inner.clone()).prop_map(|(c, a, b)| Expression::If(
                c,
                Box::new(a),
                Box::new(b)
            )),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Expression::List),
            prop::collection::vec(inner, 0..4).prop_map(Expression::Map),
        ]
    })
}

fn template_of(expression: &Expression) -> Template {
    let text = json!({
        "Parameters": {"Secret": {"Type": "String", "NoEcho": true}},
        "Resources": {"R": {"Type": "T", "Properties": {"P": expression.template()}}}
    });
    Template::parse("t.json", text.to_string().as_bytes()).unwrap()
}

fn context_of(expression: &Expression, secret: &str) -> Value {
    let properties = Expression::value(expression, secret).map(|value| json!({"P": value}));
    json!({"Properties": properties.unwrap_or_else(|| json!({}))})
}

proptest! {
    #[test]
    fn invariant_no_secret_survives(old in expressions(), new in expressions()) {
        let mut changes = vec![change(Some(context_of(&old, "S3CRET-1")), Some(context_of(&new, "S3CRET-2")))];
        let text = |c: &Value| c["Properties"].get("P").map(to_text);
        let whole = (text(changes[0].before.as_ref().unwrap()), text(changes[0].after.as_ref().unwrap()));
        let mut with_values = detail(Some("/Properties/P"), "P", "", "");
        (with_values.before, with_values.after) = whole;
        changes[0].details.push(with_values);
        let (new, old) = (template_of(&new), template_of(&old));
        mask(&mut changes, &new, Some(&old), &[]);
        let json = serde_json::to_string(&changes).unwrap();
        prop_assert!(!json.contains("S3CRET"), "{json}");
        let once = changes.clone();
        mask(&mut changes, &new, Some(&old), &[]);
        prop_assert_eq!(changes, once, "masking twice changes nothing");
    }

    #[test]
    fn invariant_without_secrets_nothing_is_masked(values in prop::collection::vec(0..3_u8, 0..5)) {
        let expression = Expression::List(values.into_iter().map(Expression::Public).collect());
        let context = context_of(&expression, "");
        let mut changes = vec![change(Some(context.clone()), Some(context))];
        let before = changes.clone();
        mask(&mut changes, &template_of(&expression), None, &["absent".to_owned()]);
        prop_assert_eq!(changes, before);
    }
}
