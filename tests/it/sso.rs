//! Credentials of IAM Identity Center: what happens when nobody is logged in, and how it goes on after the login.
//!
//! The portal is scripted, and the login is a file in the cache of a hermetic home, as `aws sso login` leaves it.

use std::fs;
use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::thread;

use crate::support::{Emulator, TestEnv, http};

const SETTINGS: &str = r#"
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: /sso, Type: String, Value: one}
"#;

/// The name that the cache gives to the token of the session `corp`: the SHA-1 of that name.
const CACHED: &str = ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";

/// What the portal takes, and what nobody ever gave out.
const GOOD: &str = "good-token";

/// Returns the address of a portal that gives keys of `account` to whoever brings the good token.
fn portal(account: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(client.try_clone().unwrap());
            while let Ok(Some(request)) = http::read(&mut reader) {
                let is_known = request.header("x-amz-sso_bearer_token") == Some(GOOD);
                let is_asked = request.start.starts_with("GET /federation/credentials?");
                let (status, body) = match (is_asked, is_known) {
                    (true, true) => (
                        200,
                        format!(
                            r#"{{"roleCredentials":{{"accessKeyId":"{account}","secretAccessKey":"test","sessionToken":"t","expiration":32472144000000}}}}"#
                        ),
                    ),
                    (true, false) => (
                        401,
                        r#"{"message":"Session token not found or invalid","__type":"UnauthorizedException"}"#
                            .to_owned(),
                    ),
                    (false, _) => (404, "{}".to_owned()),
                };
                let reply = http::reply(status, "application/json", &body);
                if client.write_all(&reply).is_err() {
                    break;
                }
            }
        }
    });
    address
}

/// Returns a place whose profile `sso` takes its credentials from the portal.
fn project() -> TestEnv {
    let env = TestEnv::on(Emulator::LocalStack);
    env.write("templates/settings.yaml", SETTINGS);
    env.write(
        "config",
        "[profile sso]\nsso_session = corp\nsso_account_id = 111111111111\nsso_role_name = Admin\n\
         region = us-east-1\n\
         [sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.invalid/start\n",
    );
    let config = env.root().join("config").display().to_string();
    let portal = portal(env.private("111111111111"));
    env.variable("AWS_CONFIG_FILE", &config)
        .variable("AWS_ENDPOINT_URL_SSO", &portal)
}

/// Leaves what `aws sso login` leaves.
fn log_in(env: &TestEnv, token: &str, until: &str) {
    let file = env.root().parent().unwrap().join("home").join(CACHED);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let text = serde_json::json!({
        "startUrl": "https://corp.invalid/start",
        "region": "us-east-1",
        "accessToken": token,
        "expiresAt": until,
    });
    fs::write(file, text.to_string()).unwrap();
}

const LONG_AGO: &str = "2020-01-01T00:00:00Z";
const ONE_DAY: &str = "2999-01-01T00:00:00Z";
const LOGIN: &str = "run `aws sso login --profile sso`";

#[test]
fn who_is_not_logged_in_is_told_the_command_before_anything_is_begun() {
    let env = project();
    let plan = ["plan", "settings", "--profile=sso"];
    // Never logged in, too long ago, and logged out by somebody else.
    for login in [None, Some((GOOD, LONG_AGO)), Some(("revoked", ONE_DAY))] {
        if let Some((token, until)) = login {
            log_in(&env, token, until);
        }
        let refused = env.run(&plan);
        refused.code(1);
        assert!(refused.stderr.contains(LOGIN), "{login:?}: {refused}");
        assert!(!refused.stderr.contains("revoked"), "{refused}");
        env.run(&["list"]).success();
        assert!(env.run(&["status", "latest"]).code != Some(0));
    }
    log_in(&env, GOOD, ONE_DAY);
    env.run(&plan).code(3);
}

#[test]
fn a_login_that_ended_pauses_the_execution_which_goes_on_after_the_next_one() {
    let env = project();
    log_in(&env, GOOD, ONE_DAY);
    env.run(&["plan", "settings", "--profile=sso"]).code(3);
    let status = env.run(&["status", "latest", "--output=json"]);
    let status: serde_json::Value = serde_json::from_str(&status.success().raw).unwrap();
    let plan = status["plan"].as_str().unwrap().to_owned();

    log_in(&env, GOOD, LONG_AGO);
    let paused = env.run(&["approve", "latest", "--plan", &plan]);
    paused.code(130);
    for wanted in [LOGIN, "no target failed for it", "stackgate resume "] {
        assert!(paused.stderr.contains(wanted), "{wanted}: {paused}");
    }
    let cloud = env.cloud("111111111111", "us-east-1");
    assert_eq!(
        cloud.status("settings").as_deref(),
        Some("REVIEW_IN_PROGRESS")
    );
    // As long as nobody logs in, nothing changes.
    env.run(&["resume", "latest"]).code(130);

    log_in(&env, GOOD, ONE_DAY);
    let debug = env.run(&["resume", "latest", "--debug"]);
    let said = &debug.success().stderr;
    assert!(
        said.contains("debug  SSO.GetRoleCredentials  credentials  attempt 1  200"),
        "{debug}"
    );
    assert!(!said.contains(GOOD), "{debug}");
    assert_eq!(cloud.status("settings").as_deref(), Some("CREATE_COMPLETE"));
}
