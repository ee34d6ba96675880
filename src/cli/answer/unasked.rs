//! Why an execution takes no answer now, where its plan was answered already: what it is doing, and what is to be done.

use super::{verb, who};
use crate::cli::CliError;
use crate::model::{Answer, Decision, Digest, ExecutionId, Gate, WaveName};
use crate::report::{GateStage, View, WaveStatus, time};

/// An answer that comes where nothing is asked.
pub(super) struct Unasked<'a> {
    pub id: &'a ExecutionId,
    pub view: &'a View,
    pub plan: Digest,
    /// The answer that was given last.
    pub last: &'a Answer,
    /// The wave that was named.
    pub wave: Option<&'a WaveName>,
    /// The process that runs the execution.
    pub owner: Option<&'a str>,
}

impl Unasked<'_> {
    /// Returns what is so, and what to do.
    pub(super) fn refusal(&self) -> CliError {
        let Self { id, owner, .. } = self;
        let said = self
            .wave
            .and_then(|wave| self.about(wave))
            .unwrap_or_else(|| answered(self.last, self.plan));
        let run_by = match owner {
            Some(owner) => format!("; execution {id} is run by {owner}"),
            None => String::new(),
        };
        let is_to_come = self.wave.is_some_and(|wave| self.is_to_come(wave));
        let once = match is_to_come {
            true => "answer it once it is asked: ",
            false => "",
        };
        let hint = match (owner, self.last.decision) {
            (Some(_), Decision::Approve) => format!(
                "{once}watch it with `stackgate status {id}`, or end it with `stackgate stop {id} --give-up`"
            ),
            (Some(_), Decision::Reject) => {
                format!("see how it ends with `stackgate status {id}`")
            }
            (None, Decision::Approve) => format!(
                "{once}go on with `stackgate resume {id}`, or give up what was not executed with `stackgate stop {id} --give-up`"
            ),
            (None, Decision::Reject) => {
                format!("remove its change sets with `stackgate resume {id}`")
            }
        };
        CliError::message(format!("{said}{run_by}")).hint(hint)
    }

    /// Returns why nothing is asked about a wave; none where the rollout has no such wave.
    fn about(&self, name: &WaveName) -> Option<String> {
        let answers = self.view.answers();
        let of_it = answers.into_iter().rev();
        if let Some(answer) = of_it.into_iter().find(|a| a.wave.as_ref() == Some(name)) {
            return Some(answered(answer, self.plan));
        }
        let wave = self.wave_named(name)?;
        let counts = wave.counts;
        if !wave.gates.iter().any(|gate| gate.gate == Gate::Approval) {
            return Some(format!("nothing is asked after wave {name}"));
        }
        let has_ended = counts.ended() == counts.total;
        Some(match has_ended {
            false => format!(
                "wave {name} waits for no answer yet: {} of its {} targets have ended",
                counts.ended(),
                counts.total
            ),
            true => {
                let mut gates = wave.gates.iter();
                let before = gates.find(|gate| gate.state != GateStage::Passed);
                match before.filter(|gate| gate.gate != Gate::Approval) {
                    Some(before) => format!(
                        "wave {name} waits for no answer yet: it has ended, and what is asked comes after {}",
                        before.gate
                    ),
                    None => format!("wave {name} waits for no answer yet: it has just ended"),
                }
            }
        })
    }

    /// Returns whether something will be asked about a wave.
    fn is_to_come(&self, name: &WaveName) -> bool {
        self.wave_named(name).is_some_and(|wave| {
            let mut gates = wave.gates.iter();
            gates.any(|gate| gate.gate == Gate::Approval && gate.state == GateStage::Waiting)
        })
    }

    fn wave_named(&self, name: &WaveName) -> Option<WaveStatus> {
        let mut waves = WaveStatus::of(self.view).into_iter();
        waves.find(|wave| wave.name == *name)
    }
}

fn answered(answer: &Answer, plan: Digest) -> String {
    let what = match &answer.wave {
        None => format!("plan {}", plan.short()),
        Some(wave) => format!("what comes after wave {wave}"),
    };
    format!(
        "{what} was {} by {} at {} already",
        verb(answer.decision),
        who(&answer.approver),
        time(answer.at)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::identity;
    use crate::model::Origin;

    #[test]
    fn a_time_is_told_as_it_is_everywhere() {
        let mut answer = Answer {
            decision: Decision::Approve,
            plan: Digest::of(b"plan"),
            wave: None,
            approver: identity::approver(None),
            origin: Origin::Command,
            at: "2026-11-24T04:29:32.446985127Z".parse().unwrap(),
            summary: String::new(),
            covers: None,
        };
        let told = answered(&answer, answer.plan);
        let end = "at 2026-11-24 04:29:32 UTC already";
        assert!(told.starts_with("plan ") && told.ends_with(end), "{told}");
        answer.wave = Some(WaveName::rest());
        let told = answered(&answer, answer.plan);
        let begin = format!(
            "what comes after wave {} was approved by ",
            WaveName::rest()
        );
        assert!(told.starts_with(&begin), "{told}");
    }
}
