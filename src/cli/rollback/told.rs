//! What is told once a rollback is over of what it left alone.

use super::sorted::{Sorted, Why};
use crate::cli::output;
use crate::model::ExecutionId;
use crate::report::count;

/// Says how the stacks are deleted that the execution created, where they were left alone.
pub(super) fn kept(earlier: &ExecutionId, sorted: &Sorted) {
    if let Some(text) = kept_line(earlier, sorted) {
        output::stderr(&text);
    }
}

fn kept_line(earlier: &ExecutionId, sorted: &Sorted) -> Option<String> {
    let is_created = |why: &Why| matches!(why, Why::Created { .. });
    let kept = sorted.left.iter().filter(|left| is_created(&left.why));
    let kept = kept.count();
    let are = if kept == 1 { "is" } else { "are" };
    (kept > 0).then(|| {
        format!(
            "{} that it created {are} left; to delete, after a review of its own: `stackgate rollback {earlier} \
             --delete-created`\n",
            count(kept, "stack")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::sorted::Left;
    use super::*;

    #[test]
    fn what_was_created_and_left_is_told_with_what_deletes_it() {
        let id = ExecutionId::new("01900000-0000-7000-8000-000000000001").unwrap();
        let left = |why: Why| Left {
            target: crate::plan::sample::planned("111111111111", "eu-west-1", "app").target,
            why,
        };
        let sorted = |left: Vec<Left>| Sorted {
            former: Vec::new(),
            created: Vec::new(),
            left,
        };
        let line = kept_line(
            &id,
            &sorted(vec![
                left(Why::Created { failed: None }),
                left(Why::TookItself),
            ]),
        );
        assert_eq!(
            line.unwrap(),
            format!(
                "1 stack that it created is left; to delete, after a review of its own: `stackgate rollback {id} --delete-created`\n"
            )
        );
        assert_eq!(kept_line(&id, &sorted(vec![left(Why::TookItself)])), None);
    }
}
