//! How old a decision may be that a call rests on.

use std::time::{Duration, Instant, SystemTime};

use super::cadence::Stopwatch;

/// How long after it was decided on a change may be sent. Somebody else takes an execution over ten seconds after the last proof of life of its
/// owner at the earliest, and may end it: a process that was suspended, or waited for its turn, must not go on with it then. And what was
/// compared with the approved is not what is there for ever.
const FRESH: Duration = Duration::from_secs(8);

/// When it was decided that a call is to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decided {
    waiting: Stopwatch,
    /// By the clock that stands still while the machine sleeps, and by the one that does not.
    awake: Instant,
    passed: SystemTime,
}

impl Decided {
    #[expect(
        clippy::disallowed_methods,
        reason = "for how long the machine slept is told by no other clock; it never counts as time in a test"
    )]
    pub(super) fn now() -> Self {
        Self {
            waiting: Stopwatch::start(),
            awake: Instant::now(),
            passed: SystemTime::now(),
        }
    }

    /// Returns how long ago that was, where that is too long.
    pub(super) fn too_long_ago(&self) -> Option<Duration> {
        // A clock that was set back tells nothing.
        let passed = self.passed.elapsed().unwrap_or_default();
        let asleep = passed.saturating_sub(self.awake.elapsed());
        let ago = self.waiting.elapsed() + asleep;
        (ago > FRESH).then_some(ago)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_that_the_machine_slept_counts() {
        let decided = Decided::now();
        assert_eq!(decided.too_long_ago(), None);
        let slept = Decided {
            passed: decided.passed - 2 * FRESH,
            ..decided
        };
        assert!(slept.too_long_ago() > Some(FRESH));
        let set_back = Decided {
            passed: decided.passed + 2 * FRESH,
            ..decided
        };
        assert_eq!(set_back.too_long_ago(), None);
        tokio::time::advance(2 * FRESH).await;
        assert!(decided.too_long_ago() > Some(FRESH));
    }
}
