//! `stackgate risks`: the rules by which changes are judged, and what `stackgate.yaml` makes of them.

use clap::Args;

use super::options::{Global, OutputForm};
use super::settings::{Settings, SettingsError};
use super::{CliError, exit, output};
use crate::model::{RiskChoices, clean};
use crate::report::{RiskRules, risk_rules};

/// Arguments of `risks`.
#[derive(Debug, Args)]
pub(super) struct RisksArgs {
    /// An environment that `stackgate.yaml` names, whose settings hold
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
}

/// Runs `stackgate risks`. It reads `stackgate.yaml`, and nothing else.
pub(super) fn risks(global: &Global, args: RisksArgs) -> Result<u8, CliError> {
    let root = std::env::current_dir()?;
    let choices = match (Settings::load(&root)?, &args.environment) {
        (Some(settings), environment) => {
            let chosen = settings.choose(environment.as_deref(), None);
            chosen.map_err(CliError::usage)?.0.risks
        }
        (None, Some(name)) => {
            return Err(CliError::usage(SettingsError::NoFile {
                flag: "--environment",
                name: clean(name),
            }));
        }
        (None, None) => RiskChoices::default(),
    };
    let all = RiskRules::new(args.environment, &choices);
    match global.output {
        form @ (OutputForm::Text | OutputForm::Markdown | OutputForm::Html) => {
            output::text(form, "risk rules", &risk_rules(&all, &output::screen()))?;
        }
        OutputForm::Json => output::document(&all)?,
        OutputForm::Ndjson => output::line(&all)?,
    }
    Ok(exit::DONE)
}
