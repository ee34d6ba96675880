//! `stackgate resume`: takes up an execution that was left, from its journal alone.

use clap::{Args, ValueEnum};

use super::face::Answering;
use super::options::{Connection, Global};
use super::run::{self, Run, acquire, block_on, connect};
use super::{CliError, answer, output};
use crate::journal::Journal;
use crate::model::{Event, EventKind, ExecutionDefinition, ExecutionId, Invocation};
use crate::pipeline::{Machine, UnknownPolicy};
use crate::report::View;
use crate::runtime;

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The execution: its id, a unique part of it, or `latest`
    execution: String,
    /// Leave when the plan waits for approval
    #[arg(long)]
    detach: bool,
    /// What happened where it cannot be told whether a change set was executed
    #[arg(long, value_enum, value_name = "WHAT")]
    unknown: Option<UnknownArg>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum UnknownArg {
    /// It was: follow the stack
    Executed,
    /// It was not, and is not to be: count the target as failed
    NotExecuted,
}

/// Runs `stackgate resume`.
pub(super) fn resume(global: &Global, args: ResumeArgs) -> Result<u8, CliError> {
    let journal = Journal::open_existing(&global.state)?;
    let id = journal.find(&args.execution)?;
    let unknown = match args.unknown {
        None => UnknownPolicy::Ask,
        Some(UnknownArg::Executed) => UnknownPolicy::Executed,
        Some(UnknownArg::NotExecuted) => UnknownPolicy::NotExecuted,
    };
    let answering = if answer::given(&journal, &id)?.is_some() {
        Answering::Given
    } else if args.detach || !output::is_interactive() {
        Answering::Detached
    } else {
        Answering::Prompt
    };
    take_up(global, journal, id, &args.connection, answering, unknown)
}

/// Takes an execution up in this process.
pub(super) fn take_up(
    global: &Global,
    journal: Journal,
    id: ExecutionId,
    connection: &Connection,
    answering: Answering,
    unknown: UnknownPolicy,
) -> Result<u8, CliError> {
    let started = journal.events(&id, 0)?;
    let ended = View::of(&started);
    if let Some(outcome) = ended.outcome() {
        run::account(global, &ended, journal.folder())?;
        return Ok(run::outcome_code(*outcome));
    }
    let lease = acquire(&journal, &id)?;
    // Read again under the lease: its last owner may have written until then.
    let events = journal.events(&id, 0)?;
    let view = View::of(&events);
    let Some(mut definition) = definition(&events).cloned() else {
        return Err(CliError::message(format!(
            "execution {id} has no definition"
        )));
    };
    if let Some(invocation) = invocation(&events, connection) {
        definition.invocation = invocation;
    }
    block_on(async {
        let aws = connect(&definition.invocation, Some(&id)).await?;
        let owner = lease.owner().to_owned();
        let (machine, turn) = Machine::resume(&events, owner, unknown, runtime::now())?;
        let run = Run {
            global,
            journal: &journal,
            lease,
            aws,
            caller: None,
            answering,
            goes_on: false,
        };
        run.go(view, machine, turn, &definition).await
    })?
}

fn definition(events: &[Event]) -> Option<&ExecutionDefinition> {
    match &events.first()?.kind {
        EventKind::ExecutionStarted { definition } => Some(definition),
        _ => None,
    }
}

/// Returns how the execution was started, with what is given now in its place.
pub(super) fn invocation(events: &[Event], connection: &Connection) -> Option<Invocation> {
    let mut invocation = definition(events)?.invocation.clone();
    if connection.profile.is_some() {
        invocation.profile = connection.profile.clone();
    }
    if connection.endpoint_url.is_some() {
        invocation.endpoint_url = connection.endpoint_url.clone();
    }
    Some(invocation)
}
