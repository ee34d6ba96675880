//! Waves: groups of targets that run one after the other, and the gates between them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{OperationPreferences, Target, WaveName};

/// The name of the wave of the targets that no other wave names.
const REST: &str = "rest";

/// Targets that run before those of the next wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
}

/// What is to be passed between two waves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Time passes.
    Bake {
        /// How long, in minutes.
        minutes: u32,
    },
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

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bake { minutes } if *minutes > 0 && minutes % 1440 == 0 => {
                write!(f, "bake {}d", minutes / 1440)
            }
            Self::Bake { minutes } if *minutes > 0 && minutes % 60 == 0 => {
                write!(f, "bake {}h", minutes / 60)
            }
            Self::Bake { minutes } => write!(f, "bake {minutes}m"),
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
    }
}
