//! Functions that make one text of a value: `Fn::Base64` and `Fn::ToJsonString`.

use super::super::node::{Node, NodeKind};
use super::super::scalar::ScalarValue;

/// Returns a text in Base64. Others than texts are refused, and a dynamic reference is resolved at another time.
pub(super) fn base64(node: &Node) -> Option<String> {
    let text = written_text(node).filter(|text| !text.contains("{{resolve"))?;
    Some(crate::model::base64(text.as_bytes()))
}

/// Returns a list or mapping of texts as JSON.
///
/// Keys stay in their order and there are no spaces, as documented. It is not documented how numbers, booleans and
/// unusual characters come out, or that one may leave something out in it; so none of that is worked out here.
pub(super) fn json(node: &Node) -> Option<String> {
    let mut out = String::new();
    match &node.kind {
        NodeKind::Scalar(_) => None,
        NodeKind::Sequence(_) | NodeKind::Mapping(_) => write(node, &mut out).map(|()| out),
    }
}

fn write(node: &Node, out: &mut String) -> Option<()> {
    match &node.kind {
        NodeKind::Scalar(_) => quote(written_text(node)?, out),
        NodeKind::Sequence(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
            Some(())
        }
        NodeKind::Mapping(entries) => {
            let is_function = |key: &String| key == "Ref" || key.starts_with("Fn::");
            if node.intrinsic().is_some() || entries.keys().any(is_function) {
                return None;
            }
            out.push('{');
            for (index, (key, entry)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                quote(key, out)?;
                out.push(':');
                write(&entry.value, out)?;
            }
            out.push('}');
            Some(())
        }
    }
}

/// Writes a text that every writer of JSON writes alike, and in which nothing is substituted later.
fn quote(text: &str, out: &mut String) -> Option<()> {
    let is_usual = |byte: u8| {
        matches!(byte, b' '..=b'~')
            && !matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&' | b'=' | b'\'')
    };
    if !text.bytes().all(is_usual) || text.contains("${") || text.contains("{{") {
        return None;
    }
    out.push('"');
    out.push_str(text);
    out.push('"');
    Some(())
}

/// Returns the text of a value that is one to every reader.
fn written_text(node: &Node) -> Option<&str> {
    let NodeKind::Scalar(scalar) = &node.kind else {
        return None;
    };
    match scalar.value() {
        ScalarValue::Text(text) if scalar.ambiguity().is_none() => Some(text),
        ScalarValue::Text(_)
        | ScalarValue::Null
        | ScalarValue::Bool(_)
        | ScalarValue::Number(_) => None,
    }
}

/// Returns whether a value says somewhere that something be left out.
pub(super) fn mentions_no_value(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Scalar(scalar) => scalar.text == "AWS::NoValue",
        NodeKind::Sequence(items) => items.iter().any(mentions_no_value),
        NodeKind::Mapping(entries) => entries
            .values()
            .any(|entry| mentions_no_value(&entry.value)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Template;
    use super::*;

    fn of(written: &str, make: impl Fn(&Node) -> Option<String>) -> Option<String> {
        let text = format!("V: {written}\n");
        let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
        make(template.root().value("V").unwrap())
    }

    #[test]
    fn texts_become_base64() {
        for (written, expected) in [
            ("''", Some("")),
            ("f", Some("Zg==")),
            ("fo", Some("Zm8=")),
            ("foo", Some("Zm9v")),
            ("foob", Some("Zm9vYg==")),
            ("'12'", Some("MTI=")),
            ("'ü€😀'", Some("w7zigqzwn5iA")),
            ("'??>>'", Some("Pz8+Pg==")),
            ("\"a\\n\"", Some("YQo=")),
            ("12", None),
            ("true", None),
            ("yes", None),
            ("", None),
            ("[a]", None),
            ("{a: b}", None),
            ("'{{resolve:ssm:x}}'", None),
        ] {
            assert_eq!(of(written, base64).as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn lists_and_mappings_of_texts_become_json() {
        for (written, expected) in [
            ("{}", Some("{}")),
            ("[]", Some("[]")),
            (
                "{b: x, a: [y, {c: '1'}, []]}",
                Some(r#"{"b":"x","a":["y",{"c":"1"},[]]}"#),
            ),
            (
                "['arn:aws:s3:::b/*', '$x {y} #']",
                Some(r#"["arn:aws:s3:::b/*","$x {y} #"]"#),
            ),
            (
                "{Condition: [a], b: c}",
                Some(r#"{"Condition":["a"],"b":"c"}"#),
            ),
            ("text", None),
            ("[1]", None),
            ("[true]", None),
            ("[~]", None),
            ("[no]", None),
            ("[\"'\"]", None),
            ("['\"']", None),
            ("['\\']", None),
            ("['a&b']", None),
            ("['ü']", None),
            ("[\"a\\nb\"]", None),
            ("['${A}']", None),
            ("['{{resolve:ssm:x}}']", None),
            ("{\"ü\": a}", None),
            ("[!Ref A]", None),
            ("{a: {Condition: b}}", None),
            ("{a: {Ref: b, c: d}}", None),
            ("{a: {'Fn::ForEach::L': b, c: d}}", None),
        ] {
            assert_eq!(of(written, json).as_deref(), expected, "{written}");
        }
    }
}
