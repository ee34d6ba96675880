//! Targets of an earlier execution are run again, on the emulator that fails and rolls back as AWS does.

use serde_json::{Value, json};

use crate::support::output::Output;
use crate::support::{Emulator, TestEnv};

const APP: &str = r#"
Parameters:
  Name: {Type: String}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: !Ref Name, Type: String, Value: ours}
"#;

const HERE: &str = "us-east-1";

fn document(env: &TestEnv, output: &Output) -> Value {
    serde_json::from_str(&env.public(&output.raw)).unwrap()
}

fn accounts(document: &Value) -> Vec<&str> {
    let targets = document["targets"].as_array().unwrap().iter();
    targets.map(|t| t["account"].as_str().unwrap()).collect()
}

#[test]
fn failed_and_skipped_targets_are_run_again_with_the_files_that_were_stored() {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", APP);
    let there = |account| env.cloud(account, HERE);
    there("222222222222").put_parameter("/name", "theirs");
    let output = env.run(&[
        "deploy",
        "app",
        "--yes=high",
        "--output=json",
        "--accounts=111111111111,222222222222,333333333333",
        "--parameter=Name=/name",
    ]);
    output.code(1);
    let first = document(&env, &output);
    let id = first["execution"].as_str().unwrap();
    let next = first["next"][0].as_str().unwrap();
    assert_eq!(next, format!("stackgate retry {id} --replace-failed"));

    // What was in the way goes, and the template moves on meanwhile.
    there("222222222222").delete_parameter("/name");
    env.write("templates/app.yaml", &APP.replace("ours", "newer"));
    let output = env.run(&[
        "retry",
        id,
        "--failed",
        "--replace-failed",
        "--yes=high",
        "--output=json",
    ]);
    output.success();
    for said in [
        "1 failed; not asked for: 1 skipped",
        "`templates/app.yaml` was changed since",
        "succeeded before, still as it was left, not run again: 1 target",
    ] {
        assert!(output.stderr.contains(said), "{said}\n{output}");
    }
    let retried = document(&env, &output);
    assert_eq!(retried["outcome"], "succeeded");
    assert_eq!(retried["follows"], json!({ "retries": id }));
    let proven = &retried["proven"][0];
    assert_eq!(proven["account"], "111111111111");
    assert_eq!(proven["verdict"], "current", "{proven}");
    assert_eq!(proven["parameters"], json!(["Name"]));
    assert_eq!(proven["template"].as_str().map(str::len), Some(64));
    let ended = env.run(&["status", "latest"]);
    let said = "1 target done before: 1 proven current when it was planned";
    assert!(ended.success().stdout.contains(said), "{ended}");
    let status = env.run(&["status", "latest", "--output=json"]);
    let status = document(&env, status.success());
    assert_eq!(accounts(&status), ["222222222222"]);
    // The first one knows what became of it.
    let retry = retried["execution"].as_str().unwrap();
    let of_first = document(&env, &env.run(&["status", id, "--output=json"]));
    assert_eq!(of_first["followed"][0]["execution"], retry, "{of_first:#}");
    assert_eq!(of_first["next"][0], format!("stackgate retry {id}"));
    let value = |account| there(account).parameter("/name");
    assert_eq!(value("222222222222").as_deref(), Some("ours"));
    assert_eq!(value("333333333333"), None);

    // What was done and changed behind its back is told of, and left alone.
    let changed =
        there("111111111111").update("app", &APP.replace("ours", "theirs"), &[("Name", "/name")]);
    assert_eq!(changed, "UPDATE_COMPLETE");
    let output = env.run(&[
        "retry",
        id,
        "--skipped",
        "--from-files",
        "--yes=high",
        "--output=json",
    ]);
    output.success();
    let said = "succeeded before, changed since, not run again: 1\n  111111111111/us-east-1/app   UPDATE_COMPLETE";
    assert!(output.stderr.contains(said), "{output}");
    assert_eq!(value("111111111111").as_deref(), Some("theirs"));
    assert_eq!(value("333333333333").as_deref(), Some("newer"));
    // What a retry did is not done again.
    let output = env.run(&["retry", id]);
    output.success();
    assert!(output.stderr.contains("nothing to retry"), "{output}");
    assert!(
        output
            .stderr
            .contains("is done with 1 target of these already"),
        "{output}"
    );
    let of_first = document(&env, &env.run(&["status", id, "--output=json"]));
    assert_eq!(of_first["next"], json!([]), "{of_first:#}");
    let list = env.run(&["list"]);
    assert!(list.success().stdout.contains("retry app"), "{list}");

    // What was changed since is run again only where that is asked for.
    let output = env.run(&["retry", id, "--stale", "--yes=high", "--output=json"]);
    output.success();
    let said = "succeeded before, changed since, run again: 1";
    assert!(output.stderr.contains(said), "{output}");
    assert_eq!(value("111111111111").as_deref(), Some("ours"));
    let again = document(&env, &output);
    assert_eq!(again["proven"][0]["verdict"], "changed");
    assert_eq!(again["proven"][0]["account"], "111111111111");
}
