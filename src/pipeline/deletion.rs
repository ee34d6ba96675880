//! The pipeline behind `delete`, and the action that finds out what a deletion would do.

use std::cell::LazyCell;
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;

use super::deployment::{APPROVAL_STAGE, name, stage_name, type_id};
use super::machine::{Machine, Turn};
use super::names::change_set_name;
use super::state::Phase;
use super::step::TargetWork;
use super::targets::TargetIndex;
use crate::model::{
    ActionCategory, ActionDeclaration, ArtifactName, ArtifactPath, CallFailure, Cause,
    ChangeSetKind, Collection, Digest, Ending, EventKind, FanOut, LogicalId, PipelineDeclaration,
    PlannedTarget, RiskChoices, Scope, StackName, StackOptions, StackWait, StageDeclaration,
    TargetInputs, TargetOutcome,
};

/// The stage that looks at the stacks.
pub const COLLECT_STAGE: &str = "Collect";
/// The stage that deletes the stacks.
pub const DELETE_STAGE: &str = "DeleteStack";

/// What `delete` deletes.
#[derive(Debug, Clone)]
pub struct Deletion {
    /// The stack's name, which is the pipeline's too.
    pub stack: StackName,
    /// Whether only stacks whose creation failed are deleted, so that they can be made anew.
    pub only_failed: bool,
    /// Resources to leave where an earlier deletion failed.
    pub retain: Vec<LogicalId>,
    /// The role that CloudFormation acts with.
    pub role_arn: Option<String>,
    /// Whether an operation of somebody else on a stack is waited for.
    pub wait: Option<StackWait>,
    /// The targets and preferences.
    pub fan_out: FanOut,
    /// How long the answer is waited for, in minutes.
    pub approval_minutes: u32,
    /// What was chosen for risk rules.
    pub risks: RiskChoices,
}

impl Deletion {
    /// Returns the pipeline that deletes it.
    pub fn pipeline(self) -> PipelineDeclaration {
        let mut what = IndexMap::from([("StackName".to_owned(), self.stack.to_string())]);
        if let Some(role) = self.role_arn {
            what.insert("RoleArn".to_owned(), role);
        }
        if self.only_failed {
            what.insert("OnlyFailed".to_owned(), "true".to_owned());
        }
        if !self.retain.is_empty() {
            let ids: Vec<&str> = self.retain.iter().map(LogicalId::as_str).collect();
            what.insert("RetainResources".to_owned(), ids.join(","));
        }
        let mut delete = what.clone();
        if let Some(wait) = self.wait {
            what.insert(StackWait::KEY.to_owned(), wait.to_string());
        }
        delete.insert("ActionMode".to_owned(), "DELETE_ONLY".to_owned());
        let base = ActionDeclaration {
            name: name("Stacks"),
            action_type_id: type_id(ActionCategory::Source, "Custom", "Stacks"),
            run_order: 1,
            configuration: what,
            input_artifacts: Vec::new(),
            output_artifacts: Vec::new(),
            timeout_in_minutes: None,
            fan_out: Some(self.fan_out.clone()),
        };
        let stage = |stage: &str, action: ActionDeclaration| StageDeclaration {
            name: stage_name(stage),
            actions: vec![action],
        };
        PipelineDeclaration {
            name: self.stack.to_string(),
            stages: vec![
                stage(COLLECT_STAGE, base.clone()),
                stage(
                    APPROVAL_STAGE,
                    ActionDeclaration {
                        name: name("Review"),
                        action_type_id: type_id(ActionCategory::Approval, "AWS", "Manual"),
                        configuration: self.risks.to_configuration(),
                        timeout_in_minutes: Some(self.approval_minutes),
                        fan_out: None,
                        ..base.clone()
                    },
                ),
                stage(
                    DELETE_STAGE,
                    ActionDeclaration {
                        name: name("Delete"),
                        action_type_id: type_id(ActionCategory::Deploy, "AWS", "CloudFormation"),
                        configuration: delete,
                        ..base
                    },
                ),
            ],
        }
    }
}

impl Machine {
    pub(super) fn take_collection(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        target: TargetIndex,
        result: Option<Result<Box<Collection>, CallFailure>>,
    ) {
        let Collection { caller, stack } = match result {
            Some(Ok(collection)) => *collection,
            Some(Err(failure)) => return self.not_planned(turn, now, target, &failure),
            None => return,
        };
        // Looked at only: a stop that came in the meantime leaves it for later.
        if self.begins_nothing() {
            return;
        }
        let Some(stack) = stack else {
            return self.finish(turn, now, target, TargetOutcome::NoChanges, Ending::none());
        };
        if !stack.obstacles.is_empty() {
            let cause = Cause::of(stack.obstacles.join("; "));
            let outcome = TargetOutcome::NotPlanned { cause };
            return self.finish(turn, now, target, outcome, Ending::none());
        }
        let planned = PlannedTarget {
            target: self.name(target).clone(),
            caller,
            kind: ChangeSetKind::Delete,
            name: change_set_name(&self.state.id, self.name(target)),
            change_set: None,
            inputs: Arc::new(TargetInputs {
                // It is deleted by what it was deployed with; no file of this project counts.
                template: ArtifactPath {
                    artifact: ArtifactName::from("Deployed"),
                    path: "template".to_owned(),
                },
                template_digest: stack.template.unwrap_or_else(|| Digest::of(b"")),
                packaged: None,
                uploads: crate::model::Uploads::default(),
                parameters: Vec::new(),
                tags: None,
                capabilities: std::collections::BTreeSet::new(),
                role_arn: stack.role_arn,
                stack_policy: None,
                options: StackOptions::default(),
            }),
            changes: stack.changes,
            base: stack.base,
            previous_template: stack.template,
            previous_parameters: Default::default(),
            settings_only: false,
            retain: stack.retain,
            gone_exports: Vec::new(),
            drift: None,
        };
        let planned = Box::new(planned);
        self.emit_for(turn, now, target, EventKind::DeletionPlanned { planned });
    }

    pub(super) fn push_collect(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        action: &ActionDeclaration,
        scope: Scope,
    ) -> bool {
        // It names every target: copied only where a step needs it.
        let shared = LazyCell::new(|| Arc::new(action.clone()));
        for target in self.at_rest(turn) {
            let state = &self.state.targets[target];
            match state.phase {
                Phase::Waiting if !self.begins_nothing() => {
                    let action = Arc::clone(&shared);
                    let work = TargetWork::Collect { action };
                    self.step(turn, target, state.spec.clone(), work);
                }
                Phase::Ready | Phase::Finished => {
                    self.pending.remove(target);
                }
                Phase::Waiting
                | Phase::Creating
                | Phase::Created
                | Phase::Started
                | Phase::Executing
                | Phase::Running
                | Phase::Settled => {}
            }
        }
        self.conclude_plan(turn, now, action, scope)
    }
}
