//! Which target starts when: order, concurrency, tolerance, waves.

mod lane;
mod scheduler;
mod wave;

pub use crate::model::Limits;
pub use scheduler::{Next, Rollout};
