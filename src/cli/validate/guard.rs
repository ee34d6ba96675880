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
        // Beside rules that are not met it does not even end otherwise, and leaves the whole file out.
        if said.complains_of("Parsing error handling rule file") {
            return Err(PROGRAM.failed(&said, "cannot read all of the rules"));
        }
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
        let Report { found, rules } = read(&report).map_err(unread)?;
        if found.is_empty() != (said.code == Some(0)) {
            return Err(unread("what it lists does not agree with its exit code"));
        }
        if rules == 0 {
            // A template that nobody looked at would pass.
            let what = format!("`cfn-guard` found no rules for `{}`", template.file);
            return Err(CliError::failed(anyhow::Error::msg(what))
                .hint("name files of rules, or folders with files that end with `.guard`"));
        }
        template
            .findings
            .join(&template.file, &template.bytes, found);
    }
    Ok(())
}

/// What a report says.
#[derive(Debug)]
struct Report {
    /// The clauses that are not met.
    found: Vec<Foreign>,
    /// How many rules there are, met or not, those that do not apply with them.
    rules: usize,
}

/// Reads a report.
fn read(report: &Value) -> Result<Report, &'static str> {
    let files = report.as_array().ok_or("it is no list")?;
    let (mut found, mut count) = (Vec::new(), 0);
    for file in files {
        let list = |key: &str| file.get(key).and_then(Value::as_array);
        for others in [list("compliant"), list("not_applicable")] {
            count += others.map_or(0, Vec::len);
        }
        let rules = list("not_compliant").ok_or("`not_compliant` is missing")?;
        count += rules.len();
        for rule in rules {
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
    Ok(Report {
        found,
        rules: count,
    })
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
        let context = text("/context").unwrap_or_default();
        // What it shows of these two is a place in the rules, and no clause.
        let clause = match (text("/unresolved/remaining_query"), of("Block")) {
            (Some(query), Some(_)) => format!("{query} EXISTS"),
            (None, Some(_)) => String::new(),
            (_, None) if context.starts_with("Rule(") => {
                format!("rule {}", text("/check/UnResolvedContext").unwrap_or("?"))
            }
            (_, None) => context.to_owned(),
        };
        found.push(foreign(rule, path, custom, &clause));
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

    /// What cfn-guard 3.2.1 wrote for the template of `tests/it/validate_others.rs` and the rules beside the report, but
    /// for the name of the folder.
    const RECORDED: &str = include_str!("recorded/guard.json");

    #[test]
    fn a_recorded_report_is_read() {
        let report = read(&serde_json::from_str(RECORDED).unwrap()).unwrap();
        let said: Vec<_> = report
            .found
            .iter()
            .map(|one| {
                let At::Path(path) = &one.at else {
                    panic!("no path: {one:?}");
                };
                let (code, path) = (one.code.as_str(), path.join("/"));
                format!("{code} | {path} | {} | {}", one.message, one.help)
            })
            .collect();
        insta::assert_snapshot!("guard_report", said.join("\n"));
        assert_eq!(report.rules, 9);
        // Its own words repeat the template.
        assert!(RECORDED.contains("abc") && !format!("{report:?}").contains("abc"));
    }

    #[test]
    fn rules_that_nobody_looked_at_are_no_rules() {
        let report = r#"[{"name": "/t.yaml", "metadata": {}, "status": "SKIP", "not_compliant": [], "not_applicable": [], "compliant": []}]"#;
        let report = read(&serde_json::from_str(report).unwrap()).unwrap();
        assert_eq!((report.rules, report.found.len()), (0, 0));
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
        assert_eq!(
            read(&serde_json::from_str(odd).unwrap())
                .unwrap()
                .found
                .len(),
            1
        );
    }
}
