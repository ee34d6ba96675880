//! The rooms of the source and who may import whom.
//!
//! Four tiers; a tier imports downward only. An arrow that the table lacks fails here with its file and line: move the
//! code to the room it belongs to, or add the arrow with a reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every room, and the rooms it may import. Some are still to come.
const ROOMS: &[(&str, &[&str])] = &[
    // Pure: they decide. No async, clock, randomness or I/O.
    ("model", &[]),
    ("template", &["model"]),
    ("parameters", &["template", "model"]),
    ("diff", &["template", "parameters", "model"]),
    ("plan", &["diff", "model"]),
    ("rollout", &["model"]),
    ("approval", &["plan", "model"]),
    (
        "pipeline",
        &["rollout", "approval", "plan", "parameters", "model"],
    ),
    // Ports: they answer.
    ("aws", &["model"]),
    ("journal", &["model"]),
    ("artifact", &["model"]),
    // Engine: it acts.
    (
        "action",
        &[
            "aws",
            "artifact",
            "template",
            "parameters",
            "diff",
            "plan",
            "model",
        ],
    ),
    (
        "runtime",
        &["action", "pipeline", "rollout", "journal", "model"],
    ),
    ("simulator", &["pipeline", "rollout", "model"]),
    // Faces: they show and ask. The command line puts everything together and is imported by nothing.
    ("report", &["plan", "diff", "model"]),
    (
        "server",
        &[
            "runtime", "report", "approval", "pipeline", "artifact", "aws", "journal", "model",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "template",
            "parameters",
            "diff",
            "plan",
            "rollout",
            "approval",
            "pipeline",
            "aws",
            "journal",
            "artifact",
            "action",
            "runtime",
            "simulator",
            "report",
            "server",
        ],
    ),
];

/// The rooms that decide purely.
const PURE: &[&str] = &[
    "model",
    "template",
    "parameters",
    "diff",
    "plan",
    "rollout",
    "approval",
    "pipeline",
];

/// What a pure room does not use, outside of its tests. A path is banned with all below it.
const IMPURE: &[(&str, &str)] = &[
    ("tokio", "wait in runtime or aws"),
    ("tokio_util", "wait in runtime or aws"),
    ("futures_util", "wait in runtime or aws"),
    ("std::fs", "take bytes as an argument"),
    ("std::env", "take the value as an argument"),
    ("std::net", "ask through aws"),
    ("std::process", "answer with a value"),
    ("std::thread", "decide synchronously"),
    ("std::io::stdin", "take the value as an argument"),
    ("std::io::stdout", "answer with a value"),
    ("std::io::stderr", "answer with a value"),
    ("io::stdin", "take the value as an argument"),
    ("io::stdout", "answer with a value"),
    ("io::stderr", "answer with a value"),
    ("std::time::Instant", "take the time as an argument"),
    ("std::time::SystemTime", "take the time as an argument"),
    ("std::time::*", "name `std::time::Duration` only"),
    ("std::*", "name what is used"),
    ("jiff::Timestamp::now", "take the time as an argument"),
    ("jiff::Zoned::now", "take the time as an argument"),
    ("Timestamp::now", "take the time as an argument"),
    ("Zoned::now", "take the time as an argument"),
    ("fastrand", "take the number as an argument"),
    ("rand", "take the number as an argument"),
    ("uuid::Uuid::now_v7", "take the id as an argument"),
    ("uuid::Uuid::new_v4", "take the id as an argument"),
    ("Uuid::now_v7", "take the id as an argument"),
    ("Uuid::new_v4", "take the id as an argument"),
    ("tempfile", "store through artifact or journal"),
    ("rusqlite", "store through journal"),
    ("indicatif", "show in report"),
    ("dialoguer", "ask in cli"),
];

/// The rooms that may print.
const FACES: &[&str] = &["cli", "report"];

const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

#[test]
fn the_source_keeps_to_its_rooms() {
    let mut sources = Vec::new();
    read(Path::new(env!("CARGO_MANIFEST_DIR")), "src", &mut sources);
    assert!(sources.len() > 50, "found {} files only", sources.len());
    let violations = check(&sources);
    assert!(
        violations.is_empty(),
        "{} violations of the architecture:\n{}",
        violations.len(),
        violations.join("\n")
    );
}

/// Reads all Rust files below `folder` of `root`, as path and text.
fn read(root: &Path, folder: &str, sources: &mut Vec<(String, String)>) {
    let mut names: Vec<String> = fs::read_dir(root.join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in names {
        let path = format!("{folder}/{name}");
        if root.join(&path).is_dir() {
            read(root, &path, sources);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(root.join(&path)).unwrap();
            sources.push((path, text));
        }
    }
}

/// Returns what is wrong with the sources, each with file, line and what to do.
fn check(sources: &[(String, String)]) -> Vec<String> {
    let files: Vec<File> = sources.iter().map(|(p, t)| File::parse(p, t)).collect();
    let test_modules: BTreeSet<&str> = files.iter().flat_map(File::test_modules).collect();
    let mut violations = Vec::new();
    for file in &files {
        let in_tests = test_modules
            .iter()
            .any(|module| file.path == *module || file.path.starts_with(&folder_of(module)));
        match file.modules.first() {
            Some(room) => file.check_room(room, in_tests, &mut violations),
            None => file.check_root(&mut violations),
        }
    }
    violations
}

/// Returns the folder with the modules below the module in the file `path`.
fn folder_of(path: &str) -> String {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    format!("{}/", path.strip_suffix("/mod").unwrap_or(path))
}

struct File {
    path: String,
    /// The module path of the file: the room comes first, nothing for the root.
    modules: Vec<String>,
    tokens: Vec<Token>,
    /// Files that are compiled for tests only, as this file declares.
    test_files: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Token {
    text: String,
    line: usize,
    /// Whether it is compiled for tests only.
    test: bool,
}

/// A path as it is written, after groups were taken apart.
struct Named {
    segments: Vec<String>,
    line: usize,
    test: bool,
    /// The inline modules around it.
    inline: usize,
}

impl File {
    fn parse(path: &str, text: &str) -> File {
        let inner = path.strip_prefix("src/").unwrap_or(path);
        let mut modules: Vec<String> = (inner.strip_suffix(".rs").unwrap_or(inner))
            .split('/')
            .map(str::to_owned)
            .collect();
        let name = modules.pop().unwrap();
        if !matches!(name.as_str(), "mod" | "lib" | "main") {
            modules.push(name);
        }
        let mut file = File {
            path: path.to_owned(),
            modules,
            tokens: lex(text),
            test_files: Vec::new(),
        };
        file.mark_tests();
        file
    }

    fn test_modules(&self) -> impl Iterator<Item = &str> {
        self.test_files.iter().map(String::as_str)
    }

    fn is(&self, at: usize, texts: &[&str]) -> bool {
        let tokens = self.tokens.get(at..at + texts.len());
        tokens.is_some_and(|tokens| tokens.iter().zip(texts).all(|(t, text)| t.text == *text))
    }

    /// Marks what follows a `#[cfg(test)]`, up to the end of the item.
    fn mark_tests(&mut self) {
        let mut at = 0;
        while at < self.tokens.len() {
            let start = at;
            if !self.is(at, &["#", "[", "cfg", "(", "test", ")", "]"]) {
                at += 1;
                continue;
            }
            at += 7;
            if let Some(module) = (at..at + 4).find(|at| self.is(*at, &["mod"]))
                && self.is(module + 2, &[";"])
            {
                let folder = folder_of(&self.path);
                let name = &self.tokens[module + 1].text;
                self.test_files.push(format!("{folder}{name}.rs"));
                self.test_files.push(format!("{folder}{name}/mod.rs"));
            }
            let mut depth = 0;
            while let Some(token) = self.tokens.get(at) {
                at += 1;
                match token.text.as_str() {
                    "{" | "(" | "[" => depth += 1,
                    "}" if depth == 1 => break,
                    "}" | ")" | "]" => depth -= 1,
                    ";" if depth == 0 => break,
                    _ => {}
                }
            }
            for token in &mut self.tokens[start..at] {
                token.test = true;
            }
        }
    }

    /// Returns every path that the file names, groups taken apart.
    fn names(&self) -> Vec<Named> {
        let mut names = Vec::new();
        let mut depth = 0;
        let mut inline: Vec<usize> = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            match token.text.as_str() {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    inline.retain(|opened| *opened <= depth);
                }
                "mod" if self.is(at + 2, &["{"]) => inline.push(depth + 1),
                _ => {}
            }
            // A path begins at a name that does not go on with another.
            let goes_on = at > 0 && self.is(at - 1, &["::"]) && {
                at > 1
                    && (is_name(&self.tokens[at - 2].text) || self.is(at - 2, &[">"]))
                    && !self.is(at - 2, &["use"])
            };
            if is_name(&token.text) && !goes_on {
                let mut found = Vec::new();
                self.path_at(at, &mut Vec::new(), &mut found);
                names.extend(found.into_iter().map(|(segments, at)| Named {
                    segments,
                    line: self.tokens[at].line,
                    test: self.tokens[at].test,
                    inline: inline.len(),
                }));
            }
        }
        names
    }

    /// Collects the paths that begin with `prefix` and go on at `at`; returns where they end.
    fn path_at(
        &self,
        at: usize,
        prefix: &mut Vec<String>,
        found: &mut Vec<(Vec<String>, usize)>,
    ) -> usize {
        let length = prefix.len();
        let mut next = at;
        while let Some(token) = self.tokens.get(next) {
            if token.text == "{" && next > 0 && self.is(next - 1, &["::"]) {
                next += 1;
                while next < self.tokens.len() && !self.is(next, &["}"]) {
                    let end = self.path_at(next, prefix, found);
                    // Skips commas and `as NAME`.
                    next = end.max(next + 1);
                    while next < self.tokens.len()
                        && !self.is(next, &[","])
                        && !self.is(next, &["}"])
                    {
                        next += 1;
                    }
                    next += usize::from(self.is(next, &[","]));
                }
                prefix.truncate(length);
                return next + 1;
            }
            if !is_name(&token.text) && token.text != "*" {
                break;
            }
            next += 1;
            match token.text.as_str() {
                // Under another name, the whole crate leads everywhere.
                "self" if *prefix == ["crate"] => prefix.push("*".to_owned()),
                // `a::{self}` names `a`.
                "self" if !prefix.is_empty() => {}
                "crate" if self.is(next, &["as"]) => {
                    prefix.extend(["crate".to_owned(), "*".to_owned()]);
                }
                name => prefix.push(name.to_owned()),
            }
            if !self.is(next, &["::"]) {
                break;
            }
            next += 1;
        }
        if next > at {
            found.push((prefix.clone(), at));
        }
        prefix.truncate(length);
        next
    }

    fn check_room(&self, room: &str, in_tests: bool, violations: &mut Vec<String>) {
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            violations.push(format!(
                "{}:1: `{room}` is no room of the table; add it there with its arrows",
                self.path
            ));
            return;
        };
        let pure = PURE.contains(&room);
        let mut say = |line: usize, what: String| {
            violations.push(format!("{}:{line}: {what}", self.path));
        };
        for name in self.names() {
            if let Some(other) = self.room_of(&name)
                && other != room
                && !allowed.contains(&other.as_str())
            {
                let may = match allowed {
                    [] => "nothing".to_owned(),
                    allowed => allowed.join(", "),
                };
                say(
                    name.line,
                    format!("{room} → {other} is no arrow of the table; {room} may import {may}"),
                );
            }
            let first = name.segments[0].as_str();
            if room != "aws" && (first.starts_with("aws_sdk_") || first == "aws_config") {
                say(
                    name.line,
                    format!("{room} uses `{first}`; only aws talks to AWS"),
                );
            }
            if pure && !name.test && !in_tests {
                let mut path = name.segments.join("::");
                if matches!(path.as_str(), "std" | "std::time") {
                    // Imported as a whole, it leads to all below it.
                    path.push_str("::*");
                }
                if let Some((_, instead)) = IMPURE.iter().find(|(banned, _)| {
                    path.strip_prefix(banned)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
                }) {
                    say(
                        name.line,
                        format!("{room} is pure and uses `{path}`; {instead}"),
                    );
                }
            }
        }
        for (at, token) in self.tokens.iter().enumerate() {
            if token.test || in_tests {
                continue;
            }
            let text = token.text.as_str();
            if pure && matches!(text, "async" | "await") {
                say(
                    token.line,
                    format!("{room} is pure and uses `{text}`; decide synchronously"),
                );
            }
            if PRINTING.contains(&text) && self.is(at + 1, &["!"]) && !FACES.contains(&room) {
                say(
                    token.line,
                    format!("{room} uses `{text}!`; only {} print", FACES.join(" and ")),
                );
            }
        }
    }

    /// Checks `lib.rs` and `main.rs`, which put rooms together and do nothing else.
    fn check_root(&self, violations: &mut Vec<String>) {
        for name in self.names() {
            if let [krate, room, ..] = name.segments.as_slice()
                && krate == "stackgate"
                && room != "cli"
            {
                violations.push(format!(
                    "{}:{}: the binary uses `{room}`; it only calls cli",
                    self.path, name.line
                ));
            }
        }
    }

    /// Returns the room that a path of this crate leads to.
    fn room_of(&self, name: &Named) -> Option<String> {
        let supers = name.segments.iter().take_while(|s| *s == "super").count();
        let rest = match name.segments[0].as_str() {
            "crate" => &name.segments[1..],
            "super" if supers == self.modules.len() + name.inline => &name.segments[supers..],
            _ => return None,
        };
        // Alone, as in `pub(crate)`, it leads nowhere.
        rest.first().cloned()
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Returns the tokens of Rust source that matter here; comments and literals are left out.
fn lex(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let get = |at: usize| chars.get(at).copied().unwrap_or('\0');
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < chars.len() {
        let start = at;
        let mut text = None;
        match get(at) {
            '/' if get(at + 1) == '/' => {
                while at < chars.len() && get(at) != '\n' {
                    at += 1;
                }
            }
            '/' if get(at + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (get(at), get(at + 1)) {
                        ('/', '*') => (depth, at) = (depth + 1, at + 2),
                        ('*', '/') => (depth, at) = (depth - 1, at + 2),
                        _ => at += 1,
                    }
                    if depth == 0 || at >= chars.len() {
                        break;
                    }
                }
            }
            '"' => at = string_end(&chars, at),
            '\'' if get(at + 1) == '\\' => {
                at += 3;
                while at < chars.len() && get(at) != '\'' {
                    at += 1;
                }
                at += 1;
            }
            '\'' if get(at + 2) == '\'' => at += 3,
            // A lifetime.
            '\'' => {
                at += 1;
                while word(get(at)) {
                    at += 1;
                }
            }
            c if word(c) => {
                while word(get(at)) {
                    at += 1;
                }
                let name: String = chars[start..at].iter().collect();
                let hashes = (at..).take_while(|at| get(*at) == '#').count();
                let quoted = get(at + hashes) == '"';
                match name.as_str() {
                    "r" | "br" | "cr" if quoted => {
                        at = raw_string_end(&chars, at + hashes + 1, hashes);
                    }
                    "b" | "c" if quoted && hashes == 0 => at = string_end(&chars, at),
                    // `r#type` is a name; its mark is dropped.
                    "r" if hashes == 1 && word(get(at + 1)) => at += 1,
                    _ => text = Some(name),
                }
            }
            ':' if get(at + 1) == ':' => {
                at += 2;
                text = Some("::".to_owned());
            }
            c => {
                at += 1;
                text = (!c.is_whitespace()).then(|| c.to_string());
            }
        }
        tokens.extend(text.map(|text| Token {
            text,
            line,
            test: false,
        }));
        let skipped = &chars[start..at.min(chars.len())];
        line += skipped.iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// Returns where the string ends whose opening quote is at `at`.
fn string_end(chars: &[char], mut at: usize) -> usize {
    at += 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Returns where the raw string ends whose text begins at `at`.
fn raw_string_end(chars: &[char], mut at: usize, hashes: usize) -> usize {
    let closes = |at: usize| {
        chars[at] == '"' && (1..=hashes).all(|i| chars.get(at + i).is_some_and(|c| *c == '#'))
    };
    while at < chars.len() && !closes(at) {
        at += 1;
    }
    at + 1 + hashes
}

mod the_check_itself {
    use super::*;

    fn violations(path: &str, text: &str) -> Vec<String> {
        check(&[(path.to_owned(), text.to_owned())])
    }

    #[test]
    fn an_arrow_that_the_table_lacks_is_named_with_its_place() {
        assert_eq!(
            violations("src/plan/record.rs", "\nuse crate::aws::Aws;\n"),
            [
                "src/plan/record.rs:2: plan → aws is no arrow of the table; plan may import diff, model"
            ]
        );
        assert_eq!(
            violations("src/model/x.rs", "fn f() { crate::cli::run() }"),
            ["src/model/x.rs:1: model → cli is no arrow of the table; model may import nothing"]
        );
    }

    #[test]
    fn arrows_are_found_however_they_are_written() {
        for text in [
            "use crate::{model::Digest, aws};",
            "use crate::{\n  model::{Digest, Target},\n  aws::{self as cloud},\n};",
            "use crate::model::{self, Digest}; type T = Vec<crate::aws::Aws>;",
            "pub use crate::aws as other;",
            "use ::aws_config::load;",
            "pub(in crate::aws) fn f() {}",
            "use super::super::aws::Aws;",
            "mod inner { use super::super::super::aws::Aws; }",
            "#[cfg(test)] mod tests { use crate::aws::Aws; }",
            "macro_rules! m { () => { $crate::aws::f() } }",
            "use crate::*;",
            "use crate as root;",
            "use crate::{self as root};",
            "fn f<'a>(x: &'a str) -> char { 'x'; crate::aws::f('\\'', \"\\\"\", r#\"\"\"#) }",
        ] {
            assert_eq!(violations("src/plan/x.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn what_is_no_import_is_let_through() {
        for text in [
            "// use crate::aws::Aws;",
            "/// See [`crate::aws`].\n/* crate::aws /* nested */ crate::aws */ fn f() {}",
            "const TEXT: &str = \"crate::aws println!()\";",
            "const TEXT: &str = r#\"crate::aws \" tokio::spawn\"#;",
            "use super::record::Record; use self::inner::aws;",
            "mod inner { use super::super::sibling::aws; }",
            "use crate::plan::{grouping, record}; use crate::diff::Text; use crate::model::aws;",
            "pub(crate) fn f() { aws::f(); }",
            "use std::time::Duration; use std::io::Write;",
            "#[cfg(test)] mod tests { use std::fs; fn f() { println!() } }",
            "#[cfg(test)] use std::{fs, env};",
            "fn println() {} fn f() { format!(\"\") }",
        ] {
            assert_eq!(violations("src/plan/x.rs", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn pure_rooms_do_not_act() {
        for (text, word) in [
            ("use std::{collections::HashMap, fs};", "std::fs"),
            ("use std::fs::{self, File};", "std::fs"),
            ("fn f() { std::env::var(\"X\"); }", "std::env::var"),
            ("use std::time::{Duration, Instant};", "std::time::Instant"),
            ("use std::time::*;", "std::time::*"),
            ("use std::time;", "std::time::*"),
            ("use std as s;", "std::*"),
            ("fn f() { io::stdout() }", "io::stdout"),
            ("fn f() { Timestamp::now() }", "Timestamp::now"),
            ("async fn f() {}", "async"),
            ("use tokio::time;", "tokio::time"),
            ("fn f() -> u8 { fastrand::u8(..) }", "fastrand::u8"),
            (
                "#[cfg(test)] mod tests {} fn f() { std::thread::yield_now() }",
                "std::thread",
            ),
            ("#[cfg(test)] fn g() { () } use tokio as t;", "tokio"),
        ] {
            let found = violations("src/rollout/x.rs", text);
            assert!(!found.is_empty(), "{text}");
            assert!(found.iter().all(|f| f.contains(word)), "{found:?}");
            assert_eq!(violations("src/runtime/x.rs", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn modules_for_tests_in_files_of_their_own_are_tests() {
        let sources = [
            ("src/plan/mod.rs", "#[cfg(test)]\nmod sample;"),
            ("src/plan/sample.rs", "use std::fs;"),
            ("src/plan/sample/deep.rs", "use std::fs;"),
            ("src/plan/samples.rs", "use std::fs;"),
        ];
        let sources = sources.map(|(path, text)| (path.to_owned(), text.to_owned()));
        assert_eq!(
            check(&sources),
            ["src/plan/samples.rs:1: plan is pure and uses `std::fs`; take bytes as an argument"]
        );
    }

    #[test]
    fn only_aws_talks_to_aws_and_only_faces_print() {
        let sdk = "use aws_sdk_cloudformation::Client;\nfn f() { aws_config::load() }";
        assert_eq!(violations("src/aws/x.rs", sdk), [""; 0]);
        assert_eq!(violations("src/cli/x.rs", sdk).len(), 2);
        let print = "fn f() { println!(); eprintln!(\"\"); std::dbg!(1) }";
        for (path, count) in [
            ("src/cli/x.rs", 0),
            ("src/report/x.rs", 0),
            ("src/action/x.rs", 3),
        ] {
            assert_eq!(violations(path, print).len(), count, "{path}");
        }
    }

    #[test]
    fn rooms_and_the_binary_are_what_the_table_says() {
        assert_eq!(
            violations("src/utils/mod.rs", ""),
            ["src/utils/mod.rs:1: `utils` is no room of the table; add it there with its arrows"]
        );
        assert_eq!(violations("src/helpers.rs", "").len(), 1);
        assert_eq!(
            violations("src/main.rs", "fn main() { stackgate::cli::main() }"),
            [""; 0]
        );
        assert_eq!(
            violations("src/main.rs", "use stackgate::{cli, aws};").len(),
            1
        );
    }

    #[test]
    fn the_table_has_no_cycle() {
        for (room, _) in ROOMS {
            let mut reached = BTreeSet::new();
            let mut open = vec![*room];
            while let Some(next) = open.pop() {
                let (_, allowed) = ROOMS.iter().find(|(name, _)| *name == next).unwrap();
                for other in *allowed {
                    assert_ne!(other, room, "{room} reaches itself over {next}");
                    if reached.insert(*other) {
                        open.push(other);
                    }
                }
            }
            let pure = PURE.contains(room);
            assert!(!pure || reached.iter().all(|r| PURE.contains(r)), "{room}");
        }
    }
}
