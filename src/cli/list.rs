//! `stackgate list`: the executions of the state folder, newest first.

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::options::{Global, OutputForm};
use super::{CliError, answer, exit, output, run, unread};
use crate::journal::{ExecutionSummary, Journal, JournalError};
use crate::model::EventKind;
use crate::report::{List, ListEntry, ScreenOptions, View, list as draw, markdown_list};

/// Arguments of `list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// How many to show
    #[arg(long, short = 'n', value_name = "N", default_value = "20", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    limit: usize,
    /// Only those that wait for an answer
    #[arg(long)]
    waiting: bool,
}

/// Runs `stackgate list`.
pub(super) fn list(global: &Global, args: &ListArgs) -> Result<u8, CliError> {
    let journal = Journal::open_existing(&global.state)?;
    let list = match args.waiting {
        true => waiting(&journal, args.limit)?,
        false => newest(&journal, args.limit)?,
    };
    match global.output {
        OutputForm::Text => output::stdout(&draw(&list, &output::screen()))?,
        OutputForm::Markdown => output::stdout(&markdown_list(&list))?,
        form @ OutputForm::Html => {
            output::text(form, "executions", &draw(&list, &ScreenOptions::default()))?;
        }
        OutputForm::Json => output::document(&list)?,
        OutputForm::Ndjson => output::line(&list)?,
    }
    Ok(exit::DONE)
}

/// Returns the newest executions, so many of them.
fn newest(journal: &Journal, limit: usize) -> Result<List, CliError> {
    let mut entries = Vec::new();
    let mut others = journal.executions()?.into_iter();
    for execution in others.by_ref().take(limit) {
        entries.extend(entry(journal, execution)?);
    }
    let mut list = List::of(entries);
    list.total += others.count();
    Ok(list)
}

/// Returns the newest of those that wait for an answer.
fn waiting(journal: &Journal, limit: usize) -> Result<List, CliError> {
    let (mut entries, mut others) = (Vec::new(), 0);
    for execution in journal.executions()? {
        // Nearly all have ended, which the last event says alone.
        let mut last = journal.events(&execution.id, execution.events.saturating_sub(1));
        let is_end = |kind: &EventKind| matches!(kind, EventKind::ExecutionFinished { .. });
        if last.any(|event| event.is_ok_and(|event| is_end(&event.kind))) {
            continue;
        }
        let found = entry(journal, execution)?;
        match found.filter(|entry| entry.state == "waiting_for_approval") {
            None => {}
            Some(_) if entries.len() == limit => others += 1,
            Some(entry) => entries.push(entry),
        }
    }
    let mut list = List::of(entries);
    list.total += others;
    list.is_of_waiting = true;
    Ok(list)
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
    fn what_is_not_listed_is_counted() {
        let (_folder, journal) = samples::journal();
        for number in 1..=3 {
            samples::begun(&journal, &samples::id(number));
        }
        let list = newest(&journal, 2).unwrap();
        assert_eq!((list.executions.len(), list.total), (2, 3));
        let waiting = waiting(&journal, 2).unwrap();
        assert_eq!((waiting.executions.len(), waiting.total), (0, 0));
    }

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
        let text = draw(&List::of(entries), &ScreenOptions::default());
        for number in 1..=3 {
            let short = samples::id(number).short();
            let line = text.lines().find(|line| line.starts_with(&short));
            let is_marked = line.unwrap().contains("damaged, cannot be read");
            assert_eq!(is_marked, number == 2, "{text}");
        }
    }
}
