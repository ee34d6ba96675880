//! Steps of the machine, performed by the actions.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use crate::action::{World, approved, brief, cloudformation, command, deletion, source_local};
use crate::model::{ChangeSetKind, PlannedTarget, StackStatus, TargetSpec};
use crate::pipeline::{Input, Step, StepKind, TargetIndex, TargetNews, TargetWork};

/// What is under way, on the heap by itself: a task has the size of what its own step does, and not of the largest of all. A fleet has
/// ten thousand tasks, which wait most of their time.
type Doing<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Performs one step and sends what came of it.
///
/// A receiver that is gone means that the run has ended; what the step found out is found out again
/// on resume.
pub(super) fn perform(world: Arc<World>, step: Step, sender: UnboundedSender<Input>) -> Doing<()> {
    let Step { scope, kind } = step;
    match kind {
        StepKind::Target { index, spec, work } => {
            let teller = Teller { index, sender };
            let doing = news_of(world, spec, work, teller.clone());
            Box::pin(async move { teller.tell(doing.await) })
        }
        StepKind::SnapshotSource { action } => Box::pin(async move {
            let result = source_local::store(&world, &action).await;
            let _ = sender.send(Input::SourceStored { scope, result });
        }),
        StepKind::ReadAlarms {
            place,
            check,
            specs,
            after,
        } => Box::pin(async move {
            let result = world.aws.alarms_not_ok(&specs, &check.names, after).await;
            let _ = sender.send(Input::AlarmsRead { place, result });
        }),
        StepKind::RunCommand {
            place,
            command: asked,
            execution,
            targets,
        } => Box::pin(async move {
            let told = command::Told {
                execution: &execution,
                wave: &place.wave,
                targets: &targets,
            };
            let tell = |reason| {
                let place = place.clone();
                let _ = sender.send(Input::CommandWaits { place, reason });
            };
            let result = command::run(&world, &asked, &told, tell).await;
            let _ = sender.send(Input::CommandEnded { place, result });
        }),
    }
}

/// Tells the machine about one target.
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

/// Does what is to be done about one target. What was approved is done with the patience that is due to it.
fn news_of(
    world: Arc<World>,
    spec: TargetSpec,
    work: TargetWork,
    teller: Teller,
) -> Doing<TargetNews> {
    match work {
        TargetWork::Prepare { action, artifacts } => Box::pin(async move {
            let busy = teller.busy();
            let found = cloudformation::prepare(&world, &spec, &action, &artifacts, busy).await;
            TargetNews::Prepared(found.map(Box::new))
        }),
        TargetWork::Collect { action } => Box::pin(async move {
            let found = deletion::collect(&world, &spec, &action, teller.busy()).await;
            TargetNews::Collected(found.map(Box::new))
        }),
        TargetWork::CreateChangeSet {
            kind,
            name,
            token,
            inputs,
            artifacts,
            buckets,
            look_first,
        } => Box::pin(async move {
            let request = cloudformation::Creation {
                kind,
                name: &name,
                token: &token,
                inputs: &inputs,
                buckets: buckets.as_deref(),
                look_first,
            };
            let made = cloudformation::create(&world, &spec, &request, &artifacts).await;
            TargetNews::ChangeSetCreated(made)
        }),
        TargetWork::FindChangeSet { name } => Box::pin(async move {
            TargetNews::ChangeSetFound(cloudformation::find(&world, &spec, &name).await)
        }),
        TargetWork::ReadChangeSet {
            change_set,
            kind,
            stack,
            inputs,
            artifacts,
            buckets,
            seen,
        } => Box::pin(async move {
            let asked = cloudformation::Asked {
                change_set: &change_set,
                stack: &stack,
                kind,
                inputs: &inputs,
                buckets: buckets.as_deref(),
                seen: seen.as_deref(),
            };
            let read = cloudformation::read(&world, &spec, &asked, &artifacts).await;
            TargetNews::ChangeSetRead(read.map(Box::new))
        }),
        TargetWork::DeleteChangeSet {
            change_set,
            stack,
            look_first,
        } => Box::pin(brief(async move {
            let removed =
                cloudformation::delete_change_set(&world, &spec, &change_set, &stack, look_first);
            TargetNews::ChangeSetDeleted(removed.await)
        })),
        TargetWork::DeleteReviewStack { stack, change_set } => Box::pin(brief(async move {
            let removed =
                cloudformation::delete_review_stack(&world, &spec, &stack, &change_set).await;
            TargetNews::ReviewStackDeleted(removed)
        })),
        TargetWork::Verify {
            approved: of,
            artifacts,
        } => match deletes(&of) {
            false => Box::pin(approved(async move {
                TargetNews::Verified(cloudformation::verify(&world, &spec, &of, &artifacts).await)
            })),
            true => Box::pin(approved(async move {
                TargetNews::Verified(deletion::verify(&world, &spec, &of).await)
            })),
        },
        TargetWork::Execute {
            approved: of,
            token,
        } => match deletes(&of) {
            false => Box::pin(approved(async move {
                TargetNews::Executed(cloudformation::execute(&world, &spec, &of, &token).await)
            })),
            true => Box::pin(approved(async move {
                TargetNews::Executed(deletion::execute(&world, &spec, &of, &token).await)
            })),
        },
        TargetWork::Settle {
            approved: of,
            token,
        } => match deletes(&of) {
            false => Box::pin(approved(async move {
                TargetNews::Settled(cloudformation::settle(&world, &spec, &of, &token).await)
            })),
            true => Box::pin(approved(async move {
                TargetNews::Settled(deletion::settle(&world, &spec, &of, &token).await)
            })),
        },
        TargetWork::ApplySetting {
            approved: of,
            setting,
        } => Box::pin(approved(async move {
            let result = cloudformation::apply_setting(&world, &spec, &of, setting).await;
            TargetNews::SettingApplied { setting, result }
        })),
        TargetWork::Watch {
            approved: of,
            token,
            artifacts,
        } => match deletes(&of) {
            false => Box::pin(async move {
                let observe = |events| teller.tell(TargetNews::Observed(events));
                let ending =
                    cloudformation::watch(&world, &spec, &of, &token, &artifacts, observe).await;
                TargetNews::Watched(ending.map(Box::new))
            }),
            true => Box::pin(async move {
                let observe = |events| teller.tell(TargetNews::Observed(events));
                let ending = deletion::watch(&world, &spec, &of, &token, observe).await;
                TargetNews::Watched(ending.map(Box::new))
            }),
        },
    }
}

/// Returns whether what was approved deletes the stack, and changes nothing by a change set.
fn deletes(approved: &PlannedTarget) -> bool {
    match approved.kind {
        ChangeSetKind::Create | ChangeSetKind::Update | ChangeSetKind::Import => false,
        ChangeSetKind::Delete => true,
    }
}
