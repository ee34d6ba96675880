//! How long an operation of somebody else on a stack is waited for before the stack is planned.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::ActionDeclaration;

/// The setting of an action that holds it.
const KEY: &str = "WaitForStack";

/// What the setting says where there is no limit.
const UNLIMITED: &str = "unlimited";

/// That an operation of somebody else is waited for, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StackWait {
    /// The most minutes; none is as long as it takes.
    pub minutes: Option<u32>,
}

/// A text that says nothing about waiting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{KEY}` is `{0}`; expected a number of minutes or `{UNLIMITED}`")]
pub struct ParseWaitError(String);

impl StackWait {
    /// The name of the setting that holds it.
    pub const KEY: &str = KEY;

    /// Returns what an action says about waiting; none if it does not wait.
    pub fn of(action: &ActionDeclaration) -> Result<Option<Self>, ParseWaitError> {
        let text = action.configuration.get(KEY);
        text.map(|text| text.parse()).transpose()
    }

    /// Returns the longest time.
    pub fn limit(self) -> Option<Duration> {
        let minutes = u64::from(self.minutes?);
        Some(Duration::from_secs(60 * minutes))
    }
}

impl FromStr for StackWait {
    type Err = ParseWaitError;
    fn from_str(text: &str) -> Result<Self, ParseWaitError> {
        if text == UNLIMITED {
            return Ok(Self { minutes: None });
        }
        let minutes = text.parse();
        minutes
            .map(|minutes| Self {
                minutes: Some(minutes),
            })
            .map_err(|_| ParseWaitError(super::clean(text)))
    }
}

impl fmt::Display for StackWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minutes {
            Some(minutes) => write!(f, "{minutes}"),
            None => f.write_str(UNLIMITED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_stored_as_text_and_read_again() {
        for minutes in [None, Some(0), Some(90)] {
            let wait = StackWait { minutes };
            assert_eq!(wait.to_string().parse(), Ok(wait));
        }
        let error = "soon".parse::<StackWait>().unwrap_err();
        assert!(error.to_string().contains("`soon`"), "{error}");
        assert_eq!(
            "2".parse::<StackWait>().unwrap().limit().unwrap().as_secs(),
            120
        );
    }
}
