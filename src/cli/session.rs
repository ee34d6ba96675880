//! How roles in accounts are assumed.

use std::collections::BTreeMap;

use clap::Args;

use super::CliError;
use crate::model::RoleSession;

/// The most tags that a session takes.
const MOST_TAGS: usize = 50;

/// What is sent along when a role is assumed.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Sessions of assumed roles")]
pub(super) struct SessionArgs {
    /// The external id that the trust policies of the roles ask for
    #[arg(long, value_name = "ID", value_parser = external_id)]
    external_id: Option<String>,
    /// The name of the sessions, which the audit trail shows [default: stackgate-EXECUTION]
    #[arg(long, value_name = "NAME", value_parser = session_name)]
    session_name: Option<String>,
    /// A tag of the sessions, which policies can ask for
    #[arg(long = "session-tag", value_name = "KEY=VALUE", value_parser = tag)]
    session_tags: Vec<(String, String)>,
}

impl SessionArgs {
    /// Returns what was given.
    pub(super) fn session(&self) -> Result<RoleSession, CliError> {
        let mut tags = BTreeMap::new();
        for (key, value) in &self.session_tags {
            if tags.insert(key.clone(), value.clone()).is_some() {
                return Err(CliError::message(format!(
                    "`--session-tag` names `{key}` twice"
                )));
            }
        }
        if tags.len() > MOST_TAGS {
            return Err(CliError::message(format!(
                "`--session-tag` is given {} times; a session takes {MOST_TAGS} at most",
                tags.len()
            )));
        }
        Ok(RoleSession {
            external_id: self.external_id.clone(),
            name: self.session_name.clone(),
            tags,
        })
    }
}

impl SessionArgs {
    /// Returns what was given, as flags with their values.
    pub(super) fn flags(&self) -> Vec<(&'static str, String)> {
        let external_id = self.external_id.iter().cloned();
        let name = self.session_name.iter().cloned();
        let tags = self.session_tags.iter();
        let mut flags: Vec<_> = external_id.map(|id| ("--external-id", id)).collect();
        flags.extend(name.map(|name| ("--session-name", name)));
        flags.extend(tags.map(|(key, value)| ("--session-tag", format!("{key}={value}"))));
        flags
    }
}

fn external_id(text: &str) -> Result<String, String> {
    let is_good = (2..=1224).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c));
    is_good
        .then(|| text.to_owned())
        .ok_or_else(|| "expected 2 to 1224 letters, digits and `_+=,.@:/-`".to_owned())
}

fn session_name(text: &str) -> Result<String, String> {
    let is_good = (2..=64).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c));
    is_good
        .then(|| text.to_owned())
        .ok_or_else(|| "expected 2 to 64 letters, digits and `_+=,.@-`".to_owned())
}

fn tag(text: &str) -> Result<(String, String), String> {
    let expected = || "expected KEY=VALUE, a key of 1 to 128 and a value of 256 characters at most";
    let (key, value) = text.split_once('=').ok_or_else(expected)?;
    if (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256 {
        Ok((key.to_owned(), value.to_owned()))
    } else {
        Err(expected().to_owned())
    }
}
