//! The world as AWS would answer for it: who may call, how often, and what becomes of stacks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::chance::Chance;
use super::limit::Bucket;
use super::scenario::{Access, Ends, Percent, Scenario, StackRules};
use super::stack::{Change, ChangeSet, End, Operation, Stack, Version, Work};
use crate::model::{
    AccountId, ChangeSetId, ChangeSetKind, ChangeSetName, LogicalId, Region, StackId, StackStatus,
    Target,
};

/// How long an operation on a stack takes where nobody says it.
const USUAL: Ends = Ends(Duration::from_secs(60), Duration::from_secs(60));

/// A simulated world.
#[derive(Debug)]
pub struct Cloud {
    scenario: Scenario,
    chance: Chance,
    begun: Timestamp,
    /// By target; the stacks that went are kept, as AWS does, for who knows their ARN.
    stacks: HashMap<Target, Vec<Stack>>,
    /// By the rule that limits, and the place.
    buckets: HashMap<(usize, AccountId, Region), Bucket>,
    /// Where each change set is; some calls name nothing else.
    sets: HashMap<ChangeSetId, Target>,
    /// How long operations take where no rule says it.
    expected: HashMap<Target, Ends>,
    /// Every template once, however many stacks are made from it.
    templates: HashSet<Arc<str>>,
    /// How often something was asked, where chance has a say in the answer.
    asked: HashMap<(Target, Box<str>), u32>,
    counts: Counts,
}

/// What was asked of the world.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls by operation, refused ones too.
    pub calls: BTreeMap<String, u64>,
    /// Calls that were refused with `Throttling`.
    pub throttled: u64,
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It is carried out and answered.
    Answered,
    /// It is carried out; the connection breaks before the answer.
    LosesReply,
    /// The connection breaks before it is carried out.
    LosesRequest,
    /// It is refused.
    Refused(Refusal),
}

/// An error that the service answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub http: u16,
    /// The code.
    pub code: &'static str,
    /// The message.
    pub message: String,
}

impl Refusal {
    pub(super) fn new(http: u16, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            http,
            code,
            message,
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    pub(super) fn no_change_set(name: &str) -> Self {
        let message = format!("ChangeSet [{name}] does not exist");
        Self::new(404, "ChangeSetNotFound", message)
    }
}

/// A change set that is asked for.
#[derive(Debug)]
pub struct Wanted {
    /// Its name.
    pub name: ChangeSetName,
    /// Whether it makes or changes the stack.
    pub kind: ChangeSetKind,
    /// What the stack is to be made from.
    pub version: Version,
}

impl Cloud {
    /// Returns a world without stacks that begins at `now`.
    pub fn new(scenario: Scenario, now: Timestamp) -> Self {
        Self {
            chance: Chance::new(scenario.seed),
            scenario,
            begun: now,
            stacks: HashMap::new(),
            buckets: HashMap::new(),
            sets: HashMap::new(),
            expected: HashMap::new(),
            templates: HashSet::new(),
            asked: HashMap::new(),
            counts: Counts::default(),
        }
    }

    /// Returns what was asked so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Returns every stack that was ever made.
    pub fn stacks(&self) -> impl Iterator<Item = &Stack> {
        self.stacks.values().flatten()
    }

    /// Returns where a change set is, by its ARN.
    pub(super) fn target_of(&self, change_set: &str) -> Option<&Target> {
        self.sets.get(&ChangeSetId::new(change_set).ok()?)
    }

    /// Returns the one copy of a template.
    pub(super) fn interned(&mut self, template: &str) -> Arc<str> {
        if let Some(known) = self.templates.get(template) {
            return known.clone();
        }
        let new: Arc<str> = template.into();
        self.templates.insert(new.clone());
        new
    }

    /// Puts a stack that was made from `version` before the simulation began.
    pub fn settle(&mut self, target: &Target, version: Version) {
        let made = self.begun - Duration::from_secs(86_400);
        if let Ok(mut stack) = self.new_stack(target, made) {
            stack.operations.push(Operation {
                work: Work::Create,
                token: None,
                start: made,
                duration: Duration::from_secs(60),
                end: End::Complete,
                changes: self.changes(&self.scenario.stack(target)),
                version,
            });
            self.stacks.entry(target.clone()).or_default().push(stack);
        }
    }

    /// Lets operations on stacks take as long as is expected of them, where no rule says how long.
    pub fn expect(&mut self, durations: impl IntoIterator<Item = (Target, Ends)>) {
        self.expected.extend(durations);
    }

    /// Decides what becomes of a call of `operation`, and how long the answer takes.
    pub fn admit(
        &mut self,
        target: &Target,
        operation: &str,
        now: Timestamp,
    ) -> (Admission, Duration) {
        match self.counts.calls.get_mut(operation) {
            Some(count) => *count += 1,
            None => drop(self.counts.calls.insert(operation.to_owned(), 1)),
        }
        let rules = self.scenario.call(target, operation);
        let Ends(least, most) = rules.latency;
        let latency = (target, operation, now.as_nanosecond());
        let latency = self.chance.between((least, most), latency);
        let since = now.duration_since(self.begun);
        let since = Duration::try_from(since).unwrap_or_default();
        if rules
            .down
            .iter()
            .any(|Ends(from, to)| *from <= since && since < *to)
        {
            return (Admission::LosesRequest, latency);
        }
        let denied = || {
            let role = format!(
                "not authorized to perform: {operation} in {}",
                target.place()
            );
            Admission::Refused(Refusal::new(403, "AccessDenied", role))
        };
        let expired = "The security token included in the request is expired";
        match rules.role {
            Access::Allowed => {}
            Access::Denied if operation == "AssumeRole" => return (denied(), latency),
            Access::Denied => {}
            Access::Expired => {
                let refusal = Refusal::new(403, "ExpiredToken", expired);
                return (Admission::Refused(refusal), latency);
            }
        }
        let throttling = Refusal::new(400, "Throttling", "Rate exceeded");
        if let Some((rule, rate)) = rules.rate {
            let place = (rule, target.account.clone(), target.region.clone());
            let bucket = self.buckets.entry(place);
            if bucket
                .or_insert_with(|| Bucket::new(rate, now))
                .take(now)
                .is_err()
            {
                self.counts.throttled += 1;
                return (Admission::Refused(throttling), latency);
            }
        }
        if rules.is_calm() {
            return (Admission::Answered, latency);
        }
        // Asked again, the answer may be another one.
        let key = (target.clone(), Box::from(operation));
        let attempt = self.asked.entry(key).or_default();
        *attempt += 1;
        let what = (target, operation, *attempt);
        let happens = |percent: Percent, why: &str| self.chance.happens(percent.0, (what, why));
        let admission = if happens(rules.throttled, "throttled") {
            self.counts.throttled += 1;
            Admission::Refused(throttling)
        } else if happens(rules.unavailable, "unavailable") {
            let message = "Service is unable to handle request";
            Admission::Refused(Refusal::new(503, "ServiceUnavailable", message))
        } else if happens(rules.lost_requests, "lost request") {
            Admission::LosesRequest
        } else if happens(rules.lost_replies, "lost reply") {
            Admission::LosesReply
        } else {
            Admission::Answered
        };
        (admission, latency)
    }

    /// Returns the stack with a name, or with an ARN though it is gone.
    pub fn stack(
        &self,
        target: &Target,
        name_or_id: &str,
        now: Timestamp,
    ) -> Result<&Stack, Refusal> {
        let known = self.stacks.get(target).map_or(&[][..], Vec::as_slice);
        let by_id = known.iter().find(|s| s.id.as_str() == name_or_id);
        let live = || {
            self.live(target, now)
                .filter(|_| name_or_id == target.stack.as_str())
        };
        by_id
            .or_else(live)
            .ok_or_else(|| Refusal::invalid(format!("Stack with id {name_or_id} does not exist")))
    }

    fn live(&self, target: &Target, now: Timestamp) -> Option<&Stack> {
        let last = self.stacks.get(target)?.last()?;
        (last.status(now) != StackStatus::DeleteComplete).then_some(last)
    }

    fn live_mut(&mut self, target: &Target, now: Timestamp) -> Result<&mut Stack, Refusal> {
        let last = self.stacks.get_mut(target).and_then(|s| s.last_mut());
        last.filter(|s| s.true_status(now) != StackStatus::DeleteComplete)
            .ok_or_else(|| Refusal::invalid(format!("Stack [{}] does not exist", target.stack)))
    }

    fn new_stack(&self, target: &Target, now: Timestamp) -> Result<Stack, Refusal> {
        let number = self.stacks.get(target).map_or(0, Vec::len);
        let id = format!(
            "arn:{}:cloudformation:{}:{}:stack/{}/{number:08x}-0000-4000-8000-{}",
            target.region.partition(),
            target.region,
            target.account,
            target.stack,
            target.account,
        );
        let rules = self.scenario.stack(target);
        let bad = |e: crate::model::IdError| Refusal::invalid(e.to_string());
        Ok(Stack {
            target: target.clone(),
            name: LogicalId::new(target.stack.as_str()).map_err(bad)?,
            id: StackId::new(id).map_err(bad)?,
            created: now,
            change_sets: Vec::new(),
            operations: Vec::new(),
            late: rules.late_events.0,
            stale: rules.stale_reads.0,
        })
    }

    fn changes(&self, rules: &StackRules<'_>) -> Vec<Change> {
        let resource_type: Arc<str> = rules.resource_type.into();
        let names = std::iter::once(rules.resource.to_owned())
            .chain((2..).map(|n| format!("Resource{n}")))
            .take(rules.resources as usize);
        names
            .filter_map(|name| LogicalId::new(name).ok())
            .map(|resource| Change {
                resource,
                resource_type: resource_type.clone(),
            })
            .collect()
    }

    /// Creates a change set, and the stack that it makes where there is none.
    pub fn create_change_set(
        &mut self,
        target: &Target,
        wanted: Wanted,
        now: Timestamp,
    ) -> Result<(ChangeSetId, StackId), Refusal> {
        let status = self.live(target, now).map(|s| s.true_status(now));
        let stands = status.is_some_and(|s| s != StackStatus::ReviewInProgress);
        match wanted.kind {
            ChangeSetKind::Create if stands => {
                let message = format!(
                    "Stack [{}] already exists and cannot be created again with the changeSet [{}].",
                    target.stack, wanted.name
                );
                return Err(Refusal::invalid(message));
            }
            ChangeSetKind::Create => {}
            ChangeSetKind::Update | ChangeSetKind::Import | ChangeSetKind::Delete if !stands => {
                return Err(Refusal::invalid(format!(
                    "Stack [{}] does not exist",
                    target.stack
                )));
            }
            ChangeSetKind::Update | ChangeSetKind::Import | ChangeSetKind::Delete => {}
        }
        if let Some(status) = status.filter(|s| !s.is_settled()) {
            return Err(Refusal::invalid(format!(
                "Stack:{} is in {status} state and can not be updated.",
                target.stack
            )));
        }
        if status.is_none() {
            let stack = self.new_stack(target, now)?;
            self.stacks.entry(target.clone()).or_default().push(stack);
        }
        let rules = self.scenario.stack(target);
        let Ends(least, most) = rules.change_set;
        let takes = self
            .chance
            .between((least, most), (target, wanted.name.as_str()));
        let unchanged = self
            .chance
            .happens(rules.no_changes.0, (target, "no changes"));
        let changes = self.changes(&rules);
        let stack = self.live_mut(target, now)?;
        if stack.change_set(wanted.name.as_str()).is_some() {
            let message = format!("ChangeSet {} already exists", wanted.name);
            return Err(Refusal::new(400, "AlreadyExistsException", message));
        }
        let is_same = stack.version(now) == Some(&wanted.version);
        let id = format!(
            "{}/{:04x}",
            stack
                .id
                .as_str()
                .replacen(":stack/", ":changeSet/", 1)
                .replace(target.stack.as_str(), wanted.name.as_str()),
            stack.change_sets.len()
        );
        let id = ChangeSetId::new(id).map_err(|e| Refusal::invalid(e.to_string()))?;
        let nothing = wanted.kind == ChangeSetKind::Update && (is_same || unchanged);
        stack.change_sets.push(ChangeSet {
            name: wanted.name,
            id: id.clone(),
            kind: wanted.kind,
            version: wanted.version,
            created: now,
            ready: now + takes,
            changes: if nothing { Vec::new() } else { changes },
            executed: false,
            obsolete: false,
        });
        let made = (id.clone(), stack.id.clone());
        self.sets.insert(id, target.clone());
        Ok(made)
    }

    /// Executes a change set.
    pub fn execute(
        &mut self,
        target: &Target,
        change_set: &str,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let (version, kind) = {
            let stack = self.live_mut(target, now)?;
            let status = stack.true_status(now);
            let found = stack.change_set(change_set);
            let found = found.ok_or_else(|| Refusal::no_change_set(change_set))?;
            let is_ready = found.ready <= now && !found.changes.is_empty();
            if found.executed || found.obsolete || !is_ready || !status.is_settled() {
                let message = format!(
                    "ChangeSet [{}] cannot be executed in its current status",
                    found.id
                );
                return Err(Refusal::new(400, "InvalidChangeSetStatus", message));
            }
            let executed = found.id.clone();
            let (version, kind) = (found.version.clone(), found.kind);
            for set in &mut stack.change_sets {
                set.executed |= set.id == executed;
                set.obsolete |= set.id != executed;
            }
            (version, kind)
        };
        let work = match kind {
            ChangeSetKind::Create => Work::Create,
            ChangeSetKind::Update | ChangeSetKind::Import | ChangeSetKind::Delete => Work::Update,
        };
        self.begin(target, work, version, token, now)
    }

    /// Deletes a stack.
    pub fn delete(
        &mut self,
        target: &Target,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        // A stack that is gone is no error.
        let Ok(stack) = self.live_mut(target, now) else {
            return Ok(());
        };
        let nothing = Version {
            template: "".into(),
            parameters: Arc::new([]),
        };
        let version = stack.version(now).cloned().unwrap_or(nothing);
        self.begin(target, Work::Delete, version, token, now)
    }

    fn begin(
        &mut self,
        target: &Target,
        work: Work,
        version: Version,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let number = self.live_mut(target, now)?.operations.len();
        let rules = self.scenario.stack(target);
        let rules_of = (target, number);
        let expected = || self.expected.get(target).copied();
        let Ends(least, most) = rules.duration.or_else(expected).unwrap_or(USUAL);
        let duration = self.chance.between((least, most), (rules_of, "duration"));
        let changes = self.changes(&rules);
        let end = match changes.first() {
            Some(culprit) if self.chance.happens(rules.fails.0, (rules_of, "fails")) => {
                let reason: Arc<str> = rules.reason.into();
                let is_stuck =
                    work == Work::Update && self.chance.happens(rules.stuck.0, (rules_of, "stuck"));
                match is_stuck {
                    true => End::Stuck(culprit.clone(), reason),
                    false => End::Failed(culprit.clone(), reason),
                }
            }
            Some(_) | None => End::Complete,
        };
        let stack = self.live_mut(target, now)?;
        let in_review = stack.operations.is_empty() && work == Work::Delete;
        stack.operations.push(Operation {
            work,
            token: token.map(Arc::from),
            start: now,
            duration: if in_review { Duration::ZERO } else { duration },
            end: if in_review { End::Complete } else { end },
            changes: if in_review { Vec::new() } else { changes },
            version,
        });
        Ok(())
    }

    /// Deletes a change set.
    pub fn delete_change_set(
        &mut self,
        target: &Target,
        change_set: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let stack = self.live_mut(target, now)?;
        let found = stack
            .change_set(change_set)
            .map(|c| (c.id.clone(), c.executed));
        match found {
            // A change set that is gone is no error.
            None => Ok(()),
            Some((id, true)) => {
                let message = format!("ChangeSet [{id}] cannot be deleted in its current status");
                Err(Refusal::new(400, "InvalidChangeSetStatus", message))
            }
            Some((id, false)) => {
                stack.change_sets.retain(|c| c.id != id);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
