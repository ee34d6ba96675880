//! The events of one execution, folded into what screens show.
//!
//! Every fact is kept with the sequence number of the event that brought it, and the highest number
//! wins. So the fold does not depend on the order of events, and an event applied twice changes
//! nothing: a view of the stored log equals the live one.

mod counts;
mod state;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;

use crate::model::{
    ActionCategory, ActionDeclaration, Answer, Approver, ArtifactRef, CallFailure, Decision,
    Digest, Event, EventKind, ExecutionDefinition, ExecutionId, ExecutionOutcome, Follows,
    GatePlace, OperationPreferences, PauseReason, PlannedTarget, Proof, RiskChoices, RiskLevel,
    SourceRevision, StageName, StopMode, StopRequest, Target, TargetSpec, Wave, WaveName,
};

use super::followed::Followed;
use super::rolled_back::RolledBack;
use super::target_view::{Phase, TargetView};
use super::words;

pub use self::counts::Counts;
pub use self::state::State;

/// A fact, and the event that brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact<T> {
    /// The sequence number of the event.
    pub(super) seq: u64,
    /// When the event happened.
    pub(super) at: Timestamp,
    /// The fact.
    pub(super) value: T,
}

/// Keeps `value` unless the slot holds a newer fact.
pub(super) fn keep<T>(slot: &mut Option<Fact<T>>, event: &Event, value: T) {
    if slot.as_ref().is_none_or(|old| old.seq <= event.seq) {
        *slot = Some(Fact {
            seq: event.seq,
            at: event.at,
            value,
        });
    }
}

/// An execution, as far as its events tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    execution: Option<ExecutionId>,
    definition: Option<Fact<Box<ExecutionDefinition>>>,
    newest: Option<Fact<()>>,
    resumed: Option<Fact<String>>,
    stages: BTreeMap<StageName, Fact<StageStatus>>,
    sources: BTreeMap<u64, Source>,
    targets: BTreeMap<Target, TargetView>,
    plan: Option<Fact<Digest>>,
    request: Option<Fact<(Digest, Timestamp, Option<WaveName>)>>,
    gate: Option<Fact<Option<(GatePlace, Timestamp)>>>,
    held: Option<Fact<Option<String>>>,
    gates: BTreeMap<(WaveName, u32), GateTimes>,
    /// The answers that count, by the event that brought them.
    answers: BTreeMap<u64, Answer>,
    covers: Option<Fact<Option<RiskLevel>>>,
    refusals: BTreeMap<u64, Refused>,
    expired: Option<Fact<()>>,
    exported: Option<Fact<String>>,
    imported: Option<Fact<(Approver, RiskChoices)>>,
    trouble: Option<Fact<CallFailure>>,
    paused: Option<Fact<PauseReason>>,
    /// The targets of which nobody can tell whether they were executed, by the event that says so.
    unknown: BTreeMap<u64, Target>,
    stop: Option<Fact<StopRequest>>,
    given_up: Option<Fact<StopRequest>>,
    outcome: Option<Fact<ExecutionOutcome>>,
    outside: Outside,
}

/// When a gate was begun, and when it was passed or closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct GateTimes {
    begun: Option<Fact<()>>,
    ended: Option<Fact<GateEnd>>,
}

/// What became of a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GateEnd {
    /// It was passed; with what its command wrote last.
    Passed(Option<String>),
    /// It will not be passed, and why.
    Closed(String),
}

impl GateTimes {
    /// Returns when it was begun.
    pub(super) fn begun(&self) -> Option<Timestamp> {
        self.begun.as_ref().map(|fact| fact.at)
    }

    /// Returns when it was passed or closed.
    pub(super) fn ended(&self) -> Option<Timestamp> {
        self.ended.as_ref().map(|fact| fact.at)
    }

    /// Returns what became of it, where that is known.
    pub(super) fn end(&self) -> Option<&GateEnd> {
        self.ended.as_ref().map(|fact| &fact.value)
    }

    /// Returns whether it was not passed.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.end(), Some(GateEnd::Closed(_)))
    }
}

/// What is known of an execution besides its events: see [`View::note`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Outside {
    answer: Option<Answer>,
    is_late: bool,
    denied: Vec<String>,
    rolled_back: Option<RolledBack>,
    beside: Vec<String>,
    followed: Option<Followed>,
}

/// How far a stage is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StageStatus {
    /// Not begun.
    Waiting,
    /// Begun.
    Running,
    /// Ended well.
    Succeeded,
    /// Failed, with the reason.
    Failed(String),
    /// Not needed, with the reason.
    Skipped(String),
}

/// A stored source artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The artifact.
    pub artifact: ArtifactRef,
    /// Where it came from.
    pub revision: SourceRevision,
}

/// An answer that did not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The answer.
    pub answer: Answer,
    /// Why not.
    pub reason: String,
}

/// The approval request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval<'a> {
    /// The plan to look at.
    pub plan: Digest,
    /// The wave after which the rollout goes on or does not; none where the plan itself is asked about.
    pub wave: Option<&'a WaveName>,
    /// When it was asked for.
    pub requested: Timestamp,
    /// When the request ends.
    pub expires: Timestamp,
    /// The answer that counts.
    pub answer: Option<&'a Answer>,
    /// Whether nobody answered in time.
    pub expired: bool,
}

impl View {
    /// Returns a view of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the view of `events`.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut view = Self::new();
        for event in events {
            view.apply(event);
        }
        view
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
            EventKind::Resumed { owner, .. } => keep(&mut self.resumed, event, owner.clone()),
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
                if answer.wave.is_none() {
                    keep(&mut self.covers, event, answer.covers);
                }
                self.answers.insert(event.seq, answer.clone());
            }
            EventKind::AnswerRefused { answer, reason } => {
                let refused = Refused {
                    answer: answer.clone(),
                    reason: reason.clone(),
                };
                self.refusals.insert(event.seq, refused);
            }
            EventKind::ApprovalExpired => keep(&mut self.expired, event, ()),
            EventKind::PlanExported { path, .. } => keep(&mut self.exported, event, path.clone()),
            EventKind::PlanImported { by, risks, .. } => {
                keep(&mut self.imported, event, (by.clone(), risks.clone()));
            }
            EventKind::CallFailed { failure } => {
                if event.scope.target.is_none() {
                    keep(&mut self.trouble, event, failure.clone());
                }
            }
            EventKind::Paused { reason } => {
                if let PauseReason::OutcomeUnknown { target, .. } = reason {
                    self.unknown.insert(event.seq, target.clone());
                }
                keep(&mut self.paused, event, reason.clone());
            }
            EventKind::StopRequested { request } => {
                let slot = match request.mode {
                    StopMode::Wait | StopMode::Abandon => &mut self.stop,
                    StopMode::GiveUp => &mut self.given_up,
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

    /// Notes what no process has made an event of yet: the answer that will count, or that the time for one is over.
    pub fn note(&mut self, answer: Option<Answer>, now: Timestamp) {
        let is_late = answer.is_none() && self.approval().is_some_and(|a| now >= a.expires);
        self.outside.answer = answer;
        self.outside.is_late = is_late;
    }

    /// Notes what the plan holds that the project denies, which is judged with the templates at hand.
    pub fn note_denied(&mut self, findings: Vec<String>) {
        self.outside.denied = findings;
    }

    /// Notes how far the rollback of what the execution changed is, which other executions tell.
    pub fn note_rolled_back(&mut self, rolled_back: Option<RolledBack>) {
        self.outside.rolled_back = rolled_back;
    }

    /// Returns how far the rollback of what the execution changed is, where there is one.
    pub fn rolled_back(&self) -> Option<&RolledBack> {
        self.outside.rolled_back.as_ref()
    }

    /// Notes what else happens to its targets, which other executions tell.
    pub fn note_beside(&mut self, notes: Vec<String>) {
        self.outside.beside = notes;
    }

    /// Returns what else is known to happen to its targets, a sentence each.
    pub fn beside(&self) -> &[String] {
        &self.outside.beside
    }

    /// Notes what went on from the execution by hand, which other executions tell.
    pub fn note_followed(&mut self, followed: Option<Followed>) {
        self.outside.followed = followed;
    }

    /// Returns what went on from the execution by hand.
    pub fn followed(&self) -> Option<&Followed> {
        self.outside.followed.as_ref()
    }

    /// Returns what the plan is known to hold that the project denies.
    pub fn denied(&self) -> &[String] {
        &self.outside.denied
    }

    /// Returns the execution, once there was an event.
    pub fn execution(&self) -> Option<&ExecutionId> {
        self.execution.as_ref()
    }

    /// Returns what the execution will do.
    pub fn definition(&self) -> Option<&ExecutionDefinition> {
        self.definition.as_ref().map(|fact| &*fact.value)
    }

    /// Returns the pipeline's name, or an empty text while it is not known.
    pub fn pipeline(&self) -> &str {
        self.definition().map_or("", |d| &d.pipeline.name)
    }

    /// Returns whether the execution deletes stacks.
    pub fn deletes(&self) -> bool {
        self.definition().is_some_and(|definition| {
            let actions = definition.pipeline.actions();
            let mut modes = actions.filter_map(|a| a.configuration.get("ActionMode"));
            modes.any(|mode| mode == "DELETE_ONLY")
        })
    }

    /// Returns what the execution does with its stacks, for machines.
    pub fn operation(&self) -> &'static str {
        if self.only_failed() {
            "delete_failed"
        } else if self.deletes() {
            "delete"
        } else {
            "deploy"
        }
    }

    /// Returns the earlier execution that it goes on from, and how.
    pub fn follows(&self) -> Option<&Follows> {
        self.definition()?.invocation.follows.as_ref()
    }

    /// Returns what the earlier execution was done with, and how it is known that it still is.
    pub fn proven(&self) -> &[Proof] {
        self.definition().map_or(&[], |d| &d.invocation.proven)
    }

    /// Returns whether the execution only deletes stacks whose creation failed.
    pub fn only_failed(&self) -> bool {
        self.definition().is_some_and(|definition| {
            let mut actions = definition.pipeline.actions();
            actions.any(|a| a.configuration.contains_key("OnlyFailed"))
        })
    }

    /// Returns the operation preferences of the rollout: those of the last action over several targets.
    pub fn preferences(&self) -> Option<&OperationPreferences> {
        let actions = self.definition()?.pipeline.actions();
        actions
            .filter_map(|action| action.fan_out.as_ref())
            .next_back()
            .map(|fan_out| &fan_out.preferences)
    }

    /// Returns the waves of the rollout, where it has any.
    pub fn waves(&self) -> &[Wave] {
        let actions = self.definition().map(|d| d.pipeline.actions());
        actions
            .and_then(|actions| actions.filter_map(|a| a.fan_out.as_ref()).next_back())
            .map_or(&[], |fan_out| &fan_out.waves)
    }

    /// Returns the gate that opens by itself, and when, while the execution waits for that.
    pub fn gate(&self) -> Option<&(GatePlace, Timestamp)> {
        let gate = self.gate.as_ref()?.value.as_ref();
        gate.filter(|_| self.outcome.is_none() && self.given_up.is_none())
    }

    /// Returns what holds that gate up, beside time.
    pub fn held(&self) -> Option<&str> {
        self.gate()?;
        self.held.as_ref()?.value.as_deref()
    }

    /// Returns whether the gate after a wave with that number was passed.
    pub fn has_passed(&self, wave: &WaveName, number: u32) -> bool {
        let end = self.times_of_gate(wave, number).and_then(GateTimes::end);
        matches!(end, Some(GateEnd::Passed(_)))
    }

    /// Returns when the gate after a wave with that number was begun and passed, as far as it was.
    pub(super) fn times_of_gate(&self, wave: &WaveName, number: u32) -> Option<&GateTimes> {
        self.gates.get(&(wave.clone(), number))
    }

    /// Returns when the execution began.
    pub fn started(&self) -> Option<Timestamp> {
        self.definition.as_ref().map(|fact| fact.at)
    }

    /// Returns when the newest event happened.
    pub fn last(&self) -> Option<Timestamp> {
        self.newest.as_ref().map(|fact| fact.at)
    }

    /// Returns the sequence number of the newest event, 0 if there was none.
    pub fn last_seq(&self) -> u64 {
        self.newest.as_ref().map_or(0, |fact| fact.seq)
    }

    /// Returns the stages in the order of the pipeline.
    pub fn stages(&self) -> Vec<(&StageName, &StageStatus)> {
        let declared = self.definition().map_or(&[][..], |d| &d.pipeline.stages);
        let known = declared.iter().map(|stage| {
            let status = self.stages.get(&stage.name);
            (
                &stage.name,
                status.map_or(&StageStatus::Waiting, |f| &f.value),
            )
        });
        let others = self.stages.iter().filter_map(|(name, fact)| {
            let is_declared = declared.iter().any(|stage| &stage.name == name);
            (!is_declared).then_some((name, &fact.value))
        });
        known.chain(others).collect()
    }

    /// Returns whether `stage` works on targets.
    pub(super) fn works_on_targets(&self, stage: &StageName) -> bool {
        let stages = self.definition().map_or(&[][..], |d| &d.pipeline.stages);
        let declared = stages.iter().filter(|declared| declared.name == *stage);
        declared
            .flat_map(|declared| &declared.actions)
            .any(|action| action.fan_out.is_some())
    }

    /// Returns whether a gate was not passed.
    pub(super) fn has_closed_gate(&self) -> bool {
        self.gates.values().any(GateTimes::is_closed)
    }

    /// Returns how the approval ended without a yes, where that is why `stage` failed.
    pub(super) fn refused_stage(&self, stage: &StageName) -> Option<&'static str> {
        let is_failed = |fact: &Fact<StageStatus>| matches!(fact.value, StageStatus::Failed(_));
        self.stages.get(stage).filter(|fact| is_failed(fact))?;
        let mut stages = self.definition()?.pipeline.stages.iter();
        let actions = &stages.find(|declared| declared.name == *stage)?.actions;
        let is_approval =
            |a: &ActionDeclaration| a.action_type_id.category == ActionCategory::Approval;
        if !actions.iter().any(is_approval) {
            return None;
        }
        let approval = self.approval()?;
        match approval.answer.map(|answer| answer.decision) {
            Some(Decision::Reject) => Some("rejected"),
            Some(Decision::Approve) => None,
            None => approval.expired.then_some("expired"),
        }
    }

    /// Returns the source artifacts, in the order they were stored.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.values()
    }

    /// Returns the targets, in the order they were asked for.
    pub fn targets(&self) -> Vec<&TargetView> {
        let mut shown = std::collections::BTreeSet::new();
        let mut out = Vec::with_capacity(self.targets.len());
        if let Some(definition) = self.definition() {
            for TargetSpec { target, .. } in definition.target_specs() {
                if let Some(view) = self.targets.get(target)
                    && shown.insert(target)
                {
                    out.push(view);
                }
            }
        }
        out.extend(
            self.targets
                .values()
                .filter(|t| !shown.contains(t.target())),
        );
        out
    }

    /// Returns what is known of `target`.
    pub fn target(&self, target: &Target) -> Option<&TargetView> {
        self.targets.get(target)
    }

    /// Returns the targets whose change sets are ready, in the order they were asked for.
    pub fn planned(&self) -> Vec<PlannedTarget> {
        let targets = self.targets();
        targets
            .iter()
            .filter_map(|target| target.planned())
            .collect()
    }

    /// Returns the plan's digest, once every target has its change set or needs none.
    pub fn plan(&self) -> Option<Digest> {
        self.plan.as_ref().map(|fact| fact.value)
    }

    /// Returns when the plan was ready.
    pub fn planned_at(&self) -> Option<Timestamp> {
        self.plan.as_ref().map(|fact| fact.at)
    }

    /// Returns the approval request and what became of it.
    pub fn approval(&self) -> Option<Approval<'_>> {
        let request = self.request.as_ref()?;
        let since = |seq: u64| seq > request.seq;
        let last = self.answers.last_key_value();
        let told = last.filter(|(seq, _)| since(**seq)).map(|(_, a)| a);
        Some(Approval {
            plan: request.value.0,
            wave: request.value.2.as_ref(),
            requested: request.at,
            expires: request.value.1,
            answer: told.or(self.outside.answer.as_ref()),
            expired: self.expired.as_ref().is_some_and(|fact| since(fact.seq))
                || told.is_none() && self.outside.is_late,
        })
    }

    /// Returns the answers that count, oldest first: about the plan, and about what comes after a wave of it. The last may be one
    /// that no process has made an event of yet.
    pub fn answers(&self) -> Vec<&Answer> {
        let mut answers: Vec<&Answer> = self.answers.values().collect();
        let newest = self.approval().and_then(|approval| approval.answer);
        answers.extend(newest.filter(|newest| !answers.iter().any(|a| std::ptr::eq(*a, *newest))));
        answers
    }

    /// Returns up to which risk the approval of the plan covers the rollback that follows where the rollout fails.
    pub fn covers(&self) -> Option<RiskLevel> {
        self.covers.as_ref()?.value
    }

    /// Returns whether the stacks can be looked at in AWS's console: those of an emulator cannot.
    pub fn has_console(&self) -> bool {
        self.definition()
            .is_some_and(|d| !d.invocation.own_endpoint && d.invocation.endpoint_url.is_none())
    }

    /// Returns whether an answer is awaited.
    pub fn awaits_answer(&self) -> bool {
        self.outcome().is_none()
            && self.given_up.is_none()
            && self
                .approval()
                .is_some_and(|a| a.answer.is_none() && !a.expired)
    }

    /// Returns the answers that did not count, oldest first.
    pub fn refusals(&self) -> impl Iterator<Item = &Refused> {
        self.refusals.values()
    }

    /// Returns why the execution waits for somebody outside, while it does.
    pub fn paused(&self) -> Option<&PauseReason> {
        self.standing(&self.paused)
    }

    /// Returns the targets of which nobody can tell whether they were executed, while the execution waits for an answer.
    pub fn unknown(&self) -> Vec<&Target> {
        let resumed = self.resumed.as_ref().map_or(0, |fact| fact.seq);
        match self.paused() {
            Some(PauseReason::OutcomeUnknown { .. }) => self
                .unknown
                .range(resumed..)
                .map(|(_, target)| target)
                .collect(),
            Some(
                PauseReason::CredentialsExpired { .. }
                | PauseReason::SecretNeeded { .. }
                | PauseReason::GateUnreadable { .. },
            )
            | None => Vec::new(),
        }
    }

    /// Returns the request to stop, while it stands; one to give up stands to the end and beyond.
    pub fn stop(&self) -> Option<&StopRequest> {
        self.given_up().or_else(|| self.standing(&self.stop))
    }

    /// Returns the request to give the execution up, if there was one.
    pub fn given_up(&self) -> Option<&StopRequest> {
        self.given_up.as_ref().map(|fact| &fact.value)
    }

    /// Returns the failed call that is being looked into, while nothing newer happened.
    pub fn trouble(&self) -> Option<&CallFailure> {
        let fact = self.trouble.as_ref()?;
        (fact.seq == self.last_seq()).then_some(&fact.value)
    }

    /// Returns who took the execution over last.
    pub fn resumed_by(&self) -> Option<&str> {
        self.resumed.as_ref().map(|fact| fact.value.as_str())
    }

    /// Returns how the execution ended.
    pub fn outcome(&self) -> Option<&ExecutionOutcome> {
        self.outcome.as_ref().map(|fact| &fact.value)
    }

    /// Returns how the execution ended, in words.
    pub fn ending(&self) -> Option<&'static str> {
        self.outcome()
            .map(|outcome| words::execution_outcome(outcome).0)
    }

    /// Returns when the execution ended.
    pub fn ended(&self) -> Option<Timestamp> {
        self.outcome.as_ref().map(|fact| fact.at)
    }

    /// Returns the file that the plan left in, unless it came back: whoever has that file runs it.
    pub fn exported(&self) -> Option<&str> {
        let out = self.exported.as_ref()?;
        let is_back = self.imported.as_ref().is_some_and(|i| i.seq > out.seq);
        (!is_back).then_some(out.value.as_str())
    }

    /// Returns who took the plan over from a file, where it came in one.
    pub fn imported_by(&self) -> Option<&Approver> {
        self.imported.as_ref().map(|fact| &fact.value.0)
    }

    /// Returns what the project that took the plan over makes of risk rules, where the plan came in a file.
    pub fn imported_risks(&self) -> Option<&RiskChoices> {
        self.imported.as_ref().map(|fact| &fact.value.1)
    }

    /// Returns how many targets are in which phase.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts {
            total: self.targets.len(),
            ..Counts::default()
        };
        for target in self.targets.values() {
            *counts.slot(target.phase()) += 1;
        }
        counts
    }

    fn gate_times(&mut self, place: &GatePlace) -> &mut GateTimes {
        let key = (place.wave.clone(), place.number);
        self.gates.entry(key).or_default()
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

    /// Returns a fact that stands until another process takes over.
    fn standing<'a, T>(&self, fact: &'a Option<Fact<T>>) -> Option<&'a T> {
        let fact = fact.as_ref()?;
        let taken_over = self.resumed.as_ref().is_some_and(|r| r.seq > fact.seq);
        (!taken_over && self.outcome.is_none()).then_some(&fact.value)
    }
}

impl View {
    /// Returns the roles that are assumed in `targets` from the approval on, where they are others than before.
    pub(super) fn execute_roles(&self, targets: &[Target]) -> BTreeSet<String> {
        let targets: HashSet<&Target> = targets.iter().collect();
        let specs = self.definition().into_iter();
        specs
            .flat_map(ExecutionDefinition::target_specs)
            .filter(|spec| targets.contains(&spec.target))
            .filter_map(|spec| spec.execute_role_arn.clone())
            .collect()
    }

    /// Returns those of `targets` whose stack was in review before this execution asked for a change set.
    pub(super) fn in_review(&self, targets: &[Target]) -> Vec<Target> {
        let targets: HashSet<&Target> = targets.iter().collect();
        let all = self.targets().into_iter();
        all.filter(|target| target.was_in_review() && targets.contains(target.target()))
            .map(|target| target.target().clone())
            .collect()
    }
}

#[cfg(test)]
mod tests;
