//! One budget of calls per account and region: bounded concurrency, the urgent first, and a bucket of tokens for each
//! class of calls that the service limits by itself.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::cadence::{self, Others};
use super::rate::Rate;
use crate::model::Priority;

/// Calls at once. CloudFormation's own limits are low; a target makes one call at a time.
const WIDEST: usize = 8;

/// Of so many turns one is for whoever has waited longest, however urgent others are.
const FAIR: u64 = 4;

/// How long somebody waits at most until its turn is worked out again: the rate changes, and others go away.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Calls that the service limits together, as far as is known: AWS tells how it does so for none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Calls to CloudFormation that change something.
    Change,
    /// Calls to CloudFormation that read.
    Read,
    /// Calls to other services.
    Elsewhere,
}

const CLASSES: [Class; 3] = [Class::Change, Class::Read, Class::Elsewhere];

impl Class {
    /// Returns the class of an operation.
    pub(super) fn of(operation: &str) -> Self {
        let elsewhere = [
            "GetParameter",
            "DescribeOrganization",
            "DescribeAccount",
            "ListTagsForResource",
            "ListOrganizationalUnitsForParent",
            "ListAccountsForParent",
            "DescribeAlarms",
        ];
        if elsewhere.contains(&operation) {
            return Self::Elsewhere;
        }
        let reads = ["Describe", "Get", "List", "Validate", "Detect"];
        match reads.iter().any(|start| operation.starts_with(start)) {
            true => Self::Read,
            false => Self::Change,
        }
    }
}

/// The gate that every call of one account and region passes.
#[derive(Debug)]
pub(super) struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    inside: usize,
    lanes: [Lane; CLASSES.len()],
    arrivals: u64,
    turns: u64,
    watchers: usize,
    /// Whether a call was ever carried out here.
    answered: bool,
}

/// The calls of one class.
#[derive(Debug, Default)]
struct Lane {
    rate: Rate,
    waiting: BTreeMap<Place, oneshot::Sender<Permit>>,
}

/// The place of a waiting call in its lane: by urgency, then by arrival.
type Place = (Reverse<Priority>, u64);

/// The right to make one call; dropping it lets the next one in.
#[derive(Debug)]
pub(super) struct Permit {
    gate: Arc<Gate>,
    class: Class,
    since: Instant,
}

/// Counts as a watched stack until dropped.
#[derive(Debug)]
pub(super) struct Watcher {
    gate: Arc<Gate>,
    anywhere: Arc<AtomicUsize>,
}

impl Gate {
    /// Returns an open gate.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::default()))
    }

    /// Returns whether a call was ever carried out here, so that the account has the region.
    pub(super) fn has_answered(&self) -> bool {
        self.state().answered
    }

    /// Waits for a turn and returns it.
    pub(super) async fn enter(self: &Arc<Self>, class: Class, priority: Priority) -> Permit {
        loop {
            let (place, turn) = {
                let mut state = self.state();
                if state.begins_at_once(class, cadence::now()) {
                    return self.permit(class);
                }
                let (sender, turn) = oneshot::channel();
                let place = (Reverse(priority), state.arrivals);
                state.arrivals += 1;
                state.lane(class).waiting.insert(place, sender);
                (place, turn)
            };
            // On the heap: thousands of calls never wait here.
            match Box::pin(self.turn(class, place, turn)).await {
                Some(permit) => return permit,
                // Cannot happen while `self` keeps the gate alive; asking again is harmless.
                None => continue,
            }
        }
    }

    /// Waits for the turn of somebody at `place`. Whoever waits looks to it that tokens are given out when they come
    /// back, be it to others: nobody else would.
    async fn turn(
        self: &Arc<Self>,
        class: Class,
        place: Place,
        mut turn: oneshot::Receiver<Permit>,
    ) -> Option<Permit> {
        loop {
            let wait = self.state().lane(class).wait(place, cadence::now());
            tokio::select! {
                biased;
                permit = &mut turn => return permit.ok(),
                () = cadence::pause(wait) => self.admit(),
            }
        }
    }

    fn permit(self: &Arc<Self>, class: Class) -> Permit {
        Permit {
            gate: self.clone(),
            class,
            since: cadence::now(),
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

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding the lock, and the numbers stay usable if something did.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets in whoever fits.
    fn admit(self: &Arc<Self>) {
        loop {
            let Some((class, sender)) = self.state().next(cadence::now()) else {
                return;
            };
            // The lock is free here: a receiver that went away meanwhile drops the permit, which locks.
            drop(sender.send(self.permit(class)));
        }
    }
}

impl State {
    fn lane(&mut self, class: Class) -> &mut Lane {
        // Classes are numbered as they are declared, and there are as many lanes.
        &mut self.lanes[class as usize]
    }

    /// Lets a call in that has just come, if nobody waits before it.
    fn begins_at_once(&mut self, class: Class, now: Instant) -> bool {
        let has_room = self.inside < WIDEST;
        let lane = self.lane(class);
        let begins = has_room && lane.waiting.is_empty() && lane.rate.take(now);
        self.inside += usize::from(begins);
        begins
    }

    /// Lets the next one in of those who wait: the most urgent, and now and then the one who has waited longest.
    fn next(&mut self, now: Instant) -> Option<(Class, oneshot::Sender<Permit>)> {
        if self.inside >= WIDEST {
            return None;
        }
        let is_fair = self.turns % FAIR == FAIR - 1;
        loop {
            let ready = CLASSES.into_iter().filter_map(|class| {
                let place = self.lanes[class as usize].first(is_fair, now)?;
                Some((class, place))
            });
            let (class, place) = match is_fair {
                true => ready.min_by_key(|(_, (_, arrival))| *arrival),
                false => ready.min_by_key(|(_, place)| *place),
            }?;
            let lane = self.lane(class);
            let sender = lane.waiting.remove(&place)?;
            if sender.is_closed() {
                continue;
            }
            if !lane.rate.take(now) {
                // Cannot happen, since it was ready; whoever it was is let in by asking again.
                lane.waiting.insert(place, sender);
                return None;
            }
            self.inside += 1;
            self.turns += 1;
            return Some((class, sender));
        }
    }
}

impl Lane {
    /// Returns the place of the most urgent, or of the one who has waited longest, if a call may be sent now.
    fn first(&self, is_oldest: bool, now: Instant) -> Option<Place> {
        if self.rate.next(now, 0) > now {
            return None;
        }
        if !is_oldest {
            return self.waiting.keys().next().copied();
        }
        let of = |priority| {
            let of_priority = (Reverse(priority), 0)..=(Reverse(priority), u64::MAX);
            self.waiting
                .range(of_priority)
                .next()
                .map(|(place, _)| *place)
        };
        let all = Priority::ALL.into_iter().filter_map(of);
        all.min_by_key(|(_, arrival)| *arrival)
    }

    /// Returns how long it takes at least until it may be the turn of the one at `place`.
    fn wait(&self, place: Place, now: Instant) -> Duration {
        let ahead = self.waiting.range(..place).take(100).count();
        let next = self.rate.next(now, ahead).saturating_duration_since(now);
        match next.is_zero() {
            // It waits for room, which whoever leaves gives it.
            true => LOOK_AGAIN,
            // The timer's own grain, so that nobody turns in circles.
            false => next.clamp(Duration::from_millis(1), LOOK_AGAIN),
        }
    }
}

impl Permit {
    /// Ends the call: the service answered.
    pub(super) fn succeeded(self) {
        let mut state = self.gate.state();
        state.answered = true;
        state.lane(self.class).rate.answered(self.since);
    }

    /// Ends the call: the service asked for fewer of its class.
    pub(super) fn throttled(self) {
        let (now, jitter) = (cadence::now(), cadence::jitter());
        let mut state = self.gate.state();
        state.lane(self.class).rate.refused(self.since, now, jitter);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.state().inside -= 1;
        self.gate.admit();
    }
}

impl Watcher {
    /// Returns how many other stacks are being watched, and how the service takes it.
    pub(super) fn others(&self) -> Others {
        let mut state = self.gate.state();
        Others {
            in_place: state.watchers.saturating_sub(1),
            anywhere: self.anywhere.load(Ordering::Relaxed).saturating_sub(1),
            short: state.lane(Class::Read).rate.each(),
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
mod tests;
