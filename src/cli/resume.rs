//! `stackgate resume`: takes up an execution that was left, from its journal alone.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use clap::Args;

use super::denied::denied;
use super::earlier::Earlier;
use super::face::Answering;
use super::find::find;
use super::options::{Connection, Global};
use super::rollback::{self, Failed, Next};
use super::run::{self, Account, Run, acquire, block_on, connect};
use super::secret::secrets;
use super::sources::Sources;
use super::{CliError, answer, exit, followers, output, portable, proof, removal};
use crate::action::command;
use crate::artifact::Store;
use crate::aws::Aws;
use crate::journal::Journal;
use crate::model::{Decision, ExecutionDefinition, ExecutionId, Invocation, SecretRef, Target};
use crate::pipeline::{Execution, Findings, Machine, UnknownPolicy};
use crate::report::{self, View};
use crate::runtime;

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The execution: its id, a unique part of it, or `latest`
    execution: String,
    /// Leave when the plan waits for approval
    #[arg(long)]
    detach: bool,
    /// What happened where it cannot be told whether a change set was executed: `executed` (follow the stack) or
    /// `not-executed` (it is not to be: count the target as failed), of all that are asked about or of one
    #[arg(long, value_name = "[ACCOUNT/REGION/STACK=]WHAT")]
    unknown: Vec<Finding>,
    /// Where the value of a secret parameter is now, in place of where it was: `env:NAME`, `file:PATH` or `prompt`
    #[arg(long = "secret", value_name = "KEY=REF")]
    secrets: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

/// What somebody found out about a target that was asked about, or about all of them.
#[derive(Debug, Clone)]
struct Finding {
    target: Option<String>,
    what: UnknownPolicy,
}

impl FromStr for Finding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (target, what) = match text.rsplit_once('=') {
            Some((target, what)) => (Some(target.to_owned()), what),
            None => (None, text),
        };
        let what = match what {
            "executed" => UnknownPolicy::Executed,
            "not-executed" => UnknownPolicy::NotExecuted,
            _ => return Err("expected `executed` or `not-executed`".to_owned()),
        };
        Ok(Self { target, what })
    }
}

/// Returns the findings, each about a target that was `asked_about`.
fn findings(asked_about: &BTreeSet<Target>, given: &[Finding]) -> Result<Findings, CliError> {
    let mut findings = Findings::default();
    for Finding { target, what } in given {
        let Some(name) = target else {
            findings.others = *what;
            continue;
        };
        let mut asked = asked_about.iter();
        let Some(target) = asked.find(|target| target.to_string() == *name) else {
            let asked: Vec<String> = asked_about.iter().map(Target::to_string).collect();
            let hint = match asked.is_empty() {
                true => "it asks about none".to_owned(),
                false => format!("it asks about {}", asked.join(", ")),
            };
            let text =
                format!("`--unknown {name}=…`: the execution does not ask about that target");
            return Err(CliError::message(text).hint(hint));
        };
        findings.named.insert(target.clone(), *what);
    }
    Ok(findings)
}

/// Runs `stackgate resume`.
pub(super) fn resume(global: &Global, args: ResumeArgs) -> Result<u8, CliError> {
    let journal = Journal::open_existing(&global.state)?;
    let id = find(&journal, &args.execution)?;
    let view = View::read(journal.events(&id, 0))?;
    let answering = if answer::given(&journal, &id, &view)?.is_some() {
        Answering::Given
    } else if args.detach || !output::is_interactive() {
        Answering::Detached
    } else {
        Answering::Prompt
    };
    let policy = Policy {
        answering,
        unknown: args.unknown,
        secrets: secrets(&args.secrets)?,
        account: Account::Always,
    };
    go_on(global, &journal, id, view, &args.connection, policy)
}

/// What is said to an execution that is taken up.
pub(super) struct Policy {
    /// How the approval is answered.
    pub answering: Answering,
    /// What happened where it cannot be told.
    unknown: Vec<Finding>,
    /// Where secrets are found now.
    pub secrets: BTreeMap<String, SecretRef>,
    /// When it is accounted for.
    pub account: Account,
}

impl Policy {
    /// Returns one that says how the approval is answered, and nothing else.
    pub(super) fn of(answering: Answering) -> Self {
        Self {
            answering,
            unknown: Vec::new(),
            secrets: BTreeMap::new(),
            account: Account::Always,
        }
    }
}

/// Takes an execution up in this process.
pub(super) fn take_up(
    global: &Global,
    journal: &Journal,
    id: ExecutionId,
    connection: &Connection,
    policy: Policy,
) -> Result<u8, CliError> {
    let view = View::read(journal.events(&id, 0))?;
    go_on(global, journal, id, view, connection, policy)
}

/// The same for an execution that was just read.
fn go_on(
    global: &Global,
    journal: &Journal,
    id: ExecutionId,
    mut ended: View,
    connection: &Connection,
    policy: Policy,
) -> Result<u8, CliError> {
    match rollback::next(journal, &mut ended, policy.answering)? {
        None | Some(Next::Over) => {}
        Some(Next::Begin) => {
            let failed = Failed {
                global,
                journal,
                earlier: Earlier::of(journal, id.as_str(), connection)?,
                answering: policy.answering,
            };
            return block_on(failed.roll_back())?;
        }
        Some(Next::GoOn { id, answering }) => {
            output::stderr(&format!("going on with its rollback, execution {id}\n"));
            let policy = Policy {
                answering,
                account: Account::ForPeople,
                ..policy
            };
            let code = take_up(global, journal, id, connection, policy)?;
            return rollback::account_for(global, journal, &mut ended, code);
        }
    }
    if let (Some(outcome), Some(how)) = (ended.outcome(), ended.ending()) {
        let code = run::outcome_code(*outcome, &ended);
        let again = if code == exit::REJECTED {
            "; to deploy it after all, make a new plan with the same command"
        } else {
            ""
        };
        output::stderr(&format!("execution {id} has ended already: {how}{again}\n"));
        followers::note(journal, &mut ended)?;
        run::account(global, &ended, journal.folder())?;
        return Ok(code);
    }
    if let Some(file) = left_in(journal, &id, &ended)? {
        return Err(portable::left_in(file, &id));
    }
    if let Some(definition) = ended.definition() {
        only_secrets_of(definition, &policy.secrets)?;
    }
    if let Some(why) = denied_answer(journal, &id, &ended)? {
        output::stderr(&why);
        return Ok(exit::FAILED);
    }
    // Of a fleet it is large, and the run has its own.
    drop(ended);
    let lease = acquire(journal, &id)?;
    end_left_over(journal, &id)?;
    // Read again under the lease: its last owner may have written until then.
    let mut view = View::new();
    let events = journal.events(&id, 0).inspect(|event| {
        if let Ok(event) = event {
            view.apply(event);
        }
    });
    let state = Execution::read::<_, CliError>(events)?;
    if let Some(file) = left_in(journal, &id, &view)? {
        journal.release(&lease)?;
        return Err(portable::left_in(file, &id));
    }
    let findings = match findings(&state.asked_about, &policy.unknown) {
        Ok(findings) => findings,
        Err(error) => {
            journal.release(&lease)?;
            return Err(error);
        }
    };
    let begun = || state.definition.invocation.clone();
    let invocation = invocation(&view, connection).unwrap_or_else(begun);
    let is_over = removal::is_due(journal, &id, &view)?;
    if let Some(text) = removal::told(&view).filter(|_| is_over) {
        output::stderr(&text);
    }
    block_on(async {
        let aws = match reach(&state.definition, &invocation, &id, is_over).await {
            Ok(aws) => aws,
            Err(error) => {
                journal.release(&lease)?;
                return Err(error);
            }
        };
        if !is_over {
            proof::look_again(journal, &view, &state.definition, connection, &aws).await;
        }
        let owner = lease.owner().to_owned();
        let now = runtime::now();
        let (machine, turn) = Machine::resume(state, owner, findings, policy.secrets, now);
        let run = Run {
            global,
            journal,
            lease,
            aws,
            caller: None,
            answering: policy.answering,
            out: None,
            account: policy.account,
        };
        run.go(view, machine, turn, &invocation).await
    })?
}

/// Ends the command of a gate that a killed process left running: it is run again where that is still to be passed, and its end
/// counts for nothing where it is not.
fn end_left_over(journal: &Journal, id: &ExecutionId) -> Result<(), CliError> {
    let store = Store::open(&run::store_folder(journal.folder()))?;
    match command::end_left_over(&store, id) {
        0 => {}
        some => output::stderr(&format!(
            "the `stackgate` that ran this execution was killed and left the command of a gate running; it was ended ({some} of its \
             processes)\n"
        )),
    }
    Ok(())
}

/// Refuses to look for secrets that the execution does not have: a slip in a name would be found out only where
/// the value is missed.
pub(super) fn only_secrets_of(
    definition: &ExecutionDefinition,
    given: &BTreeMap<String, SecretRef>,
) -> Result<(), CliError> {
    let known = &definition.secrets;
    match given.keys().find(|name| !known.contains_key(*name)) {
        None => Ok(()),
        Some(name) if known.is_empty() => Err(CliError::message(format!(
            "`--secret {name}=…`: the execution was begun without secrets"
        ))),
        Some(name) => Err(CliError::message(format!(
            "`--secret {name}=…`: the execution has no such secret"
        ))
        .hint(format!(
            "it has: {}",
            known.keys().cloned().collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// Returns the way to AWS, where it is the one that the execution was begun with.
async fn reach(
    definition: &ExecutionDefinition,
    invocation: &Invocation,
    id: &ExecutionId,
    is_over: bool,
) -> Result<Aws, CliError> {
    let aws = connect(invocation, Some(id)).await?;
    run::same_way(invocation, &aws)?;
    // Without a caller the run pauses by itself, and says what to renew. What is removed is named by its ARN, which nobody has in
    // another account.
    let caller = match is_over {
        true => answer::soon(aws.caller()).await,
        false => Some(aws.caller().await),
    };
    if let Some(Ok(caller)) = caller {
        run::same_account(definition, &caller)?;
    }
    Ok(aws)
}

/// Returns the file that the plan has left in: there it is answered, unless it was withdrawn here or nobody can
/// answer any more.
fn left_in<'a>(
    journal: &Journal,
    id: &ExecutionId,
    view: &'a View,
) -> Result<Option<&'a str>, CliError> {
    let is_open = |a: report::Approval<'_>| view.awaits_answer() && runtime::now() < a.expires;
    let (Some(file), true) = (view.exported(), view.approval().is_some_and(is_open)) else {
        return Ok(None);
    };
    let given = answer::given(journal, id, view)?;
    let is_withdrawn = given.is_some_and(|a| a.decision == Decision::Reject);
    Ok((!is_withdrawn).then_some(file))
}

/// Returns why the approval in the inbox does not hold: an earlier stackgate may have let it in.
fn denied_answer(
    journal: &Journal,
    id: &ExecutionId,
    view: &View,
) -> Result<Option<String>, CliError> {
    match answer::given(journal, id, view)? {
        Some(answer) if answer.decision == Decision::Approve => {
            let sources = Sources::of(view, &run::store_folder(journal.folder()))?;
            Ok(denied(view, &sources))
        }
        Some(_) | None => Ok(None),
    }
}

/// Returns how AWS is reached, with what is given now in its place.
pub(super) fn invocation(view: &View, connection: &Connection) -> Option<Invocation> {
    let mut invocation = view.invocation()?.clone();
    if connection.profile.is_some() {
        invocation.profile = connection.profile.clone();
    }
    if connection.endpoint_url.is_some() {
        invocation.endpoint_url = connection.endpoint_url.clone();
    }
    Some(invocation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_out_is_about_all_or_about_one_that_is_asked_about() {
        let target = |region: &str| Target {
            account: "111111111111".parse().unwrap(),
            region: region.parse().unwrap(),
            stack: "app".parse().unwrap(),
        };
        let asked = [target("eu-west-1"), target("us-east-1")].into();
        let read = |texts: &[&str]| {
            let given: Vec<Finding> = texts.iter().map(|t| t.parse().unwrap()).collect();
            findings(&asked, &given)
        };
        let found = read(&["executed", "111111111111/us-east-1/app=not-executed"]).unwrap();
        assert_eq!(found.others, UnknownPolicy::Executed);
        let named = [(target("us-east-1"), UnknownPolicy::NotExecuted)];
        assert_eq!(found.named, named.into());
        let error = read(&["111111111111/us-east-2/app=executed"])
            .err()
            .unwrap();
        let told = format!("{error:?}");
        assert!(told.contains("does not ask about that target"), "{told}");
        for wrong in ["", "yes", "111111111111/us-east-1/app", "app=yes", "="] {
            assert!(wrong.parse::<Finding>().is_err(), "{wrong}");
        }
    }
}
