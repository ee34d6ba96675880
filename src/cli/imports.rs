//! The resources that a deployment takes into its stacks, from a file as `aws cloudformation create-change-set
//! --resources-to-import` reads it.

use std::collections::BTreeMap;
use std::path::Path;

use indexmap::IndexMap;

use super::CliError;
use crate::model::{ImportedResource, LogicalId, clean};
use crate::parameters::{
    Entry, Node, Object, ParameterError, Place, Value, nearest, parse_document,
};
use crate::template::Template;

const TYPE: &str = "ResourceType";
const ID: &str = "LogicalResourceId";
const IDENTIFIER: &str = "ResourceIdentifier";

/// How such a file looks.
const EXAMPLE: &str = "write a list such as [{\"ResourceType\": \"AWS::S3::Bucket\", \"LogicalResourceId\": \"Logs\", \
     \"ResourceIdentifier\": {\"BucketName\": \"logs-{account}\"}}]";

/// Returns the resources that the file at `path` names, checked against the template that is to declare them.
pub(super) fn read(
    path: &Path,
    template: &Template,
) -> Result<BTreeMap<LogicalId, ImportedResource>, CliError> {
    let bytes = std::fs::read(path).map_err(|error| {
        let context = format!(
            "failed to read the resources to import, `{}`",
            path.display()
        );
        CliError::usage(anyhow::Error::new(error).context(context))
    })?;
    let file = path.display().to_string();
    parse(&file, &bytes, template).map_err(CliError::usage)
}

fn parse(
    file: &str,
    bytes: &[u8],
    template: &Template,
) -> Result<BTreeMap<LogicalId, ImportedResource>, ParameterError> {
    let reader = Reader { file };
    let root = parse_document(file, bytes)?;
    let items = match root.as_ref().map(|node| (&node.value, node)) {
        Some((Value::List(items), _)) if !items.is_empty() => items,
        Some((_, node)) => return Err(reader.unexpected(node, "a list of resources to import")),
        None => {
            return Err(ParameterError::Unexpected {
                place: Place::of(file),
                found: "nothing".to_owned(),
                expected: "a list of resources to import".to_owned(),
                help: EXAMPLE.to_owned(),
            });
        }
    };
    let mut imports: BTreeMap<LogicalId, ImportedResource> = BTreeMap::new();
    let mut lines: BTreeMap<LogicalId, u32> = BTreeMap::new();
    for item in items {
        let entries = reader.object(
            item,
            "an object with these keys: ResourceType, LogicalResourceId, ResourceIdentifier",
        )?;
        if let Some((key, entry)) = entries
            .iter()
            .find(|(key, _)| ![TYPE, ID, IDENTIFIER].contains(&key.as_str()))
        {
            return Err(ParameterError::Unexpected {
                place: Place::at(file, entry.position),
                found: format!("`{}`", clean(key)),
                expected: format!("`{TYPE}`, `{ID}` or `{IDENTIFIER}`"),
                help: "remove it, or correct its spelling".to_owned(),
            });
        }
        let id_node = reader.entry(item, entries, ID)?;
        let id_text = reader.text(&id_node.node)?;
        let Ok(id) = LogicalId::new(id_text) else {
            return Err(reader.unexpected(&id_node.node, "the logical id of a resource"));
        };
        let type_node = reader.entry(item, entries, TYPE)?;
        let resource_type = reader.text(&type_node.node)?;
        reader.check(&id, (id_node, type_node), &resource_type, template)?;
        let identifier_node = &reader.entry(item, entries, IDENTIFIER)?.node;
        let expected = "an object of what tells the resource from others, such as `BucketName`";
        let mut identifier = BTreeMap::new();
        for (key, entry) in reader.object(identifier_node, expected)? {
            identifier.insert(key.clone(), reader.text(&entry.node)?);
        }
        if identifier.is_empty() {
            return Err(reader.unexpected(identifier_node, expected));
        }
        if let Some(first) = lines.insert(id.clone(), id_node.node.position.line) {
            return Err(ParameterError::Duplicate {
                place: Place::at(file, id_node.node.position),
                key: id.to_string(),
                first,
            });
        }
        imports.insert(
            id,
            ImportedResource {
                resource_type,
                identifier,
            },
        );
    }
    Ok(imports)
}

struct Reader<'a> {
    file: &'a str,
}

impl Reader<'_> {
    fn unexpected(&self, node: &Node, expected: &str) -> ParameterError {
        let empty = match &node.value {
            Value::List(items) => items.is_empty(),
            Value::Object(entries) => entries.is_empty(),
            Value::Text(text) => text.is_empty(),
            Value::Null => false,
        };
        ParameterError::Unexpected {
            place: Place::at(self.file, node.position),
            found: format!(
                "{}{}",
                node.kind(),
                if empty { " that is empty" } else { "" }
            ),
            expected: expected.to_owned(),
            help: EXAMPLE.to_owned(),
        }
    }

    fn object<'n>(&self, node: &'n Node, expected: &str) -> Result<&'n Object, ParameterError> {
        match &node.value {
            Value::Object(entries) => Ok(entries),
            Value::Null | Value::Text(_) | Value::List(_) => Err(self.unexpected(node, expected)),
        }
    }

    fn text(&self, node: &Node) -> Result<String, ParameterError> {
        match &node.value {
            Value::Text(text) if !text.is_empty() => Ok(text.clone()),
            Value::Null | Value::Text(_) | Value::List(_) | Value::Object(_) => {
                Err(self.unexpected(node, "a text"))
            }
        }
    }

    fn entry<'n>(
        &self,
        item: &Node,
        entries: &'n IndexMap<String, Entry>,
        key: &str,
    ) -> Result<&'n Entry, ParameterError> {
        entries.get(key).ok_or_else(|| ParameterError::Unexpected {
            place: Place::at(self.file, item.position),
            found: format!("an object without `{key}`"),
            expected: format!("`{TYPE}`, `{ID}` and `{IDENTIFIER}`"),
            help: format!("add `{key}`"),
        })
    }

    /// Checks that the template declares the resource; what a macro declares cannot be seen.
    fn check(
        &self,
        id: &LogicalId,
        (id_entry, type_entry): (&Entry, &Entry),
        resource_type: &str,
        template: &Template,
    ) -> Result<(), ParameterError> {
        let unexpected = |entry: &Entry, found: String, expected: String, help: &str| {
            Err(ParameterError::Unexpected {
                place: Place::at(self.file, entry.node.position),
                found,
                expected,
                help: help.to_owned(),
            })
        };
        match template.resource(id) {
            Some(declared) if declared.resource_type == resource_type => Ok(()),
            Some(declared) => unexpected(
                type_entry,
                format!("`{}`", clean(resource_type)),
                format!(
                    "`{}`, which the template says of `{id}`",
                    clean(&declared.resource_type)
                ),
                "correct one of them",
            ),
            None if template
                .required_capabilities()
                .contains("CAPABILITY_AUTO_EXPAND") =>
            {
                Ok(())
            }
            None => {
                let near = nearest(id.as_str(), template.resources().keys().map(String::as_str));
                unexpected(
                    id_entry,
                    format!("`{id}`"),
                    format!("a resource of `{}`", clean(template.file())),
                    &match near {
                        Some(near) => format!("did you mean `{}`?", clean(near)),
                        None => "declare it there, with the properties that it has".to_owned(),
                    },
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str =
        "Resources:\n  Logs: {Type: AWS::S3::Bucket}\n  Jobs: {Type: AWS::SQS::Queue}\n";

    fn read(text: &str) -> Result<BTreeMap<LogicalId, ImportedResource>, String> {
        let template = Template::parse("t.yaml", TEMPLATE.as_bytes()).unwrap();
        parse("i.yaml", text.as_bytes(), &template).map_err(|error| error.to_string())
    }

    #[test]
    fn both_languages_say_the_same() {
        let json = r#"[{"ResourceType": "AWS::S3::Bucket", "LogicalResourceId": "Logs",
            "ResourceIdentifier": {"BucketName": "logs-{account}"}}]"#;
        let yaml = "- ResourceType: AWS::S3::Bucket\n  LogicalResourceId: Logs\n  ResourceIdentifier: {BucketName: 'logs-{account}'}\n";
        let read = [json, yaml].map(|text| read(text).unwrap());
        assert_eq!(read[0], read[1]);
        let (id, resource) = read[0].first_key_value().unwrap();
        assert_eq!(id.as_str(), "Logs");
        assert_eq!(resource.resource_type, "AWS::S3::Bucket");
        assert_eq!(resource.identified(), "BucketName logs-{account}");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let logs = "- ResourceType: AWS::S3::Bucket\n  LogicalResourceId: Logs\n  ResourceIdentifier: {BucketName: b}\n";
        let twice = format!("{logs}{logs}");
        for (text, said) in [
            ("", "i.yaml: found nothing"),
            ("[]", "i.yaml:1:1: found a list that is empty"),
            ("Logs: {}", "i.yaml:1:1: found an object, expected a list"),
            ("- Logs", "i.yaml:1:3: found a text"),
            ("[{", "i.yaml:1:"),
            (
                &logs.replace("Logs", "Log"),
                "i.yaml:2:22: found `Log`, expected a resource of `t.yaml`; did you mean `Logs`?",
            ),
            (
                &logs.replace("Logs", "Jobs"),
                "i.yaml:1:17: found `AWS::S3::Bucket`, expected `AWS::SQS::Queue`",
            ),
            (
                &logs.replace("BucketName: b", ""),
                "i.yaml:3:23: found an object that is empty",
            ),
            (
                &logs.replace(": b}", ": [b]}"),
                "i.yaml:3:36: found a list, expected a text",
            ),
            (
                &logs.replace("ResourceIdentifier", "Identifier"),
                "i.yaml:3:3: found `Identifier`",
            ),
            (
                "- LogicalResourceId: Logs",
                "i.yaml:1:3: found an object without `ResourceType`",
            ),
            (
                &twice,
                "i.yaml:5:22: `Logs` is given a second time (first in line 2)",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(said), "{text}\n{error}");
        }
    }
}
