use std::io;
use std::sync::{Arc, Mutex};

use indicatif::TermLike;
use jiff::Timestamp;

use super::*;
use crate::report::fixtures::{self, assert_screens};

fn under_way() -> (View, Timestamp) {
    let targets = fixtures::four();
    let mut script = fixtures::fleet();
    script.approve();
    script.start(&targets[0]);
    script.observe(
        &targets[0],
        vec![fixtures::stack_event("Alerts", "CREATE_COMPLETE", None)],
    );
    script.end(&targets[0], fixtures::succeeded());
    script.start(&targets[1]);
    let events = vec![
        fixtures::stack_event("Alerts", "CREATE_COMPLETE", None),
        fixtures::stack_event(
            "Queue",
            "UPDATE_IN_PROGRESS",
            Some("Requested update requires a change in a long explanation that does not fit"),
        ),
    ];
    script.wait(14).observe(&targets[1], events);
    script.at(&targets[2], crate::model::EventKind::TargetStarted);
    (script.view(), script.now())
}

#[test]
fn every_target_has_a_line() {
    let (view, now) = under_way();
    assert_screens!("live", |options: &ScreenOptions| {
        let options = ScreenOptions {
            now: Some(now),
            ..*options
        };
        rows(&Fleet::of(view.clone()), &options, 24).join("\n")
    });
}

#[test]
fn a_small_terminal_shows_what_is_under_way() {
    let (view, now) = under_way();
    let options = ScreenOptions {
        now: Some(now),
        ..ScreenOptions::default()
    };
    let shown = rows(&Fleet::of(view.clone()), &options, 5);
    assert_eq!(shown.len(), 3);
    insta::assert_snapshot!("live_small", shown.join("\n"));
    assert_eq!(
        rows(&Fleet::of(view.clone()), &options, 0).len(),
        1,
        "the summary is always there"
    );
}

fn drawn(script: &fixtures::Script, width: usize) -> String {
    let options = ScreenOptions {
        now: Some(script.now()),
        width,
        ..ScreenOptions::default()
    };
    rows(&Fleet::of(script.view()), &options, 24).join("\n")
}

#[test]
fn the_wave_is_named_however_few_targets_there_are() {
    let targets = fixtures::four();
    let mut script = fixtures::canary();
    script.approve().start(&targets[0]);
    let text = drawn(&script, 80);
    assert!(
        text.contains("\nwave canary, 1 of 3 · 4 targets · "),
        "{text}"
    );
}

#[test]
fn a_region_that_is_silent_is_told_until_it_answers() {
    use crate::model::{EventKind, Region, Silence};
    use crate::report::{Status, status};
    let region: Region = "eu-west-1".parse().unwrap();
    let mut script = fixtures::fleet();
    script.approve().start(&fixtures::four()[0]).wait(25);
    let since = script.now() - SignedDuration::from_secs(20);
    script.say(EventKind::RegionSilent {
        silence: Silence {
            region: region.clone(),
            since,
            until: since + SignedDuration::from_mins(5),
            message: "DescribeStacks in 111111111111/eu-west-1: no route".to_owned(),
        },
    });
    script.wait(40);
    let json = |script: &fixtures::Script| {
        let json = serde_json::to_value(Status::of(&script.view(), Some(true))).unwrap();
        crate::report::documents::assert_valid(&json);
        json["silent"].clone()
    };
    let pages = |script: &fixtures::Script| {
        let options = ScreenOptions {
            now: Some(script.now()),
            ..ScreenOptions::default()
        };
        let status = status(&script.view(), Some(true), &options);
        [drawn(script, 80), status].map(|text| {
            let words: Vec<&str> = text.split_whitespace().collect();
            words.join(" ")
        })
    };
    for text in pages(&script) {
        let told = "no usable answer from eu-west-1 since 22:00:13 UTC (1 min 0 s); it is asked again until about \
                    22:05:13 UTC, then the execution pauses: DescribeStacks in 111111111111/eu-west-1: no route";
        assert!(text.contains(told), "{text}");
    }
    assert_eq!(json(&script)[0]["region"], "eu-west-1");
    script.say(EventKind::RegionAnswers { region });
    for text in pages(&script) {
        assert!(!text.contains("usable"), "{text}");
    }
    assert!(json(&script).is_null());
}

#[test]
fn what_a_gate_is_held_by_is_told_in_full() {
    use crate::model::{AlarmCheck, EventKind, Gate, GatePlace};
    let targets = fixtures::four();
    let mut script = fixtures::canary();
    script.approve().start(&targets[0]);
    script.end(&targets[0], fixtures::succeeded());
    let check = AlarmCheck {
        names: vec!["orders-errors".parse().unwrap()],
        minutes: 10,
    };
    let place = GatePlace {
        wave: "canary".parse().unwrap(),
        number: 1,
        gate: Gate::Alarms(check),
    };
    let until = script.now() + SignedDuration::from_mins(10);
    script.say(EventKind::GateStarted {
        place: place.clone(),
        until,
    });
    let reason = "the alarms of 111111111111/us-east-1 cannot be read, and are asked for again: access is denied";
    script.say(EventKind::GateHeld {
        place,
        reason: Some(reason.to_owned()),
    });
    let text = drawn(&script, 80);
    assert!(!text.contains('…'), "{text}");
    assert!(text.contains("access is denied"), "{text}");
}

#[test]
fn why_a_target_failed_is_told_in_full_where_there_is_room() {
    let targets = fixtures::four();
    let mut script = fixtures::fleet();
    script.approve().start(&targets[0]);
    script.end(&targets[0], fixtures::quota(&targets[0]));
    script.start(&targets[1]);
    let text = drawn(&script, 80);
    assert!(text.contains("quota for"), "{text}");
    assert!(!text.lines().next().unwrap().ends_with('…'), "{text}");
}

#[test]
fn that_it_stops_has_a_line_of_its_own() {
    let targets = fixtures::four();
    let mut script = fixtures::fleet();
    script.approve().start(&targets[0]);
    script.say(crate::model::EventKind::StopRequested {
        request: crate::model::StopRequest {
            mode: crate::model::StopMode::Wait,
            by: fixtures::alice(),
            reason: "interrupted at the keyboard".to_owned(),
            unreachable: Default::default(),
        },
    });
    let text = drawn(&script, 80);
    let expected = "\nstopping: what runs is being finished\n4 targets · ";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn no_line_reaches_the_edge_of_the_terminal() {
    let (view, now) = under_way();
    for width in 8..130 {
        let options = ScreenOptions {
            now: Some(now),
            width,
            ..ScreenOptions::default()
        };
        for text in rows(&Fleet::of(view.clone()), &options, 24) {
            assert!(columns(&text) < width, "{width}: {text}");
        }
    }
}

#[test]
fn nothing_is_shown_while_somebody_is_asked() {
    let options = ScreenOptions::default();
    assert!(rows(&Fleet::of(fixtures::fleet().view()), &options, 24).is_empty());
    assert!(rows(&Fleet::of(fixtures::finished().view()), &options, 24).is_empty());
}

/// A terminal that keeps what is written to it.
#[derive(Debug, Clone, Default)]
struct Written(Arc<Mutex<String>>);

impl TermLike for Written {
    fn width(&self) -> u16 {
        80
    }
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)?;
        self.write_str("\n")
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.lock().unwrap().push_str(text);
        Ok(())
    }
    fn clear_line(&self) -> io::Result<()> {
        self.write_str("<clear>")
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_are_drawn_hidden_for_a_prompt_and_drawn_again() {
    let (view, now) = under_way();
    let options = ScreenOptions {
        now: Some(now),
        ..ScreenOptions::default()
    };
    let terminal = Written::default();
    let take = || std::mem::take(&mut *terminal.0.lock().unwrap());
    // The draw target limits its rate; one high enough never drops a draw in a test.
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
    let mut live = Live::new(view, target);

    live.draw(&options, 24);
    let drawn = take();
    for text in rows(&live.fleet, &options, 24) {
        assert!(drawn.contains(text.trim_end()), "{text} in {drawn}");
    }
    live.hide();
    assert!(take().contains("<clear>"));
    live.draw(&options, 24);
    assert_eq!(take(), "", "hidden lines are not drawn");
    live.show();
    live.draw(&options, 24);
    assert!(take().contains("4 targets"));
    assert_eq!(live.suspend(|| 7), 7);
    live.finish();
    assert!(take().contains("<clear>"));
}
