//! What was put into buckets, in the record: who approves a plan approves the code that it leads to.

use serde::Serialize;

use crate::model::{AccountId, BucketObject, Digest, PackagedObject, Region, Uploads};

#[derive(Serialize)]
pub(super) struct UploadsRecord<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    packaged: Vec<PackagedRecord<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<ObjectRecord<'a>>,
}

impl<'a> UploadsRecord<'a> {
    pub(super) fn of(uploads: &'a Uploads) -> Option<Self> {
        let Uploads { template, packaged } = uploads;
        let mut packaged: Vec<_> = packaged.iter().map(PackagedRecord::of).collect();
        packaged.sort_unstable();
        let record = Self {
            packaged,
            template: template.as_ref().map(ObjectRecord::of),
        };
        (!uploads.is_empty()).then_some(record)
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct PackagedRecord<'a> {
    is_pinned: bool,
    object: ObjectRecord<'a>,
    path: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    private: Vec<&'a str>,
}

impl<'a> PackagedRecord<'a> {
    pub(super) fn of(packaged: &'a PackagedObject) -> Self {
        let PackagedObject {
            path,
            object,
            is_pinned,
            private,
        } = packaged;
        let mut private: Vec<&str> = private.iter().map(String::as_str).collect();
        private.sort_unstable();
        Self {
            is_pinned: *is_pinned,
            object: ObjectRecord::of(object),
            path,
            private,
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct ObjectRecord<'a> {
    bucket: &'a str,
    digest: Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<&'a str>,
    key: &'a str,
    owner: &'a AccountId,
    region: &'a Region,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
}

impl<'a> ObjectRecord<'a> {
    pub(super) fn of(object: &'a BucketObject) -> Self {
        let BucketObject {
            bucket,
            owner,
            region,
            key,
            digest,
            version,
            etag,
        } = object;
        Self {
            bucket,
            digest: *digest,
            etag: etag.as_deref(),
            key,
            owner,
            region,
            version: version.as_deref(),
        }
    }
}
