//! Tests of `object`.

use super::super::fixture::{aws, spec};
use super::super::scripted::{Reply, Scripted};
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
    let put = || aws.put_object(&spec, &bucket, "zip", ObjectContent::of(b"content"));
    let (first, second) = tokio::join!(put(), put());
    let object = first.unwrap();
    assert_eq!(second.unwrap(), object);
    let key = format!("stackgate/{}.zip", Digest::of(b"content"));
    assert_eq!(object.key, key);
    assert_eq!(
        aws.url_of(&object),
        format!("http://scripted.invalid/code/{key}")
    );
    let asked = script.requests_of("");
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].headers["x-amz-checksum-mode"], "ENABLED");
    assert_eq!(
        asked[1].headers[CHECKSUM],
        "7XACtDnprIRfIjV9giusFERzD722AW0+yUMil7nsn3M="
    );
    assert!(asked[1].headers["authorization"].contains(&format!(";{CHECKSUM};")));
    // Without an ending, it is another object; the last reply holds for both requests.
    let plain = aws
        .put_object(&spec, &bucket, "", ObjectContent::of(b"content"))
        .await;
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
    let put = aws.put_object(&spec, &bucket, "zip", ObjectContent::of(b"content"));
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
    let put = aws.put_object(&spec, &bucket, "zip", ObjectContent::of(b"content"));
    let failure = put.await.unwrap_err();
    for part in [
        "PutObject in bucket code: AccessDenied",
        "s3:PutObject",
        "`--s3-bucket`, or `TemplateBuckets`",
    ] {
        assert!(failure.message.contains(part), "{part} in {failure}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_there_keeps_its_version_and_is_not_put_again() {
    let script = Scripted::new();
    script.on("", there(b"content", Some("v1")));
    let aws = aws(&script).await;
    let (spec, bucket) = (spec(), bucket("code"));
    let put = aws.put_object(&spec, &bucket, "zip", ObjectContent::of(b"content"));
    let object = put.await.unwrap();
    assert_eq!(object.version.as_deref(), Some("v1"));
    assert!(aws.url_of(&object).ends_with(".zip?versionId=v1"));
    assert_eq!(script.requests_of("").len(), 1);
}

/// Returns the reply of a bucket that has an object.
fn there(content: &[u8], version: Option<&str>) -> Reply {
    let mut headers = vec![(CHECKSUM, checksum(&Digest::of(content)))];
    headers.extend(version.map(|version| ("x-amz-version-id", version.to_owned())));
    Reply::Headers(200, headers)
}

fn object(etag: Option<&str>) -> BucketObject {
    let digest = Digest::of(b"content");
    BucketObject {
        bucket: "code".to_owned(),
        owner: AccountId::new("111111111111").unwrap(),
        region: Region::new("eu-west-1").unwrap(),
        key: object_key(&digest, "zip"),
        digest,
        version: None,
        etag: etag.map(str::to_owned),
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_is_known_again_by_its_checksum_else_by_its_entity_tag() {
    let etag = |tag: &str| Reply::Headers(200, vec![("etag", tag.to_owned())]);
    let both = |content: &[u8]| {
        let headers = vec![
            (CHECKSUM, checksum(&Digest::of(content))),
            ("etag", "\"put\"".to_owned()),
        ];
        Reply::Headers(200, headers)
    };
    for (reply, recorded, expected) in [
        (there(b"content", None), None, ObjectState::AsPut),
        (there(b"evil", None), None, ObjectState::Other),
        (both(b"evil"), Some("\"put\""), ObjectState::Other),
        (etag("\"put\""), Some("\"put\""), ObjectState::AsPut),
        (etag("\"other\""), Some("\"put\""), ObjectState::Other),
        (etag("\"put\""), None, ObjectState::Untold),
        (
            Reply::Http(200, String::new()),
            Some("\"put\""),
            ObjectState::Untold,
        ),
        (
            Reply::Http(404, String::new()),
            Some("\"put\""),
            ObjectState::Gone,
        ),
    ] {
        let script = Scripted::new();
        script.on("", reply);
        let state = aws(&script).await.object_state(&object(recorded)).await;
        assert_eq!(state.unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_fleet_asks_once_and_a_later_wave_again() {
    let script = Scripted::new();
    script
        .on("", there(b"content", None))
        .on("", there(b"evil", None));
    let (aws, object) = (aws(&script).await, object(None));
    let (first, second) = tokio::join!(aws.object_state(&object), aws.object_state(&object));
    assert_eq!(
        (first.unwrap(), second.unwrap()),
        (ObjectState::AsPut, ObjectState::AsPut)
    );
    assert_eq!(script.requests_of("").len(), 1);
    tokio::time::advance(HOLDS).await;
    assert_eq!(aws.object_state(&object).await.unwrap(), ObjectState::Other);
}

#[tokio::test(start_paused = true)]
async fn who_may_not_look_is_told_what_is_missing_and_asks_once() {
    let script = Scripted::new();
    script.on("", Reply::Http(403, String::new()));
    let (aws, object) = (aws(&script).await, object(None));
    for _ in 0..2 {
        let failure = aws.object_state(&object).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::AccessDenied);
        for part in ["s3:GetObject", "still is what was approved", "bucket code"] {
            assert!(failure.message.contains(part), "{part} in {failure}");
        }
    }
    assert_eq!(script.requests_of("").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_file_is_sent_as_its_bytes_would_be() {
    let script = Scripted::new();
    script.on("", Reply::Http(200, String::new()));
    let aws = aws(&script).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"content").unwrap();
    let of_file = ObjectContent::of_file(file.path(), 7, Digest::of(b"content"));
    let mut sent = Vec::new();
    for (name, content) in [("one", ObjectContent::of(b"content")), ("two", of_file)] {
        let (spec, bucket) = (spec(), bucket(name));
        let put = aws.put_object(&spec, &bucket, "zip", content);
        put.await.unwrap();
        sent.extend(script.requests_of("").pop());
    }
    for header in [CHECKSUM, "content-length", "x-amz-content-sha256"] {
        assert_eq!(sent[0].headers[header], sent[1].headers[header], "{header}");
    }
    assert_eq!(sent[1].headers["content-length"], "7");
    // A file that is gone is a failure like any other.
    let gone = ObjectContent::of_file(std::path::Path::new("/nowhere/x"), 7, Digest::of(b"x"));
    let put = aws.put_object(&spec(), &bucket("one"), "zip", gone).await;
    assert!(put.unwrap_err().message.contains("PutObject in bucket one"));
}
