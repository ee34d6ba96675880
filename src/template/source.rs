//! Places in the text of a template, for messages that show it.

use std::cell::OnceCell;
use std::ops::Range;

use super::Position;
use super::node::{Node, NodeKind};
use super::tree::is_no_echo;
use crate::model::clean;

/// A part of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub position: Position,
    /// How many characters it has, at least one.
    pub length: u32,
    /// The line, safe to show; it ends where the default of a `NoEcho` parameter begins.
    pub line: String,
}

/// The longest part of a line that is shown.
const LONGEST_LINE: usize = 400;

/// The text of a template, for looking up lines.
pub(super) struct Source<'t> {
    text: &'t str,
    /// Where lines begin, in bytes.
    starts: OnceCell<Vec<usize>>,
    /// What is not shown.
    secrets: Vec<Range<usize>>,
}

impl<'t> Source<'t> {
    pub(super) fn new(text: &'t str, root: Option<&Node>) -> Self {
        let parameters = root
            .and_then(|root| root.value("Parameters"))
            .and_then(Node::entries);
        let secrets = parameters
            .into_iter()
            .flatten()
            .filter(|(_, entry)| entry.value.value("NoEcho").is_some_and(is_no_echo))
            .filter_map(|(_, entry)| match &entry.value.value("Default")?.kind {
                NodeKind::Scalar(scalar) => Some(scalar.bytes.clone()),
                NodeKind::Sequence(_) | NodeKind::Mapping(_) => None,
            })
            .collect();
        Self {
            text,
            starts: OnceCell::new(),
            secrets,
        }
    }

    fn starts(&self) -> &[usize] {
        self.starts.get_or_init(|| {
            let breaks = self.text.match_indices('\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(breaks).collect()
        })
    }

    /// Returns the bytes of a line, counted from 1, without its end.
    fn line(&self, line: u32) -> Range<usize> {
        let starts = self.starts();
        let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(start) = starts.get(index).copied() else {
            return self.text.len()..self.text.len();
        };
        let end = starts
            .get(index + 1)
            .map_or(self.text.len(), |next| next - 1);
        let line = self.text.get(start..end).unwrap_or_default();
        start..start + line.trim_end_matches('\r').len()
    }

    /// Returns the line of a byte.
    fn line_of(&self, byte: usize) -> u32 {
        let lines = self.starts().partition_point(|start| *start <= byte);
        u32::try_from(lines.max(1)).unwrap_or(u32::MAX)
    }

    /// Returns the span of what is at `position`: a key, a tag or a word.
    pub(super) fn at(&self, position: Position) -> Span {
        let line = self.text.get(self.line(position.line)).unwrap_or_default();
        let before = usize::try_from(position.column.saturating_sub(1)).unwrap_or(usize::MAX);
        let rest: Vec<char> = line.chars().skip(before).collect();
        self.span(position, word(&rest))
    }

    /// Returns the span of a value.
    pub(super) fn of(&self, node: &Node) -> Span {
        match &node.kind {
            NodeKind::Scalar(scalar) if !scalar.bytes.is_empty() => {
                self.bytes(scalar.bytes.clone())
            }
            NodeKind::Scalar(_) | NodeKind::Sequence(_) | NodeKind::Mapping(_) => {
                self.at(node.position)
            }
        }
    }

    /// Returns the span of `part` inside a text, or of the text where it cannot be found.
    pub(super) fn part(&self, node: &Node, part: &str) -> Span {
        let NodeKind::Scalar(scalar) = &node.kind else {
            return self.of(node);
        };
        let written = self.text.get(scalar.bytes.clone()).unwrap_or_default();
        match written.find(part) {
            Some(at) if !part.is_empty() => {
                let start = scalar.bytes.start + at;
                self.bytes(start..start + part.len())
            }
            Some(_) | None => self.of(node),
        }
    }

    fn bytes(&self, range: Range<usize>) -> Span {
        let line = self.line_of(range.start);
        let whole = self.line(line);
        let count = |range: Range<usize>| {
            let text = self.text.get(range).unwrap_or_default();
            u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
        };
        let column = count(whole.start..range.start).saturating_add(1);
        let length = count(range.start..range.end.min(whole.end).max(range.start));
        self.span(Position { line, column }, length)
    }

    fn span(&self, position: Position, length: u32) -> Span {
        let range = self.line(position.line);
        let line = self.text.get(range.clone()).unwrap_or_default();
        // The rest of the line goes, too: the columns behind it would tell how long the secret is.
        let starts = self
            .secrets
            .iter()
            .map(|secret| secret.start.max(range.start));
        let starts = starts.zip(&self.secrets).filter(|(start, secret)| {
            secret.start <= range.end && (*start < secret.end) && *start <= range.end
        });
        let hidden = starts.map(|(start, _)| start).min();
        let line = line
            .get(..hidden.map_or(line.len(), |start| start - range.start))
            .unwrap_or_default();
        let mut shown: String = line
            .chars()
            .take(LONGEST_LINE)
            // One character stands for one, so that columns stay what they are.
            .map(|c| match c {
                '\t' => ' ',
                c if clean(c.encode_utf8(&mut [0; 4])).is_empty() => '\u{fffd}',
                c => c,
            })
            .collect();
        let mut length = length;
        if hidden.is_some() {
            let column = usize::try_from(position.column).unwrap_or(usize::MAX);
            if column > shown.chars().count() {
                length = 4;
            }
            shown.push_str("****");
        }
        Span {
            position,
            length: length.max(1),
            line: shown,
        }
    }
}

/// Returns how many of `rest` belong to the word, key, tag or quoted text at its beginning.
fn word(rest: &[char]) -> u32 {
    let length = match rest.first() {
        Some(quote @ ('"' | '\'')) => rest
            .iter()
            .skip(1)
            .position(|c| c == quote)
            .map_or(rest.len(), |end| end + 2),
        Some(_) => rest
            .iter()
            .enumerate()
            .position(|(index, c)| {
                let ends_key = *c == ':' && rest.get(index + 1).is_none_or(|c| c.is_whitespace());
                ends_key || c.is_whitespace() || ",]}".contains(*c)
            })
            .unwrap_or(rest.len()),
        None => 1,
    };
    u32::try_from(length).unwrap_or(1)
}
