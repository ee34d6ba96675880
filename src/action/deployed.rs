//! What a stack has now, beside what it would be given: for comparing the two. It only reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::world::{Artifacts, World};
use super::{inputs, present};
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
    let Some((stack, values)) = found else {
        return Ok(None);
    };
    let text = world.aws.template(spec, &stack.id).await?.ok_or_else(|| {
        let message = format!("stack {} has no template", stack.id);
        CallFailure::new(FailureKind::NotFound, message)
    })?;
    let (_, before) = world.template(DEPLOYED, text.as_bytes())?;
    let parameters: Vec<EffectiveParameter> = parameters.into_iter().map(|(one, _)| one).collect();
    let known = world.secrets.texts();
    Ok(Some(Sides::of(
        &known,
        (before, values),
        (after, parameters),
    )))
}

impl Sides {
    /// Takes the values that the stack has, without those that are secret by what hides them everywhere.
    fn of(
        known_secrets: &[String],
        (before, values): (Arc<Template>, BTreeMap<String, String>),
        (after, parameters): (Arc<Template>, Vec<EffectiveParameter>),
    ) -> Self {
        let names: Vec<String> = values.keys().cloned().collect();
        let mut secret = present::secret(known_secrets, &before, &after, &parameters);
        let values = present::open(known_secrets, values, &before, &after, &parameters);
        // What the service masks, or what has a known secret in it.
        let hidden = names.into_iter().filter(|name| !values.contains_key(name));
        secret.extend(hidden);
        Self {
            before,
            values,
            after,
            parameters,
            secret,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Layer, Provenance, SecretRef};

    #[test]
    fn what_is_hidden_elsewhere_is_hidden_here() {
        let template = |declared: &str| {
            let text = format!("Parameters: {{{declared}}}\nResources: {{}}\n");
            Arc::new(Template::parse("t.yaml", text.as_bytes()).unwrap())
        };
        let before = template(
            "Open: {Type: String}, Hidden: {Type: String, NoEcho: true}, Masked: {Type: String}, Url: {Type: String}, \
             Reference: {Type: String, Default: '{{resolve:ssm-secure:x}}'}, Given: {Type: String}, New: {Type: String}",
        );
        let values = [
            ("Open", "30"),
            ("Hidden", "a"),
            ("Masked", "****"),
            ("Url", "postgres://root:hunter2@db"),
            ("Reference", "b"),
            ("Given", "c"),
            ("New", "d"),
        ];
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let given = |name: &str, value| EffectiveParameter {
            name: name.to_owned(),
            value,
            provenance: Provenance {
                layer: Layer::Override,
                file: None,
                line: None,
                lookup: None,
            },
        };
        let parameters = vec![
            given("Open", ParameterValue::Plain("45".into())),
            given("Masked", ParameterValue::Previous),
            given("Url", ParameterValue::Previous),
            given("Reference", ParameterValue::Previous),
            given("Given", ParameterValue::Secret(SecretRef::Prompt)),
            given("New", ParameterValue::Plain("hunter2".into())),
        ];
        let sides = Sides::of(
            &["hunter2".to_owned()],
            (before.clone(), values.into()),
            (before, parameters),
        );
        let kept: Vec<_> = sides.values.keys().collect();
        assert_eq!(kept, ["Open"]);
        let told = sides.parameters.iter().map(|one| sides.value(one));
        let told: Vec<_> = told.collect();
        assert_eq!(told, [Some("45"), None, None, None, None, None]);
    }
}
