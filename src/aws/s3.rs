//! S3, as far as templates and code go through it: requests of the caller's own credentials, sent to where the bucket
//! says it is.
//!
//! A bucket must be of the account that is said to own it: names of buckets that were deleted are free for everyone.

use std::fmt;

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};

use super::cadence::{Stopwatch, Trouble};
use super::connection::Aws;
use super::failure::{Attempted, Effect, classify};
use super::signed::{Payload, Signed, Signer, dns_suffix};
use crate::model::{
    AccountId, CallFailure, FailureKind, Priority, Region, TargetSpec, TemplateBucket,
};

/// With this header S3 refuses a request for a bucket of another account.
pub(super) const EXPECTED_OWNER: &str = "x-amz-expected-bucket-owner";

/// With this header S3 checks what arrives, and tells it again of what it has.
pub(super) const CHECKSUM: &str = "x-amz-checksum-sha256";

/// A request to S3.
pub(super) struct Ask<'a> {
    pub(super) operation: &'static str,
    pub(super) method: &'static str,
    pub(super) bucket: &'a str,
    pub(super) owner: &'a AccountId,
    /// The object; empty for the bucket itself.
    pub(super) key: &'a str,
    pub(super) headers: &'a [(&'static str, &'a str)],
    pub(super) body: Payload<'a>,
}

/// What S3 says where all went well.
#[derive(Debug)]
pub(super) struct Said {
    /// The version that was made or is there, if the bucket keeps versions.
    pub(super) version: Option<String>,
    /// Where the bucket is.
    pub(super) region: Region,
    /// The SHA-256 of the object, if S3 was asked for it and has it.
    pub(super) checksum: Option<String>,
    /// What S3 calls the content of the object.
    pub(super) etag: Option<String>,
}

/// Why S3 did not do what it was asked.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) failure: CallFailure,
    /// Whether there is no such object, or no such bucket.
    pub(super) is_missing: bool,
    /// Where the bucket is, as far as it was asked there.
    pub(super) region: Option<Region>,
}

impl From<Refusal> for CallFailure {
    fn from(refusal: Refusal) -> Self {
        refusal.failure
    }
}

impl From<CallFailure> for Refusal {
    fn from(failure: CallFailure) -> Self {
        Self {
            failure,
            is_missing: false,
            region: None,
        }
    }
}

/// A bucket that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBucket {
    /// Whose it is.
    pub owner: AccountId,
    /// Where it is.
    pub region: Region,
}

impl Aws {
    /// Sends a request to a bucket, first to the region `near` it; again in the region that the bucket says it is in, and
    /// where it is worth it after a while.
    pub(super) async fn ask_s3(&self, ask: &Ask<'_>, near: &Region) -> Result<Said, Refusal> {
        let place = format!("bucket {}", ask.bucket);
        let attempted = self.attempted(ask.operation, &place, Effect::Repeatable);
        self.check_endpoint_for("S3")?;
        let mut region = near.clone();
        let clock = Stopwatch::start();
        let mut attempt = 0;
        let mut has_moved = false;
        loop {
            let error = match self.ask_once(ask, &region, &attempted).await? {
                Ok(reply) => {
                    return Ok(Said {
                        version: reply.version,
                        region: reply.region.unwrap_or(region),
                        checksum: reply.checksum,
                        etag: reply.etag,
                    });
                }
                Err(error) => error,
            };
            let refused = error.as_service_error();
            let found = refused.and_then(|said| said.region.clone());
            if let Some(found) = found.filter(|found| *found != region)
                && !has_moved
            {
                (region, has_moved) = (found, true);
                continue;
            }
            let is_missing = refused.is_some_and(|said| said.is_missing);
            let code = refused.and_then(|said| said.meta.code().map(str::to_owned));
            let mut failure = classify(&error, &attempted);
            failure
                .message
                .push_str(&advice(ask, &failure, code.as_deref(), &region));
            let refusal = Refusal {
                failure,
                is_missing,
                region: Some(region.clone()),
            };
            let Some(trouble) = Trouble::of(&refusal.failure.kind) else {
                return Err(refusal);
            };
            if !trouble.outwaited(Priority::Mutate, attempt, clock).await {
                return Err(refusal);
            }
            attempt += 1;
        }
    }

    /// Returns the account that a bucket must be of.
    pub(super) async fn owner_of(
        &self,
        spec: &TargetSpec,
        bucket: &TemplateBucket,
    ) -> Result<AccountId, CallFailure> {
        match &bucket.owner {
            Some(owner) => Ok(owner.clone()),
            None => Ok(self.own_caller(Some(&spec.target.region)).await?.account),
        }
    }

    /// Returns whose the bucket for the large templates of a target is, and where. Nothing is put there.
    pub async fn template_bucket(
        &self,
        spec: &TargetSpec,
        bucket: &TemplateBucket,
    ) -> Result<FoundBucket, CallFailure> {
        self.check_endpoint_for("S3")?;
        let owner = self.owner_of(spec, bucket).await?;
        let head = Ask {
            operation: "HeadBucket",
            method: "HEAD",
            bucket: &bucket.name,
            owner: &owner,
            key: "",
            headers: &[],
            body: Payload::Bytes(&[]),
        };
        let said = self.ask_s3(&head, &spec.target.region).await?;
        Ok(FoundBucket {
            owner,
            region: said.region,
        })
    }

    async fn ask_once(
        &self,
        ask: &Ask<'_>,
        region: &Region,
        attempted: &Attempted<'_>,
    ) -> Result<Result<Reply, AskError>, CallFailure> {
        let credentials = self.base_credentials(attempted).await?;
        let url = self.object_url(ask.bucket, region, ask.key);
        let owner = [(EXPECTED_OWNER, ask.owner.as_str())];
        let headers = [&owner[..], ask.headers].concat();
        let request = Signed {
            service: "s3",
            operation: ask.operation,
            method: ask.method,
            url: &url,
            headers: &headers,
            body: ask.body,
        };
        let signer = Signer {
            credentials: &credentials,
            region,
        };
        Ok(self.send_signed(&request, &signer, read_reply).await)
    }

    /// Returns the URL of an object; path style where an endpoint was given or the name has dots, which no
    /// certificate covers.
    pub(super) fn object_url(&self, bucket: &str, region: &Region, key: &str) -> String {
        match self.endpoint_for("S3") {
            None if !bucket.contains('.') => {
                format!("https://{bucket}.s3.{region}.{}/{key}", dns_suffix(region))
            }
            Some(_) | None => self.path_style(bucket, region, key),
        }
    }

    /// Returns the URL of an object as templates name it; nested templates were long taken in this form alone.
    pub(super) fn path_style(&self, bucket: &str, region: &Region, key: &str) -> String {
        match self.endpoint_for("S3") {
            Some(endpoint) => format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/')),
            None => format!("https://s3.{region}.{}/{bucket}/{key}", dns_suffix(region)),
        }
    }

    /// Returns the caller's own credentials, whatever the target's role is.
    pub(super) async fn base_credentials(
        &self,
        attempted: &Attempted<'_>,
    ) -> Result<Credentials, CallFailure> {
        let Some(provider) = self.credentials_provider() else {
            return Err(attempted.failure(
                FailureKind::CredentialsExpired,
                "there are no credentials to use the bucket with",
            ));
        };
        provider.provide_credentials().await.map_err(|error| {
            // An SDK error around it gives the one classification.
            let error: AskError = SdkError::construction_failure(error);
            classify(&error, attempted)
        })
    }
}

/// Returns what to do about a bucket that refuses, to follow what it said.
fn advice(ask: &Ask<'_>, failure: &CallFailure, code: Option<&str>, region: &Region) -> String {
    let Ask {
        operation,
        bucket,
        owner,
        ..
    } = ask;
    const NAMED: &str = "`--s3-bucket`, or `TemplateBuckets` of the pipeline's action, names it";
    if *operation == "HeadBucket" {
        // Asked by `doctor` alone, which has remedies of its own.
        return String::new();
    }
    if code == Some("NoSuchBucket") {
        return format!(
            "; there is no bucket {bucket}, and {NAMED}: make it with `aws s3 mb s3://{bucket} --region {region}`, or name another one"
        );
    }
    if failure.kind != FailureKind::AccessDenied {
        return String::new();
    }
    let (deed, action) = match *operation {
        "PutObject" => ("write there", "s3:PutObject"),
        _ => ("look at what is there", "s3:GetObject"),
    };
    // The service does not say which of the two it is.
    format!(
        "; the credentials must be allowed to {deed} ({action}; `stackgate doctor --policy` writes the policy), and the bucket must be of account \
         {owner}: where it belongs to another one on purpose, name that, `--s3-bucket {bucket}@ACCOUNT`; {NAMED}"
    )
}

type AskError = SdkError<S3Error, HttpResponse>;

/// What S3 says where all went well, as far as it says it.
#[derive(Debug)]
struct Reply {
    version: Option<String>,
    region: Option<Region>,
    checksum: Option<String>,
    etag: Option<String>,
}

/// What S3 says went wrong.
#[derive(Debug)]
struct S3Error {
    /// In a box: errors of the SDK are large enough without it.
    meta: Box<ErrorMetadata>,
    /// Where the bucket is, if S3 says so.
    region: Option<Region>,
    is_missing: bool,
}

impl fmt::Display for S3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.meta.fmt(f)
    }
}

impl std::error::Error for S3Error {}

impl ProvideErrorMetadata for S3Error {
    fn meta(&self) -> &ErrorMetadata {
        &self.meta
    }
}

fn read_reply(response: &HttpResponse) -> Result<Reply, OrchestratorError<S3Error>> {
    let header = |name: &str| response.headers().get(name).map(str::to_owned);
    let region = header("x-amz-bucket-region").and_then(|name| Region::new(name).ok());
    if response.status().is_success() {
        return Ok(Reply {
            version: header("x-amz-version-id").filter(|version| version != "null"),
            region,
            checksum: header(CHECKSUM),
            etag: header("etag"),
        });
    }
    let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default()).into_owned();
    let mut meta = ErrorMetadata::builder();
    let status = response.status().as_u16();
    // A reply to `HEAD` has no body.
    let code = element(&body, "Code").or(match status {
        403 => Some("AccessDenied"),
        404 => Some("NoSuchBucket"),
        _ => None,
    });
    if let Some(code) = code {
        meta = meta.code(code);
    }
    if let Some(message) = element(&body, "Message") {
        meta = meta.message(message);
    }
    let region = region.or_else(|| Region::new(element(&body, "Region")?).ok());
    Err(OrchestratorError::operation(S3Error {
        meta: Box::new(meta.build()),
        region,
        is_missing: status == 404,
    }))
}

fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

#[cfg(test)]
mod tests;
