//! Tests of `upload`.

use std::collections::BTreeSet;

use super::super::CreateChangeSet;
use super::super::fixture::{CHANGE_SET, STACK, aws, spec, spec_in};
use super::super::s3::EXPECTED_OWNER;
use super::super::scripted::{Reply, Scripted};
use super::*;
use crate::model::{
    AccountId, ChangeSetKind, ChangeSetName, Digest, LARGEST_TEMPLATE, StackOptions,
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
        template: "x".repeat(bytes).into(),
        bucket: bucket.map(mine),
        uploaded: None,
        parameters: Vec::new(),
        tags: None,
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
    let there = format!("<Id>{CHANGE_SET}</Id><StackId>{STACK}</StackId>");
    script.ok("CreateChangeSet", &there.replace("eu-west-1", "us-east-1"));
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
            // Is it there? It is put there.
            "",
            "",
            "CreateChangeSet",
            "CreateChangeSet"
        ]
    );
    let put = &sent[2];
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
        aws.template_url(&spec(), &bucket, "text", None)
            .await
            .unwrap();
        let puts = script.requests_of("");
        let headers = &puts.last().unwrap().headers;
        assert_eq!(headers[EXPECTED_OWNER], owner);
        // Who passes the request on cannot take it away.
        assert!(headers["authorization"].contains(&format!(";{EXPECTED_OWNER}")));
    }
    assert_eq!(script.requests_of("").len(), 4);
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
    // The question whether it is there has all the answers; the upload then has the last one.
    assert_eq!(script.requests_of("").len(), 4);
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
        .template_url(&spec(), &mine("templates"), "text", None)
        .await
        .unwrap();
    assert!(url.expose().contains("%2Fap-south-1%2Fs3%2F"));
    assert_eq!(format!("{url:?}"), "TemplateUrl(****)");
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

#[tokio::test(start_paused = true)]
async fn the_url_names_the_version_that_is_on_record_whatever_is_there_by_now() {
    let script = known();
    script.on("", Reply::Versioned("now"));
    let aws = aws(&script).await;
    let bucket = mine("templates");
    let content = ObjectContent::of(b"text");
    let spec = spec();
    let put = aws.put_object(&spec, &bucket, TEMPLATE_ENDING, content);
    let found = put.await.unwrap();
    assert_eq!(found.version.as_deref(), Some("now"));
    let of = |version: Option<&str>| BucketObject {
        version: version.map(str::to_owned),
        ..found.clone()
    };
    for (planned, part) in [
        (None, Some("versionId=now&")),
        (Some(of(Some("a/b"))), Some("versionId=a%2Fb&")),
        (Some(of(None)), None),
    ] {
        let url = aws.template_url(&spec, &bucket, "text", planned.as_ref());
        let url = url.await.unwrap();
        assert_eq!(url.expose().contains("versionId"), part.is_some());
        assert!(url.expose().contains(part.unwrap_or("stackgate/")));
    }
}
