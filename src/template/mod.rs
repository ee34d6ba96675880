//! Templates: text to a tree with positions, and what the tree says.

mod capabilities;
mod compose;
mod constraint;
mod declaration;
mod error;
mod evaluate;
mod graph;
mod local;
mod node;
mod path;
mod print;
mod references;
mod scalar;
mod secret;
mod source;
mod tree;
mod validate;

#[cfg(test)]
mod table;

pub use capabilities::CAPABILITIES;
pub use constraint::{Given, Unmet, constraint};
pub use declaration::{
    Constraints, ParameterDeclaration, PathSegment, Position, ResourceDeclaration,
};
pub use error::{TemplateError, TemplateProblem};
pub use evaluate::{Evaluation, Known, Unresolved, UnresolvedKind};
pub use graph::{Dependency, Graph, Step};
pub use local::{Content, Form, LocalPath, ObjectPlace};
pub use node::{Entry, Node, NodeKind, Scalar};
pub use print::Forms;
pub use scalar::{Ambiguity, ScalarValue};
pub use secret::Secrecy;
pub use source::Span;
pub use tree::Template;
pub use validate::{At, Code, Diagnostic, Findings, Foreign, Rule, Severity, validate};
