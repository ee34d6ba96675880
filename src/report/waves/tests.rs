use super::super::fixtures::{self, Script};
use super::super::{Status, documents, html, markdown, status, summary};
use super::*;
use crate::model::{EventKind, GateCommand, GatePlace, ON_FAILURE, ROLLBACK};

/// Returns four targets in three waves, of which the first has ended and waits for an answer.
fn asked(outcome: TargetOutcome) -> Script {
    let mut script = fixtures::canary();
    let canary = &fixtures::four()[0];
    script.approve();
    script.start(canary);
    script.wait(40);
    script.end(canary, outcome);
    let wave: WaveName = "canary".parse().unwrap();
    let place = GatePlace {
        wave: wave.clone(),
        number: 1,
        gate: Gate::Bake { minutes: 10 },
    };
    script.say(EventKind::GateOpened { place, said: None });
    let expires = script.now();
    let plan = script.view().plan().unwrap();
    script.say(EventKind::ApprovalRequested {
        plan,
        expires,
        wave: Some(wave),
    });
    script
}

fn wide() -> ScreenOptions {
    ScreenOptions {
        width: 200,
        ..ScreenOptions::default()
    }
}

#[test]
fn whoever_is_asked_after_a_wave_is_told_how_it_went_and_what_comes_next() {
    let view = asked(fixtures::succeeded()).view();
    let told = "wave canary: 1 of 1 succeeded in 40 s · gate passed: bake 10m · next: wave half, 2 targets in ";
    let account = wave_account(&view, &wide());
    assert!(account.contains(told), "{account}");
    let screen = status(&view, None, &wide());
    assert!(screen.contains(told), "{screen}");
    let ending = summary(&view, &wide());
    assert!(ending.contains(told), "{ending}");
    assert!(
        ending.contains("what comes after wave canary waits for approval"),
        "{ending}"
    );
    assert!(!screen.contains("wave half:"), "it has not begun: {screen}");
    assert!(markdown(&view, None, None).contains("1 of 1 succeeded in 40 s"));
    assert!(html(&view, None, None).contains("gate passed: bake 10m"));
    let document = Status::of(&view, None);
    documents::assert_valid(&document);
    let stages = document.waves[0].gates.iter().map(|gate| gate.state);
    let expected = [GateStage::Passed, GateStage::Passing];
    assert_eq!(stages.collect::<Vec<_>>(), expected);
    assert!(document.waves[1].started.is_none());
    // Before the plan is approved, there is nothing to tell of a wave.
    assert_eq!(wave_account(&fixtures::canary().view(), &wide()), "");
}

#[test]
fn failures_within_the_tolerance_are_named() {
    let view = asked(fixtures::quota(&fixtures::four()[0])).view();
    let account = wave_account(&view, &wide());
    assert!(
        account.contains("0 of 1 succeeded in 40 s · 1 failed"),
        "{account}"
    );
    let name = fixtures::four()[0].place();
    assert!(account.contains(&format!("failed   {name}: ")), "{account}");
    assert!(
        account.contains("Cannot exceed quota for tables"),
        "{account}"
    );
}

#[test]
fn who_may_say_no_knows_that_what_was_changed_is_taken_back_then() {
    let mut script = asked(fixtures::succeeded());
    let before = wave_account(&script.view(), &wide());
    assert!(!before.contains("rolled back"), "{before}");
    if let EventKind::ExecutionStarted { definition } = &mut script.events[0].kind {
        let definition = std::sync::Arc::make_mut(definition);
        let stages = definition.pipeline.stages.last_mut();
        let settings = &mut stages.unwrap().actions[0].configuration;
        settings.insert(ON_FAILURE.to_owned(), ROLLBACK.to_owned());
    }
    let account = wave_account(&script.view(), &wide());
    assert!(
        account.contains("reject   a rejection, or no answer in time, ends it as failed: then "),
        "{account}"
    );
}

#[test]
fn what_a_command_wrote_last_stays_to_be_seen() {
    let mut script = asked(fixtures::succeeded());
    let command = Gate::Command(GateCommand {
        line: vec!["./smoke.sh".to_owned()],
        files: Vec::new(),
        timeout_minutes: 10,
    });
    if let EventKind::ExecutionStarted { definition } = &mut script.events[0].kind {
        let definition = std::sync::Arc::make_mut(definition);
        let stages = definition.pipeline.stages.iter_mut();
        let actions = stages.flat_map(|stage| &mut stage.actions);
        for fan_out in actions.filter_map(|action| action.fan_out.as_mut()) {
            if let Some(wave) = fan_out.waves.first_mut() {
                wave.gates[0] = command.clone();
            }
        }
    }
    for event in &mut script.events {
        if let EventKind::GateOpened { place, said } = &mut event.kind {
            place.gate = command.clone();
            *said = Some("12 checks | all fine".to_owned());
        }
    }
    let view = script.view();
    let account = wave_account(&view, &wide());
    assert!(
        account.contains("gate passed: command ./smoke.sh (exit code 0)"),
        "{account}"
    );
    assert!(
        account.contains("command ./smoke.sh wrote   12 checks | all fine"),
        "{account}"
    );
    let said = Status::of(&view, None).waves[0].gates[0].said.clone();
    assert_eq!(said.as_deref(), Some("12 checks | all fine"));
}

#[test]
fn what_failed_before_and_is_not_run_again_is_told() {
    for (number, failed, told) in [
        (1, 0, "1 target not run again"),
        (1, 1, "1 target not run again, which failed"),
        (3, 1, "3 targets not run again, of which 1 failed"),
    ] {
        assert_eq!(not_run_again(number, failed), told);
    }
    let mut script = asked(fixtures::succeeded());
    if let EventKind::ExecutionStarted { definition } = &mut script.events[0].kind {
        let definition = std::sync::Arc::make_mut(definition);
        let stages = definition.pipeline.stages.iter_mut();
        let actions = stages.flat_map(|stage| &mut stage.actions);
        for fan_out in actions.filter_map(|action| action.fan_out.as_mut()) {
            let spec = fan_out.targets[1].clone();
            if let Some(wave) = fan_out.waves.first_mut() {
                wave.ended.push(EndedTarget {
                    spec,
                    outcome: fixtures::quota(&fixtures::four()[1]),
                });
            }
        }
    }
    let view = script.view();
    let account = wave_account(&view, &wide());
    assert!(
        account.contains("1 of 1 succeeded in 40 s, beside 1 target not run again, which failed"),
        "{account}"
    );
    documents::assert_valid(&Status::of(&view, None));
}
