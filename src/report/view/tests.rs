//! Tests of `view`.

use proptest::prelude::*;

use super::super::fixtures::{self, Script};
use super::*;
use crate::model::{Decision, EventKind, SkipReason, TargetOutcome};

fn scripts() -> Vec<Script> {
    vec![
        fixtures::fleet(),
        fixtures::finished(),
        fixtures::halted(),
        fixtures::stale(),
        fixtures::rejected(),
        fixtures::nothing(),
        fixtures::secrets(),
        fixtures::hostile(),
    ]
}

#[test]
fn a_view_of_the_stored_log_equals_the_live_one() {
    for script in scripts() {
        let mut live = View::new();
        let mut stored = Vec::new();
        for event in &script.events {
            live.apply(event);
            stored.push(serde_json::to_string(event).unwrap());
        }
        let read: Vec<Event> = stored
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(View::of(&read), live);
    }
}

proptest! {
    #[test]
    fn invariant_order_and_repetition_do_not_matter(
        which in 0_usize..8,
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        order in any::<u64>(),
    ) {
        let script = scripts().swap_remove(which);
        let expected = script.view();
        let mut events = script.events.clone();
        for pick in picks {
            events.push(pick.get(&script.events).clone());
        }
        // A reproducible shuffle: sorted by a hash of place and seed.
        let mut keyed: Vec<(crate::model::Digest, Event)> = events
            .into_iter()
            .enumerate()
            .map(|(at, e)| (crate::model::Digest::of(format!("{order}{at}").as_bytes()), e))
            .collect();
        keyed.sort_by_key(|(key, _)| *key);
        let shuffled = View::of(keyed.iter().map(|(_, event)| event));
        prop_assert_eq!(&shuffled, &expected);
        prop_assert_eq!(shuffled.state(), expected.state());
        prop_assert_eq!(shuffled.counts(), expected.counts());
    }
}

#[test]
fn phases_follow_the_events() {
    let targets = fixtures::four();
    let mut script = Script::new(&targets);
    let phase = |script: &Script| {
        let view = script.view();
        super::super::words::phase(view.target(&targets[0]).unwrap().phase()).0
    };
    assert_eq!(phase(&script), "waiting");
    script.intend(
        &targets[0],
        crate::model::ChangeSetKind::Update,
        fixtures::inputs(),
    );
    assert_eq!(phase(&script), "reading change set");
    script.update(&targets[0], fixtures::change_a());
    assert_eq!(phase(&script), "change set ready");
    script.at(&targets[0], EventKind::TargetStarted);
    assert_eq!(phase(&script), "checking plan");
    script.start(&targets[0]);
    assert_eq!(phase(&script), "executing");
    script.end(&targets[0], fixtures::succeeded());
    assert_eq!(phase(&script), "succeeded");
}

#[test]
fn a_planned_target_is_composed_of_its_three_events() {
    let script = fixtures::secrets();
    let planned = script.view().planned();
    assert_eq!(planned.len(), 1);
    assert_eq!(planned[0].target, fixtures::target('1', "eu-west-1"));
    assert_eq!(planned[0].changes.len(), 1);
    assert!(
        planned[0]
            .change_set
            .as_ref()
            .unwrap()
            .as_str()
            .ends_with(":changeSet/stackgate-0199a1b2/1")
    );
    assert!(fixtures::nothing().view().planned().is_empty());
}

#[test]
fn a_pause_and_a_stop_stand_until_the_execution_is_taken_over() {
    let mut script = fixtures::fleet();
    script.approve().say(EventKind::Paused {
        reason: PauseReason::CredentialsExpired {
            message: "expired".to_owned(),
        },
    });
    assert_eq!(script.view().state(), State::Paused);
    let owner = "host 42".to_owned();
    script.say(EventKind::Resumed {
        owner,
        secrets: BTreeMap::new(),
    });
    assert_eq!(script.view().state(), State::Running);
    assert_eq!(script.view().paused(), None);
    script.say(EventKind::StopRequested {
        request: StopRequest {
            mode: crate::model::StopMode::Wait,
            by: fixtures::alice(),
            reason: String::new(),
            unreachable: Default::default(),
        },
    });
    assert_eq!(script.view().state(), State::Stopping);
}

#[test]
fn an_answer_ends_the_waiting() {
    let mut script = fixtures::fleet();
    assert_eq!(script.view().state(), State::WaitingForApproval);
    script.answer(Decision::Approve, "");
    assert_eq!(script.view().state(), State::Running);
    let mut script = fixtures::fleet();
    script.say(EventKind::ApprovalExpired);
    assert_eq!(script.view().state(), State::Running);
}

#[test]
fn targets_keep_the_order_they_were_asked_for_in() {
    let targets = fixtures::four();
    let mut script = fixtures::fleet();
    let extra = fixtures::target('9', "eu-west-3");
    let reason = SkipReason::Stopped;
    script.end(&extra, TargetOutcome::Skipped { reason });
    let view = script.view();
    let order: Vec<&Target> = view.targets().iter().map(|t| t.target()).collect();
    let expected: Vec<&Target> = targets.iter().chain([&extra]).collect();
    assert_eq!(order, expected);
}
