//! Text to tree: the parser's events composed into nodes, within limits.

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, Span, Tag};
use indexmap::IndexMap;

use super::Position;
use super::error::{TemplateError, TemplateProblem};
use super::node::{Entry, Node, NodeKind, Scalar, long_form};
use crate::model::clean;

/// The largest template that CloudFormation takes, from a URL.
pub(super) const MAX_BYTES: usize = 1_048_576;
/// No template is nested this deeply; code that walks a tree may recurse within it.
pub(super) const MAX_DEPTH: usize = 100;

/// Returns the text of a template, or says why it is none.
pub(super) fn text<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, TemplateError> {
    if bytes.len() > MAX_BYTES {
        let problem = TemplateProblem::TooLarge {
            bytes: bytes.len(),
            limit: MAX_BYTES,
        };
        return Err(problem.at(file, START));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let position = end_of(&String::from_utf8_lossy(before));
            Err(TemplateProblem::NotText.at(file, position))
        }
    }
}

/// Returns the root of the only document of `text`.
pub(super) fn compose(file: &str, text: &str) -> Result<Node, TemplateError> {
    // CloudFormation reads what begins with a brace as JSON, and refuses what only YAML allows.
    read(file, text, text.trim_start().starts_with('{'))
}

impl Node {
    /// Returns the JSON object or array that a text holds, such as a policy; none if it is no such text. Positions are
    /// those in the text.
    pub fn of_json(text: &str) -> Option<Node> {
        let is_structure = text.trim_start().starts_with(['{', '[']);
        is_structure.then(|| read("", text, true).ok()).flatten()
    }
}

fn read(file: &str, text: &str, is_json: bool) -> Result<Node, TemplateError> {
    if is_json && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        return Err(json_error(file, text, &error));
    }
    let mut options = granit_parser::options! { emit_comments: false };
    if is_json {
        // JSON knows no limit to the length of a key.
        options.simple_key_max_lookahead = MAX_BYTES;
    }
    let mut composer = Composer {
        file,
        frames: Vec::new(),
        root: None,
    };
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| {
            let problem = match error.kind() {
                ErrorKind::RecursionLimitExceeded => TemplateProblem::TooDeep { limit: MAX_DEPTH },
                _ => TemplateProblem::Yaml {
                    message: clean(&error.info()),
                },
            };
            problem.at(file, position(*error.marker()))
        })?;
        composer.take(event, span)?;
    }
    composer
        .root
        .ok_or_else(|| TemplateProblem::Empty.at(file, START))
}

const START: Position = Position { line: 1, column: 1 };

fn position(marker: Marker) -> Position {
    Position {
        line: u32::try_from(marker.line().max(1)).unwrap_or(u32::MAX),
        column: u32::try_from(marker.col().saturating_add(1)).unwrap_or(u32::MAX),
    }
}

/// Returns the position behind the last character of `text`.
fn end_of(text: &str) -> Position {
    let last = text.rsplit('\n').next().unwrap_or_default();
    Position {
        line: u32::try_from(text.matches('\n').count() + 1).unwrap_or(u32::MAX),
        column: u32::try_from(last.chars().count() + 1).unwrap_or(u32::MAX),
    }
}

fn json_error(file: &str, text: &str, error: &serde_json::Error) -> TemplateError {
    // `serde_json` counts columns in bytes, and ends its message with the place.
    let line = text
        .split('\n')
        .nth(error.line().saturating_sub(1))
        .unwrap_or_default();
    let bytes = line.as_bytes();
    let before = bytes
        .get(..error.column().saturating_sub(1))
        .unwrap_or(bytes);
    let column = String::from_utf8_lossy(before).chars().count() + 1;
    let message = error.to_string();
    let message = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(message, _)| message);
    let problem = TemplateProblem::Json {
        message: clean(message),
    };
    let position = Position {
        line: u32::try_from(error.line().max(1)).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    };
    problem.at(file, position)
}

struct Composer<'a> {
    file: &'a str,
    frames: Vec<Frame>,
    root: Option<Node>,
}

/// A structure that is not complete.
struct Frame {
    position: Position,
    /// The long form's key, where the structure is the argument of a short-form intrinsic.
    function: Option<String>,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping {
        entries: IndexMap<String, Entry>,
        key: Option<(String, Position)>,
    },
}

/// What a tag makes of its value.
enum Meaning {
    Nothing,
    Text,
    Function(String),
}

impl Composer<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), TemplateError> {
        let at = position(span.tag_start.unwrap_or(span.start));
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(self.error(TemplateProblem::SeveralDocuments, at))
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                Err(self.error(TemplateProblem::Alias, at))
            }
            Event::Scalar(text, style, _, tag) => {
                let plain = style == ScalarStyle::Plain;
                if self.expects_key() {
                    if tag.is_some() {
                        return Err(self.error(TemplateProblem::KeyNotText, at));
                    }
                    return self.key(text.into_owned(), plain, at);
                }
                let meaning = self.meaning(tag.as_deref(), at)?;
                let scalar = Scalar {
                    plain: plain && !matches!(meaning, Meaning::Text),
                    text: text.into_owned(),
                    bytes: span.byte_range().unwrap_or_default(),
                };
                self.value(NodeKind::Scalar(scalar), at, function(meaning));
                Ok(())
            }
            Event::SequenceStart(_, _, tag) => {
                self.open(Content::Sequence(Vec::new()), tag.as_deref(), at)
            }
            Event::MappingStart(_, _, tag) => {
                let entries = IndexMap::new();
                self.open(Content::Mapping { entries, key: None }, tag.as_deref(), at)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close();
                Ok(())
            }
            // Documents and streams hold nothing; the parser's enum may grow further remarks.
            _ => Ok(()),
        }
    }

    fn error(&self, problem: TemplateProblem, at: Position) -> TemplateError {
        problem.at(self.file, at)
    }

    fn expects_key(&self) -> bool {
        matches!(
            self.frames.last(),
            Some(Frame {
                content: Content::Mapping { key: None, .. },
                ..
            })
        )
    }

    fn meaning(&self, tag: Option<&Tag>, at: Position) -> Result<Meaning, TemplateError> {
        let Some(tag) = tag else {
            return Ok(Meaning::Nothing);
        };
        match (tag.core_suffix(), tag.parts()) {
            (Some("str"), _) | (None, ("", "!") | ("!", "")) => Ok(Meaning::Text),
            (Some(_), _) => Ok(Meaning::Nothing),
            (None, ("!", name)) => Ok(Meaning::Function(long_form(name))),
            (None, _) => {
                let tag = clean(&tag.original());
                Err(self.error(TemplateProblem::UnknownTag { tag }, at))
            }
        }
    }

    fn key(&mut self, text: String, plain: bool, at: Position) -> Result<(), TemplateError> {
        let problem = match self.frames.last_mut().map(|frame| &mut frame.content) {
            Some(Content::Mapping { entries, key }) => match entries.get(&text) {
                _ if plain && text == "<<" => TemplateProblem::MergeKey,
                Some(entry) => TemplateProblem::DuplicateKey {
                    key: clean(&text),
                    first: entry.position,
                },
                None => {
                    *key = Some((text, at));
                    return Ok(());
                }
            },
            Some(Content::Sequence(_)) | None => TemplateProblem::KeyNotText,
        };
        Err(self.error(problem, at))
    }

    fn open(
        &mut self,
        content: Content,
        tag: Option<&Tag>,
        at: Position,
    ) -> Result<(), TemplateError> {
        if self.expects_key() {
            return Err(self.error(TemplateProblem::KeyNotText, at));
        }
        if self.frames.len() >= MAX_DEPTH {
            return Err(self.error(TemplateProblem::TooDeep { limit: MAX_DEPTH }, at));
        }
        let function = function(self.meaning(tag, at)?);
        self.frames.push(Frame {
            position: at,
            function,
            content,
        });
        Ok(())
    }

    fn close(&mut self) {
        if let Some(frame) = self.frames.pop() {
            let kind = match frame.content {
                Content::Sequence(items) => NodeKind::Sequence(items),
                Content::Mapping { entries, .. } => NodeKind::Mapping(entries),
            };
            self.value(kind, frame.position, frame.function);
        }
    }

    /// Puts a complete value where it belongs.
    fn value(&mut self, kind: NodeKind, position: Position, function: Option<String>) {
        let value = Node { position, kind };
        let value = match function {
            None => value,
            Some(function) => {
                let value = argument(&function, value);
                let entry = Entry { position, value };
                Node {
                    position,
                    kind: NodeKind::Mapping(IndexMap::from([(function, entry)])),
                }
            }
        };
        match self.frames.last_mut().map(|frame| &mut frame.content) {
            None => self.root = Some(value),
            Some(Content::Sequence(items)) => items.push(value),
            Some(Content::Mapping { entries, key }) => {
                if let Some((key, position)) = key.take() {
                    let value = argument(&key, value);
                    entries.insert(key, Entry { position, value });
                }
            }
        }
    }
}

/// Returns the argument of `function` in the form that all its ways of writing share: `Fn::GetAtt` has a list.
fn argument(function: &str, value: Node) -> Node {
    let NodeKind::Scalar(scalar) = &value.kind else {
        return value;
    };
    if function != "Fn::GetAtt" {
        return value;
    }
    let Some((resource, attribute)) = scalar.text.split_once('.') else {
        return value;
    };
    let part = |text: &str| {
        let scalar = Scalar {
            text: text.to_owned(),
            plain: false,
            bytes: scalar.bytes.clone(),
        };
        Node {
            position: value.position,
            kind: NodeKind::Scalar(scalar),
        }
    };
    let items = vec![part(resource), part(attribute)];
    Node {
        position: value.position,
        kind: NodeKind::Sequence(items),
    }
}

fn function(meaning: Meaning) -> Option<String> {
    match meaning {
        Meaning::Function(name) => Some(name),
        Meaning::Nothing | Meaning::Text => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(text: &str) -> Node {
        compose("t.yaml", text).unwrap()
    }

    fn error(text: &str) -> String {
        let read = super::text("t.yaml", text.as_bytes());
        match read.and_then(|text| compose("t.yaml", text)) {
            Ok(node) => panic!("no error: {node:?}"),
            Err(error) => {
                assert!(!error.help().is_empty());
                assert!(error.to_string().ends_with(error.help()));
                format!(
                    "{}:{} {}",
                    error.position.line,
                    error.position.column,
                    error.what()
                )
            }
        }
    }

    #[test]
    fn scalars_keep_their_text() {
        let texts = "[012345678901, 1.10, yes, 2012-10-17, 6e7890, 22:22, 'a''b', \"c\\td\"]";
        let root = root(texts);
        let texts: Vec<_> = root
            .items()
            .unwrap()
            .iter()
            .filter_map(Node::text)
            .collect();
        let expected = [
            "012345678901",
            "1.10",
            "yes",
            "2012-10-17",
            "6e7890",
            "22:22",
            "a'b",
            "c\td",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn short_and_long_forms_are_one() {
        let short = root("a: !Ref B\nb: !GetAtt C.D\nc: !Sub ['${X}', {X: !Ref Y}]\nd: !Fn::Sub x");
        let long = root(
            "a: {Ref: B}\nb: {Fn::GetAtt: C.D}\nc: {Fn::Sub: ['${X}', {X: {Ref: Y}}]}\nd: {Fn::Sub: x}",
        );
        fn plain(node: &Node) -> String {
            match &node.kind {
                NodeKind::Scalar(scalar) => scalar.text.clone(),
                NodeKind::Sequence(items) => {
                    format!("{:?}", items.iter().map(plain).collect::<Vec<_>>())
                }
                NodeKind::Mapping(entries) => entries
                    .iter()
                    .map(|(key, entry)| format!("{key}={};", plain(&entry.value)))
                    .collect(),
            }
        }
        assert_eq!(plain(&short), plain(&long));
    }

    #[test]
    fn positions_are_of_keys_values_and_tags() {
        let root = root("a:\n  bä: !Ref\n    C\n  d:\n    - e: 1\n    - !If [f, g, h]\n");
        let a = root.entries().unwrap().get("a").unwrap();
        assert_eq!((a.position.line, a.position.column), (1, 1));
        let b = a.value.entries().unwrap().get("bä").unwrap();
        assert_eq!((b.position.line, b.position.column), (2, 3));
        assert_eq!(
            (b.value.position.line, b.value.position.column),
            (2, 7),
            "the tag"
        );
        let d = a.value.value("d").unwrap().items().unwrap();
        assert_eq!((d[0].position.line, d[0].position.column), (5, 7));
        assert_eq!((d[1].position.line, d[1].position.column), (6, 7));
    }

    #[test]
    fn json_is_read_strictly_and_with_positions() {
        let root =
            root("{\n  \"Resources\": {\"\\ud83d\\ude00\": {\"a\\/b\": [1, true, null]}}\n}");
        let smile = root.value("Resources").and_then(|n| n.value("😀")).unwrap();
        assert_eq!(smile.value("a/b").unwrap().items().unwrap().len(), 3);
        let long_key = format!("{{\"{}\": 1}}", "k".repeat(5000));
        assert!(compose("t.json", &long_key).is_ok());
        assert_eq!(
            error("{\n \"ä\": 1,\n}"),
            "3:1 not well-formed JSON: key must be a string"
        );
        assert_eq!(
            error("{\"ä\": yes}"),
            "1:7 not well-formed JSON: expected value"
        );
        assert!(error("{\"a\": 1").contains("not well-formed JSON: EOF"));
    }

    #[test]
    fn what_cloudformation_refuses_is_refused_with_its_place() {
        assert_eq!(
            error("a: 1\nb: 2\n\"a\": 3\n"),
            "3:1 duplicate key `a`, first at line 1"
        );
        assert_eq!(
            error("{\"a\": 1, \"a\": 2}"),
            "1:10 duplicate key `a`, first at line 1"
        );
        assert_eq!(error("a: &x 1\nb: *x\n"), "2:4 a YAML alias is used here");
        assert_eq!(
            error("a:\n  <<: {b: 1}\n"),
            "2:3 a YAML merge key `<<` is used here"
        );
        assert_eq!(
            error("a: 1\n---\nb: 2\n"),
            "2:1 a second YAML document begins here, expected one"
        );
        assert_eq!(error("? [a, b]\n: 1\n"), "1:3 expected a plain text as key");
        assert_eq!(error("!Ref a: 1\n"), "1:1 expected a plain text as key");
        assert_eq!(error("a: !!binary x\n"), "1:4 unknown YAML tag `!!binary`");
        assert_eq!(error(""), "1:1 the template is empty");
        assert_eq!(error("# nothing\n"), "1:1 the template is empty");
        assert!(error("a: [1, 2\nb: 3\n").contains("not well-formed YAML"));
    }

    #[test]
    fn limits_hold_for_hostile_input() {
        assert!(error(&" ".repeat(MAX_BYTES + 1)).starts_with("1:1 the template has"));
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(compose("t", &nested(MAX_DEPTH)).is_ok());
        let expected = format!("1:{} nested more than 100 levels deep", MAX_DEPTH + 1);
        assert_eq!(error(&nested(MAX_DEPTH + 1)), expected);
        // The scanner looks ahead for a key and stops at its own limit first.
        let brackets = error(&"[".repeat(500_000));
        assert!(
            brackets.ends_with("nested more than 100 levels deep"),
            "{brackets}"
        );
        let json = format!("{}1{}", "{\"a\":".repeat(9000), "}".repeat(9000));
        assert!(error(&json).ends_with("nested more than 100 levels deep"));
        let laughs = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n";
        assert_eq!(error(laughs), "2:8 a YAML alias is used here");
        let bytes = super::text("t", b"a: 1\nb: \xff\n").unwrap_err();
        assert_eq!((bytes.position.line, bytes.position.column), (2, 4));
    }

    proptest::proptest! {
        #[test]
        fn invariant_no_input_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = super::text("t", &bytes).and_then(|text| compose("t", text));
        }

        #[test]
        fn invariant_no_yaml_like_input_panics(text in "[-a:{}\\[\\]!&*<'\"|>\n ,#%?Ref]{0,80}") {
            let _ = compose("t", &text);
        }

        #[test]
        fn invariant_positions_point_at_what_is_there(
            keys in proptest::collection::btree_set("[a-zä]{1,8}", 1..10),
            indent in 1_usize..4,
        ) {
            let mut text = String::from("root:\n");
            for key in &keys {
                text.push_str(&format!("{}{key}: !Ref v-{key}\n", " ".repeat(indent)));
            }
            let root = compose("t", &text).unwrap();
            for (key, entry) in root.value("root").unwrap().entries().unwrap() {
                let line = text.lines().nth(entry.position.line as usize - 1).unwrap();
                let rest: String = line.chars().skip(entry.position.column as usize - 1).collect();
                proptest::prop_assert!(rest.starts_with(key.as_str()));
                let at = entry.value.position;
                let rest: String = line.chars().skip(at.column as usize - 1).collect();
                proptest::prop_assert!(rest.starts_with("!Ref"));
            }
        }
    }
}
