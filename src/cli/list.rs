//! `stackgate list`: the executions of the state folder, newest first.

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::options::{Global, OutputForm};
use super::{CliError, answer, exit, output, run, unread};
use crate::journal::{ExecutionSummary, Journal, JournalError};
use crate::report::{List, ListEntry, ScreenOptions, View, list as draw, markdown_list};

/// Arguments of `list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// How many to show
    #[arg(long, short = 'n', value_name = "N", default_value = "20", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    limit: usize,
}

/// Runs `stackgate list`.
pub(super) fn list(global: &Global, args: &ListArgs) -> Result<u8, CliError> {
    let journal = Journal::open_existing(&global.state)?;
    let mut entries = Vec::new();
    for execution in journal.executions()?.into_iter().take(args.limit) {
        entries.extend(entry(&journal, execution)?);
    }
    match global.output {
        OutputForm::Text => output::stdout(&draw(&entries, &output::screen()))?,
        OutputForm::Markdown => output::stdout(&markdown_list(&entries))?,
        form @ OutputForm::Html => {
            output::text(
                form,
                "executions",
                &draw(&entries, &ScreenOptions::default()),
            )?;
        }
        OutputForm::Json => output::document(&List::of(entries))?,
        OutputForm::Ndjson => output::line(&List::of(entries))?,
    }
    Ok(exit::DONE)
}

/// Returns the entry of an execution, if it has begun.
pub(super) fn entry(
    journal: &Journal,
    execution: ExecutionSummary,
) -> Result<Option<ListEntry>, CliError> {
    let alive = run::is_alive(journal, &execution.id)?;
    match View::read(journal.events(&execution.id, 0)) {
        Ok(mut view) => {
            answer::note(journal, &mut view)?;
            Ok(ListEntry::of(&view, alive))
        }
        // One execution of a newer program, or a damaged one, does not hide the others.
        Err(error) if error.is_of_one_execution() => {
            unread::tell(&error);
            Ok(Some(ListEntry::unreadable(
                execution.id,
                execution.pipeline,
                alive,
                execution.started,
                execution.last_event,
                matches!(error, JournalError::DamagedEvent { .. }),
            )))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::samples;

    #[test]
    fn a_damaged_execution_hides_no_other_and_is_marked() {
        let (_folder, journal) = samples::journal();
        for number in 1..=3 {
            samples::begun(&journal, &samples::id(number));
        }
        samples::write_raw(&journal, 2, 2, "garbage");
        let all = journal.executions().unwrap().into_iter();
        let entries: Vec<ListEntry> = all
            .map(|one| entry(&journal, one).unwrap().unwrap())
            .collect();
        assert_eq!(entries[1].state, "unreadable");
        let text = draw(&entries, &ScreenOptions::default());
        for number in 1..=3 {
            let short = samples::id(number).short();
            let line = text.lines().find(|line| line.starts_with(&short));
            let is_marked = line.unwrap().contains("damaged, cannot be read");
            assert_eq!(is_marked, number == 2, "{text}");
        }
    }
}
