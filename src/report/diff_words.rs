//! What reports of differences call what they found.

use super::diff_data::ParameterChange;
use super::screen::{Glyphs, Tone};
use super::words;
use crate::diff::{EntryChange, ShownEntry, ShownPlace, ShownValue, ValueKind};
use crate::plan::group_name;

/// Returns `Change A`, …, `Change Z`, `Change AA`, as in a review.
pub(super) fn name_of(index: usize) -> String {
    format!("Change {}", group_name(index))
}

/// Returns the symbol of what becomes of a parameter.
pub(super) fn symbol(change: ParameterChange) -> (&'static str, Tone) {
    match change {
        ParameterChange::Added => ("+", Tone::Good),
        ParameterChange::Removed => ("-", Tone::Bad),
        ParameterChange::Changed => ("~", Tone::Warn),
        ParameterChange::Unknown => ("?", Tone::Warn),
        ParameterChange::Kept => ("=", Tone::Warn),
    }
}

/// Returns the symbol and the word of what became of an entry.
pub(super) fn what(entry: &ShownEntry) -> (&'static str, String, Tone) {
    match entry.change {
        EntryChange::Added => ("+", "added".to_owned(), Tone::Good),
        EntryChange::Removed => ("-", "REMOVED".to_owned(), Tone::Bad),
        EntryChange::Changed if is_written_otherwise(entry) => {
            ("~", WRITTEN_OTHERWISE.to_owned(), Tone::Warn)
        }
        EntryChange::Changed => ("~", "changed".to_owned(), Tone::Warn),
        EntryChange::Renamed => {
            let from = entry.renamed_from.as_deref().unwrap_or_default();
            (">", format!("RENAMED from {from}"), Tone::Bad)
        }
    }
}

/// What is said of an entry in which nothing differs but how texts are written.
const WRITTEN_OTHERWISE: &str = "written otherwise";

/// What is said of a text whose document says the same.
pub(super) const SAME_MEANING: &str = "written otherwise, same meaning";

/// Returns whether nothing differs but how texts are written.
fn is_written_otherwise(entry: &ShownEntry) -> bool {
    let is_same = |value: &ShownValue| value.change == ValueKind::WrittenOtherwise;
    entry.change == EntryChange::Changed && entry.values.iter().all(is_same)
}

/// Returns what a change comes to that its word does not say.
pub(super) fn consequence(entry: &ShownEntry) -> Option<String> {
    if entry.section != "Resources" {
        return None;
    }
    if is_written_otherwise(entry) {
        let text = "CloudFormation compares texts: it will still update this resource";
        return Some(text.to_owned());
    }
    let from = entry.renamed_from.as_deref()?;
    Some(format!(
        "CloudFormation renames nothing: {} is made new, and {from} leaves the stack",
        entry.name
    ))
}

/// Returns what is to be known of a value besides its two sides.
/// `named` draws the names in it.
pub(super) fn remark(value: &ShownValue, named: impl Fn(&str) -> String) -> Option<String> {
    if value.is_local_path {
        let what = match value.content_differs {
            true if !value.content_names.is_empty() => {
                let names = words::listed(&value.content_names);
                let what = "a local path; it is not what the stack has, or what it names is not";
                return Some(format!("{what}: {names}"));
            }
            true => "a local path, whose content is not what the stack has",
            false => "a local path, packed when it is deployed",
        };
        return Some(what.to_owned());
    }
    let names = named(&words::listed(&value.follows));
    (!value.follows.is_empty()).then(|| format!("follows {names}, which is renamed"))
}

/// Returns what kind of entry it is: the type of a resource, else its section's.
pub(super) fn kind(entry: &ShownEntry) -> String {
    match (&entry.resource_type, entry.section.as_str()) {
        (Some(resource_type), _) => resource_type.clone(),
        (None, "Resources") => "resource".to_owned(),
        (None, "Parameters") => "parameter".to_owned(),
        (None, "Outputs") => "output".to_owned(),
        (None, "Conditions") => "condition".to_owned(),
        (None, "Mappings") => "mapping".to_owned(),
        (None, "Rules") => "rule".to_owned(),
        (None, section) => section.to_owned(),
    }
}

/// Returns the place before and after.
pub(super) fn place(
    before: Option<ShownPlace>,
    after: Option<ShownPlace>,
    glyphs: &Glyphs,
) -> Option<String> {
    let text = |place: ShownPlace| format!("{}:{}", place.line, place.column);
    match (before, after) {
        (Some(before), Some(after)) => {
            Some(format!("{} {} {}", text(before), glyphs.arrow, text(after)))
        }
        (Some(one), None) | (None, Some(one)) => Some(text(one)),
        (None, None) => None,
    }
}

/// Returns how many entries were added, removed, changed, written otherwise and renamed, those that there are.
pub(super) fn counts(entries: &[&ShownEntry]) -> Vec<(Tone, String)> {
    let kinds = [
        (EntryChange::Added, false, "added", Tone::Good),
        (EntryChange::Removed, false, "removed", Tone::Bad),
        (EntryChange::Changed, false, "changed", Tone::Warn),
        (EntryChange::Changed, true, WRITTEN_OTHERWISE, Tone::Warn),
        (EntryChange::Renamed, false, "renamed", Tone::Bad),
    ];
    let counted = kinds.map(|(change, is_text_alone, word, tone)| {
        let is_counted =
            |e: &&&ShownEntry| e.change == change && is_written_otherwise(e) == is_text_alone;
        let number = entries.iter().filter(is_counted).count();
        (number, tone, format!("{number} {word}"))
    });
    let counted = counted.into_iter().filter(|(number, _, _)| *number > 0);
    counted.map(|(_, tone, text)| (tone, text)).collect()
}
