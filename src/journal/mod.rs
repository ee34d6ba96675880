//! The append-only log of executions, the lease and the inbox.
//!
//! One SQLite database in the state folder, opened by several processes at once. One process holds the
//! lease of an execution and appends its events; every other process reads, and posts to the inbox.
//!
//! ```text
//! execution  number, id, pipeline, fence, owner, heartbeat     one row each, the lease is part of it
//! event      execution, seq, at, data                          never changed, never deleted
//! inbox      number, execution, posted, message, handled       handled: the last event of the append that did it
//! ```

#[cfg(test)]
mod contention;
mod error;
mod events;
mod find;
mod folder;
mod inbox;
mod lease;
#[cfg(test)]
pub(crate) mod samples;
mod schema;
mod store;

pub use error::JournalError;
pub use events::Events;
pub use inbox::Inbox;
pub use lease::{HEARTBEAT_INTERVAL, LEASE_TTL, Lease, Owner};
pub use store::{Durability, ExecutionSummary, Journal};
