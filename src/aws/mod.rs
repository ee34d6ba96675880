//! The AWS API as this program needs it: sessions per target, one budget per account and region,
//! failures by what to do about them, and readings that lose nothing. The only user of the SDK.
//!
//! ```text
//! Aws::create_change_set, execute_change_set, watch, …      one method per need
//!   └─ call        one attempt loop: budget, back-off, classification
//!        ├─ budget      who may call next in an account and region
//!        ├─ failure     SdkError → CallFailure
//!        └─ connection  one HTTP client; clients per role and region; one session per role
//! ```
//!
//! All waiting goes through `cadence`, so that tests run it in paused time.

mod budget;
mod cadence;
mod call;
mod change_set;
mod connection;
mod convert;
mod failure;
mod reading;
mod session;
mod stack;
mod watch;

pub use change_set::{CreateChangeSet, SentParameter, SentValue};
pub use connection::{Aws, Settings};
pub use reading::ReadChangeSet;
pub use stack::{Deleted, StackRef};
pub use watch::Settled;

#[cfg(test)]
#[path = "../../tests/support/scripted.rs"]
mod scripted;
