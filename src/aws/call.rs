//! The one way a call to CloudFormation is made.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::budget::Class;
use super::cadence::{BRIEFLY, Stopwatch, Trouble, is_brief};
use super::connection::Aws;
use super::failure::{Effect, classify};
use super::fresh::{FRESH, Moment};
use super::trace;
use crate::model::{CallFailure, FailureKind, Priority, TargetSpec};

/// A call: its name, its urgency, and whether it may be sent again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) operation: &'static str,
    pub(super) priority: Priority,
    pub(super) effect: Effect,
    /// Whether it is sent soon after it was decided on, by whoever holds what is carried out, or not at all.
    pub(super) is_urgent: bool,
}

impl Call {
    /// Returns a read of `priority`.
    pub(super) fn read(operation: &'static str, priority: Priority) -> Self {
        Self {
            operation,
            priority,
            effect: Effect::Repeatable,
            is_urgent: false,
        }
    }

    /// Returns a change that comes to the same when it is made twice.
    pub(super) fn repeatable(operation: &'static str) -> Self {
        Self {
            operation,
            priority: Priority::Mutate,
            effect: Effect::Repeatable,
            is_urgent: false,
        }
    }

    /// Returns a change that was approved, which is sent once, and soon after what it changes was compared with what was approved.
    pub(super) fn approved(operation: &'static str) -> Self {
        Self {
            priority: Priority::Execute,
            is_urgent: true,
            ..Self::once(operation)
        }
    }

    /// Returns a change that somebody asked for who waits for it, which is sent once.
    pub(super) fn asked(operation: &'static str) -> Self {
        Self {
            is_urgent: false,
            ..Self::approved(operation)
        }
    }

    /// Returns a change that is sent once.
    pub(super) fn once(operation: &'static str) -> Self {
        Self {
            operation,
            priority: Priority::Mutate,
            effect: Effect::Once,
            is_urgent: false,
        }
    }
}

impl Aws {
    /// Makes a call within the budget of the target's account and region, and again where that is safe.
    pub(super) async fn call<T, E, F, Fut>(
        &self,
        call: Call,
        spec: &TargetSpec,
        send: F,
    ) -> Result<T, CallFailure>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Fn(Client) -> Fut,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let acting = self.acting(spec)?;
        let client = self.client(&spec.target.region);
        let gate = self.gate(&spec.target);
        let class = Class::of(call.operation);
        let place = spec.target.place();
        let (region, silences) = (&spec.target.region, self.silences_of_calls());
        let clock = Stopwatch::start();
        let decided = call.is_urgent.then(Moment::now);
        let (mut attempt, mut silent, mut last) = (0, None, None);
        if is_brief() {
            acting.ready().await;
        }
        loop {
            let permit = gate.enter(class, call.priority).await;
            let line = self.line().await;
            if let Some(decided) = decided {
                let is_ready = acting.ready().await;
                self.held().proven().await;
                let ago = decided.elapsed();
                if ago > FRESH {
                    let attempted = self.attempted(call.operation, &place, call.effect);
                    return Err(match is_ready {
                        true => attempted.failure(FailureKind::NotSent, late(ago, last)),
                        false => attempted.failure(
                            FailureKind::CredentialsExpired,
                            format!("no credentials came; {}", attempted.renewal),
                        ),
                    });
                }
            }
            // On the heap, and so only while it is under way: thousands of watched stacks wait most of their time.
            let sending = acting.clone().scope(send(client.clone()));
            let sending = trace::NUMBER.scope(attempt + 1, sending);
            let sending = Box::pin(sending);
            let begun = Stopwatch::start();
            let sent = match is_brief() {
                true => match tokio::time::timeout(BRIEFLY, sending).await {
                    Ok(sent) => sent,
                    Err(_) => {
                        let attempted = self.attempted(call.operation, &place, call.effect);
                        let what = format!("no answer within {} s", BRIEFLY.as_secs());
                        return Err(attempted.failure(FailureKind::Unreachable, what));
                    }
                },
                false => sending.await,
            };
            // Lets the connection go back to its pool: a call that follows at once would open another one.
            tokio::task::yield_now().await;
            drop(line);
            let error = match sent {
                Ok(reply) => {
                    permit.succeeded();
                    silences.answered(region);
                    return Ok(reply);
                }
                Err(error) => error,
            };
            let mut attempted = self.attempted(call.operation, &place, call.effect);
            // Credentials that are good elsewhere, and unknown where nothing was ever carried out.
            attempted.proven = attempted.proven && !gate.has_answered();
            attempted.everywhere = attempted.proven && self.is_known_everywhere(spec).await;
            let failure = classify(&error, &attempted);
            match failure.kind {
                FailureKind::Unreachable | FailureKind::Ambiguous => {
                    silences.unanswered(region, &failure);
                }
                // Some are found out before anything is sent.
                FailureKind::CredentialsExpired
                | FailureKind::AccessDenied
                | FailureKind::RegionNotEnabled
                | FailureKind::Throttled
                | FailureKind::NotFound
                | FailureKind::AlreadyExists
                | FailureKind::MissingCapabilities(_)
                | FailureKind::Refused
                | FailureKind::NotSent
                | FailureKind::BadInput
                | FailureKind::SecretNeeded(_) => {
                    if error.raw_response().is_some() {
                        silences.answered(region);
                    }
                }
            }
            let Some(trouble) = Trouble::of(&failure.kind) else {
                return Err(failure);
            };
            match trouble {
                Trouble::Throttled => permit.throttled(),
                Trouble::Passing => drop(permit),
            }
            // For how long nothing usable has come: until then, the service was there and only asked for fewer calls.
            let tried = match trouble {
                Trouble::Throttled => {
                    silent = None;
                    clock
                }
                Trouble::Passing => *silent.get_or_insert(begun),
            };
            if !trouble.outwaited(call.priority, attempt, tried).await {
                return Err(tried.told(failure));
            }
            last = Some(failure);
            attempt += 1;
        }
    }
}

/// Returns why a call was not sent that was decided on `ago`, and what came of its last attempt.
fn late(ago: Duration, last: Option<CallFailure>) -> String {
    let ago = ago.as_secs();
    let last = last.map_or(String::new(), |last| format!(" ({})", last.message));
    format!("not sent, since it was decided on {ago} s before{last}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

    use super::super::cadence::{brief, pause};
    use super::super::fixture::{aws, change_set_id, spec, stack_id, stacks};
    use super::super::scripted::{Reply, Scripted};
    use super::super::{Aws, Settings, StackRef};
    use super::*;
    use crate::model::StackStatus;

    async fn execute(script: &Scripted) -> Result<(), CallFailure> {
        aws(script)
            .await
            .execute_change_set(
                &spec(),
                &change_set_id(),
                &stack_id(),
                "token-1",
                Some(false),
            )
            .await
    }

    #[tokio::test(start_paused = true)]
    async fn an_execute_whose_reply_is_lost_is_sent_once() {
        for lost in [
            Reply::Lost,
            Reply::Silence,
            Reply::Http(500, "<html>oops</html>".into()),
            Reply::Http(503, String::new()),
        ] {
            let script = Scripted::new();
            script.on("ExecuteChangeSet", lost.clone());
            let failure = execute(&script).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Ambiguous, "{lost:?}: {failure}");
            assert_eq!(script.requests().len(), 1, "{lost:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_execute_is_sent_again_after_throttling_and_without_a_connection() {
        let script = Scripted::new();
        script
            .error("ExecuteChangeSet", 400, "Throttling", "Rate exceeded")
            .on("ExecuteChangeSet", Reply::NotConnected)
            .error("ExecuteChangeSet", 400, "Throttling", "Rate exceeded")
            .ok("ExecuteChangeSet", "");
        execute(&script).await.unwrap();
        let sent = script.requests();
        assert_eq!(sent.len(), 4);
        assert_eq!(sent[3].field("DisableRollback"), "false");
        assert_eq!(sent[3].field("ClientRequestToken"), "token-1");
        assert_eq!(sent[3].field("ChangeSetName"), change_set_id().as_str());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_approved_is_sent_soon_or_not_at_all() {
        let script = Scripted::new();
        for _ in 0..100 {
            script.error("ExecuteChangeSet", 400, "Throttling", "Rate exceeded");
        }
        let clock = Stopwatch::start();
        let failure = execute(&script).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::NotSent, "{failure}");
        assert!(
            failure.message.contains("s before (ExecuteChangeSet in"),
            "{failure}"
        );
        assert!(failure.message.contains("Rate exceeded"), "{failure}");
        assert!(clock.elapsed() < 2 * FRESH, "{failure}");
        // The last one waited and was not sent.
        let sent = script.requests().len();
        assert!((1..=40).contains(&sent), "{sent}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_removed_where_nothing_answers_is_not_waited_for() {
        let (spec, set, stack) = (spec(), change_set_id(), stack_id());
        for (reply, said, attempts) in [
            (Reply::Silence, "no answer within 15 s", 1),
            (Reply::NotConnected, "", 4),
        ] {
            let script = Scripted::new();
            for _ in 0..20 {
                script.on("DeleteChangeSet", reply.clone());
                script.on("DescribeChangeSet", reply.clone());
            }
            let aws = aws(&script).await;
            let clock = Stopwatch::start();
            let removing = aws.delete_change_set(&spec, &set, &stack);
            let failure = brief(removing).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Unreachable);
            assert!(failure.message.contains(said), "{failure}");
            assert_eq!(script.requests().len(), attempts);
            // Also what is looked at first, with which others are patient.
            let looking = brief(aws.read_change_set(&spec, &set));
            assert!(looking.await.is_err());
            assert_eq!(script.requests().len(), 2 * attempts);
            assert!(clock.elapsed() <= 2 * BRIEFLY + Duration::from_secs(1));
        }
        // What is refused as too many is no silence.
        let script = Scripted::new();
        for _ in 0..30 {
            script.error("DeleteChangeSet", 400, "Throttling", "Rate exceeded");
        }
        script.ok("DeleteChangeSet", "");
        let aws = aws(&script).await;
        let clock = Stopwatch::start();
        let removing = aws.delete_change_set(&spec, &set, &stack);
        brief(removing).await.unwrap();
        assert!(clock.elapsed() > BRIEFLY);
    }

    /// Credentials that take their time, as those of a process or of Identity Center do.
    #[derive(Debug)]
    struct Slow;

    impl ProvideCredentials for Slow {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(async {
                pause(BRIEFLY + Duration::from_secs(3)).await;
                Scripted::credentials().provide_credentials().await
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_credentials_are_no_missing_answer() {
        let script = Scripted::new();
        script.ok("DeleteChangeSet", "");
        let aws = Aws::connect(&Settings {
            region: Some("eu-west-1".into()),
            endpoint_url: Some("http://scripted.invalid".into()),
            http_client: Some(script.http_client()),
            credentials: Some(SharedCredentialsProvider::new(Slow)),
            ..Settings::default()
        })
        .await
        .unwrap();
        let (spec, set, stack) = (spec(), change_set_id(), stack_id());
        brief(aws.delete_change_set(&spec, &set, &stack))
            .await
            .unwrap();
        assert_eq!(script.requests().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_definite_refusal_is_not_repeated() {
        let script = Scripted::new();
        script.error(
            "ExecuteChangeSet",
            400,
            "InvalidChangeSetStatus",
            "cannot be executed",
        );
        let failure = execute(&script).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Refused);
        assert_eq!(
            failure.message,
            "ExecuteChangeSet in 111111111111/eu-west-1: InvalidChangeSetStatus: cannot be executed (request r-header)"
        );
        assert_eq!(script.requests().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_slows_an_observation_and_never_fails_it() {
        let script = Scripted::new();
        for _ in 0..100 {
            script.error("DescribeStacks", 400, "Throttling", "Rate exceeded");
        }
        script.ok("DescribeStacks", &stacks("UPDATE_COMPLETE"));
        let clock = Stopwatch::start();
        let found = aws(&script)
            .await
            .stack(&spec(), StackRef::Id(&stack_id()), Priority::Observe)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.status, StackStatus::UpdateComplete);
        assert_eq!(found.parameters, ["Password"]);
        assert!(clock.elapsed().as_secs() > 60, "{:?}", clock.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn an_endless_throttling_of_a_decision_is_said_in_the_end() {
        let script = Scripted::new();
        script.error("DescribeStacks", 400, "Throttling", "Rate exceeded");
        let failure = aws(&script)
            .await
            .stack(&spec(), StackRef::Id(&stack_id()), Priority::Read)
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Throttled);
    }

    #[tokio::test(start_paused = true)]
    async fn an_expired_token_is_not_repeated_and_says_what_to_do() {
        let script = Scripted::new();
        script.error(
            "DescribeStacks",
            403,
            "ExpiredToken",
            "The security token included in the request is expired",
        );
        let failure = aws(&script)
            .await
            .stack(&spec(), StackRef::Id(&stack_id()), Priority::Observe)
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::CredentialsExpired);
        assert!(failure.message.contains("aws sso login"), "{failure}");
        assert_eq!(script.requests().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_html_page_instead_of_a_reply_is_tried_again_and_explained() {
        let script = Scripted::new();
        script.on(
            "DescribeStacks",
            Reply::Http(500, "<!doctype html><title>500</title>".into()),
        );
        let failure = aws(&script)
            .await
            .stack(&spec(), StackRef::Id(&stack_id()), Priority::Read)
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unreachable);
        assert!(failure.message.contains("HTTP 500"), "{failure}");
        assert_eq!(script.requests().len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn an_observation_outlives_a_minute_without_a_network() {
        let script = Scripted::new();
        for _ in 0..60 {
            script.on("DescribeStacks", Reply::NotConnected);
        }
        script.ok("DescribeStacks", &stacks("CREATE_COMPLETE"));
        let aws = aws(&script).await;
        let (stack, spec) = (stack_id(), spec());
        let by = StackRef::Id(&stack);
        assert!(aws.stack(&spec, by, Priority::Observe).await.is_ok());
    }

    // The two tests below use real sockets, since they are about the real HTTP client.

    async fn connected_to(address: std::net::SocketAddr) -> Aws {
        Aws::connect(&Settings {
            region: Some("eu-west-1".into()),
            endpoint_url: Some(format!("http://{address}")),
            credentials: Some(Scripted::credentials()),
            ..Settings::default()
        })
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn a_closed_port_is_unreachable_and_nothing_is_ambiguous() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let failure = connected_to(address)
            .await
            .execute_change_set(&spec(), &change_set_id(), &stack_id(), "t", Some(false))
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
        assert!(failure.message.contains("AWS_ENDPOINT_URL"), "{failure}");
    }

    #[tokio::test]
    async fn a_connection_that_breaks_after_sending_is_ambiguous() {
        use tokio::io::AsyncReadExt;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let mut served = 0;
            while let Ok((mut socket, _)) = listener.accept().await {
                served += 1;
                let mut buffer = [0; 4096];
                assert!(socket.read(&mut buffer).await.unwrap() > 0);
                drop(socket);
                if served == 2 {
                    break;
                }
            }
        });
        let failure = connected_to(address)
            .await
            .execute_change_set(&spec(), &change_set_id(), &stack_id(), "t", Some(false))
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Ambiguous, "{failure}");
        assert!(!server.is_finished(), "the request was sent twice");
        server.abort();
    }
}
