//! The changes of the groups and the parameters, each folded.

use crate::diff::DefaultDiff;
use crate::model::RiskLevel;
use crate::report::review_data::{
    ParameterUse, Review, ReviewDrift, ReviewGroup, ReviewParameter, ReviewProperty, ReviewResource,
};
use crate::report::review_facts::{self as facts, Said};
use crate::report::review_resource::{note, notes, values, what, window};
use crate::report::screen::{Tone, visible};
use crate::report::words::{self, Places, count};
use crate::report::{View, impact};

use super::{LONGEST_VALUE, Page, block, code, kinds, names, risk_word, whole};

/// The changes of one group and all that comes with them, folded.
pub(super) fn details(page: &mut Page, group: &ReviewGroup, view: &View, places: &Places) {
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
pub(in crate::report) fn although(default: &DefaultDiff) -> String {
    let side = |side: &Option<String>| code(&words::optional(side.as_deref()));
    let (before, after) = (side(&default.before), side(&default.after));
    format!(", although the default changes: {before} → {after}")
}

/// The parameters with one value, and those that differ between targets, folded.
pub(super) fn parameters(page: &mut Page, review: &Review, places: &Places) {
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
