//! The record that an approval is bound to.
//!
//! It holds all that an execution will do, and nothing about the machine that does it. Its JSON is canonical: the fields
//! below are declared in the order of their names, maps are sorted, and lists whose order means nothing are sorted too;
//! only the targets of a fan-out and the regions of its preferences keep their order, which is the order of execution.
//! Changing what the record holds or how it is written needs a new [`VERSION`].

mod drift;

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufWriter;

use serde::Serialize;
use serde_json::Value;

use self::drift::{PropertyDriftRecord, ResourceDriftRecord, SetDriftRecord};
use super::canonical::{Sha, Sorted, sorted, sorted_changes, sorted_details};
use crate::model::{
    AccountId, AccountState, ActionCategory, ActionDeclaration, ActionTypeId, Base, BucketObject,
    ChangeAction, ChangeDetail, ChangeScope, ChangeSetId, ChangeSetKind, ChangeSetName,
    ConcurrencyMode, CountOrPercent, Digest, EffectiveParameter, Evaluation, ExecutionDefinition,
    FanOut, Gate, GoneExport, ImportedResource, LeftOut, LeftOutWhy, LogicalId, NamedArtifact,
    OnStackFailure, OperationPreferences, OverrideLine, PackagedObject, ParameterValue,
    PipelineDeclaration, PlannedTarget, PolicyAction, Recreation, Region, RegionConcurrency,
    Replacement, ResourceChange, RollbackTrigger, StackId, StackOptions, StackStatus,
    StageDeclaration, Target, TargetInputs, TargetSpec, Uploads, Wave,
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
    /// The targets whose account does not have the region, in any order.
    pub not_enabled: &'a [Target],
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
    /// Who approves saw that these were looked at and are no targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<LeftOutRecord<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_enabled: Vec<&'a Target>,
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
        not_enabled,
    } = *input;
    let ExecutionDefinition {
        pipeline,
        // Where the program ran, as whom and against which endpoint is not what it will do.
        invocation: _,
        // References to secrets name places on one machine. What was made with them, the change sets'
        // ARNs fix.
        secrets: _,
        allow_literal_secrets: _,
        left_out,
    } = definition;
    let mut left_out: Vec<&LeftOut> = left_out.iter().collect();
    left_out.sort_unstable();
    let mut targets: Vec<&PlannedTarget> = planned.iter().collect();
    targets.sort_by(|a, b| (&a.target, &a.change_set).cmp(&(&b.target, &b.change_set)));
    PlanRecord {
        failed: sorted_targets(failed),
        left_out: left_out.into_iter().map(LeftOutRecord::of).collect(),
        not_enabled: sorted_targets(not_enabled),
        pipeline: PipelineRecord::of(pipeline),
        targets: targets.into_iter().map(PlannedRecord::of).collect(),
        unchanged: sorted_targets(unchanged),
        version: VERSION,
    }
}

#[derive(Serialize)]
struct LeftOutRecord<'a> {
    account: &'a AccountId,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a Region>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<AccountState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a str>,
}

impl<'a> LeftOutRecord<'a> {
    fn of(left_out: &'a LeftOut) -> Self {
        let LeftOut {
            account,
            region,
            why,
        } = left_out;
        let (reason, state, tag) = match why {
            LeftOutWhy::ManagementAccount => ("management_account", None, None),
            LeftOutWhy::NotActive { state } => ("not_active", Some(*state), None),
            LeftOutWhy::Excluded => ("excluded", None, None),
            LeftOutWhy::OutsideUnits => ("outside_units", None, None),
            LeftOutWhy::WithoutTag { tag } => ("without_tag", None, Some(tag.as_str())),
        };
        Self {
            account,
            reason,
            region: region.as_ref(),
            state,
            tag,
        }
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
        // Where they stand in a file changes nothing.
        ActionCategory::Deploy => !["ParameterOverrides", OverrideLine::KEY].contains(&key),
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
    /// Their order is the order of execution.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waves: Vec<WaveRecord<'a>>,
}

impl<'a> FanOutRecord<'a> {
    fn of(fan_out: &'a FanOut) -> Self {
        let FanOut {
            targets,
            preferences,
            waves,
        } = fan_out;
        Self {
            preferences: PreferencesRecord::of(preferences),
            targets: targets.iter().map(SpecRecord::of).collect(),
            waves: waves.iter().map(WaveRecord::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct WaveRecord<'a> {
    gates: &'a [Gate],
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferences: Option<PreferencesRecord<'a>>,
    targets: &'a [Target],
}

impl<'a> WaveRecord<'a> {
    fn of(wave: &'a Wave) -> Self {
        let Wave {
            name,
            targets,
            preferences,
            gates,
        } = wave;
        Self {
            gates,
            name: name.as_str(),
            preferences: preferences.as_ref().map(PreferencesRecord::of),
            targets,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<SetDriftRecord>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gone_exports: Vec<GoneExportRecord<'a>>,
    kind: ChangeSetKind,
    name: &'a ChangeSetName,
    options: OptionsRecord<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packaged: Option<Digest>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    uploads: Option<UploadsRecord<'a>>,
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
            previous_parameters: _,
            settings_only,
            retain,
            gone_exports,
            drift,
        } = planned;
        let TargetInputs {
            // The bytes count, not what their file is called.
            template: _,
            template_digest,
            packaged,
            uploads,
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
            drift: drift.as_ref().map(SetDriftRecord::of),
            gone_exports: gone_export_records(gone_exports),
            kind: *kind,
            name,
            options: OptionsRecord::of(options),
            packaged: *packaged,
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
            uploads: UploadsRecord::of(uploads),
        }
    }
}

#[derive(Serialize)]
struct UploadsRecord<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    packaged: Vec<PackagedRecord<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<ObjectRecord<'a>>,
}

impl<'a> UploadsRecord<'a> {
    fn of(uploads: &'a Uploads) -> Option<Self> {
        let Uploads { template, packaged } = uploads;
        let mut packaged: Vec<_> = packaged.iter().map(PackagedRecord::of).collect();
        packaged.sort_unstable();
        let record = Self {
            packaged,
            template: template.as_ref().map(ObjectRecord::of),
        };
        (!uploads.is_empty()).then_some(record)
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct PackagedRecord<'a> {
    is_pinned: bool,
    object: ObjectRecord<'a>,
    path: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    private: Vec<&'a str>,
}

impl<'a> PackagedRecord<'a> {
    fn of(packaged: &'a PackagedObject) -> Self {
        let PackagedObject {
            path,
            object,
            is_pinned,
            private,
        } = packaged;
        let mut private: Vec<&str> = private.iter().map(String::as_str).collect();
        private.sort_unstable();
        Self {
            is_pinned: *is_pinned,
            object: ObjectRecord::of(object),
            path,
            private,
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct ObjectRecord<'a> {
    bucket: &'a str,
    digest: Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<&'a str>,
    key: &'a str,
    owner: &'a AccountId,
    region: &'a Region,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
}

impl<'a> ObjectRecord<'a> {
    fn of(object: &'a BucketObject) -> Self {
        let BucketObject {
            bucket,
            owner,
            region,
            key,
            digest,
            version,
            etag,
        } = object;
        Self {
            bucket,
            digest: *digest,
            etag: etag.as_deref(),
            key,
            owner,
            region,
            version: version.as_deref(),
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct GoneExportRecord<'a> {
    imported_by: Vec<&'a str>,
    name: &'a str,
    output: &'a LogicalId,
}

fn gone_export_records(gone: &[GoneExport]) -> Vec<GoneExportRecord<'_>> {
    let records = gone.iter().map(|gone| {
        let GoneExport {
            output,
            name,
            imported_by,
        } = gone;
        let mut imported_by: Vec<&str> = imported_by.iter().map(String::as_str).collect();
        imported_by.sort_unstable();
        GoneExportRecord {
            imported_by,
            name,
            output,
        }
    });
    let mut records: Vec<_> = records.collect();
    records.sort_unstable();
    records
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
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    revert_drift: bool,
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
            revert_drift,
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
            revert_drift: *revert_drift,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<ResourceDriftRecord<'a>>,
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
            drift,
        } = change;
        Self {
            action: *action,
            after: after.as_ref().map(Sorted),
            before: before.as_ref().map(Sorted),
            details: sorted_details(details)
                .into_iter()
                .map(DetailRecord::of)
                .collect(),
            drift: drift.as_ref().map(ResourceDriftRecord::of),
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
    drift: Option<PropertyDriftRecord<'a>>,
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
            drift,
        } = detail;
        Self {
            after: after.as_deref(),
            attribute: *attribute,
            before: before.as_deref(),
            causing_entity: causing_entity.as_deref(),
            drift: drift.as_ref().map(PropertyDriftRecord::of),
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
mod tests;
