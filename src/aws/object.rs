//! Code and templates that stacks read from a bucket by themselves.
//!
//! They are put there by the caller's own credentials, under the digest of their content. What is there already with
//! the same checksum stays: S3 computed it when it was put there. Nobody signs for the readers, which are CloudFormation
//! and other services, with the permissions of the target's role: a URL that somebody signed would not outlive the
//! first update of the stack.

use super::connection::Aws;
use super::failure::Effect;
use super::signed::dns_suffix;
use super::upload::{Ask, Uploaded, checksum, elsewhere};
use crate::model::{AccountId, CallFailure, Digest, Region, TargetSpec, TemplateBucket};

/// An object in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// The key.
    pub key: String,
    /// Where the bucket is.
    pub region: Region,
    /// Its URL, in path style and without a signature.
    pub url: String,
}

impl Aws {
    /// Puts `bytes` into a bucket, unless they are there. The ending is that of a file, without its dot; it may be empty.
    pub async fn put_object(
        &self,
        spec: &TargetSpec,
        bucket: &TemplateBucket,
        ending: &str,
        bytes: &[u8],
    ) -> Result<StoredObject, CallFailure> {
        self.check_endpoint_for("S3")?;
        let digest = Digest::of(bytes);
        let dot = if ending.is_empty() { "" } else { "." };
        let key = format!("stackgate/{digest}{dot}{ending}");
        let place = format!("bucket {}", bucket.name);
        let attempted = self.attempted("PutObject", &place, Effect::Repeatable);
        let cell = self.upload_cell(bucket, &key);
        let uploaded = cell.get_or_try_init(|| async {
            match self.look_for(spec, bucket, &key, &digest).await? {
                Some(found) => Ok(found),
                None => self.upload(spec, bucket, &key, bytes, &attempted).await,
            }
        });
        let region = uploaded.await?.region.clone();
        Ok(StoredObject {
            url: self.path_style(&bucket.name, &region, &key),
            key,
            region,
        })
    }

    /// Returns where an object is, if S3 says that it is there with this content; whatever else it says, and where it may
    /// not be asked, the upload finds out.
    async fn look_for(
        &self,
        spec: &TargetSpec,
        bucket: &TemplateBucket,
        key: &str,
        digest: &Digest,
    ) -> Result<Option<Uploaded>, CallFailure> {
        let owner: AccountId = self.owner_of(spec, bucket).await?;
        let place = format!("bucket {}", bucket.name);
        let attempted = self.attempted("HeadObject", &place, Effect::Repeatable);
        let head = Ask {
            operation: "HeadObject",
            method: "HEAD",
            bucket: &bucket.name,
            owner: &owner,
            key,
            headers: &[("x-amz-checksum-mode", "ENABLED")],
            body: &[],
        };
        let mut region = spec.target.region.clone();
        let mut reply = self.ask(&head, &region, &attempted).await?;
        if let Err(error) = &reply
            && let Some(found) = elsewhere(error, &region)
        {
            region = found;
            reply = self.ask(&head, &region, &attempted).await?;
        }
        let wanted = checksum(digest);
        Ok(reply
            .ok()
            .filter(|said| said.checksum.as_deref() == Some(wanted.as_str()))
            .map(|said| Uploaded {
                region,
                version: said.version,
            }))
    }

    /// Returns the URL of an object as templates name it; nested templates were long taken in this form alone.
    fn path_style(&self, bucket: &str, region: &Region, key: &str) -> String {
        match self.endpoint_for("S3") {
            Some(endpoint) => format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/')),
            None => format!("https://s3.{region}.{}/{bucket}/{key}", dns_suffix(region)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::super::fixture::{aws, spec};
    use super::super::scripted::{Reply, Scripted};
    use super::super::upload::CHECKSUM;
    use super::*;

    fn bucket(name: &str) -> TemplateBucket {
        TemplateBucket {
            name: name.to_owned(),
            owner: Some(AccountId::new("111111111111").unwrap()),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_is_put_once_with_its_checksum() {
        let script = Scripted::new();
        script
            .on("", Reply::Http(404, String::new()))
            .on("", Reply::Http(200, String::new()));
        let aws = aws(&script).await;
        let (spec, bucket) = (spec(), bucket("code"));
        let put = || aws.put_object(&spec, &bucket, "zip", b"content");
        let (first, second) = tokio::join!(put(), put());
        let object = first.unwrap();
        assert_eq!(second.unwrap(), object);
        let key = format!("stackgate/{}.zip", Digest::of(b"content"));
        assert_eq!(object.key, key);
        assert_eq!(object.url, format!("http://scripted.invalid/code/{key}"));
        let asked = script.requests_of("");
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[0].headers["x-amz-checksum-mode"], "ENABLED");
        assert_eq!(
            asked[1].headers[CHECKSUM],
            "7XACtDnprIRfIjV9giusFERzD722AW0+yUMil7nsn3M="
        );
        assert!(asked[1].headers["authorization"].contains(&format!(";{CHECKSUM};")));
        // Without an ending, it is another object; the last reply holds for both requests.
        let plain = aws.put_object(&spec, &bucket, "", b"content").await;
        assert!(!plain.unwrap().key.contains('.'));
        assert_eq!(script.requests_of("").len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_to_be_there_without_its_checksum_is_put_again() {
        let script = Scripted::new();
        script
            .on("", Reply::Http(200, String::new()))
            .on("", Reply::Http(200, String::new()));
        let aws = aws(&script).await;
        let (spec, bucket) = (spec(), bucket("code"));
        let put = aws.put_object(&spec, &bucket, "zip", b"content");
        put.await.unwrap();
        assert_eq!(script.requests_of("").len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_that_cannot_be_written_is_named() {
        let script = Scripted::new();
        let denied = "<Error><Code>AccessDenied</Code></Error>";
        script
            .on("", Reply::Http(403, String::new()))
            .on("", Reply::Http(403, denied.to_owned()));
        let aws = aws(&script).await;
        let (spec, bucket) = (spec(), bucket("code"));
        let put = aws.put_object(&spec, &bucket, "zip", b"content");
        let failure = put.await.unwrap_err();
        assert!(
            failure
                .message
                .starts_with("PutObject in bucket code: AccessDenied"),
            "{failure}"
        );
    }

    #[tokio::test]
    async fn urls_are_those_of_the_region() {
        let aws = Aws::connect(&Settings {
            region: Some("eu-west-1".into()),
            http_client: Some(Scripted::new().http_client()),
            credentials: Some(Scripted::credentials()),
            ..Settings::default()
        })
        .await
        .unwrap();
        for (region, url) in [
            ("eu-west-1", "https://s3.eu-west-1.amazonaws.com/b/k"),
            ("cn-north-1", "https://s3.cn-north-1.amazonaws.com.cn/b/k"),
        ] {
            let region = Region::new(region).unwrap();
            assert_eq!(aws.path_style("b", &region, "k"), url);
        }
    }
}
