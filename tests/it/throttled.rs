//! A service that answers few calls, through the real driver, journal and SDK in a simulated world.

use std::time::Duration;

use stackgate::model::{CountOrPercent, OperationPreferences, StackName, Target, TargetOutcome};
use stackgate::simulator::Scenario;

use crate::support::simulated;

/// Limits as CloudFormation is known to have them, per account and region.
const LIMITS: &str = "
seed: 1
rules:
  - duration: 20s
    change_set: 2s
    latency: 80ms..200ms
  - calls: [DescribeStacks, DescribeStackEvents, DescribeChangeSet]
    rate: 10
    burst: 20
  - calls: [CreateChangeSet, ExecuteChangeSet, DeleteChangeSet]
    rate: 2
    burst: 5
";

/// Returns `count` stacks in one account and region.
fn crowd(count: usize) -> Vec<Target> {
    let place = simulated::targets(1, 1).remove(0);
    let stack = |n| Target {
        stack: StackName::new(format!("network-{n}")).expect("a name"),
        ..place.clone()
    };
    (1..=count).map(stack).collect()
}

#[test]
fn a_crowd_in_one_place_gets_what_the_service_answers_and_nobody_fails() {
    let scenario: Scenario = serde_yaml::from_str(LIMITS).expect("a scenario");
    let project = tempfile::tempdir().expect("a folder");
    let targets = crowd(120);
    let preferences = OperationPreferences {
        max_concurrent: CountOrPercent::Percent(100),
        failure_tolerance: CountOrPercent::Percent(100),
        ..OperationPreferences::default()
    };
    let definition = simulated::definition(targets.clone(), preferences, project.path());
    let outcome = simulated::run(scenario, definition, project.path());
    for target in &targets {
        let told = outcome.state.targets[target].outcome.as_ref();
        assert!(
            matches!(told, Some(TargetOutcome::Succeeded { .. })),
            "{target}: {told:?}"
        );
    }
    let world = outcome.world.cloud();
    let counts = world.counts();
    // Two changes a target at two a second, five of them at once, and the end of the last one.
    let ideal = Duration::from_millis(((2 * 120 - 5) * 1_000) / 2) + Duration::from_secs(22);
    let refused = counts.throttled as f64 / counts.calls.values().sum::<u64>() as f64;
    let figures = format!(
        "{:?} where {ideal:?} is possible, {refused:.3} of the calls refused: {counts:?}",
        outcome.took
    );
    eprintln!("{figures}");
    assert!(refused <= 0.05, "{figures}");
    assert!(outcome.took <= ideal.mul_f64(1.2), "{figures}");
}

#[test]
fn hundreds_of_sessions_are_opened_at_the_rate_of_sts() {
    let scenario = "{seed: 1, rules: [{duration: 5s, latency: 80ms..200ms}, {calls: [AssumeRole], throttled: 30%}]}";
    let scenario: Scenario = serde_yaml::from_str(scenario).expect("a scenario");
    let project = tempfile::tempdir().expect("a folder");
    let targets = simulated::targets(200, 1);
    let preferences = OperationPreferences {
        max_concurrent: CountOrPercent::Percent(100),
        failure_tolerance: CountOrPercent::Percent(100),
        ..OperationPreferences::default()
    };
    let definition = simulated::definition(targets.clone(), preferences, project.path());
    let outcome = simulated::run(scenario, definition, project.path());
    for target in &targets {
        let told = outcome.state.targets[target].outcome.as_ref();
        assert!(
            matches!(told, Some(TargetOutcome::Succeeded { .. })),
            "{target}: {told:?}"
        );
    }
    let world = outcome.world.cloud();
    assert!(world.counts().throttled > 0, "{:?}", world.counts());
}
