//! Regions from which nothing usable comes: since when, and what came of the last call.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::cadence::{PATIENCE, now};
use super::connection::locked;
use crate::model::{CallFailure, FailureKind, Region, Silence};

/// A silence that is shorter is not worth a word: connections break, and endpoints are replaced.
const SHORTEST: Duration = Duration::from_secs(20);

/// The regions whose last call was answered by nobody.
#[derive(Debug, Default)]
pub(super) struct Silences(Mutex<BTreeMap<Region, Quiet>>);

#[derive(Debug)]
struct Quiet {
    since: Instant,
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
            Some(quiet) => quiet.message = message,
            None => {
                let since = now();
                silences.insert(region.clone(), Quiet { since, message });
            }
        }
    }

    /// Returns what a call comes to that was tried in vain for so long: where others in the region were answered later than
    /// in the first half of that time, it is not for the region.
    pub(super) fn judge(
        &self,
        region: &Region,
        tried: Duration,
        failure: CallFailure,
    ) -> CallFailure {
        if failure.kind != FailureKind::Unreachable {
            return failure;
        }
        match locked(&self.0).get(region) {
            Some(quiet) if quiet.since.elapsed() < tried / 2 => CallFailure {
                kind: FailureKind::Unanswered,
                message: format!(
                    "{}, while other calls in {region} were answered",
                    failure.message
                ),
            },
            Some(_) | None => failure,
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
            (lasted >= SHORTEST).then(|| Silence {
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
    use crate::model::Priority;

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
    async fn a_call_that_fails_alone_is_not_for_its_region() {
        let script = Scripted::new();
        script.on("DescribeStacks", Reply::Http(500, String::new()));
        let region = spec().target.region;
        let aws = aws(&script).await;
        let others = async {
            loop {
                pause(Duration::from_secs(7)).await;
                aws.silences_of_calls().answered(&region);
            }
        };
        let failure = tokio::select! {
            looked = look(&aws) => looked.unwrap_err(),
            () = others => unreachable!("it never ends"),
        };
        assert_eq!(failure.kind, FailureKind::Unanswered);
        assert!(
            failure
                .message
                .ends_with("tried for 5 min, while other calls in eu-west-1 were answered"),
            "{failure}"
        );
    }
}
