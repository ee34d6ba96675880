//! `stackgate validate`: what CloudFormation would refuse, and what was probably not meant, without asking it.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use self::nested::Nested;
use super::options::{Connection, Global, OutputForm};
use super::project::{self, Project};
use super::settings::Settings;
use super::{CliError, exit, output};
use crate::model::{AccountId, Region, clean};
use crate::report::DOCUMENT_VERSION;
use crate::template::{self, Diagnostic, Findings, Given, Known, Severity, Span};

mod guard;
mod lint;
mod local;
mod nested;
mod online;
mod program;
#[cfg(test)]
mod tests;

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// Files, or names of stacks whose templates are in `templates/`; without any, all templates there
    #[arg(value_name = "TEMPLATE")]
    templates: Vec<String>,
    /// Also find what cannot be worked out in this account and region, with the override files for it
    #[arg(long, value_name = "ACCOUNT/REGION", value_parser = place)]
    at: Option<(AccountId, Region)>,
    /// Fail on warnings, too
    #[arg(long)]
    strict: bool,
    /// Also ask CloudFormation, in the caller's account and region or in those of `--at`
    #[arg(long)]
    online: bool,
    /// Also run `cfn-lint`, which must be installed; `--lint=false` where `stackgate.yaml` says so
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    lint: Option<bool>,
    /// Also run `cfn-guard`, which must be installed, with this file or folder of rules; again for more
    #[arg(long, value_name = "RULES")]
    guard: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

/// A template that was read.
struct Read {
    file: String,
    /// The same without links, by which it is known.
    full: PathBuf,
    bytes: Vec<u8>,
    findings: Findings,
    /// The templates that it nests.
    nested: Vec<Nested>,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    document: &'static str,
    version: u32,
    valid: bool,
    templates: Vec<Validated<'a>>,
}

#[derive(Debug, Serialize)]
struct Validated<'a> {
    file: &'a str,
    errors: usize,
    warnings: usize,
    /// How many diagnostics are not listed.
    left_out: usize,
    resources: usize,
    /// Loops that make resources of values which the template does not say.
    loops: usize,
    parameters: usize,
    capabilities: Vec<&'a str>,
    diagnostics: Vec<Shown<'a>>,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    code: &'a str,
    /// Who found it, where it was not this program.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'static str>,
    severity: &'static str,
    message: &'a str,
    line: u32,
    column: u32,
    length: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<Related<'a>>,
}

#[derive(Debug, Serialize)]
struct Related<'a> {
    message: &'a str,
    line: u32,
    column: u32,
    length: u32,
}

/// Runs `stackgate validate`. It needs no state folder, and credentials only where CloudFormation is asked.
pub(super) fn validate(global: &Global, args: &ValidateArgs) -> Result<u8, CliError> {
    let root = std::env::current_dir().map_err(CliError::failed)?;
    let files = if args.templates.is_empty() {
        project::templates(&root)?
    } else {
        let named = args.templates.iter().map(|name| named(&root, name));
        named.collect::<Result<_, _>>()?
    };
    let mut validated = read(&root, files, args.templates.is_empty(), args.at.as_ref())?;
    ask_others(&root, args, &mut validated)?;
    let validated: Vec<(String, Findings)> = validated
        .into_iter()
        .map(|read| (read.file, read.findings))
        .collect();
    let count = |severity| -> usize {
        let counts = validated
            .iter()
            .map(|(_, findings)| findings.count(severity));
        counts.sum()
    };
    let is_valid = count(Severity::Error) == 0 && (!args.strict || count(Severity::Warning) == 0);
    match global.output {
        form @ (OutputForm::Text | OutputForm::Markdown | OutputForm::Html) => {
            output::text(form, "validate", &drawn(&validated))?;
        }
        OutputForm::Json | OutputForm::Ndjson => {
            let document = Document {
                document: "validate",
                version: DOCUMENT_VERSION,
                valid: is_valid,
                templates: validated.iter().map(|(file, f)| of(file, f)).collect(),
            };
            if global.output == OutputForm::Ndjson {
                output::line(&document)?;
            } else {
                output::document(&document)?;
            }
        }
    }
    Ok(if is_valid { exit::DONE } else { exit::FAILED })
}

/// Reads templates and those that they nest, and looks at each. `is_all`: whether nobody named them, so that one that cannot
/// be read is told like other mistakes.
fn read(
    root: &Path,
    files: Vec<String>,
    is_all: bool,
    at: Option<&(AccountId, Region)>,
) -> Result<Vec<Read>, CliError> {
    let full = |file: &str| {
        let full = root.join(file);
        full.canonicalize().unwrap_or(full)
    };
    let mut known: BTreeSet<PathBuf> = files.iter().map(|file| full(file)).collect();
    let named = files.len();
    let mut pending: VecDeque<String> = files.into();
    let mut validated = Vec::new();
    while let Some(file) = pending.pop_front() {
        let is_named = validated.len() < named;
        let full = full(&file);
        let bytes = match std::fs::read(&full) {
            Ok(bytes) => bytes,
            // Whoever names no file wants to hear of all of them.
            Err(error) if is_all || !is_named => {
                validated.push(Read {
                    file,
                    full,
                    bytes: Vec::new(),
                    findings: Findings::unread(&error.to_string()),
                    nested: Vec::new(),
                });
                continue;
            }
            Err(error) => return Err(CliError::unread("template", &file, error)),
        };
        let mut findings = template::validate(&file, &bytes);
        local::join(root, &file, &bytes, &mut findings);
        if findings.count(Severity::Error) == 0
            && let Ok(template) = template::Template::parse(&file, &bytes)
        {
            let mut known = Known::default();
            // What is nested gets its values from the template around it.
            if let Some((account, region)) = at.filter(|_| is_named) {
                let project = Project::open(None, Some(Path::new(&file)), None)?;
                let values = project.values(account, region)?;
                findings.add(template.given(&values));
                let literal = |(name, (_, text)): (String, Given)| Some((name, text?));
                known = Known {
                    parameters: values.into_iter().filter_map(literal).collect(),
                    account: Some(account.to_string()),
                    region: Some(region.to_string()),
                    ..known
                };
            }
            findings.add(template.unresolved(&known));
        }
        let nested = nested::of(root, &file, &bytes);
        for one in &nested {
            if known.insert(one.full.clone()) {
                pending.push_back(one.file.clone());
            }
        }
        validated.push(Read {
            file,
            full,
            bytes,
            findings,
            nested,
        });
    }
    nested::join(&mut validated);
    Ok(validated)
}

/// Adds what the service and other programs find. A template that is no text, or could not be read, is left to our own findings.
fn ask_others(root: &Path, args: &ValidateArgs, templates: &mut [Read]) -> Result<(), CliError> {
    let settings = Settings::load(root)?.unwrap_or_default();
    let chosen = settings.validation();
    let mut texts: Vec<&mut Read> = templates
        .iter_mut()
        .filter(|read| !read.bytes.is_empty() && std::str::from_utf8(&read.bytes).is_ok())
        .collect();
    if args.lint.unwrap_or(chosen.lint) {
        lint::lint(root, &mut texts)?;
    }
    let rules = if args.guard.is_empty() {
        &chosen.guard
    } else {
        &args.guard
    };
    if !rules.is_empty() {
        guard::guard(root, rules, &mut texts)?;
    }
    if args.online {
        online::ask(&settings, args, &mut texts)?;
    }
    Ok(())
}

/// Takes an account and a region, as they are shown.
pub(super) fn place(text: &str) -> Result<(AccountId, Region), String> {
    let expected =
        || "expected an account and a region such as `111111111111/eu-west-1`".to_owned();
    let (account, region) = text.split_once('/').ok_or_else(expected)?;
    let account = AccountId::new(account).map_err(|error| error.to_string())?;
    let region = Region::new(region).map_err(|error| error.to_string())?;
    Ok((account, region))
}

/// Returns the path of a template that was named by its file or its stack.
pub(super) fn named(root: &Path, name: &str) -> Result<String, CliError> {
    let is_path = name.contains('/')
        || project::EXTENSIONS
            .iter()
            .any(|e| name.ends_with(&format!(".{e}")));
    if is_path || root.join(name).is_file() {
        Ok(name.to_owned())
    } else {
        project::find(root, name, "name a file, such as `templates/NAME.yaml`")
    }
}

fn of<'a>(file: &'a str, findings: &'a Findings) -> Validated<'a> {
    let shown = |one: &'a Diagnostic| Shown {
        code: one.code.as_str(),
        by: one.code.by(),
        severity: word(one.severity),
        message: &one.message,
        line: one.span.position.line,
        column: one.span.position.column,
        length: one.span.length,
        help: one.help.as_deref(),
        related: one
            .related
            .iter()
            .map(|(span, message)| Related {
                message,
                line: span.position.line,
                column: span.position.column,
                length: span.length,
            })
            .collect(),
    };
    Validated {
        file,
        errors: findings.count(Severity::Error),
        warnings: findings.count(Severity::Warning),
        left_out: findings.left_out,
        resources: findings.resources,
        loops: findings.loops,
        parameters: findings.parameters,
        capabilities: findings.capabilities.iter().map(String::as_str).collect(),
        diagnostics: findings.diagnostics.iter().map(shown).collect(),
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// Returns all findings, then a line for each template.
fn drawn(validated: &[(String, Findings)]) -> String {
    let mut out = String::new();
    for (file, findings) in validated {
        for one in &findings.diagnostics {
            draw(&mut out, file, one);
            out.push('\n');
        }
    }
    let width = validated
        .iter()
        .map(|(file, _)| clean(file).chars().count())
        .max();
    for (file, findings) in validated {
        let counts = [
            (findings.count(Severity::Error), "error"),
            (findings.count(Severity::Warning), "warning"),
        ];
        let mut said: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| counted(*count, what))
            .collect();
        if findings.left_out > 0 {
            said.push(format!("{} more not shown", findings.left_out));
        }
        if findings.count(Severity::Error) == 0 {
            if findings.resources > 0 || findings.loops == 0 {
                said.push(counted(findings.resources, "resource"));
            }
            if findings.loops > 0 {
                said.push(format!("{} of resources", counted(findings.loops, "loop")));
            }
            said.push(counted(findings.parameters, "parameter"));
            if !findings.capabilities.is_empty() {
                let list: Vec<&str> = findings.capabilities.iter().map(String::as_str).collect();
                said.push(format!("deploy with `--capabilities {}`", list.join(",")));
            }
        }
        let mark = if findings.count(Severity::Error) > 0 {
            "\x1b[1;31m✗\x1b[0m"
        } else {
            "\x1b[32m✓\x1b[0m"
        };
        // Writing to a text cannot fail.
        let _ = writeln!(
            out,
            "{mark} {:<width$}   {}",
            clean(file),
            said.join(", "),
            width = width.unwrap_or_default()
        );
    }
    out
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// Draws one finding as compilers do: what, where, the line, what to do.
fn draw(out: &mut String, file: &str, one: &Diagnostic) {
    let (colour, word) = match one.severity {
        Severity::Error => ("\x1b[1;31m", word(one.severity)),
        Severity::Warning => ("\x1b[1;33m", word(one.severity)),
    };
    let spans = one.related.iter().map(|(span, _)| span);
    let last = spans
        .chain([&one.span])
        .map(|span| span.position.line)
        .max();
    let gutter = last.unwrap_or_default().to_string().len();
    let at = one.span.position;
    let _ = writeln!(
        out,
        "{colour}{word}[{}]\x1b[0m: \x1b[1m{}\x1b[0m\n{:gutter$}--> {}:{}:{}\n{:gutter$} |",
        clean(one.code.as_str()),
        one.message,
        "",
        clean(file),
        at.line,
        at.column,
        ""
    );
    excerpt(out, gutter, &one.span, '^', colour, "");
    for (span, text) in &one.related {
        excerpt(out, gutter, span, '-', "\x1b[1;34m", text);
    }
    if let Some(help) = &one.help {
        let _ = writeln!(out, "{:gutter$} = help: {help}", "");
    }
}

/// The longest part of a line that is drawn; more of it is left away on both sides.
const WIDTH: usize = 100;

/// Draws the line of a span with a mark below it.
fn excerpt(out: &mut String, gutter: usize, span: &Span, mark: char, colour: &str, text: &str) {
    let column = usize::try_from(span.position.column.saturating_sub(1)).unwrap_or_default();
    let start = if column < WIDTH - 20 { 0 } else { column - 20 };
    let line: String = span.line.chars().skip(start).take(WIDTH).collect();
    let before = column - start;
    let room = line.chars().count().saturating_sub(before).max(1);
    let length = usize::try_from(span.length).unwrap_or(1).clamp(1, room);
    let marks: String = std::iter::repeat_n(mark, length).collect();
    let text = if text.is_empty() {
        String::new()
    } else {
        format!(" {text}")
    };
    let _ = writeln!(
        out,
        "{:>gutter$} | {}\n{:gutter$} | {:before$}{colour}{marks}{text}\x1b[0m",
        span.position.line,
        line.trim_end(),
        "",
        ""
    );
}
