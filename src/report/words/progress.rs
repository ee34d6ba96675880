//! How far executions, stages and targets are, how they ended, and why.

use super::super::Phase;
use super::super::screen::Tone;
use super::super::view::{Counts, StageStatus, State};
use crate::model::{
    AlarmCheck, Cause, Decision, ExecutionOutcome, Gate, GatePlace, PauseReason, Silence,
    SkipReason, StackEvent, StackStatus, Staleness, TargetOutcome,
};

use jiff::Timestamp;

use super::{between, clock, count, listed};

/// Returns what an execution is doing. `alive`: whether a process works on it, where that is known.
pub(in crate::report) fn state(state: &State, alive: Option<bool>) -> (&'static str, Tone) {
    let dead = alive == Some(false);
    match state {
        State::Unknown => ("unknown", Tone::Dim),
        State::Running if dead => ("interrupted", Tone::Warn),
        State::Running => ("running", Tone::Busy),
        State::WaitingForApproval => ("waiting for approval", Tone::Warn),
        State::Denied => ("denied", Tone::Bad),
        // Whoever runs it takes the answer up at once.
        State::Answered(_) | State::Overdue if alive == Some(true) => ("running", Tone::Busy),
        State::Answered(Decision::Approve) => ("approved, not executed", Tone::Warn),
        State::Answered(Decision::Reject) => ("rejected, not cleaned up", Tone::Warn),
        State::Overdue => ("approval expired, not cleaned up", Tone::Warn),
        State::Paused => ("paused", Tone::Warn),
        State::Stopping if dead => ("stopped, can be resumed", Tone::Warn),
        State::Stopping => ("stopping", Tone::Warn),
        State::GivingUp if dead => ("given up, not finished", Tone::Warn),
        State::GivingUp => ("giving up", Tone::Warn),
        State::Ended(outcome) => execution_outcome(outcome),
    }
}

/// Returns what an execution is doing, for machines.
pub(in crate::report) fn state_id(state: &State, alive: Option<bool>) -> &'static str {
    let dead = alive == Some(false);
    match state {
        State::Unknown => "unknown",
        State::Running if dead => "interrupted",
        State::Running => "running",
        State::WaitingForApproval => "waiting_for_approval",
        State::Denied => "denied",
        State::Answered(_) | State::Overdue if alive == Some(true) => "running",
        State::Answered(Decision::Approve) => "approved",
        State::Answered(Decision::Reject) => "rejected",
        State::Overdue => "expired",
        State::Paused => "paused",
        State::Stopping if dead => "stopped",
        State::Stopping => "stopping",
        State::GivingUp => "giving_up",
        State::Ended(outcome) => match outcome {
            ExecutionOutcome::Succeeded => "succeeded",
            ExecutionOutcome::NothingToDo => "nothing_to_do",
            ExecutionOutcome::SucceededWithFailures => "succeeded_with_failures",
            ExecutionOutcome::Failed => "failed",
            ExecutionOutcome::Rejected => "rejected",
            ExecutionOutcome::Expired => "expired",
            ExecutionOutcome::Stopped => "stopped",
        },
    }
}

/// Returns how far a stage is, for machines.
pub(in crate::report) fn stage_id(
    status: &StageStatus,
    state: &State,
    alive: Option<bool>,
) -> &'static str {
    match status {
        StageStatus::Waiting => "waiting",
        StageStatus::Running if is_left(state, alive) => "interrupted",
        StageStatus::Running => "running",
        StageStatus::Succeeded => "succeeded",
        StageStatus::Failed(_) => "failed",
        StageStatus::Skipped(_) => "skipped",
    }
}

/// Returns how far a target is, for machines.
pub(in crate::report) fn phase_id(phase: Phase<'_>) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::Creating => "creating_change_set",
        Phase::Reading => "reading_change_set",
        Phase::Ready => "change_set_ready",
        Phase::Deletable => "deletable",
        Phase::Checking => "checking_plan",
        Phase::Executing => "executing",
        Phase::CleaningUp => "cleaning_up",
        Phase::Ended(outcome) => match outcome {
            TargetOutcome::Succeeded { .. } => "succeeded",
            TargetOutcome::NoChanges => "no_changes",
            TargetOutcome::NotPlanned { .. } => "not_planned",
            TargetOutcome::Failed { .. } => "failed",
            TargetOutcome::Stale { .. } => "stale",
            TargetOutcome::Skipped { .. } => "skipped",
            TargetOutcome::Unknown { .. } => "unknown",
        },
    }
}

pub(in crate::report) fn execution_outcome(outcome: &ExecutionOutcome) -> (&'static str, Tone) {
    match outcome {
        ExecutionOutcome::Succeeded => ("succeeded", Tone::Good),
        ExecutionOutcome::NothingToDo => ("nothing to do", Tone::Good),
        ExecutionOutcome::SucceededWithFailures => ("succeeded with failures", Tone::Warn),
        ExecutionOutcome::Failed => ("failed", Tone::Bad),
        ExecutionOutcome::Rejected => ("rejected", Tone::Warn),
        ExecutionOutcome::Expired => ("approval expired", Tone::Warn),
        ExecutionOutcome::Stopped => ("given up", Tone::Warn),
    }
}

/// Returns whether the execution was left in the middle of its work.
fn is_left(state: &State, alive: Option<bool>) -> bool {
    match state {
        State::Running | State::Paused | State::Stopping | State::GivingUp => alive == Some(false),
        State::Unknown
        | State::WaitingForApproval
        | State::Denied
        | State::Answered(_)
        | State::Overdue
        | State::Ended(_) => false,
    }
}

/// Returns how far a stage of an execution is that is in `state`.
pub(in crate::report) fn stage_status(
    status: &StageStatus,
    state: &State,
    alive: Option<bool>,
) -> (&'static str, Tone) {
    match status {
        StageStatus::Waiting => ("waiting", Tone::Dim),
        StageStatus::Running if is_left(state, alive) => ("interrupted", Tone::Warn),
        StageStatus::Running if matches!(state, State::WaitingForApproval) => {
            ("waiting for an answer", Tone::Warn)
        }
        StageStatus::Running
            if matches!(state, State::Denied | State::Answered(_) | State::Overdue) =>
        {
            self::state(state, alive)
        }
        StageStatus::Running => ("running", Tone::Busy),
        StageStatus::Succeeded => ("succeeded", Tone::Good),
        StageStatus::Failed(_) => ("failed", Tone::Bad),
        StageStatus::Skipped(_) => ("skipped", Tone::Dim),
    }
}

pub(in crate::report) fn phase(phase: Phase<'_>) -> (&'static str, Tone) {
    match phase {
        Phase::Waiting => ("waiting", Tone::Dim),
        Phase::Creating => ("creating change set", Tone::Busy),
        Phase::Reading => ("reading change set", Tone::Busy),
        Phase::Ready => ("change set ready", Tone::Plain),
        Phase::Deletable => ("can be deleted", Tone::Plain),
        Phase::Checking => ("checking plan", Tone::Busy),
        Phase::Executing => ("executing", Tone::Busy),
        Phase::CleaningUp => ("cleaning up", Tone::Busy),
        Phase::Ended(outcome) => target_outcome(outcome),
    }
}

/// Returns how far a target is of an execution that is in `state`.
pub(in crate::report) fn target_phase(
    phase: Phase<'_>,
    state: &State,
    alive: Option<bool>,
) -> (&'static str, Tone) {
    if !is_left(state, alive) {
        return self::phase(phase);
    }
    match phase {
        Phase::Creating | Phase::Reading => ("creating change set when left", Tone::Warn),
        Phase::Checking => ("checking plan when left", Tone::Warn),
        Phase::Executing => ("executing when left", Tone::Warn),
        Phase::CleaningUp => ("cleaning up when left", Tone::Warn),
        Phase::Waiting | Phase::Ready | Phase::Deletable | Phase::Ended(_) => self::phase(phase),
    }
}

/// Returns what somebody else does to a stack that is waited for.
pub(in crate::report) fn busy(status: StackStatus) -> String {
    match status.refusal() {
        Some(why) => format!("{status}, {why}"),
        None => status.to_string(),
    }
}

pub(in crate::report) fn target_outcome(outcome: &TargetOutcome) -> (&'static str, Tone) {
    match outcome {
        TargetOutcome::Succeeded { .. } => ("succeeded", Tone::Good),
        TargetOutcome::NoChanges => ("no changes", Tone::Good),
        TargetOutcome::NotPlanned { .. } => ("not planned", Tone::Bad),
        TargetOutcome::Failed { .. } => ("failed", Tone::Bad),
        TargetOutcome::Stale { .. } => ("stale", Tone::Warn),
        TargetOutcome::Skipped { .. } => ("not started", Tone::Dim),
        TargetOutcome::Unknown { .. } => ("unknown", Tone::Bad),
    }
}

/// Returns what there is to say of an outcome besides its name.
pub(in crate::report) fn target_outcome_detail(outcome: &TargetOutcome) -> Option<String> {
    match outcome {
        TargetOutcome::Succeeded { status } => Some(status.to_string()),
        TargetOutcome::NoChanges => None,
        TargetOutcome::NotPlanned { cause } => Some(self::cause(cause)),
        TargetOutcome::Failed { status, cause } => Some(match status {
            Some(status) => format!("{}; the stack is {status}", self::cause(cause)),
            None => self::cause(cause),
        }),
        TargetOutcome::Stale { differences } => Some(stale(differences)),
        TargetOutcome::Skipped { reason } => Some(skip_reason(reason)),
        TargetOutcome::Unknown { reason } => Some(reason.clone()),
    }
}

/// Returns a cause in one line.
pub(in crate::report) fn cause(cause: &Cause) -> String {
    problems(cause).join("; ")
}

/// Returns the problems that a cause tells of, which are several where files are wrong in several places.
pub(in crate::report) fn problems(cause: &Cause) -> Vec<String> {
    match &cause.resource {
        Some((id, kind)) => vec![format!("{id} ({kind}): {}", cause.reason)],
        None => cause.reason.split('\n').map(str::to_owned).collect(),
    }
}

/// Returns what is done while a gate is being passed.
pub(in crate::report) fn passing(gate: &Gate) -> String {
    match gate {
        Gate::Bake { .. } => "baking".to_owned(),
        Gate::Alarms(AlarmCheck { minutes: 0, .. }) => "waiting for alarms to be OK".to_owned(),
        Gate::Alarms(_) => "baking, alarms watched,".to_owned(),
        Gate::Command(command) => format!("running {command}"),
        Gate::Approval => "waiting for approval".to_owned(),
    }
}

/// Returns what is done while a gate is being passed, and until when.
pub(in crate::report) fn passing_until(gate: &Gate, until: &str) -> String {
    let passing = passing(gate);
    match gate {
        // Its time is not what is waited for.
        Gate::Alarms(AlarmCheck { minutes: 0, .. }) => passing,
        Gate::Command(_) => format!("{passing}, at most until {until}"),
        Gate::Bake { .. } | Gate::Alarms(_) | Gate::Approval => format!("{passing} until {until}"),
    }
}

/// Returns `wave canary baking until 12:30:00 UTC (8 min 0 s left)`.
pub(in crate::report) fn gate(
    place: &GatePlace,
    until: Timestamp,
    held: Option<&str>,
    now: Option<Timestamp>,
) -> String {
    let left = match now {
        Some(now) if now < until => format!(" ({} left)", between(now, until)),
        Some(_) | None => String::new(),
    };
    let until = format!("{} UTC{left}", clock(until));
    let waits = format!("wave {} {}", place.wave, passing_until(&place.gate, &until));
    match held {
        Some(reason) => format!("{waits}: {reason}"),
        None => waits,
    }
}

/// Returns why targets were not started; equal reasons give equal texts.
pub(in crate::report) fn skip_reason(reason: &SkipReason) -> String {
    match reason {
        SkipReason::ToleranceExceeded { failed, tolerance } => format!(
            "tolerance exceeded: {} with {tolerance} tolerated",
            count(*failed as usize, "failure")
        ),
        SkipReason::EarlierRegionFailed { region } => format!("region {region} failed before"),
        SkipReason::EarlierWaveFailed { wave } => format!("wave {wave} failed before"),
        SkipReason::GateClosed { wave, gate, reason } => {
            format!("wave {wave}: {gate} was not passed: {reason}")
        }
        SkipReason::Rejected => "the plan was rejected".to_owned(),
        SkipReason::ApprovalExpired => "nobody answered the approval request in time".to_owned(),
        SkipReason::Stopped => "the execution was given up".to_owned(),
        SkipReason::RunElsewhere => "another run of this plan goes on with it".to_owned(),
        SkipReason::PlanIncomplete => {
            "the plan is incomplete: too many targets have no change set".to_owned()
        }
        SkipReason::RegionNotEnabled => "the region is not enabled in the account".to_owned(),
        SkipReason::NothingToDo => "nothing to change in any target".to_owned(),
    }
}

pub(in crate::report) fn stale(differences: &[Staleness]) -> String {
    let all: Vec<String> = differences.iter().map(staleness).collect();
    if all.is_empty() {
        "differs from what was approved".to_owned()
    } else {
        all.join("; ")
    }
}

pub(in crate::report) fn staleness(difference: &Staleness) -> String {
    match difference {
        Staleness::ChangeSetGone => "the change set is gone".to_owned(),
        Staleness::NotExecutable { status } => {
            format!("the change set can no longer be executed ({status})")
        }
        Staleness::ExecutedElsewhere => {
            "another run of this plan executed it; what is left is that run's".to_owned()
        }
        Staleness::StackReplaced => "the stack was deleted or made anew".to_owned(),
        Staleness::StatusChanged { approved, found } => {
            format!("the stack is {found}, it was {approved} when the plan was made")
        }
        Staleness::NewEvents => "the stack was changed after the plan was made".to_owned(),
        Staleness::ChangesDiffer { resources } if resources.is_empty() => {
            "the change set describes other changes than the approved ones".to_owned()
        }
        Staleness::NotDeletable { why } => why.clone(),
        Staleness::ObjectDiffers { path, why } => {
            format!("the code of `{path}` may be another one: {why}")
        }
        Staleness::ChangesDiffer { resources } => format!(
            "the change set describes other changes than the approved ones: {}",
            listed(resources)
        ),
    }
}

/// Returns since when nothing usable comes from a region, and how long it is asked again.
pub(in crate::report) fn silence(silence: &Silence) -> String {
    silence_then(silence, None, "")
}

/// Returns the same at the time `now`, and what comes `then` if it stays silent.
pub(in crate::report) fn silence_then(
    silence: &Silence,
    now: Option<Timestamp>,
    then: &str,
) -> String {
    let Silence {
        region,
        since,
        until,
        message,
    } = silence;
    let lasted = match now {
        Some(now) if now > *since => format!(" ({})", between(*since, now)),
        Some(_) | None => String::new(),
    };
    format!(
        "no usable answer from {region} since {} UTC{lasted}; it is asked again until about {} UTC{then}: {message}",
        clock(*since),
        clock(*until)
    )
}

/// Returns why an execution is paused and how it goes on, with the other targets that wait for the same answer.
pub(in crate::report) fn pause(reason: &PauseReason, others: usize) -> (String, &'static str) {
    let also = match others {
        0 => String::new(),
        _ => format!(", nor those of {}", count(others, "other target")),
    };
    match reason {
        PauseReason::CredentialsExpired { message } => (
            format!("credentials expired: {message}"),
            "renew the credentials, then resume",
        ),
        PauseReason::SecretNeeded { parameter, message } => (
            format!("a value is needed for the secret parameter {parameter}: {message}"),
            "provide the secret, then resume",
        ),
        PauseReason::OutcomeUnknown {
            target,
            accepted: true,
            message,
        } => {
            let also = match others {
                0 => String::new(),
                1 => ", and another target is asked about, too".to_owned(),
                _ => format!(", and {others} other targets are asked about, too"),
            };
            (
                format!(
                    "the change set of {target} was accepted, and its end cannot be seen{also}: {message}"
                ),
                "see to it that the stack's events can be read, then resume; `--give-up` ends it, and its end stays unknown",
            )
        }
        PauseReason::OutcomeUnknown {
            target,
            accepted: false,
            message,
        } => (
            format!(
                "it cannot be told whether the change set of {target} was executed{also}: {message}"
            ),
            "resume looks again; where it still cannot be told, look at the stack's events and say with `--unknown` what happened; `--give-up` ends it, and what happened stays unknown",
        ),
        PauseReason::GateUnreadable { wave, message } => (
            format!("what comes after wave {wave} cannot be looked at: {message}"),
            "see to it that it can, then resume",
        ),
        PauseReason::Unreachable {
            message, under_way, ..
        } => (
            format!("{}: {message}", unreached(reason)),
            match under_way {
                0 => "no target failed for it; when the region answers again, resume",
                _ => {
                    "no target failed for it; when the region answers again, resume; `--give-up` ends it without what is under way there, whose end stays unknown"
                }
            },
        ),
    }
}

/// Returns where nothing answers, and how the targets there are left; nothing for what is waited for elsewhere.
pub fn unreached(reason: &PauseReason) -> String {
    let PauseReason::Unreachable {
        region,
        untouched,
        under_way,
        ..
    } = reason
    else {
        return String::new();
    };
    let stands = |n: u32, left: &str| {
        (n > 0).then(|| {
            format!(
                "{} there {} {left}",
                count(n as usize, "target"),
                if n == 1 { "is" } else { "are" }
            )
        })
    };
    let left = [
        stands(*untouched, "untouched"),
        stands(*under_way, "under way in AWS"),
    ];
    let left: Vec<String> = left.into_iter().flatten().collect();
    match left.is_empty() {
        true => format!("no usable answer from {region}"),
        false => format!("no usable answer from {region}; {}", left.join(", ")),
    }
}

/// Returns an event of a stack, in one line.
pub(in crate::report) fn stack_event(event: &StackEvent) -> String {
    match &event.reason {
        Some(reason) => format!("{} {}: {reason}", event.logical_id, event.status),
        None => format!("{} {}", event.logical_id, event.status),
    }
}

/// Returns the counts that are not zero, worst last, each with its tone.
pub(in crate::report) fn counts(counts: &Counts) -> Vec<(String, Tone)> {
    let all = [
        (counts.succeeded, "succeeded", Tone::Good),
        (counts.unchanged, "without changes", Tone::Good),
        (counts.running, "running", Tone::Busy),
        (counts.planning, "being planned", Tone::Busy),
        (counts.ready, "ready", Tone::Plain),
        (counts.waiting, "waiting", Tone::Dim),
        (counts.skipped, "not started", Tone::Plain),
        (counts.stale, "stale", Tone::Warn),
        (counts.not_planned, "not planned", Tone::Bad),
        (counts.failed, "failed", Tone::Bad),
        (counts.unknown, "unknown", Tone::Bad),
    ];
    let present = all.into_iter().filter(|(number, _, _)| *number > 0);
    present
        .map(|(number, what, tone)| (format!("{number} {what}"), tone))
        .collect()
}
