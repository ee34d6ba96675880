//! The review screen: what approval approves.

mod parameters;
mod places;
mod risks;

use crate::model::{ChangeSetKind, ExecutionId, Target, clean};

use super::review_data::{Review, ReviewGroup, ReviewSources};
use super::review_facts::{self as facts, Alike, Said, limited};
use super::review_resource::{Columns, diff_lines, resource};
use super::screen::{Line, Page, ScreenOptions, Tone, columns};
use super::words::{self, Places, count};
use super::{TargetView, View, impact, left_out, links};
use parameters::{common_parameters, parameters};
use risks::risk;

pub(super) use places::place_list;
pub(super) use risks::{chosen_text, level_of, risk_tone, rule_text};

/// The causes for which targets have no change set that are shown unless everything is asked for.
const LISTED_CAUSES: usize = 8;

/// The lines of a template's difference that are shown without being asked for, where no resource changes.
const SHORT_DIFF: usize = 40;

/// Returns the review of the plan in `view`: identical changes once, with their targets.
pub fn review(view: &View, sources: &dyn ReviewSources, options: &ScreenOptions) -> String {
    draw(view, &Review::of(view, sources), options)
}

/// Returns the screen of a review that was worked out before.
pub fn draw(view: &View, review: &Review, options: &ScreenOptions) -> String {
    let mut page = Page::new(options);
    let targets: Vec<&Target> = view.targets().iter().map(|t| t.target()).collect();
    let places = Places::of(targets.iter().copied());

    header(&mut page, view, &places);
    for note in &review.notes {
        let line = Line::of(Tone::Warn, "  note").add(Tone::Plain, &format!("   {}", clean(note)));
        page.line(line, 9);
    }
    let groups = &review.groups;
    let columns = Columns::of(groups.iter().flat_map(|g| &g.resources), options);
    for group in groups {
        page.blank();
        group_header(&mut page, group, &places);
        let alike = groups.first().filter(|_| !options.full);
        let alike = alike.and_then(|first| facts::alike(first, group));
        resource_counts(&mut page, group);
        // Above a long list, the tables say what to look for in it.
        let is_long = group.resources.len() > facts::LONG_GROUP;
        if is_long && impact::tables(&mut page, &group.impact, alike.as_ref()) {
            page.line(Line::indent(2).add(Tone::Strong, "Resources"), 4);
        }
        let is_told = |id| alike.as_ref().is_some_and(|alike| alike.same.contains(id));
        for change in group.resources.iter().filter(|r| !is_told(&r.logical_id)) {
            resource(&mut page, change, group, &columns);
        }
        if let Some(alike) = &alike {
            as_in_first(&mut page, group, alike);
        }
        if group.resources.is_empty() {
            without_resources(&mut page, group);
        }
        if !is_long {
            impact::tables(&mut page, &group.impact, None);
        }
        if options.full {
            group_in_full(&mut page, group, view);
        }
    }
    common_parameters(&mut page, review);
    parameters(&mut page, &review.parameters, &places);
    unplanned(&mut page, view, review, &places);
    footer(&mut page, view, review);
    page.finish()
}

/// `network · templates/network.yaml · 4 targets`, the source, and how far the change sets are.
fn header(page: &mut Page<'_>, view: &View, places: &Places) {
    let dot = format!(" {} ", page.glyphs.dot);
    let targets = view.targets();
    let template = facts::template(view, |id| execution(id, page.options));
    let name = places.title(view);
    let mut line = Line::of(Tone::Strong, name);
    for part in template.into_iter().chain([count(targets.len(), "target")]) {
        line.push(Tone::Dim, &dot);
        line.push(Tone::Plain, &part);
    }
    page.line(line, 2);

    let mut about = Vec::new();
    if let Some(id) = view.execution() {
        about.push(format!("execution {}", execution(id, page.options)));
    }
    if let Some((what, earlier)) = facts::follows(view) {
        about.push(format!("{what} {}", execution(earlier, page.options)));
    }
    if let Some(name) = facts::environment(view) {
        about.push(format!("environment {}", page.options.shorten(name, 36)));
    }
    for commit in facts::commits(view) {
        let mut text = format!("commit {}", commit.short);
        if let Some(message) = commit.message {
            let room = if page.options.full { usize::MAX } else { 36 };
            text.push_str(&format!(" {}", page.options.shorten(message, room)));
        }
        about.push(text);
        if commit.is_dirty {
            about.push("uncommitted changes".to_owned());
        }
    }
    if !about.is_empty() {
        page.items(Line::indent(2), 2, Tone::Dim, &about);
    }

    let what = if view.deletes() {
        "  stacks read   "
    } else {
        "  change sets   "
    };
    let mut line = Line::of(Tone::Plain, what);
    line.join(bar(page, facts::prepared(view), targets.len()));
    let first = targets.iter().filter_map(|t| t.intended_at()).min();
    if let (Some(first), Some(ready)) = (first, view.planned_at()) {
        line.push(Tone::Dim, &format!("   {}", words::between(first, ready)));
    }
    let not_planned = view.counts().not_planned;
    if not_planned > 0 {
        line.push(Tone::Bad, &format!("   {not_planned} failed"));
    }
    page.line(line, 4);
}

/// Returns an execution's id as a person types it.
pub(super) fn execution(id: &ExecutionId, options: &ScreenOptions) -> String {
    if options.unicode && !options.full {
        id.short()
    } else {
        id.to_string()
    }
}

/// Returns a bar of 20 columns and its numbers.
fn bar(page: &Page<'_>, done: usize, total: usize) -> Line {
    let filled = (done * 20).checked_div(total).unwrap_or(20).min(20);
    let mut line = Line::default();
    line.push(Tone::Good, &page.glyphs.bar.repeat(filled));
    line.push(Tone::Dim, &page.glyphs.bar_left.repeat(20 - filled));
    line.push(Tone::Plain, &format!("  {done}/{total}"));
    line
}

fn group_header(page: &mut Page<'_>, group: &ReviewGroup, places: &Places) {
    let dot = format!(" {} ", page.glyphs.dot);
    let mut title = Line::of(Tone::Strong, &format!("Change {}", group.name));
    title.push(
        Tone::Strong,
        &format!("{dot}{}", count(group.targets.len(), "target")),
    );
    let noun = facts::kind(group);
    let tone = match group.kind {
        ChangeSetKind::Create => Tone::Good,
        ChangeSetKind::Update => Tone::Plain,
        ChangeSetKind::Import => Tone::Warn,
        ChangeSetKind::Delete => Tone::Bad,
    };
    if !noun.is_empty() {
        title.push(Tone::Dim, &dot);
        title.push(tone, noun);
    }
    place_list(page, title, &group.targets, places);

    let limit = if page.options.full { usize::MAX } else { 4 };
    for fact in facts::of_group(group, limit) {
        let begin = format!("  {} ", fact.label);
        let hang = columns(&begin);
        match fact.said {
            Said::Targets(targets) => {
                let tone = if fact.is_warning {
                    Tone::Warn
                } else {
                    Tone::Dim
                };
                place_list(page, Line::of(tone, &format!("{begin}  ")), targets, places);
            }
            Said::Texts(texts) => {
                let tone = match fact.label {
                    _ if fact.is_warning => Tone::Warn,
                    "now" => Tone::Plain,
                    _ => Tone::Dim,
                };
                let label = if fact.is_warning {
                    Tone::Warn
                } else {
                    Tone::Dim
                };
                page.items(Line::of(label, &begin), hang, tone, &texts);
            }
        }
    }
}

/// Adds what a long list of changes comes to.
fn resource_counts(page: &mut Page<'_>, group: &ReviewGroup) {
    if group.resources.len() <= facts::LONG_GROUP {
        return;
    }
    let mut parts = vec![count(group.resources.len(), "resource")];
    parts.extend(facts::high_risks(group));
    parts.extend(facts::kinds(group.resources.iter()));
    page.items(Line::indent(2), 4, Tone::Plain, &parts);
}

/// Adds what a group has in common with the first one, and what it lacks.
fn as_in_first(page: &mut Page<'_>, group: &ReviewGroup, alike: &Alike<'_>) {
    let name = &alike.first.name;
    let number = count(alike.same.len(), "resource");
    let mut line = Line::of(Tone::Strong, &format!("  = {number} as in Change {name}"));
    line.push(Tone::Dim, "; the full diff shows all");
    page.line(line, 4);
    let same = group.resources.iter();
    let same = same.filter(|r| alike.same.contains(&r.logical_id));
    page.items(Line::indent(6), 6, Tone::Plain, &facts::kinds(same.clone()));
    let high = same.filter(|r| facts::is_high(r));
    let high: Vec<String> = high.map(|r| r.logical_id.to_string()).collect();
    if !high.is_empty() {
        page.items(
            Line::of(Tone::Bad, "      high risk   "),
            8,
            Tone::Plain,
            &high,
        );
    }
    if !alike.missing.is_empty() {
        let missing: Vec<String> = alike.missing.iter().map(ToString::to_string).collect();
        let line = Line::of(Tone::Strong, "  unlike there, no change of ");
        page.items(line, 6, Tone::Plain, &limited(missing, 12));
    }
}

/// Returns where the change set of a target is in the console.
fn console(view: &View, target: &TargetView) -> Option<String> {
    let (stack, set) = (target.stack()?, target.change_set()?);
    links::change_set(stack, set).filter(|_| view.has_console())
}

/// What a group without resource changes comes to: the template's lines are all there is to look at.
fn without_resources(page: &mut Page<'_>, group: &ReviewGroup) {
    let (symbol, text) = facts::without_resources(group);
    let mut line = Line::of(Tone::Warn, &format!("  {symbol} {text}"));
    let is_told = page.options.full || group.settings_only || group.kind == ChangeSetKind::Delete;
    if is_told {
        page.line(line, 4);
        return;
    }
    let is_short = group
        .template_diff
        .as_ref()
        .is_some_and(|diff| diff.lines().count() <= SHORT_DIFF);
    if is_short {
        page.line(line, 4);
        template_diff(page, group);
    } else {
        line.push(
            Tone::Dim,
            "; in full: `full` at the prompt, `--full` elsewhere",
        );
        page.line(line, 4);
    }
}

fn group_in_full(page: &mut Page<'_>, group: &ReviewGroup, view: &View) {
    if !group.change_sets.is_empty() {
        page.line(Line::of(Tone::Dim, "  change sets"), 4);
    }
    for (at, id) in group.change_sets.iter().enumerate() {
        page.line(Line::indent(4).add(Tone::Dim, id.as_str()), 4);
        let target = group.targets.get(at).and_then(|target| view.target(target));
        if let Some(address) = target.and_then(|target| console(view, target)) {
            page.line(Line::indent(4).add(Tone::Dim, &address), 4);
        }
    }
    if let Some(policy) = &group.policy {
        page.line(
            Line::of(
                Tone::Dim,
                "  stack policy, set after the operation succeeded",
            ),
            4,
        );
        for line in words::pretty_json(policy).lines() {
            page.line(Line::indent(4).add(Tone::Plain, line), 6);
        }
    }
    template_diff(page, group);
}

fn template_diff(page: &mut Page<'_>, group: &ReviewGroup) {
    let Some(diff) = &group.template_diff else {
        return;
    };
    page.line(
        Line::of(Tone::Dim, "  template, as it is and as it will be"),
        4,
    );
    diff_lines(page, diff, 4);
}

fn unplanned(page: &mut Page<'_>, view: &View, review: &Review, places: &Places) {
    if !review.unchanged.is_empty() {
        page.blank();
        let number = count(review.unchanged.len(), "target");
        let what = facts::unchanged(view);
        let title = format!("{what} {} {number}", page.glyphs.dot);
        place_list(
            page,
            Line::of(Tone::Strong, &title),
            &review.unchanged,
            places,
        );
    }
    let most = if page.options.full {
        usize::MAX
    } else {
        LISTED_CAUSES
    };
    for group in review.not_planned.iter().take(most) {
        page.blank();
        let number = count(group.targets.len(), "target");
        let title = format!("Not planned {} {number}", page.glyphs.dot);
        place_list(page, Line::of(Tone::Bad, &title), &group.targets, places);
        for problem in words::problems(&group.cause) {
            page.line(Line::of(Tone::Plain, "  ").add(Tone::Plain, &problem), 4);
        }
    }
    let more = review.not_planned.iter().skip(most);
    let targets: usize = more.clone().map(|group| group.targets.len()).sum();
    if targets > 0 {
        let text = format!(
            "and {} not planned for {}; the full diff shows all",
            count(targets, "more target"),
            count(more.count(), "other cause")
        );
        page.blank();
        page.line(Line::of(Tone::Bad, &text), 2);
    }
    if !review.not_enabled.is_empty() {
        page.blank();
        let number = count(review.not_enabled.len(), "target");
        let dot = page.glyphs.dot;
        let title = format!("{} {dot} {number}", facts::NOT_ENABLED);
        let title = Line::of(Tone::Strong, &title);
        place_list(page, title, &review.not_enabled, places);
    }
    not_chosen(page, review);
}

/// `Left out · 3 accounts: 1 management account, 2 suspended`
fn not_chosen(page: &mut Page<'_>, review: &Review) {
    let parts = left_out::left_out(&review.left_out);
    if parts.is_empty() {
        return;
    }
    page.blank();
    let title = format!("Left out {} ", page.glyphs.dot);
    page.items(Line::of(Tone::Strong, &title), 2, Tone::Plain, &parts);
    if page.options.full {
        for text in left_out::each(&review.left_out) {
            page.line(Line::indent(2).add(Tone::Plain, &text), 4);
        }
    }
}

fn footer(page: &mut Page<'_>, view: &View, review: &Review) {
    let has_changes = !review.groups.is_empty();
    page.blank();
    if has_changes {
        risk(page, review.risk, &review.risks);
    } else if review.not_planned.is_empty() && !review.unchanged.is_empty() {
        let text = if view.deletes() {
            "Nothing to delete in any target."
        } else {
            "Nothing to change in any target."
        };
        page.line(Line::of(Tone::Good, text), 2);
    } else {
        page.line(Line::of(Tone::Bad, "There is nothing to approve."), 2);
    }

    let parts = facts::rollout(view, review);
    if !parts.is_empty() {
        page.items(Line::of(Tone::Strong, "Rollout  "), 9, Tone::Plain, &parts);
    }
    for parts in facts::waves(view, review) {
        page.items(Line::indent(9), 11, Tone::Plain, &parts);
    }

    let Some(plan) = review.plan.filter(|_| has_changes) else {
        return;
    };
    let shown = if page.options.full {
        plan.to_string()
    } else {
        plan.short()
    };
    let mut line = Line::of(Tone::Strong, "Plan     ");
    line.push(Tone::Strong, &shown);
    line.push(Tone::Dim, "   valid until a target stack changes");
    page.line(line, 9);
    let Some(approval) = view.approval() else {
        return;
    };
    for (at, answer) in view.answers().into_iter().enumerate() {
        let label = if at == 0 { "Answer   " } else { "         " };
        let mut line = Line::of(Tone::Strong, label);
        if answer.wave.is_some() {
            let about = words::answered_about(answer);
            line.push(Tone::Plain, &format!("{about}: "));
        }
        let (word, tone) = words::decision(answer.decision);
        line.push(tone, word);
        let who = words::approver(&answer.approver);
        line.push(
            Tone::Plain,
            &format!(" by {who}, {}", words::time(answer.at)),
        );
        page.line(line, 9);
    }
    match approval.answer {
        Some(_) => {}
        None if approval.expired => {
            page.line(
                Line::of(Tone::Strong, "Answer   ").add(Tone::Warn, "none came in time"),
                9,
            );
        }
        None => {
            let mut line = Line::of(Tone::Strong, "Expires  ");
            line.push(Tone::Plain, &words::time(approval.expires));
            if let Some(now) = page.options.now {
                let left = words::between(now, approval.expires);
                line.push(Tone::Dim, &format!(", in {left}"));
            }
            page.line(line, 9);
        }
    }
}

#[cfg(test)]
mod tests;
