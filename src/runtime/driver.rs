//! The loop: wait for the next input, decide, append to the journal, start the steps, show.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio::task::{self, JoinSet};

use super::clock::now;
use super::dispatch;
use super::signals::{Request, Signals};
use crate::action::World;
use crate::journal::{Durability, Journal, JournalError, Lease};
use crate::model::{
    Approver, Event, ExecutionOutcome, InboxMessage, PauseReason, Region, Scope, StopMode,
    StopRequest, clean,
};
use crate::pipeline::{Execution, Input, Machine, Turn};

/// How often the inbox and the clock are looked at.
const TICK: Duration = Duration::from_millis(200);
/// How often the lease is renewed, in ticks; well below the time after which others may take it.
const HEARTBEAT_TICKS: u32 = 15;

/// What shows an execution while it runs.
pub trait Face {
    /// Shows events that are on disk, and the state after them.
    fn show(&mut self, events: &[Event], state: &Execution);

    /// Notes that time passed.
    fn tick(&mut self, now: Timestamp);

    /// Says that a stop was asked for by the keyboard, and what the next Ctrl-C does.
    fn interrupted(&mut self, state: &Execution);

    /// Says that a message was left in the inbox, since this program cannot read it.
    fn unread(&mut self, error: &JournalError);
}

/// Drives one execution in this process.
pub struct Driver<'a> {
    /// The journal.
    pub journal: &'a Journal,
    /// The lease on the execution.
    pub lease: Lease,
    /// What steps act on.
    pub world: Arc<World>,
    /// What shows the execution.
    pub face: &'a mut dyn Face,
    /// Rung when the inbox has something new from this process.
    pub bell: Arc<Notify>,
    /// Whether to leave when an answer is waited for.
    pub detach: Arc<AtomicBool>,
    /// Who runs this, for stop requests.
    pub operator: Approver,
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The execution ended.
    Finished(ExecutionOutcome),
    /// An answer is waited for, and this process does not wait.
    AwaitingAnswer,
    /// Somebody outside must do something first.
    Paused(PauseReason),
    /// Asked to stop, and what ran has ended.
    Stopped,
    /// Asked to leave at once; what runs in AWS goes on.
    Detached,
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The journal could not be written: nothing more was started.
    #[error("failed to write the journal; nothing more was started")]
    Journal(#[from] JournalError),
    /// Signals could not be listened to.
    #[error("failed to listen for signals")]
    Signals(#[source] std::io::Error),
    /// A step's task panicked, so that its answer never comes.
    #[error(
        "a step of {of} ended unexpectedly: {why}; this is an error in stackgate, and nothing that was recorded is lost"
    )]
    Step {
        /// Whose step it was.
        of: String,
        /// What the panic said.
        why: String,
    },
}

/// The steps that run.
#[derive(Default)]
struct Steps {
    tasks: JoinSet<()>,
    /// What each belongs to.
    scopes: HashMap<task::Id, Scope>,
}

impl Steps {
    fn start(&mut self, scope: Scope, doing: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(doing);
        self.scopes.insert(task.id(), scope);
    }

    /// Forgets those that have ended. Fails if one of them panicked: whoever waits for its answer would wait for ever.
    fn settle(&mut self) -> Result<(), RunError> {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            let error = match ended {
                Ok((id, ())) => {
                    self.scopes.remove(&id);
                    continue;
                }
                Err(error) => error,
            };
            let scope = self.scopes.remove(&error.id()).unwrap_or_default();
            // One that was cancelled is at its end because this process is.
            if let Ok(panic) = error.try_into_panic() {
                let why = panic
                    .downcast_ref::<&str>()
                    .copied()
                    .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
                return Err(RunError::Step {
                    of: named(&scope),
                    why: clean(why.unwrap_or("it gave no reason")),
                });
            }
        }
        Ok(())
    }
}

fn named(scope: &Scope) -> String {
    match (&scope.target, &scope.action) {
        (Some(target), _) => target.to_string(),
        (None, Some(action)) => format!("action `{action}`"),
        (None, None) => "the execution".to_owned(),
    }
}

impl Driver<'_> {
    /// Runs the execution until it ends, waits for somebody, or is asked to stop.
    pub async fn run(mut self, mut machine: Machine, first: Turn) -> Result<Ended, RunError> {
        let mut signals = Signals::listen().map_err(RunError::Signals)?;
        let (sender, mut receiver) = mpsc::unbounded_channel::<Input>();
        let mut steps = Steps::default();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tick_count = 0_u32;
        let bell = self.bell.clone();

        // It may be long since it was taken.
        self.journal.heartbeat(&self.lease, now())?;
        self.world.note_held();
        self.commit(&machine, first, &[], &mut steps, &sender)?;
        // An answer that was given while nobody ran this comes before leaving because none is there.
        let (mut inputs, mut handled) = (Vec::new(), Vec::new());
        let mut left = BTreeSet::new();
        self.read_inbox(&mut inputs, &mut handled, &mut left)?;
        for input in &mut inputs {
            if let Input::Inbox(messages) = input {
                let mut numbers = handled.iter();
                // A stop from before this process had the lease was meant for the one that ran then; whoever resumes wants it to go
                // on. What was given up stays given up.
                messages.retain(|message| {
                    let is_old = numbers
                        .next()
                        .is_some_and(|n| self.lease.is_younger_than(*n));
                    match message {
                        InboxMessage::Answer(_) => true,
                        InboxMessage::Stop(request) => !is_old || request.mode == StopMode::GiveUp,
                    }
                });
            }
        }
        let turn = machine.handle(inputs, now());
        self.commit(&machine, turn, &handled, &mut steps, &sender)?;
        let ended = loop {
            if let Some(ended) = self.ended(&machine) {
                break Ok(ended);
            }
            let mut inputs = Vec::new();
            let mut handled = Vec::new();
            tokio::select! {
                _ = receiver.recv_many(&mut inputs, 512) => {}
                request = signals.next() => inputs.push(self.stop(&machine, request)),
                () = bell.notified() => self.read_inbox(&mut inputs, &mut handled, &mut left)?,
                _ = ticks.tick() => {
                    tick_count = tick_count.wrapping_add(1);
                    let time = now();
                    if tick_count.is_multiple_of(HEARTBEAT_TICKS) {
                        self.journal.heartbeat(&self.lease, time)?;
                        self.world.note_held();
                    }
                    self.face.tick(time);
                    // What was posted since the inbox was read for the first time may be no change to it.
                    if self.journal.changed() || tick_count == 1 {
                        self.read_inbox(&mut inputs, &mut handled, &mut left)?;
                    }
                    if inputs.is_empty() {
                        inputs.push(Input::Tick);
                    }
                }
            }
            // What came meanwhile is not recorded: it is found out again on resume.
            if let Err(error) = steps.settle() {
                break Err(error);
            }
            let time = now();
            // Before what came of the calls: a region answers again first.
            inputs.splice(0..0, self.heard(machine.state(), time));
            let turn = machine.handle(inputs, time);
            self.commit(&machine, turn, &handled, &mut steps, &sender)?;
        };
        // Calls under way are dropped: an answer that is not recorded is looked into on resume. A command that runs
        // ends with its task, before this process does.
        steps.tasks.shutdown().await;
        self.journal.release(&self.lease)?;
        ended
    }

    /// Puts a turn's events on disk, then starts its steps, then shows the events.
    fn commit(
        &mut self,
        machine: &Machine,
        turn: Turn,
        handled: &[u64],
        steps: &mut Steps,
        sender: &mpsc::UnboundedSender<Input>,
    ) -> Result<(), RunError> {
        if !turn.events.is_empty() || !handled.is_empty() {
            let before = machine.state().seq - turn.events.len() as u64;
            // A sync covers everything before it too: what is only observed waits for the next one.
            let must_last = !handled.is_empty()
                || turn.events.iter().any(|e| e.kind.must_last())
                || turn.steps.iter().any(|s| s.kind.is_mutating());
            let durability = if must_last {
                Durability::Intent
            } else {
                Durability::Observation
            };
            self.journal
                .append(&self.lease, before, &turn.events, handled, durability)?;
            crash_if_asked();
        }
        for step in turn.steps {
            let scope = step.scope.clone();
            let doing = dispatch::perform(self.world.clone(), step, sender.clone());
            steps.start(scope, doing);
        }
        if !turn.events.is_empty() {
            self.face.show(&turn.events, machine.state());
        }
        Ok(())
    }

    /// Takes the messages that wait. `left` has the numbers of those that cannot be read, each of which is told once.
    fn read_inbox(
        &mut self,
        inputs: &mut Vec<Input>,
        handled: &mut Vec<u64>,
        left: &mut BTreeSet<u64>,
    ) -> Result<(), RunError> {
        let inbox = self.journal.inbox(self.lease.execution())?;
        for (number, error) in &inbox.unreadable {
            if left.insert(*number) {
                self.face.unread(error);
            }
        }
        let (ids, messages): (Vec<u64>, Vec<_>) = inbox.messages.into_iter().unzip();
        if !messages.is_empty() {
            inputs.push(Input::Inbox(messages));
            handled.extend(ids);
        }
        Ok(())
    }

    /// Returns what changed about the regions from which nothing usable comes.
    fn heard(&self, state: &Execution, at: Timestamp) -> Vec<Input> {
        let silences = self.world.silences(at);
        let is_silent = |region: &Region| silences.iter().any(|s| s.region == *region);
        let answering = state.silent.iter().filter(|region| !is_silent(region));
        let mut inputs: Vec<Input> = answering.cloned().map(Input::Answers).collect();
        let silent = silences.iter();
        let new = silent.filter(|s| !state.silent.contains(&s.region));
        inputs.extend(new.cloned().map(Input::Silent));
        inputs
    }

    fn stop(&mut self, machine: &Machine, request: Request) -> Input {
        let mode = match request {
            Request::Interrupt if machine.state().stop.is_none() => StopMode::Wait,
            Request::Interrupt | Request::Leave => StopMode::Abandon,
        };
        if mode == StopMode::Wait {
            self.face.interrupted(machine.state());
        }
        let reason = match request {
            Request::Interrupt => "interrupted at the keyboard",
            Request::Leave => "the process was told to end",
        };
        Input::Stop(StopRequest {
            mode,
            by: self.operator.clone(),
            reason: reason.to_owned(),
            unreachable: Default::default(),
        })
    }

    fn ended(&self, machine: &Machine) -> Option<Ended> {
        let state = machine.state();
        if let Some(outcome) = state.outcome {
            return Some(Ended::Finished(outcome));
        }
        if state.stop == Some(StopMode::Abandon) {
            return Some(Ended::Detached);
        }
        if !machine.is_idle() {
            return None;
        }
        if state.stop == Some(StopMode::Wait) {
            return Some(Ended::Stopped);
        }
        if let Some(reason) = &state.paused {
            return Some(Ended::Paused(reason.clone()));
        }
        (self.detach.load(Ordering::SeqCst) && state.awaits_answer())
            .then_some(Ended::AwaitingAnswer)
    }
}

/// Kills this process after the n-th append, in builds with debug assertions only: the crash tests
/// stop it at every point where state on disk and state in AWS can differ.
#[cfg(debug_assertions)]
#[expect(
    clippy::disallowed_methods,
    reason = "a crash runs no destructors either"
)]
fn crash_if_asked() {
    use std::sync::atomic::AtomicU32;
    static APPENDS: AtomicU32 = AtomicU32::new(0);
    let count = APPENDS.fetch_add(1, Ordering::Relaxed) + 1;
    let asked = std::env::var("STACKGATE_CRASH_AFTER_APPEND")
        .ok()
        .and_then(|n| n.parse().ok());
    if asked == Some(count) {
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
fn crash_if_asked() {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::samples::{event, id};
    use crate::model::EventKind;

    async fn said(scope: Scope, doing: impl Future<Output = ()> + Send + 'static) -> String {
        let mut steps = Steps::default();
        steps.start(Scope::default(), async {});
        steps.start(scope, doing);
        while !steps.tasks.is_empty() {
            if let Err(error) = steps.settle() {
                return error.to_string();
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(steps.scopes.len(), 0);
        String::new()
    }

    #[tokio::test]
    async fn a_step_that_panics_ends_the_run_and_names_its_target() {
        let scope = Scope {
            target: event(&id(1), 2, EventKind::StageStarted).scope.target,
            ..Scope::default()
        };
        assert_eq!(said(scope.clone(), async {}).await, "");
        let text = said(scope.clone(), async { panic!("index {}", 7) }).await;
        assert_eq!(
            text,
            "a step of 111111111111/eu-west-1/network ended unexpectedly: index 7; this is an error in stackgate, and nothing that was recorded is lost"
        );
        let text = said(Scope::default(), async { panic!("no proof") }).await;
        assert!(
            text.starts_with("a step of the execution ended unexpectedly: no proof;"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_step_that_is_cancelled_is_no_error() {
        let mut steps = Steps::default();
        steps.start(Scope::default(), std::future::pending());
        steps.tasks.abort_all();
        while !steps.tasks.is_empty() {
            steps.settle().unwrap();
            tokio::task::yield_now().await;
        }
        assert_eq!(steps.scopes.len(), 0);
    }
}
