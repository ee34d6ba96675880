//! `stackgate list`: the executions of the state folder, newest first.

use clap::Args;

use super::options::{Global, OutputForm};
use super::{CliError, exit, output, run};
use crate::journal::Journal;
use crate::report::{List, ListEntry, View, list as draw, markdown_list};

/// Arguments of `list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// How many to show
    #[arg(long, short = 'n', value_name = "N", default_value = "20")]
    limit: usize,
}

/// Runs `stackgate list`.
pub(super) fn list(global: &Global, args: &ListArgs) -> Result<u8, CliError> {
    let journal = Journal::open_existing(&global.state)?;
    let mut entries = Vec::new();
    for execution in journal.executions()?.into_iter().take(args.limit) {
        let view = View::of(&journal.events(&execution.id, 0)?);
        entries.extend(ListEntry::of(
            &view,
            run::is_alive(&journal, &execution.id)?,
        ));
    }
    match global.output {
        OutputForm::Text => output::stdout(&draw(&entries, &output::screen()))?,
        OutputForm::Markdown => output::stdout(&markdown_list(&entries))?,
        OutputForm::Json => output::document(&List::of(entries))?,
        OutputForm::Ndjson => output::line(&List::of(entries))?,
    }
    Ok(exit::DONE)
}
