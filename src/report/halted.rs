//! Where more targets failed than may: by the arithmetic of the rollout, whether or not targets were left to be held back.

use serde::Serialize;

use super::View;
use super::fleet::Fleet;
use super::words::count;
use crate::model::{Region, SkipReason, TargetOutcome, WaveName};

/// A region in which more targets failed than may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HaltedRegion {
    /// The region.
    pub region: Region,
    /// The wave that it was halted in, where there are waves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wave: Option<WaveName>,
    /// The failures.
    pub failed: u32,
    /// The failures tolerated.
    pub tolerance: u32,
}

impl HaltedRegion {
    /// Returns where it is: `wave canary, eu-west-1`.
    pub(super) fn place(&self) -> String {
        match &self.wave {
            Some(wave) => format!("wave {wave}, {}", self.region),
            None => self.region.to_string(),
        }
    }

    /// Returns `2 failures exceed the tolerance of 1`.
    pub(super) fn told(&self) -> String {
        let failed = usize::try_from(self.failed).unwrap_or(usize::MAX);
        let verb = if failed == 1 { "exceeds" } else { "exceed" };
        let failures = count(failed, "failure");
        format!("{failures} {verb} the tolerance of {}", self.tolerance)
    }
}

/// Returns the regions in which more targets failed than may, wave by wave. Without a complete plan nothing is rolled
/// out, so nothing is halted either.
pub(super) fn halted(view: &View) -> Vec<HaltedRegion> {
    if view.planned_at().is_none() {
        return Vec::new();
    }
    let fleet = Fleet::seen(view);
    let regions = fleet.regions().filter(|seen| seen.is_halted());
    let found = regions.map(|seen| HaltedRegion {
        region: seen.region.clone(),
        wave: seen.wave.cloned(),
        failed: seen.failed,
        tolerance: seen.limits.tolerance,
    });
    found.collect()
}

/// Returns whether targets were held back since others had failed: a rollout whose last targets fail has nothing to halt.
pub(super) fn held_back(view: &View) -> bool {
    let targets = view.targets();
    targets.into_iter().any(|target| match target.outcome() {
        Some(TargetOutcome::Skipped { reason }) => match reason {
            SkipReason::ToleranceExceeded { .. }
            | SkipReason::EarlierRegionFailed { .. }
            | SkipReason::EarlierWaveFailed { .. } => true,
            SkipReason::GateClosed { .. }
            | SkipReason::Rejected
            | SkipReason::ApprovalExpired
            | SkipReason::Stopped
            | SkipReason::RunElsewhere
            | SkipReason::PlanIncomplete
            | SkipReason::NothingToDo
            | SkipReason::RegionNotEnabled => false,
        },
        Some(
            TargetOutcome::Succeeded { .. }
            | TargetOutcome::NoChanges
            | TargetOutcome::NotPlanned { .. }
            | TargetOutcome::Failed { .. }
            | TargetOutcome::Stale { .. }
            | TargetOutcome::Unknown { .. },
        )
        | None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ExecutionOutcome, Target};
    use crate::report::fixtures::{self, Script};
    use crate::report::{ScreenOptions, Summary, summary};

    fn failing(script: &mut Script, targets: &[Target]) {
        for target in targets {
            script.start(target).end(target, fixtures::quota(target));
        }
    }

    #[test]
    fn the_last_target_of_a_rollout_exceeds_the_tolerance_too() {
        let targets = fixtures::four();
        let mut script = fixtures::fleet();
        script.approve();
        for target in &targets[..3] {
            script.start(target).end(target, fixtures::succeeded());
        }
        failing(&mut script, &targets[3..]);
        script.finish(ExecutionOutcome::Failed);
        let view = script.view();
        let halted = Summary::of(&view).halted;
        let found: Vec<String> = halted.iter().map(HaltedRegion::place).collect();
        assert_eq!(found, [targets[3].region.as_str()]);
        assert_eq!((halted[0].failed, halted[0].tolerance), (1, 0));
        let text = summary(&view, &ScreenOptions::default());
        // Nothing was left to be halted, and why it counts as failed is told all the same.
        assert!(text.contains(" failed in 1 of 4 targets"), "{text}");
        let why = format!(
            "in {}: 1 failure exceeds the tolerance of 0",
            targets[3].region
        );
        assert!(text.contains(&why), "{text}");
    }

    #[test]
    fn a_canary_that_fails_halts_its_wave() {
        let targets = fixtures::four();
        let mut script = fixtures::canary();
        script.approve();
        failing(&mut script, &targets[..1]);
        for target in &targets[1..] {
            let wave = "canary".parse().unwrap();
            let reason = SkipReason::EarlierWaveFailed { wave };
            script.end(target, TargetOutcome::Skipped { reason });
        }
        script.finish(ExecutionOutcome::Failed);
        let view = script.view();
        let halted = Summary::of(&view).halted;
        assert_eq!(halted.len(), 1, "{halted:?}");
        assert_eq!(halted[0].wave, Some("canary".parse().unwrap()));
        let text = summary(&view, &ScreenOptions::default());
        let place = halted[0].place();
        let expected = format!("rollout halted in {place}: 1 failure exceeds the tolerance of 0");
        assert!(text.starts_with(&expected), "{text}");
    }

    #[test]
    fn failures_within_the_tolerance_halt_nothing() {
        let view = fixtures::finished().view();
        assert_eq!(halted(&view), []);
        assert!(!held_back(&view));
    }
}
