//! Services that speak JSON and of which a few calls are needed.

use std::fmt;

use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use serde::de::DeserializeOwned;

use super::connection::Aws;
use super::signed::{Payload, Signed, Signer, dns_suffix};
use crate::model::TargetSpec;

/// What most services speak.
pub(super) const JSON_1_1: &str = "application/x-amz-json-1.1";

/// A service.
#[derive(Debug, Clone, Copy)]
pub(super) struct JsonService {
    /// Its name in signatures and host names.
    pub(super) name: &'static str,
    /// Its name in `AWS_ENDPOINT_URL_…` and in messages.
    pub(super) endpoint: &'static str,
    /// What stands before an operation in `X-Amz-Target`.
    pub(super) prefix: &'static str,
    /// The content type of the version that it speaks.
    pub(super) content_type: &'static str,
}

/// How a call failed.
pub(super) type JsonFailure = SdkError<JsonError, HttpResponse>;

impl Aws {
    /// Asks a service once, with the credentials of a target and in its region.
    pub(super) async fn ask_json<T>(
        &self,
        service: JsonService,
        operation: &'static str,
        spec: &TargetSpec,
        body: &serde_json::Value,
    ) -> Result<T, JsonFailure>
    where
        T: DeserializeOwned + fmt::Debug + Send + Sync + 'static,
    {
        let region = &spec.target.region;
        let origin = match self.endpoint_for(service.endpoint) {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://{}.{region}.{}", service.name, dns_suffix(region)),
        };
        let provider = self
            .credentials_at(spec)
            .map_err(SdkError::construction_failure)?;
        let credentials = provider
            .provide_credentials()
            .await
            .map_err(SdkError::construction_failure)?;
        let target = format!("{}.{operation}", service.prefix);
        let body = body.to_string();
        let request = Signed {
            service: service.name,
            operation,
            method: "POST",
            url: &format!("{origin}/"),
            headers: &[
                ("content-type", service.content_type),
                ("x-amz-target", &target),
            ],
            body: Payload::Bytes(body.as_bytes()),
        };
        let signer = Signer {
            credentials: &credentials,
            region,
        };
        self.send_signed(&request, &signer, read_reply).await
    }
}

/// What a service says went wrong.
#[derive(Debug)]
pub(super) struct JsonError(ErrorMetadata);

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for JsonError {}

impl ProvideErrorMetadata for JsonError {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

/// Returns the code of the service's error, if it is one.
pub(super) fn code(failure: &JsonFailure) -> Option<&str> {
    failure.as_service_error().and_then(|error| error.code())
}

fn read_reply<T: DeserializeOwned>(
    response: &HttpResponse,
) -> Result<T, OrchestratorError<JsonError>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return serde_json::from_slice(body).map_err(OrchestratorError::other);
    }
    let said: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |names: [&str; 2]| {
        let found = names.into_iter().find_map(|name| said.get(name)?.as_str());
        found.map(str::to_owned)
    };
    // The code may come with the name of the service's model, `com.amazonaws.ssm#ParameterNotFound`.
    let code = text(["__type", "code"]).map(|code| match code.rsplit_once('#') {
        Some((_, name)) => name.to_owned(),
        None => code,
    });
    let mut meta = ErrorMetadata::builder();
    if let Some(code) = code {
        meta = meta.code(code);
    }
    if let Some(message) = text(["message", "Message"]) {
        meta = meta.message(message);
    }
    Err(OrchestratorError::operation(JsonError(meta.build())))
}
