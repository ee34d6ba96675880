//! What steps act on.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::OnceCell;

use super::bad_input;
use super::package;
use super::secrets::Secrets;
use crate::artifact::Store;
use crate::aws::Aws;
use crate::model::{
    ArtifactName, ArtifactPath, ArtifactRef, CallFailure, Digest, FailureKind, Silence,
    TemplateBucket,
};
use crate::template::Template;

/// What steps act on: AWS, the artifact store, the project's files and the secrets.
pub struct World {
    /// AWS.
    pub aws: Aws,
    /// The artifact store.
    pub store: Store,
    /// The project root.
    pub root: PathBuf,
    /// The secrets.
    pub secrets: Secrets,
    templates: Mutex<HashMap<Digest, Arc<Template>>>,
    /// Those that are sent, as they are sent: a fleet shares them.
    sent: Mutex<HashMap<Digest, Sent>>,
    packages: Mutex<package::Cells>,
    /// By the artifact that they are in: a fleet shares it.
    manifests: Mutex<HashMap<Digest, Arc<package::Manifest>>>,
}

/// The artifacts made so far.
pub(super) type Artifacts = std::collections::BTreeMap<ArtifactName, ArtifactRef>;

/// A template and its text.
pub(super) type Sent = (Arc<Template>, Arc<str>);

impl World {
    /// Returns a world.
    pub fn new(aws: Aws, store: Store, root: PathBuf, secrets: Secrets) -> Self {
        Self {
            aws,
            store,
            root,
            secrets,
            templates: Mutex::default(),
            sent: Mutex::default(),
            packages: Mutex::default(),
            manifests: Mutex::default(),
        }
    }

    /// Returns the regions from which nothing usable has come for a while, at the time `at`.
    pub fn silences(&self, at: Timestamp) -> Vec<Silence> {
        self.aws.silences(at)
    }

    /// Notes that the lease on the execution is held: what was approved is sent only a short while after.
    pub fn note_held(&self) {
        self.aws.note_held();
    }

    /// Returns the bytes of a file of an artifact.
    pub(super) fn file(
        &self,
        artifacts: &Artifacts,
        path: &ArtifactPath,
    ) -> Result<Vec<u8>, CallFailure> {
        let artifact = artifacts.get(&path.artifact).ok_or_else(|| {
            CallFailure::new(
                FailureKind::BadInput,
                format!("artifact `{}` is not an input of the action", path.artifact),
            )
        })?;
        self.store
            .read(artifact, &path.path)
            .map_err(|e| bad_input(&e))
    }

    /// Returns the template in `bytes`; one that was read before is not parsed again.
    pub(super) fn template(
        &self,
        file: &str,
        bytes: &[u8],
    ) -> Result<(Digest, Arc<Template>), CallFailure> {
        let digest = Digest::of(bytes);
        let known = self.lock().get(&digest).cloned();
        if let Some(template) = known {
            return Ok((digest, template));
        }
        let template = Arc::new(Template::parse(file, bytes).map_err(|e| bad_input(&e))?);
        self.lock().insert(digest, template.clone());
        Ok((digest, template))
    }

    /// Returns the template with `digest` and its text; `read` gives its file and bytes, unless it was read before.
    pub(super) fn sent(
        &self,
        digest: Digest,
        read: impl FnOnce() -> Result<(String, Vec<u8>), CallFailure>,
    ) -> Result<Sent, CallFailure> {
        let known = || self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sent) = known().get(&digest) {
            return Ok(sent.clone());
        }
        let (file, bytes) = read()?;
        let (digest, template) = self.template(&file, &bytes)?;
        let text = String::from_utf8(bytes).map_err(|_| {
            CallFailure::new(FailureKind::BadInput, format!("`{file}` is not UTF-8"))
        })?;
        let sent = (template, Arc::from(text));
        known().insert(digest, sent.clone());
        Ok(sent)
    }

    /// Returns the manifest in the artifact with `digest`; one that was read before is not read again.
    pub(super) fn manifest(
        &self,
        digest: Digest,
        read: impl FnOnce() -> Result<package::Manifest, CallFailure>,
    ) -> Result<Arc<package::Manifest>, CallFailure> {
        let mut known = self
            .manifests
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(manifest) = known.get(&digest) {
            return Ok(manifest.clone());
        }
        let manifest = Arc::new(read()?);
        known.insert(digest, manifest.clone());
        Ok(manifest)
    }

    /// Returns where it is noted what a template is for a bucket.
    pub(super) fn package_cell(
        &self,
        key: (TemplateBucket, Digest, String),
    ) -> Arc<OnceCell<package::Packaged>> {
        let mut cells = self.packages.lock().unwrap_or_else(PoisonError::into_inner);
        cells.entry(key).or_default().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Arc<Template>>> {
        // A cache of immutable values is whole whatever its writer did.
        self.templates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
