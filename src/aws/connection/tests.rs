//! Tests of `connection`.

use aws_credential_types::Credentials;

use super::super::StackRef;
use super::super::fixture::{aws, spec, spec_in, stack_id, stacks};
use super::super::scripted::{Reply, Scripted};
use super::*;
use crate::model::{Priority, StackName};

const ROLE: &str = "arn:aws:iam::222222222222:role/Deploy";

fn assumed(key: &str) -> String {
    format!(
        "<AssumedRoleUser><Arn>arn:aws:sts::222222222222:assumed-role/Deploy/stackgate-test</Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser>\
             <Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
             <Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>"
    )
}

/// A reply about no stack, whatever place is asked for it.
const NONE: &str = "<Stacks></Stacks>";

const IDENTITY: &str = "<Arn>arn:aws:iam::111111111111:user/ann</Arn><UserId>U</UserId><Account>111111111111</Account>";

#[tokio::test(start_paused = true)]
async fn one_session_serves_all_regions_of_an_account() {
    let script = Scripted::new();
    script
        .ok("AssumeRole", &assumed("ASIAROLE"))
        .ok("DescribeStacks", NONE);
    let aws = aws(&script).await;
    // Twenty regions, all at the same moment.
    let specs: Vec<_> = (1..=20)
        .map(|n| spec_in("222222222222", &format!("eu-west-{n}"), Some(ROLE)))
        .collect();
    let name = StackName::new("app").unwrap();
    let calls = specs.iter().map(|spec| async {
        let caller = aws.caller_at(spec).await.unwrap();
        assert_eq!(
            caller.arn,
            "arn:aws:sts::222222222222:assumed-role/Deploy/stackgate-test"
        );
        aws.stack(spec, StackRef::Name(&name), Priority::Read)
            .await
            .unwrap()
    });
    for found in futures_util::future::join_all(calls).await {
        assert!(found.is_none());
    }
    let sessions = script.requests_of("AssumeRole");
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].field("RoleSessionName"), "stackgate-test");
    assert_eq!(sessions[0].access_key, "AKIABASE");
    for call in script.requests_of("DescribeStacks") {
        assert_eq!(call.access_key, "ASIAROLE");
    }
    assert_eq!(script.requests().len(), 21);
}

#[tokio::test(start_paused = true)]
async fn an_sts_that_asks_for_fewer_calls_is_waited_for() {
    let script = Scripted::new();
    for _ in 0..4 {
        script.error("AssumeRole", 400, "Throttling", "Rate exceeded");
    }
    script.ok("AssumeRole", &assumed("ASIAROLE"));
    let aws = aws(&script).await;
    let spec = spec_in("222222222222", "eu-west-1", Some(ROLE));
    aws.caller_at(&spec).await.unwrap();
    assert_eq!(script.requests_of("AssumeRole").len(), 5);
}

#[tokio::test(start_paused = true)]
async fn accounts_share_a_client_and_never_credentials() {
    let script = Scripted::new();
    script
        .ok("AssumeRole", &assumed("ASIATWO"))
        .ok("AssumeRole", &assumed("ASIATHREE"))
        .ok("DescribeStacks", NONE);
    let aws = aws(&script).await;
    let two = spec_in("222222222222", "eu-west-1", Some(ROLE));
    let other = "arn:aws:iam::333333333333:role/Deploy";
    let three = spec_in("333333333333", "eu-west-1", Some(other));
    let own = spec();
    let name = StackName::new("app").unwrap();
    for spec in [&two, &three, &own, &two, &own, &three] {
        aws.stack(spec, StackRef::Name(&name), Priority::Read)
            .await
            .unwrap();
    }
    let keys = |operation| -> Vec<String> {
        let calls = script.requests_of(operation);
        calls.into_iter().map(|call| call.access_key).collect()
    };
    assert_eq!(
        keys("DescribeStacks"),
        [
            "ASIATWO",
            "ASIATHREE",
            "AKIABASE",
            "ASIATWO",
            "AKIABASE",
            "ASIATHREE"
        ]
    );
    assert_eq!(keys("AssumeRole"), ["AKIABASE", "AKIABASE"]);
    // At the same time too: each task has its own.
    let both = [&three, &two].map(|spec| aws.stack(spec, StackRef::Name(&name), Priority::Read));
    for found in futures_util::future::join_all(both).await {
        assert!(found.unwrap().is_none());
    }
    let mut keys = keys("DescribeStacks").split_off(6);
    keys.sort_unstable();
    assert_eq!(keys, ["ASIATHREE", "ASIATWO"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_used_as_nobody_signs_nothing() {
    let script = Scripted::new();
    script.ok("DescribeStacks", &stacks("CREATE_COMPLETE"));
    let client = aws(&script).await.client(&spec().target.region);
    let error = client.describe_stacks().send().await.unwrap_err();
    let error = aws_smithy_types::error::display::DisplayErrorContext(error).to_string();
    assert!(error.contains("made as nobody"), "{error}");
    assert!(script.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_own_identity_is_asked_once_and_must_fit_the_target() {
    let script = Scripted::new();
    script.ok("GetCallerIdentity", IDENTITY);
    let aws = aws(&script).await;
    assert_eq!(
        aws.caller_at(&spec()).await.unwrap(),
        aws.caller().await.unwrap()
    );
    let other = aws
        .caller_at(&spec_in("222222222222", "eu-west-1", None))
        .await;
    let failure = other.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(
        failure.message.contains("of account 111111111111"),
        "{failure}"
    );
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_roles_are_assumed_with_is_sent() {
    let script = Scripted::new();
    script
        .ok("AssumeRole", &assumed("ASIAPLAN"))
        .ok("AssumeRole", &assumed("ASIAEXECUTE"))
        .ok("DescribeStacks", NONE);
    let aws = Aws::connect(&Settings {
        region: Some("eu-west-1".into()),
        endpoint_url: Some("http://scripted.invalid".into()),
        session_name: "release-7".into(),
        external_id: Some("partner-7".into()),
        session_tags: [("team".to_owned(), "network".to_owned())].into(),
        http_client: Some(script.http_client()),
        credentials: Some(Scripted::credentials()),
        ..Settings::default()
    })
    .await
    .unwrap();
    let mut spec = spec_in("222222222222", "eu-west-1", Some(ROLE));
    let execute = "arn:aws:iam::222222222222:role/Execute";
    spec.execute_role_arn = Some(execute.to_owned());
    let caller = aws.caller_at(&spec).await.unwrap();
    assert!(
        caller.arn.ends_with(":assumed-role/Deploy/release-7"),
        "{}",
        caller.arn
    );
    let stack = stack_id();
    for spec in [spec.clone(), spec.executing()] {
        let by = StackRef::Id(&stack);
        aws.stack(&spec, by, Priority::Read).await.unwrap();
    }
    let sessions = script.requests_of("AssumeRole");
    assert_eq!(sessions.len(), 2);
    for (session, role) in sessions.iter().zip([ROLE, execute]) {
        for (field, value) in [
            ("RoleArn", role),
            ("RoleSessionName", "release-7"),
            ("ExternalId", "partner-7"),
            ("Tags.member.1.Key", "team"),
            ("Tags.member.1.Value", "network"),
        ] {
            assert_eq!(session.field(field), value, "{field}");
        }
    }
    let keys: Vec<_> = script.requests_of("DescribeStacks");
    let keys: Vec<_> = keys.iter().map(|call| call.access_key.as_str()).collect();
    assert_eq!(keys, ["ASIAPLAN", "ASIAEXECUTE"]);
}

#[tokio::test(start_paused = true)]
async fn a_role_for_execution_in_another_account_is_told_before_the_plan() {
    let script = Scripted::new();
    let mut spec = spec();
    spec.execute_role_arn = Some(ROLE.to_owned());
    let failure = aws(&script).await.caller_at(&spec).await.unwrap_err();
    assert!(
        failure.message.contains("is in account 222222222222"),
        "{failure}"
    );
    assert!(script.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_never_heard_of_the_caller_is_refused_before_any_call() {
    let script = Scripted::new();
    script.ok("GetCallerIdentity", IDENTITY);
    let aws = Aws::connect(&Settings {
        region: Some("eu-west-1".into()),
        session_name: "s".into(),
        http_client: Some(script.http_client()),
        credentials: Some(Scripted::credentials()),
        ..Settings::default()
    })
    .await
    .unwrap();
    aws.caller().await.unwrap();
    let role = "arn:aws-cn:iam::222222222222:role/Deploy";
    for spec in [
        spec_in("111111111111", "cn-north-1", None),
        spec_in("222222222222", "cn-north-1", Some(role)),
    ] {
        let failure = aws.caller_at(&spec).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Refused);
        assert!(failure.message.contains("partition aws-cn"), "{failure}");
    }
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_not_enabled_is_told_from_a_session_that_it_may_not_know() {
    // A session that was made elsewhere may be one of the global endpoint, which such a region never knows.
    for (token, expected) in [
        (None, FailureKind::RegionNotEnabled),
        (Some("session"), FailureKind::AccessDenied),
    ] {
        let script = Scripted::new();
        script.ok("GetCallerIdentity", IDENTITY).error(
            "DescribeStacks",
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        );
        let token = token.map(str::to_owned);
        let keys = Credentials::new("AKIABASE", "scripted", token, None, "scripted");
        let aws = Aws::connect(&Settings {
            region: Some("eu-west-1".into()),
            endpoint_url: Some("http://scripted.invalid".into()),
            http_client: Some(script.http_client()),
            credentials: Some(SharedCredentialsProvider::new(keys)),
            ..Settings::default()
        })
        .await
        .unwrap();
        let spec = spec_in("111111111111", "eu-south-1", None);
        aws.caller_at(&spec).await.unwrap();
        let by = StackRef::Id(&stack_id());
        let failure = aws.stack(&spec, by, Priority::Read).await.unwrap_err();
        assert_eq!(failure.kind, expected, "{failure}");
        let advises = failure.message.contains("aws account enable-region");
        assert_eq!(advises, expected == FailureKind::AccessDenied, "{failure}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_not_be_assumed_is_denied_where_it_is_used() {
    let spec = spec_in("222222222222", "eu-west-1", Some(ROLE));
    let script = Scripted::new();
    script.error(
        "AssumeRole",
        403,
        "AccessDenied",
        "User: ann is not authorized to perform: sts:AssumeRole",
    );
    let aws = aws(&script).await;
    for failure in [
        aws.caller_at(&spec).await.unwrap_err(),
        aws.stack(&spec, StackRef::Id(&stack_id()), Priority::Read)
            .await
            .unwrap_err(),
    ] {
        assert_eq!(failure.kind, FailureKind::AccessDenied, "{failure}");
        assert!(
            failure
                .message
                .starts_with("AssumeRole in 222222222222/eu-west-1: AccessDenied:"),
            "{failure}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn expired_base_credentials_show_through_a_role() {
    let script = Scripted::new();
    script.error("AssumeRole", 403, "ExpiredToken", "expired");
    let spec = spec_in("222222222222", "eu-west-1", Some(ROLE));
    let failure = aws(&script).await.caller_at(&spec).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::CredentialsExpired, "{failure}");
}

#[tokio::test(start_paused = true)]
async fn sts_out_of_reach_is_not_a_matter_of_credentials() {
    let script = Scripted::new();
    script.on("AssumeRole", Reply::NotConnected);
    let spec = spec_in("222222222222", "eu-west-1", Some(ROLE));
    let failure = aws(&script).await.caller_at(&spec).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
}

#[tokio::test(start_paused = true)]
async fn missing_credentials_are_said_to_be_missing() {
    let script = Scripted::new();
    let nobody = aws_credential_types::credential_fn::provide_credentials_fn(|| async {
        Err(aws_credential_types::provider::error::CredentialsError::not_loaded_no_source())
    });
    let aws = Aws::connect(&Settings {
        region: Some("eu-west-1".into()),
        profile: None,
        http_client: Some(script.http_client()),
        credentials: Some(SharedCredentialsProvider::new(nobody)),
        ..Settings::default()
    })
    .await
    .unwrap();
    for failure in [
        aws.caller().await.unwrap_err(),
        aws.execute_change_set(
            &spec(),
            &super::super::fixture::change_set_id(),
            &stack_id(),
            "t",
            Some(false),
        )
        .await
        .unwrap_err(),
    ] {
        assert_eq!(failure.kind, FailureKind::CredentialsExpired, "{failure}");
        assert!(
            failure.message.contains("no credentials were found"),
            "{failure}"
        );
    }
    assert!(script.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn credentials_that_never_come_are_not_an_ambiguous_call() {
    let script = Scripted::new();
    let slow = aws_credential_types::credential_fn::provide_credentials_fn(std::future::pending);
    let aws = Aws::connect(&Settings {
        region: Some("eu-west-1".into()),
        http_client: Some(script.http_client()),
        credentials: Some(SharedCredentialsProvider::new(slow)),
        ..Settings::default()
    })
    .await
    .unwrap();
    let failure = aws
        .execute_change_set(
            &spec(),
            &super::super::fixture::change_set_id(),
            &stack_id(),
            "t",
            Some(false),
        )
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::CredentialsExpired, "{failure}");
    assert!(script.requests().is_empty());
}

#[tokio::test]
async fn all_clients_share_one_connection() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (connected, mut connections) = tokio::sync::mpsc::unbounded_channel();
    let server = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            connected.send(()).unwrap();
            tokio::spawn(async move {
                let mut buffer = vec![0; 65_536];
                // Requests here are small enough to come in one piece.
                while socket.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                    let text = String::from_utf8_lossy(&buffer);
                    let body = if text.contains("GetCallerIdentity") {
                        format!(
                            "<GetCallerIdentityResponse><GetCallerIdentityResult>{IDENTITY}</GetCallerIdentityResult></GetCallerIdentityResponse>"
                        )
                    } else {
                        format!(
                            "<DescribeStacksResponse><DescribeStacksResult>{}</DescribeStacksResult></DescribeStacksResponse>",
                            NONE
                        )
                    };
                    let reply = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    socket.write_all(reply.as_bytes()).await.unwrap();
                    buffer.fill(0);
                }
            });
        }
    });
    let aws = Aws::connect(&Settings {
        region: Some("eu-west-1".into()),
        endpoint_url: Some(format!("http://{address}")),
        credentials: Some(Scripted::credentials()),
        ..Settings::default()
    })
    .await
    .unwrap();
    let name = StackName::new("app").unwrap();
    aws.caller().await.unwrap();
    for region in ["eu-west-1", "us-east-1", "ap-south-1"] {
        let spec = spec_in("111111111111", region, None);
        let found = aws
            .stack(&spec, StackRef::Name(&name), Priority::Read)
            .await;
        assert!(found.unwrap().is_none());
    }
    server.abort();
    let mut count = 0;
    while connections.recv().await.is_some() {
        count += 1;
    }
    assert_eq!(count, 1);
}
