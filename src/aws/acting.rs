//! As whom a call is made. One client serves every account of a region, since each has some memory of its own and a fleet
//! has ten thousand places; so the credentials come with the call, and are never kept by the client.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use tokio::task::futures::TaskLocalFuture;

/// How long credentials may take to come: Identity Center, a credential process and a busy STS may need more than the
/// SDK's usual five seconds. It stays below the time of an attempt, so that the error names what is missing.
pub(super) const LOAD_TIME: Duration = Duration::from_secs(50);

tokio::task_local! {
    static ACTING: Acting;
}

/// Who makes a call, and where.
#[derive(Debug, Clone)]
pub(super) struct Acting {
    /// Whose signature it gets.
    pub(super) credentials: SharedCredentialsProvider,
    /// The account and region of its target.
    pub(super) place: String,
}

impl Acting {
    /// Makes the calls of `calling` so.
    pub(super) fn scope<F: Future>(self, calling: F) -> TaskLocalFuture<Self, F> {
        ACTING.scope(self, calling)
    }

    /// Has its credentials come, which are kept: a call that may take little time is not ended while they do. Returns whether they came;
    /// why they did not is told by the call.
    pub(super) async fn ready(&self) -> bool {
        let coming = self.credentials.provide_credentials();
        matches!(tokio::time::timeout(LOAD_TIME, coming).await, Ok(Ok(_)))
    }

    /// Returns where the call under way is made.
    pub(super) fn place() -> Option<String> {
        ACTING.try_with(|acting| acting.place.clone()).ok()
    }
}

/// The credentials of whoever makes the call under way.
#[derive(Debug)]
pub(super) struct ForEachCall;

impl ForEachCall {
    /// Returns the configuration of a client that signs each call as whoever makes it.
    pub(super) fn provided_to(config: &SdkConfig) -> SdkConfig {
        config
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(Self))
            // What it kept for one account would sign the next one's calls. `session::Kept` keeps them, each its own.
            .identity_cache(IdentityCache::no_cache())
            .build()
    }

    async fn credentials() -> provider::Result {
        let provider = ACTING
            .try_with(|acting| acting.credentials.clone())
            .map_err(|_| CredentialsError::unhandled("a call is made as nobody"))?;
        tokio::time::timeout(LOAD_TIME, provider.provide_credentials())
            .await
            .unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(LOAD_TIME)))
    }
}

impl ProvideCredentials for ForEachCall {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(Self::credentials())
    }
}
