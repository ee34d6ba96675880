//! The record that an approval is bound to.
//!
//! It holds all that an execution will do, and nothing about the machine that does it. Its JSON is canonical: the fields
//! below are declared in the order of their names, maps are sorted, and lists whose order means nothing are sorted too;
//! only the targets of a fan-out and the regions of its preferences keep their order, which is the order of execution.
//! Changing what the record holds or how it is written needs a new [`VERSION`]; plans of the versions before it are still
//! known by theirs.

mod change;
mod drift;
mod pipeline;
mod uploads;

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufWriter;

use serde::{Serialize, Serializer};
use serde_json::Value;

use self::change::ChangeRecord;
use self::drift::SetDriftRecord;
use self::pipeline::PipelineRecord;
use self::uploads::UploadsRecord;
use super::canonical::{Sha, sorted_changes};
use crate::model::{
    AccountId, AccountState, Base, ChangeSetId, ChangeSetKind, ChangeSetName, Digest,
    EffectiveParameter, ExecutionDefinition, GoneExport, ImportedResource, LeftOut, LeftOutWhy,
    LogicalId, OnStackFailure, ParameterValue, PlannedTarget, Region, ResourceChange,
    RollbackTrigger, StackId, StackOptions, StackStatus, Target, TargetInputs,
};

/// The version of the record.
const VERSION: u32 = 3;

/// The first version that holds what the stacks had before: templates, values and tags, which a rollback gives back.
const WITH_FORMER: u32 = 3;

/// The versions whose plans are known: the present one first.
const KNOWN: [u32; 2] = [VERSION, 2];

/// The tags that a stack had before.
pub type FormerTags<'a> = (&'a Target, &'a BTreeMap<String, String>);

/// What a plan is made of.
#[derive(Debug, Clone)]
pub struct PlanInput<'a> {
    /// What the execution was started with.
    pub definition: &'a ExecutionDefinition,
    /// The targets with a change set, in any order.
    pub planned: Vec<&'a PlannedTarget>,
    /// The targets with nothing to change, in any order.
    pub unchanged: Vec<&'a Target>,
    /// The targets for which no change set could be made, in any order.
    pub failed: Vec<&'a Target>,
    /// The targets whose account does not have the region, in any order.
    pub not_enabled: Vec<&'a Target>,
    /// The tags that the stacks of targets had, where they are on record, in any order.
    pub former_tags: Vec<FormerTags<'a>>,
}

/// Which record the digest of a plan is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordVersion(u32);

impl RecordVersion {
    /// Returns whether such a record holds what the stacks had before, which a rollback gives back.
    pub fn holds_former(self) -> bool {
        self.0 >= WITH_FORMER
    }
}

/// Returns the digest of the plan: SHA-256 over its canonical [`record`].
pub fn digest(input: &PlanInput<'_>) -> Digest {
    digest_as(input, VERSION)
}

/// Returns the version of the record over which `said` is the digest of the plan; none where it is the digest of something else.
pub fn version_of(input: &PlanInput<'_>, said: Digest) -> Option<RecordVersion> {
    let mut known = KNOWN.into_iter();
    known
        .find(|version| digest_as(input, *version) == said)
        .map(RecordVersion)
}

/// Returns the digest that the program gave the plan before the record held what the stacks had.
pub fn former_digest(input: &PlanInput<'_>) -> Digest {
    digest_as(input, WITH_FORMER - 1)
}

fn digest_as(input: &PlanInput<'_>, version: u32) -> Digest {
    let mut writer = BufWriter::with_capacity(1 << 16, Sha::default());
    // Writing JSON fails if the writer fails, or for keys that are not texts. A hash never fails, and every
    // key of the record is a text.
    serde_json::to_writer(&mut writer, &plan_record(input, version))
        .expect("the record is valid JSON");
    let sha = writer.into_inner().map_err(|failed| failed.into_error());
    sha.expect("a hash takes every byte").finish()
}

/// Returns the canonical record of the plan, for inspection.
pub fn record(input: &PlanInput<'_>) -> Value {
    // As above: every key of the record is a text.
    serde_json::to_value(plan_record(input, VERSION)).expect("the record is valid JSON")
}

/// Returns the canonical record of one change.
pub(super) fn change_record(change: &ResourceChange) -> impl Serialize + '_ {
    ChangeRecord::of(change)
}

#[derive(Serialize)]
struct PlanRecord<'a> {
    failed: Vec<&'a Target>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    former_tags: Vec<FormerTags<'a>>,
    /// Who approves saw that these were looked at and are no targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<LeftOutRecord<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_enabled: Vec<&'a Target>,
    pipeline: PipelineRecord<'a>,
    targets: Targets<'a>,
    unchanged: Vec<&'a Target>,
    version: u32,
}

fn plan_record<'a>(input: &PlanInput<'a>, version: u32) -> PlanRecord<'a> {
    let PlanInput {
        definition,
        planned,
        unchanged,
        failed,
        not_enabled,
        former_tags,
    } = input;
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
    let mut targets = planned.clone();
    targets.sort_by(|a, b| (&a.target, &a.change_set).cmp(&(&b.target, &b.change_set)));
    let with_former = version >= WITH_FORMER;
    let mut former_tags = match with_former {
        true => former_tags.clone(),
        false => Vec::new(),
    };
    former_tags.sort_unstable();
    PlanRecord {
        failed: sorted_targets(failed),
        former_tags,
        left_out: left_out.into_iter().map(LeftOutRecord::of).collect(),
        not_enabled: sorted_targets(not_enabled),
        pipeline: PipelineRecord::of(pipeline),
        targets: Targets {
            targets,
            with_former,
        },
        unchanged: sorted_targets(unchanged),
        version,
    }
}

/// Writes the record of each target when its turn comes: a fleet has ten thousand of them.
struct Targets<'a> {
    targets: Vec<&'a PlannedTarget>,
    with_former: bool,
}

impl Serialize for Targets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let targets = self.targets.iter();
        serializer.collect_seq(targets.map(|planned| PlannedRecord::of(planned, self.with_former)))
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

fn sorted_targets<'a>(targets: &[&'a Target]) -> Vec<&'a Target> {
    let mut targets = targets.to_vec();
    targets.sort_unstable();
    targets
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
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_parameters: Option<&'a BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_template: Option<Digest>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    retain: Vec<&'a LogicalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_arn: Option<&'a str>,
    settings_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack_policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a BTreeMap<String, String>>,
    target: &'a Target,
    template: Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    uploads: Option<UploadsRecord<'a>>,
}

impl<'a> PlannedRecord<'a> {
    fn of(planned: &'a PlannedTarget, with_former: bool) -> Self {
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
            previous_template,
            previous_parameters,
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
        } = inputs.as_ref();
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
            // They say what changes, and are given back where that is rolled back: by a plan that nobody may be asked about.
            previous_parameters: Some(previous_parameters)
                .filter(|values| with_former && !values.is_empty()),
            previous_template: previous_template.filter(|_| with_former),
            retain: {
                let mut retain: Vec<_> = retain.iter().collect();
                retain.sort_unstable();
                retain
            },
            role_arn: role_arn.as_deref(),
            settings_only: *settings_only,
            stack_policy: stack_policy.as_deref(),
            tags: tags.as_ref(),
            target,
            template: *template_digest,
            uploads: UploadsRecord::of(uploads),
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

#[cfg(test)]
mod tests;
