//! As much XML as replies of the query protocol need: texts in elements without attributes.

use std::collections::BTreeMap;

/// A reply.
pub struct Xml(pub String);

impl Xml {
    /// Returns the text of the first element of a name.
    pub fn text(&self, name: &str) -> Option<String> {
        self.texts(name).into_iter().next()
    }

    /// Returns texts by the element that stands before each.
    pub fn pairs(&self, key: &str, value: &str) -> BTreeMap<String, String> {
        let (keys, values) = (self.texts(key), self.texts(value));
        assert_eq!(keys.len(), values.len(), "{}", self.0);
        keys.into_iter().zip(values).collect()
    }

    /// Returns the tags, each called `Tags.KEY`.
    pub fn tags(&self) -> BTreeMap<String, String> {
        let tags = self.pairs("Key", "Value").into_iter();
        tags.map(|(key, value)| (format!("Tags.{key}"), value))
            .collect()
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let open = format!("<{name}>");
        // What is empty has no end of its own.
        let text = self.0.replace(" />", "/>");
        let text = text.replace(&format!("<{name}/>"), &format!("{open}</{name}>"));
        let all = text.split(&open).skip(1);
        all.map(|rest| unescaped(rest.split(&format!("</{name}>")).next().unwrap_or_default()))
            .collect()
    }
}

fn unescaped(text: &str) -> String {
    let mut parts = text.split('&');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, rest) = part.split_once(';').unwrap_or((part, ""));
        let number = match entity.strip_prefix('#') {
            Some(hex) if hex.starts_with('x') => u32::from_str_radix(&hex[1..], 16).ok(),
            Some(decimal) => decimal.parse().ok(),
            None => None,
        };
        let c = match entity {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => number.and_then(char::from_u32),
        };
        out.push(c.unwrap_or_else(|| panic!("`&{entity};` in {text}")));
        out.push_str(rest);
    }
    out
}
