//! The semantic comparison of templates beside the bare reading of them, for `scripts/bench_diff.py`.
//!
//!     template_diff generate FOLDER RESOURCES     writes before.yaml and after.yaml, 1.25 KB a resource
//!     template_diff compare BEFORE AFTER          once, to see what it takes of memory
//!     template_diff measure BEFORE AFTER ROUNDS   beside bare parses, in turns; prints seconds and counts as JSON
//!
//! `after.yaml` has 20 other properties, 5 resources more, 5 others less, and every key at another place.

#![expect(clippy::disallowed_methods, reason = "a yardstick needs a clock")]

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use granit_parser::Parser;
use serde_json::json;
use stackgate::diff::{EntryKind, TemplateDiff, compare_trees};
use stackgate::template::{Entry, Forms, Known, Node, NodeKind, Position, Scalar, Template};

const CHANGED: usize = 20;
const ADDED: usize = 5;
const REMOVED: usize = 5;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["generate", folder, resources] => generate(folder, resources.parse()?),
        ["compare", before, after] => {
            let (before, after) = (read(before)?, read(after)?);
            check(&full(&before, &after)?)
        }
        ["measure", before, after, rounds] => {
            let (before, after) = (read(before)?, read(after)?);
            check(&full(&before, &after)?)?;
            measure(&before, &after, rounds.parse()?)
        }
        _ => bail!(
            "usage: template_diff generate FOLDER RESOURCES | compare BEFORE AFTER | measure BEFORE AFTER ROUNDS"
        ),
    }
}

fn read(file: &str) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))
}

// ---------------------------------------------------------------- measuring

/// Reads, evaluates and compares.
fn full(before: &str, after: &str) -> Result<TemplateDiff> {
    let evaluated = |text: &str| -> Result<Node> {
        let template = Template::parse("template.yaml", text.as_bytes())?;
        Ok(template.evaluate(&Known::default()).root)
    };
    Ok(compare_trees(&evaluated(before)?, &evaluated(after)?))
}

/// Reads to trees and does nothing with them.
fn trees(before: &str, after: &str) -> Result<()> {
    for text in [before, after] {
        black_box(Template::parse("template.yaml", text.as_bytes())?);
    }
    Ok(())
}

/// Only reads.
fn events(before: &str, after: &str) -> Result<()> {
    for text in [before, after] {
        for event in Parser::new_from_str(text) {
            black_box(event.map_err(|error| anyhow::anyhow!("{error}"))?);
        }
    }
    Ok(())
}

fn check(found: &TemplateDiff) -> Result<()> {
    let count = |kind: EntryKind| {
        found
            .entries
            .iter()
            .filter(|entry| entry.kind == kind)
            .count()
    };
    let changed = found
        .entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::Changed);
    let values: usize = changed.map(|entry| entry.values.len()).sum();
    let counts = (values, count(EntryKind::Added), count(EntryKind::Removed));
    ensure!(
        counts == (CHANGED, ADDED, REMOVED) && found.entries.len() == CHANGED + ADDED + REMOVED,
        "expected {CHANGED} changed properties, {ADDED} resources added and {REMOVED} removed, found {counts:?}"
    );
    Ok(())
}

fn measure(before: &str, after: &str, rounds: usize) -> Result<()> {
    let mut taken: Vec<[f64; 3]> = Vec::new();
    for _ in 0..rounds {
        let seconds = |work: &dyn Fn() -> Result<()>| -> Result<f64> {
            let began = Instant::now();
            work()?;
            Ok(began.elapsed().as_secs_f64())
        };
        taken.push([
            seconds(&|| events(before, after))?,
            seconds(&|| trees(before, after))?,
            seconds(&|| full(before, after).map(|found| drop(black_box(found))))?,
        ]);
    }
    let median = |of: &dyn Fn(&[f64; 3]) -> f64| {
        let mut all: Vec<f64> = taken.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    let report = json!({
        "events": median(&|round| round[0]),
        "trees": median(&|round| round[1]),
        "full": median(&|round| round[2]),
        // Of each round, so that a busy moment of the machine meets both.
        "full_to_events": median(&|round| round[2] / round[0]),
        "full_to_trees": median(&|round| round[2] / round[1]),
    });
    #[expect(clippy::print_stdout, reason = "the script reads it")]
    {
        println!("{report}");
    }
    Ok(())
}

// ---------------------------------------------------------------- the templates

fn generate(folder: &str, resources: usize) -> Result<()> {
    let before: Vec<(String, Node)> = (0..resources)
        .map(|number| resource(number, false))
        .collect();
    let mut after = before.clone();
    for one in 0..CHANGED {
        let number = one * resources / CHANGED;
        after[number] = resource(number, true);
    }
    // The first of every so many was changed; those behind it go.
    for one in (0..REMOVED).rev() {
        after.remove(one * resources / REMOVED + 1);
    }
    after.extend((0..ADDED).map(|one| resource(resources + one, false)));
    let write = |name: &str, root: &Node| {
        let path = std::path::Path::new(folder).join(name);
        std::fs::write(&path, root.to_yaml(Forms::Short))
            .with_context(|| format!("cannot write {}", path.display()))
    };
    write("before.yaml", &root(before))?;
    write("after.yaml", &turned(&root(after)))
}

fn root(resources: Vec<(String, Node)>) -> Node {
    mapping([
        ("AWSTemplateFormatVersion", text("2010-09-09")),
        (
            "Parameters",
            mapping([(
                "Size",
                mapping([("Type", text("Number")), ("Default", text("30"))]),
            )]),
        ),
        (
            "Conditions",
            mapping([(
                "Large",
                mapping([("Fn::Equals", list([reference("Size"), text("60")]))]),
            )]),
        ),
        ("Resources", named(resources)),
    ])
}

/// A resource of one of four types, about 1.25 KB of text.
fn resource(number: usize, is_other: bool) -> (String, Node) {
    let size = if is_other { "61" } else { "31" };
    let tags = (0..5).map(|tag| {
        mapping([
            ("Key", text(&format!("tag-{tag}"))),
            ("Value", text(&format!("value {tag} of {number}"))),
        ])
    });
    let (kind, mut properties) = match number % 4 {
        0 => (
            "AWS::SQS::Queue",
            vec![
                ("VisibilityTimeout", text(size)),
                (
                    "QueueName",
                    mapping([("Fn::Sub", text(&format!("${{AWS::StackName}}-{number}")))]),
                ),
                ("MessageRetentionPeriod", reference("Size")),
            ],
        ),
        1 => {
            let rules = (0..6).map(|rule| {
                let last = if is_other && rule == 3 { 8 } else { 7 };
                mapping([
                    ("IpProtocol", text("tcp")),
                    ("FromPort", text(&format!("{}", 8000 + rule))),
                    ("ToPort", text(&format!("{}", 8000 + rule))),
                    (
                        "CidrIp",
                        text(&format!("10.{}.{rule}.{last}/32", number % 250)),
                    ),
                ])
            });
            (
                "AWS::EC2::SecurityGroup",
                vec![
                    ("GroupDescription", text(&format!("Group {number}"))),
                    ("SecurityGroupIngress", list(rules)),
                ],
            )
        }
        2 => {
            let statement = mapping([
                ("Effect", text("Allow")),
                (
                    "Action",
                    list(["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"].map(text)),
                ),
                (
                    "Resource",
                    text(&format!(
                        "arn:aws:sqs:us-east-1:111111111111:queue-{number}-{size}"
                    )),
                ),
            ]);
            let document = mapping([
                ("Version", text("2012-10-17")),
                ("Statement", list([statement])),
            ]);
            (
                "AWS::IAM::ManagedPolicy",
                vec![
                    (
                        "Description",
                        mapping([("Fn::If", list(["Large", "large", "small"].map(text)))]),
                    ),
                    ("PolicyDocument", document),
                ],
            )
        }
        _ => {
            let states = json!({
                "Comment": format!("Machine {number}"),
                "StartAt": "Wait",
                "States": {"Wait": {"Type": "Wait", "Seconds": if is_other { 61 } else { 31 }, "Next": "Done"},
                           "Done": {"Type": "Succeed"}}
            });
            (
                "AWS::StepFunctions::StateMachine",
                vec![
                    ("RoleArn", text("arn:aws:iam::111111111111:role/machine")),
                    ("DefinitionString", text(&states.to_string())),
                ],
            )
        }
    };
    properties.push(("Tags", list(tags)));
    let body = |note: &str| {
        mapping([
            ("Type", text(kind)),
            ("Metadata", mapping([("Note", text(note))])),
            ("Properties", mapping(properties.clone())),
        ])
    };
    let length = body("").to_yaml(Forms::Short).len();
    let note = format!("resource {number} ").repeat(1250usize.saturating_sub(length + 105) / 13);
    (format!("Resource{number}"), body(note.trim()))
}

/// Returns the tree with the keys of all mappings turned round.
fn turned(node: &Node) -> Node {
    let kind = match &node.kind {
        NodeKind::Scalar(scalar) => NodeKind::Scalar(scalar.clone()),
        NodeKind::Sequence(items) => NodeKind::Sequence(items.iter().map(turned).collect()),
        NodeKind::Mapping(entries) => {
            let entries = entries
                .iter()
                .rev()
                .map(|(key, entry)| (key.clone(), turned(&entry.value)));
            return named(entries);
        }
    };
    Node { position: AT, kind }
}

const AT: Position = Position { line: 1, column: 1 };

fn text(text: &str) -> Node {
    let scalar = Scalar {
        text: text.to_owned(),
        plain: false,
        bytes: 0..0,
    };
    Node {
        position: AT,
        kind: NodeKind::Scalar(scalar),
    }
}

fn list(items: impl IntoIterator<Item = Node>) -> Node {
    Node {
        position: AT,
        kind: NodeKind::Sequence(items.into_iter().collect()),
    }
}

fn mapping<'a>(entries: impl IntoIterator<Item = (&'a str, Node)>) -> Node {
    named(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value)),
    )
}

fn named(entries: impl IntoIterator<Item = (String, Node)>) -> Node {
    let entries = entries.into_iter().map(|(key, value)| {
        let entry = Entry {
            position: AT,
            value,
        };
        (key, entry)
    });
    Node {
        position: AT,
        kind: NodeKind::Mapping(entries.collect()),
    }
}

fn reference(name: &str) -> Node {
    mapping([("Ref", text(name))])
}
