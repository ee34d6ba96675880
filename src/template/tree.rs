//! A template: its text, its tree and its declarations.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::compose;
use super::declaration::{Constraints, ParameterDeclaration, ResourceDeclaration};
use super::error::{TemplateError, TemplateProblem};
use super::node::{Entry, Node, NodeKind};
use super::secret::is_dynamic;
use crate::model::{LogicalId, clean};

/// A template that was read: well-formed, within CloudFormation's limits, every value with its position.
#[derive(Debug, Clone)]
pub struct Template {
    file: String,
    text: String,
    root: Node,
    parameters: IndexMap<String, ParameterDeclaration>,
    resources: IndexMap<String, ResourceDeclaration>,
    /// Parameters whose values are secret although the template does not say so.
    secret_parameters: BTreeSet<String>,
}

impl Template {
    /// Returns the template in `bytes`, YAML or JSON; `file` is its name in messages and positions.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Template, TemplateError> {
        let text = compose::text(file, bytes)?;
        let root = compose::compose(file, text)?;
        if root.is_null() {
            return Err(TemplateProblem::Empty.at(file, root.position));
        }
        mapping(file, || "the template".to_owned(), &root)?;
        let parameters = parameters(file, &root)?;
        let resources = resources(file, &root)?;
        Ok(Template {
            file: file.to_owned(),
            text: text.to_owned(),
            root,
            parameters,
            resources,
            secret_parameters: BTreeSet::new(),
        })
    }

    /// Returns the template with `parameters` taken as secret, for values that hold a dynamic reference or come from
    /// a secret source although the parameter is not `NoEcho`.
    pub fn with_secret_parameters(
        mut self,
        parameters: impl IntoIterator<Item = String>,
    ) -> Template {
        self.secret_parameters.extend(parameters);
        self
    }

    /// Returns the name of the file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns the text of the file, without a byte order mark.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the tree.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Returns the declared parameters, in the order of the file.
    pub fn parameters(&self) -> &IndexMap<String, ParameterDeclaration> {
        &self.parameters
    }

    /// Returns the declared resources, in the order of the file; what a `Fn::ForEach` or a macro
    /// makes is not among them.
    pub fn resources(&self) -> &IndexMap<String, ResourceDeclaration> {
        &self.resources
    }

    /// Returns the resource `id`.
    pub fn resource(&self, id: &LogicalId) -> Option<&ResourceDeclaration> {
        self.resources.get(id.as_str())
    }

    /// Returns the text of the file with the defaults of `NoEcho` parameters masked, for screens.
    pub fn shown_text(&self) -> String {
        let mut shown = self.text.clone();
        let defaults = self.parameters.values().filter(|p| p.no_echo).map(|p| {
            self.section("Parameters")
                .and_then(|section| section.get(&p.name))
                .and_then(|entry| entry.value.value("Default"))
        });
        let mut spans: Vec<_> = defaults
            .flatten()
            .filter_map(|node| match &node.kind {
                NodeKind::Scalar(scalar) => Some(scalar.bytes.clone()),
                NodeKind::Sequence(_) | NodeKind::Mapping(_) => None,
            })
            .filter_map(|span| {
                // A block scalar ends with the line break and indentation before the next key.
                let written = self.text.get(span.clone())?.trim_end();
                (!written.is_empty()).then(|| span.start..span.start + written.len())
            })
            .collect();
        spans.sort_by_key(|span| std::cmp::Reverse(span.start));
        for span in spans {
            shown.replace_range(span, "\"****\"");
        }
        shown
    }

    /// Returns whether the parameter `name` is declared and its value is a secret.
    pub fn hides_parameter(&self, name: &str) -> bool {
        let declared = self.parameters.get(name);
        declared.is_some_and(|parameter| self.is_secret_parameter(parameter))
    }

    /// Returns whether the value of `parameter` is a secret.
    pub(super) fn is_secret_parameter(&self, parameter: &ParameterDeclaration) -> bool {
        parameter.no_echo
            || parameter.default.as_deref().is_some_and(is_dynamic)
            || self.secret_parameters.contains(&parameter.name)
    }

    pub(super) fn section(&self, name: &str) -> Option<&IndexMap<String, Entry>> {
        self.root.value(name)?.entries()
    }

    pub(super) fn resource_entry(&self, id: &str) -> Option<&Entry> {
        if !self.resources.contains_key(id) {
            return None;
        }
        self.section("Resources")?.get(id)
    }
}

fn mapping<'a>(
    file: &str,
    part: impl FnOnce() -> String,
    node: &'a Node,
) -> Result<&'a IndexMap<String, Entry>, TemplateError> {
    node.entries().ok_or_else(|| {
        let problem = TemplateProblem::NotMapping {
            part: part(),
            found: node.kind_name(),
        };
        problem.at(file, node.position)
    })
}

/// Returns the entries of a section that declare something; `Fn::ForEach` and `Fn::Transform` make
/// declarations elsewhere.
fn declarations<'a>(
    file: &str,
    root: &'a Node,
    section: &str,
) -> Result<impl Iterator<Item = (&'a String, &'a Entry)>, TemplateError> {
    let entries = match root.value(section) {
        None => None,
        Some(node) => Some(mapping(file, || format!("`{section}`"), node)?),
    };
    Ok(entries
        .into_iter()
        .flatten()
        .filter(|(name, _)| !name.starts_with("Fn::")))
}

fn declared_type(file: &str, part: &str, entry: &Entry) -> Result<String, TemplateError> {
    let node = &entry.value;
    mapping(file, || part.to_owned(), node)?;
    match node.value("Type") {
        Some(declared) if !declared.is_null() => declared.text().map(clean),
        Some(_) | None => None,
    }
    .ok_or_else(|| {
        let part = part.to_owned();
        TemplateProblem::NoType { part }.at(file, entry.position)
    })
}

fn parameters(
    file: &str,
    root: &Node,
) -> Result<IndexMap<String, ParameterDeclaration>, TemplateError> {
    let mut parameters = IndexMap::new();
    for (name, entry) in declarations(file, root, "Parameters")? {
        let part = format!("parameter `{}`", clean(name));
        let parameter_type = declared_type(file, &part, entry)?;
        let default = match entry.value.value("Default") {
            None => None,
            Some(node) => match node.text() {
                Some(text) if !node.is_null() => Some(text.to_owned()),
                Some(_) | None => {
                    let problem = TemplateProblem::Default {
                        name: clean(name),
                        found: node.kind_name(),
                    };
                    return Err(problem.at(file, node.position));
                }
            },
        };
        let declaration = ParameterDeclaration {
            name: name.clone(),
            parameter_type,
            default,
            no_echo: entry.value.value("NoEcho").is_some_and(is_no_echo),
            constraints: entry
                .value
                .entries()
                .map(Constraints::of)
                .unwrap_or_default(),
            position: entry.position,
        };
        parameters.insert(name.clone(), declaration);
    }
    Ok(parameters)
}

/// Returns whether a `NoEcho` hides its parameter: whatever is not clearly a `false` does.
pub(super) fn is_no_echo(node: &Node) -> bool {
    let no = |text: &str| {
        matches!(
            text.to_ascii_lowercase().as_str(),
            "false" | "no" | "n" | "off" | "0"
        )
    };
    !node.is_null() && !node.text().is_some_and(no)
}

fn resources(
    file: &str,
    root: &Node,
) -> Result<IndexMap<String, ResourceDeclaration>, TemplateError> {
    let mut resources = IndexMap::new();
    for (id, entry) in declarations(file, root, "Resources")? {
        let part = format!("resource `{}`", clean(id));
        let resource_type = declared_type(file, &part, entry)?;
        let policy = |name| entry.value.value(name).and_then(Node::text).map(clean);
        let declaration = ResourceDeclaration {
            resource_type,
            deletion_policy: policy("DeletionPolicy"),
            update_replace_policy: policy("UpdateReplacePolicy"),
            position: entry.position,
        };
        resources.insert(id.clone(), declaration);
    }
    Ok(resources)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "\
Parameters:
  Account: {Type: String, Default: 012345678901}
  Password:
    Type: String
    NoEcho: 'true'
    Default: hunter2
  Count: {Type: Number, NoEcho: false}
Resources:
  Fn::ForEach::Topics: [Name, [A, B], {'T${Name}': {Type: 'AWS::SNS::Topic'}}]
  Queue:
    Type: AWS::SQS::Queue
    DeletionPolicy: Retain
    UpdateReplacePolicy: !If [A, Retain, Delete]
";

    fn parse(text: &str) -> Result<Template, TemplateError> {
        Template::parse("templates/t.yaml", text.as_bytes())
    }

    #[test]
    fn declarations_are_read_in_the_order_of_the_file() {
        let template = parse(TEMPLATE).unwrap();
        let names: Vec<_> = template.parameters().keys().collect();
        assert_eq!(names, ["Account", "Password", "Count"]);
        let account = template.parameters().get("Account").unwrap();
        assert_eq!(account.default.as_deref(), Some("012345678901"));
        assert!(!account.no_echo);
        assert_eq!((account.position.line, account.position.column), (2, 3));
        assert!(template.parameters().get("Password").unwrap().no_echo);
        assert!(!template.parameters().get("Count").unwrap().no_echo);
        let queue = template
            .resource(&LogicalId::new("Queue").unwrap())
            .unwrap();
        assert_eq!(queue.resource_type, "AWS::SQS::Queue");
        assert_eq!(queue.deletion_policy.as_deref(), Some("Retain"));
        assert_eq!(queue.update_replace_policy, None, "it is not known here");
        assert_eq!(queue.position.line, 10);
        assert_eq!(template.resources().len(), 1);
    }

    #[test]
    fn messages_name_the_place_and_what_to_do() {
        let error = |text| parse(text).unwrap_err().to_string();
        assert_eq!(
            error("- a\n"),
            "templates/t.yaml:1:1: the template is a list, expected a mapping; \
             write it as `Name: value` pairs"
        );
        assert_eq!(
            error("Resources:\n  Queue: {Properties: {}}\n"),
            "templates/t.yaml:2:3: resource `Queue` has no `Type`; \
             add `Type`, such as `String` or `AWS::SQS::Queue`"
        );
        assert_eq!(
            error("Parameters:\n  P: {Type: String, Default: }\n"),
            "templates/t.yaml:2:28: the default of parameter `P` is null, expected a text or number; \
             write a text or number, `''` for an empty one"
        );
        assert!(error("Resources: [a]\n").contains("`Resources` is a list, expected a mapping"));
        assert!(error("Parameters:\n  P: text\n").contains("parameter `P` is a text or number"));
        assert!(error("~\n").contains("the template is empty"));
    }

    #[test]
    fn a_template_of_parameters_alone_is_read() {
        assert!(parse("Parameters: {}\n").is_ok());
    }

    #[test]
    fn secret_defaults_are_not_shown() {
        let template = parse(TEMPLATE).unwrap();
        let shown = template.shown_text();
        assert!(template.text().contains("hunter2"));
        assert_eq!(shown, TEMPLATE.replace("hunter2", "\"****\""));
        let block = "Parameters:\n  P:\n    Default: |\n      one\n      two\n    NoEcho: true\n    Type: String\n";
        let shown = parse(block).unwrap().shown_text();
        assert!(!shown.contains("one") && !shown.contains("two"), "{shown}");
        assert!(shown.contains("    NoEcho: true\n"), "{shown}");
        let quoted = "Parameters: {P: {NoEcho: true, Type: String, Default: \"o\\\"ne\"}}\n";
        let shown = parse(quoted).unwrap().shown_text();
        assert!(!shown.contains("ne\""), "{shown}");
    }
}
