//! Targets of an earlier execution are run again, on the emulator that fails and rolls back as AWS does.

use serde_json::{Value, json};

use crate::support::output::{Output, normalise};
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

    // Also what a retry of it was done with.
    let changed =
        there("333333333333").update("app", &APP.replace("ours", "theirs"), &[("Name", "/name")]);
    assert_eq!(changed, "UPDATE_COMPLETE");
    let output = env.run(&["retry", id, "--stale", "--detach"]);
    output.code(3);
    for said in [
        "succeeded before, still as it was left, not run again: 2 targets",
        "succeeded before, changed since, run again: 1\n  333333333333/us-east-1/app   UPDATE_COMPLETE",
    ] {
        assert!(output.stderr.contains(said), "{said}\n{output}");
    }
}

#[test]
fn a_rollback_and_a_retry_of_the_same_execution_name_each_other() {
    let env = TestEnv::on(Emulator::Ministack);
    let fleet = [
        "--accounts=111111111111,222222222222",
        "--max-concurrent=1",
        "--parameter=Name=/name",
        "--output=json",
    ];
    let deploy = [&["deploy", "app", "--yes=high"], &fleet[..]].concat();
    env.write("templates/app.yaml", APP);
    env.run(&deploy).success();
    let other = r#"
  Other:
    Type: AWS::SSM::Parameter
    Properties: {Name: /other, Type: String, Value: more}
"#;
    let second = format!("{APP}{other}");
    env.write("templates/app.yaml", &second);
    let there = env.cloud("222222222222", HERE);
    there.put_parameter("/other", "theirs");
    let failed = env.run(&deploy);
    let id = document(&env, failed.code(1))["execution"].clone();
    let id = id.as_str().unwrap();
    there.delete_parameter("/other");

    let retry = env.run(&["retry", id, "--detach", "--output=json"]);
    let retry = document(&env, retry.code(3));
    assert_eq!(retry["review"].get("notes"), None, "{retry:#}");
    let plan = |of: &Value| of["plan"].as_str().unwrap().to_owned();
    let (retried, of_retry) = (retry["execution"].as_str().unwrap(), plan(&retry));
    let rollback = env.run(&["rollback", id, "--detach", "--output=json"]);
    let beside = "waits for an answer for 1 target beside those that are run here";
    let said = format!("execution {retried}, a retry of {id}, {beside}");
    let told = &rollback.code(3).stderr;
    assert!(told.contains(&normalise(&said)), "{told}");
    let rollback = document(&env, &rollback);
    let notes = rollback["review"]["notes"].to_string();
    assert!(notes.contains(&said), "{notes}");

    // What was planned before is told where it is looked at, and where it is approved.
    let back = rollback["execution"].as_str().unwrap();
    let said = format!("execution {back}, a rollback of {id}, {beside}");
    for form in ["text", "markdown", "html", "json"] {
        let form = format!("--output={form}");
        let shown = env.run(&["status", retried, &form]);
        let shown = env.public(&shown.success().raw);
        let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(shown.contains(&said), "{form}: {shown}");
    }
    env.run(&["approve", back, "--plan", &plan(&rollback)])
        .success();
    assert_eq!(env.cloud("111111111111", HERE).template("app"), APP);

    let said = format!("execution {back}, a rollback of {id}, gave back 1 target beside");
    let approve = ["approve", retried, "--plan", &of_retry, "--output=json"];
    let ended = env.run(&approve);
    let told = &ended.success().stderr;
    assert!(told.contains(&normalise(&said)), "{told}");
    let again = "proven current when this was planned, changed since, not run again: 1\n  111111111111/us-east-1/app";
    assert!(told.contains(again), "{told}");
    let ended = document(&env, &ended);
    let notes = ended["notes"].to_string();
    assert!(notes.contains(&said), "{ended:#}");
    let status = env.run(&["status", retried]);
    let status = env.public(&status.success().raw);
    let status = status.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(status.contains(&said), "{status}");
    assert_eq!(there.template("app"), second);
}

#[test]
fn what_a_failed_canary_held_back_is_run_once_a_retry_mended_the_canary() {
    const FLEET: &str = r#"
targetSets:
  fleet:
    accounts: ["111111111111", "222222222222"]
    regions: [us-east-1]
    waves:
      - {name: canary, accounts: ["222222222222"]}
      - name: others
"#;
    const MORE: &str = r#"
  Other:
    Type: AWS::SSM::Parameter
    Properties: {Name: !Sub "${Name}/other", Type: String, Value: more}
"#;
    let env = TestEnv::on(Emulator::Ministack);
    env.write("stackgate.yaml", FLEET);
    env.write("templates/app.yaml", APP);
    let deploy = [
        "deploy",
        "app",
        "--target-set=fleet",
        "--parameter=Name=/name",
        "--yes=high",
        "--output=json",
    ];
    env.run(&deploy).success();
    let canary = env.cloud("222222222222", HERE);
    canary.put_parameter("/name/other", "theirs");
    env.write("templates/app.yaml", &format!("{APP}{MORE}"));
    let failed = env.run(&deploy);
    let failed = document(&env, failed.code(1));
    let id = failed["execution"].as_str().unwrap();
    let retry = |more: &[&str]| env.run(&[&["retry", id, "--yes=high"], more].concat());

    // Not before the canary.
    let refused = retry(&["--skipped"]);
    refused.code(2);
    let told = "wave canary failed in 1 target, which is not retried";
    assert!(refused.stderr.contains(told), "{refused}");
    canary.delete_parameter("/name/other");
    retry(&["--failed"]).success();
    let status = env.run(&["status", id, "--output=json"]);
    let next = document(&env, status.success())["next"].to_string();
    assert!(next.contains(&format!("stackgate retry {id}")), "{next}");
    retry(&[]).success();
    for account in ["111111111111", "222222222222"] {
        let template = env.cloud(account, HERE).template("app");
        assert!(template.contains("Other"), "{account}");
    }
}
