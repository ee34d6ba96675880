//! Tests of `s3`.

use super::super::Settings;
use super::super::fixture::{aws, spec};
use super::super::scripted::{Reply, Scripted};
use super::*;

/// Returns a bucket of the caller's account.
fn mine(name: &str) -> TemplateBucket {
    TemplateBucket {
        name: name.to_owned(),
        owner: None,
    }
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

#[tokio::test(start_paused = true)]
async fn a_bucket_that_refuses_is_named_with_where_it_comes_from_and_what_to_do() {
    for (status, parts) in [
        (
            404,
            [
                "there is no bucket templates",
                "`--s3-bucket`, or",
                "aws s3 mb s3://templates --region eu-west-1",
            ],
        ),
        (
            403,
            [
                "s3:PutObject",
                "must be of account 111111111111",
                "`--s3-bucket templates@ACCOUNT`",
            ],
        ),
    ] {
        let script = known();
        script.on("", Reply::Http(status, String::new()));
        let (aws, spec, bucket) = (aws(&script).await, spec(), mine("templates"));
        let content = super::super::ObjectContent::of(b"text");
        let put = aws.put_object(&spec, &bucket, "template", content).await;
        let failure = put.unwrap_err().message;
        // Who looks at buckets alone has remedies of its own.
        let looked = aws.template_bucket(&spec, &bucket).await;
        assert!(!looked.unwrap_err().message.contains("--s3-bucket"));
        for part in parts {
            assert!(failure.contains(part), "{part} in {failure}");
        }
    }
}
