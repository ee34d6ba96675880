//! What the templates and parameters of a target say of the change set that was described for it: why a property
//! changes, and where the two do not say the same. What the service says is what counts; this stands beside it.
//!
//! A difference has a reason if it goes away without it: the template is worked out with the old values of one
//! parameter at a time, or the old template with the new values. Nothing is concluded from what is not known.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::impact::{ImpactKind, ImpactRow};
use super::mask::{MASK, MASK_CHANGED};
use super::property::{PropertyChange, path_text};
use super::semantic::{EntryDiff, EntryKind, Section, TemplateDiff, ValueKind, compare_trees};
use super::value::KNOWN_AFTER_APPLY;
use crate::model::{LogicalId, ParameterValue, PlannedTarget, clean};
use crate::template::{Known, Node, NodeKind, PathSegment, ScalarValue, Template};

/// With more parameters than these at once, none is told apart: each costs a look through the template.
const MOST_PARAMETERS: usize = 32;

/// Why a property changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The template says something else.
    Template,
    /// This parameter has another value.
    Parameter(String),
}

/// What the templates and parameters say of a change set.
#[derive(Debug, Clone, Default)]
pub struct Account {
    reasons: HashMap<String, Vec<(Vec<PathSegment>, Reason)>>,
    /// The new template, as it is at the target.
    after: Option<Node>,
    /// What the templates say, as they are at the target, that the change set does not describe; in the order of the
    /// template.
    pub undescribed: Vec<ImpactRow>,
}

impl Account {
    /// Returns what the templates say of the change set of `target`.
    pub fn of(target: &PlannedTarget, before: &Template, after: &Template) -> Self {
        if before.has_macros() || after.has_macros() {
            // The change set describes what the macros made of it.
            return Self::default();
        }
        let (old, new) = known(target, before, after);
        let now = after.evaluate(&new).root;
        let mut account = Self::default();
        let written = compare_trees(&before.evaluate(&new).root, &now);
        account.add(&written, &Reason::Template);
        let changed: Vec<&String> = new
            .parameters
            .keys()
            .filter(|name| {
                old.parameters
                    .get(*name)
                    .is_some_and(|v| v != &new.parameters[*name])
            })
            .collect();
        if changed.len() <= MOST_PARAMETERS {
            for name in changed {
                let mut without = new.clone();
                let value = old.parameters[name].clone();
                without.parameters.insert(name.clone(), value);
                let through = compare_trees(&after.evaluate(&without).root, &now);
                account.add(&through, &Reason::Parameter(name.clone()));
            }
        }
        let all = match old == new {
            true => written,
            false => compare_trees(&before.evaluate(&old).root, &now),
        };
        account.undescribed = undescribed(&all, target);
        account.after = Some(now);
        account
    }

    /// Returns the account of two texts of templates, for the tests of screens.
    #[cfg(test)]
    pub(crate) fn of_texts(target: &PlannedTarget, before: &str, after: &str) -> Self {
        let template = |text: &str| Template::parse("t.yaml", text.as_bytes()).unwrap();
        Self::of(target, &template(before), &template(after))
    }

    fn add(&mut self, difference: &TemplateDiff, reason: &Reason) {
        for entry in &difference.entries {
            if entry.section != Section::Resources {
                continue;
            }
            let paths = self.reasons.entry(entry.name.clone()).or_default();
            for value in &entry.values {
                paths.push((entry.path_after(value), reason.clone()));
                paths.push((entry.path_before(value), reason.clone()));
            }
        }
    }

    /// Returns why a property of a resource changes, as far as it is known: each reason once, the template first.
    pub fn reasons(&self, resource: &LogicalId, path: &[PathSegment]) -> BTreeSet<&Reason> {
        let known = self.reasons.get(resource.as_str());
        let known = known.into_iter().flatten();
        known
            .filter(|(at, _)| at.starts_with(path) || path.starts_with(at))
            .map(|(_, reason)| reason)
            .collect()
    }

    /// Returns the value that the template has for a property, where it is known and is not the one that the service
    /// says. Only single values are compared.
    pub fn other_value(&self, resource: &LogicalId, property: &PropertyChange) -> Option<&str> {
        let said = property.after.as_deref().filter(|_| !property.secret)?;
        if matches!(said, MASK | MASK_CHANGED) || said.contains(KNOWN_AFTER_APPLY) {
            return None;
        }
        let resources = self.after.as_ref()?.value("Resources")?;
        let mut node = resources.value(resource.as_str())?.value("Properties")?;
        for segment in &property.path {
            if node.intrinsic().is_some() {
                return None;
            }
            node = match segment {
                PathSegment::Key(key) => node.value(key)?,
                PathSegment::Index(index) => node.items()?.get(*index)?,
            };
        }
        let ours = node.text()?;
        // What is looked up when it is deployed is not known here.
        let is_dynamic = ours.contains("{{resolve:");
        (!is_dynamic && !is_same_value(node, said)).then_some(ours)
    }
}

/// Returns whether a value of a template is the text that the service says; `True` and `true` are the same, `0x10` and
/// `16`, and a document in a text however it is written. Numbers are compared by their digits: `1.10` that became `1.1`
/// may be a version that is another one now.
fn is_same_value(node: &Node, said: &str) -> bool {
    let NodeKind::Scalar(scalar) = &node.kind else {
        return false;
    };
    scalar.text == said
        || match scalar.value() {
            ScalarValue::Bool(value) => said == if value { "true" } else { "false" },
            ScalarValue::Number(number) => number == said,
            ScalarValue::Text(text) => is_same_document(text, said),
            ScalarValue::Null => false,
        }
}

fn is_same_document(ours: &str, theirs: &str) -> bool {
    let documents = Node::of_json(ours).zip(Node::of_json(theirs));
    documents.is_some_and(|(ours, theirs)| ours.says_the_same_as(&theirs))
}

/// Returns what is known before and after. A parameter counts only where both its values are known, or the other template
/// has no such parameter: what is known on one side alone would look like a difference.
fn known(target: &PlannedTarget, before: &Template, after: &Template) -> (Known, Known) {
    let old = &target.previous_parameters;
    let mut new: BTreeMap<String, String> = BTreeMap::new();
    for parameter in &target.inputs.parameters {
        let value = match &parameter.value {
            ParameterValue::Plain(text) | ParameterValue::Default(Some(text)) => Some(text),
            ParameterValue::Previous => old.get(&parameter.name),
            ParameterValue::Default(None) | ParameterValue::Secret(_) => None,
        };
        if let Some(value) = value {
            new.insert(parameter.name.clone(), value.clone());
        }
    }
    // The value of such a parameter is the name of another value.
    let is_looked_up = |name: &str| {
        let of = |template: &Template| {
            let declared = template.parameters().get(name)?;
            Some(declared.parameter_type.starts_with("AWS::SSM::"))
        };
        of(before) == Some(true) || of(after) == Some(true)
    };
    let mut old = old.clone();
    old.retain(|name, _| {
        let is_paired = new.contains_key(name) || !after.parameters().contains_key(name);
        is_paired && !is_looked_up(name)
    });
    new.retain(|name, _| {
        let is_paired = old.contains_key(name) || !before.parameters().contains_key(name);
        is_paired && !is_looked_up(name)
    });
    let at = |parameters| Known {
        parameters,
        account: Some(target.target.account.to_string()),
        region: Some(target.target.region.to_string()),
        partition: target.caller.arn.split(':').nth(1).map(str::to_owned),
        stack_name: Some(target.target.stack.to_string()),
    };
    (at(old), at(new))
}

fn undescribed(difference: &TemplateDiff, target: &PlannedTarget) -> Vec<ImpactRow> {
    let is_described = |name: &str| {
        let mut changes = target.changes.iter();
        changes.any(|change| change.logical_id.as_str() == name)
    };
    let mut found = Vec::new();
    for entry in &difference.entries {
        if entry.section != Section::Resources || entry.name.starts_with("Fn::") {
            continue;
        }
        let (kind, what) = match &entry.kind {
            EntryKind::Added => (ImpactKind::Added, "in the template".to_owned()),
            EntryKind::Removed => (ImpactKind::Removed, "from the template".to_owned()),
            EntryKind::Changed | EntryKind::Renamed { .. } => {
                (ImpactKind::Changed, paths(entry).join(", "))
            }
        };
        if is_described(&entry.name) || what.is_empty() || may_be_gone(entry) {
            continue;
        }
        if let Ok(name) = LogicalId::new(&entry.name) {
            let what = clean(&what);
            found.push(ImpactRow {
                name,
                kind,
                what,
                warns: true,
            });
        }
    }
    found
}

/// Returns the properties and attributes that differ, without what only orders the work, and without texts that say the
/// same: a service that does not take those for changed leaves nothing out.
fn paths(entry: &EntryDiff) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    for value in &entry.values {
        let path = path_text(&entry.path_after(value));
        let is_order = path == "DependsOn" || path.starts_with("DependsOn[");
        let is_same = value.kind == ValueKind::WrittenOtherwise || !value.follows.is_empty();
        if !is_same && !is_order && !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// Returns whether a condition that could not be worked out decides about the resource.
fn may_be_gone(entry: &EntryDiff) -> bool {
    let sides = entry.values.iter().flat_map(|v| [&v.before, &v.after]);
    let has_condition = |node: &Node| node.value("Condition").is_some();
    let is_whole = matches!(entry.kind, EntryKind::Added | EntryKind::Removed);
    is_whole && sides.flatten().any(|side| has_condition(&side.node))
}

#[cfg(test)]
mod tests;
