//! Secret parameter values: looked up when a change set is created, kept in memory only.

mod encoded;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::bad_input;
use crate::diff::{MASK, SHORTEST_KNOWN};
use crate::model::{CallFailure, FailureKind, SecretRef};

/// The variables of the environment that give access to AWS.
const CREDENTIALS: [&str; 2] = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// What a text from outside must not show.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// The texts, the longer first, so that none is shown for a shorter one within it.
    pub(super) texts: Vec<String>,
    /// A parameter whose value is secret and not known, so that nothing can be shown.
    pub(super) unknown: Option<String>,
}

impl Hidden {
    /// Takes them out of a text that is shown in any case. Short ones stay: they are parts of other words, too.
    pub(super) fn hide(&self, text: &mut String) {
        for secret in &self.texts {
            if secret.chars().count() >= SHORTEST_KNOWN && text.contains(secret) {
                *text = text.replace(secret, MASK);
            }
        }
    }
}

/// Returns the texts that stand for secrets: each as a whole, also encoded, and its lines.
fn masked(secrets: &[String]) -> Vec<String> {
    let mut texts = Vec::new();
    for secret in secrets {
        let whole = secret.trim_end_matches(['\r', '\n']);
        texts.push(whole.to_owned());
        // Encoded, a short one is as good as any text.
        if whole.chars().count() >= SHORTEST_KNOWN {
            texts.extend(encoded::encodings(whole));
        }
        if whole.contains('\n') {
            let lines = whole.lines().map(str::trim);
            let lines = lines.filter(|line| line.chars().count() >= SHORTEST_KNOWN);
            texts.extend(lines.map(str::to_owned));
        }
    }
    texts.retain(|text| !text.is_empty());
    texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    texts.dedup();
    texts
}

/// Asks a person for a secret.
pub trait SecretPrompt: Send + Sync {
    /// Returns what was typed, or `None` where nobody can be asked.
    fn ask(&self, parameter: &str) -> Option<String>;
}

/// Looks secrets up and remembers them until the process ends.
pub struct Secrets {
    references: BTreeMap<String, SecretRef>,
    /// What is given in place of a reference that was planned with before, by parameter.
    instead: BTreeMap<String, SecretRef>,
    allow_literals: bool,
    is_elsewhere: bool,
    prompt: Arc<dyn SecretPrompt>,
    /// One look-up at a time: a secret is asked for once, not once per target.
    known: tokio::sync::Mutex<BTreeMap<(String, SecretRef), String>>,
    /// The texts known so far, for masking.
    texts: Mutex<Vec<String>>,
}

impl Secrets {
    /// Returns the secrets of an execution, which ask by `prompt` where nothing else is given.
    pub fn new(
        references: BTreeMap<String, SecretRef>,
        allow_literals: bool,
        prompt: Arc<dyn SecretPrompt>,
    ) -> Self {
        Self {
            references,
            instead: BTreeMap::new(),
            allow_literals,
            is_elsewhere: false,
            prompt,
            known: tokio::sync::Mutex::default(),
            texts: Mutex::default(),
        }
    }

    /// Returns the same secrets, of which those of `moved` are found elsewhere since the execution began.
    ///
    /// What is planned from then on names the place that its value came from: where targets have it from two
    /// places, the review says so.
    pub fn found_at(mut self, moved: &BTreeMap<String, SecretRef>) -> Self {
        self.references.extend(moved.clone());
        self.instead = moved.clone();
        self
    }

    /// Returns the secrets of an execution whose change sets were made on another machine: what they were
    /// made with is fixed in them, and the places that the references name are not here.
    pub fn elsewhere(mut self) -> Self {
        self.is_elsewhere = true;
        self
    }

    /// Returns whether the places of the secrets are on another machine.
    pub(super) fn are_elsewhere(&self) -> bool {
        self.is_elsewhere
    }

    /// Returns where each secret is found, by parameter.
    pub(super) fn references(&self) -> &BTreeMap<String, SecretRef> {
        &self.references
    }

    /// Returns whether literal secrets in override files are allowed.
    pub(super) fn allows_literals(&self) -> bool {
        self.allow_literals
    }

    /// Returns the secret texts known so far.
    pub fn texts(&self) -> Vec<String> {
        self.texts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns what a text from outside must not show. A process that took the execution up has looked no secret up:
    /// those are added that can be had without asking anybody.
    pub(super) async fn hidden(&self) -> Hidden {
        let mut texts = self.texts();
        let mut unknown = None;
        for (parameter, reference) in &self.references {
            let reference = self.instead.get(parameter).unwrap_or(reference);
            let key = (parameter.clone(), reference.clone());
            let known = self.known.lock().await.get(&key).cloned();
            let text = match known {
                Some(text) => Some(text),
                // What is found here at that place is another one.
                None if self.is_elsewhere => None,
                None => match reference {
                    SecretRef::Env(name) => std::env::var(name).ok(),
                    SecretRef::File(path) => tokio::fs::read_to_string(path).await.ok(),
                    SecretRef::Prompt | SecretRef::Literal(_) => None,
                },
            };
            match text {
                Some(text) => texts.push(text),
                None => unknown = unknown.or_else(|| Some(parameter.clone())),
            }
        }
        let own = CREDENTIALS
            .into_iter()
            .filter_map(|name| std::env::var(name).ok());
        texts.extend(own);
        Hidden {
            texts: masked(&texts),
            unknown,
        }
    }

    /// Returns the value of `parameter`. `literal` reads a value of an override file.
    pub(super) async fn value(
        &self,
        parameter: &str,
        reference: &SecretRef,
        literal: impl FnOnce() -> Result<String, CallFailure>,
    ) -> Result<String, CallFailure> {
        let reference = self.instead.get(parameter).unwrap_or(reference);
        let mut known = self.known.lock().await;
        let key = (parameter.to_owned(), reference.clone());
        if let Some(value) = known.get(&key) {
            return Ok(value.clone());
        }
        let needed = |message: String| {
            CallFailure::new(FailureKind::SecretNeeded(parameter.to_owned()), message)
        };
        let value = match reference {
            SecretRef::Env(name) => std::env::var(name).map_err(|_| {
                needed(format!(
                    "parameter `{parameter}` is secret and environment variable `{name}` is not set; set it and resume, or resume with `--secret {parameter}=env:NAME`"
                ))
            })?,
            SecretRef::File(path) => {
                let text = tokio::fs::read_to_string(path).await.map_err(|error| {
                    needed(format!(
                        "parameter `{parameter}` is secret and file `{path}` cannot be read ({}); mend it and resume, or resume with `--secret {parameter}=env:NAME`",
                        bad_input(&error).message
                    ))
                })?;
                let text = text.strip_suffix('\n').unwrap_or(&text);
                text.strip_suffix('\r').unwrap_or(text).to_owned()
            }
            SecretRef::Prompt => {
                let prompt = self.prompt.clone();
                let name = parameter.to_owned();
                let asked = tokio::task::spawn_blocking(move || prompt.ask(&name)).await;
                asked.ok().flatten().ok_or_else(|| {
                    needed(format!(
                        "parameter `{parameter}` is secret and must be typed; resume on a terminal, or with `--secret {parameter}=env:NAME`"
                    ))
                })?
            }
            SecretRef::Literal(_) => literal()?,
        };
        known.insert(key, value.clone());
        self.texts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(value.clone());
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl SecretPrompt for Nobody {
        fn ask(&self, _: &str) -> Option<String> {
            None
        }
    }

    fn secrets(parameter: &str, reference: SecretRef) -> Secrets {
        let references = [(parameter.to_owned(), reference)].into();
        Secrets::new(references, true, Arc::new(Nobody))
    }

    #[tokio::test]
    async fn what_is_not_known_is_told_and_what_can_be_read_is() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hunter2\n").unwrap();
        let path = || SecretRef::File(file.path().to_str().unwrap().to_owned());
        let literal: SecretRef = "literal:Source::p/app.json".parse().unwrap();
        for unknown in [
            secrets("Word", SecretRef::Prompt),
            secrets("Word", literal.clone()),
            secrets("Word", SecretRef::File("/none/such".to_owned())),
            secrets("Word", path()).elsewhere(),
        ] {
            let hidden = unknown.hidden().await;
            assert_eq!(hidden.unknown.as_deref(), Some("Word"));
        }
        let hidden = secrets("Word", path()).hidden().await;
        assert_eq!(hidden.unknown, None);
        assert!(hidden.texts.contains(&"hunter2".to_owned()));

        let looked_up = secrets("Word", literal.clone());
        let value = looked_up.value("Word", &literal, || Ok("letter7".to_owned()));
        value.await.unwrap();
        let hidden = looked_up.hidden().await;
        assert_eq!(hidden.unknown, None);
        assert!(hidden.texts.contains(&"letter7".to_owned()));
    }

    #[test]
    fn what_is_hidden_is_taken_out_of_a_text_and_other_words_stay() {
        let secrets = ["hunter2", "hunter2secret", "pin"].map(str::to_owned);
        let hidden = Hidden {
            texts: masked(&secrets),
            unknown: None,
        };
        let mut text = "/spin/hunter2secret/hunter2".to_owned();
        hidden.hide(&mut text);
        assert_eq!(text, "/spin/****/****");
    }

    #[test]
    fn every_line_of_a_secret_is_masked_and_the_longer_first() {
        let key = "-----BEGIN KEY-----\r\n  abcd1234\nabc\n-----END KEY-----\n";
        let texts = masked(&[key.to_owned(), "pin".to_owned(), String::new()]);
        let whole = key.trim_end();
        let encoded = encoded::encodings(whole);
        let plain: Vec<&String> = texts
            .iter()
            .filter(|text| *text == whole || !encoded.contains(*text))
            .collect();
        let expected = [
            whole,
            "-----BEGIN KEY-----",
            "-----END KEY-----",
            "abcd1234",
            "pin",
        ];
        assert_eq!(plain, expected);
        assert!(encoded.iter().all(|text| texts.contains(text)));
        assert!(texts.is_sorted_by_key(|text| std::cmp::Reverse(text.len())));
    }
}
