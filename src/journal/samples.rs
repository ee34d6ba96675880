//! Events and journals for the tests of this room.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;

use super::{Durability, Journal, JournalError, LEASE_TTL, Lease};
use crate::model::*;

/// Returns a new journal, and the folder that it is in for as long as the test runs.
pub fn journal() -> (TempDir, Journal) {
    let root = tempfile::tempdir().unwrap();
    let journal = Journal::open(&root.path().join(".stackgate")).unwrap();
    (root, journal)
}

/// Returns another connection to a journal.
pub fn again(journal: &Journal) -> Journal {
    Journal::open(&journal.state).unwrap()
}

/// Returns the events of an execution after number `after`.
pub fn read(journal: &Journal, id: &ExecutionId, after: u64) -> Result<Vec<Event>, JournalError> {
    journal.events(id, after).collect()
}

/// Writes `text` as event number `seq` of execution number `n`, as a newer program would.
pub fn write_raw(journal: &Journal, n: u32, seq: u32, text: &str) {
    let insert = "INSERT INTO event (execution, seq, at, data)
                  VALUES ((SELECT number FROM execution WHERE id = ?1), ?2, ?3, ?4)";
    let id = id(n);
    let values = (id.as_str(), seq, now().to_string(), text);
    journal.connection.execute(insert, values).unwrap();
}

/// Begins execution number `n` of the pipeline called `pipeline` with `text`, as a newer program would.
pub fn begun_raw(journal: &Journal, n: u32, pipeline: &str, text: &str) {
    let lease = journal.acquire(&id(n), "host 1", now(), |_| false).unwrap();
    let name = "UPDATE execution SET pipeline = ?2 WHERE id = ?1";
    let values = (lease.execution().as_str(), pipeline);
    journal.connection.execute(name, values).unwrap();
    write_raw(journal, n, 1, text);
}

/// Returns the lease of an execution that has its first event.
pub fn begun(journal: &Journal, id: &ExecutionId) -> Lease {
    let lease = journal.acquire(id, "host 1", now(), |_| false).unwrap();
    let first = [event(id, 1, started())];
    journal
        .append(&lease, 0, &first, &[], Durability::Intent)
        .unwrap();
    lease
}

/// Returns the first time at which a lease of `now` may be taken over.
pub fn later() -> Timestamp {
    now() + LEASE_TTL
}

/// Returns the time that all samples are written at.
pub fn now() -> Timestamp {
    "2026-01-02T03:04:05.678901234Z".parse().unwrap()
}

/// Returns the execution number `n`.
pub fn id(n: u32) -> ExecutionId {
    ExecutionId::new(format!("019a4c3e-{n:04x}-7000-8000-0000{n:08x}")).unwrap()
}

/// Returns an event of an execution.
pub fn event(execution: &ExecutionId, seq: u64, kind: EventKind) -> Event {
    let target = Target {
        account: AccountId::new("111111111111").unwrap(),
        region: Region::new("eu-west-1").unwrap(),
        stack: StackName::new("network").unwrap(),
    };
    let scope = match seq % 2 {
        0 => Scope {
            stage: Some(StageName::new("Execute").unwrap()),
            action: Some(ActionName::new("Execute").unwrap()),
            target: Some(target),
        },
        _ => Scope::default(),
    };
    Event {
        seq,
        execution: execution.clone(),
        at: now(),
        scope,
        kind,
    }
}

/// Returns events numbered from `first`, one for each kind.
pub fn events(execution: &ExecutionId, first: u64, kinds: Vec<EventKind>) -> Vec<Event> {
    kinds
        .into_iter()
        .zip(first..)
        .map(|(kind, seq)| event(execution, seq, kind))
        .collect()
}

/// Returns the first event of every execution.
pub fn started() -> EventKind {
    let declaration = json!({
        "name": "deploy-network",
        "stages": [{
            "name": "Execute",
            "actions": [{
                "name": "Execute",
                "actionTypeId": { "category": "Deploy", "owner": "AWS", "provider": "CloudFormation", "version": "1" },
                "runOrder": 65535,
                "configuration": { "ActionMode": "CHANGE_SET_EXECUTE", "A": "z", "Z": "a" },
                "inputArtifacts": [{ "name": "Source" }],
                "timeoutInMinutes": 86400,
                "fanOut": {
                    "targets": [{ "target": { "account": "111111111111", "region": "eu-west-1", "stack": "network" }, "role_arn": "arn:aws:iam::111111111111:role/x" }],
                    "preferences": { "region_order": ["eu-west-1"], "max_concurrent": "25%", "failure_tolerance": "2", "concurrency_mode": "soft" },
                    "waves": [{
                        "name": "canary",
                        "targets": [{ "account": "111111111111", "region": "eu-west-1", "stack": "network" }],
                        "preferences": { "max_concurrent": "1", "failure_tolerance": "0" },
                        "gates": [{ "bake": { "minutes": 10 } }, "approval"]
                    }]
                }
            }]
        }]
    });
    EventKind::ExecutionStarted {
        definition: std::sync::Arc::new(ExecutionDefinition {
            pipeline: serde_json::from_value(declaration).unwrap(),
            invocation: Invocation {
                version: "0.1.0".into(),
                root: "/home/o'brien/\"repo\"".into(),
                profile: Some("prod".into()),
                endpoint_url: Some("http://127.0.0.1:4566".into()),
                own_endpoint: true,
                region: None,
                session: crate::model::RoleSession {
                    external_id: Some("partner-7".into()),
                    name: None,
                    tags: [("team".to_owned(), "network".to_owned())].into(),
                },
                chosen: Chosen {
                    environment: Some("production".into()),
                    target_set: None,
                },
                follows: None,
                proven: vec![crate::model::Proof {
                    target: Target {
                        account: "111111111111".parse().unwrap(),
                        region: "eu-west-1".parse().unwrap(),
                        stack: "network".parse().unwrap(),
                    },
                    stack_id: None,
                    status: Some(StackStatus::UpdateComplete),
                    operation: "token".into(),
                    newest_event: Some("event".into()),
                    template: Some(Digest::of(b"template")),
                    parameters: vec!["Timeout".into()],
                    verdict: crate::model::Verdict::Current,
                }],
            },
            secrets: BTreeMap::from([("Password".into(), SecretRef::Env("PASSWORD".into()))]),
            allow_literal_secrets: true,
            left_out: vec![LeftOut {
                account: crate::model::AccountId::new("222222222222").unwrap(),
                region: None,
                why: LeftOutWhy::ManagementAccount,
            }],
        }),
    }
}

/// Returns an answer to an approval request.
pub fn answer() -> Answer {
    Answer {
        decision: Decision::Approve,
        plan: Digest::of(b"plan"),
        wave: Some(gate().wave),
        approver: Approver {
            arn: Some("arn:aws:iam::111111111111:user/ada".into()),
            os_user: "ada".into(),
            host: "laptop".into(),
        },
        origin: Origin::Command,
        at: now(),
        summary: "looks good; 👍 \u{1b}[31m — 'quoted'\n\0second line".into(),
        covers: Some(RiskLevel::Medium),
    }
}

/// Returns a gate.
pub fn gate() -> GatePlace {
    GatePlace {
        wave: WaveName::new("canary").unwrap(),
        number: 1,
        gate: Gate::Bake { minutes: 10 },
    }
}

/// Returns a gate that looks at alarms.
fn alarms() -> GatePlace {
    let names = vec![AlarmName::new("app-*").unwrap()];
    let gate = Gate::Alarms(AlarmCheck { names, minutes: 5 });
    GatePlace {
        gate,
        ..self::gate()
    }
}

/// Returns a gate that runs a command.
fn command() -> GatePlace {
    let file = CommandFile {
        path: "smoke.sh".into(),
        digest: Digest::of(b"smoke"),
    };
    let gate = Gate::Command(GateCommand {
        line: vec!["./smoke.sh".into(), "--quick".into()],
        files: vec![file],
        timeout_minutes: 10,
    });
    GatePlace {
        gate,
        ..self::gate()
    }
}

/// Returns a request to stop.
pub fn stop() -> StopRequest {
    StopRequest {
        mode: StopMode::Wait,
        by: answer().approver,
        reason: "wrong window".into(),
        unreachable: Default::default(),
    }
}

/// Returns one event of every kind, in the order of their declaration.
pub fn every_kind() -> Vec<EventKind> {
    let reason = || "because".to_owned();
    let stack =
        StackId::new("arn:aws:cloudformation:eu-west-1:111111111111:stack/network/1").unwrap();
    let caller = Caller {
        account: AccountId::new("111111111111").unwrap(),
        arn: "arn:aws:iam::111111111111:user/ada".into(),
    };
    let inputs = TargetInputs {
        template: "Source::templates/network.yaml".parse().unwrap(),
        template_digest: Digest::of(b"template"),
        packaged: None,
        uploads: crate::model::Uploads::default(),
        parameters: [
            ParameterValue::Plain("30".into()),
            ParameterValue::Default(None),
            ParameterValue::Default(Some(String::new())),
            ParameterValue::Previous,
            ParameterValue::Secret(SecretRef::File("/run/secret".into())),
        ]
        .into_iter()
        .map(|value| EffectiveParameter {
            name: "Timeout".into(),
            value,
            provenance: Provenance {
                layer: Layer::AccountRegion,
                file: Some("parameter-overrides/network.json".into()),
                line: Some(u32::MAX),
                lookup: None,
            },
        })
        .collect(),
        tags: Some([("team".into(), "a b".into())].into()),
        capabilities: ["CAPABILITY_IAM".to_owned()].into(),
        role_arn: None,
        stack_policy: Some("{}".into()),
        options: StackOptions {
            monitoring_minutes: Some(180),
            ..StackOptions::default()
        },
    };
    let change = ResourceChange {
        logical_id: LogicalId::new("Queue").unwrap(),
        resource_type: "AWS::SQS::Queue".into(),
        physical_id: Some("https://queue".into()),
        action: ChangeAction::Modify,
        replacement: Replacement::May,
        policy_action: Some(PolicyAction::ReplaceAndSnapshot),
        scope: vec![ChangeScope::Properties, ChangeScope::Tags],
        details: vec![ChangeDetail {
            attribute: Some(ChangeScope::Properties),
            name: Some("VisibilityTimeout".into()),
            path: Some("/Properties/VisibilityTimeout".into()),
            recreation: Recreation::Conditionally,
            before: Some("30".into()),
            after: Some("60".into()),
            evaluation: Some(Evaluation::Dynamic),
            source: Some("ParameterReference".into()),
            causing_entity: Some("Timeout".into()),
            drift: Some(PropertyDrift {
                previous: Some("30".into()),
                actual: Some("90".into()),
                detected: Some(Timestamp::UNIX_EPOCH),
                before_from: Some(BeforeFrom::ActualState),
                only_recorded: true,
            }),
        }],
        before: Some(json!({ "z": 1, "a": [null, true, -1, u64::MAX, 0.1, 1e300, "\u{2028}"] })),
        after: Some(json!("text")),
        nested: None,
        module: Some(("A::B::MODULE".into(), "x/y".into())),
        drift: Some(ResourceDrift {
            status: Some(DriftStatus::Modified),
            ignored: vec![IgnoredAttribute {
                path: "/Properties/Url".into(),
                reason: Some("MANAGED_BY_AWS".into()),
            }],
        }),
    };
    let (deleter, deleted) = (caller.clone(), stack.clone());
    let (deleted_inputs, removal) = (inputs.clone(), change.clone());
    vec![
        started(),
        EventKind::Resumed {
            owner: "laptop 4711".into(),
            secrets: BTreeMap::new(),
        },
        EventKind::StageStarted,
        EventKind::StageSucceeded,
        EventKind::StageFailed { reason: reason() },
        EventKind::StageSkipped { reason: reason() },
        EventKind::ActionStarted,
        EventKind::ActionSucceeded,
        EventKind::ActionFailed { reason: reason() },
        EventKind::SourceStored {
            artifact: ArtifactRef {
                name: "Source".into(),
                digest: Digest::of(b"zip"),
                files: vec!["templates/network.yaml".into()],
            },
            revision: SourceRevision {
                commit: Some("0123abcd".into()),
                commit_message: Some("network: add a queue".into()),
                dirty: true,
            },
        },
        EventKind::StackBusy {
            status: StackStatus::UpdateInProgress,
        },
        EventKind::ChangeSetIntended {
            kind: ChangeSetKind::Update,
            name: ChangeSetName::new("stackgate-1").unwrap(),
            token: "token".into(),
            caller,
            stack: Some(StackSummary {
                id: stack.clone(),
                status: StackStatus::UpdateRollbackComplete,
                reason: Some("The following resource(s) failed".into()),
                parameters: vec!["Timeout".into()],
                outputs: BTreeMap::from([("Url".into(), "https://queue".into())]),
                tags: Some(BTreeMap::from([("team".into(), "net".into())])),
            }),
            inputs: Box::new(inputs),
        },
        EventKind::ChangeSetCreated {
            change_set: ChangeSetId::new(
                "arn:aws:cloudformation:eu-west-1:111111111111:changeSet/stackgate-1/1",
            )
            .unwrap(),
            stack: stack.clone(),
        },
        EventKind::ChangeSetReady {
            changes: vec![change],
            base: Base {
                stack,
                status: StackStatus::ReviewInProgress,
                newest_event: Some("event".into()),
            },
            previous_template: Some(Digest::of(b"before")),
            previous_parameters: BTreeMap::from([("Timeout".into(), "30".into())]),
            settings_only: true,
            gone_exports: vec![GoneExport {
                output: LogicalId::new("Queue").unwrap(),
                name: "network-queue".to_owned(),
                imported_by: vec!["api".to_owned()],
            }],
            drift: Some(SetDrift {
                is_confirmed: true,
                stack: Some(StackDrift::Drifted),
            }),
        },
        EventKind::DeletionPlanned {
            planned: Box::new(PlannedTarget {
                target: Target {
                    account: AccountId::new("111111111111").unwrap(),
                    region: Region::new("eu-west-1").unwrap(),
                    stack: StackName::new("network").unwrap(),
                },
                caller: deleter,
                kind: ChangeSetKind::Delete,
                name: ChangeSetName::new("stackgate-1").unwrap(),
                change_set: None,
                inputs: deleted_inputs.into(),
                changes: vec![removal],
                base: Base {
                    stack: deleted,
                    status: StackStatus::DeleteFailed,
                    newest_event: None,
                },
                previous_template: None,
                previous_parameters: Default::default(),
                settings_only: false,
                gone_exports: Vec::new(),
                drift: None,
                retain: vec![LogicalId::new("Queue").unwrap()],
            }),
        },
        EventKind::CleanupIntended {
            why: CleanupWhy::NotNeeded,
        },
        EventKind::ChangeSetDeleted,
        EventKind::CleanupDone {
            left: Some("stack network: another change set is in it".into()),
        },
        EventKind::PlanReady {
            digest: Digest::of(b"plan"),
        },
        EventKind::ApprovalRequested {
            plan: Digest::of(b"plan"),
            expires: Timestamp::MAX,
            wave: Some(gate().wave),
        },
        EventKind::Answered { answer: answer() },
        EventKind::AnswerRefused {
            answer: answer(),
            reason: reason(),
        },
        EventKind::ApprovalExpired,
        EventKind::PlanExported {
            path: "network.plan".into(),
            file: Digest::of(b"file"),
            by: answer().approver,
        },
        EventKind::PlanImported {
            file: Digest::of(b"file"),
            by: answer().approver,
            invocation: Box::default(),
            risks: RiskChoices::default(),
            covers_former: true,
        },
        EventKind::GateStarted {
            place: command(),
            until: Timestamp::MAX,
        },
        EventKind::GateHeld {
            place: alarms(),
            reason: Some(reason()),
        },
        EventKind::GateOpened {
            place: command(),
            said: Some(reason()),
        },
        EventKind::GateClosed {
            place: gate(),
            reason: reason(),
        },
        EventKind::TargetStarted,
        EventKind::ExecuteIntended {
            token: "token".into(),
            deletes: true,
        },
        EventKind::ExecuteAccepted,
        EventKind::StackSettled {
            status: StackStatus::UpdateComplete,
            outputs: BTreeMap::from([("Url".into(), "https://queue".into())]),
        },
        EventKind::SettingIntended {
            setting: StackSetting::StackPolicy,
        },
        EventKind::SettingApplied {
            setting: StackSetting::TerminationProtection,
        },
        EventKind::CallFailed {
            failure: CallFailure::new(
                FailureKind::MissingCapabilities(vec!["CAPABILITY_IAM".into()]),
                "denied",
            ),
        },
        EventKind::Observed {
            events: vec![StackEvent {
                id: "event".into(),
                at: now(),
                logical_id: LogicalId::new("Queue").unwrap(),
                resource_type: "AWS::SQS::Queue".into(),
                physical_id: None,
                status: "UPDATE_FAILED".into(),
                reason: Some("quota".into()),
                token: None,
            }],
        },
        EventKind::TargetFinished {
            outcome: TargetOutcome::Failed {
                status: Some(StackStatus::UpdateRollbackComplete),
                cause: Cause {
                    resource: Some((LogicalId::new("Queue").unwrap(), "AWS::SQS::Queue".into())),
                    reason: "quota".into(),
                },
            },
            outputs: BTreeMap::from([("Url".into(), "https://queue".into())]),
        },
        EventKind::RegionSilent {
            silence: Silence {
                region: Region::new("eu-west-1").unwrap(),
                since: now(),
                until: now(),
                message: "no route".into(),
            },
        },
        EventKind::RegionAnswers {
            region: Region::new("eu-west-1").unwrap(),
        },
        EventKind::Paused {
            reason: PauseReason::SecretNeeded {
                parameter: "Password".into(),
                message: "set PASSWORD".into(),
            },
        },
        EventKind::StopRequested { request: stop() },
        EventKind::ExecutionFinished {
            outcome: ExecutionOutcome::SucceededWithFailures,
        },
    ]
}

/// Returns the place of a kind in its declaration, and so fails to compile when one is added.
pub fn place(kind: &EventKind) -> usize {
    use EventKind::*;
    match kind {
        ExecutionStarted { .. } => 0,
        Resumed { .. } => 1,
        StageStarted => 2,
        StageSucceeded => 3,
        StageFailed { .. } => 4,
        StageSkipped { .. } => 5,
        ActionStarted => 6,
        ActionSucceeded => 7,
        ActionFailed { .. } => 8,
        SourceStored { .. } => 9,
        StackBusy { .. } => 10,
        ChangeSetIntended { .. } => 11,
        ChangeSetCreated { .. } => 12,
        ChangeSetReady { .. } => 13,
        DeletionPlanned { .. } => 14,
        CleanupIntended { .. } => 15,
        ChangeSetDeleted => 16,
        CleanupDone { .. } => 17,
        PlanReady { .. } => 18,
        ApprovalRequested { .. } => 19,
        Answered { .. } => 20,
        AnswerRefused { .. } => 21,
        ApprovalExpired => 22,
        PlanExported { .. } => 23,
        PlanImported { .. } => 24,
        GateStarted { .. } => 25,
        GateHeld { .. } => 26,
        GateOpened { .. } => 27,
        GateClosed { .. } => 28,
        TargetStarted => 29,
        ExecuteIntended { .. } => 30,
        ExecuteAccepted => 31,
        StackSettled { .. } => 32,
        SettingIntended { .. } => 33,
        SettingApplied { .. } => 34,
        CallFailed { .. } => 35,
        Observed { .. } => 36,
        TargetFinished { .. } => 37,
        RegionSilent { .. } => 38,
        RegionAnswers { .. } => 39,
        Paused { .. } => 40,
        StopRequested { .. } => 41,
        ExecutionFinished { .. } => 42,
    }
}
