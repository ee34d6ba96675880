//! What to do besides the commands that come next, by what stood in the way.

use std::collections::BTreeSet;

use super::{Counts, TargetView, View, causes};
use crate::model::status_reason::{Obstacle, obstacle};
use crate::model::{ChangeSetKind, ExecutionOutcome, StackStatus, Target, TargetOutcome};

/// How stacks whose creation failed are made anew.
const REPLACE: &str = "then run the same command again with --replace-failed: what is left of stacks whose creation failed is \
                       deleted first, after a review of its own";

/// What is known of targets that are done when the same is run again.
const DONE: &str = ": targets that are done show no changes";

/// What is done once everything has gone back.
const ROLLED_BACK: &str =
    "then mend what made it fail, and deploy again: what was rolled back is planned anew";

/// Returns what to do besides the commands.
pub(super) fn advice(view: &View) -> Option<String> {
    if let Some(followed) = view.followed() {
        return followed.is_back.then(|| ROLLED_BACK.to_owned());
    }
    if let Some(rolled_back) = view.rolled_back() {
        let is_over = rolled_back.outcome.is_some() && rolled_back.is_complete();
        return is_over.then(|| ROLLED_BACK.to_owned());
    }
    let advice = otherwise(view)?;
    // Where there is a command that goes on, this is the other way.
    Some(match (retry(view, ""), advice.strip_prefix("then ")) {
        (Some(_), Some(rest)) => format!("or {rest}"),
        (Some(_), None) | (None, _) => advice,
    })
}

fn otherwise(view: &View) -> Option<String> {
    let is_given_up = match view.outcome()? {
        ExecutionOutcome::Succeeded
        | ExecutionOutcome::NothingToDo
        | ExecutionOutcome::Rejected
        | ExecutionOutcome::Expired => return None,
        ExecutionOutcome::SucceededWithFailures | ExecutionOutcome::Failed => false,
        ExecutionOutcome::Stopped => true,
    };
    if has_failed_creation(view) {
        return Some(REPLACE.to_owned());
    }
    let counts = view.counts();
    let only_plans_failed = counts.failed + counts.unknown == 0 && counts.not_planned > 0;
    Some(if view.deletes() && counts.not_planned > 0 {
        "then clear away what keeps the others, and delete again: what is gone is passed over"
            .to_owned()
    } else if view.imported_by().is_some() {
        format!("then make a new plan, since this one is spent{DONE}")
    } else if counts.stale > 0 {
        format!("then plan and review anew{DONE}")
    } else if only_plans_failed && !is_given_up {
        let what = after(&obstacles(view));
        let is_done = counts.succeeded + counts.unchanged > 0;
        format!("then {what}{}", if is_done { DONE } else { "" })
    } else {
        format!("then run the same command again{DONE}")
    })
}

/// Returns the command that runs the targets again that are not done. Where no change set could be made, something has to
/// be mended first, and the same command then takes it up.
pub(super) fn retry(view: &View, id: &str) -> Option<String> {
    retry_of(view, id, |_| true)
}

/// Returns the same where only some of its targets are still open.
pub(super) fn retry_of(view: &View, id: &str, is_open: impl Fn(&Target) -> bool) -> Option<String> {
    let targets = view.targets().into_iter();
    let open: Vec<&TargetView> = targets.filter(|t| is_open(t.target())).collect();
    let mut counts = Counts::default();
    for target in &open {
        *counts.slot(target.phase()) += 1;
    }
    let failed = counts.failed + counts.unknown;
    let others = counts.skipped + counts.stale;
    if counts.not_planned > 0 || failed + others == 0 {
        return None;
    }
    let which = if others == 0 { " --failed" } else { "" };
    let anew = match open.into_iter().any(is_failed_creation) && !view.deletes() {
        true => " --replace-failed",
        false => "",
    };
    Some(format!("stackgate retry {id}{which}{anew}"))
}

/// Returns the commands that take back what a rollout changed which did not go well everywhere: of stacks that there were
/// before, and of those that it made.
pub(super) fn rollbacks(view: &View, id: &str) -> Vec<String> {
    // One that has not come to its end goes on, and nothing is left where it is complete.
    let is_taken_care_of = view.rolled_back().is_some_and(|rolled_back| {
        !rolled_back.next.is_empty() || rolled_back.is_open() || rolled_back.is_complete()
    });
    if !is_cut_short(view) {
        return Vec::new();
    }
    let can_roll_back = !is_taken_care_of && view.targets().into_iter().any(is_updated);
    // What it made does not go back by itself.
    let can_delete = (!is_taken_care_of || view.is_to_be_rolled_back()) && has_made_stacks(view);
    rollbacks_of(id, can_roll_back, can_delete)
}

/// Returns the same of an execution whose stacks are known to be there.
pub(super) fn rollbacks_of(id: &str, can_roll_back: bool, can_delete: bool) -> Vec<String> {
    let mut commands = Vec::new();
    if can_roll_back {
        commands.push(format!("stackgate rollback {id}"));
    }
    if can_delete {
        commands.push(format!("stackgate rollback {id} --delete-created"));
    }
    commands
}

/// Returns whether an execution did not go well to the end in all of its targets.
pub(super) fn is_cut_short(view: &View) -> bool {
    match view.outcome() {
        Some(
            ExecutionOutcome::Failed
            | ExecutionOutcome::Stopped
            | ExecutionOutcome::SucceededWithFailures,
        ) => true,
        Some(
            ExecutionOutcome::Succeeded
            | ExecutionOutcome::NothingToDo
            | ExecutionOutcome::Rejected
            | ExecutionOutcome::Expired,
        )
        | None => false,
    }
}

/// Returns whether a stack that there was before was changed.
pub(super) fn is_updated(target: &TargetView) -> bool {
    let is_done = matches!(target.outcome(), Some(TargetOutcome::Succeeded { .. }));
    is_done && target.kind() == Some(ChangeSetKind::Update)
}

/// Returns whether stacks are left that the execution made.
pub(super) fn has_made_stacks(view: &View) -> bool {
    view.targets().into_iter().any(is_made)
}

/// Returns whether the execution made the stack.
pub(super) fn is_made(target: &TargetView) -> bool {
    target.is_changed() && target.kind() == Some(ChangeSetKind::Create)
}

fn has_failed_creation(view: &View) -> bool {
    view.targets().into_iter().any(is_failed_creation)
}

fn is_failed_creation(target: &TargetView) -> bool {
    matches!(target.outcome(), Some(TargetOutcome::Failed { status: Some(status), .. }) if status.is_failed_creation())
}

/// Returns what stood in the way of the targets that have no change set.
fn obstacles(view: &View) -> BTreeSet<Obstacle> {
    let groups = causes::not_planned(view);
    groups
        .iter()
        .map(|group| obstacle(&group.cause.reason))
        .collect()
}

/// Returns what to do where no change set could be made; the causes stand above it.
fn after(obstacles: &BTreeSet<Obstacle>) -> &'static str {
    let statuses: Vec<StackStatus> = obstacles.iter().filter_map(Obstacle::status).collect();
    let are_all_statuses = statuses.len() == obstacles.len();
    if are_all_statuses && statuses.iter().all(|status| status.is_failed_creation()) {
        return "run the same command again with --replace-failed, or delete what is left as said above and run it again";
    }
    if are_all_statuses && statuses.iter().all(|status| !status.is_settled()) {
        return "run the same command again once the operation of somebody else has ended, or now with --wait-for-stack";
    }
    match obstacles.first().filter(|_| obstacles.len() == 1) {
        Some(Obstacle::Denied) => {
            "have allowed what was denied, as said above, and run the same command again"
        }
        Some(Obstacle::Throttled) => {
            "run the same command again in a while: the service asked for fewer calls"
        }
        Some(Obstacle::Unreachable) => {
            "run the same command again once the endpoint can be reached"
        }
        Some(Obstacle::Capabilities) => {
            "run the same command again with the capabilities that are missing"
        }
        Some(Obstacle::File) => {
            "mend the template or its values as said above, and run the same command again"
        }
        Some(Obstacle::Status(_)) => {
            "run the command that the stack's status asks for, as said above, and the same command again"
        }
        Some(Obstacle::Other) => "mend what is said above, and run the same command again",
        None => "do what is said of each cause above, and run the same command again",
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self, Script};
    use super::*;
    use crate::model::{Cause, EventKind};

    fn advice_of(script: &Script) -> String {
        advice(&script.view()).unwrap()
    }

    #[test]
    fn a_command_is_repeated_only_where_that_helps() {
        assert!(advice_of(&fixtures::halted()).contains("run the same command again"));
        assert!(advice_of(&fixtures::stale()).contains("plan and review anew"));
        let mut elsewhere = fixtures::halted();
        elsewhere.say(EventKind::PlanImported {
            file: crate::model::Digest::of(b"file"),
            by: fixtures::alice(),
            invocation: Box::default(),
            risks: Default::default(),
            covers_former: true,
        });
        assert!(advice_of(&elsewhere).contains("make a new plan"));
    }

    #[test]
    fn what_comes_next_follows_from_what_stood_in_the_way() {
        let after = |reasons: &[&str]| {
            let targets = fixtures::four();
            let mut script = Script::new(&targets[..reasons.len()]);
            for (target, reason) in targets.iter().zip(reasons) {
                let cause = Cause::of(reason);
                script.end(target, TargetOutcome::NotPlanned { cause });
            }
            script.finish(ExecutionOutcome::Failed);
            advice_of(&script)
        };
        let file = "templates/app.yaml:3:3: parameter `Value` has no value, expected one; give it";
        let service = "CreateChangeSet in 111111111111/us-east-1: ValidationError: Template error: instance of Fn::GetAtt";
        let throttled =
            "CreateChangeSet in 111111111111/us-east-1: Throttling: Rate exceeded (request 1)";
        let gone = "the stack is ROLLBACK_COMPLETE: its creation failed";
        let busy = "the stack is UPDATE_IN_PROGRESS: somebody else is updating it";
        let stuck = "the stack is UPDATE_ROLLBACK_FAILED: its last update failed";
        let lines = [
            &[file][..],
            &[file, service],
            &[throttled],
            &[gone],
            &[busy],
            &[stuck],
            &["CreateChangeSet in x: InsufficientCapabilities: y; add `--capabilities CAPABILITY_IAM`"],
            &["CreateChangeSet in x: LimitExceededException: too many"],
            &[gone, busy],
        ]
        .map(after);
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn targets_that_are_done_are_spoken_of_where_there_are_some() {
        let targets = fixtures::four();
        let mut script = Script::new(&targets[..2]);
        script.end(&targets[0], TargetOutcome::NoChanges);
        let cause = Cause::of("CreateChangeSet in x: Throttling: Rate exceeded");
        script.end(&targets[1], TargetOutcome::NotPlanned { cause });
        script.finish(ExecutionOutcome::Failed);
        assert!(advice_of(&script).ends_with(DONE));
    }
}
