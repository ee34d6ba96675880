//! What wildcards cover.

use std::borrow::Cow;
use std::collections::HashSet;

/// Whether upper and lower case are the same: in the names of actions they are, in those of resources they are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    AnyCase,
    AsWritten,
}

impl Letters {
    fn of(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::AnyCase => Cow::Owned(text.to_lowercase()),
            Self::AsWritten => Cow::Borrowed(text),
        }
    }
}

/// Wildcards are tried out up to so many letters of patterns times letters of names, which is far more than a policy may
/// have. Above it counts as uncovered what no pattern says literally.
const MOST_LETTERS: usize = 10_000_000;

/// Returns those of `names` that no pattern in `by` covers.
pub(super) fn uncovered(names: &[String], by: &[String], letters: Letters) -> Vec<String> {
    let exact: HashSet<Cow<'_, str>> = by.iter().map(|pattern| letters.of(pattern)).collect();
    let wild: Vec<&Cow<'_, str>> = exact.iter().filter(|text| is_wild(text)).collect();
    if wild.iter().any(|pattern| *pattern == "*") {
        return Vec::new();
    }
    let left: Vec<(&String, Cow<'_, str>)> = names
        .iter()
        .map(|name| (name, letters.of(name)))
        .filter(|(_, name)| !exact.contains(name))
        .collect();
    let size = wild.iter().map(|pattern| pattern.len()).sum::<usize>();
    let work = left.iter().map(|(_, name)| name.len()).sum::<usize>();
    let is_tried = size.saturating_mul(work) <= MOST_LETTERS;
    left.into_iter()
        .filter(|(_, name)| !(is_tried && wild.iter().any(|pattern| covers(pattern, name))))
        .map(|(name, _)| name.clone())
        .collect()
}

/// Returns those of `names` that may stand for something that a pattern in `with` may stand for, too.
pub(super) fn meeting(names: &[String], with: &[String], letters: Letters) -> Vec<String> {
    let with: Vec<Cow<'_, str>> = with.iter().map(|pattern| letters.of(pattern)).collect();
    let size = with.iter().map(|pattern| pattern.len()).sum::<usize>();
    let work = names.iter().map(|name| name.len()).sum::<usize>();
    let is_tried = size.saturating_mul(work) <= MOST_LETTERS;
    let meets = |name: &&String| {
        let name = letters.of(name);
        !is_tried || with.iter().any(|pattern| may_meet(pattern, &name))
    };
    names.iter().filter(meets).cloned().collect()
}

fn is_wild(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Returns whether something may be covered by both patterns. Where both have wildcards, what stands before the first and
/// behind the last of them decides.
fn may_meet(a: &str, b: &str) -> bool {
    match (is_wild(a), is_wild(b)) {
        (false, _) => covers(b, a),
        (_, false) => covers(a, b),
        (true, true) => {
            let wild = ['*', '?'];
            let (begin, other) = (
                a.split(wild).next().unwrap_or_default(),
                b.split(wild).next().unwrap_or_default(),
            );
            let (end, other_end) = (
                a.rsplit(wild).next().unwrap_or_default(),
                b.rsplit(wild).next().unwrap_or_default(),
            );
            (begin.starts_with(other) || other.starts_with(begin))
                && (end.ends_with(other_end) || other_end.ends_with(end))
        }
    }
}

/// Returns whether `pattern`, in which `*` stands for any characters and `?` for one, covers `text`.
///
/// `text` may be a pattern itself: what covers its letters, covers what it stands for.
pub(super) fn covers(pattern: &str, text: &str) -> bool {
    if pattern == "*" || pattern == text {
        return true;
    }
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
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
            ("s3:get*", "s3:GetObject", false),
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

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn case_is_none_of_actions_alone() {
        let of = |letters| uncovered(&texts(&["S3:GetObject"]), &texts(&["s3:get*"]), letters);
        assert!(of(Letters::AnyCase).is_empty());
        assert_eq!(of(Letters::AsWritten), ["S3:GetObject"]);
    }

    #[test]
    fn patterns_that_may_cover_the_same_meet() {
        for (a, b, wanted) in [
            ("s3:Get*", "s3:*Object", true),
            ("s3:Get*", "s3:Put*", false),
            ("s3:*Acl", "s3:*Object", false),
            ("s3:GetObject", "s3:Get*", true),
            ("s3:GetObject", "s3:PutObject", false),
            ("*", "iam:*", true),
        ] {
            assert_eq!(may_meet(a, b), wanted, "{a} {b}");
            assert_eq!(may_meet(b, a), wanted, "{b} {a}");
        }
    }

    #[test]
    fn hostile_lists_and_patterns_take_no_time() {
        let many = |text: &str| {
            (0..20_000)
                .map(|n| format!("{text}{n}*"))
                .collect::<Vec<_>>()
        };
        let (ours, theirs) = (many("a*b"), many("b*c"));
        assert_eq!(uncovered(&ours, &theirs, Letters::AnyCase).len(), 20_000);
        assert_eq!(meeting(&ours, &theirs, Letters::AnyCase).len(), 20_000);
        let long = |text: &str| vec![text.repeat(100_000)];
        assert_eq!(
            uncovered(&long("aab"), &long("*a"), Letters::AsWritten).len(),
            1
        );
    }
}
