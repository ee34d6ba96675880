//! The record that an approval is bound to.
//!
//! It holds all that an execution will do, and nothing about the machine that does it. Its JSON is canonical: the fields
//! below are declared in the order of their names, maps are sorted, and lists whose order means nothing are sorted too;
//! only the targets of a fan-out and the regions of its preferences keep their order, which is the order of execution.
//! Changing what the record holds or how it is written needs a new [`VERSION`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufWriter;

use serde::Serialize;
use serde_json::Value;

use super::canonical::{Sha, Sorted, sorted, sorted_changes, sorted_details};
use crate::model::{
    ActionCategory, ActionDeclaration, ActionTypeId, Base, ChangeAction, ChangeDetail, ChangeScope,
    ChangeSetId, ChangeSetKind, ChangeSetName, ConcurrencyMode, CountOrPercent, Digest,
    EffectiveParameter, Evaluation, ExecutionDefinition, FanOut, ImportedResource, LogicalId,
    NamedArtifact, OnStackFailure, OperationPreferences, ParameterValue, PipelineDeclaration,
    PlannedTarget, PolicyAction, Recreation, Region, RegionConcurrency, Replacement,
    ResourceChange, RollbackTrigger, StackId, StackOptions, StackStatus, StageDeclaration, Target,
    TargetInputs, TargetSpec,
};

/// The version of the record.
const VERSION: u32 = 2;

/// What a plan is made of.
#[derive(Debug, Clone, Copy)]
pub struct PlanInput<'a> {
    /// What the execution was started with.
    pub definition: &'a ExecutionDefinition,
    /// The targets with a change set, in any order.
    pub planned: &'a [PlannedTarget],
    /// The targets with nothing to change, in any order.
    pub unchanged: &'a [Target],
    /// The targets for which no change set could be made, in any order.
    pub failed: &'a [Target],
}

/// Returns the digest of the plan: SHA-256 over its canonical [`record`].
pub fn digest(input: &PlanInput<'_>) -> Digest {
    let mut writer = BufWriter::with_capacity(1 << 16, Sha::default());
    // Writing JSON fails if the writer fails, or for keys that are not texts. A hash never fails, and every
    // key of the record is a text.
    serde_json::to_writer(&mut writer, &plan_record(input)).expect("the record is valid JSON");
    let sha = writer.into_inner().map_err(|failed| failed.into_error());
    sha.expect("a hash takes every byte").finish()
}

/// Returns the canonical record of the plan, for inspection.
pub fn record(input: &PlanInput<'_>) -> Value {
    // As above: every key of the record is a text.
    serde_json::to_value(plan_record(input)).expect("the record is valid JSON")
}

/// Returns the canonical record of one change.
pub(super) fn change_record(change: &ResourceChange) -> impl Serialize + '_ {
    ChangeRecord::of(change)
}

#[derive(Serialize)]
struct PlanRecord<'a> {
    failed: Vec<&'a Target>,
    pipeline: PipelineRecord<'a>,
    targets: Vec<PlannedRecord<'a>>,
    unchanged: Vec<&'a Target>,
    version: u32,
}

fn plan_record<'a>(input: &PlanInput<'a>) -> PlanRecord<'a> {
    let PlanInput {
        definition,
        planned,
        unchanged,
        failed,
    } = *input;
    let ExecutionDefinition {
        pipeline,
        // Where the program ran, as whom and against which endpoint is not what it will do.
        invocation: _,
        // References to secrets name places on one machine. What was made with them, the change sets'
        // ARNs fix.
        secrets: _,
        allow_literal_secrets: _,
    } = definition;
    let mut targets: Vec<&PlannedTarget> = planned.iter().collect();
    targets.sort_by(|a, b| (&a.target, &a.change_set).cmp(&(&b.target, &b.change_set)));
    PlanRecord {
        failed: sorted_targets(failed),
        pipeline: PipelineRecord::of(pipeline),
        targets: targets.into_iter().map(PlannedRecord::of).collect(),
        unchanged: sorted_targets(unchanged),
        version: VERSION,
    }
}

fn sorted_targets(targets: &[Target]) -> Vec<&Target> {
    let mut targets: Vec<_> = targets.iter().collect();
    targets.sort_unstable();
    targets
}

#[derive(Serialize)]
struct PipelineRecord<'a> {
    name: &'a str,
    stages: Vec<StageRecord<'a>>,
}

impl<'a> PipelineRecord<'a> {
    fn of(pipeline: &'a PipelineDeclaration) -> Self {
        let PipelineDeclaration { name, stages } = pipeline;
        Self {
            name,
            stages: stages.iter().map(StageRecord::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct StageRecord<'a> {
    actions: Vec<ActionRecord<'a>>,
    name: &'a str,
}

impl<'a> StageRecord<'a> {
    fn of(stage: &'a StageDeclaration) -> Self {
        let StageDeclaration { name, actions } = stage;
        Self {
            actions: actions.iter().map(ActionRecord::of).collect(),
            name: name.as_str(),
        }
    }
}

#[derive(Serialize)]
struct ActionRecord<'a> {
    category: ActionCategory,
    configuration: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fan_out: Option<FanOutRecord<'a>>,
    input_artifacts: Vec<&'a str>,
    name: &'a str,
    output_artifacts: Vec<&'a str>,
    owner: &'a str,
    provider: &'a str,
    run_order: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_in_minutes: Option<u32>,
    version: &'a str,
}

impl<'a> ActionRecord<'a> {
    fn of(action: &'a ActionDeclaration) -> Self {
        let ActionDeclaration {
            name,
            action_type_id,
            run_order,
            configuration,
            input_artifacts,
            output_artifacts,
            timeout_in_minutes,
            fan_out,
        } = action;
        let ActionTypeId {
            category,
            owner,
            provider,
            version,
        } = action_type_id;
        Self {
            category: *category,
            configuration: configuration
                .iter()
                .filter(|(key, _)| is_recorded(*category, key))
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect(),
            fan_out: fan_out.as_ref().map(FanOutRecord::of),
            input_artifacts: artifact_names(input_artifacts),
            name: name.as_str(),
            output_artifacts: artifact_names(output_artifacts),
            owner,
            provider,
            run_order: *run_order,
            timeout_in_minutes: *timeout_in_minutes,
            version,
        }
    }
}

/// Returns whether a setting of an action belongs into the record.
fn is_recorded(category: ActionCategory, key: &str) -> bool {
    match category {
        // Names folders of one machine. What came out of them, each target's inputs fix.
        ActionCategory::Source => false,
        // May hold literal secrets. Its values are among each target's parameters, which know secrets.
        ActionCategory::Deploy => key != "ParameterOverrides",
        ActionCategory::Build
        | ActionCategory::Test
        | ActionCategory::Invoke
        | ActionCategory::Approval
        | ActionCategory::Compute => true,
    }
}

fn artifact_names(artifacts: &[NamedArtifact]) -> Vec<&str> {
    artifacts.iter().map(|a| a.name.as_str()).collect()
}

#[derive(Serialize)]
struct FanOutRecord<'a> {
    preferences: PreferencesRecord<'a>,
    targets: Vec<SpecRecord<'a>>,
}

impl<'a> FanOutRecord<'a> {
    fn of(fan_out: &'a FanOut) -> Self {
        let FanOut {
            targets,
            preferences,
        } = fan_out;
        Self {
            preferences: PreferencesRecord::of(preferences),
            targets: targets.iter().map(SpecRecord::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct PreferencesRecord<'a> {
    concurrency_mode: ConcurrencyMode,
    failure_tolerance: CountOrPercent,
    max_concurrent: CountOrPercent,
    region_concurrency: RegionConcurrency,
    region_order: &'a [Region],
}

impl<'a> PreferencesRecord<'a> {
    fn of(preferences: &'a OperationPreferences) -> Self {
        let OperationPreferences {
            region_order,
            region_concurrency,
            max_concurrent,
            failure_tolerance,
            concurrency_mode,
        } = preferences;
        Self {
            concurrency_mode: *concurrency_mode,
            failure_tolerance: *failure_tolerance,
            max_concurrent: *max_concurrent,
            region_concurrency: *region_concurrency,
            region_order,
        }
    }
}

#[derive(Serialize)]
struct SpecRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    execute_role_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_arn: Option<&'a str>,
    target: &'a Target,
}

impl<'a> SpecRecord<'a> {
    fn of(spec: &'a TargetSpec) -> Self {
        let TargetSpec {
            target,
            role_arn,
            execute_role_arn,
        } = spec;
        Self {
            execute_role_arn: execute_role_arn.as_deref(),
            role_arn: role_arn.as_deref(),
            target,
        }
    }
}

#[derive(Serialize)]
struct PlannedRecord<'a> {
    base: BaseRecord<'a>,
    capabilities: &'a BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change_set: Option<&'a ChangeSetId>,
    changes: Vec<ChangeRecord<'a>>,
    kind: ChangeSetKind,
    name: &'a ChangeSetName,
    options: OptionsRecord<'a>,
    parameters: Vec<ParameterRecord<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    retain: Vec<&'a LogicalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_arn: Option<&'a str>,
    settings_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack_policy: Option<&'a str>,
    tags: &'a BTreeMap<String, String>,
    target: &'a Target,
    template: Digest,
}

impl<'a> PlannedRecord<'a> {
    fn of(planned: &'a PlannedTarget) -> Self {
        let PlannedTarget {
            target,
            // A session of the same role may go on with the execution.
            caller: _,
            kind,
            name,
            change_set,
            inputs,
            changes,
            base,
            // Kept to show what changes; which template the stack has, the base fixes.
            previous_template: _,
            settings_only,
            retain,
        } = planned;
        let TargetInputs {
            // The bytes count, not what their file is called.
            template: _,
            template_digest,
            parameters,
            tags,
            capabilities,
            role_arn,
            stack_policy,
            options,
        } = inputs;
        Self {
            base: BaseRecord::of(base),
            capabilities,
            change_set: change_set.as_ref(),
            changes: sorted_changes(changes)
                .into_iter()
                .map(ChangeRecord::of)
                .collect(),
            kind: *kind,
            name,
            options: OptionsRecord::of(options),
            parameters: parameter_records(parameters),
            retain: {
                let mut retain: Vec<_> = retain.iter().collect();
                retain.sort_unstable();
                retain
            },
            role_arn: role_arn.as_deref(),
            settings_only: *settings_only,
            stack_policy: stack_policy.as_deref(),
            tags,
            target,
            template: *template_digest,
        }
    }
}

#[derive(Serialize)]
struct OptionsRecord<'a> {
    disable_rollback: bool,
    import_existing_resources: bool,
    include_nested_stacks: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    monitoring_minutes: Option<u8>,
    notification_arns: &'a BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_stack_failure: Option<OnStackFailure>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    resources_to_import: BTreeMap<&'a LogicalId, ImportRecord<'a>>,
    rollback_triggers: &'a BTreeSet<RollbackTrigger>,
    #[serde(skip_serializing_if = "Option::is_none")]
    termination_protection: Option<bool>,
}

impl<'a> OptionsRecord<'a> {
    fn of(options: &'a StackOptions) -> Self {
        let StackOptions {
            notification_arns,
            on_stack_failure,
            disable_rollback,
            rollback_triggers,
            monitoring_minutes,
            import_existing_resources,
            resources_to_import,
            include_nested_stacks,
            termination_protection,
        } = options;
        Self {
            disable_rollback: *disable_rollback,
            import_existing_resources: *import_existing_resources,
            include_nested_stacks: *include_nested_stacks,
            monitoring_minutes: *monitoring_minutes,
            notification_arns,
            on_stack_failure: *on_stack_failure,
            resources_to_import: resources_to_import
                .iter()
                .map(|(id, resource)| (id, ImportRecord::of(resource)))
                .collect(),
            rollback_triggers,
            termination_protection: *termination_protection,
        }
    }
}

#[derive(Serialize)]
struct ImportRecord<'a> {
    identifier: &'a BTreeMap<String, String>,
    resource_type: &'a str,
}

impl<'a> ImportRecord<'a> {
    fn of(resource: &'a ImportedResource) -> Self {
        let ImportedResource {
            resource_type,
            identifier,
        } = resource;
        Self {
            identifier,
            resource_type,
        }
    }
}

/// A parameter; of a secret only that it is one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct ParameterRecord<'a> {
    pub(super) kind: &'static str,
    pub(super) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
}

impl<'a> ParameterRecord<'a> {
    fn of(parameter: &'a EffectiveParameter) -> Self {
        let EffectiveParameter {
            name,
            value,
            // Which file gave the value does not change what is done with it.
            provenance: _,
        } = parameter;
        let (kind, text) = match value {
            ParameterValue::Plain(text) => ("plain", Some(text.as_str())),
            ParameterValue::Default(text) => ("default", text.as_deref()),
            ParameterValue::Previous => ("previous", None),
            ParameterValue::Secret(_) => ("secret", None),
        };
        Self { kind, name, text }
    }
}

/// Returns the records of `parameters`, sorted by name.
pub(super) fn parameter_records(parameters: &[EffectiveParameter]) -> Vec<ParameterRecord<'_>> {
    let mut records: Vec<_> = parameters.iter().map(ParameterRecord::of).collect();
    records.sort_unstable_by_key(|record| (record.name, record.kind, record.text));
    records
}

#[derive(Serialize)]
struct BaseRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_event: Option<&'a str>,
    stack: &'a StackId,
    status: StackStatus,
}

impl<'a> BaseRecord<'a> {
    fn of(base: &'a Base) -> Self {
        let Base {
            stack,
            status,
            newest_event,
        } = base;
        Self {
            newest_event: newest_event.as_deref(),
            stack,
            status: *status,
        }
    }
}

#[derive(Serialize)]
struct ChangeRecord<'a> {
    action: ChangeAction,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Sorted<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Sorted<'a>>,
    details: Vec<DetailRecord<'a>>,
    logical_id: &'a LogicalId,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<&'a (String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nested: Option<&'a ChangeSetId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    physical_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_action: Option<PolicyAction>,
    #[serde(serialize_with = "replacement")]
    replacement: Replacement,
    resource_type: &'a str,
    scope: Vec<ChangeScope>,
}

impl<'a> ChangeRecord<'a> {
    fn of(change: &'a ResourceChange) -> Self {
        let ResourceChange {
            logical_id,
            resource_type,
            physical_id,
            action,
            replacement,
            policy_action,
            scope,
            details,
            before,
            after,
            nested,
            module,
        } = change;
        Self {
            action: *action,
            after: after.as_ref().map(Sorted),
            before: before.as_ref().map(Sorted),
            details: sorted_details(details)
                .into_iter()
                .map(DetailRecord::of)
                .collect(),
            logical_id,
            module: module.as_ref(),
            nested: nested.as_ref(),
            physical_id: physical_id.as_deref(),
            policy_action: *policy_action,
            replacement: *replacement,
            resource_type,
            scope: sorted(scope),
        }
    }
}

#[derive(Serialize)]
struct DetailRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribute: Option<ChangeScope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causing_entity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluation: Option<Evaluation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(serialize_with = "recreation")]
    recreation: Recreation,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
}

impl<'a> DetailRecord<'a> {
    fn of(detail: &'a ChangeDetail) -> Self {
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
        } = detail;
        Self {
            after: after.as_deref(),
            attribute: *attribute,
            before: before.as_deref(),
            causing_entity: causing_entity.as_deref(),
            evaluation: *evaluation,
            name: name.as_deref(),
            path: path.as_deref(),
            recreation: *recreation,
            source: source.as_deref(),
        }
    }
}

// The record's own spelling, which stays as it is wherever else these are written: another one would
// give every plan another digest.

fn replacement<S: serde::Serializer>(value: &Replacement, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match value {
        Replacement::No => "No",
        Replacement::May => "May",
        Replacement::Will => "Will",
        Replacement::Unknown => "Unknown",
    })
}

fn recreation<S: serde::Serializer>(value: &Recreation, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match value {
        Recreation::Never => "Never",
        Recreation::Conditionally => "Conditionally",
        Recreation::Always => "Always",
        Recreation::Unknown => "Unknown",
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::sample::{Plan, plan};
    use super::*;

    fn digest_of(plan: &Plan) -> Digest {
        digest(&plan.input())
    }

    #[test]
    fn the_digest_is_the_hash_of_the_record() {
        let plan = plan();
        let text = serde_json::to_vec(&record(&plan.input())).unwrap();
        assert_eq!(digest_of(&plan), Digest::of(&text));
    }

    #[test]
    fn version_2_stays_as_it_is() {
        // Approvals that are waiting for their answer hold this digest. A new one needs a new `VERSION`.
        assert_eq!(VERSION, 2);
        // What came later leaves no trace where it is not used.
        let mut plan = plan();
        let stages = &mut plan.definition.pipeline.stages;
        for action in stages.iter_mut().flat_map(|stage| &mut stage.actions) {
            for spec in action.fan_out.iter_mut().flat_map(|f| &mut f.targets) {
                spec.execute_role_arn = None;
            }
        }
        for planned in &mut plan.planned {
            planned.inputs.options.resources_to_import.clear();
        }
        assert_eq!(
            digest_of(&plan).to_string(),
            "7da2450ee0f85c967470a64ac5e0264b29f50dafaa9dc7e945f3777d3c0886ea"
        );
    }

    #[test]
    fn the_record_is_canonical_json() {
        fn check(value: &Value, path: &str) {
            if let Value::Object(members) = value {
                let keys: Vec<_> = members.keys().collect();
                assert!(keys.is_sorted(), "{path}: {keys:?}");
            }
            for (key, value) in children(value) {
                check(value, &format!("{path}/{key}"));
            }
        }
        check(&record(&plan().input()), "");
    }

    #[test]
    fn secrets_and_the_machine_stay_out_of_the_record() {
        let text = record(&plan().input()).to_string();
        for word in [
            "DATABASE_PASSWORD",
            "hunter2",
            "/home/ana",
            "127.0.0.1",
            "Deployer",
            "parameter-overrides",
        ] {
            assert!(!text.contains(word), "{word}");
        }
        assert!(text.contains(r#"{"kind":"secret","name":"Password"}"#));
    }

    // --- every field: change one at a time, and see whether the digest does

    /// What is no part of what an execution will do, as beginnings of paths; `*` is any one step.
    const NOT_RECORDED: &[&str] = &[
        "definition/invocation",
        "definition/secrets",
        "definition/allow_literal_secrets",
        "definition/pipeline/stages/0/actions/0/configuration",
        "definition/pipeline/stages/2/actions/0/configuration/ParameterOverrides",
        "planned/*/caller",
        "planned/*/previous_template",
        "planned/*/inputs/template/",
        "planned/*/inputs/parameters/*/provenance",
        "planned/*/inputs/parameters/*/value/secret",
    ];

    /// Texts to put in the place of another; each kind of value in a plan accepts one of them.
    const OTHER_TEXTS: &[&str] = &[
        "999999999999",
        "ap-south-1",
        "Other",
        "other",
        "Remove",
        "Will",
        "Retain",
        "Metadata",
        "Always",
        "Dynamic",
        "Static",
        "CREATE",
        "UPDATE_COMPLETE",
        "Compute",
        "7%",
        "soft",
        "parallel",
        "override",
        "region",
        "env:OTHER",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ];

    fn children(value: &Value) -> Vec<(String, &Value)> {
        match value {
            Value::Object(members) => members.iter().map(|(k, v)| (k.clone(), v)).collect(),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items.map(|(i, v)| (i.to_string(), v)).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        }
    }

    fn to_json(plan: &Plan) -> Value {
        json!({
            "definition": plan.definition, "planned": plan.planned,
            "unchanged": plan.unchanged, "failed": plan.failed,
        })
    }

    fn from_json(value: &Value) -> Option<Plan> {
        let part = |name: &str| value.get(name).cloned().unwrap_or_default();
        Some(Plan {
            definition: serde_json::from_value(part("definition")).ok()?,
            planned: serde_json::from_value(part("planned")).ok()?,
            unchanged: serde_json::from_value(part("unchanged")).ok()?,
            failed: serde_json::from_value(part("failed")).ok()?,
        })
    }

    /// Returns the paths of everything in `value`, as JSON pointers without the first slash.
    fn paths(value: &Value, path: &str, all: &mut Vec<String>) {
        for (key, child) in children(value) {
            let path = match path {
                "" => key,
                path => format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")),
            };
            paths(child, &path, all);
            all.push(path);
        }
    }

    fn is_recorded_path(path: &str) -> bool {
        !NOT_RECORDED.iter().any(|prefix| {
            let path = format!("{path}/");
            let mut steps = path.split('/');
            prefix
                .trim_end_matches('/')
                .split('/')
                .all(|wanted| steps.next().is_some_and(|s| wanted == "*" || wanted == s))
        })
    }

    /// Returns plans that differ from `plan` at `path` only: with another value there, and with none.
    fn mutants(plan: &Plan, whole: &Value, path: &str) -> Vec<Plan> {
        let pointer = format!("/{path}");
        let with = |change: &dyn Fn(&mut Value)| {
            let mut copy = whole.clone();
            change(&mut copy);
            from_json(&copy).filter(|mutant| mutant != plan)
        };
        let other =
            |value: Value| with(&|copy| *copy.pointer_mut(&pointer).unwrap() = value.clone());
        let replaced = match whole.pointer(&pointer).unwrap() {
            Value::String(_) => (OTHER_TEXTS.iter())
                .map(|text| json!(text))
                .chain([json!({"plain": "other"})])
                .find_map(other),
            Value::Number(number) => other(json!(number.as_u64().unwrap() + 1)),
            Value::Bool(flag) => other(json!(!flag)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let removed = with(&|copy| match copy.pointer_mut(parent).unwrap() {
            Value::Object(members) => {
                members.shift_remove(key);
            }
            Value::Array(items) => {
                items.remove(key.parse().unwrap());
            }
            other => panic!("{other} has no members"),
        });
        replaced.into_iter().chain(removed).collect()
    }

    #[test]
    fn invariant_the_digest_changes_with_every_field_that_matters_and_no_other() {
        let mut plan = plan();
        plan.planned.truncate(1);
        let whole = to_json(&plan);
        assert_eq!(from_json(&whole).as_ref(), Some(&plan));
        let mut all = Vec::new();
        paths(&whole, "", &mut all);
        let (mut seen, mut unseen) = (0, 0);
        for path in &all {
            let mutants = mutants(&plan, &whole, path);
            match whole.pointer(&format!("/{path}")).unwrap() {
                Value::Array(_) | Value::Object(_) => {}
                leaf => assert!(!mutants.is_empty(), "{path}: {leaf} was never changed"),
            }
            for mutant in mutants {
                let changed = digest_of(&mutant) != digest_of(&plan);
                assert_eq!(changed, is_recorded_path(path), "{path} in {mutant:?}");
                *(if changed { &mut seen } else { &mut unseen }) += 1;
            }
        }
        assert!(seen > 200 && unseen > 20, "{seen} {unseen}");
    }

    #[test]
    fn every_part_of_the_model_is_filled_in_by_the_sample() {
        // Otherwise the test above would not see a field that the record forgets.
        let text = to_json(&plan()).to_string();
        for word in [
            "nested",
            "module",
            "policy_action",
            "causing_entity",
            "newest_event",
            "stack_policy",
            "notification_arns",
            "on_stack_failure",
            "disable_rollback",
            "rollback_triggers",
            "monitoring_minutes",
            "import_existing_resources",
            "resources_to_import",
            "include_nested_stacks",
            "termination_protection",
            "settings_only",
            "role_arn",
            "execute_role_arn",
            "timeoutInMinutes",
            "fanOut",
            "inputArtifacts",
            "endpoint_url",
        ] {
            assert!(text.contains(&format!("\"{word}\"")), "{word}");
        }
    }

    #[test]
    fn the_order_of_execution_is_recorded() {
        let original = plan();
        let mut swapped = plan();
        let action = &mut swapped.definition.pipeline.stages[2].actions[0];
        action.fan_out.as_mut().unwrap().targets.reverse();
        assert_ne!(digest_of(&original), digest_of(&swapped));
        let mut swapped = plan();
        let action = &mut swapped.definition.pipeline.stages[2].actions[0];
        let preferences = &mut action.fan_out.as_mut().unwrap().preferences;
        preferences.region_order.reverse();
        assert_ne!(digest_of(&original), digest_of(&swapped));
    }

    #[test]
    fn targets_do_not_move_between_the_lists_unseen() {
        let original = plan();
        let mut moved = plan();
        let target = moved.failed.remove(0);
        moved.unchanged.push(target);
        assert_ne!(digest_of(&original), digest_of(&moved));
    }

    #[test]
    fn changes_of_one_logical_id_are_ordered_by_all_they_say() {
        let mut one = plan();
        let mut twin = one.planned[0].changes[0].clone();
        twin.after = Some(json!({"Properties": {}}));
        one.planned[0].changes.push(twin);
        let mut other = one.clone();
        other.planned[0].changes.reverse();
        assert_eq!(digest_of(&one), digest_of(&other));
    }

    /// Returns `value` with the members of every object in reverse.
    fn reversed(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let members = members.iter().rev();
                Value::Object(members.map(|(k, v)| (k.clone(), reversed(v))).collect())
            }
            Value::Array(items) => items.iter().map(reversed).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }

    fn shuffled<T: Clone + std::fmt::Debug + 'static>(items: &[T]) -> BoxedStrategy<Vec<T>> {
        Just(items.to_vec()).prop_shuffle().boxed()
    }

    /// Plans that are equal to the sample but for orders that mean nothing.
    fn reordered() -> impl Strategy<Value = Plan> {
        let plan = plan();
        let changes = plan.planned[0].changes.clone();
        let queue = changes[2].clone();
        (
            shuffled(&plan.planned),
            shuffled(&plan.unchanged),
            shuffled(&plan.failed),
            shuffled(&changes),
            shuffled(&queue.details),
            shuffled(&queue.scope),
            shuffled(&plan.planned[0].inputs.parameters),
            any::<bool>(),
        )
            .prop_map(
                move |(planned, unchanged, failed, changes, details, scope, parameters, flip)| {
                    let mut plan = Plan {
                        definition: plan.definition.clone(),
                        planned,
                        unchanged,
                        failed,
                    };
                    let first = (plan.planned.iter_mut())
                        .find(|p| p.target.place() == "111111111111/us-east-1")
                        .unwrap();
                    first.changes = changes;
                    first.inputs.parameters = parameters;
                    let queue = (first.changes.iter_mut())
                        .find(|c| c.logical_id.as_str() == "Queue")
                        .unwrap();
                    queue.details = details;
                    queue.scope = scope;
                    if flip {
                        plan = from_json(&reversed(&to_json(&plan))).unwrap();
                    }
                    plan
                },
            )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn invariant_the_digest_does_not_depend_on_orders_that_mean_nothing(other in reordered()) {
            prop_assert_eq!(digest_of(&other), digest_of(&plan()));
            prop_assert_eq!(record(&other.input()).to_string(), record(&plan().input()).to_string());
        }
    }
}
