//! Which target starts when: order, concurrency, tolerance.

mod limits;
mod scheduler;

pub use limits::Limits;
pub use scheduler::{Next, Rollout};
