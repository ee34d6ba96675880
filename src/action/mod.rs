//! One file per provider: the steps that touch the world.
//!
//! Every function here performs one step of the machine: an observation, or at most one mutating
//! call whose intent is on disk already.

pub mod cloudformation;
pub mod command;
pub mod deletion;
pub mod deployed;
pub mod drift;
mod exports;
mod foreign;
pub mod inputs;
pub mod package;
mod present;
pub mod secrets;
pub mod source_local;
mod world;

pub use crate::aws::{approved, brief};
pub use world::World;

use crate::model::{CallFailure, FailureKind};

/// Returns a failure of files or options, with a line for each problem.
pub(crate) fn bad_input(error: &dyn std::error::Error) -> CallFailure {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message.push_str(": ");
        message.push_str(&cause.to_string());
        source = cause.source();
    }
    CallFailure::several(FailureKind::BadInput, message.lines())
}
