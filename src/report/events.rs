//! Events as text, one line each.

use serde::Serialize;

use crate::model::{ChangeSetKind, CleanupWhy, Event, EventKind, Scope, Target};

use super::DOCUMENT_VERSION;
use super::screen::{Line, Page, ScreenOptions, Tone};
use super::words::{self, Places, count};

/// Events, for machines.
#[derive(Debug, Serialize)]
pub struct Events<'a> {
    /// Which document this is.
    pub document: &'static str,
    /// The version of this form.
    pub version: u32,
    /// The events, oldest first.
    pub events: &'a [Event],
}

/// One event, for machines that read a line at a time.
#[derive(Debug, Serialize)]
pub struct EventLine<'a> {
    /// Which document this is.
    pub document: &'static str,
    /// The version of this form.
    pub version: u32,
    /// The event.
    #[serde(flatten)]
    pub event: &'a Event,
}

impl<'a> Events<'a> {
    /// Returns the document of `events`.
    pub fn of(events: &'a [Event]) -> Self {
        Self {
            document: "events",
            version: DOCUMENT_VERSION,
            events,
        }
    }
}

impl<'a> EventLine<'a> {
    /// Returns the document of `event`.
    pub fn of(event: &'a Event) -> Self {
        Self {
            document: "event",
            version: DOCUMENT_VERSION,
            event,
        }
    }
}

/// Draws events as text.
#[derive(Debug)]
pub struct EventText<'a> {
    places: Places,
    options: &'a ScreenOptions,
}

impl<'a> EventText<'a> {
    /// Returns what draws the events of an execution over `targets`.
    pub fn new<'t>(
        targets: impl IntoIterator<Item = &'t Target>,
        options: &'a ScreenOptions,
    ) -> Self {
        Self {
            places: Places::of(targets),
            options,
        }
    }

    /// Returns `event` in one line, with sequence number and time; a line for each event of a stack.
    pub fn of(&self, event: &Event) -> String {
        let Self { places, options } = self;
        let mut page = Page::new(options);
        for (tone, text) in told(event) {
            let mut line = Line::default();
            line.push(
                Tone::Dim,
                &format!("{:>4}  {}  ", event.seq, words::short_time(event.at)),
            );
            let hang = line.columns();
            line.join(scope(&event.scope, places));
            line.push(tone, &text);
            let room = if options.full { usize::MAX } else { 400 };
            if line.columns() > room {
                let cut = ScreenOptions {
                    width: room,
                    ..**options
                };
                page.verbatim(Line::of(Tone::Plain, &line.render_cut(&cut)));
            } else {
                page.line(line, hang);
            }
        }
        page.finish()
    }
}

/// Returns what an event concerns, with two spaces after it; nothing for the execution itself.
pub(super) fn scope(scope: &Scope, places: &Places) -> Line {
    let name = match (&scope.target, &scope.action, &scope.stage) {
        (Some(target), _, _) => places.name(target),
        (None, Some(action), Some(stage)) if action.as_str() != stage.as_str() => {
            format!("{stage}/{action}")
        }
        (None, _, Some(stage)) => stage.to_string(),
        (None, Some(action), None) => action.to_string(),
        (None, None, None) => return Line::default(),
    };
    Line::of(Tone::Strong, &name).add(Tone::Plain, "  ")
}

/// Returns what an event says, mostly in one line; a line for each event of a stack.
pub(super) fn told(event: &Event) -> Vec<(Tone, String)> {
    let one = |tone: Tone, text: String| vec![(tone, text)];
    match &event.kind {
        EventKind::ExecutionStarted { definition } => one(
            Tone::Plain,
            format!("execution of {} started", definition.pipeline.name),
        ),
        EventKind::Resumed { owner, secrets } => {
            let places = secrets
                .iter()
                .map(|(name, place)| format!(", secret {name} from {place}"));
            let places: String = places.collect();
            one(Tone::Plain, format!("taken over by {owner}{places}"))
        }
        EventKind::StageStarted => one(Tone::Busy, "stage started".into()),
        EventKind::StageSucceeded => one(Tone::Good, "stage succeeded".into()),
        EventKind::StageFailed { reason } => one(Tone::Bad, format!("stage failed: {reason}")),
        EventKind::StageSkipped { reason } => one(Tone::Dim, format!("stage skipped: {reason}")),
        EventKind::ActionStarted => one(Tone::Dim, "action started".into()),
        EventKind::ActionSucceeded => one(Tone::Dim, "action succeeded".into()),
        EventKind::ActionFailed { reason } => one(Tone::Bad, format!("action failed: {reason}")),
        EventKind::SourceStored { artifact, revision } => {
            let mut text = format!(
                "{} stored in artifact {}",
                count(artifact.files.len(), "file"),
                artifact.name
            );
            if let Some(commit) = &revision.commit {
                text.push_str(&format!(", commit {}", commit.get(..8).unwrap_or(commit)));
                if revision.dirty {
                    text.push_str(" with uncommitted changes");
                }
            }
            one(Tone::Plain, text)
        }
        EventKind::ChangeSetIntended { kind, name, .. } => {
            let what = match kind {
                ChangeSetKind::Create => "a new stack",
                ChangeSetKind::Update => "an update",
                ChangeSetKind::Import => "an import",
                ChangeSetKind::Delete => "a deletion",
            };
            one(Tone::Busy, format!("creating change set {name} for {what}"))
        }
        EventKind::ChangeSetCreated { .. } => one(Tone::Dim, "change set accepted".into()),
        EventKind::ChangeSetReady { changes, .. } => {
            let number = count(changes.len(), "resource change");
            one(Tone::Plain, format!("change set ready: {number}"))
        }
        EventKind::DeletionPlanned { planned } => {
            let number = count(planned.changes.len(), "resource");
            one(Tone::Plain, format!("the stack can be deleted: {number}"))
        }
        EventKind::CleanupIntended { why } => {
            let why = match why {
                CleanupWhy::NoChanges => "it has no changes",
                CleanupWhy::Failed => "it failed",
                CleanupWhy::NotNeeded => "it will not be executed",
            };
            one(Tone::Dim, format!("removing the change set: {why}"))
        }
        EventKind::ChangeSetDeleted => one(Tone::Dim, "change set deleted".into()),
        EventKind::CleanupDone { left: None } => one(Tone::Dim, "cleaned up".into()),
        EventKind::CleanupDone { left: Some(left) } => {
            one(Tone::Warn, format!("left behind: {left}"))
        }
        EventKind::PlanReady { digest } => {
            one(Tone::Plain, format!("plan {} is ready", digest.short()))
        }
        EventKind::ApprovalRequested {
            expires,
            wave: Some(wave),
            ..
        } => one(
            Tone::Warn,
            format!(
                "wave {wave} ended; what comes after it waits for approval until {}",
                words::time(*expires)
            ),
        ),
        EventKind::GateStarted { place, until } => one(
            Tone::Busy,
            format!(
                "wave {}: {}",
                place.wave,
                words::passing_until(&place.gate, &words::time(*until))
            ),
        ),
        EventKind::GateHeld { place, reason } => one(
            Tone::Busy,
            match reason {
                Some(reason) => format!("wave {} waits: {reason}", place.wave),
                None => format!("wave {}: nothing holds it up any more", place.wave),
            },
        ),
        EventKind::GateOpened { place, said } => {
            let said = said.as_ref().map(|said| format!(": {said}"));
            let said = said.unwrap_or_default();
            one(
                Tone::Good,
                format!("wave {}: {} passed{said}", place.wave, place.gate),
            )
        }
        EventKind::GateClosed { place, reason } => one(
            Tone::Bad,
            format!("wave {}: {} not passed: {reason}", place.wave, place.gate),
        ),
        EventKind::ApprovalRequested {
            plan,
            expires,
            wave: None,
        } => one(
            Tone::Warn,
            format!(
                "plan {} waits for approval until {}",
                plan.short(),
                words::time(*expires)
            ),
        ),
        EventKind::Answered { answer } => {
            let (word, tone) = words::decision(answer.decision);
            let who = words::approver(&answer.approver);
            let origin = words::origin(answer.origin);
            let what = match &answer.wave {
                Some(wave) => format!("what comes after wave {wave}"),
                None => format!("plan {}", answer.plan.short()),
            };
            let mut text = format!("{what} {word} by {who} {origin}");
            if !answer.summary.is_empty() {
                text.push_str(&format!(": {}", answer.summary));
            }
            one(tone, text)
        }
        EventKind::AnswerRefused { answer, reason } => {
            let who = words::approver(&answer.approver);
            one(
                Tone::Warn,
                format!("answer of {who} does not count: {reason}"),
            )
        }
        EventKind::ApprovalExpired => one(Tone::Warn, "nobody answered in time".into()),
        EventKind::PlanExported { path, file, by } => one(
            Tone::Warn,
            format!(
                "plan written to {path} ({}) by {}; it is run by whoever has that file",
                file.short(),
                words::approver(by)
            ),
        ),
        EventKind::PlanImported { file, by, .. } => one(
            Tone::Plain,
            format!(
                "plan taken over from a file ({}), to be run by {}",
                file.short(),
                words::approver(by)
            ),
        ),
        EventKind::TargetStarted => one(
            Tone::Busy,
            "checking that it still is what was approved".into(),
        ),
        EventKind::ExecuteIntended { deletes: true, .. } => {
            one(Tone::Busy, "deleting the stack".into())
        }
        EventKind::ExecuteIntended { .. } => one(Tone::Busy, "executing the change set".into()),
        EventKind::StackBusy { status } => one(
            Tone::Busy,
            format!("waiting for the stack: {}", words::busy(*status)),
        ),
        EventKind::ExecuteAccepted => one(Tone::Dim, "execution accepted".into()),
        EventKind::StackSettled { status, .. } => one(Tone::Dim, format!("stack is {status}")),
        EventKind::SettingIntended { setting } => one(
            Tone::Busy,
            format!("setting the {}", words::setting(*setting)),
        ),
        EventKind::SettingApplied { setting } => {
            one(Tone::Dim, format!("{} is set", words::setting(*setting)))
        }
        EventKind::CallFailed { failure } => one(Tone::Warn, failure.message.clone()),
        EventKind::Observed { events } => events
            .iter()
            .map(|event| {
                let tone = if event.is_failure() {
                    Tone::Bad
                } else {
                    Tone::Dim
                };
                (tone, words::stack_event(event))
            })
            .collect(),
        EventKind::TargetFinished { outcome, .. } => {
            let (word, tone) = words::target_outcome(outcome);
            match words::target_outcome_detail(outcome) {
                Some(detail) => one(tone, format!("{word}: {detail}")),
                None => one(tone, word.to_owned()),
            }
        }
        EventKind::RegionSilent { silence } => one(Tone::Warn, words::silence(silence)),
        EventKind::RegionAnswers { region } => one(Tone::Plain, format!("{region} answers again")),
        EventKind::Paused { reason } => {
            let (why, what) = words::pause(reason, 0);
            one(Tone::Warn, format!("paused: {why}; {what}"))
        }
        EventKind::StopRequested { request } => one(Tone::Warn, words::stop_request(request)),
        EventKind::ExecutionFinished { outcome } => {
            let (word, tone) = words::execution_outcome(outcome);
            one(tone, format!("execution ended: {word}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self, Script, assert_screens};
    use super::*;

    fn text(script: &Script, options: &ScreenOptions) -> String {
        let view = script.view();
        let targets: Vec<&Target> = view.targets().iter().map(|t| t.target()).collect();
        let text = EventText::new(targets, options);
        script.events.iter().map(|event| text.of(event)).collect()
    }

    #[test]
    fn every_event_is_one_line() {
        let script = fixtures::stale();
        assert_screens!("stale", |options: &ScreenOptions| text(&script, options));
    }

    #[test]
    fn long_and_hostile_events_stay_short_and_harmless() {
        let script = fixtures::hostile();
        let text = text(&script, &ScreenOptions::default());
        assert!(!text.contains('\u{1b}'));
        insta::assert_snapshot!("hostile", text);
    }
}
