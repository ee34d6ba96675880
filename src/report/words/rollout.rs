//! How a rollout, or a wave of one, moves over its targets.

use indexmap::IndexMap;

use crate::model::{
    ConcurrencyMode, CountOrPercent, Limits, OperationPreferences, Region, RegionConcurrency,
    Target,
};

use super::count;

/// The regions up to which an order is told as a sentence, and the most that are named where it has no effect.
const MANY_REGIONS: usize = 6;

/// The targets of one region.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    /// All of them, of which percentages are taken.
    all: usize,
    /// Those that are changed.
    changed: usize,
}

/// Returns how a rollout moves over `targets`: the order of the regions in which something changes, how many targets at a
/// time, when it stops. Nothing where fewer than two targets change.
///
/// Each target comes with whether it is changed.
pub(in crate::report) fn rollout<'a>(
    preferences: &'a OperationPreferences,
    targets: impl Iterator<Item = (&'a Target, bool)>,
) -> Vec<String> {
    // The order of the engine: first as it was asked for, then as the targets come.
    let named = preferences.region_order.iter();
    let mut regions: IndexMap<&Region, Size> = named.map(|r| (r, Size::default())).collect();
    for (target, is_changed) in targets {
        let size = regions.entry(&target.region).or_default();
        size.all += 1;
        size.changed += usize::from(is_changed);
    }
    regions.retain(|_, size| size.changed > 0);
    let several = regions.len() > 1;
    let is_parallel = several && preferences.region_concurrency == RegionConcurrency::Parallel;
    let mut parts = vec![order(&regions, is_parallel)];
    if regions.values().map(|size| size.changed).sum::<usize>() > 1 {
        parts.push(at_a_time(preferences, &regions, is_parallel));
    }
    let most = regions.values().map(|size| size.all).max().unwrap_or(0);
    parts.push(stop(preferences, most, several, is_parallel));
    parts
}

/// `eu-west-1, then us-east-1`; all of them where one comes after the other, since their order is part of what is approved.
fn order(regions: &IndexMap<&Region, Size>, is_parallel: bool) -> String {
    let all: Vec<&str> = regions.keys().map(|region| region.as_str()).collect();
    let first = all.get(..MANY_REGIONS).unwrap_or(&all);
    let hidden = all.len() - first.len();
    match (is_parallel, hidden) {
        (true, 0) => format!("{} side by side", all.join(", ")),
        (true, _) => format!("{} and {hidden} more side by side", first.join(", ")),
        (false, 0) => all.join(", then "),
        (false, _) => format!(
            "{} one after the other: {}",
            count(all.len(), "region"),
            all.join(", ")
        ),
    }
}

/// `2 targets at a time`; where regions run side by side, that many in each of them, and so many together.
fn at_a_time(
    preferences: &OperationPreferences,
    regions: &IndexMap<&Region, Size>,
    is_parallel: bool,
) -> String {
    let most = regions.values().map(|size| size.all).max().unwrap_or(0);
    let text = concurrency(preferences, most);
    if !is_parallel {
        return match preferences.max_concurrent {
            CountOrPercent::Percent(_) if regions.len() > 1 => format!("{text} in a region"),
            CountOrPercent::Percent(_) | CountOrPercent::Count(_) => text,
        };
    }
    let allowed = |size: &Size| {
        let allowed = Limits::new(size.all, preferences).allowed(0);
        usize::try_from(allowed).map_or(size.changed, |allowed| allowed.min(size.changed))
    };
    let together: usize = regions.values().map(allowed).sum();
    if together == regions.values().map(|size| size.changed).sum::<usize>() {
        return "all at once".to_owned();
    }
    format!("{text} in each region, {together} at once")
}

fn stop(
    preferences: &OperationPreferences,
    most: usize,
    several: bool,
    is_parallel: bool,
) -> String {
    let place = if several { " in a region" } else { "" };
    let what = if is_parallel { "it" } else { "the rollout" };
    match preferences.failure_tolerance {
        CountOrPercent::Count(0) | CountOrPercent::Percent(0) => {
            let place = if is_parallel { place } else { "" };
            format!("the first failure{place} stops {what}")
        }
        // Of all targets: more than all cannot fail.
        CountOrPercent::Percent(100..) => "no number of failures stops it".to_owned(),
        CountOrPercent::Count(1) => format!("more than 1 failure{place} stops {what}"),
        CountOrPercent::Count(number) => {
            let failures = count(number as usize, "failure");
            format!("more than {failures}{place} stop {what}")
        }
        CountOrPercent::Percent(share) => {
            let tolerance = Limits::new(most, preferences).tolerance;
            format!("more than {share}% failures ({tolerance} of {most}){place} stop {what}")
        }
    }
}

/// Returns how many targets are changed at a time: fewer than were asked for where a strict mode says so. `most`: how
/// many there are in the largest region, of which percentages are taken.
pub(in crate::report) fn concurrency(preferences: &OperationPreferences, most: usize) -> String {
    let share = |value: CountOrPercent| match value {
        CountOrPercent::Count(number) => number as usize,
        CountOrPercent::Percent(share) => most.saturating_mul(usize::from(share)) / 100,
    };
    let asked = match preferences.max_concurrent {
        CountOrPercent::Count(number) => {
            format!("{} at a time", count(number as usize, "target"))
        }
        CountOrPercent::Percent(percent @ 100..) => {
            format!("{percent}% of the targets at a time")
        }
        CountOrPercent::Percent(percent) => {
            let limit = Limits::new(most, preferences).max_concurrent;
            format!("{percent}% of the targets at a time ({limit} of {most})")
        }
    };
    // Strict: never more than could all fail with one failure beyond the tolerance.
    let allowed = share(preferences.failure_tolerance).saturating_add(1);
    match preferences.concurrency_mode {
        ConcurrencyMode::Strict if allowed < share(preferences.max_concurrent).min(most) => {
            let asked = match preferences.max_concurrent {
                CountOrPercent::Count(number) => number.to_string(),
                CountOrPercent::Percent(share) => format!("{share}%"),
            };
            format!(
                "{} at a time ({asked} asked for; strict mode allows one more than may fail)",
                count(allowed, "target")
            )
        }
        ConcurrencyMode::Strict | ConcurrencyMode::Soft => asked,
    }
}
