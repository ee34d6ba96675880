//! `stackgate retry`: a new execution over the targets of an earlier one that are not done, with the files it stored.

mod gates;

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;

use super::deploy::{RiskArg, answering};
use super::earlier::Earlier;
use super::face::Answering;
use super::opposite::{self, Own};
use super::options::{Connection, Global};
use super::run::{self, Account, Run, Start, block_on, new_id};
use super::secret::secrets;
use super::{CliError, delete, exit, followers, newer, others, output, proof, resume};
use crate::action::source_local::{STORED, Stored};
use crate::artifact::Store;
use crate::journal::Journal;
use crate::model::{
    ActionCategory, ActionDeclaration, CountOrPercent, ExecutionDefinition, ExecutionId, Follows,
    PipelineDeclaration, Target, TargetOutcome,
};
use crate::pipeline::Deletion;
use crate::report::{Since, View, count};

/// Arguments of `retry`.
#[derive(Debug, Args)]
pub(super) struct RetryArgs {
    /// The execution, which has ended: its id, a unique part of it, or `latest`
    execution: String,
    /// The targets that failed, could not be planned, or whose end is not known
    #[arg(long)]
    failed: bool,
    /// The targets that were not begun
    #[arg(long)]
    skipped: bool,
    /// The targets that were no longer what was approved, and those that succeeded and were changed since
    #[arg(long)]
    stale: bool,
    /// Take the project's files as they are now, in place of those that the execution stored
    #[arg(long)]
    from_files: bool,
    /// Approve without asking, up to a level of risk; `--yes` alone is `--yes=medium`, and stops at high risk
    #[arg(long, value_enum, value_name = "RISK", num_args = 0..=1, require_equals = true,
          default_missing_value = "medium", conflicts_with = "detach")]
    yes: Option<RiskArg>,
    /// Leave, with exit code 3, when the plan waits for approval
    #[arg(long)]
    detach: bool,
    /// First delete the stacks whose creation failed (`ROLLBACK_COMPLETE`, `ROLLBACK_FAILED`, `CREATE_FAILED`),
    /// reviewed and approved on its own; then deploy them as new
    #[arg(long)]
    replace_failed: bool,
    /// Where the value of a secret parameter is now, in place of where it was: `env:NAME`, `file:PATH` or `prompt`
    #[arg(long = "secret", value_name = "KEY=REF")]
    secrets: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

/// Why a target is run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Failed,
    Skipped,
    Stale,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Failed, Self::Skipped, Self::Stale];

    fn of(outcome: &TargetOutcome) -> Option<Self> {
        match outcome {
            TargetOutcome::Succeeded { .. } | TargetOutcome::NoChanges => None,
            TargetOutcome::NotPlanned { .. }
            | TargetOutcome::Failed { .. }
            | TargetOutcome::Unknown { .. } => Some(Self::Failed),
            TargetOutcome::Skipped { .. } => Some(Self::Skipped),
            TargetOutcome::Stale { .. } => Some(Self::Stale),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Stale => "stale",
        }
    }
}

impl RetryArgs {
    /// Returns the kinds that are asked for: all of them where none is named.
    fn kinds(&self) -> Vec<Kind> {
        let is_named = |kind: &Kind| match kind {
            Kind::Failed => self.failed,
            Kind::Skipped => self.skipped,
            Kind::Stale => self.stale,
        };
        let named: Vec<Kind> = Kind::ALL.into_iter().filter(is_named).collect();
        match named.is_empty() {
            true => Kind::ALL.to_vec(),
            false => named,
        }
    }
}

/// Runs `stackgate retry`.
pub(super) fn retry(global: &Global, args: &RetryArgs) -> Result<u8, CliError> {
    let journal = Journal::open_existing(&global.state)?;
    let earlier = Earlier::of(&journal, &args.execution, &args.connection)?;
    if args.replace_failed && followers::taken_back(&journal, &earlier.id)?.is_some() {
        return Err(CliError::message(format!(
            "`--replace-failed`: execution {} is a rollback, which makes no stacks, and what failed under their names is somebody else's",
            earlier.id
        ))
        .hint("leave it out"));
    }
    let followers = followers::of(&journal, &earlier.view)?;
    let since = followers::since(&earlier.view, &followers);
    let mut not_done = not_done(&earlier.view);
    not_done.retain(|(target, _)| !matches!(since.get(target), Some(Since::Done(_))));
    let kinds = args.kinds();
    let chosen: BTreeSet<&Target> = not_done
        .iter()
        .filter(|(_, kind)| kinds.contains(kind))
        .map(|(target, _)| *target)
        .collect();
    let opening = opening(&earlier, &not_done, &kinds);
    // A stack that somebody made where one was deleted is not for us to delete.
    let takes_changed = args.stale && !earlier.view.deletes();
    tell_of_done(&earlier, &since, takes_changed);
    if !chosen.is_empty() || !takes_changed {
        output::stderr(&opening);
    }
    if chosen.is_empty() && !takes_changed {
        return Ok(exit::DONE);
    }
    let store = Store::open(&run::store_folder(journal.folder()))?;
    let line = proof::Line::of(&journal, &earlier.view, &followers)?;
    let mut definition = definition(&journal, &earlier, args)?;
    let answering = answering(args.yes, args.detach);
    let id = new_id()?;
    block_on(async {
        let (aws, caller) = earlier.reach(&id).await?;
        let proofs = proof::proofs(&earlier, &line, &aws).await;
        proof::told(&proofs, takes_changed);
        let changed = proof::changed(&proofs).filter(|_| takes_changed);
        let again: BTreeSet<&Target> = chosen.into_iter().chain(changed).collect();
        if again.is_empty() {
            output::stderr(&opening);
            return Ok(exit::DONE);
        }
        let known = gates::Known::of(&earlier.view, &since, &followers);
        gates::refuse_to_pass_over(&known, &again)?;
        gates::keep(&mut definition.pipeline, &known, &again);
        tell_of_files(&definition, &earlier.view, &store);
        let retried = (&earlier.id, earlier.view.pipeline());
        output::notes(&newer::of_retry(&journal, retried, None, &again));
        let follows = Follows::Retries(earlier.id.clone());
        let own = Own {
            id: None,
            follows: &follows,
            targets: &again,
            ended: None,
        };
        // A remark that cannot be read keeps nobody from going on.
        output::notes(&opposite::notes(&journal, &own).unwrap_or_default());
        gates::tell(&definition.pipeline);
        if has_percentages(&definition) {
            output::stderr(&format!(
                "note: the percentages of the preferences count over the {} retried here, by region and wave\n",
                count(again.len(), "target")
            ));
        }
        let targets: Vec<Target> = again.into_iter().cloned().collect();
        others::tell(&journal, &targets);
        if args.replace_failed {
            let code = replace_failed(global, &journal, &definition, answering).await?;
            if !matches!(code, exit::DONE | exit::WITH_FAILURES) {
                return Ok(code);
            }
        }
        definition.invocation.proven = proofs;
        let start = Start {
            global,
            journal: &journal,
            id,
            aws,
            caller,
            answering,
            out: None,
            account: Account::Always,
        };
        Run::start(start, definition).await
    })?
}

/// Returns what the earlier execution did, to be done again.
fn definition(
    journal: &Journal,
    earlier: &Earlier,
    args: &RetryArgs,
) -> Result<ExecutionDefinition, CliError> {
    let mut definition = earlier.followed(Follows::Retries(earlier.id.clone()));
    // What a rollback did itself is nothing that somebody else changed.
    definition.pipeline.renew_newest_events(
        |target| {
            let view = earlier.view.target(target)?;
            Some(view.newest_event()?.id.clone())
        },
        |target| earlier.view.target(target)?.base()?.newest_event.clone(),
    );
    // A rollback of an earlier version of the program does not say which stacks it means; what it takes back does.
    if let Some(id) = followers::taken_back(journal, &earlier.id)? {
        let view = View::read(journal.events(&id, 0))?;
        let pipeline = &mut definition.pipeline;
        pipeline.mean_stacks(|target| view.target(target)?.stack().cloned());
    }
    let given = secrets(&args.secrets)?;
    resume::only_secrets_of(&definition, &given)?;
    definition.secrets.extend(given);
    match args.from_files {
        true => {
            forget_stored(&mut definition.pipeline)?;
            let root = std::path::Path::new(&definition.invocation.root);
            gates::bind(&mut definition.pipeline, root)?;
        }
        false => use_stored(&mut definition.pipeline, &earlier.view)?,
    }
    Ok(definition)
}

/// Returns the targets that are not done, and why, in the order they were asked for.
fn not_done(view: &View) -> Vec<(&Target, Kind)> {
    let targets = view.targets().into_iter();
    let with_kind = targets.filter_map(|t| Some((t.target(), Kind::of(t.outcome()?)?)));
    with_kind.collect()
}

/// Returns which targets are run again and which are not.
fn opening(earlier: &Earlier, not_done: &[(&Target, Kind)], kinds: &[Kind]) -> String {
    let of = |kind: Kind| not_done.iter().filter(|(_, k)| *k == kind).count();
    let told = |are_chosen: bool| {
        let some = Kind::ALL.into_iter().filter(|kind| {
            let is_chosen = kinds.contains(kind);
            is_chosen == are_chosen && of(*kind) > 0
        });
        some.map(|kind| format!("{} {}", of(kind), kind.word()))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let id = &earlier.id;
    let left = match told(false) {
        left if left.is_empty() => String::new(),
        left => format!("; not asked for: {left}"),
    };
    match told(true) {
        again if again.is_empty() => format!("execution {id}: nothing to retry{left}\n"),
        again => {
            let all = count(earlier.view.targets().len(), "target");
            format!("retrying of the {all} of execution {id}: {again}{left}\n")
        }
    }
}

fn sources(pipeline: &mut PipelineDeclaration) -> impl Iterator<Item = &mut ActionDeclaration> {
    let actions = pipeline.stages.iter_mut().flat_map(|s| &mut s.actions);
    actions.filter(|action| {
        let id = &action.action_type_id;
        id.category == ActionCategory::Source && id.provider == "Local"
    })
}

/// Makes the source actions give what they gave in the earlier execution.
fn use_stored(pipeline: &mut PipelineDeclaration, earlier: &View) -> Result<(), CliError> {
    for action in sources(pipeline) {
        let Some(output) = action.output_artifacts.first() else {
            continue;
        };
        let mut stored = earlier.sources();
        let Some(source) = stored.find(|source| source.artifact.name == output.name) else {
            return Err(
                CliError::message("the execution ended before its files were stored")
                    .hint("add `--from-files` to take them as they are now"),
            );
        };
        let stored = Stored {
            artifact: source.artifact.clone(),
            revision: source.revision.clone(),
        };
        let json = serde_json::to_string(&stored).map_err(CliError::failed)?;
        action.configuration.insert(STORED.to_owned(), json);
    }
    Ok(())
}

/// Makes the source actions read the project's files.
fn forget_stored(pipeline: &mut PipelineDeclaration) -> Result<(), CliError> {
    for action in sources(pipeline) {
        if !action.configuration.contains_key("Files") {
            return Err(CliError::message(
                "`--from-files`: the execution was not made from files of the project",
            )
            .hint("leave it out"));
        }
        action.configuration.shift_remove(STORED);
    }
    Ok(())
}

/// Says which targets are left alone since a later execution was done with them.
fn tell_of_done(earlier: &Earlier, since: &BTreeMap<&Target, Since<'_>>, takes_changed: bool) {
    let was_open = not_done(&earlier.view).into_iter();
    let mut done: BTreeMap<&ExecutionId, usize> = BTreeMap::new();
    for (target, _) in was_open {
        if let Some(Since::Done(by)) = since.get(target) {
            *done.entry(by).or_default() += 1;
        }
    }
    let again = match takes_changed {
        true => "run again where somebody changed them since",
        false => "not run again",
    };
    for (by, number) in done {
        let targets = count(number, "target");
        output::stderr(&format!(
            "note: execution {by} is done with {targets} of these already; {again}\n"
        ));
    }
}

/// Says which files of the project are no longer what the execution stored.
fn tell_of_files(definition: &ExecutionDefinition, earlier: &View, store: &Store) {
    let mut sources = definition.pipeline.actions().map(|a| &a.configuration);
    if !sources.any(|settings| settings.contains_key(STORED)) {
        return;
    }
    let root = std::path::Path::new(&definition.invocation.root);
    for source in earlier.sources() {
        // What packaging writes is in no folder of the project.
        let files = source.artifact.files.iter().filter(|f| !f.starts_with('.'));
        for file in files {
            // A file that cannot be read in the store is told of when the execution begins.
            let Ok(stored) = store.read(&source.artifact, file) else {
                continue;
            };
            if std::fs::read(root.join(file)).is_ok_and(|now| now != stored) {
                output::stderr(&format!(
                    "note: `{file}` was changed since; it is used as the execution stored it (`--from-files` takes it as it is now)\n"
                ));
            }
        }
    }
}

fn has_percentages(definition: &ExecutionDefinition) -> bool {
    let fan_outs = definition
        .pipeline
        .actions()
        .filter_map(|a| a.fan_out.as_ref());
    let mut numbers = fan_outs.flat_map(|fan_out| {
        let waves = fan_out
            .waves
            .iter()
            .filter_map(|wave| wave.preferences.as_ref());
        let all = std::iter::once(&fan_out.preferences).chain(waves);
        all.flat_map(|preferences| [preferences.max_concurrent, preferences.failure_tolerance])
    });
    numbers.any(|number| match number {
        CountOrPercent::Percent(_) => true,
        CountOrPercent::Count(_) => false,
    })
}

/// Deletes what is left of stacks whose creation failed, in an execution of its own.
async fn replace_failed(
    global: &Global,
    journal: &Journal,
    definition: &ExecutionDefinition,
    answering: Answering,
) -> Result<u8, CliError> {
    let deletion = Deletion {
        only_failed: true,
        ..delete::as_made_by(definition)?
    };
    let left_out = &definition.left_out;
    let invocation = &definition.invocation;
    delete::delete_failed(global, journal, invocation, deletion, left_out, answering).await
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::model::{Cause, SkipReason, StackStatus};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: RetryArgs,
    }

    fn kinds(flags: &[&str]) -> Vec<Kind> {
        let line = Line::try_parse_from([&["retry", "latest"], flags].concat());
        line.map_err(|e| e.to_string()).unwrap().args.kinds()
    }

    #[test]
    fn without_a_flag_all_that_is_not_done_is_run_again() {
        assert_eq!(kinds(&[]), Kind::ALL);
        assert_eq!(kinds(&["--stale"]), [Kind::Stale]);
        assert_eq!(kinds(&["--stale", "--failed"]), [Kind::Failed, Kind::Stale]);
        assert_eq!(kinds(&["--skipped"]), [Kind::Skipped]);
    }

    #[test]
    fn what_is_done_is_never_run_again() {
        let status = StackStatus::UpdateComplete;
        let cause = Cause::of("x");
        let reason = SkipReason::Stopped;
        for (outcome, kind) in [
            (TargetOutcome::Succeeded { status }, None),
            (TargetOutcome::NoChanges, None),
            (
                TargetOutcome::NotPlanned {
                    cause: cause.clone(),
                },
                Some(Kind::Failed),
            ),
            (
                TargetOutcome::Failed {
                    status: None,
                    cause,
                },
                Some(Kind::Failed),
            ),
            (
                TargetOutcome::Unknown { reason: "x".into() },
                Some(Kind::Failed),
            ),
            (TargetOutcome::Skipped { reason }, Some(Kind::Skipped)),
            (
                TargetOutcome::Stale {
                    differences: Vec::new(),
                },
                Some(Kind::Stale),
            ),
        ] {
            assert_eq!(Kind::of(&outcome), kind, "{outcome:?}");
        }
    }
}
