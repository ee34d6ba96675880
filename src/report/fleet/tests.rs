use super::estimate::Left;
use super::*;
use crate::report::fixtures::{self, Script};
use crate::report::screen::ScreenOptions;

/// A fleet that was told every event, after each of which its figures are those of a fleet counted anew.
fn followed(script: &Script) -> Fleet<'static> {
    let mut fleet = Fleet::default();
    for event in &script.events {
        fleet.apply(event);
        let seen = fleet.view().counts();
        assert_eq!(*fleet.counts(), seen, "after event {}", event.seq);
        // A late copy changes nothing.
        fleet.apply(event);
    }
    assert_eq!(fleet, Fleet::of(script.view()));
    fleet
}

#[test]
fn figures_kept_with_each_event_are_those_counted_at_the_end() {
    let scenes = [
        fixtures::fleet(),
        fixtures::canary(),
        fixtures::finished(),
        fixtures::halted(),
        fixtures::stale(),
        fixtures::rejected(),
        fixtures::nothing(),
        fixtures::many(),
    ];
    for script in &scenes {
        followed(script);
    }
}

#[test]
fn events_before_the_first_one_are_counted_when_it_comes() {
    let script = fixtures::halted();
    let mut fleet = Fleet::default();
    script.events.iter().rev().for_each(|e| fleet.apply(e));
    assert_eq!(fleet, Fleet::of(script.view()));
}

#[test]
fn a_cause_is_told_once_with_its_targets() {
    let fleet = followed(&fixtures::halted());
    let struck = fleet.struck();
    let [(why, targets)] = struck[..] else {
        panic!("{struck:?}");
    };
    assert!(why.starts_with("Orders (AWS::DynamoDB::Table): Cannot exceed quota"));
    assert_eq!(targets.len(), 3);
    let lane = &fleet.waves[0].lanes[1];
    assert_eq!((lane.failed(), lane.limits.tolerance), (3, 2));
}

#[test]
fn what_is_left_is_told_from_what_was_done() {
    let targets = fixtures::four();
    let mut script = fixtures::canary();
    script.approve();
    assert_eq!(followed(&script).left(script.now()), None);
    script
        .start(&targets[0])
        .wait(60)
        .end(&targets[0], fixtures::succeeded());
    let left = followed(&script).left(script.now()).unwrap();
    // One after the other: two in the second wave, one in the last; and the gates after the first wave are ahead.
    let bake = SignedDuration::from_mins(10);
    assert_eq!(left.time, left.each * 3 + bake);
    assert!(left.has_gates);
    let text = left.told();
    assert!(text.starts_with("about 14 min left, at 1 min "), "{text}");
    let seconds = Left {
        time: SignedDuration::from_secs(8),
        ..left
    };
    let text = seconds.told();
    assert!(text.starts_with("less than a minute left, at "), "{text}");
}

#[test]
fn a_bake_counts_until_it_is_over() {
    let targets = fixtures::four();
    let place = |number| crate::model::GatePlace {
        wave: "canary".parse().unwrap(),
        number,
        gate: match number {
            1 => Gate::Bake { minutes: 10 },
            _ => Gate::Approval,
        },
    };
    let mut script = fixtures::canary();
    script.approve();
    script
        .start(&targets[0])
        .wait(60)
        .end(&targets[0], fixtures::succeeded());
    let until = script.now() + SignedDuration::from_mins(10);
    script.say(EventKind::GateStarted {
        place: place(1),
        until,
    });
    script.wait(360);
    let left = followed(&script).left(script.now()).unwrap();
    let rest = until.duration_since(script.now());
    assert_eq!(left.time, left.each * 3 + rest);
    script.say(EventKind::GateOpened {
        place: place(1),
        said: None,
    });
    let left = followed(&script).left(script.now()).unwrap();
    assert_eq!(left.time, left.each * 3);
    assert!(left.has_gates, "somebody is asked still");
    // What stands before a wave that has begun was passed, whatever is on record of it.
    script.start(&targets[1]);
    let left = followed(&script).left(script.now()).unwrap();
    assert!(!left.has_gates);
}

#[test]
fn rooms_never_take_more_than_there_is() {
    let mut script = fixtures::halted();
    script.events.truncate(script.events.len() - 2);
    let fleet = followed(&script);
    for height in 0..40 {
        let options = ScreenOptions::default();
        let rooms = Rooms::within(height, &fleet, &options);
        assert!(rooms.lanes + rooms.under_way + rooms.struck <= height);
        let lines = sections(&fleet, &options, rooms, UNDER_WAY);
        assert!(lines.len() <= height, "{height}: {}", lines.len());
    }
}
