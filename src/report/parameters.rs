//! What the parameters of each target are, and where each value comes from.

use serde::Serialize;

use super::DOCUMENT_VERSION;
use super::screen::{Line, Page, ScreenOptions, Tone, columns};
use super::words::{self, Places, count};
use crate::diff::{DefaultDiff, value_text};
use crate::model::{EffectiveParameter, ParameterValue, Target};

/// How many targets a block names before it counts them.
const NAMED: usize = 3;

/// The parameters of all targets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parameters {
    /// Which document this is.
    pub document: &'static str,
    /// The version of this form.
    pub version: u32,
    /// The template, relative to the project root.
    pub template: String,
    /// The targets, in the order they were asked for.
    pub targets: Vec<TargetParameters>,
}

/// The parameters of one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetParameters {
    /// The target.
    pub target: Target,
    /// Whether its stack exists, and so has values of its own.
    pub stack_exists: bool,
    /// The parameters, in the order of the template.
    pub parameters: Vec<ExplainedParameter>,
}

/// A parameter, and what its value won over.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedParameter {
    /// The value that counts, and where it came from.
    #[serde(flatten)]
    pub effective: EffectiveParameter,
    /// What weaker layers say, the strongest first.
    pub overridden: Vec<EffectiveParameter>,
    /// The value that the stack has, where it is known and no secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub present: Option<String>,
    /// How the template's default changes although the stack keeps its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultDiff>,
}

impl ExplainedParameter {
    /// Returns what may be shown of the value that counts: of the one that a stack keeps, too, as far as it is known.
    fn shown(&self) -> String {
        match (&self.effective.value, &self.present) {
            (ParameterValue::Previous, Some(present)) => words::kept(&value_text(present)),
            (value, _) => words::parameter(value),
        }
    }

    /// Returns the value that the stack has and will no longer have.
    fn replaced(&self) -> Option<String> {
        let present = self.present.as_deref()?;
        match &self.effective.value {
            ParameterValue::Plain(text) | ParameterValue::Default(Some(text)) => {
                (text != present).then(|| value_text(present))
            }
            ParameterValue::Previous
            | ParameterValue::Default(None)
            | ParameterValue::Secret(_) => None,
        }
    }
}

impl Parameters {
    /// Returns the document.
    pub fn new(template: String, targets: Vec<TargetParameters>) -> Self {
        Self {
            document: "parameters",
            version: DOCUMENT_VERSION,
            template,
            targets,
        }
    }
}

/// Draws the parameters: targets with the same ones together.
pub fn parameters(all: &Parameters, options: &ScreenOptions) -> String {
    let mut page = Page::new(options);
    let places = Places::of(all.targets.iter().map(|t| &t.target));
    let title = Line::of(Tone::Strong, places.stack().unwrap_or("parameters")).add(
        Tone::Dim,
        &format!(
            " {dot} {} {dot} {}",
            all.template,
            count(all.targets.len(), "target"),
            dot = options.glyphs().dot
        ),
    );
    page.line(title, 2);
    for group in grouped(&all.targets) {
        page.blank();
        page.line(heading(&group, &places), 2);
        let Some(first) = group.first() else { continue };
        if first.parameters.is_empty() {
            page.line(Line::of(Tone::Dim, "  the template declares none"), 2);
        }
        body(&mut page, &first.parameters);
    }
    page.finish()
}

/// Returns the targets in groups of the same parameters, in the order of their first ones.
fn grouped(targets: &[TargetParameters]) -> Vec<Vec<&TargetParameters>> {
    let mut groups: Vec<Vec<&TargetParameters>> = Vec::new();
    for target in targets {
        let alike = groups.iter_mut().find(|group| {
            group.first().is_some_and(|first| {
                first.parameters == target.parameters && first.stack_exists == target.stack_exists
            })
        });
        match alike {
            Some(group) => group.push(target),
            None => groups.push(vec![target]),
        }
    }
    groups
}

fn heading(group: &[&TargetParameters], places: &Places) -> Line {
    let names: Vec<String> = group.iter().map(|t| places.name(&t.target)).collect();
    let named = match names.len() {
        0..=NAMED => names.join(", "),
        many => format!("{} and {} more", names[..NAMED].join(", "), many - NAMED),
    };
    let exists = group.iter().any(|t| t.stack_exists);
    let state = match exists {
        true => "the stack exists",
        false => "new stack",
    };
    Line::of(Tone::Strong, &named).add(Tone::Dim, &format!("   {state}"))
}

fn body(page: &mut Page<'_>, parameters: &[ExplainedParameter]) {
    let widest =
        |texts: &mut dyn Iterator<Item = usize>, limit: usize| texts.max().unwrap_or(0).min(limit);
    let names = widest(
        &mut parameters.iter().map(|p| columns(&p.effective.name)),
        32,
    );
    let values = widest(
        &mut parameters
            .iter()
            .flat_map(|p| {
                let weaker = p.overridden.iter().map(|o| words::parameter(&o.value));
                [p.shown()].into_iter().chain(p.replaced()).chain(weaker)
            })
            .map(|text| columns(&text)),
        32,
    );
    for parameter in parameters {
        let effective = &parameter.effective;
        let from = |parameter: &EffectiveParameter| words::provenance(&parameter.provenance);
        let first = (
            effective.name.as_str(),
            Tone::Plain,
            parameter.shown(),
            from(effective),
        );
        let replaced = parameter
            .replaced()
            .map(|text| ("  now", Tone::Dim, text, "in the stack".to_owned()));
        let weaker = parameter.overridden.iter().map(|weaker| {
            let value = words::parameter(&weaker.value);
            ("  over", Tone::Dim, value, from(weaker))
        });
        for (label, tone, value, from) in [first].into_iter().chain(replaced).chain(weaker) {
            let mut line = Line::indent(2).add(tone, label);
            line.pad(2 + names, 0);
            line.push(tone, &format!("   {value}"));
            line.pad(5 + names + values, 0);
            line.push(Tone::Dim, &format!("   {from}"));
            page.line(line, 8);
        }
        if let Some(default) = &parameter.default {
            let text = words::kept_default(default, page.glyphs.arrow);
            page.line(Line::indent(4).add(Tone::Warn, &text), 8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::parameter;
    use super::*;
    use crate::model::{Layer, LookedUp, Lookup, Provenance};

    fn sample() -> Parameters {
        let target = |account: &str, region: &str| -> Target {
            Target {
                account: account.parse().unwrap(),
                region: region.parse().unwrap(),
                stack: "network".parse().unwrap(),
            }
        };
        let default = EffectiveParameter {
            name: "Cidr".into(),
            value: ParameterValue::Default(Some("10.0.0.0/16".into())),
            provenance: Provenance {
                layer: Layer::TemplateDefault,
                file: Some("templates/network.yaml".into()),
                line: Some(7),
                lookup: None,
            },
        };
        let mut looked_up = parameter("Zone", "Z123", Layer::Stack, "network.json");
        looked_up.provenance.lookup = Some(Lookup {
            what: LookedUp::StackOutput {
                stack: "dns".parse().unwrap(),
                output: "ZoneId".into(),
            },
            region: None,
        });
        let kept = EffectiveParameter {
            name: "Timeout".into(),
            value: ParameterValue::Previous,
            provenance: Provenance {
                layer: Layer::Previous,
                file: None,
                line: None,
                lookup: None,
            },
        };
        let secret = EffectiveParameter {
            name: "Password".into(),
            value: ParameterValue::Secret("env:DB_PASSWORD".parse().unwrap()),
            provenance: Provenance {
                layer: Layer::Override,
                file: None,
                line: None,
                lookup: None,
            },
        };
        let of = |target, stack_exists, cidr: EffectiveParameter, overridden| TargetParameters {
            target,
            stack_exists,
            parameters: vec![
                ExplainedParameter {
                    effective: cidr,
                    overridden,
                    present: None,
                    default: None,
                },
                ExplainedParameter {
                    effective: looked_up.clone(),
                    overridden: Vec::new(),
                    present: stack_exists.then(|| "Z099".to_owned()),
                    default: None,
                },
                ExplainedParameter {
                    effective: kept.clone(),
                    overridden: Vec::new(),
                    present: stack_exists.then(|| "30".to_owned()),
                    default: stack_exists.then(|| DefaultDiff {
                        before: Some("30".to_owned()),
                        after: Some("45".to_owned()),
                    }),
                },
                ExplainedParameter {
                    effective: secret.clone(),
                    overridden: Vec::new(),
                    present: None,
                    default: None,
                },
            ],
        };
        let own = parameter(
            "Cidr",
            "10.8.0.0/16",
            Layer::Region,
            "network.eu-west-1.json",
        );
        Parameters::new(
            "templates/network.yaml".into(),
            vec![
                of(
                    target("111111111111", "us-east-1"),
                    true,
                    default.clone(),
                    Vec::new(),
                ),
                of(
                    target("111111111111", "eu-west-1"),
                    false,
                    own.clone(),
                    vec![default.clone()],
                ),
                of(
                    target("222222222222", "us-east-1"),
                    true,
                    default.clone(),
                    Vec::new(),
                ),
            ],
        )
    }

    #[test]
    fn targets_with_the_same_parameters_stand_together() {
        insta::assert_snapshot!(parameters(&sample(), &ScreenOptions::default()));
    }

    #[test]
    fn no_parameters_is_said() {
        let mut all = sample();
        all.targets.truncate(1);
        all.targets[0].parameters.clear();
        let text = parameters(&all, &ScreenOptions::default());
        assert!(text.contains("the template declares none"), "{text}");
    }

    #[test]
    fn the_document_has_every_layer() {
        let json = serde_json::to_value(sample()).unwrap();
        super::super::schema::assert_documented(&json);
        let parameter = &json["targets"][1]["parameters"][0];
        assert_eq!(parameter["name"], "Cidr");
        assert_eq!(parameter["provenance"]["layer"], "region");
        assert_eq!(
            parameter["overridden"][0]["provenance"]["layer"],
            "template_default"
        );
    }
}
