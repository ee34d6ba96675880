//! What was asked of an execution that this process does not run.

use serde::Serialize;

use crate::model::ExecutionId;

use super::DOCUMENT_VERSION;

/// A request that is recorded and taken up elsewhere, or later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// Which document this is.
    pub document: &'static str,
    /// The version of this form.
    pub version: u32,
    /// The execution.
    pub execution: ExecutionId,
    /// What is asked for: `approve`, `reject`, `stop` or `give_up`; none where there was nobody to ask.
    pub request: Option<&'static str>,
    /// The process that takes it up; none where one has to be started.
    pub owner: Option<String>,
    /// The commands that go on from here, the likeliest first.
    pub next: Vec<String>,
}

impl Recorded {
    /// Returns what is said of a request to `execution`, whose process is `owner`.
    pub fn new(
        execution: ExecutionId,
        request: Option<&'static str>,
        owner: Option<String>,
    ) -> Self {
        let next = match (&request, &owner) {
            (_, Some(_)) => vec![format!("stackgate status {execution}")],
            (Some(_), None) => vec![format!("stackgate resume {execution}")],
            (None, None) => vec![
                format!("stackgate resume {execution}"),
                format!("stackgate stop {execution} --give-up"),
            ],
        };
        Self {
            document: "recorded",
            version: DOCUMENT_VERSION,
            execution,
            request,
            owner,
            next,
        }
    }
}
