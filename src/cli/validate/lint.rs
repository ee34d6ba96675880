//! What `cfn-lint` finds: the properties of resource types above all, which this program does not know.

use std::path::Path;

use serde::Deserialize;

use super::super::CliError;
use super::Read;
use super::program::Program;
use crate::template::{At, Code, Foreign, Position, Severity};

const PROGRAM: Program = Program {
    name: "cfn-lint",
    flag: "--lint",
    install: "install it with `pip install cfn-lint`, or leave `--lint` out (in `stackgate.yaml`: `validate: {lint: false}`)",
};

/// A finding as `--format json` writes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Match {
    /// Nothing where it is about how the program was called.
    filename: Option<String>,
    level: String,
    location: Location,
    message: String,
    rule: LintRule,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Location {
    start: Place,
    end: Place,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Place {
    line_number: u32,
    column_number: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LintRule {
    id: String,
    #[serde(default)]
    short_description: String,
    #[serde(default)]
    source: String,
}

/// Runs it once for all templates, since it takes seconds to start, and joins what it finds.
pub(super) fn lint(root: &Path, templates: &mut [&mut Read]) -> Result<(), CliError> {
    if templates.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = templates.iter().map(|read| literal(&read.file)).collect();
    let mut arguments = vec!["--format", "json", "--"];
    arguments.extend(names.iter().map(String::as_str));
    let said = PROGRAM.run(root, &arguments)?;
    // A sum of 2, 4 and 8 for errors, warnings and notes; anything else is about the program itself.
    let is_report = said
        .code
        .is_some_and(|code| (0..=14).contains(&code) && code % 2 == 0);
    if !is_report {
        return Err(PROGRAM.failed(&said, "failed"));
    }
    let found = read(&said.stdout).map_err(|why| {
        PROGRAM.failed(&said, &format!("wrote no report that can be read ({why})"))
    })?;
    if found.is_empty() && said.code != Some(0) {
        return Err(PROGRAM.failed(&said, "says that it found something, and lists nothing"));
    }
    let mut of_file: Vec<Vec<Foreign>> = templates.iter().map(|_| Vec::new()).collect();
    for (file, one) in found {
        let is_it = |read: &Read| {
            file.as_deref()
                .is_some_and(|file| is_same(root, file, &read.file))
        };
        match templates.iter().position(|read| is_it(read)) {
            Some(index) => of_file.get_mut(index).map(|found| found.push(one)),
            None => {
                let of = file.map_or_else(String::new, |file| format!(" of `{file}`"));
                let how = format!("says{of}: {} {}", one.code.as_str(), one.message);
                return Err(PROGRAM.failed(&said, &how));
            }
        };
    }
    for (template, found) in templates.iter_mut().zip(of_file) {
        template
            .findings
            .join(&template.file, &template.bytes, found);
    }
    Ok(())
}

/// Returns the findings of a report, each with the file that it is about.
fn read(report: &[u8]) -> Result<Vec<(Option<String>, Foreign)>, serde_json::Error> {
    let all: Vec<Match> = serde_json::from_slice(report)?;
    let foreign = |one: Match| {
        let (start, end) = (one.location.start, one.location.end);
        let is_one_line = start.line_number == end.line_number;
        let found = Foreign {
            severity: match one.level.as_str() {
                // Notes come only when its own configuration asks for them.
                "Warning" | "Informational" => Severity::Warning,
                _ => Severity::Error,
            },
            message: one.message,
            at: At::Text {
                position: Position {
                    line: start.line_number.max(1),
                    column: start.column_number.max(1),
                },
                length: is_one_line.then(|| end.column_number.saturating_sub(start.column_number)),
            },
            help: match (
                one.rule.short_description.as_str(),
                one.rule.source.as_str(),
            ) {
                (what, "") => what.to_owned(),
                (what, url) => format!("{what}; see {url}"),
            },
            code: Code::Lint(one.rule.id),
        };
        (one.filename, found)
    };
    Ok(all.into_iter().map(foreign).collect())
}

/// Returns a name that means one file to a program that takes names for patterns.
fn literal(name: &str) -> String {
    let mut literal = String::new();
    for c in name.chars() {
        match c {
            '[' | '*' | '?' => literal.extend(['[', c, ']']),
            c => literal.push(c),
        }
    }
    literal
}

/// Returns whether two names, below `root`, are of one file.
fn is_same(root: &Path, one: &str, other: &str) -> bool {
    let resolved = |name: &str| root.join(name).canonicalize().ok();
    one == other || resolved(one).is_some_and(|one| Some(one) == resolved(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cfn-lint 1.51 wrote for a template with one mistake.
    const RECORDED: &str = include_str!("recorded/lint.json");

    #[test]
    fn a_recorded_report_is_read() {
        let found = read(RECORDED.as_bytes()).unwrap();
        let said: Vec<_> = found
            .iter()
            .map(|(file, one)| (file.as_deref(), one.code.as_str(), one.severity))
            .collect();
        let file = Some("templates/app.yaml");
        assert_eq!(
            said,
            [
                (file, "W2001", Severity::Warning),
                (file, "E3012", Severity::Error),
                (file, "E3002", Severity::Error),
                (file, "E1020", Severity::Error),
            ]
        );
        let one = &found[1].1;
        assert_eq!(one.message, "'abc' is not of type 'integer'");
        let position = Position {
            line: 11,
            column: 7,
        };
        let at = At::Text {
            position,
            length: Some(17),
        };
        assert_eq!(one.at, at);
        assert!(
            one.help
                .contains("; see https://github.com/aws-cloudformation/"),
            "{}",
            one.help
        );
    }

    #[test]
    fn strange_reports_do_no_harm() {
        for text in [
            "",
            "null",
            "{}",
            "[{}]",
            "[[]]",
            "Traceback (most recent call last):",
            "\u{0}",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        let odd = r#"[{"Filename": null, "Level": "?", "Message": "m", "Rule": {"Id": "X"},
            "Location": {"Start": {"LineNumber": 0, "ColumnNumber": 9}, "End": {"LineNumber": 0, "ColumnNumber": 1}}}]"#;
        let found = read(odd.as_bytes()).unwrap();
        let position = Position { line: 1, column: 9 };
        assert_eq!(
            found[0].1.at,
            At::Text {
                position,
                length: Some(0)
            }
        );
        assert_eq!(found[0].1.severity, Severity::Error);
    }

    #[test]
    fn names_are_no_patterns() {
        assert_eq!(literal("a/[b]*?.yaml"), "a/[[]b][*][?].yaml");
    }
}
