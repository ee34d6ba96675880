//! A pipeline as it is declared: the shape of `aws codepipeline get-pipeline`.
//!
//! Field names are CodePipeline's; `fanOut` is ours and absent from documents that come from AWS.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{ActionName, OperationPreferences, StageName, TargetSpec, Wave};

/// The name of an artifact in its pipeline.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ArtifactName(String);

impl ArtifactName {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ArtifactName {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for ArtifactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A pipeline: stages in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PipelineDeclaration {
    /// The pipeline's name.
    pub name: String,
    /// The stages, first to last.
    pub stages: Vec<StageDeclaration>,
}

impl PipelineDeclaration {
    /// Returns the actions of all stages, first to last.
    pub fn actions(&self) -> impl DoubleEndedIterator<Item = &ActionDeclaration> {
        self.stages.iter().flat_map(|stage| &stage.actions)
    }
}

/// A stage: actions that run in groups of ascending `runOrder`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageDeclaration {
    /// The stage's name, unique in the pipeline.
    pub name: StageName,
    /// The actions.
    pub actions: Vec<ActionDeclaration>,
}

/// An action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionDeclaration {
    /// The action's name, unique in its stage.
    pub name: ActionName,
    /// What the action is.
    pub action_type_id: ActionTypeId,
    /// Actions of the same number run together.
    #[serde(default = "first_run_order")]
    pub run_order: u16,
    /// The provider's settings; every value is a string.
    #[serde(default)]
    pub configuration: IndexMap<String, String>,
    /// The artifacts the action reads.
    #[serde(default)]
    pub input_artifacts: Vec<NamedArtifact>,
    /// The artifacts the action makes.
    #[serde(default)]
    pub output_artifacts: Vec<NamedArtifact>,
    /// How long an approval waits for its answer, in minutes (5–86400).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_in_minutes: Option<u32>,
    /// Where the action acts, when on more than one stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fan_out: Option<FanOut>,
}

/// A reference to an artifact by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedArtifact {
    /// The name.
    pub name: ArtifactName,
}

/// The targets of an action and in what order they run.
///
/// What this program does not know of it, such as what else is to be waited for, it must not leave out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FanOut {
    /// The targets, in the order they were asked for.
    pub targets: Vec<TargetSpec>,
    /// The StackSets-like operation preferences.
    pub preferences: OperationPreferences,
    /// The waves, in order; targets that none of them names run last. Without any, all targets are one wave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<Wave>,
}

/// `category/owner/provider/version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionTypeId {
    /// What kind of work it is.
    pub category: ActionCategory,
    /// `AWS`, `ThirdParty` or `Custom`.
    pub owner: String,
    /// The provider, such as `CloudFormation`.
    pub provider: String,
    /// A string, normally `1`.
    pub version: String,
}

/// CodePipeline's action categories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionCategory {
    /// Makes the first artifacts.
    Source,
    /// Builds.
    Build,
    /// Deploys.
    Deploy,
    /// Tests.
    Test,
    /// Calls a function or state machine.
    Invoke,
    /// Waits for a person.
    Approval,
    /// Runs commands.
    Compute,
}

fn first_run_order() -> u16 {
    1
}
