//! What there is to review, grouped, before it is drawn or written as JSON.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::Serialize;

use crate::diff::{self, Account, DefaultDiff, DriftFate, Impact, PropertyChange, Reason};
use crate::model::{
    Caller, ChangeAction, ChangeScope, ChangeSetId, ChangeSetKind, Digest, Evaluation, Gate,
    LeftOut, LogicalId, OperationPreferences, ParameterValue, PlannedTarget, PolicyAction,
    Provenance, Recreation, Replacement, ResourceChange, ResourceDrift, Risk, RiskChoice,
    RiskChoices, RiskLevel, RiskSetting, SetDrift, SkipReason, StackOptions, StackStatus, Target,
    TargetOutcome, Wave, clean,
};
use crate::plan;

use super::causes::{self, CauseGroup};
use super::{DOCUMENT_VERSION, View, waves, words};

/// What a review shows besides the events, looked up in the stored templates.
pub trait ReviewSources {
    /// Returns where the resource, or the property of it, is written in the target's template.
    fn place(
        &self,
        target: &PlannedTarget,
        resource: &LogicalId,
        property: Option<&PropertyChange>,
    ) -> Option<Place> {
        let _ = (target, resource, property);
        None
    }

    /// Returns the risks of the target's changes, judged with its templates where they are at hand.
    fn risks(&self, target: &PlannedTarget) -> Vec<Risk> {
        diff::risks_of_target(target, None, None)
    }

    /// Returns what the target's changes do to permissions, network, data and outputs, likewise.
    fn impact(&self, target: &PlannedTarget) -> Impact {
        diff::impact(target, None, None, &RiskChoices::default())
    }

    /// Returns how the default of a parameter changes whose value the target's stack keeps.
    fn kept_default(&self, target: &PlannedTarget, parameter: &str) -> Option<DefaultDiff> {
        let _ = (target, parameter);
        None
    }

    /// Returns what the target's templates say of its change set, where they are at hand.
    fn account(&self, target: &PlannedTarget) -> Option<Account> {
        let _ = target;
        None
    }

    /// Returns how the target's template differs from the stack's present one, as a unified diff.
    fn template_diff(&self, target: &PlannedTarget) -> Option<String> {
        let _ = target;
        None
    }
}

/// Sources that have no templates: positions are left out, risks judged by the changes alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSources;

impl ReviewSources for NoSources {}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The plan of an execution, as it is reviewed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Review {
    /// Which document this is.
    pub document: &'static str,
    /// The version of this form.
    pub version: u32,
    /// The plan's digest, once the plan is complete.
    pub plan: Option<Digest>,
    /// The highest risk of all changes.
    pub risk: RiskLevel,
    /// What is to be known beside the changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The findings behind the risk, worst first.
    pub risks: Vec<RiskGroup>,
    /// Targets with identical changes, largest group first.
    pub groups: Vec<ReviewGroup>,
    /// Parameters whose value differs between targets.
    pub parameters: Vec<ReviewParameter>,
    /// Parameters that have one value in all targets.
    pub common_parameters: Vec<ReviewParameter>,
    /// The waves in which the targets run, where there is more than one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<ReviewWave>,
    /// Targets with nothing to change.
    pub unchanged: Vec<Target>,
    /// Targets without a change set, by cause.
    pub not_planned: Vec<CauseGroup>,
    /// Targets whose account does not have the region.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_enabled: Vec<Target>,
    /// What was left out when the targets were chosen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// One wave of the rollout.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReviewWave {
    /// Its name.
    pub name: String,
    /// Its targets, in order.
    pub targets: Vec<Target>,
    /// How the operation moves over them, where it is not as over the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferences: Option<OperationPreferences>,
    /// What is to be passed before the next wave begins.
    pub gates: Vec<Gate>,
    /// Its targets that an earlier execution ended and that are not run again; the gates are for them, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<Target>,
}

impl ReviewWave {
    pub(super) fn of(wave: &Wave) -> Self {
        Self {
            name: wave.name.to_string(),
            targets: wave.targets.clone(),
            preferences: wave.preferences.clone(),
            gates: wave.gates.clone(),
            ended: wave.ended.iter().map(|e| e.spec.target.clone()).collect(),
        }
    }
}

/// One kind of risk over all targets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RiskGroup {
    /// How bad it is.
    pub level: RiskLevel,
    /// The rule that found it.
    pub rule: String,
    /// The resources concerned.
    pub resources: BTreeSet<LogicalId>,
    /// In how many targets.
    pub targets: usize,
    /// How often, over all resources and targets.
    pub findings: usize,
    /// What was chosen for the rule, where something was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<RiskChoice>,
}

/// Targets whose changes are identical.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReviewGroup {
    /// `A`, `B`, …
    pub name: String,
    /// The targets.
    pub targets: Vec<Target>,
    /// Whether the stacks are made or changed.
    pub kind: ChangeSetKind,
    /// Those of the targets whose new stack was in review already, for another change set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub in_review: Vec<Target>,
    /// The statuses of the stacks that are deleted.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub deleted_from: BTreeSet<StackStatus>,
    /// Who acts, once each.
    pub callers: BTreeSet<Caller>,
    /// The roles that are assumed from the approval on, where they are others.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub executed_as: BTreeSet<String>,
    /// The capabilities that approval acknowledges.
    pub capabilities: BTreeSet<String>,
    /// The role that CloudFormation acts with.
    pub role_arn: Option<String>,
    /// The stacks' tags, where they are given; else each keeps its own.
    pub tags: BTreeMap<String, String>,
    /// Tags that stacks lose, or that get another value, with the values that they have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags_before: BTreeMap<String, BTreeSet<String>>,
    /// What else is asked of the stacks; of the group's first target.
    #[serde(skip_serializing_if = "StackOptions::is_default")]
    pub options: StackOptions,
    /// Whether a stack policy is set.
    pub stack_policy: bool,
    /// The stack policy, of the group's first target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The packaged files that are seldom meant for others, such as `.env`; of the group's first target.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub private_files: Vec<String>,
    /// Whether nothing changes but what is set on the stacks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub settings_only: bool,
    /// What the endpoint says of a drift-aware change set, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<SetDrift>,
    /// The change sets, in the order of the targets.
    pub change_sets: Vec<ChangeSetId>,
    /// The changes, those that may do harm first.
    pub resources: Vec<ReviewResource>,
    /// What they do to permissions, network, data and outputs; of the group's first target.
    #[serde(skip_serializing_if = "Impact::is_empty")]
    pub impact: Impact,
    /// How the template differs from the present one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_diff: Option<String>,
}

/// A change of one resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReviewResource {
    /// The logical id.
    pub logical_id: LogicalId,
    /// The resource type.
    pub resource_type: String,
    /// What is done.
    pub action: ChangeAction,
    /// Whether it is replaced.
    pub replacement: Replacement,
    /// What happens to the physical resource that goes.
    pub policy_action: Option<PolicyAction>,
    /// The attributes that change.
    pub scope: Vec<ChangeScope>,
    /// The physical id in the group's first target.
    pub physical_id: Option<String>,
    /// Where the resource is declared.
    pub place: Option<Place>,
    /// What may go wrong.
    pub risks: Vec<Risk>,
    /// The properties that change.
    pub properties: Vec<ReviewProperty>,
    /// Whether the resource is a stack whose own changes are in a change set of its own.
    pub is_nested: bool,
    /// The module it is part of.
    pub module: Option<String>,
    /// What is known of changes made to it outside CloudFormation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<ResourceDrift>,
}

/// A change of one property; the values are those of the group's first target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReviewProperty {
    /// Where in the resource.
    pub path: String,
    /// The value before.
    pub before: Option<String>,
    /// The value after.
    pub after: Option<String>,
    /// Whether the change recreates the resource.
    pub recreation: Recreation,
    /// Whether the value is known now.
    pub evaluation: Option<Evaluation>,
    /// What causes the change, as the service says.
    pub cause: Option<String>,
    /// Why it changes, by the templates and parameters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<ReviewReason>,
    /// What the template says the value is, where that is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_template: Option<String>,
    /// Whether the value is masked.
    pub secret: bool,
    /// Where the property is written.
    pub place: Option<Place>,
    /// Whether other targets of the group have other values (accounts and regions inside ARNs).
    pub varies: bool,
    /// What was done to it outside CloudFormation, and what becomes of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<ReviewDrift>,
}

/// What was done to a property outside CloudFormation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReviewDrift {
    /// The value that the last deployment set.
    pub previous: Option<String>,
    /// The value that the resource has.
    pub actual: Option<String>,
    /// When that was found.
    pub detected: Option<Timestamp>,
    /// What becomes of it.
    pub fate: DriftFate,
}

impl ReviewDrift {
    fn of(property: &PropertyChange) -> Option<Self> {
        let drift = property.drift.as_ref()?;
        Some(Self {
            previous: drift.previous.clone(),
            actual: drift.actual.clone(),
            detected: drift.detected,
            fate: diff::drift_fate(drift, property.after.as_deref(), property.evaluation),
        })
    }
}

/// Why a property changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewReason {
    /// The template says something else.
    Template,
    /// A parameter has another value.
    Parameter {
        /// Its name.
        name: String,
        /// Where the value comes from.
        provenance: Option<Provenance>,
    },
}

/// A parameter and its values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReviewParameter {
    /// The parameter's name.
    pub name: String,
    /// The template that declares it.
    pub template: String,
    /// Its values, the most frequent first.
    pub values: Vec<ParameterUse>,
}

/// A value of a parameter, where it came from, and the targets that have it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParameterUse {
    /// The value; secrets are references.
    pub value: ParameterValue,
    /// Where it came from.
    pub provenance: Provenance,
    /// The values that the stacks of the targets have, as far as they are known.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub before: BTreeSet<String>,
    /// How the template's default changes although the stacks keep their values; of the first target where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultDiff>,
    /// The targets.
    pub targets: Vec<Target>,
}

impl ParameterUse {
    /// Returns whether it is known that a stack has another value than it is given.
    pub fn is_change(&self) -> bool {
        match &self.value {
            ParameterValue::Plain(after) | ParameterValue::Default(Some(after)) => {
                self.before.iter().any(|before| before != after)
            }
            ParameterValue::Previous
            | ParameterValue::Default(None)
            | ParameterValue::Secret(_) => false,
        }
    }
}

impl Review {
    /// Returns what there is to review in `view`.
    pub fn of(view: &View, sources: &dyn ReviewSources) -> Self {
        let planned = view.planned();
        let risks: Vec<Vec<Risk>> = planned.iter().map(|target| sources.risks(target)).collect();
        let groups = plan::group(&planned)
            .into_iter()
            .filter_map(|group| {
                let members = group.targets.iter().filter_map(|&at| planned.get(at));
                let found = group.targets.iter().filter_map(|&at| risks.get(at));
                group_of(
                    group.name,
                    &members.collect::<Vec<_>>(),
                    &found.flatten().collect::<Vec<_>>(),
                    sources,
                )
            })
            .map(|mut group| {
                group.executed_as = view.execute_roles(&group.targets);
                group.in_review = view.in_review(&group.targets);
                group.tags_before = view.tags_before(&group.targets);
                group
            })
            .collect();
        let all: Vec<Risk> = risks.iter().flatten().cloned().collect();
        let (parameters, common_parameters) = parameters(&planned, sources);
        Self {
            document: "review",
            version: DOCUMENT_VERSION,
            plan: view.plan(),
            risk: diff::level(&all),
            notes: view.notes(),
            risks: risk_groups(&risks),
            groups,
            parameters,
            common_parameters,
            waves: waves::reviewed(view),
            unchanged: targets_with(view, &|outcome| *outcome == TargetOutcome::NoChanges),
            not_planned: causes::not_planned(view),
            not_enabled: targets_with(view, &|outcome| {
                let reason = SkipReason::RegionNotEnabled;
                *outcome == TargetOutcome::Skipped { reason }
            }),
            left_out: view
                .definition()
                .map_or_else(Vec::new, |definition| definition.left_out.clone()),
        }
    }
}

fn targets_with(view: &View, is: &dyn Fn(&TargetOutcome) -> bool) -> Vec<Target> {
    let targets = view.targets().into_iter();
    let targets = targets.filter(|target| target.outcome().is_some_and(is));
    targets.map(|target| target.target().clone()).collect()
}

fn group_of(
    name: String,
    members: &[&PlannedTarget],
    risks: &[&Risk],
    sources: &dyn ReviewSources,
) -> Option<ReviewGroup> {
    let first = *members.first()?;
    let account = sources.account(first).unwrap_or_default();
    let mut resources: Vec<ReviewResource> = first
        .changes
        .iter()
        .map(|change| resource_of(change, first, members, risks, sources, &account))
        .collect();
    resources.sort_by_cached_key(|resource| {
        let weights = resource.risks.iter().map(Risk::weight);
        let risk = weights.max().unwrap_or(RiskLevel::Low);
        // Among changes of one kind, those that may do more harm come first, and high risks before all.
        let is_high = risk == RiskLevel::High;
        let (id, risk) = (resource.logical_id.clone(), Reverse(risk));
        (!is_high, urgency(resource), risk, id)
    });
    Some(ReviewGroup {
        name,
        targets: members.iter().map(|m| m.target.clone()).collect(),
        kind: first.kind,
        executed_as: BTreeSet::new(),
        in_review: Vec::new(),
        deleted_from: members
            .iter()
            .filter(|m| m.kind == ChangeSetKind::Delete)
            .map(|m| m.base.status)
            .collect(),
        callers: members.iter().map(|m| m.caller.clone()).collect(),
        capabilities: first.inputs.capabilities.clone(),
        role_arn: first.inputs.role_arn.clone(),
        tags: first.inputs.tags.clone().unwrap_or_default(),
        tags_before: BTreeMap::new(),
        // Those of a group differ in the places of their targets at most.
        options: match members {
            [_] => first.inputs.options.clone(),
            _ => first.inputs.options.unfilled(&first.target),
        },
        stack_policy: first.inputs.stack_policy.is_some(),
        policy: first.inputs.stack_policy.clone(),
        private_files: first.inputs.uploads.private_files(),
        settings_only: first.settings_only,
        drift: first.drift,
        change_sets: members
            .iter()
            .filter_map(|m| m.change_set.clone())
            .collect(),
        resources,
        impact: Impact {
            undescribed: account.undescribed,
            ..sources.impact(first)
        },
        template_diff: sources.template_diff(first),
    })
}

fn resource_of(
    change: &ResourceChange,
    first: &PlannedTarget,
    members: &[&PlannedTarget],
    risks: &[&Risk],
    sources: &dyn ReviewSources,
    account: &Account,
) -> ReviewResource {
    let mut own: Vec<Risk> = Vec::new();
    for risk in risks.iter().filter(|r| r.resource == change.logical_id) {
        if risk.setting() != Some(RiskSetting::Off) && !own.contains(risk) {
            own.push((*risk).clone());
        }
    }
    own.sort_by_key(|risk| Reverse(risk.level));
    let others: Vec<Vec<PropertyChange>> = members
        .iter()
        .skip(1)
        .filter_map(|m| m.changes.iter().find(|c| c.logical_id == change.logical_id))
        .filter(|other| *other != change)
        .map(diff::properties)
        .collect();
    let properties = diff::properties(change)
        .into_iter()
        .map(|property| {
            let path = diff::path_text(&property.path);
            let varies = others.iter().any(|other| {
                let same = other.iter().find(|p| diff::path_text(&p.path) == path);
                same.is_none_or(|p| values_of(p) != values_of(&property))
            });
            ReviewProperty {
                drift: ReviewDrift::of(&property),
                place: sources.place(first, &change.logical_id, Some(&property)),
                path,
                varies,
                before: property.before.clone(),
                after: property.after.clone(),
                recreation: property.recreation,
                evaluation: property.evaluation,
                reasons: reasons(account, change, &property, first),
                in_template: account
                    .other_value(&change.logical_id, &property)
                    .map(clean),
                cause: property.cause,
                secret: property.secret,
            }
        })
        .collect();
    ReviewResource {
        logical_id: change.logical_id.clone(),
        resource_type: change.resource_type.clone(),
        action: change.action,
        replacement: change.replacement,
        policy_action: change.policy_action,
        scope: change.scope.clone(),
        physical_id: change.physical_id.clone(),
        place: sources.place(first, &change.logical_id, None),
        risks: own,
        properties,
        is_nested: change.nested.is_some(),
        module: change.module.as_ref().map(|(_, ids)| ids.clone()),
        drift: change.drift.clone(),
    }
}

/// Returns the values of a property by which targets can differ.
fn values_of(property: &PropertyChange) -> impl PartialEq + '_ {
    let drift = property.drift.as_ref();
    let drift = drift.map(|drift| (&drift.previous, &drift.actual));
    (&property.before, &property.after, drift)
}

/// Returns why a property changes: what the templates and parameters tell, and the parameter that the service names.
fn reasons(
    account: &Account,
    change: &ResourceChange,
    property: &PropertyChange,
    target: &PlannedTarget,
) -> Vec<ReviewReason> {
    let parameter = |name: &str| {
        let mut parameters = target.inputs.parameters.iter();
        let known = parameters.find(|one| one.name == name);
        ReviewReason::Parameter {
            name: name.to_owned(),
            provenance: known.map(|one| one.provenance.clone()),
        }
    };
    let told = account.reasons(&change.logical_id, &property.path);
    let mut reasons: Vec<ReviewReason> = told
        .into_iter()
        .map(|reason| match reason {
            Reason::Template => ReviewReason::Template,
            Reason::Parameter(name) => parameter(name),
        })
        .collect();
    let named = property.cause.as_deref();
    if let Some(name) = named.and_then(|cause| cause.strip_prefix("parameter ")) {
        let named = parameter(name);
        if !reasons.contains(&named) {
            reasons.push(named);
        }
    }
    reasons
}

/// Returns the order in which kinds of changes are told: what may do harm first.
pub(super) fn urgency(resource: &ReviewResource) -> u8 {
    match (resource.action, resource.replacement) {
        (ChangeAction::Remove, _) => 0,
        (ChangeAction::Modify, Replacement::Will) => 1,
        (ChangeAction::Modify, Replacement::May | Replacement::Unknown) => 2,
        (ChangeAction::Dynamic, _) => 3,
        (ChangeAction::Modify, Replacement::No) => 4,
        (ChangeAction::Import, _) => 5,
        (ChangeAction::Add, _) => 6,
        (ChangeAction::SyncWithActual, _) => 7,
    }
}

fn risk_groups(risks: &[Vec<Risk>]) -> Vec<RiskGroup> {
    let mut groups: IndexMap<(RiskLevel, &str), RiskGroup> = IndexMap::new();
    for found in risks {
        let mut counted = BTreeSet::new();
        for risk in found {
            let key = (risk.level, risk.rule.as_str());
            let group = groups.entry(key).or_insert_with(|| RiskGroup {
                level: risk.level,
                rule: risk.rule.clone(),
                resources: BTreeSet::new(),
                targets: 0,
                findings: 0,
                chosen: risk.chosen.clone(),
            });
            group.findings += 1;
            group.resources.insert(risk.resource.clone());
            if counted.insert(key) {
                group.targets += 1;
            }
        }
    }
    let mut groups: Vec<RiskGroup> = groups.into_values().collect();
    groups.sort_by_key(|group| Reverse((group.level, group.findings)));
    groups
}

/// Returns the parameters that differ between targets, and those that do not.
fn parameters(
    planned: &[PlannedTarget],
    sources: &dyn ReviewSources,
) -> (Vec<ReviewParameter>, Vec<ReviewParameter>) {
    let mut parameters: IndexMap<(&str, &str), Vec<ParameterUse>> = IndexMap::new();
    for target in planned {
        for parameter in &target.inputs.parameters {
            let key = (
                target.inputs.template.path.as_str(),
                parameter.name.as_str(),
            );
            let uses = parameters.entry(key).or_default();
            let known = uses
                .iter_mut()
                .find(|u| u.value == parameter.value && u.provenance == parameter.provenance);
            let before = target.previous_parameters.get(&parameter.name).cloned();
            let default = match parameter.value {
                ParameterValue::Previous => sources.kept_default(target, &parameter.name),
                ParameterValue::Plain(_)
                | ParameterValue::Default(_)
                | ParameterValue::Secret(_) => None,
            };
            match known {
                Some(known) => {
                    known.targets.push(target.target.clone());
                    known.before.extend(before);
                    known.default = known.default.take().or(default);
                }
                None => uses.push(ParameterUse {
                    value: parameter.value.clone(),
                    provenance: parameter.provenance.clone(),
                    before: before.into_iter().collect(),
                    default,
                    targets: vec![target.target.clone()],
                }),
            }
        }
    }
    let differs = |parameter: &ReviewParameter| {
        let mut texts = parameter.values.iter().map(|u| words::parameter(&u.value));
        let first = texts.next();
        texts.any(|text| Some(text) != first)
    };
    parameters
        .into_iter()
        .map(|((template, name), mut values)| {
            values.sort_by_key(|u| Reverse(u.targets.len()));
            ReviewParameter {
                name: name.to_owned(),
                template: template.to_owned(),
                values,
            }
        })
        .partition(differs)
}
