//! Who else looks at templates in `stackgate validate`.

use super::{SettingsError, known, list, parsed};
use crate::parameters::Node;

/// The keys of `validate`.
const KEYS: [&str; 2] = ["lint", "guard"];

/// What stands below `validate`; flags win over it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct Validation {
    /// Whether `cfn-lint` runs.
    pub lint: bool,
    /// The rules for `cfn-guard`, files and folders, counted from the project root; without any it does not run.
    pub guard: Vec<String>,
}

/// Returns what `validate` says.
pub(super) fn of(key: &str, node: &Node) -> Result<Validation, SettingsError> {
    let mut validation = Validation::default();
    for (key, entry) in &known(key, node, "`validate`", &KEYS)? {
        match key.as_str() {
            "lint" => validation.lint = parsed(key, &entry.node)?,
            // The only other key.
            _ => validation.guard = list(key, &entry.node)?,
        }
    }
    Ok(validation)
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn both_programs_are_chosen_and_mistakes_have_a_place() {
        let read = |text: &str| Settings::parse(text.as_bytes());
        let settings = read("validate: {lint: true, guard: [rules/, one.guard]}").unwrap();
        let expected = Validation {
            lint: true,
            guard: vec!["rules/".to_owned(), "one.guard".to_owned()],
        };
        assert_eq!(settings.validation(), &expected);
        assert_eq!(read("{}").unwrap().validation(), &Validation::default());
        for (text, said) in [
            (
                "validate: {lnt: true}",
                "stackgate.yaml:1:12: unknown key `lnt` in `validate`",
            ),
            ("validate: {lint: maybe}", "stackgate.yaml:1:18: `lint`"),
            (
                "validate: {guard: rules}",
                "expected a list with at least one item",
            ),
            ("validate: true", "expected keys and values"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
