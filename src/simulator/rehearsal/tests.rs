use super::*;
use crate::model::{CountOrPercent, FanOut, RiskChoices};
use crate::model::{
    Invocation, OperationPreferences, StackName, StackOptions, Target, TargetOutcome, TargetSpec,
};
use crate::pipeline::Deployment;
use crate::simulator::Scenario;

fn targets(accounts: u32, regions: &[&str]) -> Vec<Target> {
    let target = |account: u32, region: &str| Target {
        account: AccountId::new(format!("{account:012}")).unwrap(),
        region: Region::new(region).unwrap(),
        stack: StackName::new("network").unwrap(),
    };
    let of_account = |account| regions.iter().map(move |region| target(account, region));
    (1..=accounts).flat_map(of_account).collect()
}

fn definition(targets: Vec<Target>, preferences: OperationPreferences) -> ExecutionDefinition {
    let specs = targets.into_iter().map(|target| TargetSpec {
        role_arn: Some(format!("arn:aws:iam::{}:role/deploy", target.account)),
        execute_role_arn: None,
        target,
    });
    let deployment = Deployment {
        wait: None,
        stack: StackName::new("network").unwrap(),
        template: "network.yaml".to_owned(),
        files: vec!["network.yaml".to_owned()],
        configuration: None,
        parameter_overrides: None,
        parameter_origins: BTreeMap::new(),
        tags: BTreeMap::new(),
        capabilities: Vec::new(),
        role_arn: None,
        artifact_bucket: None,
        stack_policy: None,
        options: StackOptions::default(),
        packaged: Vec::new(),
        template_buckets: None,
        fan_out: FanOut {
            waves: Vec::new(),
            targets: specs.collect(),
            preferences,
        },
        rolls_back: false,
        approval_minutes: 600,
        risks: RiskChoices::default(),
        notes: Vec::new(),
    };
    ExecutionDefinition {
        pipeline: deployment.pipeline(),
        invocation: Invocation::default(),
        secrets: BTreeMap::new(),
        allow_literal_secrets: false,
        left_out: Vec::new(),
    }
}

fn id() -> ExecutionId {
    ExecutionId::new("01938f5e-0000-7000-8000-000000000001").unwrap()
}

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn start(
    scenario: &str,
    targets: Vec<Target>,
    preferences: OperationPreferences,
) -> (Rehearsal, Vec<Event>) {
    let scenario: Scenario = serde_yaml::from_str(scenario).unwrap();
    let cloud = Cloud::new(scenario, START);
    Rehearsal::start(cloud, id(), definition(targets, preferences), START).unwrap()
}

fn at_once(count: u32) -> OperationPreferences {
    OperationPreferences {
        max_concurrent: CountOrPercent::Count(count),
        failure_tolerance: CountOrPercent::Percent(100),
        ..OperationPreferences::default()
    }
}

#[test]
fn a_rollout_takes_as_long_as_its_stacks_do() {
    let (mut rehearsal, _) = start(
        "rules: [{duration: 60s}]",
        targets(10, &["eu-west-1"]),
        at_once(5),
    );
    let rest = rehearsal.run(|_| {});
    assert_eq!(rest, Rest::Ended(ExecutionOutcome::Succeeded));
    let took = rehearsal.now().duration_since(START);
    // The approver thinks for a minute, then come two batches of a minute; polls and calls add a little.
    assert!((180..220).contains(&took.as_secs()), "{took:#}");
}

#[test]
fn what_a_region_fails_with_is_told_for_each_target() {
    let scenario = "rules: [{targets: eu-west-1, fails: 100%, reason: full}]";
    let preferences = OperationPreferences {
        failure_tolerance: CountOrPercent::Count(0),
        ..at_once(1)
    };
    let (mut rehearsal, _) = start(
        scenario,
        targets(3, &["eu-west-1", "us-east-1"]),
        preferences,
    );
    let rest = rehearsal.run(|_| {});
    assert_eq!(rest, Rest::Ended(ExecutionOutcome::Failed));
    let outcomes = rehearsal
        .state()
        .targets
        .values()
        .map(|t| t.outcome.as_ref());
    let failed = outcomes.clone().filter(
        |o| matches!(o, Some(TargetOutcome::Failed { cause, .. }) if cause.reason == "full"),
    );
    assert_eq!(failed.count(), 1);
    let skipped = outcomes.filter(|o| matches!(o, Some(TargetOutcome::Skipped { .. })));
    assert_eq!(skipped.count(), 5);
}

#[test]
fn credentials_that_expire_pause_the_execution() {
    let scenario = "rules: [{role: expired}]";
    let (mut rehearsal, _) = start(scenario, targets(1, &["eu-west-1"]), at_once(1));
    assert!(matches!(rehearsal.run(|_| {}), Rest::Paused(_)));
}

mod seeds;
