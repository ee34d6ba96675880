//! A plan in which something happens that the project denies: nobody can approve it, here or elsewhere.
//!
//! What is denied was recorded when the execution began, and is part of the plan's digest.

use super::findings::Findings;
use super::sources::Sources;
use crate::model::{RiskSetting, clean};
use crate::report::{ReviewSources as _, View};

/// Returns why the plan in `view` cannot be approved, and what to do; none where it can.
pub(super) fn denied(view: &View, sources: &Sources) -> Option<String> {
    if !sources.choices().denies() {
        return None;
    }
    let mut found = Findings::default();
    for target in view.planned() {
        let place = target.target.place();
        if !sources.can_judge(&target) {
            let text = "its templates cannot be read, so that it cannot be judged";
            found.add(text.to_owned(), place);
            continue;
        }
        for risk in sources.risks(&target) {
            let Some(chosen) = risk.chosen.filter(|c| c.setting == RiskSetting::Deny) else {
                continue;
            };
            let text = format!(
                "{} denies `{}`: {}: {}",
                chosen.place, risk.rule, risk.resource, risk.message
            );
            found.add(clean(&text), place.clone());
        }
    }
    if found.is_empty() {
        return None;
    }
    let mut text = "this plan cannot be approved:\n".to_owned();
    text.push_str(&found.told());
    let id = view
        .execution()
        .map(ToString::to_string)
        .unwrap_or_default();
    text.push_str(&format!(
        "change the template, or what is denied there, and plan again; this plan is removed with\n  stackgate reject {id}\n"
    ));
    Some(text)
}
