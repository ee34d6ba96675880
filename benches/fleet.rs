//! Rollouts over thousands of targets in a simulated world, for `scripts/bench_fleet.py`.
//!
//!     fleet engine ACCOUNTS REGIONS    the pure engine alone, in virtual time
//!     fleet sdk ACCOUNTS REGIONS       the driver, the journal and the real SDK, over simulated HTTP
//!     fleet again ACCOUNTS REGIONS     the same where an earlier execution tells how long change sets and operations take
//!
//! Each stack takes a minute and each change set five seconds; a call takes 80 to 200 ms. CloudFormation answers in each
//! account and region as it does in AWS: a few calls a second. Prints what it took as JSON.

#![expect(clippy::disallowed_methods, reason = "a yardstick needs a clock")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;
use stackgate::aws::Expected;
use stackgate::model::{
    CountOrPercent, ExecutionId, OperationPreferences, RegionConcurrency, Target,
};
use stackgate::simulator::{Cloud, Counts, Rehearsal, Scenario};

#[path = "../tests/support/scripted.rs"]
mod scripted;
#[path = "../tests/support/simulated.rs"]
mod simulated;

use simulated::{START, definition, targets};

// As the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the world is like. The limits are those that CloudFormation is known to have, per account and region.
const WORLD: &str = "
seed: 1
rules:
  - duration: 60s
    change_set: 5s
    latency: 80ms..200ms
  - calls: [DescribeStacks, DescribeStackEvents, DescribeChangeSet]
    rate: 10
    burst: 20
  - calls: [CreateChangeSet, ExecuteChangeSet, DeleteChangeSet]
    rate: 2
    burst: 5
";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [way, accounts, regions] = arguments.as_slice() else {
        bail!("usage: fleet engine|sdk|again ACCOUNTS REGIONS");
    };
    let targets = targets(accounts.parse()?, regions.parse()?);
    let scenario: Scenario = serde_yaml::from_str(WORLD)?;
    match *way {
        "engine" => engine(scenario, targets),
        "sdk" => sdk(Expected::default(), scenario, targets),
        "again" => sdk(earlier(), scenario, targets),
        other => bail!("`{other}` is none of `engine`, `sdk` and `again`"),
    }
}

/// A quarter of each region's targets at once, all regions together.
fn preferences() -> OperationPreferences {
    OperationPreferences {
        max_concurrent: CountOrPercent::Percent(25),
        failure_tolerance: CountOrPercent::Percent(100),
        region_concurrency: RegionConcurrency::Parallel,
        ..OperationPreferences::default()
    }
}

/// The shortest time that the preferences allow: batch after batch of a minute.
fn ideal(targets: &[Target]) -> Duration {
    let mut of_region: BTreeMap<&str, u32> = BTreeMap::new();
    for target in targets {
        *of_region.entry(target.region.as_str()).or_default() += 1;
    }
    let batches = of_region.values().map(|n| n.div_ceil((n / 4).max(1)));
    Duration::from_secs(60) * batches.max().unwrap_or(0)
}

fn engine(scenario: Scenario, targets: Vec<Target>) -> Result<()> {
    let begun = Instant::now();
    let count = targets.len();
    let ideal = ideal(&targets);
    let id = ExecutionId::new("01938f5e-0000-7000-8000-000000000001")?;
    let definition = definition(targets, preferences(), std::path::Path::new("."));
    let cloud = Cloud::new(scenario, START);
    let (mut rehearsal, first) = Rehearsal::start(cloud, id, definition, START)?;
    let mut events = first.len();
    let mut executing = None;
    let mut now = START;
    let mut decided = Duration::ZERO;
    let rest = loop {
        let step = rehearsal.step_by(|machine, inputs, at| {
            let begun = Instant::now();
            let turn = machine.handle(inputs, at);
            decided += begun.elapsed();
            turn
        });
        match step {
            Ok(new) => {
                events += new.len();
                now = rehearsal.now();
                if new.iter().any(|e| e.kind.name() == "target_started") {
                    executing.get_or_insert(now);
                }
            }
            Err(rest) => break rest,
        }
    };
    let executing = executing.context("nothing was executed")?;
    let makespan = Duration::try_from(now.duration_since(executing))?;
    print(&Figures {
        count,
        ended: format!("{rest:?}"),
        makespan,
        ideal,
        real: begun.elapsed(),
        decided: Some(decided),
        events: Some(events),
        resident: simulated::resident(),
        counts: rehearsal.cloud().counts(),
    });
    Ok(())
}

/// What the journal tells of an earlier execution in such a world.
fn earlier() -> Expected {
    Expected {
        change_set: Some(Duration::from_secs(5)),
        operation: Some(Duration::from_secs(60)),
    }
}

fn sdk(expected: Expected, scenario: Scenario, targets: Vec<Target>) -> Result<()> {
    let begun = Instant::now();
    let count = targets.len();
    let ideal = ideal(&targets);
    let project = tempfile::tempdir()?;
    let definition = definition(targets, preferences(), project.path());
    let outcome = simulated::run_expecting(expected, scenario, definition, project.path());
    let (from, to) = outcome.executed.context("nothing was executed")?;
    print(&Figures {
        count,
        ended: format!("{:?}", outcome.ended),
        makespan: to - from,
        ideal,
        real: begun.elapsed(),
        decided: None,
        events: None,
        resident: outcome.resident,
        counts: outcome.world.cloud().counts(),
    });
    Ok(())
}

struct Figures<'a> {
    count: usize,
    ended: String,
    makespan: Duration,
    ideal: Duration,
    real: Duration,
    /// What of it the engine took to decide, without the world.
    decided: Option<Duration>,
    events: Option<usize>,
    resident: Option<u64>,
    counts: &'a Counts,
}

fn print(figures: &Figures<'_>) {
    let polls = ["DescribeStackEvents"];
    let calls = figures.counts.calls.iter();
    let besides: u64 = calls
        .filter(|(operation, _)| !polls.contains(&operation.as_str()))
        .map(|(_, count)| count)
        .sum();
    let text = json!({
        "targets": figures.count,
        "ended": figures.ended,
        "makespan_s": figures.makespan.as_secs_f64(),
        "ideal_s": figures.ideal.as_secs_f64(),
        "ratio": figures.makespan.as_secs_f64() / figures.ideal.as_secs_f64(),
        "real_s": figures.real.as_secs_f64(),
        "engine_s": figures.decided.map(|d| d.as_secs_f64()),
        "resident_mb": figures.resident,
        "events": figures.events,
        "calls": figures.counts.calls,
        "calls_per_target_besides_event_polling": besides as f64 / figures.count as f64,
        "throttled": figures.counts.throttled,
    });
    println!("{text:#}");
}
