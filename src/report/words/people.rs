//! Who acts, who answers, and what they asked for.

use std::collections::{BTreeMap, BTreeSet};

use super::super::View;
use super::super::screen::Tone;
use crate::model::{Answer, Approver, Caller, Decision, Origin, StopMode, StopRequest};

use super::count;

pub(in crate::report) fn approver(approver: &Approver) -> String {
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

pub(in crate::report) fn decision(decision: Decision) -> (&'static str, Tone) {
    match decision {
        Decision::Approve => ("approved", Tone::Good),
        Decision::Reject => ("rejected", Tone::Warn),
    }
}

/// Returns what an answer is about: the plan, or what comes after a wave of it.
pub(in crate::report) fn answered_about(answer: &Answer) -> String {
    match &answer.wave {
        Some(wave) => format!("after wave {wave}"),
        None => format!("plan {}", answer.plan.short()),
    }
}

/// Returns an answer in one line.
pub(in crate::report) fn answered(answer: &Answer) -> String {
    let (word, _) = decision(answer.decision);
    let who = approver(&answer.approver);
    let mut text = format!("{word} by {who}, {}", super::time(answer.at));
    if !answer.summary.is_empty() {
        text.push_str(&format!(": {}", answer.summary));
    }
    text
}

/// Returns what an execution that has ended cannot tell, where its plan left in a file.
pub(in crate::report) fn elsewhere(view: &View) -> Option<String> {
    let file = view.exported().filter(|_| view.outcome().is_some())?;
    Some(format!(
        "exported to {file}; what happened elsewhere is not known here"
    ))
}

/// Returns that somebody asked for the execution to stop, and why.
pub(in crate::report) fn stop_request(request: &StopRequest) -> String {
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

pub(in crate::report) fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Prompt => "at the prompt",
        Origin::Command => "by command",
        Origin::Flag => "by --yes",
        Origin::Beforehand => "beforehand",
    }
}

/// Returns the part of a caller's ARN that says who: `assumed-role/Deploy/alice`, `user/bob`, `root`.
pub(in crate::report) fn identity(arn: &str) -> &str {
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

/// Returns roles by their ARNs or, beyond `limit`, those with one name once, with the number of their accounts.
pub(in crate::report) fn roles(arns: &BTreeSet<String>, limit: usize) -> Vec<String> {
    if arns.len() <= limit {
        return arns.iter().cloned().collect();
    }
    let mut accounts: BTreeMap<&str, usize> = BTreeMap::new();
    for arn in arns {
        *accounts.entry(identity(arn)).or_default() += 1;
    }
    let say = |(name, number)| format!("{name} in {}", count(number, "account"));
    accounts.into_iter().map(say).collect()
}

/// Returns who calls and where: equal identities once, with their accounts or, beyond `limit`, their number.
pub(in crate::report) fn callers<'a>(
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
