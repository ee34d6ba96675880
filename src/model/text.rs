//! Text from outside, made safe to show.

use std::borrow::Cow;

/// Returns `text` without control and bidirectional characters; line breaks and tabs become spaces.
///
/// Reasons, commit messages and template text reach terminals; an escape sequence or a direction
/// override in them could hide what is being approved.
pub fn clean(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '\n' | '\r' | '\t' => Some(' '),
            c if c.is_control() => None,
            '\u{200e}'
            | '\u{200f}'
            | '\u{061c}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}' => None,
            c => Some(c),
        })
        .collect()
}

/// Returns bytes in Base64.
pub fn base64(bytes: &[u8]) -> String {
    let letter = |bits: u32| {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        char::from(letters[(bits & 63) as usize])
    };
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |index: usize| u32::from(three.get(index).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            // Three bytes make four letters, two make three, and one makes two.
            out.push(if place <= three.len() {
                letter(bits >> (18 - 6 * place))
            } else {
                '='
            });
        }
    }
    out
}

/// Returns `text` in which no line is a command to a CI system that reads commands from the log.
///
/// GitHub takes a line that begins with `::error::`, `::add-mask::` or the like as one, whatever is before it but spaces, and
/// `##[` anywhere; Azure takes `##vso[`. A value of a template that a line happens to begin with must not be one, so a
/// space is put where the command would be recognised.
pub fn inert(text: &str) -> Cow<'_, str> {
    if !text.contains("::") && !text.contains("##") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for line in text.split_inclusive(['\n', '\r']) {
        let begin = line.len() - after_nothing(line).len();
        let (before, rest) = line.split_at(begin);
        out.push_str(before);
        let rest = match rest.strip_prefix("::") {
            Some(rest) => {
                out.push_str(": :");
                rest
            }
            None => rest,
        };
        out.push_str(&rest.replace("##[", "# #[").replace("##vso[", "# #vso["));
    }
    Cow::Owned(out)
}

/// Returns the rest of a line after the spaces and colours that it begins with.
fn after_nothing(line: &str) -> &str {
    let mut rest = line;
    loop {
        let trimmed = rest.trim_start();
        // A colour may be taken out on the way to the log.
        let coloured = trimmed.strip_prefix("\u{1b}[").map(|code| {
            let end = code.find(|c: char| c.is_ascii_alphabetic());
            end.map_or("", |end| &code[end + 1..])
        });
        match coloured {
            Some(after) => rest = after,
            None => return trimmed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_direction_overrides_are_removed() {
        assert_eq!(clean("a\u{1b}[31mb\u{202e}c\nd\u{9b}e"), "a[31mbc de");
    }

    #[test]
    fn no_line_is_a_command_to_a_ci_system() {
        let hostile = "a ::error::b\n::error::c\n  ::add-mask::d\n\u{1b}[2m \u{1b}[0m::set-output name=x::y\n\
                       said: ##[error]e ##vso[task.setvariable]f\n###[g\n\u{2003}::h\n::\u{1b}[";
        let shown = inert(hostile);
        for line in shown.lines() {
            let plain = line.replace("\u{1b}[2m", "").replace("\u{1b}[0m", "");
            assert!(!plain.trim_start().starts_with("::"), "{line:?}");
            assert!(
                !plain.contains("##[") && !plain.contains("##vso["),
                "{line:?}"
            );
        }
        assert!(shown.starts_with("a ::error::b\n: :error::c\n  : :add-mask::d\n"));
        assert_eq!(inert(&shown), shown);
        for harmless in [
            "AWS::SQS::Queue",
            "### heading",
            "a\nb",
            "",
            "\u{1b}[",
            "\u{1b}[31",
        ] {
            assert_eq!(inert(harmless), harmless);
        }
    }
}
