//! What a change set of one target is made from. Secret values are references, never values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ArtifactPath, Digest, Lookup, StackOptions, StackSetting, Uploads};

/// Everything that goes into `CreateChangeSet` for one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetInputs {
    /// Where the template is in its artifact.
    pub template: ArtifactPath,
    /// The digest of the template's bytes, which are sent unchanged unless it names local files.
    pub template_digest: Digest,
    /// The digest of what is sent instead: the same text with local paths replaced by where their content was put, which
    /// is a blob of the artifact store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packaged: Option<Digest>,
    /// What was put into buckets for it.
    #[serde(default, skip_serializing_if = "Uploads::is_empty")]
    pub uploads: Uploads,
    /// The effective parameters, in the order of the template.
    pub parameters: Vec<EffectiveParameter>,
    /// The stack's tags; none where it keeps those that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// The acknowledged capabilities.
    #[serde(default)]
    pub capabilities: BTreeSet<String>,
    /// The role that CloudFormation acts with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// The stack policy of the configuration file, as JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_policy: Option<String>,
    /// What else is asked of the stack.
    #[serde(default, skip_serializing_if = "StackOptions::is_default")]
    pub options: StackOptions,
}

impl TargetInputs {
    /// Returns what is set on the stack once its operation has succeeded, in this order.
    pub fn settings(&self) -> Vec<StackSetting> {
        let protection = self.options.termination_protection;
        let protection = protection.map(|_| StackSetting::TerminationProtection);
        let policy = self.stack_policy.as_ref();
        let policy = policy.map(|_| StackSetting::StackPolicy);
        protection.into_iter().chain(policy).collect()
    }
}

/// The value of one parameter and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectiveParameter {
    /// The parameter's name.
    pub name: String,
    /// Its value.
    pub value: ParameterValue,
    /// Which layer won.
    pub provenance: Provenance,
}

/// What is sent for a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterValue {
    /// A value that may be shown and stored.
    Plain(String),
    /// The template's default: nothing is sent. Holds the default's text unless it is a secret.
    Default(Option<String>),
    /// The value the stack has (`UsePreviousValue`).
    Previous,
    /// A secret, looked up when the change set is created.
    Secret(SecretRef),
}

/// Where to find a secret value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; one trailing line break is dropped.
    File(String),
    /// Asked for on the terminal.
    Prompt,
    /// A literal in an override file of the artifact, explicitly allowed.
    Literal(ArtifactPath),
}

/// A text that is not a secret reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a secret is given as `env:NAME`, `file:PATH` or `prompt`")]
pub struct SecretRefError;

impl std::str::FromStr for SecretRef {
    type Err = SecretRefError;
    fn from_str(text: &str) -> Result<Self, SecretRefError> {
        // The text is not echoed: somebody may have typed the secret itself.
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.to_owned())),
            Some(("literal", path)) => path.parse().map(Self::Literal).map_err(|_| SecretRefError),
            None if text == "prompt" => Ok(Self::Prompt),
            _ => Err(SecretRefError),
        }
    }
}

impl TryFrom<String> for SecretRef {
    type Error = SecretRefError;
    fn try_from(text: String) -> Result<Self, SecretRefError> {
        text.parse()
    }
}

impl From<SecretRef> for String {
    fn from(reference: SecretRef) -> String {
        reference.to_string()
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Prompt => f.write_str("prompt"),
            Self::Literal(path) => write!(f, "literal:{path}"),
        }
    }
}

/// Which layer gave a value, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// `Default` in the template.
    TemplateDefault,
    /// The stack's present value.
    Previous,
    /// `STACK.json`.
    Stack,
    /// `STACK.REGION.json`.
    Region,
    /// `STACK.ACCOUNT.json`.
    Account,
    /// `STACK.ACCOUNT.REGION.json`.
    AccountRegion,
    /// `ParameterOverrides` of the action, `--parameter` or `--secret`.
    Override,
}

/// The line of a project's file that gives a value as a flag would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideLine {
    /// The file, relative to the project root.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

impl OverrideLine {
    /// The key of an action's configuration under which the origins of its `ParameterOverrides` are: a JSON object with
    /// the names of parameters. It changes nothing that is done.
    pub const KEY: &str = "ParameterOrigins";
}

/// The layer of a value, and its place where it is in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The layer.
    pub layer: Layer,
    /// The file, as a path inside the source artifact; for an override the one that says it for the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in the file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Where the value was looked up; none where it stands in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Lookup>,
}
