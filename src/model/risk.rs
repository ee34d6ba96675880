//! How much harm a change can do.

use std::collections::BTreeMap;
use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::LogicalId;

/// How much harm a change can do; `--yes` stops at `High`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RiskLevel {
    /// Additions and changes in place.
    Low,
    /// Replacement or removal of resources that hold no data, or wider permissions.
    Medium,
    /// Data may be lost.
    High,
}

impl RiskLevel {
    /// Returns the lowercase name.
    pub fn as_str(self) -> &'static str {
        match self {
            RiskLevel::Low => "low",
            RiskLevel::Medium => "medium",
            RiskLevel::High => "high",
        }
    }
}

impl fmt::Display for RiskLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One finding of a risk rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Risk {
    /// The rule that found it, for example `stateful_replacement`.
    pub rule: String,
    /// How bad it is.
    pub level: RiskLevel,
    /// The resource concerned.
    pub resource: LogicalId,
    /// What may happen and why, in one line.
    pub message: String,
    /// What was chosen for the rule, where something was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<RiskChoice>,
}

impl Risk {
    /// Returns up to which level `--yes` has to go for it.
    pub fn weight(&self) -> RiskLevel {
        match self.setting() {
            Some(RiskSetting::Off | RiskSetting::Warn) => RiskLevel::Low,
            Some(RiskSetting::Approval | RiskSetting::Deny) => RiskLevel::High,
            None => self.level,
        }
    }

    /// Returns what was chosen for its rule.
    pub fn setting(&self) -> Option<RiskSetting> {
        self.chosen.as_ref().map(|chosen| chosen.setting)
    }
}

/// What a project makes of a rule; the later one is stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RiskSetting {
    /// It is not judged.
    Off,
    /// It is told, and stops nothing.
    Warn,
    /// A person has to approve it, as high risk.
    Approval,
    /// A plan with it cannot be approved.
    Deny,
}

impl RiskSetting {
    /// Every setting, the weakest first.
    pub const ALL: [Self; 4] = [Self::Off, Self::Warn, Self::Approval, Self::Deny];

    /// Returns the lowercase name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Approval => "approval",
            Self::Deny => "deny",
        }
    }
}

/// What was chosen for a rule, and where that is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskChoice {
    /// What is made of it.
    pub setting: RiskSetting,
    /// File, line and column.
    pub place: String,
}

/// What was chosen for rules, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RiskChoices(pub BTreeMap<String, RiskChoice>);

/// Choices that this program cannot read: what they forbid is not known.
#[derive(Debug, thiserror::Error)]
#[error(
    "the settings of risk rules that the execution was begun with cannot be read; a newer stackgate probably wrote them: \
     update this one"
)]
pub struct RiskChoicesError(#[source] serde_json::Error);

impl RiskChoices {
    /// The setting of an approval action that holds them. It is part of what is approved.
    pub const KEY: &'static str = "RiskRules";

    /// Returns the settings of an approval action with these choices; none where nothing was chosen.
    pub fn to_configuration(&self) -> IndexMap<String, String> {
        let mut settings = IndexMap::new();
        if !self.0.is_empty() {
            // A map of texts and names is always JSON.
            settings.insert(Self::KEY.to_owned(), serde_json::json!(self.0).to_string());
        }
        settings
    }

    /// Returns the choices among the settings of an approval action.
    pub fn from_configuration(
        settings: &IndexMap<String, String>,
    ) -> Result<Self, RiskChoicesError> {
        match settings.get(Self::KEY) {
            None => Ok(Self::default()),
            Some(text) => serde_json::from_str(text).map_err(RiskChoicesError),
        }
    }

    /// Notes at each of `risks` what was chosen for its rule. What needs an approval or is denied is high risk.
    pub fn apply(&self, risks: &mut [Risk]) {
        for risk in risks.iter_mut() {
            risk.chosen = self.0.get(&risk.rule).cloned();
            if risk.weight() == RiskLevel::High {
                risk.level = RiskLevel::High;
            }
        }
        risks.sort_by_key(|risk| std::cmp::Reverse(risk.level));
    }

    /// Returns whether nothing was chosen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the stricter of two choices for each rule: those that a plan was made with, and those of the project that
    /// runs it. Each names where it stands.
    ///
    pub fn stricter(plan: &Self, project: &Self) -> Self {
        plan.of("the plan").or_stricter(&project.of("this project"))
    }

    /// Returns the stricter of two choices for each rule, this one where they are the same.
    ///
    /// A rule without a choice stops `--yes` by its own level, which `off` and `warn` of the other would weaken: where only
    /// one of both names it, these do not count.
    pub fn or_stricter(&self, other: &Self) -> Self {
        let rules = self.0.keys().chain(other.0.keys());
        let choice = |rule: &String| match (self.0.get(rule), other.0.get(rule)) {
            (Some(one), Some(two)) if two.setting > one.setting => Some(two),
            (Some(one), Some(_)) => Some(one),
            (one, two) => one
                .or(two)
                .filter(|choice| choice.setting > RiskSetting::Warn),
        };
        let chosen = rules.filter_map(|rule| Some((rule.clone(), choice(rule)?.clone())));
        Self(chosen.collect())
    }

    /// Returns these choices; each names whose it is.
    fn of(&self, whose: &str) -> Self {
        let choices = self.0.iter();
        let named = choices.map(|(rule, choice)| {
            let place = format!("{} of {whose}", choice.place);
            let setting = choice.setting;
            (rule.clone(), RiskChoice { setting, place })
        });
        Self(named.collect())
    }

    /// Returns whether a rule is denied.
    pub fn denies(&self) -> bool {
        let mut choices = self.0.values();
        choices.any(|choice| choice.setting == RiskSetting::Deny)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LogicalId;

    fn choices(setting: RiskSetting) -> RiskChoices {
        let place = "stackgate.yaml:2:3".to_owned();
        RiskChoices([("removal".to_owned(), RiskChoice { setting, place })].into())
    }

    #[test]
    fn a_choice_decides_what_stops_yes() {
        for (setting, level, weight) in [
            (RiskSetting::Off, RiskLevel::Medium, RiskLevel::Low),
            (RiskSetting::Warn, RiskLevel::Medium, RiskLevel::Low),
            (RiskSetting::Approval, RiskLevel::High, RiskLevel::High),
            (RiskSetting::Deny, RiskLevel::High, RiskLevel::High),
        ] {
            let mut risks = [Risk {
                rule: "removal".into(),
                level: RiskLevel::Medium,
                resource: LogicalId::new("Queue").unwrap(),
                message: "deleted".into(),
                chosen: None,
            }];
            assert_eq!(risks[0].weight(), RiskLevel::Medium);
            choices(setting).apply(&mut risks);
            assert_eq!(
                (risks[0].level, risks[0].weight()),
                (level, weight),
                "{setting:?}"
            );
        }
    }

    #[test]
    fn choices_survive_the_settings_of_an_action() {
        for setting in RiskSetting::ALL {
            let choices = choices(setting);
            let settings = choices.to_configuration();
            assert_eq!(RiskChoices::from_configuration(&settings).unwrap(), choices);
            assert_eq!(choices.denies(), setting == RiskSetting::Deny);
        }
        assert!(RiskChoices::default().to_configuration().is_empty());
        let nothing = RiskChoices::from_configuration(&IndexMap::new()).unwrap();
        assert_eq!(nothing, RiskChoices::default());
    }

    #[test]
    fn the_stricter_of_two_choices_holds_and_says_where_it_stands() {
        use RiskSetting::{Approval, Deny, Off, Warn};
        let of = |setting: Option<RiskSetting>| setting.map(choices).unwrap_or_default();
        let (plan, project) = ("the plan", "this project");
        for (planned, own, expected) in [
            (None, None, None),
            // By its own level it may stop more than these.
            (None, Some(Off), None),
            (None, Some(Warn), None),
            (None, Some(Approval), Some((Approval, project))),
            (None, Some(Deny), Some((Deny, project))),
            // So it may here, where only the plan weakens it.
            (Some(Off), None, None),
            (Some(Warn), None, None),
            (Some(Approval), None, Some((Approval, plan))),
            (Some(Deny), None, Some((Deny, plan))),
            (Some(Off), Some(Off), Some((Off, plan))),
            (Some(Off), Some(Warn), Some((Warn, project))),
            (Some(Warn), Some(Off), Some((Warn, plan))),
            (Some(Approval), Some(Deny), Some((Deny, project))),
            (Some(Deny), Some(Approval), Some((Deny, plan))),
            (Some(Deny), Some(Deny), Some((Deny, plan))),
        ] {
            let found = RiskChoices::stricter(&of(planned), &of(own));
            let found = found.0.get("removal");
            let expected = expected.map(|(setting, of)| RiskChoice {
                setting,
                place: format!("stackgate.yaml:2:3 of {of}"),
            });
            assert_eq!(found, expected.as_ref(), "{planned:?} {own:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_permission() {
        for text in [
            "",
            "{",
            r#"{"removal": {"setting": "forbid", "place": "x"}}"#,
        ] {
            let settings = [(RiskChoices::KEY.to_owned(), text.to_owned())].into();
            let error = RiskChoices::from_configuration(&settings).unwrap_err();
            assert!(error.to_string().contains("update this one"), "{error}");
        }
    }
}
