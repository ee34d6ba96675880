//! What a person is asked at the terminal.

use std::io::stdin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use console::{Term, measure_text_width};
use dialoguer::Password;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};

use super::output;
use crate::action::secrets::SecretPrompt;
use crate::aws::MfaPrompt;
use crate::model::{Decision, Digest, WaveName};
use crate::report::count;

/// What a person said to a review.
pub(super) enum Said {
    /// The answer, and why.
    Decision(Decision, String),
    /// Decide later.
    Later,
    /// Standard input ended.
    Gone,
}

/// A question that may be answered from elsewhere while it is open.
#[derive(Clone, Default)]
pub(super) struct Question(Arc<AtomicBool>);

impl Question {
    /// Closes the question: what is typed from now on is no answer.
    pub(super) fn close(&self) {
        self.0.store(true, Ordering::SeqCst);
        // A prompt hides or moves the cursor; whoever closes it gives it back.
        let _ = Term::stderr().show_cursor();
    }

    fn is_closed(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Asks until there is an answer; `full` draws the whole difference. The default is no answer.
    pub(super) fn ask(
        &self,
        plan: Digest,
        asked: Asked<'_>,
        full: impl Fn() -> String,
    ) -> Option<Said> {
        let question = asked.question(plan);
        loop {
            begin(&asked_on(
                &question,
                "approve · reject · full diff · later",
                output::stderr_width(),
            ));
            while !self.is_closed() && !is_typed() {}
            // What is typed now is for whoever asks next.
            if self.is_closed() {
                return None;
            }
            let Some(line) = typed() else {
                return Some(Said::Gone);
            };
            let (word, summary) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            match word.to_ascii_lowercase().as_str() {
                // The whole word: a `y` is typed before one has read what it is about.
                "approve" => {
                    return Some(Said::Decision(Decision::Approve, summary.trim().to_owned()));
                }
                "reject" | "r" | "no" | "n" => {
                    return Some(Said::Decision(Decision::Reject, summary.trim().to_owned()));
                }
                "full" | "f" | "diff" | "d" => output::stderr(&full()),
                "later" | "l" => return Some(Said::Later),
                _ => output::stderr(asked.help()),
            }
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked<'a> {
    /// Whether a plan is executed.
    Plan {
        /// How many targets it is for.
        targets: usize,
        /// Whether it deletes stacks.
        deletes: bool,
    },
    /// Whether the rollout goes on after a wave.
    GoOn(&'a WaveName),
}

impl Asked<'_> {
    fn question(self, plan: Digest) -> String {
        let plan = plan.short();
        match self {
            Asked::Plan { targets, .. } => {
                format!("Approve plan {plan} for {}?", count(targets, "target"))
            }
            Asked::GoOn(wave) => format!("Go on with plan {plan} after wave {wave}?"),
        }
    }

    /// Returns what each answer means.
    fn help(self) -> &'static str {
        match self {
            Asked::Plan { deletes: true, .. } => {
                "  approve [why]  delete what is shown\n  reject [why]   delete nothing\n  full           show every resource\n  later          leave; answer with `stackgate approve`\n"
            }
            Asked::Plan { deletes: false, .. } => {
                "  approve [why]  execute what is shown\n  reject [why]   execute nothing and remove the change sets\n  full           show every value and the template's text difference\n  later          leave; answer with `stackgate approve`\n"
            }
            Asked::GoOn(_) => {
                "  approve [why]  go on with the next wave\n  reject [why]   execute nothing more and remove the change sets that are left\n  full           show every value and the template's text difference\n  later          leave; answer with `stackgate approve`\n"
            }
        }
    }
}

/// Asks for a line; `None` where standard input ended.
fn line(prompt: &str) -> Option<String> {
    begin(prompt);
    typed()
}

/// Shows a question.
fn begin(prompt: &str) {
    forget_typed();
    output::stderr(&format!("{prompt}: "));
}

/// Forgets what was typed so far: it was typed before the question was there to be read, and answers nothing.
fn forget_typed() {
    // What is no terminal is not asked.
    let _ = tcflush(stdin(), QueueSelector::IFlush);
}

/// Waits a moment for a line; returns whether there is one to be read, or the end of the input.
fn is_typed() -> bool {
    let moment = Timespec {
        tv_sec: 0,
        tv_nsec: 100_000_000,
    };
    let stdin = stdin();
    let mut asked = [PollFd::new(&stdin, PollFlags::IN)];
    match poll(&mut asked, Some(&moment)) {
        Ok(0) | Err(Errno::INTR) => false,
        // Where it cannot be told, it is found out by reading.
        Ok(_) | Err(_) => true,
    }
}

/// Returns the line that was typed; `None` where standard input ended.
///
/// It is read in the terminal's own line mode, not key by key: whoever leaves while the question is
/// open leaves the terminal as it was, and Ctrl-C stays a signal.
fn typed() -> Option<String> {
    let mut line = String::new();
    match stdin().read_line(&mut line) {
        Ok(1..) => Some(line),
        Ok(0) | Err(_) => {
            output::stderr("\n");
            None
        }
    }
}

/// How many columns are left for an answer beside its question.
const ANSWER: usize = 40;

/// Returns a question and what may be answered. Where that leaves little room in the line for the answer, what may be answered
/// begins a line of its own, and the question is broken between words.
fn asked_on(question: &str, answers: &str, width: Option<usize>) -> String {
    let whole = format!("{question} [{answers}]");
    match width {
        Some(width) if measure_text_width(&whole) + ANSWER > width => {
            let question = output::lines(question, width).join("\n");
            format!("{question}\n[{answers}]")
        }
        Some(_) | None => whole,
    }
}

/// The terminal's settings from before a secret was asked for, while it is asked for.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Gives the terminal its settings back, should a secret still be asked for.
pub(super) fn give_back() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        // A terminal that is gone needs nothing back.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &before);
        output::stderr("\n");
    }
}

/// Asks for secrets on the terminal.
pub(super) struct TerminalSecrets(pub Stillness);

/// Keeps a display that redraws away from a question that is asked beside it.
#[derive(Clone, Default)]
pub(super) struct Stillness(Arc<(Mutex<Still>, Condvar)>);

#[derive(Default)]
struct Still {
    wanted: bool,
    kept: bool,
}

impl Stillness {
    /// Waits until the display is away, then runs `ask`.
    fn during<T>(&self, ask: impl FnOnce() -> T) -> T {
        let (still, changed) = &*self.0;
        let mut guard = still.lock().unwrap_or_else(PoisonError::into_inner);
        guard.wanted = true;
        // A display that does not answer is none that would redraw.
        drop(changed.wait_timeout_while(guard, Duration::from_secs(2), |s| !s.kept));
        let result = ask();
        still.lock().unwrap_or_else(PoisonError::into_inner).wanted = false;
        result
    }

    /// Returns whether the display is to go away or to come back, where one of them is to happen.
    pub(super) fn change(&self) -> Option<bool> {
        let still = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        (still.wanted != still.kept).then_some(still.wanted)
    }

    /// Notes that the display is away, or back.
    pub(super) fn keep(&self, kept: bool) {
        let (still, changed) = &*self.0;
        still.lock().unwrap_or_else(PoisonError::into_inner).kept = kept;
        changed.notify_all();
    }
}

impl SecretPrompt for TerminalSecrets {
    fn ask(&self, parameter: &str) -> Option<String> {
        if !output::is_interactive() {
            return None;
        }
        let remember = |settings| *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        self.0.during(|| {
            remember(tcgetattr(stdin()).ok());
            forget_typed();
            let value = Password::new()
                .with_prompt(format!("Value of secret parameter {parameter}"))
                .interact();
            remember(None);
            value.ok()
        })
    }
}

/// Asks for the code of a device on the terminal.
#[derive(Debug)]
pub(super) struct TerminalMfa;

impl MfaPrompt for TerminalMfa {
    fn ask(&self, serial: &str) -> Option<String> {
        if !output::is_interactive() {
            return None;
        }
        // A code is good once, and for half a minute: it may be seen.
        line(&format!("MFA code of {}", crate::model::clean(serial)))
    }
}

/// Asks whether `question`, about something that is no plan; no without a terminal, and by default.
///
/// Who approves a plan types the word: see [`Question::ask`].
pub(super) fn confirm(question: &str) -> bool {
    output::is_interactive()
        && line(&asked_on(question, "y/N", output::stderr_width())).is_some_and(|answer| {
            matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_always_has_room() {
        let answers = "approve · reject · full diff · later";
        let plan = Asked::Plan {
            targets: 4000,
            deletes: false,
        };
        let digest = Digest::of(b"plan");
        let question = plan.question(digest);
        let at = |width| asked_on(&question, answers, Some(width));
        assert_eq!(at(80), format!("{question}\n[{answers}]"));
        assert_eq!(at(160), format!("{question} [{answers}]"));
        assert_eq!(asked_on(&question, answers, None), at(160));
        for width in [60, 80, 120, 160] {
            let last = at(width).lines().last().unwrap().to_owned();
            assert!(measure_text_width(&last) + 20 <= width, "{last}");
        }
    }

    #[test]
    fn a_digest_in_a_question_stays_whole() {
        let digest = Digest::of(b"plan").to_string();
        let question = format!("Is what was looked at the plan {digest}?");
        let asked = asked_on(&question, "y/N", Some(80));
        let lines: Vec<&str> = asked.lines().collect();
        assert_eq!(
            lines,
            [
                "Is what was looked at the plan",
                &format!("{digest}?"),
                "[y/N]"
            ]
        );
    }
}
