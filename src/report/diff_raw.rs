//! The texts of templates compared line by line: unified, or side by side where there is room.

use super::diff::{not_compared, whose};
use super::diff_data::NotCompared;
use super::diff_words::name_of;
use super::screen::{Line, Page, ScreenOptions, Tone, head, visible};
use super::words::Places;
use crate::diff::{TextDiff, TextLine, TextTag};
use crate::model::Target;

/// The columns from which on the two texts stand side by side.
const WIDE: usize = 120;

/// The lines shown around a change.
const CONTEXT: usize = 3;

/// The texts of templates, compared.
#[derive(Debug, Clone)]
pub struct RawDiff {
    /// What differs, with the targets where it does; no targets where two files are compared.
    pub texts: Vec<(Vec<Target>, RawText)>,
    /// Targets whose stacks do not exist.
    pub new_stacks: Vec<Target>,
    /// Targets that could not be compared.
    pub not_compared: Vec<NotCompared>,
}

/// Two texts, compared.
#[derive(Debug, Clone)]
pub struct RawText {
    /// What the text before is.
    pub before: String,
    /// What the text after is.
    pub after: String,
    /// How they differ as they are shown.
    pub diff: TextDiff,
    /// Whether they differ at all; what is secret is not shown.
    pub differs: bool,
}

impl RawDiff {
    /// Returns whether a text differs, or a stack does not exist.
    pub fn differs(&self) -> bool {
        !self.new_stacks.is_empty() || self.texts.iter().any(|(_, text)| text.differs)
    }

    /// Returns all targets.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Target> {
        let compared = self.texts.iter().flat_map(|(targets, _)| targets);
        let failed = self.not_compared.iter().map(|one| &one.target);
        compared.chain(&self.new_stacks).chain(failed)
    }
}

/// Draws texts line by line.
pub fn raw_diff(all: &RawDiff, options: &ScreenOptions) -> String {
    let mut page = Page::new(options);
    let places = Places::of(all.targets());
    for (index, (targets, text)) in all.texts.iter().enumerate() {
        page.blank();
        if !targets.is_empty() {
            whose(&mut page, &name_of(index), targets, &places);
        }
        one(&mut page, text);
    }
    for target in &all.new_stacks {
        let text = format!("New stack   {}", places.name(target));
        page.line(Line::of(Tone::Good, &text), 4);
    }
    for one in &all.not_compared {
        not_compared(&mut page, one, &places);
    }
    page.finish()
}

fn one(page: &mut Page<'_>, text: &RawText) {
    if text.diff.is_empty() {
        page.line(Line::of(Tone::Dim, same(text)), 2);
    } else if page.options.width >= WIDE {
        side_by_side(page, text);
    } else {
        unified(page, text);
    }
}

/// Returns what is said of texts that look the same.
pub(super) fn same(text: &RawText) -> &'static str {
    if text.differs {
        "only values that are not shown differ, or line breaks"
    } else {
        "no differences"
    }
}

fn unified(page: &mut Page<'_>, text: &RawText) {
    page.verbatim(Line::of(Tone::Strong, &format!("--- {}", text.before)));
    page.verbatim(Line::of(Tone::Strong, &format!("+++ {}", text.after)));
    for hunk in text.diff.hunks(CONTEXT) {
        let header = text.diff.header(hunk);
        page.verbatim(Line::of(Tone::Busy, &header));
        for line in hunk {
            let (marker, tone, _) = style(line.tag);
            let mut shown = Line::of(tone, marker);
            // The marker is a piece of its own.
            let mut said = Line::default();
            for (tone, part) in parts(line) {
                said.push(tone, part);
            }
            shown.join(said);
            page.verbatim(shown);
            if text.diff.ends_without_line_break(line) {
                page.verbatim(Line::of(Tone::Dim, "\\ No newline at end of file"));
            }
        }
    }
}

/// Returns the marker of a line, its tone, and the tone of what differs in it.
fn style(tag: TextTag) -> (&'static str, Tone, Tone) {
    match tag {
        TextTag::Equal => (" ", Tone::Plain, Tone::Plain),
        TextTag::Delete => ("-", Tone::Bad, Tone::Deleted),
        TextTag::Insert => ("+", Tone::Good, Tone::Inserted),
    }
}

/// Returns the parts of a line with their tones.
fn parts(line: &TextLine) -> impl Iterator<Item = (Tone, &str)> {
    let (_, tone, differs) = style(line.tag);
    // A line that is new as a whole has nothing in it to point at.
    let is_all = line.parts.iter().all(|(is_changed, _)| *is_changed);
    line.parts.iter().map(move |(is_changed, part)| {
        let points = *is_changed && !is_all;
        (if points { differs } else { tone }, part.as_str())
    })
}

fn side_by_side(page: &mut Page<'_>, text: &RawText) {
    let half = page.options.width.saturating_sub(3) / 2;
    let bar = if page.options.unicode { " │ " } else { " | " };
    let last = text.diff.lines().iter().rev();
    let most = last
        .filter_map(|line| line.old_line.max(line.new_line))
        .next();
    let digits = most.unwrap_or_default().to_string().len();
    let mut title = Line::of(Tone::Strong, &page.options.shorten(&text.before, half));
    title.pad(half, 0);
    title.push(Tone::Dim, bar);
    title.push(Tone::Strong, &page.options.shorten(&text.after, half));
    page.verbatim(title);
    for (index, hunk) in text.diff.hunks(CONTEXT).into_iter().enumerate() {
        if index > 0 {
            page.verbatim(Line::of(Tone::Dim, page.glyphs.ellipsis));
        }
        for (old, new) in rows(hunk) {
            let left = old.map(|line| cell(line, line.old_line, digits, half));
            let right = new.map(|line| cell(line, line.new_line, digits, half));
            let (left, right) = (left.unwrap_or_default(), right.unwrap_or_default());
            for at in 0..left.len().max(right.len()) {
                let mut row = left.get(at).cloned().unwrap_or_default();
                row.pad(half, 0);
                row.push(Tone::Dim, bar);
                row.join(right.get(at).cloned().unwrap_or_default());
                page.verbatim(row);
            }
        }
    }
}

/// Returns the lines of a hunk in pairs: what is the same, or what was replaced by what.
fn rows(hunk: &[TextLine]) -> Vec<(Option<&TextLine>, Option<&TextLine>)> {
    let mut rows = Vec::new();
    let mut lines = hunk;
    while let Some((first, rest)) = lines.split_first() {
        if first.tag == TextTag::Equal {
            rows.push((Some(first), Some(first)));
            lines = rest;
            continue;
        }
        let of =
            |lines: &[TextLine], tag: TextTag| lines.iter().take_while(|l| l.tag == tag).count();
        let (old, rest) = lines.split_at(of(lines, TextTag::Delete));
        let (new, rest) = rest.split_at(of(rest, TextTag::Insert));
        for at in 0..old.len().max(new.len()) {
            rows.push((old.get(at), new.get(at)));
        }
        lines = rest;
    }
    rows
}

/// Returns a line of one side with its number, over as many lines as its half of the screen needs.
fn cell(line: &TextLine, number: Option<usize>, digits: usize, half: usize) -> Vec<Line> {
    let (marker, tone, _) = style(line.tag);
    let number = number.map_or_else(String::new, |number| number.to_string());
    let begin = |number: &str, marker: &str| {
        Line::of(Tone::Dim, &format!("{number:>digits$} ")).add(tone, &format!("{marker} "))
    };
    let mut current = begin(&number, marker);
    let mut done = Vec::new();
    for (tone, part) in parts(line) {
        let part = visible(part);
        let mut rest = part.as_str();
        while !rest.is_empty() {
            let room = half.saturating_sub(current.columns());
            let fitting = head(rest, room);
            if fitting.is_empty() && current.columns() > digits + 3 {
                done.push(std::mem::replace(&mut current, begin("", " ")));
                continue;
            }
            // A character that is wider than the half itself is shown nevertheless.
            let first = rest.chars().next().map_or(0, char::len_utf8);
            let (shown, others) = rest.split_at(fitting.len().max(first));
            current.push(tone, shown);
            rest = others;
        }
    }
    done.push(current);
    done
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::assert_screens;
    use super::super::screen::columns;
    use super::*;
    use crate::diff::text_diff;

    fn of(before: &str, after: &str) -> RawDiff {
        let text = RawText {
            before: "before.yaml".into(),
            after: "after.yaml".into(),
            diff: text_diff(before, after),
            differs: before != after,
        };
        RawDiff {
            texts: vec![(Vec::new(), text)],
            new_stacks: Vec::new(),
            not_compared: Vec::new(),
        }
    }

    fn sample() -> RawDiff {
        let long = "x".repeat(70);
        of(
            &format!(
                "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    Properties:\n      Delay: 30 # seconds\n      Name: {long}\n      Old: 1\n  A: 1\n  B: 2\n  C: 3\n  D: 4\n  E: 5\n  F: 6\n  G: 7\n  H: 8\n  Last: 日本\u{1b}[31m"
            ),
            &format!(
                "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    Properties:\n      Delay: 60 # seconds\n      Name: {long}\n  A: 1\n  B: 2\n  C: 3\n  D: 4\n  E: 5\n  F: 6\n  G: 7\n  H: 8\n  Last: 日本語 {long}\n  More: true\n"
            ),
        )
    }

    #[test]
    fn texts_stand_below_each_other_or_side_by_side() {
        assert_screens!("diff_raw", |options: &ScreenOptions| raw_diff(
            &sample(),
            options
        ));
    }

    #[test]
    fn both_halves_fit_the_screen() {
        for width in [120, 133, 160] {
            let options = ScreenOptions {
                width,
                ..ScreenOptions::default()
            };
            let text = raw_diff(&sample(), &options);
            let widest = text.lines().map(columns).max();
            assert!(widest <= Some(width), "{width}: {widest:?}\n{text}");
        }
    }

    #[test]
    fn what_is_only_masked_is_said_to_differ() {
        let mut all = of("a\n", "a\n");
        assert_eq!(
            raw_diff(&all, &ScreenOptions::default()),
            "no differences\n"
        );
        all.texts[0].1.differs = true;
        let text = raw_diff(&all, &ScreenOptions::default());
        assert!(text.contains("not shown differ"), "{text}");
    }
}
