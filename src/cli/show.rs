//! `stackgate show`: the plan in a file, as `plan` showed it.

use std::path::PathBuf;

use clap::Args;

use super::options::{Global, OutputForm};
use super::portable::PlanFile;
use super::sources::Sources;
use super::{CliError, exit, output};
use crate::artifact::Store;
use crate::report::{Review, ScreenOptions, Summary, View, html, markdown_of_file, review};
use crate::runtime;

/// Arguments of `show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The file
    file: PathBuf,
    /// Show every value and the template's text difference
    #[arg(long)]
    full: bool,
}

/// Runs `stackgate show`. It needs neither credentials nor a state folder.
pub(super) fn show(global: &Global, args: &ShowArgs) -> Result<u8, CliError> {
    let aside = tempfile::tempdir()?;
    let store = Store::open(aside.path())?;
    let file = PlanFile::open(&args.file, &store)?;
    let view = View::of(&file.plan.events);
    let sources = Sources::new(store, view.sources().map(|s| s.artifact.clone()).collect());
    let name = args.file.display();
    match global.output {
        OutputForm::Text => {
            let options = ScreenOptions {
                full: args.full,
                ..output::screen()
            };
            output::stdout(&review(&view, &sources, &options))?;
            output::stdout(&format!(
                "File     {name}   format {} of stackgate {}   sha256 {}\nPlanned  as {}\n",
                file.plan.version,
                file.plan.program,
                file.file.short(),
                file.planners().join(", ")
            ))?;
            if !file.is_newer() {
                output::stdout(&format!("\nnext: stackgate deploy --plan {name}\n"))?;
            }
        }
        OutputForm::Markdown => {
            let review = Review::of(&view, &sources);
            output::stdout(&markdown_of_file(&view, &review, &name.to_string()))?;
        }
        OutputForm::Html => {
            let review = Review::of(&view, &sources);
            output::stdout(&html(&view, None, Some(&review)))?;
        }
        OutputForm::Json | OutputForm::Ndjson => {
            let value =
                |value: serde_json::Result<serde_json::Value>| value.map_err(CliError::failed);
            let mut document = value(serde_json::to_value(Summary::of(&view)))?;
            if let Some(object) = document.as_object_mut() {
                let review = value(serde_json::to_value(Review::of(&view, &sources)))?;
                object.insert("review".to_owned(), review);
                object.insert(
                    "next".to_owned(),
                    serde_json::json!([format!("stackgate deploy --plan {name}")]),
                );
                object.insert(
                    "file".to_owned(),
                    serde_json::json!({
                        "format": file.plan.version,
                        "program": file.plan.program,
                        "sha256": file.file,
                        "planned_by": file.planners(),
                    }),
                );
            }
            output::line(&document)?;
        }
    }
    if file.is_newer() {
        output::stderr(
            "the file is of a newer stackgate: what it adds is not shown, its digest cannot be checked, and it cannot be run with this one\n",
        );
    } else if view.approval().is_some_and(|a| runtime::now() >= a.expires) {
        output::stderr(
            "the time for an answer is over: it can be looked at, and no longer approved\n",
        );
    }
    Ok(exit::DONE)
}
