//! What is a target's own inside of texts.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::model::PlannedTarget;

/// Where one part of a text ends and the next begins: in ARNs, URLs, lists and JSON.
const DELIMITERS: &[char] = &[
    '/', ':', ',', ';', '=', ' ', '"', '\'', '(', ')', '[', ']', '{', '}', '\n', '\t',
];

/// The names of a target and of the resources that its change set touches.
pub(super) struct Own<'a> {
    account: &'a str,
    region: &'a str,
    stack: &'a str,
    /// The logical id of each physical id.
    physical_ids: HashMap<&'a str, &'a str>,
}

impl<'a> Own<'a> {
    pub(super) fn of(planned: &'a PlannedTarget) -> Self {
        let with_id = planned.changes.iter().filter_map(|change| {
            let id = change.physical_id.as_deref()?;
            (!id.is_empty()).then_some((id, change.logical_id.as_str()))
        });
        Self {
            account: planned.target.account.as_str(),
            region: planned.target.region.as_str(),
            stack: planned.target.stack.as_str(),
            physical_ids: with_id.collect(),
        }
    }

    /// Returns `text` with a placeholder for every name of the target's own.
    ///
    /// Placeholders begin with a NUL, and a NUL of the text is doubled, so that no text can pretend to be one.
    pub(super) fn normalise<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if let Some(logical_id) = self.physical_ids.get(text) {
            return Cow::Owned(format!("\0p{logical_id}"));
        }
        if !self.may_occur_in(text) {
            return Cow::Borrowed(text);
        }
        let mut normalised = String::with_capacity(text.len());
        for part in text.split_inclusive(DELIMITERS) {
            let name = part.trim_end_matches(DELIMITERS);
            match self.physical_ids.get(name) {
                Some(logical_id) => {
                    normalised.push_str("\0p");
                    normalised.push_str(logical_id);
                }
                None => self.normalise_part(name, &mut normalised),
            }
            normalised.push_str(&part[name.len()..]);
        }
        Cow::Owned(normalised)
    }

    fn may_occur_in(&self, text: &str) -> bool {
        text.contains('\0')
            || text.contains(self.account)
            || text.contains(self.region)
            || text.contains(self.stack)
            || (!self.physical_ids.is_empty()
                && text.contains(DELIMITERS)
                && text
                    .split(DELIMITERS)
                    .any(|part| self.physical_ids.contains_key(part)))
    }

    fn normalise_part(&self, part: &str, normalised: &mut String) {
        let mut rest = 0;
        while let Some((start, end, placeholder)) = self.first_in(part, rest) {
            push_escaped(&part[rest..start], normalised);
            normalised.push_str(placeholder);
            rest = end;
        }
        push_escaped(&part[rest..], normalised);
    }

    /// Returns start, end and placeholder of the first own name in `part` from `from` on; the longest of several.
    fn first_in(&self, part: &str, from: usize) -> Option<(usize, usize, &'static str)> {
        let digit = |c: char| c.is_ascii_digit();
        let word = char::is_alphanumeric;
        // `eu-west-1a` is a zone of the region, `eu-west-10` another region.
        [
            find(part, from, self.account, digit, digit).map(|at| (at, "\0a")),
            find(part, from, self.region, word, digit).map(|at| (at, "\0r")),
            find(part, from, self.stack, word, word).map(|at| (at, "\0s")),
        ]
        .into_iter()
        .flatten()
        .map(|((start, end), placeholder)| (start, end, placeholder))
        .min_by_key(|(start, end, _)| (*start, std::cmp::Reverse(*end)))
    }
}

/// Returns where `name` stands in `text` from `from` on, not right after or before a character that would make it
/// part of another name.
fn find(
    text: &str,
    from: usize,
    name: &str,
    not_after: impl Fn(char) -> bool,
    not_before: impl Fn(char) -> bool,
) -> Option<(usize, usize)> {
    let matches = text[from..].match_indices(name);
    matches
        .map(|(at, _)| (from + at, from + at + name.len()))
        .find(|(start, end)| {
            !text[..*start].ends_with(&not_after) && !text[*end..].starts_with(&not_before)
        })
}

fn push_escaped(text: &str, normalised: &mut String) {
    for (index, piece) in text.split('\0').enumerate() {
        if index > 0 {
            normalised.push_str("\0\0");
        }
        normalised.push_str(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalise(text: &str) -> String {
        let own = Own {
            account: "111111111111",
            region: "us-east-1",
            stack: "net",
            physical_ids: HashMap::from([
                ("net-Queue-1ABC", "Queue"),
                ("https://sqs/111111111111/q", "Url"),
            ]),
        };
        own.normalise(text).replace('\0', "^")
    }

    #[test]
    fn own_names_become_placeholders() {
        for (text, expected) in [
            ("arn:aws:iam::111111111111:role/x", "arn:aws:iam::^a:role/x"),
            ("logs-111111111111-us-east-1", "logs-^a-^r"),
            ("us-east-1a", "^ra"),
            ("net", "^s"),
            ("net-alerts,alerts.net", "^s-alerts,alerts.^s"),
            ("https://sqs/111111111111/q", "^pUrl"),
            (
                "arn:aws:sqs:us-east-1:111111111111:net-Queue-1ABC",
                "arn:aws:sqs:^r:^a:^pQueue",
            ),
            (r#"["net-Queue-1ABC","net"]"#, r#"["^pQueue","^s"]"#),
            ("", ""),
        ] {
            assert_eq!(normalise(text), expected, "{text}");
        }
    }

    #[test]
    fn other_names_that_look_alike_stay() {
        for text in [
            "222222222222",
            "1111111111110",
            "0111111111111",
            "us-east-10",
            "us-gov-east-1",
            "network",
            "internet",
            "subnet-0aa1",
            "Net",
            "net-Queue-1ABCD",
            "größe",
        ] {
            let expected = text.replace("net-Queue-1ABCD", "^s-Queue-1ABCD");
            assert_eq!(normalise(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_cannot_pretend_to_hold_a_placeholder() {
        assert_eq!(normalise("\0a"), "^^a");
        assert_eq!(normalise("\0net\0"), "^^^s^^");
        assert_ne!(normalise("x:\0a"), normalise("x:111111111111"));
    }

    #[test]
    fn the_longest_of_names_that_begin_together_counts() {
        let own = Own {
            account: "111111111111",
            region: "us-east-1",
            stack: "us-east-1-net",
            physical_ids: HashMap::new(),
        };
        assert_eq!(own.normalise("us-east-1-net-x us-east-1"), "\0s-x \0r");
    }
}
