//! Why a file is not a template.

use super::Position;
use crate::model::clean;

/// Why a file is not a template that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{}:{}: {problem}; {}", .position.line, .position.column, .problem.help())]
pub struct TemplateError {
    /// The file, as it was named by the caller.
    pub file: String,
    /// Where in the file.
    pub position: Position,
    /// What is wrong.
    pub problem: TemplateProblem,
}

impl TemplateError {
    /// Returns what is wrong, without the place.
    pub fn what(&self) -> String {
        self.problem.to_string()
    }

    /// Returns what to do about it.
    pub fn help(&self) -> &'static str {
        self.problem.help()
    }
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateProblem {
    /// It is larger than CloudFormation takes.
    #[error("the template has {bytes} bytes, expected {limit} at most")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// It is not UTF-8.
    #[error("expected UTF-8 text")]
    NotText,
    /// There is nothing in it.
    #[error("the template is empty")]
    Empty,
    /// It is not YAML.
    #[error("not well-formed YAML: {message}")]
    Yaml {
        /// The parser's words, cleaned.
        message: String,
    },
    /// It begins like JSON and is not.
    #[error("not well-formed JSON: {message}")]
    Json {
        /// The parser's words, cleaned.
        message: String,
    },
    /// It holds more than one document.
    #[error("a second YAML document begins here, expected one")]
    SeveralDocuments,
    /// It is nested too deeply.
    #[error("nested more than {limit} levels deep")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// It uses an alias.
    #[error("a YAML alias is used here")]
    Alias,
    /// It uses a merge key.
    #[error("a YAML merge key `<<` is used here")]
    MergeKey,
    /// A key is there twice.
    #[error("duplicate key `{key}`, first at line {}", .first.line)]
    DuplicateKey {
        /// The key, cleaned.
        key: String,
        /// Where it is for the first time.
        first: Position,
    },
    /// A key is a structure, or has a tag.
    #[error("expected a plain text as key")]
    KeyNotText,
    /// A tag cannot be understood.
    #[error("unknown YAML tag `{tag}`")]
    UnknownTag {
        /// The tag, cleaned.
        tag: String,
    },
    /// A part that has to be a mapping is not.
    #[error("{part} is {found}, expected a mapping")]
    NotMapping {
        /// The part, such as `the template` or `resource `Queue``.
        part: String,
        /// What is there instead.
        found: &'static str,
    },
    /// A resource or parameter has no type.
    #[error("{part} has no `Type`")]
    NoType {
        /// The part.
        part: String,
    },
    /// The default of a parameter is no text.
    #[error("the default of parameter `{name}` is {found}, expected a text or number")]
    Default {
        /// The parameter.
        name: String,
        /// What is there instead.
        found: &'static str,
    },
    /// A local path cannot be replaced by where its file is put.
    #[error("{place} is a local path that cannot be replaced as it is written here")]
    LocalPath {
        /// What it is the value of.
        place: String,
    },
}

impl TemplateProblem {
    /// Returns what to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "split it, for example into nested stacks",
            Self::NotText => "save the file as UTF-8",
            Self::Empty => "write a mapping with `Resources`",
            Self::Yaml { message } if message.contains("tabs disallowed") => {
                "indent with spaces; YAML takes no tabs"
            }
            Self::Yaml { message } if message.contains("did not find expected key") => {
                "correct the YAML here: the keys of one mapping begin in the same column, and have `:` behind them"
            }
            Self::Yaml { .. } => "correct the YAML here",
            Self::Json { .. } => {
                "correct the JSON here; a file that begins with `{` is read as strict JSON"
            }
            Self::SeveralDocuments => "keep one document, without a further `---`",
            Self::TooDeep { .. } => "flatten the structure",
            Self::Alias | Self::MergeKey => {
                "write the value out; CloudFormation takes no aliases and no merge keys"
            }
            Self::DuplicateKey { .. } => "remove or rename one of the two",
            Self::KeyNotText => "write the key as a plain or quoted text without a tag",
            Self::UnknownTag { .. } => "use an intrinsic function such as `!Ref` or `!Sub`",
            Self::NotMapping { .. } => "write it as `Name: value` pairs",
            Self::NoType { .. } => "add `Type`, such as `String` or `AWS::SQS::Queue`",
            Self::Default { .. } => "write a text or number, `''` for an empty one",
            Self::LocalPath { .. } => "write it on one line, without a tag or an anchor",
        }
    }

    pub(super) fn at(self, file: &str, position: Position) -> TemplateError {
        TemplateError {
            file: clean(file),
            position,
            problem: self,
        }
    }
}
