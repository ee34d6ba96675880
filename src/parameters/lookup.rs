//! The forms in which an override file says where a value is looked up:
//!
//! ```yaml
//! VpcId: {StackOutput: network.VpcId}
//! Domain: {StackOutput: dns.Domain, Region: us-east-1}
//! KeyArn: {Export: shared-key-arn}
//! ImageId: {SsmParameter: /images/base}
//! ```

use super::document::{Object, Value};

use super::{ParameterError, Place};
use crate::model::{LookedUp, Lookup, Region, StackName, clean, nearest};
use crate::template::Position;

/// The keys of which a look-up has one.
const KINDS: [&str; 3] = ["StackOutput", "Export", "SsmParameter"];

/// How messages name the forms.
const EXPECTED: &str =
    "one of `StackOutput`, `Export` and `SsmParameter`, and `Region` where it is not the target's";

/// Returns whether an object is meant as a look-up.
pub(super) fn is_lookup(entries: &Object) -> bool {
    entries.keys().any(|key| nearest(key, KINDS).is_some())
}

/// Returns where the value of `owner` is looked up.
pub(super) fn read(
    path: &str,
    at: Position,
    entries: &Object,
    owner: &str,
) -> Result<Lookup, ParameterError> {
    let unexpected =
        |at: Position, found: String, expected: &str, help: String| ParameterError::Unexpected {
            place: Place::at(path, at),
            found,
            expected: expected.to_owned(),
            help,
        };
    let (mut what, mut region) = (None, None);
    for (key, entry) in entries {
        let at = entry.position;
        let Value::Text(text) = &entry.node.value else {
            return Err(unexpected(
                entry.node.position,
                format!("{} for `{}` of {owner}", entry.node.kind(), clean(key)),
                "a text",
                "write for example {\"StackOutput\": \"network.VpcId\"}".to_owned(),
            ));
        };
        let found = match key.as_str() {
            "Region" => {
                region = Some(Region::new(text.as_str()).map_err(|error| {
                    unexpected(
                        entry.node.position,
                        format!("`{}` for `Region` of {owner}", clean(text)),
                        "a region",
                        error.to_string(),
                    )
                })?);
                continue;
            }
            "StackOutput" => {
                let parts = text.split_once('.').and_then(|(stack, output)| {
                    let stack = StackName::new(stack).ok()?;
                    let is_name =
                        !output.is_empty() && output.bytes().all(|b| b.is_ascii_alphanumeric());
                    is_name.then(|| LookedUp::StackOutput {
                        stack,
                        output: output.to_owned(),
                    })
                });
                parts.ok_or_else(|| {
                    unexpected(
                        entry.node.position,
                        format!("`{}` for `StackOutput` of {owner}", clean(text)),
                        "the name of a stack and of its output with a dot between",
                        "write for example {\"StackOutput\": \"network.VpcId\"}".to_owned(),
                    )
                })?
            }
            "Export" | "SsmParameter" if text.is_empty() => {
                return Err(unexpected(
                    entry.node.position,
                    format!("an empty `{key}` for {owner}"),
                    "a name",
                    "write the name of what is looked up".to_owned(),
                ));
            }
            "Export" => LookedUp::Export(text.clone()),
            "SsmParameter" => LookedUp::SsmParameter(text.clone()),
            _ => {
                let known = KINDS.into_iter().chain(["Region"]);
                return Err(unexpected(
                    at,
                    format!("the key `{}` for {owner}", clean(key)),
                    EXPECTED,
                    match nearest(key, known) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "remove it".to_owned(),
                    },
                ));
            }
        };
        if what.replace(found).is_some() {
            return Err(unexpected(
                at,
                format!("a second look-up for {owner}"),
                EXPECTED,
                "remove one of them".to_owned(),
            ));
        }
    }
    match what {
        Some(what) => Ok(Lookup { what, region }),
        None => Err(unexpected(
            at,
            format!("no look-up for {owner}"),
            EXPECTED,
            "write for example {\"StackOutput\": \"network.VpcId\"}".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::model::LookedUp;
    use crate::parameters::{FileValue, OverrideFile, ParameterError, parse_override_file};

    fn parse(text: &str) -> Result<OverrideFile, ParameterError> {
        parse_override_file("p/s.yaml", text.as_bytes())
    }

    fn shown(value: &FileValue) -> String {
        value
            .lookup
            .as_ref()
            .map_or_else(String::new, ToString::to_string)
    }

    #[test]
    fn every_form_is_read_in_every_dialect() {
        let forms = [
            (
                "{StackOutput: network.VpcId}",
                "output VpcId of stack network",
            ),
            (
                "{StackOutput: dns.Domain, Region: us-east-1}",
                "output Domain of stack dns in us-east-1",
            ),
            ("{Export: shared:key}", "export shared:key"),
            (
                "{SsmParameter: /images/base:3}",
                "SSM parameter /images/base:3",
            ),
        ];
        for (form, expected) in forms {
            for text in [
                format!("Parameters:\n  A: {form}"),
                format!("A: {form}"),
                format!("- {{ParameterKey: A, ParameterValue: {form}}}"),
            ] {
                let file = parse(&text).unwrap();
                assert_eq!(shown(&file.parameters["A"]), expected, "{text}");
            }
        }
    }

    #[test]
    fn a_plain_map_mixes_texts_and_look_ups() {
        let file = parse("A: 1.10\nB: {Export: x}\nC: 012345678901\n").unwrap();
        assert_eq!(file.parameters["A"].text, "1.10");
        assert_eq!(
            file.parameters["B"].lookup.as_ref().unwrap().what,
            LookedUp::Export("x".into())
        );
        assert_eq!(file.parameters["C"].text, "012345678901");
    }

    #[test]
    fn what_is_wrong_is_said_where_it_is() {
        let cases = [
            ("A: {StackOutput: network}", "p/s.yaml:1:18", "with a dot"),
            ("A: {StackOutput: 9x.Out}", "p/s.yaml:1:18", "with a dot"),
            ("A: {StackOutput: a.b.c}", "p/s.yaml:1:18", "with a dot"),
            (
                "A: {StackOutputs: network.VpcId}",
                "p/s.yaml:1:5",
                "did you mean `StackOutput`?",
            ),
            (
                "A: {Export: a, SsmParameter: b}",
                "p/s.yaml:1:16",
                "second look-up",
            ),
            (
                "A: {Export: a, Regoin: b}",
                "p/s.yaml:1:16",
                "did you mean `Region`?",
            ),
            (
                "A: {Export: a, Region: Europe}",
                "p/s.yaml:1:24",
                "`Europe`",
            ),
            ("A: {Export: [a]}", "p/s.yaml:1:13", "a list"),
            ("A: {Export: \"\"}", "p/s.yaml:1:13", "an empty"),
            ("A: {b: c}", "p/s.yaml:1:1", "`Parameters`"),
        ];
        for (text, place, words) in cases {
            let error = parse(text).unwrap_err().to_string();
            assert!(
                error.starts_with(place) && error.contains(words),
                "{text}: {error}"
            );
        }
    }
}
