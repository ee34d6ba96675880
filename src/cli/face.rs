//! What a running execution looks like, and how it is answered from here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::answer::{verb, who};
use super::beside;
use super::denied::denied;
use super::findings::{Findings, first};
use super::options::OutputForm;
use super::output;
use super::progress::Progress;
use super::prompt::{Asked, Question, Said, Stillness};
use super::removal;
use super::sources::Sources;
use crate::diff;
use crate::journal::{Journal, JournalError};
use crate::model::{
    Answer, Approver, Decision, Digest, Event, EventKind, ExecutionId, Follows, InboxMessage,
    Origin, PlannedTarget, Risk, RiskLevel, StopMode, WaveName, clean,
};
use crate::pipeline::Execution;
use crate::report::{EventLine, ReviewSources as _, View, review, wave_account};
use crate::runtime::{self, Face};

/// How approvals are answered from the running process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answering {
    /// At a prompt.
    Prompt,
    /// By `--yes`, up to a level of risk.
    Yes(RiskLevel),
    /// By the approval of the deployment that is rolled back, which said so, up to a level of risk.
    Foreseen(RiskLevel),
    /// From elsewhere only.
    Detached,
    /// An answer is in the inbox already; otherwise as detached.
    Given,
}

/// What a running execution looks like.
pub(super) struct TerminalFace {
    pub(super) view: View,
    form: OutputForm,
    progress: Progress,
    answering: Answering,
    approver: Approver,
    state_folder: std::path::PathBuf,
    store_folder: std::path::PathBuf,
    bell: Arc<Notify>,
    detach: Arc<AtomicBool>,
    stillness: Stillness,
    question: Option<Question>,
}

/// What a face is made of.
pub(super) struct FaceParts {
    pub form: OutputForm,
    pub answering: Answering,
    pub approver: Approver,
    pub state_folder: std::path::PathBuf,
    pub store_folder: std::path::PathBuf,
    pub bell: Arc<Notify>,
    pub detach: Arc<AtomicBool>,
    pub stillness: Stillness,
}

impl TerminalFace {
    /// Returns a face for an execution that has the events of `view` already.
    pub(super) fn new(view: View, parts: FaceParts) -> Self {
        let FaceParts {
            form,
            answering,
            approver,
            state_folder,
            store_folder,
            bell,
            detach,
            stillness,
        } = parts;
        let progress = Progress::new(view.clone());
        let mut face = Self {
            view,
            form,
            progress,
            answering,
            approver,
            state_folder,
            store_folder,
            bell,
            detach,
            stillness,
            question: None,
        };
        // An execution that was left while an answer was awaited asks again, unless there is one.
        if face.answering != Answering::Given
            && face.view.awaits_answer()
            && let Some((plan, wave)) = face.view.approval().map(|a| (a.plan, a.wave.cloned()))
        {
            face.open_request(plan, wave);
        }
        face
    }

    /// Ends the progress display.
    pub(super) fn finish(&mut self) {
        self.close_question();
        self.progress.finish();
    }

    fn sources(&self) -> Option<Sources> {
        Sources::of(&self.view, &self.store_folder).ok()
    }

    /// Asks about the plan, or about what comes after a wave.
    fn open_request(&mut self, plan: Digest, wave: Option<WaveName>) {
        if let Ok(journal) = Journal::open_existing(&self.state_folder) {
            beside::note(&journal, &mut self.view);
        }
        let Some(wave) = wave else {
            return self.open_review(plan);
        };
        match self.answering {
            Answering::Detached | Answering::Given => {}
            // It approves what is planned; what became of a wave somebody has to look at.
            Answering::Yes(_) | Answering::Foreseen(_) => {
                let id = self.view.execution().map(ExecutionId::to_string);
                let id = id.unwrap_or_default();
                self.progress.suspend(|| {
                    output::stderr(&format!(
                        "wave {wave} ended, and `--yes` approves the plan only: look at what became of it, then go on with `stackgate approve {id}`\n"
                    ));
                });
                self.detach.store(true, Ordering::SeqCst);
            }
            Answering::Prompt => {
                if let Some(sources) = self.sources() {
                    let text = wave_account(&self.view, &output::progress_screen());
                    self.progress.suspend(|| output::stderr(&text));
                    self.open_prompt(plan, Some(wave), sources);
                }
            }
        }
    }

    /// Shows the review and asks for the answer in the way that was chosen.
    fn open_review(&mut self, plan: Digest) {
        let Some(sources) = self.sources() else {
            return;
        };
        let text = review(&self.view, &sources, &output::screen());
        self.progress.suspend(|| match self.form {
            OutputForm::Text => {
                let _ = output::stdout(&text);
            }
            OutputForm::Json | OutputForm::Ndjson | OutputForm::Markdown | OutputForm::Html => {
                output::stderr(&text);
            }
        });
        if denied(&self.view, &sources).is_some() {
            // Why is told at the end, once.
            self.detach.store(true, Ordering::SeqCst);
            return;
        }
        match self.answering {
            Answering::Detached | Answering::Given => {}
            Answering::Yes(limit) | Answering::Foreseen(limit) => {
                if let Some(text) = overwrites(&self.view, self.answering) {
                    self.progress.suspend(|| output::stderr(&text));
                    self.detach.store(true, Ordering::SeqCst);
                    return;
                }
                let planned = self.view.planned();
                let risks: Vec<_> = planned.iter().flat_map(|p| sources.risks(p)).collect();
                let level = diff::level(&risks);
                if level <= limit {
                    let covers = self.view.definition().and_then(|d| d.covered(limit));
                    let mut poster = self.poster();
                    let (origin, why) = match self.answering {
                        Answering::Foreseen(_) => {
                            let Some((earlier, before)) = self.approved_before() else {
                                let text =
                                    "not approved: who approved the deployment is not on record\n";
                                self.progress.suspend(|| output::stderr(text));
                                self.detach.store(true, Ordering::SeqCst);
                                return;
                            };
                            let why = beforehand(&earlier, &before, &self.approver);
                            // Whoever runs it approves nothing: they may be the one who rejected a wave.
                            poster.approver = before.approver;
                            (Origin::Beforehand, why)
                        }
                        Answering::Prompt
                        | Answering::Yes(_)
                        | Answering::Detached
                        | Answering::Given => (Origin::Flag, String::new()),
                    };
                    poster.post(plan, None, (Decision::Approve, origin), why, covers);
                    self.bell.notify_one();
                } else {
                    let answering = self.answering;
                    let text = refused(&planned, &sources, answering, limit, self.view.execution());
                    self.progress.suspend(|| output::stderr(&text));
                    self.detach.store(true, Ordering::SeqCst);
                }
            }
            Answering::Prompt => self.open_prompt(plan, None, sources),
        }
    }

    fn open_prompt(&mut self, plan: Digest, wave: Option<WaveName>, sources: Sources) {
        self.progress.hide();
        let question = Question::default();
        self.question = Some(question.clone());
        let (view, poster) = (self.view.clone(), self.poster());
        let (bell, detach) = (self.bell.clone(), self.detach.clone());
        // Reading a line blocks: it has a thread of its own, which an answer from elsewhere leaves behind.
        std::thread::spawn(move || {
            let targets = view.planned().len();
            let full = || {
                let options = crate::report::ScreenOptions {
                    full: true,
                    ..output::progress_screen()
                };
                review(&view, &sources, &options)
            };
            let asked = match &wave {
                Some(wave) => Asked::GoOn(wave),
                None => Asked::Plan {
                    targets,
                    deletes: view.deletes(),
                },
            };
            match question.ask(plan, asked, full) {
                None => return,
                Some(Said::Decision(decision, summary)) => {
                    poster.post(plan, wave, (decision, Origin::Prompt), summary, None);
                }
                Some(Said::Later | Said::Gone) => detach.store(true, Ordering::SeqCst),
            }
            bell.notify_one();
        });
    }

    fn close_question(&mut self) {
        if let Some(question) = self.question.take() {
            question.close();
            self.progress.unhide();
        }
    }

    /// Returns the deployment that is rolled back since it failed, and the answer that approved its plan.
    fn approved_before(&self) -> Option<(ExecutionId, Answer)> {
        let Some(Follows::RollsBack(earlier)) = self.view.follows() else {
            return None;
        };
        let journal = Journal::open_existing(&self.state_folder).ok()?;
        let deployment = View::read(journal.events(earlier, 0)).ok()?;
        let answer = deployment.plan_answer()?;
        let approved = answer.decision == Decision::Approve && answer.covers.is_some();
        approved.then(|| (earlier.clone(), answer.clone()))
    }

    fn poster(&self) -> Poster {
        Poster {
            execution: self.view.execution().cloned(),
            approver: self.approver.clone(),
            state_folder: self.state_folder.clone(),
        }
    }
}

/// Returns what is recorded with the answer to a rollback that was approved beforehand, as `before`, and is run by `runner`.
fn beforehand(earlier: &ExecutionId, before: &Answer, runner: &Approver) -> String {
    let by = match *runner == before.approver {
        true => String::new(),
        false => format!("; begun by {}@{}", runner.os_user, runner.host),
    };
    format!(
        "approved with plan {} of execution {earlier} (`--on-failure rollback`), which failed{by}",
        before.plan.short()
    )
}

/// Returns why nobody but who looks at it approves a rollback: it would overwrite what somebody else did in the meantime, or it
/// is not known whether it would.
fn overwrites(view: &View, answering: Answering) -> Option<String> {
    let is_foreseen = matches!(answering, Answering::Foreseen(_));
    let unknown = || {
        (is_foreseen && !view.is_as_seen()).then(|| {
            "what the stacks were when the deployment had failed is not on record".to_owned()
        })
    };
    let why = view.told_overwritten().or_else(unknown)?;
    let id = view.execution().map(ExecutionId::to_string);
    let id = id.unwrap_or_default();
    Some(format!("not approved: {why}\n{}", stays_open(&id)))
}

/// Returns why `--yes`, or what was approved before, does not approve: each risk above its limit, where it is, and what to do.
fn refused(
    planned: &[PlannedTarget],
    sources: &Sources,
    answering: Answering,
    limit: RiskLevel,
    execution: Option<&ExecutionId>,
) -> String {
    let mut above: Vec<(Risk, String)> = Vec::new();
    for target in planned {
        let risks = sources.risks(target).into_iter();
        let place = target.target.place();
        above.extend(
            risks
                .filter(|risk| risk.weight() > limit)
                .map(|risk| (risk, place.clone())),
        );
    }
    above.sort_by_key(|(risk, _)| std::cmp::Reverse(risk.level));
    let level = above.first().map_or(limit, |(risk, _)| risk.level);
    let mut found = Findings::default();
    for (risk, place) in above {
        let text = format!("{}  {}: {}", risk.level, risk.resource, risk.message);
        found.add(clean(&text), place);
    }
    let flag = match limit {
        RiskLevel::Medium => "`--yes` takes medium at most".to_owned(),
        RiskLevel::Low | RiskLevel::High => format!("`--yes={limit}` takes {limit} at most"),
    };
    let id = execution.map(ExecutionId::to_string).unwrap_or_default();
    let (flag, again) = match answering {
        Answering::Foreseen(_) => (
            format!("what was approved with the deployment takes {limit} at most"),
            None,
        ),
        Answering::Prompt | Answering::Yes(_) | Answering::Detached | Answering::Given => (
            flag,
            Some(format!(
                "to run the same again with `--yes={level}`, withdraw it first: that makes a plan of its own\n"
            )),
        ),
    };
    let mut text = format!("not approved: the risk is {level}, and {flag}\n");
    text.push_str(&first(&found.lines()));
    text.push_str(&stays_open(&id));
    text.extend(again);
    text
}

/// Says that the plan stays, and what can be done with it.
fn stays_open(id: &str) -> String {
    format!(
        "the plan stays open, with its change sets:\n  stackgate status {id}    look at it\n  stackgate approve {id}   approve it by hand\n  stackgate reject {id}    withdraw it, and remove its change sets\n"
    )
}

/// Puts answers into the inbox, the one way in for all of them.
struct Poster {
    execution: Option<ExecutionId>,
    approver: Approver,
    state_folder: std::path::PathBuf,
}

impl Poster {
    fn post(
        &self,
        plan: Digest,
        wave: Option<WaveName>,
        (decision, origin): (Decision, Origin),
        summary: String,
        covers: Option<RiskLevel>,
    ) {
        let Some(execution) = &self.execution else {
            return;
        };
        let now = runtime::now();
        let answer = Answer {
            decision,
            plan,
            wave,
            approver: self.approver.clone(),
            origin,
            at: now,
            summary,
            covers,
        };
        let posted = Journal::open(&self.state_folder)
            .and_then(|journal| journal.post(execution, &InboxMessage::Answer(answer), now));
        if let Err(error) = posted {
            output::stderr(&format!("the answer could not be recorded: {error}\n"));
        }
    }
}

impl Face for TerminalFace {
    fn show(&mut self, events: &[Event], _state: &Execution) {
        for event in events {
            self.view.apply(event);
            if self.form == OutputForm::Ndjson {
                // A reader that went away does not stop a deployment.
                let _ = output::line(&EventLine::of(event));
            }
            let is_over = match &event.kind {
                EventKind::Answered { answer } => answer.decision == Decision::Reject,
                kind => {
                    matches!(kind, EventKind::StopRequested { request } if request.mode == StopMode::GiveUp)
                }
            };
            // Who took it up for that has told it already.
            if is_over
                && !matches!(self.answering, Answering::Given)
                && let Some(text) = removal::told(&self.view)
            {
                self.progress.suspend(|| output::stderr(&text));
            }
            if let EventKind::Answered { answer } = &event.kind
                && self.question.is_some()
            {
                if answer.origin != Origin::Prompt {
                    let (verb, who) = (verb(answer.decision), who(&answer.approver));
                    output::stderr(&format!("\n{verb} from elsewhere by {who}\n"));
                }
                self.close_question();
            }
        }
        self.progress.tell(events);
        let asked = events.iter().find_map(|event| match &event.kind {
            EventKind::ApprovalRequested { plan, wave, .. } => Some((*plan, wave.clone())),
            _ => None,
        });
        if let Some((plan, wave)) = asked {
            self.open_request(plan, wave);
        }
    }

    fn tick(&mut self, now: Timestamp) {
        if let Some(away) = self.stillness.change() {
            if away {
                self.progress.hide();
            } else {
                self.progress.unhide();
            }
            self.stillness.keep(away);
        }
        self.progress.tick(now);
    }

    fn unread(&mut self, error: &JournalError) {
        self.progress.suspend(|| {
            output::stderr(&format!(
                "note: {error}; until then no approval that came after it counts, since it may be a rejection, and all else goes on\n"
            ));
        });
    }

    fn interrupted(&mut self, _: &Execution) {
        // Beside a question or a log, the terminal has echoed the key.
        let above = if self.progress.is_redrawn() { "" } else { "\n" };
        self.close_question();
        // How to go on is told once, at the end: leaving at once leads there, too.
        self.progress.suspend(|| {
            output::stderr(&format!(
                "{above}stopping: nothing new is started, what runs is finished; Ctrl-C again leaves at once\n",
            ));
        });
    }
}
