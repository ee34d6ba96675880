//! A plan that left or came in a file may be run elsewhere while it is withdrawn here.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use super::earlier::AT_ONCE;
use super::options::Connection;
use super::run::{block_on, connect};
use super::{CliError, output, resume};
use crate::action::brief;
use crate::model::{ExecutionId, Invocation, Target};
use crate::report::{View, count};

/// So long the change sets are looked at: who says no waits for it.
const LONGEST: Duration = Duration::from_secs(20);

/// Refuses to withdraw a plan that left or came in a file and is being carried out elsewhere. Where that run may wait between two of
/// its change sets, that is told: what is left of them is not removed.
pub(super) fn refuse_under_a_run(
    id: &ExecutionId,
    view: &View,
    connection: &Connection,
) -> Result<(), CliError> {
    let moved = match (view.exported(), view.imported_by()) {
        (Some(file), _) => format!("left in `{file}`"),
        (None, Some(_)) => "came in a file".to_owned(),
        (None, None) => return Ok(()),
    };
    let Some(invocation) = resume::invocation(view, connection) else {
        return Ok(());
    };
    let looking = async {
        let looking = tokio::time::timeout(LONGEST, executed(&invocation, id, view));
        looking.await.ok().flatten()
    };
    let Some(executed) = block_on(looking)? else {
        output::stderr(&format!(
            "note: the plan {moved}, and whether it is being run elsewhere cannot be told; a run there finds its change sets gone\n"
        ));
        return Ok(());
    };
    let is_under_way = |(_, status): &&(Target, String)| status == "EXECUTE_IN_PROGRESS";
    if let Some((target, status)) = executed.iter().find(is_under_way) {
        return Err(CliError::message(format!(
            "the plan of execution {id} {moved} and is being run elsewhere: the change set of {target} is {status}; what is left of it is \
             that run's"
        ))
        .hint("end that run where it was begun, with `stackgate stop EXECUTION`, then run the same command again"));
    }
    if !executed.is_empty() {
        output::stderr(&format!(
            "note: the plan {moved}, and {} of it executed elsewhere; the others are left to that run\n",
            match executed.len() {
                1 => "1 change set was".to_owned(),
                some => format!("{} were", count(some, "change set")),
            }
        ));
    }
    Ok(())
}

/// Returns the targets whose change sets somebody else executes or executed, each with the status; none where that cannot be told.
async fn executed(
    invocation: &Invocation,
    id: &ExecutionId,
    view: &View,
) -> Option<Vec<(Target, String)>> {
    let aws = connect(invocation, Some(id)).await.ok()?;
    let specs = view.definition()?.target_specs();
    let specs: BTreeMap<_, _> = specs.map(|spec| (&spec.target, spec)).collect();
    let targets = view.targets().into_iter();
    let made = targets.filter(|target| target.outcome().is_none() && !target.was_executed());
    let made: Vec<_> = made
        .filter_map(|target| Some((*specs.get(target.target())?, target.change_set()?)))
        .collect();
    let reads = made.into_iter().map(|(spec, change_set)| {
        let aws = &aws;
        async move {
            let read = brief(aws.read_change_set(spec, change_set)).await.ok()?;
            let status = read.map(|set| set.execution_status);
            let executed = status.filter(|status| status.starts_with("EXECUTE_"));
            Some(executed.map(|status| (spec.target.clone(), status)))
        }
    });
    let read: Vec<Option<Option<(Target, String)>>> =
        stream::iter(reads).buffered(AT_ONCE).collect().await;
    let read: Option<Vec<_>> = read.into_iter().collect();
    Some(read?.into_iter().flatten().collect())
}
