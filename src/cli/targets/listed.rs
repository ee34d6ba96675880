//! Targets that are no product of accounts and regions: a ragged list in a file.

use std::path::Path;

use serde::Deserialize;

use crate::cli::CliError;
use crate::model::{AccountId, Region};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Entry {
    pub(super) account: AccountText,
    pub(super) regions: Vec<Region>,
}

/// An account id as people write it in YAML: a number loses its leading zeros, so it is refused.
#[derive(Debug, Deserialize)]
#[serde(try_from = "serde_yaml::Value")]
pub(super) struct AccountText(pub(super) AccountId);

impl TryFrom<serde_yaml::Value> for AccountText {
    type Error = String;
    fn try_from(value: serde_yaml::Value) -> Result<Self, String> {
        let text = match value {
            serde_yaml::Value::String(text) => text,
            serde_yaml::Value::Number(number) => number.to_string(),
            _ => return Err("an account is 12 digits".to_owned()),
        };
        AccountId::new(text)
            .map(Self)
            .map_err(|e| format!("{e}; put it in quotes"))
    }
}

/// Returns what a targets file says.
pub(super) fn read(file: &Path) -> Result<Vec<Entry>, CliError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| CliError::unread("targets file", &file.display().to_string(), error))?;
    if text.len() > 4 << 20 {
        return Err(CliError::message(format!(
            "targets file `{}` is larger than 4 MB",
            file.display()
        )));
    }
    parse(file, &text)
}

/// Returns what the text of a targets file says.
pub(in crate::cli) fn parse(file: &Path, text: &str) -> Result<Vec<Entry>, CliError> {
    serde_yaml::from_str(text).map_err(|error| {
        CliError::yaml(file.display(), &error).hint(
            "it is a list such as `- account: \"111111111111\"` with `regions: [eu-west-1]` below",
        )
    })
}
