//! A template and what is deployed of it, target by target.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::super::CliError;
use super::super::deploy::{Asked, WhatArgs};
use super::super::parameters::{AT_ONCE, actions};
use super::super::project::EXTENSIONS;
use super::super::prompt::{Stillness, TerminalSecrets};
use super::super::run::{block_on, connect};
use super::Compared;
use crate::action::deployed::{DEPLOYED, Sides, sides};
use crate::action::secrets::Secrets;
use crate::action::{World, source_local};
use crate::artifact::Store;
use crate::diff::{MASK, compare_trees, kept_default, shown, text_diff};
use crate::model::{CallFailure, EffectiveParameter, ExecutionDefinition, ParameterValue, Target};
use crate::report::{
    Diff, NotCompared, ParameterChange, ParameterDiff, RawDiff, RawText, TargetDiff,
};

/// What was read of a target.
type Read = (Target, Result<Option<Sides>, CallFailure>);

/// Compares the template of a stack with what every target has of it.
pub(super) fn compare(what: WhatArgs, raw: bool) -> Result<Compared, CliError> {
    if let Some(name) = what.stack() {
        refuse_file(name)?;
    }
    let asked = Asked::of(what)?;
    let template = asked.project.template_path.clone();
    let root = asked.project.root.clone();
    let aside = tempfile::tempdir()?;
    let read = block_on(async {
        let aws = connect(&asked.invocation, None).await?;
        let caller = aws.caller().await?;
        let deployment = asked.deployment(&aws, &caller)?;
        let definition = asked.definition(deployment);
        let secrets = Secrets::new(
            definition.secrets.clone(),
            definition.allow_literal_secrets,
            Arc::new(TerminalSecrets(Stillness::default())),
        );
        let world = World::new(aws, Store::open(aside.path())?, root, secrets);
        read(&world, &definition).await
    })??;
    Ok(if raw {
        Compared::Lines(lines(&template, read))
    } else {
        let of = |(target, found): Read| {
            let diff = of_target(&target, found);
            (target, diff)
        };
        let targets = read.into_iter().map(of).collect();
        Compared::Meaning(Diff::of_targets(template, targets))
    })
}

/// A file is compared with another one; what is deployed is found by the name of the stack.
fn refuse_file(name: &str) -> Result<(), CliError> {
    let is_file = name.contains('/') || EXTENSIONS.iter().any(|e| name.ends_with(&format!(".{e}")));
    if !is_file {
        return Ok(());
    }
    Err(CliError::message(format!(
        "`{name}` is a file, and the name of a stack or two files are expected"
    ))
    .hint(format!(
        "`stackgate diff {name} AFTER` compares two files; `stackgate diff STACK` compares `templates/STACK.yaml` with \
         what is deployed, `--template {name}` another one"
    )))
}

/// Reads the files as the source stage does, and what each stack has.
async fn read(world: &World, definition: &ExecutionDefinition) -> Result<Vec<Read>, CliError> {
    let (source, create) = actions(definition)?;
    let (artifact, _) = source_local::store(world, source).await?;
    let artifacts = [(artifact.name.clone(), artifact)].into();
    let specs = create.fan_out.iter().flat_map(|fan_out| &fan_out.targets);
    let read = stream::iter(specs.map(|spec| async {
        let found = sides(world, spec, create, &artifacts).await;
        (spec.target.clone(), found)
    }));
    Ok(read.buffered(AT_ONCE).collect().await)
}

fn of_target(target: &Target, found: Result<Option<Sides>, CallFailure>) -> TargetDiff {
    match found {
        Ok(Some(sides)) => {
            let (before, after) = sides.known(target);
            let before = sides.before.evaluate(&before).root;
            let after = sides.after.evaluate(&after).root;
            let diff = compare_trees(&before, &after);
            TargetDiff::Compared {
                parameters: parameters(&sides),
                entries: shown(&diff, &sides.before, &sides.after),
            }
        }
        Ok(None) => TargetDiff::NoStack,
        Err(failure) => TargetDiff::Failed {
            reason: failure.message,
        },
    }
}

/// Returns the parameters whose values change, and those that stay although the default changes.
fn parameters(sides: &Sides) -> Vec<ParameterDiff> {
    let kept = sides
        .parameters
        .iter()
        .filter_map(|one| parameter(sides, one));
    let mut all: Vec<ParameterDiff> = kept.collect();
    let after = sides.after.parameters();
    let gone = sides
        .before
        .parameters()
        .keys()
        .filter(|name| !after.contains_key(*name));
    all.extend(gone.map(|name| ParameterDiff {
        name: name.clone(),
        change: ParameterChange::Removed,
        before: Some(masked(
            sides,
            name,
            sides.values.get(name).map(String::as_str),
        )),
        after: None,
        provenance: None,
        default: None,
    }));
    all
}

fn masked(sides: &Sides, name: &str, value: Option<&str>) -> String {
    if sides.secret.contains(name) {
        MASK.to_owned()
    } else {
        value.unwrap_or_default().to_owned()
    }
}

fn parameter(sides: &Sides, one: &EffectiveParameter) -> Option<ParameterDiff> {
    let name = &one.name;
    let is_secret = sides.secret.contains(name);
    let declared = sides.before.parameters().get(name);
    let had = sides.values.get(name).map(String::as_str);
    let gets = sides.value(one);
    let text = |value| Some(masked(sides, name, value));
    let (change, before, after) = if declared.is_none() {
        (ParameterChange::Added, None, text(gets))
    } else if one.value == ParameterValue::Previous {
        return kept(sides, one);
    } else if is_secret {
        (ParameterChange::Unknown, text(had), text(gets))
    } else if had == gets {
        return None;
    } else {
        (ParameterChange::Changed, text(had), text(gets))
    };
    Some(ParameterDiff {
        name: name.clone(),
        change,
        before,
        after,
        provenance: Some(one.provenance.clone()),
        default: None,
    })
}

/// Returns a parameter that keeps its value although its default changes, unless the value is the new default already.
fn kept(sides: &Sides, one: &EffectiveParameter) -> Option<ParameterDiff> {
    let name = &one.name;
    let had = sides.values.get(name).map(String::as_str);
    let default = kept_default(name, had, &sides.before, &sides.after)?;
    let value = Some(masked(sides, name, had));
    Some(ParameterDiff {
        name: name.clone(),
        change: ParameterChange::Kept,
        before: value.clone(),
        after: value,
        provenance: Some(one.provenance.clone()),
        default: Some(default),
    })
}

/// Returns the texts that differ; targets with the same template together.
fn lines(template: &str, read: Vec<Read>) -> RawDiff {
    let mut all = RawDiff {
        texts: Vec::new(),
        new_stacks: Vec::new(),
        not_compared: Vec::new(),
    };
    let mut known: HashMap<String, usize> = HashMap::new();
    for (target, found) in read {
        match found {
            Ok(None) => all.new_stacks.push(target),
            Err(failure) => all.not_compared.push(NotCompared {
                target,
                reason: failure.message,
            }),
            Ok(Some(sides)) => {
                let (before, after) = (&sides.before, &sides.after);
                let at = known.get(before.text());
                if let Some((targets, _)) = at.and_then(|at| all.texts.get_mut(*at)) {
                    targets.push(target);
                    continue;
                }
                known.insert(before.text().to_owned(), all.texts.len());
                let text = RawText {
                    before: DEPLOYED.to_owned(),
                    after: template.to_owned(),
                    diff: text_diff(&before.shown_text(), &after.shown_text()),
                    differs: before.text() != after.text(),
                };
                all.texts.push((vec![target], text));
            }
        }
    }
    all
}
