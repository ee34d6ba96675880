//! Alarms that stand between waves, looked up before anything is deployed: a name that is misspelt or a permission that is
//! missing must not be found out about when the canary has been changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::aws::Aws;
use crate::model::{
    AlarmCheck, AlarmFound, AlarmState, CallFailure, ExecutionDefinition, FOUND_AHEAD, FailureKind,
    FanOut, Gate, Target, TargetSpec, Wave, clean,
};

/// So long a plan waits for it at the most: it is a service to who reviews it, and nothing that the plan hangs on.
const LONGEST: Duration = Duration::from_secs(5);

/// The most places that are named for one thing.
const PLACES: usize = 3;

/// Looks at the alarms of all waves, and has a reviewer told what would keep them from being passed. That is no error: the
/// stack may be what makes them.
pub(super) async fn look_ahead(aws: &Aws, definition: &mut ExecutionDefinition) {
    let deadline = Instant::now() + LONGEST;
    let mut looked_at: BTreeSet<String> = BTreeSet::new();
    let mut notes = Vec::new();
    for fan_out in definition
        .pipeline
        .actions()
        .filter_map(|a| a.fan_out.as_ref())
    {
        for wave in &fan_out.waves {
            for check in wave.gates.iter().filter_map(alarms) {
                // The actions of a deployment go over the same waves.
                if looked_at.insert(format!("{wave:?} {check:?}")) {
                    let places = places(fan_out, wave);
                    let found = aws.alarms_ahead(&places, &check.names, deadline).await;
                    notes.extend(told(wave, found));
                }
            }
        }
    }
    tell(definition, &notes);
}

fn alarms(gate: &Gate) -> Option<&AlarmCheck> {
    match gate {
        Gate::Alarms(check) => Some(check),
        Gate::Bake { .. } | Gate::Command(_) | Gate::Approval => None,
    }
}

/// Returns how each account and region of the wave is reached by whoever plans: before the approval nobody acts with the rights
/// of whoever executes.
fn places(fan_out: &FanOut, wave: &Wave) -> Vec<TargetSpec> {
    let here = fan_out.targets.iter();
    let here = here.filter(|spec| wave.targets.contains(&spec.target));
    let before = wave.ended.iter().map(|target| &target.spec);
    let all = here.chain(before).cloned();
    let by_place = all.map(|spec| ((spec.target.place(), spec.role_arn.clone()), spec));
    by_place.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// Returns what there is to tell of a wave's alarms.
fn told(wave: &Wave, found: Vec<(Target, Result<Vec<AlarmFound>, CallFailure>)>) -> Vec<String> {
    let name = &wave.name;
    // What is wrong, by what is said of it: where, and the rest of the sentence.
    let mut all: BTreeMap<String, (Vec<String>, String)> = BTreeMap::new();
    let mut say = |what: String, place: String, more: String| {
        let (places, _) = all.entry(what).or_insert_with(|| (Vec::new(), more));
        // A name and the beginning of names may both mean one alarm.
        if !places.contains(&place) {
            places.push(place);
        }
    };
    for (target, result) in found {
        let place = target.place();
        let alarms = match result {
            Ok(alarms) => alarms,
            Err(failure) => {
                let what = format!("the alarms after wave {name} cannot be read");
                let advice = match failure.kind {
                    FailureKind::AccessDenied => {
                        "; if whoever executes there may not read them either, the rollout pauses after that wave"
                    }
                    FailureKind::CredentialsExpired
                    | FailureKind::RegionNotEnabled
                    | FailureKind::Throttled
                    | FailureKind::NotFound
                    | FailureKind::AlreadyExists
                    | FailureKind::MissingCapabilities(_)
                    | FailureKind::Refused
                    | FailureKind::Ambiguous
                    | FailureKind::NotSent
                    | FailureKind::Unreachable
                    | FailureKind::BadInput
                    | FailureKind::SecretNeeded(_) => {
                        "; see to it that they can, or the rollout pauses after that wave"
                    }
                };
                say(what, place, format!(": {}{advice}", failure.message));
                continue;
            }
        };
        for found in alarms {
            let alarm = &found.alarm;
            match found.state {
                AlarmState::Absent => say(
                    format!("wave {name} is followed by alarm {alarm}, and there is none"),
                    place.clone(),
                    "; correct `alarms` in stackgate.yaml if it is misspelt, unless the stack itself makes it"
                        .to_owned(),
                ),
                AlarmState::Alarm => say(
                    format!("wave {name} is followed by alarm {alarm}, which is in ALARM"),
                    place.clone(),
                    format!(
                        "; unless it is OK by then, no later wave begins: {}",
                        found.reason
                    ),
                ),
                // It gets its data, or is waited for.
                AlarmState::NoData => {}
            }
        }
    }
    all.into_iter()
        .map(|(what, (places, more))| clean(&format!("{what} in {}{more}", named(&places))))
        .collect()
}

fn named(places: &[String]) -> String {
    let first = places.iter().take(PLACES).cloned().collect::<Vec<_>>();
    match places.len().saturating_sub(PLACES) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Has a reviewer told `notes`, which are part of the plan, in place of what was found for the plan that this one goes on
/// from.
fn tell(definition: &mut ExecutionDefinition, notes: &[String]) {
    let stages = &mut definition.pipeline.stages;
    let mut last = None;
    for action in stages.iter_mut().flat_map(|stage| &mut stage.actions) {
        action.configuration.shift_remove(FOUND_AHEAD);
        last = action.fan_out.is_some().then_some(action).or(last);
    }
    if let Some(action) = last.filter(|_| !notes.is_empty()) {
        action
            .configuration
            .insert(FOUND_AHEAD.to_owned(), serde_json::json!(notes).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountId, Region, StackName};

    fn target(account: u32) -> Target {
        Target {
            account: AccountId::new(format!("{account:012}")).unwrap(),
            region: Region::new("eu-west-1").unwrap(),
            stack: StackName::new("app").unwrap(),
        }
    }

    fn canary() -> Wave {
        Wave {
            name: "canary".parse().unwrap(),
            targets: Vec::new(),
            preferences: None,
            gates: Vec::new(),
            ended: Vec::new(),
        }
    }

    fn found(account: u32, state: AlarmState, alarm: &str) -> AlarmFound {
        AlarmFound {
            state,
            target: target(account),
            alarm: alarm.to_owned(),
            reason: "5 errors".to_owned(),
        }
    }

    #[test]
    fn what_keeps_a_gate_shut_is_told_once_for_all_places() {
        let absent = |account| {
            let found = vec![
                found(account, AlarmState::Absent, "erors"),
                found(account, AlarmState::NoData, "quiet"),
            ];
            (target(account), Ok(found))
        };
        let mut all: Vec<_> = (1..=5).map(absent).collect();
        let twice = [(); 2].map(|()| found(6, AlarmState::Alarm, "errors"));
        all.push((target(6), Ok(twice.to_vec())));
        let denied = CallFailure::new(FailureKind::AccessDenied, "not authorized");
        all.push((target(7), Err(denied)));
        assert_eq!(
            told(&canary(), all),
            [
                "the alarms after wave canary cannot be read in 000000000007/eu-west-1: not authorized; if \
                 whoever executes there may not read them either, the rollout pauses after that wave",
                "wave canary is followed by alarm erors, and there is none in 000000000001/eu-west-1, \
                 000000000002/eu-west-1, 000000000003/eu-west-1 and 2 more; correct `alarms` in stackgate.yaml if it is \
                 misspelt, unless the stack itself makes it",
                "wave canary is followed by alarm errors, which is in ALARM in 000000000006/eu-west-1; unless it is OK by \
                 then, no later wave begins: 5 errors",
            ]
        );
    }

    #[test]
    fn what_was_found_for_an_earlier_plan_is_not_told_again() {
        let mut definition = crate::plan::sample::definition();
        let before = definition.notes();
        tell(&mut definition, &["an alarm".to_owned()]);
        assert_eq!(definition.notes().len(), before.len() + 1);
        tell(&mut definition, &["another".to_owned()]);
        assert!(definition.notes().contains(&"another".to_owned()));
        assert_eq!(definition.notes().len(), before.len() + 1);
        tell(&mut definition, &[]);
        assert_eq!(definition.notes(), before);
    }

    #[test]
    fn alarms_that_are_ok_or_may_be_are_not_worth_a_word() {
        let quiet = vec![found(1, AlarmState::NoData, "quiet")];
        let all = vec![(target(1), Ok(quiet)), (target(2), Ok(Vec::new()))];
        assert!(told(&canary(), all).is_empty());
    }
}
