//! What the binary said, without what differs from run to run.

use std::fmt;
use std::process::ExitStatus;
use std::sync::LazyLock;

use regex::Regex;

/// How a run of the binary ended, and what it said. Check its code at least.
#[must_use = "a run that nobody checks proves nothing"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code; absent where a signal ended it.
    pub code: Option<i32>,
    /// Standard output, normalised.
    pub stdout: String,
    /// Standard error, normalised.
    pub stderr: String,
    /// Standard output as it was.
    pub raw: String,
}

impl Output {
    /// Returns the output after checking the exit code; panics with all that was said if it is another one.
    #[track_caller]
    pub fn code(&self, expected: i32) -> &Output {
        assert_eq!(self.code, Some(expected), "unexpected exit code\n{self}");
        self
    }

    /// Returns the output after checking that the run succeeded.
    #[track_caller]
    pub fn success(&self) -> &Output {
        self.code(0)
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => writeln!(f, "exit code: {code}")?,
            None => writeln!(f, "ended by a signal")?,
        }
        writeln!(f, "--- stdout\n{}", self.stdout.trim_end())?;
        write!(f, "--- stderr\n{}", self.stderr.trim_end())
    }
}

/// Returns an output made from what a process left; `public` takes out what is the test's own.
pub fn collect(
    status: ExitStatus,
    stdout: String,
    stderr: &str,
    public: impl Fn(&str) -> String,
) -> Output {
    Output {
        code: status.code(),
        stdout: normalise(&public(&stdout)),
        stderr: normalise(&public(stderr)),
        raw: stdout,
    }
}

/// What differs from run to run. Replacements are as long as what they replace where columns are aligned by it.
static VOLATILE: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"http://(127\.0\.0\.1|localhost):\d+", "[ENDPOINT]"),
        // Executions: whole and short.
        (
            r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b",
            "eeeeeeee-eeee-7eee-eeee-eeeeeeeeeeee",
        ),
        (r"\b[0-9a-f]{8}…[0-9a-f]{4}\b", "eeeeeeee…eeee"),
        // Stacks and change sets of emulators.
        (
            r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-689a-f][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b",
            "00000000-0000-0000-0000-000000000000",
        ),
        (r"(changeSet/[-A-Za-z0-9]+/)[0-9a-f]{8}\b", "${1}00000000"),
        // Digests: whole, and the eight digits that people see.
        (r"\b[0-9a-f]{64}\b", "[DIGEST]"),
        (r"(?i)\b(plan\s+|plan: )[0-9a-f]{8}\b", "${1}dddddddd"),
        // Names and tokens derived from an execution.
        (r"\b[0-9a-f]{16,63}\b", "[HEX]"),
        (
            r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d| UTC)?",
            "[TIME]",
        ),
        (r"\b\d\d:\d\d:\d\d\b", "hh:mm:ss"),
        (r"\b(\d+ ?m(in)? )?\d+(\.\d+)? ?(ms|s)\b", "[DURATION]"),
    ]
    .into_iter()
    .map(|(pattern, replacement)| (Regex::new(pattern).unwrap(), replacement))
    .collect()
});

/// Returns text without ids, digests, times, durations and ports.
pub fn normalise(text: &str) -> String {
    VOLATILE.iter().fold(
        text.replace("\r\n", "\n"),
        |text, (pattern, replacement)| pattern.replace_all(&text, *replacement).into_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_taken_out() {
        for (text, normal) in [
            ("at http://127.0.0.1:4711/x", "at [ENDPOINT]/x"),
            (
                "0193f2a1-1b2c-7d3e-8f40-0123456789ab",
                "eeeeeeee-eeee-7eee-eeee-eeeeeeeeeeee",
            ),
            ("resume 0193f2a1…89ab now", "resume eeeeeeee…eeee now"),
            (
                "stack/m/a8debc0f-0a15-4017-b0f9-559ba7469805",
                "stack/m/00000000-0000-0000-0000-000000000000",
            ),
            (
                "changeSet/stackgate-x/4a86f384",
                "changeSet/stackgate-x/00000000",
            ),
            ("Plan   3d1f9c2e   valid", "Plan   dddddddd   valid"),
            ("Approve plan 3d1f9c2e for", "Approve plan dddddddd for"),
            (&format!("--plan {}", "ab".repeat(32)), "--plan [DIGEST]"),
            ("2026-11-22T21:40:01.123456Z ok", "[TIME] ok"),
            ("21:40:01 CREATE_COMPLETE", "hh:mm:ss CREATE_COMPLETE"),
            ("4/4   1.8 s", "4/4   [DURATION]"),
            ("took 2m 3s", "took [DURATION]"),
            (
                "111111111111/us-east-1 30 → 60",
                "111111111111/us-east-1 30 → 60",
            ),
            ("4 targets, 3 secrets", "4 targets, 3 secrets"),
        ] {
            assert_eq!(normalise(text), normal);
        }
    }
}
