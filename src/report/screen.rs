//! Lines of text with tones: the only way by which text gets onto a screen, so that all of it is
//! made safe, measured and coloured in one place.

use anstyle::{AnsiColor, Style};
use console::measure_text_width;
use jiff::Timestamp;

/// How a screen is drawn. Nothing here is looked up: whoever prints decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScreenOptions {
    /// The columns to keep to.
    pub width: usize,
    /// Whether to colour; nothing is said by colour alone.
    pub colour: bool,
    /// Whether the terminal shows more than ASCII.
    pub unicode: bool,
    /// Whether to show everything, nothing shortened or left out.
    pub full: bool,
    /// The present time, for durations up to now; without it only times are shown.
    pub now: Option<Timestamp>,
}

impl Default for ScreenOptions {
    /// Returns what suits a pipe: 80 columns without colour.
    fn default() -> Self {
        Self {
            width: 80,
            colour: false,
            unicode: true,
            full: false,
            now: None,
        }
    }
}

/// What a piece of text means, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// Ordinary text.
    Plain,
    /// What to look at first.
    Strong,
    /// What can be passed over.
    Dim,
    /// Went well, or is added.
    Good,
    /// Changes, or needs care.
    Warn,
    /// Failed, goes away, or is dangerous.
    Bad,
    /// Under way.
    Busy,
    /// The part of an added line that differs.
    Inserted,
    /// The part of a removed line that differs.
    Deleted,
}

impl Tone {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Tone::Plain => Style::new(),
            Tone::Strong => Style::new().bold(),
            Tone::Dim => Style::new().dimmed(),
            Tone::Good => colour(AnsiColor::Green),
            Tone::Warn => colour(AnsiColor::Yellow),
            Tone::Bad => colour(AnsiColor::Red).bold(),
            Tone::Busy => colour(AnsiColor::Cyan),
            Tone::Inserted => colour(AnsiColor::Green).bold().invert(),
            Tone::Deleted => colour(AnsiColor::Red).bold().invert(),
        }
    }
}

/// The characters that differ between terminals.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glyphs {
    pub(super) arrow: &'static str,
    pub(super) dot: &'static str,
    pub(super) ellipsis: &'static str,
    pub(super) replace: &'static str,
    pub(super) bar: &'static str,
    pub(super) bar_left: &'static str,
    pub(super) good: &'static str,
    pub(super) bad: &'static str,
    pub(super) busy: &'static str,
    pub(super) idle: &'static str,
}

const UNICODE: Glyphs = Glyphs {
    arrow: "→",
    dot: "·",
    ellipsis: "…",
    replace: "±",
    bar: "━",
    bar_left: "╌",
    good: "✓",
    bad: "✗",
    busy: "▸",
    idle: "·",
};

const ASCII: Glyphs = Glyphs {
    arrow: "->",
    dot: "|",
    ellipsis: "...",
    replace: "-/+",
    bar: "=",
    bar_left: "-",
    good: "+",
    bad: "x",
    busy: ">",
    idle: ".",
};

impl ScreenOptions {
    pub(super) fn glyphs(&self) -> Glyphs {
        if self.unicode { UNICODE } else { ASCII }
    }

    /// Returns `text` in at most `width` columns, the end cut off.
    pub(super) fn shorten(&self, text: &str, width: usize) -> String {
        shorten(text, width, self.glyphs().ellipsis)
    }

    /// Returns `text` in at most `width` columns, the middle cut out: of names, the end tells as much as the beginning.
    pub(super) fn shorten_middle(&self, text: &str, width: usize) -> String {
        let text = visible(text);
        let ellipsis = self.glyphs().ellipsis;
        if columns(&text) <= width || width <= columns(ellipsis) {
            return shorten(&text, width, ellipsis);
        }
        let room = width - columns(ellipsis);
        let end = tail(&text, room / 2);
        format!("{}{ellipsis}{end}", head(&text, room - columns(end)))
    }
}

/// Returns `text` safe to show and with nothing invisible in it.
///
/// Characters without a width could make two different values look equal, so they are spelled out.
pub(super) fn visible(text: &str) -> String {
    let cleaned = crate::model::clean(text);
    if cleaned.is_ascii() {
        return cleaned;
    }
    let mut out = String::with_capacity(cleaned.len());
    for c in cleaned.chars() {
        match c {
            '\u{ad}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200d}'
            | '\u{2060}'..='\u{2064}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}' => out.push_str(&format!("<U+{:04X}>", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// Returns the columns that `text` takes.
pub(super) fn columns(text: &str) -> usize {
    measure_text_width(text)
}

fn char_columns(c: char) -> usize {
    let mut buffer = [0; 4];
    columns(c.encode_utf8(&mut buffer))
}

pub(super) fn shorten(text: &str, width: usize, ellipsis: &str) -> String {
    let text = visible(text);
    if columns(&text) <= width {
        return text;
    }
    let room = width.saturating_sub(columns(ellipsis));
    let mut out = head(&text, room).to_owned();
    if width >= columns(ellipsis) {
        out.push_str(ellipsis);
    }
    out
}

/// Returns the beginning of `text` that fits into `room` columns.
pub(super) fn head(text: &str, room: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += char_columns(c);
        if used > room {
            return &text[..at];
        }
    }
    text
}

/// Returns the end of `text` that fits into `room` columns.
pub(super) fn tail(text: &str, room: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices().rev() {
        used += char_columns(c);
        if used > room {
            return &text[at + c.len_utf8()..];
        }
    }
    text
}

/// One line: pieces of text, each with a tone.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    pieces: Vec<(Tone, String)>,
    columns: usize,
}

impl Line {
    /// Returns a line that begins with `indent` spaces.
    pub(super) fn indent(indent: usize) -> Self {
        let mut line = Self::default();
        line.spaces(indent);
        line
    }

    /// Returns a line that is `text`.
    pub(super) fn of(tone: Tone, text: &str) -> Self {
        Self::default().add(tone, text)
    }

    /// Appends `text`, made safe.
    pub(super) fn push(&mut self, tone: Tone, text: &str) {
        let text = visible(text);
        self.columns += columns(&text);
        match self.pieces.last_mut() {
            Some((last, pieces)) if *last == tone => pieces.push_str(&text),
            Some(_) | None => self.pieces.push((tone, text)),
        }
    }

    /// Returns the line with `text` appended.
    pub(super) fn add(mut self, tone: Tone, text: &str) -> Self {
        self.push(tone, text);
        self
    }

    /// Appends spaces.
    pub(super) fn spaces(&mut self, count: usize) {
        self.columns += count;
        self.pieces.push((Tone::Plain, " ".repeat(count)));
    }

    /// Appends spaces up to `column`, and at least `gap` of them.
    pub(super) fn pad(&mut self, column: usize, gap: usize) {
        self.spaces(column.saturating_sub(self.columns).max(gap));
    }

    /// Appends another line.
    pub(super) fn join(&mut self, other: Line) {
        self.columns += other.columns;
        self.pieces.extend(other.pieces);
    }

    /// Returns the columns of the line.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Returns the line as text, without a line break.
    pub(super) fn render(&self, colour: bool) -> String {
        let mut out = String::new();
        let last = self
            .pieces
            .iter()
            .rposition(|(_, text)| !text.trim_end().is_empty());
        let Some(last) = last else {
            return out;
        };
        for (at, (tone, text)) in self.pieces.iter().enumerate().take(last + 1) {
            let text = if at == last { text.trim_end() } else { text };
            let style = tone.style();
            if colour && !style.is_plain() && !text.trim().is_empty() {
                out.push_str(&format!("{style}{text}{style:#}"));
            } else {
                out.push_str(text);
            }
        }
        out
    }

    /// Returns the line over as many as it needs, broken at spaces; those after the first begin under column `hang`.
    ///
    /// A word that is longer than a line stays whole, and so does a quoted command that fits into one: it is there to be copied.
    pub(super) fn wrap(self, width: usize, hang: usize) -> Vec<Line> {
        if self.columns <= width {
            return vec![self];
        }
        let mut out = Vec::new();
        let mut current = Line::default();
        let mut begun = false;
        let mut continued = false;
        for word in self.words(width.saturating_sub(hang)) {
            let wide: usize = word.iter().map(|(_, text)| columns(text)).sum();
            let spaces = word.last().map_or(0, |(_, text)| {
                columns(text) - columns(text.trim_end_matches(' '))
            });
            let is_space = word.iter().all(|(_, text)| text.trim().is_empty());
            if begun && current.columns + wide - spaces > width {
                out.push(std::mem::replace(&mut current, Line::indent(hang)));
                begun = false;
                continued = true;
            }
            if is_space && continued && !begun {
                // Spaces at the beginning of a continued line would move it.
                continue;
            }
            begun |= !is_space;
            for (tone, text) in word {
                current.push(tone, text);
            }
        }
        out.push(current);
        out
    }

    /// Returns the words of the line, each with the spaces after it, in pieces of one tone; a word may change its tone.
    fn words(&self, room: usize) -> Vec<Vec<(Tone, &str)>> {
        let text: String = self.pieces.iter().map(|(_, text)| text.as_str()).collect();
        let mut ends = ends_of_words(&text, room).into_iter().peekable();
        let mut words = Vec::new();
        let mut word = Vec::new();
        let mut begin = 0;
        for (tone, piece) in &self.pieces {
            let mut rest = piece.as_str();
            while let Some(end) = ends.next_if(|end| *end <= begin + rest.len()) {
                let (last, others) = rest.split_at(end - begin);
                word.push((*tone, last));
                words.push(std::mem::take(&mut word));
                begin = end;
                rest = others;
            }
            if !rest.is_empty() {
                word.push((*tone, rest));
                begin += rest.len();
            }
        }
        words
    }

    /// Returns the line over at most `most` lines; what does not fit there is cut by whoever draws the last one.
    pub(super) fn wrap_within(self, width: usize, hang: usize, most: usize) -> Vec<Line> {
        let mut lines = self.wrap(width, hang);
        if lines.len() > most.max(1) {
            let rest = lines.split_off(most.max(1));
            if let Some(last) = lines.last_mut() {
                for line in rest {
                    // Each begins with its indent, and the one before ends in the space between.
                    for (at, (tone, text)) in line.pieces.iter().enumerate() {
                        let text = if at == 0 { text.trim_start() } else { text };
                        if text.is_empty() {
                            continue;
                        }
                        last.push(*tone, text);
                    }
                }
            }
        }
        lines
    }

    /// Returns the line cut to `width` columns, as text.
    pub(super) fn render_cut(&self, options: &ScreenOptions) -> String {
        if self.columns <= options.width {
            return self.render(options.colour);
        }
        let ellipsis = options.glyphs().ellipsis;
        let mut room = options.width.saturating_sub(columns(ellipsis));
        let mut cut = Line::default();
        for (tone, text) in &self.pieces {
            let kept = head(text, room);
            room -= columns(kept);
            cut.push(*tone, kept);
            if kept.len() < text.len() {
                cut.push(*tone, ellipsis);
                break;
            }
        }
        cut.render(options.colour)
    }
}

/// A screen under construction.
pub(super) struct Page<'a> {
    pub(super) options: &'a ScreenOptions,
    pub(super) glyphs: Glyphs,
    out: String,
}

impl<'a> Page<'a> {
    /// Returns an empty page.
    pub(super) fn new(options: &'a ScreenOptions) -> Self {
        Self {
            options,
            glyphs: options.glyphs(),
            out: String::new(),
        }
    }

    /// Adds an empty line, unless the page is empty or ends in one.
    pub(super) fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// Adds a line; what does not fit goes on under column `hang`, broken at spaces.
    ///
    /// A word that is longer than a line stays whole: an ARN or a command that is cut cannot be copied.
    pub(super) fn line(&mut self, line: Line, hang: usize) {
        for line in line.wrap(self.options.width, hang) {
            self.put(&line);
        }
    }

    /// Adds a line as it is, however long.
    pub(super) fn verbatim(&mut self, line: Line) {
        self.put(&line);
    }

    /// Adds a line, cut where it does not fit.
    pub(super) fn cut(&mut self, line: &Line) {
        self.out.push_str(&line.render_cut(self.options));
        self.out.push('\n');
    }

    /// Adds the items, separated by a dot, over as many lines as they need. `first` begins the first
    /// line and may be empty; the other lines begin at column `hang`.
    pub(super) fn items(&mut self, first: Line, hang: usize, tone: Tone, items: &[String]) {
        let dot = format!(" {} ", self.glyphs.dot);
        let mut line = first;
        let mut begun = false;
        for item in items {
            let wide = columns(&visible(item)) + if begun { columns(&dot) } else { 0 };
            if begun && line.columns + wide > self.options.width {
                self.put(&line);
                line = Line::indent(hang);
                begun = false;
            }
            if !begun && line.columns + columns(&visible(item)) > self.options.width {
                // Wider than a line of its own: it goes on in the next one.
                line.push(tone, item);
                self.line(line, hang + 2);
                line = Line::indent(hang);
                continue;
            }
            if begun {
                line.push(Tone::Dim, &dot);
            }
            line.push(tone, item);
            begun = true;
        }
        if begun || items.is_empty() || line.columns > hang {
            self.put(&line);
        }
    }

    /// Returns the page; every line ends in a line break.
    pub(super) fn finish(self) -> String {
        self.out
    }

    fn put(&mut self, line: &Line) {
        self.out.push_str(&line.render(self.options.colour));
        self.out.push('\n');
    }
}

/// Returns where the words of `text` end, each with the spaces after it; leading spaces are a word, and what stands between
/// backticks is one where it fits into `room` columns.
fn ends_of_words(text: &str, room: usize) -> Vec<usize> {
    let mut ends = Vec::new();
    let (mut quoted_until, mut is_kept) = (0, false);
    let mut last = '\0';
    for (at, c) in text.char_indices() {
        let is_quoted = at < quoted_until;
        if last == ' ' && c != ' ' && !(is_quoted && is_kept) {
            ends.push(at);
        }
        if c == '`'
            && !is_quoted
            && let Some(long) = text[at + 1..].find('`')
        {
            quoted_until = at + long + 2;
            is_kept = columns(&text[at..quoted_until]) <= room;
        }
        last = c;
    }
    ends.push(text.len());
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrow(width: usize) -> ScreenOptions {
        ScreenOptions {
            width,
            ..ScreenOptions::default()
        }
    }

    #[test]
    fn text_is_cut_by_columns_not_by_bytes() {
        assert_eq!(shorten("abcdef", 6, "…"), "abcdef");
        assert_eq!(shorten("abcdefg", 6, "…"), "abcde…");
        assert_eq!(shorten("日本語日本語", 6, "…"), "日本…");
        assert_eq!(shorten("abcdefg", 0, "…"), "");
        assert_eq!(head("日本語", 3), "日");
        assert_eq!(tail("日本語", 3), "語");
        assert_eq!(tail("abc", 9), "abc");
    }

    #[test]
    fn of_a_name_both_ends_are_kept() {
        let middle = |text, width| ScreenOptions::default().shorten_middle(text, width);
        assert_eq!(middle("platform-network-production", 12), "platfo…ction");
        assert_eq!(middle("short", 5), "short");
        assert_eq!(middle("日本語日本語", 7), "日本…語");
        assert_eq!(middle("abcdef", 1), "…");
        for width in 0..20 {
            let text = middle("a日\u{1b}[31m本b語日\u{202e}本語", width);
            assert!(columns(&text) <= width, "{width}: {text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
    }

    #[test]
    fn invisible_characters_are_spelled_out() {
        assert_eq!(visible("a\u{200b}b\u{1b}[31m\u{202e}"), "a<U+200B>b[31m");
    }

    #[test]
    fn lines_break_at_spaces_and_keep_long_words_whole() {
        let options = narrow(12);
        let mut page = Page::new(&options);
        let text = "  one two three arn:aws:sqs:us-east-1:1 end";
        page.line(Line::of(Tone::Plain, text), 4);
        assert_eq!(
            page.finish(),
            "  one two\n    three\n    arn:aws:sqs:us-east-1:1\n    end\n"
        );
    }

    #[test]
    fn a_word_of_two_tones_is_not_broken_where_the_tone_changes() {
        let line = || Line::of(Tone::Plain, "  one account ").add(Tone::Strong, "111111111111");
        let line = line().add(Tone::Plain, "/eu-west-1, and more");
        let drawn = line.wrap(30, 4).into_iter().map(|l| l.render(false));
        assert_eq!(
            drawn.collect::<Vec<_>>(),
            [
                "  one account",
                "    111111111111/eu-west-1,",
                "    and more"
            ]
        );
    }

    #[test]
    fn a_quoted_command_is_kept_whole_where_it_fits_into_a_line() {
        let drawn = |text: &str| -> Vec<String> {
            let lines = Line::of(Tone::Plain, text).wrap(24, 2);
            lines.iter().map(|line| line.render(false)).collect()
        };
        assert_eq!(
            drawn("see why, then delete it with `stackgate delete a` and go on"),
            [
                "see why, then delete it",
                "  with",
                "  `stackgate delete a`",
                "  and go on"
            ]
        );
        // Too long for any line: it is broken at its spaces.
        assert_eq!(
            drawn("or `stackgate delete network --regions a` now"),
            ["or `stackgate delete", "  network --regions a`", "  now"]
        );
        assert_eq!(
            drawn("a ` alone quotes nothing at all"),
            ["a ` alone quotes nothing", "  at all"]
        );
    }

    #[test]
    fn a_line_takes_no_more_lines_than_it_may() {
        let line = || Line::of(Tone::Plain, "one two three").add(Tone::Dim, "  four five six");
        let drawn = |most| -> Vec<String> {
            let lines = line().wrap_within(12, 2, most);
            lines.iter().map(|l| l.render_cut(&narrow(12))).collect()
        };
        assert_eq!(drawn(0), ["one two thr…"]);
        assert_eq!(drawn(1), ["one two thr…"]);
        assert_eq!(drawn(2), ["one two", "  three  fo…"]);
        assert_eq!(drawn(9), ["one two", "  three", "  four five", "  six"]);
    }

    #[test]
    fn items_are_never_broken() {
        let options = narrow(20);
        let mut page = Page::new(&options);
        let items = ["one one", "two two", "three"].map(str::to_owned);
        page.items(Line::indent(2), 2, Tone::Plain, &items);
        assert_eq!(page.finish(), "  one one · two two\n  three\n");
    }

    #[test]
    fn colour_does_not_change_the_width_of_a_cut_line() {
        for colour in [false, true] {
            let options = ScreenOptions {
                colour,
                ..narrow(8)
            };
            let line = Line::of(Tone::Bad, "abcde").add(Tone::Good, "fghijk");
            assert_eq!(columns(&line.render_cut(&options)), 8);
        }
    }
}
