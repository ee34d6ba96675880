//! `stackgate parameters`: the effective parameters of every target, before anything is planned.

use std::sync::Arc;

use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::deploy::{Asked, WhatArgs};
use super::options::{Global, OutputForm};
use super::prompt::{Stillness, TerminalSecrets};
use super::run::{block_on, connect};
use super::{CliError, exit, output};
use crate::action::secrets::Secrets;
use crate::action::{World, inputs, source_local};
use crate::artifact::Store;
use crate::model::{ActionDeclaration, CallFailure, ExecutionDefinition, TargetSpec};
use crate::pipeline::{CREATE_STAGE, SOURCE_STAGE};
use crate::report::{self, Parameters, TargetParameters};

/// How many targets are asked at once.
pub(super) const AT_ONCE: usize = 16;

/// Arguments of `parameters`: those of `plan`, so that one word turns one into the other.
#[derive(Debug, Args)]
pub(super) struct ParametersArgs {
    #[command(flatten)]
    what: WhatArgs,
}

/// Runs `stackgate parameters`. It reads, and keeps nothing.
pub(super) fn parameters(global: &Global, args: ParametersArgs) -> Result<u8, CliError> {
    let asked = Asked::of(args.what)?;
    let template = asked.project.template_path.clone();
    let root = asked.project.root.clone();
    let aside = tempfile::tempdir()?;
    let all = block_on(async {
        let aws = connect(&asked.invocation, None).await?;
        let caller = aws.caller().await?;
        let deployment = asked.deployment(&aws, &caller)?;
        let definition = asked.definition(deployment);
        let secrets = Secrets::new(
            definition.secrets.clone(),
            definition.allow_literal_secrets,
            Arc::new(TerminalSecrets(Stillness::default())),
        );
        let world = World::new(aws, Store::open(aside.path())?, root, secrets);
        let targets = explained(&world, &definition).await?;
        Ok::<_, CliError>(Parameters::new(template, targets))
    })??;
    match global.output {
        form @ (OutputForm::Text | OutputForm::Markdown | OutputForm::Html) => {
            let text = report::parameters(&all, &output::screen());
            output::text(form, "parameters", &text)?;
        }
        OutputForm::Json => output::document(&all)?,
        OutputForm::Ndjson => output::line(&all)?,
    }
    Ok(exit::DONE)
}

/// Reads the files as the source stage does, and the parameters as each change set would.
async fn explained(
    world: &World,
    definition: &ExecutionDefinition,
) -> Result<Vec<TargetParameters>, CliError> {
    let (source, create) = actions(definition)?;
    let (artifact, _) = source_local::store(world, source).await?;
    let artifacts = [(artifact.name.clone(), artifact)].into();
    let specs = create.fan_out.iter().flat_map(|fan_out| &fan_out.targets);
    let targets = stream::iter(specs.map(|spec| async {
        let explained = inputs::explain(world, spec, create, &artifacts).await?;
        Ok::<_, CallFailure>(target(spec, explained))
    }))
    .buffered(AT_ONCE);
    Ok(targets.try_collect().await?)
}

/// Returns the actions that read the files and that make the change sets.
pub(super) fn actions(
    definition: &ExecutionDefinition,
) -> Result<(&ActionDeclaration, &ActionDeclaration), CliError> {
    let action = |name: &str| {
        let stages = &definition.pipeline.stages;
        let stage = stages.iter().find(|stage| stage.name.as_str() == name);
        stage
            .and_then(|stage| stage.actions.first())
            .ok_or_else(|| CliError::message(format!("the pipeline has no stage {name}")))
    };
    Ok((action(SOURCE_STAGE)?, action(CREATE_STAGE)?))
}

fn target(spec: &TargetSpec, explained: inputs::Explained) -> TargetParameters {
    TargetParameters {
        target: spec.target.clone(),
        stack_exists: explained.stack_exists,
        parameters: explained
            .parameters
            .into_iter()
            .map(|(effective, overridden)| report::ExplainedParameter {
                present: explained.present.get(&effective.name).cloned(),
                default: explained.defaults.get(&effective.name).cloned(),
                effective,
                overridden,
            })
            .collect(),
    }
}
