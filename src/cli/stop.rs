//! `stackgate stop`: asks the process that runs an execution to stop.

use clap::Args;

use super::options::{Global, OutputForm};
use super::{CliError, answer, exit, identity, output};
use crate::model::{InboxMessage, StopMode, StopRequest};
use crate::report::{Recorded, markdown_text};
use crate::runtime;

/// Arguments of `stop`.
#[derive(Debug, Args)]
pub(super) struct StopArgs {
    /// The execution: its id, a unique part of it, or `latest`
    execution: String,
    /// Leave at once instead of finishing what runs; stacks under way go on in AWS
    #[arg(long)]
    now: bool,
    /// Why; it is recorded with the request
    #[arg(
        long,
        short = 'm',
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    reason: String,
}

/// Runs `stackgate stop`.
pub(super) fn stop(global: &Global, args: &StopArgs) -> Result<u8, CliError> {
    let (journal, id, view) = answer::open(global, &args.execution)?;
    if view.outcome().is_some() {
        return Err(CliError::message(format!("execution {id} has ended"))
            .hint(format!("see `stackgate status {id}`")));
    }
    let now = runtime::now();
    let owner = journal
        .owner(&id)?
        .filter(|o| o.is_alive(now) && !identity::is_gone(&o.name));
    let Some(owner) = owner else {
        let text = format!(
            "no process runs execution {id}; nothing is to be stopped\n  stackgate resume {id}   go on\n  stackgate reject {id}   give the plan up, if it waits for approval\n"
        );
        return said(global, &text, &Recorded::new(id, None, None));
    };
    let request = StopRequest {
        mode: if args.now {
            StopMode::Abandon
        } else {
            StopMode::Wait
        },
        by: identity::approver(None),
        reason: args.reason.clone(),
    };
    journal.post(&id, &InboxMessage::Stop(request), now)?;
    let text = format!(
        "asked {} to stop execution {id}; it can be resumed\n",
        owner.name
    );
    said(
        global,
        &text,
        &Recorded::new(id, Some("stop"), Some(owner.name)),
    )
}

/// Says in the form asked for what became of a request.
pub(super) fn said(global: &Global, text: &str, recorded: &Recorded) -> Result<u8, CliError> {
    match global.output {
        OutputForm::Text => output::stdout(text)?,
        OutputForm::Markdown => output::stdout(&markdown_text(text))?,
        OutputForm::Json => output::document(recorded)?,
        OutputForm::Ndjson => output::line(recorded)?,
    }
    Ok(exit::DONE)
}
