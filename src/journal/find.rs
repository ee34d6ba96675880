//! From what people type to an execution.

use super::store::stored;
use super::{Journal, JournalError};
use crate::model::ExecutionId;

impl Journal {
    /// Returns the execution that `text` names: its id, the beginning or end of it, the short form that is
    /// printed, or `latest`.
    pub fn find(&self, text: &str) -> Result<ExecutionId, JournalError> {
        let known: Vec<ExecutionId> = self.read("search", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id FROM execution x
                  WHERE EXISTS (SELECT 1 FROM event WHERE execution = x.number)
                  ORDER BY number DESC",
            )?;
            let mut rows = statement.query([])?;
            let mut known = Vec::new();
            while let Some(row) = rows.next()? {
                known.push(stored(row.get(0)?)?);
            }
            Ok(known)
        })?;
        let mut candidates = matching(text, &known);
        match (candidates.len(), candidates.pop()) {
            (1, Some(id)) => Ok(id),
            (_, Some(last)) => {
                candidates.push(last);
                Err(JournalError::AmbiguousExecution {
                    text: crate::model::clean(text),
                    candidates,
                })
            }
            (_, None) if known.is_empty() => Err(JournalError::NoExecution {
                state: self.state.clone(),
            }),
            (_, None) => {
                let all = self.executions()?;
                let of_stack = all.into_iter().find(|one| one.pipeline == text.trim());
                Err(match of_stack {
                    Some(latest) => JournalError::StackForExecution {
                        text: crate::model::clean(text),
                        latest: latest.id,
                    },
                    None => self.unknown(text),
                })
            }
        }
    }
}

/// Returns the executions among `known` (newest first) that `text` names.
///
/// A whole id, a beginning, an end, the short form with its ellipsis, or `latest` and `@`. A text that is
/// the beginning of one id and the end of another names both: a guess could approve the wrong one.
fn matching(text: &str, known: &[ExecutionId]) -> Vec<ExecutionId> {
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
    use super::super::samples::*;
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
        // The beginning of two and the end of a third.
        assert_eq!(found("019a4"), [NEW, OLD, OLDEST]);
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

    #[test]
    fn an_execution_that_cannot_be_told_is_explained() {
        let (_root, journal) = journal();
        let message = journal.find("latest").unwrap_err().to_string();
        assert!(
            message.starts_with("there is no execution in `"),
            "{message}"
        );
        for n in 1..=7 {
            begun(&journal, &id(n));
        }
        assert_eq!(journal.find(&id(3).short()).unwrap(), id(3));
        let message = journal.find("ff\u{1b}[2J").unwrap_err().to_string();
        assert!(
            message.starts_with("no execution matches `ff[2J` in `"),
            "{message}"
        );
        let message = journal.find("deploy-network").unwrap_err().to_string();
        assert!(
            message.ends_with(&format!("`stackgate status {}`", id(7))),
            "{message}"
        );
        let message = journal.find("019a4c3e").unwrap_err().to_string();
        let expected = "`019a4c3e` matches 7 executions; give more of the id of one, or `latest` for the newest";
        assert_eq!(message, expected);
        let JournalError::AmbiguousExecution { candidates, .. } =
            journal.find("019a4c3e").unwrap_err()
        else {
            panic!("several match");
        };
        assert_eq!(candidates.first(), Some(&id(7)));
    }
}
