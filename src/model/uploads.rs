//! What a deployment put into buckets.

use serde::{Deserialize, Serialize};

use super::{AccountId, Digest, Region};

/// An object in a bucket, as it was put or found there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BucketObject {
    /// The bucket.
    pub bucket: String,
    /// Whose the bucket is.
    pub owner: AccountId,
    /// Where the bucket is.
    pub region: Region,
    /// The key.
    pub key: String,
    /// The SHA-256 of the content.
    pub digest: Digest,
    /// Its version; none where the bucket keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What S3 calls its content, by which it is known again where S3 tells no checksum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// An object that a packaged template leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackagedObject {
    /// The file or folder that it was made of, as a path inside the source artifact.
    pub path: String,
    /// The object.
    pub object: BucketObject,
    /// Whether every place that names it names its version, too, so that nobody can change what is read there.
    pub is_pinned: bool,
    /// Files in it that are seldom meant for others, such as `.env`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub private: Vec<String>,
}

/// What was put into buckets for a target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uploads {
    /// The template, where it is too large for a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<BucketObject>,
    /// What the template leads to, sorted by key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packaged: Vec<PackagedObject>,
}

impl Uploads {
    /// Returns whether nothing was put anywhere.
    pub fn is_empty(&self) -> bool {
        self.template.is_none() && self.packaged.is_empty()
    }

    /// Returns the packaged files that are seldom meant for others, as paths inside the source artifact.
    pub fn private_files(&self) -> Vec<String> {
        let paths = self.packaged.iter().flat_map(|packaged| {
            let PackagedObject { path, private, .. } = packaged;
            // A file by itself is named by its path alone.
            private
                .iter()
                .map(move |file| match path.ends_with(file.as_str()) {
                    true => path.clone(),
                    false => format!("{path}/{file}"),
                })
        });
        let mut paths: Vec<String> = paths.collect();
        paths.sort();
        paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_files_are_named_by_their_path_in_the_project() {
        let object = BucketObject {
            bucket: "code".to_owned(),
            owner: AccountId::new("111111111111").unwrap(),
            region: Region::new("eu-west-1").unwrap(),
            key: "stackgate/1a.zip".to_owned(),
            digest: Digest::of(b"code"),
            version: None,
            etag: None,
        };
        let packaged = |path: &str, private: &[&str]| PackagedObject {
            path: path.to_owned(),
            object: object.clone(),
            is_pinned: false,
            private: private.iter().map(|file| (*file).to_owned()).collect(),
        };
        let uploads = Uploads {
            template: None,
            packaged: vec![
                packaged("functions/greet", &[".env", "keys/a.pem"]),
                packaged("certificates/ca.pem", &["ca.pem"]),
                packaged("functions/plain", &[]),
            ],
        };
        assert_eq!(
            uploads.private_files(),
            [
                "certificates/ca.pem",
                "functions/greet/.env",
                "functions/greet/keys/a.pem"
            ]
        );
    }
}
