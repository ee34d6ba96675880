//! Standard output and standard error, and how wide and colourful they are.

mod wrapped;

use std::borrow::Cow;
use std::io::{IsTerminal, Write as _};

use anstream::{AutoStream, ColorChoice};
use console::Term;

use super::CliError;
use super::options::OutputForm;
use crate::model::inert;
use crate::report::{ScreenOptions, html_text, markdown_text};

pub(super) use wrapped::lines;

/// Returns `text` as a word of a command that can be copied into a shell.
pub(super) fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:@=,+%".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// Writes data to standard output. A reader that went away is no error.
pub(super) fn stdout(text: &str) -> std::io::Result<()> {
    let text = logged(text);
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes a page that is drawn as text to standard output: as it is, or as a part of a comment or file.
pub(super) fn text(form: OutputForm, title: &str, text: &str) -> std::io::Result<()> {
    let plain = || anstream::adapter::strip_str(text).to_string();
    match form {
        OutputForm::Html => stdout(&html_text(title, &plain())),
        OutputForm::Markdown => stdout(&markdown_text(&plain())),
        OutputForm::Text | OutputForm::Json | OutputForm::Ndjson => stdout(text),
    }
}

/// Writes a document for machines to standard output.
pub(super) fn document(value: &impl serde::Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).map_err(CliError::failed)?;
    Ok(stdout(&format!("{}\n", escaped(&text)))?)
}

/// Writes a document for machines to standard output, on one line.
pub(super) fn line(value: &impl serde::Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string(value).map_err(CliError::failed)?;
    Ok(stdout(&format!("{}\n", escaped(&text)))?)
}

/// Returns JSON that says the same and holds nothing that [`logged`] would change.
fn escaped(json: &str) -> String {
    // No line of JSON begins with a colon, and a number sign is only in its texts.
    json.replace("##[", "#\\u0023[")
        .replace("##vso[", "#\\u0023vso[")
}

/// Returns the columns of standard error where that is a terminal.
pub(super) fn stderr_width() -> Option<usize> {
    terminal_width(&std::io::stderr(), &Term::stderr())
}

/// Writes progress or a prompt to standard error.
pub(super) fn stderr(text: &str) {
    let text = logged(text);
    match stderr_width() {
        Some(width) => command(&wrapped::wrapped(&text, width)),
        None => command(&text),
    }
}

/// Writes to standard error what is told in sentences, each line of which may be broken: also one that begins with a space or
/// has colours.
pub(super) fn told(text: &str) {
    match stderr_width() {
        Some(width) => command(&wrapped::told(&logged(text), width)),
        None => command(&logged(text)),
    }
}

/// Returns sentences as they fit into the terminal that standard output is; commands below them stay as they are.
pub(super) fn sentences(text: &str) -> Cow<'_, str> {
    match stdout_width() {
        Some(width) => wrapped::wrapped(text, width),
        None => Cow::Borrowed(text),
    }
}

/// Returns the columns of standard output where that is a terminal: what is read elsewhere has lines of any width.
pub(super) fn stdout_width() -> Option<usize> {
    terminal_width(&std::io::stdout(), &Term::stdout())
}

fn terminal_width(stream: &impl IsTerminal, term: &Term) -> Option<usize> {
    stream.is_terminal().then(|| width(term)).flatten()
}

/// Writes what is to be known to standard error, a line each.
pub(super) fn notes(notes: &[String]) {
    for note in notes {
        stderr(&format!("note: {note}\n"));
    }
}

/// Writes a command to the CI system to standard error, or any text as it is.
pub(super) fn command(text: &str) {
    let mut out = anstream::stderr().lock();
    // There is nowhere to report that standard error is gone.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Returns `text` as it may get into a log: the only place between all that is printed and the CI system that reads along.
fn logged(text: &str) -> Cow<'_, str> {
    // Elsewhere nothing is read from the log, and a value is to be shown as it is.
    let reads_along = ["GITHUB_ACTIONS", "TF_BUILD"];
    if reads_along
        .iter()
        .any(|name| std::env::var_os(name).is_some())
    {
        inert(text)
    } else {
        Cow::Borrowed(text)
    }
}

/// Returns whether a person can be asked: standard input and standard error are terminals, and this
/// is no CI job.
pub(super) fn is_interactive() -> bool {
    std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal()
        && std::env::var_os("CI").is_none_or(|v| v.is_empty() || v == "false")
}

/// Returns how to draw on standard output.
pub(super) fn screen() -> ScreenOptions {
    options(AutoStream::choice(&std::io::stdout()), &Term::stdout())
}

/// Returns how to draw on standard error.
pub(super) fn progress_screen() -> ScreenOptions {
    options(AutoStream::choice(&std::io::stderr()), &Term::stderr())
}

/// Returns the columns of a terminal, if they are known.
fn width(term: &Term) -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    columns.or_else(|| term.size_checked().map(|(_, columns)| usize::from(columns)))
}

fn options(choice: ColorChoice, term: &Term) -> ScreenOptions {
    ScreenOptions {
        width: width(term).unwrap_or(100).clamp(60, 160),
        colour: choice != ColorChoice::Never,
        unicode: true,
        full: false,
        now: Some(crate::runtime::now()),
    }
}

/// Returns whether standard error is a terminal that redraws.
pub(super) fn is_terminal_stderr() -> bool {
    std::io::stderr().is_terminal() && std::env::var("TERM").as_deref() != Ok("dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_can_be_copied_into_a_shell() {
        assert_eq!(word("prod"), "prod");
        assert_eq!(word("http://127.0.0.1:4566"), "http://127.0.0.1:4566");
        assert_eq!(word("my profile"), "'my profile'");
        assert_eq!(word("role/{account}"), "'role/{account}'");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word(""), "''");
    }
}
