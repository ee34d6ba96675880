//! How events become facts.

use jiff::Timestamp;

use super::waits::Mark;
use super::{GateEnd, Imported, Refused, Source, StageStatus, View};
use crate::model::{Event, EventKind, PauseReason, Region, Silence, StopMode, TargetSpec};
use crate::report::target_view::TargetView;

/// A fact, and the event that brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report) struct Fact<T> {
    /// The sequence number of the event.
    pub(in crate::report) seq: u64,
    /// When the event happened.
    pub(in crate::report) at: Timestamp,
    /// The fact.
    pub(in crate::report) value: T,
}

/// Keeps `value` unless the slot holds a newer fact.
pub(in crate::report) fn keep<T>(slot: &mut Option<Fact<T>>, event: &Event, value: T) {
    if slot.as_ref().is_none_or(|old| old.seq <= event.seq) {
        *slot = Some(Fact {
            seq: event.seq,
            at: event.at,
            value,
        });
    }
}

impl View {
    fn silence_of(&mut self, region: &Region) -> &mut Option<Fact<Option<Silence>>> {
        self.silences.entry(region.clone()).or_default()
    }

    /// Takes an event in. Events may come twice and in any order; those of other executions are ignored.
    pub fn apply(&mut self, event: &Event) {
        if self
            .execution
            .get_or_insert_with(|| event.execution.clone())
            != &event.execution
        {
            return;
        }
        keep(&mut self.newest, event, ());
        if let Some(target) = &event.scope.target {
            self.targets
                .entry(target.clone())
                .or_insert_with(|| TargetView::new(target.clone()))
                .apply(event);
        }
        match &event.kind {
            EventKind::ExecutionStarted { definition } => {
                for TargetSpec { target, .. } in definition.target_specs() {
                    self.targets
                        .entry(target.clone())
                        .or_insert_with(|| TargetView::new(target.clone()));
                }
                keep(&mut self.definition, event, definition.clone());
            }
            EventKind::Resumed { owner, .. } => {
                self.waits.mark(event, Mark::Resumed);
                keep(&mut self.resumed, event, owner.clone());
            }
            EventKind::StageStarted => self.stage(event, StageStatus::Running),
            EventKind::StageSucceeded => self.stage(event, StageStatus::Succeeded),
            EventKind::StageFailed { reason } => {
                self.stage(event, StageStatus::Failed(reason.clone()));
            }
            EventKind::StageSkipped { reason } => {
                self.stage(event, StageStatus::Skipped(reason.clone()));
            }
            EventKind::SourceStored { artifact, revision } => {
                let source = Source {
                    artifact: artifact.clone(),
                    revision: revision.clone(),
                };
                self.sources.insert(event.seq, source);
            }
            EventKind::PlanReady { digest } => keep(&mut self.plan, event, *digest),
            EventKind::ApprovalRequested {
                plan,
                expires,
                wave,
            } => {
                self.waits.mark(event, Mark::Asked);
                keep(&mut self.request, event, (*plan, *expires, wave.clone()));
            }
            EventKind::GateStarted { place, until } => {
                keep(&mut self.gate_times(place).begun, event, ());
                keep(&mut self.gate, event, Some((place.clone(), *until)));
                keep(&mut self.held, event, None);
            }
            EventKind::GateHeld { reason, .. } => keep(&mut self.held, event, reason.clone()),
            EventKind::GateOpened { place, said } => {
                let end = GateEnd::Passed(said.clone());
                keep(&mut self.gate_times(place).ended, event, end);
                keep(&mut self.gate, event, None);
            }
            EventKind::GateClosed { place, reason } => {
                let end = GateEnd::Closed(reason.clone());
                keep(&mut self.gate_times(place).ended, event, end);
                keep(&mut self.gate, event, None);
            }
            EventKind::Answered { answer } => {
                self.waits.mark(event, Mark::Answered);
                self.answers.insert(event.seq, answer.clone());
            }
            EventKind::AnswerRefused { answer, reason } => {
                let refused = Refused {
                    answer: answer.clone(),
                    reason: reason.clone(),
                };
                self.refusals.insert(event.seq, refused);
            }
            EventKind::ApprovalExpired => {
                self.waits.mark(event, Mark::Answered);
                keep(&mut self.expired, event, ());
            }
            EventKind::PlanExported { path, .. } => keep(&mut self.exported, event, path.clone()),
            EventKind::PlanImported {
                by,
                risks,
                invocation,
                covers_former,
                file: _,
            } => {
                let imported = Imported {
                    by: by.clone(),
                    risks: risks.clone(),
                    invocation: invocation.clone(),
                    covers_former: *covers_former,
                };
                keep(&mut self.imported, event, imported);
            }
            EventKind::CallFailed { failure } => {
                if event.scope.target.is_none() {
                    keep(&mut self.trouble, event, failure.clone());
                }
            }
            EventKind::RegionSilent { silence } => {
                keep(
                    self.silence_of(&silence.region),
                    event,
                    Some(silence.clone()),
                );
            }
            EventKind::RegionAnswers { region } => keep(self.silence_of(region), event, None),
            EventKind::Paused { reason } => {
                self.waits.mark(event, Mark::Paused);
                match reason {
                    PauseReason::OutcomeUnknown {
                        target, accepted, ..
                    } => {
                        self.unknown.insert(event.seq, (target.clone(), *accepted));
                    }
                    PauseReason::Unreachable { region, .. } => {
                        keep(self.silence_of(region), event, None);
                        self.unreachable.insert(event.seq, reason.clone());
                    }
                    PauseReason::CredentialsExpired { .. }
                    | PauseReason::SecretNeeded { .. }
                    | PauseReason::GateUnreadable { .. } => {}
                }
                keep(&mut self.paused, event, reason.clone());
            }
            EventKind::StopRequested { request } => {
                let slot = match request.mode {
                    StopMode::Wait | StopMode::Abandon => &mut self.stop,
                    StopMode::GiveUp => {
                        self.waits.mark(event, Mark::Answered);
                        &mut self.given_up
                    }
                };
                keep(slot, event, request.clone());
            }
            EventKind::ExecutionFinished { outcome } => {
                keep(&mut self.outcome, event, *outcome);
            }
            // Actions are shown through their stages, and these concern one target, which took them above.
            EventKind::ActionStarted
            | EventKind::ActionSucceeded
            | EventKind::ActionFailed { .. }
            | EventKind::StackBusy { .. }
            | EventKind::ChangeSetIntended { .. }
            | EventKind::ChangeSetCreated { .. }
            | EventKind::ChangeSetReady { .. }
            | EventKind::DeletionPlanned { .. }
            | EventKind::CleanupIntended { .. }
            | EventKind::ChangeSetDeleted
            | EventKind::CleanupDone { .. }
            | EventKind::TargetStarted
            | EventKind::ExecuteIntended { .. }
            | EventKind::ExecuteAccepted
            | EventKind::StackSettled { .. }
            | EventKind::SettingIntended { .. }
            | EventKind::SettingApplied { .. }
            | EventKind::Observed { .. }
            | EventKind::TargetFinished { .. } => {}
        }
    }

    fn stage(&mut self, event: &Event, status: StageStatus) {
        let Some(name) = &event.scope.stage else {
            return;
        };
        let mut slot = self.stages.remove(name);
        keep(&mut slot, event, status);
        if let Some(fact) = slot {
            self.stages.insert(name.clone(), fact);
        }
    }
}
