//! The state machine of an execution: inputs and a time in, events and steps out.
//!
//! What is to be done next follows from the state alone (`push`), never from the input that led
//! there, so a resumed execution asks for the same steps as one that never stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::names::{change_set_name, create_token, execute_token};
use super::state::{Cleanup, Execution, IllegalEvent, Phase, Progress};
use super::step::{Ending, Input, Preparation, Reading, Settlement, Step, StepKind, UnknownPolicy};
use super::validation::Provider;
use crate::approval;
use crate::model::{
    ActionDeclaration, Answer, CallFailure, Cause, ChangeSetKind, ChangeSetOutcome, CleanupWhy,
    Decision, Event, EventKind, ExecutionDefinition, ExecutionId, ExecutionOutcome, FailureKind,
    InboxMessage, PauseReason, PlannedTarget, Scope, Sentiment, SkipReason, StackStatus, Staleness,
    Target, TargetOutcome,
};
use crate::plan::{self, PlanInput};
use crate::rollout::Rollout;

/// How often an execution that was provably not accepted is asked for again before a person is asked.
const MAX_EXECUTE_ATTEMPTS: u32 = 3;

/// Drives one execution.
#[derive(Debug)]
pub struct Machine {
    state: Execution,
    /// Targets and actions with a step under way.
    busy: BTreeSet<Scope>,
    /// The targets of the running action that are not done with it.
    pending: BTreeSet<Target>,
    /// What an execute call was refused with, until it is known whether an earlier one was accepted.
    refused: BTreeMap<Target, CallFailure>,
    /// How the target of an execution that may be under way differs from what was approved.
    differing: BTreeMap<Target, Vec<Staleness>>,
    /// Targets whose execution was not accepted and is not asked for again while the execution stops.
    held: BTreeSet<Target>,
    attempts: BTreeMap<Target, u32>,
    /// What somebody found out about the targets below.
    unknown: UnknownPolicy,
    /// Targets that were being executed when the execution was taken up.
    looked_at: BTreeSet<Target>,
}

/// What a turn decided: events to append, then steps to start.
#[derive(Debug, Default)]
pub struct Turn {
    /// The events, in order.
    pub events: Vec<Event>,
    /// The steps to start once the events are on disk.
    pub steps: Vec<Step>,
}

impl Machine {
    /// Starts an execution.
    pub fn start(
        id: ExecutionId,
        definition: ExecutionDefinition,
        now: Timestamp,
    ) -> Result<(Self, Turn), IllegalEvent> {
        let event = Event {
            seq: 1,
            execution: id,
            at: now,
            scope: Scope::default(),
            kind: EventKind::ExecutionStarted {
                definition: Box::new(definition),
            },
        };
        let mut machine = Self::over(Execution::begin(&event)?, UnknownPolicy::Ask);
        let mut turn = Turn {
            events: vec![event],
            steps: Vec::new(),
        };
        machine.push(&mut turn, now);
        Ok((machine, turn))
    }

    /// Returns the machine of an execution that was left, and the turn that takes it up again.
    pub fn resume(
        events: &[Event],
        owner: String,
        unknown: UnknownPolicy,
        now: Timestamp,
    ) -> Result<(Self, Turn), IllegalEvent> {
        let mut machine = Self::over(Execution::replay(events)?, unknown);
        let mut turn = Turn::default();
        if machine.state.outcome.is_none() {
            machine.emit(
                &mut turn,
                now,
                Scope::default(),
                EventKind::Resumed { owner },
            );
            machine.refill();
            // Expiry is judged after the inbox was read: an answer may have been given in time.
            machine.push(&mut turn, now);
        }
        Ok((machine, turn))
    }

    /// Returns the state.
    pub fn state(&self) -> &Execution {
        &self.state
    }

    /// Returns whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.busy.is_empty()
    }

    /// Takes inputs and decides.
    pub fn handle(&mut self, inputs: Vec<Input>, now: Timestamp) -> Turn {
        let mut turn = Turn::default();
        for input in inputs {
            if self.state.outcome.is_some() {
                break;
            }
            self.take(&mut turn, now, input);
        }
        if self.state.outcome.is_none() {
            self.check_expiry(&mut turn, now);
            self.push(&mut turn, now);
        }
        turn
    }

    fn over(state: Execution, unknown: UnknownPolicy) -> Self {
        let looked_at = state
            .targets
            .iter()
            .filter(|(_, t)| t.phase == Phase::Executing)
            .map(|(target, _)| target.clone())
            .collect();
        let mut machine = Self {
            state,
            busy: BTreeSet::new(),
            pending: BTreeSet::new(),
            refused: BTreeMap::new(),
            differing: BTreeMap::new(),
            held: BTreeSet::new(),
            attempts: BTreeMap::new(),
            unknown,
            looked_at,
        };
        machine.refill();
        machine
    }

    // --- inputs -------------------------------------------------------------------------------

    fn take(&mut self, turn: &mut Turn, now: Timestamp, input: Input) {
        match input {
            Input::Tick => {}
            Input::Inbox(messages) => {
                for message in messages {
                    match message {
                        InboxMessage::Answer(answer) => self.take_answer(turn, now, answer),
                        InboxMessage::Stop(request) => {
                            self.emit(
                                turn,
                                now,
                                Scope::default(),
                                EventKind::StopRequested { request },
                            );
                        }
                    }
                }
            }
            Input::Stop(request) => {
                self.emit(
                    turn,
                    now,
                    Scope::default(),
                    EventKind::StopRequested { request },
                );
            }
            Input::SourceStored { scope, result } => {
                self.busy.remove(&scope);
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
            Input::Prepared { target, result } => {
                let result = self.arrived(turn, now, &target, result);
                self.take_preparation(turn, now, &target, result);
            }
            Input::ChangeSetCreated { target, result } => {
                match self.arrived(turn, now, &target, result) {
                    Some(Ok((change_set, stack))) => {
                        let kind = EventKind::ChangeSetCreated { change_set, stack };
                        self.emit_for(turn, now, &target, kind);
                    }
                    // The name is taken or the answer was lost: the next step looks before it creates.
                    Some(Err(failure)) if self.may_have_created(&target, &failure) => {
                        self.emit_for(turn, now, &target, EventKind::CallFailed { failure });
                    }
                    Some(Err(failure)) => self.not_planned(turn, now, &target, &failure),
                    None => {}
                }
            }
            Input::ChangeSetRead { target, result } => {
                let result = self.arrived(turn, now, &target, result);
                self.take_reading(turn, now, &target, result);
            }
            Input::ChangeSetDeleted { target, result } => {
                match self.arrived(turn, now, &target, result) {
                    Some(Ok(())) => {
                        self.emit_for(turn, now, &target, EventKind::ChangeSetDeleted);
                        if !self.made_review_stack(&target) {
                            let kind = EventKind::CleanupDone { left: None };
                            self.emit_for(turn, now, &target, kind);
                        }
                    }
                    Some(Err(failure)) => {
                        let left = Some(format!("the change set was left: {}", failure.message));
                        self.emit_for(turn, now, &target, EventKind::CleanupDone { left });
                    }
                    None => {}
                }
            }
            Input::ReviewStackDeleted { target, result } => {
                match self.arrived(turn, now, &target, result) {
                    Some(Ok(left)) => {
                        self.emit_for(turn, now, &target, EventKind::CleanupDone { left });
                    }
                    Some(Err(failure)) => {
                        let left = Some(format!("the empty stack was left: {}", failure.message));
                        self.emit_for(turn, now, &target, EventKind::CleanupDone { left });
                    }
                    None => {}
                }
            }
            Input::Verified { target, result } => {
                let result = self.arrived(turn, now, &target, result);
                self.take_verification(turn, now, &target, result);
            }
            Input::Executed { target, result } => {
                let result = self.arrived(turn, now, &target, result);
                self.take_execution(turn, now, &target, result);
            }
            Input::Settled { target, result } => {
                let result = self.arrived(turn, now, &target, result);
                self.take_settlement(turn, now, &target, result);
            }
            Input::Observed { target, events } => {
                let state = self
                    .state
                    .targets
                    .get(&target)
                    .filter(|t| t.phase == Phase::Running);
                let Some(state) = state else { return };
                // A watch that was begun again sees the operation's events again.
                let known = events
                    .iter()
                    .position(|e| Some(&e.id) == state.newest_event.as_ref());
                let new: Vec<_> = events
                    .into_iter()
                    .skip(known.map_or(0, |at| at + 1))
                    .collect();
                if !new.is_empty() {
                    self.emit_for(turn, now, &target, EventKind::Observed { events: new });
                }
            }
            Input::Watched { target, result } => {
                let result = self.arrived(turn, now, &target, result);
                self.take_ending(turn, now, &target, result);
            }
        }
    }

    /// Notes that the target's step ended. Returns its result unless the execution must pause for it.
    fn arrived<T>(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: &Target,
        result: Result<T, CallFailure>,
    ) -> Option<Result<T, CallFailure>> {
        self.busy.remove(&of_target(target));
        match result {
            Ok(value) => Some(Ok(value)),
            Err(failure) => self.pause_for(turn, now, failure).map(Err),
        }
    }

    /// Pauses the execution if `failure` is one that somebody outside can mend; else returns it.
    fn pause_for(
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
            | FailureKind::Throttled
            | FailureKind::NotFound
            | FailureKind::AlreadyExists
            | FailureKind::MissingCapabilities(_)
            | FailureKind::Refused
            | FailureKind::Ambiguous
            | FailureKind::Unreachable
            | FailureKind::BadInput => return Some(failure),
        };
        self.pause(turn, now, reason);
        None
    }

    fn pause(&mut self, turn: &mut Turn, now: Timestamp, reason: PauseReason) {
        if self.state.paused.is_none() {
            self.emit(turn, now, Scope::default(), EventKind::Paused { reason });
        }
    }

    fn take_answer(&mut self, turn: &mut Turn, now: Timestamp, answer: Answer) {
        let verdict = match &self.state.approval {
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

    fn take_preparation(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: &Target,
        result: Option<Result<Box<Preparation>, CallFailure>>,
    ) {
        let preparation = match result {
            Some(Ok(preparation)) => *preparation,
            Some(Err(failure)) => return self.not_planned(turn, now, target, &failure),
            None => return,
        };
        // Looked at only: a stop that came in the meantime leaves it for later.
        if self.is_draining() {
            return;
        }
        let kind = match &preparation.stack {
            None => ChangeSetKind::Create,
            Some(stack) => {
                if let Some(help) = stack.status.refusal() {
                    let cause = Cause::of(format!("the stack is {}: {help}", stack.status));
                    let outcome = TargetOutcome::NotPlanned { cause };
                    return self.finish(turn, now, target, outcome, Ending::none());
                }
                match stack.status {
                    StackStatus::ReviewInProgress | StackStatus::DeleteComplete => {
                        ChangeSetKind::Create
                    }
                    _ => ChangeSetKind::Update,
                }
            }
        };
        let id = &self.state.id;
        let intent = EventKind::ChangeSetIntended {
            kind,
            name: change_set_name(id, target),
            token: create_token(id, target),
            caller: preparation.caller,
            stack: preparation.stack,
            inputs: Box::new(preparation.inputs),
        };
        self.emit_for(turn, now, target, intent);
        self.create(turn, target, false);
    }

    fn may_have_created(&self, target: &Target, failure: &CallFailure) -> bool {
        matches!(
            failure.kind,
            FailureKind::Ambiguous | FailureKind::AlreadyExists
        ) && self
            .attempts
            .get(target)
            .is_none_or(|n| *n < MAX_EXECUTE_ATTEMPTS)
    }

    fn not_planned(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: &Target,
        failure: &CallFailure,
    ) {
        let cause = match &failure.kind {
            FailureKind::MissingCapabilities(missing) if !missing.is_empty() => Cause::of(format!(
                "{}; add `--capabilities {}`",
                failure.message,
                missing.join(",")
            )),
            _ => Cause::of(&failure.message),
        };
        self.finish(
            turn,
            now,
            target,
            TargetOutcome::NotPlanned { cause },
            Ending::none(),
        );
        self.clean_up(turn, now, target, CleanupWhy::Failed);
    }

    fn take_reading(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: &Target,
        result: Option<Result<Box<Reading>, CallFailure>>,
    ) {
        let reading = match result {
            Some(Ok(reading)) => *reading,
            Some(Err(failure)) => return self.not_planned(turn, now, target, &failure),
            None => return,
        };
        let (outcome, why) = match (reading.outcome, reading.base) {
            (ChangeSetOutcome::Ready, Some(base)) => {
                let kind = EventKind::ChangeSetReady {
                    changes: reading.changes,
                    base,
                    previous_template: reading.previous_template,
                };
                return self.emit_for(turn, now, target, kind);
            }
            (ChangeSetOutcome::Ready, None) => {
                let cause = Cause::of("the stack vanished while its change set was computed");
                (TargetOutcome::NotPlanned { cause }, CleanupWhy::Failed)
            }
            (ChangeSetOutcome::NoChanges, _) => (TargetOutcome::NoChanges, CleanupWhy::NoChanges),
            (ChangeSetOutcome::Failed { reason }, _) => (
                TargetOutcome::NotPlanned {
                    cause: Cause::of(reason),
                },
                CleanupWhy::Failed,
            ),
        };
        self.finish(turn, now, target, outcome, Ending::none());
        self.clean_up(turn, now, target, why);
    }

    fn take_verification(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: &Target,
        result: Option<Result<Vec<Staleness>, CallFailure>>,
    ) {
        match result {
            Some(Ok(differences)) if differences.is_empty() => {
                // A stop that came while the target was verified leaves it as it is, not executed.
                if self.is_draining() {
                    self.held.insert(target.clone());
                    return;
                }
                self.looked_at.remove(target);
                *self.attempts.entry(target.clone()).or_default() += 1;
                let token = execute_token(&self.state.id, target);
                let kind = EventKind::ExecuteIntended {
                    token: token.clone(),
                };
                self.emit_for(turn, now, target, kind);
                if let Some((spec, approved)) = self.approved(target) {
                    self.step(
                        turn,
                        target,
                        StepKind::Execute {
                            spec,
                            approved,
                            token,
                        },
                    );
                }
            }
            // An earlier attempt that was accepted late differs too: looked into before it is called stale.
            Some(Ok(differences)) if self.state.targets[target].phase == Phase::Executing => {
                self.differing.insert(target.clone(), differences);
            }
            Some(Ok(differences)) => self.stale(turn, now, target, differences),
            Some(Err(failure)) => self.not_executed(turn, now, target, &failure),
            None => {}
        }
    }

    /// Ends a target that is no longer what was approved, and was provably not executed.
    fn stale(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: &Target,
        differences: Vec<Staleness>,
    ) {
        let outcome = TargetOutcome::Stale { differences };
        self.finish(turn, now, target, outcome, Ending::none());
        self.clean_up(turn, now, target, CleanupWhy::NotNeeded);
    }

    /// Ends a target whose change set was provably not executed.
    fn not_executed(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: &Target,
        failure: &CallFailure,
    ) {
        let cause = Cause::of(&failure.message);
        let outcome = TargetOutcome::Failed {
            status: None,
            cause,
        };
        self.finish(turn, now, target, outcome, Ending::none());
        self.clean_up(turn, now, target, CleanupWhy::NotNeeded);
    }

    fn take_execution(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: &Target,
        result: Option<Result<(), CallFailure>>,
    ) {
        match result {
            Some(Ok(())) => self.emit_for(turn, now, target, EventKind::ExecuteAccepted),
            Some(Err(failure)) => {
                let kind = EventKind::CallFailed {
                    failure: failure.clone(),
                };
                self.emit_for(turn, now, target, kind);
                match failure.kind {
                    // Whether it was accepted is looked into before anything else happens.
                    FailureKind::Ambiguous => {}
                    // A refusal may mean that an earlier attempt was accepted after all.
                    FailureKind::Refused | FailureKind::NotFound | FailureKind::AlreadyExists => {
                        self.refused.insert(target.clone(), failure);
                    }
                    FailureKind::CredentialsExpired
                    | FailureKind::SecretNeeded(_)
                    | FailureKind::AccessDenied
                    | FailureKind::Throttled
                    | FailureKind::MissingCapabilities(_)
                    | FailureKind::Unreachable
                    | FailureKind::BadInput => self.not_executed(turn, now, target, &failure),
                }
            }
            None => {}
        }
    }

    fn take_settlement(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: &Target,
        result: Option<Result<Settlement, CallFailure>>,
    ) {
        let unknown = match result {
            Some(Ok(Settlement::Accepted)) => {
                self.refused.remove(target);
                return self.emit_for(turn, now, target, EventKind::ExecuteAccepted);
            }
            Some(Ok(Settlement::NotAccepted)) => {
                if let Some(failure) = self.refused.remove(target) {
                    return self.not_executed(turn, now, target, &failure);
                }
                if let Some(differences) = self.differing.remove(target) {
                    return self.stale(turn, now, target, differences);
                }
                if self.is_draining() {
                    self.held.insert(target.clone());
                    return;
                }
                if self
                    .attempts
                    .get(target)
                    .is_none_or(|n| *n < MAX_EXECUTE_ATTEMPTS)
                {
                    // Compared with what was approved once more, then asked for with the same token.
                    return self.verify(turn, target);
                }
                "the service keeps losing the request".to_owned()
            }
            Some(Ok(Settlement::Unknown { reason })) => {
                if let Some(failure) = self.refused.remove(target) {
                    return self.not_executed(turn, now, target, &failure);
                }
                reason
            }
            Some(Err(failure)) => failure.message,
            None => return,
        };
        // What somebody found out holds for what was under way then, not for what was asked since.
        let policy = if self.looked_at.remove(target) {
            self.unknown
        } else {
            UnknownPolicy::Ask
        };
        match policy {
            UnknownPolicy::Ask => {
                let reason = PauseReason::OutcomeUnknown {
                    target: target.clone(),
                    message: unknown,
                };
                self.pause(turn, now, reason);
            }
            UnknownPolicy::Executed => {
                self.emit_for(turn, now, target, EventKind::ExecuteAccepted);
            }
            UnknownPolicy::NotExecuted => {
                let outcome = TargetOutcome::Unknown { reason: unknown };
                self.finish(turn, now, target, outcome, Ending::none());
            }
        }
    }

    fn take_ending(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: &Target,
        result: Option<Result<Box<Ending>, CallFailure>>,
    ) {
        match result {
            Some(Ok(ending)) => {
                let status = ending.status;
                let outcome = match status.sentiment() {
                    Sentiment::Good => TargetOutcome::Succeeded { status },
                    Sentiment::Neutral | Sentiment::Bad => TargetOutcome::Failed {
                        status: Some(status),
                        cause: ending
                            .cause
                            .clone()
                            .unwrap_or_else(|| Cause::of("the stack's events name no reason")),
                    },
                };
                self.finish(turn, now, target, outcome, *ending);
            }
            Some(Err(failure)) if failure.kind == FailureKind::NotFound => {
                let outcome = TargetOutcome::Failed {
                    status: None,
                    cause: Cause::of(failure.message),
                };
                self.finish(turn, now, target, outcome, Ending::none());
            }
            // What cannot be seen may well be succeeding: it is not called a failure.
            Some(Err(failure)) => {
                let message = failure.message;
                self.pause(
                    turn,
                    now,
                    PauseReason::OutcomeUnknown {
                        target: target.clone(),
                        message,
                    },
                );
            }
            None => {}
        }
    }

    fn check_expiry(&mut self, turn: &mut Turn, now: Timestamp) {
        let expired = self.state.awaits_answer()
            && self
                .state
                .approval
                .as_ref()
                .is_some_and(|r| approval::has_expired(r, now));
        if expired {
            let scope = self.current_action_scope();
            self.emit(turn, now, scope.clone(), EventKind::ApprovalExpired);
            let reason = "nobody answered in time".to_owned();
            self.emit(turn, now, scope, EventKind::ActionFailed { reason });
        }
    }

    // --- what follows from the state ----------------------------------------------------------

    fn is_draining(&self) -> bool {
        self.state.paused.is_some() || self.state.stop.is_some()
    }

    /// Emits and asks for everything that follows from the state, until nothing more does.
    fn push(&mut self, turn: &mut Turn, now: Timestamp) {
        while self.state.outcome.is_none() && self.push_once(turn, now) {}
    }

    /// Returns whether the state moved.
    fn push_once(&mut self, turn: &mut Turn, now: Timestamp) -> bool {
        let current = self
            .state
            .stages
            .iter()
            .position(|s| !matches!(s.progress, Progress::Succeeded | Progress::Skipped));
        let Some(index) = current else {
            return self.finish_execution(turn, now);
        };
        let scope = Scope {
            stage: Some(self.state.stages[index].name.clone()),
            ..Scope::default()
        };
        match self.state.stages[index].progress {
            Progress::Failed => return self.wind_down(turn, now),
            Progress::NotStarted => {
                if self.is_draining() {
                    return false;
                }
                if let Some(reason) = self.not_needed(index) {
                    self.emit(turn, now, scope, EventKind::StageSkipped { reason });
                } else {
                    self.emit(turn, now, scope, EventKind::StageStarted);
                }
                return true;
            }
            Progress::InProgress | Progress::Succeeded | Progress::Skipped => {}
        }

        let definition = self.state.definition.clone();
        let declared = &definition.pipeline.stages[index].actions;
        let progress = |state: &Execution, i: usize| state.stages[index].actions[i].1;
        let open = (0..declared.len()).filter(|&i| progress(&self.state, i) != Progress::Succeeded);
        let Some(run_order) = open.map(|i| declared[i].run_order).min() else {
            self.emit(turn, now, scope, EventKind::StageSucceeded);
            return true;
        };
        let group: Vec<usize> = (0..declared.len())
            .filter(|&i| declared[i].run_order == run_order)
            .collect();
        let mut moved = false;
        for &i in &group {
            let action_scope = Scope {
                action: Some(declared[i].name.clone()),
                ..scope.clone()
            };
            match progress(&self.state, i) {
                Progress::NotStarted if !self.is_draining() => {
                    self.emit(turn, now, action_scope.clone(), EventKind::ActionStarted);
                    self.refill();
                    moved = true;
                }
                Progress::InProgress => {}
                Progress::NotStarted
                | Progress::Succeeded
                | Progress::Failed
                | Progress::Skipped => {
                    continue;
                }
            }
            moved |= self.push_action(turn, now, &declared[i], action_scope);
        }
        let ended = |p| matches!(p, Progress::Failed | Progress::Succeeded);
        let failed = group
            .iter()
            .any(|&i| progress(&self.state, i) == Progress::Failed);
        if failed && group.iter().all(|&i| ended(progress(&self.state, i))) {
            let reason = "an action failed".to_owned();
            self.emit(turn, now, scope, EventKind::StageFailed { reason });
            return true;
        }
        moved
    }

    /// Returns why a stage that only answers for or executes a plan is not needed.
    fn not_needed(&self, index: usize) -> Option<String> {
        let stage = &self.state.definition.pipeline.stages[index];
        let needs_plan = stage.actions.iter().all(|a| match Provider::of(a) {
            Some(Provider::Approval | Provider::ExecuteChangeSet) => true,
            Some(Provider::SourceLocal | Provider::CreateChangeSet) | None => false,
        });
        (needs_plan && self.state.plan.is_none()).then(|| "no target has changes".to_owned())
    }

    fn push_action(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        action: &ActionDeclaration,
        scope: Scope,
    ) -> bool {
        let Some(provider) = Provider::of(action) else {
            let reason = "no provider of this program runs it".to_owned();
            self.emit(turn, now, scope, EventKind::ActionFailed { reason });
            return true;
        };
        match provider {
            Provider::SourceLocal => {
                if !self.is_draining() && self.busy.insert(scope.clone()) {
                    let kind = StepKind::SnapshotSource {
                        action: Arc::new(action.clone()),
                    };
                    turn.steps.push(Step { scope, kind });
                }
                false
            }
            Provider::CreateChangeSet => self.push_create(turn, now, action, scope),
            Provider::Approval => self.push_approval(turn, now, action, scope),
            Provider::ExecuteChangeSet => self.push_execute(turn, now, scope),
        }
    }

    fn push_create(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        action: &ActionDeclaration,
        scope: Scope,
    ) -> bool {
        let shared = Arc::new(action.clone());
        for target in self.pending.iter().cloned().collect::<Vec<_>>() {
            if self.clean_step(turn, &target) || self.busy.contains(&of_target(&target)) {
                continue;
            }
            let state = &self.state.targets[&target];
            match state.phase {
                Phase::Waiting if !self.is_draining() => {
                    let kind = StepKind::Prepare {
                        spec: state.spec.clone(),
                        action: shared.clone(),
                        artifacts: self.state.artifacts.clone(),
                    };
                    self.step(turn, &target, kind);
                }
                Phase::Creating if !self.is_draining() => {
                    *self.attempts.entry(target.clone()).or_default() += 1;
                    self.create(turn, &target, true);
                }
                Phase::Created if !self.is_draining() => self.read(turn, &target),
                Phase::Ready | Phase::Finished if !state.is_being_cleaned() => {
                    self.pending.remove(&target);
                }
                Phase::Waiting
                | Phase::Creating
                | Phase::Created
                | Phase::Ready
                | Phase::Started
                | Phase::Executing
                | Phase::Running
                | Phase::Finished => {}
            }
        }
        if !self.pending.is_empty() {
            return false;
        }
        self.attempts.clear();
        let Some(fan_out) = &action.fan_out else {
            return false;
        };
        let targets: Vec<Target> = fan_out.targets.iter().map(|s| s.target.clone()).collect();
        let mut tally = Rollout::new(&targets, &fan_out.preferences);
        let mut failed = 0;
        for target in &targets {
            let is_failure = self.state.targets[target]
                .outcome
                .as_ref()
                .is_some_and(TargetOutcome::is_failure);
            tally.begin(target);
            tally.finish(target, is_failure);
            failed += usize::from(is_failure);
        }
        if tally.is_failed() {
            let reason = format!(
                "no change set for {failed} of {} targets, which exceeds the failure tolerance",
                targets.len()
            );
            self.emit(turn, now, scope, EventKind::ActionFailed { reason });
            return true;
        }
        if let Some(digest) = self.plan_digest() {
            self.emit(turn, now, scope.clone(), EventKind::PlanReady { digest });
        }
        self.emit(turn, now, scope, EventKind::ActionSucceeded);
        true
    }

    /// Returns the digest over all that execution will do, or `None` if there is nothing to execute.
    fn plan_digest(&self) -> Option<crate::model::Digest> {
        let targets = self.state.targets.values();
        let planned: Vec<PlannedTarget> = targets
            .clone()
            .filter_map(|t| t.planned.as_deref().cloned())
            .collect();
        if planned.is_empty() {
            return None;
        }
        let ended = |failure: bool| -> Vec<Target> {
            targets
                .clone()
                .filter(|t| {
                    t.outcome
                        .as_ref()
                        .is_some_and(|o| o.is_failure() == failure)
                })
                .map(|t| t.spec.target.clone())
                .collect()
        };
        Some(plan::digest(&PlanInput {
            definition: &self.state.definition,
            planned: &planned,
            unchanged: &ended(false),
            failed: &ended(true),
        }))
    }

    fn push_approval(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        action: &ActionDeclaration,
        scope: Scope,
    ) -> bool {
        let (Some(plan), request) = (self.state.plan, &self.state.approval) else {
            return false;
        };
        let answer = request.as_ref().and_then(|r| r.answered.as_ref());
        match (request, answer) {
            (None, _) => {
                let minutes = action
                    .timeout_in_minutes
                    .unwrap_or(approval::DEFAULT_VALIDITY_MINUTES);
                let validity = SignedDuration::from_mins(i64::from(minutes));
                let expires = now.checked_add(validity).unwrap_or(Timestamp::MAX);
                self.emit(
                    turn,
                    now,
                    scope,
                    EventKind::ApprovalRequested { plan, expires },
                );
                true
            }
            (Some(_), None) => false,
            (Some(_), Some(answer)) => {
                let kind = match answer.decision {
                    Decision::Approve => EventKind::ActionSucceeded,
                    Decision::Reject => EventKind::ActionFailed {
                        reason: "the plan was rejected".to_owned(),
                    },
                };
                self.emit(turn, now, scope, kind);
                true
            }
        }
    }

    fn push_execute(&mut self, turn: &mut Turn, now: Timestamp, scope: Scope) -> bool {
        let Some(rollout) = &self.state.rollout else {
            return false;
        };
        let next = rollout.next();
        if !self.is_draining() {
            for target in next.start {
                self.emit_for(turn, now, &target, EventKind::TargetStarted);
            }
            for (target, reason) in next.skip {
                let outcome = TargetOutcome::Skipped { reason };
                self.finish(turn, now, &target, outcome, Ending::none());
                self.clean_up(turn, now, &target, CleanupWhy::NotNeeded);
            }
        }
        for target in self.pending.iter().cloned().collect::<Vec<_>>() {
            if self.clean_step(turn, &target) || self.busy.contains(&of_target(&target)) {
                continue;
            }
            let state = &self.state.targets[&target];
            let token = execute_token(&self.state.id, &target);
            match state.phase {
                Phase::Started if !self.is_draining() => self.verify(turn, &target),
                // An unknown outcome is asked about once, not looked up over and over.
                Phase::Executing if self.state.paused.is_none() && !self.held.contains(&target) => {
                    if let Some((spec, approved)) = self.approved(&target) {
                        self.step(
                            turn,
                            &target,
                            StepKind::Settle {
                                spec,
                                approved,
                                token,
                            },
                        );
                    }
                }
                Phase::Running if self.state.paused.is_none() => {
                    let artifacts = self.state.artifacts.clone();
                    if let Some((spec, approved)) = self.approved(&target) {
                        self.step(
                            turn,
                            &target,
                            StepKind::Watch {
                                spec,
                                approved,
                                token,
                                artifacts,
                            },
                        );
                    }
                }
                Phase::Finished if !state.is_being_cleaned() => {
                    self.pending.remove(&target);
                }
                Phase::Waiting
                | Phase::Creating
                | Phase::Created
                | Phase::Ready
                | Phase::Started
                | Phase::Executing
                | Phase::Running
                | Phase::Finished => {}
            }
        }
        if !self.pending.is_empty() {
            return false;
        }
        let failed = self.state.rollout.as_ref().is_some_and(Rollout::is_failed);
        let kind = if failed {
            EventKind::ActionFailed {
                reason: "failures exceed the tolerance".to_owned(),
            }
        } else {
            EventKind::ActionSucceeded
        };
        self.emit(turn, now, scope, kind);
        true
    }

    /// Skips what is left after a stage failed, removes leftovers, and ends the execution.
    fn wind_down(&mut self, turn: &mut Turn, now: Timestamp) -> bool {
        let rejected = self
            .state
            .approval
            .as_ref()
            .map(|r| r.answered.as_ref().map(|a| a.decision));
        let (reason, outcome) = match rejected {
            Some(Some(Decision::Reject)) => (SkipReason::Rejected, ExecutionOutcome::Rejected),
            Some(None) => (SkipReason::ApprovalExpired, ExecutionOutcome::Expired),
            Some(Some(Decision::Approve)) | None => {
                (SkipReason::PlanIncomplete, ExecutionOutcome::Failed)
            }
        };
        for target in self.state.targets.keys().cloned().collect::<Vec<_>>() {
            if self.state.targets[&target].outcome.is_none() {
                let outcome = TargetOutcome::Skipped {
                    reason: reason.clone(),
                };
                self.finish(turn, now, &target, outcome, Ending::none());
                self.clean_up(turn, now, &target, CleanupWhy::NotNeeded);
            }
            self.clean_step(turn, &target);
        }
        if self.state.targets.values().any(|t| t.is_being_cleaned()) {
            return false;
        }
        let left: Vec<Scope> = self
            .state
            .stages
            .iter()
            .filter(|s| s.progress == Progress::NotStarted)
            .map(|s| Scope {
                stage: Some(s.name.clone()),
                ..Scope::default()
            })
            .collect();
        for scope in left {
            let reason = "an earlier stage failed".to_owned();
            self.emit(turn, now, scope, EventKind::StageSkipped { reason });
        }
        self.emit(
            turn,
            now,
            Scope::default(),
            EventKind::ExecutionFinished { outcome },
        );
        true
    }

    fn finish_execution(&mut self, turn: &mut Turn, now: Timestamp) -> bool {
        let outcomes = || {
            self.state
                .targets
                .values()
                .filter_map(|t| t.outcome.as_ref())
        };
        let outcome = if outcomes().any(TargetOutcome::is_failure) {
            ExecutionOutcome::SucceededWithFailures
        } else if self.state.plan.is_none() {
            ExecutionOutcome::NothingToDo
        } else {
            ExecutionOutcome::Succeeded
        };
        self.emit(
            turn,
            now,
            Scope::default(),
            EventKind::ExecutionFinished { outcome },
        );
        true
    }

    // --- steps --------------------------------------------------------------------------------

    fn step(&mut self, turn: &mut Turn, target: &Target, kind: StepKind) {
        let mut scope = self.current_action_scope();
        scope.target = Some(target.clone());
        self.busy.insert(of_target(target));
        turn.steps.push(Step { scope, kind });
    }

    fn create(&mut self, turn: &mut Turn, target: &Target, look_first: bool) {
        let state = &self.state.targets[target];
        let Some(intended) = state.intended.clone() else {
            return;
        };
        let kind = StepKind::CreateChangeSet {
            spec: state.spec.clone(),
            kind: intended.kind,
            name: intended.name,
            token: intended.token,
            inputs: intended.inputs,
            artifacts: self.state.artifacts.clone(),
            look_first,
        };
        self.step(turn, target, kind);
    }

    fn read(&mut self, turn: &mut Turn, target: &Target) {
        let state = &self.state.targets[target];
        let (Some(intended), Some((change_set, stack))) = (&state.intended, &state.change_set)
        else {
            return;
        };
        let kind = StepKind::ReadChangeSet {
            spec: state.spec.clone(),
            change_set: change_set.clone(),
            kind: intended.kind,
            stack: stack.clone(),
            inputs: intended.inputs.clone(),
            artifacts: self.state.artifacts.clone(),
        };
        self.step(turn, target, kind);
    }

    fn verify(&mut self, turn: &mut Turn, target: &Target) {
        if let Some((spec, approved)) = self.approved(target) {
            let artifacts = self.state.artifacts.clone();
            self.step(
                turn,
                target,
                StepKind::Verify {
                    spec,
                    approved,
                    artifacts,
                },
            );
        }
    }

    fn approved(&self, target: &Target) -> Option<(crate::model::TargetSpec, Arc<PlannedTarget>)> {
        let state = self.state.targets.get(target)?;
        Some((state.spec.clone(), state.planned.clone()?))
    }

    /// Starts the removal of leftovers that is due. Returns whether one is under way.
    fn clean_step(&mut self, turn: &mut Turn, target: &Target) -> bool {
        let state = &self.state.targets[target];
        if !state.is_being_cleaned() {
            return false;
        }
        if self.busy.contains(&of_target(target)) || self.is_draining() {
            return true;
        }
        let Some((change_set, stack)) = state.change_set.clone() else {
            return true;
        };
        let spec = state.spec.clone();
        let kind = if state.cleanup == Cleanup::ChangeSetDeleted {
            StepKind::DeleteReviewStack {
                spec,
                stack,
                change_set,
            }
        } else {
            // Deleting a change set that is gone is no error, but it is a call that was made before.
            let look_first = !turn.events.iter().any(|e| {
                e.scope.target.as_ref() == Some(target)
                    && matches!(e.kind, EventKind::CleanupIntended { .. })
            });
            StepKind::DeleteChangeSet {
                spec,
                change_set,
                stack,
                look_first,
            }
        };
        self.step(turn, target, kind);
        true
    }

    /// Returns whether the target's stack exists only because of its change set.
    fn made_review_stack(&self, target: &Target) -> bool {
        self.state.targets[target]
            .intended
            .as_ref()
            .is_some_and(|i| i.kind == ChangeSetKind::Create && i.stack.is_none())
    }

    // --- events -------------------------------------------------------------------------------

    fn finish(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: &Target,
        outcome: TargetOutcome,
        ending: Ending,
    ) {
        let kind = EventKind::TargetFinished {
            outcome,
            outputs: ending.outputs,
        };
        self.emit_for(turn, now, target, kind);
    }

    /// Intends the removal of what this execution left at `target`, if it left anything.
    fn clean_up(&mut self, turn: &mut Turn, now: Timestamp, target: &Target, why: CleanupWhy) {
        let state = &self.state.targets[target];
        if state.change_set.is_some() && state.cleanup == Cleanup::None {
            self.emit_for(turn, now, target, EventKind::CleanupIntended { why });
        }
    }

    fn emit_for(&mut self, turn: &mut Turn, now: Timestamp, target: &Target, kind: EventKind) {
        let mut scope = self.current_action_scope();
        scope.target = Some(target.clone());
        self.emit(turn, now, scope, kind);
    }

    fn emit(&mut self, turn: &mut Turn, now: Timestamp, scope: Scope, kind: EventKind) {
        let event = Event {
            seq: self.state.seq + 1,
            execution: self.state.id.clone(),
            at: now,
            scope,
            kind,
        };
        match self.state.apply(&event) {
            Ok(()) => turn.events.push(event),
            // An answer that is no longer awaited, such as one of a step that was started twice.
            // The table refuses it, so it must not reach the journal either.
            Err(illegal) => debug_assert!(false, "{illegal}"),
        }
    }

    fn current_action_scope(&self) -> Scope {
        let stage = self
            .state
            .stages
            .iter()
            .find(|s| matches!(s.progress, Progress::InProgress | Progress::Failed));
        Scope {
            stage: stage.map(|s| s.name.clone()),
            action: stage.and_then(|s| {
                s.actions
                    .iter()
                    .find(|(_, p)| matches!(p, Progress::InProgress | Progress::Failed))
                    .map(|(name, _)| name.clone())
            }),
            target: None,
        }
    }

    /// Recounts the targets that the running action is not done with.
    fn refill(&mut self) {
        let scope = self.current_action_scope();
        let definition = self.state.definition.clone();
        let fan_out = definition
            .pipeline
            .stages
            .iter()
            .filter(|s| Some(&s.name) == scope.stage.as_ref())
            .flat_map(|s| &s.actions)
            .filter(|a| Some(&a.name) == scope.action.as_ref())
            .find_map(|a| a.fan_out.as_ref());
        self.pending = fan_out
            .map(|f| f.targets.iter().map(|s| s.target.clone()).collect())
            .unwrap_or_default();
    }
}

impl Ending {
    /// Returns the ending of a target whose stack did not move.
    fn none() -> Self {
        Self {
            status: StackStatus::ReviewInProgress,
            outputs: BTreeMap::new(),
            cause: None,
        }
    }
}

fn of_target(target: &Target) -> Scope {
    Scope {
        target: Some(target.clone()),
        ..Scope::default()
    }
}
