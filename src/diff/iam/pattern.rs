//! What wildcards cover.

/// Returns whether `pattern`, in which `*` stands for any characters and `?` for one, covers `text`, case aside.
///
/// `text` may be a pattern itself: what covers its letters, covers what it stands for.
pub(super) fn covers(pattern: &str, text: &str) -> bool {
    if pattern == "*" || pattern == text {
        return true;
    }
    let pattern: Vec<char> = pattern.chars().flat_map(char::to_lowercase).collect();
    let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last `*` turns out not to fit.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            // A `?` is one character, which a `*` of the text is not.
            Some('?') if text[t] != '*' => (p, t) = (p + 1, t + 1),
            Some(c) if *c == text[t] => (p, t) = (p + 1, t + 1),
            Some(_) | None => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_cover_what_they_stand_for() {
        for (pattern, text, wanted) in [
            ("*", "s3:GetObject", true),
            ("s3:*", "s3:GetObject", true),
            ("s3:get*", "S3:GetObject", true),
            ("s3:Get*", "s3:PutObject", false),
            ("s3:GetObject", "s3:*", false),
            ("s3:G?tObject", "s3:GetObject", true),
            ("s3:?", "s3:*", false),
            ("s3:*", "s3:Get*", true),
            ("arn:aws:s3:::a*b*c", "arn:aws:s3:::a1b2b3c", true),
            ("arn:aws:s3:::a*b*c", "arn:aws:s3:::a1b2b3", false),
            ("", "", true),
            ("**", "", true),
            ("a", "", false),
        ] {
            assert_eq!(covers(pattern, text), wanted, "{pattern} {text}");
        }
    }
}
