//! What `stackgate.yaml` makes of risk rules.

use super::{FILE, SettingsError, malformed, object, text};
use crate::diff::RULES;
use crate::model::{RiskChoice, RiskChoices, RiskSetting, clean};
use crate::parameters::{Node, Place};

/// Returns what is chosen for each rule that is named.
pub(super) fn choices(key: &str, node: &Node) -> Result<RiskChoices, SettingsError> {
    let mut choices = RiskChoices::default();
    for (name, entry) in &object(key, node)? {
        if !RULES.iter().any(|rule| rule.name == name) {
            return Err(SettingsError::UnknownRule {
                place: Place::at(FILE, entry.position),
                name: clean(name),
                known: RULES.iter().map(|rule| rule.name).collect(),
            });
        }
        let word = text(name, &entry.node)?;
        let mut settings = RiskSetting::ALL.into_iter();
        let Some(setting) = settings.find(|setting| setting.as_str() == word) else {
            let problem =
                format!("`{word}` is none of `off`, `warn`, `approval` (as high risk) and `deny`");
            return Err(malformed(name, &entry.node, &problem));
        };
        let place = Place::at(FILE, entry.node.position).to_string();
        choices
            .0
            .insert(name.clone(), RiskChoice { setting, place });
    }
    Ok(choices)
}
