//! Steps of the machine, performed by the actions.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use crate::action::{World, approved, brief, cloudformation, command, deletion, source_local};
use crate::model::{ChangeSetKind, StackStatus, TargetSpec};
use crate::pipeline::{Input, Step, StepKind, TargetIndex, TargetNews, TargetWork};

/// Performs one step and sends what came of it.
///
/// A receiver that is gone means that the run has ended; what the step found out is found out again
/// on resume.
pub(super) async fn perform(world: Arc<World>, step: Box<Step>, sender: UnboundedSender<Input>) {
    let input = input_of(&world, step, &sender).await;
    let _ = sender.send(input);
}

/// Tells the machine about one target what is found out on the way to the result.
#[derive(Clone)]
struct Teller {
    index: TargetIndex,
    sender: UnboundedSender<Input>,
}

impl Teller {
    fn tell(&self, news: TargetNews) {
        let index = self.index;
        let _ = self.sender.send(Input::Target { index, news });
    }

    /// Returns what tells that somebody else works on the stack.
    fn busy(&self) -> impl FnMut(StackStatus) + use<> {
        let teller = self.clone();
        move |status| teller.tell(TargetNews::StackBusy(status))
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
        StepKind::Target { index, spec, work } => {
            let sender = sender.clone();
            let news = news_of(world, &spec, work, Teller { index, sender }).await;
            Input::Target { index, news }
        }
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
    }
}

async fn news_of(world: &World, spec: &TargetSpec, work: TargetWork, teller: Teller) -> TargetNews {
    match work {
        TargetWork::Prepare { action, artifacts } => TargetNews::Prepared(
            apart(cloudformation::prepare(
                world,
                spec,
                &action,
                &artifacts,
                teller.busy(),
            ))
            .await
            .map(Box::new),
        ),
        TargetWork::Collect { action } => TargetNews::Collected(
            apart(deletion::collect(world, spec, &action, teller.busy()))
                .await
                .map(Box::new),
        ),
        TargetWork::CreateChangeSet {
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
            TargetNews::ChangeSetCreated(
                apart(cloudformation::create(world, spec, &request, &artifacts)).await,
            )
        }
        TargetWork::FindChangeSet { name } => {
            TargetNews::ChangeSetFound(apart(cloudformation::find(world, spec, &name)).await)
        }
        TargetWork::ReadChangeSet {
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
            TargetNews::ChangeSetRead(
                apart(cloudformation::read(world, spec, &asked, &artifacts))
                    .await
                    .map(Box::new),
            )
        }
        TargetWork::DeleteChangeSet {
            change_set,
            stack,
            look_first,
        } => TargetNews::ChangeSetDeleted(
            apart(brief(cloudformation::delete_change_set(
                world,
                spec,
                &change_set,
                &stack,
                look_first,
            )))
            .await,
        ),
        TargetWork::DeleteReviewStack { stack, change_set } => TargetNews::ReviewStackDeleted(
            apart(brief(cloudformation::delete_review_stack(
                world,
                spec,
                &stack,
                &change_set,
            )))
            .await,
        ),
        TargetWork::Verify {
            approved,
            artifacts,
        } => TargetNews::Verified(match approved.kind {
            ChangeSetKind::Create | ChangeSetKind::Update | ChangeSetKind::Import => {
                patient(cloudformation::verify(world, spec, &approved, &artifacts)).await
            }
            ChangeSetKind::Delete => patient(deletion::verify(world, spec, &approved)).await,
        }),
        TargetWork::Execute { approved, token } => TargetNews::Executed(match approved.kind {
            ChangeSetKind::Create | ChangeSetKind::Update | ChangeSetKind::Import => {
                patient(cloudformation::execute(world, spec, &approved, &token)).await
            }
            ChangeSetKind::Delete => {
                patient(deletion::execute(world, spec, &approved, &token)).await
            }
        }),
        TargetWork::Settle { approved, token } => TargetNews::Settled(match approved.kind {
            ChangeSetKind::Create | ChangeSetKind::Update | ChangeSetKind::Import => {
                patient(cloudformation::settle(world, spec, &approved, &token)).await
            }
            ChangeSetKind::Delete => {
                patient(deletion::settle(world, spec, &approved, &token)).await
            }
        }),
        TargetWork::ApplySetting { approved, setting } => TargetNews::SettingApplied {
            result: patient(cloudformation::apply_setting(
                world, spec, &approved, setting,
            ))
            .await,
            setting,
        },
        TargetWork::Watch {
            approved,
            token,
            artifacts,
        } => {
            let observe = |events| teller.tell(TargetNews::Observed(events));
            let ending = match approved.kind {
                ChangeSetKind::Create | ChangeSetKind::Update | ChangeSetKind::Import => {
                    apart(cloudformation::watch(
                        world, spec, &approved, &token, &artifacts, observe,
                    ))
                    .await
                }
                ChangeSetKind::Delete => {
                    apart(deletion::watch(world, spec, &approved, &token, observe)).await
                }
            };
            TargetNews::Watched(ending.map(Box::new))
        }
    }
}
