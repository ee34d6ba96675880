//! Differences of templates as texts for people and machines, without secrets.

use std::collections::BTreeSet;

use serde::Serialize;

use super::mask::{MASK, MASK_CHANGED};
use super::semantic::{EntryDiff, EntryKind, Section, Side, TemplateDiff, ValueDiff, ValueKind};
use super::value::value_text;
use crate::model::LogicalId;
use crate::template::{Forms, Node, NodeKind, PathSegment, Position, Scalar, Secrecy, Template};

/// What became of a section's entry: a resource, a parameter, an output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownEntry {
    /// The section, such as `Resources`.
    pub section: String,
    /// Its name after the change, or before it where it is gone.
    pub name: String,
    /// The type of a resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    /// What became of it.
    pub change: EntryChange,
    /// The name it had before, where it has another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// Where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<ShownPlace>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<ShownPlace>,
    /// What differs inside.
    pub values: Vec<ShownValue>,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryChange {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It says something else.
    Changed,
    /// It has another name, and may say something else.
    Renamed,
}

/// A place in one of the two files, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ShownPlace {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownValue {
    /// Where it is in the entry; below `Properties` for resources, as in a review. Empty for all of the entry.
    pub path: String,
    /// What happened to it.
    pub change: ValueKind,
    /// The value before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<ShownText>,
    /// The value after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<ShownText>,
    /// The old names of what was renamed, where the value does nothing but follow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub follows: Vec<String>,
    /// Whether the value after is a local path, whose place is taken by where its content is put.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_local_path: bool,
    /// Whether that content is known to be another than the one that was put there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub content_differs: bool,
    /// What else that content is made of, where it is a template that names files and folders: one of them may differ in
    /// its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub content_names: Vec<String>,
}

/// A value on one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownText {
    /// The text, masked where it is a secret.
    pub text: String,
    /// How the text is to be read.
    pub form: TextForm,
    /// Where it is written.
    #[serde(flatten)]
    pub place: ShownPlace,
}

/// How a text stands for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TextForm {
    /// It is the value: a text, number or boolean, which are the same to CloudFormation.
    Text,
    /// It is YAML: a function, a structure, or a value in a JSON document, where numbers are no texts.
    Yaml,
}

impl ShownText {
    /// Returns the value on one line as a review shows it, or the lines of it.
    pub fn for_people(&self) -> String {
        match self.form {
            TextForm::Text if !self.text.contains('\n') => value_text(&self.text),
            TextForm::Text | TextForm::Yaml => self.text.clone(),
        }
    }
}

/// Returns the differences of two templates as texts. What depends on a secret in either of them is masked.
pub fn shown(diff: &TemplateDiff, before: &Template, after: &Template) -> Vec<ShownEntry> {
    let secrets = |template: &Template| {
        let parameters = template.parameters().values();
        let secret = parameters.filter(|p| p.no_echo).map(|p| p.name.clone());
        secret.collect()
    };
    let mut parameters: BTreeSet<String> = secrets(before);
    parameters.append(&mut secrets(after));
    let mut outputs = before.secret_outputs();
    outputs.append(&mut after.secret_outputs());
    let show = Show {
        before,
        after,
        parameters,
        outputs,
    };
    diff.entries.iter().map(|entry| show.entry(entry)).collect()
}

struct Show<'t> {
    before: &'t Template,
    after: &'t Template,
    /// The secret parameters of both.
    parameters: BTreeSet<String>,
    /// The secret outputs of both.
    outputs: BTreeSet<String>,
}

impl Show<'_> {
    fn entry(&self, entry: &EntryDiff) -> ShownEntry {
        let (change, renamed_from) = match &entry.kind {
            EntryKind::Added => (EntryChange::Added, None),
            EntryKind::Removed => (EntryChange::Removed, None),
            EntryKind::Changed => (EntryChange::Changed, None),
            EntryKind::Renamed { from } => (EntryChange::Renamed, Some(from.clone())),
        };
        let name = if entry.name.is_empty() {
            entry.section.key()
        } else {
            &entry.name
        };
        ShownEntry {
            section: entry.section.key().to_owned(),
            name: name.to_owned(),
            resource_type: entry.resource_type.clone(),
            change,
            renamed_from,
            before: entry.before.map(place),
            after: entry.after.map(place),
            values: entry.values.iter().map(|v| self.value(entry, v)).collect(),
        }
    }

    fn value(&self, entry: &EntryDiff, value: &ValueDiff) -> ShownValue {
        let old = value.before.as_ref();
        let new = value.after.as_ref();
        let old_name = entry.old_name();
        let (old_path, new_path) = (entry.path_before(value), entry.path_after(value));
        // What is secret on one side is shown on neither: a secret that moves to a parameter was one before.
        let secrecy = |path: &Path<'_>| {
            let old = self.secrecy(&entry.section, old_name, self.before, path.old);
            old.max(self.secrecy(&entry.section, &entry.name, self.after, path.new))
        };
        let path = Path {
            old: &old_path,
            new: &new_path,
        };
        let side = |side: &Side| {
            let node = masked(&side.node, &path, &secrecy);
            let (text, form) = node_text(&node, value.is_in_document());
            ShownText {
                text,
                form,
                place: place(side.position),
            }
        };
        let (mut before, mut after) = (old.map(side), new.map(side));
        if let (Some(old), Some(new)) = (&mut before, &mut after)
            && old.text == new.text
            && old.text.contains(MASK)
            && matches!(value.kind, ValueKind::Changed | ValueKind::WrittenOtherwise)
        {
            // What differs is masked on both sides, and the rest says nothing.
            old.text = MASK.to_owned();
            new.text = MASK_CHANGED.to_owned();
            (old.form, new.form) = (TextForm::Text, TextForm::Text);
        }
        ShownValue {
            path: entry.path_text(value),
            change: value.kind,
            before,
            after,
            follows: value.follows.clone(),
            is_local_path: false,
            content_differs: false,
            content_names: Vec::new(),
        }
    }

    fn secrecy(
        &self,
        section: &Section,
        name: &str,
        template: &Template,
        path: &[PathSegment],
    ) -> Secrecy {
        let first = path.first();
        let is_at = |key: &str| matches!(first, Some(PathSegment::Key(first)) if first == key);
        let part = |is_secret: bool, key: &str| match (is_secret, first) {
            (true, None) => Secrecy::Below,
            (true, Some(_)) if is_at(key) => Secrecy::Whole,
            (true | false, _) => Secrecy::Clear,
        };
        match section {
            Section::Resources => match LogicalId::new(name) {
                Ok(id) => template.secrecy(&id, path),
                // No template with such a name is deployed.
                Err(_) => Secrecy::Clear,
            },
            Section::Parameters => part(self.parameters.contains(name), "Default"),
            Section::Outputs => part(self.outputs.contains(name), "Value"),
            Section::FormatVersion
            | Section::Description
            | Section::Metadata
            | Section::Rules
            | Section::Mappings
            | Section::Conditions
            | Section::Transform
            | Section::Globals
            | Section::Hooks
            | Section::Other(_) => Secrecy::Clear,
        }
    }
}

/// Where a value is in either template.
struct Path<'p> {
    old: &'p [PathSegment],
    new: &'p [PathSegment],
}

/// Returns a value without the secrets in it.
fn masked(node: &Node, path: &Path<'_>, secrecy: &dyn Fn(&Path<'_>) -> Secrecy) -> Node {
    let kind = match secrecy(path) {
        Secrecy::Clear => return node.clone(),
        Secrecy::Whole => mask(),
        Secrecy::Below if node.intrinsic().is_some() => mask(),
        Secrecy::Below => match &node.kind {
            NodeKind::Scalar(_) => mask(),
            NodeKind::Sequence(items) => {
                let items = items.iter().enumerate();
                let inner = items
                    .map(|(index, item)| below(item, path, PathSegment::Index(index), secrecy));
                NodeKind::Sequence(inner.collect())
            }
            NodeKind::Mapping(entries) => {
                let mut inner = entries.clone();
                for (key, entry) in &mut inner {
                    // Paths begin below the properties.
                    let is_body = path.old.is_empty() && path.new.is_empty();
                    entry.value = match entry.value.entries() {
                        Some(properties) if is_body && key == "Properties" => {
                            let mut properties = properties.clone();
                            for (key, entry) in &mut properties {
                                let step = PathSegment::Key(key.clone());
                                entry.value = below(&entry.value, path, step, secrecy);
                            }
                            Node {
                                position: entry.value.position,
                                kind: NodeKind::Mapping(properties),
                            }
                        }
                        Some(_) | None => {
                            let step = PathSegment::Key(key.clone());
                            below(&entry.value, path, step, secrecy)
                        }
                    };
                }
                NodeKind::Mapping(inner)
            }
        },
    };
    Node {
        position: node.position,
        kind,
    }
}

fn below(
    node: &Node,
    path: &Path<'_>,
    step: PathSegment,
    secrecy: &dyn Fn(&Path<'_>) -> Secrecy,
) -> Node {
    let longer = |path: &[PathSegment]| [path, std::slice::from_ref(&step)].concat();
    let (old, new) = (longer(path.old), longer(path.new));
    let path = Path {
        old: &old,
        new: &new,
    };
    masked(node, &path, secrecy)
}

fn mask() -> NodeKind {
    NodeKind::Scalar(Scalar {
        text: MASK.to_owned(),
        plain: true,
        bytes: 0..0,
    })
}

fn node_text(node: &Node, in_document: bool) -> (String, TextForm) {
    match node.text() {
        // The mask is no YAML.
        Some(text) if text == MASK || !(in_document || node.is_null()) => {
            (text.to_owned(), TextForm::Text)
        }
        Some(_) | None => {
            let text = node.to_yaml(Forms::Short);
            (text.trim_end().to_owned(), TextForm::Yaml)
        }
    }
}

fn place(position: Position) -> ShownPlace {
    ShownPlace {
        line: position.line,
        column: position.column,
    }
}

/// Returns the differences of two texts of templates, for the tests of screens.
#[cfg(test)]
pub(crate) fn of_texts(before: &str, after: &str) -> Vec<ShownEntry> {
    let parse = |name: &str, text: &str| Template::parse(name, text.as_bytes()).unwrap();
    let (before, after) = (parse("before.yaml", before), parse("after.yaml", after));
    shown(&super::compare(&before, &after), &before, &after)
}

#[cfg(test)]
mod tests {
    use super::of_texts as of;
    use super::*;

    const SECRETS: &str = "Parameters:
  Password: {Type: String, NoEcho: true, Default: hunter2}
Resources:
  Database:
    Type: AWS::RDS::DBInstance
    Properties:
      Size: 1
      Password: !Ref Password
      Tags: [{Key: a, Value: !Sub 'x-${Password}'}]
Outputs:
  Url: {Value: !Sub 'db://${Password}'}
";

    #[test]
    fn values_have_their_place_on_both_sides() {
        let entries = of(
            "Resources:\n  Q:\n    Type: T::T::T\n    Properties: {Delay: 30}\n",
            "Resources:\n  # Comment\n  Q:\n    Type: T::T::T\n    Properties: {Delay: 60, Name: !Ref N}\n",
        );
        let [entry] = &entries[..] else {
            panic!("{entries:?}")
        };
        assert_eq!(
            (entry.name.as_str(), entry.change),
            ("Q", EntryChange::Changed)
        );
        let text = |side: &Option<ShownText>| {
            let side = side.as_ref()?;
            Some(format!(
                "{} {}:{}",
                side.text, side.place.line, side.place.column
            ))
        };
        let values: Vec<_> = entry
            .values
            .iter()
            .map(|v| (v.path.as_str(), text(&v.before), text(&v.after)))
            .collect();
        assert_eq!(
            values,
            [
                ("Delay", Some("30 4:18".into()), Some("60 5:18".into())),
                ("Name", None, Some("!Ref N 5:29".into())),
            ]
        );
    }

    #[test]
    fn secrets_are_not_shown_and_said_to_change() {
        let after = SECRETS
            .replace("hunter2", "hunter3")
            .replace("!Ref Password", "!Sub 'hunter4-${Password}'")
            .replace("x-", "hunter5-")
            .replace("db:", "hunter6:");
        let entries = of(SECRETS, &after);
        let said = format!("{entries:?}");
        assert!(!said.contains("hunter"), "{said}");
        assert_eq!(said.matches(MASK_CHANGED).count(), 4, "{said}");
    }

    #[test]
    fn secrets_of_what_is_new_or_gone_are_not_shown() {
        let none = "Resources: {}\n";
        for entries in [of(none, SECRETS), of(SECRETS, none)] {
            let said = format!("{entries:?}");
            assert!(
                !said.contains("hunter2") && !said.contains("${Password}"),
                "{said}"
            );
            assert!(
                said.contains("Size: 1") && said.contains("Key: a"),
                "{said}"
            );
        }
    }

    #[test]
    fn what_becomes_a_secret_was_one_before() {
        let before = SECRETS.replace("!Ref Password", "hunter7");
        let said = format!("{:?}", of(&before, SECRETS));
        assert!(
            !said.contains("hunter7") && said.contains(MASK_CHANGED),
            "{said}"
        );
    }

    #[test]
    fn texts_of_several_lines_stay_what_they_are() {
        let template = |text: &str| {
            format!("Resources: {{Q: {{Type: T::T::T, Properties: {{Script: {text:?}}}}}}}\n")
        };
        let entries = of(&template("one\ntwo\n"), &template("one\n2\n"));
        let value = &entries[0].values[0];
        assert_eq!(value.after.as_ref().unwrap().text, "one\n2\n");
    }
}
