//! The change sets of all targets: grouping, digest, staleness.

mod canonical;
mod grouping;
mod key;
mod own;
mod record;
mod staleness;

pub use grouping::{Group, group, grouping_key};
pub use record::{PlanInput, digest, record};
pub use staleness::{Found, FoundChangeSet, staleness};
