//! What became of what a rollout that failed had changed, where it is rolled back.

use serde::Serialize;

use crate::model::{ChangeSetKind, ExecutionId, ExecutionOutcome, Target, TargetOutcome};

use super::followed::commands;
use super::screen::Tone;
use super::words::{self, count};
use super::{State, TargetView, View};

/// Why the rollback of an execution that failed does not begin by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ByHand {
    /// What it changed are new stacks, which had nothing before: they are only deleted, which nobody approved.
    OnlyNewStacks,
    /// Some of what it changed are new stacks, and the approval of its plan, where nobody is asked again, does not cover them.
    SomeNewStacks,
}

/// How far the rollback of an execution is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RolledBack {
    /// The execution that rolls back, which is the one that is open where there is one; none where it has not begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionId>,
    /// What that execution is doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<ExecutionOutcome>,
    /// How many targets the execution changed.
    pub changed: usize,
    /// How many of those are rolled back.
    pub rolled_back: usize,
    /// The executions that rolled those back, in the order in which they began.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rolled_back_by: Vec<ExecutionId>,
    /// Why it does not begin by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<ByHand>,
    /// How many of the changed targets are new stacks.
    #[serde(skip)]
    new: usize,
    /// What the execution that rolls back stands still for.
    #[serde(skip)]
    stands: Option<&'static str>,
    /// How the rollback goes on.
    #[serde(skip)]
    pub(super) next: Vec<String>,
}

impl RolledBack {
    /// Returns how far the rollback of the execution in `view` is. `rollbacks`: the executions that roll it back, newest
    /// first.
    ///
    /// `alive`: whether a process works on the [leading](Self::leading) one of them, where that is known.
    pub fn of(view: &View, rollbacks: &[View], alive: Option<bool>) -> Self {
        let targets = view.targets().into_iter();
        let changed: Vec<&TargetView> = targets.filter(|target| target.is_changed()).collect();
        let is_new = |target: &&&TargetView| target.kind() == Some(ChangeSetKind::Create);
        let new = changed.iter().filter(is_new).count();
        let leading = Self::leading(rollbacks);
        let by_hand = match (leading, view.covers()) {
            (None, _) if new > 0 && new == changed.len() => Some(ByHand::OnlyNewStacks),
            (None, Some(_)) if new > 0 => Some(ByHand::SomeNewStacks),
            (None | Some(_), _) => None,
        };
        let id = view.execution().map(ExecutionId::to_string);
        let next = match leading {
            // How new stacks are deleted comes next wherever there are some.
            None if by_hand == Some(ByHand::OnlyNewStacks) => Vec::new(),
            None if by_hand == Some(ByHand::SomeNewStacks) => id
                .map(|id| format!("stackgate rollback {id}"))
                .into_iter()
                .collect(),
            None => id.map_or_else(Vec::new, |id| {
                ["resume", "rollback"]
                    .map(|go_on| format!("stackgate {go_on} {id}"))
                    .into()
            }),
            Some(rollback) if rollback.outcome().is_some() => Vec::new(),
            Some(rollback) => commands(rollback, alive),
        };
        let did: Vec<&ExecutionId> = changed
            .iter()
            .filter_map(|t| by(rollbacks, t.target()))
            .collect();
        let oldest_first = rollbacks.iter().rev().filter_map(View::execution);
        Self {
            execution: leading.and_then(|rollback| rollback.execution().cloned()),
            state: leading.map(|rollback| words::state_id(&rollback.state(), alive)),
            outcome: leading.and_then(|rollback| rollback.outcome().copied()),
            stands: leading.and_then(|rollback| stands(&rollback.state(), alive)),
            rolled_back: did.len(),
            rolled_back_by: oldest_first
                .filter(|id| did.contains(id))
                .cloned()
                .collect(),
            changed: changed.len(),
            by_hand,
            new,
            next,
        }
    }

    /// Returns the one of `rollbacks`, newest first, that stands for all of them: it goes on where any of them is open. One that
    /// was approved comes before one that only waits, and one that nobody let act says nothing about the others.
    pub fn leading(rollbacks: &[View]) -> Option<&View> {
        let find = |is_so: fn(&View) -> bool| rollbacks.iter().find(|rollback| is_so(rollback));
        find(|view| view.outcome().is_none() && view.approval().is_some_and(|a| a.answer.is_some()))
            .or_else(|| find(|view| view.outcome().is_none()))
            .or_else(|| find(may_have_acted))
            .or_else(|| rollbacks.first())
    }

    /// Returns whether an execution rolls back that has not ended.
    pub(super) fn is_open(&self) -> bool {
        self.execution.is_some() && self.outcome.is_none()
    }

    /// Returns the commands with which the rollback goes on, the likeliest first; none where a process works on it.
    pub fn next(&self) -> &[String] {
        &self.next
    }

    /// Returns whether nothing is left to roll back.
    pub(super) fn is_complete(&self) -> bool {
        self.rolled_back == self.changed
    }

    /// Returns the same in words.
    pub fn text(&self) -> String {
        self.told().0
    }

    /// Returns the same in words, and how good it is.
    pub(super) fn told(&self) -> (String, Tone) {
        let Self {
            execution,
            outcome,
            changed,
            rolled_back,
            rolled_back_by,
            stands,
            by_hand,
            new,
            state: _,
            next: _,
        } = self;
        let all = count(*changed, "changed target");
        match by_hand {
            None => {}
            Some(ByHand::OnlyNewStacks) => {
                let (are, they) = match new {
                    1 => ("is a new stack", "it stays unless it is"),
                    _ => ("are new stacks", "they stay unless they are"),
                };
                let text = format!(
                    "nothing to roll back by itself: {all} {are}, of which nothing was there before; {they} deleted with \
                     `--delete-created`"
                );
                return (text, Tone::Warn);
            }
            Some(ByHand::SomeNewStacks) => {
                let are = match new {
                    1 => "is a new stack",
                    _ => "are new stacks",
                };
                let text = format!(
                    "not rolled back by itself: {new} of {all} {are}, which the approval does not cover; roll back by hand, and \
                     delete new stacks with `--delete-created`"
                );
                return (text, Tone::Warn);
            }
        }
        let Some(execution) = execution else {
            let text = format!("to be rolled back, which has not begun: {all}");
            return (text, Tone::Warn);
        };
        let so_far = match rolled_back {
            0 => String::new(),
            some if rolled_back_by.iter().all(|by| by == execution) => {
                format!(", {some} of them rolled back so far")
            }
            some => format!(
                ", {some} of them rolled back so far, {}",
                within(rolled_back_by)
            ),
        };
        let did = match rolled_back_by.is_empty() {
            true => within(std::slice::from_ref(execution)),
            false => within(rolled_back_by),
        };
        match (outcome, stands) {
            (None, Some(stands)) => (
                format!(
                    "to be rolled back in execution {execution}, which {stands}: {all}{so_far}"
                ),
                Tone::Warn,
            ),
            (None, None) => (
                format!("rolling back {all}, in execution {execution}{so_far}"),
                Tone::Warn,
            ),
            (Some(_), _) if self.is_complete() => (format!("rolled back {all}, {did}"), Tone::Good),
            (Some(_), _) => (
                format!("rolled back {rolled_back} of {all}, {did}"),
                Tone::Bad,
            ),
        }
    }
}

/// Returns where something was done.
fn within(executions: &[ExecutionId]) -> String {
    let noun = match executions.len() {
        1 => "execution",
        _ => "executions",
    };
    let ids: Vec<String> = executions.iter().map(ExecutionId::to_string).collect();
    format!("in {noun} {}", words::listed(&ids))
}

/// Returns whether an execution may have changed something: one that nobody approved in time did not.
fn may_have_acted(view: &View) -> bool {
    match view.outcome() {
        Some(ExecutionOutcome::Rejected | ExecutionOutcome::Expired) => false,
        None
        | Some(
            ExecutionOutcome::Succeeded
            | ExecutionOutcome::NothingToDo
            | ExecutionOutcome::SucceededWithFailures
            | ExecutionOutcome::Failed
            | ExecutionOutcome::Stopped,
        ) => true,
    }
}

/// Returns which of `rollbacks`, newest first, gave the target back what it had: the first, since a later one finds nothing to
/// change there.
fn by<'a>(rollbacks: &'a [View], target: &Target) -> Option<&'a ExecutionId> {
    let found = rollbacks
        .iter()
        .rev()
        .find(|rollback| rollback.target(target).is_some_and(gave_back));
    found.and_then(View::execution)
}

/// Returns whether a target of a rollback has what it had before.
pub(super) fn gave_back(target: &TargetView) -> bool {
    target.outcome().is_some_and(|outcome| match outcome {
        TargetOutcome::Succeeded { .. } => true,
        // An operation that failed there may have left anything.
        TargetOutcome::NoChanges => target.former_status().is_none_or(|s| !s.is_failed()),
        TargetOutcome::NotPlanned { .. }
        | TargetOutcome::Failed { .. }
        | TargetOutcome::Stale { .. }
        | TargetOutcome::Skipped { .. }
        | TargetOutcome::Unknown { .. } => false,
    })
}

/// Returns what an execution stands still for, where nothing runs.
fn stands(state: &State, alive: Option<bool>) -> Option<&'static str> {
    match state {
        State::Running | State::GivingUp if alive == Some(false) => {
            Some("no process works on any more")
        }
        State::Answered(_) | State::Overdue if alive == Some(true) => None,
        State::WaitingForApproval => Some("waits for approval"),
        State::Denied => Some("cannot be approved"),
        State::Answered(_) => Some("is answered, and to be resumed"),
        State::Overdue => Some("nobody answered in time"),
        State::Paused => Some("is paused"),
        State::Stopping => Some("was stopped"),
        State::Unknown | State::Running | State::GivingUp | State::Ended(_) => None,
    }
}

impl View {
    /// Returns whether what the execution changed is to be rolled back, as was approved with its plan: nothing
    /// is changed without an approval. What another run of the plan goes on with is not taken back by itself.
    pub fn is_to_be_rolled_back(&self) -> bool {
        self.outcome() == Some(&ExecutionOutcome::Failed)
            && self.given_up().is_none()
            && !self.was_elsewhere()
            && self.definition().is_some_and(|d| d.rolls_back_on_failure())
            && self.targets().into_iter().any(TargetView::is_changed)
    }

    /// Returns whether another run of the plan was come across, which may have changed what this one counts as its own.
    fn was_elsewhere(&self) -> bool {
        let mut targets = self.targets().into_iter();
        targets.any(|t| t.outcome().is_some_and(TargetOutcome::was_elsewhere))
    }

    /// Returns what becomes of the rollback that was approved with the plan, where it does not follow at once.
    pub(super) fn put_off(&self) -> Option<&'static str> {
        let targets = self.targets();
        let has_changed = targets.iter().any(|t| t.is_changed());
        let has_failed = targets
            .iter()
            .any(|t| t.outcome().is_some_and(TargetOutcome::is_failure));
        if !has_changed || !self.definition()?.rolls_back_on_failure() {
            return None;
        }
        if self.given_up().is_some() {
            return Some("given up: what was changed is not rolled back by itself");
        }
        if self.was_elsewhere() {
            return Some(
                "another run of this plan goes on with it: what was changed is not rolled back by itself, since that run may have \
                 deployed it",
            );
        }
        (self.paused().is_some() && has_failed).then_some(
            "targets failed: if a rollback is due for that, it begins once the execution has ended",
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::fixtures::{self, Script};
    use super::super::{ScreenOptions, Status, Summary, summary};
    use super::*;
    use crate::model::{
        Cause, Decision, EventKind, ON_FAILURE, PauseReason, ROLLBACK, Region, RiskLevel,
        StackStatus, StackSummary, Staleness, StopMode, StopRequest,
    };

    /// Returns a rollout that failed after it had changed three targets, and says that it is rolled back.
    fn failed() -> View {
        failing().view()
    }

    fn failing() -> Script {
        let mut script = fixtures::halted();
        if let EventKind::ExecutionStarted { definition } = &mut script.events[0].kind {
            let definition = Arc::make_mut(definition);
            let stages = definition.pipeline.stages.last_mut();
            let settings = &mut stages.unwrap().actions[0].configuration;
            settings.insert(ON_FAILURE.to_owned(), ROLLBACK.to_owned());
        }
        script
    }

    /// Returns a rollback in which the first `good` of the changed targets went well, and whether it has ended.
    fn rollback(view: &View, good: usize, is_over: bool) -> View {
        let all = view.targets().into_iter().filter(|t| t.is_changed());
        let all: Vec<Target> = all.map(|t| t.target().clone()).collect();
        let mut script = Script::new(&all);
        for (at, target) in all.iter().enumerate() {
            let status = StackStatus::UpdateComplete;
            let cause = Cause::of("quota");
            script.end(
                target,
                match at < good {
                    true => TargetOutcome::Succeeded { status },
                    false => TargetOutcome::Failed {
                        status: None,
                        cause,
                    },
                },
            );
        }
        if is_over {
            script.finish(match good == all.len() {
                true => ExecutionOutcome::Succeeded,
                false => ExecutionOutcome::Failed,
            });
        }
        script.view()
    }

    #[test]
    fn only_what_was_approved_so_and_failed_is_to_be_rolled_back() {
        assert!(failed().is_to_be_rolled_back());
        assert!(!fixtures::halted().view().is_to_be_rolled_back());
        let notes = failed().definition().unwrap().notes();
        assert!(notes[0].contains("--on-failure rollback"), "{notes:?}");
        assert!(
            fixtures::halted()
                .view()
                .definition()
                .unwrap()
                .notes()
                .is_empty()
        );
    }

    #[test]
    fn whoever_pauses_or_gives_up_reads_what_becomes_of_the_rollback() {
        let of = |automatic: bool, kind: EventKind| {
            let mut script = match automatic {
                true => failing(),
                false => fixtures::halted(),
            };
            script.events.retain(|e| {
                !matches!(
                    e.kind,
                    EventKind::ExecutionFinished { .. } | EventKind::StageFailed { .. }
                )
            });
            script.say(kind);
            script.view()
        };
        let paused = || EventKind::Paused {
            reason: PauseReason::Unreachable {
                region: Region::new("us-east-1").unwrap(),
                untouched: 1,
                under_way: 0,
                message: "no route".to_owned(),
            },
        };
        let given_up = || EventKind::StopRequested {
            request: StopRequest {
                mode: StopMode::GiveUp,
                by: fixtures::alice(),
                reason: String::new(),
                unreachable: Default::default(),
            },
        };
        for (kind, told) in [
            (paused(), "it begins once the execution has ended"),
            (given_up(), "is not rolled back by itself"),
        ] {
            let view = of(true, kind.clone());
            let text = summary(&view, &ScreenOptions::default());
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains(told), "{text}");
            assert!(view.put_off().is_some_and(|text| text.contains(told)));
            assert_eq!(of(false, kind).put_off(), None);
        }
    }

    #[test]
    fn what_another_run_of_the_plan_goes_on_with_is_not_rolled_back_by_itself() {
        let mut script = failing();
        let failed = script
            .events
            .iter_mut()
            .find_map(|event| match &mut event.kind {
                EventKind::TargetFinished { outcome, .. } if outcome.is_failure() => Some(outcome),
                _ => None,
            });
        *failed.unwrap() = TargetOutcome::Stale {
            differences: vec![Staleness::ExecutedElsewhere],
        };
        let view = script.view();
        assert_eq!(view.outcome(), Some(&ExecutionOutcome::Failed));
        assert!(view.targets().into_iter().any(TargetView::is_changed));
        assert!(!view.is_to_be_rolled_back());
        let told = view.put_off().unwrap();
        assert!(told.starts_with("another run of this plan"), "{told}");
        let text = summary(&view, &ScreenOptions::default());
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(told), "{text}");
    }

    #[test]
    fn a_stack_is_changed_by_what_was_deployed_whatever_failed_after_it() {
        let view = failed();
        let changed = view.targets().into_iter().find(|t| t.is_changed());
        let target = changed.unwrap().target();
        for (status, expected) in [
            (Some(StackStatus::UpdateComplete), true),
            (Some(StackStatus::CreateComplete), true),
            (Some(StackStatus::UpdateFailed), true),
            (Some(StackStatus::UpdateRollbackComplete), false),
            (Some(StackStatus::DeleteComplete), false),
            (None, false),
        ] {
            let mut script = Script::new(std::slice::from_ref(target));
            let cause = Cause::of("its stack policy could not be set");
            script.end(target, TargetOutcome::Failed { status, cause });
            let view = script.view();
            let found = view.target(target).unwrap().is_changed();
            assert_eq!(found, expected, "{status:?}");
        }
    }

    #[test]
    fn a_stack_that_is_left_failed_is_not_rolled_back() {
        let failed = failed();
        let changed = failed.targets().into_iter().find(|t| t.is_changed());
        let changed = changed.unwrap();
        let target = changed.target();
        for (status, expected) in [
            (StackStatus::UpdateFailed, false),
            (StackStatus::UpdateComplete, true),
        ] {
            let mut script = Script::new(std::slice::from_ref(target));
            let inputs = changed.inputs().unwrap().clone();
            script.intend(target, ChangeSetKind::Update, inputs);
            for event in &mut script.events {
                if let EventKind::ChangeSetIntended { stack, .. } = &mut event.kind {
                    *stack = Some(StackSummary {
                        id: changed.stack().unwrap().clone(),
                        status,
                        reason: None,
                        parameters: Vec::new(),
                        outputs: Default::default(),
                        tags: None,
                    });
                }
            }
            script.end(target, TargetOutcome::NoChanges);
            let rollbacks = [script.view()];
            assert_eq!(by(&rollbacks, target).is_some(), expected, "{status:?}");
        }
    }

    /// Returns a rollout that failed after it had made new stacks, or after it had changed others, too; covered or not.
    fn with_new_stacks(all_are_new: bool, covers: Option<RiskLevel>) -> View {
        let mut script = fixtures::halted();
        let mut is_new = true;
        for event in &mut script.events {
            match &mut event.kind {
                EventKind::ExecutionStarted { definition } => {
                    let definition = Arc::make_mut(definition);
                    let stages = definition.pipeline.stages.last_mut();
                    let settings = &mut stages.unwrap().actions[0].configuration;
                    settings.insert(ON_FAILURE.to_owned(), ROLLBACK.to_owned());
                }
                EventKind::ChangeSetIntended { kind, .. } if is_new => {
                    *kind = ChangeSetKind::Create;
                    is_new = all_are_new;
                }
                EventKind::Answered { answer } => answer.covers = covers,
                _ => {}
            }
        }
        script.view()
    }

    #[test]
    fn what_never_begins_by_itself_is_done_by_hand() {
        let told = |all_are_new, covers| {
            let mut view = with_new_stacks(all_are_new, covers);
            let rolled_back = RolledBack::of(&view, &[], None);
            view.note_rolled_back(Some(rolled_back.clone()));
            crate::report::documents::assert_valid(&Summary::of(&view));
            let next = Summary::of(&view).next;
            let next = next.into_iter().map(|command| {
                let words = command.split(' ').filter(|word| !word.contains("-7000-"));
                words.collect::<Vec<_>>().join(" ")
            });
            (
                rolled_back.by_hand,
                rolled_back.text(),
                next.collect::<Vec<_>>(),
            )
        };
        let (by_hand, text, next) = told(true, None);
        assert_eq!(by_hand, Some(ByHand::OnlyNewStacks));
        assert!(text.starts_with("nothing to roll back by itself"), "{text}");
        let delete = "stackgate rollback --delete-created";
        assert_eq!(next[..2], [delete, "stackgate events"]);
        let (by_hand, text, next) = told(false, Some(RiskLevel::Medium));
        assert_eq!(by_hand, Some(ByHand::SomeNewStacks));
        assert!(
            text.contains("1 of 3 changed targets is a new stack"),
            "{text}"
        );
        assert_eq!(next[..2], ["stackgate rollback", delete]);
        // Somebody is asked, and can roll back the others.
        let (by_hand, text, next) = told(false, None);
        assert_eq!(by_hand, None);
        assert!(text.contains("which has not begun"), "{text}");
        assert_eq!(next[0], "stackgate resume");
    }

    #[test]
    fn what_waits_is_not_told_to_be_under_way() {
        let mut view = failed();
        let mut waiting = Script::new(&[]);
        waiting.ask();
        view.note_rolled_back(Some(RolledBack::of(&view, &[waiting.view()], None)));
        let text = view.rolled_back().unwrap().text();
        assert!(text.contains("which waits for approval"), "{text}");
    }

    #[test]
    fn a_command_for_the_rollback_says_so() {
        let mut view = failed();
        let mut waiting = Script::new(&[]);
        waiting.ask();
        let id = ExecutionId::new("01938f5e-0000-7000-8000-000000000009").unwrap();
        for event in &mut waiting.events {
            event.execution = id.clone();
        }
        view.note_rolled_back(Some(RolledBack::of(&view, &[waiting.view()], None)));
        let text = summary(&view, &ScreenOptions::default());
        let told = format!("next: stackgate approve {id}   for the rollback\n");
        assert!(text.contains(&told), "{text}");
        let own = "      stackgate events 0199a1b2…9f2c\n";
        assert!(text.contains(own), "{text}");
        let narrow = ScreenOptions {
            width: 60,
            ..ScreenOptions::default()
        };
        let text = summary(&view, &narrow);
        let told = format!("next: stackgate approve {id}\n         for the rollback\n");
        assert!(text.contains(&told), "{text}");
        let page = crate::report::markdown(&view, None, None);
        assert!(page.contains("Next, for the rollback:\n"), "{page}");
        assert!(page.contains("Next:\n"), "{page}");
        // Machines take a command as it is.
        let next = Summary::of(&view).next;
        assert_eq!(next[0], format!("stackgate approve {id}"));
    }

    #[test]
    fn what_was_rolled_back_is_told_of_those_that_did_it() {
        let id =
            |n: u32| ExecutionId::new(format!("01938f5e-0000-7000-8000-00000000000{n}")).unwrap();
        let script = |view: &View, n: u32, did: &[usize], outcome: Option<ExecutionOutcome>| {
            let all = view.targets().into_iter().filter(|t| t.is_changed());
            let all: Vec<Target> = all.map(|t| t.target().clone()).collect();
            let mut script = Script::new(&all);
            for at in did {
                let status = StackStatus::UpdateComplete;
                script.end(&all[*at], TargetOutcome::Succeeded { status });
            }
            if let Some(outcome) = outcome {
                script.finish(outcome);
            }
            for event in &mut script.events {
                event.execution = id(n);
            }
            script
        };
        let view = failed();
        let mut approved = script(&view, 1, &[0, 1], None);
        approved.ask();
        approved.answer(Decision::Approve, "");
        for event in &mut approved.events {
            event.execution = id(1);
        }
        let approved = approved.view();
        let mut waiting = script(&view, 2, &[], None);
        waiting.ask();
        for event in &mut waiting.events {
            event.execution = id(2);
        }
        let rejected = script(&view, 2, &[], Some(ExecutionOutcome::Rejected)).view();

        // Newest first: the open one that was approved stands for both.
        for newer in [waiting.view(), rejected] {
            let open = RolledBack::of(&view, &[newer, approved.clone()], Some(false));
            assert_eq!(open.execution, Some(id(1)));
            assert_eq!(open.state, Some("interrupted"));
            assert_eq!((open.rolled_back, &open.rolled_back_by), (2, &vec![id(1)]));
            assert!(open.next[0].ends_with(&id(1).to_string()), "{open:?}");
        }
        // What was rejected did nothing of it.
        let rejected = || script(&view, 3, &[], Some(ExecutionOutcome::Rejected)).view();
        let did = |n, did: &[usize], outcome| script(&view, n, did, Some(outcome)).view();
        let half = || did(1, &[0, 1], ExecutionOutcome::Stopped);
        let over = RolledBack::of(&view, &[rejected(), half()], None);
        assert_eq!(
            (over.outcome, over.execution.clone()),
            (Some(ExecutionOutcome::Stopped), Some(id(1)))
        );
        let text = over.text();
        let said = format!("rolled back 2 of 3 changed targets, in execution {}", id(1));
        assert_eq!(text, said);
        // Several are named.
        let rest = did(2, &[2], ExecutionOutcome::Succeeded);
        let mut view = view.clone();
        let all = RolledBack::of(&view, &[rejected(), rest, half()], None);
        assert_eq!(all.rolled_back_by, [id(1), id(2)]);
        let said = format!(
            "rolled back 3 changed targets, in executions {} and {}",
            id(1),
            id(2)
        );
        assert_eq!(all.text(), said);
        view.note_rolled_back(Some(all));
        crate::report::documents::assert_valid(&Summary::of(&view));
    }

    #[test]
    fn what_nobody_works_on_is_not_told_to_be_under_way() {
        let told = |alive: bool| {
            let view = failed();
            RolledBack::of(&view, &[rollback(&view, 1, false)], Some(alive))
        };
        let left = told(false);
        let text = left.text();
        assert!(text.contains("no process works on any more"), "{text}");
        assert!(left.next[0].starts_with("stackgate resume "), "{left:?}");
        assert_eq!(left.state, Some("interrupted"));
        let busy = told(true);
        assert!(busy.text().starts_with("rolling back"), "{busy:?}");
        assert!(busy.next.is_empty(), "{busy:?}");
    }

    #[test]
    fn both_are_told_that_it_failed_and_how_much_is_rolled_back() {
        let text = |rollbacks: &dyn Fn(&View) -> Vec<View>| {
            let mut view = failed();
            let rolled_back = RolledBack::of(&view, &rollbacks(&view), None);
            view.note_rolled_back(Some(rolled_back));
            crate::report::documents::assert_valid(&Summary::of(&view));
            crate::report::documents::assert_valid(&Status::of(&view, None));
            summary(&view, &ScreenOptions::default())
        };
        let texts = [
            text(&|_| Vec::new()),
            text(&|view| vec![rollback(view, 0, false)]),
            text(&|view| vec![rollback(view, 1, true)]),
            text(&|view| vec![rollback(view, 3, true)]),
        ];
        insta::assert_snapshot!(texts.join("\n---\n"));
    }
}
