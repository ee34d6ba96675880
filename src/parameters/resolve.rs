//! The effective value of every parameter, by layers: the strongest one that says something wins.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::{FileValue, OverrideFile, ParameterError, Place};
use crate::model::nearest;
use crate::model::{
    ArtifactName, ArtifactPath, EffectiveParameter, Layer, Lookup, OverrideLine, ParameterValue,
    Provenance, SecretRef, clean,
};
use crate::template::{ParameterDeclaration, constraint};

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
    /// `ParameterOverrides` and `--parameter`, already evaluated; what is not yet known is an empty text.
    pub overrides: &'a IndexMap<String, String>,
    /// The places of those that a file gives for the command line.
    pub origins: &'a BTreeMap<String, OverrideLine>,
    /// The flags that give the others, as messages call them; without one it is `ParameterOverrides` of an action.
    pub flags: &'a BTreeMap<String, &'static str>,
    /// The secrets given by reference for this template, by parameter name.
    pub secrets: &'a BTreeMap<String, SecretRef>,
    /// Whether an override file may hold the value of a `NoEcho` parameter.
    pub allow_literal_secrets: bool,
    /// The names of the stack's present parameters; empty where there is no stack yet.
    pub previous: &'a [String],
    /// Tags given on the command line, which win over those of files.
    pub tags: &'a BTreeMap<String, String>,
    /// The artifact that the override files are in.
    pub artifact: &'a ArtifactName,
    /// The values that were looked up; `None` before anything is asked of AWS, when each of them is taken to be
    /// an empty text.
    pub looked_up: Option<&'a BTreeMap<Lookup, String>>,
}

/// What a change set is made from, besides the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The effective parameters, in the order of the template.
    pub parameters: Vec<EffectiveParameter>,
    /// The tags: those of the files, stronger ones winning, and those of the command line; none where none of them says anything
    /// of tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// The stack policy of the strongest file that has one, as JSON text.
    pub stack_policy: Option<String>,
}

/// Returns the effective parameters, tags and stack policy, or everything that is wrong with them.
///
/// A `NoEcho` parameter takes its reference from `secrets` before anything else; a value in a file
/// counts only where that is allowed, and one in `ParameterOverrides` never does, since that text is
/// part of the pipeline's definition and is stored with it.
pub fn resolve(request: &Request<'_>) -> Result<Resolved, ParameterError> {
    let files = strongest_first(request);
    let mut errors = unknown_names(request, &files);
    let mut parameters = Vec::with_capacity(request.declared.len());
    for declaration in request.declared.values() {
        match effective(request, &files, declaration) {
            Ok(parameter) => {
                errors.extend(unmet(request, declaration, &parameter));
                parameters.push(parameter);
            }
            Err(error) => errors.push(error),
        }
    }
    ParameterError::all(errors)?;

    let mut tags = BTreeMap::new();
    for (_, file) in files.iter().rev() {
        tags.extend(file.tags.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
    tags.extend(request.tags.iter().map(|(k, v)| (k.clone(), v.clone())));
    let has_tags = !request.tags.is_empty() || files.iter().any(|(_, file)| file.has_tags);
    Ok(Resolved {
        parameters,
        tags: has_tags.then_some(tags),
        stack_policy: files
            .iter()
            .find_map(|(_, file)| file.stack_policy.as_ref())
            .map(ToString::to_string),
    })
}

/// Returns what has to be looked up for the values that win, and where each is asked for.
pub fn lookups(request: &Request<'_>) -> BTreeMap<Lookup, Place> {
    let files = strongest_first(request);
    let mut wanted = BTreeMap::new();
    for name in request.declared.keys() {
        if request.secrets.contains_key(name) || request.overrides.contains_key(name) {
            continue;
        }
        if let Some((_, file, value)) = in_files(&files, name).next()
            && let Some(lookup) = &value.lookup
        {
            let place = Place::line(&file.path, value.line);
            wanted.entry(lookup.clone()).or_insert(place);
        }
    }
    wanted
}

/// Returns what weaker layers than that of `winner` say of its parameter, the strongest first. What the stack has
/// is left out: a value that is given replaces it without anybody's having said it.
pub fn overridden(request: &Request<'_>, winner: &EffectiveParameter) -> Vec<EffectiveParameter> {
    let Some(declaration) = request.declared.get(&winner.name) else {
        return Vec::new();
    };
    let files = strongest_first(request);
    let of_files = in_files(&files, &winner.name)
        .filter(|(layer, ..)| *layer < winner.provenance.layer)
        .filter_map(|(layer, file, value)| of_file(request, declaration, layer, file, value).ok());
    let default = of_default(request, declaration)
        .filter(|default| default.provenance.layer < winner.provenance.layer);
    of_files.chain(default).collect()
}

/// Returns the files in an order in which the first one that knows a name wins.
fn strongest_first<'a>(request: &Request<'a>) -> Vec<&'a (Layer, OverrideFile)> {
    let mut files: Vec<&(Layer, OverrideFile)> = request.files.iter().collect();
    files.sort_by_key(|(layer, _)| std::cmp::Reverse(*layer));
    files
}

fn in_files<'a>(
    files: &[&'a (Layer, OverrideFile)],
    name: &str,
) -> impl Iterator<Item = (Layer, &'a OverrideFile, &'a FileValue)> {
    files
        .iter()
        .filter_map(move |(layer, file)| Some((*layer, file, file.parameters.get(name)?)))
}

/// Returns an error for every name that the template does not declare.
fn unknown_names(request: &Request<'_>, files: &[&(Layer, OverrideFile)]) -> Vec<ParameterError> {
    let in_files = files.iter().rev().flat_map(|(_, file)| {
        let line = |value: &FileValue| Place::line(&file.path, value.line);
        file.parameters.iter().map(move |(n, v)| (n, line(v)))
    });
    let in_overrides = request
        .overrides
        .keys()
        .map(|n| (n, override_place(request, n)));
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

/// How messages call values that are neither in a file nor given by a flag.
const OVERRIDES: &str = "`ParameterOverrides`";
const SECRETS: &str = "--secret";

fn override_place(request: &Request<'_>, name: &str) -> Place {
    match request.origins.get(name) {
        Some(origin) => Place::line(&origin.file, origin.line),
        None => Place::of(request.flags.get(name).copied().unwrap_or(OVERRIDES)),
    }
}

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
        lookup: None,
    };
    // Before all else: what stands there is journalled, whatever wins over it.
    if declaration.no_echo && request.overrides.contains_key(name) {
        return Err(ParameterError::LiteralSecret {
            place: override_place(request, name),
            name: clean(name),
            help: secret_help(name),
        });
    }
    if let Some(reference) = request.secrets.get(name) {
        return Ok(of(
            ParameterValue::Secret(reference.clone()),
            from(Layer::Override),
        ));
    }
    if let Some(value) = request.overrides.get(name) {
        let place = override_place(request, name);
        let value = ParameterValue::Plain(checked(name, value, place)?);
        let origin = request.origins.get(name);
        let provenance = Provenance {
            file: origin.map(|origin| origin.file.clone()),
            line: origin.map(|origin| origin.line),
            ..from(Layer::Override)
        };
        return Ok(of(value, provenance));
    }
    if let Some((layer, file, value)) = in_files(files, name).next() {
        return of_file(request, declaration, layer, file, value);
    }
    if request.previous.contains(name) {
        return Ok(of(ParameterValue::Previous, from(Layer::Previous)));
    }
    of_default(request, declaration).ok_or_else(|| ParameterError::Missing {
        place: Place::at(request.file, declaration.position),
        name: clean(name),
        help: match declaration.no_echo {
            true => secret_help(name),
            false => format!(
                "give it in an override file or with --parameter {}=VALUE",
                clean(name)
            ),
        },
    })
}

/// Returns what the template asks of a value that is given and does not have.
fn unmet(
    request: &Request<'_>,
    declaration: &ParameterDeclaration,
    parameter: &EffectiveParameter,
) -> Option<ParameterError> {
    let text = match &parameter.value {
        ParameterValue::Plain(text) => text,
        // The template's own is judged with the template, and the others are not known here.
        ParameterValue::Default(_) | ParameterValue::Previous | ParameterValue::Secret(_) => {
            return None;
        }
    };
    let is_unknown = request.looked_up.is_none() && text.is_empty();
    let unmet = constraint(declaration, text).filter(|_| !is_unknown)?;
    let from = &parameter.provenance;
    Some(ParameterError::Unmet {
        place: match (&from.file, from.line) {
            (Some(file), Some(line)) => Place::line(file, line),
            (Some(file), None) => Place::of(file),
            (None, _) => override_place(request, &declaration.name),
        },
        name: clean(&declaration.name),
        what: clean(&unmet.what),
        help: clean(&unmet.help),
    })
}

/// Returns what an override file says of a parameter.
fn of_file(
    request: &Request<'_>,
    declaration: &ParameterDeclaration,
    layer: Layer,
    file: &OverrideFile,
    value: &FileValue,
) -> Result<EffectiveParameter, ParameterError> {
    let name = &declaration.name;
    let place = Place::line(&file.path, value.line);
    let said = if value.use_previous {
        if !request.previous.contains(name) {
            return Err(ParameterError::NoPrevious {
                place,
                name: clean(name),
            });
        }
        ParameterValue::Previous
    } else if let Some(lookup) = &value.lookup {
        if declaration.no_echo {
            return Err(ParameterError::LiteralSecret {
                place,
                name: clean(name),
                help: format!(
                    "what is looked up is shown and stored; {}",
                    secret_help(name)
                ),
            });
        }
        let found = request.looked_up.and_then(|known| known.get(lookup));
        let text = found.map(String::as_str).unwrap_or_default();
        ParameterValue::Plain(checked(name, text, place)?)
    } else if !declaration.no_echo {
        ParameterValue::Plain(checked(name, &value.text, place)?)
    } else if request.allow_literal_secrets {
        checked(name, &value.text, place)?;
        ParameterValue::Secret(SecretRef::Literal(ArtifactPath {
            artifact: request.artifact.clone(),
            path: file.path.clone(),
        }))
    } else {
        return Err(ParameterError::LiteralSecret {
            place,
            name: clean(name),
            help: format!(
                "remove it there and {}, or allow it with --allow-literal-secrets",
                secret_help(name)
            ),
        });
    };
    Ok(EffectiveParameter {
        name: name.clone(),
        value: said,
        provenance: Provenance {
            layer,
            file: Some(file.path.clone()),
            line: Some(value.line),
            lookup: value.lookup.clone(),
        },
    })
}

/// Returns the template's default for a parameter, if it has one.
fn of_default(
    request: &Request<'_>,
    declaration: &ParameterDeclaration,
) -> Option<EffectiveParameter> {
    let default = declaration.default.as_ref()?;
    Some(EffectiveParameter {
        name: declaration.name.clone(),
        value: ParameterValue::Default((!declaration.no_echo).then(|| default.clone())),
        provenance: Provenance {
            layer: Layer::TemplateDefault,
            file: Some(request.file.to_owned()),
            line: Some(declaration.position.line),
            lookup: None,
        },
    })
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

#[cfg(test)]
mod tests;
