//! Waiting until an operation of somebody else on a stack has ended.

use super::cadence::{self, Stopwatch};
use super::connection::Aws;
use super::stack::StackRef;
use crate::model::{CallFailure, Priority, StackStatus, StackSummary, StackWait, TargetSpec};

impl Aws {
    /// Returns the stack of the target's name, or `None` if there is none, once no operation is under way on it;
    /// as it is where `wait` says not to wait, or no longer. `busy` is told the status each time it was read.
    ///
    /// It is read by its name all along: what may be planned is the stack that has the name then.
    pub async fn stack_at_rest(
        &self,
        spec: &TargetSpec,
        wait: Option<StackWait>,
        mut busy: impl FnMut(StackStatus),
    ) -> Result<Option<StackSummary>, CallFailure> {
        let by = StackRef::Name(&spec.target.stack);
        let is_busy = |stack: &Option<StackSummary>| {
            let status = stack.as_ref().map(|stack| stack.status);
            status.filter(|status| !status.is_settled())
        };
        let mut stack = self.stack(spec, by, Priority::Read).await?;
        let Some(wait) = wait else {
            return Ok(stack);
        };
        if is_busy(&stack).is_none() {
            return Ok(stack);
        }
        let clock = Stopwatch::start();
        let watcher = self.watcher(&spec.target);
        while let Some(status) = is_busy(&stack) {
            busy(status);
            let elapsed = clock.elapsed();
            let left = wait.limit().map(|limit| limit.saturating_sub(elapsed));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            let next = cadence::poll(elapsed, watcher.others(), None, cadence::jitter());
            cadence::pause(left.map_or(next, |left| next.min(left))).await;
            stack = self.stack(spec, by, Priority::Observe).await?;
        }
        Ok(stack)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fixture;
    use super::super::scripted::Scripted;
    use super::*;

    /// Reads with `wait` what `statuses` say one after the other, and returns what was read last, what was told
    /// and how long it took.
    async fn read(
        statuses: &[&str],
        wait: Option<StackWait>,
    ) -> (Option<StackStatus>, Vec<StackStatus>, Duration, usize) {
        let script = Scripted::new();
        for status in statuses {
            script.ok("DescribeStacks", &fixture::stacks(status));
        }
        let aws = fixture::aws(&script).await;
        let begun = cadence::now();
        let mut told = Vec::new();
        let stack = aws
            .stack_at_rest(&fixture::spec(), wait, |status| told.push(status))
            .await
            .unwrap();
        let calls = script.requests_of("DescribeStacks").len();
        (stack.map(|s| s.status), told, begun.elapsed(), calls)
    }

    const AS_LONG_AS_IT_TAKES: Option<StackWait> = Some(StackWait { minutes: None });

    #[tokio::test(start_paused = true)]
    async fn a_stack_is_read_until_nobody_works_on_it() {
        use StackStatus::*;
        let statuses = [
            "UPDATE_IN_PROGRESS",
            "UPDATE_IN_PROGRESS",
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "UPDATE_COMPLETE",
        ];
        let (status, told, _, calls) = read(&statuses, AS_LONG_AS_IT_TAKES).await;
        assert_eq!(status, Some(UpdateComplete));
        assert_eq!(
            told,
            [
                UpdateInProgress,
                UpdateInProgress,
                UpdateCompleteCleanupInProgress
            ]
        );
        assert_eq!(calls, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn without_the_wish_or_without_need_it_is_read_once() {
        for (statuses, wait) in [
            (["UPDATE_IN_PROGRESS"], None),
            (["CREATE_COMPLETE"], AS_LONG_AS_IT_TAKES),
            (["REVIEW_IN_PROGRESS"], AS_LONG_AS_IT_TAKES),
        ] {
            let (status, told, _, calls) = read(&statuses, wait).await;
            assert_eq!(status.unwrap().as_str(), statuses[0]);
            assert_eq!((told, calls), (Vec::new(), 1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_longer_than_it_may_and_by_few_calls() {
        let wait = Some(StackWait { minutes: Some(30) });
        let (status, told, took, calls) = read(&["DELETE_IN_PROGRESS"], wait).await;
        assert_eq!(status, Some(StackStatus::DeleteInProgress));
        let most = Duration::from_secs(1801);
        assert!(took >= Duration::from_secs(1800) && took < most, "{took:?}");
        assert_eq!(calls, told.len());
        assert!(calls < 700, "{calls}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stack_that_goes_meanwhile_is_none() {
        let script = Scripted::new();
        script.ok("DescribeStacks", &fixture::stacks("DELETE_IN_PROGRESS"));
        script.error(
            "DescribeStacks",
            400,
            "ValidationError",
            "Stack with id app does not exist",
        );
        let aws = fixture::aws(&script).await;
        let spec = fixture::spec();
        let stack = aws.stack_at_rest(&spec, AS_LONG_AS_IT_TAKES, |_| {});
        assert_eq!(stack.await.unwrap(), None);
    }
}
