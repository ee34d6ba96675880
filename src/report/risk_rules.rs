//! The rules by which changes are judged, and what is made of them here.

use serde::Serialize;

use super::DOCUMENT_VERSION;
use super::review::risk_tone;
use super::screen::{Line, Page, ScreenOptions, Tone};
use crate::diff::RULES;
use crate::model::{RiskChoice, RiskChoices, RiskLevel, RiskSetting};

/// All rules.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RiskRules {
    /// Which document this is.
    pub document: &'static str,
    /// The version of this form.
    pub version: u32,
    /// The environment whose settings hold.
    pub environment: Option<String>,
    /// The rules, in the order in which they are asked.
    pub rules: Vec<RiskRule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RiskRule {
    /// Its id.
    pub rule: &'static str,
    /// How bad its findings are by themselves.
    pub level: RiskLevel,
    /// What was chosen for it, and where.
    pub chosen: Option<RiskChoice>,
    /// What it finds and why that matters.
    pub explanation: &'static str,
}

impl RiskRules {
    /// Returns all rules with what was chosen for them.
    pub fn new(environment: Option<String>, choices: &RiskChoices) -> Self {
        let rules = RULES.iter().map(|rule| RiskRule {
            rule: rule.name,
            level: rule.level,
            chosen: choices.0.get(rule.name).cloned(),
            explanation: rule.explanation,
        });
        Self {
            document: "risks",
            version: DOCUMENT_VERSION,
            environment,
            rules: rules.collect(),
        }
    }
}

/// Draws the rules, a paragraph each.
pub fn risk_rules(all: &RiskRules, options: &ScreenOptions) -> String {
    let mut page = Page::new(options);
    for (at, rule) in all.rules.iter().enumerate() {
        if at > 0 {
            page.blank();
        }
        let mut line = Line::of(Tone::Strong, rule.rule);
        line.pad(22, 2);
        line.push(risk_tone(rule.level), rule.level.as_str());
        if let Some(chosen) = &rule.chosen {
            let what = match chosen.setting {
                RiskSetting::Off => "off",
                RiskSetting::Warn => "warn: stops nothing",
                RiskSetting::Approval => "approval: as high risk",
                RiskSetting::Deny => "deny: cannot be approved",
            };
            line.push(Tone::Warn, &format!("   {what}"));
            line.push(Tone::Dim, &format!("   {}", chosen.place));
        }
        page.line(line, 4);
        page.line(Line::indent(2).add(Tone::Plain, rule.explanation), 2);
    }
    page.blank();
    let how = "`risks` in stackgate.yaml makes `off`, `warn`, `approval` or `deny` of a rule.";
    page.line(Line::of(Tone::Dim, how), 2);
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> RiskRules {
        let choice = |setting, line| RiskChoice {
            setting,
            place: format!("stackgate.yaml:{line}:12"),
        };
        let choices = [
            ("removal".to_owned(), choice(RiskSetting::Off, 2)),
            ("stateful_removal".to_owned(), choice(RiskSetting::Deny, 3)),
        ];
        RiskRules::new(Some("production".into()), &RiskChoices(choices.into()))
    }

    #[test]
    fn every_rule_is_explained() {
        let options = ScreenOptions {
            width: 100,
            ..ScreenOptions::default()
        };
        insta::assert_snapshot!(risk_rules(&sample(), &options));
        for rule in &RULES {
            assert!(rule.explanation.len() > 60, "{}", rule.name);
        }
    }

    #[test]
    fn the_document_is_as_its_schema_says() {
        let json = serde_json::to_value(sample()).unwrap();
        super::super::schema::assert_documented(&json);
        let off = &json["rules"][4];
        assert_eq!(
            (&off["rule"], &off["chosen"]["setting"]),
            (&"removal".into(), &"off".into())
        );
    }

    #[test]
    fn every_rule_is_named_in_the_documentation() {
        let page = include_str!("../../docs/stackgate-yaml.md");
        let json = include_str!("../../docs/json.md");
        for rule in &RULES {
            let name = format!("`{}`", rule.name);
            assert!(page.contains(&name) && json.contains(&name), "{name}");
        }
    }
}
