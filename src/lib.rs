//! Deploys CloudFormation templates through reviewed change sets.

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
