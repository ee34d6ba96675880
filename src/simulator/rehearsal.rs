//! An execution in a simulated world, under the pure engine and in virtual time: hours pass in milliseconds.
//!
//! Each step of the machine becomes the calls that the real one makes, in the same order and with the same answers to
//! throttling and lost replies; what the calls find is decided by the [`Cloud`]. Nothing of the real AWS, the
//! journal or the clock is touched.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::cloud::Cloud;
use super::job::{Job, Woken};
use super::stack::Version;
use crate::model::{
    AccountId, Answer, Approver, ArtifactRef, Decision, Digest, Event, ExecutionDefinition,
    ExecutionId, ExecutionOutcome, InboxMessage, Origin, PauseReason, Region, SourceRevision,
};
use crate::pipeline::{
    Execution, GateState, GateWait, IllegalEvent, Input, Machine, SOURCE_ARTIFACT, Step, StepKind,
    Turn, UnknownPolicy,
};

/// An execution in a simulated world.
#[derive(Debug)]
pub struct Rehearsal {
    cloud: Cloud,
    machine: Machine,
    now: Timestamp,
    /// What happens next, by time and by the order in which it was decided.
    due: BTreeMap<(Timestamp, u64), Due>,
    decided: u64,
    places: Places,
    /// How long the approver thinks.
    thinks: Duration,
    /// When the request was made that is being answered.
    asked: Option<Timestamp>,
    /// Until when a gate lasts that is being waited for.
    bakes: Option<Timestamp>,
}

/// What is known about accounts and regions while the calls are made.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The accounts whose role was assumed.
    pub(super) assumed: BTreeSet<(AccountId, Option<String>)>,
    /// Until when no call is made, since the service asked for fewer.
    pub(super) rests: HashMap<(AccountId, Region), Timestamp>,
}

#[derive(Debug)]
enum Due {
    Job(Box<Job>),
    Input(Box<Input>),
}

/// Why a rehearsal came to rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rest {
    /// The execution ended.
    Ended(ExecutionOutcome),
    /// It waits for somebody outside.
    Paused(PauseReason),
    /// Nothing is under way, and nobody is waited for: never seen, or the engine is wrong.
    Stuck,
}

impl Rehearsal {
    /// Starts `definition` in `cloud`, where the approver thinks for a minute; returns it with its first events.
    pub fn start(
        cloud: Cloud,
        id: ExecutionId,
        definition: ExecutionDefinition,
        now: Timestamp,
    ) -> Result<(Self, Vec<Event>), IllegalEvent> {
        Self::start_answered(cloud, id, definition, Duration::from_secs(60), now)
    }

    /// The same, where the approver thinks as long as is said.
    pub fn start_answered(
        cloud: Cloud,
        id: ExecutionId,
        definition: ExecutionDefinition,
        thinks: Duration,
        now: Timestamp,
    ) -> Result<(Self, Vec<Event>), IllegalEvent> {
        let (machine, turn) = Machine::start(id, definition, now)?;
        let mut rehearsal = Self {
            cloud,
            machine,
            now,
            due: BTreeMap::new(),
            decided: 0,
            places: Places::default(),
            asked: None,
            bakes: None,
            thinks,
        };
        let events = rehearsal.commit(turn);
        Ok((rehearsal, events))
    }

    /// Returns the world.
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// Returns the state of the execution.
    pub fn state(&self) -> &Execution {
        self.machine.state()
    }

    /// Returns the time in the simulated world.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Lets the next thing happen, and all that happens at the same time; returns the events of it, or why nothing
    /// happens any more.
    pub fn step(&mut self) -> Result<Vec<Event>, Rest> {
        self.step_by(Machine::handle)
    }

    /// The same, where `handle` hands the inputs to the machine: for who measures what the engine takes, without the world.
    pub fn step_by(
        &mut self,
        handle: impl FnOnce(&mut Machine, Vec<Input>, Timestamp) -> Turn,
    ) -> Result<Vec<Event>, Rest> {
        if let Some(outcome) = self.state().outcome {
            return Err(Rest::Ended(outcome));
        }
        let Some(&(at, _)) = self.due.keys().next() else {
            return Err(match &self.state().paused {
                Some(reason) => Rest::Paused(reason.clone()),
                None => Rest::Stuck,
            });
        };
        self.now = at;
        let mut inputs = Vec::new();
        let before = self.decided;
        while let Some(next) = self.due.first_entry()
            && next.key().0 == at
            // What is decided now comes after what was decided before, even at the same time.
            && next.key().1 <= before
        {
            match next.remove() {
                Due::Input(input) => inputs.push(*input),
                Due::Job(mut job) => match job.wake(&mut self.cloud, &mut self.places, at) {
                    Woken::Again(delay) => self.plan(delay, Due::Job(job)),
                    Woken::Seen(news, delay) => {
                        inputs.push(job.tells(news));
                        self.plan(delay, Due::Job(job));
                    }
                    Woken::Done(news, delay) => {
                        self.plan(delay, Due::Input(Box::new(job.tells(news))));
                    }
                },
            }
        }
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let turn = handle(&mut self.machine, inputs, at);
        Ok(self.commit(turn))
    }

    /// Goes on until nothing happens any more; `seen` gets the events of each turn.
    pub fn run(&mut self, mut seen: impl FnMut(&[Event])) -> Rest {
        loop {
            match self.step() {
                Ok(events) if events.is_empty() => {}
                Ok(events) => seen(&events),
                Err(rest) => return rest,
            }
        }
    }

    /// Ends the process and takes the execution up again from `events`: calls that were made have been made, the
    /// others never are, and no answer is heard.
    pub fn crash(&mut self, events: &[Event]) -> Result<Vec<Event>, IllegalEvent> {
        self.due.clear();
        self.places = Places::default();
        let owner = "rehearsal:2".to_owned();
        let nothing = BTreeMap::new();
        let state = Execution::replay(events)?;
        let (machine, turn) = Machine::resume(state, owner, UnknownPolicy::Ask, nothing, self.now);
        self.machine = machine;
        self.asked = None;
        self.bakes = None;
        Ok(self.commit(turn))
    }

    fn plan(&mut self, delay: Duration, due: Due) {
        self.decided += 1;
        self.due.insert((self.now + delay, self.decided), due);
    }

    fn commit(&mut self, turn: Turn) -> Vec<Event> {
        for step in turn.steps {
            self.begin(step);
        }
        if self.state().awaits_answer()
            && let Some(request) = self.state().request()
            && self.asked != Some(request.requested)
        {
            let (plan, wave) = (request.plan, request.wave.clone());
            self.asked = Some(request.requested);
            let at = self.now + self.thinks;
            let answer = InboxMessage::Answer(Answer {
                decision: Decision::Approve,
                plan,
                wave,
                approver: Approver {
                    arn: None,
                    os_user: "rehearsal".to_owned(),
                    host: "rehearsal".to_owned(),
                },
                origin: Origin::Command,
                at,
                summary: String::new(),
                covers: None,
            });
            self.plan(
                self.thinks,
                Due::Input(Box::new(Input::Inbox(vec![answer]))),
            );
        }
        if let Some(GateState {
            wait: GateWait::Until(until),
            ..
        }) = &self.state().gate
            && self.bakes != Some(*until)
        {
            let until = *until;
            self.bakes = Some(until);
            let rest = until.duration_since(self.now).unsigned_abs();
            self.plan(rest, Due::Input(Box::new(Input::Tick)));
        }
        turn.events
    }

    fn begin(&mut self, step: Step) {
        let mut delay = Duration::ZERO;
        let due = match step.kind {
            // Alarms stay quiet here, and commands say yes at once.
            StepKind::ReadAlarms { place, after, .. } => {
                delay = after;
                let result = Ok(Vec::new());
                Due::Input(Box::new(Input::AlarmsRead { place, result }))
            }
            StepKind::RunCommand { place, .. } => {
                let result = Ok(String::new());
                Due::Input(Box::new(Input::CommandEnded { place, result }))
            }
            StepKind::SnapshotSource { .. } => {
                let artifact = ArtifactRef {
                    name: SOURCE_ARTIFACT.into(),
                    digest: Digest::of(b"rehearsal"),
                    files: Vec::new(),
                };
                Due::Input(Box::new(Input::SourceStored {
                    scope: step.scope,
                    result: Ok((artifact, SourceRevision::default())),
                }))
            }
            StepKind::Target { index, spec, work } => {
                Due::Job(Box::new(Job::of(index, spec, work)))
            }
        };
        self.plan(delay, due);
    }
}

/// Returns what a simulated stack is made from, by a name.
pub(super) fn version(name: &str) -> Version {
    Version {
        template: name.into(),
        parameters: Arc::new([]),
    }
}

#[cfg(test)]
mod tests;
