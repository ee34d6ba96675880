//! A template and what is deployed of it, target by target.

use std::collections::HashMap;
use std::path::Path;

use super::super::CliError;
use super::super::deploy::{Asked, WhatArgs};
use super::super::project::EXTENSIONS;
use super::super::survey::{Place, survey};
use super::Compared;
use crate::action::deployed::{DEPLOYED, Sides, sides};
use crate::action::package::Contents;
use crate::artifact::Store;
use crate::diff::{MASK, ShownEntry, compare_trees, kept_default, shown, text_diff};
use crate::model::{CallFailure, EffectiveParameter, ParameterValue, Target};
use crate::report::{
    Diff, NotCompared, ParameterChange, ParameterDiff, RawDiff, RawText, TargetDiff,
};
use crate::template::{Position, Template};

/// What was read of a target.
type Read = (Target, Result<Option<Sides>, CallFailure>);

/// Compares the template of a stack with what every target has of it.
pub(super) fn compare(what: WhatArgs, raw: bool) -> Result<Compared, CliError> {
    if let Some(name) = what.stack() {
        refuse_file(name)?;
    } else if what.template().is_none() {
        return Err(CliError::message(
            "name two templates to compare, or a stack to compare with what is deployed",
        )
        .hint("`stackgate diff old.yaml new.yaml`, or `stackgate diff STACK`"));
    }
    let asked = Asked::of(what)?;
    let template = asked.project.template_path.clone();
    // What cannot be read is told by the deployment; here it is not known whether it differs.
    let contents = match raw {
        true => Contents::default(),
        false => contents(&asked.project.root, &template).unwrap_or_default(),
    };
    let read = survey(asked, async |place| {
        let Place {
            world,
            spec,
            action,
            artifacts,
        } = place;
        let found = sides(world, spec, action, artifacts).await;
        Ok((spec.target.clone(), found))
    })?;
    Ok(if raw {
        Compared::Lines(lines(&template, read))
    } else {
        let of = |(target, found): Read| {
            let diff = of_target(&target, found, &contents);
            (target, diff)
        };
        let targets = read.into_iter().map(of).collect();
        Compared::Meaning(Diff::of_targets(template, targets))
    })
}

fn contents(root: &Path, template: &str) -> anyhow::Result<Contents> {
    let aside = tempfile::tempdir()?;
    let store = Store::open(aside.path())?;
    Ok(Contents::of(root, &store, template)?)
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

fn of_target(
    target: &Target,
    found: Result<Option<Sides>, CallFailure>,
    contents: &Contents,
) -> TargetDiff {
    match found {
        Ok(Some(sides)) => {
            let (before, after) = sides.known(target);
            let before = sides.before.evaluate(&before).root;
            let mut after = sides.after.evaluate(&after).root;
            let other = contents.place(&mut after, &before);
            let diff = compare_trees(&before, &after);
            let entries = shown(&diff, &sides.before, &sides.after);
            TargetDiff::Compared {
                parameters: parameters(&sides),
                entries: with_local_paths(entries, &sides.after, &other, contents),
            }
        }
        Ok(None) => TargetDiff::NoStack,
        Err(failure) => TargetDiff::Failed {
            reason: failure.message,
        },
    }
}

/// Notes where the difference is that `after` names a local file, and the stack the place where its content was put, and
/// whether it is known to be `other` content.
fn with_local_paths(
    mut entries: Vec<ShownEntry>,
    after: &Template,
    other: &[Position],
    contents: &Contents,
) -> Vec<ShownEntry> {
    // A path that cannot be replaced is told when it is packed.
    let paths = after.local_paths().unwrap_or_default();
    let values = entries.iter_mut().flat_map(|entry| &mut entry.values);
    for value in values {
        let Some(after) = &value.after else {
            continue;
        };
        // A value is placed where its key stands, and the path stands behind it or below it.
        let line = after.place.line;
        let found = paths.iter().find(|path| {
            path.path == after.text && (line..=line.saturating_add(1)).contains(&path.position.line)
        });
        value.is_local_path = found.is_some();
        let differs = found.filter(|path| other.contains(&path.position));
        value.content_differs = differs.is_some();
        value.content_names = differs.map_or_else(Vec::new, |path| contents.inside(path.position));
    }
    entries
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_path_is_told_from_other_differences() {
        let of = |code: &str, memory: u32| {
            let text = format!(
                "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties:\n      Code: {code}\n      MemorySize: {memory}\n"
            );
            Template::parse("t.yaml", text.as_bytes()).unwrap()
        };
        let before = of("{S3Bucket: b, S3Key: k}", 128);
        let after = of("../functions/greet", 256);
        let diff = compare_trees(before.root(), after.root());
        for other in [&[][..], &[after.local_paths().unwrap()[0].position]] {
            let contents = Contents::default();
            let entries = with_local_paths(shown(&diff, &before, &after), &after, other, &contents);
            let found: Vec<(&str, bool, bool)> = entries[0]
                .values
                .iter()
                .map(|value| {
                    (
                        value.path.as_str(),
                        value.is_local_path,
                        value.content_differs,
                    )
                })
                .collect();
            assert_eq!(
                found,
                [
                    ("Code", true, !other.is_empty()),
                    ("MemorySize", false, false)
                ]
            );
        }
    }
}
