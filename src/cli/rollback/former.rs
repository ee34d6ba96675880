//! What a stack was before an execution changed it: its template, and the values of its parameters.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::sorted::{Touched, Why};
use crate::artifact::Store;
use crate::cli::CliError;
use crate::model::{
    ChangeSetKind, Digest, ParameterValue, PlannedTarget, StackStatus, Target, TargetOutcome,
};
use crate::report::TargetView;
use crate::template::Template;

/// What a stack is given back.
#[derive(Debug)]
pub(super) struct Former {
    pub target: Target,
    /// Its template, as CloudFormation had it.
    pub text: Vec<u8>,
    pub digest: Digest,
    /// What the template needs acknowledged.
    pub capabilities: BTreeSet<String>,
    /// The values that are known.
    pub values: BTreeMap<String, String>,
    /// The parameters whose present value is the former one, which cannot be read.
    pub kept: BTreeSet<String>,
    /// The parameters whose former value cannot be read, and may be another than the present one.
    pub asked: BTreeSet<String>,
    /// Its tags; those that the execution gave it, where its own are not on record.
    pub tags: BTreeMap<String, String>,
    /// Whether the tags are its own.
    pub has_former_tags: bool,
    /// The newest event of the stack, where nobody else changed it since.
    pub unchanged: Option<Option<String>>,
}

/// Returns what is to be done with the target, where the execution may have changed its stack.
pub(super) fn touched(target: &TargetView) -> Option<Touched> {
    let failed = match target.outcome()? {
        TargetOutcome::Succeeded { .. } => None,
        TargetOutcome::Failed {
            status: Some(status),
            ..
        } => Some(*status),
        TargetOutcome::Unknown { .. } => return Some(Touched::Left(Why::Unknown)),
        TargetOutcome::Failed { status: None, .. }
        | TargetOutcome::NoChanges
        | TargetOutcome::NotPlanned { .. }
        | TargetOutcome::Stale { .. }
        | TargetOutcome::Skipped { .. } => return None,
    };
    Some(match target.planned() {
        Some(planned) => judge(&planned, failed),
        None => Touched::Left(Why::NotOnRecord("what it stood on")),
    })
}

/// `failed`: the status of the stack, where the execution failed there.
fn judge(planned: &PlannedTarget, failed: Option<StackStatus>) -> Touched {
    let is_new = planned.base.status == StackStatus::ReviewInProgress;
    match planned.kind {
        ChangeSetKind::Create => return Touched::Left(Why::Created { failed }),
        ChangeSetKind::Import if is_new => return Touched::Left(Why::Imported),
        ChangeSetKind::Import | ChangeSetKind::Update | ChangeSetKind::Delete => {}
    }
    match failed {
        None | Some(StackStatus::UpdateFailed) => {}
        Some(StackStatus::UpdateRollbackComplete | StackStatus::ImportRollbackComplete) => {
            return Touched::Left(Why::TookItself);
        }
        Some(other) => return Touched::Left(Why::Stuck(other)),
    }
    if planned.settings_only {
        return Touched::Left(Why::SettingsOnly);
    }
    match planned.previous_template {
        Some(_) => Touched::Changed,
        None => Touched::Left(Why::NotOnRecord("its former template")),
    }
}

impl Former {
    /// Returns what the target's stack was. `unchanged`: the newest event of the stack, where nobody else changed it since.
    pub(super) fn of(
        target: &TargetView,
        store: &Store,
        unchanged: Option<Option<String>>,
    ) -> Result<Self, CliError> {
        let named = || format!("what {} was", target.target());
        let planned = target.planned();
        let digest = planned.as_ref().and_then(|p| p.previous_template);
        let (Some(planned), Some(digest)) = (planned, digest) else {
            return Err(CliError::message(format!("{} is not on record", named())));
        };
        let failed = |error: anyhow::Error| CliError::failed(error.context(named()));
        let text = store.blob(&digest).map_err(|e| failed(e.into()))?;
        let template =
            Template::parse("the former template", &text).map_err(|e| failed(e.into()))?;
        let (kept, asked) = hidden(&planned, &template, unchanged.is_some());
        let declared = template.parameters();
        let values = planned.previous_parameters.into_iter();
        Ok(Self {
            target: planned.target,
            capabilities: template.required_capabilities(),
            values: values
                .filter(|(name, _)| declared.contains_key(name))
                .collect(),
            text,
            digest,
            kept,
            asked,
            has_former_tags: target.former_tags().is_some(),
            tags: target
                .former_tags()
                .cloned()
                .unwrap_or_else(|| planned.inputs.tags.clone()),
            unchanged,
        })
    }

    /// Returns the override file that gives the values back.
    pub(super) fn values(&self) -> Result<Vec<u8>, CliError> {
        let known = self
            .values
            .iter()
            .map(|(name, value)| json!({"ParameterKey": name, "ParameterValue": value}));
        let kept = self
            .kept
            .iter()
            .map(|name| json!({"ParameterKey": name, "UsePreviousValue": true}));
        let parameters: Vec<_> = known.chain(kept).collect();
        let file = json!({"Parameters": parameters, "Tags": self.tags});
        serde_json::to_vec_pretty(&file).map_err(CliError::failed)
    }
}

/// Returns the parameters of the former template whose values cannot be read back: those that the stack still has, and those
/// that have to be asked for.
///
/// The present value is the former one only where the execution itself kept it and nobody changed the stack since.
fn hidden(
    planned: &PlannedTarget,
    former: &Template,
    is_unchanged: bool,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let was_kept = |name: &String| {
        let mut given = planned.inputs.parameters.iter();
        given.any(|p| p.name == *name && p.value == ParameterValue::Previous)
    };
    let names = former.parameters().keys();
    let unknown = names.filter(|name| !planned.previous_parameters.contains_key(*name));
    unknown
        .cloned()
        .partition(|name| is_unchanged && was_kept(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Base, EffectiveParameter, Layer, Provenance, SecretRef};

    fn planned(parameters: &[(&str, ParameterValue)]) -> PlannedTarget {
        let mut planned = crate::plan::sample::planned("111111111111", "eu-west-1", "app");
        let provenance = Provenance {
            layer: Layer::Override,
            file: None,
            line: None,
            lookup: None,
        };
        let parameters = parameters.iter().map(|(name, value)| EffectiveParameter {
            name: (*name).to_owned(),
            value: value.clone(),
            provenance: provenance.clone(),
        });
        planned.inputs_mut().parameters = parameters.collect();
        planned.kind = ChangeSetKind::Update;
        planned.settings_only = false;
        planned.previous_parameters = [("Open".to_owned(), "1".to_owned())].into();
        planned.previous_template = Some(Digest::of(b"former"));
        planned
    }

    #[test]
    fn a_hidden_value_is_kept_only_where_nobody_can_have_changed_it() {
        let text = "Parameters: {Open: {Type: String}, Kept: {Type: String, NoEcho: true}, \
                    New: {Type: String, NoEcho: true}, Gone: {Type: String, NoEcho: true}}\nResources: {}\n";
        let former = Template::parse("t.yaml", text.as_bytes()).unwrap();
        let planned = planned(&[
            ("Open", ParameterValue::Plain("2".into())),
            ("Kept", ParameterValue::Previous),
            ("New", ParameterValue::Secret(SecretRef::Prompt)),
        ]);
        let names = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>();
        let (kept, asked) = hidden(&planned, &former, true);
        assert_eq!(names(kept), ["Kept"]);
        assert_eq!(names(asked), ["Gone", "New"]);
        let (kept, asked) = hidden(&planned, &former, false);
        assert!(kept.is_empty());
        assert_eq!(names(asked), ["Gone", "Kept", "New"]);
    }

    #[test]
    fn only_what_the_execution_left_changed_is_rolled_back() {
        let update = planned(&[]);
        let left = Touched::Left;
        assert_eq!(judge(&update, None), Touched::Changed);
        let stopped = Some(StackStatus::UpdateFailed);
        assert_eq!(judge(&update, stopped), Touched::Changed);
        let itself = Some(StackStatus::UpdateRollbackComplete);
        assert_eq!(judge(&update, itself), left(Why::TookItself));
        let stuck = StackStatus::UpdateRollbackFailed;
        assert_eq!(judge(&update, Some(stuck)), left(Why::Stuck(stuck)));

        let create = PlannedTarget {
            kind: ChangeSetKind::Create,
            ..planned(&[])
        };
        let why = Why::Created { failed: None };
        let command = "`stackgate delete app --accounts 111111111111 --regions eu-west-1`";
        assert!(why.told(&create.target).contains(command));
        assert_eq!(judge(&create, None), left(why));
        let import = PlannedTarget {
            kind: ChangeSetKind::Import,
            base: Base::in_review(update.base.stack.clone()),
            ..planned(&[])
        };
        assert_eq!(judge(&import, None), left(Why::Imported));
        let unread = PlannedTarget {
            previous_template: None,
            ..planned(&[])
        };
        let missing = Why::NotOnRecord("its former template");
        assert_eq!(judge(&unread, None), left(missing));
    }
}
