//! What a person reads when the input is bad or the day is: each output as a whole, in a snapshot.
//!
//! Look at each of them as somebody who meets it for the first time: does it say what happened, why, and what to do?

use std::fs;
use std::process::Command;
use std::sync::LazyLock;

use regex::Regex;

use crate::support::output::Output;
use crate::support::process::Process;
use crate::support::proxy::{Error, Fault, Gate, Proxy, Rule};
use crate::support::{Emulator, TestEnv, WAITING};

const SETTINGS: &str = r#"
Parameters:
  Value: {Type: String}
  Level: {Type: Number, Default: 1}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: /bad-days, Type: String, Value: !Ref Value}
"#;

const HERE: &str = "us-east-1";

/// What is this machine's or this process's own.
static OWN: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\S+:\d+, last heard", "[HOST]:[PROCESS], last heard"),
        (r"uid \d+@\S+", "[USER]@[HOST]"),
        // As many columns as the number has.
        (r" +\[DURATION\] ago", "  [DURATION] ago"),
    ]
    .into_iter()
    .map(|(pattern, replacement)| (Regex::new(pattern).unwrap(), replacement))
    .collect()
});

/// Compares all that was said with the snapshot of that name.
#[track_caller]
fn golden(name: &str, code: i32, output: &Output) {
    let said = OWN.iter().fold(
        output.code(code).to_string(),
        |said, (pattern, replacement)| pattern.replace_all(&said, *replacement).into_owned(),
    );
    insta::assert_snapshot!(name, said);
}

/// Returns a project in order, without any endpoint.
fn offline() -> TestEnv {
    project(TestEnv::offline())
}

/// Returns a project in order, with an emulator.
fn online() -> TestEnv {
    project(TestEnv::on(Emulator::Ministack))
}

fn project(env: TestEnv) -> TestEnv {
    env.write("templates/settings.yaml", SETTINGS);
    env.write(
        "parameter-overrides/settings.json",
        r#"{"Parameters": {"Value": "one"}}"#,
    );
    env
}

/// Returns a project in order behind a proxy that may disturb its calls.
fn disturbed(rules: impl IntoIterator<Item = Rule>) -> (TestEnv, Proxy) {
    let env = online();
    let proxy = Proxy::start(&env.endpoint());
    for rule in rules {
        proxy.disturb(rule.times(1000));
    }
    (env.through(&proxy), proxy)
}

const DEPLOY: [&str; 3] = ["deploy", "settings", "--yes"];

fn deploy(env: &TestEnv, more: &[&str]) -> Output {
    env.run(&[&DEPLOY, more].concat())
}

// --- files

#[test]
fn a_file_that_is_not_there() {
    let env = offline();
    let said = |arguments: &[&str]| env.run(arguments);
    golden(
        "missing_template_of_stack",
        2,
        &said(&["deploy", "setings"]),
    );
    golden(
        "missing_template_file",
        2,
        &said(&["deploy", "--template", "templates/other.yaml"]),
    );
    golden(
        "missing_overrides",
        2,
        &said(&[
            "deploy",
            "settings",
            "--overrides",
            "parameter-overrides/other",
        ]),
    );
    golden("no_journal", 1, &said(&["status"]));
    let empty = TestEnv::offline();
    golden("empty_folder", 2, &empty.run(&["deploy", "settings"]));
    let env = online();
    golden(
        "missing_targets_file",
        2,
        &deploy(&env, &["--targets", "targets.yaml"]),
    );
}

#[test]
fn text_that_is_not_yaml_or_json_is_named_by_line_and_column() {
    let env = offline();
    env.write(
        "templates/broken.yaml",
        "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n   Properties: {}\n",
    );
    golden("broken_template_yaml", 2, &env.run(&["deploy", "broken"]));
    env.write(
        "templates/comma.json",
        "{\n  \"Resources\": {\n    \"Queue\": {\"Type\": \"AWS::SQS::Queue\",}\n  }\n}\n",
    );
    golden("broken_template_json", 2, &env.run(&["deploy", "comma"]));

    let env = online();
    env.write(
        "parameter-overrides/settings.json",
        "{\n  \"Parameters\": {\n    \"Value\": \"one\"\n    \"Level\": \"2\"\n  }\n}\n",
    );
    golden("broken_overrides_json", 2, &deploy(&env, &[]));
    fs::remove_file(env.root().join("parameter-overrides/settings.json")).unwrap();
    env.write(
        "parameter-overrides/settings.yaml",
        "Parameters:\n  Value: one\n Level: 2\n",
    );
    golden("broken_overrides_yaml", 2, &deploy(&env, &[]));

    let env = online();
    env.write(
        "targets.yaml",
        "- account: \"111111111111\"\n  regions: us-east-1\n",
    );
    golden(
        "broken_targets_file",
        2,
        &deploy(&env, &["--targets", "targets.yaml"]),
    );
}

// --- parameters

#[test]
fn parameters_that_do_not_fit_the_template() {
    let env = online();
    golden("unknown_parameter", 2, &deploy(&env, &["-p", "Vaule=two"]));
    env.write(
        "parameter-overrides/settings.json",
        "{\n  \"Parameters\": {\n    \"Value\": \"one\",\n    \"Levle\": \"2\"\n  }\n}\n",
    );
    golden("unknown_parameter_in_file", 2, &deploy(&env, &[]));
    env.write(
        "parameter-overrides/settings.json",
        "{\n  \"Parameters\": {\n    \"Value\": {\"text\": \"one\"},\n    \"Level\": 2\n  }\n}\n",
    );
    golden("wrong_type_in_overrides", 2, &deploy(&env, &[]));
    // Whether the stack has a value is known only when it was looked at.
    env.write("parameter-overrides/settings.json", "{}");
    golden("missing_parameter", 1, &deploy(&env, &[]));
}

// --- targets

#[test]
fn targets_that_cannot_be_meant() {
    let env = online();
    golden(
        "duplicate_target",
        2,
        &deploy(&env, &["--accounts", "111111111111,111111111111"]),
    );
    env.write(
        "targets.yaml",
        "- account: \"111111111111\"\n  regions: [us-east-1]\n- account: \"111111111111\"\n  regions: [eu-west-1, us-east-1]\n",
    );
    golden(
        "duplicate_target_in_file",
        2,
        &deploy(&env, &["--targets", "targets.yaml"]),
    );
    // As for the AWS CLI, an empty one is none.
    let none = online().variable("AWS_REGION", "");
    let said = deploy(&none, &[]).code(2).to_string();
    assert!(said.contains("no region is given"), "{said}");
    env.write(
        "targets.yaml",
        "- account: 12345678\n  regions: [us-east-1]\n",
    );
    golden(
        "malformed_account_in_file",
        2,
        &deploy(&env, &["--targets", "targets.yaml"]),
    );
    golden(
        "malformed_account",
        2,
        &deploy(&env, &["--accounts", "12345"]),
    );
    golden(
        "malformed_region",
        2,
        &deploy(&env, &["--region", "frankfurt"]),
    );
}

// --- the network and the credentials

#[test]
fn an_endpoint_that_cannot_be_reached() {
    golden("unreachable_endpoint", 1, &deploy(&offline(), &[]));
    golden(
        "malformed_endpoint",
        2,
        &deploy(&offline(), &["--endpoint-url", "localhost:4566"]),
    );
    let env = offline().variable("AWS_ENDPOINT_URL", "nonsense");
    let said = deploy(&env, &[]).code(1).to_string();
    assert!(said.contains("correct AWS_ENDPOINT_URL, or"), "{said}");
    for name in [
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_STS",
        "AWS_ENDPOINT_URL_S3",
    ] {
        let said = deploy(&offline().variable(name, ""), &[]);
        let expected = format!("error: {name} is set, but empty; correct {name}, or unset it");
        assert!(said.code(1).to_string().contains(&expected), "{expected}");
    }
}

#[test]
fn credentials_that_are_missing_or_expired() {
    let env = offline()
        .variable("AWS_ACCESS_KEY_ID", "")
        .variable("AWS_SECRET_ACCESS_KEY", "");
    golden("missing_credentials", 1, &deploy(&env, &[]));
    let expired = || Rule::new(Fault::Answer(Error::EXPIRED_TOKEN));
    let (env, _proxy) = disturbed([expired()]);
    golden("expired_credentials_at_first", 1, &deploy(&env, &[]));
    let (env, _proxy) = disturbed([expired().operation("CreateChangeSet")]);
    golden("expired_credentials_on_the_way", 130, &deploy(&env, &[]));
}

#[test]
fn access_that_is_denied() {
    let denied = |message| {
        Rule::new(Fault::Answer(Error {
            message,
            ..Error::ACCESS_DENIED
        }))
    };
    let role = "User: arn:aws:iam::111111111111:user/ci is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::222222222222:role/AWSCloudFormationStackSetExecutionRole";
    let (env, _proxy) = disturbed([denied(role).operation("AssumeRole")]);
    golden(
        "denied_assume_role",
        1,
        &deploy(&env, &["--accounts", "222222222222"]),
    );
    let create = "User: arn:aws:iam::111111111111:user/ci is not authorized to perform: cloudformation:CreateChangeSet on resource: arn:aws:cloudformation:us-east-1:111111111111:stack/settings/* because no identity-based policy allows the cloudformation:CreateChangeSet action";
    let (env, _proxy) = disturbed([denied(create).operation("CreateChangeSet")]);
    golden("denied_create_change_set", 1, &deploy(&env, &[]));
}

// --- the state folder

#[test]
fn a_state_folder_below_a_file() {
    let env = offline();
    env.write("notes.txt", "mine");
    golden(
        "state_below_a_file",
        2,
        &deploy(&env, &["--state", "notes.txt/state"]),
    );
}

/// Runs the binary where no file may grow above a number of 512-byte blocks.
fn within(env: &TestEnv, blocks: usize, arguments: &[&str]) -> Output {
    let inner = env.command(arguments);
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -f {blocks}; exec \"$0\" \"$@\"")])
        .arg(inner.get_program())
        .args(inner.get_args())
        .current_dir(env.root())
        .env_clear();
    for (name, value) in inner.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    env.finish(Process::start(command))
}

#[test]
fn a_disk_that_takes_no_more() {
    golden("full_disk_at_first", 1, &within(&online(), 8, &DEPLOY));

    // The answer to a plan that was made while there was room.
    let env = online();
    env.run(&["plan", "settings"]).code(3);
    let status = env.run(&["status", "latest", "--output", "json"]);
    let status: serde_json::Value = serde_json::from_str(&status.success().raw).unwrap();
    let plan = status["approval"]["plan"].as_str().unwrap();
    let approve = ["approve", "latest", "--plan", plan];
    golden("full_disk_at_an_answer", 1, &within(&env, 8, &approve));
    let cloud = env.cloud("111111111111", HERE);
    assert_eq!(
        cloud.status("settings").as_deref(),
        Some("REVIEW_IN_PROGRESS")
    );
    env.run(&approve).success();
    assert_eq!(cloud.status("settings").as_deref(), Some("CREATE_COMPLETE"));
}

#[test]
fn a_disk_that_fills_up_on_the_way() {
    let env = online();
    // Room for the tables of the journal, and not for all the events; at which it ends depends on their sizes.
    let full = within(&env, 200, &DEPLOY);
    full.code(1);
    let advice = "error: failed to write the journal; nothing more was started";
    assert!(full.stderr.contains(advice), "{full}");
    assert!(full.stderr.contains("free some space"), "{full}");
    assert!(
        full.stderr.contains("go on with `stackgate resume "),
        "{full}"
    );
    // With room again it goes on where it was.
    let resumed = env.run(&["resume", "latest"]);
    assert!(matches!(resumed.code, Some(0 | 3)), "{resumed}");
}

#[test]
fn a_journal_that_cannot_be_read() {
    let env = offline();
    env.write(".stackgate/journal.db", &"no database ".repeat(100));
    golden("not_a_journal", 1, &env.run(&["list"]));

    let env = online();
    deploy(&env, &[]).success();
    let file = env.root().join(".stackgate/journal.db");
    let version = |version: Option<i64>| -> i64 {
        // Closed again, it leaves everything in the one file.
        let database = rusqlite::Connection::open(&file).unwrap();
        if let Some(version) = version {
            database
                .pragma_update(None, "user_version", version)
                .unwrap();
        }
        let version = database.pragma_query_value(None, "user_version", |row| row.get(0));
        version.unwrap()
    };
    let known = version(None);
    version(Some(known + 1));
    // It can be looked at, and nothing is added to it.
    env.run(&["list"]).success();
    golden("newer_journal", 1, &deploy(&env, &[]));
    version(Some(known));

    let mut bytes = fs::read(&file).unwrap();
    for byte in &mut bytes[4096..] {
        *byte = 0x5a;
    }
    fs::write(&file, bytes).unwrap();
    golden("corrupt_journal", 1, &env.run(&["list"]));
}

#[test]
fn an_execution_of_a_newer_version_hides_no_other() {
    let env = online();
    deploy(&env, &[]).success();
    deploy(&env, &["-p", "Value=two"]).success();
    let database = rusqlite::Connection::open(env.root().join(".stackgate/journal.db")).unwrap();
    let changed = database
        .execute_batch("DROP TRIGGER event_is_never_changed")
        .and_then(|()| {
            database.execute(
                r#"UPDATE event SET data = json_set(data, '$.event', 'something_new')
                   WHERE seq = 3 AND execution = (SELECT max(number) FROM execution)"#,
                [],
            )
        })
        .unwrap();
    assert_eq!(changed, 1);
    golden("newer_execution_in_list", 0, &env.run(&["list"]));
    golden("newer_execution", 1, &env.run(&["status", "latest"]));
}

#[test]
fn a_message_of_a_newer_version_holds_back_an_approval_and_nothing_else() {
    let env = online();
    env.run(&["plan", "settings"]).code(3);
    let database = rusqlite::Connection::open(env.root().join(".stackgate/journal.db")).unwrap();
    let message =
        r#"INSERT INTO inbox (execution, posted, message) VALUES (1, '', '{"postpone":{}}')"#;
    database.execute(message, []).unwrap();
    let status = env.run(&["status", "latest", "--output", "json"]);
    let status: serde_json::Value = serde_json::from_str(&status.success().raw).unwrap();
    let plan = status["plan"].as_str().unwrap();
    let approved = env.run(&["approve", "latest", "--plan", plan]);
    let said = &approved.code(3).stderr;
    let note = "note: message 1 to execution ";
    assert_eq!(said.matches(note).count(), 1, "{said}");
    assert!(
        said.contains("until then no approval that came after it counts"),
        "{said}"
    );
    env.run(&["reject", "latest"]).code(4);
    let kind = "SELECT count(*) FROM inbox WHERE handled IS NULL AND message LIKE '%postpone%'";
    let left: i64 = database.query_row(kind, [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1);
}

#[test]
fn an_execution_that_another_process_runs() {
    let gate = Gate::default();
    let held = Rule::new(Fault::Hold(gate.clone())).operation("ExecuteChangeSet");
    let (env, proxy) = disturbed([held]);
    let process = env.start(&DEPLOY);
    proxy.wait_until("an execution", |calls| {
        calls
            .iter()
            .any(|call| call.operation == "ExecuteChangeSet")
    });
    golden("lease_held", 2, &env.run(&["resume", "latest"]));
    gate.open();
    env.finish(process).success();
}

// --- the stack

#[test]
fn a_stack_whose_creation_failed() {
    let env = online();
    let cloud = env.cloud("111111111111", HERE);
    cloud.put_parameter("/bad-days", "theirs");
    let status = cloud.create("settings", SETTINGS, &[("Value", "one")]);
    assert_eq!(status, "ROLLBACK_COMPLETE");
    golden("rollback_complete", 1, &deploy(&env, &[]));
}

#[test]
fn a_stack_that_somebody_else_reviews() {
    let env = online();
    let cloud = env.cloud("111111111111", HERE);
    cloud.begin_review("settings", SETTINGS, &[("Value", "theirs")]);
    golden("review_of_somebody_else", 0, &deploy(&env, &[]));
}

#[test]
fn a_stack_that_others_update() {
    let env = online();
    let cloud = env.cloud("111111111111", HERE);
    cloud.begin_create("settings", WAITING, &[]);
    cloud.await_status("settings", "CREATE_IN_PROGRESS");
    golden("operation_of_others", 1, &deploy(&env, &[]));
}

#[test]
fn what_is_said_is_no_command_to_the_ci_system_that_reads_along() {
    let env = project(TestEnv::offline());
    let hostile = "x\n::error::said\n##[error]said\n::add-mask::said";
    let plain = env.run(&["status", "--state", hostile]);
    let env = env.variable("GITHUB_ACTIONS", "true");
    let harmless = env.run(&["status", "--state", hostile]);
    assert_eq!(plain.stderr.matches("said").count(), 3, "{plain}");
    assert_eq!(harmless.stderr.matches("said").count(), 3, "{harmless}");
    for line in harmless.stderr.lines() {
        assert!(!line.trim_start().starts_with("::"), "{harmless}");
        assert!(!line.contains("##["), "{harmless}");
    }
}

// --- secrets

const VAULT: &str = r#"
Parameters:
  Password: {Type: String, NoEcho: true}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: /bad-days/vault, Type: String, Value: !Ref Password}
"#;

#[test]
fn a_secret_that_cannot_be_had_is_told_before_anything_is_begun() {
    let env = TestEnv::offline();
    env.write("templates/vault.yaml", VAULT);
    for (reference, wanted) in [
        (
            "Password=env:NOWHERE",
            "the environment variable `NOWHERE` is not set",
        ),
        (
            "Password=file:nowhere.txt",
            "`--secret Password=file:nowhere.txt` cannot be read",
        ),
        ("Password=prompt", "there is no terminal to type it on"),
    ] {
        for command in ["deploy", "plan"] {
            let refused = env.run(&[command, "vault", "--secret", reference]);
            refused.code(2);
            assert!(refused.stderr.contains(wanted), "{refused}");
        }
    }
    assert!(!env.root().join(".stackgate").exists());
}

#[test]
fn a_secret_that_a_resource_is_named_after_is_shown_nowhere() {
    let env = TestEnv::on(Emulator::Ministack).variable("PASSWORD", "correct-horse");
    let named = VAULT.replace("/bad-days/vault", "!Sub '/bad-days/${Password}'");
    env.write("templates/vault.yaml", &named);
    // The name is taken, which is told with the name.
    let cloud = env.cloud("111111111111", "us-east-1");
    let deploy = |name: &str| {
        let secret = "--secret=Password=env:PASSWORD";
        let output = env.run(&[
            "deploy",
            "vault",
            "--yes=high",
            secret,
            "--stack-name",
            name,
        ]);
        assert!(!output.raw.contains("correct-horse"), "{output}");
        assert!(output.stderr.contains("Setting CREATE_"), "{output}");
    };
    deploy("first");
    assert_eq!(cloud.status("first").as_deref(), Some("CREATE_COMPLETE"));
    deploy("second");
    for arguments in [
        &["events", "latest"][..],
        &["status", "latest", "--output=json"],
    ] {
        let told = env.run(arguments);
        assert!(!told.raw.contains("correct-horse"), "{told}");
        assert!(told.raw.contains("Setting"), "{told}");
    }
    for file in ["journal.db", "journal.db-wal"] {
        let bytes = fs::read(env.root().join(".stackgate").join(file)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains("correct-horse"), "{file}");
    }
}

#[test]
fn a_secret_that_moved_is_named_anew_when_the_execution_is_taken_up() {
    let env = TestEnv::on(Emulator::LocalStack).variable("OLD_PASSWORD", "correct-horse");
    env.write("templates/vault.yaml", VAULT);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    // Left before the change set was made.
    let expired = Rule::new(Fault::Answer(Error::EXPIRED_TOKEN)).operation("DescribeStacks");
    proxy.disturb(expired.times(1000));
    let deploy = [
        "deploy",
        "vault",
        "--yes=high",
        "--secret=Password=env:OLD_PASSWORD",
    ];
    env.run(&deploy).code(130);
    proxy.leave_alone();

    let resume = |env: &TestEnv, more: &[&str]| env.run(&[&["resume", "latest"], more].concat());
    let env = env.without("OLD_PASSWORD");
    let paused = resume(&env, &[]);
    paused.code(130);
    assert!(
        paused.stderr.contains("`OLD_PASSWORD` is not set"),
        "{paused}"
    );
    assert!(
        paused.stderr.contains("--secret Password=env:NAME"),
        "{paused}"
    );
    for (given, wanted) in [
        (
            "--secret=Password=env:NEW_PASSWORD",
            "`NEW_PASSWORD` is not set",
        ),
        ("--secret=Pasword=env:HOME", "it has: Password"),
    ] {
        let refused = resume(&env, &[given]);
        refused.code(2);
        assert!(refused.stderr.contains(wanted), "{refused}");
    }
    let env = env.variable("NEW_PASSWORD", "battery-staple");
    let waits = resume(&env, &["--secret=Password=env:NEW_PASSWORD", "--detach"]);
    waits.code(3);
    let status = env.run(&["status", "latest", "--output=json"]);
    let status: serde_json::Value = serde_json::from_str(&status.success().raw).unwrap();
    let plan = status["plan"].as_str().unwrap();
    env.run(&["approve", "latest", "--plan", plan]).success();
    let cloud = env.cloud("111111111111", HERE);
    assert_eq!(
        cloud.parameter("/bad-days/vault").as_deref(),
        Some("battery-staple")
    );
}

// --- the command line

#[test]
fn what_was_meant_is_named_where_a_name_is_none() {
    let env = offline();
    env.write("elsewhere/other.yaml", SETTINGS);
    for (command, wanted) in [
        (
            &["deploy", "settings", "--capabilities=CAPABILITY_FOO"][..],
            "there are `CAPABILITY_IAM`, `CAPABILITY_NAMED_IAM`, `CAPABILITY_AUTO_EXPAND`",
        ),
        (
            &["plan", "settings", "--capabilities=CAPABILITY_IAN"],
            "did you mean `CAPABILITY_IAM`?",
        ),
        (
            &["deploy", "templates/settings.yaml"],
            "did you mean `settings`?",
        ),
        (&["plan", "settings.yaml"], "did you mean `settings`?"),
        (&["plan", "setings"], "did you mean `settings`?"),
        (
            &["deploy", "elsewhere/other.yaml"],
            "name it with `--template elsewhere/other.yaml`",
        ),
        (&["deploy", "nowhere.yaml"], "`--template FILE`"),
    ] {
        let refused = env.run(command);
        refused.code(2);
        assert!(refused.stderr.contains(wanted), "{wanted}: {refused}");
    }
    assert!(!env.root().join(".stackgate").exists());
}

#[test]
fn a_file_that_is_no_plan_is_said_to_be_none() {
    let env = offline();
    golden(
        "no_plan_file",
        1,
        &env.run(&["show", "templates/settings.yaml"]),
    );
}

#[test]
fn what_a_flag_does_not_approve_is_named_with_its_place_and_the_way_on() {
    let env = online();
    env.write("templates/tables.yaml", TABLE);
    env.run(&["deploy", "tables", "--yes"]).success();
    env.write(
        "templates/tables.yaml",
        &TABLE.replace("table-one", "table-two"),
    );
    golden(
        "risk_above_the_flag",
        3,
        &env.run(&["deploy", "tables", "--yes"]),
    );
}

/// A stack whose table is replaced when its name changes.
const TABLE: &str = r#"
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: table-one
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
"#;
