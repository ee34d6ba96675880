//! Reviewed deletion: what goes, what stays, what cannot go, on the emulator that refuses as AWS does.

use serde_json::{Value, json};

use crate::support::output::Output;
use crate::support::proxy::{Error, Fault, Proxy, Rule};
use crate::support::{Emulator, TestEnv, WAITING};

const HERE: &str = "us-east-1";

/// Something that goes, and something that stays.
const SETTINGS: &str = r#"
Resources:
  Kept:
    Type: AWS::SSM::Parameter
    DeletionPolicy: Retain
    Properties: {Name: /kept, Type: String, Value: ours}
  Gone:
    Type: AWS::SSM::Parameter
    Properties: {Name: /gone, Type: String, Value: ours}
"#;

/// Something whose data is gone with it.
const QUEUE: &str = r#"
Resources:
  Orders: {Type: AWS::SQS::Queue}
"#;

/// Returns a place where the stack `app` was made from `template`, and a proxy that sees every call.
fn with(template: &str) -> (TestEnv, Proxy) {
    let env = TestEnv::on(Emulator::Ministack);
    let cloud = env.cloud("111111111111", HERE);
    assert_eq!(cloud.create("app", template, &[]), "CREATE_COMPLETE");
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    (env, proxy)
}

fn delete(env: &TestEnv, more: &[&str]) -> Output {
    env.run(&[&["delete", "app", "--output=json"], more].concat())
}

fn document(env: &TestEnv, output: &Output) -> Value {
    serde_json::from_str(&env.public(&output.raw)).unwrap()
}

fn status(env: &TestEnv) -> Value {
    let output = env.run(&["status", "latest", "--output=json"]);
    document(env, output.success())
}

/// Returns the status of the live stack `app`.
fn app(env: &TestEnv, account: &str) -> Option<String> {
    let status = env.cloud(account, HERE).status("app");
    status.filter(|status| status != "DELETE_COMPLETE")
}

/// Checks that the deletion is refused with a reason that has all of `parts`, and that nothing was asked for.
#[track_caller]
fn refuses(env: &TestEnv, proxy: &Proxy, more: &[&str], parts: &[&str]) {
    let before = app(env, "111111111111");
    let output = delete(env, &[&["--yes=high"], more].concat());
    output.code(1);
    let summary = document(env, &output);
    let reason = summary["not_planned"][0]["cause"]["reason"].as_str();
    let reason = reason.unwrap_or_else(|| panic!("{summary:#}"));
    for part in parts {
        assert!(reason.contains(part), "`{part}` is not in: {reason}");
    }
    assert_eq!(proxy.count("DeleteStack"), 0);
    assert_eq!(app(env, "111111111111"), before);
}

#[test]
fn a_deletion_is_reviewed_approved_and_done_and_what_is_retained_stays() {
    let (env, proxy) = with(SETTINGS);
    let output = env.run(&["delete", "app"]);
    output.code(3);
    let review = format!("{}{}", output.stdout, output.stderr);
    for line in [
        "DELETE THE STACK",
        "Kept",
        "kept outside the stack",
        "Gone",
        "deleted",
    ] {
        assert!(review.contains(line), "`{line}` is not in: {output}");
    }
    assert_eq!(
        proxy.mutations().len(),
        0,
        "nothing is done before the answer"
    );
    let plan = status(&env)["plan"].as_str().unwrap().to_owned();
    let output = env.run(&["approve", "latest", "--plan", &plan]);
    output.success();
    let cloud = env.cloud("111111111111", HERE);
    assert_eq!(app(&env, "111111111111"), None);
    assert_eq!(cloud.parameter("/gone"), None);
    assert_eq!(cloud.parameter("/kept").as_deref(), Some("ours"));
    let target = &status(&env)["targets"][0];
    assert_eq!(
        target["outcome"],
        json!({"succeeded": {"status": "DELETE_COMPLETE"}})
    );
    assert_eq!(proxy.count("DeleteStack"), 1);
    let events = env.run(&["events", "latest"]);
    assert!(
        events.success().stdout.contains("deleting the stack"),
        "{events}"
    );

    // A stack that is not there is nothing to do.
    let output = delete(&env, &[]);
    assert_eq!(document(&env, output.success())["outcome"], "nothing_to_do");
    let said = env
        .run(&["delete", "app", "--yes=high"])
        .success()
        .stdout
        .clone();
    let place = "there is no such stack in 111111111111/us-east-1";
    assert!(env.public(&said).contains(place), "{said}");
    assert_eq!(proxy.count("DeleteStack"), 1);
    // The name of a template here may be what was meant.
    env.write("templates/apps.yaml", SETTINGS);
    let said = env.run(&["delete", "app", "--yes=high"]);
    let meant = "no target has a stack `app`; did you mean `apps`?\n";
    assert!(said.success().stderr.ends_with(meant), "{said}");
}

#[test]
fn a_flag_alone_does_not_delete_data() {
    let (env, proxy) = with(QUEUE);
    let output = env.run(&["delete", "app", "--yes"]);
    output.code(3);
    assert!(output.to_string().contains("data loss"), "{output}");
    assert_eq!(proxy.count("DeleteStack"), 0);
    env.run(&["reject", "latest"]).code(4);
    assert_eq!(
        app(&env, "111111111111").as_deref(),
        Some("CREATE_COMPLETE")
    );
    assert_eq!(
        proxy.mutations().len(),
        0,
        "a rejection leaves nothing to remove"
    );
    delete(&env, &["--yes=high"]).success();
    assert_eq!(app(&env, "111111111111"), None);
}

#[test]
fn a_protected_stack_stays() {
    let (env, proxy) = with(SETTINGS);
    let cloud = env.cloud("111111111111", HERE);
    cloud.protect("app", true);
    refuses(
        &env,
        &proxy,
        &[],
        &["termination protection is on", "--stack-name app"],
    );
    cloud.protect("app", false);
    delete(&env, &["--yes"]).success();
    assert_eq!(app(&env, "111111111111"), None);
}

#[test]
fn a_stack_that_was_protected_after_the_review_stays() {
    let (env, proxy) = with(SETTINGS);
    delete(&env, &["--detach"]).code(3);
    env.cloud("111111111111", HERE).protect("app", true);
    let plan = status(&env)["plan"].as_str().unwrap().to_owned();
    env.run(&["approve", "latest", "--plan", &plan]).code(1);
    let outcome = &status(&env)["targets"][0]["outcome"]["stale"]["differences"][0];
    let why = outcome["not_deletable"]["why"].as_str().unwrap();
    assert!(why.contains("termination protection"), "{why}");
    assert_eq!(proxy.count("DeleteStack"), 0);
}

#[test]
fn a_stack_that_changed_after_the_review_stays() {
    let (env, proxy) = with(SETTINGS);
    delete(&env, &["--detach"]).code(3);
    let other = SETTINGS.replace("/gone", "/other");
    let cloud = env.cloud("111111111111", HERE);
    assert_eq!(cloud.update("app", &other, &[]), "UPDATE_COMPLETE");
    let plan = status(&env)["plan"].as_str().unwrap().to_owned();
    env.run(&["approve", "latest", "--plan", &plan]).code(1);
    let outcome = &status(&env)["targets"][0]["outcome"];
    let differences = outcome["stale"]["differences"].to_string();
    assert!(differences.contains("Gone"), "{differences}");
    assert_eq!(proxy.count("DeleteStack"), 0);
    assert_eq!(
        app(&env, "111111111111").as_deref(),
        Some("UPDATE_COMPLETE")
    );
}

#[test]
fn a_stack_whose_export_is_imported_stays() {
    let exporting = format!(
        "{SETTINGS}Outputs:\n  Name: {{Value: !Ref Gone, Export: {{Name: shared-name}}}}\n"
    );
    let importing = "Resources:\n  User:\n    Type: AWS::SSM::Parameter\n    Properties: \
                     {Name: /user, Type: String, Value: !ImportValue shared-name}\n";
    let (env, proxy) = with(&exporting);
    let cloud = env.cloud("111111111111", HERE);
    assert_eq!(cloud.create("web", importing, &[]), "CREATE_COMPLETE");
    refuses(&env, &proxy, &[], &["`shared-name`", "imported by web"]);
    env.run(&["delete", "web", "--yes"]).success();
    delete(&env, &["--yes"]).success();
    assert_eq!(app(&env, "111111111111"), None);
}

#[test]
fn a_stack_that_somebody_works_on_stays() {
    let env = TestEnv::on(Emulator::Ministack);
    let cloud = env.cloud("111111111111", HERE);
    cloud.begin_create("app", WAITING, &[]);
    cloud.await_status("app", "CREATE_IN_PROGRESS");
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    refuses(
        &env,
        &proxy,
        &[],
        &["CREATE_IN_PROGRESS", "somebody else is creating it"],
    );
    cloud.signal("app", "Handle", true);
    assert_eq!(cloud.settled("app"), "CREATE_COMPLETE");
}

#[test]
fn resources_are_retained_by_flag_only_where_a_deletion_failed() {
    let (env, proxy) = with(SETTINGS);
    let flag = ["--retain-resources=Gone"];
    refuses(
        &env,
        &proxy,
        &flag,
        &["CREATE_COMPLETE", "`DeletionPolicy: Retain`"],
    );
}

#[test]
fn a_deletion_that_the_service_refuses_fails_and_is_not_asked_for_again() {
    let (env, proxy) = with(SETTINGS);
    proxy.disturb(
        Rule::new(Fault::Answer(Error {
            status: 400,
            code: "ValidationError",
            message: "Export shared cannot be deleted as it is in use by web",
        }))
        .operation("DeleteStack"),
    );
    let output = delete(&env, &["--yes"]);
    output.code(1);
    let summary = document(&env, &output);
    let reason = summary["failed"][0]["cause"]["reason"].as_str().unwrap();
    assert!(reason.contains("in use by web"), "{reason}");
    assert_eq!(proxy.count("DeleteStack"), 1);
    assert_eq!(
        app(&env, "111111111111").as_deref(),
        Some("CREATE_COMPLETE")
    );
}

#[test]
fn a_lost_reply_is_looked_into() {
    let (env, proxy) = with(SETTINGS);
    proxy.disturb(Rule::new(Fault::LoseReply).operation("DeleteStack"));
    delete(&env, &["--yes"]).success();
    assert_eq!(proxy.count("DeleteStack"), 1);
    assert_eq!(app(&env, "111111111111"), None);
}

#[test]
fn a_fleet_is_one_plan_and_stops_at_its_tolerance() {
    let accounts = ["111111111111", "222222222222", "333333333333"];
    let env = TestEnv::on(Emulator::Ministack);
    for account in &accounts[..2] {
        let cloud = env.cloud(account, HERE);
        assert_eq!(cloud.create("app", SETTINGS, &[]), "CREATE_COMPLETE");
    }
    let fleet = "--accounts=111111111111,222222222222,333333333333";
    let output = delete(&env, &[fleet, "--detach"]);
    output.code(3);
    let review = env.run(&["status", "latest"]);
    assert!(review.success().stdout.contains("2"), "{review}");
    let plan = status(&env)["plan"].as_str().unwrap().to_owned();
    // One of the two changes after the review: the rollout halts before the other.
    env.cloud("111111111111", HERE).protect("app", true);
    env.run(&["approve", "latest", "--plan", &plan]).code(1);
    let there = accounts.map(|account| app(&env, account).is_some());
    assert_eq!(there, [true, true, false]);
    env.cloud("111111111111", HERE).protect("app", false);
    delete(&env, &[fleet, "--yes"]).success();
    let there = accounts.map(|account| app(&env, account).is_some());
    assert_eq!(there, [false, false, false]);
}

/// A parameter of a name that may be taken.
const NAMED: &str = r#"
Parameters:
  Name: {Type: String}
Resources:
  First:
    Type: AWS::SSM::Parameter
    Properties: {Name: /first, Type: String, Value: ours}
  Setting:
    Type: AWS::SSM::Parameter
    DependsOn: First
    Properties: {Name: !Ref Name, Type: String, Value: ours}
"#;

#[test]
fn a_stack_whose_creation_failed_is_replaced_when_that_is_asked_for() {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", NAMED);
    let (dead, live) = (
        env.cloud("111111111111", HERE),
        env.cloud("222222222222", HERE),
    );
    dead.put_parameter("/taken", "theirs");
    let status = dead.create("app", NAMED, &[("Name", "/taken")]);
    assert_eq!(status, "ROLLBACK_COMPLETE");
    let status = live.create("app", NAMED, &[("Name", "/free")]);
    assert_eq!(status, "CREATE_COMPLETE");
    let before = live.stack("app").unwrap().stack_id;
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let deploy = |more: &[&str]| {
        let fleet = "--accounts=111111111111,222222222222,333333333333";
        let parameter = "--parameter=Name=/free";
        env.run(&[&["deploy", "app", fleet, parameter, "--output=json"], more].concat())
    };

    // Without the flag, it is named.
    let output = deploy(&["--yes=high"]);
    output.code(1);
    let summary = document(&env, &output);
    let reason = summary["not_planned"][0]["cause"]["reason"]
        .as_str()
        .unwrap();
    assert!(reason.contains("`--replace-failed`"), "{reason}");
    assert_eq!(
        app(&env, "111111111111").as_deref(),
        Some("ROLLBACK_COMPLETE")
    );

    // Nothing is deleted before somebody says so.
    let deleted = |account: &str| {
        let key = format!("{}/{HERE}/app DeleteStack", env.private(account));
        proxy.mutations().get(&key).copied().unwrap_or_default()
    };
    let accounts = ["111111111111", "222222222222", "333333333333"];
    let so_far = accounts.map(deleted);
    deploy(&["--replace-failed", "--detach"]).code(3);
    assert_eq!(accounts.map(deleted), so_far);
    env.run(&["reject", "latest"]).code(4);
    assert_eq!(accounts.map(deleted), so_far);

    // One document, of the deployment; only the dead stack was deleted.
    let output = deploy(&["--replace-failed", "--yes=high"]);
    let summary = document(&env, output.success());
    assert_eq!(summary["outcome"], "succeeded");
    let now = accounts.map(deleted);
    assert_eq!(now, [so_far[0] + 1, so_far[1], so_far[2]]);
    for account in accounts {
        let status = app(&env, account);
        assert_eq!(status.as_deref(), Some("CREATE_COMPLETE"), "{account}");
    }
    assert_eq!(live.stack("app").unwrap().stack_id, before);
}

#[test]
fn what_is_inside_nested_stacks_is_reviewed_too() {
    let env = TestEnv::on(Emulator::Ministack);
    let cloud = env.cloud("111111111111", HERE);
    let url = cloud.put_template("templates-of-nested", "child.yaml", QUEUE);
    let parent = format!(
        "Resources:\n  Network:\n    Type: AWS::CloudFormation::Stack\n    Properties: {{TemplateURL: '{url}'}}\n"
    );
    assert_eq!(cloud.create("app", &parent, &[]), "CREATE_COMPLETE");
    let output = env.run(&["delete", "app", "--yes"]);
    output.code(3);
    for text in ["Network/Orders", "data loss"] {
        assert!(
            output.stdout.contains(text) || output.stderr.contains(text),
            "{output}"
        );
    }
    assert_eq!(
        app(&env, "111111111111").as_deref(),
        Some("CREATE_COMPLETE")
    );
    delete(&env, &["--yes=high"]).success();
    assert_eq!(app(&env, "111111111111"), None);
}

#[test]
fn a_fleet_is_deleted_on_the_other_emulator_too() {
    let env = TestEnv::on(Emulator::LocalStack);
    let accounts = ["111111111111", "222222222222"];
    for account in accounts {
        let cloud = env.cloud(account, HERE);
        assert_eq!(cloud.create("app", QUEUE, &[]), "CREATE_COMPLETE");
    }
    let fleet = "--accounts=111111111111,222222222222";
    for outcome in ["succeeded", "nothing_to_do"] {
        let output = delete(&env, &[fleet, "--yes=high"]);
        assert_eq!(document(&env, output.success())["outcome"], outcome);
        for account in accounts {
            assert_eq!(app(&env, account), None, "{account}");
        }
    }
}
