//! A command between two waves.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Digest;

/// A program of the project that says whether a rollout goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateCommand {
    /// The program and its arguments; no shell reads them.
    pub line: Vec<String>,
    /// The files of the project that the line names, as they were when the plan was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<CommandFile>,
    /// How long it may take, in minutes.
    pub timeout_minutes: u32,
}

/// A file that a command runs or reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandFile {
    /// Its path, from the project root.
    pub path: String,
    /// The SHA-256 of its content.
    pub digest: Digest,
}

impl fmt::Display for GateCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("command")?;
        for word in &self.line {
            let word = super::clean(word);
            let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+".contains(c);
            match !word.is_empty() && word.chars().all(is_plain) {
                true => write!(f, " {word}")?,
                false => write!(f, " '{}'", word.replace('\'', "'\\''"))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_as_a_shell_would_take_it() {
        let command = |line: &[&str]| GateCommand {
            line: line.iter().map(|word| (*word).to_owned()).collect(),
            files: Vec::new(),
            timeout_minutes: 10,
        };
        for (line, told) in [
            (&["./smoke.sh", "--to=a"][..], "command ./smoke.sh --to=a"),
            (
                &["sh", "-c", "true && it's"],
                "command sh -c 'true && it'\\''s'",
            ),
            (&["a", "", "\u{1b}[2Jb"], "command a '' '[2Jb'"),
        ] {
            assert_eq!(command(line).to_string(), told);
        }
    }
}
