//! What holds for every run.

use std::mem::{Discriminant, discriminant};

use super::*;

pub(super) fn invariant_no_change_set_is_executed_twice(run: &Run) {
    for (target, stack) in &run.world {
        assert!(stack.executions <= 1, "{target} was executed twice");
        assert_eq!(stack.repeated, 0, "{target} was asked for again");
        assert!(stack.creations <= 1, "{target} got two change sets");
        let ended = &run.machine.state().targets[target].outcome;
        let moved = matches!(
            ended,
            Some(
                TargetOutcome::Succeeded { .. }
                    | TargetOutcome::Failed {
                        status: Some(_),
                        ..
                    }
            )
        );
        if !stack.sets_policy_only() && !is_lost(run, target) {
            assert_eq!(moved, stack.executions == 1, "{target}: {ended:?}");
        }
        assert!(stack.policies <= 1, "{target} got its policy twice");
        let is_set = stack.policies == 1;
        let wants = stack.script.policy != Policy::None && !stack.deletes;
        let succeeded = matches!(ended, Some(TargetOutcome::Succeeded { .. }));
        // What was set by a process that died is not known where nothing answers any more.
        let is_known = !run.machine.state().lost.contains(&target.region);
        assert!(!succeeded || wants == is_set, "{target}: {ended:?}");
        assert!(!is_known || succeeded || !is_set, "{target}: {ended:?}");
    }
}

/// Returns whether the end of the target is not known to whoever gave up or was asked: it was under way where nothing answers
/// any more, or where nobody can look.
fn is_lost(run: &Run, target: &Target) -> bool {
    let state = run.machine.state();
    let outcome = &state.targets[target].outcome;
    let is_let_go = state.lost.contains(&target.region)
        || state.unseen.contains(target)
        || run.is_let_go && run.world[target].script.denied;
    matches!(outcome, Some(TargetOutcome::Unknown { .. })) && is_let_go
}

/// What somebody was asked about who gave the execution up then is not asked about again.
pub(super) fn invariant_whoever_gave_up_is_not_asked_again(run: &Run) {
    let (mut asked, mut known) = (BTreeSet::new(), BTreeSet::new());
    for event in &run.events {
        match &event.kind {
            EventKind::Resumed { .. } => asked.clear(),
            EventKind::Paused {
                reason: PauseReason::OutcomeUnknown { target, .. },
            } => {
                assert!(!known.contains(target), "{target} is asked about again");
                asked.insert(target.clone());
            }
            EventKind::StopRequested { request } if request.mode == StopMode::GiveUp => {
                known.extend(asked.iter().cloned());
            }
            _ => {}
        }
    }
}

/// A target ends unknown only where it could not be seen, and one that was never accepted is not said to have been.
pub(super) fn invariant_what_was_accepted_is_said_so(run: &Run) {
    for (target, stack) in &run.world {
        let outcome = &run.machine.state().targets[target].outcome;
        let Some(TargetOutcome::Unknown { reason }) = outcome else {
            continue;
        };
        assert!(is_lost(run, target), "{target}: {reason}");
        let is_told = reason.starts_with("it was accepted");
        assert!(!is_told || stack.executions == 1, "{target}: {reason}");
        let accepted = run.events.iter().any(|e| {
            e.scope.target.as_ref() == Some(target) && e.kind == EventKind::ExecuteAccepted
        });
        let is_silent = run.machine.state().lost.contains(&target.region);
        assert!(!accepted || is_told || is_silent, "{target}: {reason}");
    }
}

pub(super) fn invariant_nothing_executes_before_approval_of_that_plan(run: &Run, turn: &Turn) {
    let state = run.machine.state();
    for step in &turn.steps {
        let (is_execute, approved) = match work(step) {
            Some(TargetWork::Execute { approved, .. }) => (true, approved),
            Some(TargetWork::ApplySetting { approved, .. }) => (false, approved),
            _ => continue,
        };
        let answer = state.approval.as_ref().and_then(|r| r.answered.as_ref());
        let answer = answer.expect("nothing is executed that nobody answered for");
        assert_eq!(answer.decision, Decision::Approve);
        assert_eq!(Some(answer.plan), state.plan);
        let planned = &state.targets[&approved.target].planned;
        assert_eq!(planned.as_ref(), Some(approved), "what was approved runs");
        let intended = run.events.iter().any(|e| {
            e.scope.target.as_ref() == Some(&approved.target)
                && match is_execute {
                    true => matches!(e.kind, EventKind::ExecuteIntended { .. }),
                    false => matches!(e.kind, EventKind::SettingIntended { .. }),
                }
        });
        assert!(intended, "an intent is written before its call");
    }
}

pub(super) fn invariant_nothing_begins_while_stopping(turn: &Turn, was_draining: bool) {
    if !was_draining {
        return;
    }
    for event in &turn.events {
        let begins = matches!(
            event.kind,
            EventKind::ChangeSetIntended { .. }
                | EventKind::TargetStarted
                | EventKind::ExecuteIntended { .. }
        );
        assert!(!begins, "{} while stopping", event.kind.name());
    }
    for step in &turn.steps {
        let mutates = matches!(
            work(step),
            Some(
                TargetWork::CreateChangeSet { .. }
                    | TargetWork::Execute { .. }
                    | TargetWork::DeleteChangeSet { .. }
                    | TargetWork::DeleteReviewStack { .. }
            )
        );
        assert!(!mutates, "{:?} while stopping", step.kind);
    }
}

/// A step of which nothing was recorded is not begun again at once: that would go on for ever. Looking at gates takes its time.
pub(super) fn invariant_what_came_to_nothing_is_not_begun_again(
    run: &Run,
    done: &[(TargetIndex, Discriminant<TargetWork>)],
) {
    for step in &run.in_flight {
        if let StepKind::Target { index, work, .. } = &step.kind {
            let is_again = done.contains(&(*index, discriminant(work)));
            assert!(!is_again, "{:?} again", step.kind);
        }
    }
}

/// Giving up holds for whoever takes the execution up afterwards.
pub(super) fn invariant_nothing_begins_after_giving_up(run: &Run, turn: &Turn) {
    let Some(at) = given_up_at(run) else { return };
    for event in &run.events[at..] {
        let begins = matches!(
            event.kind,
            EventKind::ChangeSetIntended { .. }
                | EventKind::TargetStarted
                | EventKind::ExecuteIntended { .. }
                | EventKind::Answered { .. }
        );
        assert!(!begins, "{} after giving up", event.kind.name());
    }
    if at + 1 == run.events.len() {
        return;
    }
    for step in &turn.steps {
        let begins = matches!(
            work(step),
            Some(TargetWork::CreateChangeSet { .. } | TargetWork::Execute { .. })
        );
        assert!(!begins, "{:?} after giving up", step.kind);
    }
}

pub(super) fn given_up_at(run: &Run) -> Option<usize> {
    run.events.iter().position(|event| {
        matches!(&event.kind, EventKind::StopRequested { request } if request.mode == StopMode::GiveUp)
    })
}

/// A target that is said to be left out was not executed, will not be, and nobody waits for an answer about it.
pub(super) fn invariant_what_was_given_up_says_what_was_done(run: &Run) {
    let stopped = TargetOutcome::Skipped {
        reason: SkipReason::Stopped,
    };
    let mut left_out = 0;
    for (target, stack) in &run.world {
        if run.machine.state().targets[target].outcome.as_ref() == Some(&stopped) {
            left_out += 1;
            assert_eq!(stack.executions, 0, "{target} was executed");
            assert!(!stack.late, "{target} may yet be executed");
        }
    }
    let outcome = run.machine.state().outcome;
    if given_up_at(run).is_none() {
        assert_eq!(left_out, 0);
        assert_ne!(outcome, Some(ExecutionOutcome::Stopped));
    } else if left_out > 0 {
        let ended = [ExecutionOutcome::Stopped, ExecutionOutcome::Failed];
        assert!(ended.contains(&outcome.unwrap()), "{outcome:?}");
    }
}

pub(super) fn invariant_every_target_ends_or_the_execution_can_be_resumed(run: &Run) {
    let state = run.machine.state();
    if state.outcome.is_none() {
        assert!(
            state.awaits_answer() || state.gate.is_some(),
            "nothing runs and nobody is waited for: {:#?}",
            state.targets
        );
        return;
    }
    for (target, state) in &state.targets {
        assert!(state.outcome.is_some(), "{target} has no end");
        assert!(!state.is_being_cleaned(), "{target} is half cleaned up");
    }
}

pub(super) fn invariant_nothing_is_left_behind(run: &Run) {
    for (target, stack) in &run.world {
        let executed = stack.executions > 0 || is_lost(run, target);
        assert!(executed || !stack.has_change_set, "{target}: a change set");
        assert!(executed || !stack.in_review, "{target}: an empty stack");
    }
}

pub(super) fn invariant_replay_equals_live(run: &Run) {
    let live = run.machine.state();
    let replayed = Execution::replay(&run.events).unwrap();
    let told = |state: &Execution| {
        format!(
            "{:?}",
            (
                (state.seq, &state.stages, &state.artifacts, &state.targets),
                (state.plan, &state.approval, &state.paused),
                (state.stop, state.outcome, &state.gate),
                (&state.unreachable, &state.lost),
                (&state.asked_about, &state.unseen),
            )
        )
    };
    assert_eq!(told(live), told(&replayed));
    assert_eq!(live.rollout, replayed.rollout);
    let being_cleaned = live.targets.values().filter(|t| t.is_being_cleaned());
    assert_eq!(live.being_cleaned, being_cleaned.count());
    assert_eq!(live.being_cleaned, replayed.being_cleaned);
}

pub(super) fn invariant_in_flight_never_exceeds_preferences(run: &Run, turn: &Turn) {
    let state = run.machine.state();
    let wave_of = wave_of(run);
    let mut regions: BTreeMap<(usize, &Region), (usize, usize, u32)> = BTreeMap::new();
    for (target, state) in &state.targets {
        let (all, running, failed) = regions
            .entry((wave_of(target), &target.region))
            .or_default();
        *all += 1;
        *running += usize::from(matches!(
            state.phase,
            Phase::Started | Phase::Executing | Phase::Running | Phase::Settled
        ));
        *failed += u32::from(
            state
                .outcome
                .as_ref()
                .is_some_and(TargetOutcome::is_failure),
        );
    }
    let busy = regions.values().filter(|(_, running, _)| *running > 0);
    if run.preferences.region_concurrency == RegionConcurrency::Sequential {
        assert!(busy.count() <= 1, "one region after the other");
    }
    for ((wave, region), (all, running, failed)) in regions {
        let limits = Limits::new(all, &run.preferences);
        assert!(running <= limits.max_concurrent as usize, "{region}");
        let starts = turn.events.iter().any(|e| {
            matches!(e.kind, EventKind::TargetStarted)
                && e.scope
                    .target
                    .as_ref()
                    .is_some_and(|t| t.region == *region && wave_of(t) == wave)
        });
        if starts {
            assert!(failed <= limits.tolerance, "{region} had failed");
            assert!(running <= limits.allowed(failed) as usize, "{region}");
        }
    }
}

/// Returns what tells the wave of a target, by its number; the last is of those that no wave names.
fn wave_of(run: &Run) -> impl Fn(&Target) -> usize {
    let waves = waves(run);
    move |target| {
        let named = waves.iter().position(|w| w.targets.contains(target));
        named.unwrap_or(waves.len())
    }
}

fn waves(run: &Run) -> Vec<Wave> {
    let definition = &run.machine.state().definition;
    let mut fan_outs = definition
        .pipeline
        .actions()
        .filter_map(|a| a.fan_out.as_ref());
    fan_outs.next().map(|f| f.waves.clone()).unwrap_or_default()
}

pub(super) fn invariant_a_wave_begins_when_the_ones_before_ended_and_their_gates_opened(
    run: &Run,
    turn: &Turn,
) {
    let (waves, wave_of) = (waves(run), wave_of(run));
    let targets = &run.machine.state().targets;
    for event in &turn.events {
        let Some(target) = &event.scope.target else {
            continue;
        };
        if !matches!(event.kind, EventKind::TargetStarted) {
            continue;
        }
        for wave in waves.iter().take(wave_of(target)) {
            let has_ended = |t: &Target| targets[t].outcome.is_some();
            assert!(wave.targets.iter().all(has_ended), "{} runs", wave.name);
            let opened = run.events.iter().filter(
                |e| matches!(&e.kind, EventKind::GateOpened { place, .. } if place.wave == wave.name),
            );
            let needed = match wave.targets.is_empty() {
                true => 0,
                false => wave.gates.len(),
            };
            assert_eq!(opened.count(), needed, "gates of {}", wave.name);
        }
    }
}

/// Alarms are looked at, and commands run, about targets that ended, all of one wave.
pub(super) fn invariant_a_gate_is_for_targets_that_ended<'a>(
    run: &Run,
    targets: impl Iterator<Item = &'a Target>,
) {
    let (state, wave_of) = (run.machine.state(), wave_of(run));
    for target in targets {
        assert!(state.targets[target].outcome.is_some(), "{target} runs");
        let later = state
            .targets
            .keys()
            .filter(|t| wave_of(t) > wave_of(target));
        for later in later {
            let begun = matches!(
                state.targets[later].phase,
                Phase::Started | Phase::Executing | Phase::Running | Phase::Settled
            );
            assert!(!begun, "{later} runs");
        }
    }
}

/// Baking time has passed where a gate opened, and what became of a gate is told once.
pub(super) fn invariant_a_gate_opens_after_its_time_and_once(run: &Run) {
    let mut until: Vec<(GatePlace, Timestamp)> = Vec::new();
    let mut ended: Vec<GatePlace> = Vec::new();
    for event in &run.events {
        match &event.kind {
            EventKind::GateStarted { place, until: time } => until.push((place.clone(), *time)),
            EventKind::GateOpened { place, .. } | EventKind::GateClosed { place, .. } => {
                assert!(!ended.contains(place), "{place:?} ends twice");
                ended.push(place.clone());
                let is_opened = matches!(event.kind, EventKind::GateOpened { .. });
                let is_timed = matches!(place.gate, Gate::Bake { .. } | Gate::Alarms(_));
                let time = until.iter().find(|(of, _)| of == place);
                if is_opened && is_timed {
                    assert!(time.is_some_and(|(_, time)| event.at >= *time), "{place:?}");
                }
            }
            _ => {}
        }
    }
}

/// The same world with and without disturbances ends the same.
pub(super) fn invariant_crash_changes_nothing(case: &Case) {
    let calm = Case {
        disturbances: 0,
        ..case.clone()
    };
    let (calm, disturbed) = (Run::to_the_end(&calm), Run::to_the_end(case));
    assert_eq!(calm.outcomes(), disturbed.outcomes());
    assert_eq!(
        calm.machine.state().outcome,
        disturbed.machine.state().outcome
    );
}

pub(super) fn invariant_execution_has_its_own_role(spec: &TargetSpec) {
    assert_eq!(spec.role_arn.as_deref(), Some("execute"));
}
