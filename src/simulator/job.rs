//! One step of the machine as the calls that the real one makes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::cloud::{Admission, Cloud, Refusal, Wanted};
use super::rehearsal::Places;
use super::stack::{Stack, Version};
use crate::model::{
    ArtifactPath, Base, CallFailure, Caller, Cause, ChangeAction, ChangeSetKind, ChangeSetOutcome,
    Collection, DeletableStack, Digest, Ending, FailureKind, Preparation, Reading, Removal,
    Replacement, ResourceChange, Settlement, StackEvent, StackOptions, StackStatus, StackSummary,
    Staleness, Target, TargetInputs, TargetSpec, status_reason,
};
use crate::pipeline::{Input, TargetIndex, TargetNews, TargetWork};

/// How long is waited before an observation is repeated.
const POLL: Duration = Duration::from_secs(5);
/// How often a call is tried: for five minutes, as long as the real ones are.
const ATTEMPTS: u32 = 34;

/// A step that is being carried out.
#[derive(Debug)]
pub(super) struct Job {
    index: TargetIndex,
    spec: TargetSpec,
    work: TargetWork,
    /// The call that comes next, of those that the step makes.
    call: usize,
    attempt: u32,
    /// How many events of the stack were seen.
    seen: usize,
}

/// What comes of waking a job.
#[derive(Debug)]
pub(super) enum Woken {
    /// It goes on later.
    Again(Duration),
    /// Something was seen, and it goes on later.
    Seen(TargetNews, Duration),
    /// It is done once that long has passed.
    Done(TargetNews, Duration),
}

/// What comes of a call that was answered.
enum Told {
    /// The next call follows.
    Next,
    /// The same call is made again after a while.
    Later(Duration),
    /// The same, and something was seen.
    Seen(TargetNews),
    /// The step is done.
    Done(TargetNews),
}

impl Job {
    /// Returns the job that carries `work` out.
    pub(super) fn of(index: TargetIndex, spec: TargetSpec, work: TargetWork) -> Self {
        Self {
            index,
            spec,
            work,
            call: 0,
            attempt: 0,
            seen: 0,
        }
    }

    /// Returns what the machine is told.
    pub(super) fn tells(&self, news: TargetNews) -> Input {
        let index = self.index;
        Input::Target { index, news }
    }

    /// Makes the next call.
    pub(super) fn wake(&mut self, cloud: &mut Cloud, places: &mut Places, now: Timestamp) -> Woken {
        let target = self.spec.target.clone();
        let place = (target.account.clone(), target.region.clone());
        if let Some(rest) = places.rests.get(&place).filter(|rest| **rest > now) {
            let rest = Duration::try_from(rest.duration_since(now)).unwrap_or_default();
            return Woken::Again(rest);
        }
        let role = (target.account.clone(), self.spec.role_arn.clone());
        let assumes = role.1.is_some() && !places.assumed.contains(&role);
        let operation = match assumes {
            true => "AssumeRole",
            false => self.operation(),
        };
        let (admission, latency) = cloud.admit(&target, operation, now);
        let mutates = !assumes && is_mutating(operation);
        match admission {
            Admission::Answered if assumes => {
                places.assumed.insert(role);
                Woken::Again(latency)
            }
            Admission::Answered => {
                self.attempt = 0;
                self.told(cloud, now, latency)
            }
            Admission::LosesReply if mutates => {
                // What comes of it is looked up; nobody hears the answer.
                let _ = self.told(cloud, now, latency);
                Woken::Done(self.lost(operation), latency)
            }
            Admission::LosesRequest if mutates => Woken::Done(self.lost(operation), latency),
            Admission::Refused(refusal) if refusal.http == 503 && mutates => {
                Woken::Done(self.lost(operation), latency)
            }
            Admission::LosesReply | Admission::LosesRequest => {
                self.again(FailureKind::Unreachable, "the connection breaks", latency)
            }
            Admission::Refused(refusal) if refusal.http == 503 => {
                self.again(FailureKind::Unreachable, &refusal.message, latency)
            }
            Admission::Refused(refusal) if refusal.code == "Throttling" => {
                let woken = self.again(FailureKind::Throttled, &refusal.message, latency);
                if let Woken::Again(rest) = woken {
                    places.rests.insert(place, now + rest);
                }
                woken
            }
            Admission::Refused(refusal) => Woken::Done(self.failed(failure(&refusal)), latency),
        }
    }

    fn told(&mut self, cloud: &mut Cloud, now: Timestamp, latency: Duration) -> Woken {
        match self.carry_out(cloud, now) {
            Ok(Told::Next) => {
                self.call += 1;
                Woken::Again(latency)
            }
            Ok(Told::Later(delay)) => Woken::Again(latency + delay),
            Ok(Told::Seen(input)) => Woken::Seen(input, latency + POLL),
            Ok(Told::Done(input)) => Woken::Done(input, latency),
            Err(refusal) => Woken::Done(self.failed(failure(&refusal)), latency),
        }
    }

    /// Tries the same call again after a while; observing never fails for throttling.
    fn again(&mut self, kind: FailureKind, message: &str, latency: Duration) -> Woken {
        self.attempt += 1;
        let observes = matches!(self.work, TargetWork::Watch { .. });
        let is_patient = observes && kind == FailureKind::Throttled;
        if self.attempt >= ATTEMPTS && !is_patient {
            return Woken::Done(self.failed(CallFailure::new(kind, message)), latency);
        }
        let rest = Duration::from_millis(500).saturating_mul(1 << self.attempt.min(5));
        Woken::Again(latency + rest.min(Duration::from_secs(10)))
    }

    fn lost(&self, operation: &str) -> TargetNews {
        let message = format!("{operation}: the connection broke before the answer");
        self.failed(CallFailure::new(FailureKind::Ambiguous, message))
    }

    /// Returns the operation of the call that comes next.
    fn operation(&self) -> &'static str {
        match (&self.work, self.call) {
            (TargetWork::Prepare { .. }, _) => "DescribeStacks",
            (TargetWork::Collect { .. }, 0) => "DescribeStacks",
            (TargetWork::Collect { .. }, _) => "ListStackResources",
            (TargetWork::CreateChangeSet { look_first, .. }, 0) if *look_first => {
                "DescribeChangeSet"
            }
            (TargetWork::CreateChangeSet { .. }, _) => "CreateChangeSet",
            (TargetWork::FindChangeSet { .. }, _) => "DescribeChangeSet",
            (TargetWork::ReadChangeSet { .. }, 0) => "DescribeChangeSet",
            (TargetWork::ReadChangeSet { .. }, _) => "DescribeStackEvents",
            (TargetWork::DeleteChangeSet { .. }, _) => "DeleteChangeSet",
            (TargetWork::DeleteReviewStack { .. }, 0) => "DescribeStacks",
            (TargetWork::DeleteReviewStack { .. }, _) => "DeleteStack",
            (TargetWork::Verify { .. } | TargetWork::Settle { .. }, 0) => "DescribeChangeSet",
            (TargetWork::Verify { .. } | TargetWork::Settle { .. }, _) => "DescribeStacks",
            (TargetWork::Execute { approved, .. }, _) => match approved.kind {
                ChangeSetKind::Delete => "DeleteStack",
                ChangeSetKind::Create | ChangeSetKind::Update | ChangeSetKind::Import => {
                    "ExecuteChangeSet"
                }
            },
            (TargetWork::Watch { .. }, 0) => "DescribeStackEvents",
            (TargetWork::Watch { .. }, _) => "DescribeStacks",
            (TargetWork::ApplySetting { .. }, _) => "SetStackPolicy",
        }
    }

    /// Carries out the call that was admitted.
    fn carry_out(&mut self, cloud: &mut Cloud, now: Timestamp) -> Result<Told, Refusal> {
        let target = self.spec.target.clone();
        let name = target.stack.as_str();
        Ok(Told::Done(match &self.work {
            TargetWork::Prepare { .. } => {
                let stack = cloud.stack(&target, name, now).ok();
                let preparation = Preparation {
                    caller: caller(&target),
                    stack: stack.map(|s| summary(s, now)),
                    inputs: inputs(),
                };
                let result = Ok(Box::new(preparation));
                TargetNews::Prepared(result)
            }
            TargetWork::Collect { .. } => {
                let stack = cloud.stack(&target, name, now).ok();
                if stack.is_some() && self.call == 0 {
                    return Ok(Told::Next);
                }
                let stack = stack.map(|s| deletable(s, now));
                let caller = caller(&target);
                let result = Ok(Box::new(Collection { caller, stack }));
                TargetNews::Collected(result)
            }
            TargetWork::CreateChangeSet {
                kind,
                name,
                look_first,
                ..
            } => {
                let found = cloud.stack(&target, target.stack.as_str(), now).ok();
                let found = found
                    .and_then(|s| Some((s.change_set(name.as_str())?.id.clone(), s.id.clone())));
                let result = match found {
                    Some(found) if *look_first && self.call == 0 => Ok(found),
                    None if *look_first && self.call == 0 => return Ok(Told::Next),
                    Some(_) | None => {
                        let wanted = Wanted {
                            name: name.clone(),
                            kind: *kind,
                            version: release(),
                        };
                        Ok(cloud.create_change_set(&target, wanted, now)?)
                    }
                };
                TargetNews::ChangeSetCreated(result)
            }
            TargetWork::FindChangeSet { name, .. } => {
                let found = cloud.stack(&target, target.stack.as_str(), now).ok();
                let found = found
                    .and_then(|s| Some((s.change_set(name.as_str())?.id.clone(), s.id.clone())));
                let result = Ok(found);
                TargetNews::ChangeSetFound(result)
            }
            TargetWork::ReadChangeSet {
                change_set,
                kind,
                stack,
                ..
            } => {
                let seen = cloud.stack(&target, stack.as_str(), now)?;
                let set = seen
                    .change_set(change_set.as_str())
                    .ok_or_else(|| Refusal::no_change_set(change_set.as_str()))?;
                if let Ok(wait) = Duration::try_from(set.ready.duration_since(now))
                    && !wait.is_zero()
                {
                    return Ok(Told::Later(wait.min(POLL)));
                }
                let is_empty = set.changes.is_empty();
                let lives = *kind != ChangeSetKind::Create;
                if lives && !is_empty && self.call == 0 {
                    return Ok(Told::Next);
                }
                let result = Ok(Box::new(reading(seen, set, lives, now)));
                TargetNews::ChangeSetRead(result)
            }
            TargetWork::DeleteChangeSet { change_set, .. } => {
                let result = match cloud.delete_change_set(&target, change_set.as_str(), now) {
                    Ok(()) => Ok(Removal::Deleted),
                    Err(refusal) if refusal.code == "InvalidChangeSetStatus" => {
                        Ok(Removal::Executed {
                            status: "EXECUTE_COMPLETE".to_owned(),
                        })
                    }
                    Err(_) => Ok(Removal::Gone { stack: None }),
                };
                TargetNews::ChangeSetDeleted(result)
            }
            TargetWork::DeleteReviewStack { stack, .. } => {
                let seen = cloud.stack(&target, stack.as_str(), now)?;
                let is_ours = seen.status(now) == StackStatus::ReviewInProgress
                    && seen.change_sets.is_empty();
                if is_ours && self.call == 0 {
                    return Ok(Told::Next);
                }
                if is_ours {
                    cloud.delete(&target, None, now)?;
                }
                let result = Ok((!is_ours).then(|| "it is no longer in review".to_owned()));
                TargetNews::ReviewStackDeleted(result)
            }
            TargetWork::Verify { approved, .. } => {
                if self.call == 0 && approved.change_set.is_some() {
                    return Ok(Told::Next);
                }
                let result = Ok(differences(
                    cloud.stack(&target, name, now).ok(),
                    approved,
                    now,
                ));
                TargetNews::Verified(result)
            }
            TargetWork::Execute {
                approved, token, ..
            } => {
                match &approved.change_set {
                    Some(set) => cloud.execute(&target, set.as_str(), Some(token), now)?,
                    None => cloud.delete(&target, Some(token), now)?,
                }
                let result = Ok(());
                TargetNews::Executed(result)
            }
            TargetWork::Settle {
                approved, token, ..
            } => {
                if self.call == 0 && approved.change_set.is_some() {
                    return Ok(Told::Next);
                }
                let stack = cloud.stack(&target, approved.base.stack.as_str(), now)?;
                let set = approved.change_set.as_ref();
                let set = set.and_then(|id| stack.change_set(id.as_str()));
                let was_begun = set.is_some_and(|c| c.executed) || stack.has_operation(token);
                let result = Ok(match was_begun {
                    true => Settlement::Accepted,
                    false => Settlement::NotAccepted,
                });
                TargetNews::Settled(result)
            }
            TargetWork::Watch {
                approved, token, ..
            } => {
                let stack = cloud.stack(&target, approved.base.stack.as_str(), now)?;
                let status = stack.status(now);
                if self.call > 0 {
                    let result = Ok(Box::new(ending(stack, token, status, now)));
                    return Ok(Told::Done(TargetNews::Watched(result)));
                }
                let events = of_operation(stack, token, now);
                let is_over = events.last().is_some_and(|e| e.is_of_stack(&stack.id))
                    && status.is_settled()
                    && events.len() > 1;
                let new: Vec<StackEvent> = events.into_iter().skip(self.seen).collect();
                if new.is_empty() {
                    return Ok(if is_over {
                        Told::Next
                    } else {
                        Told::Later(POLL)
                    });
                }
                self.seen += new.len();
                self.call = usize::from(is_over);
                let events = new;
                return Ok(Told::Seen(TargetNews::Observed(events)));
            }
            TargetWork::ApplySetting { setting, .. } => TargetNews::SettingApplied {
                setting: *setting,
                result: Ok(()),
            },
        }))
    }

    /// Returns the news that that the step failed.
    fn failed(&self, failure: CallFailure) -> TargetNews {
        match &self.work {
            TargetWork::Prepare { .. } => TargetNews::Prepared(Err(failure)),
            TargetWork::Collect { .. } => TargetNews::Collected(Err(failure)),
            TargetWork::CreateChangeSet { .. } => TargetNews::ChangeSetCreated(Err(failure)),
            TargetWork::FindChangeSet { .. } => TargetNews::ChangeSetFound(Err(failure)),
            TargetWork::ReadChangeSet { .. } => TargetNews::ChangeSetRead(Err(failure)),
            TargetWork::DeleteChangeSet { .. } => TargetNews::ChangeSetDeleted(Err(failure)),
            TargetWork::DeleteReviewStack { .. } => TargetNews::ReviewStackDeleted(Err(failure)),
            TargetWork::Verify { .. } => TargetNews::Verified(Err(failure)),
            TargetWork::Execute { .. } => TargetNews::Executed(Err(failure)),
            TargetWork::Settle { .. } => TargetNews::Settled(Err(failure)),
            TargetWork::Watch { .. } => TargetNews::Watched(Err(failure)),
            TargetWork::ApplySetting { setting, .. } => TargetNews::SettingApplied {
                setting: *setting,
                result: Err(failure),
            },
        }
    }
}

/// Returns whether nobody may send a call of `operation` twice without looking.
fn is_mutating(operation: &str) -> bool {
    matches!(
        operation,
        "CreateChangeSet" | "ExecuteChangeSet" | "DeleteStack" | "DeleteChangeSet"
    )
}

fn failure(refusal: &Refusal) -> CallFailure {
    let kind = match refusal.code {
        "AccessDenied" => FailureKind::AccessDenied,
        "ExpiredToken" => FailureKind::CredentialsExpired,
        "AlreadyExistsException" => FailureKind::AlreadyExists,
        "ChangeSetNotFound" => FailureKind::NotFound,
        "ValidationError" if status_reason::is_missing_stack(&refusal.message) => {
            FailureKind::NotFound
        }
        _ => FailureKind::Refused,
    };
    CallFailure::new(kind, format!("{}: {}", refusal.code, refusal.message))
}

/// Returns what every simulated change set makes a stack from.
fn release() -> Version {
    super::rehearsal::version("the release")
}

fn caller(target: &Target) -> Caller {
    Caller {
        account: target.account.clone(),
        arn: format!(
            "arn:aws:sts::{}:assumed-role/rehearsal/rehearsal",
            target.account
        ),
    }
}

fn inputs() -> TargetInputs {
    TargetInputs {
        template: ArtifactPath {
            artifact: crate::pipeline::SOURCE_ARTIFACT.into(),
            path: "template".to_owned(),
        },
        template_digest: Digest::of(b"rehearsal"),
        packaged: None,
        uploads: crate::model::Uploads::default(),
        parameters: Vec::new(),
        tags: None,
        capabilities: BTreeSet::new(),
        role_arn: None,
        stack_policy: None,
        options: StackOptions::default(),
    }
}

fn summary(stack: &Stack, now: Timestamp) -> StackSummary {
    StackSummary {
        id: stack.id.clone(),
        status: stack.status(now),
        reason: None,
        parameters: Vec::new(),
        outputs: BTreeMap::new(),
        tags: None,
    }
}

fn base(stack: &Stack, now: Timestamp) -> Base {
    match stack.status(now) {
        StackStatus::ReviewInProgress => Base::in_review(stack.id.clone()),
        status => Base {
            stack: stack.id.clone(),
            status,
            newest_event: stack.events(now).first().map(|e| e.id.clone()),
        },
    }
}

fn changes(set: &super::ChangeSet, action: ChangeAction) -> Vec<ResourceChange> {
    let described = set.changes.iter().map(|change| ResourceChange {
        logical_id: change.resource.clone(),
        resource_type: change.resource_type.to_string(),
        physical_id: None,
        action,
        replacement: Replacement::No,
        policy_action: None,
        scope: Vec::new(),
        details: Vec::new(),
        before: None,
        after: None,
        nested: None,
        module: None,
        drift: None,
    });
    described.collect()
}

fn reading(stack: &Stack, set: &super::ChangeSet, lives: bool, now: Timestamp) -> Reading {
    let is_ready = !set.changes.is_empty();
    let action = match lives {
        true => ChangeAction::Modify,
        false => ChangeAction::Add,
    };
    Reading {
        outcome: match is_ready {
            true => ChangeSetOutcome::Ready,
            false => ChangeSetOutcome::NoChanges,
        },
        changes: changes(set, action),
        base: is_ready.then(|| base(stack, now)),
        previous_template: None,
        gone_exports: Vec::new(),
        previous_parameters: BTreeMap::new(),
        settings_differ: false,
        drift: None,
    }
}

fn deletable(stack: &Stack, now: Timestamp) -> DeletableStack {
    DeletableStack {
        base: base(stack, now),
        changes: Vec::new(),
        template: None,
        retain: Vec::new(),
        role_arn: None,
        obstacles: Vec::new(),
    }
}

/// Returns how the stack differs from what was approved.
fn differences(
    stack: Option<&Stack>,
    approved: &crate::model::PlannedTarget,
    now: Timestamp,
) -> Vec<Staleness> {
    let Some(stack) = stack.filter(|s| s.id == approved.base.stack) else {
        return vec![Staleness::StackReplaced];
    };
    if let Some(id) = &approved.change_set {
        match stack.change_set(id.as_str()) {
            None => return vec![Staleness::ChangeSetGone],
            Some(set) if set.executed || set.obsolete => {
                let status = "EXECUTE_COMPLETE".to_owned();
                return vec![Staleness::NotExecutable { status }];
            }
            Some(_) => {}
        }
    }
    match base(stack, now) == approved.base {
        true => Vec::new(),
        false => vec![Staleness::NewEvents],
    }
}

/// Returns the events of the operation with `token`, oldest first.
fn of_operation(stack: &Stack, token: &str, now: Timestamp) -> Vec<StackEvent> {
    let mut events = stack.events(now);
    events.retain(|e| e.token.as_deref() == Some(token));
    events.reverse();
    events
}

fn ending(stack: &Stack, token: &str, status: StackStatus, now: Timestamp) -> Ending {
    let events = of_operation(stack, token, now);
    let failed = events.into_iter().find(StackEvent::is_failure);
    Ending {
        status,
        outputs: BTreeMap::new(),
        cause: failed.map(|event| Cause {
            resource: Some((event.logical_id, event.resource_type)),
            reason: event.reason.unwrap_or_default(),
        }),
    }
}
