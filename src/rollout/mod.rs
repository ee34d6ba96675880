//! Which target starts when: order, concurrency, tolerance, waves.

mod lane;
mod limits;
mod scheduler;
mod wave;

pub use limits::Limits;
pub use scheduler::{Next, Rollout};
