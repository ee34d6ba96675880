//! Templates that are too large for a request: put into a bucket, and read from there by CloudFormation.
//!
//! The caller's own credentials upload and presign, so the role of a target needs no access to the bucket. The URL
//! lets whoever has it read the template for an hour: it goes to CloudFormation and nowhere else.
//!
//! The key is the digest of the content: uploading again, on resume or from another machine, leaves the
//! bucket as it was. Where the bucket keeps versions, the URL names the one that was uploaded; where it does not,
//! `uploaded` finds out whether it was replaced. It must be of the account that is said to own it: names of buckets
//! that were deleted are free for everyone.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use tokio::sync::OnceCell;

use super::cadence::{Stopwatch, Trouble};
use super::connection::Aws;
use super::failure::{Attempted, Effect, classify};
use super::signed::{Signed, Signer, dns_suffix, encoded};
use crate::model::{
    AccountId, CallFailure, Digest, FailureKind, Priority, Region, TargetSpec, TemplateBucket,
};

/// How long CloudFormation may read an uploaded template.
const VALIDITY: Duration = Duration::from_secs(3600);

/// The longest `TemplateURL`.
const LONGEST_URL: usize = 5120;

/// With this header S3 refuses a request for a bucket of another account.
const EXPECTED_OWNER: &str = "x-amz-expected-bucket-owner";

/// With this header S3 checks what arrives, and tells it again of what it has.
pub(super) const CHECKSUM: &str = "x-amz-checksum-sha256";

/// The uploads of this process, by bucket and key: a fleet shares one template.
pub(super) type Uploads = Mutex<HashMap<(TemplateBucket, String), Arc<OnceCell<Uploaded>>>>;

/// An uploaded template or other object.
#[derive(Debug, Clone)]
pub(super) struct Uploaded {
    pub(super) region: Region,
    pub(super) version: Option<String>,
}

/// A request to S3.
pub(super) struct Ask<'a> {
    pub(super) operation: &'static str,
    pub(super) method: &'static str,
    pub(super) bucket: &'a str,
    pub(super) owner: &'a AccountId,
    /// The object; empty for the bucket itself.
    pub(super) key: &'a str,
    pub(super) headers: &'a [(&'static str, &'a str)],
    pub(super) body: &'a [u8],
}

/// What S3 says where all went well.
#[derive(Debug)]
pub(super) struct Said {
    /// The version that was made or is there, if the bucket keeps versions.
    pub(super) version: Option<String>,
    /// Where the bucket is, if S3 says so.
    pub(super) region: Option<Region>,
    /// The SHA-256 of the object, if S3 was asked for it and has it.
    pub(super) checksum: Option<String>,
}

/// Returns what S3 calls the checksum of content with a digest.
pub(super) fn checksum(digest: &Digest) -> String {
    aws_smithy_types::base64::encode(digest.as_bytes())
}

/// A bucket that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBucket {
    /// Whose it is.
    pub owner: AccountId,
    /// Where it is.
    pub region: Region,
}

/// A URL that lets its bearer read a template. `Debug` does not show it.
#[derive(Clone)]
pub(super) struct TemplateUrl(String);

impl TemplateUrl {
    /// Returns the URL, for the request to CloudFormation alone.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TemplateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TemplateUrl(****)")
    }
}

/// Returns the key of an uploaded template.
fn key(template: &str) -> String {
    format!("stackgate/{}.template", Digest::of(template.as_bytes()))
}

/// Returns `failure` without any presigned URL that the service repeated.
pub(super) fn without_urls(mut failure: CallFailure) -> CallFailure {
    if failure.message.to_ascii_lowercase().contains("x-amz-") {
        failure.message = failure
            .message
            .split(' ')
            .map(|word| {
                let is_signed = word.to_ascii_lowercase().contains("x-amz-");
                if is_signed {
                    "(the URL of the template)"
                } else {
                    word
                }
            })
            .collect::<Vec<_>>()
            .join(" ");
    }
    failure
}

impl Aws {
    /// Puts a template into a bucket, once, and returns a URL at which CloudFormation can read it.
    pub(super) async fn upload_template(
        &self,
        spec: &TargetSpec,
        bucket: &TemplateBucket,
        template: &str,
    ) -> Result<TemplateUrl, CallFailure> {
        let place = format!("bucket {}", bucket.name);
        let attempted = self.attempted("PutObject", &place, Effect::Repeatable);
        let uploaded = self.uploaded(spec, bucket, template, &attempted).await?;
        let credentials = self.base_credentials(&attempted).await?;
        let mut url = self.object_url(&bucket.name, &uploaded.region, &key(template));
        if let Some(version) = &uploaded.version {
            url.push_str(&format!("?versionId={}", encoded(version)));
        }
        let signer = Signer {
            credentials: &credentials,
            region: &uploaded.region,
        };
        // Without the owner: CloudFormation sends no header that we could sign.
        let url = self
            .presigned("s3", &url, &signer, VALIDITY)
            .map_err(|e| attempted.failure(FailureKind::Refused, e))?;
        if url.len() > LONGEST_URL {
            return Err(attempted.failure(
                FailureKind::Refused,
                format!(
                    "the session token of the credentials makes the template's URL longer than the {LONGEST_URL} characters that CloudFormation takes; use other credentials, or a template of at most {} bytes",
                    crate::model::LARGEST_INLINE_TEMPLATE
                ),
            ));
        }
        Ok(TemplateUrl(url))
    }

    /// Returns whether the URL of a template names a version, so that nobody can replace what is read there.
    ///
    /// A process that goes on where another one uploaded puts the same content there again to find out.
    pub(super) async fn keeps_versions(
        &self,
        spec: &TargetSpec,
        bucket: &TemplateBucket,
        template: &str,
    ) -> Result<bool, CallFailure> {
        let place = format!("bucket {}", bucket.name);
        let attempted = self.attempted("PutObject", &place, Effect::Repeatable);
        let uploaded = self.uploaded(spec, bucket, template, &attempted).await?;
        Ok(uploaded.version.is_some())
    }

    /// Puts a template into a bucket unless this process did.
    async fn uploaded(
        &self,
        spec: &TargetSpec,
        bucket: &TemplateBucket,
        template: &str,
        attempted: &Attempted<'_>,
    ) -> Result<Uploaded, CallFailure> {
        self.check_endpoint_for("S3")?;
        let key = key(template);
        let cell = self.upload_cell(bucket, &key);
        let put = || self.upload(spec, bucket, &key, template.as_bytes(), attempted);
        cell.get_or_try_init(put).await.cloned()
    }

    /// Puts an object; asks again in the region that the bucket says it is in.
    pub(super) async fn upload(
        &self,
        spec: &TargetSpec,
        bucket: &TemplateBucket,
        key: &str,
        body: &[u8],
        attempted: &Attempted<'_>,
    ) -> Result<Uploaded, CallFailure> {
        let owner = self.owner_of(spec, bucket).await?;
        let checksum = checksum(&Digest::of(body));
        let put = Ask {
            operation: "PutObject",
            method: "PUT",
            bucket: &bucket.name,
            owner: &owner,
            key,
            headers: &[(CHECKSUM, &checksum)],
            body,
        };
        let mut region = spec.target.region.clone();
        let clock = Stopwatch::start();
        let mut attempt = 0;
        let mut has_moved = false;
        loop {
            let error = match self.ask(&put, &region, attempted).await? {
                Ok(Said { version, .. }) => return Ok(Uploaded { region, version }),
                Err(error) => error,
            };
            if let Some(found) = elsewhere(&error, &region)
                && !has_moved
            {
                (region, has_moved) = (found, true);
                continue;
            }
            let mut failure = classify(&error, attempted);
            if failure.kind == FailureKind::AccessDenied {
                // The service does not say which of the two it is.
                failure.message.push_str(&format!(
                    "; the credentials must be allowed to write there, and the bucket must be of account {owner}: \
                     where it belongs to another one on purpose, name that, `--s3-bucket {}@ACCOUNT`",
                    bucket.name
                ));
            }
            let Some(trouble) = Trouble::of(&failure.kind) else {
                return Err(failure);
            };
            if !trouble.outwaited(Priority::Mutate, attempt, clock).await {
                return Err(failure);
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
        let place = format!("bucket {}", bucket.name);
        let attempted = self.attempted("HeadBucket", &place, Effect::Repeatable);
        self.check_endpoint_for("S3")?;
        let owner = self.owner_of(spec, bucket).await?;
        let head = Ask {
            operation: "HeadBucket",
            method: "HEAD",
            bucket: &bucket.name,
            owner: &owner,
            key: "",
            headers: &[],
            body: &[],
        };
        let near = &spec.target.region;
        let mut reply = self.ask(&head, near, &attempted).await?;
        if let Err(error) = &reply
            && let Some(found) = elsewhere(error, near)
        {
            reply = self.ask(&head, &found, &attempted).await?.map(|said| Said {
                region: said.region.or(Some(found)),
                ..said
            });
        }
        let said = reply.map_err(|error| classify(&error, &attempted))?;
        Ok(FoundBucket {
            owner,
            region: said.region.unwrap_or_else(|| near.clone()),
        })
    }

    pub(super) async fn ask(
        &self,
        ask: &Ask<'_>,
        region: &Region,
        attempted: &Attempted<'_>,
    ) -> Result<Result<Said, AskError>, CallFailure> {
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
        // Repeated by the caller, where a region that the bucket names is looked at too.
        Ok(self.send_signed(&request, &signer, read_reply).await)
    }

    /// Returns the URL of an object; path style where an endpoint was given or the name has dots, which no
    /// certificate covers.
    fn object_url(&self, bucket: &str, region: &Region, key: &str) -> String {
        match self.endpoint_for("S3") {
            Some(endpoint) => format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/')),
            None => {
                let host = format!("s3.{region}.{}", dns_suffix(region));
                if bucket.contains('.') {
                    format!("https://{host}/{bucket}/{key}")
                } else {
                    format!("https://{bucket}.{host}/{key}")
                }
            }
        }
    }

    async fn base_credentials(
        &self,
        attempted: &Attempted<'_>,
    ) -> Result<Credentials, CallFailure> {
        let Some(provider) = self.credentials_provider() else {
            return Err(attempted.failure(
                FailureKind::CredentialsExpired,
                "there are no credentials to upload the template with",
            ));
        };
        provider.provide_credentials().await.map_err(|error| {
            // An SDK error around it gives the one classification.
            let error: AskError =
                aws_smithy_runtime_api::client::result::SdkError::construction_failure(error);
            classify(&error, attempted)
        })
    }
}

pub(super) type AskError = aws_smithy_runtime_api::client::result::SdkError<S3Error, HttpResponse>;

/// What S3 says went wrong.
#[derive(Debug)]
pub(super) struct S3Error {
    meta: ErrorMetadata,
    /// Where the bucket is, if S3 says so.
    region: Option<Region>,
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

/// Returns the region in which S3 says the bucket is, where that is another one.
pub(super) fn elsewhere(error: &AskError, region: &Region) -> Option<Region> {
    let found = error.as_service_error()?.region.clone()?;
    (found != *region).then_some(found)
}

fn read_reply(response: &HttpResponse) -> Result<Said, OrchestratorError<S3Error>> {
    let header = |name: &str| response.headers().get(name).map(str::to_owned);
    let region = header("x-amz-bucket-region").and_then(|name| Region::new(name).ok());
    if response.status().is_success() {
        return Ok(Said {
            version: header("x-amz-version-id").filter(|version| version != "null"),
            region,
            checksum: header(CHECKSUM),
        });
    }
    let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default()).into_owned();
    let mut meta = ErrorMetadata::builder();
    // A reply to `HEAD` has no body.
    let code = element(&body, "Code").or(match response.status().as_u16() {
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
        meta: meta.build(),
        region,
    }))
}

fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::fixture::{CHANGE_SET, STACK, aws, spec, spec_in};
    use super::super::scripted::{Reply, Scripted};
    use super::super::{CreateChangeSet, Settings};
    use super::*;
    use crate::model::{
        ChangeSetKind, ChangeSetName, LARGEST_INLINE_TEMPLATE, LARGEST_TEMPLATE, StackOptions,
    };

    /// Returns a bucket of the caller's account.
    fn mine(name: &str) -> TemplateBucket {
        TemplateBucket {
            name: name.to_owned(),
            owner: None,
        }
    }

    fn request(bytes: usize, bucket: Option<&str>) -> CreateChangeSet {
        CreateChangeSet {
            stack: spec().target.stack,
            name: ChangeSetName::new("plan").unwrap(),
            kind: ChangeSetKind::Create,
            token: "token".into(),
            template: "x".repeat(bytes),
            bucket: bucket.map(mine),
            parameters: Vec::new(),
            tags: BTreeMap::new(),
            capabilities: BTreeSet::new(),
            role_arn: None,
            options: StackOptions::default(),
            description: None,
        }
    }

    /// Returns a script in which uploads, which have no action, and change sets succeed.
    fn script() -> Scripted {
        let script = known();
        script.on("", Reply::Http(200, String::new())).ok(
            "CreateChangeSet",
            &format!("<Id>{CHANGE_SET}</Id><StackId>{STACK}</StackId>"),
        );
        script
    }

    /// Returns a script that knows who calls.
    fn known() -> Scripted {
        let script = Scripted::new();
        script.ok(
            "GetCallerIdentity",
            "<Account>111111111111</Account><Arn>arn:aws:iam::111111111111:user/ci</Arn><UserId>u</UserId>",
        );
        script
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_template_is_uploaded_once_for_a_fleet_and_given_by_url() {
        let script = script();
        let aws = aws(&script).await;
        let request = request(LARGEST_INLINE_TEMPLATE + 1, Some("templates"));
        let other = spec_in("111111111111", "us-east-1", None);
        for spec in [spec(), other] {
            aws.create_change_set(&spec, &request).await.unwrap();
        }
        let sent = script.requests();
        let asked: Vec<_> = sent.iter().map(|r| r.action.as_str()).collect();
        assert_eq!(
            asked,
            [
                "GetCallerIdentity",
                "",
                "CreateChangeSet",
                "CreateChangeSet"
            ]
        );
        let put = &sent[1];
        let object = format!(
            "http://scripted.invalid/templates/stackgate/{}.template",
            Digest::of(request.template.as_bytes())
        );
        assert_eq!(
            (put.access_key.as_str(), put.uri.as_str()),
            ("AKIABASE", object.as_str())
        );
        for created in script.requests_of("CreateChangeSet") {
            let url = created.field("TemplateURL");
            assert!(url.starts_with(&format!("{object}?")), "{url}");
            for part in [
                "X-Amz-Expires=3600",
                "X-Amz-Credential=AKIABASE%2F",
                "%2Feu-west-1%2Fs3%2F",
                "X-Amz-Signature=",
                // CloudFormation could not send another header.
                "X-Amz-SignedHeaders=host&",
            ] {
                assert!(url.contains(part), "{part} in {url}");
            }
            assert!(!created.fields.contains_key("TemplateBody"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_bucket_must_be_of_the_caller_or_of_the_account_that_is_named() {
        let script = script();
        let aws = aws(&script).await;
        let theirs = TemplateBucket {
            owner: Some(AccountId::new("222222222222").unwrap()),
            ..mine("templates")
        };
        for (bucket, owner) in [
            (mine("templates"), "111111111111"),
            (theirs, "222222222222"),
        ] {
            aws.upload_template(&spec(), &bucket, "text").await.unwrap();
            let puts = script.requests_of("");
            let headers = &puts.last().unwrap().headers;
            assert_eq!(headers[EXPECTED_OWNER], owner);
            // Who passes the request on cannot take it away.
            assert!(headers["authorization"].contains(&format!(";{EXPECTED_OWNER}")));
        }
        assert_eq!(script.requests_of("").len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_template_needs_no_bucket_and_a_large_one_says_so() {
        let script = script();
        let aws = aws(&script).await;
        let small = request(LARGEST_INLINE_TEMPLATE, Some("templates"));
        aws.create_change_set(&spec(), &small).await.unwrap();
        let sent = script.requests();
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].field("TemplateBody").len(), LARGEST_INLINE_TEMPLATE);
        for (request, said) in [
            (
                request(LARGEST_INLINE_TEMPLATE + 1, None),
                "in eu-west-1 with `--s3-bucket`",
            ),
            (
                request(LARGEST_TEMPLATE + 1, Some("templates")),
                "takes 1048576; split it",
            ),
        ] {
            let failure = aws.create_change_set(&spec(), &request).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::BadInput);
            assert!(failure.message.contains(said), "{failure}");
        }
        assert_eq!(script.requests().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_may_have_arrived_is_made_again() {
        let script = known();
        script
            .on("", Reply::Lost)
            .on(
                "",
                Reply::Http(503, "<Error><Code>SlowDown</Code></Error>".into()),
            )
            .on("", Reply::Http(200, String::new()));
        script.ok(
            "CreateChangeSet",
            &format!("<Id>{CHANGE_SET}</Id><StackId>{STACK}</StackId>"),
        );
        let request = request(LARGEST_INLINE_TEMPLATE + 1, Some("templates"));
        aws(&script)
            .await
            .create_change_set(&spec(), &request)
            .await
            .unwrap();
        assert_eq!(script.requests_of("").len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_in_another_region_is_followed_there() {
        let script = known();
        let moved = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message><Region>ap-south-1</Region></Error>";
        script
            .on("", Reply::Http(400, moved.into()))
            .on("", Reply::Http(200, String::new()));
        let url = aws(&script)
            .await
            .upload_template(&spec(), &mine("templates"), "text")
            .await
            .unwrap();
        assert!(url.expose().contains("%2Fap-south-1%2Fs3%2F"));
        assert_eq!(format!("{url:?}"), "TemplateUrl(****)");
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_is_looked_at_without_putting_anything_there() {
        for (replies, found) in [
            (vec![(200, "")], Ok("eu-west-1")),
            (
                vec![
                    (400, "<Error><Region>ap-south-1</Region></Error>"),
                    (200, ""),
                ],
                Ok("ap-south-1"),
            ),
            (vec![(403, "")], Err("AccessDenied")),
            (vec![(404, "")], Err("NoSuchBucket")),
        ] {
            let script = known();
            for (status, body) in replies {
                script.on("", Reply::Http(status, body.to_owned()));
            }
            let aws = aws(&script).await;
            let looked = aws.template_bucket(&spec(), &mine("templates")).await;
            match (looked, found) {
                (Ok(bucket), Ok(region)) => {
                    assert_eq!(bucket.region.as_str(), region);
                    assert_eq!(bucket.owner.as_str(), "111111111111");
                }
                (Err(failure), Err(code)) => {
                    let said = format!("HeadBucket in bucket templates: {code}");
                    assert!(failure.message.starts_with(&said), "{failure}");
                }
                other => panic!("{other:?}"),
            }
            let asked = script.requests_of("");
            assert!(
                asked
                    .iter()
                    .all(|r| r.uri == "http://scripted.invalid/templates/")
            );
            assert!(
                asked
                    .iter()
                    .all(|r| r.headers[EXPECTED_OWNER] == "111111111111")
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_upload_names_the_bucket_and_no_change_set_is_made() {
        for (code, status, kind) in [
            ("AccessDenied", 403, FailureKind::AccessDenied),
            ("NoSuchBucket", 404, FailureKind::Refused),
            ("ExpiredToken", 400, FailureKind::CredentialsExpired),
        ] {
            let script = known();
            let body = format!("<Error><Code>{code}</Code><Message>said</Message></Error>");
            script.on("", Reply::Http(status, body));
            let request = request(LARGEST_INLINE_TEMPLATE + 1, Some("templates"));
            let failure = aws(&script)
                .await
                .create_change_set(&spec(), &request)
                .await
                .unwrap_err();
            assert_eq!(failure.kind, kind, "{failure}");
            assert!(
                failure
                    .message
                    .starts_with("PutObject in bucket templates: "),
                "{failure}"
            );
            let says_whose = failure.message.contains("must be of account 111111111111");
            assert_eq!(says_whose, code == "AccessDenied", "{failure}");
            assert!(script.requests_of("CreateChangeSet").is_empty());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_url_is_not_repeated_in_a_failure() {
        let script = known();
        script.on("", Reply::Http(200, String::new())).error(
            "CreateChangeSet",
            400,
            "ValidationError",
            "S3 error for https://b.s3.amazonaws.com/k?X-Amz-Signature=abc&amp;x: denied",
        );
        let request = request(LARGEST_INLINE_TEMPLATE + 1, Some("templates"));
        let failure = aws(&script)
            .await
            .create_change_set(&spec(), &request)
            .await
            .unwrap_err();
        assert!(!failure.message.contains("X-Amz"), "{failure}");
        assert!(
            failure.message.contains("(the URL of the template)"),
            "{failure}"
        );
    }

    #[tokio::test]
    async fn objects_have_the_host_names_of_their_partition() {
        let aws = Aws::connect(&Settings {
            region: Some("eu-west-1".into()),
            http_client: Some(Scripted::new().http_client()),
            credentials: Some(Scripted::credentials()),
            ..Settings::default()
        })
        .await
        .unwrap();
        let url =
            |bucket: &str, region: &str| aws.object_url(bucket, &Region::new(region).unwrap(), "k");
        assert_eq!(
            url("b", "eu-west-1"),
            "https://b.s3.eu-west-1.amazonaws.com/k"
        );
        assert_eq!(
            url("a.b", "us-east-1"),
            "https://s3.us-east-1.amazonaws.com/a.b/k"
        );
        assert_eq!(
            url("b", "cn-north-1"),
            "https://b.s3.cn-north-1.amazonaws.com.cn/k"
        );
    }

    #[test]
    fn a_url_is_split_into_origin_and_path() {
        assert_eq!(encoded("a/b+c~"), "a%2Fb%2Bc~");
    }
}
