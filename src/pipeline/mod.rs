//! Definition, validation and the state machine of an execution.
//!
//! ```text
//! Input ──► Machine::handle ──► Turn { events, steps }
//!               │    ▲
//!               ▼    │  one table, live and in recovery
//!            Execution::apply(event)
//! ```

mod advance;
mod check;
mod creation;
mod deletion;
mod deployment;
mod execution;
mod gate;
mod intake;
mod machine;
mod names;
mod settlement;
#[cfg(test)]
mod simulation;
mod state;
mod step;
mod table;
#[cfg(test)]
mod table_tests;
mod targets;
mod unreachable;
mod validation;

pub use deletion::{COLLECT_STAGE, DELETE_STAGE, Deletion};
pub use deployment::{
    APPROVAL_STAGE, CREATE_STAGE, Deployment, EXECUTE_STAGE, SOURCE_ARTIFACT, SOURCE_STAGE,
};
pub use machine::{Machine, Turn};
pub use names::{change_set_name, create_token, execute_token, is_change_set_name};
pub use state::{Execution, GateState, GateWait, IllegalEvent, Phase, Progress, TargetState};
pub use step::{Findings, Input, Step, StepKind, TargetNews, TargetWork, UnknownPolicy};
pub use targets::TargetIndex;
pub use validation::{DefinitionError, validate};
