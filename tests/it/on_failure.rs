//! A rollout that fails is rolled back by itself, where its approval said so.

use serde_json::{Value, json};

use crate::support::output::{Output, normalise};
use crate::support::proxy::{Fault, Proxy, Rule};
use crate::support::{Emulator, TestEnv};

const FIRST: &str = r#"
Parameters:
  Name: {Type: String}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: !Ref Name, Type: String, Value: value}
"#;

/// What the second version adds.
const MORE: &str = r#"
  Other:
    Type: AWS::SSM::Parameter
    Properties: {Name: !Sub "${Name}/other", Type: String, Value: more}
"#;

const PLACES: [(&str, &str); 4] = [
    ("111111111111", "us-east-1"),
    ("111111111111", "eu-west-1"),
    ("222222222222", "us-east-1"),
    ("222222222222", "eu-west-1"),
];

pub const TWO: &str = "--accounts=111111111111,222222222222";

const DEPLOY: [&str; 6] = [
    "deploy",
    "app",
    "--parameter=Name=/name",
    "--regions=us-east-1,eu-west-1",
    "--yes=high",
    "--output=json",
];

pub const SECOND: [&str; 2] = ["--tag=version=two", "--on-failure=rollback"];

fn document(env: &TestEnv, output: &Output) -> Value {
    serde_json::from_str(&env.public(&output.raw)).unwrap()
}

/// Returns a place where the first version was deployed to four stacks, and the second one will fail in the last of them.
pub fn before() -> TestEnv {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", FIRST);
    let first = [&DEPLOY[..], &[TWO, "--tag=version=one"]].concat();
    env.run(&first).success();
    // A name that is taken: the second version cannot make its parameter there.
    let (account, region) = PLACES[3];
    let there = env.cloud(account, region);
    there.put_parameter("/name/other", "theirs");
    env.write("templates/app.yaml", &format!("{FIRST}{MORE}"));
    env
}

/// Checks that every stack has the first version, with its tags.
pub fn all_are_first(env: &TestEnv) {
    for (account, region) in PLACES {
        let cloud = env.cloud(account, region);
        assert_eq!(cloud.template("app"), FIRST, "{account}/{region}");
        assert_eq!(cloud.tags("app")["version"], "one", "{account}/{region}");
    }
}

#[test]
fn a_rollout_that_fails_is_rolled_back_as_was_approved() {
    let env = before();
    let output = env.run(&[&DEPLOY[..], &[TWO], &SECOND].concat());
    output.code(1);
    let failed = document(&env, &output);
    assert_eq!(failed["outcome"], "failed");
    let rollback = &failed["rollback"];
    assert_eq!(rollback["changed"], 3, "{output}");
    assert_eq!(rollback["rolled_back"], 3, "{output}");
    assert_eq!(rollback["outcome"], "succeeded");
    all_are_first(&env);

    assert!(
        output
            .stderr
            .contains("going on with the rollback of 3 changed targets"),
        "{output}"
    );

    // It was said before it was approved, and nothing is left to do.
    let id = failed["execution"].as_str().unwrap();
    let status = env.run(&["status", id, "--output=json"]);
    let status = document(&env, status.success());
    let notes = status["review"]["notes"].to_string();
    assert!(notes.contains("`--on-failure rollback`"), "{notes}");
    assert_eq!(&status["rollback"], rollback);
    let output = env.run(&["resume", id]);
    output.code(1);
    assert!(
        output.stderr.contains("has ended already: failed"),
        "{output}"
    );
    assert!(
        output.stdout.contains("rolled back 3 changed targets"),
        "{output}"
    );
    let output = env.run(&["rollback", id]);
    output.success();
    assert!(
        output.stderr.contains("rolled back by execution"),
        "{output}"
    );
    assert!(output.stderr.contains("nothing to roll back"), "{output}");
}

#[test]
fn what_an_approval_could_not_know_stops_the_rollback() {
    let env = before();
    // A stack more, which the second version creates.
    let three = "--accounts=111111111111,222222222222,333333333333";
    let output = env.run(&[&DEPLOY[..], &[three], &SECOND].concat());
    output.code(1);
    let failed = document(&env, &output);
    let id = failed["execution"].as_str().unwrap();
    let go_on = format!("stackgate rollback {id}");
    let said = "not rolled back by itself: 1 of 4 changed targets is a new stack";
    assert!(output.stderr.contains(said), "{output}");
    assert!(!output.stderr.contains("going on with"), "{output}");
    assert_eq!(
        failed["rollback"],
        json!({ "changed": 4, "rolled_back": 0, "by_hand": "some_new_stacks" })
    );
    assert_eq!(failed["next"][0], go_on);
    assert_eq!(failed["next"][1], format!("{go_on} --delete-created"));
    let status = env.run(&["status", id]);
    assert!(status.success().stdout.contains(said), "{status}");
    // It does not go round in circles.
    let resumed = env.run(&["resume", id]);
    resumed.code(1);
    assert!(
        resumed.stderr.contains("has ended already: failed"),
        "{resumed}"
    );
    assert!(resumed.stdout.contains(said), "{resumed}");

    let rollback = [
        "rollback",
        id,
        "--delete-created",
        "--yes=high",
        "--output=json",
    ];
    let output = env.run(&rollback);
    let deleted = document(&env, output.success());
    assert_eq!(deleted["operation"], "delete");
    assert_eq!(deleted["follows"], json!({ "rolls_back": id }));
    let status = env.run(&[
        "status",
        deleted["execution"].as_str().unwrap(),
        "--output=json",
    ]);
    let status = document(&env, status.success());
    let notes = status["review"]["notes"].to_string();
    assert!(
        notes.contains("deletes the stacks that execution"),
        "{notes}"
    );
    all_are_first(&env);
    let created = env.cloud("333333333333", "us-east-1");
    assert_eq!(created.status("app"), None);
    let status = env.run(&["status", id, "--output=json"]);
    let status = document(&env, status.success());
    assert_eq!(status["rollback"]["rolled_back"], 4, "{status}");
}

#[test]
fn a_crash_between_a_failed_rollout_and_its_rollback_loses_nothing() {
    // Before the rollback begins, and while it plans.
    for is_begun in [false, true] {
        let env = before();
        let proxy = Proxy::start(&env.endpoint());
        let env = env.through(&proxy);
        let process = env.start(&[&DEPLOY[..], &[TWO], &SECOND].concat());
        proxy.victim(process.victim());
        let last = |calls: &[crate::support::proxy::Call]| {
            let executed = calls.iter().filter(|c| c.operation == "ExecuteChangeSet");
            executed.count() == PLACES.len()
        };
        let kill = Rule::new(Fault::Kill);
        match is_begun {
            true => proxy.disturb(kill.operation("CreateChangeSet").skip(PLACES.len())),
            false => {
                proxy.wait_until("the last target is executed", last);
                // Nothing but the rollback looks at what was done before.
                let done = env.private("222222222222/us-east-1");
                proxy.disturb(kill.place(&done));
            }
        }
        let killed = env.finish(process);
        assert_eq!(killed.code, None, "{killed}");
        proxy.leave_alone();

        let executions = env.run(&["list", "--output=json"]);
        let executions = document(&env, executions.success())["executions"].clone();
        let executions = executions.as_array().unwrap();
        assert_eq!(
            executions.len(),
            2 + usize::from(is_begun),
            "{executions:?}"
        );
        let failed = &executions[usize::from(is_begun)];
        assert_eq!(failed["state"], "failed", "{failed}");
        let id = failed["execution"].as_str().unwrap();
        let status = env.run(&["status", id, "--output=json"]);
        let status = document(&env, status.success());
        let next = status["next"][0].as_str().unwrap();
        match is_begun {
            true => {
                assert_ne!(next, format!("stackgate resume {id}"));
                assert!(next.starts_with("stackgate resume "), "{next}");
                assert_eq!(status["rollback"]["state"], "interrupted", "{status:#}");
            }
            false => assert_eq!(next, format!("stackgate resume {id}")),
        }

        let output = env.run(&["resume", id, "--output=json"]);
        output.code(1);
        let resumed = document(&env, &output);
        assert_eq!(resumed["execution"], *id);
        assert_eq!(resumed["rollback"]["rolled_back"], 3, "{output}");
        all_are_first(&env);
        let output = env.run(&["status", id]);
        let said = "rolled back 3 changed targets";
        assert!(output.success().stdout.contains(said), "{output}");
        assert_eq!(proxy.count("CreateChangeSet"), PLACES.len() + 3);
        assert_eq!(proxy.count("ExecuteChangeSet"), PLACES.len() + 3);
    }
}

#[test]
fn a_rollback_that_was_refused_waits_for_a_person_whoever_resumes() {
    let env = before();
    let low = [
        "deploy",
        "app",
        "--parameter=Name=/name",
        "--regions=us-east-1,eu-west-1",
        "--yes=low",
        "--output=json",
    ];
    let refused = "what was approved with the deployment takes low at most";
    let output = env.run(&[&low[..], &[TWO], &SECOND].concat());
    let failed = document(&env, &output);
    let id = failed["execution"].as_str().unwrap();
    let is_waiting = |output: &Output| {
        output.code(1);
        assert!(output.stderr.contains(refused), "{output}");
        let found = document(&env, output);
        assert_eq!(found["execution"], *id);
        assert_eq!(found["rollback"]["state"], "waiting_for_approval");
        assert_eq!(found["rollback"]["rolled_back"], 0);
    };
    is_waiting(&output);
    is_waiting(&env.run(&["resume", id, "--output=json"]));
    let output = env.run(&["resume", id]);
    output.code(1);
    let said = "which waits for approval: 3 changed targets";
    assert!(output.stdout.contains(said), "{output}");

    // Another one would only hide the one that waits.
    let waiting = failed["rollback"]["execution"].as_str().unwrap();
    let output = env.run(&["rollback", id, "--detach"]);
    output.code(2);
    for said in [
        format!("has a rollback already: execution {waiting} waits for an answer"),
        format!(
            "go on with `stackgate approve {waiting}`, or end it with `stackgate reject {waiting}`"
        ),
    ] {
        assert!(
            output.stderr.contains(&normalise(&said)),
            "{said}\n{output}"
        );
    }
    let listed = env.run(&["list", "--output=json"]);
    let listed = document(&env, listed.success())["executions"].clone();
    assert_eq!(listed[0]["execution"], waiting);

    approve(&env, waiting);
    all_are_first(&env);
}

/// Approves the plan that an execution waits with.
fn approve(env: &TestEnv, id: &str) {
    let status = env.run(&["status", id, "--output=json"]);
    let plan = document(env, status.success())["approval"]["plan"].clone();
    let output = env.run(&["approve", id, "--plan", plan.as_str().unwrap()]);
    output.success();
}

#[test]
fn what_somebody_changed_while_it_was_planned_is_never_overwritten_unseen() {
    let env = before();
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let process = env.start(&[&DEPLOY[..], &[TWO], &SECOND].concat());
    proxy.victim(process.victim());
    let create = Rule::new(Fault::Kill).operation("CreateChangeSet");
    proxy.disturb(create.skip(PLACES.len()));
    let killed = env.finish(process);
    assert_eq!(killed.code, None, "{killed}");
    proxy.leave_alone();

    // It was looked at already what others had changed.
    let (account, region) = PLACES[0];
    let cloud = env.cloud(account, region);
    let theirs = MORE
        .replace("Other:", "Colleague:")
        .replace("/other", "/colleague");
    let updated = cloud.update(
        "app",
        &format!("{FIRST}{MORE}{theirs}"),
        &[("Name", "/name")],
    );
    assert_eq!(updated, "UPDATE_COMPLETE");
    let executions = env.run(&["list", "--output=json"]);
    let executions = document(&env, executions.success())["executions"].clone();
    let id = executions[1]["execution"].as_str().unwrap();
    let said = "1 stack changed by somebody else since it was looked at, which is lost: 111111111111/us-east-1/app";
    let output = env.run(&["resume", id, "--output=json"]);
    output.code(1);
    assert!(output.stderr.contains(said), "{output}");
    let found = document(&env, &output);
    assert_eq!(found["rollback"]["state"], "waiting_for_approval");
    let rollback = found["rollback"]["execution"].as_str().unwrap();
    let status = env.run(&["status", rollback, "--output=json"]);
    let notes = document(&env, status.success())["review"]["notes"].to_string();
    assert!(notes.contains(said), "{notes}");

    // Nor does a retry overwrite it unseen; one that a person approves is a rollback, too.
    let _ = env.run(&["stop", rollback, "--give-up"]);
    let output = env.run(&["retry", rollback, "--yes=high", "--output=json"]);
    output.code(3);
    assert!(output.stderr.contains(said), "{output}");
    assert!(cloud.parameter("/name/colleague").is_some());
    let retry = document(&env, &output)["execution"].clone();
    approve(&env, retry.as_str().unwrap());
    all_are_first(&env);
    let status = env.run(&["status", id, "--output=json"]);
    let status = document(&env, status.success());
    assert_eq!(status["rollback"]["rolled_back"], 3, "{status}");
    assert_eq!(status["rollback"]["execution"], retry);
}

#[test]
fn a_value_that_cannot_be_read_back_stops_the_rollback_and_is_asked_for() {
    let env = TestEnv::on(Emulator::Ministack)
        .variable("FIRST", "first-secret")
        .variable("SECOND", "second-secret");
    let password = "Name: {Type: String}\n  Password: {Type: String, NoEcho: true}";
    let first = FIRST
        .replace("Name: {Type: String}", password)
        .replace("Value: value", "Value: !Ref Password");
    env.write("templates/app.yaml", &first);
    let secret = |name: &str| format!("--secret=Password=env:{name}");
    let output = env.run(&[&DEPLOY[..], &[TWO, secret("FIRST").as_str()]].concat());
    output.success();
    let (account, region) = PLACES[3];
    let there = env.cloud(account, region);
    there.put_parameter("/name/other", "theirs");
    env.write("templates/app.yaml", &format!("{first}{MORE}"));
    let more = [TWO, "--on-failure=rollback", &secret("SECOND")];
    let output = env.run(&[&DEPLOY[..], &more].concat());
    output.code(1);
    let said = "parameter `Password` is secret, and the value that it had in 3 of the stacks cannot be read back";
    assert!(output.stderr.contains(said), "{output}");
    let failed = document(&env, &output);
    assert_eq!(
        failed["rollback"],
        json!({ "changed": 3, "rolled_back": 0 })
    );

    let id = failed["execution"].as_str().unwrap();
    let output = env.run(&["rollback", id, "--yes=high", &secret("FIRST")]);
    output.success();
    for (account, region) in PLACES {
        let value = env.cloud(account, region).parameter("/name");
        assert_eq!(value.as_deref(), Some("first-secret"), "{account}/{region}");
    }
}

#[test]
fn new_stacks_alone_are_nothing_to_roll_back_by_itself() {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", FIRST);
    let there = env.cloud("222222222222", "us-east-1");
    there.put_parameter("/name", "theirs");
    let deploy = [
        "deploy",
        "app",
        TWO,
        "--parameter=Name=/name",
        "--regions=us-east-1",
        "--on-failure=rollback",
        "--yes=high",
        "--output=json",
    ];
    let output = env.run(&deploy);
    let failed = document(&env, output.code(1));
    let said = "nothing to roll back by itself: 1 changed target is a new stack";
    assert!(output.stderr.contains(said), "{output}");
    assert!(!output.stderr.contains("going on with"), "{output}");
    let by_hand = json!({ "changed": 1, "rolled_back": 0, "by_hand": "only_new_stacks" });
    assert_eq!(failed["rollback"], by_hand);
    let id = failed["execution"].as_str().unwrap();
    let delete = format!("stackgate rollback {id} --delete-created");
    assert_eq!(failed["next"][0], delete);
    let resumed = env.run(&["resume", id]);
    resumed.code(1);
    assert!(resumed.stdout.contains(said), "{resumed}");
    let delete = "stackgate rollback eeeeeeee…eeee --delete-created";
    assert!(resumed.stdout.contains(delete), "{resumed}");
    let list = env.run(&["list", "--output=json"]);
    let list = document(&env, list.success());
    assert_eq!(list["executions"].as_array().unwrap().len(), 1, "{list}");
}

#[test]
fn who_rejects_a_wave_has_not_approved_its_rollback() {
    let env = TestEnv::on(Emulator::Ministack).variable("USER", "alice");
    let settings = r#"
targetSets:
  fleet:
    accounts: ["111111111111", "222222222222"]
    regions: [us-east-1]
    waves:
      - {name: canary, accounts: ["111111111111"], approval: true}
      - name: others
"#;
    env.write("templates/app.yaml", FIRST);
    let name = "--parameter=Name=/name";
    let regions = "--regions=us-east-1";
    env.run(&["deploy", "app", TWO, regions, name, "--yes=high"])
        .success();
    env.write("stackgate.yaml", settings);
    env.write("templates/app.yaml", &format!("{FIRST}{MORE}"));
    let fleet = "--target-set=fleet";
    let second = ["deploy", "app", fleet, name, "--on-failure=rollback"];
    let second = [&second[..], &["--yes=high", "--output=json"]].concat();
    let waiting = env.run(&second);
    let plan = document(&env, waiting.code(3))["plan"].clone();
    let env = env.variable("USER", "bob");
    let reject = ["reject", "latest", "--wave=canary", "--output=json"];
    let rejected = env.run(&reject);
    let rejected = document(&env, rejected.code(1));
    assert_eq!(rejected["rollback"]["rolled_back"], 1, "{rejected:#}");
    let cloud = env.cloud("111111111111", "us-east-1");
    assert_eq!(cloud.template("app"), FIRST);

    let rollback = rejected["rollback"]["execution"].as_str().unwrap();
    let status = env.run(&["status", rollback, "--output=json"]);
    let status = document(&env, status.success());
    let answer = &status["approval"]["answer"];
    assert_eq!(answer["approver"]["os_user"], "alice", "{answer:#}");
    assert_eq!(answer["origin"], "beforehand");
    // It is bound to the plan of the rollback, and says which one alice approved.
    assert_eq!(answer["plan"], status["approval"]["plan"]);
    let summary = answer["summary"].as_str().unwrap();
    let approved = format!("approved with plan {}", &plan.as_str().unwrap()[..8]);
    assert!(summary.contains(&approved), "{summary}");
    assert!(summary.contains("begun by bob@"), "{summary}");
}
