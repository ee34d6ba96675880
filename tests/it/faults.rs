//! What the network, the credentials and other processes do to a run.

use regex::Regex;

use crate::support::output::Output;
use crate::support::proxy::{Call, Error, Fate, Fault, Gate, Proxy, Rule};
use crate::support::schema::assert_documented;
use crate::support::{Emulator, TestEnv};

const SETTINGS: &str = r#"
Parameters:
  Value: {Type: String, Default: one}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: /faults, Type: String, Value: !Ref Value}
"#;

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

/// Two targets behind a proxy that may disturb them.
struct Fleet {
    env: TestEnv,
    proxy: Proxy,
}

impl Fleet {
    fn new() -> Fleet {
        let env = TestEnv::on(Emulator::Ministack);
        let proxy = Proxy::start(&env.endpoint());
        let env = env.through(&proxy);
        env.write("templates/settings.yaml", SETTINGS);
        Fleet { env, proxy }
    }

    /// Returns the second target's place, as calls name it.
    fn second(&self) -> String {
        self.place(REGIONS[1])
    }

    fn place(&self, region: &str) -> String {
        self.env.private(&format!("111111111111/{region}"))
    }

    fn arguments<'a>(&self, more: &[&'a str]) -> Vec<&'a str> {
        let mut arguments = vec!["deploy", "settings", "--regions", "us-east-1,eu-west-1"];
        arguments.extend(more);
        arguments
    }

    fn deploy(&self, more: &[&str]) -> Output {
        self.env.run(&self.arguments(more))
    }

    /// Checks that both stacks were made, each by one change set that was executed once.
    #[track_caller]
    fn assert_made_once(&self) {
        let mutations = self.proxy.mutations();
        for region in REGIONS {
            let cloud = self.env.cloud("111111111111", region);
            assert_eq!(cloud.status("settings").as_deref(), Some("CREATE_COMPLETE"));
            for operation in ["CreateChangeSet", "ExecuteChangeSet"] {
                let key = format!("{}/settings {operation}", self.place(region));
                assert_eq!(mutations.get(&key), Some(&1), "{key} in {mutations:?}");
            }
        }
        assert_eq!(mutations.len(), 4, "{mutations:?}");
    }

    /// Checks that a run was left because of its credentials, with no verdict on any target.
    #[track_caller]
    fn assert_paused_by_credentials(&self, paused: &Output) {
        paused.code(130);
        assert!(
            paused.stderr.contains("no target failed for it"),
            "{paused}"
        );
        assert!(paused.stderr.contains("renew the credentials"), "{paused}");
        assert!(paused.stderr.contains("stackgate resume "), "{paused}");
        let events = self.env.run(&["events", "latest", "--output", "ndjson"]);
        let failed = Regex::new(r#""outcome":\s*\{\s*"(failed|not_planned|unknown)""#).unwrap();
        assert!(!failed.is_match(&events.success().stdout), "{events}");
    }
}

fn arrived<'a>(calls: &'a [Call], operation: &str, place: &str) -> Vec<&'a Call> {
    calls
        .iter()
        .filter(|call| call.operation == operation && call.place() == place && call.arrived())
        .collect()
}

#[test]
fn a_token_that_expires_between_targets_pauses_the_run() {
    // Where the second target is prepared, its change set is made, read, or executed.
    for operation in [
        "DescribeStacks",
        "CreateChangeSet",
        "DescribeChangeSet",
        "ExecuteChangeSet",
    ] {
        let fleet = Fleet::new();
        let expired = Rule::new(Fault::Answer(Error::EXPIRED_TOKEN)).operation(operation);
        fleet
            .proxy
            .disturb(expired.place(&fleet.second()).times(1000));
        let paused = fleet.deploy(&["--yes"]);
        fleet.assert_paused_by_credentials(&paused);
        assert!(paused.stderr.contains(operation), "{paused}");

        // As long as nobody renews them, nothing changes.
        let again = fleet.env.run(&["resume", "latest"]);
        fleet.assert_paused_by_credentials(&again);

        fleet.proxy.leave_alone();
        let mut resumed = fleet.env.run(&["resume", "latest"]);
        if operation != "ExecuteChangeSet" {
            // It was left before there was a plan to approve.
            resumed.code(3);
            let plan = digest(&fleet.env);
            resumed = fleet.env.run(&["approve", "latest", "--plan", &plan]);
        }
        resumed.success();
        fleet.assert_made_once();
    }
}

/// Returns the whole digest of the plan that waits.
fn digest(env: &TestEnv) -> String {
    let events = env.run(&["events", "latest", "--output", "ndjson"]);
    let digest = Regex::new(r#""plan_ready".*?"digest":\s*"([0-9a-f]{64})""#).unwrap();
    let found = digest.captures(&events.success().raw);
    found.unwrap_or_else(|| panic!("no plan: {events}"))[1].to_owned()
}

#[test]
fn a_token_that_expires_while_a_stack_moves_leaves_no_verdict() {
    let fleet = Fleet::new();
    let gate = Gate::default();
    let held = Rule::new(Fault::Hold(gate.clone())).operation("ExecuteChangeSet");
    fleet.proxy.disturb(held.place(&fleet.second()));
    let process = fleet.env.start(&fleet.arguments(&["--yes"]));
    let place = fleet.second();
    let is_asked = |call: &Call| call.operation == "ExecuteChangeSet" && call.place() == place;
    fleet
        .proxy
        .wait_until("an execution", |calls| calls.iter().any(is_asked));
    // The execution itself arrives; nothing that would tell what became of it does.
    fleet.proxy.disturb(
        Rule::new(Fault::Answer(Error::EXPIRED_TOKEN))
            .place(&place)
            .times(1000),
    );
    gate.open();
    let paused = fleet.env.finish(process);
    fleet.assert_paused_by_credentials(&paused);

    fleet.proxy.leave_alone();
    fleet.env.run(&["resume", "latest"]).success();
    fleet.assert_made_once();
}

#[test]
fn an_execution_whose_reply_is_lost_is_settled_and_not_repeated() {
    let fleet = Fleet::new();
    let lost = Rule::new(Fault::LoseReply).operation("ExecuteChangeSet");
    fleet.proxy.disturb(lost.place(&fleet.second()));
    fleet.deploy(&["--yes"]).success();
    let calls = fleet.proxy.calls();
    let executions = arrived(&calls, "ExecuteChangeSet", &fleet.second());
    assert_eq!(executions.len(), 1, "{executions:?}");
    assert_eq!(executions[0].fate, Fate::Lost(200));
    fleet.assert_made_once();
}

#[test]
fn an_execution_that_did_not_arrive_is_asked_for_again() {
    for fault in [Fault::Refuse, Fault::Answer(Error::UNAVAILABLE)] {
        let fleet = Fleet::new();
        let rule = Rule::new(fault).operation("ExecuteChangeSet");
        fleet.proxy.disturb(rule.place(&fleet.second()));
        fleet.deploy(&["--yes"]).success();
        let place = fleet.second();
        let asked: Vec<Call> = fleet.proxy.calls();
        let tokens: Vec<_> = asked
            .into_iter()
            .filter(|call| call.operation == "ExecuteChangeSet" && call.place() == place)
            .map(|call| call.token)
            .collect();
        assert_eq!(tokens.len(), 2, "{tokens:?}");
        assert!(
            tokens[0].is_some() && tokens[0] == tokens[1],
            "one intent, one token: {tokens:?}"
        );
        fleet.assert_made_once();
    }
}

#[test]
fn a_change_set_whose_reply_is_lost_is_found_by_name() {
    let fleet = Fleet::new();
    let lost = Rule::new(Fault::LoseReply).operation("CreateChangeSet");
    fleet.proxy.disturb(lost.place(&fleet.second()));
    fleet.deploy(&["--yes"]).success();
    let calls = fleet.proxy.calls();
    let created = arrived(&calls, "CreateChangeSet", &fleet.second());
    assert_eq!(created.len(), 1, "{created:?}");
    assert_eq!(created[0].fate, Fate::Lost(200));
    fleet.assert_made_once();
}

#[test]
fn throttling_slows_a_run_down_and_fails_nothing() {
    let fleet = Fleet::new();
    for operation in [
        "CreateChangeSet",
        "DescribeChangeSet",
        "DescribeStacks",
        "DescribeStackEvents",
        "ExecuteChangeSet",
    ] {
        for region in REGIONS {
            let rule = Rule::new(Fault::Answer(Error::THROTTLING)).operation(operation);
            fleet
                .proxy
                .disturb(rule.place(&fleet.place(region)).times(2));
        }
    }
    fleet.deploy(&["--yes"]).success();
    let throttled = |call: &&Call| call.fate == Fate::Answered("Throttling".to_owned());
    assert_eq!(fleet.proxy.calls().iter().filter(throttled).count(), 20);
    fleet.assert_made_once();
}

#[test]
fn denied_access_within_the_tolerance_is_told_and_the_rest_goes_on() {
    let fleet = Fleet::new();
    let denied = Rule::new(Fault::Answer(Error::ACCESS_DENIED)).operation("CreateChangeSet");
    fleet
        .proxy
        .disturb(denied.place(&fleet.second()).times(1000));
    let output = fleet.deploy(&["--yes", "--failure-tolerance", "1"]);
    output.code(5);
    assert!(
        output.stdout.contains("AccessDenied") && output.stdout.contains("eu-west-1"),
        "{output}"
    );
    let status = |region| fleet.env.cloud("111111111111", region).status("settings");
    assert_eq!(status("us-east-1").as_deref(), Some("CREATE_COMPLETE"));
    assert_eq!(status("eu-west-1"), None);
}

#[test]
fn denied_access_beyond_the_tolerance_executes_nothing() {
    let fleet = Fleet::new();
    let denied = Rule::new(Fault::Answer(Error::ACCESS_DENIED)).operation("CreateChangeSet");
    fleet.proxy.disturb(denied.times(2));
    // The tolerance counts in each region by itself, so none is given.
    let regions = "us-east-1,eu-west-1,eu-central-1";
    let arguments = ["deploy", "settings", "--regions", regions, "--yes"];
    let output = fleet.env.run(&arguments);
    output.code(1);
    // The two differ in their regions only: one cause.
    assert_eq!(
        output.stdout.matches("AccessDenied").count(),
        1,
        "equal causes are told once: {output}"
    );
    assert!(output.stdout.contains("2 targets"), "{output}");
    assert_eq!(fleet.proxy.count("ExecuteChangeSet"), 0);
    // What was made for the third target is gone again.
    for region in ["us-east-1", "eu-west-1", "eu-central-1"] {
        let cloud = fleet.env.cloud("111111111111", region);
        assert_eq!(cloud.status("settings"), None, "{region}: {output}");
    }
}

#[test]
fn missing_capabilities_name_the_flag() {
    let fleet = Fleet::new();
    let missing = Error {
        status: 400,
        code: "InsufficientCapabilitiesException",
        message: "Requires capabilities : [CAPABILITY_NAMED_IAM]",
    };
    fleet.proxy.disturb(
        Rule::new(Fault::Answer(missing))
            .operation("CreateChangeSet")
            .times(1000),
    );
    let output = fleet.deploy(&["--yes"]);
    output.code(1);
    let said = output.stdout.split_whitespace().collect::<Vec<_>>();
    assert!(
        said.join(" ")
            .contains("--capabilities CAPABILITY_NAMED_IAM"),
        "{output}"
    );
}

#[test]
fn an_endpoint_that_is_not_there_is_named() {
    let env = TestEnv::offline();
    env.write("templates/settings.yaml", SETTINGS);
    let output = env.run(&["deploy", "settings", "--yes"]);
    output.code(1);
    assert_eq!(output.stdout, "", "{output}");
    assert!(
        output.stderr.contains("the endpoint cannot be reached"),
        "{output}"
    );
    assert!(output.stderr.contains("AWS_ENDPOINT_URL"), "{output}");
}

#[test]
fn an_endpoint_that_vanishes_is_named_for_its_target_alone() {
    let fleet = Fleet::new();
    let refused = Rule::new(Fault::Refuse).place(&fleet.second()).times(1000);
    fleet.proxy.disturb(refused);
    let output = fleet.deploy(&["--yes", "--failure-tolerance", "1"]);
    output.code(5);
    assert!(output.stdout.contains("eu-west-1"), "{output}");
    let cloud = fleet.env.cloud("111111111111", "us-east-1");
    assert_eq!(cloud.status("settings").as_deref(), Some("CREATE_COMPLETE"));
}

#[test]
fn a_region_that_is_unwell_for_a_while_is_told_of_and_costs_nothing() {
    let fleet = Fleet::new();
    let gate = Gate::default();
    let place = fleet.second();
    let held = Rule::new(Fault::Hold(gate.clone())).operation("ExecuteChangeSet");
    fleet.proxy.disturb(held.place(&place));
    let process = fleet.env.start(&fleet.arguments(&["--yes"]));
    fleet.proxy.wait_until("an execution", |calls| {
        let is_asked = |c: &Call| c.operation == "ExecuteChangeSet" && c.place() == place;
        calls.iter().any(is_asked)
    });
    fleet.proxy.disturb(
        Rule::new(Fault::Answer(Error::UNAVAILABLE))
            .place(&place)
            .times(1000),
    );
    gate.open();
    process.await_stderr("no usable answer from eu-west-1 since");
    let status = fleet.env.run(&["status", "latest"]);
    let words: Vec<&str> = status.success().stdout.split_whitespace().collect();
    let words = words.join(" ");
    assert!(
        words.contains("no usable answer from eu-west-1 since")
            && words.contains("UTC, then the execution pauses: "),
        "{status}"
    );
    let json = fleet.env.run(&["status", "latest", "--output", "json"]);
    assert_documented(&serde_json::from_str(&json.success().raw).unwrap());

    fleet.proxy.leave_alone();
    let done = fleet.env.finish(process);
    done.success();
    for line in [
        "no usable answer from eu-west-1 since",
        "eu-west-1 answers again",
    ] {
        assert!(done.stderr.contains(line), "{line} in {done}");
    }
    fleet.assert_made_once();
}

#[test]
fn one_process_runs_an_execution() {
    let fleet = Fleet::new();
    let gate = Gate::default();
    let held = Rule::new(Fault::Hold(gate.clone())).operation("ExecuteChangeSet");
    fleet.proxy.disturb(held.times(2));
    let process = fleet.env.start(&fleet.arguments(&["--yes"]));
    fleet.proxy.wait_until("an execution", |calls| {
        calls
            .iter()
            .any(|call| call.operation == "ExecuteChangeSet")
    });
    let before = fleet.proxy.calls().len();
    let refused = fleet.env.run(&["resume", "latest"]);
    refused.code(2);
    let owner = Regex::new(r"is being run by \S+:\d+, last heard of at \[TIME\]").unwrap();
    assert!(owner.is_match(&refused.stderr), "{refused}");
    assert!(refused.stderr.contains("stackgate status "), "{refused}");
    // Nothing but the owner's own watching was sent in the meantime.
    let calls = fleet.proxy.calls();
    assert!(
        !calls[before..].iter().any(Call::is_mutation) || calls.len() == before,
        "{:?}",
        &calls[before..]
    );
    gate.open();
    fleet.env.finish(process).success();
    // One that has ended is only looked at.
    fleet.env.run(&["resume", "latest"]).success();
    fleet.assert_made_once();
}

#[test]
fn a_region_that_is_not_enabled_is_skipped_and_the_other_targets_are_deployed() {
    let fleet = Fleet::new();
    let unknown = Error {
        code: "InvalidClientTokenId",
        message: "The security token included in the request is invalid.",
        ..Error::ACCESS_DENIED
    };
    let unknown = |region| {
        Rule::new(Fault::Answer(unknown))
            .place(&fleet.place(region))
            .times(1000)
    };
    fleet.proxy.disturb(unknown("eu-south-1"));
    let args = [
        "deploy",
        "settings",
        "--regions=eu-south-1,us-east-1",
        "--output=json",
    ];
    let waiting = fleet.env.run(&args);
    waiting.code(3);
    let waiting: serde_json::Value = serde_json::from_str(&waiting.raw).unwrap();
    assert_documented(&waiting);
    assert_eq!(waiting["review"]["not_enabled"][0]["region"], "eu-south-1");
    let review = fleet.env.run(&["status", "latest"]);
    let said = "Skipped, region not enabled · 1 target   111111111111/eu-south-1";
    assert!(review.stdout.contains(said), "{review}");

    // It is no failure, of which none is tolerated here; and the region before does not stop the next one.
    let plan = waiting["plan"].as_str().unwrap();
    let done = fleet
        .env
        .run(&["approve", "latest", "--plan", plan, "--output=json"]);
    done.success();
    let done: serde_json::Value = serde_json::from_str(&done.raw).unwrap();
    assert_eq!(done["not_started"][0]["reason"], "region_not_enabled");
    assert_eq!(done["outcome"], "succeeded");
    let cloud = fleet.env.cloud("111111111111", "us-east-1");
    assert_eq!(cloud.status("settings").as_deref(), Some("CREATE_COMPLETE"));
}

#[test]
fn credentials_that_are_wrong_are_never_taken_for_a_region_that_is_not_enabled() {
    for region in ["eu-south-1", "eu-west-1"] {
        let fleet = Fleet::new();
        let wrong = Error {
            code: "InvalidClientTokenId",
            message: "The security token included in the request is invalid.",
            ..Error::ACCESS_DENIED
        };
        let wrong = Rule::new(Fault::Answer(wrong)).times(1000);
        // In the region that may not be enabled they are wrong from the start, in the other one all along.
        fleet.proxy.disturb(match region {
            "eu-south-1" => wrong,
            _ => wrong.operation("DescribeStacks"),
        });
        let regions = format!("--regions={region}");
        let output = fleet.env.run(&["deploy", "settings", &regions, "--yes"]);
        assert_ne!(output.code, Some(0), "{output}");
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(!said.contains("Skipped"), "{output}");
        assert!(said.contains("InvalidClientTokenId"), "{output}");
    }
}
