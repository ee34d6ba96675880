//! The documents for machines are what `docs/json.md` and `docs/schema/` say they are.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::fixtures::{self, Script, Template};
use super::schema::{assert_documented, schema, vocabulary};
use super::{EventLine, Events, List, ListEntry, Recorded, Review, Status, Summary};

/// Every document that is made of events; each has a schema of that name.
const DOCUMENTS: [&str; 7] = [
    "review", "result", "status", "list", "events", "event", "recorded",
];

/// Those that are not made of events; they are compared where their commands are run.
const OTHERS: [&str; 10] = [
    "clean",
    "diff",
    "doctor",
    "drift",
    "init",
    "parameters",
    "recover",
    "rehearsal",
    "risks",
    "validate",
];

fn scripts() -> Vec<Script> {
    vec![
        fixtures::fleet(),
        fixtures::finished(),
        fixtures::halted(),
        fixtures::stale(),
        fixtures::rejected(),
        fixtures::nothing(),
        fixtures::secrets(),
        fixtures::hostile(),
        fixtures::many(),
        fixtures::made(),
        fixtures::drifted(),
    ]
}

/// Checks that a document is as its schema says.
#[track_caller]
pub(super) fn assert_valid(document: &impl Serialize) {
    let _ = documented(document);
}

#[track_caller]
fn documented(document: &impl Serialize) -> Value {
    let value = serde_json::to_value(document).unwrap();
    assert_documented(&value);
    value
}

#[test]
fn every_document_is_as_its_schema_says() {
    let mut seen = BTreeSet::new();
    let mut see = |value: Value| {
        seen.insert(value["document"].as_str().unwrap().to_owned());
    };
    for script in scripts() {
        let view = script.view();
        let review = Review::of(&view, &Template);
        see(documented(&review));
        let mut result = Summary::of(&view);
        result.review = Some(review.clone());
        see(documented(&result));
        for alive in [None, Some(true), Some(false)] {
            let mut status = Status::of(&view, alive);
            status.review = Some(review.clone());
            see(documented(&status));
            let entry = ListEntry::of(&view, alive).unwrap();
            see(documented(&List::of(vec![entry])));
        }
        let id = view.execution().unwrap().clone();
        for request in [
            Some("approve"),
            Some("reject"),
            Some("stop"),
            Some("give_up"),
            None,
        ] {
            for owner in [None, Some("laptop 42".to_owned())] {
                see(documented(&Recorded::new(id.clone(), request, owner)));
            }
        }
        see(documented(&Events::of(&script.events)));
        for event in &script.events {
            see(documented(&EventLine::of(event)));
        }
    }
    assert_eq!(seen, DOCUMENTS.map(str::to_owned).into());
}

#[test]
fn a_field_that_nobody_documented_is_found() {
    let mut value = documented(&Status::of(&fixtures::fleet().view(), None));
    value["counts"]["surprising"] = 1.into();
    let found = std::panic::catch_unwind(|| assert_documented(&value));
    assert!(found.is_err());
}

#[test]
fn the_page_explains_every_field_and_value() {
    let page = include_str!("../../docs/json.md");
    let files = DOCUMENTS.iter().chain(&OTHERS).chain(&["common"]);
    let words: BTreeSet<String> = files
        .flat_map(|name| vocabulary(&format!("{name}.json")))
        .collect();
    let missing: Vec<&String> = words
        .iter()
        .filter(|word| !page.contains(&format!("`{word}`")))
        .collect();
    assert!(missing.is_empty(), "docs/json.md does not name {missing:?}");
}

#[test]
fn the_version_is_the_one_of_the_schemas() {
    for name in DOCUMENTS.iter().chain(&OTHERS) {
        let schema = schema(&format!("{name}.json"));
        let version = schema["properties"]["version"]["const"].as_u64();
        assert_eq!(version, Some(u64::from(super::DOCUMENT_VERSION)), "{name}");
    }
}
