//! `stackgate recover`: gets stacks out of where an update or a creation left them stuck.

mod execution;

use clap::Args;
use futures_util::{StreamExt as _, stream};

use super::earlier::Earlier;
use super::options::{Connection, Global, OutputForm};
use super::run::{block_on, connect};
use super::survey::AT_ONCE;
use super::targets::TargetArgs;
use super::{CliError, exit, output, prompt};
use crate::aws::{Aws, RecoverStack, StackRef};
use crate::journal::Journal;
use crate::model::{
    CallFailure, Cause, ExecutionId, FailureKind, LogicalId, Priority, Recovery, StackEvent,
    StackId, StackName, StackStatus, TargetSpec, clean,
};
use crate::report::{Recovering, RecoveryFate, RecoveryTarget, count, recovering};

/// Arguments of `recover`.
#[derive(Debug, Args)]
pub(super) struct RecoverArgs {
    /// The stack's name; or an execution that has ended, for the stacks that it left stuck: its id, the beginning of it,
    /// or `latest`
    #[arg(value_name = "STACK|EXECUTION", value_parser = whose)]
    of: Whose,
    /// Take back an update that is under way (`UPDATE_IN_PROGRESS`), whoever began it
    #[arg(long, group = "operation")]
    cancel_update: bool,
    /// Go on with a rollback that failed (`UPDATE_ROLLBACK_FAILED`)
    #[arg(long, group = "operation")]
    continue_rollback: bool,
    /// Roll back what failed while rollback was disabled (`CREATE_FAILED`, `UPDATE_FAILED`)
    #[arg(long, group = "operation")]
    rollback_stack: bool,
    /// Resources that the rollback passes over: they count as rolled back, and are not what the template says. Those of
    /// a nested stack as `NESTED_STACK_NAME.LOGICAL_ID`
    #[arg(long = "skip-resource", value_delimiter = ',', value_name = "LOGICAL_ID",
          requires = "continue_rollback", value_parser = skipped)]
    skip_resources: Vec<String>,
    /// Do it without asking
    #[arg(long, requires = "operation")]
    yes: bool,
    /// The role that CloudFormation acts with; `{partition}`, `{account}` and `{region}` are filled in. Without it, the one
    /// it acted with last
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    // Last, since its headings hold for what follows.
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    connection: Connection,
}

impl RecoverArgs {
    fn operation(&self) -> Option<Recovery> {
        let flags = [
            (self.cancel_update, Recovery::CancelUpdate),
            (self.continue_rollback, Recovery::ContinueRollback),
            (self.rollback_stack, Recovery::RollbackStack),
        ];
        flags.into_iter().find(|(flag, _)| *flag).map(|(_, o)| o)
    }
}

/// What the stacks belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Whose {
    Stack(StackName),
    Execution(String),
}

/// Takes the name of a stack, which begins with a letter, or an execution, whose id begins with a digit.
fn whose(text: &str) -> Result<Whose, String> {
    match matches!(text, "latest" | "@") || text.starts_with(|c: char| c.is_ascii_digit()) {
        true => Ok(Whose::Execution(text.to_owned())),
        false => text.parse().map(Whose::Stack).map_err(|e| format!("{e}")),
    }
}

/// Takes a resource as `ContinueUpdateRollback` names it.
fn skipped(text: &str) -> Result<String, String> {
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
    let is_stack = |name: &str| {
        let is_part = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(is_part)
    };
    let is_good = match text.split_once('.') {
        None => is_id(text),
        Some((stack, id)) => is_stack(stack) && is_id(id),
    };
    match is_good {
        true => Ok(text.to_owned()),
        false => Err("expected `LOGICAL_ID` or `NESTED_STACK_NAME.LOGICAL_ID`".to_owned()),
    }
}

/// A target, and the stack that was found there.
type Seen = (RecoveryTarget, Option<Sight>);

/// A stack as it was shown.
struct Sight {
    id: StackId,
    /// Its newest event.
    newest: Option<String>,
    /// When and with which token its operation began.
    began: Option<String>,
}

/// What was looked at.
struct Found<'a> {
    aws: Aws,
    specs: Vec<TargetSpec>,
    /// What was found, in the same order.
    seen: Vec<Seen>,
    /// The execution in whose name stacks are recovered.
    of: Option<&'a Earlier>,
}

/// Runs `stackgate recover`.
pub(super) fn recover(global: &Global, mut args: RecoverArgs) -> Result<u8, CliError> {
    let operation = args.operation();
    match args.of.clone() {
        Whose::Stack(stack) => {
            let root = std::env::current_dir()?;
            let options = args.targets.reached_by(&args.connection);
            let taken = args.targets.fill(&root, &mut args.connection)?;
            taken.say();
            let invocation = args
                .targets
                .invocation(&root, &args.connection, taken.chosen)?;
            block_on(async {
                let aws = connect(&invocation, None).await?;
                let caller = aws.caller().await?;
                let specs = args.targets.resolve(&aws, &stack, &caller).await?.told();
                // Stacks are worked on as after an approval.
                let specs: Vec<TargetSpec> = specs.into_iter().map(TargetSpec::executing).collect();
                let by_name = |spec| look(&aws, spec, StackRef::Name(&stack), operation);
                let looks = specs.iter().map(by_name);
                let seen = stream::iter(looks).buffered(AT_ONCE).collect().await;
                let found = Found {
                    aws,
                    specs,
                    seen,
                    of: None,
                };
                go_on(global, &args, found, |targets| {
                    Recovering::new(stack.clone(), operation, targets, &options)
                })
                .await
            })?
        }
        Whose::Execution(name) => {
            if args.targets.are_chosen() {
                return Err(CliError::message("an execution has its own targets").hint(
                    "leave out the options that choose targets, or name the stack in place of the execution",
                ));
            }
            let journal = Journal::open_existing(&global.state)?;
            let earlier = execution::open(&journal, &name, &args.connection)?;
            let id: &ExecutionId = &earlier.id;
            let all = earlier.view.targets().len();
            block_on(async {
                let found = execution::find(&earlier, operation).await?;
                let Some(stack) = found.specs.first().map(|s| s.target.stack.clone()) else {
                    output::stderr(&format!(
                        "execution {id}: nothing to recover, all of its {all} targets ended well\n"
                    ));
                    return Ok(exit::DONE);
                };
                go_on(global, &args, found, |targets| {
                    Recovering::new(stack.clone(), operation, targets, "").of_execution(id.clone())
                })
                .await
            })?
        }
    }
}

/// Shows what was found, and does what is asked for where it is possible. `of` makes the document.
async fn go_on(
    global: &Global,
    args: &RecoverArgs,
    found: Found<'_>,
    of: impl Fn(Vec<RecoveryTarget>) -> Recovering,
) -> Result<u8, CliError> {
    let Found {
        aws,
        specs,
        seen,
        of: earlier,
    } = found;
    let of = |seen: &[Seen]| of(seen.iter().map(|(target, _)| target.clone()).collect());
    let all = of(&seen);
    let (Some(operation), 1..) = (args.operation(), all.possible()) else {
        show(global, &all)?;
        return Ok(code(&all));
    };
    if !args.yes {
        show(global, &all)?;
        if global.output != OutputForm::Text || !output::is_interactive() {
            output::stderr(&format!(
                "nothing was done; add `--yes` to go on with `{}`\n",
                operation.flag()
            ));
            return Ok(exit::AWAITING);
        }
        for (target, sight) in &seen {
            let began = sight.as_ref().and_then(|sight| sight.began.as_ref());
            if let (RecoveryFate::Possible { .. }, Some(began)) = (&target.fate, began) {
                output::stderr(&format!("{}: {began}\n", target.target.place()));
            }
        }
        if !prompt::confirm(&question(operation, all.possible())) {
            output::stderr("nothing was done\n");
            return Ok(exit::REJECTED);
        }
    }
    let aws = &aws;
    let acts = specs
        .iter()
        .zip(seen)
        .map(|(spec, (target, stack))| async move {
            let possible = matches!(target.fate, RecoveryFate::Possible { .. });
            let Some(stack) = stack.filter(|_| possible) else {
                return (target, None);
            };
            // Somebody else may have begun something while the question was open.
            let theirs = match earlier {
                Some(earlier) => execution::not_its_own(earlier, aws, spec, operation).await,
                None => None,
            };
            let fate = match theirs {
                Some(reason) => RecoveryFate::TakesNone { reason },
                None => act(aws, spec, &stack, operation, args).await,
            };
            let done = RecoveryTarget {
                blocking: Vec::new(),
                fate,
                ..target
            };
            (done, None)
        });
    let done: Vec<Seen> = stream::iter(acts).buffered(AT_ONCE).collect().await;
    let all = of(&done);
    show(global, &all)?;
    Ok(code(&all))
}

/// Returns what is asked before anything is done, in words as everywhere.
fn question(operation: Recovery, targets: usize) -> String {
    let targets = count(targets, "target");
    match operation {
        Recovery::CancelUpdate => format!("Cancel the update in {targets}?"),
        Recovery::ContinueRollback => format!("Continue the rollback in {targets}?"),
        Recovery::RollbackStack => format!("Roll back the stack in {targets}?"),
    }
}

fn code(all: &Recovering) -> u8 {
    match all.has_failed() {
        true => exit::FAILED,
        false => exit::DONE,
    }
}

fn show(global: &Global, all: &Recovering) -> Result<(), CliError> {
    match global.output {
        form @ (OutputForm::Text | OutputForm::Markdown | OutputForm::Html) => {
            output::text(
                form,
                "stackgate recover",
                &recovering(all, &output::screen()),
            )?;
        }
        OutputForm::Json => output::document(all)?,
        OutputForm::Ndjson => output::line(all)?,
    }
    Ok(())
}

/// Looks at a target.
async fn look(aws: &Aws, spec: &TargetSpec, by: StackRef<'_>, asked: Option<Recovery>) -> Seen {
    let target = spec.target.clone();
    let (status, blocking, fate, sight) = match aws.stack(spec, by, Priority::Read).await {
        Ok(None) => (None, Vec::new(), RecoveryFate::NoStack, None),
        Ok(Some(stack)) => {
            let fate = RecoveryFate::of(&target, stack.status, asked);
            let is_asked = asked.is_some() && matches!(fate, RecoveryFate::Possible { .. });
            let events = match is_asked {
                true => aws.newest_events(spec, &stack.id).await,
                false => Ok(Vec::new()),
            };
            // What is under way there cannot be told from what others begin.
            let (events, fate) = match events {
                Ok(events) => (events, fate),
                Err(CallFailure {
                    message: reason, ..
                }) => (Vec::new(), RecoveryFate::NotLookedAt { reason }),
            };
            let blocking = match stack.status {
                StackStatus::UpdateRollbackFailed => blocking(aws, spec, &stack.id).await,
                _ => Vec::new(),
            };
            let sight = Sight {
                newest: events.first().map(|event| event.id.clone()),
                began: began(&events, &stack.id),
                id: stack.id,
            };
            (Some(stack.status), blocking, fate, Some(sight))
        }
        Err(CallFailure {
            message: reason, ..
        }) => (None, Vec::new(), RecoveryFate::NotLookedAt { reason }, None),
    };
    let seen = RecoveryTarget {
        target,
        status,
        blocking,
        fate,
    };
    (seen, sight)
}

/// Says when and with which token the stack's operation began, where it is among `events`, the newest first.
fn began(events: &[StackEvent], stack: &StackId) -> Option<String> {
    let mut own = events.iter().filter(|event| event.is_of_stack(stack));
    let event = own.find(|event| {
        matches!(
            event.status.as_str(),
            "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" | "IMPORT_IN_PROGRESS"
        )
    })?;
    let with = match &event.token {
        Some(token) => format!("with the token {}", clean(token)),
        None => "without a token".to_owned(),
    };
    Some(format!(
        "the operation began at {} {with} ({})",
        event.at, event.status
    ))
}

/// Returns what the stack itself did since it was shown, if anything: another operation may have begun.
fn since_shown<'a>(newer: &'a [StackEvent], stack: &StackId) -> Option<&'a StackEvent> {
    newer.iter().rfind(|event| event.is_of_stack(stack))
}

/// Returns the resources that could not be rolled back, as far as they can be looked up.
async fn blocking(aws: &Aws, spec: &TargetSpec, stack: &StackId) -> Vec<LogicalId> {
    let held = aws.held_resources(spec, stack).await.unwrap_or_default();
    let failed = held.into_iter().filter(|one| one.status == "UPDATE_FAILED");
    failed.map(|one| one.logical_id).collect()
}

/// Does it at one target, and watches until it has ended.
async fn act(
    aws: &Aws,
    spec: &TargetSpec,
    sight: &Sight,
    operation: Recovery,
    args: &RecoverArgs,
) -> RecoveryFate {
    match try_act(aws, spec, sight, operation, args).await {
        Ok(fate) => fate,
        Err(failure) => RecoveryFate::Failed {
            status: None,
            cause: Cause::of(failure.message),
        },
    }
}

async fn try_act(
    aws: &Aws,
    spec: &TargetSpec,
    sight: &Sight,
    operation: Recovery,
    args: &RecoverArgs,
) -> Result<RecoveryFate, CallFailure> {
    let stack = &sight.id;
    // Somebody may have been faster while the question was open.
    let by = StackRef::Id(stack);
    match aws.stack(spec, by, Priority::Read).await? {
        Some(now) if Recovery::of(now.status) == Some(operation) => {}
        Some(now) => return Ok(RecoveryFate::of(&spec.target, now.status, Some(operation))),
        None => return Ok(RecoveryFate::NoStack),
    }
    // The same status can be that of another operation.
    let newer = aws
        .events_since(spec, stack, sight.newest.as_deref())
        .await?;
    let known = sight.newest.as_ref();
    if let Some(event) = since_shown(&newer, stack) {
        return Ok(RecoveryFate::Failed {
            status: None,
            cause: Cause::of(format!(
                "nothing was done: the stack is no longer what was shown ({} at {}); look at it again",
                event.status, event.at
            )),
        });
    }
    let after = newer.last().map(|event| &event.id).or(known).cloned();
    let token = uuid::Uuid::now_v7().to_string();
    let role = args.role_arn.as_ref().map(|role| spec.target.fill(role));
    let asked = RecoverStack {
        recovery: operation,
        token: &token,
        skip: &args.skip_resources,
        role_arn: role.as_deref(),
    };
    let place = spec.target.place();
    let answer = match aws.recover_stack(spec, stack, asked).await {
        Ok(()) => "accepted",
        // It may have begun: the stack tells, and it is never sent twice.
        Err(failure) if failure.kind == FailureKind::Ambiguous => "sent, without an answer",
        Err(failure) => return Err(failure),
    };
    let flag = operation.flag();
    output::stderr(&format!("{place}: {flag} {answer}; watching the stack\n"));
    let settled = aws
        .watch_recovery(spec, stack, operation, &token, after.as_deref())
        .await?;
    if operation.leads_to(settled.status) {
        return Ok(RecoveryFate::Recovered {
            status: settled.status,
        });
    }
    let cause = settled
        .cause
        .unwrap_or_else(|| Cause::of("the update was done before it could be taken back"));
    Ok(RecoveryFate::Failed {
        status: Some(settled.status),
        cause,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_says_what_would_be_done() {
        assert_eq!(
            question(Recovery::CancelUpdate, 1),
            "Cancel the update in 1 target?"
        );
        assert_eq!(
            question(Recovery::ContinueRollback, 2),
            "Continue the rollback in 2 targets?"
        );
        assert_eq!(
            question(Recovery::RollbackStack, 3),
            "Roll back the stack in 3 targets?"
        );
    }

    #[test]
    fn a_stack_begins_with_a_letter_and_an_execution_with_a_digit() {
        let execution = |text: &str| Ok(Whose::Execution(text.to_owned()));
        for text in ["019a4c3e", "019a4c3e…89ab", "latest", "@"] {
            assert_eq!(whose(text), execution(text));
        }
        let stack = "latest-app".parse().unwrap();
        assert_eq!(whose("latest-app"), Ok(Whose::Stack(stack)));
        assert!(whose("no_stack").is_err());
    }

    #[test]
    fn another_operation_than_the_one_that_was_shown_is_noticed() {
        let stack = StackId::new("arn:stack").unwrap();
        let event = |id: &str, physical: &str, status: &str, token: &str| StackEvent {
            id: id.to_owned(),
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            logical_id: LogicalId::new("app").unwrap(),
            resource_type: "AWS::CloudFormation::Stack".to_owned(),
            physical_id: Some(physical.to_owned()),
            status: status.to_owned(),
            reason: None,
            token: Some(token.to_owned()),
        };
        let resource = event("2", "queue", "UPDATE_IN_PROGRESS", "alice");
        let shown = [
            resource.clone(),
            event("1", "arn:stack", "UPDATE_IN_PROGRESS", "alice"),
        ];
        let said = began(&shown, &stack).unwrap();
        assert!(
            said.contains("2026-01-02T03:04:05Z with the token alice"),
            "{said}"
        );
        assert_eq!(began(&[], &stack), None);
        // What is under way goes on.
        assert_eq!(since_shown(&[resource], &stack), None);
        let newer = [
            event("3", "arn:stack", "UPDATE_COMPLETE", "alice"),
            event("4", "arn:stack", "UPDATE_IN_PROGRESS", "bob"),
        ];
        assert_eq!(since_shown(&newer, &stack), newer.last());
    }

    #[test]
    fn resources_to_skip_are_named_as_the_service_wants_them() {
        for good in ["Queue", "Q1", "my-stack-Child-ABC.Queue"] {
            assert_eq!(skipped(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "my-queue",
            ".Queue",
            "child.",
            "1child.Queue",
            "a.b.c",
            "Q\u{1b}",
        ] {
            assert!(skipped(bad).is_err(), "{bad:?}");
        }
    }
}
