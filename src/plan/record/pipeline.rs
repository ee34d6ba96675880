//! The pipeline, in the record: its actions, targets and waves, and how the operation moves over them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{
    ActionCategory, ActionDeclaration, ActionTypeId, ConcurrencyMode, CountOrPercent, EndedTarget,
    FanOut, Gate, NamedArtifact, OperationPreferences, OverrideLine, PipelineDeclaration, Region,
    RegionConcurrency, StageDeclaration, Target, TargetOutcome, TargetSpec, Wave,
};

#[derive(Serialize)]
pub(super) struct PipelineRecord<'a> {
    name: &'a str,
    stages: Vec<StageRecord<'a>>,
}

impl<'a> PipelineRecord<'a> {
    pub(super) fn of(pipeline: &'a PipelineDeclaration) -> Self {
        let PipelineDeclaration { name, stages } = pipeline;
        Self {
            name,
            stages: stages.iter().map(StageRecord::of).collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct StageRecord<'a> {
    actions: Vec<ActionRecord<'a>>,
    name: &'a str,
}

impl<'a> StageRecord<'a> {
    pub(super) fn of(stage: &'a StageDeclaration) -> Self {
        let StageDeclaration { name, actions } = stage;
        Self {
            actions: actions.iter().map(ActionRecord::of).collect(),
            name: name.as_str(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct ActionRecord<'a> {
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
    pub(super) fn of(action: &'a ActionDeclaration) -> Self {
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
pub(super) struct FanOutRecord<'a> {
    preferences: PreferencesRecord<'a>,
    targets: Vec<SpecRecord<'a>>,
    /// Their order is the order of execution.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waves: Vec<WaveRecord<'a>>,
}

impl<'a> FanOutRecord<'a> {
    pub(super) fn of(fan_out: &'a FanOut) -> Self {
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
pub(super) struct WaveRecord<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ended: Vec<EndedRecord<'a>>,
    gates: &'a [Gate],
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferences: Option<PreferencesRecord<'a>>,
    targets: &'a [Target],
}

impl<'a> WaveRecord<'a> {
    pub(super) fn of(wave: &'a Wave) -> Self {
        let Wave {
            name,
            targets,
            preferences,
            gates,
            ended,
        } = wave;
        Self {
            ended: ended.iter().map(EndedRecord::of).collect(),
            gates,
            name: name.as_str(),
            preferences: preferences.as_ref().map(PreferencesRecord::of),
            targets,
        }
    }
}

#[derive(Serialize)]
pub(super) struct EndedRecord<'a> {
    outcome: &'a TargetOutcome,
    spec: SpecRecord<'a>,
}

impl<'a> EndedRecord<'a> {
    fn of(ended: &'a EndedTarget) -> Self {
        let EndedTarget { spec, outcome } = ended;
        Self {
            outcome,
            spec: SpecRecord::of(spec),
        }
    }
}

#[derive(Serialize)]
pub(super) struct PreferencesRecord<'a> {
    concurrency_mode: ConcurrencyMode,
    failure_tolerance: CountOrPercent,
    max_concurrent: CountOrPercent,
    region_concurrency: RegionConcurrency,
    region_order: &'a [Region],
}

impl<'a> PreferencesRecord<'a> {
    pub(super) fn of(preferences: &'a OperationPreferences) -> Self {
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
pub(super) struct SpecRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    execute_role_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_arn: Option<&'a str>,
    target: &'a Target,
}

impl<'a> SpecRecord<'a> {
    pub(super) fn of(spec: &'a TargetSpec) -> Self {
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
