//! What stacks are made with, and where it came from.

use super::super::review_data::ParameterUse;
use super::super::screen::Tone;
use crate::diff::{DefaultDiff, value_text};
use crate::model::{
    Layer, OnStackFailure, ParameterValue, PolicyAction, Provenance, StackOptions, StackSetting,
};

use super::count;

pub(in crate::report) fn layer(layer: Layer) -> &'static str {
    match layer {
        Layer::TemplateDefault => "template default",
        Layer::Previous => "previous value",
        Layer::Stack => "for all targets",
        Layer::Region => "for the region",
        Layer::Account => "for the account",
        Layer::AccountRegion => "for the account and region",
        Layer::Override => "given on the command line or by the action",
    }
}

/// Returns where a value came from: its file and line, else its layer.
pub(in crate::report) fn provenance(provenance: &Provenance) -> String {
    let place = match (&provenance.file, provenance.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        (None, _) => layer(provenance.layer).to_owned(),
    };
    match &provenance.lookup {
        Some(lookup) => format!("{place}: {lookup}"),
        None => place,
    }
}

/// Returns what is planned for the termination protection of stacks.
pub(in crate::report) fn protection(is_on: bool) -> &'static str {
    if is_on {
        "termination protection"
    } else {
        "no termination protection"
    }
}

/// Returns JSON text on several lines, or the text as it is if it is none.
pub(in crate::report) fn pretty_json(text: &str) -> String {
    serde_json::from_str::<serde_json::Value>(text)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| text.to_owned())
}

/// Returns what becomes of a resource that leaves its stack, as far as is known.
pub(in crate::report) fn removal(policy: Option<PolicyAction>) -> (&'static str, Tone) {
    match policy {
        Some(PolicyAction::Retain | PolicyAction::ReplaceAndRetain) => ("REMOVE, kept", Tone::Warn),
        Some(PolicyAction::Snapshot | PolicyAction::ReplaceAndSnapshot) => {
            ("REMOVE after snapshot", Tone::Bad)
        }
        Some(PolicyAction::Delete | PolicyAction::ReplaceAndDelete) | None => ("REMOVE", Tone::Bad),
    }
}

/// Returns what is set on a stack.
pub(in crate::report) fn setting(setting: StackSetting) -> &'static str {
    match setting {
        StackSetting::TerminationProtection => "termination protection",
        StackSetting::StackPolicy => "stack policy",
    }
}

/// Returns what is asked of stacks, one text for each.
pub(in crate::report) fn options(options: &StackOptions) -> Vec<String> {
    let StackOptions {
        notification_arns,
        on_stack_failure,
        disable_rollback,
        rollback_triggers,
        monitoring_minutes,
        import_existing_resources,
        // Told with the resources.
        resources_to_import: _,
        // Told with the nested stacks that have none.
        include_nested_stacks: _,
        // Told with what the endpoint says of it.
        revert_drift: _,
        // Told with what else is set by a call of its own.
        termination_protection: _,
    } = options;
    let mut texts = Vec::new();
    match on_stack_failure {
        Some(OnStackFailure::Rollback) => texts.push("rollback on failure".to_owned()),
        Some(OnStackFailure::Delete) => texts.push("deletion on failure".to_owned()),
        Some(OnStackFailure::DoNothing) => texts.push("no rollback on failure".to_owned()),
        None if *disable_rollback => texts.push("no rollback on failure".to_owned()),
        None => {}
    }
    let triggers = rollback_triggers.iter();
    texts.extend(triggers.map(|trigger| format!("rollback trigger {trigger}")));
    texts
        .extend(monitoring_minutes.map(|m| format!("{} of monitoring", count(m.into(), "minute"))));
    let topics = notification_arns.iter();
    texts.extend(topics.map(|arn| format!("notifications to {arn}")));
    if *import_existing_resources {
        texts.push("import of existing resources".to_owned());
    }
    texts
}

/// Returns what may be shown of a parameter's value.
pub(in crate::report) fn parameter(value: &ParameterValue) -> String {
    match value {
        ParameterValue::Plain(text) | ParameterValue::Default(Some(text)) => value_text(text),
        ParameterValue::Default(None) => "**** (default)".to_owned(),
        ParameterValue::Previous => "(the value the stack has)".to_owned(),
        ParameterValue::Secret(reference) => format!("**** from {reference}"),
    }
}

/// Returns what may be shown of a parameter's value, and of what the stacks have: `30 → 45`.
pub(in crate::report) fn parameter_use(one: &ParameterUse, arrow: &str) -> String {
    let after = parameter(&one.value);
    let before = match one.before.first() {
        None => return after,
        Some(only) if one.before.len() == 1 => value_text(only),
        Some(_) => "several values".to_owned(),
    };
    match &one.value {
        ParameterValue::Previous => kept(&before),
        ParameterValue::Plain(_) | ParameterValue::Default(_) | ParameterValue::Secret(_) => {
            if one.is_change() {
                format!("{before} {arrow} {after}")
            } else {
                after
            }
        }
    }
}

/// Returns what is said of a value that a stack keeps.
pub(in crate::report) fn kept(value: &str) -> String {
    format!("{value} (kept)")
}

/// Returns what is said of a default that changes although the stack keeps its value.
pub(in crate::report) fn kept_default(default: &DefaultDiff, arrow: &str) -> String {
    format!(
        "the template's default changes, {} {arrow} {}, and the stack keeps its value; set it to change it",
        optional(default.before.as_deref()),
        optional(default.after.as_deref()),
    )
}

/// Returns what is said of a value that there may not be.
pub(in crate::report) fn optional(value: Option<&str>) -> String {
    value.map_or_else(|| "(none)".to_owned(), value_text)
}
