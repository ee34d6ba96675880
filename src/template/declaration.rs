//! What a template declares.

/// A place in a file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// A parameter of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterDeclaration {
    /// The name.
    pub name: String,
    /// The type, such as `String` or `CommaDelimitedList`.
    pub parameter_type: String,
    /// The default, as text.
    pub default: Option<String>,
    /// Whether the value is secret (`NoEcho`).
    pub no_echo: bool,
    /// Where the parameter is declared.
    pub position: Position,
}
