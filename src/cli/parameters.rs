//! `stackgate parameters`: the effective parameters of every target, before anything is planned.

use clap::Args;

use super::deploy::{Asked, WhatArgs};
use super::options::{Global, OutputForm};
use super::survey::{Place, survey};
use super::{CliError, exit, output};
use crate::action::inputs;
use crate::model::TargetSpec;
use crate::report::{self, Parameters, TargetParameters};

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
    let targets = survey(asked, async |place| {
        let Place {
            world,
            spec,
            action,
            artifacts,
        } = place;
        let explained = inputs::explain(world, spec, action, artifacts).await?;
        Ok(target(spec, explained))
    })?;
    let all = Parameters::new(template, targets);
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
