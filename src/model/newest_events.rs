//! What the stacks had last gone through when it was looked at what somebody else changed.

use std::collections::BTreeMap;

use super::{
    ActionDeclaration, ExecutionDefinition, PipelineDeclaration, STACK_IDS, StackId, Target,
};

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

    /// Returns the stack that is meant of each target, where that was settled before anything was planned.
    pub fn meant_stacks(&self) -> BTreeMap<String, StackId> {
        let settings = self.pipeline.actions().map(|a| &a.configuration);
        let maps = settings.filter_map(|s| s.get(STACK_IDS));
        maps.filter_map(|map| serde_json::from_str::<BTreeMap<String, StackId>>(map).ok())
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

    /// Returns the stack that is meant of a target, where a rollback said so: another one of its name is somebody else's.
    pub fn meant_stack(&self, target: &Target) -> Option<StackId> {
        let map = self.configuration.get(STACK_IDS)?;
        let mut meant = serde_json::from_str::<BTreeMap<String, StackId>>(map).ok()?;
        meant.remove(&target.to_string())
    }
}

impl PipelineDeclaration {
    /// Puts the newest event of what was `done` to a target in the place of the one that a rollback had found; and the one
    /// that was `found` when its change set was made where the rollback took over what somebody else had done: what
    /// came later nobody has seen yet.
    pub fn renew_newest_events(
        &mut self,
        done: impl Fn(&Target) -> Option<String>,
        found: impl Fn(&Target) -> Option<String>,
    ) {
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
                let name = target.to_string();
                let newer = done(target).or_else(|| match known.contains_key(&name) {
                    true => None,
                    false => found(target),
                });
                if let Some(newer) = newer {
                    known.insert(name, Some(newer));
                }
            }
            // Serialising a map of texts cannot fail.
            *map = serde_json::json!(known).to_string();
        }
    }

    /// Says to a rollback which stacks are meant, where that was not said when it began.
    pub fn mean_stacks(&mut self, stack: impl Fn(&Target) -> Option<StackId>) {
        for action in self.stages.iter_mut().flat_map(|s| &mut s.actions) {
            let targets: Vec<Target> = match &action.fan_out {
                Some(fan_out) => fan_out.targets.iter().map(|s| s.target.clone()).collect(),
                None => continue,
            };
            let settings = &mut action.configuration;
            if !settings.contains_key(NEWEST_EVENTS) {
                continue;
            }
            let known = settings.get(STACK_IDS).map(String::as_str).unwrap_or("{}");
            let Ok(mut meant) = serde_json::from_str::<BTreeMap<String, StackId>>(known) else {
                continue;
            };
            for target in &targets {
                if let Some(stack) = stack(target) {
                    meant.entry(target.to_string()).or_insert(stack);
                }
            }
            // Serialising a map of texts cannot fail.
            settings.insert(STACK_IDS.to_owned(), serde_json::json!(meant).to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rollback_took_over_is_known_from_its_own_plan() {
        let target = |account: &str| Target {
            account: account.parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
            stack: "app".parse().unwrap(),
        };
        let all = [
            "111111111111",
            "222222222222",
            "333333333333",
            "444444444444",
        ]
        .map(target);
        let [untouched, done, taken_over, unknown] = &all;
        let seen = serde_json::json!({
            untouched.to_string(): "looked at",
            done.to_string(): "looked at",
        });
        let mut pipeline: PipelineDeclaration = serde_json::from_value(serde_json::json!({
            "name": "app",
            "stages": [{"name": "Create", "actions": [{
                "name": "Create",
                "actionTypeId": {
                    "category": "Deploy", "owner": "AWS", "provider": "CloudFormation", "version": "1",
                },
                "configuration": {NEWEST_EVENTS: seen.to_string()},
                "fanOut": {
                    "targets": all.each_ref().map(|target| serde_json::json!({"target": target})),
                    "preferences": crate::model::OperationPreferences::default(),
                },
            }]}],
        }))
        .unwrap();
        let is = |one: &Target| {
            let one = one.clone();
            move |target: &Target| *target == one
        };
        pipeline.renew_newest_events(
            |target| is(done)(target).then(|| "its own".to_owned()),
            |target| (!is(unknown)(target)).then(|| "found".to_owned()),
        );
        let action = &pipeline.stages[0].actions[0];
        let known: NewestEvents =
            serde_json::from_str(&action.configuration[NEWEST_EVENTS]).unwrap();
        let known = |target: &Target| known.get(&target.to_string()).cloned().flatten();
        assert_eq!(known(untouched).as_deref(), Some("looked at"));
        assert_eq!(known(done).as_deref(), Some("its own"));
        assert_eq!(known(taken_over).as_deref(), Some("found"));
        assert_eq!(known(unknown), None);

        // Which stacks are meant is said once, also where a rollback of before did not say it.
        let named = |name: &'static str| move |_: &Target| Some(name.parse::<StackId>().unwrap());
        pipeline.mean_stacks(|target| is(done)(target).then(|| "arn:first".parse().unwrap()));
        pipeline.mean_stacks(named("arn:second"));
        let action = &pipeline.stages[0].actions[0];
        let meant = |target| action.meant_stack(target).map(|id| id.to_string());
        assert_eq!(meant(done).as_deref(), Some("arn:first"));
        assert_eq!(meant(untouched).as_deref(), Some("arn:second"));
        pipeline.stages[0].actions[0]
            .configuration
            .shift_remove(NEWEST_EVENTS);
        let before = pipeline.clone();
        pipeline.mean_stacks(named("arn:third"));
        assert_eq!(pipeline, before, "only a rollback means stacks");
    }
}
