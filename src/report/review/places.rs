//! Where something happens: target by target, or by region where they are many.

use indexmap::IndexMap;

use crate::model::{Region, Target};
use crate::report::review_facts::limited;
use crate::report::screen::{Line, Page, Tone, columns};
use crate::report::words::{Places, count};

/// The regions with the same accounts from which on these accounts are told once.
const MANY_REGIONS: usize = 4;

/// The lines for regions that are shown unless everything is asked for.
const LISTED_REGIONS: usize = 12;

/// The targets of a group that are listed one by one before they are told by region.
const LISTED_TARGETS: usize = 8;

/// Adds a title and the targets after it: one by one if they are few, by region if they are many.
pub(in crate::report) fn place_list(
    page: &mut Page<'_>,
    title: Line,
    targets: &[Target],
    places: &Places,
) {
    let names = places.names(targets);
    let sum: usize = names.iter().map(|name| columns(name) + 3).sum();
    if targets.len() <= LISTED_TARGETS && title.columns() + sum <= page.options.width {
        let mut first = title;
        first.spaces(3);
        page.items(first, 2, Tone::Plain, &names);
    } else if targets.len() <= LISTED_TARGETS || places.stack().is_none() {
        page.line(title, 2);
        let limit = if page.options.full { usize::MAX } else { 12 };
        page.items(Line::indent(2), 2, Tone::Plain, &limited(names, limit));
    } else {
        page.line(title, 2);
        by_region(page, targets);
    }
}

/// Adds one line for each region, with the accounts in it; regions with the same accounts have one together.
fn by_region(page: &mut Page<'_>, targets: &[Target]) {
    let mut accounts_of: IndexMap<&Region, Vec<String>> = IndexMap::new();
    for target in targets {
        let accounts = accounts_of.entry(&target.region).or_default();
        accounts.push(target.account.to_string());
    }
    let mut together: IndexMap<Vec<String>, Vec<&Region>> = IndexMap::new();
    for (region, accounts) in accounts_of {
        together.entry(accounts).or_default().push(region);
    }
    let mut rows: Vec<(String, Vec<String>, Vec<String>)> = Vec::new();
    for (accounts, regions) in together {
        if regions.len() < MANY_REGIONS {
            let alone = regions.into_iter();
            rows.extend(alone.map(|region| (region.to_string(), accounts.clone(), Vec::new())));
        } else {
            let label = count(regions.len(), "region");
            let names = regions.iter().map(ToString::to_string).collect();
            rows.push((label, accounts, names));
        }
    }
    let most = if page.options.full {
        usize::MAX
    } else {
        LISTED_REGIONS
    };
    let hidden = match rows.len() > most {
        true => rows.split_off(most - 1),
        false => Vec::new(),
    };
    let wide = rows.iter().map(|(label, _, _)| columns(label)).max();
    let wide = wide.unwrap_or(0);
    for (label, accounts, names) in rows {
        let mut line = Line::indent(2);
        line.push(Tone::Plain, &label);
        line.pad(2 + wide, 0);
        line.push(
            Tone::Dim,
            &format!("   {:>12}   ", count(accounts.len(), "account")),
        );
        let hang = line.columns();
        // Each account takes 15 columns, and what is left out is said at the end.
        let room = page.options.width.saturating_sub(hang + 11) / 15;
        let limit = if page.options.full {
            usize::MAX
        } else {
            room.max(1)
        };
        page.items(line, hang, Tone::Plain, &limited(accounts, limit));
        if !names.is_empty() {
            page.items(Line::indent(4), 4, Tone::Dim, &names);
        }
    }
    if !hidden.is_empty() {
        let targets: usize = hidden
            .iter()
            .map(|(_, accounts, names)| accounts.len() * names.len().max(1))
            .sum();
        let text = format!(
            "  and {} with {}; the full diff shows all",
            count(hidden.len(), "more region"),
            count(targets, "target")
        );
        page.line(Line::of(Tone::Dim, &text), 4);
    }
}
