//! Sentences for people on a terminal, broken at words.

use std::borrow::Cow;

use console::measure_text_width;

/// Returns `text` with each line that is wider than `width` broken at spaces, and what follows indented.
///
/// A line that begins with a space is drawn or is to be copied, one with colours is drawn, and one without an end is a
/// question: these stay as they are. What stands between backticks is kept together where it fits on a line.
pub(super) fn wrapped(text: &str, width: usize) -> Cow<'_, str> {
    let is_wide = |line: &str| {
        line.ends_with('\n')
            && !line.starts_with([' ', '\t', '\r'])
            && !line.contains('\u{1b}')
            && measure_text_width(line.trim_end()) > width
    };
    if !text.split_inclusive('\n').any(is_wide) {
        return Cow::Borrowed(text);
    }
    let lines = text.split_inclusive('\n');
    let broken = lines.map(|line| match is_wide(line) {
        true => Cow::Owned(broken(line.trim_end(), width)),
        false => Cow::Borrowed(line),
    });
    Cow::Owned(broken.collect())
}

fn broken(line: &str, width: usize) -> String {
    let mut out = String::with_capacity(line.len() + 16);
    let mut used = 0;
    for word in words(line) {
        let wide = measure_text_width(word);
        if used > 0 && used + 1 + wide > width {
            out.push_str("\n  ");
            used = 2;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += wide;
    }
    out.push('\n');
    out
}

/// Returns the words of `line`; spaces between backticks are part of a word.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut begin = 0;
    let mut is_quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '`' => is_quoted = !is_quoted && line[at + 1..].contains('`'),
            ' ' if !is_quoted => {
                words.push(&line[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    words.push(&line[begin..]);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_broken_at_words() {
        let text = "note: one two three four five\nhint: do it with `a b c`\n";
        assert_eq!(
            wrapped(text, 20),
            "note: one two three\n  four five\nhint: do it with\n  `a b c`\n"
        );
        assert_eq!(
            wrapped("note: `a b c` d e\n", 8),
            "note:\n  `a b c`\n  d e\n"
        );
    }

    #[test]
    fn what_is_drawn_copied_or_asked_stays_as_it_is() {
        for text in [
            "short\n",
            "  stackgate rollback 0199a1b2 --yes\n",
            "\u{1b}[1mcolour\u{1b}[0m and many words more\n",
            "Approve plan 12345678 for 4 targets? ",
            "arn:aws:cloudformation:eu-west-1\n",
            "",
        ] {
            let found = wrapped(text, 12);
            assert_eq!(found, text);
        }
    }

    #[test]
    fn a_backtick_without_another_quotes_nothing() {
        assert_eq!(
            wrapped("it's a ` b c d e f\n", 10),
            "it's a ` b\n  c d e f\n"
        );
    }
}
