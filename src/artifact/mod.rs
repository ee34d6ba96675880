//! Input and output artifacts on disk, by content.
//!
//! ```text
//! artifacts/<sha256>.zip    an artifact: only the files that an execution uses
//! artifacts/<sha256>.blob   one content by itself: the template that a stack had before, code that is to be uploaded
//! ```
//!
//! A file's name is the digest of its bytes, which is checked at every reading, so that nobody can change
//! what an execution uses once it has begun.

mod error;
mod portable;
mod store;
mod zipped;

pub use error::ArtifactError;
pub use portable::{PortableError, PortablePlan, VERSION as PORTABLE_VERSION};
pub use store::Store;
pub use zipped::CodeFile;
