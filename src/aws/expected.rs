//! What somebody knows beforehand about how long things take.

use std::time::Duration;

use super::connection::Aws;

/// How long things took in earlier executions, the shortest of each kind; nothing where nothing is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expected {
    /// Change sets, until they were ready.
    pub change_set: Option<Duration>,
    /// Operations on stacks that went well.
    pub operation: Option<Duration>,
}

impl Aws {
    /// Looks at what is waited for when it may be about to end. What ends sooner is noticed all the same.
    pub fn expect(&self, expected: Expected) {
        if let Some(took) = expected.change_set {
            self.change_sets().expect(took);
        }
        if let Some(took) = expected.operation {
            self.operations().expect(took);
        }
    }
}
