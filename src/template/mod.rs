//! Templates: text to a tree with positions, and what the tree says.

mod capabilities;
mod compose;
mod declaration;
mod error;
mod node;
mod path;
mod secret;
mod tree;

pub use capabilities::CAPABILITIES;
pub use declaration::{ParameterDeclaration, PathSegment, Position, ResourceDeclaration};
pub use error::{TemplateError, TemplateProblem};
pub use node::{Entry, Node, NodeKind, Scalar};
pub use secret::Secrecy;
pub use tree::Template;
