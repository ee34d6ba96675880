//! `stackgate clean`: finds what executions left behind, and removes what is provably theirs and needed by nobody.

mod traces;

use std::collections::BTreeMap;

use clap::Args;
use futures_util::{StreamExt as _, stream};
use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};

use super::options::{Connection, Global, OutputForm};
use super::run::{self, block_on, connect};
use super::survey::AT_ONCE;
use super::targets::TargetArgs;
use super::{CliError, exit, output, prompt, unread};
use crate::aws::{Aws, Deleted, StackRef};
use crate::journal::Journal;
use crate::model::{
    CallFailure, Caller, ChangeSetId, Priority, StackName, StackStatus, Target, TargetSpec,
};
use crate::report::{Cleaning, Fate, Kept, Leftover, LeftoverKind, View, cleaning};
use crate::runtime::now;
use traces::{Found, Trace, Unknown, judge, traces};

/// Arguments of `clean`.
#[derive(Debug, Args)]
pub(super) struct CleanArgs {
    /// The stack's name; without it, every target of the journal's executions
    #[arg(value_name = "STACK")]
    stack: Option<StackName>,
    /// Show what can be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove without asking
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Also remove what an execution that this journal does not know made, as from another machine or with a lost journal,
    /// where it is older than a time such as `30d`: a plan that still waits there is lost
    #[arg(long, value_name = "DURATION", value_parser = super::deploy::minutes)]
    unknown_older_than: Option<u32>,
    // Last, since its headings hold for what follows.
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    connection: Connection,
}

/// What the journal knows.
#[derive(Default)]
struct Known {
    /// What its executions did, target by target.
    traces: BTreeMap<Target, Vec<Trace>>,
    /// Their targets, as they were reached last, and whether that was at an endpoint of its own.
    targets: IndexMap<Target, (TargetSpec, bool)>,
    /// What counts as abandoned of the rest.
    unknown: Unknown,
}

/// Runs `stackgate clean`.
pub(super) fn clean(global: &Global, mut args: CleanArgs) -> Result<u8, CliError> {
    if args.stack.is_none() && args.targets.are_listed() {
        return Err(CliError::message(
            "a list of targets is of a stack, and none is named; `stackgate clean STACK …`, or name accounts and regions",
        ));
    }
    let root = std::env::current_dir()?;
    // Without a stack, settings name no targets: the journal does.
    let picked = args.targets.clone();
    let taken = args.targets.fill(&root, &mut args.connection)?;
    let chosen = taken.chosen.clone();
    if args.stack.is_some() {
        taken.say();
    }
    let journal = Journal::open_existing(&global.state)?;
    let mut known = known(&journal)?;
    known.unknown.before = args.unknown_older_than.map(|minutes| {
        let age = SignedDuration::from_mins(i64::from(minutes));
        now().checked_sub(age).unwrap_or(Timestamp::MIN)
    });
    let invocation = args.targets.invocation(&root, &args.connection, chosen)?;
    block_on(async {
        let aws = connect(&invocation, None).await?;
        let caller = aws.caller().await?;
        let specs = match &args.stack {
            Some(stack) => args.targets.resolve(&aws, stack, &caller).await?.told(),
            None => known
                .targets
                .values()
                .filter(|(spec, own)| *own == aws.has_own_endpoint() && picked.pick(&spec.target))
                .map(|(spec, _)| spec.clone())
                .collect(),
        };
        let mut all = look(&aws, &caller, &specs, &known).await;
        let Some(removable) = all.how_many(&Fate::Removable).filter(|_| !args.dry_run) else {
            show(global, &all)?;
            return Ok(code(&all));
        };
        if !args.yes {
            show(global, &all)?;
            if global.output != OutputForm::Text || !output::is_interactive() {
                output::stderr("nothing was removed; add `--yes` to remove what can be\n");
                return Ok(exit::AWAITING);
            }
            if !prompt::confirm(&format!("Remove {removable}?")) {
                output::stderr("nothing was removed\n");
                return Ok(exit::REJECTED);
            }
        }
        remove(&aws, &specs, &known, &mut all).await;
        show(global, &all)?;
        Ok(code(&all))
    })?
}

fn code(all: &Cleaning) -> u8 {
    match all.has_failed() {
        true => exit::FAILED,
        false => exit::DONE,
    }
}

fn show(global: &Global, all: &Cleaning) -> Result<(), CliError> {
    match global.output {
        form @ (OutputForm::Text | OutputForm::Markdown | OutputForm::Html) => {
            output::text(form, "stackgate clean", &cleaning(all, &output::screen()))?;
        }
        OutputForm::Json => output::document(all)?,
        OutputForm::Ndjson => output::line(all)?,
    }
    Ok(())
}

/// Reads what the journal knows. What an execution of a newer program made, or a damaged one, counts as of another journal, and stays.
fn known(journal: &Journal) -> Result<Known, CliError> {
    let mut known = Known::default();
    for execution in journal.executions()? {
        let view = match View::read(journal.events(&execution.id, 0)) {
            Ok(view) => view,
            Err(error) if error.is_of_one_execution() => {
                unread::tell(&error);
                known.unknown.unread.push(execution.id);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let alive = run::is_alive(journal, &execution.id)?.unwrap_or(true);
        for (target, trace) in traces(&view, alive) {
            known.traces.entry(target).or_default().push(trace);
        }
        // The newest execution comes first.
        if let Some(definition) = view.definition() {
            let own = definition.invocation.own_endpoint;
            for spec in definition.target_specs() {
                let target = spec.target.clone();
                let entry = known.targets.entry(target);
                entry.or_insert_with(|| (spec.clone(), own));
            }
        }
    }
    Ok(known)
}

/// Looks at every target.
async fn look(aws: &Aws, caller: &Caller, specs: &[TargetSpec], known: &Known) -> Cleaning {
    let looks = specs.iter().map(|spec| async move {
        let target = &spec.target;
        if spec.role_arn.is_none() && target.account != caller.account {
            return Err(format!(
                "no role leads there, and the credentials are those of account {}",
                caller.account
            ));
        }
        let found = look_at(aws, spec, known).await;
        found.map_err(|failure| failure.message)
    });
    let found: Vec<Result<Found, String>> = stream::iter(looks).buffered(AT_ONCE).collect().await;
    let (mut leftovers, mut others, mut failures) = (Vec::new(), 0, Vec::new());
    for (spec, found) in specs.iter().zip(found) {
        match found {
            Ok(found) => {
                leftovers.extend(found.leftovers);
                others += found.others;
            }
            Err(reason) => failures.push((spec.target.clone(), reason)),
        }
    }
    Cleaning::new(specs.len() - failures.len(), leftovers, others, failures)
}

async fn look_at(aws: &Aws, spec: &TargetSpec, known: &Known) -> Result<Found, CallFailure> {
    let name = StackRef::Name(&spec.target.stack);
    let Some(stack) = aws.stack(spec, name, Priority::Read).await? else {
        return Ok(Found::default());
    };
    if stack.status == StackStatus::DeleteInProgress {
        return Ok(Found::default());
    }
    let listed = aws.listed_change_sets(spec, &stack.id).await?;
    let traces = known
        .traces
        .get(&spec.target)
        .map_or(&[][..], Vec::as_slice);
    let is_in_doubt =
        known.unknown.before.is_some() && stack.status == StackStatus::ReviewInProgress;
    let begun = match is_in_doubt {
        true => {
            let events = aws.events_since(spec, &stack.id, None).await?;
            events.first().map(|event| event.at)
        }
        false => None,
    };
    let unknown = &known.unknown;
    Ok(judge(&spec.target, &stack, begun, &listed, traces, unknown))
}

/// Removes what can be, target by target: each looked at again just before.
async fn remove(aws: &Aws, specs: &[TargetSpec], known: &Known, all: &mut Cleaning) {
    let mut left = std::mem::take(&mut all.leftovers).into_iter().peekable();
    let mut work: Vec<(&TargetSpec, Vec<Leftover>)> = Vec::new();
    // They are in the order of the targets.
    for spec in specs {
        let mut here = Vec::new();
        while let Some(one) = left.next_if(|one| one.target == spec.target) {
            here.push(one);
        }
        work.push((spec, here));
    }
    let removals = work
        .into_iter()
        .map(|(spec, here)| remove_at(aws, spec, known, here));
    let done: Vec<Vec<Leftover>> = stream::iter(removals).buffered(AT_ONCE).collect().await;
    all.leftovers = done.into_iter().flatten().collect();
}

async fn remove_at(
    aws: &Aws,
    spec: &TargetSpec,
    known: &Known,
    mut here: Vec<Leftover>,
) -> Vec<Leftover> {
    if !here.iter().any(|one| one.fate == Fate::Removable) {
        return here;
    }
    let again = match look_at(aws, spec, known).await {
        Ok(again) => again.leftovers,
        Err(failure) => {
            for one in here.iter_mut().filter(|one| one.fate == Fate::Removable) {
                one.fate = not_removed(failure.message.clone());
            }
            return here;
        }
    };
    let mut is_all_gone = true;
    let mut removed = None;
    // Change sets come before their stack.
    for one in here.iter_mut() {
        if one.fate == Fate::Removable {
            one.fate = match again.iter().find(|other| other.id == one.id) {
                // Somebody else removed it meanwhile.
                None => Fate::Removed,
                Some(found) if found.fate != Fate::Removable => found.fate.clone(),
                Some(_) if one.kind == LeftoverKind::ReviewStack && !is_all_gone => Fate::Kept {
                    why: Kept::HasChangeSets,
                },
                Some(_) => remove_one(aws, spec, known, one, removed.as_ref())
                    .await
                    .unwrap_or_else(|failure| not_removed(failure.message)),
            };
        }
        is_all_gone &= one.fate == Fate::Removed;
        if let (LeftoverKind::ChangeSet, Fate::Removed) = (one.kind, &one.fate) {
            removed = ChangeSetId::new(one.id.clone()).ok();
        }
    }
    here
}

fn not_removed(reason: String) -> Fate {
    Fate::NotRemoved { reason }
}

async fn remove_one(
    aws: &Aws,
    spec: &TargetSpec,
    known: &Known,
    one: &Leftover,
    removed: Option<&ChangeSetId>,
) -> Result<Fate, CallFailure> {
    let traces = known.traces.get(&spec.target).into_iter().flatten();
    let by = StackRef::Name(&spec.target.stack);
    let stack = match aws.stack(spec, by, Priority::Read).await? {
        Some(stack) => stack.id,
        None => return Ok(Fate::Removed),
    };
    match one.kind {
        LeftoverKind::ChangeSet => match ChangeSetId::new(one.id.clone()) {
            Ok(id) => {
                aws.delete_change_set(spec, &id, &stack).await?;
                Ok(Fate::Removed)
            }
            Err(error) => Ok(not_removed(error.to_string())),
        },
        LeftoverKind::ReviewStack => {
            let mut made = traces.filter(|trace| trace.made.as_ref() == Some(&stack));
            let ours = match one.execution {
                Some(_) => made.find_map(|trace| trace.change_set.as_ref()),
                None => removed,
            };
            let (Some(ours), true) = (ours, stack.as_str() == one.id) else {
                return Ok(not_removed("it is another stack now".to_owned()));
            };
            Ok(match aws.delete_review_stack(spec, &stack, ours).await? {
                Deleted::Yes => Fate::Removed,
                Deleted::Left { why } => not_removed(why),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::samples;

    #[test]
    fn what_a_damaged_execution_made_stays_and_the_others_are_known() {
        let (_folder, journal) = samples::journal();
        for number in 1..=2 {
            samples::begun(&journal, &samples::id(number));
        }
        samples::write_raw(&journal, 2, 2, "garbage");
        let known = known(&journal).map_err(|e| e.told()).unwrap();
        assert_eq!(known.unknown.unread, [samples::id(2)]);
        assert!(!known.targets.is_empty());
    }
}
