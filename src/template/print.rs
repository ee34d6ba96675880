//! Tree to text, so that what was worked out here can be read, and read back.

use indexmap::IndexMap;

use super::node::{Entry, Node, NodeKind, Scalar};
use super::scalar::{ScalarValue, is_json_number};

/// How YAML writes intrinsic functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forms {
    /// `!Ref Queue`, where YAML can say it.
    Short,
    /// `Ref: Queue`.
    Long,
}

impl Node {
    /// Returns the value as block-style YAML. It is for people: what is sent to CloudFormation is the file itself.
    pub fn to_yaml(&self, forms: Forms) -> String {
        let mut printer = Yaml {
            out: String::new(),
            forms,
        };
        printer.value(self, 0, Place::Root, true);
        printer.out
    }

    /// Returns the value as JSON, two spaces a level.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        json(self, 0, &mut out);
        out.push('\n');
        out
    }

    /// Returns whether both say the same: the order of keys, quotes that change nothing, positions and the form of
    /// intrinsic functions do not count.
    pub fn says_the_same_as(&self, other: &Node) -> bool {
        match (&self.kind, &other.kind) {
            (NodeKind::Scalar(a), NodeKind::Scalar(b)) => {
                a.value() == b.value() && a.ambiguity() == b.ambiguity()
            }
            (NodeKind::Sequence(a), NodeKind::Sequence(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.says_the_same_as(b))
            }
            (NodeKind::Mapping(a), NodeKind::Mapping(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(key, entry)| {
                        b.get(key)
                            .is_some_and(|other| entry.value.says_the_same_as(&other.value))
                    })
            }
            (NodeKind::Scalar(_), NodeKind::Sequence(_) | NodeKind::Mapping(_))
            | (NodeKind::Sequence(_), NodeKind::Scalar(_) | NodeKind::Mapping(_))
            | (NodeKind::Mapping(_), NodeKind::Scalar(_) | NodeKind::Sequence(_)) => false,
        }
    }
}

/// Where a value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    /// Behind `key:` or a tag.
    Behind,
    /// Behind the dash of an item.
    Item,
}

struct Yaml {
    out: String,
    forms: Forms,
}

impl Yaml {
    /// Writes a value whose own lines begin at `indent`, with the line break behind it.
    fn value(&mut self, node: &Node, indent: usize, place: Place, may_be_short: bool) {
        if self.forms == Forms::Short
            && may_be_short
            && let Some((function, argument)) = node.intrinsic()
            && let Some(tag) = tag(function)
        {
            self.space(place);
            self.out.push('!');
            self.out.push_str(tag);
            if let Some(text) = attribute(function, argument) {
                self.out.push(' ');
                self.out.push_str(&quoted_or_plain(&text));
                self.out.push('\n');
            } else {
                // YAML has no tag behind a tag.
                self.value(argument, indent, Place::Behind, false);
            }
            return;
        }
        match &node.kind {
            NodeKind::Scalar(scalar) => {
                self.space(place);
                self.scalar(scalar, indent);
            }
            NodeKind::Sequence(items) if items.is_empty() => {
                self.space(place);
                self.out.push_str("[]\n");
            }
            NodeKind::Mapping(entries) if entries.is_empty() => {
                self.space(place);
                self.out.push_str("{}\n");
            }
            NodeKind::Sequence(items) => self.items(items, indent, place),
            NodeKind::Mapping(entries) => self.entries(entries, indent, place),
        }
    }

    fn space(&mut self, place: Place) {
        if place != Place::Root {
            self.out.push(' ');
        }
    }

    fn items(&mut self, items: &[Node], indent: usize, place: Place) {
        for (index, item) in items.iter().enumerate() {
            self.begin(index == 0, indent, place);
            self.out.push('-');
            self.value(item, indent + 2, Place::Item, true);
        }
    }

    fn entries(&mut self, entries: &IndexMap<String, Entry>, indent: usize, place: Place) {
        for (index, (key, entry)) in entries.iter().enumerate() {
            self.begin(index == 0, indent, place);
            let key = quoted_or_plain(key);
            if key.chars().count() > LONGEST_KEY {
                // A longer one has to say that it is a key.
                self.out.push_str("? ");
                self.out.push_str(&key);
                self.out.push('\n');
                self.indent(indent);
            } else {
                self.out.push_str(&key);
            }
            self.out.push(':');
            self.value(&entry.value, indent + 2, Place::Behind, true);
        }
    }

    /// Goes to where an item or a key begins: the first one of an item stands behind its dash.
    fn begin(&mut self, is_first: bool, indent: usize, place: Place) {
        match (is_first, place) {
            (true, Place::Root) => {}
            (true, Place::Item) => self.out.push(' '),
            (true, Place::Behind) => {
                self.out.push('\n');
                self.indent(indent);
            }
            (false, Place::Root | Place::Item | Place::Behind) => self.indent(indent),
        }
    }

    fn indent(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    fn scalar(&mut self, scalar: &Scalar, indent: usize) {
        let text = scalar.text.as_str();
        if scalar.plain && scalar.value() == ScalarValue::Null {
            self.out.push_str("null\n");
        } else if scalar.plain && text.chars().all(is_harmless) {
            // It was read as it stands, so it can be read again.
            self.out.push_str(text);
            self.out.push('\n');
        } else if is_block(text) {
            self.out
                .push_str(if text.ends_with('\n') { "|\n" } else { "|-\n" });
            for line in text.lines() {
                if !line.is_empty() {
                    self.indent(indent.max(2));
                    self.out.push_str(line);
                }
                self.out.push('\n');
            }
        } else {
            self.out.push_str(&quoted_or_plain(text));
            self.out.push('\n');
        }
    }
}

/// The longest key that YAML finds without being told that it is one, less what quotes and escapes may add.
const LONGEST_KEY: usize = 1000;

/// Returns the name of the tag for a function, if it can be one.
fn tag(function: &str) -> Option<&str> {
    let name = function.strip_prefix("Fn::").unwrap_or(function);
    (!name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric())
        && super::node::long_form(name) == function)
        .then_some(name)
}

/// Returns the argument of `Fn::GetAtt` as the short form writes it.
fn attribute(function: &str, argument: &Node) -> Option<String> {
    match argument.items()? {
        [resource, attribute] if function == "Fn::GetAtt" => {
            let (resource, attribute) = (resource.text()?, attribute.text()?);
            (!resource.contains('.')).then(|| format!("{resource}.{attribute}"))
        }
        _ => None,
    }
}

/// Returns whether a character means itself in any kind of text.
fn is_harmless(c: char) -> bool {
    c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric())
}

/// Returns whether a text of several lines can be written as a block.
fn is_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    body.contains('\n')
        && !body.ends_with('\n')
        && body.chars().all(|c| c == '\n' || is_harmless(c))
        && body
            .split('\n')
            .enumerate()
            .all(|(index, line)| match (index, line) {
                (0, line) => !line.is_empty() && !line.starts_with(' '),
                (_, line) => line.is_empty() || !line.trim().is_empty(),
            })
}

/// Returns a text as YAML, with quotes unless it cannot be taken for anything else.
fn quoted_or_plain(text: &str) -> String {
    let scalar = Scalar {
        text: text.to_owned(),
        plain: true,
        bytes: 0..0,
    };
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && !text.ends_with(':')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_./:+-".contains(&b))
        && scalar.value() == ScalarValue::Text(text)
        && scalar.ambiguity().is_none();
    if is_plain {
        text.to_owned()
    } else {
        quoted(text, true)
    }
}

/// Returns a text in double quotes, with escapes for what cannot be seen.
fn quoted(text: &str, is_yaml: bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_harmless(c) => out.push(c),
            c if is_yaml && u32::from(c) > 0xffff => {
                out.push_str(&format!("\\U{:08x}", u32::from(c)))
            }
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
    out
}

fn json(node: &Node, indent: usize, out: &mut String) {
    let line = |indent: usize, out: &mut String| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', indent));
    };
    match &node.kind {
        NodeKind::Scalar(scalar) => {
            let written = scalar.text.as_str();
            match scalar.value() {
                ScalarValue::Null => out.push_str("null"),
                ScalarValue::Bool(value) => out.push_str(if value { "true" } else { "false" }),
                ScalarValue::Number(_) if is_json_number(written) => out.push_str(written),
                ScalarValue::Number(number) => out.push_str(&number),
                ScalarValue::Text(text) => out.push_str(&quoted(text, false)),
            }
        }
        NodeKind::Sequence(items) if items.is_empty() => out.push_str("[]"),
        NodeKind::Mapping(entries) if entries.is_empty() => out.push_str("{}"),
        NodeKind::Sequence(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                line(indent + 2, out);
                json(item, indent + 2, out);
            }
            line(indent, out);
            out.push(']');
        }
        NodeKind::Mapping(entries) => {
            out.push('{');
            for (index, (key, entry)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                line(indent + 2, out);
                out.push_str(&quoted(key, false));
                out.push_str(": ");
                json(&entry.value, indent + 2, out);
            }
            line(indent, out);
            out.push('}');
        }
    }
}
