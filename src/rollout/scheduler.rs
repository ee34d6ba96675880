//! The state of a rollout, and what it allows next.

use std::collections::{BTreeSet, HashMap};

use indexmap::IndexMap;

use super::Limits;
use crate::model::{OperationPreferences, Region, RegionConcurrency, SkipReason, Target};

/// One operation over many targets, with the order, concurrency and tolerance of StackSets.
///
/// It only knows what it was told by [`begin`](Self::begin), [`finish`](Self::finish) and
/// [`skip`](Self::skip); telling a new one the same things in the same order gives an equal one, which is how
/// a resumed execution gets its rollout back.
///
/// ```text
/// waiting ──begin──► running ──finish──► ended
///    ├──────────finish (no change, no change set)──► ended
///    └──────────skip──────────────────────────────► ended
/// ```
///
/// Every other step, such as finishing twice, changes nothing: a target ends once, and the first end counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    concurrency: RegionConcurrency,
    lanes: Vec<Lane>,
    /// The lane of each target, and its place in it.
    places: HashMap<Target, (usize, usize)>,
}

/// What a rollout allows now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Next {
    /// The targets to begin, in order.
    pub start: Vec<Target>,
    /// The targets that will not begin any more, and why.
    pub skip: Vec<(Target, SkipReason)>,
    /// Whether every target has ended; nothing is started or skipped then.
    pub done: bool,
}

/// The targets of one region.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lane {
    region: Region,
    limits: Limits,
    targets: Vec<Target>,
    waiting: BTreeSet<usize>,
    running: BTreeSet<usize>,
    failed: u32,
}

impl Rollout {
    /// Returns a rollout in which every target waits.
    ///
    /// Percentages are of all targets given here, so targets without changes belong in too; they are
    /// finished without being begun. A target named twice counts once.
    pub fn new(targets: &[Target], preferences: &OperationPreferences) -> Self {
        let mut regions: IndexMap<&Region, Vec<Target>> = preferences
            .region_order
            .iter()
            .map(|region| (region, Vec::new()))
            .collect();
        let mut seen = BTreeSet::new();
        for target in targets {
            if seen.insert(target) {
                regions
                    .entry(&target.region)
                    .or_default()
                    .push(target.clone());
            }
        }
        let lanes: Vec<Lane> = regions
            .into_iter()
            .filter(|(_, targets)| !targets.is_empty())
            .map(|(region, targets)| Lane {
                region: region.clone(),
                limits: Limits::new(targets.len(), preferences),
                waiting: (0..targets.len()).collect(),
                running: BTreeSet::new(),
                failed: 0,
                targets,
            })
            .collect();
        let places = lanes
            .iter()
            .enumerate()
            .flat_map(|(l, lane)| {
                let places = lane.targets.iter().enumerate();
                places.map(move |(t, target)| (target.clone(), (l, t)))
            })
            .collect();
        Self {
            concurrency: preferences.region_concurrency,
            lanes,
            places,
        }
    }

    /// Returns what may begin and what will not begin any more.
    ///
    /// Asking changes nothing: the same answer comes until `begin`, `finish` or `skip` says that
    /// something happened.
    pub fn next(&self) -> Next {
        let mut next = Next {
            done: self.lanes.iter().all(Lane::has_ended),
            ..Next::default()
        };
        let mut earlier_failed: Option<&Region> = None;
        let mut earlier_runs = false;
        for lane in &self.lanes {
            if lane.has_failed() {
                let reason = SkipReason::ToleranceExceeded {
                    failed: lane.failed,
                    tolerance: lane.limits.tolerance,
                };
                next.skip.extend(lane.skipped(&reason));
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
        next
    }

    /// Notes that `target` has begun.
    pub fn begin(&mut self, target: &Target) {
        if let Some((lane, place)) = self.find(target)
            && lane.waiting.remove(&place)
        {
            lane.running.insert(place);
        }
    }

    /// Notes that `target` has ended, begun or not, and whether that counts against the tolerance.
    pub fn finish(&mut self, target: &Target, failed: bool) {
        if let Some((lane, place)) = self.find(target)
            && (lane.running.remove(&place) || lane.waiting.remove(&place))
            && failed
        {
            lane.failed = lane.failed.saturating_add(1);
        }
    }

    /// Notes that `target` will not begin.
    pub fn skip(&mut self, target: &Target) {
        if let Some((lane, place)) = self.find(target) {
            lane.waiting.remove(&place);
        }
    }

    /// Returns the targets that have neither begun nor ended, in order.
    pub fn waiting(&self) -> impl Iterator<Item = &Target> {
        self.lanes.iter().flat_map(|lane| lane.at(&lane.waiting))
    }

    /// Returns the targets that have begun and not ended, in order.
    pub fn running(&self) -> impl Iterator<Item = &Target> {
        self.lanes.iter().flat_map(|lane| lane.at(&lane.running))
    }

    /// Returns the regions with more failures than are tolerated, in order.
    pub fn failed_regions(&self) -> impl Iterator<Item = &Region> {
        let failed = self.lanes.iter().filter(|lane| lane.has_failed());
        failed.map(|lane| &lane.region)
    }

    /// Returns whether any region has more failures than are tolerated.
    pub fn is_failed(&self) -> bool {
        self.failed_regions().next().is_some()
    }

    fn find(&mut self, target: &Target) -> Option<(&mut Lane, usize)> {
        let &(lane, place) = self.places.get(target)?;
        Some((self.lanes.get_mut(lane)?, place))
    }
}

impl Lane {
    fn has_failed(&self) -> bool {
        self.limits.is_exceeded(self.failed)
    }

    fn has_ended(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }

    fn at<'a>(&'a self, places: &'a BTreeSet<usize>) -> impl Iterator<Item = &'a Target> {
        places.iter().filter_map(|place| self.targets.get(*place))
    }

    fn startable(&self) -> impl Iterator<Item = Target> {
        let allowed = usize::try_from(self.limits.allowed(self.failed)).unwrap_or(usize::MAX);
        let free = allowed.saturating_sub(self.running.len());
        self.at(&self.waiting).take(free).cloned()
    }

    fn skipped(&self, reason: &SkipReason) -> impl Iterator<Item = (Target, SkipReason)> {
        self.at(&self.waiting)
            .map(|target| (target.clone(), reason.clone()))
    }
}
