//! The stacks of an execution, of which those that it left stuck are got out together.

use futures_util::{StreamExt as _, stream};

use super::{CliError, Found, Seen, look};
use crate::aws::StackRef;
use crate::cli::earlier::{Earlier, Since};
use crate::cli::options::Connection;
use crate::cli::run::{connect, same_account, same_way};
use crate::cli::survey::AT_ONCE;
use crate::journal::Journal;
use crate::model::{Recovery, StackStatus, TargetOutcome, TargetSpec};
use crate::report::{RecoveryFate, TargetView};

/// Returns the execution that is named, and its targets that did not end well.
pub(super) fn open(
    journal: &Journal,
    name: &str,
    connection: &Connection,
) -> Result<Earlier, CliError> {
    let earlier = Earlier::of(journal, name, connection)?;
    match earlier.view.targets().is_empty() {
        true => Err(CliError::message(format!(
            "execution {} ended before it had any targets",
            earlier.id
        ))),
        false => Ok(earlier),
    }
}

/// Looks at the targets of an execution that did not end well.
pub(super) async fn find(earlier: &Earlier, asked: Option<Recovery>) -> Result<Found, CliError> {
    let aws = connect(&earlier.definition.invocation, Some(&earlier.id)).await?;
    same_way(&earlier.definition.invocation, &aws)?;
    same_account(&earlier.definition, &aws.caller().await?)?;
    let specs = earlier.specs();
    let targets: Vec<(&TargetView, TargetSpec)> = earlier
        .view
        .targets()
        .into_iter()
        .filter(|target| may_be_stuck(target.outcome()))
        // Stacks are worked on as after an approval.
        .filter_map(|target| {
            let spec = (*specs.get(target.target())?).clone();
            Some((target, spec.executing()))
        })
        .collect();
    let looks = targets.iter().map(|(target, spec)| {
        // A stack that was made anew since under the same name is no matter of this execution.
        let by = match target.stack() {
            Some(stack) => StackRef::Id(stack),
            None => StackRef::Name(&spec.target.stack),
        };
        look(&aws, spec, by, asked)
    });
    let mut seen: Vec<Seen> = stream::iter(looks).buffered(AT_ONCE).collect().await;
    // What others began after it is theirs to take back.
    let moving = targets
        .iter()
        .map(|(target, _)| *target)
        .zip(&mut seen)
        .filter(|(_, (found, _))| found.status == Some(StackStatus::UpdateInProgress));
    let (moving, mut found): (Vec<&TargetView>, Vec<&mut Seen>) = moving.unzip();
    let since = earlier.since(&aws, &moving).await;
    for ((found, _), since) in found.iter_mut().map(|seen| &mut **seen).zip(since) {
        if let Some(reason) = not_its_own(since.since) {
            found.fate = RecoveryFate::TakesNone { reason };
        }
    }
    let specs = targets.into_iter().map(|(_, spec)| spec).collect();
    Ok(Found { aws, specs, seen })
}

/// Returns whether a target with this outcome may have been left stuck, or found so.
fn may_be_stuck(outcome: Option<&TargetOutcome>) -> bool {
    match outcome {
        Some(
            TargetOutcome::Failed { .. }
            | TargetOutcome::NotPlanned { .. }
            | TargetOutcome::Stale { .. }
            | TargetOutcome::Unknown { .. }
            | TargetOutcome::Skipped { .. },
        )
        | None => true,
        Some(TargetOutcome::Succeeded { .. } | TargetOutcome::NoChanges) => false,
    }
}

/// Returns why an update that is under way is not taken back in the name of the execution.
fn not_its_own(since: Since) -> Option<String> {
    let then = "`stackgate recover STACK --cancel-update` takes it back, whoever began it";
    match since {
        Since::Nothing => None,
        Since::Changed(_) => Some(format!(
            "an update that this execution did not begin is under way; {then}"
        )),
        Since::NotRead(why) => Some(format!(
            "whether this execution began the update that is under way could not be read: {why}; {then}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_of_others_is_not_taken_back() {
        assert_eq!(not_its_own(Since::Nothing), None);
        let theirs = not_its_own(Since::Changed("UPDATE_IN_PROGRESS".to_owned())).unwrap();
        assert!(theirs.contains("did not begin"), "{theirs}");
        let unknown = not_its_own(Since::NotRead("denied".to_owned())).unwrap();
        assert!(unknown.contains("could not be read: denied"), "{unknown}");
    }

    #[test]
    fn what_ended_well_is_not_looked_at() {
        let status = StackStatus::UpdateComplete;
        assert!(!may_be_stuck(Some(&TargetOutcome::Succeeded { status })));
        assert!(!may_be_stuck(Some(&TargetOutcome::NoChanges)));
        assert!(may_be_stuck(None));
    }
}
