//! The targets of one region in one wave.

use std::collections::BTreeSet;

use super::Limits;
use crate::model::{Region, SkipReason, Target};

/// The targets of one region in one wave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) region: Region,
    pub(super) limits: Limits,
    pub(super) targets: Vec<Target>,
    pub(super) waiting: BTreeSet<usize>,
    pub(super) running: BTreeSet<usize>,
    pub(super) failed: u32,
}

impl Lane {
    pub(super) fn has_failed(&self) -> bool {
        self.limits.is_exceeded(self.failed)
    }

    /// Returns why nothing more begins here, once it has failed.
    pub(super) fn why_failed(&self) -> SkipReason {
        SkipReason::ToleranceExceeded {
            failed: self.failed,
            tolerance: self.limits.tolerance,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }

    pub(super) fn at<'a>(
        &'a self,
        places: &'a BTreeSet<usize>,
    ) -> impl Iterator<Item = &'a Target> {
        places.iter().filter_map(|place| self.targets.get(*place))
    }

    pub(super) fn startable(&self) -> impl Iterator<Item = Target> {
        let allowed = usize::try_from(self.limits.allowed(self.failed)).unwrap_or(usize::MAX);
        let free = allowed.saturating_sub(self.running.len());
        self.at(&self.waiting).take(free).cloned()
    }

    pub(super) fn skipped(
        &self,
        reason: &SkipReason,
    ) -> impl Iterator<Item = (Target, SkipReason)> {
        self.at(&self.waiting)
            .map(|target| (target.clone(), reason.clone()))
    }
}
