//! What a deployment does to what somebody changed outside CloudFormation.

use serde::Serialize;

use super::mask::MASK;
use super::value::{MARKER, from_text};
use crate::model::{Evaluation, PropertyDrift};

/// What becomes of a property that drifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftFate {
    /// It gets the value again that the last deployment set.
    PutBack,
    /// It gets a value that it does not have now.
    Overwritten,
    /// It stays: the template has the value now, and only CloudFormation's record is refreshed.
    Kept,
}

/// Returns what becomes of a property. What cannot be compared, because it is masked or known only at execution, counts as
/// overwritten.
pub fn drift_fate(
    drift: &PropertyDrift,
    after: Option<&str>,
    evaluation: Option<Evaluation>,
) -> DriftFate {
    if drift.only_recorded {
        return DriftFate::Kept;
    }
    let is_open = evaluation == Some(Evaluation::Dynamic);
    let is_same = |value: Option<&str>| match (value, after) {
        (Some(value), Some(after)) => {
            is_known(value) && is_known(after) && from_text(value) == from_text(after)
        }
        // It was added by hand, and is taken away again.
        (None, None) => !is_open && drift.actual.is_some(),
        (Some(_), None) | (None, Some(_)) => false,
    };
    if is_same(drift.actual.as_deref()) {
        DriftFate::Kept
    } else if is_same(drift.previous.as_deref()) {
        DriftFate::PutBack
    } else {
        DriftFate::Overwritten
    }
}

fn is_known(value: &str) -> bool {
    !value.contains(MASK) && !value.contains(MARKER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::MASK_CHANGED;

    fn drift(previous: Option<&str>, actual: Option<&str>) -> PropertyDrift {
        PropertyDrift {
            previous: previous.map(str::to_owned),
            actual: actual.map(str::to_owned),
            detected: None,
            before_from: None,
            only_recorded: false,
        }
    }

    #[test]
    fn what_becomes_of_a_property_is_told_by_its_three_values() {
        let (put_back, overwritten, kept) =
            (DriftFate::PutBack, DriftFate::Overwritten, DriftFate::Kept);
        for (previous, actual, after, fate) in [
            (Some("30"), Some("90"), Some("30"), put_back),
            (Some("30"), Some("90"), Some("60"), overwritten),
            (Some("30"), Some("90"), Some("90"), kept),
            (
                Some(r#"{"a":1}"#),
                Some("{}"),
                Some(r#"{ "a": 1 }"#),
                put_back,
            ),
            (Some("30"), Some("90"), None, overwritten),
            (None, Some("90"), None, put_back),
            (Some("30"), None, Some("30"), put_back),
            (None, None, None, overwritten),
            (Some(MASK), Some(MASK), Some(MASK), overwritten),
            (
                Some(MASK),
                Some(MASK_CHANGED),
                Some(MASK_CHANGED),
                overwritten,
            ),
            (Some(MARKER), Some("90"), Some(MARKER), overwritten),
        ] {
            let drift = drift(previous, actual);
            let found = drift_fate(&drift, after, None);
            assert_eq!(found, fate, "{previous:?} {actual:?} {after:?}");
        }
    }

    #[test]
    fn what_is_known_at_execution_may_overwrite() {
        let added = drift(None, Some("90"));
        let fate = drift_fate(&added, None, Some(Evaluation::Dynamic));
        assert_eq!(fate, DriftFate::Overwritten);
    }

    #[test]
    fn what_is_only_recorded_stays() {
        let synced = PropertyDrift {
            only_recorded: true,
            ..drift(Some("30"), Some("90"))
        };
        assert_eq!(drift_fate(&synced, Some("30"), None), DriftFate::Kept);
    }
}
