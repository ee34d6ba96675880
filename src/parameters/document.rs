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
pub(super) struct Node {
    pub(super) position: Position,
    pub(super) value: Value,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
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
pub(super) type Object = IndexMap<String, Entry>;

/// What an object has for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where the key begins.
    pub(super) position: Position,
    pub(super) node: Node,
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
    pub(super) fn kind(&self) -> &'static str {
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
            let message = error.to_string();
            // The message ends with the position, which is said apart.
            let problem = message
                .rsplit_once(" at line ")
                .map_or(message.as_str(), |(problem, _)| problem);
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
