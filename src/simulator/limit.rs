//! Throttling as AWS does it: a bucket of tokens that refills at a rate.

use std::time::Duration;

use jiff::Timestamp;

/// How many calls are answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate {
    /// Calls a second in the long run.
    pub(super) per_second: f64,
    /// Calls at once after a rest; at least one.
    pub(super) burst: f64,
}

/// What is left of a limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    rate: Rate,
    tokens: f64,
    at: Timestamp,
}

impl Bucket {
    /// Returns a full bucket.
    pub(super) fn new(rate: Rate, now: Timestamp) -> Self {
        Self {
            rate,
            tokens: rate.burst,
            at: now,
        }
    }

    /// Takes a token; without one, returns when there is one again.
    pub(super) fn take(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        let passed = now.duration_since(self.at).as_secs_f64().max(0.0);
        self.tokens = (self.tokens + passed * self.rate.per_second).min(self.rate.burst);
        self.at = self.at.max(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let missing = (1.0 - self.tokens) / self.rate.per_second;
        // A rate near zero is an outage of a day, not an overflow.
        let wait = Duration::try_from_secs_f64(missing).unwrap_or(Duration::MAX);
        let wait = wait.min(Duration::from_secs(86_400));
        Err(now.checked_add(wait).unwrap_or(Timestamp::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_answered_and_then_the_rate_holds() {
        let start = Timestamp::UNIX_EPOCH;
        let rate = Rate {
            per_second: 5.0,
            burst: 10.0,
        };
        let mut bucket = Bucket::new(rate, start);
        assert_eq!((0..20).filter(|_| bucket.take(start).is_ok()).count(), 10);
        let again = bucket.take(start).unwrap_err();
        assert_eq!(again.duration_since(start).as_millis(), 200);
        let mut answered = 0;
        for tenth in 1..=100 {
            let now = start + Duration::from_millis(tenth * 100);
            answered += u32::from(bucket.take(now).is_ok());
        }
        // Ten seconds at five a second.
        assert!((49..=50).contains(&answered), "{answered}");
    }

    #[test]
    fn a_rest_fills_no_more_than_the_burst() {
        let start = Timestamp::UNIX_EPOCH;
        let rate = Rate {
            per_second: 5.0,
            burst: 3.0,
        };
        let mut bucket = Bucket::new(rate, start);
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..20).filter(|_| bucket.take(later).is_ok()).count(), 3);
    }
}
