//! `ParameterOverrides` of a CloudFormation action, as CodePipeline reads it.

use indexmap::IndexMap;

use super::document::{self, Language, Node, Value};
use super::{MAX_BYTES, MAX_VALUE_BYTES, ParameterError, Place};
use crate::model::nearest;
use crate::model::{ArtifactName, clean};

/// The value of one parameter in `ParameterOverrides`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverrideExpression {
    /// The value itself.
    Literal(String),
    /// `Fn::GetParam`: the value of a key of a flat JSON file in an artifact.
    Param {
        /// The artifact, one of the action's inputs.
        artifact: ArtifactName,
        /// The path of the file in it.
        file: String,
        /// The key at the top level of the file.
        key: String,
    },
    /// `Fn::GetArtifactAtt`: where an artifact is stored.
    ArtifactAtt {
        /// The artifact, one of the action's inputs.
        artifact: ArtifactName,
        /// What to know about it.
        attribute: ArtifactAttribute,
    },
}

/// What `Fn::GetArtifactAtt` can tell about an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArtifactAttribute {
    /// `BucketName`: the bucket that holds it.
    BucketName,
    /// `ObjectKey`: its key in the bucket.
    ObjectKey,
    /// `URL`: its address.
    Url,
}

impl ArtifactAttribute {
    /// Returns the name as CodePipeline writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BucketName => "BucketName",
            Self::ObjectKey => "ObjectKey",
            Self::Url => "URL",
        }
    }
}

/// How messages call the text.
const OPTION: &str = "ParameterOverrides";

/// Returns the expressions in the JSON text of `ParameterOverrides`, in its order.
pub fn parse_overrides(json: &str) -> Result<IndexMap<String, OverrideExpression>, ParameterError> {
    let text = document::text(OPTION, json.as_bytes(), MAX_BYTES)?;
    let Some(root) = document::parse(OPTION, text, Language::Json)? else {
        return Ok(IndexMap::new());
    };
    let Value::Object(entries) = root.value else {
        return Err(unexpected(
            &root,
            root.kind(),
            "an object of parameter names and values",
            "write for example {\"Name\": \"value\"}",
        ));
    };
    let mut expressions = IndexMap::new();
    for (name, entry) in entries {
        let expression = expression(&name, &entry.node)?;
        expressions.insert(name, expression);
    }
    Ok(expressions)
}

/// Returns the values of `expressions`.
///
/// `inputs` are the input artifacts of the action. `read` returns a file of an artifact, or says why
/// it cannot; `locate` returns an attribute of an artifact, or `None` where the store has no such
/// thing. Both are called for input artifacts only.
pub fn evaluate(
    expressions: &IndexMap<String, OverrideExpression>,
    inputs: &[ArtifactName],
    mut read: impl FnMut(&ArtifactName, &str) -> Result<Vec<u8>, String>,
    mut locate: impl FnMut(&ArtifactName, ArtifactAttribute) -> Option<String>,
) -> Result<IndexMap<String, String>, ParameterError> {
    let mut values = IndexMap::new();
    let mut errors = Vec::new();
    for (name, expression) in expressions {
        let function = |problem: String, help: &str| ParameterError::Function {
            place: Place::of(OPTION),
            parameter: clean(name),
            problem,
            help: help.to_owned(),
        };
        let is_input = |artifact: &ArtifactName| {
            if inputs.contains(artifact) {
                return Ok(());
            }
            let known: Vec<String> = inputs.iter().map(|a| format!("`{a}`")).collect();
            Err(function(
                format!(
                    "artifact `{}` is not an input of the action",
                    clean(artifact.as_str())
                ),
                &match known.is_empty() {
                    true => "the action has no input artifacts: add it to them".to_owned(),
                    false => format!("use one of {} or add it to them", known.join(", ")),
                },
            ))
        };
        let value = match expression {
            OverrideExpression::Literal(text) => Ok(text.clone()),
            OverrideExpression::Param {
                artifact,
                file,
                key,
            } => is_input(artifact).and_then(|()| {
                let bytes = read(artifact, file).map_err(|problem| {
                    function(
                        clean(&problem),
                        "`Fn::GetParam` takes the path of a JSON file in the artifact",
                    )
                })?;
                flat_value(&format!("{artifact}::{file}"), &bytes, key)
            }),
            OverrideExpression::ArtifactAtt {
                artifact,
                attribute,
            } => is_input(artifact).and_then(|()| {
                locate(artifact, *attribute).ok_or_else(|| {
                    function(
                        format!(
                            "artifact `{}` has no {}",
                            clean(artifact.as_str()),
                            attribute.as_str()
                        ),
                        "it is kept on this machine and not in a bucket: give the value itself",
                    )
                })
            }),
        };
        match value {
            Ok(value) if value.len() > MAX_VALUE_BYTES => errors.push(ParameterError::TooLong {
                place: Place::of(OPTION),
                name: clean(name),
                size: value.len(),
                limit: MAX_VALUE_BYTES,
            }),
            Ok(value) => {
                values.insert(name.clone(), value);
            }
            Err(error) => errors.push(error),
        }
    }
    ParameterError::all(errors)?;
    Ok(values)
}

fn expression(name: &str, node: &Node) -> Result<OverrideExpression, ParameterError> {
    let of = |what: &str| format!("{what} for parameter `{}`", clean(name));
    let entries = match &node.value {
        Value::Text(text) => return Ok(OverrideExpression::Literal(text.clone())),
        Value::Object(entries) => entries,
        Value::Null | Value::List(_) => {
            return Err(unexpected(
                node,
                &of(node.kind()),
                "a text, or an object with one function",
                "write a list as one text with commas, and \"\" for an empty text",
            ));
        }
    };
    let mut all = entries.iter();
    let (Some((function, entry)), None) = (all.next(), all.next()) else {
        return Err(unexpected(
            node,
            &of(&format!("an object with {} keys", entries.len())),
            "exactly one of `Fn::GetParam` and `Fn::GetArtifactAtt`",
            FORMS,
        ));
    };
    match function.as_str() {
        "Fn::GetParam" => match texts(&entry.node).as_deref() {
            Some([artifact, file, key])
                if ![artifact, file, key].iter().any(|text| text.is_empty()) =>
            {
                Ok(OverrideExpression::Param {
                    artifact: ArtifactName::from(*artifact),
                    file: (*file).to_owned(),
                    key: (*key).to_owned(),
                })
            }
            _ => Err(unexpected(
                &entry.node,
                &of("other arguments of `Fn::GetParam`"),
                "a list of three texts: artifact, file and key",
                FORMS,
            )),
        },
        "Fn::GetArtifactAtt" => match texts(&entry.node).as_deref() {
            Some([artifact, attribute]) if !artifact.is_empty() => {
                let all = [
                    ArtifactAttribute::BucketName,
                    ArtifactAttribute::ObjectKey,
                    ArtifactAttribute::Url,
                ];
                match all.into_iter().find(|a| a.as_str() == *attribute) {
                    Some(attribute) => Ok(OverrideExpression::ArtifactAtt {
                        artifact: ArtifactName::from(*artifact),
                        attribute,
                    }),
                    None => Err(unexpected(
                        &entry.node,
                        &of(&format!("the attribute `{}`", clean(attribute))),
                        "`BucketName`, `ObjectKey` or `URL`",
                        FORMS,
                    )),
                }
            }
            _ => Err(unexpected(
                &entry.node,
                &of("other arguments of `Fn::GetArtifactAtt`"),
                "a list of two texts: artifact and attribute",
                FORMS,
            )),
        },
        _ => Err(unexpected(
            node,
            &of(&format!("the function `{}`", clean(function))),
            "`Fn::GetParam` or `Fn::GetArtifactAtt`",
            FORMS,
        )),
    }
}

const FORMS: &str = "write {\"Fn::GetParam\": [\"ARTIFACT\", \"FILE.json\", \"KEY\"]} or {\"Fn::GetArtifactAtt\": [\"ARTIFACT\", \"URL\"]}";

/// Returns the texts of a list that holds nothing else.
fn texts(node: &Node) -> Option<Vec<&str>> {
    let Value::List(items) = &node.value else {
        return None;
    };
    items
        .iter()
        .map(|item| match &item.value {
            Value::Text(text) => Some(text.as_str()),
            Value::Null | Value::List(_) | Value::Object(_) => None,
        })
        .collect()
}

/// Returns what the flat JSON object in `bytes` has for `key`.
fn flat_value(file: &str, bytes: &[u8], key: &str) -> Result<String, ParameterError> {
    let text = document::text(file, bytes, MAX_BYTES)?;
    let root = document::parse(file, text, Language::Json)?;
    let entries = match root {
        Some(Node {
            value: Value::Object(entries),
            ..
        }) => entries,
        other => {
            return Err(ParameterError::Unexpected {
                place: match &other {
                    Some(node) => Place::at(file, node.position),
                    None => Place::of(file),
                },
                found: other.map_or("nothing", |node| node.kind()).to_owned(),
                expected: "a flat object of names and values".to_owned(),
                help: "write for example {\"Name\": \"value\"}".to_owned(),
            });
        }
    };
    let Some(entry) = entries.get(key) else {
        return Err(ParameterError::Unexpected {
            place: Place::of(file),
            found: format!("no key `{}`", clean(key)),
            expected: "that key at the top level".to_owned(),
            help: match nearest(key, entries.keys().map(String::as_str)) {
                Some(name) => format!("did you mean `{}`?", clean(name)),
                None => "add it, or correct the third argument of `Fn::GetParam`".to_owned(),
            },
        });
    };
    match &entry.node.value {
        Value::Text(text) => Ok(text.clone()),
        Value::Null | Value::List(_) | Value::Object(_) => Err(ParameterError::Unexpected {
            place: Place::at(file, entry.node.position),
            found: format!("{} for `{}`", entry.node.kind(), clean(key)),
            expected: "a text, number or boolean".to_owned(),
            help: "`Fn::GetParam` reads flat files: write the value as one text".to_owned(),
        }),
    }
}

fn unexpected(node: &Node, found: &str, expected: &str, help: &str) -> ParameterError {
    ParameterError::Unexpected {
        place: Place::at(OPTION, node.position),
        found: found.to_owned(),
        expected: expected.to_owned(),
        help: help.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(name: &str) -> ArtifactName {
        ArtifactName::from(name)
    }

    #[test]
    fn the_example_of_the_guide_is_read() {
        let expressions = parse_overrides(
            r#"{"AppVersion": {"Fn::GetParam": ["BuildOut", "version.json", "Version"]},
                "CodeBucket": {"Fn::GetArtifactAtt": ["BuildOut", "BucketName"]},
                "CodeUrl": {"Fn::GetArtifactAtt": ["BuildOut", "URL"]},
                "Account": "012345678901", "Count": 1.10}"#,
        )
        .unwrap();
        let all: Vec<_> = expressions.into_iter().collect();
        assert_eq!(
            all,
            [
                (
                    "AppVersion".to_owned(),
                    OverrideExpression::Param {
                        artifact: artifact("BuildOut"),
                        file: "version.json".to_owned(),
                        key: "Version".to_owned(),
                    }
                ),
                (
                    "CodeBucket".to_owned(),
                    OverrideExpression::ArtifactAtt {
                        artifact: artifact("BuildOut"),
                        attribute: ArtifactAttribute::BucketName,
                    }
                ),
                (
                    "CodeUrl".to_owned(),
                    OverrideExpression::ArtifactAtt {
                        artifact: artifact("BuildOut"),
                        attribute: ArtifactAttribute::Url,
                    }
                ),
                (
                    "Account".to_owned(),
                    OverrideExpression::Literal("012345678901".to_owned())
                ),
                (
                    "Count".to_owned(),
                    OverrideExpression::Literal("1.10".to_owned())
                ),
            ]
        );
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        let messages = [
            "",
            "{\"A\": \"1\",}",
            "[]",
            "{\"A\": \"1\",\n \"A\": \"2\"}",
            r#"{"A": null}"#,
            r#"{"A": ["x"]}"#,
            r#"{"A": {}}"#,
            r#"{"A": {"Fn::GetParam": ["a", "b", "c"], "Fn::Sub": "x"}}"#,
            r#"{"A": {"Fn::Sub": "x"}}"#,
            r#"{"A": {"Fn::GetParam": ["a", "b"]}}"#,
            r#"{"A": {"Fn::GetParam": ["a", "b", ""]}}"#,
            r#"{"A": {"Fn::GetParam": ["a", "b", ["c"]]}}"#,
            r#"{"A": {"Fn::GetParam": "a,b,c"}}"#,
            r#"{"A": {"Fn::GetArtifactAtt": ["a"]}}"#,
            r#"{"A": {"Fn::GetArtifactAtt": ["a", "Url"]}}"#,
        ]
        .map(|json| format!("{json}\n  {}", parse_overrides(json).unwrap_err()))
        .join("\n");
        insta::assert_snapshot!(messages);
    }

    fn evaluated(json: &str) -> Result<IndexMap<String, String>, ParameterError> {
        let read = |_: &ArtifactName, file: &str| match file {
            "flat.json" => Ok(br#"{"Version": "1.10", "Build": 4096, "Deep": {"a": 1}}"#.to_vec()),
            "list.json" => Ok(b"[]".to_vec()),
            "bad.json" => Ok(b"{".to_vec()),
            "long.json" => Ok(format!("{{\"k\": \"{}\"}}", "x".repeat(4097)).into_bytes()),
            other => Err(format!("artifact `Source` has no file `{other}`")),
        };
        let locate = |artifact: &ArtifactName, attribute| match attribute {
            ArtifactAttribute::Url => Some(format!("https://bucket/{artifact}")),
            ArtifactAttribute::BucketName | ArtifactAttribute::ObjectKey => None,
        };
        evaluate(
            &parse_overrides(json).unwrap(),
            &[artifact("Source"), artifact("Other")],
            read,
            locate,
        )
    }

    #[test]
    fn functions_are_evaluated() {
        let values = evaluated(
            r#"{"A": {"Fn::GetParam": ["Source", "flat.json", "Version"]},
                "B": {"Fn::GetParam": ["Source", "flat.json", "Build"]},
                "C": {"Fn::GetArtifactAtt": ["Other", "URL"]}, "D": "d"}"#,
        )
        .unwrap();
        let values: Vec<_> = values.values().map(String::as_str).collect();
        assert_eq!(values, ["1.10", "4096", "https://bucket/Other", "d"]);
    }

    #[test]
    fn every_way_to_fail_says_what_to_do() {
        let param = |artifact: &str, file: &str, key: &str| {
            let json = serde_json::json!({"P": {"Fn::GetParam": [artifact, file, key]}});
            evaluated(&json.to_string()).unwrap_err().to_string()
        };
        let messages = [
            param("Build", "flat.json", "Version"),
            param("Source", "none.json", "Version"),
            param("Source", "bad.json", "Version"),
            param("Source", "list.json", "Version"),
            param("Source", "flat.json", "Verison"),
            param("Source", "flat.json", "Elsewhere"),
            param("Source", "flat.json", "Deep"),
            param("Source", "long.json", "k"),
            evaluated(r#"{"P": {"Fn::GetArtifactAtt": ["Source", "BucketName"]}}"#)
                .unwrap_err()
                .to_string(),
        ]
        .join("\n");
        insta::assert_snapshot!(messages);
    }

    #[test]
    fn all_failures_are_reported_together() {
        let error = evaluated(
            r#"{"A": {"Fn::GetParam": ["X", "f", "k"]}, "B": "b", "C": {"Fn::GetParam": ["Y", "f", "k"]}}"#,
        )
        .unwrap_err();
        assert_eq!(error.problems().len(), 2);
        assert_eq!(error.to_string().lines().count(), 2);
    }
}
