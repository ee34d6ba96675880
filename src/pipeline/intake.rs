//! What the machine is told: which input becomes which events.

use jiff::Timestamp;

use super::advance::GIVEN_UP;
use super::machine::{Machine, Turn};
use super::state::Phase;
use super::step::{Input, TargetNews};
use super::targets::TargetIndex;
use crate::approval;
use crate::model::{
    Answer, CallFailure, EXECUTED_ELSEWHERE, EventKind, FailureKind, InboxMessage, PauseReason,
    Removal, Scope, StopMode, StopRequest,
};

impl Machine {
    pub(super) fn take(&mut self, turn: &mut Turn, now: Timestamp, input: Input) {
        match input {
            Input::Tick => {}
            Input::Inbox(messages) => {
                for message in messages {
                    match message {
                        InboxMessage::Answer(answer) => self.take_answer(turn, now, answer),
                        InboxMessage::Stop(request) => self.take_stop(turn, now, request),
                    }
                }
            }
            Input::Stop(request) => self.take_stop(turn, now, request),
            Input::Silent(silence) => self.take_silence(turn, now, silence),
            Input::Answers(region) => {
                self.answered.insert(region.clone());
                if self.state.silent.contains(&region) {
                    let kind = EventKind::RegionAnswers { region };
                    self.emit(turn, now, Scope::default(), kind);
                }
            }
            Input::SourceStored { scope, result } => {
                self.storing.remove(&scope);
                match result {
                    Ok((artifact, revision)) => {
                        let kind = EventKind::SourceStored { artifact, revision };
                        self.emit(turn, now, scope.clone(), kind);
                        self.emit(turn, now, scope, EventKind::ActionSucceeded);
                    }
                    Err(failure) => {
                        if let Some(failure) = self.pause_for(turn, now, failure) {
                            let reason = failure.message;
                            self.emit(turn, now, scope, EventKind::ActionFailed { reason });
                        }
                    }
                }
            }
            Input::Target { index, news } => self.take_news(turn, now, index, news),
            Input::AlarmsRead { place, result } => self.take_alarms(turn, now, &place, result),
            Input::CommandWaits { place, reason } => {
                self.take_command_waits(turn, now, &place, reason);
            }
            Input::CommandEnded { place, result } => {
                self.take_command(turn, now, &place, result);
            }
        }
    }

    fn take_news(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        news: TargetNews,
    ) {
        match news {
            TargetNews::StackBusy(status) => {
                let state = &self.state.targets[target];
                // Nothing new is not worth an event, and what comes late concerns nobody any more.
                if state.phase == Phase::Waiting && state.busy != Some(status) {
                    self.emit_for(turn, now, target, EventKind::StackBusy { status });
                }
            }
            TargetNews::Prepared(result) => {
                // It may have been left out while it waited for its stack.
                if self.state.targets[target].phase == Phase::Finished {
                    return;
                }
                let result = self.arrived(turn, now, target, result);
                self.take_preparation(turn, now, target, result);
            }
            TargetNews::Collected(result) => {
                // It may have been left out while it waited for its stack.
                if self.state.targets[target].phase == Phase::Finished {
                    return;
                }
                let result = self.arrived(turn, now, target, result);
                self.take_collection(turn, now, target, result);
            }
            TargetNews::ChangeSetCreated(result) => {
                match self.arrived(turn, now, target, result) {
                    Some(Ok((change_set, stack))) => {
                        let kind = EventKind::ChangeSetCreated { change_set, stack };
                        self.emit_for(turn, now, target, kind);
                    }
                    // The name is taken or the answer was lost: the next step looks before it creates.
                    Some(Err(failure)) if self.may_have_created(target, &failure) => {
                        self.emit_for(turn, now, target, EventKind::CallFailed { failure });
                    }
                    Some(Err(failure)) => self.not_planned(turn, now, target, &failure),
                    None => {}
                }
            }
            TargetNews::ChangeSetFound(result) => {
                let result = self.arrived(turn, now, target, result);
                self.take_found(turn, now, target, result);
            }
            TargetNews::ChangeSetRead(result) => {
                let result = self.arrived(turn, now, target, result);
                self.take_reading(turn, now, target, result);
            }
            TargetNews::ChangeSetDeleted(result) => match self.arrived(turn, now, target, result) {
                Some(Ok(Removal::Executed { status })) => {
                    let left = Some(format!("{EXECUTED_ELSEWHERE} ({status}), and left"));
                    self.emit_for(turn, now, target, EventKind::CleanupDone { left });
                }
                Some(Ok(removal)) => {
                    self.emit_for(turn, now, target, EventKind::ChangeSetDeleted);
                    if !self.made_review_stack(target) {
                        let left = self.gone_elsewhere(&removal);
                        self.emit_for(turn, now, target, EventKind::CleanupDone { left });
                    }
                }
                Some(Err(failure)) => {
                    let left = Some(format!(
                        "the change set was left (`stackgate clean` removes it): {}",
                        failure.message
                    ));
                    self.emit_for(turn, now, target, EventKind::CleanupDone { left });
                }
                None => {}
            },
            TargetNews::ReviewStackDeleted(result) => {
                match self.arrived(turn, now, target, result) {
                    Some(Ok(left)) => {
                        self.emit_for(turn, now, target, EventKind::CleanupDone { left });
                    }
                    Some(Err(failure)) => {
                        let left = Some(format!(
                            "the empty stack was left (`stackgate clean` removes it): {}",
                            failure.message
                        ));
                        self.emit_for(turn, now, target, EventKind::CleanupDone { left });
                    }
                    None => {}
                }
            }
            TargetNews::Verified(result) => {
                let result = self.reached(turn, now, target, result);
                self.take_verification(turn, now, target, result);
            }
            TargetNews::Executed(result) => {
                let result = self.reached(turn, now, target, result);
                self.take_execution(turn, now, target, result);
            }
            TargetNews::Settled(result) if self.looking.contains(&target) => {
                self.take_look(turn, now, target, result);
            }
            TargetNews::Settled(result) => {
                let is_waited_for = !self.is_answered_for(target) && !self.is_unseen(target);
                let result = match is_waited_for {
                    true => self.reached(turn, now, target, result),
                    false => self.arrived(turn, now, target, result),
                };
                self.take_settlement(turn, now, target, result);
            }
            TargetNews::Observed(events) => {
                let state = &self.state.targets[target];
                if state.phase != Phase::Running {
                    return;
                }
                self.heard_from(target);
                let state = &self.state.targets[target];
                // A watch that was begun again sees the operation's events again.
                let known = events
                    .iter()
                    .position(|e| Some(&e.id) == state.newest_event.as_ref());
                let new: Vec<_> = events
                    .into_iter()
                    .skip(known.map_or(0, |at| at + 1))
                    .collect();
                if !new.is_empty() {
                    self.emit_for(turn, now, target, EventKind::Observed { events: new });
                }
            }
            TargetNews::Watched(result) => {
                let result = match self.is_let_go(target) {
                    true => self.arrived(turn, now, target, result),
                    false => self.reached(turn, now, target, result),
                };
                self.take_ending(turn, now, target, result);
            }
            TargetNews::SettingApplied { setting, result } => {
                let result = self.reached(turn, now, target, result);
                self.take_setting(turn, now, target, setting, result);
            }
        }
    }

    fn take_stop(&mut self, turn: &mut Turn, now: Timestamp, mut request: StopRequest) {
        if request.mode == StopMode::GiveUp {
            // What was kept for a resumption gets its end now.
            self.held.clear();
        }
        // Nobody asked for a region that is back to be given up.
        let answered = &self.answered;
        request
            .unreachable
            .retain(|region| !answered.contains(region));
        let kind = EventKind::StopRequested { request };
        self.emit(turn, now, Scope::default(), kind);
    }

    /// Returns what to say of a change set that nobody removed here, where the plan is run elsewhere too.
    fn gone_elsewhere(&self, removal: &Removal) -> Option<String> {
        match removal {
            Removal::Gone { stack } if self.state.in_file => {
                let stack = stack.map_or("cannot be read".to_owned(), |s| format!("is {s}"));
                Some(format!(
                    "nothing; the change set was gone, and may have been executed elsewhere: the stack {stack}"
                ))
            }
            Removal::Deleted | Removal::Gone { .. } | Removal::Executed { .. } => None,
        }
    }

    /// Notes that the target's step ended. Returns its result unless the execution must pause for it.
    pub(super) fn arrived<T>(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        result: Result<T, CallFailure>,
    ) -> Option<Result<T, CallFailure>> {
        self.busy.remove(target);
        self.touch(target);
        match result {
            Ok(value) => {
                self.heard_from(target);
                Some(Ok(value))
            }
            Err(failure) => self.pause_for(turn, now, failure).map(Err),
        }
    }

    /// Pauses the execution if `failure` is one that somebody outside can mend; else returns it.
    pub(super) fn pause_for(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        failure: CallFailure,
    ) -> Option<CallFailure> {
        let reason = match &failure.kind {
            FailureKind::CredentialsExpired => PauseReason::CredentialsExpired {
                message: failure.message.clone(),
            },
            FailureKind::SecretNeeded(parameter) => PauseReason::SecretNeeded {
                parameter: parameter.clone(),
                message: failure.message.clone(),
            },
            FailureKind::AccessDenied
            | FailureKind::RegionNotEnabled
            | FailureKind::Throttled
            | FailureKind::NotFound
            | FailureKind::AlreadyExists
            | FailureKind::MissingCapabilities(_)
            | FailureKind::Refused
            | FailureKind::Ambiguous
            | FailureKind::NotSent
            | FailureKind::Unreachable
            | FailureKind::BadInput => return Some(failure),
        };
        self.pause(turn, now, reason);
        None
    }

    pub(super) fn pause(&mut self, turn: &mut Turn, now: Timestamp, reason: PauseReason) {
        match &self.state.paused {
            // What somebody has to do outranks what only has to be waited for. Not told, it would be tried again and again.
            None | Some(PauseReason::Unreachable { .. }) => self.pause_also(turn, now, reason),
            Some(
                PauseReason::CredentialsExpired { .. }
                | PauseReason::SecretNeeded { .. }
                | PauseReason::OutcomeUnknown { .. }
                | PauseReason::GateUnreadable { .. },
            ) => {}
        }
    }

    /// Pauses the execution for `reason`, also where it is paused for another.
    pub(super) fn pause_also(&mut self, turn: &mut Turn, now: Timestamp, reason: PauseReason) {
        self.emit(turn, now, Scope::default(), EventKind::Paused { reason });
    }

    fn take_answer(&mut self, turn: &mut Turn, now: Timestamp, answer: Answer) {
        let verdict = match self.state.request() {
            Some(request) if self.state.given_up && request.answered.is_none() => {
                Err(GIVEN_UP.to_owned())
            }
            // It was said that nobody answered in time, and acted on.
            Some(request) if request.answered.is_none() && !self.state.awaits_answer() => {
                let expires = request.expires;
                Err(approval::Refusal::Expired { expires }.to_string())
            }
            Some(request) => {
                approval::judge(request, &answer, now).map_err(|refusal| refusal.to_string())
            }
            None => Err("nothing waits for an answer yet".to_owned()),
        };
        let kind = match verdict {
            Ok(_) => EventKind::Answered { answer },
            Err(reason) => EventKind::AnswerRefused { answer, reason },
        };
        let scope = self.current_action_scope();
        self.emit(turn, now, scope, kind);
    }

    pub(super) fn check_expiry(&mut self, turn: &mut Turn, now: Timestamp) {
        let expired = self.state.awaits_answer()
            && self
                .state
                .request()
                .is_some_and(|r| approval::has_expired(r, now));
        if expired {
            let scope = self.current_action_scope();
            self.emit(turn, now, scope.clone(), EventKind::ApprovalExpired);
            let reason = "nobody answered in time".to_owned();
            let kind = match &self.state.gate {
                Some(gate) => EventKind::GateClosed {
                    place: gate.place.clone(),
                    reason,
                },
                None => EventKind::ActionFailed { reason },
            };
            self.emit(turn, now, scope, kind);
        }
    }
}
