//! Defaults of a template that change for nothing: the stack keeps the value that it has.

use serde::Serialize;

use super::MASK;
use crate::template::{ParameterDeclaration, Template};

/// A default that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DefaultDiff {
    /// The default before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The default after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Returns how the default of a parameter changes whose value a stack keeps, unless that `value` is the new default
/// already. What either template calls secret is masked.
pub fn kept_default(
    name: &str,
    value: Option<&str>,
    before: &Template,
    after: &Template,
) -> Option<DefaultDiff> {
    let (before, after) = (
        before.parameters().get(name)?,
        after.parameters().get(name)?,
    );
    let new = after.default.as_deref()?;
    if before.default.as_deref() == Some(new) || value == Some(new) {
        return None;
    }
    let is_secret = before.no_echo || after.no_echo;
    let shown = |declared: &ParameterDeclaration| {
        let text = declared.default.clone();
        text.map(|text| if is_secret { MASK.to_owned() } else { text })
    };
    Some(DefaultDiff {
        before: shown(before),
        after: shown(after),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a template whose parameter `P` is declared by `rest`.
    fn template(rest: &str) -> Template {
        let text = format!("Parameters:\n  P: {{Type: String{rest}}}\nResources: {{}}\n");
        Template::parse("t.yaml", text.as_bytes()).unwrap()
    }

    fn kept(value: Option<&str>, before: &str, after: &str) -> Option<(String, String)> {
        let found = kept_default("P", value, &template(before), &template(after))?;
        let text = |side: Option<String>| side.unwrap_or_else(|| "-".to_owned());
        Some((text(found.before), text(found.after)))
    }

    #[test]
    fn a_default_that_changes_is_told_unless_the_value_is_the_new_one() {
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        let (old, new) = (", Default: 30", ", Default: 45");
        assert_eq!(kept(Some("30"), old, new), pair("30", "45"));
        assert_eq!(kept(None, old, new), pair("30", "45"));
        assert_eq!(kept(Some("30"), "", new), pair("-", "45"));
        assert_eq!(kept(Some("45"), old, new), None);
        assert_eq!(kept(Some("30"), old, old), None);
        assert_eq!(kept(Some("30"), old, ""), None);
        let found = kept_default("Q", None, &template(old), &template(new));
        assert_eq!(found, None);
    }

    #[test]
    fn secret_defaults_are_masked_by_both_templates() {
        let (open, secret) = (", Default: 30", ", Default: 45, NoEcho: true");
        let masked = Some((MASK.to_owned(), MASK.to_owned()));
        assert_eq!(kept(None, open, secret), masked);
        assert_eq!(kept(None, secret, open), masked);
    }
}
