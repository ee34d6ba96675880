//! A review and the state of an execution as a comment of a pull request, or the summary of a job.
//!
//! Every text from outside goes through [`code`]: what a template or a reason says cannot become a heading,
//! a link, a mention or a tag. What does not fit into a comment is left out, and said to be.

use std::collections::BTreeSet;

use crate::diff::DefaultDiff;
use crate::model::{Answer, RiskLevel, StackId, Target};

use super::causes::CauseGroup;
use super::list::ListEntry;
use super::review_data::{
    ParameterUse, Review, ReviewDrift, ReviewGroup, ReviewParameter, ReviewProperty, ReviewResource,
};
use super::review_facts::{self as facts, Said};
use super::review_resource::{note, notes, values, what, window};
use super::screen::{Tone, shorten, visible};
use super::view::State;
use super::words::{self, Places, count};
use super::{Summary, View, impact, left_out, links, review, summary, waves};

/// The longest comment that GitHub takes, in characters; GitLab takes more.
const LONGEST: usize = 65_536;

/// What is kept free for the sentences at the end.
const KEPT: usize = 1_024;

/// The longest value that is shown.
pub(super) const LONGEST_VALUE: usize = 200;

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
pub fn markdown_list(entries: &[ListEntry]) -> String {
    let mut page = Page::new();
    if entries.is_empty() {
        page.add("No executions yet.\n", "");
        return page.out;
    }
    let rows = entries.iter().map(|entry| {
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

/// Returns `text` in a fence that is longer than any in it. The lines are shown as they are, without what is invisible.
pub(super) fn block(language: &str, text: &str) -> String {
    let runs = text.split(|c| c != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or_default().max(2) + 1);
    let lines: Vec<String> = text.lines().map(visible).collect();
    format!("{fence}{language}\n{}\n{fence}\n", lines.join("\n"))
}

/// Markdown under construction, never longer than a comment may be.
pub(super) struct Page {
    out: String,
    left_out: Vec<String>,
}

impl Page {
    pub(super) fn new() -> Self {
        Self {
            out: String::new(),
            left_out: Vec::new(),
        }
    }

    fn fits(&self, text: &str) -> bool {
        // Bytes are at least as many as characters.
        self.out.len() + text.len() + KEPT <= LONGEST
    }

    /// Adds a text, or notes that it was left out.
    pub(super) fn add(&mut self, text: &str, what: &str) {
        if self.fits(text) {
            self.out.push_str(text);
        } else if !what.is_empty() {
            self.left_out.push(what.to_owned());
        }
    }

    /// Adds `begin`, as many rows as there is room for, and `end`; says how many rows are missing.
    pub(super) fn rows(&mut self, begin: &str, rows: Vec<String>, end: &str, noun: &str) {
        let (mut text, total) = (begin.to_owned(), rows.len());
        let mut added = 0;
        for row in rows {
            if !self.fits(&format!("{text}{row}{end}")) {
                break;
            }
            text.push_str(&row);
            added += 1;
        }
        if added < total {
            self.left_out.push(count(total - added, noun));
        }
        if added > 0 {
            self.out.push_str(&text);
            self.out.push_str(end);
        }
    }

    pub(super) fn closed(mut self) -> String {
        if !self.left_out.is_empty() {
            // Many parts of one kind are enough of a hint.
            let total = self.left_out.len();
            self.left_out.truncate(6);
            let mut parts = self.left_out.join(", ");
            if total > 6 {
                parts.push_str(&format!(" and {} more parts", total - 6));
            }
            self.out.push_str(&format!(
                "\nLeft out, since a comment holds no more: {parts}.\n"
            ));
        }
        self.out
    }

    fn finish(mut self, view: &View) -> String {
        if !self.left_out.is_empty()
            && let Some(id) = view.execution()
        {
            let id = id.to_string();
            let rest = self.closed();
            return format!("{rest}Everything: `stackgate status {id} --full`.\n");
        }
        if self.out.ends_with("\n\n") {
            self.out.pop();
        }
        self.out
    }
}

/// Returns `text` as code: exactly what it is, and nothing that Markdown or HTML gives a meaning to.
pub(super) fn code(text: &str) -> String {
    coded(&shorten(text, LONGEST_VALUE, "…"))
}

/// Returns the whole of `text` as [`code`].
pub(super) fn whole(text: &str) -> String {
    coded(&visible(text))
}

fn coded(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut out = String::from("<code>");
    for c in text.chars() {
        match c {
            // Digits, letters and these mean nothing; everything else is written as its number.
            ' ' | '-' | '/' | ',' | '%' | '\'' | '"' | '?' | ';' => out.push(c),
            // A full stop makes `www.` a link.
            '.' if !out.ends_with(['w', 'W']) => out.push(c),
            c if c.is_ascii_alphanumeric() || !c.is_ascii() => out.push(c),
            c => out.push_str(&format!("&#{};", u32::from(c))),
        }
    }
    out.push_str("</code>");
    out
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

/// Returns the first of the names, and how many there are besides.
pub(super) fn some(names: Vec<String>) -> String {
    let more = names.len().saturating_sub(12);
    let mut text = names[..names.len() - more].join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
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
    let commands = summary::labelled(view, summary::next(view, id.as_str()));
    for same in commands.chunk_by(|one, other| one.1 == other.1) {
        let of = same.first().and_then(|(_, label)| *label);
        let of = of.map_or_else(String::new, |label| format!(", for {label}"));
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

/// The changes of one group and all that comes with them, folded.
fn details(page: &mut Page, group: &ReviewGroup, view: &View, places: &Places) {
    let kind = match facts::kind(group) {
        "" => String::new(),
        kind => format!(" · {kind}"),
    };
    let mut begin = format!(
        "<details><summary>Change {} · {}{kind} · {}</summary>\n\n{}\n\n",
        group.name,
        count(group.targets.len(), "target"),
        kinds(group),
        names(places, &group.targets),
    );
    let facts = facts::of_group(group, usize::MAX);
    for fact in &facts {
        let said = match &fact.said {
            Said::Targets(targets) => names(places, targets),
            Said::Texts(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| whole(text)).collect();
                texts.join(", ")
            }
        };
        let label = match fact.is_warning {
            true => format!("**{}**", fact.label),
            false => fact.label.to_owned(),
        };
        begin.push_str(&format!("- {label}: {said}\n"));
    }
    if !facts.is_empty() {
        begin.push('\n');
    }
    for (title, rows) in group.impact.tables() {
        begin.push_str(&format!("**{title}**\n\n"));
        for row in rows.iter().take(impact::SHOWN) {
            let mark = if row.warns { "**!** " } else { "" };
            let name = code(row.name.as_str());
            begin.push_str(&format!(
                "- {mark}{name} {}: {}\n",
                row.kind.as_str(),
                whole(&row.what)
            ));
        }
        if let Some(more) = impact::more(rows.len()) {
            begin.push_str(&format!("- {more}\n"));
        }
        begin.push('\n');
    }
    if let Some((target, address)) = facts::console(view, group) {
        let of = places.name(target);
        begin.push_str(&format!("[change set of {}]({address})\n\n", code(&of)));
    }
    begin.push_str("| | Resource | Change | |\n|---|---|---|---|\n");
    let mut rows: Vec<String> = group
        .resources
        .iter()
        .flat_map(|change| resource(change, group))
        .collect();
    if rows.is_empty() {
        let (symbol, text) = facts::without_resources(group);
        rows.push(format!("| <code>{symbol}</code> | | {text} | |\n"));
    }

    let policy = group.policy.as_deref().map(words::pretty_json);
    let blocks = [
        (facts::POLICY, "json", policy.as_deref()),
        (facts::TEMPLATE, "diff", group.template_diff.as_deref()),
    ];
    let (mut end, table) = ("\n".to_owned(), rows.concat());
    for (title, language, text) in blocks {
        let Some(text) = text else { continue };
        let block = format!("{title}:\n\n{}\n", block(language, text));
        if page.fits(&format!("{begin}{table}{end}{block}")) {
            end.push_str(&block);
        } else {
            let title = title.to_lowercase();
            page.left_out
                .push(format!("{title} of change {}", group.name));
        }
    }
    page.rows(&begin, rows, &format!("{end}</details>\n\n"), "line");
}

/// The rows of a resource: itself, what may go wrong, its properties.
fn resource(change: &ReviewResource, group: &ReviewGroup) -> Vec<String> {
    let (symbol, word, _) = what(change, "±");
    // A minus alone would begin a list in some renderers, a plus too.
    let mut rows = vec![format!(
        "| <code>{}</code> | {} {} | {word} | {} |\n",
        symbol.replace('>', "&gt;"),
        code(change.logical_id.as_str()),
        code(&change.resource_type),
        change
            .place
            .as_ref()
            .map_or_else(String::new, |p| code(&p.to_string())),
    )];
    for (tone, text) in notes(change) {
        let level = match tone {
            Tone::Bad => risk_word(RiskLevel::High),
            Tone::Warn => risk_word(RiskLevel::Medium),
            Tone::Plain
            | Tone::Strong
            | Tone::Dim
            | Tone::Good
            | Tone::Busy
            | Tone::Inserted
            | Tone::Deleted => "",
        };
        rows.push(format!("| | | {level} | {} |\n", whole(&text)));
    }
    let taken_in = facts::taken_in(change, group);
    rows.extend(taken_in.map(|text| format!("| | | | {} |\n", whole(&text))));
    let drift = words::drift::of_resource(change).into_iter();
    rows.extend(drift.map(|text| format!("| | | | {} |\n", whole(&text))));
    if change.properties.is_empty() {
        let scope = facts::scope(change);
        rows.extend(scope.map(|text| format!("| | | {text} | |\n")));
    }
    rows.extend(change.properties.iter().map(|one| property(one, group)));
    rows
}

fn property(property: &ReviewProperty, group: &ReviewGroup) -> String {
    if let Some(drift) = &property.drift {
        return drifted(property, drift, group);
    }
    let (before, after) = values(property);
    // Cut where the two begin to differ: equal beginnings would hide what changes.
    let (before, after) = window(&visible(&before), &visible(&after), LONGEST_VALUE, "…");
    let mut change = if before.is_empty() {
        code(&after)
    } else {
        format!("{} → {}", code(&before), code(&after))
    };
    if let Some((tone, text)) = note(property, group) {
        let text = code(&text);
        match tone {
            Tone::Bad => change.push_str(&format!(" **{text}**")),
            Tone::Warn
            | Tone::Plain
            | Tone::Strong
            | Tone::Dim
            | Tone::Good
            | Tone::Busy
            | Tone::Inserted
            | Tone::Deleted => {
                change.push_str(&format!(" ({text})"));
            }
        }
    }
    let place = property.place.as_ref();
    format!(
        "| | {} | {change} | {} |\n",
        code(&property.path),
        place.map_or_else(String::new, |p| code(&p.to_string())),
    )
}

/// A property that was changed by hand, with its three values.
fn drifted(property: &ReviewProperty, drift: &ReviewDrift, group: &ReviewGroup) -> String {
    let values = words::drift::three_values(property, drift);
    let (previous, actual, after) = (
        visible(&values.previous),
        visible(&values.actual),
        visible(&values.after),
    );
    let (previous, _) = window(&previous, &actual, LONGEST_VALUE, "…");
    let (actual, after) = window(&actual, &after, LONGEST_VALUE, "…");
    let note = note(property, group);
    let note = note.map_or_else(String::new, |(_, text)| format!(" ({})", code(&text)));
    let place = property.place.as_ref();
    format!(
        "| | {} | last deployment {}, really there {}{}, becomes {}; **{}**{note} | {} |\n",
        code(&property.path),
        code(&previous),
        code(&actual),
        visible(&values.found),
        code(&after),
        words::drift::fate(drift),
        place.map_or_else(String::new, |p| code(&p.to_string())),
    )
}

fn parameter_name(parameter: &ReviewParameter, several: bool) -> String {
    match several {
        true => format!("{} {}", code(&parameter.name), code(&parameter.template)),
        false => code(&parameter.name),
    }
}

/// Returns a value, and that the default changes for nothing.
fn parameter_value(value: &ParameterUse) -> String {
    let text = code(&words::parameter_use(value, "→"));
    let Some(default) = &value.default else {
        return text;
    };
    format!("**keeps** {text}{}", although(default))
}

/// Returns that a value stays what it is, whatever the default becomes.
pub(super) fn although(default: &DefaultDiff) -> String {
    let side = |side: &Option<String>| code(&words::optional(side.as_deref()));
    let (before, after) = (side(&default.before), side(&default.after));
    format!(", although the default changes: {before} → {after}")
}

/// The parameters with one value, and those that differ between targets, folded.
fn parameters(page: &mut Page, review: &Review, places: &Places) {
    let common: Vec<_> = review.common_parameters.iter().collect();
    let several = facts::has_several_templates(&common);
    let rows: Vec<String> = common
        .iter()
        .map(|parameter| {
            let value = parameter.values.first();
            let value = value.map_or_else(String::new, parameter_value);
            format!(
                "| {} | {} | {} |\n",
                parameter_name(parameter, several),
                value,
                code(&facts::origins(parameter))
            )
        })
        .collect();
    if !rows.is_empty() {
        let begin = "<details><summary>Parameters</summary>\n\n\
                     | Parameter | Value | From |\n|---|---|---|\n";
        page.rows(begin, rows, "\n</details>\n\n", "parameter");
    }

    let several = facts::has_several_templates(&review.parameters.iter().collect::<Vec<_>>());
    let rows: Vec<String> = review
        .parameters
        .iter()
        .flat_map(|parameter| {
            let name = parameter_name(parameter, several);
            parameter.values.iter().map(move |value| {
                let whose = match value.targets.as_slice() {
                    [only] => code(&places.name(only)),
                    many => count(many.len(), "target"),
                };
                format!(
                    "| {name} | {} | {whose} | {} |\n",
                    parameter_value(value),
                    code(&words::provenance(&value.provenance))
                )
            })
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    let begin = "<details><summary>Parameters that differ between targets</summary>\n\n\
                 | Parameter | Value | Targets | From |\n|---|---|---|---|\n";
    page.rows(begin, rows, "\n</details>\n\n", "value");
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
