//! The commands that go on from where an execution is.

use crate::model::{
    Decision, ExecutionId, ExecutionOutcome, Follows, Recovery, StackStatus, Target, TargetOutcome,
};

use super::review::execution;
use super::screen::{Line, Page, Tone, columns};
use super::versions::Versions;
use super::view::State;
use super::{View, advice, recover};

/// Adds the commands that go on from here.
pub(super) fn next_commands(page: &mut Page<'_>, view: &View) {
    let Some(id) = view.execution() else {
        return;
    };
    let id = execution(id, page.options);
    let commands = labelled(view, next(view, &id));
    for (at, (command, of)) in commands.iter().enumerate() {
        let label = if at == 0 { "next: " } else { "      " };
        let mut line = Line::of(Tone::Dim, label).add(Tone::Strong, command);
        let of = of.map(|of| format!("   {of}"));
        // A command is never broken: what it is for goes below it where both do not fit into the line.
        let below = of.filter(|of| {
            let fits = line.columns() + columns(of) <= page.options.width;
            if fits {
                line.push(Tone::Dim, of);
            }
            !fits
        });
        page.verbatim(line);
        if let Some(of) = below {
            page.line(Line::indent(6).add(Tone::Dim, &of), 9);
        }
    }
    if let Some(advice) = advice::advice(view) {
        page.line(Line::indent(6).add(Tone::Dim, &advice), 6);
    }
}

/// Returns the commands, each with what it is for: where that is another execution than the one in `view`, and where an execution
/// left its targets with two versions.
pub(super) fn labelled(view: &View, commands: Vec<String>) -> Vec<(String, Option<&'static str>)> {
    let rollback = view.rolled_back().and_then(|r| r.execution.as_ref());
    let mut others: Vec<(&ExecutionId, &'static str)> = Vec::new();
    others.extend(rollback.map(|id| (id, "for the rollback")));
    let followers = view.followed().into_iter().flat_map(|f| &f.executions);
    others.extend(followers.map(|follower| match follower.follows {
        Follows::Retries(_) => (&follower.execution, "for the retry"),
        Follows::RollsBack(_) => (&follower.execution, "for the rollback"),
    }));
    let label = |command: &String| {
        let mut words = command.split(' ');
        words.find_map(|word| {
            let mut others = others
                .iter()
                .filter(|(id, _)| Some(*id) != view.execution());
            let other = others.find(|(id, _)| id.as_str() == word);
            other.map(|(_, label)| *label)
        })
    };
    let is_mixed = Versions::left(view).is_some();
    let labelled = |command: String| {
        let of = label(&command).or_else(|| is_mixed.then(|| way_out(&command)).flatten());
        (command, of)
    };
    commands.into_iter().map(labelled).collect()
}

/// Returns where a command leads from an execution that left its targets with two versions.
fn way_out(command: &str) -> Option<&'static str> {
    let mut words = command.split(' ').skip(1);
    match words.next()? {
        "retry" | "resume" => Some("to go on"),
        "rollback" => Some("to take back"),
        "stop" => Some("to end it, then roll back"),
        _ => None,
    }
}

/// Returns the commands that go on from where the execution is, the likeliest first.
pub(super) fn next(view: &View, id: &str) -> Vec<String> {
    match view.state() {
        State::Unknown => Vec::new(),
        State::Running | State::Paused | State::Stopping | State::Answered(Decision::Approve) => {
            vec![
                format!("stackgate resume {id}"),
                format!("stackgate stop {id} --give-up"),
            ]
        }
        State::GivingUp | State::Answered(Decision::Reject) | State::Overdue => {
            vec![format!("stackgate resume {id}")]
        }
        State::Denied => vec![format!("stackgate reject {id}")],
        State::WaitingForApproval => {
            let go_on = match view.exported() {
                Some(file) => format!("stackgate deploy --plan {file}"),
                None => format!("stackgate approve {id}"),
            };
            vec![go_on, format!("stackgate reject {id}")]
        }
        State::Ended(outcome) => match (view.followed(), outcome) {
            // Somebody went on from it already.
            (Some(followed), _) => followed.next.clone(),
            (None, ExecutionOutcome::Rejected | ExecutionOutcome::Expired) => Vec::new(),
            (None, ExecutionOutcome::Succeeded | ExecutionOutcome::NothingToDo) => {
                let left = view.left_failed().into_iter();
                let ways =
                    left.filter_map(|(target, status)| Some((target, Recovery::of(status)?)));
                recover::commands_of(id, ways.collect())
            }
            (
                None,
                ExecutionOutcome::SucceededWithFailures
                | ExecutionOutcome::Failed
                | ExecutionOutcome::Stopped,
            ) => {
                let mut commands = match view.rolled_back() {
                    // What is to be retried has gone back, or is going to.
                    Some(rolled_back) => rolled_back.next.clone(),
                    None => advice::retry(view, id).into_iter().collect(),
                };
                commands.extend(advice::rollbacks(view, id));
                commands.push(format!("stackgate events {id}"));
                commands.extend(recover::commands_of(id, stuck(view)));
                commands
            }
        },
    }
}

impl View {
    /// Returns the targets in which there was nothing to change and whose stacks are in the middle of an operation that failed
    /// before, each with the status.
    pub fn left_failed(&self) -> Vec<(&Target, StackStatus)> {
        let targets = self.targets().into_iter();
        let left = targets.filter_map(|target| match target.outcome() {
            Some(TargetOutcome::NoChanges) => {
                let status = target.former_status().filter(|status| status.is_failed());
                Some((target.target(), status?))
            }
            Some(_) | None => None,
        });
        left.collect()
    }
}

/// Returns the targets that this execution left stuck, and what gets them out. A creation that failed is made anew instead.
pub(super) fn stuck(view: &View) -> Vec<(&Target, Recovery)> {
    let targets = view.targets().into_iter();
    let stuck = targets.filter_map(|target| match target.outcome() {
        Some(TargetOutcome::Failed { status, .. }) => {
            let is_left =
                |status: &StackStatus| status.is_settled() && !status.is_failed_creation();
            Some((
                target.target(),
                status.filter(is_left).and_then(Recovery::of)?,
            ))
        }
        Some(_) | None => None,
    });
    stuck.collect()
}

/// Returns the same for machines, which cannot be asked whether they mean the plan that is shown.
pub(super) fn next_for_machines(view: &View, id: &str) -> Vec<String> {
    let mut commands = next(view, id);
    if let (State::WaitingForApproval, Some(approval)) = (view.state(), view.approval())
        && let Some(go_on) = commands.first_mut()
    {
        let named = match view.exported() {
            Some(_) => "--approve",
            None => "--plan",
        };
        go_on.push_str(&format!(" {named} {}", approval.plan));
        if let Some(wave) = approval.wave {
            go_on.push_str(&format!(" --wave {wave}"));
        }
    }
    commands
}
