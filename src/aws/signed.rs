//! Requests to services of which one or two calls are needed: signed here and sent as the SDK sends its own, by
//! the same HTTP client. Their own crates would cost a minute of compile time.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningInstructions, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::error::Error as ByteStreamError;
use aws_smithy_types::byte_stream::{ByteStream, Length};
use aws_smithy_types::timeout::TimeoutConfig;

use super::connection::Aws;
use crate::model::{Digest, Region};

/// A request, sent once: whoever asks knows whether it may be repeated.
#[derive(Debug, Clone)]
pub(super) struct Signed<'a> {
    pub(super) service: &'static str,
    pub(super) operation: &'static str,
    pub(super) method: &'static str,
    pub(super) url: &'a str,
    /// Headers that are signed and sent.
    pub(super) headers: &'a [(&'static str, &'a str)],
    pub(super) body: Payload<'a>,
}

/// What a request carries.
#[derive(Debug, Clone, Copy)]
pub(super) enum Payload<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// A file, which is read as it is sent.
    File {
        path: &'a Path,
        length: u64,
        /// The SHA-256 of its content, which the service checks.
        digest: Digest,
    },
}

impl Payload<'_> {
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }

    /// Returns what is sent.
    async fn open(&self) -> Result<SdkBody, ByteStreamError> {
        match self {
            Self::Bytes(bytes) => Ok(SdkBody::from(*bytes)),
            Self::File { path, length, .. } => {
                let file = ByteStream::read_from().path(path);
                let file = file.length(Length::Exact(*length)).build();
                Ok(file.await?.into_inner())
            }
        }
    }
}

/// Whose signature, and where it holds.
pub(super) struct Signer<'a> {
    pub(super) credentials: &'a Credentials,
    pub(super) region: &'a Region,
}

impl Aws {
    /// Sends a request, and returns what `read` makes of the reply.
    pub(super) async fn send_signed<T, E>(
        &self,
        request: &Signed<'_>,
        signer: &Signer<'_>,
        read: fn(&HttpResponse) -> Result<T, OrchestratorError<E>>,
    ) -> Result<T, SdkError<E, HttpResponse>>
    where
        T: std::fmt::Debug + Send + Sync + 'static,
        E: std::error::Error + std::fmt::Debug + Send + Sync + 'static,
    {
        let body = match request.body {
            Payload::Bytes(bytes) => SignableBody::Bytes(bytes),
            Payload::File { digest, .. } => SignableBody::Precomputed(digest.to_string()),
        };
        let (signature, _) = signer
            .sign(request, body, None, self.now())
            .map_err(SdkError::construction_failure)?
            .into_parts();
        let own = request.headers.iter();
        let headers: Vec<(String, String)> = own
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .chain(
                signature
                    .into_iter()
                    .map(|h| (h.name().to_owned(), h.value().to_owned())),
            )
            .collect();
        let Some(client) = self.http_client() else {
            return Err(SdkError::construction_failure("there is no HTTP client"));
        };
        let (origin, path) = split(request.url);
        let (method, path) = (request.method, path.to_owned());
        let body = request.body.open().await;
        // Sent once: nobody asks for it a second time.
        let body = Mutex::new(Some(body.map_err(SdkError::construction_failure)?));
        let length = request.body.length();
        let timeouts = slower_by(self.timeouts(), length);
        Operation::builder()
            .service_name(request.service)
            .operation_name(request.operation)
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(client)
            .endpoint_url(origin)
            .no_auth()
            .no_retry()
            .timeout_config(timeouts)
            .serializer(move |(): ()| {
                let body = body.lock().ok().and_then(|mut body| body.take());
                let mut request = HttpRequest::new(body.unwrap_or_else(SdkBody::empty));
                request.set_method(method)?;
                request.set_uri(path.as_str())?;
                for (name, value) in &headers {
                    request.headers_mut().insert(name.clone(), value.clone());
                }
                let length = length.to_string();
                request.headers_mut().insert("content-length", length);
                Ok(request)
            })
            .deserializer(read)
            .build()
            .invoke(())
            .await
    }

    /// Returns `url` with a signature in it, by which whoever has it may `GET` it for `validity`.
    pub(super) fn presigned(
        &self,
        service: &'static str,
        url: &str,
        signer: &Signer<'_>,
        validity: Duration,
    ) -> Result<String, String> {
        let request = Signed {
            service,
            operation: "presigned",
            method: "GET",
            url,
            headers: &[],
            body: Payload::Bytes(&[]),
        };
        let body = SignableBody::UnsignedPayload;
        let (_, query) = signer
            .sign(&request, body, Some(validity), self.now())?
            .into_parts();
        let mut url = url.to_owned();
        for (name, value) in query {
            let joint = if url.contains('?') { '&' } else { '?' };
            url.push_str(&format!("{joint}{name}={}", encoded(&value)));
        }
        Ok(url)
    }
}

impl Signer<'_> {
    /// Returns the signature: in the query where it has a `validity`, else in headers.
    fn sign(
        &self,
        request: &Signed<'_>,
        body: SignableBody<'_>,
        validity: Option<Duration>,
        now: SystemTime,
    ) -> Result<SigningInstructions, String> {
        let mut settings = SigningSettings::default();
        // What S3 wants; the paths of the others are `/`.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        if validity.is_some() {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = validity;
        } else {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region.as_str())
            .name(request.service)
            .time(now)
            .settings(settings)
            .build()
            .map_err(|e| e.to_string())?
            .into();
        let headers = request.headers.iter().copied();
        let signable = SignableRequest::new(request.method, request.url, headers, body)
            .map_err(|e| e.to_string())?;
        let signed = sign(signable, &parameters).map_err(|e| e.to_string())?;
        Ok(signed.into_parts().0)
    }
}

/// Returns `timeouts` with the time that so many bytes take on a slow line.
fn slower_by(timeouts: TimeoutConfig, bytes: u64) -> TimeoutConfig {
    const BYTES_A_SECOND: u64 = 128 << 10;
    let extra = Duration::from_secs(bytes / BYTES_A_SECOND);
    let longer = |timeout: Option<Duration>| timeout.map(|timeout| timeout + extra);
    let mut builder = timeouts.to_builder();
    builder
        .set_read_timeout(longer(timeouts.read_timeout()))
        .set_operation_attempt_timeout(longer(timeouts.operation_attempt_timeout()));
    builder.build()
}

/// Returns what host names of the partition end with.
pub(super) fn dns_suffix(region: &Region) -> &'static str {
    match region.partition() {
        "aws-cn" => "amazonaws.com.cn",
        "aws-iso" => "c2s.ic.gov",
        "aws-iso-b" => "sc2s.sgov.gov",
        "aws-eusc" => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

/// Returns the origin and the path of a URL.
fn split(url: &str) -> (&str, &str) {
    let from = url.find("://").map_or(0, |at| at + 3);
    match url[from..].find('/') {
        Some(at) => url.split_at(from + at),
        None => (url, "/"),
    }
}

/// Returns `text` as it stands in a query.
pub(super) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        assert_eq!(split("http://a:1/b/c"), ("http://a:1", "/b/c"));
        assert_eq!(split("https://a"), ("https://a", "/"));
        assert_eq!(encoded("a/b+c~"), "a%2Fb%2Bc~");
    }

    #[test]
    fn a_large_body_has_the_time_that_it_takes() {
        let minute = Duration::from_secs(60);
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(minute)
            .build();
        let of = |bytes| slower_by(timeouts.clone(), bytes).operation_attempt_timeout();
        assert_eq!(of(1000), Some(minute));
        assert_eq!(of(250 << 20), Some(minute + Duration::from_secs(2000)));
        assert_eq!(slower_by(timeouts.clone(), 1 << 20).read_timeout(), None);
    }
}
