//! `stackgate stop`: asks the process that runs an execution to stop, or gives the execution up.

use std::collections::BTreeSet;

use clap::Args;
use jiff::Timestamp;

use super::face::Answering;
use super::options::{Connection, Global, OutputForm};
use super::{CliError, answer, elsewhere, exit, identity, output, resume, run};
use crate::action::command;
use crate::artifact::Store;
use crate::journal::{Durability, Journal};
use crate::model::{EventKind, ExecutionId, Gate, InboxMessage, StopMode, StopRequest};
use crate::pipeline::Execution;
use crate::report::{Recorded, View};
use crate::runtime;

/// Arguments of `stop`.
#[derive(Debug, Args)]
pub(super) struct StopArgs {
    /// The execution: its id, a unique part of it, or `latest`
    execution: String,
    /// Leave at once instead of finishing what runs; stacks under way go on in AWS
    #[arg(long)]
    now: bool,
    /// End it: follow what runs, never execute the rest, and remove its change sets. Approved or not, and whether
    /// a process runs it or not
    #[arg(long, conflicts_with = "now")]
    give_up: bool,
    /// Why; it is recorded with the request
    #[arg(
        long,
        short = 'm',
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    reason: String,
    #[command(flatten)]
    connection: Connection,
}

/// Runs `stackgate stop`.
pub(super) fn stop(global: &Global, args: &StopArgs) -> Result<u8, CliError> {
    let (journal, id, view) = answer::open(global, &args.execution)?;
    answer::not_ended(&view, &id)?;
    let now = runtime::now();
    let request = StopRequest {
        mode: match (args.give_up, args.now) {
            (true, _) => StopMode::GiveUp,
            (false, true) => StopMode::Abandon,
            (false, false) => StopMode::Wait,
        },
        by: identity::approver(None),
        reason: args.reason.clone(),
        unreachable: BTreeSet::new(),
    };
    let owner = journal
        .owner(&id)?
        .filter(|o| o.is_alive(now) && !identity::is_gone(o));
    match owner {
        Some(owner) => {
            post(&journal, &id, request, now)?;
            let (what, recorded, then) = if args.give_up {
                (
                    "give up execution",
                    "give_up",
                    format!("see how it ends with `stackgate status {id}`"),
                )
            } else {
                ("stop execution", "stop", "it can be resumed".to_owned())
            };
            let text = format!("asked {} to {what} {id}; {then}\n", owner.name);
            said(
                global,
                &text,
                &Recorded::new(id, Some(recorded), Some(owner.name)),
            )
        }
        None if args.give_up => {
            elsewhere::refuse_under_a_run(&id, &view, &args.connection)?;
            give_up(&journal, &id, &view, request)?;
            resume::take_up(
                global,
                &journal,
                id,
                &args.connection,
                resume::Policy::of(Answering::Given),
            )
        }
        None => {
            let text = nobody(&journal, &id, &view)?;
            said(global, &text, &Recorded::new(id, None, None))
        }
    }
}

/// Says that no process runs the execution, why that is so where one was killed, what it may have left running, and how it goes on.
fn nobody(journal: &Journal, id: &ExecutionId, view: &View) -> Result<String, CliError> {
    let gone = journal.owner(id)?.filter(identity::is_gone);
    let mut text = match (gone, view.awaits_answer()) {
        // One that asks somebody has left as it should.
        (Some(owner), false) => format!(
            "the process that ran execution {id} is gone ({}); there is nothing to stop\n",
            owner.name
        ),
        (Some(_) | None, _) => {
            format!("no process runs execution {id}; nothing is to be stopped\n")
        }
    };
    let gate = view.gate().map(|(place, _)| &place.gate);
    if let Some(gate @ Gate::Command(_)) = gate {
        let store = Store::open(&run::store_folder(journal.folder()))?;
        text.push_str(&match command::left_over(&store, id) {
            Some(group) => format!(
                "its gate was left running: {gate} (process group {group}); `stackgate resume` and `--give-up` end it, and so \
                 does `kill -- -{group}`\n"
            ),
            None => format!(
                "its gate may have been left running on the machine where it ran: {gate}; none of its processes is found here\n"
            ),
        });
    }
    text.push_str(&format!(
        "  stackgate resume {id}           go on\n  stackgate stop {id} --give-up   never execute the rest, remove its change sets\n"
    ));
    Ok(text)
}

/// Says in the form asked for what became of a request.
pub(super) fn said(global: &Global, text: &str, recorded: &Recorded) -> Result<u8, CliError> {
    match global.output {
        form @ OutputForm::Text => output::text(form, "stackgate", &output::sentences(text))?,
        form @ (OutputForm::Markdown | OutputForm::Html) => output::text(form, "stackgate", text)?,
        OutputForm::Json => output::document(recorded)?,
        OutputForm::Ndjson => output::line(recorded)?,
    }
    Ok(exit::DONE)
}

/// Puts the request into the inbox of the process that runs the execution.
fn post(
    journal: &Journal,
    id: &ExecutionId,
    mut request: StopRequest,
    now: Timestamp,
) -> Result<(), CliError> {
    if request.mode == StopMode::GiveUp {
        // The process may leave before it reads this, and whoever resumes forgets where nothing answered.
        request.unreachable = replayed(journal, id)?.unreachable;
    }
    journal.post(id, &InboxMessage::Stop(request), now)?;
    Ok(())
}

/// Notes in the journal that an execution which nobody runs is given up: from then on, whoever takes it up only
/// brings it to its end.
fn give_up(
    journal: &Journal,
    id: &ExecutionId,
    view: &View,
    request: StopRequest,
) -> Result<(), CliError> {
    if is_said(view) {
        return Ok(());
    }
    let lease = run::acquire(journal, id)?;
    let written = (|| {
        // Read under the lease: its last owner may have written until then.
        let state = replayed(journal, id)?;
        let event = state.follow(runtime::now(), EventKind::StopRequested { request })?;
        let events = std::slice::from_ref(&event);
        journal.append(&lease, state.seq, events, &[], Durability::Intent)?;
        Ok(())
    })();
    journal.release(&lease)?;
    written
}

fn replayed(journal: &Journal, id: &ExecutionId) -> Result<Execution, CliError> {
    Execution::read::<_, CliError>(journal.events(id, 0))
}

/// Returns whether the execution was given up by who knew all that is known now: said again, it holds for the regions that have
/// fallen silent since, too, and for the targets that were asked about since.
fn is_said(view: &View) -> bool {
    view.given_up().is_some() && view.unreachable().is_empty() && view.unknown().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::samples;
    use crate::model::{Event, PauseReason, Region, Scope, Target};

    #[test]
    fn whoever_asks_a_process_to_give_up_says_where_nothing_answered_then() {
        let (_folder, journal) = samples::journal();
        let id = samples::id(1);
        let lease = samples::begun(&journal, &id);
        let region = Region::new("eu-west-1").unwrap();
        let reason = PauseReason::Unreachable {
            region: region.clone(),
            untouched: 1,
            under_way: 0,
            message: "no route".to_owned(),
        };
        let paused = Event {
            scope: Scope::default(),
            ..samples::event(&id, 2, EventKind::Paused { reason })
        };
        let written = journal.append(&lease, 1, &[paused], &[], Durability::Intent);
        written.unwrap();
        for mode in [StopMode::Wait, StopMode::Abandon, StopMode::GiveUp] {
            let request = StopRequest {
                mode,
                ..samples::stop()
            };
            post(&journal, &id, request, samples::now()).unwrap();
        }
        let inbox = journal.inbox(&id).unwrap().messages;
        let told = inbox.into_iter().map(|(_, message)| match message {
            InboxMessage::Stop(request) => request.unreachable,
            InboxMessage::Answer(answer) => panic!("{answer:?}"),
        });
        let told: Vec<_> = told.collect();
        assert_eq!(told, [BTreeSet::new(), BTreeSet::new(), [region].into()]);
    }

    /// Returns what an execution tells that was given up, was taken up and paused for `reason`, if for any.
    fn given_up(reason: Option<PauseReason>) -> View {
        let definition = std::sync::Arc::new(crate::plan::sample::definition());
        let request = StopRequest {
            mode: StopMode::GiveUp,
            by: identity::approver(None),
            reason: String::new(),
            unreachable: Default::default(),
        };
        let resumed = EventKind::Resumed {
            owner: "laptop:1".to_owned(),
            secrets: Default::default(),
        };
        let mut kinds = vec![
            EventKind::ExecutionStarted { definition },
            EventKind::StopRequested { request },
            resumed,
        ];
        kinds.extend(reason.map(|reason| EventKind::Paused { reason }));
        let event = |(seq, kind)| Event {
            seq,
            execution: "019a4c3e-0000-7000-8000-000000000001".parse().unwrap(),
            at: jiff::Timestamp::UNIX_EPOCH,
            scope: Scope::default(),
            kind,
        };
        let events: Vec<Event> = (1..).zip(kinds).map(event).collect();
        View::of(&events)
    }

    #[test]
    fn giving_up_is_said_again_for_what_was_not_known_then() {
        assert!(is_said(&given_up(None)));
        let reason = PauseReason::OutcomeUnknown {
            target: Target {
                account: "111111111111".parse().unwrap(),
                region: "eu-west-1".parse().unwrap(),
                stack: "network".parse().unwrap(),
            },
            accepted: true,
            message: "AccessDenied".to_owned(),
        };
        assert!(!is_said(&given_up(Some(reason))));
    }
}
