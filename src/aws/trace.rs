//! What can be told of every attempt of a call: enough to ask AWS about it, and nothing of what was said in it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, Metadata};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use super::acting::Acting;
use super::cadence::Stopwatch;

/// One attempt of a call. It has no bodies, headers or addresses, in which secrets or signatures may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The service and the operation: `CloudFormation.DescribeStacks`.
    pub operation: String,
    /// Where: account and region of the target, or the region.
    pub place: String,
    /// Which attempt of the same call, from 1.
    pub number: u32,
    /// The HTTP status; absent where no reply came.
    pub status: Option<u16>,
    /// The request id that the service gave.
    pub request_id: Option<String>,
    /// How long it took.
    pub took: Duration,
}

tokio::task_local! {
    /// Which attempt of its call is being made, where it is not the SDK that makes another one.
    pub(super) static NUMBER: u32;
}

/// Who is told of attempts.
#[derive(Clone)]
pub struct Trace(Arc<dyn Fn(&Attempt) + Send + Sync>);

impl Trace {
    /// Returns one that calls `listener`.
    pub fn new(listener: impl Fn(&Attempt) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace")
    }
}

/// Tells of the attempts of one client.
#[derive(Debug, Clone)]
pub(super) struct Traced {
    trace: Trace,
    /// Where its calls are made; absent where each says it itself.
    place: Option<String>,
}

impl Traced {
    /// Returns one for calls at `place`.
    pub(super) fn at(trace: Trace, place: String) -> Self {
        let place = Some(place);
        Self { trace, place }
    }

    /// Returns one for calls that are each made as somebody, somewhere.
    pub(super) fn acting(trace: Trace) -> Self {
        Self { trace, place: None }
    }
}

/// An HTTP client that tells of the calls made for credentials, by clients of the SDK's own.
#[derive(Debug, Clone)]
pub(super) struct TracedHttp {
    inner: SharedHttpClient,
    trace: Trace,
    place: String,
}

impl TracedHttp {
    /// Returns `inner`, of whose calls at `place` `trace` is told.
    pub(super) fn shared(inner: SharedHttpClient, trace: Trace, place: &str) -> SharedHttpClient {
        SharedHttpClient::new(Self {
            inner,
            trace,
            place: place.to_owned(),
        })
    }
}

impl HttpClient for TracedHttp {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(TracedConnector {
            inner: self.inner.http_connector(settings, components),
            client: self.clone(),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

#[derive(Debug)]
struct TracedConnector {
    inner: SharedHttpConnector,
    client: TracedHttp,
}

impl HttpConnector for TracedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let TracedHttp { trace, place, .. } = self.client.clone();
        let (operation, number) = (operation_of(&request), attempt_of(&request));
        let begun = Stopwatch::start();
        let reply = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let reply = reply.await;
            let answered = reply.as_ref().ok();
            (trace.0)(&Attempt {
                operation,
                place,
                number,
                status: answered.map(|reply| reply.status().as_u16()),
                request_id: answered.and_then(request_id),
                took: begun.elapsed(),
            });
            reply
        })
    }
}

/// Returns the service and operation of a request for credentials, as far as it can be told. Nothing else of a
/// request is told: a body may hold codes, and an address tokens.
fn operation_of(request: &HttpRequest) -> String {
    let body = request.body().bytes().unwrap_or_default();
    let mut fields = body.split(|byte| *byte == b'&');
    let action = fields.find_map(|field| field.strip_prefix(b"Action="));
    let action = action.map(|name| crate::model::clean(&String::from_utf8_lossy(name)));
    let path = request.uri().split(['?', '#']).next().unwrap_or_default();
    match action {
        Some(action) => format!("STS.{action}"),
        None if path.ends_with("/federation/credentials") => "SSO.GetRoleCredentials".to_owned(),
        None if path.ends_with("/token") => "SSO OIDC.CreateToken".to_owned(),
        None => "credentials".to_owned(),
    }
}

/// Returns which attempt it is: `amz-sdk-request: attempt=2; max=3`.
fn attempt_of(request: &HttpRequest) -> u32 {
    let header = request.headers().get("amz-sdk-request").unwrap_or_default();
    let mut parts = header.split(';').map(str::trim);
    let number = parts.find_map(|part| part.strip_prefix("attempt="));
    number.and_then(|number| number.parse().ok()).unwrap_or(1)
}

fn request_id(reply: &HttpResponse) -> Option<String> {
    let names = ["x-amzn-requestid", "x-amz-request-id"];
    let id = names.iter().find_map(|name| reply.headers().get(*name));
    id.map(crate::model::clean)
}

#[derive(Debug)]
struct Started(Stopwatch);

impl Storable for Started {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Traced {
    fn name(&self) -> &'static str {
        "Traced"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        bag.interceptor_state()
            .store_put(Started(Stopwatch::start()));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = bag.load::<Metadata>().map_or_else(String::new, |about| {
            format!("{}.{}", about.service(), about.name())
        });
        // A client that says where it calls makes its attempts itself, perhaps within an attempt of somebody else's call.
        let number = match &self.place {
            Some(_) => bag
                .load::<RequestAttempts>()
                .map_or(1, RequestAttempts::attempts),
            None => NUMBER.try_get().unwrap_or(1),
        };
        let reply = context.response();
        (self.trace.0)(&Attempt {
            operation: crate::model::clean(&operation),
            place: self
                .place
                .clone()
                .or_else(Acting::place)
                .unwrap_or_default(),
            number,
            status: reply.map(|reply| reply.status().as_u16()),
            request_id: reply.and_then(request_id),
            took: bag
                .load::<Started>()
                .map_or(Duration::ZERO, |started| started.0.elapsed()),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::fixture::{spec, spec_in, stack_id, stacks};
    use super::super::scripted::Scripted;
    use super::super::{Aws, Settings, StackRef};
    use super::*;
    use crate::model::Priority;

    #[tokio::test(start_paused = true)]
    async fn every_attempt_is_told_without_what_was_said() {
        let script = Scripted::new();
        script
            .error("DescribeStacks", 400, "Throttling", "Rate exceeded")
            .ok("DescribeStacks", &stacks("CREATE_COMPLETE"));
        let told: Arc<Mutex<Vec<Attempt>>> = Arc::default();
        let listener = Arc::clone(&told);
        let aws = Aws::connect(&Settings {
            region: Some("eu-west-1".into()),
            endpoint_url: Some("http://scripted.invalid".into()),
            http_client: Some(script.http_client()),
            credentials: Some(Scripted::credentials()),
            trace: Some(Trace::new(move |attempt| {
                listener.lock().unwrap().push(attempt.clone());
            })),
            ..Settings::default()
        })
        .await
        .unwrap();
        let stack = stack_id();
        aws.stack(&spec(), StackRef::Id(&stack), Priority::Read)
            .await
            .unwrap();
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 2, "{told:?}");
        for (attempt, status) in told.iter().zip([400, 200]) {
            assert_eq!(attempt.operation, "CloudFormation.DescribeStacks");
            assert_eq!(attempt.place, "111111111111/eu-west-1");
            assert_eq!(attempt.status, Some(status));
            assert_eq!(attempt.request_id.as_deref(), Some("r-header"));
        }
        assert_eq!((told[0].number, told[1].number), (1, 2));
        let all = format!("{told:?}");
        assert!(
            !all.contains("hunter2") && !all.contains("scripted.invalid"),
            "{all}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_calls_for_credentials_are_told_of_too_without_what_was_said() {
        let script = Scripted::new();
        script
            .error("AssumeRole", 400, "Throttling", "Rate exceeded")
            .ok(
                "AssumeRole",
                "<AssumedRoleUser><Arn>arn:aws:sts::222222222222:assumed-role/Deploy/s</Arn>\
                 <AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser>\
                 <Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>hunter2</SecretAccessKey>\
                 <SessionToken>token3</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>",
            )
            .ok("DescribeStacks", "<Stacks></Stacks>");
        let told: Arc<Mutex<Vec<Attempt>>> = Arc::default();
        let listener = Arc::clone(&told);
        let aws = Aws::connect(&Settings {
            region: Some("eu-west-1".into()),
            endpoint_url: Some("http://scripted.invalid".into()),
            http_client: Some(script.http_client()),
            credentials: Some(Scripted::credentials()),
            external_id: Some("outside4".into()),
            trace: Some(Trace::new(move |attempt| {
                listener.lock().unwrap().push(attempt.clone());
            })),
            ..Settings::default()
        })
        .await
        .unwrap();
        let role = Some("arn:aws:iam::222222222222:role/Deploy");
        let spec = spec_in("222222222222", "eu-west-1", role);
        let stack = stack_id();
        aws.stack(&spec, StackRef::Id(&stack), Priority::Read)
            .await
            .unwrap();
        let told = told.lock().unwrap();
        let lines: Vec<_> = told
            .iter()
            .map(|a| (a.operation.as_str(), a.place.as_str(), a.number, a.status))
            .collect();
        assert_eq!(
            lines,
            [
                ("STS.AssumeRole", "222222222222", 1, Some(400)),
                ("STS.AssumeRole", "222222222222", 2, Some(200)),
                (
                    "CloudFormation.DescribeStacks",
                    "222222222222/eu-west-1",
                    1,
                    Some(200)
                ),
            ]
        );
        assert!(
            told.iter()
                .all(|a| a.request_id.as_deref() == Some("r-header"))
        );
        let all = format!("{told:?}");
        for secret in ["hunter2", "token3", "outside4", "scripted.invalid"] {
            assert!(!all.contains(secret), "{all}");
        }
    }
}
