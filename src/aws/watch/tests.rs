//! Stories of operations, as their events and the stack tell them.

use super::super::fixture::{STACK, aws, spec, stack_id, stacks};
use super::super::scripted::{Reply, Scripted};
use super::*;

const OURS: &str = "token-1";

/// An event: id, resource (`-` for the stack itself), status, reason, token.
fn event((id, resource, status, reason, token): (&str, &str, &str, &str, &str)) -> String {
    let optional = |tag: &str, text: &str| match text {
        "" => String::new(),
        text => format!("<{tag}>{text}</{tag}>"),
    };
    let (logical, physical, kind) = match resource {
        "-" => ("app", STACK, "AWS::CloudFormation::Stack"),
        other => (other, "physical", "AWS::SSM::Parameter"),
    };
    format!(
        "<member><EventId>{id}</EventId><LogicalResourceId>{logical}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>\
             <ResourceType>{kind}</ResourceType><ResourceStatus>{status}</ResourceStatus>{}{}</member>",
        optional("ResourceStatusReason", reason),
        optional("ClientRequestToken", token),
    )
}

/// A page of events, given oldest first.
fn events(oldest_first: &[(&str, &str, &str, &str, &str)]) -> String {
    let members: String = oldest_first.iter().rev().map(|e| event(*e)).collect();
    format!("<StackEvents>{members}</StackEvents>")
}

async fn watched(
    script: &Scripted,
    after: Option<&str>,
) -> (Result<Settled, CallFailure>, Vec<String>) {
    let mut seen = Vec::new();
    let settled = aws(script)
        .await
        .watch(&spec(), &stack_id(), OURS, after, true, |events| {
            seen.extend(events.into_iter().map(|e| e.id));
        })
        .await;
    (settled, seen)
}

#[tokio::test(start_paused = true)]
async fn a_stack_without_outputs_is_not_looked_at_once_its_own_events_tell_a_good_end() {
    let story = |status, token| {
        events(&[
            ("e1", "-", "UPDATE_IN_PROGRESS", "User Initiated", OURS),
            ("e2", "Queue", "UPDATE_COMPLETE", "", OURS),
            ("e3", "-", status, "", token),
        ])
    };
    let cases = [
        ("UPDATE_COMPLETE", OURS, false, 0),
        ("UPDATE_COMPLETE", OURS, true, 1),
        // The endpoint gives no token, or the end is none that anybody wants: the stack tells more.
        ("UPDATE_COMPLETE", "", false, 1),
        ("UPDATE_ROLLBACK_COMPLETE", OURS, false, 1),
        ("DELETE_COMPLETE", OURS, false, 1),
    ];
    for (status, token, has_outputs, looks) in cases {
        let script = Scripted::new();
        script
            .ok("DescribeStackEvents", &story(status, token))
            .ok("DescribeStacks", &stacks(status));
        let settled = aws(&script)
            .await
            .watch(&spec(), &stack_id(), OURS, None, has_outputs, drop)
            .await
            .unwrap();
        assert_eq!(settled.status.as_str(), status);
        assert_eq!(
            script.requests_of("DescribeStacks").len(),
            looks,
            "{status} {token}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_recovery_is_watched_behind_what_it_takes_back() {
    let script = Scripted::new();
    let story = [
        ("e1", "-", "UPDATE_IN_PROGRESS", "User Initiated", "theirs"),
        ("e2", "Queue", "UPDATE_IN_PROGRESS", "", "theirs"),
        ("e3", "-", "UPDATE_ROLLBACK_IN_PROGRESS", "", OURS),
        ("e4", "Queue", "UPDATE_COMPLETE", "", OURS),
        ("e5", "-", "UPDATE_ROLLBACK_COMPLETE", "", OURS),
    ];
    script
        .ok("DescribeStackEvents", &events(&story[..2]))
        .ok("DescribeStackEvents", &events(&story))
        .ok("DescribeStacks", &stacks("UPDATE_IN_PROGRESS"))
        .ok("DescribeStacks", &stacks("UPDATE_ROLLBACK_COMPLETE"));
    let (spec, stack) = (spec(), stack_id());
    let way = Recovery::CancelUpdate;
    let aws = aws(&script).await;
    let settled = aws
        .watch_recovery(&spec, &stack, way, OURS, Some("e1"))
        .await;
    assert_eq!(settled.unwrap().status, StackStatus::UpdateRollbackComplete);
    // One that never begins is told by its own name.
    let script = Scripted::new();
    script
        .ok("DescribeStackEvents", &events(&story[..1]))
        .ok("DescribeStacks", &stacks("UPDATE_ROLLBACK_FAILED"));
    let way = Recovery::ContinueRollback;
    let aws = super::super::fixture::aws(&script).await;
    let settled = aws
        .watch_recovery(&spec, &stack, way, OURS, Some("e1"))
        .await;
    let failure = settled.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Ambiguous);
    assert!(
        failure.message.starts_with("ContinueUpdateRollback in"),
        "{failure}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_update_is_watched_to_its_end() {
    let script = Scripted::new();
    let story = [
        ("e0", "-", "CREATE_COMPLETE", "", "old"),
        ("e1", "-", "UPDATE_IN_PROGRESS", "User Initiated", OURS),
        ("e2", "Queue", "UPDATE_COMPLETE", "", OURS),
        ("e3", "-", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "", OURS),
        ("e4", "-", "UPDATE_COMPLETE", "", OURS),
    ];
    script
        .ok("DescribeStacks", &stacks("UPDATE_COMPLETE"))
        .ok("DescribeStackEvents", &events(&story[..2]))
        .ok("DescribeStackEvents", &events(&story[..4]))
        .ok("DescribeStackEvents", &events(&story));
    let (settled, seen) = watched(&script, Some("e0")).await;
    let settled = settled.unwrap();
    assert_eq!(settled.status, StackStatus::UpdateComplete);
    assert_eq!(settled.cause, None);
    assert_eq!(settled.outputs["Url"], "of UPDATE_COMPLETE");
    assert_eq!(seen, ["e1", "e2", "e3", "e4"]);
    // Its status is of no interest before the events show its end.
    assert_eq!(script.requests_of("DescribeStacks").len(), 1);
    assert_eq!(script.requests_of("DescribeStackEvents").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_is_to_go_ends_well_when_it_is_gone() {
    let story = [
        ("e0", "-", "CREATE_COMPLETE", "", "old"),
        ("e1", "-", "DELETE_IN_PROGRESS", "User Initiated", OURS),
        ("e2", "Queue", "DELETE_COMPLETE", "", OURS),
        ("e3", "-", "DELETE_COMPLETE", "", OURS),
    ];
    for last in ["<Stacks></Stacks>".to_owned(), stacks("DELETE_COMPLETE")] {
        let script = Scripted::new();
        script
            .ok("DescribeStacks", &stacks("DELETE_IN_PROGRESS"))
            .ok("DescribeStacks", &last)
            .ok("DescribeStackEvents", &events(&story));
        let mut seen = Vec::new();
        let settled = aws(&script)
            .await
            .watch_deletion(&spec(), &stack_id(), OURS, Some("e0"), |events| {
                seen.extend(events.into_iter().map(|e| e.id));
            })
            .await
            .unwrap();
        assert_eq!(settled.status, StackStatus::DeleteComplete);
        assert_eq!(settled.cause, None);
        assert_eq!(seen, ["e1", "e2", "e3"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_fails_names_the_resource_that_stays() {
    // It had failed before, with another resource to blame.
    let story = [
        ("e0", "Old", "DELETE_FAILED", "not that", "old"),
        ("e1", "-", "DELETE_FAILED", "", "old"),
        ("e2", "-", "DELETE_IN_PROGRESS", "User Initiated", OURS),
        ("e3", "Bucket", "DELETE_FAILED", "it is not empty", OURS),
        ("e4", "-", "DELETE_FAILED", "failed: [Bucket]", OURS),
    ];
    let script = Scripted::new();
    script
        .ok("DescribeStacks", &stacks("DELETE_FAILED"))
        .ok("DescribeStacks", &stacks("DELETE_IN_PROGRESS"))
        .ok("DescribeStacks", &stacks("DELETE_FAILED"))
        .ok("DescribeStackEvents", &events(&story[..2]))
        .ok("DescribeStackEvents", &events(&story));
    let settled = aws(&script)
        .await
        .watch_deletion(&spec(), &stack_id(), OURS, Some("e1"), drop)
        .await
        .unwrap();
    assert_eq!(settled.status, StackStatus::DeleteFailed);
    let cause = settled.cause.unwrap();
    assert_eq!(cause.resource.unwrap().0.as_str(), "Bucket");
    assert_eq!(cause.reason, "it is not empty");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_loses_the_last_events_is_not_watched_for_ever() {
    let script = Scripted::new();
    script.ok("DescribeStacks", &stacks("UPDATE_COMPLETE")).ok(
        "DescribeStackEvents",
        &events(&[("e1", "-", "UPDATE_IN_PROGRESS", "", OURS)]),
    );
    let (settled, seen) = watched(&script, Some("e0")).await;
    assert_eq!(settled.unwrap().status, StackStatus::UpdateComplete);
    assert_eq!(seen, ["e1"]);
}

#[tokio::test(start_paused = true)]
async fn the_status_from_before_is_not_taken_for_the_end() {
    let script = Scripted::new();
    let story = [
        ("e0", "-", "UPDATE_COMPLETE", "", ""),
        ("e1", "-", "UPDATE_IN_PROGRESS", "", ""),
        ("e2", "-", "UPDATE_COMPLETE", "", ""),
    ];
    for _ in 0..3 {
        script.ok("DescribeStacks", &stacks("UPDATE_COMPLETE"));
        script.ok("DescribeStackEvents", &events(&story[..1]));
    }
    // The whole operation happens between two polls, on an endpoint that gives no tokens.
    script.ok("DescribeStackEvents", &events(&story));
    let (settled, seen) = watched(&script, Some("e0")).await;
    assert_eq!(settled.unwrap().status, StackStatus::UpdateComplete);
    assert_eq!(seen, ["e1", "e2"]);
    assert_eq!(script.requests_of("DescribeStacks").len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_stack_in_review_is_waited_for_a_while_and_then_asked_about() {
    let script = Scripted::new();
    script
        .ok("DescribeStacks", &stacks("REVIEW_IN_PROGRESS"))
        .ok("DescribeStacks", &stacks("REVIEW_IN_PROGRESS"))
        .ok("DescribeStacks", &stacks("CREATE_COMPLETE"))
        .ok(
            "DescribeStackEvents",
            &events(&[
                ("e1", "-", "REVIEW_IN_PROGRESS", "User Initiated", ""),
                ("e2", "-", "CREATE_IN_PROGRESS", "", ""),
                ("e3", "-", "CREATE_COMPLETE", "", ""),
            ]),
        );
    let (settled, seen) = watched(&script, None).await;
    assert_eq!(settled.unwrap().status, StackStatus::CreateComplete);
    assert_eq!(seen, ["e2", "e3"]);

    let script = Scripted::new();
    script
        .ok("DescribeStacks", &stacks("REVIEW_IN_PROGRESS"))
        .ok(
            "DescribeStackEvents",
            &events(&[("e1", "-", "REVIEW_IN_PROGRESS", "User Initiated", "")]),
        );
    let clock = Stopwatch::start();
    let failure = watched(&script, None).await.0.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Ambiguous);
    assert!(failure.message.contains("REVIEW_IN_PROGRESS"), "{failure}");
    assert!(clock.elapsed() >= STALE_FOR);
}

#[tokio::test(start_paused = true)]
async fn the_cause_is_the_first_resource_that_failed_of_itself() {
    let script = Scripted::new();
    script
        .ok("DescribeStacks", &stacks("UPDATE_IN_PROGRESS"))
        .ok("DescribeStacks", &stacks("UPDATE_ROLLBACK_IN_PROGRESS"))
        .ok("DescribeStacks", &stacks("UPDATE_ROLLBACK_COMPLETE"))
        .ok(
            "DescribeStackEvents",
            &events(&[("e1", "-", "UPDATE_IN_PROGRESS", "", OURS)]),
        )
        .ok(
            "DescribeStackEvents",
            &events(&[
                ("e1", "-", "UPDATE_IN_PROGRESS", "", OURS),
                (
                    "e2",
                    "A",
                    "UPDATE_FAILED",
                    "Resource update cancelled",
                    OURS,
                ),
                ("e3", "B", "UPDATE_FAILED", "Cannot exceed quota", OURS),
                ("e4", "C", "UPDATE_FAILED", "Another one", OURS),
                (
                    "e5",
                    "-",
                    "UPDATE_ROLLBACK_IN_PROGRESS",
                    "The following resource(s) failed to update: [B].",
                    OURS,
                ),
                ("e6", "-", "UPDATE_ROLLBACK_COMPLETE", "", OURS),
            ]),
        );
    let settled = watched(&script, Some("e0")).await.0.unwrap();
    assert_eq!(settled.status, StackStatus::UpdateRollbackComplete);
    let cause = settled.cause.unwrap();
    assert_eq!(cause.reason, "Cannot exceed quota");
    assert_eq!(cause.resource.unwrap().0.as_str(), "B");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_shows_its_events_at_once() {
    let script = Scripted::new();
    script
        .ok("DescribeStacks", &stacks("CREATE_IN_PROGRESS"))
        .ok("DescribeStacks", &stacks("ROLLBACK_IN_PROGRESS"))
        .on("DescribeStacks", Reply::Silence)
        .ok(
            "DescribeStackEvents",
            &events(&[
                ("e1", "-", "CREATE_IN_PROGRESS", "", OURS),
                ("e2", "A", "CREATE_FAILED", "bad", OURS),
            ]),
        );
    let seen = std::cell::RefCell::new(Vec::new());
    let aws = aws(&script).await;
    let (spec, stack) = (spec(), stack_id());
    let watch = aws.watch(&spec, &stack, OURS, None, true, |events| {
        seen.borrow_mut().extend(events.into_iter().map(|e| e.id));
    });
    // Well before a second has passed.
    let _ = tokio::time::timeout(Duration::from_millis(200), watch).await;
    assert_eq!(*seen.borrow(), ["e1", "e2"]);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_without_reasons_still_gives_a_cause() {
    let script = Scripted::new();
    script
        .ok("DescribeStacks", &stacks("ROLLBACK_COMPLETE"))
        .ok(
            "DescribeStackEvents",
            &events(&[
                ("e1", "-", "CREATE_IN_PROGRESS", "", ""),
                ("e2", "B", "CREATE_FAILED", "", ""),
                ("e3", "-", "ROLLBACK_COMPLETE", "", ""),
            ]),
        );
    let cause = watched(&script, None).await.0.unwrap().cause.unwrap();
    assert_eq!(cause.reason, "CREATE_FAILED without a reason");

    let script = Scripted::new();
    script
        .ok("DescribeStacks", &stacks("CREATE_IN_PROGRESS"))
        .ok("DescribeStacks", &stacks("ROLLBACK_COMPLETE"))
        .ok("DescribeStackEvents", "<StackEvents></StackEvents>");
    let cause = watched(&script, None).await.0.unwrap().cause.unwrap();
    assert_eq!(
        cause.reason,
        "the stack ended in ROLLBACK_COMPLETE without a reason"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_vanishes_is_a_failure() {
    let script = Scripted::new();
    script
        .ok("DescribeStacks", &stacks("CREATE_IN_PROGRESS"))
        .error(
            "DescribeStacks",
            400,
            "ValidationError",
            "Stack with id app does not exist",
        )
        .ok(
            "DescribeStackEvents",
            &events(&[("e2", "A", "CREATE_FAILED", "bad", OURS)]),
        );
    let settled = watched(&script, None).await.0.unwrap();
    assert_eq!(settled.status, StackStatus::DeleteComplete);
    assert_eq!(settled.cause.unwrap().reason, "bad");
}

#[tokio::test(start_paused = true)]
async fn a_later_operation_of_somebody_else_does_not_change_the_result() {
    let script = Scripted::new();
    script
        .ok("DescribeStacks", &stacks("UPDATE_IN_PROGRESS"))
        .ok(
            "DescribeStackEvents",
            &events(&[
                ("e1", "-", "UPDATE_IN_PROGRESS", "", OURS),
                ("e2", "-", "UPDATE_COMPLETE", "", OURS),
                ("e3", "-", "UPDATE_IN_PROGRESS", "", "theirs"),
                ("e4", "X", "UPDATE_FAILED", "theirs", "theirs"),
            ]),
        );
    let (settled, seen) = watched(&script, Some("e0")).await;
    let settled = settled.unwrap();
    assert_eq!(
        (settled.status, settled.cause),
        (StackStatus::UpdateComplete, None)
    );
    assert_eq!(seen, ["e1", "e2"]);
}

#[tokio::test(start_paused = true)]
async fn an_hour_is_watched_with_few_calls_and_through_trouble() {
    let script = Scripted::new();
    let begun = events(&[("e1", "-", "UPDATE_IN_PROGRESS", "", OURS)]);
    for _ in 0..900 {
        script.ok("DescribeStackEvents", &begun);
    }
    script
        .error("DescribeStackEvents", 400, "Throttling", "Rate exceeded")
        .on("DescribeStackEvents", Reply::NotConnected)
        .on("DescribeStackEvents", Reply::Http(503, String::new()))
        .ok(
            "DescribeStackEvents",
            &events(&[
                ("e1", "-", "UPDATE_IN_PROGRESS", "", OURS),
                ("e2", "-", "UPDATE_COMPLETE", "", OURS),
            ]),
        );
    for _ in 0..81 {
        script.ok("DescribeStacks", &stacks("UPDATE_IN_PROGRESS"));
    }
    script.ok("DescribeStacks", &stacks("UPDATE_COMPLETE"));
    let clock = Stopwatch::start();
    let (settled, seen) = watched(&script, None).await;
    assert_eq!(settled.unwrap().cause, None);
    assert_eq!(seen, ["e1", "e2"]);
    assert!(clock.elapsed().as_secs() > 3_000, "{:?}", clock.elapsed());
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_end_the_watch_without_a_verdict() {
    let script = Scripted::new();
    script
        .ok("DescribeStacks", &stacks("UPDATE_IN_PROGRESS"))
        .error("DescribeStacks", 403, "ExpiredToken", "expired")
        .ok("DescribeStackEvents", &events(&[]));
    let failure = watched(&script, None).await.0.unwrap_err();
    assert_eq!(failure.kind, FailureKind::CredentialsExpired);
}
