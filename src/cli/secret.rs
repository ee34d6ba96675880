//! Where the values of secret parameters are, as `--secret` names it.

use std::collections::BTreeMap;

use super::deploy::pairs;
use super::{CliError, output};
use crate::model::SecretRef;

/// Returns what `--secret` names, where each value can be had: one that is missing would only show when the
/// first change set is made.
pub(super) fn secrets(given: &[String]) -> Result<BTreeMap<String, SecretRef>, CliError> {
    let mut secrets = BTreeMap::new();
    for (key, reference) in pairs("--secret", given)? {
        let reference = reference
            .parse()
            .map_err(|error: crate::model::SecretRefError| {
                CliError::usage(
                    anyhow::Error::new(error)
                        .context(format!("`--secret {key}=…` is no reference")),
                )
            })?;
        check(&key, &reference)?;
        secrets.insert(key, reference);
    }
    Ok(secrets)
}

fn check(key: &str, reference: &SecretRef) -> Result<(), CliError> {
    match reference {
        SecretRef::Env(name) => match std::env::var(name) {
            Ok(_) => Ok(()),
            Err(std::env::VarError::NotPresent) => Err(CliError::message(format!(
                "`--secret {key}=env:{name}`: the environment variable `{name}` is not set"
            ))
            .hint(format!("set and export `{name}`, then run this again"))),
            Err(std::env::VarError::NotUnicode(_)) => Err(CliError::message(format!(
                "`--secret {key}=env:{name}`: the environment variable `{name}` is not UTF-8"
            ))),
        },
        SecretRef::File(path) => match std::fs::File::open(path) {
            Ok(_) => Ok(()),
            Err(error) => Err(CliError::usage(
                anyhow::Error::new(error)
                    .context(format!("`--secret {key}=file:{path}` cannot be read")),
            )),
        },
        SecretRef::Prompt if !output::is_interactive() => Err(CliError::message(format!(
            "`--secret {key}=prompt`: there is no terminal to type it on"
        ))
        .hint(format!(
            "run this on one, or give `--secret {key}=env:NAME` or `{key}=file:PATH`"
        ))),
        SecretRef::Prompt | SecretRef::Literal(_) => Ok(()),
    }
}
