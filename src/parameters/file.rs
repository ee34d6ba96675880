//! Override files: the form of CodePipeline, the list form of the AWS CLI and a plain map, told apart by shape.

use indexmap::IndexMap;
use serde::Deserialize;

use super::document::{self, Language, Node, Object, Value};
use super::{ParameterError, Place, lookup};
use crate::model::{AccountId, Layer, Lookup, Region, clean, nearest};
use crate::template::Position;

/// The largest file that is read: 200 parameters of 4096 bytes, with room for the rest.
pub const MAX_BYTES: usize = 1 << 20;

/// The extensions an override file may have, in the order in which they are named to people.
pub const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];

/// What one override file says.
#[derive(Debug, Clone, PartialEq)]
pub struct OverrideFile {
    /// The path inside the source artifact.
    pub path: String,
    /// The parameters, in the order of the file.
    pub parameters: IndexMap<String, FileValue>,
    /// The tags, in the order of the file.
    pub tags: IndexMap<String, String>,
    /// Whether it says anything of tags: that there are none is said, too.
    pub has_tags: bool,
    /// The stack policy.
    pub stack_policy: Option<serde_json::Value>,
}

/// The value of a parameter in a file.
#[derive(Clone, PartialEq, Eq)]
pub struct FileValue {
    /// The text as it is written, without quotes; empty where the previous value is asked for.
    pub text: String,
    /// The line of the parameter's name, from 1.
    pub line: u32,
    /// Whether the value that the stack has is asked for (`UsePreviousValue`).
    pub use_previous: bool,
    /// Where the value is looked up; the text is empty then.
    pub lookup: Option<Lookup>,
}

impl FileValue {
    /// Returns the value, where it stands in the file.
    pub fn literal(&self) -> Option<&str> {
        (!self.use_previous && self.lookup.is_none()).then_some(&self.text)
    }

    fn text(text: String, line: u32) -> Self {
        Self {
            text,
            line,
            use_previous: false,
            lookup: None,
        }
    }
}

impl std::fmt::Debug for FileValue {
    /// Returns everything but the text: which parameters are secret is known to the template only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileValue")
            .field("line", &self.line)
            .field("use_previous", &self.use_previous)
            .field("lookup", &self.lookup)
            .finish_non_exhaustive()
    }
}

/// Returns what the override file at `path` says.
///
/// A path that ends in `.json` must hold JSON, one that ends in `.yaml` or `.yml` YAML; for any other
/// path the first character decides.
pub fn parse_override_file(path: &str, bytes: &[u8]) -> Result<OverrideFile, ParameterError> {
    let text = document::text(path, bytes, MAX_BYTES)?;
    let language = language(path, text);
    let reader = Reader { path };
    let mut file = OverrideFile {
        path: path.to_owned(),
        parameters: IndexMap::new(),
        tags: IndexMap::new(),
        has_tags: false,
        stack_policy: None,
    };
    let Some(root) = document::parse(path, text, language)? else {
        return Ok(file);
    };
    let root = &root;
    match &root.value {
        // A file whose lines are all comments says nothing; that is no mistake.
        Value::Null if language == Language::Yaml => {}
        Value::Object(entries) if reader.is_plain_map(entries) => {
            file.parameters = reader.parameters(root)?;
        }
        Value::Object(entries) => {
            for (key, entry) in entries {
                match key.as_str() {
                    "Parameters" => file.parameters = reader.parameters(&entry.node)?,
                    "Tags" => {
                        file.tags = reader.tags(&entry.node)?;
                        file.has_tags = true;
                    }
                    "StackPolicy" => {
                        file.stack_policy = reader.stack_policy(&entry.node, text, language)?;
                    }
                    _ => return Err(reader.unknown_key(key, entry.position)),
                }
            }
        }
        Value::List(items) => file.parameters = reader.list(items)?,
        Value::Null | Value::Text(_) => {
            return Err(reader.unexpected(
                root.position,
                root.kind(),
                "an object with `Parameters`, `Tags` and `StackPolicy`, an object of parameter names and values, or a list of objects with `ParameterKey` and `ParameterValue`",
                "write for example {\"Parameters\": {\"Name\": \"value\"}}",
            ));
        }
    }
    Ok(file)
}

/// Returns the names, without extension, of the files that may hold values for a target, weakest first.
pub fn layer_files(
    stack: &str,
    folder: &str,
    account: &AccountId,
    region: &Region,
) -> [(Layer, String); 4] {
    let folder = folder.trim_end_matches('/');
    let base = if folder.is_empty() {
        stack.to_owned()
    } else {
        format!("{folder}/{stack}")
    };
    [
        (Layer::Stack, base.clone()),
        (Layer::Region, format!("{base}.{region}")),
        (Layer::Account, format!("{base}.{account}")),
        (Layer::AccountRegion, format!("{base}.{account}.{region}")),
    ]
}

/// Returns the file among `files` that is `base` with one of the [`EXTENSIONS`], if there is one.
pub fn choose_file<'a>(
    base: &str,
    files: impl IntoIterator<Item = &'a str>,
) -> Result<Option<&'a str>, ParameterError> {
    let mut chosen = None;
    for file in files {
        let extension = file.strip_prefix(base).and_then(|e| e.strip_prefix('.'));
        if !extension.is_some_and(|e| EXTENSIONS.contains(&e)) {
            continue;
        }
        match chosen {
            None => chosen = Some(file),
            Some(first) if first == file => {}
            Some(first) => {
                return Err(ParameterError::Ambiguous {
                    first: clean(first),
                    second: clean(file),
                });
            }
        }
    }
    Ok(chosen)
}

fn language(path: &str, text: &str) -> Language {
    let extension = path
        .rsplit('/')
        .next()
        .and_then(|name| name.rsplit_once('.'));
    match extension.map(|(_, extension)| extension.to_ascii_lowercase()) {
        Some(e) if e == "json" => Language::Json,
        Some(e) if e == "yaml" || e == "yml" => Language::Yaml,
        _ if text.trim_start().starts_with(['{', '[']) => Language::Json,
        _ => Language::Yaml,
    }
}

struct Reader<'a> {
    path: &'a str,
}

impl Reader<'_> {
    /// Returns the parameters of an object of names and values.
    fn parameters(&self, node: &Node) -> Result<IndexMap<String, FileValue>, ParameterError> {
        let entries = match &node.value {
            Value::Null => return Ok(IndexMap::new()),
            Value::Object(entries) => entries,
            // The value of `Parameters` may itself be in the list form.
            Value::List(items) => return self.list(items),
            Value::Text(_) => {
                return Err(self.unexpected(
                    node.position,
                    node.kind(),
                    "an object of parameter names and values below `Parameters`",
                    "write for example {\"Name\": \"value\"}",
                ));
            }
        };
        let mut parameters = IndexMap::new();
        for (name, entry) in entries {
            self.check_name(name, entry.position)?;
            let value = self.value(&entry.node, name, entry.position.line)?;
            parameters.insert(name.clone(), value);
        }
        Ok(parameters)
    }

    /// Returns the parameters of a list: objects as the AWS CLI writes them, or texts `Name=value`.
    fn list(&self, items: &[Node]) -> Result<IndexMap<String, FileValue>, ParameterError> {
        let mut parameters: IndexMap<String, FileValue> = IndexMap::new();
        for item in items {
            let (name, value) = match &item.value {
                Value::Object(entries) => self.list_item(item.position, entries)?,
                Value::Text(text) => match text.split_once('=') {
                    Some((name, value)) => (
                        name.to_owned(),
                        FileValue::text(value.to_owned(), item.position.line),
                    ),
                    None => {
                        return Err(self.unexpected(
                            item.position,
                            "a text without `=`",
                            LIST_ITEM,
                            "write for example \"Name=value\"",
                        ));
                    }
                },
                Value::Null | Value::List(_) => {
                    return Err(self.unexpected(
                        item.position,
                        item.kind(),
                        LIST_ITEM,
                        "write for example {\"ParameterKey\": \"Name\", \"ParameterValue\": \"value\"}",
                    ));
                }
            };
            self.check_name(&name, item.position)?;
            match parameters.entry(name) {
                indexmap::map::Entry::Vacant(place) => {
                    place.insert(value);
                }
                indexmap::map::Entry::Occupied(first) => {
                    return Err(ParameterError::Duplicate {
                        place: Place::at(self.path, item.position),
                        key: clean(first.key()),
                        first: first.get().line,
                    });
                }
            }
        }
        Ok(parameters)
    }

    /// Returns whether an object is a map of parameters by itself: it has none of the keys of CodePipeline's
    /// form, and what stands in it can only be values.
    fn is_plain_map(&self, entries: &Object) -> bool {
        let is_value = |(key, entry): (&String, &document::Entry)| match &entry.node.value {
            Value::Null | Value::Text(_) => true,
            // No value either, but one that is told of as what it was meant to be.
            Value::List(_) => nearest(key, SECTIONS).is_none(),
            Value::Object(entries) => lookup::is_lookup(entries),
        };
        !SECTIONS.iter().any(|key| entries.contains_key(*key)) && entries.iter().all(is_value)
    }

    /// Returns what a file says of a parameter: a text, or where its value is looked up.
    fn value(&self, node: &Node, name: &str, line: u32) -> Result<FileValue, ParameterError> {
        let owner = format!("parameter `{}`", clean(name));
        match &node.value {
            Value::Object(entries) if lookup::is_lookup(entries) => Ok(FileValue {
                lookup: Some(lookup::read(self.path, node.position, entries, &owner)?),
                ..FileValue::text(String::new(), line)
            }),
            Value::Null | Value::Text(_) | Value::List(_) | Value::Object(_) => {
                Ok(FileValue::text(self.text(node, &owner)?, line))
            }
        }
    }

    fn list_item(
        &self,
        at: Position,
        entries: &Object,
    ) -> Result<(String, FileValue), ParameterError> {
        for (key, entry) in entries {
            // `ResolvedValue` is what `describe-stacks` adds for values from Parameter Store.
            if !matches!(
                key.as_str(),
                "ParameterKey" | "ParameterValue" | "UsePreviousValue" | "ResolvedValue"
            ) {
                return Err(self.unexpected(
                    entry.position,
                    &format!("the key `{}`", clean(key)),
                    LIST_ITEM,
                    "remove it or correct its name",
                ));
            }
        }
        let Some(key) = entries.get("ParameterKey") else {
            return Err(self.unexpected(
                at,
                "an object without `ParameterKey`",
                LIST_ITEM,
                "add the name of the parameter as `ParameterKey`",
            ));
        };
        let name = self.text(&key.node, "`ParameterKey`")?;
        let use_previous = match entries.get("UsePreviousValue") {
            None => false,
            Some(entry) => self.boolean(&entry.node)?,
        };
        let line = key.position.line;
        let value = match (entries.get("ParameterValue"), use_previous) {
            (Some(entry), false) => self.value(&entry.node, &name, line)?,
            (None, true) => FileValue {
                use_previous: true,
                ..FileValue::text(String::new(), line)
            },
            (Some(entry), true) => {
                return Err(self.unexpected(
                    entry.position,
                    &format!(
                        "both `ParameterValue` and `UsePreviousValue` for parameter `{}`",
                        clean(&name)
                    ),
                    "one of them",
                    "remove the other",
                ));
            }
            (None, false) => {
                return Err(self.unexpected(
                    at,
                    &format!("no value for parameter `{}`", clean(&name)),
                    LIST_ITEM,
                    "add `ParameterValue`, or `UsePreviousValue`: true",
                ));
            }
        };
        Ok((name, value))
    }

    /// Returns the tags of an object, or of a list of objects with `Key` and `Value`.
    fn tags(&self, node: &Node) -> Result<IndexMap<String, String>, ParameterError> {
        let mut tags = IndexMap::new();
        match &node.value {
            Value::Null => {}
            Value::Object(entries) => {
                for (key, entry) in entries {
                    let value = self.text(&entry.node, &format!("tag `{}`", clean(key)))?;
                    tags.insert(key.clone(), value);
                }
            }
            Value::List(items) => {
                for item in items {
                    let Value::Object(entries) = &item.value else {
                        return Err(self.tag_form(item, item.kind()));
                    };
                    let (Some(key), Some(value), 2) =
                        (entries.get("Key"), entries.get("Value"), entries.len())
                    else {
                        return Err(
                            self.tag_form(item, "an object of other keys than `Key` and `Value`")
                        );
                    };
                    let name = self.text(&key.node, "`Key`")?;
                    let text = self.text(&value.node, &format!("tag `{}`", clean(&name)))?;
                    if tags.insert(name, text).is_some() {
                        return Err(self.unexpected(
                            key.position,
                            "a tag that is given a second time",
                            "each tag once",
                            "remove one of them",
                        ));
                    }
                }
            }
            Value::Text(_) => return Err(self.tag_form(node, node.kind())),
        }
        Ok(tags)
    }

    fn tag_form(&self, node: &Node, found: &str) -> ParameterError {
        self.unexpected(
            node.position,
            found,
            "an object of tag names and values, or a list of objects with `Key` and `Value`",
            "write for example {\"Team\": \"network\"}",
        )
    }

    /// Returns the stack policy, whose numbers and booleans keep their kind.
    fn stack_policy(
        &self,
        node: &Node,
        text: &str,
        language: Language,
    ) -> Result<Option<serde_json::Value>, ParameterError> {
        #[derive(Deserialize)]
        struct WithPolicy {
            #[serde(rename = "StackPolicy")]
            policy: serde_json::Value,
        }
        match &node.value {
            Value::Null => return Ok(None),
            Value::Object(entries) if entries.contains_key("Statement") => {}
            Value::Object(_) | Value::List(_) | Value::Text(_) => {
                return Err(self.unexpected(
                    node.position,
                    match node.value {
                        Value::Object(_) => "an object without `Statement`",
                        Value::Null | Value::List(_) | Value::Text(_) => node.kind(),
                    },
                    "a stack policy: an object with a list `Statement`",
                    "write the policy itself, not a text or the name of a file",
                ));
            }
        }
        let read = match language {
            Language::Json => serde_json::from_str::<WithPolicy>(text).map_err(|e| e.to_string()),
            Language::Yaml => serde_yaml::from_str::<WithPolicy>(text).map_err(|e| e.to_string()),
        };
        match read {
            Ok(WithPolicy { policy }) => Ok(Some(policy)),
            Err(problem) => Err(ParameterError::Syntax {
                place: Place::at(self.path, node.position),
                language: language.name(),
                problem: clean(&problem),
            }),
        }
    }

    fn unknown_key(&self, key: &str, at: Position) -> ParameterError {
        let help = match nearest(key, SECTIONS) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "put the values of parameters below `Parameters`".to_owned(),
        };
        self.unexpected(
            at,
            &format!("the key `{}`", clean(key)),
            "`Parameters`, `Tags` or `StackPolicy`",
            &help,
        )
    }

    fn check_name(&self, name: &str, at: Position) -> Result<(), ParameterError> {
        if name.is_empty() {
            return Err(self.unexpected(
                at,
                "an empty name",
                "the name of a parameter",
                "write the name as the template declares it",
            ));
        }
        Ok(())
    }

    fn boolean(&self, node: &Node) -> Result<bool, ParameterError> {
        match &node.value {
            Value::Text(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Value::Text(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Value::Null | Value::Text(_) | Value::List(_) | Value::Object(_) => Err(self
                .unexpected(
                    node.position,
                    node.kind(),
                    "`true` or `false`",
                    "write `true` to keep the value that the stack has",
                )),
        }
    }

    /// Returns the text of a scalar. `what` names its owner in the message.
    fn text(&self, node: &Node, what: &str) -> Result<String, ParameterError> {
        let (expected, help) = match &node.value {
            Value::Text(text) => return Ok(text.clone()),
            Value::Null => (
                "a text, number or boolean",
                "write \"\" for an empty text, or remove the line",
            ),
            Value::List(_) => (
                "a text",
                "write a list as one text with commas, such as \"a,b\"",
            ),
            Value::Object(_) => (
                "a text",
                "write an object as one text, such as \"{\\\"a\\\": 1}\", or a look-up such as {\"StackOutput\": \"network.VpcId\"}",
            ),
        };
        let found = format!("{} for {what}", node.kind());
        Err(self.unexpected(node.position, &found, expected, help))
    }

    fn unexpected(&self, at: Position, found: &str, expected: &str, help: &str) -> ParameterError {
        ParameterError::Unexpected {
            place: Place::at(self.path, at),
            found: found.to_owned(),
            expected: expected.to_owned(),
            help: help.to_owned(),
        }
    }
}

/// The keys of CodePipeline's form.
const SECTIONS: [&str; 3] = ["Parameters", "Tags", "StackPolicy"];

const LIST_ITEM: &str = "an object with `ParameterKey` and `ParameterValue` (or `UsePreviousValue`), or a text `Name=value`";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(path: &str, text: &str) -> Result<OverrideFile, ParameterError> {
        parse_override_file(path, text.as_bytes())
    }

    fn values(file: &OverrideFile) -> Vec<(&str, &str, u32, bool)> {
        file.parameters
            .iter()
            .map(|(name, v)| (name.as_str(), v.text.as_str(), v.line, v.use_previous))
            .collect()
    }

    #[test]
    fn the_codepipeline_form_is_read() {
        let text = r#"{
  "Parameters": {"Cidr": "10.0.0.0/16",
    "Count": 1.10, "Enabled": true},
  "Tags": {"Team": "network", "Cost": 4711},
  "StackPolicy": {"Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}], "n": 1}
}"#;
        let file = parse("p/s.json", text).unwrap();
        assert_eq!(
            values(&file),
            [
                ("Cidr", "10.0.0.0/16", 2, false),
                ("Count", "1.10", 3, false),
                ("Enabled", "true", 3, false),
            ]
        );
        let tags: Vec<_> = file.tags.iter().collect();
        assert_eq!(
            tags,
            [
                (&"Team".to_owned(), &"network".to_owned()),
                (&"Cost".to_owned(), &"4711".to_owned())
            ]
        );
        assert_eq!(file.stack_policy.unwrap()["n"], 1);
    }

    #[test]
    fn a_list_in_a_plain_map_is_told_of_where_it_stands() {
        let error = parse_override_file("p.yaml", b"Env: dev\nSubnets: [a, b]\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "p.yaml:2:10: found a list for parameter `Subnets`, expected a text; write a list as one text with commas, such as \"a,b\""
        );
    }

    #[test]
    fn a_plain_map_is_read() {
        let file = parse("s.json", "{\"Cidr\": \"10.0.0.0/16\",\n\"Count\": 1.10}").unwrap();
        assert_eq!(
            values(&file),
            [
                ("Cidr", "10.0.0.0/16", 1, false),
                ("Count", "1.10", 2, false)
            ]
        );
        assert!(file.tags.is_empty() && file.stack_policy.is_none());
        assert!(
            parse("s.yaml", "A:\n").is_err(),
            "an empty place is no value"
        );
    }

    #[test]
    fn the_codepipeline_form_is_read_from_yaml_too() {
        let text = "# all targets\nParameters:\n  Account: 012345678901\n  Big: 123456789012345678901234567890\n  Version: 1.10\n  Text: |\n    a\n    b\nTags:\nStackPolicy:\n  Version: 2012-10-17\n  Statement:\n    - {Effect: Allow, Count: 2}\n";
        let file = parse("s.yaml", text).unwrap();
        assert_eq!(
            values(&file),
            [
                ("Account", "012345678901", 3, false),
                ("Big", "123456789012345678901234567890", 4, false),
                ("Version", "1.10", 5, false),
                ("Text", "a\nb\n", 6, false),
            ]
        );
        assert_eq!(
            file.stack_policy,
            Some(serde_json::json!({
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Count": 2}]
            }))
        );
        let empty = parse("s.yml", "# nothing yet\n").unwrap();
        assert!(empty.parameters.is_empty() && empty.tags.is_empty());
    }

    #[test]
    fn the_list_form_is_read() {
        let text = r#"[
  {"ParameterKey": "A", "ParameterValue": "x=1"},
  {"UsePreviousValue": true,
   "ParameterKey": "B"},
  {"ParameterKey": "C", "ParameterValue": 7, "UsePreviousValue": false, "ResolvedValue": "z"},
  "D=a=b"
]"#;
        let expected = [
            ("A", "x=1", 2, false),
            ("B", "", 4, true),
            ("C", "7", 5, false),
            ("D", "a=b", 6, false),
        ];
        assert_eq!(values(&parse("s.json", text).unwrap()), expected);
        assert_eq!(
            values(&parse("s.yaml", "- ParameterKey: A\n  ParameterValue: 0755\n").unwrap()),
            [("A", "0755", 1, false)]
        );
        // The same list may stand below `Parameters`, with tags beside it.
        let text = r#"{"Parameters": ["A=1"], "Tags": [{"Key": "k", "Value": "v"}]}"#;
        let file = parse("s.json", text).unwrap();
        assert_eq!(values(&file), [("A", "1", 1, false)]);
        assert_eq!(file.tags["k"], "v");
    }

    #[test]
    fn errors_say_where_what_was_expected_and_what_to_do() {
        let message = |path: &str, text: &str| parse(path, text).unwrap_err().to_string();
        let messages = [
            ("s.json", r#"{"Parameters": {"A": ["x"]}}"#),
            ("s.json", r#"{"Parameters": {"A": {"b": 1}}}"#),
            ("s.json", "{\"Parameters\": {\n \"A\": null}}"),
            ("s.json", r#"{"Parameters": {"": "x"}}"#),
            ("s.json", r#"{"Parameters": "A=1"}"#),
            ("s.json", r#"{"Paramters": {}}"#),
            ("s.json", r#"{"QueueName": "x", "Tags": {}}"#),
            ("s.json", r#""text""#),
            ("s.json", r#"{"Tags": {"k": []}}"#),
            ("s.json", r#"{"Tags": [{"Key": "k"}]}"#),
            (
                "s.json",
                r#"{"Tags": [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]}"#,
            ),
            ("s.json", r#"{"StackPolicy": "policy.json"}"#),
            ("s.json", r#"{"StackPolicy": {}}"#),
            ("s.json", r#"[{"ParameterKey": "A"}]"#),
            ("s.json", r#"[{"ParameterValue": "A"}]"#),
            (
                "s.json",
                r#"[{"ParameterKey": "A", "ParameterValue": "1", "UsePreviousValue": true}]"#,
            ),
            (
                "s.json",
                r#"[{"ParameterKey": "A", "UsePreviousValue": "maybe"}]"#,
            ),
            ("s.json", r#"[{"ParameterKey": "A", "Value": "1"}]"#),
            ("s.json", r#"["A"]"#),
            ("s.json", r#"[1]"#),
            ("s.json", r#"[[]]"#),
            ("s.json", "[\"A=1\",\n\"A=2\"]"),
            ("s.yaml", "Parameters:\n  A: [x]\n"),
        ]
        .map(|(path, text)| format!("{text}\n  {}", message(path, text)))
        .join("\n");
        insta::assert_snapshot!(messages);
    }

    #[test]
    fn messages_never_repeat_a_value() {
        for text in [
            r#"{"Parameters": {"A": ["hunter2"]}}"#,
            r#"{"Parameters": "hunter2"}"#,
            r#"["hunter2"]"#,
            r#""hunter2""#,
            r#"[{"ParameterKey": "A", "ParameterValue": "hunter2", "UsePreviousValue": "hunter2"}]"#,
            r#"{"Parameters": {"A": "hunter2"},}"#,
            "Parameters:\n  A: 'hunter2\n",
            "Parameters:\n  A: !x hunter2\n",
            "Parameters:\n  A: &hunter2 b\n  C: *hunter2\n",
        ] {
            let message = parse("f", text).unwrap_err().to_string();
            assert!(!message.contains("hunter2"), "{message}");
        }
        let file = parse("f.json", r#"{"Parameters": {"A": "hunter2"}}"#).unwrap();
        assert!(!format!("{file:?}").contains("hunter2"));
    }

    #[test]
    fn the_extension_decides_the_language_and_else_the_text() {
        for (path, text) in [
            ("s.json", "Parameters: {}"),
            ("s.JSON", "Parameters: {}"),
            ("s", "{\"Parameters\": {},}"),
        ] {
            let error = parse(path, text).unwrap_err();
            assert!(matches!(
                error,
                ParameterError::Syntax {
                    language: "JSON",
                    ..
                }
            ));
        }
        for (path, text) in [
            ("s.yaml", "{Parameters: {A: 1,}}"),
            ("a.json/s", "Parameters: {A: 1}"),
            ("s", "Parameters: {A: 1}"),
        ] {
            assert_eq!(values(&parse(path, text).unwrap()), [("A", "1", 1, false)]);
        }
    }

    #[test]
    fn layers_have_exact_names_weakest_first() {
        let account = AccountId::new("012345678901").unwrap();
        let region = Region::new("eu-west-1").unwrap();
        let files = layer_files("web", "parameter-overrides/", &account, &region);
        assert_eq!(
            files.clone().map(|(_, name)| name),
            [
                "parameter-overrides/web",
                "parameter-overrides/web.eu-west-1",
                "parameter-overrides/web.012345678901",
                "parameter-overrides/web.012345678901.eu-west-1",
            ]
        );
        assert!(files.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(layer_files("web", "", &account, &region)[0].1, "web");
    }

    #[test]
    fn a_layer_has_one_file() {
        let files = [
            "p/web.json",
            "p/web.yaml.bak",
            "p/web.eu-west-1.yml",
            "p/webb.json",
        ];
        assert_eq!(choose_file("p/web", files), Ok(Some("p/web.json")));
        assert_eq!(
            choose_file("p/web.eu-west-1", files),
            Ok(Some("p/web.eu-west-1.yml"))
        );
        assert_eq!(choose_file("p/w", files), Ok(None));
        assert_eq!(
            choose_file("a", ["a.yaml", "a.json"])
                .unwrap_err()
                .to_string(),
            "`a.yaml` and `a.json` both give this layer, expected one of them; merge them and delete the other"
        );
    }

    #[test]
    fn the_samples_of_this_repository_are_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/parameter-overrides");
        let mut read = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            // A flat file for `Fn::GetParam`, not an override file.
            if name == "versions.json" {
                continue;
            }
            let file = parse_override_file(&name, &std::fs::read(&path).unwrap()).unwrap();
            assert!(!file.parameters.is_empty(), "{name}");
            read += 1;
        }
        assert!(read >= 8, "{read}");
    }

    proptest! {
        /// invariant: both languages and both forms of one content say the same.
        #[test]
        fn forms_agree(map in proptest::collection::btree_map("[A-Za-z0-9]{1,12}", "\\PC{0,20}", 0..6)) {
            let list: Vec<_> = map.iter()
                .map(|(k, v)| serde_json::json!({"ParameterKey": k, "ParameterValue": v}))
                .collect();
            let object = serde_json::json!({"Parameters": map}).to_string();
            let list = serde_json::Value::from(list).to_string();
            for (path, text) in [("a.json", &object), ("a.json", &list), ("a.yaml", &object), ("a", &list)] {
                let file = parse(path, text).unwrap();
                let read: std::collections::BTreeMap<_, _> =
                    file.parameters.into_iter().map(|(k, v)| (k, v.text)).collect();
                prop_assert_eq!(&read, &map);
            }
        }

        /// invariant: no bytes make the reader panic.
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse_override_file("a.json", &bytes);
            let _ = parse_override_file("a.yaml", &bytes);
            let _ = parse_override_file("a", &bytes);
        }
    }
}
