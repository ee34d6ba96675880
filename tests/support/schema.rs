//! Checks documents against the JSON Schemas of `docs/schema/`, as far as those go: types, fields, enums, references.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

/// Returns the schema file `name` of `docs/schema/`.
pub fn schema(name: &str) -> Arc<Value> {
    static READ: Mutex<BTreeMap<String, Arc<Value>>> = Mutex::new(BTreeMap::new());
    let read = || {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(root.join("docs/schema").join(name));
        let schema = serde_json::from_str(&text.unwrap_or_else(|error| panic!("{name}: {error}")));
        Arc::new(schema.unwrap_or_else(|error| panic!("{name}: {error}")))
    };
    // A test that failed elsewhere has left whole schemas behind.
    let mut known = READ.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(name.to_owned()).or_insert_with(read).clone()
}

/// Checks a document against the schema of the document it says it is; panics with what is wrong and where.
#[track_caller]
pub fn assert_documented(document: &Value) {
    let name = document["document"]
        .as_str()
        .expect("a document says what it is");
    let file = format!("{name}.json");
    let mut wrong = Vec::new();
    check(document, &schema(&file), &file, name, &mut wrong);
    assert!(wrong.is_empty(), "{}\n{document:#}", wrong.join("\n"));
}

/// Returns the names of all fields and the texts of all enums in a schema file.
pub fn vocabulary(name: &str) -> BTreeSet<String> {
    fn collect(schema: &Value, words: &mut BTreeSet<String>) {
        match schema {
            Value::Object(members) => {
                for (field, schema) in members
                    .get("properties")
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten()
                {
                    words.insert(field.clone());
                    collect(schema, words);
                }
                let listed = members.get("enum").and_then(Value::as_array);
                let texts = listed.into_iter().flatten().chain(members.get("const"));
                words.extend(texts.filter_map(Value::as_str).map(str::to_owned));
                let others = members.iter().filter(|(name, _)| *name != "properties");
                others.for_each(|(_, value)| collect(value, words));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, words)),
            _ => {}
        }
    }
    let mut words = BTreeSet::new();
    collect(&schema(name), &mut words);
    words
}

fn check(value: &Value, schema: &Value, file: &str, at: &str, wrong: &mut Vec<String>) {
    let Some(rules) = schema.as_object() else {
        panic!("{file}: a schema is an object, not {schema}");
    };
    for (rule, wanted) in rules {
        match rule.as_str() {
            "$ref" => {
                let (target, pointer) = wanted.as_str().unwrap().split_once('#').map_or_else(
                    || (wanted.as_str().unwrap(), ""),
                    |(target, pointer)| (target, pointer),
                );
                let target = if target.is_empty() { file } else { target };
                let whole = self::schema(target);
                let part = whole
                    .pointer(pointer)
                    .unwrap_or_else(|| panic!("{file}: there is no {wanted}"));
                check(value, part, target, at, wrong);
            }
            "type" if !has_type(value, wanted.as_str().unwrap()) => {
                wrong.push(format!("{at}: expected {wanted}, found {value}"));
            }
            "const" if value != wanted => {
                wrong.push(format!("{at}: expected {wanted}, found {value}"));
            }
            "enum" if !wanted.as_array().unwrap().contains(value) => {
                wrong.push(format!("{at}: {value} is none of {wanted}"));
            }
            "minimum" if value.as_u64() < wanted.as_u64() => {
                wrong.push(format!("{at}: {value} is below {wanted}"));
            }
            "required" => {
                for name in wanted.as_array().unwrap() {
                    if value.get(name.as_str().unwrap()).is_none() {
                        wrong.push(format!("{at}: there is no {name}"));
                    }
                }
            }
            "properties" | "additionalProperties" => {}
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(item, wanted, file, &format!("{at}[{number}]"), wrong);
                }
            }
            "anyOf" | "oneOf" => one_of(value, wanted.as_array().unwrap(), file, at, wrong),
            "type" | "const" | "enum" | "minimum" => {}
            "pattern" if wanted == "^[0-9a-f]{64}$" => {
                let digits = value.as_str().unwrap_or_default();
                if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                    wrong.push(format!("{at}: {value} is no digest"));
                }
            }
            "format" if wanted == "date-time" => {
                let time = value.as_str().unwrap_or_default();
                if !time.ends_with('Z') || time.parse::<jiff::Timestamp>().is_err() {
                    wrong.push(format!("{at}: {value} is no time in UTC"));
                }
            }
            "$schema" | "title" | "$defs" => {}
            other => panic!("{file}: `{other}` is not understood here"),
        }
    }
    members(value, rules, file, at, wrong);
}

/// Checks the members of an object: those that are named, and whether there may be others.
fn members(
    value: &Value,
    rules: &serde_json::Map<String, Value>,
    file: &str,
    at: &str,
    wrong: &mut Vec<String>,
) {
    let known = rules.get("properties");
    let others = rules.get("additionalProperties");
    for (name, member) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        match (known.and_then(|known| known.get(name)), others) {
            (Some(schema), _) => check(member, schema, file, &at, wrong),
            (None, Some(Value::Bool(false))) => wrong.push(format!("{at} is not documented")),
            (None, Some(schema @ Value::Object(_))) => check(member, schema, file, &at, wrong),
            (None, _) => {}
        }
    }
}

/// Checks that one alternative fits; where none does, the one that comes nearest says why.
fn one_of(value: &Value, alternatives: &[Value], file: &str, at: &str, wrong: &mut Vec<String>) {
    let mut nearest: Option<Vec<String>> = None;
    for alternative in alternatives {
        let mut found = Vec::new();
        check(value, alternative, file, at, &mut found);
        if found.is_empty() {
            return;
        }
        if nearest
            .as_ref()
            .is_none_or(|known| found.len() < known.len())
        {
            nearest = Some(found);
        }
    }
    wrong.extend(nearest.unwrap_or_default());
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "null" => value.is_null(),
        other => panic!("there is no type `{other}`"),
    }
}
