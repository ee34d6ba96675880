//! Steps of the machine, performed by the actions.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use crate::action::{World, cloudformation, source_local};
use crate::model::Target;
use crate::pipeline::{Ending, Input, Preparation, Reading, Settlement, Step, StepKind};

/// Performs one step and sends what came of it.
///
/// A receiver that is gone means that the run has ended; what the step found out is found out again
/// on resume.
pub(super) async fn perform(world: Arc<World>, step: Step, sender: UnboundedSender<Input>) {
    let target = step.scope.target.clone();
    let input = match (step.kind, target) {
        (StepKind::SnapshotSource { action }, _) => {
            let result = source_local::store(&world, &action).await;
            Some(Input::SourceStored {
                scope: step.scope,
                result,
            })
        }
        (kind, Some(target)) => Some(perform_for(&world, target, kind, &sender).await),
        (_, None) => None,
    };
    if let Some(input) = input {
        let _ = sender.send(input);
    }
}

async fn perform_for(
    world: &Arc<World>,
    target: Target,
    kind: StepKind,
    sender: &UnboundedSender<Input>,
) -> Input {
    match kind {
        StepKind::SnapshotSource { action } => Input::SourceStored {
            result: source_local::store(world, &action).await,
            scope: crate::model::Scope {
                target: Some(target),
                ..Default::default()
            },
        },
        StepKind::Prepare {
            spec,
            action,
            artifacts,
        } => {
            let result = cloudformation::prepare(world, &spec, &action, &artifacts).await;
            let result = result.map(|prepared| {
                Box::new(Preparation {
                    caller: prepared.caller,
                    stack: prepared.stack,
                    inputs: prepared.inputs,
                })
            });
            Input::Prepared { target, result }
        }
        StepKind::CreateChangeSet {
            spec,
            kind,
            name,
            token,
            inputs,
            artifacts,
            look_first,
        } => {
            let request = cloudformation::Creation {
                kind,
                name: &name,
                token: &token,
                inputs: &inputs,
                look_first,
            };
            let result = cloudformation::create(world, &spec, &request, &artifacts).await;
            Input::ChangeSetCreated { target, result }
        }
        StepKind::ReadChangeSet {
            spec,
            change_set,
            kind,
            stack,
            inputs,
            artifacts,
        } => {
            let asked = cloudformation::Asked {
                change_set: &change_set,
                stack: &stack,
                kind,
                inputs: &inputs,
            };
            let result = cloudformation::read(world, &spec, &asked, &artifacts).await;
            let result = result.map(|read| {
                Box::new(Reading {
                    outcome: read.outcome,
                    changes: read.changes,
                    base: read.base,
                    previous_template: read.previous_template,
                })
            });
            Input::ChangeSetRead { target, result }
        }
        StepKind::DeleteChangeSet {
            spec,
            change_set,
            stack,
            look_first,
        } => {
            let result =
                cloudformation::delete_change_set(world, &spec, &change_set, &stack, look_first)
                    .await;
            Input::ChangeSetDeleted { target, result }
        }
        StepKind::DeleteReviewStack {
            spec,
            stack,
            change_set,
        } => {
            let result =
                cloudformation::delete_review_stack(world, &spec, &stack, &change_set).await;
            Input::ReviewStackDeleted { target, result }
        }
        StepKind::Verify {
            spec,
            approved,
            artifacts,
        } => {
            let result = cloudformation::verify(world, &spec, &approved, &artifacts).await;
            Input::Verified { target, result }
        }
        StepKind::Execute {
            spec,
            approved,
            token,
        } => {
            let result = cloudformation::execute(world, &spec, &approved, &token).await;
            Input::Executed { target, result }
        }
        StepKind::Settle {
            spec,
            approved,
            token,
        } => {
            let result = cloudformation::settle(world, &spec, &approved, &token).await;
            let result = result.map(|evidence| match evidence {
                cloudformation::Evidence::Accepted => Settlement::Accepted,
                cloudformation::Evidence::NotAccepted => Settlement::NotAccepted,
                cloudformation::Evidence::None { reason } => Settlement::Unknown { reason },
            });
            Input::Settled { target, result }
        }
        StepKind::Watch {
            spec,
            approved,
            token,
            artifacts,
        } => {
            let observe = |events| {
                let _ = sender.send(Input::Observed {
                    target: target.clone(),
                    events,
                });
            };
            let watched =
                cloudformation::watch(world, &spec, &approved, &token, &artifacts, observe);
            let result = watched.await.map(|settled| {
                Box::new(Ending {
                    status: settled.status,
                    outputs: settled.outputs,
                    cause: settled.cause,
                })
            });
            Input::Watched { target, result }
        }
    }
}
