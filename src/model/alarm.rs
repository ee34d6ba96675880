//! CloudWatch alarms between two waves: which are looked at, and what was found.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Target;

/// The longest name of an alarm.
const LONGEST_NAME: usize = 255;

/// The name of an alarm, or what the names of several begin with: `app-errors`, `app-*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AlarmName(String);

/// A text that names no alarm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not the name of an alarm: 1 to {LONGEST_NAME} characters, or the beginning of a name and `*`",
    super::clean(.0)
)]
pub struct NoAlarmName(String);

impl AlarmName {
    /// Returns the name, if it can be one.
    pub fn new(name: impl Into<String>) -> Result<Self, NoAlarmName> {
        let name = name.into();
        let beginning = name.strip_suffix('*').unwrap_or(&name);
        let is_name = !beginning.trim().is_empty()
            && beginning.chars().count() <= LONGEST_NAME
            && super::clean(&name) == name
            && !beginning.contains('*');
        match is_name {
            true => Ok(Self(name)),
            false => Err(NoAlarmName(name)),
        }
    }

    /// Returns it as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns what the names of all alarms that are meant begin with, where it is not one alarm's.
    pub fn prefix(&self) -> Option<&str> {
        self.0.strip_suffix('*')
    }
}

impl TryFrom<String> for AlarmName {
    type Error = NoAlarmName;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(name)
    }
}

impl From<AlarmName> for String {
    fn from(name: AlarmName) -> Self {
        name.0
    }
}

impl std::str::FromStr for AlarmName {
    type Err = NoAlarmName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

impl fmt::Display for AlarmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The alarms that must be OK in every target of a wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmCheck {
    /// Their names.
    pub names: Vec<AlarmName>,
    /// How long none of them may go off after the wave ended, in minutes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub minutes: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(minutes: &u32) -> bool {
    *minutes == 0
}

/// An alarm that is not OK.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlarmFound {
    /// What is wrong; first, since it says which of several is told.
    pub state: AlarmState,
    /// Where.
    pub target: Target,
    /// Its name, cleaned.
    pub alarm: String,
    /// What CloudWatch says of it, cleaned.
    pub reason: String,
}

/// What is wrong with an alarm, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmState {
    /// It is in `ALARM`.
    Alarm,
    /// There is no alarm of that name.
    Absent,
    /// It is neither in `ALARM` nor `OK`.
    NoData,
}

impl fmt::Display for AlarmFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (alarm, place) = (&self.alarm, self.target.place());
        match self.state {
            AlarmState::Alarm => write!(f, "alarm {alarm} is in ALARM in {place}")?,
            AlarmState::Absent => write!(f, "there is no alarm {alarm} in {place}")?,
            AlarmState::NoData => write!(
                f,
                "alarm {alarm} has no data (INSUFFICIENT_DATA) in {place}"
            )?,
        }
        match self.reason.is_empty() {
            true => Ok(()),
            false => write!(f, ": {}", self.reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_alarms_or_a_beginning() {
        assert_eq!(AlarmName::new("app-errors").unwrap().prefix(), None);
        assert_eq!(AlarmName::new("app-*").unwrap().prefix(), Some("app-"));
        for none in ["", "*", " ", "a*b", "**", "a\u{1b}[1m", &"a".repeat(256)] {
            assert!(AlarmName::new(none).is_err(), "{none:?}");
        }
    }
}
