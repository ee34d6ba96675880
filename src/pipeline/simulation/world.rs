//! The world: stacks that follow their scripts, and what comes of each step in it.

use super::*;

/// What becomes of a target that nothing disturbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
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
pub(super) enum Fault {
    None,
    /// The reply was lost, the call was carried out.
    LostAfter,
    /// The reply was lost, the call never arrived.
    LostBefore,
    /// The reply was lost, the call is carried out after somebody looked.
    Late,
    Expired,
    /// It waited for its turn for so long that it was not sent.
    NotSent,
    /// Nothing answers, and nothing was sent.
    Unreachable,
}

#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) fate: Fate,
    pub(super) exists: bool,
    pub(super) create: Vec<Fault>,
    pub(super) execute: Vec<Fault>,
    /// Observations that credentials expire for.
    pub(super) expired: u8,
    /// How many calls, from the approval on, nothing answers.
    pub(super) silent: u8,
    /// Times that it cannot be told whether the execution was accepted.
    pub(super) murky: u8,
    /// Whether the stack can be read by nobody once its change set was accepted.
    pub(super) denied: bool,
    pub(super) second_region: bool,
    pub(super) policy: Policy,
}

/// Whether a stack policy is to be set, and what the service makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    None,
    Taken,
    Refused,
}

#[derive(Debug, Clone)]
pub(super) struct Stack {
    pub(super) script: Script,
    /// Whether the execution deletes stacks.
    pub(super) deletes: bool,
    pub(super) has_change_set: bool,
    pub(super) in_review: bool,
    pub(super) executions: u32,
    /// An execution on its way.
    pub(super) late: bool,
    /// Requests to execute what had been executed.
    pub(super) repeated: u32,
    pub(super) creations: u32,
    /// Whether the operation was seen to end.
    pub(super) has_ended: bool,
    pub(super) has_policy: bool,
    pub(super) policies: u32,
}

pub(super) type World = BTreeMap<Target, Stack>;

pub(super) fn failure<T>(kind: FailureKind) -> Result<T, CallFailure> {
    Err(CallFailure::new(kind, "scripted"))
}

pub(super) fn stack_id(target: &Target) -> StackId {
    StackId::new(format!("arn:stack/{target}")).unwrap()
}

pub(super) fn change_set_id(target: &Target) -> ChangeSetId {
    ChangeSetId::new(format!("arn:change-set/{target}")).unwrap()
}

pub(super) fn pop(faults: &mut Vec<Fault>) -> Fault {
    if faults.is_empty() {
        Fault::None
    } else {
        faults.remove(0)
    }
}

impl Stack {
    pub(super) fn summary(&self, target: &Target) -> Option<StackSummary> {
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
            tags: None,
        })
    }

    pub(super) fn collection(&self, target: &Target) -> Collection {
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

    pub(super) fn is_expired(&mut self) -> bool {
        let is = self.script.expired > 0;
        self.script.expired -= u8::from(is);
        is
    }

    /// Returns how a call fails that does not come through.
    pub(super) fn unheard(&mut self) -> Option<FailureKind> {
        if self.is_expired() {
            return Some(FailureKind::CredentialsExpired);
        }
        let is_silent = self.script.silent > 0;
        self.script.silent -= u8::from(is_silent);
        is_silent.then_some(FailureKind::Unreachable)
    }

    pub(super) fn create(
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
            // While it is prepared, it is no pause: it would be another end.
            Fault::None | Fault::LostAfter | Fault::NotSent | Fault::Unreachable => {}
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

    pub(super) fn read(&mut self, target: &Target) -> Result<Box<Reading>, CallFailure> {
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
            gone_exports: Vec::new(),
            drift: None,
            previous_template: None,
            previous_parameters: Default::default(),
            settings_differ,
        }))
    }

    /// Returns whether there is nothing to execute, only something to set.
    pub(super) fn sets_policy_only(&self) -> bool {
        let wants = self.script.policy != Policy::None;
        self.script.fate == Fate::NoChanges && self.script.exists && wants && !self.deletes
    }

    pub(super) fn set_policy(&mut self) -> Result<(), CallFailure> {
        assert!(self.script.policy != Policy::None, "nobody asked for it");
        assert!(
            self.sets_policy_only() || self.has_ended && self.script.fate == Fate::Succeeds,
            "a policy comes after an operation that went well"
        );
        if let Some(kind) = self.unheard() {
            return failure(kind);
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

    pub(super) fn verify(&mut self) -> Result<Vec<Staleness>, CallFailure> {
        if let Some(kind) = self.unheard() {
            return failure(kind);
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

    pub(super) fn execute(&mut self) -> Result<(), CallFailure> {
        let fault = pop(&mut self.script.execute);
        match fault {
            Fault::Expired => return failure(FailureKind::CredentialsExpired),
            Fault::Unreachable => return failure(FailureKind::Unreachable),
            Fault::LostBefore => return failure(FailureKind::Ambiguous),
            Fault::NotSent => return failure(FailureKind::NotSent),
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

    pub(super) fn settle(&mut self) -> Result<Settlement, CallFailure> {
        if let Some(kind) = self.unheard() {
            return failure(kind);
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

    pub(super) fn watch(&mut self) -> Vec<TargetNews> {
        let observed = TargetNews::Observed(vec![StackEvent {
            id: "event-1".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            logical_id: LogicalId::new("Queue").unwrap(),
            resource_type: "AWS::SQS::Queue".to_owned(),
            physical_id: None,
            status: "CREATE_IN_PROGRESS".to_owned(),
            reason: None,
            token: None,
        }]);
        let result = if let Some(kind) = self.unheard() {
            failure(kind)
        } else if self.script.denied {
            self.in_review = false;
            failure(FailureKind::AccessDenied)
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
        vec![observed, TargetNews::Watched(result)]
    }
}

/// Carries a step out and returns what the machine would be told.
pub(super) fn perform(world: &mut World, step: Step) -> Vec<Input> {
    let StepKind::Target { index, spec, work } = step.kind else {
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
    assert_eq!(step.scope.target.as_ref(), Some(&spec.target));
    let stack = world.get_mut(&spec.target).unwrap();
    let news = carry_out(stack, &spec, work);
    let of_target = |news| Input::Target { index, news };
    news.into_iter().map(of_target).collect()
}

fn carry_out(stack: &mut Stack, spec: &TargetSpec, work: TargetWork) -> Vec<TargetNews> {
    let target = &spec.target;
    let mut told = Vec::new();
    let looks = matches!(
        work,
        TargetWork::Prepare { .. } | TargetWork::Collect { .. }
    );
    if looks && stack.script.murky > 0 {
        told.push(TargetNews::StackBusy(StackStatus::UpdateInProgress));
    }
    told.push(match work {
        TargetWork::Prepare { .. } => {
            assert_eq!(spec.role_arn.as_deref(), Some("plan"));
            let result = if stack.is_expired() {
                failure(FailureKind::CredentialsExpired)
            } else {
                Ok(Box::new(Preparation {
                    caller: Caller {
                        account: target.account.clone(),
                        arn: "arn:aws:iam::000000000001:user/ana".to_owned(),
                    },
                    stack: stack.summary(target),
                    inputs: TargetInputs {
                        template: "Source::network.yaml".parse::<ArtifactPath>().unwrap(),
                        template_digest: Digest::of(b"template"),
                        packaged: None,
                        uploads: crate::model::Uploads::default(),
                        parameters: Vec::new(),
                        tags: None,
                        capabilities: BTreeSet::new(),
                        role_arn: None,
                        stack_policy: (stack.script.policy != Policy::None)
                            .then(|| "{}".to_owned()),
                        options: crate::model::StackOptions::default(),
                    },
                }))
            };
            TargetNews::Prepared(result)
        }
        TargetWork::Collect { .. } => {
            let result = if stack.is_expired() {
                failure(FailureKind::CredentialsExpired)
            } else {
                Ok(Box::new(stack.collection(target)))
            };
            TargetNews::Collected(result)
        }
        TargetWork::CreateChangeSet { look_first, .. } => {
            let result = stack.create(target, look_first);
            TargetNews::ChangeSetCreated(result)
        }
        TargetWork::FindChangeSet { .. } => {
            let result = if stack.is_expired() {
                failure(FailureKind::CredentialsExpired)
            } else {
                let found = (change_set_id(target), stack_id(target));
                Ok(stack.has_change_set.then_some(found))
            };
            TargetNews::ChangeSetFound(result)
        }
        TargetWork::ReadChangeSet { .. } => {
            let result = stack.read(target);
            TargetNews::ChangeSetRead(result)
        }
        TargetWork::DeleteChangeSet { .. } => {
            assert_eq!(stack.executions, 0, "what was executed is not removed");
            stack.has_change_set = false;
            TargetNews::ChangeSetDeleted(Ok(Removal::Deleted))
        }
        TargetWork::DeleteReviewStack { .. } => {
            assert!(!stack.script.exists, "a stack that was there is not ours");
            assert_eq!(stack.executions, 0, "what was executed is not removed");
            stack.in_review = false;
            TargetNews::ReviewStackDeleted(Ok(None))
        }
        TargetWork::Verify { .. } => {
            invariant_execution_has_its_own_role(spec);
            let result = stack.verify();
            TargetNews::Verified(result)
        }
        TargetWork::Execute { .. } => {
            invariant_execution_has_its_own_role(spec);
            let result = stack.execute();
            TargetNews::Executed(result)
        }
        TargetWork::Settle { .. } => {
            invariant_execution_has_its_own_role(spec);
            let result = stack.settle();
            TargetNews::Settled(result)
        }
        TargetWork::ApplySetting { setting, .. } => {
            let result = stack.set_policy();
            TargetNews::SettingApplied { setting, result }
        }
        TargetWork::Watch { .. } => {
            invariant_execution_has_its_own_role(spec);
            return stack.watch();
        }
    });
    told
}
