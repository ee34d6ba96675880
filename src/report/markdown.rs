//! A review and the state of an execution as a comment of a pull request, or the summary of a job.
//!
//! Every text from outside goes through [`code`]: what a template or a reason says cannot become a heading,
//! a link, a mention or a tag. What does not fit into a comment is left out, and said to be.

mod changes;
mod page;

use std::collections::BTreeSet;

use crate::model::{Answer, RiskLevel, StackId, Target};

use super::causes::CauseGroup;
use super::list::List;
use super::review_data::{Review, ReviewGroup};
use super::review_facts as facts;
use super::view::State;
use super::words::{self, Places, count};
use super::{Summary, View, left_out, links, next, review, versions, waves};
use changes::{details, parameters};
use page::{KEPT, LONGEST, some, whole};

pub(super) use changes::although;
pub(super) use page::{LONGEST_VALUE, Page, block, code};

/// The rows of a table that is not folded.
const SHOWN_ROWS: usize = 50;

/// Returns the account of an execution as Markdown. `alive`: whether a process works on it, where that is known.
pub fn markdown(view: &View, alive: Option<bool>, review: Option<&Review>) -> String {
    draw(view, alive, review, view.exported())
}

/// Returns the plan in `file` as Markdown: it is answered where the file is, not where it was made.
pub fn markdown_of_file(view: &View, review: &Review, file: &str) -> String {
    draw(view, None, Some(review), Some(file))
}

fn draw(view: &View, alive: Option<bool>, review: Option<&Review>, file: Option<&str>) -> String {
    let targets: Vec<&Target> = view.targets().iter().map(|t| t.target()).collect();
    let places = Places::of(targets.iter().copied());
    let summary = Summary::of(view);
    let mut page = Page::new();

    head(&mut page, view, alive, &places);
    if let Some(review) = review {
        overview(&mut page, review, view);
    }
    went(&mut page, view);
    failures(&mut page, view, &summary, &places);
    answer(&mut page, view, file);
    go_on(&mut page, view);
    if let Some(review) = review {
        for group in &review.groups {
            details(&mut page, group, view, &places);
        }
        parameters(&mut page, review, &places);
    }
    table_of_targets(&mut page, view, &places);
    page.finish(view)
}

/// Returns executions as a table.
pub fn markdown_list(list: &List) -> String {
    let mut page = Page::new();
    if list.executions.is_empty() {
        let why = match list.is_of_waiting {
            true => "No execution waits for an answer.\n",
            false => "No executions yet.\n",
        };
        page.add(why, "");
        return page.out;
    }
    let rows = list.executions.iter().map(|entry| {
        let started = entry.started.map_or_else(String::new, words::minute);
        format!(
            "| {} | {} | {} | {started} | {} |\n",
            code(entry.execution.as_str()),
            code(&entry.title()),
            entry.state.replace('_', " "),
            count(entry.counts.total, "target"),
        )
    });
    let begin = "| Execution | Pipeline | State | Started | Targets |\n|---|---|---|---|---|\n";
    page.rows(begin, rows.collect(), "", "execution");
    if let Some(rest) = list.rest() {
        page.add(&format!("\n{rest}\n"), "");
    }
    page.closed()
}

/// Returns a page of plain text as Markdown: a block in which nothing has a meaning.
pub fn markdown_text(text: &str) -> String {
    let mut shown = String::new();
    let mut is_cut = false;
    for line in text.lines() {
        if shown.len() + line.len() + KEPT > LONGEST {
            is_cut = true;
            break;
        }
        shown.push_str(line);
        shown.push('\n');
    }
    let rest = if is_cut {
        "\nThe rest does not fit here; `--output text` shows it.\n"
    } else {
        ""
    };
    format!("{}{rest}", block("text", &shown))
}

fn place(view: &View, places: &Places, target: &Target) -> String {
    let name = code(&places.name(target));
    let stack = view.target(target).and_then(|t| t.stack());
    linked(view, &name, stack)
}

fn linked(view: &View, text: &str, stack: Option<&StackId>) -> String {
    match stack.and_then(links::stack).filter(|_| view.has_console()) {
        Some(address) => format!("[{text}]({address})"),
        None => text.to_owned(),
    }
}

/// Returns the names of targets, the first of them.
pub(super) fn names(places: &Places, targets: &[Target]) -> String {
    let names = targets.iter().map(|target| code(&places.name(target)));
    some(names.collect())
}

fn places_of(view: &View, places: &Places, targets: &[Target]) -> String {
    let names = targets.iter().map(|target| place(view, places, target));
    some(names.collect())
}

/// The title, the counts, the execution and where it came from.
fn head(page: &mut Page, view: &View, alive: Option<bool>, places: &Places) {
    let (state, _) = words::state(&view.state(), alive);
    let title = code(places.title(view));
    let counts = view.counts();
    let parts: Vec<String> = words::counts(&counts)
        .into_iter()
        .map(|(text, _)| text)
        .collect();
    let mut text = format!(
        "### {title} · {state}\n\n{}: {}\n\n",
        count(counts.total, "target"),
        parts.join(" · ")
    );
    let mut about = Vec::new();
    about.extend(facts::template(view, ToString::to_string).map(|text| code(&text)));
    if let Some(id) = view.execution() {
        about.push(format!("execution {}", code(id.as_str())));
    }
    about.extend(
        facts::follows(view).map(|(what, earlier)| format!("{what} {}", code(earlier.as_str()))),
    );
    about.extend(facts::proven(view));
    about.extend(view.rolled_back().map(|r| format!("**{}**", r.text())));
    let followed = view
        .followed()
        .map(super::Followed::texts)
        .into_iter()
        .flatten();
    about.extend(followed.map(|text| format!("**{text}**")));
    about.extend(versions::told(view).map(|text| format!("**{text}**")));
    about.extend(facts::environment(view).map(|name| format!("environment {}", code(name))));
    for commit in facts::commits(view) {
        let message = commit.message.unwrap_or_default();
        about.push(format!("commit {} {}", code(commit.short), code(message)));
        if commit.is_dirty {
            about.push("**uncommitted changes**".to_owned());
        }
    }
    text.push_str(&about.join(" · "));
    text.push_str("\n\n");
    page.add(&text, "what it was made from");
}

/// The risk and the table of groups.
fn overview(page: &mut Page, review: &Review, view: &View) {
    let notes = review.notes.iter();
    let notes: Vec<String> = notes.map(|note| format!("- {}\n", whole(note))).collect();
    if !notes.is_empty() {
        page.rows("", notes, "\n", "note");
    }
    if review.groups.is_empty() && review.unchanged.is_empty() {
        return;
    }
    let mut rows: Vec<String> = review
        .groups
        .iter()
        .map(|group| {
            let of = match facts::kind(group) {
                "" => String::new(),
                kind => format!(", {kind}"),
            };
            format!(
                "| {} | {}{of} | {} | {} |\n",
                group.name,
                count(group.targets.len(), "target"),
                kinds(group),
                risk_word(facts::risk_of(group))
            )
        })
        .collect();
    let more = rows.len().saturating_sub(SHOWN_ROWS);
    rows.truncate(SHOWN_ROWS);
    if more > 0 {
        rows.push(format!("| and {more} more | | | |\n"));
    }
    if !review.unchanged.is_empty() {
        let number = count(review.unchanged.len(), "target");
        let what = facts::unchanged(view).to_lowercase();
        rows.push(format!("| {what} | {number} | | |\n"));
    }
    if !review.not_enabled.is_empty() {
        let number = count(review.not_enabled.len(), "target");
        let what = facts::NOT_ENABLED.to_lowercase();
        rows.push(format!("| {what} | {number} | | |\n"));
    }
    if !review.not_planned.is_empty() {
        let number: usize = review.not_planned.iter().map(|g| g.targets.len()).sum();
        let number = count(number, "target");
        rows.push(format!("| **no change set** | {number} | | |\n"));
    }
    let begin = "| Change | Targets | Resources | Risk |\n|---|---|---|---|\n";
    page.rows(begin, rows, "\n", "group");

    let mut text = String::new();
    let private: BTreeSet<&String> = review
        .groups
        .iter()
        .flat_map(|group| &group.private_files)
        .collect();
    if !private.is_empty() {
        let names = some(private.into_iter().map(|file| code(file)).collect());
        let (label, advice) = (facts::PRIVATE, facts::PRIVATE_ADVICE);
        text.push_str(&format!("**{label}**: {names}; {advice}\n\n"));
    }
    let parts = left_out::left_out(&review.left_out);
    if !parts.is_empty() {
        text.push_str(&format!("Left out: {}\n\n", whole(&parts.join(" · "))));
    }
    if !review.groups.is_empty() {
        text.push_str(&format!("Risk: {}", risk_word(review.risk)));
        for group in &review.risks {
            let names = group.resources.iter().map(|r| code(r.as_str())).collect();
            let rule = review::rule_text(&group.rule, group.findings);
            let (_, level) = review::level_of(group);
            text.push_str(&format!("\n- {level}: {rule}: {}", some(names)));
            if group.targets > 1 {
                text.push_str(&format!(" in {} targets", group.targets));
            }
            if let Some(chosen) = review::chosen_text(group) {
                text.push_str(&format!(" ({})", whole(&chosen)));
            }
        }
        text.push_str("\n\n");
    }
    let rollout = facts::rollout(view, review);
    if !rollout.is_empty() {
        text.push_str(&format!("Rollout: {}\n\n", rollout.join(" · ")));
    }
    let waves = facts::waves(view, review);
    for parts in &waves {
        text.push_str(&format!("- {}\n", parts.join(" · ")));
    }
    if !waves.is_empty() {
        text.push('\n');
    }
    if let Some(plan) = review.plan.filter(|_| !review.groups.is_empty()) {
        text.push_str(&format!(
            "Plan: `{plan}`, valid until a target stack changes\n\n"
        ));
    }
    page.add(&text, "the risks");
}

fn risk_word(level: RiskLevel) -> &'static str {
    match level {
        RiskLevel::Low => "low",
        RiskLevel::Medium => "medium",
        RiskLevel::High => "**high**",
    }
}

/// Returns `1 REPLACE, 3 modify`.
fn kinds(group: &ReviewGroup) -> String {
    let parts = facts::kinds(group.resources.iter());
    if parts.is_empty() {
        let (_, text) = facts::without_resources(group);
        text.trim_end_matches(", as above").to_owned()
    } else {
        parts.join(", ")
    }
}

/// How the waves went that have begun.
fn went(page: &mut Page, view: &View) {
    let mut rows = Vec::new();
    for (_, wave) in waves::told(view) {
        let mut row = format!("- {}\n", whole(&wave.parts.join(" · ")));
        for (label, text, _) in wave.details {
            row.push_str(&format!("  - {}\n", whole(&format!("{label}: {text}"))));
        }
        rows.push(row);
    }
    if !rows.is_empty() {
        page.rows("", rows, "\n", "wave");
    }
}

/// The commands that go on from an execution that has ended. Before that, it is said with the answer.
fn go_on(page: &mut Page, view: &View) {
    let (Some(id), Some(_)) = (view.execution(), view.outcome()) else {
        return;
    };
    let commands = next::labelled(view, next::next(view, id.as_str()));
    for same in commands.chunk_by(|one, other| one.1 == other.1) {
        let of = same.first().and_then(|(_, label)| *label);
        let of = of.map_or_else(String::new, |label| format!(", {label}"));
        let lines: Vec<&str> = same.iter().map(|(command, _)| command.as_str()).collect();
        let text = format!("Next{of}:\n\n{}\n", block("text", &lines.join("\n")));
        page.add(&text, "the next commands");
    }
}

/// What failed, and why.
fn failures(page: &mut Page, view: &View, summary: &Summary, places: &Places) {
    let group = |label: &str, group: &CauseGroup| {
        format!(
            "- **{label}** in {}: {}\n  {}\n",
            count(group.targets.len(), "target"),
            code(&words::cause(&group.cause)),
            places_of(view, places, &group.targets)
        )
    };
    let mut rows: Vec<String> = Vec::new();
    rows.extend(summary.failed.iter().map(|g| group("failed", g)));
    let not_planned = facts::not_planned(view);
    rows.extend(summary.not_planned.iter().map(|g| group(not_planned, g)));
    rows.extend(summary.unknown.iter().map(|g| group("end unknown", g)));
    rows.extend(summary.stale.iter().map(|stale| {
        format!(
            "- **stale**, not executed: {}: {}\n",
            place(view, places, &stale.target),
            code(&words::stale(&stale.differences))
        )
    }));
    rows.extend(summary.not_started.iter().map(|skipped| {
        format!(
            "- **not started** in {}: {}\n",
            count(skipped.targets.len(), "target"),
            code(&words::skip_reason(&skipped.reason))
        )
    }));
    page.rows("", rows, "\n", "cause");
}

/// Returns who answered, a line for each answer; one about the plan needs no list.
fn answers(view: &View) -> String {
    let told = |answer: &Answer| {
        let (word, _) = words::decision(answer.decision);
        let who = code(&words::approver(&answer.approver));
        let mut text = format!("{word} by {who}, {}", words::time(answer.at));
        if !answer.summary.is_empty() {
            text.push_str(&format!(": {}", code(&answer.summary)));
        }
        text
    };
    match view.answers().as_slice() {
        [] => String::new(),
        [only] if only.wave.is_none() => told(only),
        many => {
            let line = |answer: &&Answer| {
                let about = code(&words::answered_about(answer));
                format!("- {about}: {}\n", told(answer))
            };
            let lines: String = many.iter().map(line).collect();
            lines.trim_end().to_owned()
        }
    }
}

/// Who answered, and how to answer what is still asked.
fn answer(page: &mut Page, view: &View, file: Option<&str>) {
    let (Some(approval), Some(id)) = (view.approval(), view.execution()) else {
        return;
    };
    let answers = answers(view);
    if approval.answer.is_none() && !answers.is_empty() {
        page.add(&format!("{answers}\n\n"), "who answered");
    }
    let text = match approval.answer {
        Some(_) => {
            let mut text = answers;
            if matches!(view.state(), State::Answered(_)) {
                text.push_str(&format!(
                    "\n\nTo go on:\n\n```text\nstackgate resume {id}\n```"
                ));
            }
            if let Some(more) = words::elsewhere(view) {
                text.push_str(&format!("; {}", code(&more)));
            }
            format!("{text}\n\n")
        }
        None if approval.expired => "Nobody answered in time.\n\n".to_owned(),
        None if !view.awaits_answer() => return,
        None if !view.denied().is_empty() => {
            let told = words::denied(view.denied()).map(|line| format!("- {}\n", code(&line)));
            format!(
                "**This plan cannot be approved**: it holds what is denied.\n\n{}\nChange the template, or what is denied, and plan \
                 again. To remove this plan:\n\n{}\n",
                told.collect::<String>(),
                block("text", &format!("stackgate reject {id}"))
            )
        }
        None => {
            let until = words::time(approval.expires);
            let after = approval.wave.map(|wave| format!(" --wave {wave}"));
            let after = after.unwrap_or_default();
            let (place, approve) = match file {
                // Whoever has the file runs it; where it was made, it can only be withdrawn.
                Some(file) => (
                    "where the plan's file is",
                    format!("stackgate deploy --plan {file} --approve {}", approval.plan),
                ),
                None => (
                    "where the state folder is",
                    format!("stackgate approve {id} --plan {}{after}", approval.plan),
                ),
            };
            let commands = format!("{approve}\nstackgate reject {id}");
            format!(
                "To answer until {until}, {place}:\n\n{}\n",
                block("text", &commands)
            )
        }
    };
    page.add(&text, "who answered");
}

/// Where every target is, folded; said above where there is only one.
fn table_of_targets(page: &mut Page, view: &View, places: &Places) {
    let targets = view.targets();
    if targets.len() < 2 {
        return;
    }
    let rows = targets.iter().map(|target| {
        let (phase, _) = words::phase(target.phase());
        let detail = target.outcome().and_then(words::target_outcome_detail);
        format!(
            "| {} | {phase} | {} |\n",
            place(view, places, target.target()),
            detail.map_or_else(String::new, |text| code(&text))
        )
    });
    let begin = "<details><summary>Targets</summary>\n\n| Target | State | |\n|---|---|---|\n";
    page.rows(begin, rows.collect(), "\n</details>\n\n", "target");
}

#[cfg(test)]
mod tests;
