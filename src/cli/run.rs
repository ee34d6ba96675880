//! Runs an execution in this process, and says how it ended.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::earlier::Earlier;
use super::expected::expected;
use super::face::{Answering, FaceParts, TerminalFace};
use super::options::{Global, OutputForm};
use super::prompt::{Stillness, TerminalMfa, TerminalSecrets};
use super::rollback::Failed;
use super::sources::Sources;
use super::{
    CliError, alarms, beside, ci, debug, denied, exit, identity, output, portable, prompt,
};
use crate::action::World;
use crate::action::secrets::Secrets;
use crate::artifact::Store;
use crate::aws::{Aws, Settings};
use crate::journal::{Journal, Lease};
use crate::model::{
    Caller, Denial, ExecutionDefinition, ExecutionId, ExecutionOutcome, Invocation, PauseReason,
    RoleSession,
};
use crate::pipeline::{Machine, Turn, validate};
use crate::report::{Review, Summary, View, html, markdown, summary, unreached};
use crate::runtime::{self, Driver, Ended};

mod unknown;

use unknown::unknown;

/// Returns the runtime on which a command waits. Built after the arguments are known to be good.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(future);
    // A prompt that nobody answers must not hold the process.
    runtime.shutdown_background();
    Ok(result)
}

/// Returns the folder of the artifacts.
pub(super) fn store_folder(state: &Path) -> std::path::PathBuf {
    state.join("artifacts")
}

/// What a connection is opened with, beside the name of its sessions: profile, region, endpoint, session.
type Way = (Option<String>, Option<String>, Option<String>, RoleSession);

/// The connections of this process: a command that connects twice asks once for the code of a device.
static OPENED: Mutex<Vec<(Way, Aws)>> = Mutex::new(Vec::new());

/// Connects to AWS as the execution was started; where this process is connected in the same way, with that.
pub(super) async fn connect(
    invocation: &Invocation,
    execution: Option<&ExecutionId>,
) -> Result<Aws, CliError> {
    let session = &invocation.session;
    let session_name = match (&session.name, execution) {
        (Some(name), _) => name.clone(),
        (None, Some(id)) => format!("stackgate-{id}"),
        (None, None) => "stackgate".to_owned(),
    };
    let way = (
        invocation.profile.clone(),
        invocation.region.clone(),
        invocation.endpoint_url.clone(),
        RoleSession {
            name: None,
            ..session.clone()
        },
    );
    let opened = || OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = opened()
        .iter()
        .find(|(other, _)| *other == way)
        .map(|(_, aws)| aws.with_session_name(&session_name));
    if let Some(aws) = known {
        return Ok(aws);
    }
    let settings = Settings {
        profile: invocation.profile.clone(),
        region: invocation.region.clone(),
        endpoint_url: invocation.endpoint_url.clone(),
        session_name,
        external_id: session.external_id.clone(),
        session_tags: session.tags.clone(),
        mfa: Some(Arc::new(TerminalMfa)),
        http_client: None,
        credentials: None,
        trace: debug::trace(),
    };
    let aws = Aws::connect(&settings).await?;
    opened().push((way, aws.clone()));
    Ok(aws)
}

/// Takes the lease of an execution; one that a dead process of this machine holds is taken over.
pub(super) fn acquire(journal: &Journal, id: &ExecutionId) -> Result<Lease, CliError> {
    Ok(journal.acquire(id, &identity::owner(), runtime::now(), identity::is_gone)?)
}

/// Refuses to go on at AWS with what was begun at an endpoint of its own, or the other way round: what is not
/// found there would be taken for gone.
pub(super) fn same_way(begun: &Invocation, aws: &Aws) -> Result<(), CliError> {
    let (was, is, hint) = match (begun.own_endpoint, aws.has_own_endpoint()) {
        (true, false) => (
            "at an endpoint of its own",
            "none is set now",
            "give it by `--endpoint-url`, or set AWS_ENDPOINT_URL as it was",
        ),
        (false, true) => (
            "at AWS",
            "an endpoint is set now",
            "unset AWS_ENDPOINT_URL, or take the endpoint out of the profile",
        ),
        (true, true) | (false, false) => return Ok(()),
    };
    Err(CliError::message(format!("the execution was begun {was}, and {is}")).hint(hint))
}

/// Refuses credentials of another account than those that the targets without a role were planned with: each
/// of these targets would fail, and use up the approval.
pub(super) fn same_account(
    definition: &ExecutionDefinition,
    caller: &Caller,
) -> Result<(), CliError> {
    let other = definition.target_specs().find(|spec| {
        let has_role = spec.role_arn.is_some() || spec.execute_role_arn.is_some();
        !has_role && spec.target.account != caller.account
    });
    match other {
        None => Ok(()),
        Some(spec) => Err(CliError::message(format!(
            "the credentials are those of {}, and {} was planned with credentials of account {}",
            caller.arn,
            spec.target.place(),
            spec.target.account
        ))
        .hint("give credentials of that account, by the environment or by `--profile`")),
    }
}

/// Returns whether a process runs the execution now.
pub(super) fn is_alive(journal: &Journal, id: &ExecutionId) -> Result<Option<bool>, CliError> {
    let owner = journal.owner(id)?;
    Ok(Some(owner.is_some_and(|o| {
        o.is_alive(runtime::now()) && !identity::is_gone(&o)
    })))
}

/// An execution that is to be begun.
pub(super) struct Start<'a> {
    pub global: &'a Global,
    pub journal: &'a Journal,
    pub id: ExecutionId,
    pub aws: Aws,
    pub caller: Caller,
    pub answering: Answering,
    /// As [`Run::out`].
    pub out: Option<PathBuf>,
    /// As [`Run::account`].
    pub account: Account,
}

/// What runs an execution.
pub(super) struct Run<'a> {
    pub global: &'a Global,
    pub journal: &'a Journal,
    pub lease: Lease,
    pub aws: Aws,
    pub caller: Option<Caller>,
    pub answering: Answering,
    /// The file that a plan which waits for an answer is written to.
    pub out: Option<PathBuf>,
    /// When it is accounted for.
    pub account: Account,
}

/// When an execution is accounted for at its end: what a machine reads is one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    /// However it ends.
    Always,
    /// Unless it goes well: another execution follows then, and that one is accounted for.
    UnlessDone,
    /// Where people read it: what machines read is that of the execution which it follows.
    ForPeople,
}

/// Returns an id for a new execution.
pub(super) fn new_id() -> Result<ExecutionId, CliError> {
    ExecutionId::new(uuid::Uuid::now_v7().to_string()).map_err(CliError::failed)
}

impl Run<'_> {
    /// Begins an execution and runs it; returns the exit code.
    pub(super) async fn start(
        start: Start<'_>,
        mut definition: ExecutionDefinition,
    ) -> Result<u8, CliError> {
        definition.invocation.own_endpoint = start.aws.has_own_endpoint();
        validate(&definition.pipeline).map_err(CliError::usage)?;
        alarms::look_ahead(&start.aws, &mut definition).await;
        let lease = acquire(start.journal, &start.id)?;
        let (machine, turn) = Machine::start(start.id, definition, runtime::now())?;
        let run = Run {
            global: start.global,
            journal: start.journal,
            lease,
            aws: start.aws,
            caller: Some(start.caller),
            answering: start.answering,
            out: start.out,
            account: start.account,
        };
        let definition = machine.state().definition.clone();
        run.go(View::new(), machine, turn, &definition.invocation)
            .await
    }

    /// Runs the execution until it ends, waits, or is told to stop; returns the exit code. AWS is reached as `invocation` says.
    pub(super) async fn go(
        self,
        view: View,
        machine: Machine,
        turn: Turn,
        invocation: &Invocation,
    ) -> Result<u8, CliError> {
        let definition = machine.state().definition.clone();
        let state_folder = self.journal.folder().to_owned();
        let (pipeline, execution) = (&definition.pipeline.name, &machine.state().id);
        self.aws
            .expect(expected(self.journal, pipeline.as_str(), execution));
        let store_folder = store_folder(&state_folder);
        let store = Store::open(&store_folder)?;
        let artifacts = store_folder.clone();
        let stillness = Stillness::default();
        let secrets = Secrets::new(
            definition.secrets.clone(),
            definition.allow_literal_secrets,
            Arc::new(TerminalSecrets(stillness.clone())),
        )
        .found_at(&machine.state().secrets);
        let secrets = match view.imported_by() {
            Some(_) => secrets.elsewhere(),
            None => secrets,
        };
        let root = Path::new(&invocation.root).to_owned();
        let world = Arc::new(World::new(self.aws, store, root, secrets));
        let bell = Arc::new(Notify::new());
        let detach = Arc::new(AtomicBool::new(matches!(
            self.answering,
            Answering::Detached | Answering::Given
        )));
        let operator = identity::approver(self.caller.as_ref());
        let mut face = TerminalFace::new(
            view,
            FaceParts {
                form: self.global.output,
                answering: self.answering,
                approver: operator.clone(),
                state_folder,
                store_folder,
                bell: bell.clone(),
                detach: detach.clone(),
                stillness,
            },
        );
        let id = machine.state().id.clone();
        let driver = Driver {
            journal: self.journal,
            lease: self.lease,
            world,
            face: &mut face,
            bell,
            detach,
            operator: operator.clone(),
        };
        let result = driver.run(machine, turn).await;
        face.finish();
        prompt::give_back();
        let ended = result.map_err(|error| {
            CliError::from(error).hint(format!("go on with `stackgate resume {id}`"))
        })?;
        if let Ended::Finished(_) = ended {
            beside::note(self.journal, &mut face.view);
        }
        let found = match ended {
            Ended::AwaitingAnswer => {
                denied::findings(&face.view, &Sources::of(&face.view, &artifacts)?)
            }
            Ended::Finished(_) | Ended::Paused(_) | Ended::Stopped | Ended::Detached => Vec::new(),
        };
        let refused = denied::told(&face.view, &found);
        face.view.note_denied(found);
        if let Some(out) = &self.out
            && ended == Ended::AwaitingAnswer
            && refused.is_none()
        {
            let event = portable::export(self.journal, &id, out, operator)?;
            face.view.apply(&event);
        }
        let code = code(&ended, &face.view);
        let is_told = match self.account {
            Account::Always => true,
            Account::UnlessDone => !matches!(code, exit::DONE | exit::WITH_FAILURES),
            Account::ForPeople => self.global.output == OutputForm::Text,
        };
        if let Some(why) = refused {
            if is_told {
                ci::tell(&face.view, &artifacts);
                account(self.global, &face.view, self.journal.folder())?;
            }
            output::stderr(&why);
            return Ok(exit::FAILED);
        }
        if matches!(ended, Ended::Finished(_)) && face.view.is_to_be_rolled_back() {
            let failed = Failed {
                global: self.global,
                journal: self.journal,
                earlier: Earlier {
                    id,
                    view: face.view,
                    definition: ExecutionDefinition {
                        invocation: invocation.clone(),
                        ..(*definition).clone()
                    },
                },
                answering: self.answering,
            };
            return Box::pin(failed.roll_back()).await;
        }
        if is_told {
            ci::tell(&face.view, &artifacts);
            account(self.global, &face.view, self.journal.folder())?;
        }
        tell_next(self.global, &face.view, &id, &ended);
        if let Some(out) = &self.out
            && ended != Ended::AwaitingAnswer
        {
            output::stderr(&format!(
                "no plan waits for an answer: {} was not written\n",
                out.display()
            ));
        }
        Ok(code)
    }
}

/// Prints the account of an execution; the events were printed as they came.
pub(super) fn account(global: &Global, view: &View, state: &Path) -> Result<(), CliError> {
    match global.output {
        OutputForm::Text => output::stdout(&summary(view, &output::screen()))?,
        OutputForm::Json => {
            let mut result = Summary::of(view);
            if view.awaits_answer() {
                result.review = reviewed(view, state)?;
            }
            output::document(&result)?;
        }
        OutputForm::Markdown => {
            let review = reviewed(view, state)?;
            output::stdout(&markdown(view, None, review.as_ref()))?;
        }
        OutputForm::Html => {
            let review = reviewed(view, state)?;
            output::stdout(&html(view, None, review.as_ref()))?;
        }
        OutputForm::Ndjson => {}
    }
    Ok(())
}

/// Returns what there is to review, once there is a plan, with the templates of the state folder.
fn reviewed(view: &View, state: &Path) -> Result<Option<Review>, CliError> {
    if view.plan().is_none() {
        return Ok(None);
    }
    let sources = Sources::of(view, &store_folder(state))?;
    Ok(Some(Review::of(view, &sources)))
}

/// Says what to do next where a run did not come to its end.
fn tell_next(global: &Global, view: &View, id: &ExecutionId, ended: &Ended) {
    // The account says how to go on, where it is text.
    let go_on = match global.output {
        OutputForm::Text => String::new(),
        OutputForm::Json | OutputForm::Ndjson | OutputForm::Markdown | OutputForm::Html => {
            format!("  stackgate resume {id}\n")
        }
    };
    let more = match ended {
        Ended::Finished(_) => return,
        Ended::AwaitingAnswer if view.exported().is_some() => {
            let plan = view.plan().map(|p| p.to_string()).unwrap_or_default();
            let file = view.exported().unwrap_or_default();
            format!(
                "the plan is in {file}; where it is to run, and nobody can be asked:\n  stackgate deploy --plan {file} --approve {plan}\n"
            )
        }
        Ended::AwaitingAnswer => {
            let plan = view.plan().map(|p| p.to_string()).unwrap_or_default();
            match view.approval().and_then(|a| a.wave) {
                Some(wave) => format!(
                    "where nobody can be asked, the plan and the wave are named:\n  stackgate approve {id} --plan {plan} --wave {wave}\n"
                ),
                None => format!(
                    "where nobody can be asked, the plan is named:\n  stackgate approve {id} --plan {plan}\n"
                ),
            }
        }
        Ended::Paused(reason) => match reason {
            PauseReason::CredentialsExpired { message } => format!(
                "paused: {message}\nno target failed for it; renew the credentials, then go on with\n  stackgate resume {id}\n"
            ),
            PauseReason::SecretNeeded { message, .. } => {
                format!("paused: {message}\n  stackgate resume {id}\n")
            }
            PauseReason::OutcomeUnknown {
                target,
                accepted,
                message,
            } => unknown(view, id, target, *accepted, message),
            PauseReason::GateUnreadable { wave, message } => format!(
                "paused: what comes after wave {wave} cannot be looked at: {message}\nno target failed for it; see to it that it can, then go on with\n  stackgate resume {id}\n"
            ),
            PauseReason::Unreachable { .. } => match global.output {
                // The account has told it.
                OutputForm::Text => return,
                OutputForm::Json | OutputForm::Ndjson | OutputForm::Markdown | OutputForm::Html => {
                    cut_off(view, id)
                }
            },
        },
        Ended::Stopped => format!("stopped; nothing runs\n{go_on}"),
        Ended::Detached => {
            format!("left; what runs in AWS goes on\n{go_on}")
        }
    };
    output::stderr(&more);
}

/// Says in which regions nothing answers.
fn cut_off(view: &View, id: &ExecutionId) -> String {
    let regions = view.unreachable();
    let back = match regions.len() {
        0 | 1 => "the region answers again",
        _ => "they answer again, or this computer has its network back",
    };
    let told = regions.into_iter().map(|reason| match reason {
        PauseReason::Unreachable { message, .. } => {
            format!("paused: {}: {message}\n", unreached(reason))
        }
        PauseReason::CredentialsExpired { .. }
        | PauseReason::SecretNeeded { .. }
        | PauseReason::OutcomeUnknown { .. }
        | PauseReason::GateUnreadable { .. } => String::new(),
    });
    let told: String = told.collect();
    format!(
        "{told}no target failed for it, and nothing more was begun; when {back}, go on with\n  stackgate resume {id}\n"
    )
}

/// Returns what would allow a denied call, on lines of their own.
fn advice(message: &str) -> String {
    let denial = Denial::find(message);
    let lines = denial.iter().flat_map(Denial::advice);
    lines.map(|line| format!("\n{line}")).collect()
}

fn code(ended: &Ended, view: &View) -> u8 {
    match ended {
        Ended::Finished(outcome) => outcome_code(*outcome, view),
        Ended::AwaitingAnswer => exit::AWAITING,
        Ended::Paused(_) | Ended::Stopped | Ended::Detached => exit::INTERRUPTED,
    }
}

/// Returns the exit code of the execution in `view`, which ended with `outcome`.
pub(super) fn outcome_code(outcome: ExecutionOutcome, view: &View) -> u8 {
    match outcome {
        // It was to be brought to what is asked for, or back, and is what a failed operation made of it.
        ExecutionOutcome::Succeeded | ExecutionOutcome::NothingToDo
            if !view.left_failed().is_empty() =>
        {
            exit::FAILED
        }
        ExecutionOutcome::Succeeded | ExecutionOutcome::NothingToDo => exit::DONE,
        ExecutionOutcome::SucceededWithFailures => exit::WITH_FAILURES,
        ExecutionOutcome::Failed => exit::FAILED,
        ExecutionOutcome::Rejected | ExecutionOutcome::Expired | ExecutionOutcome::Stopped => {
            exit::REJECTED
        }
    }
}

#[cfg(test)]
mod tests;
