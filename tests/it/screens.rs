//! What a person sees: whole sessions on a pseudo-terminal, kept in `tests/it/screens/`.
//!
//! `UPDATE_SCREENS=1` writes them anew. Look at each difference before you accept it.

use std::fs;
use std::path::Path;

use rexpect::process::WaitStatus;
use rexpect::session::PtySession;

use crate::support::TestEnv;
use crate::support::fake::{Fake, Update};
use crate::support::output::normalise;
use crate::support::schema::assert_documented;
use crate::support::vt::Terminal;

const TEMPLATE: &str = "\
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 45
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      KeySchema:
        - {AttributeName: orderId, KeyType: HASH}
";

const MODIFIED: &str = "<member><Type>Resource</Type><ResourceChange><Action>Modify</Action><LogicalResourceId>Queue</LogicalResourceId>\
    <PhysicalResourceId>queue</PhysicalResourceId><ResourceType>AWS::SQS::Queue</ResourceType><Replacement>False</Replacement>\
    <Scope><member>Properties</member></Scope><Details><member><Target><Attribute>Properties</Attribute><Name>VisibilityTimeout</Name>\
    <RequiresRecreation>Never</RequiresRecreation><Path>/Properties/VisibilityTimeout</Path><BeforeValue>30</BeforeValue>\
    <AfterValue>45</AfterValue></Target><Evaluation>Static</Evaluation><ChangeSource>DirectModification</ChangeSource></member></Details>\
    </ResourceChange></member>";

const REPLACED: &str = "<member><Type>Resource</Type><ResourceChange><Action>Modify</Action><LogicalResourceId>Orders</LogicalResourceId>\
    <PhysicalResourceId>orders</PhysicalResourceId><ResourceType>AWS::DynamoDB::Table</ResourceType><Replacement>True</Replacement>\
    <Scope><member>Properties</member></Scope><Details><member><Target><Attribute>Properties</Attribute><Name>KeySchema</Name>\
    <RequiresRecreation>Always</RequiresRecreation><Path>/Properties/KeySchema/0/AttributeName</Path><BeforeValue>id</BeforeValue>\
    <AfterValue>orderId</AfterValue></Target><Evaluation>Static</Evaluation><ChangeSource>DirectModification</ChangeSource></member></Details>\
    </ResourceChange></member>";

const FLEET: [&str; 4] = [
    "--accounts",
    "111111111111,222222222222",
    "--regions",
    "us-east-1,eu-west-1,eu-central-1",
];

/// What the stacks have: of `TEMPLATE`, the region's change is missing.
const BEFORE_MODIFIED: &str = "\
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 30}}
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      KeySchema: [{AttributeName: orderId, KeyType: HASH}]
";

const BEFORE_REPLACED: &str = "\
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 45}}
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      KeySchema: [{AttributeName: id, KeyType: HASH}]
";

fn changes(region: &str) -> Option<Update> {
    let update = |changes, template| {
        Some(Update {
            changes,
            about: "",
            template,
        })
    };
    match region {
        "us-east-1" => update(MODIFIED, BEFORE_MODIFIED),
        "eu-west-1" => update(REPLACED, BEFORE_REPLACED),
        _ => None,
    }
}

fn environment(width: usize, colour: bool, fails: fn(&str) -> bool) -> TestEnv {
    let fake = Fake::start(changes, fails);
    let env = TestEnv::offline()
        .variable("AWS_ENDPOINT_URL", fake.endpoint())
        .variable("COLUMNS", &width.to_string())
        .variable("USER", "user")
        .variable("NO_COLOR", if colour { "" } else { "1" });
    env.write("templates/messaging.yaml", TEMPLATE);
    env
}

/// Runs one command at a terminal, answers its question, and returns what is left on the screen.
#[track_caller]
fn session(
    env: &TestEnv,
    width: usize,
    arguments: &[&str],
    answer: Option<&str>,
    code: i32,
) -> String {
    let mut pty: PtySession = env.terminal_of(width, arguments);
    let mut shown = String::new();
    if let Some(answer) = answer {
        let before = pty
            .exp_string("later]")
            .unwrap_or_else(|e| panic!("no question: {e}"));
        shown.push_str(&before);
        shown.push_str("later]");
        pty.send_line(answer).unwrap();
    }
    shown.push_str(&pty.exp_eof().unwrap());
    let status = pty.process().wait().unwrap();
    assert!(
        matches!(status, WaitStatus::Exited(_, found) if found == code),
        "{status:?} instead of {code}:\n{shown}"
    );
    // The library gives a character for each byte.
    let bytes: Vec<u8> = shown.chars().map(|c| u8::try_from(c).unwrap()).collect();
    let mut terminal = Terminal::new(width);
    terminal.feed(&String::from_utf8(bytes).unwrap());
    format!("$ stackgate {}\n{}", arguments.join(" "), terminal.screen())
}

/// Compares a screen with the one that is kept.
#[track_caller]
fn assert_screen(env: &TestEnv, name: &str, width: usize, colour: bool, screen: &str) {
    let host = regex::Regex::new(r"\buser@[-.\w]+").unwrap();
    let screen = host
        .replace_all(&env.public(screen), "user@host")
        .into_owned();
    for line in screen.lines().skip(1) {
        // A word that is longer than a line stays whole: a command that is cut cannot be copied.
        let may_wrap = line.contains("  stackgate ");
        assert!(
            !line.ends_with('⏎') || may_wrap,
            "wider than {width} columns: {line}\n{screen}"
        );
    }
    // What wraps is put together again, or a digest would be two.
    let screen = screen.replace("⏎\n", "");
    // A style's name would join the word after it; while it is looked for, it is one character.
    let style = regex::Regex::new(r"␛\[[0-9;]*m").unwrap();
    let styles: Vec<&str> = style
        .find_iter(&screen)
        .map(|found| found.as_str())
        .collect();
    let normal = normalise(&style.replace_all(&screen, "\u{e000}"));
    // Durations are aligned, and longer on a slow machine.
    let ages = regex::Regex::new(r" +\[DURATION\] ago").unwrap();
    let normal = ages.replace_all(&normal, " [DURATION] ago");
    let mut styles = styles.into_iter();
    let screen: String = normal
        .chars()
        .map(|c| match c {
            '\u{e000}' => styles.next().unwrap().to_owned(),
            c => c.to_string(),
        })
        .collect();
    let suffix = if colour { "_colour" } else { "" };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/screens");
    let path = root.join(format!("{name}_{width}{suffix}.txt"));
    if std::env::var_os("UPDATE_SCREENS").is_some() {
        fs::create_dir_all(&root).unwrap();
        fs::write(&path, &screen).unwrap();
    }
    let kept = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; UPDATE_SCREENS=1 writes it", path.display()));
    assert!(
        kept == screen,
        "{} differs; UPDATE_SCREENS=1 writes it\n--- kept\n{kept}\n--- found\n{screen}",
        path.display()
    );
}

fn each_screen(check: impl Fn(usize, bool)) {
    for width in [80, 120] {
        for colour in [false, true] {
            check(width, colour);
        }
    }
}

#[test]
fn a_plan_its_status_and_the_list() {
    each_screen(|width, colour| {
        let env = environment(width, colour, |_| false);
        let plan = [&["plan", "messaging"], &FLEET[..]].concat();
        for (name, arguments, code) in [
            ("plan", &plan[..], 3),
            ("status", &["status", "latest"], 0),
            ("list", &["list"], 0),
        ] {
            let screen = session(&env, width, arguments, None, code);
            assert_screen(&env, name, width, colour, &screen);
        }
    });
}

#[test]
fn a_plan_that_is_approved() {
    each_screen(|width, colour| {
        let env = environment(width, colour, |_| false);
        let deploy = [&["deploy", "messaging"], &FLEET[..]].concat();
        let screen = session(&env, width, &deploy, Some("approve agreed on"), 0);
        assert_screen(&env, "approved", width, colour, &screen);
    });
}

#[test]
fn a_plan_that_is_rejected() {
    each_screen(|width, colour| {
        let env = environment(width, colour, |_| false);
        let deploy = [&["deploy", "messaging"], &FLEET[..]].concat();
        let screen = session(&env, width, &deploy, Some("reject not before Monday"), 4);
        assert_screen(&env, "rejected", width, colour, &screen);
    });
}

#[test]
fn a_rollout_that_fails() {
    each_screen(|width, colour| {
        let env = environment(width, colour, |region| region == "us-east-1");
        let deploy = [&["deploy", "messaging", "--yes=high"], &FLEET[..]].concat();
        let screen = session(&env, width, &deploy, None, 1);
        assert_screen(&env, "failed", width, colour, &screen);
    });
}

#[test]
fn machines_are_told_what_is_documented() {
    let env = environment(100, false, |region| region == "us-east-1");
    let plan = [&["plan", "messaging", "--output=json"], &FLEET[..]].concat();
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let result = parse(&env.run(&plan).code(3).raw);
    assert_documented(&result);
    assert_eq!(result["document"], "result");
    assert_eq!(result["review"]["groups"].as_array().map(Vec::len), Some(2));
    for name in ["status", "list", "events", "init", "doctor"] {
        let document = parse(&env.run(&[name, "--output=json"]).success().raw);
        assert_documented(&document);
        assert_eq!(document["document"], name);
    }
    // Nobody runs it, so there is nothing to stop; an answer is taken up later.
    let stopped = parse(&env.run(&["stop", "latest", "--output=json"]).success().raw);
    assert_documented(&stopped);
    assert_eq!(stopped["document"], "recorded");
    assert!(stopped["request"].is_null(), "{stopped}");
    let answer = ["reject", "latest", "--detach", "--output=json"];
    let answered = parse(&env.run(&answer).success().raw);
    assert_documented(&answered);
    assert_eq!(answered["request"], "reject");
    assert_eq!(answered["execution"], result["execution"]);
    let run = [
        &["deploy", "messaging", "--yes=high", "--output=ndjson"],
        &FLEET[..],
    ]
    .concat();
    let lines = env.run(&run).code(1).raw.clone();
    assert!(lines.lines().count() > 20, "{lines}");
    for line in lines.lines() {
        let event = parse(line);
        assert_documented(&event);
        assert_eq!(event["document"], "event");
    }
}

#[test]
fn what_is_open_for_the_same_targets_is_told_before_it_is_planned_again() {
    let env = environment(100, false, |region| region == "us-east-1");
    let plan = [&["plan", "messaging"], &FLEET[..]].concat();
    let first = env.run(&plan);
    let first = first.code(3);
    assert!(!first.stderr.contains("another execution"), "{first}");
    let again = env.run(&plan);
    let again = again.code(3);
    let note = again
        .stderr
        .lines()
        .find(|l| l.contains("another execution"));
    let note = note.unwrap_or_else(|| panic!("{again}"));
    assert!(
        note.contains("waits for an answer for 111111111111/"),
        "{note}"
    );
    assert!(note.contains("more of these targets"), "{note}");
    // Whoever approves it elsewhere, or later, is told the same: in the review, and for machines.
    let note = note.strip_prefix("note: ").unwrap();
    let review = again
        .stdout
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(review.contains(&format!("note {note}")), "{again}");
    let document = env.run(&["status", "latest", "--output", "json"]);
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_documented(&parse(&document.success().raw));
    let document = parse(&document.stdout);
    assert_eq!(document["notes"], serde_json::json!([note]));
    assert_eq!(document["review"]["notes"], document["notes"]);
    let markdown = env.run(&["status", "latest", "--output", "markdown"]);
    assert!(
        markdown
            .success()
            .stdout
            .contains("another execution waits"),
        "{markdown}"
    );
    // The command works as it is printed, and other targets are none of its business.
    env.run(&["reject", "latest", "-m", "no"]).code(4);
    let elsewhere = env.run(&["plan", "messaging", "--region", "sa-east-1"]);
    assert!(
        !elsewhere.stderr.contains("another execution"),
        "{elsewhere}"
    );
    let third = env.run(&plan);
    assert_eq!(
        third.stderr.matches("another execution").count(),
        1,
        "{third}"
    );
    // Several that do the same are one line, with how many they are.
    let fourth = env.run(&plan);
    let told = "note: 2 other executions wait for an answer for some of these targets; see them with `stackgate list --waiting`";
    assert!(fourth.stderr.contains(told), "{fourth}");
    assert_eq!(fourth.stderr.matches("note: ").count(), 1, "{fourth}");
    let waiting = env.run(&["list", "--waiting", "-n1"]);
    let rest = " and 2 more (`-n 3` shows all)\n";
    assert!(waiting.success().stdout.ends_with(rest), "{waiting}");
    let waiting = env.run(&["list", "--waiting", "-n2", "--output", "json"]);
    let waiting = parse(&waiting.success().raw);
    assert_eq!(waiting["total"], 3, "{waiting}");
    let states = waiting["executions"].as_array().unwrap().iter();
    let states: Vec<_> = states.map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["waiting_for_approval"; 2]);

    // What another one does once the plan is made is news to whoever approves it.
    let status = |id: &str| parse(&env.run(&["status", id, "--output", "json"]).success().raw);
    let waiting = status("latest");
    let id = waiting["execution"].as_str().unwrap();
    assert!(
        !waiting["notes"].to_string().contains("after it was made"),
        "{waiting}"
    );
    let [accounts, _, regions, _] = FLEET;
    let place = [accounts, "111111111111", regions, "eu-west-1"];
    let deploy = [&["deploy", "messaging", "--yes=high"], &place[..]].concat();
    env.run(&deploy).success();
    let notes = status(id)["notes"].to_string();
    assert!(
        notes.contains(" of this plan after it was made: there it is stale"),
        "{notes}"
    );
}

#[test]
fn github_gets_remarks_and_a_summary_and_gitlab_sections() {
    let env = environment(100, false, |region| region == "us-east-1");
    let summary = env.root().join("summary.md");
    let env = env
        .variable("CI", "true")
        .variable("GITHUB_ACTIONS", "true");
    let workspace = env.root().parent().unwrap().to_str().unwrap().to_owned();
    let env = env
        .variable("GITHUB_WORKSPACE", &workspace)
        .variable("GITHUB_STEP_SUMMARY", summary.to_str().unwrap());
    let plan = [&["plan", "messaging", "--output=markdown"], &FLEET[..]].concat();
    let output = env.run(&plan);
    let warning =
        "::warning file=project/templates/messaging.yaml,line=6,col=3,title=high risk%3A Orders::";
    assert!(output.code(3).stderr.contains(warning), "{output}");
    assert!(
        output.stdout.starts_with("### <code>messaging</code>"),
        "{output}"
    );
    assert!(!output.stdout.contains("console.aws"), "{output}");
    let deploy = [&["deploy", "messaging", "--yes=high"], &FLEET[..]].concat();
    let output = env.run(&deploy);
    let error = "::error file=project/templates/messaging.yaml,line=2,col=3,title=deployment failed in 1 target::Queue";
    assert!(output.code(1).stderr.contains(error), "{output}");
    let summary = fs::read_to_string(&summary).unwrap();
    assert_eq!(
        summary.matches("### <code>messaging</code>").count(),
        2,
        "{summary}"
    );

    let env = environment(100, false, |_| false)
        .variable("CI", "true")
        .variable("GITLAB_CI", "true");
    let output = env.run(&[&["deploy", "messaging", "--yes=high"], &FLEET[..]].concat());
    let log = &output.success().stderr;
    for stage in ["source", "createchangeset", "executechangeset"] {
        for edge in ["start", "end"] {
            let mark = regex::Regex::new(&format!(
                "\u{1b}\\[0Ksection_{edge}:\\d+:stackgate_{stage}\r"
            ))
            .unwrap();
            assert_eq!(
                mark.find_iter(log).count(),
                1,
                "{edge} of {stage}: {output}"
            );
        }
    }
}

#[test]
fn debug_tells_of_calls_and_not_of_what_is_said() {
    let env = environment(100, false, |_| false);
    let output = env.run(&["deploy", "messaging", "--yes=high", "--debug"]);
    let said = &output.success().stderr;
    for wanted in [
        "debug  STS.GetCallerIdentity  us-east-1  attempt 1  200  ",
        "debug  CloudFormation.ExecuteChangeSet  111111111111/us-east-1  attempt 1  200  ",
    ] {
        assert!(said.contains(wanted), "{output}");
    }
    assert!(
        !said.contains("TemplateBody") && !said.contains("[ENDPOINT]"),
        "{output}"
    );
    // The role of another account is assumed by a client of the SDK's own, which is told of as well.
    let elsewhere = ["--accounts=222222222222", "--regions=us-east-1", "--debug"];
    let output = env.run(&[&["plan", "messaging"][..], &elsewhere].concat());
    let said = &output.code(3).stderr;
    let assumed = "debug  STS.AssumeRole  222222222222  attempt 1  200  ";
    assert!(said.contains(assumed), "{output}");
    assert!(
        !said.contains("ExternalId") && !said.contains("[ENDPOINT]"),
        "{output}"
    );
}
