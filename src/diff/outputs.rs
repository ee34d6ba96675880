//! Outputs that other stacks or people may read, and that go.

use std::fmt;

use super::declared::to_value;
use super::impact::ImpactKind;
use super::value::to_text;
use crate::model::{GoneExport, LogicalId};
use crate::template::{Node, Template};

/// An output that goes, or whose export does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gone {
    pub output: LogicalId,
    /// The name of the export that goes, functions as they are written unless `known` has it.
    pub export: Option<String>,
    /// What was looked up about the export.
    known: Option<GoneExport>,
    /// Whether the output itself stays.
    stays: bool,
}

impl Gone {
    /// Returns what kind of change it is.
    pub(super) fn kind(&self) -> ImpactKind {
        if self.stays {
            ImpactKind::Changed
        } else {
            ImpactKind::Removed
        }
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.stays {
            "export"
        } else {
            "output and its export"
        };
        let goes = if self.stays { "goes" } else { "go" };
        if let Some(GoneExport {
            name, imported_by, ..
        }) = &self.known
        {
            return if imported_by.is_empty() {
                write!(f, "{what} {name} {goes}; no stack imports it")
            } else {
                let stacks = imported_by.join(", ");
                let they = if imported_by.len() == 1 {
                    "it stops"
                } else {
                    "they stop"
                };
                write!(
                    f,
                    "{what} {name} {goes}; imported by {stacks}: the update will fail until {they}"
                )
            };
        }
        match &self.export {
            None => f.write_str("output goes; whoever looks it up no longer finds it"),
            Some(name) => write!(
                f,
                "{what} {name} {goes}; the update fails while a stack imports it, which `aws cloudformation list-imports \
                 --export-name NAME` tells"
            ),
        }
    }
}

/// Returns what goes as [`gone`] does, with what was looked up about the exports.
pub(super) fn gone_with(new: &Template, old: &Template, known: &[GoneExport]) -> Vec<Gone> {
    let mut found = gone(new, old);
    for gone in found.iter_mut().filter(|gone| gone.export.is_some()) {
        gone.known = known.iter().find(|k| k.output == gone.output).cloned();
    }
    found
}

/// Returns the outputs of `old` whose exports go with `new`.
pub fn gone_exports(new: &Template, old: &Template) -> Vec<LogicalId> {
    let gone = gone(new, old).into_iter();
    gone.filter(|gone| gone.export.is_some())
        .map(|gone| gone.output)
        .collect()
}

/// Returns the outputs of `old` that `new` does not have, and those that it exports otherwise.
pub(super) fn gone(new: &Template, old: &Template) -> Vec<Gone> {
    let outputs = |template: &'_ Template| -> Vec<(String, Option<String>)> {
        let outputs = template.root().value("Outputs").and_then(Node::entries);
        let entries = outputs.into_iter().flatten();
        entries
            .map(|(name, entry)| {
                let export = entry
                    .value
                    .value("Export")
                    .and_then(|export| export.value("Name"));
                (name.clone(), export.map(|name| to_text(&to_value(name))))
            })
            .collect()
    };
    let present: std::collections::HashMap<String, Option<String>> =
        outputs(new).into_iter().collect();
    let exported: std::collections::HashSet<&String> = present.values().flatten().collect();
    let mut found = Vec::new();
    for (name, export) in outputs(old) {
        let stays = present.contains_key(&name);
        // An output may be called otherwise, and export the same.
        let export = export.filter(|export| !exported.contains(export));
        if stays && export.is_none() {
            continue;
        }
        // Keys of `Outputs` that are no names are functions such as `Fn::ForEach`.
        if let Ok(output) = LogicalId::new(name) {
            found.push(Gone {
                output,
                export,
                known: None,
                stays,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(old: &str, new: &str) -> Vec<String> {
        let template = |outputs: &str| {
            let text =
                format!("Resources: {{T: {{Type: 'AWS::SNS::Topic'}}}}\nOutputs: {outputs}\n");
            Template::parse("t.yaml", text.as_bytes()).unwrap()
        };
        gone(&template(new), &template(old))
            .iter()
            .map(|gone| {
                format!(
                    "{} {}",
                    gone.output,
                    gone.to_string().split(';').next().unwrap()
                )
            })
            .collect()
    }

    #[test]
    fn who_imports_an_export_is_said() {
        let template = |outputs: &str| {
            let text =
                format!("Resources: {{T: {{Type: 'AWS::SNS::Topic'}}}}\nOutputs: {outputs}\n");
            Template::parse("t.yaml", text.as_bytes()).unwrap()
        };
        let old = template("{A: {Value: x, Export: {Name: !Sub '${X}-a'}}, B: {Value: y}}");
        let (none, kept) = (template("{B: {Value: y}}"), template("{A: {Value: x}}"));
        assert_eq!(gone_exports(&none, &old), [LogicalId::new("A").unwrap()]);
        assert!(gone_exports(&old, &old).is_empty());
        let said = |new: &Template, imported_by: &[&str]| {
            let known = GoneExport {
                output: LogicalId::new("A").unwrap(),
                name: "net-a".to_owned(),
                imported_by: imported_by.iter().map(|s| (*s).to_owned()).collect(),
            };
            gone_with(new, &old, &[known])[0].to_string()
        };
        assert_eq!(
            said(&none, &["api", "web"]),
            "output and its export net-a go; imported by api, web: the update will fail until they stop"
        );
        assert_eq!(
            said(&kept, &["api"]),
            "export net-a goes; imported by api: the update will fail until it stops"
        );
        assert_eq!(said(&kept, &[]), "export net-a goes; no stack imports it");
    }

    #[test]
    fn outputs_and_exports_that_go_are_found() {
        let a = "{A: {Value: x, Export: {Name: a}}, B: {Value: y}}";
        assert!(found(a, a).is_empty());
        assert_eq!(
            found(a, "{A: {Value: x, Export: {Name: a}}}"),
            ["B output goes"]
        );
        assert_eq!(
            found(a, "{B: {Value: y}}"),
            ["A output and its export a go"]
        );
        assert_eq!(
            found(a, "{A: {Value: x}, B: {Value: z}}"),
            ["A export a goes"]
        );
        assert_eq!(
            found(
                a,
                "{A: {Value: x, Export: {Name: !Sub 'n'}}, B: {Value: y}}"
            ),
            ["A export a goes"]
        );
        let renamed = "{C: {Value: x, Export: {Name: a}}, B: {Value: y}}";
        assert_eq!(found(a, renamed), ["A output goes"]);
        assert!(found("{}", a).is_empty());
    }
}
