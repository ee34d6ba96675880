//! The tests' own tools work on real emulators. Where these fail, the other failures mean little.

use std::process::Command;

use crate::support::process::Process;
use crate::support::proxy::{Fault, Gate, Proxy, Rule};
use crate::support::{Cloud, Emulator, TestEnv};

const SETTINGS: &str = r#"
Parameters:
  Name: {Type: String}
  Value: {Type: String, Default: one}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: !Ref Name, Type: String, Value: !Ref Value}
Outputs:
  Setting: {Value: !Ref Value}
"#;

const WAITING: &str = r#"
Resources:
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Wait:
    Type: AWS::CloudFormation::WaitCondition
    Properties: {Handle: !Ref Handle, Timeout: "60"}
"#;

#[test]
fn stacks_can_be_changed_and_read_behind_the_binarys_back() {
    for emulator in [Emulator::LocalStack, Emulator::Ministack] {
        let env = TestEnv::on(emulator);
        let cloud = env.cloud("222222222222", "eu-west-1");
        assert_eq!(cloud.status("settings"), None, "{emulator:?}");
        let status = cloud.create("settings", SETTINGS, &[("Name", "/harness")]);
        assert_eq!(status, "CREATE_COMPLETE");
        assert_eq!(cloud.outputs("settings")["Setting"], "one");
        assert_eq!(cloud.parameter("/harness").as_deref(), Some("one"));
        assert_eq!(
            cloud.physical_id("settings", "Setting").as_deref(),
            Some("/harness")
        );
        let status = cloud.update(
            "settings",
            SETTINGS,
            &[("Name", "/harness"), ("Value", "two")],
        );
        assert_eq!(status, "UPDATE_COMPLETE");
        assert_eq!(cloud.parameters("settings")["Value"], "two");
        assert_eq!(cloud.change_sets("settings"), Vec::<String>::new());
        let events = cloud.events("settings");
        assert!(
            events.contains(&"Setting CREATE_COMPLETE".to_owned()),
            "{events:?}"
        );
        assert_eq!(events.last().unwrap(), "settings UPDATE_COMPLETE");

        // Another test's accounts, and another account of this one, see nothing of it.
        for (account, region) in [("111111111111", "eu-west-1"), ("222222222222", "us-east-1")] {
            assert_eq!(env.cloud(account, region).status("settings"), None);
        }
        assert_eq!(
            TestEnv::on(emulator)
                .cloud("222222222222", "eu-west-1")
                .status("settings"),
            None
        );

        cloud.delete("settings");
        assert_eq!(cloud.parameter("/harness"), None);
    }
}

#[test]
fn a_name_that_is_taken_makes_a_stack_fail() {
    let env = TestEnv::on(Emulator::Ministack);
    let cloud = env.cloud("111111111111", "us-east-1");
    cloud.put_parameter("/taken", "theirs");
    let status = cloud.create("settings", SETTINGS, &[("Name", "/taken")]);
    assert_eq!(status, "ROLLBACK_COMPLETE");
    assert_eq!(cloud.parameter("/taken").as_deref(), Some("theirs"));
    cloud.delete_parameter("/taken");
    assert_eq!(cloud.parameter("/taken"), None);
}

#[test]
fn a_stack_waits_until_it_is_signalled() {
    for (is_success, status) in [(true, "CREATE_COMPLETE"), (false, "ROLLBACK_COMPLETE")] {
        let env = TestEnv::on(Emulator::Ministack);
        let cloud = env.cloud("111111111111", "us-east-1");
        cloud.begin_create("waiting", WAITING, &[]);
        cloud.await_status("waiting", "CREATE_IN_PROGRESS");
        cloud.signal("waiting", "Handle", is_success);
        assert_eq!(cloud.settled("waiting"), status);
    }
}

#[test]
fn a_real_client_goes_through_the_proxy() {
    for emulator in [Emulator::LocalStack, Emulator::Ministack] {
        let env = TestEnv::on(emulator);
        let proxy = Proxy::start(&env.endpoint());
        let cloud = Cloud::new(&proxy.endpoint(), &env.private("333333333333"), "us-east-1");
        let status = cloud.create("settings", SETTINGS, &[("Name", "/proxied")]);
        assert_eq!(status, "CREATE_COMPLETE");
        assert_eq!(
            env.cloud("333333333333", "us-east-1")
                .parameter("/proxied")
                .as_deref(),
            Some("one")
        );
        let place = env.private("333333333333/us-east-1");
        assert!(
            proxy
                .calls()
                .iter()
                .all(|call| call.place() == place && call.stack == "settings")
        );
        assert_eq!(
            proxy.mutations()[&format!("{place}/settings CreateStack")],
            1
        );
        // An emulator under load closes one now and then.
        assert!(
            proxy.connections() < proxy.calls().len(),
            "{emulator:?} and the proxy keep connections alive"
        );

        // The SDK sends again what was answered by nothing, and the proxy sees both attempts.
        proxy.disturb(Rule::new(Fault::LoseReply).operation("DescribeStacks"));
        let before = proxy.count("DescribeStacks");
        assert!(cloud.stack("settings").is_some());
        assert_eq!(proxy.count("DescribeStacks"), before + 2);
    }
}

#[test]
fn samples_are_copied_for_the_accounts_of_the_test() {
    let env = TestEnv::offline().samples();
    let of = |folder: &str| std::fs::read_dir(env.root().join(folder)).unwrap();
    assert!(of("templates").count() >= 3);
    for entry in of("parameter-overrides") {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            !name.contains("111111111111") && !name.contains("222222222222"),
            "{name}"
        );
    }
}

#[test]
fn the_place_of_a_test_holds_nothing_of_the_developers() {
    let env = TestEnv::offline().variable("EXTRA", "given");
    env.write(
        "parameter-overrides/x.222222222222.json",
        "{\"Account\": \"222222222222\"}",
    );
    let own = env.private("222222222222");
    assert_ne!(own, "222222222222");
    let path = env.root().join(format!("parameter-overrides/x.{own}.json"));
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        format!("{{\"Account\": \"{own}\"}}")
    );
    let said = format!("{own} {}/a 111111111111", env.root().display());
    assert_eq!(env.public(&said), "222222222222 [ROOT]/a 111111111111");

    let proxy = Proxy::start("http://127.0.0.1:9");
    let env = env.through(&proxy);
    let command = env.command(&["--accounts", "111111111111,222222222222"]);
    let endpoint = command
        .get_envs()
        .find(|(name, _)| *name == "AWS_ENDPOINT_URL");
    assert_eq!(endpoint.unwrap().1.unwrap(), proxy.endpoint().as_str());
    let mut names: Vec<_> = command
        .get_envs()
        .map(|(name, _)| name.to_str().unwrap())
        .collect();
    names.sort_unstable();
    let extra: Vec<_> = names
        .into_iter()
        .filter(|name| !name.starts_with("AWS_") && !name.starts_with("GIT_"))
        .collect();
    assert_eq!(
        extra,
        ["COLUMNS", "EXTRA", "HOME", "LANG", "NO_COLOR", "PATH", "TZ"]
    );
    let arguments: Vec<_> = command.get_args().collect();
    assert_eq!(
        arguments[1],
        format!("{},{own}", env.private("111111111111")).as_str()
    );
}

#[test]
fn a_started_process_is_read_signalled_and_waited_for() {
    let env = TestEnv::offline();
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "trap 'echo caught; exit 3' INT; echo ready >&2; while :; do sleep 0.01; done",
    ]);
    let process = Process::start(command);
    process.await_stderr("ready");
    process.signal("INT");
    process.await_stdout("caught");
    let output = env.finish(process);
    output.code(3);
    assert_eq!(
        output.to_string(),
        "exit code: 3\n--- stdout\ncaught\n--- stderr\nready"
    );
    assert_eq!(output.raw, "caught\n");
}

#[test]
fn the_binary_runs_with_and_without_a_terminal() {
    let env = TestEnv::offline();
    let version = format!("stackgate {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(env.run(&["--version"]).success().stdout, version);
    assert_eq!(
        env.finish(env.start(&["--version"])).success().stdout,
        version
    );
    let mut terminal = env.terminal(&["--version"]);
    assert_eq!(terminal.exp_eof().unwrap().trim(), version.trim());
}

#[test]
fn an_open_gate_holds_nothing() {
    let env = TestEnv::on(Emulator::Ministack);
    let proxy = Proxy::start(&env.endpoint());
    let gate = Gate::default();
    gate.open();
    proxy.disturb(Rule::new(Fault::Hold(gate)));
    let cloud = Cloud::new(&proxy.endpoint(), &env.private("111111111111"), "us-east-1");
    assert_eq!(cloud.status("nothing"), None);
    assert!(proxy.calls()[0].arrived());
}
