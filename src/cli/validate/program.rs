//! Runs a program of others and takes what it says. Never through a shell: names of files are arguments and nothing else.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use super::super::CliError;

/// A program that is looked for on the `PATH`.
pub(super) struct Program {
    /// What it is called.
    pub name: &'static str,
    /// The flag that asks for it.
    pub flag: &'static str,
    /// How it is installed.
    pub install: &'static str,
}

/// What a program said.
pub(super) struct Said {
    /// How it ended; nothing where a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// The beginning of what it wrote to standard error.
    stderr: Vec<u8>,
}

/// The largest output that is read.
const LARGEST_OUTPUT: u64 = 64 << 20;

/// So much of standard error is kept.
const KEPT_ERRORS: u64 = 64 << 10;

/// So many lines of standard error are shown, each of so many characters.
const SHOWN_LINES: usize = 8;
const SHOWN_CHARACTERS: usize = 300;

impl Said {
    /// Returns whether a line that it wrote to standard error begins so.
    pub(super) fn complains_of(&self, what: &str) -> bool {
        let text = String::from_utf8_lossy(&self.stderr);
        text.lines().any(|line| line.starts_with(what))
    }
}

impl Program {
    /// Runs it in `folder` and waits for its end.
    pub(super) fn run(&self, folder: &Path, arguments: &[&str]) -> Result<Said, CliError> {
        let mut command = Command::new(self.name);
        command
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| self.not_started(error))?;
        let errors = child.stderr.take();
        let errors = thread::spawn(move || errors.map_or_else(Vec::new, beginning));
        let mut stdout = Vec::new();
        if let Some(pipe) = child.stdout.take() {
            let read = pipe.take(LARGEST_OUTPUT + 1).read_to_end(&mut stdout);
            let is_too_large = u64::try_from(stdout.len()).unwrap_or(u64::MAX) > LARGEST_OUTPUT;
            if is_too_large || read.is_err() {
                // It may have ended by itself; either way it is waited for.
                let _ = child.kill();
                let _ = child.wait();
                read?;
                let what = format!(
                    "`{}` wrote more than {} MB",
                    self.name,
                    LARGEST_OUTPUT >> 20
                );
                return Err(CliError::failed(anyhow::Error::msg(what))
                    .hint("name fewer templates, or find out what it does when it runs alone"));
            }
        }
        let status = child.wait()?;
        Ok(Said {
            code: status.code(),
            stdout,
            stderr: errors.join().unwrap_or_default(),
        })
    }

    fn not_started(&self, error: io::Error) -> CliError {
        let (name, flag) = (self.name, self.flag);
        if error.kind() == io::ErrorKind::NotFound {
            let what = format!("`{flag}` needs the program `{name}`, which is not on the PATH");
            return CliError::failed(anyhow::Error::msg(what)).hint(self.install);
        }
        let what = format!("failed to run `{name}`, which `{flag}` needs");
        CliError::failed(anyhow::Error::new(error).context(what))
    }

    /// Returns the error that it did not do what it was asked for: `how`, with the first lines of its complaint.
    pub(super) fn failed(&self, said: &Said, how: &str) -> CliError {
        let ended = match said.code {
            Some(code) => format!("exit code {code}"),
            None => "a signal".to_owned(),
        };
        let text = String::from_utf8_lossy(&said.stderr);
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let mut what = format!("`{}` {how}; it ended with {ended}", self.name);
        for line in lines.by_ref().take(SHOWN_LINES) {
            what.push('\n');
            what.extend(line.chars().take(SHOWN_CHARACTERS));
        }
        if lines.next().is_some() {
            what.push_str("\n…");
        }
        CliError::failed(anyhow::Error::msg(what)).hint(format!(
            "run `{}` by itself to see what is wrong",
            self.name
        ))
    }
}

/// Returns the beginning of what comes through a pipe, and lets the rest pass.
fn beginning(mut pipe: impl Read) -> Vec<u8> {
    let mut kept = Vec::new();
    // What was read until it broke is as good as any.
    let _ = pipe.by_ref().take(KEPT_ERRORS).read_to_end(&mut kept);
    let _ = io::copy(&mut pipe, &mut io::sink());
    kept
}
