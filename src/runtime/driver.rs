//! The loop: wait for the next input, decide, append to the journal, start the steps, show.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::clock::now;
use super::dispatch;
use super::signals::{Request, Signals};
use crate::action::World;
use crate::journal::{Durability, Journal, JournalError, Lease};
use crate::model::{
    Approver, Event, ExecutionOutcome, InboxMessage, PauseReason, StopMode, StopRequest,
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
}

impl Driver<'_> {
    /// Runs the execution until it ends, waits for somebody, or is asked to stop.
    pub async fn run(mut self, mut machine: Machine, first: Turn) -> Result<Ended, RunError> {
        let mut signals = Signals::listen().map_err(RunError::Signals)?;
        let (sender, mut receiver) = mpsc::unbounded_channel::<Input>();
        let mut tasks = JoinSet::new();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tick_count = 0_u32;
        let bell = self.bell.clone();

        self.commit(&machine, first, &[], &mut tasks, &sender)?;
        // An answer that was given while nobody ran this comes before leaving because none is there.
        let (mut inputs, mut handled) = (Vec::new(), Vec::new());
        let mut left = BTreeSet::new();
        self.read_inbox(&mut inputs, &mut handled, &mut left)?;
        for input in &mut inputs {
            if let Input::Inbox(messages) = input {
                // A stop was meant for the process that ran then; whoever resumes wants it to go on. What was
                // given up stays given up.
                messages.retain(|message| match message {
                    InboxMessage::Answer(_) => true,
                    InboxMessage::Stop(request) => request.mode == StopMode::GiveUp,
                });
            }
        }
        let turn = machine.handle(inputs, now());
        self.commit(&machine, turn, &handled, &mut tasks, &sender)?;
        let ended = loop {
            if let Some(ended) = self.ended(&machine) {
                break ended;
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
            while tasks.try_join_next().is_some() {}
            let turn = machine.handle(inputs, now());
            self.commit(&machine, turn, &handled, &mut tasks, &sender)?;
        };
        // Calls under way are dropped: an answer that is not recorded is looked into on resume. A command that runs
        // ends with its task, before this process does.
        tasks.shutdown().await;
        self.journal.release(&self.lease)?;
        Ok(ended)
    }

    /// Puts a turn's events on disk, then starts its steps, then shows the events.
    fn commit(
        &mut self,
        machine: &Machine,
        turn: Turn,
        handled: &[u64],
        tasks: &mut JoinSet<()>,
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
            tasks.spawn(dispatch::perform(
                self.world.clone(),
                Box::new(step),
                sender.clone(),
            ));
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
