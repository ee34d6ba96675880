//! Stacks that are stuck over all targets, what can be done about them, and what came of it.

use indexmap::{IndexMap, IndexSet};
use serde::Serialize;

use crate::model::{
    Cause, ExecutionId, LogicalId, Recovery, StackName, StackStatus, Target, status_reason,
};

use super::DOCUMENT_VERSION;
use super::screen::{Line, Page, ScreenOptions, Tone};
use super::words::{self, Places, count};

/// What was found over all targets, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recovering {
    /// Which document this is.
    pub document: &'static str,
    /// The version of this form.
    pub version: u32,
    /// The stack; of several stacks of an execution the first.
    pub stack: StackName,
    /// The execution, where its stacks are recovered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionId>,
    /// The operation that was asked for, if any.
    pub operation: Option<Recovery>,
    /// The targets, in the order they were asked for.
    pub targets: Vec<RecoveryTarget>,
    /// Commands that go on from here.
    pub next: Vec<String>,
}

/// One target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecoveryTarget {
    /// The target.
    pub target: Target,
    /// The status in which its stack was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<StackStatus>,
    /// The resources that could not be rolled back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocking: Vec<LogicalId>,
    /// What can be done, or what came of it.
    pub fate: RecoveryFate,
}

/// What can be done about a stack, or what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryFate {
    /// There is no such stack.
    NoStack,
    /// It is at rest, and takes change sets.
    NotStuck,
    /// The operation gets it out.
    Possible {
        /// The operation.
        operation: Recovery,
    },
    /// Its status takes another operation than the one that was asked for.
    TakesAnother {
        /// The operation that it takes.
        operation: Recovery,
    },
    /// Its status takes none of them.
    TakesNone {
        /// What the status says of it, and what to do.
        reason: String,
    },
    /// It is where the operation leads to.
    Recovered {
        /// Its status now.
        status: StackStatus,
    },
    /// It is not.
    Failed {
        /// Its status now, where it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<StackStatus>,
        /// Why.
        cause: Cause,
    },
    /// It could not be looked at.
    NotLookedAt {
        /// Why.
        reason: String,
    },
}

impl RecoveryFate {
    /// Returns what can be done about a stack in `status`, where `asked` is to be done.
    pub fn of(target: &Target, status: StackStatus, asked: Option<Recovery>) -> Self {
        match (Recovery::of(status), asked) {
            (Some(operation), Some(asked)) if operation != asked => {
                Self::TakesAnother { operation }
            }
            (Some(operation), Some(_) | None) => Self::Possible { operation },
            (None, _) => match (status.refusal(), status.remedy(target, None)) {
                (Some(why), Some(remedy)) => Self::TakesNone {
                    reason: format!("{why}; {remedy}"),
                },
                (Some(_) | None, Some(_) | None) => Self::NotStuck,
            },
        }
    }

    /// Returns whether there is, or was, something to recover: the others are only counted.
    fn is_worth_a_line(&self) -> bool {
        match self {
            Self::NoStack | Self::NotStuck => false,
            Self::Possible { .. }
            | Self::TakesAnother { .. }
            | Self::TakesNone { .. }
            | Self::Recovered { .. }
            | Self::Failed { .. }
            | Self::NotLookedAt { .. } => true,
        }
    }

    fn is_failure(&self) -> bool {
        match self {
            Self::TakesAnother { .. }
            | Self::TakesNone { .. }
            | Self::Failed { .. }
            | Self::NotLookedAt { .. } => true,
            Self::NoStack | Self::NotStuck | Self::Possible { .. } | Self::Recovered { .. } => {
                false
            }
        }
    }
}

impl Recovering {
    /// Returns the document of what was found, or of what came of it. `options`: those with which the targets are reached, for
    /// the commands that go on.
    pub fn new(
        stack: StackName,
        operation: Option<Recovery>,
        targets: Vec<RecoveryTarget>,
        options: &str,
    ) -> Self {
        let next = commands(ways(operation, &targets), options);
        Self {
            document: "recover",
            version: DOCUMENT_VERSION,
            stack,
            execution: None,
            operation,
            targets,
            next,
        }
    }

    /// Makes it the document of an execution, whose targets the commands need not name.
    pub fn of_execution(mut self, id: ExecutionId) -> Self {
        self.next = commands_of(id.as_str(), ways(self.operation, &self.targets));
        self.execution = Some(id);
        self
    }

    /// Returns whether a target is stuck still, or could not be looked at.
    pub fn has_failed(&self) -> bool {
        let is_failure = |one: &RecoveryTarget| match self.operation {
            Some(_) => one.fate.is_failure(),
            // Nothing was asked for but to look.
            None => matches!(one.fate, RecoveryFate::NotLookedAt { .. }),
        };
        self.targets.iter().any(is_failure)
    }

    /// Returns how many targets the operation can get out.
    pub fn possible(&self) -> usize {
        let is_possible = |one: &&RecoveryTarget| matches!(one.fate, RecoveryFate::Possible { .. });
        self.targets.iter().filter(is_possible).count()
    }
}

/// Returns the operations that targets take now.
fn ways(asked: Option<Recovery>, targets: &[RecoveryTarget]) -> Vec<(&Target, Recovery)> {
    let way = |one: &RecoveryTarget| match (&one.fate, asked) {
        (RecoveryFate::Possible { operation }, None)
        | (RecoveryFate::TakesAnother { operation }, _) => Some(*operation),
        // Another operation, or the same once what it failed on is mended.
        (RecoveryFate::Failed { status, .. }, _) => status.and_then(Recovery::of),
        (
            RecoveryFate::Possible { .. }
            | RecoveryFate::NoStack
            | RecoveryFate::NotStuck
            | RecoveryFate::TakesNone { .. }
            | RecoveryFate::Recovered { .. }
            | RecoveryFate::NotLookedAt { .. },
            _,
        ) => None,
    };
    let known = targets
        .iter()
        .filter_map(|one| Some((&one.target, way(one)?)));
    known.collect()
}

/// Returns the commands that get stacks out of where they are stuck, with the places of the targets.
fn commands(stuck: Vec<(&Target, Recovery)>, options: &str) -> Vec<String> {
    let mut by_way: IndexMap<(&StackName, Recovery), Vec<&Target>> = IndexMap::new();
    for (target, recovery) in stuck {
        let key = (&target.stack, recovery);
        by_way.entry(key).or_default().push(target);
    }
    let mut all = Vec::new();
    for ((stack, recovery), targets) in by_way {
        let flag = recovery.flag();
        let places = words::place_options(targets).into_iter();
        all.extend(places.map(|at| format!("stackgate recover {stack} {flag} {at}{options}")));
    }
    all
}

/// Returns the same for the stacks of an execution. A single one is named, since that goes on without the journal; several
/// are not, since options for all their places may fit other targets, too.
pub(super) fn commands_of(id: &str, stuck: Vec<(&Target, Recovery)>) -> Vec<String> {
    if let [_] = stuck.as_slice() {
        return commands(stuck, "");
    }
    let ways: IndexSet<Recovery> = stuck.into_iter().map(|(_, recovery)| recovery).collect();
    let command = |way: Recovery| format!("stackgate recover {id} {}", way.flag());
    ways.into_iter().map(command).collect()
}

/// Returns what was found, or what came of it.
pub fn recovering(all: &Recovering, options: &ScreenOptions) -> String {
    let mut page = Page::new(options);
    let places = Places::of(all.targets.iter().map(|one| &one.target));
    headline(&mut page, all);
    let mut groups: IndexMap<String, Vec<&RecoveryTarget>> = IndexMap::new();
    let mut others: IndexMap<String, usize> = IndexMap::new();
    for one in &all.targets {
        let (_, what, detail) = told(one);
        if !one.fate.is_worth_a_line() {
            *others.entry(what).or_default() += 1;
            continue;
        }
        let key = format!(
            "{:?} {what} {} {:?}",
            one.status,
            status_reason::normalised(&detail.unwrap_or_default()),
            one.blocking
        );
        groups.entry(key).or_default().push(one);
    }
    for group in groups.values() {
        let Some(first) = group.first() else {
            continue;
        };
        let (tone, what, detail) = told(first);
        let status = first.status.map_or("", StackStatus::as_str);
        let mut line = Line::indent(2).add(Tone::Strong, status);
        if !status.is_empty() {
            line.push(Tone::Plain, &format!(" {} ", page.glyphs.dot));
        }
        line.push(tone, &what);
        let number = count(group.len(), "target");
        line.push(Tone::Plain, &format!(" {} {number}", page.glyphs.dot));
        page.line(line, 4);
        if let Some(detail) = detail {
            page.line(Line::indent(6).add(Tone::Plain, &detail), 8);
        }
        if !first.blocking.is_empty() {
            let names: Vec<String> = first.blocking.iter().map(ToString::to_string).collect();
            let text = format!("in its way: {}", words::listed(&names));
            page.line(Line::indent(6).add(Tone::Warn, &text), 8);
        }
        let names = places.names(group.iter().map(|one| &one.target));
        page.items(Line::indent(6), 6, Tone::Dim, &names);
    }
    if !others.is_empty() {
        let all = others.iter().map(|(what, number)| {
            format!("{what} {} {}", page.glyphs.dot, count(*number, "target"))
        });
        let text = all.collect::<Vec<_>>().join("   ");
        page.line(Line::indent(2).add(Tone::Dim, &text), 4);
    }
    for (at, command) in all.next.iter().enumerate() {
        let label = if at == 0 { "next: " } else { "      " };
        page.verbatim(Line::of(Tone::Dim, label).add(Tone::Strong, command));
    }
    page.finish()
}

fn headline(page: &mut Page<'_>, all: &Recovering) {
    let total = count(all.targets.len(), "target");
    let is_recovered = |one: &&RecoveryTarget| matches!(one.fate, RecoveryFate::Recovered { .. });
    let recovered = all.targets.iter().filter(is_recovered).count();
    let text = match (recovered, all.possible()) {
        (0, 0) => format!("nothing to recover in {total}"),
        (0, possible) => format!("{possible} of {total} can be recovered"),
        (recovered, _) => format!("recovered {recovered} of {total}"),
    };
    let tone = match all.has_failed() {
        true => Tone::Bad,
        false => Tone::Plain,
    };
    let whose = match &all.execution {
        Some(id) => format!("{} of execution {id}", all.stack),
        None => all.stack.to_string(),
    };
    let line = Line::of(Tone::Strong, &whose).add(tone, &format!(": {text}"));
    page.line(line, 2);
    if let (Some(operation), true) = (all.operation, all.possible() > 0) {
        page.line(Line::indent(2).add(Tone::Plain, operation.consequence()), 4);
    }
}

/// Returns what is said of a target: in a word, and in detail.
fn told(one: &RecoveryTarget) -> (Tone, String, Option<String>) {
    match &one.fate {
        RecoveryFate::NoStack => (Tone::Warn, "no such stack".to_owned(), None),
        RecoveryFate::NotStuck => (Tone::Good, "not stuck".to_owned(), None),
        RecoveryFate::Possible { operation } => {
            (Tone::Warn, format!("takes {}", operation.flag()), None)
        }
        RecoveryFate::TakesAnother { operation } => {
            (Tone::Bad, format!("takes only {}", operation.flag()), None)
        }
        RecoveryFate::TakesNone { reason } => (
            Tone::Bad,
            "takes none of these operations".to_owned(),
            Some(reason.clone()),
        ),
        RecoveryFate::Recovered { status } => (Tone::Good, format!("now {status}"), None),
        RecoveryFate::Failed { status, cause } => {
            let now = status.map(|status| format!(", now {status}"));
            let what = format!("NOT recovered{}", now.unwrap_or_default());
            let reason = match &cause.resource {
                Some((id, kind)) => format!("{id} ({kind}): {}", cause.reason),
                None => cause.reason.clone(),
            };
            (Tone::Bad, what, Some(reason))
        }
        RecoveryFate::NotLookedAt { reason } => {
            (Tone::Bad, "not looked at".to_owned(), Some(reason.clone()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self, assert_screens};
    use super::super::schema::assert_documented;
    use super::*;

    const CONTINUE: Recovery = Recovery::ContinueRollback;

    fn found(asked: Option<Recovery>, statuses: &[&str]) -> Recovering {
        let regions = [
            "us-east-1",
            "us-east-2",
            "us-west-1",
            "us-west-2",
            "eu-west-1",
        ];
        let targets = statuses.iter().zip(regions).map(|(status, region)| {
            let target = fixtures::target('1', region);
            let status: Option<StackStatus> = status.parse().ok();
            let blocking = match status == Some(StackStatus::UpdateRollbackFailed) {
                true => vec!["Queue".parse().unwrap()],
                false => Vec::new(),
            };
            RecoveryTarget {
                fate: match status {
                    None => RecoveryFate::NoStack,
                    Some(status) => RecoveryFate::of(&target, status, asked),
                },
                status,
                blocking,
                target,
            }
        });
        Recovering::new("network".parse().unwrap(), asked, targets.collect(), "")
    }

    #[test]
    fn what_can_be_done_is_told_by_name() {
        let statuses = [
            "UPDATE_ROLLBACK_FAILED",
            "UPDATE_ROLLBACK_FAILED",
            "UPDATE_FAILED",
            "ROLLBACK_COMPLETE",
            "UPDATE_COMPLETE",
        ];
        let all = found(None, &statuses);
        assert!(!all.has_failed());
        assert_eq!(
            all.next,
            [
                "stackgate recover network --continue-rollback --accounts 111111111111 --regions us-east-1,us-east-2",
                "stackgate recover network --rollback-stack --accounts 111111111111 --regions us-west-1",
            ]
        );
        assert_screens!("recover", |options: &ScreenOptions| recovering(
            &all, options
        ));
        let all = found(Some(CONTINUE), &statuses);
        assert!(all.has_failed());
        assert_eq!(all.possible(), 2);
        insta::assert_snapshot!("recover_asked", recovering(&all, &ScreenOptions::default()));
    }

    #[test]
    fn an_execution_stands_for_its_targets() {
        let id: ExecutionId = "019a4c3e-0000-7000-8000-000000000001".parse().unwrap();
        let statuses = [
            "UPDATE_ROLLBACK_FAILED",
            "UPDATE_FAILED",
            "UPDATE_ROLLBACK_FAILED",
        ];
        let all = found(None, &statuses).of_execution(id.clone());
        assert_eq!(
            all.next,
            [
                format!("stackgate recover {id} --continue-rollback"),
                format!("stackgate recover {id} --rollback-stack"),
            ]
        );
        assert_documented(&serde_json::to_value(&all).unwrap());
        let told = recovering(&all, &ScreenOptions::default());
        let head = format!("network of execution {id}: 3 of 3 targets");
        assert!(told.starts_with(&head), "{told}");

        // A single one goes on by its name, wherever the journal is.
        let one = found(None, &statuses[..1]).of_execution(id);
        let named = "stackgate recover network --continue-rollback --accounts 111111111111 --regions us-east-1";
        assert_eq!(one.next, [named]);
    }

    #[test]
    fn what_came_of_it_is_told_and_equal_causes_once() {
        let mut all = found(Some(CONTINUE), &["UPDATE_ROLLBACK_FAILED"; 4]);
        for (at, one) in all.targets.iter_mut().enumerate() {
            one.blocking.clear();
            one.fate = match at {
                0 => RecoveryFate::Recovered {
                    status: StackStatus::UpdateRollbackComplete,
                },
                1 | 2 => RecoveryFate::Failed {
                    status: Some(StackStatus::UpdateRollbackFailed),
                    cause: Cause {
                        resource: Some(("Queue".parse().unwrap(), "AWS::SQS::Queue".to_owned())),
                        reason: format!("denied in {}", one.target.place()),
                    },
                },
                _ => RecoveryFate::NotLookedAt {
                    reason: "DescribeStacks: AccessDenied".to_owned(),
                },
            };
        }
        let all = Recovering::new(all.stack, all.operation, all.targets, "");
        assert!(all.has_failed());
        assert_eq!(all.next.len(), 1);
        assert_documented(&serde_json::to_value(&all).unwrap());
        insta::assert_snapshot!("recover_done", recovering(&all, &ScreenOptions::default()));
    }

    #[test]
    fn the_documents_are_as_their_schema_says() {
        for asked in [None, Some(CONTINUE), Some(Recovery::CancelUpdate)] {
            let all = found(
                asked,
                &[
                    "UPDATE_ROLLBACK_FAILED",
                    "ROLLBACK_COMPLETE",
                    "",
                    "UPDATE_COMPLETE",
                ],
            );
            assert_documented(&serde_json::to_value(&all).unwrap());
        }
    }
}
