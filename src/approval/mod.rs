//! Who may approve what: one answer, for one plan, in time.

mod request;

pub use request::{DEFAULT_VALIDITY_MINUTES, Refusal, Request, has_expired, judge};
