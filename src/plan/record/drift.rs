//! What was changed outside CloudFormation, in the record: who approves a plan approves what is overwritten.

use serde::Serialize;

use crate::model::{
    BeforeFrom, DriftStatus, IgnoredAttribute, PropertyDrift, ResourceDrift, SetDrift, StackDrift,
};

#[derive(Serialize)]
pub(super) struct SetDriftRecord {
    is_confirmed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<StackDrift>,
}

impl SetDriftRecord {
    pub(super) fn of(drift: &SetDrift) -> Self {
        let SetDrift {
            is_confirmed,
            stack,
        } = drift;
        Self {
            is_confirmed: *is_confirmed,
            stack: *stack,
        }
    }
}

#[derive(Serialize)]
pub(super) struct ResourceDriftRecord<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ignored: Vec<IgnoredRecord<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<DriftStatus>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct IgnoredRecord<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> ResourceDriftRecord<'a> {
    pub(super) fn of(drift: &'a ResourceDrift) -> Self {
        let ResourceDrift { status, ignored } = drift;
        let ignored = ignored.iter().map(|one| {
            let IgnoredAttribute { path, reason } = one;
            IgnoredRecord {
                path,
                reason: reason.as_deref(),
            }
        });
        let mut ignored: Vec<_> = ignored.collect();
        ignored.sort_unstable();
        Self {
            ignored,
            status: *status,
        }
    }
}

#[derive(Serialize)]
pub(super) struct PropertyDriftRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before_from: Option<BeforeFrom>,
    only_recorded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<&'a str>,
}

impl<'a> PropertyDriftRecord<'a> {
    pub(super) fn of(drift: &'a PropertyDrift) -> Self {
        let PropertyDrift {
            previous,
            actual,
            // When it was found changes nothing about what is overwritten.
            detected: _,
            before_from,
            only_recorded,
        } = drift;
        Self {
            actual: actual.as_deref(),
            before_from: *before_from,
            only_recorded: *only_recorded,
            previous: previous.as_deref(),
        }
    }
}
