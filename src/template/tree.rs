//! A template: its text, its tree and its declarations.

use indexmap::IndexMap;

use super::compose;
use super::declaration::{ParameterDeclaration, ResourceDeclaration};
use super::error::{TemplateError, TemplateProblem};
use super::node::{Entry, Node, NodeKind};
use crate::model::{LogicalId, clean};

/// A template that was read: well-formed, within CloudFormation's limits, every value with its position.
#[derive(Debug, Clone)]
pub struct Template {
    file: String,
    text: String,
    root: Node,
    parameters: IndexMap<String, ParameterDeclaration>,
    resources: IndexMap<String, ResourceDeclaration>,
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
        })
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
            .filter(|span| self.text.get(span.clone()).is_some_and(|t| !t.is_empty()))
            .collect();
        spans.sort_by_key(|span| std::cmp::Reverse(span.start));
        for span in spans {
            // A block scalar ends with its line break; the next line must stay one.
            let end = if self
                .text
                .get(span.clone())
                .is_some_and(|t| t.ends_with('\n'))
            {
                "\n"
            } else {
                ""
            };
            shown.replace_range(span, &format!("\"****\"{end}"));
        }
        shown
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
            position: entry.position,
        };
        parameters.insert(name.clone(), declaration);
    }
    Ok(parameters)
}

/// Returns whether a `NoEcho` hides its parameter: whatever is not clearly a `false` does.
fn is_no_echo(node: &Node) -> bool {
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
