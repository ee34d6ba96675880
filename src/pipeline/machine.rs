//! The state machine of an execution: inputs and a time in, events and steps out.
//!
//! What is to be done next follows from the state alone (`push`), never from the input that led
//! there, so a resumed execution asks for the same steps as one that never stopped.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::state::{Cleanup, Execution, IllegalEvent, Phase, Progress};
use super::step::{Findings, Input, Step, StepKind, TargetWork, UnknownPolicy};
use super::targets::{TargetIndex, TargetSet};
use crate::model::{
    CallFailure, CleanupWhy, Ending, Event, EventKind, ExecutionDefinition, ExecutionId,
    LEFT_TO_ANOTHER_RUN, Region, Scope, SecretRef, StackStatus, Staleness, Target, TargetOutcome,
    TargetSpec,
};

/// How often what was provably not accepted is asked for again before it fails, or a person is asked.
pub(super) const MAX_ATTEMPTS: u32 = 3;

/// Drives one execution.
#[derive(Debug)]
pub struct Machine {
    pub(super) state: Execution,
    /// Targets with a step under way.
    pub(super) busy: TargetSet,
    /// Source actions with a step under way.
    pub(super) storing: BTreeSet<Scope>,
    /// The targets of the running action that are not done with it.
    pub(super) pending: TargetSet,
    /// The targets that something happened to since they were last looked at: with thousands of them, a turn cannot
    /// look at all.
    pub(super) touched: BTreeSet<TargetIndex>,
    /// What an execute call was refused with, until it is known whether an earlier one was accepted.
    pub(super) refused: BTreeMap<TargetIndex, CallFailure>,
    /// How the target of an execution that may be under way differs from what was approved.
    pub(super) differing: BTreeMap<TargetIndex, Vec<Staleness>>,
    /// Targets whose execution was not accepted and is not asked for again while the execution stops, and those about
    /// which nothing answers.
    pub(super) held: BTreeSet<TargetIndex>,
    pub(super) attempts: HashMap<TargetIndex, u32>,
    /// How often a request could not be sent in time.
    pub(super) put_off: HashMap<TargetIndex, u32>,
    /// What somebody found out about the targets below.
    pub(super) unknown: Findings,
    /// Targets that somebody was asked about before the execution was taken up.
    pub(super) asked_before: BTreeSet<TargetIndex>,
    /// Those of them that nothing was asked for since.
    pub(super) looked_at: BTreeSet<TargetIndex>,
    /// Whether a gate is being looked at.
    pub(super) checking: bool,
    /// Whether the gate was looked at by this machine before.
    pub(super) checked: bool,
    /// Whether it was looked whether another run has the plan, before what the plan made is removed.
    pub(super) looked: bool,
    /// The targets that are being looked at for that.
    pub(super) looking: BTreeSet<TargetIndex>,
    /// Those that another run executes or executed.
    pub(super) run_elsewhere: BTreeSet<TargetIndex>,
    /// The regions in which a call was answered since this machine took the execution up.
    pub(super) answered: BTreeSet<Region>,
    /// The newest event of each stack as a rollback found it, read once: the text names every target.
    pub(super) seen: OnceCell<BTreeMap<String, Option<String>>>,
}

/// What a turn decided: events to append, then steps to start.
#[derive(Debug, Default)]
pub struct Turn {
    /// The events, in order.
    pub events: Vec<Event>,
    /// The steps to start once the events are on disk.
    pub steps: Vec<Step>,
    /// The targets whose leftovers it intends to remove.
    pub(super) left_over: BTreeSet<TargetIndex>,
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
                definition: Arc::new(definition),
            },
        };
        let mut machine = Self::over(Execution::begin(&event)?, UnknownPolicy::Ask);
        let mut turn = Turn {
            events: vec![event],
            ..Turn::default()
        };
        machine.push(&mut turn, now);
        Ok((machine, turn))
    }

    /// Returns the machine of an execution that was left in `state`, and the turn that takes it up again. `secrets` are
    /// found elsewhere from now on.
    pub fn resume(
        state: Execution,
        owner: String,
        unknown: impl Into<Findings>,
        secrets: BTreeMap<String, SecretRef>,
        now: Timestamp,
    ) -> (Self, Turn) {
        let mut machine = Self::over(state, unknown);
        let mut turn = Turn::default();
        if machine.state.outcome.is_none() {
            machine.emit(
                &mut turn,
                now,
                Scope::default(),
                EventKind::Resumed { owner, secrets },
            );
            machine.refill();
            // Expiry is judged after the inbox was read: an answer may have been given in time.
            machine.push(&mut turn, now);
        }
        (machine, turn)
    }

    /// Returns the state.
    pub fn state(&self) -> &Execution {
        &self.state
    }

    /// Returns whether nothing is under way that must be seen to its end.
    ///
    /// Who stops does not wait for somebody else's operation, nor for a gate: looking at that is dropped, and done
    /// again later.
    pub fn is_idle(&self) -> bool {
        if self.checking && !self.is_draining() {
            return false;
        }
        let only_waits = |target: TargetIndex| {
            let state = &self.state.targets[target];
            state.phase == Phase::Waiting && state.busy.is_some()
        };
        self.storing.is_empty()
            && (self.busy.is_empty() || self.is_draining() && self.busy.iter().all(only_waits))
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

    pub(super) fn over(state: Execution, unknown: impl Into<Findings>) -> Self {
        let unknown = unknown.into();
        // The process before this one asked, or was about to: what is asked now is no first attempt.
        let executing = state.indices();
        let executing = executing.filter(|target| state.targets[*target].phase == Phase::Executing);
        let attempts = executing.map(|target| (target, 1)).collect();
        let looked_at = state.answerable(&unknown);
        let mut machine = Self {
            state,
            busy: TargetSet::default(),
            storing: BTreeSet::new(),
            pending: TargetSet::default(),
            touched: BTreeSet::new(),
            refused: BTreeMap::new(),
            differing: BTreeMap::new(),
            held: BTreeSet::new(),
            attempts,
            put_off: HashMap::new(),
            unknown,
            asked_before: looked_at.clone(),
            looked_at,
            checking: false,
            checked: false,
            looked: false,
            looking: BTreeSet::new(),
            run_elsewhere: BTreeSet::new(),
            answered: BTreeSet::new(),
            seen: OnceCell::new(),
        };
        machine.refill();
        machine
    }

    pub(super) fn step(
        &mut self,
        turn: &mut Turn,
        index: TargetIndex,
        spec: TargetSpec,
        work: TargetWork,
    ) {
        let scope = self.target_scope(index);
        self.busy.insert(index);
        let kind = StepKind::Target { index, spec, work };
        turn.steps.push(Step { scope, kind });
    }

    pub(super) fn finish(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        outcome: TargetOutcome,
        ending: Ending,
    ) {
        let kind = EventKind::TargetFinished {
            outcome,
            outputs: ending.outputs,
        };
        self.emit_for(turn, now, target, kind);
    }

    /// Intends the removal of what this execution left at `target`, if it left anything and no other run of its plan
    /// needs it.
    pub(super) fn clean_up(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        why: CleanupWhy,
    ) {
        let state = &self.state.targets[target];
        if state.change_set.is_some() && state.cleanup == Cleanup::None && !self.state.elsewhere {
            self.emit_for(turn, now, target, EventKind::CleanupIntended { why });
            if !self.is_left_to_another_run(target) {
                turn.left_over.insert(target);
                return;
            }
            let left = Some(LEFT_TO_ANOTHER_RUN.to_owned());
            self.emit_for(turn, now, target, EventKind::CleanupDone { left });
        }
    }

    pub(super) fn emit_for(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        kind: EventKind,
    ) {
        let scope = self.target_scope(target);
        self.append(turn, now, scope, Some(target), kind);
    }

    /// Emits what happens to the execution.
    pub(super) fn emit(&mut self, turn: &mut Turn, now: Timestamp, scope: Scope, kind: EventKind) {
        self.append(turn, now, scope, None, kind);
    }

    fn append(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        scope: Scope,
        target: Option<TargetIndex>,
        kind: EventKind,
    ) {
        let event = Event {
            seq: self.state.seq + 1,
            execution: self.state.id.clone(),
            at: now,
            scope,
            kind,
        };
        let was_given_up = self.state.given_up;
        match self.state.apply_at(&event, target) {
            Ok(()) => {
                match target {
                    Some(target) if self.state.given_up == was_given_up => self.touch(target),
                    // What happens to the execution, or ends it, may concern every target.
                    Some(_) | None => self.touched = self.state.indices().collect(),
                }
                turn.events.push(event);
            }
            // An answer that is no longer awaited, such as one of a step that was started twice.
            // The table refuses it, so it must not reach the journal either.
            Err(illegal) => debug_assert!(false, "{illegal}"),
        }
    }

    /// Returns the scope of what happens to `target` in the running action.
    fn target_scope(&self, target: TargetIndex) -> Scope {
        Scope {
            target: Some(self.name(target).clone()),
            ..self.current_action_scope()
        }
    }

    /// Returns what the target is called.
    pub(super) fn name(&self, target: TargetIndex) -> &Target {
        self.state.name_of(target)
    }

    pub(super) fn current_action_scope(&self) -> Scope {
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

    /// Has `target` looked at in this turn.
    pub(super) fn touch(&mut self, target: TargetIndex) {
        self.touched.insert(target);
    }

    /// Starts the removal of leftovers that is due in the running action; returns those of its targets that wait for
    /// no step and that something happened to.
    pub(super) fn at_rest(&mut self, turn: &mut Turn) -> Vec<TargetIndex> {
        std::mem::take(&mut self.touched)
            .into_iter()
            .filter(|&target| {
                self.pending.contains(target)
                    && !self.busy.contains(target)
                    && !self.clean_step(turn, target)
            })
            .collect()
    }

    /// Recounts the targets that the running action is not done with.
    pub(super) fn refill(&mut self) {
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
            .map(|f| {
                let targets = f.targets.iter();
                targets
                    .filter_map(|s| self.state.index_of(&s.target))
                    .collect()
            })
            .unwrap_or_default();
    }
}

impl Ending {
    /// Returns the ending of a target whose stack did not move.
    pub(super) fn none() -> Self {
        Self {
            status: StackStatus::ReviewInProgress,
            outputs: BTreeMap::new(),
            cause: None,
        }
    }
}
