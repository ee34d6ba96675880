//! What `stackgate doctor` finds, on an emulator and behind a proxy that denies.

use std::fs;

use serde_json::Value;

use crate::support::proxy::{Error, Fault, Proxy, Rule};
use crate::support::{Emulator, TestEnv};

const FLEET: [&str; 2] = ["--accounts", "111111111111,222222222222"];

#[test]
fn a_place_in_order_is_found_so_and_left_as_it_is() {
    let env = TestEnv::on(Emulator::LocalStack).samples();
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let found = env.run(&[&["doctor", "messaging"][..], &FLEET].concat());
    insta::assert_snapshot!("doctor", found.success().to_string());
    assert_eq!(
        proxy
            .calls()
            .iter()
            .filter(|call| call.is_mutation())
            .count(),
        0
    );
    assert!(!env.root().join(".stackgate").exists());

    let policies = env.run(&[&["doctor", "messaging", "--policy"][..], &FLEET].concat());
    let policies: Value = serde_json::from_str(&env.public(&policies.success().raw)).unwrap();
    let role = "arn:aws:iam::222222222222:role/AWSCloudFormationStackSetExecutionRole";
    assert_eq!(policies["caller"]["Statement"][0]["Resource"][0], role);
    let resource = "arn:aws:cloudformation:*:*:stack/messaging*/*";
    assert_eq!(policies["at_target"]["Statement"][0]["Resource"], resource);
}

#[test]
fn everything_that_fails_is_told_with_its_remedy() {
    let env = TestEnv::on(Emulator::LocalStack);
    let proxy = Proxy::start(&env.endpoint());
    let denied = Error {
        message: "User: arn:aws:iam::111111111111:user/ci is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::222222222222:role/AWSCloudFormationStackSetExecutionRole",
        ..Error::ACCESS_DENIED
    };
    proxy.disturb(
        Rule::new(Fault::Answer(denied))
            .operation("AssumeRole")
            .times(1000),
    );
    let env = env.through(&proxy);
    env.write(".stackgate/journal.db", &"no database ".repeat(100));
    // The mode of a folder depends on the user's mask.
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(env.root().join(".stackgate"), private).unwrap();
    let found = env.run(&[&["doctor"][..], &FLEET].concat());
    insta::assert_snapshot!("doctor_failures", found.code(1).to_string());
    let document = env.run(&[&["doctor", "--output", "json"][..], &FLEET].concat());
    let document: Value = serde_json::from_str(&document.code(1).raw).unwrap();
    let checks = document["checks"].as_array().unwrap();
    let failed = checks.iter().filter(|check| check["health"] == "failed");
    assert_eq!(failed.count(), 2, "{document:#}");
}

#[test]
fn without_a_caller_no_target_is_tried() {
    let env = TestEnv::offline();
    let found = env.run(&["doctor"]);
    insta::assert_snapshot!("doctor_offline", found.code(1).to_string());
}
