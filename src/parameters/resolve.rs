//! The effective value of every parameter, by layers: the strongest one that says something wins.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::nearest::nearest;
use super::{FileValue, OverrideFile, ParameterError, Place};
use crate::model::{
    ArtifactName, ArtifactPath, EffectiveParameter, Layer, ParameterValue, Provenance, SecretRef,
    clean,
};
use crate::template::ParameterDeclaration;

/// The longest value that CloudFormation takes, in bytes.
pub const MAX_VALUE_BYTES: usize = 4096;

/// All that decides the values of one target.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The parameters of the template, in its order.
    pub declared: &'a IndexMap<String, ParameterDeclaration>,
    /// The template, for messages and provenance.
    pub file: &'a str,
    /// The override files that exist for the target, in any order.
    pub files: &'a [(Layer, OverrideFile)],
    /// `ParameterOverrides` and `--parameter`, already evaluated.
    pub overrides: &'a IndexMap<String, String>,
    /// The secrets given by reference, by parameter name.
    pub secrets: &'a BTreeMap<String, SecretRef>,
    /// Whether an override file may hold the value of a `NoEcho` parameter.
    pub allow_literal_secrets: bool,
    /// The names of the stack's present parameters; empty where there is no stack yet.
    pub previous: &'a [String],
    /// Tags given on the command line, which win over those of files.
    pub tags: &'a BTreeMap<String, String>,
    /// The artifact that the override files are in.
    pub artifact: &'a ArtifactName,
}

/// What a change set is made from, besides the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The effective parameters, in the order of the template.
    pub parameters: Vec<EffectiveParameter>,
    /// The tags: those of the files, stronger ones winning, and those of the command line.
    pub tags: BTreeMap<String, String>,
    /// The stack policy of the strongest file that has one, as JSON text.
    pub stack_policy: Option<String>,
}

/// Returns the effective parameters, tags and stack policy, or everything that is wrong with them.
///
/// A `NoEcho` parameter takes its reference from `secrets` before anything else; a value in a file
/// counts only where that is allowed, and one in `ParameterOverrides` never does, since that text is
/// part of the pipeline's definition and is stored with it.
pub fn resolve(request: &Request<'_>) -> Result<Resolved, ParameterError> {
    // Strongest first, so that the first file that knows a name wins.
    let mut files: Vec<&(Layer, OverrideFile)> = request.files.iter().collect();
    files.sort_by_key(|(layer, _)| std::cmp::Reverse(*layer));

    let mut errors = unknown_names(request, &files);
    let mut parameters = Vec::with_capacity(request.declared.len());
    for declaration in request.declared.values() {
        match effective(request, &files, declaration) {
            Ok(parameter) => parameters.push(parameter),
            Err(error) => errors.push(error),
        }
    }
    ParameterError::all(errors)?;

    let mut tags = BTreeMap::new();
    for (_, file) in files.iter().rev() {
        tags.extend(file.tags.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
    tags.extend(request.tags.iter().map(|(k, v)| (k.clone(), v.clone())));
    Ok(Resolved {
        parameters,
        tags,
        stack_policy: files
            .iter()
            .find_map(|(_, file)| file.stack_policy.as_ref())
            .map(ToString::to_string),
    })
}

/// Returns an error for every name that the template does not declare.
fn unknown_names(request: &Request<'_>, files: &[&(Layer, OverrideFile)]) -> Vec<ParameterError> {
    let in_files = files.iter().rev().flat_map(|(_, file)| {
        let line = |value: &FileValue| Place::line(&file.path, value.line);
        file.parameters.iter().map(move |(n, v)| (n, line(v)))
    });
    let in_overrides = request.overrides.keys().map(|n| (n, Place::of(OVERRIDES)));
    let in_secrets = request.secrets.keys().map(|n| (n, Place::of(SECRETS)));
    in_files
        .chain(in_overrides)
        .chain(in_secrets)
        .filter(|(name, _)| !request.declared.contains_key(*name))
        .map(|(name, place)| ParameterError::Unknown {
            place,
            name: clean(name),
            template: clean(request.file),
            help: match nearest(name, request.declared.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{}`?", clean(near)),
                None if request.declared.is_empty() => {
                    "the template declares no parameters: remove it".to_owned()
                }
                None => "remove it or declare it in the template".to_owned(),
            },
        })
        .collect()
}

/// How messages call values that are not in a file.
const OVERRIDES: &str = "ParameterOverrides";
const SECRETS: &str = "--secret";

fn effective(
    request: &Request<'_>,
    files: &[&(Layer, OverrideFile)],
    declaration: &ParameterDeclaration,
) -> Result<EffectiveParameter, ParameterError> {
    let name = &declaration.name;
    let of = |value, provenance| EffectiveParameter {
        name: name.clone(),
        value,
        provenance,
    };
    let from = |layer| Provenance {
        layer,
        file: None,
        line: None,
    };
    if let Some(reference) = request.secrets.get(name) {
        return Ok(of(
            ParameterValue::Secret(reference.clone()),
            from(Layer::Override),
        ));
    }
    if let Some(value) = request.overrides.get(name) {
        let place = Place::of(OVERRIDES);
        if declaration.no_echo {
            return Err(ParameterError::LiteralSecret {
                place,
                name: clean(name),
                help: secret_help(name),
            });
        }
        return Ok(of(
            ParameterValue::Plain(checked(name, value, place)?),
            from(Layer::Override),
        ));
    }
    let given = files
        .iter()
        .find_map(|(layer, file)| Some((*layer, file, file.parameters.get(name)?)));
    if let Some((layer, file, value)) = given {
        let place = Place::line(&file.path, value.line);
        let provenance = Provenance {
            layer,
            file: Some(file.path.clone()),
            line: Some(value.line),
        };
        let value = match (value.use_previous, declaration.no_echo) {
            (true, _) if request.previous.contains(name) => ParameterValue::Previous,
            (true, _) => {
                return Err(ParameterError::NoPrevious {
                    place,
                    name: clean(name),
                });
            }
            (false, true) if !request.allow_literal_secrets => {
                return Err(ParameterError::LiteralSecret {
                    place,
                    name: clean(name),
                    help: format!(
                        "remove it there and {}, or allow it with --allow-literal-secrets",
                        secret_help(name)
                    ),
                });
            }
            (false, true) => {
                checked(name, &value.text, place)?;
                ParameterValue::Secret(SecretRef::Literal(ArtifactPath {
                    artifact: request.artifact.clone(),
                    path: file.path.clone(),
                }))
            }
            (false, false) => ParameterValue::Plain(checked(name, &value.text, place)?),
        };
        return Ok(of(value, provenance));
    }
    if request.previous.contains(name) {
        return Ok(of(ParameterValue::Previous, from(Layer::Previous)));
    }
    let declared = Place::at(request.file, declaration.position);
    match &declaration.default {
        Some(default) => Ok(of(
            ParameterValue::Default((!declaration.no_echo).then(|| default.clone())),
            Provenance {
                layer: Layer::TemplateDefault,
                file: Some(request.file.to_owned()),
                line: Some(declaration.position.line),
            },
        )),
        None => Err(ParameterError::Missing {
            place: declared,
            name: clean(name),
            help: match declaration.no_echo {
                true => secret_help(name),
                false => format!(
                    "give it in an override file or with --parameter {}=VALUE",
                    clean(name)
                ),
            },
        }),
    }
}

fn secret_help(name: &str) -> String {
    let name = clean(name);
    format!(
        "give it with --secret {name}=env:VARIABLE, --secret {name}=file:PATH or --secret {name}=prompt"
    )
}

fn checked(name: &str, value: &str, place: Place) -> Result<String, ParameterError> {
    if value.len() > MAX_VALUE_BYTES {
        return Err(ParameterError::TooLong {
            place,
            name: clean(name),
            size: value.len(),
            limit: MAX_VALUE_BYTES,
        });
    }
    Ok(value.to_owned())
}
