use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::{
    AccountId, CountOrPercent, FanOut, Invocation, OperationPreferences, Region, RiskChoices,
    StackName, StackOptions, TargetSpec, Wave,
};
use crate::pipeline::Deployment;
use crate::report::{Durations, Spread, Verdict};

fn targets(accounts: u32, regions: &[&str]) -> Vec<Target> {
    let target = |account: u32, region: &str| Target {
        account: AccountId::new(format!("{account:012}")).unwrap(),
        region: Region::new(region).unwrap(),
        stack: StackName::new("network").unwrap(),
    };
    let of_region = |region| (1..=accounts).map(move |account| target(account, region));
    regions.iter().copied().flat_map(of_region).collect()
}

fn world(scenario: &str, targets: Vec<Target>, preferences: OperationPreferences) -> World {
    let specs = targets.iter().map(|target| TargetSpec {
        role_arn: Some(format!("arn:aws:iam::{}:role/deploy", target.account)),
        execute_role_arn: None,
        target: target.clone(),
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
    let definition = ExecutionDefinition {
        left_out: Vec::new(),
        pipeline: deployment.pipeline(),
        invocation: Invocation {
            own_endpoint: true,
            ..Invocation::default()
        },
        secrets: BTreeMap::new(),
        allow_literal_secrets: false,
    };
    World {
        definition,
        targets,
        scenario: serde_yaml::from_str(scenario).unwrap(),
        learned: Learned::default(),
    }
}

fn at_once(count: u32, tolerance: &str) -> OperationPreferences {
    OperationPreferences {
        max_concurrent: CountOrPercent::Count(count),
        failure_tolerance: tolerance.parse().unwrap(),
        ..OperationPreferences::default()
    }
}

/// Returns what is told of a world at 80 and at 120 columns, without and with colour.
fn screens(name: &str, world: &World, seeds: &[u64], given: &[&str]) -> Rehearsed {
    let all = world.runs(seeds).unwrap();
    let seed = all[RehearsedRun::typical(&all).unwrap()].seed;
    let view = world.run(seed).unwrap();
    let given = given.iter().map(|text| (*text).to_owned()).collect();
    let durations = world.learned.durations(&world.scenario, &world.targets);
    let mut rehearsed = Rehearsed::new(all, seed, &view, durations, given);
    rehearsed.what_if = what_if::tolerances(world, &rehearsed).unwrap();
    for (variant, width, colour) in [
        ("80", 80, false),
        ("120", 120, false),
        ("120_colour", 120, true),
    ] {
        let options = ScreenOptions {
            width,
            colour,
            ..ScreenOptions::default()
        };
        let text = rehearsal(&rehearsed, &view, &options);
        for line in text.lines() {
            let line = anstream::adapter::strip_str(line).to_string();
            assert!(console::measure_text_width(&line) <= width, "{line}");
        }
        insta::assert_snapshot!(format!("{name}_{variant}"), text.replace('\u{1b}', "␛"));
    }
    rehearsed
}

#[test]
fn a_region_that_fails_now_and_then_is_told_at_a_glance() {
    let scenario = "rules: [{targets: eu-west-1, fails: 30%, reason: Cannot exceed quota for tables, duration: 1m..4m}]";
    let regions = ["us-east-1", "eu-west-1", "ap-northeast-1"];
    let world = world(scenario, targets(10, &regions), at_once(3, "10%"));
    let seeds: Vec<u64> = (1..=20).collect();
    let rehearsed = screens(
        "rehearsal",
        &world,
        &seeds,
        &[
            "30% of the operations fail in eu-west-1, each by chance",
            "a stack takes 1m..4m in eu-west-1",
        ],
    );
    assert_eq!(rehearsed.runs.len(), 20);
    assert_eq!(rehearsed.spread.states.values().sum::<usize>(), 20);
    // The same chances again, with fewer and with more failures let pass: each has a price.
    let [fewer, more] = &rehearsed.what_if[..] else {
        panic!("{:?}", rehearsed.what_if);
    };
    assert!(more.figures.not_halted >= 18, "{more:?}");
    let all: usize = rehearsed.runs.iter().map(|r| r.counts.failures()).sum();
    assert!(more.figures.failed_in_all > all && fewer.figures.failed_in_all < all);
    assert!(more.figures.succeeded.median > rehearsed.spread.succeeded.median);
    assert_eq!(
        (fewer.verdict, more.verdict),
        (Verdict::Trade, Verdict::Trade)
    );
}

#[test]
fn what_nothing_happens_to_is_told_in_a_few_lines() {
    let world = world("{}", targets(1, &["eu-west-1"]), at_once(1, "0"));
    let rehearsed = screens("rehearsal_one", &world, &[1], &[]);
    assert_eq!(rehearsed.durations, Durations::Assumed);
    assert_eq!(rehearsed.what_if, []);
    assert_eq!(rehearsed.runs[0].state, "succeeded");
}

#[test]
fn the_same_seed_is_the_same_run() {
    let scenario = "rules: [{fails: 30%, throttled: 5%, lost_replies: 2%}]";
    let world = world(
        scenario,
        targets(6, &["eu-west-1", "us-east-1"]),
        at_once(2, "50%"),
    );
    assert_eq!(world.run(7).unwrap(), world.run(7).unwrap());
    let states: BTreeSet<usize> = (1..=10)
        .map(|seed| world.run(seed).unwrap().counts().succeeded)
        .collect();
    assert!(states.len() > 1, "{states:?}");
}

#[test]
fn credentials_that_expire_leave_the_run_paused() {
    let world = world(
        "rules: [{role: expired}]",
        targets(2, &["eu-west-1"]),
        at_once(1, "0"),
    );
    let run = RehearsedRun::of(1, &world.run(1).unwrap());
    assert_eq!(run.state, "paused");
}

#[test]
fn an_outage_that_the_plan_does_not_meet_is_told() {
    let told = |scenario: &str| {
        let world = world(scenario, targets(2, &["eu-west-1"]), at_once(1, "0"));
        let runs = world.runs(&[1]).unwrap();
        outages::without_effect(&world, &runs).unwrap()
    };
    let missed = told("rules: [{duration: 2m}, {targets: eu-west-1, down: 10h..11h}]");
    let [text] = &missed[..] else {
        panic!("{missed:?}");
    };
    assert!(
        text.starts_with("the outage in eu-west-1 has no effect: "),
        "{text}"
    );
    let met = told("rules: [{duration: 2m}, {targets: eu-west-1, down: 1m..1h}]");
    assert!(met.is_empty(), "{met:?}");
}

#[test]
fn a_pause_says_what_one_would_do() {
    let scenario = "rules: [{role: expired}]";
    let world = world(scenario, targets(2, &["eu-west-1"]), at_once(1, "0"));
    let view = world.run(1).unwrap();
    let runs = world.runs(&[1]).unwrap();
    let rehearsed = Rehearsed::new(runs, 1, &view, Durations::Given, Vec::new());
    let text = rehearsal(&rehearsed, &view, &ScreenOptions::default());
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("goes on with `stackgate resume EXECUTION`"),
        "{text}"
    );
}

#[test]
fn an_outage_without_end_ends_the_rehearsal_all_the_same() {
    let scenario = "rules: [{duration: 2m}, {down: 30s..8760h}]";
    let world = world(scenario, targets(1, &["eu-west-1"]), at_once(1, "0"));
    let view = world.run(1).unwrap();
    assert_ne!(RehearsedRun::of(1, &view).state, "succeeded");
}

#[test]
fn a_tolerance_is_better_where_it_lets_healthy_regions_begin_and_no_more_fail() {
    // No more than this one ever fails.
    let scenario = "rules: [{targets: 000000000003/eu-west-1, fails: 100%}]";
    let all = targets(3, &["eu-west-1", "us-east-1"]);
    let world = world(scenario, all, at_once(1, "0"));
    let runs = world.runs(&[1]).unwrap();
    // Its last target fails, which halts the next region all the same.
    assert_eq!(runs[0].halted, ["eu-west-1".parse().unwrap()]);
    let view = world.run(1).unwrap();
    let rehearsed = Rehearsed::new(runs, 1, &view, Durations::Given, Vec::new());
    let [one] = &what_if::tolerances(&world, &rehearsed).unwrap()[..] else {
        panic!("another tolerance is better");
    };
    assert_eq!(
        (one.failure_tolerance.as_str(), one.verdict),
        ("34%", Verdict::Better)
    );
    assert_eq!((one.figures.not_halted, one.figures.failed_in_all), (1, 1));
    assert_eq!(one.figures.succeeded.median, 5);
}

#[test]
fn a_share_hits_a_canary_of_one_target_in_some_runs() {
    let all = targets(4, &["eu-west-1"]);
    let mut world = world("rules: [{fails: 38%}]", all.clone(), at_once(4, "50%"));
    for action in world
        .definition
        .pipeline
        .stages
        .iter_mut()
        .flat_map(|s| &mut s.actions)
    {
        if let Some(fan_out) = &mut action.fan_out {
            fan_out.waves = vec![Wave {
                name: "canary".parse().unwrap(),
                targets: all[..1].to_vec(),
                preferences: None,
                gates: Vec::new(),
                ended: Vec::new(),
            }];
        }
    }
    let runs = world.runs(&(1..=20).collect::<Vec<u64>>()).unwrap();
    let spread = Spread::of(&runs);
    let canary = &spread.regions[0];
    assert_eq!((canary.targets, canary.failed.worst), (1, 1));
    assert!((3..=14).contains(&canary.with_failures), "{canary:?}");
    assert_eq!(
        canary.halted, canary.with_failures,
        "half of one target is none"
    );
    let ireland = &"eu-west-1".parse().unwrap();
    let halted = runs
        .iter()
        .filter(|run| run.halted.contains(ireland))
        .count();
    assert_eq!(spread.halted.get(ireland).copied().unwrap_or(0), halted);
}
