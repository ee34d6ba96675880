//! Sentences for people on a terminal, broken at words.

use std::borrow::Cow;

use console::measure_text_width;

/// Returns `text` with each line that is wider than `width` broken at spaces, and what follows indented.
///
/// A line that begins with a space is drawn or is to be copied, one with colours is drawn, and one without an end is a
/// question: these stay as they are. A command with a digest is too wide for most terminals: it goes on in the next line as a
/// shell reads it, since a digest that a terminal breaks is not copied as one. What stands between backticks is kept together
/// where it fits on a line.
pub(super) fn wrapped(text: &str, width: usize) -> Cow<'_, str> {
    let is_wide = |line: &str| {
        line.ends_with('\n')
            && (!line.starts_with([' ', '\t', '\r']) || is_command(line))
            && !line.contains('\u{1b}')
            && measure_text_width(line.trim_end()) > width
    };
    if !text.split_inclusive('\n').any(is_wide) {
        return Cow::Borrowed(text);
    }
    let lines = text.split_inclusive('\n');
    let broken = lines.map(|line| match is_wide(line) {
        true if is_command(line) => Cow::Owned(continued(line.trim_end(), width)),
        true => Cow::Owned(broken(line.trim_end(), width)),
        false => Cow::Borrowed(line),
    });
    Cow::Owned(broken.collect())
}

/// Returns whether a line is a command to be copied, with nothing else in it.
fn is_command(line: &str) -> bool {
    line.starts_with("  stackgate ") && !line.trim().contains("  ")
}

/// Returns a command that goes on in the next line before an option; as it is, where it is too wide then, too.
fn continued(line: &str, width: usize) -> String {
    let mut rows: Vec<String> = Vec::new();
    let mut row = String::from(" ");
    for word in words(line) {
        // A flag is followed by its value.
        if word.starts_with("--") && !row.trim().is_empty() {
            rows.push(std::mem::replace(&mut row, "   ".to_owned()));
        }
        row.push(' ');
        row.push_str(word);
    }
    rows.push(row);
    let mut joined: Vec<String> = Vec::new();
    for row in rows {
        match joined.last_mut() {
            Some(last)
                if measure_text_width(last) + measure_text_width(row.trim_start()) + 3 <= width =>
            {
                last.push(' ');
                last.push_str(row.trim_start());
            }
            Some(_) | None => joined.push(row),
        }
    }
    if joined.iter().any(|row| measure_text_width(row) + 2 > width) {
        return format!("{line}\n");
    }
    format!("{}\n", joined.join(" \\\n"))
}

/// Returns `text` with every line that is wider than `width` broken so, also one that begins with a space or has colours.
pub(super) fn told(text: &str, width: usize) -> String {
    let lines = text.lines().map(|line| {
        if measure_text_width(line) <= width {
            return format!("{line}\n");
        }
        let begin = line.len() - line.trim_start_matches(' ').len();
        broken_under(line, width, (begin, begin + 2))
    });
    lines.collect()
}

/// Returns `text` in lines of at most `room` columns.
pub(in crate::cli) fn lines(text: &str, room: usize) -> Vec<String> {
    let broken = broken_under(text, room, (0, 0));
    broken.lines().map(str::to_owned).collect()
}

fn broken(line: &str, width: usize) -> String {
    broken_under(line, width, (0, 2))
}

/// Breaks a line that begins after `begin` spaces; the others begin after `hang`.
fn broken_under(line: &str, width: usize, (begin, hang): (usize, usize)) -> String {
    let mut out = " ".repeat(begin);
    let mut used = begin;
    let mut is_first = true;
    let room = width.saturating_sub(hang);
    for word in words(line) {
        for (at, part) in parts(word, room).into_iter().enumerate() {
            let wide = measure_text_width(part);
            // What a list is broken at is no space, and what is quoted has its own.
            let gap = usize::from(!is_first && at == 0);
            if !is_first && used + gap + measure_text_width(part.trim_end()) > width {
                out.truncate(out.trim_end_matches(' ').len());
                out.push('\n');
                out.push_str(&" ".repeat(hang));
                used = hang;
            } else if gap > 0 {
                out.push(' ');
                used += 1;
            }
            out.push_str(part);
            used += wide;
            is_first = false;
        }
    }
    out.push('\n');
    out
}

/// Returns a list that is wider than a line in its items, and any other word as it is: a terminal would break it inside of them.
fn parts(word: &str, room: usize) -> Vec<&str> {
    if measure_text_width(word) <= room {
        return vec![word];
    }
    if !word.contains(['`', '\'', '"']) {
        return word.split_inclusive(',').collect();
    }
    // What is quoted and has a digest is broken before that, unless a terminal would break it all the same.
    let pieces: Vec<&str> = word.split_inclusive(' ').collect();
    let wide = |piece: &&str| measure_text_width(piece.trim_end());
    let has_digest = pieces.iter().any(|piece| wide(piece) > LONGEST_WORD);
    match has_digest && pieces.iter().all(|piece| wide(piece) <= room) {
        true => pieces,
        false => vec![word],
    }
}

/// What is longer is no word, and no id of an execution either.
const LONGEST_WORD: usize = 40;

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
    fn a_list_that_is_too_long_is_broken_between_its_items() {
        assert_eq!(
            told("  accounts 111111111111,222222222222,333333333333\n", 30),
            "  accounts 111111111111,\n    222222222222,333333333333\n"
        );
        // In a command, it is there to be copied.
        let command = "`a --accounts 111111111111,222222222222,333333333333`\n";
        assert_eq!(told(command, 30), command);
    }

    #[test]
    fn an_error_and_its_help_are_broken_at_words() {
        let text = "\u{1b}[1merror:\u{1b}[0m execution 0199a1b2 has ended\n  help: see `stackgate status 0199a1b2` for why\n";
        assert_eq!(
            told(text, 30),
            "\u{1b}[1merror:\u{1b}[0m execution 0199a1b2 has\n  ended\n  help: see\n    `stackgate status 0199a1b2`\n    for why\n"
        );
        assert_eq!(
            lines("one `two three` four", 12),
            ["one", "`two three`", "four"]
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
    fn a_digest_is_never_broken() {
        let digest = "58f784401524456e6938ec46ded0a19ad7c926e35f14ad4a551f2afb9eff4d85";
        let id = "01a20b23-b7d1-77c8-8c32-792402860760";
        let command = format!("  stackgate approve {id} --plan {digest} --wave canary\n");
        assert_eq!(
            wrapped(&command, 80),
            format!("  stackgate approve {id} \\\n    --plan {digest} \\\n    --wave canary\n")
        );
        assert_eq!(wrapped(&command, 200), command);
        // Where it does not help, it is left to the terminal.
        assert_eq!(wrapped(&command, 60), command);
        let help = format!("  help: look at it, then add `--plan {digest} --wave canary`\n");
        assert_eq!(
            told(&help, 80),
            format!("  help: look at it, then add `--plan\n    {digest} --wave\n    canary`\n")
        );
        let spaced = "  stackgate resume 0199a1b2   look again\n";
        assert_eq!(wrapped(spaced, 30), spaced);
    }

    #[test]
    fn a_backtick_without_another_quotes_nothing() {
        assert_eq!(
            wrapped("it's a ` b c d e f\n", 10),
            "it's a ` b\n  c d e f\n"
        );
    }
}
