//! The arithmetic of StackSets for the targets of one region.

use super::{ConcurrencyMode, CountOrPercent, OperationPreferences};

/// How many targets of one region may run, and how many may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The targets of the region that may run at once; at least one.
    pub max_concurrent: u32,
    /// The targets of the region that may fail.
    pub tolerance: u32,
    /// What happens to concurrency as failures come in.
    pub mode: ConcurrencyMode,
}

impl Limits {
    /// Returns the limits for a region of `targets` targets.
    ///
    /// Percentages are rounded down, as StackSets does; nothing would ever run if the concurrency
    /// were rounded down to zero, so that is at least one.
    pub fn new(targets: usize, preferences: &OperationPreferences) -> Self {
        Self {
            max_concurrent: share(preferences.max_concurrent, targets).max(1),
            tolerance: share(preferences.failure_tolerance, targets),
            mode: preferences.concurrency_mode,
        }
    }

    /// Returns how many targets may be under way after `failed` failures.
    ///
    /// Strict: never more than could all fail with the failures staying within one of the tolerance.
    pub fn allowed(&self, failed: u32) -> u32 {
        match self.mode {
            ConcurrencyMode::Strict => self
                .max_concurrent
                .min(self.tolerance.saturating_add(1).saturating_sub(failed)),
            ConcurrencyMode::Soft => self.max_concurrent,
        }
    }

    /// Returns whether `failed` failures are more than the region may have.
    pub fn is_exceeded(&self, failed: u32) -> bool {
        failed > self.tolerance
    }
}

/// Returns the count that `value` stands for among `targets` targets.
fn share(value: CountOrPercent, targets: usize) -> u32 {
    match value {
        CountOrPercent::Count(count) => count,
        CountOrPercent::Percent(percent) => {
            let targets = u64::try_from(targets).unwrap_or(u64::MAX);
            let share = targets.saturating_mul(u64::from(percent)) / 100;
            u32::try_from(share).unwrap_or(u32::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(targets: usize, max: &str, tolerance: &str, mode: ConcurrencyMode) -> Limits {
        let preferences = OperationPreferences {
            max_concurrent: max.parse().unwrap(),
            failure_tolerance: tolerance.parse().unwrap(),
            concurrency_mode: mode,
            ..OperationPreferences::default()
        };
        Limits::new(targets, &preferences)
    }

    #[test]
    fn percentages_are_rounded_down_and_concurrency_is_at_least_one() {
        let of_ten = |max, tolerance| {
            let limits = limits(10, max, tolerance, ConcurrencyMode::Strict);
            (limits.max_concurrent, limits.tolerance)
        };
        // The published examples for ten accounts.
        assert_eq!(of_ten("25%", "25%"), (2, 2));
        assert_eq!(of_ten("5%", "5%"), (1, 0));
        assert_eq!(of_ten("100%", "100%"), (10, 10));
        assert_eq!(of_ten("0", "0%"), (1, 0));
        assert_eq!(of_ten("40", "30"), (40, 30));
    }

    #[test]
    fn strict_concurrency_shrinks_with_failures() {
        let limits = limits(10, "10", "5", ConcurrencyMode::Strict);
        let allowed: Vec<u32> = (0..8).map(|failed| limits.allowed(failed)).collect();
        assert_eq!(allowed, [6, 5, 4, 3, 2, 1, 0, 0]);
        assert!(!limits.is_exceeded(5));
        assert!(limits.is_exceeded(6));
    }

    #[test]
    fn strict_concurrency_far_below_the_tolerance_does_not_stall() {
        let limits = limits(100, "2", "50", ConcurrencyMode::Strict);
        assert_eq!(limits.allowed(0), 2);
        assert_eq!(limits.allowed(49), 2);
        assert_eq!(limits.allowed(50), 1);
        assert_eq!(limits.allowed(51), 0);
    }

    #[test]
    fn soft_concurrency_stays() {
        let limits = limits(10, "10", "5", ConcurrencyMode::Soft);
        assert_eq!(limits.allowed(0), 10);
        assert_eq!(limits.allowed(5), 10);
        assert!(limits.is_exceeded(6));
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let most = u32::MAX.to_string();
        let limits = limits(usize::MAX, &most, &most, ConcurrencyMode::Strict);
        assert_eq!(limits.allowed(0), u32::MAX);
        assert_eq!(limits.allowed(u32::MAX), 0);
        let preferences = OperationPreferences {
            max_concurrent: CountOrPercent::Percent(255),
            failure_tolerance: CountOrPercent::Percent(100),
            ..OperationPreferences::default()
        };
        assert_eq!(Limits::new(usize::MAX, &preferences).tolerance, u32::MAX);
    }
}
