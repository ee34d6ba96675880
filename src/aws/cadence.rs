//! When to look again. The only place of this room that waits or reads a clock.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::{FailureKind, Priority};

/// Decides only in the first moments, which may be all that a deployment to an emulator lasts.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(5);

/// What each watched stack leaves to each other one of its account and region between two of its own polls:
/// about ten polls a second together, since CloudFormation allows few.
const SPACING_IN_PLACE: Duration = Duration::from_millis(100);

/// The same for all watched stacks: about a hundred polls a second together, however large the fleet.
const SPACING: Duration = Duration::from_millis(10);

/// How long a poll waits at least where the service has asked for fewer calls: one that comes too early to see
/// anything would take the place of a call that gets something done.
const SPACING_WHEN_SHORT: Duration = Duration::from_secs(1);

/// The longest rest of an account and region. Rests spread by half of it, so that many places that are refused
/// together do not come back together, nor are all idle at once.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// How many other stacks are being watched, and how the service takes it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Others {
    /// In the same account and region.
    pub(super) in_place: usize,
    /// Anywhere.
    pub(super) anywhere: usize,
    /// Whether the service asked for fewer calls a short while ago.
    pub(super) is_short: bool,
}

impl Others {
    fn spacing(self) -> Duration {
        let times =
            |each: Duration, n: usize| each.saturating_mul(u32::try_from(n).unwrap_or(u32::MAX));
        let short = match self.is_short {
            true => SPACING_WHEN_SHORT,
            false => Duration::ZERO,
        };
        times(SPACING_IN_PLACE, self.in_place)
            .max(times(SPACING, self.anywhere))
            .max(short)
    }
}

/// Returns how long to wait until the next poll of something that has been going on for `elapsed`.
///
/// A tenth of the elapsed time for five seconds, then a second, and after a minute a sixtieth of the elapsed
/// time up to [`LONGEST`]: news is late by about a second while people watch, and an hour takes few polls.
/// Where many stacks are watched, each is polled less often. `jitter` is from 0 to 1.
pub(super) fn poll(elapsed: Duration, others: Others, jitter: f64) -> Duration {
    let own = if elapsed < Duration::from_secs(5) {
        (elapsed / 10).max(SHORTEST)
    } else {
        (elapsed / 60).clamp(Duration::from_secs(1), LONGEST)
    };
    own.max(others.spacing())
        .mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 10.0)
}

/// Returns how long an account and region rests after the `throttled`th refusal in a row, from 0.
pub(super) fn rest(throttled: u32, jitter: f64) -> Duration {
    let full = Duration::from_millis(500)
        .saturating_mul(1 << throttled.min(10))
        .min(LONGEST_REST);
    full.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

/// What a failed call may do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The service asked for fewer calls.
    Throttled,
    /// Nothing was carried out, and a later attempt may succeed.
    Passing,
}

/// Returns how long to wait before the next attempt of a call, or `None` if it has failed for good.
///
/// Throttling is waited out by its own clock in the budget, hence without a wait here. What people
/// watch is patient: a deployment that succeeds must not fail because looking at it does.
fn patience(
    trouble: Trouble,
    priority: Priority,
    attempt: u32,
    elapsed: Duration,
    jitter: f64,
) -> Option<Duration> {
    let limit = match (trouble, priority) {
        (Trouble::Throttled, Priority::Observe) => return Some(Duration::ZERO),
        (Trouble::Throttled, Priority::Read | Priority::Mutate) => Duration::from_secs(600),
        (Trouble::Passing, Priority::Observe) => Duration::from_secs(300),
        (Trouble::Passing, Priority::Read | Priority::Mutate) => {
            return (attempt < 3).then(|| Duration::from_millis(200) * (1 << attempt));
        }
    };
    (elapsed < limit).then(|| match trouble {
        Trouble::Throttled => Duration::ZERO,
        Trouble::Passing => poll(elapsed, Others::default(), jitter),
    })
}

impl Trouble {
    /// Returns what is wrong where a later attempt may go better; none where it would not.
    pub(super) fn of(kind: &FailureKind) -> Option<Self> {
        match kind {
            FailureKind::Throttled => Some(Self::Throttled),
            FailureKind::Unreachable => Some(Self::Passing),
            FailureKind::CredentialsExpired
            | FailureKind::AccessDenied
            | FailureKind::RegionNotEnabled
            | FailureKind::NotFound
            | FailureKind::AlreadyExists
            | FailureKind::MissingCapabilities(_)
            | FailureKind::Refused
            | FailureKind::Ambiguous
            | FailureKind::BadInput
            | FailureKind::SecretNeeded(_) => None,
        }
    }

    /// Waits for the next attempt of a call that was begun with `clock`; returns false if it has failed for good.
    pub(super) async fn outwaited(
        self,
        priority: Priority,
        attempt: u32,
        clock: Stopwatch,
    ) -> bool {
        let Some(wait) = patience(self, priority, attempt, clock.elapsed(), jitter()) else {
            return false;
        };
        pause(wait).await;
        true
    }
}

/// Measures how long something has been going on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    /// Returns one that starts now.
    pub(super) fn start() -> Self {
        Self(now())
    }

    /// Returns the time since the start.
    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Returns the present moment, which tests can stop.
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Returns a number from 0 to 1.
pub(super) fn jitter() -> f64 {
    fastrand::f64()
}

/// Waits.
#[expect(
    clippy::disallowed_methods,
    reason = "the adapter that the ban points to"
)]
pub(super) async fn pause(wait: Duration) {
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALONE: Others = Others {
        in_place: 0,
        anywhere: 0,
        is_short: false,
    };

    fn seconds(s: f64) -> Duration {
        Duration::from_secs_f64(s)
    }

    #[test]
    fn polls_begin_fast_and_slow_down() {
        assert_eq!(poll(Duration::ZERO, ALONE, 0.0), SHORTEST);
        assert_eq!(poll(seconds(1.0), ALONE, 0.0), seconds(0.1));
        assert_eq!(poll(seconds(5.0), ALONE, 0.0), seconds(1.0));
        assert_eq!(poll(seconds(60.0), ALONE, 0.0), seconds(1.0));
        assert_eq!(poll(seconds(3600.0), ALONE, 0.0), LONGEST);
    }

    #[test]
    fn where_calls_are_short_no_poll_comes_early() {
        let short = Others {
            is_short: true,
            ..ALONE
        };
        assert_eq!(poll(Duration::ZERO, short, 0.0), seconds(1.0));
        assert_eq!(poll(seconds(3600.0), short, 0.0), LONGEST);
    }

    #[test]
    fn an_hour_takes_few_polls() {
        let (mut now, mut polls) = (Duration::ZERO, 0);
        while now < seconds(3600.0) {
            now += poll(now, ALONE, 0.0);
            polls += 1;
        }
        assert!(polls < 950, "{polls}");
    }

    #[test]
    fn throttling_rests_longer_each_time_and_never_fails_an_observation() {
        assert_eq!(rest(0, 1.0), seconds(0.5));
        assert_eq!(rest(1, 1.0), seconds(1.0));
        assert_eq!(rest(u32::MAX, 1.0), LONGEST_REST);
        let of = |priority, elapsed| patience(Trouble::Throttled, priority, 9, elapsed, 0.0);
        assert!(of(Priority::Observe, seconds(86_400.0)).is_some());
        assert!(of(Priority::Mutate, seconds(30.0)).is_some());
        assert!(of(Priority::Mutate, seconds(601.0)).is_none());
    }

    proptest! {
        #[test]
        fn invariant_news_is_late_by_a_tenth_or_a_second_or_a_fiftieth(ms in 200u64..10_000_000, jitter in 0.0..1.0f64) {
            let elapsed = Duration::from_millis(ms);
            let wait = poll(elapsed, ALONE, jitter);
            let second = seconds(1.1001);
            prop_assert!(wait <= elapsed.mul_f64(0.1101) || elapsed >= seconds(5.0) && wait <= second.max(elapsed / 50));
        }

        #[test]
        fn invariant_one_poll_a_second_after_five_seconds(ms in 5_000u64..10_000_000, n in 0usize..500, jitter in 0.0..1.0f64) {
            let others = Others { in_place: n, anywhere: n, is_short: false };
            prop_assert!(poll(Duration::from_millis(ms), others, jitter) >= Duration::from_secs(1));
        }

        #[test]
        fn invariant_many_stacks_share_a_bounded_number_of_polls(ms in 0u64..10_000, in_place in 10usize..500, elsewhere in 100usize..5_000) {
            let others = Others { in_place, anywhere: in_place + elsewhere, is_short: false };
            let each = poll(Duration::from_millis(ms), others, 0.0).as_secs_f64();
            prop_assert!((in_place + 1) as f64 / each <= 11.1);
            prop_assert!((in_place + elsewhere + 1) as f64 / each <= 101.1);
        }
    }
}
