//! What a stack was before an execution changed it: its template, and the values of its parameters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;

use super::sorted::{Touched, Why};
use crate::artifact::Store;
use crate::cli::CliError;
use crate::model::{
    ChangeAction, ChangeSetKind, Digest, ParameterValue, PlannedTarget, StackId, StackStatus,
    Target, TargetOutcome,
};
use crate::report::TargetView;
use crate::template::Template;

/// What a stack is given back.
#[derive(Debug)]
pub(super) struct Former {
    pub target: Target,
    /// The stack: another one that has its name is somebody else's.
    pub stack: Option<StackId>,
    /// Its template, as CloudFormation had it.
    pub text: Vec<u8>,
    /// Whether the template may lack characters outside ASCII, which the service does not show.
    pub may_lack_characters: bool,
    pub digest: Digest,
    /// What the template needs acknowledged.
    pub capabilities: BTreeSet<String>,
    /// The values that are known.
    pub values: BTreeMap<String, String>,
    /// The parameters whose present value is the former one, which cannot be read.
    pub kept: BTreeSet<String>,
    /// The parameters whose former value cannot be read, and may be another than the present one.
    pub asked: BTreeSet<String>,
    /// Its tags; those that the execution gave it, where its own are not on record; none where it gave it none, and it keeps its own.
    pub tags: Option<BTreeMap<String, String>>,
    /// Whether the tags are its own.
    pub has_former_tags: bool,
    /// The newest event of the stack, where nobody else changed it since.
    pub unchanged: Option<Option<String>>,
}

/// Returns what is to be done with the target, where the execution may have changed its stack. `sent`: the template that it
/// sent.
pub(super) fn touched(
    target: &TargetView,
    sent: impl FnOnce(&PlannedTarget) -> Option<Arc<Template>>,
) -> Option<Touched> {
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
        Some(planned) => judge(&planned, failed, || sent(&planned)),
        None => Touched::Left(Why::NotOnRecord("what it stood on")),
    })
}

/// `failed`: the status of the stack, where the execution failed there.
fn judge(
    planned: &PlannedTarget,
    failed: Option<StackStatus>,
    sent: impl FnOnce() -> Option<Arc<Template>>,
) -> Touched {
    // The operation itself went well there, and what was to be set after it did not.
    let failed = failed.filter(|status| !status.is_deployed());
    let is_new = planned.base.status == StackStatus::ReviewInProgress;
    match planned.kind {
        // Its resources are gone already, or left alone.
        ChangeSetKind::Create if failed == Some(StackStatus::RollbackComplete) => {
            return Touched::Left(Why::Created { failed });
        }
        ChangeSetKind::Create => {
            return Touched::Left(match deletes_imported(planned, sent) {
                true => Why::Imported,
                false => Why::Created { failed },
            });
        }
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
    if deletes_imported(planned, sent) {
        return Touched::Left(Why::Imported);
    }
    match planned.previous_template {
        Some(_) => Touched::Changed,
        None => Touched::Left(Why::NotOnRecord("its former template")),
    }
}

/// Returns whether resources that the execution took into the stack would be deleted with it, or where they leave it: they
/// were there before. Only `DeletionPolicy: Retain` of the template that the stack has now keeps them for sure.
fn deletes_imported(planned: &PlannedTarget, sent: impl FnOnce() -> Option<Arc<Template>>) -> bool {
    let changes = planned.changes.iter();
    let mut imported = changes
        .filter(|change| change.action == ChangeAction::Import)
        .peekable();
    if imported.peek().is_none() {
        return false;
    }
    let Some(template) = sent() else {
        return true;
    };
    imported.any(|change| {
        let declared = template.resource(&change.logical_id);
        let policy = declared.and_then(|resource| resource.deletion_policy.as_deref());
        policy != Some("Retain")
    })
}

/// Returns the template that the target's stack had before, as the service showed it.
pub(super) fn shown(target: &TargetView, store: &Store) -> Result<Vec<u8>, Why> {
    let digest = target.planned().and_then(|p| p.previous_template);
    let digest = digest.ok_or(Why::NotOnRecord("its former template"))?;
    store.blob(&digest).map_err(|e| unreadable(e.into()))
}

fn parsed(text: &[u8]) -> Result<Template, Why> {
    Template::parse("the former template", text).map_err(|e| unreadable(e.into()))
}

fn unreadable(error: anyhow::Error) -> Why {
    Why::Unreadable(format!("{error:#}"))
}

impl Former {
    /// Returns what the target's stack was. `text`: its template. `unchanged`: the newest event of the stack, where nobody else
    /// changed it since.
    pub(super) fn of(
        target: &TargetView,
        text: Vec<u8>,
        unchanged: Option<Option<String>>,
    ) -> Result<Self, Why> {
        let planned = target.planned();
        let planned = planned.ok_or(Why::NotOnRecord("what it stood on"))?;
        let template = parsed(&text)?;
        let (kept, asked) = hidden(&planned, &template, unchanged.is_some());
        let declared = template.parameters();
        let values = planned.previous_parameters.into_iter();
        Ok(Self {
            target: planned.target,
            stack: target.stack().cloned(),
            capabilities: template.required_capabilities(),
            values: values
                .filter(|(name, _)| declared.contains_key(name))
                .collect(),
            digest: Digest::of(&text),
            text,
            may_lack_characters: false,
            kept,
            asked,
            has_former_tags: target.former_tags().is_some(),
            tags: target
                .former_tags()
                .or(planned.inputs.tags.as_ref())
                .cloned(),
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
        let mut file = json!({ "Parameters": parameters });
        if let Some(tags) = &self.tags {
            file["Tags"] = json!(tags);
        }
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
        let judge = |planned: &PlannedTarget, failed| super::judge(planned, failed, || None);
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

    #[test]
    fn what_failed_only_after_the_operation_is_rolled_back() {
        let judge = |planned: &PlannedTarget, failed| super::judge(planned, Some(failed), || None);
        let update = planned(&[]);
        for status in [
            StackStatus::UpdateComplete,
            StackStatus::UpdateCompleteCleanupInProgress,
        ] {
            assert_eq!(judge(&update, status), Touched::Changed);
        }
        let settings = PlannedTarget {
            settings_only: true,
            ..planned(&[])
        };
        let only = Touched::Left(Why::SettingsOnly);
        assert_eq!(judge(&settings, StackStatus::UpdateComplete), only);
        let gone = StackStatus::DeleteComplete;
        assert_eq!(judge(&update, gone), Touched::Left(Why::Stuck(gone)));
        let create = PlannedTarget {
            kind: ChangeSetKind::Create,
            ..planned(&[])
        };
        let stands = Touched::Left(Why::Created { failed: None });
        assert_eq!(judge(&create, StackStatus::CreateComplete), stands);
        let failed = Some(StackStatus::RollbackFailed);
        let broken = Touched::Left(Why::Created { failed });
        assert_eq!(judge(&create, StackStatus::RollbackFailed), broken);
    }

    #[test]
    fn what_was_there_before_and_was_imported_is_never_deleted() {
        let sent = |policy: &str| {
            let text = format!("Resources: {{Queue: {{Type: 'AWS::SQS::Queue'{policy}}}}}\n");
            Some(Arc::new(
                Template::parse("t.yaml", text.as_bytes()).unwrap(),
            ))
        };
        for kind in [
            ChangeSetKind::Create,
            ChangeSetKind::Import,
            ChangeSetKind::Update,
        ] {
            let mut planned = planned(&[]);
            planned.kind = kind;
            let mut change = planned.changes[0].clone();
            change.action = ChangeAction::Import;
            change.logical_id = "Queue".parse().unwrap();
            planned.changes.push(change);
            let imported = Touched::Left(Why::Imported);
            for policy in [
                "",
                ", DeletionPolicy: Delete",
                ", DeletionPolicy: Snapshot",
                ", DeletionPolicy: RetainExceptOnCreate",
            ] {
                let found = judge(&planned, None, || sent(policy));
                assert_eq!(found, imported, "{kind:?} {policy}");
            }
            assert_eq!(judge(&planned, None, || None), imported);
            let kept = match kind {
                ChangeSetKind::Create => Touched::Left(Why::Created { failed: None }),
                ChangeSetKind::Import | ChangeSetKind::Update | ChangeSetKind::Delete => {
                    Touched::Changed
                }
            };
            let retain = ", DeletionPolicy: Retain";
            assert_eq!(judge(&planned, None, || sent(retain)), kept);
            // What failed and took itself back deleted nothing of it.
            if kind == ChangeSetKind::Create {
                let failed = Some(StackStatus::RollbackComplete);
                let gone = Touched::Left(Why::Created { failed });
                assert_eq!(judge(&planned, failed, || None), gone);
            }
        }
    }

    #[test]
    fn a_former_template_that_is_not_understood_is_a_reason_and_no_end() {
        let Err(Why::Unreadable(why)) = parsed(b"Metadata: {a: 1, a: 2}\nResources: {}\n") else {
            panic!("read in spite of a key that is there twice");
        };
        assert!(why.contains("the former template"), "{why}");
        assert!(parsed(b"Resources: {}\n").is_ok());
    }
}
