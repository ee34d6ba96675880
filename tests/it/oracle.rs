//! What `Template::evaluate` claims to know is what comes out when the template is deployed.

mod expressions;
mod resources;

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::Value;
use stackgate::template::{Entry, Known, Node, Template};

use crate::support::{Cloud, Emulator, TestEnv};
use expressions::{Maker, PARAMETERS, around};

const ACCOUNT: &str = "111111111111";
const REGION: &str = "us-east-1";

/// Something that an emulator works out otherwise than CloudFormation does.
struct KnownError {
    emulator: Emulator,
    what: &'static str,
    /// Whether an expression comes out wrong for it.
    is_spoilt: fn(&Value) -> bool,
    /// An expression in which it is seen.
    seen_in: &'static str,
}

/// Each of these is looked for, too: what has been mended is no longer listed.
const KNOWN_ERRORS: &[KnownError] = &[
    KnownError {
        emulator: Emulator::LocalStack,
        what: "`${!A}` in `Fn::Sub` is taken for a name",
        is_spoilt: |value| uses(value, "Fn::Sub", &|of| of.to_string().contains("${!")),
        seen_in: r#"{"Fn::Sub": "${!A}"}"#,
    },
    KnownError {
        emulator: Emulator::LocalStack,
        what: "`Fn::Cidr` is no function",
        is_spoilt: |value| uses(value, "Fn::Cidr", &|_| true),
        seen_in: r#"{"Fn::Select": [0, {"Fn::Cidr": ["10.0.0.0/16", 1, 8]}]}"#,
    },
    KnownError {
        emulator: Emulator::LocalStack,
        what: "`Fn::ToJsonString` writes functions as they are",
        is_spoilt: |value| {
            uses(value, "Fn::ToJsonString", &|of| {
                of.to_string().contains("Fn::")
            })
        },
        seen_in: r#"{"Fn::ToJsonString": {"a": {"Fn::Join": ["-", {"Ref": "L"}]}}}"#,
    },
    KnownError {
        emulator: Emulator::LocalStack,
        what: "a default of `Fn::FindInMap` may not be a function",
        is_spoilt: |value| uses(value, "DefaultValue", &Value::is_object),
        seen_in: r#"{"Fn::FindInMap": ["M", "absent", "v", {"DefaultValue": {"Fn::Sub": "${A}"}}]}"#,
    },
    KnownError {
        emulator: Emulator::LocalStack,
        what: "a `Ref` to a parameter of type `Number` is a number, which is no text",
        is_spoilt: |value| uses(value, "Ref", &|of| of == "N"),
        seen_in: r#"{"Fn::Base64": {"Ref": "N"}}"#,
    },
    KnownError {
        emulator: Emulator::LocalStack,
        what: "`Fn::Sub` in a loop becomes a text, whatever else it names",
        is_spoilt: |value| {
            uses(value, "Fn::Sub", &|of| {
                let of = of.to_string();
                of.contains("${Item}") && of.matches("${").count() > 1
            })
        },
        seen_in: r#"{"Fn::Sub": "${Item}-${A}"}"#,
    },
    KnownError {
        emulator: Emulator::LocalStack,
        what: "the list of a `Fn::Select` may not have numbers",
        is_spoilt: |value| {
            uses(value, "Fn::Select", &|of| {
                let list = of[1].as_array();
                list.is_some_and(|items| items.iter().any(Value::is_number))
            })
        },
        seen_in: r#"{"Fn::Select": ["1", [0, 7]]}"#,
    },
    KnownError {
        emulator: Emulator::Ministack,
        what: "pseudo parameters have no value in conditions",
        is_spoilt: |value| uses(value, "Fn::Equals", &|of| of.to_string().contains("AWS::")),
        seen_in: r#"{"Fn::If": ["Here", "a", "b"]}"#,
    },
    KnownError {
        emulator: Emulator::Ministack,
        what: "`Fn::Cidr` shortens addresses of IPv6",
        is_spoilt: |value| uses(value, "Fn::Cidr", &|of| of.to_string().contains("::/")),
        seen_in: r#"{"Fn::Join": [",", {"Fn::Cidr": ["2001:db8::/56", 2, 64]}]}"#,
    },
];

/// A property that an emulator loses or makes up. Each of these has to be seen, too.
struct KnownLoss {
    emulator: Emulator,
    what: &'static str,
    /// What the property, or several, begin with.
    property: &'static str,
}

const KNOWN_LOSSES: &[KnownLoss] = &[
    KnownLoss {
        emulator: Emulator::LocalStack,
        what: "the retention of a log group is not set",
        property: "Group.RetentionInDays",
    },
    KnownLoss {
        emulator: Emulator::LocalStack,
        what: "the tags of a log group are not set",
        property: "Group.Tags.",
    },
    KnownLoss {
        emulator: Emulator::Ministack,
        what: "a topic without a display name has its name for one",
        property: "Topic.DisplayName",
    },
];

/// Returns whether a function is used somewhere in a value, with an argument of which something holds.
fn uses(value: &Value, function: &str, of: &dyn Fn(&Value) -> bool) -> bool {
    match value {
        Value::Object(entries) => entries
            .iter()
            .any(|(key, value)| key == function && of(value) || uses(value, function, of)),
        Value::Array(items) => items.iter().any(|item| uses(item, function, of)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Returns the values that a deployed template has: those of its outputs and of its settings.
fn deployed(cloud: &Cloud, stack: &str, settings: &[String]) -> BTreeMap<String, String> {
    let outputs = cloud.outputs(stack).into_iter();
    let mut values: BTreeMap<_, _> = outputs
        .map(|(name, value)| (format!("Outputs.{name}"), value))
        .collect();
    for name in settings {
        if let Some(value) = cloud.parameter(name) {
            values.insert(name.clone(), value);
        }
    }
    values
}

/// Returns what is claimed of a template: a text for each value, nothing where it is left to CloudFormation.
fn claimed(root: &Node) -> BTreeMap<String, Option<String>> {
    let section = |name| {
        root.value(name)
            .and_then(Node::entries)
            .into_iter()
            .flatten()
    };
    let text = |node: Option<&Node>| node.and_then(Node::text).map(str::to_owned);
    let outputs = section("Outputs")
        .map(|(name, entry)| (format!("Outputs.{name}"), text(entry.value.value("Value"))));
    let is_setting = |entry: &&Entry| {
        let properties = entry.value.value("Properties");
        properties.is_some_and(|of| of.value("Name").is_some() && of.value("Value").is_some())
    };
    let settings = section("Resources")
        .filter(|(_, entry)| is_setting(entry))
        .map(|(id, entry)| {
            let property = |name| {
                text(
                    entry
                        .value
                        .value("Properties")
                        .and_then(|node| node.value(name)),
                )
            };
            (
                property("Name").unwrap_or_else(|| format!("the name of {id} is not known")),
                property("Value"),
            )
        });
    outputs.chain(settings).collect()
}

fn known(env: &TestEnv, stack: &str) -> Known {
    let parameters = PARAMETERS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Known {
        parameters: parameters.into(),
        account: Some(env.private(ACCOUNT)),
        region: Some(REGION.to_owned()),
        partition: Some("aws".to_owned()),
        stack_name: Some(stack.to_owned()),
    }
}

/// Deploys a template and returns what differs from what is claimed of it, and how many claims there are.
fn compare(env: &TestEnv, stack: &str, text: &str) -> (Vec<Wrong>, usize) {
    let all = |text| Wrong {
        name: String::new(),
        text,
    };
    let template = Template::parse("t.json", text.as_bytes()).unwrap();
    let names: Vec<(&str, &str)> = PARAMETERS
        .into_iter()
        .filter(|(name, _)| template.parameters().contains_key(*name))
        .collect();
    let root = template.evaluate(&known(env, stack)).root;
    let mut claimed = claimed(&root);
    claimed.extend(resources::claimed(&root));
    let cloud = env.cloud(ACCOUNT, REGION);
    if let Err(refusal) = cloud.offer(stack, text, &names) {
        return (vec![all(refusal)], 0);
    }
    let status = cloud.settled(stack);
    // LocalStack says so of some that it rolled back.
    let events = cloud.events(stack);
    let has_failed = events.iter().any(|event| event.ends_with("_FAILED"));
    if status != "CREATE_COMPLETE" || has_failed {
        let text = format!("{status}: {:?}", events);
        return (vec![all(text)], 0);
    }
    // Those of resources that are not claimed to exist are asked for, too.
    let numbers = (0..VALUES).map(|number| number.to_string());
    let asked = numbers
        .chain(["always".to_owned()])
        .map(|name| format!("/{stack}/{name}"));
    let looped = claimed.keys().filter(|name| name.starts_with('/')).cloned();
    let asked: Vec<String> = asked.chain(looped).collect();
    let mut deployed = deployed(&cloud, stack, &asked);
    deployed.extend(resources::deployed(&cloud, stack));
    let mut wrong = Vec::new();
    for (name, value) in &claimed {
        match (value, deployed.get(name)) {
            (Some(claimed), Some(found)) if claimed == found => {}
            (None, Some(_)) => {}
            (claimed, found) => wrong.push(Wrong {
                name: name.clone(),
                text: format!("{name} is claimed to be {claimed:?} and is {found:?}"),
            }),
        }
    }
    for (name, found) in deployed
        .iter()
        .filter(|(name, _)| !claimed.contains_key(*name))
    {
        wrong.push(Wrong {
            name: name.clone(),
            text: format!("{name} is claimed not to exist and is {found:?}"),
        });
    }
    (wrong, claimed.values().flatten().count())
}

/// A value that is not what was claimed.
struct Wrong {
    /// What it is of; empty where nothing was deployed.
    name: String,
    text: String,
}

/// How many templates are deployed, and how many values each has.
const TEMPLATES: u64 = 16;
const VALUES: usize = 10;

/// About so many properties and tags the other resources of a template have.
const PROPERTIES: usize = 35;

fn what_is_claimed_is_deployed(emulator: Emulator) {
    let env = TestEnv::on(emulator);
    let errors: Vec<&KnownError> = KNOWN_ERRORS
        .iter()
        .filter(|error| error.emulator == emulator)
        .collect();
    let losses = KNOWN_LOSSES.iter().filter(|loss| loss.emulator == emulator);
    let mut losses: Vec<(&KnownLoss, bool)> = losses.map(|loss| (loss, false)).collect();
    let mut claims = 0;
    for number in 0..TEMPLATES {
        let mut maker = Maker {
            rng: Rng::with_seed(number),
            has_extensions: number % 2 == 1,
            is_spoilt: &|value| errors.iter().any(|error| (error.is_spoilt)(value)),
        };
        let text = maker.template(VALUES).to_string();
        let (mut wrong, count) = compare(&env, &format!("oracle{number}"), &text);
        for (loss, is_seen) in &mut losses {
            let before = wrong.len();
            wrong.retain(|one| !one.name.starts_with(loss.property));
            *is_seen |= wrong.len() < before;
        }
        let wrong: Vec<String> = wrong.into_iter().map(|one| one.text).collect();
        assert!(
            wrong.is_empty(),
            "{emulator:?}: template {number}\n{}\n{text}",
            wrong.join("\n")
        );
        claims += count;
    }
    // A template that claims nothing is never wrong.
    let most = usize::try_from(TEMPLATES).unwrap() * (3 * VALUES + PROPERTIES);
    assert!(
        claims * 10 > most * 8,
        "{claims} of about {most} values are known"
    );
    for (loss, is_seen) in losses {
        assert!(is_seen, "{emulator:?} no longer errs: {}", loss.what);
    }
    for (number, error) in errors.iter().enumerate() {
        let text = around(&serde_json::from_str(error.seen_in).unwrap()).to_string();
        let (wrong, _) = compare(&env, &format!("seen{number}"), &text);
        assert!(
            !wrong.is_empty(),
            "{emulator:?} no longer errs: {}",
            error.what
        );
    }
}

#[test]
fn what_is_claimed_is_deployed_by_localstack() {
    what_is_claimed_is_deployed(Emulator::LocalStack);
}

#[test]
fn what_is_claimed_is_deployed_by_ministack() {
    what_is_claimed_is_deployed(Emulator::Ministack);
}
