//! Credentials that are fetched once for everybody, and whose they are.
//!
//! A profile can be rewritten while a rollout goes on, and a credential process can give another account's keys. So the
//! base credentials are asked for their account once, and again whenever they were renewed with another key, before
//! these sign anything: what was approved for one account must not be done in another.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use tokio::sync::Mutex;

use super::acting::LOAD_TIME;
use super::trace::Traced;
use crate::model::{AccountId, Caller, clean};

/// Credentials are renewed when they are valid for less than this.
const MARGIN: Duration = Duration::from_secs(300);

/// Credentials without an end are looked at again after this.
const UNLIMITED: Duration = Duration::from_secs(900);

/// Credentials that end soon are kept for half of the time that they have left, and no less than this.
const SHORTEST: Duration = Duration::from_secs(5);

/// Why nobody can tell whose credentials are.
pub(super) type NotTold = SdkError<GetCallerIdentityError, HttpResponse>;

/// Credentials that are fetched once for everybody. Clones share them.
///
/// The SDK's identity cache does not do so for clients that serve many accounts, nor for the base credentials of an assumed
/// role: with it alone, a hundred accounts would run a credential process a hundred times.
#[derive(Debug, Clone)]
pub(super) struct Kept(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    provider: SharedCredentialsProvider,
    config: SdkConfig,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The credentials, and until when they are kept.
    current: Option<(Credentials, SystemTime)>,
    /// Whose they are, once somebody asked.
    owner: Option<Owner>,
}

/// Whose the credentials are, now and after each renewal.
#[derive(Debug)]
struct Owner {
    caller: Caller,
    asking: Asking,
    /// The access key that was asked about last, and its account.
    asked: (String, AccountId),
}

/// How it is asked whose credentials are.
#[derive(Debug)]
pub(super) struct Asking {
    config: SdkConfig,
    traced: Option<Traced>,
}

impl Kept {
    /// Returns `provider`'s credentials, kept while they are valid by the clock of `config`.
    pub(super) fn new(provider: SharedCredentialsProvider, config: &SdkConfig) -> Self {
        Self(Arc::new(Inner {
            provider,
            config: config.clone(),
            state: Mutex::default(),
        }))
    }

    /// Returns them for a client.
    pub(super) fn shared(self) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(self)
    }

    /// Returns whose they are, or `None` where the reply does not tell. From then on, those of another account are refused.
    pub(super) async fn caller(&self, asking: Asking) -> Result<Option<Caller>, NotTold> {
        let mut state = self.0.state.lock().await;
        if let Some(owner) = &state.owner {
            return Ok(Some(owner.caller.clone()));
        }
        let credentials = self.current(&mut state).await;
        let credentials = credentials.map_err(SdkError::construction_failure)?;
        let Some(caller) = asking.ask(&credentials).await? else {
            return Ok(None);
        };
        state.owner = Some(Owner {
            caller: caller.clone(),
            asking,
            asked: (
                credentials.access_key_id().to_owned(),
                caller.account.clone(),
            ),
        });
        Ok(Some(caller))
    }

    async fn current(&self, state: &mut State) -> provider::Result {
        let now = self
            .0
            .config
            .time_source()
            .ok_or_else(|| CredentialsError::unhandled("no clock is configured"))?
            .now();
        if let Some((credentials, until)) = &state.current
            && now < *until
        {
            return Ok(credentials.clone());
        }
        let fetching = self.0.provider.provide_credentials();
        let fresh = tokio::time::timeout(LOAD_TIME, fetching)
            .await
            .unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(LOAD_TIME)))?;
        if let Some(owner) = &mut state.owner {
            owner.check(&fresh).await?;
        }
        let until = kept_until(now, fresh.expiry());
        state.current = Some((fresh.clone(), until));
        Ok(fresh)
    }
}

impl ProvideCredentials for Kept {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let mut state = self.0.state.lock().await;
            self.current(&mut state).await
        })
    }
}

/// Returns until when credentials are kept that end at `expiry`: never beyond it.
fn kept_until(now: SystemTime, expiry: Option<SystemTime>) -> SystemTime {
    let Some(expiry) = expiry else {
        return now.checked_add(UNLIMITED).unwrap_or(now);
    };
    let left = expiry.duration_since(now).unwrap_or_default();
    // Those that are given out with less than the margin would otherwise be fetched for every call.
    let kept = match left.checked_sub(MARGIN) {
        Some(kept) if kept > left / 2 => kept,
        Some(_) | None => (left / 2).max(SHORTEST).min(left),
    };
    now.checked_add(kept).unwrap_or(now)
}

impl Owner {
    /// Refuses credentials of another account than those before.
    async fn check(&mut self, fresh: &Credentials) -> Result<(), CredentialsError> {
        let key = fresh.access_key_id();
        // Most are given again, or are kept by a device until they end.
        if key != self.asked.0 {
            let found = self.asking.ask(fresh).await;
            let caller = found.map_err(CredentialsError::provider_error)?;
            let caller = caller.ok_or_else(|| {
                CredentialsError::provider_error("whose the renewed credentials are is not told")
            })?;
            self.asked = (key.to_owned(), caller.account);
        }
        let (account, own) = (&self.asked.1, &self.caller.account);
        if account == own {
            return Ok(());
        }
        Err(CredentialsError::provider_error(format!(
            "when they were renewed, those of account {account} came in place of those of account {own}; nothing was \
             done with them"
        )))
    }
}

impl Asking {
    /// Returns one that asks as `config` says, with whatever credentials are asked about.
    pub(super) fn new(config: &SdkConfig, traced: Option<Traced>) -> Self {
        let mut config = config
            .to_builder()
            .identity_cache(IdentityCache::no_cache());
        config.set_credentials_provider(None);
        Self {
            config: config.build(),
            traced,
        }
    }

    async fn ask(&self, credentials: &Credentials) -> Result<Option<Caller>, NotTold> {
        let mut config = aws_sdk_sts::config::Builder::from(&self.config)
            .credentials_provider(credentials.clone());
        if let Some(traced) = &self.traced {
            config = config.interceptor(traced.clone());
        }
        let client = aws_sdk_sts::Client::from_conf(config.build());
        let reply = client.get_caller_identity().send().await?;
        let account = reply
            .account()
            .and_then(|account| AccountId::new(account).ok());
        Ok(account.zip(reply.arn()).map(|(account, arn)| Caller {
            account,
            arn: clean(arn),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as Lock;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use aws_types::sdk_config::TimeSource;

    use super::super::scripted::Scripted;
    use super::*;

    /// Gives credentials slowly, and counts how often.
    #[derive(Debug, Clone)]
    struct Counting {
        clock: Clock,
        given: Arc<AtomicUsize>,
        key: Arc<Lock<&'static str>>,
        /// For how many seconds they are valid.
        seconds: u64,
    }

    #[derive(Debug, Default, Clone)]
    struct Clock(Arc<AtomicU64>);

    impl TimeSource for Clock {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::Relaxed))
        }
    }

    impl ProvideCredentials for Counting {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(async {
                tokio::task::yield_now().await;
                self.given.fetch_add(1, Ordering::Relaxed);
                let end = self.clock.now() + Duration::from_secs(self.seconds);
                let key = *self.key.lock().unwrap();
                Ok(Credentials::new(key, "s", None, Some(end), "counting"))
            })
        }
    }

    impl Counting {
        fn for_seconds(seconds: u64) -> Self {
            Self {
                clock: Clock::default(),
                given: Arc::default(),
                key: Arc::new(Lock::new("AKIAONE")),
                seconds,
            }
        }

        fn kept(&self, script: &Scripted) -> (Kept, SdkConfig) {
            let config = SdkConfig::builder()
                .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
                .region(aws_config::Region::new("eu-west-1"))
                .endpoint_url("http://scripted.invalid")
                .http_client(script.http_client())
                .time_source(self.clock.clone())
                .build();
            let provider = SharedCredentialsProvider::new(self.clone());
            (Kept::new(provider, &config), config)
        }

        /// Lets twenty ask at once at a time, and returns how often credentials were fetched so far.
        async fn fetched(&self, kept: &Kept, at: u64) -> usize {
            self.clock.0.store(at, Ordering::Relaxed);
            let all = (0..20).map(|_| kept.provide_credentials());
            for found in futures_util::future::join_all(all).await {
                assert!(found.unwrap().expiry().unwrap() > self.clock.now());
            }
            self.given.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn what_runs_out_is_renewed_once_for_all_who_ask() {
        let counting = Counting::for_seconds(3_600);
        let (kept, _) = counting.kept(&Scripted::new());
        for (at, fetched) in [(0, 1), (3_299, 1), (3_300, 2), (3_301, 2)] {
            assert_eq!(counting.fetched(&kept, at).await, fetched, "{at}");
        }
    }

    #[tokio::test]
    async fn what_ends_soon_is_kept_for_a_while_and_never_beyond_its_end() {
        for (seconds, times) in [
            (240, [(119, 1), (120, 2)]),
            (310, [(154, 1), (155, 2)]),
            (6, [(4, 1), (5, 2)]),
            (2, [(1, 1), (2, 2)]),
        ] {
            let counting = Counting::for_seconds(seconds);
            let (kept, _) = counting.kept(&Scripted::new());
            assert_eq!(counting.fetched(&kept, 0).await, 1);
            for (at, fetched) in times {
                let found = counting.fetched(&kept, at).await;
                assert_eq!(found, fetched, "{seconds} s, at {at}");
            }
        }
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(9);
        assert_eq!(kept_until(now, Some(SystemTime::UNIX_EPOCH)), now);
    }

    fn identity(account: &str) -> String {
        format!(
            "<Arn>arn:aws:iam::{account}:user/ann</Arn><UserId>U</UserId><Account>{account}</Account>"
        )
    }

    #[tokio::test(start_paused = true)]
    async fn renewed_credentials_of_another_account_sign_nothing() {
        let script = Scripted::new();
        for account in ["111111111111", "111111111111", "222222222222"] {
            script.ok("GetCallerIdentity", &identity(account));
        }
        let counting = Counting::for_seconds(3_600);
        let (kept, config) = counting.kept(&script);
        let use_at = |at: u64, key: &'static str| {
            *counting.key.lock().unwrap() = key;
            counting.clock.0.store(at, Ordering::Relaxed);
            kept.provide_credentials()
        };
        let asked = || -> Vec<String> {
            let asked = script.requests_of("GetCallerIdentity").into_iter();
            asked.map(|one| one.access_key).collect()
        };
        use_at(0, "AKIAONE").await.unwrap();
        assert!(asked().is_empty(), "nobody wants to know yet");
        for _ in 0..2 {
            let caller = kept.caller(Asking::new(&config, None)).await.unwrap();
            assert_eq!(caller.unwrap().account.as_str(), "111111111111");
        }
        // The same key again needs no call; each other one is asked about itself.
        use_at(4_000, "AKIAONE").await.unwrap();
        assert_eq!(asked(), ["AKIAONE"]);
        use_at(8_000, "ASIATWO").await.unwrap();
        for _ in 0..2 {
            let refused = use_at(12_000, "AKIATHEIRS").await.unwrap_err();
            let said = aws_smithy_types::error::display::DisplayErrorContext(refused).to_string();
            for account in ["111111111111", "222222222222"] {
                assert!(said.contains(account), "{said}");
            }
        }
        assert_eq!(asked(), ["AKIAONE", "ASIATWO", "AKIATHEIRS"]);
    }
}
