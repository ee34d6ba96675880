//! What a person is asked, on a pseudo-terminal.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use regex::Regex;
use rexpect::process::WaitStatus;
use rexpect::session::PtySession;

use crate::support::vt::Terminal;
use crate::support::{Emulator, TestEnv};
use crate::{ministack, on_failure};

const SETTINGS: &str = r#"
Parameters:
  Value: {Type: String, Default: one}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: /terminal, Type: String, Value: !Ref Value}
"#;

const ROLE: &str = r#"
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: terminal-role
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}
"#;

const SECRET: &str = r#"
Parameters:
  Password: {Type: String, NoEcho: true, MinLength: 8}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: /secret, Type: String, Value: !Ref Password}
Outputs:
  Password: {Value: !Ref Password}
"#;

const HIDE_CURSOR: &str = "\u{1b}[?25l";
const SHOW_CURSOR: &str = "\u{1b}[?25h";

/// A run on a terminal that echoes, as terminals do, and all that it has shown so far.
struct Screen {
    session: PtySession,
    shown: String,
}

impl Screen {
    fn open(env: &TestEnv, arguments: &[&str]) -> Screen {
        let mut screen = Screen {
            session: env.terminal(arguments),
            shown: String::new(),
        };
        // The library turns the echo off before it starts the program; the width is set after that.
        let is_wide = |screen: &mut Screen| screen.stty("-a").contains("columns 100");
        let asked = (0..10_000).take_while(|_| !is_wide(&mut screen)).count();
        assert!(asked < 10_000, "the terminal has no width");
        screen.stty("echo");
        screen
    }

    /// Runs `stty` on the terminal and returns what it said.
    fn stty(&mut self, argument: &str) -> String {
        let terminal = self.session.process().get_file_handle().unwrap();
        let output = Command::new("stty")
            .arg(argument)
            .stdin(Stdio::from(terminal))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn echoes(&mut self) -> bool {
        self.stty("-a")
            .split_whitespace()
            .any(|word| word == "echo")
    }

    /// Waits until the program has turned the echo off.
    fn await_silence(&mut self) {
        // Nothing tells of it, so it is asked for; a run that never does it ends with the test's time.
        let asked = (0..10_000).take_while(|_| self.echoes()).count();
        assert!(asked < 10_000, "what is typed is echoed:\n{}", self.shown);
    }

    /// Waits until a text is shown after what was waited for before.
    #[track_caller]
    fn expect(&mut self, text: &str) {
        match self.session.exp_string(text) {
            Ok(before) => self.shown += &format!("{before}{text}"),
            Err(error) => panic!("no `{text}`: {error}\n--- before\n{}", self.shown),
        }
    }

    /// Waits for the question whether to approve.
    #[track_caller]
    fn expect_question(&mut self) {
        self.expect("Approve plan ");
        self.expect("later]");
        // A cursor that is hidden would be missed where one types.
        let last = self.shown.rfind(SHOW_CURSOR) >= self.shown.rfind(HIDE_CURSOR);
        assert!(last, "the cursor is hidden:\n{}", self.shown);
    }

    fn type_line(&mut self, text: &str) {
        self.session.send_line(text).unwrap();
    }

    fn control(&mut self, key: char) {
        self.session.send_control(key).unwrap();
    }

    /// Waits for the end, checks its code and that the terminal is as it was; returns all that was shown.
    #[track_caller]
    fn ends_with(mut self, code: i32) -> String {
        match self.session.exp_eof() {
            Ok(rest) => self.shown += &rest,
            Err(error) => panic!("no end: {error}\n--- before\n{}", self.shown),
        }
        let status = self.session.process().wait().unwrap();
        assert!(
            matches!(status, WaitStatus::Exited(_, found) if found == code),
            "{status:?} instead of {code}:\n{}",
            self.shown
        );
        let is_shown = self.shown.rfind(SHOW_CURSOR) >= self.shown.rfind(HIDE_CURSOR);
        assert!(is_shown, "the cursor is hidden:\n{}", self.shown);
        let settings = self.stty("-a");
        for wanted in ["echo", "echoctl", "icanon", "isig"] {
            assert!(
                settings.split_whitespace().any(|word| word == wanted),
                "the terminal was left without `{wanted}`: {settings}"
            );
        }
        self.shown
    }
}

fn settings() -> TestEnv {
    let env = TestEnv::on(Emulator::LocalStack);
    env.write("templates/settings.yaml", SETTINGS);
    env
}

fn status(env: &TestEnv) -> Option<String> {
    env.cloud("111111111111", "us-east-1").status("settings")
}

/// Returns the whole digest of the plan that waits.
fn digest(env: &TestEnv) -> String {
    let events = env.run(&["events", "latest", "--output", "ndjson"]);
    let digest = Regex::new(r#""plan_ready".*?"digest":\s*"([0-9a-f]{64})""#).unwrap();
    let found = digest.captures(&events.success().raw);
    found.unwrap_or_else(|| panic!("no plan: {events}"))[1].to_owned()
}

#[test]
fn approve_at_the_prompt_executes_with_its_summary() {
    let env = settings();
    let mut screen = Screen::open(&env, &["deploy", "settings"]);
    screen.expect_question();
    screen.type_line("approve the value was agreed on");
    screen.ends_with(0);
    assert_eq!(status(&env).as_deref(), Some("CREATE_COMPLETE"));
    let events = env.run(&["events", "latest", "--output", "ndjson"]);
    let answers: Vec<&str> = events
        .success()
        .stdout
        .lines()
        .filter(|line| line.contains("the value was agreed on"))
        .collect();
    assert_eq!(answers.len(), 1, "{events}");
    assert!(answers[0].contains("prompt"), "{answers:?}");
}

#[test]
fn the_approve_command_asks_as_deploy_does() {
    let env = settings();
    env.run(&["deploy", "settings", "--detach"]).code(3);
    let mut screen = Screen::open(&env, &["approve", "latest"]);
    screen.expect_question();
    // It is typed before one has read what it is about.
    screen.type_line("y");
    screen.expect("approve [why]");
    screen.expect_question();
    screen.type_line("later");
    screen.ends_with(3);
    assert_ne!(status(&env).as_deref(), Some("CREATE_COMPLETE"));
    let mut screen = Screen::open(&env, &["approve", "latest"]);
    screen.expect_question();
    screen.type_line("approve the value was agreed on");
    screen.ends_with(0);
    assert_eq!(status(&env).as_deref(), Some("CREATE_COMPLETE"));
    let events = env.run(&["events", "latest"]);
    assert!(
        events.success().stdout.contains("the value was agreed on"),
        "{events}"
    );
}

#[test]
fn what_is_typed_before_the_question_is_there_answers_nothing() {
    let env = settings();
    let mut screen = Screen::open(&env, &["deploy", "settings"]);
    screen.type_line("approve");
    screen.expect_question();
    screen.type_line("later");
    screen.ends_with(3);
    assert_eq!(status(&env).as_deref(), Some("REVIEW_IN_PROGRESS"));
}

#[test]
fn reject_at_the_prompt_leaves_nothing_behind() {
    let env = settings();
    let mut screen = Screen::open(&env, &["deploy", "settings"]);
    screen.expect_question();
    screen.type_line("reject not now");
    screen.ends_with(4);
    assert_eq!(status(&env), None);
}

#[test]
fn nothing_but_a_word_for_it_approves() {
    let env = settings();
    let mut screen = Screen::open(&env, &["deploy", "settings"]);
    screen.expect_question();
    for line in ["", "   ", "approved?", "plan"] {
        screen.type_line(line);
        // What can be said is explained, and the question asked again.
        screen.expect("leave; answer with");
        screen.expect_question();
    }
    assert_eq!(status(&env).as_deref(), Some("REVIEW_IN_PROGRESS"));
    // The end of input is no answer either.
    screen.control('d');
    screen.ends_with(3);
    assert_eq!(status(&env).as_deref(), Some("REVIEW_IN_PROGRESS"));
}

#[test]
fn full_shows_everything_and_asks_again() {
    let env = settings();
    env.run(&["deploy", "settings", "--yes"]).success();
    env.write("templates/settings.yaml", &SETTINGS.replace("one", "two"));
    let mut screen = Screen::open(&env, &["deploy", "settings"]);
    screen.expect_question();
    let short = screen.shown.clone();
    screen.type_line("full");
    screen.expect_question();
    let full = screen.shown[short.len()..].to_owned();
    // A short difference of a template without resource changes is there at once; which change set it is, is not.
    let is_in_diff =
        |line: &str| line.contains("Default: one") && line.trim_start().starts_with('-');
    assert!(short.lines().any(is_in_diff), "{short}");
    assert!(full.lines().any(is_in_diff), "{full}");
    assert!(!short.contains(":changeSet/"), "{short}");
    assert!(full.contains(":changeSet/"), "{full}");
    screen.type_line("reject");
    screen.ends_with(4);
    let cloud = env.cloud("111111111111", "us-east-1");
    assert_eq!(cloud.parameter("/terminal").as_deref(), Some("one"));
}

#[test]
fn later_leaves_a_plan_that_waits() {
    let env = settings();
    let mut screen = Screen::open(&env, &["deploy", "settings"]);
    screen.expect_question();
    screen.type_line("later");
    let shown = screen.ends_with(3);
    assert!(shown.contains("stackgate approve "), "{shown}");
    assert_eq!(status(&env).as_deref(), Some("REVIEW_IN_PROGRESS"));
    let plan = digest(&env);
    env.run(&["approve", "latest", "--plan", &plan]).success();
    assert_eq!(status(&env).as_deref(), Some("CREATE_COMPLETE"));
}

#[test]
fn an_answer_from_elsewhere_closes_the_prompt_and_the_run_goes_on() {
    let env = settings();
    let mut screen = Screen::open(&env, &["deploy", "settings"]);
    screen.expect_question();
    let plan = digest(&env);
    // A wrong digest answers nothing.
    let other = env.run(&["approve", "latest", "--plan", &"0".repeat(64)]);
    assert_ne!(other.code, Some(0), "{other}");
    let given = env.run(&["approve", "latest", "--plan", &plan, "-m", "seen elsewhere"]);
    assert!(
        given.success().stdout.contains("goes on with it"),
        "{given}"
    );
    screen.expect("approved from elsewhere by");
    let after = screen.shown.len();
    let shown = screen.ends_with(0);
    assert!(
        shown[after..].contains(SHOW_CURSOR),
        "whoever closes the prompt gives the cursor back:\n{shown}"
    );
    assert_eq!(status(&env).as_deref(), Some("CREATE_COMPLETE"));
}

#[test]
fn a_rejection_from_elsewhere_closes_the_prompt_too() {
    let env = settings();
    let mut screen = Screen::open(&env, &["deploy", "settings"]);
    screen.expect_question();
    env.run(&["reject", "latest"]).success();
    screen.expect("rejected from elsewhere by");
    screen.ends_with(4);
    assert_eq!(status(&env), None);
}

#[test]
fn an_interrupt_at_the_prompt_can_be_resumed() {
    let env = settings();
    let mut screen = Screen::open(&env, &["deploy", "settings"]);
    screen.expect_question();
    screen.control('c');
    let shown = screen.ends_with(130);
    assert!(shown.contains("stackgate resume "), "{shown}");
    assert_eq!(status(&env).as_deref(), Some("REVIEW_IN_PROGRESS"));

    // The same plan is asked about again.
    let plan = digest(&env);
    let mut screen = Screen::open(&env, &["resume", "latest"]);
    screen.expect(&plan[..8]);
    screen.expect_question();
    screen.type_line("approve");
    screen.ends_with(0);
    assert_eq!(status(&env).as_deref(), Some("CREATE_COMPLETE"));
}

#[test]
fn an_interrupt_leaves_no_row_of_progress_behind() {
    let env = ministack::waiting();
    let mut screen = Screen::open(&env, &["deploy", "app", "--yes=high"]);
    let cloud = env.cloud("111111111111", "us-east-1");
    cloud.await_status("app", "CREATE_IN_PROGRESS");
    screen.expect("executing");
    screen.control('c');
    screen.expect("stopping: nothing new is started");
    cloud.signal("app", "Handle", true);
    let shown = screen.ends_with(0);
    // The library gives each byte as a character.
    let bytes: Vec<u8> = shown.chars().map(|c| u8::try_from(c).unwrap()).collect();
    let mut terminal = Terminal::new(100);
    terminal.feed(&String::from_utf8(bytes).unwrap());
    let left = terminal.screen();
    for row in ["executing", "1 target · 1 running", "^C"] {
        assert!(!left.contains(row), "`{row}` is left:\n{left}");
    }
    assert_eq!(left.matches("stopping: ").count(), 1, "{left}");
}

#[test]
fn a_rollback_that_the_approval_foresaw_shows_its_changes_and_asks() {
    for (answer, is_rolled_back) in [("reject", false), ("approve", true)] {
        let env = on_failure::before();
        let deploy = [
            "deploy",
            "app",
            "--parameter=Name=/name",
            "--regions=us-east-1,eu-west-1",
            on_failure::TWO,
        ];
        let mut screen = Screen::open(&env, &[&deploy[..], &on_failure::SECOND].concat());
        screen.expect_question();
        screen.type_line("approve");
        screen.expect("failed: going on with the rollback of");
        // The person at the prompt sees what is taken back before it is.
        screen.expect("Other");
        screen.expect_question();
        screen.type_line(answer);
        screen.ends_with(1);
        let output = env.run(&["list", "--output=json"]);
        let list: serde_json::Value = serde_json::from_str(&output.success().raw).unwrap();
        assert_eq!(list["executions"].as_array().unwrap().len(), 3, "{list}");
        match is_rolled_back {
            true => on_failure::all_are_first(&env),
            false => {
                let first = env.cloud("111111111111", "us-east-1");
                assert_eq!(first.tags("app")["version"], "two");
            }
        }
    }
}

#[test]
fn missing_capabilities_are_asked_for() {
    let env = TestEnv::on(Emulator::LocalStack);
    env.write("templates/role.yaml", ROLE);
    let cloud = env.cloud("111111111111", "us-east-1");

    // The default is no, and the flag is named.
    for answer in ["", "n"] {
        let mut screen = Screen::open(&env, &["deploy", "role"]);
        screen.expect("needs CAPABILITY_NAMED_IAM. Acknowledge?");
        screen.type_line(answer);
        let shown = screen.ends_with(2);
        assert!(
            shown.contains("--capabilities CAPABILITY_NAMED_IAM"),
            "{shown}"
        );
    }
    assert_eq!(cloud.status("role"), None);

    let mut screen = Screen::open(&env, &["deploy", "role"]);
    screen.expect("needs CAPABILITY_NAMED_IAM. Acknowledge?");
    screen.type_line("y");
    screen.expect_question();
    screen.type_line("approve");
    screen.ends_with(0);
    assert_eq!(cloud.status("role").as_deref(), Some("CREATE_COMPLETE"));
}

#[test]
fn a_typed_secret_is_seen_nowhere() {
    // One describes change sets with values, the other gives secrets back in plain text.
    for emulator in [Emulator::LocalStack, Emulator::Ministack] {
        let env = TestEnv::on(emulator);
        env.write("templates/vault.yaml", SECRET);
        let deploy = ["deploy", "vault", "--secret", "Password=prompt"];
        let secret = "Tr0ub4dor-and-3";
        let mut screen = Screen::open(&env, &deploy);
        screen.expect("Value of secret parameter Password");
        screen.await_silence();
        screen.type_line(secret);
        screen.expect_question();
        screen.type_line("full");
        screen.expect_question();
        screen.type_line("approve");
        let shown = screen.ends_with(0);
        assert!(!shown.contains(secret), "{emulator:?}: {shown}");

        let cloud = env.cloud("111111111111", "us-east-1");
        assert_eq!(cloud.parameter("/secret").as_deref(), Some(secret));
        for command in ["status", "events"] {
            let output = env.run(&[command, "latest"]);
            assert!(!output.success().raw.contains(secret), "{output}");
        }
        assert_absent(&env.root(), secret.as_bytes());
    }
}

/// Checks that no file below a folder holds a text.
fn assert_absent(folder: &Path, text: &[u8]) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_absent(&path, text);
        } else {
            let bytes = fs::read(&path).unwrap();
            let is_in = bytes.windows(text.len()).any(|window| window == text);
            assert!(!is_in, "{}", path.display());
        }
    }
}

/// Returns a place whose profile `admin` asks for the code of a device.
fn with_a_device() -> TestEnv {
    let env = settings();
    env.write(
        "config",
        "[profile keys]\naws_access_key_id = 111111111111\naws_secret_access_key = test\n\
         [profile admin]\nrole_arn = arn:aws:iam::111111111111:role/Admin\nsource_profile = keys\n\
         mfa_serial = arn:aws:iam::111111111111:mfa/ann\nregion = us-east-1\n",
    );
    let config = env.root().join("config");
    env.variable("AWS_CONFIG_FILE", config.to_str().unwrap())
}

const DEVICE: &str = "MFA code of arn:aws:iam::";

/// Types a code where one is asked for, sees the run to its end, and checks that it was asked for once.
fn typed_once(mut screen: Screen, answer: Option<&str>) {
    screen.expect(DEVICE);
    screen.type_line("123456");
    if let Some(answer) = answer {
        screen.expect("later]");
        screen.type_line(answer);
    }
    let shown = screen.ends_with(0);
    assert_eq!(shown.matches(DEVICE).count(), 1, "{shown}");
}

#[test]
fn the_code_of_a_device_is_asked_for_once_by_each_command() {
    let env = with_a_device();
    let deploy = ["deploy", "settings", "--profile=admin", "--replace-failed"];
    typed_once(Screen::open(&env, &deploy), Some("approve"));
    assert_eq!(status(&env).as_deref(), Some("CREATE_COMPLETE"));

    // Planned with keys that need none, approved and executed with those that do.
    for (value, by_file) in [("two", false), ("three", true)] {
        let value = format!("Value={value}");
        let mut plan = vec!["plan", "settings", "-p", &value];
        if by_file {
            plan.push("--out=settings.plan");
        }
        env.run(&plan).code(3);
        let digest = digest(&env);
        let plan = format!("--plan={digest}");
        let approve = format!("--approve={digest}");
        let command: &[&str] = match by_file {
            false => &["approve", "latest", &plan, "--profile=admin"],
            true => &[
                "deploy",
                "--plan=settings.plan",
                &approve,
                "--profile=admin",
                "--state=elsewhere",
            ],
        };
        typed_once(Screen::open(&env, command), None);
    }
    assert_eq!(status(&env).as_deref(), Some("UPDATE_COMPLETE"));
}

#[test]
fn a_code_that_is_none_is_a_message_and_no_run() {
    let env = with_a_device();
    let mut screen = Screen::open(&env, &["deploy", "settings", "--profile=admin"]);
    screen.expect(DEVICE);
    screen.type_line("12345");
    let shown = screen.ends_with(1);
    // The terminal is as wide as it is.
    let words: Vec<&str> = shown.split_whitespace().collect();
    let words = words.join(" ");
    assert!(words.contains("a code has six digits"), "{shown}");
    // It would be broken inside a word otherwise.
    let error = shown.lines().find(|line| line.starts_with("error: "));
    assert!(error.unwrap().trim_end().chars().count() <= 100, "{shown}");
    assert_eq!(status(&env), None);
    let alone = env.run(&["deploy", "settings", "--profile=admin", "--yes"]);
    alone.code(1);
    assert!(
        alone.stderr.contains("there is no terminal to type it on"),
        "{alone}"
    );
}
