//! The words of all screens: one place, so that the same thing is always called the same.

use jiff::{SignedDuration, Timestamp};

use crate::diff::{DefaultDiff, value_text};
use crate::model::{
    Approver, Caller, Cause, ConcurrencyMode, CountOrPercent, Decision, ExecutionOutcome, Layer,
    OnStackFailure, OperationPreferences, Origin, ParameterValue, PauseReason, PolicyAction,
    Provenance, Region, RegionConcurrency, SkipReason, StackEvent, StackOptions, StackSetting,
    StackStatus, Staleness, StopMode, StopRequest, Target, TargetOutcome,
};

use super::review_data::ParameterUse;
use super::screen::Tone;
use super::view::{Counts, StageStatus, State};
use super::{Phase, View};

/// Returns `3 targets` or `1 target`.
pub(super) fn count(number: usize, noun: &str) -> String {
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

/// Names targets as shortly as the execution allows: without the stack where all stacks have one name.
#[derive(Debug, Clone, Default)]
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

    pub(super) fn names<'a>(&self, targets: impl IntoIterator<Item = &'a Target>) -> Vec<String> {
        targets.into_iter().map(|t| self.name(t)).collect()
    }
}

/// Returns a duration as people say it: `1.8 s`, `2 min 3 s`, `3 h 4 min`, `6 d 23 h`.
pub(super) fn duration(duration: SignedDuration) -> String {
    let millis = duration.as_millis().max(0);
    let seconds = millis / 1000;
    match seconds {
        0..10 => format!("{}.{} s", seconds, millis % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Returns the duration between two times.
pub(super) fn between(from: Timestamp, to: Timestamp) -> String {
    duration(to.duration_since(from))
}

/// Returns a time to the second, in UTC.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Returns a time to the second, in UTC, as short as it can be told from local time.
pub(super) fn short_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Returns a time to the minute, likewise.
pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%MZ").to_string()
}

/// Returns the hours, minutes and seconds of a time, in UTC.
pub(super) fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

/// Returns what an execution is doing. `alive`: whether a process works on it, where that is known.
pub(super) fn state(state: &State, alive: Option<bool>) -> (&'static str, Tone) {
    let dead = alive == Some(false);
    match state {
        State::Unknown => ("unknown", Tone::Dim),
        State::Running if dead => ("interrupted", Tone::Warn),
        State::Running => ("running", Tone::Busy),
        State::WaitingForApproval => ("waiting for approval", Tone::Warn),
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
pub(super) fn state_id(state: &State, alive: Option<bool>) -> &'static str {
    let dead = alive == Some(false);
    match state {
        State::Unknown => "unknown",
        State::Running if dead => "interrupted",
        State::Running => "running",
        State::WaitingForApproval => "waiting_for_approval",
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
pub(super) fn stage_id(status: &StageStatus, state: &State, alive: Option<bool>) -> &'static str {
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
pub(super) fn phase_id(phase: Phase<'_>) -> &'static str {
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

pub(super) fn execution_outcome(outcome: &ExecutionOutcome) -> (&'static str, Tone) {
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
        | State::Answered(_)
        | State::Overdue
        | State::Ended(_) => false,
    }
}

/// Returns how far a stage of an execution is that is in `state`.
pub(super) fn stage_status(
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
        StageStatus::Running if matches!(state, State::Answered(_) | State::Overdue) => {
            self::state(state, alive)
        }
        StageStatus::Running => ("running", Tone::Busy),
        StageStatus::Succeeded => ("succeeded", Tone::Good),
        StageStatus::Failed(_) => ("failed", Tone::Bad),
        StageStatus::Skipped(_) => ("skipped", Tone::Dim),
    }
}

pub(super) fn phase(phase: Phase<'_>) -> (&'static str, Tone) {
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
pub(super) fn target_phase(
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
pub(super) fn busy(status: StackStatus) -> String {
    match status.refusal() {
        Some(why) => format!("{status}, {why}"),
        None => status.to_string(),
    }
}

pub(super) fn target_outcome(outcome: &TargetOutcome) -> (&'static str, Tone) {
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
pub(super) fn target_outcome_detail(outcome: &TargetOutcome) -> Option<String> {
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
pub(super) fn cause(cause: &Cause) -> String {
    problems(cause).join("; ")
}

/// Returns the problems that a cause tells of, which are several where files are wrong in several places.
pub(super) fn problems(cause: &Cause) -> Vec<String> {
    match &cause.resource {
        Some((id, kind)) => vec![format!("{id} ({kind}): {}", cause.reason)],
        None => cause.reason.split('\n').map(str::to_owned).collect(),
    }
}

/// Returns why targets were not started; equal reasons give equal texts.
pub(super) fn skip_reason(reason: &SkipReason) -> String {
    match reason {
        SkipReason::ToleranceExceeded { failed, tolerance } => format!(
            "tolerance exceeded: {} with {tolerance} tolerated",
            count(*failed as usize, "failure")
        ),
        SkipReason::EarlierRegionFailed { region } => format!("region {region} failed before"),
        SkipReason::Rejected => "the plan was rejected".to_owned(),
        SkipReason::ApprovalExpired => "nobody answered the approval request in time".to_owned(),
        SkipReason::Stopped => "the execution was given up".to_owned(),
        SkipReason::PlanIncomplete => {
            "the plan is incomplete: too many targets have no change set".to_owned()
        }
        SkipReason::NothingToDo => "nothing to change in any target".to_owned(),
    }
}

pub(super) fn stale(differences: &[Staleness]) -> String {
    let all: Vec<String> = differences.iter().map(staleness).collect();
    if all.is_empty() {
        "differs from what was approved".to_owned()
    } else {
        all.join("; ")
    }
}

pub(super) fn staleness(difference: &Staleness) -> String {
    match difference {
        Staleness::ChangeSetGone => "the change set is gone".to_owned(),
        Staleness::NotExecutable { status } => {
            format!("the change set can no longer be executed ({status})")
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
        Staleness::ChangesDiffer { resources } => format!(
            "the change set describes other changes than the approved ones: {}",
            listed(resources)
        ),
    }
}

/// Returns why an execution is paused and how it goes on.
pub(super) fn pause(reason: &PauseReason) -> (String, &'static str) {
    match reason {
        PauseReason::CredentialsExpired { message } => (
            format!("credentials expired: {message}"),
            "renew the credentials, then resume",
        ),
        PauseReason::SecretNeeded { parameter, message } => (
            format!("a value is needed for the secret parameter {parameter}: {message}"),
            "provide the secret, then resume",
        ),
        PauseReason::OutcomeUnknown { target, message } => (
            format!("it cannot be told whether the change set of {target} was executed: {message}"),
            "look at the stack's events, then resume and say with `--unknown` what happened",
        ),
    }
}

pub(super) fn approver(approver: &Approver) -> String {
    match &approver.arn {
        Some(arn) => format!(
            "{}@{} as {}",
            approver.os_user,
            approver.host,
            identity(arn)
        ),
        None => format!("{}@{}", approver.os_user, approver.host),
    }
}

pub(super) fn decision(decision: Decision) -> (&'static str, Tone) {
    match decision {
        Decision::Approve => ("approved", Tone::Good),
        Decision::Reject => ("rejected", Tone::Warn),
    }
}

/// Returns what an execution that has ended cannot tell, where its plan left in a file.
pub(super) fn elsewhere(view: &View) -> Option<String> {
    let file = view.exported().filter(|_| view.outcome().is_some())?;
    Some(format!(
        "exported to {file}; what happened elsewhere is not known here"
    ))
}

/// Returns that somebody asked for the execution to stop, and why.
pub(super) fn stop_request(request: &StopRequest) -> String {
    let what = match request.mode {
        StopMode::Wait | StopMode::Abandon => "stop asked for by",
        StopMode::GiveUp => "giving up asked for by",
    };
    let who = approver(&request.by);
    if request.reason.is_empty() {
        format!("{what} {who}")
    } else {
        format!("{what} {who}: {}", request.reason)
    }
}

pub(super) fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Prompt => "at the prompt",
        Origin::Command => "by command",
        Origin::Flag => "by --yes",
    }
}

/// Returns the part of a caller's ARN that says who: `assumed-role/Deploy/alice`, `user/bob`, `root`.
pub(super) fn identity(arn: &str) -> &str {
    arn.splitn(6, ':').nth(5).unwrap_or(arn)
}

/// Returns an identity without the session's name where that is ours: it is the execution's, said already.
fn without_session(identity: &str) -> &str {
    match identity.rsplit_once('/') {
        Some((role, session)) if is_own_session(session) => role,
        Some(_) | None => identity,
    }
}

fn is_own_session(session: &str) -> bool {
    session
        .strip_prefix("stackgate-")
        .is_some_and(|id| id.len() == 36 && crate::model::ExecutionId::new(id).is_ok())
}

/// Returns who calls and where: equal identities once, with their accounts or, beyond `limit`, their number.
pub(super) fn callers<'a>(
    callers: impl IntoIterator<Item = &'a Caller>,
    limit: usize,
) -> Vec<String> {
    let mut by_identity: Vec<(&str, Vec<&str>)> = Vec::new();
    for caller in callers {
        let name = match limit {
            usize::MAX => identity(&caller.arn),
            _ => without_session(identity(&caller.arn)),
        };
        let account = caller.account.as_str();
        match by_identity.iter_mut().find(|(known, _)| *known == name) {
            Some((_, accounts)) if accounts.contains(&account) => {}
            Some((_, accounts)) => accounts.push(account),
            None => by_identity.push((name, vec![account])),
        }
    }
    let say = |(name, accounts): (&str, Vec<&str>)| {
        if accounts.len() > limit {
            format!("{name} in {}", count(accounts.len(), "account"))
        } else {
            format!("{name} in {}", accounts.join(", "))
        }
    };
    by_identity.into_iter().map(say).collect()
}

pub(super) fn layer(layer: Layer) -> &'static str {
    match layer {
        Layer::TemplateDefault => "template default",
        Layer::Previous => "previous value",
        Layer::Stack => "for all targets",
        Layer::Region => "for the region",
        Layer::Account => "for the account",
        Layer::AccountRegion => "for the account and region",
        Layer::Override => "given on the command line or by the action",
    }
}

/// Returns where a value came from: its file and line, else its layer.
pub(super) fn provenance(provenance: &Provenance) -> String {
    let place = match (&provenance.file, provenance.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        (None, _) => layer(provenance.layer).to_owned(),
    };
    match &provenance.lookup {
        Some(lookup) => format!("{place}: {lookup}"),
        None => place,
    }
}

/// Returns what is planned for the termination protection of stacks.
pub(super) fn protection(is_on: bool) -> &'static str {
    if is_on {
        "termination protection"
    } else {
        "no termination protection"
    }
}

/// Returns JSON text on several lines, or the text as it is if it is none.
pub(super) fn pretty_json(text: &str) -> String {
    serde_json::from_str::<serde_json::Value>(text)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| text.to_owned())
}

/// Returns what becomes of a resource that leaves its stack, as far as is known.
pub(super) fn removal(policy: Option<PolicyAction>) -> (&'static str, Tone) {
    match policy {
        Some(PolicyAction::Retain | PolicyAction::ReplaceAndRetain) => ("REMOVE, kept", Tone::Warn),
        Some(PolicyAction::Snapshot | PolicyAction::ReplaceAndSnapshot) => {
            ("REMOVE after snapshot", Tone::Bad)
        }
        Some(PolicyAction::Delete | PolicyAction::ReplaceAndDelete) | None => ("REMOVE", Tone::Bad),
    }
}

/// Returns what is set on a stack.
pub(super) fn setting(setting: StackSetting) -> &'static str {
    match setting {
        StackSetting::TerminationProtection => "termination protection",
        StackSetting::StackPolicy => "stack policy",
    }
}

/// Returns what is asked of stacks, one text for each.
pub(super) fn options(options: &StackOptions) -> Vec<String> {
    let StackOptions {
        notification_arns,
        on_stack_failure,
        disable_rollback,
        rollback_triggers,
        monitoring_minutes,
        import_existing_resources,
        // Told with the resources.
        resources_to_import: _,
        include_nested_stacks,
        // Told with what else is set by a call of its own.
        termination_protection: _,
    } = options;
    let mut texts = Vec::new();
    match on_stack_failure {
        Some(OnStackFailure::Rollback) => texts.push("rollback on failure".to_owned()),
        Some(OnStackFailure::Delete) => texts.push("deletion on failure".to_owned()),
        Some(OnStackFailure::DoNothing) => texts.push("no rollback on failure".to_owned()),
        None if *disable_rollback => texts.push("no rollback on failure".to_owned()),
        None => {}
    }
    let triggers = rollback_triggers.iter();
    texts.extend(triggers.map(|trigger| format!("rollback trigger {trigger}")));
    texts
        .extend(monitoring_minutes.map(|m| format!("{} of monitoring", count(m.into(), "minute"))));
    let topics = notification_arns.iter();
    texts.extend(topics.map(|arn| format!("notifications to {arn}")));
    if *import_existing_resources {
        texts.push("import of existing resources".to_owned());
    }
    if *include_nested_stacks {
        texts.push("change sets of nested stacks".to_owned());
    }
    texts
}

/// Returns what may be shown of a parameter's value.
pub(super) fn parameter(value: &ParameterValue) -> String {
    match value {
        ParameterValue::Plain(text) | ParameterValue::Default(Some(text)) => value_text(text),
        ParameterValue::Default(None) => "**** (default)".to_owned(),
        ParameterValue::Previous => "(the value the stack has)".to_owned(),
        ParameterValue::Secret(reference) => format!("**** from {reference}"),
    }
}

/// Returns what may be shown of a parameter's value, and of what the stacks have: `30 → 45`.
pub(super) fn parameter_use(one: &ParameterUse, arrow: &str) -> String {
    let after = parameter(&one.value);
    let before = match one.before.first() {
        None => return after,
        Some(only) if one.before.len() == 1 => value_text(only),
        Some(_) => "several values".to_owned(),
    };
    match &one.value {
        ParameterValue::Previous => kept(&before),
        ParameterValue::Plain(_) | ParameterValue::Default(_) | ParameterValue::Secret(_) => {
            if one.is_change() {
                format!("{before} {arrow} {after}")
            } else {
                after
            }
        }
    }
}

/// Returns what is said of a value that a stack keeps.
pub(super) fn kept(value: &str) -> String {
    format!("{value} (kept)")
}

/// Returns what is said of a default that changes although the stack keeps its value.
pub(super) fn kept_default(default: &DefaultDiff, arrow: &str) -> String {
    format!(
        "the template's default changes, {} {arrow} {}, and the stack keeps its value; set it to change it",
        optional(default.before.as_deref()),
        optional(default.after.as_deref()),
    )
}

/// Returns what is said of a value that there may not be.
pub(super) fn optional(value: Option<&str>) -> String {
    value.map_or_else(|| "(none)".to_owned(), value_text)
}

/// Returns how a rollout moves over `regions`: their order, how many targets at a time, when it stops.
///
/// `most`: how many targets there are in the largest region, of which percentages are taken.
pub(super) fn rollout(
    preferences: &OperationPreferences,
    regions: &[Region],
    most: usize,
) -> Vec<String> {
    let mut order: Vec<&Region> = Vec::new();
    let named = preferences.region_order.iter();
    for region in named.filter(|r| regions.contains(r)).chain(regions) {
        if !order.contains(&region) {
            order.push(region);
        }
    }
    let several = order.len() > 1;
    let shown: Vec<&str> = order.iter().take(6).map(|r| r.as_str()).collect();
    let hidden = order.len() - shown.len();
    let mut places = match preferences.region_concurrency {
        RegionConcurrency::Sequential => shown.join(", then "),
        RegionConcurrency::Parallel => shown.join(", "),
    };
    if hidden > 0 {
        places.push_str(&format!(" and {hidden} more"));
    }
    if several && preferences.region_concurrency == RegionConcurrency::Parallel {
        places.push_str(" side by side");
    }
    let (place, what) = match preferences.region_concurrency {
        RegionConcurrency::Parallel if several => (" in a region", "it"),
        RegionConcurrency::Sequential if several => (" in a region", "the rollout"),
        RegionConcurrency::Parallel | RegionConcurrency::Sequential => ("", "the rollout"),
    };
    let stop = match preferences.failure_tolerance {
        CountOrPercent::Count(0) | CountOrPercent::Percent(0) => {
            let place = if what == "it" { place } else { "" };
            format!("the first failure{place} stops {what}")
        }
        CountOrPercent::Count(number) => {
            let failures = count(number as usize, "failure");
            format!("more than {failures}{place} stop {what}")
        }
        CountOrPercent::Percent(share) => {
            format!("more than {share}% failures{place} stop {what}")
        }
    };
    vec![places, concurrency(preferences, most), stop]
}

/// Returns how many targets are changed at a time: fewer than were asked for where a strict mode says so.
fn concurrency(preferences: &OperationPreferences, most: usize) -> String {
    let share = |value: CountOrPercent| match value {
        CountOrPercent::Count(number) => number as usize,
        CountOrPercent::Percent(share) => most.saturating_mul(usize::from(share)) / 100,
    };
    let asked = match preferences.max_concurrent {
        CountOrPercent::Count(number) => count(number as usize, "target"),
        CountOrPercent::Percent(share) => format!("{share}% of the targets"),
    };
    // Strict: never more than could all fail with one failure beyond the tolerance.
    let allowed = share(preferences.failure_tolerance).saturating_add(1);
    match preferences.concurrency_mode {
        ConcurrencyMode::Strict if allowed < share(preferences.max_concurrent).min(most) => {
            let asked = match preferences.max_concurrent {
                CountOrPercent::Count(number) => number.to_string(),
                CountOrPercent::Percent(share) => format!("{share}%"),
            };
            format!(
                "{} at a time ({asked} asked for; strict mode allows one more than may fail)",
                count(allowed, "target")
            )
        }
        ConcurrencyMode::Strict | ConcurrencyMode::Soft => format!("{asked} at a time"),
    }
}

/// Returns an event of a stack, in one line.
pub(super) fn stack_event(event: &StackEvent) -> String {
    match &event.reason {
        Some(reason) => format!("{} {}: {reason}", event.logical_id, event.status),
        None => format!("{} {}", event.logical_id, event.status),
    }
}

/// Returns the counts that are not zero, worst last, each with its tone.
pub(super) fn counts(counts: &Counts) -> Vec<(String, Tone)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let of = |ms: i64| duration(SignedDuration::from_millis(ms));
        assert_eq!(of(-5), "0.0 s");
        assert_eq!(of(1_849), "1.8 s");
        assert_eq!(of(12_900), "12 s");
        assert_eq!(of(123_000), "2 min 3 s");
        assert_eq!(of(11_040_000), "3 h 4 min");
        assert_eq!(of(601_200_000), "6 d 23 h");
    }

    #[test]
    fn a_strict_mode_that_shrinks_what_was_asked_for_says_so() {
        let of = |max, tolerance, mode, most| {
            let preferences = OperationPreferences {
                max_concurrent: max,
                failure_tolerance: tolerance,
                concurrency_mode: mode,
                ..OperationPreferences::default()
            };
            concurrency(&preferences, most)
        };
        let (count, percent) = (CountOrPercent::Count, CountOrPercent::Percent);
        let strict = ConcurrencyMode::Strict;
        assert_eq!(
            of(percent(100), count(0), strict, 8),
            "1 target at a time (100% asked for; strict mode allows one more than may fail)"
        );
        assert!(
            of(count(9), percent(25), strict, 8).starts_with("3 targets at a time (9 asked for; ")
        );
        for (max, tolerance, mode, most) in [
            (count(1), count(0), strict, 8),
            (percent(100), count(0), strict, 1),
            (percent(25), percent(25), strict, 8),
            (percent(100), count(0), ConcurrencyMode::Soft, 8),
        ] {
            assert!(!of(max, tolerance, mode, most).contains("strict"));
        }
    }

    #[test]
    fn callers_are_named_once_with_their_accounts() {
        let caller = |account: &str| Caller {
            account: account.parse().unwrap(),
            arn: format!("arn:aws:sts::{account}:assumed-role/Deploy/alice"),
        };
        let all = [
            caller("111111111111"),
            caller("222222222222"),
            caller("111111111111"),
        ];
        assert_eq!(
            callers(&all, 4),
            ["assumed-role/Deploy/alice in 111111111111, 222222222222"]
        );
        assert_eq!(
            callers(&all, 1),
            ["assumed-role/Deploy/alice in 2 accounts"]
        );
        assert_eq!(identity("not an arn"), "not an arn");
        let own = Caller {
            account: "222222222222".parse().unwrap(),
            arn: "arn:aws:sts::222222222222:assumed-role/R/stackgate-01a205a4-dce1-73e5-bcb1-9bed9925f3d8"
                .to_owned(),
        };
        assert_eq!(callers([&own], 4), ["assumed-role/R in 222222222222"]);
        assert!(callers([&own], usize::MAX)[0].contains("/stackgate-01a205a4"));
    }
}
