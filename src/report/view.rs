//! The events of one execution, folded into what screens show.
//!
//! Every fact is kept with the sequence number of the event that brought it, and the highest number
//! wins. So the fold does not depend on the order of events, and an event applied twice changes
//! nothing: a view of the stored log equals the live one.

mod answers;
mod counts;
mod fold;
mod gates;
mod outside;
mod state;
mod waits;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{
    Answer, Approver, ArtifactRef, CallFailure, Digest, Event, ExecutionDefinition, ExecutionId,
    ExecutionOutcome, Follows, GatePlace, Invocation, OperationPreferences, PauseReason,
    PlannedTarget, Proof, Region, RiskChoices, Silence, SourceRevision, StageName, StopRequest,
    Target, TargetSpec, Wave, WaveName,
};

use super::target_view::{Phase, TargetView};
use super::words;

pub use self::answers::{Approval, Refused};
pub use self::counts::Counts;
pub(super) use self::fold::{Fact, keep};
pub(super) use self::gates::{GateEnd, GateTimes};
pub use self::outside::Direction;
use self::outside::Outside;
pub use self::state::State;
use self::waits::Waits;

/// An execution, as far as its events tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    execution: Option<ExecutionId>,
    definition: Option<Fact<Arc<ExecutionDefinition>>>,
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
    refusals: BTreeMap<u64, Refused>,
    expired: Option<Fact<()>>,
    waits: Waits,
    exported: Option<Fact<String>>,
    imported: Option<Fact<Imported>>,
    trouble: Option<Fact<CallFailure>>,
    paused: Option<Fact<PauseReason>>,
    /// The targets of which nobody can tell whether they were executed, by the event that says so.
    unknown: BTreeMap<u64, (Target, bool)>,
    /// Where nothing answers, by the event that says so.
    unreachable: BTreeMap<u64, PauseReason>,
    /// What was told last of each region from which nothing usable came.
    silences: BTreeMap<Region, Option<Fact<Option<Silence>>>>,
    stop: Option<Fact<StopRequest>>,
    given_up: Option<Fact<StopRequest>>,
    outcome: Option<Fact<ExecutionOutcome>>,
    outside: Outside,
}

/// Who took a plan over from a file, and how it is run from there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Imported {
    by: Approver,
    risks: RiskChoices,
    invocation: Box<Invocation>,
    covers_former: bool,
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

    /// Returns the view of `events`, which are read one at a time.
    pub fn read<E>(events: impl IntoIterator<Item = Result<Event, E>>) -> Result<Self, E> {
        let mut view = Self::new();
        for event in events {
            view.apply(&event?);
        }
        Ok(view)
    }

    /// Returns the execution, once there was an event.
    pub fn execution(&self) -> Option<&ExecutionId> {
        self.execution.as_ref()
    }

    /// Returns what the execution will do.
    pub fn definition(&self) -> Option<&ExecutionDefinition> {
        self.definition.as_ref().map(|fact| &*fact.value)
    }

    /// Returns how AWS is reached: as the execution was begun, or as whoever took the plan over from a file reaches it.
    pub fn invocation(&self) -> Option<&Invocation> {
        let begun = &self.definition()?.invocation;
        let imported = self.imported.as_ref();
        Some(imported.map_or(begun, |fact| &fact.value.invocation))
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

    /// Returns whether the stacks can be looked at in AWS's console: those of an emulator cannot.
    pub fn has_console(&self) -> bool {
        self.definition()
            .is_some_and(|d| !d.invocation.own_endpoint && d.invocation.endpoint_url.is_none())
    }

    /// Returns why the execution waits for somebody outside, while it does.
    pub fn paused(&self) -> Option<&PauseReason> {
        self.standing(&self.paused)
    }

    /// Returns the targets of which nobody can tell whether they were executed or how that ended, while the execution waits for
    /// an answer; each with whether it is known to have been accepted.
    pub fn unknown(&self) -> Vec<(&Target, bool)> {
        let resumed = self.resumed.as_ref().map_or(0, |fact| fact.seq);
        match self.paused() {
            Some(PauseReason::OutcomeUnknown { .. }) => self
                .unknown
                .range(resumed..)
                .map(|(_, (target, accepted))| (target, *accepted))
                .collect(),
            Some(
                PauseReason::CredentialsExpired { .. }
                | PauseReason::SecretNeeded { .. }
                | PauseReason::GateUnreadable { .. }
                | PauseReason::Unreachable { .. },
            )
            | None => Vec::new(),
        }
    }

    /// Returns why the execution waits for each region in which nothing answers, while it does.
    pub fn unreachable(&self) -> Vec<&PauseReason> {
        let resumed = self.resumed.as_ref().map_or(0, |fact| fact.seq);
        match self.paused() {
            Some(PauseReason::Unreachable { .. }) => self
                .unreachable
                .range(resumed..)
                .map(|(_, reason)| reason)
                .collect(),
            Some(
                PauseReason::CredentialsExpired { .. }
                | PauseReason::SecretNeeded { .. }
                | PauseReason::OutcomeUnknown { .. }
                | PauseReason::GateUnreadable { .. },
            )
            | None => Vec::new(),
        }
    }

    /// Returns the regions from which nothing usable comes for the moment, while the execution asks there.
    pub fn silences(&self) -> Vec<&Silence> {
        if self.paused().is_some() {
            return Vec::new();
        }
        let facts = self.silences.values();
        facts
            .filter_map(|fact| self.standing(fact)?.as_ref())
            .collect()
    }

    /// Returns a line for each of them at the time `now`.
    pub(super) fn silences_told(&self, now: Option<Timestamp>) -> Vec<String> {
        let then = match self.given_up() {
            None => ", then the execution pauses",
            Some(_) => "",
        };
        let silences = self.silences().into_iter();
        silences
            .map(|silence| words::silence_then(silence, now, then))
            .collect()
    }

    /// Returns all that the execution waits for, each with how many other targets wait for the same answer.
    pub(super) fn waits_for(&self) -> Vec<(&PauseReason, usize)> {
        let unreachable = self.unreachable();
        if !unreachable.is_empty() {
            return unreachable.into_iter().map(|reason| (reason, 0)).collect();
        }
        let others = self.unknown().len().saturating_sub(1);
        self.paused()
            .map(|reason| (reason, others))
            .into_iter()
            .collect()
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
        self.imported.as_ref().map(|fact| &fact.value.by)
    }

    /// Returns what the project that took the plan over makes of risk rules, where the plan came in a file.
    pub fn imported_risks(&self) -> Option<&RiskChoices> {
        self.imported.as_ref().map(|fact| &fact.value.risks)
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

    /// Returns the tags that the stacks of `targets` lose or that get another value, with the values that they have.
    pub(super) fn tags_before(&self, targets: &[Target]) -> BTreeMap<String, BTreeSet<String>> {
        let mut before: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for target in targets.iter().filter_map(|target| self.target(target)) {
            let planned = target.planned();
            let given = planned.as_ref().and_then(|p| p.inputs.tags.as_ref());
            let (Some(given), Some(former)) = (given, target.former_tags()) else {
                continue;
            };
            for (key, value) in former.iter().filter(|(k, v)| given.get(*k) != Some(v)) {
                before.entry(key.clone()).or_default().insert(value.clone());
            }
        }
        before
    }
}

#[cfg(test)]
mod tests;
