//! Reads a parameter of Systems Manager: one request, for which the service's own crate would be a minute of
//! compile time.

use std::fmt;

use aws_config::BehaviorVersion;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use serde::Deserialize;

use super::call::Call;
use super::connection::Aws;
use super::upload::dns_suffix;
use crate::model::{CallFailure, Priority, TargetSpec};

const JSON: &str = "application/x-amz-json-1.1";
const TARGET: &str = "AmazonSSM.GetParameter";

type Error = SdkError<SsmError, HttpResponse>;

impl Aws {
    /// Returns the value of a parameter; otherwise why there is none.
    pub(super) async fn ssm_parameter(
        &self,
        spec: &TargetSpec,
        name: &str,
    ) -> Result<Result<String, String>, CallFailure> {
        let call = Call::read("GetParameter", Priority::Read);
        let provider = &self.credentials_at(spec).await?;
        let reply = self
            .call(call, spec, |_| self.get_parameter(spec, provider, name))
            .await?;
        let region = &spec.target.region;
        Ok(match reply {
            None => Err(format!("there is no such parameter in {region}")),
            Some(parameter) if parameter.kind == "SecureString" => Err(
                "it is a SecureString, and what is looked up is shown and stored; use a `NoEcho` parameter with `--secret`, or `{{resolve:ssm-secure:…}}` in the template"
                    .to_owned(),
            ),
            Some(parameter) => Ok(parameter.value),
        })
    }

    /// Asks once. A parameter that is not there is an answer.
    async fn get_parameter(
        &self,
        spec: &TargetSpec,
        provider: &SharedCredentialsProvider,
        name: &str,
    ) -> Result<Option<Parameter>, Error> {
        let region = &spec.target.region;
        let origin = match self.endpoint_url() {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://ssm.{region}.{}", dns_suffix(region)),
        };
        let url = format!("{origin}/");
        let body = serde_json::json!({"Name": name, "WithDecryption": false}).to_string();
        let credentials = provider
            .provide_credentials()
            .await
            .map_err(SdkError::construction_failure)?;
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region.as_str())
            .name("ssm")
            .time(self.now())
            .settings(SigningSettings::default())
            .build()
            .map_err(SdkError::construction_failure)?
            .into();
        let headers = [("content-type", JSON), ("x-amz-target", TARGET)];
        let signable = SignableRequest::new(
            "POST",
            &url,
            headers.into_iter(),
            SignableBody::Bytes(body.as_bytes()),
        )
        .map_err(SdkError::construction_failure)?;
        let (signed, _) = sign(signable, &parameters)
            .map_err(SdkError::construction_failure)?
            .into_parts()
            .0
            .into_parts();
        let headers: Vec<(String, String)> = headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .chain(
                signed
                    .into_iter()
                    .map(|h| (h.name().to_owned(), h.value().to_owned())),
            )
            .collect();
        let Some(client) = self.http_client() else {
            return Err(SdkError::construction_failure("there is no HTTP client"));
        };
        Operation::builder()
            .service_name("ssm")
            .operation_name("GetParameter")
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(client)
            .endpoint_url(&origin)
            .no_auth()
            // Repeated within the budget of the account and region.
            .no_retry()
            .timeout_config(self.timeouts())
            .serializer(move |(): ()| {
                let mut request = HttpRequest::new(SdkBody::from(body.as_str()));
                request.set_method("POST")?;
                request.set_uri("/")?;
                for (name, value) in &headers {
                    request.headers_mut().insert(name.clone(), value.clone());
                }
                let length = body.len().to_string();
                request.headers_mut().insert("content-length", length);
                Ok(request)
            })
            .deserializer(read_reply)
            .build()
            .invoke(())
            .await
    }
}

#[derive(Deserialize)]
struct Found {
    #[serde(rename = "Parameter")]
    parameter: Parameter,
}

/// A parameter. Its value is never shown by `Debug`: it may be encrypted.
#[derive(Deserialize)]
struct Parameter {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Value")]
    value: String,
}

impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parameter")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// What Systems Manager says went wrong.
#[derive(Debug)]
struct SsmError(ErrorMetadata);

impl fmt::Display for SsmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SsmError {}

impl ProvideErrorMetadata for SsmError {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

fn read_reply(response: &HttpResponse) -> Result<Option<Parameter>, OrchestratorError<SsmError>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        let found: Found = serde_json::from_slice(body).map_err(OrchestratorError::other)?;
        return Ok(Some(found.parameter));
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
    if matches!(
        code.as_deref(),
        Some("ParameterNotFound" | "ParameterVersionNotFound")
    ) {
        return Ok(None);
    }
    let mut meta = ErrorMetadata::builder();
    if let Some(code) = code {
        meta = meta.code(code);
    }
    if let Some(message) = text(["message", "Message"]) {
        meta = meta.message(message);
    }
    Err(OrchestratorError::operation(SsmError(meta.build())))
}
