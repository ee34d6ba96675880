//! The one loop that acts.
//!
//! ```text
//! wait for the next input ─► Machine::handle ─► append to the journal ─► start the steps ─► show
//! ```

mod clock;
mod dispatch;
mod driver;
mod signals;

pub use clock::now;
pub use driver::{Driver, Ended, Face, RunError};
pub use signals::outlive_file_limit;
