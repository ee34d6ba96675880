//! Operation preferences, with the names and arithmetic of StackSets.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Region;

/// A count of targets, or a percentage of the targets of one region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CountOrPercent {
    /// That many targets.
    Count(u32),
    /// That share of a region's targets, 0–100, rounded down.
    Percent(u8),
}

/// A text that is neither a count nor a percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a count such as `10` nor a percentage from `0%` to `100%`")]
pub struct ParseCountError(String);

impl std::str::FromStr for CountOrPercent {
    type Err = ParseCountError;
    fn from_str(text: &str) -> Result<Self, ParseCountError> {
        let error = || ParseCountError(super::clean(text));
        let digits = text.strip_suffix('%').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(error());
        }
        let number: u32 = digits.parse().map_err(|_| error())?;
        match text.ends_with('%') {
            true if number <= 100 => Ok(Self::Percent(number as u8)),
            true => Err(error()),
            false => Ok(Self::Count(number)),
        }
    }
}

impl TryFrom<String> for CountOrPercent {
    type Error = ParseCountError;
    fn try_from(text: String) -> Result<Self, ParseCountError> {
        text.parse()
    }
}

impl From<CountOrPercent> for String {
    fn from(value: CountOrPercent) -> String {
        value.to_string()
    }
}

impl fmt::Display for CountOrPercent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(n) => write!(f, "{n}"),
            Self::Percent(n) => write!(f, "{n}%"),
        }
    }
}

/// Whether regions run one after another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegionConcurrency {
    /// A region starts when the one before it is done.
    #[default]
    Sequential,
    /// All regions run at once, each with its own tolerance.
    Parallel,
}

/// What happens to concurrency as failures come in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConcurrencyMode {
    /// Never start more than could still fail within the tolerance.
    #[default]
    Strict,
    /// Keep the full concurrency; failures may exceed the tolerance.
    Soft,
}

/// How an operation moves over its targets. All numbers are per region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationPreferences {
    /// The order of regions; regions not named follow in the order of the targets.
    #[serde(default)]
    pub region_order: Vec<Region>,
    /// Whether regions run one after another.
    #[serde(default)]
    pub region_concurrency: RegionConcurrency,
    /// How many targets of a region may run at once; at least one.
    pub max_concurrent: CountOrPercent,
    /// How many targets of a region may fail before the region stops.
    pub failure_tolerance: CountOrPercent,
    /// What happens to concurrency as failures come in.
    #[serde(default)]
    pub concurrency_mode: ConcurrencyMode,
}

impl Default for OperationPreferences {
    /// Returns the defaults of StackSets: one at a time, no failure tolerated, regions in sequence.
    fn default() -> Self {
        Self {
            region_order: Vec::new(),
            region_concurrency: RegionConcurrency::Sequential,
            max_concurrent: CountOrPercent::Count(1),
            failure_tolerance: CountOrPercent::Count(0),
            concurrency_mode: ConcurrencyMode::Strict,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_percentages_are_told_apart() {
        assert_eq!("10".parse(), Ok(CountOrPercent::Count(10)));
        assert_eq!("25%".parse(), Ok(CountOrPercent::Percent(25)));
        for bad in ["", "%", "101%", "-1", "+1", "2.5%", "4294967296", "ten"] {
            assert!(bad.parse::<CountOrPercent>().is_err(), "{bad}");
        }
    }
}
