//! Waves: groups of targets that run one after the other, and the gates between them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    AlarmCheck, GateCommand, OperationPreferences, Target, TargetOutcome, TargetSpec, WaveName,
};

/// The name of the wave of the targets that no other wave names.
const REST: &str = "rest";

/// Targets that run before those of the next wave.
///
/// What this program does not know of a wave it must not leave out: such a wave cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wave {
    /// Its name, unique in the rollout.
    pub name: WaveName,
    /// Its targets. Those that the rollout does not have do not count.
    pub targets: Vec<Target>,
    /// How the operation moves over them, where it is not as over the others. Percentages are of the targets of this
    /// wave in a region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferences: Option<OperationPreferences>,
    /// What is to be passed, in this order, before the next wave begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// Its targets that are not run again by an execution that goes on from another one. Its gates are for them, too,
    /// and stand where none of its targets is run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<EndedTarget>,
}

/// A target as an earlier execution left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndedTarget {
    /// The target, and how it is reached.
    pub spec: TargetSpec,
    /// How it ended there.
    pub outcome: TargetOutcome,
}

/// What is to be passed between two waves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Gate {
    /// Time passes.
    Bake {
        /// How long, in minutes.
        minutes: u32,
    },
    /// CloudWatch alarms are OK in every target of the wave, and stay it for a time.
    Alarms(AlarmCheck),
    /// A command of the project ends with exit code 0.
    Command(GateCommand),
    /// Somebody approves that the rollout goes on.
    Approval,
}

/// A gate and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatePlace {
    /// The wave that it comes after.
    pub wave: WaveName,
    /// Its place among the gates of the wave, from 1.
    pub number: u32,
    /// What is to be passed.
    pub gate: Gate,
}

impl WaveName {
    /// Returns the name of the wave of the targets that no other wave names.
    pub fn rest() -> Self {
        Self::new(REST).expect("letters are a wave name")
    }
}

/// Returns a time as it is written in `stackgate.yaml`: `10m`, `2h`, `2d`.
fn time(minutes: u32) -> String {
    match minutes {
        0 => "0m".to_owned(),
        days if days % 1440 == 0 => format!("{}d", days / 1440),
        hours if hours % 60 == 0 => format!("{}h", hours / 60),
        minutes => format!("{minutes}m"),
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bake { minutes } => write!(f, "bake {}", time(*minutes)),
            Self::Alarms(check) => {
                if check.minutes > 0 {
                    write!(f, "bake {} with ", time(check.minutes))?;
                }
                let names: Vec<&str> = check.names.iter().map(|name| name.as_str()).collect();
                write!(f, "alarms {} OK", names.join(", "))
            }
            Self::Command(command) => write!(f, "{command}"),
            Self::Approval => f.write_str("approval"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_reads_as_it_is_written() {
        let bake = |minutes| Gate::Bake { minutes }.to_string();
        assert_eq!(
            [bake(10), bake(120), bake(2880), bake(0)],
            ["bake 10m", "bake 2h", "bake 2d", "bake 0m"]
        );
        assert_eq!(Gate::Approval.to_string(), "approval");
        let alarms = |minutes| {
            let names = ["app-errors", "edge-*"];
            let names = names.map(|name| crate::model::AlarmName::new(name).unwrap());
            Gate::Alarms(AlarmCheck {
                names: names.to_vec(),
                minutes,
            })
            .to_string()
        };
        assert_eq!(alarms(0), "alarms app-errors, edge-* OK");
        assert_eq!(alarms(30), "bake 30m with alarms app-errors, edge-* OK");
    }

    #[test]
    fn a_wave_of_which_something_is_unknown_cannot_be_read() {
        let read = |text: &str| serde_json::from_str::<Wave>(text).map_err(|e| e.to_string());
        let known = r#"{"name":"canary","targets":[],"gates":["approval",{"bake":{"minutes":1}}]}"#;
        assert_eq!(read(known).unwrap().gates.len(), 2);
        // What a newer program may write, and an older one must not pass over.
        for (newer, unknown) in [
            (
                r#"{"name":"canary","targets":[],"window":"night"}"#,
                "window",
            ),
            (r#"{"name":"canary","targets":[],"gates":["moon"]}"#, "moon"),
            (
                r#"{"name":"canary","targets":[],"gates":[{"bake":{"minutes":1,"days":[]}}]}"#,
                "days",
            ),
            (
                r#"{"name":"canary","targets":[],"gates":[{"alarms":{"names":["a"],"except":[]}}]}"#,
                "except",
            ),
            (
                r#"{"name":"canary","targets":[],"gates":[{"command":{"line":["a"],"timeout_minutes":1,"as":"root"}}]}"#,
                "as",
            ),
        ] {
            let error = read(newer).unwrap_err();
            assert!(error.contains(&format!("`{unknown}`")), "{error}");
        }
    }
}
