//! What is said of a review, wherever it is drawn: the terminal and Markdown differ in how they show it, never in what.
//!
//! The values are taken apart field by field, so that a new one does not compile until somebody has decided how it is told.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    ChangeAction, ChangeScope, ChangeSetKind, LogicalId, Region, RiskLevel, Target,
};

use super::review_data::{
    Review, ReviewGroup, ReviewParameter, ReviewReason, ReviewResource, urgency,
};
use super::review_resource::what;
use super::words::{self, count};
use super::{Phase, View};

/// The resource changes of a group beyond which they are counted, and not told again for other groups.
pub(super) const LONG_GROUP: usize = 8;

/// Something to know of a group besides its changes.
pub(super) struct Fact<'a> {
    /// How it begins: `as`, `with`.
    pub(super) label: &'static str,
    /// What follows.
    pub(super) said: Said<'a>,
    /// Whether it needs care.
    pub(super) is_warning: bool,
}

/// What a fact says.
pub(super) enum Said<'a> {
    /// Some of the group's targets.
    Targets(&'a [Target]),
    /// Texts, one for each thing.
    Texts(Vec<String>),
}

/// Returns what there is to know of a group besides its changes. `limit`: how many of a kind are named.
pub(super) fn of_group(group: &ReviewGroup, limit: usize) -> Vec<Fact<'_>> {
    let ReviewGroup {
        // The title.
        name: _,
        targets: _,
        kind: _,
        in_review,
        deleted_from,
        callers,
        executed_as,
        capabilities,
        role_arn,
        tags,
        options,
        stack_policy,
        // Its text, the change sets and the difference of the templates follow where everything is told.
        policy: _,
        settings_only,
        change_sets: _,
        resources,
        // Tables of their own.
        impact: _,
        template_diff: _,
    } = group;
    let mut facts = Vec::new();
    if !in_review.is_empty() {
        facts.push(Fact {
            label: "in review already, for another change set, which is obsolete once this one is executed",
            said: Said::Targets(in_review),
            is_warning: true,
        });
    }
    let mut say = |label, texts: Vec<String>| {
        if !texts.is_empty() {
            facts.push(Fact {
                label,
                said: Said::Texts(texts),
                is_warning: false,
            });
        }
    };
    say(
        "now",
        deleted_from.iter().map(ToString::to_string).collect(),
    );
    say("as", limited(words::callers(callers, limit), limit));
    say(
        "executed as",
        limited(executed_as.iter().cloned().collect(), limit),
    );

    let policy = stack_policy.then(|| "a stack policy".to_owned());
    let protection = options.termination_protection;
    let protection = protection.map(|is_on| words::protection(is_on).to_owned());
    let settings = policy.into_iter().chain(protection);
    let with = if *settings_only {
        // The change set has no changes and is not executed: only this is done.
        settings.collect()
    } else {
        let mut with: Vec<String> = capabilities.iter().cloned().collect();
        with.extend(role_arn.iter().map(|arn| format!("role {arn}")));
        with.extend(settings);
        with.extend(words::options(options));
        let is_shown = |id: &LogicalId| resources.iter().any(|r| r.logical_id == *id);
        let imported = options.resources_to_import.iter();
        with.extend(
            imported
                .filter(|(id, _)| !is_shown(id))
                .map(|(id, resource)| format!("{id} taken in from {}", resource.identified())),
        );
        if !tags.is_empty() {
            let tags = tags.iter().map(|(key, value)| format!("{key}={value}"));
            with.push(format!("tags {}", tags.collect::<Vec<_>>().join(", ")));
        }
        with
    };
    say("with", with);
    facts
}

/// The changes of a group that the first group of the review has, too.
pub(super) struct Alike<'a> {
    /// The name of the first group.
    pub(super) first: &'a ReviewGroup,
    /// What is the same there.
    pub(super) same: BTreeSet<&'a LogicalId>,
    /// What the first group changes, and this one does not.
    pub(super) missing: Vec<&'a LogicalId>,
}

/// Returns what need not be shown again of a long list of changes; `None` where most of it is of its own.
pub(super) fn alike<'a>(first: &'a ReviewGroup, group: &'a ReviewGroup) -> Option<Alike<'a>> {
    if first.name == group.name || group.resources.len() <= LONG_GROUP {
        return None;
    }
    let of_first: BTreeMap<&LogicalId, &ReviewResource> =
        first.resources.iter().map(|r| (&r.logical_id, r)).collect();
    let is_same = |resource: &&ReviewResource| {
        let other = of_first.get(&resource.logical_id);
        other.is_some_and(|other| is_same_change(resource, other))
    };
    let same = group.resources.iter().filter(is_same);
    let same: BTreeSet<&LogicalId> = same.map(|r| &r.logical_id).collect();
    if same.len() * 2 <= group.resources.len() {
        return None;
    }
    let own: BTreeSet<&LogicalId> = group.resources.iter().map(|r| &r.logical_id).collect();
    let missing = first.resources.iter().map(|r| &r.logical_id);
    Some(Alike {
        first,
        same,
        missing: missing.filter(|id| !own.contains(id)).collect(),
    })
}

/// Returns whether two resources are changed alike; they are two physical ones.
fn is_same_change(one: &ReviewResource, other: &ReviewResource) -> bool {
    let other = ReviewResource {
        physical_id: one.physical_id.clone(),
        ..other.clone()
    };
    *one == other
}

/// Returns `4 REPLACE`, `2 add`: how many changes there are of a kind, what may do harm first.
pub(super) fn kinds<'a>(resources: impl Iterator<Item = &'a ReviewResource>) -> Vec<String> {
    let mut counts: BTreeMap<u8, Vec<(String, usize)>> = BTreeMap::new();
    for resource in resources {
        let (_, word, _) = what(resource, "");
        let words = counts.entry(urgency(resource)).or_default();
        match words.iter_mut().find(|(known, _)| *known == word) {
            Some((_, number)) => *number += 1,
            None => words.push((word, 1)),
        }
    }
    let counts = counts.into_values().flatten();
    counts
        .map(|(word, number)| format!("{number} {word}"))
        .collect()
}

/// Returns whether the change needs an approval of high risk.
pub(super) fn is_high(resource: &ReviewResource) -> bool {
    let mut risks = resource.risks.iter();
    risks.any(|risk| risk.weight() == RiskLevel::High)
}

/// Returns how many of the resources are changed with a high risk, where there are any.
pub(super) fn high_risks(group: &ReviewGroup) -> Option<String> {
    let number = group.resources.iter().filter(|r| is_high(r)).count();
    (number > 0).then(|| format!("{number} with high risk"))
}

/// Returns what is done to the stacks as a whole; nothing for an update.
pub(super) fn kind(group: &ReviewGroup) -> &'static str {
    let one = group.targets.len() == 1;
    match group.kind {
        ChangeSetKind::Create if one => "new stack",
        ChangeSetKind::Create => "new stacks",
        ChangeSetKind::Update => "",
        ChangeSetKind::Import => "import",
        ChangeSetKind::Delete if one => "DELETE THE STACK",
        ChangeSetKind::Delete => "DELETE THE STACKS",
    }
}

/// Returns what a group without resource changes comes to, with its symbol.
pub(super) fn without_resources(group: &ReviewGroup) -> (&'static str, &'static str) {
    match group.kind {
        ChangeSetKind::Create | ChangeSetKind::Update | ChangeSetKind::Import
            if group.settings_only =>
        {
            ("~", "no changes but what is set on the stack, as above")
        }
        ChangeSetKind::Create | ChangeSetKind::Update | ChangeSetKind::Import => (
            "~",
            "no resource changes: only outputs, tags or metadata of the stack",
        ),
        ChangeSetKind::Delete => ("-", "a stack without resources"),
    }
}

/// Returns which existing resource becomes the one of `change`, where one is taken in.
pub(super) fn taken_in(change: &ReviewResource, group: &ReviewGroup) -> Option<String> {
    let imported = &group.options.resources_to_import;
    let resource = imported.get(&change.logical_id)?;
    Some(format!("takes in {}", resource.identified()))
}

/// Returns what a property list of `change` cannot say, where the service names no properties.
pub(super) fn scope(change: &ReviewResource) -> Option<String> {
    let names: Vec<&str> = change
        .scope
        .iter()
        .map(|scope| scope_name(*scope))
        .collect();
    match names.as_slice() {
        [] if change.action == ChangeAction::Modify => Some("what changes was not said".to_owned()),
        [] => None,
        _ => Some(format!("{}: values were not given", names.join(", "))),
    }
}

fn scope_name(scope: ChangeScope) -> &'static str {
    match scope {
        ChangeScope::Properties => "properties",
        ChangeScope::Metadata => "Metadata",
        ChangeScope::CreationPolicy => "CreationPolicy",
        ChangeScope::UpdatePolicy => "UpdatePolicy",
        ChangeScope::DeletionPolicy => "DeletionPolicy",
        ChangeScope::UpdateReplacePolicy => "UpdateReplacePolicy",
        ChangeScope::Tags => "tags",
    }
}

/// Returns what all changes are made from: the template, or how many there are.
pub(super) fn template(view: &View) -> Option<String> {
    let targets = view.targets();
    let mut templates: Vec<&str> = targets
        .iter()
        .filter_map(|t| t.inputs().map(|i| i.template.path.as_str()))
        .collect();
    templates.sort_unstable();
    templates.dedup();
    match templates.as_slice() {
        [] => view.deletes().then(|| "delete".to_owned()),
        [only] => Some((*only).to_owned()),
        many => Some(count(many.len(), "template")),
    }
}

/// Returns the environment whose settings were taken.
pub(super) fn environment(view: &View) -> Option<&str> {
    let definition = view.definition()?;
    definition.invocation.chosen.environment.as_deref()
}

/// Returns how many targets have come as far as they come before the approval.
pub(super) fn prepared(view: &View) -> usize {
    let is_done = |phase| match phase {
        Phase::Waiting | Phase::Creating | Phase::Reading => false,
        Phase::Ready
        | Phase::Deletable
        | Phase::Checking
        | Phase::Executing
        | Phase::CleaningUp
        | Phase::Ended(_) => true,
    };
    let targets = view.targets();
    targets.iter().filter(|t| is_done(t.phase())).count()
}

/// Returns how the rollout moves, where there is more than one target to change.
pub(super) fn rollout(view: &View, review: &Review) -> Vec<String> {
    let changed: Vec<&Target> = review.groups.iter().flat_map(|g| &g.targets).collect();
    // The execution takes the regions in the order of all targets, and percentages of all of them.
    let all = view.targets();
    let mut regions: Vec<Region> = Vec::new();
    for target in &all {
        let region = &target.target().region;
        if changed.iter().any(|t| t.region == *region) && !regions.contains(region) {
            regions.push(region.clone());
        }
    }
    match view.preferences().filter(|_| changed.len() > 1) {
        Some(preferences) => {
            let within = |region: &Region| {
                let targets = all.iter().map(|t| t.target());
                targets.filter(|t| t.region == *region).count()
            };
            let most = regions.iter().map(within).max().unwrap_or(0);
            words::rollout(preferences, &regions, most)
        }
        None => Vec::new(),
    }
}

/// Returns the parameters with one value in all targets that an approver looks at first: all of new stacks, and of stacks
/// that change those that change or would be expected to, and those through which something changes.
pub(super) fn telling_parameters(review: &Review) -> Vec<&ReviewParameter> {
    let makes_stacks = review
        .groups
        .iter()
        .any(|g| g.kind == ChangeSetKind::Create);
    let resources = review.groups.iter().flat_map(|g| &g.resources);
    let causes: BTreeSet<&str> = resources
        .flat_map(|resource| &resource.properties)
        .flat_map(|property| &property.reasons)
        .filter_map(|reason| match reason {
            ReviewReason::Parameter { name, .. } => Some(name.as_str()),
            ReviewReason::Template => None,
        })
        .collect();
    let all = review.common_parameters.iter();
    all.filter(|parameter| {
        let is_cause = causes.contains(parameter.name.as_str());
        makes_stacks
            || is_cause
            || parameter
                .values
                .iter()
                .any(|value| value.is_change() || value.default.is_some())
    })
    .collect()
}

/// Returns where the one value of a parameter came from: each place once.
pub(super) fn origins(parameter: &ReviewParameter) -> String {
    let mut places: Vec<String> = Vec::new();
    for value in &parameter.values {
        let place = words::provenance(&value.provenance);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    limited(places, 3).join(", ")
}

/// Returns whether parameters of several templates are told of, so that each is named with its own.
pub(super) fn has_several_templates(parameters: &[&ReviewParameter]) -> bool {
    parameters
        .iter()
        .any(|p| p.template != parameters[0].template)
}

/// Returns what is to be said of the targets with nothing to change.
pub(super) fn unchanged(view: &View) -> &'static str {
    if view.only_failed() {
        "Nothing to replace"
    } else if view.deletes() {
        "No such stack"
    } else {
        "Unchanged"
    }
}

/// Returns the first of `names`, and how many there are besides.
pub(super) fn limited(mut names: Vec<String>, limit: usize) -> Vec<String> {
    if names.len() > limit {
        let more = names.len() - limit;
        names.truncate(limit);
        names.push(format!("{more} more"));
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::fixtures::{self, Template};
    use super::super::{ScreenOptions, draw, markdown};
    use super::*;
    use crate::diff::{self, Impact, ImpactKind, ImpactRow};
    use crate::model::{
        ChangeSetKind, ImportedResource, OnStackFailure, OperationPreferences, ParameterValue,
        PolicyAction, Recreation, Replacement, Risk, RiskChoice, RiskLevel, RiskSetting,
        RollbackTrigger, StackStatus, TargetOutcome,
    };

    /// The parts of a review whose fields are told one by one.
    const TAKEN_APART: [&str; 11] = [
        "common_parameters",
        "common_parameters.values",
        "groups",
        "groups.impact",
        "groups.options",
        "groups.resources",
        "groups.resources.properties",
        "groups.resources.risks",
        "parameters",
        "parameters.values",
        "risks",
    ];

    /// What no screen tells, and why that hides nothing.
    const NOT_TOLD: [&str; 9] = [
        // Of the document, not of the plan.
        "document",
        "version",
        // Long, and said again by what they are of.
        "groups.change_sets",
        "groups.resources.physical_id",
        "groups.resources.risks.rule",
        "groups.resources.risks.resource",
        // Told once, with the rule.
        "groups.resources.risks.chosen",
        // All of them.
        "common_parameters.values.targets",
        // Told with the other failures, from the events.
        "not_planned",
    ];

    type Change = (&'static str, fn(&mut Review));

    fn id(text: &str) -> LogicalId {
        text.parse().unwrap()
    }

    /// One change of each field that is told.
    fn changes() -> Vec<Change> {
        vec![
            ("plan", |r| {
                r.plan = Some(crate::model::Digest::of(b"other"))
            }),
            ("risk", |r| {
                r.risk = RiskLevel::Low;
                r.risks.clear();
            }),
            ("risks.level", |r| r.risks[0].level = RiskLevel::Medium),
            ("risks.rule", |r| r.risks[0].rule = "marked".into()),
            ("risks.resources", |r| {
                r.risks[0].resources.insert(id("Marked"));
            }),
            ("risks.targets", |r| r.risks[0].targets = 30),
            ("risks.findings", |r| r.risks[0].findings = 7),
            ("risks.chosen", |r| r.risks[0].chosen = None),
            ("groups.name", |r| r.groups[0].name = "Z".into()),
            ("groups.targets", |r| {
                r.groups[0].targets.pop();
            }),
            ("groups.kind", |r| r.groups[0].kind = ChangeSetKind::Create),
            ("groups.in_review", |r| {
                r.groups[0].in_review.pop();
            }),
            ("groups.deleted_from", |r| {
                r.groups[0].deleted_from = [StackStatus::DeleteFailed].into();
            }),
            ("groups.callers", |r| {
                let mut callers = std::mem::take(&mut r.groups[0].callers);
                callers.pop_first();
                r.groups[0].callers = callers;
            }),
            ("groups.executed_as", |r| {
                r.groups[0].executed_as = ["marked".into()].into();
            }),
            ("groups.capabilities", |r| {
                r.groups[0].capabilities = ["MARKED".into()].into();
            }),
            ("groups.role_arn", |r| {
                r.groups[0].role_arn = Some("marked".into());
            }),
            ("groups.tags", |r| {
                r.groups[0].tags.insert("Marked".into(), "yes".into());
            }),
            ("groups.options.notification_arns", |r| {
                r.groups[0].options.notification_arns.clear();
            }),
            ("groups.options.on_stack_failure", |r| {
                r.groups[0].options.on_stack_failure = Some(OnStackFailure::Rollback);
            }),
            ("groups.options.disable_rollback", |r| {
                // Told where nothing else says what becomes of a failure.
                r.groups[0].options.on_stack_failure = None;
            }),
            ("groups.options.rollback_triggers", |r| {
                r.groups[0].options.rollback_triggers.clear();
            }),
            ("groups.options.monitoring_minutes", |r| {
                r.groups[0].options.monitoring_minutes = Some(9);
            }),
            ("groups.options.resources_to_import", |r| {
                r.groups[0].options.resources_to_import.clear();
            }),
            ("groups.options.import_existing_resources", |r| {
                r.groups[0].options.import_existing_resources = false;
            }),
            ("groups.options.include_nested_stacks", |r| {
                r.groups[0].options.include_nested_stacks = false;
            }),
            ("groups.options.termination_protection", |r| {
                r.groups[0].options.termination_protection = Some(false);
            }),
            ("groups.stack_policy", |r| r.groups[0].stack_policy = false),
            ("groups.policy", |r| {
                r.groups[0].policy = Some("{\"Marked\":[]}".into());
            }),
            ("groups.settings_only", |r| r.groups[0].settings_only = true),
            ("groups.impact.permissions", |r| {
                r.groups[0].impact.permissions[0].kind = ImpactKind::Narrowed;
            }),
            ("groups.impact.network", |r| {
                r.groups[0].impact.network[0].what = "marked".into();
            }),
            ("groups.impact.data", |r| {
                r.groups[0].impact.data[0].name = id("Marked");
            }),
            ("groups.impact.undescribed", |r| {
                r.groups[0].impact.undescribed[0].what = "marked".into();
            }),
            ("groups.impact.outputs", |r| {
                r.groups[0].impact.outputs[0].warns = false;
            }),
            ("groups.template_diff", |r| {
                r.groups[0].template_diff = Some("@@ -1 +1 @@\n-marked\n+marks\n".into());
            }),
            ("groups.resources.logical_id", |r| {
                r.groups[0].resources[0].logical_id = id("Marked");
            }),
            ("groups.resources.resource_type", |r| {
                r.groups[0].resources[0].resource_type = "Custom::Marked".into();
            }),
            ("groups.resources.action", |r| {
                r.groups[0].resources[0].action = ChangeAction::Import;
            }),
            ("groups.resources.policy_action", |r| {
                r.groups[0].resources[2].policy_action = Some(PolicyAction::Retain);
            }),
            ("groups.resources.replacement", |r| {
                r.groups[0].resources[0].replacement = Replacement::May;
            }),
            ("groups.resources.scope", |r| {
                r.groups[0].resources[1].scope = vec![ChangeScope::Metadata];
            }),
            ("groups.resources.place", |r| {
                r.groups[0].resources[1].place = None;
            }),
            ("groups.resources.risks.level", |r| {
                r.groups[0].resources[0].risks[0].level = RiskLevel::Low;
            }),
            ("groups.resources.risks.message", |r| {
                r.groups[0].resources[0].risks[0].message = "marked".into();
            }),
            ("groups.resources.is_nested", |r| {
                r.groups[0].resources[1].is_nested = true;
            }),
            ("groups.resources.module", |r| {
                r.groups[0].resources[0].module = Some("Marked".into());
            }),
            ("groups.resources.properties.path", |r| {
                r.groups[0].resources[0].properties[0].path = "Marked".into();
            }),
            ("groups.resources.properties.before", |r| {
                r.groups[0].resources[0].properties[0].before = Some("marked".into());
            }),
            ("groups.resources.properties.after", |r| {
                r.groups[0].resources[0].properties[0].after = Some("marked".into());
            }),
            ("groups.resources.properties.recreation", |r| {
                r.groups[0].resources[0].properties[0].recreation = Recreation::Always;
            }),
            ("groups.resources.properties.evaluation", |r| {
                let one = &mut r.groups[0].resources[0].properties[0];
                one.after = None;
                one.evaluation = Some(crate::model::Evaluation::Dynamic);
            }),
            ("groups.resources.properties.cause", |r| {
                r.groups[0].resources[0].properties[0].cause = Some("Marked".into());
            }),
            ("groups.resources.properties.reasons", |r| {
                let parameter = ReviewReason::Parameter {
                    name: "Marked".into(),
                    provenance: None,
                };
                r.groups[0].resources[0].properties[0].reasons = vec![parameter];
            }),
            ("groups.resources.properties.in_template", |r| {
                r.groups[0].resources[0].properties[0].in_template = None;
            }),
            ("groups.resources.properties.secret", |r| {
                let one = &mut r.groups[0].resources[0].properties[0];
                one.secret = true;
                one.after = Some(diff::MASK_CHANGED.into());
            }),
            ("groups.resources.properties.place", |r| {
                r.groups[0].resources[0].properties[0].place = None;
            }),
            ("groups.resources.properties.varies", |r| {
                r.groups[0].resources[0].properties[0].varies = true;
            }),
            ("parameters.name", |r| {
                r.parameters[0].name = "Marked".into()
            }),
            ("parameters.template", |r| {
                r.parameters[1].template = "templates/marked.yaml".into();
            }),
            ("parameters.values.value", |r| {
                r.parameters[0].values[0].value = ParameterValue::Plain("marked".into());
            }),
            ("parameters.values.provenance", |r| {
                r.parameters[0].values[0].provenance.file = Some("marked".into());
            }),
            ("parameters.values.before", |r| {
                r.parameters[0].values[0].before = ["marked".to_owned()].into();
            }),
            ("common_parameters.values.before", |r| {
                r.common_parameters[0].values[0].before = ["marked".to_owned()].into();
            }),
            ("parameters.values.default", |r| {
                r.parameters[0].values[0].default = default("marked");
            }),
            ("common_parameters.values.default", |r| {
                r.common_parameters[0].values[0].default = default("marked");
            }),
            ("parameters.values.targets", |r| {
                r.parameters[0].values[0].targets.pop();
            }),
            ("common_parameters.name", |r| {
                r.common_parameters[0].name = "Marked".into();
            }),
            ("common_parameters.template", |r| {
                r.common_parameters[1].template = "templates/marked.yaml".into();
            }),
            ("common_parameters.values.value", |r| {
                r.common_parameters[0].values[0].value = ParameterValue::Plain("marked".into());
            }),
            ("common_parameters.values.provenance", |r| {
                r.common_parameters[0].values[0].provenance.file = Some("marked".into());
            }),
            ("unchanged", |r| {
                r.unchanged.push(r.groups[0].targets[0].clone())
            }),
        ]
    }

    fn default(after: &str) -> Option<crate::diff::DefaultDiff> {
        Some(crate::diff::DefaultDiff {
            before: Some("30".to_owned()),
            after: Some(after.to_owned()),
        })
    }

    /// A review in which every field says something.
    fn everything() -> (View, Review) {
        let view = fixtures::many().view();
        let mut review = Review::of(&view, &Template);
        let targets = fixtures::four();
        // Templates are named where there are several.
        let mut other = review.parameters[0].clone();
        other.template = "templates/other.yaml".into();
        review.parameters.push(other.clone());
        review.parameters[0].values[0].before = ["30".to_owned()].into();
        review.parameters[0].values[0].default = default("45");
        review.common_parameters = vec![review.parameters[0].clone(), other];
        let group = &mut review.groups[0];
        group.targets = targets.clone();
        group.kind = ChangeSetKind::Update;
        group.in_review = targets[..2].to_vec();
        group.deleted_from = [StackStatus::CreateComplete].into();
        group.executed_as = ["arn:aws:iam::111111111111:role/Execute".into()].into();
        group.capabilities = ["CAPABILITY_IAM".into()].into();
        group.role_arn = Some("arn:aws:iam::111111111111:role/Service".into());
        group.tags = [("Team".to_owned(), "payments".to_owned())].into();
        group.stack_policy = true;
        group.policy = Some("{\"Statement\":[]}".into());
        group.options = crate::model::StackOptions {
            notification_arns: ["arn:aws:sns:us-east-1:111111111111:told".into()].into(),
            on_stack_failure: Some(OnStackFailure::Delete),
            disable_rollback: true,
            rollback_triggers: [RollbackTrigger {
                arn: "arn:aws:cloudwatch:us-east-1:111111111111:alarm:a".into(),
                is_composite: false,
            }]
            .into(),
            monitoring_minutes: Some(5),
            import_existing_resources: true,
            include_nested_stacks: true,
            termination_protection: Some(true),
            resources_to_import: [(
                id("Taken"),
                ImportedResource {
                    resource_type: "AWS::S3::Bucket".into(),
                    identifier: [("BucketName".to_owned(), "taken".to_owned())].into(),
                },
            )]
            .into(),
        };
        let row = |kind| ImpactRow {
            name: id("Told"),
            kind,
            what: "what it does".into(),
            warns: true,
        };
        group.impact = Impact {
            permissions: vec![row(ImpactKind::Broadened)],
            network: vec![row(ImpactKind::Opened)],
            data: vec![row(ImpactKind::Lost)],
            outputs: vec![row(ImpactKind::Removed)],
            undescribed: vec![row(ImpactKind::Changed)],
        };
        let property = &mut group.resources[0].properties[0];
        property.reasons = vec![ReviewReason::Template];
        property.in_template = Some("another".into());
        review.risks[0].chosen = Some(RiskChoice {
            setting: RiskSetting::Approval,
            place: "stackgate.yaml:2:3".into(),
        });
        group.resources[0].risks = vec![Risk {
            rule: "removal".into(),
            level: RiskLevel::High,
            resource: id("Queue"),
            message: "it is gone".into(),
            chosen: None,
        }];
        // The second one has no properties, so that its scope is what there is to tell.
        group.resources[1].action = ChangeAction::Modify;
        // What becomes of a resource is told of one that goes.
        let mut gone = group.resources[1].clone();
        gone.logical_id = id("Gone");
        gone.action = ChangeAction::Remove;
        group.resources.push(gone);
        (view, review)
    }

    /// Every path of fields in the document, lists and their members as one.
    fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    let path = match path {
                        "" => key.clone(),
                        path => format!("{path}.{key}"),
                    };
                    if TAKEN_APART.contains(&path.as_str()) {
                        fields(value, &path, found);
                    } else {
                        found.insert(path);
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|one| fields(one, path, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn the_rollout_goes_by_the_regions_of_all_targets() {
        let target = fixtures::target;
        let regions = ["eu-west-1", "us-east-1", "sa-east-1"];
        let targets: Vec<Target> = "12"
            .chars()
            .flat_map(|account| regions.map(|region| target(account, region)))
            .collect();
        let told = |order: &[&str]| {
            let preferences = OperationPreferences {
                region_order: order.iter().map(|name| name.parse().unwrap()).collect(),
                ..OperationPreferences::default()
            };
            let mut script = fixtures::Script::with(&targets, preferences);
            // Nothing to do in the first target, and nothing at all in one region.
            script.end(&targets[0], TargetOutcome::NoChanges);
            script.update(&targets[1], fixtures::change_a());
            script.end(&targets[2], TargetOutcome::NoChanges);
            script.update(&targets[3], fixtures::change_a());
            script.update(&targets[4], fixtures::change_a());
            script.end(&targets[5], TargetOutcome::NoChanges);
            let view = script.view();
            rollout(&view, &Review::of(&view, &Template)).remove(0)
        };
        assert_eq!(told(&[]), "eu-west-1, then us-east-1");
        let order = ["sa-east-1", "us-east-1", "eu-west-1"];
        assert_eq!(told(&order), "us-east-1, then eu-west-1");
    }

    #[test]
    fn every_field_of_a_review_is_told_on_the_terminal_and_in_markdown() {
        let (view, review) = everything();
        let mut found = BTreeSet::new();
        fields(&serde_json::to_value(&review).unwrap(), "", &mut found);
        let told = changes();
        let known = told.iter().map(|(field, _)| *field).chain(NOT_TOLD);
        let known: BTreeSet<String> = known.map(str::to_owned).collect();
        let unknown: Vec<_> = found.difference(&known).collect();
        assert!(unknown.is_empty(), "how are {unknown:?} told?");

        let options = ScreenOptions {
            full: true,
            width: 120,
            ..ScreenOptions::default()
        };
        let screen = |review: &Review| draw(&view, review, &options);
        let page = |review: &Review| markdown(&view, None, Some(review));
        for (field, change) in told {
            let mut other = review.clone();
            change(&mut other);
            assert!(screen(&review) != screen(&other), "{field} on the terminal");
            assert!(page(&review) != page(&other), "{field} in Markdown");
        }
    }
}
