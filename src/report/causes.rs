//! Equal causes over many targets, told once.

use serde::Serialize;

use crate::model::{Cause, Denial, SkipReason, Target, TargetOutcome, status_reason};

use super::View;

/// A cause and the targets it struck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CauseGroup {
    /// The cause, in the words of the first target.
    pub cause: Cause,
    /// The targets, in the order they were asked for.
    pub targets: Vec<Target>,
    /// Who was denied what by which kind of policy in the first target, where that is the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denial: Option<Denial>,
    /// What would allow it there: sentences, then a policy statement as JSON.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub advice: Vec<String>,
}

/// A reason for not starting, and the targets it kept back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkipGroup {
    /// The reason.
    pub reason: SkipReason,
    /// The targets, in the order they were asked for.
    pub targets: Vec<Target>,
}

/// Returns the causes of the outcomes that `pick` chooses, the most frequent first.
///
/// Causes are equal if they name the same resource and differ only in accounts, regions and request ids.
pub(super) fn causes(
    view: &View,
    pick: impl Fn(&TargetOutcome) -> Option<Cause>,
) -> Vec<CauseGroup> {
    let mut groups: Vec<(String, CauseGroup)> = Vec::new();
    for target in view.targets() {
        let Some(cause) = target.outcome().and_then(&pick) else {
            continue;
        };
        let key = status_reason::normalised(&cause.reason);
        let place = target.target().clone();
        let known = groups
            .iter_mut()
            .find(|(known, group)| *known == key && group.cause.resource == cause.resource);
        match known {
            Some((_, group)) => group.targets.push(place),
            None => {
                let denial = Denial::find(&cause.reason);
                let group = CauseGroup {
                    advice: denial.as_ref().map(Denial::advice).unwrap_or_default(),
                    denial,
                    cause,
                    targets: vec![place],
                };
                groups.push((key, group));
            }
        }
    }
    let mut groups: Vec<CauseGroup> = groups.into_iter().map(|(_, group)| group).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.targets.len()));
    groups
}

/// Returns why executions failed.
pub(super) fn failures(view: &View) -> Vec<CauseGroup> {
    causes(view, |outcome| match outcome {
        TargetOutcome::Failed { status: _, cause } => Some(cause.clone()),
        TargetOutcome::Succeeded { .. }
        | TargetOutcome::NoChanges
        | TargetOutcome::NotPlanned { .. }
        | TargetOutcome::Stale { .. }
        | TargetOutcome::Skipped { .. }
        | TargetOutcome::Unknown { .. } => None,
    })
}

/// Returns why change sets could not be made.
pub(super) fn not_planned(view: &View) -> Vec<CauseGroup> {
    causes(view, |outcome| match outcome {
        TargetOutcome::NotPlanned { cause } => Some(cause.clone()),
        TargetOutcome::Succeeded { .. }
        | TargetOutcome::NoChanges
        | TargetOutcome::Failed { .. }
        | TargetOutcome::Stale { .. }
        | TargetOutcome::Skipped { .. }
        | TargetOutcome::Unknown { .. } => None,
    })
}

/// Returns what is known of executions whose end cannot be found out.
pub(super) fn unknown(view: &View) -> Vec<CauseGroup> {
    causes(view, |outcome| match outcome {
        TargetOutcome::Unknown { reason } => Some(Cause::of(reason)),
        TargetOutcome::Succeeded { .. }
        | TargetOutcome::NoChanges
        | TargetOutcome::NotPlanned { .. }
        | TargetOutcome::Failed { .. }
        | TargetOutcome::Stale { .. }
        | TargetOutcome::Skipped { .. } => None,
    })
}

/// Returns why targets were not started, the most frequent reason first.
pub(super) fn skipped(view: &View) -> Vec<SkipGroup> {
    let mut groups: Vec<SkipGroup> = Vec::new();
    for target in view.targets() {
        let Some(TargetOutcome::Skipped { reason }) = target.outcome() else {
            continue;
        };
        let place = target.target().clone();
        match groups.iter_mut().find(|group| group.reason == *reason) {
            Some(group) => group.targets.push(place),
            None => groups.push(SkipGroup {
                reason: reason.clone(),
                targets: vec![place],
            }),
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.targets.len()));
    groups
}
