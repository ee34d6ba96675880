//! The only place that turns error chains into a message, a hint and an exit code.

use std::error::Error;

use super::{exit, output};
use crate::model::clean;

/// An error that ends a command.
#[derive(Debug)]
pub(super) struct CliError {
    error: anyhow::Error,
    code: u8,
    hints: Vec<String>,
}

impl CliError {
    /// Returns an error of YAML in the file `name`. The place comes first, as everywhere, and once.
    pub(super) fn yaml(name: impl std::fmt::Display, error: &serde_yaml::Error) -> Self {
        let said = error.to_string();
        let place = error
            .location()
            .map(|at| format!(":{}:{}", at.line(), at.column()));
        let what = said.split(" at line ").next().unwrap_or(&said);
        Self::message(format!("{name}{}: {what}", place.unwrap_or_default()))
    }

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

    /// Returns that a file which was named could not be read, and what to do about that.
    pub(super) fn unread(what: &str, file: &str, error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let hint = match error.kind() {
            ErrorKind::NotFound => Some("paths count from the folder that stackgate runs in"),
            ErrorKind::IsADirectory => Some("this is a folder; name a file in it"),
            ErrorKind::PermissionDenied => Some("the file must be readable for you; see `ls -l`"),
            _ => None,
        };
        let context = format!("failed to read {what} `{file}`");
        let error = Self::usage(anyhow::Error::new(error).context(context));
        hint.into_iter().fold(error, Self::hint)
    }

    /// Adds what to do about it.
    pub(super) fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }

    /// Returns that only one execution of the journal cannot be read, where it is that.
    pub(super) fn unread_execution(&self) -> Option<&crate::journal::JournalError> {
        let error = self.error.downcast_ref::<crate::journal::JournalError>();
        error.filter(|error| error.is_of_one_execution())
    }

    /// Returns what happened, with its causes, in one line; and what to do about it.
    pub(super) fn told(&self) -> (String, Vec<String>) {
        let mut said = vec![self.error.to_string()];
        said.extend(causes(&self.error));
        (
            clean(&said.join(": ").replace('\n', "; ")),
            self.hints.clone(),
        )
    }

    /// Prints the error with its causes and hints; returns the exit code.
    pub(super) fn report(&self) -> u8 {
        let message = clean_lines(&self.error.to_string());
        let mut text = format!("\x1b[1;31merror:\x1b[0m {message}\n");
        for cause in causes(&self.error) {
            text.push_str(&format!("  cause: {cause}\n"));
        }
        for hint in &self.hints {
            text.push_str(&format!("  help: {hint}\n"));
        }
        output::told(&text);
        self.code
    }
}

/// Returns the causes of an error, each in a line of its own; one that only repeats its effect is left out.
fn causes(error: &anyhow::Error) -> Vec<String> {
    let mut said = error.to_string();
    let mut causes = Vec::new();
    let mut source: Option<&dyn Error> = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !text.contains(&said) && !said.contains(&text) {
            causes.push(clean_lines(shortened(&text)));
        }
        said = text;
        source = cause.source();
    }
    causes
}

/// Returns a cause without the list of all that would have been right, which parsers add.
fn shortened(cause: &str) -> &str {
    cause
        .split_once(", expected one of ")
        .map_or(cause, |(what, _)| what)
}

/// Returns `text` safe to show, with its line breaks kept and indented.
fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n  ")
}

impl From<crate::journal::JournalError> for CliError {
    fn from(error: crate::journal::JournalError) -> Self {
        use crate::journal::JournalError as J;
        match &error {
            J::LeaseHeld { execution, .. } => {
                let hint = format!(
                    "watch it with `stackgate status {execution}`, or end it with `stackgate stop {execution}`"
                );
                // Nothing failed: what was asked does not fit what the execution is doing.
                Self::usage(error).hint(hint)
            }
            J::DamagedEvent { .. } => Self::failed(error).hint("`stackgate list` shows the others"),
            J::NoExecution { .. } => {
                Self::failed(error).hint("`stackgate deploy STACK` starts one")
            }
            // What was named is wrong.
            J::NotAFolder { .. }
            | J::UnknownExecution { .. }
            | J::StackForExecution { .. }
            | J::AmbiguousExecution { .. } => Self::usage(error),
            J::Create { .. }
            | J::Missing { .. }
            | J::ReadOnly { .. }
            | J::Unopenable { .. }
            | J::Full { .. }
            | J::Unwritten { .. }
            | J::Busy { .. }
            | J::NotAJournal { .. }
            | J::Corrupt { .. }
            | J::NewerVersion { .. }
            | J::UnreadableEvent { .. }
            | J::UnreadableMessage { .. }
            | J::LeaseLost { .. }
            | J::SequenceConflict { .. }
            | J::Misnumbered { .. }
            | J::InboxConflict { .. }
            | J::Encode { .. }
            | J::Storage { .. } => Self::failed(error),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_against_an_unread_file_depends_on_why() {
        let folder = tempfile::tempdir().unwrap();
        let hints = |path: &std::path::Path| {
            let error = std::fs::read(path).unwrap_err();
            CliError::unread("template", "t.yaml", error).told().1
        };
        assert_eq!(
            hints(folder.path()),
            ["this is a folder; name a file in it"]
        );
        let missing = hints(&folder.path().join("none"));
        assert_eq!(
            missing,
            ["paths count from the folder that stackgate runs in"]
        );
    }

    #[test]
    fn causes_say_something_new_or_nothing() {
        let error = anyhow::anyhow!("Error code 778: disk I/O error")
            .context("disk I/O error")
            .context("cannot write journal `x`")
            .context("failed to write the journal");
        assert_eq!(
            causes(&error),
            ["cannot write journal `x`", "disk I/O error"]
        );
        let error = anyhow::anyhow!("unknown variant `later`, expected one of `a`, `b`")
            .context("message 3 cannot be read");
        assert_eq!(causes(&error), ["unknown variant `later`"]);
        let hostile = anyhow::anyhow!("one\u{1b}[2J\ntwo").context("said");
        assert!(!causes(&hostile)[0].contains('\u{1b}'));
    }
}
