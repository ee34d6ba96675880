//! The differences of templates as a comment of a pull request.

use super::diff_data::{Diff, DiffGroup, NotCompared, ParameterChange, ParameterDiff};
use super::diff_raw::{RawDiff, RawText};
use super::diff_words::{
    SAME_MEANING, consequence, counts, kind, name_of, place, remark, symbol, what,
};
use super::markdown::{LONGEST_VALUE, Page, although, block, code, names};
use super::review_resource::window;
use super::screen::{ScreenOptions, visible};
use super::words::{self, Places, count};
use crate::diff::{
    EntryChange, MASK_CHANGED, ShownEntry, ShownText, ShownValue, TextTag, ValueKind, text_diff,
};
use crate::model::Target;

/// The lines of a text that are shown in a table.
const SHOWN_LINES: usize = 20;

/// Returns the differences of templates and parameters as Markdown.
pub fn markdown_diff(diff: &Diff) -> String {
    let places = Places::of(diff.targets());
    let mut page = Page::new();
    let before = diff.before.as_deref().map_or("deployed".to_owned(), code);
    page.add(&format!("### {before} → {}\n\n", code(&diff.after)), "");
    if !diff.differs && diff.groups.is_empty() && diff.not_compared.is_empty() {
        page.add("No differences.\n", "");
        return page.closed();
    }
    for (index, group) in diff.groups.iter().enumerate() {
        draw(&mut page, &name_of(index), group, &places);
    }
    rest(&mut page, ("No differences", &diff.same), &places);
    rest(&mut page, ("New stacks", &diff.new_stacks), &places);
    not_compared(&mut page, &diff.not_compared, &places);
    page.closed()
}

/// Returns texts line by line as Markdown.
pub fn markdown_raw_diff(all: &RawDiff) -> String {
    let places = Places::of(all.targets());
    let mut page = Page::new();
    for (index, (targets, text)) in all.texts.iter().enumerate() {
        let RawText { before, after, .. } = text;
        let title = format!("### {} → {}\n\n", code(before), code(after));
        page.add(&title, "a title");
        if !targets.is_empty() {
            let names = names(&places, targets);
            page.add(&format!("{}: {names}\n\n", name_of(index)), "targets");
        }
        let body = if text.diff.is_empty() {
            let said = super::diff_raw::same(text);
            format!("{said}\n\n")
        } else {
            format!("{}\n", block("diff", &text.diff.unified(3)))
        };
        page.add(&body, "the lines of a template");
    }
    rest(&mut page, ("New stacks", &all.new_stacks), &places);
    not_compared(&mut page, &all.not_compared, &places);
    page.closed()
}

fn rest(page: &mut Page, (what, targets): (&str, &[Target]), places: &Places) {
    if !targets.is_empty() {
        let names = names(places, targets);
        let number = count(targets.len(), "target");
        page.add(&format!("**{what}** · {number}: {names}\n\n"), "targets");
    }
}

fn not_compared(page: &mut Page, all: &[NotCompared], places: &Places) {
    for one in all {
        let (name, reason) = (code(&places.name(&one.target)), code(&one.reason));
        page.add(
            &format!("**Not compared** {name}: {reason}\n\n"),
            "a failure",
        );
    }
}

fn draw(page: &mut Page, name: &str, group: &DiffGroup, places: &Places) {
    let entries: Vec<&ShownEntry> = group.entries.iter().collect();
    let mut parts: Vec<String> = counts(&entries).into_iter().map(|(_, text)| text).collect();
    if !group.parameters.is_empty() {
        parts.push(count(group.parameters.len(), "parameter"));
    }
    let parts = parts.join(" · ");
    let title = if group.targets.is_empty() {
        parts
    } else {
        let number = count(group.targets.len(), "target");
        format!("**{name}** · {number} · {parts}")
    };
    page.add(&format!("{title}\n\n"), "a title");
    if !group.targets.is_empty() {
        let mut names = names(places, &group.targets);
        if group.varies
            && let Some(first) = group.targets.first()
        {
            let first = code(&places.name(first));
            names.push_str(&format!(" (values and files as for {first})"));
        }
        page.add(&format!("{names}\n\n"), "targets");
    }
    let begin = "| | Name | Change | Place |\n|---|---|---|---|\n";
    let rows = group.parameters.iter().map(parameter);
    let rows = rows.chain(group.entries.iter().flat_map(entry));
    page.rows(begin, rows.collect(), "\n", "row");
}

fn parameter(one: &ParameterDiff) -> String {
    let name = code(&one.name);
    let from = one.provenance.as_ref().map(words::provenance);
    let from = from.as_deref().map_or_else(String::new, code);
    let text = |value: &Option<String>| code(&words::optional(value.as_deref()));
    let change = match one.change {
        ParameterChange::Added => text(&one.after),
        ParameterChange::Removed => format!("{} → (removed)", text(&one.before)),
        ParameterChange::Changed => format!("{} → {}", text(&one.before), text(&one.after)),
        ParameterChange::Unknown => "secret, whether it changes is not known".to_owned(),
        ParameterChange::Kept => {
            let default = one.default.as_ref().map_or_else(String::new, although);
            format!("**keeps** {}{default}", text(&one.before))
        }
    };
    let (symbol, _) = symbol(one.change);
    format!("| <code>{symbol}</code> | parameter {name} | {change} | {from} |\n")
}

fn entry(entry: &ShownEntry) -> Vec<String> {
    let (symbol, word, _) = what(entry);
    let glyphs = ScreenOptions::default().glyphs();
    let at = place(entry.before, entry.after, &glyphs);
    let mut rows = vec![format!(
        "| <code>{}</code> | {} {} | {} | {} |\n",
        symbol.replace('>', "&gt;"),
        code(&entry.name),
        code(&kind(entry)),
        code(&word),
        at.as_deref().map_or_else(String::new, code),
    )];
    rows.extend(consequence(entry).map(|text| format!("| | | {} | |\n", code(&text))));
    match entry.change {
        EntryChange::Changed | EntryChange::Renamed => {
            rows.extend(entry.values.iter().map(value));
        }
        // Its values are in the one file alone.
        EntryChange::Added | EntryChange::Removed => {}
    }
    rows
}

fn is_long(side: &Option<ShownText>) -> bool {
    side.as_ref().is_some_and(|side| side.text.contains('\n'))
}

/// Returns the lines in which two texts differ, without those around them.
fn changed_lines(value: &ShownValue) -> String {
    let text = |side: &Option<ShownText>| side.as_ref().map(|side| side.text.clone());
    let old = text(&value.before).unwrap_or_default();
    let new = text(&value.after).unwrap_or_default();
    let diff = text_diff(&old, &new);
    let changed = diff.lines().iter().filter_map(|line| match line.tag {
        TextTag::Equal => None,
        TextTag::Delete => Some(code(&format!("-{}", line.text()))),
        TextTag::Insert => Some(code(&format!("+{}", line.text()))),
    });
    let mut lines: Vec<String> = changed.collect();
    let more = lines.len().saturating_sub(SHOWN_LINES);
    lines.truncate(SHOWN_LINES);
    if more > 0 {
        lines.push(format!("and {}", count(more, "more line")));
    }
    lines.join("<br>")
}

fn value(value: &ShownValue) -> String {
    // Line breaks become spaces in a table.
    let text = |side: &Option<ShownText>| side.as_ref().map(|side| visible(&side.for_people()));
    let change = match (text(&value.before), text(&value.after), value.change) {
        (_, _, ValueKind::Moved) => "moved".to_owned(),
        (_, _, ValueKind::WrittenOtherwise) => SAME_MEANING.to_owned(),
        (_, Some(after), _) if after == MASK_CHANGED => code(&after),
        (Some(_), Some(_), _) if is_long(&value.before) || is_long(&value.after) => {
            changed_lines(value)
        }
        (Some(before), Some(after), _) => {
            // Cut where the two begin to differ: equal beginnings would hide what changes.
            let (before, after) = window(&before, &after, LONGEST_VALUE, "…");
            format!("{} → {}", code(&before), code(&after))
        }
        (Some(before), None, _) => format!("{} → (removed)", code(&before)),
        (None, Some(after), _) => format!("(none) → {}", code(&after)),
        (None, None, _) => String::new(),
    };
    let note = remark(value, code).map_or_else(String::new, |text| format!(" ({text})"));
    let at = |side: &Option<ShownText>| side.as_ref().map(|side| side.place);
    let glyphs = ScreenOptions::default().glyphs();
    let place = place(at(&value.before), at(&value.after), &glyphs);
    let place = place.as_deref().map_or_else(String::new, code);
    format!("| | {} | {change}{note} | {place} |\n", code(&value.path))
}
