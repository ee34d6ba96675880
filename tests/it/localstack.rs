//! What really happens on LocalStack: change sets, their review, answers, overrides, roles and stale plans.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use crate::support::output::Output;
use crate::support::proxy::Proxy;
use crate::support::{Cloud, Emulator, TestEnv};

/// Two accounts times two regions, in the order in which they are asked for.
const FLEET: [(&str, &str); 4] = [
    ("111111111111", "us-east-1"),
    ("111111111111", "eu-west-1"),
    ("222222222222", "us-east-1"),
    ("222222222222", "eu-west-1"),
];

/// The arguments that choose the fleet.
const ON_FLEET: [&str; 4] = [
    "--accounts",
    "111111111111,222222222222",
    "--regions",
    "us-east-1,eu-west-1",
];

/// One setting, quickly made, whose change no target can refuse.
const SETTINGS: &str = r#"
Parameters:
  Value: {Type: String, Default: one}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: /settings/value, Type: String, Value: !Ref Value}
Outputs:
  Setting: {Value: !Ref Value}
"#;

fn on_fleet<'a>(first: &[&'a str], last: &[&'a str]) -> Vec<&'a str> {
    [first, &ON_FLEET, last].concat()
}

/// Returns what `status --output json` says of the newest execution.
fn status(env: &TestEnv) -> Value {
    let output = env.run(&["status", "latest", "--output", "json"]);
    serde_json::from_str(&env.public(&output.success().raw)).unwrap()
}

/// Returns the whole digest of the plan that waits for an answer.
fn digest(env: &TestEnv) -> String {
    let status = status(env);
    let plan = status["approval"]["plan"].as_str().unwrap();
    assert_eq!(plan.len(), 64, "{plan}");
    plan.to_owned()
}

/// Returns how each target ended: the name of its outcome, by account and region.
fn outcomes(status: &Value) -> BTreeMap<String, String> {
    let targets = status["targets"].as_array().unwrap();
    targets
        .iter()
        .map(|target| {
            let outcome = match &target["outcome"] {
                Value::String(name) => name.clone(),
                Value::Object(named) => named.keys().next().unwrap().clone(),
                other => other.to_string(),
            };
            (place(target), outcome)
        })
        .collect()
}

/// Returns how every target of the fleet ended where all ended alike.
fn all(outcome: &str) -> BTreeMap<String, String> {
    FLEET
        .iter()
        .map(|(account, region)| (format!("{account}/{region}"), outcome.to_owned()))
        .collect()
}

fn place(target: &Value) -> String {
    let part = |name: &str| target[name].as_str().unwrap().to_owned();
    format!("{}/{}", part("account"), part("region"))
}

/// Returns the account and region of each target, in order.
fn places(targets: &Value) -> Vec<String> {
    targets.as_array().unwrap().iter().map(place).collect()
}

fn one<'a>(list: &'a Value, key: &str, wanted: &str) -> &'a Value {
    let found = list
        .as_array()
        .and_then(|list| list.iter().find(|one| one[key] == wanted));
    found.unwrap_or_else(|| panic!("nothing has {key} `{wanted}` in {list:#}"))
}

/// Returns how often an operation reached each place of the test, by account and region.
fn arrivals(env: &TestEnv, proxy: &Proxy, operation: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in proxy.calls() {
        if call.operation == operation && call.arrived() {
            *counts.entry(env.public(&call.place())).or_default() += 1;
        }
    }
    counts
}

fn everywhere(count: usize) -> BTreeMap<String, usize> {
    FLEET
        .iter()
        .map(|(account, region)| (format!("{account}/{region}"), count))
        .collect()
}

/// Returns whether there is no stack of that name, or only one that is deleted. The emulator deletes in a thread of
/// its own, so it is asked again for as long as it is at it.
fn is_gone(cloud: &Cloud, stack: &str) -> bool {
    (0..1000)
        .map(|_| cloud.status(stack))
        .find(|status| status.as_deref() != Some("DELETE_IN_PROGRESS"))
        .flatten()
        .is_none_or(|status| status == "DELETE_COMPLETE")
}

/// Replaces a text in a file of the project; panics where the file does not have it.
fn edit(env: &TestEnv, path: &str, from: &str, to: &str) {
    let whole = env.root().join(env.private(path));
    let text = std::fs::read_to_string(&whole).unwrap();
    assert!(text.contains(from), "no `{from}` in {path}");
    env.write(path, &text.replace(from, to));
}

/// Makes the change that the review tests look at: a longer visibility for all, though one target overrides it;
/// and another queue, by another name, in one target.
fn change_messaging(env: &TestEnv) {
    edit(
        env,
        "parameter-overrides/messaging.json",
        r#""QueueVisibility": "30""#,
        r#""QueueVisibility": "45""#,
    );
    edit(
        env,
        "parameter-overrides/messaging.222222222222.eu-west-1.json",
        "orders.fifo",
        "orders-v2.fifo",
    );
}

fn deploy_messaging(env: &TestEnv) -> Output {
    env.run(&on_fleet(&["deploy", "messaging"], &["--yes=high"]))
}

#[test]
fn a_fleet_is_created_then_updated_then_left_alone() {
    let env = TestEnv::on(Emulator::LocalStack).samples();
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let parameters = |key: &str| {
        FLEET.map(|(account, region)| {
            env.cloud(account, region).parameters("messaging")[key].clone()
        })
    };

    let created = deploy_messaging(&env);
    created.success();
    insta::assert_snapshot!("first_roll_out", created.stdout);
    assert_eq!(outcomes(&status(&env)), all("succeeded"));
    for (account, region) in FLEET {
        let cloud = env.cloud(account, region);
        assert_eq!(
            cloud.status("messaging").as_deref(),
            Some("CREATE_COMPLETE")
        );
        assert_eq!(cloud.change_sets("messaging"), Vec::<String>::new());
    }
    // The file for all, but in one target the file of its account and region.
    assert_eq!(parameters("QueueVisibility"), ["30", "30", "60", "30"]);
    assert_eq!(parameters("Environment"), ["production"; 4]);
    assert_eq!(
        parameters("WithOrderedQueue"),
        ["false", "false", "false", "true"]
    );
    let outputs = env.cloud("222222222222", "eu-west-1").outputs("messaging");
    assert!(outputs["OrderedQueueArn"].ends_with(":orders.fifo"));
    assert_eq!(arrivals(&env, &proxy, "CreateChangeSet"), everywhere(1));
    assert_eq!(arrivals(&env, &proxy, "ExecuteChangeSet"), everywhere(1));
    assert_eq!(proxy.count("DeleteChangeSet"), 0);

    change_messaging(&env);
    deploy_messaging(&env).success();
    let ended = outcomes(&status(&env));
    assert_eq!(ended["222222222222/us-east-1"], "no_changes");
    assert_eq!(ended.values().filter(|one| *one == "succeeded").count(), 3);
    assert_eq!(parameters("QueueVisibility"), ["45", "45", "60", "45"]);
    let outputs = env.cloud("222222222222", "eu-west-1").outputs("messaging");
    assert!(outputs["OrderedQueueArn"].ends_with(":orders-v2.fifo"));
    let untouched = env.cloud("222222222222", "us-east-1");
    assert_eq!(
        untouched.status("messaging").as_deref(),
        Some("CREATE_COMPLETE")
    );

    // Nothing to change anywhere: no stack is touched, and no failed change set stays behind.
    let events = || FLEET.map(|(account, region)| env.cloud(account, region).events("messaging"));
    let (before, calls) = (events(), proxy.calls().len());
    let unchanged = deploy_messaging(&env);
    unchanged.success();
    insta::assert_snapshot!("no_changes", unchanged.stdout);
    assert_eq!(outcomes(&status(&env)), all("no_changes"));
    assert_eq!(events(), before);
    let changes: BTreeMap<String, Vec<String>> = proxy.calls()[calls..]
        .iter()
        .filter(|call| call.is_mutation())
        .fold(BTreeMap::new(), |mut map, call| {
            let operations: &mut Vec<String> = map.entry(env.public(&call.place())).or_default();
            operations.push(call.operation.clone());
            map
        });
    let cleaned = vec!["CreateChangeSet".to_owned(), "DeleteChangeSet".to_owned()];
    assert_eq!(changes.len(), 4);
    for (place, operations) in changes {
        assert_eq!(operations, cleaned, "{place}");
    }
}

#[test]
fn the_review_shows_the_target_that_differs_and_what_is_replaced() {
    let env = TestEnv::on(Emulator::LocalStack).samples();
    deploy_messaging(&env).success();
    change_messaging(&env);
    let planned = env.run(&on_fleet(&["plan", "messaging"], &[]));
    planned.code(3);
    insta::assert_snapshot!("review_of_an_update", planned.stdout);

    let status = status(&env);
    let review = &status["review"];
    let groups = review["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 2);
    let most = ["111111111111/us-east-1", "111111111111/eu-west-1"];
    assert_eq!(places(&groups[0]["targets"]), most);
    assert_eq!(places(&groups[1]["targets"]), ["222222222222/eu-west-1"]);
    assert_eq!(places(&review["unchanged"]), ["222222222222/us-east-1"]);

    let queue = one(&groups[0]["resources"], "logical_id", "Queue");
    assert_eq!(queue["action"], "Modify");
    assert_eq!(queue["replacement"], "no");
    let visibility = one(&queue["properties"], "path", "VisibilityTimeout");
    assert_eq!(visibility["before"], "30");
    assert_eq!(visibility["after"], "45");
    assert_eq!(visibility["place"]["file"], "templates/messaging.yaml");

    let ordered = one(&groups[1]["resources"], "logical_id", "OrderedQueue");
    assert_eq!(ordered["action"], "Modify");
    assert_eq!(ordered["replacement"], "will");
    assert_eq!(ordered["resource_type"], "AWS::SQS::Queue");
    let name = one(&ordered["properties"], "path", "QueueName");
    assert_eq!(name["before"], "orders.fifo");
    assert_eq!(name["after"], "orders-v2.fifo");
    assert_eq!(review["risk"], "high");
    assert!(
        groups[0]["resources"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["replacement"] != "will")
    );

    // Who acts is said for each account.
    let caller = groups[1]["callers"][0].to_string();
    assert!(caller.contains("222222222222"), "{caller}");
    assert_eq!(review["plan"], status["approval"]["plan"]);

    // High risk is more than a plain `--yes` accepts, and nothing is executed.
    let refused = env.run(&on_fleet(&["deploy", "messaging"], &["--yes"]));
    refused.code(3);
    assert!(refused.stderr.contains("--yes=high"), "{refused}");
    for (account, region) in FLEET {
        let status = env.cloud(account, region).status("messaging");
        assert_eq!(status.as_deref(), Some("CREATE_COMPLETE"));
    }
}

#[test]
fn a_rejected_plan_leaves_no_change_set_and_no_empty_stack() {
    let env = TestEnv::on(Emulator::LocalStack);
    env.write("templates/settings.yaml", SETTINGS);
    let theirs = env.cloud("222222222222", "eu-west-1");
    assert_eq!(
        theirs.create("settings", SETTINGS, &[("Value", "zero")]),
        "CREATE_COMPLETE"
    );
    let events = theirs.events("settings");
    env.run(&on_fleet(&["plan", "settings"], &["-p", "Value=two"]))
        .code(3);
    for (account, region) in FLEET {
        let cloud = env.cloud(account, region);
        assert_eq!(cloud.change_sets("settings").len(), 1);
        let expected = if (account, region) == FLEET[3] {
            "CREATE_COMPLETE"
        } else {
            "REVIEW_IN_PROGRESS"
        };
        assert_eq!(cloud.status("settings").as_deref(), Some(expected));
    }

    env.run(&["reject", "latest", "-m", "not today"]).code(4);
    for (account, region) in &FLEET[..3] {
        assert!(is_gone(&env.cloud(account, region), "settings"));
    }
    assert_eq!(theirs.change_sets("settings"), Vec::<String>::new());
    assert_eq!(theirs.events("settings"), events);
    assert_eq!(theirs.parameters("settings")["Value"], "zero");

    let status = status(&env);
    assert_eq!(status["outcome"], "rejected");
    assert_eq!(status["approval"]["answer"]["decision"], "reject");
    assert_eq!(status["approval"]["answer"]["summary"], "not today");
    assert!(
        outcomes(&status).values().all(|one| one == "skipped"),
        "{status:#}"
    );
    env.run(&["resume", "latest"]).code(4);
}

#[test]
fn a_new_stack_without_resources_leaves_nothing_behind() {
    let env = TestEnv::on(Emulator::LocalStack);
    let template = "Resources: {}\n";
    env.write("templates/nothing.yaml", template);
    env.run(&["deploy", "nothing", "--yes"]).success();
    assert_eq!(
        outcomes(&status(&env))["111111111111/us-east-1"],
        "no_changes"
    );
    assert!(is_gone(&env.cloud("111111111111", "us-east-1"), "nothing"));
}

#[test]
fn overrides_come_from_the_artifact() {
    let env = TestEnv::on(Emulator::LocalStack).samples();
    let overrides = r#"{"ApplicationVersion": {"Fn::GetParam": ["Source", "parameter-overrides/versions.json", "ApplicationVersion"]}}"#;
    let arguments = |last: &[&'static str]| {
        let first = [
            "deploy",
            "access",
            "--parameter-overrides",
            overrides,
            "--yes=high",
        ];
        on_fleet(&first, last)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let run = |last: &[&'static str]| {
        let arguments = arguments(last);
        env.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };

    // Nobody is there to acknowledge it, so the flag is named and nothing is begun.
    let missing = run(&[]);
    missing.code(2);
    assert!(
        missing
            .stderr
            .contains("--capabilities CAPABILITY_NAMED_IAM"),
        "{missing}"
    );
    assert_eq!(
        env.cloud("111111111111", "us-east-1").status("access"),
        None
    );

    run(&["--capabilities", "CAPABILITY_NAMED_IAM"]).success();
    for (account, region) in FLEET {
        let cloud = env.cloud(account, region);
        assert_eq!(cloud.status("access").as_deref(), Some("CREATE_COMPLETE"));
        let parameters = cloud.parameters("access");
        assert_eq!(parameters["ApplicationVersion"], "1.10");
        assert_eq!(cloud.parameter("/orders/version").as_deref(), Some("1.10"));
        let is_second = account == "222222222222";
        assert_eq!(
            parameters["LogLevel"],
            if is_second { "debug" } else { "info" }
        );
        let audit = if is_second {
            env.private("111111111111")
        } else {
            String::new()
        };
        assert_eq!(parameters["AuditAccount"], audit);
        assert_eq!(
            cloud.outputs("access").contains_key("RoleArn"),
            region == "us-east-1"
        );
    }

    // The artifact is what counts, not the file as it is by now.
    edit(&env, "parameter-overrides/versions.json", "1.10", "1.11");
    let planned: Vec<String> = arguments(&["--capabilities", "CAPABILITY_NAMED_IAM"])
        .into_iter()
        .filter(|argument| argument != "--yes=high")
        .collect();
    env.run(&planned.iter().map(String::as_str).collect::<Vec<_>>())
        .code(3);
    edit(&env, "parameter-overrides/versions.json", "1.11", "1.12");
    env.run(&["approve", "latest", "--plan", &digest(&env)])
        .success();
    let cloud = env.cloud("222222222222", "eu-west-1");
    assert_eq!(cloud.parameter("/orders/version").as_deref(), Some("1.11"));

    let wrong = r#"{"ApplicationVersion": {"Fn::GetParam": ["Source", "parameter-overrides/none.json", "X"]}}"#;
    let unknown = env.run(&[
        "plan",
        "access",
        "--capabilities",
        "CAPABILITY_NAMED_IAM",
        "--parameter-overrides",
        wrong,
    ]);
    unknown.code(2);
    assert!(
        unknown.stderr.contains("parameter-overrides/none.json"),
        "{unknown}"
    );
}

#[test]
fn a_role_is_assumed_in_other_accounts_only() {
    let env = TestEnv::on(Emulator::LocalStack);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    env.write("templates/settings.yaml", SETTINGS);
    env.run(&["deploy", "settings", "--yes=high"]).success();
    assert_eq!(proxy.count("AssumeRole"), 0);

    env.run(&on_fleet(&["deploy", "settings"], &["--yes=high"]))
        .success();
    assert_ne!(proxy.count("AssumeRole"), 0);
    // The base credentials assume it, and what then comes from the other account is that role's.
    for call in proxy.calls() {
        if call.operation == "AssumeRole" {
            assert_eq!(env.public(&call.account), "111111111111");
        }
    }
    assert_eq!(
        arrivals(&env, &proxy, "ExecuteChangeSet")["222222222222/eu-west-1"],
        1
    );
    let review = &status(&env)["review"];
    let callers = review["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|group| {
            let callers = group["callers"].as_array().unwrap();
            callers
                .iter()
                .map(|caller| caller["arn"].as_str().unwrap().to_owned())
        });
    let callers: Vec<String> = callers.collect();
    let role = "arn:aws:sts::222222222222:assumed-role/AWSCloudFormationStackSetExecutionRole/";
    assert!(
        callers.iter().any(|arn| arn.starts_with(role)),
        "{callers:?}"
    );
    assert!(
        callers
            .iter()
            .all(|arn| !arn.contains("::111111111111:assumed-role/")),
        "{callers:?}"
    );
    assert_eq!(
        env.cloud("222222222222", "eu-west-1")
            .parameter("/settings/value")
            .as_deref(),
        Some("one")
    );
}

#[test]
fn a_stack_that_was_changed_behind_our_back_is_not_touched() {
    let env = TestEnv::on(Emulator::LocalStack);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    env.write("templates/settings.yaml", SETTINGS);
    env.run(&["deploy", "settings", "--yes"]).success();
    let cloud = env.cloud("111111111111", "us-east-1");
    // The first change shows in the stack's status, the second only in its events: `UPDATE_COMPLETE` it was before.
    for (theirs, difference) in [("first", "status_changed"), ("second", "new_events")] {
        env.run(&["plan", "settings", "-p", "Value=planned"])
            .code(3);
        let plan = digest(&env);
        let status_after = cloud.update("settings", SETTINGS, &[("Value", theirs)]);
        assert_eq!(status_after, "UPDATE_COMPLETE");
        // LocalStack would still execute it, so only our own check can stop it.
        assert_eq!(cloud.change_sets("settings").len(), 1);
        let events = cloud.events("settings");

        let approved = env.run(&["approve", "latest", "--plan", &plan]);
        approved.code(1);
        // That of the first deployment.
        assert_eq!(proxy.count("ExecuteChangeSet"), 1);
        assert_eq!(cloud.events("settings"), events);
        let value = cloud.parameter("/settings/value");
        assert_eq!(value.as_deref(), Some(theirs));
        let status = status(&env);
        assert_eq!(status["outcome"], "failed");
        assert_eq!(outcomes(&status)["111111111111/us-east-1"], "stale");
        let differences = status["targets"][0]["outcome"]["stale"]["differences"].to_string();
        assert!(differences.contains(difference), "{differences}");
        assert!(
            approved.stdout.contains("no longer what was approved"),
            "{approved}"
        );
        assert_eq!(cloud.change_sets("settings"), Vec::<String>::new());
    }
}

#[test]
fn the_other_targets_of_a_stale_plan_go_on_within_the_tolerance() {
    let env = TestEnv::on(Emulator::LocalStack);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    env.write("templates/settings.yaml", SETTINGS);
    env.run(&on_fleet(&["deploy", "settings"], &["--yes=high"]))
        .success();
    env.run(&on_fleet(
        &["plan", "settings"],
        &["-p", "Value=planned", "--failure-tolerance", "1"],
    ))
    .code(3);
    let (account, region) = FLEET[0];
    let status_after =
        env.cloud(account, region)
            .update("settings", SETTINGS, &[("Value", "theirs")]);
    assert_eq!(status_after, "UPDATE_COMPLETE");

    let plan = digest(&env);
    env.run(&["approve", "latest", "--plan", &plan]).code(5);
    let status = status(&env);
    assert_eq!(status["outcome"], "succeeded_with_failures");
    let mut expected = all("succeeded");
    expected.insert("111111111111/us-east-1".to_owned(), "stale".to_owned());
    assert_eq!(outcomes(&status), expected);
    // Once each for the first roll-out; once more where the plan was still true.
    let mut executed = everywhere(2);
    executed.insert("111111111111/us-east-1".to_owned(), 1);
    assert_eq!(arrivals(&env, &proxy, "ExecuteChangeSet"), executed);
    let values = FLEET.map(|(account, region)| {
        let value = env.cloud(account, region).parameter("/settings/value");
        value.unwrap()
    });
    assert_eq!(values, ["theirs", "planned", "planned", "planned"]);
}

#[test]
fn a_stale_target_without_tolerance_stops_the_rest() {
    let env = TestEnv::on(Emulator::LocalStack);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    env.write("templates/settings.yaml", SETTINGS);
    env.run(&on_fleet(&["deploy", "settings"], &["--yes=high"]))
        .success();
    env.run(&on_fleet(&["plan", "settings"], &["-p", "Value=planned"]))
        .code(3);
    let (account, region) = FLEET[0];
    let status_after =
        env.cloud(account, region)
            .update("settings", SETTINGS, &[("Value", "theirs")]);
    assert_eq!(status_after, "UPDATE_COMPLETE");
    let plan = digest(&env);
    env.run(&["approve", "latest", "--plan", &plan]).code(1);
    let mut expected = all("skipped");
    expected.insert("111111111111/us-east-1".to_owned(), "stale".to_owned());
    assert_eq!(outcomes(&status(&env)), expected);
    assert_eq!(arrivals(&env, &proxy, "ExecuteChangeSet"), everywhere(1));
}

/// Returns all bytes that a file holds; those of an archive unpacked, after its own.
fn bytes(path: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "zip") {
        let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
        for index in 0..archive.len() {
            archive
                .by_index(index)
                .unwrap()
                .read_to_end(&mut bytes)
                .unwrap();
        }
    }
    bytes
}

/// Returns the files of a folder and of those in it.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn a_secret_is_written_nowhere() {
    const FIRST: &str = "Zebra-Quartz-0815-first";
    const SECOND: &str = "Zebra-Quartz-4711-second";
    let env = TestEnv::on(Emulator::LocalStack).samples();
    // The sample only hands it to Secrets Manager; a setting shows whether it arrived.
    let leak = "Resources:\n  Copy:\n    Type: AWS::SSM::Parameter\n    Properties: {Name: /copy, Type: String, Value: !Ref DatabasePassword}\n";
    edit(&env, "templates/storage.yaml", "Resources:\n", leak);
    let env = env.variable("DATABASE_PASSWORD", FIRST);
    let secret = ["--secret", "DatabasePassword=env:DATABASE_PASSWORD"];
    let mut said = Vec::new();
    let mut listen = |output: Output, code: i32| {
        output.code(code);
        said.push(format!("{}\n{}", output.raw, output));
    };

    listen(
        env.run(&on_fleet(
            &["deploy", "storage", "--yes=high", "--output", "ndjson"],
            &secret,
        )),
        0,
    );
    let cloud = |(account, region)| env.cloud(account, region);
    for target in FLEET {
        assert_eq!(
            cloud(target).status("storage").as_deref(),
            Some("CREATE_COMPLETE")
        );
        assert_eq!(cloud(target).parameter("/copy").as_deref(), Some(FIRST));
    }
    // The file of a region beside the file for all.
    let days = FLEET.map(|target| cloud(target).parameters("storage")["RetentionDays"].clone());
    assert_eq!(days, ["30", "90", "30", "90"]);

    let env = env.variable("DATABASE_PASSWORD", SECOND);
    let cloud = |(account, region)| env.cloud(account, region);
    listen(env.run(&on_fleet(&["plan", "storage"], &secret)), 3);
    listen(env.run(&["status", "latest", "--full"]), 0);
    let shown = status(&env);
    let copy = one(
        &shown["review"]["groups"][0]["resources"],
        "logical_id",
        "Copy",
    );
    assert_eq!(one(&copy["properties"], "path", "Value")["secret"], true);
    listen(
        env.run(&["status", "latest", "--full", "--output", "json"]),
        0,
    );
    listen(env.run(&["approve", "latest", "--plan", &digest(&env)]), 0);
    for target in FLEET {
        assert_eq!(cloud(target).parameter("/copy").as_deref(), Some(SECOND));
    }
    listen(env.run(&["events", "latest"]), 0);
    listen(env.run(&["events", "latest", "--output", "ndjson"]), 0);
    listen(env.run(&["list"]), 0);

    for said in &said {
        assert!(!said.contains("Zebra-Quartz"), "{said}");
    }
    let state = files(&env.root().join(".stackgate"));
    for name in ["journal.db", ".zip"] {
        let is_there = |path: &&std::path::PathBuf| path.to_str().unwrap().ends_with(name);
        assert!(
            state.iter().any(|path| is_there(&path)),
            "no {name} in {state:?}"
        );
    }
    for path in state {
        // What is looked for can be found: the reference to the secret is in the journal.
        let bytes = bytes(&path);
        assert!(!holds(&bytes, "Zebra-Quartz"), "{}", path.display());
    }
    let journal = bytes(&env.root().join(".stackgate/journal.db"));
    let log = env.root().join(".stackgate/journal.db-wal");
    let log = if log.exists() {
        bytes(&log)
    } else {
        Vec::new()
    };
    assert!(holds(&journal, "DATABASE_PASSWORD") || holds(&log, "DATABASE_PASSWORD"));
}

#[test]
fn a_literal_secret_is_refused_before_anything_is_begun() {
    let env = TestEnv::on(Emulator::LocalStack).samples();
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    edit(
        &env,
        "parameter-overrides/storage.json",
        r#""Parameters": {"#,
        r#""Parameters": {"DatabasePassword": "Zebra-Quartz-0815","#,
    );
    let refused = env.run(&["deploy", "storage", "--yes=high"]);
    refused.code(2);
    assert!(refused.stderr.contains("DatabasePassword"), "{refused}");
    assert!(refused.stderr.contains("--secret"), "{refused}");
    assert!(!refused.to_string().contains("Zebra-Quartz"), "{refused}");
    assert!(proxy.mutations().is_empty());
    for path in files(&env.root().join(".stackgate")) {
        assert!(!holds(&bytes(&path), "Zebra-Quartz"), "{}", path.display());
    }
}

#[test]
fn a_change_of_outputs_only_is_a_change() {
    let env = TestEnv::on(Emulator::LocalStack);
    env.write("templates/settings.yaml", SETTINGS);
    env.run(&["deploy", "settings", "--yes"]).success();
    let more = format!("{SETTINGS}  Path: {{Value: !Ref Setting}}\n");
    env.write("templates/settings.yaml", &more);
    env.run(&["deploy", "settings", "--yes"]).success();
    assert_eq!(
        outcomes(&status(&env))["111111111111/us-east-1"],
        "succeeded"
    );
    let cloud = env.cloud("111111111111", "us-east-1");
    assert_eq!(cloud.outputs("settings")["Path"], "/settings/value");
    assert_eq!(cloud.status("settings").as_deref(), Some("UPDATE_COMPLETE"));
}

#[test]
fn another_process_approves_what_was_left() {
    let env = TestEnv::on(Emulator::LocalStack);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    env.write("templates/settings.yaml", SETTINGS);
    env.run(&on_fleet(&["deploy", "settings"], &["--detach"]))
        .code(3);
    assert_eq!(proxy.count("ExecuteChangeSet"), 0);
    let plan = digest(&env);
    let approved = env.run(&["approve", "latest", "--plan", &plan, "-m", "looks right"]);
    approved.success();
    assert_eq!(arrivals(&env, &proxy, "CreateChangeSet"), everywhere(1));
    assert_eq!(arrivals(&env, &proxy, "ExecuteChangeSet"), everywhere(1));
    for (account, region) in FLEET {
        let status = env.cloud(account, region).status("settings");
        assert_eq!(status.as_deref(), Some("CREATE_COMPLETE"));
    }
    let status = status(&env);
    assert_eq!(status["outcome"], "succeeded");
    let answer = &status["approval"]["answer"];
    assert_eq!(answer["decision"], "approve");
    assert_eq!(answer["plan"], plan.as_str());
    assert_eq!(answer["summary"], "looks right");
    let who = answer["approver"]["arn"].as_str().unwrap();
    assert!(who.contains("111111111111"), "{who}");
}

#[test]
fn an_answer_to_another_plan_is_refused() {
    let env = TestEnv::on(Emulator::LocalStack);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    env.write("templates/settings.yaml", SETTINGS);
    env.run(&["plan", "settings"]).code(3);
    let plan = digest(&env);
    let first = if plan.starts_with('0') { '1' } else { '0' };
    let wrong = format!("{first}{}", &plan[1..]);
    for given in [
        &["--plan", wrong.as_str()][..],
        &["--plan", &plan[..8]],
        &[],
    ] {
        let refused = env.run(&[&["approve", "latest"], given].concat());
        refused.code(2);
    }
    let rejected = env.run(&["reject", "latest", "--plan", &wrong]);
    assert_ne!(rejected.code, Some(4), "{rejected}");
    assert_eq!(proxy.count("ExecuteChangeSet"), 0);
    assert_eq!(proxy.count("DeleteChangeSet"), 0);
    let cloud = env.cloud("111111111111", "us-east-1");
    assert_eq!(
        cloud.status("settings").as_deref(),
        Some("REVIEW_IN_PROGRESS")
    );
    assert!(status(&env)["approval"]["answer"].is_null());
    // The right one still counts.
    env.run(&["approve", "latest", "--plan", &plan]).success();
    assert_eq!(cloud.status("settings").as_deref(), Some("CREATE_COMPLETE"));
}

#[test]
fn an_answer_without_a_caller_says_so_and_counts() {
    let env = TestEnv::on(Emulator::LocalStack);
    env.write("templates/settings.yaml", SETTINGS);
    env.run(&["plan", "settings"]).code(3);
    let plan = digest(&env);
    let approve = ["approve", "latest", "--plan", &plan, "--detach"];
    let keyless = |env: TestEnv| {
        env.variable("AWS_ACCESS_KEY_ID", "")
            .variable("AWS_SECRET_ACCESS_KEY", "")
    };
    let env = keyless(env);
    let answered = env.run(&approve);
    answered.success();
    let note = "note: the answer is recorded without an AWS caller: ";
    assert!(answered.stderr.contains(note), "{answered}");
    assert!(
        answered.stderr.contains("no credentials were found"),
        "{answered}"
    );
    let told = status(&env);
    assert_eq!(told["approval"]["answer"]["decision"], "approve");
    assert_eq!(told["approval"]["answer"]["approver"].get("arn"), None);
}

#[test]
fn the_first_answer_counts() {
    let env = TestEnv::on(Emulator::LocalStack);
    env.write("templates/settings.yaml", SETTINGS);
    env.run(&["plan", "settings"]).code(3);
    let plan = digest(&env);
    env.run(&[
        "approve", "latest", "--plan", &plan, "--detach", "-m", "first",
    ])
    .success();
    // It is told of although nobody has acted on it yet, with what comes next.
    let told = status(&env);
    assert_eq!(told["state"], "approved");
    assert_eq!(told["outcome"], serde_json::Value::Null);
    assert_eq!(told["approval"]["answer"]["summary"], "first");
    let next = told["next"][0].as_str().unwrap();
    assert!(next.starts_with("stackgate resume "), "{next}");
    for command in ["status", "list"] {
        let text = env.run(&[command]).success().stdout.clone();
        assert!(text.contains("approved, not executed"), "{text}");
    }
    // The second one is refused although nobody has acted on the first yet.
    let second = env.run(&["reject", "latest", "--plan", &plan, "-m", "second"]);
    assert_eq!(second.code, Some(2), "{second}");
    let cloud = env.cloud("111111111111", "us-east-1");
    assert_eq!(
        cloud.status("settings").as_deref(),
        Some("REVIEW_IN_PROGRESS")
    );
    env.run(&["resume", "latest"]).success();
    assert_eq!(cloud.status("settings").as_deref(), Some("CREATE_COMPLETE"));
    let after = status(&env);
    assert_eq!(after["outcome"], "succeeded");
    assert_eq!(after["approval"]["answer"]["summary"], "first");

    for again in [
        &["approve", "latest", "--plan", &plan][..],
        &["reject", "latest"],
    ] {
        let late = env.run(again);
        late.code(2);
        assert!(late.stderr.contains("has ended"), "{late}");
    }
    assert_eq!(status(&env), after);
}

#[test]
fn a_named_profile_wins_over_keys_of_the_environment() {
    let env = TestEnv::on(Emulator::LocalStack);
    let other = env.private("222222222222");
    env.write("templates/settings.yaml", SETTINGS);
    let profile = format!("[other]\naws_access_key_id = {other}\naws_secret_access_key = secret\n");
    env.write("credentials", &profile);
    let file = env.root().join("credentials");
    let env = env.variable("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap());
    env.run(&["plan", "settings", "--profile", "other"]).code(3);
    let status = status(&env);
    assert_eq!(status["targets"][0]["account"], "222222222222");
    let unknown = env.run(&["plan", "settings", "--profile", "nobody"]);
    assert_eq!(unknown.code, Some(1), "{unknown}");
    assert!(unknown.stderr.contains("nobody"), "{unknown}");
}

#[test]
fn an_execution_goes_on_where_it_was_begun() {
    let env = TestEnv::on(Emulator::LocalStack);
    env.write("templates/settings.yaml", SETTINGS);
    env.run(&["plan", "settings"]).code(3);
    let mut resume = env.command(&["resume", "latest"]);
    resume.env_remove("AWS_ENDPOINT_URL");
    // Were it not refused, it would still reach nothing.
    resume.env("HTTPS_PROXY", "http://127.0.0.1:9");
    let output = resume.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("at an endpoint of its own"), "{said}");
    // It is not held by what was refused.
    env.run(&["reject", "latest"]).code(4);
}

#[test]
fn an_empty_folder_is_made_a_project_that_deploys() {
    let env = TestEnv::on(Emulator::LocalStack);
    let made = env.run(&["init", "orders"]);
    insta::assert_snapshot!("init", made.success().stdout);
    env.run(&["deploy", "orders", "--yes"]).success();
    let cloud = env.cloud("111111111111", "us-east-1");
    assert_eq!(cloud.status("orders").as_deref(), Some("CREATE_COMPLETE"));
    // Run again it changes nothing, neither here nor there.
    let again = env.run(&["init", "orders"]);
    assert!(!again.success().stdout.contains("created"), "{again}");
    env.run(&["deploy", "orders", "--yes"]).success();
}
