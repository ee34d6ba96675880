//! One wave of a rollout: its regions, and the gates after it.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::lane::Lane;
use super::{Limits, Next};
use crate::model::{
    Gate, GatePlace, OperationPreferences, Region, RegionConcurrency, SkipReason, Target, WaveName,
};

/// One wave of a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WaveState {
    pub(super) name: WaveName,
    concurrency: RegionConcurrency,
    pub(super) lanes: Vec<Lane>,
    gates: Vec<Gate>,
    /// How many of the gates were passed.
    passed: usize,
    /// Why the gate after those that were passed never will be.
    closed: Option<String>,
}

impl WaveState {
    /// Returns a wave in which every target waits. `has_ended_before`: whether an earlier execution ran some of it, so
    /// that its gates stand though none of its targets runs here.
    pub(super) fn new(
        name: WaveName,
        targets: &[&Target],
        preferences: &OperationPreferences,
        gates: &[Gate],
        has_ended_before: bool,
    ) -> Self {
        let mut regions: IndexMap<&Region, Vec<Target>> = preferences
            .region_order
            .iter()
            .map(|region| (region, Vec::new()))
            .collect();
        for target in targets {
            regions
                .entry(&target.region)
                .or_default()
                .push((*target).clone());
        }
        let lanes = regions
            .into_iter()
            .filter(|(_, targets)| !targets.is_empty())
            .map(|(region, targets)| Lane {
                region: region.clone(),
                limits: Limits::new(targets.len(), preferences),
                waiting: (0..targets.len()).collect(),
                running: BTreeSet::new(),
                failed: 0,
                targets,
            });
        let lanes: Vec<Lane> = lanes.collect();
        // After nothing, there is nothing to be passed.
        let gates = match lanes.is_empty() && !has_ended_before {
            true => Vec::new(),
            false => gates.to_vec(),
        };
        Self {
            name,
            concurrency: preferences.region_concurrency,
            lanes,
            gates,
            passed: 0,
            closed: None,
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.lanes.iter().any(Lane::has_failed)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.lanes.iter().all(Lane::has_ended)
    }

    pub(super) fn has_waiting(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.waiting.is_empty())
    }

    /// Returns the gate that is to be passed, once all targets have ended.
    pub(super) fn gate(&self) -> Option<GatePlace> {
        let gate = self.gates.get(self.passed)?;
        Some(GatePlace {
            wave: self.name.clone(),
            number: u32::try_from(self.passed + 1).unwrap_or(u32::MAX),
            gate: gate.clone(),
        })
    }

    pub(super) fn open(&mut self) {
        if self.closed.is_none() {
            self.passed += 1;
        }
    }

    pub(super) fn close(&mut self, reason: &str) {
        self.closed.get_or_insert_with(|| reason.to_owned());
    }

    /// Returns why no later wave begins any more, if that is so.
    pub(super) fn stops_later(&self) -> Option<SkipReason> {
        if self.has_failed() {
            let wave = self.name.clone();
            return Some(SkipReason::EarlierWaveFailed { wave });
        }
        let (reason, place) = (self.closed.as_ref()?, self.gate()?);
        Some(SkipReason::GateClosed {
            wave: place.wave,
            gate: place.gate,
            reason: reason.clone(),
        })
    }

    /// Adds what may begin in this wave, and what will not any more.
    pub(super) fn push(&self, next: &mut Next) {
        let mut earlier_failed: Option<&Region> = None;
        let mut earlier_runs = false;
        for lane in &self.lanes {
            if lane.has_failed() {
                next.skip.extend(lane.skipped(&lane.why_failed()));
            } else if let Some(region) = earlier_failed {
                let region = region.clone();
                let reason = SkipReason::EarlierRegionFailed { region };
                next.skip.extend(lane.skipped(&reason));
            } else if !earlier_runs {
                next.start.extend(lane.startable());
            }
            match self.concurrency {
                RegionConcurrency::Sequential => {
                    if lane.has_failed() {
                        earlier_failed = earlier_failed.or(Some(&lane.region));
                    }
                    earlier_runs |= !lane.has_ended();
                }
                RegionConcurrency::Parallel => {}
            }
        }
    }
}
