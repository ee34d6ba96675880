//! The lines of one resource change.

use crate::diff::{KNOWN_AFTER_APPLY, MASK, MASK_CHANGED, says_the_same, text_diff, value_text};
use crate::model::{ChangeAction, Evaluation, Recreation, Replacement, Risk, RiskLevel};

use super::diff_words::SAME_MEANING;
use super::review_data::{
    Place, ReviewDrift, ReviewGroup, ReviewProperty, ReviewReason, ReviewResource,
};
use super::review_facts as facts;
use super::screen::{Line, Page, ScreenOptions, Tone, columns, head, tail, visible};
use super::words;

/// The properties of one resource that are shown unless everything is asked for.
const SHOWN_PROPERTIES: usize = 12;

/// The columns of resource lines, the same for all groups of a screen.
pub(super) struct Columns {
    symbol: usize,
    id: usize,
    kind: usize,
}

impl Columns {
    pub(super) fn of<'a>(
        resources: impl Iterator<Item = &'a ReviewResource> + Clone,
        options: &ScreenOptions,
    ) -> Self {
        let widest = |text: fn(&ReviewResource) -> &str, least: usize, share: usize| {
            let widths = resources.clone().map(|r| columns(&visible(text(r))));
            let most = (options.width * share / 100).max(least);
            widths.max().unwrap_or(0).clamp(least, most)
        };
        Self {
            symbol: columns(options.glyphs().replace),
            id: widest(|r| r.logical_id.as_str(), 10, 32),
            kind: widest(|r| &r.resource_type, 20, 38),
        }
    }
}

/// Returns `text` in at most `width` columns, without its beginning: which one it is stands at the end of a path or type.
fn end_of(text: &str, width: usize, ellipsis: &str) -> String {
    let text = visible(text);
    if columns(&text) <= width {
        return text;
    }
    let end = tail(&text, width.saturating_sub(columns(ellipsis)));
    format!("{ellipsis}{end}")
}

/// Adds a resource change: its line, what may go wrong, and its properties.
pub(super) fn resource(
    page: &mut Page<'_>,
    change: &ReviewResource,
    group: &ReviewGroup,
    widths: &Columns,
) {
    let (symbol, word, tone) = what(change, page.glyphs.replace);
    let fit = |text: &str, width: usize, is_path: bool| {
        if page.options.full {
            visible(text)
        } else if is_path {
            end_of(text, width, page.glyphs.ellipsis)
        } else {
            page.options.shorten(text, width)
        }
    };
    let mut line = Line::indent(2);
    line.push(tone, symbol);
    line.pad(2 + widths.symbol, 0);
    line.spaces(1);
    let id = change.logical_id.as_str();
    line.push(Tone::Plain, &fit(id, widths.id, id.contains('/')));
    line.pad(3 + widths.symbol + widths.id, 0);
    line.spaces(3);
    // A long word of what is done takes from the type, which would push it into the next line.
    let begin = line.columns();
    let beside = begin + 3 + columns(&word);
    let room = page.options.width.saturating_sub(beside).max(20);
    let kind = &change.resource_type;
    line.push(Tone::Dim, &fit(kind, widths.kind.min(room), true));
    line.pad(begin + widths.kind.min(room), 0);
    line.spaces(3);
    line.push(tone, &word);

    let notes = notes(change);
    let beside: usize = notes
        .iter()
        .map(|(_, text)| columns(&visible(text)) + 3)
        .sum();
    let fits = notes.len() == 1 && line.columns() + beside <= page.options.width;
    if fits {
        for (tone, text) in &notes {
            line.push(*tone, &format!("   {text}"));
        }
    }
    page.line(line, 6);
    if !fits {
        for (tone, text) in &notes {
            page.line(Line::indent(6).add(*tone, "! ").add(*tone, text), 8);
        }
    }
    if let Some(text) = facts::taken_in(change, group) {
        page.line(Line::indent(6).add(Tone::Plain, &text), 8);
    }
    for text in words::drift::of_resource(change) {
        page.line(Line::indent(6).add(Tone::Plain, &text), 8);
    }
    if page.options.full
        && let Some(id) = &change.physical_id
    {
        page.line(
            Line::indent(6).add(Tone::Dim, &format!("physical id {id}")),
            8,
        );
    }
    properties(page, change, group);
}

/// Returns the symbol and word of a change.
pub(super) fn what(change: &ReviewResource, replace: &'static str) -> (&'static str, String, Tone) {
    match (change.action, change.replacement) {
        (ChangeAction::Add, _) => ("+", "add".into(), Tone::Good),
        (ChangeAction::Remove, _) => {
            let (word, tone) = words::removal(change.policy_action);
            ("-", word.into(), tone)
        }
        (ChangeAction::Modify, Replacement::Will) => (replace, "REPLACE".into(), Tone::Bad),
        (ChangeAction::Modify, Replacement::May) => (replace, "MAY REPLACE".into(), Tone::Bad),
        (ChangeAction::Modify, Replacement::No) => ("~", "modify".into(), Tone::Warn),
        (ChangeAction::Modify, Replacement::Unknown) => {
            ("~", "modify, replacement not known".into(), Tone::Warn)
        }
        (ChangeAction::Import, _) => (">", "import".into(), Tone::Warn),
        (ChangeAction::Dynamic, _) => ("?", "known at execution".into(), Tone::Warn),
        (ChangeAction::SyncWithActual, _) => ("=", "refresh record only".into(), Tone::Dim),
    }
}

/// Returns what to know besides the change itself, worst first.
pub(super) fn notes(change: &ReviewResource) -> Vec<(Tone, String)> {
    let mut notes: Vec<(Tone, String)> = Vec::new();
    let told = change.risks.iter().filter(|risk| !is_said(risk, change));
    for risk in told.filter(|risk| risk.level > RiskLevel::Low) {
        let note = (super::review::risk_tone(risk.level), risk.message.clone());
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    if change.is_nested && notes.is_empty() {
        let text = format!(
            "a nested stack: changes inside it are named {}/NAME",
            change.logical_id
        );
        notes.push((Tone::Dim, text));
    }
    if let Some(module) = &change.module {
        notes.push((Tone::Dim, format!("part of module {module}")));
    }
    notes
}

/// Returns whether the word of the change, or another of its risks, says all that `risk` does.
fn is_said(risk: &Risk, change: &ReviewResource) -> bool {
    if risk.chosen.is_some() {
        return false;
    }
    match risk.rule.as_str() {
        "removal" => risk.message == "deleted",
        "replacement" => risk.message == "replaced by a new resource",
        "iam_change" => change.risks.iter().any(|r| r.rule == "iam_broadening"),
        "encryption_key" => {
            let is_told = change.risks.iter().any(|r| r.rule == "iam_broadening");
            is_told && risk.message == "its key policy changes"
        }
        _ => false,
    }
}

/// Returns the columns that the paths of values take. A long one moves its own value alone.
pub(super) fn path_columns<'a>(page: &Page<'_>, paths: impl Iterator<Item = &'a str>) -> usize {
    let most = page.options.width * 35 / 100;
    let wide = paths.map(|path| columns(&visible(path)));
    wide.filter(|&wide| wide <= most).max().unwrap_or(0)
}

fn properties(page: &mut Page<'_>, change: &ReviewResource, group: &ReviewGroup) {
    let is_shown = match change.action {
        ChangeAction::Modify | ChangeAction::Dynamic | ChangeAction::SyncWithActual => true,
        // What is added is in the template, and what goes is gone: the values add little.
        ChangeAction::Add | ChangeAction::Remove | ChangeAction::Import => page.options.full,
    };
    if !is_shown {
        return;
    }
    if change.properties.is_empty() {
        scope(page, change);
        return;
    }
    let limit = if page.options.full {
        usize::MAX
    } else {
        SHOWN_PROPERTIES
    };
    let shown = change.properties.iter().take(limit);
    let wide = path_columns(page, shown.clone().map(|one| one.path.as_str()));
    let mut above = None;
    for one in shown {
        match &one.drift {
            None => property(page, one, wide, group, above),
            Some(drift) => drifted(page, one, drift, wide, group),
        }
        above = one.place.as_ref();
    }
    let more = change.properties.len().saturating_sub(limit);
    if more > 0 {
        let text = format!(
            "      and {}; the full diff shows all",
            words::count(more, "more property").replace("ys", "ies")
        );
        page.line(Line::of(Tone::Dim, &text), 8);
    }
}

/// Adds the attributes that change, where the service names no properties.
fn scope(page: &mut Page<'_>, change: &ReviewResource) {
    let Some(text) = facts::scope(change) else {
        return;
    };
    let mut line = Line::indent(6).add(Tone::Dim, &text);
    if let Some(place) = &change.place {
        line.push(Tone::Dim, &format!("   {place}"));
    }
    page.line(line, 8);
}

/// `path   before → after   note   file:line:column`, on one line if it fits.
///
/// The place is left out where it is the one of the line `above`.
fn property(
    page: &mut Page<'_>,
    property: &ReviewProperty,
    wide: usize,
    group: &ReviewGroup,
    above: Option<&Place>,
) {
    let arrow = format!(" {} ", page.glyphs.arrow);
    let (before, after) = values(property);
    let (before, after) = (visible(&before), visible(&after));
    let note = note(property, group);
    let place = property.place.as_ref();
    let place = place.filter(|place| page.options.full || above != Some(*place));
    let place = place.map(ToString::to_string);

    let mut line = Line::indent(6);
    line.push(Tone::Plain, &property.path);
    if line.columns() <= 6 + wide {
        line.pad(6 + wide, 0);
    }
    line.spaces(3);
    let room = page.options.width.saturating_sub(line.columns());
    let needed = columns(&before) + columns(&arrow) + columns(&after);
    if needed <= room {
        on_one_line(page, &mut line, &before, &after);
        annotate(page, line, note, place);
        return;
    }
    annotate(page, line, note, place);
    if 8 + needed <= page.options.width {
        let mut line = Line::indent(8);
        on_one_line(page, &mut line, &before, &after);
        page.line(line, 8);
        return;
    }
    if page.options.full
        && let Some(lines) = structures(property)
    {
        diff_lines(page, &lines, 8);
        return;
    }
    on_two_lines(page, before, after);
}

/// `path   note   file:line:column`, with the three values on lines of their own, and what becomes of them.
fn drifted(
    page: &mut Page<'_>,
    property: &ReviewProperty,
    drift: &ReviewDrift,
    wide: usize,
    group: &ReviewGroup,
) {
    let mut line = Line::indent(6);
    line.push(Tone::Plain, &property.path);
    line.pad(6 + wide, 0);
    let place = property.place.as_ref().map(ToString::to_string);
    annotate(page, line, note(property, group), place);
    let values = words::drift::three_values(property, drift);
    let found = visible(&values.found);
    let (mut previous, mut actual, mut after) = (
        visible(&values.previous),
        visible(&values.actual),
        visible(&values.after),
    );
    if !page.options.full {
        let room = page.options.width.saturating_sub(8 + 18 + columns(&found));
        let ellipsis = page.glyphs.ellipsis;
        (previous, _) = window(&previous, &actual, room, ellipsis);
        (actual, after) = window(&actual, &after, room, ellipsis);
    }
    for (label, text, tone, more) in [
        ("last deployment", previous, Tone::Plain, ""),
        ("really there   ", actual, Tone::Warn, found.as_str()),
        ("becomes        ", after, Tone::Strong, ""),
    ] {
        let line = Line::indent(8)
            .add(Tone::Dim, &format!("{label}   "))
            .add(tone, &text)
            .add(Tone::Dim, more);
        page.line(line, 26);
    }
    let line = Line::indent(8).add(Tone::Warn, words::drift::fate(drift));
    page.line(line, 10);
}

/// Adds two values to a line; an empty one before is left out.
pub(super) fn on_one_line(page: &Page<'_>, line: &mut Line, before: &str, after: &str) {
    if !before.is_empty() {
        line.push(Tone::Plain, before);
        line.push(Tone::Dim, &format!(" {} ", page.glyphs.arrow));
    }
    line.push(Tone::Strong, after);
}

/// Adds two values on a line each, cut where they begin to differ; an empty one is left out.
pub(super) fn on_two_lines(page: &mut Page<'_>, before: String, after: String) {
    let (before, after) = if page.options.full {
        (before, after)
    } else {
        let room = page.options.width.saturating_sub(8 + 8);
        window(&before, &after, room, page.glyphs.ellipsis)
    };
    for (label, text, tone) in [
        ("before", before, Tone::Plain),
        ("after ", after, Tone::Strong),
    ] {
        if !text.is_empty() {
            let line = Line::indent(8)
                .add(Tone::Dim, &format!("{label}  "))
                .add(tone, &text);
            page.line(line, 16);
        }
    }
}

/// Adds the lines of a unified diff.
pub(super) fn diff_lines(page: &mut Page<'_>, lines: &str, indent: usize) {
    for text in lines.lines() {
        // Breaking the lines would change what they say.
        page.verbatim(Line::indent(indent).add(diff_tone(text), text));
    }
}

/// Returns the tone of a line of a unified diff.
pub(super) fn diff_tone(line: &str) -> Tone {
    match line.as_bytes().first() {
        Some(b'+') => Tone::Good,
        Some(b'-') => Tone::Bad,
        Some(b'@') => Tone::Busy,
        Some(_) | None => Tone::Plain,
    }
}

/// Adds a line with its note and place, on a second line if there is no room.
pub(super) fn annotate(
    page: &mut Page<'_>,
    mut line: Line,
    note: Option<(Tone, String)>,
    place: Option<String>,
) {
    let width = page.options.width;
    let note_columns = note.as_ref().map_or(0, |(_, text)| columns(text) + 3);
    // The name of the file alone, where that saves a line.
    let room = width.saturating_sub(line.columns() + note_columns + 2);
    let place = place.map(|whole| match whole.rsplit_once('/') {
        Some((folders, name)) if !page.options.full && !folders.contains(' ') => {
            let saves = columns(&whole) > room && columns(name) <= room;
            if saves { name.to_owned() } else { whole }
        }
        Some(_) | None => whole,
    });
    let place_columns = place.as_ref().map_or(0, |text| columns(text));
    // Places stand in one column as long as the lines leave room for it.
    let usual = if width < 100 { 58 } else { 72 };
    let column = usual.min(width.saturating_sub(place_columns));
    let gap = if place_columns == 0 { 0 } else { 2 };
    let begin =
        (line.columns() + note_columns + gap).max(if place_columns == 0 { 0 } else { column });
    if begin + place_columns <= width {
        if let Some((tone, text)) = note {
            line.push(tone, &format!("   {text}"));
        }
        if let Some(place) = place {
            line.pad(column, gap);
            line.push(Tone::Dim, &place);
        }
        page.line(line, 8);
        return;
    }
    page.line(line, 8);
    let mut second = Line::indent(8);
    if let Some((tone, text)) = note {
        second.push(tone, &text);
        if place.is_some() {
            second.spaces(3);
        }
    }
    if let Some(place) = place {
        let start = second.columns();
        if start + place_columns <= width {
            second.pad(column, 0);
        }
        second.push(Tone::Dim, &place);
    }
    page.line(second, 8);
}

/// Returns the texts of the values before and after; an empty one says all in the other.
pub(super) fn values(property: &ReviewProperty) -> (String, String) {
    let (before, after) = (property.before.as_deref(), property.after.as_deref());
    match (before, after) {
        (None | Some(MASK), Some(MASK_CHANGED)) => (String::new(), MASK_CHANGED.to_owned()),
        (Some(MASK), Some(MASK)) => {
            let text = format!("{MASK} (whether it changes is not known)");
            (String::new(), text)
        }
        (None, None) if property.evaluation == Some(Evaluation::Dynamic) => {
            (String::new(), KNOWN_AFTER_APPLY.to_owned())
        }
        (None, None) => (String::new(), "changes, values not given".to_owned()),
        (Some(before), None) if property.evaluation == Some(Evaluation::Dynamic) => {
            (value_text(before), KNOWN_AFTER_APPLY.to_owned())
        }
        (Some(before), Some(after))
            if property.evaluation != Some(Evaluation::Dynamic) && says_the_same(before, after) =>
        {
            (String::new(), SAME_MEANING.to_owned())
        }
        (before, after) => (
            before.map_or_else(|| "(none)".to_owned(), value_text),
            after.map_or_else(|| "(removed)".to_owned(), value_text),
        ),
    }
}

/// Returns the lines in which two structures differ, or `None` where a value is no structure.
fn structures(property: &ReviewProperty) -> Option<String> {
    let pretty = |text: &str| -> Option<String> {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        (value.is_object() || value.is_array())
            .then(|| serde_json::to_string_pretty(&value).ok())
            .flatten()
    };
    let before = pretty(property.before.as_deref()?)?;
    let after = pretty(property.after.as_deref()?)?;
    Some(text_diff(&before, &after).unified(3))
}

/// Returns what to know of a changed property besides its values.
pub(super) fn note(property: &ReviewProperty, group: &ReviewGroup) -> Option<(Tone, String)> {
    let mut parts = Vec::new();
    let mut tone = Tone::Dim;
    match property.recreation {
        Recreation::Always => {
            tone = Tone::Bad;
            parts.push("forces replacement".to_owned());
        }
        Recreation::Conditionally => {
            tone = Tone::Warn;
            parts.push("may force replacement".to_owned());
        }
        Recreation::Never | Recreation::Unknown => {}
    }
    parts.extend(through(property));
    if let Some(ours) = &property.in_template {
        tone = Tone::Warn;
        parts.push(format!("the template says {}", visible(&value_text(ours))));
    }
    if property.varies
        && let Some(first) = group.targets.first()
    {
        parts.push(format!("as in {}", first.place()));
    }
    (!parts.is_empty()).then(|| (tone, parts.join(", ")))
}

/// Returns through what a property changes. That the template says something else goes without saying, unless there is
/// more.
fn through(property: &ReviewProperty) -> Option<String> {
    let mut all: Vec<String> = Vec::new();
    for reason in &property.reasons {
        match reason {
            ReviewReason::Template => all.push("the template".to_owned()),
            ReviewReason::Parameter { name, provenance } => {
                let from = provenance.as_ref().map(words::provenance);
                let from = from.map_or_else(String::new, |from| format!(" ({from})"));
                all.push(visible(&format!("parameter {name}{from}")));
            }
        }
    }
    let is_parameter = |cause: &&String| cause.starts_with("parameter ");
    all.extend(
        property
            .cause
            .as_ref()
            .filter(|c| !is_parameter(c))
            .map(|c| visible(c)),
    );
    let is_template_alone = property.reasons == [ReviewReason::Template] && all.len() == 1;
    (!all.is_empty() && !is_template_alone).then(|| format!("through {}", words::listed(&all)))
}

/// Returns both texts in at most `room` columns each, cut so that the first difference is seen.
pub(super) fn window(before: &str, after: &str, room: usize, ellipsis: &str) -> (String, String) {
    let common: usize = before
        .chars()
        .zip(after.chars())
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a.len_utf8())
        .sum();
    let rest = columns(&before[common..]).max(columns(&after[common..]));
    let left = room.saturating_sub(rest + columns(ellipsis));
    let cut = |text: &str| {
        if columns(text) <= room {
            return text.to_owned();
        }
        // What comes before the difference gets a third of the room, and what the rest leaves.
        let lead = tail(&text[..common], (room / 3).max(left));
        let start = common - lead.len();
        let rest = &text[start..];
        let (mut out, mut left) = (String::new(), room);
        if start > 0 {
            out.push_str(ellipsis);
            left = left.saturating_sub(columns(ellipsis));
        }
        if columns(rest) <= left {
            out.push_str(rest);
        } else {
            out.push_str(head(rest, left.saturating_sub(columns(ellipsis))));
            out.push_str(ellipsis);
        }
        out
    };
    (cut(before), cut(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_where_they_begin_to_differ() {
        let long = "x".repeat(50);
        let (before, after) = window(
            &format!("{long}old{long}"),
            &format!("{long}new{long}"),
            20,
            "…",
        );
        assert_eq!(before, format!("…{}old{}…", "x".repeat(6), "x".repeat(9)));
        assert_eq!(after, format!("…{}new{}…", "x".repeat(6), "x".repeat(9)));
        assert_eq!(columns(&before), 20);
        let (before, after) = window("a", &format!("b{long}"), 10, "…");
        assert_eq!((before.as_str(), after.as_str()), ("a", "bxxxxxxxx…"));
        let (before, _) = window(&format!("{long}日本"), &long, 10, "…");
        assert!(before.ends_with("日本") && columns(&before) <= 10);
    }
}
