//! What is done with each stack that the execution touched: given back, deleted, or left alone and why.

use std::collections::BTreeSet;

use super::Wish;
use super::former::{self, Former};
use super::original;
use crate::artifact::Store;
use crate::aws::{Aws, may_lack_characters};
use crate::cli::earlier::{Earlier, Last, Since, gone, newest_known, tell};
use crate::cli::sources::Sources;
use crate::cli::{CliError, output, run};
use crate::journal::Journal;
use crate::model::{ExecutionId, StackId, StackLeft, StackStatus, Target};
use crate::pipeline::execute_token;
use crate::report::{self, TargetView, View, count, directed};

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
    /// It was deleted since.
    Gone {
        /// Whether somebody made another stack of its name.
        is_another_there: bool,
        /// Whether its creation had failed, so that nothing of it was to be given back.
        had_failed: bool,
    },
    /// It could not be looked at.
    NotRead(String),
}

impl Why {
    /// Returns it in words, the same for all targets of which the same is true.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Created { .. } => {
                "created by it, and not touched; `--delete-created` deletes such stacks".to_owned()
            }
            Self::Imported => {
                "resources that were there before were imported by it without `DeletionPolicy: Retain`, and would be deleted; \
                 not touched"
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
            Self::RolledBack(by) => format!("rolled back by execution {by} already (`--include-changed`)"),
            Self::ChangedSince(_) => "changed since (`--include-changed`)".to_owned(),
            Self::Gone {
                is_another_there,
                had_failed: _,
            } => {
                format!("{}; not touched", gone(*is_another_there))
            }
            Self::NotRead(why) => format!("could not be looked at: {why}"),
        }
    }

    /// Returns what is to be told of one target beside the reason.
    fn detail(&self) -> Option<&str> {
        match self {
            Self::ChangedSince(what) => Some(what),
            Self::Created { .. }
            | Self::Imported
            | Self::TookItself
            | Self::Stuck(_)
            | Self::Unknown
            | Self::SettingsOnly
            | Self::NotOnRecord(_)
            | Self::Unreadable(_)
            | Self::Unshown
            | Self::RolledBack(_)
            | Self::Gone { .. }
            | Self::NotRead(_) => None,
        }
    }

    /// Returns whether nothing is left to be done or decided there.
    fn is_done(&self) -> bool {
        matches!(self, Self::RolledBack(_))
    }

    /// Returns whether who approved the deployment, with the rollback that follows where it fails, can have meant to leave
    /// the target so: what failed is what the rollback is for.
    fn is_foreseen(&self) -> bool {
        match self {
            Self::Created { failed } => failed.is_some(),
            Self::Gone { had_failed, .. } => *had_failed,
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

/// How many targets are named of those that are left alone for the same reason.
const NAMED: usize = 3;

/// Returns a line for each reason why targets are left alone: what is rare matters most, and what is done already least.
fn lines(left: &[Left]) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&Left>)> = Vec::new();
    for one in left {
        let reason = one.why.reason();
        match groups.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, same)) => same.push(one),
            None => groups.push((reason, vec![one])),
        }
    }
    groups.sort_by_key(|(_, same)| (same.iter().all(|one| one.why.is_done()), same.len()));
    let line = |(reason, same): (String, Vec<&Left>)| {
        if let [only] = &same[..] {
            // What one target went through is told where its reason is.
            let reason = match only.why.detail() {
                Some(what) => reason.replacen(" (", &format!(": {what} ("), 1),
                None => reason,
            };
            return format!("{}   {reason}", only.target);
        }
        let names = same.iter().take(NAMED).map(|one| match one.why.detail() {
            Some(what) => format!("\n    {}   {what}", one.target),
            None => format!("\n    {}", one.target),
        });
        let names: String = names.collect();
        let more = match same.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!("\n    and {more} more"),
        };
        format!("{}   {reason}{names}{more}", count(same.len(), "target"))
    };
    groups.into_iter().map(line).collect()
}

impl Sorted {
    /// Says what is left alone, and what is deleted.
    pub(super) fn tell(&self) {
        if !self.left.is_empty() {
            output::stderr(&format!("not rolled back: {}\n", self.left.len()));
        }
        for line in lines(&self.left) {
            output::stderr(&format!("  {line}\n"));
        }
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

/// Returns what worked on the stack of a target last: the execution itself, or where that was taken back and that was taken
/// back in turn, so that what the execution left is in force again, what did so.
///
/// `followers`: what went on from the execution, each with the targets that it found as they had been left, in the order in
/// which they ended.
fn last<'a>(
    earlier: &'a Earlier,
    target: &'a TargetView,
    followers: &[(&'a View, BTreeSet<&Target>)],
) -> Last<'a> {
    let own = Last {
        by: &earlier.id,
        target,
    };
    let mut last = own;
    for (follower, as_seen) in followers {
        let found = follower.target(target.target());
        let (Some(worked), Some(by)) = (found.filter(|t| t.was_executed()), follower.execution())
        else {
            continue;
        };
        // Where it found anything else than what was left, nobody knows what is given back by giving that back.
        if !as_seen.contains(target.target()) {
            return own;
        }
        last = Last { by, target: worked };
    }
    last
}

/// Sorts the targets of `earlier`. `followers`: what goes on from it, in the order in which that began.
pub(super) async fn sort(
    earlier: &Earlier,
    journal: &Journal,
    store: &Store,
    aws: &Aws,
    wish: &Wish,
    followers: &[&View],
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
    let since = report::since(&earlier.view, followers);
    let mut open = Vec::new();
    for target in earlier.view.targets() {
        let done = match since.get(target.target()) {
            Some(report::Since::Back(by)) if !wish.include_changed => Some(*by),
            Some(report::Since::Back(_) | report::Since::Done(_)) | None => None,
        };
        let touched = former::touched(target, |planned| sources.template(planned));
        match (touched, done) {
            (None, _) => {}
            (Some(_), Some(by)) => {
                leave(&mut sorted.left, target, Why::RolledBack(by.clone()));
            }
            (Some(Touched::Changed), None) => open.push((target, None)),
            // What is left of it may be gone, and the stack that has its name now somebody else's.
            (Some(Touched::Left(why @ Why::Created { .. })), None) => {
                open.push((target, Some(why)));
            }
            (Some(Touched::Left(why)), None) => leave(&mut sorted.left, target, why),
        }
    }
    // The newest first: a sort keeps what ended together in order.
    open.reverse();
    open.sort_by_key(|(target, _)| std::cmp::Reverse(target.ended_at()));
    let ended = directed(&earlier.view, followers).into_iter();
    let ended: Vec<_> = ended.map(|(view, _)| (view, view.as_seen())).collect();
    let stands = |(target, _): &(&TargetView, _)| match since.get(target.target()) {
        Some(report::Since::Done(_)) => true,
        Some(report::Since::Back(_)) | None => false,
    };
    let targets = open.iter().map(|one| match stands(one) {
        true => last(earlier, one.0, &ended),
        false => Last {
            by: &earlier.id,
            target: one.0,
        },
    });
    let since = earlier.since(aws, &targets.collect::<Vec<_>>()).await;
    let mut given_back = Vec::new();
    for ((target, created), found) in open.into_iter().zip(since) {
        let unchanged = (found.since == Since::Nothing).then_some(found.newest_event);
        let why = match found.since {
            Since::Nothing => None,
            // A rollback makes no stacks, and another stack of that name is nobody's to change.
            Since::Gone { is_another_there } => {
                let had_failed = matches!(created, Some(Why::Created { failed: Some(_) }));
                let why = Why::Gone {
                    is_another_there,
                    had_failed,
                };
                leave(&mut sorted.left, target, why);
                continue;
            }
            Since::Changed(what) => Some(Why::ChangedSince(what)),
            Since::NotRead(why) => Some(Why::NotRead(why)),
        };
        if let Some(created) = created.clone().filter(|_| !wish.delete_created) {
            leave(&mut sorted.left, target, created);
        } else if let Some(why) = why.filter(|_| !wish.include_changed) {
            leave(&mut sorted.left, target, why);
        } else if created.is_none() {
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

    fn left(account: u64, why: Why) -> Left {
        let account = format!("{account:012}");
        Left {
            target: crate::plan::sample::planned(&account, "eu-west-1", "app").target,
            why,
        }
    }

    #[test]
    fn what_is_rare_is_told_first_and_what_is_done_last() {
        let by = ExecutionId::new("01900000-0000-7000-8000-000000000001").unwrap();
        let mut all = vec![left(1, Why::RolledBack(by))];
        all.extend((2..40).map(|account| left(account, Why::Created { failed: None })));
        all.push(left(
            40,
            Why::ChangedSince("UPDATE_COMPLETE, last event 1".into()),
        ));
        all.push(left(
            41,
            Why::ChangedSince("UPDATE_COMPLETE, last event 2".into()),
        ));
        all.push(left(
            42,
            Why::Gone {
                is_another_there: true,
                had_failed: false,
            },
        ));
        insta::assert_snapshot!(lines(&all).join("\n"), @r"
        000000000042/eu-west-1/app   the stack is gone, and the one of its name that is there now was made by somebody else; not touched
        2 targets   changed since (`--include-changed`)
            000000000040/eu-west-1/app   UPDATE_COMPLETE, last event 1
            000000000041/eu-west-1/app   UPDATE_COMPLETE, last event 2
        38 targets   created by it, and not touched; `--delete-created` deletes such stacks
            000000000002/eu-west-1/app
            000000000003/eu-west-1/app
            000000000004/eu-west-1/app
            and 35 more
        000000000001/eu-west-1/app   rolled back by execution 01900000-0000-7000-8000-000000000001 already (`--include-changed`)
        ");
        let only = lines(&[left(40, Why::ChangedSince("UPDATE_COMPLETE".into()))]);
        let told =
            "000000000040/eu-west-1/app   changed since: UPDATE_COMPLETE (`--include-changed`)";
        assert_eq!(only, [told]);
    }

    #[test]
    fn a_failed_creation_that_is_gone_is_foreseen() {
        for (had_failed, expected) in [(true, true), (false, false)] {
            let why = Why::Gone {
                is_another_there: false,
                had_failed,
            };
            assert_eq!(why.is_foreseen(), expected);
        }
    }

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
