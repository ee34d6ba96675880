//! When to look again. The only place of this room that waits or reads a clock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::futures::TaskLocalFuture;
use tokio::time::Instant;

use super::budget::Watcher;
use crate::model::{CallFailure, FailureKind, Priority};

/// Decides only in the first moments, which may be all that a deployment to an emulator lasts.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(5);

/// What each watched stack leaves to each other one of its account and region between two of its own polls:
/// about ten polls a second together, since CloudFormation allows few.
const SPACING_IN_PLACE: Duration = Duration::from_millis(100);

/// The same for all watched stacks: about a hundred polls a second together, however large the fleet.
const SPACING: Duration = Duration::from_millis(10);

/// So many watched stacks are followed by their ends, once it is known when to expect them.
const MANY: usize = 100;

/// How long a poll waits at least where the service has asked for fewer calls: one that comes too early to see
/// anything would take the place of a call that gets something done.
const SPACING_WHEN_SHORT: Duration = Duration::from_secs(1);

/// How late the poll that is to see an end may come, so that those of many stacks do not come at once.
const SLIGHTLY_LATE: Duration = Duration::from_millis(250);

/// How many other stacks are being watched, and how the service takes it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Others {
    /// In the same account and region.
    pub(super) in_place: usize,
    /// Anywhere.
    pub(super) anywhere: usize,
    /// In which time the service answers one call, where it asked for fewer a short while ago.
    pub(super) short: Option<Duration>,
}

fn times(each: Duration, count: usize) -> Duration {
    each.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}

impl Others {
    fn spacing(self) -> Duration {
        self.spacing_in_place().max(times(SPACING, self.anywhere))
    }

    /// Returns what the account and region asks for, whatever happens in others.
    fn spacing_in_place(self) -> Duration {
        let Some(call) = self.short else {
            return times(SPACING_IN_PLACE, self.in_place);
        };
        // Half of the calls are for what gets something done.
        let each = SPACING_IN_PLACE.max(2 * call);
        times(each, self.in_place).max(SPACING_WHEN_SHORT)
    }
}

/// Returns how long to wait, `elapsed` into something, until the next poll of it.
///
/// A tenth of the elapsed time for five seconds, then a second, and after a minute a sixtieth of the elapsed
/// time up to [`LONGEST`]: news is late by about a second while people watch, and an hour takes few polls.
/// Where many stacks are watched, each is polled less often until it is about to end: `expected` says when others like it
/// did. `jitter` is from 0 to 1.
pub(super) fn poll(
    elapsed: Duration,
    others: Others,
    expected: Option<Duration>,
    jitter: f64,
) -> Duration {
    let own = if elapsed < Duration::from_secs(5) {
        (elapsed / 10).max(SHORTEST)
    } else {
        (elapsed / 60).clamp(Duration::from_secs(1), LONGEST)
    };
    let wait = match expected {
        Some(expected) if elapsed < 2 * expected.max(LONGEST) && elapsed >= expected => {
            own.max(others.spacing_in_place())
        }
        // It takes longer than what was expected, and need not end soon.
        Some(expected) if elapsed >= expected => {
            own.max(others.spacing_in_place()).max(others.spacing() / 4)
        }
        Some(expected) => {
            let until_then = (expected - elapsed).max(others.spacing_in_place());
            let seldom = match others.anywhere {
                // Nobody follows so many one by one; what they are waiting for is their ends.
                MANY.. => expected / 4,
                _ => Duration::ZERO,
            };
            let wait = own.max(others.spacing()).max(seldom);
            if until_then <= wait {
                // The end is what it is for: a tenth of a long wait would notice it seconds later.
                return until_then + jittered(until_then, jitter).min(SLIGHTLY_LATE);
            }
            wait
        }
        None => own.max(others.spacing()),
    };
    wait + jittered(wait, jitter)
}

/// Returns up to a tenth of `wait`, so that polls do not fall into step.
fn jittered(wait: Duration, jitter: f64) -> Duration {
    wait.mul_f64(jitter.clamp(0.0, 1.0) / 10.0)
}

/// How long things of one kind took here so far. In a fleet they are much alike: once one has come to its end, the others
/// are looked at when they are about to.
#[derive(Debug)]
pub(super) struct Learned {
    expected: watch::Sender<Option<Duration>>,
    /// Whether one was seen to end. Until then, what is expected is hearsay.
    has_seen: AtomicBool,
}

impl Learned {
    /// Returns what knows nothing yet.
    pub(super) fn new() -> Self {
        Self {
            expected: watch::Sender::new(None),
            has_seen: AtomicBool::new(false),
        }
    }

    /// Takes over what earlier executions tell, until the first end is seen.
    pub(super) fn expect(&self, expected: Duration) {
        if !self.has_seen.load(Ordering::Relaxed) {
            self.expected.send_replace(Some(expected));
        }
    }

    /// Notes that one took `elapsed`; what is shorter than all before counts.
    pub(super) fn note(&self, elapsed: Duration) {
        let is_first = !self.has_seen.swap(true, Ordering::Relaxed);
        self.expected.send_if_modified(|known| {
            let is_news = is_first || known.is_none_or(|known| elapsed < known);
            if is_news {
                *known = Some(elapsed);
            }
            is_news
        });
    }

    /// Returns how long to wait, `from` into something, until the next poll of it.
    ///
    /// Of many that began together a few are looked at early, until one has ended: otherwise all would be looked at in the
    /// same moments, and nobody would notice the first end between them.
    fn next(&self, from: Duration, others: Others, jitter: f64) -> Duration {
        let expected = *self.expected.borrow();
        let wait = poll(from, others, expected, jitter);
        if others.anywhere < MANY || from >= wait || self.has_seen.load(Ordering::Relaxed) {
            return wait;
        }
        // Where nothing is known the waits are long, and all are spread over them.
        let share = match expected {
            Some(_) => MANY as f64 / others.anywhere as f64,
            None => 1.0,
        };
        let jitter = jitter.clamp(0.0, 1.0);
        match jitter < share {
            true => wait.mul_f64(1.0 - jitter / share).max(SHORTEST),
            false => wait,
        }
    }

    /// Waits until the next poll of what has been going on by `clock`, and counts `watcher` in while it waits.
    pub(super) async fn wait(&self, clock: Stopwatch, watcher: &Watcher) {
        let mut told = self.expected.subscribe();
        let (from, jitter) = (clock.elapsed(), jitter());
        loop {
            told.mark_unchanged();
            let due = from + self.next(from, watcher.others(), jitter);
            let left = due.saturating_sub(clock.elapsed());
            tokio::select! {
                () = pause(left) => return,
                Ok(()) = told.changed() => {}
            }
        }
    }
}

tokio::task_local! {
    static APPROVED: ();
}

/// Makes the calls of `carrying_out`, which were approved, with the patience that is due to them: minutes without a
/// network must not become failures of a rollout, after which healthy stacks may even be rolled back.
pub fn approved<F: Future>(carrying_out: F) -> TaskLocalFuture<(), F> {
    APPROVED.scope((), carrying_out)
}

fn is_approved() -> bool {
    APPROVED.try_with(|()| ()).is_ok()
}

/// How long calls are made again of which nothing usable comes.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

tokio::task_local! {
    static BRIEF: ();
}

/// How long an attempt of a call may take that is made briefly, from when it is sent.
pub(super) const BRIEFLY: Duration = Duration::from_secs(15);

/// Makes the calls of `removing` without the patience that others have where nothing answers: somebody who said no waits, and what
/// stays is found by who looks for it later. Calls that are refused as too many wait their turn as ever.
pub fn brief<F: Future>(removing: F) -> TaskLocalFuture<(), F> {
    BRIEF.scope((), removing)
}

pub(super) fn is_brief() -> bool {
    BRIEF.try_with(|()| ()).is_ok()
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
/// Throttling is waited out by the budget's own clock, hence without a wait here. What people
/// watch is patient: a deployment that succeeds must not fail because looking at it does.
fn patience(
    trouble: Trouble,
    priority: Priority,
    is_approved: bool,
    attempt: u32,
    elapsed: Duration,
    jitter: f64,
) -> Option<Duration> {
    let limit = match (trouble, priority) {
        (Trouble::Throttled, Priority::Observe | Priority::Outcome) => return Some(Duration::ZERO),
        (Trouble::Throttled, Priority::Read | Priority::Mutate | Priority::Execute) => {
            Duration::from_secs(600)
        }
        (Trouble::Passing, Priority::Observe | Priority::Outcome) => PATIENCE,
        // What was approved is carried out under other people's eyes too, or under nobody's.
        (Trouble::Passing, Priority::Read | Priority::Mutate | Priority::Execute)
            if is_approved =>
        {
            PATIENCE
        }
        (Trouble::Passing, Priority::Read | Priority::Mutate | Priority::Execute) => {
            return (attempt < 3).then(|| Duration::from_millis(200) * (1 << attempt));
        }
    };
    (elapsed < limit).then(|| match trouble {
        Trouble::Throttled => Duration::ZERO,
        Trouble::Passing => poll(elapsed, Others::default(), None, jitter),
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
            | FailureKind::NotSent
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
        // Looking is what people have most patience with, and nobody looks here.
        let priority = match (self, is_brief()) {
            (Self::Passing, true) => Priority::Read,
            (Self::Passing | Self::Throttled, _) => priority,
        };
        let Some(wait) = patience(
            self,
            priority,
            is_approved(),
            attempt,
            clock.elapsed(),
            jitter(),
        ) else {
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

    /// Says of a call for how long it was tried, where that was long.
    pub(super) fn told(self, failure: CallFailure) -> CallFailure {
        let minutes = self.elapsed().as_secs() / 60;
        match minutes {
            0 => failure,
            _ => CallFailure {
                message: format!("{}; tried for {minutes} min", failure.message),
                ..failure
            },
        }
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
        short: None,
    };

    fn seconds(s: f64) -> Duration {
        Duration::from_secs_f64(s)
    }

    #[test]
    fn polls_begin_fast_and_slow_down() {
        assert_eq!(poll(Duration::ZERO, ALONE, None, 0.0), SHORTEST);
        assert_eq!(poll(seconds(1.0), ALONE, None, 0.0), seconds(0.1));
        assert_eq!(poll(seconds(5.0), ALONE, None, 0.0), seconds(1.0));
        assert_eq!(poll(seconds(60.0), ALONE, None, 0.0), seconds(1.0));
        assert_eq!(poll(seconds(3600.0), ALONE, None, 0.0), LONGEST);
    }

    #[test]
    fn where_calls_are_short_no_poll_comes_early() {
        let short = Others {
            short: Some(Duration::ZERO),
            ..ALONE
        };
        assert_eq!(poll(Duration::ZERO, short, None, 0.0), seconds(1.0));
        assert_eq!(poll(seconds(3600.0), short, None, 0.0), LONGEST);
    }

    #[test]
    fn where_few_calls_are_answered_half_of_them_are_polls() {
        let others = |short| Others {
            in_place: 39,
            anywhere: 39,
            short,
        };
        let each = |short| poll(seconds(10.0), others(short), None, 0.0);
        assert_eq!(each(None), seconds(3.9));
        assert_eq!(each(Some(seconds(0.01))), seconds(3.9));
        assert_eq!(each(Some(seconds(0.1))), seconds(7.8));
    }

    #[test]
    fn an_hour_takes_few_polls() {
        let (mut now, mut polls) = (Duration::ZERO, 0);
        while now < seconds(3600.0) {
            now += poll(now, ALONE, None, 0.0);
            polls += 1;
        }
        assert!(polls < 950, "{polls}");
    }

    #[test]
    fn throttling_never_fails_an_observation() {
        let of = |priority, elapsed| patience(Trouble::Throttled, priority, false, 9, elapsed, 0.0);
        assert!(of(Priority::Observe, seconds(86_400.0)).is_some());
        assert!(of(Priority::Outcome, seconds(86_400.0)).is_some());
        assert!(of(Priority::Mutate, seconds(30.0)).is_some());
        assert!(of(Priority::Mutate, seconds(601.0)).is_none());
    }

    proptest! {
        #[test]
        fn invariant_news_is_late_by_a_tenth_or_a_second_or_a_fiftieth(ms in 200u64..10_000_000, jitter in 0.0..1.0f64) {
            let elapsed = Duration::from_millis(ms);
            let wait = poll(elapsed, ALONE, None, jitter);
            let second = seconds(1.1001);
            prop_assert!(wait <= elapsed.mul_f64(0.1101) || elapsed >= seconds(5.0) && wait <= second.max(elapsed / 50));
        }

        #[test]
        fn invariant_one_poll_a_second_after_five_seconds(ms in 5_000u64..10_000_000, n in 0usize..500, jitter in 0.0..1.0f64) {
            let others = Others { in_place: n, anywhere: n, short: None };
            prop_assert!(poll(Duration::from_millis(ms), others, None, jitter) >= Duration::from_secs(1));
        }

        #[test]
        fn invariant_many_stacks_share_a_bounded_number_of_polls(ms in 0u64..10_000, in_place in 10usize..500, elsewhere in 100usize..5_000) {
            let others = Others { in_place, anywhere: in_place + elsewhere, short: None };
            let each = poll(Duration::from_millis(ms), others, None, 0.0).as_secs_f64();
            prop_assert!((in_place + 1) as f64 / each <= 11.1);
            prop_assert!((in_place + elsewhere + 1) as f64 / each <= 101.1);
        }
    }

    #[test]
    fn many_stacks_are_looked_at_when_others_like_them_ended() {
        let many = Others {
            in_place: 0,
            anywhere: 2_500,
            short: None,
        };
        let expected = Some(seconds(60.0));
        assert_eq!(poll(seconds(1.0), many, None, 0.0), seconds(25.0));
        assert_eq!(poll(seconds(1.0), many, expected, 0.0), seconds(25.0));
        assert_eq!(poll(seconds(50.0), many, expected, 0.0), seconds(10.0));
        assert_eq!(poll(seconds(60.0), many, expected, 0.0), seconds(1.0));
        // A single one is followed as ever.
        assert_eq!(poll(seconds(30.0), ALONE, expected, 0.0), seconds(1.0));
        // What a place asks for is kept to, whatever is expected.
        let short = Others {
            short: Some(Duration::ZERO),
            ..many
        };
        assert_eq!(poll(seconds(59.9), short, expected, 0.0), seconds(1.0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_end_wakes_those_who_wait_for_theirs() {
        let learned = Learned::new();
        let gate = super::super::budget::Gate::new();
        let anywhere = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(5_000));
        let watcher = gate.watch(&anywhere);
        let clock = Stopwatch::start();
        let told = async {
            pause(seconds(10.0)).await;
            learned.note(seconds(10.0));
        };
        tokio::join!(learned.wait(clock, &watcher), told);
        // Without it, the wait would have been up to 50 seconds.
        assert!(clock.elapsed() < seconds(12.0), "{:?}", clock.elapsed());
    }

    #[test]
    fn many_that_began_together_are_looked_at_in_turn_until_one_has_ended() {
        let many = Others {
            anywhere: 2_500,
            ..ALONE
        };
        let learned = Learned::new();
        let first = |jitter| learned.next(seconds(1.0), many, jitter).as_secs_f64();
        assert!((12.4..=13.2).contains(&first(0.5)), "{}", first(0.5));
        // Whatever earlier executions tell: they may be wrong.
        learned.expect(seconds(600.0));
        assert!((157.0..=158.0).contains(&first(0.5)), "{}", first(0.5));
        assert!(first(0.039) < 5.0, "{}", first(0.039));
        learned.note(seconds(20.0));
        assert!(first(0.99) > 19.0, "{}", first(0.99));
        // What was seen counts from then on, and what is said does not.
        learned.expect(seconds(1.0));
        assert!(first(0.99) > 19.0, "{}", first(0.99));
        learned.note(seconds(30.0));
        assert_eq!(*learned.expected.borrow(), Some(seconds(20.0)));
        let alone = Learned::new();
        alone.expect(seconds(600.0));
        assert_eq!(alone.next(seconds(30.0), ALONE, 0.0), seconds(1.0));
    }

    #[test]
    fn what_takes_longer_than_expected_is_looked_at_less_often_again() {
        let many = Others {
            anywhere: 2_400,
            ..ALONE
        };
        let expected = Some(seconds(10.0));
        assert_eq!(poll(seconds(15.0), many, expected, 0.0), seconds(1.0));
        assert_eq!(poll(seconds(25.0), many, expected, 0.0), seconds(6.0));
        assert_eq!(poll(seconds(25.0), ALONE, expected, 0.0), seconds(1.0));
    }
}
