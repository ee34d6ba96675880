//! An execution that has ended, and whether its stacks still are as it left them: what `retry` and `rollback` begin with.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};

use super::find::find;
use super::options::Connection;
use super::{CliError, output, resume, run};
use crate::aws::{Aws, StackRef};
use crate::journal::Journal;
use crate::model::{
    CallFailure, Caller, ExecutionDefinition, ExecutionId, Follows, PipelineDeclaration, Priority,
    StackEvent, StackId, StackStatus, StackSummary, Target, TargetSpec, by_others,
};
use crate::pipeline::execute_token;
use crate::report::{TargetView, View};

/// How many stacks are looked at at once.
pub(super) const AT_ONCE: usize = 8;
/// How many targets are named one by one.
const NAMED: usize = 8;

/// An execution that has ended.
pub(super) struct Earlier {
    pub id: ExecutionId,
    pub view: View,
    /// What it was started with, reached as it was last reached or as is said now.
    pub definition: ExecutionDefinition,
}

impl Earlier {
    /// Returns the execution that is named, if it has ended.
    pub(super) fn of(
        journal: &Journal,
        name: &str,
        connection: &Connection,
    ) -> Result<Self, CliError> {
        let id = find(journal, name)?;
        let view = View::read(journal.events(&id, 0))?;
        if view.outcome().is_none() {
            return Err(
                CliError::message(format!("execution {id} has not ended")).hint(format!(
                    "let it end with `stackgate resume {id}`, or give it up with `stackgate stop {id} --give-up`"
                )),
            );
        }
        let (Some(definition), Some(invocation)) =
            (view.definition(), resume::invocation(&view, connection))
        else {
            return Err(CliError::message(format!(
                "execution {id} has no definition"
            )));
        };
        let definition = ExecutionDefinition {
            invocation,
            ..definition.clone()
        };
        Ok(Self {
            id,
            view,
            definition,
        })
    }

    /// Returns what it was started with, for an execution that goes on from it.
    pub(super) fn followed(&self, follows: Follows) -> ExecutionDefinition {
        let mut definition = self.definition.clone();
        definition.invocation.follows = Some(follows);
        definition.invocation.proven.clear();
        definition
    }

    /// Connects to AWS for an execution that goes on from it, in the same way and account.
    pub(super) async fn reach(&self, id: &ExecutionId) -> Result<(Aws, Caller), CliError> {
        let aws = run::connect(&self.definition.invocation, Some(id)).await?;
        run::same_way(&self.definition.invocation, &aws)?;
        let caller = aws.caller().await?;
        run::same_account(&self.definition, &caller)?;
        Ok((aws, caller))
    }

    /// Returns how each target is reached.
    pub(super) fn specs(&self) -> BTreeMap<&Target, &TargetSpec> {
        let specs = self.definition.target_specs();
        specs.map(|spec| (&spec.target, spec)).collect()
    }

    /// Returns the stacks of `targets` as they are now, in their order. It only reads.
    pub(super) async fn since(&self, aws: &Aws, targets: &[Last<'_>]) -> Vec<Found> {
        let specs = self.specs();
        let asked = targets.iter().map(|last| {
            let spec = specs.get(last.target.target()).copied();
            async move {
                let Some(spec) = spec else {
                    let why = "it is no target of the execution".to_owned();
                    return Found::of(Since::NotRead(why));
                };
                let found = self.look(aws, spec, *last).await;
                found.unwrap_or_else(|failure| Found::of(Since::NotRead(failure.message)))
            }
        });
        stream::iter(asked).buffered(AT_ONCE).collect().await
    }

    /// Looks at the stack of one target. It only reads.
    pub(super) async fn look(
        &self,
        aws: &Aws,
        spec: &TargetSpec,
        Last { by, target }: Last<'_>,
    ) -> Result<Found, CallFailure> {
        if self.view.deletes() {
            return of_deleted(aws, spec).await;
        }
        let Some(stack) = target.stack() else {
            let since = Since::NotRead("its stack is not on record".to_owned());
            return Ok(Found::of(since));
        };
        let found = aws.stack_and_parameters(spec, StackRef::Id(stack), Priority::Read);
        let found = found.await?;
        let is_there = |(s, _): &(StackSummary, _)| s.status != StackStatus::DeleteComplete;
        let Some((summary, parameters)) = found.filter(is_there) else {
            let by_name = StackRef::Name(&spec.target.stack);
            let other = aws.stack(spec, by_name, Priority::Read).await?;
            let is_there = |other: &StackSummary| {
                other.id != *stack && other.status != StackStatus::DeleteComplete
            };
            return Ok(Found::of(Since::Gone {
                is_another_there: other.is_some_and(|other| is_there(&other)),
            }));
        };
        let known = newest_known(target);
        let newer = aws.events_since(spec, stack, known.as_deref()).await?;
        let own = execute_token(by, target.target());
        Ok(Found {
            since: judge(stack, summary.status, &newer, &own),
            status: Some(summary.status),
            newest_event: newer.last().map(|event| event.id.clone()).or(known),
            parameters,
        })
    }
}

/// A target, as the execution has it that worked on its stack last, as far as is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Last<'a> {
    pub by: &'a ExecutionId,
    pub target: &'a TargetView,
}

/// Returns the newest event of the stack that the execution knows.
pub(super) fn newest_known(target: &TargetView) -> Option<String> {
    let base = || target.planned()?.base.newest_event;
    let last = target.newest_event().map(|event| event.id.clone());
    last.or_else(base)
}

/// A stack as it is now.
pub(super) struct Found {
    pub since: Since,
    pub status: Option<StackStatus>,
    /// The newest of its events.
    pub newest_event: Option<String>,
    /// The values of its parameters; a secret one is what the service shows of it.
    pub parameters: BTreeMap<String, String>,
}

impl Found {
    fn of(since: Since) -> Self {
        Self {
            since,
            status: None,
            newest_event: None,
            parameters: BTreeMap::new(),
        }
    }
}

/// What became of a stack since an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Since {
    /// Nothing: it is as the execution left it.
    Nothing,
    /// Something happened to it.
    Changed(String),
    /// It was deleted.
    Gone {
        /// Whether somebody made another stack of its name, which is none of ours.
        is_another_there: bool,
    },
    /// It could not be looked at.
    NotRead(String),
}

/// Returns what is said of a stack that was deleted.
pub(super) fn gone(is_another_there: bool) -> &'static str {
    match is_another_there {
        true => {
            "the stack is gone, and the one of its name that is there now was made by somebody else"
        }
        false => "the stack is gone",
    }
}

/// Judges a stack by its status and the events since the last one that the execution saw.
fn judge(stack: &StackId, status: StackStatus, newer: &[StackEvent], own_token: &str) -> Since {
    match by_others(stack, newer, own_token) {
        Some(event) => Since::Changed(format!("{}, last event {}", status.as_str(), event.at)),
        None => Since::Nothing,
    }
}

async fn of_deleted(aws: &Aws, spec: &TargetSpec) -> Result<Found, CallFailure> {
    let by_name = StackRef::Name(&spec.target.stack);
    let found = aws.stack(spec, by_name, Priority::Read).await?;
    Ok(Found::of(match found {
        None => Since::Nothing,
        Some(stack) => Since::Changed(format!("there is a stack again, {}", stack.status.as_str())),
    }))
}

/// Keeps of every fan-out the targets that are in `kept`, and of the waves those that still have some.
pub(super) fn only(pipeline: &mut PipelineDeclaration, kept: &BTreeSet<&Target>) {
    let actions = pipeline.stages.iter_mut().flat_map(|s| &mut s.actions);
    for fan_out in actions.filter_map(|action| action.fan_out.as_mut()) {
        fan_out.targets.retain(|spec| kept.contains(&spec.target));
        for wave in &mut fan_out.waves {
            wave.targets.retain(|target| kept.contains(target));
            wave.ended.clear();
        }
        fan_out.waves.retain(|wave| !wave.targets.is_empty());
    }
}

/// Says on standard error `what` is true of `targets`, of which each may have a reason.
pub(super) fn tell(what: &str, targets: &[(&Target, String)]) {
    if targets.is_empty() {
        return;
    }
    output::stderr(&format!("{what}: {}\n", targets.len()));
    for (target, why) in targets.iter().take(NAMED) {
        let why = match why.is_empty() {
            true => String::new(),
            false => format!("   {why}"),
        };
        output::stderr(&format!("  {target}{why}\n"));
    }
    if targets.len() > NAMED {
        output::stderr(&format!("  and {} more\n", targets.len() - NAMED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LogicalId;

    fn event(id: &str, token: Option<&str>) -> StackEvent {
        StackEvent {
            id: id.to_owned(),
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            logical_id: LogicalId::new("app").unwrap(),
            resource_type: "AWS::CloudFormation::Stack".to_owned(),
            physical_id: None,
            status: "UPDATE_COMPLETE".to_owned(),
            reason: None,
            token: token.map(str::to_owned),
        }
    }

    #[test]
    fn a_stack_is_current_until_somebody_else_works_on_it() {
        let status = StackStatus::UpdateComplete;
        let stack = "arn:stack".parse().unwrap();
        assert_eq!(judge(&stack, status, &[], "own"), Since::Nothing);
        let cleanup = event("1", Some("own"));
        assert_eq!(
            judge(&stack, status, std::slice::from_ref(&cleanup), "own"),
            Since::Nothing
        );
        for token in [None, Some("other")] {
            let events = [cleanup.clone(), event("2", token)];
            let Since::Changed(what) = judge(&stack, status, &events, "own") else {
                panic!("an event of somebody else is a change");
            };
            assert_eq!(what, "UPDATE_COMPLETE, last event 2026-01-02T03:04:05Z");
        }
    }
}
