//! `stackgate approve` and `stackgate reject`: an answer from anywhere, through the inbox.

mod unasked;

use std::time::Duration;

use clap::Args;

use self::unasked::Unasked;
use super::face::Answering;
use super::find::find;
use super::options::{Connection, Global};
use super::prompt::{Asked, Question, Said};
use super::run::{self, block_on, connect};
use super::sources::Sources;
use super::{CliError, beside, denied, elsewhere, exit, identity, output, portable, resume, stop};
use crate::approval::{Request, judge};
use crate::journal::Journal;
use crate::model::{
    Answer, Approver, Caller, Decision, Digest, ExecutionDefinition, ExecutionId, InboxMessage,
    Invocation, Origin, RiskLevel, WaveName,
};
use crate::report::{Recorded, ScreenOptions, View, review, time, wave_account};
use crate::runtime;

/// Arguments of `approve` and `reject`.
#[derive(Debug, Args)]
pub(super) struct AnswerArgs {
    /// The execution: its id, a unique part of it, or `latest`
    execution: String,
    /// The whole digest of the plan that was looked at; to approve without a terminal it must be named
    #[arg(long, value_name = "DIGEST")]
    plan: Option<Digest>,
    /// The wave after which the rollout goes on, where that is asked; to approve it without a terminal, name it
    #[arg(long, value_name = "NAME")]
    wave: Option<WaveName>,
    /// Why; it is recorded with the answer
    #[arg(
        long,
        short = 'm',
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    summary: String,
    /// Only record the answer; `stackgate resume` goes on
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Runs `stackgate approve`.
pub(super) fn approve(global: &Global, args: AnswerArgs) -> Result<u8, CliError> {
    let (journal, id, view) = open(global, &args.execution)?;
    let (shown, wave) = awaited(&journal, &view, &id, args.wave.as_ref())?;
    same_wave(args.wave.as_ref(), wave.as_ref(), &id)?;
    if let Some(file) = view.exported() {
        return Err(portable::left_in(file, &id));
    }
    let sources = Sources::of(&view, &run::store_folder(journal.folder()))?;
    if let Some(why) = denied::denied(&view, &sources) {
        output::stderr(&why);
        return Ok(exit::FAILED);
    }
    // Who names the plan only has looked at it, and not at what became of the wave.
    let named = args.plan.filter(|_| args.wave == wave);
    let plan = match named {
        Some(plan) => {
            // The plan was looked at; what others do meanwhile may be news.
            output::notes(view.beside());
            plan
        }
        None if output::is_interactive() => {
            output::stdout(&review(&view, &sources, &output::screen()))?;
            match asked(&view, &sources, shown, wave.as_ref()) {
                Said::Decision(decision, why) => {
                    let summary = if why.is_empty() {
                        args.summary.clone()
                    } else {
                        why
                    };
                    let args = AnswerArgs { summary, ..args };
                    return answer(global, journal, id, (decision, shown, wave), args);
                }
                Said::Later | Said::Gone => {
                    output::stderr(&format!(
                        "not approved; it goes on waiting, or give it up with `stackgate reject {id}`\n"
                    ));
                    return Ok(exit::AWAITING);
                }
            }
        }
        None => {
            let (what, wave) = match &wave {
                Some(wave) => ("the plan and the wave", format!(" --wave {wave}")),
                None => ("the plan", String::new()),
            };
            return Err(CliError::message(format!(
                "without a terminal, {what} that was looked at must be named",
            ))
            .hint(format!(
                "look at it with `stackgate status {id}`, then add `--plan {shown}{wave}`"
            )));
        }
    };
    same_plan(plan, shown, &id)?;
    answer(global, journal, id, (Decision::Approve, plan, wave), args)
}

/// Asks in this terminal for the answer that `deploy` asks for.
fn asked(view: &View, sources: &Sources, plan: Digest, wave: Option<&WaveName>) -> Said {
    output::stderr(&wave_account(view, &output::progress_screen()));
    let asked = match wave {
        Some(wave) => Asked::GoOn(wave),
        None => Asked::Plan {
            targets: view.planned().len(),
            deletes: view.deletes(),
        },
    };
    let full = || {
        let options = ScreenOptions {
            full: true,
            ..output::progress_screen()
        };
        review(view, sources, &options)
    };
    // Nobody closes this question but who answers it.
    let said = Question::default().ask(plan, asked, full);
    said.unwrap_or(Said::Gone)
}

/// Runs `stackgate reject`.
pub(super) fn reject(global: &Global, args: AnswerArgs) -> Result<u8, CliError> {
    let (journal, id, view) = open(global, &args.execution)?;
    let (shown, wave) = awaited(&journal, &view, &id, args.wave.as_ref())?;
    let plan = args.plan.unwrap_or(shown);
    same_plan(plan, shown, &id)?;
    same_wave(args.wave.as_ref(), wave.as_ref(), &id)?;
    elsewhere::refuse_under_a_run(&id, &view, &args.connection)?;
    answer(global, journal, id, (Decision::Reject, plan, wave), args)
}

/// Opens the journal and returns the execution named and its view.
pub(super) fn open(global: &Global, name: &str) -> Result<(Journal, ExecutionId, View), CliError> {
    let journal = Journal::open_existing(&global.state)?;
    let id = find(&journal, name)?;
    let mut view = View::read(journal.events(&id, 0))?;
    note(&journal, &mut view)?;
    beside::note(&journal, &mut view);
    Ok((journal, id, view))
}

/// Adds to `view` what no process has made an event of yet: the answer in the inbox that will count, else that the
/// time for one is over, and what of the plan is denied.
pub(super) fn note(journal: &Journal, view: &mut View) -> Result<(), CliError> {
    if let (true, Some(id)) = (view.awaits_answer(), view.execution()) {
        let answer = given(journal, id, view)?;
        view.note(answer, runtime::now());
        denied::note(journal, view);
    }
    Ok(())
}

/// Returns the STS caller who answered, or else the user of the machine.
pub(super) fn who(approver: &Approver) -> &str {
    approver.arn.as_deref().unwrap_or(&approver.os_user)
}

/// Returns what was done with the plan.
pub(super) fn verb(decision: Decision) -> &'static str {
    match decision {
        Decision::Approve => "approved",
        Decision::Reject => "rejected",
    }
}

/// Refuses what an execution that has ended cannot take any more, and says how it ended.
pub(super) fn not_ended(view: &View, id: &ExecutionId) -> Result<(), CliError> {
    match view.ending() {
        None => Ok(()),
        Some(how) => Err(
            CliError::message(format!("execution {id} has ended already: {how}"))
                .hint(format!("see `stackgate status {id}`")),
        ),
    }
}

/// Refuses an answer about another plan: its owner would record it as one that does not count.
fn same_plan(plan: Digest, shown: Digest, id: &ExecutionId) -> Result<(), CliError> {
    if plan == shown {
        return Ok(());
    }
    Err(CliError::message(format!(
        "plan {plan} is not the one that waits for an answer, which is {shown}"
    ))
    .hint(format!(
        "look at the one that waits with `stackgate status {id}`, then name its digest"
    )))
}

/// Refuses an answer about a wave after which nothing is asked.
fn same_wave(
    named: Option<&WaveName>,
    asked: Option<&WaveName>,
    id: &ExecutionId,
) -> Result<(), CliError> {
    match (named, asked) {
        (Some(named), asked) if asked != Some(named) => {
            let what = match asked {
                Some(wave) => format!("what comes after wave {wave}"),
                None => "the plan".to_owned(),
            };
            Err(
                CliError::message(format!("wave {named} waits for no answer: {what} does"))
                    .hint(format!("look at it with `stackgate status {id}`")),
            )
        }
        (Some(_) | None, _) => Ok(()),
    }
}

/// Returns the plan that waits for an answer, and the wave after which the rollout waits for it. `named`: the wave that was named.
fn awaited(
    journal: &Journal,
    view: &View,
    id: &ExecutionId,
    named: Option<&WaveName>,
) -> Result<(Digest, Option<WaveName>), CliError> {
    not_ended(view, id)?;
    let status = format!("see `stackgate status {id}`");
    if view.given_up().is_some() {
        return Err(CliError::message(format!("execution {id} was given up"))
            .hint(format!("bring it to its end with `stackgate resume {id}`")));
    }
    let Some(approval) = view.approval() else {
        return Err(
            CliError::message(format!("execution {id} does not wait for an answer yet"))
                .hint(status),
        );
    };
    if let Some(answer) = approval.answer {
        let is_alive = run::is_alive(journal, id)? == Some(true);
        let owner = journal.owner(id)?.filter(|_| is_alive).map(|o| o.name);
        let unasked = Unasked {
            id,
            view,
            plan: approval.plan,
            last: answer,
            wave: named,
            owner: owner.as_deref(),
        };
        return Err(unasked.refusal());
    }
    if approval.expired {
        return Err(CliError::message(format!(
            "the request for an answer expired at {}",
            time(approval.expires)
        ))
        .hint(format!(
            "remove its change sets with `stackgate resume {id}`, then plan again"
        )));
    }
    Ok((approval.plan, approval.wave.cloned()))
}

/// Returns the answer in the inbox that nobody took up yet and that will count once somebody does.
pub(super) fn given(
    journal: &Journal,
    id: &ExecutionId,
    view: &View,
) -> Result<Option<Answer>, CliError> {
    let request = match view.approval() {
        Some(asked) if asked.answer.is_none() && !asked.expired => Request {
            plan: asked.plan,
            wave: asked.wave.cloned(),
            requested: asked.requested,
            expires: asked.expires,
            answered: None,
        },
        Some(_) | None => return Ok(None),
    };
    let now = runtime::now();
    let messages = journal.inbox(id)?.messages.into_iter();
    let mut answers = messages.filter_map(|(_, message)| match message {
        InboxMessage::Answer(answer) => Some(answer),
        InboxMessage::Stop(_) => None,
    });
    Ok(answers.find(|answer| judge(&request, answer, now).is_ok()))
}

/// Returns up to which risk an answer covers the rollback that follows where the rollout fails: who answers a plan in a terminal
/// is asked about that, too.
pub(super) fn covered(
    decision: Decision,
    is_about_wave: bool,
    definition: Option<&ExecutionDefinition>,
) -> Option<RiskLevel> {
    match decision {
        Decision::Approve if !is_about_wave && !output::is_interactive() => {
            definition?.covered(RiskLevel::Medium)
        }
        Decision::Approve | Decision::Reject => None,
    }
}

/// Puts the answer into the inbox, then takes the execution up unless another process has it.
fn answer(
    global: &Global,
    journal: Journal,
    id: ExecutionId,
    (decision, plan, wave): (Decision, Digest, Option<WaveName>),
    args: AnswerArgs,
) -> Result<u8, CliError> {
    let now = runtime::now();
    let owned = run::is_alive(&journal, &id)? == Some(true);
    let view = View::read(journal.events(&id, 0))?;
    let invocation = resume::invocation(&view, &args.connection);
    let caller = match block_on(caller(invocation, &id, decision))? {
        Ok(caller) => caller,
        // An answer may be given without credentials; that it carries no ARN should be no surprise.
        Err(why) => {
            output::stderr(&format!(
                "note: the answer is recorded without an AWS caller: {why}\n"
            ));
            None
        }
    };
    let wave_is_asked = wave.is_some();
    let answer = Answer {
        decision,
        plan,
        wave,
        approver: identity::approver(caller.as_ref()),
        origin: Origin::Command,
        at: now,
        summary: args.summary,
        covers: covered(decision, wave_is_asked, view.definition()),
    };
    journal.post(&id, &InboxMessage::Answer(answer), now)?;
    if owned || args.detach {
        let text = if owned {
            format!("recorded; the process that runs execution {id} goes on with it\n")
        } else {
            format!("recorded; go on with `stackgate resume {id}`\n")
        };
        let owner = journal.owner(&id)?.filter(|_| owned).map(|o| o.name);
        let request = match decision {
            Decision::Approve => "approve",
            Decision::Reject => "reject",
        };
        let recorded = Recorded::new(id, Some(request), owner);
        return stop::said(global, &text, &recorded);
    }
    resume::take_up(
        global,
        &journal,
        id,
        &args.connection,
        resume::Policy::of(Answering::Given),
    )
}

/// Returns the STS caller, `None` where it is not known how the execution was begun, or why it cannot be told.
async fn caller(
    invocation: Option<Invocation>,
    id: &ExecutionId,
    decision: Decision,
) -> Result<Option<Caller>, String> {
    let Some(invocation) = invocation else {
        return Ok(None);
    };
    let why = |error: CliError| error.told().0;
    let aws = connect(&invocation, Some(id)).await.map_err(why)?;
    match in_time(decision, aws.caller()).await {
        Some(caller) => caller.map(Some).map_err(|e| why(e.into())),
        None => Err(format!("no answer within {} s", SOON.as_secs())),
    }
}

/// Returns who gives the answer, if that is known in time for it.
async fn in_time<T>(decision: Decision, asking: impl Future<Output = T>) -> Option<T> {
    match decision {
        // Who approved is on record.
        Decision::Approve => Some(asking.await),
        Decision::Reject => soon(asking).await,
    }
}

/// So long who calls is asked for where the answer of a person only waits for it.
const SOON: Duration = Duration::from_secs(5);

/// Returns what comes of asking, if it does so soon.
pub(super) async fn soon<T>(asking: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(SOON, asking).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_is_not_waited_for() {
        assert_eq!(soon(std::future::pending::<()>()).await, None);
        assert_eq!(soon(std::future::ready(1)).await, Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_approves_is_on_record_however_long_it_takes_to_be_told() {
        let slow = || tokio::time::timeout(60 * SOON, std::future::pending::<()>());
        assert!(in_time(Decision::Approve, slow()).await.is_some());
        assert!(in_time(Decision::Reject, slow()).await.is_none());
    }
}
