//! How an AWS call failed, as far as a decision needs to know.

use serde::{Deserialize, Serialize};

/// Why a call to AWS did not give what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct CallFailure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// What to show: operation, place and the service's words, cleaned.
    pub message: String,
}

/// The kinds of failure that are answered differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The credentials expired or are missing: pause, let them be renewed, go on.
    CredentialsExpired,
    /// The caller may not do it.
    AccessDenied,
    /// The account does not have the region; with good credentials, and nothing was done.
    RegionNotEnabled,
    /// The service asked for fewer calls, and kept asking after all retries.
    Throttled,
    /// The stack or change set does not exist.
    NotFound,
    /// A thing of that name exists already.
    AlreadyExists,
    /// The template needs these capabilities acknowledged.
    MissingCapabilities(Vec<String>),
    /// The service refused the request; sending it again gives the same answer.
    Refused,
    /// The request may or may not have been carried out.
    Ambiguous,
    /// It could not be sent in time. Nothing was carried out, and what it rests on has to be looked at again.
    NotSent,
    /// Nothing usable comes from the endpoint: it cannot be reached, is silent, or says that it has an error of its own.
    /// Nothing was carried out.
    Unreachable,
    /// Files or options are wrong; no call was made.
    BadInput,
    /// The secret of this parameter is needed and cannot be found or asked for here.
    SecretNeeded(String),
}

impl CallFailure {
    /// Returns a failure of `kind` with a cleaned message.
    pub fn new(kind: FailureKind, message: impl AsRef<str>) -> Self {
        Self {
            kind,
            message: super::clean(message.as_ref()),
        }
    }

    /// Returns a failure for several problems, each a line of the message and cleaned.
    pub fn several<'a>(kind: FailureKind, problems: impl IntoIterator<Item = &'a str>) -> Self {
        let lines: Vec<String> = problems.into_iter().map(super::clean).collect();
        Self {
            kind,
            message: lines.join("\n"),
        }
    }
}
