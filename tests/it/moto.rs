//! Calls that IAM denies, on the emulator that enforces it.
//!
//! Moto says who was denied which action. It does not say the resource, so the statements that are printed are for all
//! of them; it looks at the trust policy of a role only within an account; and what CloudFormation does to resources
//! is not checked at all. Denials with resource and kind of policy are in `model/denial.rs`, worded as AWS words them.

use serde_json::{Value, json};

use crate::support::output::Output;
use crate::support::{Organization, TestEnv};

const APP: &str = r#"
Resources:
  Topic: {Type: AWS::SNS::Topic}
"#;

const ROLE: &str = "AWSCloudFormationStackSetExecutionRole";

const ANN: &str = "arn:aws:iam::111111111111:user/ann";

const HERE: &str = "us-east-1";

/// Returns accounts with a user and, in all but the user's own, a role that she may assume if her policy allows it.
fn organization(others: &[&str]) -> Organization {
    let organization = Organization::of_user("ann");
    organization.env().write("templates/app.yaml", APP);
    for account in others {
        organization.role(account, ROLE, ANN);
    }
    organization
}

fn deploy(env: &TestEnv, accounts: &str) -> Output {
    let accounts = format!("--accounts={accounts}");
    env.run(&[
        "deploy",
        "app",
        &accounts,
        "--regions=us-east-1",
        "--yes",
        "--failure-tolerance=1",
        "--output=json",
    ])
}

fn document(env: &TestEnv, output: &Output) -> Value {
    serde_json::from_str(&env.public(&output.raw)).unwrap()
}

fn allow(action: &str, resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

/// Returns what would allow a denied call, as it is printed for people to copy.
fn printed(cause: &Value) -> Value {
    let lines = cause["advice"].as_array().unwrap();
    serde_json::from_str(lines.last().unwrap().as_str().unwrap()).unwrap()
}

#[test]
fn a_role_that_may_not_be_assumed_is_named_and_the_other_targets_are_deployed() {
    let organization = organization(&["222222222222", "333333333333"]);
    let env = organization.env();
    let mut statements = vec![allow(
        "sts:AssumeRole",
        &format!("arn:aws:iam::222222222222:role/{ROLE}"),
    )];
    organization.allow_user("111111111111", "ann", &statements);
    for account in ["222222222222", "333333333333"] {
        organization.allow_role(account, ROLE, &[allow("cloudformation:*", "*")]);
    }

    let output = deploy(env, "222222222222,333333333333");
    output.code(5);
    let summary = document(env, &output);
    let [cause] = &summary["not_planned"].as_array().unwrap()[..] else {
        panic!("{summary:#}");
    };
    assert_eq!(
        cause["targets"],
        json!([{"account": "333333333333", "region": HERE, "stack": "app"}])
    );
    assert_eq!(
        cause["denial"],
        json!({"principal": ANN, "action": "sts:AssumeRole", "by": "not_said"})
    );
    assert!(cause["advice"][0].as_str().unwrap().contains(ANN));
    assert_eq!(printed(cause), allow("sts:AssumeRole", "*"));
    assert_eq!(organization.stacks("222222222222", HERE), ["app"]);
    assert!(organization.stacks("333333333333", HERE).is_empty());

    // The statement that was printed is the one that was missing.
    statements.push(printed(cause));
    organization.allow_user("111111111111", "ann", &statements);
    deploy(env, "222222222222,333333333333").success();
    assert_eq!(organization.stacks("333333333333", HERE), ["app"]);
}

#[test]
fn statements_that_are_printed_one_after_another_allow_a_deployment() {
    let organization = organization(&["222222222222"]);
    let env = organization.env();
    let own = [allow("cloudformation:*", "*"), allow("sts:AssumeRole", "*")];
    organization.allow_user("111111111111", "ann", &own);
    let principal = format!("arn:aws:sts::222222222222:assumed-role/{ROLE}/");
    let mut statements: Vec<Value> = Vec::new();
    let paused = loop {
        let output = deploy(env, "111111111111,222222222222");
        // Whatever happens to the role, the caller's own account has its stack after the first run.
        assert_eq!(organization.stacks("111111111111", HERE), ["app"]);
        if output.code == Some(130) {
            break output;
        }
        let summary = document(env, &output);
        let causes = ["not_planned", "failed"].map(|kind| summary[kind].as_array().cloned());
        let cause = causes.into_iter().flatten().flatten().next().unwrap();
        let denial = &cause["denial"];
        assert!(
            denial["principal"]
                .as_str()
                .unwrap()
                .starts_with(&principal),
            "{denial}"
        );
        let statement = printed(&cause);
        assert_eq!(statement["Action"], denial["action"]);
        assert!(!statements.contains(&statement), "{statement}\n{output}");
        statements.push(statement);
        organization.allow_role("222222222222", ROLE, &statements);
    };
    // Who may not look at events cannot tell whether an execution began: that pauses, and asks.
    let mut lines = paused.stderr.lines();
    let line = lines.rfind(|line| line.starts_with('{')).unwrap();
    statements.push(serde_json::from_str(line).unwrap());
    organization.allow_role("222222222222", ROLE, &statements);
    env.run(&["resume", "latest"]).success();
    let allowed: Vec<_> = statements
        .iter()
        .map(|s| s["Action"].as_str().unwrap())
        .collect();
    for action in [
        "DescribeStacks",
        "CreateChangeSet",
        "DescribeChangeSet",
        "ExecuteChangeSet",
        "DescribeStackEvents",
    ] {
        let action = format!("cloudformation:{action}");
        assert!(allowed.contains(&action.as_str()), "{action} {allowed:?}");
    }
    assert_eq!(organization.stacks("222222222222", HERE), ["app"]);
}
