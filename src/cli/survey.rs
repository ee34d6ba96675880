//! Every target of a command looked at, as its change set would be made: without beginning an execution, and nothing is
//! kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::CliError;
use super::deploy::Asked;
use super::prompt::{Stillness, TerminalSecrets};
use super::run::{block_on, connect};
use crate::action::secrets::Secrets;
use crate::action::{World, source_local};
use crate::artifact::Store;
use crate::model::{ActionDeclaration, ArtifactName, ArtifactRef, ExecutionDefinition, TargetSpec};
use crate::pipeline::{CREATE_STAGE, SOURCE_STAGE};

/// How many targets are asked at once.
pub(super) const AT_ONCE: usize = 16;

/// A target, and what its change set would be made with.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub world: &'a World,
    pub spec: &'a TargetSpec,
    /// The action that would make the change set.
    pub action: &'a ActionDeclaration,
    /// The files, as the source stage reads them.
    pub artifacts: &'a BTreeMap<ArtifactName, ArtifactRef>,
}

/// Returns what `look` finds in every target, in their order; the first failure ends it.
pub(super) fn survey<T>(
    mut asked: Asked,
    look: impl AsyncFn(Place<'_>) -> Result<T, CliError>,
) -> Result<Vec<T>, CliError> {
    let root = asked.project.root.clone();
    let aside = tempfile::tempdir()?;
    block_on(async {
        let aws = connect(&asked.invocation, None).await?;
        let caller = aws.caller().await?;
        let deployment = asked.deployment(&aws, &caller).await?;
        let definition = asked.definition(deployment);
        let secrets = Secrets::new(
            definition.secrets.clone(),
            definition.allow_literal_secrets,
            Arc::new(TerminalSecrets(Stillness::default())),
        );
        let world = World::new(aws, Store::open(aside.path())?, root, secrets);
        let action = first_action(&definition, CREATE_STAGE)?;
        let source = first_action(&definition, SOURCE_STAGE)?;
        let (artifact, _) = source_local::store(&world, source).await?;
        let artifacts = [(artifact.name.clone(), artifact)].into();
        let specs = action.fan_out.iter().flat_map(|fan_out| &fan_out.targets);
        let found = specs.map(|spec| {
            look(Place {
                world: &world,
                spec,
                action,
                artifacts: &artifacts,
            })
        });
        stream::iter(found).buffered(AT_ONCE).try_collect().await
    })?
}

fn first_action<'a>(
    definition: &'a ExecutionDefinition,
    stage: &str,
) -> Result<&'a ActionDeclaration, CliError> {
    let stages = &definition.pipeline.stages;
    let found = stages.iter().find(|one| one.name.as_str() == stage);
    found
        .and_then(|stage| stage.actions.first())
        .ok_or_else(|| CliError::message(format!("the pipeline has no stage {stage}")))
}
