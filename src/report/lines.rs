//! Progress without a terminal: plain lines, and a sign of life when nothing happens.

mod many;

use std::io;

use jiff::{SignedDuration, Timestamp};

use crate::model::{Event, EventKind};

use super::View;
use super::events::{scope, told};
use super::fleet::Fleet;
use super::screen::{Line, ScreenOptions, Tone};
use super::view::State;
use super::words::{self, count};
use many::Many;

/// How long nothing is said before a sign of life.
const HEARTBEAT: SignedDuration = SignedDuration::from_secs(30);

/// The targets up to which every event of their stacks is told; beyond, they are told of as [`Many`].
const TOLD_TARGETS: usize = 10;

/// Progress as plain lines, one for each thing that happens; of many targets, what they come to.
#[derive(Debug, Clone)]
pub struct Lines {
    fleet: Fleet<'static>,
    options: ScreenOptions,
    said: Option<Timestamp>,
    many: Many,
}

impl Lines {
    /// Returns progress that goes on from `view`, of which nothing is told again.
    pub fn new(view: View, options: ScreenOptions) -> Self {
        Self {
            fleet: Fleet::of(view),
            options,
            said: None,
            many: Many::default(),
        }
    }

    /// Takes an event in and tells it, if it is worth a line. Events that were told are not told again.
    pub fn apply(&mut self, event: &Event, out: &mut dyn io::Write) -> io::Result<()> {
        let is_new = event.seq > self.fleet.view().last_seq();
        if is_new && self.is_turn(event) {
            self.account(event.at, true, out)?;
        }
        self.fleet.apply(event);
        if !is_new {
            return Ok(());
        }
        if self.is_worth_a_line(event) {
            self.tell(event, out)?;
        }
        if self.has_many() {
            self.account(event.at, false, out)?;
        }
        Ok(())
    }

    fn tell(&mut self, event: &Event, out: &mut dyn io::Write) -> io::Result<()> {
        let many = self.has_many();
        for (tone, text) in told(event) {
            let is_observed = matches!(event.kind, EventKind::Observed { .. });
            if is_observed && many && tone != Tone::Bad {
                continue;
            }
            if let Some(target) = event.scope.target.as_ref().filter(|_| many) {
                let place = self.fleet.places().name(target);
                // The end of a target says what its events said.
                if !self.many.is_first(&text, &place, is_observed) {
                    continue;
                }
            }
            let mut line = Line::of(Tone::Dim, &format!("{}  ", words::clock(event.at)));
            line.join(scope(&event.scope, self.fleet.places()));
            line.push(tone, &text);
            writeln!(out, "{}", line.render(self.options.colour))?;
            self.said = Some(event.at);
        }
        Ok(())
    }

    fn has_many(&self) -> bool {
        self.fleet.counts().total > TOLD_TARGETS
    }

    /// Returns whether what comes now is another part of the run, so that the one before is accounted for.
    fn is_turn(&self, event: &Event) -> bool {
        let ends_part = matches!(
            event.kind,
            EventKind::StageSucceeded
                | EventKind::StageFailed { .. }
                | EventKind::GateStarted { .. }
                | EventKind::Paused { .. }
        );
        ends_part && self.has_many()
    }

    /// Says what many targets come to, if it is time to.
    fn account(
        &mut self,
        now: Timestamp,
        at_once: bool,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let lines = self.many.account(&self.fleet, now, at_once, &self.options);
        for line in &lines {
            writeln!(out, "{}", line.render(self.options.colour))?;
            self.said = Some(now);
        }
        Ok(())
    }

    /// Says that the execution still goes on, if nothing was said for 30 seconds.
    pub fn tick(&mut self, now: Timestamp, out: &mut dyn io::Write) -> io::Result<()> {
        match self.fleet.view().state() {
            State::Running | State::Stopping | State::GivingUp if self.has_many() => {
                return self.account(now, false, out);
            }
            State::Running
            | State::Stopping
            | State::GivingUp
            | State::Unknown
            | State::WaitingForApproval
            | State::Denied
            | State::Answered(_)
            | State::Overdue
            | State::Paused
            | State::Ended(_) => {}
        }
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
        self.fleet.view()
    }

    fn is_worth_a_line(&self, event: &Event) -> bool {
        if self.has_many() && event.scope.target.is_some() {
            return many::is_trouble(event);
        }
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
            EventKind::ChangeSetIntended { .. }
            | EventKind::ChangeSetReady { .. }
            | EventKind::DeletionPlanned { .. }
            | EventKind::ExecutionStarted { .. }
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
            | EventKind::RegionSilent { .. }
            | EventKind::RegionAnswers { .. }
            | EventKind::Paused { .. }
            | EventKind::StopRequested { .. }
            | EventKind::ExecutionFinished { .. } => true,
        }
    }

    /// Returns `still running: 2 of 4 targets ended, 1 running`; nothing once the execution rests.
    fn still(&self, now: Timestamp) -> Option<String> {
        let what = match self.fleet.view().state() {
            State::Unknown | State::Paused | State::Denied | State::Ended(_) => return None,
            State::Running | State::Answered(_) | State::Overdue => "still running",
            State::WaitingForApproval => "still waiting for approval",
            State::Stopping | State::GivingUp => "still finishing what runs",
        };
        let counts = self.fleet.view().counts();
        let mut text = format!(
            "{what}: {} of {} ended",
            counts.ended(),
            count(counts.total, "target")
        );
        let working = counts.running + counts.planning;
        if working > 0 {
            text.push_str(&format!(", {working} under way"));
        }
        let view = self.fleet.view();
        if let Some((place, until)) = view.gate() {
            text.push_str(&format!(
                ", {}",
                words::gate(place, *until, view.held(), Some(now))
            ));
        }
        if let Some(started) = self.fleet.view().started() {
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

    #[test]
    fn a_long_run_of_many_targets_is_told_of_ever_less_often() {
        let mut script = fixtures::many();
        let first = script.view().targets()[0].target().clone();
        script.approve().start(&first);
        let (mut lines, _) = told_lines(&script);
        let mut told = Vec::new();
        for seconds in 0..8 * 3600 {
            let mut out = Vec::new();
            let now = script.now() + SignedDuration::from_secs(seconds);
            lines.tick(now, &mut out).unwrap();
            if !out.is_empty() {
                told.push((now, String::from_utf8(out).unwrap()));
            }
        }
        let pauses: Vec<i64> = told
            .windows(2)
            .map(|pair| pair[1].0.duration_since(pair[0].0).as_secs())
            .collect();
        assert_eq!(pauses.first(), Some(&30));
        assert_eq!(pauses.last(), Some(&300));
        assert!(told.len() < 200, "{}", told.len());
        // Nothing moves, so what takes so long is named.
        let (_, last) = &told[told.len() - 1];
        assert!(
            last.contains("0 of 40 targets ended: 1 running · 39 ready"),
            "{last}"
        );
        assert!(
            last.contains("the longest under way: 100000000000/us-east-1"),
            "{last}"
        );
    }
}
