//! Reads a parameter of Systems Manager.

use std::fmt;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use serde::Deserialize;

use super::call::Call;
use super::connection::Aws;
use super::signed::{Payload, Signed, Signer, dns_suffix};
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
        self.check_endpoint_for("SSM")?;
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
        let origin = match self.endpoint_for("SSM") {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://ssm.{region}.{}", dns_suffix(region)),
        };
        let credentials = provider
            .provide_credentials()
            .await
            .map_err(SdkError::construction_failure)?;
        let body = serde_json::json!({"Name": name, "WithDecryption": false}).to_string();
        let request = Signed {
            service: "ssm",
            operation: "GetParameter",
            method: "POST",
            url: &format!("{origin}/"),
            headers: &[("content-type", JSON), ("x-amz-target", TARGET)],
            body: Payload::Bytes(body.as_bytes()),
        };
        let signer = Signer {
            credentials: &credentials,
            region,
        };
        self.send_signed(&request, &signer, read_reply).await
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
