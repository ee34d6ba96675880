//! A target's changes taken apart into their shape and their texts.

use std::io::Write;

use serde_json::Value;

use super::canonical::{sorted, sorted_by_key, sorted_changes, sorted_details};
use super::record::parameter_records;
use crate::model::{
    ChangeAction, ChangeDetail, Digest, PlannedTarget, PropertyDrift, ResourceChange, StackOptions,
    TargetInputs,
};

/// The text with which the service stands in for a value that is known only at execution.
const UNKNOWN_VALUE: &str = "KNOWN_AFTER_APPLY";

/// What the changes of a target are made of.
///
/// Targets of one digest have the same changes but for their texts, and the same number of these: the texts
/// of one place in the changes stand at one index.
pub(super) struct Shape<'a> {
    /// The hash over all but the texts.
    pub(super) digest: Digest,
    /// The texts of the service or the user, in which names of the target's own may occur.
    pub(super) texts: Vec<&'a str>,
}

impl<'a> Shape<'a> {
    pub(super) fn of(planned: &'a PlannedTarget) -> Self {
        let mut parts = Parts::default();
        parts.planned(planned);
        Self {
            digest: Digest::of(&parts.bytes),
            texts: parts.texts,
        }
    }
}

/// A shape in the making.
///
/// Every part is written with its length, count or end, so that no two shapes are written alike.
#[derive(Default)]
struct Parts<'a> {
    bytes: Vec<u8>,
    texts: Vec<&'a str>,
}

impl<'a> Parts<'a> {
    fn planned(&mut self, planned: &'a PlannedTarget) {
        let PlannedTarget {
            // Which target it is, who asked, and what was made for it alone.
            target: _,
            caller: _,
            name: _,
            change_set: _,
            base: _,
            previous_template: _,
            previous_parameters: _,
            kind,
            inputs,
            changes,
            settings_only,
            retain,
            gone_exports,
            drift,
        } = planned;
        self.name(&(kind, settings_only, retain));
        self.name(drift);
        // One that nobody imports stops nothing; by whom another is imported has to be seen.
        let imported: Vec<_> = gone_exports
            .iter()
            .filter(|gone| !gone.imported_by.is_empty())
            .collect();
        self.count(imported.len());
        for gone in imported {
            self.literal(gone.output.as_str());
            self.text(&gone.name);
            self.count(gone.imported_by.len());
            for stack in &gone.imported_by {
                self.text(stack);
            }
        }
        self.inputs(inputs, changes);
        self.count(changes.len());
        for change in sorted_changes(changes) {
            self.change(change);
        }
    }

    fn inputs(&mut self, inputs: &'a TargetInputs, changes: &[ResourceChange]) {
        let TargetInputs {
            template: _,
            template_digest,
            // All targets of an execution have the same code; the text tells only which bucket it lies in.
            packaged: _,
            uploads: _,
            parameters,
            tags,
            capabilities,
            role_arn,
            stack_policy,
            options,
        } = inputs;
        self.name(template_digest);
        // An id of the network that differs from account to account and changes nothing now should not keep
        // targets apart. Where the values of a change cannot be seen, the parameters stand for them.
        if changes.is_empty() || !changes.iter().all(shows_its_values) {
            self.count(parameters.len());
            for parameter in parameter_records(parameters) {
                self.literal(parameter.name);
                self.literal(parameter.kind);
                self.optional_text(parameter.text);
            }
        }
        self.count(usize::from(tags.is_some()));
        if let Some(tags) = tags {
            self.count(tags.len());
            for (tag, value) in tags {
                self.literal(tag);
                self.text(value);
            }
        }
        self.count(capabilities.len());
        for capability in capabilities {
            self.literal(capability);
        }
        self.optional_text(role_arn.as_deref());
        self.optional_text(stack_policy.as_deref());
        self.options(options);
    }

    fn options(&mut self, options: &'a StackOptions) {
        let StackOptions {
            notification_arns,
            on_stack_failure,
            disable_rollback,
            rollback_triggers,
            monitoring_minutes,
            import_existing_resources,
            resources_to_import,
            include_nested_stacks,
            revert_drift,
            termination_protection,
        } = options;
        self.count(notification_arns.len());
        for arn in notification_arns {
            self.text(arn);
        }
        self.count(rollback_triggers.len());
        for trigger in rollback_triggers {
            self.name(&trigger.is_composite);
            self.text(&trigger.arn);
        }
        self.name(&(on_stack_failure, disable_rollback, monitoring_minutes));
        self.name(&(import_existing_resources, include_nested_stacks));
        self.name(revert_drift);
        self.name(termination_protection);
        self.count(resources_to_import.len());
        for (id, resource) in resources_to_import {
            self.literal(id.as_str());
            self.literal(&resource.resource_type);
            self.count(resource.identifier.len());
            for (key, value) in &resource.identifier {
                self.literal(key);
                self.text(value);
            }
        }
    }

    fn change(&mut self, change: &'a ResourceChange) {
        let ResourceChange {
            logical_id,
            resource_type,
            physical_id: _,
            action,
            replacement,
            policy_action,
            scope,
            details,
            before,
            after,
            nested,
            module,
            drift,
        } = change;
        self.literal(logical_id.as_str());
        self.literal(resource_type);
        self.name(&(action, replacement, policy_action, nested.is_some()));
        self.name(&sorted(scope));
        self.name(module);
        self.name(drift);
        self.count(details.len());
        for detail in sorted_details(details) {
            self.detail(detail);
        }
        match (before, after) {
            // What stays in a resource is no part of its change.
            (Some(before), Some(after)) => self.difference(before, after),
            (before, after) => {
                self.optional_value(before.as_ref());
                self.optional_value(after.as_ref());
            }
        }
    }

    fn detail(&mut self, detail: &'a ChangeDetail) {
        let ChangeDetail {
            attribute,
            name,
            path,
            recreation,
            before,
            after,
            evaluation,
            source,
            causing_entity,
            drift,
        } = detail;
        self.name(&(attribute, name, path, recreation));
        self.name(&(evaluation, source, causing_entity));
        self.optional_text(before.as_deref());
        self.optional_text(after.as_deref());
        self.count(drift.iter().count());
        if let Some(drift) = drift {
            self.drift(drift);
        }
    }

    fn drift(&mut self, drift: &'a PropertyDrift) {
        let PropertyDrift {
            previous,
            actual,
            // Differs from target to target, and says nothing of what is done.
            detected: _,
            before_from,
            only_recorded,
        } = drift;
        self.name(&(before_from, only_recorded));
        self.optional_text(previous.as_deref());
        self.optional_text(actual.as_deref());
    }

    /// Takes the parts in which two values differ, each with its path.
    fn difference(&mut self, before: &'a Value, after: &'a Value) {
        match (before, after) {
            (before, after) if before == after => self.tag(b'='),
            (Value::Object(old), Value::Object(new)) => {
                self.tag(b'{');
                for (key, before) in sorted_by_key(old) {
                    let after = new.get(key);
                    if after != Some(before) {
                        self.tag(b'k');
                        self.text(key);
                        match after {
                            Some(after) => self.difference(before, after),
                            None => self.removed(before),
                        }
                    }
                }
                for (key, after) in sorted_by_key(new) {
                    if !old.contains_key(key) {
                        self.tag(b'+');
                        self.text(key);
                        self.value(after);
                    }
                }
                self.tag(b'}');
            }
            (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
                self.tag(b'[');
                for (before, after) in old.iter().zip(new) {
                    self.difference(before, after);
                }
                self.tag(b']');
            }
            (before, after) => {
                self.tag(b'~');
                self.value(before);
                self.value(after);
            }
        }
    }

    fn removed(&mut self, before: &'a Value) {
        self.tag(b'-');
        self.value(before);
    }

    fn value(&mut self, value: &'a Value) {
        match value {
            Value::Object(members) => {
                self.tag(b'o');
                self.count(members.len());
                for (key, value) in sorted_by_key(members) {
                    self.text(key);
                    self.value(value);
                }
            }
            Value::Array(items) => {
                self.tag(b'a');
                self.count(items.len());
                for item in items {
                    self.value(item);
                }
            }
            Value::String(text) => self.text(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                self.tag(b'v');
                self.literal(&value.to_string());
            }
        }
    }

    fn optional_value(&mut self, value: Option<&'a Value>) {
        match value {
            Some(value) => self.value(value),
            None => self.tag(b'n'),
        }
    }

    fn optional_text(&mut self, text: Option<&'a str>) {
        match text {
            Some(text) => self.text(text),
            None => self.tag(b'n'),
        }
    }

    /// Takes a text of the service or the user.
    fn text(&mut self, text: &'a str) {
        self.tag(b't');
        self.texts.push(text);
    }

    /// Takes a text of a fixed vocabulary or of the template.
    fn literal(&mut self, text: &str) {
        self.count(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Takes small values of a fixed vocabulary, as their debugging text, in which line breaks are escaped.
    fn name(&mut self, value: &impl std::fmt::Debug) {
        // A vector takes every byte.
        let _ = writeln!(self.bytes, "{value:?}");
    }

    fn count(&mut self, count: usize) {
        self.bytes.extend_from_slice(&count.to_le_bytes());
    }

    fn tag(&mut self, tag: u8) {
        self.bytes.push(tag);
    }
}

/// Returns whether everything that a change does to its resource can be seen in it.
fn shows_its_values(change: &ResourceChange) -> bool {
    let after = || change.after.as_ref().is_some_and(is_known);
    change.nested.is_none()
        && match change.action {
            ChangeAction::Add | ChangeAction::Import => after(),
            ChangeAction::Modify => change.before.is_some() && after(),
            ChangeAction::Remove => true,
            ChangeAction::Dynamic | ChangeAction::SyncWithActual => false,
        }
}

fn is_known(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains(UNKNOWN_VALUE),
        Value::Array(items) => items.iter().all(is_known),
        Value::Object(members) => members.values().all(is_known),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}
