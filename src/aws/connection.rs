//! One way to AWS for everything: one HTTP client, one session per role, and one client per region for all accounts,
//! whose calls each carry the credentials of their target.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::identity::IdentityCache;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::config::retry::RetryConfig;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use jiff::Timestamp;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use super::acting::{Acting, ForEachCall, LOAD_TIME};
use super::budget::{Gate, Watcher};
use super::cadence::Learned;
use super::endpoint;
use super::failure::{Attempted, Effect, classify};
use super::fresh::Held;
use super::http;
use super::kept::{Asking, Kept};
use super::lines::{lines, open_files};
use super::mfa::MfaPrompt;
use super::object::Objects;
use super::profile::{Profile, Source};
use super::session::{Opening, Role, Session, for_sessions, session_name};
use super::silence::Silences;
use super::trace::{Trace, Traced, TracedHttp};
use crate::model::{
    AccountId, CallFailure, Caller, FailureKind, Region, Silence, Target, TargetSpec,
};

/// Where STS is asked when no region is known at all; every account of the partition has it.
const FALLBACK_REGION: &str = "us-east-1";

/// How to connect. The default means what the AWS CLI means by it: environment, then profile.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// A named profile instead of `AWS_PROFILE`.
    pub profile: Option<String>,
    /// A region instead of `AWS_REGION` and the profile's.
    pub region: Option<String>,
    /// An endpoint for all services instead of `AWS_ENDPOINT_URL` and the profile's.
    pub endpoint_url: Option<String>,
    /// The name of sessions in other accounts; their events show it.
    pub session_name: String,
    /// The external id sent when a role is assumed.
    pub external_id: Option<String>,
    /// The tags of sessions in other accounts.
    pub session_tags: BTreeMap<String, String>,
    /// Who is asked for the code of a device, where the profile names one (`mfa_serial`).
    pub mfa: Option<Arc<dyn MfaPrompt>>,
    /// An HTTP client instead of the SDK's: tests and simulations plug in here.
    pub http_client: Option<SharedHttpClient>,
    /// Credentials instead of those of the environment and the profile.
    pub credentials: Option<SharedCredentialsProvider>,
    /// Who is told of every attempt of a call.
    pub trace: Option<Trace>,
}

/// The connection to AWS. Clones share everything.
#[derive(Debug, Clone)]
pub struct Aws(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    base: SdkConfig,
    /// The credentials of `base`.
    kept: Option<Kept>,
    default_region: Option<Region>,
    trace: Option<Trace>,
    opening: Arc<Opening>,
    renewal: String,
    caller: OnceCell<Caller>,
    /// By role.
    sessions: Mutex<HashMap<String, Session>>,
    clients: Mutex<HashMap<Region, Client>>,
    /// Where sessions are opened, by region.
    sts: Mutex<HashMap<aws_config::Region, aws_sdk_sts::Client>>,
    gates: Mutex<HashMap<(AccountId, Region), Arc<Gate>>>,
    watched: Arc<AtomicUsize>,
    /// What all calls together may have under way: each has a connection and some memory.
    lines: Semaphore,
    /// How long change sets and operations take here.
    change_sets: Learned,
    operations: Learned,
    objects: Objects,
    silences: Silences,
    held: Held,
}

impl Aws {
    /// Returns a connection. Reads the configuration, calls nothing.
    pub async fn connect(settings: &Settings) -> Result<Self, CallFailure> {
        let profile = Profile::load(settings.profile.as_deref()).await;
        // One that is given in the settings goes before all of these.
        if settings.endpoint_url.is_none() {
            let variable = |name: &str| {
                std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
            };
            let of_profile = |name: &str| profile.setting(name).map(str::to_owned);
            endpoint::check(variable, of_profile)?;
        }
        let http_client = match &settings.http_client {
            Some(client) => client.clone(),
            None => http::client(profile.trusted()?),
        };
        // The calls for credentials are made by clients of the SDK's own, which are told of below them.
        let for_credentials = match &settings.trace {
            Some(trace) => TracedHttp::shared(http_client.clone(), trace.clone(), "credentials"),
            None => http_client.clone(),
        };
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(for_credentials.clone())
            .timeout_config(
                TimeoutConfig::builder()
                    .read_timeout(Duration::from_secs(30))
                    .operation_attempt_timeout(Duration::from_secs(60))
                    .build(),
            )
            .identity_cache(IdentityCache::lazy().load_timeout(LOAD_TIME).build());
        if let Some(profile) = &settings.profile {
            // The default chain would take keys of the environment before a profile that was named.
            let mut config = ProviderConfig::default().with_http_client(for_credentials.clone());
            if let Some(region) = &settings.region {
                config = config.with_region(Some(aws_config::Region::new(region.clone())));
            }
            let provider = ProfileFileCredentialsProvider::builder()
                .configure(&config)
                .profile_name(profile)
                .build();
            loader = loader.profile_name(profile).credentials_provider(provider);
        }
        if let Some(region) = &settings.region {
            let region = Region::new(region.as_str())
                .map_err(|e| CallFailure::new(FailureKind::Refused, e.to_string()))?;
            loader = loader.region(aws_config::Region::new(region.as_str().to_owned()));
        }
        if let Some(url) = &settings.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        if let Some(credentials) = &settings.credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        let mut base = loader.load().await;
        if settings.endpoint_url.is_none() {
            endpoint::check_section(&base)?;
        }
        let opening_name = session_name(&settings.session_name);
        let mut renewal = profile.renewal();
        if settings.credentials.is_none()
            && let Some((role, source)) = profile.mfa()?
        {
            let source = match source {
                Source::Keys(keys) => SharedCredentialsProvider::new(keys),
                Source::Environment => {
                    SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new())
                }
                Source::Profile(name) => {
                    let config = ProviderConfig::default()
                        .with_http_client(for_credentials)
                        .with_region(base.region().cloned());
                    let provider = ProfileFileCredentialsProvider::builder()
                        .configure(&config)
                        .profile_name(name)
                        .build();
                    SharedCredentialsProvider::new(provider)
                }
            };
            let region = base.region().cloned();
            let with = base
                .to_builder()
                .credentials_provider(source)
                .region(region.unwrap_or(aws_config::Region::from_static(FALLBACK_REGION)))
                .build();
            let prompt = settings.mfa.as_deref();
            let session = role.open(&with, &opening_name, prompt).await?;
            renewal = role.renewal();
            base = base.into_builder().credentials_provider(session).build();
        }
        if base
            .region()
            .is_some_and(|region| region.as_ref().is_empty())
        {
            // `AWS_REGION=` names none, as in the AWS CLI.
            base = base.into_builder().region(None).build();
        }
        base = base.into_builder().http_client(http_client).build();
        let kept = base
            .credentials_provider()
            .map(|provider| Kept::new(provider, &base));
        if let Some(kept) = kept.clone() {
            let kept = kept.shared();
            base = base.into_builder().credentials_provider(kept).build();
        }
        let default_region = match base.region() {
            None => None,
            Some(region) => Some(Region::new(region.as_ref()).map_err(|e| {
                CallFailure::new(
                    FailureKind::Refused,
                    format!("AWS_REGION or the profile's region: {e}"),
                )
            })?),
        };
        Ok(Self(Arc::new(Shared {
            base,
            kept,
            default_region,
            trace: settings.trace.clone(),
            opening: Arc::new(Opening {
                name: opening_name,
                external_id: settings.external_id.clone(),
                tags: settings.session_tags.clone(),
            }),
            renewal,
            caller: OnceCell::new(),
            sessions: Mutex::default(),
            clients: Mutex::default(),
            sts: Mutex::default(),
            gates: Mutex::default(),
            watched: Arc::default(),
            lines: Semaphore::new(lines(open_files())),
            change_sets: Learned::new(),
            operations: Learned::new(),
            objects: Objects::default(),
            silences: Silences::default(),
            held: Held::default(),
        })))
    }

    /// Returns the same connection, with the same credentials, whose sessions of roles have another name.
    ///
    /// Credentials that somebody typed a code for are opened once.
    pub fn with_session_name(&self, name: &str) -> Self {
        let shared = &self.0;
        let opening = Opening {
            name: session_name(name),
            external_id: shared.opening.external_id.clone(),
            tags: shared.opening.tags.clone(),
        };
        Self(Arc::new(Shared {
            base: shared.base.clone(),
            kept: shared.kept.clone(),
            default_region: shared.default_region.clone(),
            trace: shared.trace.clone(),
            opening: Arc::new(opening),
            renewal: shared.renewal.clone(),
            caller: OnceCell::new_with(shared.caller.get().cloned()),
            sessions: Mutex::default(),
            clients: Mutex::default(),
            sts: Mutex::default(),
            gates: Mutex::default(),
            watched: Arc::default(),
            lines: Semaphore::new(lines(open_files())),
            change_sets: Learned::new(),
            operations: Learned::new(),
            objects: Objects::default(),
            silences: Silences::default(),
            held: Held::default(),
        }))
    }

    /// Returns the region of the environment, the profile or the settings.
    pub fn default_region(&self) -> Option<Region> {
        self.0.default_region.clone()
    }

    /// Returns whether an endpoint was set, in the settings, the environment or the profile.
    pub fn has_own_endpoint(&self) -> bool {
        self.endpoint_for("CLOUDFORMATION").is_some()
    }

    /// Returns who the base credentials belong to. Asks once.
    pub async fn caller(&self) -> Result<Caller, CallFailure> {
        self.own_caller(None).await
    }

    /// Returns who calls at a target, after opening the session there.
    ///
    /// Refused where the caller is of another account than the target: everything would be done in the
    /// wrong account. An assumed role's identity follows from the role and the session's name, so it
    /// costs no call of its own.
    pub async fn caller_at(&self, spec: &TargetSpec) -> Result<Caller, CallFailure> {
        let target = &spec.target;
        // Told before anything is approved. It is not assumed: who plans need not be allowed to.
        if let Some(arn) = &spec.execute_role_arn {
            Role::parse(arn, &target.account)?;
        }
        if spec.role_arn.is_some() {
            let session = self.session(spec)?;
            let place = target.place();
            return session.caller().await.map_err(|error| {
                // An SDK error around it gives the one classification.
                let error: aws_smithy_runtime_api::client::result::SdkError<
                    aws_sdk_sts::operation::assume_role::AssumeRoleError,
                    _,
                > = aws_smithy_runtime_api::client::result::SdkError::construction_failure(error);
                classify(
                    &error,
                    &self.attempted("AssumeRole", &place, Effect::Repeatable),
                )
            });
        }
        let caller = self.own_caller(Some(&target.region)).await?;
        self.check_partition(target, Some(&caller))?;
        if caller.account != target.account {
            return Err(CallFailure::new(
                FailureKind::Refused,
                format!(
                    "{target}: the credentials are of account {}, not of the target's; give a role to assume there, or other credentials",
                    caller.account
                ),
            ));
        }
        Ok(caller)
    }

    /// Returns who the base credentials belong to, asked near a region. Asks once; those of another account that come later
    /// are refused.
    pub(super) async fn own_caller(&self, near: Option<&Region>) -> Result<Caller, CallFailure> {
        self.0
            .caller
            .get_or_try_init(|| async {
                let region = self.sts_region(near);
                let place = region.as_ref().to_owned();
                let attempted = self.attempted("GetCallerIdentity", &place, Effect::Repeatable);
                let kept = self.0.kept.as_ref().ok_or_else(no_credentials)?;
                let asking = Asking::new(&self.with_region(&region), self.traced(&place));
                // On the heap: it is in the future of nearly everything.
                Box::pin(kept.caller(asking))
                    .await
                    .map_err(|error| classify(&error, &attempted))?
                    .ok_or_else(|| {
                        attempted.failure(
                            FailureKind::Refused,
                            "the reply names no account; is the endpoint an AWS one?",
                        )
                    })
            })
            .await
            .cloned()
    }

    /// Returns the client of a region, for calls that are made as somebody (`Acting`). It sends each call once: what may be
    /// sent again, and when, is decided in one place, within the budget of the target's account and region.
    pub(super) fn client(&self, region: &Region) -> Client {
        let mut clients = locked(&self.0.clients);
        if let Some(client) = clients.get(region) {
            return client.clone();
        }
        let config = self.with_region(&aws_config::Region::new(region.as_str().to_owned()));
        let config = ForEachCall::provided_to(&config);
        let mut config = aws_sdk_cloudformation::config::Builder::from(&config)
            .retry_config(RetryConfig::disabled());
        if let Some(trace) = &self.0.trace {
            config = config.interceptor(Traced::acting(trace.clone()));
        }
        let client = Client::from_conf(config.build());
        clients.insert(region.clone(), client.clone());
        client
    }

    /// Returns as whom calls at a target are made.
    pub(super) fn acting(&self, spec: &TargetSpec) -> Result<Acting, CallFailure> {
        Ok(Acting {
            credentials: self.credentials_at(spec)?,
            place: spec.target.place(),
        })
    }

    fn traced(&self, place: &str) -> Option<Traced> {
        let trace = self.0.trace.clone()?;
        Some(Traced::at(trace, place.to_owned()))
    }

    /// Returns what was put into buckets or found there.
    pub(super) fn objects(&self) -> &Objects {
        &self.0.objects
    }

    /// Returns the endpoint that was set for a service, such as `SSM`.
    pub(super) fn endpoint_for(&self, service: &str) -> Option<String> {
        endpoint::of_service(&self.0.base, service)
    }

    /// Refuses to call a service at AWS where CloudFormation alone has an endpoint of its own: what is found in a
    /// real account has no place in an emulator's, nor the other way round.
    pub(super) fn check_endpoint_for(&self, service: &str) -> Result<(), CallFailure> {
        if self.has_own_endpoint() && self.endpoint_for(service).is_none() {
            return Err(CallFailure::new(
                FailureKind::BadInput,
                format!(
                    "CloudFormation has an endpoint of its own, and {service} has none; set AWS_ENDPOINT_URL_{service} too, or AWS_ENDPOINT_URL for all services"
                ),
            ));
        }
        Ok(())
    }

    pub(super) fn http_client(&self) -> Option<SharedHttpClient> {
        self.0.base.http_client()
    }

    pub(super) fn credentials_provider(&self) -> Option<SharedCredentialsProvider> {
        self.0.base.credentials_provider()
    }

    /// Returns the credentials with which a target is acted on.
    pub(super) fn credentials_at(
        &self,
        spec: &TargetSpec,
    ) -> Result<SharedCredentialsProvider, CallFailure> {
        if spec.role_arn.is_some() {
            return Ok(self.session(spec)?.credentials());
        }
        self.credentials_provider().ok_or_else(no_credentials)
    }

    pub(super) fn timeouts(&self) -> TimeoutConfig {
        let timeouts = self.0.base.timeout_config().cloned();
        timeouts.unwrap_or_else(TimeoutConfig::disabled)
    }

    /// Returns the time by the clock of the SDK's configuration, with which requests are signed.
    pub(super) fn now(&self) -> SystemTime {
        let clock = self.0.base.time_source().unwrap_or_default();
        clock.now()
    }

    /// Returns the budget of a target's account and region.
    pub(super) fn gate(&self, target: &Target) -> Arc<Gate> {
        locked(&self.0.gates)
            .entry((target.account.clone(), target.region.clone()))
            .or_insert_with(Gate::new)
            .clone()
    }

    /// Returns a mark that a target's stack is being watched.
    pub(super) fn watcher(&self, target: &Target) -> Watcher {
        self.gate(target).watch(&self.0.watched)
    }

    /// Returns the regions from which nothing usable has come for a while, at the time `at`.
    pub fn silences(&self, at: Timestamp) -> Vec<Silence> {
        self.0.silences.told(at)
    }

    /// Returns what calls tell of regions.
    pub(super) fn silences_of_calls(&self) -> &Silences {
        &self.0.silences
    }

    /// Notes that what is carried out here is held: what was approved is sent only a short while after.
    pub fn note_held(&self) {
        self.0.held.note();
    }

    pub(super) fn held(&self) -> &Held {
        &self.0.held
    }

    /// Waits until one call more may be under way, and returns the right to it.
    pub(super) async fn line(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.0.lines.acquire().await.ok()
    }

    /// Returns how long change sets take to be computed.
    pub(super) fn change_sets(&self) -> &Learned {
        &self.0.change_sets
    }

    /// Returns how long operations on stacks take that go well.
    pub(super) fn operations(&self) -> &Learned {
        &self.0.operations
    }

    /// Returns the words for a call in `place`.
    pub(super) fn attempted<'a>(
        &'a self,
        operation: &'static str,
        place: &'a str,
        effect: Effect,
    ) -> Attempted<'a> {
        Attempted {
            operation,
            place,
            effect,
            renewal: &self.0.renewal,
            proven: self.0.caller.initialized(),
            everywhere: false,
        }
    }

    /// Returns whether every region that the target's account has knows the credentials that it is acted on with.
    pub(super) async fn is_known_everywhere(&self, spec: &TargetSpec) -> bool {
        if spec.role_arn.is_some() {
            // Opened here, at the endpoint of a region unless somebody set another one.
            return self.endpoint_for("STS").as_deref() == self.endpoint();
        }
        let Some(provider) = self.credentials_provider() else {
            return false;
        };
        let credentials = provider.provide_credentials().await;
        credentials.is_ok_and(|found| found.session_token().is_none())
    }

    /// Returns the session of a target's role, which is opened when it is first needed.
    fn session(&self, spec: &TargetSpec) -> Result<Session, CallFailure> {
        let arn = spec.role_arn.as_deref().unwrap_or_default();
        let role = Role::parse(arn, &spec.target.account)?;
        self.check_partition(&spec.target, self.0.caller.get())?;
        let mut sessions = locked(&self.0.sessions);
        if let Some(session) = sessions.get(arn) {
            return Ok(session.clone());
        }
        let session = Session::new(
            &role,
            self.0.opening.clone(),
            self.sts(self.sts_region(Some(&spec.target.region))),
            self.traced(spec.target.account.as_str()),
            &self.0.base,
        );
        sessions.insert(arn.to_owned(), session.clone());
        Ok(session)
    }

    /// Returns the client by which sessions are opened in a region.
    fn sts(&self, region: aws_config::Region) -> aws_sdk_sts::Client {
        let mut clients = locked(&self.0.sts);
        let client = clients.entry(region).or_insert_with_key(|region| {
            let config = self.with_region(region).into_builder();
            aws_sdk_sts::Client::new(&config.retry_config(for_sessions()).build())
        });
        client.clone()
    }

    /// Refuses a target whose partition has never heard of the caller.
    ///
    /// The services would call the credentials invalid. Emulators have one partition for all regions.
    pub(super) fn check_partition(
        &self,
        target: &Target,
        caller: Option<&Caller>,
    ) -> Result<(), CallFailure> {
        let there = target.region.partition();
        match caller.and_then(|caller| caller.arn.split(':').nth(1)) {
            Some(own) if own != there && !self.has_own_endpoint() => Err(CallFailure::new(
                FailureKind::Refused,
                format!(
                    "{target}: the region is of partition {there}, and the credentials are of partition {own}, \
                         which has other accounts and roles; deploy to it in a run of its own, with a profile of {there}"
                ),
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn sts_region(&self, near: Option<&Region>) -> aws_config::Region {
        let region = self.0.default_region.as_ref().or(near);
        aws_config::Region::new(region.map_or(FALLBACK_REGION, Region::as_str).to_owned())
    }

    /// Returns the configuration that all clients share.
    pub(super) fn base(&self) -> &SdkConfig {
        &self.0.base
    }

    /// Returns the configuration for STS, which every region answers alike.
    pub(super) fn near(&self) -> SdkConfig {
        self.with_region(&self.sts_region(None))
    }

    fn with_region(&self, region: &aws_config::Region) -> SdkConfig {
        self.0.base.to_builder().region(region.clone()).build()
    }
}

fn no_credentials() -> CallFailure {
    CallFailure::new(FailureKind::CredentialsExpired, "there are no credentials")
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Only maps are behind these locks, and nothing panics between two changes of one.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
