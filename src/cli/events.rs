//! `stackgate events`: what happened in an execution, in order.

use clap::Args;

use super::find::find;
use super::options::{Global, OutputForm};
use super::{CliError, exit, output};
use crate::journal::Journal;
use crate::model::{Event, EventKind, ExecutionId};
use crate::report::{EventLine, EventText, Events, ScreenOptions};

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
    let mut events = journal.events(&id, args.after);
    match global.output {
        OutputForm::Text => {
            let options = output::screen();
            let drawn = text(&journal, &id, &options);
            events.try_for_each(|event| Ok::<_, CliError>(output::stdout(&drawn.of(&event?))?))?;
        }
        form @ (OutputForm::Markdown | OutputForm::Html) => {
            let options = ScreenOptions::default();
            let drawn = text(&journal, &id, &options);
            let text: String = events
                .map(|event| Ok::<_, CliError>(drawn.of(&event?)))
                .collect::<Result<_, _>>()?;
            output::text(form, &format!("events of {id}"), &text)?;
        }
        // One document, which is whole or not there.
        OutputForm::Json => {
            let events: Vec<Event> = events.collect::<Result<_, _>>()?;
            output::document(&Events::of(&events))?;
        }
        OutputForm::Ndjson => {
            events.try_for_each(|event| output::line(&EventLine::of(&event?)))?;
        }
    }
    Ok(exit::DONE)
}

/// Returns what draws the events of an execution: a target has the same name in each, whichever of them are shown.
fn text<'a>(journal: &Journal, id: &ExecutionId, options: &'a ScreenOptions) -> EventText<'a> {
    // Where it cannot be read, targets have their full names.
    let first = journal.first_event(id).ok().flatten();
    let definition = first.and_then(|first| match first.kind {
        EventKind::ExecutionStarted { definition } => Some(definition),
        _ => None,
    });
    let specs = definition.iter().flat_map(|d| d.target_specs());
    EventText::new(specs.map(|spec| &spec.target), options)
}
