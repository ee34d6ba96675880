//! Tests of `words`.

use jiff::SignedDuration;

use super::*;
use crate::model::{
    Caller, ConcurrencyMode, CountOrPercent, OperationPreferences, RegionConcurrency,
};

#[test]
fn durations_read_well() {
    let of = |ms: i64| duration(SignedDuration::from_millis(ms));
    assert_eq!(of(-5), "0.0 s");
    assert_eq!(of(1_849), "1.8 s");
    assert_eq!(of(12_900), "12 s");
    assert_eq!(of(123_000), "2 min 3 s");
    assert_eq!(of(11_040_000), "3 h 4 min");
    assert_eq!(of(601_200_000), "6 d 23 h");
}

#[test]
fn a_strict_mode_that_shrinks_what_was_asked_for_says_so() {
    let of = |max, tolerance, mode, most| {
        let preferences = OperationPreferences {
            max_concurrent: max,
            failure_tolerance: tolerance,
            concurrency_mode: mode,
            ..OperationPreferences::default()
        };
        concurrency(&preferences, most)
    };
    let (count, percent) = (CountOrPercent::Count, CountOrPercent::Percent);
    let strict = ConcurrencyMode::Strict;
    assert_eq!(
        of(percent(100), count(0), strict, 8),
        "1 target at a time (100% asked for; strict mode allows one more than may fail)"
    );
    assert!(of(count(9), percent(25), strict, 8).starts_with("3 targets at a time (9 asked for; "));
    assert_eq!(
        of(percent(25), percent(25), strict, 11),
        "25% of the targets at a time (2 of 11)"
    );
    // Rounded down, but never to none.
    assert!(of(percent(25), count(1), strict, 3).ends_with("(1 of 3)"));
    for (max, tolerance, mode, most) in [
        (count(1), count(0), strict, 8),
        (percent(100), count(0), strict, 1),
        (percent(25), percent(25), strict, 8),
        (percent(100), count(0), ConcurrencyMode::Soft, 8),
    ] {
        assert!(!of(max, tolerance, mode, most).contains("strict"));
    }
}

#[test]
fn every_region_is_told_where_their_order_has_an_effect() {
    let regions = [
        "us-east-1",
        "us-west-2",
        "eu-west-1",
        "eu-central-1",
        "ap-northeast-1",
        "ap-southeast-1",
        "sa-east-1",
        "ca-central-1",
    ];
    let targets = regions.map(|region| super::super::fixtures::target('1', region));
    let of = |region_concurrency, number: usize| {
        let preferences = OperationPreferences {
            region_concurrency,
            ..OperationPreferences::default()
        };
        let some = targets.iter().take(number).map(|target| (target, true));
        rollout(&preferences, some).swap_remove(0)
    };
    assert_eq!(
        of(RegionConcurrency::Sequential, 3),
        "us-east-1, then us-west-2, then eu-west-1"
    );
    assert_eq!(
        of(RegionConcurrency::Sequential, 8),
        "8 regions one after the other: us-east-1, us-west-2, eu-west-1, eu-central-1, ap-northeast-1, ap-southeast-1, \
         sa-east-1, ca-central-1"
    );
    assert_eq!(
        of(RegionConcurrency::Parallel, 8),
        "us-east-1, us-west-2, eu-west-1, eu-central-1, ap-northeast-1, ap-southeast-1 and 2 more side by side"
    );
}

#[test]
fn callers_are_named_once_with_their_accounts() {
    let caller = |account: &str| Caller {
        account: account.parse().unwrap(),
        arn: format!("arn:aws:sts::{account}:assumed-role/Deploy/alice"),
    };
    let all = [
        caller("111111111111"),
        caller("222222222222"),
        caller("111111111111"),
    ];
    assert_eq!(
        callers(&all, 4),
        ["assumed-role/Deploy/alice in 111111111111, 222222222222"]
    );
    assert_eq!(
        callers(&all, 1),
        ["assumed-role/Deploy/alice in 2 accounts"]
    );
    assert_eq!(identity("not an arn"), "not an arn");
    let own = Caller {
        account: "222222222222".parse().unwrap(),
        arn: "arn:aws:sts::222222222222:assumed-role/R/stackgate-01a205a4-dce1-73e5-bcb1-9bed9925f3d8"
            .to_owned(),
    };
    assert_eq!(callers([&own], 4), ["assumed-role/R in 222222222222"]);
    assert!(callers([&own], usize::MAX)[0].contains("/stackgate-01a205a4"));
}

#[test]
fn roles_of_many_accounts_are_told_once() {
    let arns = |accounts: std::ops::Range<u32>| -> std::collections::BTreeSet<String> {
        accounts
            .map(|n| format!("arn:aws:iam::{n:012}:role/deploy"))
            .collect()
    };
    assert_eq!(roles(&arns(0..2), 4).len(), 2);
    assert_eq!(roles(&arns(0..500), 4), ["role/deploy in 500 accounts"]);
    assert_eq!(roles(&arns(0..500), usize::MAX).len(), 500);
}
