//! Regions from which nothing usable comes: since when, and what came of the last call.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::cadence::{PATIENCE, now};
use super::connection::locked;
use crate::model::{CallFailure, Region, Silence};

/// A silence that is shorter is not worth a word: connections break, and endpoints are replaced.
const SHORTEST: Duration = Duration::from_secs(20);

/// Whoever waits for a region asks it again before that.
const LONGEST: Duration = Duration::from_secs(120);

/// The regions whose last call was answered by nobody.
#[derive(Debug, Default)]
pub(super) struct Silences(Mutex<BTreeMap<Region, Quiet>>);

#[derive(Debug)]
struct Quiet {
    since: Instant,
    /// When somebody asked last.
    asked: Instant,
    message: String,
}

impl Silences {
    /// Notes that a call in `region` was answered, be it with a refusal.
    pub(super) fn answered(&self, region: &Region) {
        locked(&self.0).remove(region);
    }

    /// Notes that nothing usable came of a call in `region`.
    pub(super) fn unanswered(&self, region: &Region, failure: &CallFailure) {
        let message = failure.message.clone();
        let mut silences = locked(&self.0);
        match silences.get_mut(region) {
            Some(quiet) => {
                quiet.asked = now();
                quiet.message = message;
            }
            None => {
                let (since, asked) = (now(), now());
                let quiet = Quiet {
                    since,
                    asked,
                    message,
                };
                silences.insert(region.clone(), quiet);
            }
        }
    }

    /// Returns those that are worth a word, at the time `at`.
    pub(super) fn told(&self, at: Timestamp) -> Vec<Silence> {
        let silences = locked(&self.0);
        let long = silences.iter().filter_map(|(region, quiet)| {
            let lasted = quiet.since.elapsed();
            let since = at
                .checked_sub(SignedDuration::try_from(lasted).ok()?)
                .ok()?;
            let until = since
                .checked_add(SignedDuration::try_from(PATIENCE).ok()?)
                .ok()?;
            // Of one that nobody asks any more, nothing is known.
            let is_asked = quiet.asked.elapsed() < LONGEST;
            (lasted >= SHORTEST && is_asked).then(|| Silence {
                region: region.clone(),
                since,
                until,
                message: quiet.message.clone(),
            })
        });
        long.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::cadence::{approved, pause};
    use super::super::fixture::{aws, spec, stack_id, stacks};
    use super::super::scripted::{Reply, Scripted};
    use super::super::{Aws, StackRef};
    use super::*;
    use crate::model::{FailureKind, Priority};

    async fn look(aws: &Aws) -> Result<(), CallFailure> {
        let spec = spec();
        let id = stack_id();
        let looking = aws.stack(&spec, StackRef::Id(&id), Priority::Read);
        approved(looking).await.map(drop)
    }

    #[tokio::test(start_paused = true)]
    async fn a_region_is_silent_from_its_first_failure_to_its_next_answer() {
        let script = Scripted::new();
        script.on("DescribeStacks", Reply::NotConnected);
        let aws = aws(&script).await;
        let begun: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(aws.silences(begun), []);
        let failure = look(&aws).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unreachable);
        let silences = aws.silences(begun + SignedDuration::from_hours(1));
        let [silence] = &silences[..] else {
            panic!("{silences:?}")
        };
        assert_eq!(silence.region, spec().target.region);
        assert_eq!(silence.until, silence.since + SignedDuration::from_mins(5));
        assert!(
            silence
                .message
                .contains("DescribeStacks in 111111111111/eu-west-1"),
            "{silence:?}"
        );
        // Of a region that nobody asks any more, nothing is known.
        pause(LONGEST).await;
        assert_eq!(aws.silences(begun + SignedDuration::from_hours(1)), []);
        // A refusal is an answer.
        script.error("DescribeStacks", 403, "AccessDenied", "no");
        look(&aws).await.unwrap_err();
        assert_eq!(aws.silences(begun), []);
    }

    #[tokio::test(start_paused = true)]
    async fn errors_of_the_service_are_no_answers_and_short_silences_are_not_told() {
        let script = Scripted::new();
        script
            .on("DescribeStacks", Reply::Http(503, String::new()))
            .on("DescribeStacks", Reply::Http(500, "<html>".to_owned()))
            .ok("DescribeStacks", &stacks("UPDATE_COMPLETE"));
        let aws = aws(&script).await;
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
        let watching = async {
            let mut told = 0;
            while script.requests().len() < 3 {
                told += aws.silences(now).len();
                pause(Duration::from_millis(100)).await;
            }
            told
        };
        let (looked, told) = tokio::join!(look(&aws), watching);
        looked.unwrap();
        assert_eq!((told, aws.silences(now).len()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_throttling_is_no_silence() {
        let script = Scripted::new();
        for _ in 0..100 {
            script.error("DescribeStacks", 400, "Throttling", "Rate exceeded");
        }
        script
            .on("DescribeStacks", Reply::Http(503, String::new()))
            .ok("DescribeStacks", &stacks("UPDATE_COMPLETE"));
        let aws = aws(&script).await;
        let begun = now();
        look(&aws).await.unwrap();
        assert_eq!(script.requests().len(), 102);
        assert!(begun.elapsed() > PATIENCE, "{:?}", begun.elapsed());
    }
}
