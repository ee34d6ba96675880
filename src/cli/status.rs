//! `stackgate status`: how far an execution is, and the review while an answer is awaited.

use clap::Args;

use super::options::{Global, OutputForm};
use super::sources::Sources;
use super::{CliError, answer, exit, output, run};
use crate::artifact::Store;
use crate::report::{Review, ScreenOptions, Status, review, status as draw};

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The execution: its id, a unique part of it, or `latest`
    #[arg(default_value = "latest")]
    execution: String,
    /// Show every value and the template's text difference
    #[arg(long)]
    full: bool,
}

/// Runs `stackgate status`.
pub(super) fn status(global: &Global, args: &StatusArgs) -> Result<u8, CliError> {
    let (journal, id, view) = answer::open(global, &args.execution)?;
    let options = ScreenOptions {
        full: args.full,
        ..output::screen()
    };
    let store = Store::open(&run::store_folder(journal.folder()))?;
    let sources = Sources::new(store, view.sources().map(|s| s.artifact.clone()).collect());
    let alive = run::is_alive(&journal, &id)?;
    let awaits = view.outcome().is_none() && view.approval().is_some_and(|a| a.answer.is_none());
    match global.output {
        OutputForm::Text => {
            if awaits || (args.full && view.plan().is_some()) {
                output::stdout(&review(&view, &sources, &options))?;
                output::stdout("\n")?;
            }
            output::stdout(&draw(&view, alive, &options))?;
        }
        OutputForm::Json | OutputForm::Ndjson => {
            let mut document =
                serde_json::to_value(Status::of(&view, alive)).map_err(CliError::failed)?;
            if view.plan().is_some()
                && let Some(object) = document.as_object_mut()
            {
                let review = Review::of(&view, &sources);
                let review = serde_json::to_value(review).map_err(CliError::failed)?;
                object.insert("review".to_owned(), review);
            }
            output::stdout(&format!("{document}\n"))?;
        }
    }
    Ok(exit::DONE)
}
