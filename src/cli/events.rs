//! `stackgate events`: what happened in an execution, in order.

use clap::Args;

use super::options::{Global, OutputForm};
use super::{CliError, exit, output};
use crate::journal::Journal;
use crate::report::events as draw;

/// Arguments of `events`.
#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// The execution: its id, a unique part of it, or `latest`
    #[arg(default_value = "latest")]
    execution: String,
    /// Only events after this number
    #[arg(long, value_name = "SEQ", default_value = "0")]
    after: u64,
}

/// Runs `stackgate events`.
pub(super) fn events(global: &Global, args: &EventsArgs) -> Result<u8, CliError> {
    let journal = Journal::open_existing(&global.state)?;
    let id = journal.find(&args.execution)?;
    let events = journal.events(&id, args.after)?;
    match global.output {
        OutputForm::Text => output::stdout(&draw(&events, &output::screen()))?,
        OutputForm::Json => {
            let document = serde_json::json!({ "version": 1, "events": events });
            output::stdout(&format!("{document}\n"))?;
        }
        OutputForm::Ndjson => {
            for event in &events {
                let line = serde_json::to_string(event).map_err(CliError::failed)?;
                output::stdout(&format!("{line}\n"))?;
            }
        }
    }
    Ok(exit::DONE)
}
