//! What can be found in a template, and how it is told.

use super::super::TemplateProblem;
use super::super::source::Span;
use crate::model::clean;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// CloudFormation takes it, and it is probably not what was meant.
    Warning,
    /// CloudFormation refuses it.
    Error,
}

/// What a finding is called, and who found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A rule of this program.
    Own(Rule),
    /// The service said it.
    Online,
    /// A rule of `cfn-lint`, such as `E3012`.
    Lint(String),
    /// A rule of `cfn-guard`, by its name.
    Guard(String),
}

impl Code {
    /// Returns the text that messages and documents show.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Own(rule) => rule.code(),
            Self::Online => "online",
            Self::Lint(id) | Self::Guard(id) => id,
        }
    }

    /// Returns who found it, where it was not this program.
    pub fn by(&self) -> Option<&'static str> {
        match self {
            Self::Own(_) => None,
            Self::Online => Some("cloudformation"),
            Self::Lint(_) => Some("cfn-lint"),
            Self::Guard(_) => Some("cfn-guard"),
        }
    }
}

impl From<Rule> for Code {
    fn from(rule: Rule) -> Self {
        Self::Own(rule)
    }
}

/// Something found in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What was looked for.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where.
    pub span: Span,
    /// Other places that belong to it, each with what is there.
    pub related: Vec<(Span, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    pub(in super::super) fn error(
        code: impl Into<Code>,
        span: Span,
        message: impl AsRef<str>,
    ) -> Self {
        Self {
            code: code.into(),
            severity: Severity::Error,
            message: clean(message.as_ref()),
            span,
            related: Vec::new(),
            help: None,
        }
    }

    pub(in super::super) fn warning(
        code: impl Into<Code>,
        span: Span,
        message: impl AsRef<str>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, span, message)
        }
    }

    pub(in super::super) fn help(self, help: impl AsRef<str>) -> Self {
        Self {
            help: Some(clean(help.as_ref())),
            ..self
        }
    }

    pub(super) fn related(mut self, span: Span, text: impl AsRef<str>) -> Self {
        self.related.push((span, clean(text.as_ref())));
        self
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $code:literal,)+) => {
        /// What a template is checked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[$doc])* $rule,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Rule] = &[$(Rule::$rule,)+];

            /// Returns the code that messages and documents show; it never changes.
            pub fn code(self) -> &'static str {
                match self {
                    $(Rule::$rule => $code,)+
                }
            }
        }
    };
}

rules! {
    /// It has more bytes than CloudFormation takes.
    TooLarge = "too-large",
    /// It is not UTF-8.
    NotText = "not-utf8",
    /// There is nothing in it.
    Empty = "empty",
    /// It is not YAML.
    NotYaml = "not-yaml",
    /// It begins like JSON and is not.
    NotJson = "not-json",
    /// It holds several documents.
    SeveralDocuments = "several-documents",
    /// It is nested too deeply.
    TooDeep = "too-deep",
    /// It uses an alias.
    Alias = "alias",
    /// It uses a merge key.
    MergeKey = "merge-key",
    /// A key is there twice.
    DuplicateKey = "duplicate-key",
    /// A key is no text.
    KeyNotText = "key-not-text",
    /// A tag cannot be understood.
    UnknownTag = "unknown-tag",
    /// Something is a text where a mapping belongs, or the like.
    Shape = "wrong-shape",
    /// A value is null.
    Null = "null-value",
    /// The format has another version.
    FormatVersion = "format-version",
    /// A section has no meaning.
    UnknownSection = "unknown-section",
    /// There are no resources.
    NoResources = "no-resources",
    /// A name has characters that it cannot have.
    Name = "bad-name",
    /// Something necessary is missing.
    Missing = "missing-key",
    /// A key has no meaning where it is.
    UnknownKey = "unknown-key",
    /// A value is none of those possible.
    Value = "bad-value",
    /// A parameter has a type that does not exist.
    ParameterType = "parameter-type",
    /// A constraint of a parameter cannot hold.
    Constraint = "bad-constraint",
    /// A default does not meet the parameter's own constraints.
    Default = "bad-default",
    /// A secret stands in the template.
    SecretDefault = "secret-default",
    /// A name refers to nothing.
    UnknownName = "unknown-name",
    /// A name refers to something of another kind.
    WrongKind = "wrong-kind",
    /// Nothing uses a parameter.
    UnusedParameter = "unused-parameter",
    /// Nothing uses a condition.
    UnusedCondition = "unused-condition",
    /// Nothing uses a mapping.
    UnusedMapping = "unused-mapping",
    /// Nothing uses a variable of a `Fn::Sub`.
    UnusedVariable = "unused-variable",
    /// Resources need each other.
    Circle = "circle",
    /// A function does not exist.
    UnknownFunction = "unknown-function",
    /// A function has other arguments than it takes.
    Arguments = "bad-arguments",
    /// A function needs a transform.
    NeedsTransform = "needs-transform",
    /// A text without quotes can be read as something else.
    Ambiguous = "ambiguous-scalar",
    /// A value exists nowhere at a target.
    Unresolved = "unresolved",
    /// The file cannot be read.
    Unread = "unreadable",
    /// A local path leads nowhere, or to what cannot be packaged.
    LocalPath = "local-path",
    /// There are more of something than CloudFormation takes.
    Limit = "over-limit",
}

impl Rule {
    pub(super) fn of(problem: &TemplateProblem) -> Self {
        match problem {
            TemplateProblem::TooLarge { .. } => Self::TooLarge,
            TemplateProblem::NotText => Self::NotText,
            TemplateProblem::Empty => Self::Empty,
            TemplateProblem::Yaml { .. } => Self::NotYaml,
            TemplateProblem::Json { .. } => Self::NotJson,
            TemplateProblem::SeveralDocuments => Self::SeveralDocuments,
            TemplateProblem::TooDeep { .. } => Self::TooDeep,
            TemplateProblem::Alias => Self::Alias,
            TemplateProblem::MergeKey => Self::MergeKey,
            TemplateProblem::DuplicateKey { .. } => Self::DuplicateKey,
            TemplateProblem::KeyNotText => Self::KeyNotText,
            TemplateProblem::UnknownTag { .. } => Self::UnknownTag,
            TemplateProblem::NotMapping { .. } | TemplateProblem::Default { .. } => Self::Shape,
            TemplateProblem::LocalPath { .. } => Self::LocalPath,
            TemplateProblem::NoType { .. } => Self::Missing,
        }
    }
}
