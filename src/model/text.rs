//! Text from outside, made safe to show.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_direction_overrides_are_removed() {
        assert_eq!(clean("a\u{1b}[31mb\u{202e}c\nd\u{9b}e"), "a[31mbc de");
    }
}
