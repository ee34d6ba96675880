//! Chances that follow from the seed and from what they are for, never from what was asked before.

use std::hash::{Hash, Hasher};
use std::time::Duration;

/// One source of chances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chance {
    seed: u64,
}

impl Chance {
    /// Returns the chances of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Returns the number that `what` has, evenly from 0 to below 1.
    pub fn share(self, what: impl Hash) -> f64 {
        let mut hasher = Mixer(self.seed ^ 0x9e37_79b9_7f4a_7c15);
        what.hash(&mut hasher);
        // 53 bits fill a float exactly.
        (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns whether something of probability `percent` happens to `what`.
    pub fn happens(self, percent: f64, what: impl Hash) -> bool {
        self.share(what) * 100.0 < percent
    }

    /// Returns the duration that `what` has, evenly between the two.
    pub fn between(self, (least, most): (Duration, Duration), what: impl Hash) -> Duration {
        least + most.saturating_sub(least).mul_f64(self.share(what))
    }
}

/// FNV-1a with a final mix: the same on every machine and in every version, unlike the hashers of the standard library.
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chance_follows_from_the_seed_and_what_it_is_for() {
        let chance = Chance::new(7);
        assert_eq!(chance.share(("a", 1)), chance.share(("a", 1)));
        assert_ne!(chance.share(("a", 1)), chance.share(("a", 2)));
        assert_ne!(chance.share("a"), Chance::new(8).share("a"));
    }

    #[test]
    fn chances_are_spread_evenly() {
        let chance = Chance::new(1);
        let hits = (0..10_000_u32).filter(|n| chance.happens(30.0, n)).count();
        assert!((2_850..3_150).contains(&hits), "{hits}");
        assert!(!(0..1_000_u32).any(|n| chance.happens(0.0, n)));
        assert!((0..1_000_u32).all(|n| chance.happens(100.0, n)));
    }

    #[test]
    fn durations_stay_between_their_ends() {
        let chance = Chance::new(1);
        let ends = (Duration::from_secs(45), Duration::from_secs(120));
        for n in 0..1_000 {
            let drawn = chance.between(ends, n);
            assert!(ends.0 <= drawn && drawn <= ends.1);
        }
    }
}
