//! Templates from the artifact store, for positions, risks and text differences in a review.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::artifact::{ArtifactError, Store};
use crate::diff::{self, PropertyChange};
use crate::model::{ArtifactRef, ChangeSetKind, Digest, LogicalId, PlannedTarget, Risk};
use crate::report::{Place, ReviewSources, View};
use crate::template::Template;

/// The stored templates of one execution.
pub(super) struct Sources {
    store: Store,
    artifacts: Vec<ArtifactRef>,
    /// Hundreds of targets share a few templates: each is read once.
    read: Mutex<HashMap<Digest, Option<Arc<Template>>>>,
}

impl Sources {
    /// Returns the templates in `store` that `artifacts` hold.
    pub(super) fn new(store: Store, artifacts: Vec<ArtifactRef>) -> Self {
        Self {
            store,
            artifacts,
            read: Mutex::default(),
        }
    }

    /// Returns the templates of the execution in `view`, from the artifacts below `folder`.
    pub(super) fn of(view: &View, folder: &Path) -> Result<Self, ArtifactError> {
        let artifacts = view.sources().map(|s| s.artifact.clone()).collect();
        Ok(Self::new(Store::open(folder)?, artifacts))
    }

    fn template(&self, target: &PlannedTarget) -> Option<Arc<Template>> {
        if target.kind == ChangeSetKind::Delete {
            return None;
        }
        let path = &target.inputs.template;
        let packaged = target.inputs.packaged;
        self.once(packaged.unwrap_or(target.inputs.template_digest), || {
            let bytes = match packaged {
                Some(digest) => self.store.blob(&digest).ok()?,
                None => {
                    let artifact = self.artifacts.iter().find(|a| a.name == path.artifact)?;
                    self.store.read(artifact, &path.path).ok()?
                }
            };
            Template::parse(&path.path, &bytes).ok()
        })
    }

    fn previous(&self, target: &PlannedTarget) -> Option<Arc<Template>> {
        let digest = target.previous_template?;
        self.once(digest, || {
            let bytes = self.store.blob(&digest).ok()?;
            Template::parse("the stack's present template", &bytes).ok()
        })
    }

    fn once(
        &self,
        digest: Digest,
        read: impl FnOnce() -> Option<Template>,
    ) -> Option<Arc<Template>> {
        let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .entry(digest)
            .or_insert_with(|| read().map(Arc::new))
            .clone()
    }
}

impl ReviewSources for Sources {
    fn place(
        &self,
        target: &PlannedTarget,
        resource: &LogicalId,
        property: Option<&PropertyChange>,
    ) -> Option<Place> {
        let template = self.template(target)?;
        let position = match property {
            Some(property) => template.property_position(resource, &property.path)?,
            None => template.resource(resource)?.position,
        };
        Some(Place {
            file: template.file().to_owned(),
            line: position.line,
            column: position.column,
        })
    }

    fn risks(&self, target: &PlannedTarget) -> Vec<Risk> {
        let (template, previous) = (self.template(target), self.previous(target));
        diff::risks(&target.changes, template.as_deref(), previous.as_deref())
    }

    fn template_diff(&self, target: &PlannedTarget) -> Option<String> {
        let (new, old) = (self.template(target)?, self.previous(target)?);
        let diff = diff::text_diff(&old.shown_text(), &new.shown_text()).unified(3);
        (!diff.is_empty()).then_some(diff)
    }
}
