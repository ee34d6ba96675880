//! The words of all screens: one place, so that the same thing is always called the same.

pub(super) mod drift;
mod inputs;
mod people;
mod progress;
mod rollout;
mod selection;
mod time;

pub(super) use inputs::*;
pub(super) use people::*;
pub use progress::unreached;
pub(super) use progress::*;
#[cfg(test)]
pub(super) use rollout::concurrency;
pub(super) use rollout::rollout;
pub(super) use selection::*;
pub use time::time;
pub(super) use time::*;

use crate::model::Target;

use super::View;

/// Returns `3 targets` or `1 target`.
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Returns the items as people list them: `a, b and c`.
pub(super) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The most findings that are told one by one where there is a review with all of them.
const TOLD: usize = 3;

/// Returns what a plan holds that is denied, a line each.
pub(super) fn denied(findings: &[String]) -> impl Iterator<Item = String> {
    let more = findings.len().saturating_sub(TOLD);
    let more = (more > 0).then(|| format!("and {more} more, which the review names"));
    findings.iter().take(TOLD).cloned().chain(more)
}

/// Names targets as shortly as the execution allows: without the stack where all stacks have one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Places {
    stack: Option<String>,
}

impl Places {
    pub(super) fn of<'a>(targets: impl IntoIterator<Item = &'a Target>) -> Self {
        let mut stacks = targets.into_iter().map(|target| &target.stack);
        let first = stacks.next();
        let stack = first.filter(|name| stacks.all(|other| other == *name));
        Self {
            stack: stack.map(|name| name.to_string()),
        }
    }

    /// Returns what an execution deploys: the one stack, else its pipeline.
    pub(super) fn title<'a>(&'a self, view: &'a View) -> &'a str {
        match (self.stack(), view.pipeline()) {
            (Some(stack), _) => stack,
            (None, "") => "execution",
            (None, pipeline) => pipeline,
        }
    }

    /// Returns the one name of all stacks.
    pub(super) fn stack(&self) -> Option<&str> {
        self.stack.as_deref()
    }

    pub(super) fn name(&self, target: &Target) -> String {
        match self.stack {
            Some(_) => target.place(),
            None => target.to_string(),
        }
    }

    /// Returns the name of the only target, or how many there are.
    pub(super) fn whose(&self, targets: &[Target]) -> String {
        match targets {
            [only] => self.name(only),
            many => count(many.len(), "target"),
        }
    }

    pub(super) fn names<'a>(&self, targets: impl IntoIterator<Item = &'a Target>) -> Vec<String> {
        targets.into_iter().map(|t| self.name(t)).collect()
    }
}

#[cfg(test)]
mod tests;
