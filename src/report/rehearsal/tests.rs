use super::*;

fn run(seed: u64, succeeded: usize, failed: usize, seconds: u64) -> RehearsedRun {
    RehearsedRun {
        seed,
        state: if failed == 0 { "succeeded" } else { "failed" },
        seconds,
        counts: Counts {
            total: 10,
            succeeded,
            failed,
            skipped: 10 - succeeded - failed,
            ..Counts::default()
        },
        halted: match failed {
            0 => Vec::new(),
            _ => vec!["eu-west-1".parse().unwrap()],
        },
        regions: Vec::new(),
    }
}

#[test]
fn few_that_are_changed_are_bad_and_many_that_fail() {
    let runs = [run(1, 10, 0, 60), run(2, 3, 1, 20), run(3, 7, 2, 90)];
    let spread = Spread::of(&runs);
    let numbers = |of: SpreadOf| (of.median, of.worst);
    assert_eq!(numbers(spread.succeeded), (7, 3));
    assert_eq!(numbers(spread.failed), (1, 2));
    assert_eq!(numbers(spread.not_executed), (1, 6));
    assert_eq!(numbers(spread.seconds), (60, 90));
    assert_eq!(spread.states, [("failed", 2), ("succeeded", 1)].into());
    let ireland = "eu-west-1".parse().unwrap();
    assert_eq!(spread.halted, [(ireland, 2)].into());
}

#[test]
fn the_typical_run_is_the_one_in_the_middle() {
    let runs = [run(1, 10, 0, 60), run(2, 3, 1, 20), run(3, 7, 2, 90)];
    assert_eq!(RehearsedRun::typical(&runs), Some(2));
    // Its number of changed targets is the median, of an even number of runs too.
    let runs = [run(1, 10, 0, 60), run(2, 3, 1, 20)];
    let at = RehearsedRun::typical(&runs).unwrap();
    let median = Spread::of(&runs).succeeded.median;
    assert_eq!(runs[at].counts.succeeded as u64, median);
    assert_eq!(RehearsedRun::typical(&[]), None);
}

#[test]
fn a_timeline_says_when_each_region_began_and_ended() {
    let view = crate::report::fixtures::halted().view();
    let rows = timeline::rows(&view);
    assert_eq!(rows[0].part, "plan");
    let regions: Vec<&str> = rows[1..].iter().map(|row| row.part.as_str()).collect();
    assert!(!regions.is_empty());
    for row in &rows[1..] {
        let unchanged = view
            .targets()
            .iter()
            .filter(|t| t.target().region.as_str() == row.part)
            .filter(|t| matches!(t.outcome(), Some(crate::model::TargetOutcome::NoChanges)))
            .count();
        assert_eq!(
            row.targets,
            row.succeeded + row.failed + row.not_executed + unchanged
        );
        assert!(row.begins <= row.ends, "{row:?}");
    }
    let counts = view.counts();
    let failed: usize = rows[1..].iter().map(|row| row.failed).sum();
    assert_eq!(failed, counts.failures());
}

#[test]
fn a_timeline_of_waves_has_their_gates_between_them() {
    use crate::model::{EventKind, Gate, GatePlace};
    use crate::report::fixtures;
    let targets = fixtures::four();
    let mut script = fixtures::canary();
    script.approve();
    script
        .start(&targets[0])
        .end(&targets[0], fixtures::succeeded());
    let place = GatePlace {
        wave: "canary".parse().unwrap(),
        number: 1,
        gate: Gate::Bake { minutes: 10 },
    };
    let until = script.now() + jiff::SignedDuration::from_mins(10);
    script.say(EventKind::GateStarted {
        place: place.clone(),
        until,
    });
    script.wait(600).say(EventKind::GateOpened {
        place: place.clone(),
        said: None,
    });
    let reason = "no".to_owned();
    let place = GatePlace {
        number: 2,
        gate: Gate::Approval,
        ..place
    };
    script.say(EventKind::GateClosed { place, reason });
    let rows = timeline::rows(&script.view());
    let of = |row: &TimelineRow| {
        let wave = row.wave.clone().unwrap_or_default();
        format!("{wave} {} {}", row.part, row.failed)
    };
    let parts: Vec<String> = rows.iter().map(of).collect();
    assert_eq!(
        parts,
        [
            " plan 0",
            "canary us-east-1 0",
            "canary bake 10m 0",
            "canary approval 1",
            "half us-east-1 0",
            "half eu-west-1 0",
            "rest eu-west-1 0",
        ]
    );
    let bake = &rows[2];
    assert!(bake.gate && bake.targets == 0, "{bake:?}");
    assert_eq!(bake.ends.unwrap() - bake.begins.unwrap(), 600);
    assert_eq!(rows[4].begins, None);
}
