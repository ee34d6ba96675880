//! Override files of every dialect become effective values that remember where they came from.
//!
//! ```text
//! override files ──► file.rs ──────┐
//! ParameterOverrides ► overrides.rs ├─► resolve.rs ──► effective parameters, tags, stack policy
//! template, stack, secrets ─────────┘
//! ```
//!
//! `document.rs` reads YAML and JSON into a tree that keeps the text of every scalar, since
//! `012345678901` and `1.10` must reach CloudFormation as they were written.

mod document;
mod error;
mod file;
mod lookup;
mod overrides;
mod resolve;

pub use crate::model::nearest;
pub use document::{Entry, Node, Object, Value, parse_document};
pub use error::{ParameterError, Place};
pub use file::{
    EXTENSIONS, FileValue, MAX_BYTES, OverrideFile, choose_file, layer_files, parse_override_file,
};
pub use overrides::{ArtifactAttribute, OverrideExpression, evaluate, parse_overrides};
pub use resolve::{MAX_VALUE_BYTES, Request, Resolved, lookups, overridden, resolve};
