//! Reads a parameter of Systems Manager.

use std::fmt;

use serde::Deserialize;

use super::call::Call;
use super::connection::Aws;
use super::json::{JSON_1_1, JsonFailure, JsonService, code};
use crate::model::{CallFailure, Priority, TargetSpec};

const SSM: JsonService = JsonService {
    name: "ssm",
    endpoint: "SSM",
    prefix: "AmazonSSM",
    content_type: JSON_1_1,
};

impl Aws {
    /// Returns the value of a parameter; otherwise why there is none.
    pub(super) async fn ssm_parameter(
        &self,
        spec: &TargetSpec,
        name: &str,
    ) -> Result<Result<String, String>, CallFailure> {
        self.check_endpoint_for(SSM.endpoint)?;
        let call = Call::read("GetParameter", Priority::Read);
        // A session that cannot be had is told as such, not as a failed call.
        self.credentials_at(spec)?;
        let reply = self
            .call(call, spec, |_| self.get_parameter(spec, name))
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
        name: &str,
    ) -> Result<Option<Parameter>, JsonFailure> {
        let body = serde_json::json!({"Name": name, "WithDecryption": false});
        let reply: Result<Found, _> = self.ask_json(SSM, "GetParameter", spec, &body).await;
        match reply {
            Ok(found) => Ok(Some(found.parameter)),
            Err(failure)
                if matches!(
                    code(&failure),
                    Some("ParameterNotFound" | "ParameterVersionNotFound")
                ) =>
            {
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }
}

#[derive(Debug, Deserialize)]
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
