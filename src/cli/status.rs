//! `stackgate status`: how far an execution is, and the review while an answer is awaited.

use clap::Args;

use super::options::{Global, OutputForm};
use super::sources::Sources;
use super::{CliError, answer, exit, followers, output, run};
use crate::report::{Review, ScreenOptions, Status, html, markdown, review, status as draw};

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
    let (journal, id, mut view) = answer::open(global, &args.execution)?;
    followers::note(&journal, &mut view)?;
    let options = ScreenOptions {
        full: args.full,
        ..output::screen()
    };
    let sources = Sources::of(&view, &run::store_folder(journal.folder()))?;
    let alive = run::is_alive(&journal, &id)?;
    match global.output {
        OutputForm::Text => {
            if view.awaits_answer() || (args.full && view.plan().is_some()) {
                output::stdout(&review(&view, &sources, &options))?;
                output::stdout("\n")?;
            }
            output::stdout(&draw(&view, alive, &options))?;
        }
        OutputForm::Markdown => {
            let review = view.plan().map(|_| Review::of(&view, &sources));
            output::stdout(&markdown(&view, alive, review.as_ref()))?;
        }
        OutputForm::Html => {
            let review = view.plan().map(|_| Review::of(&view, &sources));
            output::stdout(&html(&view, alive, review.as_ref()))?;
        }
        OutputForm::Json | OutputForm::Ndjson => {
            let mut status = Status::of(&view, alive);
            status.review = view.plan().map(|_| Review::of(&view, &sources));
            if global.output == OutputForm::Ndjson {
                output::line(&status)?;
            } else {
                output::document(&status)?;
            }
        }
    }
    Ok(exit::DONE)
}
