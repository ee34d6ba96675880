//! What a person is asked at the terminal.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use console::Term;
use dialoguer::{Input, Password};

use super::output;
use crate::action::secrets::SecretPrompt;
use crate::model::{Decision, Digest, SecretRef};

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
    ///
    /// Lines are read in the terminal's own line mode, so that an answer from elsewhere leaves the
    /// terminal as it was.
    pub(super) fn ask(
        &self,
        plan: Digest,
        targets: usize,
        full: impl Fn() -> String,
    ) -> Option<Said> {
        let noun = if targets == 1 { "target" } else { "targets" };
        loop {
            let prompt = format!(
                "Approve plan {} for {targets} {noun}? [approve · reject · full diff · later]",
                plan.short()
            );
            let line: Result<String, _> = Input::new()
                .with_prompt(prompt)
                .allow_empty(true)
                .interact();
            if self.is_closed() {
                return None;
            }
            let Ok(line) = line else {
                return Some(Said::Gone);
            };
            let (word, summary) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            match word.to_ascii_lowercase().as_str() {
                "approve" | "a" | "yes" | "y" => {
                    return Some(Said::Decision(Decision::Approve, summary.trim().to_owned()));
                }
                "reject" | "r" | "no" | "n" => {
                    return Some(Said::Decision(Decision::Reject, summary.trim().to_owned()));
                }
                "full" | "f" | "diff" | "d" => output::stderr(&full()),
                "later" | "l" => return Some(Said::Later),
                _ => output::stderr(
                    "  approve [why]  execute what is shown\n  reject [why]   execute nothing and remove the change sets\n  full           show every value and the template's text difference\n  later          leave; answer with `stackgate approve`\n",
                ),
            }
        }
    }
}

/// The secrets that a person gave at the terminal.
///
/// They are asked for before anything is drawn, since a display that redraws would cover the question,
/// and before the lease is taken, which somebody who looks a password up must not lose.
#[derive(Default)]
pub(super) struct TerminalSecrets(BTreeMap<String, String>);

impl TerminalSecrets {
    /// Asks for each of `secrets` that is to be asked for; nothing without a terminal.
    pub(super) fn ask_all(secrets: &BTreeMap<String, SecretRef>) -> Self {
        let asked = secrets
            .iter()
            .filter(|(_, reference)| **reference == SecretRef::Prompt && output::is_interactive());
        Self(
            asked
                .filter_map(|(parameter, _)| {
                    let value = Password::new()
                        .with_prompt(format!("Value of secret parameter {parameter}"))
                        .interact();
                    Some((parameter.clone(), value.ok()?))
                })
                .collect(),
        )
    }
}

impl SecretPrompt for TerminalSecrets {
    fn ask(&self, parameter: &str) -> Option<String> {
        self.0.get(parameter).cloned()
    }
}

/// Asks whether `question`; no without a terminal, and by default.
pub(super) fn confirm(question: &str) -> bool {
    output::is_interactive()
        && dialoguer::Confirm::new()
            .with_prompt(question)
            .default(false)
            .wait_for_newline(true)
            .interact()
            .unwrap_or(false)
}
