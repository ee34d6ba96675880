//! The only place that turns error chains into a message, a hint and an exit code.

use std::error::Error;
use std::io::Write as _;

use super::exit;
use crate::model::clean;

/// An error that ends a command.
#[derive(Debug)]
pub(super) struct CliError {
    error: anyhow::Error,
    code: u8,
    hints: Vec<String>,
}

impl CliError {
    /// Returns an error of the command line, the files or the options.
    pub(super) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self {
            error: error.into(),
            code: exit::USAGE,
            hints: Vec::new(),
        }
    }

    /// Returns an error of something that was tried.
    pub(super) fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self {
            error: error.into(),
            code: exit::FAILED,
            hints: Vec::new(),
        }
    }

    /// Returns a usage error with a message of its own.
    pub(super) fn message(text: impl Into<String>) -> Self {
        Self::usage(anyhow::Error::msg(text.into()))
    }

    /// Adds what to do about it.
    pub(super) fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }

    /// Prints the error with its causes and hints; returns the exit code.
    pub(super) fn report(&self) -> u8 {
        let mut out = anstream::stderr().lock();
        // Nothing is left to tell if standard error is gone.
        let _ = writeln!(
            out,
            "\x1b[1;31merror:\x1b[0m {}",
            clean_lines(&self.error.to_string())
        );
        let mut source: Option<&dyn Error> = self.error.source();
        while let Some(cause) = source {
            let _ = writeln!(out, "  cause: {}", clean_lines(&cause.to_string()));
            source = cause.source();
        }
        for hint in &self.hints {
            let _ = writeln!(out, "  help: {hint}");
        }
        self.code
    }
}

/// Returns `text` safe to show, with its line breaks kept and indented.
fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n  ")
}

impl From<crate::journal::JournalError> for CliError {
    fn from(error: crate::journal::JournalError) -> Self {
        Self::failed(error)
    }
}

impl From<crate::artifact::ArtifactError> for CliError {
    fn from(error: crate::artifact::ArtifactError) -> Self {
        Self::failed(error)
    }
}

impl From<crate::model::CallFailure> for CliError {
    fn from(error: crate::model::CallFailure) -> Self {
        let advice = crate::model::Denial::find(&error.message).map(|denial| denial.advice());
        advice
            .unwrap_or_default()
            .into_iter()
            .fold(Self::failed(error), Self::hint)
    }
}

impl From<crate::runtime::RunError> for CliError {
    fn from(error: crate::runtime::RunError) -> Self {
        Self::failed(error)
    }
}

impl From<crate::pipeline::IllegalEvent> for CliError {
    fn from(error: crate::pipeline::IllegalEvent) -> Self {
        Self::failed(error).hint("the journal was written by another version, or changed by hand")
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error)
    }
}
