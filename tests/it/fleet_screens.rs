//! What a person sees of 4, 40 and 4,000 targets: runs of the real engine in a simulated world, drawn at some moments and
//! kept in `tests/it/screens/`.
//!
//! `UPDATE_SCREENS=1` writes them anew. Look at each difference before you accept it.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use indicatif::{ProgressDrawTarget, TermLike};
use jiff::Timestamp;
use stackgate::model::{
    AccountId, CountOrPercent, Event, EventKind, ExecutionId, Gate, OperationPreferences, Region,
    RegionConcurrency, StackName, Target, Wave,
};
use stackgate::report::{
    Durations, Lines, Live, NoSources, Rehearsed, RehearsedRun, ScreenOptions, View, rehearsal,
    review, status, summary,
};
use stackgate::simulator::{Cloud, Rehearsal, Scenario};

use crate::support::simulated;
use crate::support::vt::Terminal;

const REGIONS: [&str; 20] = [
    "us-east-1",
    "eu-west-1",
    "us-west-2",
    "eu-central-1",
    "us-east-2",
    "us-west-1",
    "ca-central-1",
    "sa-east-1",
    "eu-west-2",
    "eu-west-3",
    "eu-north-1",
    "eu-south-1",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-east-1",
    "me-south-1",
];

const START: &str = "2026-11-22T22:00:00Z";

/// What went on in a fleet, from the beginning to the end.
struct Run {
    events: Vec<Event>,
}

static FOUR: LazyLock<Run> = LazyLock::new(|| Run::of(2, 2, ""));
static FORTY: LazyLock<Run> = LazyLock::new(|| Run::of(10, 4, ", fails: 6%"));
static MANY: LazyLock<Run> = LazyLock::new(|| {
    Run::of(
        200,
        20,
        ", fails: 2%}, {targets: 'eu-central-1', fails: 30%, resource: Cache, resource_type: 'AWS::ElastiCache::ReplicationGroup', \
          reason: 'Subnet group default is in use in account 123456789012'}, {targets: '000000000150/eu-west-3', duration: 40m",
    )
});

fn sizes() -> [(usize, &'static Run); 3] {
    [(4, &FOUR), (40, &FORTY), (4_000, &MANY)]
}

impl Run {
    fn of(accounts: u64, regions: usize, more: &str) -> Self {
        let target = |account: u64, region: &str| Target {
            account: AccountId::new(format!("{account:012}")).unwrap(),
            region: Region::new(region).unwrap(),
            stack: StackName::new("network").unwrap(),
        };
        let of_account = |account| REGIONS[..regions].iter().map(move |r| target(account, r));
        let targets: Vec<Target> = (1..=accounts).flat_map(of_account).collect();
        let preferences = |tolerance| OperationPreferences {
            max_concurrent: CountOrPercent::Percent(10),
            failure_tolerance: tolerance,
            region_concurrency: RegionConcurrency::Parallel,
            ..OperationPreferences::default()
        };
        let wave = |name: &str, targets: &[Target], gates: &[Gate]| Wave {
            name: name.parse().unwrap(),
            targets: targets.to_vec(),
            preferences: (name == "canary").then(|| preferences(CountOrPercent::Count(2))),
            gates: gates.to_vec(),
            ended: Vec::new(),
        };
        let canary = regions * usize::try_from(accounts / 50 + 1).unwrap();
        let waves = vec![
            wave("canary", &targets[..canary], &[Gate::Bake { minutes: 10 }]),
            wave(
                "half",
                &targets[canary..targets.len() / 2 + canary / 2],
                &[Gate::Bake { minutes: 5 }],
            ),
        ];
        let preferences = preferences(CountOrPercent::Percent(20));
        let mut definition = simulated::definition(targets, preferences, Path::new("/project"));
        let stages = definition.pipeline.stages.iter_mut();
        let actions = stages.flat_map(|stage| &mut stage.actions);
        let mut last = None;
        for fan_out in actions.filter_map(|action| action.fan_out.as_mut()) {
            last = Some(fan_out);
        }
        last.unwrap().waves = waves;
        let rules = format!(
            "{{seed: 11, rules: [{{duration: 45s..3m, change_set: 2s..9s, resources: 6, resource: Orders, \
              resource_type: 'AWS::DynamoDB::Table', reason: Cannot exceed quota for tables{more}}}]}}"
        );
        let scenario: Scenario = serde_yaml::from_str(&rules).unwrap();
        let start: Timestamp = START.parse().unwrap();
        let id = ExecutionId::new("0199a1b2-0000-7000-8000-0a1b2c3d9f2c").unwrap();
        let cloud = Cloud::new(scenario, start);
        let (mut rehearsal, mut events) = Rehearsal::start(cloud, id, definition, start).unwrap();
        rehearsal.run(|turn| events.extend_from_slice(turn));
        Self { events }
    }

    /// Returns the events up to the moment when a share of the targets, in percent, came to `kind`.
    fn until(&self, kind: &str, percent: usize) -> &[Event] {
        let all: Vec<usize> = self
            .events
            .iter()
            .enumerate()
            .filter(|(_, event)| event.kind.name() == kind)
            .map(|(at, _)| at)
            .collect();
        let nth = (all.len() * percent / 100).min(all.len() - 1);
        &self.events[..=all[nth]]
    }

    /// Returns the events up to the first bake, and a minute later.
    fn baking(&self) -> (&[Event], Timestamp) {
        let is_gate = |event: &Event| matches!(event.kind, EventKind::GateStarted { .. });
        let at = self.events.iter().position(is_gate).unwrap();
        let later = self.events[at].at + jiff::SignedDuration::from_mins(1);
        (&self.events[..=at], later)
    }
}

fn options(width: usize, colour: bool, now: Option<Timestamp>) -> ScreenOptions {
    ScreenOptions {
        width,
        colour,
        now,
        ..ScreenOptions::default()
    }
}

/// A terminal that can be looked at.
#[derive(Clone)]
struct Screen {
    terminal: Arc<Mutex<Terminal>>,
    width: u16,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a screen")
    }
}

impl Screen {
    fn feed(&self, text: &str) -> io::Result<()> {
        self.terminal.lock().unwrap().feed(text);
        Ok(())
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.width
    }
    fn height(&self) -> u16 {
        height(self.width)
    }
    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.go(n, 'A')
    }
    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.go(n, 'B')
    }
    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.go(n, 'C')
    }
    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.go(n, 'D')
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.feed(&format!("{text}\r\n"))
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        self.feed(text)
    }
    fn clear_line(&self) -> io::Result<()> {
        self.feed("\r\u{1b}[2K")
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Screen {
    fn go(&self, n: usize, to: char) -> io::Result<()> {
        match n {
            0 => Ok(()),
            n => self.feed(&format!("\u{1b}[{n}{to}")),
        }
    }
}

fn height(width: u16) -> u16 {
    if width == 80 { 24 } else { 40 }
}

/// Draws a run as it goes on, and returns what is on the terminal in the end.
fn live(events: &[Event], now: Timestamp, width: u16, colour: bool) -> String {
    let height = usize::from(height(width));
    let screen = Screen {
        terminal: Arc::new(Mutex::new(Terminal::new(width.into()))),
        width,
    };
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
    let mut live = Live::new(View::new(), target);
    let options = |now| options(width.into(), colour, Some(now));
    let each = events.len() / 20 + 1;
    for part in events.chunks(each) {
        part.iter().for_each(|event| live.apply(event));
        let now = part.last().unwrap().at;
        live.draw(&options(now), height);
    }
    live.draw(&options(now), height);
    // A draw target drops pictures that come too fast; after this it draws anew.
    live.suspend(|| ());
    let text = screen.terminal.lock().unwrap().screen();
    assert!(
        text.lines().count() < height,
        "higher than {height}:\n{text}"
    );
    assert!(!text.contains('⏎'), "wider than {width}:\n{text}");
    text
}

#[track_caller]
fn assert_kept(name: &str, text: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/screens");
    let path = root.join(format!("{name}.txt"));
    let text = text.replace('\u{1b}', "␛");
    if std::env::var_os("UPDATE_SCREENS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let kept = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; UPDATE_SCREENS=1 writes it", path.display()));
    assert!(
        kept == text,
        "{} differs; UPDATE_SCREENS=1 writes it\n--- kept\n{kept}\n--- found\n{text}",
        path.display()
    );
}

#[track_caller]
fn assert_lines(text: &str, most: usize) {
    let lines = text.lines().count();
    assert!(lines <= most, "{lines} lines, more than {most}:\n{text}");
}

#[test]
fn progress_on_a_terminal() {
    for (size, run) in sizes() {
        for width in [80, 120] {
            let draw = |what: &str, events: &[Event], now| {
                let text = live(events, now, width, false);
                assert_kept(&format!("fleet_{what}_{size}_{width}"), &text);
            };
            for (what, kind, percent) in [
                ("planning", "change_set_ready", 60),
                ("canary", "target_finished", 1),
                ("executing", "target_started", 70),
            ] {
                let events = run.until(kind, percent);
                draw(what, events, events.last().unwrap().at);
            }
            let (events, now) = run.baking();
            draw("baking", events, now);
        }
    }
    let events = MANY.until("target_started", 70);
    let now = events.last().unwrap().at;
    assert_kept(
        "fleet_executing_4000_120_colour",
        &live(events, now, 120, true),
    );
}

#[test]
fn progress_in_a_log() {
    for (size, run) in sizes() {
        let mut lines = Lines::new(View::new(), options(80, false, None));
        let mut log = Vec::new();
        let mut last = run.events[0].at;
        for event in &run.events {
            // The clock ticks between the events, too.
            while last + jiff::SignedDuration::from_secs(10) < event.at {
                last += jiff::SignedDuration::from_secs(10);
                lines.tick(last, &mut log).unwrap();
            }
            lines.apply(event, &mut log).unwrap();
            last = event.at;
        }
        let log = String::from_utf8(log).unwrap();
        assert_lines(&log, 150);
        assert_kept(&format!("fleet_log_{size}"), &log);
    }
}

#[test]
fn review_status_and_result() {
    for (size, run) in sizes() {
        let asked = View::of(run.until("approval_requested", 0));
        let under_way = View::of(run.until("target_started", 70));
        let over = View::of(&run.events);
        for width in [80, 120] {
            let at = |view: &View| options(width, false, view.last());
            let texts = [
                ("review", review(&asked, &NoSources, &at(&asked)), 60),
                (
                    "status",
                    status(&under_way, Some(true), &at(&under_way)),
                    60,
                ),
                ("left", status(&under_way, Some(false), &at(&under_way)), 60),
                ("result", summary(&over, &at(&over)), 60),
            ];
            for (what, text, most) in texts {
                assert_lines(&text, most);
                assert_kept(&format!("fleet_{what}_{size}_{width}"), &text);
            }
        }
    }
}

#[test]
fn rehearsals() {
    for (size, run) in sizes() {
        let view = View::of(&run.events);
        let runs = vec![RehearsedRun::of(11, &view)];
        let given = vec!["some of the operations fail".to_owned()];
        let rehearsed = Rehearsed::new(runs, 11, &view, Durations::Given, given);
        for width in [80, 120] {
            let text = rehearsal(&rehearsed, &view, &options(width, false, None));
            assert_lines(&text, 50);
            assert_kept(&format!("fleet_rehearsal_{size}_{width}"), &text);
        }
    }
}
