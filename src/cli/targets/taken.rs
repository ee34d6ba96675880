//! What a command takes from `stackgate.yaml`, and says that it took.

use crate::approval;
use crate::cli::output;
use crate::cli::settings::{FILE, Values};
use crate::model::{Chosen, RiskChoices, clean};

/// What `stackgate.yaml` says, for a command to take the rest of.
#[derive(Debug, Default)]
pub(in crate::cli) struct Taken {
    /// The values that are left.
    pub values: Values,
    /// The names that were chosen.
    pub chosen: Chosen,
    /// What was taken, in words.
    said: Vec<String>,
}

impl Taken {
    /// Returns what stands under the names that were chosen, before any of it is known.
    pub(super) fn of(chosen: Chosen) -> Self {
        Self {
            chosen,
            ..Self::default()
        }
    }

    /// Fills in a value that no flag gave.
    pub(in crate::cli) fn fill<T>(
        &mut self,
        name: &str,
        slot: &mut Option<T>,
        value: Option<T>,
        word: impl Fn(&T) -> String,
    ) {
        if slot.is_none()
            && let Some(value) = value
        {
            self.note(name, &word(&value));
            *slot = Some(value);
        }
    }

    /// Fills in a list that no flag gave.
    pub(in crate::cli) fn fill_list<T: ToString>(
        &mut self,
        name: &str,
        slot: &mut Vec<T>,
        value: Option<Vec<T>>,
    ) {
        if slot.is_empty()
            && let Some(value) = value
        {
            let words: Vec<String> = value.iter().map(T::to_string).collect();
            self.note(name, &words.join(","));
            *slot = value;
        }
    }

    /// Fills in the role that CloudFormation acts with.
    pub(in crate::cli) fn fill_role(&mut self, slot: &mut Option<String>) {
        let role = self.values.role_arn.take();
        self.fill("role-arn", slot, role, String::clone);
    }

    /// Fills in how long an answer is waited for, in minutes.
    pub(in crate::cli) fn fill_expiry(&mut self, slot: &mut Option<u32>) {
        let time = self.values.approval_expires.take();
        if slot.is_none() && time == Some(approval::DEFAULT_VALIDITY_MINUTES) {
            // It is so without the file, as `init` writes it: nothing to tell.
            *slot = time;
            return;
        }
        self.fill("approval-expires", slot, time, |minutes| match minutes {
            m if m % 1440 == 0 => format!("{}d", m / 1440),
            m if m % 60 == 0 => format!("{}h", m / 60),
            m => format!("{m}m"),
        });
    }

    /// Notes what is made of risk rules.
    pub(in crate::cli) fn note_risks(&mut self, risks: &RiskChoices) {
        for (rule, choice) in &risks.0 {
            self.note("risk", &format!("{rule} {}", choice.setting.as_str()));
        }
    }

    /// Notes what was taken.
    pub(in crate::cli) fn note(&mut self, name: &str, value: &str) {
        self.said.push(clean(&format!("{name} {value}")));
    }

    /// Says on standard error what was taken.
    pub(in crate::cli) fn say(&self) {
        let mut names = Vec::new();
        names.extend(
            self.chosen
                .environment
                .iter()
                .map(|n| format!("environment {n}")),
        );
        names.extend(
            self.chosen
                .target_set
                .iter()
                .map(|n| format!("target set {n}")),
        );
        if names.is_empty() && self.said.is_empty() {
            return;
        }
        if names.is_empty() {
            names.push("defaults".to_owned());
        }
        output::told(&format!(
            "{FILE}: {}\n  {}\n",
            clean(&names.join(", ")),
            self.said.join(" · ")
        ));
    }
}
