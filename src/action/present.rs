//! What a stack has at present: its template, and the values of its parameters that may be recorded and shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::bad_input;
use super::world::World;
use crate::model::{
    CallFailure, Digest, EffectiveParameter, FailureKind, ParameterValue, StackSummary, TargetSpec,
};
use crate::template::Template;

/// The name of the template that a stack has, in messages.
const PRESENT: &str = "the stack's present template";

/// Returns the template that was stored of a stack. One that cannot be read is as good as none.
pub(super) fn stored(
    world: &World,
    digest: Option<Digest>,
) -> Result<Option<Arc<Template>>, CallFailure> {
    let Some(digest) = digest else {
        return Ok(None);
    };
    let bytes = world.store.blob(&digest).map_err(|e| bad_input(&e))?;
    Ok(read(world, &bytes))
}

/// Returns the template that a stack has; none where it may not be looked at.
pub(super) async fn template_of_stack(
    world: &World,
    spec: &TargetSpec,
    stack: &StackSummary,
) -> Result<Option<Arc<Template>>, CallFailure> {
    match world.aws.template(spec, &stack.id).await {
        Ok(text) => Ok(text.and_then(|text| read(world, text.as_bytes()))),
        Err(failure) if failure.kind == FailureKind::AccessDenied => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Returns the template that a stack has, of its text. One that cannot be read is as good as none.
pub(super) fn read(world: &World, bytes: &[u8]) -> Option<Arc<Template>> {
    let read = world.template(PRESENT, bytes);
    read.ok().map(|(_, template)| template)
}

/// Returns the values of a stack that are no secrets: by what [`secret`] says, and by the texts that are known. The service
/// masks what is `NoEcho`, and not every endpoint does.
pub(super) fn open<'a>(
    known_secrets: &[String],
    mut values: BTreeMap<String, String>,
    before: &Template,
    after: &Template,
    given: impl IntoIterator<Item = &'a EffectiveParameter>,
) -> BTreeMap<String, String> {
    let secret = secret(known_secrets, before, after, given);
    values.retain(|name, value| {
        let is_known = known_secrets.iter().any(|text| contains(value, text));
        let is_secret = secret.contains(name) || is_masked(value) || is_known;
        before.parameters().contains_key(name) && !is_secret
    });
    values
}

/// Returns the names of the parameters whose values are secret on either side: by the present template, by the new one, and
/// by how the new values are given.
pub(super) fn secret<'a>(
    known_secrets: &[String],
    before: &Template,
    after: &Template,
    given: impl IntoIterator<Item = &'a EffectiveParameter>,
) -> BTreeSet<String> {
    let declared = before.parameters().keys().chain(after.parameters().keys());
    let hidden =
        declared.filter(|name| before.hides_parameter(name) || after.hides_parameter(name));
    let given = given.into_iter().filter(|one| {
        is_secret(&one.value)
            || match &one.value {
                ParameterValue::Plain(text) | ParameterValue::Default(Some(text)) => {
                    known_secrets.iter().any(|known| contains(text, known))
                }
                ParameterValue::Default(None)
                | ParameterValue::Previous
                | ParameterValue::Secret(_) => false,
            }
    });
    hidden.chain(given.map(|one| &one.name)).cloned().collect()
}

/// Returns whether the service has put asterisks for a value.
fn is_masked(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte == b'*')
}

fn contains(value: &str, secret: &str) -> bool {
    !secret.is_empty() && value.contains(secret)
}

/// Returns whether a value is given in a way that says that it is a secret, so that the one before may be one, too.
fn is_secret(value: &ParameterValue) -> bool {
    match value {
        ParameterValue::Secret(_) | ParameterValue::Default(None) => true,
        ParameterValue::Plain(text) | ParameterValue::Default(Some(text)) => {
            text.contains("{{resolve")
        }
        ParameterValue::Previous => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Layer, Provenance, SecretRef};

    fn template(declared: &str) -> Template {
        let text = format!("Parameters: {{{declared}}}\nResources: {{}}\n");
        Template::parse("t.yaml", text.as_bytes()).unwrap()
    }

    fn given(name: &str, value: ParameterValue) -> EffectiveParameter {
        EffectiveParameter {
            name: name.to_owned(),
            value,
            provenance: Provenance {
                layer: Layer::Override,
                file: None,
                line: None,
                lookup: None,
            },
        }
    }

    #[test]
    fn values_that_are_secret_in_any_way_are_left_out() {
        let before = template(
            "Open: {Type: String}, WasSecret: {Type: String, NoEcho: true}, BecomesSecret: {Type: String}, \
             Masked: {Type: String}, Reference: {Type: String, Default: '{{resolve:ssm-secure:x}}'}, \
             Known: {Type: String}, Given: {Type: String}, Empty: {Type: String}, Goes: {Type: String}",
        );
        let after = template(
            "Open: {Type: String}, WasSecret: {Type: String}, BecomesSecret: {Type: String, NoEcho: true}, \
             Masked: {Type: String}, Reference: {Type: String}, Known: {Type: String}, Given: {Type: String}, \
             Empty: {Type: String}, Comes: {Type: String}",
        );
        let values = [
            ("Open", "30"),
            ("WasSecret", "a"),
            ("BecomesSecret", "b"),
            ("Masked", "****"),
            ("Reference", "c"),
            ("Known", "postgres://root:hunter2@db"),
            ("Given", "d"),
            ("Empty", ""),
            ("Goes", "e"),
            ("Comes", "f"),
        ];
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let given = [
            given("Open", ParameterValue::Plain("45".into())),
            given("Given", ParameterValue::Secret(SecretRef::Prompt)),
            given("Empty", ParameterValue::Previous),
        ];
        let known = ["hunter2".to_owned(), String::new()];
        let open = open(&known, values.into(), &before, &after, &given);
        let names: Vec<&str> = open.keys().map(String::as_str).collect();
        assert_eq!(names, ["Empty", "Goes", "Open"]);
    }

    #[test]
    fn a_new_value_with_a_known_secret_in_it_is_secret() {
        let one = template("Url: {Type: String}, Open: {Type: String}");
        let given = [
            given(
                "Url",
                ParameterValue::Plain("postgres://root:hunter2@db".into()),
            ),
            given("Open", ParameterValue::Plain("30".into())),
        ];
        let found = secret(&["hunter2".to_owned()], &one, &one, &given);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["Url"]);
        assert!(secret(&[], &one, &one, &given).is_empty());
    }

    #[test]
    fn what_is_given_as_a_secret_is_one() {
        for value in [
            ParameterValue::Secret(SecretRef::Prompt),
            ParameterValue::Default(None),
            ParameterValue::Plain("{{resolve:ssm-secure:x}}".into()),
            ParameterValue::Default(Some("{{resolve:ssm-secure:x}}".into())),
        ] {
            assert!(is_secret(&value), "{value:?}");
        }
        for value in [
            ParameterValue::Previous,
            ParameterValue::Plain("30".into()),
            ParameterValue::Default(Some("30".into())),
        ] {
            assert!(!is_secret(&value), "{value:?}");
        }
    }
}
