//! YAML and JSON as a tree that keeps the text and the position of everything.
//!
//! `serde_json` decides whether a JSON text is one; positions and scalar texts of both languages
//! come from the events of one parser. Values of `serde_yaml` and `serde_json` know neither the line
//! they came from nor how a number was written.

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Tag};
use indexmap::IndexMap;

use super::{ParameterError, Place};
use crate::template::Position;

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where it begins.
    pub position: Position,
    /// What it is.
    pub value: Value,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing: `null`, `~` or an empty place.
    Null,
    /// A text, number or boolean, as it is written.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// An object, in the order of the file; no key is given twice.
    Object(Object),
}

/// The entries of an object.
pub type Object = IndexMap<String, Entry>;

/// What an object has for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where the key begins.
    pub position: Position,
    /// Its value.
    pub node: Node,
}

/// What a text must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Json,
    Yaml,
}

impl Language {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Yaml => "YAML",
        }
    }
}

impl Node {
    /// Returns what the value is, for a message; never the value itself.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "no value",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Object(_) => "an object",
        }
    }
}

/// Returns `bytes` as text without a byte order mark.
pub(super) fn text<'a>(
    file: &str,
    bytes: &'a [u8],
    limit: usize,
) -> Result<&'a str, ParameterError> {
    if bytes.len() > limit {
        return Err(ParameterError::TooLarge {
            file: crate::model::clean(file),
            size: bytes.len(),
            limit,
        });
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let last = before.rsplit('\n').next().unwrap_or_default();
            Err(ParameterError::NotUtf8 {
                place: Place::at(
                    file,
                    position(before.matches('\n').count() + 1, last.chars().count()),
                ),
            })
        }
    }
}

/// Returns the one YAML document in `bytes`, or `None` where there is nothing but comments.
pub fn parse_document(file: &str, bytes: &[u8]) -> Result<Option<Node>, ParameterError> {
    parse(file, text(file, bytes, super::MAX_BYTES)?, Language::Yaml)
}

/// Returns the one document in `text`, or `None` where there is nothing but comments.
pub(super) fn parse(
    file: &str,
    text: &str,
    language: Language,
) -> Result<Option<Node>, ParameterError> {
    if language == Language::Json {
        check_json(file, text)?;
    }
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = DEEPEST;
    options.block_nesting_limit = DEEPEST;
    let mut composer = Composer {
        file,
        language,
        open: Vec::new(),
        root: None,
    };
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| composer.syntax(&error))?;
        // The position of a tagged value is that of its tag.
        let mark = span.tag_start().unwrap_or(span.start);
        composer.take(event, position(mark.line(), mark.col()))?;
    }
    Ok(composer.root)
}

/// Nothing that is asked for here nests deeper than a stack policy.
const DEEPEST: usize = 64;

fn position(line: usize, column_from_zero: usize) -> Position {
    let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position {
        line: small(line),
        column: small(column_from_zero.saturating_add(1)),
    }
}

/// Refuses what YAML would accept and JSON does not, such as trailing commas.
fn check_json(file: &str, text: &str) -> Result<(), ParameterError> {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(()),
        Err(error) => {
            // Reading everything says better what is wrong, but would also refuse large numbers.
            let error = serde_json::from_str::<serde_json::Value>(text)
                .err()
                .unwrap_or(error);
            let message = error.to_string();
            // The message ends with the position, which is said apart.
            let problem = if text.trim().is_empty() {
                "it is empty"
            } else {
                message
                    .rsplit_once(" at line ")
                    .map_or(message.as_str(), |(problem, _)| problem)
            };
            Err(ParameterError::Syntax {
                place: Place::at(
                    file,
                    position(error.line(), error.column().saturating_sub(1)),
                ),
                language: "JSON",
                problem: crate::model::clean(problem),
            })
        }
    }
}

struct Composer<'a> {
    file: &'a str,
    language: Language,
    open: Vec<Open>,
    root: Option<Node>,
}

/// A list or object whose end has not been seen.
enum Open {
    List(Position, Vec<Node>),
    Object(Position, Object, Option<(String, Position)>),
}

impl Composer<'_> {
    fn take(&mut self, event: Event<'_>, at: Position) -> Result<(), ParameterError> {
        match event {
            Event::Scalar(text, style, _, tag) => {
                self.check_tag(tag.as_deref(), at)?;
                let empty = style == ScalarStyle::Plain
                    && tag.is_none()
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if empty {
                    Value::Null
                } else {
                    Value::Text(text.into_owned())
                };
                self.add(Node {
                    position: at,
                    value,
                })
            }
            Event::SequenceStart(_, _, tag) => {
                self.check_tag(tag.as_deref(), at)?;
                self.open.push(Open::List(at, Vec::new()));
                Ok(())
            }
            Event::MappingStart(_, _, tag) => {
                self.check_tag(tag.as_deref(), at)?;
                self.open.push(Open::Object(at, Object::new(), None));
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(position, nodes)) => self.add(Node {
                    position,
                    value: Value::List(nodes),
                }),
                Some(Open::Object(position, entries, _)) => self.add(Node {
                    position,
                    value: Value::Object(entries),
                }),
                None => Ok(()),
            },
            Event::Alias(_) | Event::UnresolvedAlias(_) => Err(self.unexpected(
                at,
                "an alias (`*name`)",
                "the value itself",
                "write the value out, as CloudFormation does not know aliases either",
            )),
            Event::DocumentStart(..) if self.root.is_some() => Err(self.unexpected(
                at,
                "a second document (`---`)",
                "one document",
                "move it to a file of its own",
            )),
            // The event type may grow; what is not a value does not concern us.
            _ => Ok(()),
        }
    }

    /// Puts a finished node where it belongs: the root, a list, or key or value of an object.
    fn add(&mut self, node: Node) -> Result<(), ParameterError> {
        let (entries, key) = match self.open.last_mut() {
            None => {
                self.root = Some(node);
                return Ok(());
            }
            Some(Open::List(_, nodes)) => {
                nodes.push(node);
                return Ok(());
            }
            Some(Open::Object(_, entries, key)) => (entries, key),
        };
        if let Some((text, position)) = key.take() {
            entries.insert(text, Entry { position, node });
            return Ok(());
        }
        let Value::Text(text) = node.value else {
            return Err(self.unexpected(
                node.position,
                "a key that is not a text",
                "a name",
                "write the name as text",
            ));
        };
        match entries.get(&text) {
            None => {
                *key = Some((text, node.position));
                Ok(())
            }
            Some(first) => Err(ParameterError::Duplicate {
                place: Place::at(self.file, node.position),
                key: crate::model::clean(&text),
                first: first.position.line,
            }),
        }
    }

    fn check_tag(&self, tag: Option<&Tag>, at: Position) -> Result<(), ParameterError> {
        match tag {
            None => Ok(()),
            Some(tag) if tag.is_yaml_core_schema() => Ok(()),
            Some(_) => Err(self.unexpected(
                at,
                "a tag (`!…`)",
                "a plain value",
                "functions such as `!Ref` work in templates only: write the value itself",
            )),
        }
    }

    fn syntax(&self, error: &ScanError) -> ParameterError {
        let mark = error.marker();
        ParameterError::Syntax {
            place: Place::at(self.file, position(mark.line().max(1), mark.col())),
            language: self.language.name(),
            problem: crate::model::clean(&error.info()),
        }
    }

    fn unexpected(&self, at: Position, found: &str, expected: &str, help: &str) -> ParameterError {
        ParameterError::Unexpected {
            place: Place::at(self.file, at),
            found: found.to_owned(),
            expected: expected.to_owned(),
            help: help.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn yaml(text: &str) -> Result<Option<Node>, ParameterError> {
        parse("f.yaml", text, Language::Yaml)
    }

    fn json(text: &str) -> Result<Option<Node>, ParameterError> {
        parse("f.json", text, Language::Json)
    }

    fn object(node: Option<Node>) -> Object {
        match node.map(|node| node.value) {
            Some(Value::Object(entries)) => entries,
            other => panic!("{other:?}"),
        }
    }

    fn only(node: Option<Node>) -> Value {
        let (_, entry) = object(node).into_iter().next().unwrap();
        entry.node.value
    }

    #[test]
    fn unquoted_scalars_keep_their_text() {
        for text in [
            "012345678901",
            "012345670123",
            "0755",
            "1.10",
            "1e3",
            "6e7890",
            "1_000",
            "0x1F",
            "yes",
            "no",
            "True",
            "2012-10-17",
            "190:20:30",
            ".inf",
            "123456789012345678901234567890",
            "=",
        ] {
            let value = only(yaml(&format!("a: {text}\n")).unwrap());
            assert_eq!(value, Value::Text(text.to_owned()), "{text}");
        }
        for text in [
            "1.10",
            "1E3",
            "-0",
            "true",
            "123456789012345678901234567890",
        ] {
            let value = only(json(&format!("{{\"a\": {text}}}")).unwrap());
            assert_eq!(value, Value::Text(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn nothing_is_told_apart_from_texts_that_look_like_it() {
        for text in ["", "~", "null", "NULL"] {
            assert_eq!(only(yaml(&format!("a: {text}")).unwrap()), Value::Null);
        }
        for text in ["''", "\"null\"", "!!str null", "nil", "'~'"] {
            let value = only(yaml(&format!("a: {text}")).unwrap());
            assert!(matches!(value, Value::Text(_)), "{text}: {value:?}");
        }
        assert_eq!(only(json("{\"a\": null}").unwrap()), Value::Null);
        assert_eq!(yaml("# only a comment\n").unwrap(), None);
    }

    #[test]
    fn positions_are_those_of_the_file() {
        let entries = object(yaml("a: 1\n# é\nb:\n  - x\n  - \"y\"\n").unwrap());
        assert_eq!(entries["b"].position, Position { line: 3, column: 1 });
        let Value::List(items) = &entries["b"].node.value else {
            panic!()
        };
        assert_eq!(items[1].position, Position { line: 5, column: 5 });
        let entries = object(json("{\n\t\"a\": 1, \"b\": 2}").unwrap());
        assert_eq!(entries["b"].position.line, 2);
    }

    fn message(result: Result<Option<Node>, ParameterError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn what_json_does_not_allow_is_refused_with_its_place() {
        assert_eq!(
            message(json("{\n  \"a\": 1,\n}")),
            "f.json:3:1: expected valid JSON, but trailing comma; correct it there or just before"
        );
        for text in ["", "{'a': 1}", "{\"a\": 01}", "{\"a\": 1} x", "# c\n{}"] {
            let error = json(text).unwrap_err();
            assert!(
                matches!(error, ParameterError::Syntax { .. }),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn what_only_yaml_could_mean_is_refused_with_its_place() {
        assert_eq!(
            message(yaml("a: &x 1\nb: *x\n")),
            "f.yaml:2:4: found an alias (`*name`), expected the value itself; write the value out, as CloudFormation does not know aliases either"
        );
        assert_eq!(
            message(yaml("a: !Ref b\n")),
            "f.yaml:1:4: found a tag (`!…`), expected a plain value; functions such as `!Ref` work in templates only: write the value itself"
        );
        assert!(message(yaml("a: 1\n---\nb: 2\n")).starts_with("f.yaml:2:1: found a second"));
        assert!(message(yaml("? [a]\n: 1\n")).contains("a key that is not a text"));
        assert!(message(yaml("a: [1\nb: 2\n")).starts_with("f.yaml:"));
    }

    #[test]
    fn a_key_given_twice_is_refused_at_its_second_place() {
        let expected =
            "`k` is given a second time (first in line 2), expected once; remove one of them";
        assert_eq!(
            message(yaml("a:\n  k: 1\n  j: 2\n  k: 3\n")),
            format!("f.yaml:4:3: {expected}")
        );
        assert_eq!(
            message(json("{\"a\":\n{\"k\": 1,\n\"k\": 3}}")),
            format!("f.json:3:1: {expected}")
        );
    }

    #[test]
    fn text_is_utf8_of_a_bounded_size() {
        assert_eq!(text("f", b"\xef\xbb\xbf{}", 9), Ok("{}"));
        assert_eq!(
            text("f", b"a\n\xc3\xa9b\xff", 9).unwrap_err().to_string(),
            "f:2:3: expected UTF-8 text; save the file with the encoding UTF-8"
        );
        assert_eq!(
            text("f", b"abc", 2).unwrap_err().to_string(),
            "f: 3 bytes, expected at most 2; keep only parameters, tags and a stack policy in it"
        );
    }

    #[test]
    fn deep_nesting_is_refused_and_not_followed() {
        for text in [
            "[".repeat(200_000),
            "- ".repeat(20_000),
            "{a: ".repeat(20_000),
        ] {
            assert!(yaml(&text).is_err());
            assert!(json(&text).is_err());
        }
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(json(&deep).is_err());
    }

    proptest! {
        /// invariant: a text that any JSON writer wrote is read back unchanged, however it is laid out.
        #[test]
        fn json_texts_round_trip(map in proptest::collection::btree_map("\\PC{0,20}", any::<String>(), 0..8)) {
            for text in [serde_json::to_string(&map).unwrap(), serde_json::to_string_pretty(&map).unwrap()] {
                let entries = object(json(&text).unwrap());
                prop_assert_eq!(entries.len(), map.len());
                for (key, value) in &map {
                    prop_assert_eq!(&entries[key].node.value, &Value::Text(value.clone()));
                }
            }
        }

        /// invariant: no input makes the reader panic.
        #[test]
        fn any_text_is_read_or_refused(text in "[-a-z0-9{}\\[\\]:,\"'&*!|>#%@~? \n\t]{0,80}") {
            let _ = yaml(&text);
            let _ = json(&text);
        }
    }
}
