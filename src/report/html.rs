//! A review and the state of an execution as one HTML file, to be attached to a ticket: it needs nothing beside it,
//! runs no script and loads nothing.
//!
//! The page is `html/page.html`, whose engine escapes every value; here it is worked out what stands in it. No text
//! is cut: whoever reads it has no program to ask for the rest.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context, value::Serde};
use serde::Serialize;

use crate::diff::ImpactRow;
use crate::model::{ChangeAction, RiskLevel, StackId, Target};

use super::causes::CauseGroup;
use super::next::{labelled, next};
use super::review_data::{
    ParameterUse, Review, ReviewDrift, ReviewGroup, ReviewParameter, ReviewProperty, ReviewResource,
};
use super::review_facts::{self as facts, Said};
use super::review_resource::{diff_tone, note, notes, values, what};
use super::screen::{Tone, visible};
use super::words::{self, Places, count};
use super::{Approval, Summary, View, left_out, links, review, versions};

const PAGE: &str = include_str!("html/page.html");

/// Returns the account of an execution as an HTML file. `alive`: whether a process works on it, where that is known.
pub fn html(view: &View, alive: Option<bool>, review: Option<&Review>) -> String {
    render(&Page::of(view, alive, review))
}

/// Returns a page of plain text as an HTML file.
pub fn html_text(title: &str, text: &str) -> String {
    let lines: Vec<String> = text.lines().map(visible).collect();
    render(&Page {
        title: visible(title),
        text: Some(lines.join("\n")),
        ..Page::default()
    })
}

fn render(page: &Page) -> String {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| AutoEscape::Html);
    // Can fail only on delimiters, and those are the usual ones.
    if let Ok(syntax) = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
    {
        engine.set_syntax(syntax);
    }
    engine
        .render_str(PAGE, context! { page => Serde(page) })
        // The template is part of the program, and its values are texts: a test renders every part of it.
        .unwrap_or_else(|error| format!("<!doctype html>\n<p>no report: {error}</p>\n"))
}

#[derive(Default, Serialize)]
struct Page {
    title: String,
    /// What there is where there is no execution.
    text: Option<String>,
    state: Option<Toned>,
    about: Vec<String>,
    counts: Vec<Toned>,
    risk: Option<Risk>,
    rollout: String,
    /// How the waves went that have begun.
    waves: Vec<String>,
    plan: Option<String>,
    causes: Vec<Cause>,
    answers: Vec<String>,
    next: Vec<String>,
    groups: Vec<Group>,
    /// How the targets without a change are called, and which.
    notes: Vec<String>,
    unchanged: Option<(&'static str, Names)>,
    /// Targets whose account does not have the region.
    not_enabled: Option<(&'static str, Names)>,
    /// What was left out when the targets were chosen: how much, and each.
    left_out: Option<(String, Vec<String>)>,
    differing: Vec<Parameter>,
    common: Vec<Parameter>,
    targets: Vec<TargetRow>,
    at: Option<String>,
}

#[derive(Serialize)]
struct Toned {
    tone: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Linked {
    text: String,
    address: Option<String>,
}

/// Targets: how many, and which.
#[derive(Serialize)]
struct Names {
    count: String,
    names: Vec<Linked>,
}

#[derive(Serialize)]
struct Risk {
    level: Toned,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
struct Rule {
    level: Toned,
    text: String,
    resources: String,
    /// What the project made of the rule.
    chosen: Option<String>,
}

/// A table of what changes in permissions, network, data or outputs.
#[derive(Serialize)]
struct Table {
    title: &'static str,
    rows: Vec<TableRow>,
}

#[derive(Serialize)]
struct TableRow {
    name: String,
    kind: Toned,
    what: String,
}

#[derive(Serialize)]
struct Cause {
    label: Toned,
    text: String,
    targets: Names,
}

#[derive(Serialize)]
struct Group {
    name: String,
    kind: String,
    counts: String,
    risk: Option<Toned>,
    targets: Names,
    change_set: Option<Linked>,
    facts: Vec<Fact>,
    resources: Vec<Resource>,
    /// What is done where no resource changes.
    without: Option<String>,
    tables: Vec<Table>,
    blocks: Vec<Block>,
}

#[derive(Serialize)]
struct Fact {
    label: &'static str,
    text: String,
    tone: &'static str,
}

#[derive(Serialize)]
struct Resource {
    what: Toned,
    symbol: &'static str,
    id: String,
    resource_type: String,
    place: Option<String>,
    notes: Vec<Toned>,
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Property {
    path: String,
    before: String,
    after: String,
    note: Option<Toned>,
    place: Option<String>,
}

#[derive(Serialize)]
struct Block {
    title: &'static str,
    lines: Vec<Toned>,
}

#[derive(Serialize)]
struct Parameter {
    name: String,
    value: String,
    targets: Option<String>,
    from: String,
}

#[derive(Serialize)]
struct TargetRow {
    name: Linked,
    state: Toned,
    detail: String,
}

fn toned(tone: Tone, text: impl AsRef<str>) -> Toned {
    Toned {
        tone: class(tone),
        text: visible(text.as_ref()),
    }
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Strong => "strong",
        Tone::Dim => "dim",
        Tone::Good | Tone::Inserted => "good",
        Tone::Warn => "warn",
        Tone::Bad | Tone::Deleted => "bad",
        Tone::Busy => "busy",
    }
}

fn risk(level: RiskLevel) -> Toned {
    toned(review::risk_tone(level), level.to_string())
}

/// What the parts of a page are worked out from.
struct Context<'a> {
    view: &'a View,
    places: Places,
}

impl Page {
    fn of(view: &View, alive: Option<bool>, review: Option<&Review>) -> Self {
        let targets: Vec<&Target> = view.targets().iter().map(|t| t.target()).collect();
        let context = Context {
            view,
            places: Places::of(targets),
        };
        let (state, tone) = words::state(&view.state(), alive);
        let counts = view.counts();
        let mut all = vec![toned(Tone::Strong, count(counts.total, "target"))];
        all.extend(
            words::counts(&counts)
                .iter()
                .map(|(text, tone)| toned(*tone, text)),
        );
        let mut page = Self {
            title: visible(context.places.title(view)),
            state: Some(toned(tone, state)),
            about: about(view),
            counts: all,
            causes: context.causes(&Summary::of(view)),
            notes: view.beside().iter().map(|note| visible(note)).collect(),
            waves: went(view),
            answers: answers(view),
            next: commands(view),
            targets: context.targets(),
            at: view.last().map(words::time),
            ..Self::default()
        };
        if let Some(review) = review {
            page.add_review(&context, review);
        }
        page
    }

    fn add_review(&mut self, context: &Context<'_>, review: &Review) {
        self.groups = review.groups.iter().map(|g| context.group(g)).collect();
        self.risk = (!review.groups.is_empty()).then(|| Risk {
            level: risk(review.risk),
            rules: review
                .risks
                .iter()
                .map(|group| Rule {
                    level: {
                        let (tone, word) = review::level_of(group);
                        toned(tone, word)
                    },
                    chosen: review::chosen_text(group).map(|text| visible(&text)),
                    text: review::rule_text(&group.rule, group.findings),
                    resources: listed(group.resources.iter().map(|id| id.as_str())),
                })
                .collect(),
        });
        let rollout = facts::rollout(context.view, review);
        let waves = facts::waves(context.view, review);
        let parts = [rollout].into_iter().chain(waves);
        let parts: Vec<String> = parts.map(|parts| parts.join(" · ")).collect();
        self.rollout = parts.join("; ");
        self.plan = review.plan.map(|plan| plan.to_string());
        self.notes = review.notes.iter().map(|note| visible(note)).collect();
        self.unchanged = (!review.unchanged.is_empty()).then(|| {
            (
                facts::unchanged(context.view),
                context.names(&review.unchanged),
            )
        });
        self.not_enabled = (!review.not_enabled.is_empty())
            .then(|| (facts::NOT_ENABLED, context.names(&review.not_enabled)));
        let parts = left_out::left_out(&review.left_out);
        self.left_out =
            (!parts.is_empty()).then(|| (parts.join(" · "), left_out::each(&review.left_out)));
        self.differing = review
            .parameters
            .iter()
            .flat_map(|parameter| context.values(parameter))
            .collect();
        self.common = review.common_parameters.iter().filter_map(common).collect();
    }
}

fn listed<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let texts: Vec<String> = texts.into_iter().map(visible).collect();
    texts.join(", ")
}

/// Returns what the execution was made from.
fn about(view: &View) -> Vec<String> {
    let mut about: Vec<String> = facts::template(view, ToString::to_string)
        .into_iter()
        .collect();
    about.extend(view.execution().map(|id| format!("execution {id}")));
    about.extend(facts::follows(view).map(|(what, earlier)| format!("{what} {earlier}")));
    about.extend(facts::proven(view));
    about.extend(view.rolled_back().map(|rolled_back| rolled_back.text()));
    about.extend(
        view.followed()
            .map(super::Followed::texts)
            .into_iter()
            .flatten(),
    );
    about.extend(versions::told(view));
    about.extend(facts::environment(view).map(|name| format!("environment {name}")));
    for commit in facts::commits(view) {
        let message = commit.message.unwrap_or_default();
        about.push(format!("commit {} {message}", commit.short));
        if commit.is_dirty {
            about.push("uncommitted changes".to_owned());
        }
    }
    about.iter().map(|text| visible(text)).collect()
}

/// Returns how the waves went that have begun, with what went wrong in them and what commands wrote.
fn went(view: &View) -> Vec<String> {
    let mut lines = Vec::new();
    for (_, wave) in super::waves::told(view) {
        lines.push(visible(&wave.parts.join(" · ")));
        let details = wave.details.into_iter();
        lines.extend(details.map(|(label, text, _)| visible(&format!("{label}: {text}"))));
    }
    lines
}

/// Returns the commands that go on from here, and what they are for where that is another execution.
fn commands(view: &View) -> Vec<String> {
    let id = view.execution();
    let commands = id.map_or_else(Vec::new, |id| next(view, id.as_str()));
    let told = labelled(view, commands).into_iter();
    told.map(|(command, of)| match of {
        Some(of) => visible(&format!("{command}   {of}")),
        None => visible(&command),
    })
    .collect()
}

/// Returns who answered, a line for each answer, and that nobody did what was asked last.
fn answers(view: &View) -> Vec<String> {
    let answers = view.answers();
    let are_told_apart = answers.len() > 1;
    let told = answers.iter().map(|answer| {
        let text = words::answered(answer);
        match are_told_apart || answer.wave.is_some() {
            true => visible(&format!("{}: {text}", words::answered_about(answer))),
            false => visible(&text),
        }
    });
    let mut told: Vec<String> = told.collect();
    let is_late = |asked: Approval<'_>| asked.answer.is_none() && asked.expired;
    if view.approval().is_some_and(is_late) {
        told.push("Nobody answered in time.".to_owned());
    }
    told
}

fn common(parameter: &ReviewParameter) -> Option<Parameter> {
    Some(Parameter {
        name: visible(&parameter.name),
        value: parameter_value(parameter.values.first()?),
        targets: None,
        from: visible(&facts::origins(parameter)),
    })
}

/// Returns a value, and that the default changes for nothing.
fn parameter_value(value: &ParameterUse) -> String {
    let mut text = words::parameter_use(value, "→");
    if let Some(default) = &value.default {
        text.push_str(&format!("; {}", words::kept_default(default, "→")));
    }
    visible(&text)
}

impl Context<'_> {
    fn linked(&self, target: &Target) -> Linked {
        let stack: Option<&StackId> = self.view.target(target).and_then(|t| t.stack());
        Linked {
            text: visible(&self.places.name(target)),
            address: stack
                .filter(|_| self.view.has_console())
                .and_then(links::stack),
        }
    }

    fn names(&self, targets: &[Target]) -> Names {
        Names {
            count: count(targets.len(), "target"),
            names: targets.iter().map(|target| self.linked(target)).collect(),
        }
    }

    fn causes(&self, summary: &Summary) -> Vec<Cause> {
        let group = |label: &str, group: &CauseGroup| Cause {
            label: toned(Tone::Bad, label),
            text: visible(&words::cause(&group.cause)),
            targets: self.names(&group.targets),
        };
        let not_planned = facts::not_planned(self.view);
        let failed = summary.failed.iter().map(|g| group("failed", g));
        let unplanned = summary.not_planned.iter().map(|g| group(not_planned, g));
        let unknown = summary.unknown.iter().map(|g| group("end unknown", g));
        let stale = summary.stale.iter().map(|stale| Cause {
            label: toned(Tone::Warn, "stale, not executed"),
            text: visible(&words::stale(&stale.differences)),
            targets: self.names(std::slice::from_ref(&stale.target)),
        });
        let skipped = summary.not_started.iter().map(|skipped| Cause {
            label: toned(Tone::Warn, "not started"),
            text: visible(&words::skip_reason(&skipped.reason)),
            targets: self.names(&skipped.targets),
        });
        failed
            .chain(unplanned)
            .chain(unknown)
            .chain(stale)
            .chain(skipped)
            .collect()
    }

    fn targets(&self) -> Vec<TargetRow> {
        let targets = self.view.targets();
        let rows = targets.iter().map(|target| {
            let (phase, tone) = words::phase(target.phase());
            let detail = target.outcome().and_then(words::target_outcome_detail);
            TargetRow {
                name: self.linked(target.target()),
                state: toned(tone, phase),
                detail: visible(&detail.unwrap_or_default()),
            }
        });
        rows.collect()
    }

    fn group(&self, group: &ReviewGroup) -> Group {
        let (symbol, without) = facts::without_resources(group);
        Group {
            name: group.name.clone(),
            kind: facts::kind(group).to_owned(),
            counts: counts(group),
            risk: Some(facts::risk_of(group))
                .filter(|level| *level > RiskLevel::Low)
                .map(risk),
            targets: self.names(&group.targets),
            change_set: self.change_set(group),
            facts: self.facts(group),
            resources: group.resources.iter().map(|r| resource(r, group)).collect(),
            without: group
                .resources
                .is_empty()
                .then(|| format!("{symbol} {without}")),
            tables: tables(group),
            blocks: blocks(group),
        }
    }

    fn change_set(&self, group: &ReviewGroup) -> Option<Linked> {
        let (target, address) = facts::console(self.view, group)?;
        Some(Linked {
            text: visible(&format!("change set of {}", self.places.name(target))),
            address: Some(address),
        })
    }

    fn facts(&self, group: &ReviewGroup) -> Vec<Fact> {
        let facts = facts::of_group(group, usize::MAX);
        let facts = facts.into_iter().map(|fact| Fact {
            label: fact.label,
            text: match fact.said {
                Said::Targets(targets) => self.places.names(targets).join(", "),
                Said::Texts(texts) => listed(texts.iter().map(String::as_str)),
            },
            tone: class(match fact.is_warning {
                true => Tone::Warn,
                false => Tone::Plain,
            }),
        });
        facts.collect()
    }

    fn values(&self, parameter: &ReviewParameter) -> Vec<Parameter> {
        let values = parameter.values.iter().map(|used| Parameter {
            name: visible(&parameter.name),
            value: parameter_value(used),
            targets: Some(visible(&self.places.whose(&used.targets))),
            from: visible(&words::provenance(&used.provenance)),
        });
        values.collect()
    }
}

/// Returns `1 REPLACE, 3 modify`.
fn counts(group: &ReviewGroup) -> String {
    facts::kinds(group.resources.iter()).join(", ")
}

fn resource(change: &ReviewResource, group: &ReviewGroup) -> Resource {
    let (symbol, word, tone) = what(change, "±");
    let is_new = change.action == ChangeAction::Add;
    let mut said: Vec<Toned> = notes(change)
        .iter()
        .map(|(tone, text)| toned(*tone, text))
        .collect();
    said.extend(facts::taken_in(change, group).map(|text| toned(Tone::Dim, text)));
    let drift = words::drift::of_resource(change).into_iter();
    said.extend(drift.map(|text| toned(Tone::Plain, text)));
    if change.properties.is_empty() {
        said.extend(facts::scope(change).map(|text| toned(Tone::Plain, text)));
    }
    Resource {
        what: toned(tone, word),
        symbol,
        id: visible(change.logical_id.as_str()),
        resource_type: visible(&change.resource_type),
        place: change
            .place
            .as_ref()
            .map(|place| visible(&place.to_string())),
        notes: said,
        properties: change
            .properties
            .iter()
            .map(|p| property(p, group, is_new))
            .collect(),
    }
}

fn property(property: &ReviewProperty, group: &ReviewGroup, is_new: bool) -> Property {
    if let Some(drift) = &property.drift {
        return drifted(property, drift, group);
    }
    let (before, after) = values(property);
    // What is new had no value.
    let before = match property.before {
        None if is_new => String::new(),
        None | Some(_) => before,
    };
    Property {
        path: visible(&property.path),
        before: visible(&before),
        after: visible(&after),
        note: note(property, group).map(|(tone, text)| toned(tone, text)),
        place: property
            .place
            .as_ref()
            .map(|place| visible(&place.to_string())),
    }
}

/// A property that was changed by hand: from what is really there, with what the last deployment set beside it.
fn drifted(property: &ReviewProperty, drift: &ReviewDrift, group: &ReviewGroup) -> Property {
    let values = words::drift::three_values(property, drift);
    let mut said = format!(
        "last deployment {}, really there {}{}; {}",
        values.previous,
        values.actual,
        values.found,
        words::drift::fate(drift)
    );
    let note = note(property, group);
    let tone = note.as_ref().map_or(Tone::Warn, |(tone, _)| match tone {
        Tone::Bad => Tone::Bad,
        Tone::Warn
        | Tone::Plain
        | Tone::Strong
        | Tone::Dim
        | Tone::Good
        | Tone::Busy
        | Tone::Inserted
        | Tone::Deleted => Tone::Warn,
    });
    if let Some((_, text)) = note {
        said.push_str(&format!("; {text}"));
    }
    let place = property.place.as_ref();
    Property {
        path: visible(&property.path),
        before: visible(&values.actual),
        after: visible(&values.after),
        note: Some(toned(tone, said)),
        place: place.map(|place| visible(&place.to_string())),
    }
}

fn tables(group: &ReviewGroup) -> Vec<Table> {
    let row = |row: &ImpactRow| {
        let (mark, tone) = match row.warns {
            true => ("! ", Tone::Warn),
            false => ("", Tone::Plain),
        };
        TableRow {
            name: visible(row.name.as_str()),
            kind: toned(tone, format!("{mark}{}", row.kind.as_str())),
            what: visible(&row.what),
        }
    };
    let tables = group.impact.tables();
    let tables = tables.map(|(title, rows)| Table {
        title,
        rows: rows.iter().map(row).collect(),
    });
    tables.collect()
}

fn blocks(group: &ReviewGroup) -> Vec<Block> {
    let policy = group.policy.as_deref().map(|policy| Block {
        title: facts::POLICY,
        lines: words::pretty_json(policy)
            .lines()
            .map(|line| toned(Tone::Plain, line))
            .collect(),
    });
    let template = group.template_diff.as_deref().map(|diff| Block {
        title: facts::TEMPLATE,
        lines: diff
            .lines()
            .map(|line| toned(diff_tone(line), line))
            .collect(),
    });
    policy.into_iter().chain(template).collect()
}

#[cfg(test)]
mod tests;
