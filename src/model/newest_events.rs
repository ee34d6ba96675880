//! What the stacks had last gone through when it was looked at what somebody else changed.

use std::collections::BTreeMap;

use super::{ActionDeclaration, ExecutionDefinition, PipelineDeclaration, Target};

/// The key of an action's configuration under which the id of the newest event of each stack is, by target, that was there
/// when a rollback found that nobody else had changed the stack: what is newer where the plan is made is not looked at yet.
pub const NEWEST_EVENTS: &str = "NewestEvents";

/// The newest event of each stack, by target; none for a stack without events.
type NewestEvents = BTreeMap<String, Option<String>>;

impl ExecutionDefinition {
    /// Returns the newest event that each stack had; nothing where it was not looked at.
    pub fn newest_events(&self) -> NewestEvents {
        let settings = self.pipeline.actions().map(|a| &a.configuration);
        let maps = settings.filter_map(|s| s.get(NEWEST_EVENTS));
        maps.filter_map(|map| serde_json::from_str::<NewestEvents>(map).ok())
            .flatten()
            .collect()
    }
}

impl ActionDeclaration {
    /// Returns whether a rollback found the stack of a target to be there.
    pub fn was_seen(&self, target: &Target) -> bool {
        let map = self.configuration.get(NEWEST_EVENTS);
        let seen = map.and_then(|map| serde_json::from_str::<NewestEvents>(map).ok());
        seen.is_some_and(|seen| seen.contains_key(&target.to_string()))
    }
}

impl PipelineDeclaration {
    /// Puts another newest event in the place of that which `newer` knows of a target.
    pub fn renew_newest_events(&mut self, newer: impl Fn(&Target) -> Option<String>) {
        for action in self.stages.iter_mut().flat_map(|s| &mut s.actions) {
            let targets: Vec<Target> = match &action.fan_out {
                Some(fan_out) => fan_out.targets.iter().map(|s| s.target.clone()).collect(),
                None => continue,
            };
            let Some(map) = action.configuration.get_mut(NEWEST_EVENTS) else {
                continue;
            };
            let Ok(mut known) = serde_json::from_str::<NewestEvents>(map) else {
                continue;
            };
            for target in &targets {
                if let (Some(event), Some(newer)) =
                    (known.get_mut(&target.to_string()), newer(target))
                {
                    *event = Some(newer);
                }
            }
            // Serialising a map of texts cannot fail.
            *map = serde_json::json!(known).to_string();
        }
    }
}
