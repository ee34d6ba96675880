//! Values that are kept elsewhere.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Region, StackName};

/// Where the value of a parameter is looked up, in the account of the target, when its change set is planned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lookup {
    /// What is looked up.
    #[serde(flatten)]
    pub what: LookedUp,
    /// The region; without one, the target's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
}

/// What is looked up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookedUp {
    /// An output of another stack.
    StackOutput {
        /// The stack.
        stack: StackName,
        /// The name of the output.
        output: String,
    },
    /// An export, by its name.
    Export(String),
    /// A parameter of Systems Manager, by its name, with or without `:VERSION`.
    SsmParameter(String),
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            LookedUp::StackOutput { stack, output } => {
                write!(f, "output {} of stack {stack}", super::clean(output))?;
            }
            LookedUp::Export(name) => write!(f, "export {}", super::clean(name))?,
            LookedUp::SsmParameter(name) => write!(f, "SSM parameter {}", super::clean(name))?,
        }
        match &self.region {
            Some(region) => write!(f, " in {region}"),
            None => Ok(()),
        }
    }
}
