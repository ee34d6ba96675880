//! The text of a template before and after.

use std::time::Duration;

use similar::{Algorithm, ChangeTag, DiffTag, InlineChange};

/// Past this the diff is coarser, never late: a review waits for it.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Where more lines than this were rewritten together, no words are compared: nothing is to be learned from it.
const MOST_EMPHASISED: usize = 200;

/// Two texts compared line by line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextDiff {
    lines: Vec<TextLine>,
    missing_line_break: (bool, bool),
}

/// A line of one text or of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLine {
    /// Which text it is in.
    pub tag: TextTag,
    /// Its number in the old text, from 1.
    pub old_line: Option<usize>,
    /// Its number in the new text, from 1.
    pub new_line: Option<usize>,
    /// Its text without the line break, in parts; the flag says whether the part is what changed in the line.
    pub parts: Vec<(bool, String)>,
}

/// Which text a line is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextTag {
    /// Both.
    Equal,
    /// Only the old one.
    Delete,
    /// Only the new one.
    Insert,
}

impl TextLine {
    /// Returns its text without the line break.
    pub fn text(&self) -> String {
        self.parts.iter().map(|(_, part)| part.as_str()).collect()
    }
}

impl TextDiff {
    /// Returns all lines in order, deleted ones before the inserted ones that replace them.
    pub fn lines(&self) -> &[TextLine] {
        &self.lines
    }

    /// Returns whether the texts are the same.
    pub fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.tag == TextTag::Equal)
    }

    /// Returns the parts of the text that changed, each with `context` lines around it.
    pub fn hunks(&self, context: usize) -> Vec<&[TextLine]> {
        let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
        for (index, line) in self.lines.iter().enumerate() {
            if line.tag == TextTag::Equal {
                continue;
            }
            let start = index.saturating_sub(context);
            let end = index
                .saturating_add(context)
                .saturating_add(1)
                .min(self.lines.len());
            match ranges.last_mut() {
                Some(last) if start <= last.end => last.end = end,
                Some(_) | None => ranges.push(start..end),
            }
        }
        ranges
            .into_iter()
            .filter_map(|range| self.lines.get(range))
            .collect()
    }

    /// Returns the unified form without file names, `context` lines around each change; empty where
    /// nothing changed.
    pub fn unified(&self, context: usize) -> String {
        let mut text = String::new();
        for hunk in self.hunks(context) {
            text.push_str(&self.header(hunk));
            text.push('\n');
            for line in hunk {
                text.push(match line.tag {
                    TextTag::Equal => ' ',
                    TextTag::Delete => '-',
                    TextTag::Insert => '+',
                });
                text.push_str(&line.text());
                text.push('\n');
                if self.ends_without_line_break(line) {
                    text.push_str("\\ No newline at end of file\n");
                }
            }
        }
        text
    }

    /// Returns the header of a hunk: the lines that it has of either text.
    pub fn header(&self, hunk: &[TextLine]) -> String {
        let old = span(hunk, |line| line.old_line);
        let new = span(hunk, |line| line.new_line);
        format!("@@ -{old} +{new} @@")
    }

    /// Returns whether the line is the last of a text that does not end in a line break.
    pub fn ends_without_line_break(&self, line: &TextLine) -> bool {
        let last = |number: fn(&TextLine) -> Option<usize>| {
            self.lines.iter().rev().find_map(number) == number(line) && number(line).is_some()
        };
        match line.tag {
            TextTag::Delete => self.missing_line_break.0 && last(|line| line.old_line),
            TextTag::Insert | TextTag::Equal => {
                self.missing_line_break.1 && last(|line| line.new_line)
            }
        }
    }
}

/// Returns first line and number of lines, as a hunk's header has them.
fn span(hunk: &[TextLine], number: impl Fn(&TextLine) -> Option<usize>) -> String {
    let numbers: Vec<usize> = hunk.iter().filter_map(number).collect();
    match numbers.as_slice() {
        // Only an empty text has a hunk without lines of it; a context of 0 leaves one too.
        [] => "0,0".to_owned(),
        [line] => line.to_string(),
        [first, ..] => format!("{first},{}", numbers.len()),
    }
}

/// Returns how `new` differs from `old`.
pub fn text_diff(old: &str, new: &str) -> TextDiff {
    let diff = similar::TextDiff::configure()
        .algorithm(Algorithm::Patience)
        .timeout(TIMEOUT)
        .diff_lines(old, new);
    let lines = diff
        .ops()
        .iter()
        .flat_map(|operation| {
            let changed = operation.old_range().len() + operation.new_range().len();
            if operation.tag() != DiffTag::Replace || changed > MOST_EMPHASISED {
                let changes = diff.iter_changes(operation);
                changes.map(InlineChange::from).collect::<Vec<_>>()
            } else {
                diff.iter_inline_changes(operation).collect()
            }
        })
        .map(|change| TextLine {
            tag: match change.tag() {
                ChangeTag::Equal => TextTag::Equal,
                ChangeTag::Delete => TextTag::Delete,
                ChangeTag::Insert => TextTag::Insert,
            },
            old_line: change.old_index().map(|index| index + 1),
            new_line: change.new_index().map(|index| index + 1),
            parts: change
                .values()
                .iter()
                .map(|(is_changed, part)| {
                    (*is_changed, part.trim_end_matches(['\r', '\n']).to_owned())
                })
                .filter(|(_, part)| !part.is_empty())
                .collect(),
        })
        .collect();
    let is_missing = |text: &str| !text.is_empty() && !text.ends_with('\n');
    TextDiff {
        lines,
        missing_line_break: (is_missing(old), is_missing(new)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unified_form_is_that_of_diff() {
        let old = "a\nb\nc\nd\ne\nf\ng\n";
        let new = "a\nb\nC\nd\ne\nf\ng\nh\n";
        assert_eq!(
            text_diff(old, new).unified(1),
            "@@ -2,3 +2,3 @@\n b\n-c\n+C\n d\n@@ -7 +7,2 @@\n g\n+h\n"
        );
        assert_eq!(text_diff(old, old).unified(3), "");
        assert!(text_diff(old, old).is_empty());
        assert_eq!(text_diff("", "a\n").unified(3), "@@ -0,0 +1 @@\n+a\n");
        assert_eq!(
            text_diff("a", "b\n").unified(3),
            "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n"
        );
    }

    #[test]
    fn what_changed_in_a_line_is_marked() {
        let diff = text_diff("  Delay: 30 # seconds\n", "  Delay: 60 # seconds\n");
        let marked: Vec<_> = diff
            .lines()
            .iter()
            .flat_map(|line| line.parts.iter().filter(|(is_changed, _)| *is_changed))
            .map(|(_, part)| part.as_str())
            .collect();
        assert_eq!(marked, ["30", "60"]);
        assert_eq!(diff.lines()[0].old_line, Some(1));
        assert_eq!(diff.lines()[1].new_line, Some(1));
    }

    proptest::proptest! {
        #[test]
        fn invariant_both_texts_can_be_read_back(
            old in proptest::collection::vec("[ab]{0,3}", 0..12),
            new in proptest::collection::vec("[ab]{0,3}", 0..12),
        ) {
            let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
            let diff = text_diff(&text(&old), &text(&new));
            let side = |without: TextTag| -> Vec<String> {
                diff.lines().iter().filter(|l| l.tag != without).map(TextLine::text).collect()
            };
            proptest::prop_assert_eq!(side(TextTag::Insert), old);
            proptest::prop_assert_eq!(side(TextTag::Delete), new);
        }
    }
}
