//! When what happened in a run, and where.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::TargetOutcome;
use crate::report::{TargetView, View};

/// What happened in one part of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimelineRow {
    /// The part: `plan`, or a region in which targets were executed.
    pub part: String,
    /// When its first target began, in seconds from the beginning; none where none did.
    pub begins: Option<u64>,
    /// When its last target ended.
    pub ends: Option<u64>,
    /// How many targets are in it.
    pub targets: usize,
    /// How many of them were executed.
    pub succeeded: usize,
    /// How many failed.
    pub failed: usize,
    /// How many did not have their turn.
    pub not_executed: usize,
}

/// Returns the parts of a run in the order in which they began; those that did not come last.
pub(super) fn rows(view: &View) -> Vec<TimelineRow> {
    let Some(start) = view.started() else {
        return Vec::new();
    };
    let targets = view.targets();
    let mut rows: Vec<TimelineRow> = Vec::new();
    for target in &targets {
        let part = part(target);
        let at = match rows.iter().position(|row| row.part == part) {
            Some(at) => at,
            None => {
                rows.push(TimelineRow {
                    part: part.to_owned(),
                    begins: None,
                    ends: None,
                    targets: 0,
                    succeeded: 0,
                    failed: 0,
                    not_executed: 0,
                });
                rows.len() - 1
            }
        };
        if let Some(row) = rows.get_mut(at) {
            row.add(target, start);
        }
    }
    rows.sort_by_key(|row| (row.begins.is_none(), row.begins));
    let not_planned =
        |target: &&&TargetView| matches!(target.outcome(), Some(TargetOutcome::NotPlanned { .. }));
    let planned = TimelineRow {
        part: "plan".to_owned(),
        begins: Some(0),
        ends: view
            .planned_at()
            .or(view.ended())
            .or(view.last())
            .map(|at| seconds(start, at)),
        targets: targets.len(),
        succeeded: 0,
        failed: targets.iter().filter(not_planned).count(),
        not_executed: 0,
    };
    rows.insert(0, planned);
    rows
}

/// Returns the part of the rollout that a target belongs to.
fn part(target: &TargetView) -> &str {
    target.target().region.as_str()
}

fn seconds(start: Timestamp, at: Timestamp) -> u64 {
    u64::try_from(at.duration_since(start).as_secs()).unwrap_or(0)
}

impl TimelineRow {
    fn add(&mut self, target: &TargetView, start: Timestamp) {
        self.targets += 1;
        match target.outcome() {
            Some(TargetOutcome::Succeeded { .. }) => self.succeeded += 1,
            Some(TargetOutcome::NoChanges) => {}
            Some(
                TargetOutcome::NotPlanned { .. }
                | TargetOutcome::Failed { .. }
                | TargetOutcome::Stale { .. }
                | TargetOutcome::Unknown { .. },
            ) => self.failed += 1,
            Some(TargetOutcome::Skipped { .. }) | None => self.not_executed += 1,
        }
        let Some(began) = target.started_at() else {
            return;
        };
        let began = seconds(start, began);
        self.begins = Some(self.begins.map_or(began, |known| known.min(began)));
        if let Some(ended) = target.ended_at() {
            let ended = seconds(start, ended);
            self.ends = Some(self.ends.map_or(ended, |known| known.max(ended)));
        }
    }
}
