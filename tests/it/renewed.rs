//! Credentials that are renewed while a rollout goes on, with the keys of another account.

use crate::support::{Emulator, TestEnv, WAITING};

/// Gives the keys of the account that is written in a file, for a second or two.
const KEYS: &str = r#"
until=$(date -u -d '+2 seconds' +%Y-%m-%dT%H:%M:%SZ)
printf '{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"test","Expiration":"%s"}' "$(cat "$1")" "$until"
"#;

#[test]
fn keys_of_another_account_pause_the_execution_before_they_sign_anything() {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", WAITING);
    env.write("keys.sh", KEYS);
    env.write("who", "111111111111");
    let root = env.root().display().to_string();
    env.write(
        "config",
        &format!(
            "[profile vault]\nregion = us-east-1\ncredential_process = sh {root}/keys.sh {root}/who\n"
        ),
    );
    let env = env.variable("AWS_CONFIG_FILE", &format!("{root}/config"));
    let process = env.start(&[
        "deploy",
        "app",
        "--profile=vault",
        "--accounts=111111111111",
        "--regions=us-east-1,eu-west-1",
        "--yes=high",
    ]);
    let first = env.cloud("111111111111", "us-east-1");
    let second = env.cloud("111111111111", "eu-west-1");
    first.await_status("app", "CREATE_IN_PROGRESS");
    // A helper rewrites the profile.
    env.write("who", "222222222222");
    let (status, _, stderr) = process.wait();
    let stderr = env.public(&stderr);
    assert_eq!(status.code(), Some(130), "{stderr}");
    for told in [
        "those of account 222222222222 came in place of those of account 111111111111",
        "`credential_process` of profile `vault`",
        "stackgate resume ",
    ] {
        assert!(stderr.contains(told), "{told}: {stderr}");
    }
    let in_review = Some("REVIEW_IN_PROGRESS".to_owned());
    assert_eq!(second.status("app"), in_review);
    for region in ["us-east-1", "eu-west-1"] {
        let other = env.cloud("222222222222", region);
        assert_eq!(other.status("app"), None, "{region}");
    }

    env.write("who", "111111111111");
    let resumed = env.start(&["resume", "latest"]);
    first.signal("app", "Handle", true);
    second.await_status("app", "CREATE_IN_PROGRESS");
    second.signal("app", "Handle", true);
    let (status, stdout, stderr) = resumed.wait();
    assert_eq!(status.code(), Some(0), "{stdout}{stderr}");
    assert_eq!(second.status("app").as_deref(), Some("CREATE_COMPLETE"));
    let other = env.cloud("222222222222", "eu-west-1");
    assert_eq!(other.status("app"), None);
}
