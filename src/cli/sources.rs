//! Templates from the artifact store, for positions, risks and text differences in a review.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::CliError;
use crate::artifact::Store;
use crate::diff::{self, Account, DefaultDiff, Impact, PropertyChange};
use crate::model::{
    ArtifactRef, ChangeSetKind, Digest, ExecutionDefinition, LogicalId, PlannedTarget, Risk,
    RiskChoices,
};
use crate::report::{Place, ReviewSources, View};
use crate::template::Template;

/// The stored templates of one execution.
pub(super) struct Sources {
    store: Store,
    artifacts: Vec<ArtifactRef>,
    /// What the execution was begun with, and taken over with.
    choices: RiskChoices,
    /// Hundreds of targets share a few templates: each is read once.
    read: Mutex<HashMap<Digest, Option<Arc<Template>>>>,
}

impl Sources {
    /// Returns the templates of the execution in `view`, from the artifacts in `store`.
    pub(super) fn new(store: Store, view: &View) -> Result<Self, CliError> {
        let choices = view.definition().map(ExecutionDefinition::risk_choices);
        let choices = choices.transpose().map_err(CliError::failed)?;
        let choices = choices.unwrap_or_default();
        Ok(Self {
            store,
            artifacts: view.sources().map(|s| s.artifact.clone()).collect(),
            choices: match view.imported_risks() {
                Some(project) => RiskChoices::stricter(&choices, project),
                None => choices,
            },
            read: Mutex::default(),
        })
    }

    /// Returns the templates of the execution in `view`, from the artifacts below `folder`.
    pub(super) fn of(view: &View, folder: &Path) -> Result<Self, CliError> {
        Self::new(Store::open(folder)?, view)
    }

    /// Returns what was chosen for risk rules.
    pub(super) fn choices(&self) -> &RiskChoices {
        &self.choices
    }

    /// Returns whether every template by which the target's changes are judged is at hand.
    pub(super) fn can_judge(&self, target: &PlannedTarget) -> bool {
        let is_deletion = target.kind == ChangeSetKind::Delete;
        (is_deletion || self.template(target).is_some())
            && match target.previous_template {
                Some(_) => self.previous(target).is_some(),
                None => diff::are_told(&target.changes),
            }
    }

    /// Returns the template that is sent for the target.
    pub(super) fn template(&self, target: &PlannedTarget) -> Option<Arc<Template>> {
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
        let mut risks = diff::risks_of_target(target, template.as_deref(), previous.as_deref());
        self.choices.apply(&mut risks);
        risks
    }

    fn impact(&self, target: &PlannedTarget) -> Impact {
        let (template, previous) = (self.template(target), self.previous(target));
        diff::impact(
            target,
            template.as_deref(),
            previous.as_deref(),
            &self.choices,
        )
    }

    fn kept_default(&self, target: &PlannedTarget, parameter: &str) -> Option<DefaultDiff> {
        let (new, old) = (self.template(target)?, self.previous(target)?);
        let value = target.previous_parameters.get(parameter);
        diff::kept_default(parameter, value.map(String::as_str), &old, &new)
    }

    fn account(&self, target: &PlannedTarget) -> Option<Account> {
        let (new, old) = (self.template(target)?, self.previous(target)?);
        Some(Account::of(target, &old, &new))
    }

    fn template_diff(&self, target: &PlannedTarget) -> Option<String> {
        let (new, old) = (self.template(target)?, self.previous(target)?);
        let diff = diff::text_diff(&old.shown_text(), &new.shown_text()).unified(3);
        (!diff.is_empty()).then_some(diff)
    }
}
