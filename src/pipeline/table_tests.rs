//! Which events may follow which.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{Execution, IllegalEvent};
use crate::model::*;
use crate::pipeline::{APPROVAL_STAGE, CREATE_STAGE, Deployment, EXECUTE_STAGE, SOURCE_STAGE};

fn target() -> Target {
    Target {
        account: AccountId::new("111111111111").unwrap(),
        region: Region::new("eu-west-1").unwrap(),
        stack: StackName::new("network").unwrap(),
    }
}

fn scope(stage: Option<&str>, action: Option<&str>) -> Scope {
    Scope {
        stage: stage.map(|s| StageName::new(s).unwrap()),
        action: action.map(|a| ActionName::new(a).unwrap()),
        target: None,
    }
}

fn of_target() -> Scope {
    Scope {
        target: Some(target()),
        ..Scope::default()
    }
}

fn begun() -> Execution {
    begun_for(&[target()])
}

fn begun_for(targets: &[Target]) -> Execution {
    let specs = targets.iter().map(|target| TargetSpec {
        target: target.clone(),
        role_arn: None,
        execute_role_arn: None,
    });
    let deployment = Deployment {
        stack: StackName::new("network").unwrap(),
        template: "network.yaml".to_owned(),
        files: Vec::new(),
        configuration: None,
        parameter_overrides: None,
        parameter_origins: Default::default(),
        tags: BTreeMap::new(),
        capabilities: Vec::new(),
        role_arn: None,
        artifact_bucket: None,
        stack_policy: None,
        options: crate::model::StackOptions::default(),
        packaged: Vec::new(),
        template_buckets: None,
        wait: None,
        fan_out: FanOut {
            waves: Vec::new(),
            targets: specs.collect(),
            preferences: OperationPreferences::default(),
        },
        rolls_back: false,
        approval_minutes: 60,
        risks: crate::model::RiskChoices::default(),
        notes: Vec::new(),
    };
    Execution::begin(&Event {
        seq: 1,
        execution: ExecutionId::new("01938f5e-0000-7000-8000-000000000001").unwrap(),
        at: jiff::Timestamp::UNIX_EPOCH,
        scope: Scope::default(),
        kind: EventKind::ExecutionStarted {
            definition: std::sync::Arc::new(ExecutionDefinition {
                pipeline: deployment.pipeline(),
                invocation: Invocation::default(),
                secrets: BTreeMap::new(),
                allow_literal_secrets: false,
                left_out: Vec::new(),
            }),
        },
    })
    .unwrap()
}

fn say(state: &mut Execution, scope: Scope, kind: EventKind) -> Result<(), IllegalEvent> {
    let event = Event {
        seq: state.seq + 1,
        execution: state.id.clone(),
        at: jiff::Timestamp::UNIX_EPOCH,
        scope,
        kind,
    };
    state.apply(&event)
}

fn plan() -> Digest {
    Digest::of(b"plan")
}

fn answered(decision: Decision, plan: Digest) -> EventKind {
    EventKind::Answered {
        answer: Answer {
            wave: None,
            decision,
            plan,
            approver: Approver {
                arn: None,
                os_user: "ana".to_owned(),
                host: "laptop".to_owned(),
            },
            origin: Origin::Command,
            at: jiff::Timestamp::UNIX_EPOCH,
            summary: String::new(),
            covers: None,
        },
    }
}

fn requested(plan: Digest) -> EventKind {
    let expires = jiff::Timestamp::MAX;
    EventKind::ApprovalRequested {
        plan,
        expires,
        wave: None,
    }
}

/// Every kind of event about a target, in the order of its life.
fn life() -> Vec<EventKind> {
    let stack = StackId::new("arn:stack").unwrap();
    vec![
        EventKind::ChangeSetIntended {
            kind: ChangeSetKind::Create,
            name: ChangeSetName::new("change").unwrap(),
            token: "create".to_owned(),
            caller: Caller {
                account: target().account,
                arn: "arn:ana".to_owned(),
            },
            stack: None,
            inputs: Box::new(TargetInputs {
                template: "Source::network.yaml".parse().unwrap(),
                template_digest: Digest::of(b"template"),
                packaged: None,
                uploads: crate::model::Uploads::default(),
                parameters: Vec::new(),
                tags: None,
                capabilities: BTreeSet::new(),
                role_arn: None,
                stack_policy: None,
                options: crate::model::StackOptions::default(),
            }),
        },
        EventKind::ChangeSetCreated {
            change_set: ChangeSetId::new("arn:change-set").unwrap(),
            stack: stack.clone(),
        },
        EventKind::ChangeSetReady {
            changes: Vec::new(),
            base: Base {
                stack,
                status: StackStatus::ReviewInProgress,
                newest_event: None,
            },
            previous_template: None,
            previous_parameters: Default::default(),
            settings_only: false,
            gone_exports: Vec::new(),
            drift: None,
        },
        EventKind::TargetStarted,
        EventKind::ExecuteIntended {
            deletes: false,
            token: "execute".to_owned(),
        },
        EventKind::CallFailed {
            failure: CallFailure::new(FailureKind::Ambiguous, "lost"),
        },
        EventKind::ExecuteAccepted,
        EventKind::Observed { events: Vec::new() },
        EventKind::TargetFinished {
            outcome: TargetOutcome::NotPlanned {
                cause: Cause::of("refused"),
            },
            outputs: BTreeMap::new(),
        },
        EventKind::CleanupIntended {
            why: CleanupWhy::NotNeeded,
        },
        EventKind::ChangeSetDeleted,
        EventKind::CleanupDone { left: None },
    ]
}

/// An execution whose plan is approved, with a target that has lived through `names`.
fn lived(names: &[&str]) -> Execution {
    lived_by(&[target()], names)
}

/// The same with `targets` that have all lived through them.
pub(super) fn lived_by(targets: &[Target], names: &[&str]) -> Execution {
    let mut state = begun_for(targets);
    let approval = scope(Some(APPROVAL_STAGE), Some("Review"));
    say(
        &mut state,
        approval.clone(),
        EventKind::PlanReady { digest: plan() },
    )
    .unwrap();
    say(&mut state, approval.clone(), requested(plan())).unwrap();
    say(&mut state, approval, answered(Decision::Approve, plan())).unwrap();
    for target in targets {
        let scope = Scope {
            target: Some(target.clone()),
            ..Scope::default()
        };
        for name in names {
            let kind = life().into_iter().find(|k| k.name() == *name).unwrap();
            say(&mut state, scope.clone(), kind).unwrap();
        }
    }
    state
}

#[test]
fn a_target_takes_what_its_phase_allows_and_refuses_the_rest() {
    let intended = ["change_set_intended"];
    let created = [intended[0], "change_set_created"];
    let ready = [created[0], created[1], "change_set_ready"];
    let started = [&ready[..], &["target_started"]].concat();
    let executing = [&started[..], &["execute_intended"]].concat();
    let running = [&executing[..], &["execute_accepted"]].concat();
    let ended = [&ready[..], &["target_finished"]].concat();
    let cleaning = [&ended[..], &["cleanup_intended"]].concat();
    let deleted = [&cleaning[..], &["change_set_deleted"]].concat();
    let cleaned = [&deleted[..], &["cleanup_done"]].concat();
    let table: [(&[&str], &[&str]); 12] = [
        (&[], &["change_set_intended", "target_finished"]),
        (
            &intended,
            &[
                "change_set_intended",
                "change_set_created",
                "call_failed",
                "target_finished",
            ],
        ),
        (&created, &["change_set_ready", "target_finished"]),
        (&ready, &["target_started", "target_finished"]),
        (&started, &["execute_intended", "target_finished"]),
        (
            &executing,
            &[
                "execute_intended",
                "call_failed",
                "execute_accepted",
                "target_finished",
            ],
        ),
        (&running, &["observed", "target_finished"]),
        (&["target_finished"], &[]),
        (&ended, &["cleanup_intended"]),
        (&cleaning, &["change_set_deleted", "cleanup_done"]),
        (&deleted, &["cleanup_done"]),
        (&cleaned, &[]),
    ];
    for (past, allowed) in table {
        let state = lived(past);
        for kind in life() {
            let name = kind.name();
            let result = say(&mut state.clone(), of_target(), kind);
            assert_eq!(
                result.is_ok(),
                allowed.contains(&name),
                "{name} after {past:?}"
            );
            if let Err(error) = result {
                assert_eq!((error.event, error.seq), (name, state.seq + 1));
            }
        }
    }
}

#[test]
fn an_event_about_a_target_needs_one_of_the_execution() {
    for kind in life() {
        let refused = say(&mut begun(), Scope::default(), kind.clone()).unwrap_err();
        assert_eq!(refused.why, "it needs a target");
        let mut stranger = of_target();
        stranger.target.as_mut().unwrap().account = AccountId::new("222222222222").unwrap();
        assert!(say(&mut begun(), stranger, kind).is_err());
    }
}

#[test]
fn nothing_starts_before_the_plan_is_approved() {
    let approval = || scope(Some(APPROVAL_STAGE), Some("Review"));
    let start = |state: &Execution| {
        let mut state = state.clone();
        for kind in life().into_iter().take(3) {
            say(&mut state, of_target(), kind).unwrap();
        }
        say(&mut state, of_target(), EventKind::TargetStarted)
    };
    let mut state = begun();
    assert!(start(&state).is_err(), "without a plan");
    assert!(say(&mut state, approval(), requested(plan())).is_err());
    say(
        &mut state,
        approval(),
        EventKind::PlanReady { digest: plan() },
    )
    .unwrap();
    let again = EventKind::PlanReady { digest: plan() };
    assert!(say(&mut state, approval(), again).is_err(), "one plan");
    let early = answered(Decision::Approve, plan());
    assert!(say(&mut state, approval(), early).is_err(), "nobody asked");
    let other = Digest::of(b"other");
    assert!(say(&mut state, approval(), requested(other)).is_err());
    say(&mut state, approval(), requested(plan())).unwrap();
    assert!(say(&mut state, approval(), requested(plan())).is_err());
    assert!(start(&state).is_err(), "nobody answered");
    let wrong = answered(Decision::Approve, other);
    assert!(say(&mut state, approval(), wrong).is_err());
    let mut rejected = state.clone();
    say(
        &mut rejected,
        approval(),
        answered(Decision::Reject, plan()),
    )
    .unwrap();
    assert!(start(&rejected).is_err(), "rejected");
    let second = answered(Decision::Approve, plan());
    assert!(
        say(&mut rejected, approval(), second).is_err(),
        "the first counts"
    );
    say(&mut state, approval(), answered(Decision::Approve, plan())).unwrap();
    start(&state).unwrap();
}

#[test]
fn stages_and_actions_begin_once_and_end_once() {
    let reason = || "no".to_owned();
    let failed = EventKind::StageFailed { reason: reason() };
    let skipped = EventKind::StageSkipped { reason: reason() };
    let action_failed = EventKind::ActionFailed { reason: reason() };
    let stage = || scope(Some(SOURCE_STAGE), None);
    let action = || scope(Some(SOURCE_STAGE), Some("Files"));
    let cases = [
        (stage(), EventKind::StageStarted, EventKind::StageSucceeded),
        (stage(), EventKind::StageStarted, failed.clone()),
        (
            action(),
            EventKind::ActionStarted,
            EventKind::ActionSucceeded,
        ),
        (action(), EventKind::ActionStarted, action_failed),
    ];
    for (scope, start, end) in cases {
        let mut state = begun();
        assert!(say(&mut state, scope.clone(), end.clone()).is_err());
        say(&mut state, scope.clone(), start.clone()).unwrap();
        assert!(say(&mut state, scope.clone(), start.clone()).is_err());
        say(&mut state, scope.clone(), end.clone()).unwrap();
        assert!(say(&mut state, scope.clone(), end).is_err());
        assert!(say(&mut state, scope, start).is_err());
    }
    let mut state = begun();
    say(&mut state, scope(Some(EXECUTE_STAGE), None), skipped).unwrap();
    let late = scope(Some(EXECUTE_STAGE), None);
    assert!(say(&mut state, late, EventKind::StageStarted).is_err());
    let nowhere = scope(Some("Elsewhere"), None);
    assert!(say(&mut state, nowhere, EventKind::StageStarted).is_err());
    let nothing = scope(Some(CREATE_STAGE), Some("Nothing"));
    assert!(say(&mut state, nothing, EventKind::ActionStarted).is_err());
}

#[test]
fn numbers_have_no_gaps_and_nothing_follows_the_end() {
    let mut state = begun();
    let mut event = Event {
        seq: 3,
        execution: state.id.clone(),
        at: jiff::Timestamp::UNIX_EPOCH,
        scope: Scope::default(),
        kind: EventKind::ExecutionFinished {
            outcome: ExecutionOutcome::Failed,
        },
    };
    assert!(state.apply(&event).is_err());
    event.seq = 2;
    state.apply(&event).unwrap();
    event.seq = 3;
    assert_eq!(
        state.apply(&event).unwrap_err().why,
        "the execution has ended"
    );
}
