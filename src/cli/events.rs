//! `stackgate events`: what happened in an execution, in order.

use clap::Args;

use super::find::find;
use super::options::{Global, OutputForm};
use super::{CliError, exit, output};
use crate::journal::Journal;
use crate::report::{EventLine, Events, ScreenOptions, events as draw};

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
    let id = find(&journal, &args.execution)?;
    let events = journal.events(&id, args.after)?;
    match global.output {
        OutputForm::Text => output::stdout(&draw(&events, &output::screen()))?,
        form @ (OutputForm::Markdown | OutputForm::Html) => {
            let text = draw(&events, &ScreenOptions::default());
            output::text(form, &format!("events of {id}"), &text)?;
        }
        OutputForm::Json => {
            output::document(&Events::of(&events))?;
        }
        OutputForm::Ndjson => {
            for event in &events {
                output::line(&EventLine::of(event))?;
            }
        }
    }
    Ok(exit::DONE)
}
