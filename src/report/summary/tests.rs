//! Tests of `summary`.

use super::super::fixtures::{self, Script, assert_screens};
use super::*;
use crate::model::{
    CallFailure, Cause, EXECUTED_ELSEWHERE, EventKind, FailureKind, PauseReason, SkipReason,
};
use crate::model::{ChangeSetKind, StackStatus, StackSummary};

#[test]
fn a_halted_rollout_ends_with_causes() {
    let view = fixtures::halted().view();
    assert_screens!("halted", |options: &ScreenOptions| summary(&view, options));
}

#[test]
fn what_somebody_else_executed_is_not_denied() {
    let headline = |script: &Script| {
        let text = summary(&script.view(), &ScreenOptions::default());
        text.lines().next().unwrap().to_owned()
    };
    let ended = |outcome: ExecutionOutcome, is_found: bool| {
        let mut script = fixtures::fleet();
        let left = is_found.then(|| format!("{EXECUTED_ELSEWHERE} (EXECUTE_COMPLETE), and left"));
        for target in fixtures::four() {
            script.at(&target, EventKind::CleanupDone { left: left.clone() });
            let reason = SkipReason::Stopped;
            script.end(&target, TargetOutcome::Skipped { reason });
        }
        script.finish(outcome);
        headline(&script)
    };
    let (given_up, rejected) = (ExecutionOutcome::Stopped, ExecutionOutcome::Rejected);
    assert!(ended(given_up, true).contains("nothing was executed here"));
    assert!(!ended(given_up, false).contains("here"));
    assert!(ended(rejected, true).contains("too late for 4 of 4 targets"));
    assert!(ended(rejected, false).contains("plan rejected  "));
}

#[test]
fn several_problems_have_a_line_each_and_the_log_keeps_them_in_one() {
    let targets = fixtures::four();
    let mut script = Script::new(&targets[..2]);
    let problems = [
        "orders.json:1: parameter `A` is not declared; remove it",
        "orders.json:2: export b: there is none",
    ];
    let failure = CallFailure::several(FailureKind::BadInput, problems);
    for target in &targets[..2] {
        let cause = Cause::of_call(&failure);
        script.end(target, TargetOutcome::NotPlanned { cause });
    }
    script.finish(ExecutionOutcome::Failed);
    let view = script.view();
    let text = summary(&view, &ScreenOptions::default());
    assert!(text.contains("2 problems\n      orders.json:1: "), "{text}");
    for problem in problems {
        assert!(text.lines().any(|line| line.trim() == problem), "{text}");
    }
    let outcome = view.targets()[0].outcome().unwrap();
    let said = words::target_outcome_detail(outcome).unwrap();
    assert_eq!(said, problems.join("; "));
}

#[test]
fn what_was_denied_says_what_would_allow_it() {
    let targets = fixtures::four();
    let mut script = Script::new(&targets);
    for target in &targets[..3] {
        let reason = format!(
            "CreateChangeSet in {}: AccessDenied: User: arn:aws:sts::{}:assumed-role/Deploy/stackgate-1 is not authorized to \
                 perform: cloudformation:CreateChangeSet on resource: arn:aws:cloudformation:{}:{}:stack/orders/* because no \
                 identity-based policy allows the cloudformation:CreateChangeSet action (request 1)",
            target.place(),
            target.account,
            target.region,
            target.account,
        );
        let cause = Cause::of(reason);
        script.end(target, TargetOutcome::NotPlanned { cause });
    }
    let cause = Cause::of(format!(
        "DescribeStacks in {}: AccessDenied: User: arn:aws:iam::111111111111:user/ann is not authorized to perform: \
             cloudformation:DescribeStacks with an explicit deny in a service control policy",
        targets[3].place()
    ));
    script.end(&targets[3], TargetOutcome::NotPlanned { cause });
    script.finish(ExecutionOutcome::Failed);
    let view = script.view();
    assert_screens!("denied", |options: &ScreenOptions| summary(&view, options));
    let json = serde_json::to_value(Summary::of(&view)).unwrap();
    assert_eq!(
        json["not_planned"][0]["denial"]["by"]["no_allow"],
        "identity"
    );
    assert_eq!(
        json["not_planned"][1]["denial"]["by"]["explicit_deny"],
        "service_control"
    );
}

#[test]
fn a_stale_target_says_how_it_differs() {
    let view = fixtures::stale().view();
    assert_screens!("stale", |options: &ScreenOptions| summary(&view, options));
}

#[test]
fn a_rejection_names_who_and_why() {
    let view = fixtures::rejected().view();
    assert_screens!("rejected", |options: &ScreenOptions| summary(
        &view, options
    ));
}

#[test]
fn no_changes_are_good_news() {
    let view = fixtures::nothing().view();
    assert_screens!("nothing", |options: &ScreenOptions| summary(&view, options));
}

#[test]
fn a_single_target_shows_its_outputs() {
    let only = fixtures::target('1', "eu-west-1");
    let mut script = Script::new(std::slice::from_ref(&only));
    script
        .update(&only, fixtures::change_a())
        .ask()
        .approve()
        .start(&only);
    let outputs = [
        (
            "QueueUrl",
            "https://sqs.eu-west-1.amazonaws.com/111111111111/orders",
        ),
        ("Arn", "arn:aws:sqs:eu-west-1:111111111111:orders"),
    ];
    script.at(
        &only,
        EventKind::TargetFinished {
            outcome: fixtures::succeeded(),
            outputs: outputs.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        },
    );
    script.finish(ExecutionOutcome::Succeeded);
    let view = script.view();
    assert_screens!("outputs", |options: &ScreenOptions| summary(&view, options));
}

#[test]
fn other_ends_read_well() {
    let options = ScreenOptions::default();
    let mut all = String::new();
    let waiting = fixtures::fleet();
    let mut paused = fixtures::fleet();
    paused
        .approve()
        .start(&fixtures::four()[0])
        .say(EventKind::Paused {
            reason: PauseReason::CredentialsExpired {
                message: "the security token included in the request is expired".to_owned(),
            },
        });
    let hostile = fixtures::hostile();
    let done = fixtures::finished();
    for script in [waiting, paused, hostile, done] {
        all.push_str(&summary(&script.view(), &options));
        all.push_str("--\n");
    }
    all.push_str(&summary(&View::new(), &options));
    insta::assert_snapshot!("other_ends", all);
}

#[test]
fn each_region_in_which_nothing_answers_is_told_until_somebody_resumes() {
    let silent = |region: &str, untouched, under_way| EventKind::Paused {
        reason: PauseReason::Unreachable {
            region: region.parse().unwrap(),
            untouched,
            under_way,
            message: "DescribeChangeSet in 111111111111/x: no route; tried for 5 min".to_owned(),
        },
    };
    let mut script = fixtures::fleet();
    script
        .approve()
        .start(&fixtures::four()[0])
        .say(silent("us-east-1", 1, 1))
        .say(silent("eu-west-1", 2, 0));
    let told = summary(&script.view(), &ScreenOptions::default());
    let told: Vec<&str> = told.split_whitespace().collect();
    let told = told.join(" ");
    for line in [
        "no usable answer from us-east-1; 1 target there is untouched, 1 target there is under way in AWS: DescribeChangeSet",
        "no usable answer from eu-west-1; 2 targets there are untouched: DescribeChangeSet",
        "no target failed for it; when the region answers again, resume",
    ] {
        assert!(told.contains(line), "{told}");
    }
    script.say(EventKind::Resumed {
        owner: "host 42".to_owned(),
        secrets: Default::default(),
    });
    script.say(silent("eu-west-1", 2, 0));
    let view = script.view();
    assert_eq!(view.unreachable().len(), 1);
    assert!(!summary(&view, &ScreenOptions::default()).contains("answer from us-east-1"));
}

#[test]
fn ascii_terminals_get_ascii() {
    let options = ScreenOptions {
        unicode: false,
        ..ScreenOptions::default()
    };
    for script in [fixtures::halted(), fixtures::stale(), fixtures::rejected()] {
        let text = summary(&script.view(), &options);
        assert!(text.is_ascii(), "{text}");
    }
}

#[test]
fn a_region_that_failed_to_its_last_target_halts_the_next() {
    let targets = fixtures::four();
    let mut script = fixtures::fleet();
    script.approve();
    for target in &targets[..2] {
        script.start(target).end(target, fixtures::quota(target));
    }
    for target in &targets[2..] {
        let reason = SkipReason::EarlierRegionFailed {
            region: "us-east-1".parse().unwrap(),
        };
        script.end(target, TargetOutcome::Skipped { reason });
    }
    script.finish(ExecutionOutcome::Failed);
    let text = summary(&script.view(), &ScreenOptions::default());
    assert!(
        text.starts_with("rollout halted in us-east-1: 2 failures exceed the tolerance "),
        "{text}"
    );
}

#[test]
fn the_machine_form_is_pinned() {
    let summary = Summary::of(&fixtures::halted().view());
    insta::assert_json_snapshot!("halted_json", summary);
}

#[test]
fn what_people_took_is_told_apart() {
    let headline = |waits: i64, pause: i64| {
        let mut script = fixtures::fleet();
        script.wait(waits).approve();
        script.say(EventKind::Paused {
            reason: PauseReason::CredentialsExpired {
                message: "expired".to_owned(),
            },
        });
        script.wait(pause).say(EventKind::Resumed {
            owner: "host 42".to_owned(),
            secrets: Default::default(),
        });
        for target in fixtures::four() {
            script.start(&target).end(&target, fixtures::succeeded());
        }
        script.finish(ExecutionOutcome::Succeeded);
        let options = ScreenOptions {
            width: 120,
            ..ScreenOptions::default()
        };
        let text = summary(&script.view(), &options);
        text.lines().next().unwrap().to_owned()
    };
    let begin = "network deployed to 4 targets   ";
    let quick = headline(0, 0);
    assert!(quick.starts_with(begin), "{quick}");
    assert!(!quick.contains("of which"), "{quick}");
    let slow = headline(540, 0);
    assert!(
        slow.ends_with(", of which 9 min 0 s waiting for approval"),
        "{slow}"
    );
    let both = headline(540, 90);
    assert!(
        both.ends_with(", of which 9 min 0 s waiting for approval and 1 min 30 s paused"),
        "{both}"
    );
}

/// Has the stacks of `script` be as an update left them that failed.
fn failed_before(script: &mut Script) {
    let id = "arn:aws:cloudformation:eu-west-1:111111111111:stack/network/1";
    for event in &mut script.events {
        if let EventKind::ChangeSetIntended { stack, .. } = &mut event.kind {
            *stack = Some(StackSummary {
                id: id.parse().unwrap(),
                status: StackStatus::UpdateFailed,
                reason: None,
                parameters: Vec::new(),
                outputs: Default::default(),
                tags: None,
            });
        }
    }
}

fn joined(view: &View) -> String {
    let text = summary(view, &ScreenOptions::default());
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_stack_that_stays_failed_is_not_good_news() {
    let only = fixtures::target('1', "eu-west-1");
    let mut script = Script::new(std::slice::from_ref(&only));
    script.intend(&only, ChangeSetKind::Update, fixtures::inputs());
    failed_before(&mut script);
    script.end(&only, TargetOutcome::NoChanges);
    script.finish(ExecutionOutcome::NothingToDo);
    let text = joined(&script.view());
    assert!(
        text.starts_with(
            "network: nothing was changed in 1 target; 1 stack is still UPDATE_FAILED, and a change set "
        ),
        "{text}"
    );
    let way = "next: stackgate recover network --rollback-stack --accounts 111111111111 --regions eu-west-1";
    assert!(text.contains(way), "{text}");
}

#[test]
fn a_stack_that_stays_failed_beside_others_is_not_done() {
    let four = fixtures::four();
    let mut script = Script::new(&four);
    script.intend(&four[3], ChangeSetKind::Update, fixtures::inputs());
    failed_before(&mut script);
    script.end(&four[3], TargetOutcome::NoChanges);
    for target in &four[..3] {
        script.update(target, fixtures::change_a());
    }
    script.ask().approve();
    for target in &four[..3] {
        script.start(target).end(target, fixtures::succeeded());
    }
    script.finish(ExecutionOutcome::Succeeded);
    let text = joined(&script.view());
    assert!(
        text.starts_with(
            "network deployed to 3 of 4 targets; 1 stack is still UPDATE_FAILED, and a change set "
        ),
        "{text}"
    );
    assert!(
        text.contains("next: stackgate recover network --rollback-stack"),
        "{text}"
    );
}

#[test]
fn what_was_rejected_after_a_wave_is_not_the_plan() {
    let mut script = fixtures::canary();
    script.approve();
    let plan = script.view().plan().unwrap();
    let wave: crate::model::WaveName = "canary".parse().unwrap();
    script.say(EventKind::ApprovalRequested {
        plan,
        expires: "2026-11-29T22:00:00Z".parse().unwrap(),
        wave: Some(wave.clone()),
    });
    script.say(EventKind::Answered {
        answer: crate::model::Answer {
            decision: crate::model::Decision::Reject,
            plan,
            wave: Some(wave),
            approver: fixtures::alice(),
            origin: crate::model::Origin::Command,
            at: script.now(),
            summary: "latency".to_owned(),
            covers: None,
        },
    });
    let text = summary(&script.view(), &ScreenOptions::default());
    assert!(
        text.contains("after wave canary rejected by alice@laptop as assumed-role/Deploy/alice"),
        "{text}"
    );
    assert!(!text.contains("plan 64879f7d rejected"), "{text}");
}
