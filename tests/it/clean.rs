//! What executions left behind is removed, and nothing else is touched.

use serde_json::{Value, json};

use crate::support::output::Output;
use crate::support::proxy::{Error, Fault, Proxy, Rule};
use crate::support::schema::assert_documented;
use crate::support::{Emulator, TestEnv};

const TEMPLATE: &str = "Resources:\n  Topic: {Type: \"AWS::SNS::Topic\"}\n";

const REGIONS: &str = "--regions=us-east-1,eu-west-1,us-east-2,us-west-1";

fn document(env: &TestEnv, output: &Output) -> Value {
    let document = serde_json::from_str(&env.public(&output.raw)).unwrap();
    assert_documented(&document);
    document
}

/// Returns `region kind fate` of all that was found.
fn fates(document: &Value) -> Vec<String> {
    let leftovers = document["leftovers"].as_array().unwrap().iter();
    let mut fates: Vec<String> = leftovers
        .map(|one| {
            let fate = match &one["fate"]["kept"]["why"] {
                Value::Null => &one["fate"],
                why => why,
            };
            let (region, kind) = (&one["target"]["region"], &one["kind"]);
            [region, kind, fate]
                .map(|text| text.as_str().unwrap_or("?"))
                .join(" ")
        })
        .collect();
    fates.sort();
    fates
}

#[test]
fn what_an_ended_execution_left_is_removed_and_nothing_else() {
    let env = TestEnv::on(Emulator::LocalStack);
    env.write("templates/app.yaml", TEMPLATE);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    // A rejected plan whose change sets could not be removed.
    let denied = Fault::Answer(Error::ACCESS_DENIED);
    proxy.disturb(Rule::new(denied).operation("DeleteChangeSet").times(9));
    env.run(&["plan", "app", "--regions=us-east-1,eu-west-1"])
        .code(3);
    env.run(&["reject", "latest"]).code(4);
    proxy.leave_alone();
    // A colleague's plan, from another journal, in the stack that the first one made.
    let colleague = ["plan", "app", "--regions=eu-west-1", "--state=theirs"];
    env.run(&colleague).code(3);
    // A plan that waits, and a change set that somebody made by hand.
    env.run(&["plan", "app", "--regions=us-east-2"]).code(3);
    let by_hand = env.cloud("111111111111", "us-west-1");
    by_hand.begin_review("app", TEMPLATE, &[]);

    let expected = [
        "eu-west-1 change_set not_of_this_journal",
        "eu-west-1 change_set removable",
        "eu-west-1 review_stack has_change_sets",
        "us-east-1 change_set removable",
        "us-east-1 review_stack removable",
        "us-east-2 change_set waiting_for_approval",
    ];
    proxy.forget();
    for (more, code) in [(&["--dry-run"][..], 0), (&[], 3)] {
        let looked = env.run(&[&["clean", "app", REGIONS, "--output=json"], more].concat());
        let found = document(&env, looked.code(code));
        assert_eq!(fates(&found), expected);
        assert_eq!(
            (&found["looked_at"], &found["others"]),
            (&json!(4), &json!(1))
        );
    }
    assert!(proxy.calls().iter().all(|call| !call.is_mutation()));

    let done = env.run(&["clean", "app", REGIONS, "--yes", "--output=json"]);
    let done = document(&env, done.success());
    assert_eq!(
        fates(&done),
        expected.map(|text| text.replace("removable", "removed"))
    );
    let cloud = |region| env.cloud("111111111111", region);
    let status = cloud("us-east-1").status("app");
    assert!(status.is_none_or(|status| status == "DELETE_COMPLETE"));
    assert_eq!(cloud("eu-west-1").change_sets("app").len(), 1);
    for region in ["us-east-2", "us-west-1"] {
        assert_eq!(cloud(region).change_sets("app").len(), 1, "{region}");
    }
    // What is younger than was asked for stays, too.
    let aged = ["clean", "app", REGIONS, "--yes", "--unknown-older-than"];
    let young = env.run(&[&aged[..], &["1d"]].concat());
    assert!(
        young.success().stdout.starts_with("nothing to remove"),
        "{young}"
    );
    assert_eq!(cloud("eu-west-1").change_sets("app").len(), 1);
    // Without a stack, the journal names the targets.
    let again = env.run(&["clean", "--yes"]);
    assert!(
        again.success().stdout.starts_with("nothing to remove"),
        "{again}"
    );
    assert_eq!(cloud("eu-west-1").change_sets("app").len(), 1);
}

#[test]
fn what_cannot_be_removed_is_told() {
    let env = TestEnv::on(Emulator::LocalStack);
    env.write("templates/app.yaml", TEMPLATE);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let denied = Fault::Answer(Error::ACCESS_DENIED);
    proxy.disturb(Rule::new(denied).operation("DeleteChangeSet").times(9));
    env.run(&["plan", "app", "--regions=us-east-1"]).code(3);
    env.run(&["reject", "latest"]).code(4);
    let done = env.run(&["clean", "--yes", "--output=json"]);
    let done = document(&env, done.code(1));
    let [set, stack] = &done["leftovers"].as_array().unwrap()[..] else {
        panic!("{done:#}");
    };
    let reason = set["fate"]["not_removed"]["reason"].as_str();
    assert!(reason.unwrap().contains("AccessDenied"), "{done:#}");
    // A stack whose change set stays, stays.
    assert_eq!(stack["fate"]["kept"]["why"], "has_change_sets", "{done:#}");
    assert_eq!(
        env.cloud("111111111111", "us-east-1")
            .change_sets("app")
            .len(),
        1
    );
}

#[test]
fn what_is_listed_only_by_the_name_of_the_stack_is_found_too() {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", TEMPLATE);
    let cloud = env.cloud("111111111111", "us-east-1");
    let before = TEMPLATE.replace("Topic:", "Other:");
    assert_eq!(cloud.create("app", &before, &[]), "CREATE_COMPLETE");
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let denied = Fault::Answer(Error::ACCESS_DENIED);
    proxy.disturb(Rule::new(denied).operation("DeleteChangeSet").times(9));
    env.run(&["plan", "app", "--regions=us-east-1"]).code(3);
    env.run(&["reject", "latest"]).code(4);
    proxy.leave_alone();
    assert_eq!(cloud.open_change_sets("app").len(), 1);
    let done = env.run(&["clean", "--yes", "--output=json"]);
    let done = document(&env, done.success());
    assert_eq!(fates(&done), ["us-east-1 change_set removed"]);
    assert_eq!(cloud.open_change_sets("app"), [""; 0]);
    assert_eq!(cloud.template("app"), before);
}

#[test]
fn a_rejection_counts_where_nothing_answers_and_what_it_leaves_is_found_later() {
    let env = TestEnv::on(Emulator::LocalStack);
    env.write("templates/app.yaml", TEMPLATE);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let regions = "--regions=us-east-1,eu-west-1";
    for give_up in [false, true] {
        env.run(&["plan", "app", regions]).code(3);
        proxy.disturb(Rule::new(Fault::Refuse).times(1000));
        let ended = match give_up {
            true => env.run(&["stop", "latest", "--give-up"]),
            false => env.run(&["reject", "latest"]),
        };
        ended.code(4);
        let told = &ended.stderr;
        assert!(
            told.contains("removing 2 change sets of execution"),
            "{ended}"
        );
        let told = ended
            .stdout
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let left = "the change set was left (`stackgate clean` removes it)";
        assert!(told.contains(left), "{ended}");
        for region in ["us-east-1", "eu-west-1"] {
            assert!(
                told.contains(&format!("{region}: the change set was left")),
                "{ended}"
            );
        }
        proxy.leave_alone();
        let done = env.run(&["clean", "app", regions, "--yes", "--output=json"]);
        let done = document(&env, done.success());
        let expected = ["eu-west-1", "us-east-1"].map(|region| {
            ["change_set", "review_stack"].map(|kind| format!("{region} {kind} removed"))
        });
        assert_eq!(fates(&done), expected.concat());
    }
}
