//! The targets of an execution one by one; those of which the same is to be said, together.

use crate::model::status_reason;

use super::super::screen::{Line, Page, Tone, columns};
use super::super::words::{self, Places, count};
use super::super::{TargetView, View};
use super::{detail, mark};

/// How many targets with the same reason are told one by one.
const ALIKE: usize = 6;

/// What is told of a target, or of several of which the same is true.
struct Told<'v> {
    word: &'static str,
    tone: Tone,
    detail: Option<String>,
    targets: Vec<&'v TargetView>,
}

/// Adds a line for each target, or for each reason that more than a few have.
pub(super) fn each(page: &mut Page<'_>, view: &View, alive: Option<bool>) {
    let targets = view.targets();
    let places = Places::of(targets.iter().map(|t| t.target()));
    let told = together(view, alive, page.options.full);
    let label = |told: &Told<'_>| match &told.targets[..] {
        [only] => places.name(only.target()),
        many => count(many.len(), "target"),
    };
    let wide = told.iter().map(|told| columns(&label(told))).max();
    let room = page.options.width.saturating_sub(30);
    let wide = wide.unwrap_or(0).min(room);
    for told in told {
        let tone = told.tone;
        let mut line = Line::indent(2).add(tone, mark(page.glyphs, tone));
        line.push(Tone::Plain, &format!(" {}", label(&told)));
        line.pad(4 + wide, 0);
        line.push(tone, &format!("   {}", told.word));
        if let Some(detail) = &told.detail {
            let detail = match told.targets.len() {
                1 => detail.clone(),
                _ => detail.replace('…', page.glyphs.ellipsis),
            };
            line.push(Tone::Dim, &format!("   {detail}"));
        }
        page.line(line, 6);
        if let [only] = &told.targets[..] {
            if let Some(left) = only.left() {
                let text = format!("left behind: {left}");
                page.line(Line::indent(6).add(Tone::Warn, &text), 8);
            }
        } else {
            let names = places.names(told.targets.iter().map(|target| target.target()));
            page.items(Line::indent(6), 6, Tone::Dim, &names);
        }
    }
}

/// Returns what is told, in the order of the targets. What went well is told of each: of one target it is what one looks for.
fn together(view: &View, alive: Option<bool>, full: bool) -> Vec<Told<'_>> {
    let state = view.state();
    let all: Vec<Told<'_>> = view
        .targets()
        .into_iter()
        .map(|target| {
            let (word, tone) = words::target_phase(target.phase(), &state, alive);
            Told {
                word,
                tone,
                detail: detail(target),
                targets: vec![target],
            }
        })
        .collect();
    if full {
        return all;
    }
    let key = |told: &Told<'_>| {
        let is_alone = told.targets.iter().any(|target| target.left().is_some());
        let detail = told
            .detail
            .as_ref()
            .filter(|_| told.tone != Tone::Good && !is_alone)?;
        Some((told.word, status_reason::normalised(detail)))
    };
    let keys: Vec<_> = all.iter().map(key).collect();
    let mut out: Vec<Told<'_>> = Vec::new();
    let mut places: std::collections::BTreeMap<_, usize> = std::collections::BTreeMap::new();
    for (one, key) in all.into_iter().zip(&keys) {
        let alike = keys.iter().filter(|other| *other == key).count();
        let Some(key) = key.as_ref().filter(|_| alike > ALIKE) else {
            out.push(one);
            continue;
        };
        match places.get(key).and_then(|at| out.get_mut(*at)) {
            Some(group) => {
                if group.detail != one.detail {
                    // What differs between the targets would be true for the first alone.
                    group.detail = Some(key.1.clone());
                }
                group.targets.extend(one.targets);
            }
            None => {
                places.insert(key.clone(), out.len());
                out.push(one);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::fixtures::{self, Script};
    use super::super::super::{ScreenOptions, status};
    use crate::model::{ExecutionOutcome, SkipReason, Target, TargetOutcome};

    fn ended(number: usize) -> Script {
        let targets: Vec<Target> = "123456789"
            .chars()
            .map(|account| fixtures::target(account, "us-east-1"))
            .collect();
        let mut script = Script::new(&targets);
        for target in &targets {
            script.update(target, fixtures::change_a());
        }
        script.ask().approve();
        for (at, target) in targets.iter().enumerate() {
            let reason = SkipReason::EarlierRegionFailed {
                region: "eu-west-1".parse().unwrap(),
            };
            match at < number {
                true => script.end(target, fixtures::quota(target)),
                false => script.end(target, TargetOutcome::Skipped { reason }),
            };
        }
        script.finish(ExecutionOutcome::Failed);
        script
    }

    fn wide(full: bool) -> ScreenOptions {
        ScreenOptions {
            width: 160,
            full,
            ..ScreenOptions::default()
        }
    }

    fn times(text: &str, what: &str) -> usize {
        text.matches(what).count()
    }

    #[test]
    fn a_reason_that_many_targets_have_is_told_once() {
        let view = ended(7).view();
        let text = status(&view, None, &wide(false));
        let listed = text.split("9 targets").nth(1).unwrap();
        assert_eq!(times(listed, "Cannot exceed quota"), 1, "{text}");
        assert!(listed.contains("✗ 7 targets "), "{text}");
        for account in 1..=7 {
            let name = format!("{}/us-east-1", account.to_string().repeat(12));
            assert_eq!(times(listed, &name), 1, "{text}");
        }
        // The account in it is that of one target.
        assert!(!listed.contains("in account 1"), "{text}");
        assert_eq!(times(listed, "region eu-west-1 failed before"), 2, "{text}");
        let text = status(&view, None, &wide(true));
        let listed = text.split("9 targets").nth(1).unwrap();
        assert_eq!(times(listed, "Cannot exceed quota"), 7, "{text}");
    }

    #[test]
    fn a_few_are_told_one_by_one() {
        let text = status(&ended(3).view(), None, &wide(false));
        let listed = text.split("9 targets").nth(1).unwrap();
        assert_eq!(times(listed, "Cannot exceed quota"), 3, "{text}");
        assert_eq!(times(listed, "region eu-west-1 failed before"), 6, "{text}");
    }
}
