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
    /// What else a value has to meet.
    pub constraints: Constraints,
    /// Where the parameter is declared.
    pub position: Position,
}

/// What a template asks of the values of a parameter, as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Constraints {
    /// The values that are possible.
    pub allowed_values: Option<Vec<String>>,
    /// What the whole value has to match, in Java's syntax.
    pub allowed_pattern: Option<String>,
    /// The least number of characters.
    pub min_length: Option<String>,
    /// The greatest number of characters.
    pub max_length: Option<String>,
    /// The least number.
    pub min_value: Option<String>,
    /// The greatest number.
    pub max_value: Option<String>,
}

/// A resource of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceDeclaration {
    /// The type, such as `AWS::SQS::Queue`.
    pub resource_type: String,
    /// The `DeletionPolicy`, where one is written as plain text.
    pub deletion_policy: Option<String>,
    /// The `UpdateReplacePolicy`, where one is written as plain text.
    pub update_replace_policy: Option<String>,
    /// Where the resource is declared.
    pub position: Position,
}

/// One step from a value to a value inside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathSegment {
    /// Into a mapping.
    Key(String),
    /// Into a sequence, counted from 0.
    Index(usize),
}
