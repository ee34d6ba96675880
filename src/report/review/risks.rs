//! What may go wrong, in words.

use crate::model::{RiskLevel, RiskSetting, clean};
use crate::report::review_data::RiskGroup;
use crate::report::review_facts::limited;
use crate::report::screen::{Line, Page, Tone};

pub(super) fn risk(page: &mut Page<'_>, level: RiskLevel, risks: &[RiskGroup]) {
    if risks.is_empty() {
        let line = Line::of(Tone::Strong, "Risk     ").add(risk_tone(level), level.as_str());
        page.line(line, 9);
        return;
    }
    for (at, group) in risks.iter().enumerate() {
        let label = if at == 0 { "Risk     " } else { "         " };
        let mut line = Line::of(Tone::Strong, label);
        let (tone, word) = level_of(group);
        line.push(tone, word);
        line.pad(18, 2);
        line.push(Tone::Plain, &rule_text(&group.rule, group.findings));
        let names: Vec<String> = group.resources.iter().map(|r| r.to_string()).collect();
        let limit = if page.options.full { usize::MAX } else { 4 };
        let names = limited(names, limit).join(", ");
        let mut detail = format!("   {names}");
        if group.targets > 1 {
            detail.push_str(&format!(" in {} targets", group.targets));
        }
        line.push(Tone::Dim, &detail);
        if let Some(text) = chosen_text(group) {
            line.push(tone, &format!("   {text}"));
        }
        page.line(line, 18);
    }
}

/// Returns the word for how bad a kind of risk is.
pub(in crate::report) fn level_of(group: &RiskGroup) -> (Tone, &'static str) {
    match group.chosen.as_ref().map(|chosen| chosen.setting) {
        Some(RiskSetting::Off) => (Tone::Dim, "off"),
        Some(RiskSetting::Warn) => (Tone::Warn, "warn"),
        Some(RiskSetting::Approval | RiskSetting::Deny) | None => {
            (risk_tone(group.level), group.level.as_str())
        }
    }
}

/// Returns what was chosen for the rule, and where.
pub(in crate::report) fn chosen_text(group: &RiskGroup) -> Option<String> {
    let chosen = group.chosen.as_ref()?;
    let what = match chosen.setting {
        RiskSetting::Off => "not judged",
        RiskSetting::Warn => "stops nothing",
        RiskSetting::Approval => "needs approval",
        RiskSetting::Deny => "DENIED",
    };
    Some(format!("{what}, by {}", clean(&chosen.place)))
}

pub(in crate::report) fn risk_tone(level: RiskLevel) -> Tone {
    match level {
        RiskLevel::Low => Tone::Good,
        RiskLevel::Medium => Tone::Warn,
        RiskLevel::High => Tone::Bad,
    }
}

/// Returns `1 replacement of a stateful resource`; rules that are not known here are named.
pub(in crate::report) fn rule_text(rule: &str, findings: usize) -> String {
    let (one, many) = match rule {
        "stateful_replacement" => (
            "replacement of a stateful resource",
            "replacements of stateful resources",
        ),
        "stateful_removal" => (
            "removal of a stateful resource",
            "removals of stateful resources",
        ),
        "stateful_may_replace" => (
            "possible replacement of a stateful resource",
            "possible replacements of stateful resources",
        ),
        "replacement" => ("replacement", "replacements"),
        "removal" => ("removal", "removals"),
        "drift_overwritten" => (
            "resource overwritten that was changed outside CloudFormation",
            "resources overwritten that were changed outside CloudFormation",
        ),
        "unknown_change" => ("change not known yet", "changes not known yet"),
        "protection" => ("protection taken away", "protections taken away"),
        "deletion_protection" => (
            "protection from deletion turned off",
            "protections from deletion turned off",
        ),
        "termination_protection" => (
            "stack without termination protection",
            "stacks without termination protection",
        ),
        "drift_unconfirmed" => (
            "change set that does not say whether it looked at drift",
            "change sets that do not say whether they looked at drift",
        ),
        "public_ingress" => (
            "port opened to the internet",
            "resources with ports opened to the internet",
        ),
        "public_web_ingress" => (
            "web port opened to the internet",
            "resources with web ports opened to the internet",
        ),
        "wide_ingress" => (
            "port opened to very many addresses",
            "resources with ports opened to very many addresses",
        ),
        "unjudged" => (
            "value that cannot be judged yet",
            "resources with values that cannot be judged yet",
        ),
        "iam_full_access" => ("grant of full access", "grants of full access"),
        "iam_wide_access" => ("grant of wide access", "grants of wide access"),
        "public_access" => ("resource made public", "resources made public"),
        "iam_broadening" => ("resource allows more", "resources allow more"),
        "iam_change" => ("change of permissions", "changes of permissions"),
        "encryption_key" => ("change of encryption keys", "changes of encryption keys"),
        "output_removed" => ("output or export removed", "outputs or exports removed"),
        other => {
            let name = other.replace('_', " ");
            return format!("{name} ({findings})");
        }
    };
    format!("{findings} {}", if findings == 1 { one } else { many })
}
