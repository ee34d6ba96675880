//! The state of one execution.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{
    Answer, ChangeSetId, Digest, ExecutionId, ExecutionOutcome, Follows, GatePlace, PauseReason,
    Proof, StackEvent, StackId, StageName, StopRequest, Target, TargetOutcome, WaveName, clean,
};

use super::fleet::{Fleet, Rooms, UNDER_WAY, WHEN_LEFT, sections};
use super::followed::{Followed, Follower};
use super::review::execution;
use super::rolled_back::RolledBack;
use super::screen::{Glyphs, Line, Page, ScreenOptions, Tone, columns};
use super::summary::{next_commands, next_for_machines};
use super::view::{Counts, StageStatus};
use super::waves::{WaveStatus, waves};
use super::words::{self, Places, count};
use super::{
    Approval, DOCUMENT_VERSION, Phase, Review, TargetView, View, causes, review_facts as facts,
    summary,
};

/// The targets that are listed one by one; of more, it is told what they come to.
const LISTED: usize = 40;

/// The state of an execution, for machines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// Which document this is.
    pub document: &'static str,
    /// The version of this form.
    pub version: u32,
    /// The execution.
    pub execution: Option<ExecutionId>,
    /// The pipeline.
    pub pipeline: String,
    /// What it does with the stacks.
    pub operation: &'static str,
    /// The earlier execution that it goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<Follows>,
    /// What the execution is doing.
    pub state: &'static str,
    /// Whether a process works on it, where that is known.
    pub alive: Option<bool>,
    /// How it ended.
    pub outcome: Option<ExecutionOutcome>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When the newest event happened.
    pub last: Option<Timestamp>,
    /// The plan.
    pub plan: Option<Digest>,
    /// The approval.
    pub approval: Option<ApprovalStatus>,
    /// The answers that count, oldest first: about the plan, and about what comes after each wave.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// What opens by itself before the next wave begins, while that is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateStatus>,
    /// How the waves go, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<WaveStatus>,
    /// Why it waits for somebody outside.
    pub paused: Option<PauseReason>,
    /// The request to stop.
    pub stop: Option<StopRequest>,
    /// The stages, in order.
    pub stages: Vec<Stage>,
    /// How many targets are in which phase.
    pub counts: Counts,
    /// The targets, in the order they were asked for.
    pub targets: Vec<TargetStatus>,
    /// What the earlier execution was done with, and how it is known that it still is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proven: Vec<Proof>,
    /// How far the rollback of what it changed is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RolledBack>,
    /// What is to be known beside it, such as what other executions do to the same targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What went on from it by hand, in the order in which it began.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub followed: Vec<Follower>,
    /// The commands that go on from here, the likeliest first.
    pub next: Vec<String>,
    /// What there is to review, once there is a plan; whoever has the templates fills it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
}

/// What stands between two waves, and when it opens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateStatus {
    /// Where it stands.
    pub place: GatePlace,
    /// When it opens, if nothing else holds it up; of a command, when it is ended.
    pub until: Timestamp,
    /// What holds it up, beside time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

/// The approval request and its answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApprovalStatus {
    /// The plan to look at.
    pub plan: Digest,
    /// The wave after which the rollout goes on or does not, where that is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wave: Option<WaveName>,
    /// When it was asked for.
    pub requested: Timestamp,
    /// When the request ends.
    pub expires: Timestamp,
    /// Whether it ended without an answer.
    pub expired: bool,
    /// The answer that counts.
    pub answer: Option<Answer>,
    /// The answers that did not count, and why.
    pub refused: Vec<RefusedAnswer>,
    /// What the plan holds that the project denies; nobody can approve it while this is not empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<String>,
}

/// An answer that did not count.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RefusedAnswer {
    /// The answer.
    pub answer: Answer,
    /// Why not.
    pub reason: String,
}

/// A stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// How far it is.
    pub state: &'static str,
    /// Why it failed or was not needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetStatus {
    /// Where it is.
    #[serde(flatten)]
    pub target: Target,
    /// How far it is.
    pub phase: &'static str,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<TargetOutcome>,
    /// The change set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_set: Option<ChangeSetId>,
    /// The ARN of the stack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_id: Option<StackId>,
    /// The newest event of the stack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_event: Option<StackEvent>,
    /// The failed call that is being looked into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// What a clean-up left, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
    /// The outputs of the stack.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
}

impl Status {
    /// Returns the state of the execution in `view`. `alive`: whether a process works on it, if known.
    pub fn of(view: &View, alive: Option<bool>) -> Self {
        let approval = view.approval().map(|approval| ApprovalStatus {
            plan: approval.plan,
            wave: approval.wave.cloned(),
            requested: approval.requested,
            expires: approval.expires,
            expired: approval.expired,
            answer: approval.answer.cloned(),
            refused: view
                .refusals()
                .map(|refused| RefusedAnswer {
                    answer: refused.answer.clone(),
                    reason: refused.reason.clone(),
                })
                .collect(),
            denied: view.denied().to_vec(),
        });
        let state = view.state();
        let stages = view.stages().into_iter().map(|(name, status)| {
            let reason = view.refused_stage(name).map(str::to_owned);
            Stage {
                name: name.to_string(),
                state: words::stage_id(status, &state, alive),
                reason: reason.or_else(|| stage_reason(view, name, status)),
            }
        });
        Self {
            document: "status",
            version: DOCUMENT_VERSION,
            execution: view.execution().cloned(),
            pipeline: view.pipeline().to_owned(),
            operation: view.operation(),
            follows: view.follows().cloned(),
            state: words::state_id(&state, alive),
            alive,
            outcome: view.outcome().cloned(),
            started: view.started(),
            last: view.last(),
            plan: view.plan(),
            approval,
            answers: view.answers().into_iter().cloned().collect(),
            gate: view.gate().map(|(place, until)| GateStatus {
                place: place.clone(),
                until: *until,
                held: view.held().map(str::to_owned),
            }),
            waves: WaveStatus::of(view),
            paused: view.paused().cloned(),
            stop: view.stop().cloned(),
            stages: stages.collect(),
            counts: view.counts(),
            targets: view.targets().into_iter().map(target_status).collect(),
            proven: view.proven().to_vec(),
            rollback: view.rolled_back().cloned(),
            notes: view.beside().to_vec(),
            followed: view
                .followed()
                .map_or_else(Vec::new, |f| f.executions.clone()),
            next: next_of(view, alive),
            review: None,
        }
    }
}

fn target_status(target: &TargetView) -> TargetStatus {
    TargetStatus {
        target: target.target().clone(),
        phase: words::phase_id(target.phase()),
        outcome: target.outcome().cloned(),
        change_set: target.change_set().cloned(),
        stack_id: target.stack().cloned(),
        newest_event: target.newest_event().cloned(),
        trouble: target.trouble().map(|failure| failure.message.clone()),
        left: target.left().map(str::to_owned),
        outputs: target.outputs().cloned().unwrap_or_default(),
    }
}

/// Returns why a stage failed or was not needed: of what failed in targets, the cause that struck most of them.
fn stage_reason(view: &View, name: &StageName, status: &StageStatus) -> Option<String> {
    let reason = match status {
        StageStatus::Skipped(reason) => return Some(reason.clone()),
        StageStatus::Failed(reason) => reason,
        StageStatus::Waiting | StageStatus::Running | StageStatus::Succeeded => return None,
    };
    if !view.works_on_targets(name) || view.has_closed_gate() || view.given_up().is_some() {
        return Some(reason.clone());
    }
    let mut groups = match view.plan() {
        None => causes::not_planned(view),
        Some(_) => causes::failures(view),
    };
    if groups.is_empty() {
        groups = causes::unknown(view);
    }
    let Some(first) = groups.first() else {
        return Some(match view.counts().stale {
            // An earlier stackgate did not record more.
            0 if reason == "an action failed" => format!("{reason}, see its events"),
            0 => reason.clone(),
            stale => format!("{} no longer as approved", count(stale, "target")),
        });
    };
    let problem = words::problems(&first.cause).into_iter().next();
    let mut text = problem.unwrap_or_else(|| reason.clone());
    if first.targets.len() > 1 {
        text.push_str(&format!(" (in {})", count(first.targets.len(), "target")));
    }
    let others = groups.len() - 1;
    if others > 0 {
        text.push_str(&format!(", and {}", count(others, "other cause")));
    }
    Some(text)
}

/// Returns the state of an execution. `alive`: whether a process works on it, where that is known.
pub fn status(view: &View, alive: Option<bool>, options: &ScreenOptions) -> String {
    let mut page = Page::new(options);
    header(&mut page, view, alive);
    page.blank();
    stages(&mut page, view, alive);
    waves(&mut page, view, None);
    targets(&mut page, view, alive);
    let (_, tone) = words::state(&view.state(), alive);
    if !is_busy(view, alive) && tone != Tone::Good {
        page.blank();
        next_commands(&mut page, view);
    }
    page.finish()
}

/// Returns whether a process works on it, which needs no resuming.
pub(super) fn is_busy(view: &View, alive: Option<bool>) -> bool {
    alive == Some(true) && view.approval().is_none_or(|a| a.answer.is_some())
}

/// Returns the commands that go on from here, for machines.
fn next_of(view: &View, alive: Option<bool>) -> Vec<String> {
    match view.execution() {
        Some(id) if !is_busy(view, alive) => next_for_machines(view, id.as_str()),
        Some(_) | None => Vec::new(),
    }
}

fn header(page: &mut Page<'_>, view: &View, alive: Option<bool>) {
    let dot = format!(" {} ", page.glyphs.dot);
    let (word, tone) = words::state(&view.state(), alive);
    let mut line = Line::default();
    if let Some(id) = view.execution() {
        line.push(
            Tone::Strong,
            &format!("execution {}", execution(id, page.options)),
        );
        line.push(Tone::Dim, &dot);
    }
    line.push(Tone::Strong, view.pipeline());
    line.push(Tone::Dim, &dot);
    line.push(tone, word);
    page.line(line, 2);

    if let (Some(started), Some(last)) = (view.started(), view.last()) {
        let until = match (view.ended(), page.options.now) {
            (Some(ended), _) => format!("took {}", words::between(started, ended)),
            (None, Some(now)) => format!(
                "{} ago{dot}last event {} ago",
                words::between(started, now),
                words::between(last, now)
            ),
            (None, None) => format!("last event {}", words::time(last)),
        };
        let text = format!("  started {}{dot}{until}", words::time(started));
        page.line(Line::of(Tone::Dim, &text), 4);
    }
    if let Some((what, earlier)) = facts::follows(view) {
        let text = format!("  {what} {}", execution(earlier, page.options));
        page.line(Line::of(Tone::Plain, &text), 4);
    }
    if let Some(text) = facts::proven(view) {
        page.line(Line::indent(2).add(Tone::Dim, &text), 4);
    }
    if let Some(rolled_back) = view.rolled_back() {
        let (text, tone) = rolled_back.told();
        page.line(Line::indent(2).add(tone, &text), 4);
    }
    followed(page, view);
    answers(page, view);
    if let Some((place, until)) = view.gate() {
        let text = words::gate(place, *until, view.held(), page.options.now);
        page.line(Line::of(Tone::Busy, &format!("  {text}")), 4);
    }
    for refused in view.refusals() {
        let (word, _) = words::decision(refused.answer.decision);
        let who = words::approver(&refused.answer.approver);
        let text = format!(
            "  an answer that did not count: {word} by {who}: {}",
            refused.reason
        );
        page.line(Line::of(Tone::Warn, &text), 4);
    }
    if let Some(text) = words::elsewhere(view) {
        page.line(Line::of(Tone::Warn, &format!("  {text}")), 4);
    }
    if let Some(reason) = view.paused() {
        let (why, what) = words::pause(reason, view.unknown().len().saturating_sub(1));
        page.line(Line::of(Tone::Warn, &format!("  {why}; {what}")), 4);
    }
    if let Some(request) = view.stop() {
        let text = format!("  {}", words::stop_request(request));
        page.line(Line::of(Tone::Warn, &text), 4);
    }
    if let Some(failure) = view.trouble() {
        page.line(Line::of(Tone::Warn, &format!("  {}", failure.message)), 4);
    }
    // The review, which tells it too, is shown with it while an answer is awaited.
    for note in view.beside().iter().filter(|_| !view.awaits_answer()) {
        let line = Line::of(Tone::Warn, "  note").add(Tone::Plain, &format!("   {}", clean(note)));
        page.line(line, 9);
    }
}

/// Says who answered what, a line for each, and what is still to be answered.
fn answers(page: &mut Page<'_>, view: &View) {
    let dot = format!(" {} ", page.glyphs.dot);
    let answers = view.answers();
    for answer in &answers {
        let mut line = Line::indent(2).add(Tone::Plain, &words::answered_about(answer));
        line.push(Tone::Plain, &dot);
        let (word, tone) = words::decision(answer.decision);
        line.push(tone, word);
        let who = words::approver(&answer.approver);
        let origin = words::origin(answer.origin);
        let at = words::time(answer.at);
        line.push(Tone::Plain, &format!(" by {who} {origin}, {at}"));
        if !answer.summary.is_empty() {
            line.push(Tone::Plain, &format!(": {}", answer.summary));
        }
        page.line(line, 4);
    }
    let Some(approval) = view.approval() else {
        if let Some(plan) = view.plan() {
            let text = format!("  plan {}", plan.short());
            page.line(Line::of(Tone::Plain, &text), 4);
        }
        return;
    };
    if approval.answer.is_none() {
        let plan = format!("plan {}", approval.plan.short());
        let about = match approval.wave {
            None => plan,
            Some(wave) if answers.is_empty() => format!("{plan}{dot}after wave {wave}"),
            Some(wave) => format!("after wave {wave}"),
        };
        let mut line = Line::indent(2).add(Tone::Plain, &about);
        let unanswered = unanswered(view, &approval);
        let is_told = unanswered.is_some() || approval.wave.is_none();
        if let Some((what, tone, then)) = unanswered {
            line.push(Tone::Plain, &dot);
            line.push(tone, what);
            line.push(Tone::Plain, &then);
        }
        if is_told {
            page.line(line, 4);
        }
    }
    for text in words::denied(view.denied()) {
        page.line(Line::indent(4).add(Tone::Bad, &text), 6);
    }
}

/// Returns what stands for an answer where there is none; nothing where the execution was given up before there was one.
fn unanswered(view: &View, approval: &Approval<'_>) -> Option<(&'static str, Tone, String)> {
    if approval.expired {
        Some(("nobody answered in time", Tone::Warn, String::new()))
    } else if !view.awaits_answer() {
        None
    } else if !view.denied().is_empty() {
        let then = ": change the template, or what is denied, and plan again";
        Some(("cannot be approved", Tone::Bad, then.to_owned()))
    } else {
        let then = format!(" until {}", words::time(approval.expires));
        Some(("waits for an answer", Tone::Warn, then))
    }
}

/// Says what became of it afterwards.
pub(super) fn followed(page: &mut Page<'_>, view: &View) {
    let told = view.followed().map(Followed::told);
    for (text, tone) in told.into_iter().flatten() {
        page.line(Line::indent(2).add(tone, &text), 4);
    }
}

fn stages(page: &mut Page<'_>, view: &View, alive: Option<bool>) {
    let stages = view.stages();
    let state = view.state();
    let wide = stages
        .iter()
        .map(|(name, _)| columns(name.as_str()))
        .max()
        .unwrap_or(0);
    for (name, status) in &stages {
        let refused = view.refused_stage(name);
        let (word, tone) = match refused {
            Some(word) => (word, Tone::Warn),
            None => words::stage_status(status, &state, alive),
        };
        let mut line = Line::indent(2).add(tone, mark(page.glyphs, tone));
        line.push(Tone::Plain, &format!(" {name}"));
        line.pad(4 + wide, 0);
        line.push(tone, &format!("   {word}"));
        if let Some(reason) = stage_reason(view, name, status).filter(|_| refused.is_none()) {
            line.push(Tone::Dim, &format!("   {reason}"));
        }
        page.line(line, 7 + wide);
    }
}

fn targets(page: &mut Page<'_>, view: &View, alive: Option<bool>) {
    let targets = view.targets();
    let state = view.state();
    if targets.is_empty() {
        return;
    }
    page.blank();
    let dot = format!(" {} ", page.glyphs.dot);
    let counts = view.counts();
    let mut line = Line::of(Tone::Strong, &count(counts.total, "target"));
    for (text, tone) in words::counts(&counts) {
        line.push(Tone::Dim, &dot);
        line.push(tone, &text);
    }
    page.line(line, 2);
    if targets.len() > LISTED && !page.options.full {
        return many(page, view, alive);
    }
    let places = Places::of(targets.iter().map(|t| t.target()));
    let wide = targets
        .iter()
        .map(|t| columns(&places.name(t.target())))
        .max();
    let room = page.options.width.saturating_sub(30);
    let wide = wide.unwrap_or(0).min(room);
    for target in targets {
        let (word, tone) = words::target_phase(target.phase(), &state, alive);
        let mut line = Line::indent(2).add(tone, mark(page.glyphs, tone));
        line.push(Tone::Plain, &format!(" {}", places.name(target.target())));
        line.pad(4 + wide, 0);
        line.push(tone, &format!("   {word}"));
        if let Some(detail) = detail(target) {
            line.push(Tone::Dim, &format!("   {detail}"));
        }
        page.line(line, 6);
        if let Some(left) = target.left() {
            let text = format!("left behind: {left}");
            page.line(Line::indent(6).add(Tone::Warn, &text), 8);
        }
    }
}

/// What many targets come to, and where each is told of.
fn many(page: &mut Page<'_>, view: &View, alive: Option<bool>) {
    let fleet = Fleet::seen(view);
    let rooms = Rooms {
        lanes: 24,
        under_way: 8,
        struck: 16,
    };
    let is_left = alive == Some(false);
    let options = ScreenOptions {
        // Nobody works on it, so no time counts.
        now: page.options.now.filter(|_| !is_left),
        ..*page.options
    };
    let title = if is_left { WHEN_LEFT } else { UNDER_WAY };
    for line in sections(&fleet, &options, rooms, title) {
        page.cut(&line);
    }
    summary::left(page, view, fleet.places());
    if let Some(id) = view.execution() {
        let id = execution(id, page.options);
        let text = format!("each target: stackgate status {id} --full, or with --output json");
        page.line(Line::of(Tone::Dim, &text), 2);
    }
}

/// Returns what there is to say of a target besides its phase.
pub(super) fn detail(target: &TargetView) -> Option<String> {
    if let Some(failure) = target.trouble() {
        return Some(failure.message.clone());
    }
    match target.phase() {
        Phase::Ended(outcome) => words::target_outcome_detail(outcome),
        // A failure is worth more than what is still being waited for.
        Phase::Executing => {
            let newest = target.newest_event();
            let failed = newest.filter(|event| event.is_failure());
            let event = failed.or(target.waits_on()).or(newest);
            event.map(words::stack_event)
        }
        Phase::Waiting => target.busy().map(words::busy),
        Phase::Creating
        | Phase::Reading
        | Phase::Ready
        | Phase::Deletable
        | Phase::Checking
        | Phase::CleaningUp => None,
    }
}

/// Returns the mark of a line, which says with a shape what its tone says with a colour.
pub(super) fn mark(glyphs: Glyphs, tone: Tone) -> &'static str {
    match tone {
        Tone::Good | Tone::Inserted => glyphs.good,
        Tone::Bad | Tone::Deleted => glyphs.bad,
        Tone::Warn => "!",
        Tone::Busy => glyphs.busy,
        Tone::Plain | Tone::Strong | Tone::Dim => glyphs.idle,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self, assert_screens};
    use super::super::view::State;
    use super::*;
    use crate::model::{Decision, EventKind};

    #[test]
    fn a_waiting_execution_names_its_plan_and_the_commands() {
        let view = fixtures::fleet().view();
        assert_screens!("waiting", |options: &ScreenOptions| status(
            &view, None, options
        ));
    }

    #[test]
    fn a_finished_execution_lists_its_targets() {
        let view = fixtures::stale().view();
        assert_screens!("stale", |options: &ScreenOptions| status(
            &view,
            Some(false),
            options
        ));
    }

    #[test]
    fn what_was_given_up_does_not_wait() {
        let mut script = fixtures::fleet();
        let waiting = status(&script.view(), None, &ScreenOptions::default());
        assert!(waiting.contains("waits for an answer"), "{waiting}");
        script.finish(ExecutionOutcome::Stopped);
        let text = status(&script.view(), None, &ScreenOptions::default());
        assert!(!text.contains("waits for an answer"), "{text}");
    }

    #[test]
    fn a_plan_that_is_denied_waits_for_no_approval() {
        let mut view = fixtures::fleet().view();
        let why =
            "stackgate.yaml:2:3 denies `removal`: Alerts: deleted (in 111111111111/eu-west-1)";
        view.note_denied(vec![why.to_owned()]);
        let text = status(&view, None, &ScreenOptions::default());
        insta::assert_snapshot!("denied", text);
        assert!(!text.contains("waiting for"), "{text}");
        assert!(!text.contains("waits for"), "{text}");
        let json = Status::of(&view, None);
        assert_eq!(json.state, "denied");
        assert_eq!(json.approval.unwrap().denied, [why]);
        let text = super::super::summary(&view, &ScreenOptions::default());
        assert!(
            text.contains(": denied, the plan cannot be approved"),
            "{text}"
        );
    }

    #[test]
    fn an_approval_without_a_yes_is_no_failed_action() {
        let reason = || "an action failed".to_owned();
        let fail = |script: &mut fixtures::Script| {
            script.stage("Approval", EventKind::StageFailed { reason: reason() });
            let view = script.view();
            let told = Status::of(&view, None).stages.remove(2).reason;
            let text = status(&view, None, &ScreenOptions::default());
            assert!(!text.contains("an action failed"), "{text}");
            (told.unwrap(), text)
        };
        let (told, text) = fail(fixtures::fleet().answer(Decision::Reject, ""));
        assert_eq!(told, "rejected");
        assert!(text.contains("! Approval           rejected\n"), "{text}");
        let (told, text) = fail(fixtures::fleet().say(EventKind::ApprovalExpired));
        assert_eq!(told, "expired");
        assert!(text.contains("! Approval           expired\n"), "{text}");
    }

    #[test]
    fn what_a_clean_up_left_is_told_beside_its_target() {
        let mut script = fixtures::fleet();
        let left = Some("the change set was executed by somebody else".to_owned());
        script.at(&fixtures::four()[1], EventKind::CleanupDone { left });
        let text = status(&script.view(), None, &ScreenOptions::default());
        let lines: Vec<&str> = text.lines().collect();
        let at = lines
            .iter()
            .position(|l| l.contains("left behind: the change set was"));
        assert!(
            lines[at.unwrap() - 1].contains(fixtures::four()[1].region.as_str()),
            "{text}"
        );
    }

    #[test]
    fn machines_are_told_the_plan_to_approve() {
        let mut script = fixtures::fleet();
        let plan = script.view().plan().unwrap();
        let next = Status::of(&script.view(), None).next;
        assert!(next[0].ends_with(&format!(" --plan {plan}")), "{next:?}");
        script.answer(Decision::Approve, "");
        let next = Status::of(&script.view(), None).next;
        assert!(!next.concat().contains("--plan"), "{next:?}");
    }

    #[test]
    fn a_running_execution_shows_the_newest_events() {
        let mut script = fixtures::fleet();
        let targets = fixtures::four();
        script.approve().start(&targets[0]);
        let reason = Some("Resource creation Initiated");
        script.observe(
            &targets[0],
            vec![fixtures::stack_event(
                "Alerts",
                "CREATE_IN_PROGRESS",
                reason,
            )],
        );
        let view = script.view();
        for alive in [true, false] {
            let options = ScreenOptions {
                now: Some(script.now()),
                ..ScreenOptions::default()
            };
            let name = if alive { "running" } else { "interrupted" };
            insta::assert_snapshot!(name, status(&view, Some(alive), &options));
        }
    }

    #[test]
    fn every_answer_is_told_with_what_it_was_for() {
        let mut script = fixtures::canary();
        script.approve();
        let wave: crate::model::WaveName = "canary".parse().unwrap();
        let plan = script.view().plan().unwrap();
        let asked = EventKind::ApprovalRequested {
            plan,
            expires: "2026-11-29T22:00:00Z".parse().unwrap(),
            wave: Some(wave.clone()),
        };
        script.say(asked);
        let wide = ScreenOptions {
            width: 200,
            ..ScreenOptions::default()
        };
        let of_plan =
            "plan 64879f7d · approved by alice@laptop as assumed-role/Deploy/alice at the prompt, ";
        let text = status(&script.view(), None, &wide);
        assert!(text.contains(of_plan), "{text}");
        let waits = "  after wave canary · waits for an answer until 2026-11-29 22:00:00 UTC\n";
        assert!(text.contains(waits), "{text}");
        script.answer(Decision::Reject, "the canary is slow");
        if let Some(EventKind::Answered { answer }) = script.events.last_mut().map(|e| &mut e.kind)
        {
            answer.wave = Some(wave);
        }
        let view = script.view();
        let text = status(&view, None, &wide);
        assert!(text.contains(of_plan), "{text}");
        assert!(
            text.contains("  after wave canary · rejected by alice@laptop as "),
            "{text}"
        );
        assert!(text.contains(": the canary is slow\n"), "{text}");
        let json = Status::of(&view, None);
        super::super::documents::assert_valid(&json);
        let told: Vec<_> = json
            .answers
            .iter()
            .map(|a| (a.decision, &a.summary[..]))
            .collect();
        assert_eq!(
            told,
            [
                (Decision::Approve, "reviewed with the data team"),
                (Decision::Reject, "the canary is slow")
            ]
        );
        let page = super::super::markdown(&view, None, None);
        assert!(
            page.contains("- <code>plan 64879f7d</code>: approved by <code>alice"),
            "{page}"
        );
        assert!(
            page.contains("- <code>after wave canary</code>: rejected by <code>alice"),
            "{page}"
        );
        let page = super::super::html(&view, None, None);
        assert!(
            page.contains("plan 64879f7d: approved by alice@laptop"),
            "{page}"
        );
        assert!(
            page.contains("after wave canary: rejected by alice@laptop"),
            "{page}"
        );
    }

    #[test]
    fn refused_answers_are_told() {
        let mut script = fixtures::fleet();
        script.answer(crate::model::Decision::Approve, "");
        let Some(EventKind::Answered { answer }) = script.events.last().map(|e| e.kind.clone())
        else {
            panic!("the script ends with an answer");
        };
        script.say(EventKind::AnswerRefused {
            answer,
            reason: "alice has answered already".to_owned(),
        });
        let text = status(&script.view(), None, &ScreenOptions::default());
        assert!(
            text.contains("an answer that did not count: approved by alice@laptop"),
            "{text}"
        );
    }

    #[test]
    fn an_answer_that_nobody_took_up_is_told_with_who_and_when_and_the_command() {
        let mut script = fixtures::fleet();
        let mut answered = fixtures::fleet();
        for decision in [Decision::Approve, Decision::Reject] {
            answered.answer(decision, "looked at");
            let Some(EventKind::Answered { answer }) = answered.events.pop().map(|e| e.kind) else {
                panic!("the script ends with an answer");
            };
            let mut view = script.view();
            view.note(Some(answer.clone()), script.now());
            let name = match decision {
                Decision::Approve => "approved_outside",
                Decision::Reject => "rejected_outside",
            };
            let text = status(&view, Some(false), &ScreenOptions::default());
            insta::assert_snapshot!(name, text);
            let json = Status::of(&view, Some(false));
            let state = match decision {
                Decision::Approve => "approved",
                Decision::Reject => "rejected",
            };
            assert_eq!(json.state, state);
            assert_eq!(json.outcome, None);
            assert_eq!(json.approval.unwrap().answer, Some(answer.clone()));
            assert!(json.next[0].starts_with("stackgate resume "));
            // A process that works on it takes the answer up by itself.
            assert_eq!(Status::of(&view, Some(true)).state, "running");
            assert_eq!(Status::of(&view, Some(true)).next, Vec::<String>::new());
            // Once it is an event, what was noted is of no account.
            script.answer(decision, "looked at");
            let mut told = script.view();
            told.note(None, script.now());
            assert_eq!(told.state(), State::Running);
            script = fixtures::fleet();
        }
    }

    #[test]
    fn a_request_that_ended_unseen_does_not_wait_for_an_answer() {
        let mut view = fixtures::fleet().view();
        view.note(None, "2026-11-29T21:59:59Z".parse().unwrap());
        assert_eq!(view.state(), State::WaitingForApproval);
        view.note(None, "2026-11-29T22:00:00Z".parse().unwrap());
        assert_eq!(view.state(), State::Overdue);
        let text = status(&view, Some(false), &ScreenOptions::default());
        insta::assert_snapshot!("overdue", text);
        assert_eq!(Status::of(&view, Some(false)).state, "expired");
    }

    #[test]
    fn what_was_left_is_not_called_running() {
        let mut script = fixtures::fleet();
        script.approve().start(&fixtures::four()[0]);
        let stage = |alive| {
            let status = Status::of(&script.view(), alive);
            status.stages.last().unwrap().state
        };
        assert_eq!(stage(Some(true)), "running");
        assert_eq!(stage(None), "running");
        assert_eq!(stage(Some(false)), "interrupted");
    }

    #[test]
    fn the_machine_form_is_pinned() {
        insta::assert_json_snapshot!(
            "stale_json",
            Status::of(&fixtures::stale().view(), Some(false))
        );
    }
}
