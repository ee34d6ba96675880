//! From what people type to an execution; where it is not clear which one is meant, those that it could be.

use super::CliError;
use super::list::entry;
use crate::journal::{Journal, JournalError};
use crate::model::ExecutionId;
use crate::report::{List, ListEntry, ScreenOptions, list};

/// How many executions are told apart.
const SHOWN: usize = 8;

/// Returns the execution that `text` names.
pub(super) fn find(journal: &Journal, text: &str) -> Result<ExecutionId, CliError> {
    let error = match journal.find(text) {
        Ok(id) => return Ok(id),
        Err(error) => error,
    };
    let JournalError::AmbiguousExecution { candidates, .. } = &error else {
        return Err(error.into());
    };
    let all = journal.executions().unwrap_or_default().into_iter();
    let meant = all.filter(|one| candidates.contains(&one.id)).take(SHOWN);
    // It is a help only: what cannot be read is passed over.
    let entries: Vec<ListEntry> = meant
        .filter_map(|one| entry(journal, one).ok().flatten())
        .collect();
    let options = ScreenOptions {
        now: Some(crate::runtime::now()),
        ..ScreenOptions::default()
    };
    let mut help = "it could be, newest first:".to_owned();
    for line in list(&List::of(entries), &options).lines() {
        help.push_str(&format!("\n    {line}"));
    }
    let more = candidates.len().saturating_sub(SHOWN);
    if more > 0 {
        help.push_str(&format!(
            "\n    and {more} more, which `stackgate list` shows"
        ));
    }
    Err(CliError::from(error).hint(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::samples;

    #[test]
    fn those_that_it_could_be_are_told_with_pipeline_age_and_state() {
        let (_folder, journal) = samples::journal();
        for number in 1..=10 {
            samples::begun(&journal, &samples::id(number));
        }
        let only = samples::id(3).to_string();
        assert_eq!(find(&journal, &only).unwrap(), samples::id(3));
        let (message, hints) = find(&journal, "019a4c3e").unwrap_err().told();
        assert!(message.contains("matches 10 executions"), "{message}");
        let lines: Vec<&str> = hints[0].lines().collect();
        assert_eq!(lines.len(), 1 + SHOWN + 1, "{hints:?}");
        assert!(lines[1].contains(&samples::id(10).short()), "{hints:?}");
        assert!(lines[1].contains(" ago"), "{hints:?}");
        assert!(lines[9].contains("and 2 more"), "{hints:?}");
    }
}
