//! Objects under the digest of their content: code and templates that go through a bucket.
//!
//! They are put there by the caller's own credentials. What is there already with the same checksum stays: S3 computed
//! it when it was put there. So uploading again, on resume or from another machine, leaves the bucket as it was, and in
//! one that keeps versions the version, too.
//!
//! Nobody signs for those who read code and nested templates, which are CloudFormation and other services, with the
//! permissions of the target's role: a URL that somebody signed would not outlive the first update of the stack.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::cadence::Stopwatch;
use super::connection::{Aws, locked};
use super::s3::{Ask, CHECKSUM, Refusal, Said};
use super::signed::{Payload, encoded};
use crate::model::{
    AccountId, BucketObject, CallFailure, Digest, FailureKind, Region, TargetSpec, TemplateBucket,
};

/// How long it holds what was found in a bucket: the targets of a wave ask at the same time.
const HOLDS: Duration = Duration::from_secs(60);

/// What is to be in an object.
#[derive(Debug, Clone, Copy)]
pub struct ObjectContent<'a> {
    digest: Digest,
    body: Payload<'a>,
}

impl<'a> ObjectContent<'a> {
    /// Returns the content of an object that has `bytes`.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self {
            digest: Digest::of(bytes),
            body: Payload::Bytes(bytes),
        }
    }

    /// Returns the content of a file of so many bytes, which is sent piece by piece.
    pub fn of_file(path: &'a Path, length: u64, digest: Digest) -> Self {
        Self {
            digest,
            body: Payload::File {
                path,
                length,
                digest,
            },
        }
    }
}

/// What became of an object that was put into a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectState {
    /// It is what was put there.
    AsPut,
    /// It has another content.
    Other,
    /// It is gone.
    Gone,
    /// The bucket says nothing by which it could be told.
    Untold,
}

/// The objects that this process put into buckets or found there; a fleet shares them.
#[derive(Debug, Default)]
pub(super) struct Objects {
    put: Mutex<HashMap<(TemplateBucket, String), Put>>,
    seen: Mutex<HashMap<BucketObject, Arc<Seen>>>,
}

/// An object that is put into a bucket once.
type Put = Arc<OnceCell<BucketObject>>;

/// What an object was when it was last looked at.
type Seen = tokio::sync::Mutex<Option<(Stopwatch, Result<ObjectState, CallFailure>)>>;

/// Returns the key under which content is put. The ending is that of a file, without its dot; it may be empty.
pub fn object_key(digest: &Digest, ending: &str) -> String {
    let dot = if ending.is_empty() { "" } else { "." };
    format!("stackgate/{digest}{dot}{ending}")
}

impl Aws {
    /// Puts content into a bucket, unless it is there, and returns it as it is there.
    pub async fn put_object(
        &self,
        spec: &TargetSpec,
        bucket: &TemplateBucket,
        ending: &str,
        content: ObjectContent<'_>,
    ) -> Result<BucketObject, CallFailure> {
        self.check_endpoint_for("S3")?;
        let key = object_key(&content.digest, ending);
        let cell = locked(&self.objects().put)
            .entry((bucket.clone(), key.clone()))
            .or_default()
            .clone();
        let put = cell.get_or_try_init(|| async {
            let owner = self.owner_of(spec, bucket).await?;
            let near = &spec.target.region;
            let found = self.head(&bucket.name, &owner, &key, near).await;
            let said = match found {
                Ok(said) if said.is_of(&content.digest) => said,
                // Whatever else it says, and where it may not be asked, the upload finds out.
                Ok(Said { region, .. }) => {
                    let put = self.upload(&bucket.name, &owner, &key, &content, &region);
                    put.await?
                }
                Err(refusal) => {
                    let near = refusal.region.as_ref().unwrap_or(near);
                    let put = self.upload(&bucket.name, &owner, &key, &content, near);
                    put.await?
                }
            };
            Ok::<_, CallFailure>(BucketObject {
                bucket: bucket.name.clone(),
                owner,
                region: said.region,
                key,
                digest: content.digest,
                version: said.version,
                etag: said.etag,
            })
        });
        put.await.cloned()
    }

    /// Returns whether an object still is what was put there. An answer holds for a minute: a fleet asks once.
    pub async fn object_state(&self, object: &BucketObject) -> Result<ObjectState, CallFailure> {
        let seen = locked(&self.objects().seen)
            .entry(object.clone())
            .or_default()
            .clone();
        let mut seen = seen.lock().await;
        if let Some((since, state)) = &*seen
            && since.elapsed() < HOLDS
        {
            return state.clone();
        }
        let begun = Stopwatch::start();
        let BucketObject {
            bucket,
            owner,
            key,
            region,
            ..
        } = object;
        let state = match self.head(bucket, owner, key, region).await {
            Ok(said) => Ok(state(object, &said)),
            Err(refusal) if refusal.is_missing => Ok(ObjectState::Gone),
            // Told to every target without asking for each.
            Err(refusal) if refusal.failure.kind == FailureKind::AccessDenied => {
                let mut failure = refusal.failure;
                failure.message.push_str(&format!(
                    "; unless it is looked at, nobody can tell whether {key} still is what was approved"
                ));
                Err(failure)
            }
            Err(refusal) => return Err(refusal.failure),
        };
        *seen = Some((begun, state.clone()));
        state
    }

    /// Returns the URL of an object, without a signature; of its version, where it has one.
    pub fn url_of(&self, object: &BucketObject) -> String {
        let url = self.path_style(&object.bucket, &object.region, &object.key);
        versioned(url, object)
    }

    async fn head(
        &self,
        bucket: &str,
        owner: &AccountId,
        key: &str,
        near: &Region,
    ) -> Result<Said, Refusal> {
        let head = Ask {
            operation: "HeadObject",
            method: "HEAD",
            bucket,
            owner,
            key,
            headers: &[("x-amz-checksum-mode", "ENABLED")],
            body: Payload::Bytes(&[]),
        };
        self.ask_s3(&head, near).await
    }

    async fn upload(
        &self,
        bucket: &str,
        owner: &AccountId,
        key: &str,
        content: &ObjectContent<'_>,
        near: &Region,
    ) -> Result<Said, CallFailure> {
        let checksum = checksum(&content.digest);
        let put = Ask {
            operation: "PutObject",
            method: "PUT",
            bucket,
            owner,
            key,
            headers: &[(CHECKSUM, &checksum)],
            body: content.body,
        };
        Ok(self.ask_s3(&put, near).await?)
    }
}

impl Said {
    /// Returns whether the object is said to have this content.
    fn is_of(&self, digest: &Digest) -> bool {
        self.checksum.as_deref() == Some(checksum(digest).as_str())
    }
}

/// Returns the URL of an object with its version, where it has one.
pub(super) fn versioned(url: String, object: &BucketObject) -> String {
    match &object.version {
        Some(version) => format!("{url}?versionId={}", encoded(version)),
        None => url,
    }
}

/// Returns what an object is by what S3 says of it. A checksum, which is of SHA-256, wins over an entity tag.
fn state(object: &BucketObject, said: &Said) -> ObjectState {
    let is_same = match (&said.checksum, &object.etag, &said.etag) {
        (Some(found), _, _) => *found == checksum(&object.digest),
        (None, Some(put), Some(found)) => put == found,
        (None, _, _) => return ObjectState::Untold,
    };
    match is_same {
        true => ObjectState::AsPut,
        false => ObjectState::Other,
    }
}

/// Returns what S3 calls the checksum of content with a digest.
fn checksum(digest: &Digest) -> String {
    aws_smithy_types::base64::encode(digest.as_bytes())
}

#[cfg(test)]
mod tests;
