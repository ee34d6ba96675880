//! Stacks that are stuck are got out, by the operation that their status takes.

use serde_json::{Value, json};

use crate::support::output::Output;
use crate::support::proxy::{Fault, Gate, Proxy, Rule};
use crate::support::schema::assert_documented;
use crate::support::{Emulator, TestEnv};

const TEMPLATE: &str = r#"
Parameters:
  Name: {Type: String}
  Value: {Type: String, Default: one}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: /recovered, Type: String, Value: !Ref Value}
  Other:
    Type: AWS::SSM::Parameter
    DependsOn: Setting
    Properties: {Name: !Ref Name, Type: String, Value: other}
"#;

fn document(env: &TestEnv, output: &Output) -> Value {
    let document = serde_json::from_str(&env.public(&output.raw)).unwrap();
    assert_documented(&document);
    document
}

#[test]
fn a_failed_update_is_rolled_back_by_the_command_that_the_report_names() {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", TEMPLATE);
    let cloud = env.cloud("111111111111", "us-east-1");
    cloud.put_parameter("/taken", "theirs");
    let deploy = |more: &[&str]| env.run(&[&["deploy", "app", "--yes=high"], more].concat());
    deploy(&["--parameter=Name=/free"]).success();
    let failed = deploy(&[
        "--parameter=Name=/taken",
        "--parameter=Value=two",
        "--disable-rollback",
    ]);
    failed.code(1);
    assert_eq!(cloud.status("app").as_deref(), Some("UPDATE_FAILED"));
    assert!(
        failed
            .stdout
            .contains("stackgate recover app --rollback-stack"),
        "{failed}"
    );

    // What is possible is told, and nothing done.
    let looked = env.run(&["recover", "app", "--output=json"]);
    let looked = document(&env, looked.success());
    let possible = json!({"possible": {"operation": "rollback_stack"}});
    assert_eq!(looked["targets"][0]["fate"], possible);
    let other = env.run(&[
        "recover",
        "app",
        "--continue-rollback",
        "--yes",
        "--output=json",
    ]);
    let other = document(&env, other.code(1));
    let another = json!({"takes_another": {"operation": "rollback_stack"}});
    assert_eq!(other["targets"][0]["fate"], another);
    env.run(&["recover", "app", "--rollback-stack"]).code(3);
    assert_eq!(cloud.status("app").as_deref(), Some("UPDATE_FAILED"));

    let done = env.run(&[
        "recover",
        "app",
        "--rollback-stack",
        "--yes",
        "--output=json",
    ]);
    let done = document(&env, done.success());
    let recovered = json!({"recovered": {"status": "UPDATE_ROLLBACK_COMPLETE"}});
    assert_eq!(done["targets"][0]["fate"], recovered);
    assert_eq!(
        cloud.status("app").as_deref(),
        Some("UPDATE_ROLLBACK_COMPLETE")
    );
    assert_eq!(cloud.parameter("/taken").as_deref(), Some("theirs"));
    let again = env.run(&["recover", "app", "--rollback-stack", "--yes"]);
    assert!(
        again.success().stdout.contains("nothing to recover"),
        "{again}"
    );
}

#[test]
fn a_rollback_that_finds_nothing_in_a_stack_that_a_failure_left_has_failed() {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", TEMPLATE);
    let accounts = "--accounts=111111111111,222222222222";
    let deploy = |more: &[&str]| {
        let all = ["deploy", "app", accounts, "--yes=high", "--output=json"];
        env.run(&[&all, more].concat())
    };
    deploy(&["--parameter=Name=/free"]).success();
    let cloud = env.cloud("222222222222", "us-east-1");
    cloud.put_parameter("/taken", "theirs");
    let more = ["--failure-tolerance=1", "--disable-rollback"];
    let failing = ["--parameter=Name=/taken", "--parameter=Value=two"];
    let failed = deploy(&[&failing[..], &more].concat());
    let id = document(&env, failed.code(5))["execution"].clone();
    let id = id.as_str().unwrap();
    assert_eq!(cloud.status("app").as_deref(), Some("UPDATE_FAILED"));
    let changed = env.cloud("111111111111", "us-east-1");
    assert_eq!(changed.parameter("/recovered").as_deref(), Some("two"));

    // What succeeded goes back; of what failed, the change set sees nothing.
    let rollback = ["rollback", id, "--yes=high"];
    let output = env.run(&rollback);
    output.code(1);
    let joined = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = "rolled back in 1 of 2 targets; 1 stack is still UPDATE_FAILED";
    assert!(joined(&output.stdout).contains(said), "{output}");
    assert_eq!(changed.parameter("/recovered").as_deref(), Some("one"));
    let output = env.run(&rollback);
    output.code(1);
    let said = "nothing was rolled back in 1 target; 1 stack is still UPDATE_FAILED";
    assert!(joined(&output.stdout).contains(said), "{output}");
    // Whoever asks again is told the same.
    let again = env.run(&["resume", "latest"]);
    again.code(1);
    assert_eq!(again.stdout, output.stdout);
    let named = "stackgate recover app --rollback-stack --accounts 222222222222";
    assert!(joined(&again.stdout).contains(named), "{again}");
}

#[test]
fn all_stacks_that_an_execution_left_stuck_are_got_out_together() {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", TEMPLATE);
    let accounts = ["111111111111", "222222222222", "333333333333"];
    let cloud = |account: &str| env.cloud(account, "us-east-1");
    let deploy = |more: &[&str]| {
        let fleet = [
            "deploy",
            "app",
            "--accounts=111111111111,222222222222,333333333333",
            "--failure-tolerance=2",
            "--yes=high",
            "--output=json",
        ];
        env.run(&[&fleet, more].concat())
    };
    deploy(&["--parameter=Name=/free"]).success();
    for account in &accounts[1..] {
        cloud(account).put_parameter("/taken", "theirs");
    }
    let failed = deploy(&[
        "--parameter=Name=/taken",
        "--parameter=Value=two",
        "--disable-rollback",
    ]);
    let failed = document(&env, failed.code(5));
    let id = failed["execution"].as_str().unwrap();
    // Two stacks with the same way out have one command.
    let next = json!(format!("stackgate recover {id} --rollback-stack"));
    let named = failed["next"].as_array().unwrap();
    assert!(named.contains(&next), "{named:?}");

    let looked = env.run(&["recover", id, "--output=json"]);
    let looked = document(&env, looked.success());
    assert_eq!(looked["execution"], failed["execution"]);
    assert_eq!(looked["next"], json!([next]));
    assert_eq!(looked["targets"].as_array().unwrap().len(), 2);
    let listed = env.run(&["recover", "latest"]);
    let said = "2 of 2 targets can be recovered";
    assert!(listed.success().stdout.contains(said), "{listed}");
    let refused = env.run(&["recover", id, "--accounts=222222222222"]);
    refused.code(2);
    assert!(refused.stderr.contains("has its own targets"), "{refused}");

    // One of them is made anew by somebody else, which is no matter of the execution.
    cloud("333333333333").delete("app");
    let done = env.run(&["recover", id, "--rollback-stack", "--yes", "--output=json"]);
    let done = document(&env, done.success());
    let fates: Vec<&Value> = (0..2).map(|at| &done["targets"][at]["fate"]).collect();
    let recovered = json!({"recovered": {"status": "UPDATE_ROLLBACK_COMPLETE"}});
    assert_eq!(fates[0], &recovered);
    let status = |account| cloud(account).status("app");
    let back = Some("UPDATE_ROLLBACK_COMPLETE".to_owned());
    assert_eq!(status("222222222222"), back);
    assert_eq!(
        status("111111111111").as_deref(),
        Some("UPDATE_COMPLETE"),
        "what succeeded is left alone"
    );
    let again = env.run(&["recover", id, "--rollback-stack", "--yes"]);
    let said = "nothing to recover in 2 targets";
    assert!(again.success().stdout.contains(said), "{again}");
}

#[test]
fn what_others_left_stuck_is_no_matter_of_the_execution() {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", TEMPLATE);
    let own = env.cloud("111111111111", "us-east-1");
    let theirs = env.cloud("222222222222", "us-east-1");
    let deploy = |more: &[&str]| env.run(&[&["deploy", "app", "--yes=high"], more].concat());
    let both = "--accounts=111111111111,222222222222";
    deploy(&[both, "--parameter=Name=/free"]).success();
    for cloud in [&own, &theirs] {
        cloud.put_parameter("/taken", "theirs");
    }
    let failing = ["--parameter=Name=/taken", "--disable-rollback"];
    let one = ["--max-concurrent=1", "--parameter=Value=two", both];
    deploy(&[&failing[..], &one].concat()).code(1);
    let list = env.run(&["list", "--output=json"]);
    let list: Value = serde_json::from_str(&list.success().raw).unwrap();
    assert_eq!(own.status("app").as_deref(), Some("UPDATE_FAILED"));
    let not_reached = Some("CREATE_COMPLETE".to_owned());
    assert_eq!(theirs.status("app"), not_reached);
    let id = list["executions"][0]["execution"].as_str().unwrap();
    let id = id.to_owned();

    // A colleague's own update fails there, and a second one of theirs where the execution failed.
    let there = ["--parameter=Value=three", "--accounts=222222222222"];
    deploy(&[&failing[..], &there].concat()).code(1);
    assert_eq!(theirs.status("app").as_deref(), Some("UPDATE_FAILED"));
    let recover = ["recover", &id, "--rollback-stack", "--yes", "--output=json"];
    let done = env.run(&recover);
    let done = document(&env, done.code(1));
    let recovered = json!({"recovered": {"status": "UPDATE_ROLLBACK_COMPLETE"}});
    assert_eq!(done["targets"][0]["fate"], recovered);
    let reason = &done["targets"][1]["fate"]["takes_none"]["reason"];
    let reason = reason.as_str().unwrap();
    let command = "stackgate recover app --rollback-stack --accounts 222222222222";
    assert!(reason.contains("did nothing to the stack"), "{reason}");
    assert!(reason.contains(command), "{reason}");
    assert_eq!(theirs.status("app").as_deref(), Some("UPDATE_FAILED"));

    let here = ["--parameter=Value=four", "--accounts=111111111111"];
    deploy(&[&failing[..], &here].concat()).code(1);
    let again = env.run(&recover);
    let again = document(&env, again.code(1));
    let reason = &again["targets"][0]["fate"]["takes_none"]["reason"];
    let reason = reason.as_str().unwrap();
    assert!(reason.contains("somebody else worked on"), "{reason}");
    assert_eq!(own.status("app").as_deref(), Some("UPDATE_FAILED"));
}

#[test]
fn what_somebody_did_since_it_was_shown_is_not_rolled_back_unseen() {
    let env = TestEnv::on(Emulator::Ministack);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    env.write("templates/app.yaml", TEMPLATE);
    let cloud = env.cloud("111111111111", "us-east-1");
    cloud.put_parameter("/taken", "theirs");
    let deploy = |more: &[&str]| env.run(&[&["deploy", "app", "--yes=high"], more].concat());
    let failing = ["--parameter=Name=/taken", "--disable-rollback"];
    deploy(&["--parameter=Name=/free"]).success();
    deploy(&[&failing[..], &["--parameter=Value=two"]].concat()).code(1);
    assert_eq!(cloud.status("app").as_deref(), Some("UPDATE_FAILED"));

    // It has looked at the stack, and is about to look again before it does something.
    proxy.forget();
    let gate = Gate::default();
    let held = Rule::new(Fault::Hold(gate.clone())).operation("DescribeStacks");
    proxy.disturb(held.skip(1));
    let recover = ["recover", "app", "--rollback-stack", "--yes"];
    let process = env.start(&[&recover[..], &["--output=json"]].concat());
    proxy.wait_until("the second look", |calls| {
        let looks = calls.iter().filter(|c| c.operation == "DescribeStacks");
        looks.count() == 2
    });
    // The status is the same again, and the operation another one.
    deploy(&[&failing[..], &["--parameter=Value=three"]].concat()).code(1);
    assert_eq!(cloud.status("app").as_deref(), Some("UPDATE_FAILED"));
    gate.open();
    let refused = env.finish(process);
    let refused = document(&env, refused.code(1));
    let fate = refused["targets"][0]["fate"]["failed"].to_string();
    let said = "nothing was done: the stack is no longer what was shown";
    assert!(fate.contains(said), "{refused:#}");
    assert_eq!(proxy.count("RollbackStack"), 0);
    assert_eq!(cloud.status("app").as_deref(), Some("UPDATE_FAILED"));
}
