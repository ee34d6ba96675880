//! One budget of calls per account and region: bounded concurrency, the urgent first, and a rest for
//! everybody when the service asks for fewer calls.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::cadence::{self, Others};
use crate::model::Priority;

/// Calls at once. CloudFormation's own limits are low; a target makes one call at a time.
const WIDEST: usize = 8;

/// How long after a rest an account and region still counts as short of calls.
const SHORT_FOR: Duration = Duration::from_secs(10);

/// The gate that every call of one account and region passes.
#[derive(Debug)]
pub(super) struct Gate(Mutex<State>);

#[derive(Debug)]
struct State {
    /// How many may be inside now; halved by throttling, regained by success.
    width: usize,
    inside: usize,
    waiting: BTreeMap<(Reverse<Priority>, u64), oneshot::Sender<Permit>>,
    arrivals: u64,
    throttled: u32,
    closed_until: Option<Instant>,
    watchers: usize,
    /// Whether a call was ever carried out here.
    answered: bool,
}

/// The right to make one call; dropping it lets the next one in.
#[derive(Debug)]
pub(super) struct Permit(Arc<Gate>);

/// Counts as a watched stack until dropped.
#[derive(Debug)]
pub(super) struct Watcher {
    gate: Arc<Gate>,
    anywhere: Arc<AtomicUsize>,
}

impl Gate {
    /// Returns an open gate.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            width: WIDEST,
            inside: 0,
            waiting: BTreeMap::new(),
            arrivals: 0,
            throttled: 0,
            closed_until: None,
            watchers: 0,
            answered: false,
        })))
    }

    /// Returns whether a call was ever carried out here, so that the account has the region.
    pub(super) fn has_answered(&self) -> bool {
        self.state().answered
    }

    /// Waits for a turn and returns it.
    pub(super) async fn enter(self: &Arc<Self>, priority: Priority) -> Permit {
        loop {
            cadence::pause(self.rest_of(priority)).await;
            let turn = {
                let mut state = self.state();
                if state.inside < state.width && state.waiting.is_empty() {
                    state.inside += 1;
                    None
                } else {
                    let (sender, turn) = oneshot::channel();
                    let arrival = state.arrivals;
                    state.arrivals += 1;
                    state.waiting.insert((Reverse(priority), arrival), sender);
                    Some(turn)
                }
            };
            let permit = match turn {
                None => Permit(self.clone()),
                Some(turn) => match turn.await {
                    Ok(permit) => permit,
                    // Cannot happen while `self` keeps the gate alive; asking again is harmless.
                    Err(_) => continue,
                },
            };
            // Somebody inside may have been refused while this call waited.
            if self.rest_of(priority).is_zero() {
                return permit;
            }
        }
    }

    /// Returns a mark that one more stack is being watched here; `anywhere` counts those of all gates.
    pub(super) fn watch(self: &Arc<Self>, anywhere: &Arc<AtomicUsize>) -> Watcher {
        self.state().watchers += 1;
        anywhere.fetch_add(1, Ordering::Relaxed);
        Watcher {
            gate: self.clone(),
            anywhere: anywhere.clone(),
        }
    }

    /// Returns how long a call has to wait for the end of a rest; the less urgent rests a little longer.
    fn rest_of(&self, priority: Priority) -> Duration {
        let Some(until) = self.state().closed_until else {
            return Duration::ZERO;
        };
        let rest = until.saturating_duration_since(cadence::now());
        if rest.is_zero() {
            return rest;
        }
        rest + match priority {
            Priority::Mutate => Duration::ZERO,
            Priority::Read => Duration::from_millis(50),
            Priority::Observe => Duration::from_millis(100),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding the lock, and the numbers stay usable if something did.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets in whoever fits, most urgent first.
    fn admit(self: &Arc<Self>) {
        loop {
            let next = {
                let mut state = self.state();
                if state.inside >= state.width {
                    return;
                }
                let Some((_, sender)) = state.waiting.pop_first() else {
                    return;
                };
                if sender.is_closed() {
                    continue;
                }
                state.inside += 1;
                sender
            };
            // The lock is free here: a receiver that went away meanwhile drops the permit, which locks.
            drop(next.send(Permit(self.clone())));
        }
    }
}

impl Permit {
    /// Ends the call: the service answered.
    pub(super) fn succeeded(self) {
        let mut state = self.0.state();
        state.throttled = 0;
        state.answered = true;
        state.width = (state.width + 1).min(WIDEST);
    }

    /// Ends the call: the service asked for fewer. Everybody rests.
    pub(super) fn throttled(self) {
        let mut state = self.0.state();
        let now = cadence::now();
        // Calls that were under way together count as one refusal.
        if state.closed_until.is_none_or(|until| until <= now) {
            state.closed_until = Some(now + cadence::rest(state.throttled, cadence::jitter()));
            state.throttled = state.throttled.saturating_add(1);
            state.width = (state.width / 2).max(1);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.state().inside -= 1;
        self.0.admit();
    }
}

impl Watcher {
    /// Returns how many other stacks are being watched, and whether the service asks for fewer calls.
    pub(super) fn others(&self) -> Others {
        let state = self.gate.state();
        Others {
            in_place: state.watchers.saturating_sub(1),
            anywhere: self.anywhere.load(Ordering::Relaxed).saturating_sub(1),
            is_short: state
                .closed_until
                .is_some_and(|until| until + SHORT_FOR > cadence::now()),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.gate.state().watchers -= 1;
        self.anywhere.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_urgent_go_first_and_never_more_than_the_width() {
        let gate = Gate::new();
        let mut inside = Vec::new();
        for _ in 0..WIDEST {
            inside.push(gate.enter(Priority::Observe).await);
        }
        let (order, mut seen) = tokio::sync::mpsc::unbounded_channel();
        for (name, priority) in [
            ("observe", Priority::Observe),
            ("read", Priority::Read),
            ("mutate", Priority::Mutate),
            ("mutate again", Priority::Mutate),
        ] {
            let (gate, order) = (gate.clone(), order.clone());
            tokio::spawn(async move {
                let permit = gate.enter(priority).await;
                order.send(name).unwrap();
                permit.succeeded();
            });
            tokio::task::yield_now().await;
        }
        assert!(seen.try_recv().is_err());
        inside.pop();
        let mut got = Vec::new();
        for _ in 0..4 {
            got.push(seen.recv().await.unwrap());
        }
        assert_eq!(got, ["mutate", "mutate again", "read", "observe"]);
        drop(inside);
        assert_eq!(gate.state().inside, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_went_away_gives_its_turn_on() {
        let gate = Gate::new();
        let inside: Vec<_> = {
            let mut all = Vec::new();
            for _ in 0..WIDEST {
                all.push(gate.enter(Priority::Read).await);
            }
            all
        };
        let gone = tokio::spawn({
            let gate = gate.clone();
            async move { gate.enter(Priority::Mutate).await }
        });
        tokio::task::yield_now().await;
        gone.abort();
        let _ = gone.await;
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { drop(gate.enter(Priority::Observe).await) }
        });
        tokio::task::yield_now().await;
        drop(inside);
        waiting.await.unwrap();
        assert_eq!(gate.state().inside, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_makes_everybody_rest_once_and_narrows_the_gate() {
        let gate = Gate::new();
        let (one, two) = (
            gate.enter(Priority::Read).await,
            gate.enter(Priority::Read).await,
        );
        one.throttled();
        two.throttled();
        assert_eq!(gate.state().width, WIDEST / 2);
        let before = cadence::now();
        let watcher = gate.watch(&Arc::default());
        assert!(watcher.others().is_short);
        gate.enter(Priority::Mutate).await.succeeded();
        let waited = before.elapsed();
        assert!(waited >= Duration::from_millis(250) && waited <= Duration::from_millis(510));
        assert_eq!(gate.state().width, WIDEST / 2 + 1);
        assert!(watcher.others().is_short);
        cadence::pause(SHORT_FOR).await;
        assert!(!watcher.others().is_short);
    }
}
