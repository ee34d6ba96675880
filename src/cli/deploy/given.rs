//! What single options of a deployment give, checked.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use jiff::{SignedDuration, Span};

use super::super::project::Project;
use super::super::{CliError, prompt};
use super::WhatArgs;
use crate::action::package::Scan;
use crate::model::{LARGEST_INLINE_TEMPLATE, Target, TemplateBuckets, clean};
use crate::parameters::{OverrideExpression, nearest, parse_overrides};
use crate::template::CAPABILITIES;

/// Returns the buckets for a template that is too large for a request or names local files; none where it is neither.
pub(super) fn template_buckets(
    project: &Project,
    named: &Scan,
    targets: &[Target],
    given: &[String],
) -> Result<Option<String>, CliError> {
    let buckets = TemplateBuckets::parse(given.iter().map(String::as_str))
        .map_err(|error| CliError::usage(anyhow::Error::new(error).context("`--s3-bucket`")))?;
    let path = &project.template_path;
    let bytes = std::fs::metadata(project.root.join(path)).map_or(0, |m| m.len());
    let why = match named.first() {
        _ if bytes > LARGEST_INLINE_TEMPLATE as u64 => format!(
            "`{path}` has {bytes} bytes; above {LARGEST_INLINE_TEMPLATE} a template goes to CloudFormation through a bucket"
        ),
        Some(first) => format!(
            "{}: {} is the local path `{}`, and stacks read its content from a bucket",
            first.at(),
            first.local.place,
            clean(&first.local.path)
        ),
        None => return Ok(None),
    };
    if let Some(target) = targets.iter().find(|t| buckets.of(t).is_none()) {
        let region = &target.region;
        let more = if buckets.is_empty() {
            String::new()
        } else {
            format!(" in {region}")
        };
        return Err(CliError::message(format!(
            "{why}, and none is named{more}"
        ))
        .hint("name one that your credentials can write with `--s3-bucket NAME`, or `--s3-bucket REGION=NAME` for each region; one of another account as NAME@ACCOUNT"));
    }
    Ok(Some(buckets.to_string()))
}

/// Refuses a capability that does not exist, wherever it was named.
pub(in crate::cli) fn check_capabilities(given: &[String]) -> Result<(), CliError> {
    let Some(unknown) = given.iter().find(|c| !CAPABILITIES.contains(&c.as_str())) else {
        return Ok(());
    };
    let meant = nearest(unknown, CAPABILITIES)
        .map(|meant| format!("did you mean `{meant}`? "))
        .unwrap_or_default();
    Err(
        CliError::message(format!("`--capabilities`: there is no `{unknown}`")).hint(format!(
            "{meant}there are {}",
            CAPABILITIES.map(|c| format!("`{c}`")).join(", ")
        )),
    )
}

/// Asks for the capabilities that the template and those nested in it need and nobody acknowledged; without a terminal the
/// flag is named.
pub(super) fn acknowledge(
    project: &Project,
    named: &Scan,
    given: &mut Vec<String>,
) -> Result<(), CliError> {
    let needed = named.required_capabilities();
    let has_named = given.iter().any(|c| c == "CAPABILITY_NAMED_IAM");
    let missing: BTreeSet<String> = needed
        .into_iter()
        .filter(|c| !(given.contains(c) || has_named && c == "CAPABILITY_IAM"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.iter().cloned().collect::<Vec<_>>().join(",");
    let question = format!("`{}` needs {list}. Acknowledge?", project.template_path);
    if prompt::confirm(&question) {
        given.extend(missing);
        return Ok(());
    }
    Err(CliError::message(format!(
        "`{}` needs capabilities that were not acknowledged: {list}",
        project.template_path
    ))
    .hint(format!("add `--capabilities {list}`")))
}

/// Returns `--parameter-overrides` and `--parameter` as one JSON object; the latter win.
pub(super) fn overrides(args: &WhatArgs) -> Result<Option<String>, CliError> {
    let parameters = pairs("--parameter", &args.parameters)?;
    if parameters.is_empty() {
        return Ok(args.parameter_overrides.clone());
    }
    let mut object: serde_json::Map<String, serde_json::Value> = match &args.parameter_overrides {
        // Parsed for its errors, which name the place; then again for its text.
        Some(json) => {
            parsed_overrides(json)?;
            serde_json::from_str(json).map_err(CliError::usage)?
        }
        None => serde_json::Map::new(),
    };
    for (key, value) in parameters {
        object.insert(key, serde_json::Value::String(value));
    }
    Ok(Some(serde_json::Value::Object(object).to_string()))
}

/// Returns what `--parameter-overrides` says; the AWS CLI knows another form by that name.
pub(super) fn parsed_overrides(
    json: &str,
) -> Result<IndexMap<String, OverrideExpression>, CliError> {
    parse_overrides(json).map_err(|error| {
        let error = CliError::usage(error);
        match json.split_once('=') {
            Some((key, _)) if !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                error.hint(format!("write `-p {key}=VALUE`; this option takes JSON"))
            }
            Some(_) | None => error,
        }
    })
}

/// Returns `KEY=VALUE` pairs, each key once.
pub(in crate::cli) fn pairs(
    flag: &str,
    given: &[String],
) -> Result<BTreeMap<String, String>, CliError> {
    let mut map = BTreeMap::new();
    for (index, pair) in given.iter().enumerate() {
        let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            // Only tags are echoed: another text may be a value that somebody meant as a secret.
            let which = match flag {
                "--tag" => format!("`{}`", clean(pair)),
                _ => format!("number {} of {}", index + 1, given.len()),
            };
            return Err(CliError::message(format!(
                "`{flag}` takes KEY=VALUE; {which} has no `=` or no key"
            )));
        };
        if map.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(CliError::message(format!("`{flag}` names `{key}` twice")));
        }
    }
    Ok(map)
}

/// Parses a time such as `8h` or `7d` into minutes.
pub(in crate::cli) fn minutes(text: &str) -> Result<u32, String> {
    let span: Span = text
        .parse()
        .map_err(|_| "a time such as `30m`, `8h` or `7d`".to_owned())?;
    let duration: SignedDuration = span
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .map_err(|_| "months and years have no fixed length; use days".to_owned())?;
    let minutes =
        u32::try_from(duration.as_mins()).map_err(|_| "a time from 1m to 60d".to_owned())?;
    if (1..=86_400).contains(&minutes) {
        Ok(minutes)
    } else {
        Err("a time from 1m to 60d".to_owned())
    }
}
