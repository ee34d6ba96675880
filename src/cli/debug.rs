//! `--debug`: a line for every attempt of a call, on standard error.

use std::sync::atomic::{AtomicBool, Ordering};

use super::output;
use crate::aws::{Attempt, Trace};

static ON: AtomicBool = AtomicBool::new(false);

/// Tells of calls from now on.
pub(super) fn turn_on() {
    ON.store(true, Ordering::Relaxed);
}

/// Returns whether calls are told of.
pub(super) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Returns who is told of calls.
pub(super) fn trace() -> Option<Trace> {
    is_on().then(|| Trace::new(|attempt| output::stderr(&format!("{}\n", line(attempt)))))
}

fn line(attempt: &Attempt) -> String {
    let status = match attempt.status {
        Some(status) => status.to_string(),
        None => "no reply".to_owned(),
    };
    let mut text = format!(
        "debug  {}  {}  attempt {}  {status}  {} ms",
        attempt.operation,
        attempt.place,
        attempt.number,
        attempt.took.as_millis()
    );
    if let Some(id) = &attempt.request_id {
        text.push_str(&format!("  request {id}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_what_aws_asks_for() {
        let mut attempt = Attempt {
            operation: "CloudFormation.DescribeStacks".to_owned(),
            place: "111111111111/eu-west-1".to_owned(),
            number: 2,
            status: Some(200),
            request_id: Some("4f1c".to_owned()),
            took: std::time::Duration::from_millis(34),
        };
        assert_eq!(
            line(&attempt),
            "debug  CloudFormation.DescribeStacks  111111111111/eu-west-1  attempt 2  200  34 ms  request 4f1c"
        );
        attempt.status = None;
        attempt.request_id = None;
        assert!(line(&attempt).ends_with("attempt 2  no reply  34 ms"));
    }
}
