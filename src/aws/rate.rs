//! How fast calls of one class may follow one another: without any limit until the service refuses one, then as fast as
//! it was seen to answer.
//!
//! A service keeps a bucket of tokens: each call takes one, so many come back a second, and a call that finds none is
//! refused. It is therefore empty at each refusal, and what was answered between two of them is what came back. From
//! there the rate goes on as TCP's CUBIC and the SDK's adaptive mode do: a little below what is known, slowly past it,
//! then ever faster, until the next refusal, or until there is none and the limit is forgotten.

use std::time::Duration;

use tokio::time::Instant;

/// Calls a second at first where it is not known better, and at least.
const FIRST: f64 = 2.0;
const LEAST: f64 = 0.2;

/// The same once it answers again: where few calls are made, few are answered, which is no limit.
const ANSWERING: f64 = 1.0;

/// How far below what is known it goes on after a refusal; so far above it is a little later.
const STEP: f64 = 0.1;

/// In about so many calls what is known is reached again, within these bounds.
const CALLS_TO_KNOWN: f64 = 20.0;
const SECONDS_TO_KNOWN: (f64, f64) = (5.0, 10.0);

/// Without a refusal for so many times that long, the limit is forgotten; the rate has grown to fourteen times by then.
const FORGOTTEN_AFTER: f64 = 6.0;

/// What may be sent at once after a pause: what comes back in a second.
const BURST: Duration = Duration::from_secs(1);

/// A bucket of tokens that learns how fast the one of the service is refilled. Time is an argument.
#[derive(Debug, Clone, Default)]
pub(super) struct Rate {
    limit: Option<Limit>,
    recent: Recent,
}

/// What the service allows.
#[derive(Debug, Clone)]
struct Limit {
    /// What it answers a second, as far as is known.
    known: f64,
    /// When it refused a call last, and what it answered since of what was sent since.
    refused: Instant,
    answered: u32,
    /// What may be sent now, as of a moment.
    tokens: f64,
    at: Instant,
}

/// How many calls were sent of late, while nothing limits them: in the second under way, and in the one before it.
#[derive(Debug, Clone, Default)]
struct Recent {
    since: Option<Instant>,
    sent: u32,
    before: u32,
}

impl Rate {
    /// Returns in which time the service answers one call, where it is known to answer only so many.
    pub(super) fn each(&self) -> Option<Duration> {
        self.limit.as_ref().map(|limit| seconds(1.0 / limit.known))
    }

    /// Takes the right to send a call now; returns false if none may be sent yet.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if self.limit.as_ref().is_some_and(|l| l.is_forgotten(now)) {
            *self = Self::default();
        }
        match &mut self.limit {
            None => {
                self.recent.note(now);
                true
            }
            Some(limit) => limit.take(now),
        }
    }

    /// Returns when the next call may be sent, if `ahead` others are sent before it.
    pub(super) fn next(&self, now: Instant, ahead: usize) -> Instant {
        match &self.limit {
            Some(limit) if !limit.is_forgotten(now) => {
                let missing = (ahead as f64 + 1.0 - limit.refilled(now)).max(0.0);
                now + seconds(missing / limit.allowed(now))
            }
            Some(_) | None => now,
        }
    }

    /// Learns that a call was answered which was sent at `sent`.
    pub(super) fn answered(&mut self, sent: Instant) {
        if let Some(limit) = &mut self.limit
            && sent > limit.refused
        {
            limit.answered = limit.answered.saturating_add(1);
            limit.known = limit.known.max(ANSWERING);
        }
    }

    /// Learns that a call was refused which was sent at `sent`. `jitter` is from 0 to 1: programs that are refused
    /// together do not come back together.
    pub(super) fn refused(&mut self, sent: Instant, now: Instant, jitter: f64) {
        let known = match &self.limit {
            // Calls that were under way together are refused for one reason.
            Some(limit) if sent <= limit.refused => return,
            Some(limit) => limit.measured(now),
            None => (f64::from(self.recent.sent.max(self.recent.before)) / 2.0).max(FIRST),
        };
        self.limit = Some(Limit {
            known: known.max(LEAST),
            refused: now,
            answered: 0,
            // From half of the time that one call takes to one and a half times that.
            tokens: 0.5 - jitter.clamp(0.0, 1.0),
            at: now,
        });
    }
}

impl Limit {
    /// Returns how many calls a second may be sent now.
    fn allowed(&self, now: Instant) -> f64 {
        let to_known = self.to_known();
        let since = now.saturating_duration_since(self.refused).as_secs_f64();
        let from_known = (since - to_known) / to_known;
        self.known * (1.0 + STEP * from_known.powi(3))
    }

    /// Returns after how many seconds it is as fast as is known again.
    fn to_known(&self) -> f64 {
        let (least, most) = SECONDS_TO_KNOWN;
        (CALLS_TO_KNOWN / self.known).clamp(least, most)
    }

    fn is_forgotten(&self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.refused).as_secs_f64();
        since >= FORGOTTEN_AFTER * self.to_known()
    }

    /// Returns what the service answers a second, now that it has refused a call.
    ///
    /// Where little was sent, little was answered, which tells nothing: hence never less than half of what was allowed.
    fn measured(&self, now: Instant) -> f64 {
        let allowed = self.allowed(now);
        let since = now.saturating_duration_since(self.refused).as_secs_f64();
        let answered = f64::from(self.answered) / since.max(0.001);
        answered.clamp(allowed / 2.0, allowed)
    }

    fn refilled(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        let allowed = self.allowed(now);
        let most = (allowed * BURST.as_secs_f64()).max(1.0);
        (self.tokens + passed * allowed).min(most)
    }

    fn take(&mut self, now: Instant) -> bool {
        let tokens = self.refilled(now);
        // Time is rounded to nanoseconds, and a token must not be waited for twice.
        let has_one = tokens > 1.0 - 1e-6;
        self.tokens = if has_one { tokens - 1.0 } else { tokens };
        self.at = now;
        has_one
    }
}

impl Recent {
    fn note(&mut self, now: Instant) {
        let passed = self.since.map(|since| now.saturating_duration_since(since));
        if passed.is_none_or(|passed| passed >= BURST) {
            let is_next = passed.is_some_and(|passed| passed < 2 * BURST);
            self.before = if is_next { self.sent } else { 0 };
            (self.since, self.sent) = (Some(now), 0);
        }
        self.sent = self.sent.saturating_add(1);
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds)
        .unwrap_or(Duration::MAX)
        .min(Duration::from_secs(600))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bucket of a service.
    struct Service {
        rate: f64,
        burst: f64,
        tokens: f64,
        at: Instant,
    }

    impl Service {
        fn answers(&mut self, now: Instant) -> bool {
            let passed = (now - self.at).as_secs_f64();
            self.tokens = (self.tokens + passed * self.rate).min(self.burst);
            self.at = now;
            let answers = self.tokens >= 1.0;
            self.tokens -= f64::from(u8::from(answers));
            answers
        }
    }

    /// Asks as much as the rate allows for `length`, each call taking 140 ms; returns what was answered and refused.
    fn ask(rate: &mut Rate, service: &mut Service, from: Instant, length: Duration) -> (u32, u32) {
        let latency = Duration::from_millis(140);
        let (mut answered, mut refused) = (0, 0);
        let mut under_way: Vec<(Instant, bool)> = Vec::new();
        let mut now = from;
        while now < from + length {
            under_way.retain(|(sent, is_answered)| {
                if *sent + latency > now {
                    return true;
                }
                match is_answered {
                    true => rate.answered(*sent),
                    false => rate.refused(*sent, now, 0.5),
                }
                false
            });
            while under_way.len() < 8 && rate.take(now) {
                let is_answered = service.answers(now);
                answered += u32::from(is_answered);
                refused += u32::from(!is_answered);
                under_way.push((now, is_answered));
            }
            now += Duration::from_millis(1);
        }
        (answered, refused)
    }

    #[test]
    fn it_comes_close_to_what_the_service_answers() {
        for (per_second, burst) in [
            (1.0, 5.0),
            (2.0, 5.0),
            (5.0, 5.0),
            (10.0, 20.0),
            (30.0, 60.0),
        ] {
            let from = Instant::now();
            let (tokens, at) = (burst, from);
            let mut service = Service {
                rate: per_second,
                burst,
                tokens,
                at,
            };
            let mut rate = Rate::default();
            let length = Duration::from_secs(300);
            let (answered, refused) = ask(&mut rate, &mut service, from, length);
            let possible = burst + per_second * length.as_secs_f64();
            let goodput = f64::from(answered) / possible;
            let wasted = f64::from(refused) / f64::from(answered + refused);
            assert!(goodput >= 0.9, "{per_second}/s: {goodput}");
            assert!(wasted <= 0.1, "{per_second}/s: {wasted}");
        }
    }

    /// Returns how long it takes until each of `count` who share a service without knowing it has made its calls, one at a time.
    fn share(count: usize, calls: u32, service: &mut Service) -> Duration {
        let latency = Duration::from_millis(140);
        let from = service.at;
        let mut now = from;
        let mut all = vec![(Rate::default(), calls, None::<(Instant, bool)>); count];
        let mut jitter = 0.0;
        while all.iter().any(|(_, left, _)| *left > 0) {
            for (rate, left, under_way) in &mut all {
                if let Some((sent, is_answered)) = *under_way {
                    if sent + latency > now {
                        continue;
                    }
                    // Spread evenly, as chance would in the long run.
                    jitter = (jitter + 0.618_034_f64).fract();
                    match is_answered {
                        true => rate.answered(sent),
                        false => rate.refused(sent, now, jitter),
                    }
                    *left -= u32::from(is_answered);
                    *under_way = None;
                }
                if *left > 0 && rate.take(now) {
                    *under_way = Some((now, service.answers(now)));
                }
            }
            now += Duration::from_millis(1);
        }
        now - from
    }

    #[test]
    fn many_who_share_a_limit_use_most_of_it() {
        let mut service = Service {
            rate: 5.0,
            burst: 5.0,
            tokens: 5.0,
            at: Instant::now(),
        };
        let took = share(20, 8, &mut service).as_secs_f64();
        let least = (20.0 * 8.0 - 5.0) / 5.0;
        assert!(took / least <= 1.25, "{took} s instead of {least} s");
    }

    #[test]
    fn nothing_is_limited_before_the_first_refusal_nor_long_after_the_last() {
        let from = Instant::now();
        let mut rate = Rate::default();
        assert!((0..10_000).all(|_| rate.take(from)));
        rate.refused(from, from, 0.0);
        assert!(rate.each().is_some());
        assert!(!rate.take(from));
        let later = from + Duration::from_secs(29);
        assert!(rate.each().is_some() && rate.next(later, 100_000) > later);
        let later = from + Duration::from_secs(30);
        assert_eq!(rate.next(later, 100_000), later);
        assert!((0..10_000).all(|_| rate.take(later)));
        assert!(rate.each().is_none());
    }

    #[test]
    fn a_limit_that_is_lifted_or_lowered_is_noticed() {
        let from = Instant::now();
        let mut service = Service {
            rate: 10.0,
            burst: 20.0,
            tokens: 20.0,
            at: from,
        };
        let mut rate = Rate::default();
        let minute = Duration::from_secs(60);
        ask(&mut rate, &mut service, from, minute);
        assert!(rate.each().is_some());
        service.rate = 2.0;
        ask(&mut rate, &mut service, from + minute, minute);
        let (answered, refused) = ask(&mut rate, &mut service, from + 2 * minute, minute);
        assert!((108..=140).contains(&answered), "{answered}");
        assert!(refused <= 12, "{refused}");
        (service.rate, service.burst) = (1e6, 1e6);
        ask(&mut rate, &mut service, from + 3 * minute, minute);
        assert!(rate.each().is_none());
    }

    #[test]
    fn calls_that_were_under_way_together_are_refused_for_one_reason() {
        let from = Instant::now();
        let mut rate = Rate::default();
        assert!((0..40).all(|_| rate.take(from)));
        let later = from + Duration::from_millis(100);
        for _ in 0..8 {
            rate.refused(from, later, 0.0);
        }
        // Half of what was sent in a second.
        let known = rate.limit.as_ref().map(|limit| limit.known);
        assert_eq!(known, Some(20.0));
        rate.refused(
            later + Duration::from_millis(1),
            later + Duration::from_millis(2),
            0.0,
        );
        let known = rate.limit.as_ref().map(|limit| limit.known);
        assert!(
            known.is_some_and(|known| (8.9..=9.1).contains(&known)),
            "{known:?}"
        );
    }

    #[test]
    fn a_service_that_answers_nothing_is_asked_every_few_seconds() {
        let from = Instant::now();
        let mut service = Service {
            rate: 0.0,
            burst: 0.0,
            tokens: 0.0,
            at: from,
        };
        let mut rate = Rate::default();
        let (answered, refused) = ask(&mut rate, &mut service, from, Duration::from_secs(600));
        assert_eq!(answered, 0);
        assert!((80..=150).contains(&refused), "{refused}");
    }
}
