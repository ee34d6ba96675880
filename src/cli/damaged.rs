//! The readers of `stackgate.yaml` and of a targets file stand what people do to a file. `tests/fuzz` does worse to those
//! of templates and override files, with which the first one shares the lower half.

use std::path::Path;

use super::settings::Settings;
use super::targets;

const PAGE: &str = include_str!("../../docs/stackgate-yaml.md");

const TARGETS: &str = "- account: \"111111111111\"\n  regions: [eu-west-1, us-east-1]\n- account: 222222222222\n  regions:\n    - eu-west-1\n";

/// What may stand where something else should.
const INSTEAD: [&str; 16] = [
    "",
    "~",
    "[]",
    "{}",
    "[a, [b]]",
    "{a: {b: c}}",
    "\"\\e[31m\"",
    "'",
    "*a",
    "&a [*a]",
    "!!binary x",
    "0755",
    "1e999",
    "|\n",
    "\u{feff}",
    "\u{85}\t- x",
];

/// Returns a text with each line left out, doubled, moved, cut off, and with other values.
fn damaged(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut all = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let with = |instead: &str| {
            let (before, after) = (lines[..at].join("\n"), lines[at + 1..].join("\n"));
            format!("{before}\n{instead}\n{after}\n")
        };
        all.extend([
            with(""),
            with(&format!("{line}\n{line}")),
            with(&format!("  {line}")),
        ]);
        all.extend([with(line.trim_start()), lines[..at].join("\r\n")]);
        let key = line.split_once(": ").map_or("  - ", |(key, _)| key);
        all.extend(INSTEAD.map(|value| with(&format!("{key}: {value}"))));
    }
    all
}

#[test]
fn damaged_settings_and_targets_are_refused_or_read() {
    let (_, rest) = PAGE.split_once("```yaml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let (mut read, mut refused) = (0, 0);
    for text in damaged(example) {
        match Settings::parse(text.as_bytes()) {
            Ok(settings) => {
                read += 1;
                let _ = settings.choose(Some("production"), Some("pilot"));
            }
            Err(error) => {
                refused += 1;
                let said = error.to_string();
                assert!(!said.chars().any(char::is_control), "{said:?} of\n{text}");
            }
        }
    }
    for text in damaged(TARGETS) {
        match targets::parse(Path::new("t.yaml"), &text) {
            Ok(_) => read += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(
        read > 50 && refused > 500,
        "{read} are read and {refused} refused"
    );
    // What is small to write and large to read.
    let mut laughs = "- &a0 {account: x, regions: [y]}\n".to_owned();
    for number in 1..40 {
        let last = number - 1;
        laughs.push_str(&format!("- &a{number} [*a{last}, *a{last}, *a{last}]\n"));
    }
    for text in [laughs, "[".repeat(100_000), "- ".repeat(100_000)] {
        assert!(Settings::parse(text.as_bytes()).is_err());
        assert!(targets::parse(Path::new("t.yaml"), &text).is_err());
    }
}
