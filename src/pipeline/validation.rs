//! Structural rules of a pipeline, numbered as in CodePipeline's documentation.

use std::collections::BTreeSet;

use crate::model::options::policy;
use crate::model::{
    ActionCategory, ActionDeclaration, ArtifactName, OptionError, PipelineDeclaration,
    StackOptions, Target, WaveName,
};

/// The providers that this program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provider {
    /// Files of the project.
    SourceLocal,
    /// `CHANGE_SET_REPLACE`.
    CreateChangeSet,
    /// A manual approval.
    Approval,
    /// `CHANGE_SET_EXECUTE`.
    ExecuteChangeSet,
    /// Stacks that are to be deleted.
    CollectStacks,
    /// `DELETE_ONLY`.
    DeleteStack,
}

impl Provider {
    /// Returns the provider of `action`, if this program has it.
    pub(super) fn of(action: &ActionDeclaration) -> Option<Self> {
        let id = &action.action_type_id;
        let mode = action.configuration.get("ActionMode").map(String::as_str);
        match (id.category, id.provider.as_str(), mode) {
            (ActionCategory::Source, "Local", _) => Some(Self::SourceLocal),
            (ActionCategory::Source, "Stacks", _) => Some(Self::CollectStacks),
            (ActionCategory::Deploy, "CloudFormation", Some("DELETE_ONLY")) => {
                Some(Self::DeleteStack)
            }
            (ActionCategory::Approval, "Manual", _) => Some(Self::Approval),
            (ActionCategory::Deploy, "CloudFormation", Some("CHANGE_SET_REPLACE")) => {
                Some(Self::CreateChangeSet)
            }
            (ActionCategory::Deploy, "CloudFormation", Some("CHANGE_SET_EXECUTE")) => {
                Some(Self::ExecuteChangeSet)
            }
            _ => None,
        }
    }

    /// Returns whether it carries the approved plan out, target by target.
    pub(super) fn executes(self) -> bool {
        match self {
            Self::ExecuteChangeSet | Self::DeleteStack => true,
            Self::SourceLocal | Self::CreateChangeSet | Self::Approval | Self::CollectStacks => {
                false
            }
        }
    }
}

/// A rule that a pipeline breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// Rule 1.
    #[error("a pipeline has 2 to 50 stages; this one has {0}")]
    StageCount(usize),
    /// Rules 2 and 3.
    #[error("source actions fill the first stage and stand nowhere else; see action `{0}`")]
    SourceMisplaced(String),
    /// Rule 5.
    #[error("`{0}` is the name of two stages, or of two actions of one stage")]
    DuplicateName(String),
    /// Rule 6.
    #[error("artifact `{0}` is made by two actions")]
    DuplicateArtifact(ArtifactName),
    /// Rule 7.
    #[error("action `{action}` reads artifact `{artifact}`, which no earlier action makes")]
    ArtifactNotMade {
        /// The action.
        action: String,
        /// The artifact.
        artifact: ArtifactName,
    },
    /// Rule 9.
    #[error("action `{0}` has run order 0; it counts from 1")]
    RunOrder(String),
    /// Rule 23.
    #[error("action `{action}` is of type {provider}, which is not supported")]
    UnknownProvider {
        /// The action.
        action: String,
        /// Category and provider.
        provider: String,
    },
    /// A target that is named twice would be deployed twice.
    #[error("target {0} is named twice")]
    DuplicateTarget(Target),
    /// Two waves of one rollout cannot be told apart.
    #[error("wave {0} is named twice")]
    DuplicateWave(WaveName),
    /// An action that needs targets has none.
    #[error("action `{0}` has no targets")]
    NoTargets(String),
    /// Rule 23.
    #[error("a setting of action `{action}` cannot be used")]
    Options {
        /// The action.
        action: String,
        /// What is wrong with it.
        #[source]
        source: OptionError,
    },
}

/// Returns the first rule that `pipeline` breaks.
pub fn validate(pipeline: &PipelineDeclaration) -> Result<(), DefinitionError> {
    let stages = &pipeline.stages;
    if !(2..=50).contains(&stages.len()) {
        return Err(DefinitionError::StageCount(stages.len()));
    }
    let mut stage_names = BTreeSet::new();
    let mut made: BTreeSet<&ArtifactName> = BTreeSet::new();
    for (index, stage) in stages.iter().enumerate() {
        if !stage_names.insert(&stage.name) {
            return Err(DefinitionError::DuplicateName(stage.name.to_string()));
        }
        let mut action_names = BTreeSet::new();
        let mut actions: Vec<&ActionDeclaration> = stage.actions.iter().collect();
        actions.sort_by_key(|a| a.run_order);
        for group in actions.chunk_by(|a, b| a.run_order == b.run_order) {
            for action in group {
                check_action(action, index)?;
                if !action_names.insert(&action.name) {
                    return Err(DefinitionError::DuplicateName(action.name.to_string()));
                }
                if let Some(missing) = action
                    .input_artifacts
                    .iter()
                    .find(|a| !made.contains(&a.name))
                {
                    return Err(DefinitionError::ArtifactNotMade {
                        action: action.name.to_string(),
                        artifact: missing.name.clone(),
                    });
                }
            }
            for artifact in group.iter().flat_map(|a| &a.output_artifacts) {
                if !made.insert(&artifact.name) {
                    return Err(DefinitionError::DuplicateArtifact(artifact.name.clone()));
                }
            }
        }
    }
    Ok(())
}

fn check_action(action: &ActionDeclaration, stage: usize) -> Result<(), DefinitionError> {
    let name = || action.name.to_string();
    let id = &action.action_type_id;
    if (id.category == ActionCategory::Source) != (stage == 0) {
        return Err(DefinitionError::SourceMisplaced(name()));
    }
    if action.run_order == 0 {
        return Err(DefinitionError::RunOrder(name()));
    }
    let Some(provider) = Provider::of(action) else {
        return Err(DefinitionError::UnknownProvider {
            action: name(),
            provider: format!("{:?}/{}", id.category, id.provider),
        });
    };
    match provider {
        Provider::SourceLocal | Provider::Approval => {}
        Provider::CreateChangeSet
        | Provider::ExecuteChangeSet
        | Provider::CollectStacks
        | Provider::DeleteStack => {
            let options = StackOptions::from_configuration(&action.configuration);
            let policy = action.configuration.get("StackPolicy").map(|p| policy(p));
            options
                .and(policy.transpose())
                .map_err(|source| DefinitionError::Options {
                    action: name(),
                    source,
                })?;
            let targets = action
                .fan_out
                .as_ref()
                .map(|f| &f.targets[..])
                .unwrap_or_default();
            if targets.is_empty() {
                return Err(DefinitionError::NoTargets(name()));
            }
            let mut seen = BTreeSet::new();
            if let Some(twice) = targets.iter().find(|t| !seen.insert(&t.target)) {
                return Err(DefinitionError::DuplicateTarget(twice.target.clone()));
            }
            let waves = action.fan_out.as_ref().map(|f| &f.waves[..]);
            let mut seen = BTreeSet::new();
            if let Some(twice) = waves
                .unwrap_or_default()
                .iter()
                .find(|w| !seen.insert(&w.name))
            {
                return Err(DefinitionError::DuplicateWave(twice.name.clone()));
            }
        }
    }
    Ok(())
}
