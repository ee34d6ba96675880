//! Steps of the machine, performed by the actions.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use crate::action::{World, approved, brief, cloudformation, command, deletion, source_local};
use crate::model::{ChangeSetKind, StackStatus, Target};
use crate::pipeline::{Input, Step, StepKind};

/// Performs one step and sends what came of it.
///
/// A receiver that is gone means that the run has ended; what the step found out is found out again
/// on resume.
pub(super) async fn perform(world: Arc<World>, step: Box<Step>, sender: UnboundedSender<Input>) {
    let input = input_of(&world, step, &sender).await;
    let _ = sender.send(input);
}

/// Returns what tells the machine that somebody else works on a target's stack.
fn tell_busy(target: &Target, sender: &UnboundedSender<Input>) -> impl FnMut(StackStatus) {
    let (target, sender) = (target.clone(), sender.clone());
    move |status| {
        let target = target.clone();
        let _ = sender.send(Input::StackBusy { target, status });
    }
}

/// Puts what a step does on the heap by itself: a task has the size of the step that it performs, and not of the largest
/// of all. A fleet has ten thousand tasks, which wait most of their time.
fn apart<F: Future>(doing: F) -> Pin<Box<F>> {
    Box::pin(doing)
}

/// Does the same with what was approved, and with the patience that is due to it.
fn patient<F: Future>(doing: F) -> Pin<Box<impl Future<Output = F::Output>>> {
    apart(approved(doing))
}

async fn input_of(world: &World, step: Box<Step>, sender: &UnboundedSender<Input>) -> Input {
    let Step { scope, kind } = *step;
    match kind {
        StepKind::SnapshotSource { action } => Input::SourceStored {
            result: apart(source_local::store(world, &action)).await,
            scope,
        },
        StepKind::Prepare {
            spec,
            action,
            artifacts,
        } => Input::Prepared {
            result: apart(cloudformation::prepare(
                world,
                &spec,
                &action,
                &artifacts,
                tell_busy(&spec.target, sender),
            ))
            .await
            .map(Box::new),
            target: spec.target,
        },
        StepKind::Collect { spec, action } => Input::Collected {
            result: apart(deletion::collect(
                world,
                &spec,
                &action,
                tell_busy(&spec.target, sender),
            ))
            .await
            .map(Box::new),
            target: spec.target,
        },
        StepKind::CreateChangeSet {
            spec,
            kind,
            name,
            token,
            inputs,
            artifacts,
            buckets,
            look_first,
        } => {
            let request = cloudformation::Creation {
                kind,
                name: &name,
                token: &token,
                inputs: &inputs,
                buckets: buckets.as_deref(),
                look_first,
            };
            Input::ChangeSetCreated {
                result: apart(cloudformation::create(world, &spec, &request, &artifacts)).await,
                target: spec.target,
            }
        }
        StepKind::FindChangeSet { spec, name } => Input::ChangeSetFound {
            result: apart(cloudformation::find(world, &spec, &name)).await,
            target: spec.target,
        },
        StepKind::ReadChangeSet {
            spec,
            change_set,
            kind,
            stack,
            inputs,
            artifacts,
            buckets,
            seen,
        } => {
            let asked = cloudformation::Asked {
                change_set: &change_set,
                stack: &stack,
                kind,
                inputs: &inputs,
                buckets: buckets.as_deref(),
                seen: seen.as_deref(),
            };
            Input::ChangeSetRead {
                result: apart(cloudformation::read(world, &spec, &asked, &artifacts))
                    .await
                    .map(Box::new),
                target: spec.target,
            }
        }
        StepKind::DeleteChangeSet {
            spec,
            change_set,
            stack,
            look_first,
        } => Input::ChangeSetDeleted {
            result: apart(brief(cloudformation::delete_change_set(
                world,
                &spec,
                &change_set,
                &stack,
                look_first,
            )))
            .await,
            target: spec.target,
        },
        StepKind::DeleteReviewStack {
            spec,
            stack,
            change_set,
        } => Input::ReviewStackDeleted {
            result: apart(brief(cloudformation::delete_review_stack(
                world,
                &spec,
                &stack,
                &change_set,
            )))
            .await,
            target: spec.target,
        },
        StepKind::Verify {
            spec,
            approved,
            artifacts,
        } => Input::Verified {
            result: match approved.kind {
                ChangeSetKind::Create | ChangeSetKind::Update | ChangeSetKind::Import => {
                    patient(cloudformation::verify(world, &spec, &approved, &artifacts)).await
                }
                ChangeSetKind::Delete => patient(deletion::verify(world, &spec, &approved)).await,
            },
            target: spec.target,
        },
        StepKind::Execute {
            spec,
            approved,
            token,
        } => Input::Executed {
            result: match approved.kind {
                ChangeSetKind::Create | ChangeSetKind::Update | ChangeSetKind::Import => {
                    patient(cloudformation::execute(world, &spec, &approved, &token)).await
                }
                ChangeSetKind::Delete => {
                    patient(deletion::execute(world, &spec, &approved, &token)).await
                }
            },
            target: spec.target,
        },
        StepKind::Settle {
            spec,
            approved,
            token,
        } => Input::Settled {
            result: match approved.kind {
                ChangeSetKind::Create | ChangeSetKind::Update | ChangeSetKind::Import => {
                    patient(cloudformation::settle(world, &spec, &approved, &token)).await
                }
                ChangeSetKind::Delete => {
                    patient(deletion::settle(world, &spec, &approved, &token)).await
                }
            },
            target: spec.target,
        },
        StepKind::ReadAlarms {
            place,
            check,
            specs,
            after,
        } => Input::AlarmsRead {
            result: apart(world.aws.alarms_not_ok(&specs, &check.names, after)).await,
            place,
        },
        StepKind::RunCommand {
            place,
            command: asked,
            execution,
            targets,
        } => {
            let told = command::Told {
                execution: &execution,
                wave: &place.wave,
                targets: &targets,
            };
            let tell = |reason| {
                let place = place.clone();
                let _ = sender.send(Input::CommandWaits { place, reason });
            };
            Input::CommandEnded {
                result: apart(command::run(world, &asked, &told, tell)).await,
                place,
            }
        }
        StepKind::ApplySetting {
            spec,
            approved,
            setting,
        } => Input::SettingApplied {
            result: patient(cloudformation::apply_setting(
                world, &spec, &approved, setting,
            ))
            .await,
            setting,
            target: spec.target,
        },
        StepKind::Watch {
            spec,
            approved,
            token,
            artifacts,
        } => {
            let observe = |events| {
                let _ = sender.send(Input::Observed {
                    target: spec.target.clone(),
                    events,
                });
            };
            let ending = match approved.kind {
                ChangeSetKind::Create | ChangeSetKind::Update | ChangeSetKind::Import => {
                    apart(cloudformation::watch(
                        world, &spec, &approved, &token, &artifacts, observe,
                    ))
                    .await
                }
                ChangeSetKind::Delete => {
                    apart(deletion::watch(world, &spec, &approved, &token, observe)).await
                }
            };
            Input::Watched {
                result: ending.map(Box::new),
                target: spec.target,
            }
        }
    }
}
