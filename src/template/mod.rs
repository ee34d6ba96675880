//! Templates: text to a tree with positions, and what the tree says.

mod declaration;

pub use declaration::{ParameterDeclaration, Position};
