//! What `cfn-guard` finds with the rules of an organisation.
//!
//! It is run as a program: as a library it would bring a second YAML reader and some thirty crates into the tree, for a
//! feature that needs rule files nobody has without the program.

use std::path::Path;

use serde_json::Value;

use super::super::CliError;
use super::Read;
use super::program::Program;
use crate::template::{At, Code, Foreign, Severity, Template};

const PROGRAM: Program = Program {
    name: "cfn-guard",
    flag: "--guard",
    install: "https://docs.aws.amazon.com/cfn-guard/latest/ug/setting-up.html says how to install it; or leave `--guard` out",
};

/// It says so when rules are not met, and nothing else is wrong.
const NOT_MET: i32 = 19;

/// Runs it for each template that can be read, and joins what it finds.
pub(super) fn guard(
    root: &Path,
    rules: &[String],
    templates: &mut [&mut Read],
) -> Result<(), CliError> {
    if let Some(missing) = rules.iter().find(|rules| !root.join(rules).exists()) {
        let what = format!("there are no rules `{missing}` for `--guard`");
        return Err(CliError::message(what)
            .hint("name a file or a folder; paths count from the folder that stackgate runs in"));
    }
    for template in templates {
        // It would only say once more that this is no template.
        if Template::parse(&template.file, &template.bytes).is_err() {
            continue;
        }
        let data = format!("--data={}", template.file);
        let rules: Vec<String> = rules
            .iter()
            .map(|rules| format!("--rules={rules}"))
            .collect();
        let mut arguments = vec!["validate", data.as_str()];
        arguments.extend(rules.iter().map(String::as_str));
        arguments.extend([
            "--output-format",
            "json",
            "--structured",
            "--show-summary",
            "none",
        ]);
        let said = PROGRAM.run(root, &arguments)?;
        if !matches!(said.code, Some(0 | NOT_MET)) {
            let how = format!("failed on `{}`", template.file);
            return Err(PROGRAM.failed(&said, &how));
        }
        let unread = |why: &str| {
            let how = format!(
                "wrote no report of `{}` that can be read ({why})",
                template.file
            );
            PROGRAM.failed(&said, &how)
        };
        let report = serde_json::from_slice(&said.stdout).map_err(|e| unread(&e.to_string()))?;
        let found = read(&report).map_err(unread)?;
        if found.is_empty() != (said.code == Some(0)) {
            return Err(unread("what it lists does not agree with its exit code"));
        }
        template
            .findings
            .join(&template.file, &template.bytes, found);
    }
    Ok(())
}

/// Returns the clauses that are not met.
fn read(report: &Value) -> Result<Vec<Foreign>, &'static str> {
    let files = report.as_array().ok_or("it is no list")?;
    let mut found = Vec::new();
    for file in files {
        let rules = file.get("not_compliant").and_then(Value::as_array);
        for rule in rules.ok_or("`not_compliant` is missing")? {
            let rule = rule.get("Rule").ok_or("a rule is missing")?;
            let name = rule.get("name").and_then(Value::as_str);
            let name = name.ok_or("a rule has no name")?;
            let before = found.len();
            clauses(name, rule, &mut found);
            if found.len() == before {
                found.push(foreign(name, None, "", ""));
            }
        }
    }
    Ok(found)
}

/// Adds the clauses below one that contains others. The JSON reader refuses what is nested too deeply.
fn clauses(rule: &str, parent: &Value, found: &mut Vec<Foreign>) {
    let checks = parent.get("checks").and_then(Value::as_array);
    for check in checks.into_iter().flatten() {
        let of = |kind: &str| check.get(kind);
        if let Some(inner) = of("Rule").or_else(|| of("Disjunctions")) {
            clauses(rule, inner, found);
            continue;
        }
        let clause = of("Clause").and_then(|clause| clause.get("Unary").or(clause.get("Binary")));
        let Some(clause) = clause.or_else(|| of("Block")) else {
            continue;
        };
        let text = |pointer: &str| clause.pointer(pointer).and_then(Value::as_str);
        // Where it is not what was expected, or as far as it could be followed.
        let path = [
            "/check/Resolved/value/path",
            "/check/Resolved/from/path",
            "/check/InResolved/from/path",
            "/check/UnResolved/value/traversed_to/path",
            "/unresolved/traversed_to/path",
        ];
        let path = path.into_iter().find_map(text);
        let custom = text("/messages/custom_message").unwrap_or_default();
        found.push(foreign(
            rule,
            path,
            custom,
            text("/context").unwrap_or_default(),
        ));
    }
}

/// Returns a finding. The program's own words for it repeat parts of the template, secrets with it, so they are left out.
fn foreign(rule: &str, path: Option<&str>, message: &str, clause: &str) -> Foreign {
    let (message, clause) = (message.trim(), clause.trim());
    let (message, help) = match (message, clause) {
        ("", "") => (
            "the rule is not met".to_owned(),
            "change the template, or the rule".to_owned(),
        ),
        ("", clause) => (
            format!("not met: `{clause}`"),
            "change the template, or the rule".to_owned(),
        ),
        (message, "") => (
            message.to_owned(),
            "change the template, or the rule".to_owned(),
        ),
        (message, clause) => (message.to_owned(), format!("the rule asks for `{clause}`")),
    };
    let steps = path.unwrap_or_default().split('/').skip(1);
    Foreign {
        code: Code::Guard(rule.to_owned()),
        severity: Severity::Error,
        message,
        at: At::Path(steps.map(str::to_owned).collect()),
        help,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report in the form that cfn-guard 3 writes.
    const RECORDED: &str = include_str!("recorded/guard.json");

    #[test]
    fn a_report_is_read() {
        let found = read(&serde_json::from_str(RECORDED).unwrap()).unwrap();
        let said: Vec<_> = found
            .iter()
            .map(|one| {
                let At::Path(path) = &one.at else {
                    panic!("no path: {one:?}");
                };
                (one.code.as_str(), path.join("/"), one.message.as_str())
            })
            .collect();
        let named = |path: &str| path.to_owned();
        assert_eq!(
            said,
            [
                (
                    "QUEUE_ENCRYPTED",
                    named("Resources/Queue/Properties"),
                    "Queues are encrypted: set KmsMasterKeyId"
                ),
                (
                    "QUEUE_ENCRYPTED",
                    named("Resources/Queue/Properties/VisibilityTimeout"),
                    "not met: `%queues[*].Properties.VisibilityTimeout GREATER THAN EQUALS  30`"
                ),
                (
                    "QUEUE_NAMED",
                    named("Resources/Queue/Properties/QueueName"),
                    "not met: `%queues[*].Properties.QueueName IN  [\"a\",\"b\"]`"
                ),
                (
                    "QUEUE_NAMED",
                    named("Resources/Queue"),
                    "not met: `%queues[*].Tags EXISTS`"
                ),
                ("ALL/default", String::new(), "the rule is not met"),
            ]
        );
        assert!(
            !format!("{found:?}").contains("of the template"),
            "its words are shown"
        );
    }

    #[test]
    fn strange_reports_do_no_harm() {
        for text in [
            "{}",
            "[{}]",
            r#"[{"not_compliant": [{}]}]"#,
            r#"[{"not_compliant": [{"Rule": {}}]}]"#,
        ] {
            assert!(
                read(&serde_json::from_str(text).unwrap()).is_err(),
                "{text}"
            );
        }
        let deep = format!(
            r#"[{{"not_compliant": [{{"Rule": {{"name": "R", "checks": {}"#,
            r#"[{"Rule": {"checks": "#.repeat(10_000)
        );
        assert!(serde_json::from_str::<Value>(&deep).is_err());
        let odd = r#"[{"not_compliant": [{"Rule": {"name": "R", "checks": [1, null, {"Clause": {}}, {"Rule": 3}]}}]}]"#;
        assert_eq!(read(&serde_json::from_str(odd).unwrap()).unwrap().len(), 1);
    }
}
