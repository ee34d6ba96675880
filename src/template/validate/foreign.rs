//! What others found in a template: placed in its text, and joined with what was found here.

use std::collections::HashSet;

use super::super::Position;
use super::super::compose;
use super::super::node::{Node, NodeKind};
use super::super::source::{Source, Span};
use super::super::tree::is_no_echo;
use super::Findings;
use super::rule::{Code, Diagnostic, Rule, Severity};

/// Something that the service or another program found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// What it is called there.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong, in the words of whoever found it.
    pub message: String,
    /// Where.
    pub at: At,
    /// What to do about it.
    pub help: String,
}

/// How others name a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// By line and column; by a length, where it ends in the same line.
    Text {
        /// Where it begins.
        position: Position,
        /// How many characters it has, where that is said.
        length: Option<u32>,
    },
    /// By the keys and indexes that lead there, as far as they can be followed.
    Path(Vec<String>),
    /// By the words of the message, if at all.
    Message,
}

/// More of a message helps nobody.
const LONGEST_MESSAGE: usize = 1000;

/// The beginning of the file.
const START: Position = Position { line: 1, column: 1 };

impl Findings {
    /// Adds what others found in the template in `bytes`, without what is known already.
    ///
    /// Their words may repeat the template, so the defaults of `NoEcho` parameters are masked in them.
    pub fn join(&mut self, file: &str, bytes: &[u8], foreign: Vec<Foreign>) {
        if foreign.is_empty() {
            return;
        }
        // What cannot be read has no lines to show; the place is told all the same.
        let text = compose::text(file, bytes).unwrap_or_default();
        let root = compose::compose(file, text).ok();
        let source = Source::new(text, root.as_ref());
        let secrets = root.as_ref().map(secrets).unwrap_or_default();
        let mut seen = HashSet::new();
        let mut joined = Vec::new();
        for one in foreign {
            let span = span(&source, root.as_ref(), &one);
            if self.is_known(&one.code, &span) {
                continue;
            }
            let key = (
                one.code.as_str().to_owned(),
                one.message.clone(),
                span.position,
            );
            if !seen.insert(key) {
                continue;
            }
            let message = shortened(&masked(&one.message, &secrets));
            let found = Diagnostic {
                severity: one.severity,
                ..Diagnostic::error(one.code, span, message)
            };
            joined.push(found.help(masked(&one.help, &secrets)));
        }
        self.add(joined);
    }

    /// Returns whether a rule of ours says the same of the same place. These rules of `cfn-lint` are about a name that is
    /// declared and that nothing uses; of no other rule is it certain that it means the same as ours.
    fn is_known(&self, code: &Code, span: &Span) -> bool {
        let Code::Lint(id) = code else {
            return false;
        };
        let own = match id.as_str() {
            "W2001" => Rule::UnusedParameter,
            "W7001" => Rule::UnusedMapping,
            "W8001" => Rule::UnusedCondition,
            _ => return false,
        };
        self.diagnostics
            .iter()
            .any(|one| one.code == Code::Own(own) && one.span.position == span.position)
    }
}

fn span(source: &Source<'_>, root: Option<&Node>, one: &Foreign) -> Span {
    match &one.at {
        At::Text { position, length } => {
            let span = source.at(*position);
            Span {
                length: length.map_or(span.length, |length| length.max(1)),
                ..span
            }
        }
        At::Path(path) => source.at(root.map_or(START, |root| along(root, path))),
        At::Message => {
            let named = || named(root?, &one.message);
            source.at(written(&one.message).or_else(named).unwrap_or(START))
        }
    }
}

/// Returns where the last key of a path is that the template has.
fn along(root: &Node, path: &[String]) -> Position {
    let mut position = START;
    let mut node = root;
    for step in path {
        match &node.kind {
            NodeKind::Mapping(entries) => {
                let Some(entry) = entries.get(step) else {
                    break;
                };
                position = entry.position;
                node = &entry.value;
            }
            NodeKind::Sequence(items) => {
                let Some(item) = step.parse().ok().and_then(|index: usize| items.get(index)) else {
                    break;
                };
                position = item.position;
                node = item;
            }
            NodeKind::Scalar(_) => break,
        }
    }
    position
}

/// Returns the place that a message tells by `line 3, column 5`.
fn written(message: &str) -> Option<Position> {
    let number = |text: &str| -> Option<u32> {
        let digits = text.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok().filter(|number| *number > 0)
    };
    let (_, rest) = message.split_once("line ")?;
    let line = number(rest)?;
    let column = rest
        .split_once("column ")
        .and_then(|(_, rest)| number(rest));
    Some(Position {
        line,
        column: column.unwrap_or(1),
    })
}

/// Returns where something stands that a message names: what it has in brackets or quotes, wherever that is written, else
/// the declaration of any word.
fn named(root: &Node, message: &str) -> Option<Position> {
    let message: String = message.chars().take(LONGEST_MESSAGE).collect();
    let is_end = |c: char| "[](){}'\"`,".contains(c) || c.is_whitespace();
    let marked = message
        .split(['[', ']', '\'', '"', '`'])
        .skip(1)
        .step_by(2)
        .flat_map(|part| part.split(is_end))
        .filter(|word| !word.is_empty());
    let marked: HashSet<&str> = marked.collect();
    let words = message
        .split(is_end)
        .map(|word| word.trim_end_matches(['.', ':']));
    let declared = || {
        let mut found = words.filter_map(|word| {
            let sections = [
                "Resources",
                "Parameters",
                "Outputs",
                "Conditions",
                "Mappings",
            ];
            let entry = |section: &&str| root.value(section)?.entries()?.get(word);
            sections.iter().find_map(entry)
        });
        found.next().map(|entry| entry.position)
    };
    mention(root, &marked).or_else(declared)
}

/// Returns where the first key or text of the template is that is one of `words`.
fn mention(node: &Node, words: &HashSet<&str>) -> Option<Position> {
    match &node.kind {
        NodeKind::Scalar(scalar) => words
            .contains(scalar.text.as_str())
            .then_some(node.position),
        NodeKind::Sequence(items) => items.iter().find_map(|item| mention(item, words)),
        NodeKind::Mapping(entries) => entries.iter().find_map(|(key, entry)| {
            let is_named = words.contains(key.as_str());
            let below = || mention(&entry.value, words);
            is_named.then_some(entry.position).or_else(below)
        }),
    }
}

/// Returns the defaults of `NoEcho` parameters, as programs write them, longest first.
fn secrets(root: &Node) -> Vec<String> {
    let parameters = root.value("Parameters").and_then(Node::entries);
    let is_secret = |node: &&Node| node.value("NoEcho").is_some_and(is_no_echo);
    let mut secrets: Vec<String> = parameters
        .into_iter()
        .flatten()
        .map(|(_, entry)| &entry.value)
        .filter(is_secret)
        .filter_map(|node| node.value("Default")?.text())
        .filter(|text| !text.is_empty())
        .flat_map(|text| [text.to_owned(), text.escape_debug().to_string()])
        .collect();
    secrets.sort_by_key(|text| std::cmp::Reverse(text.len()));
    secrets.dedup();
    secrets
}

fn masked(text: &str, secrets: &[String]) -> String {
    secrets
        .iter()
        .fold(text.to_owned(), |text, secret| text.replace(secret, "****"))
}

/// Returns a message in one line, cut where it goes on for ever.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{} …", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::super::validate;
    use super::*;

    const TEXT: &str = "Parameters:
  Unused: {Type: String}
  Password: {Type: String, NoEcho: true, Default: \"hunter'2\"}
Resources:
  Queue:
    Type: AWS::SQS::Queu
    Properties:
      QueueName: !Sub \"${Password}\"
      Tags: [{Key: a, Value: !Ref Nope}]
";

    fn foreign(code: Code, message: &str, at: At) -> Foreign {
        Foreign {
            code,
            severity: Severity::Error,
            message: message.to_owned(),
            at,
            help: "read hunter'2".to_owned(),
        }
    }

    /// Returns what of `foreign` is joined, with its line and column.
    fn joined(foreign: Vec<Foreign>) -> Vec<(String, String, u32, u32)> {
        let mut findings = validate("t.yaml", TEXT.as_bytes());
        findings.join("t.yaml", TEXT.as_bytes(), foreign);
        let all = findings.diagnostics.into_iter();
        all.filter(|one| one.code.by().is_some())
            .map(|one| {
                let at = one.span.position;
                assert_eq!(one.help.as_deref(), Some("read ****"));
                (
                    one.code.as_str().to_owned(),
                    one.message,
                    at.line,
                    at.column,
                )
            })
            .collect()
    }

    #[test]
    fn places_are_found_by_what_is_named() {
        let place = |message: &str| {
            let found = joined(vec![foreign(Code::Online, message, At::Message)]);
            (found[0].2, found[0].3)
        };
        for (message, at) in [
            ("YAML not well-formed. (line 3, column 5)", (3, 5)),
            (
                "found character that cannot start any token, line 4",
                (4, 1),
            ),
            ("Unrecognized resource types: [AWS::SQS::Queu]", (6, 11)),
            (
                "Unresolved resource dependencies [Nope] in the Resources block of the template",
                (9, 30),
            ),
            (
                "Template error: resource Queue does not support attribute X",
                (5, 3),
            ),
            ("nothing is named", (1, 1)),
            ("line 0, line x, [", (1, 1)),
            ("line 4294967295 and more", (4_294_967_295, 1)),
        ] {
            assert_eq!(place(message), at, "{message}");
        }
        let path = |path: &str| {
            let path = path.split('/').map(str::to_owned).collect();
            let found = joined(vec![foreign(Code::Guard("R".into()), "m", At::Path(path))]);
            (found[0].2, found[0].3)
        };
        assert_eq!(path("Resources/Queue/Properties/Tags/0/Value"), (9, 23));
        assert_eq!(path("Resources/Queue/Properties/Nope/x"), (7, 5));
        assert_eq!(path("Resources/Queue/Properties/Tags/7"), (9, 7));
        assert_eq!(path("Resources/Queue/Type/x"), (6, 5));
        assert_eq!(path(""), (1, 1));
    }

    #[test]
    fn what_is_provably_the_same_is_told_once_and_all_else_is_kept() {
        let at = |line, column| At::Text {
            position: Position { line, column },
            length: Some(6),
        };
        let lint = |id: &str, at| foreign(Code::Lint(id.to_owned()), "not used", at);
        let found = joined(vec![
            lint("W2001", at(2, 3)),
            lint("W2001", at(3, 3)),
            lint("W8001", at(2, 3)),
            lint("W8001", at(2, 3)),
        ]);
        let said: Vec<_> = found.iter().map(|one| (one.0.as_str(), one.2)).collect();
        assert_eq!(said, [("W8001", 2), ("W2001", 3)]);
    }

    #[test]
    fn words_of_others_are_masked_cleaned_and_cut() {
        let said = |message: &str| {
            joined(vec![foreign(Code::Online, message, At::Message)])[0]
                .1
                .clone()
        };
        assert_eq!(said("'hunter'2' is\n  \u{1b}[2Jbad"), "'****' is [2Jbad");
        assert_eq!(said(r"value hunter\'2"), "value ****");
        assert_eq!(
            said(&"ä ".repeat(5000)).chars().count(),
            LONGEST_MESSAGE + 2
        );
    }

    #[test]
    fn an_error_is_not_lost_behind_a_hundred_warnings() {
        let mut findings = validate("t.yaml", b"Resources: {A: {Type: A::B::C}}");
        let warning = |line| Foreign {
            severity: Severity::Warning,
            ..foreign(
                Code::Lint("W1".into()),
                "w",
                At::Text {
                    position: Position { line, column: 1 },
                    length: None,
                },
            )
        };
        findings.join("t.yaml", b"", (1..=150).map(warning).collect());
        assert_eq!((findings.diagnostics.len(), findings.left_out), (100, 50));
        findings.join(
            "t.yaml",
            b"\xff",
            vec![foreign(Code::Online, "e", At::Message)],
        );
        assert_eq!((findings.diagnostics.len(), findings.left_out), (100, 51));
        assert_eq!(findings.count(Severity::Error), 1);
    }
}
