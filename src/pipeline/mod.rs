//! Definition, validation and the state machine of an execution.
