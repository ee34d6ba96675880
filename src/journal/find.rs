//! From what people type to an execution.

use crate::model::ExecutionId;

/// Returns the executions among `known` (newest first) that `text` names.
///
/// A whole id, a beginning, an end, the short form with its ellipsis, or `latest` and `@`. A text that is
/// the beginning of one id and the end of another names both: a guess could approve the wrong one.
pub(super) fn matching(text: &str, known: &[ExecutionId]) -> Vec<ExecutionId> {
    let text = text.trim().to_ascii_lowercase();
    if matches!(text.as_str(), "latest" | "@") {
        return known.first().cloned().into_iter().collect();
    }
    let parts = ["…", "..."].iter().find_map(|dots| text.split_once(dots));
    let matches = |id: &ExecutionId| {
        let id = id.as_str();
        match parts {
            Some((start, end)) => {
                start.len() + end.len() > 0
                    && start.len() + end.len() <= id.len()
                    && id.starts_with(start)
                    && id.ends_with(end)
            }
            None => !text.is_empty() && (id.starts_with(&text) || id.ends_with(&text)),
        }
    };
    known.iter().filter(|id| matches(id)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "019a4c3e-7b2f-7000-8000-00000000abcd";
    const OLD: &str = "019a4c3d-0000-7000-8000-00000000ef01";
    const OLDEST: &str = "0188abcd-0000-7000-8000-0000000019a4";

    fn found(text: &str) -> Vec<String> {
        let known: Vec<_> = [NEW, OLD, OLDEST]
            .iter()
            .map(|id| ExecutionId::new(*id).unwrap())
            .collect();
        matching(text, &known)
            .into_iter()
            .map(String::from)
            .collect()
    }

    #[test]
    fn an_execution_is_found_by_every_form_that_is_printed_or_typed() {
        for text in [
            NEW,
            "019A4C3E",
            " 019a4c3e ",
            "abcd",
            "019a4c3e…abcd",
            "019a4c3e...abcd",
            "…abcd",
            "019a4c3e…",
            "latest",
            "@",
        ] {
            assert_eq!(found(text), [NEW], "{text}");
        }
        for id in [NEW, OLD, OLDEST] {
            let id = ExecutionId::new(id).unwrap();
            assert_eq!(found(&id.short()), [id.as_str()]);
        }
    }

    #[test]
    fn several_matches_are_all_given_newest_first() {
        assert_eq!(found("019a4c3"), [NEW, OLD]);
        assert_eq!(found("019a4"), [NEW, OLD]);
        assert_eq!(found("0"), [NEW, OLD, OLDEST]);
        assert_eq!(found("19a4"), [OLDEST]);
        assert_eq!(found("019a"), [NEW, OLD]);
    }

    #[test]
    fn a_text_that_names_nothing_matches_nothing() {
        for text in ["", " ", "…", "...", "zzz", "abcd…019a4c3e", "7b2f"] {
            assert!(found(text).is_empty(), "{text}");
        }
        assert!(matching("latest", &[]).is_empty());
    }

    #[test]
    fn the_two_parts_of_a_short_form_do_not_overlap() {
        let id = &NEW[..30];
        assert!(found(&format!("{id}…{}", &NEW[20..])).is_empty());
    }
}
