//! How old that may be on which a call rests.

use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use super::cadence::Stopwatch;

/// How long after it was decided on a change may be sent: what was compared with the approved is not what is there for ever.
pub(super) const FRESH: Duration = Duration::from_secs(60);

/// How long a proof counts that this process holds what it carries out. Somebody else takes an execution over fifteen seconds after the last
/// one at the earliest, and may end it: a process that was suspended must not go on with it then.
const PROVEN: Duration = Duration::from_secs(8);

/// A moment, from which also the time counts that the machine sleeps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    waiting: Stopwatch,
    /// By the clock that stands still while the machine sleeps, and by the one that does not.
    awake: Instant,
    passed: SystemTime,
}

impl Moment {
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

    /// Returns how long ago it was.
    pub(super) fn elapsed(&self) -> Duration {
        // A clock that was set back tells nothing.
        let passed = self.passed.elapsed().unwrap_or_default();
        let asleep = passed.saturating_sub(self.awake.elapsed());
        self.waiting.elapsed() + asleep
    }
}

/// When this process was proven last to hold what it carries out. What is carried out for nobody needs no proof.
#[derive(Debug, Default)]
pub(super) struct Held(watch::Sender<Option<Moment>>);

impl Held {
    /// Notes that it was proven now.
    pub(super) fn note(&self) {
        self.0.send_replace(Some(Moment::now()));
    }

    /// Waits until it was proven a short while ago; for ever, where it no longer can be.
    pub(super) async fn proven(&self) {
        let is_proven = |proof: &Option<Moment>| proof.is_none_or(|p| p.elapsed() <= PROVEN);
        // The sender is here, so it does not end.
        let _ = self.0.subscribe().wait_for(is_proven).await;
    }
}

#[cfg(test)]
mod tests {
    use super::super::cadence::pause;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_that_the_machine_slept_counts() {
        let now = Moment::now();
        assert!(now.elapsed() < FRESH);
        let slept = Moment {
            passed: now.passed - 2 * FRESH,
            ..now
        };
        assert!(slept.elapsed() > FRESH);
        let set_back = Moment {
            passed: now.passed + 2 * FRESH,
            ..now
        };
        assert!(set_back.elapsed() < FRESH);
        pause(2 * FRESH).await;
        assert!(now.elapsed() > FRESH);
    }

    #[tokio::test(start_paused = true)]
    async fn a_proof_counts_for_a_while_and_another_one_is_waited_for() {
        let held = Held::default();
        // Nobody has it.
        held.proven().await;
        held.note();
        pause(PROVEN).await;
        held.proven().await;
        pause(PROVEN).await;
        let again = async {
            pause(PROVEN).await;
            held.note();
        };
        let clock = Stopwatch::start();
        tokio::join!(held.proven(), again);
        assert_eq!(clock.elapsed(), PROVEN);
    }
}
