//! The parameters: those with one value in all targets, and those that differ.

use crate::report::review_data::{ParameterUse, Review, ReviewParameter};
use crate::report::review_facts as facts;
use crate::report::screen::{Line, Page, Tone, columns, visible};
use crate::report::words::{self, Places, count};

/// The parameters with one value in all targets that are listed unless everything is asked for.
const LISTED_PARAMETERS: usize = 12;

/// The values of a parameter that are listed unless everything is asked for.
const LISTED_VALUES: usize = 6;

/// `Name   value   where it came from`, for the parameters with one value in all targets.
pub(super) fn common_parameters(page: &mut Page<'_>, review: &Review) {
    let all: Vec<&ReviewParameter> = review.common_parameters.iter().collect();
    let shown = match page.options.full {
        true => all.clone(),
        false => facts::telling_parameters(review, LISTED_PARAMETERS),
    };
    let several = facts::has_several_templates(&all);
    if shown.is_empty() {
        return;
    }
    page.blank();
    page.line(Line::of(Tone::Strong, "Parameters"), 2);
    let rows: Vec<(String, String, &ReviewParameter)> = shown
        .into_iter()
        .map(|parameter| {
            let value = parameter.values.first();
            let text =
                value.map_or_else(String::new, |u| words::parameter_use(u, page.glyphs.arrow));
            let fit = |text: &str, width| match page.options.full {
                true => visible(text),
                false => page.options.shorten(text, width),
            };
            let room = page.options.width * 30 / 100;
            (fit(&parameter.name, 32), fit(&text, room), parameter)
        })
        .collect();
    let widest = |texts: &mut dyn Iterator<Item = &String>, most: usize| {
        texts.map(|t| columns(t)).filter(|wide| *wide <= most).max()
    };
    let names = widest(&mut rows.iter().map(|(name, _, _)| name), 32).unwrap_or(0);
    let values = widest(&mut rows.iter().map(|(_, value, _)| value), 40).unwrap_or(0);
    let told = rows.len();
    for (name, value, parameter) in rows {
        let mut line = Line::indent(2).add(Tone::Plain, &name);
        line.pad(2 + names, 0);
        line.push(Tone::Strong, &format!("   {value}"));
        line.pad(5 + names + values, 0);
        line.push(Tone::Dim, &format!("   {}", facts::origins(parameter)));
        if several {
            line.push(Tone::Dim, &format!("   {}", parameter.template));
        }
        page.line(line, 6);
        for value in &parameter.values {
            kept_default(page, value);
        }
    }
    let more = all.len() - told;
    if more > 0 {
        let text = format!(
            "  and {} with one value in all targets; the full diff shows all",
            count(more, "more parameter")
        );
        page.line(Line::of(Tone::Dim, &text), 4);
    }
}

pub(super) fn parameters(page: &mut Page<'_>, parameters: &[ReviewParameter], places: &Places) {
    if parameters.is_empty() {
        return;
    }
    page.blank();
    page.line(
        Line::of(Tone::Strong, "Parameters that differ between targets"),
        2,
    );
    let several = facts::has_several_templates(&parameters.iter().collect::<Vec<_>>());
    for parameter in parameters {
        let mut line = Line::indent(2).add(Tone::Plain, &parameter.name);
        if several {
            line.push(Tone::Dim, &format!("   {}", parameter.template));
        }
        page.line(line, 4);
        let limit = if page.options.full {
            usize::MAX
        } else {
            LISTED_VALUES
        };
        let texts: Vec<String> = parameter
            .values
            .iter()
            .take(limit)
            .map(|value| {
                let text = words::parameter_use(value, page.glyphs.arrow);
                if page.options.full {
                    text
                } else {
                    page.options.shorten(&text, 32)
                }
            })
            .collect();
        let wide = texts
            .iter()
            .map(|text| columns(text))
            .max()
            .unwrap_or(0)
            .min(32);
        for (value, text) in parameter.values.iter().zip(texts) {
            let mut line = Line::indent(6);
            line.push(Tone::Plain, &text);
            line.pad(6 + wide, 0);
            let whose = places.whose(&value.targets);
            line.push(Tone::Plain, &format!("   {whose}"));
            line.push(
                Tone::Dim,
                &format!("   {}", words::provenance(&value.provenance)),
            );
            page.line(line, 9);
            kept_default(page, value);
        }
        let more = parameter.values.len().saturating_sub(limit);
        if more > 0 {
            let text = format!(
                "      and {}; the full diff shows all",
                count(more, "more value")
            );
            page.line(Line::of(Tone::Dim, &text), 8);
        }
    }
}

/// Says that a default changes for nothing.
fn kept_default(page: &mut Page<'_>, value: &ParameterUse) {
    if let Some(default) = &value.default {
        let text = words::kept_default(default, page.glyphs.arrow);
        page.line(Line::indent(8).add(Tone::Warn, &text), 8);
    }
}
