//! The differences of templates for people.

use super::diff_data::{Diff, DiffGroup, NotCompared, ParameterChange, ParameterDiff};
use super::diff_words::{
    SAME_MEANING, consequence, counts, kind, name_of, place, remark, symbol, what,
};
use super::review_resource::{annotate, on_one_line, on_two_lines, path_columns};
use super::screen::{Glyphs, Line, Page, ScreenOptions, Tone, columns, visible};
use super::words::{self, Places, count};
use crate::diff::{
    EntryChange, MASK, MASK_CHANGED, ShownEntry, ShownText, ShownValue, ValueKind, text_diff,
    value_text,
};
use crate::model::Target;

/// The lines of a text that are shown of one that is added or removed.
const SHOWN_LINES: usize = 8;

/// The values of an entry that are shown before the rest is counted.
const SHOWN_VALUES: usize = 30;

/// Draws how templates differ, and the parameters of stacks.
pub fn diff(diff: &Diff, options: &ScreenOptions) -> String {
    let mut page = Page::new(options);
    let places = Places::of(diff.targets());
    page.line(title(diff, &places, options), 2);
    for (index, group) in diff.groups.iter().enumerate() {
        page.blank();
        if !group.targets.is_empty() {
            heading(&mut page, &name_of(index), group, &places);
        }
        body(&mut page, group);
    }
    let rest = [
        ("No differences", Tone::Good, &diff.same),
        ("New stack", Tone::Good, &diff.new_stacks),
    ];
    for (what, tone, targets) in rest {
        if !targets.is_empty() {
            page.blank();
            let text = format!(
                "{what} {} {}",
                page.glyphs.dot,
                count(targets.len(), "target")
            );
            let line = Line::of(tone, &text).add(Tone::Plain, "   ");
            page.items(line, 4, Tone::Dim, &places.names(targets));
        }
    }
    if !diff.new_stacks.is_empty() {
        let text = "  there is no such stack yet; everything in the template is added";
        page.line(Line::of(Tone::Dim, text), 4);
    }
    if !diff.not_compared.is_empty() {
        page.blank();
        for one in &diff.not_compared {
            not_compared(&mut page, one, &places);
        }
    }
    page.blank();
    page.line(summary(diff, &page.glyphs), 2);
    page.finish()
}

fn title(diff: &Diff, places: &Places, options: &ScreenOptions) -> Line {
    let glyphs = options.glyphs();
    match &diff.before {
        Some(before) => Line::of(Tone::Strong, before)
            .add(Tone::Dim, &format!(" {} ", glyphs.arrow))
            .add(Tone::Strong, &diff.after),
        None => Line::of(Tone::Strong, places.stack().unwrap_or("stacks")).add(
            Tone::Dim,
            &format!(
                " {dot} deployed {} {} {dot} {}",
                glyphs.arrow,
                diff.after,
                count(diff.targets().count(), "target"),
                dot = glyphs.dot
            ),
        ),
    }
}

/// Adds the name of a difference and the targets that it is of.
pub(super) fn whose(page: &mut Page<'_>, name: &str, targets: &[Target], places: &Places) {
    let text = format!(
        "{name} {} {}",
        page.glyphs.dot,
        count(targets.len(), "target")
    );
    let line = Line::of(Tone::Strong, &text).add(Tone::Plain, "   ");
    page.items(line, 4, Tone::Dim, &places.names(targets));
}

/// Adds a target that could not be compared, and why.
pub(super) fn not_compared(page: &mut Page<'_>, one: &NotCompared, places: &Places) {
    let line = Line::of(Tone::Bad, "Not compared")
        .add(Tone::Plain, &format!("   {}", places.name(&one.target)))
        .add(Tone::Dim, &format!("   {}", one.reason));
    page.line(line, 4);
}

fn heading(page: &mut Page<'_>, name: &str, group: &DiffGroup, places: &Places) {
    whose(page, name, &group.targets, places);
    if group.varies
        && let Some(first) = group.targets.first()
    {
        let text = format!("  values and files as for {}", places.name(first));
        page.line(Line::of(Tone::Dim, &text), 4);
    }
}

fn body(page: &mut Page<'_>, group: &DiffGroup) {
    if !group.parameters.is_empty() {
        page.line(Line::of(Tone::Dim, "  parameters of the stack"), 4);
        let names = group.parameters.iter().map(|p| columns(&visible(&p.name)));
        let wide = names.max().unwrap_or(0).min(page.options.width / 3);
        for one in &group.parameters {
            parameter(page, one, wide);
        }
        if !group.entries.is_empty() {
            page.line(Line::of(Tone::Dim, "  template"), 4);
        }
    }
    let names = group.entries.iter().map(|e| columns(&visible(&e.name)));
    let wide = names.max().unwrap_or(0).min(page.options.width * 35 / 100);
    for one in &group.entries {
        entry(page, one, wide);
    }
}

fn parameter(page: &mut Page<'_>, one: &ParameterDiff, wide: usize) {
    let (symbol, tone) = symbol(one.change);
    let mut line = Line::indent(2)
        .add(tone, symbol)
        .add(Tone::Plain, &format!(" {}", one.name));
    line.pad(4 + wide, 0);
    line.spaces(3);
    let from = one.provenance.as_ref().map(words::provenance);
    match one.change {
        ParameterChange::Unknown => {
            let text = format!("{MASK} (whether it changes is not known)");
            line.push(Tone::Strong, &text);
            annotate(page, line, None, from);
        }
        ParameterChange::Kept => {
            let kept = words::optional(one.before.as_deref());
            line.push(Tone::Strong, &format!("keeps {kept}"));
            page.line(line, 8);
            if let Some(default) = &one.default {
                let text = words::kept_default(default, page.glyphs.arrow);
                page.line(Line::indent(8).add(Tone::Dim, &text), 8);
            }
        }
        ParameterChange::Added | ParameterChange::Removed | ParameterChange::Changed => {
            let (before, after) = (one.before.as_deref(), one.after.as_deref());
            let pair = (before.map(value_text), after.map(value_text));
            sides(page, line, pair, None, from);
        }
    }
}

/// `~ Queue   AWS::SQS::Queue   changed   12:3 → 14:3`, and what differs inside below it.
fn entry(page: &mut Page<'_>, entry: &ShownEntry, wide: usize) {
    let (symbol, word, tone) = what(entry);
    let mut line = Line::indent(2)
        .add(tone, symbol)
        .add(Tone::Strong, &format!(" {}", entry.name));
    line.pad(4 + wide, 0);
    line.push(Tone::Dim, &format!("   {}", kind(entry)));
    line.push(tone, &format!("   {word}"));
    annotate(
        page,
        line,
        None,
        place(entry.before, entry.after, &page.glyphs),
    );
    if let Some(text) = consequence(entry) {
        page.line(Line::indent(6).add(Tone::Warn, &text), 8);
    }
    let is_shown = match entry.change {
        EntryChange::Changed | EntryChange::Renamed => true,
        // What is added is in the one file, and what is gone in the other.
        EntryChange::Added | EntryChange::Removed => page.options.full,
    };
    if !is_shown {
        return;
    }
    let limit = if page.options.full {
        usize::MAX
    } else {
        SHOWN_VALUES
    };
    let shown = entry.values.iter().take(limit);
    let wide = path_columns(page, shown.clone().map(|one| one.path.as_str()));
    for one in shown {
        value(page, one, wide);
    }
    let more = entry.values.len().saturating_sub(limit);
    if more > 0 {
        let text = format!(
            "      and {}; `--full` shows all",
            count(more, "more value")
        );
        page.line(Line::of(Tone::Dim, &text), 8);
    }
}

fn value(page: &mut Page<'_>, value: &ShownValue, wide: usize) {
    let at = |side: &Option<ShownText>| side.as_ref().map(|side| side.place);
    let place = place(at(&value.before), at(&value.after), &page.glyphs);
    let is_same = value.change == ValueKind::WrittenOtherwise;
    let note = match is_same && page.options.full {
        true => Some(SAME_MEANING.to_owned()),
        false => remark(value, str::to_owned),
    };
    let note = note.map(|text| (Tone::Dim, text));
    let mut line = Line::indent(6).add(Tone::Plain, &value.path);
    if line.columns() <= 6 + wide {
        line.pad(6 + wide, 0);
    }
    line.spaces(3);
    if value.change == ValueKind::Moved {
        line.push(Tone::Strong, "moved");
        annotate(page, line, note, place);
        return;
    }
    if is_same && !page.options.full {
        line.push(Tone::Strong, SAME_MEANING);
        annotate(page, line, None, place);
        return;
    }
    let text = |side: &Option<ShownText>| side.as_ref().map(ShownText::for_people);
    if value.path.is_empty() {
        // All of the entry, whose place is told already.
        lines(
            page,
            text(&value.before).as_deref(),
            text(&value.after).as_deref(),
        );
        return;
    }
    sides(
        page,
        line,
        (text(&value.before), text(&value.after)),
        note,
        place,
    );
}

/// Adds the two sides of a value to the line that names it: behind the name if they fit, else below it.
fn sides(
    page: &mut Page<'_>,
    mut line: Line,
    (before, after): (Option<String>, Option<String>),
    note: Option<(Tone, String)>,
    place: Option<String>,
) {
    let is_long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains('\n'));
    if is_long(&before) || is_long(&after) {
        annotate(page, line, note, place);
        lines(page, before.as_deref(), after.as_deref());
        return;
    }
    let (before, after) = match (before.as_deref(), after.as_deref()) {
        // That it changes says all that may be said.
        (Some(MASK) | None, Some(MASK_CHANGED)) => (String::new(), MASK_CHANGED.to_owned()),
        (before, after) => (
            before.map_or_else(|| "(none)".to_owned(), visible),
            after.map_or_else(|| "(removed)".to_owned(), visible),
        ),
    };
    let arrow = format!(" {} ", page.glyphs.arrow);
    let room = page.options.width.saturating_sub(line.columns());
    if columns(&before) + columns(&arrow) + columns(&after) <= room {
        on_one_line(page, &mut line, &before, &after);
        annotate(page, line, note, place);
        return;
    }
    annotate(page, line, note, place);
    on_two_lines(page, before, after);
}

/// Adds the lines in which two texts differ.
fn lines(page: &mut Page<'_>, before: Option<&str>, after: Option<&str>) {
    let is_change = before.is_some() && after.is_some();
    let text = text_diff(before.unwrap_or_default(), after.unwrap_or_default()).unified(2);
    // The numbers of its lines are not those of the file.
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('\\'))
        .map(|line| if line.starts_with("@@") { "@@" } else { line })
        .skip(1)
        .collect();
    let limit = if is_change || page.options.full {
        usize::MAX
    } else {
        SHOWN_LINES
    };
    for line in lines.iter().take(limit) {
        let (tone, text) = match line.as_bytes().first() {
            Some(b'+') => (Tone::Good, *line),
            Some(b'-') => (Tone::Bad, *line),
            Some(b'@') => (Tone::Dim, page.glyphs.ellipsis),
            Some(_) | None => (Tone::Plain, *line),
        };
        let line = Line::indent(8).add(tone, text);
        if page.options.full {
            page.verbatim(line);
        } else {
            page.cut(&line);
        }
    }
    let more = lines.len().saturating_sub(limit);
    if more > 0 {
        let text = format!(
            "        and {}; `--full` shows all",
            count(more, "more line")
        );
        page.line(Line::of(Tone::Dim, &text), 8);
    }
}

/// Returns how much differs, in one line.
fn summary(diff: &Diff, glyphs: &Glyphs) -> Line {
    let entries: Vec<&ShownEntry> = diff.groups.iter().flat_map(|g| &g.entries).collect();
    let parameters: Vec<&ParameterDiff> = diff.groups.iter().flat_map(|g| &g.parameters).collect();
    let mut parts = counts(&entries);
    let changing = parameters
        .iter()
        .filter(|p| p.change != ParameterChange::Kept);
    let changing = changing.count();
    if changing > 0 {
        parts.push((Tone::Warn, count(changing, "parameter value")));
    }
    let kept = parameters.len() - changing;
    if kept > 0 {
        let verb = if kept == 1 {
            "keeps its value"
        } else {
            "keep their values"
        };
        parts.push((Tone::Warn, format!("{} {verb}", count(kept, "parameter"))));
    }
    if !diff.new_stacks.is_empty() {
        parts.push((Tone::Good, count(diff.new_stacks.len(), "new stack")));
    }
    if !diff.not_compared.is_empty() {
        let text = format!("{} not compared", diff.not_compared.len());
        parts.push((Tone::Bad, text));
    }
    if parts.is_empty() {
        return Line::of(Tone::Good, "no differences");
    }
    let mut line = Line::default();
    for (index, (tone, text)) in parts.iter().enumerate() {
        if index > 0 {
            line.push(Tone::Dim, &format!(" {} ", glyphs.dot));
        }
        line.push(*tone, text);
    }
    line
}

#[cfg(test)]
mod tests;
