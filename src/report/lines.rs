//! Progress without a terminal: plain lines, and a sign of life when nothing happens.

use std::io;

use jiff::{SignedDuration, Timestamp};

use crate::model::{Event, EventKind, TargetOutcome};

use super::View;
use super::events::{scope, told};
use super::screen::{Line, ScreenOptions, Tone};
use super::view::State;
use super::words::{self, Places, count};

/// How long nothing is said before a sign of life.
const HEARTBEAT: SignedDuration = SignedDuration::from_secs(30);

/// The targets up to which every event of their stacks is told; beyond, only failures and ends are.
const TOLD_TARGETS: usize = 10;

/// Progress as plain lines, one for each thing that happens.
#[derive(Debug, Clone)]
pub struct Lines {
    view: View,
    options: ScreenOptions,
    said: Option<Timestamp>,
}

impl Lines {
    /// Returns progress that goes on from `view`, of which nothing is told again.
    pub fn new(view: View, options: ScreenOptions) -> Self {
        Self {
            view,
            options,
            said: None,
        }
    }

    /// Takes an event in and tells it, if it is worth a line. Events that were told are not told again.
    pub fn apply(&mut self, event: &Event, out: &mut dyn io::Write) -> io::Result<()> {
        let is_new = event.seq > self.view.last_seq();
        self.view.apply(event);
        if !is_new || !self.is_worth_a_line(event) {
            return Ok(());
        }
        let targets = self.view.targets();
        let places = Places::of(targets.iter().map(|target| target.target()));
        let many = targets.len() > TOLD_TARGETS;
        for (tone, text) in told(event) {
            let is_observed = matches!(event.kind, EventKind::Observed { .. });
            if is_observed && many && tone != Tone::Bad {
                continue;
            }
            let mut line = Line::of(Tone::Dim, &format!("{}  ", words::clock(event.at)));
            line.join(scope(&event.scope, &places));
            line.push(tone, &text);
            writeln!(out, "{}", line.render(self.options.colour))?;
            self.said = Some(event.at);
        }
        Ok(())
    }

    /// Says that the execution still goes on, if nothing was said for 30 seconds.
    pub fn tick(&mut self, now: Timestamp, out: &mut dyn io::Write) -> io::Result<()> {
        let since = *self.said.get_or_insert(now);
        if now.duration_since(since) < HEARTBEAT {
            return Ok(());
        }
        let Some(text) = self.still(now) else {
            return Ok(());
        };
        self.said = Some(now);
        let mut line = Line::of(Tone::Dim, &format!("{}  ", words::clock(now)));
        line.push(Tone::Dim, &text);
        writeln!(out, "{}", line.render(self.options.colour))
    }

    /// Returns what is known so far.
    pub fn view(&self) -> &View {
        &self.view
    }

    fn is_worth_a_line(&self, event: &Event) -> bool {
        match &event.kind {
            // What follows from the line before, or is soon followed by its result.
            EventKind::ActionStarted
            | EventKind::ActionSucceeded
            | EventKind::ChangeSetCreated { .. }
            | EventKind::CleanupIntended { .. }
            | EventKind::ChangeSetDeleted
            | EventKind::CleanupDone { left: None }
            | EventKind::TargetStarted
            | EventKind::ExecuteAccepted
            | EventKind::StackSettled { .. }
            | EventKind::SettingApplied { .. } => false,
            // Of many targets, the end is told by the summary; what goes wrong is told at once.
            EventKind::ChangeSetIntended { .. }
            | EventKind::ChangeSetReady { .. }
            | EventKind::DeletionPlanned { .. }
            | EventKind::TargetFinished {
                outcome: TargetOutcome::NoChanges | TargetOutcome::Skipped { .. },
                ..
            } => self.view.targets().len() <= TOLD_TARGETS,
            EventKind::ExecutionStarted { .. }
            | EventKind::Resumed { .. }
            | EventKind::StageStarted
            | EventKind::StageSucceeded
            | EventKind::StageFailed { .. }
            | EventKind::StageSkipped { .. }
            | EventKind::ActionFailed { .. }
            | EventKind::SourceStored { .. }
            | EventKind::StackBusy { .. }
            | EventKind::CleanupDone { left: Some(_) }
            | EventKind::PlanReady { .. }
            | EventKind::ApprovalRequested { .. }
            | EventKind::Answered { .. }
            | EventKind::AnswerRefused { .. }
            | EventKind::ApprovalExpired
            | EventKind::GateStarted { .. }
            | EventKind::GateHeld { .. }
            | EventKind::GateOpened { .. }
            | EventKind::GateClosed { .. }
            | EventKind::PlanExported { .. }
            | EventKind::PlanImported { .. }
            | EventKind::ExecuteIntended { .. }
            | EventKind::SettingIntended { .. }
            | EventKind::CallFailed { .. }
            | EventKind::Observed { .. }
            | EventKind::TargetFinished { .. }
            | EventKind::Paused { .. }
            | EventKind::StopRequested { .. }
            | EventKind::ExecutionFinished { .. } => true,
        }
    }

    /// Returns `still running: 2 of 4 targets ended, 1 running`; nothing once the execution rests.
    fn still(&self, now: Timestamp) -> Option<String> {
        let what = match self.view.state() {
            State::Unknown | State::Paused | State::Denied | State::Ended(_) => return None,
            State::Running | State::Answered(_) | State::Overdue => "still running",
            State::WaitingForApproval => "still waiting for approval",
            State::Stopping | State::GivingUp => "still finishing what runs",
        };
        let counts = self.view.counts();
        let mut text = format!(
            "{what}: {} of {} ended",
            counts.ended(),
            count(counts.total, "target")
        );
        let working = counts.running + counts.planning;
        if working > 0 {
            text.push_str(&format!(", {working} under way"));
        }
        if let Some((place, until)) = self.view.gate() {
            text.push_str(&format!(
                ", {}",
                words::gate(place, *until, self.view.held(), Some(now))
            ));
        }
        if let Some(started) = self.view.started() {
            text.push_str(&format!(", {}", words::between(started, now)));
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self, Script};
    use super::*;

    fn told_lines(script: &Script) -> (Lines, String) {
        let mut lines = Lines::new(View::new(), ScreenOptions::default());
        let mut out = Vec::new();
        for event in &script.events {
            lines.apply(event, &mut out).unwrap();
            lines.apply(event, &mut out).unwrap();
        }
        (lines, String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_happens_is_told_once() {
        insta::assert_snapshot!("stale", told_lines(&fixtures::stale()).1);
        insta::assert_snapshot!("halted", told_lines(&fixtures::halted()).1);
    }

    #[test]
    fn silence_is_broken_every_thirty_seconds() {
        let mut script = fixtures::fleet();
        script.approve().start(&fixtures::four()[0]);
        let (mut lines, _) = told_lines(&script);
        let last = script
            .events
            .iter()
            .rev()
            .find(|e| matches!(e.kind, EventKind::ExecuteIntended { .. }));
        let said = last.map(|event| event.at).unwrap();
        let mut out = Vec::new();
        for seconds in [29, 30, 31, 59, 60] {
            lines
                .tick(said + SignedDuration::from_secs(seconds), &mut out)
                .unwrap();
        }
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "22:00:37  still running: 0 of 4 targets ended, 1 under way, 37 s\n\
             22:01:07  still running: 0 of 4 targets ended, 1 under way, 1 min 7 s\n"
        );
    }

    #[test]
    fn an_execution_that_ended_is_silent() {
        let (mut lines, _) = told_lines(&fixtures::finished());
        let mut out = Vec::new();
        let late = fixtures::begin() + SignedDuration::from_hours(1);
        lines.tick(late, &mut out).unwrap();
        assert!(out.is_empty());
    }
}
