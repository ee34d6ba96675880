//! An HTTP client that answers the SDK from a script and records what was asked.
//!
//! It plugs in below the SDK (`Settings::http_client`), so requests, signing, retries and the parsing of
//! errors are the real ones. Replies are given per operation and used in order; the last one stays.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

/// A scripted endpoint. Clones share the script and the record.
#[derive(Debug, Clone, Default)]
pub struct Scripted(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    replies: HashMap<String, VecDeque<Reply>>,
    requests: Vec<Request>,
}

/// What comes back for one request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// An HTTP reply.
    Http(u16, String),
    /// The HTTP reply of a bucket that gave an object this version.
    Versioned(&'static str),
    /// An HTTP reply without a body, with these headers.
    Headers(u16, Vec<(&'static str, String)>),
    /// No connection: the request was never sent.
    NotConnected,
    /// The connection broke after the request was sent.
    Lost,
    /// No reply, ever.
    Silence,
}

/// A request as it was sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// The operation.
    pub action: String,
    /// The form's fields, decoded.
    pub fields: BTreeMap<String, String>,
    /// The host.
    pub uri: String,
    /// The access key that signed it.
    pub access_key: String,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// The region it was signed for.
    pub region: String,
}

impl Request {
    /// Returns a field of the form, or the empty text.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

impl Scripted {
    /// Returns an endpoint that knows no replies yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a reply to an operation.
    pub fn on(&self, action: &str, reply: Reply) -> &Self {
        self.state()
            .replies
            .entry(action.to_owned())
            .or_default()
            .push_back(reply);
        self
    }

    /// Adds a successful reply: `result` is the XML inside `<ActionResult>`.
    pub fn ok(&self, action: &str, result: &str) -> &Self {
        self.on(
            action,
            Reply::Http(
                200,
                format!(
                    "<{action}Response><{action}Result>{result}</{action}Result>\
                     <ResponseMetadata><RequestId>r-ok</RequestId></ResponseMetadata></{action}Response>"
                ),
            ),
        )
    }

    /// Adds an error reply.
    pub fn error(&self, action: &str, status: u16, code: &str, message: &str) -> &Self {
        self.on(
            action,
            Reply::Http(
                status,
                format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                     <RequestId>r-err</RequestId></ErrorResponse>"
                ),
            ),
        )
    }

    /// Returns every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// Returns the requests of one operation so far.
    pub fn requests_of(&self, action: &str) -> Vec<Request> {
        let mut all = self.requests();
        all.retain(|r| r.action == action);
        all
    }

    /// Returns the HTTP client to connect with.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// Returns credentials to connect with.
    pub fn credentials() -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Credentials::new(
            "AKIABASE", "scripted", None, None, "scripted",
        ))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: Request) -> Reply {
        let mut state = self.state();
        let action = request.action.clone();
        state.requests.push(request);
        let Some(replies) = state.replies.get_mut(&action) else {
            return Reply::Http(
                400,
                format!(
                    "<ErrorResponse><Error><Code>Unscripted</Code><Message>{action}</Message></Error></ErrorResponse>"
                ),
            );
        };
        if replies.len() > 1 {
            replies.pop_front().expect("there is more than one")
        } else {
            replies.front().expect("entries begin with a reply").clone()
        }
    }
}

impl HttpClient for Scripted {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Scripted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let reply = self.answer(parsed(&request));
        HttpConnectorFuture::new(async move {
            let (reply, headers) = match reply {
                Reply::Versioned(version) => {
                    let headers = vec![("x-amz-version-id", version.to_owned())];
                    (Reply::Http(200, String::new()), headers)
                }
                Reply::Headers(status, headers) => (Reply::Http(status, String::new()), headers),
                other => (other, Vec::new()),
            };
            match reply {
                Reply::Http(status, body) => {
                    let status = StatusCode::try_from(status).expect("scripts use real statuses");
                    let mut response = HttpResponse::new(status, SdkBody::from(body));
                    response
                        .headers_mut()
                        .insert("x-amzn-requestid", "r-header");
                    response
                        .headers_mut()
                        .insert("date", "Sun, 22 Nov 2026 21:40:01 GMT");
                    for (name, value) in headers {
                        response.headers_mut().insert(name, value);
                    }
                    Ok(response)
                }
                Reply::NotConnected => Err(ConnectorError::io(
                    io::Error::from(io::ErrorKind::ConnectionRefused).into(),
                )
                .never_connected()),
                Reply::Lost => Err(ConnectorError::io(
                    io::Error::from(io::ErrorKind::ConnectionReset).into(),
                )),
                Reply::Versioned(_) | Reply::Headers(..) | Reply::Silence => {
                    std::future::pending().await
                }
            }
        })
    }
}

/// Returns a request of the SDK with its form read.
pub fn parsed(request: &HttpRequest) -> Request {
    let body = request.body().bytes().unwrap_or_default();
    // Services that speak JSON name the operation in a header, as `Service.Operation`.
    let target = request.headers().get("x-amz-target");
    let fields: BTreeMap<String, String> = match target {
        Some(_) => serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(body)
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| match value {
                serde_json::Value::String(text) => (key, text),
                other => (key, other.to_string()),
            })
            .collect(),
        None => String::from_utf8_lossy(body)
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (decoded(key), decoded(value)))
            .collect(),
    };
    let action = match target {
        Some(target) => target.rsplit('.').next().map(str::to_owned),
        None => fields.get("Action").cloned(),
    };
    let authorization = request.headers().get("authorization").unwrap_or_default();
    let mut scope = authorization
        .split_once("Credential=")
        .map_or("", |(_, rest)| rest)
        .split('/');
    let access_key = scope.next().unwrap_or_default();
    let region = scope.nth(1).unwrap_or_default();
    Request {
        action: action.unwrap_or_default(),
        uri: request.uri().to_owned(),
        access_key: access_key.to_owned(),
        headers: request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        region: region.to_owned(),
        fields,
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex: Vec<u8> = rest.by_ref().take(2).collect();
                let hex = String::from_utf8_lossy(&hex).into_owned();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap_or(b'?'));
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
