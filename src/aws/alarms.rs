//! Reads CloudWatch alarms.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::cadence;
use super::call::Call;
use super::connection::Aws;
use super::json::{JsonFailure, JsonService};
use crate::model::{
    AlarmFound, AlarmName, AlarmState, CallFailure, FailureKind, Priority, Target, TargetSpec,
    clean,
};

const CLOUDWATCH: JsonService = JsonService {
    name: "monitoring",
    endpoint: "CLOUDWATCH",
    prefix: "GraniteServiceVersion20100801",
    content_type: "application/x-amz-json-1.0",
};

/// The most names that one call takes.
const MOST_NAMES: usize = 100;
/// Targets that are looked at at the same time.
const AT_ONCE: usize = 64;
/// So much of what CloudWatch says of an alarm is kept.
const LONGEST_REASON: usize = 300;

/// A look at the alarms of one target.
type Look<'a> = Pin<Box<dyn Future<Output = Result<Vec<AlarmFound>, CallFailure>> + Send + 'a>>;

impl Aws {
    /// Returns, after a while, the alarms with `names` that are not OK, of all `specs`.
    ///
    /// One that has gone off is returned at once, whatever becomes of the other targets. Otherwise all of them must be
    /// known: what cannot be read is a failure.
    pub async fn alarms_not_ok(
        &self,
        specs: &[TargetSpec],
        names: &[AlarmName],
        after: Duration,
    ) -> Result<Vec<AlarmFound>, CallFailure> {
        self.check_endpoint_for(CLOUDWATCH.endpoint)?;
        if !after.is_zero() {
            cadence::pause(after).await;
        }
        let mut looks: Vec<Look<'_>> = Vec::new();
        for spec in specs {
            looks.push(Box::pin(self.not_ok_at(spec, names, Priority::Observe)));
        }
        let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
        let (mut all, mut failed) = (Vec::new(), None);
        while let Some(look) = looks.next().await {
            match look {
                Ok(found) => {
                    let has_gone_off = found.iter().any(|a| a.state == AlarmState::Alarm);
                    all.extend(found);
                    if has_gone_off {
                        return Ok(all);
                    }
                }
                Err(failure) => failed = failed.or(Some(failure)),
            }
        }
        match failed {
            Some(failure) => Err(failure),
            None => Ok(all),
        }
    }

    /// Returns, for each of `specs`, the alarms with `names` that are not OK at present, or why they cannot be read.
    ///
    /// Nothing hangs on it yet: what does not answer is waited for until `deadline`.
    pub async fn alarms_ahead(
        &self,
        specs: &[TargetSpec],
        names: &[AlarmName],
        deadline: Instant,
    ) -> Vec<(Target, Result<Vec<AlarmFound>, CallFailure>)> {
        let at_all = self.check_endpoint_for(CLOUDWATCH.endpoint);
        let mut looks: Vec<Look<'_>> = Vec::new();
        for spec in specs {
            looks.push(match &at_all {
                Ok(()) => Box::pin(async move {
                    let look = self.not_ok_at(spec, names, Priority::Read);
                    timeout_at(deadline, look).await.unwrap_or_else(|_| {
                        let why = "CloudWatch did not answer in time";
                        Err(CallFailure::new(FailureKind::Unreachable, why))
                    })
                }),
                Err(failure) => Box::pin(std::future::ready(Err(failure.clone()))),
            });
        }
        let found: Vec<_> = stream::iter(looks).buffered(AT_ONCE).collect().await;
        let targets = specs.iter().map(|spec| spec.target.clone());
        targets.zip(found).collect()
    }

    /// Returns the alarms of one target that are not OK, and the names that none has.
    async fn not_ok_at(
        &self,
        spec: &TargetSpec,
        names: &[AlarmName],
        priority: Priority,
    ) -> Result<Vec<AlarmFound>, CallFailure> {
        // A session that cannot be had is told as such, not as a failed call.
        self.credentials_at(spec)?;
        let found = |state, alarm: &str, reason: &str| AlarmFound {
            state,
            target: spec.target.clone(),
            alarm: clean(alarm),
            reason: clean(reason).chars().take(LONGEST_REASON).collect(),
        };
        let (beginnings, exact): (Vec<_>, Vec<_>) =
            names.iter().partition(|name| name.prefix().is_some());
        let mut all = Vec::new();
        let mut missing: Vec<&str> = Vec::new();
        for some in exact.chunks(MOST_NAMES) {
            let some: Vec<&str> = some.iter().map(|name| name.as_str()).collect();
            let alarms = self
                .alarms(spec, json!({"AlarmNames": some}), priority)
                .await?;
            let there: BTreeSet<&str> = alarms.iter().map(|a| a.name.as_str()).collect();
            missing.extend(some.iter().filter(|name| !there.contains(*name)));
            all.extend(alarms);
        }
        for name in beginnings {
            let prefix = name.prefix().unwrap_or_default();
            let alarms = self
                .alarms(spec, json!({"AlarmNamePrefix": prefix}), priority)
                .await?;
            if alarms.is_empty() {
                missing.push(name.as_str());
            }
            all.extend(alarms);
        }
        let not_ok = all.iter().filter_map(|alarm| {
            let state = match alarm.state.as_str() {
                "OK" => return None,
                "ALARM" => AlarmState::Alarm,
                // `INSUFFICIENT_DATA`, and whatever is no OK.
                _ => AlarmState::NoData,
            };
            let reason = alarm.reason.as_deref().unwrap_or_default();
            Some(found(state, &alarm.name, reason))
        });
        let missing = missing.iter().map(|name| {
            let advice = "correct `alarms` in stackgate.yaml, or make the alarm";
            found(AlarmState::Absent, name, advice)
        });
        Ok(not_ok.chain(missing).collect())
    }

    /// Returns all alarms, of every kind, that are asked for.
    async fn alarms(
        &self,
        spec: &TargetSpec,
        asked: Value,
        priority: Priority,
    ) -> Result<Vec<Alarm>, CallFailure> {
        let mut body = asked;
        body["AlarmTypes"] = json!(["MetricAlarm", "CompositeAlarm"]);
        let mut all = Vec::new();
        loop {
            let call = Call::read("DescribeAlarms", priority);
            let page = self
                .call(call, spec, |_| self.describe_alarms(spec, &body))
                .await?;
            all.extend(page.metric);
            all.extend(page.composite);
            match page.next {
                Some(next) if !next.is_empty() => body["NextToken"] = Value::String(next),
                Some(_) | None => return Ok(all),
            }
        }
    }

    async fn describe_alarms(&self, spec: &TargetSpec, body: &Value) -> Result<Page, JsonFailure> {
        self.ask_json(CLOUDWATCH, "DescribeAlarms", spec, body)
            .await
    }
}

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(rename = "MetricAlarms", default)]
    metric: Vec<Alarm>,
    #[serde(rename = "CompositeAlarms", default)]
    composite: Vec<Alarm>,
    #[serde(rename = "NextToken")]
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Alarm {
    #[serde(rename = "AlarmName")]
    name: String,
    #[serde(rename = "StateValue")]
    state: String,
    #[serde(rename = "StateReason")]
    reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{aws, spec, spec_in};
    use super::super::scripted::{Reply, Scripted};
    use super::*;

    fn says(script: &Scripted, reply: &Value) {
        script.on("DescribeAlarms", Reply::Http(200, reply.to_string()));
    }

    fn alarm(name: &str, state: &str) -> Value {
        json!({"AlarmName": name, "StateValue": state, "StateReason": format!("why\n{state}")})
    }

    async fn look(script: &Scripted, names: &[&str]) -> Result<Vec<String>, CallFailure> {
        let names: Vec<AlarmName> = names.iter().map(|n| n.parse().unwrap()).collect();
        let aws = aws(script).await;
        let found = aws.alarms_not_ok(&[spec()], &names, Duration::ZERO).await?;
        Ok(found.iter().map(AlarmFound::to_string).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn alarms_of_both_kinds_are_read_through_pages_and_throttling() {
        let script = Scripted::new();
        let body = json!({"__type": "ThrottlingException", "message": "Rate exceeded"}).to_string();
        script.on("DescribeAlarms", Reply::Http(400, body));
        says(
            &script,
            &json!({"MetricAlarms": [alarm("errors", "OK")], "CompositeAlarms": [alarm("all", "ALARM")]}),
        );
        says(
            &script,
            &json!({"MetricAlarms": [alarm("edge-1", "OK")], "NextToken": "next"}),
        );
        says(
            &script,
            &json!({"MetricAlarms": [alarm("edge-2", "INSUFFICIENT_DATA")], "NextToken": null}),
        );
        let found = look(&script, &["edge-*", "errors", "all"]).await.unwrap();
        assert_eq!(
            found,
            [
                "alarm all is in ALARM in 111111111111/eu-west-1: why ALARM",
                "alarm edge-2 has no data (INSUFFICIENT_DATA) in 111111111111/eu-west-1: why INSUFFICIENT_DATA",
            ]
        );
        let requests = script.requests_of("DescribeAlarms");
        assert_eq!(requests.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_plan_does_not_wait_for_alarms_that_nobody_tells() {
        let body = json!({"__type": "ThrottlingException", "message": "Rate exceeded"}).to_string();
        for reply in [Reply::Silence, Reply::Http(400, body)] {
            let script = Scripted::new();
            script.on("DescribeAlarms", reply);
            let aws = aws(&script).await;
            let deadline = Instant::now() + Duration::from_secs(5);
            let names = ["errors".parse().unwrap()];
            let found = aws.alarms_ahead(&[spec()], &names, deadline).await;
            assert_eq!(Instant::now(), deadline);
            let [(_, Err(failure))] = &found[..] else {
                panic!("{found:?}");
            };
            assert_eq!(failure.message, "CloudWatch did not answer in time");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_no_alarm_has_is_found_missing() {
        let script = Scripted::new();
        says(&script, &json!({"MetricAlarms": [alarm("errors", "OK")]}));
        says(&script, &json!({"MetricAlarms": []}));
        let found = look(&script, &["errors", "latency", "edge-*"])
            .await
            .unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("there is no alarm latency in 111111111111/eu-west-1: correct")
        );
        assert!(found[1].starts_with("there is no alarm edge-* in"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_read_is_no_answer_unless_an_alarm_went_off() {
        let script = Scripted::new();
        let denied = json!({"__type": "AccessDeniedException", "message": "not authorized"});
        for _ in 0..2 {
            script.on("DescribeAlarms", Reply::Http(400, denied.to_string()));
        }
        let failure = look(&script, &["errors"]).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::AccessDenied);
        says(
            &script,
            &json!({"MetricAlarms": [alarm("errors", "ALARM")]}),
        );
        let specs = [spec(), spec_in("111111111111", "us-east-1", None)];
        let names = ["errors".parse().unwrap()];
        let found = aws(&script)
            .await
            .alarms_not_ok(&specs, &names, Duration::from_secs(15))
            .await
            .unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].state, AlarmState::Alarm);
    }

    #[tokio::test(start_paused = true)]
    async fn before_anything_is_deployed_each_place_is_told_of_and_nothing_is_waited_for() {
        let script = Scripted::new();
        for _ in 0..4 {
            script.on("DescribeAlarms", Reply::NotConnected);
        }
        says(
            &script,
            &json!({"MetricAlarms": [alarm("errors", "ALARM")]}),
        );
        let names = ["errors".parse().unwrap()];
        let aws = aws(&script).await;
        let silent = aws
            .alarms_ahead(&[spec()], &names, Instant::now() + Duration::from_secs(60))
            .await;
        let [(_, Err(failure))] = &silent[..] else {
            panic!("{silent:?}");
        };
        assert_eq!(failure.kind, FailureKind::Unreachable);
        assert!(script.requests_of("DescribeAlarms").len() <= 4);
        let found = aws
            .alarms_ahead(&[spec()], &names, Instant::now() + Duration::from_secs(60))
            .await;
        assert_eq!(found[0].0, spec().target);
        assert_eq!(found[0].1.as_ref().unwrap()[0].state, AlarmState::Alarm);
    }
}
