//! Whole executions in a small scripted world: every order of answers, lost replies, stops and crashes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::model::{
    AccountId, Answer, Approver, ArtifactName, ArtifactPath, ArtifactRef, Base, CallFailure,
    Caller, Cause, ChangeSetId, ChangeSetOutcome, Collection, ConcurrencyMode, CountOrPercent,
    Decision, DeletableStack, Digest, Ending, Event, EventKind, ExecutionDefinition, ExecutionId,
    ExecutionOutcome, FailureKind, FanOut, InboxMessage, Invocation, LogicalId,
    OperationPreferences, Origin, Preparation, Reading, Region, RegionConcurrency, Removal,
    Settlement, SkipReason, SourceRevision, StackEvent, StackId, StackName, StackStatus,
    StackSummary, Staleness, StopMode, StopRequest, Target, TargetInputs, TargetOutcome,
    TargetSpec,
};
use crate::rollout::Limits;

// --- the world ------------------------------------------------------------------------------------

/// What becomes of a target that nothing disturbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Succeeds,
    FailsInAws,
    RefusedToExecute,
    Stale,
    NoChanges,
    ChangeSetFails,
    RefusedToCreate,
    StackUnderWay,
}

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The reply was lost, the call was carried out.
    LostAfter,
    /// The reply was lost, the call never arrived.
    LostBefore,
    /// The reply was lost, the call is carried out after somebody looked.
    Late,
    Expired,
}

#[derive(Debug, Clone)]
struct Script {
    fate: Fate,
    exists: bool,
    create: Vec<Fault>,
    execute: Vec<Fault>,
    /// Observations that credentials expire for.
    expired: u8,
    /// Times that it cannot be told whether the execution was accepted.
    murky: u8,
    second_region: bool,
    policy: Policy,
}

/// Whether a stack policy is to be set, and what the service makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    None,
    Taken,
    Refused,
}

#[derive(Debug, Clone)]
struct Stack {
    script: Script,
    /// Whether the execution deletes stacks.
    deletes: bool,
    has_change_set: bool,
    in_review: bool,
    executions: u32,
    /// An execution on its way.
    late: bool,
    /// Requests to execute what had been executed.
    repeated: u32,
    creations: u32,
    /// Whether the operation was seen to end.
    has_ended: bool,
    has_policy: bool,
    policies: u32,
}

type World = BTreeMap<Target, Stack>;

fn failure<T>(kind: FailureKind) -> Result<T, CallFailure> {
    Err(CallFailure::new(kind, "scripted"))
}

fn stack_id(target: &Target) -> StackId {
    StackId::new(format!("arn:stack/{target}")).unwrap()
}

fn change_set_id(target: &Target) -> ChangeSetId {
    ChangeSetId::new(format!("arn:change-set/{target}")).unwrap()
}

fn pop(faults: &mut Vec<Fault>) -> Fault {
    if faults.is_empty() {
        Fault::None
    } else {
        faults.remove(0)
    }
}

impl Stack {
    fn summary(&self, target: &Target) -> Option<StackSummary> {
        let status = match self.script.fate {
            Fate::StackUnderWay => StackStatus::UpdateInProgress,
            _ if self.script.exists => StackStatus::CreateComplete,
            _ => return None,
        };
        Some(StackSummary {
            id: stack_id(target),
            status,
            reason: None,
            parameters: Vec::new(),
            outputs: BTreeMap::new(),
        })
    }

    fn collection(&self, target: &Target) -> Collection {
        let exists = self.script.exists && self.script.fate != Fate::NoChanges;
        let stuck = matches!(
            self.script.fate,
            Fate::StackUnderWay | Fate::ChangeSetFails | Fate::RefusedToCreate
        );
        Collection {
            caller: Caller {
                account: target.account.clone(),
                arn: "arn:aws:iam::000000000001:user/ana".to_owned(),
            },
            stack: exists.then(|| DeletableStack {
                base: Base {
                    stack: stack_id(target),
                    status: StackStatus::CreateComplete,
                    newest_event: None,
                },
                changes: Vec::new(),
                template: None,
                retain: Vec::new(),
                role_arn: None,
                obstacles: stuck
                    .then(|| "it is protected".to_owned())
                    .into_iter()
                    .collect(),
            }),
        }
    }

    fn is_expired(&mut self) -> bool {
        let is = self.script.expired > 0;
        self.script.expired -= u8::from(is);
        is
    }

    fn create(
        &mut self,
        target: &Target,
        look_first: bool,
    ) -> Result<(ChangeSetId, StackId), CallFailure> {
        let found = (change_set_id(target), stack_id(target));
        if look_first && self.has_change_set {
            return Ok(found);
        }
        let fault = pop(&mut self.script.create);
        match fault {
            Fault::Expired => return failure(FailureKind::CredentialsExpired),
            Fault::LostBefore | Fault::Late => return failure(FailureKind::Ambiguous),
            Fault::None | Fault::LostAfter => {}
        }
        if self.script.fate == Fate::RefusedToCreate {
            return failure(FailureKind::Refused);
        }
        if self.has_change_set {
            return failure(FailureKind::AlreadyExists);
        }
        self.creations += 1;
        self.has_change_set = true;
        self.in_review = !self.script.exists;
        match fault {
            Fault::LostAfter => failure(FailureKind::Ambiguous),
            _ => Ok(found),
        }
    }

    fn read(&mut self, target: &Target) -> Result<Box<Reading>, CallFailure> {
        if self.is_expired() {
            return failure(FailureKind::CredentialsExpired);
        }
        let outcome = match self.script.fate {
            Fate::NoChanges => ChangeSetOutcome::NoChanges,
            Fate::ChangeSetFails => ChangeSetOutcome::Failed {
                reason: "no such type".to_owned(),
            },
            _ => ChangeSetOutcome::Ready,
        };
        let settings_differ =
            outcome == ChangeSetOutcome::NoChanges && self.sets_policy_only() && !self.has_policy;
        let is_planned = outcome == ChangeSetOutcome::Ready || settings_differ;
        let base = is_planned.then(|| Base {
            stack: stack_id(target),
            status: match self.script.exists {
                true => StackStatus::CreateComplete,
                false => StackStatus::ReviewInProgress,
            },
            newest_event: None,
        });
        Ok(Box::new(Reading {
            outcome,
            changes: Vec::new(),
            base,
            previous_template: None,
            settings_differ,
        }))
    }

    /// Returns whether there is nothing to execute, only something to set.
    fn sets_policy_only(&self) -> bool {
        let wants = self.script.policy != Policy::None;
        self.script.fate == Fate::NoChanges && self.script.exists && wants && !self.deletes
    }

    fn set_policy(&mut self) -> Result<(), CallFailure> {
        assert!(self.script.policy != Policy::None, "nobody asked for it");
        assert!(
            self.sets_policy_only() || self.has_ended && self.script.fate == Fate::Succeeds,
            "a policy comes after an operation that went well"
        );
        if self.is_expired() {
            return failure(FailureKind::CredentialsExpired);
        }
        if self.script.policy == Policy::Refused {
            return failure(FailureKind::Refused);
        }
        // As the real step does: what an earlier attempt has set is not set again.
        if !self.has_policy {
            self.has_policy = true;
            self.policies += 1;
        }
        Ok(())
    }

    fn verify(&mut self) -> Result<Vec<Staleness>, CallFailure> {
        if self.is_expired() {
            return failure(FailureKind::CredentialsExpired);
        }
        if self.late {
            self.late = false;
            self.executions += 1;
        }
        if self.executions > 0 {
            let status = "EXECUTE_IN_PROGRESS".to_owned();
            return Ok(vec![Staleness::NotExecutable { status }]);
        }
        Ok(match self.script.fate {
            Fate::Stale => vec![Staleness::NewEvents],
            _ => Vec::new(),
        })
    }

    fn execute(&mut self) -> Result<(), CallFailure> {
        let fault = pop(&mut self.script.execute);
        match fault {
            Fault::Expired => return failure(FailureKind::CredentialsExpired),
            Fault::LostBefore => return failure(FailureKind::Ambiguous),
            Fault::None | Fault::LostAfter | Fault::Late => {}
        }
        if self.executions > 0 {
            self.repeated += 1;
            return failure(FailureKind::Refused);
        }
        if self.script.fate == Fate::RefusedToExecute {
            return failure(FailureKind::Refused);
        }
        if fault == Fault::Late {
            self.late = true;
            return failure(FailureKind::Ambiguous);
        }
        self.executions += 1;
        match fault {
            Fault::LostAfter => failure(FailureKind::Ambiguous),
            _ => Ok(()),
        }
    }

    fn settle(&mut self) -> Result<Settlement, CallFailure> {
        if self.is_expired() {
            return failure(FailureKind::CredentialsExpired);
        }
        if self.script.murky > 0 && self.script.fate != Fate::RefusedToExecute {
            self.script.murky -= 1;
            let reason = "fog".to_owned();
            return Ok(Settlement::Unknown { reason });
        }
        Ok(match self.executions {
            0 => Settlement::NotAccepted,
            _ => Settlement::Accepted,
        })
    }

    fn watch(&mut self, target: &Target) -> Vec<Input> {
        let observed = Input::Observed {
            target: target.clone(),
            events: vec![StackEvent {
                id: "event-1".to_owned(),
                at: Timestamp::UNIX_EPOCH,
                logical_id: LogicalId::new("Queue").unwrap(),
                resource_type: "AWS::SQS::Queue".to_owned(),
                physical_id: None,
                status: "CREATE_IN_PROGRESS".to_owned(),
                reason: None,
                token: None,
            }],
        };
        let result = if self.is_expired() {
            failure(FailureKind::CredentialsExpired)
        } else {
            let good = self.script.fate == Fate::Succeeds;
            self.in_review = false;
            self.has_ended = true;
            Ok(Box::new(Ending {
                status: match (self.deletes, good) {
                    (false, true) => StackStatus::UpdateComplete,
                    (false, false) => StackStatus::UpdateRollbackComplete,
                    (true, true) => StackStatus::DeleteComplete,
                    (true, false) => StackStatus::DeleteFailed,
                },
                outputs: BTreeMap::new(),
                cause: (!good).then(|| Cause::of("quota")),
            }))
        };
        let target = target.clone();
        vec![observed, Input::Watched { target, result }]
    }
}

/// Carries a step out and returns what the machine would be told.
fn invariant_execution_has_its_own_role(spec: &TargetSpec) {
    assert_eq!(spec.role_arn.as_deref(), Some("execute"));
}

fn perform(world: &mut World, step: Step) -> Vec<Input> {
    let Some(target) = step.scope.target.clone() else {
        let artifact = ArtifactRef {
            name: SOURCE_ARTIFACT.into(),
            digest: Digest::of(b"source"),
            files: Vec::new(),
        };
        return vec![Input::SourceStored {
            scope: step.scope,
            result: Ok((artifact, SourceRevision::default())),
        }];
    };
    let stack = world.get_mut(&target).unwrap();
    let mut inputs = Vec::new();
    let looks = matches!(
        step.kind,
        StepKind::Prepare { .. } | StepKind::Collect { .. }
    );
    if looks && stack.script.murky > 0 {
        inputs.push(Input::StackBusy {
            target: target.clone(),
            status: StackStatus::UpdateInProgress,
        });
    }
    inputs.push(match step.kind {
        StepKind::SnapshotSource { .. } => unreachable!("a source has no target"),
        StepKind::Prepare { spec, .. } => {
            assert_eq!(spec.role_arn.as_deref(), Some("plan"));
            let result = if stack.is_expired() {
                failure(FailureKind::CredentialsExpired)
            } else {
                Ok(Box::new(Preparation {
                    caller: Caller {
                        account: target.account.clone(),
                        arn: "arn:aws:iam::000000000001:user/ana".to_owned(),
                    },
                    stack: stack.summary(&target),
                    inputs: TargetInputs {
                        template: "Source::network.yaml".parse::<ArtifactPath>().unwrap(),
                        template_digest: Digest::of(b"template"),
                        parameters: Vec::new(),
                        tags: BTreeMap::new(),
                        capabilities: BTreeSet::new(),
                        role_arn: None,
                        stack_policy: (stack.script.policy != Policy::None)
                            .then(|| "{}".to_owned()),
                        options: crate::model::StackOptions::default(),
                    },
                }))
            };
            Input::Prepared { target, result }
        }
        StepKind::Collect { .. } => {
            let result = if stack.is_expired() {
                failure(FailureKind::CredentialsExpired)
            } else {
                Ok(Box::new(stack.collection(&target)))
            };
            Input::Collected { target, result }
        }
        StepKind::CreateChangeSet { look_first, .. } => {
            let result = stack.create(&target, look_first);
            Input::ChangeSetCreated { target, result }
        }
        StepKind::FindChangeSet { .. } => {
            let result = if stack.is_expired() {
                failure(FailureKind::CredentialsExpired)
            } else {
                let found = (change_set_id(&target), stack_id(&target));
                Ok(stack.has_change_set.then_some(found))
            };
            Input::ChangeSetFound { target, result }
        }
        StepKind::ReadChangeSet { .. } => {
            let result = stack.read(&target);
            Input::ChangeSetRead { target, result }
        }
        StepKind::DeleteChangeSet { .. } => {
            assert_eq!(stack.executions, 0, "what was executed is not removed");
            stack.has_change_set = false;
            Input::ChangeSetDeleted {
                target,
                result: Ok(Removal::Deleted),
            }
        }
        StepKind::DeleteReviewStack { .. } => {
            assert!(!stack.script.exists, "a stack that was there is not ours");
            assert_eq!(stack.executions, 0, "what was executed is not removed");
            stack.in_review = false;
            Input::ReviewStackDeleted {
                target,
                result: Ok(None),
            }
        }
        StepKind::Verify { spec, .. } => {
            invariant_execution_has_its_own_role(&spec);
            let result = stack.verify();
            Input::Verified { target, result }
        }
        StepKind::Execute { spec, .. } => {
            invariant_execution_has_its_own_role(&spec);
            let result = stack.execute();
            Input::Executed { target, result }
        }
        StepKind::Settle { spec, .. } => {
            invariant_execution_has_its_own_role(&spec);
            let result = stack.settle();
            Input::Settled { target, result }
        }
        StepKind::ApplySetting { setting, .. } => {
            let result = stack.set_policy();
            Input::SettingApplied {
                target,
                setting,
                result,
            }
        }
        StepKind::Watch { spec, .. } => {
            invariant_execution_has_its_own_role(&spec);
            return stack.watch(&target);
        }
    });
    inputs
}

// --- a run ----------------------------------------------------------------------------------------

/// What the approver does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Approval {
    Approves,
    Rejects,
    IsSilent,
}

/// A case: the world and everything that happens by chance in it.
#[derive(Debug, Clone)]
struct Case {
    deletes: bool,
    scripts: Vec<Script>,
    preferences: OperationPreferences,
    approval: Approval,
    /// How often the process may die, be stopped, or get a message that makes no sense.
    disturbances: u8,
    /// After how many turns the execution is given up, if it has not ended by then.
    gives_up: Option<u8>,
    chances: Vec<u16>,
}

struct Run {
    world: World,
    machine: Machine,
    events: Vec<Event>,
    in_flight: Vec<Step>,
    now: Timestamp,
    preferences: OperationPreferences,
    chances: std::vec::IntoIter<u16>,
    all_chances: Vec<u16>,
    disturbances: u8,
    gives_up: Option<u8>,
}

impl Run {
    fn start(case: &Case) -> Self {
        let world: World = case
            .scripts
            .iter()
            .enumerate()
            .map(|(n, script)| {
                let stack = Stack {
                    script: script.clone(),
                    deletes: case.deletes,
                    has_change_set: false,
                    in_review: false,
                    executions: 0,
                    late: false,
                    repeated: 0,
                    creations: 0,
                    has_ended: false,
                    has_policy: false,
                    policies: 0,
                };
                (target(n, script.second_region), stack)
            })
            .collect();
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let definition = definition(
            world.keys().cloned().collect(),
            &case.preferences,
            case.deletes,
        );
        let id = ExecutionId::new("01938f5e-0000-7000-8000-000000000001").unwrap();
        let (machine, turn) = Machine::start(id, definition, now).unwrap();
        let mut run = Self {
            world,
            machine,
            events: Vec::new(),
            in_flight: Vec::new(),
            now,
            preferences: case.preferences.clone(),
            chances: case.chances.clone().into_iter(),
            all_chances: case.chances.clone(),
            disturbances: case.disturbances,
            gives_up: case.gives_up,
        };
        run.commit(turn, false);
        run
    }

    /// Runs to the end, resuming whenever the process left.
    fn to_the_end(case: &Case) -> Self {
        let mut run = Self::start(case);
        for _ in 0..2_000 {
            if run.machine.state().outcome.is_some() {
                invariant_every_target_ends_or_the_execution_can_be_resumed(&run);
                invariant_replay_equals_live(&run);
                invariant_no_change_set_is_executed_twice(&run);
                invariant_nothing_is_left_behind(&run);
                invariant_what_was_given_up_says_what_was_done(&run);
                return run;
            }
            run.go_on(case.approval);
        }
        panic!("the execution does not come to its end");
    }

    fn chance(&mut self, of: usize) -> usize {
        let next = self.chances.next().unwrap_or_else(|| {
            self.chances = self.all_chances.clone().into_iter();
            self.chances.next().unwrap()
        });
        usize::from(next) % of
    }

    fn go_on(&mut self, approval: Approval) {
        assert_eq!(self.machine.is_idle(), self.in_flight.is_empty());
        self.now += SignedDuration::from_secs(1);
        match self.gives_up {
            Some(0) => {
                self.gives_up = None;
                return self.give_up();
            }
            Some(turns) => self.gives_up = Some(turns - 1),
            None => {}
        }
        if self.disturbances > 0 && self.chance(8) == 0 {
            self.disturbances -= 1;
            return self.disturb();
        }
        if !self.in_flight.is_empty() {
            return self.arrive();
        }
        let state = self.machine.state();
        if state.paused.is_some() || state.stop.is_some() {
            return self.resume();
        }
        invariant_every_target_ends_or_the_execution_can_be_resumed(self);
        let request = state.approval.clone().unwrap();
        let decision = match approval {
            Approval::Approves => Decision::Approve,
            Approval::Rejects => Decision::Reject,
            Approval::IsSilent => {
                self.now = request.expires;
                return self.handle(vec![Input::Tick]);
            }
        };
        self.answer(decision, request.plan);
    }

    /// Lets some of what is under way come to its end.
    fn arrive(&mut self) {
        let mut inputs = Vec::new();
        for _ in 0..=self.chance(2) {
            if !self.in_flight.is_empty() {
                let index = self.chance(self.in_flight.len());
                let step = self.in_flight.swap_remove(index);
                inputs.extend(perform(&mut self.world, step));
            }
        }
        self.handle(inputs);
    }

    fn disturb(&mut self) {
        match self.chance(6) {
            0 | 1 => self.crash(),
            2 => self.stop(StopMode::Wait),
            3 => {
                self.stop(StopMode::Abandon);
                self.crash();
            }
            4 => self.answer(Decision::Approve, Digest::of(b"another plan")),
            _ => {
                // Given in time, read whenever.
                let request = self.machine.state().approval.clone();
                if let Some(request) = request.filter(|_| !self.machine.state().awaits_answer()) {
                    let message = answer(Decision::Reject, request.plan, request.requested);
                    self.handle(vec![Input::Inbox(vec![message])]);
                }
            }
        }
    }

    /// Gives the execution up, in the running process or while none runs it.
    fn give_up(&mut self) {
        match self.chance(4) {
            0 => return self.stop(StopMode::GiveUp),
            1 => {
                // What was looked into meanwhile was kept for a resumption.
                self.stop(StopMode::Wait);
                for _ in 0..self.chance(8) {
                    self.arrive();
                }
                return self.stop(StopMode::GiveUp);
            }
            _ => {}
        }
        self.in_flight.clear();
        let request = StopRequest {
            mode: StopMode::GiveUp,
            by: approver(),
            reason: String::new(),
        };
        let state = Execution::replay(&self.events).unwrap();
        let event = state.follow(self.now, EventKind::StopRequested { request });
        self.events.push(event.unwrap());
        let owner = "laptop:3".to_owned();
        let (machine, turn) = Machine::resume(
            &self.events,
            owner,
            UnknownPolicy::Ask,
            BTreeMap::new(),
            self.now,
        )
        .unwrap();
        self.machine = machine;
        self.commit(turn, false);
    }

    fn stop(&mut self, mode: StopMode) {
        self.handle(vec![Input::Stop(StopRequest {
            mode,
            by: approver(),
            reason: String::new(),
        })]);
    }

    fn answer(&mut self, decision: Decision, plan: Digest) {
        let message = answer(decision, plan, self.now);
        self.handle(vec![Input::Inbox(vec![message])]);
    }

    /// Ends the process: each call under way was carried out or not, and nobody hears of it.
    fn crash(&mut self) {
        for step in std::mem::take(&mut self.in_flight) {
            if self.chance(2) == 0 {
                perform(&mut self.world, step);
            }
        }
        self.resume();
    }

    fn resume(&mut self) {
        invariant_replay_equals_live(self);
        if self.machine.state().outcome.is_some() {
            return;
        }
        let owner = "laptop:2".to_owned();
        let (machine, turn) = Machine::resume(
            &self.events,
            owner,
            UnknownPolicy::Ask,
            BTreeMap::new(),
            self.now,
        )
        .unwrap();
        self.machine = machine;
        self.in_flight.clear();
        self.commit(turn, false);
    }

    fn handle(&mut self, inputs: Vec<Input>) {
        let was_draining = is_draining(&self.machine);
        let turn = self.machine.handle(inputs, self.now);
        self.commit(turn, was_draining);
    }

    fn commit(&mut self, turn: Turn, was_draining: bool) {
        self.events.extend(turn.events.iter().cloned());
        invariant_nothing_executes_before_approval_of_that_plan(self, &turn);
        // Giving up takes the place of a stop that can be resumed: its clean-up begins at once.
        let drains = was_draining && is_draining(&self.machine);
        invariant_nothing_begins_while_stopping(&turn, drains);
        invariant_nothing_begins_after_giving_up(self, &turn);
        invariant_in_flight_never_exceeds_preferences(self, &turn);
        self.in_flight.extend(turn.steps);
    }

    fn outcomes(&self) -> BTreeMap<Target, Option<TargetOutcome>> {
        let targets = self.machine.state().targets.iter();
        targets
            .map(|(target, state)| (target.clone(), state.outcome.clone()))
            .collect()
    }
}

fn is_draining(machine: &Machine) -> bool {
    machine.state().paused.is_some() || machine.state().stop.is_some()
}

fn approver() -> Approver {
    Approver {
        arn: None,
        os_user: "ana".to_owned(),
        host: "laptop".to_owned(),
    }
}

fn answer(decision: Decision, plan: Digest, at: Timestamp) -> InboxMessage {
    InboxMessage::Answer(Answer {
        decision,
        plan,
        approver: approver(),
        origin: Origin::Command,
        at,
        summary: String::new(),
    })
}

fn target(n: usize, second_region: bool) -> Target {
    Target {
        account: AccountId::new(format!("{n:012}")).unwrap(),
        region: Region::new(if second_region {
            "us-east-1"
        } else {
            "eu-west-1"
        })
        .unwrap(),
        stack: StackName::new("network").unwrap(),
    }
}

fn definition(
    targets: Vec<Target>,
    preferences: &OperationPreferences,
    deletes: bool,
) -> ExecutionDefinition {
    let specs = targets.into_iter().map(|target| TargetSpec {
        target,
        role_arn: Some("plan".to_owned()),
        execute_role_arn: Some("execute".to_owned()),
    });
    let fan_out = FanOut {
        targets: specs.collect(),
        preferences: preferences.clone(),
    };
    let deletion = Deletion {
        wait: None,
        stack: StackName::new("network").unwrap(),
        only_failed: false,
        retain: Vec::new(),
        role_arn: None,
        fan_out: fan_out.clone(),
        approval_minutes: 600,
    };
    let deployment = Deployment {
        wait: None,
        stack: StackName::new("network").unwrap(),
        template: "network.yaml".to_owned(),
        files: vec!["network.yaml".to_owned()],
        configuration: None,
        parameter_overrides: None,
        tags: BTreeMap::new(),
        capabilities: Vec::new(),
        role_arn: None,
        artifact_bucket: None,
        stack_policy: None,
        options: crate::model::StackOptions::default(),
        template_buckets: None,
        fan_out,
        approval_minutes: 600,
    };
    ExecutionDefinition {
        pipeline: match deletes {
            true => deletion.pipeline(),
            false => deployment.pipeline(),
        },
        invocation: Invocation::default(),
        secrets: BTreeMap::new(),
        allow_literal_secrets: false,
    }
}

// --- invariants -----------------------------------------------------------------------------------

fn invariant_no_change_set_is_executed_twice(run: &Run) {
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
        if !stack.sets_policy_only() {
            assert_eq!(moved, stack.executions == 1, "{target}: {ended:?}");
        }
        assert!(stack.policies <= 1, "{target} got its policy twice");
        let is_set = stack.policies == 1;
        let wants = stack.script.policy != Policy::None && !stack.deletes;
        let succeeded = matches!(ended, Some(TargetOutcome::Succeeded { .. }));
        assert_eq!(succeeded && wants, is_set, "{target}: {ended:?}");
    }
}

fn invariant_nothing_executes_before_approval_of_that_plan(run: &Run, turn: &Turn) {
    let state = run.machine.state();
    for step in &turn.steps {
        let (StepKind::Execute { approved, .. } | StepKind::ApplySetting { approved, .. }) =
            &step.kind
        else {
            continue;
        };
        let answer = state.approval.as_ref().and_then(|r| r.answered.as_ref());
        let answer = answer.expect("nothing is executed that nobody answered for");
        assert_eq!(answer.decision, Decision::Approve);
        assert_eq!(Some(answer.plan), state.plan);
        let planned = &state.targets[&approved.target].planned;
        assert_eq!(planned.as_ref(), Some(approved), "what was approved runs");
        let intended = run.events.iter().any(|e| {
            e.scope.target.as_ref() == Some(&approved.target)
                && match step.kind {
                    StepKind::Execute { .. } => {
                        matches!(e.kind, EventKind::ExecuteIntended { .. })
                    }
                    _ => matches!(e.kind, EventKind::SettingIntended { .. }),
                }
        });
        assert!(intended, "an intent is written before its call");
    }
}

fn invariant_nothing_begins_while_stopping(turn: &Turn, was_draining: bool) {
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
            step.kind,
            StepKind::CreateChangeSet { .. }
                | StepKind::Execute { .. }
                | StepKind::DeleteChangeSet { .. }
                | StepKind::DeleteReviewStack { .. }
        );
        assert!(!mutates, "{:?} while stopping", step.kind);
    }
}

/// Giving up holds for whoever takes the execution up afterwards.
fn invariant_nothing_begins_after_giving_up(run: &Run, turn: &Turn) {
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
            step.kind,
            StepKind::CreateChangeSet { .. } | StepKind::Execute { .. }
        );
        assert!(!begins, "{:?} after giving up", step.kind);
    }
}

fn given_up_at(run: &Run) -> Option<usize> {
    run.events.iter().position(|event| {
        matches!(&event.kind, EventKind::StopRequested { request } if request.mode == StopMode::GiveUp)
    })
}

/// A target that is said to be left out was not executed, will not be, and nobody waits for an answer about it.
fn invariant_what_was_given_up_says_what_was_done(run: &Run) {
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

fn invariant_every_target_ends_or_the_execution_can_be_resumed(run: &Run) {
    let state = run.machine.state();
    if state.outcome.is_none() {
        assert!(
            state.awaits_answer(),
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

fn invariant_nothing_is_left_behind(run: &Run) {
    for (target, stack) in &run.world {
        let executed = stack.executions > 0;
        assert!(executed || !stack.has_change_set, "{target}: a change set");
        assert!(executed || !stack.in_review, "{target}: an empty stack");
    }
}

fn invariant_replay_equals_live(run: &Run) {
    let live = run.machine.state();
    let replayed = Execution::replay(&run.events).unwrap();
    let told = |state: &Execution| {
        format!(
            "{:?}",
            (
                (state.seq, &state.stages, &state.artifacts, &state.targets),
                (state.plan, &state.approval, &state.paused),
                (state.stop, state.outcome),
            )
        )
    };
    assert_eq!(told(live), told(&replayed));
    assert_eq!(live.rollout, replayed.rollout);
}

fn invariant_in_flight_never_exceeds_preferences(run: &Run, turn: &Turn) {
    let state = run.machine.state();
    let mut regions: BTreeMap<&Region, (usize, usize, u32)> = BTreeMap::new();
    for (target, state) in &state.targets {
        let (all, running, failed) = regions.entry(&target.region).or_default();
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
    for (region, (all, running, failed)) in regions {
        let limits = Limits::new(all, &run.preferences);
        assert!(running <= limits.max_concurrent as usize, "{region}");
        let starts = turn.events.iter().any(|e| {
            matches!(e.kind, EventKind::TargetStarted)
                && e.scope.target.as_ref().is_some_and(|t| t.region == *region)
        });
        if starts {
            assert!(failed <= limits.tolerance, "{region} had failed");
            assert!(running <= limits.allowed(failed) as usize, "{region}");
        }
    }
}

/// The same world with and without disturbances ends the same.
fn invariant_crash_changes_nothing(case: &Case) {
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

// --- cases ----------------------------------------------------------------------------------------

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Succeeds),
        2 => Just(Fate::FailsInAws),
        1 => Just(Fate::RefusedToExecute),
        1 => Just(Fate::Stale),
        2 => Just(Fate::NoChanges),
        1 => Just(Fate::ChangeSetFails),
        1 => Just(Fate::RefusedToCreate),
        1 => Just(Fate::StackUnderWay),
    ]
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![
        3 => Just(Fault::None),
        1 => Just(Fault::LostAfter),
        1 => Just(Fault::LostBefore),
        1 => Just(Fault::Late),
        1 => Just(Fault::Expired),
    ];
    prop::collection::vec(fault, 0..3)
}

fn script() -> impl Strategy<Value = Script> {
    (
        fate(),
        any::<(bool, bool)>(),
        faults(),
        faults(),
        prop_oneof![3 => Just(0u8), 1 => Just(1), 1 => Just(2)],
        prop_oneof![4 => Just(0u8), 1 => Just(1)],
        prop_oneof![3 => Just(Policy::None), 3 => Just(Policy::Taken), 1 => Just(Policy::Refused)],
    )
        .prop_map(
            |(fate, (exists, second_region), create, execute, expired, murky, policy)| Script {
                fate,
                exists,
                create,
                execute,
                expired,
                murky,
                second_region,
                policy,
            },
        )
}

fn preferences() -> impl Strategy<Value = OperationPreferences> {
    (1u32..4, 0u32..4, any::<(bool, bool)>()).prop_map(|(max, tolerance, (parallel, soft))| {
        OperationPreferences {
            region_order: Vec::new(),
            region_concurrency: match parallel {
                true => RegionConcurrency::Parallel,
                false => RegionConcurrency::Sequential,
            },
            max_concurrent: CountOrPercent::Count(max),
            failure_tolerance: CountOrPercent::Count(tolerance),
            concurrency_mode: match soft {
                true => ConcurrencyMode::Soft,
                false => ConcurrencyMode::Strict,
            },
        }
    })
}

fn case() -> impl Strategy<Value = Case> {
    (
        prop::bool::weighted(0.3),
        prop::collection::vec(script(), 1..6),
        preferences(),
        prop_oneof![
            6 => Just(Approval::Approves),
            1 => Just(Approval::Rejects),
            1 => Just(Approval::IsSilent),
        ],
        0u8..8,
        prop::collection::vec(any::<u16>(), 120),
    )
        .prop_map(
            |(deletes, scripts, preferences, approval, disturbances, chances)| Case {
                deletes,
                scripts,
                preferences,
                approval,
                disturbances,
                gives_up: None,
                chances,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn every_execution_keeps_its_promises(case in case()) {
        Run::to_the_end(&case);
    }

    #[test]
    fn an_execution_that_is_given_up_ends_and_forgets_nothing(case in case(), after in 0u8..40) {
        let gives_up = Some(after);
        Run::to_the_end(&Case { gives_up, ..case });
    }

    #[test]
    fn a_disturbed_execution_ends_as_a_calm_one(case in case()) {
        // Beyond the tolerance, who is skipped depends on who ends first.
        let mut case = case;
        case.preferences.failure_tolerance = CountOrPercent::Percent(100);
        invariant_crash_changes_nothing(&case);
    }
}

/// Starts an execution of one target up to the step that looks at its stack, and returns it with its events.
fn looking(deletes: bool) -> (Machine, Vec<Event>) {
    let definition = definition(
        vec![target(1, false)],
        &OperationPreferences::default(),
        deletes,
    );
    let id = ExecutionId::new("01938f5e-0000-7000-8000-000000000001").unwrap();
    let (mut machine, mut turn) = Machine::start(id, definition, Timestamp::UNIX_EPOCH).unwrap();
    let mut events = std::mem::take(&mut turn.events);
    if let Some(StepKind::SnapshotSource { .. }) = turn.steps.first().map(|s| &s.kind) {
        let stored = Input::SourceStored {
            scope: turn.steps[0].scope.clone(),
            result: Ok((
                ArtifactRef {
                    name: ArtifactName::from("Source"),
                    digest: Digest::of(b"files"),
                    files: Vec::new(),
                },
                SourceRevision::default(),
            )),
        };
        turn = machine.handle(vec![stored], Timestamp::UNIX_EPOCH);
        events.append(&mut turn.events);
    }
    assert!(looks(&turn));
    (machine, events)
}

fn looks(turn: &Turn) -> bool {
    let looks = |s: &Step| matches!(s.kind, StepKind::Prepare { .. } | StepKind::Collect { .. });
    turn.steps.len() == 1 && turn.steps.iter().all(looks)
}

#[test]
fn who_stops_does_not_wait_for_somebody_elses_operation_and_waits_again_when_it_is_resumed() {
    let now = Timestamp::UNIX_EPOCH;
    for deletes in [false, true] {
        let (mut machine, mut events) = looking(deletes);
        let busy = |status| Input::StackBusy {
            target: target(1, false),
            status,
        };
        let updating = StackStatus::UpdateInProgress;
        let turn = machine.handle(vec![busy(updating)], now);
        let kinds: Vec<_> = turn.events.iter().map(|e| e.kind.clone()).collect();
        assert_eq!(kinds, [EventKind::StackBusy { status: updating }]);
        events.extend(turn.events);
        // The same again is no news, and starts nothing.
        let turn = machine.handle(vec![busy(updating)], now);
        assert!(turn.events.is_empty() && turn.steps.is_empty());
        assert!(!machine.is_idle());

        let stop = Input::Stop(StopRequest {
            mode: StopMode::Wait,
            by: approver(),
            reason: String::new(),
        });
        events.extend(machine.handle(vec![stop], now).events);
        assert!(
            machine.is_idle(),
            "nothing of ours is to be seen to its end"
        );

        let owner = "laptop 2".to_owned();
        let (mut machine, turn) =
            Machine::resume(&events, owner, UnknownPolicy::Ask, BTreeMap::new(), now).unwrap();
        assert!(looks(&turn), "{turn:?}");
        assert!(!machine.is_idle());
        let turn = machine.handle(vec![busy(updating)], now);
        assert_eq!(turn.events.len(), 1, "it is said again");
    }
}

#[test]
fn who_gives_up_does_not_wait_for_somebody_elses_operation() {
    let now = Timestamp::UNIX_EPOCH;
    for deletes in [false, true] {
        let (mut machine, _) = looking(deletes);
        let late = Input::StackBusy {
            target: target(1, false),
            status: StackStatus::UpdateInProgress,
        };
        machine.handle(vec![late], now);
        let stop = Input::Stop(StopRequest {
            mode: StopMode::GiveUp,
            by: approver(),
            reason: String::new(),
        });
        machine.handle(vec![stop], now);
        assert_eq!(machine.state().outcome, Some(ExecutionOutcome::Stopped));
    }
}
