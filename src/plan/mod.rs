//! The change sets of all targets: grouping, digest, staleness.

mod canonical;
mod grouping;
mod own;
mod record;
#[cfg(test)]
pub(crate) mod sample;
mod shape;
mod staleness;

pub use grouping::{Group, group, group_name, grouping_key};
pub use record::{FormerTags, PlanInput, RecordVersion, digest, former_digest, record, version_of};
pub use staleness::{Found, FoundChangeSet, staleness, staleness_of_deletion};
