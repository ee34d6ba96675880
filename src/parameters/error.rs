//! What can be wrong with parameters, for the person who has to put it right.

use std::fmt;

use crate::template::Position;

/// A file, and the place in it where one is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named, or the name of the option that the text came from.
    pub file: String,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The column, in characters from 1.
    pub column: Option<u32>,
}

impl Place {
    /// Returns the place at `position` of `file`.
    pub fn at(file: &str, position: Position) -> Self {
        Self {
            file: file.to_owned(),
            line: Some(position.line),
            column: Some(position.column),
        }
    }

    /// Returns `line` of `file`.
    pub fn line(file: &str, line: u32) -> Self {
        Self {
            file: file.to_owned(),
            line: Some(line),
            column: None,
        }
    }

    /// Returns `file` as a whole.
    pub fn of(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            column: None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::model::clean(&self.file))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        match self.column {
            Some(column) => write!(f, ":{column}"),
            None => Ok(()),
        }
    }
}

/// Why there are no effective parameters. Values are never part of a message: they may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The file is larger than any that CloudFormation could take.
    #[error(
        "{file}: {size} bytes, expected at most {limit}; keep only parameters, tags and a stack policy in it"
    )]
    TooLarge {
        /// The file.
        file: String,
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The bytes are not text.
    #[error("{place}: expected UTF-8 text; save the file with the encoding UTF-8")]
    NotUtf8 {
        /// The first byte that is wrong.
        place: Place,
    },
    /// The text is not JSON or YAML.
    #[error("{place}: expected valid {language}, but {problem}; correct it there or just before")]
    Syntax {
        /// Where reading stopped.
        place: Place,
        /// `JSON` or `YAML`.
        language: &'static str,
        /// What the parser says.
        problem: String,
    },
    /// The text means something else than was expected.
    #[error("{place}: found {found}, expected {expected}; {help}")]
    Unexpected {
        /// Where.
        place: Place,
        /// What is there.
        found: String,
        /// What would be right.
        expected: String,
        /// What to do.
        help: String,
    },
    /// A key is given twice.
    #[error(
        "{place}: `{key}` is given a second time (first in line {first}), expected once; remove one of them"
    )]
    Duplicate {
        /// The second one.
        place: Place,
        /// The key.
        key: String,
        /// The line of the first one.
        first: u32,
    },
    /// Two files could both be the file of one layer.
    #[error(
        "`{first}` and `{second}` both give this layer, expected one of them; merge them and delete the other"
    )]
    Ambiguous {
        /// One of them.
        first: String,
        /// The other one.
        second: String,
    },
    /// A function of `ParameterOverrides` cannot be evaluated.
    #[error("{place}: parameter `{parameter}`: {problem}; {help}")]
    Function {
        /// The text that the function is in.
        place: Place,
        /// The parameter.
        parameter: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        help: String,
    },
    /// A parameter is given that the template does not declare.
    #[error("{place}: parameter `{name}` is not declared in {template}; {help}")]
    Unknown {
        /// Where it is given.
        place: Place,
        /// Its name.
        name: String,
        /// The template.
        template: String,
        /// What to do.
        help: String,
    },
    /// A parameter has neither a value nor a default.
    #[error("{place}: parameter `{name}` has no value, expected one; {help}")]
    Missing {
        /// Where it is declared.
        place: Place,
        /// Its name.
        name: String,
        /// What to do.
        help: String,
    },
    /// A `NoEcho` parameter is given as plain text.
    #[error(
        "{place}: parameter `{name}` is `NoEcho`, expected a reference to its value and not the value; {help}"
    )]
    LiteralSecret {
        /// Where it is given.
        place: Place,
        /// Its name.
        name: String,
        /// What to do.
        help: String,
    },
    /// The previous value is asked for where there is none.
    #[error(
        "{place}: parameter `{name}` asks for its previous value, but the stack has none; give a value"
    )]
    NoPrevious {
        /// Where it is asked for.
        place: Place,
        /// Its name.
        name: String,
    },
    /// A value is longer than CloudFormation takes.
    #[error(
        "{place}: the value of parameter `{name}` has {size} bytes, expected at most {limit}; shorten it or pass a place where it can be read"
    )]
    TooLong {
        /// Where it is given.
        place: Place,
        /// The parameter's name.
        name: String,
        /// The size of the value.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// A value does not meet what the template asks of it.
    #[error("{place}: the value of parameter `{name}` {what}; {help}")]
    Unmet {
        /// Where it is given.
        place: Place,
        /// The parameter's name.
        name: String,
        /// What is wrong.
        what: String,
        /// What to do.
        help: String,
    },
    /// More than one thing is wrong.
    #[error("{}", joined(.0))]
    Several(Vec<ParameterError>),
}

impl ParameterError {
    /// Returns the problems one by one, in the order in which they were found.
    pub fn problems(&self) -> Vec<&ParameterError> {
        match self {
            Self::Several(errors) => errors.iter().flat_map(Self::problems).collect(),
            one => vec![one],
        }
    }

    /// Returns `Ok` for no errors, the error itself for one, and `Several` for more.
    pub(super) fn all(mut errors: Vec<ParameterError>) -> Result<(), ParameterError> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(Self::Several(errors)),
        }
    }
}

fn joined(errors: &[ParameterError]) -> String {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    texts.join("\n")
}
