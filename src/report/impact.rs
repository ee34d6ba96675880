//! The tables of a review: permissions, network, data and outputs.

use super::review_data::ReviewGroup;
use super::review_facts::Alike;
use super::screen::{Line, Page, Tone, columns};
use super::words::count;
use crate::diff::{Impact, ImpactRow};

/// How many rows of a table are shown, unless everything is asked for.
pub(super) const SHOWN: usize = 12;

/// Returns that there are more rows than are shown.
pub(super) fn more(rows: usize) -> Option<String> {
    let more = rows.checked_sub(SHOWN).filter(|more| *more > 0)?;
    Some(format!("and {} more", count(more, "line")))
}

/// Draws the tables that have something to say, and returns whether there are any. One that the first group has
/// alike is not drawn again.
pub(super) fn tables(page: &mut Page<'_>, impact: &Impact, alike: Option<&Alike<'_>>) -> bool {
    for (title, rows) in impact.tables() {
        let first = alike.map(|alike| alike.first);
        let is_same = |first: &&ReviewGroup| first.impact.tables().any(|t| t == (title, rows));
        if let Some(first) = first.filter(is_same) {
            let line = Line::indent(2).add(Tone::Strong, title);
            page.line(
                line.add(Tone::Plain, &format!("   as in Change {}", first.name)),
                4,
            );
            continue;
        }
        page.line(Line::indent(2).add(Tone::Strong, title), 4);
        let is_cut = !page.options.full;
        let limit = if is_cut { SHOWN } else { usize::MAX };
        let names = rows
            .iter()
            .take(limit)
            .map(|row| columns(row.name.as_str()));
        // A long name moves its own row alone.
        let wide = names.filter(|&name| name <= 24).max().unwrap_or(0);
        for one in rows.iter().take(limit) {
            row(page, one, wide);
        }
        if let Some(more) = more(rows.len()).filter(|_| is_cut) {
            let text = format!("      {more}; the full diff shows all");
            page.line(Line::of(Tone::Dim, &text), 8);
        }
    }
    !impact.is_empty()
}

fn row(page: &mut Page<'_>, row: &ImpactRow, wide: usize) {
    let (mark, tone) = if row.warns {
        ("  ! ", Tone::Warn)
    } else {
        ("    ", Tone::Plain)
    };
    let mut line = Line::of(tone, mark).add(Tone::Plain, row.name.as_str());
    line.pad(4 + wide, 0);
    line.push(tone, &format!("   {}", row.kind.as_str()));
    line.pad(4 + wide + 12, 0);
    line.push(Tone::Plain, &format!("  {}", row.what));
    page.line(line, 8);
}
