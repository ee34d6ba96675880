//! Deploys CloudFormation templates through reviewed change sets.

// Lints for the library alone; those for tests and benchmarks too are in `Cargo.toml`. Output goes through the writers of
// `cli`, which know where data and progress belong. Tests may stop at the first surprise.
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(not(test), warn(clippy::unwrap_used), deny(unsafe_code))]

pub mod action;
pub mod approval;
pub mod artifact;
pub mod aws;
pub mod cli;
pub mod diff;
pub mod journal;
pub mod model;
pub mod parameters;
pub mod pipeline;
pub mod plan;
pub mod report;
pub mod rollout;
pub mod runtime;
pub mod template;
