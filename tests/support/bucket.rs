//! Buckets of the emulators, as somebody else than the program sees them.

use super::TestEnv;
use super::http::{self, Message};

/// Sends a request as the account of the base credentials; emulators route by the scope and check no signature.
pub fn send(
    env: &TestEnv,
    service: &str,
    region: &str,
    method: &str,
    path: &str,
    body: &str,
) -> Message {
    let account = env.private("111111111111");
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={account}/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    );
    let url = format!("{}{path}", env.endpoint());
    http::send(method, &url, &[("authorization", &authorization)], body).unwrap()
}

/// Makes a bucket of this test's own, and returns its name.
pub fn make(env: &TestEnv, name: &str, region: &str) -> String {
    let name = env.private(name);
    let body = match region {
        "us-east-1" => String::new(),
        _ => format!(
            "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        ),
    };
    let made = send(env, "s3", region, "PUT", &format!("/{name}"), &body);
    assert_eq!(made.status(), 200, "{}", made.text());
    name
}

/// Lets a bucket keep versions.
pub fn keep_versions(env: &TestEnv, region: &str, bucket: &str) {
    let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let path = format!("/{bucket}?versioning");
    let set = send(env, "s3", region, "PUT", &path, body);
    assert_eq!(set.status(), 200, "{}", set.text());
}

/// Returns the keys in a bucket.
pub fn keys(env: &TestEnv, region: &str, bucket: &str) -> Vec<String> {
    let path = format!("/{bucket}?list-type=2");
    let listed = send(env, "s3", region, "GET", &path, "").text();
    let key = |rest: &str| rest.split("</Key>").next().unwrap().to_owned();
    listed.split("<Key>").skip(1).map(key).collect()
}

/// Returns what is in an object.
pub fn content(env: &TestEnv, region: &str, bucket: &str, key: &str) -> String {
    send(env, "s3", region, "GET", &format!("/{bucket}/{key}"), "").text()
}

/// Puts something else into an object.
pub fn replace(env: &TestEnv, region: &str, bucket: &str, key: &str, body: &str) {
    let put = send(env, "s3", region, "PUT", &format!("/{bucket}/{key}"), body);
    assert_eq!(put.status(), 200, "{}", put.text());
}
