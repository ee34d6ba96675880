//! What is done with each stack that the execution touched: given back, deleted, or left alone and why.

use super::Wish;
use super::former::{self, Former};
use super::original;
use crate::artifact::Store;
use crate::aws::{Aws, may_lack_characters};
use crate::cli::earlier::{Earlier, Since, newest_known, tell};
use crate::cli::sources::Sources;
use crate::cli::{CliError, run};
use crate::journal::Journal;
use crate::model::{ExecutionId, StackId, StackLeft, StackStatus, Target};
use crate::pipeline::execute_token;
use crate::report::{TargetView, View, rolled_back_by};

/// The stacks that an execution touched.
pub(super) struct Sorted {
    /// What is given back, newest first.
    pub former: Vec<Former>,
    /// What the execution created and is deleted, newest first.
    pub created: Vec<Created>,
    /// What is left alone.
    pub left: Vec<Left>,
}

/// A stack that the execution created.
#[derive(Debug, Clone)]
pub(super) struct Created {
    pub target: Target,
    pub stack: StackId,
    /// How the execution left it, where it is to be found so.
    pub left: Option<StackLeft>,
}

/// A target that is not rolled back, and why.
pub(super) struct Left {
    pub target: Target,
    pub why: Why,
}

/// What is to be done with a target that the execution touched.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// It has something to be given back.
    Changed,
    /// Nothing, for a reason.
    Left(Why),
}

/// Why a target is not rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// There was no such stack before. `failed`: its status, where its creation failed.
    Created { failed: Option<StackStatus> },
    /// Resources were taken into it that were there before, and would be deleted.
    Imported,
    /// It failed there, and CloudFormation took it back.
    TookItself,
    /// It failed there, and is stuck in a status.
    Stuck(StackStatus),
    /// It may have been executed or not.
    Unknown,
    /// Its template and parameters were not touched.
    SettingsOnly,
    /// What it was before is not known.
    NotOnRecord(&'static str),
    /// Its former template cannot be read.
    Unreadable(String),
    /// Its former template is known only as the service shows it, with `?` for each character outside ASCII.
    Unshown,
    /// An earlier rollback did it.
    RolledBack(ExecutionId),
    /// Somebody else worked on it.
    ChangedSince(String),
    /// It could not be looked at.
    NotRead(String),
}

impl Why {
    /// Returns it in words.
    pub(super) fn told(&self, target: &Target) -> String {
        match self {
            Self::Created { .. } => format!(
                "was created by it, and is not touched; delete it with `stackgate delete {} --accounts {} --regions {}`, or all \
                 such with `--delete-created`",
                target.stack, target.account, target.region
            ),
            Self::Imported => {
                "resources that were there before were imported by it without `DeletionPolicy: Retain`, and would be deleted; \
                 it is not touched"
                    .to_owned()
            }
            Self::TookItself => "failed there, and CloudFormation rolled it back itself".to_owned(),
            Self::Stuck(status) => format!("failed there, and is {}", status.as_str()),
            Self::Unknown => "whether it was executed is not known".to_owned(),
            Self::SettingsOnly => "nothing but its policy or protection was set".to_owned(),
            Self::NotOnRecord(what) => format!("{what} is not on record"),
            Self::Unreadable(why) => format!("its former template cannot be read: {why}"),
            Self::Unshown => "the service shows each character outside ASCII of its former template as `?`, no execution on \
                              record deployed that template, and it has `?` (`--accept-lost-characters`)"
                .to_owned(),
            Self::RolledBack(by) => format!("was rolled back by execution {by} (`--include-changed`)"),
            Self::ChangedSince(what) => format!("changed since: {what} (`--include-changed`)"),
            Self::NotRead(why) => format!("could not be looked at: {why}"),
        }
    }

    /// Returns whether who approved the deployment, with the rollback that follows where it fails, can have meant to leave
    /// the target so: what failed is what the rollback is for.
    fn is_foreseen(&self) -> bool {
        match self {
            Self::Created { failed } => failed.is_some(),
            Self::TookItself | Self::Stuck(_) | Self::SettingsOnly | Self::RolledBack(_) => true,
            Self::Imported
            | Self::Unknown
            | Self::NotOnRecord(_)
            | Self::Unreadable(_)
            | Self::Unshown
            | Self::ChangedSince(_)
            | Self::NotRead(_) => false,
        }
    }
}

impl Sorted {
    /// Says what is left alone, and what is deleted.
    pub(super) fn tell(&self) {
        let left = self.left.iter();
        let left: Vec<(&Target, String)> = left
            .map(|left| (&left.target, left.why.told(&left.target)))
            .collect();
        tell("not rolled back", &left);
        let created = self.created.iter();
        let created: Vec<(&Target, String)> =
            created.map(|one| (&one.target, String::new())).collect();
        tell("created by it, to be deleted", &created);
    }

    /// Refuses what nobody can have approved before it happened.
    pub(super) fn is_foreseen(&self) -> Result<(), CliError> {
        let left = self.left.iter().filter(|left| !left.why.is_foreseen());
        match left.count() {
            0 => Ok(()),
            some => Err(CliError::message(format!(
                "{some} of the targets cannot be rolled back, for the reasons above, which who approved the deployment could \
                 not know"
            ))),
        }
    }
}

/// Sorts the targets of `earlier`. `rollbacks`: the executions that roll it back already.
pub(super) async fn sort(
    earlier: &Earlier,
    journal: &Journal,
    store: &Store,
    aws: &Aws,
    wish: &Wish,
    rollbacks: &[View],
) -> Result<Sorted, CliError> {
    let mut sorted = Sorted {
        former: Vec::new(),
        created: Vec::new(),
        left: Vec::new(),
    };
    let leave = |left: &mut Vec<Left>, target: &TargetView, why: Why| {
        let target = target.target().clone();
        left.push(Left { target, why });
    };
    let sources = Sources::of(&earlier.view, &run::store_folder(journal.folder()))?;
    let mut open = Vec::new();
    for target in earlier.view.targets() {
        let done = rolled_back_by(rollbacks, target.target()).filter(|_| !wish.include_changed);
        let touched = former::touched(target, |planned| sources.template(planned));
        match (touched, done) {
            (None, _) => {}
            (Some(_), Some(by)) => {
                leave(&mut sorted.left, target, Why::RolledBack(by.clone()));
            }
            (Some(Touched::Changed), None) => open.push((target, false)),
            (Some(Touched::Left(Why::Created { .. })), None) if wish.delete_created => {
                open.push((target, true));
            }
            (Some(Touched::Left(why)), None) => leave(&mut sorted.left, target, why),
        }
    }
    // The newest first: a sort keeps what ended together in order.
    open.reverse();
    open.sort_by_key(|(target, _)| std::cmp::Reverse(target.ended_at()));
    let targets: Vec<&TargetView> = open.iter().map(|(target, _)| *target).collect();
    let since = earlier.since(aws, &targets).await;
    let mut given_back = Vec::new();
    for ((target, is_created), found) in open.into_iter().zip(since) {
        let unchanged = (found.since == Since::Nothing).then_some(found.newest_event);
        let why = match found.since {
            Since::Nothing => None,
            Since::Changed(what) => Some(Why::ChangedSince(what)),
            Since::NotRead(why) => Some(Why::NotRead(why)),
        };
        if let Some(why) = why.filter(|_| !wish.include_changed) {
            leave(&mut sorted.left, target, why);
        } else if !is_created {
            match former::shown(target, store) {
                Ok(text) => given_back.push((target, text, unchanged)),
                Err(why) => leave(&mut sorted.left, target, why),
            }
        } else if let Some(stack) = target.stack() {
            sorted.created.push(Created {
                target: target.target().clone(),
                stack: stack.clone(),
                left: (!wish.include_changed).then(|| StackLeft {
                    newest_event: newest_known(target),
                    token: execute_token(&earlier.id, target.target()),
                }),
            });
        } else {
            leave(&mut sorted.left, target, Why::NotOnRecord("its stack"));
        }
    }
    let lacking = given_back
        .iter()
        .filter(|(_, text, _)| may_lack_characters(text));
    let lacking = lacking.map(|(target, text, _)| (*target, text.as_slice()));
    let mut originals = original::of(journal, earlier, lacking.collect())?;
    for (target, text, unchanged) in given_back {
        let original = originals.remove(target.target());
        let may_lack_characters = original.is_none() && may_lack_characters(&text);
        if may_lack_characters && !wish.accept_lost_characters {
            leave(&mut sorted.left, target, Why::Unshown);
            continue;
        }
        match Former::of(target, original.unwrap_or(text), unchanged) {
            Ok(former) => sorted.former.push(Former {
                may_lack_characters,
                ..former
            }),
            Err(why) => leave(&mut sorted.left, target, why),
        }
    }
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_foreseen_and_what_others_did_is_not() {
        let left = |why: Why| Sorted {
            former: Vec::new(),
            created: Vec::new(),
            left: vec![Left {
                target: crate::plan::sample::planned("111111111111", "eu-west-1", "app").target,
                why,
            }],
        };
        for why in [
            Why::Created {
                failed: Some(StackStatus::RollbackComplete),
            },
            Why::TookItself,
            Why::Stuck(StackStatus::UpdateRollbackFailed),
            Why::SettingsOnly,
        ] {
            assert!(left(why.clone()).is_foreseen().is_ok(), "{why:?}");
        }
        for why in [
            Why::Created { failed: None },
            Why::Imported,
            Why::Unknown,
            Why::NotOnRecord("its former template"),
            Why::Unreadable("line 1".into()),
            Why::Unshown,
            Why::ChangedSince("UPDATE_COMPLETE".into()),
            Why::NotRead("denied".into()),
        ] {
            assert!(left(why.clone()).is_foreseen().is_err(), "{why:?}");
        }
    }
}
