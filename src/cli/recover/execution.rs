//! The stacks of an execution, of which those that it left stuck are got out together.

use futures_util::{StreamExt as _, stream};

use super::{CliError, Found, Seen, look};
use crate::aws::{Aws, StackRef};
use crate::cli::earlier::{Earlier, newest_known};
use crate::cli::options::Connection;
use crate::cli::run::{connect, same_account, same_way};
use crate::cli::survey::AT_ONCE;
use crate::journal::Journal;
use crate::model::{Recovery, StackEvent, StackId, TargetOutcome, TargetSpec};
use crate::pipeline::execute_token;
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
pub(super) async fn find(
    earlier: &Earlier,
    asked: Option<Recovery>,
) -> Result<Found<'_>, CliError> {
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
    let seen: Vec<Seen> = stream::iter(looks).buffered(AT_ONCE).collect().await;
    let specs: Vec<TargetSpec> = targets.into_iter().map(|(_, spec)| spec).collect();
    // What others did to a stack is theirs to take back.
    let judged = specs.iter().zip(seen).map(|(spec, (mut found, stack))| {
        let aws = &aws;
        async move {
            if let RecoveryFate::Possible { operation } | RecoveryFate::TakesAnother { operation } =
                found.fate
                && let Some(reason) = not_its_own(earlier, aws, spec, operation).await
            {
                found.fate = RecoveryFate::TakesNone { reason };
            }
            (found, stack)
        }
    });
    let seen = stream::iter(judged).buffered(AT_ONCE).collect().await;
    Ok(Found {
        aws,
        specs,
        seen,
        of: Some(earlier),
    })
}

/// Returns why the stack of a target is not recovered in the name of the execution, if so: it never worked on it, or
/// somebody did since.
pub(super) async fn not_its_own(
    earlier: &Earlier,
    aws: &Aws,
    spec: &TargetSpec,
    operation: Recovery,
) -> Option<String> {
    let target = &spec.target;
    let view = earlier.view.target(target);
    let worked_on = view.filter(|view| view.was_executed());
    let why = match worked_on.and_then(|view| Some((view, view.stack()?))) {
        None => "this execution did nothing to the stack".to_owned(),
        Some((view, stack)) => {
            let after = newest_known(view);
            match aws.events_since(spec, stack, after.as_deref()).await {
                Ok(newer) => {
                    let own = execute_token(&earlier.id, target);
                    let theirs = begun_by_others(&newer, stack, &own)?;
                    format!(
                        "somebody else worked on the stack after this execution ({} at {})",
                        theirs.status, theirs.at
                    )
                }
                Err(failure) => format!(
                    "whether it is as this execution left it could not be read: {}",
                    failure.message
                ),
            }
        }
    };
    Some(format!(
        "{why}; `stackgate recover {} {} --accounts {} --regions {}` is for it, whoever left it so",
        target.stack,
        operation.flag(),
        target.account,
        target.region
    ))
}

/// Returns the event with which somebody else began to work on the stack. A recovery of what the execution left has a token
/// of its own, too, and begins with a rollback: it may be gone on with.
fn begun_by_others<'a>(
    newer: &'a [StackEvent],
    stack: &StackId,
    own_token: &str,
) -> Option<&'a StackEvent> {
    newer.iter().rfind(|event| {
        let is_of_stack = event.physical_id.as_deref() == Some(stack.as_str());
        let begins = matches!(
            event.status.as_str(),
            "CREATE_IN_PROGRESS"
                | "UPDATE_IN_PROGRESS"
                | "IMPORT_IN_PROGRESS"
                | "DELETE_IN_PROGRESS"
        );
        is_of_stack && begins && event.token.as_deref() != Some(own_token)
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LogicalId, StackStatus};

    #[test]
    fn an_operation_of_others_is_theirs_and_a_recovery_is_gone_on_with() {
        let stack = StackId::new("arn:stack").unwrap();
        let event = |status: &str, physical: &str, token: Option<&str>| StackEvent {
            id: status.to_owned(),
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            logical_id: LogicalId::new("app").unwrap(),
            resource_type: "AWS::CloudFormation::Stack".to_owned(),
            physical_id: Some(physical.to_owned()),
            status: status.to_owned(),
            reason: None,
            token: token.map(str::to_owned),
        };
        let ours = [
            event("UPDATE_IN_PROGRESS", "arn:stack", Some("own")),
            event("UPDATE_FAILED", "arn:stack", Some("own")),
            event("UPDATE_ROLLBACK_IN_PROGRESS", "arn:stack", Some("recovery")),
            // A nested stack that goes back.
            event("UPDATE_IN_PROGRESS", "arn:nested", Some("recovery")),
            event("UPDATE_ROLLBACK_FAILED", "arn:stack", None),
        ];
        assert_eq!(begun_by_others(&ours, &stack, "own"), None);
        for token in [None, Some("theirs")] {
            let mut events = ours.to_vec();
            events.push(event("UPDATE_IN_PROGRESS", "arn:stack", token));
            events.push(event("UPDATE_FAILED", "arn:stack", token));
            let found = begun_by_others(&events, &stack, "own").unwrap();
            assert_eq!(found.token.as_deref(), token);
        }
    }

    #[test]
    fn what_ended_well_is_not_looked_at() {
        let status = StackStatus::UpdateComplete;
        assert!(!may_be_stuck(Some(&TargetOutcome::Succeeded { status })));
        assert!(!may_be_stuck(Some(&TargetOutcome::NoChanges)));
        assert!(may_be_stuck(None));
    }
}
