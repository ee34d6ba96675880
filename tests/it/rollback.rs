//! What an execution changed is changed back: templates and parameters are read back from every stack.

use serde_json::{Value, json};

use crate::support::output::{Output, normalise};
use crate::support::process::Process;
use crate::support::proxy::Proxy;
use crate::support::{Emulator, TestEnv};

const FIRST: &str = r#"
Parameters:
  Name: {Type: String}
  Value: {Type: String, Default: one}
  Password: {Type: String, NoEcho: true}
  Kept: {Type: String, NoEcho: true}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: !Ref Name, Type: String, Value: !Sub "${Value} ${Password} ${Kept}"}
"#;

/// What the second version adds.
const MORE: &str = r#"
  Other:
    Type: AWS::SSM::Parameter
    Properties: {Name: !Sub "${Name}/other", Type: String, Value: !Ref Added}
"#;

fn second() -> String {
    let added = "  Added: {Type: String, Default: more}\nResources:";
    format!("{}{MORE}", FIRST.replace("Resources:", added))
}

const PLACES: [(&str, &str); 4] = [
    ("111111111111", "us-east-1"),
    ("111111111111", "eu-west-1"),
    ("222222222222", "us-east-1"),
    ("222222222222", "eu-west-1"),
];

const FLEET: [&str; 4] = [
    "--accounts=111111111111,222222222222",
    "--regions=us-east-1,eu-west-1",
    "--yes=high",
    "--output=json",
];

fn document(env: &TestEnv, output: &Output) -> Value {
    serde_json::from_str(&env.public(&output.raw)).unwrap()
}

/// Returns a place where the first version was deployed to four stacks, and the id of the second one's execution.
fn two_versions(emulator: Emulator) -> (TestEnv, String) {
    let env = TestEnv::on(emulator)
        .variable("FIRST", "first-secret")
        .variable("SECOND", "second-secret")
        .variable("KEPT", "kept-secret");
    env.write("templates/app.yaml", FIRST);
    let secrets = ["--secret=Password=env:FIRST", "--secret=Kept=env:KEPT"];
    let deploy = ["deploy", "app", "--parameter=Name=/name"];
    let output = env.run(&[&deploy[..], &FLEET, &secrets].concat());
    output.success();

    env.write("templates/app.yaml", &second());
    let deploy = ["deploy", "app", "--parameter=Value=two"];
    let secrets = ["--secret=Password=env:SECOND"];
    let output = env.run(&[&deploy[..], &FLEET, &secrets].concat());
    let id = document(&env, output.success())["execution"].clone();
    for (account, region) in PLACES {
        let value = env.cloud(account, region).parameter("/name");
        assert_eq!(value.as_deref(), Some("two second-secret kept-secret"));
    }
    (env, id.as_str().unwrap().to_owned())
}

/// Checks that a stack is as the first version made it.
fn is_first(env: &TestEnv, (account, region): (&str, &str)) {
    let cloud = env.cloud(account, region);
    assert_eq!(cloud.template("app"), FIRST, "{account}/{region}");
    let parameters = cloud.parameters("app");
    assert_eq!(parameters["Value"], "one");
    assert!(!parameters.contains_key("Added"), "{parameters:?}");
    let value = cloud.parameter("/name");
    assert_eq!(value.as_deref(), Some("one first-secret kept-secret"));
    assert_eq!(cloud.parameter("/name/other"), None);
}

#[test]
fn every_stack_gets_its_former_template_and_parameters_back() {
    let (env, id) = two_versions(Emulator::Ministack);
    let rollback = ["rollback", id.as_str(), "--yes=high", "--output=json"];

    // The former value of the secret that was changed is nowhere to be read.
    let output = env.run(&rollback);
    output.code(2);
    let said = "parameter `Password` is secret, and the value that it had in 4 of the stacks cannot be read back";
    assert!(output.stderr.contains(said), "{output}");
    assert!(output.stderr.contains("--secret Password=env:VARIABLE"));
    let output = env.run(&[&rollback[..], &["--secret=Kept=env:KEPT"]].concat());
    output.code(2);
    let said = "no value of `Kept` is asked for";
    assert!(output.stderr.contains(said), "{output}");

    // Somebody changes one of the stacks: what they did is not undone by the way.
    let theirs = env.cloud("222222222222", "eu-west-1");
    let text = second().replace("Default: more", "Default: theirs");
    let parameters = [
        ("Name", "/name"),
        ("Value", "three"),
        ("Password", "x"),
        ("Kept", "y"),
    ];
    assert_eq!(theirs.update("app", &text, &parameters), "UPDATE_COMPLETE");

    let secret = ["--secret=Password=env:FIRST", "--detach"];
    let planned = [&rollback[..2], &["--output=json"], &secret].concat();
    let output = env.run(&planned);
    output.code(3);
    let said = "222222222222/eu-west-1/app   changed since: UPDATE_COMPLETE";
    assert!(output.stderr.contains(said), "{output}");
    let plan = document(&env, &output);
    assert_eq!(plan["follows"], json!({ "rolls_back": id }));
    let groups = plan["review"]["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert_eq!(groups[0]["targets"].as_array().unwrap().len(), 3);
    let notes = plan["review"]["notes"].to_string();
    for said in [
        "secret parameter `Password`: its former value cannot be read back, and is asked for; targets: 3",
        "secret parameter `Kept`: keeps its present value, which is the former one; targets: 3",
        "left as it is: changed since (`--include-changed`); targets: 1",
    ] {
        assert!(notes.contains(said), "{said}\n{notes}");
    }
    let new = plan["execution"].as_str().unwrap();
    let digest = plan["plan"].as_str().unwrap();
    let output = env.run(&["approve", new, "--plan", digest, "--output=json"]);
    assert_eq!(document(&env, output.success())["outcome"], "succeeded");
    for place in &PLACES[..3] {
        is_first(&env, *place);
    }
    let value = theirs.parameter("/name");
    assert_eq!(value.as_deref(), Some("three x y"));
    let list = env.run(&["list"]);
    assert!(list.success().stdout.contains("roll back app"), "{list}");

    // Asked for by name, their change goes, too; then nothing of the present stack is trusted.
    let both = [
        "--include-changed",
        "--secret=Password=env:FIRST",
        "--secret=Kept=env:KEPT",
    ];
    let _ = env.run(&[&rollback[..], &both].concat()).success();
    for place in PLACES {
        is_first(&env, place);
    }
}

#[test]
fn stacks_that_the_execution_created_are_named_and_left() {
    let env = TestEnv::on(Emulator::Ministack);
    let text = "Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: one}}}\n";
    env.write("templates/app.yaml", text);
    let all = ["deploy", "app", "--yes=high", "--output=json"];
    let output = env.run(&all);
    let id = document(&env, output.success())["execution"].clone();
    let output = env.run(&["rollback", id.as_str().unwrap()]);
    output.success();
    for said in [
        "created by it, and not touched; `--delete-created` deletes such stacks",
        "nothing to roll back",
    ] {
        assert!(output.stderr.contains(said), "{said}\n{output}");
    }
}

#[test]
fn a_stack_that_is_deleted_after_it_was_looked_at_is_not_made_again() {
    let env = TestEnv::on(Emulator::Ministack);
    let text = "Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: one}}}\n";
    let regions = "--regions=us-east-1,eu-west-1";
    let deploy = ["deploy", "app", regions, "--yes=high", "--output=json"];
    env.write("templates/app.yaml", text);
    env.run(&deploy).success();
    env.write("templates/app.yaml", &text.replace("one", "two"));
    env.run(&deploy).success();

    let planned = env.run(&["rollback", "latest", "--detach", "--output=json"]);
    let plan = document(&env, planned.code(3))["plan"].clone();
    let there = env.cloud("111111111111", "eu-west-1");
    there.delete("app");
    env.run(&["approve", "latest", "--plan", plan.as_str().unwrap()])
        .code(1);
    // Whoever deleted it meant it to be gone.
    let again = env.run(&["retry", "latest", "--stale", "--yes=high"]);
    again.code(1);
    let told = again.to_string();
    assert!(told.contains("a rollback makes no stacks"), "{told}");
    let status = there.status("app");
    assert!(status.is_none_or(|status| status == "DELETE_COMPLETE"));
}

#[test]
fn a_stack_that_somebody_made_in_the_place_of_ours_is_never_touched() {
    let text = "Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: one}}}\n";
    let theirs = text.replace("one", "theirs");
    let regions = "--regions=us-east-1,eu-west-1";
    let deploy = ["deploy", "app", regions, "--yes=high", "--output=json"];
    // Once the execution made the stack, and once it changed it.
    for is_new in [true, false] {
        let env = TestEnv::on(Emulator::Ministack);
        if !is_new {
            env.write("templates/app.yaml", &text.replace("one", "zero"));
            env.run(&deploy).success();
        }
        env.write("templates/app.yaml", text);
        let output = env.run(&deploy);
        let id = document(&env, output.success())["execution"].clone();
        let id = id.as_str().unwrap();
        let there = env.cloud("111111111111", "eu-west-1");
        there.delete("app");
        assert_eq!(there.create("app", &theirs, &[]), "CREATE_COMPLETE");

        let said = "111111111111/eu-west-1/app   the stack is gone, and the one of its name that is there now was made by somebody else";
        let looked = env.run(&["rollback", id, "--detach"]);
        assert!(looked.stderr.contains(said), "{looked}");
        if looked.code == Some(3) {
            // One that waits is ended before another one is made.
            env.run(&["reject", "latest"]).code(4);
        }
        let all = ["rollback", id, "--include-changed", "--delete-created"];
        let output = env.run(&[&all[..], &["--yes=high"]].concat());
        assert!(output.success().stderr.contains(said), "{output}");
        assert_eq!(there.status("app").as_deref(), Some("CREATE_COMPLETE"));
        assert_eq!(there.template("app"), theirs);
        let ours = env.cloud("111111111111", "us-east-1");
        match is_new {
            true => assert_eq!(ours.status("app"), None),
            false => assert_eq!(ours.template("app"), text.replace("one", "zero")),
        }
    }
}

#[test]
fn a_template_that_the_service_shows_without_its_characters_is_given_back_as_it_was_sent() {
    let sent =
        "Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: 'gr\u{fc}n'}}}\n";
    let shown = sent.replace('\u{fc}', "?");
    let deploy = ["deploy", "app", "--yes=high", "--output=json"];
    for is_on_record in [true, false] {
        let env = TestEnv::on(Emulator::Ministack);
        let cloud = env.cloud("111111111111", "us-east-1");
        if is_on_record {
            env.write("templates/app.yaml", sent);
            env.run(&deploy).success();
            // What AWS would show of it from now on.
            assert_eq!(cloud.update("app", &shown, &[]), "UPDATE_COMPLETE");
        } else {
            assert_eq!(cloud.create("app", &shown, &[]), "CREATE_COMPLETE");
        }
        let blue = sent.replace("gr\u{fc}n", "blue");
        env.write("templates/app.yaml", &blue);
        let output = env.run(&deploy);
        let id = document(&env, output.success())["execution"].clone();
        let rollback = ["rollback", id.as_str().unwrap(), "--yes=high"];
        let output = env.run(&rollback);
        output.success();
        if is_on_record {
            assert_eq!(cloud.template("app"), sent);
        } else {
            let said = "(`--accept-lost-characters`)";
            assert!(output.stderr.contains(said), "{output}");
            assert_eq!(cloud.template("app"), blue);
            let accepted = [&rollback[..], &["--accept-lost-characters"]].concat();
            env.run(&accepted).success();
            assert_eq!(cloud.template("app"), shown);
        }
    }
}

#[test]
fn a_retried_rollback_names_the_newer_execution_that_it_would_take_back() {
    let env = TestEnv::on(Emulator::Ministack);
    let text = "Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: one}}}\n";
    let deploy = |version: &str, regions: &str| {
        env.write("templates/app.yaml", &text.replace("one", version));
        let output = env.run(&["deploy", "app", regions, "--yes=high", "--output=json"]);
        let id = document(&env, output.success())["execution"].clone();
        id.as_str().unwrap().to_owned()
    };
    deploy("one", "--regions=us-east-1,eu-west-1");
    let second = deploy("two", "--regions=us-east-1,eu-west-1");
    let planned = env.run(&["rollback", &second, "--detach", "--output=json"]);
    let rollback = document(&env, planned.code(3))["execution"].clone();
    let rollback = rollback.as_str().unwrap();
    let _ = env.run(&["stop", rollback, "--give-up"]);
    let third = deploy("three", "--regions=eu-west-1");

    let retry = env.run(&["retry", rollback, "--yes=high", "--output=json"]);
    let plan = document(&env, retry.code(3));
    let said = format!(
        "1 stack changed by execution {third} since it was looked at, which is lost: 111111111111/eu-west-1/app"
    );
    let advice = format!(
        "`stackgate rollback {second}` leaves such stacks as they are, unless `--include-changed` is given"
    );
    assert!(retry.stderr.contains("not approved: "), "{retry}");
    let waiting = plan["execution"].as_str().unwrap();
    let status = env.run(&["status", waiting, "--output=json"]);
    let notes = document(&env, status.success())["review"]["notes"].to_string();
    for told in [said, advice] {
        let shown = normalise(&told);
        assert!(retry.stderr.contains(&shown), "{told}\n{retry}");
        assert!(notes.contains(&told), "{told}\n{notes}");
    }
    let there = env.cloud("111111111111", "eu-west-1");
    assert_eq!(there.template("app"), text.replace("one", "three"));
}

#[test]
fn what_is_in_force_again_can_be_rolled_back_again() {
    let env = TestEnv::on(Emulator::Ministack);
    let text = "Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: one}}}\n";
    let regions = "--regions=us-east-1,eu-west-1";
    let deploy = |version: &str| {
        env.write("templates/app.yaml", &text.replace("one", version));
        let output = env.run(&["deploy", "app", regions, "--yes=high", "--output=json"]);
        let id = document(&env, output.success())["execution"].clone();
        id.as_str().unwrap().to_owned()
    };
    deploy("one");
    let second = deploy("two");
    let back = |id: &str| {
        let output = env.run(&["rollback", id, "--yes=high", "--output=json"]);
        let id = document(&env, output.success())["execution"].clone();
        (id.as_str().unwrap().to_owned(), output)
    };
    let there = ["us-east-1", "eu-west-1"].map(|region| env.cloud("111111111111", region));
    let (first_back, _) = back(&second);
    assert_eq!(there[0].template("app"), text);
    let again = env.run(&["rollback", &second]);
    let said = normalise(&format!("rolled back by execution {first_back} already"));
    assert!(again.success().stderr.contains(&said), "{again}");

    let _ = back(&first_back);
    assert_eq!(there[0].template("app"), text.replace("one", "two"));
    // Where somebody works on it meanwhile, it is theirs.
    let theirs = text.replace("one", "theirs");
    assert_eq!(there[1].update("app", &theirs, &[]), "UPDATE_COMPLETE");
    let (_, output) = back(&second);
    assert_eq!(there[0].template("app"), text, "{output}");
    assert_eq!(there[1].template("app"), theirs, "{output}");
    let said = "111111111111/eu-west-1/app   changed since: UPDATE_COMPLETE";
    assert!(output.stderr.contains(said), "{output}");
    assert!(!output.stderr.contains("is newer and changed"), "{output}");
}

#[test]
fn a_rollback_that_is_killed_is_resumed() {
    // While it plans, and while it executes.
    for append in ["5", "14"] {
        let (env, id) = two_versions(Emulator::Ministack);
        let proxy = Proxy::start(&env.endpoint());
        let env = env.through(&proxy);
        let secret = "--secret=Password=env:FIRST";
        let mut command = env.command(&["rollback", &id, "--yes=high", secret]);
        command.env("STACKGATE_CRASH_AFTER_APPEND", append);
        let killed = env.finish(Process::start(command));
        assert_eq!(killed.code, None, "{killed}");

        let mut output = env.run(&["resume", "latest", "--output=json"]);
        if output.code == Some(3) {
            let plan = document(&env, &output)["plan"].clone();
            let approve = ["approve", "latest", "--plan", plan.as_str().unwrap()];
            output = env.run(&[&approve[..], &["--output=json"]].concat());
        }
        let ended = document(&env, output.success());
        assert_eq!(ended["outcome"], "succeeded");
        assert_eq!(ended["follows"], json!({ "rolls_back": id }));
        for place in PLACES {
            is_first(&env, place);
        }
        assert_eq!(proxy.count("ExecuteChangeSet"), PLACES.len(), "{append}");
        assert_eq!(proxy.count("CreateChangeSet"), PLACES.len(), "{append}");
    }
}

#[test]
fn a_retried_rollback_never_touches_a_stack_that_somebody_made_in_the_place_of_ours() {
    let env = TestEnv::on(Emulator::Ministack);
    let text = "Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: one}}}\n";
    let regions = "--regions=us-east-1,eu-west-1";
    let deploy = ["deploy", "app", regions, "--yes=high", "--output=json"];
    env.write("templates/app.yaml", text);
    env.run(&deploy).success();
    env.write("templates/app.yaml", &text.replace("one", "two"));
    let second = document(&env, &env.run(&deploy))["execution"].clone();
    let second = second.as_str().unwrap();

    let planned = env.run(&["rollback", second, "--detach", "--output=json"]);
    let rollback = document(&env, planned.code(3))["execution"].clone();
    let rollback = rollback.as_str().unwrap();
    let _ = env.run(&["stop", rollback, "--give-up"]);
    let there = env.cloud("111111111111", "eu-west-1");
    there.delete("app");
    let theirs = text.replace("one", "theirs");
    assert_eq!(there.create("app", &theirs, &[]), "CREATE_COMPLETE");

    let retry = env.run(&["retry", rollback, "--yes=high"]);
    let told = retry.code(1).to_string();
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "the one of its name that is there now was made by somebody else",
        "it is not touched",
    ] {
        assert!(told.contains(said), "{said}\n{told}");
    }
    assert!(!told.contains("changed by somebody else"), "{told}");
    assert_eq!(there.template("app"), theirs);
    assert_eq!(there.open_change_sets("app"), [""; 0]);

    let replace = env.run(&["retry", rollback, "--replace-failed", "--yes=high"]);
    let told = &replace.code(2).stderr;
    assert!(told.contains("a rollback, which makes no stacks"), "{told}");
    assert_eq!(there.template("app"), theirs);
}
