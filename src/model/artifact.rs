//! Input and output artifacts, by content.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ArtifactName, Digest};

/// A stored artifact: a zip whose digest is its name in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRef {
    /// The artifact's name in the pipeline.
    pub name: ArtifactName,
    /// The SHA-256 of the zip.
    pub digest: Digest,
    /// The paths inside the zip, sorted.
    pub files: Vec<String>,
}

/// Where a source artifact came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRevision {
    /// The git commit of the project root, where it is a git repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The first line of the commit's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_message: Option<String>,
    /// Whether a file of the artifact differs from that commit.
    #[serde(default)]
    pub dirty: bool,
}

/// `<artifact>::<path inside the zip>`, as CodePipeline writes `TemplatePath`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ArtifactPath {
    /// The artifact's name.
    pub artifact: ArtifactName,
    /// The path inside it, with forward slashes.
    pub path: String,
}

/// A text that is not an artifact path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not of the form `ARTIFACT::PATH`")]
pub struct ArtifactPathError(String);

impl std::str::FromStr for ArtifactPath {
    type Err = ArtifactPathError;
    fn from_str(text: &str) -> Result<Self, ArtifactPathError> {
        match text.split_once("::") {
            Some((artifact, path)) if !artifact.is_empty() && !path.is_empty() => Ok(Self {
                artifact: ArtifactName::from(artifact),
                path: path.to_owned(),
            }),
            _ => Err(ArtifactPathError(super::clean(text))),
        }
    }
}

impl fmt::Display for ArtifactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.artifact, self.path)
    }
}
