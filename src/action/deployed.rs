//! What a stack has now, beside what it would be given: for comparing the two. It only reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::inputs;
use super::world::{Artifacts, World};
use crate::aws::StackRef;
use crate::model::{
    ActionDeclaration, CallFailure, EffectiveParameter, FailureKind, ParameterValue, Priority,
    StackStatus, Target, TargetSpec,
};
use crate::template::{Known, Template};

/// The name of the template that a stack has, in messages.
pub const DEPLOYED: &str = "the deployed template";

/// What a stack has, and what it would be given.
#[derive(Debug, Clone)]
pub struct Sides {
    /// The template that the stack has.
    pub before: Arc<Template>,
    /// The values of its parameters, without those that are secret.
    pub values: BTreeMap<String, String>,
    /// The template that it would be given.
    pub after: Arc<Template>,
    /// The parameters that it would be given, in the order of the template.
    pub parameters: Vec<EffectiveParameter>,
    /// The names of the parameters whose values are secret on either side.
    pub secret: BTreeSet<String>,
}

/// Returns what the target's stack has and would be given; `None` where there is no stack.
pub async fn sides(
    world: &World,
    spec: &TargetSpec,
    action: &ActionDeclaration,
    artifacts: &Artifacts,
) -> Result<Option<Sides>, CallFailure> {
    world.aws.caller_at(spec).await?;
    let by_name = StackRef::Name(&spec.target.stack);
    let found = world
        .aws
        .stack_and_parameters(spec, by_name, Priority::Read);
    let found = found.await?;
    // One that is in review has no template yet.
    let found = found.filter(|(stack, _)| stack.status != StackStatus::ReviewInProgress);
    // What would be wrong in a new stack is told, too.
    let stack = found.as_ref().map(|(stack, _)| stack);
    let (after, parameters) = inputs::explained(world, spec, action, artifacts, stack).await?;
    let Some((stack, mut values)) = found else {
        return Ok(None);
    };
    let text = world.aws.template(spec, &stack.id).await?.ok_or_else(|| {
        let message = format!("stack {} has no template", stack.id);
        CallFailure::new(FailureKind::NotFound, message)
    })?;
    let (_, before) = world.template(DEPLOYED, text.as_bytes())?;
    let parameters: Vec<EffectiveParameter> = parameters.into_iter().map(|(one, _)| one).collect();
    let secret = secret(&before, &after, &parameters);
    values.retain(|name, _| !secret.contains(name));
    Ok(Some(Sides {
        before,
        values,
        after,
        parameters,
        secret,
    }))
}

fn secret(
    before: &Template,
    after: &Template,
    parameters: &[EffectiveParameter],
) -> BTreeSet<String> {
    let declared = before
        .parameters()
        .values()
        .chain(after.parameters().values());
    let declared = declared.filter(|one| one.no_echo).map(|one| &one.name);
    let given = parameters.iter().filter(|one| match one.value {
        ParameterValue::Secret(_) | ParameterValue::Default(None) => true,
        ParameterValue::Plain(_) | ParameterValue::Default(Some(_)) | ParameterValue::Previous => {
            false
        }
    });
    declared
        .chain(given.map(|one| &one.name))
        .cloned()
        .collect()
}

impl Sides {
    /// Returns the value that a parameter would get, unless it is secret.
    pub fn value<'a>(&'a self, parameter: &'a EffectiveParameter) -> Option<&'a str> {
        if self.secret.contains(&parameter.name) {
            return None;
        }
        match &parameter.value {
            ParameterValue::Plain(text) | ParameterValue::Default(Some(text)) => Some(text),
            ParameterValue::Previous => self.values.get(&parameter.name).map(String::as_str),
            ParameterValue::Default(None) | ParameterValue::Secret(_) => None,
        }
    }

    /// Returns what is known of the target before and after.
    pub fn known(&self, target: &Target) -> (Known, Known) {
        let at = |parameters: BTreeMap<String, String>| Known {
            parameters,
            account: Some(target.account.to_string()),
            region: Some(target.region.to_string()),
            stack_name: Some(target.stack.to_string()),
            ..Known::default()
        };
        let after = self.parameters.iter().filter_map(|one| {
            let value = self.value(one)?;
            Some((one.name.clone(), value.to_owned()))
        });
        (at(self.values.clone()), at(after.collect()))
    }
}
