//! `--delete-created`: the stacks that an execution created are deleted, as `stackgate delete` does it.

use std::collections::BTreeMap;

use super::Rollback;
use super::definition::turn_round;
use super::sorted::Created;
use crate::cli::earlier::only;
use crate::cli::run::{Run, Start, new_id};
use crate::cli::{CliError, delete};
use crate::model::{
    ExecutionDefinition, Follows, NOTES, PipelineDeclaration, STACK_IDS, STACKS_LEFT, StackId,
    StackLeft, Target,
};

impl Rollback<'_> {
    /// Deletes them in an execution of its own, with its own review and answer; returns the exit code.
    pub(super) async fn delete(&self, created: &[Created]) -> Result<u8, CliError> {
        let id = new_id()?;
        let (aws, caller) = self.earlier.reach(&id).await?;
        let start = Start {
            global: self.global,
            journal: self.journal,
            id,
            aws,
            caller,
            answering: self.answering,
            out: None,
            account: self.account,
        };
        Run::start(start, self.deletion(created)?).await
    }

    /// Returns the execution that deletes them.
    fn deletion(&self, created: &[Created]) -> Result<ExecutionDefinition, CliError> {
        let earlier = &self.earlier.id;
        let follows = Follows::RollsBack(earlier.clone());
        let mut definition = self.earlier.followed(follows);
        let targets: Vec<&Target> = created.iter().map(|one| &one.target).collect();
        only(&mut definition.pipeline, &targets.iter().copied().collect());
        let mut deletion = delete::as_made_by(&definition)?;
        // A deletion of what failed has no waves, but this one undoes a rollout that had.
        let mut actions = definition.pipeline.actions();
        let waves = actions.find_map(|action| Some(action.fan_out.as_ref()?.waves.clone()));
        drop(actions);
        deletion.fan_out.waves = waves.unwrap_or_default();
        turn_round(&mut deletion.fan_out, &targets);
        let mut pipeline = deletion.pipeline();
        let note =
            format!("deletes the stacks that execution {earlier} created (`--delete-created`)");
        mean(&mut pipeline, created, &note);
        definition.pipeline = pipeline;
        definition.secrets = BTreeMap::new();
        definition.allow_literal_secrets = false;
        Ok(definition)
    }
}

/// Says to the actions over the stacks which ones are meant: a stack that has the name since is somebody else's.
fn mean(pipeline: &mut PipelineDeclaration, created: &[Created], note: &str) {
    let ids: BTreeMap<String, &StackId> = created
        .iter()
        .map(|one| (one.target.to_string(), &one.stack))
        .collect();
    // The check is from before everything else was rolled back, which can be hours.
    let left: BTreeMap<String, &StackLeft> = created
        .iter()
        .filter_map(|one| Some((one.target.to_string(), one.left.as_ref()?)))
        .collect();
    // Serialising maps and lists of texts cannot fail.
    let (ids, notes) = (serde_json::json!(ids), serde_json::json!([note]));
    let left = serde_json::json!(left);
    let actions = pipeline.stages.iter_mut().flat_map(|s| &mut s.actions);
    let over_stacks = actions.filter(|action| action.fan_out.is_some());
    let mut last = None;
    for action in over_stacks {
        action
            .configuration
            .insert(STACK_IDS.to_owned(), ids.to_string());
        action
            .configuration
            .insert(STACKS_LEFT.to_owned(), left.to_string());
        last = Some(action);
    }
    // The last one deletes: what it is told is part of the plan.
    if let Some(action) = last {
        action
            .configuration
            .insert(NOTES.to_owned(), notes.to_string());
    }
}
