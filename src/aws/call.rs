//! The one way a call to CloudFormation is made.

use std::error::Error;
use std::future::Future;

use aws_sdk_cloudformation::Client;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::cadence::{self, Stopwatch, Trouble};
use super::connection::Aws;
use super::failure::{Effect, classify};
use crate::model::{CallFailure, FailureKind, Priority, TargetSpec};

/// A call: its name, its urgency, and whether it may be sent again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) operation: &'static str,
    pub(super) priority: Priority,
    pub(super) effect: Effect,
}

impl Call {
    /// Returns a read of `priority`.
    pub(super) fn read(operation: &'static str, priority: Priority) -> Self {
        Self {
            operation,
            priority,
            effect: Effect::Repeatable,
        }
    }

    /// Returns a change that comes to the same when it is made twice.
    pub(super) fn repeatable(operation: &'static str) -> Self {
        Self {
            operation,
            priority: Priority::Mutate,
            effect: Effect::Repeatable,
        }
    }

    /// Returns a change that is sent once.
    pub(super) fn once(operation: &'static str) -> Self {
        Self {
            operation,
            priority: Priority::Mutate,
            effect: Effect::Once,
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
        let clients = self.clients(spec).await?;
        let client = match call.effect {
            Effect::Repeatable => clients.repeating,
            Effect::Once => clients.once,
        };
        let gate = self.gate(&spec.target);
        let place = spec.target.place();
        let clock = Stopwatch::start();
        let mut attempt = 0;
        loop {
            let permit = gate.enter(call.priority).await;
            let error = match send(client.clone()).await {
                Ok(reply) => {
                    permit.succeeded();
                    return Ok(reply);
                }
                Err(error) => error,
            };
            let failure = classify(&error, &self.attempted(call.operation, &place, call.effect));
            let trouble = match failure.kind {
                FailureKind::Throttled => {
                    permit.throttled();
                    Trouble::Throttled
                }
                FailureKind::Unreachable => {
                    drop(permit);
                    Trouble::Passing
                }
                FailureKind::CredentialsExpired
                | FailureKind::AccessDenied
                | FailureKind::NotFound
                | FailureKind::AlreadyExists
                | FailureKind::MissingCapabilities(_)
                | FailureKind::Refused
                | FailureKind::Ambiguous
                | FailureKind::BadInput
                | FailureKind::SecretNeeded(_) => return Err(failure),
            };
            let next = cadence::patience(
                trouble,
                call.priority,
                attempt,
                clock.elapsed(),
                cadence::jitter(),
            );
            match next {
                Some(wait) => cadence::pause(wait).await,
                None => return Err(failure),
            }
            attempt += 1;
        }
    }
}
