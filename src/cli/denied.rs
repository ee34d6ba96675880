//! A plan in which something happens that the project denies: nobody can approve it, here or elsewhere.
//!
//! What is denied was recorded when the execution began, and is part of the plan's digest. Where the plan came in a
//! file, what the project denies that runs it was recorded as it was taken over.

use super::findings::{Findings, first};
use super::run;
use super::sources::Sources;
use crate::journal::Journal;
use crate::model::{RiskSetting, clean};
use crate::report::{ReviewSources as _, View};

/// Returns what the plan in `view` holds that is denied, with where; nothing where it can be approved.
pub(super) fn findings(view: &View, sources: &Sources) -> Vec<String> {
    if !sources.choices().denies() {
        return Vec::new();
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
    found.lines()
}

/// Returns why the plan in `view` cannot be approved, and what to do; none where it can.
pub(super) fn denied(view: &View, sources: &Sources) -> Option<String> {
    told(view, &findings(view, sources))
}

/// Returns the same for what was found.
pub(super) fn told(view: &View, found: &[String]) -> Option<String> {
    if found.is_empty() {
        return None;
    }
    let mut text = "this plan cannot be approved:\n".to_owned();
    text.push_str(&first(found));
    let id = view
        .execution()
        .map(ToString::to_string)
        .unwrap_or_default();
    text.push_str(&format!(
        "change the template, or what is denied there, and plan again; this plan is removed with\n  stackgate reject {id}\n"
    ));
    Some(text)
}

/// Notes in `view` what is denied of a plan that waits for an answer.
///
/// What cannot be judged for want of the store stays unsaid: whoever answers is told.
pub(super) fn note(journal: &Journal, view: &mut View) {
    if view.awaits_answer()
        && let Ok(sources) = Sources::of(view, &run::store_folder(journal.folder()))
    {
        view.note_denied(findings(view, &sources));
    }
}
