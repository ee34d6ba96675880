//! What an approver is told beside the changes, such as what somebody else did to the stacks after a rollback had looked at
//! them, which its plan would overwrite.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ChangeSetKind, ExecutionId, Gate, SkipReason, Target, TargetOutcome, Wave};

use super::words::count;
use super::{TargetView, View};

/// What other executions of the journal did to the targets of a rollback since it looked at them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Newer {
    /// The execution that did what happened last to a target; none where that was somebody else.
    pub by: BTreeMap<Target, ExecutionId>,
    /// The execution that is rolled back.
    pub takes_back: Option<ExecutionId>,
}

/// How many stacks are named one by one.
const NAMED: usize = 8;

/// Names the targets, as many as can be read.
fn named(targets: &[&Target]) -> String {
    let some = targets.iter().take(NAMED).map(|target| target.to_string());
    let mut text = some.collect::<Vec<_>>().join(", ");
    if let Some(more) = targets.len().checked_sub(NAMED).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

impl View {
    /// Returns the planned targets whose stacks went through something since a rollback found them unchanged.
    fn overwritten(&self) -> Vec<&Target> {
        let Some(seen) = self.definition().map(|d| d.newest_events()) else {
            return Vec::new();
        };
        if seen.is_empty() {
            return Vec::new();
        }
        let targets = self.targets().into_iter();
        let changed = targets.filter(|target| {
            let seen = seen.get(&target.target().to_string());
            match (seen, target.base()) {
                (Some(seen), Some(base)) => *seen != base.newest_event,
                (Some(_) | None, _) => false,
            }
        });
        changed.map(|target| target.target()).collect()
    }

    /// Returns the planned targets whose stacks are not those that a rollback means, but others that have their names since.
    fn made_again(&self) -> Vec<&Target> {
        let Some(meant) = self.definition().map(|d| d.meant_stacks()) else {
            return Vec::new();
        };
        let targets = self.targets().into_iter();
        let others = targets.filter(|target| {
            let meant = meant.get(&target.target().to_string());
            match (meant, target.base()) {
                (Some(meant), Some(base)) => *meant != base.stack,
                (Some(_) | None, _) => false,
            }
        });
        others.map(|target| target.target()).collect()
    }

    /// Returns whether every planned target is as a rollback found it; one that it did not look at is not.
    pub fn is_as_seen(&self) -> bool {
        let planned = self.targets().into_iter();
        let planned = planned.filter(|target| target.base().is_some());
        let planned: Vec<&Target> = planned.map(TargetView::target).collect();
        let as_seen = self.as_seen();
        planned.iter().all(|target| as_seen.contains(target))
    }

    /// Returns the planned targets that are as a rollback found them.
    pub fn as_seen(&self) -> BTreeSet<&Target> {
        let seen = self.definition().map(|d| d.newest_events());
        let seen = seen.unwrap_or_default();
        let made_again = self.made_again();
        let targets = self.targets().into_iter();
        let planned = targets.filter_map(|target| Some((target.target(), target.base()?)));
        let as_seen = planned.filter(|(target, base)| {
            let seen = seen.get(&target.to_string());
            seen == Some(&base.newest_event) && !made_again.contains(target)
        });
        as_seen.map(|(target, _)| target).collect()
    }

    /// Says which planned targets those are, if any, and who changed them.
    pub fn told_overwritten(&self) -> Option<String> {
        let mut by: BTreeMap<Option<&ExecutionId>, Vec<&Target>> = BTreeMap::new();
        let made_again = self.made_again();
        for target in self.overwritten() {
            if made_again.contains(&target) {
                continue;
            }
            let execution = self.newer().by.get(target);
            by.entry(execution).or_default().push(target);
        }
        let told = by.iter().map(|(execution, targets)| {
            let by = match execution {
                Some(id) => format!("execution {id}"),
                None => "somebody else".to_owned(),
            };
            format!(
                "{} changed by {by} since it was looked at, which is lost: {}",
                count(targets.len(), "stack"),
                named(targets)
            )
        });
        let again = (!made_again.is_empty()).then(|| {
            format!(
                "{} deleted and made again by somebody since it was looked at, which is none that this may change: {}",
                count(made_again.len(), "stack"),
                named(&made_again)
            )
        });
        let mut told = again.into_iter().chain(told).collect::<Vec<_>>().join("; ");
        if told.is_empty() {
            return None;
        }
        if let (Some(earlier), None) = (&self.newer().takes_back, self.outcome()) {
            told.push_str(&format!(
                "; reject this, and `stackgate rollback {earlier}` leaves such stacks as they are, unless `--include-changed` is given"
            ));
        }
        Some(told)
    }

    /// Returns what a reviewer is told beside the changes: first what others did and do to the stacks.
    pub(super) fn notes(&self) -> Vec<String> {
        let definition = self.definition().map_or(Vec::new(), |d| d.notes());
        let others = self.beside().iter().cloned();
        let gates = gates_first(self.waves());
        let notes = self.told_overwritten().into_iter().chain(others);
        notes
            .chain(gates)
            .chain(self.idle_waves())
            .chain(definition)
            .chain(self.made_anew())
            .collect()
    }

    /// Says of which waves nothing is run, and what becomes of what stands after them.
    fn idle_waves(&self) -> Vec<String> {
        if self.planned().is_empty() {
            return Vec::new();
        }
        let waves = self.waves();
        let idle = waves.iter().enumerate().filter_map(|(at, wave)| {
            let mut reasons = [(0, "without changes"), (0, "whose region is not enabled")];
            for target in &wave.targets {
                let [unchanged, not_enabled] = &mut reasons;
                match self.target(target)?.outcome()? {
                    TargetOutcome::NoChanges => unchanged.0 += 1,
                    TargetOutcome::Skipped {
                        reason: SkipReason::RegionNotEnabled,
                    } => not_enabled.0 += 1,
                    TargetOutcome::Succeeded { .. }
                    | TargetOutcome::NotPlanned { .. }
                    | TargetOutcome::Failed { .. }
                    | TargetOutcome::Stale { .. }
                    | TargetOutcome::Skipped { .. }
                    | TargetOutcome::Unknown { .. } => return None,
                }
            }
            let told = reasons.iter().filter(|(number, _)| *number > 0);
            let told: Vec<String> = told
                .map(|(number, why)| format!("{} {why}", count(*number, "target")))
                .collect();
            // One of which an earlier execution ended everything is told with that.
            if told.is_empty() {
                return None;
            }
            let gates: Vec<String> = wave.gates.iter().map(Gate::to_string).collect();
            let has_later = self.targets().into_iter().any(|target| {
                let earlier = waves.get(..=at).unwrap_or_default().iter();
                !earlier
                    .into_iter()
                    .any(|w| w.targets.contains(target.target()))
            });
            let then = match gates.is_empty() || !has_later {
                true => String::new(),
                false => format!(
                    "; what stands after it is to be passed all the same: {}",
                    gates.join(", then ")
                ),
            };
            Some(format!(
                "wave {} runs nothing: {}{then}",
                wave.name,
                told.join(", ")
            ))
        });
        idle.collect()
    }

    /// Says which of the stacks keep a failed rollout from being rolled back without a question, as far as that is to happen.
    fn made_anew(&self) -> Option<String> {
        let rolls_back = self.definition()?.rolls_back_on_failure();
        let targets = self.targets();
        let new = targets
            .iter()
            .filter(|t| t.kind() == Some(ChangeSetKind::Create))
            .count();
        (rolls_back && new > 0).then(|| {
            format!(
                "{new} of {} are new stacks: once one of them was made, nothing is rolled back unless somebody is asked at a \
                 terminal, and new stacks stay; `stackgate rollback EXECUTION`, and for them `--delete-created`, does it by hand",
                count(targets.len(), "target")
            )
        })
    }
}

/// Says which gates are passed before anything is run, of waves that an earlier execution ended.
pub fn gates_first(waves: &[Wave]) -> Vec<String> {
    let stand = waves
        .iter()
        .filter(|wave| wave.targets.is_empty() && !wave.gates.is_empty());
    let told = stand.map(|wave| {
        let gates: Vec<String> = wave.gates.iter().map(Gate::to_string).collect();
        format!(
            "wave {} is not run again, but what comes after it was not passed, and stands before the others: {}",
            wave.name,
            gates.join(", then ")
        )
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;
    use crate::model::{EventKind, NEWEST_EVENTS};

    /// Returns a plan whose stacks had the newest events that `seen` makes of those they have.
    fn plan(seen: impl Fn(Option<String>) -> Option<String>) -> View {
        plan_meaning(seen, None)
    }

    /// The same, where a stack is `meant` everywhere.
    fn plan_meaning(seen: impl Fn(Option<String>) -> Option<String>, meant: Option<&str>) -> View {
        let mut script = fixtures::halted();
        let is_end = |kind: &EventKind| matches!(kind, EventKind::ExecutionFinished { .. });
        script.events.retain(|event| !is_end(&event.kind));
        let view = script.view();
        let planned = view.targets().into_iter();
        let planned = planned.filter_map(|t| Some((t.target(), t.base()?)));
        let events: std::collections::BTreeMap<String, Option<String>> = planned
            .map(|(target, base)| (target.to_string(), seen(base.newest_event.clone())))
            .collect();
        assert!(events.len() > 1);
        if let EventKind::ExecutionStarted { definition } = &mut script.events[0].kind {
            let definition = std::sync::Arc::make_mut(definition);
            let stages = definition.pipeline.stages.last_mut();
            let settings = &mut stages.unwrap().actions[0].configuration;
            let events = serde_json::json!(events).to_string();
            settings.insert(NEWEST_EVENTS.to_owned(), events);
            if let Some(stack) = meant {
                definition
                    .pipeline
                    .mean_stacks(|_| Some(stack.parse().unwrap()));
            }
        }
        script.view()
    }

    #[test]
    fn what_came_after_it_was_looked_at_is_told() {
        let same = plan(|event| event);
        assert!(same.is_as_seen());
        assert!(same.overwritten().is_empty());
        assert!(same.notes().is_empty());
        let other = plan(|_| Some("another".to_owned()));
        assert!(!other.is_as_seen());
        let note = &other.notes()[0];
        assert!(note.contains("changed by somebody else"), "{note}");
        let overwritten = other.overwritten();
        for target in overwritten.iter().take(NAMED) {
            assert!(note.contains(&target.to_string()), "{note}");
        }
        let more = overwritten.len() - NAMED;
        assert!(note.ends_with(&format!(" and {more} more")), "{note}");
    }

    #[test]
    fn a_stack_that_was_made_again_is_not_told_as_changed() {
        let other = plan_meaning(|_| Some("another".to_owned()), Some("arn:another"));
        let note = other.told_overwritten().unwrap();
        assert!(
            note.contains("deleted and made again by somebody since it was looked at"),
            "{note}"
        );
        assert!(!note.contains("changed by"), "{note}");
        // Even where its events say nothing.
        let other = plan_meaning(|event| event, Some("arn:another"));
        assert!(!other.is_as_seen());
    }

    #[test]
    fn who_changed_it_is_named_where_that_is_known() {
        let mut other = plan(|_| Some("another".to_owned()));
        let first = other.overwritten()[0].clone();
        let by = ExecutionId::new("01900000-0000-7000-8000-000000000002").unwrap();
        let earlier = ExecutionId::new("01900000-0000-7000-8000-000000000001").unwrap();
        other.note_newer(Newer {
            by: BTreeMap::from([(first.clone(), by.clone())]),
            takes_back: Some(earlier.clone()),
        });
        let note = other.told_overwritten().unwrap();
        let known = format!(
            "1 stack changed by execution {by} since it was looked at, which is lost: {first}"
        );
        assert!(note.contains(&known), "{note}");
        assert!(note.contains("changed by somebody else"), "{note}");
        let advice = format!("`stackgate rollback {earlier}` leaves such stacks as they are");
        assert!(note.contains(&advice), "{note}");
        assert!(note.contains("`--include-changed`"), "{note}");
    }

    #[test]
    fn a_wave_that_runs_nothing_is_told_with_why_and_with_what_stands_after_it() {
        let idle = |outcome: TargetOutcome| {
            let mut script = fixtures::canary();
            script.end(&fixtures::four()[0], outcome);
            script.view().notes()
        };
        assert_eq!(
            idle(TargetOutcome::NoChanges),
            [
                "wave canary runs nothing: 1 target without changes; what stands after it is to be passed all the same: \
                 bake 10m, then approval"
            ]
        );
        let reason = SkipReason::RegionNotEnabled;
        let note = idle(TargetOutcome::Skipped { reason }).remove(0);
        let told = "wave canary runs nothing: 1 target whose region is not enabled; ";
        assert!(note.starts_with(told), "{note}");
        // What ended otherwise was run, or is told of elsewhere.
        assert_eq!(idle(fixtures::succeeded()), [""; 0]);
        let reason = SkipReason::Rejected;
        assert_eq!(idle(TargetOutcome::Skipped { reason }), [""; 0]);
    }

    #[test]
    fn what_was_not_looked_at_is_not_vouched_for() {
        let unknown = fixtures::halted().view();
        assert!(!unknown.is_as_seen());
        assert!(unknown.overwritten().is_empty());
    }
}
