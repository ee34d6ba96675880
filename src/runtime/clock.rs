//! The only place that reads the clock for decisions.

use jiff::Timestamp;

/// Returns the time.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the adapter that the ban points to"
)]
pub fn now() -> Timestamp {
    Timestamp::now()
}
