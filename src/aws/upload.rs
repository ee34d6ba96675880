//! Templates that are too large for a request: put into a bucket, and read from there by CloudFormation.
//!
//! The caller's own credentials upload and presign, so the role of a target needs no access to the bucket. The URL
//! lets whoever has it read the template for an hour: it goes to CloudFormation and nowhere else.
//!
//! Where the bucket keeps versions, the URL names the one that was uploaded; where it does not, `uploaded` finds out
//! whether it was replaced.

use std::fmt;
use std::time::Duration;

use super::connection::Aws;
use super::failure::Effect;
use super::object::{ObjectContent, versioned};
use super::signed::Signer;
use crate::model::{
    BucketObject, CallFailure, FailureKind, LARGEST_INLINE_TEMPLATE, TargetSpec, TemplateBucket,
};

/// How long CloudFormation may read an uploaded template.
const VALIDITY: Duration = Duration::from_secs(3600);

/// The longest `TemplateURL`.
const LONGEST_URL: usize = 5120;

/// What the keys of templates end with.
pub const TEMPLATE_ENDING: &str = "template";

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
    /// Puts a template into a bucket, unless it is there, and returns a URL at which CloudFormation can read it.
    ///
    /// `planned`: the object that is on record for it. What it says of the version counts, whatever is there by now.
    pub(super) async fn template_url(
        &self,
        spec: &TargetSpec,
        bucket: &TemplateBucket,
        template: &str,
        planned: Option<&BucketObject>,
    ) -> Result<TemplateUrl, CallFailure> {
        let content = ObjectContent::of(template.as_bytes());
        let found = self
            .put_object(spec, bucket, TEMPLATE_ENDING, content)
            .await?;
        let object = planned.unwrap_or(&found);
        let place = format!("bucket {}", object.bucket);
        let attempted = self.attempted("PutObject", &place, Effect::Repeatable);
        let credentials = self.base_credentials(&attempted).await?;
        let url = self.object_url(&object.bucket, &object.region, &object.key);
        let signer = Signer {
            credentials: &credentials,
            region: &object.region,
        };
        // Without the owner: CloudFormation sends no header that we could sign.
        let url = self
            .presigned("s3", &versioned(url, object), &signer, VALIDITY)
            .map_err(|e| attempted.failure(FailureKind::Refused, e))?;
        if url.len() > LONGEST_URL {
            return Err(attempted.failure(
                FailureKind::Refused,
                format!(
                    "the session token of the credentials makes the template's URL longer than the {LONGEST_URL} characters that CloudFormation takes; use other credentials, or a template of at most {LARGEST_INLINE_TEMPLATE} bytes"
                ),
            ));
        }
        Ok(TemplateUrl(url))
    }
}

#[cfg(test)]
mod tests;
