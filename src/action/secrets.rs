//! Secret parameter values: looked up when a change set is created, kept in memory only.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::bad_input;
use crate::model::{CallFailure, FailureKind, SecretRef};

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

    /// Returns the secret texts known so far, and those that can be had without asking anybody: a process that took
    /// the execution up has looked none up.
    pub(super) async fn all_texts(&self) -> Vec<String> {
        let mut texts = self.texts();
        for (parameter, reference) in &self.references {
            let text = match self.instead.get(parameter).unwrap_or(reference) {
                SecretRef::Env(name) => std::env::var(name).ok(),
                SecretRef::File(path) => tokio::fs::read_to_string(path).await.ok(),
                SecretRef::Prompt | SecretRef::Literal(_) => None,
            };
            texts.extend(text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()));
        }
        texts.retain(|text| !text.is_empty());
        // The longer first, so that none is shown for a shorter one within it.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        texts.dedup();
        texts
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
